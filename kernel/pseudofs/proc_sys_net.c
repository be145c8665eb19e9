/*
 * /proc/sys/net: a row for each variable, with its kind and limits. Only what something in the
 * kernel looks at is here. Source: proc(5), tcp(7), ip(7), socket(7).
 */

#include "abi/errno.h"
#include "lib/string.h"
#include "net/inet/inet.h"
#include "net/inet/conf.h"
#include "net/inet/sock.h"
#include "net/inet/tcp_sysctl.h"
#include "net/netif.h"
#include "net/socket.h"
#include "net/unix/unix.h"
#include "pseudofs/proc_net_priv.h"
#include "pseudofs/proc_var.h"

/* The range of ports that bind(2) chooses from is in order, and needs no privilege. */
static ssize64_t port_range_store(struct pinode *i, char *text, size_t n)
{
	const char *at = text;
	int64_t low, high;
	int res;

	(void)i;
	if ((res = proc_next_number(&at, &low)) <= 0)
		return res ? res : -EINVAL;
	if ((res = proc_next_number(&at, &high)) < 0)
		return res;
	if (res == 0)
		high = inet_port_high;
	if (low < 1 || low > UINT16_MAX || high < low || high > UINT16_MAX ||
	    low < inet_port_unprivileged)
		return -EINVAL;
	inet_port_low = (int)low;
	inet_port_high = (int)high;
	return (ssize64_t)n;
}

static int port_range_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%d\t%d\n", inet_port_low, inet_port_high);
	return 0;
}

static ssize64_t unprivileged_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, inet_port_low, &v))
		return -EINVAL;
	inet_port_unprivileged = (int)v;
	return (ssize64_t)n;
}

static int unprivileged_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%d\n", inet_port_unprivileged);
	return 0;
}

/* Groups that may use ICMP sockets. What is in the wrong order is nobody: "1 0". */
static ssize64_t ping_group_store(struct pinode *i, char *text, size_t n)
{
	const char *at = text;
	int64_t low, high;

	(void)i;
	if (proc_next_number(&at, &low) != 1 || proc_next_number(&at, &high) != 1 || low < 0 ||
	    high < 0 || low >= UINT32_MAX || high >= UINT32_MAX)
		return -EINVAL;
	inet_ping_group_low = high < low ? 1 : (uint32_t)low;
	inet_ping_group_high = high < low ? 0 : (uint32_t)high;
	return (ssize64_t)n;
}

static int ping_group_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%u\t%u\n", inet_ping_group_low, inet_ping_group_high);
	return 0;
}

/* --- congestion control --- */

static int congestion_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%s\n", tcp_default_reno ? "reno" : "cubic");
	return 0;
}

static ssize64_t congestion_store(struct pinode *i, char *text, size_t n)
{
	size_t len = strlen(text);

	(void)i;
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	if (strcmp(text, "reno") != 0 && strcmp(text, "cubic") != 0)
		return -ENOENT;
	tcp_default_reno = text[0] == 'r';
	return (ssize64_t)n;
}

static int congestion_list_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "reno cubic\n");
	return 0;
}

/* --- rows --- */

enum { ANY = INT32_MIN, MOST = INT32_MAX, BYTE = 255 };

static const struct pnode core_nodes[] = {
	PROC_INT("optmem_max", net_optmem_max, 0, MOST),
	PROC_INT("rmem_default", net_rmem_default, 2304, MOST),
	PROC_INT("rmem_max", net_rmem_max, 2304, MOST),
	PROC_INT("somaxconn", net_somaxconn, 0, MOST),
	PROC_INT("wmem_default", net_wmem_default, 4608, MOST),
	PROC_INT("wmem_max", net_wmem_max, 4608, MOST),
	{ 0 },
};

static const struct pnode icmp6_nodes[] = {
	PROC_INT("echo_ignore_all", icmp6_echo_ignore_all, 0, 1),
	PROC_INT("echo_ignore_multicast", icmp6_echo_ignore_multicast, 0, 1),
	{ 0 },
};

static int ip_forward_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%d\n", inet_conf_all.forwarding4);
	return 0;
}

static ssize64_t ip_forward_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;
	int err;

	(void)i;
	if (proc_one_number(text, INT32_MIN, INT32_MAX, &v))
		return -EINVAL;
	err = inet_conf_set(INET_CONF_ALL, INET_CONF_WORD(forwarding4), (int)v);
	return err ? err : (ssize64_t)n;
}

