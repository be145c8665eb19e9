#pragma once

/* Between netif.c, input.c and loopback.c. */

#include "net/netif.h"

/* Packets as the driver received them, data at the link header; consumes all. */
void net_input(struct netdev *d, struct list *pkts);

/* The same for what came in through `lo`, without running what is deferred. */
void net_input_deferred(struct netdev *d, struct list *pkts);

void loopback_init(void);
void dummy_init(void);

/* Shows a frame to packet sockets. */
void net_show_taps(const struct pkt *p, bool outgoing);
