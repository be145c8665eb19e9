/* Options of SOL_SOCKET that few ask for: socket(7), and the kernel's documents on timestamping and
 * MSG_ZEROCOPY. */

#include "inet_test.h"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#define UDPLITE 136
#define ROOM 512

static char control[ROOM], data[2048];
static struct msghdr got;

static ssize_t receive(int fd, int flags)
{
	static struct iovec v = { data, sizeof(data) };

	got = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			       .msg_controllen = sizeof(control) };
	return recvmsg(fd, &got, flags);
}

static void *find(int level, int type, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&got); c; c = CMSG_NXTHDR(&got, c))
		if (c->cmsg_level == level && c->cmsg_type == type && c->cmsg_len >= CMSG_LEN(len))
			return CMSG_DATA(c);
	return NULL;
}

static void tcp_pair(int fd[2])
{
	int l = socket(AF_INET, SOCK_STREAM, 0);
	struct name n;

	lo_up();
	CHECK_OK(bind_to(l, "127.0.0.1", 0));
	CHECK_OK(listen(l, 1));
	n = local_name(l);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_OK(connect(fd[0], &n.a, n.len));
	fd[1] = accept(l, NULL, NULL);
	CHECK_OK(fd[1]);
	close(l);
}

static const struct {
	int family, type, protocol;
} kinds[] = { { AF_INET, SOCK_STREAM, 0 },	 { AF_INET, SOCK_DGRAM, 0 },
	      { AF_INET, SOCK_DGRAM, UDPLITE },	 { AF_INET6, SOCK_STREAM, 0 },
	      { AF_INET6, SOCK_DGRAM, 0 },	 { AF_UNIX, SOCK_STREAM, 0 },
	      { AF_UNIX, SOCK_DGRAM, 0 },	 { AF_NETLINK, SOCK_RAW, 0 },
	      { AF_PACKET, SOCK_RAW, 0 } };
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* set() of every row on every kind of socket, and what get() says then. */
TEST(values_and_errors)
{
	const struct {
		int name, value, err, then; /* then -1000: get is not asked */
	} row[] = {
		{ SO_BUSY_POLL, -1, EINVAL, 0 },
		{ SO_BUSY_POLL, 50, 0, 50 },
		{ 70 /* SO_BUSY_POLL_BUDGET */, 65536, EINVAL, -1000 },
		{ 70, 8, 0, -1000 },
		{ 69 /* SO_PREFER_BUSY_POLL */, 7, 0, 1 },
		{ SO_INCOMING_CPU, 3, 0, 3 },
		{ SO_BUF_LOCK, 4, EINVAL, 0 },
		{ SO_BUF_LOCK, 3, 0, 3 },
		{ 73 /* SO_RESERVE_MEM */, 4096, EOPNOTSUPP, 0 },
		{ 73, -1, EINVAL, 0 },
		{ SO_TXREHASH, 2, EINVAL, -1000 },
		{ SO_TXREHASH, 0, 0, 0 },
		{ SO_TXREHASH, -1, 0, 1 },
		{ SO_WIFI_STATUS, 5, 0, 1 },
		{ SO_NOFCS, 5, 0, 1 },
		{ SO_SELECT_ERR_QUEUE, 5, 0, 1 },
		{ SO_RCVMARK, 5, 0, 1 },
		{ SO_RXQ_OVFL, 5, 0, 1 },
		{ SO_TIMESTAMP, 5, 0, 1 },
		{ SO_TIMESTAMPING, 0x10000, EINVAL, 0 },
		{ SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_STATS, EINVAL, 0 },
		{ SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE, 0, SOF_TIMESTAMPING_SOFTWARE },
		{ SO_ATTACH_BPF, 99, EBADF, -1000 },
		{ SO_ATTACH_BPF, 0, EINVAL, -1000 },
		{ SO_CNX_ADVICE, 1, 0, -1000 },
		{ SO_DETACH_FILTER, 0, ENOENT, -1000 },
		{ SO_LOCK_FILTER, 1, 0, 1 },
		{ SO_INCOMING_NAPI_ID, 1, ENOPROTOOPT, 0 },
		{ SO_ACCEPTCONN, 1, ENOPROTOOPT, 0 },
		{ SO_BPF_EXTENSIONS, 1, ENOPROTOOPT, 64 },
	};

	if (!test_is_root())
		test_skip("needs root");
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			int fd = socket(kinds[k].family, kinds[k].type, kinds[k].protocol);

			CHECK_OK(fd);
			int r = set_int(fd, SOL_SOCKET, row[i].name, row[i].value) ? errno : 0;
			if (r != row[i].err)
				FAIL("kind %u, row %u: %d", k, i, r);
			if (row[i].then != -1000 &&
			    (r = get_int(fd, SOL_SOCKET, row[i].name)) != row[i].then)
				FAIL("kind %u, row %u: value %d", k, i, r);
			close(fd);
		}
}

