#pragma once

/*
 * Multicast groups of sockets and devices.
 *
 * A socket's memberships are one object that is replaced whole and freed after an epoch, so that
 * input reads it without a lock. A device is in a group while any socket is; it tells routers so
 * by IGMP and MLD (net/ip/mcast.h). The groups that every host is in (224.0.0.1, ff02::1, those of
 * neighbour discovery) need no entry.
 *   source       ip(7), ipv6(7), RFC 3376, 3810, 3678
 */

#include "net/inet/sock.h"

/* One membership of a socket. */
struct inet_member {
	struct ipv6_addr group;
	int ifindex;
	bool include; /* only from the sources; else from all but them */
	uint32_t nsources;
	struct ipv6_addr *source; /* kmalloc'd with the whole */
};

struct inet_groups {
	struct epoch_head epoch;
	uint32_t n, nsources; /* of all */
	struct inet_member member[];
};

/* The options about groups, of both levels; -ENOPROTOOPT: it is none of them. */
int inet_mcast_setsockopt(struct inet_sock *i, int level, int name, uaddr_t val, uint32_t len);
void inet_mcast_release(struct inet_sock *i); /* leaves all groups */

/* Whether a packet to a group is for this socket. Under an epoch. */
bool inet_mcast_allows(const struct inet_sock *i, const struct ip_info *info, int ifindex);

/* --- devices: mcast_dev.c --- */

void mcast_init(void);
/* One more socket is in the group, or one less. join: 0; -ENOMEM. */
MUST_CHECK int mcast_dev_join(struct netdev *d, const struct ipv6_addr *group);
void mcast_dev_leave(int ifindex, const struct ipv6_addr *group);
bool mcast_dev_has(int ifindex, const struct ipv6_addr *group);

/* An MLD message, at its ICMPv6 header, all of it linear. p stays the caller's. */
void mcast_mld_input(const struct pkt *p);

/* For /proc/net: the nth group of a device and family that sockets are in, the youngest first.
 * False: there are no more. */
struct mcast_shown {
	struct ipv6_addr group;
	uint32_t users;
	bool reporter, is_reported;
	nsec_t report_at; /* NSEC_MAX: no report is due */
};
MUST_CHECK bool mcast_nth(const struct netdev *d, bool v6, uint64_t n, struct mcast_shown *out);
unsigned mcast_version_spoken(bool v6); /* of IGMP; MLD's are one less */
