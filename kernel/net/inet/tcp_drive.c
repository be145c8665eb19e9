/*
 * What follows every step of the machine: its segments go out, what was acknowledged leaves the
 * send queue, the timer is set; and, once the lock is dropped, those who wait are told and a
 * connection that is over leaves the table.
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "core/ktrace.h"
#include "net/inet/inet_priv.h"
#include "net/inet/stats.h"
#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sock.h"
#include "net/inet/tcp_sysctl.h"
#include "net/netif.h"
#include "net/tcp/seq.h"

enum { IN = EPOLLIN | EPOLLRDNORM, OUT = EPOLLOUT | EPOLLWRNORM };

/* A third of the buffer is free, and little enough has not even been sent: tcp(7)
 * TCP_NOTSENT_LOWAT. */
bool tcps_is_writable(const struct tcp_sock *t)
{
	uint32_t queued = tcps_queued(t),
		 low = t->notsent_lowat ? t->notsent_lowat : tcp_notsent_lowat;

	return queued <= t->i.s.sndbuf / 3 * 2 && tcp_unsent(&t->c) < low && tcps_may_queue(queued);
}

/* Half of the buffer is for what packets cost besides their bytes. */
uint32_t tcps_window(const struct tcp_sock *t)
{
	uint32_t win = t->i.s.rcvbuf / 2, held = tcps_readable(t);

	return win > held ? win - held : 0;
}

/* The send buffer follows the congestion window, tcp(7) tcp_wmem. */
static void grow_sndbuf(struct tcp_sock *t)
{
	uint32_t mss = t->c.mss, unit = 1024, want;

	if (socket_has(&t->i.s, SOB_SNDBUF_SET) || tcps_under_pressure())
		return;
	while (unit < mss + 320 + 512)
		unit *= 2;
	want = 2 * MAX(t->c.cwnd / MAX(mss, 1u), 10u) * unit;
	want = MIN(want, (uint32_t)tcp_wmem[2]);
	if (want > t->i.s.sndbuf)
		t->i.s.sndbuf = want;
}

/* The urgent byte has come: it is kept apart, and skipped by readers (unless SO_OOBINLINE). */
static void take_urgent_byte(struct tcp_sock *t, struct tcps_after *a)
{
	struct pkt *p;

	list_for_each (p, &t->rcvq, node) {
		struct tcp_cb *cb = tcp_cb(p);

		if (seq_leq(cb->seq, t->urg_seq) && seq_gt(cb->end, t->urg_seq)) {
			pkt_copy(p, cb->skip + (t->urg_seq - cb->seq), &t->urg_byte, 1);
			t->urg = TCPS_URG_VALID;
			a->in |= EPOLLPRI | EPOLLRDBAND;
			return;
		}
	}
}

static void note_urgent(struct tcp_sock *t, struct tcps_after *a)
{
	t->urg_seq = t->c.rcv_up - 1;
	t->urg = TCPS_URG_COMING;
	a->urgent = true;
}

static void connected(struct tcp_sock *t, struct tcps_after *a)
{
	if (!t->has_copied) {
		t->copied = t->grow_seq = t->c.irs + 1;
		t->has_copied = true;
		t->grow_bytes = MIN(tcps_window(t), 10u * t->c.adv_mss);
	}
	t->nospace = false;
	grow_sndbuf(t);
	a->state = true;
	a->out |= OUT;
}

static void ended(struct tcp_sock *t, unsigned events, nsec_t now, struct tcps_after *a)
{
	if (events & TCP_EV_ERROR)
		atomic_store(&t->i.s.error, t->c.error);
	if (events & TCP_EV_TIME_WAIT)
		tcps_timewait_enter(t, now);
	t->phase = TCPS_DONE;
	t->shut = TCPS_SHUT_ALL;
	sendq_clear(t);
	a->ended = a->state = true;
	a->in |= IN | EPOLLRDHUP | EPOLLHUP | (events & TCP_EV_ERROR ? EPOLLERR : 0u);
	a->out |= OUT | EPOLLHUP;
}

