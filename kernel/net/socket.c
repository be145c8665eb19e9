/*
 * Sockets as files: sockfs, the operations that a descriptor has, and the way from a call to the
 * protocol family. What is here runs for every byte sent, so it adds little: no copy, no lock, no
 * allocation; a protocol gets the caller's uio.
 *
 * Sources: socket(2), socket(7), send(2), recv(2).
 */

#include "net/socket.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/statfs.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "core/ktrace.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "lib/fmt.h"
#include "net/filter.h"
#include "vfs/fcntl.h"
#include "vfs/file.h"
#include "vfs/lock.h"
#include "vfs/poll.h"
#include "vm/usercopy.h"

int net_somaxconn = SOMAXCONN, net_wmem_default = 212992, net_wmem_max = 212992,
    net_rmem_default = 212992, net_rmem_max = 212992, net_optmem_max = 20480;

bool (*net_pid_exists)(uint32_t pid);
int64_t (*net_device_ioctl)(struct socket *s, unsigned cmd, uint64_t arg);

/* Sockets with a file: opened minus closed on each CPU. */
static PERCPU(int64_t, open_sockets);
static struct superblock *sockfs;
static struct net_family *families; /* immutable after boot */

static void sockfs_free_inode(struct inode *i)
{
	struct socket *s = container_of(i, struct socket, inode);

	filter_free(atomic_exchange(&s->filter, NULL));
	s->ops->destroy(s);
}

void net_init(void)
{
	static const struct super_ops ops = { .free_inode = sockfs_free_inode };
	static const struct fs_type type = { .name = "sockfs" };

	if (superblock_create(&type, &ops, &sockfs))
		panic("no memory for sockfs");
	sockfs->magic = SOCKFS_MAGIC;
}

uint64_t socket_count(void)
{
	int64_t sum = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		sum += of_cpu(open_sockets, cpu);
	return sum > 0 ? (uint64_t)sum : 0;
}

void net_family_register(struct net_family *f)
{
	f->next = families;
	families = f;
}

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	inode_init(&s->inode, sockfs, NULL, S_IFSOCK | 0777, inode_next_ino());
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	waitq_init(&s->readable);
	waitq_init(&s->writable);
	atomic_init(&s->file, NULL);
	atomic_init(&s->error, 0);
	atomic_init(&s->bits, 0);
	s->sndbuf = (uint32_t)net_wmem_default;
	s->rcvbuf = (uint32_t)net_rmem_default;
	s->rcvlowat = 1;
	atomic_init(&s->peek_off, -1);
	s->sndtimeo = s->rcvtimeo = NSEC_MAX;
	s->linger_s = s->priority = s->mark = 0;
	s->bound_if = 0;
	atomic_init(&s->filter, NULL);
	s->ts_flags = s->busy_poll = s->busy_budget = 0;
	atomic_init(&s->ts_key, 0);
	atomic_init(&s->copy_key, 0);
	s->incoming_cpu = -1;
	s->txtime = (struct abi_sock_txtime){ 0, 0 };
	s->txrehash = family == AF_INET || family == AF_INET6;
}

int socket_create(int family, int type, int protocol, struct socket **out)
{
	struct net_family *f = families;

	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type > SOCK_PACKET)
		return -EINVAL;
	while (f != NULL && f->family != family)
		f = f->next;
	return f == NULL ? -EAFNOSUPPORT : f->create(type, protocol, out);
}

static void discard(struct socket *s)
{
	s->ops->release(s);
	socket_put(s);
}

int socket_create_pair(int family, int type, int protocol, struct socket *out[2])
{
	struct socket *a, *b;
	int err;

	if ((err = socket_create(family, type, protocol, &a)))
		return err;
	if (a->ops->pair == NULL)
		err = -EOPNOTSUPP;
	else if (!(err = socket_create(family, type, protocol, &b)) && (err = a->ops->pair(a, b)))
		discard(b);
	if (err) {
		discard(a);
		return err;
	}
	out[0] = a;
	out[1] = b;
	return 0;
}

int socket_accept(struct socket *s, bool nonblock, struct socket **out)
{
	int err = s->ops->accept ? s->ops->accept(s, nonblock, out) : -EOPNOTSUPP;

	ktrace(KT_NET, accept, s->inode.ino, s->family, err ? 0 : (*out)->inode.ino, err, 0, 0);
	return err;
}

