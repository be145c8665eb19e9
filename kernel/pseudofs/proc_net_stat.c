/*
 * /proc/net/{snmp,snmp6,netstat,sockstat,sockstat6,protocols,stat/}: what was counted, and what
 * there is. Source: proc(5), RFC 4293, 4022, 4113.
 */

#include "abi/in.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/inet/conf.h"
#include "net/inet/neighbour.h"
#include "net/inet/show.h"
#include "net/inet/stats.h"
#include "pseudofs/proc_net_priv.h"

enum { ALL_STATES = ~0u, LIVE = 1u << 1 | 1u << 8 /* ESTABLISHED, CLOSE_WAIT */ };
enum { STATE_TIME_WAIT = 6, STATE_CLOSE = 7 };

static unsigned long sum(enum net_stat s)
{
	return (unsigned long)net_stat_sum(s);
}

/* A line of names and one of values, from `first` to `last`. before, after: what is not counted but
 * looked up, as text. */
static void names(struct textbuf *t, enum net_stat first, enum net_stat last, const char *before)
{
	text_f(t, "%s:%s", net_stat_group(first), before);
	for (enum net_stat s = first; s <= last; s++)
		text_f(t, " %s", net_stat_name(s));
}

static void values(struct textbuf *t, enum net_stat first, enum net_stat last)
{
	for (enum net_stat s = first; s <= last; s++)
		text_f(t, " %lu", sum(s));
}

static void group(struct textbuf *t, enum net_stat first, enum net_stat last)
{
	names(t, first, last, "");
	text_f(t, "\n%s:", net_stat_group(first));
	values(t, first, last);
	text_c(t, '\n');
}

/* Messages by type, those that there were. */
static void icmp_types(struct textbuf *t)
{
	bool any = false;

	for (int pass = 0; pass < 2; pass++) {
		for (int out = 0; out < 2; out++)
			for (unsigned k = 0; k < ICMP_TYPES; k++) {
				unsigned long n =
					(unsigned long)net_icmp_sum(false, out, (uint8_t)k);

				if (n == 0)
					continue;
				if (!any)
					text_f(t, "IcmpMsg:");
				any = true;
				if (pass == 0)
					text_f(t, " %sType%u", out ? "Out" : "In", k);
				else
					text_f(t, " %lu", n);
			}
		if (any)
			text_f(t, pass == 0 ? "\nIcmpMsg:" : "\n");
	}
}

/* CurrEstab stands among the counters of TCP. */
static void tcp_group(struct textbuf *t)
{
	names(t, STAT_Tcp_ActiveOpens, STAT_Tcp_EstabResets, " RtoAlgorithm RtoMin RtoMax MaxConn");
	text_f(t, " CurrEstab");
	for (enum net_stat s = STAT_Tcp_InSegs; s <= STAT_Tcp_InCsumErrors; s++)
		text_f(t, " %s", net_stat_name(s));
	text_f(t, "\nTcp: 1 200 120000 -1");
	values(t, STAT_Tcp_ActiveOpens, STAT_Tcp_EstabResets);
	text_f(t, " %u", proc_net_count(IPPROTO_TCP, 0, LIVE));
	values(t, STAT_Tcp_InSegs, STAT_Tcp_InCsumErrors);
	text_c(t, '\n');
}

int proc_net_snmp_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	names(t, STAT_Ip_InReceives, STAT_Ip_FragCreates, " Forwarding DefaultTTL");
	text_f(t, "\nIp: %d %d", inet_conf_all.forwarding4 ? 1 : 2, 64);
	values(t, STAT_Ip_InReceives, STAT_Ip_FragCreates);
	text_c(t, '\n');
	group(t, STAT_Icmp_InMsgs, STAT_Icmp_OutAddrMaskReps);
	icmp_types(t);
	tcp_group(t);
	group(t, STAT_Udp_InDatagrams, STAT_Udp_MemErrors);
	group(t, STAT_UdpLite_InDatagrams, STAT_UdpLite_MemErrors);
	return 0;
}

