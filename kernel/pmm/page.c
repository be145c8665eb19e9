/*
 * The page allocator.
 *
 * Single pages come from a cache of the CPU: a list through struct page, which threads alone use;
 * as they are not preempted, it needs no lock. A cache that runs dry takes a batch from the buddy
 * allocator under pages_lock, one that overflows gives a batch back. A second list holds pages that
 * the idle loop has zeroed. Cached pages have ref 0 and kind PAGE_RESERVED, so the buddy allocator
 * takes no notice of them.
 *
 * Reserves: requests for users stop at `reserve` free pages and go to reclaim; all others may take
 * the rest, because the kernel's own objects cannot wait for reclaim under spinlocks. Crossing the
 * low mark also asks for reclaim in the background, by a flag: the caller may hold any lock.
 */
#include "pmm/page.h"

#include <arch/mmu.h>

#include "core/percpu.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "pmm/failure.h"
#include "pmm/kva.h"
#include "pmm/pmm_priv.h"
#include "pmm/slab.h"

struct page_cache {
	uint32_t head, n;   /* pages of any content; head is meaningless when n is 0 */
	uint32_t zhead, zn; /* zeroed ones */
	/* pages in use, by kind: what this CPU took less what it gave; the sum over all CPUs says
	 * something */
	int64_t used[PAGE_KINDS];
};

enum { BATCH_ORDER_MAX = 5, ZEROED_MAX = 256, RECLAIM_TRIES = 64 };

struct page *page_array;
pfn_t page_array_end;
uint64_t *page_ready;
struct spinlock pages_lock = SPINLOCK(PAGES);
struct buddy pmm_buddy;

uint64_t (*pmm_reclaim)(uint64_t want);
_Atomic bool pmm_reclaim_wanted;
bool (*pmm_out_of_memory)(void);

static PERCPU(struct page_cache, page_caches);
static uint64_t total_pages, reserve, low_mark; /* pages */
static uint32_t cache_max = 64, zeroed_max = 16;
static unsigned batch_order = 3;
static _Atomic uint64_t cpus_seen = 1; /* CPUs whose caches are their own */

static inline void set_fresh(struct page *p, unsigned order, enum page_kind kind)
{
	memset(p, 0, sizeof(*p));
	p->kind = (uint8_t)kind;
	p->order = (uint8_t)order;
	atomic_store_explicit(&p->ref, 1, memory_order_relaxed);
}

static inline struct page *pop(uint32_t *head, uint32_t *n)
{
	struct page *p = &page_array[*head];

	*head = p->free.next;
	--*n;
	return p;
}

static inline void push(uint32_t *head, uint32_t *n, struct page *p)
{
	p->free.next = *head;
	*head = (uint32_t)page_pfn(p);
	++*n;
}

/* A block from the buddy allocator, as long as `keep` pages stay free. */
static uint32_t take_block(unsigned order, uint64_t keep)
{
	uint32_t i = BUDDY_NONE;

	spin_lock(&pages_lock);
	if (pmm_buddy.nfree >= keep + (1u << order))
		i = buddy_alloc(&pmm_buddy, order);
	spin_unlock(&pages_lock);
	return i;
}

/* Fills an empty cache with the largest block up to the batch's size. */
static void refill(struct page_cache *c, uint64_t keep)
{
	unsigned order = batch_order;
	uint32_t i;

	while ((i = take_block(order, keep)) == BUDDY_NONE)
		if (order-- == 0)
			return;
	for (uint32_t k = 1u << order; k-- > 0;)
		push(&c->head, &c->n, &page_array[i + k]);
}

static void drain(struct page_cache *c, uint32_t n)
{
	spin_lock(&pages_lock);
	while (n-- > 0 && c->n > 0)
		buddy_free(&pmm_buddy, (uint32_t)page_pfn(pop(&c->head, &c->n)), 0);
	spin_unlock(&pages_lock);
}

/* Gives this CPU's pages back, for a request of larger order that might then succeed. */
static void drain_all(struct page_cache *c)
{
	drain(c, UINT32_MAX);
	while (c->zn > 0)
		push(&c->head, &c->n, pop(&c->zhead, &c->zn));
	drain(c, UINT32_MAX);
}

static struct page *take(unsigned order, unsigned flags)
{
	struct page_cache *c = &this_cpu(page_caches);
	uint64_t keep = flags & ALLOC_USER ? reserve : 0;
	uint32_t i;

