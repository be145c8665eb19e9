/* Events: fork, vfork, clone, exec, exit; threads of a tracee. */
#include "trace.h"
#include <pthread.h>

static void expect_event(pid_t pid, int event)
{
	expect_stop(pid, SIGTRAP | event << 8);
}

static unsigned long message(pid_t pid)
{
	unsigned long m = 0;

	CHECK_OK(pt(PTRACE_GETEVENTMSG, pid, 0, ul(&m)));
	return m;
}

static int forks(void *arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		_exit(5);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

TEST(fork_event)
{
	pid_t pid = traced_child(forks, NULL), child;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_FORK);
	child = (pid_t)message(pid);
	CHECK(child > 0);
	CHECK_EQ(regs_of(pid).orig_rax, SYS_clone);
	expect_stop(child, SIGSTOP);
	siginfo_t si;
	CHECK_OK(pt(PTRACE_GETSIGINFO, child, 0, ul(&si)));
	CHECK_EQ(si.si_signo, SIGSTOP);
	CHECK_EQ(si.si_code, SI_USER);
	CHECK_OK(pt(PTRACE_CONT, child, 0, 0));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(child, 5); /* the tracer first, then the parent */
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_pid, child);
	CHECK_EQ(si.si_status, 5);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGCHLD));
	expect_exit(pid, 5);
}

TEST(seized_child_stops_with_event_stop)
{
	int p[2];
	pid_t pid, child;

	CHECK_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		char c;

		if (read(p[0], &c, 1) != 1)
			_exit(1);
		_exit(forks(NULL));
	}
	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK));
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect_event(pid, PTRACE_EVENT_FORK);
	child = (pid_t)message(pid);
	expect_event(child, PTRACE_EVENT_STOP);
	CHECK_OK(pt(PTRACE_CONT, child, 0, 0));
	expect_exit(child, 5);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 5);
}

TEST(without_the_option_the_child_is_free)
{
	pid_t pid = traced_child(forks, NULL);

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 5);
}

static int vforks(void *arg)
{
	int status;
	pid_t pid = vfork();

	(void)arg;
	if (pid == 0)
		_exit(6);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

TEST(vfork_events)
{
	pid_t pid = traced_child(vforks, NULL), child;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_VFORK);
	child = (pid_t)message(pid);
	expect_stop(child, SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(pt(PTRACE_CONT, child, 0, 0));
	expect_exit(child, 6);
	expect_event(pid, PTRACE_EVENT_VFORK_DONE);
	CHECK_EQ(message(pid), child);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 6);
}

/* --- exec --- */

static int execs(void *arg)
{
	char *argv[] = { arg, NULL };

	execv("/proc/thread-self/exe", argv); /* the leader may have ended */
	return 98;
}

TEST(exec_is_sigtrap_without_the_option)
{
	pid_t pid = traced_child(execs, "x-none");
	siginfo_t si;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, SI_USER);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(regs_of(pid).orig_rax, SYS_execve);
	CHECK_EQ(regs_of(pid).rax, 0);
	end(pid);
}

TEST(exec_event)
{
	pid_t pid = traced_child(execs, "x-none");

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_EXEC);
	CHECK_EQ(message(pid), pid);
	CHECK_EQ(regs_of(pid).orig_rax, SYS_execve);
	end(pid);
}

static void *exec_thread(void *arg)
{
	execs(arg);
	return NULL;
}

static int execs_in_a_thread(void *arg)
{
	pthread_t th;

	pthread_create(&th, NULL, exec_thread, arg);
	for (;;)
		pause();
}

TEST(exec_of_another_thread)
{
	pid_t pid = traced_child(execs_in_a_thread, "x-none"), tid;
	int status;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_CLONE);
	tid = (pid_t)message(pid);
	expect_stop(tid, SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, tid, 0, 0));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	/* Not a word of the leader's end, nor of the thread, which has the leader's number now. */
	CHECK_EQ(waitpid(-1, &status, __WALL), pid);
	CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_EXEC << 8);
	CHECK_EQ(message(pid), tid);
	CHECK_ERR(pt(PTRACE_CONT, tid, 0, 0), ESRCH);
	end(pid);
}

/* --- exit --- */

TEST(exit_event)
{
	pid_t pid = traced_child(returns, (void *)9);

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_EXIT);
	CHECK_EQ(message(pid), 9 << 8);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 9);
}

TEST(exit_event_of_a_kill)
{
	pid_t pid = traced_child(returns, NULL);

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	CHECK_OK(kill(pid, SIGKILL));
	expect_event(pid, PTRACE_EVENT_EXIT);
	CHECK_EQ(message(pid), SIGKILL);
	CHECK_OK(kill(pid, SIGKILL)); /* it is ending: nothing more can be sent */
	usleep(20000);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_killed(pid, SIGKILL);
}

/* --- threads --- */

static void *thread_returns(void *arg)
{
	return arg;
}

