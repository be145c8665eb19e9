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

/* Segments and packets of any size are cut or joined below. */
static void put_limits(struct nlmsgs *m, const struct netdev *d)
{
	enum { SIZE = 65536, SEGMENTS = 65535, LOOPBACK_SIZE = 524280 };

	nlattr_put_u32(m, IFLA_GSO_MAX_SEGS, SEGMENTS);
	nlattr_put_u32(m, IFLA_GSO_MAX_SIZE, SIZE);
	nlattr_put_u32(m, IFLA_GRO_MAX_SIZE, SIZE);
	nlattr_put_u32(m, IFLA_TSO_MAX_SIZE, d->features & NETDEV_LOOPBACK ? LOOPBACK_SIZE : SIZE);
	nlattr_put_u32(m, IFLA_TSO_MAX_SEGS, SEGMENTS);
}

/* What IPv6 says of a device: it makes addresses of the hardware's, and no token was set. */
static void put_inet6(struct nlmsgs *m, const struct netdev *d)
{
	enum { IS_READY = 1u << 31 };
	const uint8_t token[16] = { 0 };

	nlattr_put_u32(m, IFLA_INET6_FLAGS, netdev_is_up(d) ? IS_READY : 0);
	nlattr_put(m, IFLA_INET6_TOKEN, token, sizeof(token));
	nlattr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, 0);
}

static void put_families(struct nlmsgs *m, const struct netdev *d)
{
	uint32_t at = nlattr_begin(m, IFLA_AF_SPEC), family = nlattr_begin(m, AF_INET6);

	put_inet6(m, d);
	nlattr_end(m, family);
	nlattr_end(m, at);
}

static const char *qdisc_of(const struct netdev *d)
{
	if (netif_of(d)->kind && !netdev_is_up(d))
		return "noop";
	return d->features & NETDEV_LOOPBACK || netif_of(d)->kind ? "noqueue" : "pfifo_fast";
}

static void put_carrier(struct nlmsgs *m, const struct netdev *d)
{
	const struct netif *n = netif_of(d);

	nlattr_put_u8(m, IFLA_CARRIER, atomic_load_explicit(&d->carrier, memory_order_relaxed));
	nlattr_put_u32(m, IFLA_CARRIER_CHANGES, n->carrier_ups + n->carrier_downs);
	nlattr_put_u32(m, IFLA_CARRIER_UP_COUNT, n->carrier_ups);
	nlattr_put_u32(m, IFLA_CARRIER_DOWN_COUNT, n->carrier_downs);
}

struct header { /* of the message that is built */
	uint16_t type, flags;
	uint32_t seq, port, change;
	bool no_stats;
};

static void put_kind(struct nlmsgs *m, const struct netdev *d)
{
	const struct link_kind *kind = netif_of(d)->kind;
	uint32_t at;

	if (kind == NULL)
		return;
	at = nlattr_begin(m, IFLA_LINKINFO);
	nlattr_put_string(m, IFLA_INFO_KIND, kind->name);
	nlattr_end(m, at);
}

