/* The route table's trie. See route.h. */
#include "net/ip/route.h"

#include "abi/errno.h"

void route_table_init(struct route_table *t, const struct route_ops *ops)
{
	atomic_init(&t->root, NULL);
	t->count = 0;
	t->ops = ops;
}

static unsigned bit_at(const struct ipv6_addr *a, unsigned i)
{
	return a->b[i / 8] >> (7 - i % 8) & 1;
}

/* How many leading bits two addresses have in common, at most max. */
static unsigned common_bits(const struct ipv6_addr *a, const struct ipv6_addr *b, unsigned max)
{
	for (unsigned i = 0; i < 16 && i * 8 < max; i++) {
		unsigned x = a->b[i] ^ b->b[i];

		if (x)
			return MIN(i * 8 + (unsigned)__builtin_clz(x) - 24, max);
	}
	return max;
}

static bool is_clean(const struct ipv6_addr *a, unsigned plen)
{
	for (unsigned i = plen; i < 128; i++)
		if (bit_at(a, i))
			return false;
	return true;
}

static struct ipv6_addr masked(const struct ipv6_addr *a, unsigned plen)
{
	struct ipv6_addr m = *a;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = plen > i * 8 ? MIN(plen - i * 8, 8u) : 0;

		m.b[i] &= (uint8_t)(0xff00u >> keep);
	}
	return m;
}

