/*
 * What a message queue does. Messages wait in a tree, by falling priority and, within one, by age.
 * Who finds the queue empty, or full, sleeps in a list by priority of the thread, and is served by
 * hand: a sender gives its message to the first receiver, a receiver moves the first sender's
 * message into the queue. So the one that waited longest cannot lose to one that comes by, and a
 * notification goes out only for a message that nobody was waiting for, as mq_notify(3) says.
 *
 * Text is copied from and to user memory without the lock; kernel memory for it is got before it is
 * taken, and given back after.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "core/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/netlink/netlink.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "proc/task.h"
#include "pseudofs/mqueue_priv.h"
#include "sched/wait.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/poll.h"
#include "vm/usercopy.h"

struct message {
	struct rbnode node;
	uint64_t seq;
	uint32_t prio, len;
	uint8_t text[];
};

/* A thread that waits, on its own stack. Whoever serves it takes it off the list. */
struct sleeper {
	struct list node;
	int urgency;
	struct message *m; /* a sender's; or, once served, a receiver's */
	_Atomic bool served;
	struct waitq wait;
};

static struct mqueue *queue_of(const struct file *f)
{
	return f->ops == &mqueue_file_ops ? container_of(f->inode, struct mqueue, inode) : NULL;
}

void mqueue_queue_init(struct mqueue *q)
{
	spin_init(&q->lock, RANK_MQUEUE);
	list_init(&q->receivers);
	list_init(&q->senders);
	waitq_init(&q->polled);
}

static struct message *first_message(const struct mqueue *q)
{
	struct rbnode *n = rb_first(&q->messages);

	return n ? rb_entry(n, struct message, node) : NULL;
}

void mqueue_queue_fini(struct mqueue *q)
{
	struct message *m;

	while ((m = first_message(q))) {
		rb_remove(&q->messages, &m->node);
		kfree(m);
	}
}

/* --- under the lock --- */

static bool goes_before(const struct message *a, const struct message *b)
{
	return a->prio != b->prio ? a->prio > b->prio : a->seq < b->seq;
}

static void insert(struct mqueue *q, struct message *m)
{
	struct rbnode **link = &q->messages.root, *parent = NULL;

	m->seq = q->next_seq++;
	while (*link) {
		parent = *link;
		link = goes_before(m, rb_entry(parent, struct message, node)) ? &parent->left
									      : &parent->right;
	}
	rb_insert(&q->messages, &m->node, parent, link);
	q->bytes += m->len;
	atomic_fetch_add_explicit(&q->count, 1, memory_order_relaxed);
}

static struct message *take(struct mqueue *q)
{
	struct message *m = first_message(q);

	if (m) {
		rb_remove(&q->messages, &m->node);
		q->bytes -= m->len;
		atomic_fetch_sub_explicit(&q->count, 1, memory_order_relaxed);
	}
	return m;
}

static bool is_full(const struct mqueue *q)
{
	return atomic_load_explicit(&q->count, memory_order_relaxed) >= (uint64_t)q->attr.mq_maxmsg;
}

static void touch(struct mqueue *q)
{
	q->inode.atime = q->inode.mtime = q->inode.ctime = clock_real();
}

static struct sleeper *first_sleeper(struct list *l)
{
	return list_is_empty(l) ? NULL : list_first(l, struct sleeper, node);
}

static void serve(struct sleeper *s, struct message *m)
{
	list_remove(&s->node);
	s->m = m;
	atomic_store_explicit(&s->served, true, memory_order_release);
	waitq_wake_all(&s->wait, 0);
}

/* --- sleeping --- */

/* Real-time threads before others, by priority; these by nice. */
static int urgency(const struct thread *t)
{
	return t->se.class == SCHED_CLASS_RT ? 100 + t->se.rt_prio : -t->se.nice;
}

static void queue_up(struct list *l, struct sleeper *s, struct message *m)
{
	struct sleeper *at;

	*s = (struct sleeper){ .urgency = urgency(curthread()), .m = m };
	waitq_init(&s->wait);
	list_for_each (at, l, node)
		if (at->urgency < s->urgency) {
			list_add_tail(&at->node, &s->node);
			return;
		}
	list_add_tail(l, &s->node);
}

