/* TCP over loopback: a byte to another process and back, many bytes, connections, and both among
 * many others that are open. */
#include "stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

enum { CROWD = 10000 };

static int listener, epoll_fd;
static struct sockaddr_in name = { .sin_family = AF_INET };

static int listen_setup(struct run *r)
{
	socklen_t n = sizeof(name);

	if (set_lo_up(r))
		return -1;
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	TRY(r, listener = socket(AF_INET, SOCK_STREAM, 0));
	TRY(r, bind(listener, (void *)&name, n));
	TRY(r, listen(listener, 128));
	TRY(r, getsockname(listener, (void *)&name, &n));
	return 0;
}

static int make_pair(struct run *r, int p[2])
{
	int one = 1;

	TRY(r, p[0] = socket(AF_INET, SOCK_STREAM, 0));
	TRY(r, connect(p[0], (void *)&name, sizeof(name)));
	TRY(r, p[1] = accept(listener, NULL, NULL));
	TRY(r, setsockopt(p[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	TRY(r, setsockopt(p[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	return 0;
}

static int ball_setup(struct run *r)
{
	if (listen_setup(r) || make_pair(r, pair))
		return -1;
	return make_process(r, echo, 0) < 0 ? -1 : 0;
}

static int bulk_setup(struct run *r)
{
	if (listen_setup(r) || make_pair(r, pair))
		return -1;
	return make_process(r, drain, r->arg) < 0 ? -1 : 0;
}

static int socket_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys1(SYS_close, sys3(SYS_socket, AF_INET, SOCK_STREAM, 0)));
	return 0;
}

static int connect_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long c = sys3(SYS_socket, AF_INET, SOCK_STREAM, 0), s;

		WANT(r, 0, sys3(SYS_connect, c, (long)&name, sizeof(name)));
		s = sys3(SYS_accept, listener, 0, 0);
		WANT(r, 0, sys1(SYS_close, c));
		WANT(r, 0, sys1(SYS_close, s));
	}
	return 0;
}

/* r->arg pairs that stay open; each accepted end is watched. */
static int crowd_setup(struct run *r)
{
	struct epoll_event ev = { .events = EPOLLIN };

	raise_limits();
	if (listen_setup(r))
		return -1;
	TRY(r, epoll_fd = epoll_create1(0));
	for (long i = 0; i < r->arg; i++) {
		if (make_pair(r, pair))
			return -1;
		ev.data.fd = pair[1];
		TRY(r, epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pair[1], &ev));
	}
	return 0;
}

static int epoll_op(struct run *r)
{
	struct epoll_event ev[16];
	char byte = 0;

	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 1, sys3(SYS_write, pair[0], (long)&byte, 1));
		WANT(r, 1, sys4(SYS_epoll_wait, epoll_fd, (long)ev, 16, -1));
		WANT(r, 1, sys3(SYS_read, ev[0].data.fd, (long)&byte, 1));
	}
	return 0;
}

const struct row tcp_rows[] = {
	{ "tcp-rr-1", ball_setup, ball_op, 0, 0 },
	{ "tcp-64", bulk_setup, bulk_op, 64, 0 },
	{ "tcp-4k", bulk_setup, bulk_op, 4096, 0 },
	{ "tcp-64k", bulk_setup, bulk_op, 65536, 0 },
	{ "tcp-socket", NULL, socket_op, 0, 0 },
	{ "tcp-connect", listen_setup, connect_op, 0, 0 },
	{ "tcp-connect-10k", crowd_setup, connect_op, CROWD, 0 },
	{ "tcp-epoll-10", crowd_setup, epoll_op, 10, 0 },
	{ "tcp-epoll-10k", crowd_setup, epoll_op, CROWD, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
