/*
 * mmap and munmap: choosing an address, checking the limits, putting a VMA in place of what was
 * there.
 *
 * Plan: everything that may fail (limits, commit charge, nodes, splitting 2 MiB leaves at the ends)
 * comes first and leaves the space as it was. Commit: old pages are cleared, shot down and freed,
 * then the tree changes; nothing of it can fail. All under the lock held for writing, so no fault
 * sees the middle. source       mmap(2), munmap(2), Linux's behaviour where they are silent
 */
#include "abi/errno.h"
#include "core/ktrace.h"
#include "vm/vm_priv.h"

/* Where MAP_32BIT looks: as Linux, above what non-PIE programs use. */
#define LOW_BASE 0x40000000ul
#define LOW_END  0x80000000ul

static bool hint_is_free(const struct vmspace *vs, uint64_t hint, uint64_t len, uint64_t high,
			 struct vma **next)
{
	return hint >= vm_mmap_min_addr && vm_range_ok(hint, len) && hint + len <= high &&
	       vma_is_free(&vs->vmas, hint, hint + len, next);
}

int vm_choose_address(struct vmspace *vs, uint64_t hint, uint64_t len, uint32_t how, bool anonymous,
		      uint64_t *out, struct vma **next)
{
	/* Whole 2 MiB blocks are aligned to be mapped as such. Other lengths are packed, so that
	 * they merge. */
	uint64_t align = anonymous && len && IS_ALIGNED(len, HUGE_SIZE) ? HUGE_SIZE : PAGE_SIZE;
	uint64_t high = how & VM_MAP_BELOW_4G ? LOW_END : USER_END;
	uint64_t bottom = vs->legacy_layout ? USER_END / 3 : vs->mmap_base;
	const struct vma_tree *t = &vs->vmas;

	hint = page_round_up(hint);
	if (hint && hint_is_free(vs, hint, len, high, next)) {
		*out = hint;
		return 0;
	}
	if (how & VM_MAP_BELOW_4G)
		return vma_find_gap(t, len, PAGE_SIZE, LOW_BASE, LOW_END, false, out, next)
			       ? 0
			       : -ENOMEM;
	if (!vs->legacy_layout &&
	    vma_find_gap(t, len, align, vm_mmap_min_addr, vs->mmap_base, true, out, next))
		return 0;
	if (vma_find_gap(t, len, PAGE_SIZE, bottom, USER_END, false, out, next))
		return 0;
	return vma_find_gap(t, len, PAGE_SIZE, vm_mmap_min_addr, USER_END, true, out, next)
		       ? 0
		       : -ENOMEM;
}

/* Checks what the caller asked for and settles the address in v. *replaced: something is there
 * already; else *next is the VMA behind. */
static int settle_range(struct vmspace *vs, const struct vm_map_args *a, struct vma *v,
			bool *replaced, struct vma **next)
{
	uint64_t len = page_round_up(a->len), addr = a->addr, sum;
	int err;

	*replaced = false;
	if (a->len == 0)
		return -EINVAL;
	if (len == 0 || len > USER_END)
		return -ENOMEM;
	if (__builtin_add_overflow(a->pgoff, len >> PAGE_SHIFT, &sum))
		return -EOVERFLOW;
	if (a->how & VM_MAP_FIXED) {
		if (addr & PAGE_MASK)
			return -EINVAL;
		if (!vm_range_ok(addr, len))
			return -ENOMEM;
		if (addr < vm_mmap_min_addr && !(vm_may_map_low && vm_may_map_low()))
			return -EPERM;
		*next = vma_find_from(&vs->vmas, addr);
		*replaced = *next && (*next)->start < addr + len;
		if (*replaced && (a->how & VM_MAP_NOREPLACE))
			return -EEXIST;
	} else if ((err = vm_choose_address(vs, addr, len, a->how, !a->object, &addr, next))) {
		return err;
	}
	v->start = addr;
	v->end = addr + len;
	return 0;
}

/* Pages of [start, end) that count against RLIMIT_AS now and will be replaced. */
static uint64_t pages_in(const struct vmspace *vs, uint64_t start, uint64_t end)
{
	uint64_t pages = 0;

	for (struct vma *v = vma_find_from(&vs->vmas, start); v && v->start < end; v = vma_next(v))
		pages += (MIN(end, v->end) - MAX(start, v->start)) >> PAGE_SHIFT;
	return pages;
}

static int check_limits(struct vmspace *vs, const struct vm_map_args *a, const struct vma *v,
			bool replaced)
{
	uint64_t pages = vma_pages(v), old = replaced ? pages_in(vs, v->start, v->end) : 0;

	if (vs->vmas.count >= vm_max_map_count)
		return -ENOMEM;
	if (a->how & VM_MAP_NO_LIMITS)
		return 0;
	if ((v->flags & VMA_LOCKED) &&
	    vs->locked_pages + pages > vs->limits.memlock >> PAGE_SHIFT &&
	    !(vm_may_lock && vm_may_lock()))
		return vs->limits.memlock == 0 ? -EPERM : -EAGAIN;
	return vm_may_expand(vs, v, pages - old) ? 0 : -ENOMEM;
}

