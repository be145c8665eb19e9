/*
 * Connections between two sockets of this machine: once both are established they are joined, and
 * bytes go from the writer's pages into the reader's queue without a packet. The machines of both
 * are brought to where segments would have brought them (net/tcp/direct.c), so that each call
 * decides anew which way it takes: packets it is whenever somebody watches `lo`, it is down, or
 * anything is under way or out of the ordinary.
 *
 * Two locks of rank TCP: the one at the lower address first. Who has the wrong one lets go of it,
 * so what was true before need not be true after tcps_lock_both(). A joined socket has not left:
 * leaving parts them, under both locks.
 */

#include "net/inet/tcp_direct.h"

#include "abi/in.h"
#include "core/clock.h"
#include "net/inet/passing.h"
#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sock.h"
#include "pmm/page.h"

enum { JOIN_TRIES = 8, TCP_HEADERS = 32 };

/* --- joining and parting --- */

struct tcp_sock *tcps_lock_both(struct tcp_sock *t) NO_TSA
{
	struct tcp_sock *peer;

	spin_lock(&t->lock);
	peer = t->peer;
	if (!peer)
		return NULL;
	if (peer > t) {
		spin_lock_nested(&peer->lock);
		return peer;
	}
	if (LIKELY(spin_trylock(&peer->lock)))
		return peer;
	spin_unlock(&t->lock);
	spin_lock(&peer->lock);
	spin_lock_nested(&t->lock);
	if (LIKELY(t->peer == peer))
		return peer;
	spin_unlock(&peer->lock);
	return NULL;
}

void tcps_unlock_both(struct tcp_sock *t, struct tcp_sock *peer) NO_TSA
{
	if (peer)
		spin_unlock(&peer->lock);
	spin_unlock(&t->lock);
}

void tcps_part(struct tcp_sock *t, struct tcp_sock *peer)
{
	t->peer = peer->peer = NULL;
}

static bool may_join(const struct tcp_sock *t)
{
	return t->phase == TCPS_OPEN && !t->peer &&
	       atomic_load_explicit(&t->ep.hashed, memory_order_relaxed);
}

static void join(struct tcp_sock *a, struct tcp_sock *b) NO_TSA
{
	struct tcp_sock *first = a < b ? a : b, *second = a < b ? b : a;

	spin_lock(&first->lock);
	spin_lock_nested(&second->lock);
	if (may_join(a) && may_join(b)) {
		a->peer = b;
		b->peer = a;
	}
	spin_unlock(&second->lock);
	spin_unlock(&first->lock);
}

/* Who has the same addresses and ports the other way round. */
static struct tcp_sock *find_peer(const struct tcp_sock *t)
{
	const struct flow_key *k = &t->ep.key;
	struct flow_key key = { .local = k->remote,
				.remote = k->local,
				.lport = k->rport,
				.rport = k->lport,
				.ifindex = k->ifindex };
	struct tcp_ep *ep = tcps_find(&key, tcps_hash(&key));

	return ep && ep->kind == TCP_EP_SOCK ? tcps_of_ep(ep) : NULL;
}

void tcps_join(struct tcp_sock *t)
{
	struct tcp_sock *peer;

	if (t->join_tries == JOIN_TRIES || !t->has_path)
		return;
	t->join_tries++;
	if (t->path.dev != loopback_device)
		t->join_tries = JOIN_TRIES;
	else if ((peer = find_peer(t)) && peer != t)
		join(t, peer);
}

/* --- which way --- */

/* An old one is looked up anew by the next segment. */
static bool is_route_current(const struct tcp_sock *t)
{
	return t->has_path && t->path.generation == atomic_load_explicit(&ip_route_generation,
									 memory_order_relaxed);
}

static bool may_pass(const struct tcp_sock *from, const struct tcp_sock *to)
{
	return !socket_has(&to->i.s, SOB_TIMESTAMP | SOB_TIMESTAMPNS | SOB_TIMESTAMPING) &&
	       tcp_direct_ready(&from->c, &to->c) && tcps_may_queue(to->rcvq_bytes) &&
	       lo_is_unwatched(IPPROTO_TCP) && is_route_current(from) &&
	       from->path.dev == loopback_device;
}

static void count(const struct tcp_sock *t, uint32_t n)
{
	bool v6 = !addr_is4(&t->i.remote);

	lo_count_passed(v6, n + TCP_HEADERS + (v6 ? IPV6_HEADER : IPV4_HEADER));
	net_count(STAT_Tcp_OutSegs);
	net_count(STAT_Tcp_InSegs);
}

/* --- segments without headers --- */

/* In room of a packet that goes straight. */
struct bare {
	struct flow_key key; /* the receiver's */
	struct tcp_seg s;
};
STATIC_ASSERT(sizeof(struct bare) <= PKT_ROOM);

static void arrive(struct pkt *p)
{
	struct bare b = *(const struct bare *)(const void *)p->room;

	p->straight = NULL;
	tcps_dispatch(p, &b.s, &b.key);
}