static int makes_a_thread(void *arg)
{
	pthread_t th;

	pthread_create(&th, NULL, thread_returns, NULL);
	pthread_join(th, NULL);
	return (int)(long)arg;
}

TEST(clone_event_and_end_of_a_thread)
{
	pid_t pid = traced_child(makes_a_thread, (void *)2), tid;
	int status;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_CLONE);
	tid = (pid_t)message(pid);
	expect_stop(tid, SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(pt(PTRACE_CONT, tid, 0, 0));
	CHECK_EQ(waitpid(tid, &status, __WALL), tid);
	CHECK(WIFEXITED(status)); /* with its own code, or its process's */
	expect_exit(pid, 2);
}

/* A dead thread that its tracer has not waited for holds the process's end back. */
TEST(process_ends_after_its_tracees)
{
	pid_t pid = traced_child(makes_a_thread, (void *)2), tid;
	int status;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_CLONE);
	tid = (pid_t)message(pid);
	expect_stop(tid, SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(pt(PTRACE_CONT, tid, 0, 0));
	usleep(100000);
	CHECK_EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	expect_exit(tid, 2); /* the process's code by now */
	expect_exit(pid, 2);
}

static int waits_in_threads(void *arg)
{
	pthread_t th;

	for (int i = 0; i < 3; i++)
		pthread_create(&th, NULL, (void *(*)(void *))pause, NULL);
	(void)arg;
	for (;;)
		pause();
}

TEST(kill_ends_stopped_threads)
{
	pid_t pid = traced_child(waits_in_threads, NULL);
	int status, ends = 0;
	pid_t got;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	for (int i = 0; i < 6; i++) { /* three events, three SIGSTOPs */
		CHECK((got = waitpid(-1, &status, __WALL)) > 0);
		CHECK(WIFSTOPPED(status));
		if (got == pid)
			CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	}
	CHECK_OK(kill(pid, SIGKILL));
	while ((got = waitpid(-1, &status, __WALL)) > 0) {
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		ends++;
		if (got == pid)
			CHECK_EQ(ends, 4); /* the leader comes last */
	}
	CHECK_EQ(errno, ECHILD);
	CHECK_EQ(ends, 4);
}

static void *naps_and_ends(void *arg)
{
	usleep(100000);
	return arg;
}

static void *naps_and_execs(void *arg)
{
	usleep(100000);
	execs(arg);
	return arg;
}

static int leader_leaves(void *arg)
{
	pthread_t th;

	pthread_create(&th, NULL, arg ? naps_and_execs : naps_and_ends, arg);
	syscall(SYS_exit, 4);
	return 0;
}

/* A leader that has ended is reported with its process, not before. */
TEST(leader_ends_first)
{
	pid_t pid = traced_child(leader_leaves, NULL), tid, got;
	int status;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_CLONE);
	tid = (pid_t)message(pid);
	expect_stop(tid, SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	usleep(50000);
	CHECK_EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	CHECK_OK(pt(PTRACE_CONT, tid, 0, 0));
	CHECK((got = waitpid(-1, &status, __WALL)) > 0);
	CHECK_EQ(got, tid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(waitpid(-1, &status, __WALL), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(waitpid(-1, &status, __WALL), -1);
}

TEST(exec_after_the_leader_has_ended)
{
	pid_t pid = traced_child(leader_leaves, "x-none"), tid;
	int status;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_event(pid, PTRACE_EVENT_CLONE);
	tid = (pid_t)message(pid);
	expect_stop(tid, SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(pt(PTRACE_CONT, tid, 0, 0));
	CHECK_EQ(waitpid(-1, &status, __WALL), pid);
	CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_EXEC << 8);
	CHECK_EQ(message(pid), tid);
	end(pid);
}

/* Group stop of a seized process: every thread reports it. */
TEST(every_seized_thread_reports_a_group_stop)
{
	int status, n = 0, p[2];
	pid_t pid, got;

	CHECK_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		char c;

		if (read(p[0], &c, 1) != 1)
			_exit(1);
		waits_in_threads(NULL);
	}
	CHECK_OK(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACECLONE));
	CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 6; i++) {
		CHECK((got = waitpid(-1, &status, __WALL)) > 0);
		CHECK_OK(pt(PTRACE_CONT, got, 0, 0));
	}
	CHECK_OK(kill(pid, SIGSTOP));
	while (n < 4) {
		CHECK((got = waitpid(-1, &status, __WALL)) > 0);
		if (status >> 8 == SIGSTOP) {
			CHECK_OK(pt(PTRACE_CONT, got, 0, SIGSTOP));
		} else {
			CHECK_EQ(status >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);
			n++;
			CHECK_OK(pt(PTRACE_LISTEN, got, 0, 0));
		}
	}
	CHECK_EQ(waitpid(-1, &status, WNOHANG | __WALL), 0);
	CHECK_OK(kill(pid, SIGKILL));
	while (waitpid(-1, &status, __WALL) > 0)
		CHECK(WIFSIGNALED(status));
}
