/*
 * Input of the line discipline, and its reading. Runs of bytes that are not in `special` are stored
 * and echoed at once; any other byte goes the long way: translation, flow control, signals, the
 * carriage return, the line editor.
 *
 * Room: a raw terminal takes bytes until one is left free. A canonical one does the same while it
 * holds whole lines; with none it must not stop taking, or nobody could ever end the line, so what
 * does not fit is dropped. The byte kept free is for the end of the line.
 */

#include "tty/ldisc.h"

#include "lib/bitmap.h"
#include "tty/ldisc_priv.h"

const struct abi_termios2 ldisc_default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3,
		  [VQUIT] = 28,
		  [VERASE] = 127,
		  [VKILL] = 21,
		  [VEOF] = 4,
		  [VMIN] = 1,
		  [VSTART] = 17,
		  [VSTOP] = 19,
		  [VSUSP] = 26,
		  [VREPRINT] = 18,
		  [VDISCARD] = 15,
		  [VWERASE] = 23,
		  [VLNEXT] = 22 },
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

/* --- settings --- */

static void add_cc(struct ldisc *l, unsigned i)
{
	if (l->termios.c_cc[i] != 0)
		ldisc_set_add(l->special, l->termios.c_cc[i]);
}

static void add_editing(struct ldisc *l)
{
	ldisc_set_add(l->special, '\n');
	add_cc(l, VERASE);
	add_cc(l, VKILL);
	add_cc(l, VEOF);
	add_cc(l, VEOL);
	if (!ldisc_lflag(l, IEXTEN))
		return;
	add_cc(l, VEOL2);
	add_cc(l, VWERASE);
	add_cc(l, VREPRINT);
	add_cc(l, VLNEXT);
}

/* True when every byte is translated before it is looked at. */
static bool translates(const struct ldisc *l)
{
	return ldisc_iflag(l, ISTRIP) || (ldisc_iflag(l, IUCLC) && ldisc_lflag(l, IEXTEN));
}

static void set_input_classes(struct ldisc *l)
{
	memset(l->special, translates(l) ? 0xff : 0, sizeof(l->special));
	if (ldisc_iflag(l, IXON)) {
		add_cc(l, VSTART);
		add_cc(l, VSTOP);
	}
	if (ldisc_lflag(l, ISIG)) {
		add_cc(l, VINTR);
		add_cc(l, VQUIT);
		add_cc(l, VSUSP);
	}
	if (ldisc_iflag(l, IGNCR | ICRNL))
		ldisc_set_add(l->special, '\r');
	if (ldisc_iflag(l, INLCR))
		ldisc_set_add(l->special, '\n');
	if (ldisc_iflag(l, PARMRK))
		ldisc_set_add(l->special, 0xff);
	if (l->canonical)
		add_editing(l);
	if (ldisc_lflag(l, ECHO)) {
		/* control characters are echoed in a way of their own */
		l->special[0] |= 0xffffffff;
		ldisc_set_add(l->special, 0x7f);
	}
	if (ldisc_lflag(l, EXTPROC)) /* all of that is the other side's work */
		memset(l->special, 0, sizeof(l->special));
	l->transparent = !(l->special[0] | l->special[1] | l->special[2] | l->special[3]);
}

static void mark(uint64_t *words, uint32_t pos)
{
	bitmap_set(words, pos % LDISC_BUF);
}

/* ICANON was switched: what is there becomes one line, or is no longer lines. */
static void change_mode(struct ldisc *l)
{
	memset(l->eol_words, 0, sizeof(l->eol_words));
	memset(l->eof_words, 0, sizeof(l->eof_words));
	l->literal = l->erasing = false;
	l->canon = l->head;
	if (l->head == l->tail)
		return;
	if (l->canonical)
		mark(l->eol_words, l->head - 1);
	l->events |= LDISC_READABLE;
}

void ldisc_set_termios(struct ldisc *l, const struct abi_termios2 *t)
{
	bool was = l->canonical;

	l->termios = *t;
	l->canonical = ldisc_lflag(l, ICANON) && !ldisc_lflag(l, EXTPROC);
	if (l->canonical != was)
		change_mode(l);
	set_input_classes(l);
	ldisc_set_output_classes(l);
	if (!ldisc_iflag(l, IXON) && !l->stopped_by_call)
		ldisc_start(l);
}

