/*
 * Kernel virtual ranges.
 *
 * The window from RANGES_BASE to KVA_END is covered by struct ranges, each free or used, all in one
 * tree by address that knows the largest free range of every subtree: first fit in O(log n). A
 * range includes the guard page behind what its user sees. A used range keeps its own node, so that
 * freeing needs no memory. Addresses become free for reuse only when their translations are flushed
 * everywhere (rule 2: unmap, shoot down, free).
 */
#include "pmm/kva.h"

#include <arch/mmu.h>

#include "core/spinlock.h"
#include "lib/rbtree.h"
#include "pmm/kva_priv.h"
#include "pmm/page.h"
#include "pmm/slab.h"

struct range {
	struct rbnode node;
	kaddr_t start, end; /* bytes; end exclusive */
	uint64_t max_free;  /* bytes: largest free range in this subtree */
	bool used;
};

void (*kva_shootdown)(void);

static struct spinlock kva_lock = SPINLOCK(KVA);
static struct spinlock table_lock =
	SPINLOCK(PAGETABLE); /* arch leaves it to us to change one page at a time */
static bool update_range(struct rbnode *n);
static struct rbtree ranges = RBTREE_INIT(update_range); /* kva_lock */

static struct range *range_of(struct rbnode *n)
{
	return rb_entry(n, struct range, node);
}

static bool update_range(struct rbnode *n)
{
	struct range *r = range_of(n);
	uint64_t max = r->used ? 0 : r->end - r->start, old = r->max_free;

	if (n->left)
		max = MAX(max, range_of(n->left)->max_free);
	if (n->right)
		max = MAX(max, range_of(n->right)->max_free);
	r->max_free = max;
	return max != old;
}

