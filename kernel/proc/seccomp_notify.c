/*
 * SECCOMP_RET_USER_NOTIF: another process answers system calls, through a file. A call that is
 * asked about is a `struct request` on its task's stack, in the listener's list until its task goes
 * on; it is new, then sent, once somebody has read it, then answered. Descriptors for the task
 * (SECCOMP_IOCTL_NOTIF_ADDFD) hang on the request, and the task puts them into its table itself.
 *
 * Two hold a listener, the filter and the file. Without the filter the file says EPOLLHUP; without
 * the file all calls are ENOSYS. Everything is under listener->lock (SECCOMP), which a request's
 * task takes before it leaves, so that whoever holds the lock may use what is in the list.
 *
 * Source: seccomp(2), seccomp_unotify(2), and Linux's answers (tests/guest/proc/seccomp_notify.c).
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/seccomp.h"
#include "core/random.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "proc/seccomp.h"
#include "sched/wait.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/poll.h"
#include "vm/usercopy.h"

/* What headers before Linux 5.9 have; it goes on working. */
#define NOTIF_ID_VALID_OLD _IOR('!', 2, uint64_t)

struct seccomp_listener {
	struct ref ref; /* filter and file */
	struct spinlock lock;
	struct list requests; /* in their order */
	/* Requests that have come, less those that a reader has looked for: one of these finds
	 * nothing when the call was interrupted, and says so. */
	unsigned tickets;
	uint64_t next_id;
	bool no_filter, no_file;
	bool wait_killable; /* immutable: what has been read is interrupted by fatal signals only */
	struct waitq events; /* readers and pollers */
};

enum state { NEW, SENT, ANSWERED };

struct request {
	struct list node;
	enum state state;
	uint64_t id;
	uint32_t tid;
	const struct abi_seccomp_data *data;
	int64_t ret; /* answered */
	bool go_on;  /* answered: the call is to be made */
	struct list adds;
	struct waitq changed; /* its task waits here */
};

/* A descriptor for a request's task; on the stack of who asks for it. */
struct add {
	struct list node;
	struct file *file; /* counted, until it is in the table */
	bool is_at, cloexec, answers;
	int fd; /* is_at: which */
	int64_t ret;
	bool done;
	struct waitq changed;
};

static void listener_put(struct seccomp_listener *l)
{
	if (ref_put(&l->ref))
		kfree(l);
}

void seccomp_listener_put(struct seccomp_listener *l)
{
	if (l == NULL)
		return;
	spin_lock(&l->lock);
	l->no_filter = true;
	waitq_wake_all(&l->events, EPOLLHUP | EPOLLIN);
	spin_unlock(&l->lock);
	listener_put(l);
}

static void answer_locked(struct request *r, int64_t ret, bool go_on)
{
	r->ret = ret;
	r->go_on = go_on;
	r->state = ANSWERED;
	waitq_wake_all(&r->changed, 0);
}

static struct request *find_locked(struct seccomp_listener *l, uint64_t id)
{
	struct request *r;

	list_for_each (r, &l->requests, node)
		if (r->id == id)
			return r;
	return NULL;
}

/* --- the task's side --- */

/* The running task puts the file of `a`, which nobody else has any more, into its table. */
static void do_add(struct seccomp_listener *l, struct request *r, struct add *a)
{
	int fd = a->is_at ? fd_replace(a->file, a->fd, a->cloexec) : fd_add(a->file, a->cloexec);

	spin_lock(&l->lock);
	if (fd >= 0)
		a->file = NULL;
	if (a->answers && fd >= 0)
		answer_locked(r, fd, false);
	else if (a->answers)
		r->state = SENT;
	a->ret = fd;
	a->done = true;
	waitq_wake_all(&a->changed, 0);
	spin_unlock(&l->lock);
}

static struct add *take_add_locked(struct request *r)
{
	struct add *a;

