#pragma once

/*
 * A network device as its driver shows it to the network layer. The driver makes it, fills it in
 * and registers it; from then on the network layer owns its name, flags and place in lists.
 */

#include "core/ref.h"
#include "dev/net/pkt.h"
#include "lib/list.h"
#include "lib/types.h"

enum { NETDEV_NAME = 16, NETDEV_MAX_ADDR = 8 };

enum netdev_features { /* what the device does with packets that it is given, or gives */
		       NETDEV_CSUM = 1,      /* completes PKT_CSUM_PARTIAL */
		       NETDEV_TSO4 = 2,      /* cuts PKT_GSO_TCP4 */
		       NETDEV_TSO6 = 4,      /* cuts PKT_GSO_TCP6 */
		       NETDEV_TSO_ECN = 8,   /* … also with gso_ecn */
		       NETDEV_RX_CSUM = 16,  /* verifies */
		       NETDEV_RX_GSO = 32,   /* delivers coalesced packets */
		       NETDEV_LOOPBACK = 64, /* what is sent comes in again */
		       NETDEV_NO_ARP = 128,
};

/* Relaxed counters, one set for each CPU. */
struct netdev_stats {
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped, rx_multicast;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct netdev;

struct netdev_ops {
	/*
	 * Sends p, whose data begins with the link header, and consumes it in every case.
	 *   returns  0; -ENOBUFS dropped, the device's queue is full
	 *   context  threads; does not sleep
	 */
	int (*send)(struct netdev *d, struct pkt *p);
	/* The lines and filters follow d->flags (IFF_UP, IFF_PROMISC, IFF_ALLMULTI) and d->addr.
	 * Optional; may sleep. */
	int (*set_flags)(struct netdev *d, unsigned flags);
	int (*set_address)(struct netdev *d, const uint8_t *addr);
};

struct netdev {
	char name[NETDEV_NAME]; /* "eth%d" until registered */
	int index;              /* given by the network layer, from 1 */
	uint16_t hw_type;       /* ARPHRD_* */
	uint8_t addr_len;
	uint8_t addr[NETDEV_MAX_ADDR], broadcast[NETDEV_MAX_ADDR];
	uint32_t features; /* enum netdev_features */
	unsigned mtu, min_mtu, max_mtu, txqueuelen;
	_Atomic unsigned flags; /* IFF_* */
	_Atomic bool carrier;
	_Atomic unsigned busy; /* queues of its that are long: whoever can wait, waits */
	unsigned speed;        /* Mbit/s; 0: unknown */
	const struct netdev_ops *ops;
	const char *driver, *bus;   /* for ethtool -i and /sys */
	void *priv;                 /* the driver's */
	void *net;                  /* the network layer's */
	void *inet;                 /* the Internet protocols', for ever once it is set */
	struct netdev_stats *stats; /* [ncpus] */
	struct list node;           /* the network layer's */
	struct ref ref;
};

/* Allocates a device with its counters, count 1. NULL: no memory. */
MUST_CHECK struct netdev *netdev_alloc(const char *name);
void netdev_free(struct netdev *d);

/* This CPU's counters. Threads; a thread that sleeps in between may have moved. */
struct netdev_stats *netdev_stats(struct netdev *d);
void netdev_stats_sum(const struct netdev *d, struct netdev_stats *out);

/*
 * Set by the network layer before drivers are probed.
 *   register  makes d known; 0 or -errno (d stays the driver's)
 *   input     takes received packets, data at the link header; consumes all. Threads
 *   carrier   d->carrier has changed; any context
 */
struct netdev_client {
	int (*register_device)(struct netdev *d);
	void (*input)(struct netdev *d, struct list *pkts);
	void (*carrier_changed)(struct netdev *d);
};
extern const struct netdev_client *netdev_client; /* NULL: no network layer */
