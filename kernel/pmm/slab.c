/*
 * Slab allocator.
 *
 * Per CPU and cache there is a list of free objects, linked through the objects: what alloc and
 * free touch, without lock. When it is empty, half a magazine is taken from slabs under the cache's
 * lock; when it is too long, the same number goes back. A slab is a block of 2^order pages of equal
 * objects; its struct page holds its list of free objects. Slabs with free and used objects are on
 * `partial`, wholly free ones on `empty`; full ones on no list.
 *
 * An object: `size` bytes for the user; in debug builds then a red zone word and the caller that
 * freed it last. The free link overlays the first word, or follows the object where a constructor's
 * work must be kept.
 *   source       Bonwick & Adams, Magazines and Vmem (USENIX 2001), for the layering
 */
#include "pmm/slab.h"

#include "core/log.h"
#include "core/percpu.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/failure.h"
#include "pmm/page.h"
#include "pmm/pmm_priv.h"
#include "pmm/slab_priv.h"

enum { MAX_CACHES = 128, MAX_SLAB_ORDER = 3, KEEP_EMPTY = 4, NO_OBJECT = 0xffff };

struct slab_cpu {
	void *head; /* first free object; NULL: none */
	uint32_t n;
};
struct slab_cpu_set {
	struct slab_cpu c[MAX_CACHES];
};

static PERCPU(struct slab_cpu_set, slab_cpus);
static struct slab_cache caches[MAX_CACHES];
static unsigned ncaches;
static struct spinlock caches_lock = SPINLOCK(SLAB);
static _Atomic uint64_t pages_in_slabs;

static inline void **link_of(const struct slab_cache *c, void *obj)
{
	return (void **)((char *)obj + c->link);
}

/* The order whose waste is below an eighth, and that holds a few objects. */
static unsigned choose_order(uint32_t stride)
{
	unsigned order = 0;

	while (order < MAX_SLAB_ORDER) {
		size_t bytes = PAGE_SIZE << order;

		if (bytes / stride >= 4 && bytes % stride <= bytes / 8)
			break;
		order++;
	}
	return order;
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align,
				     void (*ctor)(void *))
{
	struct slab_cache *c;

	KASSERT(size > 0 && size <= 2 * PAGE_SIZE && (align & (align - 1)) == 0);
	if (align < 8)
		align = size % 64 == 0 ? 64 : 8;
	spin_lock(&caches_lock);
	if (ncaches == MAX_CACHES)
		panic("slab: too many caches at %s", name);
	c = &caches[ncaches];
	spin_init(&c->lock, RANK_SLAB);
	c->id = (uint16_t)ncaches;
	c->name = name;
	c->size = (uint32_t)size;
	c->ctor = ctor;
	slab_layout(c, (uint32_t)align);
	c->order = (uint16_t)choose_order(c->stride);
	c->per_slab = (uint16_t)((PAGE_SIZE << c->order) / c->stride);
	c->max = (uint16_t)MIN(MAX(32768 / c->stride, 4u), 64u);
	c->partial = c->empty = BUDDY_NONE;
	ncaches++;
	spin_unlock(&caches_lock);
	return c;
}

static void list_push(uint32_t *head, struct page *s)
{
	s->slab.prev = BUDDY_NONE;
	s->slab.next = *head;
	if (*head != BUDDY_NONE)
		page_array[*head].slab.prev = (uint32_t)page_pfn(s);
	*head = (uint32_t)page_pfn(s);
}

static void list_unlink(uint32_t *head, struct page *s)
{
	if (s->slab.next != BUDDY_NONE)
		page_array[s->slab.next].slab.prev = s->slab.prev;
	if (s->slab.prev != BUDDY_NONE)
		page_array[s->slab.prev].slab.next = s->slab.next;
	else
		*head = s->slab.next;
}

/* Takes the first free object of slab s, which has one. */
static void *slab_pop(struct slab_cache *c, struct page *s)
{
	char *base = page_va(s);
	void *obj = base + s->slab.freelist * 8u, *next = *link_of(c, obj);

	s->slab.freelist = (uint16_t)(next ? ((char *)next - base) / 8 : NO_OBJECT);
	s->slab.inuse++;
	return obj;
}

