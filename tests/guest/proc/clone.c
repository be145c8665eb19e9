/* clone(2) and clone3 by their flags: combinations, ids, what is shared. */
#include "test.h"
#include <linux/sched.h>
#include <poll.h>

static long raw_clone(unsigned long flags, void *stack, void *ptid, void *ctid, unsigned long tls)
{
	return syscall(SYS_clone, flags, stack, ptid, ctid, tls);
}

static long clone3(struct clone_args *a, size_t size)
{
	return syscall(SYS_clone3, a, size);
}

TEST(invalid_combinations)
{
	CHECK_ERR(raw_clone(CLONE_SIGHAND | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
	CHECK_ERR(raw_clone(CLONE_THREAD | CLONE_VM | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
	CHECK_ERR(raw_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
	CHECK_ERR(raw_clone(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);

	struct clone_args a = { .flags = CLONE_DETACHED };

	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
	a = (struct clone_args){ .flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND };
	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
	a = (struct clone_args){ .exit_signal = 65 };
	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
	a = (struct clone_args){ .stack_size = 4096 };
	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
	CHECK_ERR(clone3(&a, 56), EINVAL);
	CHECK_ERR(clone3(&a, 5000), E2BIG);
}

TEST(settid_and_cleartid)
{
	pid_t ptid = 0, ctid = 0;
	long p = raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &ptid, &ctid, 0);

	if (p == 0)
		_exit(ctid == getpid() && ctid == syscall(SYS_gettid) ? 0 : 1);
	CHECK_EQ(ptid, p);
	CHECK_EQ(ctid, 0); /* the child's memory, not ours */
	test_wait_exit((pid_t)p, 0);
}

TEST(fork_copies_files_and_fs)
{
	int fd = open("/dev/null", O_RDONLY), st;
	pid_t p = fork();

	CHECK(fd >= 0);
	if (p == 0) {
		close(fd);
		umask(0111);
		_exit(chdir("/") ? 1 : 0);
	}
	waitpid(p, &st, 0);
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK(umask(0) != 0111);
}

TEST(clone_files_shares_the_table)
{
	int fd = open("/dev/null", O_RDONLY);
	long p = raw_clone(CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

	if (p == 0) {
		close(fd);
		_exit(0);
	}
	test_wait_exit((pid_t)p, 0);
	CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
}

TEST(clone_fs_shares_umask)
{
	umask(022);
	long p = raw_clone(CLONE_FS | SIGCHLD, NULL, NULL, NULL, 0);

	if (p == 0) {
		umask(0123);
		_exit(0);
	}
	test_wait_exit((pid_t)p, 0);
	CHECK_EQ(umask(0), 0123);
}

TEST(vfork_child_has_its_own_handlers)
{
	signal(SIGUSR1, SIG_DFL);
	pid_t p = vfork();

	if (p == 0) {
		struct { void *h; unsigned long f; void *r; unsigned long m; } ign = { (void *)1, 0, 0, 0 };

		syscall(SYS_rt_sigaction, SIGUSR1, &ign, NULL, 8);
		_exit(0);
	}
	test_wait_exit(p, 0);
	struct sigaction sa;

	CHECK_OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
}

TEST(clear_sighand_keeps_ignored)
{
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))_exit);
	struct clone_args a = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	long p = clone3(&a, sizeof(a));

	if (p == 0) {
		struct sigaction sa;
		int bad = 0;

		sigaction(SIGUSR1, NULL, &sa);
		bad |= sa.sa_handler != SIG_IGN;
		sigaction(SIGUSR2, NULL, &sa);
		bad |= sa.sa_handler != SIG_DFL;
		_exit(bad);
	}
	CHECK(p > 0);
	test_wait_exit((pid_t)p, 0);
}

TEST(exit_signal_and_wclone)
{
	int st;
	long p = raw_clone(0, NULL, NULL, NULL, 0);

	if (p == 0)
		_exit(1);
	CHECK_ERR(waitpid((pid_t)p, &st, 0), ECHILD); /* no SIGCHLD: a clone child */
	CHECK_EQ(waitpid((pid_t)p, &st, __WCLONE), p);
	signal(SIGUSR1, SIG_IGN);
	p = raw_clone(SIGUSR1, NULL, NULL, NULL, 0);
	if (p == 0)
		_exit(2);
	CHECK_EQ(waitpid((pid_t)p, &st, __WALL), p);
	CHECK_EQ(WEXITSTATUS(st), 2);
}

TEST(clone_parent_makes_a_sibling)
{
	int fd[2], st;
	pid_t sibling, p;

	CHECK_OK(pipe(fd));
	p = fork();
	if (p == 0) {
		long s = raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);

		if (s == 0)
			_exit(11);
		if (write(fd[1], &(pid_t){ (pid_t)s }, sizeof(pid_t)) != sizeof(pid_t))
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(read(fd[0], &sibling, sizeof(sibling)), sizeof(sibling));
	test_wait_exit(p, 0);
	CHECK_EQ(waitpid(sibling, &st, 0), sibling);
	CHECK_EQ(WEXITSTATUS(st), 11);
}

TEST(pidfd_from_clone_polls_at_exit)
{
	int pidfd = -1, st;
	siginfo_t si;
	struct clone_args a = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD };
	long p = clone3(&a, sizeof(a));

	if (p == 0) {
		pause();
		_exit(0);
	}
	CHECK(p > 0 && pidfd >= 0);
	CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	struct pollfd pf = { .fd = pidfd, .events = POLLIN };

	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_OK(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0));
	CHECK_EQ(poll(&pf, 1, 5000), 1);
	CHECK(pf.revents & POLLIN);
	CHECK_OK(waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &si, WEXITED));
	CHECK_EQ(si.si_pid, p);
	CHECK_EQ(si.si_status, SIGTERM);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), ESRCH);
	CHECK_ERR(waitpid((pid_t)p, &st, 0), ECHILD);
}

