/* fork(2), wait(2), waitid: who is waited for, what is reported, what is inherited. */
#include "test.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static int exit_with(void *arg)
{
	return (int)(long)arg;
}

static int killed_by(void *arg)
{
	kill(getpid(), (int)(long)arg);
	return 0;
}

static int pausing(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

TEST(exit_status_is_eight_bits)
{
	int st;
	pid_t p = test_fork(exit_with, (void *)0x1ff);

	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 0xff);
}

TEST(fatal_signal_status)
{
	test_wait_signal(test_fork(killed_by, (void *)SIGTERM), SIGTERM);
	test_wait_signal(test_fork(killed_by, (void *)SIGKILL), SIGKILL);
	test_wait_signal(test_fork(killed_by, (void *)SIGUSR1), SIGUSR1);
}

TEST(wait_without_children)
{
	CHECK_ERR(wait(NULL), ECHILD);
	CHECK_ERR(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, 0), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, 0x40), EINVAL);
}

TEST(wnohang_sees_only_the_ended)
{
	pid_t p = test_fork(pausing, NULL);

	CHECK_EQ(waitpid(p, NULL, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
	CHECK_ERR(waitpid(p, NULL, WNOHANG), ECHILD);
}

TEST(wait_by_group)
{
	int st;
	pid_t a = test_fork(exit_with, (void *)1), b;

	b = fork();
	if (b == 0) {
		setpgid(0, 0);
		_exit(2);
	}
	setpgid(b, b);
	CHECK_EQ(waitpid(-b, &st, 0), b);
	CHECK_EQ(WEXITSTATUS(st), 2);
	CHECK_ERR(waitpid(-b, &st, 0), ECHILD);
	CHECK_EQ(waitpid(0, &st, 0), a);
	CHECK_EQ(WEXITSTATUS(st), 1);
}

TEST(waitid_fills_siginfo)
{
	siginfo_t si;
	pid_t p = test_fork(exit_with, (void *)7);

	memset(&si, 0xff, sizeof(si));
	CHECK_OK(waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_pid, p);
	CHECK_EQ(si.si_uid, getuid());
	CHECK_EQ(si.si_status, 7);
	CHECK_OK(waitid(P_ALL, 0, &si, WEXITED));
	CHECK_EQ(si.si_pid, p);
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);

	p = test_fork(killed_by, (void *)SIGUSR2);
	CHECK_OK(waitid(P_PID, (id_t)p, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGUSR2);

	p = test_fork(pausing, NULL);
	memset(&si, 0xff, sizeof(si));
	CHECK_OK(waitid(P_PID, (id_t)p, &si, WEXITED | WNOHANG));
	CHECK_EQ(si.si_pid, 0);
	CHECK_EQ(si.si_signo, 0);
	CHECK_ERR(waitid(P_PID, (id_t)p, &si, WNOHANG), EINVAL);
	CHECK_ERR(waitid(P_PID, 0, &si, WEXITED), EINVAL);
	CHECK_ERR(waitid((idtype_t)9, 1, &si, WEXITED), EINVAL);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
}

TEST(stop_and_continue_are_reported)
{
	siginfo_t si;
	int st;
	pid_t p = test_fork(pausing, NULL);

	kill(p, SIGSTOP);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(WSTOPSIG(st), SIGSTOP);
	CHECK_EQ(waitpid(p, &st, WUNTRACED | WNOHANG), 0);
	kill(p, SIGCONT);
	CHECK_EQ(waitpid(p, &st, WCONTINUED), p);
	CHECK(WIFCONTINUED(st));
	kill(p, SIGSTOP);
	CHECK_OK(waitid(P_PID, (id_t)p, &si, WSTOPPED | WNOWAIT));
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
}

static volatile sig_atomic_t chld_code, chld_status, chld_pid;

static void on_chld(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	chld_code = si->si_code;
	chld_status = si->si_status;
	chld_pid = si->si_pid;
}

TEST(sigchld_carries_the_cause)
{
	struct sigaction sa = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO };
	sigset_t none, chld;
	pid_t p;

	sigemptyset(&none);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
	p = test_fork(exit_with, (void *)5);
	sigsuspend(&none);
	CHECK_EQ(chld_pid, p);
	CHECK_EQ(chld_code, CLD_EXITED);
	CHECK_EQ(chld_status, 5);
	test_wait_exit(p, 5);
}

TEST(explicit_ignore_reaps)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t p = test_fork(exit_with, NULL);

	CHECK_ERR(waitpid(p, NULL, 0), ECHILD);
	CHECK_ERR(kill(p, 0), ESRCH);
}

