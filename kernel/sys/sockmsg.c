/* Sending and receiving: send(2), recv(2), sendmmsg(2), recvmmsg(2). */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/signal.h"
#include "core/clock.h"
#include "net/socket.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "sys/sockaddr.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

enum { MAX_RW = 0x7ffff000, MMSG_MAX = UIO_MAX_IOV };

static uint32_t nonblock(struct sockref r)
{
	return sock_is_nonblock(r) ? MSG_DONTWAIT : 0;
}

static NOINLINE void send_sigpipe(void)
{
	struct abi_siginfo si;

	siginfo_user(&si, SIGPIPE, SI_USER);
	(void)!signal_send_task(curtask(), &si);
}

static ssize64_t finish_send(struct socket *s, ssize64_t n, uint32_t flags)
{
	if (UNLIKELY(n == -EPIPE) && s->ops->flags & SOCKET_SIGPIPE && !(flags & MSG_NOSIGNAL))
		send_sigpipe();
	return n;
}

int64_t sys_sendto(int32_t sockfd, uaddr_t buf, uint64_t len, uint32_t flags, uaddr_t dest_addr,
		   int32_t addrlen)
{
	struct abi_sockaddr_storage name;
	struct sockmsg m = { .flags = flags };
	struct sockref r;
	struct uio u;
	int64_t n;

	len = MIN(len, (uint64_t)MAX_RW);
	if (!user_range_ok(buf, len))
		return -EFAULT;
	if ((n = sock_get(sockfd, &r)))
		return n;
	uio_init_user(&u, buf, len);
	m.uio = &u;
	m.flags |= nonblock(r);
	if (!uaddr_is_null(dest_addr)) {
		n = sockaddr_get(&name, dest_addr, addrlen);
		m.name = &name;
		m.namelen = (uint32_t)addrlen;
	}
	if (!n)
		n = finish_send(r.s, socket_send(r.s, &m), flags);
	sock_put(r);
	return n;
}

int64_t sys_recvfrom(int32_t sockfd, uaddr_t buf, uint64_t len, uint32_t flags, uaddr_t src_addr,
		     uaddr_t addrlen)
{
	struct abi_sockaddr_storage name;
	struct sockmsg m = { .flags = flags };
	struct sockref r;
	struct uio u;
	int64_t n;
	int err;

	len = MIN(len, (uint64_t)MAX_RW);
	if (!user_range_ok(buf, len))
		return -EFAULT;
	if ((n = sock_get(sockfd, &r)))
		return n;
	uio_init_user(&u, buf, len);
	m.uio = &u;
	m.flags |= nonblock(r);
	if (!uaddr_is_null(src_addr))
		m.name = &name;
	n = socket_recv(r.s, &m);
	if (n >= 0 && m.name != NULL && (err = sockaddr_put(&name, m.namelen, src_addr, addrlen)))
		n = err;
	sock_put(r);
	return n;
}

/* --- struct msghdr --- */

/* One that was copied in: its vector, name and control data. */
struct call {
	struct abi_msghdr h;
	struct iovec64 fixed[UIO_INLINE], *heap;
	struct uio u;
	struct abi_sockaddr_storage name;
	struct sockmsg m;
	uint64_t small[16]; /* control data, when it is short */
};

/* -EMSGSIZE: too many segments, as sendmsg(2) says, where readv(2) says -EINVAL. */
static int import_header(struct call *c, uaddr_t msg, uint32_t flags)
{
	int err;

	c->heap = NULL;
	if (copy_from_user(&c->h, msg, sizeof(c->h)))
		return -EFAULT;
	if (c->h.msg_name == 0)
		c->h.msg_namelen = 0;
	if (c->h.msg_namelen < 0)
		return -EINVAL;
	if (c->h.msg_iovlen > UIO_MAX_IOV)
		return -EMSGSIZE;
	if ((err = uio_import(&c->u, UADDR(c->h.msg_iov), c->h.msg_iovlen, c->fixed, &c->heap)))
		return err;
	uio_truncate(&c->u, MAX_RW);
	c->m = (struct sockmsg){ .uio = &c->u, .flags = flags };
	return 0;
}

static int import_name(struct call *c)
{
	uint32_t n = MIN((uint32_t)c->h.msg_namelen, (uint32_t)SOCKADDR_MAX);

	c->m.name = n ? &c->name : NULL;
	c->m.namelen = n;
	return n ? copy_from_user(&c->name, UADDR(c->h.msg_name), n) : 0;
}

static int import_control(struct call *c)
{
	uint64_t n = c->h.msg_control ? c->h.msg_controllen : 0;

	if (n == 0)
		return 0;
	if (n > (uint64_t)net_optmem_max)
		return -ENOBUFS;
	c->m.control = n <= sizeof(c->small) ? c->small : kmalloc(n);
	if (c->m.control == NULL)
		return -ENOBUFS;
	c->m.control_len = n;
	return copy_from_user(c->m.control, UADDR(c->h.msg_control), n);
}

static void call_fini(struct call *c)
{
	kfree(c->heap);
	if (c->m.control != c->small)
		kfree(c->m.control);
}

static int64_t send_msg(struct sockref r, uaddr_t msg, uint32_t flags)
{
	struct call c;
	int64_t n;

	c.m.control = NULL;
	if ((n = import_header(&c, msg, flags | nonblock(r))) == 0 && (n = import_name(&c)) == 0 &&
	    (n = import_control(&c)) == 0)
		n = finish_send(r.s, socket_send(r.s, &c.m), flags);
	call_fini(&c);
	return n;
}

