#include "proc/ipc/sem_priv.h"

/*
 * semop(2): all operations of a call are done at once or none is. Who cannot go on waits; who
 * changes a value looks whom that lets go on, does their operations for them in the order in which
 * they came, and wakes them with the result. So a value that was made for the first waiter cannot
 * be taken by another on the way.
 *
 * Waiters with a single operation, which are nearly all, stand in lists of their semaphore. As long
 * as no waiter has several operations, a change concerns one semaphore only, and costs what it
 * wakes. Waiting for zero changes nothing, and goes first.
 *
 * Source: semop(2), and whom Linux wakes first.
 */

#include "abi/errno.h"
#include "vfs/cred.h"

/* A waiting thread, on its stack. Who serves it takes it off the lists. */
struct waiting {
	struct list node;     /* set->changers or set->zeros; not linked: one operation, for zero */
	struct list sem_node; /* of its semaphore: one operation */
	struct sem_request *r;
	int result;
	_Atomic bool served;
	struct waitq wait;
};

enum { MUST_WAIT = 1 };

/* --- trying --- */

/* Of operation i: 0, MUST_WAIT or -errno; done when 0. */
static int try_one(struct sem_set *s, const struct sem_request *r, unsigned i)
{
	const struct abi_sembuf *op = &r->ops[i];
	struct sem *sem = &s->sems[op->sem_num];
	int value = sem->value + op->sem_op;

	if (op->sem_op == 0 ? sem->value != 0 : value < 0)
		return op->sem_flg & IPC_NOWAIT ? -EAGAIN : MUST_WAIT;
	if (value > SEMVMX)
		return -ERANGE;
	if (op->sem_flg & SEM_UNDO) {
		int adjust = r->undo->adjust[op->sem_num] - op->sem_op;

		if (adjust < -SEMAEM - 1 || adjust > SEMAEM)
			return -ERANGE;
		r->undo->adjust[op->sem_num] = (int16_t)adjust;
	}
	sem->value = (uint16_t)value;
	return 0;
}

static void take_back(struct sem_set *s, const struct sem_request *r, unsigned done)
{
	while (done-- > 0) {
		const struct abi_sembuf *op = &r->ops[done];

		s->sems[op->sem_num].value = (uint16_t)(s->sems[op->sem_num].value - op->sem_op);
		if (op->sem_flg & SEM_UNDO)
			r->undo->adjust[op->sem_num] =
				(int16_t)(r->undo->adjust[op->sem_num] + op->sem_op);
	}
}

static int try_all(struct sem_set *s, struct sem_request *r)
{
	int res;

	for (unsigned i = 0; i < r->n; i++)
		if ((res = try_one(s, r, i))) {
			r->blocking = i;
			take_back(s, r, i);
			return res;
		}
	for (unsigned i = 0; i < r->n; i++)
		s->sems[r->ops[i].sem_num].pid = r->pid;
	s->otime = ipc_now();
	return 0;
}

/* --- serving --- */

static void unlink(struct sem_set *s, struct waiting *w)
{
	if (w->r->alters && w->r->n > 1)
		s->ncomplex--;
	list_remove(&w->node);
	list_remove(&w->sem_node);
}

static void finish(struct sem_set *s, struct waiting *w, int result)
{
	unlink(s, w);
	w->result = result;
	atomic_store_explicit(&w->served, true, memory_order_release);
	waitq_wake_all(&w->wait, 0);
}

/* Tries a waiter again. True: it has gone. */
static bool serve(struct sem_set *s, struct waiting *w)
{
	int res = try_all(s, w->r);

	if (res != MUST_WAIT)
		finish(s, w, res);
	return res != MUST_WAIT;
}

static void serve_zeros(struct sem_set *s, unsigned index)
{
	struct waiting *w, *next;

	if (s->sems[index].value != 0)
		return;
	list_for_each_safe (w, next, &s->sems[index].zeros, sem_node)
		(void)serve(s, w);
}

/* All that waits in this semaphore's lists is one decrease each, or the zero. */
static void update_one(struct sem_set *s, unsigned index)
{
	struct sem *sem = &s->sems[index];
	struct waiting *w, *next;

	serve_zeros(s, index);
	list_for_each_safe (w, next, &sem->changers, sem_node) {
		if (sem->value == 0)
			break;
		(void)serve(s, w);
	}
	serve_zeros(s, index);
}

static void serve_all_zeros(struct sem_set *s)
{
	struct waiting *w, *next;

	for (unsigned i = 0; i < s->nsems; i++)
		serve_zeros(s, i);
	list_for_each_safe (w, next, &s->zeros, node)
		(void)serve(s, w);
}

/* One round over all that wait. True: something was served, and may have changed something. */
static bool serve_round(struct sem_set *s)
{
	struct waiting *w, *next;

	serve_all_zeros(s);
	list_for_each_safe (w, next, &s->changers, node)
		if (serve(s, w))
			return true;
	return false;
}

/* No waiter looks at more than one semaphore. */
static bool is_simple(const struct sem_set *s)
{
	return s->ncomplex == 0 && list_is_empty(&s->zeros);
}