static void slab_push(struct slab_cache *c, struct page *s, void *obj)
{
	char *base = page_va(s);

	*link_of(c, obj) = s->slab.freelist == NO_OBJECT ? NULL : base + s->slab.freelist * 8u;
	s->slab.freelist = (uint16_t)(((char *)obj - base) / 8);
	s->slab.inuse--;
}

/* A new slab, all free, on no list. */
static struct page *slab_create(struct slab_cache *c)
{
	struct page *s = page_alloc(c->order, PAGE_SLAB, ALLOC_ATOMIC);
	char *base;

	if (!s)
		return NULL;
	for (unsigned k = 0; k < 1u << c->order; k++) {
		s[k].kind = PAGE_SLAB;
		s[k].order = (uint8_t)c->order;
		s[k].slab.cache = c;
	}
	base = page_va(s);
	s->slab.freelist = NO_OBJECT;
	s->slab.inuse = c->per_slab;
	for (unsigned i = c->per_slab; i-- > 0;) {
		void *obj = base + i * c->stride;

		if (c->ctor)
			c->ctor(obj);
		slab_debug_new(c, obj);
		slab_push(c, s, obj);
	}
	atomic_fetch_add_explicit(&pages_in_slabs, 1ul << c->order, memory_order_relaxed);
	return s;
}

static void slab_destroy(struct slab_cache *c, struct page *s)
{
	/* All but the first, whose kind page_free() sees to. */
	for (unsigned k = 1; k < 1u << c->order; k++)
		s[k].kind = PAGE_RESERVED;
	atomic_fetch_sub_explicit(&pages_in_slabs, 1ul << c->order, memory_order_relaxed);
	page_free(s, c->order);
}

/* Moves up to `want` objects of the cache's slabs to this CPU's list. */
static void refill_locked(struct slab_cache *c, struct slab_cpu *m, unsigned want)
{
	while (want > 0) {
		uint32_t *from = c->partial != BUDDY_NONE ? &c->partial : &c->empty;
		struct page *s;

		if (*from == BUDDY_NONE)
			return;
		s = &page_array[*from];
		list_unlink(from, s);
		if (from == &c->empty)
			c->nempty--;
		for (; want > 0 && s->slab.freelist != NO_OBJECT; want--, m->n++, c->inuse++) {
			void *obj = slab_pop(c, s);

			*link_of(c, obj) = m->head;
			m->head = obj;
		}
		if (s->slab.freelist != NO_OBJECT)
			list_push(&c->partial, s);
	}
}

static NOINLINE void *refill(struct slab_cache *c, struct slab_cpu *m)
{
	unsigned want = MAX(c->max / 2u, 1u);
	struct page *s;
	void *obj;

	spin_lock(&c->lock);
	refill_locked(c, m, want);
	spin_unlock(&c->lock);
	if (!m->head) {
		if (!(s = slab_create(c)))
			return NULL;
		spin_lock(&c->lock);
		c->nslabs++;
		list_push(&c->partial, s);
		refill_locked(c, m, want);
		spin_unlock(&c->lock);
	}
	obj = m->head;
	m->head = *link_of(c, obj);
	m->n--;
	return obj;
}

/* Gives one object back to its slab; returns the slab when it should be freed. */
static struct page *give_back_locked(struct slab_cache *c, void *obj)
{
	pfn_t within = (1ul << c->order) - 1;
	struct page *s = &page_array[page_pfn(va_page(obj)) & ~within];

	if (s->slab.freelist == NO_OBJECT)
		list_push(&c->partial, s);
	slab_push(c, s, obj);
	c->inuse--;
	if (s->slab.inuse > 0)
		return NULL;
	list_unlink(&c->partial, s);
	if (c->nempty < KEEP_EMPTY) {
		list_push(&c->empty, s);
		c->nempty++;
		return NULL;
	}
	c->nslabs--;
	return s;
}

