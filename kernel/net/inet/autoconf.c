/*
 * What happens to addresses and routes by itself: lifetimes that end, duplicate address detection,
 * link-local addresses, and what router advertisements say (net/ip/slaac.h).
 *
 * All of it is done by one work under net_config_lock, woken by a timer or by news: packets of
 * neighbour discovery are noted where they arrive, since the lock may not be taken there.
 *
 * Source: RFC 4861, 4862, 8106; ip-sysctl's description of net.ipv6.conf.
 */

#include "net/inet/conf.h"

#include "abi/errno.h"
#include "abi/if.h"
#include "abi/rtnetlink.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/rtnl.h"
#include "net/ip/slaac.h"
#include "net/netif.h"
#include "net/parse.h"
#include "pmm/slab.h"
#include "sched/timer.h"
#include "sched/work.h"

enum {
	NOTES_MAX = 16,
	IPV6_METRIC = 1024,
	PREFIX_METRIC = 256,
	NDP_HOPS = 255,
	ROUTERS_GROUPS = 3
};

/* A device that has IPv6. Never freed, as devices are not. */
struct auto_dev {
	struct auto_dev *next;
	struct netdev *dev;
	struct inet_conf conf;
	struct slaac slaac;
	bool is_in[ROUTERS_GROUPS];
};

struct conflict {
	struct netdev *dev;
	struct ipv6_addr addr;
};

static struct auto_dev *devices;                       /* net_config_lock to change */
static struct spinlock notes_lock = SPINLOCK(NETTAPS); /* the next three */
static struct list adverts = LIST_INIT(adverts);
static struct conflict conflicts[NOTES_MAX];
static unsigned nconflicts, nadverts;
static struct timer timer;
static struct work work;

static struct auto_dev *find(const struct netdev *d)
{
	struct inet_conf *c =
		__atomic_load_n((struct inet_conf *const *)&d->inet, __ATOMIC_ACQUIRE);

	return c ? container_of(c, struct auto_dev, conf) : NULL;
}

/* --- applying what the machine says --- */

static uint32_t seconds_until(nsec_t t, nsec_t now)
{
	if (t == NSEC_MAX)
		return UINT32_MAX;
	return t <= now ? 0
			: (uint32_t)((t - now + (nsec_t)NSEC_PER_SEC - 1) / (nsec_t)NSEC_PER_SEC);
}

static const struct slaac_addr *machine_addr(const struct slaac *s, const struct ipv6_addr *a)
{
	for (unsigned i = 0; i < SLAAC_ADDRS; i++)
		if (s->addr[i].used && ipv6_eq(&s->addr[i].addr, a))
			return &s->addr[i];
	return NULL;
}

static uint32_t flags_of(const struct slaac_addr *m)
{
	uint32_t f = ipv6_is_link_local(&m->addr) ? IFA_F_PERMANENT : IFA_F_MANAGETEMPADDR;

	if (m->state == SLAAC_TENTATIVE)
		f |= IFA_F_TENTATIVE;
	if (m->state == SLAAC_DUPLICATE)
		f |= IFA_F_TENTATIVE | IFA_F_DADFAILED;
	if (m->state == SLAAC_DEPRECATED)
		f |= IFA_F_DEPRECATED;
	return f;
}

static void set_addr(struct auto_dev *d, const struct slaac_addr *m, nsec_t now)
{
	struct ifaddr a = { .dev = d->dev, .addr = m->addr, .plen = m->plen, .flags = flags_of(m) };
	struct ifaddr *old = ifaddr_find(d->dev, &m->addr, -1);

	a.scope = ifaddr_scope6(&m->addr);
	a.valid = seconds_until(m->valid_until, now);
	a.preferred = seconds_until(m->preferred_until, now);
	if (m->state == SLAAC_DUPLICATE)
		log_warn("%s: IPv6 duplicate address detected", d->dev->name);
	if (old)
		ifaddr_change(old, a.flags, a.valid, a.preferred, old->metric);
	else if (ifaddr_add(&a))
		log_warn("%s: no memory for an address", d->dev->name);
}

