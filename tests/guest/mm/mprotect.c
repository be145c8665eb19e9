/* mprotect(2): splits and joins, signals, holes, and execution. */
#include "test.h"

static int touch_write(void *p)
{
	*(volatile char *)p = 1;
	return 0;
}
static int touch_read(void *p)
{
	return *(volatile char *)p & 0;
}

static void check_signal(int (*fn)(void *), void *p, int sig)
{
	pid_t pid = test_fork(fn, p);

	if (sig)
		test_wait_signal(pid, sig);
	else
		test_wait_exit(pid, 0);
}

TEST(mprotect_split)
{
	char *p = mmap(NULL, 9 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 9 * 4096);
	CHECK_OK(mprotect(p + 3 * 4096, 3 * 4096, PROT_READ));
	check_signal(touch_write, p + 2 * 4096, 0);
	check_signal(touch_write, p + 3 * 4096, SIGSEGV);
	check_signal(touch_read, p + 5 * 4096, 0);
	check_signal(touch_write, p + 5 * 4096, SIGSEGV);
	check_signal(touch_write, p + 6 * 4096, 0);
	CHECK_OK(mprotect(p + 4 * 4096, 4096, PROT_NONE));
	check_signal(touch_read, p + 4 * 4096, SIGSEGV);
	check_signal(touch_read, p + 3 * 4096, 0);
	CHECK_OK(mprotect(p, 9 * 4096, PROT_READ | PROT_WRITE));
	for (int i = 0; i < 9; i++) {
		CHECK_EQ(p[i * 4096], 1);
		p[i * 4096] = 2;
	}
}

TEST(mprotect_none_keeps_contents_from_the_kernel_too)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];

	CHECK_OK(pipe(fd));
	p[0] = 'x';
	CHECK_OK(mprotect(p, 4096, PROT_NONE));
	CHECK_ERR(write(fd[1], p, 1), EFAULT);
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	CHECK_EQ(write(fd[1], p, 1), 1);
	CHECK_ERR(read(fd[0], p, 1), EFAULT);
	CHECK_EQ(p[0], 'x');
}

TEST(mprotect_hole_changes_what_comes_before)
{
	char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 4 * 4096);
	CHECK_OK(munmap(p + 2 * 4096, 4096));
	CHECK_ERR(mprotect(p, 4 * 4096, PROT_READ), ENOMEM);
	check_signal(touch_write, p + 4096, SIGSEGV);
	check_signal(touch_write, p + 3 * 4096, 0);
}

static void on_segv(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	_exit(sig == SIGSEGV && si->si_code == SEGV_ACCERR ? 0 : 9);
}

static int run_page(void *p)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	((void (*)(void))p)();
	return 5;
}

TEST(exec_needs_prot_exec)
{
	unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p[0] = 0xc3; /* ret */
	test_wait_exit(test_fork(run_page, p), 0);
	CHECK_OK(mprotect(p, 4096, PROT_READ | PROT_EXEC));
	test_wait_exit(test_fork(run_page, p), 5);
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	test_wait_exit(test_fork(run_page, p), 0);
}

TEST(mprotect_bad_args)
{
	char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("f", O_RDWR | O_CREAT, 0600), ro;

	CHECK_ERR(mprotect(p + 1, 4096, PROT_READ), EINVAL);
	CHECK_ERR(mprotect(p, 4096, 0x100), EINVAL);
	CHECK_ERR(mprotect(p, 4096, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN), EINVAL);
	CHECK_ERR(mprotect(p, -4096ul, PROT_READ), ENOMEM);
	CHECK_OK(mprotect(p, 0, PROT_READ));
	CHECK_OK(ftruncate(fd, 4096));
	CHECK_OK(ro = open("f", O_RDONLY));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);
	CHECK_ERR(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, ro, 0);
	CHECK_OK(mprotect(p, 4096, PROT_READ | PROT_WRITE));
	p[0] = 1;
}
