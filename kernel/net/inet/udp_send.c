/*
 * UDP out: one call, one datagram; or several calls with MSG_MORE or UDP_CORK; or one call and many
 * datagrams with UDP_SEGMENT.
 *
 * Source: RFC 768, RFC 3828, udp(7), udplite(7), send(2).
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/inet/passing.h"
#include "net/inet/udp.h"
#include "net/netif.h"
#include "net/parse.h"
#include "sched/thread.h"
#include "vm/uio.h"

enum { CHECKSUM_AT = 6, LEN_MAX = 65535, SEGMENTS_MAX = 64 };

/* UDP-Lite's checksum, and what of p it covers. */
static void cover_part(const struct udp_sock *u, struct pkt *p, const struct ip_send *how)
{
	uint32_t n = u->send_cover && u->send_cover < p->len ? u->send_cover : p->len;

	/* Who asked for all of it says so by a 0 (RFC 3828 3.1). */
	be16_put(p->data + 4, u->send_cover_set && !u->send_cover ? 0 : (uint16_t)n);
	ip_set_checksum_part(p, how, CHECKSUM_AT, n);
}

/* Sends the payload p; consumes it. */
static int transmit(struct udp_sock *u, struct pkt *p, const struct dgram_send *to,
		    const struct ip_send *how)
{
	const struct inet_sock *i = &u->d.i;
	bool v4 = addr_is4(&how->dst);
	int err;

	(void)pkt_push(p, UDP_HEADER);
	udp_build(p->data, i->lport, to->port, (uint16_t)p->len);
	pkt_set_transport(p);
	if (UNLIKELY(u->is_lite))
		cover_part(u, p, how);
	else if (LIKELY(!(v4 ? socket_has(&i->s, SOB_NO_CHECK) : u->no_check6_tx)))
		ip_set_checksum(p, how, CHECKSUM_AT);
	p->mark = to->c.mark;
	p->priority = i->s.priority;
	if (UNLIKELY(to->c.ts_flags))
		inet_stamp_sent(&u->d.i, p, to->c.ts_flags);
	err = dgram_output(&u->d, p, how);
	if (LIKELY(!err))
		net_count_udp(u->is_lite, !v4, OutDatagrams);
	else if (err == -ENOBUFS)
		net_count_udp(u->is_lite, !v4, SndbufErrors);
	return err;
}

/*
 * From one socket of this machine to another: p goes into its queue as it is, without headers to be
 * written and read again, if nobody could tell and the socket does not ask for them. What might not
 * arrive goes the long way, which says why. Consumes p if it is true.
 */
static bool pass(struct udp_sock *u, struct pkt *p, const struct dgram_send *to,
		 const struct ip_send *how)
{
	bool v6 = !addr_is4(&how->dst);
	uint32_t bytes = p->len + UDP_HEADER + (v6 ? IPV6_HEADER : IPV4_HEADER);
	struct ip_info *i = ip_info(p);
	struct udp_sock *there;

	if (how->path->dev != loopback_device || how->path->type != ROUTE_LOCAL || u->is_lite ||
	    how->tos & 3 || to->c.ts_flags || curthread()->net_deferred || bytes > how->path->mtu ||
	    (how->mtu && bytes > how->mtu) || !lo_is_unwatched(IPPROTO_UDP_))
		return false;
	/* A link-local address is another one on each device: what came by lo is another's. */
	if (v6 &&
	    (u->no_check6_tx || ipv6_is_link_local(&how->dst) || ipv6_is_link_local(&how->src)))
		return false;
	*i = (struct ip_info){ .src = how->src,
			       .dst = how->dst,
			       .proto = IPPROTO_UDP_,
			       .ttl = how->ttl,
			       .tos = how->tos,
			       .to = ROUTE_LOCAL };
	epoch_enter();
	there = udp_lookup(&udp_table, i, u->d.i.lport, to->port, loopback_device);
	if (!there || atomic_load_explicit(&there->d.i.s.filter, memory_order_relaxed) ||
	    i->ttl < (v6 ? there->d.i.min_hops : there->d.i.min_ttl)) {
		epoch_exit();
		return false;
	}
	dgram_cb(p)->port = u->d.i.lport;
	p->dev = loopback_device;
	p->mark = to->c.mark;
	p->priority = u->d.i.s.priority;
	lo_count_passed(v6, bytes);
	net_count_udp(false, v6, OutDatagrams);
	dgram_enqueue(&there->d, p);
	epoch_exit();
	return true;
}

