/* /proc/net and /proc/sys/net: proc(5), sysctl(8). */

#include "abi/errno.h"
#include "abi/in.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/inet/show.h"
#include "net/socket.h"
#include "net/unix/unix.h"
#include "pseudofs/proc_net_priv.h"

static int unix_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	unix_format(t);
	return 0;
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

const struct pnode proc_net_nodes[] = {
	{ .name = "dev", .mode = S_IFREG | 0444, .fill = proc_net_dev_fill },
	SOCKS("icmp", AF_INET, IPPROTO_ICMP),
	SOCKS("icmp6", AF_INET6, IPPROTO_ICMPV6),
	TEXT("if_inet6", proc_net_if_inet6_show),
	TEXT("netstat", proc_net_netstat_show),
	TEXT("protocols", proc_net_protocols_show),
	TEXT("psched", psched_show),
	SOCKS("raw", AF_INET, SHOW_RAW),
	SOCKS("raw6", AF_INET6, SHOW_RAW),
	TEXT("snmp", proc_net_snmp_show),
	TEXT("snmp6", proc_net_snmp6_show),
	TEXT("sockstat", proc_net_sockstat_show),
	TEXT("sockstat6", proc_net_sockstat6_show),
	TEXT("softnet_stat", proc_net_softnet_show),
	SOCKS("tcp", AF_INET, IPPROTO_TCP),
	SOCKS("tcp6", AF_INET6, IPPROTO_TCP),
	SOCKS("udp", AF_INET, IPPROTO_UDP),
	SOCKS("udp6", AF_INET6, IPPROTO_UDP),
	SOCKS("udplite", AF_INET, IPPROTO_UDPLITE),
	SOCKS("udplite6", AF_INET6, IPPROTO_UDPLITE),
	TEXT("unix", unix_show),
	{ 0 },
};

/* An int, at ptr, of which arg is the smallest value. */
static int limit_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%d\n", *(const int *)i->node->ptr);
	return 0;
}

static ssize64_t limit_store(struct pinode *i, char *text, size_t n)
{
	uint64_t v;

	if (!str_to_u64(text, NULL, &v) || v > INT32_MAX || v < i->node->arg)
		return -EINVAL;
	*(int *)(uintptr_t)i->node->ptr = (int)v;
	return (ssize64_t)n;
}

#define LIMIT(n, var, min)                                                                   \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0644, .show = limit_show, .store = limit_store, \
		.ptr = &(var), .arg = min                                                    \
	}

static const struct pnode core_nodes[] = {
	LIMIT("optmem_max", net_optmem_max, 0),
	LIMIT("rmem_default", net_rmem_default, 2304),
	LIMIT("rmem_max", net_rmem_max, 2304),
	LIMIT("somaxconn", net_somaxconn, 0),
	LIMIT("wmem_default", net_wmem_default, 4608),
	LIMIT("wmem_max", net_wmem_max, 4608),
	{ 0 },
};

static const struct pnode unix_nodes[] = {
	LIMIT("max_dgram_qlen", unix_max_dgram_qlen, 0),
	{ 0 },
};

const struct pnode proc_sys_net_nodes[] = {
	{ .name = "core", .mode = S_IFDIR | 0555, .children = core_nodes },
	{ .name = "unix", .mode = S_IFDIR | 0555, .children = unix_nodes },
	{ 0 },
};
