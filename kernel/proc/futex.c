#include "proc/futex.h"

/*
 * Futexes without priority inheritance. Waiters stand in the bucket that their key hashes to, first
 * come first served. The value is compared under the bucket's lock, with a load that does not
 * fault; a waker takes the same lock, so either the waiter sees the waker's new value, or the waker
 * sees the waiter. A page that is not there is faulted in without the lock, and everything begins
 * again.
 *
 * A waiter lives on its task's stack. Whoever takes it out of its bucket sets `woken` last and
 * wakes the thread; the thread's memory outlasts this, since tasks are freed under an epoch and a
 * spinlock holder does not sleep.
 *
 * FUTEX_WAKE_OP changes its word before it takes any lock: who queues up after that has seen the
 * new value, and who queued up before is woken.
 *
 * Source: futex(2), futex(7), "Futexes Are Tricky" (Drepper).
 */

#include <arch/usercopy.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "core/clock.h"
#include "lib/checked.h"
#include "lib/hash.h"
#include "proc/futex_priv.h"
#include "proc/proc_priv.h"
#include "vm/usercopy.h"

enum { FUTEX_BUCKETS = 1024 };

static struct bucket buckets[FUTEX_BUCKETS];

void futex_init(void)
{
	for (unsigned i = 0; i < FUTEX_BUCKETS; i++) {
		spin_init(&buckets[i].lock, RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

/* --- keys and words --- */

int futex_ref_get(uaddr_t uaddr, bool private_hint, struct futex_ref *out)
{
	return vm_futex_key(uaddr, private_hint, &out->key, &out->counted);
}

void futex_ref_put(struct futex_ref *r)
{
	if (r->counted != NULL)
		vmobject_put(r->counted);
	r->counted = NULL;
}

uint64_t futex_key_hash(const struct vm_futex_key *k)
{
	return hash_u64(k->object + k->offset * 0x9e3779b1u);
}

struct bucket *futex_bucket(const struct vm_futex_key *k)
{
	return &buckets[futex_key_hash(k) % FUTEX_BUCKETS];
}

int futex_load_nofault(uaddr_t uaddr, uint32_t *out)
{
	return arch_copy_from_user_nofault(out, uaddr, sizeof(*out)) ? -EFAULT : 0;
}

int futex_cmpxchg_nofault(uaddr_t uaddr, uint32_t *expected, uint32_t desired, bool *swapped)
{
	int err;

	curthread()->nofault++;
	err = arch_user_cmpxchg32(uaddr, expected, desired, swapped);
	curthread()->nofault--;
	return err;
}

/* For writing too: by exchanging the word for itself. */
int futex_fault_in(uaddr_t uaddr)
{
	uint32_t v = 0;
	bool swapped;

	return arch_user_cmpxchg32(uaddr, &v, v, &swapped);
}

/* --- waiting --- */

int futex_sleep(_Atomic uint32_t *flag, nsec_t deadline)
{
	struct thread *self = curthread();
	int err = 0;

	while (err == 0) {
		self->wait_on = NULL;
		self->wake_result = 0;
		atomic_store(&self->state, (uint32_t)THREAD_SLEEP_INTR);
		if (atomic_load_explicit(flag, memory_order_acquire))
			break;
		err = wait_sleep(deadline);
	}
	atomic_store_explicit(&self->state, THREAD_RUNNING, memory_order_relaxed);
	return err;
}

bool futex_unqueue(struct waiter_entry *w)
{
	struct bucket *b;

	while (!atomic_load_explicit(&w->woken, memory_order_acquire)) {
		b = atomic_load_explicit(&w->bucket, memory_order_relaxed);
		spin_lock(&b->lock);
		if (atomic_load_explicit(&w->bucket, memory_order_relaxed) == b &&
		    !atomic_load_explicit(&w->woken, memory_order_relaxed)) {
			list_remove(&w->node);
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock);
	}
	return false;
}

static ALWAYS_INLINE int lock_one_compare(struct bucket *b, uaddr_t uaddr, uint32_t cmp) NO_TSA
{
	uint32_t now, unused;
	int err;

	for (;;) {
		spin_lock(&b->lock);
		if (LIKELY(futex_load_nofault(uaddr, &now) == 0))
			break;
		spin_unlock(&b->lock);
		if ((err = get_user_u32(&unused, uaddr)))
			return err;
	}
	if (now == cmp)
		return 0;
	spin_unlock(&b->lock);
	return -EAGAIN;
}

int futex_lock_compare(struct bucket *b, uaddr_t uaddr, uint32_t cmp)
{
	return lock_one_compare(b, uaddr, cmp);
}

/* Real-time waiters are woken before others, and by priority. */
static NOINLINE void insert_by_priority(struct bucket *b, struct waiter_entry *w)
{
	struct waiter_entry *o;

	list_for_each (o, &b->waiters, node)
		if (o->thread->se.set_prio < w->thread->se.set_prio)
			break;
	list_insert_between(&w->node, o->node.prev, &o->node);
}

static ALWAYS_INLINE int enqueue_if(struct waiter_entry *w, uaddr_t uaddr, uint32_t val) NO_TSA
{
	struct bucket *b = futex_bucket(&w->ref.key);
	int err = lock_one_compare(b, uaddr, val);

	if (err)
		return err;
	atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
	if (UNLIKELY(w->thread->se.set_prio != 0))
		insert_by_priority(b, w);
	else
		list_add_tail(&b->waiters, &w->node);
	spin_unlock(&b->lock);
	return 0;
}

int futex_enqueue_if(struct waiter_entry *w, uaddr_t uaddr, uint32_t val)
{
	return enqueue_if(w, uaddr, val);
}

static int futex_wait(uaddr_t uaddr, bool private_hint, uint32_t val, nsec_t deadline,
		      uint32_t bitset)
{
	struct waiter_entry w;
	int err;

	if (bitset == 0)
		return -EINVAL;
	futex_entry_init(&w, bitset, NULL);
	if ((err = futex_ref_get(uaddr, private_hint, &w.ref)))
		return err;
	err = enqueue_if(&w, uaddr, val);
	if (err == 0) {
		err = futex_sleep(&w.woken, deadline);
		if (err && !futex_unqueue(&w))
			err = 0; /* woken after all: the wake-up must not be lost */
	}
	futex_ref_put(&w.ref);
	return err;
}

enum { RB_UADDR, RB_VAL, RB_DEADLINE, RB_BITSET, RB_FLAGS, RB_ARGS };

static int64_t futex_wait_restart(struct restart_block *r);

/* A wait with a timeout goes on, after a stop or an ignored signal, with what is left of it. */
static int64_t wait_or_restart(uaddr_t uaddr, bool private_hint, uint32_t val, nsec_t deadline,
			       uint32_t bitset)
{
	int err = futex_wait(uaddr, private_hint, val, deadline, bitset);

	if (UNLIKELY(err == -ERESTARTSYS) && deadline != NSEC_MAX) {
		const uint64_t a[RB_ARGS] = { uaddr.a, val, (uint64_t)deadline, bitset,
					      private_hint };

		restart_block_set(futex_wait_restart, a, RB_ARGS);
		return -ERESTART_RESTARTBLOCK;
	}
	return err;
}

static int64_t futex_wait_restart(struct restart_block *r)
{
	const uint64_t *a = r->arg;

	return wait_or_restart(UADDR(a[RB_UADDR]), a[RB_FLAGS], (uint32_t)a[RB_VAL],
			       (nsec_t)a[RB_DEADLINE], (uint32_t)a[RB_BITSET]);
}

/* --- waking --- */

static void wake_entry(struct waiter_entry *w)
{
	struct thread *t = w->thread;

	list_remove(&w->node);
	atomic_store(&w->woken, FUTEX_WOKEN); /* w may be gone from here on */
	thread_wake(t, WAKE_NORMAL);
}

/* How many; -EINVAL: somebody is to be moved to a PI futex, and nowhere else. */
static int64_t wake_locked(struct bucket *b, const struct vm_futex_key *k, uint32_t n,
			   uint32_t bitset) HOLDS(&b->lock)
{
	struct waiter_entry *w, *next;
	uint32_t woken = 0;

	if (n == 0)
		return 0;
	list_for_each_safe (w, next, &b->waiters, node) {
		if (!futex_key_equal(&w->ref.key, k))
			continue;
		if (UNLIKELY(w->pi != NULL))
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		wake_entry(w);
		if (++woken >= n)
			break;
	}
	return woken;
}

/* Counts below one wake one, as on Linux, which counts after waking. */
static uint32_t wake_count(uint32_t val)
{
	return (int32_t)val <= 0 ? 1 : val;
}

static int64_t futex_wake(uaddr_t uaddr, bool private_hint, uint32_t n, uint32_t bitset)
{
	struct futex_ref ref;
	struct bucket *b;
	int64_t woken;
	int err;

	if (bitset == 0)
		return -EINVAL;
	if ((err = futex_ref_get(uaddr, private_hint, &ref)))
		return err;
	b = futex_bucket(&ref.key);
	spin_lock(&b->lock);
	woken = wake_locked(b, &ref.key, wake_count(n), bitset);
	spin_unlock(&b->lock);
	futex_ref_put(&ref);
	return woken;
}

void futex_wake_word(uaddr_t uaddr, unsigned n)
{
	(void)!futex_wake(uaddr, false, n, FUTEX_BITSET_MATCH_ANY);
}

/* --- two words --- */

static void lock_two(struct bucket *a, struct bucket *b) NO_TSA
{
	if (a > b) {
		struct bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
}

static void unlock_two(struct bucket *a, struct bucket *b) NO_TSA
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

static int refs_get(uaddr_t u1, uaddr_t u2, bool private_hint, struct futex_ref *r1,
		    struct futex_ref *r2)
{
	int err = futex_ref_get(u1, private_hint, r1);

	if (err)
		return err;
	if ((err = futex_ref_get(u2, private_hint, r2)))
		futex_ref_put(r1);
	return err;
}

/* Moves up to n waiters of r1 to r2; each takes a reference to the new object. 0; -EINVAL as above.
 */
static int64_t requeue_locked(struct bucket *from, const struct futex_ref *r1, struct bucket *to,
			      const struct futex_ref *r2, uint32_t n, uint32_t *moved)
{
	struct waiter_entry *w, *next;

	list_for_each_safe (w, next, &from->waiters, node) {
		if (*moved >= n)
			break;
		if (!futex_key_equal(&w->ref.key, &r1->key))
			continue;
		if (UNLIKELY(w->pi != NULL))
			return -EINVAL;
		list_remove(&w->node);
		if (r2->counted != NULL)
			vmobject_get(r2->counted);
		w->ref = *r2;
		atomic_store_explicit(&w->bucket, to, memory_order_relaxed);
		list_add_tail(&to->waiters, &w->node);
		(*moved)++;
	}
	return 0;
}

/* Locks both buckets with the first word's value known. 0 locked; -EAGAIN it is not *cmp; -EFAULT.
 */
static int lock_compare(struct bucket *b1, struct bucket *b2, uaddr_t u1, const uint32_t *cmp)
	NO_TSA
{
	uint32_t now;
	int err;

	for (;;) {
		lock_two(b1, b2);
		if (cmp == NULL)
			return 0;
		if (futex_load_nofault(u1, &now) == 0)
			break;
		unlock_two(b1, b2);
		if ((err = get_user_u32(&now, u1)))
			return err;
	}
	if (now == *cmp)
		return 0;
	unlock_two(b1, b2);
	return -EAGAIN;
}

static int64_t futex_requeue(uaddr_t u1, uaddr_t u2, bool private_hint, uint32_t nwake,
			     uint32_t nmove, const uint32_t *cmp) NO_TSA
{
	struct futex_ref r1, r2;
	struct bucket *b1, *b2;
	int64_t woken = 0, ret;
	uint32_t moved = 0;
	int err;

	if ((int32_t)nwake < 0 || (int32_t)nmove < 0)
		return -EINVAL;
	if ((err = refs_get(u1, u2, private_hint, &r1, &r2)))
		return err;
	b1 = futex_bucket(&r1.key);
	b2 = futex_bucket(&r2.key);
	err = lock_compare(b1, b2, u1, cmp);
	ret = err;
	if (err == 0) {
		ret = woken = wake_locked(b1, &r1.key, nwake, FUTEX_BITSET_MATCH_ANY);
		if (woken >= 0 && !futex_key_equal(&r1.key, &r2.key))
			ret = requeue_locked(b1, &r1, b2, &r2, nmove, &moved);
		unlock_two(b1, b2);
		for (uint32_t i = 0; i < moved && r1.counted != NULL; i++)
			vmobject_put(r1.counted); /* what the moved ones held */
	}
	futex_ref_put(&r1);
	futex_ref_put(&r2);
	return ret < 0 ? ret : woken + moved;
}

static int32_t sign_extend12(uint32_t v)
{
	return (int32_t)(v << 20) >> 20;
}

static int apply_op(uint32_t code, uint32_t old, uint32_t *out)
{
	uint32_t op = code >> 28 & 7, arg = (uint32_t)sign_extend12(code >> 12 & 0xfff);

	if (code >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	switch (op) {
	case FUTEX_OP_SET:
		*out = arg;
		return 0;
	case FUTEX_OP_ADD:
		*out = old + arg;
		return 0;
	case FUTEX_OP_OR:
		*out = old | arg;
		return 0;
	case FUTEX_OP_ANDN:
		*out = old & ~arg;
		return 0;
	case FUTEX_OP_XOR:
		*out = old ^ arg;
		return 0;
	default:
		return -ENOSYS;
	}
}

static int compare_op(uint32_t code, int32_t old)
{
	int32_t arg = sign_extend12(code & 0xfff);

	switch (code >> 24 & 0xf) {
	case FUTEX_OP_CMP_EQ:
		return old == arg;
	case FUTEX_OP_CMP_NE:
		return old != arg;
	case FUTEX_OP_CMP_LT:
		return old < arg;
	case FUTEX_OP_CMP_LE:
		return old <= arg;
	case FUTEX_OP_CMP_GT:
		return old > arg;
	case FUTEX_OP_CMP_GE:
		return old >= arg;
	default:
		return -ENOSYS;
	}
}

/* 1 or 0: what the comparison says of the old value; -ENOSYS, -EFAULT. */
static int change_word(uaddr_t uaddr, uint32_t code)
{
	uint32_t old, new;
	bool swapped = false;
	int err = arch_user_load32(uaddr, &old);

	while (err == 0 && !swapped) {
		if ((err = apply_op(code, old, &new)))
			break;
		err = arch_user_cmpxchg32(uaddr, &old, new, &swapped);
	}
	return err ? err : compare_op(code, (int32_t)old);
}

static int64_t futex_wake_op(uaddr_t u1, uaddr_t u2, bool private_hint, uint32_t n1, uint32_t n2,
			     uint32_t code)
{
	int64_t woken, more;
	int cmp = change_word(u2, code);

	if (cmp < 0)
		return cmp;
	woken = futex_wake(u1, private_hint, n1, FUTEX_BITSET_MATCH_ANY);
	if (woken < 0 || !cmp)
		return woken;
	more = futex_wake(u2, private_hint, n2, FUTEX_BITSET_MATCH_ANY);
	return more < 0 ? more : woken + more;
}

/* --- the call --- */

nsec_t futex_deadline(bool realtime, nsec_t timeout)
{
	nsec_t t;

	if (!realtime || timeout == NSEC_MAX)
		return timeout;
	t = timeout - (clock_real() - clock_mono());
	return MAX(t, 0l);
}

/* The deadline on CLOCK_MONOTONIC that `timeout` means to this operation. */
static NOINLINE nsec_t deadline_of(unsigned cmd, bool realtime, nsec_t timeout)
{
	nsec_t t;

	if (cmd == FUTEX_WAIT) {
		if (add_overflows(clock_mono(), timeout, &t))
			return NSEC_MAX;
		return t;
	}
	return futex_deadline(cmd == FUTEX_LOCK_PI || realtime, timeout);
}

static bool may_use_realtime(unsigned cmd)
{
	return cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

/* All but plain waiting and waking. */
static NOINLINE int64_t other_op(uaddr_t uaddr, unsigned cmd, bool priv, uint32_t val,
				 nsec_t deadline, uint32_t val2, uaddr_t uaddr2, uint32_t val3)
{
	switch (cmd) {
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, priv, val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, uaddr2, priv, val, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, uaddr2, priv, val, val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, uaddr2, priv, val, val2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(uaddr, priv, false, deadline);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(uaddr, priv, true, 0);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(uaddr, priv);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(uaddr, priv, val, deadline, uaddr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(uaddr, priv, val, val2, uaddr2, val3);
	default:
		return -ENOSYS;
	}
}

int64_t futex_op(uaddr_t uaddr, int op, uint32_t val, nsec_t timeout, bool has_timeout,
		 uint32_t val2, uaddr_t uaddr2, uint32_t val3)
{
	unsigned cmd = (unsigned)op & (unsigned)FUTEX_CMD_MASK;
	bool priv = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
	nsec_t deadline = NSEC_MAX;

	if (UNLIKELY(realtime) && !may_use_realtime(cmd))
		return -ENOSYS;
	if (UNLIKELY(has_timeout))
		deadline = deadline_of(cmd, realtime, timeout);
	if (cmd == FUTEX_WAKE)
		return futex_wake(uaddr, priv, val, FUTEX_BITSET_MATCH_ANY);
	if (cmd == FUTEX_WAIT)
		return wait_or_restart(uaddr, priv, val, deadline, FUTEX_BITSET_MATCH_ANY);
	if (cmd == FUTEX_WAIT_BITSET)
		return wait_or_restart(uaddr, priv, val, deadline, val3);
	return other_op(uaddr, cmd, priv, val, deadline, val2, uaddr2, val3);
}