int socket_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	int err = s->ops->connect ? s->ops->connect(s, addr, len, nonblock) : -EOPNOTSUPP;

	ktrace(KT_NET, connect, s->inode.ino, s->family, len, err, 0, 0);
	return err;
}

int socket_listen(struct socket *s, int backlog)
{
	uint32_t n = MIN((uint32_t)backlog, (uint32_t)net_somaxconn);

	return s->ops->listen ? s->ops->listen(s, n) : -EOPNOTSUPP;
}

ssize64_t socket_send(struct socket *s, struct sockmsg *m)
{
	size_t asked = m->uio->resid;
	ssize64_t n = s->ops->send(s, m);

	ktrace(KT_NET, send, s->inode.ino, s->family, asked, m->flags, n, 0);
	return n;
}

ssize64_t socket_recv(struct socket *s, struct sockmsg *m)
{
	size_t asked = m->uio->resid;
	ssize64_t n = s->ops->recv(s, m);

	ktrace(KT_NET, recv, s->inode.ino, s->family, asked, m->flags, n, m->out_flags);
	return n;
}

/* --- waiting and waking --- */

nsec_t socket_deadline(nsec_t timeout, bool nonblock)
{
	if (nonblock)
		return 0;
	return timeout == NSEC_MAX ? NSEC_MAX : clock_mono() + timeout;
}

static inline int wait(struct socket *s, struct waitq *q, bool (*ready)(struct socket *),
		       nsec_t deadline, bool exclusive)
{
	struct waiter w;
	int err = 0;

	if (deadline == 0)
		return -EAGAIN;
	waiter_init(&w);
	w.exclusive = exclusive;
	for (;;) {
		wait_prepare(q, &w, THREAD_SLEEP_INTR);
		if (ready(s) || (err = wait_sleep(deadline)))
			break;
	}
	wait_finish(q, &w);
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return err && deadline != NSEC_MAX ? -EINTR : err;
}

int socket_wait(struct socket *s, struct waitq *q, bool (*ready)(struct socket *), nsec_t deadline)
{
	return wait(s, q, ready, deadline, false);
}

int socket_wait_accept(struct socket *s, bool (*ready)(struct socket *), nsec_t deadline)
{
	return wait(s, &s->readable, ready, deadline, true);
}

/* Signals to the owner of the file, from wherever data moves, locks held or not: no reference is
 * taken, whose end might be the file's. Its memory outlives the epoch, and the owner is in it. */
static NOINLINE void send_sigio(struct socket *s, uint32_t events)
{
	int band = events & EPOLLPRI ? POLL_PRI : events & EPOLLIN ? POLL_IN : POLL_OUT;
	struct file *f;

	epoch_enter();
	if ((f = atomic_load_explicit(&s->file, memory_order_acquire)) != NULL)
		file_send_sigio(f, band);
	epoch_exit();
}

void socket_send_sigurg(struct socket *s)
{
	struct file *f;

	epoch_enter();
	if ((f = atomic_load_explicit(&s->file, memory_order_acquire)) != NULL)
		file_send_sigurg(f);
	epoch_exit();
}

static inline bool is_async(struct socket *s)
{
	struct file *f = atomic_load_explicit(&s->file, memory_order_acquire);

	return f != NULL && atomic_load_explicit(&f->flags, memory_order_relaxed) & O_ASYNC;
}

static inline void tell_owner(struct socket *s, uint32_t events)
{
	bool async;

	epoch_enter();
	async = is_async(s);
	epoch_exit();
	if (UNLIKELY(async))
		send_sigio(s, events);
}

void socket_wake(struct socket *s, struct waitq *q, uint32_t events)
{
	waitq_wake_all(q, events);
	tell_owner(s, events);
}

void socket_wake_accept(struct socket *s)
{
	waitq_wake_one(&s->readable, EPOLLIN | EPOLLRDNORM);
	tell_owner(s, EPOLLIN);
}

void socket_wake_state(struct socket *s, uint32_t events)
{
	waitq_wake_all(&s->readable, events);
	socket_wake(s, &s->writable, events);
}

/* --- sockets as files --- */

static inline struct socket *priv_socket(const struct file *f)
{
	return f->priv;
}

static inline uint32_t nonblock_flag(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK ? MSG_DONTWAIT
										  : 0;
}

