#pragma once

/*
 * What can be set of the Internet protocols for each device: net.ipv4.conf, net.ipv6.conf and
 * net.*.neigh. Plain words, read racily; set by inet_conf_set() alone. Of IPv4 some of `all` count
 * together with the device's; a device begins with `default`.
 *   source       proc(5), the kernel's ip-sysctl document, Linux's answers
 */

#include "dev/net/netdev.h"
#include "net/ip/neigh.h"

struct inet_conf {
	/* IPv4 */
	int forwarding4; /* the device's alone counts; setting that of all sets each */
	int rp_filter, accept_local, route_localnet, log_martians, src_valid_mark;
	int arp_accept, arp_announce, arp_filter, arp_ignore, arp_notify, drop_gratuitous_arp;
	int proxy_arp, promote_secondaries, drop_l2_multicast4, tag;
	/* IPv6 */
	int forwarding6, disable6, accept_ra, dad_transmits, accept_dad;
	int accept_ra_defrtr, accept_ra_from_local, accept_ra_min_hop_limit, accept_ra_mtu,
		accept_ra_pinfo, autoconf, keep_addr_on_down, drop_unsolicited_na,
		drop_l2_multicast6, proxy_ndp;
	int hop_limit; /* as a router told */
	int mtu6;      /* as a router told, or by hand; 0: the device's */

	struct neigh_config neigh[2]; /* of IPv4, of IPv6 */
	/* What was set for this device itself, as `default` does not change it any more: a bit for
	 * each word above, and for each parameter of neigh[]. net_config_lock. */
	uint64_t set, neigh_set[2];
};

extern struct inet_conf inet_conf_all, inet_conf_default;

/* Of a device; never NULL. */
static inline struct inet_conf *inet_conf_of(const struct netdev *d)
{
	struct inet_conf *c =
		__atomic_load_n((struct inet_conf *const *)&d->inet, __ATOMIC_ACQUIRE);

	return c ? c : &inet_conf_default;
}

/* Of all together with the device's own: the larger. */
#define INET_CONF_MAX(d, member) MAX(inet_conf_all.member, inet_conf_of(d)->member)

enum inet_conf_subject { INET_CONF_ALL = -1, INET_CONF_DEFAULT = -2 }; /* or an interface index */
#define INET_CONF_WORD(member) \
	((unsigned)(__builtin_offsetof(struct inet_conf, member) / sizeof(int)))

/*
 * One word, by its place: INET_CONF_WORD().
 *   of       an index, or enum inet_conf_subject
 *   returns  0; -ENODEV
 *   context  may sleep; takes net_config_lock. What follows from the new value is done
 */
MUST_CHECK int inet_conf_get(int of, unsigned word, int *out);
MUST_CHECK int inet_conf_set(int of, unsigned word, int v);

/* Parameters of neighbours: net.*.neigh. */
enum neigh_parameter {
	NEIGH_P_REACHABLE, /* ns */
	NEIGH_P_RETRANS,   /* ns */
	NEIGH_P_DELAY,     /* ns */
	NEIGH_P_ASK_ALL,
	NEIGH_P_ASK_IT,
	NEIGH_P_QUEUE, /* bytes */
};
MUST_CHECK int inet_neigh_get(int of, bool v6, enum neigh_parameter p, uint64_t *out);
MUST_CHECK int inet_neigh_set(int of, bool v6, enum neigh_parameter p, uint64_t v);

/* d got an IPv4 address: what is set from now on for new devices is not for it. net_config_lock. */
void inet_conf_settle(struct netdev *d);
/* A device begins. */
void inet_conf_begin(struct inet_conf *c, const struct netdev *d);

/* net.ipv4.ip_default_ttl */
extern int inet_default_ttl;
