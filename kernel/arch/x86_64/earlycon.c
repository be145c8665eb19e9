/*
 * Polled output to the first serial port, for messages before its driver and after everything else
 * has failed. The rate is the loader's; a port that is not there reads as 0xff and is left alone.
 */

#include <arch/boot.h>
#include <arch/io.h>

#include "core/log.h"

enum { PORT = 0x3f8, REG_LSR = 5, REG_SCRATCH = 7, LSR_EMPTY = 0x20, SPIN_MAX = 100000 };

static void put(char c)
{
	for (unsigned i = 0; i < SPIN_MAX && !(arch_inb(PORT + REG_LSR) & LSR_EMPTY); i++)
		__asm__ volatile("pause");
	arch_outb(PORT, (uint8_t)c);
}

static void earlycon_write(struct log_sink *s, const char *text, size_t n)
{
	(void)s;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n')
			put('\r');
		put(text[i]);
	}
}

struct log_sink *arch_earlycon(void)
{
	static struct log_sink sink = { .write = earlycon_write };

	return arch_inb(PORT + REG_LSR) == 0xff ? NULL : &sink;
}