int proc_net_netstat_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	group(t, STAT_TcpExt_SyncookiesSent, STAT_TcpExt_TCPMigrateReqFailure);
	group(t, STAT_IpExt_InNoRoutes, STAT_IpExt_ReasmOverlaps);
	return 0;
}

static void row6(struct textbuf *t, const char *name, unsigned long n)
{
	text_f(t, "%-32s\t%lu\n", name, n);
}

static void rows6(struct textbuf *t, enum net_stat first, enum net_stat last)
{
	char name[64];

	for (enum net_stat s = first; s <= last; s++) {
		fmt(name, sizeof(name), "%s%s", net_stat_group(s), net_stat_name(s));
		row6(t, name, sum(s));
	}
}

int proc_net_snmp6_show(struct pinode *i, struct textbuf *t)
{
	char name[32];
	uint64_t n;

	(void)i;
	rows6(t, STAT_Ip6_InReceives, STAT_Icmp6_OutMLDv2Reports);
	for (int out = 0; out < 2; out++)
		for (unsigned k = 0; k < ICMP_TYPES; k++) {
			if ((n = net_icmp_sum(true, out, (uint8_t)k)) == 0)
				continue;
			fmt(name, sizeof(name), "Icmp6%sType%u", out ? "Out" : "In", k);
			row6(t, name, (unsigned long)n);
		}
	rows6(t, STAT_Udp6_InDatagrams, STAT_UdpLite6_MemErrors);
	return 0;
}

/* Pages of what lies in the queues of a protocol's sockets. */
static unsigned long queue_pages(uint8_t protocol, unsigned *orphans)
{
	const struct inet_shower *shower = inet_show_find(protocol);
	struct inet_shown s;
	uint64_t key = 0, bytes = 0;

	*orphans = 0;
	while (shower && shower->next(&key, &s, NULL)) {
		if (s.is_mini)
			continue;
		bytes += (uint64_t)s.rmem + s.wmem;
		*orphans += s.ino == 0;
	}
	return (unsigned long)((bytes + 4095) / 4096);
}

int proc_net_sockstat_show(struct pinode *i, struct textbuf *t)
{
	unsigned open = ~(1u << STATE_TIME_WAIT), orphans, none;
	unsigned long tcp = queue_pages(IPPROTO_TCP, &orphans);

	(void)i;
	text_f(t, "sockets: used %lu\n", (unsigned long)socket_count());
	text_f(t, "TCP: inuse %u orphan %u tw %u alloc %u mem %lu\n",
	       proc_net_count(IPPROTO_TCP, AF_INET, open & ~(1u << STATE_CLOSE)), orphans,
	       proc_net_count(IPPROTO_TCP, 0, 1u << STATE_TIME_WAIT),
	       proc_net_count(IPPROTO_TCP, 0, open), tcp);
	text_f(t, "UDP: inuse %u mem %lu\n", proc_net_count(IPPROTO_UDP, AF_INET, ALL_STATES),
	       queue_pages(IPPROTO_UDP, &none));
	text_f(t, "UDPLITE: inuse %u\n", proc_net_count(IPPROTO_UDPLITE, AF_INET, ALL_STATES));
	text_f(t, "RAW: inuse %u\n", proc_net_count(SHOW_RAW, AF_INET, ALL_STATES));
	text_f(t, "FRAG: inuse 0 memory 0\n");
	return 0;
}

int proc_net_sockstat6_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "TCP6: inuse %u\n",
	       proc_net_count(IPPROTO_TCP, AF_INET6, ~(1u << STATE_TIME_WAIT | 1u << STATE_CLOSE)));
	text_f(t, "UDP6: inuse %u\n", proc_net_count(IPPROTO_UDP, AF_INET6, ALL_STATES));
	text_f(t, "UDPLITE6: inuse %u\n", proc_net_count(IPPROTO_UDPLITE, AF_INET6, ALL_STATES));
	text_f(t, "RAW6: inuse %u\n", proc_net_count(SHOW_RAW, AF_INET6, ALL_STATES));
	text_f(t, "FRAG6: inuse 0 memory 0\n");
	return 0;
}

