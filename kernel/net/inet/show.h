#pragma once

/*
 * Internet sockets as /proc/net and sock_diag(7) show them: snapshots, one at a time, with a key
 * that keeps the place between two looks at a table. Each transport protocol registers how its
 * sockets are gone through.
 */

#include "net/inet/sock.h"

struct abi_tcp_info;

enum { SHOW_RAW = 255 }; /* the protocol under which raw sockets are shown */

struct inet_shown {
	uint16_t family;                /* AF_INET or AF_INET6: of the socket */
	uint8_t type, protocol;         /* SOCK_*, IPPROTO_* */
	uint8_t state;                  /* TCP_ESTABLISHED …, also for protocols without states */
	struct ipv6_addr local, remote; /* as in inet.h */
	uint16_t lport, rport;
	uint32_t slot;           /* where in its table: the column `sl` */
	uint32_t rqueue, wqueue; /* bytes; a listener's: connections that wait */
	uint32_t rmem, wmem;     /* memory in them */
	uint32_t rcvbuf, sndbuf;
	uint32_t uid, mark, drops, refs;
	uint64_t ino;          /* 0: it has no file any more, or not yet */
	uint64_t cookie;       /* SO_COOKIE's */
	int ifindex;           /* bound to, or 0 */
	uint8_t tos, shutdown; /* 1: receiving, 2: sending */
	bool v6only, auto_port;
	/* TCP */
	uint8_t timer;  /* 1 retransmission, 2 keep-alive, 3 TIME-WAIT, 4 zero window */
	nsec_t expires; /* from now */
	uint32_t retransmits, probes;
	nsec_t rto, ato;
	uint32_t cwnd, ssthresh; /* segments; ssthresh UINT32_MAX: none yet */
	bool interactive;        /* acknowledges late */
	uint32_t backlog;        /* a listener's: how many connections may wait */
	const char *congestion;  /* the name of its control; NULL: none */
	bool has_info;
	bool is_mini; /* a request or a TIME-WAIT: no socket */
};

struct inet_shower {
	uint8_t protocol; /* IPPROTO_*, SHOW_RAW */
	/* The first socket at or behind *key (0: from the beginning), and the key behind it. False:
	 * there is none. info: of TCP's sockets what TCP_INFO says, unless NULL; out->has_info. */
	bool (*next)(uint64_t *key, struct inet_shown *out, struct abi_tcp_info *info);
	/* For SOCK_DESTROY, optional: ends the connection with these names, whose family is any.
	 * 0; -ENOENT; -EOPNOTSUPP it has none. */
	int (*destroy)(const struct inet_shown *s);
	struct inet_shower *link;
};

void inet_show_register(struct inet_shower *s);             /* boot */
const struct inet_shower *inet_show_find(uint8_t protocol); /* NULL: no such sockets */

/* What every inet_sock has; state 7 or, connected, 1. Under an epoch. */
void inet_show_common(const struct inet_sock *i, struct inet_shown *out);

/* The first socket in a table of ports at or behind *key, which is kept as next() above has it.
 * Under an epoch. */
struct inet_sock *inet_table_next(const struct inet_table *t, uint64_t *key, uint32_t *slot);
