/*
 * What to send: RFC 9293 3.8. In this order, one segment a call:
 *
 *   a RST, a SYN, a probe          what events asked for
 *   a retransmission               what is believed lost, as far as the congestion window goes
 *   new data                       both windows, silly window avoidance and Nagle permitting
 *   an ACK                         if one is due and nothing carried it
 *
 * Data segments may be many MSS long (gso_mss): whoever sends them cuts them.
 */
#include "net/tcp/tcp_priv.h"

uint32_t tcp_syn_window(const struct tcp_conn *c)
{
	uint32_t space = c->rcv_space;

	if (c->tune.window_clamp)
		space = MIN(space, c->tune.window_clamp);
	return MIN(space, 65535u);
}

/* RFC 9293 3.8.6.2.2: by how much the window must grow to be worth announcing. */
uint32_t tcp_window_step(const struct tcp_conn *c)
{
	return MIN((uint32_t)c->rcv_mss, c->rcv_buf / 2);
}

/* A buffer smaller than the scale's unit is announced as one unit, or it could never be used. */
uint32_t tcp_window_offer(const struct tcp_conn *c)
{
	uint32_t space = MIN(c->rcv_space, 65535u << c->rcv_wscale), unit = 1u << c->rcv_wscale;

	if (c->tune.window_clamp)
		space = MIN(space, c->tune.window_clamp);
	if (space < unit)
		return space && space >= tcp_window_step(c) ? unit : 0;
	return ALIGN_DOWN(space, unit);
}

/*
 * The window to announce. The right edge never moves back, and forward only by enough to be worth a
 * segment.
 */
uint16_t tcp_announce_window(struct tcp_conn *c)
{
	uint32_t held = c->rcv_adv - c->rcv_nxt, offer = tcp_window_offer(c);

	if (offer > held && c->rcv_space - MIN(held, c->rcv_space) >= tcp_window_step(c)) {
		c->rcv_adv = c->rcv_nxt + offer;
		held = offer;
	}
	return (uint16_t)MIN(held >> c->rcv_wscale, 65535u);
}

static void add_timestamp(const struct tcp_conn *c, struct tcp_seg *out, nsec_t now)
{
	out->opts |= TCP_OPT_TS;
	out->tsval = tcp_ts_now(c, now);
	out->tsecr = c->ts_recent;
}

/* A segment with an ACK and everything that goes with it; the ACK that was due is thereby sent. */
static void make_segment(struct tcp_conn *c, nsec_t now, uint32_t seq, unsigned flags,
			 struct tcp_seg *out)
{
	*out = (struct tcp_seg){
		.seq = seq,
		.ack = c->rcv_nxt,
		.flags = (uint8_t)(flags | TCP_ACK),
		.window = tcp_announce_window(c),
	};
	if (c->ts_ok)
		add_timestamp(c, out, now);
	if (c->sack_ok && (c->nooo || c->dsack.start != c->dsack.end)) {
		out->nsacks = (uint8_t)tcp_sack_blocks(c, out->sacks, c->ts_ok ? 3 : 4);
		out->opts |= TCP_OPT_SACK;
		c->dsack.start = c->dsack.end;
	}
	if (c->send_ece)
		out->flags |= TCP_ECE;
	c->ack_pending = TCP_ACK_NONE;
	c->delack_at = NSEC_MAX;
	c->rcv_acked = c->rcv_nxt;
	c->n.segs_out++;
}

static void make_syn(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	bool reply = c->state == TCP_SYN_RECV;

	*out = (struct tcp_seg){
		.seq = c->iss,
		.ack = reply ? c->rcv_nxt : 0,
		.flags = reply ? TCP_SYN | TCP_ACK : TCP_SYN,
		.window = (uint16_t)tcp_syn_window(c),
		.opts = TCP_OPT_MSS,
		.mss = c->adv_mss,
		.wscale = c->rcv_wscale,
	};
	out->opts |= c->ws_ok ? TCP_OPT_WSCALE : 0;
	out->opts |= c->sack_ok ? TCP_OPT_SACK_OK : 0;
	if (c->ts_ok)
		add_timestamp(c, out, now);
	if (c->ecn_ok && !c->retries)
		out->flags |= TCP_ECE | TCP_CWR;
	c->pending &= (uint16_t)~TCP_SEND_SYN;
	c->ack_pending = TCP_ACK_NONE;
	if (!c->retries)
		c->syn_at = now;
	c->rto_base = now;
	c->n.segs_out++;
}

/* Bytes that the congestion window admits, in whole segments; less than one when that is all. */
static uint32_t congestion_quota(const struct tcp_conn *c, uint32_t want)
{
	uint32_t pipe = tcp_pipe(c), room = c->cwnd > pipe ? c->cwnd - pipe : 0;

	if (room >= c->mss)
		return room - room % c->mss;
	if (pipe == 0)
		return c->mss;
	return want <= room ? want : 0;
}

