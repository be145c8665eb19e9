/*
 * Sockets: socket(2), bind(2), connect(2), listen(2), accept(2), getsockname(2), getpeername(2),
 * socketpair(2), shutdown(2), getsockopt(2). Sending and receiving: sys/sockmsg.c.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "net/filter.h"
#include "net/socket.h"
#include "pmm/slab.h"
#include "sys/sockaddr.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

enum { OPTION_SMALL = 64, OPTION_MAX = 65536 * 4 /* SO_PEERGROUPS: NGROUPS_MAX ids */ };

int sock_get(int fd, struct sockref *out)
{
	out->fd = fdref_get(fd);
	if (UNLIKELY(out->fd.file == NULL))
		return -EBADF;
	out->s = socket_of(out->fd.file);
	if (UNLIKELY(out->s == NULL)) {
		fdref_put(out->fd);
		return -ENOTSOCK;
	}
	return 0;
}

int sockaddr_get(struct abi_sockaddr_storage *out, uaddr_t addr, int32_t len)
{
	if (len < 0 || len > SOCKADDR_MAX)
		return -EINVAL;
	return copy_from_user(out, addr, (size_t)len);
}

int sockaddr_put(const void *name, uint32_t n, uaddr_t addr, uaddr_t addrlen)
{
	uint32_t room;

	if (get_user_u32(&room, addrlen))
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (copy_to_user(addr, name, MIN(room, n)))
		return -EFAULT;
	return put_user_u32(addrlen, n);
}

static unsigned file_flags(unsigned flags)
{
	return flags & O_NONBLOCK;
}

