/* adjtimex(2), clock_adjtime(2), and the setting of the wall clock. */
#define _GNU_SOURCE
#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <poll.h>

#include "../test.h"

#define NSEC 1000000000ll

static long long now_of(clockid_t c)
{
	struct timespec t;

	CHECK_OK(clock_gettime(c, &t));
	return t.tv_sec * NSEC + t.tv_nsec;
}

static int adj(struct timex *x)
{
	return (int)syscall(SYS_adjtimex, x);
}

static void need_root(void)
{
	if (!test_is_root())
		test_skip("needs root");
}

/* Everything back to what a kernel starts with. */
static void reset(void)
{
	struct timex x = { .modes = ADJ_STATUS | ADJ_FREQUENCY | ADJ_TICK | ADJ_MICRO | ADJ_TIMECONST | ADJ_OFFSET,
			   .status = STA_PLL, .tick = 10000, .constant = 0 };

	adj(&x);
	x = (struct timex){ .modes = ADJ_STATUS, .status = 0 };
	adj(&x);
	x = (struct timex){ .modes = ADJ_OFFSET_SINGLESHOT };
	adj(&x);
	x = (struct timex){ .modes = ADJ_TAI };
	adj(&x);
	x = (struct timex){ .modes = ADJ_STATUS, .status = STA_UNSYNC };
	adj(&x);
}

TEST(adjtimex_reads)
{
	struct timex x = { 0 };

	CHECK_EQ(adj(&x), TIME_ERROR); /* not synchronised */
	CHECK(x.status & STA_UNSYNC);
	CHECK_EQ(x.tick, 10000);
	CHECK_EQ(x.tolerance, 32768000);
	CHECK_EQ(x.precision, 1);
	CHECK_EQ(x.maxerror, 16000000);
	CHECK_EQ(x.esterror, 16000000);
	CHECK(llabs(x.time.tv_sec * NSEC + x.time.tv_usec * 1000 - now_of(CLOCK_REALTIME)) < NSEC);
	CHECK_EQ(clock_adjtime(CLOCK_REALTIME, &x), TIME_ERROR);
	CHECK_ERR(clock_adjtime(CLOCK_MONOTONIC, &x), EOPNOTSUPP);
	CHECK_ERR(clock_adjtime(CLOCK_PROCESS_CPUTIME_ID, &x), EOPNOTSUPP);
	CHECK_ERR(clock_adjtime(77, &x), EINVAL);
	CHECK_ERR(syscall(SYS_adjtimex, (void *)8), EFAULT);
}

TEST(adjtimex_refuses)
{
	struct timex x = { .modes = ADJ_TICK, .tick = 8999 };

	need_root();
	CHECK_ERR(adj(&x), EINVAL);
	x.tick = 11001;
	CHECK_ERR(adj(&x), EINVAL);
	x = (struct timex){ .modes = ADJ_SETOFFSET, .time = { 0, -1 } };
	CHECK_ERR(adj(&x), EINVAL);
	x.time.tv_usec = 1000000;
	CHECK_ERR(adj(&x), EINVAL);
	x = (struct timex){ .modes = 0x8000 };
	CHECK_ERR(adj(&x), EINVAL);
}

static int unprivileged(void *unused)
{
	struct timex x = { .modes = ADJ_FREQUENCY };
	struct timespec t = { 1700000000, 0 };
	struct timeval tv = { 1700000000, 0 };
	struct timezone tz = { 0 };

	(void)unused;
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(adj(&x), EPERM);
	x.modes = ADJ_OFFSET_SINGLESHOT;
	CHECK_ERR(adj(&x), EPERM);
	x.modes = ADJ_OFFSET_SS_READ;
	CHECK_EQ(adj(&x), TIME_ERROR);
	x.modes = 0;
	CHECK_EQ(adj(&x), TIME_ERROR);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &t), EPERM);
	CHECK_ERR(settimeofday(&tv, NULL), EPERM);
	CHECK_ERR(syscall(SYS_settimeofday, NULL, &tz), EPERM);
	return 0;
}

TEST(adjtimex_needs_privilege)
{
	need_root();
	test_wait_exit(test_fork(unprivileged, NULL), 0);
}

