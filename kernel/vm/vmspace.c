/*
 * Life of an address space, and the bookkeeping every edit of its tree shares.
 *
 * References: each thread that runs in a space holds one, and so do borrowers that look in from
 * outside (/proc, ptrace, walks over an object's mappings). VMAs hold their object and file;
 * nothing below holds the space, so there is no cycle. The last reference takes everything down; no
 * CPU has the table loaded by then, because a thread gives its space back only after it has
 * switched to the kernel's own table.
 *
 * Edits: vm_edit_begin() allocates nodes (may fail), vma_edit_*() change the tree (cannot),
 * vm_edit_retire() takes dead VMAs out of their objects' lists while the lock is still held,
 * vm_edit_end() frees them after it has been released, because dropping a file may take locks of
 * any rank.
 */
#include "vm/vmspace.h"

#include "abi/core.h"
#include "abi/errno.h"
#include "core/percpu.h"
#include "pmm/slab.h"
#include "sched/thread.h"
#include "vm/vm_priv.h"

const struct vm_file_ops *vm_file_ops;
bool (*vm_may_lock)(void);
bool (*vm_may_map_low)(void);
uint64_t vm_max_map_count = 1 << 20;
uint64_t vm_mmap_min_addr = 65536;

static struct slab_cache *vmspace_cache, *vma_cache;

static void reap(struct work *w);

static void vma_born(struct vma *v)
{
	struct vmobject *o = v->object;

	if (v->file)
		vm_file_ops->get(v->file);
	if (!o)
		return;
	vmobject_get(o);
	if (UNLIKELY(v->flags & VMA_ATTACHED))
		o->ops->attached(o);
	if ((v->flags & VMA_SHARED) && (v->max_prot & PROT_WRITE))
		atomic_fetch_add_explicit(&o->nwritable, 1, memory_order_relaxed);
	spin_lock(&o->mappings_lock);
	list_add_tail(&o->mappings, &v->object_node);
	spin_unlock(&o->mappings_lock);
}

/* To the tail: a walk over the mappings that has passed v must see its new part (rmap.c). */
static void vma_grown(struct vma *v)
{
	struct vmobject *o = v->object;

	if (!o)
		return;
	spin_lock(&o->mappings_lock);
	list_remove(&v->object_node);
	list_add_tail(&o->mappings, &v->object_node);
	spin_unlock(&o->mappings_lock);
}

const struct vma_edit_ops vm_edit_ops = { .born = vma_born, .grown = vma_grown };

static void vma_retire(struct vma *v)
{
	struct vmobject *o = v->object;

	if (!o)
		return;
	spin_lock(&o->mappings_lock);
	list_remove(&v->object_node);
	spin_unlock(&o->mappings_lock);
}

static void vma_release(struct vma *v)
{
	struct vmobject *o = v->object;

	if (o) {
		if ((v->flags & VMA_SHARED) && (v->max_prot & PROT_WRITE))
			atomic_fetch_sub_explicit(&o->nwritable, 1, memory_order_relaxed);
		if (UNLIKELY(v->flags & VMA_ATTACHED))
			o->ops->detached(o);
		vmobject_put(o);
	}
	if (v->file)
		vm_file_ops->put(v->file);
	slab_free(vma_cache, v);
}

int vm_edit_begin_nodes(struct vma_edit *e, struct vmspace *vs, unsigned nodes)
{
	/* However a range comes to be cut, it counts; what needs no nodes goes on working. */
	if (UNLIKELY(vs->vmas.count + nodes > vm_max_map_count))
		return -ENOMEM;
	while (nodes-- > 0) {
		struct vma *v = slab_alloc(vma_cache);

		if (!v) {
			vm_edit_end(e);
			return -ENOMEM;
		}
		vma_edit_add_spare(e, v);
	}
	return 0;
}

void vm_edit_retire_dead(struct vma_edit *e)
{
	for (struct vma *v = e->dead; v; v = v->chain)
		vma_retire(v);
}

void vm_edit_free(struct vma_edit *e)
{
	struct vma *v, *next;

	for (v = e->spare; v; v = next) {
		next = v->chain;
		slab_free(vma_cache, v);
	}
	for (v = e->dead; v; v = next) {
		next = v->chain;
		vma_release(v);
	}
	e->spare = e->dead = NULL;
}

static inline void account(struct vmspace *vs, const struct vma *v, int64_t pages)
{
	vs->total_pages += (uint64_t)pages;
	if (v->flags & VMA_GROWSDOWN)
		vs->stack_pages += (uint64_t)pages;
	else if ((v->prot & (PROT_EXEC | PROT_WRITE)) == PROT_EXEC)
		vs->exec_pages += (uint64_t)pages;
	else if (vma_is_data(v))
		vs->data_pages += (uint64_t)pages;
	if (v->flags & VMA_SHARED)
		vs->shared_pages += (uint64_t)pages;
	if (v->flags & VMA_LOCKED)
		vs->locked_pages += (uint64_t)pages;
}

