/*
 * What is set for devices, and the labels by which IPv6 chooses source addresses, by netlink:
 * `ip netconf`, `ip addrlabel`.
 *
 * Source: rtnetlink(7), Linux's answers; RFC 6724 2.1.
 */

#include "abi/errno.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/inet/conf.h"
#include "net/inet/inet.h"
#include "net/inet/rtnl.h"
#include "net/inet/rtnl_priv.h"
#include "net/netif.h"

struct header { /* of the message that is built */
	uint16_t flags;
	uint32_t seq, port;
};

static void begin_conf(struct nlmsgs *m, bool v4, int index, const struct header *h)
{
	struct abi_netconfmsg *i =
		nlmsg_begin(m, RTM_NEWNETCONF, h->flags, h->seq, h->port, sizeof(*i));

	if (i)
		i->ncm_family = v4 ? AF_INET : AF_INET6;
	nlattr_put_u32(m, NETCONFA_IFINDEX, (uint32_t)index);
}

/* False: m is full. */
static bool put_conf(struct nlmsgs *m, bool v4, const struct inet_conf *c, int index,
		     const struct header *h)
{
	begin_conf(m, v4, index, h);
	nlattr_put_u32(m, NETCONFA_FORWARDING, (uint32_t)(v4 ? c->forwarding4 : c->forwarding6));
	if (v4)
		nlattr_put_u32(m, NETCONFA_RP_FILTER, (uint32_t)c->rp_filter);
	nlattr_put_u32(m, NETCONFA_MC_FORWARDING, 0);
	if (v4)
		nlattr_put_u32(m, NETCONFA_BC_FORWARDING, 0);
	nlattr_put_u32(m, NETCONFA_PROXY_NEIGH, (uint32_t)(v4 ? c->proxy_arp : c->proxy_ndp));
	nlattr_put_u32(m, NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN, 0);
	return nlmsg_end(m);
}

static uint16_t attribute_of(unsigned word) /* 0: it is nobody's business */
{
	if (word == INET_CONF_WORD(forwarding4) || word == INET_CONF_WORD(forwarding6))
		return NETCONFA_FORWARDING;
	if (word == INET_CONF_WORD(proxy_arp) || word == INET_CONF_WORD(proxy_ndp))
		return NETCONFA_PROXY_NEIGH;
	return word == INET_CONF_WORD(rp_filter) ? NETCONFA_RP_FILTER : 0;
}

void rtnl_report_conf(int of, const struct inet_conf *c, bool v4, unsigned word)
{
	unsigned group = v4 ? RTNLGRP_IPV4_NETCONF : RTNLGRP_IPV6_NETCONF;
	uint16_t attribute = attribute_of(word);
	const struct header h = { 0 };
	struct nlmsgs *m;

	if (!attribute || !netlink_has_listeners(NETLINK_ROUTE, group) ||
	    !(m = nlmsgs_alloc(NLMSGS_SMALL)))
		return;
	begin_conf(m, v4, of, &h);
	nlattr_put_u32(m, attribute, (uint32_t)((const int *)c)[word]);
	if (nlmsg_end(m))
		netlink_report(NETLINK_ROUTE, group, m);
	else
		nlmsgs_free(m);
}

/* key[0]: the next index; behind the last one key[1] counts what is of all and of new ones. */
static int more_confs(struct nldump *d, struct nlmsgs *m, bool v4)
{
	const struct header h = { NLM_F_MULTI, d->seq, d->portid };
	int index = MAX((int)d->key[0], 1);
	struct netdev *dev;
	bool fits = true;

	while (fits && (dev = netdev_next(&index))) {
		fits = put_conf(m, v4, inet_conf_of(dev), index, &h);
		index += fits;
		netdev_put(dev);
	}
	d->key[0] = (uint64_t)index;
	for (; fits && d->key[1] < 2; d->key[1] += fits)
		fits = put_conf(m, v4, d->key[1] ? &inet_conf_default : &inet_conf_all,
				d->key[1] ? INET_CONF_DEFAULT : INET_CONF_ALL, &h);
	return !fits;
}

