/* Every operation with each of its allocations failing: see failnth.h. */
#include "failnth.h"

#include <dirent.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <termios.h>

static char page_buf[1 << 16];

/* Closes what a call gave and passes its failure on. */
static int fd_result(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
	return fd >= 0 ? 0 : -1;
}

static int keep_errno(int r, int (*undo)(int), int arg)
{
	int e = errno;

	undo(arg);
	errno = e;
	return r;
}

/* --- memory --- */

static void *anon(size_t pages)
{
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		p[i * 4096] = 1;
	return p;
}

static int drop(void *p, size_t pages, int r)
{
	int e = errno;

	CHECK_OK(munmap(p, pages * 4096));
	errno = e;
	return r;
}

static int map_result(void *p, size_t len)
{
	if (p == MAP_FAILED)
		return -1;
	CHECK_OK(munmap(p, len));
	return 0;
}

OP(mmap_anon) { return map_result(TRY(mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), 65536); }
OP(mmap_populate)
{
	return map_result(TRY(mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)), 65536);
}
OP(mmap_shared) { return map_result(TRY(mmap(NULL, 65536, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0)), 65536); }
OP(mmap_shared_populate)
{
	return map_result(TRY(mmap(NULL, 65536, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)), 65536);
}
OP(mmap_fixed_over)
{
	char *p = anon(8);
	void *q = TRY(mmap(p + 2 * 4096, 8192, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));

	CHECK_EQ(p[0], 1);
	if (q == MAP_FAILED)
		CHECK_EQ(p[2 * 4096], 1);
	return drop(p, 8, q == MAP_FAILED ? -1 : 0);
}
OP(mmap_file)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	int r = map_result(TRY(mmap(NULL, 65536, 1, MAP_PRIVATE, fd, 0)), 65536);

	return keep_errno(r, close, fd);
}
OP(mmap_file_populate)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	int r = map_result(TRY(mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_POPULATE, fd, 0)), 65536);

	return keep_errno(r, close, fd);
}
OP(munmap_split)
{
	char *p = anon(8);

	return drop(p, 8, TRY(munmap(p + 4096, 4096)));
}
OP(munmap_huge_part)
{
	char *p = mmap(NULL, 4 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 1, 4 << 20);
	return drop(p, 1024, TRY(munmap(p + (1 << 20), 4096)));
}
OP(mprotect_split)
{
	char *p = anon(8);

	return drop(p, 8, TRY(mprotect(p + 8192, 4096, PROT_READ)));
}
OP(mprotect_join)
{
	char *p = anon(8);

	CHECK_OK(mprotect(p + 8192, 4096, PROT_READ));
	return drop(p, 8, TRY(mprotect(p + 8192, 4096, PROT_READ | PROT_WRITE)));
}
OP(mremap_grow)
{
	char *p = anon(2), *q = TRY(mremap(p, 8192, 1 << 20, MREMAP_MAYMOVE));

	if (q == MAP_FAILED)
		return drop(p, 2, -1);
	return drop(q, 256, 0);
}
OP(mremap_move)
{
	char *p = anon(4), *to = anon(8), *q;

	q = TRY(mremap(p, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4096));
	drop(to, 8, 0);
	return q == MAP_FAILED ? drop(p, 4, -1) : 0;
}
OP(mremap_dontunmap)
{
	char *p = anon(4), *q = TRY(mremap(p, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, NULL));
	int e = errno;

	if (q != MAP_FAILED)
		drop(q, 4, 0);
	errno = e;
	return drop(p, 4, q == MAP_FAILED ? -1 : 0);
}
OP(mremap_shrink)
{
	char *p = anon(8);
	void *q = TRY(mremap(p, 8 * 4096, 4 * 4096, 0));

	return drop(p, 8, q == MAP_FAILED ? -1 : 0);
}
OP(madvise_dontneed)
{
	char *p = anon(8);

	return drop(p, 8, TRY(madvise(p + 4096, 8192, MADV_DONTNEED)));
}
OP(madvise_dontfork)
{
	char *p = anon(8);

	return drop(p, 8, TRY(madvise(p + 4096, 8192, MADV_DONTFORK)));
}
OP(madvise_free)
{
	char *p = anon(8);

	return drop(p, 8, TRY(madvise(p, 8 * 4096, MADV_FREE)));
}
OP(madvise_populate)
{
	char *p = mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return drop(p, 16, TRY(madvise(p, 65536, 23 /* POPULATE_WRITE */)));
}
OP(madvise_remove)
{
	char *p = mmap(NULL, 65536, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 65536);
	return drop(p, 16, TRY(madvise(p + 4096, 8192, MADV_REMOVE)));
}
OP(mlock_part)
{
	char *p = anon(8);

	return drop(p, 8, TRY(mlock(p + 4096, 8192)));
}
OP(mlockall_child)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE);
}
OP(mlockall) { return fail_in_child(op_mlockall_child); }
OP(mincore)
{
	unsigned char vec[8];
	char *p = anon(8);

	return drop(p, 8, TRY(mincore(p, 8 * 4096, vec)));
}
OP(msync)
{
	int fd = open("m", O_RDWR | O_CREAT, 0600), r;
	char *p;

	CHECK_OK(ftruncate(fd, 8192));
	p = mmap(NULL, 8192, 3, MAP_SHARED, fd, 0);
	p[0] = 1;
	r = drop(p, 2, TRY(msync(p, 8192, MS_SYNC)));
	return keep_errno(r, close, fd);
}
OP(brk)
{
	char *old = sbrk(0);
	void *r = TRY(sbrk(65536));
	int e = errno;

	CHECK_EQ(brk(old), 0);
	errno = e;
	return r == (void *)-1 ? -1 : 0;
}
OP(touch)
{
	char *p = mmap(NULL, 64 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	fail_arm();
	for (int i = 0; i < 64; i++)
		p[i * 4096] = (char)i;
	fail_disarm();
	for (int i = 0; i < 64; i++)
		CHECK_EQ(p[i * 4096], i);
	return drop(p, 64, 0);
}
OP(touch_file)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	volatile char *p = mmap(NULL, 65536, 3, MAP_PRIVATE, fd, 0);

	fail_arm();
	for (int i = 0; i < 16; i++)
		p[i * 4096]++;
	fail_disarm();
	return keep_errno(drop((void *)(uintptr_t)p, 16, 0), close, fd);
}
OP(read_into_new_pages)
{
	int fd = open("/dev/zero", O_RDONLY);
	char *p = mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n = TRY(read(fd, p, 65536));

	if (n >= 0)
		CHECK_EQ(n, 65536);
	return keep_errno(drop(p, 16, n < 0 ? -1 : 0), close, fd);
}
OP(memfd)
{
	return fd_result(TRY(memfd_create("m", MFD_CLOEXEC)));
}
OP(memfd_write)
{
	int fd = memfd_create("m", MFD_CLOEXEC);
	ssize_t n = TRY(pwrite(fd, page_buf, sizeof(page_buf), 0));

	return keep_errno(n < 0 ? -1 : 0, close, fd);
}
OP(process_vm_readv)
{
	struct iovec l = { page_buf, 8192 }, r = { page_buf + 16384, 8192 };

	return TRY(process_vm_readv(getpid(), &l, 1, &r, 1, 0)) < 0 ? -1 : 0;
}

