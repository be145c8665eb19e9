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
#include "net/inet/conf.h"
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
uint64_t ifaddrs_generation;

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
		r.scope = RT_SCOPE_UNIVERSE;
		r.metric = type == ROUTE_LOCAL ? 0 : 256;
	}
	if (type == ROUTE_UNICAST && a->metric)
		r.metric = a->metric;
	return r;
}

typedef int route_fn(bool v4, const struct route *r);

static bool has_subnet(const struct ifaddr *a, const struct ifaddr *of)
{
	struct ipv6_addr x = network_of(&of->peer, of->plen, true),
			 y = network_of(&a->addr, of->plen, true);

	return ipv6_eq(&x, &y);
}

/* The primary address of a secondary one. */
static const struct ifaddr *primary_of(const struct ifaddr *a)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		const struct ifaddr *p = addr_at(n);

		if (p->dev == a->dev && addr_is4(&p->addr) && !(p->flags & IFA_F_SECONDARY) &&
		    p->plen == a->plen && has_subnet(a, p))
			return p;
	}
	return a;
}

static int broadcast_route(const struct ifaddr *a, struct ipv6_addr to, route_fn *fn)
{
	struct route r = route_of(a, ROUTE_BROADCAST, to, 32);

	return fn(true, &r);
}

/* The network and its broadcast addresses, of a primary address. */
static int network_routes4(const struct ifaddr *a, route_fn *fn)
{
	bool on_loopback = a->dev->features & NETDEV_LOOPBACK;
	struct ipv6_addr net = network_of(&a->peer, a->plen, true), all = net;
	struct route r = route_of(a, on_loopback ? ROUTE_LOCAL : ROUTE_UNICAST, net, a->plen);
	int err = 0;

	/* All of 127.0.0.0/8 is this machine. */
	if (!(a->flags & IFA_F_NOPREFIXROUTE) && (a->plen < 32 || !ipv6_eq(&a->addr, &a->peer)))
		err = fn(true, &r);
	be32_put(all.b, be32_get(net.b) | (uint32_t)(UINT32_MAX >> MIN(a->plen, 31)));
	if (!err && !addr_is_any(&a->broadcast) && addr_to4(&a->broadcast) != UINT32_MAX)
		err = broadcast_route(a, fib_key(&a->broadcast), fn);
	if (!err && a->plen < 31 &&
	    (addr_is_any(&a->broadcast) || addr_to4(&a->broadcast) != be32_get(all.b)))
		err = broadcast_route(a, all, fn);
	return err;
}

static int each_route4(const struct ifaddr *a, route_fn *fn)
{
	struct route r = route_of(a, ROUTE_LOCAL, fib_key(&a->addr), 32);
	int err;

	if (a->flags & IFA_F_SECONDARY)
		r.source = fib_key(&primary_of(a)->addr);
	err = fn(true, &r);
	if (err || a->flags & IFA_F_SECONDARY || !netdev_is_up(a->dev))
		return err;
	return network_routes4(a, fn);
}

