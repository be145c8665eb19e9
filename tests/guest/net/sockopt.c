/* SOL_SOCKET, on sockets of AF_UNIX: socket(7), getsockopt(2). */

#include "net_test.h"

TEST(what_a_socket_is)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_RAW, 0);

	CHECK_EQ(int_option(s, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(int_option(d, SO_TYPE), SOCK_DGRAM); /* raw is another word for it */
	CHECK_EQ(int_option(s, SO_DOMAIN), AF_UNIX);
	CHECK_EQ(int_option(s, SO_PROTOCOL), 0);
	CHECK_EQ(int_option(s, SO_ACCEPTCONN), 0);
	CHECK_EQ(int_option(s, SO_ERROR), 0);
	CHECK_EQ(int_option(s, SO_SNDLOWAT), 1);
	CHECK_EQ(int_option(s, SO_RCVLOWAT), 1);
	CHECK_EQ(int_option(s, SO_RCVBUF), 212992);
	for (int name = SO_TYPE; name <= SO_ERROR; name++) {
		int v = 1;

		CHECK_ERR(setsockopt(s, SOL_SOCKET, name, &v, sizeof(v)), ENOPROTOOPT);
	}
	int v = 1;
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, &v, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_PEERCRED, &v, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_SNDLOWAT, &v, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &v, 4), EOPNOTSUPP);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, 9999, &v, 4), ENOPROTOOPT);
}

TEST(bits)
{
	static const int names[] = { SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE, SO_DONTROUTE,
				     SO_PASSCRED, SO_PASSSEC, SO_NO_CHECK };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK_EQ(int_option(s, names[i]), 0);
		set_option(s, names[i], 7);
		CHECK_EQ(int_option(s, names[i]), 1);
		set_option(s, names[i], 0);
		CHECK_EQ(int_option(s, names[i]), 0);
	}
}

TEST(lengths)
{
	char buf[64];
	socklen_t n;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), v = 1;

	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, 3), EINVAL);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, -1), EINVAL);
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, (long[]){ 1 }, 8));
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, (void *)8, 4), EFAULT);
	n = 2;
	memset(buf, 'x', sizeof(buf));
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, buf, &n));
	CHECK_EQ(n, 2);
	CHECK_EQ(buf[2], 'x');
	n = 64;
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, buf, &n));
	CHECK_EQ(n, 4);
	CHECK_EQ(buf[4], 'x');
	n = 0;
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, buf, &n));
	CHECK_EQ(n, 0);
	n = (socklen_t)-1;
	CHECK_ERR(getsockopt(s, SOL_SOCKET, SO_TYPE, buf, &n), EINVAL);
	n = 4;
	CHECK_ERR(getsockopt(s, SOL_SOCKET, SO_TYPE, (void *)8, &n), EFAULT);
	CHECK_ERR(getsockopt(s, SOL_SOCKET, SO_TYPE, buf, (void *)8), EFAULT);
	CHECK_ERR(getsockopt(s, SOL_SOCKET, 9999, buf, &n), ENOPROTOOPT);
	CHECK_ERR(getsockopt(s, 1234, 1, buf, &n), EOPNOTSUPP);
	CHECK_ERR(setsockopt(s, 1234, 1, &v, 4), EOPNOTSUPP);
	CHECK_ERR(getsockopt(s, 6, 1, buf, &n), EOPNOTSUPP);
}

TEST(linger_and_timeouts)
{
	struct linger l = { 1, 10 };
	struct timeval tv;
	socklen_t n = sizeof(l);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	memset(&l, 0, sizeof(l));
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &n));
	CHECK(l.l_onoff == 1 && l.l_linger == 10);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4), EINVAL);
	n = sizeof(tv);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, &n));
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	tv = (struct timeval){ 3, 500000 };
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	tv = (struct timeval){ 0, 0 };
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, &n));
	CHECK(tv.tv_sec == 3 && tv.tv_usec == 500000);
	tv = (struct timeval){ 0, 1000000 };
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), EDOM);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, 4), EINVAL);
	tv = (struct timeval){ -1, 0 }; /* taken: no time at all */
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
}

