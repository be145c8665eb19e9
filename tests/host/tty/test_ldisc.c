// sources: kernel/tty/ldisc.c kernel/tty/ldisc_edit.c kernel/tty/ldisc_out.c kernel/lib/bitmap.c
/* The line discipline: what is typed, what is echoed, what is read. The expected bytes are a Linux kernel's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tty/ldisc.h"

enum { OUT = 16384 };
static struct ldisc l;
static struct ring out;
static uint8_t out_buf[OUT], got[2 * OUT];

static int fresh(void **state)
{
	(void)state;
	ring_init(&out, out_buf, OUT);
	ldisc_init(&l, &out);
	return 0;
}

/* Changes flags: those in `off` go, then those in `on` come. */
static void set(uint32_t *field, uint32_t off, uint32_t on)
{
	struct abi_termios2 t = l.termios;
	size_t at = (size_t)((char *)field - (char *)&l.termios);
	uint32_t v;

	memcpy(&v, (char *)&t + at, sizeof(v));
	v = (v & ~off) | on;
	memcpy((char *)&t + at, &v, sizeof(v));
	ldisc_set_termios(&l, &t);
}
#define IFLAG(off, on) set(&l.termios.c_iflag, off, on)
#define OFLAG(off, on) set(&l.termios.c_oflag, off, on)
#define LFLAG(off, on) set(&l.termios.c_lflag, off, on)

static void cc(unsigned i, uint8_t c)
{
	struct abi_termios2 t = l.termios;

	t.c_cc[i] = c;
	ldisc_set_termios(&l, &t);
}

static size_t take(void)
{
	size_t n = 0, max = ldisc_sendable(&l);

	while (n < max)
		got[n++] = out.buf[out.tail++ & (OUT - 1)];
	return n;
}

/* read(2) of at most `max` bytes; -1 where it would wait. */
static long reads(size_t max)
{
	struct ldisc_piece p = { 0 };
	size_t n = 0;

	if (!ldisc_has_input(&l, 1))
		return -1;
	while (n < max && !p.last && ldisc_has_input(&l, 1)) {
		p = ldisc_next(&l, max - n);
		assert_true(p.n <= max - n);
		memcpy(got + n, p.p, p.n);
		n += p.n;
		ldisc_consume(&l, p.taken);
	}
	return (long)n;
}

#define TYPE(s) assert_int_equal(ldisc_input(&l, (const uint8_t *)(s), sizeof(s) - 1), sizeof(s) - 1)
#define ECHOED(s)                                          \
	do {                                               \
		assert_int_equal(take(), sizeof(s) - 1);   \
		assert_memory_equal(got, s, sizeof(s) - 1);\
	} while (0)
#define READS(max, s)                                       \
	do {                                                \
		assert_int_equal(reads(max), sizeof(s) - 1);\
		assert_memory_equal(got, s, sizeof(s) - 1); \
	} while (0)
#define READS_NOTHING() assert_int_equal(reads(1000), -1)
#define WRITES(s) assert_int_equal(ldisc_output(&l, (const uint8_t *)(s), sizeof(s) - 1), sizeof(s) - 1)

static void line_is_read_when_it_ends(void **state)
{
	(void)state;
	TYPE("ab");
	assert_int_equal(ldisc_take_events(&l), 0);
	READS_NOTHING();
	TYPE("c\n");
	assert_int_equal(ldisc_take_events(&l), LDISC_READABLE);
	ECHOED("abc\r\n");
	assert_int_equal(ldisc_readable(&l), 4);
	READS(1000, "abc\n");
	READS_NOTHING();
}

static void one_line_per_read(void **state)
{
	(void)state;
	TYPE("one\ntwo\nthr");
	READS(1000, "one\n");
	READS(2, "tw");
	READS(1000, "o\n");
	READS_NOTHING();
	TYPE("ee\r");
	READS(1000, "three\n");
}

static void eof_ends_a_line_without_a_byte(void **state)
{
	(void)state;
	TYPE("ab\004cd\n");
	assert_int_equal(ldisc_readable(&l), 5);
	READS(1000, "ab");
	READS(1000, "cd\n");
	TYPE("\004");
	assert_int_equal(ldisc_readable(&l), 0);
	assert_true(ldisc_has_input(&l, 1));
	READS(1000, "");
	READS_NOTHING();
}

