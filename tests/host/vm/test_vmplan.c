// sources: kernel/vm/vma.c kernel/vm/vmplan.c kernel/lib/rbtree.c
/* Edits of the VMA tree against a model with one entry per page; the scene of blog 088 and its relatives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "vma_model.h"

enum { R = 1, W = 2, X = 4 };

static struct model m;

/* A static program: headers (R), text (RX), data (RW), heap behind it, a stack at the top. */
static void load_program(void)
{
	model_init(&m);
	model_map(&m, 16, 1, R, 0, 1, 0);
	model_map(&m, 17, 60, R | X, 0, 1, 1);
	model_map(&m, 80, 8, R | W, VMA_ACCOUNTED, 1, 64);
	model_map(&m, 1000, 24, R | W, VMA_GROWSDOWN | VMA_STACK, 0, 0);
	m.brk_start = m.brk = 90 * PAGE_SIZE + 0x123;
	model_check(&m);
}

static void check_image(void)
{
	model_check(&m);
	assert_int_equal(vma_find(&m.tree, 16 << 12)->prot, R);
	assert_int_equal(vma_find(&m.tree, 16 << 12)->end, 17 << 12);
	for (uint64_t i = 17; i < 77; i++)
		assert_int_equal(vma_find(&m.tree, i << 12)->prot, R | X);
	for (uint64_t i = 80; i < 88; i++)
		assert_int_equal(vma_find(&m.tree, i << 12)->prot, R | W);
	assert_int_equal(vma_find(&m.tree, 1010 << 12)->start, 1000 << 12);
}

static void blog_088_mmap_fixed_in_heap(void **state)
{
	uint64_t heap;

	(void)state;
	load_program();
	heap = model_brk(&m, 0);
	assert_int_equal(heap, 90 * PAGE_SIZE + 0x123);
	assert_int_equal(model_brk(&m, heap + 0x2000), heap + 0x2000);
	model_map(&m, 91, 1, 0, 0, 0, 0); /* the first heap page becomes a guard */
	check_image();
	assert_int_equal(model_brk(&m, heap + 0x3000), heap + 0x3000);
	check_image();
	assert_int_equal(m.page[91].prot, MAPPED);
	assert_int_equal(m.page[93].prot, MAPPED | R | W);
	/* Shrinking below takes whatever lies there, as Linux does. */
	assert_int_equal(model_brk(&m, heap), heap);
	check_image();
	assert_null(vma_find(&m.tree, 91 << 12));
	model_fini(&m);
}

static void heap_with_munmap_mprotect_mremap_inside(void **state)
{
	uint64_t heap;

	(void)state;
	load_program();
	heap = m.brk_start;
	assert_int_equal(model_brk(&m, heap + 16 * PAGE_SIZE), heap + 16 * PAGE_SIZE);
	model_unmap(&m, 92, 2);
	check_image();
	model_change(&m, 96, 2, R, 0);
	check_image();
	model_move(&m, 99, 3, 400);
	check_image();
	assert_int_equal(model_brk(&m, heap + 20 * PAGE_SIZE), heap + 20 * PAGE_SIZE);
	check_image();
	assert_int_equal(m.page[110].prot, MAPPED | R | W);
	assert_int_equal(m.page[401].prot, MAPPED | R | W);
	assert_null(vma_find(&m.tree, 92 << 12));
	assert_int_equal(model_brk(&m, heap), heap);
	check_image();
	assert_null(vma_find(&m.tree, 96 << 12));
	assert_non_null(vma_find(&m.tree, 401 << 12));
	model_fini(&m);
}

static void brk_refuses_occupied_room(void **state)
{
	uint64_t heap;

	(void)state;
	load_program();
	heap = m.brk_start;
	model_map(&m, 100, 1, R, 0, 2, 5);
	assert_int_equal(model_brk(&m, 98 * PAGE_SIZE), 98 * PAGE_SIZE);
	/* One page must stay free above. */
	assert_int_equal(model_brk(&m, 100 * PAGE_SIZE), 98 * PAGE_SIZE);
	assert_int_equal(model_brk(&m, 101 * PAGE_SIZE), 98 * PAGE_SIZE);
	assert_int_equal(model_brk(&m, heap - 1), 98 * PAGE_SIZE);
	assert_int_equal(model_brk(&m, UINT64_MAX), 98 * PAGE_SIZE);
	assert_int_equal(model_brk(&m, UINT64_MAX - PAGE_SIZE), 98 * PAGE_SIZE);
	check_image();
	model_unmap(&m, 100, 1);
	/* Nor may it come into the guard of the stack. */
	assert_int_equal(model_brk(&m, (1000 - 256) * PAGE_SIZE), 98 * PAGE_SIZE);
	assert_int_equal(model_brk(&m, (1000 - 258) * PAGE_SIZE), (1000 - 258) * PAGE_SIZE);
	check_image();
	model_fini(&m);
}

static void brk_starts_where_text_ends_but_never_joins_it(void **state)
{
	(void)state;
	load_program();
	m.brk_start = m.brk = 88 * PAGE_SIZE; /* directly behind .data, which maps a file */
	assert_int_equal(model_brk(&m, 90 * PAGE_SIZE), 90 * PAGE_SIZE);
	assert_int_equal(vma_find(&m.tree, 87 << 12)->end, 88 << 12);
	check_image();
	model_fini(&m);
}

