/* AF_UNIX datagrams, seqpackets and names: unix(7). */

#include "net_test.h"

#include <sys/epoll.h>

static void pair(int type, int p[2])
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, p));
}

static ssize_t send_path(int fd, const char *path, const void *buf, size_t n, int flags)
{
	struct sockaddr_un a;
	socklen_t len = path_name(&a, path);

	return sendto(fd, buf, n, flags, (void *)&a, len);
}

TEST(datagrams_have_bounds)
{
	char buf[16];
	int p[2];

	pair(SOCK_DGRAM, p);
	CHECK_EQ(send(p[0], "abc", 3, 0), 3);
	CHECK_EQ(write(p[0], "defg", 4), 4);
	CHECK_EQ(send(p[0], "", 0, 0), 0);
	CHECK_EQ(send(p[0], "last", 4, 0), 4);
	int n;
	CHECK_OK(ioctl(p[1], FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_EQ(recv(p[1], buf, 2, 0), 2);
	CHECK_EQ(read(p[1], buf, 16), 4);
	CHECK_EQ(recv(p[1], buf, 16, 0), 0);
	CHECK_EQ(recv(p[1], buf, 2, MSG_TRUNC), 4);
	CHECK_ERR(recv(p[1], buf, 2, MSG_DONTWAIT), EAGAIN);
}

TEST(truncation_is_told)
{
	char buf[2];
	struct iovec v = { buf, 2 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int p[2];

	pair(SOCK_DGRAM, p);
	CHECK_EQ(send(p[0], "abc", 3, 0), 3);
	CHECK_EQ(recvmsg(p[1], &m, MSG_PEEK), 2);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	CHECK_EQ(recvmsg(p[1], &m, MSG_PEEK | MSG_TRUNC), 3);
	CHECK_EQ(recvmsg(p[1], &m, 0), 2);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	pair(SOCK_SEQPACKET, p);
	CHECK_EQ(send(p[0], "abc", 3, 0), 3);
	CHECK_EQ(send(p[0], "d", 1, MSG_EOR), 1);
	CHECK_EQ(recvmsg(p[1], &m, 0), 2);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	CHECK_EQ(recvmsg(p[1], &m, 0), 1);
	CHECK_EQ(m.msg_flags, 0);
}

TEST(sender_names)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	char buf[16];
	int d = bound(SOCK_DGRAM, "d"), c = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_EQ(send_path(c, "d", "anon", 4, 0), 4);
	CHECK_EQ(recvfrom(d, buf, 16, 0, (void *)&a, &n), 4);
	CHECK_EQ(n, 0);
	n = path_name(&a, "c");
	CHECK_OK(bind(c, (void *)&a, n));
	CHECK_EQ(send_path(c, "d", "named", 5, 0), 5);
	n = sizeof(a);
	CHECK_EQ(recvfrom(d, buf, 16, 0, (void *)&a, &n), 5);
	CHECK_EQ(n, 4);
	CHECK_STR(a.sun_path, "c");
	CHECK_EQ(sendto(d, "re", 2, 0, (void *)&a, n), 2);
	CHECK_EQ(read(c, buf, 16), 2);
	memset(&a, 'x', sizeof(a));
	CHECK_EQ(send_path(c, "d", "named", 5, 0), 5);
	n = 3;
	CHECK_EQ(recvfrom(d, buf, 16, 0, (void *)&a, &n), 5);
	CHECK_EQ(n, 4); /* the true length; only three bytes were written */
	CHECK_EQ(a.sun_path[0], 'c');
	CHECK_EQ(a.sun_path[1], 'x');
}

TEST(send_errors)
{
	static char big[300000];
	int d = bound(SOCK_DGRAM, "d"), c = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERR(send_path(c, "none", "x", 1, 0), ENOENT);
	listener(SOCK_STREAM, "s", 1);
	CHECK_ERR(send_path(c, "s", "x", 1, 0), EPROTOTYPE);
	CHECK_ERR(send_path(c, "d", big, sizeof(big), 0), EMSGSIZE);
	CHECK_EQ(send_path(c, "d", big, 212992 - 32, 0), 212992 - 32);
	CHECK_ERR(send_path(c, "d", "x", 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(read(d, big, sizeof(big)), 212992 - 32);
	CHECK_ERR(send_path(c, "d", "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(d, big, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(listen(c, 1), EOPNOTSUPP);
	CHECK_ERR(accept(c, NULL, NULL), EOPNOTSUPP);
	close(d);
	CHECK_ERR(send_path(c, "d", "x", 1, 0), ECONNREFUSED);
}

TEST(big_datagrams_arrive_whole)
{
	static char out[200000], in[200000];
	int p[2];

	pair(SOCK_DGRAM, p);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 4096);
	for (size_t n = 1; n < sizeof(out); n = n * 3 + 1) {
		memset(in, 0, n);
		CHECK_EQ(send(p[0], out, n, 0), n);
		CHECK_EQ(recv(p[1], in, sizeof(in), 0), n);
		CHECK(memcmp(in, out, n) == 0);
	}
}

TEST(queue_length)
{
	int d = bound(SOCK_DGRAM, "d"), c = socket(AF_UNIX, SOCK_DGRAM, 0), n = 0;
	char b[4];

	CHECK_OK(connect_path(c, "d"));
	while (send(c, "x", 1, MSG_DONTWAIT) == 1)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 11); /* net.unix.max_dgram_qlen, and one */
	CHECK_EQ(poll_now(c, POLLOUT), 0);
	CHECK_EQ(read(d, b, 4), 1);
	CHECK_EQ(poll_now(c, POLLOUT), POLLOUT);
	/* A pair is connected both ways, and has no such limit. */
	int p[2];
	pair(SOCK_DGRAM, p);
	for (n = 0; n < 100; n++)
		CHECK_EQ(send(p[0], "x", 1, MSG_DONTWAIT), 1);
}

static int late_read(void *arg)
{
	char b[4];

	usleep(30000);
	return read((int)(intptr_t)arg, b, 4) == 1 ? 0 : 1;
}

TEST(a_full_queue_is_waited_for)
{
	int d = bound(SOCK_DGRAM, "d"), c = socket(AF_UNIX, SOCK_DGRAM, 0), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET }, out;
	pid_t child;

	CHECK_OK(connect_path(c, "d"));
	while (send(c, "x", 1, MSG_DONTWAIT) == 1)
		;
	child = test_fork(late_read, (void *)(intptr_t)d);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	test_wait_exit(child, 0);
	CHECK_ERR(send(c, "x", 1, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev));
	CHECK_EQ(epoll_wait(ep, &out, 1, 0), 0);
	child = test_fork(late_read, (void *)(intptr_t)d);
	CHECK_EQ(epoll_wait(ep, &out, 1, 5000), 1);
	CHECK_EQ(out.events, EPOLLOUT);
	test_wait_exit(child, 0);
}

TEST(connected_datagrams)
{
	struct sockaddr_un a;
	int d = bound(SOCK_DGRAM, "d"), e = bound(SOCK_DGRAM, "e"), f = bound(SOCK_DGRAM, "f");
	char b[4];

	CHECK_OK(connect_path(d, "e"));
	CHECK_EQ(send(d, "1", 1, 0), 1);
	CHECK_EQ(read(e, b, 4), 1);
	CHECK_OK(connect_path(e, "d"));
	/* e takes messages from d alone. */
	CHECK_ERR(send_path(f, "e", "x", 1, 0), EPERM);
	CHECK_ERR(connect_path(f, "e"), EPERM);
	CHECK_EQ(send_path(d, "f", "2", 1, 0), 1);
	a.sun_family = AF_UNSPEC;
	CHECK_OK(connect(e, (void *)&a, 2));
	CHECK_EQ(send_path(f, "e", "x", 1, 0), 1);
	CHECK_ERR(send(e, "x", 1, 0), ENOTCONN);
	close(e);
	int err = int_option(d, SO_ERROR);
	CHECK(err == 0 || err == ECONNRESET);
	CHECK_ERR(send(d, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(send(d, "x", 1, 0), ENOTCONN);
}

TEST(datagram_pair_closed)
{
	int p[2];
	char b;

	pair(SOCK_DGRAM, p);
	CHECK_EQ(send(p[0], "x", 1, 0), 1);
	close(p[0]);
	CHECK_EQ(recv(p[1], &b, 1, 0), 1);
	CHECK_ERR(recv(p[1], &b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(poll_now(p[1], POLLIN | POLLOUT), POLLOUT);
	CHECK_ERR(send(p[1], "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(send(p[1], "x", 1, 0), ENOTCONN);
}

TEST(datagram_shutdown)
{
	int p[2];
	char b;

	pair(SOCK_DGRAM, p);
	CHECK_OK(shutdown(p[0], SHUT_RD));
	CHECK_ERR(send(p[1], "x", 1, 0), EPIPE); /* and no signal */
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(recv(p[0], &b, 1, 0), 0);
	CHECK_ERR(recv(p[0], &b, 1, MSG_DONTWAIT), EAGAIN);
	pair(SOCK_DGRAM, p);
	CHECK_OK(shutdown(p[0], SHUT_WR));
	CHECK_ERR(send(p[0], "x", 1, 0), EPIPE);
	CHECK_EQ(poll_now(p[1], POLLIN | POLLRDHUP), 0);
	CHECK_OK(shutdown(p[1], SHUT_RDWR));
	CHECK_EQ(poll_now(p[1], POLLIN), POLLIN | POLLHUP);
}

TEST(seqpacket)
{
	int l = listener(SOCK_SEQPACKET, "s", 2), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), s;
	char b[8];

	CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLOUT | POLLHUP);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERR(recv(c, b, 1, 0), ENOTCONN);
	CHECK_OK(connect_path(c, "s"));
	CHECK_OK(s = accept(l, NULL, NULL));
	CHECK_EQ(send(c, "abc", 3, 0), 3);
	CHECK_EQ(write(c, "de", 2), 2);
	CHECK_EQ(read(s, b, 8), 3);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	close(s);
	CHECK_EQ(poll_now(c, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	CHECK_ERR(read(c, b, 8), ECONNRESET); /* before the data, unlike a stream */
	CHECK_EQ(read(c, b, 8), 1);
	CHECK_EQ(read(c, b, 8), 0);
	CHECK_EQ(recv(c, b, 8, MSG_DONTWAIT), 0);
	CHECK_ERR(send(c, "x", 1, 0), EPIPE); /* and no signal */
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(connect_path(c, "s"), EPROTOTYPE);
}

TEST(peek_offset_of_datagrams)
{
	char b[8];
	int p[2];

	pair(SOCK_DGRAM, p);
	CHECK_EQ(send(p[0], "abcd", 4, 0), 4);
	CHECK_EQ(send(p[0], "ef", 2, 0), 2);
	set_option(p[1], SO_PEEK_OFF, 0);
	CHECK_EQ(recv(p[1], b, 2, MSG_PEEK), 2);
	CHECK_EQ(b[0], 'a');
	CHECK_EQ(recv(p[1], b, 8, MSG_PEEK), 2);
	CHECK_EQ(b[0], 'c');
	CHECK_EQ(recv(p[1], b, 8, MSG_PEEK), 2);
	CHECK_EQ(b[0], 'e');
	CHECK_ERR(recv(p[1], b, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(recv(p[1], b, 8, 0), 4);
	CHECK_EQ(int_option(p[1], SO_PEEK_OFF), 2);
}

TEST(many_messages_at_once)
{
	char b[4][4];
	struct iovec v[4];
	struct mmsghdr m[4] = { 0 };
	struct timespec ts = { 0, 0 };
	int p[2];

	pair(SOCK_DGRAM, p);
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){ "wxyz", (size_t)i + 1 };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK_EQ(sendmmsg(p[0], m, 3, 0), 3);
	CHECK_EQ(m[0].msg_len, 1);
	CHECK_EQ(m[2].msg_len, 3);
	for (int i = 0; i < 4; i++)
		v[i] = (struct iovec){ b[i], 4 };
	CHECK_EQ(recvmmsg(p[1], m, 4, MSG_WAITFORONE, NULL), 3);
	CHECK_EQ(m[1].msg_len, 2);
	CHECK_ERR(recvmmsg(p[1], m, 4, MSG_DONTWAIT, NULL), EAGAIN);
	CHECK_EQ(send(p[0], "1", 1, 0), 1);
	CHECK_EQ(send(p[0], "1", 1, 0), 1);
	/* The time is over after the first. */
	CHECK_EQ(recvmmsg(p[1], m, 4, 0, &ts), 1);
	CHECK_EQ(recvmmsg(p[1], m, 1, 0, NULL), 1);
	ts.tv_nsec = -1;
	CHECK_ERR(recvmmsg(p[1], m, 4, 0, &ts), EINVAL);
	CHECK_EQ(recvmmsg(p[1], m, 0, 0, NULL), 0);
	CHECK_EQ(sendmmsg(p[0], m, 0, 0), 0);
	m[1].msg_hdr.msg_iov = (void *)8;
	CHECK_EQ(sendmmsg(p[0], m, 4, 0), 1);
	CHECK_ERR(sendmmsg(p[0], m + 1, 1, 0), EFAULT);
}

/* The time of a message: 0 none, else the option's name, and the time. */
static int time_of(int fd, struct timespec *ts)
{
	char control[128], buf[8];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	CHECK_EQ(recvmsg(fd, &m, MSG_DONTWAIT), 1);
	if ((c = CMSG_FIRSTHDR(&m)) == NULL)
		return 0;
	CHECK_EQ(c->cmsg_level, SOL_SOCKET);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(16));
	memcpy(ts, CMSG_DATA(c), 16);
	return c->cmsg_type;
}

TEST(timestamps)
{
	struct timespec ts, now;
	int p[2];

	pair(SOCK_DGRAM, p);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(send(p[0], "x", 1, 0), 1);
	CHECK_EQ(time_of(p[1], &ts), 0);
	set_option(p[1], SO_TIMESTAMP, 1);
	CHECK_EQ(int_option(p[1], SO_TIMESTAMP), 1);
	CHECK_EQ(time_of(p[1], &ts), SO_TIMESTAMP);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(ts.tv_sec <= now.tv_sec && ts.tv_sec >= now.tv_sec - 5 && ts.tv_nsec < 1000000);
	set_option(p[1], SO_TIMESTAMPNS, 1);
	CHECK_EQ(int_option(p[1], SO_TIMESTAMP), 0);
	CHECK_EQ(int_option(p[1], SO_TIMESTAMPNS), 1);
	CHECK_EQ(time_of(p[1], &ts), SO_TIMESTAMPNS);
	CHECK(ts.tv_sec <= now.tv_sec + 5 && ts.tv_sec >= now.tv_sec);
	set_option(p[1], SO_TIMESTAMP, 0);
	CHECK_EQ(int_option(p[1], SO_TIMESTAMPNS), 0);
	CHECK_EQ(time_of(p[1], &ts), 0);
	pair(SOCK_STREAM, p); /* bytes have no time */
	set_option(p[1], SO_TIMESTAMP, 1);
	CHECK_EQ(send(p[0], "x", 1, 0), 1);
	CHECK_EQ(time_of(p[1], &ts), 0);
}

/* --- names --- */

TEST(bind_makes_a_socket_file)
{
	struct sockaddr_un a;
	struct stat st;
	socklen_t n;
	int d;

	umask(027);
	d = bound(SOCK_DGRAM, "d");
	CHECK_OK(stat("d", &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0750);
	CHECK_ERR(open("d", O_RDWR), ENXIO);
	n = path_name(&a, "d");
	CHECK_ERR(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, n), EADDRINUSE);
	n = path_name(&a, "e");
	CHECK_ERR(bind(d, (void *)&a, n), EINVAL);
	close(d);
	CHECK_OK(stat("d", &st));
	n = path_name(&a, "d");
	CHECK_ERR(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, n), EADDRINUSE);
	CHECK_OK(unlink("d"));
	CHECK_OK(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, n));
	n = path_name(&a, "no/dir");
	CHECK_ERR(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, n), ENOENT);
}

TEST(bind_errors)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "x" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_ERR(bind(fd, (void *)&a, 1), EINVAL);
	CHECK_ERR(bind(fd, (void *)&a, 111), EINVAL);
	CHECK_ERR(bind(fd, (void *)8, 10), EFAULT);
	CHECK_ERR(bind(fd, (void *)&a, 129), EINVAL);
	a.sun_family = AF_INET;
	CHECK_ERR(bind(fd, (void *)&a, 10), EINVAL);
	CHECK_ERR(bind(fd, (void *)&a, 2), EINVAL);
}

TEST(longest_path)
{
	char path[109];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char out[200];
	socklen_t n = sizeof(out);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(path, 'p', 108);
	path[108] = 0;
	memcpy(a.sun_path, path, 108);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a))); /* no NUL */
	CHECK_OK(access(path, F_OK));
	CHECK_OK(getsockname(fd, (void *)out, &n));
	CHECK_EQ(n, 111);
	CHECK_EQ(out[109], 'p');
	CHECK_EQ(out[110], 0);
	CHECK_OK(listen(fd, 1));
	CHECK_OK(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
}

TEST(length_beyond_the_path)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	path_name(&a, "abc");
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(fd, (void *)&a, &n));
	CHECK_EQ(n, 2 + 3 + 1);
}

TEST(abstract_names)
{
	struct sockaddr_un a, b;
	socklen_t n = abstract_name(&a, "name of nothing"), len;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), e;

	CHECK_OK(bind(s, (void *)&a, n));
	CHECK_ERR(bind(c, (void *)&a, n), EADDRINUSE);
	CHECK_OK(listen(s, 2));
	CHECK_ERR(connect(c, (void *)&a, n + 1), ECONNREFUSED); /* the NUL would belong to it */
	CHECK_OK(connect(c, (void *)&a, n));
	CHECK_OK(e = accept(s, NULL, NULL));
	len = sizeof(b);
	CHECK_OK(getsockname(e, (void *)&b, &len));
	CHECK_EQ(len, n);
	CHECK(memcmp(&a, &b, n) == 0);
	close(s);
	/* The accepted one bears the name, but does not keep it from others. */
	CHECK_OK(bind(s = socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, n));
}

