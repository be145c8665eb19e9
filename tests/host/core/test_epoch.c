// sources: kernel/lib/strutil.c
/* Grace periods on three CPUs played by one thread: nothing is freed early, nothing is kept for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KEVLAR_DEBUG
#include "core/epoch.c"
#include "host_cpu.h"

enum { CPUS = 3, AREA = 1 << 16 };

static nsec_t now;
static char *areas[CPUS];
nsec_t clock_mono(void)
{
	return now;
}

/* The variables of CPU 1 and 2 lie in areas that are as far apart as a linker would put them. */
static int setup(void **state)
{
	(void)state;
	for (unsigned cpu = 1; cpu < CPUS; cpu++) {
		uintptr_t lowest = (uintptr_t)&epoch_seen;

		areas[cpu] = calloc(2, AREA);
		lowest = MIN(lowest, (uintptr_t)&epoch_stack);
		lowest = MIN(lowest, (uintptr_t)&epoch_pushes);
		lowest = MIN(lowest, (uintptr_t)&epoch_depth);
		percpu_offset[cpu] = (uintptr_t)areas[cpu] - lowest;
	}
	ncpus = CPUS;
	atomic_store(&cpus_online, 7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		free(areas[cpu]);
	return 0;
}

struct object {
	struct epoch_head head;
	bool freed;
};

static void free_object(struct epoch_head *h)
{
	container_of(h, struct object, head)->freed = true;
}

static uint64_t kicked;
static unsigned asked;
static void kick_cpus_hook(uint64_t cpus)
{
	kicked |= cpus;
}
static void kick_hook(void)
{
	asked++;
}

static void quiescent_on(unsigned cpu)
{
	unsigned saved = host_cpu;

	host_cpu = cpu;
	epoch_quiescent();
	host_cpu = saved;
}

static void waits_for_every_cpu(void **state)
{
	struct object a = { .freed = false }, b = { .freed = false };

	(void)state;
	epoch_kick = kick_hook;
	epoch_kick_cpus = kick_cpus_hook;
	asked = 0;
	assert_false(epoch_is_pending());
	epoch_free(&a.head, free_object);
	epoch_free(&b.head, free_object);
	assert_true(epoch_is_pending());
	assert_int_equal(asked, 0);
	assert_int_equal(epoch_run(), POLL_DELAY);
	assert_false(epoch_is_pending());
	quiescent_on(1);
	assert_int_equal(epoch_run(), POLL_DELAY);
	assert_false(a.freed);
	assert_int_equal(kicked, 0);
	now += BEFORE_KICK;
	assert_int_equal(epoch_run(), POLL_DELAY);
	assert_int_equal(kicked, 1u << 2);
	quiescent_on(2);
	assert_int_equal(epoch_run(), NSEC_MAX);
	assert_true(a.freed);
	assert_true(b.freed);
}

/* What is freed while a period runs belongs to the next one, even if all CPUs were quiescent in between. */
static void late_free_waits_for_its_own_period(void **state)
{
	struct object a = { .freed = false }, b = { .freed = false };

	(void)state;
	epoch_free(&a.head, free_object);
	assert_int_equal(epoch_run(), POLL_DELAY);
	quiescent_on(1);
	quiescent_on(2);
	host_cpu = 2;
	epoch_free(&b.head, free_object);
	host_cpu = 0;
	assert_int_equal(epoch_run(), POLL_DELAY);
	assert_true(a.freed);
	assert_false(b.freed);
	quiescent_on(1);
	assert_int_equal(epoch_run(), POLL_DELAY);
	quiescent_on(2);
	assert_int_equal(epoch_run(), NSEC_MAX);
	assert_true(b.freed);
}

static void offline_cpus_do_not_count(void **state)
{
	struct object a = { .freed = false };

	(void)state;
	atomic_store(&cpus_online, 1);
	epoch_free(&a.head, free_object);
	assert_int_equal(epoch_run(), NSEC_MAX);
	assert_true(a.freed);
	epoch_wait();
	atomic_store(&cpus_online, 7);
}

static int sleeps;
static void sleep_hook(nsec_t ns)
{
	(void)ns;
	quiescent_on(1 + (unsigned)sleeps++ % 2);
}

static void wait(void **state)
{
	(void)state;
	epoch_sleep = sleep_hook;
	epoch_wait();
	assert_int_equal(sleeps, 2);
}

static void many_frees_ask_at_once(void **state)
{
	static struct object o[2 * MANY];

	(void)state;
	asked = 0;
	for (unsigned i = 0; i < 2 * MANY && !asked; i++)
		epoch_free(&o[i].head, free_object);
	assert_int_equal(asked, 1);
	epoch_run();
	quiescent_on(1);
	quiescent_on(2);
	assert_int_equal(epoch_run(), NSEC_MAX);
	assert_true(o[0].freed);
}

static void quiescent_in_a_section_is_a_bug(void **state)
{
	(void)state;
	epoch_enter();
	assert_true(epoch_in_section());
	expected_panic = "assertion";
	if (!setjmp(panic_jump)) {
		epoch_quiescent();
		fail();
	}
	expected_panic = NULL;
	epoch_exit();
	assert_false(epoch_in_section());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_every_cpu), cmocka_unit_test(late_free_waits_for_its_own_period),
		cmocka_unit_test(offline_cpus_do_not_count), cmocka_unit_test(wait),
		cmocka_unit_test(many_frees_ask_at_once), cmocka_unit_test(quiescent_in_a_section_is_a_bug),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
