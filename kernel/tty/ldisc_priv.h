#pragma once

/*
 * Between ldisc.c (input and reading), ldisc_edit.c (the line being edited) and ldisc_out.c (OPOST
 * and echo).
 */

#include "tty/ldisc.h"

static inline bool ldisc_iflag(const struct ldisc *l, uint32_t f)
{
	return l->termios.c_iflag & f;
}
static inline bool ldisc_oflag(const struct ldisc *l, uint32_t f)
{
	return l->termios.c_oflag & f;
}
static inline bool ldisc_lflag(const struct ldisc *l, uint32_t f)
{
	return l->termios.c_lflag & f;
}

/* True when c is the control character `i` of c_cc, which 0 switches off. */
static inline bool ldisc_is(const struct ldisc *l, unsigned i, uint8_t c)
{
	return c != 0 && l->termios.c_cc[i] == c;
}

static inline bool ldisc_set_has(const uint64_t *set, uint8_t c)
{
	return set[c / 64] >> (c % 64) & 1;
}
static inline void ldisc_set_add(uint64_t *set, uint8_t c)
{
	set[c / 64] |= 1ull << (c % 64);
}

static inline bool ldisc_is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

/*
 * True for the second and later bytes of a UTF-8 character, where IUTF8 says that input is UTF-8.
 */
static inline bool ldisc_is_continuation(const struct ldisc *l, uint8_t c)
{
	return ldisc_iflag(l, IUTF8) && (c & 0xc0) == 0x80;
}

static inline uint8_t *ldisc_at(struct ldisc *l, uint32_t pos)
{
	return &l->in[pos % LDISC_BUF];
}

/* ldisc_out.c. Echo without room is dropped, a character whole. */
void ldisc_set_output_classes(struct ldisc *l);
void ldisc_echo_raw(struct ldisc *l, const uint8_t *p, size_t n); /* through OPOST, and no more */
void ldisc_echo_char(struct ldisc *l, uint8_t c);                 /* control characters as ^X */
void ldisc_echo_erase(struct ldisc *l, unsigned columns);         /* "\b \b" each */
void ldisc_echo_back(struct ldisc *l, unsigned columns);          /* "\b" each */

/* ldisc_edit.c. */
void ldisc_erase(struct ldisc *l, uint8_t c); /* c is VERASE, VWERASE or VKILL */
void ldisc_finish_erasing(struct ldisc *l);   /* the '/' of ECHOPRT */
void ldisc_reprint(struct ldisc *l);
