/* pidfds, /proc/PID directories in their place, kcmp(2), files of /proc/PID about a task. */
#include "../test.h"

#include <linux/kcmp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK O_NONBLOCK
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open_(pid_t p, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, p, flags);
}

static int send(int fd, int sig, siginfo_t *si, unsigned flags)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, si, flags);
}

static int sleeps(void *unused)
{
	(void)unused;
	pause();
	return 0;
}

TEST(proc_directory_is_a_pidfd)
{
	char path[64];
	pid_t p = test_fork(sleeps, NULL);
	int d, task, file, path_only;

	snprintf(path, sizeof(path), "/proc/%d", (int)p);
	d = open(path, O_RDONLY | O_DIRECTORY);
	path_only = open(path, O_PATH);
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)p, (int)p);
	task = open(path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)p);
	file = open(path, O_RDONLY | O_DIRECTORY);
	CHECK_OK(d);
	CHECK_OK(send(d, 0, NULL, 0));
	CHECK_ERR(send(d, 0, NULL, 8), EINVAL);
	CHECK_ERR(send(d, 99, NULL, 0), EINVAL);
	CHECK_ERR(send(task, 0, NULL, 0), EBADF);
	CHECK_ERR(send(file, 0, NULL, 0), EBADF);
	CHECK_ERR(send(path_only, 0, NULL, 0), EBADF);
	CHECK_ERR(send(0, 0, NULL, 0), EBADF);
	CHECK_ERR(send(999, 0, NULL, 0), EBADF);
	CHECK_OK(send(d, SIGUSR1, NULL, 0));
	test_wait_signal(p, SIGUSR1);
	CHECK_ERR(send(d, 0, NULL, 0), ESRCH);
}

TEST(pidfd_open_checks)
{
	pid_t p = test_fork(sleeps, NULL);
	siginfo_t si;
	int fd;

	CHECK_ERR(pidfd_open_(p, 1), EINVAL);
	CHECK_ERR(pidfd_open_(p, O_EXCL), EINVAL); /* PIDFD_THREAD came later */
	CHECK_ERR(pidfd_open_(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open_(0, 0), EINVAL);
	fd = pidfd_open_(p, PIDFD_NONBLOCK);
	CHECK_OK(fd);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK_ERR(waitid(P_PIDFD, (id_t)fd, &si, WEXITED), EAGAIN);
	CHECK_OK(send(fd, SIGKILL, NULL, 0));
	struct pollfd pf = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&pf, 1, 5000), 1);
	CHECK_OK(waitid(P_PIDFD, (id_t)fd, &si, WEXITED));
	CHECK_EQ(si.si_pid, p);
	CHECK_EQ(si.si_status, SIGKILL);
	CHECK_ERR(waitid(P_PIDFD, (id_t)fd, &si, WEXITED), ECHILD);
	CHECK_ERR(send(fd, 0, NULL, 0), ESRCH);
}

static long kcmp(pid_t a, pid_t b, int type, unsigned long i, unsigned long j)
{
	return syscall(SYS_kcmp, a, b, type, i, j);
}

static void *kcmp_thread(void *tid)
{
	*(_Atomic pid_t *)tid = (pid_t)syscall(SYS_gettid);
	sleep(2);
	return NULL;
}

TEST(kcmp_compares)
{
	pid_t me = getpid(), child = test_fork(sleeps, NULL);
	_Atomic pid_t tid = 0;
	pthread_t t;
	int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);

	if (kcmp(me, me, KCMP_VM, 0, 0) < 0 && errno == ENOSYS)
		test_skip("a kernel without kcmp");
	pthread_create(&t, NULL, kcmp_thread, &tid);
	while (tid == 0)
		usleep(1000);
	for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++)
		CHECK_EQ(kcmp(me, tid, type, 0, 0), 0);
	CHECK(kcmp(me, child, KCMP_VM, 0, 0) > 0);
	CHECK_EQ(kcmp(me, child, KCMP_VM, 0, 0) + kcmp(child, me, KCMP_VM, 0, 0), 3);
	CHECK(kcmp(me, child, KCMP_FILES, 0, 0) > 0);
	CHECK(kcmp(me, child, KCMP_FS, 0, 0) > 0);
	CHECK(kcmp(me, child, KCMP_SIGHAND, 0, 0) > 0);
	CHECK_EQ(kcmp(me, me, KCMP_FILE, (unsigned)a, (unsigned)b), 0);
	CHECK(kcmp(me, me, KCMP_FILE, (unsigned)a, (unsigned)c) > 0);
	CHECK_EQ(kcmp(me, child, KCMP_FILE, 0, 0), 0);
	CHECK_ERR(kcmp(me, me, KCMP_FILE, 0, 999), EBADF);
	CHECK_ERR(kcmp(me, me, 99, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, 0x3ffffff, KCMP_VM, 0, 0), ESRCH);
	kill(child, SIGKILL);
	pthread_join(t, NULL);
}

