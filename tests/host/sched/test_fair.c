// sources: kernel/sched/fair.c kernel/lib/rbtree.c
/* The fair class as a simulation of one CPU: shares follow weights, nobody starves, sleepers run soon and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sched/fair.h"

enum { N = 40 };
#define TICK (1 * NSEC_PER_MSEC)

static struct sched_entity se[N];
static nsec_t ran[N], waited[N], worst_wait[N];

static void make(struct fair_queue *q, unsigned i, int nice)
{
	memset(&se[i], 0, sizeof(se[i]));
	se[i].weight = fair_weight(nice);
	se[i].nice = (int8_t)nice;
	ran[i] = waited[i] = worst_wait[i] = 0;
	fair_enqueue(q, &se[i], FAIR_NEW, 0);
}

/* The eligible entity with the earliest deadline, the slow way, for comparison. */
static struct sched_entity *model_pick(struct fair_queue *q, unsigned n)
{
	struct sched_entity *best = NULL;
	__int128 sum = 0, weight = 0;

	for (unsigned i = 0; i < n; i++)
		if (se[i].queued || q->curr == &se[i]) {
			sum += (__int128)(int64_t)(se[i].vruntime - q->base) * se[i].weight;
			weight += se[i].weight;
		}
	for (unsigned i = 0; i < n; i++)
		if ((se[i].queued || q->curr == &se[i]) &&
		    (__int128)(int64_t)(se[i].vruntime - q->base) * weight <= sum &&
		    (!best || (int64_t)(se[i].vdeadline - best->vdeadline) < 0))
			best = &se[i];
	return best;
}

static void account(unsigned n, struct sched_entity *curr, nsec_t ns)
{
	for (unsigned i = 0; i < n; i++) {
		if (&se[i] == curr) {
			ran[i] += ns;
			waited[i] = 0;
		} else if (se[i].queued) {
			waited[i] += ns;
			if (waited[i] > worst_wait[i])
				worst_wait[i] = waited[i];
		}
	}
}

/* n hogs for `total` ns, decisions at ticks as the kernel makes them. */
static void simulate(struct fair_queue *q, unsigned n, nsec_t total)
{
	bool switch_now = true;

	for (nsec_t t = 0; t < total; t += TICK) {
		if (switch_now) {
			struct sched_entity *want = model_pick(q, n), *got = fair_pick(q, false);

			assert_ptr_not_equal(got, NULL);
			assert_int_equal((int64_t)(got->vdeadline - want->vdeadline), 0);
		}
		account(n, q->curr, TICK);
		switch_now = fair_charge(q, TICK);
	}
}

static void test_equal_shares(void **state)
{
	struct fair_queue q;

	(void)state;
	fair_init(&q);
	for (unsigned i = 0; i < 10; i++)
		make(&q, i, 0);
	simulate(&q, 10, 10 * NSEC_PER_SEC);
	for (unsigned i = 0; i < 10; i++) {
		assert_in_range(ran[i], 990 * NSEC_PER_MSEC, 1010 * NSEC_PER_MSEC);
		assert_true(worst_wait[i] <= 9 * (FAIR_SLICE + TICK) + FAIR_SLICE);
	}
}

static void test_weights(void **state)
{
	static const int nices[] = { -20, -10, -5, 0, 0, 5, 10, 19 };
	struct fair_queue q;
	uint64_t weight = 0;
	nsec_t total = 200 * NSEC_PER_SEC;

	(void)state;
	fair_init(&q);
	for (unsigned i = 0; i < ARRAY_SIZE(nices); i++) {
		make(&q, i, nices[i]);
		weight += se[i].weight;
	}
	simulate(&q, ARRAY_SIZE(nices), total);
	for (unsigned i = 0; i < ARRAY_SIZE(nices); i++) {
		double want = (double)total * se[i].weight / (double)weight;

		/* A request of slack: nice 19 gets its share in whole requests. */
		assert_true((double)ran[i] > want * 0.95 - 2.0 * FAIR_SLICE);
		assert_true((double)ran[i] < want * 1.05 + 2.0 * FAIR_SLICE);
		assert_true(ran[i] > 0);
	}
}

static void test_one_nice_step_is_a_tenth(void **state)
{
	(void)state;
	for (int n = -20; n < 19; n++) {
		double r = (double)fair_weight(n) / fair_weight(n + 1);

		assert_true(r > 1.15 && r < 1.35);
	}
	assert_int_equal(fair_weight(0), FAIR_WEIGHT_0);
}

