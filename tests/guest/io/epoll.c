/* epoll(7), poll(2), select(2), eventfd(2), timerfd(2), signalfd(2). */

#include "test.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void add(int ep, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = 0x1234567800000000ull + (unsigned)fd };

	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

TEST(epoll_level_triggered_repeats)
{
	struct epoll_event ev[4];
	int ep = epoll_create1(0), p[2];

	CHECK_OK(pipe(p));
	add(ep, p[0], EPOLLIN);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(epoll_wait(ep, ev, 4, 0), 1);
		CHECK_EQ(ev[0].events, EPOLLIN);
		CHECK_EQ(ev[0].data.u64, 0x1234567800000000ull + (unsigned)p[0]);
	}
	char b;
	CHECK_EQ(read(p[0], &b, 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 0);
}

TEST(epoll_edge_triggered_reports_once_per_edge)
{
	struct epoll_event ev[4];
	int ep = epoll_create1(0), p[2];

	CHECK_OK(pipe(p));
	add(ep, p[0], EPOLLIN | EPOLLET);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 0);
}

TEST(epoll_oneshot_until_rearmed)
{
	struct epoll_event ev[4], mod = { .events = EPOLLIN | EPOLLONESHOT };
	int ep = epoll_create1(0), p[2];

	CHECK_OK(pipe(p));
	add(ep, p[0], EPOLLIN | EPOLLONESHOT);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 1);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 0);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &mod));
	CHECK_EQ(epoll_wait(ep, ev, 4, 0), 1);
}

TEST(epoll_errors)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), p[2], file = open("f", O_CREAT | O_RDWR, 0600);

	CHECK_OK(pipe(p));
	CHECK_ERR(epoll_create1(1), EINVAL);
	CHECK_ERR(epoll_create(0), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &ev), EBADF);
	CHECK_ERR(epoll_ctl(999, EPOLL_CTL_ADD, p[0], &ev), EBADF);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev), EPERM);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
	CHECK_ERR(epoll_ctl(ep, 77, p[0], &ev), EINVAL);
	CHECK_ERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev), EINVAL);
	CHECK_ERR(epoll_wait(ep, &ev, 0, 0), EINVAL);
	CHECK_ERR(epoll_wait(p[0], &ev, 1, 0), EINVAL);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL)); /* a null event is no fault here */
}

TEST(epoll_closed_file_leaves)
{
	struct epoll_event ev[2];
	int ep = epoll_create1(0), p[2];

	CHECK_OK(pipe(p));
	add(ep, p[0], EPOLLIN);
	CHECK_EQ(write(p[1], "x", 1), 1);
	int d = dup(p[0]);
	close(p[0]);
	CHECK_EQ(epoll_wait(ep, ev, 2, 0), 1); /* the description lives on in d */
	close(d);
	CHECK_EQ(epoll_wait(ep, ev, 2, 0), 0);
}

TEST(epoll_nested)
{
	struct epoll_event ev[2];
	int inner = epoll_create1(0), outer = epoll_create1(0), p[2];
	struct epoll_event e = { .events = EPOLLIN };

	CHECK_OK(pipe(p));
	add(inner, p[0], EPOLLIN);
	add(outer, inner, EPOLLIN);
	CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &e), ELOOP);
	CHECK_EQ(epoll_wait(outer, ev, 2, 0), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(outer, ev, 2, 5000), 1);
	char b;
	CHECK_EQ(read(p[0], &b, 1), 1);
	CHECK_EQ(epoll_wait(outer, ev, 2, 0), 0);
}

static int write_later(void *arg)
{
	int fd = *(int *)arg;

	usleep(50000);
	return write(fd, "x", 1) != 1;
}

TEST(epoll_wait_sleeps_until_woken)
{
	struct epoll_event ev;
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];

	CHECK_OK(pipe(p));
	add(ep, p[0], EPOLLIN);
	pid_t pid = test_fork(write_later, &p[1]);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 10000), 1);
	test_wait_exit(pid, 0);
	CHECK_EQ(fcntl(ep, F_GETFD), FD_CLOEXEC);
}

TEST(epoll_thousand_files)
{
	struct epoll_event ev[16];
	int ep = epoll_create1(0), fd[400];

	for (int i = 0; i < 400; i++) {
		CHECK_OK(fd[i] = eventfd(0, 0));
		add(ep, fd[i], EPOLLIN);
	}
	CHECK_OK(eventfd_write(fd[77], 1));
	CHECK_OK(eventfd_write(fd[399], 1));
	CHECK_EQ(epoll_wait(ep, ev, 16, 0), 2);
	CHECK_EQ((int)ev[0].data.u32, fd[77]);
	CHECK_EQ((int)ev[1].data.u32, fd[399]);
}

TEST(poll_timeout_and_invalid)
{
	struct pollfd p[2] = { { 999, POLLIN, 0 }, { -1, POLLIN, 7 } };
	int64_t t0 = test_now();

	CHECK_EQ(poll(NULL, 0, 100), 0);
	CHECK(test_now() - t0 >= 100000000);
	CHECK_EQ(poll(p, 2, -1), 1);
	CHECK_EQ(p[0].revents, POLLNVAL);
	CHECK_EQ(p[1].revents, 0);
	CHECK_ERR(syscall(SYS_poll, 8, 1, 0), EFAULT);
}

TEST(poll_regular_file_is_ready)
{
	struct pollfd p = { open("f", O_CREAT | O_RDWR, 0600), POLLIN | POLLOUT, 0 };

	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
}

