/* The parts of spinlocks that are not inlined. */
#include "core/spinlock.h"

#include "core/lockdep.h"

void spin_take_contended(struct spinlock *l)
{
	do {
		while (spin_is_locked(l))
			arch_pause();
	} while (atomic_exchange_explicit(&l->locked, 1, memory_order_acquire));
}

void spin_lock_nested(struct spinlock *l) NO_TSA
{
	lockdep_acquire(l, l->rank, true);
	spin_take(l);
}

bool spin_trylock(struct spinlock *l) NO_TSA
{
	if (spin_is_locked(l) || atomic_exchange_explicit(&l->locked, 1, memory_order_acquire))
		return false;
	lockdep_acquire_try(l, l->rank);
	return true;
}

bool spin_is_locked(const struct spinlock *l)
{
	return atomic_load_explicit((_Atomic uint16_t *)&l->locked, memory_order_relaxed);
}
