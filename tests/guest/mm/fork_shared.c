/* Shared memory is shared across fork: anonymous, and of a file. */
#include "test.h"

static void share(volatile int *p)
{
	pid_t pid;

	p[0] = 1;
	if (!(pid = fork())) {
		if (p[0] != 1)
			_exit(1);
		p[1] = 2;
		p[1024 * 5] = 3; /* first touched by the child */
		_exit(0);
	}
	test_wait_exit(pid, 0);
	CHECK_EQ(p[1], 2);
	CHECK_EQ(p[1024 * 5], 3);
}

TEST(fork_shared_anonymous)
{
	int *p = mmap(NULL, 10 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	share(p);
	CHECK_OK(munmap(p, 10 * 4096));
}

TEST(fork_shared_file)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), *p, v;

	CHECK_OK(ftruncate(fd, 10 * 4096));
	p = mmap(NULL, 10 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	share(p);
	CHECK_EQ(pread(fd, &v, sizeof(v), 5 * 4096), sizeof(v));
	CHECK_EQ(v, 3);
}

TEST(fork_shared_survives_parent_unmap)
{
	int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), fd[2];
	pid_t pid;
	char c;

	p[0] = 42;
	CHECK_OK(pipe(fd));
	if (!(pid = fork())) {
		(void)!read(fd[0], &c, 1);
		_exit(p[0] == 42 ? 0 : 1);
	}
	CHECK_OK(munmap(p, 4096));
	CHECK_EQ(write(fd[1], "x", 1), 1);
	test_wait_exit(pid, 0);
}

TEST(shared_anonymous_beyond_its_size_after_mremap)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;
	pid_t pid;

	p[0] = 1;
	q = mremap(p, 4096, 8192, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK_EQ(q[0], 1);
	if (!(pid = fork())) {
		q[4096] = 1; /* the object is one page long */
		_exit(0);
	}
	test_wait_signal(pid, SIGBUS);
}
