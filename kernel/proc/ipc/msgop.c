#include "proc/ipc/msg_priv.h"

/*
 * msgsnd(2) and msgrcv(2). A queue's messages are in a list by age and in a tree by type and age,
 * so that whatever a receiver asks for is found without a walk, but for MSG_EXCEPT and MSG_COPY. A
 * sender gives its message to the first receiver that waits for such a one; a receiver that makes
 * room wakes the senders whose messages fit into it, and those look again.
 *
 * Texts are copied from and to user memory without the lock.
 *
 * Source: msgop(2).
 */

#include "abi/errno.h"
#include "pmm/slab.h"
#include "sched/wait.h"
#include "vm/usercopy.h"

struct want { /* what a receiver asks for */
	int64_t type;
	uint64_t size;
	int flags;
};

/* A waiting thread, on its stack. Who wakes it takes it off the list. */
struct waiting {
	struct list node;
	const struct want *want; /* a receiver's */
	uint64_t size;           /* a sender's */
	uint32_t pid;
	struct msg *m; /* what a receiver was given */
	int result;    /* 0; -EAGAIN: look again; -E2BIG; -EIDRM */
	_Atomic bool woken;
	struct waitq wait;
};

/* --- finding --- */

static bool matches(const struct msg *m, const struct want *w)
{
	if (w->type == 0)
		return true;
	if (w->type > 0)
		return (m->type == w->type) != !!(w->flags & MSG_EXCEPT);
	return m->type <= (w->type == INT64_MIN ? INT64_MAX : -w->type);
}

/* The oldest message of a type; NULL. */
static struct msg *first_of_type(const struct msg_queue *q, int64_t type)
{
	struct rbnode *n = q->types.root;
	struct msg *found = NULL;

	while (n != NULL) {
		struct msg *m = rb_entry(n, struct msg, type_node);

		if (m->type == type)
			found = m;
		n = m->type >= type ? n->left : n->right;
	}
	return found;
}

static struct msg *first_of_other_type(const struct msg_queue *q, const struct want *w)
{
	struct msg *m;

	list_for_each (m, &q->messages, node)
		if (matches(m, w))
			return m;
	return NULL;
}

static struct msg *first_by_number(const struct msg_queue *q, int64_t n)
{
	struct msg *m;

	list_for_each (m, &q->messages, node)
		if (n-- == 0)
			return m;
	return NULL;
}

static struct msg *find(const struct msg_queue *q, const struct want *w)
{
	struct msg *m;

	if (list_is_empty(&q->messages))
		return NULL;
	if (w->flags & MSG_COPY)
		return first_by_number(q, w->type);
	if (w->type == 0)
		return list_first(&q->messages, struct msg, node);
	if (w->type > 0)
		return w->flags & MSG_EXCEPT ? first_of_other_type(q, w)
					     : first_of_type(q, w->type);
	m = rb_entry(rb_first(&q->types), struct msg, type_node);
	return matches(m, w) ? m : NULL;
}

static void insert(struct msg_queue *q, struct msg *m)
{
	struct rbnode **link = &q->types.root, *parent = NULL;

	m->seq = q->next_seq++;
	while (*link != NULL) {
		struct msg *at = rb_entry(*link, struct msg, type_node);

		parent = *link;
		link = m->type < at->type ? &parent->left : &parent->right;
	}
	rb_insert(&q->types, &m->type_node, parent, link);
	list_add_tail(&q->messages, &m->node);
	q->bytes += m->size;
	q->count++;
}

static void take(struct msg_queue *q, struct msg *m)
{
	rb_remove(&q->types, &m->type_node);
	list_remove(&m->node);
	q->bytes -= m->size;
	q->count--;
}

