#pragma once

/*
 * Slab allocator: caches of equal objects, with a magazine of free objects per CPU in front (no
 * lock, no atomic) and slabs of one or more pages behind. kmalloc() picks among size classes. Debug
 * builds poison freed objects, keep a red zone behind each and report the caller that freed it.
 * Threads only; nothing here ever sleeps.
 */

#include "lib/types.h"

struct slab_cache;

/*
 * Makes a cache of objects of `size` bytes. Never destroyed.
 *   name     kept: a literal
 *   align    power of two, at most 4096; 0: 8, or 64 for objects of whole cache lines
 *   ctor     called once per object when its slab is made; free objects keep that state. May be
 *            NULL
 *   returns  the cache; panics at boot when there is no memory
 */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align,
				     void (*ctor)(void *));

MUST_CHECK void *slab_alloc(
	struct slab_cache *c); /* uninitialised (or constructed); NULL: no memory */
MUST_CHECK void *slab_zalloc(struct slab_cache *c); /* zeroed: for caches without ctor */
void slab_free(struct slab_cache *c, void *p);      /* p not NULL */

/* Any size up to 4 MiB; kfree(NULL) is nothing. Sizes over 8 KiB are whole pages. */
MUST_CHECK void *kmalloc(size_t size);
MUST_CHECK void *kzalloc(size_t size);
MUST_CHECK void *kcalloc(size_t n, size_t size); /* NULL also when the product overflows */
MUST_CHECK void *krealloc(void *p, size_t size); /* p is untouched on failure */
void kfree(void *p);
MUST_CHECK char *kstrdup(const char *s);
size_t kmalloc_size(const void *p); /* usable bytes */

#ifdef KEVLAR_DEBUG
/* Asked about every object that is freed, whose cache is called `what`: panics when it must not be.
 * NULL: nobody. */
extern void (*slab_free_check)(const void *obj, size_t size, const char *what);
#endif

void slab_init(void);                 /* after pmm_init() */
void slab_init_cpu(void);             /* by pmm_init_cpu() */
uint64_t slab_pages(void);            /* pages in slabs */
uint64_t slab_reclaim(uint64_t want); /* returns free slabs to the page allocator; pages freed */
struct textbuf;
void slab_format(struct textbuf *t); /* /proc/slabinfo */
