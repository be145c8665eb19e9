#pragma once

/*
 * The Internet protocols inside the kernel: addresses and routes, packets in and out. IPv4 and IPv6
 * are one here: an IPv4 address is written as mapped (::ffff:a.b.c.d), and what differs (headers,
 * neighbours, fragments) is decided where it is written or read.
 *   source       ip(7), ipv6(7), RFC 791, 8200, 1122
 */

#include "dev/net/netdev.h"
#include "net/ip/route.h"
#include "net/wire.h"

void inet_init(void); /* boot, after netif_init() and netlink, before devices */

static inline struct ipv6_addr addr_from4(uint32_t a)
{
	struct ipv6_addr m = { { [10] = 0xff, [11] = 0xff } };

	be32_put(m.b + 12, a);
	return m;
}
static inline uint32_t addr_to4(const struct ipv6_addr *a)
{
	return be32_get(a->b + 12);
}
static inline bool addr_is4(const struct ipv6_addr *a)
{
	return ipv6_is_v4mapped(a);
}
/* 0.0.0.0 or :: */
static inline bool addr_is_any(const struct ipv6_addr *a)
{
	return addr_is4(a) ? addr_to4(a) == 0 : ipv6_is_unspecified(a);
}
static inline bool addr_is_multicast(const struct ipv6_addr *a)
{
	return addr_is4(a) ? ipv4_is_multicast(addr_to4(a)) : ipv6_is_multicast(a);
}
static inline bool addr_is_loopback(const struct ipv6_addr *a)
{
	return addr_is4(a) ? ipv4_is_loopback(addr_to4(a)) : ipv6_is_loopback(a);
}

/* --- routes --- */

/* Where a packet goes. Devices are never destroyed, so dev is borrowed for ever. */
struct ip_path {
	struct netdev *dev;
	struct ipv6_addr next_hop; /* the gateway, or the destination */
	struct ipv6_addr source;   /* to be used when the sender has none */
	uint32_t mtu;
	uint32_t generation; /* ip_route_generation when it was found */
	uint8_t type;        /* enum route_type */
	uint8_t hops;        /* TTL or hop limit of packets that say nothing of it */
	nsec_t confirmed;    /* when the peer last showed that our packets arrive; 0: unknown */
};

/* Raised by every change of routes, addresses and devices: a path found earlier may be wrong. */
extern _Atomic uint32_t ip_route_generation;

/*
 * The way to dst.
 *   source   what the sender is bound to; unspecified: the path's is chosen
 *   oif      only through this device; 0: any
 *   returns  0; -ENETUNREACH, -EHOSTUNREACH, -EACCES (prohibit, or broadcast without leave: the
 *            caller's), -EINVAL (blackhole; a link-local address without oif)
 *   context  threads; does not sleep
 */
MUST_CHECK int ip_route(const struct ipv6_addr *dst, const struct ipv6_addr *source, int oif,
			struct ip_path *out);

/* What kind of address this is for us: ROUTE_LOCAL, ROUTE_BROADCAST, ROUTE_MULTICAST, or
 * ROUTE_UNICAST for all others. */
enum route_type ip_address_type(const struct ipv6_addr *a, const struct netdev *d);

/* The device that has the address, which is one of ours; NULL: it is gone meanwhile. */
struct netdev *ip_device_of(const struct ipv6_addr *a);

/* Routes of the main table, by ioctl, netlink and configuration. net_config_lock. r is copied. */
MUST_CHECK int ip_route_add(bool v4, const struct route *r);
MUST_CHECK int ip_route_remove(bool v4, const struct route *like);

/* --- addresses of devices --- */

struct ifaddr {
	struct list node; /* of all, by device; net_config_lock to change */
	struct netdev *dev;
	struct ipv6_addr addr, peer, broadcast; /* mapped for IPv4; unspecified: none */
	uint8_t plen;         /* of the prefix, without the 96 bits of a mapped address */
	uint8_t scope, proto; /* rtnetlink(7) */
	uint32_t flags;       /* IFA_F_* */
	uint32_t metric;      /* of its network's route; 0: as usual */
	char label[NETDEV_NAME];
	uint32_t valid, preferred; /* seconds from `updated`; UINT32_MAX: for ever */
	nsec_t created, updated;
	nsec_t dad_at;      /* when the next probe is due, or the last one's time is over */
	uint8_t dad_probes; /* still to be sent */
	bool routed;        /* its routes are in the table, as its flags and the device allow */
};
extern struct list ifaddrs;         /* net_config_lock */
extern uint64_t ifaddrs_generation; /* of the list: raised when one comes or goes */

