#pragma once

/*
 * What can be set of the Internet protocols for each device: net.ipv4.conf and net.ipv6.conf. Plain
 * words, read racily. `all` counts together with the device's; a device begins with `default`.
 */

#include "lib/types.h"

struct netdev;

struct inet_conf {
	/* IPv4 */
	int forwarding4; /* the device's alone counts; setting that of all sets each */
	int rp_filter;
	/* IPv6 */
	int forwarding6, disable6, accept_ra, dad_transmits, accept_dad;
	int hop_limit; /* as a router told */
	uint32_t mtu6; /* as a router told; 0: the device's */
};
#define INET_CONF_INIT                                                                \
	{                                                                             \
		.accept_ra = 1, .dad_transmits = 1, .accept_dad = 1, .hop_limit = 64, \
	}

extern struct inet_conf inet_conf_all, inet_conf_default;
/* Of a device; never NULL. */
struct inet_conf *inet_conf_of(const struct netdev *d);
