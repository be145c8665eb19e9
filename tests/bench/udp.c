/* UDP over loopback: a byte to another process and back, and many in datagrams. */
#include "stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { LARGEST = 65507 };

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

static int ball_setup(struct run *r)
{
	if (make_pair(r))
		return -1;
	return make_process(r, echo, 0) < 0 ? -1 : 0;
}

/* One process sends and receives, so that nothing is lost. r->arg: bytes of a datagram. */
static int pour_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		for (long n = 0; n < bulk_bytes(r->arg) / r->arg; n++) {
			WANT(r, r->arg, sys3(SYS_write, pair[0], (long)buf, r->arg));
			WANT(r, r->arg, sys3(SYS_read, pair[1], (long)buf, r->arg));
		}
	return 0;
}

static int socket_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys1(SYS_close, sys3(SYS_socket, AF_INET, SOCK_DGRAM, 0)));
	return 0;
}

const struct row udp_rows[] = {
	{ "udp-rr-1", ball_setup, ball_op, 0, 0 },
	{ "udp-64", make_pair, pour_op, 64, 0 },
	{ "udp-4k", make_pair, pour_op, 4096, 0 },
	{ "udp-64k", make_pair, pour_op, LARGEST, 0 },
	{ "udp-socket", NULL, socket_op, 0, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
