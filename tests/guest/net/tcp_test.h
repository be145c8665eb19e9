/* What the TCP tests share. */
#pragma once

#include "inet_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>

static inline struct sockaddr_in tcp_addr(uint16_t port)
{
	lo_up();
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline int tcp_listener(struct sockaddr_in *a, int backlog)
{
	socklen_t n = sizeof(*a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	*a = tcp_addr(0);
	CHECK_OK(l);
	CHECK_OK(bind(l, (void *)a, sizeof(*a)));
	CHECK_OK(listen(l, backlog));
	CHECK_OK(getsockname(l, (void *)a, &n));
	return l;
}

/* s[0] has connected to s[1]. */
static inline void tcp_pair(int family, int s[2])
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in a4 = tcp_addr(0);
	socklen_t n = sizeof(a);
	int l;

	if (family == AF_INET)
		memcpy(&a, &a4, sizeof(a4));
	CHECK_OK(l = socket(family, SOCK_STREAM, 0));
	CHECK_OK(bind(l, (void *)&a, family == AF_INET ? sizeof(a4) : sizeof(a)));
	CHECK_OK(listen(l, 1));
	CHECK_OK(getsockname(l, (void *)&a, &n));
	CHECK_OK(s[0] = socket(family, SOCK_STREAM, 0));
	CHECK_OK(connect(s[0], (void *)&a, n));
	CHECK_OK(s[1] = accept(l, NULL, NULL));
	CHECK_OK(close(l));
}

static inline int poll_for(int fd, int events, int ms)
{
	struct pollfd p = { fd, (short)events, 0 };

	CHECK_OK(poll(&p, 1, ms));
	return (unsigned short)p.revents;
}
#define poll_wait(fd, events) poll_for(fd, events, 10000)
