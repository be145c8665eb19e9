#pragma once

/* Device interrupts. Handlers run with interrupts off: they acknowledge, note and wake (design,
 * rule 3). */

#include "lib/types.h"

typedef void irq_handler_t(void *ctx);

/*
 * Routes a global system interrupt (ACPI GSI; ISA interrupts by their source overrides) to
 * `handler`. Level-triggered lines are shared: every handler is called, and each must quiet its own
 * device. returns      0; -EBUSY an edge-triggered line that is taken; -EINVAL no such line;
 * -ENOSPC no vector left
 */
MUST_CHECK int irq_request(unsigned gsi, irq_handler_t *handler, void *ctx);
MUST_CHECK int irq_request_isa(unsigned isa_irq, irq_handler_t *handler, void *ctx);

/* A message-signalled vector: *addr and *data are what the device is to write. */
MUST_CHECK int irq_request_msi(irq_handler_t *handler, void *ctx, uint64_t *addr, uint32_t *data);

/* Called by the port for every device interrupt. Edges and messages are already acknowledged; a
 * level-triggered line is acknowledged after the handlers. No handler switches threads. */
void irq_dispatch(unsigned vector);

/* For /proc/interrupts: how many on `cpu`, and whether the vector is in use (*gsi: its line, -1:
 * messages). */
uint64_t irq_count(unsigned vector, unsigned cpu);
bool irq_describe(unsigned vector, int *gsi);
