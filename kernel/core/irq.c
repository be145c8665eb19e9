/*
 * Device interrupts: which handlers run for which vector. A line gets its vector at the first
 * request; handlers of a level-triggered line share it and are all called, since none can know
 * whose device it was. Vectors are never given back, so irq_dispatch() reads the table without a
 * lock: an action is complete before it is published.
 */

#include "core/irq.h"

#include <arch/irq.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "core/percpu.h"
#include "core/spinlock.h"

enum { MAX_ACTIONS = 96, NO_GSI = 0xffff };

struct irq_action {
	irq_handler_t *handler;
	void *ctx;
	struct irq_action *_Atomic next;
};

struct irq_vector {
	struct irq_action *_Atomic first;
	uint16_t gsi; /* NO_GSI: message */
	bool used;    /* under lock */
};

static struct spinlock lock = SPINLOCK(IRQ);
static struct irq_vector vectors[ARCH_NVECTORS];
static struct irq_action actions[MAX_ACTIONS];
static unsigned nactions;
static unsigned next_cpu; /* for messages: spread over the CPUs */
static PERCPU(uint32_t, counts[ARCH_NVECTORS]);
PERCPU(struct irq_state, irq_state);

void irq_enter(void)
{
	struct irq_state *s = &this_cpu(irq_state);

	s->is_active = true;
	s->begin = clock_mono();
}

void irq_exit(void)
{
	struct irq_state *s = &this_cpu(irq_state);
	nsec_t ns = atomic_load_explicit(&s->ns, memory_order_relaxed);

	atomic_store_explicit(&s->ns, ns + clock_mono() - s->begin, memory_order_relaxed);
	s->is_active = false;
}

/* The vector of a line, or the first free one; 0: none. */
static unsigned vector_find_locked(unsigned gsi)
{
	unsigned unused = 0;

	for (unsigned v = arch_vector_first(); v < arch_vector_end(); v++) {
		if (!vectors[v].used && !unused)
			unused = v;
		if (vectors[v].used && gsi != NO_GSI && vectors[v].gsi == gsi)
			return v;
	}
	return unused;
}

static void publish_locked(unsigned v, irq_handler_t *handler, void *ctx)
{
	struct irq_action *a = &actions[nactions++];

	a->handler = handler;
	a->ctx = ctx;
	atomic_store_explicit(&a->next,
			      atomic_load_explicit(&vectors[v].first, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&vectors[v].first, a, memory_order_release);
}

static int request_locked(unsigned gsi, irq_handler_t *handler, void *ctx)
{
	unsigned v = vector_find_locked(gsi);
	int err;

	if (!v || nactions == MAX_ACTIONS)
		return -ENOSPC;
	if (vectors[v].used) {
		if (!arch_irq_is_level(gsi))
			return -EBUSY;
		publish_locked(v, handler, ctx);
		return 0;
	}
	vectors[v].gsi = (uint16_t)gsi;
	publish_locked(v, handler, ctx); /* before the line opens */
	if ((err = arch_irq_route(gsi, v))) {
		atomic_store_explicit(&vectors[v].first, NULL, memory_order_relaxed);
		nactions--;
		return err;
	}
	vectors[v].used = true;
	return 0;
}

int irq_request(unsigned gsi, irq_handler_t *handler, void *ctx)
{
	irqstate_t s;
	int err;

	if (gsi >= NO_GSI)
		return -EINVAL;
	s = spin_lock_irq(&lock);
	err = request_locked(gsi, handler, ctx);
	spin_unlock_irq(&lock, s);
	return err;
}

int irq_request_isa(unsigned isa_irq, irq_handler_t *handler, void *ctx)
{
	return irq_request(arch_irq_isa_gsi(isa_irq), handler, ctx);
}

/* The next online CPU, in turn. */
static unsigned pick_cpu_locked(void)
{
	uint64_t online = atomic_load_explicit(&cpus_online, memory_order_relaxed);

	do
		next_cpu = (next_cpu + 1) % MAX_CPUS;
	while (!(online >> next_cpu & 1));
	return next_cpu;
}

int irq_request_msi(irq_handler_t *handler, void *ctx, uint64_t *addr, uint32_t *data)
{
	irqstate_t s = spin_lock_irq(&lock);
	unsigned v = vector_find_locked(NO_GSI);
	int err = -ENOSPC;

	if (v && nactions < MAX_ACTIONS) {
		vectors[v].gsi = NO_GSI;
		vectors[v].used = true;
		publish_locked(v, handler, ctx);
		arch_msi_message(v, pick_cpu_locked(), addr, data);
		err = 0;
	}
	spin_unlock_irq(&lock, s);
	return err;
}

void irq_dispatch(unsigned vector)
{
	struct irq_action *a = atomic_load_explicit(&vectors[vector].first, memory_order_acquire);

	this_cpu(counts)[vector]++;
	for (; a; a = atomic_load_explicit(&a->next, memory_order_relaxed))
		a->handler(a->ctx);
}

uint64_t irq_count(unsigned vector, unsigned cpu)
{
	return vector < ARCH_NVECTORS && cpu < ncpus ? of_cpu(counts, cpu)[vector] : 0;
}

bool irq_describe(unsigned vector, int *gsi)
{
	if (vector >= ARCH_NVECTORS || !vectors[vector].used)
		return false;
	*gsi = vectors[vector].gsi == NO_GSI ? -1 : vectors[vector].gsi;
	return true;
}
