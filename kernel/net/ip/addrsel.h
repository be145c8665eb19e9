#pragma once

/*
 * Which address a packet is sent from.
 *
 *   source       RFC 6724 2.1 (policy table), 3.1 (scope), 5 (rules 1 to 8); for IPv4 RFC 1122
 *                3.3.4.3 and ip(7): the interface's address in the subnet of the next hop
 */

#include "net/wire.h"

enum addr_scope { SCOPE_INTERFACE = 1, SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

struct addr_candidate {
	struct ipv6_addr addr;
	uint32_t ifindex;
	uint8_t plen;
	bool deprecated, tentative, home, temporary;
};

uint8_t addr_scope6(const struct ipv6_addr *a);

/* The policy table of RFC 6724 2.1. */
uint8_t addr_label(const struct ipv6_addr *a);
uint8_t addr_precedence(const struct ipv6_addr *a);

/*
 * The best source among n candidates for dst through interface ifindex, or NULL.
 *   prefer_temporary     RFC 6724 rule 7: net.ipv6.conf.*.use_tempaddr 2
 */
const struct addr_candidate *addr_select6(const struct ipv6_addr *dst, uint32_t ifindex,
					  const struct addr_candidate *c, size_t n,
					  bool prefer_temporary);

struct addr4_candidate {
	uint32_t addr;
	uint32_t ifindex;
	uint8_t plen;
	bool is_link_scope; /* rtnetlink(7) RT_SCOPE_LINK: not for destinations beyond the link */
	bool secondary;
};

/* next_hop: the gateway, or the destination itself; on_link says which. */
const struct addr4_candidate *addr_select4(uint32_t next_hop, bool on_link, uint32_t ifindex,
					   const struct addr4_candidate *c, size_t n);
