/* Stops of a tracee: signals, groups, attach, seize; who waits for what. */
#include "trace.h"
#include <pthread.h>
#include <poll.h>
#include <sys/prctl.h>

TEST(traceme_then_signal_stop_then_exit)
{
	pid_t pid = traced_child(returns, (void *)7);

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 7);
}

TEST(traceme_twice_is_eperm)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (pt(PTRACE_TRACEME, 0, 0, 0))
			_exit(1);
		_exit(pt(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM ? 0 : 2);
	}
	expect_exit(pid, 0);
}

TEST(requests_need_a_stopped_tracee)
{
	pid_t pid = idle_child();
	unsigned long word;

	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, ul(&word), ul(&word)), ESRCH);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_KILL, pid, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_INTERRUPT, pid, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_CONT, 999999, 0, 0), ESRCH);
	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, 0));
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, ul(&word), ul(&word)), ESRCH);
	CHECK_ERR(pt(0x7777, pid, 0, 0), ESRCH);
	CHECK_OK(pt(PTRACE_INTERRUPT, pid, 0, 0));
	expect_stop(pid, SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_ERR(pt(0x7777, pid, 0, 0), EIO);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 65), EIO);
	CHECK_ERR(pt(PTRACE_DETACH, pid, 0, 65), EIO);
	CHECK_OK(pt(PTRACE_KILL, pid, 0, 0));
	expect_killed(pid, SIGKILL);
}

TEST(attach_errors)
{
	pid_t pid = idle_child();

	CHECK_ERR(pt(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(pt(PTRACE_ATTACH, 0, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_ATTACH, -5, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 8, 0), EIO);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 0, 0x400), EIO);
	CHECK_OK(pt(PTRACE_ATTACH, pid, 0, 0));
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	expect_stop(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	CHECK_ERR(pt(PTRACE_LISTEN, pid, 0, 0), EIO);
	end(pid);
	pid = fork();
	if (pid == 0)
		_exit(0);
	siginfo_t si;
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	expect_exit(pid, 0);
}

static int sends_itself_usr1(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
	return 3;
}

TEST(signal_is_the_tracers_to_choose)
{
	pid_t pid = traced_child(sends_itself_usr1, NULL);

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0)); /* SIGSTOP is dropped */
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 3);

	pid = traced_child(sends_itself_usr1, NULL);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGUSR1));
	expect_killed(pid, SIGUSR1);

	pid = traced_child(sends_itself_usr1, NULL);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGKILL));
	expect_killed(pid, SIGKILL);
}

static volatile sig_atomic_t got_sig, got_code, got_pid;

static void note(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	got_sig = sig;
	got_code = si->si_code;
	got_pid = si->si_pid;
}

static int handles_usr2(void *arg)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	(void)arg;
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR1);
	return got_sig == SIGUSR2 && got_code == SI_USER && got_pid == getppid() ? 0 : 1;
}

TEST(another_signal_is_from_the_tracer)
{
	pid_t pid = traced_child(handles_usr2, NULL);

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGUSR2));
	expect_exit(pid, 0);
}

TEST(siginfo_can_be_read_and_changed)
{
	pid_t pid = traced_child(handles_usr2, NULL);
	siginfo_t si;

	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_signo, SIGSTOP);
	CHECK_EQ(si.si_code, SI_TKILL);
	CHECK_EQ(si.si_pid, pid);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_signo, SIGUSR1);
	si.si_signo = SIGUSR2;
	si.si_code = SI_USER;
	si.si_pid = getpid();
	CHECK_OK(pt(PTRACE_SETSIGINFO, pid, 0, ul(&si)));
	CHECK_ERR(pt(PTRACE_SETSIGINFO, pid, 0, 8), EFAULT);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGUSR2));
	expect_exit(pid, 0);
}

/* A signal that is ignored, by default or not, is the tracer's first. */
static int ignores_usr1(void *arg)
{
	(void)arg;
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGCHLD);
	return 0;
}

