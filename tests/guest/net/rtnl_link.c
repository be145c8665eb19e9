/* Links by netlink: what is asked for and made. Source: rtnetlink(7), ip-link(8). */

#include "inet_test.h"
#include "rtnl_test.h"

#include <linux/if_addrlabel.h>
#include <linux/netconf.h>
#include <linux/packet_diag.h>
#include <linux/pkt_sched.h>
#include <linux/sock_diag.h>
#include <netpacket/packet.h>

TEST(a_link_that_is_not_there_is_not_a_missing_feature)
{
	int fd = nl_open(0);
	struct nl_request r;

	if (!test_is_root())
		test_skip("needs root");
	(void)nl_begin(&r, RTM_NEWLINK, 0, sizeof(struct ifinfomsg)); /* how ip(8) asks whether there is netlink */
	CHECK_EQ(nl_do(fd, &r), -ENODEV);
	CHECK_EQ(nl_link(fd, RTM_NEWLINK, 0, "nowhere0", NULL), -ENODEV);
	CHECK_EQ(nl_link(fd, RTM_NEWLINK, NLM_F_CREATE, "nowhere0", "no-such-kind"), -EOPNOTSUPP);
	CHECK_EQ(nl_link(fd, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "lo", NULL), -EEXIST);
	CHECK_EQ(nl_link(fd, RTM_DELLINK, 0, "nowhere0", NULL), -ENODEV);
	CHECK_EQ(nl_link(fd, RTM_DELLINK, 0, "lo", NULL), -EOPNOTSUPP);
	(void)nl_begin(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	CHECK_EQ(nl_do(fd, &r), -EINVAL);
	(void)nl_begin(&r, RTM_SETLINK, 0, sizeof(struct ifinfomsg));
	CHECK_EQ(nl_do(fd, &r), -EINVAL);
	close(fd);
}

struct seen {
	int index;
	unsigned group;
	char alias[64], kind[16];
};

static bool is_seen(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	struct seen *s = arg;
	int n = (int)IFLA_PAYLOAD(h);

	if (m->ifi_index != s->index)
		return false;
	for (struct rtattr *a = IFLA_RTA(m); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
		if (a->rta_type == IFLA_GROUP)
			memcpy(&s->group, RTA_DATA(a), 4);
		else if (a->rta_type == IFLA_IFALIAS)
			memcpy(s->alias, RTA_DATA(a), RTA_PAYLOAD(a));
		else if (a->rta_type == IFLA_LINKINFO)
			memcpy(s->kind, RTA_DATA(RTA_DATA(a)), RTA_PAYLOAD((struct rtattr *)RTA_DATA(a)));
	}
	return true;
}

TEST(a_dummy_link_is_made_named_and_removed)
{
	int fd = nl_open(0), events = nl_open(RTMGRP_LINK), index;
	struct seen s = { 0 };
	struct nl_route way;
	struct nl_request r;
	struct ifinfomsg *m;

	if (!test_is_root() || !(index = nl_dummy(fd, "dm0")))
		test_skip("needs root and dummy links");
	s.index = index;
	CHECK_EQ(nl_event(events, &way), RTM_NEWLINK);
	CHECK_EQ(nl_link(fd, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "dm0", "dummy"), -EEXIST);
	m = nl_begin(&r, RTM_NEWLINK, 0, sizeof(*m));
	m->ifi_index = index;
	nl_put_u32(&r, IFLA_GROUP, 17);
	nl_put(&r, IFLA_IFALIAS, "nothing here", 12);
	CHECK_EQ(nl_do(fd, &r), 0);
	CHECK(nl_dump(fd, RTM_GETLINK, AF_UNSPEC, is_seen, &s));
	CHECK_EQ(s.group, 17);
	CHECK(strcmp(s.alias, "nothing here") == 0 && strncmp(s.kind, "dummy", 5) == 0);

	/* What goes through it goes nowhere; what is its own goes with it. */
	CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE, AF_INET, index, "10.88.0.1", 24), 0);
	CHECK_EQ(nl_route(fd, RTM_NEWROUTE, NLM_F_CREATE, "10.89.0.0", 16, RTN_UNICAST, 254, 0, index), 0);
	CHECK_EQ(nl_get(fd, "10.89.1.1", &way), 0);
	CHECK_EQ(way.oif, index);
	CHECK_EQ(nl_link(fd, RTM_DELLINK, 0, "dm0", NULL), 0);
	CHECK_EQ(if_nametoindex("dm0"), 0);
	CHECK(!nl_find_route(fd, 254, "10.89.0.0", 16, &way));
	CHECK(!nl_find_route(fd, 255, "10.88.0.1", 32, &way));
	while (nl_event(events, &way) != RTM_DELLINK)
		;
	close(events);
	close(fd);
}

