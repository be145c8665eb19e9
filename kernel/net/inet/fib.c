/*
 * Route tables: a trie for each family in each table, read under an epoch (fib_lookup.c). Addresses
 * of this machine are routes of type LOCAL in the table `local`, which is asked first.
 */

#include "net/inet/fib_priv.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/netif.h"
#include "pmm/slab.h"

enum { BUCKETS = 32, MAX_METRIC_ADVMSS = 65535 - 40, MAX_METRIC_MTU = 65535 - 15 };

_Atomic uint32_t ip_route_generation;

struct fib_node {
	struct route_node n; /* first */
	struct epoch_head epoch;
};

static struct fib_table *buckets[BUCKETS];
struct fib_table fib_local = { .id = RT_TABLE_LOCAL };
struct fib_table fib_main = { .id = RT_TABLE_MAIN };
struct fib_table fib_defaults = { .id = RT_TABLE_DEFAULT };

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

static bool expiring; /* some route may have a lifetime */

static const struct route_ops ops = { alloc_node, free_node };

static void insert_table(struct fib_table *t)
{
	struct fib_table **at = &buckets[t->id % BUCKETS];

	route_table_init(&t->t[0], &ops);
	route_table_init(&t->t[1], &ops);
	t->next = *at;
	__atomic_store_n(at, t, __ATOMIC_RELEASE);
}

void fib_init(void)
{
	insert_table(&fib_local);
	insert_table(&fib_main);
	insert_table(&fib_defaults);
	rules_init();
}

struct fib_table *fib_find_table(uint32_t id)
{
	struct fib_table *t = __atomic_load_n(&buckets[id % BUCKETS], __ATOMIC_ACQUIRE);

	while (t && t->id != id)
		t = t->next;
	return t;
}

bool fib_has_table(uint32_t id)
{
	return fib_find_table(id) != NULL;
}

static struct fib_table *find_or_make_table(uint32_t id)
{
	struct fib_table *t = fib_find_table(id);

	if (!t && (t = kzalloc(sizeof(*t)))) {
		t->id = id;
		insert_table(t);
	}
	return t;
}

void fib_changed(void)
{
	atomic_fetch_add(&ip_route_generation, 1);
}

/* --- changing --- */

static struct fib_route *route_at(struct route *r)
{
	return (struct fib_route *)r;
}

static bool same_hop(const struct fib_hop *a, const struct fib_hop *b)
{
	return a->ifindex == b->ifindex && a->has_gateway == b->has_gateway &&
	       ipv6_eq(&a->gateway, &b->gateway);
}

static bool same_hops(const struct fib_route *a, const struct fib_route *b)
{
	if (a->nhops != b->nhops || a->r.type != b->r.type)
		return false;
	for (unsigned i = 0; i < a->nhops; i++)
		if (!same_hop(&a->hop[i], &b->hop[i]))
			return false;
	return true;
}

/* A copy of c with `extra` more hops from another route. NULL: no memory. */
static struct fib_route *route_from(const struct fib_config *c, const struct fib_route *more)
{
	unsigned n = c->f.nhops, extra = more ? more->nhops : 0;
	struct fib_route *f = kzalloc(sizeof(*f) + (n + extra) * sizeof(f->hop[0]));

	if (!f)
		return NULL;
	memcpy(f, &c->f, sizeof(*f));
	f->hop = (struct fib_hop *)(f + 1);
	if (extra)
		memcpy(f->hop, more->hop, extra * sizeof(f->hop[0]));
	memcpy(f->hop + extra, c->hop, n * sizeof(f->hop[0]));
	f->nhops = (uint8_t)(n + extra);
	f->r.ifindex = f->hop[0].ifindex;
	f->r.has_gateway = f->hop[0].has_gateway;
	f->r.gateway = f->hop[0].gateway;
	f->r.mtu = f->metrics[RTAX_MTU];
	expiring |= f->expires != 0;
	atomic_init(&f->r.next, NULL);
	return f;
}

static void drop(struct fib_route *f)
{
	epoch_free(&f->epoch, free_route_now);
	fib_changed();
}

static void take_out(struct route_table *t, struct fib_route *f)
{
	route_remove(t, &f->r);
	drop(f);
}

