/*
 * TLB shootdown.
 *
 * The order that makes it right: the entry is changed (an atomic operation, hence a full fence),
 * then pt.active is read, then those CPUs are asked, then the page is freed. A CPU that was not in
 * the mask when we looked sets its bit (arch_pt_switch(), also atomic) before it walks the table,
 * so it sees the new entry. Interrupts are on while we wait and handlers need no lock, so two CPUs
 * that shoot at each other both make progress.
 *
 * Up to FLUSH_PAGES pages are invalidated one by one, larger ranges by dropping all user
 * translations. INVLPG also drops the paging-structure caches (SDM vol. 3A 4.10.4.1), which
 * unlinked table pages need.
 */
#include "vm/tlb.h"

#include <arch/mmu.h>

#include "core/ktrace.h"
#include "core/percpu.h"
#include "sched/ipi.h"
#include "vm/hugepage.h"
#include "vm/vmspace.h"

enum { FLUSH_PAGES = 32, BATCH_MAX = ARRAY_SIZE(((struct page_batch *)0)->page) };

struct flush_range {
	uint64_t start, end;
};

static void flush_here(void *arg)
{
	const struct flush_range *f = arg;

	if ((f->end - f->start) >> PAGE_SHIFT > FLUSH_PAGES) {
		arch_tlb_flush_all();
		return;
	}
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		arch_tlb_flush_page(va);
}

static NOINLINE void flush_others(uint64_t cpus, struct flush_range *f)
{
	ktrace(KT_MM, shootdown, cpus, f->start, f->end - f->start, 0, 0, 0);
	ipi_call(cpus, flush_here, f);
}

void tlb_flush_range(struct vmspace *vs, uint64_t start, uint64_t end)
{
	struct flush_range f = { start, end };
	uint64_t cpus = atomic_load_explicit(&vs->pt.active, memory_order_seq_cst);
	uint64_t me = BIT(cpu_id());

	if (cpus & me)
		flush_here(&f);
	if (UNLIKELY(cpus & ~me))
		flush_others(cpus & ~me, &f);
}

void tlb_gather_init(struct tlb_gather *g, struct vmspace *vs)
{
	g->vs = vs;
	g->start = UINT64_MAX;
	g->end = 0;
	g->tables = 0;
	g->batch.n = 0;
}

/* Puts what was gathered. Blocks first, so that the rest is an ordinary batch. */
static void free_gathered(struct tlb_gather *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->batch.n; i++) {
		uintptr_t p = (uintptr_t)g->batch.page[i];

		if (UNLIKELY(p & 1))
			huge_put((struct page *)(p & ~(uintptr_t)1));
		else
			g->batch.page[n++] = g->batch.page[i];
	}
	g->batch.n = n;
	page_batch_flush(&g->batch);
}

static inline void flush_gathered(struct tlb_gather *g)
{
	if (g->start < g->end)
		tlb_flush_range(g->vs, g->start, g->end);
	g->start = UINT64_MAX;
	g->end = 0;
	free_gathered(g);
}

void tlb_gather_page_full(struct tlb_gather *g, struct page *p, uint64_t va, uint64_t size)
{
	tlb_gather_range(g, va, va + size);
	if (UNLIKELY(g->batch.n == BATCH_MAX)) {
		flush_gathered(g);
		tlb_gather_range(g, va, va + size);
	}
	g->batch.page[g->batch.n++] = size == PAGE_SIZE ? p : (struct page *)((uintptr_t)p | 1);
}

static void free_tables(struct tlb_gather *g)
{
	arch_pt_free_chain(g->tables);
	g->tables = 0;
}

/* Seldom two chains come together: the first is then done with at once. */
void tlb_gather_tables(struct tlb_gather *g, paddr_t chain)
{
	if (g->tables) {
		flush_gathered(g);
		free_tables(g);
	}
	g->tables = chain;
}

void tlb_gather_finish(struct tlb_gather *g)
{
	flush_gathered(g);
	if (UNLIKELY(g->tables))
		free_tables(g);
}

static void fence_here(void *arg)
{
	(void)arg;
	atomic_thread_fence(memory_order_seq_cst);
}

void tlb_membarrier(struct vmspace *vs)
{
	uint64_t others;

	atomic_thread_fence(memory_order_seq_cst);
	others = atomic_load_explicit(&vs->pt.active, memory_order_seq_cst) & ~BIT(cpu_id());
	if (others)
		ipi_call(others, fence_here, NULL);
	atomic_thread_fence(memory_order_seq_cst);
}
