/* Threads made by clone(2): ids, shared state, exit, exec, and process-wide ends. */
#include "test.h"
#include <linux/futex.h>
#include <pthread.h>

enum { STACK = 65536 };
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static int raw_futex(volatile void *a, int op, int val)
{
	return (int)syscall(SYS_futex, a, op, val, NULL, NULL, 0);
}

static volatile int ready, stop, seen_pid, seen_tid;

static int report_ids(void *arg)
{
	(void)arg;
	seen_pid = (int)syscall(SYS_getpid);
	seen_tid = (int)syscall(SYS_gettid);
	ready = 1;
	syscall(SYS_exit, 0);
	return 0;
}

static int spin(void *arg)
{
	(void)arg;
	ready = 1;
	while (!stop)
		syscall(SYS_sched_yield);
	syscall(SYS_exit, 0);
	return 0;
}

static int start(int (*fn)(void *), pid_t *ctid)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int tid;

	CHECK(stack != MAP_FAILED);
	*ctid = -1;
	tid = clone(fn, stack + STACK, THREAD_FLAGS | CLONE_CHILD_CLEARTID, NULL, NULL, NULL, ctid);
	CHECK(tid > 0);
	return tid;
}

static void join(pid_t *ctid)
{
	pid_t v;

	while ((v = *(volatile pid_t *)ctid) != 0)
		raw_futex(ctid, FUTEX_WAIT, v);
}

TEST(thread_shares_pid_not_tid)
{
	pid_t ctid;
	int tid = start(report_ids, &ctid);

	join(&ctid);
	CHECK_EQ(seen_pid, getpid());
	CHECK_EQ(seen_tid, tid);
	CHECK(tid != getpid());
	CHECK_ERR(waitpid(tid, NULL, __WALL), ECHILD);
}

TEST(cleartid_wakes_joiner)
{
	pid_t ctid;

	for (int i = 0; i < 100; i++) {
		start(report_ids, &ctid);
		join(&ctid);
	}
}

TEST(exit_group_ends_all)
{
	pid_t p = fork();

	if (p == 0) {
		pid_t ctid;

		start(spin, &ctid);
		start(spin, &ctid);
		while (!ready)
			;
		syscall(SYS_exit_group, 6);
	}
	test_wait_exit(p, 6);
}

static int exit_group_from_thread(void *arg)
{
	(void)arg;
	syscall(SYS_exit_group, 8);
	return 0;
}

TEST(exit_group_from_a_thread)
{
	pid_t p = fork();

	if (p == 0) {
		pid_t ctid;

		start(exit_group_from_thread, &ctid);
		for (;;)
			pause();
	}
	test_wait_exit(p, 8);
}

static int late(void *arg)
{
	(void)arg;
	usleep(100000);
	syscall(SYS_exit, 3);
	return 0;
}

TEST(zombie_leader_waits_for_threads)
{
	pid_t p = fork(), ctid;

	if (p == 0) {
		start(late, &ctid);
		syscall(SYS_exit, 7); /* the leader only */
	}
	usleep(30000);
	CHECK_EQ(waitpid(p, NULL, WNOHANG), 0);
	CHECK_EQ(kill(p, 0), 0);
	test_wait_exit(p, 3); /* the status of the last to end */
}

TEST(fatal_signal_to_one_kills_all)
{
	pid_t p = fork(), ctid;

	if (p == 0) {
		int tid = start(spin, &ctid);

		while (!ready)
			;
		syscall(SYS_tgkill, getpid(), tid, SIGTERM);
		for (;;)
			pause();
	}
	test_wait_signal(p, SIGTERM);
}

static char self[] = "/proc/self/exe";

static int exec_from_thread(void *arg)
{
	char *argv[] = { "true", NULL };

	(void)arg;
	execve("/bin/true", argv, NULL);
	execve("/bin/busybox", argv, NULL);
	syscall(SYS_exit_group, 77);
	return 0;
}

TEST(exec_from_a_thread_takes_over_the_pid)
{
	pid_t p = fork(), ctid;
	int st;

	(void)self;
	if (p == 0) {
		start(spin, &ctid);
		start(exec_from_thread, &ctid);
		for (;;)
			pause();
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	if (WIFEXITED(st) && WEXITSTATUS(st) == 77)
		test_skip("no /bin/true");
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 0);
}

TEST(thread_count_in_proc)
{
	pid_t ctid;
	char *text;

	start(spin, &ctid);
	while (!ready)
		;
	text = test_slurp("/proc/self/status");
	CHECK(strstr(text, "Threads:\t2") != NULL);
	stop = 1;
	join(&ctid);
}

static void *thread_fn(void *arg)
{
	return (void *)((long)arg + 1);
}

TEST_TIMED(pthread_create_join, 60)
{
	for (long i = 0; i < 200; i++) {
		pthread_t t;
		void *ret;

		CHECK_EQ(pthread_create(&t, NULL, thread_fn, (void *)i), 0);
		CHECK_EQ(pthread_join(t, &ret), 0);
		CHECK_EQ((long)ret, i + 1);
	}
}

static void *sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

TEST(sixty_threads_then_exit)
{
	pid_t p = fork();

	if (p == 0) {
		for (int i = 0; i < 60; i++) {
			pthread_t t;

			if (pthread_create(&t, NULL, sleeper, NULL))
				_exit(1);
		}
		_exit(12);
	}
	test_wait_exit(p, 12);
}