TEST(ignored_signals_stop_too)
{
	pid_t pid = traced_child(ignores_usr1, NULL);

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGUSR1));
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGCHLD));
	expect_exit(pid, 0);
}

TEST(sigkill_does_not_stop)
{
	pid_t pid = traced_child(returns, NULL);

	CHECK_OK(kill(pid, SIGKILL));
	expect_killed(pid, SIGKILL);
}

TEST(waitid_says_trapped)
{
	pid_t pid = traced_child(sends_itself_usr1, NULL);
	siginfo_t si = { 0 };

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, SIGUSR1);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_signo, SIGCHLD);
	expect_stop(pid, SIGUSR1);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	end(pid);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(tracer_gets_sigchld_with_trapped)
{
	sigset_t set;
	siginfo_t si;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGCHLD, nothing);
	pid = traced_child(sends_itself_usr1, NULL);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGCHLD);
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	CHECK_EQ(si.si_pid, pid);
	end(pid);
}

/* --- group stop --- */

TEST(group_stop_has_no_siginfo)
{
	pid_t pid = traced_child(returns, (void *)4);
	siginfo_t si;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	expect_stop(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)), EINVAL);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0)); /* runs though its process is stopped */
	expect_exit(pid, 4);
}

TEST(detach_in_group_stop_stays_stopped)
{
	pid_t pid = traced_child(returns, (void *)4);

	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	expect_stop(pid, SIGSTOP);
	CHECK_OK(pt(PTRACE_DETACH, pid, 0, 0));
	usleep(50000);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	expect_exit(pid, 4);
}

/* SIGCONT while the tracer looks at a stop signal: that stops nothing any more. */
TEST(sigcont_undoes_a_stop_being_looked_at)
{
	pid_t pid = traced_child(returns, (void *)4);

	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	expect_stop(pid, SIGCONT);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 4);
}

TEST(attach_to_a_stopped_process)
{
	pid_t pid = idle_child();
	int status;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(pt(PTRACE_ATTACH, pid, 0, 0));
	expect_stop(pid, SIGSTOP); /* the group stop, at once */
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGSTOP); /* attach's own */
	CHECK_OK(pt(PTRACE_DETACH, pid, 0, 0));
	CHECK_OK(kill(pid, SIGCONT));
	end(pid);
}

TEST(seize_of_a_stopped_process)
{
	pid_t pid = idle_child();
	siginfo_t si;
	int status;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, 0));
	expect_stop(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(si.si_signo, SIGSTOP);
	CHECK_OK(pt(PTRACE_LISTEN, pid, 0, 0));
	CHECK_ERR(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)), ESRCH);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	CHECK_OK(kill(pid, SIGCONT));
	expect_stop(pid, SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGCONT);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGCONT));
	end(pid);
}

TEST(seized_group_stop_and_listen)
{
	pid_t pid = idle_child();

	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, 0));
	CHECK_OK(kill(pid, SIGTSTP));
	expect_stop(pid, SIGTSTP);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	expect_stop(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(pt(PTRACE_LISTEN, pid, 0, 0));
	CHECK_OK(pt(PTRACE_INTERRUPT, pid, 0, 0));
	expect_stop(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(kill(pid, SIGCONT)); /* before LISTEN: heard at once */
	usleep(20000);
	CHECK_OK(pt(PTRACE_LISTEN, pid, 0, 0));
	expect_stop(pid, SIGTRAP | PTRACE_EVENT_STOP << 8);
	end(pid);
}

TEST(interrupt_of_a_sleeping_call)
{
	pid_t pid = idle_child();

	usleep(50000);
	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, 0));
	CHECK_OK(pt(PTRACE_INTERRUPT, pid, 0, 0));
	expect_stop(pid, SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(regs_of(pid).rax, -514); /* ERESTARTNOHAND: goes on as if nothing had been */
	CHECK_EQ(regs_of(pid).orig_rax, SYS_pause);
	CHECK_OK(pt(PTRACE_DETACH, pid, 0, 0));
	usleep(20000);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	end(pid);
}

/* --- who waits --- */

struct pipes {
	int to[2], from[2];
};

