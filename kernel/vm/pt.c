/*
 * The page table of a space, as the mmap family changes it: taking leaves out, cutting 2 MiB leaves
 * at the ends of a range, giving unneeded table pages back, and the last teardown.
 *
 * Leaves are taken out by compare-and-exchange, so that whatever another CPU (a fault, the
 * hardware's accessed and dirty bits) put there last is what we get. Their pages go into a gather,
 * which frees them after the shootdown.
 */
#include "abi/errno.h"
#include "vm/hugepage.h"
#include "vm/vm_priv.h"

unsigned vm_pte_flags(uint32_t prot)
{
	unsigned f = PTE_USER | PTE_ACCESSED;

	if (prot & (PROT_READ | PROT_WRITE | PROT_EXEC))
		f |= PTE_READ;
	if (prot & PROT_EXEC)
		f |= PTE_EXEC;
	return f;
}

int vm_split_leaf(struct arch_pt *pt, uint64_t va)
{
	uint64_t size;
	_Atomic pte_t *slot = arch_pt_slot(pt, va, &size);

	if (!slot || size != HUGE_SIZE)
		return 0;
	huge_expand(slot);
	return arch_pt_split(pt, va);
}

static int split_at(struct vmspace *vs, uint64_t addr)
{
	_Atomic pte_t *slot;
	uint64_t size;

	if (IS_ALIGNED(addr, HUGE_SIZE))
		return 0;
	slot = arch_pt_slot(&vs->pt, addr, &size);
	if (!slot || size != HUGE_SIZE || !atomic_load_explicit(slot, memory_order_relaxed))
		return 0;
	return vm_split_leaf(&vs->pt, addr);
}

int vm_split_ends(struct vmspace *vs, const struct vma *v, uint64_t start, uint64_t end)
{
	int err;

	if (!v || v->start >= end ||
	    (end <= v->end && (v->object || v->end - v->start < HUGE_SIZE)))
		return 0;
	err = split_at(vs, start);

	/* In one block: once it is split, it is. */
	if (err || ((start ^ end) >> HUGE_SHIFT == 0 && !IS_ALIGNED(start, HUGE_SIZE)))
		return err;
	return split_at(vs, end);
}

struct zap {
	struct tlb_gather *g;
	enum zap_how how;
	uint64_t start, end;
	uint64_t anon, file, shmem; /* pages taken out */
};

static inline void count_zapped(struct zap *z, const struct page *p, uint64_t size)
{
	if (p->kind == PAGE_ANON)
		z->anon += size >> PAGE_SHIFT;
	else if (p->cache.lru & LRU_SHMEM)
		z->shmem++;
	else
		z->file++;
}

/* Leaves that this kind of zap passes over. A page that was used since reclaim last came by gets
 * another round. */
static bool should_stay(const struct zap *z, _Atomic pte_t *slot, pte_t pte)
{
	if (z->how == ZAP_ALL)
		return false;
	if (z->how == ZAP_LAZY)
		return pte_is_special(pte) || pte_page(pte)->kind != PAGE_ANON ||
		       (pte_flags(pte) & PTE_DIRTY);
	if (pte_is_special(pte) || pte_page(pte)->kind != PAGE_CACHE)
		return true;
	if (z->how != ZAP_UNUSED || !(pte_flags(pte) & PTE_ACCESSED))
		return false;
	(void)pte_install(slot, pte,
			  pte_make(pte_paddr(pte), pte_flags(pte) & ~(unsigned)PTE_ACCESSED));
	return true;
}

/*
 * With the lock held for reading, faults go on beside us. One may have put a table where the walk
 * saw an empty slot, or may split a 2 MiB leaf: its slot must not be taken out, the leaves of our
 * range are walked instead. One may also have put a new 2 MiB leaf across an end of the range,
 * where the ends had been split: it comes after us, and stays.
 */
static inline int zap_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	struct zap *z = ctx;
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);
	struct page *p;

	do {
		if (!pte || should_stay(z, slot, pte))
			return 0;
		if (UNLIKELY(size != PAGE_SIZE) && !pte_is_huge(pte))
			return arch_pt_walk(&z->g->vs->pt, MAX(va, z->start),
					    MIN(va + size, z->end), zap_leaf, z);
		if (UNLIKELY(size != PAGE_SIZE) && (va < z->start || va + size > z->end))
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(slot, &pte, 0, memory_order_acq_rel,
							memory_order_relaxed));
	if (pte_is_special(pte)) {
		tlb_gather_range(z->g, va, va + size);
		return 0;
	}
	p = pte_page(pte);
	count_zapped(z, p, size);
	tlb_gather_page(z->g, p, va, size);
	return 0;
}

/* As zap_leaf() for ZAP_ALL, where most leaves are of small pages and all of them go. */
static inline __attribute__((always_inline)) int zap_any_leaf(void *ctx, _Atomic pte_t *slot,
							      uint64_t va, uint64_t size)
{
	struct zap *z = ctx;
	struct page *p;
	pte_t pte;

	if (UNLIKELY(size != PAGE_SIZE))
		return zap_leaf(z, slot, va, size);
	pte = atomic_exchange_explicit(slot, 0, memory_order_acq_rel);
	if (pte_is_special(pte)) {
		tlb_gather_range(z->g, va, va + size);
	} else if (pte) {
		p = pte_page(pte);
		count_zapped(z, p, size);
		tlb_gather_page(z->g, p, va, size);
	}
	return 0;
}

