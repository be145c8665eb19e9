/* Where and when threads run: affinity, policies, timers, waiting with time limits; and the limits
 * of what there may be. */

#include "smp.h"

#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>

static int ncpus(void)
{
	cpu_set_t set;

	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	return CPU_COUNT(&set);
}

static void bind_to(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(tid, sizeof(set), &set) < 0 && (errno != ESRCH || storm_goes_on()))
		FAIL("%d to CPU %d: %s", tid, cpu, strerrorname_np(errno));
}

/* --- affinity --- */

static int cpus;
static pid_t tids[CREW];
static atomic_uint ready;

static void *wanderer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	double x = seed;

	while (storm_goes_on()) {
		int cpu = (int)(rand_r(&seed) % (unsigned)cpus);

		bind_to(0, cpu);
		CHECK_EQ(sched_getcpu(), cpu);
		x = x * 2 + 1;
		if (seed % 4 == 0)
			sched_yield();
		if (seed % 8 == 1)
			usleep(10);
		CHECK_EQ(sched_getcpu(), cpu);
		x = (x - 1) / 2;
	}
	CHECK(x == (double)(uintptr_t)arg);
	return NULL;
}

TEST(threads_move_themselves)
{
	cpus = ncpus();
	storm(12, STORM_MS, wanderer);
}

/* Moved by others in whatever they do; they get there, and none is lost. */
static void *moved(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, seed = me;

	tids[me] = gettid_();
	atomic_fetch_add(&ready, 1);
	SPIN_UNTIL(atomic_load(&ready) == 8);
	while (storm_goes_on())
		switch (me) {
		case 0:
		case 1: {
			pid_t tid = tids[rand_r(&seed) % 8];
			cpu_set_t all;

			bind_to(tid, (int)(rand_r(&seed) % (unsigned)cpus));
			if (seed % 8 == 0) {
				memset(&all, 0xff, sizeof(all));
				CHECK(sched_setaffinity(tid, sizeof(all), &all) == 0 ||
				      !storm_goes_on());
			}
			break;
		}
		case 2:
		case 3:
			usleep(30);
			break;
		case 4:
			sched_yield();
			break;
		case 5: {
			pid_t pid = fork();

			if (pid == 0)
				_exit(0);
			CHECK_EQ(waitpid(pid, NULL, 0), pid);
			break;
		}
		default:
			spin_pause();
		}
	return NULL;
}

TEST(threads_are_moved_by_others)
{
	cpus = ncpus();
	storm(8, STORM_MS, moved);
}

/* All on one CPU: each gets its share. */
static _Atomic uint64_t turns[6];

static void *share_taker(void *arg)
{
	bind_to(0, 0);
	while (storm_goes_on())
		atomic_fetch_add(&turns[(uintptr_t)arg], 1);
	return NULL;
}

TEST(all_on_one_cpu_get_their_share)
{
	storm(6, 2 * STORM_MS, share_taker);
	for (int i = 0; i < 6; i++)
		CHECK(turns[i] > 0);
}

/* --- policies --- */

static void *policy_changer(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, seed = me;
	static const int policies[] = { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH,
					SCHED_IDLE };

	tids[me] = gettid_();
	atomic_fetch_add(&ready, 1);
	SPIN_UNTIL(atomic_load(&ready) == 8);
	while (storm_goes_on()) {
		if (me < 2) {
			int policy = policies[rand_r(&seed) % 5];
			struct sched_param p = { .sched_priority =
							 policy == SCHED_FIFO || policy == SCHED_RR
								 ? 1 + (int)(rand_r(&seed) % 5)
								 : 0 };
			pid_t tid = tids[2 + rand_r(&seed) % 6];

			CHECK(sched_setscheduler(tid, policy, &p) == 0 || !storm_goes_on());
			CHECK(setpriority(PRIO_PROCESS, (id_t)tid,
					  (int)(rand_r(&seed) % 40) - 20) == 0 ||
			      !storm_goes_on());
			usleep(100);
		} else if (me % 2) {
			usleep(20);
		} else {
			for (int i = 0; i < 1000; i++)
				spin_pause();
			sched_yield();
			usleep(1);
		}
	}
	return NULL;
}

TEST(policies_change_under_running_threads)
{
	struct sched_param p = { .sched_priority = 50 };

	if (!test_is_root() || sched_setscheduler(0, SCHED_RR, &p) < 0)
		test_skip("may not change policies");
	storm(8, STORM_MS, policy_changer);
}

/* A policy may be changed from the moment the thread has a number. */
static _Atomic pid_t newest;

static void *newcomer(void *arg)
{
	atomic_store(&newest, gettid_());
	return arg;
}