static bool fits(const struct msg_queue *q, uint64_t size)
{
	return q->bytes + size <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

static bool too_big(const struct msg *m, const struct want *w)
{
	return m->size > w->size && !(w->flags & MSG_NOERROR);
}

/* --- waiting --- */

static void queue_up(struct list *l, struct waiting *w)
{
	w->m = NULL;
	w->result = -EAGAIN;
	w->pid = ipc_pid();
	atomic_init(&w->woken, false);
	waitq_init(&w->wait);
	list_add_tail(l, &w->node);
}

static void wake(struct waiting *w, int result)
{
	list_remove(&w->node);
	w->result = result;
	atomic_store_explicit(&w->woken, true, memory_order_release);
	waitq_wake_all(&w->wait, 0);
}

static void wake_list(struct list *l, int result)
{
	struct waiting *w, *next;

	list_for_each_safe (w, next, l, node)
		wake(w, result);
}

/* Those whose messages go into the room that there is, each after those before it. */
static void wake_senders(struct msg_queue *q)
{
	struct waiting *w, *next;
	uint64_t taken = 0;

	list_for_each_safe (w, next, &q->senders, node)
		if (fits(q, taken + w->size)) {
			taken += w->size;
			wake(w, -EAGAIN);
		}
}

void msg_retry_all_locked(struct msg_queue *q)
{
	wake_list(&q->receivers, -EAGAIN);
	wake_list(&q->senders, -EAGAIN);
}

void msg_wake_removed_locked(struct msg_queue *q)
{
	wake_list(&q->receivers, -EIDRM);
	wake_list(&q->senders, -EIDRM);
}

/* Sleeps until w is woken, and locks the queue. Its result; or -ERESTARTNOHAND. */
static int wait_woken(struct msg_queue *q, struct waiting *w) NO_TSA
{
	struct waiter self;
	int err = 0;

	waiter_init(&self);
	for (;;) {
		wait_prepare(&w->wait, &self, THREAD_SLEEP_INTR);
		if (atomic_load_explicit(&w->woken, memory_order_acquire) || err)
			break;
		err = wait_sleep(NSEC_MAX);
	}
	wait_finish(&w->wait, &self);
	spin_lock(&q->ipc.lock);
	if (!atomic_load_explicit(&w->woken, memory_order_relaxed)) {
		list_remove(&w->node);
		return -ERESTARTNOHAND;
	}
	/* Woken, but only to look again, and a signal came as well: let somebody else. */
	if (w->result == -EAGAIN && err) {
		wake_senders(q);
		return -ERESTARTNOHAND;
	}
	return w->result;
}

/* --- sending --- */

static int import(uaddr_t text, uint64_t size, int64_t type, struct msg **out)
{
	struct msg *m = kmalloc(sizeof(*m) + size);

	if (m == NULL)
		return -ENOMEM;
	m->type = type;
	m->size = size;
	if (copy_from_user(m->text, text, size)) {
		kfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

/* To the first receiver that waits for it; one that has no room for it hears so. */
static bool hand_over(struct msg_queue *q, struct msg *m)
{
	struct waiting *w, *next;

	list_for_each_safe (w, next, &q->receivers, node) {
		if (!matches(m, w->want))
			continue;
		if (too_big(m, w->want)) {
			wake(w, -E2BIG);
			continue;
		}
		q->lrpid = w->pid;
		q->rtime = ipc_now();
		w->m = m;
		wake(w, 0);
		return true;
	}
	return false;
}

static int may_use(const struct msg_queue *q, unsigned bits)
{
	int err = ipc_access(&q->ipc, bits);

	return err == 0 && q->ipc.removed ? -EIDRM : err;
}

static int send_locked(struct msg_queue *q, struct msg *m, int flags) NO_TSA
{
	struct waiting self = { .size = m->size };
	int err;

	for (;;) {
		if ((err = may_use(q, IPC_W)))
			return err;
		if (fits(q, m->size))
			break;
		if (flags & IPC_NOWAIT)
			return -EAGAIN;
		queue_up(&q->senders, &self);
		spin_unlock(&q->ipc.lock);
		if ((err = wait_woken(q, &self)) != -EAGAIN)
			return err;
	}
	q->lspid = ipc_pid();
	q->stime = ipc_now();
	if (!hand_over(q, m))
		insert(q, m);
	return 0;
}

int msg_send(int id, int64_t type, uaddr_t text, uint64_t size, int flags)
{
	struct ipc *p;
	struct msg *m;
	int err;

	if (size > (uint64_t)msg_max || id < 0 || type < 1)
		return -EINVAL;
	if ((err = import(text, size, type, &m)))
		return err;
	if ((err = ipc_lookup(&msg_ids, id, &p))) {
		kfree(m);
		return err;
	}
	spin_lock(&p->lock);
	err = send_locked(msg_queue_of(p), m, flags);
	spin_unlock(&p->lock);
	ipc_put(p);
	if (err)
		kfree(m);
	return err;
}

/* --- receiving --- */

static void receive_one(struct msg_queue *q, struct msg *m)
{
	take(q, m);
	q->lrpid = ipc_pid();
	q->rtime = ipc_now();
	wake_senders(q);
}

/* MSG_COPY: into `copy`, which has room for copy->size bytes. */
static int peek(const struct msg *m, struct msg *copy)
{
	if (m->size > copy->size)
		return -EINVAL;
	copy->type = m->type;
	copy->size = m->size;
	__builtin_memcpy(copy->text, m->text, m->size);
	return 0;
}

static int receive_locked(struct msg_queue *q, const struct want *w, struct msg *copy,
			  struct msg **out) NO_TSA
{
	struct waiting self = { .want = w };
	struct msg *m;
	int err;

	for (;;) {
		if ((err = may_use(q, IPC_R)))
			return err;
		if ((m = find(q, w)) != NULL)
			break;
		if (w->flags & IPC_NOWAIT)
			return -ENOMSG;
		queue_up(&q->receivers, &self);
		spin_unlock(&q->ipc.lock);
		if ((err = wait_woken(q, &self)) != -EAGAIN) {
			*out = self.m;
			return err;
		}
	}
	if (too_big(m, w))
		return -E2BIG;
	*out = copy != NULL ? copy : m;
	if (copy != NULL)
		return peek(m, copy);
	receive_one(q, m);
	return 0;
}

static int make_copy(const struct want *w, struct msg **out)
{
	uint64_t size = MIN(w->size, (uint64_t)msg_max);
	struct msg *m;

	*out = NULL;
	if (!(w->flags & MSG_COPY))
		return 0;
	if ((w->flags & MSG_EXCEPT) || !(w->flags & IPC_NOWAIT))
		return -EINVAL;
	if ((m = kmalloc(sizeof(*m) + size)) == NULL)
		return -ENOMEM;
	m->size = size;
	*out = m;
	return 0;
}

static ssize64_t export(const struct msg *m, uaddr_t buf, uint64_t size)
{
	uint64_t n = MIN(m->size, size);

	if (put_user_u64(buf, (uint64_t)m->type) || copy_to_user(uaddr_add(buf, 8), m->text, n))
		return -EFAULT;
	return (ssize64_t)n;
}

ssize64_t msg_receive(int id, uaddr_t buf, uint64_t size, int64_t type, int flags)
{
	struct want w = { .type = type, .size = size, .flags = flags };
	struct msg *m = NULL, *copy;
	struct ipc *p;
	ssize64_t res;

	if (id < 0 || (int64_t)size < 0)
		return -EINVAL;
	if ((res = make_copy(&w, &copy)))
		return res;
	if ((res = ipc_lookup(&msg_ids, id, &p)) == 0) {
		spin_lock(&p->lock);
		res = receive_locked(msg_queue_of(p), &w, copy, &m);
		spin_unlock(&p->lock);
		ipc_put(p);
	}
	if (res == 0)
		res = export(m, buf, size);
	if (m != copy)
		kfree(m);
	kfree(copy);
	return res;
}
