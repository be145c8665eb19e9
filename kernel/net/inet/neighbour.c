/*
 * Neighbours: who has which link-layer address. A hash table of entries, each with its machine
 * (net/ip/neigh.h) and the packets that wait for it, found under an epoch. ARP is spoken in arp.c;
 * IPv6 solicitations are ICMPv6's.
 *
 * Timers: one for the whole table, armed for the earliest deadline; its work looks at all entries.
 */

#include "abi/errno.h"
#include "abi/netlink.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "net/inet/conf.h"
#include "net/inet/inet_priv.h"
#include "net/inet/neighbour.h"
#include "net/inet/rtnl.h"
#include "net/netif.h"
#include "net/parse.h"
#include "net/trace.h"
#include "pmm/slab.h"
#include "sched/timer.h"
#include "sched/work.h"

/* How many entries are looked at to make room for one; and how
 * late a timer may be, so that as many deadlines do not cost as many walks. */
enum { BUCKETS = 256, VICTIMS = 16 };
#define TIMER_SLACK (10 * NSEC_PER_MSEC)

struct neighbour {
	struct neighbour *next; /* table_lock to change; read under an epoch */
	struct netdev *dev;     /* immutable, as addr */
	struct ipv6_addr addr;
	struct list in_ring;  /* table_lock */
	struct spinlock lock; /* NEIGH: all below */
	struct neigh m;
	struct list queue;
	bool gone;
	uint8_t told; /* the state that was reported last */
	nsec_t updated;
	struct epoch_head epoch;
};

static struct neighbour *table[BUCKETS];
/* By family: all entries, those that were not looked at for the longest time first. An ND flood
 * does not take the places of IPv4's. */
static struct family {
	struct list ring;   /* table_lock */
	_Atomic unsigned n; /* table_lock to change */
} families[2] = { { .ring = LIST_INIT(families[0].ring) },
		  { .ring = LIST_INIT(families[1].ring) } };
int neighbour_thresholds[2][3] = { { 128, 512, 1024 }, { 128, 512, 1024 } };
static struct spinlock table_lock = SPINLOCK(NEIGHS);
static PERCPU(struct neighbour_counts, counts[2]); /* by family */
static struct timer table_timer;
static struct work table_work, report_work;
static _Atomic bool reports_due;
static _Atomic nsec_t armed_for = NSEC_MAX;

static struct family *family_of(const struct ipv6_addr *a)
{
	return &families[!addr_is4(a)];
}

#define COUNT(addr, what) this_cpu(counts)[!addr_is4(addr)].what++

static struct neighbour **bucket(const struct netdev *d, const struct ipv6_addr *a)
{
	uint64_t h[2];

	memcpy(h, a->b, sizeof(h));
	return &table[hash_u64(h[0] ^ h[1] * 31 ^ (uint64_t)(unsigned)d->index << 32) % BUCKETS];
}

/* Under an epoch. */
static struct neighbour *find(const struct netdev *d, const struct ipv6_addr *a)
{
	struct neighbour *n = __atomic_load_n(bucket(d, a), __ATOMIC_ACQUIRE);

	while (n && (n->dev != d || !ipv6_eq(&n->addr, a)))
		n = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE);
	return n;
}

/* The same for packets and requests: it is counted. */
static struct neighbour *look_up(const struct netdev *d, const struct ipv6_addr *a)
{
	struct neighbour *n = find(d, a);

	COUNT(a, lookups);
	if (n)
		COUNT(a, hits);
	return n;
}

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct neighbour, epoch));
}

/* Out of the table. table_lock. */
static void unlink_locked(struct neighbour *n)
{
	struct neighbour **at = bucket(n->dev, &n->addr);

	while (*at != n)
		at = &(*at)->next;
	__atomic_store_n(at, n->next, __ATOMIC_RELEASE);
	list_remove(&n->in_ring);
	family_of(&n->addr)->n--;
	COUNT(&n->addr, destroys);
	epoch_free(&n->epoch, free_now);
}

