/*
 * madvise and msync.
 *
 * Advice that changes VMA flags is an edit of the tree (lock for writing). Advice about pages walks
 * the VMAs of the range with the lock held for reading: leaves are taken out by exchange, which
 * faults in parallel tolerate. MADV_FREE leaves them until memory is short (lazyfree.c). A hole
 * makes the result -ENOMEM after the rest has been done, as Linux does. source madvise(2), msync(2)
 */
#include "abi/errno.h"
#include "sched/thread.h"
#include "vm/pagecache.h"
#include "vm/vm_priv.h"

struct flag_advice {
	int advice;
	uint32_t set, clear;
};

static const struct flag_advice flag_advices[] = {
	{ MADV_NORMAL, 0, VMA_SEQ_READ | VMA_RAND_READ },
	{ MADV_RANDOM, VMA_RAND_READ, VMA_SEQ_READ },
	{ MADV_SEQUENTIAL, VMA_SEQ_READ, VMA_RAND_READ },
	{ MADV_DONTFORK, VMA_DONTFORK, 0 },
	{ MADV_DOFORK, 0, VMA_DONTFORK },
	{ MADV_DONTDUMP, VMA_DONTDUMP, 0 },
	{ MADV_DODUMP, 0, VMA_DONTDUMP },
	{ MADV_HUGEPAGE, VMA_HUGE, VMA_NOHUGE },
	{ MADV_NOHUGEPAGE, VMA_NOHUGE, VMA_HUGE },
	{ MADV_WIPEONFORK, VMA_WIPEONFORK, 0 },
	{ MADV_KEEPONFORK, 0, VMA_WIPEONFORK },
};

static const struct flag_advice *find_flag_advice(int advice)
{
	for (unsigned i = 0; i < ARRAY_SIZE(flag_advices); i++)
		if (flag_advices[i].advice == advice)
			return &flag_advices[i];
	return NULL;
}

static void apply_flags(void *ctx, struct vma *v)
{
	const struct flag_advice *a = ctx;

	v->flags = (v->flags & ~a->clear) | a->set;
}

/* -EINVAL where this advice cannot be for v. */
static int check_advice(const struct vma *v, int advice)
{
	bool bad = false;

	switch (advice) {
	case MADV_WIPEONFORK:
		bad = v->object || (v->flags & VMA_SHARED);
		break;
	case MADV_DOFORK:
	case MADV_DODUMP:
		bad = v->flags & VMA_SPECIAL;
		break;
	case MADV_FREE:
		bad = v->object || (v->flags & VMA_LOCKED);
		break;
	case MADV_DONTNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
		bad = v->flags & (VMA_LOCKED | VMA_SPECIAL);
		break;
	case MADV_REMOVE:
		bad = (v->flags & VMA_LOCKED) || !v->object;
		break;
	default:
		break;
	}
	if (bad)
		return -EINVAL;
	if (advice == MADV_REMOVE && !(v->flags & VMA_SHARED && v->max_prot & PROT_WRITE))
		return -EACCES;
	return 0;
}

/* The VMAs of [start, end): *err is -ENOMEM when there is a hole, or why the walk must end; returns
 * where it ends. */
static uint64_t check_range(struct vmspace *vs, uint64_t start, uint64_t end, int advice, int *err)
{
	struct vma *v = vma_find_from(&vs->vmas, start);
	uint64_t at = start;
	int why;

	*err = 0;
	for (; at < end; v = vma_next(v)) {
		if (!v || v->start > at)
			*err = -ENOMEM;
		if (!v || v->start >= end)
			break;
		if ((why = check_advice(v, advice))) {
			*err = why;
			return MAX(at, v->start);
		}
		at = v->end;
	}
	return end;
}

