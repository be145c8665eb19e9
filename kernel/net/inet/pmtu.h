#pragma once

/* Path MTUs that ICMP told of: net/ip/pmtu.h has the rules. */

#include "net/inet/inet.h"

/* A packet to dst of `sent` bytes was too large for a link of `mtu` (0: not told). Only for packets
 * that a socket of ours has sent. */
void inet_pmtu_learn(const struct ipv6_addr *dst, uint32_t mtu, uint32_t sent, uint32_t link_mtu);
/* The path's MTU, at most that of its link. */
uint32_t inet_pmtu_get(const struct ipv6_addr *dst, uint32_t link_mtu);