static ssize64_t socket_file_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct sockmsg m = { .uio = u, .flags = nonblock_flag(f) };

	(void)pos;
	if (u->resid == 0)
		return 0;
	return socket_recv(priv_socket(f), &m);
}

static ssize64_t socket_file_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct sockmsg m = { .uio = u, .flags = nonblock_flag(f) };

	(void)pos;
	if (UNLIKELY(u->space == UIO_PAGES_MORE))
		m.flags |= MSG_MORE;
	return socket_send(priv_socket(f), &m);
}

static uint32_t socket_file_poll(struct file *f, struct poll_ctx *ctx)
{
	struct socket *s = priv_socket(f);
	uint32_t ready;

	poll_wait(ctx, &s->readable);
	poll_wait(ctx, &s->writable);
	ready = s->ops->poll(s, ctx);
	ktrace(KT_NET, poll, s->inode.ino, s->family, ready, 0, 0, 0);
	return ready;
}

static int64_t set_owner(struct file *f, uint64_t arg)
{
	uint32_t who;

	if (get_user_u32(&who, UADDR(arg)))
		return -EFAULT;
	return file_fcntl(f, -1, F_SETOWN, who);
}

static int64_t socket_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct socket *s = priv_socket(f);
	int64_t ret;

	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
		return set_owner(f, arg);
	case FIOGETOWN:
	case SIOCGPGRP:
		return put_user_u32(UADDR(arg), (uint32_t)file_fcntl(f, -1, F_GETOWN, 0));
	}
	ret = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
	if (ret == -ENOTTY && net_device_ioctl != NULL)
		ret = net_device_ioctl(s, cmd, arg);
	return ret;
}

static void socket_file_release(struct file *f)
{
	struct socket *s = priv_socket(f);

	atomic_store_explicit(&s->file, NULL, memory_order_release);
	this_cpu(open_sockets)--;
	/* Nobody can lock it any more. The protocol's last reference may go where one must not
	 * sleep, which the inode's end does when it has such a list. */
	if (UNLIKELY(atomic_load_explicit(&f->inode->locks, memory_order_relaxed) != NULL))
		file_lock_free_list(f->inode);
	s->ops->release(s);
}

static int socket_file_mmap(struct file *f, struct vm_map_args *a)
{
	struct socket *s = priv_socket(f);

	return s->ops->mmap ? s->ops->mmap(s, a) : -ENODEV;
}

/* open(2) through /proc/PID/fd: a socket cannot be opened again. */
static int socket_file_open(struct inode *i, struct file *f)
{
	(void)i, (void)f;
	return -ENXIO;
}

static void socket_show_name(struct file *f, struct textbuf *t)
{
	text_f(t, "socket:[%lu]", (unsigned long)f->inode->ino);
}

static void socket_show_fdinfo(struct file *f, struct textbuf *t)
{
	struct socket *s = priv_socket(f);

	if (s->ops->show_fdinfo)
		s->ops->show_fdinfo(s, t);
}

#define SOCKET_FILE_OPS(more)                                                                   \
	{                                                                                       \
		.open = socket_file_open, .release = socket_file_release,                       \
		.read = socket_file_read, .write = socket_file_write, .poll = socket_file_poll, \
		.ioctl = socket_file_ioctl, .mmap = socket_file_mmap,                           \
		.show_name = socket_show_name, .show_fdinfo = socket_show_fdinfo,               \
		.flags = FOP_STREAM | FOP_CAN_POLL | FOP_ASYNC | (more),                        \
	}
static const struct file_ops socket_file_ops = SOCKET_FILE_OPS(0);
static const struct file_ops quiet_file_ops = SOCKET_FILE_OPS(FOP_NO_SIGPIPE);

struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_file_ops || f->ops == &quiet_file_ops ? f->priv : NULL;
}

int socket_open_file(struct socket *s, unsigned flags, struct file **out)
{
	const struct file_ops *ops =
		s->ops->flags & SOCKET_SIGPIPE ? &socket_file_ops : &quiet_file_ops;
	struct file *f;
	int err;

	s->inode.fops = ops;
	socket_get(s); /* making the file takes one, also when it fails */
	err = file_create_pseudo(&s->inode, "", ops, s, O_RDWR | flags, &f);
	if (err) {
		s->ops->release(s);
	} else {
		atomic_store_explicit(&s->file, f, memory_order_release);
		this_cpu(open_sockets)++;
		*out = f;
	}
	socket_put(s);
	return err;
}