/* Bytes that the peer's window has left after SND.NXT. */
static uint32_t window_room(const struct tcp_conn *c)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return seq_gt(edge, c->snd_nxt) ? edge - c->snd_nxt : 0;
}

/* The most one segment to send may have: whatever fits a packet does. */
static uint32_t segment_max(const struct tcp_conn *c)
{
	return MAX((uint32_t)TCP_GSO_MAX, (uint32_t)c->mss);
}

static void note_data_sent(struct tcp_conn *c, struct tcp_seg *out, uint32_t mss, nsec_t now)
{
	if (out->len > mss)
		out->gso_mss = (uint16_t)mss;
	if (seq_lt(out->seq, c->snd_up)) {
		out->flags |= TCP_URG;
		out->urgent = (uint16_t)MIN(c->snd_up - out->seq, 65535u);
	}
	if (out->len && out->seq + out->len == c->snd_end)
		out->flags |= TCP_PSH;
	if (c->ca == TCP_CA_Recovery || c->ca == TCP_CA_CWR)
		c->prr_out += out->len;
	if (now - c->last_recv < TCP_DELACK_NS)
		c->pingpong = true;
	c->last_send = now;
	c->n.bytes_sent += out->len;
	c->n.data_segs_out += DIV_ROUND_UP(out->len, mss);
	c->n.segs_out += out->len ? DIV_ROUND_UP(out->len, mss) - 1 : 0;
}

/* Payload of a full segment that also carries these options. */
static uint32_t segment_room(const struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t sacks = s->nsacks ? 4 + 8 * (uint32_t)s->nsacks : 0;

	return c->mss - sacks;
}

/* How much of a lost range, 0: none now. */
static uint32_t retransmission_len(const struct tcp_conn *c, uint32_t start, uint32_t end)
{
	uint32_t len = end - start, edge = c->snd_una + c->snd_wnd, quota;

	quota = c->force_rexmit ? c->mss : congestion_quota(c, len);
	len = MIN(len, MIN(quota, segment_max(c)));
	if (seq_leq(start + len, edge))
		return len;
	if (start == c->snd_una) /* the window shrank: this is the probe as well */
		return MIN(len, (uint32_t)c->mss);
	return seq_lt(start, edge) ? MIN(len, edge - start) : 0;
}

/* Sends [start, start + span) again; a FIN may be the last of it. */
static void resend(struct tcp_conn *c, nsec_t now, uint32_t start, uint32_t span,
		   struct tcp_seg *out)
{
	bool fin;

	make_segment(c, now, start, 0, out);
	if (out->nsacks && span > segment_room(c, out))
		span = segment_room(c, out);
	fin = seq_gt(start + span, c->snd_end);
	out->len = span - fin;
	out->flags |= fin ? TCP_FIN : 0;
	note_data_sent(c, out, segment_room(c, out), now);
	tcp_runs_retransmitted(&c->runs, start, span, tcp_us(now), tcp_quantum_us(c));
	tcp_retransmission_sent(c, span, now);
	c->force_rexmit = false;
	if (start == c->snd_una)
		c->rto_base = now;
}

static bool retransmit(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	uint32_t start, end, len;

	if (!tcp_runs_first_lost(&c->runs, &start, &end)) {
		c->force_rexmit = false;
		return false;
	}
	len = retransmission_len(c, start, end);
	if (!len)
		return false;
	resend(c, now, start, len, out);
	return true;
}

/* May the last, short piece of the queue go? Nagle after Minshall: one small segment at a time. */
static bool small_may_go(const struct tcp_conn *c)
{
	if (c->fin_queued || c->override_sws)
		return true;
	if (c->tune.cork)
		return false;
	return c->tune.nodelay || seq_leq(c->snd_sml, c->snd_una);
}

/* Bytes of new data to send now: RFC 9293 3.8.6.2.1. */
static uint32_t new_data_len(struct tcp_conn *c, uint32_t unsent, bool probe)
{
	uint32_t room = window_room(c), quota, len, full;

	quota = probe ? c->mss : congestion_quota(c, unsent);
	c->cwnd_limited = quota < MIN(unsent, room) || c->cwnd_limited;
	len = MIN(MIN(unsent, room), MIN(quota, segment_max(c)));
	full = len - len % c->mss;
	if (len == full)
		return len;
	if (len == unsent && small_may_go(c))
		return len;
	if (full)
		return full;
	if (len < unsent && len < quota && (len >= c->max_wnd / 2 || c->override_sws))
		return len; /* all that the window takes */
	return 0;
}