/* Waits until s is served. 0, or why not: it is off the list then. */
static int wait_served(struct mqueue *q, struct sleeper *s, nsec_t deadline)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&s->wait, &w, THREAD_SLEEP_INTR);
		if (atomic_load_explicit(&s->served, memory_order_acquire) || err)
			break;
		err = wait_sleep(deadline);
	}
	wait_finish(&s->wait, &w);
	spin_lock(&q->lock); /* who serves it may be at it still */
	if (atomic_load_explicit(&s->served, memory_order_relaxed))
		err = 0;
	else
		list_remove(&s->node);
	spin_unlock(&q->lock);
	return err;
}

/* --- notification --- */

static void notify_drop(struct mq_notify *n, uint8_t why)
{
	if (n->sock) {
		n->cookie[NOTIFY_COOKIE_LEN - 1] = why;
		netlink_give(n->sock, n->cookie, NOTIFY_COOKIE_LEN);
		file_put(n->sock);
	}
	process_put(n->owner);
}

/* The registration is over: it was for once. */
static void notify_fire(struct mq_notify *n)
{
	struct abi_siginfo si;

	if (n->how == SIGEV_SIGNAL && n->signo) {
		siginfo_user(&si, n->signo, SI_MESGQ);
		si.rt.value.sival_ptr = n->value;
		(void)!signal_send_process(n->owner, &si);
	}
	notify_drop(n, NOTIFY_WOKENUP);
}

/* Takes the registration out, if it is p's, or with NULL whosever; false: there is none. */
static bool notify_take_locked(struct mqueue *q, const struct process *p, struct mq_notify *out)
{
	if (!q->notify.owner || (p && q->notify.owner != p))
		return false;
	*out = q->notify;
	q->notify = (struct mq_notify){ 0 };
	return true;
}

static void notify_cancel(struct mqueue *q)
{
	struct mq_notify n;
	bool had;

	spin_lock(&q->lock);
	had = notify_take_locked(q, curtask()->process, &n);
	spin_unlock(&q->lock);
	if (had)
		notify_drop(&n, NOTIFY_REMOVED);
}