TEST(dummy_links_come_and_go_with_sockets_bound_to_them)
{
	int fd = nl_open(0), index, packets, groups;
	char byte;

	if (!test_is_root() || !(index = nl_dummy(fd, "dm0")))
		test_skip("needs root and dummy links");
	CHECK_EQ(nl_link(fd, RTM_DELLINK, 0, "dm0", NULL), 0);
	for (int i = 0; i < 20; i++) {
		struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(3) };
		struct ip_mreqn q = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3") };
		int again = nl_dummy(fd, "dm0");

		CHECK(again > index);
		index = a.sll_ifindex = q.imr_ifindex = again;
		CHECK_EQ(nl_addr(fd, RTM_NEWADDR, NLM_F_CREATE, AF_INET, index, "10.88.0.1", 24), 0);
		CHECK_OK(packets = socket(AF_PACKET, SOCK_RAW, 0));
		CHECK_OK(bind(packets, (void *)&a, sizeof(a)));
		CHECK_OK(groups = socket(AF_INET, SOCK_DGRAM, 0));
		CHECK_OK(setsockopt(groups, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof(q)));
		CHECK_EQ(nl_link(fd, RTM_DELLINK, 0, "dm0", NULL), 0);
		CHECK_EQ(recv(packets, &byte, 1, MSG_DONTWAIT), -1);
		CHECK_EQ(errno, ENETDOWN);
		close(groups);
		close(packets);
	}
	close(fd);
}

struct found {
	int index;
	unsigned n;
	char kind[16];
	uint32_t forwarding, label;
};

static bool is_qdisc(const struct nlmsghdr *h, void *arg)
{
	const struct tcmsg *m = NLMSG_DATA(h);
	const struct rtattr *a = (const void *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
	struct found *f = arg;

	CHECK_EQ(h->nlmsg_type, RTM_NEWQDISC);
	if (m->tcm_ifindex != f->index)
		return false;
	CHECK_EQ(m->tcm_parent, TC_H_ROOT);
	CHECK_EQ(a->rta_type, TCA_KIND);
	memcpy(f->kind, RTA_DATA(a), RTA_PAYLOAD(a) < 16 ? RTA_PAYLOAD(a) : 15);
	return true;
}

static bool is_conf(const struct nlmsghdr *h, void *arg)
{
	int n = (int)(h->nlmsg_len - NLMSG_SPACE(sizeof(struct netconfmsg))), index = 0;
	struct found *f = arg;
	uint32_t forwarding = 77;

	CHECK_EQ(h->nlmsg_type, RTM_NEWNETCONF);
	for (struct rtattr *a = (void *)((char *)h + NLMSG_SPACE(sizeof(struct netconfmsg))); RTA_OK(a, n);
	     a = RTA_NEXT(a, n)) {
		if (a->rta_type == NETCONFA_IFINDEX)
			memcpy(&index, RTA_DATA(a), 4);
		if (a->rta_type == NETCONFA_FORWARDING)
			memcpy(&forwarding, RTA_DATA(a), 4);
	}
	f->n++;
	if (index != f->index)
		return false;
	f->forwarding = forwarding;
	return true;
}

static bool is_label(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrlblmsg *m = NLMSG_DATA(h);
	struct found *f = arg;
	int n = (int)(h->nlmsg_len - NLMSG_SPACE(sizeof(*m)));

	CHECK_EQ(h->nlmsg_type, RTM_NEWADDRLABEL);
	f->n++;
	if (m->ifal_prefixlen != 28) /* 2001:10::/28 */
		return false;
	for (struct rtattr *a = (void *)((char *)h + NLMSG_SPACE(sizeof(*m))); RTA_OK(a, n); a = RTA_NEXT(a, n))
		if (a->rta_type == IFAL_LABEL)
			memcpy(&f->label, RTA_DATA(a), 4);
	return true;
}

TEST(what_is_set_for_devices_and_addresses_is_told)
{
	int fd = nl_open(0), lo = (int)if_nametoindex("lo");
	struct found f = { .index = lo };

	if (!test_is_root())
		test_skip("needs root");
	nl_link_up(fd, lo);
	CHECK(nl_dump_by(fd, RTM_GETQDISC, AF_UNSPEC, sizeof(struct tcmsg), is_qdisc, &f));
	CHECK(strcmp(f.kind, "noqueue") == 0);
	f.index = NETCONFA_IFINDEX_ALL;
	CHECK(nl_dump(fd, RTM_GETNETCONF, AF_INET, is_conf, &f));
	CHECK(f.forwarding <= 1);
	CHECK(f.n >= 2);
	f.index = NETCONFA_IFINDEX_DEFAULT;
	CHECK(nl_dump(fd, RTM_GETNETCONF, AF_INET6, is_conf, &f));
	f.n = 0;
	CHECK(nl_dump(fd, RTM_GETADDRLABEL, AF_INET6, is_label, &f));
	CHECK_EQ(f.label, 7);
	CHECK(f.n >= 5);
	close(fd);
}

TEST(packet_sockets_are_listed)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), packets;
	struct {
		struct nlmsghdr h;
		struct packet_diag_req r;
	} q = { .h = { sizeof(q), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 5, 0 },
		.r = { .sdiag_family = AF_PACKET, .pdiag_show = PACKET_SHOW_INFO } };
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1 };
	bool found = false, done = false;
	char buf[16384];
	ssize_t n;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(fd);
	CHECK_OK(packets = socket(AF_PACKET, SOCK_DGRAM, 0));
	CHECK_OK(bind(packets, (void *)&a, sizeof(a)));
	CHECK_EQ(send(fd, &q, sizeof(q), 0), sizeof(q));
	while (!done) {
		struct nlmsghdr *h = (void *)buf;

		CHECK((n = recv(fd, buf, sizeof(buf), 0)) > 0);
		for (; NLMSG_OK(h, n) && !done; h = NLMSG_NEXT(h, n)) {
			const struct packet_diag_msg *m = NLMSG_DATA(h);
			struct rtattr *at = (void *)((char *)h + NLMSG_SPACE(sizeof(*m)));
			int left = (int)(h->nlmsg_len - NLMSG_SPACE(sizeof(*m)));

			if (h->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(h))->error == -ENOENT)
				test_skip("this kernel's packet_diag is a module");
			if ((done = h->nlmsg_type == NLMSG_DONE))
				break;
			CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
			if (m->pdiag_num != 0x88b5)
				continue;
			CHECK_EQ(m->pdiag_type, SOCK_DGRAM);
			for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
				if (at->rta_type == PACKET_DIAG_INFO)
					found = ((struct packet_diag_info *)RTA_DATA(at))->pdi_index == 1;
		}
	}
	CHECK(found);
	q.r.sdiag_protocol = 3;
	CHECK_EQ(send(fd, &q, sizeof(q), 0), sizeof(q));
	CHECK((n = recv(fd, buf, sizeof(buf), 0)) > 0);
	CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)buf))->error, -EINVAL);
	close(packets);
	close(fd);
}

