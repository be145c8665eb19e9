#pragma once

/* What the files of kernel/vm share. */

#include <arch/mmu.h>
#include <arch/page.h>

#include "abi/mman.h"
#include "pmm/page.h"
#include "vm/pt.h"
#include "vm/tlb.h"
#include "vm/vmobject.h"
#include "vm/vmplan.h"
#include "vm/vmspace.h"

struct slab_cache;

/* --- vmspace.c: edits of the tree, with references and accounts --- */

/* An edit of vs with `nodes` spare VMAs. 0, or -ENOMEM with nothing to undo. */
MUST_CHECK int vm_edit_begin_nodes(struct vma_edit *e, struct vmspace *vs, unsigned nodes);
extern const struct vma_edit_ops vm_edit_ops;
MUST_CHECK static inline int vm_edit_begin(struct vma_edit *e, struct vmspace *vs, unsigned nodes)
{
	vma_edit_init(e, &vs->vmas, &vm_edit_ops);
	return nodes ? vm_edit_begin_nodes(e, vs, nodes) : 0;
}
/* Under vs->lock for writing, once the tree has changed: dead VMAs leave their objects' lists. */
void vm_edit_retire_dead(struct vma_edit *e);
static inline void vm_edit_retire(struct vma_edit *e)
{
	if (e->dead)
		vm_edit_retire_dead(e);
}
/* Without vs->lock: frees spare and dead VMAs, dropping objects and files (which may sleep, and
 * take locks of any rank). */
void vm_edit_free(struct vma_edit *e);
static inline void vm_edit_end(struct vma_edit *e)
{
	if (e->spare || e->dead)
		vm_edit_free(e);
}

/* Adds (or with a negative count takes away) `pages` with the attributes of v to the space's
 * counts. */
void vm_account(struct vmspace *vs, const struct vma *v, int64_t pages);
/* Takes what lies in [start, end), from its first VMA v on, off the counts and the commit charge:
 * before an unmap. */
void vm_unaccount_range(struct vmspace *vs, struct vma *v, uint64_t start, uint64_t end);

static inline bool vma_is_data(const struct vma *v)
{
	return (v->prot & PROT_WRITE) && !(v->flags & (VMA_SHARED | VMA_GROWSDOWN));
}
static inline uint64_t vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}
static inline uint64_t vma_index(const struct vma *v, uint64_t addr)
{
	return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}
/* True when [addr, addr+len), page aligned, lies in user space. */
static inline bool vm_range_ok(uint64_t addr, uint64_t len)
{
	return len <= USER_END && addr <= USER_END - len;
}

/* Room under RLIMIT_AS and RLIMIT_DATA for `pages` more with v's attributes. */
MUST_CHECK bool vm_may_expand(const struct vmspace *vs, const struct vma *v, uint64_t pages);

/* Last reference dropped where teardown must not happen: a worker does it. */
void vmspace_put_later(struct vmspace *vs);

void vmspace_init(void);

/* --- commit.c: promised pages --- */
bool vm_wants_commit(uint32_t flags,
		     uint32_t prot); /* VMA flags: private writable memory that must be backed */

/* --- map.c --- */
/* Unmaps [start, end), whose first VMA is v or NULL, with the lock held for writing; `e` has the
 * nodes, 2 MiB leaves at the ends are split. */
void vm_unmap_locked(struct vma_edit *e, struct vmspace *vs, struct vma *v, uint64_t start,
		     uint64_t end);
/* As vm_unmap_locked(), but table pages stay: something new comes there at once. Returns the VMA
 * behind, or NULL. */
struct vma *vm_clear_locked(struct vma_edit *e, struct vmspace *vs, struct vma *v, uint64_t start,
			    uint64_t end);
/* Chooses an address as mmap(2) without MAP_FIXED; *next is the VMA behind it. 0 or -ENOMEM. */
MUST_CHECK int vm_choose_address(struct vmspace *vs, uint64_t hint, uint64_t len, uint32_t how,
				 bool anonymous, uint64_t *out, struct vma **next);

/* --- pagecache.c --- */
/*
 * Maps read-only, with the leaf's other bits in `bits`, those of the pages [index, index + n) that
 * are cached and valid, where slot[] is empty. They are not marked as used. Returns how many.
 */
unsigned pagecache_map_range(struct vmobject *o, uint64_t index, unsigned n, _Atomic pte_t *slot,
			     pte_t bits);

/* --- lazyfree.c --- */
/* MADV_FREE, MADV_COLD: the leaves of [start, end) in v. Lock held for reading. */
void vm_lazyfree(struct tlb_gather *g, struct vma *v, uint64_t start, uint64_t end);
void vm_make_cold(struct vmspace *vs, uint64_t start, uint64_t end);
/* Before a space goes: it has nothing to give any more. */
void vm_lazyfree_forget(struct vmspace *vs);
/* Reclaim: frees about `want` given-up pages of all spaces whose lock is free. Returns how many. */
uint64_t vm_lazyfree_reclaim(uint64_t want);
void lazyfree_init(void);

