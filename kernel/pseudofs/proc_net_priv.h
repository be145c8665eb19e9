#pragma once

/* Between the files of /proc/net, /proc/sys/net and /sys/class/net. */

#include "pseudofs/procfs_priv.h"

/* proc_sys_inet.c: directories of /proc/sys/net whose children are devices, `all` and `default` */
extern const struct pnode proc_net_conf4, proc_net_conf6, proc_net_neigh4, proc_net_neigh6;
int proc_net_conf_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		       struct psubject *s);
bool proc_net_conf_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
			const struct pnode **node);
#define PROC_NET_CONF_DIR(n, of)                                               \
	{                                                                      \
		.name = n, .mode = S_IFDIR | 0555, .find = proc_net_conf_find, \
		.list = proc_net_conf_list, .ptr = &(of)                       \
	}

/* proc_net_mcast.c */
int proc_net_igmp_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_net_igmp6_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_net_dev_mcast_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_net_ptype_fill(struct pinode *i, uint64_t *key, struct textbuf *t);

/* proc_net_dev.c */
int proc_net_dev_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_net_if_inet6_show(struct pinode *i, struct textbuf *t);
int proc_net_softnet_show(struct pinode *i, struct textbuf *t);

/* proc_net_sock.c: arg is the protocol, with the family above it */
#define PROC_NET_SOCKS(family, protocol) ((uint64_t)(family) << 16 | (protocol))
int proc_net_socks_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
/* Sockets of a protocol and family (0: both) that there are now, in one of the states of a mask. */
unsigned proc_net_count(uint8_t protocol, int family, unsigned states);

/* proc_net_route.c */
int proc_net_route_show(struct pinode *i, struct textbuf *t);
int proc_net_ipv6_route_show(struct pinode *i, struct textbuf *t);
int proc_net_rt_cache_show(struct pinode *i, struct textbuf *t);
int proc_net_fib_triestat_show(struct pinode *i, struct textbuf *t);
int proc_net_rt6_stats_show(struct pinode *i, struct textbuf *t);
int proc_net_fib_trie_show(struct pinode *i, struct textbuf *t);
int proc_net_arp_fill(struct pinode *i, uint64_t *key, struct textbuf *t);

/* proc_net_stat.c */
int proc_net_snmp_show(struct pinode *i, struct textbuf *t);
int proc_net_snmp6_show(struct pinode *i, struct textbuf *t);
int proc_net_netstat_show(struct pinode *i, struct textbuf *t);
int proc_net_sockstat_show(struct pinode *i, struct textbuf *t);
int proc_net_sockstat6_show(struct pinode *i, struct textbuf *t);
int proc_net_protocols_show(struct pinode *i, struct textbuf *t);
int proc_net_neighbour_stat_show(struct pinode *i, struct textbuf *t);
