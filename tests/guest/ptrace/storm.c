/* Stops, continuations, kills, execs and ends against each other. What must hold: everybody ends. */
#include "trace.h"
#include <pthread.h>

static unsigned seed = 1;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void *thread_naps(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		usleep(200);
	return NULL;
}

static void *thread_execs(void *arg)
{
	char *argv[] = { "storm", "no-such-test", NULL };

	(void)arg;
	usleep(100);
	close(1); /* its "done" is not ours */
	execv("/proc/self/exe", argv);
	return NULL;
}

/* A process that makes threads and children, and ends, or executes, somehow. */
static int lives(void *arg)
{
	pthread_t th[3];
	int how = (int)(long)arg, status;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		pthread_create(&th[i], NULL, how == 1 && i == 2 ? thread_execs : thread_naps, NULL);
	pid = fork();
	if (pid == 0) {
		if (how == 2)
			thread_execs(NULL);
		_exit(0);
	}
	if (how == 3)
		_exit(1);
	if (how == 4)
		raise(SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	return 0;
}

/* A tracer as strace -f is: waits for whatever comes, and lets it go on, until nobody is left. */
static void run_tracer(pid_t first, long request, bool kills)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int sig = 0, stop = status >> 8;

		if (!WIFSTOPPED(status))
			continue;
		if (stop == SIGSTOP || stop == SIGTRAP || stop == (SIGTRAP | 0x80) || stop >> 8)
			sig = 0;
		else
			sig = stop;
		if (kills && rnd(100) == 0)
			kill(rnd(2) ? first : pid, SIGKILL);
		if (pt(rnd(20) == 0 ? PTRACE_SINGLESTEP : request, pid, 0, sig) == -1)
			CHECK_EQ(errno, ESRCH);
	}
	CHECK_EQ(errno, ECHILD);
}

static const unsigned long all_options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
					 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
					 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
					 PTRACE_O_TRACEVFORKDONE;

static void storm(long request, bool kills, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		pid_t pid = traced_child(lives, (void *)(long)(i % 5));

		CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, all_options));
		CHECK_OK(pt(request, pid, 0, 0));
		run_tracer(pid, request, kills);
	}
}

TEST_TIMED(follow_everything, 60)
{
	storm(PTRACE_CONT, false, 20);
}

TEST_TIMED(follow_every_call, 60)
{
	storm(PTRACE_SYSCALL, false, 5);
}

TEST_TIMED(follow_and_kill, 60)
{
	storm(PTRACE_SYSCALL, true, 10);
}

/* Three tracers attach to and detach from a process's threads while it lives, stops and is killed. */
static void attacher(pid_t pid, unsigned s)
{
	seed = s;
	for (int i = 0; i < 60; i++) {
		bool seize = rnd(2);
		int status;

		if (pt(seize ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0) == -1) {
			if (errno == ESRCH)
				_exit(0);
			usleep(rnd(300));
			continue;
		}
		if (seize)
			pt(PTRACE_INTERRUPT, pid, 0, 0);
		if (rnd(10) == 0)
			_exit(0); /* lets go of it so */
		if (waitpid(pid, &status, __WALL) != pid)
			_exit(1);
		if (!WIFSTOPPED(status))
			_exit(0);
		if (rnd(3) == 0)
			pt(PTRACE_GETREGS, pid, 0, ul(&(struct user_regs_struct){ 0 }));
		if (rnd(4) == 0) {
			pt(PTRACE_SINGLESTEP, pid, 0, 0);
			if (waitpid(pid, &status, __WALL) != pid)
				_exit(2);
			if (!WIFSTOPPED(status))
				_exit(0);
		}
		if (pt(PTRACE_DETACH, pid, 0, 0) == -1 && errno != ESRCH)
			_exit(3);
	}
	_exit(0);
}

TEST_TIMED(attach_detach_stop_kill, 60)
{
	for (int round = 0; round < 6; round++) {
		pid_t pid = fork(), tracer[3];
		int status;

		if (pid == 0) {
			signal(SIGTRAP, SIG_IGN);
			for (;;)
				lives((void *)0);
		}
		for (unsigned i = 0; i < 3; i++)
			if ((tracer[i] = fork()) == 0)
				attacher(pid, 77 * (unsigned)round + i);
		for (int i = 0; i < 30; i++) {
			usleep(rnd(1000));
			kill(pid, i % 2 ? SIGCONT : SIGSTOP);
		}
		kill(pid, SIGCONT);
		if (round % 2)
			for (int i = 0; i < 3; i++)
				CHECK_EQ(waitpid(tracer[i], &status, 0), tracer[i]);
		kill(pid, SIGKILL);
		if (round % 2 == 0)
			for (int i = 0; i < 3; i++)
				CHECK_EQ(waitpid(tracer[i], &status, 0), tracer[i]);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
	}
}

/* The tracer is killed while it holds and steps others. */
TEST_TIMED(tracer_is_killed, 60)
{
	for (int round = 0; round < 20; round++) {
		pid_t tracer = fork();
		int status;

		if (tracer == 0) {
			pid_t pid = traced_child(lives, (void *)(long)(round % 5));

			CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0,
				    all_options | (round % 2 ? PTRACE_O_EXITKILL : 0)));
			CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
			run_tracer(pid, PTRACE_SYSCALL, false);
			_exit(0);
		}
		usleep(1000 + rnd(5000));
		kill(tracer, SIGKILL);
		CHECK_EQ(waitpid(tracer, &status, 0), tracer);
	}
}
