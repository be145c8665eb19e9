/*
 * Two TCP machines and a network between them, for the tests: links with delay, rate, queue, loss,
 * duplication, reordering, corruption (each packet is built, summed, and parsed again), and a
 * splitter and joiner that do what segmentation offload and receive coalescing do. Time is
 * simulated; the same seed gives the same run. Payload is a function of the position in the stream,
 * so that each delivered byte is compared.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "net/checksum.h"
#include "net/tcp/listen.h"
#include "net/tcp/seq.h"
#include "net/tcp/tcp.h"
#include "net/tcp/timewait.h"

enum { SIM_RECV = 1 << 18, SIM_QUEUE = 8192 };

#define MS NSEC_PER_MSEC
#define US NSEC_PER_USEC

struct sim_packet {
	nsec_t at;
	uint64_t order;
	struct tcp_seg s;
	uint8_t *data;
};

struct sim_link {
	nsec_t delay, jitter;     /* jitter reorders */
	uint64_t bytes_per_sec;   /* 0: infinite */
	uint32_t queue_bytes;     /* 0: infinite; beyond: dropped, or marked CE with ecn */
	uint32_t loss, dup, corrupt; /* of 10000 */
	uint32_t drop_nth;        /* 1-based number of the data packet to lose, once */
	uint32_t drop_count;      /* … and so many after it */
	uint32_t kill_seq, kills; /* lose what begins there, so many times */
	bool ecn;
	nsec_t free_at;
	uint32_t data_packets, packets, lost, ce;
	nsec_t black_from, black_to; /* everything is lost */
	struct sim_packet heap[SIM_QUEUE];
	unsigned n;
};

struct sim_end {
	struct tcp_conn c;
	struct tcp_req req;
	struct tcp_config cfg;
	bool listening, has_req;
	uint64_t to_send, queued; /* the stream's length, and bytes given to tcp_send() */
	uint32_t sndbuf;
	bool close_when_done, closed;
	uint32_t rcvbuf;
	uint32_t start;           /* sequence number of byte 0 that the peer sends */
	uint32_t read_seq;        /* up to where the program has read */
	uint64_t received;
	uint8_t buf[SIM_RECV];    /* by sequence number modulo */
	uint64_t stream;          /* which bytes it sends */
	nsec_t read_stall_to;     /* the program does not read until then */
	uint32_t read_max;        /* at most so much a step; 0: all */
	unsigned events;
	bool eof;
};

struct sim {
	nsec_t now;
	uint64_t rng, order;
	struct sim_end e[2];
	struct sim_link l[2]; /* l[i]: from e[i] */
	uint32_t gro;         /* join up to so many bytes */
	uint32_t direct;      /* of 10000: how often bytes go straight, when they may */
	uint64_t went_direct; /* bytes */
	nsec_t done_at;
	FILE *trace;
};

static inline uint32_t sim_random(struct sim *m)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (uint32_t)(m->rng >> 11);
}

static inline uint8_t sim_byte(uint64_t stream, uint64_t pos)
{
	return (uint8_t)((pos * 0x9e3779b97f4a7c15ull + stream) >> 29);
}

static inline struct tcp_config sim_config(uint32_t iss)
{
	return (struct tcp_config){ .iss = iss, .ts_offset = iss * 7, .mss = 1460, .path_mss = 1460,
				    .recv_space = SIM_RECV, .recv_max = SIM_RECV, .sack = true,
				    .timestamps = true, .wscale = true, .syn_retries = 6 };
}

static inline struct sim *sim_new(uint64_t seed)
{
	struct sim *m = calloc(1, sizeof(*m));

	m->rng = seed * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
	m->now = NSEC_PER_SEC;
	for (int i = 0; i < 2; i++) {
		m->e[i].cfg = sim_config(i ? 0xfffff000u : 0x7ffffff0u);
		m->e[i].rcvbuf = SIM_RECV;
		m->e[i].sndbuf = 1 << 20;
		m->e[i].stream = (uint64_t)i * 1234567;
		m->l[i].delay = 10 * MS;
	}
	return m;
}

static inline void sim_free(struct sim *m)
{
	for (int i = 0; i < 2; i++)
		for (unsigned k = 0; k < m->l[i].n; k++)
			free(m->l[i].heap[k].data);
	free(m);
}

