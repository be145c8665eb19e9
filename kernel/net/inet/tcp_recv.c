/*
 * recv(2): bytes out of the queue. A reader has `reading` and with it the packets before rcv_nxt;
 * the lock is held only to step from one to the next.
 *
 *   source       recv(2), tcp(7), RFC 6093 (urgent data)
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "net/inet/inet_priv.h"
#include "net/inet/tcp_direct.h"
#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sock.h"
#include "net/inet/tcp_sysctl.h"
#include "net/netif.h"
#include "net/tcp/seq.h"

/* One call's progress. */
struct reading {
	struct tcp_sock *t;
	struct sockmsg *m;
	size_t copied, target;
	uint32_t seq; /* next byte */
	bool peek, fault;
	nsec_t time;       /* when the last of it came; 0: nobody asked */
	struct list spent; /* packets that were read */
};

static bool has_urgent(const struct tcp_sock *t)
{
	return t->urg != TCPS_URG_NONE;
}

/* Takes the urgent byte's place into account: [seq, seq + *n) is read up to it, and when it stands
 * first it is left out, unless it is inline. */
static void mind_urgent(struct reading *r, uint32_t *n)
{
	struct tcp_sock *t = r->t;
	uint32_t before = t->urg_seq - r->seq;

	if (LIKELY(!has_urgent(t)) || before >= *n)
		return;
	if (before) {
		*n = before;
	} else if (!socket_has(&t->i.s, SOB_OOBINLINE)) {
		r->seq++;
		--*n;
	}
}

/* What was read leaves the queue. */
static void advance_locked(struct reading *r, struct pkt *p)
{
	struct tcp_sock *t = r->t;

	if (r->peek)
		return;
	t->copied = r->seq;
	if (UNLIKELY(has_urgent(t)) && seq_gt(t->copied, t->urg_seq))
		t->urg = TCPS_URG_NONE;
	if (p && seq_leq(tcp_cb(p)->end, r->seq)) {
		list_remove(&p->node);
		t->rcvq_bytes -= tcp_cb(p)->charge;
		list_add_tail(&r->spent, &p->node);
	}
}

/* The packet that has the next byte, and how many of its bytes to read; NULL: there is none, or
 * the urgent byte says stop. */
static struct pkt *next_locked(struct reading *r, struct pkt *p, uint32_t *n)
{
	struct tcp_sock *t = r->t;
	uint32_t end = t->has_copied ? tcps_readable_end(t) : r->seq;
	struct list *at = r->peek && p ? &p->node : NULL;

	if (UNLIKELY(has_urgent(t)) && t->urg_seq == r->seq && r->copied)
		return NULL;
	if (r->seq == end)
		return NULL;
	p = at ? list_entry(at, struct pkt, node) : list_first(&t->rcvq, struct pkt, node);
	while (seq_leq(tcp_cb(p)->end, r->seq))
		p = list_entry(p->node.next, struct pkt, node);
	*n = seq_min(tcp_cb(p)->end, end) - r->seq;
	*n = (uint32_t)MIN((size_t)*n, r->m->uio->resid);
	mind_urgent(r, n);
	return p;
}

/* Copies until the buffer is full or nothing is left. */
static void copy_queue(struct reading *r)
{
	struct tcp_sock *t = r->t;
	struct uio *u = r->m->uio;
	struct pkt *p = NULL;
	uint32_t n;
	size_t put;

	spin_lock(&t->lock);
	if (!r->peek || !r->copied)
		r->seq = t->copied;
	while (u->resid && !r->fault && (p = next_locked(r, p, &n))) {
		spin_unlock(&t->lock);
		if (UNLIKELY(r->m->flags & MSG_TRUNC)) {
			uio_advance(u, n);
			put = n;
		} else {
			put = pkt_to_uio(p, tcp_cb(p)->skip + (r->seq - tcp_cb(p)->seq), u, n);
		}
		r->fault = put < n;
		r->time = p->time;
		r->copied += put;
		r->seq += (uint32_t)put;
		spin_lock(&t->lock);
		advance_locked(r, p);
	}
	spin_unlock(&t->lock);
}

/* tcp(7) tcp_moderate_rcvbuf: the window is to be twice what is read in a round trip. */
static void grow_rcvbuf(struct tcp_sock *t, nsec_t now)
{
	/* A short round trip says nothing of how late a reader comes. */
	nsec_t rtt = MAX((nsec_t)(t->c.rtt.srtt_us / 8) * NSEC_PER_USEC, NSEC_PER_MSEC);
	nsec_t passed = now - t->grow_since;
	uint64_t read = t->copied - t->grow_seq, want;

	if (passed < rtt)
		return;
	if (passed > rtt)
		read = read * (uint64_t)rtt / (uint64_t)passed;
	if (read > t->grow_bytes && tcp_moderate_rcvbuf && !tcps_under_pressure() &&
	    !socket_has(&t->i.s, SOB_RCVBUF_SET)) {
		want = MIN(4 * (read + 8 * (uint64_t)t->c.rcv_mss), (uint64_t)tcp_rmem[2]);
		t->i.s.rcvbuf = MAX(t->i.s.rcvbuf, (uint32_t)want);
		t->grow_bytes = (uint32_t)read;
	}
	t->grow_since = now;
	t->grow_seq = t->copied;
}

/* The peer, which is not locked, waits for room. */
static bool peer_waits(const struct tcp_sock *t)
{
	return t->peer && tcp_unsent(&t->peer->c);
}

