/*
 * Segments in: who is it for? A connection, a request, a TIME-WAIT block, a listener, or nobody,
 * who answers with a RST. Also what ICMP tells about segments that were sent.
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sock.h"
#include "net/netif.h"
#include "net/tcp/seq.h"
#include "net/trace.h"
#include "sched/work.h"

static void make_key(struct flow_key *key, const struct ipv6_addr *local,
		     const struct ipv6_addr *remote, uint16_t lport, uint16_t rport,
		     const struct netdev *d)
{
	*key = (struct flow_key){
		.local = *local, .remote = *remote, .lport = lport, .rport = rport
	};
	if (UNLIKELY(d && !addr_is4(remote) && ipv6_is_link_local(remote)))
		key->ifindex = (uint32_t)d->index;
}

/* RFC 9293 3.10.7.1. */
void tcps_reset(const struct flow_key *key, const struct tcp_seg *s, const struct netdev *d)
{
	struct tcps_reply r = { .key = key };
	struct tcp_seg out;

	if (!addr_is4(&key->remote) && ipv6_is_link_local(&key->remote))
		r.ifindex = d->index;
	if (tcp_reset_for(s, &out))
		tcps_reply(&r, &out);
}

/* When memory is short, what readers wait for may come all the same: packets beyond a hole would
 * hold theirs for ever otherwise. */
static bool may_take(const struct tcp_sock *t, const struct tcp_seg *s)
{
	return LIKELY(tcps_may_queue(t->rcvq_bytes)) ||
	       (seq_leq(s->seq, t->c.rcv_nxt) && tcps_readable(t) < TCP_FREE_BYTES);
}

void tcps_segment(struct tcp_sock *t, struct pkt *p, const struct tcp_seg *s, uint32_t header)
{
	nsec_t now = clock_mono();
	struct tcp_store store;
	struct tcps_after a;

	if (UNLIKELY(socket_has(&t->i.s, SOB_TIMESTAMP | SOB_TIMESTAMPNS | SOB_TIMESTAMPING)))
		p->time = clock_real();
	if (UNLIKELY(s->len && !may_take(t, s))) {
		spin_unlock(&t->lock);
		pkt_free(p); /* it comes again when there is memory */
		return;
	}
	tcp_input(&t->c, s, now, &store);
	if (store.len)
		rcvq_insert(t, p, header + store.offset, store.seq, store.len);
	else
		pkt_free(p);
	tcps_drive(t, now, &a);
	spin_unlock(&t->lock);
	tcps_finish(t, &a);
}

/* False: it is no connection any more. */
static bool sock_input(struct tcp_sock *t, struct pkt *p, const struct tcp_seg *s, uint32_t header)
{
	spin_lock(&t->lock);
	if (UNLIKELY(t->phase != TCPS_OPEN ||
		     !atomic_load_explicit(&t->ep.hashed, memory_order_relaxed))) {
		spin_unlock(&t->lock);
		return false;
	}
	tcps_segment(t, p, s, header);
	return true;
}

/* To whoever has the key. False: nobody had, or not any more. */
static bool to_owner(struct tcp_ep *ep, struct pkt *p, const struct tcp_seg *s, uint32_t header,
		     uint32_t *isn_min)
{
	if (LIKELY(ep->kind == TCP_EP_SOCK))
		return sock_input(tcps_of_ep(ep), p, s, header);
	if (ep->kind == TCP_EP_REQUEST)
		return tcps_request_input((struct tcp_request *)ep, p, s, header);
	if (!tcps_timewait_input(ep, s, isn_min))
		return false;
	pkt_free(p);
	return true;
}

/* Consumes p. Under an epoch. */
static void dispatch(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key,
		     uint32_t header)
{
	uint32_t hash = tcps_hash(key), isn_min = 0;
	struct tcp_ep *ep, *last = NULL;
	struct tcp_sock *l;

	/* An owner that has just gone has left a successor: a request its connection, that its
	 * TIME-WAIT. */
	while ((ep = tcps_find(key, hash)) && ep != last) {
		if (LIKELY(to_owner(ep, p, s, header, &isn_min)))
			return;
		last = ep;
	}
	if ((l = tcps_find_listener(key, p, hash))) {
		tcps_listener_input(l, p, s, key, header, isn_min);
		return;
	}
	tcps_reset(key, s, p->dev);
	pkt_drop(p, NET_DROP_tcp_no_socket);
}

void tcps_input(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key, uint32_t header)
{
	epoch_enter();
	dispatch(p, s, key, header);
	epoch_exit();
}

void tcps_dispatch(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key)
{
	net_count(STAT_Tcp_InSegs);
	tcps_input(p, s, key, 0);
}

