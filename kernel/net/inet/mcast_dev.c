/*
 * The groups that devices are in, and the messages about them. One list, one timer: its work
 * sends what is due and asks for the next time. A query sets the times of the groups it is about.
 *
 * Source: RFC 2236, 3376, 2710, 3810; net/ip/mcast.h has the rules.
 */

#include "abi/errno.h"
#include "core/clock.h"
#include "core/random.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/ip/mcast.h"
#include "net/netif.h"
#include "net/parse.h"
#include "pmm/slab.h"
#include "sched/timer.h"
#include "sched/work.h"

enum { IGMP_TYPE_MAX_LEN = 64, ALERT4 = 4, ALERT6 = 8, MANY = 64 };

struct dev_group {
	struct list node;
	struct netdev *dev; /* borrowed: devices are never destroyed */
	uint32_t users;
	struct mcast_group g;
};

static struct spinlock lock = SPINLOCK(MCAST);
static struct list groups = LIST_INIT(groups); /* lock */
static struct mcast_if versions[2];            /* by family, of all devices; lock */
static struct timer timer;
static struct work work;

/* A message to be sent once the lock is free. */
struct message {
	struct netdev *dev;
	struct ipv6_addr dst;
	size_t len;
	uint8_t bytes[MCAST_PACKET_MAX];
};

static bool is4(const struct dev_group *n)
{
	return addr_is4(&n->g.addr);
}

static struct dev_group *find_locked(int ifindex, const struct ipv6_addr *group)
{
	struct dev_group *n;

	list_for_each (n, &groups, node)
		if (n->dev->index == ifindex && ipv6_eq(&n->g.addr, group))
			return n;
	return NULL;
}

/* --- messages out --- */

/* RFC 2113: routers are to look at it although it is not for them. */
static void push_header4(struct pkt *p, const struct message *m, const struct ipv6_addr *src)
{
	uint32_t len = IPV4_HEADER + ALERT4;
	uint8_t *h = pkt_push(p, len);

	memset(h, 0, len);
	h[0] = 0x46;
	h[1] = 0xc0; /* internetwork control */
	be16_put(h + 2, (uint16_t)p->len);
	be16_put(h + 6, IPV4_DF);
	h[8] = 1;
	h[9] = IPPROTO_IGMP_;
	be32_put(h + 12, addr_to4(src));
	be32_put(h + 16, addr_to4(&m->dst));
	h[20] = 0x94;
	h[21] = ALERT4;
	csum_put(h + 10, csum_finish(csum_add(0, h, len)));
}

/* RFC 2711. */
static void push_header6(struct pkt *p, const struct message *m, const struct ipv6_addr *src)
{
	static const uint8_t alert[ALERT6] = { IPPROTO_ICMPV6_, 0, 5, 2, 0, 0, 1, 0 };
	struct ipv6_header h = { .src = *src, .dst = m->dst, .hops = 1, .proto = IPPROTO_HOPOPTS_ };

	csum_put(p->data + 2, 0);
	csum_put(p->data + 2,
		 csum_finish(ip_sum(p, csum_pseudo6(src, &m->dst, IPPROTO_ICMPV6_, p->len))));
	memcpy(pkt_push(p, ALERT6), alert, ALERT6);
	h.total = p->len + (uint32_t)IPV6_HEADER;
	ipv6_build(pkt_push(p, IPV6_HEADER), &h);
}

