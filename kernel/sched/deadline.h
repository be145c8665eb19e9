#pragma once

/*
 * SCHED_DEADLINE's arithmetic: a constant bandwidth server for each thread, and its place among
 * others by the earliest deadline. Pure, as sched/fair.h.
 *   source       sched(7); Abeni and Buttazzo, Integrating Multimedia Applications in Hard
 *                Real-Time Systems (CBS)
 */

#include "sched/entity.h"

enum { DEADLINE_BW_SHIFT = 20 };  /* bandwidths are parts of 1 << this of one CPU */
#define DEADLINE_RUNTIME_MIN 1024 /* ns */

/* runtime / period, as a bandwidth. */
uint64_t deadline_bandwidth(uint64_t runtime, uint64_t period);

/* A new server: all of its runtime until `now` and the relative deadline. */
void deadline_start(struct sched_deadline *d, nsec_t now);

/*
 * The thread has woken at `now`. What is left of its runtime is good as long as it is no more than
 * its share of the time until the deadline; otherwise a new period begins, but not before the
 * present one is over.
 *   returns  false: it has nothing left for now, and is to wait (deadline_replenish)
 */
MUST_CHECK bool deadline_wake(struct sched_deadline *d, nsec_t now);

/* It has used up its runtime: gives it that of the next period, and returns when that begins (now,
 * or in the past: at once). */
nsec_t deadline_replenish(struct sched_deadline *d, nsec_t now);
