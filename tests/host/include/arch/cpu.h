#pragma once

/*
 * <arch/cpu.h> for host tests of code above arch/. The test owns what stands here: it says which CPU it is, what the
 * counter shows and whether interrupts are on. Per-CPU variables of CPU n lie percpu_offset[n] from their own.
 */

#include "lib/types.h"

typedef uint64_t irqstate_t;

extern unsigned host_cpu;        /* which CPU the test plays */
extern uint64_t host_counter;    /* what arch_counter() reads; each reading adds host_counter_step */
extern uint64_t host_counter_step;
extern bool host_irqs_on;
extern uintptr_t percpu_offset[];

static inline unsigned arch_cpu_id(void)
{
	return host_cpu;
}
static inline uintptr_t arch_percpu_offset(void)
{
	return percpu_offset[host_cpu];
}
static inline irqstate_t arch_irq_save(void)
{
	irqstate_t s = host_irqs_on;

	host_irqs_on = false;
	return s;
}
static inline void arch_irq_restore(irqstate_t s)
{
	host_irqs_on = s;
}
static inline void arch_irq_enable(void)
{
	host_irqs_on = true;
}
static inline void arch_irq_disable(void)
{
	host_irqs_on = false;
}
static inline bool arch_irqs_enabled(void)
{
	return host_irqs_on;
}
static inline void arch_pause(void)
{
}
enum count_drop { COUNT_LEFT, COUNT_LAST, COUNT_WRONG };
static inline enum count_drop arch_count_drop(_Atomic uint32_t *n)
{
	uint32_t old = atomic_fetch_sub(n, 1);

	return old == 0 ? COUNT_WRONG : old == 1 ? COUNT_LAST : COUNT_LEFT;
}
static inline uint64_t arch_local_fetch_add(_Atomic uint64_t *p, uint64_t v)
{
	return atomic_fetch_add(p, v);
}
struct thread;
struct thread *arch_curthread(void); /* the test's, if it needs one */
static inline uint64_t arch_counter(void)
{
	return host_counter += host_counter_step;
}
static inline uint64_t arch_counter_hz(void)
{
	return 1000000000;
}
bool arch_hw_random(uint64_t *out);
