#pragma once

/*
 * Debug builds: checks of the lock ranks. Spinlocks held are kept per CPU (their holder cannot
 * move), sleeping locks in the thread that holds them, whose storage is got through a hook, because
 * threads are above this layer. Release builds: nothing is left of it.
 */

#include "core/lockrank.h"
#include "lib/types.h"

/* Ranks below this one are sleeping locks (kind M of the rank table). */
enum { LOCKDEP_FIRST_SPIN = RANK_KVA };

/*
 * Where the running thread keeps its sleeping locks: `max` entries in `lock` and `rank`, *n of them
 * in use.
 */
struct lockdep_held {
	uint32_t *n;
	const void **lock;
	uint16_t *rank;
	uint32_t max;
};

#ifdef KEVLAR_DEBUG

/*
 * Set by sched: fills *out for the running thread; false before there are threads. NULL: sleeping
 * locks unchecked.
 */
extern bool (*lockdep_thread_held)(struct lockdep_held *out);

/* As lockdep_acquire() for a lock got without waiting: any order is allowed. */
void lockdep_acquire_try(const void *lock, unsigned rank);

/*
 * The running thread is about to sleep: panics when this CPU holds a spinlock or is in an epoch
 * section.
 */
void lockdep_may_sleep(void);

/* True when the running thread (or, for a spinlock, this CPU) holds the lock. */
bool lockdep_holds(const void *lock, unsigned rank);

/*
 * Around every interrupt handler, called by the port with interrupts off. Until the first call the
 * checker does not know interrupts, and lets a lock taken with them off follow any lock that was
 * taken with them on.
 */
void lockdep_irq_enter(void);
void lockdep_irq_exit(void);

/* Names the spinlocks that a CPU holds in the log: for the report on one that is stuck. Racy. */
void lockdep_log_cpu(unsigned cpu);

/* For what only threads may do without a lock to show it: panics in an interrupt handler. */
void lockdep_not_in_irq(void);

#else

static inline void lockdep_acquire_try(const void *lock, unsigned rank)
{
	(void)lock, (void)rank;
}
static inline void lockdep_may_sleep(void)
{
}
static inline void lockdep_irq_enter(void)
{
}
static inline void lockdep_irq_exit(void)
{
}
static inline void lockdep_not_in_irq(void)
{
}

#endif

const char *lockdep_rank_name(unsigned rank);
