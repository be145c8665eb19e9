#pragma once

/*
 * 2 MiB blocks of anonymous memory that are mapped by one leaf. A block is 512 single pages from
 * the start: each huge leaf counts once in every one of them. So splitting a leaf changes no count,
 * parts may be unmapped or copied on their own, and two spaces may map the same block at different
 * levels.
 */

#include "pmm/page.h"

enum { HUGE_PAGES = 1 << (HUGE_SHIFT - PAGE_SHIFT) };

/* A zeroed block, each page counted once. NULL: none at hand (small pages are the answer, not
 * reclaim). */
MUST_CHECK struct page *huge_alloc(void);
void huge_get(struct page *head);                /* one more leaf maps the block */
void huge_put(struct page *head);                /* one less; frees what nobody else counts */
bool huge_is_exclusive(const struct page *head); /* nobody else counts any page of it */