static void *policy_setter_or_maker(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on())
		if ((uintptr_t)arg < 2) {
			struct sched_param p = { .sched_priority = (int)(rand_r(&seed) % 2) };
			cpu_set_t set;
			/* The next number is the next thread's, most often. */
			pid_t tid = atomic_load(&newest) + 1 + (pid_t)(rand_r(&seed) % 3);

			sched_setscheduler(tid, p.sched_priority ? SCHED_RR : SCHED_OTHER, &p);
			CPU_ZERO(&set);
			CPU_SET(rand_r(&seed) % 2, &set);
			sched_setaffinity(tid, sizeof(set), &set);
		} else {
			pthread_t t;

			CHECK_EQ(pthread_create(&t, NULL, newcomer, NULL), 0);
			CHECK_EQ(pthread_join(t, NULL), 0);
		}
	return NULL;
}

TEST(policies_change_as_threads_begin)
{
	if (!test_is_root())
		test_skip("may not change policies");
	atomic_store(&newest, getpid());
	storm(5, STORM_MS, policy_setter_or_maker);
}

/* --- timers --- */

static void *sleeper(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on()) {
		long ns = rand_r(&seed) % 3000000;
		struct timespec ts = { 0, ns };
		int64_t before = test_now();

		CHECK_OK(nanosleep(&ts, NULL));
		int64_t slept = test_now() - before;

		if (slept < ns)
			FAIL("slept %lld ns instead of %ld", (long long)slept, ns);
		if (slept > 15000000000ll)
			FAIL("slept %lld ns instead of %ld", (long long)slept, ns);
	}
	return NULL;
}

TEST(nobody_wakes_early_or_sleeps_on)
{
	storm(40, STORM_MS, sleeper);
}

static _Atomic uint64_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&alarms, 1);
}

static void *timer_user(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on()) {
		struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL,
					.sigev_signo = SIGRTMIN + (int)(seed % 2) };
		struct itimerspec its = { { 0, 200000 },
					  { 0, 1 + (long)(rand_r(&seed) % 300000) } },
				  old;
		timer_t t;

		if (seed % 3 == 0) {
			sev.sigev_notify = SIGEV_THREAD_ID;
			sev._sigev_un._tid = gettid_();
		}
		CHECK_OK(timer_create(seed % 5 ? CLOCK_MONOTONIC : CLOCK_REALTIME, &sev, &t));
		CHECK_OK(timer_settime(t, 0, &its, &old));
		for (unsigned n = rand_r(&seed) % 3000; n > 0; n--)
			spin_pause();
		CHECK_OK(timer_gettime(t, &old));
		if (seed % 2)
			CHECK_OK(timer_settime(t, 0, &its, NULL));
		if (seed % 4 == 0)
			usleep(300);
		CHECK_OK(timer_delete(t));
	}
	return NULL;
}

TEST(timers_made_and_deleted_as_they_fire)
{
	signal(SIGRTMIN, on_alarm);
	signal(SIGRTMIN + 1, on_alarm);
	storm(8, STORM_MS, timer_user);
	CHECK(alarms > 0);
}

/* A timer that sends SIGCONT throws away stop signals that are pending, in its interrupt. */
TEST(timers_that_continue)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT };
	struct itimerspec its = { { 0, 200000 }, { 0, 200000 } };
	int64_t end = test_now() + STORM_MS * 1000000ll;
	sigset_t set;
	timer_t t;

	signal(SIGCONT, on_alarm);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &sev, &t));
	CHECK_OK(timer_settime(t, 0, &its, NULL));
	while (test_now() < end || alarms == 0)
		CHECK_OK(sigqueue(getpid(), SIGTSTP, (union sigval){ 0 }));
	CHECK_OK(timer_delete(t));
}

static void *itimer_user(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on()) {
		struct itimerval it = { { 0, 100 + (long)(rand_r(&seed) % 300) },
					{ 0, 1 + (long)(rand_r(&seed) % 300) } };

		CHECK_OK(setitimer((int)(seed % 3), &it, NULL));
		if (seed % 2)
			usleep(50);
		else
			for (int i = 0; i < 2000; i++)
				spin_pause();
	}
	return NULL;
}

TEST(interval_timers_set_as_they_fire)
{
	struct itimerval off = { 0 };

	signal(SIGALRM, on_alarm);
	signal(SIGVTALRM, on_alarm);
	signal(SIGPROF, on_alarm);
	storm(6, STORM_MS, itimer_user);
	for (int i = 0; i < 3; i++)
		CHECK_OK(setitimer(i, &off, NULL));
	uint64_t before = alarms;
	usleep(20000);
	CHECK(alarms - before <= 3);
}

static int tfd[4];

