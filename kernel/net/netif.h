#pragma once

/*
 * Network devices as the network layer knows them: names, numbers, states, and who wants to hear
 * of changes. Everything here changes under net_config_lock; lookups by number or name may also be
 * made under an epoch, and give a counted device.
 *
 * Those of drivers stay for ever. Those that users make (link kinds) can be removed; their memory
 * stays a device, so that pointers to it never lead elsewhere, and becomes the next one of its kind
 * after an epoch: whoever keeps a pointer beyond that forgets it on NETDEV_UNREGISTERED.
 *   source       netdevice(7)
 */

#include "core/epoch.h"
#include "dev/net/netdev.h"
#include "lib/types.h"
#include "sched/mutex.h"

extern struct mutex net_config_lock; /* NETCFG: devices, addresses, routes, rules */

enum { NETIF_ALIAS = 256 };

/* What the network layer adds to a device: net_config_lock. */
struct netif {
	unsigned promisc, allmulti; /* reasons */
	_Atomic bool carrier_changed;
	uint8_t linkmode; /* 1: comes up dormant */
	uint32_t group, carrier_ups, carrier_downs;
	char *alias;                  /* or NULL */
	const struct link_kind *kind; /* NULL: of a driver */
	struct netdev *dev;
	struct epoch_head epoch;
};
static inline struct netif *netif_of(const struct netdev *d)
{
	return d->net;
}

/* Devices that users make: `ip link add type NAME`. net_config_lock. */
struct link_kind {
	const char *name;
	/* A device with the kind's defaults, count 1, not yet added. NULL: no memory. */
	struct netdev *(*make)(void);
	void (*give_back)(struct netdev *d); /* it was not added, or went an epoch ago */
	struct link_kind *next;
};
void link_kind_register(struct link_kind *k); /* boot */
struct link_kind *link_kind_find(const char *name);
/* Makes d known under d->name, which may be a pattern. index 0: the next. 0; -EEXIST, -EBUSY the
 * number is another's, -EINVAL, -ENFILE, -ENOMEM: d stays the caller's. */
MUST_CHECK int netif_add(struct netdev *d, int index, const struct link_kind *kind);
void netif_remove(struct netdev *d); /* one of a kind */

/* Boot: becomes the client of network devices and makes `lo`. */
void netif_init(void);

MUST_CHECK struct netdev *netdev_lookup_index(int index); /* counted; NULL: none */
MUST_CHECK struct netdev *netdev_lookup_name(const char *name);
struct netdev *netif_find_index(int index); /* borrowed: under an epoch, or net_config_lock */
void netdev_put(struct netdev *d);

/* The device with the smallest index >= *index, counted, its index in *index. NULL: no more. */
MUST_CHECK struct netdev *netdev_next(int *index);

extern struct netdev *loopback_device; /* immutable after boot */

static inline bool netdev_is_up(const struct netdev *d)
{
	return atomic_load_explicit(&d->flags, memory_order_relaxed) & 1u; /* IFF_UP */
}

/* IFF_* as user space sees them: RUNNING and LOWER_UP follow the carrier. */
unsigned netdev_user_flags(const struct netdev *d);
/* IF_OPER_* of RFC 2863. */
unsigned netdev_operstate(const struct netdev *d);

/*
 * Changes, by ioctl or netlink. net_config_lock held; permission is the caller's.
 *   returns  0; -EINVAL, -EBUSY, -EEXIST, -EOPNOTSUPP as netdevice(7) has them
 */
MUST_CHECK int netdev_change_flags(struct netdev *d, unsigned set, unsigned mask);
MUST_CHECK int netdev_change_mtu(struct netdev *d, unsigned mtu);
MUST_CHECK int netdev_change_address(struct netdev *d, const uint8_t *addr, unsigned len);
MUST_CHECK int netdev_change_name(struct netdev *d, const char *name);
MUST_CHECK int netdev_change_alias(struct netdev *d, const char *alias, uint32_t len);
void netdev_change_carrier(struct netdev *d, bool on);
void netdev_change_mode(struct netdev *d, uint8_t linkmode, uint32_t group);

