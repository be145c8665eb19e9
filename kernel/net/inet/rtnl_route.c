/* Routes by netlink: `ip route`. source: rtnetlink(7), ip-route(8) */

#include "abi/errno.h"
#include "abi/socket.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/inet/rtnl_priv.h"
#include "net/netif.h"
#include "pmm/slab.h"

enum { IPV6_USER_METRIC = 1024, MTU_MAX_V4 = 65520, ADVMSS_MAX = 65495, CENTI = 100 };
/* In rtm_flags of `ip route get`: what kind of destination it is. */
#define GET_BROADCAST 0x10000000u
#define GET_MULTICAST 0x20000000u
#define GET_LOCAL     0x80000000u

static const uint8_t type_of[] = {
	[RTN_UNICAST] = ROUTE_UNICAST,     [RTN_LOCAL] = ROUTE_LOCAL,
	[RTN_BROADCAST] = ROUTE_BROADCAST, [RTN_MULTICAST] = ROUTE_MULTICAST,
	[RTN_BLACKHOLE] = ROUTE_BLACKHOLE, [RTN_UNREACHABLE] = ROUTE_UNREACHABLE,
	[RTN_PROHIBIT] = ROUTE_PROHIBIT,   [RTN_THROW] = ROUTE_THROW,
};

static uint8_t user_type(uint8_t type)
{
	for (uint8_t i = RTN_UNICAST; i < ARRAY_SIZE(type_of); i++)
		if (type_of[i] == type && i != RTN_ANYCAST)
			return i;
	return RTN_UNICAST;
}

struct header { /* of the message that is built */
	uint16_t type, flags;
	uint32_t seq, port;
};

/* --- showing --- */

static uint8_t hop_flags(const struct fib_hop *h)
{
	const struct netdev *d = h->ifindex ? netif_find_index((int)h->ifindex) : NULL;
	unsigned f = h->onlink && h->has_gateway ? RTNH_F_ONLINK : 0;

	if (d && !(netdev_user_flags(d) & IFF_LOWER_UP))
		f |= RTNH_F_LINKDOWN;
	if (d && !netdev_is_up(d))
		f |= RTNH_F_DEAD | RTNH_F_LINKDOWN;
	return (uint8_t)f;
}

static void put_metrics(struct nlmsgs *m, const struct fib_route *f)
{
	bool any = false;
	uint32_t at;

	for (unsigned i = 1; i <= RTAX_MAX; i++)
		any |= f->metrics[i] != 0;
	if (!any)
		return;
	at = nlattr_begin(m, RTA_METRICS);
	for (uint16_t i = 1; i <= RTAX_MAX; i++)
		if (f->metrics[i])
			nlattr_put_u32(m, i, f->metrics[i]);
	nlattr_end(m, at);
}

static void put_hops(struct nlmsgs *m, const struct fib_route *f, bool v4)
{
	uint32_t all = nlattr_begin(m, RTA_MULTIPATH);

	for (unsigned i = 0; i < f->nhops; i++) {
		const struct fib_hop *h = &f->hop[i];
		uint32_t at;
		struct abi_rtnexthop *n = nlmsg_reserve(m, sizeof(*n), &at);

		if (h->has_gateway)
			rtnl_put_key(m, RTA_GATEWAY, v4, &h->gateway);
		if (n)
			*n = (struct abi_rtnexthop){ .rtnh_len = (uint16_t)(m->len - at),
						     .rtnh_flags = hop_flags(h),
						     .rtnh_hops = (uint8_t)(h->weight - 1),
						     .rtnh_ifindex = (int32_t)h->ifindex };
	}
	nlattr_end(m, all);
}

static void put_expiry(struct nlmsgs *m, const struct fib_route *f)
{
	struct abi_rta_cacheinfo c = { 0 };
	nsec_t now = clock_mono();

	if (f && f->expires)
		c.rta_expires = f->expires > now
					? (int32_t)MIN((f->expires - now) / (NSEC_PER_SEC / CENTI),
						       INT32_MAX)
					: 0;
	nlattr_put(m, RTA_CACHEINFO, &c, sizeof(c));
}

