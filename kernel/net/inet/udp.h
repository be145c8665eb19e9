#pragma once

/* Between the files of UDP, and UDP-Lite. */

#include "net/inet/dgram.h"

struct udp_sock {
	struct dgram_sock d; /* first */
	/* Its place among those of its address, or of its flow; its table's lock to change, read
	 * under an epoch. */
	struct udp_sock *hash_next, **hash_at;
	bool in_flows, is_lite;
	bool cork, no_check6_tx, no_check6_rx, gro; /* options */
	uint16_t gso;
	/* UDP-Lite: how much of a datagram the checksum is to cover (0: all of it), and the least
	 * that one must to be taken; set: by the user. */
	uint16_t send_cover, recv_cover;
	bool send_cover_set, recv_cover_set;
	struct mutex sending; /* SOCKET; who adds to the pending message */
	struct pkt *pending;  /* with MSG_MORE or UDP_CORK: what was given so far; sending */
	struct dgram_send to; /* pending's */
};

static inline struct udp_sock *udp_of(struct socket *s)
{
	return container_of(s, struct udp_sock, d.i.s);
}

enum { UDP_BUCKETS = 2048 };

/* Who has which port and flow; one for UDP and one for UDP-Lite. */
struct udp_table {
	struct inet_table ports; /* first */
	struct udp_sock *by_addr[UDP_BUCKETS], *by_flow[UDP_BUCKETS];
	_Atomic uint32_t nflows, moves;
	uint64_t key[6]; /* immutable after boot */
};
extern struct udp_table udp_table, udplite_table;

static inline struct udp_table *udp_table_of(const struct udp_sock *u)
{
	return container_of(u->d.i.table, struct udp_table, ports);
}

/* --- udp_table.c --- */

void udp_table_init(struct udp_table *t);

/* Puts u where its addresses say, or nowhere when it has no port. The table's lock held. */
void udp_place_locked(struct udp_sock *u);

/* The best socket for a datagram; NULL: none. Under an epoch. */
struct udp_sock *udp_lookup(const struct udp_table *t, const struct ip_info *ip, uint16_t sport,
			    uint16_t dport, const struct netdev *d);

/* Whether a datagram to a group or to all is also for this one. */
bool udp_takes(const struct udp_sock *u, const struct ip_info *ip, uint16_t sport, uint16_t dport,
	       const struct netdev *d);

/* --- udp_send.c --- */

ssize64_t udp_send(struct socket *s, struct sockmsg *m);
int udp_push_pending(struct udp_sock *u); /* UDP_CORK is over */
