/* Options, ancillary data and errors of UDP sockets: ip(7), ipv6(7), udp(7). */

#include "inet_test.h"

#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MTU 65536

struct received {
	char control[512], buf[256];
	struct iovec v;
	struct name from;
	struct msghdr m;
	ssize_t n;
};

static struct received *receive(int fd, int flags)
{
	static struct received r;

	memset(&r, 0, sizeof(r));
	r.v = (struct iovec){ r.buf, sizeof(r.buf) };
	r.m = (struct msghdr){ .msg_name = &r.from, .msg_namelen = sizeof(r.from.all), .msg_iov = &r.v,
			       .msg_iovlen = 1, .msg_control = r.control,
			       .msg_controllen = sizeof(r.control) };
	r.n = recvmsg(fd, &r.m, flags);
	return &r;
}

static void *find(struct received *r, int level, int type, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&r->m); c; c = CMSG_NXTHDR(&r->m, c))
		if (c->cmsg_level == level && c->cmsg_type == type) {
			CHECK_EQ(c->cmsg_len, CMSG_LEN(len));
			return CMSG_DATA(c);
		}
	return NULL;
}

/* Sends with one control message. */
static ssize_t send_with(int fd, struct name to, int level, int type, const void *data, size_t len)
{
	char control[128] = { 0 };
	struct iovec v = { (void *)(uintptr_t)"hello", 5 };
	struct msghdr m = { .msg_name = &to, .msg_namelen = to.len, .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return sendmsg(fd, &m, 0);
}
#define SEND_WITH(fd, to, level, type, value) send_with(fd, to, level, type, &(value), sizeof(value))

TEST(header_fields_are_told)
{
	struct name a;

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	const int names[] = { IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR };
	for (int i = 0; i < 4; i++)
		CHECK_OK(set_int(s, SOL_IP, names[i], 1));
	CHECK_OK(set_int(c, SOL_IP, IP_TTL, 7));
	CHECK_OK(set_int(c, SOL_IP, IP_TOS, 0x28));
	CHECK_EQ(send_at(c, "x", 1, 0, a), 1);
	struct received *r = receive(s, 0);
	CHECK_EQ(r->n, 1);
	struct in_pktinfo *p = find(r, SOL_IP, IP_PKTINFO, sizeof(*p));
	CHECK(p != NULL);
	CHECK_EQ(p->ipi_ifindex, 1);
	CHECK_EQ(ntohl(p->ipi_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(ntohl(p->ipi_spec_dst.s_addr), INADDR_LOOPBACK);
	int *ttl = find(r, SOL_IP, IP_TTL, sizeof(int));
	CHECK_EQ(*ttl, 7);
	CHECK_EQ(*(uint8_t *)find(r, SOL_IP, IP_TOS, 1), 0x28);
	struct sockaddr_in *d = find(r, SOL_IP, IP_ORIGDSTADDR, sizeof(*d));
	CHECK_EQ(ntohs(d->sin_port), port_of(&a));
	/* One message can be different. */
	int v = 99;
	CHECK_EQ(SEND_WITH(c, a, SOL_IP, IP_TTL, v), 5);
	r = receive(s, 0);
	CHECK_EQ(*(int *)find(r, SOL_IP, IP_TTL, 4), 99);
	v = 0;
	CHECK_ERR(SEND_WITH(c, a, SOL_IP, IP_TTL, v), EINVAL);
	CHECK_ERR(SEND_WITH(c, a, SOL_IP, 77, v), EINVAL);
	struct in_pktinfo from = { .ipi_spec_dst.s_addr = htonl(0x7f000009) };
	CHECK_EQ(SEND_WITH(c, a, SOL_IP, IP_PKTINFO, from), 5);
	r = receive(s, 0);
	CHECK_STR(addr_text(&r->from), "127.0.0.9");
	from.ipi_spec_dst.s_addr = htonl(0xc6336407);
	CHECK_ERR(SEND_WITH(c, a, SOL_IP, IP_PKTINFO, from), ENETUNREACH);
}

TEST(header_fields_are_told_6)
{
	struct name a;
	int v;

	lo_up();
	int s = udp_bound("::1", &a), c = socket(AF_INET6, SOCK_DGRAM, 0);
	const int names[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS };
	for (int i = 0; i < 3; i++)
		CHECK_OK(set_int(s, SOL_IPV6, names[i], 1));
	CHECK_OK(set_int(c, SOL_IPV6, IPV6_UNICAST_HOPS, 7));
	CHECK_OK(set_int(c, SOL_IPV6, IPV6_TCLASS, 0x28));
	CHECK_EQ(send_at(c, "x", 1, 0, a), 1);
	struct received *r = receive(s, 0);
	CHECK_EQ(r->n, 1);
	struct in6_pktinfo *p = find(r, SOL_IPV6, IPV6_PKTINFO, sizeof(*p));
	CHECK(p != NULL);
	CHECK_EQ(p->ipi6_ifindex, 1);
	CHECK(IN6_IS_ADDR_LOOPBACK(&p->ipi6_addr));
	CHECK_EQ(*(int *)find(r, SOL_IPV6, IPV6_HOPLIMIT, 4), 7);
	CHECK_EQ(*(int *)find(r, SOL_IPV6, IPV6_TCLASS, 4), 0x28);
	v = 0;
	CHECK_EQ(SEND_WITH(c, a, SOL_IPV6, IPV6_HOPLIMIT, v), 5);
	r = receive(s, 0);
	CHECK_EQ(*(int *)find(r, SOL_IPV6, IPV6_HOPLIMIT, 4), 0);
	v = 256;
	CHECK_ERR(SEND_WITH(c, a, SOL_IPV6, IPV6_HOPLIMIT, v), EINVAL);
}

TEST(mapped_packets_are_told)
{
	struct name a;

	lo_up();
	int s = udp_bound("::", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_OK(set_int(s, SOL_IPV6, IPV6_RECVPKTINFO, 1));
	CHECK_OK(set_int(s, SOL_IPV6, IPV6_RECVHOPLIMIT, 1));
	CHECK_OK(set_int(s, SOL_IP, IP_RECVTTL, 1));
	CHECK_EQ(send_at(c, "x", 1, 0, name4("127.0.0.1", port_of(&a))), 1);
	struct received *r = receive(s, 0);
	struct in6_pktinfo *p = find(r, SOL_IPV6, IPV6_PKTINFO, sizeof(*p));
	CHECK(p != NULL);
	CHECK(IN6_IS_ADDR_V4MAPPED(&p->ipi6_addr));
	CHECK(find(r, SOL_IPV6, IPV6_HOPLIMIT, 4) == NULL);
	CHECK_EQ(*(int *)find(r, SOL_IP, IP_TTL, 4), 64);
}

static void check_error(int fd, int v6, const struct name *to)
{
	struct received *r = receive(fd, MSG_ERRQUEUE);
	struct {
		struct sock_extended_err e;
		union {
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		};
	} *err;

	CHECK_EQ(r->n, 5);
	CHECK(memcmp(r->buf, "hello", 5) == 0);
	CHECK_EQ(r->m.msg_flags, MSG_ERRQUEUE);
	CHECK_EQ(port_of(&r->from), port_of(to));
	CHECK_STR(addr_text(&r->from), addr_text(to));
	err = find(r, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR,
		   sizeof(struct sock_extended_err) +
			   (v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)));
	CHECK(err != NULL);
	CHECK_EQ(err->e.ee_errno, ECONNREFUSED);
	CHECK_EQ(err->e.ee_origin, v6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP);
	CHECK_EQ(err->e.ee_type, v6 ? 1 : ICMP_DEST_UNREACH);
	CHECK_EQ(err->e.ee_code, v6 ? 4 : ICMP_PORT_UNREACH);
	CHECK_EQ(err->in.sin_family, v6 ? AF_INET6 : AF_INET);
	if (!v6)
		CHECK_EQ(ntohl(err->in.sin_addr.s_addr), INADDR_LOOPBACK);
}

TEST(errors_are_queued)
{
	struct name a;
	char buf[16];

	lo_up();
	for (int v6 = 0; v6 < 2; v6++) {
		int s = udp_bound(v6 ? "::1" : "127.0.0.1", &a);
		int c = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

		close(s);
		CHECK_EQ(send_at(c, "hello", 5, 0, a), 5); /* nobody hears of this one */
		CHECK_ERR(recv(c, buf, 16, MSG_DONTWAIT), EAGAIN);
		CHECK_OK(set_int(c, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR, 1));
		CHECK_ERR(recv(c, buf, 16, MSG_ERRQUEUE), EAGAIN);
		CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
		CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLERR | POLLOUT);
		CHECK_ERR(recv(c, buf, 16, MSG_DONTWAIT), ECONNREFUSED);
		CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLERR | POLLOUT);
		check_error(c, v6, &a);
		CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLOUT);
		CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
		CHECK_ERR(send_at(c, "hello", 5, 0, a), ECONNREFUSED);
		CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
		check_error(c, v6, &a);
		check_error(c, v6, &a);
		CHECK_EQ(int_option(c, SO_ERROR), 0);
		CHECK_ERR(recv(c, buf, 16, MSG_ERRQUEUE), EAGAIN);
		close(c);
	}
}