	if (list_is_empty(&r->adds))
		return NULL;
	a = list_first(&r->adds, struct add, node);
	list_remove(&a->node);
	return a;
}

/* One wait for something to do. True: the answer is there; *err: a signal is. */
static bool wait_once(struct seccomp_listener *l, struct request *r, int *err)
{
	bool killable, answered;
	struct waiter w;
	struct add *a;

	spin_lock(&l->lock);
	killable = l->wait_killable && r->state != NEW;
	spin_unlock(&l->lock);
	waiter_init(&w);
	wait_prepare(&r->changed, &w, killable ? THREAD_SLEEP_KILL : THREAD_SLEEP_INTR);
	spin_lock(&l->lock);
	a = take_add_locked(r);
	answered = a == NULL && r->state == ANSWERED;
	spin_unlock(&l->lock);
	*err = a != NULL || answered ? 0 : wait_sleep(NSEC_MAX);
	wait_finish(&r->changed, &w);
	if (a != NULL)
		do_add(l, r, a);
	/* Read meanwhile: it is to be waited for in the other way. */
	if (*err && l->wait_killable && !killable && !fatal_signal_pending() && r->state != NEW)
		*err = 0;
	return answered;
}

/* Takes the request back; who wanted to add descriptors hears that. */
static void withdraw_locked(struct request *r)
{
	struct add *a;

	list_remove(&r->node);
	while ((a = take_add_locked(r)) != NULL) {
		if (a->answers)
			r->state = SENT;
		a->ret = -ESRCH;
		a->done = true;
		waitq_wake_all(&a->changed, 0);
	}
}

bool seccomp_ask(struct seccomp_listener *l, const struct abi_seccomp_data *d, int64_t *ret)
{
	struct request r = { .state = NEW, .tid = curtask()->pid->nr, .data = d, .ret = -ENOSYS };
	int err = 0;

	list_init(&r.adds);
	waitq_init(&r.changed);
	spin_lock(&l->lock);
	if (l->no_file) {
		spin_unlock(&l->lock);
		*ret = -ENOSYS;
		return false;
	}
	r.id = l->next_id++;
	l->tickets++;
	list_add_tail(&l->requests, &r.node);
	waitq_wake_all(&l->events, EPOLLIN | EPOLLRDNORM);
	spin_unlock(&l->lock);
	while (!wait_once(l, &r, &err) && !err)
		continue;
	spin_lock(&l->lock);
	withdraw_locked(&r);
	spin_unlock(&l->lock);
	*ret = r.state == ANSWERED ? r.ret : err;
	return r.state == ANSWERED && r.go_on;
}

/* --- the listener's side --- */

/* -EINTR; 0: there was a ticket, now taken. */
static int take_ticket(struct seccomp_listener *l)
{
	struct waiter w;
	int err = 0;
	bool got;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&l->events, &w, THREAD_SLEEP_INTR);
		spin_lock(&l->lock);
		if ((got = l->tickets > 0))
			l->tickets--;
		got |= l->no_filter; /* none will come */
		spin_unlock(&l->lock);
		if (got || (err = wait_sleep(NSEC_MAX)))
			break;
	}
	wait_finish(&l->events, &w);
	return err ? -EINTR : 0;
}

static struct request *find_new_locked(struct seccomp_listener *l)
{
	struct request *r;

	list_for_each (r, &l->requests, node)
		if (r->state == NEW)
			return r;
	return NULL;
}

/* It could not be copied: the next reader gets it. */
static void unsend(struct seccomp_listener *l, uint64_t id)
{
	struct request *r;

	spin_lock(&l->lock);
	r = find_locked(l, id);
	if (r != NULL && r->state == SENT) {
		r->state = NEW;
		l->tickets++;
		waitq_wake_all(&l->events, EPOLLIN | EPOLLRDNORM);
	}
	spin_unlock(&l->lock);
}