void vm_account(struct vmspace *vs, const struct vma *v, int64_t pages)
{
	account(vs, v, pages);
	vs->hiwater_total = MAX(vs->hiwater_total, vs->total_pages);
}

void vm_unaccount_range(struct vmspace *vs, struct vma *v, uint64_t start, uint64_t end)
{
	for (; v && v->start < end; v = vma_next(v)) {
		int64_t pages = (int64_t)((MIN(end, v->end) - MAX(start, v->start)) >> PAGE_SHIFT);

		account(vs, v, -pages);
		if (v->flags & VMA_ACCOUNTED)
			vm_uncommit((uint64_t)pages);
	}
}

/* pages + more <= limit (bytes), without overflow. */
static bool within(uint64_t pages, uint64_t more, uint64_t limit)
{
	return pages + more <= limit >> PAGE_SHIFT;
}

bool vm_may_expand(const struct vmspace *vs, const struct vma *v, uint64_t pages)
{
	if (!within(vs->total_pages, pages, vs->limits.as))
		return false;
	return !vma_is_data(v) || within(vs->data_pages, pages, vs->limits.data);
}

int vmspace_create(struct vmspace **out)
{
	static _Atomic uint64_t last_id;
	struct vmspace *vs = slab_zalloc(vmspace_cache);
	int err;

	if (!vs)
		return -ENOMEM;
	if ((err = arch_pt_init(&vs->pt))) {
		slab_free(vmspace_cache, vs);
		return err;
	}
	rwlock_init(&vs->lock, RANK_VMSPACE);
	vma_tree_init(&vs->vmas, USER_END);
	ref_init(&vs->users);
	vs->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	vs->mmap_base = USER_END;
	vs->spare_block = 1;
	vs->limits = (struct vm_limits){ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	vs->dumpable = 1;
	vs->dump_filter = CORE_FILTER_DEFAULT;
	vs->no_huge = curthread()->vmspace && curthread()->vmspace->no_huge;
	list_init(&vs->lazy_node);
	work_init(&vs->reaper, reap);
	*out = vs;
	return 0;
}

void vmspace_get(struct vmspace *vs)
{
	ref_get(&vs->users);
}

/* Nobody has vs any more. The VMAs are chained first: walking the tree would read freed parents. */
static void destroy(struct vmspace *vs)
{
	struct vma_edit e;

	vm_lazyfree_forget(vs);
	vma_edit_init(&e, &vs->vmas, &vm_edit_ops);
	for (struct vma *v = vma_last(&vs->vmas); v; v = vma_prev(v)) {
		if (v->flags & VMA_ACCOUNTED)
			vm_uncommit(vma_pages(v));
		vma_retire(v);
		v->chain = e.dead;
		e.dead = v;
	}
	vm_teardown(vs);
	vm_edit_end(&e);
	if (vs->exe)
		vm_file_ops->put_exe(vs->exe);
	arch_pt_fini(&vs->pt);
	slab_free(vmspace_cache, vs);
}

static void reap(struct work *w)
{
	destroy(container_of(w, struct vmspace, reaper));
}

void vmspace_put(struct vmspace *vs)
{
	if (vs && ref_put(&vs->users))
		destroy(vs);
}

void vmspace_put_later(struct vmspace *vs)
{
	if (ref_put(&vs->users))
		work_queue(&vs->reaper);
}

struct vmspace *vmspace_switch(struct vmspace *vs)
{
	struct thread *t = curthread();
	struct vmspace *old = t->vmspace;
	irqstate_t s = arch_irq_save();

	t->vmspace = vs;
	arch_pt_switch(vs ? &vs->pt : NULL);
	arch_irq_restore(s);
	return old;
}

uint64_t vmspace_rss(const struct vmspace *vs)
{
	return atomic_load_explicit(&vs->rss_anon, memory_order_relaxed) +
	       atomic_load_explicit(&vs->rss_file, memory_order_relaxed) +
	       atomic_load_explicit(&vs->rss_shmem, memory_order_relaxed);
}

/* Called before the resident set shrinks; races lose a few pages of a statistic. */
void vm_update_hiwater(struct vmspace *vs)
{
	uint64_t rss = vmspace_rss(vs);

	if (rss > vs->hiwater_rss)
		vs->hiwater_rss = rss;
}

uint64_t vmspace_hiwater_rss(struct vmspace *vs)
{
	return MAX(vs->hiwater_rss, vmspace_rss(vs));
}

void vmspace_init(void)
{
	vmspace_cache = slab_cache_create("vmspace", sizeof(struct vmspace), 0, NULL);
	vma_cache = slab_cache_create("vma", sizeof(struct vma), 0, NULL);
}
