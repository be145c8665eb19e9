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

/* --- futex.c: waiters in buckets --- */

struct bucket {
	struct spinlock lock; /* FUTEX; two by address */
	struct list waiters;  /* struct waiter_entry; real-time ones by priority, then the others */
} ALIGNED(64);

enum { FUTEX_QUEUED, FUTEX_WOKEN, FUTEX_REQUEUED_PI }; /* waiter_entry.woken */

struct waiter_entry {
	struct list node;
	struct futex_ref ref; /* owned; replaced by requeue under both locks */
	struct thread *thread;
	uint32_t bitset;
	_Atomic uint32_t woken;
	_Atomic(struct bucket *) bucket;
	struct pi_waiter *pi; /* FUTEX_WAIT_REQUEUE_PI: how it is to wait for the lock; NULL */
};

struct bucket *futex_bucket(const struct vm_futex_key *k);
/* w, but for its ref. */
static inline void futex_entry_init(struct waiter_entry *w, uint32_t bitset, struct pi_waiter *pi)
{
	w->thread = curthread();
	w->bitset = bitset;
	w->pi = pi;
	atomic_init(&w->woken, FUTEX_QUEUED);
}
/* Queues w when the word still has `val`. 0; -EAGAIN it has not; -EFAULT. */
MUST_CHECK int futex_enqueue_if(struct waiter_entry *w, uaddr_t uaddr, uint32_t val);
/* Takes w out unless somebody woke or requeued it. True: it was still queued. */
MUST_CHECK bool futex_unqueue(struct waiter_entry *w);
/* Locks k's bucket with the word at uaddr still `cmp`. 0; -EAGAIN; -EFAULT. */
MUST_CHECK int futex_lock_compare(struct bucket *b, uaddr_t uaddr, uint32_t cmp);

/* --- futex_multi.c --- */
MUST_CHECK int64_t futex_wait_requeue_pi(uaddr_t uaddr, bool private_hint, uint32_t val,
					 nsec_t deadline, uaddr_t uaddr2);
MUST_CHECK int64_t futex_cmp_requeue_pi(uaddr_t uaddr, bool private_hint, uint32_t nwake,
					uint32_t nmove, uaddr_t uaddr2, uint32_t cmp);

/* --- futex_pi.c --- */

/* What became of a waiter for a PI futex: pi_waiter.state. */
enum { PI_WAITS, PI_GRANTED, PI_TRY_AGAIN };

struct pi_waiter {
	struct list node;       /* in its bucket: by priority, then arrival; pi_lock */
	struct list owned_node; /* in owner->pi_owned; pi_lock */
	struct futex_ref ref;
	uaddr_t uaddr;       /* the waiter's own */
	struct task *task;   /* the waiter */
	struct task *owner;  /* counted; pi_lock */
	int prio;            /* real-time priority, inherited included, 0: none; pi_lock */
	uint32_t dead_owner; /* the owner that ended and left the word as it was; 0: none */
	_Atomic uint32_t state;
};

/* w for the running task; w->ref is got. -EFAULT, -EINVAL. */
MUST_CHECK int pi_waiter_init(struct pi_waiter *w, uaddr_t uaddr, bool private_hint);
/* Waits until w, which is queued or granted, has the lock. 0; -ETIMEDOUT; -ERESTARTSYS: it has not.
 */
MUST_CHECK int pi_wait(struct pi_waiter *w, nsec_t deadline);
/*
 * Gives the lock at uaddr (the caller's address of what w waits for) to w's task, or queues w for
 * it. returns      1: granted, wake it; 0: queued; -EFAULT fault the word in; -EAGAIN it changed;
 * -ESRCH no such owner; -EDEADLK
 */
MUST_CHECK int pi_requeue_locked(struct pi_waiter *w, uaddr_t uaddr);
void pi_lock_nested(void);
void pi_unlock(void);

MUST_CHECK int64_t futex_lock_pi(uaddr_t uaddr, bool private_hint, bool try_only, nsec_t deadline);
MUST_CHECK int64_t futex_unlock_pi(uaddr_t uaddr, bool private_hint);
/* Locks with waiters that t, exiting, owns go to their first waiters, as FUTEX_OWNER_DIED. */
void futex_pi_exit(struct task *t);

/* robust.c */
void futex_robust_exit(struct task *t);