int64_t sys_socket(int32_t domain, int32_t type, int32_t protocol)
{
	unsigned flags = (uint32_t)type & ~(uint32_t)SOCK_TYPE_MASK;
	int fd, err;
	struct socket *s;
	struct file *f;

	if (flags & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if ((err = socket_create(domain, type & SOCK_TYPE_MASK, protocol, &s)) ||
	    (err = socket_open_file(s, file_flags(flags), &f)))
		return err;
	fd = fd_add(f, flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* Two files around two sockets, all or none. */
static int open_pair(struct socket *s[2], unsigned flags, struct file *f[2])
{
	int err = socket_open_file(s[0], flags, &f[0]);

	if (err) {
		s[1]->ops->release(s[1]);
		socket_put(s[1]);
		return err;
	}
	if ((err = socket_open_file(s[1], flags, &f[1])))
		file_put(f[0]);
	return err;
}

/* Two numbers, told to the user before there is anything behind them: a pointer that is no good is
 * the first thing that socketpair(2) complains about. */
static int reserve_pair(int32_t fd[2], bool cloexec, uaddr_t sv)
{
	int err;

	if ((fd[0] = fd_reserve(0, cloexec)) < 0)
		return fd[0];
	if ((fd[1] = fd_reserve(0, cloexec)) < 0) {
		err = fd[1];
		goto first;
	}
	if ((err = copy_to_user(sv, fd, 2 * sizeof(*fd))))
		goto second;
	return 0;
second:
	fd_unreserve(fd[1]);
first:
	fd_unreserve(fd[0]);
	return err;
}

int64_t sys_socketpair(int32_t domain, int32_t type, int32_t protocol, uaddr_t sv)
{
	unsigned flags = (uint32_t)type & ~(uint32_t)SOCK_TYPE_MASK;
	struct socket *s[2];
	struct file *f[2];
	int32_t fd[2];
	int err;

	if (flags & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if ((err = reserve_pair(fd, flags & SOCK_CLOEXEC, sv)))
		return err;
	if ((err = socket_create_pair(domain, type & SOCK_TYPE_MASK, protocol, s)) ||
	    (err = open_pair(s, file_flags(flags), f))) {
		fd_unreserve(fd[1]);
		fd_unreserve(fd[0]);
		return err;
	}
	fd_install(fd[0], f[0]);
	fd_install(fd[1], f[1]);
	return 0;
}

int64_t sys_bind(int32_t sockfd, uaddr_t addr, int32_t addrlen)
{
	struct abi_sockaddr_storage name = { 0 };
	struct sockref r;
	int err = sock_get(sockfd, &r);

	if (err)
		return err;
	if ((err = sockaddr_get(&name, addr, addrlen)) == 0)
		err = r.s->ops->bind ? r.s->ops->bind(r.s, &name, (uint32_t)addrlen) : -EOPNOTSUPP;
	sock_put(r);
	return err;
}

int64_t sys_connect(int32_t sockfd, uaddr_t addr, int32_t addrlen)
{
	struct abi_sockaddr_storage name = { 0 };
	struct sockref r;
	int err = sock_get(sockfd, &r);

	if (err) /* of a file that is no socket the address is looked at first */
		return err == -ENOTSOCK ? sockaddr_get(&name, addr, addrlen) ?: err : err;
	if ((err = sockaddr_get(&name, addr, addrlen)) == 0)
		err = socket_connect(r.s, &name, (uint32_t)addrlen, sock_is_nonblock(r));
	sock_put(r);
	return err;
}

int64_t sys_listen(int32_t sockfd, int32_t backlog)
{
	struct sockref r;
	int err = sock_get(sockfd, &r);

	if (err)
		return err;
	err = socket_listen(r.s, backlog);
	sock_put(r);
	return err;
}

/* The peer's name for accept(2), where it is wanted. -ECONNABORTED: it never had one. */
static int put_peer(struct socket *s, uaddr_t addr, uaddr_t addrlen)
{
	struct abi_sockaddr_storage name;
	int n;

	if (uaddr_is_null(addr))
		return 0;
	n = s->ops->getname(s, &name, SOCKET_ACCEPTED);
	if (n < 0)
		return -ECONNABORTED;
	return sockaddr_put(&name, (uint32_t)n, addr, addrlen);
}

static int64_t accept_on(struct sockref r, uaddr_t addr, uaddr_t addrlen, unsigned flags)
{
	struct socket *s;
	struct file *f;
	int fd, err;

	if ((fd = fd_reserve(0, flags & SOCK_CLOEXEC)) < 0)
		return fd;
	if ((err = socket_accept(r.s, sock_is_nonblock(r), &s)) ||
	    (err = socket_open_file(s, file_flags(flags), &f)))
		goto unreserve;
	if ((err = put_peer(s, addr, addrlen)))
		goto put_file;
	fd_install(fd, f);
	return fd;
put_file:
	file_put(f);
unreserve:
	fd_unreserve(fd);
	return err;
}

int64_t sys_accept4(int32_t sockfd, uaddr_t addr, uaddr_t addrlen, uint32_t flags)
{
	struct sockref r;
	int64_t ret;

	if (flags & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if ((ret = sock_get(sockfd, &r)))
		return ret;
	ret = accept_on(r, addr, addrlen, flags);
	sock_put(r);
	return ret;
}

int64_t sys_accept(int32_t sockfd, uaddr_t addr, uaddr_t addrlen)
{
	return sys_accept4(sockfd, addr, addrlen, 0);
}

static int64_t get_name(int fd, uaddr_t addr, uaddr_t addrlen, enum socket_name which)
{
	struct abi_sockaddr_storage name;
	struct sockref r;
	int n = sock_get(fd, &r);

	if (n)
		return n;
	n = r.s->ops->getname ? r.s->ops->getname(r.s, &name, which) : -EOPNOTSUPP;
	if (n >= 0)
		n = sockaddr_put(&name, (uint32_t)n, addr, addrlen);
	sock_put(r);
	return n;
}

int64_t sys_getsockname(int32_t sockfd, uaddr_t addr, uaddr_t addrlen)
{
	return get_name(sockfd, addr, addrlen, SOCKET_OWN);
}

int64_t sys_getpeername(int32_t sockfd, uaddr_t addr, uaddr_t addrlen)
{
	return get_name(sockfd, addr, addrlen, SOCKET_PEER);
}

int64_t sys_shutdown(int32_t sockfd, int32_t how)
{
	struct sockref r;
	int err = sock_get(sockfd, &r);

	if (err)
		return err;
	if (how < SHUT_RD || how > SHUT_RDWR)
		err = -EINVAL;
	else
		err = r.s->ops->shutdown ? r.s->ops->shutdown(r.s, how) : -EOPNOTSUPP;
	sock_put(r);
	return err;
}

int64_t sys_setsockopt(int32_t sockfd, int32_t level, int32_t optname, uaddr_t optval,
		       int32_t optlen)
{
	struct sockref r;
	int err = optlen < 0 ? -EINVAL : sock_get(sockfd, &r);

	if (err)
		return err;
	err = socket_setsockopt(r.s, level, optname, optval, (uint32_t)optlen);
	sock_put(r);
	return err;
}

/* SO_GET_FILTER counts instructions, not bytes. */
static int get_filter(struct socket *s, uaddr_t optval, uaddr_t optlen)
{
	uint32_t n;
	int err;

	if (get_user_u32(&n, optlen))
		return -EFAULT;
	if ((int32_t)n < 0)
		return -EINVAL;
	if ((err = socket_get_filter(s, optval, &n)))
		return err;
	return put_user_u32(optlen, n);
}

/* -ERANGE leaves the length that is needed. */
static int get_option(struct socket *s, int level, int name, uaddr_t optval, uaddr_t optlen)
{
	uint64_t small[OPTION_SMALL / 8];
	void *val = small;
	uint32_t len, room;
	int err;

	if (level == SOL_SOCKET && name == SO_ATTACH_FILTER)
		return get_filter(s, optval, optlen);
	if (get_user_u32(&len, optlen))
		return -EFAULT;
	if ((int32_t)len < 0)
		return -EINVAL;
	room = len = MIN(len, (uint32_t)OPTION_MAX);
	if (len > sizeof(small) && (val = kmalloc(len)) == NULL)
		return -ENOMEM;
	if (s->ops->flags & SOCKET_INOUT && level != SOL_SOCKET &&
	    copy_from_user(val, optval, MIN(len, (uint32_t)sizeof(small[0]))))
		err = -EFAULT;
	else
		err = socket_getsockopt(s, level, name, val, &len);
	/* NETLINK_LIST_MEMBERSHIPS says how long it is, whatever fits: that, in whole words, is in
	 * val. */
	if ((!err && copy_to_user(optval, val, len > room ? room & ~3u : len)) ||
	    ((!err || err == -ERANGE) && put_user_u32(optlen, len)))
		err = -EFAULT;
	if (val != small)
		kfree(val);
	return err;
}

int64_t sys_getsockopt(int32_t sockfd, int32_t level, int32_t optname, uaddr_t optval,
		       uaddr_t optlen)
{
	struct sockref r;
	int err = sock_get(sockfd, &r);

	if (err)
		return err;
	err = get_option(r.s, level, optname, optval, optlen);
	sock_put(r);
	return err;
}
