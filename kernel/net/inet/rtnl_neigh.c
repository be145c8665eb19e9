/* Neighbours by netlink: `ip neighbour`. source: rtnetlink(7), ip-neighbour(8) */

#include "abi/errno.h"
#include "abi/if.h"
#include "abi/socket.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/neighbour.h"
#include "net/inet/rtnl.h"
#include "net/inet/rtnl_priv.h"
#include "net/netif.h"
#include "net/parse.h"

struct header { /* of the message that is built */
	uint16_t type, flags;
	uint32_t seq, port;
};

static const uint16_t nud_of[] = {
	[NEIGH_NONE] = 0,
	[NEIGH_INCOMPLETE] = NUD_INCOMPLETE,
	[NEIGH_REACHABLE] = NUD_REACHABLE,
	[NEIGH_STALE] = NUD_STALE,
	[NEIGH_DELAY] = NUD_DELAY,
	[NEIGH_PROBE] = NUD_PROBE,
	[NEIGH_FAILED] = NUD_FAILED,
	[NEIGH_PERMANENT] = NUD_PERMANENT,
};

static uint32_t ago(nsec_t t)
{
	return (uint32_t)((uint64_t)(clock_mono() - t) / (NSEC_PER_SEC / 100));
}

static bool put_neigh(struct nlmsgs *m, const struct neighbour_info *n, const struct header *h)
{
	struct abi_ndmsg *i = nlmsg_begin(m, h->type, h->flags, h->seq, h->port, sizeof(*i));
	struct abi_nda_cacheinfo c = { ago(n->confirmed), ago(n->used), ago(n->updated), 0 };

	if (i)
		*i = (struct abi_ndmsg){ .ndm_family = addr_is4(&n->addr) ? AF_INET : AF_INET6,
					 .ndm_ifindex = n->dev->index,
					 .ndm_state = nud_of[n->state],
					 .ndm_flags = n->router ? NTF_ROUTER : 0,
					 .ndm_type = RTN_UNICAST };
	rtnl_put_addr(m, NDA_DST, &n->addr);
	if (n->has_mac)
		nlattr_put(m, NDA_LLADDR, n->mac, ETH_ALEN);
	nlattr_put_u32(m, NDA_PROBES, n->asked);
	nlattr_put(m, NDA_CACHEINFO, &c, sizeof(c));
	return nlmsg_end(m);
}

/* key[0]: how many have been passed. */
static int more_proxies(struct nldump *d, struct nlmsgs *m, bool v4)
{
	struct proxy_shown p;
	struct abi_ndmsg *i;

	for (; proxy_nth(d->key[0], &p); d->key[0]++) {
		if (addr_is4(&p.addr) != v4)
			continue;
		i = nlmsg_begin(m, RTM_NEWNEIGH, NLM_F_MULTI, d->seq, d->portid, sizeof(*i));
		if (i)
			*i = (struct abi_ndmsg){
				.ndm_family = v4 ? AF_INET : AF_INET6,
				.ndm_ifindex = p.dev->index,
				.ndm_flags = (uint8_t)(NTF_PROXY | (p.router ? NTF_ROUTER : 0)),
				.ndm_type = RTN_UNICAST
			};
		rtnl_put_addr(m, NDA_DST, &p.addr);
		if (!nlmsg_end(m))
			return 1;
	}
	return 0;
}

/* key[0]: the place in the table. */
static int more_neighs(struct nldump *d, struct nlmsgs *m, bool v4)
{
	const struct abi_ndmsg *asked = (const struct abi_ndmsg *)d->header;
	struct header h = { RTM_NEWNEIGH, NLM_F_MULTI, d->seq, d->portid };
	struct neighbour_info n;
	uint64_t at = d->key[0];

	if (asked->ndm_flags & NTF_PROXY)
		return more_proxies(d, m, v4);
	if (d->filter[0])
		h.flags |= NLM_F_DUMP_FILTERED;
	while (neighbour_next(&at, &n)) {
		if (addr_is4(&n.addr) == v4 && n.state != NEIGH_NONE &&
		    (!d->filter[0] || (uint32_t)n.dev->index == d->filter[0]) &&
		    !put_neigh(m, &n, &h))
			return 1;
		d->key[0] = at;
	}
	return 0;
}

