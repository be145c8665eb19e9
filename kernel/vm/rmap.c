/*
 * From an object to the leaves that map it: the walk over its VMAs for truncation, write-back and
 * reclaim.
 *
 * The list of VMAs is under a spinlock, but looking at a VMA's leaves needs its space's lock (rank
 * VMSPACE, sleeping, above everything an object has). So the walk keeps its place with a cursor in
 * the list, counts the space, drops the spinlock, and takes the space's lock for reading: the tree,
 * the table pages and every VMA's bounds then stay.
 *
 * Why no leaf is missed, although VMAs come, go, move and grow meanwhile: VMAs enter the list at
 * the tail, and one that grows goes back to the tail; both happen, like any move of leaves, inside
 * one hold of the space's lock for writing. So at any time every leaf lies in a VMA that the cursor
 * has not passed, or was put there by a fault after the walk began; and what faults may put there
 * is the caller's to exclude (truncation: the page is out of the index already; write-back: the
 * fault marks the page dirty again).
 *
 * After the lock is ours the VMA may be gone, even freed: it is touched again only if it still
 * stands directly in front of the cursor. A space whose count has fallen to zero is skipped: nobody
 * can run in it, and its leaves and their counts go with it.
 */
#include "vm/vm_priv.h"

static struct vma *vma_at(struct list *l)
{
	return list_entry(l, struct vma, object_node);
}

/* Moves the cursor behind the next VMA; cursors of other walks (without a space) are passed over.
 */
static struct vma *step(struct vmobject *o, struct vma *cursor)
{
	struct list *l = cursor->object_node.next;

	while (l != &o->mappings && !vma_at(l)->vs)
		l = l->next;
	list_remove(&cursor->object_node);
	if (l == &o->mappings)
		return NULL;
	list_insert_between(&cursor->object_node, l, l->next);
	return vma_at(l);
}

static bool still_before(struct vmobject *o, struct vma *cursor, const struct vma *v)
{
	struct list *l;
	bool same;

	spin_lock(&o->mappings_lock);
	for (l = cursor->object_node.prev; l != &o->mappings && !vma_at(l)->vs; l = l->prev)
		;
	same = l == &v->object_node;
	spin_unlock(&o->mappings_lock);
	return same;
}

/* The addresses in v of pages [first, last]; false: none. Without v's lock the answer may be old,
 * see visit(). */
static bool overlap(const struct vma *v, uint64_t first, uint64_t last, uint64_t *start,
		    uint64_t *end)
{
	uint64_t index = v->pgoff, n = vma_pages(v);

	if (last < index || first >= index + n)
		return false;
	*start = v->start + (first > index ? (first - index) << PAGE_SHIFT : 0);
	*end = last - index >= n - 1 ? v->end : v->start + ((last - index + 1) << PAGE_SHIFT);
	return true;
}

struct walk {
	struct vmobject *object;
	uint64_t first, last;
	bool nowait;
	rmap_fn *fn;
	void *ctx;
	struct vma cursor;
};

static void visit(struct walk *w, struct vma *v, struct vmspace *vs)
{
	uint64_t start, end;

	if (!w->nowait)
		read_lock(&vs->lock);
	else if (!read_trylock(&vs->lock))
		return;
	if (still_before(w->object, &w->cursor, v) && overlap(v, w->first, w->last, &start, &end))
		w->fn(w->ctx, v, start, end);
	read_unlock(&vs->lock);
}

void rmap_walk(struct vmobject *o, uint64_t first, uint64_t last, bool nowait, rmap_fn *fn,
	       void *ctx)
{
	struct walk w = {
		.object = o, .first = first, .last = last, .nowait = nowait, .fn = fn, .ctx = ctx
	};
	uint64_t start, end;
	struct vma *v;

	if (list_is_empty(&o->mappings))
		return;
	spin_lock(&o->mappings_lock);
	list_add_head(&o->mappings, &w.cursor.object_node);
	while ((v = step(o, &w.cursor))) {
		struct vmspace *vs = v->vs;

		/* A VMA that does not overlap now can only come to do so by growing, and is then
		 * seen again. */
		if (!overlap(v, first, last, &start, &end) || !ref_tryget(&vs->users))
			continue;
		spin_unlock(&o->mappings_lock);
		visit(&w, v, vs);
		vmspace_put_later(vs);
		spin_lock(&o->mappings_lock);
	}
	spin_unlock(&o->mappings_lock);
}

static void unmap_range(void *ctx, struct vma *v, uint64_t start, uint64_t end)
{
	const enum zap_how *how = ctx;
	struct tlb_gather g;

	if (*how == ZAP_UNUSED && (v->flags & VMA_LOCKED))
		return;
	tlb_gather_init(&g, v->vs);
	vm_zap(&g, start, end, *how);
	tlb_gather_finish(&g);
}

void rmap_unmap(struct vmobject *o, uint64_t first, uint64_t last, bool with_private)
{
	enum zap_how how = with_private ? ZAP_ALL : ZAP_CACHED;

	rmap_walk(o, first, last, false, unmap_range, &how);
}

void rmap_unmap_unused(struct vmobject *o, uint64_t first, uint64_t last)
{
	enum zap_how how = ZAP_UNUSED;

	rmap_walk(o, first, last, true, unmap_range, &how);
}

static int protect_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	struct tlb_gather *g = ctx;
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);

	while (pte_is_writable(pte))
		if (atomic_compare_exchange_weak_explicit(slot, &pte, pte_write_protect(pte),
							  memory_order_acq_rel,
							  memory_order_relaxed)) {
			tlb_gather_range(g, va, va + size);
			break;
		}
	return 0;
}

static void protect_range(void *ctx, struct vma *v, uint64_t start, uint64_t end)
{
	struct tlb_gather g;

	(void)ctx;
	if (!(v->flags & VMA_SHARED))
		return;
	tlb_gather_init(&g, v->vs);
	(void)arch_pt_walk(&v->vs->pt, start, end, protect_leaf, &g);
	tlb_gather_finish(&g);
}

void rmap_write_protect(struct vmobject *o, uint64_t first, uint64_t last)
{
	if (atomic_load_explicit(&o->nwritable, memory_order_acquire))
		rmap_walk(o, first, last, false, protect_range, NULL);
}