static NOINLINE void flush(struct slab_cache *c, struct slab_cpu *m, unsigned n)
{
	struct page *dead[8];
	unsigned ndead = 0;

	while (n > 0 && m->head) {
		spin_lock(&c->lock);
		for (; n > 0 && m->head && ndead < ARRAY_SIZE(dead); n--) {
			void *obj = m->head;

			m->head = *link_of(c, obj);
			m->n--;
			if ((dead[ndead] = give_back_locked(c, obj)))
				ndead++;
		}
		spin_unlock(&c->lock);
		while (ndead > 0)
			slab_destroy(c, dead[--ndead]);
	}
}

static inline __attribute__((always_inline)) void *alloc(struct slab_cache *c, const void *caller)
{
	struct slab_cpu *m = &this_cpu(slab_cpus).c[c->id];
	void *obj = m->head;

	if (alloc_fails())
		return NULL;
	if (LIKELY(obj)) {
		m->head = *link_of(c, obj);
		m->n--;
	} else if (!(obj = refill(c, m))) {
		return NULL;
	}
	slab_debug_alloc(c, obj, caller);
	return obj;
}

void *slab_alloc(struct slab_cache *c)
{
	return alloc(c, __builtin_return_address(0));
}

void *slab_zalloc(struct slab_cache *c)
{
	void *obj = alloc(c, __builtin_return_address(0));

	KASSERT_DEBUG(!c->ctor);
	if (obj)
		memset(obj, 0, c->size);
	return obj;
}

void slab_free_from(struct slab_cache *c, void *p, const void *caller)
{
	struct slab_cpu *m = &this_cpu(slab_cpus).c[c->id];

	slab_debug_free(c, p, caller);
	*link_of(c, p) = m->head;
	m->head = p;
	if (UNLIKELY(++m->n > c->max))
		flush(c, m, c->max / 2);
}

void slab_free(struct slab_cache *c, void *p)
{
	KASSERT_DEBUG(p && va_page(p)->kind == PAGE_SLAB && va_page(p)->slab.cache == c);
	slab_free_from(c, p, __builtin_return_address(0));
}

uint64_t slab_reclaim(uint64_t want)
{
	uint64_t got = 0;

	for (unsigned i = 0; i < ncaches && got < want; i++) {
		struct slab_cache *c = &caches[i];
		struct slab_cpu *m = &this_cpu(slab_cpus).c[i];
		struct page *s;

		flush(c, m, m->n);
		do {
			spin_lock(&c->lock);
			s = c->empty == BUDDY_NONE ? NULL : &page_array[c->empty];
			if (s) {
				list_unlink(&c->empty, s);
				c->nempty--;
				c->nslabs--;
			}
			spin_unlock(&c->lock);
			if (s) {
				got += 1ul << c->order;
				slab_destroy(c, s);
			}
		} while (s);
	}
	return got;
}

uint64_t slab_pages(void)
{
	return atomic_load_explicit(&pages_in_slabs, memory_order_relaxed);
}

/* Objects that somebody has: those out of the slabs, less the free ones that CPUs keep. */
static uint64_t in_use(const struct slab_cache *c)
{
	uint64_t n = c->inuse, kept = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		kept += of_cpu(slab_cpus, cpu).c[c->id].n;
	return n - MIN(n, kept);
}

void slab_format(struct textbuf *t)
{
	text_f(t, "slabinfo - version: 2.1\n"
		  "# name            <active_objs> <num_objs> <objsize> <objperslab> "
		  "<pagesperslab> : tunables "
		  "<limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
		  "<sharedavail>\n");
	for (unsigned i = 0; i < ncaches; i++) {
		struct slab_cache *c = &caches[i];

		text_f(t,
		       "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata %6lu %6lu "
		       "%6u\n",
		       c->name, in_use(c), c->nslabs * c->per_slab, c->stride, c->per_slab,
		       1u << c->order, c->max, c->max / 2u, 0u, c->nslabs - c->nempty, c->nslabs,
		       0u);
	}
}

void slab_init_cpu(void)
{
	memset(&this_cpu(slab_cpus), 0, sizeof(struct slab_cpu_set));
}

void slab_init(void)
{
	kmalloc_init();
}