static void remove_addr(struct auto_dev *d, const struct slaac_step *s)
{
	struct ifaddr a = { .dev = d->dev, .addr = s->addr, .plen = s->plen };

	(void)!ifaddr_remove(&a);
}

/* An advertisement prolongs what there is: nobody is told. */
static void refresh_addrs(struct auto_dev *d, nsec_t now)
{
	for (unsigned i = 0; i < SLAAC_ADDRS; i++) {
		const struct slaac_addr *m = &d->slaac.addr[i];
		struct ifaddr *a = m->used ? ifaddr_find(d->dev, &m->addr, -1) : NULL;

		if (!a || a->flags & IFA_F_PERMANENT)
			continue;
		a->valid = seconds_until(m->valid_until, now);
		a->preferred = seconds_until(m->preferred_until, now);
		a->updated = now;
	}
}

static void describe(struct fib_config *c, const struct auto_dev *d, const struct slaac_step *s,
		     bool is_prefix)
{
	memset(c, 0, sizeof(*c));
	c->f.table = RT_TABLE_MAIN;
	c->f.nhops = 1;
	c->f.r.metric = is_prefix ? PREFIX_METRIC : IPV6_METRIC;
	c->f.r.protocol = is_prefix ? RTPROT_KERNEL : RTPROT_RA;
	c->hop[0] = (struct fib_hop){ .ifindex = (uint32_t)d->dev->index, .weight = 1 };
	if (is_prefix) {
		c->f.r.prefix = s->addr;
		c->f.r.plen = s->plen;
	} else {
		c->hop[0].gateway = s->addr;
		c->hop[0].has_gateway = true;
		c->f.pref = s->preference > 0 ? 1 : s->preference < 0 ? 3 : 0;
		c->f.metrics[RTAX_HOPLIMIT] = d->slaac.hop_limit;
	}
}

static void change_route(struct auto_dev *d, const struct slaac_step *s, bool is_prefix, bool on,
			 nsec_t until)
{
	struct fib_config *c = kmalloc(sizeof(*c));
	const char *why = NULL;

	if (!c)
		return;
	describe(c, d, s, is_prefix);
	c->f.expires = until == NSEC_MAX ? 0 : until;
	if (!on)
		(void)!fib_remove(false, c);
	else if (!fib_refresh(false, c) && fib_add(false, c, NLM_F_CREATE, &why))
		log_warn("%s: a route of a router advertisement is lost", d->dev->name);
	kfree(c);
}

static nsec_t end_of_prefix(const struct slaac *s, const struct slaac_step *step)
{
	for (unsigned i = 0; i < SLAAC_PREFIXES; i++)
		if (s->prefix[i].used && s->prefix[i].plen == step->plen &&
		    ipv6_eq(&s->prefix[i].prefix, &step->addr))
			return s->prefix[i].until;
	return NSEC_MAX;
}

static nsec_t end_of_router(const struct slaac *s, const struct slaac_step *step)
{
	for (unsigned i = 0; i < SLAAC_ROUTERS; i++)
		if (s->router[i].used && ipv6_eq(&s->router[i].addr, &step->addr))
			return s->router[i].until;
	return NSEC_MAX;
}

static void refresh_routes(struct auto_dev *d)
{
	struct slaac *s = &d->slaac;

	for (unsigned i = 0; i < SLAAC_PREFIXES; i++)
		if (s->prefix[i].used && s->prefix[i].announced) {
			struct slaac_step p = { .plen = s->prefix[i].plen,
						.addr = s->prefix[i].prefix };

			change_route(d, &p, true, true, s->prefix[i].until);
		}
	for (unsigned i = 0; i < SLAAC_ROUTERS; i++)
		if (s->router[i].used && s->router[i].announced) {
			struct slaac_step r = { .preference = s->router[i].preference,
						.addr = s->router[i].addr };

			change_route(d, &r, false, true, s->router[i].until);
		}
}