static bool may_go(const struct neighbour *n)
{
	return list_is_empty(&n->queue) && (n->m.state == NEIGH_STALE ||
					    n->m.state == NEIGH_FAILED || n->m.state == NEIGH_NONE);
}

/*
 * Throws out an entry: of the next few in the ring that one which is not in use for the longest
 * time. The others go behind, so each flood of addresses comes to all entries in turn, and each of
 * its packets costs the same few steps. Nothing may go: the next one looks further. table_lock.
 */
static void make_room_locked(struct family *f)
{
	struct neighbour *oldest = NULL, *n;

	for (unsigned i = 0; i < VICTIMS && !list_is_empty(&f->ring); i++) {
		n = list_first(&f->ring, struct neighbour, in_ring);
		list_remove(&n->in_ring);
		list_add_tail(&f->ring, &n->in_ring);
		if (may_go(n) && (!oldest || n->m.used < oldest->m.used))
			oldest = n;
	}
	if (!oldest)
		return;
	spin_lock(&oldest->lock);
	oldest->gone = may_go(oldest);
	spin_unlock(&oldest->lock);
	if (oldest->gone)
		unlink_locked(oldest);
}

/* Into the table, if there is room. table_lock. */
static bool insert_locked(struct neighbour *n)
{
	struct family *f = family_of(&n->addr);

	unsigned most = (unsigned)neighbour_thresholds[!addr_is4(&n->addr)][2];

	if (f->n >= most) {
		COUNT(&n->addr, forced_runs);
		make_room_locked(f);
	}
	if (f->n >= most) {
		COUNT(&n->addr, fulls);
		return false;
	}
	f->n++;
	COUNT(&n->addr, allocs);
	list_add_tail(&f->ring, &n->in_ring);
	n->next = *bucket(n->dev, &n->addr);
	__atomic_store_n(bucket(n->dev, &n->addr), n, __ATOMIC_RELEASE);
	return true;
}

static struct neighbour *find_or_make(struct netdev *d, const struct ipv6_addr *a)
{
	struct neighbour *n = look_up(d, a), *fresh;

	if (n || !(fresh = kzalloc(sizeof(*fresh))))
		return n;
	fresh->dev = d;
	fresh->addr = *a;
	spin_init(&fresh->lock, RANK_NEIGH);
	list_init(&fresh->queue);
	list_init(&fresh->in_ring);
	neigh_init(&fresh->m, clock_mono());
	spin_lock(&table_lock);
	n = find(d, a);
	if (!n && insert_locked(fresh)) {
		n = fresh;
		fresh = NULL;
	}
	spin_unlock(&table_lock);
	kfree(fresh);
	return n;
}

/* --- asking --- */

static const struct neigh_config *config_of(const struct neighbour *n)
{
	return &inet_conf_of(n->dev)->neigh[!addr_is4(&n->addr)];
}

/* mac: whom to ask; NULL: all. sender: the source of a packet that waits, or 0. */
static void ask(struct neighbour *n, const uint8_t *mac, uint32_t sender)
{
	if (addr_is4(&n->addr))
		arp_ask(n->dev, &n->addr, mac, sender);
	else
		ndp_solicit(n->dev, &n->addr, mac);
}

static void arm(nsec_t deadline)
{
	if (deadline < NSEC_MAX - TIMER_SLACK)
		deadline += TIMER_SLACK - deadline % TIMER_SLACK;
	if (deadline < atomic_load_explicit(&armed_for, memory_order_relaxed)) {
		atomic_store_explicit(&armed_for, deadline, memory_order_relaxed);
		timer_arm(&table_timer, deadline);
	}
}

/* What the machine wants done, after its lock was dropped. `out`: packets that may go, or are lost.
 */
struct todo {
	unsigned actions;
	uint8_t mac[ETH_ALEN];
	uint32_t sender; /* IPv4: the source of the first packet that waits */
	struct list out;
};