static void *timerfd_user(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, seed = me;
	uint64_t n;

	while (storm_goes_on())
		if (me < 4) {
			struct itimerspec its = { { 0, 50000 + rand_r(&seed) % 200000 },
						  { 0, 1 + rand_r(&seed) % 300000 } };

			CHECK_OK(timerfd_settime(tfd[me], 0, &its, NULL));
			usleep(500);
		} else {
			CHECK_EQ(read(tfd[me % 4], &n, 8), 8);
			CHECK(n > 0);
		}
	return NULL;
}

TEST(timerfds_set_as_they_are_read)
{
	for (int i = 0; i < 4; i++)
		CHECK_OK(tfd[i] = timerfd_create(i % 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME,
						 TFD_CLOEXEC));
	storm(12, STORM_MS, timerfd_user);
}

/* Processes end with their timers running. */
static int timed_process(void *arg)
{
	struct itimerval it = { { 0, 500 }, { 0, 500 } };
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { { 0, 300000 }, { 0, 300000 } };
	timer_t t;

	signal(SIGALRM, on_alarm);
	signal(SIGUSR1, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	for (int i = 0; i < 5; i++) {
		CHECK_OK(timer_create(CLOCK_MONOTONIC, &sev, &t));
		CHECK_OK(timer_settime(t, 0, &its, NULL));
	}
	for (int i = 0; i < 2000; i++)
		spin_pause();
	return (int)(uintptr_t)arg;
}

TEST(processes_end_with_timers_running)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;

	while (test_now() < end) {
		pid_t pid[8];

		for (int i = 0; i < 8; i++)
			pid[i] = test_fork(timed_process, crew_index((unsigned)i));
		for (int i = 0; i < 8; i++)
			test_wait_exit(pid[i], i);
	}
}

/* --- futexes --- */

static uint32_t f1, f2;
static _Atomic uint64_t slept, woken, timed_out;

static long futex(uint32_t *u, int op, uint32_t val, uintptr_t timeout_or_val2, uint32_t *u2,
		  uint32_t val3)
{
	return syscall(SYS_futex, u, op | FUTEX_PRIVATE_FLAG, val, timeout_or_val2, u2, val3);
}

/* Every waiter is counted by its waker, or times out: the two agree. */
static void *futex_waiter(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	if ((uintptr_t)arg < 3) {
		while (storm_goes_on()) {
			long n;

			switch (rand_r(&seed) % 4) {
			case 0:
				n = futex(&f1, FUTEX_WAKE, 1, 0, NULL, 0);
				break;
			case 1:
				n = futex(&f2, FUTEX_WAKE, 3, 0, NULL, 0);
				break;
			case 2: {
				uint32_t v = __atomic_load_n(&f1, __ATOMIC_RELAXED);

				n = futex(&f1, FUTEX_CMP_REQUEUE, 0, 2, &f2, v);
				if (n < 0)
					CHECK_EQ(errno, EAGAIN);
				n = 0; /* moved, not woken */
				break;
			}
			default:
				__atomic_fetch_add(&f1, 1, __ATOMIC_RELAXED);
				n = futex(&f1, FUTEX_REQUEUE, 0, 1, &f2, 0);
				n = 0;
			}
			CHECK(n >= 0);
			atomic_fetch_add(&woken, (uint64_t)n);
		}
		return NULL;
	}
	while (storm_goes_on()) {
		struct timespec ts = { 0, 1 + rand_r(&seed) % 2000000 };
		uint32_t v = __atomic_load_n(&f1, __ATOMIC_RELAXED);
		long r = futex(&f1, FUTEX_WAIT, v, (uintptr_t)&ts, NULL, 0);

		if (r == 0)
			atomic_fetch_add(&slept, 1);
		else if (errno == ETIMEDOUT)
			atomic_fetch_add(&timed_out, 1);
		else
			CHECK_EQ(errno, EAGAIN);
	}
	return NULL;
}

TEST(requeue_and_time_limits)
{
	storm(12, STORM_MS, futex_waiter);
	CHECK_EQ(slept, woken);
}

/* All are moved, then all are woken. */
static atomic_uint gone;

static void *requeued(void *arg)
{
	(void)arg;
	while (storm_goes_on()) {
		uint32_t v = __atomic_load_n(&f1, __ATOMIC_ACQUIRE);

		atomic_fetch_add(&ready, 1);
		while (__atomic_load_n(&f1, __ATOMIC_ACQUIRE) == v)
			futex(&f1, FUTEX_WAIT, v, 0, NULL, 0);
	}
	atomic_fetch_add(&gone, 1);
	return NULL;
}

