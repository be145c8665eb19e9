/* POSIX message queues: mq_overview(7) and the calls below the library's. */

#include "test.h"

#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const char *const Q = "/kevlar-test";

/* A new queue, removed by name at once: it lives as long as the descriptor. */
static mqd_t queue(long maxmsg, long msgsize, int flags)
{
	struct mq_attr a = { .mq_maxmsg = maxmsg, .mq_msgsize = msgsize };
	mqd_t q;

	mq_unlink(Q); /* left by a test that failed */
	q = mq_open(Q, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a);
	CHECK_OK(q);
	CHECK_OK(mq_unlink(Q));
	return q;
}

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void need_root(void)
{
	if (!test_is_root())
		test_skip("needs root");
}

TEST(send_and_receive_by_priority)
{
	mqd_t q = queue(10, 16, 0);
	struct mq_attr a;
	unsigned prio;
	char b[16];

	CHECK_OK(mq_send(q, "a", 1, 1));
	CHECK_OK(mq_send(q, "bb", 2, 5));
	CHECK_OK(mq_send(q, "ccc", 3, 1));
	CHECK_OK(mq_send(q, "", 0, 0));
	CHECK_OK(mq_send(q, "dddd", 4, 5));
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_curmsgs, 5);
	CHECK_EQ(mq_receive(q, b, 16, &prio), 2);
	CHECK_EQ(prio, 5);
	CHECK_EQ(mq_receive(q, b, 16, &prio), 4);
	CHECK_EQ(mq_receive(q, b, 16, &prio), 1);
	CHECK(b[0] == 'a' && prio == 1);
	CHECK_EQ(mq_receive(q, b, 16, NULL), 3);
	CHECK_EQ(mq_receive(q, b, 16, &prio), 0);
	CHECK_EQ(prio, 0);
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_curmsgs, 0);
}

TEST(many_priorities)
{
	mqd_t q;
	unsigned prio, last = 32768;
	char b[8];

	need_root();
	q = queue(500, 8, 0);
	for (unsigned i = 0; i < 500; i++)
		CHECK_OK(mq_send(q, "x", 1, i * 7919 % 32768));
	for (unsigned i = 0; i < 500; i++) {
		CHECK_EQ(mq_receive(q, b, 8, &prio), 1);
		CHECK(prio <= last);
		last = prio;
	}
}

