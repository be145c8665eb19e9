/*
 * /proc/sys/net/{ipv4,ipv6}/{conf,neigh}: what is set for each device, for all together and for new
 * ones. Only what something in the kernel looks at is here. Source: proc(5), arp(7), the kernel's
 * ip-sysctl document.
 */

#include "abi/errno.h"
#include "lib/string.h"
#include "net/inet/conf.h"
#include "net/inet/neighbour.h"
#include "net/netif.h"
#include "pseudofs/proc_net_priv.h"
#include "pseudofs/proc_var.h"

/* A node's number: the device's, or one of these. */
enum { OF_ALL = 1 << 30, OF_DEFAULT };
enum { MTU_LEAST = 1280, BUFFER_UNIT = 2090 /* what a packet of the usual size weighs */ };

static int subject_of(const struct pinode *i)
{
	return i->subject.number == OF_ALL       ? INET_CONF_ALL
	       : i->subject.number == OF_DEFAULT ? INET_CONF_DEFAULT
						 : (int)i->subject.number;
}

static int word_show(struct pinode *i, struct textbuf *t)
{
	int v, err = inet_conf_get(subject_of(i), (unsigned)i->node->arg, &v);

	if (!err)
		text_f(t, "%d\n", v);
	return err;
}

static ssize64_t word_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;
	int err;

	if (proc_one_number(text, INT32_MIN, INT32_MAX, &v))
		return -EINVAL;
	err = inet_conf_set(subject_of(i), (unsigned)i->node->arg, (int)v);
	return err ? err : (ssize64_t)n;
}

/* At least 1, or a switch: what is out of the limits is refused. */
static ssize64_t hops_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	if (proc_one_number(text, 1, 255, &v))
		return -EINVAL;
	return word_store(i, text, n);
}

/* What routers said, or the device's own. */
static int mtu_show(struct pinode *i, struct textbuf *t)
{
	int v, err = inet_conf_get(subject_of(i), (unsigned)i->node->arg, &v);
	struct netdev *d;

	if (err)
		return err;
	if (v == 0 && subject_of(i) < 0)
		v = MTU_LEAST;
	else if (v == 0 && (d = netdev_lookup_index(subject_of(i)))) {
		v = (int)d->mtu;
		netdev_put(d);
	}
	text_f(t, "%d\n", v);
	return 0;
}

static ssize64_t mtu_store(struct pinode *i, char *text, size_t n)
{
	struct netdev *d = subject_of(i) < 0 ? NULL : netdev_lookup_index(subject_of(i));
	int64_t v, most = d ? d->mtu : INT32_MAX;

	netdev_put(d);
	if (proc_one_number(text, MTU_LEAST, most, &v))
		return -EINVAL;
	return word_store(i, text, n);
}

#define WORD_WITH(n, member, get, put)                                        \
	{                                                                     \
		.name = n, .mode = S_IFREG | 0644, .show = get, .store = put, \
		.arg = INET_CONF_WORD(member)                                 \
	}
#define WORD(n, member) WORD_WITH(n, member, word_show, word_store)
#define DEVICE_DIR(of)                                                                       \
	{                                                                                    \
		.name = "", .mode = S_IFDIR | 0555, .children = (of), .volatile_links = true \
	}

static const struct pnode conf4_nodes[] = {
	WORD("accept_local", accept_local),
	WORD("arp_accept", arp_accept),
	WORD("arp_announce", arp_announce),
	WORD("arp_filter", arp_filter),
	WORD("arp_ignore", arp_ignore),
	WORD("arp_notify", arp_notify),
	WORD("drop_gratuitous_arp", drop_gratuitous_arp),
	WORD("drop_unicast_in_l2_multicast", drop_l2_multicast4),
	WORD("forwarding", forwarding4),
	WORD("log_martians", log_martians),
	WORD("promote_secondaries", promote_secondaries),
	WORD("proxy_arp", proxy_arp),
	WORD("route_localnet", route_localnet),
	WORD("rp_filter", rp_filter),
	WORD("src_valid_mark", src_valid_mark),
	WORD("tag", tag), /* a note for programs */
	{ 0 },
};
const struct pnode proc_net_conf4 = DEVICE_DIR(conf4_nodes);

static const struct pnode conf6_nodes[] = {
	WORD("accept_dad", accept_dad),
	WORD("accept_ra", accept_ra),
	WORD("accept_ra_defrtr", accept_ra_defrtr),
	WORD("accept_ra_from_local", accept_ra_from_local),
	WORD("accept_ra_min_hop_limit", accept_ra_min_hop_limit),
	WORD("accept_ra_mtu", accept_ra_mtu),
	WORD("accept_ra_pinfo", accept_ra_pinfo),
	WORD("autoconf", autoconf),
	WORD("dad_transmits", dad_transmits),
	WORD("disable_ipv6", disable6),
	WORD("drop_unicast_in_l2_multicast", drop_l2_multicast6),
	WORD("drop_unsolicited_na", drop_unsolicited_na),
	WORD("forwarding", forwarding6),
	WORD_WITH("hop_limit", hop_limit, word_show, hops_store),
	WORD("keep_addr_on_down", keep_addr_on_down),
	WORD_WITH("mtu", mtu6, mtu_show, mtu_store),
	WORD("proxy_ndp", proxy_ndp),
	{ 0 },
};
const struct pnode proc_net_conf6 = DEVICE_DIR(conf6_nodes);

/* --- neighbours: times in seconds, ms or ticks of 10 ms, numbers of requests, bytes --- */

