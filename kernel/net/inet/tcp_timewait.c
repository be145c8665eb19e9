/*
 * TIME-WAIT: what is left of connections, for a minute. All wait equally long, so that a list in
 * the order in which they began is in the order of their ends; what lasts longer because its last
 * ACK was asked for again goes to the end of it.
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/inet/tcp_sock.h"
#include "net/inet/tcp_sysctl.h"
#include "pmm/slab.h"

enum { PORT_BUCKETS = 1024 };

struct timewait {
	struct tcp_ep ep;
	struct list node, port_node; /* tw_lock */
	uint32_t bits;               /* SO_REUSEADDR and SO_REUSEPORT, as the socket had them */
	struct tcp_timewait tw;      /* tw_lock */
	bool dead;                   /* tw_lock */
	uint8_t tos;
	int32_t ifindex;
	struct epoch_head epoch;
};

static struct slab_cache *cache;
static struct spinlock tw_lock = SPINLOCK(TCPWAIT);
static struct list all = LIST_INIT(all); /* tw_lock, as count */
static int count;
static struct list by_port[PORT_BUCKETS]; /* tw_lock: for bind(2) */
static struct tcps_timer timer;

static void free_now(struct epoch_head *h)
{
	slab_free(cache, container_of(h, struct timewait, epoch));
}

/* Out of the list; the caller takes it out of the table and frees it. False: somebody else does. */
static bool kill_locked(struct timewait *w)
{
	if (w->dead)
		return false;
	w->dead = true;
	list_remove(&w->node);
	list_remove(&w->port_node);
	count--;
	return true;
}

static void bury(struct timewait *w)
{
	tcps_remove(&w->ep);
	epoch_free(&w->epoch, free_now);
}

void tcps_timewait_enter(struct tcp_sock *t, nsec_t now)
{
	struct timewait *w;

	if (count >= tcp_max_tw_buckets || !(w = slab_zalloc(cache)))
		return; /* tcp(7) tcp_max_tw_buckets: it is destroyed */
	w->ep.kind = TCP_EP_TIMEWAIT;
	w->tos = addr_is4(&t->i.remote) ? t->i.tos : t->i.tclass;
	w->ifindex = t->i.s.bound_if;
	w->bits = atomic_load(&t->i.s.bits) & (SOB_REUSEADDR | SOB_REUSEPORT);
	list_init(&w->node);
	tcp_tw_init(&w->tw, &t->c, now);
	spin_lock(&tw_lock);
	if (!tcps_replace(&t->ep, &w->ep)) {
		spin_unlock(&tw_lock);
		slab_free(cache, w);
		return;
	}
	list_add_tail(&all, &w->node);
	list_add_tail(&by_port[w->ep.key.lport % PORT_BUCKETS], &w->port_node);
	net_count(STAT_TcpExt_TW);
	if (count++ == 0)
		tcps_timer_set(&timer, w->tw.deadline);
	spin_unlock(&tw_lock);
}

bool tcps_timewait_input(struct tcp_ep *ep, const struct tcp_seg *s, uint32_t *isn_min)
{
	struct timewait *w = container_of(ep, struct timewait, ep);
	struct tcps_reply r = { .key = &ep->key, .ifindex = w->ifindex, .tos = w->tos };
	enum tcp_tw_verdict v = TCP_TW_SYN;
	nsec_t deadline, now = clock_mono();
	struct tcp_seg out = { 0 };
	bool mine = false;

	spin_lock(&tw_lock);
	if (!w->dead) {
		deadline = w->tw.deadline;
		v = tcp_tw_input(&w->tw, s, now, &out);
		if (v == TCP_TW_SYN || v == TCP_TW_OVER)
			mine = kill_locked(w);
		if (!w->dead && w->tw.deadline != deadline) {
			list_remove(&w->node);
			list_add_tail(&all, &w->node);
		}
	}
	spin_unlock(&tw_lock);
	if (v == TCP_TW_ACK)
		tcps_reply(&r, &out);
	if (mine)
		bury(w);
	*isn_min = out.seq;
	return v != TCP_TW_SYN;
}

nsec_t tcps_timewait_deadline(const struct tcp_ep *ep)
{
	return container_of(ep, const struct timewait, ep)->tw.deadline;
}

bool tcps_timewait_yield(struct tcp_ep *ep, bool loopback, uint32_t *isn_min)
{
	struct timewait *w = container_of(ep, struct timewait, ep);
	bool may = false;

	if (tcp_tw_reuse != 1 && !(tcp_tw_reuse == 2 && loopback))
		return false;
	spin_lock(&tw_lock);
	if (tcp_tw_reusable(&w->tw, clock_mono(), isn_min))
		may = kill_locked(w);
	spin_unlock(&tw_lock);
	if (may)
		bury(w);
	return may;
}

bool tcps_timewait_blocks(const struct inet_sock *i, const struct ipv6_addr *local, uint16_t port)
{
	const struct list *head = &by_port[port % PORT_BUCKETS];
	uint32_t bits = atomic_load(&i->s.bits);
	struct timewait *w;
	bool blocks = false;

	spin_lock(&tw_lock);
	list_for_each (w, head, port_node)
		if (w->ep.key.lport == port && !(w->bits & bits) &&
		    (addr_is_any(local) || ipv6_eq(local, &w->ep.key.local))) {
			blocks = true;
			break;
		}
	spin_unlock(&tw_lock);
	return blocks;
}

static void expire(struct tcps_timer *timer_, nsec_t now)
{
	struct timewait *w;
	bool over = false;

	while (!over) {
		spin_lock(&tw_lock);
		w = list_is_empty(&all) ? NULL : list_first(&all, struct timewait, node);
		over = !w || w->tw.deadline > now;
		if (!over)
			kill_locked(w);
		else
			tcps_timer_set(timer_, w ? w->tw.deadline : NSEC_MAX);
		spin_unlock(&tw_lock);
		if (!over)
			bury(w);
	}
}

void tcps_timewait_init(void)
{
	cache = slab_cache_create("tw_sock_TCP", sizeof(struct timewait), 0, NULL);
	tcps_timer_init(&timer, expire);
	for (unsigned i = 0; i < PORT_BUCKETS; i++)
		list_init(&by_port[i]);
}
