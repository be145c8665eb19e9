/*
 * AF_INET and AF_INET6: which protocol makes a socket, and the order in which the parts begin.
 *
 * Source: ip(7), ipv6(7), socket(2).
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "net/inet/inet_priv.h"
#include "net/inet/mcast.h"
#include "net/inet/neighbour.h"
#include "net/inet/rtnl.h"
#include "net/inet/sock.h"

static int create(int family, int type, int protocol, struct socket **out)
{
	if (protocol < 0 || protocol >= IPPROTO_MAX)
		return -EINVAL;
	switch (type) {
	case SOCK_STREAM:
		if (protocol == IPPROTO_IP || protocol == IPPROTO_TCP)
			return tcp_create(family, out);
		return -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		if (protocol == IPPROTO_IP || protocol == IPPROTO_UDP ||
		    protocol == IPPROTO_UDPLITE)
			return udp_create(family, protocol, out);
		if (protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			return ping_create(family, out);
		return -EPROTONOSUPPORT;
	case SOCK_RAW:
		return raw_create(family, protocol, out);
	}
	return -ESOCKTNOSUPPORT;
}

static int create4(int type, int protocol, struct socket **out)
{
	return create(AF_INET, type, protocol, out);
}

static int create6(int type, int protocol, struct socket **out)
{
	return create(AF_INET6, type, protocol, out);
}

void inet_init(void)
{
	static struct net_family v4 = { .family = AF_INET, .create = create4 };
	static struct net_family v6 = { .family = AF_INET6, .create = create6 };

	fib_init();
	autoconf_init();
	ifaddr_init();
	inet_rtnl_init();
	inet_ioctl_init();
	neighbour_init();
	proxy_init();
	ip_input_init();
	icmp_init();
	mcast_init();
	udp_init();
	raw_init();
	ping_init();
	tcp_init();
	net_family_register(&v4);
	net_family_register(&v6);
}