TEST(structures)
{
	for (unsigned k = 0; k < KINDS; k++) {
		int fd = socket(kinds[k].family, kinds[k].type, kinds[k].protocol);
		uint64_t cookie[2], netns;
		uint32_t mem[20];
		struct {
			uint32_t pid, uid, gid;
		} cred;
		struct {
			int32_t clock;
			uint32_t flags;
		} tx = { CLOCK_MONOTONIC, 1 }, then;
		socklen_t n = sizeof(cookie);

		CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &n));
		CHECK_EQ(n, 8);
		n = 7;
		CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &n), EINVAL);
		n = sizeof(mem);
		CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &n));
		CHECK_EQ(n, 36);
		CHECK_EQ(mem[1], get_int(fd, SOL_SOCKET, SO_RCVBUF));
		CHECK_EQ(mem[3], get_int(fd, SOL_SOCKET, SO_SNDBUF));
		n = 8;
		CHECK_OK(getsockopt(fd, SOL_SOCKET, 71, &netns, &n));
		CHECK_EQ(netns, 1);
		n = sizeof(cred);
		CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n));
		CHECK(cred.pid == 0 && cred.uid == UINT32_MAX && cred.gid == UINT32_MAX);
		n = sizeof(mem);
		CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, mem, &n), ENODATA);
		CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &tx, sizeof(tx)));
		n = sizeof(then);
		CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TXTIME, &then, &n));
		CHECK(!memcmp(&tx, &then, sizeof(tx)));
		tx.flags = 4;
		CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &tx, sizeof(tx)), EINVAL);
		CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &tx, 4), EINVAL);
		close(fd);
	}
}