static struct route_node *get(const _Atomic(struct route_node *) *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

/* Where the pointer to n lies. */
static _Atomic(struct route_node *) *link_of(struct route_table *t, const struct route_node *n)
{
	if (!n->parent)
		return &t->root;
	return &n->parent->child[bit_at(&n->key, n->parent->plen)];
}

static struct route *usable(const struct route_node *n, route_filter *filter, const void *arg)
{
	struct route *r = atomic_load_explicit(&n->routes, memory_order_acquire);

	while (r && filter && !filter(r, arg))
		r = atomic_load_explicit(&r->next, memory_order_acquire);
	return r;
}

/*
 * Down as long as prefixes match, remembering the last that had something usable. There are at most
 * as many nodes on the way as there are bits.
 */
struct route *route_lookup(const struct route_table *t, const struct ipv6_addr *dst, unsigned bits,
			   route_filter *filter, const void *arg)
{
	const struct route_node *n = get(&t->root);
	struct route *best = NULL, *r;

	while (n && common_bits(&n->key, dst, n->plen) == n->plen) {
		r = usable(n, filter, arg);
		if (r)
			best = r;
		if (n->plen >= bits)
			break;
		n = get(&n->child[bit_at(dst, n->plen)]);
	}
	return best;
}

static struct route_node *node_find(const struct route_table *t, const struct ipv6_addr *key,
				    unsigned plen)
{
	struct route_node *n = get(&t->root);

	while (n && n->plen < plen && common_bits(&n->key, key, n->plen) == n->plen)
		n = get(&n->child[bit_at(key, n->plen)]);
	return n && n->plen == plen && ipv6_eq(&n->key, key) ? n : NULL;
}

struct route *route_find(const struct route_table *t, const struct ipv6_addr *prefix, unsigned plen)
{
	const struct route_node *n = node_find(t, prefix, plen);

	return n ? atomic_load_explicit(&n->routes, memory_order_acquire) : NULL;
}

/* Whether o stays before r. */
static bool goes_before(const struct route *o, const struct route *r)
{
	if (o->tos != r->tos)
		return o->tos > r->tos;
	return r->first ? o->metric < r->metric : o->metric <= r->metric;
}

static bool is_same(const struct route *o, const struct route *r)
{
	return o->tos == r->tos && o->metric == r->metric && o->type == r->type &&
	       o->ifindex == r->ifindex && o->has_gateway == r->has_gateway &&
	       ipv6_eq(&o->gateway, &r->gateway);
}

/* Puts r into the list of n in its order. */
static int list_insert(struct route_node *n, struct route *r)
{
	_Atomic(struct route *) *at = &n->routes;
	struct route *o;

	for (o = *at; o; o = o->next)
		if (is_same(o, r))
			return -EEXIST;
	for (o = *at; o && goes_before(o, r); o = *at)
		at = &o->next;
	atomic_init(&r->next, o);
	atomic_store_explicit(at, r, memory_order_release);
	return 0;
}

static struct route_node *node_new(struct route_table *t, const struct ipv6_addr *key,
				   unsigned plen)
{
	struct route_node *n = t->ops->alloc_node();

	if (n) {
		n->key = masked(key, plen);
		n->plen = (uint8_t)plen;
	}
	return n;
}

static void set_child(struct route_node *n, struct route_node *child)
{
	atomic_init(&n->child[bit_at(&child->key, n->plen)], child);
}

/*
 * A node for the prefix of r in the place of `below`, which it does not match whole (NULL: empty):
 * above it, or beside it under a new branch. The pointers down are complete before one store makes
 * all of it visible.
 */
static int node_insert(struct route_table *t, struct route *r, struct route_node *parent,
		       struct route_node *below, _Atomic(struct route_node *) *link)
{
	struct route_node *n = node_new(t, &r->prefix, r->plen), *branch = n;
	unsigned common;

	if (!n)
		return -ENOMEM;
	atomic_init(&n->routes, r);
	if (below) {
		common = common_bits(&below->key, &r->prefix, MIN(below->plen, r->plen));
		if (common < r->plen) {
			branch = node_new(t, &r->prefix, common);
			if (!branch) {
				t->ops->free_node(n);
				return -ENOMEM;
			}
			set_child(branch, n);
			n->parent = branch;
		}
		set_child(branch, below);
		below->parent = branch;
	}
	branch->parent = parent;
	atomic_store_explicit(link, branch, memory_order_release);
	return 0;
}

int route_add(struct route_table *t, struct route *r)
{
	struct route_node *parent = NULL, *n;
	_Atomic(struct route_node *) *link = &t->root;
	int err;

	if (r->plen > 128 || !is_clean(&r->prefix, r->plen))
		return -EINVAL;
	atomic_init(&r->next, NULL);
	for (n = *link;
	     n && n->plen < r->plen && common_bits(&n->key, &r->prefix, n->plen) == n->plen;
	     n = *link) {
		parent = n;
		link = &n->child[bit_at(&r->prefix, n->plen)];
	}
	if (n && n->plen == r->plen && ipv6_eq(&n->key, &r->prefix))
		err = list_insert(n, r);
	else
		err = node_insert(t, r, parent, n, link);
	t->count += !err;
	return err;
}

/* n has no routes: it goes unless it branches; then its parent may have become superfluous. */
static void node_prune(struct route_table *t, struct route_node *n)
{
	while (n && !n->routes && !(n->child[0] && n->child[1])) {
		struct route_node *parent = n->parent,
				  *child = n->child[0] ? n->child[0] : n->child[1];

		atomic_store_explicit(link_of(t, n), child, memory_order_release);
		if (child)
			child->parent = parent;
		t->ops->free_node(n);
		n = parent;
	}
}

void route_remove(struct route_table *t, struct route *r)
{
	struct route_node *n = node_find(t, &r->prefix, r->plen);
	_Atomic(struct route *) *at;

	if (!n)
		return;
	for (at = &n->routes; *at != r; at = &(*at)->next)
		if (!*at)
			return;
	atomic_store_explicit(at, r->next, memory_order_release);
	t->count--;
	node_prune(t, n);
}

void route_replace(struct route_table *t, struct route *old, struct route *r)
{
	struct route_node *n = node_find(t, &old->prefix, old->plen);
	_Atomic(struct route *) *at;

	if (!n)
		return;
	for (at = &n->routes; *at && *at != old; at = &(*at)->next)
		;
	if (!*at)
		return;
	atomic_init(&r->next, old->next);
	atomic_store_explicit(at, r, memory_order_release);
}

/* Pre-order is the order of keys, the shorter prefix first. The next node behind all below n. */
static struct route_node *node_behind(const struct route_node *n)
{
	struct route_node *p;

	for (p = n->parent; p; n = p, p = n->parent)
		if (p->child[0] == n && p->child[1])
			return p->child[1];
	return NULL;
}

static struct route_node *node_next(struct route_node *n)
{
	if (n->child[0])
		return n->child[0];
	return n->child[1] ? n->child[1] : node_behind(n);
}

/* The first node at or behind a prefix. */
static struct route_node *node_from(const struct route_table *t, const struct ipv6_addr *key,
				    unsigned plen)
{
	struct route_node *n = get(&t->root);

	while (n) {
		unsigned bits = MIN(n->plen, plen), same = common_bits(&n->key, key, bits);
		unsigned side;

		if (same < bits)
			return bit_at(&n->key, same) ? n : node_behind(n);
		if (n->plen >= plen)
			return n;
		side = bit_at(key, n->plen);
		if (!n->child[side])
			return !side && n->child[1] ? n->child[1] : node_behind(n);
		n = n->child[side];
	}
	return NULL;
}

struct route *route_find_from(const struct route_table *t, const struct ipv6_addr *prefix,
			      unsigned plen)
{
	struct route_node *n = node_from(t, prefix, plen);

	while (n && !n->routes)
		n = node_next(n);
	return n ? n->routes : NULL;
}

struct route *route_next(const struct route_table *t, const struct route *r)
{
	struct route_node *n;

	if (r && r->next)
		return r->next;
	n = r ? node_find(t, &r->prefix, r->plen) : NULL;
	n = r ? (n ? node_next(n) : NULL) : get(&t->root);
	while (n && !n->routes)
		n = node_next(n);
	return n ? n->routes : NULL;
}
