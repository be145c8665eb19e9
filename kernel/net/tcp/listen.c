/*
 * Requests, SYN cookies, initial sequence numbers. See listen.h.
 *
 * A cookie: the top 6 bits count minutes, the next 2 choose among four segment sizes, the other 24
 * are a keyed hash of the tuple, the peer's initial sequence number and those 8 bits. It is good
 * for two to three minutes. With timestamps, the low 6 bits of the SYN-ACK's carry the options:
 * window scale (15: none), SACK, ECN.
 */
#include "net/tcp/listen.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "net/tcp/tcp_priv.h"

enum { COOKIE_TUPLE_MAX = 64, COOKIE_AGE = 2, NO_WSCALE = 15, TS_BITS = 63 };

static const uint16_t cookie_mss[4] = { 536, 1220, 1440, 1460 };

uint8_t tcp_choose_wscale(uint32_t max)
{
	uint8_t n = 0;

	while (n < TCP_WSCALE_MAX && max >> n > 65535)
		n++;
	return n;
}

void tcp_req_init(struct tcp_req *r, const struct tcp_config *cfg, const struct tcp_seg *syn,
		  nsec_t now)
{
	*r = (struct tcp_req){
		.irs = syn->seq,
		.iss = cfg->iss,
		.ts_recent = syn->tsval,
		.ts_offset = cfg->ts_offset,
		.recv_space = cfg->recv_space,
		.recv_max = MAX(cfg->recv_max, cfg->recv_space),
		.peer_mss = syn->opts & TCP_OPT_MSS ? syn->mss : TCP_MSS_DEFAULT,
		.adv_mss = cfg->mss,
		.sack_ok = cfg->sack && syn->opts & TCP_OPT_SACK_OK,
		.ts_ok = cfg->timestamps && syn->opts & TCP_OPT_TS,
		.ws_ok = cfg->wscale && syn->opts & TCP_OPT_WSCALE,
		.ecn_ok = cfg->ecn && (syn->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR),
		.max_retries = cfg->syn_retries,
		.cookie_bits = TCP_NO_COOKIE,
		.resend_at = now,
	};
	r->snd_wscale = r->ws_ok ? syn->wscale : 0;
	r->rcv_wscale = r->ws_ok ? tcp_choose_wscale(r->recv_max) : 0;
}

static uint32_t req_ts_now(const struct tcp_req *r, nsec_t now)
{
	return (uint32_t)(now / NSEC_PER_MSEC) + r->ts_offset;
}

void tcp_req_synack(struct tcp_req *r, nsec_t now, struct tcp_seg *out)
{
	*out = (struct tcp_seg){
		.seq = r->iss,
		.ack = r->irs + 1,
		.flags = TCP_SYN | TCP_ACK,
		.window = (uint16_t)MIN(r->recv_space, 65535u),
		.opts = TCP_OPT_MSS,
		.mss = r->adv_mss,
		.wscale = r->rcv_wscale,
	};
	out->flags |= r->ecn_ok ? TCP_ECE : 0;
	out->opts |= r->ws_ok ? TCP_OPT_WSCALE : 0;
	out->opts |= r->sack_ok ? TCP_OPT_SACK_OK : 0;
	if (r->ts_ok) {
		out->opts |= TCP_OPT_TS;
		out->tsval = req_ts_now(r, now);
		out->tsecr = r->ts_recent;
		if (r->cookie_bits != TCP_NO_COOKIE) /* in the past, so that time goes on */
			out->tsval =
				((out->tsval - TS_BITS - 1) & ~(uint32_t)TS_BITS) | r->cookie_bits;
	}
	r->sent_at = now;
	r->resend_at = now + tcp_backed_off(TCP_RTO_INIT_NS, r->retries);
}

bool tcp_req_timer(struct tcp_req *r)
{
	if (r->retries >= r->max_retries)
		return false;
	r->retries++;
	return true;
}

enum tcp_req_verdict tcp_req_input(struct tcp_req *r, const struct tcp_seg *s, nsec_t now,
				   struct tcp_seg *out)
{
	uint32_t rcv_nxt = r->irs + 1, edge = rcv_nxt + MIN(r->recv_space, 65535u);
	bool old = r->ts_ok && s->opts & TCP_OPT_TS && seq_lt(s->tsval, r->ts_recent);