TEST(open_modes_and_errors)
{
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	mqd_t q, r;
	char b[8];

	CHECK_ERR(mq_open(Q, O_RDONLY), ENOENT);
	CHECK_OK(q = mq_open(Q, O_CREAT | O_WRONLY, 0600, &a));
	CHECK_ERR(mq_open(Q, O_CREAT | O_EXCL | O_RDWR, 0600, &a), EEXIST);
	CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(mq_receive(q, b, 8, NULL), EBADF);
	CHECK_OK(r = mq_open(Q, O_RDONLY));
	CHECK_ERR(mq_send(r, "a", 1, 0), EBADF);
	CHECK_OK(mq_send(q, "a", 1, 0));
	CHECK_EQ(mq_receive(r, b, 8, NULL), 1);
	a.mq_maxmsg = 5; /* it is there already: not looked at */
	CHECK_OK(r = mq_open(Q, O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(mq_getattr(r, &a));
	CHECK_EQ(a.mq_maxmsg, 1);
	CHECK_ERR(syscall(__NR_mq_open, Q + 1, 3, 0, NULL), EINVAL);
	CHECK_OK(mq_unlink(Q));
	CHECK_ERR(mq_unlink(Q), ENOENT);
	CHECK_OK(mq_send(q, "z", 1, 0));
	CHECK_ERR(mq_open(Q, O_RDWR), ENOENT);
}

TEST(names)
{
	char name[300];

	CHECK_ERR(syscall(__NR_mq_open, "", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(__NR_mq_open, "/a", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(__NR_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(__NR_mq_open, ".", O_RDONLY, 0600, NULL), EACCES);
	CHECK_ERR(syscall(__NR_mq_open, "..", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(syscall(__NR_mq_open, (char *)8, O_RDONLY, 0600, NULL), EFAULT);
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	CHECK_ERR(syscall(__NR_mq_open, name, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
	CHECK_ERR(syscall(__NR_mq_unlink, name), ENAMETOOLONG);
	name[255] = 0;
	CHECK_OK(syscall(__NR_mq_open, name, O_CREAT | O_RDWR, 0600, NULL));
	CHECK_OK(syscall(__NR_mq_unlink, name));
	CHECK_ERR(syscall(__NR_mq_unlink, ""), ENOENT);
	CHECK_ERR(syscall(__NR_mq_unlink, "."), EACCES);
	CHECK_ERR(syscall(__NR_mq_unlink, "/x"), EACCES);
	CHECK_ERR(syscall(__NR_mq_unlink, (char *)8), EFAULT);
}

TEST(attributes_of_a_new_queue)
{
	struct mq_attr a = { .mq_maxmsg = 0, .mq_msgsize = 1 };
	mqd_t q;

	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 0 };
	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = -1, .mq_msgsize = 1 };
	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 65537, .mq_msgsize = 1 };
	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 16777217 };
	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	CHECK_ERR(syscall(__NR_mq_open, Q + 1, O_CREAT | O_RDWR, 0600, (void *)8), EFAULT);
	CHECK_ERR(mq_open(Q, O_RDWR), ENOENT);
	CHECK_OK(q = mq_open(Q, O_CREAT | O_RDWR, 0600, NULL));
	CHECK_OK(mq_unlink(Q));
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_maxmsg, 10);
	CHECK_EQ(a.mq_msgsize, 8192);
	CHECK_EQ(a.mq_curmsgs, 0);
	CHECK_EQ(a.mq_flags, 0);
}

TEST(limits_of_the_unprivileged)
{
	struct mq_attr a = { .mq_maxmsg = 11, .mq_msgsize = 1 };

	need_root();
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 8193 };
	CHECK_ERR(mq_open(Q, O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_msgsize = 8192;
	a.mq_maxmsg = 10;
	CHECK_OK(mq_open(Q, O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(mq_unlink(Q));
}

TEST(rlimit_msgqueue)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 100 };
	struct rlimit r = { 4 * (100 + 48 + 48), 100000 };
	mqd_t q, q2;

	need_root();
	CHECK_OK(setresuid(54321, 54321, 54321));
	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
	CHECK_OK(q = mq_open("/a", O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(mq_unlink("/a"));
	CHECK_ERR(mq_open("/b", O_CREAT | O_RDWR, 0600, &a), EMFILE);
	CHECK_OK(mq_close(q));
	usleep(10000);
	CHECK_OK(q = mq_open("/b", O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(mq_unlink("/b"));
	CHECK_OK(mq_close(q));
	usleep(10000);
	r.rlim_cur--;
	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
	CHECK_ERR(q2 = mq_open("/c", O_CREAT | O_RDWR, 0600, &a), EMFILE);
}

TEST(permissions)
{
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	struct stat st;
	mqd_t q;

	need_root();
	umask(022);
	CHECK_OK(q = mq_open(Q, O_CREAT | O_RDWR, 0666, &a));
	CHECK_OK(fstat(q, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_size, 80);
	CHECK_OK(fchmod(q, 0604));
	pid_t pid = fork();
	if (pid == 0) {
		CHECK_OK(setresgid(65534, 65534, 65534));
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_OK(mq_open(Q, O_RDONLY));
		CHECK_ERR(mq_open(Q, O_WRONLY), EACCES);
		CHECK_ERR(mq_open(Q, O_RDWR), EACCES);
		CHECK_ERR(syscall(__NR_mq_unlink, Q + 1), EPERM);
		_exit(0);
	}
	test_wait_exit(pid, 0);
	CHECK_OK(mq_unlink(Q));
}

TEST(arguments_of_send_and_receive)
{
	mqd_t q = queue(2, 8, O_NONBLOCK);
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };
	char b[16];
	int fd = open("/dev/null", O_RDWR);

	CHECK_ERR(mq_send(q, "123456789", 9, 0), EMSGSIZE);
	CHECK_ERR(mq_send(q, "1", 1, 32768), EINVAL);
	CHECK_OK(mq_send(q, "1", 1, 32767));
	CHECK_ERR(mq_receive(q, b, 7, NULL), EMSGSIZE);
	CHECK_ERR(mq_send(q, (char *)8, 1, 0), EFAULT);
	CHECK_ERR(mq_send(-1, "1", 1, 0), EBADF);
	CHECK_ERR(mq_send(fd, "1", 1, 0), EBADF);
	CHECK_ERR(mq_receive(fd, b, 8, NULL), EBADF);
	CHECK_ERR(mq_timedsend(q, "1", 1, 0, &bad), EINVAL);
	CHECK_ERR(mq_timedsend(q, "1", 1, 0, &negative), EINVAL);
	CHECK_ERR(mq_timedreceive(q, b, 8, NULL, &bad), EINVAL);
	CHECK_ERR(mq_timedsend(q, "1", 1, 0, (void *)8), EFAULT);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_ERR(mq_send(q, "1", 1, 0), EAGAIN);
	CHECK_EQ(mq_receive(q, b, 16, NULL), 1);
	CHECK_EQ(mq_receive(q, b, 16, NULL), 1);
	CHECK_ERR(mq_receive(q, b, 16, NULL), EAGAIN);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_ERR(mq_receive(q, (char *)8, 8, NULL), EFAULT);
	CHECK_ERR(mq_receive(q, b, 16, NULL), EAGAIN); /* it is gone */
}

TEST(timeouts)
{
	mqd_t q = queue(1, 8, 0);
	struct timespec past = { 1, 0 }, soon;
	char b[8];

	CHECK_ERR(mq_timedreceive(q, b, 8, NULL, &past), ETIMEDOUT);
	soon = in_ms(30);
	CHECK_ERR(mq_timedreceive(q, b, 8, NULL, &soon), ETIMEDOUT);
	CHECK_OK(mq_timedsend(q, "x", 1, 0, &past));
	CHECK_ERR(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
	soon = in_ms(30);
	CHECK_ERR(mq_timedsend(q, "x", 1, 0, &soon), ETIMEDOUT);
	CHECK_EQ(mq_timedreceive(q, b, 8, NULL, &past), 1);
}

static void *send_later(void *q)
{
	usleep(30000);
	CHECK_OK(mq_send(*(mqd_t *)q, "late", 4, 3));
	return NULL;
}

static void *receive_later(void *q)
{
	char b[8];

	usleep(30000);
	CHECK_EQ(mq_receive(*(mqd_t *)q, b, 8, NULL), 1);
	return NULL;
}

TEST(blocking)
{
	mqd_t q = queue(1, 8, 0);
	pthread_t t;
	unsigned prio;
	char b[8];

	CHECK_EQ(pthread_create(&t, NULL, send_later, &q), 0);
	CHECK_EQ(mq_receive(q, b, 8, &prio), 4);
	CHECK_EQ(prio, 3);
	pthread_join(t, NULL);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_EQ(pthread_create(&t, NULL, receive_later, &q), 0);
	CHECK_OK(mq_send(q, "22", 2, 0));
	pthread_join(t, NULL);
	CHECK_EQ(mq_receive(q, b, 8, NULL), 2);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signal_interrupts)
{
	mqd_t q = queue(1, 8, 0);
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval it = { { 0, 30000 }, { 0, 30000 } };
	char b[8];

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(mq_receive(q, b, 8, NULL), EINTR);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_ERR(mq_send(q, "1", 1, 0), EINTR);
}

TEST(set_and_get_attributes)
{
	mqd_t q = queue(3, 8, 0);
	struct mq_attr a = { .mq_flags = O_NONBLOCK, .mq_maxmsg = 99 }, old;
	int fd = open("/dev/null", O_RDWR);
	char b[8];

	CHECK_OK(mq_setattr(q, &a, &old));
	CHECK_EQ(old.mq_flags, 0);
	CHECK_EQ(old.mq_maxmsg, 3);
	CHECK_EQ(fcntl(q, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_ERR(mq_receive(q, b, 8, NULL), EAGAIN);
	CHECK_OK(mq_getattr(q, &old));
	CHECK_EQ(old.mq_flags, O_NONBLOCK);
	CHECK_EQ(old.mq_maxmsg, 3);
	a.mq_flags = O_NONBLOCK | O_APPEND;
	CHECK_ERR(mq_setattr(q, &a, NULL), EINVAL);
	CHECK_ERR(mq_getattr(fd, &a), EBADF);
	CHECK_OK(syscall(__NR_mq_getsetattr, q, NULL, NULL));
	CHECK_ERR(syscall(__NR_mq_getsetattr, q, (void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(__NR_mq_getsetattr, q, NULL, (void *)8), EFAULT);
}

TEST(poll_and_epoll)
{
	mqd_t q = queue(1, 8, 0);
	struct pollfd p = { q, POLLIN | POLLOUT, 0 };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	pthread_t t;

	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, q, &ev));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	CHECK_EQ(pthread_create(&t, NULL, send_later, &q), 0);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 5000), 1);
	pthread_join(t, NULL);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
}

static volatile int got, got_code, got_value, got_pid;

static void note(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	got = sig;
	got_code = si->si_code;
	got_value = si->si_value.sival_int;
	got_pid = si->si_pid;
}

static void catch_notes(void)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &sa, NULL);
}

static struct sigevent by_signal(void)
{
	return (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42 };
}

TEST(notify_by_signal)
{
	mqd_t q = queue(3, 8, 0);
	struct sigevent ev = by_signal();

	catch_notes();
	CHECK_OK(mq_notify(q, &ev));
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	CHECK_EQ(got, 0);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_EQ(got, SIGUSR1);
	CHECK_EQ(got_code, SI_MESGQ);
	CHECK_EQ(got_value, 42);
	CHECK_EQ(got_pid, getpid());
	got = 0;
	CHECK_OK(mq_notify(q, &ev)); /* it was for once; and the queue is not empty */
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_EQ(got, 0);
	CHECK_OK(mq_notify(q, NULL));
	CHECK_OK(mq_notify(q, NULL));
	CHECK_OK(mq_notify(q, &ev));
}

TEST(notify_arguments)
{
	mqd_t q = queue(3, 8, 0);
	struct sigevent ev = by_signal();
	int fd = open("/dev/null", O_RDWR);

	ev.sigev_signo = 65;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_signo = -1;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev = (struct sigevent){ .sigev_notify = SIGEV_THREAD_ID };
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_notify = SIGEV_NONE;
	CHECK_ERR(mq_notify(-1, &ev), EBADF);
	CHECK_ERR(mq_notify(fd, &ev), EBADF);
	CHECK_ERR(syscall(__NR_mq_notify, q, (void *)8), EFAULT);
	CHECK_OK(mq_notify(q, &ev));
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
}

static void *receive_one(void *q)
{
	char b[8];

	CHECK_EQ(mq_receive(*(mqd_t *)q, b, 8, NULL), 1);
	return NULL;
}

TEST(receiver_that_waits_goes_before_notification)
{
	mqd_t q = queue(3, 8, 0);
	struct sigevent ev = by_signal();
	pthread_t t;

	catch_notes();
	CHECK_OK(mq_notify(q, &ev));
	CHECK_EQ(pthread_create(&t, NULL, receive_one, &q), 0);
	usleep(50000);
	CHECK_OK(mq_send(q, "1", 1, 0));
	pthread_join(t, NULL);
	CHECK_EQ(got, 0);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_EQ(got, SIGUSR1);
}

TEST(close_ends_the_registration)
{
	mqd_t q = queue(3, 8, 0), d = dup(q);
	struct sigevent ev = by_signal();
	pid_t pid;

	CHECK_OK(mq_notify(q, &ev));
	pid = fork();
	if (pid == 0) {
		close(q);
		CHECK_ERR(mq_notify(d, &ev), EBUSY);
		CHECK_OK(mq_notify(d, NULL)); /* not its own: nothing */
		CHECK_ERR(mq_notify(d, &ev), EBUSY);
		_exit(0);
	}
	test_wait_exit(pid, 0);
	CHECK_OK(close(d));
	CHECK_OK(mq_notify(q, &ev));
}

TEST(end_of_process_ends_the_registration)
{
	mqd_t q = queue(3, 8, 0);
	struct sigevent ev = by_signal();
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_OK(mq_notify(q, &ev));
		_exit(0);
	}
	test_wait_exit(pid, 0);
	CHECK_OK(mq_notify(q, &ev));
}

static volatile int threaded;

static void threaded_note(union sigval v)
{
	threaded = v.sival_int;
}

TEST(notify_by_thread)
{
	mqd_t q = queue(3, 8, 0);
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = threaded_note,
			       .sigev_value.sival_int = 7 };

	CHECK_OK(mq_notify(q, &ev));
	CHECK_OK(mq_send(q, "1", 1, 0));
	for (int i = 0; i < 500 && !threaded; i++)
		usleep(10000);
	CHECK_EQ(threaded, 7);
}

TEST(notify_by_socket)
{
	mqd_t q = queue(3, 8, 0);
	int s = socket(AF_NETLINK, SOCK_RAW, 0), u[2];
	char cookie[32] = "cookie", b[64] = { 0 };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_signo = s, .sigev_value.sival_ptr = cookie };

	CHECK_OK(syscall(__NR_mq_notify, q, &ev));
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_EQ(recv(s, b, sizeof(b), MSG_DONTWAIT), 32);
	CHECK(memcmp(b, cookie, 31) == 0);
	CHECK_EQ(b[31], 1); /* woken up */
	CHECK_OK(syscall(__NR_mq_notify, q, &ev));
	CHECK_OK(mq_notify(q, NULL));
	CHECK_EQ(recv(s, b, sizeof(b), MSG_DONTWAIT), 32);
	CHECK_EQ(b[31], 2); /* removed */
	ev.sigev_signo = -1;
	CHECK_ERR(syscall(__NR_mq_notify, q, &ev), EBADF);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, u));
	ev.sigev_signo = u[0];
	CHECK_ERR(syscall(__NR_mq_notify, q, &ev), EINVAL);
	ev.sigev_signo = q;
	CHECK_ERR(syscall(__NR_mq_notify, q, &ev), ENOTSOCK);
	ev.sigev_signo = s;
	ev.sigev_value.sival_ptr = (void *)8;
	CHECK_ERR(syscall(__NR_mq_notify, q, &ev), EFAULT);
}

TEST(text_of_a_queue)
{
	mqd_t q = queue(3, 8, 0);
	struct sigevent ev = by_signal();
	char b[128] = { 0 }, want[128];

	CHECK_OK(mq_send(q, "12345", 5, 0));
	CHECK_OK(mq_send(q, "12", 2, 9));
	CHECK_OK(mq_notify(q, &ev));
	CHECK(read(q, b, sizeof(b)) > 0);
	snprintf(want, sizeof(want), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 7, 0, SIGUSR1, getpid());
	CHECK_STR(b, want);
	CHECK_EQ(read(q, b, sizeof(b)), 0);
	CHECK_ERR(write(q, "x", 1), EINVAL);
	CHECK_EQ(lseek(q, 6, SEEK_SET), 6);
	CHECK_EQ(read(q, b, 1), 1);
	CHECK_EQ(b[0], '7');
}

TEST(file_system)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 8 };
	struct stat st;
	char b[8];
	int fd;
	mqd_t q;

	need_root();
	CHECK_OK(mkdir("m", 0700));
	CHECK_OK(mount("none", "m", "mqueue", 0, NULL));
	CHECK_ERR(access("m/kevlar-test", F_OK), ENOENT);
	CHECK_OK(q = mq_open(Q, O_CREAT | O_EXCL | O_RDWR, 0600, &a));
	CHECK_OK(stat("m/kevlar-test", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(stat("m", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	CHECK_OK(fd = open("m/kevlar-test", O_RDWR)); /* as good as mq_open */
	CHECK_OK(mq_send(fd, "abc", 3, 0));
	CHECK_EQ(mq_receive(q, b, 8, NULL), 3);
	CHECK_ERR(umount("m"), EBUSY);
	close(fd);
	CHECK_OK(unlink("m/kevlar-test"));
	CHECK_ERR(mq_open(Q, O_RDWR), ENOENT);
	CHECK_OK(fd = open("m/other", O_CREAT | O_RDWR, 0600));
	close(fd);
	CHECK_OK(q = mq_open("/other", O_RDWR));
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_maxmsg, 10);
	CHECK_OK(mq_unlink("/other"));
	CHECK_ERR(stat("m/other", &st), ENOENT);
	CHECK_ERR(mkdir("m/d", 0700), EPERM);
	CHECK_ERR(symlink("x", "m/l"), EPERM);
	CHECK_OK(umount("m"));
}

TEST(sysctl)
{
	CHECK_STR(test_slurp("/proc/sys/fs/mqueue/msg_max"), "10\n");
	CHECK_STR(test_slurp("/proc/sys/fs/mqueue/msgsize_max"), "8192\n");
	CHECK_STR(test_slurp("/proc/sys/fs/mqueue/queues_max"), "256\n");
	CHECK_STR(test_slurp("/proc/sys/fs/mqueue/msg_default"), "10\n");
	CHECK_STR(test_slurp("/proc/sys/fs/mqueue/msgsize_default"), "8192\n");
}

enum { STORM = 2000 };

static int storm_sender(void *q)
{
	for (int i = 0; i < STORM; i++)
		if (mq_send(*(mqd_t *)q, (char *)&i, sizeof(i), (unsigned)i % 3))
			return 1;
	return 0;
}

static int storm_receiver(void *q)
{
	int v;

	for (int i = 0; i < STORM; i++)
		if (mq_receive(*(mqd_t *)q, (char *)&v, sizeof(v), NULL) != sizeof(v))
			return 1;
	return 0;
}

TEST_TIMED(storm, 60)
{
	mqd_t q = queue(4, 4, 0);
	pid_t pid[8];

	for (int i = 0; i < 8; i++)
		pid[i] = test_fork(i % 2 ? storm_sender : storm_receiver, &q);
	for (int i = 0; i < 8; i++)
		test_wait_exit(pid[i], 0);
	struct mq_attr a;
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_curmsgs, 0);
}