TEST(pidfd_send_signal_by_directory)
{
	char name[64];
	int st, dir, path;
	pid_t p = fork();

	if (p == 0) {
		pause();
		_exit(0);
	}
	snprintf(name, sizeof(name), "/proc/%d", p);
	dir = open(name, O_RDONLY | O_DIRECTORY);
	path = open(name, O_PATH);
	CHECK(dir >= 0 && path >= 0);
	CHECK_OK(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0));
	CHECK_ERR(syscall(SYS_pidfd_send_signal, path, 0, NULL, 0), EBADF);
	CHECK_OK(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0));
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0), ESRCH);
	CHECK_OK(close(dir));
	CHECK_OK(close(path));

	static const char *const others[] = { "/proc", "/proc/self/fd", "/proc/self/task", "/" };

	for (unsigned i = 0; i < 4; i++) {
		dir = open(others[i], O_RDONLY);
		CHECK(dir >= 0);
		CHECK_ERR(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0), EBADF);
		CHECK_OK(close(dir));
	}
}

TEST(pidfd_open_and_getfd)
{
	int p[2], fd;
	pid_t child;

	CHECK_OK(pipe(p));
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	CHECK(fd >= 0);
	CHECK_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_open, child, 0x10000000), EINVAL);
	long got = syscall(SYS_pidfd_getfd, fd, p[1], 0);

	CHECK(got >= 0);
	CHECK_EQ(write((int)got, "a", 1), 1);
	CHECK_ERR(syscall(SYS_pidfd_getfd, fd, 500, 0), EBADF);
	kill(child, SIGKILL);
	test_wait_signal(child, SIGKILL);
	CHECK_ERR(syscall(SYS_pidfd_open, child, 0), ESRCH);
}

TEST(clone3_set_tid)
{
	pid_t want = 25000;
	struct clone_args a = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&want, .set_tid_size = 1 };

	if (!test_is_root())
		test_skip("needs root");
	long p = clone3(&a, sizeof(a));

	if (p == 0)
		_exit(getpid() == 25000 ? 0 : 1);
	if (p < 0 && errno == EEXIST)
		test_skip("25000 is in use");
	CHECK_EQ(p, 25000);
	CHECK_ERR(clone3(&a, sizeof(a)), EEXIST);
	test_wait_exit((pid_t)p, 0);
	want = 0;
	CHECK_ERR(clone3(&a, sizeof(a)), EINVAL);
}

TEST(unshare_files)
{
	int fd = open("/dev/null", O_RDONLY);
	long p = raw_clone(CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

	if (p == 0) {
		if (unshare(CLONE_FILES))
			_exit(1);
		close(fd);
		_exit(0);
	}
	test_wait_exit((pid_t)p, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_ERR(unshare(0x1), EINVAL);
}

/* clone(2) takes any byte for a signal; what is none is not sent. */
TEST(clone_exit_signal_that_is_none)
{
	for (int sig = 65; sig < 256; sig += 95) {
		pid_t pid = (pid_t)syscall(SYS_clone, sig, 0, 0, 0, 0);
		int st;

		if (pid == 0)
			_exit(3);
		CHECK(pid > 0);
		CHECK_EQ(waitpid(pid, &st, __WALL), pid);
		CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 3);
	}
}

TEST(clone3_refusals)
{
	struct clone_args a = { .flags = CLONE_SETTLS, .tls = 1ull << 63, .exit_signal = SIGCHLD };
	int both;

	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EPERM);
	a = (struct clone_args){ .flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
				 .exit_signal = SIGCHLD,
				 .pidfd = (uintptr_t)&both,
				 .parent_tid = (uintptr_t)&both };
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
	a = (struct clone_args){ .flags = CLONE_INTO_CGROUP,
				 .exit_signal = SIGCHLD,
				 .cgroup = -1ull };
	CHECK_ERR(syscall(SYS_clone3, &a, 88), EINVAL);
	a.cgroup = 1000;
	CHECK_ERR(syscall(SYS_clone3, &a, 88), EBADF);
}

TEST(waitid_writes_its_members_only)
{
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	memset(&si, 0x55, sizeof(si));
	CHECK_OK(syscall(SYS_waitid, P_PID, pid, &si, WEXITED | WNOHANG, NULL));
	CHECK_EQ(si.si_pid, 0);
	CHECK_EQ(((unsigned char *)&si)[sizeof(si) - 1], 0x55);
	kill(pid, SIGKILL);
}