TEST(too_large_is_told)
{
	static char big[65535];
	struct name a;

	lo_up();
	int s = udp_bound("::1", &a), c = socket(AF_INET6, SOCK_DGRAM, 0);
	(void)s;
	CHECK_EQ(send_at(c, big, 65527, 0, a), 65527); /* in fragments */
	CHECK_OK(set_int(c, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO));
	CHECK_ERR(send_at(c, big, 65527, 0, a), EMSGSIZE);
	CHECK_OK(set_int(c, SOL_IPV6, IPV6_RECVERR, 1));
	CHECK_ERR(send_at(c, big, 65527, 0, a), EMSGSIZE);
	struct received *r = receive(c, MSG_ERRQUEUE);
	CHECK_EQ(r->n, 0);
	struct sock_extended_err *e =
		find(r, SOL_IPV6, IPV6_RECVERR, sizeof(*e) + sizeof(struct sockaddr_in6));
	CHECK(e != NULL);
	CHECK_EQ(e->ee_errno, EMSGSIZE);
	CHECK_EQ(e->ee_origin, SO_EE_ORIGIN_LOCAL);
	CHECK_EQ(e->ee_info, MTU);
	CHECK_EQ(send_at(c, big, MTU - 48, 0, a), MTU - 48);
	CHECK_OK(connect(c, &a.a, a.len));
	CHECK_EQ(get_int(c, SOL_IPV6, IPV6_MTU), MTU);
	CHECK_OK(set_int(c, SOL_IPV6, IPV6_MTU, 1280));
	CHECK_ERR(send(c, big, 1280 - 47, 0), EMSGSIZE);
	CHECK_EQ(send(c, big, 1280 - 48, 0), 1280 - 48);
	int four = socket(AF_INET, SOCK_DGRAM, 0), mtu;
	socklen_t n = sizeof(mtu);
	CHECK_ERR(getsockopt(four, SOL_IP, IP_MTU, &mtu, &n), ENOTCONN);
	CHECK_OK(connect_to(four, "127.0.0.1", 9));
	CHECK_EQ(get_int(four, SOL_IP, IP_MTU), 65535);
}