/* One device as a message; false: m is full. */
static bool put_link(struct nlmsgs *m, const struct netdev *d, const struct header *h)
{
	struct abi_ifinfomsg *i = nlmsg_begin(m, h->type, h->flags, h->seq, h->port, sizeof(*i));
	const struct netif *n = netif_of(d);

	if (i) {
		i->ifi_type = d->hw_type;
		i->ifi_index = d->index;
		i->ifi_flags = netdev_user_flags(d);
		i->ifi_change = h->change;
	}
	nlattr_put_string(m, IFLA_IFNAME, d->name);
	nlattr_put_u32(m, IFLA_TXQLEN, d->txqueuelen);
	nlattr_put_u8(m, IFLA_OPERSTATE, (uint8_t)netdev_operstate(d));
	nlattr_put_u8(m, IFLA_LINKMODE, n->linkmode);
	nlattr_put_u32(m, IFLA_MTU, d->mtu);
	nlattr_put_u32(m, IFLA_MIN_MTU, d->min_mtu);
	nlattr_put_u32(m, IFLA_MAX_MTU, d->max_mtu == UINT32_MAX ? 0 : d->max_mtu);
	nlattr_put_u32(m, IFLA_GROUP, n->group);
	nlattr_put_u32(m, IFLA_PROMISCUITY, n->promisc);
	nlattr_put_u32(m, IFLA_ALLMULTI, n->allmulti);
	nlattr_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	nlattr_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
	put_limits(m, d);
	put_carrier(m, d);
	nlattr_put_string(m, IFLA_QDISC, qdisc_of(d));
	nlattr_put_u8(m, IFLA_PROTO_DOWN, 0);
	if (n->alias)
		nlattr_put_string(m, IFLA_IFALIAS, n->alias);
	nlattr_put(m, IFLA_ADDRESS, d->addr, d->addr_len);
	nlattr_put(m, IFLA_BROADCAST, d->broadcast, d->addr_len);
	if (!h->no_stats)
		put_stats(m, d);
	put_kind(m, d);
	put_families(m, d);
	return nlmsg_end(m);
}

/* The kind that IFLA_LINKINFO names, into room for NETDEV_NAME. False: it names none. */
static bool get_kind(const struct nlattr *info, char *name)
{
	struct nlattr t[IFLA_INFO_KIND + 1];

	return info->data && !nlattr_parse_nested(info, t, IFLA_INFO_KIND) &&
	       nlattr_string(&t[IFLA_INFO_KIND], name, NETDEV_NAME);
}

enum { FILTER_MASK, FILTER_MASTER };

/* key[1]: the kind that is asked for, or 0. One that is unknown is left to the asker. */
static int start_links(struct nlrequest *r, struct nldump *d)
{
	struct nlattr a[IFLA_ALLMULTI + 1];
	char kind[NETDEV_NAME];

	if (nlattr_parse(r, sizeof(struct abi_ifinfomsg), a, IFLA_ALLMULTI))
		return 0; /* older programs send a shorter header */
	if (nlattr_has_u32(&a[IFLA_EXT_MASK]))
		d->filter[FILTER_MASK] = nlattr_u32(&a[IFLA_EXT_MASK]);
	if (nlattr_has_u32(&a[IFLA_MASTER]))
		d->filter[FILTER_MASTER] = nlattr_u32(&a[IFLA_MASTER]);
	if (get_kind(&a[IFLA_LINKINFO], kind))
		d->key[1] = (uintptr_t)link_kind_find(kind);
	return 0;
}

static bool is_wanted(const struct nldump *d, const struct netdev *dev)
{
	return !d->filter[FILTER_MASTER] && /* no device has one */
	       (!d->key[1] || d->key[1] == (uintptr_t)netif_of(dev)->kind);
}

/* key[0]: the next index. */
static int more_links(struct nldump *d, struct nlmsgs *m)
{
	struct header h = { .type = RTM_NEWLINK,
			    .flags = NLM_F_MULTI,
			    .seq = d->seq,
			    .port = d->portid,
			    .no_stats = d->filter[FILTER_MASK] & RTEXT_FILTER_SKIP_STATS };
	int index = MAX((int)d->key[0], 1);
	struct netdev *dev;
	bool fits = true;

	if (d->key[1] || d->filter[FILTER_MASTER])
		h.flags |= NLM_F_DUMP_FILTERED;
	while (fits && (dev = netdev_next(&index))) {
		fits = !is_wanted(d, dev) || put_link(m, dev, &h);
		index += fits;
		netdev_put(dev);
	}
	d->key[0] = (uint64_t)index;
	return !fits;
}

