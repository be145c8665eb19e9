/* TCP between two sockets of one machine: a kernel may hand the bytes over without packets, and nobody may see
 * that. The way changes while bytes flow: somebody listens on `lo`, buffers fill up, halves are closed. */
#include "tcp_test.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdatomic.h>

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)((at * 0x9e3779b97f4a7c15ull) >> 37);
}

/* TCP_INFO as <linux/tcp.h> has it, which does not go with <netinet/tcp.h>. */
struct counts {
	struct tcp_info base;
	uint64_t pacing[2], bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent, min_rtt, data_segs_in, data_segs_out;
	uint64_t rate[4];
	uint32_t delivered[2];
	uint64_t bytes_sent;
};

static struct counts info_of(int s)
{
	struct counts i = { 0 };
	socklen_t n = sizeof(i);

	CHECK_OK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n));
	CHECK_EQ(n, sizeof(i));
	return i;
}

static int queued(int s, unsigned long which)
{
	int n = -1;

	CHECK_OK(ioctl(s, which, &n));
	return n;
}

static void write_all(int s, const void *data, size_t n)
{
	CHECK_EQ(write(s, data, n), n);
}

static void read_all(int s, void *data, size_t n)
{
	CHECK_EQ(recv(s, data, n, MSG_WAITALL), n);
}

TEST(tcp_local_counts_are_those_of_segments)
{
	struct counts a, b;
	char buf[4000] = { 0 };
	int s[2];

	tcp_pair(AF_INET, s);
	for (int i = 0; i < 50; i++) {
		write_all(s[0], buf, sizeof(buf));
		read_all(s[1], buf, sizeof(buf));
		write_all(s[1], buf, 10);
		read_all(s[0], buf, 10);
	}
	a = info_of(s[0]);
	b = info_of(s[1]);
	CHECK_EQ(a.bytes_sent, 200000);
	CHECK_EQ(b.bytes_received, 200000);
	CHECK_EQ(a.bytes_received, 500);
	CHECK_EQ(b.bytes_sent, 500);
	CHECK_EQ(a.data_segs_out, 50);
	CHECK_EQ(b.data_segs_in, 50);
	CHECK(a.segs_out >= 50 && b.segs_in >= 50);
	CHECK_EQ(a.base.tcpi_unacked, 0);
	CHECK_EQ(a.base.tcpi_total_retrans, 0);
	CHECK_EQ(queued(s[0], SIOCOUTQ), 0);
}

