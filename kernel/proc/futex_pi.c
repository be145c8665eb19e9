#include "proc/futex_priv.h"

/*
 * Futexes with priority inheritance. The word holds the owner's tid; who finds it taken sets
 * FUTEX_WAITERS in it, queues up by priority, and lends the owner its own. FUTEX_UNLOCK_PI hands
 * the lock to the first waiter by writing its tid, so nobody can get in between. An owner that
 * itself waits for another lock passes on what it inherits, along the whole chain; and the same
 * chain tells who would wait for himself (EDEADLK).
 *
 * The word of an owner that ended is out of its reach when it lies in shared memory, or in memory
 * that is gone: then its waiters try again, each in its own address space.
 *
 * All of it is rare and under one lock, pi_lock (FUTEX); the word is read and changed under it
 * without faults. Source: futex(2) "Priority-inheritance futexes".
 */

#include "abi/errno.h"
#include "abi/futex.h"
#include "proc/proc_priv.h"
#include "sched/sched.h"
#include "vm/usercopy.h"

enum { PI_BUCKETS = 64 };

static struct spinlock pi_lock = SPINLOCK(FUTEX);
static struct list pi_buckets[PI_BUCKETS];

static struct list *pi_bucket(const struct vm_futex_key *k)
{
	struct list *b = &pi_buckets[futex_key_hash(k) % PI_BUCKETS];

	if (b->next == NULL)
		list_init(b);
	return b;
}

static struct pi_waiter *first_waiter(const struct vm_futex_key *k, const struct pi_waiter *but)
{
	struct list *b = pi_bucket(k);
	struct pi_waiter *w;

	list_for_each (w, b, node)
		if (futex_key_equal(&w->ref.key, k) && w != but)
			return w;
	return NULL;
}

void pi_lock_nested(void) NO_TSA
{
	spin_lock_nested(&pi_lock);
}

void pi_unlock(void) NO_TSA
{
	spin_unlock(&pi_lock);
}

static void insert_waiter(struct pi_waiter *w)
{
	struct list *b = pi_bucket(&w->ref.key);
	struct pi_waiter *o;

	list_for_each (o, b, node)
		if (o->prio < w->prio)
			break;
	list_insert_between(&w->node, o->node.prev, &o->node);
}

static int inherited(const struct task *owner)
{
	struct pi_waiter *w;
	int prio = 0;

	list_for_each (w, &owner->pi_owned, owned_node)
		prio = MAX(prio, w->prio);
	return prio;
}

/* The priority that t has for those whom it waits for. */
static int own_prio(const struct task *t)
{
	return MAX((int)t->thread.se.set_prio, inherited(t));
}

/* An owner runs at the highest priority among those who wait for it; and so do, where it is itself
 * waiting, those before it. There are no circles: would_deadlock(). */
static void reboost(struct task *owner)
{
	for (;;) {
		int prio = inherited(owner);
		struct pi_waiter *w = owner->pi_waiting;

		if (owner->thread.se.boost_prio != prio)
			sched_boost(&owner->thread, prio);
		if (w == NULL || w->prio == own_prio(owner))
			return;
		w->prio = own_prio(owner);
		list_remove(&w->node);
		insert_waiter(w);
		owner = w->owner;
		if (owner == NULL)
			return;
	}
}

void futex_pi_prio_changed(struct task *t)
{
	spin_lock(&pi_lock);
	reboost(t);
	spin_unlock(&pi_lock);
}

static bool would_deadlock(const struct task *waiter, const struct task *owner)
{
	while (owner != waiter) {
		if (owner->pi_waiting == NULL || owner->pi_waiting->owner == NULL)
			return false;
		owner = owner->pi_waiting->owner;
	}
	return true;
}

static void attach(struct pi_waiter *w, struct task *owner)
{
	task_get(owner);
	w->owner = owner;
	w->task->pi_waiting = w;
	list_add_tail(&owner->pi_owned, &w->owned_node);
	reboost(owner);
}

static void detach(struct pi_waiter *w)
{
	struct task *owner = w->owner;

	list_remove(&w->owned_node);
	w->owner = NULL;
	w->task->pi_waiting = NULL;
	reboost(owner);
	task_put(owner);
}

/* All who wait for k wait for `owner` from now on. */
static void move_waiters(const struct vm_futex_key *k, struct task *owner)
{
	struct pi_waiter *w;

	list_for_each (w, pi_bucket(k), node) {
		if (!futex_key_equal(&w->ref.key, k))
			continue;
		detach(w);
		attach(w, owner);
	}
}

/* Takes the word for w's task when it is free. 0 taken; -EBUSY; -EDEADLK; -EFAULT; -EAGAIN it
 * changed. */