int64_t sys_sendmsg(int32_t sockfd, uaddr_t msg, uint32_t flags)
{
	struct sockref r;
	int64_t n = flags & MSG_CMSG_COMPAT ? -EINVAL : sock_get(sockfd, &r);

	if (n)
		return n;
	n = send_msg(r, msg, flags);
	sock_put(r);
	return n;
}

/* The fields of the user's header that recvmsg(2) changes. */
static int export_header(struct call *c, uaddr_t msg, uint32_t flags)
{
	uint64_t used = c->m.ucontrol.a - c->h.msg_control;
	uint32_t out = c->m.out_flags | (flags & MSG_CMSG_CLOEXEC);
	uint32_t room = (uint32_t)c->h.msg_namelen;

	if (c->m.name != NULL &&
	    (copy_to_user(UADDR(c->h.msg_name), &c->name, MIN(room, c->m.namelen)) ||
	     put_user_u32(uaddr_add(msg, offsetof(struct abi_msghdr, msg_namelen)), c->m.namelen)))
		return -EFAULT;
	if (put_user_u32(uaddr_add(msg, offsetof(struct abi_msghdr, msg_flags)), out) ||
	    put_user_u64(uaddr_add(msg, offsetof(struct abi_msghdr, msg_controllen)), used))
		return -EFAULT;
	return 0;
}

static int64_t recv_msg(struct sockref r, uaddr_t msg, uint32_t flags)
{
	struct call c;
	int64_t n;
	int err;

	if ((n = import_header(&c, msg, flags | nonblock(r))) == 0) {
		c.m.name = c.h.msg_name ? &c.name : NULL;
		c.m.ucontrol = UADDR(c.h.msg_control);
		c.m.control_len = c.h.msg_control ? c.h.msg_controllen : 0;
		n = socket_recv(r.s, &c.m);
		if (n >= 0 && (err = export_header(&c, msg, flags)))
			n = err;
	}
	kfree(c.heap);
	return n;
}

int64_t sys_recvmsg(int32_t sockfd, uaddr_t msg, uint32_t flags)
{
	struct sockref r;
	int64_t n = flags & MSG_CMSG_COMPAT ? -EINVAL : sock_get(sockfd, &r);

	if (n)
		return n;
	n = recv_msg(r, msg, flags);
	sock_put(r);
	return n;
}

/* --- many at a time --- */

static uaddr_t nth(uaddr_t vec, uint32_t i)
{
	return uaddr_add(vec, i * sizeof(struct abi_mmsghdr));
}

static int put_len(uaddr_t one, int64_t n)
{
	return put_user_u32(uaddr_add(one, offsetof(struct abi_mmsghdr, msg_len)), (uint32_t)n);
}

int64_t sys_sendmmsg(int32_t sockfd, uaddr_t msgvec, uint32_t vlen, uint32_t flags)
{
	struct sockref r;
	uint32_t done = 0;
	int64_t n = flags & MSG_CMSG_COMPAT ? -EINVAL : sock_get(sockfd, &r);

	if (n)
		return n;
	vlen = MIN(vlen, (uint32_t)MMSG_MAX);
	while (done < vlen && n >= 0) {
		n = send_msg(r, nth(msgvec, done), flags);
		if (n >= 0 && (n = put_len(nth(msgvec, done), n)) == 0)
			done++;
		thread_resched_point();
	}
	sock_put(r);
	return done ? done : n;
}

/* recvmmsg(2): the time is looked at after each message. */
static int64_t recv_many(struct sockref r, uaddr_t msgvec, uint32_t vlen, uint32_t flags,
			 nsec_t deadline)
{
	uint32_t done = 0;
	int64_t n = 0;

	while (done < vlen && n >= 0) {
		n = recv_msg(r, nth(msgvec, done), flags & ~(uint32_t)MSG_WAITFORONE);
		if (n >= 0 && (n = put_len(nth(msgvec, done), n)) == 0)
			done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != NSEC_MAX && clock_mono() >= deadline)
			break;
		thread_resched_point();
	}
	if (done == 0)
		return n;
	/* The next call is told of an error that ended this one. */
	if (n < 0 && n != -EAGAIN && n != -ERESTARTSYS && n != -EINTR)
		atomic_store(&r.s->error, (int)-n);
	return done;
}

int64_t sys_recvmmsg(int32_t sockfd, uaddr_t msgvec, uint32_t vlen, uint32_t flags, uaddr_t timeout)
{
	nsec_t span, deadline = NSEC_MAX, left;
	struct sockref r;
	int64_t n;
	int err;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (!uaddr_is_null(timeout)) {
		if ((err = get_user_timespec(&span, timeout)))
			return err;
		deadline = deadline_after(span);
	}
	if ((n = sock_get(sockfd, &r)))
		return n;
	if ((n = socket_take_error(r.s)) == 0)
		n = recv_many(r, msgvec, MIN(vlen, (uint32_t)MMSG_MAX), flags, deadline);
	sock_put(r);
	if (n > 0 && deadline != NSEC_MAX) {
		left = deadline - clock_mono();
		if (put_user_timespec(timeout, MAX(left, 0)))
			return -EFAULT;
	}
	return n;
}
