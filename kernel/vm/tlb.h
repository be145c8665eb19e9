#pragma once

/*
 * TLB shootdown. Changes gather their range and the pages they took away; finishing flushes every
 * CPU on which the table is active (this one at once, the others by one IPI), then frees the pages.
 * The vmspace lock may be held (other CPUs wait for it with interrupts on), spinlocks may not.
 */

#include "lib/types.h"
#include "pmm/page.h"

struct vmspace;

struct tlb_gather {
	struct vmspace *vs;
	uint64_t start, end;     /* range to flush; empty: start > end */
	paddr_t tables;          /* chain of unlinked page tables */
	struct page_batch batch; /* bit 0 of an entry: 512 pages of a 2 MiB block */
};

void tlb_gather_init(struct tlb_gather *g, struct vmspace *vs);
static inline void tlb_gather_range(struct tlb_gather *g, uint64_t start, uint64_t end)
{
	g->start = MIN(g->start, start);
	g->end = MAX(g->end, end);
}
/* The gather takes over one reference to p, or with size 2 MiB one to each of 512 pages; a full
 * batch is flushed in between. */
void tlb_gather_page_full(struct tlb_gather *g, struct page *p, uint64_t va, uint64_t size);
static inline void tlb_gather_page(struct tlb_gather *g, struct page *p, uint64_t va, uint64_t size)
{
	if (UNLIKELY(g->batch.n == ARRAY_SIZE(g->batch.page) || size != PAGE_SIZE)) {
		tlb_gather_page_full(g, p, va, size);
		return;
	}
	tlb_gather_range(g, va, va + size);
	g->batch.page[g->batch.n++] = p;
}
void tlb_gather_finish(struct tlb_gather *g);
void tlb_gather_tables(struct tlb_gather *g, paddr_t chain); /* of arch_pt_unlink_tables() */

/* Flushes [start, end) of vs on every CPU that may cache it; the entries have been changed before.
 * Nothing is sent when vs is active on this CPU only. Same context as tlb_gather_finish(). */
void tlb_flush_range(struct vmspace *vs, uint64_t start, uint64_t end);

/* A memory barrier on every CPU that runs in vs (membarrier(2)). */
void tlb_membarrier(struct vmspace *vs);
