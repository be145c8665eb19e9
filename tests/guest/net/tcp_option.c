/* TCP: options, readiness, listeners. */
#include "tcp_test.h"

#include <netinet/ip.h>
#include <sys/sendfile.h>

static int get_tcp(int s, int name)
{
	int v = -12345;
	socklen_t n = sizeof(v);

	CHECK_OK(getsockopt(s, IPPROTO_TCP, name, &v, &n));
	CHECK_EQ(n, sizeof(v));
	return v;
}

static int set_tcp(int s, int name, int v)
{
	return setsockopt(s, IPPROTO_TCP, name, &v, sizeof(v));
}

TEST(tcp_option_values)
{
	static const struct {
		int name, at_first, set, then, bad;
	} o[] = {
		{ TCP_NODELAY, 0, 1, 1, INT_MIN },     { TCP_CORK, 0, 1, 1, INT_MIN },
		{ TCP_KEEPIDLE, 7200, 10, 10, 0 },     { TCP_KEEPIDLE, 10, 32767, 32767, 32768 },
		{ TCP_KEEPINTVL, 75, 5, 5, 0 },        { TCP_KEEPCNT, 9, 3, 3, 128 },
		{ TCP_SYNCNT, 6, 2, 2, 0 },            { TCP_LINGER2, 60, 10, 10, INT_MIN },
		{ TCP_USER_TIMEOUT, 0, 700, 700, -1 }, { TCP_MAXSEG, 536, 1000, 1000, 20 },
		{ TCP_WINDOW_CLAMP, 0, 100000, 100000, INT_MIN },
		{ TCP_QUICKACK, 1, 1, 1, INT_MIN },    { TCP_FASTOPEN, 0, 0, 0, -1 },
		{ TCP_INQ, 0, 1, 1, 2 },
	};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	for (size_t i = 0; i < sizeof(o) / sizeof(o[0]); i++) {
		if (get_tcp(s, o[i].name) != o[i].at_first)
			FAIL("option %d is %d at first", o[i].name, get_tcp(s, o[i].name));
		if (o[i].bad != INT_MIN)
			CHECK_ERR(set_tcp(s, o[i].name, o[i].bad), EINVAL);
		CHECK_OK(set_tcp(s, o[i].name, o[i].set));
		if (get_tcp(s, o[i].name) != o[i].then)
			FAIL("option %d is then %d", o[i].name, get_tcp(s, o[i].name));
	}
	CHECK_ERR(set_tcp(s, TCP_TIMESTAMP, 1), EPERM);
	CHECK_ERR(set_tcp(s, 999, 1), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, TCP_ULP, "none!", 5), ENOENT);
}

TEST(tcp_congestion_names)
{
	char b[16] = { 0 };
	socklen_t n = sizeof(b);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_OK(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, b, &n));
	CHECK_STR(b, "cubic");
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	CHECK_OK(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, b, &n));
	CHECK_STR(b, "reno");
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonsuch", 7), ENOENT);
}

TEST(tcp_info_tells_the_truth)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);
	int s[2];
	char b[100] = { 0 };

	tcp_pair(AF_INET, s);
	CHECK_EQ(write(s[0], b, 100), 100);
	CHECK_EQ(recv(s[1], b, 100, MSG_WAITALL), 100);
	CHECK_EQ(write(s[1], b, 50), 50);
	CHECK_EQ(recv(s[0], b, 50, MSG_WAITALL), 50);
	CHECK_OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &i, &n));
	CHECK_EQ(i.tcpi_state, TCP_ESTABLISHED);
	CHECK_EQ(i.tcpi_advmss, 65483);
	CHECK(i.tcpi_snd_wscale >= 5 && i.tcpi_snd_wscale == i.tcpi_rcv_wscale);
	CHECK_EQ(i.tcpi_options & 7, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(read(s[1], b, 1), 0);
	CHECK_OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &i, &n));
	CHECK(i.tcpi_state == TCP_FIN_WAIT1 || i.tcpi_state == TCP_FIN_WAIT2);
	CHECK_OK(getsockopt(s[1], IPPROTO_TCP, TCP_INFO, &i, &n));
	CHECK_EQ(i.tcpi_state, TCP_CLOSE_WAIT);
}