static void open_pipes(struct pipes *p)
{
	CHECK_OK(pipe(p->to));
	CHECK_OK(pipe(p->from));
}

/* A tracer that is not the parent: attaches to pid, says so, detaches when told. */
static pid_t third_party(pid_t pid, struct pipes *p, bool stay, unsigned long options)
{
	pid_t tracer = fork();
	char c = 0;

	if (tracer != 0) {
		CHECK_EQ(read(p->from[0], &c, 1), 1);
		CHECK_EQ(c, 'a');
		return tracer;
	}
	if (pt(PTRACE_SEIZE, pid, 0, options) || write(p->from[1], "a", 1) != 1)
		_exit(1);
	if (read(p->to[0], &c, 1) != 1)
		_exit(2);
	if (!stay)
		_exit(0);
	int status;
	if (waitpid(pid, &status, __WALL) != pid)
		_exit(3);
	if (write(p->from[1], "w", 1) != 1)
		_exit(4);
	_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 5);
}

TEST(zombie_is_its_tracers_first)
{
	pid_t pid = idle_child(), tracer;
	struct pipes p;
	int status;
	char c;

	open_pipes(&p);
	tracer = third_party(pid, &p, true, 0);
	CHECK_OK(kill(pid, SIGKILL));
	usleep(50000);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0); /* hidden */
	CHECK_EQ(write(p.to[1], "g", 1), 1);
	CHECK_EQ(read(p.from[0], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	test_wait_exit(tracer, 5);
}

TEST(zombie_of_a_tracer_that_ends_is_the_parents)
{
	pid_t pid = idle_child(), tracer;
	struct pipes p;
	int status;

	open_pipes(&p);
	tracer = third_party(pid, &p, false, 0);
	CHECK_OK(kill(pid, SIGKILL));
	usleep(30000);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(write(p.to[1], "g", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	test_wait_exit(tracer, 0);
}

TEST(end_of_the_tracer_detaches)
{
	pid_t pid = idle_child(), tracer;
	struct pipes p;

	open_pipes(&p);
	tracer = third_party(pid, &p, false, 0);
	CHECK_EQ(write(p.to[1], "g", 1), 1);
	test_wait_exit(tracer, 0);
	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, 0));
	end(pid);
}

TEST(exitkill_kills)
{
	pid_t pid = idle_child(), tracer;
	struct pipes p;

	open_pipes(&p);
	tracer = third_party(pid, &p, false, PTRACE_O_EXITKILL);
	CHECK_EQ(write(p.to[1], "g", 1), 1);
	test_wait_signal(pid, SIGKILL);
	test_wait_exit(tracer, 0);
}

/* The real parent hears of group stops of a child that another traces. */
TEST(group_stop_reaches_tracer_and_parent)
{
	pid_t pid = idle_child(), tracer;
	struct pipes p;
	int status;
	char c;

	open_pipes(&p);
	tracer = fork();
	if (tracer == 0) {
		if (pt(PTRACE_ATTACH, pid, 0, 0))
			_exit(1);
		if (waitpid(pid, &status, __WALL) != pid || status >> 8 != SIGSTOP)
			_exit(2);
		if (pt(PTRACE_CONT, pid, 0, SIGSTOP))
			_exit(3);
		if (waitpid(pid, &status, __WALL) != pid || status >> 8 != SIGSTOP)
			_exit(4);
		if (write(p.from[1], "s", 1) != 1 || read(p.to[0], &c, 1) != 1)
			_exit(5);
		_exit(0);
	}
	CHECK_EQ(read(p.from[0], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_EQ(write(p.to[1], "g", 1), 1);
	test_wait_exit(tracer, 0);
	end(pid);
}

TEST(tracer_pid_and_state_in_proc)
{
	pid_t pid = traced_child(returns, NULL);
	char path[64], want[64];

	sprintf(path, "/proc/%d/status", pid);
	sprintf(want, "TracerPid:\t%d\n", getpid());
	CHECK(strstr(test_slurp(path), want) != NULL);
	CHECK(strstr(test_slurp(path), "State:\tt (tracing stop)\n") != NULL);
	sprintf(path, "/proc/%d/stat", pid);
	CHECK(strstr(test_slurp(path), ") t ") != NULL);
	end(pid);
}

/* --- masks and queues --- */

static int blocks_usr1(void *arg)
{
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGSTOP);
	return 0;
}

TEST(mask_of_a_tracee)
{
	pid_t pid = traced_child(blocks_usr1, NULL);
	uint64_t mask;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_GETSIGMASK, pid, 4, ul(&mask)), EINVAL);
	CHECK_OK(pt(PTRACE_GETSIGMASK, pid, 8, ul(&mask)));
	CHECK_EQ(mask, 1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMIN - 1));
	CHECK_OK(kill(pid, SIGUSR1));
	mask = 1ull << (SIGKILL - 1) | 1ull << (SIGUSR2 - 1);
	CHECK_OK(pt(PTRACE_SETSIGMASK, pid, 8, ul(&mask)));
	CHECK_OK(pt(PTRACE_GETSIGMASK, pid, 8, ul(&mask)));
	CHECK_EQ(mask, 1ull << (SIGUSR2 - 1));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	end(pid);
}

