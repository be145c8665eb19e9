// sources: kernel/net/tcp/ack.c kernel/net/tcp/cc.c kernel/net/tcp/conn.c kernel/net/tcp/info.c kernel/net/tcp/input.c kernel/net/tcp/listen.c kernel/net/tcp/output.c kernel/net/tcp/receive.c kernel/net/tcp/recovery.c kernel/net/tcp/rtt.c kernel/net/tcp/runs.c kernel/net/tcp/timer.c kernel/net/tcp/timewait.c kernel/net/tcp/segment.c kernel/lib/siphash.c
/*
 * A hostile peer: segments near the window with any flags and options, calls of the owner and timers, in
 * any order. The machine's invariants hold after each, it sends only what it has, stores only what fits,
 * and never more than a bounded number of segments for one event.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/tcp/listen.h"
#include "net/tcp/seq.h"
#include "net/tcp/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t n;
};

#define require(c)                                                                \
	do {                                                                      \
		if (!(c)) {                                                       \
			fprintf(stderr, "ERROR: line %d: %s\n", __LINE__, #c);   \
			abort();                                                  \
		}                                                                 \
	} while (0)

static uint32_t get(struct input *in, unsigned bytes)
{
	uint32_t v = 0;

	for (; bytes && in->n; bytes--, in->n--)
		v = v << 8 | *in->p++;
	return v;
}

/* A number near `base`, or anything. */
static uint32_t near(struct input *in, uint32_t base)
{
	uint32_t k = get(in, 1);

	if (k < 100)
		return base;
	if (k < 180)
		return base + (uint32_t)(int8_t)get(in, 1);
	if (k < 240)
		return base + (uint32_t)(int16_t)get(in, 2);
	return get(in, 4);
}

static void check(const struct tcp_conn *c)
{
	const struct tcp_runs *r = &c->runs;
	uint32_t sacked = 0, lost = 0;

	require(r->n <= TCP_RUNS && c->nooo <= TCP_OOO && c->cwnd >= c->mss / 2 && c->mss >= 36);
	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t len = tcp_run_end(r, i) - r->run[i].start;

		require(len > 0 && len <= 1u << 30);
		sacked += r->run[i].flags & TCP_RUN_SACKED ? len : 0;
		lost += r->run[i].flags & TCP_RUN_LOST ? len : 0;
	}
	require(sacked == r->sacked && lost == r->lost);
	for (uint32_t i = 0; i < c->nooo; i++)
		require(seq_lt(c->ooo[i].start, c->ooo[i].end) &&
			seq_gt(c->ooo[i].start, i ? c->ooo[i - 1].end : c->rcv_nxt) &&
			seq_leq(c->ooo[i].end, c->rcv_adv));
	if (c->state == TCP_ESTABLISHED) {
		require(r->end == c->snd_nxt && tcp_runs_start(r) == c->snd_una);
		require(seq_leq(c->snd_una, c->snd_nxt) && seq_leq(c->snd_nxt, c->snd_end + 1));
		require(seq_leq(c->rcv_nxt, c->rcv_adv) && c->rcv_adv - c->rcv_nxt <= TCP_BUF_MAX);
	}
}

static void drain(struct tcp_conn *c, nsec_t now)
{
	struct tcp_seg s;
	unsigned n = 0;

	while (tcp_output(c, now, &s)) {
		require(++n < 100000 && s.len <= MAX((uint32_t)TCP_GSO_MAX, (uint32_t)c->mss));
		if (s.len)
			require(seq_geq(s.seq, tcp_send_head(c)) && seq_leq(s.seq + s.len, c->snd_end));
		require(tcp_seg_header_len(&s) <= TCP_HEADER_MAX);
		require(s.len <= c->mss || s.gso_mss);
	}
	check(c);
	(void)tcp_take_events(c);
}

