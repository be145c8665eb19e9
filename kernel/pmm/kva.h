#pragma once

/* Kernel virtual ranges: stacks with guard pages, large arrays, device registers. */

#include "lib/types.h"

/*
 * A range of `pages` pages backed by single pages, zeroed, with an unmapped page behind it.
 *   returns      its address; NULL: no memory
 *   context      threads; may sleep
 */
MUST_CHECK void *kva_alloc(size_t pages);
void kva_free(void *p, size_t pages); /* may sleep: flushes other CPUs */

/*
 * A kernel stack: KSTACK_SIZE bytes with an unmapped page below. Cached, because threads come and
 * go.
 *   returns      its lowest address, content undefined; NULL: no memory
 *   context      alloc may sleep; free does not, and may be called with interrupts off (threads
 *                only)
 */
MUST_CHECK void *kstack_alloc(void);
void kstack_free(void *stack);
uint64_t kstack_pages(void); /* of all stacks, cached ones included */

/* Gives cached stacks beyond the usual number back to the system. Kernel threads; sleeps. */
void kstack_trim(void);
/* Set by sched: so many stacks are cached that kstack_trim() should be called from a kernel
 * thread. */
extern void (*kstack_kick_trim)(void);

/* Device registers, uncached. Never unmapped. NULL: no memory. */
MUST_CHECK void *io_map(paddr_t pa, size_t bytes);

void kva_init(void);     /* after slab_init() */
void kva_init_cpu(void); /* by pmm_init_cpu() */

/* Flushes kernel translations on all CPUs; set by sched once IPIs work. */
extern void (*kva_shootdown)(void);
/* True when va lies in a guard page of a kernel stack: the double-fault handler says so. */
bool kva_is_guard(kaddr_t va);