TEST(adjtimex_keeps_what_it_is_told)
{
	struct timex x = { .modes = ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS,
			   .freq = 1 << 20, .maxerror = 1000, .esterror = 99, .status = STA_PLL };

	need_root();
	CHECK_EQ(adj(&x), TIME_OK);
	CHECK_EQ(x.status, STA_PLL);
	x = (struct timex){ 0 };
	CHECK_EQ(adj(&x), TIME_OK);
	CHECK(llabs(x.freq - (1 << 20)) <= 1);
	CHECK(x.maxerror >= 1000 && x.maxerror < 5000);
	CHECK_EQ(x.esterror, 99);
	x = (struct timex){ .modes = ADJ_NANO | ADJ_TIMECONST, .constant = 3 };
	CHECK_EQ(adj(&x), TIME_OK);
	CHECK_EQ(x.status, STA_PLL | STA_NANO);
	CHECK_EQ(x.constant, 3);
	x = (struct timex){ .modes = ADJ_MICRO | ADJ_TIMECONST, .constant = 3 };
	CHECK_EQ(adj(&x), TIME_OK);
	CHECK_EQ(x.status, STA_PLL);
	CHECK_EQ(x.constant, 7);
	x = (struct timex){ .modes = ADJ_FREQUENCY, .freq = 1 << 30 };
	CHECK_EQ(adj(&x), TIME_OK);
	CHECK(llabs(x.freq - 32768000) <= 1); /* 500 ppm at most */
	reset();
}

/* How much CLOCK_REALTIME gains on CLOCK_MONOTONIC_RAW, in ppm. */
static double gain_ppm(long ms)
{
	long long r0, m0, r1, m1;

	m0 = now_of(CLOCK_MONOTONIC_RAW);
	r0 = now_of(CLOCK_REALTIME);
	usleep((unsigned)ms * 1000);
	m1 = now_of(CLOCK_MONOTONIC_RAW);
	r1 = now_of(CLOCK_REALTIME);
	return ((double)(r1 - r0) / (double)(m1 - m0) - 1) * 1e6;
}

TEST(adjtimex_tick_changes_the_rate)
{
	struct timex x = { .modes = ADJ_TICK, .tick = 10500 };
	double g;

	need_root();
	adj(&x);
	CHECK_EQ(x.tick, 10500);
	usleep(100000); /* Linux: from the next tick on */
	g = gain_ppm(400);
	if (g < 40000 || g > 60000)
		FAIL("gains %g ppm", g);
	x = (struct timex){ .modes = ADJ_TICK, .tick = 9500 };
	adj(&x);
	usleep(100000);
	g = gain_ppm(400);
	if (g > -40000 || g < -60000)
		FAIL("gains %g ppm", g);
	reset();
	usleep(100000);
	g = gain_ppm(400);
	if (g < -5000 || g > 5000)
		FAIL("gains %g ppm", g);
}

TEST(adjtime_slews)
{
	struct timeval d = { 0, 900 }, old;
	struct timex x = { .modes = ADJ_OFFSET_SS_READ };
	long long before, after;

	need_root();
	before = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	CHECK_OK(adjtime(&d, NULL));
	adj(&x);
	CHECK(x.offset > 0 && x.offset <= 900);
	usleep(3500000); /* 500 µs a second */
	CHECK_OK(adjtime(NULL, &old));
	CHECK_EQ(old.tv_sec * 1000000 + old.tv_usec, 0);
	after = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	if (after - before < 700000 || after - before > 1100000)
		FAIL("gained %lld ns, not 900,000", after - before);
	d = (struct timeval){ -1, 0 };
	CHECK_OK(adjtime(&d, &old));
	usleep(1200000);
	d = (struct timeval){ 0, 0 };
	CHECK_OK(adjtime(&d, &old)); /* stops it, and says what was left */
	CHECK(old.tv_sec * 1000000 + old.tv_usec <= -999000 && old.tv_sec * 1000000 + old.tv_usec > -1000000);
}

TEST(adjtimex_pll_takes_an_offset_away)
{
	struct timex x = { .modes = ADJ_STATUS | ADJ_NANO | ADJ_TIMECONST, .status = STA_PLL | STA_FREQHOLD, .constant = 0 };
	long long before, after;

	need_root();
	adj(&x);
	x = (struct timex){ .modes = ADJ_OFFSET, .offset = 80000000 };
	before = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	adj(&x);
	CHECK(x.offset <= 80000000 && x.offset > 50000000);
	usleep(2600000);
	x = (struct timex){ 0 };
	adj(&x);
	after = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	CHECK(x.offset < 70000000 && x.offset > 10000000);
	CHECK(after - before > 5000000 && after - before < 80000000);
	reset();
}

TEST(adjtimex_setoffset_steps)
{
	struct timex x = { .modes = ADJ_SETOFFSET | ADJ_NANO, .time = { 100, 500000000 } };
	long long before, after;

	need_root();
	before = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	CHECK_EQ(adj(&x), TIME_ERROR); /* and it is not synchronised any more */
	after = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	CHECK(llabs(after - before - 100500000000) < 50000000);
	x = (struct timex){ .modes = ADJ_SETOFFSET | ADJ_MICRO, .time = { -101, 500000 } };
	adj(&x);
	after = now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC_RAW);
	CHECK(llabs(after - before) < 50000000);
	reset();
}

TEST(tai_offset)
{
	struct timex x = { .modes = ADJ_TAI, .constant = 37 };
	long long d;

	need_root();
	adj(&x);
	x = (struct timex){ 0 };
	adj(&x);
	CHECK_EQ(x.tai, 37);
	d = now_of(CLOCK_TAI) - now_of(CLOCK_REALTIME);
	CHECK(d > 37 * NSEC - NSEC / 2 && d < 37 * NSEC + NSEC / 2);
	reset();
}

