/*
 * Terminal settings between the forms that programs exchange: termios, termios2, and termio of
 * System V.
 */

#include "tty/tty_priv.h"

/* Index: the bits of CBAUD without CBAUDEX, and 16 more for those with it. */
static const uint32_t bauds[] = {
	0,       50,      75,      110,     134,     150,     200,     300,
	600,     1200,    1800,    2400,    4800,    9600,    19200,   38400,
	0,       57600,   115200,  230400,  460800,  500000,  576000,  921600,
	1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
};

static uint32_t decode(uint32_t flag, uint32_t other)
{
	uint32_t i = (flag & 0xf) | (flag & CBAUDEX ? 16 : 0);

	return flag == BOTHER ? other : bauds[i];
}

uint32_t termios_speed(const struct abi_termios2 *t)
{
	return decode(t->c_cflag & CBAUD, t->c_ospeed);
}

/* An input speed of B0 is the output speed. */
void termios_set_speeds(struct abi_termios2 *t)
{
	uint32_t in = t->c_cflag >> IBSHIFT & CBAUD;

	t->c_ospeed = decode(t->c_cflag & CBAUD, t->c_ospeed);
	t->c_ispeed = in == 0 ? t->c_ospeed : decode(in, t->c_ispeed);
}

uint32_t termios_speed_flag(uint32_t baud)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(bauds); i++)
		if (bauds[i] == baud && i != 16)
			return i < 16 ? i : (i & 0xf) | CBAUDEX;
	return BOTHER;
}

struct abi_termio termios_to_termio(const struct abi_termios2 *t)
{
	struct abi_termio io = {
		.c_iflag = (uint16_t)t->c_iflag,
		.c_oflag = (uint16_t)t->c_oflag,
		.c_cflag = (uint16_t)t->c_cflag,
		.c_lflag = (uint16_t)t->c_lflag,
		.c_line = t->c_line,
	};

	memcpy(io.c_cc, t->c_cc, sizeof(io.c_cc));
	return io;
}

void termios_from_termio(struct abi_termios2 *t, const struct abi_termio *io)
{
	const uint32_t high = 0xffff0000;

	t->c_iflag = (t->c_iflag & high) | io->c_iflag;
	t->c_oflag = (t->c_oflag & high) | io->c_oflag;
	t->c_cflag = (t->c_cflag & high) | io->c_cflag;
	t->c_lflag = (t->c_lflag & high) | io->c_lflag;
	t->c_line = io->c_line;
	memcpy(t->c_cc, io->c_cc, sizeof(io->c_cc));
}
