#pragma once

/* What the tests of sockets share. */

#include "../test.h"

#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A path name; returns the address's length. */
static inline socklen_t path_name(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

/* An abstract name. */
static inline socklen_t abstract_name(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path + 1, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static inline void set_nonblock(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

static inline int bound(int type, const char *path)
{
	struct sockaddr_un a;
	socklen_t n = path_name(&a, path);
	int fd = socket(AF_UNIX, type, 0);

	CHECK_OK(fd);
	CHECK_OK(bind(fd, (void *)&a, n));
	return fd;
}

static inline int listener(int type, const char *path, int backlog)
{
	int fd = bound(type, path);

	CHECK_OK(listen(fd, backlog));
	return fd;
}

/* connect(2) to a path: 0, or -1 and errno. */
static inline int connect_path(int fd, const char *path)
{
	struct sockaddr_un a;
	socklen_t n = path_name(&a, path);

	return connect(fd, (void *)&a, n);
}

static inline short poll_now(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

static inline int int_option(int fd, int name)
{
	int v = -12345;
	socklen_t n = sizeof(v);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, name, &v, &n));
	return v;
}

static inline void set_option(int fd, int name, int v)
{
	CHECK_OK(setsockopt(fd, SOL_SOCKET, name, &v, sizeof(v)));
}

/* Sends `text` with n descriptors. */
static inline ssize_t send_files(int fd, const char *text, const int *files, int n)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = { 0 };
	struct iovec v = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (n > 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(c), files, (size_t)n * sizeof(int));
	}
	return sendmsg(fd, &m, 0);
}

/* Receives up to `size` bytes and `max` descriptors; *n is how many came; msg_flags to *flags. */
static inline ssize_t recv_files(int fd, char *buf, size_t size, int *files, int max, int *n,
				 int how, int *flags)
{
	char control[CMSG_SPACE(253 * sizeof(int))];
	struct iovec v = { buf, size };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = max ? control : NULL,
			    .msg_controllen = max ? CMSG_LEN((size_t)max * sizeof(int)) : 0 };
	ssize_t got = recvmsg(fd, &m, how);

	*n = 0;
	if (flags)
		*flags = m.msg_flags;
	if (got < 0)
		return got;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			*n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(files, CMSG_DATA(c), (size_t)*n * sizeof(int));
		}
	return got;
}
