/* The growing stack, its limit and its guard. */
#include "test.h"

#include <sys/resource.h>

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char page[4096];

	page[0] = (char)depth;
	return depth ? recurse(depth - 1) + page[0] - (char)depth : 0;
}

TEST(stack_growth)
{
	CHECK_EQ(recurse(1000), 0);
}

static int overflow(void *arg)
{
	struct rlimit l = { 1 << 20, 1 << 20 };

	(void)arg;
	setrlimit(RLIMIT_STACK, &l);
	return recurse(100000);
}

TEST(stack_overflow_is_sigsegv)
{
	test_wait_signal(test_fork(overflow, NULL), SIGSEGV);
}

static void on_segv(int sig)
{
	(void)sig;
	_exit(7);
}

static int overflow_with_altstack(void *arg)
{
	static char alt[32768];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_handler = on_segv, .sa_flags = SA_ONSTACK };

	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	return overflow(arg);
}

TEST(stack_overflow_caught)
{
	test_wait_exit(test_fork(overflow_with_altstack, NULL), 7);
}

/* A buffer far below the stack pointer that the kernel fills: it grows the stack as well. */
TEST(kernel_access_grows_stack)
{
	volatile char here;
	char *below = (char *)((uintptr_t)&here & ~4095ul) - 64 * 4096;
	int fd = open("/dev/zero", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(read(fd, below, 100), 100);
	CHECK_EQ(below[5], 0);
}

TEST(map_growsdown)
{
	char *room = mmap(NULL, 1024 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

	CHECK_OK(munmap(room, 1024 * 4096));
	p = mmap(room + 1000 * 4096, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK(p == room + 1000 * 4096);
	p[0] = 1;
	p[-4096] = 2;
	p[-20 * 4096] = 3;
	CHECK_EQ(p[-10 * 4096], 0);
	CHECK_OK(mprotect(p, 4096, PROT_READ | PROT_GROWSDOWN));
	CHECK_EQ(p[-20 * 4096], 3);
}

TEST(vdso_is_there)
{
	struct timespec a, b;
	char *maps;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &a));
	CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b));
	CHECK(b.tv_sec >= a.tv_sec && b.tv_sec - a.tv_sec < 10);
	maps = test_slurp("/proc/self/maps");
	CHECK(strstr(maps, "[vdso]"));
	CHECK(strstr(maps, "[stack]"));
}
