/* TCP over the loopback device: connections, bytes both ways, ends. */
#include "tcp_test.h"

#include <sys/file.h>

TEST(tcp_connect_accept_echo)
{
	int s[2];
	char b[16];

	tcp_pair(AF_INET, s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(read(s[1], b, sizeof(b)), 5);
	CHECK(memcmp(b, "hello", 5) == 0);
	CHECK_EQ(write(s[1], "you", 3), 3);
	CHECK_EQ(read(s[0], b, sizeof(b)), 3);
	CHECK_OK(close(s[0]));
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	CHECK_OK(close(s[1]));
}

TEST(tcp_connect_accept_echo_ipv6)
{
	int s[2];
	char b[16];

	tcp_pair(AF_INET6, s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(read(s[1], b, sizeof(b)), 5);
	CHECK_OK(close(s[1]));
	CHECK_EQ(read(s[0], b, sizeof(b)), 0);
}

TEST(tcp_names_agree)
{
	struct sockaddr_in a, b;
	socklen_t n = sizeof(a);
	int s[2];

	tcp_pair(AF_INET, s);
	CHECK_OK(getsockname(s[0], (void *)&a, &n));
	CHECK_EQ(n, sizeof(a));
	CHECK_OK(getpeername(s[1], (void *)&b, &n));
	CHECK(memcmp(&a, &b, sizeof(a)) == 0);
	CHECK_EQ(a.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_OK(getsockname(s[1], (void *)&a, &n));
	CHECK_OK(getpeername(s[0], (void *)&b, &n));
	CHECK(memcmp(&a, &b, sizeof(a)) == 0);
}

TEST(tcp_connect_to_nobody_is_refused)
{
	struct sockaddr_in a = tcp_addr(1);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char b;

	CHECK_ERR(connect(s, (void *)&a, sizeof(a)), ECONNREFUSED);
	CHECK_EQ(poll_now(s, POLLIN | POLLOUT | POLLRDHUP), POLLOUT | POLLHUP);
	CHECK_ERR(read(s, &b, 1), ENOTCONN);
	CHECK_ERR(connect(s, (void *)&a, sizeof(a)), ECONNREFUSED); /* and again */
}

TEST(tcp_nonblocking_connect_to_nobody)
{
	struct sockaddr_in a = tcp_addr(1);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e;
	socklen_t n = sizeof(e);

	CHECK_ERR(connect(s, (void *)&a, sizeof(a)), EINPROGRESS);
	CHECK_EQ(poll_now(s, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLERR | POLLHUP);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n));
	CHECK_EQ(e, ECONNREFUSED);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n));
	CHECK_EQ(e, 0);
	CHECK_ERR(connect(s, (void *)&a, sizeof(a)), ECONNABORTED);
}

TEST(tcp_nonblocking_connect_succeeds)
{
	struct sockaddr_in a;
	int l = tcp_listener(&a, 5), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c;

	CHECK_ERR(connect(s, (void *)&a, sizeof(a)), EINPROGRESS);
	CHECK_EQ(poll_now(s, POLLIN | POLLOUT), POLLOUT);
	CHECK_OK(connect(s, (void *)&a, sizeof(a)));
	CHECK_ERR(connect(s, (void *)&a, sizeof(a)), EISCONN);
	CHECK_OK(c = accept4(l, NULL, NULL, SOCK_NONBLOCK));
	CHECK_EQ(poll_now(l, POLLIN), 0);
	CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLOUT);
}

TEST(tcp_unconnected_calls)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char b;

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(poll_now(s, POLLIN | POLLOUT), POLLOUT | POLLHUP);
	CHECK_ERR(read(s, &b, 1), ENOTCONN);
	CHECK_ERR(write(s, &b, 1), EPIPE);
	CHECK_ERR(getpeername(s, (void *)&a, &n), ENOTCONN);
	CHECK_ERR(shutdown(s, SHUT_WR), ENOTCONN);
	CHECK_ERR(accept(s, NULL, NULL), EINVAL);
	CHECK_OK(getsockname(s, (void *)&a, &n));
	CHECK_EQ(a.sin_port, 0);
	CHECK_EQ(a.sin_addr.s_addr, 0);
}

