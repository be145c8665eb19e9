/*
 * A connection's life: how it is made and how it ends, and what the socket asks of it.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "net/tcp/listen.h"
#include "net/tcp/tcp_priv.h"

enum { QUICK_ACKS = 16, MSS_MIN = 48 };

const struct tcp_tune tcp_default_tune = {
	.retries2 = 15,
	.keep_count = 9,
	.keep_idle = 7200 * NSEC_PER_SEC,
	.keep_interval = 75 * NSEC_PER_SEC,
	.linger2 = 60 * NSEC_PER_SEC,
};

/* RFC 6691: the MSS option counts no options, a segment does. */
static uint32_t full_mss(const struct tcp_conn *c)
{
	uint32_t mss = MIN(c->path_mss, c->peer_mss);

	return MAX(mss, (uint32_t)MSS_MIN) - (c->ts_ok ? 12 : 0);
}

/*
 * Two segments fit the largest window that the peer ever had, or each would wait for the
 * acknowledgement of the one before (RFC 9293 3.8.6.2.1). A tiny window takes one.
 */
void tcp_update_mss(struct tcp_conn *c)
{
	uint32_t mss = full_mss(c),
		 bound = c->max_wnd > TCP_MSS_DEFAULT ? c->max_wnd / 2 : c->max_wnd;

	if (bound)
		mss = MIN(mss, MAX(bound, (uint32_t)MSS_MIN - 12));
	c->mss = (uint16_t)mss;
}

void tcp_conn_reset(struct tcp_conn *c, const struct tcp_config *cfg, nsec_t now)
{
	/* Most are new, and clear as they were allocated. */
	if (c->was_used)
		memset(c, 0, sizeof(*c));
	c->was_used = true;
	c->state = TCP_CLOSE;
	c->sack_ok = cfg->sack;
	c->ts_ok = cfg->timestamps;
	c->ws_ok = cfg->wscale;
	c->ecn_ok = cfg->ecn;
	c->path_mss = cfg->path_mss;
	c->adv_mss = cfg->mss;
	c->peer_mss = TCP_MSS_DEFAULT;
	c->rcv_mss = TCP_MSS_DEFAULT;
	c->iss = cfg->iss;
	c->snd_una = cfg->iss;
	c->snd_nxt = cfg->iss + 1;
	c->snd_end = cfg->iss + 1;
	c->snd_up = cfg->iss;
	c->snd_sml = cfg->iss;
	c->rcv_space = cfg->recv_space;
	c->rcv_buf = cfg->recv_space;
	c->ts_offset = cfg->ts_offset;
	c->ssthresh = UINT32_MAX;
	c->cwnd_clamp = TCP_BUF_MAX;
	c->recovery_point = cfg->iss;
	c->reo_mult = 1;
	c->reo_round = cfg->iss;
	c->quick_acks = QUICK_ACKS;
	c->rexmit_at = NSEC_MAX;
	c->delack_at = NSEC_MAX;
	c->keep_at = NSEC_MAX;
	c->linger_at = NSEC_MAX;
	c->reo_at = NSEC_MAX;
	c->rto_base = now;
	c->unanswered_since = now;
	c->tune = tcp_default_tune;
	c->syn_retries = cfg->syn_retries;
	c->rcv_wscale = cfg->wscale ? tcp_choose_wscale(MAX(cfg->recv_max, cfg->recv_space)) : 0;
	tcp_runs_init(&c->runs, cfg->iss + 1);
	tcp_rtt_init(&c->rtt);
	tcp_cc_init(&c->cc, cfg->reno);
	tcp_update_mss(c);
	c->cwnd = tcp_initial_window(full_mss(c));
}