TEST(kcmp_of_what_an_epoll_watches)
{
	struct {
		uint32_t efd, tfd, toff;
	} slot = { 0 };
	int p[2], fd, ep = epoll_create1(0), other[2];
	struct epoll_event ev = { .events = EPOLLIN };
	pid_t me = getpid();

	if (kcmp(me, me, KCMP_VM, 0, 0) < 0 && errno == ENOSYS)
		test_skip("a kernel without kcmp");
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(other));
	CHECK((fd = dup(p[0])) >= 0);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	slot.efd = (uint32_t)ep, slot.tfd = (uint32_t)p[0];
	CHECK_EQ(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot), 0);
	CHECK(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)p[1], (unsigned long)&slot) > 0);
	CHECK_OK(dup2(other[0], p[0])); /* the number is another file's now, and watched once more */
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	CHECK_EQ(!kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot) +
			 !kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)other[0], (unsigned long)&slot), 1);
	slot.toff = 1;
	CHECK_EQ(!kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot) +
			 !kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)other[0], (unsigned long)&slot), 1);
	slot.toff = 2;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot), ENOENT);
	slot.tfd = 999;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot), ENOENT);
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, 999, (unsigned long)&slot), EBADF);
	slot.efd = (uint32_t)fd;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot), EINVAL);
	slot.efd = 999;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, (unsigned long)&slot), EBADF);
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, (unsigned)fd, 8), EFAULT);
}

TEST(swap_areas_of_no_kind)
{
	if (!test_is_root())
		test_skip("needs root");
	close(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_OK(truncate("f", 1 << 20));
	CHECK_ERR(syscall(SYS_swapon, "f", 0), EINVAL);
	CHECK_ERR(syscall(SYS_swapon, ".", 0), EISDIR);
	CHECK_ERR(syscall(SYS_swapoff, "."), EISDIR);
	CHECK_ERR(syscall(SYS_swapon, "none", 0), ENOENT);
	CHECK_ERR(syscall(SYS_swapon, "none", 0x100000), EINVAL);
	CHECK_ERR(syscall(SYS_swapon, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_swapoff, "f"), EINVAL);
	CHECK_ERR(syscall(SYS_swapoff, "none"), ENOENT);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(syscall(SYS_swapon, "none", 0), EPERM);
	CHECK_ERR(syscall(SYS_swapoff, "none"), EPERM);
}

TEST(proc_syscall_says_where_a_task_waits)
{
	char path[64], want[32];
	pid_t p = test_fork(sleeps, NULL);

	usleep(100000);
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)p);
	if (access(path, R_OK) != 0)
		test_skip("no such file");
	snprintf(want, sizeof(want), "%d 0x", SYS_pause);
	CHECK_EQ(strncmp(test_slurp(path), want, strlen(want)), 0);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
	CHECK_EQ(atoi(test_slurp("/proc/self/syscall")), SYS_read);
}

TEST(proc_timers_and_slack)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 0x77 };
	char want[128];
	timer_t t;

	CHECK_STR(test_slurp("/proc/self/timerslack_ns"), "50000\n");
	CHECK_OK(prctl(PR_SET_TIMERSLACK, 1234));
	CHECK_STR(test_slurp("/proc/self/timerslack_ns"), "1234\n");
	if (access("/proc/self/timers", R_OK) != 0)
		test_skip("no /proc/PID/timers");
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	snprintf(want, sizeof(want), "ID: 0\nsignal: 12/0000000000000077\nnotify: signal/pid.%d\nClockID: 1\n", (int)getpid());
	CHECK_STR(test_slurp("/proc/self/timers"), want);
}

TEST(stopped_groups_when_their_parents_end)
{
	int p[2], status;
	char c;
	pid_t middle;

	/* The child stops; its parent, in the same session but another group, ends: SIGHUP and SIGCONT. */
	CHECK_OK(pipe(p));
	middle = fork();
	if (middle == 0) {
		pid_t child = fork();

		if (child == 0) {
			sigset_t s;
			int sig;

			setpgid(0, 0);
			sigemptyset(&s);
			sigaddset(&s, SIGHUP);
			sigprocmask(SIG_BLOCK, &s, NULL);
			raise(SIGSTOP);
			alarm(10);
			sigwait(&s, &sig);
			c = (char)sig;
			if (write(p[1], &c, 1) != 1)
				_exit(1);
			_exit(0);
		}
		waitpid(child, &status, WUNTRACED);
		_exit(WIFSTOPPED(status) ? 0 : 1);
	}
	test_wait_exit(middle, 0);
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, SIGHUP);
}
