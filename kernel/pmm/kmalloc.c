/*
 * kmalloc(): size classes of the slab allocator, four to the power of two at most; one page
 * exactly, and all above 8 KiB, straight from the page allocator, rounded to a power of two. What a
 * pointer is, its struct page says.
 */
#include "lib/checked.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/pmm_priv.h"
#include "pmm/slab.h"
#include "pmm/slab_priv.h"

enum { SMALL_MAX = 1024, SLAB_MAX = 8192 };

static const uint16_t class_size[] = { 16,  32,  48,  64,   96,   128,  192,  256,
				       384, 512, 768, 1024, 1536, 2048, 3072, 8192 };
static const char *const class_name[] = {
	"kmalloc-16",   "kmalloc-32",   "kmalloc-48",   "kmalloc-64",
	"kmalloc-96",   "kmalloc-128",  "kmalloc-192",  "kmalloc-256",
	"kmalloc-384",  "kmalloc-512",  "kmalloc-768",  "kmalloc-1024",
	"kmalloc-1536", "kmalloc-2048", "kmalloc-3072", "kmalloc-8192",
};
enum { NCLASSES = ARRAY_SIZE(class_size) };

static struct slab_cache *class_cache[NCLASSES];
static uint8_t small_class[SMALL_MAX / 16 + 1]; /* by size in units of 16, rounded up */

void kmalloc_init(void)
{
	for (unsigned i = 0; i < NCLASSES; i++) {
		uint16_t size = class_size[i];

		class_cache[i] =
			slab_cache_create(class_name[i], size, MIN(size & -size, 64), NULL);
	}
	for (unsigned u = 0, i = 0; u <= SMALL_MAX / 16; u++) {
		if (u * 16 > class_size[i])
			i++;
		small_class[u] = (uint8_t)i;
	}
}

static struct slab_cache *cache_for(size_t size)
{
	unsigned i = small_class[SMALL_MAX / 16];

	if (LIKELY(size <= SMALL_MAX))
		return class_cache[small_class[(size + 15) / 16]];
	while (class_size[i] < size)
		i++;
	return class_cache[i];
}

static bool wants_pages(size_t size)
{
	return size > 3072 && (size <= PAGE_SIZE || size > SLAB_MAX);
}

static void *alloc_pages(size_t size, unsigned flags)
{
	unsigned order = 0;
	struct page *p;

	while (PAGE_SIZE << order < size)
		if (++order > PAGE_MAX_ORDER)
			return NULL;
	p = page_alloc(order, PAGE_KERNEL, flags | ALLOC_ATOMIC);
	return p ? page_va(p) : NULL;
}

void *kmalloc(size_t size)
{
	return UNLIKELY(wants_pages(size)) ? alloc_pages(size, 0) : slab_alloc(cache_for(size));
}

void *kzalloc(size_t size)
{
	void *p;

	if (UNLIKELY(wants_pages(size)))
		return alloc_pages(size, ALLOC_ZERO);
	if ((p = slab_alloc(cache_for(size))))
		memset(p, 0, size);
	return p;
}

void *kcalloc(size_t n, size_t size)
{
	size_t total;

	return mul_overflows(n, size, &total) ? NULL : kzalloc(total);
}

size_t kmalloc_size(const void *p)
{
	const struct page *pg = va_page(p);

	if (pg->kind == PAGE_SLAB)
		return ((const struct slab_cache *)pg->slab.cache)->size;
	return PAGE_SIZE << pg->order;
}

void *krealloc(void *p, size_t size)
{
	void *n;

	if (!p)
		return kmalloc(size);
	if (size <= kmalloc_size(p))
		return p;
	if ((n = kmalloc(size))) {
		memcpy(n, p, kmalloc_size(p));
		kfree(p);
	}
	return n;
}

void kfree(void *p)
{
	struct page *pg;

	if (!p)
		return;
	pg = va_page(p);
	if (LIKELY(pg->kind == PAGE_SLAB)) {
		slab_free_from(pg->slab.cache, p, __builtin_return_address(0));
		return;
	}
	KASSERT(pg->kind == PAGE_KERNEL && IS_ALIGNED((uintptr_t)p, PAGE_SIZE));
	page_free(pg, pg->order);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *d = kmalloc(n);

	return d ? memcpy(d, s, n) : NULL;
}