/* RFC 5681 4.1: after a pause the window says nothing of the path any more. */
static void restart_after_idle(struct tcp_conn *c, nsec_t now)
{
	uint32_t iw = tcp_initial_window(c->mss);

	if (tcp_in_flight(c))
		return;
	if (c->last_send && now - c->last_send > c->rtt.rto && c->cwnd > iw) {
		c->ssthresh = MAX(c->ssthresh, c->cwnd / 4 * 3);
		c->cwnd = iw;
		tcp_cc_restart(&c->cc);
	}
	c->rto_base = c->unanswered_since = now;
	c->rack.any = false; /* its clock may have gone round meanwhile */
}

static bool send_new(struct tcp_conn *c, nsec_t now, bool probe, struct tcp_seg *out)
{
	uint32_t unsent = tcp_unsent(c), len = 0, room;
	bool fin;

	if (unsent) {
		len = new_data_len(c, unsent, probe);
		if (!len)
			return false;
	} else if (!c->fin_queued || c->snd_nxt != c->snd_end) {
		return false;
	}
	restart_after_idle(c, now);
	make_segment(c, now, c->snd_nxt, 0, out);
	room = segment_room(c, out);
	if (out->nsacks && len > room)
		len = room;
	out->len = len;
	fin = c->fin_queued && c->snd_nxt + len == c->snd_end;
	out->flags |= fin ? TCP_FIN : 0;
	note_data_sent(c, out, room, now);
	if (c->ecn_ok && len) {
		out->ip_ecn = IP_ECT0;
		out->flags |= c->send_cwr ? TCP_CWR : 0;
		c->send_cwr = false;
	}
	tcp_runs_append(&c->runs, len + fin, tcp_us(now), tcp_quantum_us(c));
	c->snd_nxt += len + fin;
	if (len % room)
		c->snd_sml = c->snd_nxt;
	c->override_sws = false;
	return true;
}

/* RFC 8985 7.3: new data if there is some, else the last segment again. */
static bool send_tlp(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	uint32_t len = MIN(c->snd_nxt - c->snd_una, (uint32_t)c->mss);

	c->pending &= (uint16_t)~TCP_SEND_TLP;
	if (!tcp_in_flight(c))
		return false;
	c->tlp_retrans = !tcp_unsent(c) || !send_new(c, now, true, out);
	if (c->tlp_retrans)
		resend(c, now, c->snd_nxt - len, len, out);
	c->tlp_out = true;
	c->tlp_end = c->snd_nxt;
	c->rto_base = now;
	return true;
}

static void make_reset(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	if (c->pending & TCP_SEND_RESET_REPLY) {
		*out = (struct tcp_seg){ .seq = c->rst_seq, .flags = TCP_RST };
		c->pending &= (uint16_t)~TCP_SEND_RESET_REPLY;
		c->n.segs_out++;
		return;
	}
	c->pending &= (uint16_t)~TCP_SEND_RESET;
	make_segment(c, now, c->snd_nxt, TCP_RST, out);
	out->nsacks = 0;
	out->opts &= (uint8_t)~TCP_OPT_SACK;
}

/* What events asked for. */
static bool send_pending(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	if (c->pending & (TCP_SEND_RESET | TCP_SEND_RESET_REPLY)) {
		make_reset(c, now, out);
		return true;
	}
	if (c->pending & TCP_SEND_SYN) {
		make_syn(c, now, out);
		return true;
	}
	if (c->pending & TCP_SEND_PROBE) {
		c->pending &= (uint16_t)~TCP_SEND_PROBE;
		make_segment(c, now, c->snd_una - 1, 0, out);
		return true;
	}
	return c->pending & TCP_SEND_TLP && send_tlp(c, now, out);
}

/* Where a pure ACK stands. After the peer's window shrank, SND.NXT may be outside of it. */
static uint32_t ack_seq(const struct tcp_conn *c)
{
	return seq_min(c->snd_nxt, c->snd_una + c->snd_wnd);
}

void tcp_make_ack(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	make_segment(c, now, ack_seq(c), 0, out);
}

bool tcp_output(struct tcp_conn *c, nsec_t now, struct tcp_seg *out)
{
	bool may_send = tcp_is_synchronized(c);

	if (c->pending && send_pending(c, now, out))
		return true;
	if (may_send) {
		if ((c->runs.lost || c->force_rexmit) && retransmit(c, now, out))
			return true;
		if (c->snd_nxt != c->snd_end + c->fin_queued &&
		    !(c->tune.hold && tcp_in_flight(c)) && send_new(c, now, false, out))
			return true;
	}
	if (c->ack_pending == TCP_ACK_NOW && !tcp_is_opening(c) && c->state != TCP_CLOSE) {
		tcp_make_ack(c, now, out);
		return true;
	}
	tcp_arm(c, now);
	return false;
}