/* --- fault.c --- */
enum fault_result { FAULT_DONE, FAULT_MAPERR, FAULT_ACCERR, FAULT_BUS, FAULT_NOMEM, FAULT_KILLED };

struct vm_fault {
	struct vmspace *vs;
	struct vma *vma;
	uint64_t va; /* page aligned */
	bool write, exec;
	bool force; /* ptrace: protection does not count */
	bool major; /* out: the page had to be read */
};

/* One attempt at f, whose VMA is known; the lock is held for reading. DONE: the access may be tried
 * again. */
enum fault_result vm_fault_locked(struct vm_fault *f);
/* A leaf is there: spurious, copy-on-write, or permissions to add. */
enum fault_result vm_fault_present(struct vm_fault *f, _Atomic pte_t *slot, pte_t pte);
/* Finds the VMA (growing a stack) and tries. On DONE only vs->lock is still held for reading; else
 * it is not. */
enum fault_result vm_fault_find(struct vm_fault *f, uint64_t addr);
/*
 * After FAULT_NOMEM, without locks: perhaps it was a table page that was missing, and these do not
 * wait for reclaim. True: there is room again, after reclaim or the end of another process, and the
 * access may be tried once more.
 */
MUST_CHECK bool vm_make_room(void);
/* 2 MiB pages are wanted for v, by the system's setting, the process's and its own advice. */
static inline bool vm_may_huge(const struct vmspace *vs, const struct vma *v)
{
	return !vs->no_huge && !(v->flags & VMA_NOHUGE) &&
	       (vm_huge_mode == VM_HUGE_ALWAYS ||
		(vm_huge_mode == VM_HUGE_MADVISE && (v->flags & VMA_HUGE)));
}
/* fault_file.c: VMAs with an object. */
enum fault_result vm_fault_object(struct vm_fault *f);

extern paddr_t vm_zero_paddr; /* the shared zero page */
void fault_init(void);

/* --- rmap.c --- */
/* What is done to the part [start, end) of v; v->vs->lock is held for reading. */
typedef void rmap_fn(void *ctx, struct vma *v, uint64_t start, uint64_t end);
void rmap_walk(struct vmobject *o, uint64_t first, uint64_t last, bool nowait, rmap_fn *fn,
	       void *ctx);
/* Takes pages [first, last] of o out of all mappings; with_private: copies in private mappings too
 * (truncation). */
void rmap_unmap(struct vmobject *o, uint64_t first, uint64_t last, bool with_private);
/* Reclaim: only what was not used lately, in spaces whose lock is free, and not locked in memory.
 */
void rmap_unmap_unused(struct vmobject *o, uint64_t first, uint64_t last);
void rmap_write_protect(struct vmobject *o, uint64_t first, uint64_t last);

/* --- vmobject.c, pagecache.c, writeback.c, reclaim.c --- */
bool vmobject_tracks_dirty(const struct vmobject *o); /* shared writable leaves start read-only */
static inline bool vmobject_is_backed(const struct vmobject *o)
{
	return o->ops->write_page || o->ops->read_page;
}
void vmobject_init_caches(void);
void pagecache_init(void);
void writeback_init(void);

/* page->flags of cache pages */
static inline bool page_has(struct page *p, unsigned flag)
{
	return atomic_load_explicit(&p->flags, memory_order_acquire) & flag;
}
MUST_CHECK int page_lock_killable(struct page *p); /* 0 or -EINTR */
void page_unlock(struct page *p);
void page_wait_writeback(struct page *p);
void page_wake(struct page *p);
enum { TAG_DIRTY, TAG_WRITEBACK };
enum { LRU_SHMEM = 1 }; /* page->cache.lru: of a memory-only object */

/* Takes p, counted by the caller, out of its object. tree_lock held. The object's count on p passes
 * to the caller. */
void pagecache_detach_locked(struct vmobject *o, struct page *p);
void pagecache_count(struct vmobject *o, int64_t pages); /* npages and the global counts */
void pagecache_drop_all(struct vmobject *o);             /* no user is left */
/* Objects with backing, for write-back and reclaim: the next after `prev` (NULL: first), pinned;
 * prev is unpinned. */
struct vmobject *vmobject_next_backed(struct vmobject *prev);
void vmobject_unpin(struct vmobject *o);
void pagecache_cleaned(struct vmobject *o); /* a page of o has lost PG_DIRTY */
/* Puts p (kind PAGE_CACHE, counted by the caller) into the index with `flags`; the object counts it
 * too. 0, -EEXIST, -ENOMEM. */
MUST_CHECK int pagecache_insert(struct vmobject *o, uint64_t index, struct page *p, unsigned flags);

/* --- vdso.c --- */
void vdso_init(void);