/* Reasons to hear every packet, counted: packet sockets, and users by IFF_PROMISC. */
void netdev_promisc(struct netdev *d, int delta);
void netdev_allmulti(struct netdev *d, int delta);

/* Whether neighbours are to be asked for their link addresses. */
static inline bool netdev_has_arp(const struct netdev *d)
{
	return !(d->features & NETDEV_LOOPBACK) &&
	       !(atomic_load_explicit(&d->flags, memory_order_relaxed) & 0x80u); /* IFF_NOARP */
}

enum netdev_event {
	NETDEV_REGISTERED,
	NETDEV_UP,
	NETDEV_GOING_DOWN,
	NETDEV_DOWN,
	NETDEV_CARRIER,      /* on or off */
	NETDEV_CHANGED,      /* name, MTU, address, flags */
	NETDEV_UNREGISTERED, /* it goes, and is down; told before it leaves the list */
};

/* Called for each event, net_config_lock held. Registered at boot, never removed. */
struct netdev_listener {
	void (*event)(struct netdev *d, enum netdev_event e);
	struct netdev_listener *next;
};
void netdev_listen(struct netdev_listener *l);

/* --- packets in and out --- */

/*
 * Who takes packets of an EtherType. input() consumes p, whose data begins behind the link header
 * (p->network there), p->type saying for whom it was. Threads; does not sleep.
 */
struct net_protocol {
	uint16_t type; /* EtherType */
	void (*input)(struct pkt *p);
	struct net_protocol *next;
};
void net_protocol_register(struct net_protocol *np); /* boot */

/*
 * Whoever sees all packets of a type, or all: packet sockets. Called under an epoch with the packet
 * as it is on the wire (data at the link header), which it may clone and must not keep or change.
 */
struct net_tap {
	struct net_tap *next;
	uint16_t type;      /* EtherType, or NET_TAP_ALL */
	struct netdev *dev; /* NULL: every device */
	void (*see)(struct net_tap *t, const struct pkt *p, bool outgoing);
	struct epoch_head epoch;
};
enum { NET_TAP_ALL = 3, NET_TAP_NONE = 0 }; /* ETH_P_ALL */
void net_tap_add(struct net_tap *t);
/* For /proc/net/ptype: the type and the device (or NULL) of the nth tap, then of the protocols;
 * false: there are no more. */
MUST_CHECK bool net_handler_nth(uint64_t n, bool *is_tap, uint16_t *type,
				const struct netdev **dev);
void net_tap_remove(struct net_tap *t); /* may still be called until an epoch has passed */
/* Called after packets that came in together, in the same thread, nothing having slept since the
 * first; each had p->in_batch. One caller, at boot. */
void net_on_batch_end(void (*fn)(void));
/* p comes out of `lo` as p->straight(p), when this thread holds no lock of the network any more. */
void net_send_straight(struct pkt *p);
MUST_CHECK bool net_is_tapped(
	const struct netdev *d); /* under an epoch: somebody sees d's packets */

/*
 * Gives a whole frame (data at the link header, p->dev set) to its device, and to taps.
 *   returns  0; -ENETDOWN; -ENOBUFS. p is consumed
 *   context  threads; does not sleep
 */
int netdev_send(struct pkt *p);

/* Puts an Ethernet header in front and sends; devices without one take the packet as it is. */
int ether_send(struct pkt *p, struct netdev *d, const uint8_t *to, uint16_t type);

/*
 * What a thread has sent through `lo` waits until it holds no lock of the network: whoever took
 * such locks calls this after the last of them. Also before sleeping, and by the return to user
 * mode.
 */
void net_run_deferred(void);
static inline bool net_has_deferred(void)
{
	return curthread()->net_deferred != NULL;
}
