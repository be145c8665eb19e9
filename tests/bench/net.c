/* Sockets: a byte to another process and back, a mebibyte, connections. */
#include "bench.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { BULK = 1 << 20, CHUNK = 1 << 16 };

static int pair[2], listener;
static char buf[CHUNK];
static const struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0bench" };
enum { NAME_BYTES = offsetof(struct sockaddr_un, sun_path) + 6 };

/* Sends back whatever byte comes, until the other end is closed. */
static void echo(long unused)
{
	char byte;

	(void)unused;
	close(pair[0]);
	while (sys3(SYS_read, pair[1], (long)&byte, 1) == 1)
		if (sys3(SYS_write, pair[1], (long)&byte, 1) != 1)
			return;
}

/* r->arg: SOCK_STREAM, SOCK_DGRAM. */
static int ball_setup(struct run *r)
{
	TRY(r, socketpair(AF_UNIX, (int)r->arg, 0, pair));
	return make_process(r, echo, 0) < 0 ? -1 : 0;
}

static int ball_op(struct run *r)
{
	char byte = 0;

	for (uint64_t i = 0; i < r->n; i++) {
		char sent = (char)i;

		WANT(r, 1, sys3(SYS_write, pair[0], (long)&sent, 1));
		WANT(r, 1, sys3(SYS_read, pair[0], (long)&byte, 1));
		if (byte != sent)
			return failed(r, byte, "the byte that was sent back");
	}
	return 0;
}

/* Reads BULK bytes and says so by a byte, again and again. */
static void drain(long unused)
{
	long got, total = 0;

	(void)unused;
	close(pair[0]);
	while ((got = sys3(SYS_read, pair[1], (long)buf, CHUNK)) > 0) {
		total += got;
		if (total < BULK)
			continue;
		if (total != BULK || sys3(SYS_write, pair[1], (long)buf, 1) != 1)
			return;
		total = 0;
	}
}

static int bulk_setup(struct run *r)
{
	TRY(r, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	return make_process(r, drain, 0) < 0 ? -1 : 0;
}

static int bulk_op(struct run *r)
{
	char byte;

	for (uint64_t i = 0; i < r->n; i++) {
		for (long sent = 0; sent < BULK; sent += CHUNK)
			WANT(r, CHUNK, sys3(SYS_write, pair[0], (long)buf, CHUNK));
		WANT(r, 1, sys3(SYS_read, pair[0], (long)&byte, 1));
	}
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
	{ "unix-stream-64k", bulk_setup, bulk_op, 0, 0 },
	{ "unix-pair", NULL, pair_op, 0, 0 },
	{ "unix-connect", connect_setup, connect_op, 0, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