static void put_table(struct nlmsgs *m, struct abi_rtmsg *i, uint32_t table)
{
	if (i)
		i->rtm_table = (uint8_t)(table < 256 ? table : RT_TABLE_COMPAT);
	nlattr_put_u32(m, RTA_TABLE, table);
}

/* False: m is full. */
static bool put_route(struct nlmsgs *m, bool v4, const struct fib_route *f, const struct header *h)
{
	struct abi_rtmsg *i = nlmsg_begin(m, h->type, h->flags, h->seq, h->port, sizeof(*i));
	const struct route *r = &f->r;

	if (i)
		*i = (struct abi_rtmsg){ .rtm_family = v4 ? AF_INET : AF_INET6,
					 .rtm_dst_len = r->plen,
					 .rtm_tos = r->tos,
					 .rtm_protocol = r->protocol,
					 .rtm_scope = r->scope,
					 .rtm_type = user_type(r->type),
					 .rtm_flags = f->nhops == 1 && r->type < ROUTE_BLACKHOLE
							      ? hop_flags(&f->hop[0])
							      : 0 };
	put_table(m, i, f->table);
	if (r->plen)
		rtnl_put_key(m, RTA_DST, v4, &r->prefix);
	if (r->metric || !v4)
		nlattr_put_u32(m, RTA_PRIORITY, r->metric);
	put_metrics(m, f);
	if (r->has_source)
		rtnl_put_key(m, RTA_PREFSRC, v4, &r->source);
	if (f->nhops > 1) {
		put_hops(m, f, v4);
	} else {
		if (r->has_gateway)
			rtnl_put_key(m, RTA_GATEWAY, v4, &r->gateway);
		if (r->ifindex)
			nlattr_put_u32(m, RTA_OIF, r->ifindex);
	}
	if (!v4) {
		put_expiry(m, f);
		nlattr_put_u8(m, RTA_PREF, f->pref);
	}
	return nlmsg_end(m);
}

/* --- dumps --- */

enum { FILTER_TABLE, FILTER_OIF, FILTER_PROTOCOL, FILTER_TYPE };

static bool is_wanted(const struct nldump *d, const struct fib_route *f)
{
	if (d->filter[FILTER_TABLE] && f->table != d->filter[FILTER_TABLE])
		return false;
	if (d->filter[FILTER_PROTOCOL] && f->r.protocol != d->filter[FILTER_PROTOCOL])
		return false;
	if (d->filter[FILTER_TYPE] && user_type(f->r.type) != d->filter[FILTER_TYPE])
		return false;
	for (unsigned i = 0; d->filter[FILTER_OIF] && i < f->nhops; i++)
		if (f->hop[i].ifindex == d->filter[FILTER_OIF])
			return true;
	return !d->filter[FILTER_OIF];
}

/* Where a dump goes on: the route's table and prefix, and how many of that prefix have been passed;
 * so it costs no walk, and survives routes that come and go. */
enum { AT_START, AT_ROUTE, AT_END };

static void stop_at(struct nldump *d, const struct fib_route *f, uint32_t nth)
{
	memcpy(&d->key[0], f->r.prefix.b, sizeof(f->r.prefix.b));
	d->key[2] = (uint64_t)f->table << 32 | (uint64_t)(nth & 0xffff) << 16 |
		    (uint64_t)f->r.plen << 8 | AT_ROUTE;
}

static bool is_at(const struct fib_route *f, uint32_t table, const struct ipv6_addr *prefix,
		  unsigned plen)
{
	return f->table == table && f->r.plen == plen && ipv6_eq(&f->r.prefix, prefix);
}

