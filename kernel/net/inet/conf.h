#pragma once

/*
 * What can be set of the Internet protocols for each device: net.ipv4.conf and net.ipv6.conf. Plain
 * words, read racily; who changes forwarding6 or disable6 calls inet_conf_changed().
 */

#include "lib/types.h"

struct netdev;

struct inet_conf {
	/* IPv4 */
	int forwarding4, rp_filter, accept_redirects4;
	/* IPv6 */
	int forwarding6, disable6, accept_ra, autoconf, dad_transmits, accept_dad, hop_limit;
	int accept_redirects6;
	uint32_t mtu6; /* as a router told; 0: the device's */
};
#define INET_CONF_INIT                                                                     \
	{                                                                                  \
		.accept_redirects4 = 1, .accept_ra = 1, .autoconf = 1, .dad_transmits = 1, \
		.accept_dad = 1, .hop_limit = 64, .accept_redirects6 = 1,                  \
	}

extern struct inet_conf inet_conf_all, inet_conf_default;
/* Of a device; never NULL. */
struct inet_conf *inet_conf_of(const struct netdev *d);
