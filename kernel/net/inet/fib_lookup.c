/*
 * Which way a packet goes: the tables `local`, `main` and `default`, or those that rules name.
 *
 * A route is used when the device of one of its hops is up and is the one that was asked for, if
 * any. Of several hops the addresses of the packet choose one, so that a flow keeps its way.
 */

#include "abi/errno.h"
#include "core/percpu.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "net/inet/conf.h"
#include "net/inet/fib_priv.h"
#include "net/inet/inet_priv.h"
#include "net/inet/pmtu.h"
#include "net/netif.h"

/* --- lookups --- */

struct ipv6_addr fib_key(const struct ipv6_addr *a)
{
	return addr_is4(a) ? route_key4(addr_to4(a)) : *a;
}

static struct ipv6_addr from_key(bool v4, const struct ipv6_addr *k)
{
	return v4 ? addr_from4(be32_get(k->b)) : *k;
}

struct wanted {
	int oif;
	uint8_t tos;
};

static bool hop_works(const struct fib_hop *h, int oif)
{
	struct netdev *d;

	if (oif && (int)h->ifindex != oif)
		return false;
	d = netif_find_index((int)h->ifindex);
	return d && netdev_is_up(d);
}

static bool may_use(const struct route *r, const void *arg)
{
	const struct fib_route *f = (const struct fib_route *)r;
	const struct wanted *w = arg;

	if (r->tos && r->tos != w->tos)
		return false;
	if (r->type >= ROUTE_BLACKHOLE || r->type == ROUTE_LOCAL)
		return true; /* whatever the device: it does not leave the machine */
	for (unsigned i = 0; i < f->nhops; i++)
		if (hop_works(&f->hop[i], w->oif))
			return true;
	return false;
}

static const struct fib_route *lookup_in(const struct fib_table *t, const struct ip_flow *f)
{
	struct ipv6_addr key = fib_key(&f->dst);
	struct wanted w = { f->oif, f->tos & 0x1c };
	bool v4 = addr_is4(&f->dst);

	return (const struct fib_route *)route_lookup(&t->t[v4], &key, v4 ? 32 : 128, may_use, &w);
}

/* A route that a rule leads to, unless it is to be passed over. */
static const struct fib_route *ask_table(const struct fib_rule *rule, const struct ip_flow *f)
{
	const struct fib_table *t = fib_find_table(rule->table);
	const struct fib_route *r = t ? lookup_in(t, f) : NULL;

	if (!r || r->r.type == ROUTE_THROW || r->r.plen <= rule->suppress_plen)
		return NULL;
	return r;
}

/* 0 with a route; or what a rule says; -ENETUNREACH. */
static int ask_rules(const struct ip_flow *f, const struct fib_route **out)
{
	bool v4 = addr_is4(&f->dst);

	for (const struct fib_rule *r = rules_first(v4); r; r = rule_after(v4, r)) {
		if (!rule_matches(r, f))
			continue;
		switch (r->action) {
		case FR_ACT_TO_TBL:
			if ((*out = ask_table(r, f)))
				return 0;
			break;
		case FR_ACT_BLACKHOLE:
			return -EINVAL;
		case FR_ACT_UNREACHABLE:
			return -ENETUNREACH;
		case FR_ACT_PROHIBIT:
			return -EACCES;
		}
	}
	return -ENETUNREACH;
}

static int lookup(const struct ip_flow *f, const struct fib_route **out)
{
	if (UNLIKELY(!rules_are_default(addr_is4(&f->dst))))
		return ask_rules(f, out);
	*out = lookup_in(&fib_local, f);
	if (!*out || (*out)->r.type == ROUTE_THROW)
		*out = lookup_in(&fib_main, f);
	if (!*out || (*out)->r.type == ROUTE_THROW)
		*out = lookup_in(&fib_defaults, f);
	return *out && (*out)->r.type != ROUTE_THROW ? 0 : -ENETUNREACH;
}

/* One of several hops that work: the same for the same two addresses. */
static const struct fib_hop *choose_hop(const struct fib_route *f, const struct ip_flow *flow)
{
	uint32_t total = 0, at;
	uint64_t h[4];

	memcpy(h, flow->source.b, 16);
	memcpy(h + 2, flow->dst.b, 16);
	for (unsigned i = 0; i < f->nhops; i++)
		total += hop_works(&f->hop[i], flow->oif) ? f->hop[i].weight : 0;
	if (!total)
		return &f->hop[0];
	at = (uint32_t)(hash_u64(h[0] ^ hash_u64(h[1] ^ hash_u64(h[2] ^ hash_u64(h[3])))) % total);
	for (unsigned i = 0; i < f->nhops; i++) {
		if (!hop_works(&f->hop[i], flow->oif))
			continue;
		if (at < f->hop[i].weight)
			return &f->hop[i];
		at -= f->hop[i].weight;
	}
	return &f->hop[0];
}