/* The device of a gateway that came without, and whether it can be reached. */
static int resolve_gateway(bool v4, struct fib_hop *h, const char **why)
{
	struct ip_flow flow = { .oif = (int)h->ifindex };
	const struct fib_route *f;
	struct ip_path path;
	int err;

	if (h->onlink && h->ifindex)
		return 0;
	flow.dst = v4 ? addr_from4(be32_get(h->gateway.b)) : h->gateway;
	if (!v4 && ipv6_is_link_local(&h->gateway))
		return h->ifindex ? 0 : -EINVAL;
	epoch_enter();
	err = ip_route_flow(&flow, &path, &f);
	if (!err && (path.type == ROUTE_LOCAL || path.type == ROUTE_BROADCAST))
		err = -EINVAL;
	else if (!err && (!f || (v4 ? f->r.scope < RT_SCOPE_LINK : f->r.has_gateway)))
		err = v4 ? -ENETUNREACH : -EHOSTUNREACH;
	epoch_exit();
	if (err) {
		*why = v4 ? "Nexthop has invalid gateway" : "No route to host";
		return v4 && err != -EINVAL ? -ENETUNREACH : err;
	}
	if (!h->ifindex)
		h->ifindex = (uint32_t)path.dev->index;
	return 0;
}

static int check_hop(bool v4, struct fib_hop *h, const char **why)
{
	struct netdev *d;
	int err;

	if (h->ifindex && !netif_find_index((int)h->ifindex))
		return -ENODEV;
	if (h->has_gateway && (err = resolve_gateway(v4, h, why)))
		return err;
	if (!h->ifindex)
		return -ENODEV;
	d = netif_find_index((int)h->ifindex);
	if (!netdev_is_up(d)) {
		*why = v4 ? "Device for nexthop is not up" : "Nexthop device is not up";
		return -ENETDOWN;
	}
	return 0;
}

/* Completes what was asked for. */
static int check_config(bool v4, struct fib_config *c, const char **why)
{
	int err = 0;

	if (c->f.nhops == 0 || c->f.nhops > FIB_HOPS_MAX)
		return -EINVAL;
	if (c->f.r.type >= ROUTE_BLACKHOLE) {
		c->hop[0] = (struct fib_hop){ .ifindex = v4 ? 0 : (uint32_t)loopback_device->index,
					      .weight = 1 };
		c->f.nhops = 1;
		return 0;
	}
	for (unsigned i = 0; i < c->f.nhops && !err; i++)
		err = check_hop(v4, &c->hop[i], why);
	return err;
}

/* The first route of the same prefix, tos and metric. */
static struct fib_route *find_equal(const struct route_table *t, const struct route *like)
{
	struct route *r = route_find(t, &like->prefix, like->plen);

	while (r && (r->tos != like->tos || r->metric != like->metric))
		r = r->next;
	return r ? route_at(r) : NULL;
}

/* Whether exactly this is among those of the same tos and metric. */
static struct fib_route *find_same(const struct fib_route *first, const struct fib_route *f)
{
	const struct route *r = &first->r;

	for (; r && r->tos == f->r.tos && r->metric == f->r.metric; r = r->next)
		if (same_hops((const struct fib_route *)r, f))
			return (struct fib_route *)(uintptr_t)r;
	return NULL;
}

static bool has_hop(const struct fib_route *f, const struct fib_hop *h)
{
	for (unsigned i = 0; i < f->nhops; i++)
		if (same_hop(&f->hop[i], h))
			return true;
	return false;
}

/* IPv6 routes of one metric through gateways are one route with several hops. */
static bool joins(bool v4, const struct fib_route *first, const struct fib_config *c)
{
	return !v4 && c->f.r.protocol != RTPROT_RA && c->f.r.type == ROUTE_UNICAST &&
	       first->r.type == ROUTE_UNICAST && first->r.has_gateway && c->hop[0].has_gateway &&
	       first->nhops + c->f.nhops <= FIB_HOPS_MAX;
}

static int put_in_place(struct route_table *t, struct fib_route *old, struct fib_route *f, bool v4,
			unsigned how)
{
	if (!f)
		return -ENOMEM;
	route_replace(t, &old->r, &f->r);
	drop(old);
	rtnl_report_route(v4, f, RTM_NEWROUTE, how & NLM_F_REPLACE);
	return 0;
}

static int add_beside(bool v4, struct route_table *t, struct fib_route *first, struct fib_config *c,
		      unsigned how, struct fib_route **out)
{
	struct fib_route *same;

	if (how & NLM_F_EXCL)
		return -EEXIST;
	*out = route_from(c, NULL);
	if (!*out)
		return -ENOMEM;
	same = find_same(first, *out);
	if (how & NLM_F_REPLACE) {
		if (same && same != first) {
			kfree(*out);
			return -EEXIST;
		}
		return put_in_place(t, first, *out, v4, how);
	}
	if (same || (!v4 && has_hop(first, &c->hop[0]))) {
		kfree(*out);
		return -EEXIST;
	}
	if (joins(v4, first, c)) {
		kfree(*out);
		return put_in_place(t, first, route_from(c, first), v4, how);
	}
	(*out)->r.first = v4 && !(how & NLM_F_APPEND);
	return 1; /* into the list */
}

