#pragma once

/* Shared inside pmm/: boot's part of the page allocator. */

#include <arch/boot.h>

#include "core/spinlock.h"
#include "lib/types.h"
#include "pmm/buddy.h"

extern struct spinlock pages_lock; /* PAGES: pmm_buddy */
extern struct buddy pmm_buddy;
extern uint64_t *page_ready; /* bit per BUDDY_TOP_PAGES; immutable pointer after boot */

/* Called by pmm_init() when all memory has been added: sizes of the caches, reserves. */
void page_caches_init(uint64_t total);

/* What boot takes from memory before there is an allocator (page_boot.c). Fills the array and the
 * buddy. */
uint64_t page_boot_init(void); /* pages in all */

#ifdef KEVLAR_DEBUG
/* Who got a page last: low half of a return address, by pfn (page_debug.c). */
extern uint32_t *page_owner;
void page_debug_alloc(struct page *p, unsigned order, const void *caller); /* checks the poison */
void page_debug_free(struct page *p, unsigned order, const void *caller);  /* poisons */
#else
static inline void page_debug_alloc(struct page *p, unsigned order, const void *caller)
{
	(void)p, (void)order, (void)caller;
}
static inline void page_debug_free(struct page *p, unsigned order, const void *caller)
{
	(void)p, (void)order, (void)caller;
}
#endif