TEST(fragments_of_any_size)
{
	static char out[60000], in[60000];
	struct name a;

	lo_up();
	int s = udp_bound("::1", &a), c = socket(AF_INET6, SOCK_DGRAM, 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i ^ i / 251);
	for (int mtu = 1280; mtu < 65536; mtu += mtu / 2) {
		CHECK_OK(set_int(c, SOL_IPV6, IPV6_MTU, mtu));
		for (int n = 1200; n < 60000; n += 9799) {
			if (n / mtu > 30)
				break;
			CHECK_EQ(send_at(c, out, (size_t)n, 0, a), n);
			CHECK_EQ(recv(s, in, sizeof(in), 0), n);
			CHECK(memcmp(in, out, (size_t)n) == 0);
		}
	}
}

TEST(corked)
{
	struct name a, b;
	char buf[64];

	lo_up();
	int s = udp_bound("127.0.0.1", &a), t = udp_bound("127.0.0.1", &b);
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(send_at(c, "one ", 4, MSG_MORE, a), 4);
	CHECK_EQ(send_at(c, "two ", 4, MSG_MORE, b), 4); /* goes to a, too */
	CHECK_ERR(recv(s, buf, 64, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send_at(c, "three", 5, 0, b), 5);
	CHECK_EQ(recv(s, buf, 64, 0), 13);
	CHECK(memcmp(buf, "one two three", 13) == 0);
	CHECK_ERR(recv(t, buf, 64, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(connect(c, &b.a, b.len));
	CHECK_OK(set_int(c, SOL_UDP, UDP_CORK, 1));
	for (int i = 0; i < 10; i++)
		CHECK_EQ(write(c, "abc", 3), 3);
	CHECK_ERR(recv(t, buf, 64, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(set_int(c, SOL_UDP, UDP_CORK, 0));
	CHECK_EQ(recv(t, buf, 64, 0), 30);
	CHECK_EQ(memcmp(buf, "abcabcabc", 9), 0);
}

TEST(one_call_many_datagrams)
{
	static char out[10000], in[2000];
	struct name a;
	uint16_t size = 1000;

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i / 10);
	CHECK_OK(set_int(c, SOL_UDP, UDP_SEGMENT, 1400));
	CHECK_EQ(get_int(c, SOL_UDP, UDP_SEGMENT), 1400);
	CHECK_EQ(send_at(c, out, 3000, 0, a), 3000);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 1400);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 1400);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 200);
	CHECK(memcmp(in, out + 2800, 200) == 0);
	CHECK_OK(set_int(c, SOL_UDP, UDP_SEGMENT, 0));
	size = 2;
	CHECK_EQ(SEND_WITH(c, a, SOL_UDP, UDP_SEGMENT, size), 5);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 2);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 2);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 1);
	CHECK_OK(set_int(c, SOL_UDP, UDP_SEGMENT, 10));
	CHECK_ERR(send_at(c, out, 10000, 0, a), EINVAL);
}

