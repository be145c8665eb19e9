/* TIME-WAIT. See timewait.h. */
#include "net/tcp/timewait.h"

#include "net/tcp/tcp_priv.h"

void tcp_tw_init(struct tcp_timewait *tw, const struct tcp_conn *c, nsec_t now)
{
	*tw = (struct tcp_timewait){
		.snd_nxt = c->snd_nxt,
		.rcv_nxt = c->rcv_nxt,
		.rcv_adv = c->rcv_adv,
		.ts_recent = c->ts_recent,
		.ts_offset = c->ts_offset,
		.ts_recent_at = c->ts_recent_at,
		.deadline = now + TCP_TIMEWAIT_NS,
		.window = (uint16_t)MIN((c->rcv_adv - c->rcv_nxt) >> c->rcv_wscale, 65535u),
		.ts_ok = c->ts_ok,
	};
}

/* A sequence number that no segment of the old connection can reach. */
static uint32_t successor_iss(const struct tcp_timewait *tw)
{
	return tw->snd_nxt + 65537;
}

static enum tcp_tw_verdict answer(struct tcp_timewait *tw, nsec_t now, struct tcp_seg *out)
{
	if (tw->oow_ack_at && now - tw->oow_ack_at < TCP_OOW_ACK_NS)
		return TCP_TW_DROP;
	tw->oow_ack_at = now;
	*out = (struct tcp_seg){
		.seq = tw->snd_nxt,
		.ack = tw->rcv_nxt,
		.flags = TCP_ACK,
		.window = tw->window,
	};
	if (tw->ts_ok) {
		out->opts = TCP_OPT_TS;
		out->tsval = (uint32_t)(now / NSEC_PER_MSEC) + tw->ts_offset;
		out->tsecr = tw->ts_recent;
	}
	return TCP_TW_ACK;
}

static bool is_new_syn(const struct tcp_timewait *tw, const struct tcp_seg *s)
{
	if ((s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	return seq_gt(s->seq, tw->rcv_nxt) ||
	       (tw->ts_ok && s->opts & TCP_OPT_TS && seq_gt(s->tsval, tw->ts_recent));
}

enum tcp_tw_verdict tcp_tw_input(struct tcp_timewait *tw, const struct tcp_seg *s, nsec_t now,
				 struct tcp_seg *out)
{
	bool old = tw->ts_ok && s->opts & TCP_OPT_TS && seq_lt(s->tsval, tw->ts_recent);

	if (!old && is_new_syn(tw, s)) {
		*out = (struct tcp_seg){ .seq = successor_iss(tw) };
		return TCP_TW_SYN;
	}
	if (s->flags & TCP_RST)
		return s->seq == tw->rcv_nxt ? TCP_TW_OVER : TCP_TW_DROP;
	if (s->flags & TCP_FIN && s->seq + s->len + 1 == tw->rcv_nxt && !old) {
		tw->deadline = now + TCP_TIMEWAIT_NS; /* the last ACK was lost */
		tw->oow_ack_at = 0;
		return answer(tw, now, out);
	}
	if (s->len == 0 && s->seq == tw->rcv_nxt && !(s->flags & TCP_SYN))
		return TCP_TW_DROP; /* a late acknowledgement */
	return answer(tw, now, out);
}

bool tcp_tw_reusable(const struct tcp_timewait *tw, nsec_t now, uint32_t *iss_min)
{
	if (!tw->ts_ok || now - tw->ts_recent_at < NSEC_PER_SEC)
		return false;
	*iss_min = successor_iss(tw);
	return true;
}
