/* See rtc_date.h. */

#include "arch/x86_64/rtc_date.h"

#include "lib/date.h"

enum { B_24_HOURS = 2, B_BINARY = 4, HOUR_PM = 0x80 };

static unsigned decode(uint8_t v, uint8_t status_b)
{
	return status_b & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode(unsigned v, uint8_t status_b)
{
	return (uint8_t)(status_b & B_BINARY ? v : v / 10 << 4 | v % 10);
}

bool rtc_to_seconds(const struct rtc_raw *r, int64_t *seconds)
{
	unsigned sec = decode(r->second, r->status_b), min = decode(r->minute, r->status_b);
	unsigned hour = decode(r->hour & ~HOUR_PM & 0xff, r->status_b),
		 day = decode(r->day, r->status_b);
	unsigned month = decode(r->month, r->status_b), year = decode(r->year, r->status_b);
	unsigned century = decode(r->century, r->status_b);

	if (!(r->status_b & B_24_HOURS)) {
		if (hour < 1 || hour > 12)
			return false;
		hour = hour % 12 + (r->hour & HOUR_PM ? 12 : 0);
	}
	if (sec > 59 || min > 59 || hour > 23 || day < 1 || day > 31 || month < 1 || month > 12 ||
	    year > 99)
		return false;
	if (century >= 19 && century <= 23)
		year += century * 100;
	else
		year += year < 70 ? 2000 : 1900;
	if (year < 1970)
		return false;
	*seconds = ((date_to_days(year, month, day) * 24 + hour) * 60 + min) * 60 + sec;
	return true;
}

void rtc_from_seconds(int64_t seconds, struct rtc_raw *r)
{
	int64_t rest = seconds % 86400;
	unsigned year, month, day, hour = (unsigned)(rest / 3600);

	date_from_days(seconds / 86400, &year, &month, &day);
	r->second = encode((unsigned)(rest % 60), r->status_b);
	r->minute = encode((unsigned)(rest / 60 % 60), r->status_b);
	if (r->status_b & B_24_HOURS)
		r->hour = encode(hour, r->status_b);
	else
		r->hour = (uint8_t)(encode((hour + 11) % 12 + 1, r->status_b) |
				    (hour >= 12 ? HOUR_PM : 0));
	r->day = encode(day, r->status_b);
	r->month = encode(month, r->status_b);
	r->year = encode(year % 100, r->status_b);
	r->century = encode(year / 100, r->status_b);
}