TEST_TIMED(tcp_small_messages_pile_up, 60)
{
	int s[2], sent = 0, got = 0;
	unsigned char b[4096];
	ssize_t n;

	tcp_pair(AF_INET, s);
	CHECK_OK(set_tcp(s[0], TCP_NODELAY, 1));
	CHECK_OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
	for (unsigned char c = 0; sent < 30000 && write(s[0], &c, 1) == 1; sent++)
		c = (unsigned char)(c * 5 + 1);
	CHECK(sent > 10000);
	for (unsigned char c = 0; got < sent; got += (int)n) {
		CHECK((n = read(s[1], b, sizeof(b))) > 0);
		for (ssize_t i = 0; i < n; i++, c = (unsigned char)(c * 5 + 1))
			CHECK_EQ(b[i], c);
	}
}

TEST(tcp_cork_and_more_hold_back)
{
	int s[2];
	char b[8];

	tcp_pair(AF_INET, s);
	CHECK_OK(set_tcp(s[0], TCP_CORK, 1));
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(poll_for(s[1], POLLIN, 20), 0);
	CHECK_OK(set_tcp(s[0], TCP_CORK, 0));
	CHECK_EQ(poll_wait(s[1], POLLIN), POLLIN);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK_EQ(send(s[0], "cd", 2, MSG_MORE), 2);
	CHECK_EQ(poll_for(s[1], POLLIN, 20), 0);
	CHECK_EQ(send(s[0], "ef", 2, 0), 2);
	CHECK_EQ(recv(s[1], b, 8, 0), 4);
	CHECK(memcmp(b, "cdef", 4) == 0);
}

static int events_of(int e)
{
	struct epoll_event ev = { 0 };
	int n = epoll_wait(e, &ev, 1, 200);

	CHECK_OK(n);
	return n ? (int)ev.events : 0;
}

TEST(tcp_epoll_edges)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int s[2], e = epoll_create1(0);
	char b[8];

	tcp_pair(AF_INET, s);
	CHECK_OK(epoll_ctl(e, EPOLL_CTL_ADD, s[1], &ev));
	CHECK_EQ(events_of(e), EPOLLOUT);
	CHECK_EQ(events_of(e), 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(events_of(e), EPOLLIN | EPOLLOUT);
	CHECK_EQ(events_of(e), 0);
	CHECK_EQ(write(s[0], "b", 1), 1);
	CHECK_EQ(events_of(e), EPOLLIN | EPOLLOUT);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK_EQ(events_of(e), 0);
	CHECK_EQ(write(s[1], "b", 1), 1);
	CHECK_EQ(events_of(e), 0);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(events_of(e), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	CHECK_OK(shutdown(s[1], SHUT_WR));
	CHECK_EQ(events_of(e), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
}

TEST(tcp_reuseport_listeners_share)
{
	struct sockaddr_in a = tcp_addr(0);
	socklen_t n = sizeof(a);
	int l[2], got[2] = { 0, 0 }, one = 1;

	for (int i = 0; i < 2; i++) {
		CHECK_OK(l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		CHECK_OK(setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
		CHECK_OK(bind(l[i], (void *)&a, n));
		CHECK_OK(listen(l[i], 100));
		CHECK_OK(getsockname(l[i], (void *)&a, &n));
	}
	for (int i = 0; i < 60; i++)
		CHECK_OK(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, n));
	for (int i = 0; i < 2; i++)
		while (accept(l[i], NULL, NULL) >= 0)
			got[i]++;
	CHECK_EQ(got[0] + got[1], 60);
	CHECK(got[0] > 5 && got[1] > 5);
}

TEST(tcp_dual_stack_listener)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, peer;
	socklen_t n = sizeof(a);
	struct sockaddr_in v4 = tcp_addr(0);
	int l = socket(AF_INET6, SOCK_STREAM, 0), c, s;

	CHECK_OK(bind(l, (void *)&a, n));
	CHECK_OK(listen(l, 5));
	CHECK_OK(getsockname(l, (void *)&a, &n));
	v4.sin_port = a.sin6_port;
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, (void *)&v4, sizeof(v4)));
	CHECK_OK(s = accept(l, (void *)&peer, &n));
	CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK_EQ(poll_wait(s, POLLIN), POLLIN);
}

