#pragma once

/* callgen.c's calls on sockets: every family, addresses that meet one another, options, control messages, requests of netlink. */

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/un.h>

union some_address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_nl nl;
	struct sockaddr_ll ll;
};

static void make_socket(void)
{
	static const struct {
		int family, type, protocol;
	} kind[] = {
		{ AF_UNIX, SOCK_STREAM, 0 },
		{ AF_UNIX, SOCK_DGRAM, 0 },
		{ AF_UNIX, SOCK_SEQPACKET, 0 },
		{ AF_INET, SOCK_STREAM, 0 },
		{ AF_INET, SOCK_STREAM, 0 },
		{ AF_INET, SOCK_DGRAM, 0 },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP },
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP },
		{ AF_INET, SOCK_RAW, IPPROTO_RAW },
		{ AF_INET, SOCK_RAW, 250 },
		{ AF_INET6, SOCK_STREAM, 0 },
		{ AF_INET6, SOCK_DGRAM, 0 },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
		{ AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
		{ AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
		{ AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT },
		{ AF_NETLINK, SOCK_RAW, NETLINK_GENERIC },
		{ AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG },
		{ AF_PACKET, SOCK_RAW, 0x300 /* htons(ETH_P_ALL) */ },
		{ AF_PACKET, SOCK_DGRAM, 0x008 /* htons(ETH_P_IP) */ },
	};
	uint32_t i = rnd(sizeof(kind) / sizeof(*kind));
	int p[2];

	if (kind[i].family == AF_UNIX && one_in(2)) {
		if (socketpair(AF_UNIX, kind[i].type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p) == 0)
			keep(p[0]), keep(p[1]);
		return;
	}
	keep(socket(kind[i].family, kind[i].type | SOCK_NONBLOCK | SOCK_CLOEXEC, kind[i].protocol));
}

/* One of few, so that sockets find each other; mostly of the socket's own family. */
static socklen_t make_address(int fd, union some_address *a)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
	in_port_t port = htons((uint16_t)(one_in(8) ? 0 : 20000 + rnd(4)));
	socklen_t len = sizeof(int);
	int family = 0;

	memset(a, 0, sizeof(*a));
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) || one_in(30))
		family = families[rnd(5)];
	a->any.sa_family = (sa_family_t)family;
	switch (family) {
	case AF_UNIX:
		if (one_in(3))
			return (socklen_t)sizeof(sa_family_t) + (socklen_t)snprintf(a->un.sun_path + 1, 20, "cg%u", rnd(4)) + 1;
		snprintf(a->un.sun_path, 20, "%s", some_name());
		return sizeof(a->un);
	case AF_INET:
		a->in.sin_addr.s_addr = htonl(one_in(4) ? INADDR_ANY : one_in(8) ? 0xe0000005 : INADDR_LOOPBACK);
		a->in.sin_port = port;
		return sizeof(a->in);
	case AF_INET6:
		a->in6.sin6_addr = one_in(4) ? in6addr_any : in6addr_loopback;
		if (one_in(6))
			inet_pton(AF_INET6, "::ffff:127.0.0.1", &a->in6.sin6_addr);
		a->in6.sin6_port = port;
		return sizeof(a->in6);
	case AF_NETLINK:
		a->nl.nl_groups = one_in(3) ? rnd(0x800) : 0;
		return sizeof(a->nl);
	default:
		a->ll.sll_protocol = htons(one_in(2) ? ETH_P_ALL : ETH_P_IP);
		a->ll.sll_ifindex = (int)rnd(3);
		a->ll.sll_halen = 6;
		return sizeof(a->ll);
	}
}

static void name_a_socket(void)
{
	union some_address a;
	int fd = some_fd();
	socklen_t len = make_address(fd, &a);

	switch (rnd(9)) {
	case 0:
	case 1: bind(fd, &a.any, len); break;
	case 2:
	case 3: connect(fd, &a.any, len); break;
	case 4: listen(fd, (int)rnd(4)); break;
	case 5: len = sizeof(a); keep(accept4(fd, &a.any, &len, SOCK_NONBLOCK)); break;
	case 6: len = sizeof(a); getsockname(fd, &a.any, &len); break;
	case 7: len = sizeof(a); getpeername(fd, &a.any, &len); break;
	default: shutdown(fd, (int)rnd(3)); break;
	}
}

/* A control message that somebody understands; returns its length. */
static size_t make_control(struct cmsghdr *c)
{
	struct ucred me = { getpid(), getuid(), getgid() };
	struct in_pktinfo in = { .ipi_ifindex = (int)rnd(2) };
	int value = (int)rnd(256), fds[3] = { some_fd(), some_fd(), some_fd() };
	uint16_t segment = (uint16_t)(1 + rnd(1500));
	const void *data = &value;
	size_t n = sizeof(value);

	c->cmsg_level = SOL_SOCKET;
	switch (rnd(7)) {
	case 0:
	case 1: c->cmsg_type = SCM_RIGHTS, data = fds, n = 4 * (1 + rnd(3)); break;
	case 2: c->cmsg_type = SCM_CREDENTIALS, data = &me, n = sizeof(me); break;
	case 3: c->cmsg_level = IPPROTO_IP, c->cmsg_type = IP_TTL; break;
	case 4: c->cmsg_level = IPPROTO_IP, c->cmsg_type = IP_PKTINFO, data = &in, n = sizeof(in); break;
	case 5: c->cmsg_level = IPPROTO_IPV6, c->cmsg_type = IPV6_HOPLIMIT; break;
	default: c->cmsg_level = SOL_UDP, c->cmsg_type = 103 /* UDP_SEGMENT */, data = &segment, n = sizeof(segment); break;
	}
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	return CMSG_SPACE(n);
}