static void rare_events(struct tcp_sock *t, unsigned events, nsec_t now, struct tcps_after *a)
{
	if (events & TCP_EV_CONNECTED)
		connected(t, a);
	if (events & TCP_EV_URGENT)
		note_urgent(t, a);
	if (events & TCP_EV_EOF) {
		t->shut |= TCPS_SHUT_RD;
		a->state = true;
		a->in |= IN | EPOLLRDHUP | (t->shut == TCPS_SHUT_ALL ? EPOLLHUP : 0u);
	}
	if (events & (TCP_EV_CLOSED | TCP_EV_TIME_WAIT))
		ended(t, events, now, a);
}

static void acked(struct tcp_sock *t, nsec_t now, struct tcps_after *a)
{
	t->path.confirmed = now;
	sendq_drop(t, tcp_send_head(&t->c));
	grow_sndbuf(t);
	if (t->nospace && tcps_is_writable(t)) {
		t->nospace = false;
		a->out |= OUT;
	}
}

static void state_changed(struct tcp_sock *t)
{
	uint8_t from = t->last_state, to = t->c.state;

	t->last_state = to;
	ktrace(KT_NET, tcp_state, t->i.s.inode.ino, from, to, t->i.lport, t->i.rport, 0);
	if (to != TCP_CLOSE)
		return;
	if (from == TCP_SYN_SENT || from == TCP_SYN_RECV)
		net_count(STAT_Tcp_AttemptFails);
	else if (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT)
		net_count(STAT_Tcp_EstabResets);
}

void tcps_arrived(struct tcp_sock *t, struct tcps_after *a)
{
	if (UNLIKELY(t->urg == TCPS_URG_COMING))
		take_urgent_byte(t, a);
	if (tcps_readable(t) >= t->i.s.rcvlowat)
		a->in |= IN;
}

void tcps_drive(struct tcp_sock *t, nsec_t now, struct tcps_after *a)
{
	uint32_t retrans = t->c.n.retrans;
	struct tcp_seg seg;
	unsigned events;

	*a = (struct tcps_after){ 0 };
	if (UNLIKELY(t->c.tune.hold))
		t->c.tune.hold = tcps_device_is_busy(t);
	while (tcp_output(&t->c, now, &seg))
		tcps_transmit(t, &seg);
	if (UNLIKELY(t->c.n.retrans != retrans))
		net_count_add(STAT_Tcp_RetransSegs, t->c.n.retrans - retrans);
	if (UNLIKELY(t->c.state != t->last_state))
		state_changed(t);
	if ((events = tcp_take_events(&t->c)) & TCP_EV_ACKED)
		acked(t, now, a);
	if (UNLIKELY(events & ~(unsigned)(TCP_EV_ACKED | TCP_EV_READABLE)))
		rare_events(t, events, now, a);
	if (events & TCP_EV_READABLE && t->phase == TCPS_OPEN)
		tcps_arrived(t, a);
	tcps_charge(t);
	tcps_timer_set(&t->timer, tcp_deadline(&t->c));
}

void tcps_finish(struct tcp_sock *t, struct tcps_after *a)
{
	struct socket *s = &t->i.s;

	if (UNLIKELY(a->urgent))
		socket_send_sigurg(s);
	if (UNLIKELY(a->state)) {
		socket_wake_state(s, a->in | a->out);
	} else {
		if (a->in)
			socket_wake(s, &s->readable, a->in);
		if (a->out)
			socket_wake(s, &s->writable, a->out);
	}
	if (UNLIKELY(a->ended))
		tcps_leave(t);
}

void tcps_unlock_driven(struct tcp_sock *t, nsec_t now)
{
	struct tcps_after a;

	tcps_drive(t, now, &a);
	spin_unlock(&t->lock);
	tcps_finish(t, &a);
	net_run_deferred();
}
