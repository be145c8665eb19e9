// sources: kernel/tty/ldisc.c kernel/tty/ldisc_edit.c kernel/tty/ldisc_out.c kernel/lib/bitmap.c
/*
 * The line discipline under random settings, input, output, reads and flushes. Checked: its own invariants, that
 * positions agree with what is readable, and that raw input comes out as it went in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tty/ldisc.h"

#define CHECK(c) ((c) ? (void)0 : abort())

enum { OUT = 16384 };
static uint8_t out_buf[OUT];
static struct ring out;
static struct ldisc l;

static void check(void)
{
	uint32_t used = l.head - l.tail, marks = 0, eofs = 0;

	CHECK(used <= LDISC_BUF);
	CHECK(ring_used(&out) <= OUT && ldisc_sendable(&l) <= ring_used(&out));
	for (unsigned i = 0; i < LDISC_BUF / 64; i++) {
		CHECK((l.eof_words[i] & ~l.eol_words[i]) == 0);
		marks += (uint32_t)__builtin_popcountll(l.eol_words[i]);
		eofs += (uint32_t)__builtin_popcountll(l.eof_words[i]);
	}
	if (!l.canonical) {
		CHECK(marks == 0 && ldisc_readable(&l) == used);
		return;
	}
	CHECK(l.canon - l.tail <= used);
	CHECK((marks > 0) == (l.canon != l.tail));
	CHECK(ldisc_readable(&l) == l.canon - l.tail - eofs);
	CHECK(ldisc_has_input(&l, 1) == (marks > 0));
}

static void do_read(size_t max)
{
	struct ldisc_piece p = { 0 };

	while (max > 0 && !p.last && ldisc_has_input(&l, 1)) {
		p = ldisc_next(&l, max);
		CHECK(p.n <= max && p.taken >= p.n && p.taken <= p.n + 1);
		CHECK(p.n > 0 || p.last);
		CHECK(p.p >= l.in && p.p + p.n <= l.in + LDISC_BUF);
		ldisc_consume(&l, p.taken);
		max -= p.n;
		check();
	}
}

static void do_settings(const uint8_t **p, const uint8_t *end)
{
	struct abi_termios2 t = l.termios;
	uint8_t raw[10];

	if (end - *p < 10)
		return;
	memcpy(raw, *p, sizeof(raw));
	*p += sizeof(raw);
	t.c_iflag = raw[0] | (uint32_t)raw[1] << 8;
	t.c_oflag = raw[2] | (raw[3] & 1 ? XTABS : 0);
	t.c_lflag = raw[4] | (uint32_t)raw[5] << 8 | (raw[3] & 0x80 ? EXTPROC : 0);
	if (raw[6] < NCCS)
		t.c_cc[raw[6]] = raw[7];
	if (raw[8] < NCCS)
		t.c_cc[raw[8]] = raw[9];
	ldisc_set_termios(&l, &t);
}

static void do_input(const uint8_t *p, size_t n, unsigned times)
{
	while (times-- > 0) {
		bool accepts = ldisc_accepts(&l);
		size_t taken = ldisc_input(&l, p, n);

		CHECK(taken <= n && (accepts || taken == 0));
		CHECK(taken == n || !ldisc_accepts(&l));
		check();
	}
}

static void step(uint8_t op, uint8_t arg, const uint8_t *p, size_t n)
{
	switch (op % 8) {
	case 0:
	case 1:
		do_input(p, n, 1u + arg);
		break;
	case 2:
		if (!l.stopped)
			CHECK(ldisc_output(&l, p, n) <= n);
		break;
	case 3:
		do_read(arg & 0x80 ? 10000 : arg);
		break;
	case 4:
		out.tail += MIN(ldisc_sendable(&l), arg * 64u);
		break;
	case 5:
		ldisc_input_error(&l, arg & 1 ? LDISC_BREAK : LDISC_PARITY, arg);
		break;
	case 6:
		arg & 1 ? ldisc_flush_input(&l) : ldisc_flush_output(&l);
		break;
	case 7:
		arg & 1 ? ldisc_stop(&l) : ldisc_start(&l);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;

	ring_init(&out, out_buf, OUT);
	ldisc_init(&l, &out);
	l.flush_keep = size & 1 ? 4095 : 0;
	while (end - p >= 2) {
		uint8_t op = *p++, arg = *p++;
		size_t n = MIN((size_t)(end - p), (size_t)(op >> 3));

		if (op == 0xff) {
			do_settings(&p, end);
		} else {
			step(op, arg, p, n);
			p += op % 8 <= 2 ? n : 0;
		}
		ldisc_take_events(&l);
		check();
	}
	return 0;
}
