/* What a tracer may not do: privileges across exec, memory that cannot be read; threads of a tracer. */
#include "trace.h"
#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>

enum { USER = 1000 };

/* The program again, as a set-user-id copy: says whether it is root now. */
static __attribute__((constructor)) void as_setid_copy(void)
{
	if (getenv("AM_I_ROOT"))
		_exit(geteuid() == 0 ? 50 : 51);
}

static void copy_of_self(const char *to, mode_t mode)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
	CHECK_OK(chmod(to, mode));
	CHECK_OK(chmod(".", 0755));
}

static void become_user(void)
{
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setgid(USER));
	CHECK_OK(setuid(USER));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
}

static int execs_copy(void *arg)
{
	char *argv[] = { "copy", NULL }, *envp[] = { "AM_I_ROOT=1", NULL };

	(void)arg;
	execve("copy", argv, envp);
	return 97;
}

static int run_traced_copy(void)
{
	pid_t pid = traced_child(execs_copy, NULL);
	int status;

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP | PTRACE_EVENT_EXEC << 8);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(set_id_exec_of_a_tracee_gains_nothing)
{
	int status;
	pid_t pid;

	if (!test_is_root())
		test_skip("needs root");
	copy_of_self("copy", 04755);
	pid = fork();
	if (pid == 0) {
		become_user();
		if (fork() == 0) /* untraced, it does */
			_exit(execs_copy(NULL));
		wait(&status);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 50)
			_exit(1);
		_exit(run_traced_copy());
	}
	expect_exit(pid, 51);
}

static int becomes_user_and_execs(void *arg)
{
	become_user();
	return execs_copy(arg);
}

TEST(set_id_exec_with_a_privileged_tracer_gains)
{
	pid_t pid;

	if (!test_is_root())
		test_skip("needs root");
	copy_of_self("copy", 04755);
	pid = traced_child(becomes_user_and_execs, NULL);
	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP | PTRACE_EVENT_EXEC << 8);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 50);
}

TEST(program_that_cannot_be_read)
{
	pid_t pid;

	if (!test_is_root())
		test_skip("needs root");
	copy_of_self("copy", 0711);
	pid = fork();
	if (pid == 0) {
		unsigned long word;

		become_user();
		pid = traced_child(execs_copy, NULL);
		CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
		expect_stop(pid, SIGTRAP);
		CHECK_ERR(pt(PTRACE_PEEKTEXT, pid, regs_of(pid).rip, ul(&word)), EIO);
		CHECK_ERR(pt(PTRACE_POKETEXT, pid, regs_of(pid).rip, 0), EIO);
		CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
		expect_exit(pid, 51);
		_exit(0);
	}
	expect_exit(pid, 0);
}

/* --- threads of the tracer --- */

static pid_t shared_pid;
static int barrier_pipe[2];

static void *attaches_and_ends(void *arg)
{
	char c;

	(void)arg;
	if (pt(PTRACE_SEIZE, shared_pid, 0, 0) || write(barrier_pipe[1], "a", 1) != 1)
		return (void *)1;
	while (read(barrier_pipe[0], &c, 1) != 1 || c != 'e')
		usleep(1000);
	return NULL;
}

TEST(tracer_is_a_thread)
{
	pthread_t th;
	void *res;
	char c = 0;
	int status, p[2], q[2];

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	shared_pid = idle_child();
	barrier_pipe[0] = q[0];
	barrier_pipe[1] = p[1];
	CHECK_EQ(pthread_create(&th, NULL, attaches_and_ends, NULL), 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_ERR(pt(PTRACE_INTERRUPT, shared_pid, 0, 0), ESRCH); /* not this thread's */
	CHECK_ERR(pt(PTRACE_SEIZE, shared_pid, 0, 0), EPERM);
	CHECK_OK(kill(shared_pid, SIGUSR1));
	expect_stop(shared_pid, SIGUSR1); /* but any of them may wait */
	CHECK_ERR(pt(PTRACE_CONT, shared_pid, 0, 0), ESRCH);
	CHECK_EQ(write(q[1], "e", 1), 1);
	CHECK_EQ(pthread_join(th, &res), 0);
	CHECK(res == NULL);
	/* Its tracer has ended: it goes on, without the signal that had been waited for. */
	usleep(50000);
	CHECK_EQ(waitpid(shared_pid, &status, WNOHANG), 0);
	CHECK_OK(pt(PTRACE_SEIZE, shared_pid, 0, 0));
	end(shared_pid);
}

/* --- what a clone says of tracing --- */

static int clones(void *arg)
{
	int status;
	pid_t pid = (pid_t)syscall(SYS_clone, (long)arg | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(9);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

TEST(clone_untraced)
{
	pid_t pid = traced_child(clones, (void *)(long)CLONE_UNTRACED);

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 9);
}

TEST(clone_ptrace)
{
	pid_t pid = traced_child(clones, (void *)(long)CLONE_PTRACE), child;
	int status;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK((child = waitpid(-1, &status, __WALL)) > 0);
	CHECK(child != pid && status >> 8 == SIGSTOP);
	CHECK_OK(pt(PTRACE_CONT, child, 0, 0));
	expect_exit(child, 9);
	expect_stop(pid, SIGCHLD);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 9);
}

/* SIGCONT is told to a tracer that is not the parent, and to the parent. */
TEST(continued_is_told_to_both)
{
	pid_t pid = idle_child(), tracer;
	int status, p[2], q[2];
	char c;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	tracer = fork();
	if (tracer == 0) {
		if (pt(PTRACE_SEIZE, pid, 0, 0) || write(p[1], "s", 1) != 1)
			_exit(1);
		if (waitpid(pid, &status, __WALL) != pid || status >> 8 != SIGSTOP)
			_exit(2);
		if (pt(PTRACE_CONT, pid, 0, SIGSTOP))
			_exit(3);
		if (waitpid(pid, &status, __WALL) != pid || status >> 8 != (SIGSTOP | PTRACE_EVENT_STOP << 8))
			_exit(4);
		if (read(q[0], &c, 1) != 1 || pt(PTRACE_CONT, pid, 0, 0) || kill(pid, SIGCONT))
			_exit(5);
		for (int i = 0; i < 2; i++) { /* PTRACE_EVENT_STOP, SIGCONT */
			if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
				_exit(6);
			if (pt(PTRACE_CONT, pid, 0, 0))
				_exit(7);
		}
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(write(q[1], "c", 1), 1);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	test_wait_exit(tracer, 0);
	end(pid);
}