static int each_route6(const struct ifaddr *a, route_fn *fn)
{
	const struct ipv6_addr *net = addr_is_any(&a->peer) ? &a->addr : &a->peer;
	struct route r = route_of(a, ROUTE_LOCAL, a->addr, 128);
	int err = 0;

	if (!(a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		err = fn(false, &r);
	if (err || a->flags & IFA_F_NOPREFIXROUTE || (a->plen == 128 && net == &a->addr))
		return err;
	r = route_of(a, ROUTE_UNICAST, network_of(net, a->plen, false), a->plen);
	return fn(false, &r);
}

/* Adding and removing go through the same list of routes: fn is ip_route_add or a removal. */
static int each_route(const struct ifaddr *a, route_fn *fn)
{
	return addr_is4(&a->addr) ? each_route4(a, fn) : each_route6(a, fn);
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

static int add_routes(struct ifaddr *a)
{
	int err = each_route(a, add_one);

	a->routed = !err;
	if (err)
		(void)each_route(a, remove_one);
	return err;
}

static void remove_routes(struct ifaddr *a)
{
	if (!a->routed)
		return;
	a->routed = false;
	(void)each_route(a, remove_one);
	/* What this one shared with others is theirs still. */
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next)
		if (addr_at(n) != a && addr_at(n)->routed && addr_at(n)->dev == a->dev)
			(void)!each_route(addr_at(n), add_one);
}

/* --- the list --- */

/* Whether a comes behind b, both of one device. */
static bool comes_behind(const struct ifaddr *a, const struct ifaddr *b)
{
	bool a4 = addr_is4(&a->addr), b4 = addr_is4(&b->addr);

	if (a4 != b4)
		return b4;
	if (a4)
		return (a->flags & IFA_F_SECONDARY) >= (b->flags & IFA_F_SECONDARY);
	return a->scope > b->scope;
}

static void insert(struct ifaddr *a)
{
	struct list *at = ifaddrs.next;

	ifaddrs_generation++;
	while (at != &ifaddrs && (addr_at(at)->dev->index < a->dev->index ||
				  (addr_at(at)->dev == a->dev && comes_behind(a, addr_at(at)))))
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
	ifaddrs_generation++;
	a->node.next->prev = a->node.prev;
	__atomic_store_n(&a->node.prev->next, a->node.next, __ATOMIC_RELEASE);
	epoch_free(&((struct counted_ifaddr *)a)->epoch, free_now);
}

struct ifaddr *ifaddr_find(const struct netdev *d, const struct ipv6_addr *addr, int plen)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		struct ifaddr *a = addr_at(n);

		if (a->dev == d && ipv6_eq(&a->addr, addr) && (plen < 0 || a->plen == plen))
			return a;
	}
	return NULL;
}

bool ifaddr_is_tentative(const struct netdev *d, const struct ipv6_addr *addr)
{
	bool found = false;

	epoch_enter();
	for (struct list *n = __atomic_load_n(&ifaddrs.next, __ATOMIC_ACQUIRE); n != &ifaddrs;
	     n = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE)) {
		const struct ifaddr *a = addr_at(n);

		found |= a->dev == d && a->flags & IFA_F_TENTATIVE && ipv6_eq(&a->addr, addr);
	}
	epoch_exit();
	return found;
}

uint8_t ifaddr_scope6(const struct ipv6_addr *a)
{
	if (ipv6_is_link_local(a))
		return RT_SCOPE_LINK;
	if (ipv6_is_loopback(a))
		return RT_SCOPE_HOST;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE;
}

static int check(const struct ifaddr *like)
{
	bool v4 = addr_is4(&like->addr);

	if (like->plen > (v4 ? 32 : 128) || addr_is_any(&like->addr) ||
	    (!v4 && addr_is_multicast(&like->addr)))
		return -EINVAL;
	/* Of IPv6, an address is there once, whatever its prefix. */
	return ifaddr_find(like->dev, &like->addr, v4 ? like->plen : -1) ? -EEXIST : 0;
}

int ifaddr_add(const struct ifaddr *like)
{
	struct counted_ifaddr *c;
	struct ifaddr *a;
	int err = check(like);

	if (err)
		return err;
	if (!addr_is4(&like->addr) && inet_conf_of(like->dev)->disable6)
		return -EACCES;
	if (!(c = kzalloc(sizeof(*c))))
		return -ENOBUFS;
	a = &c->a;
	*a = *like;
	a->routed = false;
	a->created = a->updated = clock_mono();
	if (addr_is4(&a->addr)) {
		if (addr_is_any(&a->peer))
			a->peer = a->addr;
		a->flags &= ~IFA_F_SECONDARY;
		if (primary_of(a) != a)
			a->flags |= IFA_F_SECONDARY;
	}
	if ((netdev_is_up(a->dev) || addr_is4(&a->addr)) && (err = add_routes(a))) {
		kfree(c);
		return err;
	}
	insert(a);
	if (addr_is4(&a->addr))
		inet_conf_settle(a->dev);
	fib_changed();
	rtnl_report_addr(a, RTM_NEWADDR);
	autoconf_changed(a->dev);
	return 0;
}

static bool has_address4(const struct netdev *d)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next)
		if (addr_at(n)->dev == d && addr_is4(&addr_at(n)->addr))
			return true;
	return false;
}

static void take_away(struct ifaddr *a)
{
	remove_routes(a);
	rtnl_report_addr(a, RTM_DELADDR);
	discard(a);
	fib_changed();
}

