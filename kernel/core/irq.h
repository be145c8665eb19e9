#pragma once

/* Device interrupts. Handlers run with interrupts off: they acknowledge, note and wake (design,
 * rule 3). */

#include "core/percpu.h"
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

/* Around every interrupt, called by the port, interrupts off. They do not nest. */
void irq_enter(void);
void irq_exit(void);

struct irq_state {
	bool is_active;    /* this CPU, interrupts off */
	nsec_t begin;      /* of the present one */
	_Atomic nsec_t ns; /* spent in interrupts since boot; read by all */
};
DECLARE_PERCPU(struct irq_state, irq_state);

/* Whether this is an interrupt handler: a running thread is then not the one that acts. */
static inline bool irq_is_active(void)
{
	return this_cpu(irq_state).is_active;
}

static inline nsec_t irq_time(unsigned cpu)
{
	return atomic_load_explicit(&of_cpu(irq_state, cpu).ns, memory_order_relaxed);
}
