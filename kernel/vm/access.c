/*
 * Reaching into an address space without running in it: copies for exec, ptrace, /proc/PID/mem and
 * process_vm_readv(2); faulting ranges in; what a futex word is.
 *
 * A page is found through the table, counted, and looked up again: if the leaf has not changed, the
 * count keeps the page while it is copied through the direct map. For a write the leaf must be
 * writable, or the page be a private one that only this leaf counts, so that the bytes land where
 * the space sees them.
 */
#include <arch/upcall.h>

#include "abi/errno.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vm/hugepage.h"
#include "vm/pagecache.h"
#include "vm/vm_priv.h"

struct pinned {
	struct page *page; /* counted; NULL: a frame without a count */
	void *va;          /* of the 4 KiB page */
};

static bool suits(const struct vm_fault *f, pte_t pte, const struct page *p)
{
	if (!f->write)
		return f->force || (pte_flags(pte) & PTE_READ);
	if (pte_is_writable(pte))
		return true;
	/* 2: the leaf's count and ours. */
	return f->force && p && p->kind == PAGE_ANON &&
	       atomic_load_explicit(&p->ref, memory_order_acquire) == 2;
}

static bool frame_is_ram(paddr_t pa)
{
	return page_find(pa >> PAGE_SHIFT) != NULL;
}

/* vs->lock is held. False: nothing suitable there now. */
static bool try_pin(const struct vm_fault *f, struct pinned *out)
{
	uint64_t size = 0;
	_Atomic pte_t *slot = arch_pt_slot(&f->vs->pt, f->va, &size);
	pte_t pte = slot ? atomic_load_explicit(slot, memory_order_acquire) : 0;
	struct page *p = NULL;
	paddr_t pa;

	if (!pte || (size != PAGE_SIZE && !pte_is_huge(pte)))
		return false;
	pa = pte_paddr(pte) + (f->va & (size - 1));
	if (pte_is_special(pte)) {
		if (!frame_is_ram(pa))
			return false;
	} else {
		if (size != PAGE_SIZE)
			huge_expand(slot);
		p = paddr_page(pa);
		if (!page_tryget(p))
			return false;
		if (atomic_load_explicit(slot, memory_order_acquire) != pte)
			goto put;
	}
	if (!suits(f, pte, p))
		goto put;
	*out = (struct pinned){ p, phys_to_virt(pa) };
	return true;
put:
	if (p)
		page_put(p);
	return false;
}

/* Pins the page at addr, faulting it in as often as it takes. On success vs->lock is held for
 * reading. */
static bool pin(struct vm_fault *f, uint64_t addr, struct pinned *out) NO_TSA
{
	for (unsigned tries = 0; tries < 64; tries++) {
		enum fault_result res = vm_fault_find(f, addr);

		if (res == FAULT_NOMEM && vm_make_room())
			continue;
		if (res != FAULT_DONE)
			return false;
		if (try_pin(f, out))
			return true;
		read_unlock(&f->vs->lock);
	}
	return false; /* a frame that is not RAM, or a race lost too often */
}

ssize64_t vm_access(struct vmspace *vs, uint64_t addr, void *buf, size_t n, bool write, bool force)
	NO_TSA
{
	struct vm_fault f = { .vs = vs, .write = write, .force = force };
	size_t done = 0;

	while (done < n) {
		uint64_t at = addr + done, off = at & PAGE_MASK;
		size_t part = MIN(n - done, PAGE_SIZE - off);
		struct pinned p;

		if (at >= USER_END || at < addr || !pin(&f, at, &p))
			break;
		if (write)
			memcpy((char *)p.va + off, (char *)buf + done, part);
		else
			memcpy((char *)buf + done, (char *)p.va + off, part);
		if (write && p.page && p.page->kind == PAGE_CACHE)
			page_set_dirty(p.page);
		if (p.page)
			page_put(p.page);
		read_unlock(&vs->lock);
		done += part;
		thread_resched_point();
	}
	return done || !n ? (ssize64_t)done : -EFAULT;
}

