// sources: kernel/sched/deadline.c kernel/sched/rt.c kernel/lib/rbtree.c
/* SCHED_DEADLINE's bandwidth server, and the order by deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sched/deadline.h"
#include "sched/rt.h"

static struct sched_deadline server(uint64_t runtime, uint64_t deadline, uint64_t period)
{
	struct sched_deadline d = { .runtime = runtime, .deadline = deadline, .period = period };

	deadline_start(&d, 1000000);
	return d;
}

static void test_replenish(void **state)
{
	struct sched_deadline d = server(20000, 100000, 200000);

	(void)state;
	assert_int_equal(d.until, 1100000);
	d.left = -5000;
	assert_int_equal(deadline_replenish(&d, 1030000), 1200000);
	assert_int_equal(d.left, 15000); /* what it had too much is taken off */
	assert_int_equal(d.until, 1300000);
	d.left = -45000; /* by more than two periods' worth */
	assert_int_equal(deadline_replenish(&d, 1290000), 1800000);
	assert_int_equal(d.left, 15000);
	d.left = 0; /* long ago */
	assert_int_equal(deadline_replenish(&d, 9000000), 9000000);
	assert_int_equal(d.left, 20000);
	assert_int_equal(d.until, 9100000);
}

static void test_wake(void **state)
{
	struct sched_deadline d = server(20480, 102400, 102400);

	(void)state;
	d.left = 10240;
	/* Half of it left with more than half of the time to go: goes on. */
	assert_true(deadline_wake(&d, 1000000 + 40960));
	assert_int_equal(d.left, 10240);
	assert_int_equal(d.until, 1102400);
	/* With less than half, it would have more than its share: a new deadline. */
	assert_true(deadline_wake(&d, 1000000 + 61440));
	assert_int_equal(d.left, 20480);
	assert_int_equal(d.until, 1000000 + 61440 + 102400);
	/* Nothing left: that does not change by sleeping, but by the next period. */
	d.left = -1;
	assert_false(deadline_wake(&d, d.until - 1));
	assert_true(deadline_wake(&d, d.until));
	assert_int_equal(d.left, 20480);
}

static void test_constrained(void **state)
{
	struct sched_deadline d = server(20480, 51200, 102400);

	(void)state;
	/* Behind its deadline, but before the end of the period. */
	assert_false(deadline_wake(&d, 1000000 + 60000));
	assert_int_equal(deadline_replenish(&d, 1000000 + 60000), 1000000 + 102400);
	assert_int_equal(d.left, 20480);
	assert_true(deadline_wake(&d, 1000000 + 2 * 102400));
}

static void test_order(void **state)
{
	struct sched_entity fifo = { .class = SCHED_CLASS_RT, .rt_prio = 99 };
	struct sched_entity se[5];
	static const nsec_t until[5] = { 500, 100, 300, 100, 200 };
	static const unsigned order[5] = { 1, 3, 4, 2, 0 };
	struct rt_queue q;

	(void)state;
	rt_init(&q);
	assert_int_equal(rt_top_urgency(&q), 0);
	rt_enqueue(&q, &fifo, false);
	assert_int_equal(rt_top_urgency(&q), 99);
	for (unsigned i = 0; i < 5; i++) {
		se[i] = (struct sched_entity){ .class = SCHED_CLASS_RT, .rt_prio = RT_DEADLINE,
					       .dl.until = until[i] };
		rt_enqueue(&q, &se[i], false);
	}
	for (unsigned i = 0; i < 5; i++) {
		assert_ptr_equal(rt_first(&q), &se[order[i]]);
		assert_true(rt_top_urgency(&q) == rt_urgency(&se[order[i]]));
		assert_true(rt_urgency(&se[order[i]]) > rt_urgency(&fifo));
		rt_dequeue(&q, &se[order[i]]);
	}
	assert_ptr_equal(rt_first(&q), &fifo);
	assert_int_equal(rt_top_urgency(&q), 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replenish), cmocka_unit_test(test_wake),
		cmocka_unit_test(test_constrained), cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