static void keep_received(struct msghdr *m)
{
	int fds[32];

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), MIN(n, 32) * sizeof(int));
		for (size_t i = 0; i < n && i < 32; i++)
			keep(fds[i]);
	}
}

static void exchange_messages(void)
{
	static const int send_flags[] = { 0, MSG_OOB, MSG_MORE, MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM };
	static const int receive_flags[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC, MSG_WAITALL };
	union {
		char bytes[256];
		struct cmsghdr c;
	} control = { 0 };
	union some_address a;
	struct iovec iov[3];
	int fd = some_fd();
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = rnd(4) };
	struct mmsghdr many[3];

	for (int i = 0; i < 3; i++)
		iov[i].iov_base = some_memory(&iov[i].iov_len);
	if (one_in(2)) {
		if (one_in(2)) {
			m.msg_name = &a;
			m.msg_namelen = make_address(fd, &a);
		}
		if (one_in(4)) {
			m.msg_control = &control;
			m.msg_controllen = make_control(&control.c);
		}
		int flags = send_flags[rnd(6)] | MSG_DONTWAIT | MSG_NOSIGNAL;
		for (int i = 0; i < 3; i++)
			many[i] = (struct mmsghdr){ .msg_hdr = m };
		switch (rnd(4)) {
		case 0: sendto(fd, iov[0].iov_base, iov[0].iov_len, flags, m.msg_name, m.msg_namelen); break;
		case 1: sendmmsg(fd, many, 1 + rnd(3), flags); break;
		default: sendmsg(fd, &m, flags); break;
		}
		return;
	}
	m.msg_name = &a, m.msg_namelen = sizeof(a);
	m.msg_control = &control, m.msg_controllen = rnd(sizeof(control) + 1);
	int flags = receive_flags[rnd(7)] | MSG_DONTWAIT;
	for (int i = 0; i < 3; i++)
		many[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } };
	switch (rnd(4)) {
	case 0: recvfrom(fd, iov[0].iov_base, iov[0].iov_len, flags, NULL, NULL); break;
	case 1: recvmmsg(fd, many, 1 + rnd(3), flags, NULL); break;
	default:
		if (recvmsg(fd, &m, flags) >= 0)
			keep_received(&m);
	}
}

static void socket_options(void)
{
	static const struct {
		int level, name, most; /* values 0 to `most` */
	} option[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 },     { SOL_SOCKET, SO_REUSEPORT, 1 },	 { SOL_SOCKET, SO_SNDBUF, 1 << 18 },   { SOL_SOCKET, SO_RCVBUF, 1 << 18 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },     { SOL_SOCKET, SO_BROADCAST, 1 },	 { SOL_SOCKET, SO_PASSCRED, 1 },       { SOL_SOCKET, SO_OOBINLINE, 1 },
		{ SOL_SOCKET, SO_TIMESTAMP, 1 },     { SOL_SOCKET, SO_PRIORITY, 7 },	 { SOL_SOCKET, SO_RCVLOWAT, 1 << 16 }, { SOL_SOCKET, SO_MARK, 100 },
		{ SOL_SOCKET, SO_ERROR, 0 },	     { SOL_SOCKET, SO_TYPE, 0 },	 { SOL_SOCKET, SO_PEERCRED, 0 },       { SOL_SOCKET, SO_INCOMING_CPU, 3 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },     { IPPROTO_TCP, TCP_CORK, 1 },	 { IPPROTO_TCP, TCP_MAXSEG, 1460 },    { IPPROTO_TCP, TCP_DEFER_ACCEPT, 3 },
		{ IPPROTO_TCP, TCP_INFO, 0 },	     { IPPROTO_TCP, TCP_QUICKACK, 1 },	 { IPPROTO_TCP, TCP_LINGER2, 2 },      { IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 },
		{ IPPROTO_TCP, TCP_SYNCNT, 6 },	     { IPPROTO_TCP, TCP_KEEPIDLE, 100 }, { IPPROTO_IP, IP_TTL, 255 },	       { IPPROTO_IP, IP_TOS, 255 },
		{ IPPROTO_IP, IP_PKTINFO, 1 },	     { IPPROTO_IP, IP_RECVERR, 1 },	 { IPPROTO_IP, IP_HDRINCL, 1 },	       { IPPROTO_IP, IP_MTU_DISCOVER, 3 },
		{ IPPROTO_IP, IP_MULTICAST_TTL, 9 }, { IPPROTO_IP, IP_FREEBIND, 1 },	 { IPPROTO_IPV6, IPV6_V6ONLY, 1 },     { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255 },
		{ IPPROTO_IPV6, 49, 1 },	     { IPPROTO_IPV6, IPV6_TCLASS, 255 }, { IPPROTO_UDP, UDP_CORK, 1 },	       { IPPROTO_UDP, 103, 1500 },
		{ IPPROTO_UDP, 104, 1 },	     { SOL_PACKET, 8, 1 },		 { SOL_PACKET, 10, 2 },		       { SOL_PACKET, 18, 0xffff },
		{ SOL_NETLINK, 1, 32 },		     { SOL_NETLINK, 2, 32 },		 { SOL_NETLINK, 3, 1 },		       { SOL_NETLINK, 10, 1 },
	};
	uint32_t i = rnd(sizeof(option) / sizeof(*option));
	struct linger linger = { (int)rnd(2), (int)rnd(2) };
	struct timeval soon = { 0, rnd(1000) };
	struct ip_mreqn group = { { htonl(0xe0000005) }, { 0 }, 1 };
	int fd = some_fd(), value = (int)rnd((uint32_t)option[i].most + 1);
	char got[256];
	socklen_t len = rnd(sizeof(got));

	switch (rnd(10)) {
	case 0: setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)); break;
	case 1: setsockopt(fd, SOL_SOCKET, one_in(2) ? SO_RCVTIMEO : SO_SNDTIMEO, &soon, sizeof(soon)); break;
	case 2: setsockopt(fd, IPPROTO_IP, one_in(2) ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &group, sizeof(group)); break;
	case 3:
	case 4:
	case 5: getsockopt(fd, option[i].level, option[i].name, got, &len); break;
	case 6: ioctl(fd, (unsigned long[]){ FIONREAD, SIOCOUTQ, SIOCATMARK }[rnd(3)], got); break;
	default: setsockopt(fd, option[i].level, option[i].name, &value, sizeof(value)); break;
	}
}