/* The peer's SYN: what both want is used. Our SYN has announced a window by then, or will. */
void tcp_apply_syn_options(struct tcp_conn *c, const struct tcp_seg *s, nsec_t now)
{
	c->irs = s->seq;
	c->rcv_nxt = c->rcv_acked = s->seq + 1;
	c->rcv_up = c->rcv_nxt;
	c->rcv_adv = c->rcv_nxt + tcp_syn_window(c);
	c->ts_ok = c->ts_ok && s->opts & TCP_OPT_TS;
	c->sack_ok = c->sack_ok && s->opts & TCP_OPT_SACK_OK;
	c->ws_ok = c->ws_ok && s->opts & TCP_OPT_WSCALE;
	c->snd_wscale = c->ws_ok ? s->wscale : 0;
	c->rcv_wscale = c->ws_ok ? c->rcv_wscale : 0;
	if (s->opts & TCP_OPT_MSS)
		c->peer_mss = s->mss;
	if (c->ts_ok) {
		c->ts_recent = s->tsval;
		c->ts_recent_at = now;
	}
	c->snd_wnd = c->max_wnd = s->window; /* not scaled in a SYN */
	c->snd_wl1 = s->seq;
	c->snd_wl2 = c->snd_una;
	tcp_update_mss(c);
	c->cwnd = tcp_initial_window(full_mss(c));
}

void tcp_established(struct tcp_conn *c, nsec_t now)
{
	c->state = c->fin_queued ? TCP_FIN_WAIT1 : TCP_ESTABLISHED;
	c->events |= TCP_EV_CONNECTED | TCP_EV_ACKED;
	c->snd_up = seq_max(c->snd_up, c->snd_una);
	c->snd_sml = c->snd_una;
	if (!c->retries && c->syn_at)
		tcp_rtt_sample(&c->rtt, tcp_us(now - c->syn_at));
	if (c->retries) /* RFC 5681 3.1: a lost SYN makes the first window one segment */
		c->cwnd = c->mss;
	c->retries = c->backoff = 0;
	c->rto_base = c->unanswered_since = c->last_recv = c->last_ack_recv = now;
	if (c->tune.keepalive)
		c->keep_at = now + c->tune.keep_idle;
}

void tcp_finish(struct tcp_conn *c)
{
	c->state = TCP_CLOSE;
	c->rexmit_at = c->delack_at = c->keep_at = c->linger_at = c->reo_at = NSEC_MAX;
	c->rexmit = TCP_REXMIT_NONE;
	c->events |= TCP_EV_CLOSED;
}

void tcp_fail(struct tcp_conn *c, int error)
{
	c->error = error;
	c->events |= TCP_EV_ERROR;
	tcp_finish(c);
}

void tcp_enter_time_wait(struct tcp_conn *c)
{
	c->state = TCP_TIME_WAIT;
	c->rexmit_at = c->delack_at = c->keep_at = c->linger_at = c->reo_at = NSEC_MAX;
	c->rexmit = TCP_REXMIT_NONE;
	c->events |= TCP_EV_TIME_WAIT;
}

/* tcp(7) TCP_LINGER2: a closed socket's FIN-WAIT-2 ends. */
void tcp_start_linger(struct tcp_conn *c, nsec_t now)
{
	if (!c->orphan || c->state != TCP_FIN_WAIT2)
		return;
	if (c->tune.linger2 < 0)
		tcp_abort(c);
	else
		c->linger_at = now + c->tune.linger2;
}

void tcp_open(struct tcp_conn *c, const struct tcp_config *cfg, nsec_t now)
{
	tcp_conn_reset(c, cfg, now);
	c->state = TCP_SYN_SENT;
	c->pending = TCP_SEND_SYN;
}

int tcp_send(struct tcp_conn *c, uint32_t len, bool urgent)
{
	if (c->fin_queued || c->state == TCP_CLOSE || c->state == TCP_TIME_WAIT)
		return -EPIPE;
	c->snd_end += len;
	if (urgent)
		c->snd_up = c->snd_end;
	return 0;
}

uint32_t tcp_send_head(const struct tcp_conn *c)
{
	/* Not by comparing with iss: that lies ahead again when 2 GiB have been sent. */
	bool syn = c->snd_una == c->iss && !c->n.bytes_acked;

	return seq_min(syn ? c->iss + 1 : c->snd_una, c->snd_end);
}