static void eof_goes_with_the_last_byte_that_fits(void **state)
{
	(void)state;
	TYPE("abc\004");
	READS(3, "abc");
	READS_NOTHING();
	TYPE("abc\004");
	READS(2, "ab");
	READS(1000, "c");
	READS_NOTHING();
}

static void nul_is_a_byte(void **state)
{
	(void)state;
	IFLAG(0, 0);
	TYPE("a\0b\n");
	READS(1000, "a\0b\n");
	LFLAG(ICANON, 0);
	TYPE("\0");
	LFLAG(0, ICANON);
	READS(1000, "\0");
}

static void erase_shows(void **state)
{
	(void)state;
	TYPE("ab\177c\n");
	ECHOED("ab\b \bc\r\n");
	READS(1000, "ac\n");
	TYPE("\177\001\177\n");
	ECHOED("^A\b \b\b \b\r\n");
	READS(1000, "\n");
	LFLAG(ECHOCTL, 0);
	TYPE("\001b\177\177c\n");
	ECHOED("\001b\b \bc\r\n");
	LFLAG(ECHOE, 0);
	TYPE("xy\177z\n");
	ECHOED("xy\177z\r\n");
}

static void erase_takes_back_a_tab(void **state)
{
	(void)state;
	TYPE("a\tb\177\177\n");
	ECHOED("a\tb\b \b\b\b\b\b\b\b\b\r\n");
	READS(1000, "a\n");
	WRITES("1234");
	TYPE("\t\177\n");
	ECHOED("1234\t\b\b\b\b\r\n");
	TYPE("\tab\t\177\n");
	ECHOED("\tab\t\b\b\b\b\b\b\r\n");
}

static void erase_knows_utf8(void **state)
{
	(void)state;
	IFLAG(0, IUTF8);
	TYPE("\303\251\177\342\202\254\177x\n");
	ECHOED("\303\251\b \b\342\202\254\b \bx\r\n");
	READS(1000, "x\n");
	TYPE("\202\202\177\n"); /* no character begins: nothing to take */
	READS(1000, "\202\202\n");
	IFLAG(IUTF8, 0);
	TYPE("\303\251\177\n");
	READS(1000, "\303\n");
}

static void word_erase(void **state)
{
	(void)state;
	TYPE("ab, cd_1  \027\n");
	READS(1000, "ab, \n");
	TYPE("ab, \027\n");
	READS(1000, "\n");
	take();
	TYPE("ab cd\027\n");
	ECHOED("ab cd\b \b\b \b\r\n");
	LFLAG(IEXTEN, 0);
	READS(1000, "ab \n");
	TYPE("a\027\n");
	READS(1000, "a\027\n");
}

static void kill_shows(void **state)
{
	(void)state;
	TYPE("xyz\025q\n");
	ECHOED("xyz\b \b\b \b\b \bq\r\n");
	READS(1000, "q\n");
	LFLAG(ECHOKE, 0);
	TYPE("xyz\025q\n");
	ECHOED("xyz^U\r\nq\r\n");
	READS(1000, "q\n");
	LFLAG(ECHOK, 0);
	TYPE("x\025\n");
	ECHOED("x^U\r\n");
	LFLAG(ECHO, 0);
	TYPE("x\025y\n");
	ECHOED("");
}

static void echoprt_shows_what_goes(void **state)
{
	(void)state;
	LFLAG(ECHOKE, ECHOPRT);
	TYPE("xyz\177\177a\n");
	ECHOED("xyz\\zy/a\r\n");
	READS(1000, "xa\n");
	TYPE("xy\177\177\n");
	ECHOED("xy\\yx/\r\n");
}

static void literal_next(void **state)
{
	(void)state;
	TYPE("\026\003\026\n\n");
	ECHOED("^\b^C^\b^J\r\n");
	assert_int_equal(ldisc_take_events(&l), LDISC_READABLE);
	READS(1000, "\003\n\n");
	TYPE("a\026");
	TYPE("\004\n");
	READS(1000, "a\004\n");
}

static void reprint(void **state)
{
	(void)state;
	TYPE("a\001\022b\n");
	ECHOED("a^A^R\r\na^Ab\r\n");
	READS(1000, "a\001b\n");
}

static void end_of_line_characters(void **state)
{
	(void)state;
	cc(VEOL, 'X');
	cc(VEOL2, 'Y');
	TYPE("aXbYc\n");
	ECHOED("aXbYc\r\n");
	READS(1000, "aX");
	READS(1000, "bY");
	READS(1000, "c\n");
}

