/* madvise(2), msync(2), mlock(2), membarrier(2). */
#include "test.h"

#include <sys/resource.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 1, pages * 4096);
	return p;
}

TEST(madvise_dontneed)
{
	char *p = map(8);
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	CHECK_OK(madvise(p + 4096, 3 * 4096, MADV_DONTNEED));
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[4096] + p[2 * 4096] + p[3 * 4096], 0);
	CHECK_EQ(p[4 * 4096], 1);
	/* Private pages of a file go back to what the file says. */
	CHECK_EQ(pwrite(fd, "file", 4, 0), 4);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	p[0] = 'X';
	CHECK_OK(madvise(p, 4096, MADV_DONTNEED));
	CHECK_EQ(p[0], 'f');
	/* Shared memory keeps its contents. */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p[0] = 5;
	CHECK_OK(madvise(p, 4096, MADV_DONTNEED));
	CHECK_EQ(p[0], 5);
	CHECK_OK(madvise(p, 4096, MADV_REMOVE));
	CHECK_EQ(p[0], 0);
}

TEST(madvise_free_then_write)
{
	char *p = map(4);

	CHECK_OK(madvise(p, 4 * 4096, MADV_FREE));
	p[4096] = 7;
	CHECK_EQ(p[4096], 7);
	CHECK(p[0] == 0 || p[0] == 1);
}

TEST(madvise_hole_does_the_rest)
{
	char *p = map(4);

	CHECK_OK(munmap(p + 4096, 4096));
	CHECK_ERR(madvise(p, 4 * 4096, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[2 * 4096], 0);
}

TEST(madvise_bad_args)
{
	char *p = map(2);

	CHECK_ERR(madvise(p + 1, 4096, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, 4096, 999), EINVAL);
	CHECK_ERR(madvise(p, -1ul, MADV_DONTNEED), EINVAL);
	CHECK_OK(madvise(p, 0, MADV_DONTNEED));
	CHECK_ERR(madvise(p, 4096, MADV_REMOVE), EINVAL);
	for (int a = MADV_NORMAL; a <= MADV_WILLNEED; a++)
		CHECK_OK(madvise(p, 8192, a));
	CHECK_OK(madvise(p, 4096, MADV_NOHUGEPAGE));
	CHECK_OK(madvise(p, 4096, MADV_DONTDUMP));
	CHECK_OK(madvise(p, 4096, MADV_DODUMP));
}

TEST(madvise_populate)
{
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char vec[4];

	if (madvise(p, 4096, MADV_POPULATE_READ) && errno == EINVAL)
		test_skip("kernel older than 5.14");
	CHECK_OK(madvise(p, 2 * 4096, MADV_POPULATE_WRITE));
	CHECK_OK(mincore(p, 4 * 4096, vec));
	CHECK_EQ(vec[0] & vec[1] & 1, 1);
	CHECK_EQ(vec[3] & 1, 0);
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	CHECK_ERR(madvise(p, 4096, MADV_POPULATE_WRITE), EINVAL);
	CHECK_OK(munmap(p + 4096, 4096));
	CHECK_ERR(madvise(p, 3 * 4096, MADV_POPULATE_READ), ENOMEM);
}

TEST(msync_args)
{
	char *p = map(3);

	CHECK_OK(msync(p, 4096, MS_SYNC));
	CHECK_ERR(msync(p + 1, 4096, MS_SYNC), EINVAL);
	CHECK_ERR(msync(p, 4096, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p, 4096, 64), EINVAL);
	CHECK_OK(munmap(p + 4096, 4096));
	CHECK_ERR(msync(p, 3 * 4096, MS_ASYNC), ENOMEM);
	CHECK_OK(msync(p, 0, MS_ASYNC));
}

TEST(mlock_and_limits)
{
	struct rlimit l = { 4 * 4096, 4 * 4096 };
	char *p = map(16);

	CHECK_OK(mlock(p, 4096));
	CHECK_OK(munlock(p, 4096));
	CHECK_OK(munmap(p + 8 * 4096, 4096));
	CHECK_ERR(mlock(p + 7 * 4096, 3 * 4096), ENOMEM);
	if (!test_is_root())
		return;
	/* Linux has locked what came before the hole. */
	CHECK_OK(munlockall());
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &l));
	CHECK_OK(setuid(12345));
	CHECK_OK(mlock(p, 4 * 4096));
	CHECK_ERR(mlock(p + 4 * 4096, 4096), ENOMEM);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK_OK(munlock(p, 4 * 4096));
	CHECK_OK(mlock(p + 4096, 4096));
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(64), EINVAL);
	CHECK_ERR(mlockall(MCL_CURRENT), ENOMEM);
	CHECK_OK(munlockall());
}

TEST(membarrier_commands)
{
	long mask = syscall(SYS_membarrier, 0, 0, 0);

	CHECK(mask > 0);
	CHECK(mask & 8); /* PRIVATE_EXPEDITED */
	CHECK_ERR(syscall(SYS_membarrier, 8, 0, 0), EPERM);
	CHECK_OK(syscall(SYS_membarrier, 16, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, 8, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, 1, 0, 0));
	CHECK_ERR(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, 8, 1 << 5, 0), EINVAL);
}

TEST(process_vm)
{
	char *p = map(2), buf[64], *out;
	struct { void *base; size_t len; } local = { buf, sizeof(buf) }, remote = { p, sizeof(buf) };
	int fd[2];
	pid_t pid;
	char c;

	CHECK_OK(pipe(fd));
	strcpy(p, "parent");
	if (!(pid = fork())) {
		strcpy(p, "child");
		close(fd[1]);
		(void)!read(fd[0], &c, 1);
		_exit(strcmp(p + 8, "written") ? 1 : 0);
	}
	usleep(50000);
	CHECK_EQ(syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0), sizeof(buf));
	CHECK_STR(buf, "child");
	out = p + 4096;
	strcpy(out, "written");
	local.base = out;
	local.len = 8;
	remote.base = p + 8;
	remote.len = 8;
	CHECK_EQ(syscall(SYS_process_vm_writev, pid, &local, 1, &remote, 1, 0), 8);
	remote.base = (void *)8;
	CHECK_ERR(syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_vm_readv, 0x3fffffff, &local, 1, &remote, 1, 0), ESRCH);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	test_wait_exit(pid, 0);
}
