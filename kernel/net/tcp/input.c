/*
 * A segment arrives: RFC 9293 3.10.7, in its order. Each step is a function that says whether the
 * segment goes on.
 *
 *   SYN-SENT         3.10.7.3
 *   everything else  3.10.7.4: sequence number and timestamp, RST, SYN, ACK, URG, text, FIN
 *
 * RFC 5961 narrows what RST, SYN and ACK may do; RFC 7323 5 adds PAWS.
 */
#include "abi/errno.h"
#include "net/tcp/tcp_priv.h"

void tcp_challenge(struct tcp_conn *c, nsec_t now)
{
	if (c->oow_ack_at && now - c->oow_ack_at < TCP_OOW_ACK_NS)
		return;
	c->oow_ack_at = now;
	c->ack_pending = TCP_ACK_NOW;
}

/* Segments that arrive before the window count as acceptable down to what was last acknowledged:
 * an acknowledgement overtaken by data is still one. */
static bool sequence_is_acceptable(const struct tcp_conn *c, const struct tcp_seg *s)
{
	return seq_geq(s->seq + tcp_seg_span(s), c->rcv_acked) && seq_leq(s->seq, c->rcv_adv);
}

/* RFC 7323 5.3. A timestamp older than 24 days proves nothing. */
static bool timestamp_is_old(const struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	return c->ts_ok && s->opts & TCP_OPT_TS && seq_lt(s->tsval, c->ts_recent) &&
	       now - c->ts_recent_at < 24ll * 86400 * NSEC_PER_SEC;
}

/* RFC 7323 4.3: TS.Recent follows the segment that the next acknowledgement answers. */
static void note_timestamp(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	if (c->ts_ok && s->opts & TCP_OPT_TS && seq_leq(s->seq, c->rcv_acked) &&
	    seq_geq(s->tsval, c->ts_recent)) {
		c->ts_recent = s->tsval;
		c->ts_recent_at = now;
	}
}

/* First: is it in order at all? What is not gets an ACK, but a RST none. */
static bool check_sequence(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	bool fits = sequence_is_acceptable(c, s);

	if (fits && (!timestamp_is_old(c, s, now) || s->flags & TCP_RST))
		return true;
	if (s->flags & TCP_RST)
		return false;
	if (s->len == 0) {
		tcp_challenge(c, now);
	} else if (seq_lt(s->seq, c->rcv_nxt)) {
		tcp_note_duplicate(c, s->seq, seq_min(s->seq + s->len, c->rcv_nxt));
	} else {
		c->ack_pending = TCP_ACK_NOW;
	}
	return false;
}

/* Second: RFC 5961 3.2. */
static bool check_reset(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	if (!(s->flags & TCP_RST))
		return true;
	if (s->seq != c->rcv_nxt) {
		tcp_challenge(c, now);
		return false;
	}
	if (c->state == TCP_SYN_RECV)
		tcp_fail(c, ECONNREFUSED);
	else if (c->state == TCP_CLOSE_WAIT)
		tcp_fail(c, EPIPE);
	else
		tcp_fail(c, ECONNRESET);
	return false;
}

/* Third: RFC 5961 4.2. In SYN-RECEIVED the peer may repeat its SYN, or answer ours with it. */
static bool check_syn(struct tcp_conn *c, struct tcp_seg *s, nsec_t now)
{
	if (!(s->flags & TCP_SYN))
		return true;
	if (c->state == TCP_SYN_RECV && s->seq == c->irs) {
		if (!(s->flags & TCP_ACK)) {
			c->pending |= TCP_SEND_SYN;
			return false;
		}
		s->flags &= (uint8_t)~TCP_SYN;
		s->seq++;
		return true;
	}
	tcp_challenge(c, now);
	return false;
}

/* SYN-RECEIVED ends with an acknowledgement of our SYN. */
static bool check_handshake(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	if (c->state != TCP_SYN_RECV)
		return true;
	if (s->ack != c->snd_nxt) {
		c->pending |= TCP_SEND_RESET_REPLY;
		c->rst_seq = s->ack;
		return false;
	}
	c->snd_una = s->ack;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	c->snd_wnd = c->max_wnd = (uint32_t)s->window << c->snd_wscale;
	tcp_update_mss(c);
	tcp_established(c, now);
	return true;
}