/* What IPv6 says of each device. key[0]: the next index. */
static int more_links6(struct nldump *d, struct nlmsgs *m)
{
	int index = MAX((int)d->key[0], 1);
	struct abi_ifinfomsg *i;
	struct netdev *dev;
	bool fits = true;
	uint32_t at;

	while (fits && (dev = netdev_next(&index))) {
		if ((i = nlmsg_begin(m, RTM_NEWLINK, NLM_F_MULTI, d->seq, d->portid, sizeof(*i))))
			*i = (struct abi_ifinfomsg){ .ifi_family = AF_INET6,
						     .ifi_type = dev->hw_type,
						     .ifi_index = dev->index,
						     .ifi_flags = netdev_user_flags(dev) };
		nlattr_put_string(m, IFLA_IFNAME, dev->name);
		nlattr_put(m, IFLA_ADDRESS, dev->addr, dev->addr_len);
		nlattr_put_u32(m, IFLA_MTU, dev->mtu);
		nlattr_put_u8(m, IFLA_OPERSTATE, (uint8_t)netdev_operstate(dev));
		at = nlattr_begin(m, IFLA_PROTINFO);
		put_inet6(m, dev);
		nlattr_end(m, at);
		fits = nlmsg_end(m);
		index += fits;
		netdev_put(dev);
	}
	d->key[0] = (uint64_t)index;
	return !fits;
}

/* Ports of bridges: there are none. */
static int no_ports(struct nldump *d, struct nlmsgs *m)
{
	(void)d, (void)m;
	return 0;
}

/* The device that a request names, by number or by name, borrowed. 0; -ENODEV; -EINVAL it names
 * none. */
static int find_link(struct nlrequest *r, struct nlattr *a, struct netdev **out)
{
	const struct abi_ifinfomsg *i = r->payload;
	char name[NETDEV_NAME];
	int err = nlattr_parse(r, sizeof(*i), a, IFLA_ALLMULTI);

	*out = NULL;
	if (err)
		return err;
	if (i->ifi_index > 0)
		*out = netif_find_index(i->ifi_index);
	else if (nlattr_string(&a[IFLA_IFNAME], name, sizeof(name)))
		netdev_put(*out = netdev_lookup_name(name)); /* net_config_lock keeps it */
	else
		return -EINVAL;
	return *out ? 0 : -ENODEV;
}

static int get_link(struct nlrequest *r, struct nlmsgs **reply)
{
	struct header h = { .type = RTM_NEWLINK, .seq = r->seq, .port = r->portid };
	struct nlattr a[IFLA_ALLMULTI + 1];
	struct netdev *d;
	int err = find_link(r, a, &d);

	if (err)
		return err;
	if (!(*reply = nlmsgs_alloc(2048)) || !put_link(*reply, d, &h))
		err = -ENOBUFS;
	return err;
}

/* --- changing --- */

static int change_words(struct netdev *d, const struct nlattr *a)
{
	uint8_t mode = netif_of(d)->linkmode;
	uint32_t group = netif_of(d)->group;

	if (nlattr_has_u32(&a[IFLA_TXQLEN]))
		d->txqueuelen = nlattr_u32(&a[IFLA_TXQLEN]);
	if (nlattr_has_u32(&a[IFLA_GROUP]))
		group = nlattr_u32(&a[IFLA_GROUP]);
	if (a[IFLA_LINKMODE].data && a[IFLA_LINKMODE].len)
		mode = *(const uint8_t *)a[IFLA_LINKMODE].data;
	netdev_change_mode(d, mode, group);
	if (a[IFLA_CARRIER].data && a[IFLA_CARRIER].len) {
		if (netif_of(d)->kind == NULL)
			return -EOPNOTSUPP;
		netdev_change_carrier(d, *(const uint8_t *)a[IFLA_CARRIER].data);
	}
	return 0;
}

