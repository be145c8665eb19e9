/* The alarm clocks, and odds and ends of timerfds and clock_nanosleep(2). */
#include "../test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

static int64_t now_of(clockid_t c)
{
	struct timespec t;

	CHECK_OK(clock_gettime(c, &t));
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int no_alarm(void *unused)
{
	struct timespec t = { 0, 1 };
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	timer_t id;

	(void)unused;
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME_ALARM, 0, &t, NULL), EPERM);
	CHECK_ERR(timer_create(CLOCK_BOOTTIME_ALARM, &ev, &id), EPERM);
	CHECK_ERR(timerfd_create(CLOCK_REALTIME_ALARM, 0), EPERM);
	return 0;
}

TEST(alarm_clocks_need_privilege)
{
	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(no_alarm, NULL), 0);
}

TEST(alarm_clocks_wake)
{
	struct timespec t = { 0, 50000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { .it_value = { 0, 30000000 } };
	int64_t start = now_of(CLOCK_MONOTONIC);
	uint64_t n = 0;
	timer_t id;
	sigset_t s;
	int f, sig;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_EQ(clock_nanosleep(CLOCK_BOOTTIME_ALARM, 0, &t, NULL), 0);
	CHECK(now_of(CLOCK_MONOTONIC) - start >= 50000000);
	CHECK_OK(clock_gettime(CLOCK_REALTIME_ALARM, &t));
	t.tv_nsec += 30000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME_ALARM, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(now_of(CLOCK_REALTIME) >= t.tv_sec * 1000000000ll + t.tv_nsec);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK_OK(timer_create(CLOCK_REALTIME_ALARM, &ev, &id));
	CHECK_OK(timer_settime(id, 0, &it, NULL));
	CHECK_EQ(sigwait(&s, &sig), 0);
	CHECK_EQ(sig, SIGUSR1);
	f = timerfd_create(CLOCK_BOOTTIME_ALARM, 0);
	CHECK_OK(f);
	CHECK_OK(timerfd_settime(f, 0, &it, NULL));
	CHECK_EQ(read(f, &n, 8), 8);
	CHECK_EQ(n, 1);
}

TEST(nanosleep_looks_at_the_clock_first)
{
	struct timespec bad = { 0, 1000000000 }, one = { 0, 1 };

	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &bad, NULL), EOPNOTSUPP);
	CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &bad, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(77, 0, (void *)8, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 2, &one, NULL), 0); /* unknown flags are none */
}

TEST(timerfd_ticks_can_be_set)
{
	int f = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct pollfd p = { f, POLLIN, 0 };
	uint64_t n = 7;

	if (ioctl(f, TFD_IOC_SET_TICKS, &n) < 0 && errno == ENOTTY)
		test_skip("a kernel without TFD_IOC_SET_TICKS");
	CHECK_EQ(poll(&p, 1, 0), 1);
	n = 0;
	CHECK_EQ(read(f, &n, 8), 8);
	CHECK_EQ(n, 7);
	CHECK_ERR(read(f, &n, 8), EAGAIN);
	n = 0;
	CHECK_ERR(ioctl(f, TFD_IOC_SET_TICKS, &n), EINVAL);
	CHECK_ERR(ioctl(f, TFD_IOC_SET_TICKS, (void *)8), EFAULT);
	CHECK_ERR(ioctl(f, 12345, &n), ENOTTY);
	CHECK_EQ(lseek(f, 5, SEEK_SET), 0);
}