bool tcps_send_bare(struct pkt *p, const struct tcp_seg *s, const struct flow_key *from,
		    const struct ip_path *path)
{
	struct bare *b = (struct bare *)(void *)p->room;
	bool v6 = !addr_is4(&from->remote);

	/* A link-local address is another one on each device: what came by lo is another's. */
	if (path->dev != loopback_device || path->type != ROUTE_LOCAL || s->ip_ecn ||
	    from->ifindex || !lo_is_unwatched(IPPROTO_TCP))
		return false;
	b->key = (struct flow_key){ .local = from->remote,
				    .remote = from->local,
				    .lport = from->rport,
				    .rport = from->lport };
	b->s = *s;
	if (s->gso_mss)
		b->s.pieces = (uint16_t)DIV_ROUND_UP(s->len, s->gso_mss);
	lo_count_passed(v6, s->len + (uint32_t)tcp_seg_header_len(s) +
				    (v6 ? IPV6_HEADER : IPV4_HEADER));
	p->straight = arrive;
	net_send_straight(p);
	return true;
}

/* --- bytes without segments --- */

/* The last packet that arrived takes the bytes as well, if they follow. A reader may be at it; it
 * knows how much of it there was. */
static bool extend(struct tcp_sock *to, struct page *page, uint32_t offset, uint32_t n)
{
	struct pkt *p = list_entry(to->rcvq.prev, struct pkt, node);
	struct tcp_cb *cb = tcp_cb(p);
	struct pkt_frag *f = NULL;

	if (list_is_empty(&to->rcvq) || cb->end != to->c.rcv_nxt || cb->room ||
	    cb->skip + (cb->end - cb->seq) != p->len)
		return false;
	if (p->nfrags)
		f = &p->frag[p->nfrags - 1];
	if (f && f->page == page && f->offset + f->bytes == offset) {
		f->bytes += n;
		p->len += n;
	} else if (pkt_add_frag(p, page, offset, n)) {
		page_get(page);
	} else {
		return false;
	}
	cb->end += n;
	cb->charge += n;
	to->rcvq_bytes += n;
	return true;
}

/* p has n bytes of `from`, which were not sent yet. */
static void deliver(struct tcp_sock *from, struct tcp_sock *to, struct pkt *p, uint32_t n,
		    nsec_t now)
{
	uint32_t seq = from->c.snd_nxt, charge = (uint32_t)sizeof(*p) + n;

	*tcp_cb(p) = (struct tcp_cb){ .seq = seq, .end = seq + n, .charge = charge };
	list_add_tail(&to->rcvq, &p->node);
	to->rcvq_bytes += charge;
	tcp_direct(&from->c, &to->c, n, now);
	count(from, n);
}

/* False: there is no room, or no memory. */
static bool append(struct tcp_sock *from, struct tcp_sock *to, struct page *page, uint32_t offset,
		   uint32_t n, nsec_t now)
{
	struct pkt *p;

	if (tcp_direct_room(&to->c) < n)
		return false;
	if (extend(to, page, offset, n)) {
		(void)!tcp_send(&from->c, n, false);
		tcp_direct(&from->c, &to->c, n, now);
		count(from, n);
		return true;
	}
	if (!(p = pkt_alloc()))
		return false;
	page_get(page);
	(void)!pkt_add_frag(p, page, offset, n);
	(void)!tcp_send(&from->c, n, false);
	deliver(from, to, p, n, now);
	return true;
}

/* What follows bytes that went straight; most often nothing but a wake-up. */
static void drive_reader(struct tcp_sock *t, nsec_t now, struct tcps_after *a)
{
	if (UNLIKELY(t->c.events & ~(unsigned)TCP_EV_READABLE)) {
		tcps_drive(t, now, a);
		return;
	}
	*a = (struct tcps_after){ 0 };
	t->c.events = 0;
	tcps_arrived(t, a);
	tcps_charge(t);
}

bool tcps_hand_over(struct tcp_sock *t, struct tcp_sock *peer, struct page *page, uint32_t offset,
		    uint32_t n) NO_TSA
{
	struct tcps_after a;
	nsec_t now;

	if (tcp_unsent(&t->c) || !may_pass(t, peer))
		return false;
	now = clock_mono();
	if (!append(t, peer, page, offset, n, now)) {
		tcp_direct(&t->c, &peer->c, 0, now);
		return false;
	}
	t->c.tune.cork = false;
	t->c.events &= (uint16_t)~TCP_EV_ACKED; /* of nothing that was queued */
	drive_reader(peer, now, &a);
	tcps_unlock_both(t, peer);
	tcps_finish(peer, &a);
	return true;
}

/* As much of the queue as there is room for. The peer learns of the room in any case. */
static void pass(struct tcp_sock *from, struct tcp_sock *to, nsec_t now)
{
	uint32_t room = tcp_direct_room(&to->c), left = MIN(room, tcp_unsent(&from->c)), n;
	struct pkt *p;

	tcp_direct(&from->c, &to->c, 0, now);
	for (; left && (p = pkt_alloc()); left -= n) {
		n = sendq_share(from, p, from->c.snd_nxt, left);
		deliver(from, to, p, n, now);
	}
}

void tcps_pull(struct tcp_sock *from, struct tcp_sock *to) NO_TSA
{
	struct tcps_after a, b = { 0 };
	nsec_t now = clock_mono();

	if (to) {
		if (!from->c.tune.cork && may_pass(from, to))
			pass(from, to, now);
		tcps_drive(to, now, &b);
	}
	tcps_drive(from, now, &a);
	tcps_unlock_both(from, to);
	tcps_finish(from, &a);
	if (to)
		tcps_finish(to, &b);
}

void tcps_room_made(struct tcp_sock *t)
{
	struct tcp_sock *peer = tcps_lock_both(t);

	if (peer)
		tcps_pull(peer, t);
	else
		tcps_pull(t, NULL);
}
