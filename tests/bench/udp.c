/* UDP over loopback: a byte to another process and back, and a mebibyte in large datagrams. */
#include "bench.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BULK = 1 << 20, CHUNK = 65507 };

static int pair[2];
static char buf[CHUNK];

/* `lo` is down in a machine that runs nothing else. */
static int set_lo_up(struct run *r)
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

/* Two sockets that are each other's peers. */
static int make_pair(struct run *r)
{
	struct sockaddr_in name[2];
	socklen_t n = sizeof(name[0]);

	if (set_lo_up(r))
		return -1;
	for (int i = 0; i < 2; i++) {
		name[i] = (struct sockaddr_in){ .sin_family = AF_INET };
		name[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		TRY(r, pair[i] = socket(AF_INET, SOCK_DGRAM, 0));
		TRY(r, bind(pair[i], (void *)&name[i], n));
		TRY(r, getsockname(pair[i], (void *)&name[i], &n));
	}
	TRY(r, connect(pair[0], (void *)&name[1], n));
	TRY(r, connect(pair[1], (void *)&name[0], n));
	return 0;
}

/* Sends back whatever byte comes. Nobody tells it of the end: it is killed. */
static void echo(long unused)
{
	char byte;

	(void)unused;
	while (sys3(SYS_read, pair[1], (long)&byte, 1) == 1)
		if (sys3(SYS_write, pair[1], (long)&byte, 1) != 1)
			return;
}

static int ball_setup(struct run *r)
{
	if (make_pair(r))
		return -1;
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

/* One process sends and receives, so that nothing is lost. */
static int bulk_setup(struct run *r)
{
	return make_pair(r);
}

static int bulk_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		for (int n = 0; n < BULK / CHUNK; n++) {
			WANT(r, CHUNK, sys3(SYS_write, pair[0], (long)buf, CHUNK));
			WANT(r, CHUNK, sys3(SYS_read, pair[1], (long)buf, CHUNK));
		}
	return 0;
}

const struct row udp_rows[] = {
	{ "udp-rr-1", ball_setup, ball_op, 0, 0 },
	{ "udp-64k", bulk_setup, bulk_op, 0, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