static void move_and_wake(void)
{
	/* Who has not gone to sleep yet does not when it sees the new value. */
	__atomic_fetch_add(&f1, 1, __ATOMIC_RELEASE);
	CHECK(futex(&f1, FUTEX_REQUEUE, 1, INT_MAX, &f2, 0) >= 0);
	CHECK(futex(&f2, FUTEX_WAKE, INT_MAX, 0, NULL, 0) >= 0);
}

TEST(requeued_sleepers_all_wake)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	crew_start(&c, 10, requeued);
	while (test_now() < end) {
		SPIN_UNTIL(atomic_load(&ready) == 10);
		atomic_store(&ready, 0);
		move_and_wake();
	}
	atomic_store(&storm_over, true);
	while (atomic_load(&gone) < 10) {
		move_and_wake();
		sched_yield();
	}
	crew_join(&c);
}

/* Between processes, in a shared page. */
struct shared {
	pthread_mutex_t m;
	pthread_cond_t c;
	uint64_t count, turn;
};
static struct shared *sh;

static int shared_member(void *arg)
{
	uint64_t me = (uintptr_t)arg;

	CHECK_EQ(pthread_mutex_lock(&sh->m), 0);
	for (int i = 0; i < 60; i++) {
		while (sh->turn % 6 != me)
			CHECK_EQ(pthread_cond_wait(&sh->c, &sh->m), 0);
		sh->turn++;
		sh->count++;
		pthread_cond_broadcast(&sh->c);
	}
	CHECK_EQ(pthread_mutex_unlock(&sh->m), 0);
	return 0;
}

TEST(condition_between_processes)
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	pid_t pid[6];

	sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(&sh->m, &ma), 0);
	CHECK_EQ(pthread_cond_init(&sh->c, &ca), 0);
	for (unsigned i = 0; i < 6; i++)
		pid[i] = test_fork(shared_member, crew_index(i));
	for (int i = 0; i < 6; i++)
		test_wait_exit(pid[i], 0);
	CHECK_EQ(sh->count, 360);
}

/* --- limits --- */

static void fork_bomb(void)
{
	int64_t end = test_now() + 500000000;
	pid_t first = getpid();

	while (test_now() < end) {
		if (fork() < 0)
			CHECK(errno == EAGAIN || errno == ENOMEM);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (getpid() != first)
		_exit(0);
}

static void use_all_again(void)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid;

		for (int k = 0; (pid = fork()) < 0 && k < 2000;
		     k++) { /* orphans are process 1's to reap */
			CHECK_EQ(errno, EAGAIN);
			usleep(1000);
		}
		CHECK(pid >= 0);
		if (pid == 0)
			for (;;)
				pause();
	}
}

static int bomber(void *arg)
{
	struct rlimit lim = { 60, 60 };

	setpgid(0, 0);
	CHECK_OK(setresgid(64321, 64321, 64321));
	CHECK_OK(setresuid(64321, 64321, 64321));
	CHECK_OK(setrlimit(RLIMIT_NPROC, &lim));
	fork_bomb();
	use_all_again();
	kill(0, SIGTERM);
	(void)arg;
	return 0;
}

TEST(fork_bomb_inside_its_limit)
{
	if (!test_is_root())
		test_skip("not root");
	test_wait_signal(test_fork(bomber, NULL), SIGTERM);
}

/* More memory than there is, by several threads at once: the process is killed, others live. */
static void *glutton(void *arg)
{
	(void)arg;
	for (;;) {
		size_t size = 8 << 20;
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			continue;
		for (size_t i = 0; i < size; i += 4096)
			p[i] = 1;
	}
	return NULL;
}

static int gluttonous_process(void *arg)
{
	struct crew c;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	(void)arg;
	CHECK_OK(fd);
	CHECK_EQ(write(fd, "1000", 4), 4);
	close(fd);
	crew_start(&c, 4, glutton);
	crew_join(&c);
	return 0;
}

static void *bystander(void *arg)
{
	while (storm_goes_on()) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p != MAP_FAILED) {
			memset(p, 3, 1 << 20);
			CHECK_EQ(p[12345], 3);
			munmap(p, 1 << 20);
		}
		usleep(1000);
	}
	return arg;
}

TEST_TIMED(out_of_memory_kills_the_glutton, 60)
{
	struct sysinfo si;
	struct crew c;

	CHECK_OK(sysinfo(&si));
	if (si.totalram * si.mem_unit > 1200ul << 20 || si.totalswap)
		test_skip("a machine with much memory");
	crew_start(&c, 2, bystander);
	for (int i = 0; i < 2; i++)
		test_wait_signal(test_fork(gluttonous_process, NULL), SIGKILL);
	atomic_store(&storm_over, true);
	crew_join(&c);
}