TEST(tcp_shutdown_halves)
{
	int s[2];
	char b[8];

	tcp_pair(AF_INET, s);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(read(s[1], b, 8), 0);
	CHECK_EQ(poll_now(s[1], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(write(s[1], "abc", 3), 3);
	CHECK_EQ(read(s[0], b, 8), 3);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(s[0], b, 1), EPIPE);
	CHECK_OK(shutdown(s[1], SHUT_WR));
	CHECK_EQ(read(s[0], b, 8), 0);
	CHECK_EQ(poll_now(s[1], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(tcp_close_with_unread_data_resets)
{
	int s[2];
	char b[8];

	tcp_pair(AF_INET, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(poll_wait(s[1], POLLIN), POLLIN);
	CHECK_OK(close(s[1]));
	CHECK_EQ(poll_wait(s[0], POLLIN) & (POLLIN | POLLERR | POLLHUP), POLLIN | POLLERR | POLLHUP);
	CHECK_ERR(read(s[0], b, 8), ECONNRESET);
	CHECK_EQ(read(s[0], b, 8), 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(s[0], b, 1), EPIPE);
}

TEST(tcp_linger_zero_resets)
{
	struct linger lg = { 1, 0 };
	int s[2];
	char b[8];

	tcp_pair(AF_INET, s);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
	CHECK_OK(close(s[1]));
	CHECK_ERR(read(s[0], b, 8), ECONNRESET);
}

TEST(tcp_accept_of_what_was_reset)
{
	struct sockaddr_in a, mine, peer = { 0 };
	int l = tcp_listener(&a, 5), c, s, err = 0;
	struct linger lg = { 1, 0 };
	socklen_t n = sizeof(mine);
	char b[8];

	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(c, (void *)&mine, &n));
	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
	CHECK_OK(close(c));
	n = sizeof(peer);
	CHECK_OK(s = accept(l, (void *)&peer, &n));
	CHECK_EQ(n, sizeof(peer));
	CHECK(memcmp(&peer, &mine, sizeof(peer)) == 0);
	CHECK_ERR(getpeername(s, (void *)&peer, &n), ENOTCONN);
	n = sizeof(err);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &n));
	CHECK_EQ(err, ECONNRESET);
	CHECK_EQ(read(s, b, 8), 0);
}

TEST(tcp_write_after_peer_closed_is_epipe)
{
	int s[2];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(AF_INET, s);
	CHECK_OK(close(s[1]));
	CHECK_EQ(write(s[0], "a", 1), 1); /* answered by a reset */
	CHECK_EQ(poll_wait(s[0], POLLERR) & POLLHUP, POLLHUP);
	CHECK_ERR(write(s[0], "a", 1), EPIPE);
}

static int send_pattern(void *arg)
{
	int fd = *(int *)arg;
	static unsigned char b[50000];
	uint32_t x = 1;

	for (int i = 0; i < 100; i++) {
		size_t n = 1 + (x >> 3) % sizeof(b), at = 0;

		for (size_t j = 0; j < n; j++)
			b[j] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
		while (at < n) {
			ssize_t w = write(fd, b + at, n - at);

			if (w <= 0)
				return 1;
			at += (size_t)w;
		}
	}
	return 0;
}

static void check_pattern(int fd)
{
	static unsigned char b[30000];
	uint32_t x = 1;

	for (int i = 0; i < 100; i++) {
		size_t n = 1 + (x >> 3) % 50000;

		while (n) {
			ssize_t r = read(fd, b, n < sizeof(b) ? n : sizeof(b));

			CHECK(r > 0);
			for (ssize_t j = 0; j < r; j++)
				CHECK_EQ(b[j], (unsigned char)((x = x * 1664525 + 1013904223) >> 24));
			n -= (size_t)r;
		}
	}
}

TEST(tcp_bulk_arrives_as_sent)
{
	int s[2];
	pid_t pid;

	tcp_pair(AF_INET, s);
	pid = test_fork(send_pattern, &s[0]);
	check_pattern(s[1]);
	test_wait_exit(pid, 0);
}

TEST(tcp_bulk_both_ways)
{
	int s[2];
	pid_t a, b;

	tcp_pair(AF_INET6, s);
	a = test_fork(send_pattern, &s[0]);
	b = test_fork(send_pattern, &s[1]);
	check_pattern(s[1]);
	check_pattern(s[0]);
	test_wait_exit(a, 0);
	test_wait_exit(b, 0);
}

TEST(tcp_nonblocking_write_fills_and_drains)
{
	static char b[65536];
	size_t sent = 0, got = 0;
	ssize_t n;
	int s[2];

	tcp_pair(AF_INET, s);
	CHECK_OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
	CHECK_OK(fcntl(s[1], F_SETFL, O_NONBLOCK));
	while ((n = write(s[0], b, sizeof(b))) > 0)
		sent += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(poll_now(s[0], POLLOUT), 0);
	while (got < sent) {
		if ((n = read(s[1], b, sizeof(b))) > 0)
			got += (size_t)n;
		else
			CHECK_EQ(poll_wait(s[1], POLLIN), POLLIN);
	}
	CHECK_EQ(got, sent);
	CHECK_EQ(poll_wait(s[0], POLLOUT), POLLOUT);
	CHECK_ERR(read(s[1], b, 1), EAGAIN);
}

TEST(tcp_peek_waitall_trunc)
{
	char b[8] = { 0 };
	int s[2], n;

	tcp_pair(AF_INET, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(recv(s[1], b, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(s[1], b, 8, MSG_PEEK), 3);
	CHECK_OK(ioctl(s[1], FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_EQ(write(s[0], "defgh", 5), 5);
	CHECK_EQ(recv(s[1], b, 8, MSG_WAITALL), 8);
	CHECK(memcmp(b, "abcdefgh", 8) == 0);
	CHECK_EQ(write(s[0], "12345678", 8), 8);
	CHECK_EQ(recv(s[1], NULL, 5, MSG_TRUNC), 5);
	CHECK_EQ(recv(s[1], b, 8, 0), 3);
	CHECK(memcmp(b, "678", 3) == 0);
	CHECK_ERR(recv(s[1], b, 8, MSG_DONTWAIT), EAGAIN);
}

TEST(tcp_urgent_byte)
{
	char b[8] = { 0 };
	int s[2], mark;

	tcp_pair(AF_INET, s);
	CHECK_ERR(recv(s[1], b, 1, MSG_OOB), EINVAL);
	CHECK_EQ(send(s[0], "abX", 3, MSG_OOB), 3);
	CHECK_EQ(send(s[0], "cd", 2, 0), 2);
	CHECK_EQ(poll_wait(s[1], POLLPRI), POLLPRI);
	CHECK_OK(ioctl(s[1], SIOCATMARK, &mark));
	CHECK_EQ(mark, 0);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK(memcmp(b, "ab", 2) == 0);
	CHECK_OK(ioctl(s[1], SIOCATMARK, &mark));
	CHECK_EQ(mark, 1);
	CHECK_EQ(recv(s[1], b, 8, MSG_OOB), 1);
	CHECK_EQ(b[0], 'X');
	CHECK_ERR(recv(s[1], b, 8, MSG_OOB), EINVAL);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK(memcmp(b, "cd", 2) == 0);
}

TEST(tcp_self_connect)
{
	struct sockaddr_in a = tcp_addr(0);
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char b[8];

	CHECK_OK(bind(s, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(s, (void *)&a, &n));
	CHECK_OK(connect(s, (void *)&a, sizeof(a)));
	CHECK_EQ(write(s, "me", 2), 2);
	CHECK_EQ(read(s, b, 8), 2);
	CHECK_OK(shutdown(s, SHUT_WR));
	CHECK_EQ(read(s, b, 8), 0);
}

/* Their connections outlive them, and end where packets arrive: flock(2), fcntl(2). */
TEST(tcp_locked_sockets_end_like_others)
{
	struct flock range = { .l_type = F_RDLCK };
	int s[2];
	char b[8];

	for (int i = 0; i < 50; i++) {
		tcp_pair(AF_INET, s);
		CHECK_OK(flock(s[0], LOCK_EX));
		CHECK_OK(fcntl(s[1], F_SETLK, &range));
		CHECK_OK(close(s[0]));
		CHECK_EQ(read(s[1], b, sizeof(b)), 0);
		CHECK_OK(close(s[1]));
	}
}
