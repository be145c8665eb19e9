/* Multicast groups of sockets: ip(7), ipv6(7), RFC 3678. All on `lo`. */

#include "inet_test.h"

#define GROUP "239.1.2.3"
#define GROUP6 "ff05::1:2:3"

static struct ip_mreqn mreq(const char *group)
{
	struct ip_mreqn r = { .imr_ifindex = 1 };

	CHECK_EQ(inet_pton(AF_INET, group, &r.imr_multiaddr), 1);
	return r;
}

static int member(int fd, int name, const char *group)
{
	struct ip_mreqn r = mreq(group);

	return setsockopt(fd, SOL_IP, name, &r, sizeof(r));
}

static int source(int fd, int name, const char *group, const char *src)
{
	struct ip_mreq_source r;

	inet_pton(AF_INET, group, &r.imr_multiaddr);
	inet_pton(AF_INET, src, &r.imr_sourceaddr);
	r.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
	return setsockopt(fd, SOL_IP, name, &r, sizeof(r));
}

static int sender(const char *from)
{
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	struct ip_mreqn r = mreq(GROUP);

	CHECK_OK(bind_to(c, from, 0));
	CHECK_OK(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &r, sizeof(r)));
	return c;
}

static int hears(int fd)
{
	char buf[16];

	return recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 1;
}

TEST(members_hear)
{
	struct name a, to;

	lo_up();
	int s = udp_bound("0.0.0.0", &a), t = socket(AF_INET, SOCK_DGRAM, 0), c = sender("127.0.0.1");
	set_option(s, SO_REUSEADDR, 1);
	set_option(t, SO_REUSEADDR, 1);
	CHECK_OK(bind_to(t, "0.0.0.0", port_of(&a)));
	to = name4(GROUP, port_of(&a));
	CHECK_ERR(member(s, IP_DROP_MEMBERSHIP, GROUP), EADDRNOTAVAIL);
	CHECK_ERR(member(s, IP_ADD_MEMBERSHIP, "10.1.1.1"), EINVAL);
	CHECK_OK(member(s, IP_ADD_MEMBERSHIP, GROUP));
	CHECK_ERR(member(s, IP_ADD_MEMBERSHIP, GROUP), EADDRINUSE);
	CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 1);
	CHECK_EQ(hears(t), 1); /* IP_MULTICAST_ALL: somebody here is a member */
	CHECK_OK(set_int(t, SOL_IP, IP_MULTICAST_ALL, 0));
	CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 1);
	CHECK_EQ(hears(t), 0);
	CHECK_EQ(send_at(c, "x", 1, 0, name4("239.9.9.9", port_of(&a))), 1);
	CHECK_EQ(hears(s), 0);
	CHECK_OK(member(s, IP_DROP_MEMBERSHIP, GROUP));
	CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 0);
	CHECK_OK(member(t, IP_ADD_MEMBERSHIP, GROUP));
	CHECK_OK(bind_to(socket(AF_INET, SOCK_DGRAM, 0), GROUP, 0));
	close(t);
	CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 0);
}

TEST(sources)
{
	struct name a, to;

	lo_up();
	int s = udp_bound("0.0.0.0", &a), c = sender("127.0.0.1"), d = sender("127.0.0.2");
	to = name4(GROUP, port_of(&a));
	CHECK_OK(source(s, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1"));
	CHECK_ERR(source(s, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1"), EADDRNOTAVAIL);
	CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 1);
	CHECK_EQ(send_at(d, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 0);
	CHECK_ERR(source(s, IP_BLOCK_SOURCE, GROUP, "127.0.0.1"), EINVAL);
	CHECK_OK(source(s, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1"));
	CHECK_OK(member(s, IP_ADD_MEMBERSHIP, GROUP));
	CHECK_OK(source(s, IP_BLOCK_SOURCE, GROUP, "127.0.0.2"));
	CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 1);
	CHECK_EQ(send_at(d, "x", 1, 0, to), 1);
	CHECK_EQ(hears(s), 0);
	CHECK_ERR(source(s, IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1"), EADDRNOTAVAIL);
	CHECK_OK(source(s, IP_UNBLOCK_SOURCE, GROUP, "127.0.0.2"));
}

TEST(members_hear_6)
{
	struct ipv6_mreq r = { .ipv6mr_interface = 1 };
	struct group_req g = { .gr_interface = 1 };
	struct name a, to;

	lo_up();
	inet_pton(AF_INET6, GROUP6, &r.ipv6mr_multiaddr);
	int s = udp_bound("::", &a), c = socket(AF_INET6, SOCK_DGRAM, 0);
	to = name6(GROUP6, port_of(&a));
	CHECK_OK(set_int(c, SOL_IPV6, IPV6_MULTICAST_IF, 1));
	/* Linux has no way to groups on a machine with nothing but lo. */
	if (send_at(c, "x", 1, 0, to) < 0 && errno == ENETUNREACH)
		to.len = 0;
	CHECK_EQ(hears(s), 0);
	CHECK_OK(setsockopt(s, SOL_IPV6, IPV6_JOIN_GROUP, &r, sizeof(r)));
	CHECK_ERR(setsockopt(s, SOL_IPV6, IPV6_JOIN_GROUP, &r, sizeof(r)), EADDRINUSE);
	if (to.len) {
		CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
		CHECK_EQ(hears(s), 1);
	}
	CHECK_OK(setsockopt(s, SOL_IPV6, IPV6_LEAVE_GROUP, &r, sizeof(r)));
	CHECK_ERR(setsockopt(s, SOL_IPV6, IPV6_LEAVE_GROUP, &r, sizeof(r)), EADDRNOTAVAIL);
	if (to.len) {
		CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
		CHECK_EQ(hears(s), 0);
	}
	memcpy(&g.gr_group, &to.in6, sizeof(to.in6));
	CHECK_OK(setsockopt(s, SOL_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)));
	if (to.len) {
		CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
		CHECK_EQ(hears(s), 1);
	}
}
