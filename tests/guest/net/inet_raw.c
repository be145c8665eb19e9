/* Raw and ping sockets: raw(7), icmp(7). */

#include "inet_test.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>

static uint16_t checksum(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t make_echo(void *to, uint16_t id, uint16_t seq)
{
	struct icmphdr *h = to;

	memset(to, 0, 16);
	h->type = ICMP_ECHO;
	h->un.echo.id = htons(id);
	h->un.echo.sequence = htons(seq);
	memcpy(h + 1, "payload", 8);
	h->checksum = checksum(to, 16);
	return 16;
}

TEST(raw_icmp)
{
	uint8_t out[16], in[128];
	struct name to, from = { .len = sizeof(from.all) };

	lo_up();
	to = name4("127.0.0.1", 0);
	CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	CHECK_OK(fd);
	struct icmp_filter filter = { ~(1u << ICMP_ECHOREPLY) };
	CHECK_OK(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	CHECK_EQ(send_at(fd, out, make_echo(out, 77, 1), 0, to), 16);
	CHECK_EQ(recvfrom(fd, in, sizeof(in), 0, &from.a, &from.len), 36);
	struct iphdr *ip = (void *)in;
	struct icmphdr *h = (void *)(in + 20);
	CHECK_EQ(ip->version, 4);
	CHECK_EQ(ip->ihl, 5);
	CHECK_EQ(ntohs(ip->tot_len), 36);
	CHECK_EQ(ip->protocol, IPPROTO_ICMP);
	CHECK_EQ(checksum(in, 20), 0);
	CHECK_EQ(h->type, ICMP_ECHOREPLY);
	CHECK_EQ(ntohs(h->un.echo.id), 77);
	CHECK_EQ(checksum(h, 16), 0);
	CHECK_STR((char *)(h + 1), "payload");
	CHECK_STR(addr_text(&from), "127.0.0.1");
	CHECK_ERR(recv(fd, in, sizeof(in), MSG_DONTWAIT), EAGAIN); /* the request was not wanted */
}

TEST(raw_with_own_header)
{
	struct {
		struct iphdr ip;
		uint8_t data[4];
	} __attribute__((packed)) out = {
		.ip = { .version = 4, .ihl = 5, .ttl = 9, .protocol = 253 },
		.data = { 1, 2, 3, 4 },
	}, in;
	int one;
	socklen_t n = sizeof(one);

	lo_up();
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), r = socket(AF_INET, SOCK_RAW, 253);
	CHECK_OK(fd);
	CHECK_OK(getsockopt(fd, SOL_IP, IP_HDRINCL, &one, &n));
	CHECK_EQ(one, 1);
	out.ip.daddr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(send_at(fd, &out, sizeof(out), 0, name4("127.0.0.1", 0)), sizeof(out));
	CHECK_EQ(recv(r, &in, sizeof(in), MSG_DONTWAIT), sizeof(in));
	CHECK_EQ(in.ip.ttl, 9);
	CHECK_EQ(ntohl(in.ip.saddr), INADDR_LOOPBACK); /* filled in, as the next */
	CHECK_EQ(ntohs(in.ip.tot_len), sizeof(in));
	CHECK_EQ(checksum(&in.ip, 20), 0);
	CHECK(memcmp(in.data, out.data, 4) == 0);
	CHECK_ERR(send_at(fd, &out, 10, 0, name4("127.0.0.1", 0)), EINVAL);
	/* Without it the kernel makes the header, for the socket's protocol. */
	CHECK_EQ(send_at(r, "abcd", 4, 0, name4("127.0.0.1", 0)), 4);
	CHECK_EQ(recv(r, &in, sizeof(in), MSG_DONTWAIT), sizeof(in));
	CHECK_EQ(in.ip.protocol, 253);
	CHECK(memcmp(in.data, "abcd", 4) == 0);
	struct name me = local_name(r);
	CHECK_EQ(port_of(&me), 253);
}

TEST(raw_large)
{
	static uint8_t out[40000], in[40100];

	lo_up();
	int r = socket(AF_INET, SOCK_RAW, 253);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 3);
	CHECK_EQ(send_at(r, out, sizeof(out), 0, name4("127.0.0.1", 0)), sizeof(out));
	CHECK_EQ(recv(r, in, sizeof(in), 0), sizeof(out) + 20);
	CHECK(memcmp(in + 20, out, sizeof(out)) == 0);
}