static void send_solicitation(struct auto_dev *d, const struct ipv6_addr *from)
{
	struct ipv6_addr routers = { { 0xff, 2, [15] = 2 } };
	uint8_t m[16] = { NDP_ROUTER_SOLICIT };
	uint32_t n = 8;

	if (!ipv6_is_unspecified(from)) {
		m[8] = NDP_OPT_SOURCE_LL;
		m[9] = 1;
		memcpy(m + 10, d->dev->addr, ETH_ALEN);
		n = 16;
	}
	icmp6_send_from(d->dev, m, n, from, &routers);
}

static void send_probe(struct netdev *d, const struct ipv6_addr *addr)
{
	struct ipv6_addr none = { { 0 } }, to = ipv6_solicited_node(addr);
	struct ndp_neighbour n = { .target = *addr };
	uint8_t m[32];

	icmp6_send_from(d, m, (uint32_t)ndp_neighbour_build(m, NDP_NEIGHBOUR_SOLICIT, &n), &none,
			&to);
}

static bool accepts(const struct auto_dev *d)
{
	return d->conf.accept_ra == 2 || (d->conf.accept_ra == 1 && !d->conf.forwarding6);
}

static void apply(struct auto_dev *d, const struct slaac_step *s, nsec_t now)
{
	const struct slaac_addr *m = machine_addr(&d->slaac, &s->addr);

	switch (s->action) {
	case SLAAC_SEND_RS:
		if (accepts(d))
			send_solicitation(d, &s->addr);
		break;
	case SLAAC_SEND_DAD:
		send_probe(d->dev, &s->addr);
		break;
	case SLAAC_ADDR_SET:
		if (m)
			set_addr(d, m, now);
		break;
	case SLAAC_ADDR_GONE:
		remove_addr(d, s);
		break;
	case SLAAC_PREFIX_SET:
	case SLAAC_PREFIX_GONE:
		change_route(d, s, true, s->action == SLAAC_PREFIX_SET,
			     end_of_prefix(&d->slaac, s));
		break;
	case SLAAC_ROUTER_SET:
	case SLAAC_ROUTER_GONE:
		change_route(d, s, false, s->action == SLAAC_ROUTER_SET,
			     end_of_router(&d->slaac, s));
		break;
	}
}

/* --- news --- */

void autoconf_advert(const struct pkt *p)
{
	struct pkt *c = pkt_clone(p);

	if (!c)
		return;
	memcpy(c->cb, p->cb, PKT_CB);
	c->dev = p->dev;
	spin_lock(&notes_lock);
	if (nadverts < NOTES_MAX) {
		nadverts++;
		list_add_tail(&adverts, &c->node);
		c = NULL;
	}
	spin_unlock(&notes_lock);
	pkt_free(c);
	work_queue(&work);
}

bool autoconf_heard(struct netdev *d, const struct ipv6_addr *addr)
{
	bool tentative = ifaddr_is_tentative(d, addr);

	if (!tentative)
		return false;
	spin_lock(&notes_lock);
	if (nconflicts < NOTES_MAX)
		conflicts[nconflicts++] = (struct conflict){ d, *addr };
	spin_unlock(&notes_lock);
	work_queue(&work);
	return true;
}

/* What the router said of the link itself: paths follow. */
static void note_link(struct auto_dev *d)
{
	struct inet_conf *c = &d->conf;
	int mtu = d->slaac.mtu <= d->dev->mtu ? (int)d->slaac.mtu : 0, hops = d->slaac.hop_limit;

	if (hops < c->accept_ra_min_hop_limit)
		hops = 0;
	if ((!hops || c->hop_limit == hops) && (!mtu || c->mtu6 == mtu))
		return;
	if (hops)
		c->hop_limit = hops;
	if (mtu)
		c->mtu6 = mtu;
	fib_changed();
}

static uint8_t not_heeded(const struct inet_conf *c)
{
	return (uint8_t)((c->accept_ra_defrtr ? 0 : SLAAC_NO_ROUTERS) |
			 (c->accept_ra_pinfo ? 0 : SLAAC_NO_PREFIXES) |
			 (c->autoconf ? 0 : SLAAC_NO_ADDRS) |
			 (c->accept_ra_mtu ? 0 : SLAAC_NO_MTU));
}

