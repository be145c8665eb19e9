/*
 * Segments to packets: the header, pages of the send queue behind it, and IP. A segment that is
 * larger than the path takes goes to the device whole when it cuts itself, or is cut here.
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/clock.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/inet/tcp_direct.h"
#include "net/netif.h"

enum { TCP_CHECKSUM_AT = 16 };

int tcps_route(struct tcp_sock *t)
{
	uint32_t mss, old = t->c.mss;

	if (LIKELY(t->has_path && t->path.generation == atomic_load_explicit(&ip_route_generation,
									     memory_order_relaxed)))
		return 0;
	t->has_path = false;
	if (ip_route(&t->i.remote, &t->i.local, t->i.s.bound_if, &t->path))
		return -EHOSTUNREACH;
	t->has_path = true;
	mss = tcps_path_mss(t, &t->path, addr_is4(&t->i.remote));
	if (mss != t->c.path_mss)
		tcp_set_path_mss(&t->c, (uint16_t)mss, clock_mono());
	return t->c.mss < old ? -EMSGSIZE : 0;
}

static void count_out(const struct tcp_seg *s)
{
	net_count(STAT_Tcp_OutSegs);
	if (UNLIKELY(s->flags & TCP_RST))
		net_count(STAT_Tcp_OutRsts);
}

static void send_packet(struct tcp_sock *t, struct pkt *p, const struct tcp_seg *s)
{
	bool v4 = addr_is4(&t->i.remote);
	struct ip_send out = {
		.path = &t->path,
		.src = t->i.local,
		.dst = t->i.remote,
		.proto = IPPROTO_TCP,
	};

	count_out(s);
	if (tcps_send_bare(p, s, &t->ep.key, &t->path))
		return;
	inet_set_send(&t->i, &out);
	out.tos = (uint8_t)((out.tos & ~3u) | s->ip_ecn);
	out.cut = IP_CUT_UNLESS_DF;

	tcp_seg_build(s, t->i.lport, t->i.rport, pkt_push(p, (uint32_t)tcp_seg_header_len(s)));
	if (s->gso_mss) {
		p->gso = v4 ? PKT_GSO_TCP4 : PKT_GSO_TCP6;
		p->gso_size = s->gso_mss;
		p->gso_ecn = s->flags & TCP_CWR;
	}
	p->mark = t->i.s.mark;
	p->priority = t->i.s.priority;
	ip_set_checksum(p, &out, TCP_CHECKSUM_AT);
	(void)!ip_output(p, &out);
}

static void send_one(struct tcp_sock *t, const struct tcp_seg *s)
{
	struct pkt *p = pkt_alloc();

	if (!p) /* lost, like any other */
		return;
	if (s->len && !sendq_fill(t, p, s->seq, s->len)) {
		pkt_free(p);
		return;
	}
	send_packet(t, p, s);
}

static bool device_cuts(const struct tcp_sock *t, const struct tcp_seg *s)
{
	uint32_t f = t->path.dev->features;

	if (!(f & (addr_is4(&t->i.remote) ? NETDEV_TSO4 : NETDEV_TSO6)) || !(f & NETDEV_CSUM))
		return false;
	return !(s->flags & TCP_CWR) || f & NETDEV_TSO_ECN;
}

static void send_pieces(struct tcp_sock *t, const struct tcp_seg *s)
{
	struct tcp_seg piece = *s;
	uint32_t end = s->seq + s->len;

	piece.gso_mss = 0;
	for (; piece.seq != end; piece.seq += piece.len) {
		piece.len = MIN((uint32_t)s->gso_mss, end - piece.seq);
		piece.flags = s->flags;
		if (piece.seq + piece.len != end)
			piece.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (piece.seq != s->seq)
			piece.flags &= (uint8_t)~TCP_CWR;
		if (s->flags & TCP_URG && s->urgent > piece.seq - s->seq)
			piece.urgent = (uint16_t)(s->urgent - (piece.seq - s->seq));
		else
			piece.flags &= (uint8_t)~TCP_URG;
		send_one(t, &piece);
	}
}

void tcps_transmit(struct tcp_sock *t, const struct tcp_seg *s)
{
	int err = tcps_route(t);

	if (UNLIKELY(err) && (err == -EHOSTUNREACH || s->len))
		return;
	if (s->gso_mss && !device_cuts(t, s))
		send_pieces(t, s);
	else
		send_one(t, s);
	t->c.tune.hold = tcps_device_is_busy(t);
}

void tcps_reply(const struct tcps_reply *r, const struct tcp_seg *s)
{
	const struct flow_key *key = r->key;
	struct ip_path path;
	struct ip_send out = {
		.path = &path,
		.src = key->local,
		.dst = key->remote,
		.proto = IPPROTO_TCP,
		.ttl = r->ttl,
		.tos = r->tos,
		.dont_fragment = true,
	};
	struct pkt *p;

	if (ip_route(&key->remote, &key->local, r->ifindex, &path) || !(p = pkt_alloc()))
		return;
	count_out(s);
	if (tcps_send_bare(p, s, key, &path))
		return;
	if (!r->ttl)
		out.ttl = path.hops;
	tcp_seg_build(s, key->lport, key->rport, pkt_push(p, (uint32_t)tcp_seg_header_len(s)));
	p->mark = r->mark;
	ip_set_checksum(p, &out, TCP_CHECKSUM_AT);
	(void)!ip_output(p, &out);
}
