/*
 * Output processing: OPOST with the column it needs for tabs and ONOCR, and echo, which is output
 * that must not wait. Runs of plain bytes, those not in `ospecial`, are copied at once; the others
 * are looked at one by one.
 */

#include "tty/ldisc.h"

#include "tty/ldisc_priv.h"

enum { TAB_WIDTH = 8, EXPANSION_MAX = 8 /* bytes out of one byte in: a tab under XTABS */ };

static void add_range(uint64_t *set, unsigned first, unsigned last)
{
	for (unsigned c = first; c <= last; c++)
		ldisc_set_add(set, (uint8_t)c);
}

void ldisc_set_output_classes(struct ldisc *l)
{
	memset(l->ospecial, 0, sizeof(l->ospecial));
	if (!ldisc_oflag(l, OPOST))
		return;
	add_range(l->ospecial, 0, 0x1f);
	ldisc_set_add(l->ospecial, 0x7f);
	if (ldisc_iflag(l, IUTF8))
		add_range(l->ospecial, 0x80, 0xbf);
	if (ldisc_oflag(l, OLCUC))
		add_range(l->ospecial, 'a', 'z');
}

static void put(struct ldisc *l, uint8_t c)
{
	ring_put_byte(l->out, c);
}

static void put_newline(struct ldisc *l)
{
	if (ldisc_oflag(l, ONLCR))
		put(l, '\r');
	if (ldisc_oflag(l, ONLCR | ONLRET))
		l->column = 0;
	l->line_column = l->column;
	put(l, '\n');
}

static void put_return(struct ldisc *l)
{
	if (ldisc_oflag(l, ONOCR) && l->column == 0)
		return;
	if (!ldisc_oflag(l, OCRNL) || ldisc_oflag(l, ONLRET))
		l->column = l->line_column = 0;
	put(l, ldisc_oflag(l, OCRNL) ? '\n' : '\r');
}

static void put_tab(struct ldisc *l)
{
	unsigned n = TAB_WIDTH - l->column % TAB_WIDTH;

	l->column += n;
	if ((l->termios.c_oflag & TABDLY) != XTABS)
		put(l, '\t');
	else
		while (n-- > 0)
			put(l, ' ');
}

/* One byte through OPOST; there is room for EXPANSION_MAX. */
static void put_special(struct ldisc *l, uint8_t c)
{
	switch (c) {
	case '\n':
		put_newline(l);
		return;
	case '\r':
		put_return(l);
		return;
	case '\t':
		put_tab(l);
		return;
	case '\b':
		l->column -= l->column > 0;
		break;
	default:
		if (ldisc_oflag(l, OLCUC) && c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 'a' + 'A');
		if (!ldisc_is_control(c) && !ldisc_is_continuation(l, c))
			l->column++;
	}
	put(l, c);
}

/*
 * The high bit of each byte of x that is a control character or is in `more` (high bits of bytes
 * beyond ASCII). Exact up to the first one but for what follows a byte 0xff, which may be marked
 * without being special: put_special() takes any byte.
 */
static uint64_t special_bytes(uint64_t x, uint64_t more)
{
	const uint64_t ones = 0x0101010101010101, high = ones << 7;

	return ((((x - ones * 0x20) | (x + ones)) & ~x) | (x & more)) & high;
}

/*
 * Moves plain bytes into the ring, at most n, for which there is room: eight at a time, stored
 * before they are judged, since what is not to be sent is overwritten. Returns how many.
 */
static size_t put_plain(struct ldisc *l, const uint8_t *p, size_t n)
{
	uint64_t x, found = 0, more = ldisc_iflag(l, IUTF8) ? ~0ull : 0;
	bool bytewise = ldisc_oflag(l, OLCUC);
	uint32_t span;
	uint8_t *to = ring_room(l->out, &span);
	size_t i = 0;

	n = MIN(n, (size_t)span);
	for (; !bytewise && i + sizeof(x) <= n; i += sizeof(x)) {
		memcpy(&x, p + i, sizeof(x));
		memcpy(to + i, &x, sizeof(x));
		if ((found = special_bytes(x, more))) {
			i += (size_t)__builtin_ctzll(found) / 8;
			break;
		}
	}
	for (; !found && i < n && !ldisc_set_has(l->ospecial, p[i]); i++)
		to[i] = p[i];
	l->out->head += (uint32_t)i;
	l->column += (uint32_t)i;
	return i;
}

/* Output with `reserve` bytes of the ring left free. Returns the bytes taken. */
static size_t output(struct ldisc *l, const uint8_t *p, size_t n, uint32_t reserve)
{
	size_t done = 0, run;

	while (done < n) {
		uint32_t space = ring_space(l->out), room = space > reserve ? space - reserve : 0;

		if (!ldisc_oflag(l, OPOST))
			return ring_put(l->out, p, (uint32_t)MIN(n, (size_t)room));
		run = put_plain(l, p + done, MIN(n - done, (size_t)room));
		if (run == 0 && room < EXPANSION_MAX)
			break;
		if (run == 0)
			put_special(l, p[done++]);
		done += run;
	}
	return done;
}

size_t ldisc_output(struct ldisc *l, const uint8_t *p, size_t n)
{
	return output(l, p, n, LDISC_ECHO_RESERVE);
}

uint32_t ldisc_output_room(const struct ldisc *l)
{
	uint32_t space = ring_space(l->out);

	return space > LDISC_ECHO_RESERVE ? space - LDISC_ECHO_RESERVE : 0;
}

uint32_t ldisc_sendable(const struct ldisc *l)
{
	return l->stopped ? l->stop_mark - l->out->tail : ring_used(l->out);
}

void ldisc_stop(struct ldisc *l)
{
	l->stopped_by_call = true;
	if (l->stopped)
		return;
	l->stopped = true;
	l->stop_mark = l->out->head;
	l->events |= LDISC_STOP;
}

void ldisc_start(struct ldisc *l)
{
	if (!l->stopped)
		return;
	l->stopped = l->stopped_by_call = false;
	l->events |= LDISC_START;
}

void ldisc_flush_output(struct ldisc *l)
{
	uint32_t keep = MIN(ldisc_sendable(l), l->flush_keep);

	l->out->head = l->out->tail + keep;
	l->stop_mark = l->out->head;
}

/* --- echo --- */

void ldisc_echo_raw(struct ldisc *l, const uint8_t *p, size_t n)
{
	(void)output(l, p, n, 0);
}

void ldisc_echo_char(struct ldisc *l, uint8_t c)
{
	uint8_t pair[2] = { '^', c ^ 0x40 };

	if (!ldisc_lflag(l, ECHOCTL) || !ldisc_is_control(c) || c == '\t') {
		ldisc_echo_raw(l, &c, 1);
	} else if (ring_space(l->out) >= 2) {
		ring_put(l->out, pair, 2);
		l->column += 2;
	}
}

void ldisc_echo_erase(struct ldisc *l, unsigned columns)
{
	for (; columns > 0 && ring_space(l->out) >= 3; columns--) {
		ring_put(l->out, (const uint8_t *)"\b \b", 3);
		l->column -= l->column > 0 && ldisc_oflag(l, OPOST);
	}
}

void ldisc_echo_back(struct ldisc *l, unsigned columns)
{
	for (; columns > 0 && ring_space(l->out) > 0; columns--) {
		put(l, '\b');
		l->column -= l->column > 0;
	}
}