/* A connection to one's own link-local address: the listener is bound to the link, through lo though it all goes. */
TEST_TIMED(a_machine_reaches_itself_on_its_link, 40)
{
	int fd = nl_open(0), index, listener = socket(AF_INET6, SOCK_STREAM, 0), c, s;
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, from;
	socklen_t len = sizeof(a);
	struct nl_request r;
	struct ifaddrmsg *m;
	char b[4];

	if (!test_is_root() || !(index = nl_dummy(fd, "dm0")))
		test_skip("needs root and dummy links");
	a.sin6_scope_id = (unsigned)index;
	CHECK_EQ(inet_pton(AF_INET6, "fe80::77", &a.sin6_addr), 1);
	m = nl_begin(&r, RTM_NEWADDR, NLM_F_CREATE, sizeof(*m));
	m->ifa_family = AF_INET6;
	m->ifa_prefixlen = 64;
	m->ifa_index = (unsigned)index;
	nl_put(&r, IFA_LOCAL, &a.sin6_addr, 16);
	CHECK_EQ(nl_do(fd, &r), 0);
	for (int i = 0; bind(listener, (void *)&a, len) && i < 50; i++)
		usleep(100000); /* until nobody else has claimed the address */
	CHECK_OK(listen(listener, 1));
	CHECK_OK(getsockname(listener, (void *)&a, &len));
	CHECK_OK(c = socket(AF_INET6, SOCK_STREAM, 0));
	CHECK_OK(connect(c, (void *)&a, len));
	CHECK_OK(s = accept(listener, (void *)&from, &len));
	CHECK_EQ(from.sin6_scope_id, index);
	CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_EQ(read(s, b, 4), 3);
	CHECK_OK(close(s));
	CHECK_EQ(read(c, b, 4), 0);
	CHECK_OK(c = socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_OK(s = socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_OK(bind(s, (void *)&a, len));
	CHECK_EQ(sendto(c, "u", 1, 0, (void *)&a, len), 1);
	CHECK_EQ(recvfrom(s, b, 4, 0, (void *)&from, &len), 1);
	CHECK_EQ(from.sin6_scope_id, index);
	CHECK_EQ(nl_link(fd, RTM_DELLINK, 0, "dm0", NULL), 0);
}