static inline bool sim_before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static inline void sim_push(struct sim_link *l, struct sim_packet p)
{
	unsigned i = l->n++;

	assert_true(l->n < SIM_QUEUE);
	while (i && sim_before(&p, &l->heap[(i - 1) / 2])) {
		l->heap[i] = l->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	l->heap[i] = p;
}

static inline struct sim_packet sim_pop(struct sim_link *l)
{
	struct sim_packet top = l->heap[0], last = l->heap[--l->n];
	unsigned i = 0, k;

	while ((k = 2 * i + 1) < l->n) {
		if (k + 1 < l->n && sim_before(&l->heap[k + 1], &l->heap[k]))
			k++;
		if (sim_before(&last, &l->heap[k]))
			break;
		l->heap[i] = l->heap[k];
		i = k;
	}
	l->heap[i] = last;
	return top;
}

static inline void sim_print(struct sim *m, int from, const struct tcp_seg *s, const char *what)
{
	struct sim_end *e = &m->e[from], *o = &m->e[!from];

	if (!m->trace)
		return;
	fprintf(m->trace, "%10.3f %c %s%s%s%s%s seq %u:%u ack %u win %u", (double)m->now / 1e6,
		from ? 'B' : 'A', s->flags & TCP_SYN ? "S" : "", s->flags & TCP_FIN ? "F" : "",
		s->flags & TCP_RST ? "R" : "", s->flags & TCP_PSH ? "P" : "",
		s->flags & TCP_ECE ? "E" : "", s->seq - e->cfg.iss, s->seq + s->len - e->cfg.iss,
		s->ack - o->cfg.iss, s->window);
	for (int i = 0; i < s->nsacks; i++)
		fprintf(m->trace, " sack %u-%u", s->sacks[i].start - o->cfg.iss,
			s->sacks[i].end - o->cfg.iss);
	fprintf(m->trace, " %s [st %d ca %d cwnd %u pipe %u lost %u]\n", what, e->c.state, e->c.ca,
		e->c.cwnd, e->c.runs.n ? e->c.runs.end - e->c.runs.run[0].start : 0, e->c.runs.lost);
}

/* Through bytes: false when what arrives is not what was sent, as the checksum tells. */
static inline bool sim_bytes(struct sim *m, struct sim_link *l, struct tcp_seg *s, const uint8_t *data)
{
	static uint8_t p[66000];
	size_t hlen = tcp_seg_header_len(s), n = hlen + s->len, out;
	uint32_t pseudo = csum_pseudo4(0x0a000001, 0x0a000002, 6, (uint32_t)n);
	uint8_t ecn = s->ip_ecn;

	tcp_seg_build(s, 1000, 2000, p);
	csum_put(p + 16, csum_finish(csum_copy(csum_add(pseudo, p, hlen), p + hlen, data, s->len)));
	if (sim_random(m) % 10000 < l->corrupt)
		p[sim_random(m) % n] ^= (uint8_t)(1u << sim_random(m) % 8);
	if (csum_finish(csum_add(pseudo, p, n)) != 0)
		return false;
	assert_int_equal(tcp_seg_parse(p, n, s, &out), 0);
	assert_int_equal(out, hlen);
	s->ip_ecn = ecn;
	return true;
}

/* One packet of at most an MSS onto the wire. */
static inline void sim_wire(struct sim *m, int from, struct tcp_seg s, const uint8_t *data)
{
	struct sim_link *l = &m->l[from];
	struct sim_packet p = { .order = m->order++, .s = s };
	nsec_t start = MAX(l->free_at, m->now);
	uint32_t size = s.len + 52, copies;

	l->packets++;
	if (s.len)
		l->data_packets++;
	if (s.len && l->kills && s.seq == l->kill_seq) {
		l->kills--;
		l->lost++;
		sim_print(m, from, &s, "KILLED");
		return;
	}
	if ((s.len && l->drop_nth && l->data_packets >= l->drop_nth &&
	     l->data_packets <= l->drop_nth + l->drop_count) ||
	    sim_random(m) % 10000 < l->loss || (m->now >= l->black_from && m->now < l->black_to)) {
		l->lost++;
		sim_print(m, from, &s, "LOST");
		return;
	}
	if (l->bytes_per_sec) {
		uint64_t backlog = (uint64_t)(start - m->now) * l->bytes_per_sec / NSEC_PER_SEC;

		if (l->queue_bytes && backlog + size > l->queue_bytes) {
			l->lost++;
			sim_print(m, from, &s, "TAILDROP");
			return;
		}
		if (l->ecn && s.ip_ecn && backlog > l->queue_bytes / 4) {
			p.s.ip_ecn = IP_CE;
			l->ce++;
		}
		l->free_at = start + (nsec_t)((uint64_t)size * NSEC_PER_SEC / l->bytes_per_sec);
		start = l->free_at;
	}
	if (!sim_bytes(m, l, &p.s, data)) {
		l->lost++;
		sim_print(m, from, &s, "CORRUPT");
		return;
	}
	sim_print(m, from, &s, "");
	copies = 1 + (sim_random(m) % 10000 < l->dup);
	for (uint32_t i = 0; i < copies; i++) {
		p.at = start + l->delay + (l->jitter ? sim_random(m) % l->jitter : 0);
		p.data = malloc(s.len + 1);
		memcpy(p.data, data, s.len);
		sim_push(l, p);
	}
}

/* Segmentation offload: what a network card or its driver does with gso_mss. */
static inline void sim_send(struct sim *m, int from, const struct tcp_seg *s)
{
	struct sim_end *e = &m->e[from];
	uint8_t data[66000];
	uint32_t off = 0, mss = s->gso_mss ? s->gso_mss : s->len;

	assert_true(s->len <= TCP_GSO_MAX);
	assert_true(s->len == 0 || s->gso_mss || s->len <= e->c.mss);
	if (s->len) {
		assert_true(seq_geq(s->seq, tcp_send_head(&e->c)));
		assert_true(seq_leq(s->seq + s->len, e->c.snd_end));
	}
	for (uint32_t i = 0; i < s->len; i++)
		data[i] = sim_byte(e->stream, s->seq + i - e->cfg.iss - 1);
	do {
		struct tcp_seg p = *s;
		bool last = off + mss >= s->len;

		p.seq += off;
		p.len = last ? s->len - off : mss;
		p.gso_mss = 0;
		if (!last)
			p.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (off)
			p.flags &= (uint8_t)~TCP_CWR;
		p.urgent = p.flags & TCP_URG ? (uint16_t)(s->urgent - off) : 0;
		if (p.flags & TCP_URG && s->urgent <= off)
			p.flags &= (uint8_t)~TCP_URG;
		sim_wire(m, from, p, data + off);
		off += mss;
	} while (off < s->len);
}

static inline void sim_check_conn(const struct tcp_conn *c)
{
	uint32_t sacked = 0, lost = 0;

	for (uint32_t i = 0; i < c->runs.n; i++) {
		uint32_t end = tcp_run_end(&c->runs, i);

		assert_true(seq_lt(c->runs.run[i].start, end));
		sacked += c->runs.run[i].flags & TCP_RUN_SACKED ? end - c->runs.run[i].start : 0;
		lost += c->runs.run[i].flags & TCP_RUN_LOST ? end - c->runs.run[i].start : 0;
		assert_false((c->runs.run[i].flags & TCP_RUN_SACKED) &&
			     (c->runs.run[i].flags & TCP_RUN_LOST));
	}
	assert_int_equal(sacked, c->runs.sacked);
	assert_int_equal(lost, c->runs.lost);
	if (c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECV && c->state != TCP_CLOSE) {
		assert_int_equal(c->runs.end, c->snd_nxt);
		assert_int_equal(tcp_runs_start(&c->runs), c->snd_una);
		assert_true(seq_leq(c->rcv_nxt, c->rcv_adv));
	}
	for (uint32_t i = 0; i < c->nooo; i++) {
		assert_true(seq_lt(c->ooo[i].start, c->ooo[i].end));
		assert_true(seq_gt(c->ooo[i].start, i ? c->ooo[i - 1].end : c->rcv_nxt));
	}
}

/* The program reads what it wants to. */
static inline void sim_read(struct sim *m, int who)
{
	struct sim_end *e = &m->e[who];
	uint32_t end = e->c.rcv_nxt - e->c.fin_received, n = end - e->read_seq;

	if (m->now < e->read_stall_to)
		n = 0;
	if (e->read_max)
		n = MIN(n, e->read_max);
	for (uint32_t i = 0; i < n; i++, e->read_seq++, e->received++) {
		uint8_t want = sim_byte(m->e[!who].stream, e->received);

		assert_int_equal(e->buf[e->read_seq % SIM_RECV], want);
	}
	if (end - e->read_seq > e->rcvbuf)
		tcp_recv_space(&e->c, 0, e->rcvbuf);
	else
		tcp_recv_space(&e->c, e->rcvbuf - (end - e->read_seq), e->rcvbuf);
}

/* The program writes what there is room for, and closes at the end. */
static inline void sim_write(struct sim *m, int who)
{
	struct sim_end *e = &m->e[who];
	uint32_t held = e->c.snd_end - tcp_send_head(&e->c);
	uint64_t n = MIN(e->to_send - e->queued, (uint64_t)(e->sndbuf > held ? e->sndbuf - held : 0));

	if (n && !tcp_send(&e->c, (uint32_t)n, false))
		e->queued += n;
	if (e->close_when_done && !e->closed && e->queued == e->to_send) {
		e->closed = true;
		tcp_shutdown(&e->c, m->now);
	}
}

/* As much as the peer has room for, without a segment. */
static inline void sim_direct(struct sim *m, int who)
{
	struct sim_end *e = &m->e[who], *o = &m->e[!who];
	uint32_t n, seq = e->c.snd_nxt, some = sim_random(m) % 3000;

	if (!o->start || !tcp_direct_ready(&e->c, &o->c))
		return;
	n = MIN(tcp_direct_room(&o->c), tcp_unsent(&e->c));
	if (sim_random(m) % 4 == 0)
		n = MIN(n, some);
	tcp_direct(&e->c, &o->c, n, m->now);
	assert_true(seq + n - o->read_seq <= SIM_RECV);
	for (uint32_t i = 0; i < n; i++)
		o->buf[(seq + i) % SIM_RECV] = sim_byte(e->stream, seq + i - e->cfg.iss - 1);
	m->went_direct += n;
	sim_check_conn(&e->c);
	sim_check_conn(&o->c);
	assert_int_equal(e->c.snd_nxt, o->c.rcv_nxt);
	assert_true(seq_leq(e->c.snd_una + e->c.snd_wnd, o->c.rcv_adv));
}

static inline void sim_pump(struct sim *m, int who)
{
	struct sim_end *e = &m->e[who];
	struct tcp_seg s;
	unsigned guard = 0;

	if (e->listening && !e->c.state)
		return;
	if (e->c.state != TCP_SYN_SENT && e->start) {
		sim_read(m, who);
		sim_write(m, who);
		if (m->direct && sim_random(m) % 10000 < m->direct) {
			sim_direct(m, who);
			sim_write(m, who);
		}
	}
	while (tcp_output(&e->c, m->now, &s)) {
		assert_true(++guard < 5000);
		sim_send(m, who, &s);
	}
	sim_check_conn(&e->c);
	e->events |= tcp_take_events(&e->c);
	e->eof |= !!(e->events & TCP_EV_EOF);
}

static inline void sim_request(struct sim *m, int who, const struct tcp_seg *s)
{
	struct sim_end *e = &m->e[who];
	struct tcp_seg out;

	if (!e->has_req) {
		if (!(s->flags & TCP_SYN) || s->flags & (TCP_ACK | TCP_RST))
			return;
		tcp_req_init(&e->req, &e->cfg, s, m->now);
		e->has_req = true;
		tcp_req_synack(&e->req, m->now, &out);
		sim_send(m, who, &out);
		return;
	}
	switch (tcp_req_input(&e->req, s, m->now, &out)) {
	case TCP_REQ_SYNACK:
		tcp_req_synack(&e->req, m->now, &out);
		sim_send(m, who, &out);
		break;
	case TCP_REQ_ACK:
		sim_send(m, who, &out);
		break;
	case TCP_REQ_ESTABLISHED:
		tcp_accept(&e->c, &e->cfg, &e->req, m->now);
		e->has_req = false;
		break;
	default:
		break;
	}
}

static inline void sim_deliver(struct sim *m, int to, const struct tcp_seg *s, const uint8_t *data)
{
	struct sim_end *e = &m->e[to];
	struct tcp_store st;

	if (e->listening && !e->c.state)
		sim_request(m, to, s);
	if (!e->c.state)
		return;
	tcp_input(&e->c, s, m->now, &st);
	if (!e->start && e->c.irs) {
		e->start = e->c.irs + 1;
		e->read_seq = e->start;
	}
	if (st.len) {
		assert_true(st.offset + st.len <= s->len && st.seq == s->seq + st.offset);
		assert_true(st.seq + st.len - e->read_seq <= SIM_RECV);
	}
	for (uint32_t i = 0; i < st.len; i++)
		e->buf[(st.seq + i) % SIM_RECV] = data[st.offset + i];
	sim_pump(m, to);
}

/* Receive coalescing: packets that arrive together and follow each other become one. */
static inline void sim_arrive(struct sim *m, int from)
{
	struct sim_link *l = &m->l[from];
	struct sim_packet p = sim_pop(l);
	struct tcp_seg s = p.s;
	uint8_t *data = p.data;

	s.pieces = 1;
	while (m->gro && l->n && l->heap[0].at <= m->now + 50 * US && s.len &&
	       !(s.flags & (TCP_SYN | TCP_FIN | TCP_URG | TCP_PSH)) &&
	       s.len + l->heap[0].s.len <= m->gro && l->heap[0].s.len &&
	       l->heap[0].s.seq == s.seq + s.len && l->heap[0].s.ack == s.ack &&
	       l->heap[0].s.opts == s.opts && l->heap[0].s.ip_ecn == s.ip_ecn &&
	       l->heap[0].s.nsacks == 0 && s.nsacks == 0 && !(l->heap[0].s.flags & TCP_URG)) {
		struct sim_packet q = sim_pop(l);

		data = realloc(data, s.len + q.s.len);
		memcpy(data + s.len, q.data, q.s.len);
		s.len += q.s.len;
		s.flags |= q.s.flags;
		s.pieces++;
		free(q.data);
	}
	sim_deliver(m, !from, &s, data);
	free(data);
}

static inline nsec_t sim_next(const struct sim *m)
{
	nsec_t t = NSEC_MAX;

	for (int i = 0; i < 2; i++) {
		const struct sim_end *e = &m->e[i];

		t = m->l[i].n ? MIN(t, m->l[i].heap[0].at) : t;
		if (e->c.state)
			t = MIN(t, tcp_deadline(&e->c));
		if (e->start && e->c.rcv_nxt - e->c.fin_received != e->read_seq)
			t = MIN(t, MAX(m->now + MS, e->read_stall_to));
		if (e->has_req)
			t = MIN(t, e->req.resend_at);
	}
	return t;
}

/* The next thing happens. False when nothing more will. */
static inline bool sim_step(struct sim *m)
{
	nsec_t t = sim_next(m);
	struct tcp_seg out;

	if (t == NSEC_MAX)
		return false;
	m->now = MAX(m->now, t);
	for (int i = 0; i < 2; i++) {
		struct sim_end *e = &m->e[i];

		if (m->l[i].n && m->l[i].heap[0].at <= m->now) {
			sim_arrive(m, i);
			return true;
		}
		if (e->has_req && e->req.resend_at <= m->now) {
			if (tcp_req_timer(&e->req)) {
				tcp_req_synack(&e->req, m->now, &out);
				sim_send(m, i, &out);
			} else {
				e->has_req = false;
			}
		}
		if (e->c.state) {
			if (tcp_deadline(&e->c) <= m->now)
				tcp_timer(&e->c, m->now);
			sim_pump(m, i);
		}
	}
	return true;
}

/* A is to connect to B. */
static inline void sim_connect(struct sim *m)
{
	m->e[1].listening = true;
	tcp_open(&m->e[0].c, &m->e[0].cfg, m->now);
	sim_pump(m, 0);
}

static inline bool sim_transferred(const struct sim *m)
{
	return m->e[0].received == m->e[1].to_send && m->e[1].received == m->e[0].to_send;
}

/* Until both programs have all, or the time is up. */
static inline bool sim_run(struct sim *m, nsec_t limit)
{
	nsec_t end = m->now + limit;

	while (!sim_transferred(m) && m->now < end)
		if (!sim_step(m))
			break;
	m->done_at = m->now;
	return sim_transferred(m);
}
