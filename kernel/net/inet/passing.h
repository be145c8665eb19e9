#pragma once

/*
 * What goes through `lo` without packets that anybody could see: whether it may, and how it is
 * counted. See "Direct connections" in README.md.
 */

#include "core/ktrace.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/netif.h"

/* Nobody could tell whether there were packets of this protocol on `lo`. */
static inline bool lo_is_unwatched(uint8_t proto)
{
	return !ktrace_on(KT_NET) && !net_is_tapped(loopback_device) && !raw_hears(proto) &&
	       netdev_is_up(loopback_device);
}

/* As one packet would be counted. `bytes`: with its IP header. */
static inline void lo_count_passed(bool v6, uint32_t bytes)
{
	struct netdev_stats *stats = netdev_stats(loopback_device);

	stats->tx_packets++;
	stats->rx_packets++;
	stats->tx_bytes += bytes + ETH_HEADER;
	stats->rx_bytes += bytes + ETH_HEADER;
	net_count_ip(v6, OutRequests);
	net_count_ip(v6, InReceives);
	net_count_ip(v6, InDelivers);
	net_count_ip_add(v6, OutOctets, bytes);
	net_count_ip_add(v6, InOctets, bytes);
	net_count_ip_add(v6, InNoECTPkts, 1);
}
