/*
 * mprotect. The range is walked once to find how far it can go: to the first hole (-ENOMEM) or the
 * first VMA that may not have the protection (-EACCES). What comes before is changed as a whole, as
 * Linux does; the rest is untouched. Leaves follow the VMAs at once: access taken away is taken
 * from the leaf and shot down; access granted is put in where no other rule stands against it (a
 * private page that nobody shares may be written without a fault). source       mprotect(2)
 */
#include "abi/errno.h"
#include "vm/hugepage.h"
#include "vm/vm_priv.h"

struct protect {
	struct vmspace *vs;
	uint32_t prot;
	uint64_t commit;   /* pages to charge: private memory that becomes writable */
	uint64_t new_data; /* pages that begin to count against RLIMIT_DATA */
	unsigned nodes;    /* for the two ends */
	/* of the leaf walk */
	const struct vma *vma;
	bool reduces; /* some access is taken away: flush */
	pte_t ro, rw; /* what an ordinary leaf becomes, without its address */
	uint64_t flush_start, flush_end;
};

static bool gains_charge(const struct protect *p, const struct vma *v)
{
	return !(v->flags & VMA_ACCOUNTED) && vm_wants_commit(v->flags, p->prot);
}

static bool gains_data(const struct protect *p, const struct vma *v)
{
	return (p->prot & PROT_WRITE) && !(v->prot & PROT_WRITE) &&
	       !(v->flags & (VMA_SHARED | VMA_GROWSDOWN));
}

/* How far the change can go from its first VMA v; *err says why it ends before `end`. Counts the
 * nodes it takes. */
static uint64_t plan_range(struct protect *p, struct vma *v, uint64_t start, uint64_t end, int *err)
{
	uint64_t at = start, stop, pages;

	*err = 0;
	for (; at < end; at = stop, v = vma_next(v)) {
		if (!v || v->start > at) {
			*err = -ENOMEM;
			break;
		}
		if (p->prot & ~v->max_prot) {
			*err = -EACCES;
			break;
		}
		stop = MIN(end, v->end);
		p->nodes += (v->start < start) + (v->end > end);
		pages = (stop - at) >> PAGE_SHIFT;
		p->commit += gains_charge(p, v) ? pages : 0;
		p->new_data += gains_data(p, v) ? pages : 0;
	}
	return at;
}

/* May a leaf of v that holds `page` be writable at once, without a fault to note it? */
static inline bool may_write_now(const struct vma *v, const struct page *p, uint64_t size)
{
	if (v->flags & VMA_SHARED)
		return p->kind == PAGE_CACHE && !vmobject_tracks_dirty(v->object);
	if (p->kind != PAGE_ANON)
		return false;
	if (size != PAGE_SIZE)
		return huge_is_exclusive(p);
	return atomic_load_explicit(&p->ref, memory_order_relaxed) == 1;
}

/* Device frames and 2 MiB leaves: whatever they are, they stay. */
static NOINLINE pte_t other_leaf(const struct protect *p, pte_t old, uint64_t size, bool writable)
{
	enum { KEPT = PTE_SPECIAL | PTE_NOCACHE | PTE_WRITECOMBINE | PTE_DIRTY };
	unsigned flags = vm_pte_flags(p->prot) | (pte_flags(old) & KEPT);

	flags |= writable ? PTE_WRITE | PTE_DIRTY : 0;
	return size == PAGE_SIZE ? pte_make(pte_paddr(old), flags)
				 : pte_make_huge(pte_paddr(old), flags);
}

static inline int protect_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	pte_t old = atomic_load_explicit(slot, memory_order_relaxed), new;
	struct protect *p = ctx;
	bool special, writable;

	do {
		special = pte_is_special(old);
		writable = (p->prot & PROT_WRITE) &&
			   (pte_is_writable(old) ||
			    (!special && may_write_now(p->vma, pte_page(old), size)));
		if (UNLIKELY(special || size != PAGE_SIZE))
			new = other_leaf(p, old, size, writable);
		else
			new = pte_paddr(old) |
			      (writable ? p->rw : p->ro | (old & pte_bits(PTE_DIRTY)));
	} while (!atomic_compare_exchange_weak_explicit(slot, &old, new, memory_order_acq_rel,
							memory_order_relaxed));
	if (p->reduces) {
		p->flush_start = MIN(p->flush_start, va);
		p->flush_end = MAX(p->flush_end, va + size);
	}
	return 0;
}

/* One VMA, already cut to the range. */
static void apply(void *ctx, struct vma *v)
{
	struct protect *p = ctx;
	int64_t pages = (int64_t)vma_pages(v);

	if (v->prot == p->prot)
		return;
	if (gains_charge(p, v))
		v->flags |= VMA_ACCOUNTED;
	vm_account(p->vs, v, -pages);
	p->reduces = v->prot & ~p->prot;
	v->prot = p->prot;
	vm_account(p->vs, v, pages);
	p->vma = v;
	(void)vm_walk(p->vs, v->start, v->end, protect_leaf, p);
}

/* PROT_GROWSDOWN: the change goes down to the beginning of a growing mapping. */
static int extend_down(struct vmspace *vs, uint64_t *start)
{
	struct vma *v = vma_find(&vs->vmas, *start);

	if (!v)
		return -ENOMEM;
	if (!(v->flags & VMA_GROWSDOWN))
		return -EINVAL;
	*start = v->start;
	return 0;
}

static int protect_locked(struct protect *p, struct vma_edit *e, uint64_t start, uint64_t end)
{
	struct vmspace *vs = p->vs;
	struct vma *first;
	int err, why;

	first = vma_find_from(&vs->vmas, start);
	end = plan_range(p, first, start, end, &why);
	if (end == start)
		return why;
	if (vs->data_pages + p->new_data > vs->limits.data >> PAGE_SHIFT && p->new_data)
		return -ENOMEM;
	if ((err = vm_edit_begin(e, vs, p->nodes)))
		return err;
	if ((err = vm_split_ends(vs, first, start, end)) || (err = vm_commit(p->commit)))
		return err;
	p->flush_start = UINT64_MAX;
	p->ro = pte_make(0, vm_pte_flags(p->prot));
	p->rw = pte_make(0, vm_pte_flags(p->prot) | PTE_DIRTY | PTE_WRITE);
	vma_edit_change(e, first, start, end, apply, p);
	vm_edit_retire(e);
	if (p->flush_start < p->flush_end)
		tlb_flush_range(vs, p->flush_start, p->flush_end);
	return why;
}

int vm_protect(struct vmspace *vs, uint64_t addr, uint64_t len, uint32_t prot) NO_TSA
{
	struct protect p = { .vs = vs, .prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC) };
	uint64_t start = addr;
	struct vma_edit e;
	int err;

	if ((prot & PROT_GROWSUP) || (addr & PAGE_MASK) ||
	    (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN)))
		return -EINVAL;
	if (len == 0)
		return 0;
	len = page_round_up(len);
	if (len == 0 || !vm_range_ok(addr, len))
		return -ENOMEM;
	if ((err = write_lock_killable(&vs->lock)))
		return err;
	vma_edit_init(&e, &vs->vmas, NULL);
	if (!(prot & PROT_GROWSDOWN) || !(err = extend_down(vs, &start)))
		err = protect_locked(&p, &e, start, addr + len);
	write_unlock(&vs->lock);
	vm_edit_end(&e);
	return err;
}