/* What the route says, without choosing a source. Under an epoch. */
static int follow(const struct ip_flow *flow, const struct fib_route *f, struct ip_path *out)
{
	const struct ipv6_addr *dst = &flow->dst;
	const struct fib_hop *h = f->nhops == 1 ? &f->hop[0] : choose_hop(f, flow);
	const struct route *r = &f->r;
	bool v4 = addr_is4(dst);

	switch (r->type) {
	case ROUTE_BLACKHOLE:
		return -EINVAL;
	case ROUTE_PROHIBIT:
		return -EACCES;
	case ROUTE_UNREACHABLE:
		return -EHOSTUNREACH;
	}
	out->dev = r->type == ROUTE_LOCAL ? loopback_device : netif_find_index((int)h->ifindex);
	if (!out->dev)
		return -ENETUNREACH;
	out->type = r->type;
	out->next_hop = h->has_gateway ? from_key(v4, &h->gateway) : *dst;
	out->mtu = r->mtu ? MIN(r->mtu, out->dev->mtu) : out->dev->mtu;
	out->hops = (uint8_t)f->metrics[RTAX_HOPLIMIT];
	if (v4)
		out->mtu = MIN(out->mtu, (uint32_t)IP_MAX_LEN);
	out->source = r->has_source ? from_key(v4, &r->source)
		      : v4          ? addr_from4(0)
				    : (struct ipv6_addr){ { 0 } };
	if (r->type == ROUTE_LOCAL && addr_is_any(&out->source))
		out->source = *dst;
	return 0;
}

/* Without a route, when the device is known: a group, or (IPv4) whatever: it is taken for on-link.
 */
static int direct_path(const struct ip_flow *flow, int oif, struct ip_path *out)
{
	struct netdev *d = netif_find_index(oif);
	bool v4 = addr_is4(&flow->dst);

	if (!d || !netdev_is_up(d))
		return -ENODEV;
	*out = (struct ip_path){ .dev = d, .next_hop = flow->dst, .mtu = d->mtu };
	out->type = addr_is_multicast(&flow->dst)              ? ROUTE_MULTICAST
		    : v4 && addr_to4(&flow->dst) == UINT32_MAX ? ROUTE_BROADCAST
							       : ROUTE_UNICAST;
	if (v4)
		out->mtu = MIN(out->mtu, (uint32_t)IP_MAX_LEN);
	out->source = v4 ? addr_from4(0) : (struct ipv6_addr){ { 0 } };
	return 0;
}

static bool goes_to_all(const struct ipv6_addr *a)
{
	return addr_is_multicast(a) || (addr_is4(a) && addr_to4(a) == UINT32_MAX);
}

/* Packets to all without a device leave where their source address lives. */
static int device_of_source(const struct ip_flow *f)
{
	struct ip_flow to_source = { .dst = f->source };
	const struct fib_route *r;

	if (addr_is_any(&f->source) || !(r = lookup_in(&fib_local, &to_source)) ||
	    r->r.type != ROUTE_LOCAL)
		return 0;
	return (int)r->r.ifindex;
}

struct netdev *ip_device_of(const struct ipv6_addr *a)
{
	struct ip_flow f = { .source = *a };
	struct netdev *d;

	epoch_enter();
	d = netif_find_index(device_of_source(&f));
	epoch_exit();
	return d;
}

static int find_path(const struct ip_flow *flow, struct ip_path *out, const struct fib_route **f)
{
	bool to_all = goes_to_all(&flow->dst);
	int oif = flow->oif, err;

	if (UNLIKELY(to_all) && !oif)
		oif = device_of_source(flow);
	if (UNLIKELY(to_all) && oif)
		return direct_path(flow, oif, out);
	if (!(err = lookup(flow, f)))
		err = follow(flow, *f, out);
	else if (oif && addr_is4(&flow->dst) && err == -ENETUNREACH)
		err = direct_path(flow, oif, out);
	if (!err && UNLIKELY(to_all))
		out->type = addr_is_multicast(&flow->dst) ? ROUTE_MULTICAST : ROUTE_BROADCAST;
	return err;
}

