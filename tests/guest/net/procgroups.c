/* /proc/net/{igmp,igmp6,dev_mcast,ptype}: what netstat -g and ip maddr read. Source: proc(5), netdevice(7). */

#include "inet_test.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>

/* The line of a file that has all the words; NULL: none. */
static char *line_with(const char *path, const char *one, const char *two)
{
	char *text = test_slurp(path);

	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
		if (strstr(at, one) && (!two || strstr(at, two)))
			return at;
	return NULL;
}

static int member4(const char *group)
{
	struct ip_mreqn m = { .imr_multiaddr.s_addr = inet_addr(group), .imr_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	return fd;
}

TEST(groups_of_ipv4)
{
	int a, b, count, before;
	char *at;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	CHECK(strncmp(test_slurp("/proc/net/igmp"), "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n", 52) == 0);
	CHECK((at = line_with("/proc/net/igmp", "\tlo", NULL)) != NULL);
	CHECK_EQ(sscanf(at, "1\tlo        : %d      V", &before), 1);
	a = member4("239.7.6.5");
	b = member4("239.7.6.5");
	CHECK((at = line_with("/proc/net/igmp", "050607EF", NULL)) != NULL);
	CHECK_EQ(sscanf(at, "\t\t\t\t050607EF %d", &count), 1);
	CHECK_EQ(count, 2);
	CHECK((at = line_with("/proc/net/igmp", "\tlo", NULL)) != NULL);
	CHECK_EQ(sscanf(at, "1\tlo        : %d      V", &count), 1);
	CHECK_EQ(count, before + 1);
	CHECK(line_with("/proc/net/igmp", "010000E0     1 0:00000000\t\t0", NULL));
	close(a);
	close(b);
	CHECK(!line_with("/proc/net/igmp", "050607EF", NULL));
}

TEST(groups_of_ipv6)
{
	struct ipv6_mreq m = { .ipv6mr_interface = if_nametoindex("lo") };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	CHECK_EQ(inet_pton(AF_INET6, "ff05::7654", &m.ipv6mr_multiaddr), 1);
	CHECK(!line_with("/proc/net/igmp6", "ff050000000000000000000000007654", "lo"));
	CHECK_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)));
	CHECK(line_with("/proc/net/igmp6", "1    lo              ff050000000000000000000000007654     1 0000", NULL));
	CHECK(line_with("/proc/net/igmp6", "1    lo              ff020000000000000000000000000001     1 0000000C 0", NULL));
	CHECK(line_with("/proc/net/igmp6", "1    lo              ff010000000000000000000000000001     1 00000008 0", NULL));
	close(fd);
	CHECK(!line_with("/proc/net/igmp6", "ff050000000000000000000000007654", "lo"));
}

TEST(groups_of_the_link)
{
	struct packet_mreq m = { .mr_ifindex = (int)if_nametoindex("eth0"), .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6,
				 .mr_address = { 1, 0x80, 0xc2, 0, 0, 0x33 } };
	struct ifreq r = { .ifr_name = "eth0" };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (!test_is_root() || m.mr_ifindex == 0)
		test_skip("needs root and a network card");
	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	CHECK(line_with("/proc/net/dev_mcast", "eth0            ", " 01005e000001"));
	CHECK(!line_with("/proc/net/dev_mcast", "eth0            ", " 0180c2000033"));
	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	CHECK(line_with("/proc/net/dev_mcast", "eth0            1     0     0180c2000033", NULL));
	close(fd);
	CHECK(!line_with("/proc/net/dev_mcast", "eth0            ", " 0180c2000033"));
}

TEST(who_takes_packets)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5) };
	int all, one;

	if (!test_is_root())
		test_skip("needs root");
	CHECK(line_with("/proc/net/ptype", "0800          ip_rcv", NULL));
	CHECK(!line_with("/proc/net/ptype", "88b5", NULL));
	CHECK_OK(all = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	CHECK_OK(one = socket(AF_PACKET, SOCK_RAW, 0));
	CHECK_OK(bind(one, (void *)&a, sizeof(a)));
	CHECK(line_with("/proc/net/ptype", "ALL           packet_rcv", NULL));
	CHECK(line_with("/proc/net/ptype", "88b5          packet_rcv", NULL));
	close(one);
	close(all);
	CHECK(!line_with("/proc/net/ptype", "88b5", NULL));
}
