/* SCHED_DEADLINE: who gets it, and that a thread has its runtime in each period and no more. Source: sched(7), sched_setattr(2). */
#include "test.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { DEADLINE = 6, RESET_ON_FORK = 1, RECLAIM = 2, OVERRUN = 4 };
#define MS 1000000ull

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int set(uint64_t flags, uint64_t runtime, uint64_t deadline, uint64_t period)
{
	struct attr a = { .size = sizeof(a), .policy = DEADLINE, .flags = flags,
			  .runtime = runtime, .deadline = deadline, .period = period };

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void get(struct attr *a)
{
	CHECK_OK(syscall(SYS_sched_getattr, 0, a, sizeof(*a), 0));
}

static void need_root(void)
{
	if (!test_is_root())
		test_skip("needs root");
}

static int64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

TEST(parameters_are_kept)
{
	struct attr a = { 0 };
	struct sched_param p = { 0 };

	need_root();
	CHECK_ERR(set(0, 1000, 10 * MS, 10 * MS), EINVAL);       /* less than 1024 ns */
	CHECK_ERR(set(0, 5 * MS, 4 * MS, 10 * MS), EINVAL);      /* more than until the deadline */
	CHECK_ERR(set(0, 5 * MS, 20 * MS, 10 * MS), EINVAL);     /* later than the period */
	CHECK_ERR(set(0, 20000, 50000, 50000), EINVAL);          /* shorter than 100 us */
	CHECK_ERR(set(0, MS, 5000 * MS, 5000 * MS), EINVAL);     /* longer than 4 s */
	CHECK_ERR(sched_setscheduler(0, DEADLINE, &p), EINVAL);  /* has no way to say them */
	CHECK_OK(nice(3));
	CHECK_OK(set(RECLAIM, 1 * MS, 8 * MS, 0));
	get(&a);
	CHECK_EQ(a.policy, DEADLINE);
	CHECK_EQ(a.flags, RECLAIM);
	CHECK_EQ(a.priority, 0);
	CHECK_EQ(a.nice, 0);
	CHECK_EQ(a.runtime, 1 * MS);
	CHECK_EQ(a.deadline, 8 * MS);
	CHECK_EQ(a.period, 8 * MS);
	CHECK_EQ(sched_getscheduler(0), DEADLINE);
	CHECK_OK(sched_getparam(0, &p));
	CHECK_EQ(p.sched_priority, 0);
	CHECK_ERR(sched_setparam(0, &p), EINVAL);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
	CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &p));
	get(&a);
	CHECK_EQ(a.policy, SCHED_OTHER);
	CHECK_EQ(a.nice, 3);
}

TEST(stat_shows_it_above_all_priorities)
{
	long priority, rt_priority, policy;
	char *at;

	need_root();
	CHECK_OK(set(0, 1 * MS, 8 * MS, 8 * MS));
	at = strrchr(test_slurp("/proc/self/stat"), ')');
	CHECK_EQ(sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %ld", &priority), 1);
	CHECK_EQ(priority, -101);
	for (int i = 0; i < 38; i++)
		CHECK(at = strchr(at + 1, ' '));
	CHECK_EQ(sscanf(at, " %ld %ld", &rt_priority, &policy), 2);
	CHECK_EQ(rt_priority, 0);
	CHECK_EQ(policy, DEADLINE);
}

/* What ended gives back; Linux at the end of its last period. */
static int set_in_time(uint64_t runtime)
{
	for (int n = 0; n < 100; n++) {
		if (set(0, runtime, 100 * MS, 100 * MS) == 0)
			return 0;
		usleep(20000);
	}
	return -1;
}

TEST(no_more_than_there_is)
{
	int ncpus = (int)sysconf(_SC_NPROCESSORS_ONLN), n;
	pid_t pid[64];
	int up[2];
	char c;

	need_root();
	CHECK_OK(pipe(up));
	/* 0.9 of each CPU is to be had, and then 0.1 is not: 0.95 is the limit. */
	for (n = 0; n < ncpus; n++) {
		if ((pid[n] = fork()) == 0) {
			c = set_in_time(90 * MS) == 0 ? 'y' : 'n';
			CHECK_EQ(write(up[1], &c, 1), 1);
			pause();
			_exit(0);
		}
		CHECK_EQ(read(up[0], &c, 1), 1);
		CHECK_EQ(c, 'y');
	}
	CHECK_ERR(set(0, (uint64_t)(ncpus * 10) * MS > 90 * MS ? 90 * MS : (uint64_t)(ncpus * 10) * MS,
		      100 * MS, 100 * MS), EBUSY);
	for (n = 0; n < ncpus; n++)
		kill(pid[n], SIGKILL);
	for (n = 0; n < ncpus; n++)
		CHECK_EQ(waitpid(pid[n], NULL, 0), pid[n]);
	CHECK_OK(set_in_time(90 * MS));
}

TEST(all_cpus_or_none)
{
	cpu_set_t all, one;

	need_root();
	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	if (CPU_COUNT(&all) < 2)
		test_skip("needs two CPUs");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_ERR(set(0, 1 * MS, 8 * MS, 8 * MS), EPERM);
	CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
	CHECK_OK(set(0, 1 * MS, 8 * MS, 8 * MS));
	CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EBUSY);
	CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
}

