// sources: kernel/sched/rt.c kernel/lib/rbtree.c
/* Real-time queues: strict priority, first in first out inside one, the preempted go to the head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sched/rt.h"

static void test_order(void **state)
{
	static const uint8_t prio[] = { 1, 99, 50, 50, 64, 63, 1 };
	static const unsigned order[] = { 1, 4, 5, 2, 3, 0, 6 };
	struct sched_entity se[ARRAY_SIZE(prio)];
	struct rt_queue q;

	(void)state;
	rt_init(&q);
	assert_int_equal(rt_top_prio(&q), 0);
	assert_null(rt_first(&q));
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++) {
		list_init(&se[i].rt_node);
		se[i].rt_prio = prio[i];
		rt_enqueue(&q, &se[i], false);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++) {
		assert_ptr_equal(rt_first(&q), &se[order[i]]);
		assert_int_equal(rt_top_prio(&q), prio[order[i]]);
		rt_dequeue(&q, &se[order[i]]);
		assert_false(se[order[i]].queued);
	}
	assert_int_equal(q.nr, 0);
	assert_int_equal(q.bitmap[0] | q.bitmap[1], 0);
}

static void test_preempted_stays_first(void **state)
{
	struct sched_entity a = { .rt_prio = 10 }, b = { .rt_prio = 10 };
	struct rt_queue q;

	(void)state;
	list_init(&a.rt_node);
	list_init(&b.rt_node);
	rt_init(&q);
	rt_enqueue(&q, &b, false);
	rt_enqueue(&q, &a, true);
	assert_ptr_equal(rt_first(&q), &a);
	rt_dequeue(&q, &a);
	rt_enqueue(&q, &a, false);
	assert_ptr_equal(rt_first(&q), &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_preempted_stays_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
