/*
 * Loss detection, recovery and the congestion window.
 *
 *   OPEN, DISORDER   all is well, or something is out of order: the window grows
 *   CWR              the network said ECN, or a tail loss probe replaced a loss: reducing
 *   RECOVERY         losses were found by time (RACK) or, without SACK, by three duplicate ACKs
 *   LOSS             the retransmission timer expired: slow start from one segment
 *
 * The last three end when recovery_point is acknowledged. CWR and RECOVERY come down to ssthresh by
 * proportional rate reduction (RFC 6937). A reduction that proves unfounded is undone: the peer's
 * timestamp shows the original arrived (Eifel, RFC 3522), or DSACKs name every retransmission.
 */
#include "net/tcp/tcp_priv.h"

enum { DUPTHRESH = 3 };

uint32_t tcp_pipe(const struct tcp_conn *c)
{
	uint32_t pipe = tcp_runs_pipe(&c->runs);

	return pipe - MIN(pipe, c->reno_sacked);
}

/* RFC 6928 2 */
uint32_t tcp_initial_window(uint32_t mss)
{
	return MIN(10 * mss, MAX(2 * mss, 14600u));
}

static void set_cwnd(struct tcp_conn *c, uint32_t cwnd)
{
	c->cwnd = MIN(MAX(cwnd, (uint32_t)c->mss), c->cwnd_clamp);
}

static void reduce(struct tcp_conn *c, uint8_t ca)
{
	c->undo_cwnd = c->cwnd;
	c->undo_ssthresh = c->ssthresh;
	c->undo_una = c->snd_una;
	c->undo_tsval = 0;
	c->undo_retrans = 0;
	c->ssthresh = tcp_cc_reduce(&c->cc, c->cwnd, c->mss);
	c->recovery_point = c->snd_nxt;
	c->recover_flight = MAX(c->snd_nxt - c->snd_una, (uint32_t)c->mss);
	c->prr_delivered = c->prr_out = 0;
	c->ca = ca;
	c->send_cwr = c->ecn_ok;
}

/* RFC 6937 3, with the slow start reduction bound. */
static void proportional_rate(struct tcp_conn *c, uint32_t delivered)
{
	uint32_t pipe = tcp_pipe(c);
	int64_t count;

	c->prr_delivered += delivered;
	if (pipe > c->ssthresh) {
		count = (int64_t)DIV_ROUND_UP((uint64_t)c->prr_delivered * c->ssthresh,
					      c->recover_flight) -
			c->prr_out;
	} else {
		int64_t limit = (int64_t)c->prr_delivered - c->prr_out;

		limit = MAX(limit, (int64_t)delivered) + c->mss;
		count = MIN((int64_t)(c->ssthresh - pipe), limit);
	}
	set_cwnd(c, pipe + (uint32_t)MAX(count, 0));
}

static void grow(struct tcp_conn *c, uint32_t acked, nsec_t now)
{
	if (!c->cwnd_limited || !acked) /* RFC 7661: what was not used proves nothing */
		return;
	if (c->cwnd < c->ssthresh) { /* slow start, RFC 5681 3.1 */
		uint32_t n = MIN(acked, c->ssthresh - c->cwnd);

		set_cwnd(c, c->cwnd + n);
		acked -= n;
	}
	if (acked)
		set_cwnd(c, tcp_cc_grow(&c->cc, c->cwnd, c->mss, acked, c->rtt.srtt_us >> 3, now));
}

static uint32_t reorder_window_us(const struct tcp_conn *c)
{
	uint32_t us;

	if (!c->reordering &&
	    (c->ca >= TCP_CA_Recovery || c->runs.sacked >= DUPTHRESH * (uint32_t)c->mss))
		return 0;
	us = c->rtt.min_us == UINT32_MAX ? 0 : c->rtt.min_us / 4; /* at most 2^25 */
	return MIN(us * MIN(c->reo_mult, 32u), c->rtt.srtt_us >> 3);
}

static bool rack_detect(struct tcp_conn *c, nsec_t now)
{
	uint32_t wait_us;
	bool found;

	if (!c->rack.any || (c->ca == TCP_CA_Open && !c->runs.sacked)) {
		c->reo_at = NSEC_MAX;
		return false; /* all in order: nothing was sent before what arrived */
	}
	found = tcp_runs_detect_lost(&c->runs, &c->rack, c->rack_rtt_us, reorder_window_us(c),
				     tcp_us(now), &wait_us);
	c->reo_at = wait_us ? now + (wait_us + 1) * NSEC_PER_USEC : NSEC_MAX;
	return found;
}

/* RFC 8985 6.2 steps 2 and 3 */
static void rack_update(struct tcp_conn *c, const struct tcp_ack *a)
{
	const struct tcp_delivery *d = &a->d;

	if (d->any && (!c->rack.any || seq_gt(d->sent_us, c->rack.sent_us) ||
		       (d->sent_us == c->rack.sent_us && seq_gt(d->end, c->rack.end)))) {
		c->rack.any = true;
		c->rack.sent_us = d->sent_us;
		c->rack.end = d->end;
		c->rack_rtt_us = d->now_us - d->sent_us;
	}
	if (d->reordered && !c->reordering) {
		c->reordering = true;
		c->n.reordered++;
	}
}