/* Room was made: the peer may have to know. */
static void made_room(struct tcp_sock *t)
{
	uint8_t had;

	spin_lock(&t->lock);
	if (UNLIKELY(t->phase != TCPS_OPEN)) {
		spin_unlock(&t->lock);
		return;
	}
	if (UNLIKELY(t->copied - t->grow_seq > t->grow_bytes))
		grow_rcvbuf(t, clock_mono());
	tcps_charge(t);
	had = t->c.ack_pending;
	tcp_recv_space(&t->c, tcps_window(t), t->i.s.rcvbuf / 2);
	if (LIKELY(t->c.ack_pending == had && !peer_waits(t))) {
		spin_unlock(&t->lock);
		return;
	}
	if (!t->peer) {
		tcps_unlock_driven(t, clock_mono());
		return;
	}
	spin_unlock(&t->lock);
	epoch_enter();
	tcps_room_made(t);
	epoch_exit();
	net_run_deferred();
}

/* Nothing more is there now. 1: the call is over; 0: wait; or -errno. */
static int nothing_left(struct reading *r)
{
	struct tcp_sock *t = r->t;
	int err;

	if (r->copied >= r->target)
		return 1;
	if (r->copied)
		return atomic_load(&t->i.s.error) || t->phase != TCPS_OPEN ||
				       t->shut & TCPS_SHUT_RD ||
				       (has_urgent(t) && t->urg_seq == r->seq)
			       ? 1
			       : 0;
	if ((err = socket_take_error(&t->i.s)))
		return err;
	if (t->shut & TCPS_SHUT_RD)
		return 1;
	return t->phase == TCPS_OPEN ? 0 : -ENOTCONN;
}

static bool may_receive(struct socket *s)
{
	struct tcp_sock *t = tcps_of(s);

	return tcps_readable(t) || t->shut & TCPS_SHUT_RD || t->phase != TCPS_OPEN ||
	       atomic_load(&s->error);
}

/* For a peek, which leaves what it saw. */
static bool may_see_more(struct socket *s)
{
	struct tcp_sock *t = tcps_of(s);

	return tcps_readable(t) > t->peeked || t->shut & TCPS_SHUT_RD || t->phase != TCPS_OPEN ||
	       atomic_load(&s->error);
}

static int wait_for_more(struct reading *r, nsec_t deadline)
{
	struct tcp_sock *t = r->t;

	if (!r->peek)
		return socket_wait(&t->i.s, &t->i.s.readable, may_receive, deadline);
	t->peeked = (uint32_t)r->copied;
	return socket_wait(&t->i.s, &t->i.s.readable, may_see_more, deadline);
}

/* Reads as long as it takes. */
static ssize64_t receive(struct reading *r, nsec_t deadline) NO_TSA
{
	struct tcp_sock *t = r->t;
	int over, err = 0;

	for (;;) {
		mutex_lock(&t->reading);
		copy_queue(r);
		mutex_unlock(&t->reading);
		if (r->fault || !r->m->uio->resid)
			break;
		if (r->copied && !r->peek)
			made_room(t);
		if ((over = nothing_left(r))) {
			err = MIN(over, 0);
			break;
		}
		if ((err = wait_for_more(r, deadline)))
			break;
	}
	if (r->copied)
		return (ssize64_t)r->copied;
	return r->fault ? -EFAULT : err;
}

static ssize64_t receive_urgent(struct tcp_sock *t, struct sockmsg *m)
{
	ssize64_t n = 0;
	uint8_t byte;
	unsigned urg;

	spin_lock(&t->lock);
	urg = t->urg;
	byte = t->urg_byte;
	if (urg == TCPS_URG_VALID && !(m->flags & MSG_PEEK))
		t->urg = TCPS_URG_READ;
	spin_unlock(&t->lock);
	if (socket_has(&t->i.s, SOB_OOBINLINE) || urg == TCPS_URG_NONE || urg == TCPS_URG_READ)
		return -EINVAL;
	if (t->phase == TCPS_IDLE)
		return -ENOTCONN;
	if (urg == TCPS_URG_VALID) {
		m->out_flags |= MSG_OOB;
		if (!m->uio->resid)
			m->out_flags |= MSG_TRUNC;
		else if (m->flags & MSG_TRUNC)
			n = 1;
		else if ((n = (ssize64_t)uio_put(m->uio, &byte, 1)) == 0)
			n = -EFAULT;
		return n;
	}
	return t->phase != TCPS_OPEN || t->shut & TCPS_SHUT_RD ? 0 : -EAGAIN;
}

ssize64_t tcps_recvmsg(struct socket *s, struct sockmsg *m)
{
	struct tcp_sock *t = tcps_of(s);
	struct reading r = { .t = t, .m = m, .peek = m->flags & MSG_PEEK };
	ssize64_t n;

	if (UNLIKELY(m->flags & MSG_ERRQUEUE))
		return inet_errq_recv(&t->i, m);
	if (t->phase == TCPS_LISTEN || (t->phase == TCPS_IDLE && t->call == TCPS_UNCONNECTED))
		return -ENOTCONN;
	if (UNLIKELY(m->flags & MSG_OOB))
		return receive_urgent(t, m);
	list_init(&r.spent);
	r.target = m->flags & MSG_WAITALL ? m->uio->resid
					  : MIN((size_t)t->i.s.rcvlowat, m->uio->resid);
	r.target = MAX(r.target, (size_t)1);
	n = receive(&r, socket_deadline(s->rcvtimeo, m->flags & MSG_DONTWAIT));
	if (n > 0 && !r.peek)
		made_room(t);
	pkt_free_list(&r.spent);
	if (UNLIKELY(r.time) && n > 0)
		sockmsg_put_timestamp(m, s, r.time);
	if (UNLIKELY(t->inq) && n >= 0)
		sockmsg_put_control(m, IPPROTO_TCP, TCP_CM_INQ,
				    &(int32_t){ (int32_t)tcps_readable(t) }, sizeof(int32_t));
	return n;
}