static int more_neighs4(struct nldump *d, struct nlmsgs *m)
{
	return more_neighs(d, m, true);
}

static int more_neighs6(struct nldump *d, struct nlmsgs *m)
{
	return more_neighs(d, m, false);
}

static int start_neighs(struct nlrequest *r, struct nldump *d)
{
	struct nlattr t[NDA_FLAGS_EXT + 1];
	int err;

	if (r->len < sizeof(struct abi_ndmsg))
		return d->strict ? -EINVAL : 0;
	if ((err = nlattr_parse(r, sizeof(struct abi_ndmsg), t, NDA_FLAGS_EXT)))
		return d->strict ? err : 0;
	if (nlattr_has_u32(&t[NDA_IFINDEX]))
		d->filter[0] = nlattr_u32(&t[NDA_IFINDEX]);
	return 0;
}

struct wanted {
	struct netdev *dev;
	struct ipv6_addr addr;
	const uint8_t *mac;
};

static int read_neigh(struct nlrequest *r, bool v4, struct wanted *w)
{
	const struct abi_ndmsg *i = r->payload;
	struct nlattr t[NDA_FLAGS_EXT + 1];
	int err = nlattr_parse(r, sizeof(*i), t, NDA_FLAGS_EXT);

	if (err)
		return rtnl_fail(r, NULL, "Invalid neighbour message", err);
	if (!t[NDA_DST].data)
		return rtnl_fail(r, NULL, "Network address not specified", -EINVAL);
	if (!(w->dev = netif_find_index(i->ndm_ifindex)))
		return i->ndm_ifindex ? -ENODEV
				      : rtnl_fail(r, NULL, "Device not specified", -EINVAL);
	w->mac = NULL;
	if (t[NDA_LLADDR].data && t[NDA_LLADDR].len < w->dev->addr_len)
		return rtnl_fail(r, NULL, "Invalid link address", -EINVAL);
	if (t[NDA_LLADDR].data)
		w->mac = t[NDA_LLADDR].data;
	if (!rtnl_get_addr(&t[NDA_DST], v4, &w->addr))
		return rtnl_fail(r, NULL, "Invalid network address", -EINVAL);
	return 0;
}

static unsigned state_of(uint16_t nud)
{
	if (nud & (NUD_PERMANENT | NUD_NOARP))
		return NEIGH_PERMANENT;
	for (unsigned s = NEIGH_INCOMPLETE; s < ARRAY_SIZE(nud_of); s++)
		if (nud & nud_of[s])
			return s;
	return NEIGH_NONE;
}

static int new_neigh(struct nlrequest *r, bool v4)
{
	const struct abi_ndmsg *i = r->payload;
	struct wanted w;
	int err = read_neigh(r, v4, &w);

	if (err)
		return err;
	if (i->ndm_flags & NTF_PROXY)
		return proxy_add(w.dev, &w.addr, i->ndm_flags & NTF_ROUTER);
	if (i->ndm_flags & NTF_USE) {
		neighbour_ask(w.dev, &w.addr);
		return 0;
	}
	return neighbour_set(w.dev, &w.addr, w.mac, state_of(i->ndm_state), r->flags);
}

static int delete_neigh(struct nlrequest *r, bool v4)
{
	const struct abi_ndmsg *i = r->payload;
	struct wanted w;
	int err = read_neigh(r, v4, &w);

	if (err)
		return err;
	return i->ndm_flags & NTF_PROXY ? proxy_remove(w.dev, &w.addr)
					: neighbour_remove(w.dev, &w.addr);
}

static int get_neigh(struct nlrequest *r, struct nlmsgs **reply, bool v4)
{
	struct header h = { RTM_NEWNEIGH, 0, r->seq, r->portid };
	struct neighbour_info n;
	struct wanted w;
	int err = read_neigh(r, v4, &w);

	if (err)
		return err;
	if (!neighbour_get(w.dev, &w.addr, &n))
		return rtnl_fail(r, NULL, "Neighbour entry not found", -ENOENT);
	if (!(*reply = nlmsgs_alloc(NLMSGS_SMALL)) || !put_neigh(*reply, &n, &h))
		return -ENOBUFS;
	return 0;
}

