/* fork and copy-on-write: private pages are private, whatever was read, written or protected before. */
#include "test.h"

enum { N = 64 };
static char data_page[4096 * 3] = { 1 };

TEST(cow_both_ways)
{
	char *p = mmap(NULL, N * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pipe1[2], pipe2[2];
	char c;
	pid_t pid;

	memset(p, 'a', N * 4096);
	data_page[4096] = 'd';
	CHECK_OK(pipe(pipe1));
	CHECK_OK(pipe(pipe2));
	if (!(pid = fork())) {
		for (int i = 0; i < N; i++)
			if (p[i * 4096] != 'a')
				_exit(1);
		for (int i = 0; i < N; i += 2)
			p[i * 4096] = 'c';
		data_page[4096] = 'e';
		(void)!write(pipe1[1], "x", 1);
		(void)!read(pipe2[0], &c, 1);
		for (int i = 0; i < N; i++)
			if (p[i * 4096] != (i % 2 ? 'a' : 'c'))
				_exit(2);
		_exit(data_page[4096] == 'e' ? 0 : 3);
	}
	CHECK_EQ(read(pipe1[0], &c, 1), 1);
	for (int i = 0; i < N; i++)
		CHECK_EQ(p[i * 4096], 'a');
	CHECK_EQ(data_page[4096], 'd');
	for (int i = 0; i < N; i++)
		p[i * 4096] = 'p';
	CHECK_EQ(write(pipe2[1], "x", 1), 1);
	test_wait_exit(pid, 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(p[i * 4096], 'p');
}

/* The last one to hold a page writes to it without end, as often as it likes. */
TEST(cow_after_child_is_gone)
{
	volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 50; i++) {
		pid_t pid;

		p[0] = (char)i;
		if (!(pid = fork()))
			_exit(p[0] == (char)i ? 0 : 1);
		test_wait_exit(pid, 0);
		p[0]++;
		CHECK_EQ(p[0], (char)(i + 1));
	}
}

TEST(cow_zero_page)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK_EQ(p[0] + p[4096] + p[8192], 0);
	p[4096] = 1;
	CHECK_EQ(p[0] + p[8192], 0);
	if (!(pid = fork())) {
		p[0] = 9;
		_exit(p[4096] == 1 && p[8192] == 0 ? 0 : 1);
	}
	test_wait_exit(pid, 0);
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[4097], 0);
}

/* mprotect to read-only and back must neither lose the copy nor make the shared page writable (pitfall 10). */
TEST(cow_with_mprotect)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int go[2];
	char c;
	pid_t pid;

	p[0] = 'a';
	CHECK_OK(pipe(go));
	if (!(pid = fork())) {
		close(go[1]);
		(void)!read(go[0], &c, 1);
		_exit(p[0] == 'a' ? 0 : 1);
	}
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	CHECK_OK(mprotect(p, 4096, PROT_READ | PROT_WRITE));
	p[0] = 'b';
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	CHECK_EQ(p[0], 'b');
	CHECK_OK(mprotect(p, 4096, PROT_READ | PROT_WRITE));
	p[1] = 'c';
	CHECK_EQ(p[0], 'b');
	CHECK_EQ(write(go[1], "x", 1), 1);
	test_wait_exit(pid, 0);
}

/* 8 MiB: 2 MiB pages where the kernel has them; single writes on both sides. */
TEST(cow_large)
{
	size_t size = 8 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	memset(p, 1, size);
	if (!(pid = fork())) {
		for (size_t i = 0; i < size; i += 300 * 4096)
			p[i] = 2;
		for (size_t i = 0; i < size; i += 4096)
			if (p[i] != (i % (300 * 4096) ? 1 : 2))
				_exit(1);
		_exit(0);
	}
	for (size_t i = 4096; i < size; i += 500 * 4096)
		p[i] = 3;
	test_wait_exit(pid, 0);
	for (size_t i = 0; i < size; i += 4096)
		CHECK_EQ(p[i], (i - 4096) % (500 * 4096) || i < 4096 ? 1 : 3);
	CHECK_OK(munmap(p + 4096, 4096));
	CHECK_OK(mprotect(p + (3 << 20), 4096, PROT_READ));
	CHECK_EQ(p[0], 1);
	p[(3 << 20) + 4096] = 5;
	CHECK_OK(madvise(p + (5 << 20), 8192, MADV_DONTNEED));
	CHECK_EQ(p[5 << 20], 0);
	CHECK_EQ(p[(5 << 20) + 8192], 1);
}

/* Threads write while the process forks: nothing written before is lost, nothing later appears in the child. */
static volatile long counter[512 * 8];

static int spin(void *arg)
{
	volatile int *stop = arg;

	while (!*stop)
		for (int i = 0; i < 8; i++)
			counter[i * 512]++;
	return 0;
}

TEST(fork_while_threads_write)
{
	static char stack[65536];
	static volatile int stop;
	long before[8];
	pid_t pid;
	int tid = clone(spin, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, (void *)&stop);

	CHECK(tid > 0);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++)
			before[i] = counter[i * 512];
		if (!(pid = fork())) {
			long now[8];

			for (int i = 0; i < 8; i++) {
				now[i] = counter[i * 512];
				if (now[i] < before[i])
					_exit(1);
			}
			usleep(1000);
			for (int i = 0; i < 8; i++)
				if (counter[i * 512] != now[i])
					_exit(2);
			_exit(0);
		}
		test_wait_exit(pid, 0);
	}
	stop = 1;
	test_wait_exit(tid, 0);
}

TEST(fork_wipe_and_dontfork)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	memset(p, 1, 3 * 4096);
	CHECK_OK(madvise(p + 4096, 4096, MADV_WIPEONFORK));
	CHECK_OK(madvise(p + 8192, 4096, MADV_DONTFORK));
	if (!(pid = fork())) {
		unsigned char v;

		if (p[0] != 1 || p[4096] != 0)
			_exit(1);
		_exit(mincore(p + 8192, 4096, &v) == -1 && errno == ENOMEM ? 0 : 2);
	}
	test_wait_exit(pid, 0);
	CHECK_EQ(p[4096] + p[8192], 2);
}
