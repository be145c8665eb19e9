/*
 * Addresses of devices, and the routes that come with them: the address itself (LOCAL), the
 * network it lies in, its broadcast address. The routes are there while the device is up. `lo`
 * gets its addresses when it comes up, as on Linux; IPv6 addresses go when their device does down.
 *
 * The list changes under net_config_lock; packets without a source choose theirs under an epoch.
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "abi/rtnetlink.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/rtnl.h"
#include "net/ip/addrsel.h"
#include "net/netif.h"
#include "pmm/slab.h"

enum { CHOICES = 64 };

struct counted_ifaddr {
	struct ifaddr a; /* first */
	struct epoch_head epoch;
};

struct list ifaddrs = LIST_INIT(ifaddrs);

static struct ifaddr *addr_at(struct list *n)
{
	return list_entry(n, struct ifaddr, node);
}

/* The network part of an address. */
static struct ipv6_addr network_of(const struct ipv6_addr *a, unsigned plen, bool v4)
{
	struct ipv6_addr k = fib_key(a);

	for (unsigned i = plen; i < (v4 ? 32u : 128u); i++)
		k.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return k;
}

static struct route route_of(const struct ifaddr *a, enum route_type type, struct ipv6_addr prefix,
			     unsigned plen)
{
	struct route r = {
		.prefix = prefix,
		.plen = (uint8_t)plen,
		.type = (uint8_t)type,
		.scope = type == ROUTE_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK,
		.protocol = RTPROT_KERNEL,
		.ifindex = (uint32_t)a->dev->index,
	};

	if (addr_is4(&a->addr)) {
		r.has_source = true;
		r.source = fib_key(&a->addr);
	} else {
		r.metric = type == ROUTE_LOCAL ? 0 : 256;
	}
	return r;
}

/* Adding and removing go through the same list of routes: fn is ip_route_add or a removal. */
static int each_route(const struct ifaddr *a, int (*fn)(bool v4, const struct route *r))
{
	bool v4 = addr_is4(&a->addr), on_loopback = a->dev->features & NETDEV_LOOPBACK;
	unsigned bits = v4 ? 32 : 128;
	const struct ipv6_addr *net = addr_is_any(&a->peer) ? &a->addr : &a->peer;
	struct route r = route_of(a, ROUTE_LOCAL, fib_key(&a->addr), bits);
	int err = fn(v4, &r);

	if (err)
		return err;
	if (a->plen < bits) {
		/* All of 127.0.0.0/8 is this machine. */
		r = route_of(a, v4 && on_loopback ? ROUTE_LOCAL : ROUTE_UNICAST,
			     network_of(net, a->plen, v4), a->plen);
		if (!(a->flags & IFA_F_NOPREFIXROUTE) && (err = fn(v4, &r)))
			return err;
	}
	if (v4 && a->plen < 31 && !on_loopback && !addr_is_any(&a->broadcast)) {
		r = route_of(a, ROUTE_BROADCAST, fib_key(&a->broadcast), 32);
		err = fn(v4, &r);
	}
	return err;
}

static int add_one(bool v4, const struct route *r)
{
	int err = ip_route_add(v4, r);

	return err == -EEXIST ? 0 : err; /* another address of the same network has it */
}

static int remove_one(bool v4, const struct route *r)
{
	(void)!ip_route_remove(v4, r);
	return 0;
}

static bool is_same(const struct ifaddr *a, const struct ifaddr *b)
{
	return a->dev == b->dev && ipv6_eq(&a->addr, &b->addr) && a->plen == b->plen;
}

static int set_routed(struct ifaddr *a, bool on)
{
	int err = 0;

	if (a->routed == on)
		return 0;
	a->routed = on;
	if (on) {
		if ((err = each_route(a, add_one))) {
			(void)each_route(a, remove_one);
			a->routed = false;
		}
		return err;
	}
	(void)each_route(a, remove_one);
	/* What this one shared with others is theirs still. */
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next)
		if (addr_at(n) != a && addr_at(n)->routed && addr_at(n)->dev == a->dev)
			(void)!each_route(addr_at(n), add_one);
	return 0;
}

static void insert(struct ifaddr *a)
{
	struct list *at = ifaddrs.next;

	while (at != &ifaddrs && addr_at(at)->dev->index <= a->dev->index)
		at = at->next;
	a->node.next = at;
	a->node.prev = at->prev;
	at->prev = &a->node;
	__atomic_store_n(&a->node.prev->next, &a->node, __ATOMIC_RELEASE);
}

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct counted_ifaddr, epoch));
}

/* Readers may stand on it: its own links stay. */
static void discard(struct ifaddr *a)
{
	a->node.next->prev = a->node.prev;
	__atomic_store_n(&a->node.prev->next, a->node.next, __ATOMIC_RELEASE);
	epoch_free(&((struct counted_ifaddr *)a)->epoch, free_now);
}