TEST(tcp_port_conflicts)
{
	struct sockaddr_in a;
	int l = tcp_listener(&a, 5), s = socket(AF_INET, SOCK_STREAM, 0), one = 1, c, d;

	CHECK_ERR(bind(s, (void *)&a, sizeof(a)), EADDRINUSE);
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_ERR(bind(s, (void *)&a, sizeof(a)), EADDRINUSE);
	/* A listener that is gone leaves its connections behind, and those a TIME-WAIT. */
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, (void *)&a, sizeof(a)));
	CHECK_OK(d = accept(l, NULL, NULL));
	close(l);
	CHECK_OK(l = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERR(bind(l, (void *)&a, sizeof(a)), EADDRINUSE);
	close(d); /* the server first: TIME-WAIT is here */
	CHECK_EQ(poll_wait(c, POLLIN), POLLIN);
	close(c);
	CHECK_ERR(bind(l, (void *)&a, sizeof(a)), EADDRINUSE);
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_ERR(bind(l, (void *)&a, sizeof(a)), EADDRINUSE); /* those did not have it */
}

TEST(tcp_port_again_with_reuseaddr)
{
	struct sockaddr_in a = tcp_addr(0);
	socklen_t n = sizeof(a);
	int l, one = 1, c, d;

	for (int i = 0; i < 2; i++) {
		CHECK_OK(l = socket(AF_INET, SOCK_STREAM, 0));
		CHECK_OK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
		CHECK_OK(bind(l, (void *)&a, sizeof(a)));
		CHECK_OK(listen(l, 5));
		CHECK_OK(getsockname(l, (void *)&a, &n));
		CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
		CHECK_OK(connect(c, (void *)&a, sizeof(a)));
		CHECK_OK(d = accept(l, NULL, NULL));
		close(l);
		close(d);
		close(c);
	}
}

