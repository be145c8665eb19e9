/* Routes, addresses, rules and neighbours by netlink: what ip(8) does, without it. */

#include "rtnl_test.h"

static int lo;

/* A connection with the loopback device up and an address of its own on it. */
static int with_address(void)
{
	int fd;

	if (!test_is_root())
		test_skip("needs CAP_NET_ADMIN");
	if (unshare(CLONE_NEWNET) && errno != EINVAL && errno != ENOSYS)
		FAIL("unshare: %s", strerrorname_np(errno));
	fd = nl_open(0);
	lo = (int)if_nametoindex("lo");
	nl_link_up(fd, lo);
	(void)nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24);
	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, AF_INET, lo, "10.77.0.1", 24), 0);
	return fd;
}

static void clean(int fd)
{
	(void)nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24);
}

TEST(address_is_there_once)
{
	int fd = with_address();

	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, AF_INET, lo, "10.77.0.1", 24), -EEXIST);
	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, AF_INET, lo, "10.77.0.1", 24), 0);
	CHECK_EQ(nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24), 0);
	CHECK_EQ(nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24), -EADDRNOTAVAIL);
	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE, AF_INET, 9999, "10.77.0.1", 24), -ENODEV);
	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE, AF_INET, lo, "10.77.0.1", 33), -EINVAL);
	clean(fd);
}

TEST(second_address_of_a_subnet_is_secondary)
{
	int fd = with_address();
	unsigned flags;

	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, AF_INET, lo, "10.77.0.2", 24), 0);
	CHECK(nl_find_addr(fd, AF_INET, "10.77.0.2", &flags));
	CHECK(flags & IFA_F_SECONDARY);
	CHECK(nl_find_addr(fd, AF_INET, "10.77.0.1", &flags));
	CHECK_EQ(flags & IFA_F_SECONDARY, 0);
	/* It goes with the primary one. */
	CHECK_EQ(nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24), 0);
	CHECK(!nl_find_addr(fd, AF_INET, "10.77.0.2", &flags));
}

TEST(address_brings_its_routes)
{
	int fd = with_address();
	struct nl_route r;

	CHECK_EQ(nl_get(fd, "10.77.0.1", &r), 0);
	CHECK_EQ(r.type, RTN_LOCAL);
	CHECK(nl_find_route(fd, RT_TABLE_LOCAL, "10.77.0.1", 32, &r));
	CHECK_EQ(r.type, RTN_LOCAL);
	CHECK_EQ(r.scope, RT_SCOPE_HOST);
	CHECK_EQ(r.protocol, RTPROT_KERNEL);
	CHECK(nl_find_route(fd, RT_TABLE_LOCAL, "10.77.0.255", 32, &r));
	CHECK_EQ(r.type, RTN_BROADCAST);
	CHECK_EQ(nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24), 0);
	CHECK(!nl_find_route(fd, RT_TABLE_LOCAL, "10.77.0.1", 32, &r));
	CHECK(!nl_find_route(fd, RT_TABLE_LOCAL, "10.77.0.255", 32, &r));
}

TEST(route_create_flags)
{
	int fd = with_address();
	struct nl_route r;

	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.78.0.0", 16, RTN_UNICAST, 254, 0, lo), 0);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.78.0.0", 16, RTN_UNICAST, 254, 0, lo), -EEXIST);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_REPLACE, "10.78.0.0", 16, RTN_UNICAST, 254, 0, lo), 0);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_REPLACE, "10.79.0.0", 16, RTN_UNICAST, 254, 0, lo), -ENOENT);
	/* Another metric is another route, and the smaller one wins. */
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.78.0.0", 16, RTN_PROHIBIT, 254, 7, 0), 0);
	CHECK_EQ(nl_get(fd, "10.78.1.1", &r), 0);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.78.0.0", 16, RTN_UNICAST, 254, 0, lo), 0);
	CHECK_EQ(nl_get(fd, "10.78.1.1", &r), -EACCES);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.78.0.0", 16, RTN_UNSPEC, 254, 7, 0), 0);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.78.0.0", 16, RTN_UNSPEC, 254, 7, 0), -ESRCH);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE, "10.78.0.1", 16, RTN_UNICAST, 254, 0, lo), -EINVAL);
	clean(fd);
}

