/*
 * Scripts against one TCP machine. A line is a time to wait ("+200": ms, timers run), or:
 *
 *   cfg WORD…             before connect or listen: ts ws ecn nosack reno mss=N space=N
 *   connect | listen      the machine opens
 *   < FLAGS SEQ:LEN …     a segment arrives: ack=N win=N mss=N ws=N sackok ts=VAL,ECR sack=A-B ce urg=N
 *   > FLAGS SEQ:LEN …     the next segment sent is this; what is not named is not compared (PSH never)
 *   none                  nothing more was sent
 *   write N | urgent N | shutdown | close | reset (close with unread data) | abort | space N
 *   nodelay | cork 0/1 | hold 0/1 | keepalive IDLE INTERVAL COUNT (ms) | usertimeout MS | quickack | pathmss N
 *   state NAME | error N | event NAME | noevent NAME | readable N (bytes in order so far) | una N
 *   timewait              goes on with a timewait block; "verdict NAME" after a segment
 *
 * Sequence numbers count from each side's initial one. FLAGS: S F R A U E W, "." for none.
 * Before each "<", and at the end, everything that was sent must have been expected.
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

#include "net/tcp/listen.h"
#include "net/tcp/seq.h"
#include "net/tcp/tcp.h"
#include "net/tcp/timewait.h"

enum { SC_OURS = 0x7ffffff0, SC_THEIRS = (int)0xfffffff0, SC_OUT = 256 };

struct script {
	struct tcp_conn c;
	struct tcp_req req;
	struct tcp_timewait tw;
	struct tcp_config cfg;
	bool listening, has_req, in_tw;
	nsec_t now;
	struct tcp_seg out[SC_OUT];
	unsigned nout, next;
	unsigned events;
	int verdict;
	const char *line;
};

static inline void sc_fail(struct script *t, const char *what)
{
	fail_msg("%s\n    at line: %.*s", what, (int)strcspn(t->line, "\n"), t->line);
}

static inline void sc_emit(struct script *t, const struct tcp_seg *s)
{
	assert_true(t->nout < SC_OUT);
	t->out[t->nout++] = *s;
}

static inline void sc_drain(struct script *t)
{
	struct tcp_seg s;

	while (t->c.state && tcp_output(&t->c, t->now, &s))
		sc_emit(t, &s);
	t->events |= tcp_take_events(&t->c);
}

static inline void sc_wait(struct script *t, nsec_t until)
{
	for (int guard = 0; guard < 10000; guard++) {
		nsec_t at = t->c.state ? tcp_deadline(&t->c) : NSEC_MAX;

		if (t->has_req)
			at = MIN(at, t->req.resend_at);
		if (at > until)
			break;
		t->now = MAX(t->now, at);
		if (t->has_req && t->req.resend_at <= t->now) {
			struct tcp_seg s;

			t->has_req = tcp_req_timer(&t->req);
			if (t->has_req) {
				tcp_req_synack(&t->req, t->now, &s);
				sc_emit(t, &s);
			}
		}
		if (t->c.state) {
			tcp_timer(&t->c, t->now);
			sc_drain(t);
		}
	}
	t->now = until;
}

static inline unsigned sc_flags(const char *p)
{
	static const char names[] = "FSRPAUEW";
	unsigned f = 0;

	for (; *p && *p != '.'; p++) {
		const char *n = strchr(names, *p);

		assert_non_null(n);
		f |= 1u << (n - names);
	}
	return f;
}

static inline void sc_input(struct script *t, const struct tcp_seg *s)
{
	struct tcp_store st;
	struct tcp_seg out;

	if (t->in_tw) {
		t->verdict = tcp_tw_input(&t->tw, s, t->now, &out);
		if (t->verdict == TCP_TW_ACK)
			sc_emit(t, &out);
		return;
	}
	if (t->listening && !t->c.state && !t->has_req) {
		t->cfg.iss = SC_OURS;
		tcp_req_init(&t->req, &t->cfg, s, t->now);
		t->has_req = true;
		tcp_req_synack(&t->req, t->now, &out);
		sc_emit(t, &out);
		return;
	}
	if (t->has_req) {
		t->verdict = tcp_req_input(&t->req, s, t->now, &out);
		if (t->verdict == TCP_REQ_SYNACK)
			tcp_req_synack(&t->req, t->now, &out);
		if (t->verdict == TCP_REQ_RESET)
			assert_true(tcp_reset_for(s, &out));
		if (t->verdict == TCP_REQ_SYNACK || t->verdict == TCP_REQ_ACK || t->verdict == TCP_REQ_RESET)
			sc_emit(t, &out);
		if (t->verdict == TCP_REQ_DEAD)
			t->has_req = false;
		if (t->verdict != TCP_REQ_ESTABLISHED)
			return;
		t->has_req = false;
		tcp_accept(&t->c, &t->cfg, &t->req, t->now);
	}
	tcp_input(&t->c, s, t->now, &st);
	sc_drain(t);
}

static inline void sc_option(struct script *t, char *w, struct tcp_seg *s, uint32_t ours, uint32_t theirs)
{
	unsigned long a, b;

	if (sscanf(w, "ack=%lu", &a) == 1) {
		s->ack = (uint32_t)a + ours;
	} else if (sscanf(w, "win=%lu", &a) == 1) {
		s->window = (uint16_t)a;
	} else if (sscanf(w, "mss=%lu", &a) == 1) {
		s->mss = (uint16_t)a;
		s->opts |= TCP_OPT_MSS;
	} else if (sscanf(w, "ws=%lu", &a) == 1) {
		s->wscale = (uint8_t)a;
		s->opts |= TCP_OPT_WSCALE;
	} else if (sscanf(w, "ts=%lu,%lu", &a, &b) == 2) {
		s->tsval = (uint32_t)a;
		s->tsecr = (uint32_t)b;
		s->opts |= TCP_OPT_TS;
	} else if (sscanf(w, "sack=%lu-%lu", &a, &b) == 2) {
		s->sacks[s->nsacks++] = (struct tcp_range){ (uint32_t)a + ours, (uint32_t)b + ours };
		s->opts |= TCP_OPT_SACK;
	} else if (sscanf(w, "urg=%lu", &a) == 1) {
		s->urgent = (uint16_t)a;
	} else if (!strcmp(w, "sackok")) {
		s->opts |= TCP_OPT_SACK_OK;
	} else if (!strcmp(w, "ce")) {
		s->ip_ecn = IP_CE;
	} else if (!strcmp(w, "ect")) {
		s->ip_ecn = IP_ECT0;
	} else {
		sc_fail(t, w);
	}
	(void)theirs;
}

static inline void sc_inject(struct script *t, char **w, int n)
{
	struct tcp_seg s = { .window = 65535 };
	uint32_t seq;

	if (t->next != t->nout)
		sc_fail(t, "something was sent that nobody expected");
	assert_true(n >= 3 && sscanf(w[2], "%u:%u", &seq, &s.len) == 2);
	s.seq = seq + (uint32_t)SC_THEIRS;
	s.flags = (uint8_t)sc_flags(w[1]);
	for (int i = 3; i < n; i++)
		sc_option(t, w[i], &s, SC_OURS, (uint32_t)SC_THEIRS);
	sc_input(t, &s);
}

static inline void sc_describe(const struct tcp_seg *s, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "flags %02x %u:%u ack=%u win=%u ts=%u,%u", s->flags,
				    s->seq - SC_OURS, s->len, s->ack - (uint32_t)SC_THEIRS, s->window,
				    s->tsval, s->tsecr);

	for (int i = 0; i < s->nsacks; i++)
		n += (size_t)snprintf(buf + n, size - n, " sack=%u-%u",
				      s->sacks[i].start - (uint32_t)SC_THEIRS,
				      s->sacks[i].end - (uint32_t)SC_THEIRS);
}

static inline void sc_expect(struct script *t, char **w, int n)
{
	struct tcp_seg *s, want = { 0 };
	char text[400];
	uint32_t seq;
	bool ok = true;

	if (t->next == t->nout)
		sc_fail(t, "nothing was sent");
	s = &t->out[t->next++];
	assert_true(n >= 3 && sscanf(w[2], "%u:%u", &seq, &want.len) == 2);
	want.seq = seq + SC_OURS;
	ok = s->seq == want.seq && s->len == want.len && (s->flags & ~TCP_PSH) == sc_flags(w[1]);
	for (int i = 3; i < n; i++) {
		struct tcp_seg o = { 0 };

		sc_option(t, w[i], &o, (uint32_t)SC_THEIRS, SC_OURS);
		if (!strncmp(w[i], "ack", 3))
			ok = ok && s->ack == o.ack;
		else if (!strncmp(w[i], "win", 3))
			ok = ok && s->window == o.window;
		else if (!strncmp(w[i], "urg", 3))
			ok = ok && s->urgent == o.urgent;
		else if (!strncmp(w[i], "mss", 3))
			ok = ok && s->mss == o.mss;
		else if (!strncmp(w[i], "ws", 2))
			ok = ok && s->wscale == o.wscale && s->opts & TCP_OPT_WSCALE;
		else if (!strncmp(w[i], "ts", 2))
			ok = ok && s->opts & TCP_OPT_TS && s->tsecr == o.tsecr;
		else if (!strncmp(w[i], "sackok", 6))
			ok = ok && s->opts & TCP_OPT_SACK_OK;
		else if (!strncmp(w[i], "ect", 3))
			ok = ok && s->ip_ecn == IP_ECT0;
		else if (!strncmp(w[i], "sack", 4)) {
			ok = ok && want.nsacks < s->nsacks &&
			     s->sacks[want.nsacks].start == o.sacks[0].start &&
			     s->sacks[want.nsacks].end == o.sacks[0].end;
			want.nsacks++;
		}
	}
	if (!ok) {
		sc_describe(s, text, sizeof(text));
		sc_fail(t, text);
	}
}

static inline void sc_configure(struct script *t, char **w, int n)
{
	for (int i = 1; i < n; i++) {
		unsigned v;

		if (!strcmp(w[i], "ts"))
			t->cfg.timestamps = true;
		else if (!strcmp(w[i], "ws"))
			t->cfg.wscale = true;
		else if (!strcmp(w[i], "ecn"))
			t->cfg.ecn = true;
		else if (!strcmp(w[i], "nosack"))
			t->cfg.sack = false;
		else if (!strcmp(w[i], "reno"))
			t->cfg.reno = true;
		else if (sscanf(w[i], "mss=%u", &v) == 1)
			t->cfg.mss = t->cfg.path_mss = (uint16_t)v;
		else if (sscanf(w[i], "space=%u", &v) == 1)
			t->cfg.recv_space = t->cfg.recv_max = v;
		else
			sc_fail(t, w[i]);
	}
}

static inline int sc_name(const char *w)
{
	static const struct {
		const char *name;
		int value;
	} names[] = {
		{ "ESTABLISHED", TCP_ESTABLISHED }, { "SYN_SENT", TCP_SYN_SENT },
		{ "SYN_RECV", TCP_SYN_RECV }, { "FIN_WAIT1", TCP_FIN_WAIT1 },
		{ "FIN_WAIT2", TCP_FIN_WAIT2 }, { "TIME_WAIT", TCP_TIME_WAIT },
		{ "CLOSE", TCP_CLOSE }, { "CLOSE_WAIT", TCP_CLOSE_WAIT },
		{ "LAST_ACK", TCP_LAST_ACK }, { "CLOSING", TCP_CLOSING },
		{ "connected", TCP_EV_CONNECTED }, { "readable", TCP_EV_READABLE },
		{ "acked", TCP_EV_ACKED }, { "eof", TCP_EV_EOF }, { "urgent", TCP_EV_URGENT },
		{ "error", TCP_EV_ERROR }, { "time_wait", TCP_EV_TIME_WAIT },
		{ "closed", TCP_EV_CLOSED }, { "tw_drop", TCP_TW_DROP }, { "tw_ack", TCP_TW_ACK },
		{ "tw_syn", TCP_TW_SYN }, { "tw_over", TCP_TW_OVER }, { "drop", TCP_REQ_DROP },
		{ "reset", TCP_REQ_RESET }, { "dead", TCP_REQ_DEAD },
		{ "established", TCP_REQ_ESTABLISHED },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, w))
			return names[i].value;
	fail_msg("no name %s", w);
	return -1;
}

static inline void sc_check(struct script *t, char **w)
{
	unsigned v = w[1] ? (unsigned)strtoul(w[1], NULL, 10) : 0;
	char text[100];
	long is = 0, want = v;

	if (!strcmp(w[0], "state")) {
		is = t->c.state;
		want = sc_name(w[1]);
	} else if (!strcmp(w[0], "error")) {
		is = t->c.error;
	} else if (!strcmp(w[0], "event")) {
		is = !!(t->events & (unsigned)sc_name(w[1]));
		want = 1;
		t->events &= ~(unsigned)sc_name(w[1]);
	} else if (!strcmp(w[0], "noevent")) {
		is = !!(t->events & (unsigned)sc_name(w[1]));
		want = 0;
	} else if (!strcmp(w[0], "readable")) {
		is = t->c.rcv_nxt - t->c.fin_received - t->c.irs - 1;
	} else if (!strcmp(w[0], "una")) {
		is = t->c.snd_una - SC_OURS;
	} else if (!strcmp(w[0], "cwnd")) {
		is = t->c.cwnd;
	} else if (!strcmp(w[0], "verdict")) {
		is = t->verdict;
		want = sc_name(w[1]);
	} else {
		sc_fail(t, "no such command");
	}
	if (is != want) {
		snprintf(text, sizeof(text), "is %ld, expected %ld", is, want);
		sc_fail(t, text);
	}
}

static inline bool sc_call(struct script *t, char **w, int n)
{
	uint32_t v = n > 1 ? (uint32_t)strtoul(w[1], NULL, 10) : 0;
	struct tcp_conn *c = &t->c;

	if (!strcmp(w[0], "connect")) {
		t->cfg.iss = SC_OURS;
		tcp_open(c, &t->cfg, t->now);
	} else if (!strcmp(w[0], "listen")) {
		t->listening = true;
	} else if (!strcmp(w[0], "write") || !strcmp(w[0], "urgent")) {
		assert_int_equal(tcp_send(c, v, w[0][0] == 'u'), 0);
	} else if (!strcmp(w[0], "shutdown")) {
		tcp_shutdown(c, t->now);
	} else if (!strcmp(w[0], "close")) {
		tcp_close(c, false, t->now);
	} else if (!strcmp(w[0], "reset")) {
		tcp_close(c, true, t->now);
	} else if (!strcmp(w[0], "abort")) {
		tcp_abort(c);
	} else if (!strcmp(w[0], "space")) {
		tcp_recv_space(c, v, t->cfg.recv_space);
	} else if (!strcmp(w[0], "hold")) {
		c->tune.hold = v;
	} else if (!strcmp(w[0], "nodelay")) {
		c->tune.nodelay = true;
	} else if (!strcmp(w[0], "cork")) {
		c->tune.cork = v;
	} else if (!strcmp(w[0], "pathmss")) {
		tcp_set_path_mss(c, (uint16_t)v, t->now);
	} else if (!strcmp(w[0], "usertimeout")) {
		c->tune.user_timeout = v * NSEC_PER_MSEC;
	} else if (!strcmp(w[0], "quickack")) {
		tcp_set_quickack(c, v);
	} else if (!strcmp(w[0], "keepalive")) {
		c->tune.keep_idle = v * NSEC_PER_MSEC;
		c->tune.keep_interval = atoi(w[2]) * NSEC_PER_MSEC;
		c->tune.keep_count = (uint8_t)atoi(w[3]);
		tcp_set_keepalive(c, true, t->now);
	} else {
		return false;
	}
	sc_drain(t);
	return true;
}

static inline void sc_line(struct script *t, char *text)
{
	char *w[24] = { 0 };
	int n = 0;

	for (char *p = strtok(text, " \t"); p && n < 23; p = strtok(NULL, " \t"))
		w[n++] = p;
	if (n == 0 || w[0][0] == '#')
		return;
	if (w[0][0] == '+')
		sc_wait(t, t->now + atoll(w[0] + 1) * NSEC_PER_MSEC);
	else if (!strcmp(w[0], "cfg"))
		sc_configure(t, w, n);
	else if (!strcmp(w[0], "<"))
		sc_inject(t, w, n);
	else if (!strcmp(w[0], ">"))
		sc_expect(t, w, n);
	else if (!strcmp(w[0], "timewait")) {
		tcp_tw_init(&t->tw, &t->c, t->now);
		t->in_tw = true;
	} else if (!strcmp(w[0], "none")) {
		if (t->next != t->nout)
			sc_expect(t, (char *[]){ ">", ".", "0:0" }, 3);
	} else if (!sc_call(t, w, n))
		sc_check(t, w);
}

static inline void sc_run(const char *script)
{
	struct script *t = calloc(1, sizeof(*t));
	char line[300];

	t->now = 1000 * NSEC_PER_SEC;
	t->cfg = (struct tcp_config){ .mss = 1000, .path_mss = 1000, .recv_space = 60000,
				      .recv_max = 60000, .sack = true, .syn_retries = 6 };
	for (const char *p = script; *p;) {
		size_t n = strcspn(p, "\n");

		t->line = p;
		snprintf(line, sizeof(line), "%.*s", (int)n, p);
		sc_line(t, line);
		p += n + (p[n] == '\n');
	}
	if (t->next != t->nout)
		sc_fail(t, "at the end: something was sent that nobody expected");
	free(t);
}

#define SCRIPT(name, text)             \
	static void name(void **state) \
	{                              \
		(void)state;           \
		sc_run(text);          \
	}

/* Openings that most scripts begin with. */
#define ACTIVE                                           \
	"connect\n"                                      \
	"> S 0:0 mss=1000\n"                             \
	"+20\n"                                          \
	"< SA 0:0 ack=1 mss=1000 sackok win=60000\n"     \
	"> A 1:0 ack=1\n"                                \
	"state ESTABLISHED\n"                            \
	"event connected\n"
#define PASSIVE                                          \
	"listen\n"                                       \
	"< S 0:0 mss=1000 sackok win=60000\n"            \
	"> SA 0:0 ack=1 mss=1000\n"                      \
	"+20\n"                                          \
	"< A 1:0 ack=1 win=60000\n"                      \
	"state ESTABLISHED\n"                            \
	"event connected\n"