uint32_t tcp_unsent(const struct tcp_conn *c)
{
	return seq_gt(c->snd_end, c->snd_nxt) ? c->snd_end - c->snd_nxt : 0;
}

/*
 * RFC 9293 3.8.6.2.2: the peer learns of more room at once only when it makes a difference: the
 * window it knows has become small, and is at least doubled.
 */
void tcp_recv_space(struct tcp_conn *c, uint32_t space, uint32_t buffer)
{
	uint32_t held, offer;

	c->rcv_space = MIN(space, (uint32_t)TCP_BUF_MAX);
	c->rcv_buf = buffer;
	if (!tcp_can_receive(c))
		return;
	held = c->rcv_adv - c->rcv_nxt;
	offer = tcp_window_offer(c);
	if (offer / 2 >= held && offer > held &&
	    c->rcv_space - MIN(held, c->rcv_space) >= tcp_window_step(c))
		c->ack_pending = TCP_ACK_NOW;
}

void tcp_shutdown(struct tcp_conn *c, nsec_t now)
{
	if (c->fin_queued)
		return;
	switch (c->state) {
	case TCP_ESTABLISHED:
		c->state = TCP_FIN_WAIT1;
		break;
	case TCP_CLOSE_WAIT:
		c->state = TCP_LAST_ACK;
		break;
	case TCP_SYN_RECV: /* FIN-WAIT-1 once it is established */
	case TCP_SYN_SENT:
		break;
	default:
		return;
	}
	c->fin_queued = true;
	tcp_start_linger(c, now);
}

void tcp_abort(struct tcp_conn *c)
{
	if (c->state == TCP_CLOSE)
		return;
	if (c->state != TCP_SYN_SENT && c->state != TCP_TIME_WAIT)
		c->pending |= TCP_SEND_RESET;
	tcp_finish(c);
}

void tcp_close(struct tcp_conn *c, bool unread, nsec_t now)
{
	c->orphan = true;
	if (c->state == TCP_SYN_SENT) {
		tcp_finish(c);
	} else if (unread && tcp_is_synchronized(c)) {
		tcp_abort(c);
	} else {
		tcp_shutdown(c, now);
		tcp_start_linger(c, now);
	}
}

void tcp_soft_error(struct tcp_conn *c, int error)
{
	if (tcp_is_opening(c))
		tcp_fail(c, error);
}

/*
 * What is in flight was too long for the path and is sent again in smaller pieces; that is no
 * congestion (RFC 1191 6.4), so that only the scoreboard changes.
 */
void tcp_set_path_mss(struct tcp_conn *c, uint16_t path_mss, nsec_t now)
{
	uint16_t old = c->mss;

	c->path_mss = path_mss;
	tcp_update_mss(c);
	c->cwnd = MAX(c->cwnd, (uint32_t)c->mss);
	if (c->mss >= old || !tcp_is_synchronized(c) || !tcp_in_flight(c))
		return;
	tcp_runs_lose_all(&c->runs, false);
	c->recovery_point = c->snd_nxt;
	c->ca = TCP_CA_Loss;
	c->force_rexmit = true;
	c->rto_base = now;
}

void tcp_set_keepalive(struct tcp_conn *c, bool on, nsec_t now)
{
	c->tune.keepalive = on;
	c->keep_probes = 0;
	c->keep_at = on && tcp_is_synchronized(c)
			     ? MAX(c->last_recv, c->last_ack_recv) + c->tune.keep_idle
			     : NSEC_MAX;
	if (c->keep_at < now)
		c->keep_at = now;
}

void tcp_set_quickack(struct tcp_conn *c, bool on)
{
	c->pingpong = !on;
	c->quick_acks = on ? QUICK_ACKS : 0;
	if (on && c->ack_pending == TCP_ACK_DELAYED)
		c->ack_pending = TCP_ACK_NOW;
}