TEST(default_ignore_leaves_zombie)
{
	signal(SIGCHLD, SIG_DFL);
	test_wait_exit(test_fork(exit_with, (void *)3), 3);
}

TEST(nocldwait_reaps)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
	CHECK_ERR(waitpid(test_fork(exit_with, NULL), NULL, 0), ECHILD);
}

TEST(orphan_goes_to_subreaper)
{
	int fd[2], st;
	pid_t grandchild = 0, child;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(pipe(fd));
	child = fork();
	if (child == 0) {
		pid_t g = fork();

		if (g == 0) {
			while (getppid() != *(volatile pid_t *)&child && getppid() == 0)
				;
			usleep(50000);
			_exit(9);
		}
		if (write(fd[1], &g, sizeof(g)) != sizeof(g))
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(read(fd[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	test_wait_exit(child, 0);
	CHECK_EQ(waitpid(grandchild, &st, 0), grandchild);
	CHECK_EQ(WEXITSTATUS(st), 9);
}

TEST(parent_death_signal)
{
	int fd[2];
	char c;
	pid_t child;

	CHECK_OK(pipe(fd));
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			close(fd[0]);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (write(fd[1], "x", 1) != 1)
				_exit(1);
			pausing(NULL);
		}
		close(fd[1]);
		_exit(read(fd[0], &c, 1) == 1 ? 0 : 1);
	}
	close(fd[1]);
	test_wait_exit(child, 0);
	CHECK_EQ(read(fd[0], &c, 1), 0); /* the grandchild's end is closed: it is dead */
}

TEST(rusage_of_children_adds_up)
{
	struct rusage ru;
	int st;
	pid_t p = fork();

	if (p == 0) {
		while (clock() < CLOCKS_PER_SEC / 20)
			;
		_exit(0);
	}
	CHECK_EQ(wait4(p, &st, 0, &ru), p);
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 +
	      ru.ru_stime.tv_usec >= 20000);
	CHECK(ru.ru_maxrss > 0);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &ru));
	CHECK(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + ru.ru_utime.tv_sec + ru.ru_stime.tv_sec > 0);
}

TEST(vfork_shares_memory_and_waits)
{
	volatile int seen = 0;
	pid_t p = vfork();

	if (p == 0) {
		seen = 1;
		_exit(4);
	}
	CHECK_EQ(seen, 1);
	test_wait_exit(p, 4);
}

TEST_TIMED(many_children, 60)
{
	enum { N = 300 };
	int st, sum = 0;

	for (int i = 0; i < N; i++)
		test_fork(exit_with, (void *)(long)(i & 7));
	for (int i = 0; i < N; i++) {
		CHECK(wait(&st) > 0);
		sum += WEXITSTATUS(st);
	}
	CHECK_ERR(wait(NULL), ECHILD);
	CHECK_EQ(sum, N / 8 * 28 + (0 + 1 + 2 + 3));
}

TEST(nproc_limit)
{
	struct rlimit l = { 0, 0 };

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(setrlimit(RLIMIT_NPROC, &l));
	test_wait_exit(test_fork(exit_with, NULL), 0); /* root is exempt */
	CHECK_OK(setresuid(12345, 12345, 12345));
	CHECK_ERR(fork(), EAGAIN);
}
