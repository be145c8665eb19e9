#pragma once

/* Between futex.c, futex_pi.c and robust.c. */

#include "proc/futex.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

struct task;

/* A key with the reference that keeps its object, and so its meaning. */
struct futex_ref {
	struct vm_futex_key key;
	struct vmobject *counted; /* NULL: private memory */
};

MUST_CHECK int futex_ref_get(uaddr_t uaddr, bool private_hint,
			     struct futex_ref *out); /* -EFAULT, -EINVAL */
void futex_ref_put(struct futex_ref *r);

static inline bool futex_key_equal(const struct vm_futex_key *a, const struct vm_futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}
uint64_t futex_key_hash(const struct vm_futex_key *k);

/* The word under a spinlock: -EFAULT when it is not there just now; futex_fault_in() without locks,
 * then again. */
MUST_CHECK int futex_load_nofault(uaddr_t uaddr, uint32_t *out);
MUST_CHECK int futex_cmpxchg_nofault(uaddr_t uaddr, uint32_t *expected, uint32_t desired,
				     bool *swapped);
MUST_CHECK int futex_fault_in(uaddr_t uaddr);

/* Sleeps until *flag or the deadline; the caller has queued itself. 0, -ETIMEDOUT, -ERESTARTSYS. */
MUST_CHECK int futex_sleep(_Atomic uint32_t *flag, nsec_t deadline);

/* futex_pi.c */
MUST_CHECK int64_t futex_lock_pi(uaddr_t uaddr, bool private_hint, bool try_only, nsec_t deadline);
MUST_CHECK int64_t futex_unlock_pi(uaddr_t uaddr, bool private_hint);
/* Locks with waiters that t, exiting, owns go to their first waiters, as FUTEX_OWNER_DIED. */
void futex_pi_exit(struct task *t);

/* robust.c */
void futex_robust_exit(struct task *t);
