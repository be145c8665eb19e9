#pragma once

/* AF_PACKET: frames as they come and go. source: packet(7) */

#include "lib/types.h"

struct textbuf;

void packet_init(void); /* boot, after netif_init() and inet_init() */

/* What /proc/net/packet says. */
void packet_show(struct textbuf *t);

/* What sock_diag(7) says: the first socket at or behind *key, and the key behind it. False: none.
 */
struct packet_shown {
	uint8_t type;
	uint16_t protocol; /* EtherType */
	int ifindex;       /* bound to; 0: all */
	uint32_t version, reserve, flags, rmem, rcvbuf, sndbuf, drops, uid;
	uint64_t ino;
};
/* The nth link-layer group that sockets want of a device. net_config_lock. False: no more. */
MUST_CHECK bool packet_nth_group(int ifindex, unsigned n, uint8_t addr[8], unsigned *users);
MUST_CHECK bool packet_next(uint64_t *key, struct packet_shown *out);