static int change_names(const struct abi_ifinfomsg *i, struct netdev *d, const struct nlattr *a)
{
	char name[NETDEV_NAME];
	int err = 0;

	if (i->ifi_index > 0 && a[IFLA_IFNAME].data) {
		if (!nlattr_string(&a[IFLA_IFNAME], name, sizeof(name)))
			return -EINVAL;
		err = name[0] ? netdev_change_name(d, name) : 0;
	}
	if (!err && a[IFLA_IFALIAS].data)
		err = netdev_change_alias(
			d, a[IFLA_IFALIAS].data,
			(uint32_t)strnlen(a[IFLA_IFALIAS].data, a[IFLA_IFALIAS].len));
	return err;
}

static int change_link(struct nlrequest *r, struct netdev *d, const struct nlattr *a)
{
	const struct abi_ifinfomsg *i = r->payload;
	uint32_t mask = i->ifi_change ? i->ifi_change : i->ifi_flags ? UINT32_MAX : 0;
	int err = 0;

	if (a[IFLA_ADDRESS].data)
		err = netdev_change_address(d, a[IFLA_ADDRESS].data, a[IFLA_ADDRESS].len);
	if (!err && nlattr_has_u32(&a[IFLA_MTU]))
		err = netdev_change_mtu(d, nlattr_u32(&a[IFLA_MTU]));
	if (!err)
		err = change_names(i, d, a);
	if (!err && nlattr_has_u32(&a[IFLA_MASTER]) && nlattr_u32(&a[IFLA_MASTER]))
		err = -EOPNOTSUPP;
	if (!err && mask)
		err = netdev_change_flags(d, i->ifi_flags, mask);
	return err ? err : change_words(d, a);
}

static int set_link(struct nlrequest *r, struct nlmsgs **reply)
{
	struct nlattr a[IFLA_ALLMULTI + 1];
	struct netdev *d;
	int err = find_link(r, a, &d);

	(void)reply;
	return err ? err : change_link(r, d, a);
}

/* What a new device is given before anybody sees it. */
static int fill(struct netdev *d, const struct nlattr *a)
{
	if (a[IFLA_IFNAME].data && !nlattr_string(&a[IFLA_IFNAME], d->name, sizeof(d->name)))
		return -EINVAL;
	if (a[IFLA_ADDRESS].data) {
		if (a[IFLA_ADDRESS].len != d->addr_len)
			return -EINVAL;
		if (*(const uint8_t *)a[IFLA_ADDRESS].data & 1)
			return -EADDRNOTAVAIL;
		memcpy(d->addr, a[IFLA_ADDRESS].data, d->addr_len);
	}
	if (nlattr_has_u32(&a[IFLA_MTU])) {
		d->mtu = nlattr_u32(&a[IFLA_MTU]);
		if (d->mtu < d->min_mtu || d->mtu > d->max_mtu)
			return -EINVAL;
	}
	return 0;
}

static int create_link(struct nlrequest *r, const struct nlattr *a)
{
	const struct abi_ifinfomsg *i = r->payload;
	struct link_kind *kind = NULL;
	char name[NETDEV_NAME];
	struct netdev *d;
	int err;

	if (get_kind(&a[IFLA_LINKINFO], name))
		kind = link_kind_find(name);
	if (!kind) {
		r->why = "Unknown device type";
		return -EOPNOTSUPP;
	}
	if (!(d = kind->make()))
		return -ENOMEM;
	if ((err = fill(d, a)) || (err = netif_add(d, i->ifi_index, kind))) {
		kind->give_back(d);
		return err;
	}
	if (!(err = change_words(d, a)) && (i->ifi_flags || i->ifi_change))
		err = netdev_change_flags(d, i->ifi_flags,
					  i->ifi_change ? i->ifi_change : UINT32_MAX);
	if (err)
		netif_remove(d);
	return err;
}

/* All devices of a group. */
static int change_group(struct nlrequest *r, const struct nlattr *a)
{
	uint32_t group = nlattr_u32(&a[IFLA_GROUP]);
	struct netdev *d;
	int err = 0;

	for (int index = 1; !err && (d = netdev_next(&index)); index++) {
		if (netif_of(d)->group == group)
			err = change_link(r, d, a);
		netdev_put(d);
	}
	return err;
}