static void echonl_without_echo(void **state)
{
	(void)state;
	LFLAG(ECHO, ECHONL);
	TYPE("secret\n");
	ECHOED("\r\n");
	READS(1000, "secret\n");
}

static void raw_echo(void **state)
{
	(void)state;
	LFLAG(ICANON, 0);
	TYPE("a\n\177\004x\r");
	ECHOED("a^J^?^Dx\r\n");
	READS(1000, "a\n\177\004x\n");
}

static void newline_mapping(void **state)
{
	(void)state;
	IFLAG(ICRNL, INLCR | IGNCR);
	TYPE("a\rb\nc\004");
	READS(1000, "ab\rc");
	IFLAG(INLCR | IGNCR, 0);
	TYPE("a\r\n");
	READS(1000, "a\r\n");
}

static void strip_and_lower_case(void **state)
{
	(void)state;
	IFLAG(0, ISTRIP | IUCLC);
	TYPE("A\301b\212");
	ECHOED("aab\r\n");
	READS(1000, "aab\n");
}

static void signals_flush_and_echo(void **state)
{
	(void)state;
	TYPE("one\nab");
	take();
	WRITES("unsent");
	ldisc_take_events(&l);
	TYPE("\003cd\n");
	assert_int_equal(ldisc_take_events(&l), LDISC_INTR | LDISC_FLUSHED | LDISC_READABLE);
	ECHOED("^Ccd\r\n");
	READS(1000, "cd\n");
	TYPE("\034");
	assert_int_equal(ldisc_take_events(&l), LDISC_QUIT | LDISC_FLUSHED);
	TYPE("\032");
	assert_int_equal(ldisc_take_events(&l), LDISC_SUSP | LDISC_FLUSHED);
}

static void noflsh_keeps(void **state)
{
	(void)state;
	LFLAG(0, NOFLSH);
	TYPE("ab\003cd\n");
	assert_int_equal(ldisc_take_events(&l), LDISC_INTR | LDISC_READABLE);
	ECHOED("ab^Ccd\r\n");
	READS(1000, "abcd\n");
	LFLAG(ISIG, 0);
	TYPE("\003\n");
	READS(1000, "\003\n");
}

static void a_flush_keeps_what_counts_as_sent(void **state)
{
	(void)state;
	l.flush_keep = 3;
	WRITES("abcdef");
	TYPE("\003");
	ECHOED("abc^C");
}

static void flow_control(void **state)
{
	(void)state;
	WRITES("ab");
	TYPE("\023c");
	assert_true(l.stopped);
	assert_int_equal(ldisc_take_events(&l), LDISC_STOP);
	ECHOED("ab");
	ECHOED("");
	TYPE("\021");
	assert_int_equal(ldisc_take_events(&l), LDISC_START);
	ECHOED("c");
	READS_NOTHING();
	TYPE("\n");
	READS(1000, "c\n");
}

static void any_character_restarts(void **state)
{
	(void)state;
	IFLAG(0, IXANY);
	TYPE("\023");
	assert_true(l.stopped);
	TYPE("x");
	assert_false(l.stopped);
	ECHOED("x");
	ldisc_stop(&l); /* but not what TCOOFF stopped */
	TYPE("x\021");
	assert_true(l.stopped);
	ldisc_start(&l);
	assert_false(l.stopped);
}

static void turning_ixon_off_restarts(void **state)
{
	(void)state;
	TYPE("\023");
	IFLAG(IXON, 0);
	assert_false(l.stopped);
	TYPE("\023\n");
	READS(1000, "\023\n");
}

static void output_processing(void **state)
{
	(void)state;
	WRITES("a\nb\n");
	ECHOED("a\r\nb\r\n");
	OFLAG(ONLCR, OCRNL | ONOCR);
	WRITES("\ra\rb\n\r");
	ECHOED("a\nb\n\n");
	OFLAG(OCRNL | ONOCR, ONLRET | OLCUC);
	WRITES("ab\nc\tx");
	ECHOED("AB\nC\tX");
	OFLAG(OPOST, 0);
	WRITES("a\n\t");
	ECHOED("a\n\t");
}

static void tabs_expand_by_column(void **state)
{
	(void)state;
	OFLAG(0, XTABS);
	WRITES("a\tbc\t\n\t");
	ECHOED("a       bc      \r\n        ");
	IFLAG(0, IUTF8);
	WRITES("\n\303\251\t\b\t");
	ECHOED("\r\n\303\251       \b ");
}

