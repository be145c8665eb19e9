/*
 * TCP_INFO: tcp(7), in its units: segments, microseconds, and milliseconds since the last event.
 */
#include "net/tcp/tcp_priv.h"

enum { INITIAL_CWND = 10 /* RFC 6928 */, ADV_HEADERS = 40, INFINITE_SSTHRESH = 0x7fffffff };

static uint32_t ms_since(nsec_t then, nsec_t now)
{
	return (uint32_t)((now - then) / NSEC_PER_MSEC);
}

static uint32_t segments(const struct tcp_conn *c, uint32_t bytes)
{
	return DIV_ROUND_UP(bytes, c->mss);
}

static uint8_t options(const struct tcp_conn *c)
{
	unsigned o = 0;

	o |= c->ts_ok ? TCPI_OPT_TIMESTAMPS : 0;
	o |= c->sack_ok ? TCPI_OPT_SACK : 0;
	o |= c->ws_ok ? TCPI_OPT_WSCALE : 0;
	o |= c->ecn_ok ? TCPI_OPT_ECN : 0;
	o |= c->ecn_ok && c->ecn_seen ? TCPI_OPT_ECN_SEEN : 0;
	return (uint8_t)o;
}

static void fill_counts(const struct tcp_conn *c, struct abi_tcp_info *i)
{
	i->tcpi_total_retrans = c->n.retrans;
	i->tcpi_bytes_acked = c->n.bytes_acked;
	i->tcpi_bytes_received = c->n.bytes_received;
	i->tcpi_bytes_sent = c->n.bytes_sent;
	i->tcpi_bytes_retrans = c->n.bytes_retrans;
	i->tcpi_segs_out = c->n.segs_out;
	i->tcpi_segs_in = c->n.segs_in;
	i->tcpi_data_segs_in = c->n.data_segs_in;
	i->tcpi_data_segs_out = c->n.data_segs_out;
	i->tcpi_delivered = c->n.delivered;
	i->tcpi_delivered_ce = c->n.delivered_ce;
	i->tcpi_dsack_dups = c->n.dsack_dups;
	i->tcpi_reord_seen = c->n.reordered;
	i->tcpi_rcv_ooopack = c->n.ooo;
}

static void fill_sender(const struct tcp_conn *c, struct abi_tcp_info *i)
{
	uint32_t retrans = 0;

	for (uint32_t k = 0; k < c->runs.n; k++)
		if (c->runs.run[k].flags == TCP_RUN_RETRANS)
			retrans += tcp_run_end(&c->runs, k) - c->runs.run[k].start;
	i->tcpi_snd_mss = c->mss;
	i->tcpi_unacked = segments(c, c->snd_nxt - c->snd_una);
	i->tcpi_sacked = segments(c, c->runs.sacked + c->reno_sacked);
	i->tcpi_lost = segments(c, c->runs.lost);
	i->tcpi_retrans = segments(c, retrans);
	i->tcpi_snd_ssthresh =
		c->ssthresh >= TCP_BUF_MAX ? (uint32_t)INFINITE_SSTHRESH : c->ssthresh / c->mss;
	i->tcpi_snd_cwnd = c->cwnd / c->mss;
	i->tcpi_snd_wnd = c->snd_wnd;
	i->tcpi_notsent_bytes = tcp_unsent(c);
	i->tcpi_reordering = 3;
	i->tcpi_pacing_rate = i->tcpi_max_pacing_rate = UINT64_MAX; /* not paced */
}

void tcp_info(const struct tcp_conn *c, nsec_t now, struct abi_tcp_info *i)
{
	if (!c->mss) { /* no connection yet: a listener, or a new socket */
		*i = (struct abi_tcp_info){ .tcpi_state = c->state,
					    .tcpi_snd_ssthresh = INFINITE_SSTHRESH,
					    .tcpi_snd_cwnd = INITIAL_CWND,
					    .tcpi_reordering = 3,
					    .tcpi_pacing_rate = UINT64_MAX,
					    .tcpi_max_pacing_rate = UINT64_MAX };
		return;
	}
	*i = (struct abi_tcp_info){
		.tcpi_state = c->state,
		.tcpi_ca_state = c->ca,
		.tcpi_retransmits = c->retries,
		.tcpi_probes = MAX(c->probes, c->keep_probes),
		.tcpi_backoff = c->backoff,
		.tcpi_options = options(c),
		.tcpi_wscales = (uint8_t)(c->snd_wscale | c->rcv_wscale << 4),
		.tcpi_bits = !c->cwnd_limited,
		.tcpi_rto = (uint32_t)(tcp_backed_off(c->rtt.rto, c->backoff) / NSEC_PER_USEC),
		.tcpi_ato = (uint32_t)(TCP_DELACK_NS / NSEC_PER_USEC),
		.tcpi_rcv_mss = c->rcv_mss,
		.tcpi_last_data_sent = ms_since(c->last_send, now),
		.tcpi_last_data_recv = ms_since(c->last_recv, now),
		.tcpi_last_ack_recv = ms_since(c->last_ack_recv, now),
		.tcpi_pmtu = c->path_mss + (uint32_t)ADV_HEADERS,
		.tcpi_rcv_ssthresh = c->rcv_space,
		.tcpi_rtt = c->rtt.srtt_us >> 3,
		.tcpi_rttvar = c->rtt.rttvar_us >> 2,
		.tcpi_min_rtt = c->rtt.min_us,
		.tcpi_advmss = c->adv_mss - (c->ts_ok ? 12u : 0u),
		.tcpi_rcv_space = c->rcv_space,
	};
	fill_counts(c, i);
	fill_sender(c, i);
}