TEST(autobind)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_OK(bind(fd, (void *)&a, sizeof(sa_family_t)));
	CHECK_OK(getsockname(fd, (void *)&a, &n));
	CHECK_EQ(n, 2 + 6);
	CHECK_EQ(a.sun_path[0], 0);
	for (int i = 1; i < 6; i++)
		CHECK(strchr("0123456789abcdef", a.sun_path[i]) != NULL);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(sa_family_t)), 0);
	/* SO_PASSCRED gives a name on connect. */
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	set_option(fd, SO_PASSCRED, 1);
	CHECK_OK(connect(fd, (void *)&a, n));
	n = sizeof(a);
	CHECK_OK(getsockname(fd, (void *)&a, &n));
	CHECK_EQ(n, 2 + 6);
}

TEST(renamed_and_unlinked)
{
	int l = listener(SOCK_STREAM, "s", 5);

	(void)l;
	CHECK_OK(rename("s", "t"));
	CHECK_ERR(connect_path(socket(AF_UNIX, SOCK_STREAM, 0), "s"), ENOENT);
	CHECK_OK(connect_path(socket(AF_UNIX, SOCK_STREAM, 0), "t"));
	CHECK_OK(link("t", "u"));
	CHECK_OK(symlink("u", "v"));
	CHECK_OK(connect_path(socket(AF_UNIX, SOCK_STREAM, 0), "v"));
	CHECK_OK(unlink("t"));
	CHECK_OK(connect_path(socket(AF_UNIX, SOCK_STREAM, 0), "u"));
}

