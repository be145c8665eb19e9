/* Unix sockets: a byte to another process and back, many bytes, connections. */
#include "stream.h"

#include <stddef.h>
#include <string.h>
#include <sys/un.h>

static int listener;
static const struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0bench" };
enum { NAME_BYTES = offsetof(struct sockaddr_un, sun_path) + 6 };

/* r->arg: SOCK_STREAM, SOCK_DGRAM. */
static int ball_setup(struct run *r)
{
	TRY(r, socketpair(AF_UNIX, (int)r->arg, 0, pair));
	return make_process(r, echo, 0) < 0 ? -1 : 0;
}

static int bulk_setup(struct run *r)
{
	TRY(r, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	return make_process(r, drain, r->arg) < 0 ? -1 : 0;
}

static int socket_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys1(SYS_close, sys3(SYS_socket, AF_UNIX, SOCK_STREAM, 0)));
	return 0;
}

static int pair_op(struct run *r)
{
	int p[2];

	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 0, sys4(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)p));
		WANT(r, 0, sys1(SYS_close, p[0]));
		WANT(r, 0, sys1(SYS_close, p[1]));
	}
	return 0;
}

static int connect_setup(struct run *r)
{
	TRY(r, listener = socket(AF_UNIX, SOCK_STREAM, 0));
	TRY(r, bind(listener, (const void *)&name, NAME_BYTES));
	TRY(r, listen(listener, 5));
	return 0;
}

static int connect_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long c = sys3(SYS_socket, AF_UNIX, SOCK_STREAM, 0), s;

		WANT(r, 0, sys3(SYS_connect, c, (long)&name, NAME_BYTES));
		s = sys3(SYS_accept, listener, 0, 0);
		WANT(r, 0, sys1(SYS_close, c));
		WANT(r, 0, sys1(SYS_close, s));
	}
	return 0;
}

const struct row net_rows[] = {
	{ "unix-stream-1", ball_setup, ball_op, SOCK_STREAM, 0 },
	{ "unix-dgram-1", ball_setup, ball_op, SOCK_DGRAM, 0 },
	{ "unix-stream-64", bulk_setup, bulk_op, 64, 0 },
	{ "unix-stream-4k", bulk_setup, bulk_op, 4096, 0 },
	{ "unix-stream-64k", bulk_setup, bulk_op, 65536, 0 },
	{ "unix-socket", NULL, socket_op, 0, 0 },
	{ "unix-pair", NULL, pair_op, 0, 0 },
	{ "unix-connect", connect_setup, connect_op, 0, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