static uint32_t sender_of(const struct neighbour *n)
{
	const struct pkt *p;

	if (list_is_empty(&n->queue) || !addr_is4(&n->addr))
		return 0;
	p = list_first(&n->queue, struct pkt, node);
	return p->linear >= IPV4_HEADER ? be32_get(p->data + 12) : 0;
}

static void take_packets(struct neighbour *n, struct todo *t)
{
	struct pkt *p;

	if (t->actions & NEIGH_DROP_OLDEST && !list_is_empty(&n->queue)) {
		p = list_first(&n->queue, struct pkt, node);
		list_remove(&p->node);
		neigh_dequeued(&n->m, p->len);
		COUNT(&n->addr, discards);
		pkt_drop(p, NET_DROP_neighbour);
	}
	if (t->actions & (NEIGH_ASK_ALL | NEIGH_ASK_IT))
		t->sender = sender_of(n);
	if (t->actions & NEIGH_DROP)
		COUNT(&n->addr, failures);
	if (t->actions & (NEIGH_FLUSH | NEIGH_DROP)) {
		list_splice_tail(&t->out, &n->queue);
		n->m.queued = 0;
	}
	memcpy(t->mac, n->m.mac, ETH_ALEN);
	arm(n->m.deadline);
	if (n->m.state != n->told || t->actions & NEIGH_CHANGED) {
		n->updated = n->m.used;
		atomic_store_explicit(&reports_due, true, memory_order_relaxed);
		work_queue(&report_work);
	}
}

static void finish(struct neighbour *n, struct todo *t)
{
	struct pkt *p, *next;

	if (t->actions & NEIGH_ASK_ALL)
		ask(n, NULL, t->sender);
	if (t->actions & NEIGH_ASK_IT)
		ask(n, t->mac, t->sender);
	list_for_each_safe (p, next, &t->out, node) {
		list_remove(&p->node);
		if (t->actions & NEIGH_FLUSH) {
			(void)ether_send(p, n->dev, t->mac, p->protocol);
		} else {
			p->dev = n->dev;
			ip_report_unreachable(p);
			pkt_drop(p, NET_DROP_neighbour);
		}
	}
}

/* --- output --- */

static bool fixed_address(const struct ip_path *path, uint8_t *mac)
{
	const struct ipv6_addr *to = &path->next_hop;

	if (!netdev_has_arp(path->dev)) {
		memset(mac, 0, ETH_ALEN);
		return true;
	}
	if (path->type == ROUTE_BROADCAST) {
		memcpy(mac, path->dev->broadcast, ETH_ALEN);
		return true;
	}
	if (!addr_is_multicast(to))
		return false;
	if (addr_is4(to)) { /* RFC 1112 6.4 */
		mac[0] = 1, mac[1] = 0, mac[2] = 0x5e, mac[3] = to->b[13] & 0x7f;
		mac[4] = to->b[14], mac[5] = to->b[15];
	} else { /* RFC 2464 7 */
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, to->b + 12, 4);
	}
	return true;
}

int neighbour_output(struct pkt *p, const struct ip_path *path, uint16_t type)
{
	struct todo t = { .out = LIST_INIT(t.out) };
	nsec_t now = clock_mono();
	struct neighbour *n;
	bool known, lost;
	int ret = 0;

	if (fixed_address(path, t.mac))
		return ether_send(p, path->dev, t.mac, type);
	epoch_enter();
	if (!(n = find_or_make(path->dev, &path->next_hop))) {
		epoch_exit();
		pkt_free(p);
		return -ENOBUFS;
	}
	p->protocol = type;
	spin_lock(&n->lock);
	neigh_confirm(&n->m, config_of(n), path->confirmed, now);
	t.actions = neigh_use(&n->m, config_of(n), p->len, now);
	known = neigh_has_mac(&n->m);
	lost = !known && n->gone; /* thrown out since it was found: nobody looks at its queue */
	if (!known && !lost)
		list_add_tail(&n->queue, &p->node);
	take_packets(n, &t);
	spin_unlock(&n->lock);
	finish(n, &t);
	if (known)
		ret = ether_send(p, path->dev, t.mac, type);
	else if (lost)
		pkt_drop(p, NET_DROP_neighbour);
	epoch_exit();
	return ret;
}