static void input(struct pkt *p)
{
	const struct ip_info *i = ip_info(p);
	struct flow_key key;
	struct tcp_seg s;
	size_t header;

	net_count(STAT_Tcp_InSegs);
	if (UNLIKELY(i->to != ROUTE_LOCAL || !pkt_need(p, TCP_HEADER) ||
		     !pkt_need(p, (p->data[12] >> 4) * 4u) ||
		     tcp_seg_parse(p->data, p->len, &s, &header))) {
		net_count(STAT_Tcp_InErrs);
		pkt_drop(p, NET_DROP_tcp_header);
		return;
	}
	if (UNLIKELY(!ip_checksum_ok(p))) {
		net_count(STAT_Tcp_InErrs);
		net_count(STAT_Tcp_InCsumErrors);
		pkt_drop(p, NET_DROP_checksum);
		return;
	}
	make_key(&key, &i->dst, &i->src, be16_get(p->data + 2), be16_get(p->data), p->dev);
	s.ip_ecn = i->tos & 3;
	if (p->gso_size)
		s.pieces = (uint16_t)DIV_ROUND_UP(s.len, p->gso_size);
	if (p->in_batch && tcps_coalesce(p, &s, &key, (uint32_t)header))
		return;
	tcps_input(p, &s, &key, (uint32_t)header);
}

/* --- ICMP --- */

static void path_changed(struct tcp_sock *t, uint32_t mtu, nsec_t now)
{
	uint32_t headers = addr_is4(&t->i.remote) ? 40 : 60;

	if (mtu > headers + 48 && mtu < t->path.mtu && t->i.pmtu_mode != IP_PMTUDISC_DONT) {
		t->path.mtu = mtu;
		tcp_set_path_mss(&t->c, (uint16_t)(mtu - headers), now);
	}
}

/* What was told of a segment. */
struct news {
	struct flow_key key;
	uint32_t seq, mtu;
	int err;
	bool hard;
};

/*
 * News for sockets that were busy. The thread that brings them may itself hold the socket's lock,
 * sending what they are about, so it does not wait: a work does. What does not fit is lost, as any
 * ICMP message may be.
 */
enum { NEWS_MAX = 64 };
static struct spinlock news_lock = SPINLOCK(TCPNEWS);
static struct news late[NEWS_MAX]; /* news_lock, as nlate */
static unsigned nlate;
static struct work news_work;

/* The lock is held, and let go of. */
static void take_error(struct tcp_sock *t, const struct news *n) RELEASES(&t->lock)
{
	nsec_t now = clock_mono();
	struct tcps_after a = { 0 };

	if (t->phase == TCPS_OPEN && seq_leq(t->c.snd_una, n->seq) &&
	    seq_leq(n->seq, t->c.snd_nxt)) {
		if (n->mtu)
			path_changed(t, n->mtu, now);
		else if (n->hard || t->c.state == TCP_SYN_SENT)
			tcp_soft_error(&t->c, n->err);
		tcps_drive(t, now, &a);
	}
	spin_unlock(&t->lock);
	tcps_finish(t, &a);
}

static void keep_news(const struct news *n)
{
	spin_lock(&news_lock);
	if (nlate < NEWS_MAX)
		late[nlate++] = *n;
	spin_unlock(&news_lock);
	work_queue(&news_work);
}

/* may_wait: no lock is held. */
static void tell(const struct news *n, bool may_wait)
{
	struct tcp_sock *t;
	struct tcp_ep *ep;

	epoch_enter();
	ep = tcps_find(&n->key, tcps_hash(&n->key));
	if (ep && ep->kind == TCP_EP_SOCK) {
		t = tcps_of_ep(ep);
		if (may_wait) {
			spin_lock(&t->lock);
			take_error(t, n);
		} else if (spin_trylock(&t->lock)) {
			take_error(t, n);
		} else {
			keep_news(n);
		}
	}
	epoch_exit();
}

static void tell_late_news(struct work *w)
{
	struct news n;
	bool any;

	(void)w;
	do {
		spin_lock(&news_lock);
		if ((any = nlate > 0))
			n = late[--nlate];
		spin_unlock(&news_lock);
		if (any)
			tell(&n, true);
	} while (any);
	net_run_deferred();
}

static void error(const struct ip_info *sent, const uint8_t *data, uint32_t n, int err, bool hard,
		  uint32_t mtu)
{
	struct news news = { .mtu = mtu, .err = err, .hard = hard };

	if (n < 8)
		return;
	make_key(&news.key, &sent->src, &sent->dst, be16_get(data), be16_get(data + 2), NULL);
	news.seq = be32_get(data + 4);
	tell(&news, false);
}

void tcps_protocol_init(void)
{
	static struct ip_protocol tcp = { .proto = IPPROTO_TCP, .input = input, .error = error };

	work_init(&news_work, tell_late_news);
	ip_protocol_register(&tcp);
	tcps_coalesce_init();
}
