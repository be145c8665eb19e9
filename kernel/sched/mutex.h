#pragma once

/* Sleeping locks. Both have ranks; an uncontended operation is one compare-and-exchange. */

#include "core/lockrank.h"
#include "lib/types.h"
#include "sched/wait.h"

struct CAPABILITY("mutex") mutex {
	_Atomic uintptr_t owner; /* struct thread *; bit 0: somebody waits */
	struct waitq waiters;
	uint32_t rank; /* immutable */
};

#define MUTEX(name, R)                                             \
	{                                                          \
		.waiters = WAITQ((name).waiters), .rank = RANK_##R \
	}

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m) ACQUIRES(m);
void mutex_lock_nested(struct mutex *m) ACQUIRES(m); /* same rank, with the table's tie-break */
MUST_CHECK int mutex_lock_intr(struct mutex *m);     /* 0, or -ERESTARTSYS without the lock */
MUST_CHECK bool mutex_trylock(struct mutex *m) TRY_ACQUIRES(true, m);
void mutex_unlock(struct mutex *m) RELEASES(m);
bool mutex_is_mine(const struct mutex *m);

/* Readers share, a waiting writer goes before new readers. */
struct CAPABILITY("rwlock") rwlock {
	/* bit 63: writer; bit 62: writer waits; bit 61: readers wait; low: readers */
	_Atomic uint64_t state;
	struct waitq readers, writers;
	uint32_t rank;
};

void rwlock_init(struct rwlock *l, enum lock_rank rank);
void read_lock(struct rwlock *l) ACQUIRES_SHARED(l);
MUST_CHECK bool read_trylock(struct rwlock *l) TSA(try_acquire_shared_capability(true, l));
void read_unlock(struct rwlock *l) RELEASES_SHARED(l);
void write_lock(struct rwlock *l) ACQUIRES(l);
void write_lock_nested(struct rwlock *l) ACQUIRES(l); /* same rank, with the table's tie-break */
MUST_CHECK int write_lock_killable(struct rwlock *l); /* 0, or -EINTR without the lock */
void write_unlock(struct rwlock *l) RELEASES(l);
void write_downgrade(struct rwlock *l) NO_TSA; /* writer becomes reader */
