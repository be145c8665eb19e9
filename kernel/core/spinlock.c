/* The parts of spinlocks that are not inlined. */
#include "core/spinlock.h"

#include "core/lockdep.h"

static void take_ticket(struct spinlock *l)
{
	uint16_t ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);

	while (atomic_load_explicit(&l->owner, memory_order_acquire) != ticket)
		arch_pause();
}

void spin_lock_nested(struct spinlock *l) NO_TSA
{
	lockdep_acquire(l, l->rank, true);
	take_ticket(l);
}

/*
 * The lock is free when no ticket is out; taking it is handing out one, provided that nobody else
 * did meanwhile.
 */
bool spin_trylock(struct spinlock *l) NO_TSA
{
	uint16_t owner = atomic_load_explicit(&l->owner, memory_order_acquire);
	uint16_t next = owner;

	if (!atomic_compare_exchange_strong_explicit(&l->next, &next, (uint16_t)(owner + 1),
						     memory_order_acquire, memory_order_relaxed))
		return false;
	lockdep_acquire_try(l, l->rank);
	return true;
}

bool spin_is_locked(const struct spinlock *l)
{
	uint16_t next = atomic_load_explicit((_Atomic uint16_t *)&l->next, memory_order_relaxed);

	return next != atomic_load_explicit((_Atomic uint16_t *)&l->owner, memory_order_relaxed);
}
