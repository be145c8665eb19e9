#pragma once

/*
 * The CPU a port runs on: identity, interrupts, idling, the counter. Inlines are in
 * <arch/cpu_inline.h>, the port's own (kernel/arch/x86_64/include/arch/), so that hot paths carry
 * no call.
 */

#include "lib/types.h"

struct thread;

typedef uint64_t irqstate_t; /* opaque: whether interrupts were on */

#include <arch/cpu_inline.h>
/* which provides, as static inlines:
 *   unsigned   arch_cpu_id(void)             this CPU, 0 … ncpus-1
 *   uintptr_t  arch_percpu_offset(void)      core/percpu.h
 *   irqstate_t arch_irq_save(void)           disables; returns the state before
 *   void       arch_irq_restore(irqstate_t)
 *   void       arch_irq_enable(void), arch_irq_disable(void)
 *   bool       arch_irqs_enabled(void)
 *   void       arch_pause(void)              in spin loops
 *   void       arch_device_fence(void)       writes to memory are seen by devices before reads that
 * follow are made: a full fence, and more where a hypervisor's devices need it
 *   enum count_drop arch_count_drop(_Atomic uint32_t *)   one less; orders as release, and the last
 * as acquire too uint64_t   arch_local_fetch_add(_Atomic uint64_t *, uint64_t)   whole against
 * interrupts of this CPU, not against others uint64_t   arch_counter(void)            constant-rate
 * counter, same on all CPUs; not serialising struct thread *arch_curthread(void)      the running
 * thread (gs-relative) void arch_curthread_set(struct thread *)   the first thread of a CPU; later
 * arch_switch() does it
 */

/* Enables interrupts and halts until one arrives, without a window between the two. Returns with
 * them off. */
void arch_idle(void);

NORETURN void arch_halt_forever(void);

/* Hardware random numbers: true and *out, or false where there are none. */
bool arch_hw_random(uint64_t *out);

/* Number and frequency of the counter, found at boot. */
uint64_t arch_counter_hz(void);

/*
 * Finds the CPUs (ACPI MADT), sets ncpus, and gives each its per-CPU area (core/percpu.h). Boot
 * CPU, once, after arch_map_memory() and arch_pt_set_alloc(). alloc    n zeroed pages, contiguous
 * for the kernel (kva_alloc), or NULL: ncpus ends there
 */
void arch_cpus_init(void *(*alloc)(size_t pages));

/*
 * Starts the other CPUs, all at once; each ends in the upcall cpu_start(), on the stack of the
 * thread that `idle` made for it, with that thread as curthread(). Returns when all have arrived,
 * or after 1 s without the rest, which are named in the log. After arch_devices_init(). idle
 * sched_create_idle; NULL from it leaves that CPU alone (no memory, maxcpus=)
 */
void arch_cpus_start(struct thread *(*idle)(unsigned cpu));

/* The one-shot timer of this CPU: the upcall tick() at counter-derived monotonic time `deadline` or
 * at once when that has passed; NSEC_MAX stops it. */
void arch_timer_set(nsec_t deadline);

/* Inside tick(): whether it interrupted user mode. */
bool arch_irq_from_user(void);

/* Frequency of that timer, and what it is, for the log. */
uint64_t arch_timer_hz(void);

/* Inter-processor interrupts: the upcall ipi_received() on every CPU of the mask. Never this CPU.
 */
void arch_ipi_send(uint64_t cpumask);

/* Stops all other CPUs, by NMI: for panic. */
void arch_cpus_stop(void);

/* Names guard pages when a fault hits one: boot sets kva_is_guard. May stay NULL. */
extern bool (*arch_is_stack_guard)(kaddr_t va);

/* Backtrace of the caller into the log. */
void arch_backtrace(void);
/* Another CPU is to log its registers and backtrace, whatever it does: by NMI. */
void arch_backtrace_of(unsigned cpu);

/* One of the CPU's caches, the nearest first. The same on every CPU. */
struct arch_cache {
	unsigned level, sets, ways, line; /* line: bytes */
	enum { CACHE_DATA = 1, CACHE_INSTRUCTION, CACHE_UNIFIED } type;
};
/* The nth; false: there are no more. */
bool arch_cpu_cache(unsigned n, struct arch_cache *out);
/* The CPUs, `cpu` among them, that share its nth cache. */
uint64_t arch_cpu_cache_sharers(unsigned cpu, unsigned n);

/* Text of /proc/cpuinfo for one CPU. */
struct textbuf;
void arch_cpuinfo(struct textbuf *t, unsigned cpu);