static int connect_as_nobody(void *arg)
{
	(void)arg;
	if (setgid(65534) || setuid(65534))
		return 9;
	return connect_path(socket(AF_UNIX, SOCK_STREAM, 0), "s") == 0 ? 0 : errno == EACCES ? 1 : 2;
}

TEST(connecting_needs_write_permission)
{
	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(chmod(".", 0755));
	listener(SOCK_STREAM, "s", 5);
	CHECK_OK(chmod("s", 0755));
	test_wait_exit(test_fork(connect_as_nobody, NULL), 1);
	CHECK_OK(chmod("s", 0777));
	test_wait_exit(test_fork(connect_as_nobody, NULL), 0);
}

TEST(proc_net_unix)
{
	char want[64];
	struct stat st;
	int l = listener(SOCK_STREAM, "listed", 5);
	char *text, *line;

	CHECK_OK(fstat(l, &st));
	text = test_slurp("/proc/net/unix");
	CHECK(strncmp(text, "Num       RefCount Protocol Flags    Type St Inode Path\n", 56) == 0);
	snprintf(want, sizeof(want), " 00000000 00010000 0001 01 %5lu listed\n", (unsigned long)st.st_ino);
	line = strstr(text, want);
	CHECK(line != NULL);
	close(l);
	CHECK(strstr(test_slurp("/proc/net/unix"), want) == NULL);
	CHECK_OK(access("/proc/self/net/unix", R_OK));
}

TEST(sysctl)
{
	CHECK_EQ(atoi(test_slurp("/proc/sys/net/core/somaxconn")), 4096);
	CHECK_EQ(atoi(test_slurp("/proc/sys/net/core/wmem_default")), 212992);
	CHECK_EQ(atoi(test_slurp("/proc/sys/net/core/rmem_max")), 212992);
	CHECK_EQ(atoi(test_slurp("/proc/sys/net/unix/max_dgram_qlen")), 10);
}
