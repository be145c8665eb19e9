/*
 * Page faults.
 *
 *   what is there        access      outcome
 *   nothing, anonymous   read        the shared zero page, read-only (PTE_SPECIAL: not counted)
 *                        write       a zeroed page; a 2 MiB block where the VMA holds one and
 * memory is plenty nothing, object      any         fault_file.c leaf, allowed        any spurious:
 * another CPU was first. Never allocate again (pitfall 1) leaf, read-only      write copy-on-write:
 * nobody else counts the page: made writable; else copied (shared mappings of files: fault_file.c
 * notes the dirty page) no VMA               -           below a growing stack: it grows; else
 * SIGSEGV, SEGV_MAPERR VMA forbids it       -           SIGSEGV, SEGV_ACCERR
 *
 * Locking: vs->lock for reading, so faults of one space run in parallel, and the tree, the VMAs and
 * the table pages stay as they are. Leaves change by compare-and-exchange from the value that the
 * decision was made on; whoever loses has done nothing, and the access simply runs again. Growing a
 * stack needs the lock for writing.
 *
 * Copy-on-write: the new page goes in, the old translation is shot down, then the old page is put
 * (pitfalls 21, 26). The old page cannot be written meanwhile: every leaf of a page that is counted
 * twice is read-only, and a writer copies. "Counted once" is stable in the fault: only fork adds a
 * count, and fork holds our lock for writing. A borrower's passing count (vm_access) costs a copy,
 * nothing else.
 */
#include <arch/upcall.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "core/ktrace.h"
#include "sched/thread.h"
#include "vm/hugepage.h"
#include "vm/stat.h"
#include "vm/vm_priv.h"

void (*vm_fault_signal)(struct regs *r, int sig, int code, uint64_t addr, unsigned fault_code);
paddr_t vm_zero_paddr;
pte_t vm_object_bits[8], vm_private_bits[8], vm_accessed_bit;