static void long_text_goes_through_whole(void **state)
{
	uint8_t text[3000];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i % 61 == 60 ? '\n' : ' ' + i % 90);
	assert_int_equal(ldisc_output(&l, text, sizeof(text)), sizeof(text));
	n = take();
	for (size_t i = 0, j = 0; i < sizeof(text); i++) {
		if (text[i] == '\n')
			assert_int_equal(got[j++], '\r');
		assert_int_equal(got[j++], text[i]);
		assert_true(j <= n);
	}
}

/* The fast way for runs must not differ from the way of single bytes. */
static void output_in_pieces_is_the_same(void **state)
{
	static uint8_t text[1500], whole[2 * OUT];
	static const uint32_t oflags[] = { OPOST | ONLCR, OPOST | XTABS, OPOST | OLCUC, OPOST | OCRNL, 0 };
	uint32_t seed = 1, column;
	size_t n;

	for (unsigned round = 0; round < 40; round++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = (uint8_t)(seed >> 24);
			if (seed & 0x70000)
				text[i] = (uint8_t)(' ' + text[i] % 95);
		}
		for (unsigned piecewise = 0; piecewise < 2; piecewise++) {
			fresh(state);
			IFLAG(0, round & 1 ? IUTF8 : 0);
			OFLAG(~0u, oflags[round / 2 % 5]);
			out.head = out.tail = round * 977; /* wraps somewhere */
			for (size_t i = 0; piecewise && i < sizeof(text); i++)
				assert_int_equal(ldisc_output(&l, text + i, 1), 1);
			if (!piecewise)
				assert_int_equal(ldisc_output(&l, text, sizeof(text)), sizeof(text));
			if (piecewise) {
				assert_int_equal(take(), n);
				assert_memory_equal(got, whole, n);
				assert_int_equal(l.column, column);
			} else {
				n = take();
				memcpy(whole, got, n);
				column = l.column;
			}
		}
	}
}

static void output_leaves_room_for_echo(void **state)
{
	static uint8_t text[OUT];
	size_t n;

	(void)state;
	memset(text, 'x', sizeof(text));
	n = ldisc_output(&l, text, sizeof(text));
	assert_int_equal(n, OUT - LDISC_ECHO_RESERVE);
	assert_int_equal(ldisc_output_room(&l), 0);
	TYPE("abc\n");
	take();
	assert_memory_equal(got + n, "abc\r\n", 5);
}

static void a_line_has_a_limit(void **state)
{
	static uint8_t text[6000];

	(void)state;
	LFLAG(ECHO, 0);
	memset(text, 'x', sizeof(text));
	assert_int_equal(ldisc_input(&l, text, 5000), 5000);
	TYPE("\177\177y\n");
	assert_int_equal(reads(10000), LDISC_BUF - 1);
	assert_int_equal(got[LDISC_BUF - 3], 'y');
	assert_int_equal(got[LDISC_BUF - 2], '\n');
	assert_int_equal(ldisc_input(&l, text, 5000), 5000);
	TYPE("\n");
	assert_int_equal(reads(10000), LDISC_BUF);
	READS_NOTHING();
}

static void whole_lines_hold_input_up(void **state)
{
	static uint8_t text[6000];
	size_t n;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[999] = '\n';
	n = ldisc_input(&l, text, sizeof(text));
	assert_int_equal(n, LDISC_BUF - 1);
	assert_false(ldisc_accepts(&l));
	assert_int_equal(reads(10000), 1000);
	assert_true(ldisc_accepts(&l));
	assert_int_equal(ldisc_input(&l, text + n, sizeof(text) - n), sizeof(text) - n);
}

static void raw_input_holds_up_when_full(void **state)
{
	static uint8_t text[6000];

	(void)state;
	LFLAG(ICANON | ECHO | ISIG | IEXTEN, 0);
	IFLAG(ICRNL | IXON, 0);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	assert_int_equal(ldisc_input(&l, text, 100), 100);
	assert_int_equal(reads(100), 100);
	assert_int_equal(ldisc_input(&l, text, sizeof(text)), LDISC_BUF - 1);
	assert_int_equal(ldisc_readable(&l), LDISC_BUF - 1);
	assert_true(ldisc_has_input(&l, 255));
	assert_int_equal(reads(10000), LDISC_BUF - 1);
	assert_memory_equal(got, text, LDISC_BUF - 1);
}

