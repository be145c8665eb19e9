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
