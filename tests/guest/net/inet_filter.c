/* SO_ATTACH_FILTER, SO_BINDTODEVICE, timestamps on UDP sockets: socket(7). */

#include "inet_test.h"

#include <linux/filter.h>

static int attach(int fd, struct sock_filter *f, unsigned n)
{
	struct sock_fprog p = { (unsigned short)n, f };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p));
}
#define ATTACH(fd, f) attach(fd, f, sizeof(f) / sizeof((f)[0]))

TEST(filter_picks_packets)
{
	/* The first byte of the payload must be 'y'. */
	struct sock_filter f[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
				   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1),
				   BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter ip[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + 9),
				    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 1),
				    BPF_STMT(BPF_RET | BPF_K, 8 + 2), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter bad[] = { BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0) };
	struct name a;
	char buf[16];

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, 4), ENOENT);
	CHECK_ERR(ATTACH(s, bad), EINVAL);
	CHECK_OK(ATTACH(s, f));
	CHECK_EQ(send_at(c, "no", 2, 0, a), 2);
	CHECK_EQ(send_at(c, "yes", 3, 0, a), 3);
	CHECK_EQ(recv(s, buf, 16, 0), 3);
	CHECK_ERR(recv(s, buf, 16, MSG_DONTWAIT), EAGAIN);
	struct sock_filter got[8];
	socklen_t n = 0;
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n));
	CHECK_EQ(n, 4);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n));
	CHECK(memcmp(got, f, sizeof(f)) == 0);
	CHECK_OK(ATTACH(s, ip));
	CHECK_EQ(send_at(c, "no", 2, 0, a), 2);
	CHECK_EQ(send_at(c, "yes", 3, 0, a), 3);
	CHECK_EQ(recv(s, buf, 16, 0), 2);
	CHECK_EQ(recv(s, buf, 16, MSG_TRUNC), 2); /* cut to what the filter said */
	set_option(s, SO_LOCK_FILTER, 1);
	CHECK_ERR(ATTACH(s, f), EPERM);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, 4), EPERM);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 0 }, 4), EPERM);
	CHECK_EQ(int_option(s, SO_LOCK_FILTER), 1);
}

TEST(bound_to_a_device)
{
	char name[IFNAMSIZ];
	socklen_t n = sizeof(name);
	struct name a;
	char buf[16];

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
	CHECK_EQ(n, 0);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nothing", 7), ENODEV);
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	CHECK_EQ(int_option(s, SO_BINDTOIFINDEX), 1);
	n = sizeof(name);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
	CHECK_EQ(n, 3);
	CHECK_STR(name, "lo");
	CHECK_EQ(send_at(c, "a", 1, 0, a), 1);
	CHECK_EQ(recv(s, buf, 16, 0), 1);
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	CHECK_EQ(int_option(s, SO_BINDTOIFINDEX), 0);
}

TEST(times_of_arrival)
{
	const int options[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, 63, 64 };
	struct name a;

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < 4; i++) {
		char control[128], buf[8];
		struct iovec v = { buf, 8 };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		struct timespec now, *t;

		set_option(s, options[i], 1);
		for (int j = 0; j < 4; j++)
			CHECK_EQ(int_option(s, options[j]), i == j || (i == 3 && j == 2));
		CHECK_EQ(send_at(c, "a", 1, 0, a), 1);
		CHECK_EQ(recvmsg(s, &m, 0), 1);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		CHECK(h != NULL);
		CHECK_EQ(h->cmsg_type, options[i]);
		CHECK_EQ(h->cmsg_len, CMSG_LEN(16));
		t = (void *)CMSG_DATA(h);
		clock_gettime(CLOCK_REALTIME, &now);
		CHECK(now.tv_sec - t->tv_sec <= 20 && now.tv_sec >= t->tv_sec);
	}
}