static void bell_when_full(void **state)
{
	static uint8_t text[5000];
	size_t n;

	(void)state;
	IFLAG(0, IMAXBEL);
	memset(text, 'x', sizeof(text));
	ldisc_input(&l, text, 4095);
	take();
	TYPE("z");
	n = take();
	assert_int_equal(got[n - 1], '\a');
}

static void errors_and_breaks(void **state)
{
	(void)state;
	LFLAG(ICANON, 0);
	ldisc_input_error(&l, LDISC_BREAK, 0);
	READS(10, "\0");
	IFLAG(0, PARMRK);
	ldisc_input_error(&l, LDISC_BREAK, 0);
	READS(10, "\377\0\0");
	ldisc_input_error(&l, LDISC_PARITY, 'a');
	READS(10, "a");
	IFLAG(0, INPCK);
	ldisc_input_error(&l, LDISC_PARITY, 'a');
	READS(10, "\377\0a");
	TYPE("\377");
	READS(10, "\377\377");
	IFLAG(PARMRK, 0);
	ldisc_input_error(&l, LDISC_PARITY, 'a');
	READS(10, "\0");
	IFLAG(0, IGNPAR);
	ldisc_input_error(&l, LDISC_PARITY, 'a');
	ldisc_take_events(&l);
	IFLAG(0, BRKINT);
	ldisc_input_error(&l, LDISC_BREAK, 0);
	assert_int_equal(ldisc_take_events(&l), LDISC_INTR | LDISC_FLUSHED);
	IFLAG(0, IGNBRK);
	ldisc_input_error(&l, LDISC_BREAK, 0);
	assert_int_equal(ldisc_take_events(&l), 0);
	READS_NOTHING();
}

static void mode_changes_keep_input(void **state)
{
	(void)state;
	TYPE("part");
	LFLAG(ICANON, 0);
	assert_int_equal(ldisc_readable(&l), 4);
	LFLAG(0, ICANON);
	READS(1000, "part");
	READS_NOTHING();
	TYPE("a\nb");
	LFLAG(ICANON, 0);
	READS(1000, "a\nb");
}

static void extproc_leaves_all_to_the_other_side(void **state)
{
	(void)state;
	LFLAG(0, EXTPROC);
	TYPE("a\177\003\n\004");
	ECHOED("");
	assert_int_equal(ldisc_take_events(&l), LDISC_READABLE);
	READS(1000, "a\177\003\n\004");
}

static void disabled_characters_are_plain(void **state)
{
	(void)state;
	cc(VERASE, 0);
	cc(VINTR, 0);
	TYPE("a\177\003\0\n");
	READS(1000, "a\177\003\0\n");
}

static void lines_wrap_round_the_buffer(void **state)
{
	uint8_t line[100];

	(void)state;
	LFLAG(ECHO, 0);
	for (unsigned i = 0; i < 1000; i++) {
		size_t n = 1 + i % 97;

		memset(line, 'a' + (int)(i % 26), n);
		line[n - 1] = '\n';
		assert_int_equal(ldisc_input(&l, line, n), n);
		assert_int_equal(reads(1000), n);
		assert_memory_equal(got, line, n);
	}
}

#define T(f) cmocka_unit_test_setup(f, fresh)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(line_is_read_when_it_ends), T(one_line_per_read), T(eof_ends_a_line_without_a_byte),
		T(eof_goes_with_the_last_byte_that_fits), T(nul_is_a_byte), T(erase_shows),
		T(erase_takes_back_a_tab), T(erase_knows_utf8), T(word_erase), T(kill_shows),
		T(echoprt_shows_what_goes), T(literal_next), T(reprint), T(end_of_line_characters),
		T(echonl_without_echo), T(raw_echo), T(newline_mapping), T(strip_and_lower_case),
		T(signals_flush_and_echo), T(noflsh_keeps), T(a_flush_keeps_what_counts_as_sent),
		T(flow_control), T(any_character_restarts), T(turning_ixon_off_restarts), T(output_processing),
		T(tabs_expand_by_column), T(long_text_goes_through_whole), T(output_in_pieces_is_the_same),
		T(output_leaves_room_for_echo),
		T(a_line_has_a_limit), T(whole_lines_hold_input_up), T(raw_input_holds_up_when_full),
		T(bell_when_full), T(errors_and_breaks), T(mode_changes_keep_input),
		T(extproc_leaves_all_to_the_other_side), T(disabled_characters_are_plain),
		T(lines_wrap_round_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
