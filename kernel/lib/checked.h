#pragma once

/* Arithmetic that says when it overflowed: true means overflow, and *out is then unusable. */

#include "lib/types.h"

#define add_overflows(a, b, out) __builtin_add_overflow(a, b, out)
#define sub_overflows(a, b, out) __builtin_sub_overflow(a, b, out)
#define mul_overflows(a, b, out) __builtin_mul_overflow(a, b, out)

/* True when [start, start+len) does not fit below `limit` (also when start + len wraps). */
static inline bool range_exceeds(uint64_t start, uint64_t len, uint64_t limit)
{
	return start > limit || len > limit - start;
}

/* a + b, not negative; "never" when it overflows. */
static inline nsec_t nsec_add(nsec_t a, nsec_t b)
{
	nsec_t t;

	return add_overflows(a, b, &t) ? NSEC_MAX : t;
}

/* n periods after `from`, in the same way. */
static inline nsec_t nsec_add_periods(nsec_t from, nsec_t n, nsec_t period)
{
	nsec_t t;

	return mul_overflows(n, period, &t) ? NSEC_MAX : nsec_add(from, t);
}