static const struct fail_op memory_ops[] = {
	ROW(mmap_anon), ROW(mmap_populate), ROW(mmap_shared), ROW(mmap_shared_populate), ROW(mmap_fixed_over),
	ROW(mmap_file), ROW(mmap_file_populate), ROW(munmap_split), ROW(munmap_huge_part), ROW(mprotect_split),
	ROW(mprotect_join), ROW(mremap_grow), ROW(mremap_move), ROW(mremap_dontunmap), ROW(mremap_shrink),
	ROW(madvise_dontneed), ROW(madvise_dontfork), ROW(madvise_free), ROW2(madvise_populate, EFAULT),
	ROW(madvise_remove), ROW(mlock_part), ROW(mlockall), ROW(mincore), ROW(msync), ROW(brk), ROW(touch),
	ROW(touch_file), ROW2(read_into_new_pages, EFAULT), ROW(memfd), ROW2(memfd_write, ENOSPC), ROW(process_vm_readv),
};

TEST_TIMED(failnth_memory, 240)
{
	fail_walk(memory_ops, sizeof(memory_ops) / sizeof(memory_ops[0]));
}

/* --- processes --- */

static int fork_result(pid_t pid)
{
	int e = errno;

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0)
			;
	errno = e;
	return pid > 0 ? 0 : -1;
}

