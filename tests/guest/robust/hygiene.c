/*
 * Nothing that the kernel has not written reaches a program: not in padding, reserved members or the rest of a name.
 * Before each call the kernel's stack and its small objects are filled with a marker (select, poll and writev copy
 * a program's bytes there, xattr and iovec buffers are allocated, filled and freed); afterwards neither the marker nor
 * the bytes that debug kernels fill free memory with (0x6b, …) may stand in what the call gave.
 */
#include "test.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <linux/capability.h>
#include <stddef.h>
#include <ucontext.h>

enum { MARK = 0xd7, OUT = 4096 };

static unsigned char out[OUT] __attribute__((aligned(64)));

/* Fills what the kernel uses for its calls: its stack, and freed objects of every size. */
static void dirty(void)
{
	static unsigned char marks[8192];
	struct pollfd fds[64];
	struct iovec iov[64];
	unsigned char sets[3][128];
	struct timespec zero = { 0, 0 };

	memset(marks, MARK, sizeof(marks));
	memset(sets, MARK, sizeof(sets));
	memset(fds, MARK, sizeof(fds)); /* negative descriptors */
	memset(iov, MARK, sizeof(iov));
	syscall(SYS_poll, fds, 64, 0);
	syscall(SYS_poll, fds, 20, 0);
	syscall(SYS_pselect6, 256, sets[0], sets[1], sets[2], &zero, NULL);
	syscall(SYS_pselect6, 1024, sets[0], sets[1], sets[2], &zero, NULL);
	for (int n = 1; n <= 64; n *= 2) {
		syscall(SYS_writev, 1, iov, n);
		syscall(SYS_preadv, 0, iov, n, 0, 0);
	}
	for (size_t n = 8; n <= 2048; n *= 2)
		setxattr(".", "user.hygiene", marks, n, XATTR_REPLACE);
	marks[250] = 0;
	access((char *)marks, F_OK);
	prctl(PR_SET_NAME, marks + 246);
	memset(marks, MARK, 251);
	syscall(SYS_rt_sigqueueinfo, -1, 200, marks);
	syscall(SYS_clock_settime, 77, marks);
}

static void look_at(const char *what, const unsigned char *p, size_t n)
{
	static const unsigned char bad[] = { MARK, 0x6b, 0x5a, 0xa5, 0xcc, 0xfe };
	size_t run = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && p[i] == p[i - 1] && memchr(bad, p[i], sizeof(bad)))
			run++;
		else
			run = 0;
		if (run >= 2)
			FAIL("%s: %#x in bytes %zu to %zu", what, p[i], i - run, i);
	}
}

/* Where handlers run: what the kernel does not write of a frame is the user's own, so it is clean. */
static unsigned char stack[1 << 16];

static void prepare(void)
{
	memset(out, 0, sizeof(out));
	memset(stack, 0, sizeof(stack));
	dirty();
}

