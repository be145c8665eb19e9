/* sched(7): of n CPUs, the n most urgent real-time threads have one each. */
#include "test.h"
#include <sched.h>
#include <sys/mman.h>

enum { CPUS_MAX = 16, PRIORITY = 10, MINE = 60 };

static volatile uint64_t *progress; /* by urgency, 0: the least */
static int start[CPUS_MAX + 1][2];

static void become_fifo(int priority)
{
	struct sched_param p = { .sched_priority = priority };

	CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &p));
}

static int spin(void *arg)
{
	int i = (int)(intptr_t)arg;
	char c;

	become_fifo(PRIORITY + i);
	CHECK_EQ(read(start[i][0], &c, 1), 1);
	for (;;)
		progress[i]++;
}

static void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	CHECK_OK(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL));
}

/*
 * Waits until all of [from, to) have got on since the call, however long a virtual CPU is kept from running: what the
 * scheduler does not let run does not, and the test's own time is over.
 */
static void all_get_on(int from, int to)
{
	uint64_t before[CPUS_MAX + 1];

	for (int i = from; i < to; i++)
		before[i] = progress[i];
	for (int i = from; i < to; i++)
		while (progress[i] == before[i])
			sleep_ms(1);
}

/*
 * The least urgent has no CPU as long as the others have one each: while all of them get on, again and again, it does
 * not. (What it did before the others were all there is over when they have got on once.)
 */
static void least_urgent_waits(int n)
{
	uint64_t before;

	all_get_on(1, n);
	before = progress[0];
	for (int round = 0; round < 20; round++) {
		all_get_on(1, n);
		sleep_ms(2);
	}
	CHECK_EQ(progress[0], before);
}

/* first: which starts first; the others follow, upwards and round. */
static void one_more_than_cpus(int cpus, int first)
{
	int n = cpus + 1;
	pid_t pid[CPUS_MAX + 1];

	for (int i = 0; i < n; i++) {
		CHECK_OK(pipe(start[i]));
		pid[i] = test_fork(spin, (void *)(intptr_t)i);
	}
	for (int i = 0; i < n; i++) {
		CHECK_EQ(write(start[(first + i) % n][1], "x", 1), 1);
		sleep_ms(10);
	}
	least_urgent_waits(n);
	kill(pid[n - 1], SIGKILL);
	test_wait_signal(pid[n - 1], SIGKILL);
	all_get_on(0, n - 1); /* now it has a CPU too */
	for (int i = 0; i < n - 1; i++) {
		kill(pid[i], SIGKILL);
		test_wait_signal(pid[i], SIGKILL);
	}
}

TEST_TIMED(as_many_as_there_are_cpus, 60)
{
	static const char runtime[] = "/proc/sys/kernel/sched_rt_runtime_us";
	cpu_set_t set;
	int cpus, fd;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	if ((cpus = CPU_COUNT(&set)) > 4)
		test_skip("more CPUs than the host has");
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED);
	CHECK((fd = open(runtime, O_WRONLY)) >= 0);
	CHECK_EQ(write(fd, "-1", 2), 2);
	become_fifo(MINE);
	for (int first = 0; first <= cpus; first++)
		one_more_than_cpus(cpus, first);
	CHECK_EQ(write(fd, "950000", 6), 6);
}