static void segment(struct tcp_conn *c, struct input *in, nsec_t now)
{
	struct tcp_seg s = { .seq = near(in, c->rcv_nxt), .ack = near(in, c->snd_nxt) };
	struct tcp_store st;
	uint32_t k = get(in, 1), was = c->rcv_nxt;
	bool opening = c->state == TCP_SYN_SENT;

	if (k & 1)
		s.ack = near(in, c->snd_una);
	s.flags = k & 2 ? (uint8_t)get(in, 1) : TCP_ACK;
	s.window = k & 4 ? (uint16_t)get(in, 2) : 30000;
	s.len = k & 8 ? get(in, 2) : 0;
	s.ip_ecn = (uint8_t)(k >> 4 & 3);
	s.opts = (uint8_t)(get(in, 1) & 31);
	s.urgent = 7;
	s.mss = s.opts & TCP_OPT_MSS ? (uint16_t)get(in, 2) : 0;
	s.wscale = (uint8_t)(k >> 6);
	s.tsval = near(in, c->ts_recent);
	s.tsecr = near(in, (uint32_t)(now / NSEC_PER_MSEC));
	if (s.opts & TCP_OPT_SACK) {
		s.nsacks = (uint8_t)(1 + k % 4);
		for (int i = 0; i < s.nsacks; i++) {
			s.sacks[i].start = near(in, c->snd_una);
			s.sacks[i].end = near(in, s.sacks[i].start + 1000);
		}
	}
	tcp_input(c, &s, now, &st);
	if (!st.len)
		return;
	require(st.offset + st.len <= s.len);
	require(st.seq == s.seq + !!(s.flags & TCP_SYN) + st.offset);
	require((opening || seq_geq(st.seq, was)) && seq_leq(st.seq + st.len, c->rcv_adv));
}

static void call(struct tcp_conn *c, struct input *in, nsec_t now)
{
	struct abi_tcp_info info;
	uint32_t v = get(in, 2);

	switch (get(in, 1) % 12) {
	case 0:
		tcp_shutdown(c, now);
		break;
	case 1:
		if (v % 8 == 0)
			tcp_close(c, v & 16, now);
		break;
	case 2:
		tcp_recv_space(c, v, 40000);
		break;
	case 3:
		tcp_set_path_mss(c, (uint16_t)v, now);
		break;
	case 4:
		tcp_set_keepalive(c, v & 1, now);
		break;
	case 5:
		c->tune.nodelay = v & 1;
		c->tune.cork = v & 2;
		break;
	case 6:
		tcp_info(c, now, &info);
		break;
	case 7:
		tcp_set_quickack(c, v & 1);
		break;
	default:
		if (c->snd_end - c->snd_una < 1u << 20)
			(void)!tcp_send(c, v * 4, v % 16 == 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint32_t k = get(&in, 2);
	struct tcp_config cfg = { .iss = get(&in, 1) << 24, .mss = 1000, .path_mss = 1000,
				  .recv_space = 40000, .recv_max = 200000, .sack = k & 1,
				  .timestamps = k & 2, .wscale = k & 4, .ecn = k & 8, .reno = k & 16,
				  .syn_retries = 3 };
	struct tcp_seg syn = { .seq = get(&in, 1) << 24, .flags = TCP_SYN, .window = 30000,
			       .opts = TCP_OPT_MSS | TCP_OPT_SACK_OK | TCP_OPT_TS | TCP_OPT_WSCALE,
			       .mss = 1000, .wscale = 3 };
	struct tcp_req req;
	struct tcp_conn c = { 0 };
	nsec_t now = NSEC_PER_SEC;

	if (k & 32) {
		tcp_req_init(&req, &cfg, &syn, now);
		tcp_req_synack(&req, now, &syn);
		tcp_accept(&c, &cfg, &req, now);
	} else {
		tcp_open(&c, &cfg, now);
	}
	drain(&c, now);
	while (in.n && c.state != TCP_CLOSE && c.state != TCP_TIME_WAIT) {
		uint32_t what = get(&in, 1);

		if (what < 160) {
			segment(&c, &in, now);
		} else if (what < 200) {
			call(&c, &in, now);
		} else if (what < 230) {
			now += get(&in, 2) * NSEC_PER_USEC;
		} else {
			nsec_t at = tcp_deadline(&c);

			require(at > now - 1000 * NSEC_PER_SEC);
			now = at == NSEC_MAX ? now : MAX(now, at);
			tcp_timer(&c, now);
		}
		drain(&c, now);
	}
	return 0;
}
