/*
 * The program break: two addresses (brk_start, brk) and no VMA of its own. Growing makes ordinary
 * anonymous memory in [old, new), shrinking unmaps whatever lies in [new, old), so that
 * mmap(MAP_FIXED), munmap, mprotect or mremap inside the heap cannot confuse it (pitfall 3). The
 * decision is vma_plan_brk(), which the host tests run. source       brk(2)
 */
#include "abi/errno.h"
#include "vm/vm_priv.h"

static int grow(struct vmspace *vs, struct vma_edit *e, const struct brk_plan *p)
{
	struct vma *v;
	int err;

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
	err = -ENOMEM;
	if (vm_may_expand(vs, v, vma_pages(v)) && vs->vmas.count < vm_max_map_count &&
	    (!(v->flags & VMA_LOCKED) ||
	     vs->locked_pages + vma_pages(v) <= vs->limits.memlock >> PAGE_SHIFT))
		err = vm_commit(vma_pages(v));
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
	struct vma *v = vma_find_from(&vs->vmas, p->start);
	int err;

	if ((err = vm_edit_begin(e, vs, vma_nodes_for_unmap(v, p->start, p->end))))
		return err;
	if ((err = vm_split_ends(vs, v, p->start, p->end)))
		return err;
	vm_unmap_locked(e, vs, p->start, p->end);
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