TEST(reject_routes_have_their_errors)
{
	static const struct {
		int type, err;
	} kinds[] = { { RTN_BLACKHOLE, -EINVAL }, { RTN_UNREACHABLE, -EHOSTUNREACH }, { RTN_PROHIBIT, -EACCES } };
	int fd = with_address();
	struct nl_route r;

	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.80.0.0", 16, kinds[i].type, 254, 0, 0), 0);
		CHECK_EQ(nl_get(fd, "10.80.3.3", &r), kinds[i].err);
		CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.80.0.0", 16, kinds[i].type, 254, 0, 0), 0);
	}
	clean(fd);
}

TEST(longest_prefix_wins)
{
	int fd = with_address();
	struct nl_route r;

	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.81.0.0", 16, RTN_UNREACHABLE, 254, 0, 0), 0);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.81.5.0", 24, RTN_UNICAST, 254, 0, lo), 0);
	CHECK_EQ(nl_get(fd, "10.81.5.1", &r), 0);
	CHECK_EQ(r.oif, lo);
	CHECK_EQ(nl_get(fd, "10.81.6.1", &r), -EHOSTUNREACH);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.81.0.0", 16, RTN_UNREACHABLE, 254, 0, 0), 0);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.81.5.0", 24, RTN_UNICAST, 254, 0, lo), 0);
	clean(fd);
}

TEST(rules_choose_the_table)
{
	int fd = with_address();
	struct nl_route r;

	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.82.0.0", 16, RTN_UNICAST, 254, 0, lo), 0);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.82.0.0", 16, RTN_PROHIBIT, 1234, 0, 0), 0);
	CHECK_EQ(nl_get(fd, "10.82.1.1", &r), 0);
	CHECK_EQ(nl_rule(fd, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, 500, 1234, "10.82.0.0", 16), 0);
	CHECK_EQ(nl_rule(fd, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, 500, 1234, "10.82.0.0", 16), -EEXIST);
	CHECK_EQ(nl_get(fd, "10.82.1.1", &r), -EACCES);
	CHECK_EQ(nl_rule(fd, RTM_DELRULE, 0, 500, 1234, "10.82.0.0", 16), 0);
	CHECK_EQ(nl_rule(fd, RTM_DELRULE, 0, 500, 1234, "10.82.0.0", 16), -ENOENT);
	CHECK_EQ(nl_get(fd, "10.82.1.1", &r), 0);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.82.0.0", 16, RTN_PROHIBIT, 1234, 0, 0), 0);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.82.0.0", 16, RTN_UNICAST, 254, 0, lo), 0);
	clean(fd);
}

TEST(changes_are_reported)
{
	int fd = with_address(), ear;
	struct nl_route r;

	ear = nl_open(RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_IFADDR);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "10.83.0.0", 16, RTN_UNICAST, 254, 3, lo), 0);
	CHECK_EQ(nl_event(ear, &r), RTM_NEWROUTE);
	CHECK_EQ(r.dst, inet_addr("10.83.0.0"));
	CHECK_EQ(r.metric, 3);
	CHECK_EQ(nl_route(fd, RTM_DELROUTE, 0, "10.83.0.0", 16, RTN_UNICAST, 254, 3, lo), 0);
	CHECK_EQ(nl_event(ear, &r), RTM_DELROUTE);
	CHECK_EQ(nl_addr(fd, RTM_DELADDR, 0, AF_INET, lo, "10.77.0.1", 24), 0);
	do {
		CHECK(nl_event(ear, &r) > 0);
	} while (r.event == RTM_DELROUTE);
	CHECK_EQ(r.event, RTM_DELADDR);
}

