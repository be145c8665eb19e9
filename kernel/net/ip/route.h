#pragma once

/*
 * A route table: the longest prefix wins, among equal prefixes the smallest metric. A binary trie
 * in which every node either carries routes or branches (path compression), so that n prefixes need
 * fewer than 2n nodes and a lookup visits O(log n) of them for addresses that are spread.
 *
 * Lookups may run beside one writer (the owner's lock) under an epoch: nodes and routes are
 * published whole, and what is taken out goes to free_node, or back to the caller, who must wait.
 *
 *   source       RFC 1812 5.2.4.3, RFC 4632; Morrison, PATRICIA (1968)
 */

#include "net/wire.h"

enum route_type {
	ROUTE_UNICAST,
	ROUTE_LOCAL,
	ROUTE_BROADCAST,
	ROUTE_MULTICAST,
	ROUTE_BLACKHOLE,
	ROUTE_UNREACHABLE,
	ROUTE_PROHIBIT,
	ROUTE_THROW /* not here: the next table */
};

struct route {
	_Atomic(struct route *) next; /* of the same prefix: by tos, downwards, and metric */
	struct ipv6_addr prefix;      /* IPv4: in the first four bytes */
	uint8_t plen;
	uint8_t type;            /* enum route_type */
	uint8_t scope, protocol; /* as rtnetlink(7) has them: kept for the owner */
	uint8_t tos;             /* 0: any */
	bool first;              /* to be put before those of the same tos and metric */
	uint32_t metric;
	uint32_t ifindex;
	uint32_t mtu; /* 0: the interface's */
	bool has_gateway, has_source;
	struct ipv6_addr gateway, source;
};

struct route_node {
	struct ipv6_addr key; /* bits beyond plen are zero */
	uint8_t plen;
	_Atomic(struct route_node *) child[2];
	struct route_node *parent; /* the writer's, and a lookup's way back */
	_Atomic(struct route *) routes;
};

struct route_ops {
	struct route_node *(*alloc_node)(void);  /* zeroed, or NULL */
	void (*free_node)(struct route_node *n); /* readers may still see it */
};

struct route_table {
	_Atomic(struct route_node *) root;
	uint64_t count;
	const struct route_ops *ops;
};

void route_table_init(struct route_table *t, const struct route_ops *ops);

/*
 * Adds r, whose prefix has no bits beyond plen.
 *   returns      0; -EINVAL; -EEXIST: one with the same prefix, tos, metric and gateway is there;
 *                -ENOMEM, and nothing changed
 *   ownership    the table keeps r until route_remove()
 */
MUST_CHECK int route_add(struct route_table *t, struct route *r);

/* Takes r, which is in the table, out of it. */
void route_remove(struct route_table *t, struct route *r);

/* Puts r in the place of old, which has the same prefix, tos and metric: a lookup sees either. */
void route_replace(struct route_table *t, struct route *old, struct route *r);

/* May `r` be used? Which interface, scope and the like are the owner's business. */
typedef bool route_filter(const struct route *r, const void *arg);

/* The best route to dst that the filter (NULL: any) allows, or NULL. bits: 32 or 128. */
struct route *route_lookup(const struct route_table *t, const struct ipv6_addr *dst, unsigned bits,
			   route_filter *filter, const void *arg);

/* The first route of exactly this prefix, or NULL. */
struct route *route_find(const struct route_table *t, const struct ipv6_addr *prefix,
			 unsigned plen);

/* In the order of prefixes: the one after r, the first for NULL; NULL at the end. Writer only. */
struct route *route_next(const struct route_table *t, const struct route *r);

/* The first route of that prefix, or of the next one in that order. Writer only. */
struct route *route_find_from(const struct route_table *t, const struct ipv6_addr *prefix,
			      unsigned plen);

/* IPv4 addresses as the table has them. */
static inline struct ipv6_addr route_key4(uint32_t a)
{
	struct ipv6_addr k = { { 0 } };

	be32_put(k.b, a);
	return k;
}