static int advise_flags(struct vmspace *vs, uint64_t start, uint64_t end,
			const struct flag_advice *a) NO_TSA
{
	struct flag_advice change = *a;
	struct vma_edit e;
	struct vma *v;
	int err, why;

	if ((err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&e, &vs->vmas, NULL);
	end = check_range(vs, start, end, a->advice, &why);
	v = vma_find_from(&vs->vmas, start);
	if (end > start && !(err = vm_split_ends(vs, v, start, end)) &&
	    !(err = vm_edit_begin(&e, vs, vma_nodes_for_change(&vs->vmas, start, end)))) {
		vma_edit_change(&e, v, start, end, apply_flags, &change);
		vm_edit_retire(&e);
	}
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	return err ? err : why;
}

static void drop_part(struct tlb_gather *g, struct vma *v, uint64_t start, uint64_t end, int advice)
{
	switch (advice) {
	case MADV_FREE:
		vm_lazyfree(g, v, start, end);
		break;
	case MADV_COLD:
		vm_make_cold(g->vs, start, end);
		break;
	case MADV_PAGEOUT:
		/* Where there is no swap, only pages of files have a place to go to: they lose
		 * their leaves, and are the next that reclaim takes. */
		vm_make_cold(g->vs, start, end);
		if (v->object && vmobject_is_backed(v->object))
			vm_zap(g, start, end, ZAP_CACHED);
		break;
	default:
		vm_zap(g, start, end, ZAP_ALL);
		break;
	}
}

static int drop_pages(struct vmspace *vs, uint64_t start, uint64_t end, int advice)
{
	struct tlb_gather g;
	struct vma *v;
	int err, why;

	read_lock(&vs->lock);
	end = check_range(vs, start, end, advice, &why);
	v = vma_find_from(&vs->vmas, start);
	if (end > start && !(err = vm_split_ends(vs, v, start, end))) {
		tlb_gather_init(&g, vs);
		for (; v && v->start < end; v = vma_next(v))
			drop_part(&g, v, MAX(start, v->start), MIN(end, v->end), advice);
		tlb_gather_finish(&g);
	} else if (end > start) {
		why = err;
	}
	read_unlock(&vs->lock);
	return why;
}

/* A part of a file mapping with counted owners, so that the lock can be dropped while it is worked
 * on. */
struct part {
	struct vmobject *object;
	struct file *file;
	uint64_t start, end; /* addresses */
	uint64_t from, to;   /* bytes in object */
	uint32_t flags;
};

/* The next part at or after *at, below end. False: none. *hole: something was skipped. Lock held
 * for reading. */
static bool next_part(struct vmspace *vs, uint64_t at, uint64_t end, struct part *p, bool *hole)
{
	struct vma *v = vma_find_from(&vs->vmas, at);

	if (!v || v->start >= end) {
		*hole |= at < end;
		return false;
	}
	*hole |= v->start > at;
	p->start = MAX(at, v->start);
	p->end = MIN(end, v->end);
	p->object = v->object;
	p->file = v->file;
	p->flags = v->flags;
	p->from = vma_index(v, p->start) << PAGE_SHIFT;
	p->to = p->from + (p->end - p->start);
	if (p->object)
		vmobject_get(p->object);
	if (p->file)
		vm_file_ops->get(p->file);
	return true;
}

/* Calls fn for each part of [start, end) without the lock. The first error ends it; else -ENOMEM
 * after a hole. */
static int for_each_part(struct vmspace *vs, uint64_t start, uint64_t end,
			 int (*fn)(const struct part *p, int arg), int arg)
{
	bool hole = false, found;
	struct part p;
	int err = 0;

	for (; start < end && !err; start = p.end) {
		read_lock(&vs->lock);
		found = next_part(vs, start, end, &p, &hole);
		read_unlock(&vs->lock);
		if (!found)
			break;
		err = fn(&p, arg);
		if (p.object)
			vmobject_put(p.object);
		if (p.file)
			vm_file_ops->put(p.file);
	}
	return err ? err : hole ? -ENOMEM : 0;
}

int vm_remap_file(struct vmspace *vs, uint64_t addr, uint64_t len, uint64_t pgoff, bool nonblock)
{
	struct vm_map_args a = { .addr = page_round_down(addr), .len = page_round_down(len) };
	bool hole = false, found;
	uint64_t end, at;
	struct part p = { .object = NULL };
	int err = -EINVAL;

	if (!a.len || __builtin_add_overflow(a.addr, a.len, &end) ||
	    __builtin_add_overflow(pgoff, a.len >> PAGE_SHIFT, &at))
		return -EINVAL;
	read_lock(&vs->lock);
	found = next_part(vs, a.addr, end, &p, &hole);
	if (found && p.start == a.addr && p.end == end && (p.flags & VMA_SHARED) && p.object) {
		const struct vma *v = vma_find(&vs->vmas, a.addr);

		a.prot = v->prot;
		a.max_prot = v->max_prot;
		err = 0;
	}
	read_unlock(&vs->lock);
	a.vma_flags = found ? p.flags & (VMA_SHARED | VMA_LOCKED | VMA_LOCKONFAULT) : 0;
	a.how = VM_MAP_FIXED | (nonblock ? 0 : VM_MAP_POPULATE);
	a.pgoff = pgoff;
	a.object = p.object;
	a.file = p.file;
	if (!err)
		err = vm_map(vs, &a, &at);
	if (found && p.object)
		vmobject_put(p.object);
	if (found && p.file)
		vm_file_ops->put(p.file);
	return err;
}

static int sync_part(const struct part *p, int flags)
{
	if ((flags & MS_INVALIDATE) && (p->flags & VMA_LOCKED))
		return -EBUSY;
	if (!(flags & MS_SYNC) || !p->object || !(p->flags & VMA_SHARED))
		return 0;
	if (p->file && vm_file_ops->sync)
		return vm_file_ops->sync(p->file, p->from, p->to);
	return pagecache_sync(p->object, p->from, p->to);
}

int vm_sync(struct vmspace *vs, uint64_t addr, uint64_t len, int flags)
{
	uint64_t end;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (addr & PAGE_MASK) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	len = page_round_up(len);
	if (__builtin_add_overflow(addr, len, &end))
		return -ENOMEM;
	return for_each_part(vs, addr, end, sync_part, flags);
}

static int read_ahead(const struct part *p, int arg)
{
	struct vmobject *o = p->object;
	uint64_t size, index = p->from >> PAGE_SHIFT;
	struct page *page;
	int err = 0;

	(void)arg;
	if (!o || o->ops->map_frame || !o->ops->read_page)
		return 0;
	size = o->ops->size ? page_round_up(o->ops->size(o)) >> PAGE_SHIFT : UINT64_MAX;
	for (; index < MIN(p->to >> PAGE_SHIFT, size) && !err; index++)
		if (!(err = pagecache_get(o, index, &page)))
			page_put(page);
	return err == -EINTR ? err : 0;
}

/* MADV_REMOVE punches a hole into shared memory. Files with backing have fallocate(2) for it. */
static int punch(const struct part *p, int arg)
{
	(void)arg;
	if (vmobject_is_backed(p->object))
		return -EOPNOTSUPP;
	pagecache_punch(p->object, p->from >> PAGE_SHIFT, (p->to >> PAGE_SHIFT) - 1);
	return 0;
}

static int check_locked_out(struct vmspace *vs, uint64_t start, uint64_t end, int advice)
{
	int err;

	read_lock(&vs->lock);
	(void)check_range(vs, start, end, advice, &err);
	read_unlock(&vs->lock);
	return err;
}

static int populate_errno(enum fault_result res)
{
	switch (res) {
	case FAULT_ACCERR:
		return -EINVAL;
	case FAULT_BUS:
		return -EFAULT;
	case FAULT_KILLED:
		return -EINTR;
	default:
		return -ENOMEM;
	}
}

static int populate(struct vmspace *vs, uint64_t start, uint64_t end, bool write) NO_TSA
{
	struct vm_fault f = { .vs = vs, .write = write };
	enum fault_result res;

	for (uint64_t va = start; va < end; va += PAGE_SIZE) {
		if (fatal_signal_pending())
			return -EINTR;
		if ((res = vm_fault_find(&f, va)) != FAULT_DONE)
			return populate_errno(res);
		read_unlock(&vs->lock);
		thread_resched_point();
	}
	return 0;
}

static int advise_pages(struct vmspace *vs, uint64_t start, uint64_t end, int advice)
{
	int err;

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return drop_pages(vs, start, end, advice);
	case MADV_WILLNEED:
		return for_each_part(vs, start, end, read_ahead, 0);
	case MADV_REMOVE:
		err = check_locked_out(vs, start, end, advice);
		return err ? err : for_each_part(vs, start, end, punch, 0);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return populate(vs, start, end, advice == MADV_POPULATE_WRITE);
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		/* Hints about sharing that nothing here acts on. */
		return check_locked_out(vs, start, end, advice);
	default:
		return -EINVAL;
	}
}

static bool is_page_advice(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_WILLNEED:
	case MADV_REMOVE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		return true;
	default:
		return false;
	}
}

int vm_advise(struct vmspace *vs, uint64_t addr, uint64_t len, int advice)
{
	const struct flag_advice *flags = find_flag_advice(advice);
	uint64_t size = page_round_up(len), end;

	if ((!flags && !is_page_advice(advice)) || (addr & PAGE_MASK) || size < len ||
	    __builtin_add_overflow(addr, size, &end))
		return -EINVAL;
	if (size == 0)
		return 0;
	if (end > USER_END)
		return -ENOMEM;
	return flags ? advise_flags(vs, addr, end, flags) : advise_pages(vs, addr, end, advice);
}
