/* Links by netlink: `ip link` shows, changes and watches network devices. */

#include "abi/errno.h"
#include "abi/if.h"
#include "lib/string.h"
#include "net/netif.h"
#include "net/netlink/rtnetlink.h"
#include "net/netlink/rtnl_priv.h"

static void put_stats(struct nlmsgs *m, const struct netdev *d)
{
	struct abi_rtnl_link_stats64 all = { 0 };
	uint32_t narrow[sizeof(all) / 8 - 1]; /* the older form has no rx_otherhost_dropped */
	const uint64_t *wide = (const uint64_t *)&all;
	struct netdev_stats s;

	netdev_stats_sum(d, &s);
	all.rx_packets = s.rx_packets;
	all.tx_packets = s.tx_packets;
	all.rx_bytes = s.rx_bytes;
	all.tx_bytes = s.tx_bytes;
	all.rx_errors = s.rx_errors;
	all.tx_errors = s.tx_errors;
	all.rx_dropped = s.rx_dropped;
	all.tx_dropped = s.tx_dropped;
	all.multicast = s.rx_multicast;
	nlattr_put(m, IFLA_STATS64, &all, sizeof(all));
	for (unsigned i = 0; i < ARRAY_SIZE(narrow); i++)
		narrow[i] = (uint32_t)wide[i];
	nlattr_put(m, IFLA_STATS, narrow, sizeof(narrow));
}

/* One device as a message; false: m is full. */
static bool put_link(struct nlmsgs *m, const struct netdev *d, uint16_t type, uint16_t flags,
		     uint32_t seq, uint32_t port, uint32_t change)
{
	struct abi_ifinfomsg *i = nlmsg_begin(m, type, flags, seq, port, sizeof(*i));
	uint32_t at;

	if (i) {
		i->ifi_type = d->hw_type;
		i->ifi_index = d->index;
		i->ifi_flags = netdev_user_flags(d);
		i->ifi_change = change;
	}
	nlattr_put_string(m, IFLA_IFNAME, d->name);
	nlattr_put_u32(m, IFLA_TXQLEN, d->txqueuelen);
	nlattr_put_u8(m, IFLA_OPERSTATE, (uint8_t)netdev_operstate(d));
	nlattr_put_u8(m, IFLA_LINKMODE, 0);
	nlattr_put_u32(m, IFLA_MTU, d->mtu);
	nlattr_put_u32(m, IFLA_MIN_MTU, d->min_mtu);
	nlattr_put_u32(m, IFLA_MAX_MTU, d->max_mtu == UINT32_MAX ? 0 : d->max_mtu);
	nlattr_put_u32(m, IFLA_GROUP, 0);
	nlattr_put_u32(m, IFLA_PROMISCUITY, netdev_promiscuity(d));
	nlattr_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	nlattr_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
	nlattr_put_u8(m, IFLA_CARRIER, atomic_load_explicit(&d->carrier, memory_order_relaxed));
	nlattr_put_string(m, IFLA_QDISC, d->features & NETDEV_LOOPBACK ? "noqueue" : "pfifo_fast");
	nlattr_put(m, IFLA_ADDRESS, d->addr, d->addr_len);
	nlattr_put(m, IFLA_BROADCAST, d->broadcast, d->addr_len);
	put_stats(m, d);
	at = nlattr_begin(m, IFLA_AF_SPEC);
	nlattr_end(m, at);
	return nlmsg_end(m);
}

/* key[0]: the next index. */
static int more_links(struct nldump *d, struct nlmsgs *m)
{
	int index = MAX((int)d->key[0], 1);
	struct netdev *dev;
	bool fits = true;

	while (fits && (dev = netdev_next(&index))) {
		fits = put_link(m, dev, RTM_NEWLINK, NLM_F_MULTI, d->seq, d->portid, 0);
		index += fits;
		netdev_put(dev);
	}
	d->key[0] = (uint64_t)index;
	return !fits;
}