/* IPv6: what a router said of the link. */
static NOINLINE void heed_router(struct ip_path *out)
{
	const struct inet_conf *conf = inet_conf_of(out->dev);

	if (conf->mtu6)
		out->mtu = MIN(out->mtu, (uint32_t)conf->mtu6);
	if (!out->hops)
		out->hops = (uint8_t)conf->hop_limit;
}

/* The same, but for what was learnt of the path's MTU. */
static int route_flow(const struct ip_flow *flow, struct ip_path *out,
		      const struct fib_route **found)
{
	uint32_t generation = atomic_load(&ip_route_generation);
	const struct fib_route *f = NULL;
	struct ip_flow to = *flow;
	int err;

	if (addr_is_any(&to.dst)) /* this host: what connect(2) to INADDR_ANY means */
		to.dst = addr_is4(&to.dst) ? addr_from4(0x7f000001)
					   : (struct ipv6_addr){ { [15] = 1 } };
	epoch_enter();
	err = find_path(&to, out, &f);
	epoch_exit();
	if (found)
		*found = f;
	if (err)
		return err;
	if (!addr_is4(&to.dst) && ipv6_is_link_local(&to.dst) && !to.oif &&
	    out->type != ROUTE_LOCAL)
		return -EINVAL;
	if (!addr_is4(&to.dst))
		heed_router(out);
	else if (!out->hops)
		out->hops = (uint8_t)inet_default_ttl;
	out->generation = generation;
	out->confirmed = 0;
	if (!addr_is_any(&to.source))
		out->source = to.source;
	else if (addr_is_any(&out->source))
		ifaddr_choose(out, &to.dst);
	return 0;
}

/* Where it goes: what any address means, is this host. */
static void heed_pmtu(const struct ipv6_addr *dst, struct ip_path *out)
{
	out->mtu = inet_pmtu_get(UNLIKELY(addr_is_any(dst)) ? &out->next_hop : dst, out->mtu);
}

int ip_route_flow(const struct ip_flow *flow, struct ip_path *out, const struct fib_route **found)
{
	int err = route_flow(flow, out, found);

	if (!err)
		heed_pmtu(&flow->dst, out);
	return err;
}

/* Connections and answers go the same few ways again and again: the last one of this CPU with a
 * source, and the last without. */
struct last_way {
	struct ipv6_addr dst, source;
	struct ip_path path; /* dev NULL: none */
	int oif;
};
static PERCPU(struct last_way, last_ways[2]);

int ip_route(const struct ipv6_addr *dst, const struct ipv6_addr *source, int oif,
	     struct ip_path *out)
{
	struct ip_flow f = { .dst = *dst, .oif = oif };
	struct last_way *last;
	int err;

	if (source)
		f.source = *source;
	last = &this_cpu(last_ways)[!addr_is_any(&f.source)];
	if (LIKELY(last->path.dev && last->oif == oif &&
		   last->path.generation == atomic_load(&ip_route_generation) &&
		   ipv6_eq(&last->dst, dst) && ipv6_eq(&last->source, &f.source))) {
		*out = last->path;
	} else {
		if ((err = route_flow(&f, out, NULL)))
			return err;
		/* IPv6: a device's settings change without a word. */
		if (addr_is4(dst) || out->dev == loopback_device)
			*last = (struct last_way){ *dst, f.source, *out, oif };
	}
	heed_pmtu(dst, out);
	return 0;
}

static enum route_type address_type(const struct ipv6_addr *a)
{
	struct ip_flow f = { .dst = *a };
	const struct fib_route *r;
	enum route_type type = ROUTE_UNICAST;

	if (addr_is_multicast(a))
		return ROUTE_MULTICAST;
	if (addr_is4(a) && addr_to4(a) == UINT32_MAX)
		return ROUTE_BROADCAST;
	epoch_enter();
	if ((r = lookup_in(&fib_local, &f)) &&
	    (r->r.type == ROUTE_LOCAL || r->r.type == ROUTE_BROADCAST))
		type = r->r.type;
	epoch_exit();
	return type;
}

/* What comes in is for the same address again and again. */
struct last_local {
	struct ipv6_addr address;
	uint32_t generation;
	bool is_known;
};
static PERCPU(struct last_local, last_local);

enum route_type ip_address_type(const struct ipv6_addr *a, const struct netdev *d)
{
	struct last_local *last = &this_cpu(last_local);
	uint32_t generation = atomic_load(&ip_route_generation);
	enum route_type type;

	(void)d;
	if (LIKELY(last->is_known && last->generation == generation && ipv6_eq(&last->address, a)))
		return ROUTE_LOCAL;
	type = address_type(a);
	if (type == ROUTE_LOCAL)
		*last = (struct last_local){ *a, generation, true };
	return type;
}
