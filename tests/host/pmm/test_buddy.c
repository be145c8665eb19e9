// sources: kernel/pmm/buddy.c
/* The buddy allocator against a byte per page: no overlap, nothing lost, everything coalesces back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pmm/buddy.h"

enum { TOPS = 8, PAGES = TOPS * BUDDY_TOP_PAGES, MAX_HELD = 4096 };

static struct page *pages;
static uint8_t *owner; /* 1: handed out */
static uint64_t ready[1];

static int setup(void **state)
{
	(void)state;
	pages = malloc(PAGES * sizeof(*pages));
	owner = calloc(PAGES, 1);
	/* Raw struct pages hold anything, the most misleading thing included. */
	for (unsigned i = 0; i < PAGES; i++) {
		memset(&pages[i], 0xff, sizeof(pages[i]));
		pages[i].kind = PAGE_FREE;
		pages[i].order = (uint8_t)(i % BUDDY_ORDERS);
	}
	ready[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(pages);
	free(owner);
	return 0;
}

static uint32_t take(struct buddy *b, unsigned order)
{
	uint32_t i = buddy_alloc(b, order);

	if (i == BUDDY_NONE)
		return i;
	assert_int_equal(i & ((1u << order) - 1), 0);
	assert_true(i + (1u << order) <= PAGES);
	for (uint32_t k = i; k < i + (1u << order); k++) {
		assert_int_equal(owner[k], 0);
		assert_int_equal(pages[k].kind, PAGE_RESERVED);
		owner[k] = 1;
	}
	return i;
}

static void give(struct buddy *b, uint32_t i, unsigned order)
{
	memset(owner + i, 0, 1u << order);
	buddy_free(b, i, order);
}

/* Every free page is in exactly one block of a list, and no two buddies are both free. */
static void check(const struct buddy *b)
{
	uint64_t n = 0;

	for (unsigned o = 0; o < BUDDY_ORDERS; o++) {
		uint32_t prev = BUDDY_NONE, count = 0;

		assert_int_equal(b->avail >> o & 1, b->head[o] != BUDDY_NONE);
		for (uint32_t i = b->head[o]; i != BUDDY_NONE; i = pages[i].free.next) {
			assert_int_equal(pages[i].free.prev, prev);
			assert_int_equal(pages[i].kind, PAGE_FREE);
			assert_int_equal(pages[i].order, o);
			if (o < BUDDY_TOP) {
				struct page *other = &pages[i ^ (1u << o)];

				assert_false(other->kind == PAGE_FREE && other->order == o);
			}
			for (uint32_t k = i; k < i + (1u << o); k++)
				assert_int_equal(owner[k], 0);
			prev = i;
			count++;
		}
		assert_int_equal(count, b->nblocks[o]);
		n += (uint64_t)count << o;
	}
	for (uint32_t i = b->raw; i != BUDDY_NONE; i = pages[i].free.next)
		n += BUDDY_TOP_PAGES;
	assert_int_equal(n, b->nfree);
}

static void test_raw_blocks(void **state)
{
	struct buddy b;

	(void)state;
	buddy_init(&b, pages, ready);
	for (unsigned i = 0; i < TOPS; i++)
		buddy_add_raw(&b, i * BUDDY_TOP_PAGES);
	assert_int_equal(b.nfree, PAGES);
	assert_int_equal(ready[0], 0);
	/* One page initialises one block and leaves the others alone. */
	uint32_t i = take(&b, 0);

	assert_int_not_equal(i, BUDDY_NONE);
	assert_int_equal(__builtin_popcountll(ready[0]), 1);
	assert_true(ready[0] >> (i >> BUDDY_TOP) & 1);
	check(&b);
	give(&b, i, 0);
	check(&b);
	assert_int_equal(b.nblocks[BUDDY_TOP], 1);
	assert_int_equal(b.nfree, PAGES);
}

static void test_ranges_coalesce(void **state)
{
	struct buddy b;

	(void)state;
	memset(pages, 0, PAGES * sizeof(*pages));
	buddy_init(&b, pages, NULL);
	/* Holes: [0,1) and [1500,1507) stay reserved. */
	buddy_add(&b, 1, 1500);
	buddy_add(&b, 1507, 3000);
	check(&b);
	assert_int_equal(b.nfree, 1499 + 1493);
	while (take(&b, 0) != BUDDY_NONE)
		;
	assert_int_equal(b.nfree, 0);
	assert_int_equal(b.avail, 0);
	assert_int_equal(owner[0] + owner[1500] + owner[1506] + owner[3000], 0);
	for (uint32_t i = 0; i < 3000; i++)
		if (owner[i])
			give(&b, i, 0);
	check(&b);
	assert_int_equal(b.nfree, 1499 + 1493);
	/* The holes filled, whole blocks come back together. */
	buddy_add(&b, 0, 1);
	buddy_add(&b, 1500, 1507);
	buddy_add(&b, 3000, 3072);
	check(&b);
	assert_int_equal(b.nblocks[BUDDY_TOP], 3);
}

static void test_parked_page_is_not_merged(void **state)
{
	struct buddy b;

	(void)state;
	memset(pages, 0, PAGES * sizeof(*pages));
	buddy_init(&b, pages, NULL);
	buddy_add(&b, 0, 2);
	uint32_t x = take(&b, 0), y = take(&b, 0);

	/* y sits in a cache: kind RESERVED, but struct page may say order 0 and hold links. */
	pages[y].order = 0;
	pages[y].free.next = x;
	give(&b, x, 0);
	check(&b);
	assert_int_equal(b.nblocks[0], 1);
	give(&b, y, 0);
	check(&b);
	assert_int_equal(b.nblocks[1], 1);
}

static void test_random(void **state)
{
	static struct {
		uint32_t i;
		unsigned order;
	} held[MAX_HELD];
	unsigned n = 0;
	struct buddy b;

	(void)state;
	srand(1);
	buddy_init(&b, pages, ready);
	for (unsigned i = 0; i < TOPS; i++)
		buddy_add_raw(&b, i * BUDDY_TOP_PAGES);
	for (unsigned step = 0; step < 60000; step++) {
		bool alloc = rand() % 100 < (step / 5000 % 2 ? 40 : 60);

		if (alloc && n < MAX_HELD) {
			unsigned order =
				rand() % 8 ? (unsigned)rand() % 4 : (unsigned)rand() % BUDDY_ORDERS;
			uint32_t i = take(&b, order);

			if (i != BUDDY_NONE) {
				held[n].i = i;
				held[n++].order = order;
			}
		} else if (n > 0) {
			unsigned k = (unsigned)rand() % n;

			give(&b, held[k].i, held[k].order);
			held[k] = held[--n];
		}
		if (step % 2000 == 0)
			check(&b);
	}
	while (n > 0) {
		n--;
		give(&b, held[n].i, held[n].order);
	}
	check(&b);
	assert_int_equal(b.nfree, PAGES);
	for (unsigned o = 0; o < BUDDY_TOP; o++)
		assert_int_equal(b.nblocks[o], 0);
	assert_int_equal(buddy_alloc(&b, BUDDY_ORDERS), BUDDY_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raw_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges_coalesce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parked_page_is_not_merged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
