/* What real-time threads may not do: take all of a CPU, or run for ever beyond RLIMIT_RTTIME. */
#include "test.h"
#include <sys/resource.h>

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

static void become_realtime(int policy)
{
	struct sched_param p = { .sched_priority = 50 };

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(sched_setscheduler(0, policy, &p));
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts));
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void spin_ms(int64_t ms)
{
	int64_t end = cpu_ns() + ms * 1000000;

	while (cpu_ns() < end)
		;
}

static int loop_at(void *policy)
{
	become_realtime((int)(intptr_t)policy);
	for (;;)
		;
}

/* On the very CPU of the loop, at an ordinary priority. */
static void outlive(int policy)
{
	pid_t pid;

	pin();
	pid = test_fork(loop_at, (void *)(intptr_t)policy);
	for (int i = 0; i < 3; i++) {
		usleep(300000);
		spin_ms(15);
	}
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	test_wait_signal(pid, SIGKILL);
}

TEST_TIMED(fifo_loop_leaves_others_some_time, 60)
{
	outlive(SCHED_FIFO);
}

TEST_TIMED(rr_loop_leaves_others_some_time, 60)
{
	outlive(SCHED_RR);
}

static void write_text(const char *path, const char *text, int err)
{
	int fd = open(path, O_WRONLY);

	CHECK_OK(fd);
	if (err)
		CHECK_ERR(write(fd, text, strlen(text)), err);
	else
		CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

TEST(realtime_share_is_set_in_proc)
{
	static const char period[] = "/proc/sys/kernel/sched_rt_period_us",
			  runtime[] = "/proc/sys/kernel/sched_rt_runtime_us";

	if (!test_is_root())
		test_skip("needs root");
	CHECK_STR(test_slurp(period), "1000000\n");
	CHECK_STR(test_slurp(runtime), "950000\n");
	write_text(runtime, "1000001", EINVAL);
	write_text(runtime, "-2", EINVAL);
	write_text(period, "900000", EINVAL);
	write_text(period, "0", EINVAL);
	write_text(runtime, "-1", 0);
	CHECK_STR(test_slurp(runtime), "-1\n");
	write_text(runtime, "950000", 0);
}

TEST(round_robin_slice_is_set_in_proc)
{
	static const char slice[] = "/proc/sys/kernel/sched_rr_timeslice_ms";
	struct timespec ts;

	become_realtime(SCHED_RR);
	CHECK_STR(test_slurp(slice), "100\n");
	CHECK_OK(sched_rr_get_interval(0, &ts));
	CHECK_EQ(ts.tv_sec, 0);
	CHECK_EQ(ts.tv_nsec, 100000000);
	write_text(slice, "40", 0);
	CHECK_OK(sched_rr_get_interval(0, &ts));
	CHECK_EQ(ts.tv_nsec, 40000000);
	write_text(slice, "0", 0);
	CHECK_STR(test_slurp(slice), "100\n");
	become_realtime(SCHED_FIFO);
	CHECK_OK(sched_rr_get_interval(0, &ts));
	CHECK_EQ(ts.tv_sec + ts.tv_nsec, 0);
}

static int told[2];

static void tell(int sig)
{
	CHECK_EQ(write(told[1], "x", 1), 1);
	(void)sig;
}

static int beyond_rttime(void *unused)
{
	struct rlimit r = { 100000, 400000 };

	(void)unused;
	signal(SIGXCPU, tell);
	CHECK_OK(setrlimit(RLIMIT_RTTIME, &r));
	spin_ms(600); /* is not real-time yet: does not count */
	become_realtime(SCHED_FIFO);
	for (;;)
		;
}

TEST(rttime_warns_and_kills)
{
	char c;
	pid_t pid;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(pipe(told));
	pid = test_fork(beyond_rttime, NULL);
	CHECK_EQ(read(told[0], &c, 1), 1);
	test_wait_signal(pid, SIGKILL);
}

static int sleeps_often(void *unused)
{
	struct rlimit r = { 500000, 500000 };

	(void)unused;
	become_realtime(SCHED_FIFO);
	CHECK_OK(setrlimit(RLIMIT_RTTIME, &r));
	for (int i = 0; i < 50; i++) {
		spin_ms(20);
		usleep(6000);
	}
	return 0;
}

TEST(rttime_counts_from_the_last_sleep)
{
	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(sleeps_often, NULL), 0);
}

TEST(deadline_needs_privilege)
{
	struct attr a = { .size = sizeof(a), .policy = 6, .runtime = 10000000, .deadline = 30000000,
			  .period = 30000000 };

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EPERM);
	a.runtime = 40000000; /* more than there is until the deadline */
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a.runtime = 0;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a.runtime = 10000000;
	a.priority = 1;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	CHECK_EQ(sched_get_priority_max(6), 0);
	CHECK_EQ(sched_get_priority_min(6), 0);
}