/* The first secondary address of p behind `at`; NULL: there are no more. */
static struct ifaddr *next_secondary(const struct ifaddr *p, const struct list *at)
{
	for (struct list *n = at->next; n != &ifaddrs; n = n->next) {
		struct ifaddr *a = addr_at(n);

		if (a->dev == p->dev && addr_is4(&a->addr) && a->flags & IFA_F_SECONDARY &&
		    a->plen == p->plen && has_subnet(a, p))
			return a;
	}
	return NULL;
}

/*
 * net.ipv4.conf.*.promote_secondaries: p, which is gone, leaves its place to the first of its
 * secondary addresses, and the others' routes have that as their source. It is made anew, for it
 * stands elsewhere in the list, and readers may be on the old one. Their routes are gone with p.
 */
static void promote(const struct ifaddr *p)
{
	struct ifaddr *s = next_secondary(p, &ifaddrs), again;

	if (!s)
		return;
	again = *s;
	discard(s);
	if (ifaddr_add(&again))
		return;
	for (s = next_secondary(p, &ifaddrs); s; s = next_secondary(p, &s->node))
		(void)!add_routes(s);
}

/* The secondary addresses of a primary one go with it. */
static void remove_secondaries(const struct ifaddr *p)
{
	for (struct list *n = ifaddrs.next, *next; n != &ifaddrs; n = next) {
		struct ifaddr *a = addr_at(n);

		next = n->next;
		if (a->dev == p->dev && addr_is4(&a->addr) && a->flags & IFA_F_SECONDARY &&
		    a->plen == p->plen && has_subnet(a, p))
			take_away(a);
	}
}

int ifaddr_remove(const struct ifaddr *like)
{
	struct ifaddr *a = ifaddr_find(like->dev, &like->addr, like->plen);
	bool v4 = addr_is4(&like->addr), promotes;
	struct ipv6_addr gone;
	struct ifaddr was, *s;

	if (!a)
		return -EADDRNOTAVAIL;
	gone = fib_key(&a->addr);
	was = *a;
	promotes = v4 && INET_CONF_MAX(like->dev, promote_secondaries) > 0;
	if (v4 && !(a->flags & IFA_F_SECONDARY) && !promotes)
		remove_secondaries(a);
	promotes = promotes && !(a->flags & IFA_F_SECONDARY);
	for (s = promotes ? next_secondary(a, &ifaddrs) : NULL; s; s = next_secondary(a, &s->node))
		remove_routes(s);
	take_away(a);
	fib_remove_source(v4, &gone);
	if (promotes)
		promote(&was);
	if (v4 && !has_address4(like->dev))
		fib_remove_device(true, like->dev->index, true);
	autoconf_changed(like->dev);
	return 0;
}

void ifaddr_change(struct ifaddr *a, uint32_t flags, uint32_t valid, uint32_t preferred,
		   uint32_t metric)
{
	bool routed = a->routed,
	     again = routed && ((a->flags ^ flags) & IFA_F_NOPREFIXROUTE || a->metric != metric),
	     is_checked = routed && a->flags & IFA_F_TENTATIVE && !(flags & IFA_F_TENTATIVE);

	if (again)
		remove_routes(a);
	a->flags = flags;
	a->valid = valid;
	a->preferred = preferred;
	a->metric = metric;
	a->updated = clock_mono();
	if (again || is_checked)
		(void)!add_routes(a);
	fib_changed();
	rtnl_report_addr(a, RTM_NEWADDR);
	autoconf_changed(a->dev);
}

uint32_t ifaddr_left(const struct ifaddr *a, uint32_t lifetime)
{
	uint64_t gone = (uint64_t)(clock_mono() - a->updated) / NSEC_PER_SEC;

	if (lifetime == UINT32_MAX)
		return lifetime;
	return gone >= lifetime ? 0 : lifetime - (uint32_t)gone;
}

/* When a lifetime that began with `updated` is over. */
static nsec_t end_of(const struct ifaddr *a, uint32_t lifetime)
{
	return lifetime == UINT32_MAX ? NSEC_MAX
				      : a->updated + (nsec_t)lifetime * (nsec_t)NSEC_PER_SEC;
}

