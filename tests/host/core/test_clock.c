// sources: kernel/core/clock.c kernel/core/lockdep.c kernel/core/spinlock.c
/* Conversions over years, at awkward frequencies; steps of the wall clock leave the monotonic one alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/vdso_data.h"
#include "host_cpu.h"

static int steps;

void log_tick(void)
{
}

static void stepped(void)
{
	steps++;
}

static const uint64_t hz[] = { 1000000, 62500000, 1000000000, 2399998765, 3579545, 5000000000 };

static void conversion(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hz); i++) {
		host_counter = 123456789;
		clock_init(hz[i], 0);
		assert_int_equal(clock_mono(), 0);
		for (uint64_t s = 1; s < 100ull * 365 * 86400; s = s * 3 + 1) {
			nsec_t got, want = (nsec_t)s * NSEC_PER_SEC;

			host_counter = 123456789 + s * hz[i];
			got = clock_mono();
			assert_true(got <= want && want - got <= want / 1000000000 + 2);
		}
		assert_int_equal(clock_from_counter(5), 0); /* a counter read a little before the base */
	}
}

static void there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hz); i++) {
		host_counter = 77;
		clock_init(hz[i], 0);
		for (nsec_t t = 0; t < 1000 * 86400 * NSEC_PER_SEC; t = t * 5 + 3) {
			nsec_t back = clock_from_counter(clock_to_counter(t));

			assert_true(back >= t); /* a timer set by it never fires early, and hardly late */
			assert_true(back - t <= 2 + 2 * NSEC_PER_SEC / (nsec_t)hz[i]);
		}
	}
}

static void wall_clock_steps(void **state)
{
	nsec_t mono;
	struct vdso_data *d = clock_vdso_data();

	(void)state;
	clock_init(1000000000, 1700000000 * NSEC_PER_SEC);
	host_counter += 5000000000;
	mono = clock_mono();
	assert_int_equal(clock_real(), 1700000005 * NSEC_PER_SEC);
	clock_was_set = stepped;
	clock_set_real(100 * NSEC_PER_SEC);
	assert_int_equal(steps, 1);
	assert_int_equal(clock_real(), 100 * NSEC_PER_SEC);
	assert_int_equal(clock_mono(), mono);
	clock_set_tai_offset(37);
	assert_int_equal(clock_tai() - clock_real(), 37 * NSEC_PER_SEC);
	assert_int_equal(d->seq % 2, 0);
	assert_int_equal(clock_vdso_data_paddr() % PAGE_SIZE, 0);
}

/* [089]: a frozen "now" made every timeout endless. Time must pass between two readings. */
static void time_passes(void **state)
{
	nsec_t a, b, c;

	(void)state;
	host_counter_step = 1000;
	a = clock_mono();
	b = clock_mono();
	c = clock_coarse();
	assert_true(b > a);
	assert_true(clock_mono() - c < 4 * NSEC_PER_MSEC + 4000);
	clock_delay(50000);
	assert_true(clock_mono() - b >= 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversion), cmocka_unit_test(there_and_back), cmocka_unit_test(wall_clock_steps),
		cmocka_unit_test(time_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
