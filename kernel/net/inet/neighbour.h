#pragma once

/* What others see of the table of neighbours: netlink, ioctls, /proc. */

#include "net/inet/inet.h"
#include "net/ip/neigh.h"

struct neighbour_info {
	struct netdev *dev;
	struct ipv6_addr addr;
	uint8_t state; /* enum neigh_state */
	bool has_mac, router;
	uint8_t mac[ETH_ALEN];
	uint32_t asked;
	nsec_t used, confirmed, updated;
};

/* The entry at *pos or behind it; *pos: the next one. False: no more. Entries that come and go
 * while one asks may be missed or seen twice. */
MUST_CHECK bool neighbour_next(uint64_t *pos, struct neighbour_info *out);
/* False: there is none. */
MUST_CHECK bool neighbour_get(const struct netdev *d, const struct ipv6_addr *a,
			      struct neighbour_info *out);

/*
 * Changes an entry by hand.
 *   mac      NULL: as it is
 *   state    enum neigh_state: PERMANENT, REACHABLE, STALE, DELAY, PROBE, FAILED, or NONE
 *   how      NLM_F_CREATE, EXCL, REPLACE
 *   returns  0; -EEXIST; -ENOENT; -EINVAL such a state needs an address; -ENOBUFS
 */
MUST_CHECK int neighbour_set(struct netdev *d, const struct ipv6_addr *a, const uint8_t *mac,
			     unsigned state, unsigned how);
MUST_CHECK int neighbour_remove(struct netdev *d, const struct ipv6_addr *a); /* -ENOENT */

/* Asks for it now, if that is needed: NTF_USE. */
void neighbour_ask(struct netdev *d, const struct ipv6_addr *a);

/* Proxies: addresses of others that we answer for, on one device. proxy.c; net_config_lock. */
MUST_CHECK int proxy_add(struct netdev *d, const struct ipv6_addr *a, bool router); /* -ENOBUFS */
MUST_CHECK int proxy_remove(const struct netdev *d, const struct ipv6_addr *a);     /* -ENOENT */
struct proxy_shown {
	struct netdev *dev;
	struct ipv6_addr addr;
	bool router;
};
/* The nth one of all; false: there are no more. */
MUST_CHECK bool proxy_nth(uint64_t n, struct proxy_shown *out);
void proxy_init(void);

/* net.*.neigh.default.gc_thresh1 to 3, by family; the third is how many there may be. */
extern int neighbour_thresholds[2][3];

/* What the table of a family counts on each CPU: lnstat(8). */
struct neighbour_counts {
	uint64_t allocs, destroys;
	uint64_t lookups, hits;
	uint64_t failures;                  /* did not answer */
	uint64_t solicits_all, solicits_it; /* IPv6's that came, to a group or to an address */
	uint64_t forced_runs;               /* room was to be made */
	uint64_t discards;                  /* packets that could wait no longer */
	uint64_t fulls;                     /* and nothing could go */
};
/* Of one CPU, a snapshot; returns the number of entries. */
unsigned neighbour_counted(bool v6, unsigned cpu, struct neighbour_counts *out);
void neighbour_count_solicit(bool multicast);
