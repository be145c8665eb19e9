#pragma once

/*
 * Physical pages. One struct page per frame of RAM, found by arithmetic. A buddy allocator
 * (pmm/buddy.h, pure) under one lock feeds per-CPU caches of single pages, so the common path takes
 * no lock. Every allocation may fail: NULL is an error for the caller, never a panic. Memory is
 * zeroed only when asked for.
 *
 * Context of all functions: threads only, no interrupt handlers; interrupts may be off where
 * ALLOC_ATOMIC is given.
 */

#include <arch/cpu.h>
#include <arch/page.h>

#include "core/panic.h"
#include "lib/types.h"
#include "pmm/page_struct.h"

enum alloc_flags {
	ALLOC_ZERO = 1,   /* zeroed */
	ALLOC_ATOMIC = 2, /* do not reclaim, do not sleep: under spinlocks */
	ALLOC_USER = 4,   /* for a user's memory: may trigger reclaim and the OOM killer */
};

extern struct page *page_array; /* indexed by pfn; immutable after boot */
extern pfn_t page_array_end;

/*
 * For walks over all frames: the struct page of pfn, or NULL when there is none to look at (no RAM
 * there, or memory that was never touched, whose struct pages are initialised when it is). Pages
 * got otherwise are always valid.
 */
struct page *page_find(pfn_t pfn);

/*
 * A block of 2^order pages, its first page with ref 1, the given kind and an otherwise zeroed
 * struct page.
 *   order        0 … PAGE_MAX_ORDER; the block is aligned to its size
 *   returns      the first page; NULL when there is none
 *   context      may sleep in reclaim unless ALLOC_ATOMIC is given
 */
enum { PAGE_MAX_ORDER = 10 };
MUST_CHECK struct page *page_alloc(unsigned order, enum page_kind kind, unsigned flags);

/* Frees a block whose count the caller holds alone (2^order pages as allocated). */
void page_free(struct page *p, unsigned order);

/*
 * Makes 2^order single pages out of a block: each gets the first one's reference count and kind,
 * and order 0. For a 2 MiB block that is no longer mapped as one; the caller excludes others from
 * the block meanwhile.
 */
void page_split(struct page *p, unsigned order);

static inline pfn_t page_pfn(const struct page *p)
{
	return (pfn_t)(p - page_array);
}
static inline paddr_t page_paddr(const struct page *p)
{
	return page_pfn(p) << PAGE_SHIFT;
}
static inline void *page_va(const struct page *p)
{
	return phys_to_virt(page_paddr(p));
}
static inline struct page *paddr_page(paddr_t pa)
{
	return &page_array[pa >> PAGE_SHIFT];
}
static inline struct page *va_page(const void *va)
{
	return paddr_page(virt_to_phys(va));
}

static inline void page_get(struct page *p)
{
	KASSERT_DEBUG(atomic_load_explicit(&p->ref, memory_order_relaxed) > 0);
	atomic_fetch_add_explicit(&p->ref, 1, memory_order_relaxed);
}

/* Takes a reference unless the page is free: for lookups under an epoch. */
MUST_CHECK static inline bool page_tryget(struct page *p)
{
	uint32_t n = atomic_load_explicit(&p->ref, memory_order_relaxed);

	while (n != 0)
		if (atomic_compare_exchange_weak_explicit(&p->ref, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

/* Drops a reference to a block; the last one frees it (2^page->order pages). */
void page_put_last(struct page *p); /* of a page whose count has just become 0 */
static inline void page_put(struct page *p)
{
	enum count_drop d = arch_count_drop(&p->ref);

	KASSERT(d != COUNT_WRONG);
	if (d == COUNT_LAST)
		page_put_last(p);
}

/* As page_put, without giving back to the allocator one by one: the batch is freed after a
 * shootdown. */
struct page_batch {
	unsigned n;
	struct page *page[62];
};
void page_batch_flush(struct page_batch *b); /* puts them all; the batch is empty afterwards */

/*
 * Boot, in this order: pmm_boot_page() is what arch_map_memory() gets its page-table pages from;
 * pmm_init() takes what is left of boot_info's ranges, builds the array (panics only when not even
 * that fits) and gives arch its allocator of table pages. pmm_init_cpu() runs first thing on every
 * other CPU: the per-CPU variables it was given are a copy of the boot CPU's, caches included.
 */
paddr_t pmm_boot_page(void); /* a zeroed page below the direct map's first GiB; 0: none */
void pmm_init(void);
void pmm_init_cpu(void);
void pmm_free_boot_range(paddr_t start, paddr_t end); /* the initrd, once unpacked; init sections */

/* Zeroes one free page for ALLOC_ZERO requests of this CPU. For the idle loop. False: there are
 * enough. */
bool pmm_idle_zero(void);

/* Statistics, pages. */
uint64_t pmm_total_pages(void);
uint64_t pmm_free_pages(void);
uint64_t pmm_used_pages(enum page_kind kind); /* as allocated */
uint64_t pmm_free_blocks(unsigned order);     /* of that order in the buddy allocator */
uint64_t pmm_min_free_pages(void);            /* users' requests go to reclaim below it */
void pmm_set_min_free(uint64_t pages);
uint64_t pmm_low_pages(void); /* below this many free pages reclaim begins */

/* Reclaim, set by vm: tries to free about `want` pages; returns how many. NULL-safe. May sleep. */
extern uint64_t (*pmm_reclaim)(uint64_t want);

/* Free memory fell below the low mark: the tick has pmm_balance() called from a kernel thread. */
extern _Atomic bool pmm_reclaim_wanted;
void pmm_balance(void);

/* Called when reclaim brought nothing for an ALLOC_USER request: set by proc (OOM killer). True:
 * try again. */
extern bool (*pmm_out_of_memory)(void);

#ifdef KEVLAR_DEBUG
/* Panics when it finds something. By sched_selftest(), from several threads. */
void pmm_selftest(uint64_t seed);
#endif
