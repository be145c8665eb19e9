#pragma once

/*
 * A DHCPv4 client, for `ip=dhcp` on the command line: discover, request, renew, rebind. It makes
 * and reads the UDP payloads; the owner carries them (ports 68 and 67, broadcast while there is no
 * address) and applies the lease.
 *
 *   source       RFC 2131 (4.4: the client), RFC 2132 (options), RFC 1122 4.1.3.1
 */

#include "net/wire.h"

enum dhcp_state {
	DHCP_OFF,
	DHCP_SELECTING,
	DHCP_REQUESTING,
	DHCP_BOUND,
	DHCP_RENEWING,
	DHCP_REBINDING
};

enum { DHCP_CLIENT_PORT = 68, DHCP_SERVER_PORT = 67, DHCP_MAX = 576, DHCP_DNS = 3, DHCP_NAME = 64 };

struct dhcp_lease {
	uint32_t addr, mask, router, server;
	uint32_t broadcast; /* 0: not told */
	uint32_t dns[DHCP_DNS];
	uint8_t ndns;
	uint16_t mtu;     /* 0: not told */
	uint32_t seconds; /* UINT32_MAX: for ever */
	uint32_t t1, t2;  /* seconds */
	char domain[DHCP_NAME], host[DHCP_NAME];
};

struct dhcp {
	uint8_t state;
	uint8_t mac[ETH_ALEN];
	uint8_t tries;
	bool send;    /* a message is due */
	bool changed; /* the lease is another one, or lost: dhcp_take_change() */
	uint32_t xid;
	uint32_t random; /* of the jitter */
	nsec_t started, resend_at, t1_at, t2_at, ends_at;
	struct dhcp_lease lease, offer;
};

struct dhcp_out {
	uint32_t dst; /* 0xffffffff, or the server */
	uint32_t src; /* 0 while there is no address */
	size_t len;
	uint8_t data[DHCP_MAX];
};

/* Begins. xid and the jitter come from `random`. */
void dhcp_start(struct dhcp *d, const uint8_t *mac, uint32_t random, nsec_t now);

/* A message to send, if one is due. */
MUST_CHECK bool dhcp_output(struct dhcp *d, nsec_t now, struct dhcp_out *out);

/* A UDP payload for port 68. What is not for this client is ignored. */
void dhcp_input(struct dhcp *d, const uint8_t *p, size_t n, nsec_t now);

nsec_t dhcp_deadline(const struct dhcp *d);
void dhcp_timer(struct dhcp *d, nsec_t now);

/* True once after each change: d->lease is to be applied; lease.addr 0: to be taken away. */
MUST_CHECK bool dhcp_take_change(struct dhcp *d);