static const struct fib_route *go_on(const struct nldump *d, bool v4, uint32_t *nth)
{
	uint32_t table = (uint32_t)(d->key[2] >> 32), skip = (uint32_t)(d->key[2] >> 16 & 0xffff);
	unsigned plen = (unsigned)(d->key[2] >> 8 & 0xff);
	const struct fib_route *f;
	struct ipv6_addr prefix;

	*nth = 0;
	if ((d->key[2] & 0xff) == AT_START)
		return fib_next(v4, NULL);
	memcpy(prefix.b, &d->key[0], sizeof(prefix.b));
	f = fib_from(v4, table, &prefix, plen);
	while (f && *nth < skip && is_at(f, table, &prefix, plen)) {
		f = fib_next(v4, f);
		++*nth;
	}
	if (f && !is_at(f, table, &prefix, plen))
		*nth = 0;
	return f;
}

static int more_routes(struct nldump *d, struct nlmsgs *m, bool v4)
{
	const struct abi_rtmsg *asked = (const struct abi_rtmsg *)d->header;
	struct header h = { RTM_NEWROUTE, NLM_F_MULTI, d->seq, d->portid };
	const struct fib_route *f, *next;
	uint32_t nth;

	if (asked->rtm_flags & RTM_F_CLONED)
		return 0; /* a cache, which there is none of */
	for (unsigned i = 0; i < ARRAY_SIZE(d->filter); i++)
		if (d->filter[i])
			h.flags |= NLM_F_DUMP_FILTERED;
	if ((d->key[2] & 0xff) == AT_END)
		return 0;
	for (f = go_on(d, v4, &nth); f; f = next) {
		if (is_wanted(d, f) && !put_route(m, v4, f, &h)) {
			stop_at(d, f, nth);
			return 1;
		}
		next = fib_next(v4, f);
		nth = next && is_at(next, f->table, &f->r.prefix, f->r.plen) ? nth + 1 : 0;
	}
	d->key[2] = AT_END;
	return 0;
}

static int more_routes4(struct nldump *d, struct nlmsgs *m)
{
	return more_routes(d, m, true);
}

static int more_routes6(struct nldump *d, struct nlmsgs *m)
{
	return more_routes(d, m, false);
}

static int start_routes(struct nlrequest *r, struct nldump *d)
{
	const struct abi_rtmsg *i = r->payload;
	struct nlattr t[RTA_NH_ID + 1];
	int err;

	if (!d->strict)
		return 0;
	if (r->len < sizeof(*i))
		return rtnl_fail(r, NULL, "Invalid header for FIB dump request", -EINVAL);
	if (i->rtm_dst_len || i->rtm_src_len || i->rtm_tos || i->rtm_scope)
		return rtnl_fail(r, NULL, "Invalid values in header for FIB dump request", -EINVAL);
	if ((err = nlattr_parse(r, sizeof(*i), t, RTA_NH_ID)))
		return err;
	d->filter[FILTER_TABLE] =
		nlattr_has_u32(&t[RTA_TABLE]) ? nlattr_u32(&t[RTA_TABLE]) : i->rtm_table;
	d->filter[FILTER_OIF] = nlattr_has_u32(&t[RTA_OIF]) ? nlattr_u32(&t[RTA_OIF]) : 0;
	d->filter[FILTER_PROTOCOL] = i->rtm_protocol;
	d->filter[FILTER_TYPE] = i->rtm_type;
	if (d->filter[FILTER_OIF] && !netif_find_index((int)d->filter[FILTER_OIF]))
		return -ENODEV;
	if (d->filter[FILTER_TABLE] && !fib_has_table(d->filter[FILTER_TABLE]) &&
	    d->family != AF_UNSPEC)
		return rtnl_fail(r, NULL,
				 d->family == AF_INET ? "ipv4: FIB table does not exist"
						      : "ipv6: FIB table does not exist",
				 -ENOENT);
	return 0;
}

/* --- changing --- */