static const struct pnode ipv4_nodes[] = {
	PROC_NET_CONF_DIR("conf", proc_net_conf4),
	PROC_NET_CONF_DIR("neigh", proc_net_neigh4),
	PROC_INT("icmp_echo_ignore_all", icmp_echo_ignore_all, 0, 1),
	PROC_INT("icmp_echo_ignore_broadcasts", icmp_echo_ignore_broadcasts, 0, 1),
	PROC_INT("icmp_msgs_burst", icmp_msgs_burst, 0, MOST),
	PROC_INT("icmp_msgs_per_sec", icmp_msgs_per_sec, 0, MOST),
	PROC_INT("ip_default_ttl", inet_default_ttl, 1, BYTE),
	PROC_SET("ip_local_port_range", port_range_show, port_range_store),
	PROC_SET("ip_unprivileged_port_start", unprivileged_show, unprivileged_store),
	PROC_SET("ping_group_range", ping_group_show, ping_group_store),
	PROC_SET("ip_forward", ip_forward_show, ip_forward_store),
	PROC_INT("tcp_abort_on_overflow", tcp_abort_on_overflow, 0, BYTE),
	{ .name = "tcp_allowed_congestion_control",
	  .mode = S_IFREG | 0444,
	  .show = congestion_list_show },
	{ .name = "tcp_available_congestion_control",
	  .mode = S_IFREG | 0444,
	  .show = congestion_list_show },
	{ .name = "tcp_congestion_control",
	  .mode = S_IFREG | 0644,
	  .show = congestion_show,
	  .store = congestion_store },
	PROC_INT("tcp_ecn", tcp_ecn, 0, 2),
	PROC_INT("tcp_fin_timeout", tcp_fin_timeout, ANY, MOST),
	PROC_INT("tcp_keepalive_intvl", tcp_keepalive_intvl, ANY, MOST),
	PROC_INT("tcp_keepalive_probes", tcp_keepalive_probes, 0, BYTE),
	PROC_INT("tcp_keepalive_time", tcp_keepalive_time, ANY, MOST),
	PROC_INT("tcp_max_orphans", tcp_max_orphans, ANY, MOST),
	PROC_INT("tcp_max_syn_backlog", tcp_max_syn_backlog, ANY, MOST),
	PROC_INT("tcp_max_tw_buckets", tcp_max_tw_buckets, ANY, MOST),
	PROC_INTS("tcp_mem", tcp_mem, 0, INT64_MAX),
	PROC_INT("tcp_moderate_rcvbuf", tcp_moderate_rcvbuf, 0, 1),
	PROC_UINT("tcp_notsent_lowat", tcp_notsent_lowat, 0, UINT32_MAX),
	PROC_INT("tcp_retries2", tcp_retries2, 0, BYTE),
	PROC_INTS("tcp_rmem", tcp_rmem, 1, MOST),
	PROC_INT("tcp_sack", tcp_sack, 0, BYTE),
	PROC_INT("tcp_syn_retries", tcp_syn_retries, 1, 127),
	PROC_INT("tcp_synack_retries", tcp_synack_retries, 0, BYTE),
	PROC_INT("tcp_syncookies", tcp_syncookies, 0, BYTE),
	PROC_INT("tcp_timestamps", tcp_timestamps, 0, BYTE),
	PROC_INT("tcp_tw_reuse", tcp_tw_reuse, 0, 2),
	PROC_INT("tcp_window_scaling", tcp_window_scaling, 0, BYTE),
	PROC_INTS("tcp_wmem", tcp_wmem, 1, MOST),
	{ 0 },
};

static const struct pnode ipv6_nodes[] = {
	PROC_NET_CONF_DIR("conf", proc_net_conf6),
	PROC_NET_CONF_DIR("neigh", proc_net_neigh6),
	PROC_DIR("icmp", icmp6_nodes),
	{ 0 },
};

static const struct pnode unix_nodes[] = {
	PROC_INT("max_dgram_qlen", unix_max_dgram_qlen, 0, MOST),
	{ 0 },
};

const struct pnode proc_sys_net_nodes[] = {
	PROC_DIR("core", core_nodes),
	PROC_DIR("ipv4", ipv4_nodes),
	PROC_DIR("ipv6", ipv6_nodes),
	PROC_DIR("unix", unix_nodes),
	{ 0 },
};