enum { ADDRESSES = 8 };

/* 127.1.1.x on lo; -1 or what send(2) says. */
static ssize_t change_address(int fd, uint16_t type, uint32_t x)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg addr;
		struct rtattr attr;
		uint32_t local;
	} m = {
		.h = { .nlmsg_len = sizeof(m), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.addr = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
		.attr = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL },
		.local = htonl(0x7f010100 + x),
	};

	return send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void remove_addresses(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	for (uint32_t i = 0; i < ADDRESSES; i++)
		change_address(fd, RTM_DELADDR, i);
	close(fd);
}

/* Dumps, and an address of lo that comes and goes. */
static void netlink_requests(void)
{
	static const uint16_t dump[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE };
	struct {
		struct nlmsghdr h;
		union {
			struct rtgenmsg gen;
			struct inet_diag_req_v2 diag;
			struct genlmsghdr genl;
		};
	} m = { .h = { .nlmsg_seq = rnd(100), .nlmsg_flags = NLM_F_REQUEST } };

	switch (rnd(4)) {
	case 0:
		change_address(some_fd(), one_in(2) ? RTM_NEWADDR : RTM_DELADDR, rnd(ADDRESSES));
		return;
	case 1:
		m.h.nlmsg_type = SOCK_DIAG_BY_FAMILY;
		m.h.nlmsg_flags |= NLM_F_DUMP;
		m.diag = (struct inet_diag_req_v2){ .sdiag_family = one_in(2) ? AF_INET : AF_INET6, .sdiag_protocol = one_in(2) ? IPPROTO_TCP : IPPROTO_UDP,
						    .idiag_ext = 0xff, .idiag_states = UINT32_MAX };
		m.h.nlmsg_len = NLMSG_LENGTH(sizeof(m.diag));
		break;
	case 2:
		m.h.nlmsg_type = GENL_ID_CTRL;
		m.h.nlmsg_flags |= one_in(2) ? NLM_F_DUMP : NLM_F_ACK;
		m.genl = (struct genlmsghdr){ .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
		m.h.nlmsg_len = NLMSG_LENGTH(sizeof(m.genl));
		break;
	default:
		m.h.nlmsg_type = dump[rnd(5)];
		m.h.nlmsg_flags |= NLM_F_DUMP;
		m.gen.rtgen_family = (unsigned char)(one_in(2) ? AF_UNSPEC : one_in(2) ? AF_INET : AF_INET6);
		m.h.nlmsg_len = NLMSG_LENGTH(sizeof(m.gen));
		break;
	}
	send(some_fd(), &m, m.h.nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void socket_calls(void)
{
	switch (rnd(12)) {
	case 0:
	case 1:
	case 2: make_socket(); break;
	case 3:
	case 4:
	case 5: name_a_socket(); break;
	case 6:
	case 7:
	case 8: exchange_messages(); break;
	case 9:
	case 10: socket_options(); break;
	default: netlink_requests(); break;
	}
}