int ifaddr_add(const struct ifaddr *like)
{
	struct counted_ifaddr *c;
	int err;

	if (like->plen > (addr_is4(&like->addr) ? 32 : 128) || addr_is_any(&like->addr) ||
	    addr_is_multicast(&like->addr))
		return -EINVAL;
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next)
		if (is_same(addr_at(n), like))
			return -EEXIST;
	if (!(c = kzalloc(sizeof(*c))))
		return -ENOBUFS;
	c->a = *like;
	c->a.routed = false;
	c->a.created = c->a.updated = clock_mono();
	if (netdev_is_up(like->dev) && (err = set_routed(&c->a, true))) {
		kfree(c);
		return err;
	}
	insert(&c->a);
	fib_changed();
	rtnl_report_addr(&c->a, RTM_NEWADDR);
	return 0;
}

int ifaddr_remove(const struct ifaddr *like)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		struct ifaddr *a = addr_at(n);

		if (!is_same(a, like))
			continue;
		(void)set_routed(a, false);
		rtnl_report_addr(a, RTM_DELADDR);
		discard(a);
		fib_changed();
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* --- choosing a source --- */

static void choose4(struct ip_path *path)
{
	struct addr4_candidate c[CHOICES];
	const struct addr4_candidate *best;
	size_t n = 0;

	for (struct list *l = __atomic_load_n(&ifaddrs.next, __ATOMIC_ACQUIRE);
	     l != &ifaddrs && n < CHOICES; l = __atomic_load_n(&l->next, __ATOMIC_ACQUIRE)) {
		const struct ifaddr *a = addr_at(l);

		if (addr_is4(&a->addr) && netdev_is_up(a->dev))
			c[n++] = (struct addr4_candidate){
				.addr = addr_to4(&a->addr),
				.ifindex = (uint32_t)a->dev->index,
				.plen = a->plen,
				.is_link_scope = a->scope >= RT_SCOPE_LINK,
			};
	}
	best = addr_select4(addr_to4(&path->next_hop), true, (uint32_t)path->dev->index, c, n);
	if (best)
		path->source = addr_from4(best->addr);
}

static void choose6(struct ip_path *path, const struct ipv6_addr *dst)
{
	struct addr_candidate c[CHOICES / 2];
	const struct addr_candidate *best;
	size_t n = 0;

	for (struct list *l = __atomic_load_n(&ifaddrs.next, __ATOMIC_ACQUIRE);
	     l != &ifaddrs && n < ARRAY_SIZE(c); l = __atomic_load_n(&l->next, __ATOMIC_ACQUIRE)) {
		const struct ifaddr *a = addr_at(l);

		if (!addr_is4(&a->addr) && netdev_is_up(a->dev))
			c[n++] = (struct addr_candidate){
				.addr = a->addr,
				.ifindex = (uint32_t)a->dev->index,
				.plen = a->plen,
				.deprecated = a->preferred == 0,
			};
	}
	best = addr_select6(dst, (uint32_t)path->dev->index, c, n, false);
	if (best)
		path->source = best->addr;
}

void ifaddr_choose(struct ip_path *path, const struct ipv6_addr *dst)
{
	epoch_enter();
	if (addr_is4(dst))
		choose4(path);
	else
		choose6(path, dst);
	epoch_exit();
}

/* --- devices that come and go --- */

static void add_loopback(struct netdev *d)
{
	struct ifaddr a = { .dev = d, .plen = 8, .scope = RT_SCOPE_HOST, .flags = IFA_F_PERMANENT };

	a.valid = a.preferred = UINT32_MAX;
	strscpy(a.label, d->name, sizeof(a.label));
	a.addr = addr_from4(0x7f000001);
	a.peer = a.broadcast = addr_from4(0);
	(void)!ifaddr_add(&a);
	a.addr = (struct ipv6_addr){ { [15] = 1 } };
	a.peer = a.broadcast = (struct ipv6_addr){ { 0 } };
	a.plen = 128;
	(void)!ifaddr_add(&a);
}

static void device_up(struct netdev *d)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next)
		if (addr_at(n)->dev == d)
			(void)!set_routed(addr_at(n), true);
	if (d->features & NETDEV_LOOPBACK)
		add_loopback(d);
}

static void device_down(struct netdev *d)
{
	for (struct list *n = ifaddrs.next, *next; n != &ifaddrs; n = next) {
		struct ifaddr *a = addr_at(n);

		next = n->next;
		if (a->dev != d)
			continue;
		a->routed = false;
		if (!addr_is4(&a->addr)) {
			rtnl_report_addr(a, RTM_DELADDR);
			discard(a);
		}
	}
	fib_remove_device(true, d->index, true);
	fib_remove_device(false, d->index, true);
	neighbour_forget(d);
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	if (e == NETDEV_UP)
		device_up(d);
	else if (e == NETDEV_DOWN)
		device_down(d);
	fib_changed();
}

void ifaddr_init(void)
{
	static struct netdev_listener listener = { .event = on_event };

	netdev_listen(&listener);
}