TEST(poll_many_descriptors_woken_by_the_last)
{
	struct pollfd p[100];
	int pipes[100][2];

	for (int i = 0; i < 100; i++) {
		CHECK_OK(pipe(pipes[i]));
		p[i] = (struct pollfd){ pipes[i][0], POLLIN, 0 };
	}
	pid_t pid = test_fork(write_later, &pipes[99][1]);
	CHECK_EQ(poll(p, 100, 10000), 1);
	CHECK_EQ(p[99].revents, POLLIN);
	test_wait_exit(pid, 0);
}

TEST(select_sets_and_remaining_time)
{
	struct timeval tv = { 5, 0 };
	fd_set r, w;
	int p[2];

	CHECK_OK(pipe(p));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	CHECK_EQ(select(p[1] + 1, &r, &w, NULL, &tv), 1);
	CHECK(!FD_ISSET(p[0], &r));
	CHECK(FD_ISSET(p[1], &w));
	CHECK(tv.tv_sec >= 3);
	tv = (struct timeval){ 0, 50000 };
	FD_SET(p[0], &r);
	CHECK_EQ(select(p[0] + 1, &r, NULL, NULL, &tv), 0);
	CHECK_EQ(tv.tv_sec, 0);
	CHECK_EQ(tv.tv_usec, 0);
	FD_SET(50, &r);
	tv = (struct timeval){ 1, 0 };
	CHECK_ERR(select(51, &r, NULL, NULL, &tv), EBADF);
}

static void on_signal(int sig)
{
	(void)sig;
}

TEST(ppoll_mask_lets_a_signal_in)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct timespec ts = { 5, 0 };
	sigset_t block, none;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	CHECK_ERR(ppoll(NULL, 0, &ts, &none), EINTR);
	sigset_t now;
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1));
}

TEST(eventfd_counts)
{
	uint64_t v = 5;
	int fd = eventfd(3, EFD_NONBLOCK);

	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 8);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	v = UINT64_MAX;
	CHECK_ERR(write(fd, &v, 8), EINVAL);
	v = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERR(write(fd, &v, 8), EAGAIN);
	CHECK_ERR(read(fd, &v, 7), EINVAL);
	CHECK_ERR(eventfd(0, 0x80), EINVAL);
}

TEST(eventfd_semaphore)
{
	uint64_t v;
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
}

TEST(timerfd_one_shot_and_periodic)
{
	struct itimerspec its = { .it_value.tv_nsec = 20000000 }, cur;
	uint64_t n;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	CHECK_OK(timerfd_settime(fd, 0, &its, NULL));
	CHECK_OK(timerfd_gettime(fd, &cur));
	CHECK(cur.it_value.tv_nsec > 0 && cur.it_value.tv_nsec <= 20000000);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	its.it_interval.tv_nsec = 10000000;
	CHECK_OK(timerfd_settime(fd, 0, &its, NULL));
	usleep(100000);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK(n >= 5);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	its.it_value.tv_nsec = 1000000000;
	CHECK_ERR(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	CHECK_ERR(timerfd_gettime(0, &cur), EINVAL);
}

TEST(timerfd_absolute_realtime)
{
	struct itimerspec its = { 0 };
	uint64_t n;
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &its.it_value));
	its.it_value.tv_sec -= 10;
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 2000), 1);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	CHECK_ERR(read(fd, &n, 8), EAGAIN);
}

TEST(signalfd_reads_pending)
{
	struct signalfd_siginfo si;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK_OK(fd);
	CHECK_ERR(read(fd, &si, sizeof(si)), EAGAIN);
	kill(getpid(), SIGUSR2);
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR2);
	CHECK_EQ(si.ssi_pid, getpid());
	CHECK_ERR(read(fd, &si, 10), EINVAL);
}

/* Five in a row, in whatever order the row is made. */
TEST(epoll_depth)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep[6];

	for (int i = 0; i < 6; i++)
		ep[i] = epoll_create1(0);
	for (int i = 0; i < 4; i++)
		CHECK_OK(epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i + 1], &e));
	CHECK_ERR(epoll_ctl(ep[4], EPOLL_CTL_ADD, ep[5], &e), ELOOP);
	for (int i = 0; i < 4; i++)
		CHECK_OK(epoll_ctl(ep[i], EPOLL_CTL_DEL, ep[i + 1], &e));
	for (int i = 4; i > 0; i--)
		CHECK_OK(epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i + 1], &e));
	CHECK_ERR(epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[1], &e), ELOOP);
	CHECK_OK(epoll_ctl(ep[2], EPOLL_CTL_DEL, ep[3], &e));
	CHECK_OK(epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[1], &e));
	CHECK_ERR(epoll_ctl(ep[2], EPOLL_CTL_ADD, ep[3], &e), ELOOP);
}

TEST(select_takes_more_than_a_second_of_microseconds)
{
	struct timeval tv = { 0, 2000000 };
	fd_set out;
	int p[2];

	CHECK_OK(pipe(p));
	FD_ZERO(&out);
	FD_SET(p[1], &out);
	CHECK_EQ(syscall(SYS_select, p[1] + 1, NULL, &out, NULL, &tv), 1);
	tv.tv_usec = -1;
	CHECK_ERR(syscall(SYS_select, p[1] + 1, NULL, &out, NULL, &tv), EINVAL);
}
