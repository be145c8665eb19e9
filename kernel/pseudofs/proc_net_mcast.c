/*
 * /proc/net/{igmp,igmp6,dev_mcast,ptype}: which groups devices are in, and who takes packets of
 * which type. Of groups first those that sockets are in, then those that every host is in.
 * Source: proc(5), the kernel's ip-sysctl document, what Linux says.
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/conf.h"
#include "net/inet/inet.h"
#include "net/inet/mcast.h"
#include "net/netif.h"
#include "net/packet/packet.h"
#include "pmm/slab.h"
#include "pseudofs/proc_net_priv.h"

enum { TICKS_PER_SEC = 100 };
enum group_flags { TIMER_RUNS = 1, LAST_REPORTER = 2, LOADED = 4, NOT_REPORTED = 8 };

static unsigned long ticks_until(nsec_t t)
{
	nsec_t now = clock_mono();

	return t == NSEC_MAX || t <= now
		       ? 0
		       : (unsigned long)((t - now) / (nsec_t)(NSEC_PER_SEC / TICKS_PER_SEC));
}

static bool has_groups(const struct netdev *d)
{
	return netdev_is_up(d) && (d->features & NETDEV_LOOPBACK || d->flags & IFF_MULTICAST);
}

/* --- IPv4 --- */

static void igmp_line(struct textbuf *t, uint32_t group, const struct mcast_shown *g)
{
	bool runs = g->report_at != NSEC_MAX;

	text_f(t, "\t\t\t\t%08X %5d %d:%08lX\t\t%d\n", __builtin_bswap32(group), (int)g->users,
	       runs, ticks_until(g->report_at), g->reporter);
}

static void igmp_device(struct textbuf *t, const struct netdev *d)
{
	static const struct mcast_shown all = { .users = 1, .report_at = NSEC_MAX };
	static const char *const versions[] = { "", "V1", "V2", "V3" };
	struct mcast_shown g;
	uint64_t n = 0;

	while (mcast_nth(d, false, n, &g))
		n++;
	text_f(t, "%d\t%-10s: %5lu %7s\n", d->index, d->name, (unsigned long)n + 1,
	       versions[mcast_version_spoken(false)]);
	for (n = 0; mcast_nth(d, false, n, &g); n++)
		igmp_line(t, addr_to4(&g.group), &g);
	igmp_line(t, 0xe0000001, &all);
}

/* A device is one record. */
static int igmp_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	int index = (int)*key;
	struct netdev *d;

	(void)i;
	if (*key == 0) {
		text_f(t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
		*key = 1;
		return 1;
	}
	if ((d = netdev_next(&index)) == NULL)
		return 0;
	if (has_groups(d))
		igmp_device(t, d);
	netdev_put(d);
	*key = (uint64_t)index + 1;
	return 1;
}

int proc_net_igmp_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, igmp_record);
}

/* --- IPv6 --- */

static void igmp6_line(struct textbuf *t, const struct netdev *d, const struct ipv6_addr *a,
		       unsigned users, unsigned flags, nsec_t report_at)
{
	text_f(t, "%-4d %-15s ", d->index, d->name);
	for (int k = 0; k < 16; k++)
		text_f(t, "%02x", a->b[k]);
	text_f(t, " %5d %08X %lu\n", (int)users, flags, ticks_until(report_at));
}

/* The groups in which d's addresses are asked for, each once, with how many addresses it is for.
 * net_config_lock. False: the nth address has none, or another before it had the same. */
static bool solicited_node(const struct netdev *d, const struct ifaddr *of, struct ipv6_addr *out,
			   unsigned *users)
{
	struct ipv6_addr other;
	struct ifaddr *a;
	bool before = true;

	*users = 0;
	*out = ipv6_solicited_node(&of->addr);
	list_for_each (a, &ifaddrs, node) {
		before = before && a != of;
		if (a->dev != d || addr_is4(&a->addr))
			continue;
		other = ipv6_solicited_node(&a->addr);
		if (!ipv6_eq(&other, out))
			continue;
		if (before)
			return false;
		++*users;
	}
	return true;
}

static void igmp6_device(struct textbuf *t, const struct netdev *d)
{
	static const struct ipv6_addr nodes[] = { { { 0xff, 2, [15] = 1 } },
						  { { 0xff, 1, [15] = 1 } } };
	struct mcast_shown g;
	struct ipv6_addr to;
	struct ifaddr *a;
	unsigned users;

	for (uint64_t n = 0; mcast_nth(d, true, n, &g); n++)
		igmp6_line(t, d, &g.group, g.users,
			   (g.is_reported ? (unsigned)LOADED : (unsigned)(LOADED | NOT_REPORTED)) |
				   (g.reporter ? (unsigned)LAST_REPORTER : 0) |
				   (g.report_at != NSEC_MAX ? (unsigned)TIMER_RUNS : 0),
			   g.report_at);
	if (!(d->features & NETDEV_LOOPBACK))
		list_for_each (a, &ifaddrs, node)
			if (a->dev == d && !addr_is4(&a->addr) && solicited_node(d, a, &to, &users))
				igmp6_line(t, d, &to, users, LOADED, NSEC_MAX);
	igmp6_line(t, d, &nodes[0], 1, LOADED | NOT_REPORTED, NSEC_MAX);
	igmp6_line(t, d, &nodes[1], 1, NOT_REPORTED, NSEC_MAX);
}