TEST(option_values)
{
	static const struct {
		int level, name, first, set, bad, err;
	} t[] = {
		{ SOL_IP, IP_TTL, 64, 33, 0, EINVAL },
		{ SOL_IP, IP_TTL, 64, 255, 256, EINVAL },
		{ SOL_IP, IP_MULTICAST_TTL, 1, 0, 256, EINVAL },
		{ SOL_IP, IP_MULTICAST_LOOP, 1, 0, 0, 0 },
		{ SOL_IPV6, 29 /* IPV6_MULTICAST_ALL */, 1, 0, 0, 0 },
		{ SOL_IP, IP_TOS, 0, 16, 0, 0 },
		{ SOL_IP, IP_PKTINFO, 0, 1, 0, 0 },
		{ SOL_IP, IP_RECVERR, 0, 1, 0, 0 },
		{ SOL_IP, IP_FREEBIND, 0, 1, 0, 0 },
		{ SOL_IP, IP_TRANSPARENT, 0, 1, 0, 0 },
		{ SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT, IP_PMTUDISC_OMIT, 6, EINVAL },
		{ SOL_IP, IP_MINTTL, 0, 200, 256, EINVAL },
		{ SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0, 1, 0, 0 },
		{ SOL_IPV6, IPV6_V6ONLY, 0, 1, 0, 0 },
		{ SOL_IPV6, IPV6_UNICAST_HOPS, 64, 0, 256, EINVAL },
		{ SOL_IPV6, IPV6_MULTICAST_HOPS, 1, 5, 256, EINVAL },
		{ SOL_IPV6, IPV6_MULTICAST_LOOP, 1, 0, 2, EINVAL },
		{ SOL_IPV6, IPV6_TCLASS, 0, 7, 256, EINVAL },
		{ SOL_IPV6, IPV6_RECVERR, 0, 1, 0, 0 },
		{ SOL_IPV6, IPV6_DONTFRAG, 0, 1, 0, 0 },
		{ SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT, IPV6_PMTUDISC_DO, 6, EINVAL },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int fd = socket(AF_INET6, SOCK_DGRAM, 0);

		if (get_int(fd, t[i].level, t[i].name) != t[i].first)
			FAIL("%d %d is first %d", t[i].level, t[i].name,
			     get_int(fd, t[i].level, t[i].name));
		if (set_int(fd, t[i].level, t[i].name, t[i].set))
			FAIL("%d %d: %s", t[i].level, t[i].name, strerror(errno));
		if (get_int(fd, t[i].level, t[i].name) != t[i].set)
			FAIL("%d %d is then %d", t[i].level, t[i].name,
			     get_int(fd, t[i].level, t[i].name));
		if (t[i].err)
			CHECK_ERR(set_int(fd, t[i].level, t[i].name, t[i].bad), t[i].err);
		close(fd);
	}
	int four = socket(AF_INET, SOCK_DGRAM, 0), v = 1;
	CHECK_ERR(set_int(four, SOL_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
	CHECK_ERR(set_int(four, SOL_IP, 60, 1), ENOPROTOOPT);
	CHECK_OK(setsockopt(four, SOL_IP, IP_TTL, "\5", 1));
	CHECK_EQ(get_int(four, SOL_IP, IP_TTL), 5);
	socklen_t n = 1;
	CHECK_OK(getsockopt(four, SOL_IP, IP_TTL, &v, &n));
	CHECK_EQ(n, 1);
	CHECK_ERR(setsockopt(socket(AF_INET6, SOCK_DGRAM, 0), SOL_IPV6, IPV6_TCLASS, "\5", 1), EINVAL);
}

TEST(addresses_without_ports)
{
	struct name a;

	lo_up();
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_OK(set_int(s, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1));
	CHECK_OK(bind_to(s, "127.0.0.5", 0));
	a = local_name(s);
	CHECK_EQ(port_of(&a), 0);
	CHECK_OK(connect_to(s, "127.0.0.1", 9));
	a = local_name(s);
	CHECK(port_of(&a) != 0);
	CHECK_STR(addr_text(&a), "127.0.0.5");
	int f = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(bind_to(f, "198.51.100.7", 0), EADDRNOTAVAIL);
	CHECK_OK(set_int(f, SOL_IP, IP_FREEBIND, 1));
	CHECK_OK(bind_to(f, "198.51.100.7", 0));
}

TEST(peeking)
{
	struct name a;
	char buf[16];

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0), n;
	CHECK_EQ(send_at(c, "first", 5, 0, a), 5);
	CHECK_EQ(send_at(c, "second", 6, 0, a), 6);
	CHECK_EQ(recv(s, buf, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(s, buf, 2, MSG_PEEK | MSG_TRUNC), 5);
	CHECK_OK(ioctl(s, FIONREAD, &n));
	CHECK_EQ(n, 5);
	set_option(s, SO_PEEK_OFF, 2);
	CHECK_EQ(recv(s, buf, 16, MSG_PEEK), 3);
	CHECK(memcmp(buf, "rst", 3) == 0);
	CHECK_EQ(recv(s, buf, 3, MSG_PEEK), 3);
	CHECK(memcmp(buf, "sec", 3) == 0);
	CHECK_EQ(recv(s, buf, 16, 0), 5);
	CHECK_EQ(int_option(s, SO_PEEK_OFF), 3);
	CHECK_EQ(recv(s, buf, 16, MSG_PEEK), 3);
	CHECK(memcmp(buf, "ond", 3) == 0);
	CHECK_EQ(recv(s, buf, 16, 0), 6);
}

TEST(full_queues_drop)
{
	struct name a;
	char big[1000] = { 0 };
	int sent = 0, got = 0;
	uint32_t *dropped;

	lo_up();
	int s = udp_bound("127.0.0.1", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	set_option(s, SO_RCVBUF, 8192);
	set_option(s, SO_RXQ_OVFL, 1);
	for (; sent < 100; sent++)
		CHECK_EQ(send_at(c, big, sizeof(big), 0, a), 1000);
	while (recv(s, big, sizeof(big), MSG_DONTWAIT) == 1000)
		got++;
	CHECK(got > 1 && got < 50);
	CHECK_EQ(send_at(c, big, sizeof(big), 0, a), 1000);
	struct received *r = receive(s, 0);
	dropped = find(r, SOL_SOCKET, SO_RXQ_OVFL, 4);
	CHECK(dropped != NULL);
	CHECK_EQ(*dropped, sent - got);
}

TEST(load_is_shared)
{
	enum { N = 4, FLOWS = 64 };
	struct name a = name4("127.0.0.1", 0);
	int s[N], got[N] = { 0 };
	char buf[8];

	lo_up();
	for (int i = 0; i < N; i++) {
		s[i] = socket(AF_INET, SOCK_DGRAM, 0);
		set_option(s[i], SO_REUSEPORT, 1);
		CHECK_OK(bind(s[i], &a.a, a.len));
		a = local_name(s[i]);
	}
	for (int i = 0; i < FLOWS; i++) {
		int c = socket(AF_INET, SOCK_DGRAM, 0), who = -1;

		CHECK_OK(connect(c, &a.a, a.len));
		for (int j = 0; j < 3; j++) { /* a flow stays where it is */
			CHECK_EQ(send(c, "x", 1, 0), 1);
			for (int k = 0; k < N; k++)
				if (recv(s[k], buf, 8, MSG_DONTWAIT) == 1) {
					CHECK(who == -1 || who == k);
					who = k;
				}
		}
		CHECK(who >= 0);
		got[who]++;
		close(c);
	}
	for (int i = 0; i < N; i++)
		CHECK(got[i] > 0);
}

TEST(many_on_one_port)
{
	enum { N = 500 };
	static int s[N];
	struct name a = name4("127.0.0.1", 0), from;
	char buf[8];

	lo_up();
	for (int i = 0; i < N; i++) {
		a.in.sin_addr.s_addr = htonl(0x7f010000u + (unsigned)i);
		s[i] = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK_OK(bind(s[i], &a.a, a.len));
		a = local_name(s[i]);
	}
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_OK(bind_to(c, "127.0.0.1", 0));
	for (int i = 0; i < N; i += 7) {
		struct name to = local_name(s[i]);

		CHECK_EQ(send_at(c, "x", 1, 0, to), 1);
		from.len = sizeof(from.all);
		CHECK_EQ(recvfrom(s[i], buf, 8, MSG_DONTWAIT, &from.a, &from.len), 1);
		CHECK_EQ(sendto(s[i], "y", 1, 0, &from.a, from.len), 1);
		from.len = sizeof(from.all);
		CHECK_EQ(recvfrom(c, buf, 8, MSG_DONTWAIT, &from.a, &from.len), 1);
		CHECK_STR(addr_text(&from), addr_text(&to));
	}
}
