// sources: kernel/sched/timerq.c kernel/lib/rbtree.c
/* Timers in order, against sorting; equal times fire in the order of their arming. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sched/timerq.h"

enum { N = 500 };

static struct timer timers[N];
static bool queued[N];
static unsigned armed_at[N];

static int model_first(void)
{
	int best = -1;

	for (int i = 0; i < N; i++)
		if (queued[i] &&
		    (best < 0 || timers[i].expires < timers[best].expires ||
		     (timers[i].expires == timers[best].expires && armed_at[i] < armed_at[best])))
			best = i;
	return best;
}

static void test_random(void **state)
{
	struct timerq q;

	(void)state;
	srand(3);
	timerq_init(&q);
	memset(queued, 0, sizeof(queued));
	assert_null(timerq_first(&q));
	for (unsigned step = 0; step < 20000; step++) {
		int i = rand() % N, first;

		if (queued[i]) {
			timerq_remove(&q, &timers[i]);
			queued[i] = false;
		} else {
			timers[i].expires = rand() % 1000;
			armed_at[i] = step;
			queued[i] = true;
			bool earliest = timerq_insert(&q, &timers[i]);

			assert_int_equal(earliest, model_first() == i);
		}
		first = model_first();
		assert_ptr_equal(timerq_first(&q), first < 0 ? NULL : &timers[first]);
	}
}

static void test_fires_in_order(void **state)
{
	struct timerq q;
	nsec_t last = -1;
	unsigned n = 0;
	struct timer *t;

	(void)state;
	timerq_init(&q);
	for (unsigned i = 0; i < N; i++) {
		timers[i].expires = (nsec_t)(i * 7919u % 101u);
		timerq_insert(&q, &timers[i]);
	}
	while ((t = timerq_first(&q))) {
		assert_true(t->expires >= last);
		last = t->expires;
		timerq_remove(&q, t);
		n++;
	}
	assert_int_equal(n, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_fires_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
