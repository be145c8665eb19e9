/*
 * What the rows of sockets share: two connected ends, a byte to another process and back, and many
 * bytes to one. Each file that includes it has ends of its own.
 */
#pragma once

#include "bench.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STREAM_CHUNK = 1 << 16, STREAM_BULK = 1 << 20, STREAM_FEW = 1 << 16 };

static int pair[2];
static char buf[STREAM_CHUNK];

/* `lo` is down in a machine that runs nothing else. */
static inline int set_lo_up(struct run *r)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
		char answer[512];
	} m = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		       .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.i = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	TRY(r, fd);
	TRY(r, send(fd, &m, m.h.nlmsg_len, 0));
	TRY(r, recv(fd, &m, sizeof(m), 0));
	return close(fd);
}

/* Sends back whatever byte comes, until the other end is closed. */
static inline void echo(long unused)
{
	char byte;

	(void)unused;
	close(pair[0]);
	while (sys3(SYS_read, pair[1], (long)&byte, 1) == 1)
		if (sys3(SYS_write, pair[1], (long)&byte, 1) != 1)
			return;
}

static inline int ball_op(struct run *r)
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

/* How much one operation sends in writes of so many bytes. */
static inline long bulk_bytes(long chunk)
{
	return chunk < 1024 ? STREAM_FEW : STREAM_BULK;
}

/* Reads bulk_bytes(chunk) and says so by a byte, again and again. */
static inline void drain(long chunk)
{
	long got, total = 0, all = bulk_bytes(chunk);

	close(pair[0]);
	while ((got = sys3(SYS_read, pair[1], (long)buf, sizeof(buf))) > 0) {
		total += got;
		if (total < all)
			continue;
		if (total != all || sys3(SYS_write, pair[1], (long)buf, 1) != 1)
			return;
		total = 0;
	}
}

/* r->arg: bytes of one write. */
static inline int bulk_op(struct run *r)
{
	long all = bulk_bytes(r->arg);
	char byte;

	for (uint64_t i = 0; i < r->n; i++) {
		for (long sent = 0; sent < all; sent += r->arg)
			WANT(r, r->arg, sys3(SYS_write, pair[0], (long)buf, r->arg));
		WANT(r, 1, sys3(SYS_read, pair[0], (long)&byte, 1));
	}
	return 0;
}