/* Our FIN, when it was sent, is acknowledged. */
static void check_fin_acked(struct tcp_conn *c, nsec_t now)
{
	if (!c->fin_queued || c->snd_una != c->snd_end + 1)
		return;
	if (c->state == TCP_FIN_WAIT1) {
		c->state = TCP_FIN_WAIT2;
		tcp_start_linger(c, now);
	} else if (c->state == TCP_CLOSING) {
		tcp_enter_time_wait(c);
	} else if (c->state == TCP_LAST_ACK) {
		tcp_finish(c);
	}
}

/* Sixth: RFC 9293 3.10.7.4, RFC 6093: the pointer names the byte after the urgent one. */
static void check_urgent(struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t up = s->seq + s->urgent;

	if (!(s->flags & TCP_URG) || !tcp_can_receive(c) || seq_leq(up, c->rcv_up) ||
	    seq_leq(up, c->rcv_nxt))
		return;
	c->rcv_up = up;
	c->events |= TCP_EV_URGENT;
}

/* RFC 3168 6.1.3: Congestion Experienced is echoed until the sender says it reduced. */
static void note_ecn(struct tcp_conn *c, const struct tcp_seg *s)
{
	if (!c->ecn_ok)
		return;
	if (s->flags & TCP_CWR)
		c->send_ece = false;
	if (s->ip_ecn != IP_NOT_ECT)
		c->ecn_seen = true;
	if (s->ip_ecn == IP_CE) {
		if (!c->send_ece)
			c->ack_pending = TCP_ACK_NOW;
		c->send_ece = true;
	}
}

static void synchronized_input(struct tcp_conn *c, struct tcp_seg *s, nsec_t now,
			       struct tcp_store *store)
{
	if (!check_sequence(c, s, now) || !check_reset(c, s, now) || !check_syn(c, s, now) ||
	    !(s->flags & TCP_ACK) || !check_handshake(c, s, now))
		return;
	note_timestamp(c, s, now);
	note_ecn(c, s);
	if (!tcp_ack_input(c, s, now))
		return;
	check_fin_acked(c, now);
	check_urgent(c, s);
	tcp_receive(c, s, now, store);
	if (c->tune.keepalive)
		c->keep_at = now + c->tune.keep_idle;
	c->keep_probes = 0;
}

/* RFC 9293 3.10.7.3, first and second. */
static bool syn_sent_check(struct tcp_conn *c, const struct tcp_seg *s)
{
	bool acked = s->flags & TCP_ACK && s->ack == c->snd_nxt;

	if (s->flags & TCP_ACK && !acked) {
		if (!(s->flags & TCP_RST)) {
			c->pending |= TCP_SEND_RESET_REPLY;
			c->rst_seq = s->ack;
		}
		return false;
	}
	if (s->flags & TCP_RST) {
		if (acked)
			tcp_fail(c, ECONNREFUSED);
		return false;
	}
	return s->flags & TCP_SYN;
}

/* RFC 3168 6.1.1.1: a SYN-ACK with ECE and not CWR agrees. */
static void syn_sent_input(struct tcp_conn *c, struct tcp_seg *s, nsec_t now,
			   struct tcp_store *store)
{
	bool acked = s->flags & TCP_ACK;

	if (!syn_sent_check(c, s))
		return;
	c->ecn_ok = c->ecn_ok && acked && (s->flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
	tcp_apply_syn_options(c, s, now);
	if (!acked) { /* simultaneous open: RFC 9293 3.5 figure 7 */
		c->state = TCP_SYN_RECV;
		c->pending |= TCP_SEND_SYN;
		return;
	}
	c->snd_una = s->ack;
	c->snd_wl2 = s->ack;
	tcp_established(c, now);
	c->ack_pending = TCP_ACK_NOW;
	s->seq++;
	s->flags &= (uint8_t) ~(TCP_SYN | TCP_ECE);
	if (s->len || s->flags & TCP_FIN)
		tcp_receive(c, s, now, store);
}

void tcp_input(struct tcp_conn *c, const struct tcp_seg *seg, nsec_t now, struct tcp_store *store)
{
	struct tcp_seg s = *seg;

	*store = (struct tcp_store){ 0 };
	c->n.segs_in += MAX(s.pieces, 1);
	if (c->state == TCP_SYN_SENT)
		syn_sent_input(c, &s, now, store);
	else if (c->state != TCP_CLOSE && c->state != TCP_TIME_WAIT)
		synchronized_input(c, &s, now, store);
}
