/* mmap(2) and munmap(2): placement, replacing, merging, limits, many mappings, bad arguments. */
#include "test.h"

#include <sys/resource.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { ANON = MAP_PRIVATE | MAP_ANONYMOUS };

/* Lines of /proc/self/maps; checks that they are sorted and do not overlap. */
static int count_maps(void)
{
	unsigned long start, end, last = 0;
	char *text = test_slurp("/proc/self/maps");
	int n = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
		CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
		CHECK(start < end && start >= last);
		CHECK((start | end) % 4096 == 0);
		last = end;
	}
	CHECK(n > 3);
	return n;
}

TEST(maps_no_overlap)
{
	char *p = mmap(NULL, 64 * 4096, PROT_READ, ANON, -1, 0);
	unsigned seed = 1;

	for (int i = 0; i < 300; i++) {
		char *at = p + rand_r(&seed) % 60 * 4096;
		size_t n = (size_t)(1 + rand_r(&seed) % 4) * 4096;

		switch (rand_r(&seed) % 4) {
		case 0:
			CHECK(mmap(at, n, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0) == at);
			memset(at, 1, n);
			break;
		case 1:
			CHECK_OK(munmap(at, n));
			break;
		case 2:
			(void)!mprotect(at, n, PROT_READ);
			break;
		default:
			(void)!madvise(at, n, MADV_DONTNEED);
		}
		if (i % 30 == 0)
			count_maps();
	}
	count_maps();
}

TEST(mmap_merges_equal_neighbours)
{
	char *p = mmap(NULL, 30 * 4096, PROT_NONE, ANON, -1, 0);
	int before = count_maps();

	for (int i = 0; i < 30; i++)
		CHECK(mmap(p + i * 4096, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + i * 4096);
	CHECK(count_maps() <= before + 1);
	CHECK_OK(mprotect(p + 4096 * 10, 4096, PROT_NONE));
	CHECK(count_maps() >= before + 2 - 1);
	CHECK_OK(mprotect(p + 4096 * 10, 4096, PROT_READ));
	CHECK(count_maps() <= before + 1);
}

TEST(mmap_fixed_partial)
{
	char *p = mmap(NULL, 6 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);

	memset(p, 1, 6 * 4096);
	CHECK(mmap(p + 2 * 4096, 2 * 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0) == p + 2 * 4096);
	CHECK_EQ(p[4096], 1);
	CHECK_EQ(p[2 * 4096], 0);
	CHECK_EQ(p[3 * 4096], 0);
	CHECK_EQ(p[4 * 4096], 1);
	CHECK_ERR((long)mmap(p + 4096, 4096, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_OK(munmap(p + 4096, 4096));
	CHECK(mmap(p + 4096, 4096, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 4096);
}

/* Over part of a range that may be mapped by 2 MiB pages. */
TEST(mmap_fixed_over_large)
{
	size_t size = 8 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, ANON, -1, 0), *mid = p + (4 << 20) + 7 * 4096;

	memset(p, 3, size);
	CHECK(mmap(mid, 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0) == mid);
	CHECK_EQ(mid[0], 0);
	CHECK_EQ(mid[-1], 3);
	CHECK_EQ(mid[4096], 3);
	mid[0] = 1;
	CHECK_OK(munmap(mid - 4096, 4096));
	CHECK_EQ(mid[0], 1);
	CHECK_EQ(mid[-4097], 3);
}

TEST(mmap_hints)
{
	char *p = mmap(NULL, 10 * 4096, PROT_READ, ANON, -1, 0);

	CHECK_OK(munmap(p + 4096, 8 * 4096));
	CHECK(mmap(p + 3 * 4096, 4096, PROT_READ, ANON, -1, 0) == p + 3 * 4096);
	CHECK(mmap(p + 3 * 4096, 4096, PROT_READ, ANON, -1, 0) != p + 3 * 4096);
#ifdef MAP_32BIT
	for (int i = 0; i < 4; i++)
		CHECK((uintptr_t)mmap(NULL, 4096, PROT_READ, ANON | MAP_32BIT, -1, 0) < 0x80000000ul);
#endif
}

TEST(mmap_bad_args)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), wo = open("f", O_WRONLY), ro = open("f", O_RDONLY);

	CHECK_OK(ftruncate(fd, 4096));
	CHECK_ERR((long)mmap(NULL, 0, PROT_READ, ANON, -1, 0), EINVAL);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR((long)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERR((long)mmap(NULL, -4096ul, PROT_READ, ANON, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap(NULL, -1ul, PROT_READ, ANON, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap(NULL, 1ul << 47, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap((void *)123, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR((long)mmap((void *)(1ul << 60), 4096, PROT_READ, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap((void *)-4096ul, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0x7ffffffffffff000), EOVERFLOW);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x1000000, fd, 0), EOPNOTSUPP);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(munmap((void *)1, 4096), EINVAL);
	CHECK_ERR(munmap((void *)4096, 0), EINVAL);
	CHECK_ERR(munmap((void *)(1ul << 60), 4096), EINVAL);
	CHECK_ERR(munmap((void *)4096, -4096ul), EINVAL);
	CHECK_OK(munmap((void *)0x10000, 4096));
}

TEST(mmap_rlimit_as)
{
	struct rlimit l = { 64 << 20, RLIM_INFINITY };

	CHECK_OK(setrlimit(RLIMIT_AS, &l));
	CHECK_ERR((long)mmap(NULL, 128 << 20, PROT_READ, ANON, -1, 0), ENOMEM);
	CHECK(mmap(NULL, 1 << 20, PROT_READ, ANON, -1, 0) != MAP_FAILED);
}

TEST(mmap_populate_is_resident)
{
	unsigned char vec[8];
	char *p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, ANON | MAP_POPULATE, -1, 0);
	char *q = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);

	CHECK_OK(mincore(p, 8 * 4096, vec));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, 1);
	q[3 * 4096] = 1;
	CHECK_OK(mincore(q, 8 * 4096, vec));
	CHECK_EQ(vec[3] & 1, 1);
	CHECK_EQ(vec[4] & 1, 0);
	CHECK_ERR(mincore(p + 1, 4096, vec), EINVAL);
	CHECK_OK(munmap(q + 4096, 4096));
	CHECK_ERR(mincore(q, 3 * 4096, vec), ENOMEM);
}

/* Alternating protections, so that nothing merges. Linux allows 65,530 unless told otherwise. */
TEST_TIMED(mmap_100k, 120)
{
	long want = 100000, made = 0;
	char *p = mmap(NULL, (size_t)want * 4096, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (; made < want; made += 2)
		if (mprotect(p + made * 4096, 4096, PROT_READ)) {
			CHECK_EQ(errno, ENOMEM);
			break;
		}
	CHECK(made >= 60000);
	for (long i = 0; i < made; i += 1000)
		CHECK_EQ(p[i * 4096], 0);
	CHECK_OK(munmap(p, (size_t)want * 4096));
}