/* Unread bytes fill the window, then the sender's queue; what is read makes room, in order. */
TEST(tcp_local_full_window_and_queue)
{
	static uint8_t buf[65536];
	struct sockaddr_in name;
	uint64_t sent = 0, got = 0;
	int s[2], small = 20000, l = tcp_listener(&name, 1);
	ssize_t n;

	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	CHECK_OK(s[0] = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	CHECK_OK(connect(s[0], (void *)&name, sizeof(name)));
	CHECK_OK(s[1] = accept(l, NULL, NULL));
	CHECK_OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
	for (int round = 0; round < 200; round++) {
		for (;;) {
			size_t want = 1 + (size_t)(sent * 7 % 3001);

			for (size_t i = 0; i < want; i++)
				buf[i] = pattern(sent + i);
			if ((n = write(s[0], buf, want)) < 0)
				break;
			sent += (uint64_t)n;
		}
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(poll_now(s[0], POLLOUT), 0);
		CHECK((uint64_t)queued(s[0], SIOCOUTQ) + (uint64_t)queued(s[1], SIOCINQ) >= sent - got);
		CHECK(queued(s[1], SIOCINQ) <= 2 * small);
		n = (ssize_t)(1 + (uint64_t)round * 997 % sizeof(buf));
		CHECK((n = recv(s[1], buf, (size_t)n, 0)) > 0);
		for (ssize_t i = 0; i < n; i++, got++)
			CHECK_EQ(buf[i], pattern(got));
		while (got < sent && round % 3 == 0) { /* all of it: it comes by itself */
			CHECK((n = recv(s[1], buf, sizeof(buf), 0)) > 0);
			for (ssize_t i = 0; i < n; i++, got++)
				CHECK_EQ(buf[i], pattern(got));
		}
	}
}

TEST(tcp_local_fin_and_reset_come_behind_the_bytes)
{
	struct linger reset = { 1, 0 };
	char b[16];
	int s[2];

	tcp_pair(AF_INET, s);
	write_all(s[0], "last", 4);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	write_all(s[1], "answer", 6);
	write_all(s[1], "more", 4);
	CHECK_EQ(recv(s[1], b, sizeof(b), MSG_WAITALL), 4);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	CHECK_OK(close(s[1]));
	CHECK_EQ(recv(s[0], b, sizeof(b), MSG_WAITALL), 10);
	CHECK(memcmp(b, "answermore", 10) == 0);
	CHECK_EQ(read(s[0], b, sizeof(b)), 0);

	tcp_pair(AF_INET6, s);
	write_all(s[0], "left", 4);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
	CHECK_OK(close(s[0]));
	CHECK_EQ(read(s[1], b, sizeof(b)), 4);
	CHECK_ERR(read(s[1], b, sizeof(b)), ECONNRESET);
}

TEST(tcp_local_bytes_for_a_closed_socket_reset)
{
	char b;
	int s[2];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(AF_INET, s);
	write_all(s[0], "x", 1);
	read_all(s[1], &b, 1);
	CHECK_OK(close(s[1]));
	write_all(s[0], "x", 1);
	CHECK_EQ(poll_wait(s[0], POLLIN | POLLHUP | POLLERR) & POLLHUP, POLLHUP);
	CHECK_ERR(write(s[0], "x", 1), EPIPE);
}

TEST(tcp_local_urgent_between_plain_bytes)
{
	char b[32];
	int s[2];

	tcp_pair(AF_INET, s);
	write_all(s[0], "abc", 3);
	CHECK_EQ(send(s[0], "U", 1, MSG_OOB), 1);
	write_all(s[0], "def", 3);
	CHECK_EQ(poll_wait(s[1], POLLPRI), POLLPRI);
	CHECK_EQ(recv(s[1], b, 1, MSG_OOB), 1);
	CHECK_EQ(b[0], 'U');
	CHECK_EQ(read(s[1], b, sizeof(b)), 3);
	CHECK_EQ(read(s[1], b, sizeof(b)), 3);
	CHECK(memcmp(b, "def", 3) == 0);
	write_all(s[0], "ghi", 3);
	CHECK_EQ(read(s[1], b, sizeof(b)), 3);
	write_all(s[1], "jkl", 3);
	CHECK_EQ(read(s[0], b, sizeof(b)), 3);
}

TEST(tcp_local_cork_after_plain_bytes)
{
	char b[16];
	int s[2], on = 1, off = 0;

	tcp_pair(AF_INET, s);
	write_all(s[0], "1", 1);
	read_all(s[1], b, 1);
	CHECK_OK(setsockopt(s[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	write_all(s[0], "23", 2);
	CHECK_EQ(poll_for(s[1], POLLIN, 20), 0);
	CHECK_OK(setsockopt(s[0], IPPROTO_TCP, TCP_CORK, &off, sizeof(off)));
	read_all(s[1], b, 2);
	CHECK_EQ(send(s[0], "4", 1, MSG_MORE), 1);
	CHECK_EQ(poll_for(s[1], POLLIN, 20), 0);
	write_all(s[0], "5", 1);
	read_all(s[1], b, 2);
	CHECK(memcmp(b, "45", 2) == 0);
	write_all(s[0], "6", 1);
	read_all(s[1], b, 1);
}

TEST(tcp_local_epoll_edges_one_for_each_write)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	int s[2], e = epoll_create1(0);

	tcp_pair(AF_INET, s);
	CHECK_OK(epoll_ctl(e, EPOLL_CTL_ADD, s[1], &ev));
	CHECK_EQ(epoll_wait(e, &got, 1, 0), 0);
	for (int i = 0; i < 5; i++) { /* nobody reads: each write is an edge of its own */
		write_all(s[0], "x", 1);
		CHECK_EQ(epoll_wait(e, &got, 1, 1000), 1);
		CHECK_EQ(epoll_wait(e, &got, 1, 0), 0);
	}
	CHECK_EQ(queued(s[1], SIOCINQ), 5);
}

/* Somebody who listens sees the very bytes, from the moment on that he does. */
TEST(tcp_local_packets_are_seen_by_who_listens)
{
	struct sockaddr_ll lo = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1 };
	char b[16], frame[2048];
	int s[2], tap, seen = 0;
	ssize_t n;

	tcp_pair(AF_INET, s);
	write_all(s[0], "before", 6);
	read_all(s[1], b, 6);
	CHECK_OK(tap = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	CHECK_OK(bind(tap, (void *)&lo, sizeof(lo)));
	for (int i = 0; i < 3; i++) {
		write_all(s[0], "tapped", 6);
		read_all(s[1], b, 6);
		write_all(s[1], "a", 1);
		read_all(s[0], b, 1);
	}
	while ((n = recv(tap, frame, sizeof(frame), MSG_DONTWAIT)) > 0)
		seen += memmem(frame, (size_t)n, "tapped", 6) != NULL;
	CHECK_EQ(seen, 6); /* out and in */
	CHECK_OK(close(tap));
	for (int i = 0; i < 3; i++) {
		write_all(s[0], "after", 5);
		read_all(s[1], b, 5);
		write_all(s[1], "b", 1);
		read_all(s[0], b, 1);
	}
	CHECK_EQ(info_of(s[0]).bytes_sent, 6 + 18 + 15);
}

TEST(tcp_local_raw_sockets_hear_segments)
{
	char b[16], packet[2048];
	int s[2], raw, seen = 0;
	ssize_t n;

	tcp_pair(AF_INET, s);
	CHECK_OK(raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
	write_all(s[0], "raw!!", 5);
	read_all(s[1], b, 5);
	while ((n = recv(raw, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		seen += memmem(packet, (size_t)n, "raw!!", 5) != NULL;
	CHECK_EQ(seen, 1);
}

/* --- many threads, and the way changes --- */

enum { TOTAL = 6 << 20 };

struct half {
	int fd;
	unsigned seed;
	bool writes;
};
static atomic_bool over;

static void *stream(void *arg)
{
	struct half *h = arg;
	uint8_t *buf = malloc(100000);
	uint64_t done = 0;

	while (done < TOTAL) {
		size_t want = 1 + (size_t)rand_r(&h->seed) % (rand_r(&h->seed) % 4 ? 3000 : 90000);
		ssize_t n;

		if (want > TOTAL - done)
			want = TOTAL - done;
		if (h->writes) {
			for (size_t i = 0; i < want; i++)
				buf[i] = pattern(done + i);
			CHECK_OK(n = write(h->fd, buf, want));
		} else {
			CHECK((n = read(h->fd, buf, want)) > 0);
			for (ssize_t i = 0; i < n; i++)
				CHECK_EQ(buf[i], pattern(done + (uint64_t)i));
		}
		done += (uint64_t)n;
	}
	free(buf);
	return NULL;
}

static void *tap_now_and_then(void *unused)
{
	(void)unused;
	while (!over) {
		int tap = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

		CHECK_OK(tap);
		usleep(3000);
		CHECK_OK(close(tap));
		usleep(10000);
	}
	return NULL;
}

static void both_ways(bool tapped)
{
	struct half h[4];
	pthread_t t[5];
	int s[2];

	tcp_pair(AF_INET, s);
	for (unsigned i = 0; i < 4; i++) {
		h[i] = (struct half){ .fd = s[i / 2], .seed = i + 1, .writes = i % 2 };
		CHECK_EQ(pthread_create(&t[i], NULL, stream, &h[i]), 0);
	}
	if (tapped)
		CHECK_EQ(pthread_create(&t[4], NULL, tap_now_and_then, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	over = true;
	if (tapped)
		pthread_join(t[4], NULL);
	CHECK_EQ(queued(s[0], SIOCINQ) + queued(s[1], SIOCINQ), 0);
}

TEST_TIMED(tcp_local_both_ways_at_once, 120)
{
	both_ways(false);
}

TEST_TIMED(tcp_local_both_ways_with_a_tap_now_and_then, 120)
{
	both_ways(true);
}

/* Closing while the other writes: a count of bytes, then an end, whatever the moment. */
static void *write_until_error(void *arg)
{
	int fd = *(int *)arg;
	char buf[700] = { 0 };

	while (write(fd, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

TEST_TIMED(tcp_local_close_while_the_peer_writes, 120)
{
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 200; i++) {
		static char buf[8192];
		pthread_t t;
		int s[2];

		tcp_pair(AF_INET, s);
		CHECK_EQ(pthread_create(&t, NULL, write_until_error, &s[0]), 0);
		for (int k = 0; k < i % 8; k++)
			CHECK(read(s[1], buf, sizeof(buf)) > 0);
		if (i % 3 == 0)
			CHECK_OK(shutdown(s[1], SHUT_RD));
		CHECK_OK(close(s[1]));
		pthread_join(t, NULL);
		CHECK_OK(close(s[0]));
	}
}