static int try_take(const struct pi_waiter *w, uaddr_t uaddr, uint32_t v)
{
	uint32_t tid = w->task->pid->nr, owner = v & FUTEX_TID_MASK, died = v & FUTEX_OWNER_DIED;
	bool has_waiters = first_waiter(&w->ref.key, NULL) != NULL, swapped;
	int err;

	if (owner == tid)
		return -EDEADLK;
	if (owner != 0 && owner == w->dead_owner)
		died = FUTEX_OWNER_DIED;
	else if (owner != 0)
		return -EBUSY;
	tid |= died | (has_waiters ? FUTEX_WAITERS : 0);
	if ((err = futex_cmpxchg_nofault(uaddr, &v, tid, &swapped)))
		return err;
	if (!swapped)
		return -EAGAIN;
	if (has_waiters) /* of an owner that died: they are ours now */
		move_waiters(&w->ref.key, w->task);
	return 0;
}

/* The owner that v names does not exist (any more). Never 0. */
static int owner_is_gone(uaddr_t uaddr, uint32_t v)
{
	uint32_t now;
	int err = futex_load_nofault(uaddr, &now);

	/* It may have unlocked the word without us, since we read it, before it ended. */
	if (err == 0)
		err = now == v ? -ESRCH : -EAGAIN;
	return err;
}

/*
 * Queues w behind the owner that v names. 0; -ESRCH no such task; -EDEADLK; -EFAULT; -EAGAIN the
 * word changed.
 *
 * An owner that is ending closes its list, then looks whether somebody is in it; we join, then look
 * whether it is closed. So nobody waits for one who is gone.
 */
static int queue_behind(struct pi_waiter *w, uaddr_t uaddr, uint32_t v)
{
	struct task *owner = task_lookup(v & FUTEX_TID_MASK);
	bool swapped = true;
	int err = 0;

	if (owner == NULL)
		return owner_is_gone(uaddr, v);
	if (would_deadlock(w->task, owner))
		err = -EDEADLK;
	else if (!(v & FUTEX_WAITERS))
		err = futex_cmpxchg_nofault(uaddr, &v, v | FUTEX_WAITERS, &swapped);
	if (err == 0 && !swapped)
		err = -EAGAIN;
	if (err == 0) {
		insert_waiter(w);
		attach(w, owner);
		atomic_thread_fence(memory_order_seq_cst);
		if (UNLIKELY(atomic_load(&owner->pi_closed))) {
			list_remove(&w->node);
			detach(w);
			err = owner_is_gone(uaddr, v | FUTEX_WAITERS);
		}
	}
	task_put(owner);
	return err;
}

/* What FUTEX_TRYLOCK_PI says: -EWOULDBLOCK; -ESRCH no such owner; -EFAULT. */
static int owned_by_other(uaddr_t uaddr, uint32_t v)
{
	struct task *owner = task_lookup(v & FUTEX_TID_MASK);

	if (owner == NULL)
		return owner_is_gone(uaddr, v);
	task_put(owner);
	return -EWOULDBLOCK;
}

/* 1: taken; 0: queued; -errno. */
static int lock_step(struct pi_waiter *w, uaddr_t uaddr, bool try_only)
{
	uint32_t v;
	int err = futex_load_nofault(uaddr, &v);

	if (err)
		return err;
	err = try_take(w, uaddr, v);
	if (err != -EBUSY)
		return err == 0 ? 1 : err;
	return try_only ? owned_by_other(uaddr, v) : queue_behind(w, uaddr, v);
}

int pi_requeue_locked(struct pi_waiter *w, uaddr_t uaddr)
{
	w->prio = own_prio(w->task);
	return lock_step(w, uaddr, false);
}

/* 1: taken; 0: queued; -errno. */
static int lock_or_queue(struct pi_waiter *w, bool try_only)
{
	int err;

	for (;;) {
		spin_lock(&pi_lock);
		w->prio = own_prio(w->task);
		err = lock_step(w, w->uaddr, try_only);
		spin_unlock(&pi_lock);
		if (err == -EFAULT) {
			if ((err = futex_fault_in(w->uaddr)))
				return err;
		} else if (err != -EAGAIN || try_only) {
			return err;
		}
	}
}

/* Gives up waiting. True: the lock had been handed over already. */
static bool stop_waiting(struct pi_waiter *w)
{
	uint32_t state;

	spin_lock(&pi_lock);
	state = atomic_load_explicit(&w->state, memory_order_relaxed);
	if (state == PI_WAITS) {
		list_remove(&w->node);
		detach(w);
	}
	spin_unlock(&pi_lock);
	return state == PI_GRANTED;
}

int pi_waiter_init(struct pi_waiter *w, uaddr_t uaddr, bool private_hint)
{
	*w = (struct pi_waiter){ .uaddr = uaddr, .task = curtask() };
	list_init(&w->node);
	list_init(&w->owned_node);
	return futex_ref_get(uaddr, private_hint, &w->ref);
}

