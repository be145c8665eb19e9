/*
 * mlock and mlockall: memory that is there when it is used and stays. Nothing is swapped out here,
 * so locking means counting it against RLIMIT_MEMLOCK, faulting it in, and that reclaim leaves its
 * file pages mapped (rmap.c). source       mlock(2), mlockall(2)
 */
#include "abi/errno.h"
#include "vm/vm_priv.h"

enum { LOCK_FLAGS = VMA_LOCKED | VMA_LOCKONFAULT };

struct lock_change {
	struct vmspace *vs;
	uint32_t flags; /* LOCK_FLAGS that the VMAs get */
};

static void apply(void *ctx, struct vma *v)
{
	struct lock_change *c = ctx;
	int64_t pages = (int64_t)vma_pages(v);

	if (v->flags & VMA_SPECIAL)
		return;
	vm_account(c->vs, v, -pages);
	v->flags = (v->flags & ~LOCK_FLAGS) | c->flags;
	vm_account(c->vs, v, pages);
}

/* Pages of [start, end) that are not locked yet; false when there is a hole. */
static bool count_unlocked(struct vmspace *vs, uint64_t start, uint64_t end, uint64_t *pages)
{
	struct vma *v = vma_find(&vs->vmas, start);

	*pages = 0;
	for (uint64_t at = start; at < end; v = vma_next(v)) {
		uint64_t stop;

		if (!v || v->start > at)
			return false;
		stop = MIN(end, v->end);
		if (!(v->flags & (VMA_LOCKED | VMA_SPECIAL)))
			*pages += (stop - at) >> PAGE_SHIFT;
		at = stop;
	}
	return true;
}

static int check_memlock(struct vmspace *vs, uint64_t more)
{
	if (vm_may_lock && vm_may_lock())
		return 0;
	if (vs->limits.memlock == 0)
		return -EPERM;
	return vs->locked_pages + more > vs->limits.memlock >> PAGE_SHIFT ? -ENOMEM : 0;
}

static int lock_locked(struct lock_change *c, struct vma_edit *e, uint64_t start, uint64_t end)
{
	struct vmspace *vs = c->vs;
	struct vma *v;
	uint64_t more;
	int err;

	if (!count_unlocked(vs, start, end, &more))
		return -ENOMEM;
	if (c->flags && (err = check_memlock(vs, more)))
		return err;
	v = vma_find_from(&vs->vmas, start);
	if ((err = vm_split_ends(vs, v, start, end)) ||
	    (err = vm_edit_begin(e, vs, vma_nodes_for_change(&vs->vmas, start, end))))
		return err;
	vma_edit_change(e, v, start, end, apply, c);
	vm_edit_retire(e);
	return 0;
}

int vm_mlock(struct vmspace *vs, uint64_t addr, uint64_t len, bool lock, bool on_fault) NO_TSA
{
	struct lock_change c = { vs, lock ? VMA_LOCKED | (on_fault ? VMA_LOCKONFAULT : 0) : 0 };
	uint64_t start = page_round_down(addr), size;
	struct vma_edit e;
	int err;

	if (lock && vs->limits.memlock == 0 && !(vm_may_lock && vm_may_lock()))
		return -EPERM;
	size = page_round_up(len + (addr & PAGE_MASK)); /* may wrap to nothing, as on Linux */
	if (size == 0)
		return 0;
	if (start + size < start)
		return -EINVAL;
	if (!vm_range_ok(start, size))
		return -ENOMEM;
	if ((err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&e, &vs->vmas, NULL);
	err = lock_locked(&c, &e, start, start + size);
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	if (!err && lock && !on_fault) {
		err = vm_populate(vs, start, size, true);
		err = err == -EFAULT ? -ENOMEM : err;
	}
	return err;
}

/* Every VMA gets `flags`. */
static int lock_all(struct vmspace *vs, uint32_t flags) NO_TSA
{
	struct lock_change c = { vs, flags };
	struct vma_edit e;
	int err = vm_edit_begin(&e, vs, 0);

	if (err || !vma_first(&vs->vmas))
		return err;
	/* Whole VMAs only: nothing is split. */
	vma_edit_change(&e, vma_first(&vs->vmas), 0, USER_END, apply, &c);
	vm_edit_retire(&e);
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	write_lock(&vs->lock);
	return 0;
}

static void populate_all(struct vmspace *vs)
{
	uint64_t at = 0, start, end;
	struct vma *v;

	for (;; at = end) {
		read_lock(&vs->lock);
		v = vma_find_from(&vs->vmas, at);
		start = v ? v->start : 0;
		end = v ? v->end : 0;
		read_unlock(&vs->lock);
		if (!v || vm_populate(vs, start, end - start, true) == -EINTR)
			break;
	}
}

int vm_mlockall(struct vmspace *vs, int flags) NO_TSA
{
	uint32_t how = VMA_LOCKED | (flags & MCL_ONFAULT ? VMA_LOCKONFAULT : 0);
	int err;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if ((err = write_lock_killable(&vs->lock)))
		return err;
	if (flags & MCL_CURRENT)
		err = check_memlock(vs, vs->total_pages - vs->locked_pages);
	else
		err = check_memlock(vs, 0);
	if (!err) {
		vs->def_flags = (vs->def_flags & ~LOCK_FLAGS) | (flags & MCL_FUTURE ? how : 0);
		if (flags & MCL_CURRENT)
			err = lock_all(vs, how);
	}
	write_unlock(&vs->lock);
	if (!err && (flags & MCL_CURRENT) && !(flags & MCL_ONFAULT))
		populate_all(vs);
	return err;
}

int vm_munlockall(struct vmspace *vs) NO_TSA
{
	int err = write_lock_killable(&vs->lock);

	if (err)
		return err;
	vs->def_flags &= ~LOCK_FLAGS;
	err = lock_all(vs, 0);
	write_unlock(&vs->lock);
	return err;
}
