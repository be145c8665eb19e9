/*
 * What an acknowledgement does to the sender: RFC 9293 3.10.7.4, "fifth, check the ACK field". It
 * is checked, the window and the scoreboard brought up to date, the round trip measured; recovery.c
 * then draws the conclusions.
 */
#include "net/tcp/tcp_priv.h"

/* RFC 9293 3.10.7.4: SND.WL1, SND.WL2. Returns true when the window changed. */
static bool update_window(struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t wnd = (uint32_t)s->window << c->snd_wscale, old = c->snd_wnd;

	if (seq_lt(s->seq, c->snd_wl1) || (s->seq == c->snd_wl1 && seq_lt(s->ack, c->snd_wl2)))
		return false;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	c->snd_wnd = wnd;
	if (UNLIKELY(wnd > c->max_wnd)) {
		c->max_wnd = wnd;
		tcp_update_mss(c);
		c->cwnd = MAX(c->cwnd, (uint32_t)c->mss);
	}
	if (wnd && c->rexmit == TCP_REXMIT_PERSIST)
		c->backoff = 0;
	return wnd != old;
}

/* RFC 2883: the first block tells of a duplicate when it is old, or inside the second. */
static bool is_dsack(const struct tcp_seg *s, uint32_t una)
{
	const struct tcp_range *a = &s->sacks[0], *b = &s->sacks[1];

	if (!seq_lt(a->start, a->end))
		return false;
	if (seq_lt(a->start, s->ack) && seq_leq(a->end, una))
		return true;
	return s->nsacks > 1 && seq_leq(a->end, b->end) && seq_geq(a->start, b->start);
}

/*
 * RFC 8985 6.2 step 4: each round trip with a DSACK makes the reordering window a quarter of the
 * round trip wider; after 16 recoveries without one it is narrow again.
 */
static void note_dsack(struct tcp_conn *c, struct tcp_ack *a)
{
	uint32_t len = a->s->sacks[0].end - a->s->sacks[0].start;

	a->dsack = true;
	c->n.dsack_dups++;
	c->undo_retrans -= MIN(c->undo_retrans, len);
	if (seq_geq(a->s->ack, c->reo_round)) {
		c->reo_round = c->snd_nxt;
		c->reo_mult = MIN(c->reo_mult + 1, 255u);
		c->reo_persist = 16;
	}
}

static void sack_input(struct tcp_conn *c, struct tcp_ack *a)
{
	const struct tcp_seg *s = a->s;
	unsigned i = 0;

	if (is_dsack(s, c->snd_una)) {
		note_dsack(c, a);
		i = 1;
	}
	for (; i < s->nsacks; i++)
		(void)tcp_runs_sack(&c->runs, s->sacks[i].start, s->sacks[i].end, &a->d);
}

/* How long ago the segment was sent that a's acknowledgement answers, as its timestamp has it, in
 * whole milliseconds. 0: it does not say, or nothing sensible. */
static uint32_t echo_age_us(const struct tcp_conn *c, const struct tcp_ack *a)
{
	uint32_t ms = tcp_ts_now(c, a->now) - a->s->tsecr;

	if (!c->ts_ok || !(a->s->opts & TCP_OPT_TS) || !a->s->tsecr || ms >= 1u << 20)
		return 0;
	return MAX(ms, 1u) * 1000;
}

/*
 * Karn: what was sent twice gives no sample; nor does what came with it, which may have waited long
 * for the hole to be filled.
 */
static void measure_rtt(struct tcp_conn *c, const struct tcp_ack *a)
{
	if (a->d.has_rtt && !a->d.was_retrans)
		tcp_rtt_sample(&c->rtt, tcp_us(a->now) - a->d.rtt_sent_us);
	else if (a->acked && a->d.echo_age_us)
		tcp_rtt_sample(&c->rtt, a->d.echo_age_us);
}

/* SND.UNA moves. */
static void advance(struct tcp_conn *c, struct tcp_ack *a)
{
	uint32_t data_end = seq_min(a->s->ack, c->snd_end);

	a->acked = a->s->ack - c->snd_una;
	c->n.bytes_acked += seq_gt(data_end, c->snd_una) ? data_end - c->snd_una : 0;
	tcp_runs_ack(&c->runs, a->s->ack, &a->d);
	c->snd_una = a->s->ack;
	c->snd_up = seq_max(c->snd_up, c->snd_una);
	c->snd_sml = seq_max(c->snd_sml, c->snd_una);
	c->retries = c->backoff = 0;
	c->rto_base = c->unanswered_since = a->now;
	c->events |= TCP_EV_ACKED;
}

static void ack_accepted(struct tcp_conn *c, struct tcp_ack *a, bool window_changed)
{
	const struct tcp_seg *s = a->s;

	if (s->ack == c->snd_una && !tcp_in_flight(c))
		return;
	a->d.now_us = tcp_us(a->now);
	a->d.min_rtt_us = c->rtt.min_us == UINT32_MAX ? 0 : c->rtt.min_us;
	a->d.echo_age_us = echo_age_us(c, a);
	if (seq_gt(s->ack, c->snd_una))
		advance(c, a);
	if (c->sack_ok && s->opts & TCP_OPT_SACK)
		sack_input(c, a);
	a->duplicate = !a->acked && s->ack == c->snd_una && s->len == 0 && !window_changed &&
		       !(s->flags & (TCP_SYN | TCP_FIN)) && tcp_in_flight(c);
	tcp_runs_delivered(&c->runs, &a->d);
	a->delivered = a->d.bytes;
	c->n.delivered += DIV_ROUND_UP(a->d.bytes, c->mss);
	measure_rtt(c, a);
	tcp_recover(c, a);
}

bool tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	struct tcp_ack a = { .s = s, .now = now };
	bool window_changed;

	/* Not sent yet, or older than any window was: RFC 5961 5.2 */
	if (seq_gt(s->ack, c->snd_nxt) || seq_lt(s->ack, c->snd_una - c->max_wnd)) {
		tcp_challenge(c, now);
		return false;
	}
	c->last_ack_recv = now;
	c->probes = 0;
	if (c->snd_wnd == 0)
		c->unanswered_since = now; /* it answers: RFC 9293 3.8.6.1 */
	window_changed = update_window(c, s);
	if (s->flags & TCP_ECE && c->ecn_ok)
		c->ecn_seen = true;
	ack_accepted(c, &a, window_changed);
	return true;
}