/* By device: IPv4 first, primary ones before secondary ones; IPv6 by scope, the youngest first. */
MUST_CHECK int ifaddr_add(const struct ifaddr *like);    /* 0; -EEXIST; -EINVAL; -ENOBUFS */
MUST_CHECK int ifaddr_remove(const struct ifaddr *like); /* by dev, addr, plen; -EADDRNOTAVAIL */
/* One of d with this address; plen < 0: whatever prefix. NULL: none. net_config_lock. */
struct ifaddr *ifaddr_find(const struct netdev *d, const struct ipv6_addr *addr, int plen);
/* Gives a (one of the list) other flags, lifetimes and metric, with all that follows. */
void ifaddr_change(struct ifaddr *a, uint32_t flags, uint32_t valid, uint32_t preferred,
		   uint32_t metric);
/* Seconds that are left of a lifetime. */
uint32_t ifaddr_left(const struct ifaddr *a, uint32_t lifetime);
/* Goes through the addresses whose time is over; when to come again. net_config_lock. */
nsec_t ifaddr_expire(nsec_t now);

/* --- packets --- */

/* What a received packet's network header said; in pkt->cb. */
struct ip_info {
	struct ipv6_addr src, dst;
	uint8_t proto, ttl, tos;
	uint8_t to; /* enum route_type of dst */
};
STATIC_ASSERT(sizeof(struct ip_info) <= PKT_CB);
static inline struct ip_info *ip_info(const struct pkt *p)
{
	return (struct ip_info *)(uintptr_t)p->cb;
}

enum ip_cut { IP_CUT_UNLESS_DF, IP_CUT, IP_CUT_NEVER };

/* How a packet is sent. */
struct ip_send {
	const struct ip_path *path;
	struct ipv6_addr src, dst;
	uint8_t proto, ttl, tos;
	uint8_t cut;  /* enum ip_cut: whether it may leave in fragments */
	uint32_t mtu; /* 0: the path's */
	bool dont_fragment;
	bool no_loop; /* multicast: not to our own sockets */
};

/*
 * Sends p, whose data begins with the transport header, its checksum complete or PARTIAL; consumes
 * it.
 *   returns  0; -EMSGSIZE it may not be fragmented (path->mtu says how large it may be); -ENOBUFS;
 *            -ENETDOWN
 *   context  threads; does not sleep; what goes through `lo` waits for net_run_deferred()
 */
MUST_CHECK int ip_output(struct pkt *p, const struct ip_send *s);

/* Fills the checksum at `offset` of the transport header of p, which is all of p, or leaves it to
 * the device. */
void ip_set_checksum(struct pkt *p, const struct ip_send *s, uint16_t offset);
/* True when the transport checksum of a received p is right (or has been proved so). */
bool ip_checksum_ok(const struct pkt *p);
/* The same where a checksum covers the first n bytes only: UDP-Lite. */
void ip_set_checksum_part(struct pkt *p, const struct ip_send *s, uint16_t offset, uint32_t n);
bool ip_checksum_part_ok(const struct pkt *p, uint32_t n);

/* Why a packet of ours was not delivered. */
struct ip_error {
	int err;
	bool hard;          /* it ends a connection that is being set up */
	bool local;         /* found here: the next hop does not answer */
	uint8_t type, code; /* of the ICMP message */
	uint32_t mtu;       /* what the packet was too large for; 0: that was not it */
	struct ipv6_addr offender;
	struct netdev *dev;
};

/* Takes packets of a transport protocol: p->data at its header, p->transport set, ip_info() filled.
 * Consumes p. */
struct ip_protocol {
	uint8_t proto;
	void (*input)(struct pkt *p);
	/* An ICMP error about a packet that we sent: `data` are the n bytes of its transport header
	 * that came back. err: errno; hard: it ends a connection that is being set up. */
	void (*error)(const struct ip_info *sent, const uint8_t *data, uint32_t n, int err,
		      bool hard, uint32_t mtu);
	/* The same with all that is known, asked instead of error(): back is what came back, at the
	 * transport header, of which n bytes are linear; it stays the caller's. */
	void (*icmp)(const struct ip_info *sent, const struct pkt *back, const struct ip_error *e);
	struct ip_protocol *next;
};
void ip_protocol_register(struct ip_protocol *p); /* boot */

/* Tells the sender of p (at its transport header) by ICMP why it was not delivered. p stays the
 * caller's. code: of "destination unreachable" of the family: enum below. */
/* sysctl net.ipv4.icmp_*, net.ipv6.icmp.* */
extern int icmp_echo_ignore_all, icmp_echo_ignore_broadcasts, icmp_msgs_burst, icmp_msgs_per_sec;
extern int icmp6_echo_ignore_all, icmp6_echo_ignore_multicast;

enum ip_unreachable { IP_UNREACH_PORT, IP_UNREACH_PROTO };
void ip_send_unreachable(const struct pkt *p, enum ip_unreachable why);