/* The device that a request names, by number or by name. 0 with *out counted; -ENODEV, -EINVAL. */
static int find_link(struct nlrequest *r, struct nlattr *a, struct netdev **out)
{
	const struct abi_ifinfomsg *i = r->payload;
	char name[NETDEV_NAME];
	int err = nlattr_parse(r, sizeof(*i), a, IFLA_PERM_ADDRESS);

	if (err)
		return err;
	if (i->ifi_index > 0)
		*out = netdev_lookup_index(i->ifi_index);
	else if (nlattr_string(&a[IFLA_IFNAME], name, sizeof(name)))
		*out = netdev_lookup_name(name);
	else
		return -EINVAL;
	return *out ? 0 : -ENODEV;
}

static int get_link(struct nlrequest *r, struct nlmsgs **reply)
{
	struct nlattr a[IFLA_PERM_ADDRESS + 1];
	struct netdev *d;
	int err = find_link(r, a, &d);

	if (err)
		return err;
	if (!(*reply = nlmsgs_alloc(2048)) ||
	    !put_link(*reply, d, RTM_NEWLINK, 0, r->seq, r->portid, 0))
		err = -ENOBUFS;
	netdev_put(d);
	return err;
}

static int change_link(struct nlrequest *r, struct netdev *d, const struct nlattr *a)
{
	const struct abi_ifinfomsg *i = r->payload;
	uint32_t mask = i->ifi_change ? i->ifi_change : i->ifi_flags ? UINT32_MAX : 0;
	char name[NETDEV_NAME];
	int err = 0;

	if (a[IFLA_ADDRESS].data)
		err = netdev_change_address(d, a[IFLA_ADDRESS].data, a[IFLA_ADDRESS].len);
	if (!err && nlattr_has_u32(&a[IFLA_MTU]))
		err = netdev_change_mtu(d, nlattr_u32(&a[IFLA_MTU]));
	if (!err && i->ifi_index > 0 && a[IFLA_IFNAME].data) {
		if (!nlattr_string(&a[IFLA_IFNAME], name, sizeof(name)))
			return -EINVAL;
		err = netdev_change_name(d, name);
	}
	if (!err && nlattr_has_u32(&a[IFLA_TXQLEN]))
		d->txqueuelen = nlattr_u32(&a[IFLA_TXQLEN]);
	if (!err && mask)
		err = netdev_change_flags(d, i->ifi_flags, mask);
	return err;
}

static int set_link(struct nlrequest *r, struct nlmsgs **reply)
{
	struct nlattr a[IFLA_PERM_ADDRESS + 1];
	struct netdev *d;
	int err = find_link(r, a, &d);

	(void)reply;
	if (err == -ENODEV && (r->flags & NLM_F_CREATE)) {
		r->why = "Unknown device type";
		return -EOPNOTSUPP;
	}
	if (err)
		return err;
	if ((r->flags & NLM_F_CREATE) && (r->flags & NLM_F_EXCL))
		err = -EEXIST;
	else
		err = change_link(r, d, a);
	netdev_put(d);
	return err;
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	struct nlmsgs *m;

	if (e == NETDEV_GOING_DOWN || e == NETDEV_UP || e == NETDEV_DOWN ||
	    !netlink_has_listeners(NETLINK_ROUTE, RTNLGRP_LINK))
		return; /* UP and DOWN are followed by CHANGED */
	if (!(m = nlmsgs_alloc(2048)))
		return;
	if (put_link(m, d, RTM_NEWLINK, 0, 0, 0, e == NETDEV_REGISTERED ? UINT32_MAX : 0))
		netlink_report(NETLINK_ROUTE, RTNLGRP_LINK, m);
	else
		nlmsgs_free(m);
}

void rtnl_link_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_GETLINK, .doit = get_link, .more = more_links },
		{ .type = RTM_SETLINK, .doit = set_link },
		{ .type = RTM_NEWLINK, .doit = set_link },
	};
	static struct netdev_listener listener = { .event = on_event };

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
	netdev_listen(&listener);
}
