/* What is set for devices, and does what it says: /proc/sys/net/ipv4/conf, ipv6/conf, neigh. Source: the kernel's
 * ip-sysctl document, arp(7), ip-netconf(8), ip-neighbour(8). */

#include "inet_test.h"
#include "rtnl_test.h"

#include <linux/netconf.h>

#define BOOK(what) "/proc/sys/net/" what

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret, err;

	CHECK_OK(fd);
	ret = (int)write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static int number(const char *path)
{
	return atoi(test_slurp(path));
}

static void set(const char *path, const char *text)
{
	if (put(path, text) != (int)strlen(text))
		FAIL("%s does not take %s: %s", path, text, strerrorname_np(errno));
	CHECK_EQ(number(path), atoi(text));
}

TEST(values_of_devices_have_limits)
{
	static const struct {
		const char *path, *good, *bad[2];
	} row[] = {
		{ BOOK("ipv4/conf/lo/accept_local"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/arp_accept"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/arp_announce"), "2", { "x" } },
		{ BOOK("ipv4/conf/lo/arp_filter"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/arp_ignore"), "8", { "x" } },
		{ BOOK("ipv4/conf/lo/arp_notify"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/drop_gratuitous_arp"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/drop_unicast_in_l2_multicast"), "1", { "x" } },
		{ BOOK("ipv4/conf/all/log_martians"), "1", { "x" } },
		{ BOOK("ipv4/conf/default/promote_secondaries"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/proxy_arp"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/route_localnet"), "1", { "x" } },
		{ BOOK("ipv4/conf/all/rp_filter"), "2", { "x" } },
		{ BOOK("ipv4/conf/lo/src_valid_mark"), "1", { "x" } },
		{ BOOK("ipv4/conf/lo/tag"), "42", { "x" } },
		{ BOOK("ipv4/ip_default_ttl"), "255", { "0", "256" } },
		{ BOOK("ipv6/conf/lo/accept_ra_defrtr"), "0", { "x" } },
		{ BOOK("ipv6/conf/lo/accept_ra_from_local"), "1", { "x" } },
		{ BOOK("ipv6/conf/lo/accept_ra_min_hop_limit"), "5", { "x" } },
		{ BOOK("ipv6/conf/lo/accept_ra_mtu"), "0", { "x" } },
		{ BOOK("ipv6/conf/lo/accept_ra_pinfo"), "0", { "x" } },
		{ BOOK("ipv6/conf/lo/autoconf"), "0", { "x" } },
		{ BOOK("ipv6/conf/lo/hop_limit"), "1", { "0", "256" } },
		{ BOOK("ipv6/conf/lo/keep_addr_on_down"), "1", { "x" } },
		{ BOOK("ipv6/conf/lo/mtu"), "1300", { "1279", "65537" } },
		{ BOOK("ipv6/conf/lo/proxy_ndp"), "1", { "x" } },
		{ BOOK("ipv4/neigh/lo/mcast_solicit"), "5", { "-1", "x" } },
		{ BOOK("ipv4/neigh/lo/ucast_solicit"), "0", { "-1", "x" } },
		{ BOOK("ipv6/neigh/lo/unres_qlen_bytes"), "100000", { "-1", "x" } },
		{ BOOK("ipv6/neigh/default/gc_thresh3"), "2000", { "-1", "x" } },
		{ BOOK("ipv4/neigh/default/gc_thresh3"), "2000", { "-1", "x" } },
	};

	if (!test_is_root())
		test_skip("needs root");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *old = strdup(test_slurp(row[i].path));

		set(row[i].path, row[i].good);
		for (int k = 0; k < 2 && row[i].bad[k]; k++)
			if (put(row[i].path, row[i].bad[k]) != -1 || errno != EINVAL)
				FAIL("%s takes %s", row[i].path, row[i].bad[k]);
		CHECK_EQ(number(row[i].path), atoi(row[i].good));
		CHECK(put(row[i].path, old) > 0);
		free(old);
	}
}

TEST(one_time_in_several_units)
{
	char *old;

	if (!test_is_root())
		test_skip("needs root");
	old = strdup(test_slurp(BOOK("ipv4/neigh/lo/retrans_time_ms")));
	set(BOOK("ipv4/neigh/lo/retrans_time_ms"), "2000");
	CHECK_EQ(number(BOOK("ipv4/neigh/lo/retrans_time")), 200);
	CHECK(put(BOOK("ipv4/neigh/lo/retrans_time_ms"), old) > 0);
	old = strdup(test_slurp(BOOK("ipv4/neigh/lo/base_reachable_time_ms")));
	set(BOOK("ipv4/neigh/lo/base_reachable_time"), "7");
	CHECK_EQ(number(BOOK("ipv4/neigh/lo/base_reachable_time_ms")), 7000);
	CHECK(put(BOOK("ipv4/neigh/lo/base_reachable_time_ms"), old) > 0);
}

TEST(a_default_leaves_those_alone_that_have_addresses)
{
	char *old, *own;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	old = strdup(test_slurp(BOOK("ipv4/conf/default/rp_filter")));
	own = strdup(test_slurp(BOOK("ipv4/conf/lo/rp_filter")));
	set(BOOK("ipv4/conf/default/rp_filter"), atoi(own) == 1 ? "2" : "1");
	CHECK_STR(test_slurp(BOOK("ipv4/conf/lo/rp_filter")), own);
	CHECK(put(BOOK("ipv4/conf/default/rp_filter"), old) > 0);
}

/* Packets of a new socket leave with it. */
TEST(default_ttl_is_what_packets_have)
{
	struct name n = name4("127.0.0.1", 0);
	struct msghdr m = { 0 };
	int fd, on = 1, ttl = 0;
	char control[64], b[4];
	struct iovec v = { b, sizeof(b) };
	struct cmsghdr *c;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	set(BOOK("ipv4/ip_default_ttl"), "99");
	CHECK_OK(fd = socket(AF_INET, SOCK_DGRAM, 0));
	CHECK_OK(bind(fd, &n.a, n.len));
	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
	n = local_name(fd);
	CHECK_EQ(sendto(fd, "x", 1, 0, &n.a, n.len), 1);
	m = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	CHECK_EQ(recvmsg(fd, &m, 0), 1);
	CHECK((c = CMSG_FIRSTHDR(&m)) != NULL);
	memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
	CHECK_EQ(ttl, 99);
	set(BOOK("ipv4/ip_default_ttl"), "64");
}

static int bind6(const char *addr)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	int fd, ret, err;

	CHECK_EQ(inet_pton(AF_INET6, addr, &a.sin6_addr), 1);
	CHECK_OK(fd = socket(AF_INET6, SOCK_DGRAM, 0));
	ret = bind(fd, (void *)&a, sizeof(a));
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static int addr6(int fd, int type, int index, const char *ip)
{
	struct nl_request r;
	struct ifaddrmsg *m = nl_begin(&r, type, type == RTM_NEWADDR ? NLM_F_CREATE : 0, sizeof(*m));
	struct in6_addr a;

	m->ifa_family = AF_INET6;
	m->ifa_prefixlen = 64;
	m->ifa_index = (uint32_t)index;
	CHECK_EQ(inet_pton(AF_INET6, ip, &a), 1);
	nl_put(&r, IFA_LOCAL, &a, sizeof(a));
	return nl_do(fd, &r);
}

TEST(ipv6_goes_off_and_on)
{
	int nl, lo;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	nl = nl_open(0);
	lo = (int)if_nametoindex("lo");
	CHECK_OK(bind6("::1"));
	CHECK_EQ(addr6(nl, RTM_NEWADDR, lo, "fd00:77::1"), 0);
	CHECK_OK(bind6("fd00:77::1"));
	set(BOOK("ipv6/conf/lo/disable_ipv6"), "1");
	CHECK_ERR(bind6("::1"), EADDRNOTAVAIL);
	CHECK_ERR(bind6("fd00:77::1"), EADDRNOTAVAIL);
	CHECK_EQ(addr6(nl, RTM_NEWADDR, lo, "fd00:77::1"), -EACCES);
	set(BOOK("ipv6/conf/lo/disable_ipv6"), "0");
	CHECK_OK(bind6("::1"));
	CHECK_ERR(bind6("fd00:77::1"), EADDRNOTAVAIL);
	CHECK_EQ(addr6(nl, RTM_NEWADDR, lo, "fd00:77::1"), 0);
	for (int i = 0; i < 300 && bind6("fd00:77::1"); i++) /* Linux makes sure that it is alone, even on lo */
		usleep(10000);
	CHECK_OK(bind6("fd00:77::1"));
	CHECK_EQ(addr6(nl, RTM_DELADDR, lo, "fd00:77::1"), 0);
}

TEST(all_is_a_switch_for_each)
{
	static const char *const name[] = { "all", "default", "lo" };
	char path[64];

	if (!test_is_root())
		test_skip("needs root");
	for (int on = 1; on >= 0; on--) {
		CHECK(put(BOOK("ipv6/conf/all/forwarding"), on ? "1" : "0") > 0);
		for (int i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), BOOK("ipv6/conf/%s/forwarding"), name[i]);
			CHECK_EQ(number(path), on);
		}
	}
}