void ldisc_init(struct ldisc *l, struct ring *out)
{
	memset(l, 0, sizeof(*l));
	l->out = out;
	ldisc_set_termios(l, &ldisc_default_termios);
	l->events = 0;
}

/* --- storing --- */

static uint32_t used(const struct ldisc *l)
{
	return l->head - l->tail;
}

/* Bytes that may be stored, the one for the end of a line apart. */
static uint32_t room(const struct ldisc *l)
{
	return used(l) < LDISC_BUF ? LDISC_BUF - 1 - used(l) : 0;
}

/* True when input that does not fit is dropped, for nobody could make room. */
static bool overflows(const struct ldisc *l)
{
	return l->canonical && l->canon == l->tail;
}

bool ldisc_accepts(const struct ldisc *l)
{
	return overflows(l) || room(l) >= (ldisc_iflag(l, PARMRK) ? 3 : 1);
}

static void bell(struct ldisc *l)
{
	if (ldisc_iflag(l, IMAXBEL))
		ldisc_echo_raw(l, (const uint8_t *)"\a", 1);
}

static void stored(struct ldisc *l)
{
	if (!l->canonical)
		l->events |= LDISC_READABLE;
}

/* Stores one byte of a line or of raw input, or drops it. */
static void store(struct ldisc *l, uint8_t c)
{
	if (room(l) == 0) {
		bell(l);
		return;
	}
	*ldisc_at(l, l->head++) = c;
	stored(l);
}

static void store_marked(struct ldisc *l, uint8_t c)
{
	if (c == 0xff && ldisc_iflag(l, PARMRK))
		store(l, c);
	store(l, c);
}

static void store_run(struct ldisc *l, const uint8_t *p, size_t n)
{
	uint32_t at = l->head % LDISC_BUF;
	size_t first = MIN(n, (size_t)(LDISC_BUF - at));

	memcpy(l->in + at, p, first);
	memcpy(l->in, p + first, n - first);
	l->head += (uint32_t)n;
	stored(l);
}

static void end_line(struct ldisc *l, uint8_t c, bool eof)
{
	mark(l->eol_words, l->head);
	if (eof)
		mark(l->eof_words, l->head);
	*ldisc_at(l, l->head++) = c;
	l->canon = l->head;
	l->events |= LDISC_READABLE;
}

/* --- one byte, the long way --- */

static void begin_echo(struct ldisc *l)
{
	ldisc_finish_erasing(l);
	if (l->canon == l->head)
		l->line_column = l->column;
}

static void echo_typed(struct ldisc *l, uint8_t c)
{
	if (!ldisc_lflag(l, ECHO) || ldisc_lflag(l, EXTPROC))
		return;
	begin_echo(l);
	ldisc_echo_char(l, c);
}