static void take_advert(struct pkt *p, nsec_t now)
{
	struct auto_dev *d = find(p->dev);
	const struct ip_info *i = ip_info(p);

	if (!d || !d->slaac.up || !accepts(d) || !pkt_need(p, MIN(p->len, (uint32_t)PKT_ROOM)))
		return;
	if (!d->conf.accept_ra_from_local && ip_address_type(&i->src, p->dev) == ROUTE_LOCAL)
		return;
	d->slaac.ignore = not_heeded(&d->conf);
	if (slaac_advert(&d->slaac, p->data, p->linear, &i->src, i->ttl, now))
		return;
	note_link(d);
	refresh_addrs(d, now);
	refresh_routes(d);
	rtnl_report_ndp_options(p->dev, p->data, p->linear, &i->src);
}

static void take_conflict(const struct conflict *c)
{
	struct auto_dev *d = find(c->dev);
	struct ifaddr *a = ifaddr_find(c->dev, &c->addr, -1);

	if (d)
		slaac_duplicate(&d->slaac, &c->addr);
	if (a && a->dad_at) {
		log_warn("%s: IPv6 duplicate address detected", c->dev->name);
		a->dad_at = 0;
		ifaddr_change(a, a->flags | IFA_F_DADFAILED, a->valid, a->preferred, a->metric);
	}
}

static void take_notes(nsec_t now)
{
	struct list mine = LIST_INIT(mine);
	struct conflict c[NOTES_MAX];
	struct pkt *p, *next;
	unsigned n;

	spin_lock(&notes_lock);
	list_splice_tail(&mine, &adverts);
	nadverts = 0;
	n = nconflicts;
	memcpy(c, conflicts, n * sizeof(c[0]));
	nconflicts = 0;
	spin_unlock(&notes_lock);
	for (unsigned i = 0; i < n; i++)
		take_conflict(&c[i]);
	list_for_each_safe (p, next, &mine, node) {
		list_remove(&p->node);
		take_advert(p, now);
		pkt_free(p);
	}
}

/* --- duplicate address detection of addresses that were given --- */

void autoconf_prepare(struct ifaddr *a)
{
	const struct inet_conf *c = inet_conf_of(a->dev);

	if (addr_is4(&a->addr) || a->flags & IFA_F_NODAD || c->dad_transmits < 1 ||
	    (c->accept_dad < 1 && inet_conf_all.accept_dad < 1) || !netdev_has_arp(a->dev))
		return;
	a->flags |= IFA_F_TENTATIVE;
	a->dad_probes = (uint8_t)MIN(c->dad_transmits, 255);
	a->dad_at = clock_mono() + (nsec_t)(random_u64() % NSEC_PER_SEC);
}

static nsec_t check_one(struct ifaddr *a, nsec_t now)
{
	if (!a->dad_at || !netdev_is_up(a->dev))
		return NSEC_MAX;
	if (a->dad_at > now)
		return a->dad_at;
	if (a->dad_probes) {
		a->dad_probes--;
		a->dad_at = now + (nsec_t)NSEC_PER_SEC;
		send_probe(a->dev, &a->addr);
		return a->dad_at;
	}
	a->dad_at = 0;
	ifaddr_change(a, a->flags & ~IFA_F_TENTATIVE, ifaddr_left(a, a->valid),
		      ifaddr_left(a, a->preferred), a->metric);
	return NSEC_MAX;
}

static nsec_t check_addresses(nsec_t now)
{
	nsec_t next = NSEC_MAX;

	for (struct list *n = ifaddrs.next; n != &ifaddrs; n = n->next)
		next = MIN(next, check_one(list_entry(n, struct ifaddr, node), now));
	return next;
}

/* --- the work --- */

static nsec_t drive(struct auto_dev *d, nsec_t now)
{
	struct slaac_step s;

	while (slaac_next(&d->slaac, now, &s))
		apply(d, &s, now);
	return slaac_deadline(&d->slaac);
}