static int add(bool v4, struct fib_config *c, unsigned how)
{
	struct fib_table *table;
	struct fib_route *first, *f = NULL;
	struct route_table *t;
	int err;

	if (!(table = find_or_make_table(c->f.table)))
		return -ENOMEM;
	t = &table->t[v4];
	if ((first = find_equal(t, &c->f.r))) {
		if ((err = add_beside(v4, t, first, c, how, &f)) <= 0)
			return err;
	} else if (!(how & NLM_F_CREATE) && (v4 || how & NLM_F_REPLACE)) {
		return -ENOENT;
	} else if (!(f = route_from(c, NULL))) {
		return -ENOMEM;
	}
	if ((err = route_add(t, &f->r))) {
		kfree(f);
		return err;
	}
	fib_changed();
	rtnl_report_route(v4, f, RTM_NEWROUTE, how & ~NLM_F_REPLACE);
	return 0;
}

int fib_add(bool v4, struct fib_config *c, unsigned how, const char **why)
{
	int err = check_config(v4, c, why);

	return err ? err : add(v4, c, how);
}

/* What a pattern says counts. */
static bool is_like(bool v4, const struct fib_route *f, const struct fib_config *c)
{
	const struct route *r = &f->r, *like = &c->f.r;

	if ((!c->f.any_type && r->type != like->type) ||
	    (like->metric && r->metric != like->metric) ||
	    (like->protocol && r->protocol != like->protocol) ||
	    (like->has_source && (!r->has_source || !ipv6_eq(&r->source, &like->source))))
		return false;
	if (v4 && (r->tos != like->tos || (!c->f.any_scope && r->scope != like->scope)))
		return false;
	if (c->f.nhops > 1 && c->f.nhops != f->nhops)
		return false;
	for (unsigned i = 0; i < c->f.nhops; i++) {
		const struct fib_hop *h = &c->hop[i];
		bool found = false;

		for (unsigned k = 0; k < f->nhops; k++)
			found |= (!h->ifindex || h->ifindex == f->hop[k].ifindex) &&
				 (!h->has_gateway || ipv6_eq(&h->gateway, &f->hop[k].gateway));
		if (!found)
			return false;
	}
	return true;
}

bool fib_refresh(bool v4, const struct fib_config *c)
{
	struct fib_table *table = fib_find_table(c->f.table);
	struct route *r = table ? route_find(&table->t[v4], &c->f.r.prefix, c->f.r.plen) : NULL;

	while (r && !is_like(v4, route_at(r), c))
		r = r->next;
	if (!r)
		return false;
	route_at(r)->expires = c->f.expires;
	expiring |= c->f.expires != 0;
	return true;
}

/* Takes the one hop that c names out of a route with several. */
static int remove_hop(struct route_table *t, struct fib_route *f, const struct fib_hop *h)
{
	struct fib_route *n = kmalloc(sizeof(*n) + f->nhops * sizeof(n->hop[0]));
	bool found = false;
	unsigned k = 0;

	if (!n)
		return -ENOMEM;
	memcpy(n, f, sizeof(*n));
	n->hop = (struct fib_hop *)(n + 1);
	for (unsigned i = 0; i < f->nhops; i++)
		if (found || !ipv6_eq(&f->hop[i].gateway, &h->gateway) ||
		    (h->ifindex && f->hop[i].ifindex != h->ifindex))
			n->hop[k++] = f->hop[i];
		else
			found = true; /* others by the same gateway stay */
	n->nhops = (uint8_t)k;
	n->r.ifindex = n->hop[0].ifindex;
	n->r.gateway = n->hop[0].gateway;
	route_replace(t, &f->r, &n->r);
	drop(f);
	return 0;
}

int fib_remove(bool v4, const struct fib_config *c)
{
	struct fib_table *table = fib_find_table(c->f.table);
	struct route *r;

	if (!table)
		return -ESRCH;
	r = route_find(&table->t[v4], &c->f.r.prefix, c->f.r.plen);
	while (r && !is_like(v4, route_at(r), c))
		r = r->next;
	if (!r)
		return -ESRCH;
	if (!v4 && route_at(r)->nhops > 1 && c->f.nhops == 1 && c->hop[0].has_gateway)
		return remove_hop(&table->t[v4], route_at(r), &c->hop[0]);
	rtnl_report_route(v4, route_at(r), RTM_DELROUTE, 0);
	take_out(&table->t[v4], route_at(r));
	return 0;
}

