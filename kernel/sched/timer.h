#pragma once

/*
 * One-shot timers on CLOCK_MONOTONIC, nanoseconds, ordered per CPU in a tree; the earliest arms the
 * hardware. The callback runs in the timer interrupt: it wakes, notes, or re-arms. Periodic timers
 * re-arm themselves.
 */

#include "lib/rbtree.h"
#include "lib/types.h"

struct timer {
	struct rbnode node;
	nsec_t expires;              /* CLOCK_MONOTONIC */
	void (*fn)(struct timer *t); /* interrupts off */
	/* byte 0: 1 + CPU it is queued on; byte 1: 1 + CPU that runs fn; bit 31: lock */
	_Atomic uint32_t state;
};

void timer_init(struct timer *t, void (*fn)(struct timer *t));

/* Arms t on this CPU, or moves it. A time in the past fires at once (in the interrupt, not in the
 * call). Any context below TIMER; also inside t's own callback. NSEC_MAX: never. */
void timer_arm(struct timer *t, nsec_t expires);

/* Disarms. True: it had not fired. After it returns fn is neither running nor will run (it waits
 * for a callback running on another CPU, so it must not be called with a lock that fn takes). */
bool timer_cancel(struct timer *t);

/* As timer_cancel() without waiting: false may mean that fn is running now. */
bool timer_try_cancel(struct timer *t);
