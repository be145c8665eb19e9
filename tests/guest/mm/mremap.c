/* mremap(2): grow, shrink, move, fixed, and what it refuses. */
#include "test.h"

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		p[i * 4096] = (char)(i + 1);
	return p;
}

static void check(const char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(p[i * 4096], (char)(i + 1));
}

TEST(mremap_shrink_and_grow_in_place)
{
	char *p = map(8);

	CHECK(mremap(p, 8 * 4096, 4 * 4096, 0) == p);
	check(p, 4);
	CHECK_ERR(msync(p + 4 * 4096, 4096, MS_ASYNC), ENOMEM);
	CHECK(mremap(p, 4 * 4096, 6 * 4096, 0) == p);
	check(p, 4);
	CHECK_EQ(p[4 * 4096], 0);
}

TEST(mremap_moves_when_in_the_way)
{
	char *p = map(8), *q;

	CHECK_OK(munmap(p + 4 * 4096, 4 * 4096));
	CHECK(mmap(p + 4 * 4096, 4096, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p + 4 * 4096);
	CHECK_ERR((long)mremap(p, 4 * 4096, 8 * 4096, 0), ENOMEM);
	check(p, 4);
	q = mremap(p, 4 * 4096, 8 * 4096, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p);
	check(q, 4);
	CHECK_EQ(q[7 * 4096], 0);
	CHECK_ERR(msync(p, 4096, MS_ASYNC), ENOMEM);
}

TEST(mremap_part_to_fixed)
{
	char *p = map(8), *q = map(8);

	CHECK(mremap(p + 2 * 4096, 3 * 4096, 3 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, q + 4096) == q + 4096);
	CHECK_EQ(q[0], 1);
	CHECK_EQ(q[4096], 3);
	CHECK_EQ(q[3 * 4096], 5);
	CHECK_EQ(q[4 * 4096], 5);
	CHECK_EQ(p[4096], 2);
	CHECK_EQ(p[5 * 4096], 6);
	CHECK_ERR(msync(p + 2 * 4096, 4096, MS_ASYNC), ENOMEM);
}

TEST(mremap_large_unaligned)
{
	size_t size = 6 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *room = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q = room + 5 * 4096;

	for (size_t i = 0; i < size; i += 4096)
		*(size_t *)(p + i) = i;
	CHECK(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	for (size_t i = 0; i < size; i += 4096)
		CHECK_EQ(*(size_t *)(q + i), i);
	p = mremap(q, size, 2 * size, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < size; i += 4096)
		CHECK_EQ(*(size_t *)(p + i), i);
	p[2 * size - 1] = 1;
}

TEST(mremap_dontunmap)
{
	char *p = map(4), *q = mremap(p, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	CHECK(q != MAP_FAILED && q != p);
	check(q, 4);
	CHECK_EQ(p[0] + p[3 * 4096], 0);
	p[0] = 9;
	CHECK_EQ(q[0], 1);
}

TEST(mremap_shared_duplicate)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *q = mremap(p, 0, 4096, MREMAP_MAYMOVE);

	CHECK(q != MAP_FAILED && q != p);
	p[5] = 7;
	CHECK_EQ(q[5], 7);
}

TEST(mremap_bad_args)
{
	char *p = map(4);

	CHECK_ERR((long)mremap(p + 1, 4096, 4096, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR((long)mremap(p, 4096, 0, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR((long)mremap(p, 0, 4096, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR((long)mremap(p, 4096, 4096, 64), EINVAL);
	CHECK_ERR((long)mremap(p, 4096, 4096, MREMAP_FIXED, p + 4096), EINVAL);
	CHECK_ERR((long)mremap(p, 2 * 4096, 2 * 4096, MREMAP_FIXED | MREMAP_MAYMOVE, p + 4096), EINVAL);
	CHECK_ERR((long)mremap(p, 4096, 4096, MREMAP_FIXED | MREMAP_MAYMOVE, p + 1), EINVAL);
	CHECK_ERR((long)mremap(p, 4096, 8192, MREMAP_DONTUNMAP | MREMAP_MAYMOVE), EINVAL);
	CHECK_OK(munmap(p + 4096, 4096));
	CHECK_ERR((long)mremap(p, 3 * 4096, 4 * 4096, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERR((long)mremap(p + 4096, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
}