/* UDP_SEGMENT: p in datagrams of `size` bytes, the last one perhaps shorter. Consumes p. */
static int transmit_segments(struct udp_sock *u, struct pkt *p, const struct dgram_send *to,
			     const struct ip_send *how, uint32_t size)
{
	uint32_t header = UDP_HEADER + (addr_is4(&how->dst) ? IPV4_HEADER : IPV6_HEADER);
	struct pkt *part;
	int err = 0;

	if (size + header > how->mtu || p->len > size * SEGMENTS_MAX) {
		pkt_free(p);
		return -EINVAL;
	}
	for (uint32_t at = 0; at < p->len && !err; at += size) {
		part = ip_piece(p, at, MIN(size, p->len - at));
		err = part ? transmit(u, part, to, how) : -ENOBUFS;
	}
	pkt_free(p);
	return err;
}

/* Sends the whole payload p of one message; consumes it. */
static int send_message(struct udp_sock *u, struct pkt *p, const struct dgram_send *to)
{
	uint32_t gso = to->c.gso ? to->c.gso : u->gso;
	struct ip_send how;
	int err;

	dgram_set_send(&u->d, to, (uint8_t)u->d.i.s.protocol, &how);
	if (UNLIKELY(gso && p->len > gso && u->is_lite)) {
		pkt_free(p);
		return -EIO;
	}
	if (UNLIKELY(gso && p->len > gso))
		return transmit_segments(u, p, to, &how, gso);
	if ((err = dgram_check_size(&u->d, to, &how, p->len + (size_t)UDP_HEADER))) {
		pkt_free(p);
		return err;
	}
	return pass(u, p, to, &how) ? 0 : transmit(u, p, to, &how);
}

/* --- more than one call for a datagram --- */

static int push_pending_locked(struct udp_sock *u)
{
	struct pkt *p = u->pending;

	u->pending = NULL;
	return p ? send_message(u, p, &u->to) : 0;
}

int udp_push_pending(struct udp_sock *u)
{
	int err;

	mutex_lock(&u->sending);
	err = push_pending_locked(u);
	mutex_unlock(&u->sending);
	return err;
}

/* The address and options of the first call count. */
static int begin_locked(struct udp_sock *u, const struct sockmsg *m)
{
	int err = dgram_prepare(&u->d, m, &u->to);

	if (err || (err = dgram_wait_for_room(&u->d, m->flags)))
		return err;
	u->pending = pkt_alloc();
	return u->pending ? 0 : -ENOBUFS;
}

static NOINLINE ssize64_t send_corked(struct udp_sock *u, struct sockmsg *m)
{
	bool more = u->cork || m->flags & MSG_MORE;
	size_t len = m->uio->resid;
	int err = 0;

	mutex_lock(&u->sending);
	if (!u->pending)
		err = begin_locked(u, m);
	if (!err && u->pending->len + len > LEN_MAX - UDP_HEADER)
		err = -EMSGSIZE;
	else if (!err)
		err = pkt_append_uio(u->pending, m->uio, len);
	if (err) {
		pkt_free(u->pending);
		u->pending = NULL;
	} else if (!more) {
		err = push_pending_locked(u);
	}
	mutex_unlock(&u->sending);
	return err ? err : (ssize64_t)len;
}

ssize64_t udp_send(struct socket *s, struct sockmsg *m)
{
	struct udp_sock *u = udp_of(s);
	size_t len = m->uio->resid;
	struct dgram_send to;
	struct pkt *p;
	int err;

	if (UNLIKELY(len > LEN_MAX))
		return -EMSGSIZE;
	if (UNLIKELY(m->flags & MSG_MORE || u->cork || u->pending) && !(m->flags & MSG_OOB))
		return send_corked(u, m);
	if ((err = dgram_prepare(&u->d, m, &to)) || (err = dgram_wait_for_room(&u->d, m->flags)))
		return err;
	if (UNLIKELY(!(p = pkt_alloc())))
		return -ENOBUFS;
	if (LIKELY(!(err = pkt_from_uio(p, m->uio, len))))
		err = send_message(u, p, &to);
	else
		pkt_free(p);
	if (UNLIKELY(m->flags & MSG_ZEROCOPY) && !err && len && socket_has(s, SOB_ZEROCOPY))
		inet_tell_copied(&u->d.i);
	return err ? err : (ssize64_t)len;
}