static void update_all(struct sem_set *s)
{
	while (serve_round(s))
		;
}

void sem_update_locked(struct sem_set *s, unsigned index)
{
	if (!is_simple(s))
		update_all(s);
	else if (index != SEM_ANY)
		update_one(s, index);
	else
		for (unsigned i = 0; i < s->nsems; i++)
			update_one(s, i);
}

static void update_after(struct sem_set *s, const struct sem_request *r)
{
	if (!is_simple(s))
		update_all(s);
	else
		for (unsigned i = 0; i < r->n; i++)
			update_one(s, r->ops[i].sem_num);
}

void sem_wake_removed_locked(struct sem_set *s)
{
	struct waiting *w, *next;

	list_for_each_safe (w, next, &s->changers, node)
		finish(s, w, -EIDRM);
	list_for_each_safe (w, next, &s->zeros, node)
		finish(s, w, -EIDRM);
	for (unsigned i = 0; i < s->nsems; i++)
		list_for_each_safe (w, next, &s->sems[i].zeros, sem_node)
			finish(s, w, -EIDRM);
}

static bool waits_for(const struct waiting *w, unsigned index, bool zero)
{
	const struct abi_sembuf *op = &w->r->ops[w->r->blocking];

	return op->sem_num == index && (op->sem_op == 0) == zero;
}

int sem_count_locked(const struct sem_set *s, unsigned index, bool zero)
{
	const struct waiting *w;
	int n = 0;

	list_for_each (w, &s->changers, node)
		n += waits_for(w, index, zero);
	list_for_each (w, &s->zeros, node)
		n += waits_for(w, index, zero);
	list_for_each (w, &s->sems[index].zeros, sem_node)
		n += waits_for(w, index, zero);
	return n;
}

/* --- waiting --- */

static void queue_up(struct sem_set *s, struct waiting *w, struct sem_request *r)
{
	struct sem *sem = &s->sems[r->ops[0].sem_num];

	w->r = r;
	atomic_init(&w->served, false);
	waitq_init(&w->wait);
	list_init(&w->node);
	list_init(&w->sem_node);
	if (r->n == 1)
		list_add_tail(r->alters ? &sem->changers : &sem->zeros, &w->sem_node);
	if (r->alters)
		list_add_tail(&s->changers, &w->node);
	else if (r->n > 1)
		list_add_tail(&s->zeros, &w->node);
	s->ncomplex += r->alters && r->n > 1;
}

/* Waits until w is served; or takes it off the lists. The result of the call. */
static int wait_served(struct sem_set *s, struct waiting *w, nsec_t deadline)
{
	struct waiter self;
	int err = 0;

	waiter_init(&self);
	for (;;) {
		wait_prepare(&w->wait, &self, THREAD_SLEEP_INTR);
		if (atomic_load_explicit(&w->served, memory_order_acquire) || err)
			break;
		err = wait_sleep(deadline);
	}
	wait_finish(&w->wait, &self);
	spin_lock(&s->ipc.lock); /* who serves it may be at it still */
	if (atomic_load_explicit(&w->served, memory_order_relaxed))
		err = w->result;
	else
		unlink(s, w);
	spin_unlock(&s->ipc.lock);
	return err == -ETIMEDOUT ? -EAGAIN : err == -ERESTARTSYS ? -EINTR : err;
}

/* --- the call --- */

static int check_locked(const struct sem_set *s, const struct sem_request *r)
{
	int err;

	for (unsigned i = 0; i < r->n; i++)
		if (r->ops[i].sem_num >= s->nsems)
			return -EFBIG;
	if ((err = ipc_access(&s->ipc, r->alters ? IPC_W : IPC_R)))
		return err;
	return s->ipc.removed ? -EIDRM : 0;
}

static int operate(struct sem_set *s, struct sem_request *r, nsec_t deadline)
{
	struct waiting self;
	int res;

	spin_lock(&s->ipc.lock);
	if ((res = check_locked(s, r)) == 0 && (res = try_all(s, r)) == 0 && r->alters)
		update_after(s, r);
	if (res == MUST_WAIT)
		queue_up(s, &self, r);
	spin_unlock(&s->ipc.lock);
	return res == MUST_WAIT ? wait_served(s, &self, deadline) : res;
}

int sem_operate(int id, const struct abi_sembuf *ops, unsigned n, nsec_t deadline)
{
	struct sem_request r = { .ops = ops, .n = n, .pid = ipc_pid() };
	bool undo = false;
	struct ipc *p;
	int err;

	for (unsigned i = 0; i < n; i++) {
		r.alters |= ops[i].sem_op != 0;
		undo |= ops[i].sem_flg & SEM_UNDO;
	}
	if ((err = ipc_lookup(&sem_ids, id, &p)))
		return err;
	if (undo)
		err = sem_undo_find(sem_set_of(p), &r.undo);
	if (err == 0)
		err = operate(sem_set_of(p), &r, deadline);
	ipc_put(p);
	return err;
}