	if (pmm_buddy.nfree < low_mark)
		atomic_store_explicit(&pmm_reclaim_wanted, true, memory_order_relaxed);
	if (order == 0) {
		if (c->n == 0)
			refill(c, keep);
		if (c->n > 0)
			return pop(&c->head, &c->n);
		return c->zn > 0 ? pop(&c->zhead, &c->zn) : NULL;
	}
	i = take_block(order, keep);
	if (i == BUDDY_NONE && c->n + c->zn > 0) {
		drain_all(c);
		i = take_block(order, keep);
	}
	return i == BUDDY_NONE ? NULL : &page_array[i];
}

static uint64_t reclaim(uint64_t want)
{
	uint64_t got = pmm_reclaim ? pmm_reclaim(want) : 0;

	return got < want ? got + slab_reclaim(want - got) : got;
}

/* Everything but the CPU's cache: the buddy allocator, then reclaim, then the OOM killer. */
static NOINLINE struct page *alloc_slow(unsigned order, unsigned flags)
{
	struct page *p;

	for (unsigned try = 0; !(p = take(order, flags)) && !(flags & ALLOC_ATOMIC); try++) {
		if (try % 4 != 3 && try < RECLAIM_TRIES && reclaim(64 + (1ul << order)) > 0)
			continue;
		/* A large block is a wish: its caller falls back to single pages. */
		if (!(flags & ALLOC_USER) || order > 0 || !pmm_out_of_memory ||
		    !pmm_out_of_memory())
			break;
	}
	return p;
}

static void zero_block(struct page *p, unsigned order)
{
	char *va = page_va(p);

	for (unsigned long k = 0; k < 1ul << order; k++)
		arch_page_zero(va + k * PAGE_SIZE);
}

struct page *page_alloc(unsigned order, enum page_kind kind, unsigned flags)
{
	struct page_cache *c = &this_cpu(page_caches);
	bool zero = flags & ALLOC_ZERO;
	struct page *p;

	if (alloc_fails())
		return NULL;
	if (LIKELY(order == 0 && zero && c->zn > 0)) {
		p = pop(&c->zhead, &c->zn);
		zero = false;
	} else if (LIKELY(order == 0 && c->n > 0)) {
		p = pop(&c->head, &c->n);
	} else {
		if (!(p = alloc_slow(order, flags)))
			return NULL;
		c = &this_cpu(page_caches); /* it may have slept */
	}
	KASSERT_DEBUG(atomic_load_explicit(&p->ref, memory_order_relaxed) == 0 &&
		      p->kind == PAGE_RESERVED);
	page_debug_alloc(p, order, __builtin_return_address(0));
	if (zero)
		zero_block(p, order);
	set_fresh(p, order, kind);
	c->used[kind] += 1l << order;
	return p;
}

/* Frees a block whose count is 0 already. */
static inline void free_block(struct page *p, unsigned order, const void *caller)
{
	struct page_cache *c = &this_cpu(page_caches);

	KASSERT_DEBUG(p->kind != PAGE_RESERVED && p->kind != PAGE_FREE);
	page_debug_free(p, order, caller);
	c->used[p->kind] -= 1l << order;
	p->kind = PAGE_RESERVED;
	if (LIKELY(order == 0)) {
		push(&c->head, &c->n, p);
		if (UNLIKELY(c->n > cache_max))
			drain(c, cache_max / 2);
		return;
	}
	spin_lock(&pages_lock);
	buddy_free(&pmm_buddy, (uint32_t)page_pfn(p), order);
	spin_unlock(&pages_lock);
}

void page_free(struct page *p, unsigned order)
{
	KASSERT(atomic_load_explicit(&p->ref, memory_order_relaxed) == 1);
	atomic_store_explicit(&p->ref, 0, memory_order_relaxed);
	free_block(p, order, __builtin_return_address(0));
}

void page_put_last(struct page *p)
{
	free_block(p, p->order, __builtin_return_address(0));
}

void page_batch_flush(struct page_batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		page_put(b->page[i]);
	b->n = 0;
}

void page_split(struct page *p, unsigned order)
{
	uint32_t ref = atomic_load_explicit(&p->ref, memory_order_relaxed);
	enum page_kind kind = p->kind;

	for (unsigned long k = 0; k < 1ul << order; k++) {
		uint8_t flags =
			k ? 0
			  : atomic_load_explicit(&p->flags, memory_order_relaxed) & ~PG_HUGE_HEAD;

		if (k)
			set_fresh(&p[k], 0, kind);
		p[k].order = 0;
		atomic_store_explicit(&p[k].flags, flags, memory_order_relaxed);
		atomic_store_explicit(&p[k].ref, ref, memory_order_relaxed);
	}
}