int pi_wait(struct pi_waiter *w, nsec_t deadline)
{
	int err;

	for (;;) {
		err = futex_sleep(&w->state, deadline);
		if (err)
			return stop_waiting(w) ? 0 : err;
		if (atomic_load_explicit(&w->state, memory_order_relaxed) == PI_GRANTED)
			return 0;
		atomic_store_explicit(&w->state, PI_WAITS, memory_order_relaxed);
		err = lock_or_queue(w, false);
		if (err != 0)
			return err == 1 ? 0 : err;
	}
}

int64_t futex_lock_pi(uaddr_t uaddr, bool private_hint, bool try_only, nsec_t deadline)
{
	struct pi_waiter w;
	int err = pi_waiter_init(&w, uaddr, private_hint);

	if (err)
		return err;
	err = lock_or_queue(&w, try_only);
	if (err == 0)
		err = pi_wait(&w, deadline);
	futex_ref_put(&w.ref);
	return err == 1 ? 0 : err == -ERESTARTSYS ? -ERESTARTNOINTR : err;
}

/* Under pi_lock: the word becomes the next waiter's, or free. 0; -EFAULT; -EAGAIN. */
static int hand_over(uaddr_t uaddr, uint32_t v, const struct vm_futex_key *k, uint32_t extra)
{
	struct pi_waiter *w = first_waiter(k, NULL);
	uint32_t new = extra;
	bool swapped;
	int err;

	if (w != NULL)
		new |= w->task->pid->nr | (first_waiter(k, w) != NULL ? FUTEX_WAITERS : 0);
	if ((err = futex_cmpxchg_nofault(uaddr, &v, new, &swapped)))
		return err;
	if (!swapped)
		return -EAGAIN;
	if (w == NULL)
		return 0;
	list_remove(&w->node);
	detach(w);
	move_waiters(k, w->task);
	struct thread *t = &w->task->thread;

	atomic_store(&w->state, PI_GRANTED); /* w may be gone from here on */
	thread_wake(t, WAKE_NORMAL);
	return 0;
}

static int unlock_step(uaddr_t uaddr, const struct vm_futex_key *k)
{
	uint32_t v;
	int err = futex_load_nofault(uaddr, &v);

	if (err)
		return err;
	if ((v & FUTEX_TID_MASK) != curtask()->pid->nr)
		return -EPERM;
	return hand_over(uaddr, v, k, 0);
}

int64_t futex_unlock_pi(uaddr_t uaddr, bool private_hint)
{
	struct futex_ref ref;
	int err = futex_ref_get(uaddr, private_hint, &ref);

	if (err)
		return err;
	do {
		spin_lock(&pi_lock);
		err = unlock_step(uaddr, &ref.key);
		spin_unlock(&pi_lock);
		if (err == -EFAULT && (err = futex_fault_in(uaddr)) == 0)
			err = -EAGAIN;
	} while (err == -EAGAIN);
	futex_ref_put(&ref);
	return err;
}

/* One lock that t owns; false: none is left. The word is in memory that t still has, or nobody can
 * be helped. */
static bool release_one(struct task *t)
{
	struct pi_waiter *w;
	uaddr_t uaddr = UADDR_NULL;
	uint32_t v;

	spin_lock(&pi_lock);
	if (list_is_empty(&t->pi_owned)) {
		spin_unlock(&pi_lock);
		return false;
	}
	w = list_first(&t->pi_owned, struct pi_waiter, owned_node);
	uaddr = w->uaddr;
	if (w->ref.counted != NULL) { /* the waiter's address of shared memory, not ours */
		spin_unlock(&pi_lock);
		return false;
	}
	if (futex_load_nofault(uaddr, &v) == 0 &&
	    hand_over(uaddr, v, &w->ref.key, FUTEX_OWNER_DIED) == 0)
		uaddr = UADDR_NULL;
	spin_unlock(&pi_lock);
	return uaddr_is_null(uaddr) || futex_fault_in(uaddr) == 0;
}

/* Under pi_lock: the waiters look for themselves what became of the word. */
static void send_waiters_off(struct task *t)
{
	while (!list_is_empty(&t->pi_owned)) {
		struct pi_waiter *w = list_first(&t->pi_owned, struct pi_waiter, owned_node);
		struct thread *th = &w->task->thread;

		list_remove(&w->node);
		detach(w);
		w->dead_owner = t->pid->nr;
		atomic_store(&w->state, PI_TRY_AGAIN);
		thread_wake(th, WAKE_NORMAL);
	}
}

void futex_pi_exit(struct task *t)
{
	while (release_one(t))
		;
	spin_lock(&pi_lock);
	send_waiters_off(t);
	spin_unlock(&pi_lock);
}

void futex_exit(struct task *t)
{
	if (!uaddr_is_null(t->robust_list))
		futex_robust_exit(t);
	if (t->exited)
		atomic_store(&t->pi_closed, true);
	if (UNLIKELY(*(struct list *volatile *)&t->pi_owned.next != &t->pi_owned))
		futex_pi_exit(t);
}
