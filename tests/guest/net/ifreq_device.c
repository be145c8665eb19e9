/* Devices, addresses and routes by ioctl: netdevice(7). */

#include "net_test.h"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>

static struct ifreq request(const char *name)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, name);
	return r;
}

static void put_ip(struct sockaddr *a, const char *ip)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(ip) };

	memcpy(a, &in, sizeof(in));
}

static uint32_t get_ip(const struct sockaddr *a)
{
	struct sockaddr_in in;

	memcpy(&in, a, sizeof(in));
	CHECK_EQ(in.sin_family, AF_INET);
	return in.sin_addr.s_addr;
}

static int opened(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = request("lo");

	CHECK_OK(fd);
	if (!test_is_root())
		test_skip("needs CAP_NET_ADMIN");
	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	return fd;
}

TEST(names_and_numbers)
{
	int fd = opened();
	struct ifreq r = request("lo");

	CHECK_OK(ioctl(fd, SIOCGIFINDEX, &r));
	CHECK_EQ(r.ifr_ifindex, 1);
	memset(r.ifr_name, 'x', sizeof(r.ifr_name));
	CHECK_OK(ioctl(fd, SIOCGIFNAME, &r));
	CHECK_STR(r.ifr_name, "lo");
	r.ifr_ifindex = 12345;
	CHECK_ERR(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
	r = request("nosuch0");
	CHECK_ERR(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFMTU, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), ENODEV);
	CHECK_ERR(ioctl(fd, SIOCGIFMTU, NULL), EFAULT);
}

TEST(any_family_asks_for_devices)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct ifreq r = request("lo");

	CHECK_OK(ioctl(fd, SIOCGIFINDEX, &r));
	CHECK_EQ(r.ifr_ifindex, 1);
	CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), ENOTTY);
}

TEST(what_lo_is)
{
	int fd = opened();
	struct ifreq r = request("lo");

	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	CHECK_EQ(r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	CHECK_OK(ioctl(fd, SIOCGIFMTU, &r));
	CHECK_EQ(r.ifr_mtu, 65536);
	CHECK_OK(ioctl(fd, SIOCGIFHWADDR, &r));
	CHECK_EQ(r.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	CHECK_OK(ioctl(fd, SIOCGIFMETRIC, &r));
	CHECK_EQ(r.ifr_metric, 0);
	CHECK_OK(ioctl(fd, SIOCGIFADDR, &r));
	CHECK_EQ(get_ip(&r.ifr_addr), htonl(INADDR_LOOPBACK));
	CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &r));
	CHECK_EQ(get_ip(&r.ifr_netmask), inet_addr("255.0.0.0"));
	CHECK_ERR(ioctl(fd, SIOCGIFSLAVE, &r), EINVAL);
}

TEST(addresses_with_labels)
{
	int fd = opened();
	struct ifreq r = request("lo:7");

	CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), EADDRNOTAVAIL);
	put_ip(&r.ifr_addr, "172.16.5.1");
	CHECK_OK(ioctl(fd, SIOCSIFADDR, &r));
	CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &r));
	CHECK_EQ(get_ip(&r.ifr_netmask), inet_addr("255.255.0.0")); /* of its class */
	put_ip(&r.ifr_netmask, "255.255.255.0");
	CHECK_OK(ioctl(fd, SIOCSIFNETMASK, &r));
	CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &r));
	CHECK_EQ(get_ip(&r.ifr_netmask), inet_addr("255.255.255.0"));
	put_ip(&r.ifr_netmask, "255.0.255.0");
	CHECK_ERR(ioctl(fd, SIOCSIFNETMASK, &r), EINVAL);
	CHECK_OK(ioctl(fd, SIOCGIFADDR, &r));
	CHECK_EQ(get_ip(&r.ifr_addr), inet_addr("172.16.5.1"));
	/* Taking the alias down removes its address, and nothing else. */
	CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags &= (short)~IFF_UP;
	CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), EADDRNOTAVAIL);
	r = request("lo");
	CHECK_OK(ioctl(fd, SIOCGIFADDR, &r));
	CHECK_EQ(get_ip(&r.ifr_addr), htonl(INADDR_LOOPBACK));
}