/* Returns the VMA behind, or NULL. */
static struct vma *unmap(struct vma_edit *e, struct vmspace *vs, struct vma *v, uint64_t start,
			 uint64_t end, bool tables)
{
	struct tlb_gather g;
	struct vma *next;

	tlb_gather_init(&g, vs);
	vm_unaccount_range(vs, v, start, end);
	next = vma_edit_unmap(e, v, start, end);
	vm_zap(&g, start, end, ZAP_ALL);
	if (tables)
		vm_unlink_tables(&g, next, start, end);
	tlb_gather_finish(&g);
	return next;
}

void vm_unmap_locked(struct vma_edit *e, struct vmspace *vs, struct vma *v, uint64_t start,
		     uint64_t end)
{
	(void)unmap(e, vs, v, start, end, true);
}

struct vma *vm_clear_locked(struct vma_edit *e, struct vmspace *vs, struct vma *v, uint64_t start,
			    uint64_t end)
{
	return unmap(e, vs, v, start, end, false);
}

static void fill_vma(struct vmspace *vs, const struct vm_map_args *a, struct vma *v)
{
	/* Member by member: start, end and the tree's own are set where they are known. */
	v->prot = a->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	v->max_prot = a->max_prot;
	v->flags = a->vma_flags | vs->def_flags;
	v->object = a->object;
	v->pgoff = a->object ? a->pgoff : 0;
	v->file = a->file;
	v->name = a->name;
	v->policy = 0;
	v->vs = vs;
	v->chain = NULL;
	v->has_private = false;
	v->has_lazy = false;
	list_init(&v->object_node);
	if (v->flags & VMA_SPECIAL)
		v->flags &= ~(VMA_LOCKED | VMA_LOCKONFAULT);
}

/* The range is settled: the rest of the plan, then the commit. */
static int map_locked(struct vmspace *vs, const struct vm_map_args *a, struct vma *v,
		      struct vma_edit *e, bool replaced, struct vma *next)
{
	int err;

	if ((err = check_limits(vs, a, v, replaced)))
		return err;
	if (replaced && (err = vm_split_ends(vs, next, v->start, v->end)))
		return err;
	if (vm_wants_commit(v->flags, v->prot)) {
		if ((err = vm_commit(vma_pages(v))))
			return err;
		v->flags |= VMA_ACCOUNTED;
	}
	if (replaced)
		next = vm_clear_locked(e, vs, next, v->start, v->end);
	vm_account(vs, v, (int64_t)vma_pages(v));
	(void)vma_edit_map_before(e, v, next);
	vm_edit_retire(e);
	return 0;
}

static int map_range(struct vmspace *vs, const struct vm_map_args *a, uint64_t *addr,
		     uint32_t *flags) NO_TSA
{
	bool replaced;
	struct vma_edit e;
	struct vma *v, *next;
	int err;

	if ((err = write_lock_killable(&vs->lock)))
		return err;
	/* One node for the mapping, one in case it lands in the middle of another. */
	if ((err = vm_edit_begin(&e, vs, a->how & VM_MAP_FIXED ? 2 : 1)))
		goto unlock;
	v = vma_edit_take_spare(&e);
	fill_vma(vs, a, v);
	if (!(err = settle_range(vs, a, v, &replaced, &next))) {
		*addr = v->start;
		*flags = v->flags;
		err = map_locked(vs, a, v, &e, replaced, next);
	}
	if (err)
		vma_edit_add_spare(&e, v);
unlock:
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	return err;
}

int vm_map(struct vmspace *vs, const struct vm_map_args *a, uint64_t *out)
{
	uint64_t addr = 0;
	uint32_t flags = 0;
	int err = map_range(vs, a, &addr, &flags);

	if (a->how & VM_MAP_PUT_OBJECT)
		vmobject_put(a->object);
	if (err)
		return err;
	*out = addr;
	/* As Linux: what cannot be had now is had at the access, or fails there. */
	if ((a->how & VM_MAP_POPULATE) || ((flags & VMA_LOCKED) && !(flags & VMA_LOCKONFAULT)))
		(void)!vm_populate(vs, addr, page_round_up(a->len), a->prot & PROT_WRITE);
	return 0;
}

int vm_unmap(struct vmspace *vs, uint64_t addr, uint64_t len) NO_TSA
{
	struct vma_edit e;
	struct vma *v;
	uint64_t end;
	int err;

	if ((addr & PAGE_MASK) || !vm_range_ok(addr, len) || len == 0)
		return -EINVAL;
	len = page_round_up(len);
	end = addr + len;
	ktrace(KT_MM, munmap, addr, len, 0, 0, 0, 0);
	if ((err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&e, &vs->vmas, NULL);
	v = vma_find_from(&vs->vmas, addr);
	if (!v || v->start >= end)
		goto unlock;
	if ((err = vm_edit_begin(&e, vs, vma_nodes_for_unmap(v, addr, end))))
		goto unlock;
	if ((err = vm_split_ends(vs, v, addr, end)))
		goto unlock;
	(void)unmap(&e, vs, v, addr, end, true);
	vm_edit_retire(&e);
unlock:
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	return err;
}
