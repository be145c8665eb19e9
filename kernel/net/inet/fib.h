#pragma once

/*
 * Route tables and policy rules. A route belongs to one of many tables, of which `local`, `main`
 * and `default` are asked in this order unless rules say otherwise. Everything changes under
 * net_config_lock and is read under an epoch.
 *   source       rtnetlink(7), ip-route(8), ip-rule(8)
 */

#include "abi/if.h"
#include "abi/rtnetlink.h"
#include "core/epoch.h"
#include "net/inet/inet.h"

struct nlrequest;

enum { FIB_HOPS_MAX = 32 };

struct fib_hop {
	uint32_t ifindex; /* 0: the route is of a type without */
	uint32_t weight;  /* 1 … 256 */
	bool has_gateway, onlink;
	struct ipv6_addr gateway; /* as the tables have it */
};

struct fib_route {
	struct route r; /* first; ifindex and gateway are those of hop[0] */
	struct epoch_head epoch;
	uint32_t table;
	uint8_t pref;   /* RFC 4191: 0 medium, 1 high, 3 low */
	uint8_t nhops;  /* at least 1 */
	bool any_scope; /* of a pattern: RT_SCOPE_NOWHERE */
	bool any_type;
	uint32_t metrics[RTAX_MAX + 1]; /* [RTAX_MTU] is r.mtu too */
	nsec_t expires;                 /* 0: never */
	struct fib_hop *hop;            /* [nhops], behind it; not of a pattern */
};

/* With room for hops: what a request asks for. */
struct fib_config {
	struct fib_route f;
	struct fib_hop hop[FIB_HOPS_MAX];
};

/*
 * Adds a route as NLM_F_CREATE, EXCL, REPLACE and APPEND in `how` say. c->f is completed: the
 * device of a gateway, the mtu.
 *   returns  0; -EEXIST, -ENOENT, -ENODEV, -ENETDOWN, -ENETUNREACH, -EHOSTUNREACH, -EINVAL,
 *            -ENOMEM. *why: a text for the user, or unchanged
 *   context  net_config_lock
 */
MUST_CHECK int fib_add(bool v4, struct fib_config *c, unsigned how, const char **why);
/* Removes the first route that c describes; zeroes in it say nothing. -ESRCH. */
MUST_CHECK int fib_remove(bool v4, const struct fib_config *c);

/* The route behind `after` (NULL: the first), through all tables by number. net_config_lock, or an
 * epoch while nothing changes. */
const struct fib_route *fib_next(bool v4, const struct fib_route *after);
/* The first route at or behind a table and a prefix, in that order. net_config_lock. */
const struct fib_route *fib_from(bool v4, uint32_t table, const struct ipv6_addr *prefix,
				 unsigned plen);
bool fib_has_table(uint32_t id);

/* What a packet is, as far as routes and rules ask. */
struct ip_flow {
	struct ipv6_addr dst, source;
	int oif, iif; /* iif 0: our own packet */
	uint32_t mark, uid;
	uint8_t tos, proto;
	uint16_t sport, dport;
};

/* As ip_route(), for all that a flow is. *found, unless NULL: the route; valid under the caller's
 * epoch or net_config_lock. */
MUST_CHECK int ip_route_flow(const struct ip_flow *flow, struct ip_path *out,
			     const struct fib_route **found);

/* --- rules --- */

struct fib_rule {
	struct fib_rule *next; /* by priority, the older first */
	struct epoch_head epoch;
	uint32_t priority, table, target; /* target: of goto */
	uint8_t action;                   /* FR_ACT_* */
	uint8_t src_len, dst_len, tos, ip_proto, protocol;
	bool has_priority;         /* of a pattern */
	uint32_t flags;            /* FIB_RULE_* */
	struct ipv6_addr src, dst; /* as the tables have it */
	uint32_t mark, mask;
	int32_t suppress_plen; /* -1: none */
	char iif[NETDEV_NAME], oif[NETDEV_NAME];
	struct abi_fib_rule_uid_range uids;            /* all: 0 … UINT32_MAX */
	struct abi_fib_rule_port_range sports, dports; /* 0: any */
};

void rules_init(void);
/* The rules of a family, in order: net_config_lock or an epoch. */
const struct fib_rule *rules_first(bool v4);
MUST_CHECK int rule_add(bool v4, const struct fib_rule *like,
			bool exclusive); /* -EEXIST, -ENOMEM */
/* Removes the first that is like `like`; the removed one is copied there. -ENOENT; -EPERM. */
MUST_CHECK int rule_remove(bool v4, struct fib_rule *like);
/* True while the rules are those that there are at boot: nothing has to be asked. */
bool rules_are_default(bool v4);
/* Whether a packet is what the rule asks for. Epoch or net_config_lock. */
bool rule_matches(const struct fib_rule *rule, const struct ip_flow *flow);
/* What a rule says of one that follows: goto. NULL: the end. */
const struct fib_rule *rule_after(bool v4, const struct fib_rule *rule);