/* What ev asks for, in kernel terms. */
static int notify_import(const struct abi_sigevent *ev, struct mq_notify *n)
{
	struct fdref r;
	int err;

	*n = (struct mq_notify){ .how = ev->sigev_notify,
				 .signo = ev->sigev_signo,
				 .value = ev->sigev_value.sival_ptr };
	switch (ev->sigev_notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
		return ev->sigev_signo < 0 || ev->sigev_signo > _NSIG ? -EINVAL : 0;
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	if (copy_from_user(n->cookie, UADDR(n->value), NOTIFY_COOKIE_LEN))
		return -EFAULT;
	r = fdref_get(ev->sigev_signo);
	if (!r.file)
		return -EBADF;
	if (!(err = netlink_can_give(r.file))) {
		n->sock = r.file;
		file_get(n->sock);
	}
	fdref_put(r);
	return err;
}

int mqueue_notify(struct file *f, const struct abi_sigevent *ev)
{
	struct mqueue *q = queue_of(f);
	struct mq_notify n;
	int err;

	if (!ev) {
		if (q)
			notify_cancel(q);
		return q ? 0 : -EBADF;
	}
	if ((err = notify_import(ev, &n)))
		return err;
	if (!q) {
		err = -EBADF;
		goto out;
	}
	spin_lock(&q->lock);
	if (q->notify.owner) {
		err = -EBUSY;
	} else {
		n.owner = curtask()->process;
		process_get(n.owner);
		q->notify = n;
		q->inode.atime = q->inode.ctime = clock_real();
	}
	spin_unlock(&q->lock);
out:
	if (err && n.sock)
		file_put(n.sock);
	return err;
}

/* --- send and receive --- */

static int message_import(const struct mqueue *q, uaddr_t text, uint64_t len, uint32_t prio,
			  struct message **out)
{
	struct message *m;

	if (len > (uint64_t)q->attr.mq_msgsize)
		return -EMSGSIZE;
	m = kmalloc(sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	m->prio = prio;
	m->len = (uint32_t)len;
	if (copy_from_user(m->text, text, len)) {
		kfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

int mqueue_send(struct file *f, uaddr_t text, uint64_t len, uint32_t prio, nsec_t deadline)
{
	struct mqueue *q = queue_of(f);
	bool fire = false, announce = false, nowait;
	struct sleeper self, *receiver;
	struct mq_notify n;
	struct message *m;
	int err;

	if (!q || !(f->mode & FMODE_WRITE))
		return -EBADF;
	if ((err = message_import(q, text, len, prio, &m)))
		return err;
	nowait = atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK;
	spin_lock(&q->lock);
	if (is_full(q)) {
		if (!nowait)
			queue_up(&q->senders, &self, m);
		spin_unlock(&q->lock);
		if ((err = nowait ? -EAGAIN : wait_served(q, &self, deadline)))
			kfree(m);
		return err;
	}
	if ((receiver = first_sleeper(&q->receivers))) {
		serve(receiver, m);
	} else {
		announce = true;
		fire = atomic_load_explicit(&q->count, memory_order_relaxed) == 0 &&
		       notify_take_locked(q, NULL, &n);
		insert(q, m);
	}
	touch(q);
	spin_unlock(&q->lock);
	if (announce)
		waitq_wake_all(&q->polled, EPOLLIN | EPOLLRDNORM);
	if (fire)
		notify_fire(&n);
	return 0;
}

/* The next message, or -EAGAIN and the like. */
static int receive(struct mqueue *q, bool nowait, nsec_t deadline, struct message **out)
{
	struct sleeper self, *sender;
	struct message *m;
	int err;

	spin_lock(&q->lock);
	m = take(q);
	if (!m) {
		if (!nowait)
			queue_up(&q->receivers, &self, NULL);
		spin_unlock(&q->lock);
		if (!(err = nowait ? -EAGAIN : wait_served(q, &self, deadline)))
			*out = self.m;
		return err;
	}
	if ((sender = first_sleeper(&q->senders))) {
		insert(q, sender->m);
		serve(sender, NULL);
	}
	touch(q);
	spin_unlock(&q->lock);
	if (!sender)
		waitq_wake_all(&q->polled, EPOLLOUT | EPOLLWRNORM);
	*out = m;
	return 0;
}

ssize64_t mqueue_receive(struct file *f, uaddr_t text, uint64_t len, uint32_t *prio,
			 nsec_t deadline)
{
	struct mqueue *q = queue_of(f);
	struct message *m;
	ssize64_t res;
	int err;

	if (!q || !(f->mode & FMODE_READ))
		return -EBADF;
	if (len < (uint64_t)q->attr.mq_msgsize)
		return -EMSGSIZE;
	if ((err = receive(q, atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK,
			   deadline, &m)))
		return err;
	*prio = m->prio;
	res = copy_to_user(text, m->text, m->len) ? -EFAULT : (ssize64_t)m->len;
	kfree(m);
	return res;
}

int mqueue_getattr(struct file *f, struct abi_mq_attr *out)
{
	struct mqueue *q = queue_of(f);

	if (!q)
		return -EBADF;
	*out = q->attr;
	out->mq_flags = atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK;
	out->mq_curmsgs = (int64_t)atomic_load_explicit(&q->count, memory_order_relaxed);
	return 0;
}

/* --- as a file --- */

static ssize64_t mqueue_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct mqueue *q = queue_of(f);
	struct mq_notify n;
	char text[96];
	uint64_t bytes;
	int pid = 0;
	size_t len;

	spin_lock(&q->lock);
	bytes = q->bytes;
	n = q->notify;
	if (n.owner)
		pid = (int)n.owner->pid->nr;
	spin_unlock(&q->lock);
	len = fmt(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		  (unsigned long)bytes, pid ? n.how : 0, pid && n.how == SIGEV_SIGNAL ? n.signo : 0,
		  pid);
	if (*pos >= (off64_t)len)
		return 0;
	len = uio_put(u, text + *pos, len - (size_t)*pos);
	*pos += (off64_t)len;
	return len ? (ssize64_t)len : -EFAULT;
}

static uint32_t mqueue_poll(struct file *f, struct poll_ctx *ctx)
{
	struct mqueue *q = queue_of(f);
	uint32_t events = 0;

	poll_wait(ctx, &q->polled);
	if (atomic_load(&q->count) > 0)
		events |= EPOLLIN | EPOLLRDNORM;
	if (!is_full(q))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

/* Every close of the process that is registered ends that, by whichever descriptor. */
static int mqueue_flush(struct file *f)
{
	notify_cancel(queue_of(f));
	return 0;
}

const struct file_ops mqueue_file_ops = {
	.read = mqueue_read,
	.seek = generic_seek,
	.poll = mqueue_poll,
	.flush = mqueue_flush,
	.flags = FOP_CAN_POLL,
};