#define CLEAN(call)                                                             \
	do {                                                                    \
		prepare();                                                      \
		long r_ = (long)(call);                                         \
		if (r_ == -1 && errno != ENOSYS)                                \
			FAIL("%s: %s", #call, strerrorname_np(errno));          \
		look_at(#call, out, sizeof(out));                               \
	} while (0)

TEST(files)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	struct flock lock = { .l_type = F_WRLCK };
	static const char *const paths[] = { ".", "f", "/proc", "/proc/self/stat", "/dev/null", "/sys" };

	CHECK(fd >= 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		CLEAN(syscall(SYS_stat, paths[i], out));
		CLEAN(syscall(SYS_lstat, paths[i], out));
		CLEAN(syscall(SYS_newfstatat, AT_FDCWD, paths[i], out, 0));
		CLEAN(syscall(SYS_statx, AT_FDCWD, paths[i], 0, 0xfff, out));
		CLEAN(syscall(SYS_statx, AT_FDCWD, paths[i], 0, 0, out));
		CLEAN(syscall(SYS_statfs, paths[i], out));
	}
	CLEAN(syscall(SYS_fstat, fd, out));
	CLEAN(syscall(SYS_fstatfs, fd, out));
	CLEAN(syscall(SYS_getcwd, out, sizeof(out)));
	memcpy(out, &lock, sizeof(lock));
	CHECK_OK(fcntl(fd, F_GETLK, out));
	look_at("F_GETLK", out, sizeof(out));
	CLEAN(fcntl(fd, F_GETOWN_EX, out));
}

TEST(directories)
{
	static const char *const paths[] = { ".", "/proc", "/proc/self", "/proc/self/fd", "/dev", "/sys", "/" };
	char name[8];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%.*s", 1 + i % 7, "abcdefg");
		close(open(name, O_WRONLY | O_CREAT, 0600));
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_DIRECTORY);

		CLEAN(syscall(SYS_getdents64, fd, out, sizeof(out)));
		CHECK_OK(lseek(fd, 0, SEEK_SET));
		CLEAN(syscall(SYS_getdents, fd, out, sizeof(out)));
		close(fd);
	}
}

TEST(system)
{
	struct timex *tx = (struct timex *)out;

	CLEAN(syscall(SYS_uname, out));
	CLEAN(syscall(SYS_sysinfo, out));
	CLEAN(syscall(SYS_adjtimex, tx));
	CLEAN(syscall(SYS_times, out));
	CLEAN(syscall(SYS_gettimeofday, out, out + 64));
	for (int i = 0; i < 12; i++)
		if (i != 10) {
			CLEAN(syscall(SYS_clock_gettime, i, out));
			CLEAN(syscall(SYS_clock_getres, i, out));
		}
	CLEAN(syscall(SYS_getcpu, out, out + 64, NULL));
	CLEAN(syscall(SYS_getrusage, RUSAGE_SELF, out));
	CLEAN(syscall(SYS_getrusage, RUSAGE_CHILDREN, out));
	for (int i = 0; i < 16; i++) {
		CLEAN(syscall(SYS_getrlimit, i, out));
		CLEAN(syscall(SYS_prlimit64, 0, i, NULL, out));
	}
	CLEAN(syscall(SYS_getgroups, 64, out));
	CLEAN(syscall(SYS_getresuid, out, out + 64, out + 128));
	CLEAN(syscall(SYS_sched_getparam, 0, out));
	CLEAN(syscall(SYS_sched_getattr, 0, out, 48, 0));
	CLEAN(syscall(SYS_sched_getattr, 0, out, 2048, 0));
	CLEAN(syscall(SYS_sched_rr_get_interval, 0, out));
	CLEAN(syscall(SYS_sched_getaffinity, 0, 128, out));
	CLEAN(syscall(SYS_get_robust_list, 0, out, out + 64));
	prepare();
	*(uint32_t *)out = _LINUX_CAPABILITY_VERSION_3;
	CHECK_OK(syscall(SYS_capget, out, out + 64));
	look_at("capget", out, sizeof(out));
}

TEST(task_name)
{
	prepare();
	CHECK_OK(prctl(PR_SET_NAME, "x"));
	CHECK_OK(prctl(PR_GET_NAME, out));
	look_at("PR_GET_NAME", out, 16);
}

TEST(timers)
{
	timer_t id;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	CLEAN(syscall(SYS_getitimer, ITIMER_REAL, out));
	CLEAN(syscall(SYS_getitimer, ITIMER_PROF, out));
	CLEAN(syscall(SYS_timerfd_gettime, fd, out));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &id));
	CLEAN(syscall(SYS_timer_gettime, 0, out));
}

static void in_handler(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	memcpy(out, si, sizeof(*si));
	memcpy(out + sizeof(*si), uc, offsetof(ucontext_t, uc_sigmask) + 8);
}