static void file_offsets_survive_splits(void **state)
{
	(void)state;
	model_init(&m);
	model_map(&m, 100, 50, R, 0, 1, 1000);
	model_change(&m, 110, 5, R | W, 0);
	model_check(&m);
	assert_int_equal(m.tree.count, 3);
	assert_int_equal(vma_find(&m.tree, 115 << 12)->pgoff, 1015);
	model_unmap(&m, 120, 1);
	model_check(&m);
	assert_int_equal(vma_find(&m.tree, 121 << 12)->pgoff, 1021);
	model_map(&m, 120, 1, R, 0, 1,
		  1020); /* the hole is filled with what was there: one VMA again */
	model_change(&m, 110, 5, R, 0);
	model_check(&m);
	assert_int_equal(m.tree.count, 1);
	model_map(&m, 150, 5, R, 0, 1, 1049); /* the wrong offset: stays apart */
	model_check(&m);
	assert_int_equal(m.tree.count, 2);
	model_fini(&m);
}

static void room_is_found_as_a_page_by_page_search_finds_it(void **state)
{
	(void)state;
	load_program();
	for (uint64_t n = 1; n < 700; n += 3)
		for (uint64_t align = 1; align <= 64; align *= 8)
			for (int topdown = 0; topdown < 2; topdown++) {
				model_check_gap(&m, n, align, 0, MODEL_PAGES, topdown);
				model_check_gap(&m, n, align, 30, 900, topdown);
				model_check_gap(&m, n, align, 77, 80, topdown);
			}
	model_fini(&m);
}

static void stack_guard(void **state)
{
	struct vma *stack;

	(void)state;
	model_init(&m);
	model_map(&m, 1000, 24, R | W, VMA_GROWSDOWN, 0, 0);
	model_map(&m, 400, 10, R, 0, 0, 0);
	stack = vma_find(&m.tree, 1000 << 12);
	assert_true(vma_can_grow_down(stack, (410 + 256) << 12));
	assert_false(vma_can_grow_down(stack, (410 + 255) << 12));
	model_change(&m, 400, 10, 0, 0); /* PROT_NONE is a guard of its own */
	assert_true(vma_can_grow_down(stack, 410 << 12));
	assert_false(vma_can_grow_down(stack, 409 << 12));
	model_fini(&m);
}

static unsigned depth(const struct rbnode *n)
{
	unsigned l, r;

	if (!n)
		return 0;
	l = depth(n->left);
	r = depth(n->right);
	return 1 + (l > r ? l : r);
}

/* 100,000 VMAs with holes of one page: the tree stays shallow, and room behind them is found. */
static void many_vmas(void **state)
{
	enum { N = 100000 };
	struct vma_tree t;
	struct vma *v = calloc(N, sizeof(*v));
	uint64_t at;
	struct vma *next;

	(void)state;
	vma_tree_init(&t, 1ull << 47);
	for (unsigned i = 0; i < N; i++) {
		v[i].start = (2ull * i + 16) << 12;
		v[i].end = v[i].start + PAGE_SIZE;
		vma_insert(&t, &v[i]);
	}
	assert_true(vma_tree_is_valid(&t));
	assert_true(depth(t.rb.root) <= 36);
	assert_true(vma_find_gap(&t, 2 * PAGE_SIZE, PAGE_SIZE, 17 << 12, 1ull << 47, false, &at, &next));
	assert_int_equal(at, v[N - 1].end);
	assert_true(vma_find_gap(&t, PAGE_SIZE, PAGE_SIZE, 17 << 12, v[N - 1].start, true, &at, &next));
	assert_int_equal(at, v[N - 2].end);
	for (unsigned i = 0; i < N; i += 2)
		vma_remove(&t, &v[i]);
	assert_true(vma_tree_is_valid(&t));
	free(v);
}

static uint32_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static void random_edits(void **state)
{
	static const uint32_t flags[] = { 0,          0, VMA_ACCOUNTED, VMA_SHARED, VMA_GROWSDOWN,
					  VMA_SPECIAL };

	(void)state;
	model_init(&m);
	m.brk_start = m.brk = 300 * PAGE_SIZE;
	for (unsigned i = 0; i < 30000; i++) {
		uint64_t first = rnd(MODEL_PAGES), n = 1 + rnd(rnd(8) ? 12 : 200);

		n = MIN(n, MODEL_PAGES - first);
		switch (rnd(6)) {
		case 0:
		case 1:
			/* Special mappings are replaced as a whole only; here they simply never join. */
			model_map(&m, first, n, rnd(4), flags[rnd(5)], rnd(3), first + rnd(2));
			break;
		case 2:
			model_unmap(&m, first, n);
			break;
		case 3:
			model_change(&m, first, n, rnd(4), rnd(3) ? 0 : VMA_LOCKED);
			break;
		case 4:
			model_move(&m, first, n, rnd((uint32_t)(MODEL_PAGES - n + 1)));
			break;
		default:
			(void)model_brk(&m, (280 + rnd(100)) * PAGE_SIZE + rnd(2));
		}
		model_check(&m);
		model_check_gap(&m, 1 + rnd(60), 1u << rnd(5), rnd(MODEL_PAGES),
				rnd(MODEL_PAGES + 1), (int)rnd(2));
	}
	model_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blog_088_mmap_fixed_in_heap),
		cmocka_unit_test(heap_with_munmap_mprotect_mremap_inside),
		cmocka_unit_test(brk_refuses_occupied_room),
		cmocka_unit_test(brk_starts_where_text_ends_but_never_joins_it),
		cmocka_unit_test(file_offsets_survive_splits),
		cmocka_unit_test(room_is_found_as_a_page_by_page_search_finds_it),
		cmocka_unit_test(stack_guard),
		cmocka_unit_test(many_vmas),
		cmocka_unit_test(random_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