TEST(list_of_addresses)
{
	int fd = opened(), n;
	struct ifreq all[16];
	struct ifconf c = { .ifc_len = 0, .ifc_req = NULL };

	CHECK_OK(ioctl(fd, SIOCGIFCONF, &c));
	n = c.ifc_len;
	CHECK(n >= (int)sizeof(all[0]));
	CHECK_EQ(n % (int)sizeof(all[0]), 0);
	c.ifc_len = sizeof(all);
	c.ifc_req = all;
	CHECK_OK(ioctl(fd, SIOCGIFCONF, &c));
	CHECK_EQ(c.ifc_len, n);
	CHECK_STR(all[0].ifr_name, "lo");
	CHECK_EQ(get_ip(&all[0].ifr_addr), htonl(INADDR_LOOPBACK));
	c.ifc_len = sizeof(all[0]) - 1; /* no room for one */
	CHECK_OK(ioctl(fd, SIOCGIFCONF, &c));
	CHECK_EQ(c.ifc_len, 0);
}

static struct rtentry route(const char *dst, const char *mask, int flags)
{
	struct rtentry e;

	memset(&e, 0, sizeof(e));
	put_ip(&e.rt_dst, dst);
	put_ip(&e.rt_genmask, mask);
	e.rt_flags = (unsigned short)flags;
	return e;
}

TEST(routes)
{
	int fd = opened();
	struct rtentry e = route("10.90.0.0", "255.255.0.0", RTF_UP);

	e.rt_dev = (char *)"lo";
	CHECK_OK(ioctl(fd, SIOCADDRT, &e));
	CHECK_ERR(ioctl(fd, SIOCADDRT, &e), EEXIST);
	CHECK_OK(ioctl(fd, SIOCDELRT, &e));
	CHECK_ERR(ioctl(fd, SIOCDELRT, &e), ESRCH);
	e.rt_dev = (char *)"nosuch0";
	CHECK_ERR(ioctl(fd, SIOCADDRT, &e), ENODEV);
	e = route("10.90.1.0", "255.255.0.0", RTF_UP);
	e.rt_dev = (char *)"lo";
	CHECK_ERR(ioctl(fd, SIOCADDRT, &e), EINVAL); /* bits beyond the mask */
	e = route("10.91.0.0", "255.255.0.0", RTF_UP | RTF_GATEWAY);
	put_ip(&e.rt_gateway, "10.99.99.99");
	CHECK_ERR(ioctl(fd, SIOCADDRT, &e), ENETUNREACH);
}

TEST(changes_need_privilege)
{
	int fd = opened();
	struct ifreq r = request("lo");
	struct rtentry e = route("10.90.0.0", "255.255.0.0", RTF_UP);

	CHECK_OK(setuid(65534));
	CHECK_OK(ioctl(fd, SIOCGIFMTU, &r));
	CHECK_ERR(ioctl(fd, SIOCSIFMTU, &r), EPERM);
	CHECK_ERR(ioctl(fd, SIOCSIFFLAGS, &r), EPERM);
	put_ip(&r.ifr_addr, "127.0.0.5");
	CHECK_ERR(ioctl(fd, SIOCSIFADDR, &r), EPERM);
	CHECK_ERR(ioctl(fd, SIOCADDRT, &e), EPERM);
}

TEST(ethtool_link)
{
	int fd = opened();
	struct ifreq r = request("lo");
	struct ethtool_value v = { .cmd = ETHTOOL_GLINK };

	r.ifr_data = (void *)&v;
	CHECK_OK(ioctl(fd, SIOCETHTOOL, &r));
	CHECK_EQ(v.data, 1);
	v.cmd = 0xdeadbeef;
	CHECK_ERR(ioctl(fd, SIOCETHTOOL, &r), EOPNOTSUPP);
}
