/* AF_UNIX streams: unix(7), socket(7). */

#include "net_test.h"

#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void pair(int p[2])
{
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
}

TEST(socket_errors)
{
	int p[2];

	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, 11, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
	CHECK_ERR(socket(45, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(1000, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8), EFAULT);
	CHECK_OK(socket(AF_UNIX, SOCK_STREAM, AF_UNIX));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p));
	CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(p[1], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_ERR(bind(1000, NULL, 0), EBADF);
	CHECK_ERR(listen(open("/", O_RDONLY), 1), ENOTSOCK);
	CHECK_ERR(accept4(p[0], NULL, NULL, 1), EINVAL);
}

TEST(is_a_socket_file)
{
	char link[64], name[64];
	struct stat st;
	int p[2], fd;

	pair(p);
	CHECK_OK(fstat(p[0], &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0777);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	ssize_t n = readlink(name, link, sizeof(link) - 1);
	CHECK(n > 0);
	link[n] = 0;
	snprintf(name, sizeof(name), "socket:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(link, name);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	CHECK_ERR(fd = open(name, O_RDWR), ENXIO);
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(p[0], name, 1, 0), ESPIPE);
	CHECK_ERR(ftruncate(p[0], 0), EINVAL);
	CHECK_ERR(fsync(p[0]), EINVAL);
	CHECK_ERR(ioctl(p[0], 0x1234, 0), ENOTTY);
}

TEST(stream_has_no_bounds)
{
	char buf[32];
	int p[2];

	pair(p);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	CHECK_EQ(write(p[0], "defg", 4), 4);
	CHECK_EQ(read(p[1], buf, 5), 5);
	CHECK(memcmp(buf, "abcde", 5) == 0);
	CHECK_EQ(read(p[1], buf, sizeof(buf)), 2);
	CHECK_EQ(write(p[1], "zz", 2), 2);
	CHECK_EQ(recv(p[0], buf, 32, 0), 2);
	CHECK_EQ(write(p[0], "", 0), 0);
	CHECK_EQ(read(p[1], buf, 0), 0);
	CHECK_ERR(recv(p[1], buf, 32, MSG_DONTWAIT), EAGAIN);
	set_nonblock(p[1]);
	CHECK_ERR(read(p[1], buf, 32), EAGAIN);
}

TEST(vectors)
{
	char a[3], b[10];
	struct iovec out[3] = { { "12", 2 }, { NULL, 0 }, { "34567", 5 } };
	struct iovec in[2] = { { a, 3 }, { b, 10 } };
	int p[2];

	pair(p);
	CHECK_EQ(writev(p[0], out, 3), 7);
	CHECK_EQ(readv(p[1], in, 2), 7);
	CHECK(memcmp(a, "123", 3) == 0 && memcmp(b, "4567", 4) == 0);
}

TEST(bad_addresses)
{
	char buf[8];
	int p[2];

	pair(p);
	CHECK_ERR(write(p[0], (void *)8, 10), EFAULT);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	CHECK_ERR(read(p[1], (void *)8, 10), EFAULT);
	CHECK_EQ(read(p[1], buf, 8), 3);
	CHECK_ERR(sendto(p[0], "a", 1, 0, (void *)8, 16), EFAULT);
	CHECK_ERR(getsockname(p[0], (void *)8, NULL), EFAULT);
}

TEST(close_is_end_of_file)
{
	char buf[8];
	int p[2];

	pair(p);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	close(p[0]);
	CHECK_EQ(poll_now(p[1], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(read(p[1], buf, 8), 3);
	CHECK_EQ(read(p[1], buf, 8), 0);
	CHECK_EQ(read(p[1], buf, 8), 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(int_option(p[1], SO_ERROR), 0);
}

TEST(close_with_unread_data_resets)
{
	char buf[8];
	int p[2];

	pair(p);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	CHECK_EQ(write(p[1], "z", 1), 1);
	close(p[1]);
	CHECK_EQ(poll_now(p[0], POLLIN), POLLIN | POLLHUP | POLLERR);
	CHECK_EQ(read(p[0], buf, 8), 1);
	CHECK_ERR(read(p[0], buf, 8), ECONNRESET);
	CHECK_EQ(read(p[0], buf, 8), 0);
	pair(p);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	close(p[1]);
	CHECK_ERR(send(p[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(int_option(p[0], SO_ERROR), ECONNRESET);
	CHECK_EQ(int_option(p[0], SO_ERROR), 0);
}

static int write_to_closed(void *arg)
{
	int p[2];

	pair(p);
	close(p[1]);
	if (arg)
		return send(p[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE ? 7 : 1;
	(void)!write(p[0], "x", 1);
	return 0;
}

TEST(sigpipe)
{
	test_wait_signal(test_fork(write_to_closed, NULL), SIGPIPE);
	test_wait_exit(test_fork(write_to_closed, (void *)1), 7);
}

TEST(shutdown_write_is_end_of_file)
{
	char buf[8];
	int p[2];

	pair(p);
	CHECK_EQ(write(p[0], "ab", 2), 2);
	CHECK_OK(shutdown(p[0], SHUT_WR));
	CHECK_EQ(poll_now(p[0], POLLIN | POLLOUT | POLLRDHUP), POLLOUT);
	CHECK_EQ(poll_now(p[1], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(p[1], buf, 8), 2);
	CHECK_EQ(read(p[1], buf, 8), 0);
	CHECK_ERR(send(p[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(write(p[1], "back", 4), 4);
	CHECK_EQ(read(p[0], buf, 8), 4);
	CHECK_OK(shutdown(p[1], SHUT_WR));
	CHECK_EQ(poll_now(p[0], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(shutdown_read)
{
	char buf[8];
	int p[2];

	pair(p);
	CHECK_EQ(write(p[1], "ab", 2), 2);
	CHECK_OK(shutdown(p[0], SHUT_RD));
	CHECK_ERR(send(p[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(read(p[0], buf, 8), 2);
	CHECK_EQ(read(p[0], buf, 8), 0);
	CHECK_ERR(shutdown(p[0], 3), EINVAL);
	CHECK_ERR(shutdown(p[0], -1), EINVAL);
}

TEST(unconnected)
{
	char buf[8];
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLOUT | POLLHUP);
	CHECK_ERR(read(fd, buf, 8), EINVAL);
	CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERR(getpeername(fd, (void *)&a, &n), ENOTCONN);
	CHECK_OK(getsockname(fd, (void *)&a, &n));
	CHECK_EQ(n, 2);
	CHECK_EQ(a.sun_family, AF_UNIX);
	CHECK_ERR(listen(fd, 1), EINVAL);
	CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
	CHECK_EQ(shutdown(fd, SHUT_RDWR), 0);
}

TEST(pair_has_names_of_nothing)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int p[2];

	pair(p);
	memset(&a, 'x', sizeof(a));
	CHECK_OK(getpeername(p[0], (void *)&a, &n));
	CHECK_EQ(n, 2);
	CHECK_EQ(a.sun_path[0], 'x');
	CHECK_ERR(connect_path(p[0], "nowhere"), ENOENT);
	listener(SOCK_STREAM, "s", 1);
	CHECK_ERR(connect_path(p[0], "s"), EISCONN);
	n = path_name(&a, "s");
	CHECK_ERR(sendto(p[0], "x", 1, 0, (void *)&a, n), EISCONN);
	CHECK_ERR(sendto(socket(AF_UNIX, SOCK_STREAM, 0), "x", 1, 0, (void *)&a, n), EOPNOTSUPP);
}

TEST(connect_and_accept)
{
	struct sockaddr_un a;
	socklen_t n;
	char buf[8];
	int l = listener(SOCK_STREAM, "s", 5), c = socket(AF_UNIX, SOCK_STREAM, 0), s;

	CHECK_EQ(poll_now(l, POLLIN | POLLOUT), 0);
	CHECK_OK(connect_path(c, "s"));
	CHECK_EQ(poll_now(l, POLLIN), POLLIN);
	CHECK_EQ(write(c, "before", 6), 6);
	n = sizeof(a);
	CHECK_OK(getpeername(c, (void *)&a, &n));
	CHECK_EQ(n, 4);
	CHECK_STR(a.sun_path, "s");
	n = sizeof(a);
	CHECK_OK(s = accept(l, (void *)&a, &n));
	CHECK_EQ(n, 2);
	CHECK_EQ(poll_now(l, POLLIN), 0);
	CHECK_EQ(read(s, buf, 8), 6);
	n = sizeof(a);
	CHECK_OK(getsockname(s, (void *)&a, &n));
	CHECK_EQ(n, 4);
	CHECK_STR(a.sun_path, "s");
	n = sizeof(a);
	CHECK_OK(getpeername(s, (void *)&a, &n));
	CHECK_EQ(n, 2);
	CHECK_EQ(write(s, "hi", 2), 2);
	n = sizeof(a);
	CHECK_EQ(recvfrom(c, buf, 8, 0, (void *)&a, &n), 2);
	CHECK_EQ(n, 4);
	CHECK_ERR(connect_path(c, "s"), EISCONN);
	CHECK_EQ(int_option(l, SO_ACCEPTCONN), 1);
	CHECK_EQ(int_option(c, SO_ACCEPTCONN), 0);
	CHECK_ERR(connect_path(l, "s"), EINVAL);
	CHECK_ERR(read(l, buf, 8), EINVAL);
	CHECK_ERR(send(l, buf, 8, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERR(listen(c, 4), EINVAL);
}

TEST(connect_errors)
{
	struct sockaddr_un a;
	int c = socket(AF_UNIX, SOCK_STREAM, 0), b;

	CHECK_ERR(connect_path(c, "none"), ENOENT);
	CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
	CHECK_ERR(connect_path(c, "file"), ECONNREFUSED);
	b = bound(SOCK_STREAM, "b");
	CHECK_ERR(connect_path(c, "b"), ECONNREFUSED);
	bound(SOCK_DGRAM, "d");
	CHECK_ERR(connect_path(c, "d"), EPROTOTYPE);
	close(b);
	CHECK_ERR(connect_path(c, "b"), ECONNREFUSED);
	CHECK_EQ(abstract_name(&a, "no such") > 0, 1);
	CHECK_ERR(connect(c, (void *)&a, 10), ECONNREFUSED);
	CHECK_ERR(connect(c, (void *)&a, 2), EINVAL);
	CHECK_ERR(connect(c, (void *)&a, 111), EINVAL);
	CHECK_ERR(connect(c, (void *)&a, 200), EINVAL);
	a.sun_family = AF_INET;
	CHECK_ERR(connect(c, (void *)&a, 10), EINVAL);
	a.sun_family = AF_UNSPEC;
	CHECK_ERR(connect(c, (void *)&a, 10), EINVAL);
}

TEST(backlog)
{
	int l = listener(SOCK_STREAM, "s", 1), c[4];

	for (int i = 0; i < 4; i++)
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_OK(connect_path(c[0], "s"));
	CHECK_OK(connect_path(c[1], "s"));
	CHECK_ERR(connect_path(c[2], "s"), EAGAIN);
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(connect_path(c[2], "s"));
	CHECK_ERR(connect_path(c[3], "s"), EAGAIN);
	struct timeval tv = { 0, 20000 };
	CHECK_OK(setsockopt(c[3], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	CHECK_OK(fcntl(c[3], F_SETFL, 0));
	CHECK_ERR(connect_path(c[3], "s"), EAGAIN);
	CHECK_OK(listen(l, 5));
	CHECK_OK(connect_path(c[3], "s"));
}

static int late_accept(void *arg)
{
	usleep(30000);
	return accept((int)(intptr_t)arg, NULL, NULL) >= 0 ? 0 : 1;
}

TEST(connect_waits_for_the_backlog)
{
	int l = listener(SOCK_STREAM, "s", 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t child;

	CHECK_OK(connect_path(c, "s"));
	child = test_fork(late_accept, (void *)(intptr_t)l);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_OK(connect_path(c, "s"));
	test_wait_exit(child, 0);
}

static int late_shutdown(void *arg)
{
	usleep(30000);
	return shutdown((int)(intptr_t)arg, SHUT_RDWR);
}

static int late_end(void *arg)
{
	(void)arg;
	usleep(30000);
	return 0;
}

TEST(closing_a_listener_wakes_those_who_connect)
{
	int l = listener(SOCK_STREAM, "s", 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t child;

	CHECK_OK(connect_path(c, "s"));
	child = test_fork(late_end, NULL);
	close(l);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(connect_path(c, "s"), ECONNREFUSED);
	test_wait_exit(child, 0);
}

TEST(shutdown_of_a_listener_wakes_those_who_accept)
{
	int l = listener(SOCK_STREAM, "t", 0);
	pid_t child = test_fork(late_shutdown, (void *)(intptr_t)l);

	CHECK_ERR(accept(l, NULL, NULL), EINVAL);
	test_wait_exit(child, 0);
	CHECK_EQ(poll_now(l, POLLIN | POLLRDHUP) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
}

TEST(closing_a_listener_resets_the_unaccepted)
{
	int l = listener(SOCK_STREAM, "s", 5), c = socket(AF_UNIX, SOCK_STREAM, 0);
	char b;

	CHECK_OK(connect_path(c, "s"));
	close(l);
	CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLHUP | POLLERR);
	CHECK_ERR(read(c, &b, 1), ECONNRESET);
	CHECK_EQ(read(c, &b, 1), 0);
}

TEST(accept_nonblocking_and_flags)
{
	int l = listener(SOCK_STREAM, "s", 5), c = socket(AF_UNIX, SOCK_STREAM, 0), s;

	set_nonblock(l);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK_OK(connect_path(c, "s"));
	CHECK_OK(s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(s, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_OK(connect_path(c, "s"));
	CHECK_OK(s = accept(l, NULL, NULL));
	CHECK_EQ(fcntl(s, F_GETFL) & O_NONBLOCK, 0);
}

TEST(accept_timeout)
{
	int l = listener(SOCK_STREAM, "s", 5);
	struct timeval tv = { 0, 30000 };

	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
}

TEST(receive_timeout_and_signals)
{
	struct timeval tv = { 0, 30000 };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	int p[2];
	char b;

	pair(p);
	CHECK_OK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	int64_t t = test_now();
	CHECK_ERR(read(p[0], &b, 1), EAGAIN);
	CHECK(test_now() - t >= 29000000);
	/* With a timeout, a signal ends the call for good, SA_RESTART or not. */
	tv.tv_sec = 5;
	CHECK_OK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	sa.sa_handler = (void (*)(int))alarm;
	sa.sa_flags = SA_RESTART;
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	struct itimerval it = { { 0, 0 }, { 0, 30000 } };
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_ERR(read(p[0], &b, 1), EINTR);
}

static int wr_fd;
static void write_byte(int sig)
{
	(void)sig;
	(void)!write(wr_fd, "r", 1);
}

TEST(receive_is_restarted)
{
	struct sigaction sa = { .sa_handler = write_byte, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 0 }, { 0, 30000 } };
	int p[2];
	char b;

	pair(p);
	wr_fd = p[1];
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_EQ(recv(p[0], &b, 1, 0), 1);
	CHECK_EQ(b, 'r');
}

TEST(buffer_fills_and_drains)
{
	static char block[4096];
	size_t sent = 0, got = 0;
	ssize_t n;
	int p[2];

	pair(p);
	set_nonblock(p[0]);
	set_nonblock(p[1]);
	CHECK_EQ(int_option(p[0], SO_SNDBUF), 212992);
	while ((n = write(p[0], block, sizeof(block))) > 0)
		sent += (size_t)n;
	CHECK_EQ(n, -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK(sent >= 100000 && sent <= 300000);
	CHECK_EQ(poll_now(p[0], POLLOUT), 0);
	int inq;
	CHECK_OK(ioctl(p[1], FIONREAD, &inq));
	CHECK_EQ(inq, sent);
	CHECK_EQ(read(p[1], block, 4096), 4096);
	got = 4096;
	CHECK_EQ(poll_now(p[0], POLLOUT), 0); /* writable again only below a quarter */
	while ((n = read(p[1], block, sizeof(block))) > 0)
		got += (size_t)n;
	CHECK_EQ(got, sent);
	CHECK_EQ(poll_now(p[0], POLLOUT), POLLOUT);
	CHECK_OK(ioctl(p[0], TIOCOUTQ, &inq));
	CHECK_EQ(inq, 0);
}

TEST(one_byte_messages_fill_it_too)
{
	int p[2], n = 0;

	pair(p);
	while (send(p[0], "x", 1, MSG_DONTWAIT) == 1)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(n >= 200 && n <= 400);
}

TEST(send_buffer_limit)
{
	static char block[300000];
	int p[2];
	ssize_t n;

	pair(p);
	set_option(p[0], SO_SNDBUF, 8192);
	CHECK_EQ(int_option(p[0], SO_SNDBUF), 16384);
	CHECK((n = send(p[0], block, sizeof(block), MSG_DONTWAIT)) > 0);
	CHECK(n <= 32768);
	CHECK_ERR(send(p[0], block, 1, MSG_DONTWAIT), EAGAIN);
	set_option(p[0], SO_SNDBUF, 1);
	CHECK_EQ(int_option(p[0], SO_SNDBUF), 4608);
	set_option(p[0], SO_RCVBUF, 1);
	CHECK_EQ(int_option(p[0], SO_RCVBUF), 2304);
	set_option(p[0], SO_RCVBUF, 10000000);
	CHECK_EQ(int_option(p[0], SO_RCVBUF), 425984);
}

static int slow_reader(void *arg)
{
	int fd = (int)(intptr_t)arg;
	static char buf[10000];
	long total = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != (char)((total + i) % 251))
				return 1;
		total += n;
	}
	return n < 0 ? 2 : total == 2000000 ? 0 : 3;
}

TEST(big_blocking_write)
{
	static char block[2000000];
	pid_t child;
	int p[2];

	pair(p);
	for (int i = 0; i < 2000000; i++)
		block[i] = (char)(i % 251);
	child = fork();
	if (child == 0) {
		close(p[0]);
		_exit(slow_reader((void *)(intptr_t)p[1]));
	}
	close(p[1]);
	CHECK_EQ(write(p[0], block, sizeof(block)), sizeof(block));
	close(p[0]);
	test_wait_exit(child, 0);
}

static int piecemeal(void *arg)
{
	int fd = (int)(intptr_t)arg;

	for (int i = 0; i < 5; i++) {
		usleep(5000);
		if (write(fd, "ab", 2) != 2)
			return 1;
	}
	return 0;
}

TEST(waitall)
{
	char buf[16];
	pid_t child;
	int p[2];

	pair(p);
	child = test_fork(piecemeal, (void *)(intptr_t)p[1]);
	CHECK_EQ(recv(p[0], buf, 10, MSG_WAITALL), 10);
	test_wait_exit(child, 0);
	CHECK_EQ(write(p[1], "xyz", 3), 3);
	close(p[1]);
	CHECK_EQ(recv(p[0], buf, 10, MSG_WAITALL), 3);
	pair(p);
	CHECK_EQ(write(p[1], "xyz", 3), 3);
	CHECK_EQ(recv(p[0], buf, 10, MSG_WAITALL | MSG_DONTWAIT), 3);
}

TEST(receive_low_water_mark)
{
	char buf[16];
	pid_t child;
	int p[2];

	pair(p);
	set_option(p[0], SO_RCVLOWAT, 4);
	CHECK_EQ(int_option(p[0], SO_RCVLOWAT), 4);
	child = test_fork(piecemeal, (void *)(intptr_t)p[1]);
	ssize_t n = recv(p[0], buf, 16, 0);
	CHECK(n >= 4);
	CHECK_EQ(write(p[1], "x", 1), 1);
	test_wait_exit(child, 0);
	set_option(p[0], SO_RCVLOWAT, 0);
	CHECK_EQ(int_option(p[0], SO_RCVLOWAT), 1);
}

TEST(peek)
{
	char buf[16];
	int p[2];

	pair(p);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	CHECK_EQ(write(p[0], "def", 3), 3);
	CHECK_EQ(recv(p[1], buf, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(p[1], buf, 16, MSG_PEEK), 6);
	CHECK(memcmp(buf, "abcdef", 6) == 0);
	CHECK_EQ(recv(p[1], buf, 4, 0), 4);
	CHECK_EQ(recv(p[1], buf, 16, MSG_PEEK), 2);
	CHECK(memcmp(buf, "ef", 2) == 0);
	CHECK_EQ(read(p[1], buf, 16), 2);
	CHECK_ERR(recv(p[1], buf, 16, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

TEST(peek_offset)
{
	char buf[16];
	int p[2];

	pair(p);
	CHECK_EQ(int_option(p[1], SO_PEEK_OFF), -1);
	CHECK_EQ(write(p[0], "abc", 3), 3);
	CHECK_EQ(write(p[0], "defghi", 6), 6);
	set_option(p[1], SO_PEEK_OFF, 1);
	CHECK_EQ(recv(p[1], buf, 4, MSG_PEEK), 4);
	CHECK(memcmp(buf, "bcde", 4) == 0);
	CHECK_EQ(int_option(p[1], SO_PEEK_OFF), 5);
	CHECK_EQ(recv(p[1], buf, 2, MSG_PEEK), 2);
	CHECK(memcmp(buf, "fg", 2) == 0);
	CHECK_EQ(recv(p[1], buf, 4, 0), 4);
	CHECK(memcmp(buf, "abcd", 4) == 0);
	CHECK_EQ(int_option(p[1], SO_PEEK_OFF), 3);
	CHECK_EQ(recv(p[1], buf, 16, MSG_PEEK), 2);
	CHECK(memcmp(buf, "hi", 2) == 0);
	CHECK_ERR(recv(p[1], buf, 16, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

TEST(urgent_byte)
{
	char buf[16];
	int p[2], at;

	pair(p);
	CHECK_EQ(send(p[0], "abX", 3, MSG_OOB), 3);
	CHECK_EQ(poll_now(p[1], POLLIN | POLLPRI), POLLIN | POLLPRI);
	CHECK_OK(ioctl(p[1], 0x8905, &at)); /* SIOCATMARK */
	CHECK_EQ(at, 0);
	CHECK_EQ(send(p[0], "cd", 2, 0), 2);
	CHECK_EQ(recv(p[1], buf, 16, 0), 2);
	CHECK_OK(ioctl(p[1], 0x8905, &at));
	CHECK_EQ(at, 1);
	CHECK_EQ(recv(p[1], buf, 16, MSG_OOB), 1);
	CHECK_EQ(buf[0], 'X');
	CHECK_ERR(recv(p[1], buf, 16, MSG_OOB), EINVAL);
	CHECK_EQ(recv(p[1], buf, 16, 0), 2);
	CHECK_ERR(send(p[0], "", 0, MSG_OOB), EOPNOTSUPP);
	set_option(p[1], SO_OOBINLINE, 1);
	CHECK_EQ(send(p[0], "Y", 1, MSG_OOB), 1);
	CHECK_ERR(recv(p[1], buf, 16, MSG_OOB), EINVAL);
	CHECK_EQ(recv(p[1], buf, 16, 0), 1);
	CHECK_EQ(buf[0], 'Y');
}

static volatile int urgents;
static void on_urgent(int sig)
{
	(void)sig;
	urgents++;
}

TEST(urgent_signal_and_sigio)
{
	int p[2];

	pair(p);
	signal(SIGURG, on_urgent);
	signal(SIGIO, on_urgent);
	CHECK_OK(fcntl(p[1], F_SETOWN, getpid()));
	CHECK_EQ(send(p[0], "X", 1, MSG_OOB), 1);
	CHECK_EQ(urgents, 1);
	CHECK_OK(fcntl(p[1], F_SETFL, O_ASYNC));
	CHECK_EQ(send(p[0], "X", 1, 0), 1);
	CHECK_EQ(urgents, 2);
	int on = 1, pid = getpid();
	CHECK_OK(ioctl(p[0], FIOASYNC, &on));
	CHECK_OK(ioctl(p[0], 0x8901, &pid)); /* FIOSETOWN */
	CHECK_EQ(fcntl(p[0], F_GETOWN), pid);
	urgents = 0;
	close(p[1]);
	CHECK(urgents >= 1);
}

TEST(edge_triggered_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.fd = 7 }, out[4];
	int p[2], ep = epoll_create1(0);
	char b[8];

	pair(p);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);
	CHECK_EQ(write(p[1], "a", 1), 1);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(out[0].events, EPOLLIN);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);
	CHECK_EQ(write(p[1], "b", 1), 1); /* more data is an edge, though some was there */
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(read(p[0], b, 8), 2);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);
	close(p[1]);
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(out[0].events, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
	/* Writable, by edges. */
	pair(p);
	set_nonblock(p[0]);
	ev.events = EPOLLOUT | EPOLLET;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	static char block[65536];
	while (write(p[0], block, sizeof(block)) > 0)
		;
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 0);
	set_nonblock(p[1]);
	while (read(p[1], block, sizeof(block)) > 0)
		;
	CHECK_EQ(epoll_wait(ep, out, 4, 0), 1);
	CHECK_EQ(out[0].events, EPOLLOUT);
}

TEST(epoll_interest_may_change)
{
	struct epoll_event ev = { .events = EPOLLIN }, out;
	int p[2], ep = epoll_create1(0);

	pair(p);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	static char block[65536];
	while (send(p[0], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	ev.events = EPOLLOUT;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev));
	CHECK_EQ(epoll_wait(ep, &out, 1, 0), 0);
	pid_t child = fork();
	if (child == 0) {
		usleep(20000);
		while (recv(p[1], block, sizeof(block), MSG_DONTWAIT) > 0)
			;
		_exit(0);
	}
	CHECK_EQ(epoll_wait(ep, &out, 1, 5000), 1);
	CHECK_EQ(out.events, EPOLLOUT);
	test_wait_exit(child, 0);
}

TEST(splice_and_sendfile)
{
	int p[2], q[2], fd = open("f", O_CREAT | O_RDWR, 0600);
	char buf[64];
	off_t off = 2;

	pair(p);
	CHECK_OK(pipe(q));
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_EQ(sendfile(p[0], fd, &off, 5), 5);
	CHECK_EQ(off, 7);
	CHECK_EQ(splice(p[1], NULL, q[1], NULL, 64, 0), 5);
	CHECK_EQ(read(q[0], buf, 64), 5);
	CHECK(memcmp(buf, "23456", 5) == 0);
	CHECK_EQ(write(q[1], "pipe", 4), 4);
	CHECK_EQ(splice(q[0], NULL, p[1], NULL, 64, 0), 4);
	CHECK_EQ(read(p[0], buf, 64), 4);
	CHECK_ERR(splice(p[1], NULL, q[1], NULL, 64, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(splice(p[1], &off, q[1], NULL, 64, 0), EINVAL);
	set_nonblock(p[1]);
	CHECK_ERR(splice(p[1], NULL, q[1], NULL, 64, 0), EAGAIN);
	close(p[1]);
	CHECK_EQ(splice(p[0], NULL, q[1], NULL, 64, 0), 0);
}

TEST(message_headers)
{
	struct iovec v = { "abc", 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct sockaddr_un a;
	char buf[16];
	int p[2];

	pair(p);
	CHECK_EQ(sendmsg(p[0], &m, 0), 3);
	m.msg_iovlen = 1025;
	CHECK_ERR(sendmsg(p[0], &m, 0), EMSGSIZE);
	m.msg_iovlen = 1;
	v.iov_base = buf;
	v.iov_len = 16;
	m.msg_name = &a;
	m.msg_namelen = sizeof(a);
	m.msg_flags = 0x7777;
	m.msg_controllen = 0;
	CHECK_EQ(recvmsg(p[1], &m, 0), 3);
	CHECK_EQ(m.msg_flags, 0);
	CHECK_EQ(m.msg_namelen, 0);
	m.msg_namelen = (socklen_t)-1;
	CHECK_ERR(recvmsg(p[1], &m, MSG_DONTWAIT), EINVAL);
	CHECK_ERR(recvmsg(p[1], (void *)8, MSG_DONTWAIT), EFAULT);
}
