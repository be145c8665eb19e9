/* Packets for others: net.ipv4.ip_forward. A packet socket plays the neighbour on `lo`. */

#include "rtnl_test.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

static int lo;

static void set_forwarding(const char *v)
{
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY);

	if (fd < 0)
		test_skip("no /proc/sys/net");
	CHECK_EQ(write(fd, v, 1), 1);
	close(fd);
}

static uint16_t sum(const void *p, size_t n)
{
	const uint16_t *w = p;
	uint32_t s = 0;

	for (size_t i = 0; i < n / 2; i++)
		s += w[i];
	s = (s >> 16) + (s & 0xffff);
	return (uint16_t) ~((s >> 16) + s);
}

/* The network 10.77.0.0/24 on lo, and a route to 10.78.0.0/16 through it. */
static int prepared(void)
{
	int fd;

	if (!test_is_root())
		test_skip("needs CAP_NET_ADMIN");
	fd = nl_open(0);
	lo = (int)if_nametoindex("lo");
	nl_link_up(fd, lo);
	(void)nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE, AF_INET, lo, "10.77.0.1", 32);
	(void)nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE, "10.77.0.9", 32, RTN_UNICAST, 254, 0, lo);
	(void)nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE, "10.78.0.0", 16, RTN_UNICAST, 254, 0, lo);
	return fd;
}

static void clean(int fd)
{
	(void)nl_route(fd, RTM_DELROUTE, 0, "10.77.0.9", 32, RTN_UNICAST, 254, 0, lo);
	(void)nl_route(fd, RTM_DELROUTE, 0, "10.78.0.0", 16, RTN_UNICAST, 254, 0, lo);
	(void)nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 32);
	set_forwarding("0");
}

static void inject(int fd, const char *dst, int ttl)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = lo };
	struct {
		struct iphdr ip;
		uint16_t port[2], len, check;
		char data[8];
	} p;

	memset(&p, 0, sizeof(p));
	p.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = (uint8_t)ttl, .protocol = IPPROTO_UDP,
			       .tot_len = htons(sizeof(p)), .id = htons(4711), .saddr = inet_addr("10.77.0.9"),
			       .daddr = inet_addr(dst) };
	p.ip.check = sum(&p.ip, sizeof(p.ip));
	p.len = htons(16);
	CHECK_EQ(sendto(fd, &p, sizeof(p), 0, (void *)&to, sizeof(to)), sizeof(p));
}

/* The next packet that leaves for dst; false: none within a second. */
static bool leaves(int fd, const char *dst, unsigned char *buf, size_t size, int ttl_not)
{
	const struct iphdr *ip = (void *)buf;

	for (;;) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, size, 0, (void *)&from, &len);

		if (n < 0)
			return false;
		if (n >= (ssize_t)sizeof(*ip) && from.sll_pkttype == PACKET_OUTGOING && ip->daddr == inet_addr(dst) &&
		    ip->ttl != ttl_not)
			return true;
	}
}

static int tap(void)
{
	struct timeval tv = { .tv_sec = 1 };
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));

	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return fd;
}

TEST(forwards_when_told_to)
{
	int fd = prepared(), out = socket(AF_PACKET, SOCK_DGRAM, 0), in = tap();
	const struct iphdr *ip;
	unsigned char b[256];

	set_forwarding("0");
	inject(out, "10.78.0.1", 9);
	CHECK(!leaves(in, "10.78.0.1", b, sizeof(b), 9));
	set_forwarding("1");
	inject(out, "10.78.0.1", 9);
	CHECK(leaves(in, "10.78.0.1", b, sizeof(b), 9));
	ip = (void *)b;
	CHECK_EQ(ip->ttl, 8);
	CHECK_EQ(sum(ip, sizeof(*ip)), 0);
	CHECK_EQ(ip->saddr, inet_addr("10.77.0.9"));
	CHECK_EQ(ntohs(ip->id), 4711);
	clean(fd);
}

TEST(time_exceeded_is_told)
{
	int fd = prepared(), out = socket(AF_PACKET, SOCK_DGRAM, 0), in = tap();
	const struct icmphdr *icmp;
	unsigned char b[256];

	set_forwarding("1");
	inject(out, "10.78.0.1", 1);
	CHECK(leaves(in, "10.77.0.9", b, sizeof(b), 0));
	icmp = (void *)(b + (b[0] & 15) * 4);
	CHECK_EQ(b[9], IPPROTO_ICMP);
	CHECK_EQ(icmp->type, ICMP_TIME_EXCEEDED);
	CHECK_EQ(icmp->code, ICMP_EXC_TTL);
	clean(fd);
}

/* A route says how far its packets may go (ip route ... hoplimit), where the socket does not. */
TEST(hop_limit_of_a_route)
{
	int fd = prepared(), in = tap(), s = socket(AF_INET, SOCK_DGRAM, 0), ttl = 9;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("10.78.7.1") };
	unsigned metric[2] = { 8u | RTAX_HOPLIMIT << 16, 7 };
	unsigned char b[256];
	struct nl_request r;
	struct rtmsg *m = nl_begin(&r, RTM_NEWROUTE, NLM_F_CREATE, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = 24;
	m->rtm_type = RTN_UNICAST;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_LINK;
	nl_put_ip(&r, RTA_DST, "10.78.7.0");
	nl_put_u32(&r, RTA_TABLE, 254);
	nl_put_u32(&r, RTA_OIF, (uint32_t)lo);
	nl_put(&r, RTA_METRICS, metric, sizeof(metric));
	CHECK_OK(nl_do(fd, &r));
	CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof(to)), 1);
	CHECK(leaves(in, "10.78.7.1", b, sizeof(b), 0));
	CHECK_EQ(b[8], 7);
	CHECK_OK(setsockopt(s, SOL_IP, IP_TTL, &ttl, sizeof(ttl)));
	CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof(to)), 1);
	CHECK(leaves(in, "10.78.7.1", b, sizeof(b), 7));
	CHECK_EQ(b[8], 9);
	(void)nl_route(fd, RTM_DELROUTE, 0, "10.78.7.0", 24, RTN_UNICAST, 254, 0, lo);
	clean(fd);
}