static const char *const three[] = { "10.88.0.1", "10.88.0.2", "10.88.0.3" };

static void add_three(int nl, int lo)
{
	for (int i = 0; i < 3; i++)
		CHECK_EQ(nl_addr(nl, RTM_NEWADDR, NLM_F_CREATE, AF_INET, lo, three[i], 24), 0);
}

TEST(secondary_addresses_go_or_rise)
{
	struct nl_route route;
	unsigned flags;
	char *old;
	int nl, lo;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	nl = nl_open(0);
	lo = (int)if_nametoindex("lo");
	old = strdup(test_slurp(BOOK("ipv4/conf/lo/promote_secondaries")));
	set(BOOK("ipv4/conf/lo/promote_secondaries"), "0");
	add_three(nl, lo);
	CHECK(nl_find_addr(nl, AF_INET, three[1], &flags) && flags & IFA_F_SECONDARY);
	CHECK_EQ(nl_addr(nl, RTM_DELADDR, 0, AF_INET, lo, three[0], 24), 0);
	CHECK(!nl_find_addr(nl, AF_INET, three[1], &flags));
	CHECK(!nl_find_addr(nl, AF_INET, three[2], &flags));

	set(BOOK("ipv4/conf/lo/promote_secondaries"), "1");
	add_three(nl, lo);
	CHECK_EQ(nl_addr(nl, RTM_DELADDR, 0, AF_INET, lo, three[0], 24), 0);
	CHECK(nl_find_addr(nl, AF_INET, three[1], &flags) && !(flags & IFA_F_SECONDARY));
	CHECK(nl_find_addr(nl, AF_INET, three[2], &flags) && flags & IFA_F_SECONDARY);
	CHECK(nl_find_route(nl, RT_TABLE_LOCAL, three[2], 32, &route));
	CHECK_EQ(route.source, inet_addr(three[1]));
	CHECK(!nl_find_route(nl, RT_TABLE_LOCAL, three[0], 32, &route));
	CHECK_EQ(nl_addr(nl, RTM_DELADDR, 0, AF_INET, lo, three[1], 24), 0);
	CHECK(nl_find_addr(nl, AF_INET, three[2], &flags) && !(flags & IFA_F_SECONDARY));
	CHECK_EQ(nl_addr(nl, RTM_DELADDR, 0, AF_INET, lo, three[2], 24), 0);
	CHECK(put(BOOK("ipv4/conf/lo/promote_secondaries"), old) > 0);
}

