#include "proc/futex_priv.h"

/*
 * Futex calls that have to do with more than one word: waiting on many (futex_waitv(2)), and
 * condition variables of PI mutexes, whose waiters go over from a plain word to a PI futex without
 * waking up (FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI).
 *
 * Such a waiter stands in a bucket with a struct pi_waiter at its side. Requeueing takes it out of
 * the bucket, under the bucket's lock, and in under pi_lock, which nests inside: it is always
 * either in the one or in the other, or granted.
 *
 * Source: futex(2), futex_waitv(2), "Requeue-PI" in the manual pages of pthread_cond_*.
 */

#include "abi/errno.h"
#include "abi/futex.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "vm/usercopy.h"

/* --- condition variables --- */

/* The wait is over with err, and the lock is not ours. */
static int64_t give_up(struct waiter_entry *w, struct pi_waiter *pw, int err)
{
	if (futex_unqueue(w))
		return err == -ERESTARTSYS ? -ERESTARTNOINTR : err;
	/* Moved meanwhile: it is the lock that we wait for, and a restart would find another value.
	 */
	err = pi_wait(pw, 0);
	return err == -ETIMEDOUT || err == -ERESTARTSYS ? -EWOULDBLOCK : err;
}

/* In the bucket or behind the lock; the sleeper need not know which, it is granted or gives up. */
static int64_t wait_for_grant(struct waiter_entry *w, struct pi_waiter *pw, nsec_t deadline)
{
	int err = futex_sleep(&pw->state, deadline);

	if (err == 0)
		return pi_wait(pw, deadline); /* granted, or the owner died: it goes on there */
	if (err == -ETIMEDOUT && !futex_unqueue(w))
		return pi_wait(pw, deadline); /* takes it from the lock's queue */
	return err == -ETIMEDOUT ? err : give_up(w, pw, err);
}

int64_t futex_wait_requeue_pi(uaddr_t uaddr, bool private_hint, uint32_t val, nsec_t deadline,
			      uaddr_t uaddr2)
{
	struct waiter_entry w;
	struct pi_waiter pw;
	int64_t ret;

	if (uaddr.a == uaddr2.a)
		return -EINVAL;
	futex_entry_init(&w, FUTEX_BITSET_MATCH_ANY, &pw);
	if ((ret = pi_waiter_init(&pw, uaddr2, private_hint)))
		return ret;
	if ((ret = futex_ref_get(uaddr, private_hint, &w.ref)) == 0) {
		ret = futex_key_equal(&w.ref.key, &pw.ref.key) ? -EINVAL
							       : futex_enqueue_if(&w, uaddr, val);
		if (ret == 0)
			ret = wait_for_grant(&w, &pw, deadline);
		futex_ref_put(&w.ref);
	}
	futex_ref_put(&pw.ref);
	return ret;
}

/* One waiter of k goes over. 1: it has the lock; 0: it waits for it; -errno: it stays. */
static int move_one(struct waiter_entry *w, const struct vm_futex_key *lock_key, uaddr_t uaddr2)
{
	struct pi_waiter *pw = w->pi;
	struct thread *th = w->thread;
	int err;

	if (pw == NULL || !futex_key_equal(&pw->ref.key, lock_key))
		return -EINVAL;
	err = pi_requeue_locked(pw, uaddr2);
	if (err < 0)
		return err;
	list_remove(&w->node);
	atomic_store_explicit(&w->woken, FUTEX_REQUEUED_PI, memory_order_release);
	if (err == 1) {
		atomic_store(&pw->state, PI_GRANTED); /* w and pw may be gone from here on */
		thread_wake(th, WAKE_NORMAL);
	}
	return err;
}

/* Under the bucket's lock and pi_lock. What stopped it, 0: nothing. */
static int move_many(struct bucket *b, const struct vm_futex_key *from,
		     const struct vm_futex_key *lock_key, uaddr_t uaddr2, uint64_t max,
		     uint64_t *done)
{
	struct waiter_entry *w, *next;
	int err;

	list_for_each_safe (w, next, &b->waiters, node) {
		if (*done >= max)
			break;
		if (!futex_key_equal(&w->ref.key, from))
			continue;
		if ((err = move_one(w, lock_key, uaddr2)) < 0)
			return err;
		(*done)++;
	}
	return 0;
}