struct page *page_find(pfn_t pfn)
{
	return pfn < page_array_end && bitmap_test(page_ready, pfn >> BUDDY_TOP) ? &page_array[pfn]
										 : NULL;
}

bool pmm_idle_zero(void)
{
	struct page_cache *c = &this_cpu(page_caches);
	struct page *p;

	if (c->zn >= zeroed_max || pmm_buddy.nfree < 2 * low_mark)
		return false;
	if (c->n == 0)
		refill(c, low_mark);
	if (c->n == 0)
		return false;
	p = pop(&c->head, &c->n);
	/* Poison must not be looked for in a page that is zero by now. */
	page_debug_alloc(p, 0, NULL);
	arch_page_zero(page_va(p));
	push(&c->zhead, &c->zn, p);
	return true;
}

void pmm_balance(void)
{
	atomic_store_explicit(&pmm_reclaim_wanted, false, memory_order_relaxed);
	for (unsigned i = 0; i < 16 && pmm_free_pages() < low_mark + low_mark / 2; i++)
		if (reclaim(low_mark / 2 + 32) == 0)
			break;
}

static paddr_t table_alloc(void)
{
	struct page *p = page_alloc(0, PAGE_TABLE, ALLOC_ZERO | ALLOC_ATOMIC);

	return p ? page_paddr(p) : 0;
}

static void table_free(paddr_t pa)
{
	page_put(paddr_page(pa));
}

void page_caches_init(uint64_t total)
{
	static const struct arch_pt_alloc tables = { table_alloc, table_free };

	total_pages = total;
	reserve = MIN(MAX(total / 128, 16ul), 2048ul);
	low_mark = 2 * reserve;
	batch_order = total >= 65536 ? BATCH_ORDER_MAX : 3;
	cache_max = 6u << batch_order;
	zeroed_max = (uint32_t)MIN(total / 256, (uint64_t)ZEROED_MAX);
	arch_pt_set_alloc(&tables);
}

void pmm_init_cpu(void)
{
	uint64_t bit = BIT(cpu_id());

	if (!(atomic_fetch_or_explicit(&cpus_seen, bit, memory_order_relaxed) & bit)) {
		memset(&this_cpu(page_caches), 0, sizeof(struct page_cache));
		slab_init_cpu();
		kva_init_cpu();
	}
}

void pmm_free_boot_range(paddr_t start, paddr_t end)
{
	pfn_t first = page_round_up(start) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	if (first >= last)
		return;
	spin_lock(&pages_lock);
	buddy_add(&pmm_buddy, (uint32_t)first, (uint32_t)last);
	total_pages += last - first;
	spin_unlock(&pages_lock);
}

uint64_t pmm_total_pages(void)
{
	return total_pages;
}

uint64_t pmm_free_blocks(unsigned order)
{
	uint64_t listed = 0;

	if (order < BUDDY_TOP)
		return pmm_buddy.nblocks[order];
	/* Raw blocks are on no list. */
	for (unsigned o = 0; o < BUDDY_TOP; o++)
		listed += (uint64_t)pmm_buddy.nblocks[o] << o;
	return (pmm_buddy.nfree - MIN(listed, pmm_buddy.nfree)) >> BUDDY_TOP;
}

uint64_t pmm_min_free_pages(void)
{
	return reserve;
}

void pmm_set_min_free(uint64_t pages)
{
	reserve = MIN(MAX(pages, 16ul), total_pages / 8);
	low_mark = 2 * reserve;
}

uint64_t pmm_low_pages(void)
{
	return low_mark;
}

uint64_t pmm_used_pages(enum page_kind kind)
{
	uint64_t seen = atomic_load_explicit(&cpus_seen, memory_order_relaxed);
	int64_t n = 0;

	for (; seen; seen &= seen - 1)
		n += of_cpu(page_caches, (unsigned)__builtin_ctzl(seen)).used[kind];
	return (uint64_t)MAX(n, 0l);
}

uint64_t pmm_free_pages(void)
{
	uint64_t n = pmm_buddy.nfree, seen = atomic_load_explicit(&cpus_seen, memory_order_relaxed);

	for (; seen; seen &= seen - 1) {
		struct page_cache *c = &of_cpu(page_caches, (unsigned)__builtin_ctzl(seen));

		n += c->n + c->zn;
	}
	return n;
}
