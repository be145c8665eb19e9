/*
 * mremap: shrinks by unmapping the tail, grows in place when the next pages are free, else moves.
 *
 * A move takes the leaves along; no page is copied. All tables the new place needs are allocated
 * while nothing has changed yet, and 2 MiB leaves that would not be aligned there are split. The
 * commit puts the new VMA in, moves leaf by leaf, shoots the old range down and takes the old VMA
 * out. Walks over the object's mappings cannot miss a page on its way: the new VMA is at the tail
 * of the list before the lock is released. source       mremap(2)
 */
#include "abi/errno.h"
#include "vm/vm_priv.h"

struct remap {
	struct vmspace *vs;
	struct vma *vma; /* that contains `old` */
	uint64_t old, old_len, new_len, new_addr;
	unsigned flags;
	uint32_t vma_flags; /* of the result */
	struct vma_edit e;
};

/* What can be said without looking at the space. */
static int check_args(const struct remap *r)
{
	if (r->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && r->old_len != r->new_len)
		return -EINVAL;
	if ((r->old & PAGE_MASK) || r->new_len == 0)
		return -EINVAL;
	if (!(r->flags & MREMAP_FIXED)) /* what is not there cannot be moved, nor room be found */
		return r->old >= USER_END                 ? -EFAULT
		       : !vm_range_ok(r->old, r->old_len) ? -EINVAL
		       : r->new_len > USER_END            ? -ENOMEM
							  : 0;
	if (!vm_range_ok(r->old, r->old_len) || r->new_len > USER_END)
		return -EINVAL;
	if ((r->new_addr & PAGE_MASK) || !vm_range_ok(r->new_addr, r->new_len))
		return -EINVAL;
	if (r->new_addr < r->old + r->old_len && r->old < r->new_addr + r->new_len)
		return -EINVAL;
	return r->new_addr < vm_mmap_min_addr && !(vm_may_map_low && vm_may_map_low()) ? -EPERM : 0;
}

/* The VMA, and whether it may become new_len long. */
static int check_vma(const struct remap *r)
{
	const struct vma *v = r->vma;
	uint64_t sum, more = r->new_len > r->old_len ? (r->new_len - r->old_len) >> PAGE_SHIFT : 0;
	struct vmspace *vs = r->vs;

	if (!v || v->start > r->old)
		return -EFAULT;
	if (r->old_len == 0 && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && (v->flags & VMA_SPECIAL))
		return -EINVAL;
	if (r->old_len > v->end - r->old)
		return -EFAULT;
	if ((v->flags & VMA_SPECIAL) &&
	    (more || r->old != v->start || r->old_len != v->end - v->start))
		return -EFAULT;
	if (r->flags & MREMAP_DONTUNMAP)
		more = r->new_len >> PAGE_SHIFT;
	if (__builtin_add_overflow(vma_index(v, r->old), r->new_len >> PAGE_SHIFT, &sum))
		return -EINVAL;
	if ((v->flags & VMA_LOCKED) && vs->locked_pages + more > vs->limits.memlock >> PAGE_SHIFT &&
	    !(vm_may_lock && vm_may_lock()))
		return -EAGAIN;
	return vm_may_expand(vs, v, more) ? 0 : -ENOMEM;
}

static int shrink(struct remap *r)
{
	uint64_t start = r->old + r->new_len, end = r->old + r->old_len;
	struct vmspace *vs = r->vs;
	struct vma *v;
	int err;

	if (start == end)
		return 0;
	v = vma_find_from(&vs->vmas, start);
	if ((err = vm_edit_begin(&r->e, vs, vma_nodes_for_unmap(v, start, end))))
		return err;
	if ((err = vm_split_ends(vs, v, start, end)))
		return err;
	vm_unmap_locked(&r->e, vs, v, start, end);
	return 0;
}

static bool can_grow_here(const struct remap *r)
{
	uint64_t start = r->old + r->old_len, end = r->old + r->new_len;
	struct vma *next;

	return r->vma->end == start && vm_range_ok(r->old, r->new_len) &&
	       vma_is_free(&r->vs->vmas, start, end, &next);
}

static int grow_here(struct remap *r)
{
	uint64_t pages = (r->new_len - r->old_len) >> PAGE_SHIFT;
	struct vma *v = r->vma;
	int err = v->flags & VMA_ACCOUNTED ? vm_commit(pages) : 0;

	if (err)
		return err;
	vm_account(r->vs, v, (int64_t)pages);
	vma_edit_grow(&r->e, v, v->start, v->end + (r->new_len - r->old_len));
	return 0;
}

struct move {
	struct arch_pt *pt;
	uint64_t delta; /* new - old, modulo 2^64 */
};

/*
 * Plan: room for each leaf at its new place. A 2 MiB leaf goes into an empty slot of that level;
 * where a table is in the way (an empty one: the place is free) it is split, and the table takes
 * the parts.
 */
static int prepare_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	struct move *m = ctx;
	_Atomic pte_t *huge = NULL, *to;

	(void)slot;
	if (size == PAGE_SIZE)
		return arch_pt_slot_alloc(m->pt, va + m->delta, &huge) ? 0 : -ENOMEM;
	if (!(to = arch_pt_huge_slot_alloc(m->pt, va + m->delta)))
		return -ENOMEM;
	return atomic_load_explicit(to, memory_order_relaxed) ? vm_split_leaf(m->pt, va) : 0;
}

static int split_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	struct move *m = ctx;

	(void)slot;
	return size == PAGE_SIZE ? 0 : vm_split_leaf(m->pt, va);
}