static int64_t cmp_requeue(const struct futex_ref *r1, const struct futex_ref *r2, uaddr_t uaddr,
			   uaddr_t uaddr2, uint64_t max, uint32_t cmp) NO_TSA
{
	struct bucket *b = futex_bucket(&r1->key);
	uint64_t done = 0;
	int err;

	do {
		if ((err = futex_lock_compare(b, uaddr, cmp)))
			break;
		pi_lock_nested();
		err = move_many(b, &r1->key, &r2->key, uaddr2, max, &done);
		pi_unlock();
		spin_unlock(&b->lock);
		if (err == -EFAULT && (err = futex_fault_in(uaddr2)) == 0)
			err = -EAGAIN;
	} while (err == -EAGAIN);
	return err ? err : (int64_t)done;
}

int64_t futex_cmp_requeue_pi(uaddr_t uaddr, bool private_hint, uint32_t nwake, uint32_t nmove,
			     uaddr_t uaddr2, uint32_t cmp)
{
	struct futex_ref r1, r2;
	int64_t ret;

	if (uaddr.a == uaddr2.a || nwake != 1 || (int32_t)nmove < 0)
		return -EINVAL;
	if ((ret = futex_ref_get(uaddr, private_hint, &r1)))
		return ret;
	if ((ret = futex_ref_get(uaddr2, private_hint, &r2)) == 0) {
		ret = futex_key_equal(&r1.key, &r2.key)
			      ? -EINVAL
			      : cmp_requeue(&r1, &r2, uaddr, uaddr2, (uint64_t)nwake + nmove, cmp);
		futex_ref_put(&r2);
	}
	futex_ref_put(&r1);
	return ret;
}

/* --- futex_waitv(2) --- */

struct multi {
	unsigned n, nrefs, nqueued;
	struct abi_futex_waitv user[FUTEX_WAITV_MAX];
	struct waiter_entry entry[FUTEX_WAITV_MAX];
};

static int check_words(const struct multi *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct abi_futex_waitv *u = &m->user[i];

		if (u->__reserved != 0 || (u->flags & ~(uint32_t)FUTEX_PRIVATE_FLAG) != FUTEX_32)
			return -EINVAL;
	}
	return 0;
}

static int get_refs(struct multi *m)
{
	int err;

	for (; m->nrefs < m->n; m->nrefs++) {
		const struct abi_futex_waitv *u = &m->user[m->nrefs];

		if ((err = futex_ref_get(UADDR(u->uaddr), u->flags & FUTEX_PRIVATE_FLAG,
					 &m->entry[m->nrefs].ref)))
			return err;
	}
	return 0;
}

static int enqueue_all(struct multi *m)
{
	int err;

	for (; m->nqueued < m->n; m->nqueued++) {
		const struct abi_futex_waitv *u = &m->user[m->nqueued];
		struct waiter_entry *w = &m->entry[m->nqueued];

		futex_entry_init(w, FUTEX_BITSET_MATCH_ANY, NULL);
		if ((err = futex_enqueue_if(w, UADDR(u->uaddr), (uint32_t)u->val)))
			return err;
	}
	return 0;
}

static bool any_woken(const struct multi *m)
{
	for (unsigned i = 0; i < m->nqueued; i++)
		if (atomic_load_explicit(&m->entry[i].woken, memory_order_acquire))
			return true;
	return false;
}

static int sleep_on_all(struct multi *m, nsec_t deadline)
{
	struct thread *self = curthread();
	int err = 0;

	while (err == 0) {
		self->wait_on = NULL;
		self->wake_result = 0;
		atomic_store(&self->state, (uint32_t)THREAD_SLEEP_INTR);
		if (any_woken(m))
			break;
		err = wait_sleep(deadline);
	}
	atomic_store_explicit(&self->state, THREAD_RUNNING, memory_order_relaxed);
	return err;
}

/* Takes all out; the last that was woken, or err. */
static int64_t unqueue_all(struct multi *m, int64_t err)
{
	for (unsigned i = 0; i < m->nqueued; i++)
		if (!futex_unqueue(&m->entry[i]))
			err = i;
	return err;
}

int64_t futex_wait_multiple(uaddr_t waiters, uint32_t n, nsec_t deadline)
{
	struct multi *m = kmalloc(sizeof(*m));
	int64_t ret;

	if (m == NULL)
		return -ENOMEM;
	m->n = n;
	m->nrefs = m->nqueued = 0;
	ret = copy_from_user(m->user, waiters, n * sizeof(m->user[0]));
	if (ret == 0)
		ret = check_words(m);
	if (ret == 0)
		ret = get_refs(m);
	if (ret == 0)
		ret = enqueue_all(m);
	if (ret == 0)
		ret = sleep_on_all(m, deadline);
	ret = unqueue_all(m, ret);
	for (unsigned i = 0; i < m->nrefs; i++)
		futex_ref_put(&m->entry[i].ref);
	kfree(m);
	return ret;
}