static void insert_locked(struct range *r)
{
	struct rbnode *parent = NULL, **link = &ranges.root;

	while (*link) {
		parent = *link;
		link = r->start < range_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert(&ranges, &r->node, parent, link);
}

/* The lowest free range of at least `size` bytes. */
static struct range *find_fit_locked(uint64_t size)
{
	struct rbnode *n = ranges.root;

	if (!n || range_of(n)->max_free < size)
		return NULL;
	for (;;) {
		struct range *r = range_of(n);

		if (n->left && range_of(n->left)->max_free >= size)
			n = n->left;
		else if (!r->used && r->end - r->start >= size)
			return r;
		else
			n = n->right;
	}
}

static struct range *find_used_locked(kaddr_t start)
{
	struct rbnode *n = ranges.root;

	while (n && range_of(n)->start != start)
		n = start < range_of(n)->start ? n->left : n->right;
	return n && range_of(n)->used ? range_of(n) : NULL;
}

/* Addresses for `pages` pages and a guard page behind. 0: no memory. */
static kaddr_t reserve(size_t pages)
{
	uint64_t size = (pages + 1) << PAGE_SHIFT;
	struct range *spare = kmalloc(sizeof(*spare)), *r;
	kaddr_t at = 0;

	if (!spare)
		return 0;
	spin_lock(&kva_lock);
	if ((r = find_fit_locked(size))) {
		at = r->start;
		if (r->end - r->start > size) {
			r->start += size;
			rb_update(&ranges, &r->node);
			*spare = (struct range){ .start = at, .end = at + size, .used = true };
			insert_locked(spare);
			spare = NULL;
		} else {
			r->used = true;
			rb_update(&ranges, &r->node);
		}
	}
	spin_unlock(&kva_lock);
	kfree(spare);
	return at;
}

/* Joins `b`, which follows `a`, to it when both are free. Returns the node to throw away. */
static struct range *merge_locked(struct range *a, struct range *b)
{
	if (!a || !b || a->used || b->used)
		return NULL;
	rb_remove(&ranges, &b->node);
	a->end = b->end;
	rb_update(&ranges, &a->node);
	return b;
}

static struct range *neighbour(struct rbnode *n)
{
	return n ? range_of(n) : NULL;
}

static void release(kaddr_t start)
{
	struct range *r, *gone[2];

	spin_lock(&kva_lock);
	r = find_used_locked(start);
	KASSERT(r);
	r->used = false;
	rb_update(&ranges, &r->node);
	gone[0] = merge_locked(r, neighbour(rb_next(&r->node)));
	gone[1] = merge_locked(neighbour(rb_prev(&r->node)), r);
	spin_unlock(&kva_lock);
	kfree(gone[0]);
	kfree(gone[1]);
}

static int map(kaddr_t va, paddr_t pa, unsigned flags)
{
	int err;

	spin_lock(&table_lock);
	err = arch_kernel_map(va, pa, flags);
	spin_unlock(&table_lock);
	return err;
}

static paddr_t unmap(kaddr_t va)
{
	paddr_t pa;

	spin_lock(&table_lock);
	pa = arch_kernel_unmap(va);
	spin_unlock(&table_lock);
	return pa;
}

int kva_map_pages(kaddr_t va, size_t pages, unsigned flags)
{
	size_t done;

	for (done = 0; done < pages; done++) {
		struct page *p = page_alloc(0, PAGE_KERNEL, flags);

		if (!p)
			break;
		if (map(va + done * PAGE_SIZE, page_paddr(p), PTE_READ | PTE_WRITE)) {
			page_put(p);
			break;
		}
	}
	if (done == pages)
		return 0;
	kva_unmap_pages(va, done);
	return -1;
}

struct page *kva_unmap_chain(kaddr_t va, size_t pages, struct page *chain)
{
	for (size_t i = 0; i < pages; i++) {
		struct page *p = paddr_page(unmap(va + i * PAGE_SIZE));

		p->free.next = chain ? (uint32_t)page_pfn(chain) : 0;
		chain = p;
	}
	return chain;
}

void kva_flush_and_free(struct page *chain)
{
	if (kva_shootdown)
		kva_shootdown();
	else
		arch_tlb_flush_kernel();
	while (chain) {
		struct page *p = chain;

		chain = p->free.next ? &page_array[p->free.next] : NULL;
		page_put(p);
	}
}

void kva_unmap_pages(kaddr_t va, size_t pages)
{
	if (pages > 0)
		kva_flush_and_free(kva_unmap_chain(va, pages, NULL));
}

void *kva_alloc(size_t pages)
{
	kaddr_t va;

	if (pages == 0 || pages >= (KVA_END - RANGES_BASE) >> PAGE_SHIFT || !(va = reserve(pages)))
		return NULL;
	if (kva_map_pages(va, pages, ALLOC_ZERO)) {
		release(va);
		return NULL;
	}
	return (void *)va;
}

void kva_free(void *p, size_t pages)
{
	if (!p)
		return;
	kva_unmap_pages((kaddr_t)p, pages);
	release((kaddr_t)p);
}

void *io_map(paddr_t pa, size_t bytes)
{
	paddr_t start = page_round_down(pa), end = page_round_up(pa + bytes);
	size_t pages = (end - start) >> PAGE_SHIFT;
	kaddr_t va;

	if (end <= start || !(va = reserve(pages)))
		return NULL;
	for (size_t i = 0; i < pages; i++) {
		/* What was mapped so far stays so, and its addresses unused: it holds no memory. */
		if (map(va + i * PAGE_SIZE, start + i * PAGE_SIZE,
			PTE_READ | PTE_WRITE | PTE_NOCACHE))
			return NULL;
	}
	return (void *)(va + (pa - start));
}

void kva_init(void)
{
	struct range *r = kmalloc(sizeof(*r));

	if (!r)
		panic("kva: no memory");
	*r = (struct range){ .start = RANGES_BASE, .end = KVA_END };
	spin_lock(&kva_lock);
	insert_locked(r);
	spin_unlock(&kva_lock);
}