OP(fork)
{
	pid_t pid;

	fail_arm();
	if ((pid = fork()) == 0)
		_exit(0);
	fail_disarm();
	return fork_result(pid);
}
OP(fork_much)
{
	char *p = mmap(NULL, 4 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	madvise(p, 4 << 20, MADV_NOHUGEPAGE);
	for (int i = 0; i < 1024; i += 128)
		p[i * 4096] = 1;
	fail_arm();
	if ((pid = fork()) == 0)
		_exit(0);
	fail_disarm();
	return drop(p, 1024, fork_result(pid));
}
OP(vfork_exit)
{
	pid_t pid;

	fail_arm();
	if ((pid = vfork()) == 0)
		_exit(0);
	fail_disarm();
	return fork_result(pid);
}
static int clone_flags(unsigned long flags)
{
	pid_t pid;
	int pidfd = -1;

	fail_arm();
	pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, &pidfd, NULL, 0);
	if (pid == 0)
		_exit(0);
	fail_disarm();

	int r = fork_result(pid);

	if (pid > 0 && pidfd >= 0)
		close(pidfd);
	return r;
}
OP(clone_files) { return clone_flags(0x400); }
OP(clone_fs) { return clone_flags(0x200); }
OP(clone_pidfd) { return clone_flags(0x1000); }
static void *thread_main(void *arg)
{
	return arg;
}
OP(thread)
{
	pthread_t t;
	int err = TRY(pthread_create(&t, NULL, thread_main, NULL));

	if (!err)
		pthread_join(t, NULL);
	errno = err;
	return err ? -1 : 0;
}
/* The new program's dynamic linker (a static PIE has it inside) says 127 when a call of its own fails. */
enum { STARTED = 127 };
OP(exec_child)
{
	char *argv[] = { "x", "--exit", NULL }, *envp[] = { "FAILNTH_EXIT=1", NULL };

	execve("/proc/self/exe", argv, envp);
	return -1;
}
OP(exec) { return fail_in_child(op_exec_child); }
OP(exec_script_child)
{
	char *argv[] = { "s", NULL }, *envp[] = { "FAILNTH_EXIT=1", NULL };

	execve("./script", argv, envp);
	return -1;
}
OP(exec_script)
{
	char exe[256] = "", text[300];
	int fd = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(text, sizeof(text), "#!%.250s --exit\n", exe);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return fail_in_child(op_exec_script_child);
}
OP(exit_thread_child)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread_main, NULL))
		return errno = EAGAIN, -1;
	pthread_join(t, NULL);
	return 0;
}
OP(exit_threads) { return fail_in_child(op_exit_thread_child); }
OP(setpgid_child) { return setpgid(0, 0); }
OP(setpgid) { return fail_in_child(op_setpgid_child); }
OP(setsid_child) { return setsid() < 0 ? -1 : 0; }
OP(setsid) { return fail_in_child(op_setsid_child); }
OP(setuid_child) { return setresuid(1, 1, 1); }
OP(setuid) { return fail_in_child(op_setuid_child); }
OP(setgroups_child)
{
	gid_t g[40] = { 1, 2, 3 };

	return syscall(SYS_setgroups, 40, g) ? -1 : 0;
}
OP(setgroups) { return fail_in_child(op_setgroups_child); }
OP(unshare_files_child) { return unshare(CLONE_FILES | CLONE_FS); }
OP(unshare_files) { return fail_in_child(op_unshare_files_child); }
OP(chdir) { return TRY(chdir("/proc/self/.")) ? -1 : chdir("/tmp"); }
OP(getcwd) { return TRY(getcwd(page_buf, 4096)) ? 0 : -1; }
OP(prctl_name) { return TRY(prctl(PR_SET_NAME, "failnth")); }
OP(setrlimit)
{
	struct rlimit r;

	getrlimit(RLIMIT_CORE, &r);
	return TRY(setrlimit(RLIMIT_CORE, &r));
}
OP(sched_affinity)
{
	cpu_set_t s;

	sched_getaffinity(0, sizeof(s), &s);
	return TRY(sched_setaffinity(0, sizeof(s), &s));
}
OP(pidfd_open) { return fd_result(TRY((int)syscall(SYS_pidfd_open, getpid(), 0))); }
OP(pidfd_getfd)
{
	int p = (int)syscall(SYS_pidfd_open, getpid(), 0), r;

	if (p < 0)
		return -1;
	r = fd_result(TRY((int)syscall(SYS_pidfd_getfd, p, 0, 0)));
	return keep_errno(r, close, p);
}
OP(sigqueue)
{
	union sigval v = { 1 };
	struct timespec none = { 0 };
	sigset_t s, old;
	int r, e;

	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &s, &old);
	r = TRY(sigqueue(getpid(), SIGRTMIN + 1, v));
	e = errno;
	sigtimedwait(&s, NULL, &none);
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = e;
	return r;
}
OP(kill_self)
{
	struct timespec none = { 0 };
	sigset_t s, old;
	int r;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, &old);
	r = TRY(kill(getpid(), SIGUSR1));
	CHECK_EQ(r, 0); /* kill(2) has no ENOMEM */
	CHECK_EQ(sigtimedwait(&s, NULL, &none), SIGUSR1);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
