#pragma once

/*
 * Spinlocks: one word, taken by exchange and released by a store. They are not fair: under a
 * hypervisor the CPU whose turn it is may not be running, and every other one would wait for it
 * (docs/decisions/0005). Critical sections are short, so nobody starves.
 *
 * The kernel is not preempted (docs/decisions/0002): a thread that holds a spinlock keeps its CPU,
 * and only interrupt handlers run in between. A lock of kind I (core/lockrank.h) is taken with
 * spin_lock_irq(), which disables interrupts on this CPU; kind S with spin_lock(), interrupts on.
 * Debug builds keep the ranks held by each CPU (core/lockdep.c) and panic on an inversion.
 */

#include <arch/cpu.h>

#include "core/lockrank.h"
#include "lib/types.h"

struct CAPABILITY("spinlock") spinlock {
	_Atomic uint16_t locked;
	uint16_t rank; /* enum lock_rank; immutable */
};

#define SPINLOCK(R)              \
	{                        \
		.rank = RANK_##R \
	}

static inline void spin_init(struct spinlock *l, enum lock_rank rank)
{
	atomic_init(&l->locked, 0);
	l->rank = (uint16_t)rank;
}

/*
 * Checks and notes, before waiting for the lock; and forgets. Mutexes and rwlocks call them too
 * (core/lockdep.h).
 */
#ifdef KEVLAR_DEBUG
void lockdep_acquire(const void *lock, unsigned rank, bool same_rank_ok);
void lockdep_release(const void *lock);
#else
static inline void lockdep_acquire(const void *lock, unsigned rank, bool same_rank_ok)
{
	(void)lock, (void)rank, (void)same_rank_ok;
}
static inline void lockdep_release(const void *lock)
{
	(void)lock;
}
#endif

/* Spins until the lock is taken; reads between tries, so that the cache line stays shared. */
void spin_take_contended(struct spinlock *l);

static inline void spin_take(struct spinlock *l)
{
	if (UNLIKELY(atomic_exchange_explicit(&l->locked, 1, memory_order_acquire)))
		spin_take_contended(l);
}

/*
 * Takes l; spins with interrupts as they are. For locks of kind S, or with interrupts already off.
 */
static inline void spin_lock(struct spinlock *l) ACQUIRES(l) NO_TSA
{
	lockdep_acquire(l, l->rank, false);
	spin_take(l);
}

static inline void spin_unlock(struct spinlock *l) RELEASES(l) NO_TSA
{
	lockdep_release(l);
	atomic_store_explicit(&l->locked, 0, memory_order_release);
}

/* Second lock of the same rank; the caller keeps the tie-break that the rank table states. */
void spin_lock_nested(struct spinlock *l) ACQUIRES(l);

/* Takes l if it is free. Returns true when taken. */
MUST_CHECK bool spin_trylock(struct spinlock *l) TRY_ACQUIRES(true, l);

/* Disables interrupts and takes l; returns the previous state for spin_unlock_irq(). */
MUST_CHECK static inline irqstate_t spin_lock_irq(struct spinlock *l) ACQUIRES(l) NO_TSA
{
	irqstate_t s = arch_irq_save();

	spin_lock(l);
	return s;
}

static inline void spin_unlock_irq(struct spinlock *l, irqstate_t s) RELEASES(l) NO_TSA
{
	spin_unlock(l);
	arch_irq_restore(s);
}

bool spin_is_locked(const struct spinlock *l);