static void run(struct work *w)
{
	nsec_t now = clock_mono(), next;

	(void)w;
	mutex_lock(&net_config_lock);
	take_notes(now);
	next = check_addresses(now);
	for (struct auto_dev *d = devices; d; d = d->next)
		next = MIN(next, drive(d, now));
	next = MIN(next, ifaddr_expire(now));
	next = MIN(next, fib_expire(now));
	timer_arm(&timer, next);
	mutex_unlock(&net_config_lock);
	net_run_deferred();
}

static void on_timer(struct timer *t)
{
	(void)t;
	work_queue(&work);
}

void autoconf_changed(struct netdev *d)
{
	(void)d;
	work_queue(&work);
}

void autoconf_routes_changed(nsec_t expires)
{
	if (expires)
		work_queue(&work);
}

/* --- devices --- */

static void add_multicast_route(struct netdev *d, bool on)
{
	struct route r = { .prefix = { { 0xff } },
			   .plen = 8,
			   .type = ROUTE_MULTICAST,
			   .protocol = RTPROT_KERNEL,
			   .metric = PREFIX_METRIC,
			   .ifindex = (uint32_t)d->index };

	if (on)
		(void)!ip_route_add(false, &r);
	else
		(void)!ip_route_remove(false, &r);
}

static void start(struct auto_dev *d)
{
	if (d->slaac.up || d->conf.disable6 || !netdev_is_up(d->dev) ||
	    !atomic_load(&d->dev->carrier) || d->dev->features & NETDEV_LOOPBACK)
		return;
	add_multicast_route(d->dev, true);
	slaac_start(&d->slaac, d->dev->addr, clock_mono());
	work_queue(&work);
}

static void stop(struct auto_dev *d)
{
	d->slaac.up = false; /* its addresses and routes go with the device */
}

/* RFC 4291 2.8: a router is in these groups. */
static void follow_routers_groups(struct auto_dev *a)
{
	static const struct ipv6_addr groups[ROUTERS_GROUPS] = { { { 0xff, 1, [15] = 2 } },
								 { { 0xff, 2, [15] = 2 } },
								 { { 0xff, 5, [15] = 2 } } };
	bool on = a->conf.forwarding6 > 0 && !a->conf.disable6;

	for (unsigned i = 0; i < ROUTERS_GROUPS; i++) {
		if (on && !a->is_in[i])
			a->is_in[i] = !mcast_dev_join(a->dev, &groups[i]);
		if (!on && a->is_in[i])
			mcast_dev_leave(a->dev->index, &groups[i]);
		a->is_in[i] &= on;
	}
}

void autoconf_disable(struct netdev *d, bool off)
{
	struct auto_dev *a = find(d);

	if (!a)
		return;
	follow_routers_groups(a);
	if (off) {
		stop(a);
		ifaddr_drop6(d);
		return;
	}
	ifaddr_loopback6(d);
	start(a);
}

/* A router asks no other where to send to: RFC 4861 6.2.7. */
void autoconf_forwards(struct netdev *d)
{
	struct auto_dev *a = find(d);

	if (!a)
		return;
	follow_routers_groups(a);
	if (accepts(a))
		return;
	for (unsigned i = 0; i < SLAAC_ROUTERS; i++)
		a->slaac.router[i].used = false;
	work_queue(&work);
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	struct auto_dev *a = find(d);

	if (!a) {
		if (!(a = kzalloc(sizeof(*a))))
			return;
		a->dev = d;
		inet_conf_begin(&a->conf, d);
		a->next = devices;
		devices = a;
		__atomic_store_n(&d->inet, (void *)&a->conf, __ATOMIC_RELEASE);
	}
	if (e == NETDEV_REGISTERED) { /* perhaps again */
		inet_conf_begin(&a->conf, d);
		memset(a->is_in, 0, sizeof(a->is_in));
		follow_routers_groups(a);
	}
	if (e == NETDEV_DOWN || e == NETDEV_GOING_DOWN)
		stop(a);
	else if (e == NETDEV_UP || e == NETDEV_CARRIER)
		start(a);
}

void autoconf_init(void)
{
	static struct netdev_listener listener = { .event = on_event };

	timer_init(&timer, on_timer);
	work_init(&work, run);
	netdev_listen(&listener);
}
