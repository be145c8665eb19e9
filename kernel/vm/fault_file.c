/*
 * Page faults in VMAs that map an object: files, shared memory, devices.
 *
 *   access              outcome
 *   read                the cached page, read-only; up to 15 cached neighbours with it
 * (fault-around) write, private      a copy of the cached page, never the page itself write, shared
 * page_mkwrite(), the leaf becomes writable, then the page is marked dirty beyond the end SIGBUS
 *   device              its frame, not counted (PTE_SPECIAL)
 *
 * Truncation: o->lock is held for reading from the look at the size to the installed leaf.
 * pagecache_truncate() takes pages out of the index under o->lock held for writing, after the
 * smaller size has been published, and only then walks the mappings. So a leaf either was there
 * before that walk, which removes it, or its fault saw the new size.
 *
 * Dirty pages: the leaf is made writable first and the page marked dirty second, both before the
 * access runs. Write-back clears the mark first and write-protects second. In whatever order the
 * four happen, a page that can be written is marked, or will be write-protected by the write-back
 * that cleared the mark.
 */
#include "abi/errno.h"
#include "vm/pagecache.h"
#include "vm/vm_priv.h"

enum { AROUND_BYTES = 16 * PAGE_SIZE };

static inline _Atomic uint64_t *rss_of(struct vmspace *vs, const struct vmobject *o)
{
	return vmobject_is_backed(o) ? &vs->rss_file : &vs->rss_shmem;
}

/* What a page of the object itself is mapped with. */
static inline pte_t object_bits(const struct vma *v)
{
	if ((v->flags & VMA_SHARED) && (v->prot & PROT_WRITE) && !vmobject_tracks_dirty(v->object))
		return vm_private_leaf(v, 0);
	return vm_object_leaf(v, 0);
}

static enum fault_result fault_frame(struct vm_fault *f, _Atomic pte_t *slot)
{
	struct vma *v = f->vma;
	unsigned flags = vm_pte_flags(v->prot) | PTE_SPECIAL, extra = 0;
	pte_t pte = atomic_load_explicit(slot, memory_order_acquire);
	paddr_t pa;

	if (pte)
		return vm_fault_present(f, slot, pte);
	if (v->object->ops->map_frame(v->object, vma_index(v, f->va), &pa, &extra))
		return FAULT_BUS;
	if ((v->flags & VMA_SHARED) && (v->prot & PROT_WRITE))
		flags |= PTE_WRITE | PTE_DIRTY;
	/* A private write comes back as copy-on-write. */
	(void)pte_install(slot, 0, pte_make(pa, flags | extra));
	return FAULT_DONE;
}

static enum fault_result fault_error(int err)
{
	return err == -ENOMEM ? FAULT_NOMEM : err == -EINTR ? FAULT_KILLED : FAULT_BUS;
}

/* The cached neighbours of a page that was just mapped through `slot`: those of its aligned 64 KiB.
 * They are not marked used: the CPU does that when they are. */
static void map_around(struct vm_fault *f, _Atomic pte_t *slot, pte_t bits)
{
	struct vma *v = f->vma;
	uint64_t base = ALIGN_DOWN(f->va, (uint64_t)AROUND_BYTES);
	uint64_t start = MAX(base, v->start), end = MIN(base + AROUND_BYTES, v->end);
	unsigned mapped = pagecache_map_range(v->object, vma_index(v, start),
					      (unsigned)((end - start) >> PAGE_SHIFT),
					      slot - ((f->va - start) >> PAGE_SHIFT), bits);

	if (mapped)
		vm_add_rss(rss_of(f->vs, v->object), mapped);
}

static enum fault_result map_page(struct vm_fault *f, _Atomic pte_t *slot, struct page *p)
{
	pte_t bits = object_bits(f->vma);

	if (!pte_install(slot, 0, page_paddr(p) | bits)) {
		page_put(p);
		return FAULT_DONE;
	}
	vm_add_rss(rss_of(f->vs, f->vma->object), 1);
	if (!(f->vma->flags & VMA_RAND_READ))
		map_around(f, slot, bits & ~vm_accessed_bit);
	return FAULT_DONE;
}

static enum fault_result private_copy(struct vm_fault *f, _Atomic pte_t *slot, struct page *p)
{
	struct page *new = page_alloc(0, PAGE_ANON, ALLOC_USER);

	if (!new) {
		page_put(p);
		return FAULT_NOMEM;
	}
	arch_page_copy(page_va(new), page_va(p));
	page_put(p);
	vma_mark_private(f->vma);
	if (pte_install(slot, 0, vm_private_leaf(f->vma, page_paddr(new))))
		vm_add_rss(&f->vs->rss_anon, 1);
	else
		page_put(new);
	return FAULT_DONE;
}

/* The leaf is empty or shows p read-only. */
static enum fault_result shared_write(struct vm_fault *f, _Atomic pte_t *slot, struct page *p)
{
	struct vmobject *o = f->vma->object;
	pte_t pte, new = vm_private_leaf(f->vma, page_paddr(p));
	int err = o->ops->page_mkwrite ? o->ops->page_mkwrite(o, p) : 0;

	if (err) {
		page_put(p);
		return fault_error(err);
	}
	pte = atomic_load_explicit(slot, memory_order_acquire);
	if (pte && pte_paddr(pte) != page_paddr(p)) {
		page_put(p);
		return FAULT_DONE;
	}
	if (!pte_install(slot, pte, new)) {
		page_put(p);
		return FAULT_DONE;
	}
	page_set_dirty(p);
	/* Our count became the new leaf's; a leaf that was there had its own. */
	if (pte)
		page_put(p);
	else
		vm_add_rss(rss_of(f->vs, o), 1);
	return FAULT_DONE;
}

/* o->lock is held for reading. */
static enum fault_result fault_cached(struct vm_fault *f, _Atomic pte_t *slot)
{
	struct vmobject *o = f->vma->object;
	uint64_t index = vma_index(f->vma, f->va);
	bool shared = f->vma->flags & VMA_SHARED;
	struct page *p;
	int err;

	if (o->ops->size && index >= page_round_up(o->ops->size(o)) >> PAGE_SHIFT)
		return FAULT_BUS;
	if (!(p = pagecache_find(o, index))) {
		f->major = o->ops->read_page;
		if ((err = pagecache_get_locked(o, index, &p)))
			return fault_error(err);
	}
	if (!f->write)
		return map_page(f, slot, p);
	return shared ? shared_write(f, slot, p) : private_copy(f, slot, p);
}

enum fault_result vm_fault_object(struct vm_fault *f)
{
	struct vmobject *o = f->vma->object;
	_Atomic pte_t *slot, *huge = NULL;
	enum fault_result res;
	pte_t pte;

	slot = arch_pt_slot_alloc(&f->vs->pt, f->va, &huge);
	if (UNLIKELY(!slot))
		return FAULT_NOMEM;
	if (o->ops->map_frame)
		return fault_frame(f, slot);
	pte = atomic_load_explicit(slot, memory_order_acquire);
	if (pte && (!f->write || !(f->vma->flags & VMA_SHARED) || pte_is_writable(pte)))
		return vm_fault_present(f, slot, pte);
	read_lock(&o->lock);
	res = fault_cached(f, slot);
	read_unlock(&o->lock);
	return res;
}
