/* Clocks, sleeping, interval timers, POSIX timers, CPU clocks. */
#include "test.h"
#include <sys/resource.h>
#include <sys/times.h>
#include <pthread.h>

static volatile sig_atomic_t count;
static siginfo_t last_si;

static void note(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	count++;
	last_si = *si;
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	CHECK_OK(syscall(SYS_clock_gettime, id, &ts));
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

TEST(clocks_move_and_agree)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
					 CLOCK_TAI, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE };
	struct timespec ts;

	for (unsigned i = 0; i < 7; i++) {
		int64_t a = read_clock(ids[i]);

		usleep(20000);
		CHECK(read_clock(ids[i]) - a >= 10000000);
		CHECK_OK(clock_getres(ids[i], &ts));
	}
	CHECK(read_clock(CLOCK_REALTIME) > 1600000000ll * 1000000000);
	int64_t d = read_clock(CLOCK_MONOTONIC) - read_clock(CLOCK_MONOTONIC_COARSE);

	CHECK(d >= -1000000 && d < 100000000);
	CHECK_ERR(syscall(SYS_clock_gettime, 77, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_getres, 77, &ts), EINVAL);
	CHECK_OK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)8), EFAULT);
}

TEST(vdso_agrees_with_the_call)
{
	struct timespec a, b;
	struct timeval tv, tv2;

	for (int i = 0; i < 100; i++) {
		CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a));
		CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &b));
		CHECK((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 0);
	}
	CHECK_OK(gettimeofday(&tv, NULL));
	CHECK_OK(syscall(SYS_gettimeofday, &tv2, NULL));
	CHECK(tv2.tv_sec - tv.tv_sec <= 1);
	CHECK(syscall(SYS_time, NULL) - time(NULL) <= 1);
}

/* By turns through the vDSO and by system call: no clock may go back. */
TEST(vdso_and_calls_never_go_back)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
					 CLOCK_TAI, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE };

	for (unsigned i = 0; i < 7; i++) {
		int64_t last = 0;

		for (unsigned n = 0; n < 20000; n++) {
			struct timespec ts;
			int64_t now;

			CHECK_OK(clock_gettime(ids[i], &ts));
			now = ts.tv_sec * 1000000000ll + ts.tv_nsec;
			CHECK(now >= last);
			last = read_clock(ids[i]);
			CHECK(last >= now);
		}
	}
}

TEST(nanosleep_lasts)
{
	struct timespec ts = { 0, 30000000 }, bad = { 0, 1000000000 }, neg = { -1, 0 };
	int64_t t0 = test_now();

	CHECK_OK(nanosleep(&ts, NULL));
	CHECK(test_now() - t0 >= 30000000);
	CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
	CHECK_ERR(nanosleep(&neg, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_nanosleep, 8, NULL), EFAULT);
}

TEST(absolute_sleep)
{
	struct timespec ts;
	int64_t t0;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	t0 = test_now();
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK(test_now() - t0 >= 29000000);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0); /* in the past */
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){ 1, 0 }, NULL), 0);
	CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(77, 0, &ts, NULL), EINVAL);
}

TEST(itimer_real)
{
	struct itimerval it = { .it_value = { 0, 20000 }, .it_interval = { 0, 20000 } }, old;
	int64_t t0 = test_now();

	handle(SIGALRM);
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (count < 3)
		pause();
	CHECK(test_now() - t0 >= 59000000);
	CHECK_OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_interval.tv_usec, 20000);
	CHECK(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 20000);
	it = (struct itimerval){ 0 };
	CHECK_OK(setitimer(ITIMER_REAL, &it, &old));
	CHECK_EQ(old.it_interval.tv_usec, 20000);
	count = 0;
	usleep(50000);
	CHECK_EQ(count, 0);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	CHECK_ERR(setitimer(7, &it, NULL), EINVAL);
}

TEST(alarm_returns_what_was_left)
{
	CHECK_EQ(alarm(100), 0);
	CHECK_EQ(alarm(0), 100);
	CHECK_EQ(alarm(0), 0);
	pid_t p = fork();

	if (p == 0) {
		alarm(1);
		pause();
		_exit(0);
	}
	test_wait_signal(p, SIGALRM);
}