static int read_metrics(struct nlrequest *r, const struct nlattr *a, uint32_t *metrics, bool v4)
{
	struct nlattr t[RTAX_MAX + 1];
	int err = nlattr_parse_nested(a, t, RTAX_MAX);

	for (unsigned i = 1; i <= RTAX_MAX && !err; i++) {
		if (!t[i].data)
			continue;
		if (i == RTAX_CC_ALGO)
			return rtnl_fail(r, &t[i], "Unknown tcp congestion algorithm", -EINVAL);
		if (!nlattr_has_u32(&t[i]))
			return rtnl_fail(r, &t[i], "Invalid attribute in metrics", -EINVAL);
		metrics[i] = nlattr_u32(&t[i]);
	}
	metrics[RTAX_ADVMSS] = MIN(metrics[RTAX_ADVMSS], (uint32_t)ADVMSS_MAX);
	if (v4)
		metrics[RTAX_MTU] = MIN(metrics[RTAX_MTU], (uint32_t)MTU_MAX_V4);
	if (metrics[RTAX_HOPLIMIT] > 255)
		metrics[RTAX_HOPLIMIT] = 255;
	return err;
}

static bool is_gateway(const struct ipv6_addr *k)
{
	return !ipv6_is_unspecified(k);
}

/* RTA_MULTIPATH: hops one after the other, each with attributes of its own. */
static int read_hops(struct nlrequest *r, const struct nlattr *all, bool v4, struct fib_config *c)
{
	const uint8_t *p = all->data;
	uint32_t left = all->len;
	struct nlattr t[RTA_NH_ID + 1];
	struct abi_rtnexthop n;
	int err;

	while (left >= sizeof(n)) {
		struct fib_hop *h = &c->hop[c->f.nhops];
		struct nlattr body;

		memcpy(&n, p, sizeof(n));
		if (n.rtnh_len < sizeof(n) || n.rtnh_len > left)
			return rtnl_fail(r, all,
					 "Invalid nexthop configuration - extra data after nexthop",
					 -EINVAL);
		if (c->f.nhops == FIB_HOPS_MAX)
			return -EINVAL;
		body = (struct nlattr){ p + sizeof(n), (uint32_t)(n.rtnh_len - sizeof(n)) };
		if ((err = nlattr_parse_nested(&body, t, RTA_NH_ID)))
			return err;
		if (t[RTA_ENCAP].data || t[RTA_VIA].data)
			return -EOPNOTSUPP;
		*h = (struct fib_hop){ .ifindex = (uint32_t)n.rtnh_ifindex,
				       .weight = n.rtnh_hops + 1u,
				       .onlink = n.rtnh_flags & RTNH_F_ONLINK };
		h->has_gateway =
			rtnl_get_key(&t[RTA_GATEWAY], v4, &h->gateway) && is_gateway(&h->gateway);
		c->f.nhops++;
		n.rtnh_len = (uint16_t)MIN((n.rtnh_len + 3u) & ~3u, left);
		p += n.rtnh_len;
		left -= n.rtnh_len;
	}
	return c->f.nhops ? 0 : -EINVAL;
}

static int read_way(struct nlrequest *r, const struct nlattr *t, bool v4, struct fib_config *c)
{
	const struct abi_rtmsg *i = r->payload;
	struct fib_hop *h = &c->hop[0];

	if (t[RTA_ENCAP].data || t[RTA_VIA].data || t[RTA_NEWDST].data)
		return -EOPNOTSUPP;
	if (t[RTA_NH_ID].data)
		return rtnl_fail(r, NULL, "Nexthop id does not exist", -EINVAL);
	if (t[RTA_MULTIPATH].data)
		return read_hops(r, &t[RTA_MULTIPATH], v4, c);
	*h = (struct fib_hop){ .weight = 1, .onlink = i->rtm_flags & RTNH_F_ONLINK };
	if (nlattr_has_u32(&t[RTA_OIF]))
		h->ifindex = nlattr_u32(&t[RTA_OIF]);
	if (t[RTA_GATEWAY].data && !rtnl_get_key(&t[RTA_GATEWAY], v4, &h->gateway))
		return -EINVAL;
	h->has_gateway = is_gateway(&h->gateway);
	c->f.nhops = 1;
	return 0;
}