/* Just before midnight a second is inserted, and the states go through. */
TEST_TIMED(leap_second, 40)
{
	struct timespec t = { 1700006400 - 2, 500000000 }, saved; /* 2023-11-15 00:00 UTC less 1.5 s */
	struct timex x = { .modes = ADJ_STATUS | ADJ_MAXERROR, .status = STA_INS };
	long long real, mono, started;
	int seen = 0, tai;

	need_root();
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &saved));
	started = now_of(CLOCK_MONOTONIC);
	CHECK_OK(clock_settime(CLOCK_REALTIME, &t));
	adj(&x);
	tai = x.tai;
	real = now_of(CLOCK_REALTIME);
	mono = now_of(CLOCK_MONOTONIC);
	for (int i = 0; i < 80; i++) {
		x = (struct timex){ 0 };
		seen |= 1 << adj(&x);
		usleep(50000);
	}
	real = now_of(CLOCK_REALTIME) - real;
	mono = now_of(CLOCK_MONOTONIC) - mono;
	CHECK_EQ(x.tai, tai + 1);
	CHECK(seen & 1 << TIME_INS);
	CHECK(seen & 1 << TIME_OOP);
	CHECK(seen & 1 << TIME_WAIT);
	CHECK(llabs(mono - real - NSEC) < NSEC / 4);
	reset();
	usleep(1100000);
	saved.tv_sec += (now_of(CLOCK_MONOTONIC) - started) / NSEC;
	CHECK_OK(clock_settime(CLOCK_REALTIME, &saved));
}

TEST(settime_cancels_a_timerfd)
{
	struct timespec t;
	struct itimerspec v = { .it_value = { 0, 0 } };
	struct pollfd p;
	uint64_t n;
	int f;

	need_root();
	f = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	CHECK_OK(f);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	v.it_value.tv_sec = t.tv_sec + 1000;
	CHECK_OK(timerfd_settime(f, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &v, NULL));
	CHECK_ERR(read(f, &n, 8), EAGAIN);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	CHECK_OK(clock_settime(CLOCK_REALTIME, &t));
	p = (struct pollfd){ f, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_ERR(read(f, &n, 8), ECANCELED);
	CHECK_ERR(read(f, &n, 8), EAGAIN);
}

TEST(settime_refuses)
{
	struct timespec t = { 5, 1000000000 };
	struct timeval tv = { 5, 1000000 };

	need_root();
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &t), EINVAL);
	t = (struct timespec){ -1, 0 };
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &t), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_BOOTTIME, &t), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_REALTIME_COARSE, &t), EINVAL);
	CHECK_ERR(settimeofday(&tv, NULL), EINVAL);
	t = (struct timespec){ 1, 0 };
	CHECK_ERR(clock_settime(CLOCK_PROCESS_CPUTIME_ID, &t), EINVAL);
	CHECK_ERR(clock_settime(-6, &t), EPERM); /* the same, as a number that names a process */
	CHECK_ERR(clock_settime(77, &t), EINVAL);
}

/* rtc(4): UTC, as the harness sets the machine up; it can be set without touching the wall clock. */
TEST(rtc_is_read_and_set)
{
	struct rtc_time t, back;
	time_t wall = time(NULL), clock;
	int fd = open("/dev/rtc0", O_RDONLY);

	CHECK_OK(fd);
	CHECK_ERR(open("/dev/rtc0", O_RDONLY), EBUSY);
	CHECK_OK(ioctl(fd, RTC_RD_TIME, &t));
	clock = timegm(&(struct tm){ .tm_sec = t.tm_sec,
				     .tm_min = t.tm_min,
				     .tm_hour = t.tm_hour,
				     .tm_mday = t.tm_mday,
				     .tm_mon = t.tm_mon,
				     .tm_year = t.tm_year });
	CHECK(llabs((long long)(clock - wall)) < 60);
	back = t;
	back.tm_mday = 29, back.tm_mon = 1, back.tm_year = 124, back.tm_hour = 23;
	CHECK_OK(ioctl(fd, RTC_SET_TIME, &back));
	CHECK_OK(ioctl(fd, RTC_RD_TIME, &back));
	CHECK_EQ(back.tm_mon * 100 + back.tm_mday, 129);
	back.tm_year = 123;
	CHECK_ERR(ioctl(fd, RTC_SET_TIME, &back), EINVAL);
	CHECK_OK(ioctl(fd, RTC_SET_TIME, &t));
	CHECK(llabs((long long)(time(NULL) - wall)) < 60);
	CHECK_ERR(ioctl(fd, 0x7099, 0), ENOTTY);
	CHECK_OK(close(fd));
	CHECK_OK(fd = open("/dev/rtc0", O_RDONLY));
}