/* A server may listen anew while what it accepted before lives. */
TEST(tcp_listen_again_beside_connections)
{
	struct sockaddr_in a = tcp_addr(0);
	int l, m, c, d, e, one = 1;
	socklen_t n = sizeof(a);

	CHECK_OK(l = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_OK(bind(l, (void *)&a, sizeof(a)));
	CHECK_OK(listen(l, 5));
	CHECK_OK(getsockname(l, (void *)&a, &n));
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, (void *)&a, sizeof(a)));
	CHECK_OK(d = accept(l, NULL, NULL));
	close(l);
	CHECK_OK(l = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_OK(m = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(setsockopt(m, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_OK(bind(l, (void *)&a, sizeof(a)));
	CHECK_OK(bind(m, (void *)&a, sizeof(a)));
	CHECK_OK(listen(l, 5));
	CHECK_ERR(listen(m, 5), EADDRINUSE); /* two that listen are too many */
	CHECK_OK(m = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(m, (void *)&a, sizeof(a)));
	CHECK_OK(e = accept(l, NULL, NULL));
	CHECK_EQ(write(c, "c", 1), 1);
	CHECK_EQ(write(m, "m", 1), 1);
	char b[2];
	CHECK_EQ(read(d, b, 1), 1);
	CHECK_EQ(read(e, b + 1, 1), 1);
	CHECK(b[0] == 'c' && b[1] == 'm');
}

TEST(tcp_sendfile)
{
	static char b[70000], c[70000];
	int s[2], f = open("file", O_RDWR | O_CREAT, 0600);

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (char)(i * 7 + i / 256);
	CHECK_EQ(write(f, b, sizeof(b)), sizeof(b));
	tcp_pair(AF_INET, s);
	for (off_t at = 0; at < (off_t)sizeof(b);)
		CHECK(sendfile(s[0], f, &at, sizeof(b) - (size_t)at) > 0);
	CHECK_EQ(recv(s[1], c, sizeof(c), MSG_WAITALL), sizeof(c));
	CHECK(memcmp(b, c, sizeof(b)) == 0);
}

static int blocked_reader(void *arg)
{
	char b;

	return read(*(int *)arg, &b, 1) == -1 && errno == ECONNRESET ? 7 : 1;
}

TEST(tcp_reset_wakes_a_reader)
{
	struct linger lg = { 1, 0 };
	int s[2];
	pid_t pid;

	tcp_pair(AF_INET, s);
	pid = test_fork(blocked_reader, &s[0]);
	usleep(20000);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
	shutdown(s[1], SHUT_RD);
	close(s[1]);
	/* The child still has it open: end it by the parent's last close is not possible. */
	kill(pid, SIGKILL);
	test_wait_signal(pid, SIGKILL);
}

TEST(tcp_keepalive_of_a_living_peer)
{
	int s[2], one = 1;
	char b;

	tcp_pair(AF_INET, s);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)));
	CHECK_OK(set_tcp(s[0], TCP_KEEPIDLE, 1));
	CHECK_OK(set_tcp(s[0], TCP_KEEPINTVL, 1));
	CHECK_OK(set_tcp(s[0], TCP_KEEPCNT, 1));
	usleep(2500000);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(read(s[0], &b, 1), 1);
}

TEST(tcp_defer_accept_waits_for_data)
{
	struct sockaddr_in a;
	int l = tcp_listener(&a, 5), c;

	CHECK_OK(set_tcp(l, TCP_DEFER_ACCEPT, 5));
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, (void *)&a, sizeof(a)));
	CHECK_EQ(poll_for(l, POLLIN, 50), 0);
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK_EQ(poll_wait(l, POLLIN), POLLIN);
}

TEST(tcp_disconnect_and_connect_again)
{
	struct sockaddr_in a, none = { .sin_family = AF_UNSPEC };
	int l = tcp_listener(&a, 5), s = socket(AF_INET, SOCK_STREAM, 0), c;
	char b;

	for (int i = 0; i < 3; i++) {
		CHECK_OK(connect(s, (void *)&a, sizeof(a)));
		CHECK_OK(c = accept(l, NULL, NULL));
		CHECK_EQ(write(c, "x", 1), 1);
		CHECK_EQ(read(s, &b, 1), 1);
		CHECK_OK(connect(s, (void *)&none, sizeof(none)));
		CHECK_ERR(read(c, &b, 1), ECONNRESET);
		close(c);
	}
}

TEST(tcp_sigpipe_kills)
{
	int s[2];
	pid_t pid;

	tcp_pair(AF_INET, s);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	if ((pid = fork()) == 0) {
		signal(SIGPIPE, SIG_DFL);
		(void)!write(s[0], "x", 1);
		_exit(0);
	}
	test_wait_signal(pid, SIGPIPE);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(tcp_inq_message)
{
	char b[4], control[64];
	struct iovec v = { b, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int s[2];

	tcp_pair(AF_INET, s);
	CHECK_OK(set_tcp(s[1], TCP_INQ, 1));
	CHECK_EQ(write(s[0], "0123456789", 10), 10);
	CHECK_EQ(poll_wait(s[1], POLLIN), POLLIN);
	CHECK_EQ(recvmsg(s[1], &m, 0), 4);
	CHECK(CMSG_FIRSTHDR(&m) != NULL);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_level, SOL_TCP);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, TCP_CM_INQ);
	CHECK_EQ(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&m)), 6);
}