static int read_prefix(struct nlrequest *r, const struct nlattr *dst, bool v4, struct route *o)
{
	const struct abi_rtmsg *i = r->payload;

	if (i->rtm_dst_len > (v4 ? 32 : 128))
		return rtnl_fail(r, NULL, "Invalid prefix length", -EINVAL);
	if (!rtnl_get_key(dst, v4, &o->prefix) && (i->rtm_dst_len || dst->data))
		return -EINVAL;
	o->plen = i->rtm_dst_len;
	if (rtnl_key_is_clean(&o->prefix, o->plen))
		return 0;
	if (v4)
		return rtnl_fail(r, NULL, "Invalid prefix for given prefix length", -EINVAL);
	for (unsigned b = o->plen; b < 128; b++)
		o->prefix.b[b / 8] &= (uint8_t) ~(0x80 >> b % 8);
	return 0;
}

/* What a request describes. */
static int read_route(struct nlrequest *r, bool v4, struct fib_config *c)
{
	const struct abi_rtmsg *i = r->payload;
	struct nlattr t[RTA_NH_ID + 1];
	int err = nlattr_parse(r, sizeof(*i), t, RTA_NH_ID);

	if (err)
		return err;
	memset(c, 0, sizeof(*c));
	if (i->rtm_type >= ARRAY_SIZE(type_of) || i->rtm_type == RTN_ANYCAST)
		return rtnl_fail(r, NULL, "Invalid route type", -EINVAL);
	c->f.any_type = i->rtm_type == RTN_UNSPEC;
	c->f.any_scope = i->rtm_scope == RT_SCOPE_NOWHERE;
	c->f.r.type = type_of[i->rtm_type];
	c->f.r.scope = v4 ? i->rtm_scope : RT_SCOPE_UNIVERSE;
	c->f.r.protocol = i->rtm_protocol;
	c->f.r.tos = i->rtm_tos;
	c->f.table = nlattr_has_u32(&t[RTA_TABLE]) ? nlattr_u32(&t[RTA_TABLE]) : i->rtm_table;
	if (!c->f.table)
		c->f.table = RT_TABLE_MAIN;
	if (nlattr_has_u32(&t[RTA_PRIORITY]))
		c->f.r.metric = nlattr_u32(&t[RTA_PRIORITY]);
	if (t[RTA_PREF].data && t[RTA_PREF].len)
		c->f.pref = *(const uint8_t *)t[RTA_PREF].data & 3;
	if (nlattr_has_u32(&t[RTA_EXPIRES]) && nlattr_u32(&t[RTA_EXPIRES]))
		c->f.expires =
			clock_mono() + (nsec_t)nlattr_u32(&t[RTA_EXPIRES]) * (nsec_t)NSEC_PER_SEC;
	c->f.r.has_source = rtnl_get_key(&t[RTA_PREFSRC], v4, &c->f.r.source);
	if (t[RTA_METRICS].data && (err = read_metrics(r, &t[RTA_METRICS], c->f.metrics, v4)))
		return err;
	if ((err = read_prefix(r, &t[RTA_DST], v4, &c->f.r)))
		return err;
	return read_way(r, t, v4, c);
}

/* A source that is not ours would never be answered. */
static int check_source(struct nlrequest *r, const struct fib_config *c, bool v4)
{
	struct ipv6_addr a;

	if (!c->f.r.has_source)
		return 0;
	a = v4 ? addr_from4(be32_get(c->f.r.source.b)) : c->f.r.source;
	return ip_address_type(&a, NULL) == ROUTE_LOCAL
		       ? 0
		       : rtnl_fail(r, NULL, "Invalid prefsrc address", -EINVAL);
}

