#pragma once

/* AF_PACKET: frames as they come and go. source: packet(7) */

struct textbuf;

void packet_init(void); /* boot, after netif_init() and inet_init() */

/* What /proc/net/packet says. */
void packet_show(struct textbuf *t);