	if ((s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && s->seq == r->irs)
		return TCP_REQ_SYNACK;
	if (seq_lt(s->seq, rcv_nxt) || seq_gt(s->seq, edge) || old) {
		if (s->flags & TCP_RST)
			return TCP_REQ_DROP;
		*out = (struct tcp_seg){ .seq = r->iss + 1, .ack = rcv_nxt, .flags = TCP_ACK };
		out->window = (uint16_t)(MIN(r->recv_space, 65535u) >> r->rcv_wscale);
		if (r->ts_ok) {
			out->opts = TCP_OPT_TS;
			out->tsval = req_ts_now(r, now);
			out->tsecr = r->ts_recent;
		}
		return TCP_REQ_ACK;
	}
	if (s->flags & TCP_RST)
		return s->seq == rcv_nxt ? TCP_REQ_DEAD : TCP_REQ_DROP;
	if (s->flags & TCP_SYN)
		return TCP_REQ_DROP;
	if (!(s->flags & TCP_ACK))
		return TCP_REQ_DROP;
	return s->ack == r->iss + 1 ? TCP_REQ_ESTABLISHED : TCP_REQ_RESET;
}

void tcp_accept(struct tcp_conn *c, const struct tcp_config *cfg, const struct tcp_req *r,
		nsec_t now)
{
	struct tcp_seg syn = {
		.seq = r->irs,
		.opts = TCP_OPT_MSS,
		.mss = r->peer_mss,
		.wscale = r->snd_wscale,
		.tsval = r->ts_recent,
	};
	struct tcp_config own = *cfg;

	own.iss = r->iss;
	own.ts_offset = r->ts_offset;
	tcp_conn_reset(c, &own, now);
	syn.opts |= r->sack_ok ? TCP_OPT_SACK_OK : 0;
	syn.opts |= r->ts_ok ? TCP_OPT_TS : 0;
	syn.opts |= r->ws_ok ? TCP_OPT_WSCALE : 0;
	c->rcv_wscale = r->rcv_wscale;
	c->ecn_ok = r->ecn_ok;
	tcp_apply_syn_options(c, &syn, now);
	c->rcv_adv = c->rcv_nxt + MIN(r->recv_space, 65535u);
	c->state = TCP_SYN_RECV;
	c->retries = r->retries;
	c->syn_at = r->sent_at;
	c->n.segs_in = 1;
	c->n.segs_out = 1;
}

void tcp_first_numbers(struct tcp_config *cfg, const struct siphash_key *key, const void *tuple,
		       size_t n, nsec_t now)
{
	uint64_t hash = siphash(key, tuple, n);

	cfg->iss = (uint32_t)hash + (uint32_t)(now / (4 * NSEC_PER_USEC));
	cfg->ts_offset = (uint32_t)(hash >> 32);
}

static uint32_t cookie_hash(const struct siphash_key *key, const void *tuple, size_t n,
			    uint32_t irs, uint32_t top)
{
	uint8_t text[COOKIE_TUPLE_MAX + 8];

	n = MIN(n, (size_t)COOKIE_TUPLE_MAX);
	memcpy(text, tuple, n);
	memcpy(text + n, &irs, 4);
	memcpy(text + n + 4, &top, 4);
	return (uint32_t)siphash(key, text, n + 8) & 0xffffff;
}

static uint32_t cookie_minute(nsec_t now)
{
	return (uint32_t)(now / (60 * NSEC_PER_SEC)) & 63;
}

void tcp_cookie_make(struct tcp_req *r, const struct siphash_key *key, const void *tuple, size_t n,
		     nsec_t now)
{
	uint32_t i = 0, top;

	while (i < 3 && cookie_mss[i + 1] <= r->peer_mss)
		i++;
	top = cookie_minute(now) << 2 | i;
	r->iss = top << 24 | cookie_hash(key, tuple, n, r->irs, top);
	r->cookie_bits = (uint8_t)((r->ws_ok ? r->snd_wscale : NO_WSCALE) | r->sack_ok << 4 |
				   r->ecn_ok << 5);
	if (!r->ts_ok) /* nothing carries them */
		r->ws_ok = r->sack_ok = r->ecn_ok = false;
	if (!r->ws_ok)
		r->snd_wscale = r->rcv_wscale = 0;
}

bool tcp_cookie_check(struct tcp_req *r, const struct tcp_config *cfg,
		      const struct siphash_key *key, const void *tuple, size_t n,
		      const struct tcp_seg *ack, nsec_t now)
{
	uint32_t cookie = ack->ack - 1, top = cookie >> 24, bits = ack->tsecr & TS_BITS;
	uint32_t age = (cookie_minute(now) - (top >> 2)) & 63;
	struct tcp_seg syn = { .seq = ack->seq - 1, .flags = TCP_SYN, .opts = TCP_OPT_MSS };

	if ((ack->flags & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK || age > COOKIE_AGE ||
	    (cookie & 0xffffff) != cookie_hash(key, tuple, n, syn.seq, top))
		return false;
	syn.mss = cookie_mss[top & 3];
	if (ack->opts & TCP_OPT_TS) {
		syn.opts |= TCP_OPT_TS;
		syn.tsval = ack->tsval;
		syn.wscale = (uint8_t)(bits & 15);
		syn.opts |= syn.wscale != NO_WSCALE ? TCP_OPT_WSCALE : 0;
		syn.opts |= bits & 16 ? TCP_OPT_SACK_OK : 0;
		syn.flags |= bits & 32 ? TCP_ECE | TCP_CWR : 0;
	}
	tcp_req_init(r, cfg, &syn, now);
	r->iss = cookie;
	r->retries = 1; /* when the SYN-ACK was sent is not known: no round trip from it */
	return true;
}

bool tcp_reset_for(const struct tcp_seg *s, struct tcp_seg *out)
{
	if (s->flags & TCP_RST)
		return false;
	if (s->flags & TCP_ACK)
		*out = (struct tcp_seg){ .seq = s->ack, .flags = TCP_RST };
	else
		*out = (struct tcp_seg){
			.ack = s->seq + tcp_seg_span(s),
			.flags = TCP_RST | TCP_ACK,
		};
	return true;
}