static int change_route(struct nlrequest *r, bool v4)
{
	struct fib_config *c = kmalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOBUFS;
	err = read_route(r, v4, c);
	if (!err && r->type == RTM_DELROUTE)
		err = fib_remove(v4, c);
	else if (!err && !(err = check_source(r, c, v4))) {
		if (c->f.any_type)
			c->f.r.type = ROUTE_UNICAST;
		if (!v4 && !c->f.r.metric)
			c->f.r.metric = IPV6_USER_METRIC;
		err = fib_add(v4, c, r->flags, &r->why);
		if (!err)
			autoconf_routes_changed(c->f.expires);
	}
	kfree(c);
	return err;
}

static int change_route4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return change_route(r, true);
}

static int change_route6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return change_route(r, false);
}

/* --- which way would a packet go --- */

static uint32_t get_flags(bool v4, const struct ip_path *p)
{
	uint32_t f = RTM_F_CLONED;

	if (!v4)
		return 0;
	if (p->type == ROUTE_LOCAL)
		f |= GET_LOCAL;
	if (p->type == ROUTE_BROADCAST)
		f |= GET_BROADCAST | GET_LOCAL;
	if (p->type == ROUTE_MULTICAST)
		f |= GET_MULTICAST;
	return f;
}

static bool put_way(struct nlmsgs *m, const struct nlrequest *r, const struct ip_flow *flow,
		    const struct ip_path *p, const struct fib_route *f)
{
	bool v4 = addr_is4(&flow->dst), has_source = !addr_is_any(&flow->source);
	struct abi_rtmsg *i = nlmsg_begin(m, RTM_NEWROUTE, 0, r->seq, r->portid, sizeof(*i));
	uint32_t table = f && (!v4 || !rules_are_default(v4)) ? f->table : RT_TABLE_MAIN;
	struct ipv6_addr any = { { 0 } };

	if (i)
		*i = (struct abi_rtmsg){ .rtm_family = v4 ? AF_INET : AF_INET6,
					 .rtm_dst_len = v4 ? 32 : 128,
					 .rtm_protocol = !v4 && f ? f->r.protocol : 0,
					 .rtm_type = user_type(p->type),
					 .rtm_flags = get_flags(v4, p) };
	put_table(m, i, table);
	rtnl_put_addr(m, RTA_DST, &flow->dst);
	if (has_source || !v4) {
		rtnl_put_addr(m, RTA_SRC, has_source ? &flow->source : &any);
		if (i)
			i->rtm_src_len = v4 ? 32 : 128;
	}
	nlattr_put_u32(m, RTA_OIF, (uint32_t)p->dev->index);
	if (!addr_is_any(&p->source) && !has_source)
		rtnl_put_addr(m, RTA_PREFSRC, &p->source);
	if (!ipv6_eq(&p->next_hop, &flow->dst))
		rtnl_put_addr(m, RTA_GATEWAY, &p->next_hop);
	if (!v4 && f)
		nlattr_put_u32(m, RTA_PRIORITY, f->r.metric);
	if (f)
		put_metrics(m, f);
	if (flow->mark)
		nlattr_put_u32(m, RTA_MARK, flow->mark);
	if (v4)
		nlattr_put_u32(m, RTA_UID, flow->uid);
	if (flow->iif)
		nlattr_put_u32(m, RTA_IIF, (uint32_t)flow->iif);
	put_expiry(m, f);
	if (!v4)
		nlattr_put_u8(m, RTA_PREF, f ? f->pref : 0);
	return nlmsg_end(m);
}