int vm_pin_new_page(struct vmspace *vs, uint64_t addr, struct page **out, char **va) NO_TSA
{
	struct vm_fault f = { .vs = vs, .write = true };
	struct pinned p;

	if (!pin(&f, addr, &p))
		return -ENOMEM;
	read_unlock(&vs->lock);
	KASSERT(p.page && p.page->kind == PAGE_ANON);
	*out = p.page;
	*va = p.va;
	return 0;
}

/* Anonymous memory that nobody has written to: not read, which would make it there. */
static bool is_untouched(struct vmspace *vs, uint64_t va)
{
	bool untouched = false;
	uint64_t size;
	struct vma *v;

	read_lock(&vs->lock);
	v = vma_find(&vs->vmas, va);
	if (v && !v->object) {
		_Atomic pte_t *slot = arch_pt_slot(&vs->pt, va, &size);
		pte_t pte = slot ? atomic_load_explicit(slot, memory_order_relaxed) : 0;

		untouched = !pte || (pte_is_special(pte) && pte_paddr(pte) == vm_zero_paddr);
	}
	read_unlock(&vs->lock);
	return untouched;
}

bool vm_dump_page(struct vmspace *vs, uint64_t va, void *buf)
{
	return !is_untouched(vs, va) &&
	       vm_access(vs, va, buf, PAGE_SIZE, false, true) == (ssize64_t)PAGE_SIZE;
}

static bool is_mapped_for(struct vmspace *vs, uint64_t va, bool write, uint64_t *size)
{
	_Atomic pte_t *slot = arch_pt_slot(&vs->pt, va, size);
	pte_t pte = slot ? atomic_load_explicit(slot, memory_order_relaxed) : 0;

	if (!slot)
		*size = PAGE_SIZE;
	return pte && (*size == PAGE_SIZE || pte_is_huge(pte)) &&
	       (pte_flags(pte) & (write ? PTE_WRITE : PTE_READ));
}

static int populate_error(enum fault_result res)
{
	switch (res) {
	case FAULT_NOMEM:
		return -ENOMEM;
	case FAULT_KILLED:
		return -EINTR;
	case FAULT_MAPERR:
		return -ENOMEM;
	default:
		return -EFAULT;
	}
}

/* for_write says what is wanted of writable memory: shared mappings are only read, so as not to
 * dirty files. */
int vm_populate(struct vmspace *vs, uint64_t addr, uint64_t len, bool for_write)
{
	uint64_t end = addr + page_round_up(len), size = PAGE_SIZE, va = page_round_down(addr);

	while (va < end) {
		struct vm_fault f = { .vs = vs };
		enum fault_result res;

		if (fatal_signal_pending())
			return -EINTR;
		read_lock(&vs->lock);
		f.vma = vma_find(&vs->vmas, va);
		f.va = va;
		f.write = for_write && f.vma && (f.vma->prot & PROT_WRITE) &&
			  !(f.vma->flags & VMA_SHARED);
		res = FAULT_DONE;
		if (!f.vma)
			res = FAULT_MAPERR;
		else if (!is_mapped_for(vs, va, f.write, &size))
			res = vm_fault_locked(&f);
		else
			va = ALIGN_DOWN(va, size) + size;
		read_unlock(&vs->lock);
		if (res != FAULT_DONE)
			return populate_error(res);
		thread_resched_point();
	}
	return 0;
}

int vm_futex_key(uaddr_t addr, bool private_hint, struct vm_futex_key *out,
		 struct vmobject **counted)
{
	struct vmspace *vs = curthread()->vmspace;
	int err = -EFAULT;
	struct vma *v;

	*counted = NULL;
	if (addr.a & 3)
		return -EINVAL;
	if (addr.a >= USER_END)
		return -EFAULT;
	*out = (struct vm_futex_key){ (uintptr_t)vs, addr.a };
	if (private_hint)
		return 0;
	read_lock(&vs->lock);
	v = vma_find(&vs->vmas, addr.a);
	if (v && v->prot) {
		err = 0;
		if (v->object && (v->flags & VMA_SHARED)) {
			vmobject_get(v->object);
			*counted = v->object;
			out->object = (uintptr_t)v->object;
			out->offset = (v->pgoff << PAGE_SHIFT) + (addr.a - v->start);
		}
	}
	read_unlock(&vs->lock);
	return err;
}