static int proxy(int fd, int type, int family, int index, const char *ip, int flags)
{
	struct nl_request r;
	struct ndmsg *m = nl_begin(&r, type, type == RTM_NEWNEIGH ? NLM_F_CREATE : 0, sizeof(*m));
	unsigned char addr[16];

	m->ndm_family = (uint8_t)family;
	m->ndm_ifindex = index;
	m->ndm_flags = (uint8_t)(NTF_PROXY | flags);
	CHECK_EQ(inet_pton(family, ip, addr), 1);
	nl_put(&r, NDA_DST, addr, family == AF_INET ? 4 : 16);
	return nl_do(fd, &r);
}

/* How many proxies of a family there are; the flags of the last one. */
static int proxies(int family, int *flags)
{
	struct nl_request r;
	struct ndmsg *m = nl_begin(&r, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*m));
	int fd = nl_open(0), found = 0;
	char buf[8192];
	ssize_t n;

	m->ndm_family = (uint8_t)family;
	m->ndm_flags = NTF_PROXY;
	CHECK_EQ(send(fd, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	for (;;) {
		CHECK((n = recv(fd, buf, sizeof(buf), 0)) > 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE) {
				close(fd);
				return found;
			}
			CHECK_EQ(h->nlmsg_type, RTM_NEWNEIGH);
			m = NLMSG_DATA(h);
			CHECK_EQ(m->ndm_family, family);
			*flags = m->ndm_flags;
			found++;
		}
	}
}

