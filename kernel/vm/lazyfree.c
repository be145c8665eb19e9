/*
 * MADV_FREE: anonymous pages whose contents the program has given up, but which stay until memory
 * is short, or until they are written again and so are wanted after all.
 *
 * The mark is the leaf's dirty bit: every leaf of an anonymous page is made dirty
 * (vm_private_flags), MADV_FREE makes it clean, and the CPU makes it dirty again with the first
 * write, without a fault. Taking a page out compares the whole leaf, so a write either comes first,
 * and the page stays, or faults and gets a new one.
 *
 * Spaces that have given up pages are on a list for reclaim, which takes their locks only where it
 * need not wait: it runs inside allocations, under whatever the caller holds.
 *   source       madvise(2)
 */
#include "core/spinlock.h"
#include "lib/list.h"
#include "pmm/page.h"
#include "vm/stat.h"
#include "vm/vm_priv.h"

static struct spinlock lazy_lock = SPINLOCK(MAPPINGS);
static struct list lazy_spaces = LIST_INIT(lazy_spaces); /* lazy_lock */
static uint64_t (*next_reclaim)(uint64_t want);

struct lazy {
	struct tlb_gather *g;
	uint64_t pages;
};

static int give_up_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);
	struct lazy *l = ctx;

	while (pte && !pte_is_special(pte) && pte_page(pte)->kind == PAGE_ANON &&
	       (pte_flags(pte) & PTE_DIRTY) && (size == PAGE_SIZE || pte_is_huge(pte)))
		if (atomic_compare_exchange_weak_explicit(
			    slot, &pte, pte & ~pte_bits(PTE_DIRTY | PTE_ACCESSED),
			    memory_order_acq_rel, memory_order_relaxed)) {
			/* A CPU that remembers the leaf as dirty would not say so again. */
			tlb_gather_range(l->g, va, va + size);
			l->pages += size >> PAGE_SHIFT;
			break;
		}
	return 0;
}

static void enlist(struct vmspace *vs)
{
	spin_lock(&lazy_lock);
	if (!list_is_linked(&vs->lazy_node))
		list_add_tail(&lazy_spaces, &vs->lazy_node);
	spin_unlock(&lazy_lock);
}

void vm_lazyfree(struct tlb_gather *g, struct vma *v, uint64_t start, uint64_t end)
{
	struct lazy l = { .g = g };

	(void)vm_walk(g->vs, start, end, give_up_leaf, &l);
	if (!l.pages)
		return;
	vm_count(VM_EVENT_LAZYFREE, l.pages);
	atomic_store_explicit(&v->has_lazy, true, memory_order_relaxed);
	enlist(g->vs);
}

void vm_lazyfree_forget(struct vmspace *vs)
{
	if (!list_is_linked(&vs->lazy_node))
		return;
	spin_lock(&lazy_lock);
	list_remove(&vs->lazy_node);
	spin_unlock(&lazy_lock);
}

static int cold_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);

	(void)ctx, (void)va;
	if (pte && (size == PAGE_SIZE || pte_is_huge(pte)) && (pte_flags(pte) & PTE_ACCESSED))
		(void)pte_install(slot, pte, pte & ~pte_bits(PTE_ACCESSED));
	return 0;
}

void vm_make_cold(struct vmspace *vs, uint64_t start, uint64_t end)
{
	(void)vm_walk(vs, start, end, cold_leaf, NULL);
}

/* What vs has given up, all at once. Its lock is held for reading. */
static uint64_t take_from(struct vmspace *vs)
{
	uint64_t before = atomic_load_explicit(&vs->rss_anon, memory_order_relaxed), after;
	struct tlb_gather g;

	tlb_gather_init(&g, vs);
	for (struct vma *v = vma_first(&vs->vmas); v; v = vma_next(v)) {
		if (!atomic_load_explicit(&v->has_lazy, memory_order_relaxed))
			continue;
		atomic_store_explicit(&v->has_lazy, false, memory_order_relaxed);
		vm_zap(&g, v->start, v->end, ZAP_LAZY);
	}
	tlb_gather_finish(&g);
	after = atomic_load_explicit(&vs->rss_anon, memory_order_relaxed);
	return before > after ? before - after : 0;
}

/* The next space of the list, off it and counted; NULL: none. */
static struct vmspace *next_space(void)
{
	struct vmspace *vs = NULL;

	spin_lock(&lazy_lock);
	while (!vs && !list_is_empty(&lazy_spaces)) {
		vs = list_first(&lazy_spaces, struct vmspace, lazy_node);
		list_remove(&vs->lazy_node);
		if (!ref_tryget(&vs->users))
			vs = NULL; /* on its way out */
	}
	spin_unlock(&lazy_lock);
	return vs;
}

uint64_t vm_lazyfree_reclaim(uint64_t want)
{
	struct vmspace *vs, *busy[8];
	uint64_t got = 0, part;
	unsigned n = 0;

	while (got < want && n < ARRAY_SIZE(busy) && (vs = next_space())) {
		if (!read_trylock(&vs->lock)) {
			busy[n++] = vs;
			continue;
		}
		part = take_from(vs);
		read_unlock(&vs->lock);
		got += part;
		vmspace_put_later(vs);
	}
	while (n > 0) {
		enlist(busy[--n]);
		vmspace_put_later(busy[n]);
	}
	vm_count(VM_EVENT_LAZYFREED, got);
	return got;
}

static uint64_t reclaim_hook(uint64_t want)
{
	uint64_t got = vm_lazyfree_reclaim(want);

	return got < want && next_reclaim ? got + next_reclaim(want - got) : got;
}

void lazyfree_init(void)
{
	next_reclaim = pmm_reclaim;
	pmm_reclaim = reclaim_hook;
}
