#pragma once

/*
 * The line discipline N_TTY, as a pure module: bytes that arrive and termios go in; lines, echo,
 * signals and flow control come out. No locks (the tty's mutex guards it), no clock (VMIN and VTIME
 * are the reader's), no memory of its own but the structure.
 *
 * Input is kept in a ring of LDISC_BUF bytes: [tail, canon) holds what may be read in canonical
 * mode, whole lines each ended by a byte marked in `eol_words`; [canon, head) is the line being
 * edited. In raw mode all of [tail, head) may be read. A line that ends in VEOF has a byte of its
 * own for it, marked in `eof_words` as well, which readers never see: so a line of length zero, the
 * end of file, has a place in the ring.
 *
 * Output, by the program and echo, goes through OPOST into the ring `out`. The program may fill it
 * but for LDISC_ECHO_RESERVE bytes, so that there is echo while output is held up; echo that finds
 * no room is lost.
 *
 *   source       termios(3), POSIX.1-2024 chapter 11 (General Terminal Interface), ioctl_tty(2)
 */

#include "abi/termios.h"
#include "lib/types.h"
#include "tty/ring.h"

enum {
	LDISC_BUF = 4096,          /* bytes of unread input; the longest line, its end included */
	LDISC_ECHO_RESERVE = 4096, /* bytes of `out` that only echo may use */
};

/* What happened, for the caller to act upon after ldisc_input(): ldisc_take_events(). */
enum ldisc_event {
	LDISC_INTR = 1,      /* SIGINT … */
	LDISC_QUIT = 2,      /* … SIGQUIT … */
	LDISC_SUSP = 4,      /* … SIGTSTP to the foreground group */
	LDISC_FLUSHED = 8,   /* input and output were thrown away; the driver's buffers follow */
	LDISC_STOP = 16,     /* output stopped … */
	LDISC_START = 32,    /* … or goes on: `stopped` says which is true now */
	LDISC_READABLE = 64, /* there is more to read */
};

/* A byte that did not arrive whole. */
enum ldisc_error { LDISC_BREAK, LDISC_PARITY };

struct ldisc {
	struct abi_termios2 termios; /* changed by ldisc_set_termios() only */
	struct ring *out;            /* borrowed */
	uint32_t head, tail, canon;  /* free running positions in `in` */
	uint32_t column;             /* of the output, where OPOST sees it */
	uint32_t line_column;        /* where the line being edited began */
	uint32_t stop_mark;          /* out->head when output was stopped */
	uint32_t flush_keep;         /* bytes of `out` that a flush leaves: they count as sent */
	uint32_t events;             /* enum ldisc_event */
	bool stopped;                /* by VSTOP or TCOOFF */
	bool stopped_by_call;        /* by TCOOFF: only TCOON starts again */
	bool canonical;              /* ICANON without EXTPROC */
	bool literal;                /* VLNEXT was the last byte */
	bool erasing;                /* ECHOPRT: inside \…/ */
	bool transparent;            /* `special` is empty */
	uint64_t special[4];         /* byte values: input more than stored and echoed */
	uint64_t ospecial[4];        /* byte values: output more than sent as one column */
	uint64_t eol_words[LDISC_BUF / 64], eof_words[LDISC_BUF / 64];
	uint8_t in[LDISC_BUF];
};

/* Settings of a new terminal: 38400 bit/s, 8 bits, cooked, echo. */
extern const struct abi_termios2 ldisc_default_termios;

/*
 * An empty discipline with the default settings that writes to `out` (borrowed, at least 2 *
 * LDISC_ECHO_RESERVE).
 */
void ldisc_init(struct ldisc *l, struct ring *out);

/*
 * New settings. Turning ICANON on makes one line of what has been typed and not read; turning it
 * off lets everything be read at once. Turning IXON off starts output that a VSTOP stopped.
 */
void ldisc_set_termios(struct ldisc *l, const struct abi_termios2 *t);

/*
 * Takes arriving bytes.
 *   returns      how many were taken; less than n when readers must make room first (a canonical
 *                terminal without a whole line takes all: what does not fit into the line is
 *                dropped)
 *   events       are added to l->events
 */
size_t ldisc_input(struct ldisc *l, const uint8_t *p, size_t n);

/* A break, or a byte c with a framing or parity error, by IGNBRK BRKINT INPCK IGNPAR PARMRK. */
void ldisc_input_error(struct ldisc *l, enum ldisc_error e, uint8_t c);

/* True when ldisc_input() takes at least a byte. */
bool ldisc_accepts(const struct ldisc *l);

static inline uint32_t ldisc_take_events(struct ldisc *l)
{
	uint32_t e = l->events;

	l->events = 0;
	return e;
}

/* True when read(2) has something: a whole line, or `min` bytes (at least 1) in raw mode. */
bool ldisc_has_input(const struct ldisc *l, uint32_t min);

/* Bytes for FIONREAD: of whole lines in canonical mode, without the marks of VEOF. */
uint32_t ldisc_readable(const struct ldisc *l);

/*
 * The next piece of input for a reader with room for max (> 0) bytes. In canonical mode there is a
 * whole line.
 *   p, n         the bytes, at most max, contiguous; n may be 0
 *   taken        positions that ldisc_consume() is to be given once they are copied
 *   last         the line ends here: read(2) returns
 */
struct ldisc_piece {
	const uint8_t *p;
	uint32_t n, taken;
	bool last;
};
struct ldisc_piece ldisc_next(const struct ldisc *l, size_t max);
void ldisc_consume(struct ldisc *l, uint32_t taken);

void ldisc_flush_input(struct ldisc *l);
void ldisc_flush_output(struct ldisc *l); /* but for flush_keep bytes */

/*
 * Output of a program, through OPOST, into `out`. Not while `stopped`: that is the caller's to
 * check.
 *   returns      bytes of p that were taken, 0 … n
 */
size_t ldisc_output(struct ldisc *l, const uint8_t *p, size_t n);

/* Room in `out` for the program's bytes. */
uint32_t ldisc_output_room(const struct ldisc *l);

/* Bytes of `out` that may be sent: those before the stop when output is stopped. */
uint32_t ldisc_sendable(const struct ldisc *l);

/*
 * Holds output for TCOOFF, and lets it go on, whoever held it. Add LDISC_STOP and LDISC_START to
 * the events.
 */
void ldisc_stop(struct ldisc *l);
void ldisc_start(struct ldisc *l);