TEST(signals)
{
	struct sigaction sa = { .sa_sigaction = in_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t clean = { .ss_sp = stack, .ss_size = sizeof(stack) };
	union sigval v = { .sival_int = 1 };
	sigset_t usr1;
	timer_t id;
	struct itimerspec soon = { { 0, 0 }, { 0, 1 } };

	CLEAN(syscall(SYS_rt_sigaction, SIGUSR2, NULL, out, 8));
	CLEAN(syscall(SYS_sigaltstack, NULL, out));
	CLEAN(syscall(SYS_rt_sigpending, out, 8));
	CHECK_OK(sigaltstack(&clean, NULL));
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CLEAN(kill(getpid(), SIGUSR1));
	CLEAN(syscall(SYS_tkill, getpid(), SIGUSR1));
	CLEAN(sigqueue(getpid(), SIGUSR1, v));
	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigaddset(&usr1, SIGALRM);
	CHECK_OK(sigprocmask(SIG_BLOCK, &usr1, NULL));
	int fd = signalfd(-1, &usr1, SFD_NONBLOCK);
	kill(getpid(), SIGUSR1);
	CLEAN(syscall(SYS_rt_sigtimedwait, &usr1, out, NULL, 8));
	sigqueue(getpid(), SIGUSR1, v);
	CLEAN(syscall(SYS_rt_sigtimedwait, &usr1, out, NULL, 8));
	kill(getpid(), SIGUSR1);
	CLEAN(read(fd, out, 128));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &id));
	CHECK_OK(timer_settime(id, 0, &soon, NULL));
	CLEAN(syscall(SYS_rt_sigtimedwait, &usr1, out, NULL, 8));
}

static int exit_soon(void *arg)
{
	(void)arg;
	return 3;
}

TEST(children)
{
	test_fork(exit_soon, NULL);
	CLEAN(syscall(SYS_waitid, P_ALL, 0, out, WEXITED | WNOWAIT, out + 1024));
	CLEAN(syscall(SYS_wait4, -1, out, 0, out + 1024));
	CLEAN(syscall(SYS_waitid, P_PID, test_fork(exit_soon, NULL), out, WEXITED, out + 1024));
}

TEST(events)
{
	int ep = epoll_create1(0), in = inotify_init1(IN_NONBLOCK), p[2];
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 1 };

	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	CLEAN(epoll_wait(ep, (struct epoll_event *)out, 8, 0));
	CHECK(inotify_add_watch(in, ".", IN_CREATE | IN_DELETE | IN_MODIFY) > 0);
	for (int i = 1; i < 20; i++) {
		char name[32] = "";

		memset(name, 'n', (size_t)i);
		close(open(name, O_WRONLY | O_CREAT, 0600));
	}
	CLEAN(read(in, out, sizeof(out)));
}

TEST(terminals)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	CHECK(fd >= 0);
	CLEAN(ioctl(fd, TCGETS, out));
	CLEAN(ioctl(fd, 0x802c542a, out)); /* TCGETS2 */
	CLEAN(ioctl(fd, TIOCGWINSZ, out));
}

/* Fresh memory, and what lies behind the end of a file, are zeros. */
TEST(pages)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), sparse = memfd_create("m", 0);
	unsigned char *p;

	for (int i = 0; i < 64; i++) {
		p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (int k = 0; k < 1 << 16; k++)
			CHECK(p[k] == 0);
		memset(p, MARK, 1 << 16);
		CHECK_OK(munmap(p, 1 << 16));
	}
	CHECK_EQ(write(fd, "abc", 3), 3);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	for (int k = 3; k < 4096; k++)
		CHECK(p[k] == 0);
	CHECK_EQ(pwrite(sparse, "x", 1, 12000), 1);
	CHECK_EQ(pread(sparse, out, sizeof(out), 8192), 12001 - 8192);
	for (int k = 0; k < 12000 - 8192; k++)
		CHECK(out[k] == 0);
}
