/* Process groups, sessions, orphaned groups: setpgid(2), setsid(2), POSIX job control. */
#include "test.h"
#include <sys/prctl.h>

static int pausing(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

TEST(setpgid_rules)
{
	pid_t p = test_fork(pausing, NULL), q;

	CHECK_OK(setpgid(p, p));
	CHECK_EQ(getpgid(p), p);
	CHECK_OK(setpgid(p, getpgrp()));
	CHECK_EQ(getpgid(p), getpgrp());
	CHECK_ERR(setpgid(p, -1), EINVAL);
	CHECK_ERR(setpgid(p, 0x3ffffff), EPERM);
	CHECK_ERR(setpgid(0x3ffffff, 0), ESRCH);
	CHECK_ERR(setpgid(getppid(), 0), ESRCH);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
	q = fork();
	if (q == 0) {
		if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
			_exit(1);
		if (setsid() != -1 || errno != EPERM)
			_exit(2);
		if (setpgid(0, 0) != -1 || errno != EPERM)
			_exit(3);
		_exit(0);
	}
	test_wait_exit(q, 0);
}

TEST(setpgid_of_a_child_in_another_session)
{
	int fd[2];
	char c;
	pid_t p;

	CHECK_OK(pipe(fd));
	p = fork();
	if (p == 0) {
		setsid();
		if (write(fd[1], "x", 1) != 1)
			_exit(1);
		pausing(NULL);
	}
	CHECK_EQ(read(fd[0], &c, 1), 1);
	CHECK_ERR(setpgid(p, p), EPERM);
	CHECK_EQ(getsid(p), p);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
}

TEST(kill_group)
{
	pid_t a = test_fork(pausing, NULL), b = test_fork(pausing, NULL);

	CHECK_OK(setpgid(a, a));
	CHECK_OK(setpgid(b, a));
	CHECK_OK(kill(-a, SIGTERM));
	test_wait_signal(a, SIGTERM);
	test_wait_signal(b, SIGTERM);
	CHECK_ERR(kill(-a, 0), ESRCH);
}

TEST(group_outlives_its_leader)
{
	pid_t a = test_fork(pausing, NULL), b = test_fork(pausing, NULL);

	CHECK_OK(setpgid(a, a));
	CHECK_OK(setpgid(b, a));
	kill(a, SIGKILL);
	test_wait_signal(a, SIGKILL);
	CHECK_EQ(getpgid(b), a);
	CHECK_OK(kill(-a, SIGTERM));
	test_wait_signal(b, SIGTERM);
}

TEST(terminal_stop_signals_and_handlers)
{
	int st;
	pid_t p = test_fork(pausing, NULL);

	CHECK_OK(setpgid(p, p)); /* not orphaned: we are its parent, in another group of the session */
	kill(p, SIGTSTP);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(WSTOPSIG(st), SIGTSTP);
	kill(p, SIGCONT);
	CHECK_EQ(waitpid(p, &st, WCONTINUED), p);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
}

TEST(orphaned_group_ignores_terminal_stops)
{
	int st;
	pid_t p = fork();

	if (p == 0) {
		setsid(); /* its parent is in another session: the group is orphaned */
		raise(SIGTSTP);
		_exit(21);
	}
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 21);
}

static volatile sig_atomic_t hups, conts;

static void on_hup(int sig)
{
	hups += sig == SIGHUP;
	conts += sig == SIGCONT;
}

TEST(stopped_orphans_get_hup_and_cont)
{
	int fd[2];
	char c = 0;
	pid_t session;

	CHECK_OK(pipe(fd));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	session = fork();
	if (session == 0) {
		setsid();
		pid_t job = fork();

		if (job == 0) {
			setpgid(0, 0);
			signal(SIGHUP, on_hup);
			signal(SIGCONT, on_hup);
			raise(SIGSTOP);
			while (!hups || !conts)
				usleep(1000);
			if (write(fd[1], "h", 1) != 1)
				_exit(1);
			_exit(0);
		}
		int st;

		waitpid(job, &st, WUNTRACED);
		_exit(WIFSTOPPED(st) ? 0 : 1); /* our end orphans the job's group */
	}
	test_wait_exit(session, 0);
	CHECK_EQ(read(fd[0], &c, 1), 1);
	CHECK_EQ(c, 'h');
}

TEST(cont_discards_pending_stop)
{
	sigset_t s, p;

	sigemptyset(&s);
	sigaddset(&s, SIGTSTP);
	sigaddset(&s, SIGCONT);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise(SIGTSTP);
	sigpending(&p);
	CHECK(sigismember(&p, SIGTSTP));
	signal(SIGCONT, on_hup);
	raise(SIGCONT);
	sigpending(&p);
	CHECK(!sigismember(&p, SIGTSTP));
	CHECK(sigismember(&p, SIGCONT));
	raise(SIGTSTP);
	sigpending(&p);
	CHECK(sigismember(&p, SIGTSTP));
	CHECK(!sigismember(&p, SIGCONT));
	raise(SIGCONT);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	CHECK_EQ(conts, 1);
}

static volatile sig_atomic_t chlds;

static void on_chld(int sig)
{
	(void)sig;
	chlds++;
}

TEST(nocldstop_silences_stops)
{
	struct sigaction sa = { .sa_handler = on_chld, .sa_flags = SA_NOCLDSTOP };
	int st;
	pid_t p = test_fork(pausing, NULL);

	sigaction(SIGCHLD, &sa, NULL);
	kill(p, SIGSTOP);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK_EQ(chlds, 0);
	sa.sa_flags = 0;
	sigaction(SIGCHLD, &sa, NULL);
	kill(p, SIGCONT);
	CHECK_EQ(waitpid(p, &st, WCONTINUED), p);
	usleep(20000);
	CHECK_EQ(chlds, 1);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
}
