#pragma once

/*
 * 2 MiB blocks of anonymous memory that are mapped by one leaf. A block has one count as long as it
 * is mapped by such leaves alone; before anything touches a part of it, it is expanded into 512
 * pages with counts of their own (hugepage.c).
 */

#include <arch/mmu.h>

#include "pmm/page.h"

enum { HUGE_PAGES = 1 << (HUGE_SHIFT - PAGE_SHIFT) };

/* A zeroed block, counted once, for one leaf. NULL: none at hand (small pages are the answer, not
 * reclaim). */
MUST_CHECK struct page *huge_alloc(void);
void huge_get(struct page *head);                /* one more leaf maps the block */
void huge_put(struct page *head);                /* one less; frees what nobody else counts */
bool huge_is_exclusive(const struct page *head); /* nobody else counts any page of it */

/* Before a page of the block is counted or mapped by itself. slot: where a 2 MiB leaf of the block
 * is, or was until a moment ago. The space's lock is held. */
void huge_expand(_Atomic pte_t *slot);