TEST(children_need_the_flag)
{
	pid_t pid;

	need_root();
	CHECK_OK(set(0, 1 * MS, 8 * MS, 8 * MS));
	CHECK_ERR(fork(), EAGAIN);
	CHECK_OK(set(RESET_ON_FORK, 1 * MS, 8 * MS, 8 * MS));
	CHECK_OK(pid = fork());
	if (pid == 0)
		_exit(sched_getscheduler(0));
	test_wait_exit(pid, SCHED_OTHER);
}

TEST_TIMED(its_runtime_and_no_more, 60)
{
	int64_t t0, c0, ran, passed;

	need_root();
	CHECK_OK(set(0, 20 * MS, 200 * MS, 200 * MS));
	t0 = test_now();
	c0 = cpu_time();
	do
		passed = test_now() - t0;
	while (passed < 1000000000);
	ran = cpu_time() - c0;
	/* A tenth, of five periods and the one it began in; a busy machine may give less. */
	CHECK(ran <= passed / 4);
}

TEST_TIMED(yield_ends_the_period, 60)
{
	int64_t t0, c0;

	need_root();
	CHECK_OK(set(0, 50 * MS, 100 * MS, 100 * MS));
	t0 = test_now();
	c0 = cpu_time();
	for (int i = 0; i < 5; i++)
		CHECK_OK(sched_yield());
	CHECK(test_now() - t0 >= 4 * 100 * (int64_t)MS - 50 * (int64_t)MS);
	CHECK(cpu_time() - c0 < 250 * (int64_t)MS);
}

static volatile sig_atomic_t overruns;

static void on_overrun(int sig)
{
	(void)sig;
	overruns++;
}

TEST_TIMED(overruns_are_told, 60)
{
	int64_t t0;

	need_root();
	signal(SIGXCPU, on_overrun);
	CHECK_OK(set(OVERRUN, 5 * MS, 20 * MS, 20 * MS));
	t0 = test_now();
	while (!overruns)
		CHECK(test_now() - t0 < 30ll * 1000000000);
}

/* It goes before the most urgent of the other real-time threads. */
TEST_TIMED(before_fifo, 60)
{
	struct sched_param p = { .sched_priority = 99 };
	volatile int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ncpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pid[64];
	int64_t t0;

	need_root();
	CHECK_OK(set(RESET_ON_FORK, 10 * MS, 100 * MS, 100 * MS));
	for (int i = 0; i < ncpus; i++)
		if ((pid[i] = fork()) == 0) {
			CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &p));
			ready[i] = 1;
			for (;;)
				;
		}
	t0 = test_now();
	for (int i = 0; i < ncpus; i++)
		while (!ready[i])
			usleep(1000);
	for (int i = 0; i < 20; i++)
		usleep(1000);
	for (int i = 0; i < ncpus; i++) {
		kill(pid[i], SIGKILL);
		CHECK_EQ(waitpid(pid[i], NULL, 0), pid[i]);
	}
	CHECK(test_now() - t0 < 30ll * 1000000000);
}