static int unprivileged(void *arg)
{
	int s = (int)(intptr_t)arg, v = 7;

	if (setgid(1000) || setuid(1000))
		return 9;
	if (setsockopt(s, SOL_SOCKET, SO_PRIORITY, &v, 4) != -1 || errno != EPERM)
		return 1;
	v = 6;
	if (setsockopt(s, SOL_SOCKET, SO_PRIORITY, &v, 4) || int_option(s, SO_PRIORITY) != 6)
		return 2;
	if (setsockopt(s, SOL_SOCKET, SO_MARK, &v, 4) != -1 || errno != EPERM)
		return 3;
	if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &v, 4) != -1 || errno != EPERM)
		return 4;
	if (setsockopt(s, SOL_SOCKET, SO_DEBUG, &v, 4) != -1 || errno != EACCES)
		return 5;
	return 0;
}

TEST(privileged_options)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(unprivileged, (void *)(intptr_t)s), 0);
	set_option(s, SO_SNDBUFFORCE, 1000000);
	CHECK_EQ(int_option(s, SO_SNDBUF), 2000000);
	set_option(s, SO_RCVBUFFORCE, 1000000);
	CHECK_EQ(int_option(s, SO_RCVBUF), 2000000);
	set_option(s, SO_MARK, 77);
	CHECK_EQ(int_option(s, SO_MARK), 77);
	set_option(s, SO_DEBUG, 1);
	CHECK_EQ(int_option(s, SO_DEBUG), 1);
}

TEST(cookie_and_peer_name)
{
	uint64_t a = 0, b = 0;
	struct sockaddr_un name;
	socklen_t n = sizeof(a);
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_COOKIE, &a, &n));
	CHECK_OK(getsockopt(c, SOL_SOCKET, SO_COOKIE, &b, &n));
	CHECK(a != b && a != 0);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_COOKIE, &b, &n));
	CHECK(a == b);
	n = 4;
	CHECK_ERR(getsockopt(s, SOL_SOCKET, SO_COOKIE, &a, &n), EINVAL);
	n = sizeof(name);
	CHECK_ERR(getsockopt(c, SOL_SOCKET, SO_PEERNAME, &name, &n), ENOTCONN);
	listener(SOCK_STREAM, "s", 1);
	CHECK_OK(connect_path(c, "s"));
	n = 4;
	CHECK_OK(getsockopt(c, SOL_SOCKET, SO_PEERNAME, &name, &n));
	CHECK_EQ(n, 4);
	CHECK_STR(name.sun_path, "s");
	n = 5;
	CHECK_ERR(getsockopt(c, SOL_SOCKET, SO_PEERNAME, &name, &n), EINVAL);
}

TEST(limits_by_sysctl)
{
	int fd = open("/proc/sys/net/core/somaxconn", O_RDWR), l, n = 0;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(fd);
	CHECK_EQ(write(fd, "3\n", 2), 2);
	l = listener(SOCK_STREAM, "s", 100);
	(void)l;
	while (connect_path(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), "s") == 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 4);
	CHECK_EQ(pwrite(fd, "4096\n", 5, 0), 5);
	CHECK_OK(fd = open("/proc/sys/net/core/wmem_max", O_RDWR));
	CHECK_ERR(write(fd, "100\n", 4), EINVAL);
	CHECK_EQ(pwrite(fd, "50000\n", 6, 0), 6);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	set_option(s, SO_SNDBUF, 1000000);
	int got = int_option(s, SO_SNDBUF);
	CHECK_EQ(pwrite(fd, "212992\n", 7, 0), 7);
	CHECK_EQ(got, 100000);
	CHECK_OK(fd = open("/proc/sys/net/unix/max_dgram_qlen", O_RDWR));
	CHECK_EQ(write(fd, "2\n", 2), 2);
	bound(SOCK_DGRAM, "d");
	CHECK_EQ(pwrite(fd, "10\n", 3, 0), 3);
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_OK(connect_path(c, "d"));
	for (n = 0; send(c, "x", 1, MSG_DONTWAIT) == 1; n++)
		;
	CHECK_EQ(n, 3);
}

TEST(ioctls)
{
	int p[2], n = 5;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	CHECK_OK(ioctl(p[0], FIONBIO, &n));
	CHECK_EQ(fcntl(p[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_OK(ioctl(p[0], FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_OK(ioctl(p[1], TIOCOUTQ, &n));
	CHECK(n >= 3);
	CHECK_ERR(ioctl(p[0], FIONREAD, (void *)8), EFAULT);
	int l = listener(SOCK_STREAM, "s", 1);
	CHECK_ERR(ioctl(l, FIONREAD, &n), EINVAL);
}