/* Commit. The new place is empty, and its tables are there. */
static int move_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	struct move *m = ctx;
	_Atomic pte_t *to, *huge = NULL;
	pte_t pte = atomic_exchange_explicit(slot, 0, memory_order_acq_rel);

	to = size == PAGE_SIZE ? arch_pt_slot_alloc(m->pt, va + m->delta, &huge)
			       : arch_pt_huge_slot_alloc(m->pt, va + m->delta);
	KASSERT(to && !atomic_load_explicit(to, memory_order_relaxed));
	atomic_store_explicit(to, pte, memory_order_release);
	return 0;
}

/* With MREMAP_FIXED all 2 MiB leaves of both places are split, so that only 4 KiB leaves and tables
 * meet. */
static int plan_move(struct remap *r, struct move *m, uint64_t len)
{
	bool fixed = r->flags & MREMAP_FIXED;
	uint64_t end = r->old + len, new_end = r->new_addr + r->new_len;
	struct vmspace *vs = r->vs;
	int err;

	if ((err = vm_split_ends(vs, r->vma, r->old, end)))
		return err;
	if (fixed && ((err = vm_split_ends(vs, vma_find_from(&vs->vmas, r->new_addr), r->new_addr,
					   new_end)) ||
		      (err = arch_pt_walk(m->pt, r->new_addr, new_end, split_leaf, m))))
		return err;
	if ((fixed || !IS_ALIGNED(m->delta, HUGE_SIZE)) &&
	    (err = arch_pt_walk(m->pt, r->old, end, split_leaf, m)))
		return err;
	return arch_pt_walk(m->pt, r->old, end, prepare_leaf, m);
}

/* The old place, when it keeps its VMA (MREMAP_DONTUNMAP), has no pages left; else it goes as in
 * munmap. */
static void leave_old(struct remap *r, uint64_t moved)
{
	struct vmspace *vs = r->vs;

	if (moved)
		tlb_flush_range(vs, r->old, r->old + moved);
	if (r->old_len && !(r->flags & MREMAP_DONTUNMAP))
		vm_unmap_locked(&r->e, vs, vma_find_from(&vs->vmas, r->old), r->old,
				r->old + r->old_len);
}

/* The plan failed: tables made for the new place go again, so that none is left that no VMA has use
 * for. */
static void drop_tables(struct remap *r)
{
	uint64_t end = r->new_addr + r->new_len;
	struct vma *next = vma_find_from(&r->vs->vmas, r->new_addr);
	struct tlb_gather g;

	if (next && next->start < end)
		return;
	tlb_gather_init(&g, r->vs);
	vm_unlink_tables(&g, next, r->new_addr, end);
	tlb_gather_finish(&g);
}

static int move(struct remap *r)
{
	uint64_t pages = r->new_len >> PAGE_SHIFT, moved = MIN(r->old_len, r->new_len);
	struct vmspace *vs = r->vs;
	struct move m;
	struct vma *v, *next;
	int err;

	if (!(r->flags & MREMAP_FIXED) &&
	    (err = vm_choose_address(vs, r->new_addr, r->new_len, 0, !r->vma->object, &r->new_addr,
				     &next)))
		return err;
	/* Three nodes: the new VMA, and one for each place that may be cut in the middle. */
	if ((err = vm_edit_begin(&r->e, vs, 3)))
		return err;
	m = (struct move){ &vs->pt, r->new_addr - r->old };
	if ((err = plan_move(r, &m, moved))) {
		drop_tables(r);
		return err;
	}
	v = vma_edit_take_spare(&r->e);
	vma_slice(r->vma, r->old, r->new_len, r->new_addr, v);
	if ((v->flags & VMA_ACCOUNTED) && (err = vm_commit(pages))) {
		vma_edit_add_spare(&r->e, v);
		drop_tables(r);
		return err;
	}
	if (r->flags & MREMAP_FIXED)
		(void)vm_clear_locked(&r->e, vs, vma_find_from(&vs->vmas, r->new_addr), r->new_addr,
				      r->new_addr + r->new_len);
	vm_account(vs, v, (int64_t)pages);
	(void)vma_edit_map(&r->e, v);
	(void)arch_pt_walk(&vs->pt, r->old, r->old + moved, move_leaf, &m);
	leave_old(r, moved);
	return 0;
}

/* new_addr is where the mapping will be: unchanged unless it moves. */
static int remap_locked(struct remap *r)
{
	struct vmspace *vs = r->vs;
	bool must_move = r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	int err;

	r->vma = vma_find_from(&vs->vmas, r->old);
	if (!must_move && r->old_len >= r->new_len) {
		if (!r->vma || r->vma->start > r->old)
			return -EFAULT;
		r->new_addr = r->old;
		return shrink(r);
	}
	if ((err = check_vma(r)))
		return err;
	r->vma_flags = r->vma->flags;
	if (!must_move && r->old_len && can_grow_here(r)) {
		r->new_addr = r->old;
		return grow_here(r);
	}
	return r->flags & MREMAP_MAYMOVE ? move(r) : -ENOMEM;
}

int vm_remap(struct vmspace *vs, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags,
	     uint64_t new_addr, uint64_t *out) NO_TSA
{
	struct remap r = {
		.vs = vs,
		.old = old,
		.old_len = page_round_up(old_len),
		.new_len = page_round_up(new_len),
		.new_addr = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? new_addr : 0,
		.flags = flags,
	};
	int err = check_args(&r);

	if (err || (err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&r.e, &vs->vmas, NULL);
	if (!(err = vm_edit_begin(&r.e, vs, 0)))
		err = remap_locked(&r);
	vm_edit_retire(&r.e);
	write_unlock(&vs->lock);
	vm_edit_end(&r.e);
	if (err)
		return err;
	*out = r.new_addr;
	if ((r.vma_flags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED && r.new_len > r.old_len)
		(void)!vm_populate(vs, r.new_addr + r.old_len, r.new_len - r.old_len, true);
	return 0;
}
