/* /proc/net: the table of its files, and the small ones among them. Source: proc(5). */

#include "abi/in.h"
#include "abi/socket.h"
#include "net/inet/ipconfig.h"
#include "net/inet/show.h"
#include "net/netlink/netlink.h"
#include "net/packet/packet.h"
#include "net/unix/unix.h"
#include "pseudofs/proc_net_priv.h"

static int unix_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	unix_format(t);
	return 0;
}

static int packet_sockets_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	packet_show(t);
	return 0;
}

/* Ports: what has none is not shown, as on Linux. */
static int netlink_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct netlink_shown s;
	uint64_t place = *key - 1;

	(void)i;
	if (*key == 0) {
		text_f(t,
		       "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		       "Drops    Inode\n");
		*key = 1;
		return 1;
	}
	if (!netlink_next(&place, &s))
		return 0;
	text_f(t, "%016lx %-3d %-10u %08x %-8d %-8d %-5d %-8d %-8u %-8lu\n", 0ul, s.protocol,
	       s.portid, (unsigned)s.groups, (int)s.rmem, 0, s.dumping, (int)s.refs, 0u,
	       (unsigned long)s.ino);
	*key = place + 1;
	return 1;
}

static int netlink_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, netlink_record);
}

/* Packet scheduling counts in ns: so long are a tick of its clock, and of the timers' behind it. */
static int psched_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "000003e8 00000040 000f4240 3b9aca00\n");
	return 0;
}

#define TEXT(n, fn)                                           \
	{                                                     \
		.name = n, .mode = S_IFREG | 0444, .show = fn \
	}
#define SOCKS(n, family, protocol)                                              \
	{                                                                       \
		.name = n, .mode = S_IFREG | 0444, .fill = proc_net_socks_fill, \
		.arg = PROC_NET_SOCKS(family, protocol)                         \
	}

static int pnp_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	ipconfig_show(t);
	return 0;
}

static const struct pnode stat_nodes[] = {
	TEXT("arp_cache", proc_net_neighbour_stat_show),
	{ .name = "ndisc_cache",
	  .mode = S_IFREG | 0444,
	  .show = proc_net_neighbour_stat_show,
	  .arg = 1 },
	{ 0 },
};

const struct pnode proc_net_nodes[] = {
	{ .name = "arp", .mode = S_IFREG | 0444, .fill = proc_net_arp_fill },
	{ .name = "dev", .mode = S_IFREG | 0444, .fill = proc_net_dev_fill },
	{ .name = "dev_mcast", .mode = S_IFREG | 0444, .fill = proc_net_dev_mcast_fill },
	TEXT("fib_trie", proc_net_fib_trie_show),
	TEXT("fib_triestat", proc_net_fib_triestat_show),
	SOCKS("icmp", AF_INET, IPPROTO_ICMP),
	SOCKS("icmp6", AF_INET6, IPPROTO_ICMPV6),
	{ .name = "igmp", .mode = S_IFREG | 0444, .fill = proc_net_igmp_fill },
	{ .name = "igmp6", .mode = S_IFREG | 0444, .fill = proc_net_igmp6_fill },
	TEXT("if_inet6", proc_net_if_inet6_show),
	TEXT("ipv6_route", proc_net_ipv6_route_show),
	{ .name = "netlink", .mode = S_IFREG | 0444, .fill = netlink_fill },
	TEXT("netstat", proc_net_netstat_show),
	TEXT("packet", packet_sockets_show),
	TEXT("pnp", pnp_show),
	TEXT("protocols", proc_net_protocols_show),
	TEXT("psched", psched_show),
	{ .name = "ptype", .mode = S_IFREG | 0444, .fill = proc_net_ptype_fill },
	SOCKS("raw", AF_INET, SHOW_RAW),
	SOCKS("raw6", AF_INET6, SHOW_RAW),
	TEXT("route", proc_net_route_show),
	TEXT("rt6_stats", proc_net_rt6_stats_show),
	TEXT("rt_cache", proc_net_rt_cache_show),
	TEXT("snmp", proc_net_snmp_show),
	TEXT("snmp6", proc_net_snmp6_show),
	TEXT("sockstat", proc_net_sockstat_show),
	TEXT("sockstat6", proc_net_sockstat6_show),
	TEXT("softnet_stat", proc_net_softnet_show),
	{ .name = "stat", .mode = S_IFDIR | 0555, .children = stat_nodes },
	SOCKS("tcp", AF_INET, IPPROTO_TCP),
	SOCKS("tcp6", AF_INET6, IPPROTO_TCP),
	SOCKS("udp", AF_INET, IPPROTO_UDP),
	SOCKS("udp6", AF_INET6, IPPROTO_UDP),
	SOCKS("udplite", AF_INET, IPPROTO_UDPLITE),
	SOCKS("udplite6", AF_INET6, IPPROTO_UDPLITE),
	TEXT("unix", unix_show),
	{ 0 },
};
