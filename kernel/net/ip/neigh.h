#pragma once

/*
 * One neighbour: what is known of the link-layer address of an IP address, as a machine. ARP and
 * neighbour discovery are the same to it: a request that names a target, sent to all or to the
 * address believed in, and answers.
 *
 * Events return what is to be done, a set of enum neigh_action. Packets that wait for the address
 * are the owner's queue; the machine says when they may go and when they are to be dropped, and
 * counts how much waits.
 *
 *   source       RFC 4861 7.2, 7.3 (states, constants, appendix C: the transitions), RFC 826,
 * arp(7)
 */

#include "net/wire.h"

enum neigh_state {
	NEIGH_NONE,
	NEIGH_INCOMPLETE, /* asked, no answer yet: packets wait */
	NEIGH_REACHABLE,  /* known to work */
	NEIGH_STALE,      /* was known; use it, then find out */
	NEIGH_DELAY,      /* used since it became stale: a confirmation may yet come by itself */
	NEIGH_PROBE,      /* asking it directly */
	NEIGH_FAILED,     /* did not answer */
	NEIGH_PERMANENT,  /* set by hand */
};

enum neigh_action {
	NEIGH_ASK_ALL = 1,      /* send a request to all (broadcast, or solicited-node multicast) */
	NEIGH_ASK_IT = 2,       /* send a request to the address it has */
	NEIGH_FLUSH = 4,        /* the waiting packets can go */
	NEIGH_DROP = 8,         /* the waiting packets are undeliverable: EHOSTUNREACH */
	NEIGH_CHANGED = 16,     /* the link-layer address is another one */
	NEIGH_DROP_OLDEST = 32, /* drop the first waiting packet: there are too many bytes */
};

struct neigh_config {
	nsec_t reachable;         /* 30 s, to be randomised by the owner: RFC 4861 6.3.2 */
	nsec_t retrans;           /* 1 s */
	nsec_t delay;             /* 5 s */
	uint32_t ask_all, ask_it; /* 3: requests, to all and to the address it has */
	uint32_t queue_max;       /* bytes that may wait: arp(7) unres_qlen_bytes */
};
#define NEIGH_CONFIG_INIT                                                                  \
	{                                                                                  \
		.reachable = 30 * NSEC_PER_SEC, .retrans = NSEC_PER_SEC,                   \
		.delay = 5 * NSEC_PER_SEC, .ask_all = 3, .ask_it = 3, .queue_max = 212992, \
	}

extern const struct neigh_config neigh_default_config;

struct neigh {
	uint8_t state;
	uint32_t asked;
	uint8_t mac[ETH_ALEN];
	bool router;     /* IPv6: the R flag of its advertisements */
	uint32_t queued; /* bytes that wait */
	nsec_t deadline; /* neigh_timer(); NSEC_MAX: never */
	nsec_t used, confirmed;
};

void neigh_init(struct neigh *n, nsec_t now);

static inline bool neigh_has_mac(const struct neigh *n)
{
	return n->state >= NEIGH_REACHABLE && n->state != NEIGH_FAILED;
}

/* A packet of `bytes` is to be sent: with neigh_has_mac() after this it can go at once, else it
 * waits. */
unsigned neigh_use(struct neigh *n, const struct neigh_config *cfg, uint32_t bytes, nsec_t now);

/* A waiting packet was sent or dropped. */
static inline void neigh_dequeued(struct neigh *n, uint32_t bytes)
{
	n->queued -= MIN(n->queued, bytes);
}

struct neigh_answer {
	const uint8_t *mac; /* NULL: the message had none */
	bool solicited;     /* ARP: a reply to this host */
	bool override;      /* ARP: always */
	bool is_router;     /* with v6 */
	bool v6;
};

/* A reply or advertisement. */
unsigned neigh_answered(struct neigh *n, const struct neigh_config *cfg,
			const struct neigh_answer *a, nsec_t now);

/* A request, router message or redirect from it told its address: RFC 4861 7.2.3. */
unsigned neigh_heard(struct neigh *n, const uint8_t *mac, nsec_t now);

/* Packets arrive there, as the upper layer saw at time `when`: RFC 4861 7.3.1. Before neigh_use().
 */
void neigh_confirm(struct neigh *n, const struct neigh_config *cfg, nsec_t when, nsec_t now);

unsigned neigh_timer(struct neigh *n, const struct neigh_config *cfg, nsec_t now);

/* Set by hand to another state than PERMANENT; mac NULL: as it is. */
unsigned neigh_set(struct neigh *n, const struct neigh_config *cfg, const uint8_t *mac,
		   enum neigh_state state, nsec_t now);

/* Set by hand: rtnetlink(7), arp(8) -s. */
unsigned neigh_set_permanent(struct neigh *n, const uint8_t *mac);
