/* Many things at once: forks, kills, threads, execs, stops, so that what can cross does. */
#include "test.h"
#include <pthread.h>

static unsigned seed;

static unsigned rnd(void)
{
	return seed = seed * 1103515245u + 12345u;
}

static int64_t end_of(int ms)
{
	return test_now() + ms * 1000000ll;
}

TEST_TIMED(fork_and_kill, 60)
{
	int64_t end = end_of(1500);
	int st;

	while (test_now() < end) {
		pid_t p[8];

		for (int i = 0; i < 8; i++) {
			p[i] = fork();
			if (p[i] == 0) {
				for (;;) {
					if (!(i & 1))
						pause();
					else if (fork() == 0)
						_exit(0);
					else
						wait(NULL);
				}
			}
			CHECK(p[i] > 0);
		}
		for (unsigned n = rnd() >> 16 & 0xfff; n > 0; n--)
			;
		for (int i = 0; i < 8; i++)
			CHECK_OK(kill(p[i], SIGKILL));
		for (int i = 0; i < 8; i++) {
			CHECK_EQ(waitpid(p[i], &st, 0), p[i]);
			CHECK(WIFSIGNALED(st));
		}
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void *churn(void *arg)
{
	pthread_t t;

	while (*(volatile int *)arg == 0)
		if (pthread_create(&t, NULL, nothing, NULL) == 0)
			pthread_join(t, NULL);
	return NULL;
}

static void threaded_child(int how)
{
	static int stop;
	pthread_t t;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&t, NULL, churn, &stop))
			_exit(9);
	usleep(1000 + (unsigned)(rnd() >> 16) % 4000);
	switch (how) {
	case 0:
		_exit(5);
	case 1:
		execl("/proc/self/exe", "storm-exec", NULL);
		_exit(8);
	case 2:
		raise(SIGTERM);
		_exit(7);
	default:
		stop = 1;
		usleep(2000);
		syscall(SYS_exit, 5);
	}
}

__attribute__((constructor)) static void second_life(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "storm-exec"))
		_exit(5);
}

TEST_TIMED(threads_against_exit_and_exec, 60)
{
	int64_t end = end_of(2500);
	int st;

	for (int n = 0; test_now() < end; n++) {
		pid_t p = fork();

		if (p == 0) {
			seed = (unsigned)n;
			threaded_child(n & 3);
		}
		CHECK_EQ(waitpid(p, &st, 0), p);
		if ((n & 3) == 2)
			CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
		else if ((n & 3) != 3)
			CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 5);
	}
}

TEST_TIMED(stop_and_continue, 60)
{
	int64_t end = end_of(1500);
	int st, fd[2];
	pid_t p;
	char c;

	CHECK_OK(pipe(fd));
	p = fork();
	if (p == 0) {
		static int stop;
		pthread_t t;

		close(fd[1]);
		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, churn, &stop);
		while (read(fd[0], &c, 1) == 1)
			;
		_exit(6);
	}
	close(fd[0]);
	while (test_now() < end) {
		CHECK_OK(kill(p, SIGSTOP));
		CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(write(fd[1], "x", 1), 1);
		CHECK_OK(kill(p, SIGCONT));
		CHECK_EQ(waitpid(p, &st, WCONTINUED), p);
		CHECK(WIFCONTINUED(st));
	}
	close(fd[1]);
	test_wait_exit(p, 6);
}

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void *sender(void *arg)
{
	for (int i = 0; i < 2000; i++)
		if (i & 1)
			kill(getpid(), SIGUSR1);
		else
			pthread_kill(*(pthread_t *)arg, SIGUSR2);
	return NULL;
}

TEST_TIMED(signals_between_threads, 60)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t t[4], self = pthread_self();

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, sender, &self), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK(handled > 0);
}

static void *vfork_and_exec(void *arg)
{
	for (int k = 0; k < 30; k++) {
		int st;
		pid_t p = vfork();

		if (p == 0) {
			execl("/proc/self/exe", "storm-exec", NULL);
			_exit(1);
		}
		if (waitpid(p, &st, 0) != p || WEXITSTATUS(st) != 5)
			return (void *)1;
	}
	return arg;
}

TEST_TIMED(vfork_exec_from_many_threads, 60)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, vfork_and_exec, NULL), 0);
	for (int i = 0; i < 4; i++) {
		void *ret;

		CHECK_EQ(pthread_join(t[i], &ret), 0);
		CHECK(ret == NULL);
	}
}