TEST(raw_icmp6)
{
	struct icmp6_hdr out = { .icmp6_type = ICMP6_ECHO_REQUEST }, in;
	struct icmp6_filter f;
	int v;
	socklen_t n = sizeof(v);

	lo_up();
	out.icmp6_id = htons(5);
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	CHECK_OK(fd);
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
	CHECK_OK(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f)));
	CHECK_EQ(send_at(fd, &out, sizeof(out), 0, name6("::1", 0)), sizeof(out));
	CHECK_EQ(recv(fd, &in, sizeof(in), 0), sizeof(in));
	CHECK_EQ(in.icmp6_type, ICMP6_ECHO_REPLY);
	CHECK_EQ(ntohs(in.icmp6_id), 5);
	CHECK_ERR(recv(fd, &in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(set_int(fd, SOL_IPV6, IPV6_CHECKSUM, 2), EINVAL);
	int r = socket(AF_INET6, SOCK_RAW, 253);
	uint8_t bytes[8] = { 0 };
	CHECK_OK(getsockopt(r, SOL_IPV6, IPV6_CHECKSUM, &v, &n));
	CHECK_EQ(v, -1);
	CHECK_OK(set_int(r, SOL_IPV6, IPV6_CHECKSUM, 2));
	CHECK_EQ(send_at(r, bytes, 8, 0, name6("::1", 0)), 8);
	CHECK_EQ(recv(r, bytes, 8, 0), 8);
}

TEST(connected_raw)
{
	char buf[64];

	lo_up();
	int r = socket(AF_INET, SOCK_RAW, 253), s = socket(AF_INET, SOCK_RAW, 253);
	CHECK_OK(connect_to(r, "127.0.0.2", 0));
	CHECK_OK(bind_to(s, "127.0.0.3", 0));
	CHECK_EQ(send_at(s, "x", 1, 0, name4("127.0.0.1", 0)), 1);
	CHECK_ERR(recv(r, buf, 64, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(r, "y", 1, 0), 1);
	CHECK_ERR(recv(s, buf, 64, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(bind_to(socket(AF_INET, SOCK_RAW, 253), "198.51.100.7", 0), EADDRNOTAVAIL);
	CHECK_ERR(send(s, "x", 1, 0), EDESTADDRREQ);
}

static void ping_range(const char *range)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);

	if (fd < 0)
		test_skip("no ping_group_range");
	CHECK_EQ(write(fd, range, strlen(range)), (ssize_t)strlen(range));
	close(fd);
}

TEST(ping_sockets)
{
	struct icmphdr out = { .type = ICMP_ECHO }, in;
	struct name me, from = { .len = sizeof(from.all) };

	lo_up();
	ping_range("1 0");
	CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
	ping_range("0 100");
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	ping_range("1 0");
	CHECK_OK(fd);
	out.un.echo.sequence = htons(3);
	CHECK_EQ(send_at(fd, &out, sizeof(out), 0, name4("127.0.0.1", 0)), sizeof(out));
	CHECK_EQ(recvfrom(fd, &in, sizeof(in), 0, &from.a, &from.len), sizeof(in));
	CHECK_EQ(in.type, ICMP_ECHOREPLY);
	CHECK_EQ(ntohs(in.un.echo.sequence), 3);
	me = local_name(fd);
	CHECK_EQ(ntohs(in.un.echo.id), port_of(&me));
	CHECK_EQ(port_of(&from), 0);
	out.type = ICMP_ECHOREPLY;
	CHECK_ERR(send_at(fd, &out, sizeof(out), 0, name4("127.0.0.1", 0)), EINVAL);
	CHECK_ERR(send_at(fd, &out, 4, 0, name4("127.0.0.1", 0)), EINVAL);
}

TEST(raw_errors)
{
	char buf[64];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	lo_up();
	/* Nobody takes protocol 252. */
	int r = socket(AF_INET, SOCK_RAW, 252);
	CHECK_OK(set_int(r, SOL_IP, IP_RECVERR, 1));
	CHECK_OK(connect_to(r, "127.0.0.9", 0));
	CHECK_OK(bind_to(socket(AF_INET, SOCK_RAW, 252), "127.0.0.4", 0));
	CHECK_EQ(send(r, "hello123", 8, 0), 8);
	CHECK_ERR(recv(r, buf, 64, MSG_DONTWAIT), ENOPROTOOPT);
	CHECK_EQ(recvmsg(r, &m, MSG_ERRQUEUE), 8);
	CHECK(memcmp(buf, "hello", 5) == 0);
}