nsec_t ifaddr_expire(nsec_t now)
{
	nsec_t next = NSEC_MAX;

	for (struct list *n = ifaddrs.next, *following; n != &ifaddrs; n = following) {
		struct ifaddr *a = addr_at(n);

		following = n->next;
		if (end_of(a, a->valid) <= now) {
			(void)!ifaddr_remove(a);
			following = ifaddrs.next; /* others may have gone with it */
			continue;
		}
		if (!(a->flags & IFA_F_DEPRECATED) && end_of(a, a->preferred) <= now) {
			a->flags |= IFA_F_DEPRECATED;
			fib_changed();
			rtnl_report_addr(a, RTM_NEWADDR);
		}
		next = MIN(next, end_of(a, a->flags & IFA_F_DEPRECATED ? a->valid : a->preferred));
	}
	return next;
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
				.secondary = a->flags & IFA_F_SECONDARY,
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

		if (!addr_is4(&a->addr) && netdev_is_up(a->dev) &&
		    !(a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
			c[n++] = (struct addr_candidate){
				.addr = a->addr,
				.ifindex = (uint32_t)a->dev->index,
				.plen = a->plen,
				.deprecated = a->flags & IFA_F_DEPRECATED,
				.home = a->flags & IFA_F_HOMEADDRESS,
				.temporary = a->flags & IFA_F_TEMPORARY,
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
	ifaddr_loopback6(d);
}

void ifaddr_loopback6(struct netdev *d)
{
	struct ifaddr a = { .dev = d,
			    .addr = { { [15] = 1 } },
			    .plen = 128,
			    .scope = RT_SCOPE_HOST,
			    .flags = IFA_F_PERMANENT,
			    .valid = UINT32_MAX,
			    .preferred = UINT32_MAX };

	if (!(d->features & NETDEV_LOOPBACK) || !netdev_is_up(d) || inet_conf_of(d)->disable6)
		return;
	strscpy(a.label, d->name, sizeof(a.label));
	(void)!ifaddr_add(&a);
}

static void device_up(struct netdev *d)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		if (addr_at(n)->dev != d)
			continue;
		autoconf_prepare(addr_at(n)); /* IPv6's that stayed are checked again */
		(void)!add_routes(addr_at(n));
	}
	if (d->features & NETDEV_LOOPBACK)
		add_loopback(d);
}

/* net.ipv6.conf.*.keep_addr_on_down */
static bool stays_when_down(const struct ifaddr *a)
{
	return INET_CONF_MAX(a->dev, keep_addr_on_down) > 0 && a->flags & IFA_F_PERMANENT &&
	       !ipv6_is_link_local(&a->addr) && !(a->dev->features & NETDEV_LOOPBACK);
}

static void drop6(struct netdev *d, bool keep_some)
{
	for (struct list *n = ifaddrs.next, *next; n != &ifaddrs; n = next) {
		struct ifaddr *a = addr_at(n);

		next = n->next;
		if (a->dev != d || addr_is4(&a->addr))
			continue;
		if (keep_some && stays_when_down(a)) {
			a->routed = false;
			continue;
		}
		rtnl_report_addr(a, RTM_DELADDR);
		discard(a);
	}
	fib_remove_device(false, d->index, true);
}

void ifaddr_drop6(struct netdev *d)
{
	drop6(d, false);
	neighbour_forget(d, 2);
	fib_changed();
}

/* IPv4 addresses stay, and stay ours. */
static void device_down(struct netdev *d)
{
	drop6(d, true);
	fib_remove_device(true, d->index, false);
	neighbour_forget(d, 3);
}

static void device_gone(struct netdev *d)
{
	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next) {
		struct ifaddr a = *addr_at(n);

		if (a.dev != d)
			continue;
		(void)!ifaddr_remove(&a);
		n = &ifaddrs; /* others may have gone with it */
	}
	neighbour_forget(d, 3);
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	if (e == NETDEV_UP)
		device_up(d);
	else if (e == NETDEV_DOWN)
		device_down(d);
	else if (e == NETDEV_UNREGISTERED)
		device_gone(d);
	fib_changed();
}

void ifaddr_init(void)
{
	static struct netdev_listener listener = { .event = on_event };

	netdev_listen(&listener);
}
