/*
 * Routes. One table for each family, read under an epoch. Local addresses are routes of type LOCAL:
 * being the longest prefixes, they win, as the local table does that Linux asks first.
 *
 * A route is used when its device is up and is the one that was asked for, if any.
 */

#include "abi/errno.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/netif.h"
#include "pmm/slab.h"

_Atomic uint32_t ip_route_generation;

struct fib_route {
	struct route r; /* first */
	struct epoch_head epoch;
};

struct fib_node {
	struct route_node n; /* first */
	struct epoch_head epoch;
};

static struct route_node *alloc_node(void)
{
	struct fib_node *n = kzalloc(sizeof(*n));

	return n ? &n->n : NULL;
}

static void free_node_now(struct epoch_head *h)
{
	kfree(container_of(h, struct fib_node, epoch));
}

static void free_node(struct route_node *n)
{
	epoch_free(&((struct fib_node *)n)->epoch, free_node_now);
}

static void free_route_now(struct epoch_head *h)
{
	kfree(container_of(h, struct fib_route, epoch));
}

static const struct route_ops ops = { alloc_node, free_node };
static struct route_table tables[2]; /* [1]: IPv4 */

void fib_init(void)
{
	route_table_init(&tables[0], &ops);
	route_table_init(&tables[1], &ops);
}

const struct route_table *fib_table(bool v4)
{
	return &tables[v4];
}

void fib_changed(void)
{
	atomic_fetch_add(&ip_route_generation, 1);
}

int ip_route_add(bool v4, const struct route *like)
{
	struct fib_route *f = kzalloc(sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->r = *like;
	atomic_init(&f->r.next, NULL);
	if ((err = route_add(&tables[v4], &f->r))) {
		kfree(f);
		return err;
	}
	fib_changed();
	return 0;
}

static void take_out(bool v4, struct route *r)
{
	route_remove(&tables[v4], r);
	epoch_free(&((struct fib_route *)r)->epoch, free_route_now);
	fib_changed();
}

/* What `like` says counts; zeroes in it do not, but for prefix, length and type. */
static bool is_like(const struct route *r, const struct route *like)
{
	return r->type == like->type && (!like->ifindex || r->ifindex == like->ifindex) &&
	       (!like->metric || r->metric == like->metric) &&
	       (!like->has_gateway || (r->has_gateway && ipv6_eq(&r->gateway, &like->gateway)));
}

int ip_route_remove(bool v4, const struct route *like)
{
	struct route *r = route_find(&tables[v4], &like->prefix, like->plen);

	while (r && !is_like(r, like))
		r = atomic_load_explicit(&r->next, memory_order_relaxed);
	if (!r)
		return -ESRCH;
	take_out(v4, r);
	return 0;
}

void fib_remove_device(bool v4, int ifindex, bool also_local)
{
	struct route *r = NULL, *next;

	for (r = route_next(&tables[v4], NULL); r; r = next) {
		next = route_next(&tables[v4], r);
		if ((int)r->ifindex == ifindex && (also_local || r->type != ROUTE_LOCAL))
			take_out(v4, r);
	}
}

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
};

static bool may_use(const struct route *r, const void *arg)
{
	const struct wanted *w = arg;
	struct netdev *d;

	if (r->type >= ROUTE_BLACKHOLE)
		return true;
	if (r->type == ROUTE_LOCAL)
		return true; /* whatever the device: it does not leave the machine */
	if (w->oif && (int)r->ifindex != w->oif)
		return false;
	d = netif_find_index((int)r->ifindex);
	return d && netdev_is_up(d);
}

static const struct route *lookup(const struct ipv6_addr *a, int oif)
{
	struct ipv6_addr key = fib_key(a);
	struct wanted w = { oif };
	bool v4 = addr_is4(a);

	return route_lookup(&tables[v4], &key, v4 ? 32 : 128, may_use, &w);
}

/* What the route says, without choosing a source. Under an epoch. */
static int follow(const struct ipv6_addr *dst, const struct route *r, struct ip_path *out)
{
	bool v4 = addr_is4(dst);

	switch (r->type) {
	case ROUTE_BLACKHOLE:
		return -EINVAL;
	case ROUTE_PROHIBIT:
		return -EACCES;
	case ROUTE_UNREACHABLE:
		return -EHOSTUNREACH;
	}
	out->dev = r->type == ROUTE_LOCAL ? loopback_device : netif_find_index((int)r->ifindex);
	out->type = r->type;
	out->next_hop = r->has_gateway ? from_key(v4, &r->gateway) : *dst;
	out->mtu = r->mtu ? MIN(r->mtu, out->dev->mtu) : out->dev->mtu;
	if (v4)
		out->mtu = MIN(out->mtu, (uint32_t)IP_MAX_LEN);
	out->source = r->has_source ? from_key(v4, &r->source)
		      : v4          ? addr_from4(0)
				    : (struct ipv6_addr){ { 0 } };
	if (r->type == ROUTE_LOCAL && addr_is_any(&out->source))
		out->source = *dst;
	return 0;
}

/* Multicast needs no route when the device is known. */
static int multicast_path(const struct ipv6_addr *dst, int oif, struct ip_path *out)
{
	struct netdev *d = netif_find_index(oif);

	if (!d || !netdev_is_up(d))
		return -ENODEV;
	*out = (struct ip_path){
		.dev = d, .next_hop = *dst, .mtu = d->mtu, .type = ROUTE_MULTICAST
	};
	out->source = addr_is4(dst) ? addr_from4(0) : (struct ipv6_addr){ { 0 } };
	return 0;
}

int ip_route(const struct ipv6_addr *dst, const struct ipv6_addr *source, int oif,
	     struct ip_path *out)
{
	uint32_t generation = atomic_load(&ip_route_generation);
	const struct route *r;
	struct ipv6_addr to = *dst;
	int err;

	if (addr_is_any(&to)) /* this host: what connect(2) to INADDR_ANY means */
		to = addr_is4(&to) ? addr_from4(0x7f000001) : (struct ipv6_addr){ { [15] = 1 } };
	epoch_enter();
	if (addr_is_multicast(&to) && oif)
		err = multicast_path(&to, oif, out);
	else if ((r = lookup(&to, oif)))
		err = follow(&to, r, out);
	else if (addr_is4(&to) && addr_to4(&to) == UINT32_MAX && oif)
		err = multicast_path(&to, oif, out), out->type = ROUTE_BROADCAST;
	else
		err = -ENETUNREACH;
	epoch_exit();
	if (err)
		return err;
	if (!addr_is4(&to) && ipv6_is_link_local(&to) && !oif && out->type != ROUTE_LOCAL)
		return -EINVAL;
	if (addr_is_multicast(&to))
		out->type = ROUTE_MULTICAST;
	out->generation = generation;
	if (source && !addr_is_any(source))
		out->source = *source;
	else if (addr_is_any(&out->source))
		ifaddr_choose(out, &to);
	return 0;
}

enum route_type ip_address_type(const struct ipv6_addr *a, const struct netdev *d)
{
	const struct route *r;
	enum route_type type = ROUTE_UNICAST;

	(void)d;
	if (addr_is_multicast(a))
		return ROUTE_MULTICAST;
	if (addr_is4(a) && addr_to4(a) == UINT32_MAX)
		return ROUTE_BROADCAST;
	epoch_enter();
	if ((r = lookup(a, 0)) && (r->type == ROUTE_LOCAL || r->type == ROUTE_BROADCAST))
		type = r->type;
	epoch_exit();
	return type;
}
