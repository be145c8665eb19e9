#pragma once

/* Between the files of UDP. */

#include "net/inet/dgram.h"

struct udp_sock {
	struct dgram_sock d; /* first */
	/* Its place among those of its address, or of its flow; udp_ports.lock to change, read
	 * under an epoch. */
	struct udp_sock *hash_next, **hash_at;
	bool in_flows;
	bool cork, no_check6_tx, no_check6_rx, gro; /* options */
	uint16_t gso;
	struct mutex sending; /* SOCKET; who adds to the pending message */
	struct pkt *pending;  /* with MSG_MORE or UDP_CORK: what was given so far; sending */
	struct dgram_send to; /* pending's */
};

static inline struct udp_sock *udp_of(struct socket *s)
{
	return container_of(s, struct udp_sock, d.i.s);
}

extern struct inet_table udp_ports;

/* --- udp_table.c --- */

void udp_table_init(void);

/* Puts u where its addresses say, or nowhere when it has no port. udp_ports.lock held. */
void udp_place_locked(struct udp_sock *u);

/* The best socket for a datagram; NULL: none. Under an epoch. */
struct udp_sock *udp_lookup(const struct ip_info *ip, uint16_t sport, uint16_t dport,
			    const struct netdev *d);

/* Whether a datagram to a group or to all is also for this one. */
bool udp_takes(const struct udp_sock *u, const struct ip_info *ip, uint16_t sport, uint16_t dport,
	       const struct netdev *d);

/* --- udp_send.c --- */

ssize64_t udp_send(struct socket *s, struct sockmsg *m);
int udp_push_pending(struct udp_sock *u); /* UDP_CORK is over */
