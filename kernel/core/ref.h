#pragma once

/* Reference counts: saturate never, assert always. ref_tryget() is for lookups under an epoch. */

#include <arch/cpu.h>

#include "core/panic.h"
#include "lib/types.h"

struct ref {
	_Atomic uint32_t n;
};

enum { REF_MAX = 1u << 30 };

static inline void ref_init(struct ref *r)
{
	atomic_init(&r->n, 1);
}

static inline void ref_get(struct ref *r)
{
	uint32_t old = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);

	KASSERT(old > 0 && old < REF_MAX);
}

/* Takes a reference unless the count has already reached zero. */
MUST_CHECK static inline bool ref_tryget(struct ref *r)
{
	uint32_t n = atomic_load_explicit(&r->n, memory_order_relaxed);

	while (n != 0)
		if (atomic_compare_exchange_weak_explicit(&r->n, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

/* Drops a reference. True: it was the last, and the caller frees. */
MUST_CHECK static inline bool ref_put(struct ref *r)
{
	enum count_drop d = arch_count_drop(&r->n);

	KASSERT(d != COUNT_WRONG);
	return d == COUNT_LAST;
}

static inline uint32_t ref_count(const struct ref *r)
{
	return atomic_load_explicit(&r->n, memory_order_relaxed);
}