static void burn(int ms)
{
	int64_t end = read_clock(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000ll;

	while (read_clock(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

/* The tick that sees it may come late, when the machine has other things to do. */
static void burn_until_signal(void)
{
	int64_t end = read_clock(CLOCK_PROCESS_CPUTIME_ID) + 5000000000;

	while (count == 0 && read_clock(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

TEST(virtual_and_prof_timers)
{
	struct itimerval it = { .it_value = { 0, 30000 } };

	handle(SIGPROF);
	CHECK_OK(setitimer(ITIMER_PROF, &it, NULL));
	usleep(60000); /* no CPU time */
	CHECK_EQ(count, 0);
	burn(100);
	burn_until_signal();
	CHECK_EQ(count, 1);
	handle(SIGVTALRM);
	CHECK_OK(setitimer(ITIMER_VIRTUAL, &it, NULL));
	for (volatile long i = 0; count < 2 && i < 4000000000; i++)
		;
	CHECK_EQ(last_si.si_signo, SIGVTALRM);
}

TEST(cpu_clocks)
{
	int64_t p0 = read_clock(CLOCK_PROCESS_CPUTIME_ID), t0 = read_clock(CLOCK_THREAD_CPUTIME_ID), m0;
	clockid_t id;
	struct tms tms;
	struct rusage ru;

	usleep(50000);
	CHECK(read_clock(CLOCK_PROCESS_CPUTIME_ID) - p0 < 40000000);
	m0 = test_now();
	burn(50);
	CHECK(read_clock(CLOCK_THREAD_CPUTIME_ID) - t0 >= 50000000);
	CHECK(test_now() - m0 >= 50000000);
	CHECK_EQ(clock_getcpuclockid(getpid(), &id), 0);
	CHECK(read_clock(id) >= 50000000);
	CHECK_EQ(pthread_getcpuclockid(pthread_self(), &id), 0);
	CHECK(read_clock(id) >= 50000000);
	CHECK(times(&tms) != -1);
	CHECK(tms.tms_utime + tms.tms_stime >= 3);
	CHECK_OK(getrusage(RUSAGE_SELF, &ru));
	CHECK(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 >= 30000);
	CHECK_OK(getrusage(RUSAGE_THREAD, &ru));
	CHECK_ERR(getrusage(7, &ru), EINVAL);
}

TEST(posix_timer_signal)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2,
			       .sigev_value.sival_int = 4711 };
	struct itimerspec its = { .it_value = { 0, 20000000 } }, now;
	timer_t t;

	handle(SIGRTMIN + 2);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	CHECK_OK(timer_settime(t, 0, &its, NULL));
	CHECK_OK(timer_gettime(t, &now));
	CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000);
	while (!count)
		pause();
	CHECK_EQ(last_si.si_code, SI_TIMER);
	CHECK_EQ(last_si.si_value.sival_int, 4711);
	CHECK_OK(timer_gettime(t, &now));
	CHECK_EQ(now.it_value.tv_nsec, 0);
	CHECK_OK(timer_delete(t));
	CHECK_ERR(syscall(SYS_timer_gettime, 0x1234567, &now), EINVAL);
	CHECK_ERR(syscall(SYS_timer_delete, 0x1234567), EINVAL);
}

TEST(posix_timer_overrun)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };
	sigset_t s;
	siginfo_t si;
	timer_t t;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	CHECK_OK(timer_settime(t, 0, &its, NULL));
	usleep(100000);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGUSR1);
	CHECK(si.si_overrun >= 10);
	CHECK_EQ(timer_getoverrun(t), si.si_overrun);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGUSR1);
	CHECK_OK(timer_delete(t));
	struct timespec zero = { 0, 0 };

	sigtimedwait(&s, &si, &zero);
	usleep(20000);
	CHECK_ERR(sigtimedwait(&s, &si, &zero), EAGAIN);
}

TEST(posix_timer_absolute_and_thread)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
	struct itimerspec its = { 0 };
	timer_t t;

	handle(SIGUSR2);
	ev._sigev_un._tid = (int)syscall(SYS_gettid);
	CHECK_OK(timer_create(CLOCK_REALTIME, &ev, &t));
	clock_gettime(CLOCK_REALTIME, &its.it_value);
	CHECK_OK(timer_settime(t, TIMER_ABSTIME, &its, NULL)); /* now: at once */
	while (!count)
		usleep(1000);
	CHECK_EQ(count, 1);
	ev._sigev_un._tid = 1;
	CHECK_ERR(timer_create(CLOCK_REALTIME, &ev, &t), EINVAL);
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 65;
	CHECK_ERR(timer_create(CLOCK_REALTIME, &ev, &t), EINVAL);
	ev.sigev_notify = SIGEV_NONE;
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	its.it_value = (struct timespec){ 1000, 0 };
	CHECK_OK(timer_settime(t, 0, &its, NULL));
	CHECK_OK(timer_gettime(t, &its));
	CHECK(its.it_value.tv_sec >= 999);
	CHECK_ERR(timer_create(99, NULL, &t), EINVAL);
}

TEST(posix_timer_on_cpu_time)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { .it_value = { 0, 30000000 } };
	timer_t t;

	handle(SIGUSR1);
	CHECK_OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &t));
	CHECK_OK(timer_settime(t, 0, &its, NULL));
	usleep(60000);
	CHECK_EQ(count, 0);
	burn(100);
	burn_until_signal();
	CHECK_EQ(count, 1);
}

TEST(timers_are_not_inherited)
{
	struct itimerval it = { .it_value = { 100, 0 } };
	timer_t t;

	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &t));
	pid_t p = fork();

	if (p == 0) {
		struct itimerspec its;
		int bad = getitimer(ITIMER_REAL, &it) || it.it_value.tv_sec;

		_exit(bad | (timer_gettime(t, &its) == 0) << 1);
	}
	test_wait_exit(p, 0);
}

TEST(cpu_limit)
{
	pid_t p = fork();

	if (p == 0) {
		struct rlimit l = { 1, 5 };

		setrlimit(RLIMIT_CPU, &l);
		for (;;)
			;
	}
	test_wait_signal(p, SIGXCPU);
}

TEST(settime_needs_privilege)
{
	struct timespec ts = { 1700000000, 0 };
	pid_t p = fork();

	if (p == 0) {
		if (setresuid(1234, 1234, 1234))
			_exit(0);
		if (clock_settime(CLOCK_REALTIME, &ts) != -1 || errno != EPERM)
			_exit(1);
		_exit(0);
	}
	test_wait_exit(p, 0);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
}

TEST_TIMED(many_timers, 60)
{
	enum { N = 500 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec its = { .it_value = { 0, 50000000 } };
	timer_t t[N];

	handle(SIGRTMIN + 1);
	for (int i = 0; i < N; i++)
		CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &t[i]));
	for (int i = 0; i < N; i++)
		CHECK_OK(timer_settime(t[i], 0, &its, NULL));
	while (count < N)
		usleep(1000);
	for (int i = 0; i < N; i++)
		CHECK_OK(timer_delete(t[i]));
	CHECK_EQ(count, N);
}
