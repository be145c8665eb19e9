#pragma once

/*
 * Buddy allocator over an array of struct page, by index. Pure: the caller owns the array and the
 * lock. Free blocks are linked through struct page, so there is neither a bitmap nor a limit but
 * the 32 bits of an index.
 *
 * Blocks of the largest order may be added "raw": the struct pages behind their heads are not even
 * zeroed until the block is first taken, which keeps the start of a large machine cheap.
 */

#include "lib/types.h"
#include "pmm/page_struct.h"

enum { BUDDY_ORDERS = 11, BUDDY_TOP = BUDDY_ORDERS - 1, BUDDY_TOP_PAGES = 1 << BUDDY_TOP };
#define BUDDY_NONE UINT32_MAX

struct buddy {
	struct page *pages; /* entries of every block of BUDDY_TOP_PAGES that holds a free page */
	uint32_t head[BUDDY_ORDERS]; /* first free block of the order, or BUDDY_NONE */
	uint32_t raw;                /* first raw block */
	uint32_t avail;              /* bit per order: its list is not empty */
	uint32_t nblocks[BUDDY_ORDERS];
	uint64_t nfree;  /* pages, raw ones included */
	uint64_t *ready; /* bit per BUDDY_TOP_PAGES: their struct pages are valid; may be NULL */
};

void buddy_init(struct buddy *b, struct page *pages, uint64_t *ready);

/* Adds [start, end); the struct pages are zero (PAGE_RESERVED) or came from buddy_alloc(), and
 * marked ready. */
void buddy_add(struct buddy *b, uint32_t start, uint32_t end);

/* Adds the block of BUDDY_TOP_PAGES at `start` (aligned), whose struct pages hold anything. */
void buddy_add_raw(struct buddy *b, uint32_t start);

/*
 * Takes a block of 2^order pages, aligned to its size; the smallest that will do is split.
 *   returns      its first index, its pages of kind PAGE_RESERVED; BUDDY_NONE
 */
uint32_t buddy_alloc(struct buddy *b, unsigned order);

/* Gives a block back and merges it with its free neighbours. None of its pages is of kind
 * PAGE_FREE. */
void buddy_free(struct buddy *b, uint32_t index, unsigned order);