TEST(proxies_are_listed_apart)
{
	int nl, lo, flags = 0;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	nl = nl_open(0);
	lo = (int)if_nametoindex("lo");
	CHECK_EQ(proxy(nl, RTM_NEWNEIGH, AF_INET, lo, "10.88.1.1", 0), 0);
	CHECK_EQ(proxy(nl, RTM_NEWNEIGH, AF_INET, lo, "10.88.1.1", 0), 0);
	CHECK_EQ(proxy(nl, RTM_NEWNEIGH, AF_INET6, lo, "fd00:88::1", NTF_ROUTER), 0);
	CHECK_EQ(proxies(AF_INET, &flags), 1);
	CHECK_EQ(flags, NTF_PROXY);
	CHECK_EQ(proxies(AF_INET6, &flags), 1);
	CHECK_EQ(flags, NTF_PROXY | NTF_ROUTER);
	CHECK_EQ(proxy(nl, RTM_DELNEIGH, AF_INET, lo, "10.88.1.2", 0), -ENOENT);
	CHECK_EQ(proxy(nl, RTM_DELNEIGH, AF_INET, lo, "10.88.1.1", 0), 0);
	CHECK_EQ(proxy(nl, RTM_DELNEIGH, AF_INET, lo, "10.88.1.1", 0), -ENOENT);
	CHECK_EQ(proxies(AF_INET, &flags), 0);
	CHECK_EQ(proxy(nl, RTM_DELNEIGH, AF_INET6, lo, "fd00:88::1", 0), 0);
	CHECK_EQ(proxies(AF_INET6, &flags), 0);
}

/* One message for each change, with what has changed. */
TEST(listeners_hear_what_is_set)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1u << (RTNLGRP_IPV4_NETCONF - 1) };
	int fd, index = 0, value = -1, lo, n;
	struct nlmsghdr *h;
	struct netconfmsg *m;
	char buf[4096], *old;

	if (!test_is_root())
		test_skip("needs root");
	lo = (int)if_nametoindex("lo");
	CHECK_OK(fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	old = strdup(test_slurp(BOOK("ipv4/conf/lo/rp_filter")));
	set(BOOK("ipv4/conf/lo/rp_filter"), atoi(old) == 2 ? "1" : "2");
	CHECK((n = (int)recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0);
	h = (void *)buf;
	CHECK_EQ(h->nlmsg_type, RTM_NEWNETCONF);
	m = NLMSG_DATA(h);
	CHECK_EQ(m->ncm_family, AF_INET);
	n = (int)(h->nlmsg_len - NLMSG_SPACE(sizeof(*m)));
	for (struct rtattr *t = (void *)((char *)m + NLMSG_ALIGN(sizeof(*m))); RTA_OK(t, n); t = RTA_NEXT(t, n)) {
		if (t->rta_type == NETCONFA_IFINDEX)
			memcpy(&index, RTA_DATA(t), 4);
		else if (t->rta_type == NETCONFA_RP_FILTER)
			memcpy(&value, RTA_DATA(t), 4);
		else
			FAIL("attribute %d", t->rta_type);
	}
	CHECK_EQ(index, lo);
	CHECK_EQ(value, atoi(old) == 2 ? 1 : 2);
	CHECK(put(BOOK("ipv4/conf/lo/rp_filter"), old) > 0);
}
