/* process_madvise(2), remap_file_pages(2), pkey_alloc(2) and calls that may not be there. */
#include "test.h"

#include <sys/uio.h>

enum { PAGE = 4096 };

static long process_madvise_(int pidfd, const struct iovec *v, size_t n, int advice, unsigned flags)
{
	return syscall(440, pidfd, v, n, advice, flags);
}

TEST(process_madvise_of_a_child)
{
	char *p = mmap(NULL, 8 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[2] = { { p, PAGE }, { p + 2 * PAGE, 2 * PAGE } };
	int go[2], fd;
	pid_t pid;
	char c;

	memset(p, 5, 8 * PAGE);
	CHECK_OK(pipe(go));
	if ((pid = fork()) == 0) {
		close(go[1]);
		_exit(read(go[0], &c, 1) == 0 && p[0] == 5 && p[3 * PAGE] == 5 ? 0 : 1);
	}
	close(go[0]);
	CHECK_OK(fd = (int)syscall(SYS_pidfd_open, pid, 0));
	CHECK_EQ(process_madvise_(fd, v, 2, MADV_COLD, 0), 3 * PAGE);
	CHECK_EQ(process_madvise_(fd, v, 2, MADV_PAGEOUT, 0), 3 * PAGE);
	CHECK_ERR(process_madvise_(fd, v, 2, MADV_DONTNEED, 0), EINVAL);
	CHECK_ERR(process_madvise_(fd, v, 2, MADV_COLD, 1), EINVAL);
	CHECK_ERR(process_madvise_(-1, v, 2, MADV_COLD, 0), EBADF);
	CHECK_ERR(process_madvise_(0, v, 2, MADV_COLD, 0), EBADF);
	CHECK_OK(munmap(p + 2 * PAGE, PAGE));
	close(go[1]);
	test_wait_exit(pid, 0);
	CHECK_ERR(process_madvise_(fd, v, 2, MADV_COLD, 0), ESRCH);
}

TEST(remap_file_pages_moves_the_window)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char *p, page[PAGE];

	for (int i = 0; i < 8; i++) {
		memset(page, 'a' + i, PAGE);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK_EQ(p[PAGE], 'b');
	CHECK_OK(remap_file_pages(p + PAGE, PAGE, 0, 6, 0));
	CHECK_EQ(p[0], 'a');
	CHECK_EQ(p[PAGE], 'g');
	CHECK_EQ(p[2 * PAGE], 'c');
	p[PAGE] = 'X';
	CHECK_EQ(pread(fd, page, 1, 6 * PAGE), 1);
	CHECK_EQ(page[0], 'X');
	CHECK_ERR(remap_file_pages(p, PAGE, PROT_READ, 1, 0), EINVAL);
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_ERR(remap_file_pages(p, PAGE, 0, 1, 0), EINVAL);
}

TEST(memory_keys_where_there_are_none)
{
	char *p = mmap(NULL, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_ERR(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_pkey_alloc, 0, 4), EINVAL);
	CHECK_ERR(syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ, 15), EINVAL);
	CHECK_OK(syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ, -1));
	CHECK_ERR(syscall(SYS_pkey_free, 15), EINVAL);
	if (strstr(test_slurp("/proc/cpuinfo"), " ospke"))
		test_skip("this kernel has memory keys");
	CHECK_ERR(syscall(SYS_pkey_alloc, 0, 0), ENOSPC);
}

TEST(huge_page_pools_are_empty)
{
	CHECK(mmap(NULL, 2 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
	CHECK_ERR(syscall(462 /* mseal */, 0, 0, 0), ENOSYS);
}
