#pragma once

/* Inside the slab allocator: the cache, the layout of objects, and the debug checks
 * (slab_debug.c). */

#include "core/spinlock.h"
#include "lib/types.h"

struct slab_cache {
	struct spinlock lock;          /* SLAB: the lists and counts */
	uint16_t id;                   /* immutable, as all down to ctor */
	uint16_t order, per_slab, max; /* max: objects that a CPU keeps */
	uint32_t size, stride;         /* bytes: as asked; from one object to the next */
	uint32_t link;                 /* of the free link in a free object */
	const char *name;
	void (*ctor)(void *);
	uint32_t partial, empty, nempty; /* lists of slabs by pfn */
	/* inuse: objects that are in no slab, the CPUs' free ones included */
	uint64_t nslabs, inuse;
};

void slab_free_from(struct slab_cache *c, void *p, const void *caller);
void kmalloc_init(void);

#ifdef KEVLAR_DEBUG

void slab_layout(struct slab_cache *c, uint32_t align);
void slab_debug_new(struct slab_cache *c, void *obj);
void slab_debug_alloc(struct slab_cache *c, void *obj, const void *caller);
void slab_debug_free(struct slab_cache *c, void *obj, const void *caller);

#else

static inline void slab_layout(struct slab_cache *c, uint32_t align)
{
	uint32_t bytes = MAX(c->size, 8u);

	c->link = 0;
	if (c->ctor) {
		c->link = ALIGN_UP(bytes, 8u);
		bytes = c->link + 8;
	}
	c->stride = ALIGN_UP(bytes, align);
}
static inline void slab_debug_new(struct slab_cache *c, void *obj)
{
	(void)c, (void)obj;
}
static inline void slab_debug_alloc(struct slab_cache *c, void *obj, const void *caller)
{
	(void)c, (void)obj, (void)caller;
}
static inline void slab_debug_free(struct slab_cache *c, void *obj, const void *caller)
{
	(void)c, (void)obj, (void)caller;
}

#endif
