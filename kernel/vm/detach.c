/*
 * shmdt: an attachment goes by the address where it was made. It may have been cut, and parts of it
 * moved or replaced, so it is what still lies at its own distance from that address.
 *   source       shmop(2), Linux's behaviour where parts are gone
 */
#include "abi/errno.h"
#include "vm/vm_priv.h"

static bool is_part(const struct vma *v, uint64_t addr)
{
	return (v->flags & VMA_ATTACHED) && v->start - addr == v->pgoff << PAGE_SHIFT;
}

/* The first part, and of which object. NULL: nothing was attached there. */
static struct vma *first_part(struct vmspace *vs, uint64_t addr)
{
	struct vma *v = vma_find_from(&vs->vmas, addr);

	while (v && !(v->start >= addr && is_part(v, addr)))
		v = vma_next(v);
	return v;
}

static void unmap_parts(struct vma_edit *e, struct vmspace *vs, struct vma *v, uint64_t addr)
{
	struct vmobject *o = v->object;
	uint64_t end = addr + page_round_up(o->ops->size(o));
	struct vma *next;

	for (; v && v->end <= end; v = next) {
		next = vma_next(v);
		/* Whole VMAs, and leaves of 4 KiB: no nodes, nothing to split. */
		if (v->object == o && is_part(v, addr))
			vm_unmap_locked(e, vs, v, v->start, v->end);
	}
}

int vm_detach(struct vmspace *vs, uint64_t addr) NO_TSA
{
	struct vma_edit e;
	struct vma *v;
	int err;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if ((err = write_lock_killable(&vs->lock)))
		return err;
	if ((err = vm_edit_begin(&e, vs, 0)))
		goto unlock;
	if ((v = first_part(vs, addr)))
		unmap_parts(&e, vs, v, addr);
	else
		err = -EINVAL;
	vm_edit_retire(&e);
unlock:
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	return err;
}
