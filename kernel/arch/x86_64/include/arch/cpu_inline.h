#pragma once

/*
 * x86-64 part of <arch/cpu.h>. In kernel mode GS points to this CPU's copy of `struct cpu_area`,
 * which also carries the offset of the CPU's variables (core/percpu.h) and what the entry code
 * needs before it has a stack.
 */

#include <arch/count.h>

#include "lib/types.h"

typedef uint64_t irqstate_t; /* RFLAGS */

struct thread;

struct cpu_area {
	struct thread *curthread;
	uintptr_t percpu_offset; /* immutable once the CPU runs */
	uint32_t id;             /* immutable */
	uint32_t nofault;        /* a user copy that must not fault in is running here */
	uint64_t kstack_top;     /* where SYSCALL starts pushing: top of curthread's stack */
	uint64_t user_sp;        /* scratch of the SYSCALL entry, interrupts off */
};

#define CPU_AREA_READ(type, field, quals)                               \
	({                                                              \
		type v__;                                               \
		__asm__ quals("mov %%gs:%c1, %0"                        \
			      : "=r"(v__)                               \
			      : "i"(offsetof(struct cpu_area, field))); \
		v__;                                                    \
	})

/* Volatile: the answer changes when the thread sleeps, so two reads must not become one. */
static inline unsigned arch_cpu_id(void)
{
	return CPU_AREA_READ(uint32_t, id, volatile);
}

static inline uintptr_t arch_percpu_offset(void)
{
	return CPU_AREA_READ(uintptr_t, percpu_offset, volatile);
}

/* Not volatile: whoever asks is this thread, before and after any sleep. */
static inline struct thread *arch_curthread(void)
{
	return CPU_AREA_READ(struct thread *, curthread, );
}

/* For the scheduler's first thread on a CPU; afterwards arch_switch() does it. */
static inline void arch_curthread_set(struct thread *t)
{
	__asm__ volatile("mov %0, %%gs:%c1"
			 :
			 : "r"(t), "i"(offsetof(struct cpu_area, curthread))
			 : "memory");
}

enum { X86_FLAGS_IF = 1 << 9 };

static inline irqstate_t arch_irq_save(void)
{
	irqstate_t s;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(s) : : "memory");
	return s;
}

static inline void arch_irq_restore(irqstate_t s)
{
	if (s & X86_FLAGS_IF)
		__asm__ volatile("sti" : : : "memory");
}

/* Fences do nothing here as far as devices go: set at boot (smp.c). */
extern bool x86_fences_are_void;

/* The slow way: out of line. */
void x86_fence_by_port(void);

static inline void arch_device_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (UNLIKELY(x86_fences_are_void))
		x86_fence_by_port();
}

static inline void arch_irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline bool arch_irqs_enabled(void)
{
	uint64_t s;

	__asm__ volatile("pushfq; popq %0" : "=r"(s) : : "memory");
	return s & X86_FLAGS_IF;
}

static inline void arch_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline uint64_t arch_local_fetch_add(_Atomic uint64_t *p, uint64_t v)
{
	__asm__ volatile("xaddq %0, %1" : "+r"(v), "+m"(*p) : : "cc");
	return v;
}

/* The flags tell all three cases apart. clang 14 never ends on some functions that have this as
 * an asm goto (vm/writeback.c). */
static inline enum count_drop arch_count_drop(_Atomic uint32_t *n)
{
#ifdef __clang__
	bool is_wrong, is_last;

	__asm__ volatile("lock subl $1, %0"
			 : "+m"(*n), "=@ccc"(is_wrong), "=@ccz"(is_last)
			 :
			 : "memory");
	return is_wrong ? COUNT_WRONG : is_last ? COUNT_LAST : COUNT_LEFT;
#else
	__asm__ goto("lock subl $1, %0\n\tjc %l[wrong]\n\tjz %l[last]"
		     :
		     : "m"(*n)
		     : "memory", "cc"
		     : wrong, last);
	return COUNT_LEFT;
last:
	return COUNT_LAST;
wrong:
	return COUNT_WRONG;
#endif
}

static inline uint64_t arch_counter(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}