/* The time of arrival, by software. */
TEST(received_timestamps)
{
	struct name a;
	struct timespec now, *t;
	int fd[2], c = socket(AF_INET, SOCK_DGRAM, 0);

	lo_up();
	int s = udp_bound("127.0.0.1", &a);
	CHECK_OK(set_int(s, SOL_SOCKET, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
	CHECK_EQ(send_at(c, "x", 1, 0, a), 1);
	CHECK_EQ(receive(s, 0), 1);
	CHECK((t = find(SOL_SOCKET, SO_TIMESTAMPING, 3 * sizeof(*t))) != NULL);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(t[0].tv_sec == now.tv_sec || t[0].tv_sec + 1 == now.tv_sec || now.tv_sec - t[0].tv_sec < 10);
	CHECK(t[2].tv_sec == 0);
	tcp_pair(fd);
	CHECK_OK(set_int(fd[1], SOL_SOCKET, SO_TIMESTAMP, 1));
	CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
	CHECK_EQ(receive(fd[1], 0), 3);
	CHECK(find(SOL_SOCKET, SO_TIMESTAMP, sizeof(struct timeval)) != NULL);
}

/* When a datagram was sent, and which one. */
TEST(sent_timestamps)
{
	struct name a;
	struct sock_extended_err *e;
	struct timespec *t;
	int c = socket(AF_INET, SOCK_DGRAM, 0);

	lo_up();
	int s = udp_bound("127.0.0.1", &a);
	(void)s;
	CHECK_OK(set_int(c, SOL_SOCKET, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
				 SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY));
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
		struct pollfd p = { c, POLLPRI, 0 };
		CHECK_EQ(poll(&p, 1, 1000), 1);
		CHECK_EQ(p.revents, POLLERR);
		CHECK_EQ(receive(c, MSG_ERRQUEUE), 0);
		CHECK(got.msg_flags & MSG_ERRQUEUE);
		CHECK((e = find(SOL_IP, IP_RECVERR, sizeof(*e))) != NULL);
		CHECK_EQ(e->ee_errno, ENOMSG);
		CHECK_EQ(e->ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
		CHECK_EQ(e->ee_info, SCM_TSTAMP_SND);
		CHECK_EQ(e->ee_data, i);
		CHECK((t = find(SOL_SOCKET, SO_TIMESTAMPING, 3 * sizeof(*t))) != NULL);
		CHECK(t[0].tv_sec != 0);
	}
	CHECK_ERR(receive(c, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
	/* With the packet: all of it, link header and all. */
	CHECK_OK(set_int(c, SOL_SOCKET, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
	CHECK_OK(set_int(c, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1));
	CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
	struct pollfd p = { c, POLLPRI, 0 };
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_EQ(p.revents, POLLERR | POLLPRI);
	CHECK_EQ(receive(c, MSG_ERRQUEUE), 14 + 20 + 8 + 5);
	CHECK(!memcmp(data + 42, "hello", 5));
}

static void copied(int fd, uint32_t from, uint32_t to)
{
	struct sock_extended_err *e;

	CHECK_EQ(receive(fd, MSG_ERRQUEUE), 0);
	CHECK((e = find(SOL_IP, IP_RECVERR, sizeof(*e))) != NULL);
	CHECK_EQ(e->ee_errno, 0);
	CHECK_EQ(e->ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	CHECK_EQ(e->ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
	CHECK_EQ(e->ee_info, from);
	CHECK_EQ(e->ee_data, to);
	CHECK_ERR(receive(fd, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
}

/* Through lo everything is copied, and said to have been. */
TEST(zerocopy)
{
	static char out[100];
	struct name a;
	int fd[2], lite = socket(AF_INET, SOCK_DGRAM, UDPLITE), u = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_ERR(set_int(lite, SOL_SOCKET, SO_ZEROCOPY, 1), EOPNOTSUPP);
	CHECK_ERR(set_int(u, SOL_SOCKET, SO_ZEROCOPY, 2), EINVAL);
	tcp_pair(fd);
	CHECK_OK(set_int(fd[0], SOL_SOCKET, SO_ZEROCOPY, 1));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(send(fd[0], out, sizeof(out), MSG_ZEROCOPY), sizeof(out));
		CHECK_EQ(recv(fd[1], data, sizeof(out), MSG_WAITALL), sizeof(out));
	}
	struct pollfd p = { fd[0], 0, 0 };
	CHECK_EQ(poll(&p, 1, 2000), 1);
	CHECK_EQ(p.revents, POLLERR);
	copied(fd[0], 0, 2);
	int s = udp_bound("127.0.0.1", &a);
	CHECK_OK(set_int(u, SOL_SOCKET, SO_ZEROCOPY, 1));
	CHECK_EQ(send_at(u, out, sizeof(out), MSG_ZEROCOPY, a), sizeof(out));
	CHECK_EQ(recv(s, data, sizeof(data), 0), sizeof(out));
	p.fd = u;
	CHECK_EQ(poll(&p, 1, 2000), 1);
	copied(u, 0, 0);
}

static void attach(int fd, struct sock_filter *f, unsigned n)
{
	struct sock_fprog p = { (unsigned short)n, f };

	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
}

/* A filter sees what a socket that has datagrams is given. */
TEST(filters_everywhere)
{
	/* Wants those that begin with 'a', and four bytes of them. */
	struct sock_filter f[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
				   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
				   BPF_STMT(BPF_RET | BPF_K, 4), BPF_STMT(BPF_RET | BPF_K, 0) };
	char big[9000];
	int fd[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd));
	attach(fd[1], f, 4);
	memset(big, 'b', sizeof(big));
	CHECK_EQ(send(fd[0], big, sizeof(big), 0), sizeof(big));
	CHECK_EQ(send(fd[0], "abcdefg", 7, 0), 7);
	CHECK_EQ(recv(fd[1], data, sizeof(data), MSG_DONTWAIT), 4);
	CHECK_ERR(recv(fd[1], data, sizeof(data), MSG_DONTWAIT), EAGAIN);
	/* An answer of netlink: its header alone, or nothing. */
	struct sock_filter head[] = { BPF_STMT(BPF_RET | BPF_K, 16) };
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} ask = { .h = { sizeof(ask), RTM_GETLINK, NLM_F_REQUEST, 1, 0 }, .i = { .ifi_index = 1 } };
	int n = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	attach(n, head, 1);
	CHECK_EQ(send(n, &ask, sizeof(ask), 0), sizeof(ask));
	CHECK_EQ(recv(n, data, sizeof(data), MSG_DONTWAIT), 16);
	head[0].k = 0;
	attach(n, head, 1);
	CHECK_EQ(send(n, &ask, sizeof(ask), 0), sizeof(ask));
	CHECK_ERR(recv(n, data, sizeof(data), MSG_DONTWAIT), EAGAIN);
}

TEST(marks_are_told)
{
	struct name a;
	uint32_t *mark;
	int c = socket(AF_INET, SOCK_DGRAM, 0);

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	int s = udp_bound("127.0.0.1", &a);
	CHECK_OK(set_int(s, SOL_SOCKET, SO_RCVMARK, 1));
	CHECK_OK(set_int(c, SOL_SOCKET, SO_MARK, 77));
	CHECK_EQ(send_at(c, "x", 1, 0, a), 1);
	CHECK_EQ(receive(s, 0), 1);
	CHECK((mark = find(SOL_SOCKET, SO_MARK, 4)) != NULL);
	CHECK_EQ(*mark, 77);
}
