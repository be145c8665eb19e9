#pragma once

/* CMOS clock registers to seconds since 1970 and back. Pure. */

#include "lib/types.h"

struct rtc_raw { /* register contents; century 0: there is no such register */
	uint8_t second, minute, hour, day, month, year, century, status_b;
};

/* False when the registers hold no date between 1970 and 2399. */
MUST_CHECK bool rtc_to_seconds(const struct rtc_raw *r, int64_t *seconds);

/* Fills all but status_b, which says in which format. seconds is not negative. */
void rtc_from_seconds(int64_t seconds, struct rtc_raw *r);