/* What the stack itself adds: addresses, networks, broadcast addresses. */
static void config_of(struct fib_config *c, const struct route *r)
{
	memset(c, 0, sizeof(*c));
	c->f.r = *r;
	c->f.table = r->type == ROUTE_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
	c->f.nhops = 1;
	c->f.metrics[RTAX_MTU] = r->mtu;
	c->hop[0] = (struct fib_hop){ .ifindex = r->ifindex,
				      .weight = 1,
				      .has_gateway = r->has_gateway,
				      .onlink = true,
				      .gateway = r->gateway };
}

int ip_route_add(bool v4, const struct route *r)
{
	struct fib_config c;

	config_of(&c, r);
	return add(v4, &c, NLM_F_CREATE | NLM_F_APPEND);
}

int ip_route_remove(bool v4, const struct route *like)
{
	struct fib_config c;

	config_of(&c, like);
	return fib_remove(v4, &c);
}

/* Removes what goes(r, arg) says, of all tables. */
static void remove_all(bool v4, bool (*goes)(const struct fib_route *f, const void *arg),
		       const void *arg)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct fib_table *t = buckets[b]; t; t = t->next) {
			struct route *r = route_next(&t->t[v4], NULL), *next;

			for (; r; r = next) {
				next = route_next(&t->t[v4], r);
				if (!goes(route_at(r), arg))
					continue;
				if (!v4)
					rtnl_report_route(v4, route_at(r), RTM_DELROUTE, 0);
				take_out(&t->t[v4], route_at(r));
			}
		}
}

struct of_device {
	uint32_t ifindex;
	bool also_local;
};

static bool goes_with_device(const struct fib_route *f, const void *arg)
{
	const struct of_device *d = arg;

	for (unsigned i = 0; i < f->nhops; i++)
		if (f->hop[i].ifindex != d->ifindex)
			return false;
	return f->r.type < ROUTE_BLACKHOLE && (d->also_local || f->r.type != ROUTE_LOCAL);
}

void fib_remove_device(bool v4, int ifindex, bool also_local)
{
	struct of_device d = { (uint32_t)ifindex, also_local };

	remove_all(v4, goes_with_device, &d);
}

static bool has_source(const struct fib_route *f, const void *arg)
{
	return f->r.has_source && f->r.type != ROUTE_LOCAL && ipv6_eq(&f->r.source, arg);
}

/* Unless the address is still there, of another device or prefix. */
void fib_remove_source(bool v4, const struct ipv6_addr *key)
{
	const struct route *r = route_find(&fib_local.t[v4], key, v4 ? 32 : 128);

	if (!r || r->type != ROUTE_LOCAL)
		remove_all(v4, has_source, key);
}

static bool is_over(const struct fib_route *f, const void *arg)
{
	return f->expires && f->expires <= *(const nsec_t *)arg;
}

nsec_t fib_expire(nsec_t now)
{
	nsec_t next = NSEC_MAX;

	if (!expiring)
		return next;
	for (unsigned v4 = 0; v4 < 2; v4++) {
		remove_all(v4, is_over, &now);
		for (const struct fib_route *f = NULL; (f = fib_next(v4, f));)
			next = f->expires ? MIN(next, f->expires) : next;
	}
	expiring = next != NSEC_MAX;
	return next;
}

/* The table with the smallest number > id. */
static struct fib_table *table_after(uint64_t id)
{
	struct fib_table *best = NULL;

	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct fib_table *t = buckets[b]; t; t = t->next)
			if (t->id > id && (!best || t->id < best->id))
				best = t;
	return best;
}

const struct fib_route *fib_next(bool v4, const struct fib_route *after)
{
	struct fib_table *t = after ? fib_find_table(after->table) : table_after(0);
	struct route *r = after && t ? route_next(&t->t[v4], &after->r) : NULL;

	if (!after && t)
		r = route_next(&t->t[v4], NULL);
	while (!r && t && (t = table_after(t->id)))
		r = route_next(&t->t[v4], NULL);
	return r ? route_at(r) : NULL;
}

const struct fib_route *fib_from(bool v4, uint32_t table, const struct ipv6_addr *prefix,
				 unsigned plen)
{
	struct fib_table *t = fib_find_table(table);
	struct route *r = t ? route_find_from(&t->t[v4], prefix, plen) : NULL;

	for (t = table_after(table); !r && t; t = table_after(t->id))
		r = route_next(&t->t[v4], NULL);
	return r ? route_at(r) : NULL;
}
