/*
 * Self-test of the allocators, for debug builds: called by several threads at once
 * (sched/selftest.c). Every block is marked at both ends while it is held, so that two owners of
 * one byte notice; poison and red zones find the rest.
 */
#ifdef KEVLAR_DEBUG

#include "core/panic.h"
#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "pmm/slab.h"

enum { HELD = 128, STEPS = 6000, RANGES = 12 };

struct held {
	unsigned char *p;
	size_t size;
};

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void mark(struct held *h, uint64_t seed)
{
	h->p[0] = (unsigned char)(seed ^ h->size);
	h->p[h->size - 1] = h->p[0];
}

static void check(const struct held *h, uint64_t seed)
{
	unsigned char want = (unsigned char)(seed ^ h->size);

	if (h->p[0] != want || h->p[h->size - 1] != want)
		panic("selftest pmm: %p of %zu bytes has another owner", h->p, h->size);
}

static size_t pick_size(uint64_t r)
{
	if (r % 64 == 0)
		return 1 + (r >> 8) % 60000;
	return 1 + (r >> 8) % (r % 8 ? 600 : 9000);
}

static void take(struct held *h, uint64_t r, uint64_t seed)
{
	h->size = pick_size(r);
	h->p = r >> 40 & 1 ? kzalloc(h->size) : kmalloc(h->size);
	if (!h->p)
		return;
	KASSERT(kmalloc_size(h->p) >= h->size);
	if (r >> 40 & 1)
		KASSERT(h->p[0] == 0 && h->p[h->size / 2] == 0 && h->p[h->size - 1] == 0);
	mark(h, seed);
}

static void test_kmalloc(uint64_t seed, struct held *held)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ull + 1;

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t r = next(&x);
		struct held *h = &held[r >> 48 & (HELD - 1)];

		if (!h->p) {
			take(h, r, seed);
			continue;
		}
		check(h, seed);
		kfree(h->p);
		h->p = NULL;
	}
	for (unsigned i = 0; i < HELD; i++)
		kfree(held[i].p);
}

static void test_pages(uint64_t seed)
{
	uint64_t x = seed + 77;

	for (unsigned i = 0; i < 200; i++) {
		unsigned order = (unsigned)(next(&x) % 5);
		struct page *p = page_alloc(order, PAGE_ANON, i & 1 ? ALLOC_ZERO : 0);

		if (!p)
			continue;
		KASSERT(p->kind == PAGE_ANON && p->order == order && page_find(page_pfn(p)) == p);
		KASSERT((page_pfn(p) & ((1ul << order) - 1)) == 0);
		memset(page_va(p), (int)seed, PAGE_SIZE << order);
		if (i % 4 == 0) {
			page_split(p, order);
			for (unsigned k = 0; k < 1u << order; k++)
				page_put(&p[k]);
		} else {
			page_get(p);
			page_put(p);
			page_put(p);
		}
	}
}

static void test_kva(uint64_t seed)
{
	unsigned char *range[RANGES];

	for (unsigned i = 0; i < RANGES; i++) {
		range[i] = kva_alloc(1 + i % 5);
		if (range[i])
			memset(range[i], (int)(seed + i), (1 + i % 5) * PAGE_SIZE);
	}
	for (unsigned k = 0; k < RANGES; k++) {
		unsigned i = (unsigned)((k * 5 + seed) % RANGES);

		if (range[i])
			KASSERT(range[i][0] == (unsigned char)(seed + i));
		kva_free(range[i], 1 + i % 5);
	}
}

static void test_stacks(void)
{
	void *stack[24];

	for (unsigned i = 0; i < ARRAY_SIZE(stack); i++) {
		stack[i] = kstack_alloc();
		KASSERT(!stack[i] ||
			(kva_is_guard((kaddr_t)stack[i] - 1) && !kva_is_guard((kaddr_t)stack[i])));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(stack); i++)
		if (stack[i])
			kstack_free(stack[i]);
}

void pmm_selftest(uint64_t seed)
{
	struct held *held = kcalloc(HELD, sizeof(*held));

	if (!held)
		panic("selftest pmm: no memory");
	test_kmalloc(seed, held);
	kfree(held);
	test_pages(seed);
	test_kva(seed);
	test_stacks();
}

#endif
