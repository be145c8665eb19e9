/* UDP between sockets of this machine: the same whether somebody watches the packets or not. */
#include "tcp_test.h"

#include <linux/if_ether.h>
#include <stdlib.h>

static uint8_t out[65000], in[65000];

/* a sends to b, which has its address in `to`. */
static void make_pair(int family, int *a, int *b, struct sockaddr_in6 *to)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in any4 = tcp_addr(0);
	socklen_t n = family == AF_INET ? sizeof(any4) : sizeof(any);
	int on = 1;

	if (family == AF_INET)
		memcpy(&any, &any4, sizeof(any4));
	CHECK_OK(*a = socket(family, SOCK_DGRAM, 0));
	CHECK_OK(*b = socket(family, SOCK_DGRAM, 0));
	CHECK_OK(bind(*a, (void *)&any, n));
	CHECK_OK(bind(*b, (void *)&any, n));
	CHECK_OK(getsockname(*b, (void *)to, &n));
	if (family == AF_INET) {
		CHECK_OK(setsockopt(*b, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
		CHECK_OK(setsockopt(*b, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
		on = 77;
		CHECK_OK(setsockopt(*a, IPPROTO_IP, IP_TTL, &on, sizeof(on)));
	} else {
		CHECK_OK(setsockopt(*b, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)));
		CHECK_OK(setsockopt(*b, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)));
		on = 77;
		CHECK_OK(setsockopt(*a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &on, sizeof(on)));
	}
}

static void check_control(struct msghdr *m)
{
	int seen = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool is_ttl = c->cmsg_level == IPPROTO_IP ? c->cmsg_type == IP_TTL
							  : c->cmsg_type == IPV6_HOPLIMIT;
		int v;

		memcpy(&v, CMSG_DATA(c), sizeof(v));
		if (is_ttl)
			CHECK_EQ(v, 77);
		else if (c->cmsg_level == IPPROTO_IP)
			CHECK_EQ(v, 1); /* ipi_ifindex of lo */
		seen++;
	}
	CHECK_EQ(seen, 2);
}

static void one(int a, int b, const struct sockaddr_in6 *to, size_t size)
{
	socklen_t n = to->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(*to);
	struct sockaddr_in6 from, self;
	char control[256];
	struct iovec v = { in, sizeof(in) };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(i * 5 + size);
	CHECK_EQ(sendto(a, out, size, 0, (void *)to, n), (long)size);
	CHECK_EQ(recvmsg(b, &m, MSG_DONTWAIT), (long)size);
	CHECK(memcmp(in, out, size) == 0);
	CHECK_EQ(m.msg_namelen, n);
	CHECK_OK(getsockname(a, (void *)&self, &n));
	CHECK(memcmp(&from, &self, n) == 0);
	CHECK_EQ(m.msg_flags, 0);
	check_control(&m);
}

static void both_families(void)
{
	static const size_t sizes[] = { 0, 1, 100, 1472, 1473, 9000, 65000 };

	for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0) {
		struct sockaddr_in6 to;
		int a, b;

		make_pair(family, &a, &b, &to);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			one(a, b, &to, sizes[i]);
		CHECK_OK(close(b));
		/* nobody there any more: the next call hears of it */
		CHECK_OK(connect(a, (void *)&to,
				 family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(to)));
		CHECK_EQ(send(a, "x", 1, 0), 1);
		CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);
		CHECK_OK(close(a));
	}
}

TEST(udp_local)
{
	both_families();
}

TEST(udp_local_watched)
{
	int watch = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	CHECK_OK(watch);
	both_families();
	CHECK_OK(close(watch));
}

/* A full queue loses what comes, and the sender does not hear of it. */
TEST(udp_local_full)
{
	int a, b, size = 4096, got = 0;
	struct sockaddr_in6 to;

	make_pair(AF_INET, &a, &b, &to);
	CHECK_OK(setsockopt(b, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	for (int i = 0; i < 100; i++)
		CHECK_EQ(sendto(a, out, 1000, 0, (void *)&to, sizeof(struct sockaddr_in)), 1000);
	while (recv(b, in, sizeof(in), MSG_DONTWAIT) == 1000)
		got++;
	CHECK(got > 0 && got < 100);
}
