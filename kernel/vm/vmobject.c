/*
 * vmobjects: initialisation, end, and the list of those with backing, which write-back and reclaim
 * walk.
 *
 * The list holds no references, because an object whose count has reached zero is still on it until
 * vmobject_fini(). A walk pins the object it works on instead, and fini waits for the pins: it
 * first leaves the list, so no new pin can come. Memory-only objects (tmpfs, shared anonymous
 * memory) are on no list: their pages are never evicted, and creating and deleting such files
 * touches nothing global.
 *
 * Shared anonymous memory is a vmobject with a count and a size of its own.
 */
#include "vm/vmobject.h"

#include "abi/errno.h"
#include "core/epoch.h"
#include "core/ref.h"
#include "pmm/slab.h"
#include "vm/pagecache.h"
#include "vm/vm_priv.h"

static struct spinlock backed_lock = SPINLOCK(MAPPINGS);
static struct list backed = LIST_INIT(backed);

/* Radix nodes: readers may be in one that is taken out, so they are freed after an epoch. */
struct node_memory {
	struct epoch_head epoch;
	uint64_t node[]; /* struct radix_node */
};
static struct slab_cache *node_cache, *shm_cache;

static struct radix_node *alloc_node(void)
{
	struct node_memory *m = slab_zalloc(node_cache);

	return m ? (struct radix_node *)m->node : NULL;
}

static void free_node_memory(struct epoch_head *h)
{
	slab_free(node_cache, container_of(h, struct node_memory, epoch));
}

static void free_node(struct radix_node *n)
{
	struct node_memory *m = container_of((uint64_t(*)[])n, struct node_memory, node);

	epoch_free(&m->epoch, free_node_memory);
}

static const struct radix_ops node_ops = { alloc_node, free_node };

void vmobject_init(struct vmobject *o, const struct vmobject_ops *ops)
{
	o->ops = ops;
	radix_init(&o->pages, &node_ops);
	spin_init(&o->tree_lock, RANK_PAGECACHE);
	rwlock_init(&o->lock, RANK_VMOBJECT);
	spin_init(&o->mappings_lock, RANK_MAPPINGS);
	list_init(&o->mappings);
	list_init(&o->backed_node);
	atomic_init(&o->nwritable, 0);
	atomic_init(&o->npages, 0);
	atomic_init(&o->pins, 0);
	o->clock_hand = 0;
	if (!ops || !vmobject_is_backed(o))
		return;
	spin_lock(&backed_lock);
	list_add_tail(&backed, &o->backed_node);
	spin_unlock(&backed_lock);
}

static void leave_list(struct vmobject *o)
{
	if (!o->ops || !vmobject_is_backed(o))
		return;
	spin_lock(&backed_lock);
	list_remove(&o->backed_node);
	spin_unlock(&backed_lock);
	while (atomic_load_explicit(&o->pins, memory_order_acquire))
		thread_yield();
}

void vmobject_fini(struct vmobject *o)
{
	leave_list(o);
	KASSERT(list_is_empty(&o->mappings));
	if (atomic_load_explicit(&o->npages, memory_order_relaxed))
		pagecache_drop_all(o);
}

/* `prev` keeps its place in the list by being pinned; if it has left the list meanwhile, the walk
 * starts over or ends. */
struct vmobject *vmobject_next_backed(struct vmobject *prev)
{
	struct vmobject *o = NULL;
	struct list *next;

	spin_lock(&backed_lock);
	next = prev && list_is_linked(&prev->backed_node) ? prev->backed_node.next
	       : prev                                     ? &backed
							  : backed.next;
	if (next != &backed) {
		o = list_entry(next, struct vmobject, backed_node);
		atomic_fetch_add_explicit(&o->pins, 1, memory_order_relaxed);
	}
	spin_unlock(&backed_lock);
	if (prev)
		vmobject_unpin(prev);
	return o;
}

void vmobject_unpin(struct vmobject *o)
{
	atomic_fetch_sub_explicit(&o->pins, 1, memory_order_release);
}

bool vmobject_tracks_dirty(const struct vmobject *o)
{
	return o->ops->write_page || o->ops->page_mkwrite;
}

struct shm {
	struct vmobject object;
	struct ref ref;
	uint64_t pages; /* size, and what was charged for it */
};

static struct shm *shm_of(struct vmobject *o)
{
	return container_of(o, struct shm, object);
}

static uint64_t shm_size(struct vmobject *o)
{
	return shm_of(o)->pages << PAGE_SHIFT;
}

static void shm_get(struct vmobject *o)
{
	ref_get(&shm_of(o)->ref);
}

static void shm_put(struct vmobject *o)
{
	struct shm *s = shm_of(o);

	if (!ref_put(&s->ref))
		return;
	vmobject_fini(o);
	vm_uncommit(s->pages);
	slab_free(shm_cache, s);
}

static const struct vmobject_ops shm_ops = { .size = shm_size, .get = shm_get, .put = shm_put };

int vmobject_create_shm(uint64_t pages, struct vmobject **out)
{
	struct shm *s;
	int err = vm_commit(pages);

	if (err)
		return err;
	if (!(s = slab_alloc(shm_cache))) {
		vm_uncommit(pages);
		return -ENOMEM;
	}
	vmobject_init(&s->object, &shm_ops);
	ref_init(&s->ref);
	s->pages = pages;
	*out = &s->object;
	return 0;
}

void vmobject_init_caches(void)
{
	node_cache = slab_cache_create("radix_node", sizeof(struct node_memory) + radix_node_size(),
				       0, NULL);
	shm_cache = slab_cache_create("shm", sizeof(struct shm), 0, NULL);
}
