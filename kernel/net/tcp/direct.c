/*
 * Two connections of one machine, each other's peers: bytes pass from one to the other without
 * segments. What a data segment with an acknowledgement, and the acknowledgement that answers it,
 * would have done to both happens at once, so that either side can go back to segments at any
 * time, and those that are still on their way are old ones.
 *
 * Only while nothing of the sender's is under way: then there is no loss, order or congestion to
 * think of, and no round trip to measure.
 */
#include "net/tcp/tcp_priv.h"

bool tcp_direct_ready(const struct tcp_conn *from, const struct tcp_conn *to)
{
	if (from->state != TCP_ESTABLISHED && from->state != TCP_CLOSE_WAIT)
		return false;
	if (to->state != TCP_ESTABLISHED && to->state != TCP_FIN_WAIT2)
		return false;
	return from->ca == TCP_CA_Open && !tcp_in_flight(from) && from->snd_nxt == to->rcv_nxt &&
	       !from->fin_queued && !from->pending && seq_leq(from->snd_up, from->snd_una) &&
	       !to->nooo && !to->fin_seen && !to->orphan;
}

uint32_t tcp_direct_room(struct tcp_conn *to)
{
	(void)tcp_announce_window(to);
	return to->rcv_adv - to->rcv_nxt;
}

/* What `to` has under way arrived, in part at least: RFC 9293 3.10.7.4, fifth. */
static void acknowledge(struct tcp_conn *from, struct tcp_conn *to, nsec_t now)
{
	struct tcp_seg ack;

	tcp_make_ack(from, now, &ack);
	to->n.segs_in++;
	(void)!tcp_ack_input(to, &ack, now);
}

/* As ack.c's update_window() by a segment at seq that acknowledges all. The edge is the one that
 * was announced last: tcp_direct_room() and acknowledgements move it. */
static void tell_window(struct tcp_conn *from, struct tcp_conn *to, uint32_t seq)
{
	uint32_t held = MIN((from->rcv_adv - from->rcv_nxt) >> from->rcv_wscale, 65535u);

	to->snd_wnd = held << to->snd_wscale;
	to->max_wnd = MAX(to->max_wnd, to->snd_wnd);
	to->snd_wl1 = seq;
	to->snd_wl2 = from->rcv_nxt;
	from->rcv_acked = from->rcv_nxt;
	from->ack_pending = TCP_ACK_NONE;
	from->delack_at = NSEC_MAX;
}

static void sent(struct tcp_conn *c, uint32_t n, nsec_t now)
{
	uint32_t segments = n <= c->mss ? 1 : DIV_ROUND_UP(n, c->mss);

	tcp_runs_skip(&c->runs, n);
	c->snd_una = c->snd_nxt = c->snd_up = c->snd_sml = c->reo_round = c->snd_nxt + n;
	c->retries = c->probes = c->keep_probes = c->backoff = 0;
	c->override_sws = false;
	c->events |= TCP_EV_ACKED;
	c->last_send = c->last_ack_recv = now;
	c->n.bytes_sent += n;
	c->n.bytes_acked += n;
	c->n.data_segs_out += segments;
	c->n.segs_out += segments;
	c->n.delivered += segments;
	c->n.segs_in++;
}

static void received(struct tcp_conn *c, uint32_t n, uint32_t mss, nsec_t now)
{
	uint32_t segments = n <= mss ? 1 : DIV_ROUND_UP(n, mss);

	if (n > c->rcv_mss)
		c->rcv_mss = (uint16_t)MIN(n, (uint32_t)MAX(c->adv_mss, c->mss));
	c->rcv_nxt += n;
	c->rcv_up = c->rcv_nxt;
	c->rcv_space -= MIN(c->rcv_space, n);
	c->keep_probes = 0;
	c->events |= TCP_EV_READABLE;
	c->last_recv = now;
	c->n.bytes_received += n;
	c->n.data_segs_in += segments;
	c->n.segs_in += segments;
	c->n.segs_out++;
}

void tcp_direct(struct tcp_conn *from, struct tcp_conn *to, uint32_t n, nsec_t now)
{
	if (UNLIKELY(from->rcv_nxt != to->snd_una))
		acknowledge(from, to, now);
	tell_window(from, to, from->snd_nxt);
	if (n) {
		if (now - from->last_recv < TCP_DELACK_NS)
			from->pingpong = true;
		sent(from, n, now);
		received(to, n, from->mss, now);
	}
	tell_window(to, from, to->snd_nxt);
}
