#pragma once

/*
 * What core/irq.c asks of a port: vectors, the lines that lead to them, and messages. A vector is a
 * small number below ARCH_NVECTORS; the port calls irq_dispatch(vector), interrupts off, for every
 * interrupt on one.
 */

#include "lib/types.h"

enum { ARCH_NVECTORS = 256 };

/* Device vectors are [first, end). */
unsigned arch_vector_first(void);
unsigned arch_vector_end(void);

/* The global line that ISA interrupt n is wired to (interrupt source overrides). */
unsigned arch_irq_isa_gsi(unsigned isa_irq);

/* True when the line is level-triggered, so that several devices may share it. */
bool arch_irq_is_level(unsigned gsi);

/*
 * Routes a line to a vector on the boot CPU and unmasks it.
 *   returns      0; -EINVAL no controller has this line
 *   locks        called under IRQ
 */
MUST_CHECK int arch_irq_route(unsigned gsi, unsigned vector);

/* What a device writes where, to raise `vector` on `cpu`. */
void arch_msi_message(unsigned vector, unsigned cpu, uint64_t *addr, uint32_t *data);