static inline void sub_rss(_Atomic uint64_t *count, uint64_t pages)
{
	if (pages)
		atomic_fetch_sub_explicit(count, pages, memory_order_relaxed);
}

void vm_zap(struct tlb_gather *g, uint64_t start, uint64_t end, enum zap_how how)
{
	struct vmspace *vs = g->vs;
	struct zap z;

	z.g = g; /* one by one: an initialiser clears it first */
	z.how = how;
	z.start = start;
	z.end = end;
	z.anon = z.file = z.shmem = 0;

	if (LIKELY(how == ZAP_ALL))
		(void)vm_walk(vs, start, end, zap_any_leaf, &z);
	else
		(void)arch_pt_walk(&vs->pt, start, end, zap_leaf, &z);
	if (!(z.anon | z.file | z.shmem))
		return;
	vm_update_hiwater(vs);
	sub_rss(&vs->rss_anon, z.anon);
	sub_rss(&vs->rss_file, z.file);
	sub_rss(&vs->rss_shmem, z.shmem);
}

struct blocks {
	uint64_t first, last; /* addresses, 2 MiB aligned; empty: equal */
};

/* Unlinks the tables of `b`, free of VMAs, with upper tables that nothing but `b` is under. `keep`
 * counts as in use. */
static void unlink_blocks(struct tlb_gather *g, struct vma *next, struct blocks b,
			  struct blocks keep)
{
	struct vmspace *vs = g->vs;
	struct vma *prev = next ? vma_prev(next) : vma_last(&vs->vmas);
	uint64_t floor = prev ? prev->end : 0, ceiling = next ? next->start : USER_END;
	paddr_t chain;

	if (keep.first != keep.last && keep.last <= b.first)
		floor = MAX(floor, keep.last);
	else if (keep.first != keep.last)
		ceiling = MIN(ceiling, keep.first);
	b.first = MAX(b.first, ALIGN_UP(floor, HUGE_SIZE));
	if (b.first >= b.last ||
	    !(chain = arch_pt_unlink_tables(&vs->pt, floor, b.first, b.last, ceiling)))
		return;
	tlb_gather_range(g, b.first, b.last);
	tlb_gather_tables(g, chain);
}

/* Gives the tables of the spare block back, unless a VMA has come there, or `keep` includes it. */
static void drop_spare(struct tlb_gather *g, struct blocks keep)
{
	struct vmspace *vs = g->vs;
	struct blocks b = { vs->spare_block, vs->spare_block + HUGE_SIZE };
	struct vma *next;

	vs->spare_block = 1;
	if (b.first == 1 || (b.first >= keep.first && b.first < keep.last))
		return;
	next = vma_find_from(&vs->vmas, b.first);
	if (!next || next->start >= b.last)
		unlink_blocks(g, next, b, keep);
}

/*
 * Most unmaps end at the first test: some VMA still uses the table. A small range that leaves a
 * block empty keeps its tables for the next mmap, which is likely to come to the same place; one
 * such block is kept for each space.
 */
void vm_unlink_tables(struct tlb_gather *g, struct vma *next, uint64_t start, uint64_t end)
{
	struct blocks b = { ALIGN_DOWN(start, HUGE_SIZE), ALIGN_UP(end, HUGE_SIZE) };
	struct vmspace *vs = g->vs;

	if (next && b.last > next->start)
		b.last -= HUGE_SIZE;
	if (b.first >= b.last)
		return;
	if (b.last - b.first == HUGE_SIZE && vs->spare_block == b.first)
		return;
	drop_spare(g, b);
	if (b.last - b.first == HUGE_SIZE)
		vs->spare_block = b.first;
	else
		unlink_blocks(g, next, b, (struct blocks){ 0, 0 });
}

static inline __attribute__((always_inline)) int teardown_leaf(void *ctx, _Atomic pte_t *slot,
							       uint64_t va, uint64_t size)
{
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);

	(void)ctx, (void)va;
	atomic_store_explicit(slot, 0, memory_order_relaxed);
	if (pte_is_special(pte))
		return 0;
	if (UNLIKELY(size != PAGE_SIZE))
		huge_put(pte_page(pte));
	else
		page_put(pte_page(pte));
	return 0;
}

/* All VMAs up to v are done with: tables that `next` does not need go. Those shared with it go in
 * its turn. */
static void unlink_behind(struct vmspace *vs, const struct vma *v, const struct vma *next)
{
	uint64_t first = ALIGN_DOWN(v->start, HUGE_SIZE), last = ALIGN_UP(v->end, HUGE_SIZE);

	if (next && last > next->start)
		last -= HUGE_SIZE;
	if (first < last)
		arch_pt_free_chain(arch_pt_unlink_tables(&vs->pt, 0, v->start, v->end,
							 next ? next->start : USER_END));
}

void vm_teardown(struct vmspace *vs)
{
	struct tlb_gather g;

	tlb_gather_init(&g, vs);
	drop_spare(&g, (struct blocks){ 0, 0 });
	tlb_gather_finish(&g);
	for (struct vma *v = vma_first(&vs->vmas), *next; v; v = next) {
		next = vma_next(v);
		(void)vm_walk(vs, v->start, v->end, teardown_leaf, NULL);
		unlink_behind(vs, v, next);
	}
}
