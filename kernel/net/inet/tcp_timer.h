#pragma once

/* A timer whose function runs in a thread, under an epoch. */

#include "lib/list.h"
#include "sched/timer.h"

struct tcps_timer {
	struct timer timer;
	struct list due; /* due_lock */
	/* A deadline that moves later is found when the timer fires. */
	_Atomic nsec_t deadline, armed;
	void (*fire)(struct tcps_timer *t, nsec_t now);
};
void tcps_timer_init(struct tcps_timer *t, void (*fire)(struct tcps_timer *t, nsec_t now));
void tcps_timer_set(struct tcps_timer *t, nsec_t deadline); /* NSEC_MAX: never */
void tcps_timers_start(void);
void tcps_timer_cancel(struct tcps_timer *t); /* fire() may still run until an epoch has passed */