/* --- hearing --- */

void neighbour_heard(struct netdev *d, const struct ipv6_addr *from, const uint8_t *mac,
		     const struct neigh_answer *answer, bool make)
{
	struct todo t = { .out = LIST_INIT(t.out) };
	struct neighbour *n;

	epoch_enter();
	n = make ? find_or_make(d, from) : look_up(d, from);
	if (n) {
		spin_lock(&n->lock);
		t.actions = answer ? neigh_answered(&n->m, config_of(n), answer, clock_mono())
				   : neigh_heard(&n->m, mac, clock_mono());
		take_packets(n, &t);
		spin_unlock(&n->lock);
		finish(n, &t);
	}
	epoch_exit();
}

/* --- time --- */

static void run_timers(struct work *w)
{
	nsec_t now = clock_mono(), next = NSEC_MAX;

	(void)w;
	atomic_store_explicit(&armed_for, NSEC_MAX, memory_order_relaxed);
	for (unsigned i = 0; i < BUCKETS; i++) {
		epoch_enter();
		for (struct neighbour *n = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE); n;
		     n = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE)) {
			struct todo t = { .out = LIST_INIT(t.out) };

			spin_lock(&n->lock);
			if (n->m.deadline <= now) {
				t.actions = neigh_timer(&n->m, config_of(n), now);
				take_packets(n, &t);
			}
			next = MIN(next, n->m.deadline);
			spin_unlock(&n->lock);
			finish(n, &t);
		}
		epoch_exit();
	}
	arm(next);
	net_run_deferred();
}

/* --- for others --- */

unsigned neighbour_counted(bool v6, unsigned cpu, struct neighbour_counts *out)
{
	*out = of_cpu(counts, cpu)[v6];
	return families[v6].n;
}

void neighbour_count_solicit(bool multicast)
{
	if (multicast)
		this_cpu(counts)[1].solicits_all++;
	else
		this_cpu(counts)[1].solicits_it++;
}

static void fill_info(struct neighbour *n, struct neighbour_info *out)
{
	spin_lock(&n->lock);
	*out = (struct neighbour_info){ .dev = n->dev,
					.addr = n->addr,
					.state = n->m.state,
					.has_mac = neigh_has_mac(&n->m),
					.router = n->m.router,
					.asked = n->m.asked,
					.used = n->m.used,
					.confirmed = n->m.confirmed,
					.updated = n->updated };
	memcpy(out->mac, n->m.mac, ETH_ALEN);
	spin_unlock(&n->lock);
}

/* pos: the bucket, and how many of it have been passed. */
bool neighbour_next(uint64_t *pos, struct neighbour_info *out)
{
	uint64_t b = *pos >> 32, skip = *pos & UINT32_MAX, i;
	struct neighbour *n = NULL;

	epoch_enter();
	for (; b < BUCKETS && !n; b++, skip = 0) {
		n = __atomic_load_n(&table[b], __ATOMIC_ACQUIRE);
		for (i = 0; n && i < skip; i++)
			n = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE);
		if (n) {
			fill_info(n, out);
			*pos = b << 32 | (skip + 1);
		}
	}
	epoch_exit();
	return n != NULL;
}

bool neighbour_get(const struct netdev *d, const struct ipv6_addr *a, struct neighbour_info *out)
{
	struct neighbour *n;

	epoch_enter();
	if ((n = look_up(d, a)))
		fill_info(n, out);
	epoch_exit();
	return n != NULL;
}

static int check_change(const struct neighbour *n, const uint8_t *mac, unsigned state, unsigned how)
{
	bool needs_mac = state >= NEIGH_REACHABLE && state != NEIGH_FAILED;

	if (n && how & NLM_F_EXCL)
		return -EEXIST;
	if (!n && !(how & NLM_F_CREATE))
		return -ENOENT;
	if (needs_mac && !mac && (!n || !neigh_has_mac(&n->m)))
		return -EINVAL;
	if (n && mac && neigh_has_mac(&n->m) && !(how & NLM_F_REPLACE) &&
	    memcmp(n->m.mac, mac, ETH_ALEN) != 0)
		return -EEXIST;
	return 0;
}

