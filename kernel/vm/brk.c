/*
 * The program break: two addresses (brk_start, brk) and no VMA of its own. Growing makes ordinary
 * anonymous memory in [old, new), shrinking unmaps whatever lies in [new, old), so that
 * mmap(MAP_FIXED), munmap, mprotect or mremap inside the heap cannot confuse it (pitfall 3). The
 * decision is vma_plan_brk(), which the host tests run. source       brk(2)
 */
#include "abi/errno.h"
#include "vm/vm_priv.h"

static int charge(struct vmspace *vs, const struct vma *v, uint64_t pages)
{
	if (!vm_may_expand(vs, v, pages) ||
	    ((v->flags & VMA_LOCKED) &&
	     vs->locked_pages + pages > vs->limits.memlock >> PAGE_SHIFT))
		return -ENOMEM;
	return vm_commit(pages);
}

/* v is what the heap is made of, so that it can take over the range behind it. */
static bool is_heap(const struct vmspace *vs, const struct vma *v)
{
	return v->prot == (PROT_READ | PROT_WRITE) && !v->object && !v->file && !v->name &&
	       v->flags == (vs->def_flags | VMA_ACCOUNTED) &&
	       v->max_prot == (PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int grow(struct vmspace *vs, struct vma_edit *e, const struct brk_plan *p)
{
	struct vma *v = p->below;
	int err;

	if (LIKELY(v && v->end == p->start && is_heap(vs, v))) {
		uint64_t pages = (p->end - p->start) >> PAGE_SHIFT;

		if ((err = charge(vs, v, pages)) || (err = vm_edit_begin(e, vs, 0)))
			return err;
		vm_account(vs, v, (int64_t)pages);
		vma_edit_grow(e, v, v->start, p->end);
		return 0;
	}
	if ((err = vm_edit_begin(e, vs, 1)))
		return err;
	v = vma_edit_take_spare(e);
	*v = (struct vma){
		.start = p->start,
		.end = p->end,
		.prot = PROT_READ | PROT_WRITE,
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.flags = vs->def_flags | VMA_ACCOUNTED,
		.vs = vs,
	};
	list_init(&v->object_node);
	err = vs->vmas.count < vm_max_map_count ? charge(vs, v, vma_pages(v)) : -ENOMEM;
	if (err) {
		vma_edit_add_spare(e, v);
		return err;
	}
	vm_account(vs, v, (int64_t)vma_pages(v));
	(void)vma_edit_map(e, v);
	return 0;
}

static int shrink(struct vmspace *vs, struct vma_edit *e, const struct brk_plan *p)
{
	struct vma *v = p->below;
	int err;

	/* Mostly all that goes is the end of the heap's VMA. */
	if (!v || v->start > p->start || v->end <= p->start)
		v = vma_find_from(&vs->vmas, p->start);
	if ((err = vm_edit_begin(e, vs, vma_nodes_for_unmap(v, p->start, p->end))))
		return err;
	if ((err = vm_split_ends(vs, v, p->start, p->end)))
		return err;
	vm_unmap_locked(e, vs, v, p->start, p->end);
	return 0;
}

/* RLIMIT_DATA covers the heap and the image's data together. */
static bool over_data_limit(const struct vmspace *vs, uint64_t want)
{
	uint64_t bytes = want - vs->brk_start + (vs->data_end - vs->data_start);

	return want > vs->brk && bytes > vs->limits.data;
}

int vm_brk(struct vmspace *vs, uint64_t want, uint64_t *out) NO_TSA
{
	struct brk_plan p = { .action = BRK_REFUSE };
	bool populate = false;
	struct vma_edit e;
	int err;

	if ((err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&e, &vs->vmas, NULL);
	if (!over_data_limit(vs, want))
		p = vma_plan_brk(&vs->vmas, vs->brk_start, vs->brk, want);
	if (p.action == BRK_GROW)
		err = grow(vs, &e, &p);
	else if (p.action == BRK_SHRINK)
		err = shrink(vs, &e, &p);
	if (!err && p.action != BRK_REFUSE) {
		vs->brk = want;
		populate = p.action == BRK_GROW &&
			   (vs->def_flags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED;
	}
	*out = vs->brk;
	vm_edit_retire(&e);
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	if (populate)
		(void)!vm_populate(vs, p.start, p.end - p.start, true);
	return 0;
}