static int read_flow(struct nlrequest *r, bool v4, struct ip_flow *flow)
{
	const struct abi_rtmsg *i = r->payload;
	struct nlattr t[RTA_NH_ID + 1];
	int err = nlattr_parse(r, sizeof(*i), t, RTA_NH_ID);

	if (err)
		return err;
	*flow = (struct ip_flow){ .tos = i->rtm_tos };
	if (!rtnl_get_addr(&t[RTA_DST], v4, &flow->dst))
		flow->dst = v4 ? addr_from4(0) : flow->dst;
	if (t[RTA_SRC].data && !rtnl_get_addr(&t[RTA_SRC], v4, &flow->source))
		return -EINVAL;
	flow->oif = nlattr_has_u32(&t[RTA_OIF]) ? (int)nlattr_u32(&t[RTA_OIF]) : 0;
	flow->iif = nlattr_has_u32(&t[RTA_IIF]) ? (int)nlattr_u32(&t[RTA_IIF]) : 0;
	flow->mark = nlattr_has_u32(&t[RTA_MARK]) ? nlattr_u32(&t[RTA_MARK]) : 0;
	flow->uid = nlattr_has_u32(&t[RTA_UID]) ? nlattr_u32(&t[RTA_UID]) : 0;
	if (t[RTA_IP_PROTO].data && t[RTA_IP_PROTO].len)
		flow->proto = *(const uint8_t *)t[RTA_IP_PROTO].data;
	if (t[RTA_SPORT].data && t[RTA_SPORT].len >= 2)
		flow->sport = be16_get(t[RTA_SPORT].data);
	if (t[RTA_DPORT].data && t[RTA_DPORT].len >= 2)
		flow->dport = be16_get(t[RTA_DPORT].data);
	if ((flow->oif && !netif_find_index(flow->oif)) ||
	    (flow->iif && !netif_find_index(flow->iif)))
		return -ENODEV;
	return 0;
}

static int get_route(struct nlrequest *r, struct nlmsgs **reply, bool v4)
{
	const struct abi_rtmsg *i = r->payload;
	struct header h = { RTM_NEWROUTE, 0, r->seq, r->portid };
	const struct fib_route *f;
	struct ip_flow flow;
	struct ip_path path;
	bool fits;
	int err = read_flow(r, v4, &flow);

	if (err || (err = ip_route_flow(&flow, &path, &f)))
		return err;
	if (!(*reply = nlmsgs_alloc(NLMSGS_SMALL * 4)))
		return -ENOBUFS;
	if (i->rtm_flags & RTM_F_FIB_MATCH && !f)
		return -EHOSTUNREACH;
	fits = i->rtm_flags & RTM_F_FIB_MATCH ? put_route(*reply, v4, f, &h)
					      : put_way(*reply, r, &flow, &path, f);
	return fits ? 0 : -EMSGSIZE;
}

static int get_route4(struct nlrequest *r, struct nlmsgs **reply)
{
	return get_route(r, reply, true);
}

static int get_route6(struct nlrequest *r, struct nlmsgs **reply)
{
	return get_route(r, reply, false);
}

void rtnl_report_route(bool v4, const struct fib_route *f, unsigned type, unsigned flags)
{
	unsigned group = v4 ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
	struct header h = { .type = (uint16_t)type, .flags = (uint16_t)(flags & 0xf00) };
	struct nlmsgs *m;

	if (!netlink_has_listeners(NETLINK_ROUTE, group) ||
	    !(m = nlmsgs_alloc(NLMSGS_SMALL + f->nhops * 48u)))
		return;
	if (put_route(m, v4, f, &h))
		netlink_report(NETLINK_ROUTE, group, m);
	else
		nlmsgs_free(m);
}

void rtnl_route_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_NEWROUTE, .family = AF_INET, .doit = change_route4 },
		{ .type = RTM_NEWROUTE, .family = AF_INET6, .doit = change_route6 },
		{ .type = RTM_DELROUTE, .family = AF_INET, .doit = change_route4 },
		{ .type = RTM_DELROUTE, .family = AF_INET6, .doit = change_route6 },
		{ .type = RTM_GETROUTE,
		  .family = AF_INET,
		  .doit = get_route4,
		  .more = more_routes4,
		  .start = start_routes },
		{ .type = RTM_GETROUTE,
		  .family = AF_INET6,
		  .doit = get_route6,
		  .more = more_routes6,
		  .start = start_routes },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
}