/* RFC 6582 3.2: duplicate ACKs count segments that left the network. */
static void reno_input(struct tcp_conn *c, struct tcp_ack *a)
{
	uint32_t flight = c->snd_nxt - c->snd_una;

	if (a->duplicate) {
		c->dupacks = (uint8_t)MIN(c->dupacks + 1, 255);
		c->reno_sacked = MIN(c->reno_sacked + c->mss, flight);
		a->delivered += c->mss;
		if (c->dupacks == DUPTHRESH && c->ca < TCP_CA_Recovery)
			tcp_runs_lose_head(&c->runs, c->mss);
	} else if (a->acked) {
		uint32_t known = a->acked > c->mss ? a->acked - c->mss : 0;

		known = MIN(known, c->reno_sacked);
		c->reno_sacked = MIN(c->reno_sacked - known, flight);
		a->delivered -= MIN(known, a->delivered);
		c->dupacks = 0;
		if (c->ca == TCP_CA_Recovery && seq_lt(c->snd_una, c->recovery_point)) {
			tcp_runs_lose_head(&c->runs, c->mss); /* partial: the next hole */
			c->force_rexmit = true;
		} else {
			c->reno_sacked = 0;
		}
	}
}

static bool reduction_was_unfounded(const struct tcp_conn *c, const struct tcp_ack *a)
{
	if (c->ca < TCP_CA_Recovery || !c->undo_tsval)
		return false; /* nothing was retransmitted */
	if (a->dsack && c->undo_retrans == 0)
		return true;
	return a->acked && c->ts_ok && a->s->opts & TCP_OPT_TS && a->s->tsecr &&
	       seq_lt(a->s->tsecr, c->undo_tsval);
}

static void undo(struct tcp_conn *c)
{
	c->ssthresh = c->undo_ssthresh;
	set_cwnd(c, MAX(c->cwnd, c->undo_cwnd));
	tcp_runs_unlose(&c->runs);
	c->force_rexmit = false;
	c->undo_tsval = 0;
	c->reordering = true;
	c->ca = TCP_CA_Open;
}

/* RFC 8985 7.4: did the probe replace a loss that nothing else would have shown? */
static void tlp_input(struct tcp_conn *c, const struct tcp_ack *a)
{
	if (!c->tlp_out || seq_lt(a->s->ack, c->tlp_end))
		return;
	c->tlp_out = false;
	if (c->tlp_retrans && !a->dsack && c->ca == TCP_CA_Open && a->acked &&
	    !(a->s->opts & TCP_OPT_SACK)) {
		reduce(c, TCP_CA_CWR);
		c->recovery_point = c->snd_una; /* over with this very acknowledgement */
	}
}

static void end_recovery(struct tcp_conn *c)
{
	if (c->ca != TCP_CA_Loss)
		set_cwnd(c, c->ssthresh);
	if (c->ca == TCP_CA_Recovery && c->reo_persist && --c->reo_persist == 0)
		c->reo_mult = 1;
	c->ca = TCP_CA_Open;
	c->reno_sacked = 0;
	c->dupacks = 0;
}

static void find_losses(struct tcp_conn *c, struct tcp_ack *a)
{
	if (c->sack_ok) {
		rack_update(c, a);
		(void)rack_detect(c, a->now);
	} else {
		reno_input(c, a);
	}
	if (c->runs.lost && c->ca < TCP_CA_Recovery) {
		reduce(c, TCP_CA_Recovery);
		c->force_rexmit = true;
	}
}

void tcp_recover(struct tcp_conn *c, struct tcp_ack *a)
{
	if (reduction_was_unfounded(c, a))
		undo(c);
	if (c->ca >= TCP_CA_CWR && seq_geq(c->snd_una, c->recovery_point))
		end_recovery(c);
	tlp_input(c, a);
	find_losses(c, a);
	if (a->s->flags & TCP_ECE && c->ecn_ok && c->ca < TCP_CA_CWR) {
		c->n.delivered_ce++;
		reduce(c, TCP_CA_CWR); /* RFC 3168 6.1.2: once per window */
	}
	if (c->ca == TCP_CA_CWR || c->ca == TCP_CA_Recovery)
		proportional_rate(c, a->delivered);
	else
		grow(c, a->acked, a->now);
	c->cwnd_limited = false; /* tcp_output() finds out anew */
	if (c->ca <= TCP_CA_Disorder)
		c->ca = c->runs.sacked || c->dupacks ? TCP_CA_Disorder : TCP_CA_Open;
}

void tcp_rack_timer(struct tcp_conn *c, nsec_t now)
{
	c->reo_at = NSEC_MAX;
	if (rack_detect(c, now) && c->ca < TCP_CA_Recovery) {
		reduce(c, TCP_CA_Recovery);
		c->force_rexmit = true;
	}
	if (c->ca == TCP_CA_Recovery)
		proportional_rate(c, 0);
}

/* The retransmission timer expired: RFC 5681 3.1, RFC 6675 5.1. */
void tcp_lose_all(struct tcp_conn *c)
{
	/* The head SACKed yet not acknowledged: the receiver dropped what it had. RFC 2018 8 */
	bool reneged = c->runs.n && c->runs.run[0].flags & TCP_RUN_SACKED;

	if (c->ca <= TCP_CA_CWR || (c->ca == TCP_CA_Loss && seq_gt(c->snd_una, c->undo_una)))
		reduce(c, TCP_CA_Loss);
	c->ca = TCP_CA_Loss;
	c->recovery_point = c->snd_nxt;
	tcp_runs_lose_all(&c->runs, reneged);
	tcp_cc_restart(&c->cc);
	c->cwnd = c->mss;
	c->reno_sacked = 0;
	c->dupacks = 0;
	c->reo_at = NSEC_MAX;
	c->tlp_out = false;
	c->force_rexmit = true;
}

void tcp_retransmission_sent(struct tcp_conn *c, uint32_t bytes, nsec_t now)
{
	if (!c->undo_tsval)
		c->undo_tsval = MAX(tcp_ts_now(c, now), 1u);
	c->undo_retrans += bytes;
	c->n.retrans += DIV_ROUND_UP(bytes, c->mss);
	c->n.bytes_retrans += bytes;
}