static void send(const struct message *m)
{
	bool v4 = addr_is4(&m->dst);
	struct ip_path path;
	struct pkt *p;

	if (!m->len || m->dev->features & NETDEV_LOOPBACK ||
	    ip_route(&m->dst, NULL, m->dev->index, &path) || !(p = pkt_alloc()))
		return;
	memcpy(pkt_push(p, (uint32_t)m->len), m->bytes, m->len);
	if (v4)
		push_header4(p, m, &path.source);
	else
		push_header6(p, m, &path.source);
	pkt_set_network(p);
	(void)neighbour_output(p, &path, v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
}

static void build_locked(struct dev_group *n, enum mcast_report kind, nsec_t now, struct message *m)
{
	m->dev = n->dev;
	m->len = mcast_build(&versions[!is4(n)], &n->g, kind, now, m->bytes, &m->dst);
}

/* Everything that is due, a few at a time. */
static void run_timers(struct work *w)
{
	nsec_t now = clock_mono(), next;
	struct message *m = kmalloc(MANY * sizeof(*m));
	enum mcast_report kind;
	struct dev_group *n;
	unsigned count = 0;

	(void)w;
	if (!m) {
		timer_arm(&timer, now + NSEC_PER_SEC);
		return;
	}
	next = NSEC_MAX;
	spin_lock(&lock);
	list_for_each (n, &groups, node) {
		if (count < MANY &&
		    mcast_report_due(&versions[!is4(n)], &n->g, (uint32_t)random_u64(), now, &kind))
			build_locked(n, kind, now, &m[count++]);
		next = MIN(next, n->g.report_at);
	}
	spin_unlock(&lock);
	for (unsigned i = 0; i < count; i++)
		send(&m[i]);
	kfree(m);
	net_run_deferred();
	if (next != NSEC_MAX)
		timer_arm(&timer, next);
}

static void on_timer(struct timer *t)
{
	(void)t;
	work_queue(&work);
}

/* --- joining --- */

int mcast_dev_join(struct netdev *d, const struct ipv6_addr *group)
{
	struct dev_group *n = kzalloc(sizeof(*n)), *old;

	if (!n)
		return -ENOMEM;
	n->dev = d;
	n->users = 1;
	spin_lock(&lock);
	if ((old = find_locked(d->index, group))) {
		old->users++;
	} else {
		mcast_join(&n->g, group, clock_mono());
		list_add_tail(&groups, &n->node);
	}
	spin_unlock(&lock);
	if (old)
		kfree(n);
	else
		work_queue(&work);
	return 0;
}

void mcast_dev_leave(int ifindex, const struct ipv6_addr *group)
{
	struct message m = { .len = 0 };
	struct dev_group *n;
	nsec_t now = clock_mono();
	bool last = false;

	spin_lock(&lock);
	if ((n = find_locked(ifindex, group)) && --n->users == 0) {
		last = true;
		list_remove(&n->node);
		if (mcast_leave(&versions[!is4(n)], &n->g, now))
			build_locked(n, MCAST_LEAVE, now, &m);
	}
	spin_unlock(&lock);
	if (!last)
		return;
	send(&m);
	net_run_deferred();
	kfree(n);
}

bool mcast_dev_has(int ifindex, const struct ipv6_addr *group)
{
	bool has;

	if (!mcast_is_reported(group)) /* every host is in those */
		return true;
	if (!addr_is4(group) && group->b[1] == 2 && group->b[11] == 1 && group->b[12] == 0xff)
		return true; /* solicited nodes */
	spin_lock(&lock);
	has = find_locked(ifindex, group) != NULL;
	spin_unlock(&lock);
	return has;
}

/* --- messages in --- */

static void queried(const struct netdev *d, bool v6, const uint8_t *p, size_t len)
{
	nsec_t now = clock_mono();
	struct mcast_query q;
	struct dev_group *n;

	spin_lock(&lock);
	if (!mcast_query_parse(&versions[v6], p, len, now, &q))
		list_for_each (n, &groups, node)
			if (n->dev == d && is4(n) != v6)
				mcast_queried(&n->g, &q, (uint32_t)random_u64(), now);
	spin_unlock(&lock);
	work_queue(&work);
}

static void heard(const struct netdev *d, bool v6, const struct ipv6_addr *group)
{
	struct dev_group *n;

	spin_lock(&lock);
	if ((n = find_locked(d->index, group)))
		mcast_heard(&versions[v6], &n->g, clock_mono());
	spin_unlock(&lock);
}

void mcast_mld_input(const struct pkt *p)
{
	struct ipv6_addr group;

	if (p->data[0] == MLD_QUERY) {
		queried(p->dev, true, p->data, p->linear);
	} else if (p->data[0] == MLD_REPORT_V1 && p->linear >= 24) {
		memcpy(&group, p->data + 8, sizeof(group));
		heard(p->dev, true, &group);
	}
}

static void igmp_input(struct pkt *p)
{
	enum { QUERY = 0x11, REPORT_V1 = 0x12, REPORT_V2 = 0x16, LEN = 8 };
	struct ipv6_addr group;

	if (!pkt_need(p, MIN(p->len, (uint32_t)IGMP_TYPE_MAX_LEN)) || p->linear < LEN ||
	    csum_finish(ip_sum(p, 0)))
		goto out;
	group = addr_from4(be32_get(p->data + 4));
	if (p->data[0] == QUERY)
		queried(p->dev, false, p->data, p->linear);
	else if (p->data[0] == REPORT_V1 || p->data[0] == REPORT_V2)
		heard(p->dev, false, &group);
out:
	pkt_free(p);
}

bool mcast_nth(const struct netdev *d, bool v6, uint64_t n, struct mcast_shown *out)
{
	const struct dev_group *g = NULL;
	struct list *l;
	bool old; /* version 3 has no reporter that spares others theirs */

	spin_lock(&lock);
	old = mcast_version(&versions[v6], clock_mono()) < 3;
	for (l = groups.prev; l != &groups; l = l->prev) {
		g = list_entry(l, struct dev_group, node);
		if (g->dev == d && is4(g) != v6 && n-- == 0)
			break;
	}
	if (l != &groups)
		*out = (struct mcast_shown){ .group = g->g.addr,
					     .users = g->users,
					     .reporter = g->g.last_reporter && old,
					     .is_reported = mcast_is_reported(&g->g.addr),
					     .report_at = g->g.report_at };
	spin_unlock(&lock);
	return l != &groups;
}

unsigned mcast_version_spoken(bool v6)
{
	unsigned v;

	spin_lock(&lock);
	v = mcast_version(&versions[v6], clock_mono());
	spin_unlock(&lock);
	return v;
}

/* Its groups go with it; sockets that leave them later find nothing. */
static void on_event(struct netdev *d, enum netdev_event e)
{
	struct list gone = LIST_INIT(gone);
	struct dev_group *n, *next;

	if (e != NETDEV_UNREGISTERED)
		return;
	spin_lock(&lock);
	list_for_each_safe (n, next, &groups, node)
		if (n->dev == d) {
			list_remove(&n->node);
			list_add_tail(&gone, &n->node);
		}
	spin_unlock(&lock);
	list_for_each_safe (n, next, &gone, node)
		kfree(n);
}

void mcast_init(void)
{
	static struct netdev_listener listener = { .event = on_event };
	static struct ip_protocol igmp = { .proto = IPPROTO_IGMP_, .input = igmp_input };

	versions[1].v6 = true;
	timer_init(&timer, on_timer);
	work_init(&work, run_timers);
	ip_protocol_register(&igmp);
	netdev_listen(&listener);
}
