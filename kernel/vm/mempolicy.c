/* The policies of mappings: kept in their VMAs, so they are cut, joined, copied and moved with
 * them. */
#include "vm/mempolicy.h"

#include "abi/errno.h"
#include "vm/vm_priv.h"

static void apply(void *ctx, struct vma *v)
{
	v->policy = *(uint64_t *)ctx;
}

static bool has_hole(struct vmspace *vs, uint64_t start, uint64_t end)
{
	struct vma *v = vma_find(&vs->vmas, start);

	while (v && v->end < end && v->next && v->next->start == v->end)
		v = v->next;
	return !v || v->end < end;
}

int vm_set_mempolicy(struct vmspace *vs, uint64_t start, uint64_t len, uint64_t policy) NO_TSA
{
	uint64_t end = start + len;
	struct vma_edit e;
	struct vma *v;
	int err;

	if ((err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&e, &vs->vmas, NULL);
	v = vma_find_from(&vs->vmas, start);
	if (!v || v->start >= end || (policy && has_hole(vs, start, end)))
		err = -EFAULT;
	else if (!(err = vm_split_ends(vs, v, start, end)) &&
		 !(err = vm_edit_begin(&e, vs, vma_nodes_for_change(&vs->vmas, start, end)))) {
		vma_edit_change(&e, v, start, end, apply, &policy);
		vm_edit_retire(&e);
	}
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	return err;
}

int vm_get_mempolicy(struct vmspace *vs, uint64_t addr, uint64_t *policy)
{
	struct vma *v;

	read_lock(&vs->lock);
	v = vma_find(&vs->vmas, addr);
	if (v)
		*policy = v->policy;
	read_unlock(&vs->lock);
	return v ? 0 : -EFAULT;
}

static int node_locked(struct vmspace *vs, uint64_t addr)
{
	struct vma *v = vma_find(&vs->vmas, addr);
	_Atomic pte_t *slot;
	uint64_t size = 0;
	pte_t pte;

	if (!v)
		return -EFAULT;
	slot = arch_pt_slot(&vs->pt, addr, &size);
	pte = slot ? atomic_load_explicit(slot, memory_order_relaxed) : 0;
	if (!pte || (size != PAGE_SIZE && !pte_is_huge(pte)))
		return v->object ? -ENOENT : -EFAULT;
	if (pte_is_special(pte))
		return -EFAULT;
	return pte_flags(pte) & PTE_READ ? 0 : -ENOENT;
}

int vm_page_node(struct vmspace *vs, uint64_t addr)
{
	int node;

	read_lock(&vs->lock);
	node = node_locked(vs, addr);
	read_unlock(&vs->lock);
	return node;
}

int vm_check_home_node(struct vmspace *vs, uint64_t start, uint64_t len)
{
	int res = -ENOENT;

	read_lock(&vs->lock);
	for (struct vma *v = vma_find_from(&vs->vmas, start);
	     v && v->start < start + len && res != -EOPNOTSUPP; v = vma_next(v)) {
		unsigned mode = mempolicy_mode(v->policy);

		if (mode == MPOL_BIND || mode == MPOL_PREFERRED_MANY)
			res = 0;
		else if (mode != MPOL_DEFAULT)
			res = -EOPNOTSUPP;
	}
	read_unlock(&vs->lock);
	return res;
}
