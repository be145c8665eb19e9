/* The program break, and what other calls do inside the heap (blog 088). */
#include "test.h"

static char *raw_brk(void *p)
{
	return (char *)syscall(SYS_brk, p);
}

static char *page_up(char *p)
{
	return (char *)(((uintptr_t)p + 4095) & ~4095ul);
}

/* The program's own text, rodata and data still work, and the heap is writable. */
static int constant(int x)
{
	return x * 3 + 1;
}
static int data = 7;
static const char text_string[] = "still here";

static void check_image(void)
{
	int (*volatile f)(int) = constant;

	CHECK_EQ(f(5), 16);
	data++;
	CHECK_STR(text_string, "still here");
}

TEST(brk_query_grow_shrink)
{
	char *start = raw_brk(0), *p;

	CHECK(start == raw_brk(0));
	CHECK(raw_brk(start + 10000) == start + 10000);
	p = page_up(start);
	p[0] = 1;
	p[4096] = 2;
	CHECK(raw_brk(start) == start);
	CHECK(raw_brk(start + 10000) == start + 10000);
	/* What was given back comes back as zeroes. */
	CHECK_EQ(p[4096], 0);
	/* Below the start and absurd values are refused with the old break. */
	CHECK(raw_brk((void *)4096) == start + 10000);
	CHECK(raw_brk((void *)-4096l) == start + 10000);
	CHECK(raw_brk((void *)(1l << 50)) == start + 10000);
}

TEST(brk_mixed)
{
	char *heap = raw_brk(0), *first = page_up(heap);

	CHECK(raw_brk(heap + 0x2000) == heap + 0x2000);
	CHECK(mmap(first, 4096, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == first);
	check_image();
	CHECK(raw_brk(heap + 0x4000) == heap + 0x4000);
	check_image();
	first[4096] = 1;
	first[0x2000] = 2;
	CHECK_OK(mprotect(first, 4096, PROT_READ | PROT_WRITE));
	first[0] = 3;
	CHECK_EQ(first[4096], 1);
	CHECK(raw_brk(heap) == heap);
	check_image();
}

TEST(brk_munmap_inside)
{
	char *heap = raw_brk(0), *p = page_up(heap);

	CHECK(raw_brk(p + 0x8000) == p + 0x8000);
	memset(p, 5, 0x8000);
	CHECK_OK(munmap(p + 0x2000, 0x2000));
	CHECK(raw_brk(p + 0xa000) == p + 0xa000);
	CHECK_EQ(p[0x1fff], 5);
	CHECK_EQ(p[0x4000], 5);
	CHECK_EQ(p[0x9fff], 0);
	check_image();
	CHECK(raw_brk(p) == p);
	CHECK_ERR(msync(p, 0x8000, MS_ASYNC), ENOMEM);
}

TEST(brk_mprotect_and_mremap_inside)
{
	char *heap = raw_brk(0), *p = page_up(heap), *q;

	CHECK(raw_brk(p + 0x8000) == p + 0x8000);
	memset(p, 6, 0x8000);
	CHECK_OK(mprotect(p + 0x1000, 0x1000, PROT_READ));
	q = mmap(NULL, 0x3000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mremap(p + 0x4000, 0x3000, 0x3000, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	CHECK_EQ(q[0x2fff], 6);
	CHECK(raw_brk(p + 0x9000) == p + 0x9000);
	p[0x8000] = 1;
	CHECK_EQ(p[0x1000], 6);
	check_image();
	CHECK(raw_brk(p) == p);
	CHECK_EQ(q[0], 6);
	check_image();
}

TEST(brk_refuses_to_meet_a_mapping)
{
	char *heap = raw_brk(0), *p = page_up(heap);

	CHECK(raw_brk(p + 0x1000) == p + 0x1000);
	CHECK(mmap(p + 0x4000, 4096, PROT_READ, MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      p + 0x4000);
	CHECK(raw_brk(p + 0x3000) == p + 0x3000);
	CHECK(raw_brk(p + 0x4000) == p + 0x3000);
	CHECK(raw_brk(p + 0x6000) == p + 0x3000);
}
