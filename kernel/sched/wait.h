#pragma once

/*
 * Wait queues. The order that cannot lose a wake-up (pitfall 7): the sleeper is queued and marked,
 * then the condition is checked, then it sleeps.
 *
 * 	struct waiter w;
 *
 * 	waiter_init(&w);
 * 	for (;;) {
 * 		wait_prepare(&q, &w, THREAD_SLEEP_INTR);
 * 		if (condition)
 * 			break;
 * 		if ((err = wait_sleep(deadline)))
 * 			break;
 * 	}
 * 	wait_finish(&q, &w);
 *
 * Where a mutex guards the condition, wait_unlocked() is shorter. A waiter with a callback (poll,
 * epoll) is called by the waker under the queue's lock instead of being woken.
 */

#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/types.h"
#include "sched/thread.h"

struct mutex;

struct waitq {
	struct spinlock lock; /* WAITQ */
	struct list waiters;
};

struct waiter {
	struct list node; /* in the queue */
	struct thread *thread;
	/* called by wakers, interrupts off; returns true when it consumed an exclusive wake-up.
	 * NULL: wakes `thread` */
	bool (*wake)(struct waiter *w, uint32_t events);
	bool exclusive; /* at most one of these is woken per wake-up */
};

#define WAITQ(name)                                        \
	{                                                  \
		SPINLOCK(WAITQ), LIST_INIT((name).waiters) \
	}

void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w);

void wait_prepare(struct waitq *q, struct waiter *w, enum thread_state state);

/*
 * Sleeps until woken, `deadline` (CLOCK_MONOTONIC; NSEC_MAX: never) or, by the state, a signal.
 *   returns  0 woken (check the condition again); -ETIMEDOUT; -ERESTARTSYS a signal is pending
 */
MUST_CHECK int wait_sleep(nsec_t deadline);
void wait_finish(struct waitq *q, struct waiter *w);

/*
 * Sleeps on q with m released meanwhile: the condition that m guards is checked by the caller, in a
 * loop, before.
 *   returns  as wait_sleep(); m is held again in every case
 */
MUST_CHECK int wait_unlocked(struct waitq *q, struct mutex *m, enum thread_state state,
			     nsec_t deadline);

/* Wakes all, or all non-exclusive waiters and one exclusive. `events` (EPOLL* bits) goes to
 * callbacks; 0 means "look yourself". Any context below RUNQ. */
void waitq_wake_all(struct waitq *q, uint32_t events);
void waitq_wake_one(struct waitq *q, uint32_t events);

/* True without the lock when nobody waits: fences, so that a waker may skip the wake-up. */
bool waitq_is_empty(struct waitq *q);

/* Adds and removes callback waiters (poll, epoll). */
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waitq *q, struct waiter *w);

/* Plain sleeping. As wait_sleep() without a queue. */
MUST_CHECK int thread_sleep_until(nsec_t deadline, enum thread_state state);

/* Wakes a thread whose state is one of `states` (bit per enum thread_state). True: it was
 * asleep. */
bool thread_wake(struct thread *t, unsigned states);
#define WAKE_NORMAL (BIT(THREAD_SLEEP) | BIT(THREAD_SLEEP_INTR) | BIT(THREAD_SLEEP_KILL))