static int new_neigh4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return new_neigh(r, true);
}

static int new_neigh6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return new_neigh(r, false);
}

static int delete_neigh4(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return delete_neigh(r, true);
}

static int delete_neigh6(struct nlrequest *r, struct nlmsgs **reply)
{
	(void)reply;
	return delete_neigh(r, false);
}

static int get_neigh4(struct nlrequest *r, struct nlmsgs **reply)
{
	return get_neigh(r, reply, true);
}

static int get_neigh6(struct nlrequest *r, struct nlmsgs **reply)
{
	return get_neigh(r, reply, false);
}

void rtnl_report_neigh(const struct neighbour_info *n, unsigned type)
{
	struct header h = { .type = (uint16_t)type };
	struct nlmsgs *m;

	if (!netlink_has_listeners(NETLINK_ROUTE, RTNLGRP_NEIGH) ||
	    !(m = nlmsgs_alloc(NLMSGS_SMALL)))
		return;
	if (put_neigh(m, n, &h))
		netlink_report(NETLINK_ROUTE, RTNLGRP_NEIGH, m);
	else
		nlmsgs_free(m);
}

static void report_option(const struct netdev *d, const struct ndp_option_iter *o,
			  const struct ipv6_addr *router)
{
	struct nlmsgs *m = nlmsgs_alloc(NLMSGS_SMALL);
	struct abi_nduseroptmsg *i;
	uint32_t at;
	void *opt;

	if (!m)
		return;
	if ((i = nlmsg_begin(m, RTM_NEWNDUSEROPT, 0, 0, 0, sizeof(*i))))
		*i = (struct abi_nduseroptmsg){ .nduseropt_family = AF_INET6,
						.nduseropt_opts_len = (uint16_t)o->len,
						.nduseropt_ifindex = d->index,
						.nduseropt_icmp_type = NDP_ROUTER_ADVERT };
	if ((opt = nlmsg_reserve(m, (uint32_t)o->len, &at)))
		memcpy(opt, o->option, o->len);
	nlattr_put(m, NDUSEROPT_SRCADDR, router->b, sizeof(router->b));
	if (nlmsg_end(m))
		netlink_report(NETLINK_ROUTE, RTNLGRP_ND_USEROPT, m);
	else
		nlmsgs_free(m);
}

void rtnl_report_ndp_options(const struct netdev *d, const uint8_t *advert, uint32_t n,
			     const struct ipv6_addr *router)
{
	enum { FIXED = 16, DNSSL = 31 };
	struct ndp_option_iter o;

	if (n < FIXED || !netlink_has_listeners(NETLINK_ROUTE, RTNLGRP_ND_USEROPT))
		return;
	ndp_options(&o, advert + FIXED, n - FIXED);
	while (ndp_next(&o))
		if (o.option[0] == NDP_OPT_RDNSS || o.option[0] == DNSSL)
			report_option(d, &o, router);
}

void rtnl_neigh_init(void)
{
	static struct rtnl_handler handlers[] = {
		{ .type = RTM_NEWNEIGH, .family = AF_INET, .doit = new_neigh4 },
		{ .type = RTM_NEWNEIGH, .family = AF_INET6, .doit = new_neigh6 },
		{ .type = RTM_DELNEIGH, .family = AF_INET, .doit = delete_neigh4 },
		{ .type = RTM_DELNEIGH, .family = AF_INET6, .doit = delete_neigh6 },
		{ .type = RTM_GETNEIGH,
		  .family = AF_INET,
		  .doit = get_neigh4,
		  .more = more_neighs4,
		  .start = start_neighs },
		{ .type = RTM_GETNEIGH,
		  .family = AF_INET6,
		  .doit = get_neigh6,
		  .more = more_neighs6,
		  .start = start_neighs },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
		rtnl_register(&handlers[i]);
}

void inet_rtnl_init(void)
{
	rtnl_addr_init();
	rtnl_route_init();
	rtnl_rule_init();
	rtnl_neigh_init();
	rtnl_conf_init();
}