static int64_t notif_recv(struct seccomp_listener *l, uaddr_t to)
{
	static const struct abi_seccomp_notif zero;
	struct abi_seccomp_notif n;
	struct request *r;
	int err;

	if (copy_from_user(&n, to, sizeof(n)))
		return -EFAULT;
	if (memcmp(&n, &zero, sizeof(n)) != 0)
		return -EINVAL;
	if ((err = take_ticket(l)))
		return err;
	spin_lock(&l->lock);
	if ((r = find_new_locked(l)) != NULL) {
		n.id = r->id;
		n.pid = r->tid;
		n.data = *r->data;
		r->state = SENT;
		waitq_wake_all(&r->changed, 0);
		waitq_wake_all(&l->events, EPOLLOUT | EPOLLWRNORM);
	}
	spin_unlock(&l->lock);
	if (r == NULL)
		return -ENOENT;
	if (copy_to_user(to, &n, sizeof(n))) {
		unsend(l, n.id);
		return -EFAULT;
	}
	return 0;
}

static int64_t notif_send(struct seccomp_listener *l, uaddr_t from)
{
	struct abi_seccomp_notif_resp a;
	struct request *r;
	int64_t err = 0;
	bool go_on;

	if (copy_from_user(&a, from, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~(uint32_t)SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -EINVAL;
	go_on = a.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (go_on && (a.error || a.val))
		return -EINVAL;
	spin_lock(&l->lock);
	r = find_locked(l, a.id);
	if (r == NULL)
		err = -ENOENT;
	else if (r->state != SENT)
		err = -EINPROGRESS;
	else
		answer_locked(r, a.error ? a.error : a.val, go_on);
	spin_unlock(&l->lock);
	return err;
}

static int64_t notif_id_valid(struct seccomp_listener *l, uaddr_t from)
{
	struct request *r;
	uint64_t id;
	bool valid;

	if (get_user_u64(&id, from))
		return -EFAULT;
	spin_lock(&l->lock);
	r = find_locked(l, id);
	valid = r != NULL && r->state == SENT;
	spin_unlock(&l->lock);
	return valid ? 0 : -ENOENT;
}

/* --- descriptors for the task --- */

static int64_t post_add(struct seccomp_listener *l, uint64_t id, struct add *a)
{
	struct request *r;
	int64_t err = 0;

	spin_lock(&l->lock);
	r = find_locked(l, id);
	if (r == NULL) {
		err = -ENOENT;
	} else if (r->state != SENT) {
		err = -EINPROGRESS;
	} else if (a->answers && !list_is_empty(&r->adds)) {
		err = -EBUSY;
	} else {
		if (a->answers)
			r->state = ANSWERED; /* by nobody else; do_add() completes it */
		list_add_tail(&r->adds, &a->node);
		waitq_wake_all(&r->changed, 0);
	}
	spin_unlock(&l->lock);
	return err;
}

/* A signal came: true when the task has not begun with it, and will not. */
static bool cancel_add(struct seccomp_listener *l, uint64_t id, struct add *a)
{
	struct request *r;
	struct add *x;
	bool found = false;

	spin_lock(&l->lock);
	r = find_locked(l, id);
	if (r != NULL)
		list_for_each (x, &r->adds, node)
			found |= x == a;
	if (found) {
		list_remove(&a->node);
		if (a->answers)
			r->state = SENT;
	}
	spin_unlock(&l->lock);
	return found;
}

static int64_t wait_add(struct seccomp_listener *l, uint64_t id, struct add *a)
{
	enum thread_state how = THREAD_SLEEP_INTR;
	struct waiter w;
	bool done, cancelled = false;

	waiter_init(&w);
	while (!cancelled) {
		wait_prepare(&a->changed, &w, how);
		spin_lock(&l->lock);
		done = a->done;
		spin_unlock(&l->lock);
		if (done)
			break;
		if (wait_sleep(NSEC_MAX) && !(cancelled = cancel_add(l, id, a)))
			how = THREAD_SLEEP; /* it is being done */
	}
	wait_finish(&a->changed, &w);
	return cancelled ? -ERESTARTSYS : a->ret;
}

static int64_t notif_addfd(struct seccomp_listener *l, uaddr_t from, size_t size)
{
	const uint32_t known = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND;
	struct abi_seccomp_notif_addfd u;
	struct add a = { .done = false };
	int64_t ret;

	if (size < sizeof(u) || size >= PAGE_SIZE)
		return -EINVAL;
	if ((ret = copy_struct_from_user(&u, sizeof(u), from, size)))
		return ret;
	if ((u.newfd_flags & ~(uint32_t)O_CLOEXEC) || (u.flags & ~known) ||
	    (u.newfd && !(u.flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	a.is_at = u.flags & SECCOMP_ADDFD_FLAG_SETFD;
	a.answers = u.flags & SECCOMP_ADDFD_FLAG_SEND;
	a.cloexec = u.newfd_flags & O_CLOEXEC;
	a.fd = (int)u.newfd;
	a.file = fd_get_file((int)u.srcfd);
	if (a.file == NULL)
		return -EBADF;
	waitq_init(&a.changed);
	if ((ret = post_add(l, u.id, &a)) == 0)
		ret = wait_add(l, u.id, &a);
	if (a.file != NULL)
		file_put(a.file);
	return ret;
}

/* --- the file --- */

static int64_t listener_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	const unsigned size_bits = 0x3fffu << _IOC_SIZESHIFT;
	struct seccomp_listener *l = f->priv;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return notif_recv(l, UADDR(arg));
	case SECCOMP_IOCTL_NOTIF_SEND:
		return notif_send(l, UADDR(arg));
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case NOTIF_ID_VALID_OLD:
		return notif_id_valid(l, UADDR(arg));
	}
	if ((cmd & ~size_bits) == (SECCOMP_IOCTL_NOTIF_ADDFD & ~size_bits))
		return notif_addfd(l, UADDR(arg), _IOC_SIZE(cmd));
	return -EINVAL;
}

static uint32_t listener_poll(struct file *f, struct poll_ctx *ctx)
{
	struct seccomp_listener *l = f->priv;
	uint32_t events = 0;
	struct request *r;

	poll_wait(ctx, &l->events);
	spin_lock(&l->lock);
	list_for_each (r, &l->requests, node) {
		if (r->state == NEW)
			events |= EPOLLIN | EPOLLRDNORM;
		else if (r->state == SENT)
			events |= EPOLLOUT | EPOLLWRNORM;
	}
	if (l->no_filter)
		events |= EPOLLHUP;
	spin_unlock(&l->lock);
	return events;
}

static void listener_release(struct file *f)
{
	struct seccomp_listener *l = f->priv;
	struct request *r;

	spin_lock(&l->lock);
	l->no_file = true;
	list_for_each (r, &l->requests, node)
		if (r->state != ANSWERED)
			answer_locked(r, -ENOSYS, false);
	spin_unlock(&l->lock);
	listener_put(l);
}

static const struct file_ops listener_ops = {
	.ioctl = listener_ioctl,
	.poll = listener_poll,
	.release = listener_release,
	.flags = FOP_STREAM | FOP_CAN_POLL,
	.seek = noop_seek,
};

int seccomp_listener_create(bool wait_killable, struct seccomp_listener **out, struct file **file)
{
	struct seccomp_listener *l = kzalloc(sizeof(*l));
	int err;

	if (l == NULL)
		return -ENOMEM;
	ref_init(&l->ref);
	spin_init(&l->lock, RANK_SECCOMP);
	list_init(&l->requests);
	waitq_init(&l->events);
	l->next_id = random_u64();
	l->wait_killable = wait_killable;
	if ((err = file_create_anon("seccomp notify", &listener_ops, l, O_RDWR, file))) {
		kfree(l);
		return err;
	}
	ref_get(&l->ref); /* the file's */
	*out = l;
	return 0;
}