static void sysctl(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, value, strlen(value)), (ssize_t)strlen(value));
	close(fd);
}

/* With less memory than the buffers could take, senders wait, and nothing is lost. */
TEST(tcp_memory_limit_holds_senders_back)
{
	enum { PAIRS = 6, MOST = 1 << 20 };
	static char b[MOST];
	char old[100] = { 0 };
	int s[PAIRS][2], fd = open("/proc/sys/net/ipv4/tcp_mem", O_RDONLY);
	long sent[PAIRS] = { 0 }, all = 0;

	if (!test_is_root() || fd < 0)
		test_skip("needs root and /proc/sys/net");
	CHECK(read(fd, old, sizeof(old) - 1) > 0);
	sysctl("/proc/sys/net/ipv4/tcp_mem", "100 150 200");
	for (int i = 0; i < PAIRS; i++) {
		ssize_t n;

		tcp_pair(AF_INET, s[i]);
		CHECK_OK(fcntl(s[i][0], F_SETFL, O_NONBLOCK));
		while (sent[i] < MOST && (n = write(s[i][0], b, 65536)) > 0)
			sent[i] += n;
		CHECK(sent[i] > 0);
		all += sent[i];
	}
	CHECK(all < PAIRS * MOST);
	sysctl("/proc/sys/net/ipv4/tcp_mem", old);
	for (int i = 0; i < PAIRS; i++)
		for (ssize_t n; sent[i]; sent[i] -= n)
			CHECK((n = read(s[i][1], b, MOST)) > 0);
}

/* Every connection by a cookie: options go in its timestamp. */
TEST(tcp_syn_cookies)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);
	char b[100] = { 1 };
	int s[2];

	if (!test_is_root() || access("/proc/sys/net/ipv4/tcp_syncookies", W_OK) < 0)
		test_skip("needs root and /proc/sys/net");
	sysctl("/proc/sys/net/ipv4/tcp_syncookies", "2");
	for (int k = 0; k < 10; k++) {
		tcp_pair(k & 1 ? AF_INET6 : AF_INET, s);
		CHECK_EQ(write(s[0], b, 100), 100);
		CHECK_EQ(recv(s[1], b, 100, MSG_WAITALL), 100);
		CHECK_EQ(write(s[1], b, 50), 50);
		CHECK_EQ(recv(s[0], b, 50, MSG_WAITALL), 50);
		CHECK_OK(getsockopt(s[1], IPPROTO_TCP, TCP_INFO, &i, &n));
		CHECK_EQ(i.tcpi_options & 7, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
		close(s[0]);
		close(s[1]);
	}
	sysctl("/proc/sys/net/ipv4/tcp_syncookies", "1");
}

static void lo_mtu(int mtu)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	r.ifr_mtu = mtu;
	CHECK_OK(ioctl(s, SIOCSIFMTU, &r));
	close(s);
}

/* The device takes smaller packets from now on: those of connections that are there follow. */
TEST(tcp_mtu_of_device_shrinks)
{
	static char b[40000];

	if (!test_is_root())
		test_skip("needs CAP_NET_ADMIN");
	for (int k = 0; k < 2; k++) {
		int s[2];

		tcp_pair(k ? AF_INET6 : AF_INET, s);
		CHECK_EQ(write(s[0], b, sizeof(b)), sizeof(b));
		CHECK_EQ(recv(s[1], b, sizeof(b), MSG_WAITALL), sizeof(b));
		CHECK(get_tcp(s[0], TCP_MAXSEG) > 1500);
		lo_mtu(1500);
		for (int i = 0; i < 5; i++) {
			CHECK_EQ(write(s[0], b, sizeof(b)), sizeof(b));
			CHECK_EQ(recv(s[1], b, sizeof(b), MSG_WAITALL), sizeof(b));
		}
		CHECK_EQ(get_tcp(s[0], TCP_MAXSEG), k ? 1428 : 1448);
		lo_mtu(65536);
		close(s[0]);
		close(s[1]);
	}
}
