/*
 * mprotect. The range is walked once to find how far it can go: to the first hole (-ENOMEM) or the first VMA that may
 * not have the protection (-EACCES). What comes before is changed as a whole, as Linux does; the rest is untouched.
 * Leaves follow the VMAs at once: access taken away is taken from the leaf and shot down; access granted is put in where
 * no other rule stands against it (a private page that nobody shares may be written without a fault).
 *   source       mprotect(2)
 */
#include "abi/errno.h"
#include "vm/hugepage.h"
#include "vm/vm_priv.h"

struct protect {
	struct vmspace *vs;
	uint32_t prot;
	uint64_t commit;    /* pages to charge: private memory that becomes writable */
	uint64_t new_data;  /* pages that begin to count against RLIMIT_DATA */
	unsigned nodes;     /* for the two ends */
	/* of the leaf walk */
	const struct vma *vma;
	struct tlb_gather g;
};

static bool gains_charge(const struct protect *p, const struct vma *v)
{
	return !(v->flags & VMA_ACCOUNTED) && vm_wants_commit(v->flags, p->prot);
}

static bool gains_data(const struct protect *p, const struct vma *v)
{
	return (p->prot & PROT_WRITE) && !(v->prot & PROT_WRITE) && !(v->flags & (VMA_SHARED | VMA_GROWSDOWN));
}

/* How far the change can go from its first VMA v; *err says why it ends before `end`. Counts the nodes it takes. */
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
static bool may_write_now(const struct vma *v, const struct page *p, uint64_t size)
{
	if (v->flags & VMA_SHARED)
		return p->kind == PAGE_CACHE && !vmobject_tracks_dirty(v->object);
	if (p->kind != PAGE_ANON)
		return false;
	if (size != PAGE_SIZE)
		return huge_is_exclusive(p);
	return atomic_load_explicit(&p->ref, memory_order_relaxed) == 1;
}

static int protect_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	enum { KEPT = PTE_SPECIAL | PTE_NOCACHE | PTE_WRITECOMBINE | PTE_DIRTY, ACCESS = PTE_READ | PTE_WRITE | PTE_EXEC };
	struct protect *p = ctx;
	pte_t old = atomic_load_explicit(slot, memory_order_relaxed), new;
	unsigned had, flags;

	do {
		had = pte_flags(old);
		flags = vm_pte_flags(p->vma->prot) | (had & KEPT);
		if ((p->vma->prot & PROT_WRITE) &&
		    ((had & PTE_WRITE) || (!(had & PTE_SPECIAL) && may_write_now(p->vma, pte_page(old), size))))
			flags |= PTE_WRITE | PTE_DIRTY;
		new = size == PAGE_SIZE ? pte_make(pte_paddr(old), flags) : pte_make_huge(pte_paddr(old), flags);
	} while (!atomic_compare_exchange_weak_explicit(slot, &old, new, memory_order_acq_rel,
							memory_order_relaxed));
	if (had & ~flags & ACCESS)
		tlb_gather_range(&p->g, va, va + size);
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
	tlb_gather_init(&p->g, vs);
	vma_edit_change(e, first, start, end, apply, p);
	vm_edit_retire(e);
	tlb_gather_finish(&p->g);
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