static int igmp6_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	int index = (int)*key;
	struct netdev *d;

	(void)i;
	if ((d = netdev_next(&index)) == NULL)
		return 0;
	mutex_lock(&net_config_lock);
	if (has_groups(d) && !inet_conf_of(d)->disable6)
		igmp6_device(t, d);
	mutex_unlock(&net_config_lock);
	netdev_put(d);
	*key = (uint64_t)index + 1;
	return 1;
}

int proc_net_igmp6_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, igmp6_record);
}

/* --- link layers --- */

struct link_group {
	uint8_t addr[8];
	unsigned users;
};
struct link_groups {
	unsigned n, room;
	struct link_group *g;
};

static int add_link_group(struct link_groups *l, const uint8_t *addr, unsigned users)
{
	struct link_group *more;

	for (unsigned k = 0; k < l->n; k++)
		if (memcmp(l->g[k].addr, addr, ETH_ALEN) == 0) {
			l->g[k].users += users;
			return 0;
		}
	if (l->n == l->room) {
		if (!(more = kmalloc((l->room * 2 + 8) * sizeof(*more))))
			return -ENOMEM;
		memcpy(more, l->g, l->n * sizeof(*more));
		kfree(l->g);
		l->g = more;
		l->room = l->room * 2 + 8;
	}
	memcpy(l->g[l->n].addr, addr, ETH_ALEN);
	l->g[l->n++].users = users;
	return 0;
}

/* RFC 1112 6.4, RFC 2464 7. What is narrower than the link has no address there. */
static int add_group_of(struct link_groups *l, const struct ipv6_addr *group)
{
	uint8_t mac[8] = { 0x33, 0x33 };

	if (addr_is4(group)) {
		mac[0] = 1, mac[1] = 0, mac[2] = 0x5e, mac[3] = group->b[13] & 0x7f;
		memcpy(mac + 4, group->b + 14, 2);
	} else {
		if ((group->b[1] & 15) < 2)
			return 0;
		memcpy(mac + 2, group->b + 12, 4);
	}
	return add_link_group(l, mac, 1);
}

static int gather(const struct netdev *d, struct link_groups *l)
{
	struct ipv6_addr to = { { 0xff, 2, [15] = 1 } };
	struct mcast_shown g;
	struct ifaddr *a;
	unsigned users;
	uint8_t mac[8];
	int err = 0;

	if (!inet_conf_of(d)->disable6)
		err = add_group_of(l, &to);
	to = addr_from4(0xe0000001);
	if (!err)
		err = add_group_of(l, &to);
	list_for_each (a, &ifaddrs, node)
		if (!err && a->dev == d && !addr_is4(&a->addr) && solicited_node(d, a, &to, &users))
			err = add_group_of(l, &to);
	for (int v6 = 0; v6 < 2; v6++)
		for (uint64_t n = 0; !err && mcast_nth(d, v6, n, &g); n++)
			err = add_group_of(l, &g.group);
	for (unsigned n = 0; !err && packet_nth_group(d->index, n, mac, &users); n++)
		err = add_link_group(l, mac, users);
	return err;
}

static int dev_mcast_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct link_groups l = { 0 };
	int index = (int)*key, err = 0;
	struct netdev *d;

	(void)i;
	if ((d = netdev_next(&index)) == NULL)
		return 0;
	mutex_lock(&net_config_lock);
	if (has_groups(d) && !(d->features & NETDEV_LOOPBACK))
		err = gather(d, &l);
	mutex_unlock(&net_config_lock);
	for (unsigned k = 0; k < l.n; k++) {
		text_f(t, "%-4d %-15s %-5d %-5d ", d->index, d->name, (int)l.g[k].users, 0);
		for (unsigned b = 0; b < d->addr_len; b++)
			text_f(t, "%02x", l.g[k].addr[b]);
		text_c(t, '\n');
	}
	kfree(l.g);
	netdev_put(d);
	*key = (uint64_t)index + 1;
	return err ? err : 1;
}

int proc_net_dev_mcast_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, dev_mcast_record);
}

/* --- types --- */

/* The last column names the function, as people know it. */
static const char *taker(bool is_tap, uint16_t type)
{
	return is_tap          ? "packet_rcv"
	       : type == 0x800 ? "ip_rcv"
	       : type == 0x806 ? "arp_rcv"
			       : "ipv6_rcv";
}

static int ptype_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	const struct netdev *d;
	uint16_t type;
	bool is_tap;

	(void)i;
	if ((*key)++ == 0) {
		text_f(t, "Type Device      Function\n");
		return 1;
	}
	if (!net_handler_nth(*key - 2, &is_tap, &type, &d))
		return 0;
	if (type == NET_TAP_ALL && is_tap)
		text_f(t, "ALL ");
	else
		text_f(t, "%04x", type);
	text_f(t, " %-8s %s\n", d ? d->name : "", taker(is_tap, type));
	return 1;
}

int proc_net_ptype_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, ptype_record);
}