static int new_link(struct nlrequest *r, struct nlmsgs **reply)
{
	const struct abi_ifinfomsg *i = r->payload;
	struct nlattr a[IFLA_ALLMULTI + 1];
	char kind[NETDEV_NAME];
	struct netdev *d;
	int err = nlattr_parse(r, sizeof(*i), a, IFLA_ALLMULTI);

	(void)reply;
	if (err)
		return err;
	(void)!find_link(r, a, &d);
	if (d && (r->flags & NLM_F_CREATE) && (r->flags & NLM_F_EXCL))
		return -EEXIST;
	if (d && get_kind(&a[IFLA_LINKINFO], kind)) /* there is nothing to change of a kind */
		return -EOPNOTSUPP;
	if (d)
		return r->flags & NLM_F_REPLACE ? -EOPNOTSUPP : change_link(r, d, a);
	if (r->flags & NLM_F_CREATE)
		return create_link(r, a);
	return i->ifi_index == 0 && nlattr_has_u32(&a[IFLA_GROUP]) ? change_group(r, a) : -ENODEV;
}

/* First it is seen whether all can go, then they go. */
static int delete_group(uint32_t group)
{
	struct netdev *d;
	unsigned n = 0;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (int index = 1; (d = netdev_next(&index)); index++) {
			bool goes = netif_of(d)->group == group;

			netdev_put(d);
			n += goes;
			if (goes && netif_of(d)->kind == NULL)
				return -EOPNOTSUPP;
			if (goes && pass == 1)
				netif_remove(d);
		}
	}
	return n ? 0 : -ENODEV;
}

static int delete_link(struct nlrequest *r, struct nlmsgs **reply)
{
	const struct abi_ifinfomsg *i = r->payload;
	struct nlattr a[IFLA_ALLMULTI + 1];
	struct netdev *d;
	int err = nlattr_parse(r, sizeof(*i), a, IFLA_ALLMULTI);

	(void)reply;
	if (err)
		return err;
	if ((err = find_link(r, a, &d)) == -EINVAL && nlattr_has_u32(&a[IFLA_GROUP]))
		return nlattr_u32(&a[IFLA_GROUP]) ? delete_group(nlattr_u32(&a[IFLA_GROUP]))
						  : -EPERM;
	if (err)
		return err;
	if (netif_of(d)->kind == NULL)
		return -EOPNOTSUPP;
	netif_remove(d);
	return 0;
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	struct header h = { .type = e == NETDEV_UNREGISTERED ? RTM_DELLINK : RTM_NEWLINK };
	struct nlmsgs *m;

	if (e == NETDEV_GOING_DOWN || e == NETDEV_UP || e == NETDEV_DOWN ||
	    !netlink_has_listeners(NETLINK_ROUTE, RTNLGRP_LINK))
		return; /* UP and DOWN are followed by CHANGED */
	if (!(m = nlmsgs_alloc(2048)))
		return;
	if (e == NETDEV_REGISTERED || e == NETDEV_UNREGISTERED)
		h.change = UINT32_MAX;
	if (put_link(m, d, &h))
		netlink_report(NETLINK_ROUTE, RTNLGRP_LINK, m);
	else
		nlmsgs_free(m);
}

void rtnl_link_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_GETLINK, .doit = get_link, .more = more_links, .start = start_links },
		{ .type = RTM_GETLINK, .family = AF_INET6, .doit = get_link, .more = more_links6 },
		{ .type = RTM_GETLINK, .family = AF_BRIDGE, .more = no_ports },
		{ .type = RTM_SETLINK, .doit = set_link },
		{ .type = RTM_NEWLINK, .doit = new_link },
		{ .type = RTM_DELLINK, .doit = delete_link },
	};
	static struct netdev_listener listener = { .event = on_event };

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
	netdev_listen(&listener);
}