int vm_for_each(struct vmspace *vs, uint64_t from,
		int (*fn)(void *ctx, struct vmspace *vs, struct vma *v), void *ctx)
{
	int res = 0;

	read_lock(&vs->lock);
	for (struct vma *v = vma_find_from(&vs->vmas, from); v && !res; v = vma_next(v))
		res = fn(ctx, vs, v);
	read_unlock(&vs->lock);
	return res;
}

/* One leaf's share of the numbers of smaps. pss counts a page by the leaves that map it. */
static int usage_leaf(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	struct vm_usage *u = ctx;
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);
	bool dirty = pte_flags(pte) & PTE_DIRTY;
	uint64_t share;
	uint32_t maps;
	struct page *p;

	(void)va;
	if (!pte || pte_is_special(pte) || (size != PAGE_SIZE && !pte_is_huge(pte)))
		return 0;
	p = pte_page(pte);
	maps = atomic_load_explicit(&p->ref, memory_order_relaxed);
	if (p->kind == PAGE_CACHE && maps > 1)
		maps--; /* the object's own */
	dirty = dirty || (p->kind == PAGE_CACHE && page_has(p, PG_DIRTY));
	u->rss += size;
	share = size / MAX(maps, 1u);
	u->pss += share;
	u->pss_dirty += dirty ? share : 0;
	if (p->kind == PAGE_ANON) {
		u->anonymous += size;
		u->pss_anon += share;
		u->lazyfree += dirty ? 0 : size;
		u->anon_huge += size == PAGE_SIZE ? 0 : size;
	} else {
		*(p->cache.lru & LRU_SHMEM ? &u->pss_shmem : &u->pss_file) += share;
	}
	u->referenced += pte_flags(pte) & PTE_ACCESSED ? size : 0;
	if (maps > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += size;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += size;
	return 0;
}

void vm_usage_locked(struct vmspace *vs, struct vma *v, struct vm_usage *out)
{
	*out = (struct vm_usage){ 0 };
	(void)arch_pt_walk(&vs->pt, v->start, v->end, usage_leaf, out);
	out->locked = v->flags & VMA_LOCKED ? out->pss : 0;
}

static int forget_use(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size)
{
	pte_t pte = atomic_load_explicit(slot, memory_order_relaxed);
	struct tlb_gather *g = ctx;

	if (pte && (size == PAGE_SIZE || pte_is_huge(pte)) && (pte_flags(pte) & PTE_ACCESSED) &&
	    pte_install(slot, pte, pte & ~pte_bits(PTE_ACCESSED)))
		tlb_gather_range(g, va, va + size);
	return 0;
}

void vm_clear_referenced(struct vmspace *vs, bool anon, bool files)
{
	struct tlb_gather g;

	read_lock(&vs->lock);
	tlb_gather_init(&g, vs);
	for (struct vma *v = vma_first(&vs->vmas); v; v = vma_next(v))
		if (v->file ? files : anon)
			(void)arch_pt_walk(&vs->pt, v->start, v->end, forget_use, &g);
	tlb_gather_finish(&g);
	read_unlock(&vs->lock);
}

static bool is_resident(struct vmspace *vs, struct vma *v, uint64_t va)
{
	uint64_t size;
	struct page *p;

	if (is_mapped_for(vs, va, false, &size))
		return true;
	if (!v->object || v->object->ops->map_frame)
		return false;
	p = pagecache_find(v->object, vma_index(v, va));
	if (p)
		page_put(p);
	return p != NULL;
}

int vm_mincore(struct vmspace *vs, uint64_t addr, uint64_t pages, uint8_t *vec)
{
	struct vma *v;
	int err = 0;

	read_lock(&vs->lock);
	v = vma_find(&vs->vmas, addr);
	for (uint64_t i = 0; i < pages && !err; i++, addr += PAGE_SIZE) {
		if (v && v->end <= addr)
			v = vma_next(v);
		if (!v || v->start > addr)
			err = -ENOMEM;
		else
			vec[i] = is_resident(vs, v, addr);
	}
	read_unlock(&vs->lock);
	return err;
}
