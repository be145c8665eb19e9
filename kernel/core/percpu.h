#pragma once

/*
 * Per-CPU variables live in the section .percpu; CPU 0 uses the section itself, every other CPU a
 * copy at `offset` bytes from it. The kernel is not preempted, so this_cpu(x) stays this CPU's
 * until the thread sleeps; against interrupt handlers on the same CPU the user must disable
 * interrupts.
 */

#include <arch/cpu.h>

#include "lib/types.h"

enum { MAX_CPUS = 64 };

#define PERCPU(type, name)         SECTION(".percpu") type name
#define DECLARE_PERCPU(type, name) extern type name

extern uintptr_t percpu_offset[MAX_CPUS]; /* immutable after percpu_init_cpu() */
extern unsigned ncpus;                    /* CPUs found; immutable after boot's arch_cpus_init() */
extern _Atomic uint64_t cpus_online;      /* bit n: CPU n schedules */

#define this_cpu(name)    (*(typeof(name) *)((uintptr_t) & (name) + arch_percpu_offset()))
#define of_cpu(name, cpu) (*(typeof(name) *)((uintptr_t) & (name) + percpu_offset[cpu]))

static inline unsigned cpu_id(void)
{
	return arch_cpu_id();
}

/* The bytes of one CPU's copy, and the place it is copied from: for the allocation at boot. */
size_t percpu_size(void);

/* Keeps the variables as linked for those copies. Called once by the port, before any of them
 * changes. */
void percpu_save_template(void);

/* Makes `copy` (percpu_size() bytes, page aligned) the variables of `cpu`, before that CPU starts.
 */
void percpu_init_cpu(unsigned cpu, void *copy);

/* Calls the body with `cpu` running over the online CPUs; a snapshot. */
#define for_each_cpu(cpu)                    \
	for (cpu = 0; cpu < MAX_CPUS; cpu++) \
		if (atomic_load_explicit(&cpus_online, memory_order_relaxed) >> cpu & 1)