static uint8_t translate(const struct ldisc *l, uint8_t c)
{
	if (ldisc_iflag(l, ISTRIP))
		c &= 0x7f;
	if (ldisc_iflag(l, IUCLC) && ldisc_lflag(l, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (uint8_t)(c - 'A' + 'a');
	return c;
}

static void hold(struct ldisc *l)
{
	bool by_call = l->stopped_by_call;

	ldisc_stop(l);
	l->stopped_by_call = by_call;
}

static void resume(struct ldisc *l)
{
	if (!l->stopped_by_call)
		ldisc_start(l);
}

static bool flow_char(struct ldisc *l, uint8_t c)
{
	bool start = ldisc_is(l, VSTART, c), stop = ldisc_is(l, VSTOP, c);

	if (!ldisc_iflag(l, IXON) || !(start || stop))
		return false;
	if (start && !(stop && !l->stopped))
		resume(l);
	else
		hold(l);
	return true;
}

static void raise(struct ldisc *l, uint32_t event)
{
	l->events |= event;
	if (ldisc_lflag(l, NOFLSH))
		return;
	ldisc_flush_input(l);
	ldisc_flush_output(l);
	l->events |= LDISC_FLUSHED;
}

static bool signal_char(struct ldisc *l, uint8_t c)
{
	uint32_t event = ldisc_is(l, VINTR, c)   ? LDISC_INTR
			 : ldisc_is(l, VQUIT, c) ? LDISC_QUIT
			 : ldisc_is(l, VSUSP, c) ? LDISC_SUSP
						 : 0;

	if (!ldisc_lflag(l, ISIG) || event == 0)
		return false;
	raise(l, event);
	if (ldisc_iflag(l, IXON))
		resume(l);
	if (ldisc_lflag(l, ECHO))
		ldisc_echo_char(l, c);
	return true;
}

/* IGNCR, ICRNL, INLCR. False: the byte is ignored. */
static bool map_newline(const struct ldisc *l, uint8_t *c)
{
	if (*c == '\r') {
		if (ldisc_iflag(l, IGNCR))
			return false;
		if (ldisc_iflag(l, ICRNL))
			*c = '\n';
	} else if (*c == '\n' && ldisc_iflag(l, INLCR)) {
		*c = '\r';
	}
	return true;
}

static void echo_end(struct ldisc *l, uint8_t c)
{
	if (!ldisc_lflag(l, ECHO))
		return;
	if (l->canon == l->head)
		l->line_column = l->column;
	ldisc_echo_char(l, c);
}

/* The ends of a line. False: c is none. */
static bool line_end(struct ldisc *l, uint8_t c)
{
	if (c == '\n') {
		if (ldisc_lflag(l, ECHO | ECHONL))
			ldisc_echo_raw(l, &c, 1);
		end_line(l, c, false);
	} else if (ldisc_is(l, VEOF, c)) {
		end_line(l, 0, true);
	} else if (ldisc_is(l, VEOL, c) || (ldisc_is(l, VEOL2, c) && ldisc_lflag(l, IEXTEN))) {
		echo_end(l, c);
		if (c == 0xff && ldisc_iflag(l, PARMRK))
			store(l, c);
		end_line(l, c, false);
	} else {
		return false;
	}
	return true;
}

static void begin_literal(struct ldisc *l)
{
	l->literal = true;
	if (!ldisc_lflag(l, ECHO))
		return;
	ldisc_finish_erasing(l);
	if (ldisc_lflag(l, ECHOCTL))
		ldisc_echo_raw(l, (const uint8_t *)"^\b", 2);
}

/* The characters of canonical mode. False: c is a plain one. */
static bool edit_char(struct ldisc *l, uint8_t c)
{
	bool extended = ldisc_lflag(l, IEXTEN);

	if (ldisc_is(l, VERASE, c) || ldisc_is(l, VKILL, c) ||
	    (extended && ldisc_is(l, VWERASE, c)))
		ldisc_erase(l, c);
	else if (extended && ldisc_is(l, VLNEXT, c))
		begin_literal(l);
	else if (extended && ldisc_is(l, VREPRINT, c) && ldisc_lflag(l, ECHO))
		ldisc_reprint(l);
	else
		return line_end(l, c);
	return true;
}

static void restart_any(struct ldisc *l)
{
	if (UNLIKELY(l->stopped) && ldisc_iflag(l, IXON) && ldisc_iflag(l, IXANY))
		resume(l);
}

static void take_special(struct ldisc *l, uint8_t c)
{
	bool literal = l->literal, was_return;

	l->literal = false;
	c = translate(l, c);
	was_return = c == '\r';
	if (!literal) {
		if (flow_char(l, c) || signal_char(l, c))
			return;
		restart_any(l);
		if (!map_newline(l, &c) || (l->canonical && edit_char(l, c)))
			return;
	}
	if (c == '\n' && was_return && ldisc_lflag(l, ECHO))
		ldisc_echo_raw(l, &c, 1); /* Enter in raw mode; a '\n' would show as ^J */
	else
		echo_typed(l, c);
	store_marked(l, c);
}

/* --- arriving bytes --- */

static size_t plain_run(const struct ldisc *l, const uint8_t *p, size_t n)
{
	size_t i = 0;

	if (l->transparent)
		return n;
	while (i < n && !ldisc_set_has(l->special, p[i]))
		i++;
	return i;
}

/* Stores and echoes a run of plain bytes. Returns how many were taken. */
static size_t take_run(struct ldisc *l, const uint8_t *p, size_t n)
{
	size_t fit = MIN(n, (size_t)room(l));

	restart_any(l);
	if (ldisc_lflag(l, ECHO) && !ldisc_lflag(l, EXTPROC)) {
		begin_echo(l);
		ldisc_echo_raw(l, p, fit);
	}
	store_run(l, p, fit);
	if (fit == n || !overflows(l))
		return fit;
	bell(l);
	return n;
}

size_t ldisc_input(struct ldisc *l, const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && ldisc_accepts(l)) {
		size_t run = l->literal ? 0 : plain_run(l, p + i, n - i);

		if (run > 0)
			i += take_run(l, p + i, run);
		else
			take_special(l, p[i++]);
	}
	return i;
}

static void store_error(struct ldisc *l, uint8_t c)
{
	if (ldisc_iflag(l, PARMRK) && room(l) >= 3) {
		store(l, 0xff);
		store(l, 0);
		store(l, c);
	} else {
		store(l, 0);
	}
}

void ldisc_input_error(struct ldisc *l, enum ldisc_error e, uint8_t c)
{
	if (e == LDISC_BREAK) {
		if (ldisc_iflag(l, IGNBRK))
			return;
		if (ldisc_iflag(l, BRKINT))
			raise(l, LDISC_INTR);
		else
			store_error(l, 0);
	} else if (!ldisc_iflag(l, INPCK)) {
		(void)ldisc_input(l, &c, 1);
	} else if (!ldisc_iflag(l, IGNPAR)) {
		store_error(l, c);
	}
}

/* --- reading --- */

bool ldisc_has_input(const struct ldisc *l, uint32_t min)
{
	return l->canonical ? l->canon != l->tail : used(l) >= MAX(min, 1);
}

uint32_t ldisc_readable(const struct ldisc *l)
{
	uint32_t n = l->canon - l->tail;

	if (!l->canonical)
		return used(l);
	for (unsigned i = 0; i < ARRAY_SIZE(l->eof_words); i++)
		n -= (uint32_t)__builtin_popcountll(l->eof_words[i]);
	return n;
}

/* Bytes before the end of the first line; there is one. */
static uint32_t line_length(const struct ldisc *l)
{
	uint32_t from = l->tail % LDISC_BUF;
	size_t at = bitmap_find_set(l->eol_words, LDISC_BUF, from);

	if (at == LDISC_BUF)
		at = LDISC_BUF + bitmap_find_set(l->eol_words, LDISC_BUF, 0);
	return (uint32_t)at - from;
}

/*
 * A reader whose buffer the line fills to the last byte takes the mark of VEOF with it: otherwise
 * its next read would be told of an end of file that only ended the line.
 */
struct ldisc_piece ldisc_next(const struct ldisc *l, size_t max)
{
	uint32_t at = l->tail % LDISC_BUF, to_end = LDISC_BUF - at, n, len;
	struct ldisc_piece piece = { .p = l->in + at };
	bool eof;

	if (!l->canonical) {
		n = MIN(used(l), to_end);
		piece.n = piece.taken = (uint32_t)MIN((size_t)n, max);
		return piece;
	}
	len = line_length(l);
	eof = bitmap_test(l->eof_words, (l->tail + len) % LDISC_BUF);
	n = eof ? len : len + 1;
	piece.n = piece.taken = (uint32_t)MIN(MIN((size_t)n, max), (size_t)to_end);
	if (piece.n == n) {
		piece.taken = len + 1;
		piece.last = true;
	}
	return piece;
}

void ldisc_consume(struct ldisc *l, uint32_t taken)
{
	uint32_t last = l->tail + taken - 1;

	if (taken == 0)
		return;
	bitmap_clear(l->eol_words, last % LDISC_BUF);
	bitmap_clear(l->eof_words, last % LDISC_BUF);
	l->tail += taken;
	if (!l->canonical)
		l->canon = l->tail;
}

void ldisc_flush_input(struct ldisc *l)
{
	memset(l->eol_words, 0, sizeof(l->eol_words));
	memset(l->eof_words, 0, sizeof(l->eof_words));
	l->tail = l->canon = l->head;
	l->literal = l->erasing = false;
}
