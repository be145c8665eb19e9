#pragma once

/*
 * I/O ports, for drivers of devices that live there (8250, CMOS, PCI configuration by mechanism 1).
 * A machine without ports has ARCH_HAS_PORTS 0 and lacks the functions.
 */

#include "lib/types.h"

#include <arch/io_inline.h>
/* which provides: ARCH_HAS_PORTS and, where it is 1, as static inlines:
 *   uint8_t  arch_inb(uint16_t port)      void arch_outb(uint16_t port, uint8_t v)
 *   uint16_t arch_inw(uint16_t port)      void arch_outw(uint16_t port, uint16_t v)
 *   uint32_t arch_inl(uint16_t port)      void arch_outl(uint16_t port, uint32_t v)
 */

/*
 * Besides, for ioperm(2) and iopl(2): the ports that the running thread may use in user mode. A
 * child of fork or clone starts with its parent's; exec changes nothing.
 */
enum { ARCH_IO_PORTS = 65536 };

/* Allows or forbids [from, from + num), which is within ARCH_IO_PORTS. -ENOMEM: nothing has
 * changed. */
MUST_CHECK int arch_ioperm(unsigned from, unsigned num, bool allow);

/* 0 … 3; only 3 means something: all ports. */
unsigned arch_iopl(void);
void arch_iopl_set(unsigned level);

/* Where the maps of ports come from: set once at boot (arch does not call slab). */
void arch_io_set_alloc(void *(*alloc)(size_t bytes), void (*free)(void *));
