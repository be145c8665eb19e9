// sources: kernel/arch/x86_64/bootmap.c
/* The loader's memory map against a model: one byte per page, raw ranges of any order and overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/bootmap.h"

static const struct boot_range pc[] = {
	{ 0x100000, 0x7fe0000, true },
	{ 0, 0x9fc00, true },
	{ 0x9fc00, 0xa0000, false },
	{ 0xf0000, 0x100000, false },
	{ 0x7fe0000, 0x8000000, false },
	{ 0x100000000, 0x180000000, true },
};

static void a_pc_is_sorted_and_in_pages(void **state)
{
	struct boot_info b = { 0 };

	(void)state;
	bootmap_build(&b, pc, ARRAY_SIZE(pc));
	assert_int_equal(b.nranges, 6);
	assert_int_equal(b.range[0].start, 0);
	assert_int_equal(b.range[0].end, 0x9f000);
	assert_true(b.range[0].usable);
	assert_int_equal(b.range[1].start, 0x9f000);
	assert_false(b.range[1].usable);
	assert_int_equal(b.range[5].end, 0x180000000);
}

static void reserving_splits(void **state)
{
	struct boot_info b = { 0 };

	(void)state;
	bootmap_build(&b, pc, ARRAY_SIZE(pc));
	bootmap_reserve(&b, 0, 0x1000);
	assert_int_equal(bootmap_find_page(&b, 0x1000, 0xa0000), 0x1000);
	bootmap_reserve(&b, 0x1000, 0x2000);
	assert_int_equal(bootmap_find_page(&b, 0x1000, 0xa0000), 0x2000);
	assert_int_equal(bootmap_find_page(&b, 0x9f000, 0xf0000), 0);
}

enum { PAGES = 64, ROUNDS = 20000 };

/* 2: reserved, 1: usable, 0: nothing, from the raw ranges, in bytes of 256 to have edges inside pages. */
static void model(const struct boot_range *raw, unsigned n, uint8_t *cell, unsigned ncells)
{
	memset(cell, 0, ncells);
	for (unsigned i = 0; i < n; i++)
		for (paddr_t c = raw[i].start / 256; c < raw[i].end / 256; c++)
			cell[c] = (uint8_t)MAX(cell[c], raw[i].usable ? 1 : 2);
}

static bool page_is_usable(const struct boot_info *b, paddr_t pa)
{
	for (unsigned i = 0; i < b->nranges; i++)
		if (b->range[i].usable && b->range[i].start <= pa && pa < b->range[i].end)
			return true;
	return false;
}

static void check_sorted(const struct boot_info *b)
{
	for (unsigned i = 0; i < b->nranges; i++) {
		assert_true(b->range[i].start < b->range[i].end);
		assert_true(IS_ALIGNED(b->range[i].start, PAGE_SIZE));
		if (i)
			assert_true(b->range[i - 1].end <= b->range[i].start);
	}
}

static void random_maps_agree_with_the_model(void **state)
{
	static uint8_t cell[PAGES * 16];

	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct boot_range raw[12];
		struct boot_info b = { 0 };
		unsigned n = (unsigned)rand() % 12;
		paddr_t hole = (paddr_t)(rand() % PAGES) * PAGE_SIZE;

		for (unsigned i = 0; i < n; i++) {
			unsigned s = (unsigned)rand() % (PAGES * 16 - 1);
			unsigned len = 1 + (unsigned)rand() % (PAGES * 16 - s - 1 ? PAGES * 16 - s - 1 : 1);

			raw[i] = (struct boot_range){ s * 256ul, (s + len) * 256ul, rand() & 1 };
		}
		model(raw, n, cell, sizeof(cell));
		bootmap_build(&b, raw, n);
		check_sorted(&b);
		bootmap_reserve(&b, hole, hole + PAGE_SIZE);
		check_sorted(&b);
		for (unsigned p = 0; p < PAGES; p++) {
			bool want = p * PAGE_SIZE != hole;

			for (unsigned c = 0; c < 16; c++)
				want &= cell[p * 16 + c] == 1;
			assert_int_equal(page_is_usable(&b, p * PAGE_SIZE), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pc_is_sorted_and_in_pages),
		cmocka_unit_test(reserving_splits),
		cmocka_unit_test(random_maps_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
