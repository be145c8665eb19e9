/*
 * fork: a second space with the same VMAs.
 *
 * Only leaves of private pages are copied: anonymous memory, and private file mappings in which
 * something was written (has_private). Everything else faults in again, 16 pages at a time. Private
 * pages become read-only on both sides and are counted once more; the next write on either side
 * copies, or takes the page when it is the last one to count it. The parent is flushed once, at the
 * end (pitfalls 15, 17): until then another thread of it may write through an old translation,
 * which is as if it had written before the fork.
 *
 * One page is not shared but copied at once: the one under the user's stack pointer, which both
 * sides write within their next few instructions; sharing it would cost two faults.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vm/hugepage.h"
#include "vm/vm_priv.h"

struct fork {
	struct vmspace *src, *dst;
	uint64_t stack_page;  /* copied eagerly; 0: none */
	_Atomic pte_t *slots; /* dst's slots of the 2 MiB at slots_va */
	uint64_t slots_va;
	uint64_t anon;       /* pages dst maps */
	bool flush;          /* something of the present VMA was write-protected */
	uint64_t start, end; /* of src: VMAs of which that is so */
};

static NOINLINE _Atomic pte_t *new_child_slots(struct fork *k, uint64_t block)
{
	_Atomic pte_t *huge = NULL;

	k->slots = arch_pt_slot_alloc(&k->dst->pt, block, &huge);
	k->slots_va = k->slots ? block : UINT64_MAX;
	return k->slots;
}

/* dst's slot for va. Neighbours share a table: one walk for up to 512 of them. */
static inline _Atomic pte_t *child_slot(struct fork *k, uint64_t va)
{
	uint64_t block = ALIGN_DOWN(va, HUGE_SIZE);

	if (UNLIKELY(k->slots_va != block) && !new_child_slots(k, block))
		return NULL;
	return k->slots + ((va >> PAGE_SHIFT) & (HUGE_PAGES - 1));
}

static NOINLINE int copy_now(struct fork *k, _Atomic pte_t *to, pte_t pte)
{
	struct page *new = page_alloc(0, PAGE_ANON, ALLOC_USER);

	if (!new)
		return -ENOMEM;
	arch_page_copy(page_va(new), phys_to_virt(pte_paddr(pte)));
	atomic_store_explicit(to, pte_make(page_paddr(new), pte_flags(pte)), memory_order_relaxed);
	k->anon++;
	return 0;
}

static inline pte_t protect(struct fork *k, _Atomic pte_t *slot, pte_t pte)
{
	while (pte_is_writable(pte)) {
		pte_t ro = pte_write_protect(pte);

		if (!atomic_compare_exchange_weak_explicit(slot, &pte, ro, memory_order_relaxed,
							   memory_order_relaxed))
			continue;
		k->flush = true;
		return ro;
	}
	return pte;
}

static NOINLINE int copy_huge(struct fork *k, _Atomic pte_t *slot, uint64_t va)
{
	_Atomic pte_t *to = arch_pt_huge_slot_alloc(&k->dst->pt, va);
	pte_t pte;

	if (!to)
		return -ENOMEM;
	pte = protect(k, slot, atomic_load_explicit(slot, memory_order_relaxed));
	huge_get(pte_page(pte));
	atomic_store_explicit(to, pte, memory_order_relaxed);
	k->anon += HUGE_PAGES;
	return 0;
}

static inline __attribute__((always_inline)) int copy_leaf(void *ctx, _Atomic pte_t *slot,
							   uint64_t va, uint64_t size)
{
	struct fork *k = ctx;
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);
	_Atomic pte_t *to;

	if (pte_is_special(pte) || pte_page(pte)->kind != PAGE_ANON)
		return 0;
	if (UNLIKELY(size != PAGE_SIZE))
		return copy_huge(k, slot, va);
	if (UNLIKELY(!(to = child_slot(k, va))))
		return -ENOMEM;
	if (UNLIKELY(va == k->stack_page) && pte_is_writable(pte))
		return copy_now(k, to, pte);
	pte = protect(k, slot, pte);
	page_get(pte_page(pte));
	atomic_store_explicit(to, pte, memory_order_relaxed);
	k->anon++;
	return 0;
}

static bool needs_leaves(const struct vma *v)
{
	if (v->flags & (VMA_SHARED | VMA_WIPEONFORK))
		return false;
	return !v->object || atomic_load_explicit(&v->has_private, memory_order_relaxed);
}

static int copy_vma(struct fork *k, struct vma_edit *e, const struct vma *v)
{
	uint64_t pages = vma_pages(v);
	struct vma *c;
	int err;

	if ((v->flags & VMA_ACCOUNTED) && (err = vm_commit(pages)))
		return err;
	if ((err = vm_edit_begin(e, k->dst, 1))) {
		vm_uncommit(v->flags & VMA_ACCOUNTED ? pages : 0);
		return err;
	}
	c = vma_edit_take_spare(e);
	vma_slice(v, v->start, v->end - v->start, v->start, c);
	c->flags &= ~(VMA_LOCKED | VMA_LOCKONFAULT);
	c->vs = k->dst;
	vma_insert(&k->dst->vmas, c);
	e->ops->born(c);
	vm_account(k->dst, c, (int64_t)pages);
	if (!needs_leaves(v))
		return 0;
	k->flush = false;
	err = vm_walk(k->src, v->start, v->end, copy_leaf, k);
	if (k->flush) {
		k->start = MIN(k->start, v->start);
		k->end = MAX(k->end, v->end);
	}
	return err;
}

static void copy_fields(struct vmspace *dst, const struct vmspace *src)
{
	dst->mmap_base = src->mmap_base;
	dst->brk_start = src->brk_start;
	dst->brk = src->brk;
	dst->stack_top = src->stack_top;
	dst->code_start = src->code_start;
	dst->code_end = src->code_end;
	dst->data_start = src->data_start;
	dst->data_end = src->data_end;
	dst->arg_start = src->arg_start;
	dst->arg_end = src->arg_end;
	dst->env_start = src->env_start;
	dst->env_end = src->env_end;
	dst->vdso = src->vdso;
	memcpy(dst->auxv, src->auxv, sizeof(dst->auxv));
	dst->nauxv = src->nauxv;
	dst->limits = src->limits;
	dst->dumpable = src->dumpable;
	dst->dump_filter = src->dump_filter;
	dst->legacy_layout = src->legacy_layout;
	if (src->exe) {
		dst->exe = src->exe;
		vm_file_ops->get_exe(dst->exe);
	}
}

int vmspace_fork(struct vmspace *src, struct vmspace **out) NO_TSA
{
	struct fork k = { .src = src, .slots_va = UINT64_MAX, .start = UINT64_MAX };
	struct vma_edit e;
	int err;

	if ((err = vmspace_create(&k.dst)))
		return err;
	if (src == curthread()->vmspace)
		k.stack_page = page_round_down(regs_sp(thread_regs(curthread())));
	if ((err = write_lock_killable(&src->lock)))
		goto put;
	copy_fields(k.dst, src);
	for (struct vma *v = vma_first(&src->vmas); v && !err; v = vma_next(v))
		if (!(v->flags & VMA_DONTFORK))
			err = copy_vma(&k, &e, v);
	atomic_store_explicit(&k.dst->rss_anon, k.anon, memory_order_relaxed);
	k.dst->hiwater_rss = k.anon;
	if (k.start < k.end)
		tlb_flush_range(src, k.start, k.end);
	write_unlock(&src->lock);
put:
	if (err)
		vmspace_put(k.dst);
	else
		*out = k.dst;
	return err;
}
