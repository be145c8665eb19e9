/* Small cases of the network that fuzzing found, each once wrong here. */
#include "test.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}

static int all_frames(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1 };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), size = 8 << 20;

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	CHECK_OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

/* The next frame with an ICMP error in it; returns where the quoted packet begins, *n: its bytes. */
static unsigned char *quoted(int tap, int family, unsigned char *frame, size_t size, size_t *n)
{
	size_t ip = family == AF_INET ? 20 : 40;

	for (;;) {
		struct pollfd p = { .fd = tap, .events = POLLIN };
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);

		CHECK_EQ(poll(&p, 1, 5000), 1);
		ssize_t got = recvfrom(tap, frame, size, 0, (struct sockaddr *)&from, &len);
		CHECK(got > 14);
		if (from.sll_pkttype == PACKET_OUTGOING) /* lo shows each frame twice */
			continue;
		unsigned char *h = frame + 14, *icmp = h + ip;

		if ((family == AF_INET ? h[9] != IPPROTO_ICMP || icmp[0] != 3 : h[6] != IPPROTO_ICMPV6 || icmp[0] != 1))
			continue;
		*n = (size_t)got - 14 - ip - 8;
		return icmp + 8;
	}
}

/* Datagrams of every size, each refused: the error quotes what was sent, and taps see all of it. */
static void refused(int family)
{
	static unsigned char bytes[2048], frame[4096];
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = in6addr_loopback };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int tap, fd, burst;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	burst = open("/proc/sys/net/ipv4/icmp_msgs_per_sec", O_WRONLY);
	if (burst >= 0 && write(burst, "1000000", 7) != 7)
		FAIL("icmp_msgs_per_sec: %s", strerror(errno));
	tap = all_frames();
	CHECK((fd = socket(family, SOCK_DGRAM, 0)) >= 0);
	if (family == AF_INET)
		CHECK_OK(connect(fd, (struct sockaddr *)&a4, sizeof(a4)));
	else
		CHECK_OK(connect(fd, (struct sockaddr *)&a6, sizeof(a6)));
	for (size_t size = 0; size <= 1500; size += size < 320 ? 9 : 83) {
		size_t n, header = family == AF_INET ? 28 : 48;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (unsigned char)(i * 7 + size);
		CHECK_EQ(send(fd, bytes, size, 0), size);
		unsigned char *q = quoted(tap, family, frame, sizeof(frame), &n);
		size_t most = family == AF_INET ? 548 : 1232;
		CHECK_EQ(n, header + size < most ? header + size : most);
		CHECK_EQ(memcmp(q + header, bytes, n - header), 0);
		CHECK_ERR(send(fd, bytes, 1, 0), ECONNREFUSED);
		usleep(family == AF_INET ? 0 : 2000);
	}
	if (burst >= 0 && write(burst, "1000", 4) != 4)
		FAIL("icmp_msgs_per_sec: %s", strerror(errno));
}

TEST(refused_datagrams_under_a_tap)
{
	refused(AF_INET);
}

TEST(refused_datagrams_under_a_tap_v6)
{
	refused(AF_INET6);
}