/* Neighbours, arg: of IPv6. A line for each CPU, all with the same number of entries: lnstat(8). */
int proc_net_neighbour_stat_show(struct pinode *i, struct textbuf *t)
{
	struct neighbour_counts c;
	unsigned cpu, n;

	text_f(t, "entries  allocs   destroys hash_grows lookups  hits     res_failed "
		  "rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs "
		  "unresolved_discards table_fulls\n");
	for_each_cpu (cpu) {
		n = neighbour_counted(i->node->arg != 0, cpu, &c);
		text_f(t, "%08x %08lx %08lx %08lx   %08lx %08lx %08lx   %08lx         ", n,
		       (unsigned long)c.allocs, (unsigned long)c.destroys, 0ul,
		       (unsigned long)c.lookups, (unsigned long)c.hits, (unsigned long)c.failures,
		       (unsigned long)c.solicits_all);
		text_f(t, "%08lx         %08lx         %08lx       %08lx            %08lx\n",
		       (unsigned long)c.solicits_it, 0ul, (unsigned long)c.forced_runs,
		       (unsigned long)c.discards, (unsigned long)c.fulls);
	}
	return 0;
}

/* The last columns say which operations a protocol has: close, connect, disconnect, accept, ioctl,
 * init, destroy, shutdown, setsockopt, getsockopt, sendmsg, recvmsg, sendpage, bind, backlog, hash,
 * unhash, get_port, memory pressure. */
int proc_net_protocols_show(struct pinode *i, struct textbuf *t)
{
	static const struct {
		const char *name, *has;
		int family;
		uint8_t protocol;
	} row[] = {
		{ "PINGv6", "yyynnynnyyyynyyyyyn", AF_INET6, IPPROTO_ICMPV6 },
		{ "RAWv6", "yyynyyynyyyynyyyynn", AF_INET6, SHOW_RAW },
		{ "UDPLITEv6", "yyynyyynyyyynnnyyyn", AF_INET6, IPPROTO_UDPLITE },
		{ "UDPv6", "yyynyyynyyyynnnyyyn", AF_INET6, IPPROTO_UDP },
		{ "TCPv6", "yyyyyyyyyyyyynyyyyy", AF_INET6, IPPROTO_TCP },
		{ "PING", "yyynnynnyyyynyyyyyn", AF_INET, IPPROTO_ICMP },
		{ "RAW", "yyynyyynyyyynyyyynn", AF_INET, SHOW_RAW },
		{ "UDP-Lite", "yyynyyynyyyynnnyyyn", AF_INET, IPPROTO_UDPLITE },
		{ "UDP", "yyynyyynyyyyynnyyyn", AF_INET, IPPROTO_UDP },
		{ "TCP", "yyyyyyyyyyyyynyyyyy", AF_INET, IPPROTO_TCP },
	};
	unsigned none;

	(void)i;
	text_f(t,
	       "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de "
	       "sh ss gs se re sp bi br ha uh gp em\n");
	for (unsigned k = 0; k < ARRAY_SIZE(row); k++) {
		bool tcp = row[k].protocol == IPPROTO_TCP;
		long memory = tcp || row[k].protocol == IPPROTO_UDP
				      ? (long)queue_pages(row[k].protocol, &none)
				      : -1;

		if (inet_show_find(row[k].protocol) == NULL)
			continue;
		text_f(t, "%-9s %4u %6d  %6ld   %-3s %6u   %-3s  %-10s", row[k].name,
		       (unsigned)sizeof(struct inet_sock),
		       (int)proc_net_count(row[k].protocol, row[k].family, ALL_STATES), memory,
		       tcp ? "no" : "NI", tcp ? 256u : 0u, "yes", "kernel");
		for (const char *c = row[k].has; *c; c++)
			text_f(t, " %2c", *c);
		text_c(t, '\n');
	}
	return 0;
}
