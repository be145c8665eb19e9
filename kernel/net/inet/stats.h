#pragma once

/*
 * What the Internet protocols count: per-CPU counters with the names that /proc/net/snmp, snmp6 and
 * netstat give them. Counting is one addition: net_count(STAT_Udp_InDatagrams).
 *
 * The enumerators are in mixed case since they are made of those names, which stats.def lists once.
 *   source       RFC 4293 (IP, ICMP), 4022 (TCP), 4113 (UDP); proc(5)
 */

#include "core/percpu.h"
#include "lib/types.h"

enum net_stat {
#define STAT(group, name) STAT_##group##_##name,
#include "net/inet/stats.def"
#undef STAT
	NET_STATS
};

enum { ICMP_TYPES = 256 };

struct net_stats {
	uint64_t n[NET_STATS];
	uint32_t icmp[2][2][ICMP_TYPES]; /* [version 6][out][type] */
};
DECLARE_PERCPU(struct net_stats, net_stats);

/* Threads only, and only between two sleeps: a count is not atomic. */
static inline void net_count_add(enum net_stat s, uint64_t n)
{
	this_cpu(net_stats).n[s] += n;
}
static inline void net_count(enum net_stat s)
{
	net_count_add(s, 1);
}
/* The one of IPv4 or that of IPv6: net_count_ip(v6, InReceives). What Linux has in IpExt: _add. */
#define net_count_ip(is6, name) net_count((is6) ? STAT_Ip6_##name : STAT_Ip_##name)

/* Of UDP or UDP-Lite: net_count_udp(lite, v6, InDatagrams). */
#define net_count_udp(lite, is6, name)                                         \
	net_count((lite)  ? (is6) ? STAT_UdpLite6_##name : STAT_UdpLite_##name \
		  : (is6) ? STAT_Udp6_##name                                   \
			  : STAT_Udp_##name)
#define net_count_ip_add(is6, name, n) net_count_add((is6) ? STAT_Ip6_##name : STAT_IpExt_##name, n)

/* One ICMP message in or out, also under its type. */
void net_count_icmp(bool v6, bool out, uint8_t type);

uint64_t net_stat_sum(enum net_stat s); /* over all CPUs; a snapshot */
uint64_t net_icmp_sum(bool v6, bool out, uint8_t type);

/* "group" and "name" of s. */
const char *net_stat_group(enum net_stat s);
const char *net_stat_name(enum net_stat s);
