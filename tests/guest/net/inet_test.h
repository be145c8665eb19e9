#pragma once

/* What the tests of Internet sockets share. */

#include "net_test.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

/* Sets `lo` up: a machine that runs nothing but tests begins with it down. */
static inline void lo_up(void)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
		char answer[512];
	} m = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		       .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.i = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	CHECK_OK(fd);
	CHECK_OK(send(fd, &m, m.h.nlmsg_len, 0));
	CHECK_OK(recv(fd, &m, sizeof(m), 0));
	CHECK_EQ(m.h.nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(&m.h))->error, 0);
	close(fd);
}

/* A name of either family. */
struct name {
	union {
		struct sockaddr a;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage all;
	};
	socklen_t len;
};

static inline struct name name4(const char *addr, int port)
{
	struct name n = { .in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) },
			  .len = sizeof(n.in) };

	CHECK_EQ(inet_pton(AF_INET, addr, &n.in.sin_addr), 1);
	return n;
}

static inline struct name name6(const char *addr, int port)
{
	struct name n = { .in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) },
			  .len = sizeof(n.in6) };

	CHECK_EQ(inet_pton(AF_INET6, addr, &n.in6.sin6_addr), 1);
	return n;
}

/* By what it looks like. */
static inline struct name name_of(const char *addr, int port)
{
	return strchr(addr, ':') ? name6(addr, port) : name4(addr, port);
}

static inline struct name local_name(int fd)
{
	struct name n = { .len = sizeof(n.all) };

	CHECK_OK(getsockname(fd, &n.a, &n.len));
	return n;
}

static inline struct name peer_name(int fd)
{
	struct name n = { .len = sizeof(n.all) };

	CHECK_OK(getpeername(fd, &n.a, &n.len));
	return n;
}

static inline int port_of(const struct name *n)
{
	return ntohs(n->in.sin_port); /* at the same place in both */
}

static inline const char *addr_text(const struct name *n)
{
	static char buf[4][64];
	static int at;
	char *b = buf[at++ % 4];

	return n->a.sa_family == AF_INET ? inet_ntop(AF_INET, &n->in.sin_addr, b, 64)
					 : inet_ntop(AF_INET6, &n->in6.sin6_addr, b, 64);
}

static inline int bind_to(int fd, const char *addr, int port)
{
	struct name n = name_of(addr, port);

	return bind(fd, &n.a, n.len);
}

static inline int connect_to(int fd, const char *addr, int port)
{
	struct name n = name_of(addr, port);

	return connect(fd, &n.a, n.len);
}

static inline ssize_t send_at(int fd, const void *buf, size_t len, int flags, struct name to)
{
	return sendto(fd, buf, len, flags, &to.a, to.len);
}

static inline int disconnect(int fd)
{
	struct sockaddr a = { .sa_family = AF_UNSPEC };

	return connect(fd, &a, sizeof(a));
}

/* A datagram socket bound to addr, any port; its name in *n. */
static inline int udp_bound(const char *addr, struct name *n)
{
	int fd = socket(strchr(addr, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK_OK(fd);
	CHECK_OK(bind_to(fd, addr, 0));
	*n = local_name(fd);
	return fd;
}

static inline int set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v));
}

static inline int get_int(int fd, int level, int name)
{
	int v = -12345;
	socklen_t n = sizeof(v);

	CHECK_OK(getsockopt(fd, level, name, &v, &n));
	return v;
}
