/*
 * Editing the line: VERASE takes a character, VWERASE a word, VKILL all of it, and each shows it as
 * the ECHO flags say. A character is a byte, or with IUTF8 a whole UTF-8 sequence; one that lost
 * its first byte is left alone. A word is letters, digits and '_', with the rest behind it; letters
 * beyond ASCII are Latin-1's, among which are nearly all the bytes that begin a UTF-8 sequence.
 *
 *   source       termios(3): ECHOE, ECHOK, ECHOKE, ECHOPRT, ECHOCTL, VWERASE, VREPRINT
 */

#include "tty/ldisc.h"

#include "tty/ldisc_priv.h"

void ldisc_finish_erasing(struct ldisc *l)
{
	if (!l->erasing)
		return;
	l->erasing = false;
	ldisc_echo_raw(l, (const uint8_t *)"/", 1);
}

/* Columns that the tab at `pos` of the line took: to the next multiple of 8 from where it stood. */
static unsigned tab_width(struct ldisc *l, uint32_t pos)
{
	unsigned column = 0;

	while (pos != l->canon) {
		uint8_t c = *ldisc_at(l, --pos);

		if (c == '\t')
			return 8 - column % 8; /* a tab ends at a multiple of 8 */
		if (ldisc_is_control(c))
			column += ldisc_lflag(l, ECHOCTL) ? 2 : 0;
		else if (!ldisc_is_continuation(l, c))
			column++;
	}
	return 8 - (column + l->line_column) % 8;
}

/* The character [pos, end), which has just left the line, leaves the screen. */
static void show_erased(struct ldisc *l, uint32_t pos, uint32_t end, bool kill)
{
	uint8_t c = *ldisc_at(l, pos);

	if (ldisc_lflag(l, ECHOPRT)) {
		if (!l->erasing)
			ldisc_echo_raw(l, (const uint8_t *)"\\", 1);
		l->erasing = true;
		ldisc_echo_char(l, c);
		while (++pos != end)
			ldisc_echo_raw(l, ldisc_at(l, pos), 1);
	} else if (!kill && !ldisc_lflag(l, ECHOE)) {
		ldisc_echo_char(l, l->termios.c_cc[VERASE]);
	} else if (c == '\t') {
		ldisc_echo_back(l, tab_width(l, pos));
	} else if (ldisc_is_control(c)) {
		ldisc_echo_erase(l, ldisc_lflag(l, ECHOCTL) ? 2 : 0);
	} else {
		ldisc_echo_erase(l, 1);
	}
}

/* Where the last character of the line begins; false when there is no whole one. */
static bool last_char(struct ldisc *l, uint32_t *pos)
{
	uint32_t p = l->head;

	while (p != l->canon)
		if (!ldisc_is_continuation(l, *ldisc_at(l, --p))) {
			*pos = p;
			return true;
		}
	return false;
}

static void erase_char_at(struct ldisc *l, uint32_t pos, bool kill)
{
	uint32_t end = l->head;

	l->head = pos;
	if (ldisc_lflag(l, ECHO))
		show_erased(l, pos, end, kill);
}

static bool is_word(uint8_t c)
{
	uint8_t lower = c | 0x20;

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static void erase_word(struct ldisc *l)
{
	bool in_word = false;
	uint32_t pos;

	while (last_char(l, &pos)) {
		if (is_word(*ldisc_at(l, pos)))
			in_word = true;
		else if (in_word)
			break;
		erase_char_at(l, pos, true);
	}
}

/* VKILL: off the screen where ECHOKE can do that, else the character and a new line. */
static void kill_line(struct ldisc *l)
{
	const uint32_t visual = ECHOK | ECHOKE | ECHOE;
	uint32_t pos;

	if (ldisc_lflag(l, ECHO) && (l->termios.c_lflag & visual) == visual) {
		while (last_char(l, &pos))
			erase_char_at(l, pos, true);
		return;
	}
	l->head = l->canon;
	if (!ldisc_lflag(l, ECHO))
		return;
	ldisc_finish_erasing(l);
	ldisc_echo_char(l, l->termios.c_cc[VKILL]);
	if (ldisc_lflag(l, ECHOK))
		ldisc_echo_raw(l, (const uint8_t *)"\n", 1);
}

void ldisc_erase(struct ldisc *l, uint8_t c)
{
	uint32_t pos;

	if (l->head == l->canon)
		return;
	if (ldisc_is(l, VERASE, c)) {
		if (last_char(l, &pos))
			erase_char_at(l, pos, false);
	} else if (ldisc_is(l, VWERASE, c) && ldisc_lflag(l, IEXTEN)) {
		erase_word(l);
	} else {
		kill_line(l);
	}
	if (l->head == l->canon && ldisc_lflag(l, ECHO))
		ldisc_finish_erasing(l);
}

void ldisc_reprint(struct ldisc *l)
{
	ldisc_finish_erasing(l);
	ldisc_echo_char(l, l->termios.c_cc[VREPRINT]);
	ldisc_echo_raw(l, (const uint8_t *)"\n", 1);
	for (uint32_t p = l->canon; p != l->head; p++)
		ldisc_echo_char(l, *ldisc_at(l, p));
}