static int more_confs4(struct nldump *d, struct nlmsgs *m)
{
	return more_confs(d, m, true);
}

static int more_confs6(struct nldump *d, struct nlmsgs *m)
{
	return more_confs(d, m, false);
}

static int get_conf(struct nlrequest *r, struct nlmsgs **reply, bool v4)
{
	const struct header h = { .seq = r->seq, .port = r->portid };
	struct nlattr t[NETCONFA_BC_FORWARDING + 1];
	const struct inet_conf *c;
	struct netdev *d;
	int err = nlattr_parse(r, sizeof(struct abi_netconfmsg), t, NETCONFA_BC_FORWARDING), index;

	if (err)
		return err;
	if (!nlattr_has_u32(&t[NETCONFA_IFINDEX]))
		return -EINVAL;
	index = (int)nlattr_u32(&t[NETCONFA_IFINDEX]);
	if (index == INET_CONF_ALL)
		c = &inet_conf_all;
	else if (index == INET_CONF_DEFAULT)
		c = &inet_conf_default;
	else if ((d = netif_find_index(index)))
		c = inet_conf_of(d);
	else
		return -EINVAL;
	if (!(*reply = nlmsgs_alloc(NLMSGS_SMALL)) || !put_conf(*reply, v4, c, index, &h))
		return -ENOBUFS;
	return 0;
}

static int get_conf4(struct nlrequest *r, struct nlmsgs **reply)
{
	return get_conf(r, reply, true);
}

static int get_conf6(struct nlrequest *r, struct nlmsgs **reply)
{
	return get_conf(r, reply, false);
}

/* --- labels --- */

/* The policy table that addresses are chosen by (net/ip/addrsel.c); longest prefixes need not come
 * first, but do so on Linux. key[0]: how many have been passed. */
static int more_labels(struct nldump *d, struct nlmsgs *m)
{
	static const struct {
		struct ipv6_addr prefix;
		uint8_t plen, label;
	} labels[] = {
		{ { { [15] = 1 } }, 128, 0 },
		{ { { 0 } }, 96, 3 },
		{ { { [10] = 0xff, [11] = 0xff } }, 96, 4 },
		{ { { 0x20, 1 } }, 32, 6 },
		{ { { 0x20, 1, 0, 0x10 } }, 28, 7 },
		{ { { 0x3f, 0xfe } }, 16, 12 },
		{ { { 0x20, 2 } }, 16, 2 },
		{ { { 0xfe, 0xc0 } }, 10, 11 },
		{ { { 0xfc } }, 7, 5 },
		{ { { 0 } }, 0, 1 },
	};
	struct abi_ifaddrlblmsg *i;

	for (; d->key[0] < ARRAY_SIZE(labels); d->key[0]++) {
		i = nlmsg_begin(m, RTM_NEWADDRLABEL, NLM_F_MULTI, d->seq, d->portid, sizeof(*i));
		if (i)
			*i = (struct abi_ifaddrlblmsg){ .ifal_family = AF_INET6,
							.ifal_prefixlen = labels[d->key[0]].plen };
		nlattr_put(m, IFAL_ADDRESS, labels[d->key[0]].prefix.b, 16);
		nlattr_put_u32(m, IFAL_LABEL, labels[d->key[0]].label);
		if (!nlmsg_end(m))
			return 1;
	}
	return 0;
}

void rtnl_conf_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_GETNETCONF,
		  .family = AF_INET,
		  .doit = get_conf4,
		  .more = more_confs4 },
		{ .type = RTM_GETNETCONF,
		  .family = AF_INET6,
		  .doit = get_conf6,
		  .more = more_confs6 },
		{ .type = RTM_GETADDRLABEL, .family = AF_INET6, .more = more_labels },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
}
