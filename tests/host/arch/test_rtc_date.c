// sources: kernel/arch/x86_64/rtc_date.c kernel/lib/date.c
/* The battery clock's dates against libc, in all four register formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <time.h>

#include "arch/x86_64/rtc_date.h"

static void dates_agree_with_libc(void **state)
{
	static const uint8_t formats[] = { 0, 2, 4, 6 };

	(void)state;
	for (int64_t t = 0; t < 13500000000; t += 7654321) {
		for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
			struct rtc_raw r = { .status_b = formats[f] };
			int64_t back = -1;
			time_t tt = t;
			struct tm tm;

			gmtime_r(&tt, &tm);
			rtc_from_seconds(t, &r);
			if (formats[f] == 6) {
				assert_int_equal(r.month, tm.tm_mon + 1);
				assert_int_equal(r.day, tm.tm_mday);
				assert_int_equal(r.hour, tm.tm_hour);
			}
			assert_true(rtc_to_seconds(&r, &back));
			assert_int_equal(back, t);
		}
	}
}

static void twelve_hours(void **state)
{
	struct rtc_raw r = { .day = 1, .month = 1, .year = 0x70, .hour = 0x12 };
	int64_t s;

	(void)state;
	assert_true(rtc_to_seconds(&r, &s)); /* 12 AM */
	assert_int_equal(s, 0);
	r.hour = 0x92;
	assert_true(rtc_to_seconds(&r, &s)); /* 12 PM */
	assert_int_equal(s, 12 * 3600);
	r.hour = 0x13;
	assert_false(rtc_to_seconds(&r, &s));
}

static void no_clock_reads_as_ones(void **state)
{
	struct rtc_raw r;
	int64_t s;

	(void)state;
	memset(&r, 0xff, sizeof(r));
	assert_false(rtc_to_seconds(&r, &s));
	memset(&r, 0, sizeof(r));
	assert_false(rtc_to_seconds(&r, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_agree_with_libc),
		cmocka_unit_test(twelve_hours),
		cmocka_unit_test(no_clock_reads_as_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