struct neigh_row {
	uint8_t parameter; /* enum neigh_parameter */
	uint32_t unit;     /* of what is shown, in that of the parameter */
	uint32_t most;
};

static int neigh_show(struct pinode *i, struct textbuf *t)
{
	const struct neigh_row *r = i->node->ptr;
	uint64_t v;
	int err = inet_neigh_get(subject_of(i), i->node->arg != 0, r->parameter, &v);

	if (!err)
		text_f(t, "%lu\n", (unsigned long)(v / r->unit));
	return err;
}

static ssize64_t neigh_store(struct pinode *i, char *text, size_t n)
{
	const struct neigh_row *r = i->node->ptr;
	int64_t v;
	int err;

	if (proc_one_number(text, 0, r->most, &v))
		return -EINVAL;
	err = inet_neigh_set(subject_of(i), i->node->arg != 0, r->parameter, (uint64_t)v * r->unit);
	return err ? err : (ssize64_t)n;
}

#define NEIGH(n, p, u, hi, v6)                                                               \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0644, .show = neigh_show, .store = neigh_store, \
		.arg = v6, .ptr = &(const struct neigh_row)                                  \
		{                                                                            \
			.parameter = p, .unit = u, .most = hi                                \
		}                                                                            \
	}
/* IPv4's is in ticks of user space, IPv6's in those of Debian's kernel. */
#define TICK(v6) (NSEC_PER_SEC / ((v6) ? 250 : 100))
#define NEIGH_ROWS(v6)                                                                            \
	NEIGH("base_reachable_time", NEIGH_P_REACHABLE, NSEC_PER_SEC, INT32_MAX / 1000, v6),      \
		NEIGH("base_reachable_time_ms", NEIGH_P_REACHABLE, NSEC_PER_MSEC, INT32_MAX, v6), \
		NEIGH("delay_first_probe_time", NEIGH_P_DELAY, NSEC_PER_SEC, INT32_MAX / 1000,    \
		      v6),                                                                        \
		NEIGH("mcast_solicit", NEIGH_P_ASK_ALL, 1, INT32_MAX, v6),                        \
		NEIGH("retrans_time", NEIGH_P_RETRANS, TICK(v6), INT32_MAX / 10, v6),             \
		NEIGH("retrans_time_ms", NEIGH_P_RETRANS, NSEC_PER_MSEC, INT32_MAX, v6),          \
		NEIGH("ucast_solicit", NEIGH_P_ASK_IT, 1, INT32_MAX, v6),                         \
		NEIGH("unres_qlen", NEIGH_P_QUEUE, BUFFER_UNIT, INT32_MAX / BUFFER_UNIT, v6),     \
		NEIGH("unres_qlen_bytes", NEIGH_P_QUEUE, 1, INT32_MAX, v6)

static const struct pnode neigh4_nodes[] = { NEIGH_ROWS(0), { 0 } };
static const struct pnode neigh6_nodes[] = { NEIGH_ROWS(1), { 0 } };
/* These are of the whole table. */
static const struct pnode neigh4_default_nodes[] = {
	NEIGH_ROWS(0),
	PROC_INT("gc_thresh3", neighbour_thresholds[0][2], 0, INT32_MAX),
	{ 0 },
};
static const struct pnode neigh6_default_nodes[] = {
	NEIGH_ROWS(1),
	PROC_INT("gc_thresh3", neighbour_thresholds[1][2], 0, INT32_MAX),
	{ 0 },
};
static const struct pnode neigh4_default = DEVICE_DIR(neigh4_default_nodes);
static const struct pnode neigh6_default = DEVICE_DIR(neigh6_default_nodes);
const struct pnode proc_net_neigh4 = DEVICE_DIR(neigh4_nodes);
const struct pnode proc_net_neigh6 = DEVICE_DIR(neigh6_nodes);

/* --- the directories --- */

static bool is_of_neighbours(const struct pnode *of)
{
	return of == &proc_net_neigh4 || of == &proc_net_neigh6;
}

static const struct pnode *default_of(const struct pnode *of)
{
	return of == &proc_net_neigh4   ? &neigh4_default
	       : of == &proc_net_neigh6 ? &neigh6_default
					: of;
}

int proc_net_conf_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		       struct psubject *s)
{
	const struct pnode *of = dir->node->ptr;
	char buf[NETDEV_NAME] = "";
	struct netdev *d;

	if (len >= sizeof(buf))
		return -ENOENT;
	memcpy(buf, name, len);
	*node = of;
	*s = (struct psubject){ .number = OF_ALL };
	if (strcmp(buf, "all") == 0 && !is_of_neighbours(of))
		return 0;
	if (strcmp(buf, "default") == 0) {
		*node = default_of(of);
		s->number = OF_DEFAULT;
		return 0;
	}
	if ((d = netdev_lookup_name(buf)) == NULL)
		return -ENOENT;
	s->number = (uint64_t)d->index;
	netdev_put(d);
	return 0;
}

/* Keys: 0 and 1 are not devices'. */
bool proc_net_conf_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
			const struct pnode **node)
{
	struct netdev *d;
	int index;

	*node = dir->node->ptr;
	if (*key == 0 && is_of_neighbours(*node))
		*key = 1;
	if (*key < 2) {
		*node = *key == 0 ? *node : default_of(*node);
		strscpy(name, *key == 0 ? "all" : "default", size);
		return true;
	}
	index = (int)*key - 1;
	if ((d = netdev_next(&index)) == NULL)
		return false;
	strscpy(name, d->name, size);
	netdev_put(d);
	*key = (uint64_t)index + 1;
	return true;
}