int neighbour_set(struct netdev *d, const struct ipv6_addr *a, const uint8_t *mac, unsigned state,
		  unsigned how)
{
	struct todo t = { .out = LIST_INIT(t.out) };
	struct neighbour *n;
	int err;

	epoch_enter();
	n = find(d, a);
	err = check_change(n, mac, state, how);
	if (!err && !n && !(n = find_or_make(d, a)))
		err = -ENOBUFS;
	if (!err) {
		spin_lock(&n->lock);
		t.actions = state == NEIGH_PERMANENT
				    ? neigh_set_permanent(&n->m, mac ? mac : n->m.mac)
				    : neigh_set(&n->m, config_of(n), mac, state, clock_mono());
		take_packets(n, &t);
		spin_unlock(&n->lock);
		finish(n, &t);
	}
	epoch_exit();
	net_run_deferred();
	return err;
}

int neighbour_remove(struct netdev *d, const struct ipv6_addr *a)
{
	struct list lost = LIST_INIT(lost);
	struct neighbour_info info;
	struct neighbour *n;

	spin_lock(&table_lock);
	if ((n = find(d, a))) {
		fill_info(n, &info);
		spin_lock(&n->lock);
		n->gone = true;
		list_splice_tail(&lost, &n->queue);
		spin_unlock(&n->lock);
		unlink_locked(n);
	}
	spin_unlock(&table_lock);
	pkt_free_list(&lost);
	if (!n)
		return -ENOENT;
	info.state = NEIGH_FAILED;
	rtnl_report_neigh(&info, RTM_NEWNEIGH);
	rtnl_report_neigh(&info, RTM_DELNEIGH);
	return 0;
}

void neighbour_ask(struct netdev *d, const struct ipv6_addr *a)
{
	struct todo t = { .out = LIST_INIT(t.out) };
	struct neighbour *n;

	epoch_enter();
	if ((n = find_or_make(d, a))) {
		spin_lock(&n->lock);
		t.actions = neigh_use(&n->m, config_of(n), 0, clock_mono());
		take_packets(n, &t);
		spin_unlock(&n->lock);
		finish(n, &t);
	}
	epoch_exit();
	net_run_deferred();
}

/* Not where it happened: locks may be held there that netlink's come before. */
static void run_reports(struct work *w)
{
	struct neighbour_info info;
	struct neighbour *n;
	uint64_t pos = 0;
	bool news;

	(void)w;
	if (!atomic_exchange(&reports_due, false))
		return;
	while (neighbour_next(&pos, &info)) {
		epoch_enter();
		news = (n = find(info.dev, &info.addr)) && n->told != info.state;
		if (news)
			n->told = info.state;
		epoch_exit();
		if (news && info.state != NEIGH_INCOMPLETE && info.state != NEIGH_DELAY)
			rtnl_report_neigh(&info, RTM_NEWNEIGH);
	}
}

static void on_timer(struct timer *t)
{
	(void)t;
	work_queue(&table_work);
}

void neighbour_forget(const struct netdev *d, unsigned which)
{
	struct list lost = LIST_INIT(lost);

	spin_lock(&table_lock);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct neighbour *n = table[i], *next; n; n = next) {
			next = n->next;
			if (n->dev != d || !(which >> !addr_is4(&n->addr) & 1))
				continue;
			spin_lock(&n->lock);
			n->gone = true;
			list_splice_tail(&lost, &n->queue);
			spin_unlock(&n->lock);
			unlink_locked(n);
		}
	spin_unlock(&table_lock);
	pkt_free_list(&lost);
}

void neighbour_init(void)
{
	timer_init(&table_timer, on_timer);
	work_init(&table_work, run_timers);
	work_init(&report_work, run_reports);
	arp_init();
}
