#pragma once

/* Inside pmm/: how the KVA window is divided, and mapping of single pages into it (kva.c). */

#include <arch/context.h>
#include <arch/page.h>

#include "lib/types.h"
#include "pmm/page_struct.h"

/* Stacks come first: slots of twice their size, of which the lower half is never mapped. */
enum { KSTACK_SLOTS = 1 << 17, KSTACK_SLOT = 2 * KSTACK_SIZE };
#define KSTACK_BASE KVA_BASE
#define KSTACK_END  (KSTACK_BASE + (kaddr_t)KSTACK_SLOTS * KSTACK_SLOT)
#define RANGES_BASE KSTACK_END

/* Maps new pages at va. 0, or -1 with nothing mapped. */
MUST_CHECK int kva_map_pages(kaddr_t va, size_t pages, unsigned alloc_flags);
void kva_unmap_pages(kaddr_t va, size_t pages); /* may sleep */

/* The same in steps, for several ranges with one flush: unmaps, and adds the pages to the chain. */
struct page *kva_unmap_chain(kaddr_t va, size_t pages, struct page *chain);
void kva_flush_and_free(struct page *chain); /* may sleep */