static bool is_allowed(const struct vm_fault *f)
{
	uint32_t prot = f->vma->prot;

	if (f->force)
		return !f->write || !(f->vma->flags & VMA_SHARED) || (prot & PROT_WRITE);
	if (f->write)
		return prot & PROT_WRITE;
	if (f->exec)
		return prot & PROT_EXEC;
	return prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

static enum fault_result anon_write(struct vm_fault *f, _Atomic pte_t *slot)
{
	struct page *p = page_alloc(0, PAGE_ANON, ALLOC_ZERO | ALLOC_USER);

	if (UNLIKELY(!p))
		return FAULT_NOMEM;
	if (LIKELY(pte_install(slot, 0, vm_private_leaf(f->vma, page_paddr(p)))))
		vm_add_rss(&f->vs->rss_anon, 1);
	else
		page_put(p);
	return FAULT_DONE;
}

static enum fault_result anon_read(struct vm_fault *f, _Atomic pte_t *slot)
{
	(void)pte_install(slot, 0,
			  pte_make(vm_zero_paddr, vm_pte_flags(f->vma->prot) | PTE_SPECIAL));
	return FAULT_DONE;
}

/* The 2 MiB block around the fault lies in a VMA that may have it. */
static inline bool may_be_huge(const struct vm_fault *f)
{
	const struct vma *v = f->vma;
	uint64_t block = ALIGN_DOWN(f->va, HUGE_SIZE);

	return v->end - v->start >= HUGE_SIZE && f->write && block >= v->start &&
	       block + HUGE_SIZE <= v->end && !(v->flags & (VMA_NOHUGE | VMA_GROWSDOWN)) &&
	       vm_may_huge(f->vs, v);
}

/* Tries to map a whole block. False: take a small page. */
static bool map_huge(struct vm_fault *f)
{
	_Atomic pte_t *slot = arch_pt_huge_slot_alloc(&f->vs->pt, f->va);
	struct page *p;

	if (!slot || atomic_load_explicit(slot, memory_order_relaxed))
		return false;
	if (!(p = huge_alloc()))
		return false;
	if (pte_install(slot, 0, pte_make_huge(page_paddr(p), vm_private_flags(f->vma))))
		vm_add_rss(&f->vs->rss_anon, HUGE_PAGES);
	else
		huge_put(p);
	return true;
}

/* A 2 MiB leaf is there. Written to while shared, it is split, and the next round copies one small
 * page. */
static enum fault_result huge_present(struct vm_fault *f, _Atomic pte_t *slot)
{
	pte_t pte = atomic_load_explicit(slot, memory_order_acquire);

	if (!pte || !pte_is_huge(pte))
		return FAULT_DONE; /* somebody split it just now */
	if (!f->write || pte_is_writable(pte)) {
		arch_tlb_flush_page(f->va);
		return FAULT_DONE;
	}
	if ((f->vma->prot & PROT_WRITE) && huge_is_exclusive(pte_page(pte))) {
		(void)pte_install(slot, pte,
				  pte_make_huge(pte_paddr(pte), vm_private_flags(f->vma)));
		return FAULT_DONE;
	}
	return vm_split_leaf(&f->vs->pt, f->va) ? FAULT_NOMEM : FAULT_DONE;
}

static enum fault_result fault_anon(struct vm_fault *f)
{
	_Atomic pte_t *slot, *huge = NULL;
	pte_t pte;

	if (UNLIKELY(may_be_huge(f)) && map_huge(f))
		return FAULT_DONE;
	slot = arch_pt_slot_alloc(&f->vs->pt, f->va, &huge);
	if (UNLIKELY(!slot))
		return huge ? huge_present(f, huge) : FAULT_NOMEM;
	pte = atomic_load_explicit(slot, memory_order_acquire);
	if (UNLIKELY(pte))
		return vm_fault_present(f, slot, pte);
	return f->write ? anon_write(f, slot) : anon_read(f, slot);
}

/* A new page with what the leaf shows now. Device frames and the vDSO, which are not counted, are
 * copied too. */
static struct page *copy_page(pte_t pte, struct page *old)
{
	bool zero = !old && pte_paddr(pte) == vm_zero_paddr;
	struct page *p;

	p = page_alloc(0, PAGE_ANON, ALLOC_USER | (zero ? ALLOC_ZERO : 0));
	if (p && !zero)
		arch_page_copy(page_va(p), phys_to_virt(pte_paddr(pte)));
	return p;
}

static enum fault_result copy_on_write(struct vm_fault *f, _Atomic pte_t *slot, pte_t pte)
{
	struct page *old = pte_is_special(pte) ? NULL : pte_page(pte), *new;
	struct vmspace *vs = f->vs;

	if (!old && pte_paddr(pte) >> PAGE_SHIFT >= page_array_end)
		return FAULT_BUS;
	if (old && old->kind == PAGE_ANON &&
	    atomic_load_explicit(&old->ref, memory_order_acquire) == 1) {
		(void)pte_install(slot, pte, vm_private_leaf(f->vma, pte_paddr(pte)));
		return FAULT_DONE;
	}
	if (UNLIKELY(!(new = copy_page(pte, old))))
		return FAULT_NOMEM;
	vma_mark_private(f->vma);
	if (!pte_install(slot, pte, vm_private_leaf(f->vma, page_paddr(new)))) {
		page_put(new);
		return FAULT_DONE;
	}
	tlb_flush_range(vs, f->va, f->va + PAGE_SIZE);
	if (!old || old->kind != PAGE_ANON)
		vm_add_rss(&vs->rss_anon, 1);
	if (old && old->kind == PAGE_CACHE)
		atomic_fetch_sub_explicit(old->cache.lru & LRU_SHMEM ? &vs->rss_shmem
								     : &vs->rss_file,
					  1, memory_order_relaxed);
	if (old)
		page_put(old);
	return FAULT_DONE;
}

enum fault_result vm_fault_present(struct vm_fault *f, _Atomic pte_t *slot, pte_t pte)
{
	unsigned flags = pte_flags(pte);

	if (f->write && !(flags & PTE_WRITE))
		return copy_on_write(f, slot, pte);
	if ((flags & PTE_READ) && (!f->exec || (flags & PTE_EXEC))) {
		/* Spurious: this CPU remembers less than the table says. */
		arch_tlb_flush_page(f->va);
		return FAULT_DONE;
	}
	/* ptrace reads a PROT_NONE page: the leaf stays as it is, the reader goes through the
	 * direct map. */
	return f->force ? FAULT_DONE : FAULT_ACCERR;
}

static inline enum fault_result fault_locked(struct vm_fault *f)
{
	if (UNLIKELY(!is_allowed(f)))
		return FAULT_ACCERR;
	return f->vma->object ? vm_fault_object(f) : fault_anon(f);
}

enum fault_result vm_fault_locked(struct vm_fault *f)
{
	return fault_locked(f);
}

/* The lock is held for writing. DONE: a VMA now contains addr. */
static enum fault_result grow_stack(struct vmspace *vs, uint64_t addr)
{
	uint64_t start = page_round_down(addr), pages;
	struct vma *v = vma_find_from(&vs->vmas, addr);
	struct vma_edit e;

	if (!v || v->start <= addr)
		return v ? FAULT_DONE : FAULT_MAPERR;
	pages = (v->start - start) >> PAGE_SHIFT;
	if (!(v->flags & VMA_GROWSDOWN) || start < vm_mmap_min_addr ||
	    v->end - start > vs->limits.stack || !vma_can_grow_down(v, start) ||
	    !vm_may_expand(vs, v, pages))
		return FAULT_MAPERR;
	if (v->object && pages > v->pgoff)
		return FAULT_MAPERR;
	if ((v->flags & VMA_LOCKED) && vs->locked_pages + pages > vs->limits.memlock >> PAGE_SHIFT)
		return FAULT_MAPERR;
	if ((v->flags & VMA_ACCOUNTED) && vm_commit(pages))
		return FAULT_MAPERR;
	if (vm_edit_begin(&e, vs, 0))
		return FAULT_NOMEM;
	vm_account(vs, v, (int64_t)pages);
	vma_edit_grow(&e, v, start, v->end);
	return FAULT_DONE;
}

/* No VMA at addr: the slow half of vm_fault_find(). Lock: reading in; on DONE reading out, else
 * none. */
static NOINLINE enum fault_result find_stack(struct vmspace *vs, uint64_t addr) NO_TSA
{
	struct vma *v = vma_find_from(&vs->vmas, addr);
	bool may_grow = v && (v->flags & VMA_GROWSDOWN);
	enum fault_result res;

	read_unlock(&vs->lock);
	if (!may_grow)
		return FAULT_MAPERR;
	if (write_lock_killable(&vs->lock))
		return FAULT_KILLED;
	res = grow_stack(vs, addr);
	if (res == FAULT_DONE)
		write_downgrade(&vs->lock);
	else
		write_unlock(&vs->lock);
	return res;
}

static inline enum fault_result fault_find(struct vm_fault *f, uint64_t addr) NO_TSA
{
	struct vmspace *vs = f->vs;
	enum fault_result res = FAULT_DONE;

	f->va = page_round_down(addr);
	read_lock(&vs->lock);
	f->vma = vma_find_from(&vs->vmas, addr);
	if (UNLIKELY(!f->vma || f->vma->start > addr)) {
		if ((res = find_stack(vs, addr)) != FAULT_DONE)
			return res;
		f->vma = vma_find(&vs->vmas, addr);
	}
	res = fault_locked(f);
	if (UNLIKELY(res != FAULT_DONE))
		read_unlock(&vs->lock);
	return res;
}

enum fault_result vm_fault_find(struct vm_fault *f, uint64_t addr) NO_TSA
{
	return fault_find(f, addr);
}

int vm_fault_in(struct vmspace *vs, uint64_t addr, unsigned access) NO_TSA
{
	struct vm_fault f = { .vs = vs,
			      .write = access & FAULT_WRITE,
			      .exec = access & FAULT_EXEC };

	if (addr >= USER_END)
		return -EFAULT;
	switch (vm_fault_find(&f, addr)) {
	case FAULT_DONE:
		read_unlock(&vs->lock);
		return 0;
	case FAULT_NOMEM:
		return -ENOMEM;
	case FAULT_KILLED:
		return -EINTR;
	default:
		return -EFAULT;
	}
}

static NOINLINE void report(struct regs *r, enum fault_result res, uint64_t addr, unsigned code)
{
	static const struct {
		int sig, code;
	} table[] = {
		[FAULT_MAPERR] = { SIGSEGV, SEGV_MAPERR },
		[FAULT_ACCERR] = { SIGSEGV, SEGV_ACCERR },
		[FAULT_BUS] = { SIGBUS, BUS_ADRERR },
		[FAULT_NOMEM] = { SIGKILL, 0 },
	};

	/* Killed while it waited, or by the OOM killer: it dies on the way out. */
	if (res == FAULT_KILLED || fatal_signal_pending())
		return;
	ktrace(KT_MM, page_fault, addr, regs_pc(r), code, table[res].sig, 0, 0);
	vm_fault_signal(r, table[res].sig, table[res].code, addr, code);
}

NOINLINE bool vm_make_room(void)
{
	struct page *p = fatal_signal_pending() ? NULL : page_alloc(0, PAGE_ANON, ALLOC_USER);

	if (p)
		page_put(p);
	return p != NULL;
}

bool page_fault(struct regs *r, uint64_t addr, unsigned code) NO_TSA
{
	bool user = regs_from_user(r);
	struct thread *t = curthread();
	struct vm_fault f = { .vs = t->vmspace,
			      .write = code & FAULT_WRITE,
			      .exec = code & FAULT_EXEC };
	enum fault_result res = FAULT_MAPERR;

	if (!user && (addr >= USER_END || !f.vs || t->nofault || !arch_irqs_enabled()))
		return false;
	if (UNLIKELY(code & FAULT_RESERVED))
		panic("page table of %s is corrupt at %lx", t->name, addr);
	if (LIKELY(addr < USER_END))
		res = fault_find(&f, addr);
	if (LIKELY(res == FAULT_DONE)) {
		read_unlock(&f.vs->lock);
		ktrace(KT_MM, page_fault, addr, regs_pc(r), code, 0, 0, 0);
		t->minflt += !f.major;
		t->majflt += f.major;
		vm_count(VM_EVENT_FAULT + f.major, 1);
		return true;
	}
	if (res == FAULT_NOMEM && vm_make_room())
		return true;
	if (user)
		report(r, res, addr, code);
	return user;
}

void fault_init(void)
{
	struct page *p = page_alloc(0, PAGE_KERNEL, ALLOC_ZERO);

	if (!p)
		panic("no memory for the zero page");
	vm_zero_paddr = page_paddr(p);
	for (unsigned prot = 0; prot < ARRAY_SIZE(vm_object_bits); prot++) {
		const struct vma v = { .prot = prot };

		vm_object_bits[prot] = pte_make(0, vm_pte_flags(prot));
		vm_private_bits[prot] = pte_make(0, vm_private_flags(&v));
	}
	vm_accessed_bit = pte_make(0, PTE_READ | PTE_ACCESSED) & ~pte_make(0, PTE_READ);
}