TEST(queued_signals_can_be_peeked)
{
	pid_t pid = traced_child(blocks_usr1, NULL);
	struct __ptrace_peeksiginfo_args a = { .nr = 5, .flags = 1 /* PTRACE_PEEKSIGINFO_SHARED */ };
	siginfo_t si[5];

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGSTOP);
	for (int i = 0; i < 3; i++)
		CHECK_OK(sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = 10 + i }));
	CHECK_EQ(pt(PTRACE_PEEKSIGINFO, pid, ul(&a), ul(si)), 3);
	CHECK_EQ(si[0].si_signo, SIGRTMIN);
	CHECK_EQ(si[2].si_value.sival_int, 12);
	a.off = 2;
	CHECK_EQ(pt(PTRACE_PEEKSIGINFO, pid, ul(&a), ul(si)), 1);
	CHECK_EQ(si[0].si_value.sival_int, 12);
	a.flags = 0;
	CHECK_EQ(pt(PTRACE_PEEKSIGINFO, pid, ul(&a), ul(si)), 0);
	a.flags = 2;
	CHECK_ERR(pt(PTRACE_PEEKSIGINFO, pid, ul(&a), ul(si)), EINVAL);
	a.flags = 0;
	a.nr = -1;
	CHECK_ERR(pt(PTRACE_PEEKSIGINFO, pid, ul(&a), ul(si)), EINVAL);
	end(pid);
}

/* --- rights --- */

TEST(no_right_to_trace_another_user)
{
	pid_t pid;

	if (!test_is_root())
		test_skip("needs root");
	pid = idle_child();
	pid_t tracer = fork();
	if (tracer == 0) {
		CHECK_OK(setgid(1000));
		CHECK_OK(setuid(1000));
		_exit(pt(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM ? 0 : 1);
	}
	expect_exit(tracer, 0);
	end(pid);
}

TEST(not_dumpable_is_not_traceable)
{
	pid_t tracer;

	if (!test_is_root())
		test_skip("needs root");
	tracer = fork();
	if (tracer == 0) {
		int p[2];
		char c;

		CHECK_OK(setgid(1000));
		CHECK_OK(setuid(1000));
		CHECK_OK(pipe(p));
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_DUMPABLE, 0);
			if (write(p[1], "x", 1) == 1)
				pause();
			_exit(0);
		}
		CHECK_EQ(read(p[0], &c, 1), 1);
		int ok = pt(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM;
		kill(pid, SIGKILL);
		_exit(ok ? 0 : 1);
	}
	expect_exit(tracer, 0);
}

TEST(options_are_checked)
{
	pid_t pid = traced_child(returns, NULL);

	CHECK_ERR(pt(PTRACE_SETOPTIONS, pid, 0, 0x400), EINVAL);
	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, 0xff | PTRACE_O_EXITKILL));
	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, 0));
	end(pid);
}
