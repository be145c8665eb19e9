/*
 * Debug builds: free pages are filled with a poison byte and checked when they are taken again;
 * PG_POISONED says which (memory never used has none). The last to allocate or free a page is
 * remembered by its return address.
 */
#ifdef KEVLAR_DEBUG

#include "core/lockdep.h"
#include "lib/string.h"
#include "pmm/failure.h"
#include "pmm/page.h"
#include "pmm/pmm_priv.h"

#define POISON 0x5a5a5a5a5a5a5a5aull

uint32_t *page_owner;
bool (*alloc_failure)(const void *caller);

static void check_poison(struct page *p)
{
	const uint64_t *w = page_va(p);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*w); i++)
		if (w[i] != POISON)
			panic("pmm: free page %lx written at +%zx: %lx (freed or taken by "
			      "ffffffff%08x)",
			      page_pfn(p), i * sizeof(*w), w[i], page_owner[page_pfn(p)]);
}

void page_debug_alloc(struct page *p, unsigned order, const void *caller)
{
	lockdep_not_in_irq();
	for (unsigned long k = 0; k < 1ul << order; k++) {
		uint8_t flags = atomic_load_explicit(&p[k].flags, memory_order_relaxed);

		if (flags & PG_POISONED)
			check_poison(&p[k]);
		atomic_store_explicit(&p[k].flags, flags & ~PG_POISONED, memory_order_relaxed);
		page_owner[page_pfn(&p[k])] = (uint32_t)(uintptr_t)caller;
	}
}

void page_debug_free(struct page *p, unsigned order, const void *caller)
{
	lockdep_not_in_irq();
	for (unsigned long k = 0; k < 1ul << order; k++) {
		memset(page_va(&p[k]), (int)(POISON & 0xff), PAGE_SIZE);
		atomic_store_explicit(&p[k].flags, PG_POISONED, memory_order_relaxed);
		page_owner[page_pfn(&p[k])] = (uint32_t)(uintptr_t)caller;
	}
}

#endif