OP(timer_create)
{
	timer_t t;
	struct sigevent e = { .sigev_notify = SIGEV_NONE };
	int id = -1, r = TRY((int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id)), err = errno;

	(void)t;
	if (!r)
		syscall(SYS_timer_delete, id);
	errno = err;
	return r;
}
OP(timer_settime)
{
	struct sigevent e = { .sigev_notify = SIGEV_NONE };
	struct itimerspec ts = { .it_value.tv_sec = 100 };
	int id = -1, r;

	CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
	r = TRY((int)syscall(SYS_timer_settime, id, 0, &ts, NULL));

	int err = errno;

	syscall(SYS_timer_delete, id);
	errno = err;
	return r;
}
OP(setitimer)
{
	struct itimerval v = { .it_value.tv_sec = 100 }, off = { 0 };
	int r = TRY(setitimer(ITIMER_VIRTUAL, &v, NULL)), e = errno;

	setitimer(ITIMER_VIRTUAL, &off, NULL);
	errno = e;
	return r;
}
OP(nanosleep)
{
	struct timespec t = { .tv_nsec = 1000 };

	return TRY(nanosleep(&t, NULL));
}
OP(futex_wait)
{
	static unsigned word;
	struct timespec t = { .tv_nsec = 1000 };
	long r = TRY(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0));

	return r == -1 && errno == ETIMEDOUT ? 0 : -1;
}
OP(futex_wait_shared)
{
	unsigned *word = mmap(NULL, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec t = { .tv_nsec = 1000 };
	long r = TRY(syscall(SYS_futex, word, FUTEX_WAIT, 0, &t, NULL, 0));
	int e = errno;

	munmap(word, 4096);
	errno = e;
	return r == -1 && e == ETIMEDOUT ? 0 : -1;
}
OP(futex_pi)
{
	static unsigned word;
	long r;

	word = 0;
	r = TRY(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	if (!r)
		CHECK_OK(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	return r ? -1 : 0;
}
OP(wait)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	CHECK_OK(pid);

	int status, r = TRY(waitpid(pid, &status, 0));

	if (r != pid) {
		int e = errno;

		CHECK_EQ(waitpid(pid, &status, 0), pid);
		errno = e;
		return -1;
	}
	return 0;
}

static const struct fail_op process_ops[] = {
	ROW(fork), ROW(fork_much), ROW(vfork_exit), ROW(clone_files), ROW(clone_fs), ROW(clone_pidfd), ROW(thread),
	ROW2(exec, STARTED), ROW2(exec_script, STARTED), ROW(exit_threads), ROW(setpgid), ROW(setsid), ROW(setuid),
	ROW(setgroups), ROW(unshare_files), ROW(chdir), ROW(getcwd), ROW(prctl_name), ROW(setrlimit),
	ROW(sched_affinity), ROW(pidfd_open), ROW(pidfd_getfd), ROW(sigqueue), ROW(kill_self), ROW(timer_create),
	ROW(timer_settime), ROW(setitimer), ROW(nanosleep), ROW(futex_wait), ROW(futex_wait_shared), ROW(futex_pi),
	ROW(wait),
};

TEST_TIMED(failnth_processes, 240)
{
	fail_walk(process_ops, sizeof(process_ops) / sizeof(process_ops[0]));
}

/* exec's target: this program again, as told by its environment. */
__attribute__((constructor)) static void exit_when_told(void)
{
	if (getenv("FAILNTH_EXIT"))
		_exit(0);
}