TEST(neighbours_by_hand)
{
	int fd = with_address(), eth = nl_first_ethernet();

	if (!eth)
		test_skip("no network card");
	nl_link_up(fd, eth);
	CHECK_EQ(nl_neigh(fd, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, eth, "10.84.0.5", 0x42, NUD_PERMANENT), 0);
	CHECK_EQ(nl_neigh(fd, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, eth, "10.84.0.5", 0x43, NUD_PERMANENT), -EEXIST);
	CHECK_EQ(nl_neigh(fd, RTM_NEWNEIGH, NLM_F_REPLACE, eth, "10.84.0.5", 0x43, NUD_PERMANENT), 0);
	CHECK_EQ(nl_neigh(fd, RTM_DELNEIGH, 0, eth, "10.84.0.5", 0, 0), 0);
	CHECK_EQ(nl_neigh(fd, RTM_DELNEIGH, 0, eth, "10.84.0.5", 0, 0), -ENOENT);
	CHECK_EQ(nl_neigh(fd, RTM_NEWNEIGH, 0, eth, "10.84.0.6", 0x44, NUD_PERMANENT), -ENOENT);
	clean(fd);
}

TEST(asking_needs_no_privilege_changing_does)
{
	int fd = with_address();
	struct nl_route r;

	CHECK_OK(setuid(65534));
	close(fd);
	fd = nl_open(0);
	CHECK_EQ(nl_get(fd, "127.0.0.1", &r), 0);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE, "10.85.0.0", 16, RTN_UNICAST, 254, 0, lo), -EPERM);
	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE, AF_INET, lo, "10.77.0.9", 24), -EPERM);
}

/* The third byte of routes 10.120.*.0/24 that a dump has shown; while it goes on, others come and go. */
struct shown {
	bool seen[256];
	unsigned twice, messages;
	int other;
};

static bool note_route(const struct nlmsghdr *h, void *arg)
{
	struct shown *s = arg;
	struct nl_route r;
	uint32_t dst;

	nl_read_route(h, &r);
	dst = ntohl(r.dst);
	if (h->nlmsg_type != RTM_NEWROUTE || dst >> 16 != (10 << 8 | 120) || r.table != 254)
		return false;
	s->twice += s->seen[dst >> 8 & 255];
	s->seen[dst >> 8 & 255] = true;
	if (s->messages++ % 50 == 10 && dst >> 8 & 1) /* one that was shown goes */
		(void)nl_route(s->other, RTM_DELROUTE, 0, inet_ntoa((struct in_addr){ htonl(dst) }), 24, RTN_UNICAST,
			       254, 0, 0);
	return false;
}

TEST(a_dump_of_routes_shows_what_stays_once_while_others_go)
{
	int fd = nl_open(0), lo = (int)if_nametoindex("lo");
	struct shown s = { .other = nl_open(0) };
	unsigned stayed = 0;
	char dst[32];

	if (!test_is_root())
		test_skip("needs root");
	nl_link_up(fd, lo);
	for (int i = 0; i < 256; i++) {
		snprintf(dst, sizeof(dst), "10.120.%d.0", i);
		CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE, dst, 24, RTN_UNICAST, 254, 0, lo), 0);
	}
	(void)nl_dump(fd, RTM_GETROUTE, AF_INET, note_route, &s);
	CHECK_EQ(s.twice, 0);
	for (int i = 0; i < 256; i++) {
		stayed += s.seen[i];
		snprintf(dst, sizeof(dst), "10.120.%d.0", i);
		(void)nl_route(fd, RTM_DELROUTE, 0, dst, 24, RTN_UNICAST, 254, 0, 0);
	}
	CHECK_EQ(stayed, 256); /* those that went had been shown */
	close(s.other);
	close(fd);
}