static void test_sleeper_is_soon_served_and_gains_no_more_than_its_share(void **state)
{
	struct fair_queue q;
	nsec_t sleep_left = 0, burst = 0, worst = 0, wait = 0;

	(void)state;
	fair_init(&q);
	for (unsigned i = 0; i < 4; i++)
		make(&q, i, 0);
	assert_ptr_not_equal(fair_pick(&q, false), NULL);
	/* 3 hogs; entity 0 sleeps 50 ms, wants 1 ms. */
	for (nsec_t t = 0; t < 20 * NSEC_PER_SEC; t += TICK) {
		bool again;

		account(4, q.curr, TICK);
		if (se[0].queued)
			wait += TICK;
		again = fair_charge(&q, TICK);
		if (q.curr == &se[0]) {
			burst -= TICK;
			if (burst <= 0) {
				fair_dequeue(&q, &se[0]);
				sleep_left = 50 * NSEC_PER_MSEC;
				again = true;
			}
		} else if (!se[0].queued && (sleep_left -= TICK) <= 0) {
			fair_enqueue(&q, &se[0], FAIR_WAKE, 50 * NSEC_PER_MSEC);
			burst = TICK;
			wait = 0;
			again |= fair_should_preempt(&q, &se[0]);
		}
		if (again || !q.curr)
			assert_ptr_not_equal(fair_pick(&q, false), NULL);
		if (q.curr == &se[0] && wait > worst)
			worst = wait;
	}
	assert_true(worst <= 2 * FAIR_SLICE);
	assert_true(ran[0] >= 300 * TICK);
	for (unsigned i = 1; i < 4; i++)
		assert_true(ran[i] > 6 * NSEC_PER_SEC);
}

static void test_long_sleep_saves_up_nothing(void **state)
{
	struct fair_queue q;

	(void)state;
	fair_init(&q);
	make(&q, 0, 0);
	make(&q, 1, 0);
	simulate(&q, 2, NSEC_PER_SEC);
	fair_dequeue(&q, &se[1]);
	if (!q.curr)
		fair_pick(&q, false);
	simulate(&q, 1, 100 * NSEC_PER_SEC);
	fair_enqueue(&q, &se[1], FAIR_WAKE, 100 * NSEC_PER_SEC);
	ran[0] = ran[1] = 0;
	simulate(&q, 2, NSEC_PER_SEC);
	assert_in_range(ran[1], NSEC_PER_SEC / 2 - 10 * NSEC_PER_MSEC,
			NSEC_PER_SEC / 2 + 10 * NSEC_PER_MSEC);
}

static void test_queue_hopping_gains_nothing(void **state)
{
	struct fair_queue a, b;

	(void)state;
	fair_init(&a);
	fair_init(&b);
	make(&a, 0, 0);
	make(&a, 1, 0);
	make(&b, 2, 0);
	/* b is far ahead in virtual time. */
	fair_pick(&b, false);
	fair_charge(&b, 1000 * NSEC_PER_SEC);
	simulate(&a, 2, NSEC_PER_SEC);
	if (a.curr == &se[1])
		fair_put_back(&a), fair_pick(&a, true);
	if (se[1].queued) {
		fair_dequeue(&a, &se[1]);
		fair_enqueue(&b, &se[1], FAIR_MOVE, 0);
	}
	assert_int_equal(b.nr, 1);
	assert_true((int64_t)(se[1].vruntime - se[2].vruntime) < FAIR_SLICE + TICK);
	assert_true((int64_t)(se[2].vruntime - se[1].vruntime) <= FAIR_CREDIT);
}

static void test_yield_takes_turns(void **state)
{
	struct fair_queue q;
	struct sched_entity *last;

	(void)state;
	fair_init(&q);
	make(&q, 0, 0);
	make(&q, 1, 0);
	last = fair_pick(&q, false);
	for (unsigned i = 0; i < 1000; i++) {
		fair_charge(&q, 100);
		assert_ptr_not_equal(fair_pick(&q, true), last);
		last = q.curr;
	}
}

/* Random arrivals, departures, weight changes: the pick is always the model's, and the sums stay right. */
static void test_random_against_model(void **state)
{
	struct fair_queue q;

	(void)state;
	srand(7);
	fair_init(&q);
	memset(se, 0, sizeof(se));
	for (unsigned i = 0; i < N; i++)
		se[i].weight = fair_weight(rand() % 40 - 20);
	for (unsigned step = 0; step < 50000; step++) {
		struct sched_entity *x = &se[rand() % N], *want;
		int64_t sum = 0;
		uint64_t weight = 0;

		if (x->queued || q.curr == x) {
			if (rand() % 3 == 0)
				fair_dequeue(&q, x);
		} else {
			if (rand() % 10 == 0)
				x->weight = fair_weight(rand() % 40 - 20);
			fair_enqueue(&q, x, rand() % 2 ? FAIR_WAKE : FAIR_MOVE, rand() % 10000000);
		}
		if (q.curr)
			fair_charge(&q, rand() % (5 * NSEC_PER_MSEC));
		want = model_pick(&q, N);
		if (want) {
			struct sched_entity *got = fair_pick(&q, false);

			assert_int_equal((int64_t)(got->vdeadline - want->vdeadline), 0);
		} else {
			assert_ptr_equal(fair_pick(&q, false), NULL);
		}
		for (unsigned i = 0; i < N; i++)
			if (se[i].queued) {
				sum += (int64_t)(se[i].vruntime - q.base) * se[i].weight;
				weight += se[i].weight;
			}
		assert_int_equal(sum, q.sum);
		assert_int_equal(weight, q.weight);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_shares),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_one_nice_step_is_a_tenth),
		cmocka_unit_test(test_sleeper_is_soon_served_and_gains_no_more_than_its_share),
		cmocka_unit_test(test_long_sleep_saves_up_nothing),
		cmocka_unit_test(test_queue_hopping_gains_nothing),
		cmocka_unit_test(test_yield_takes_turns),
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
