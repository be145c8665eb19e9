/* UDP over loopback: udp(7), ip(7), ipv6(7). */

#include "inet_test.h"

TEST(datagrams_go_both_ways)
{
	const char *addrs[] = { "127.0.0.1", "::1", "127.1.2.3" };
	struct name a, b, from;
	char buf[16];

	lo_up();
	for (int i = 0; i < 3; i++) {
		int s = udp_bound(addrs[i], &a), c = udp_bound(addrs[i], &b);

		CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
		from.len = sizeof(from.all);
		CHECK_EQ(recvfrom(s, buf, 16, 0, &from.a, &from.len), 5);
		CHECK(memcmp(buf, "hello", 5) == 0);
		CHECK_EQ(from.len, b.len);
		CHECK(memcmp(&from, &b, b.len) == 0);
		CHECK_EQ(send_at(s, "", 0, 0, from), 0);
		CHECK_EQ(recv(c, buf, 16, 0), 0);
		close(s);
		close(c);
	}
}

TEST(sizes_up_to_the_largest)
{
	static char out[65536], in[65536];
	struct name a;
	const int sizes[] = { 1, 95, 96, 97, 4096, 4097, 8192, 30000, 65507 };

	lo_up();
	for (int v6 = 0; v6 < 2; v6++) {
		int s = udp_bound(v6 ? "::1" : "127.0.0.1", &a);
		int c = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

		for (size_t i = 0; i < sizeof(out); i++)
			out[i] = (char)(i * 7 + i / 4096);
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			CHECK_EQ(send_at(c, out, (size_t)sizes[i], 0, a), sizes[i]);
			CHECK_EQ(recv(s, in, sizeof(in), 0), sizes[i]);
			CHECK(memcmp(in, out, (size_t)sizes[i]) == 0);
		}
		CHECK_ERR(send_at(c, out, 65528, 0, a), EMSGSIZE);
		close(s);
		close(c);
	}
}

TEST(connected_sockets)
{
	struct name a, b, n;
	char buf[16];

	lo_up();
	int s = udp_bound("127.0.0.1", &a), other = udp_bound("127.0.0.1", &b);
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(send(c, "x", 1, 0), EDESTADDRREQ);
	n.len = sizeof(n.all);
	CHECK_ERR(getpeername(c, &n.a, &n.len), ENOTCONN);
	CHECK_OK(connect(c, &a.a, a.len));
	n = local_name(c);
	CHECK_STR(addr_text(&n), "127.0.0.1");
	CHECK(port_of(&n) != 0);
	CHECK_EQ(send_at(other, "no", 2, 0, n), 2); /* not its peer: it gets ECONNREFUSED */
	CHECK_EQ(send_at(s, "yes", 3, 0, n), 3);
	CHECK_EQ(recv(c, buf, 16, 0), 3);
	CHECK_ERR(recv(c, buf, 16, MSG_DONTWAIT), EAGAIN);
	n = peer_name(c);
	CHECK_EQ(port_of(&n), port_of(&a));
	CHECK_OK(disconnect(c));
	n = local_name(c);
	CHECK_STR(addr_text(&n), "0.0.0.0");
	CHECK_EQ(port_of(&n), 0);
	CHECK_ERR(send(c, "x", 1, 0), EDESTADDRREQ);
	/* What bind(2) was asked for stays. */
	CHECK_OK(connect(other, &a.a, a.len));
	CHECK_OK(disconnect(other));
	n = local_name(other);
	CHECK_EQ(port_of(&n), 0);
	CHECK_STR(addr_text(&n), "127.0.0.1");
	CHECK_OK(bind_to(other = socket(AF_INET, SOCK_DGRAM, 0), "127.0.0.1", port_of(&b)));
	CHECK_OK(connect(other, &a.a, a.len));
	CHECK_OK(disconnect(other));
	n = local_name(other);
	CHECK_EQ(port_of(&n), port_of(&b));
	CHECK_STR(addr_text(&n), "127.0.0.1");
}

TEST(refused_by_nobody)
{
	struct name a;
	char buf[16];
	int v6;

	lo_up();
	for (v6 = 0; v6 < 2; v6++) {
		int s = udp_bound(v6 ? "::1" : "127.0.0.1", &a);
		int c = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

		close(s);
		CHECK_OK(connect(c, &a.a, a.len));
		CHECK_EQ(send(c, "x", 1, 0), 1);
		CHECK_EQ(poll_now(c, POLLIN | POLLOUT), POLLERR | POLLOUT);
		CHECK_ERR(recv(c, buf, 16, MSG_DONTWAIT), ECONNREFUSED);
		CHECK_ERR(recv(c, buf, 16, MSG_DONTWAIT), EAGAIN);
		CHECK_EQ(send(c, "x", 1, 0), 1);
		CHECK_ERR(send(c, "x", 1, 0), ECONNREFUSED);
		CHECK_EQ(send(c, "x", 1, 0), 1);
		CHECK_EQ(int_option(c, SO_ERROR), ECONNREFUSED);
		CHECK_EQ(int_option(c, SO_ERROR), 0);
		close(c);
	}
}

TEST(dual_stack)
{
	struct name a, from;
	char buf[16];

	lo_up();
	int s = udp_bound("::", &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(send_at(c, "four", 4, 0, name4("127.0.0.1", port_of(&a))), 4);
	from.len = sizeof(from.all);
	CHECK_EQ(recvfrom(s, buf, 16, 0, &from.a, &from.len), 4);
	CHECK_STR(addr_text(&from), "::ffff:127.0.0.1");
	CHECK_EQ(sendto(s, "back", 4, 0, &from.a, from.len), 4);
	CHECK_EQ(recv(c, buf, 16, 0), 4);
	/* V6ONLY leaves the port to IPv4. */
	int only = socket(AF_INET6, SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(bind_to(four, "0.0.0.0", port_of(&a)), EADDRINUSE);
	CHECK_EQ(set_int(only, SOL_IPV6, IPV6_V6ONLY, 1), 0);
	CHECK_OK(bind_to(only, "::", 0));
	a = local_name(only);
	CHECK_OK(bind_to(four, "0.0.0.0", port_of(&a)));
	CHECK_EQ(send_at(c, "four", 4, 0, name4("127.0.0.1", port_of(&a))), 4);
	CHECK_EQ(recv(four, buf, 16, 0), 4);
	CHECK_ERR(recv(only, buf, 16, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(send_at(only, "x", 1, 0, name6("::ffff:127.0.0.1", 9)), ENETUNREACH);
}

TEST(ends)
{
	struct name a;
	char buf[16];

	lo_up();
	int s = udp_bound("127.0.0.1", &a);
	CHECK_ERR(shutdown(s, SHUT_RD), ENOTCONN);
	CHECK_OK(connect(s, &a.a, a.len));
	CHECK_EQ(send(s, "self", 4, 0), 4);
	CHECK_EQ(recv(s, buf, 16, 0), 4);
	CHECK_OK(shutdown(s, SHUT_RD));
	CHECK_EQ(recv(s, buf, 16, 0), 0);
	CHECK_EQ(poll_now(s, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_OK(shutdown(s, SHUT_WR));
	CHECK_ERR(send(s, "x", 1, 0), EPIPE);
	CHECK_EQ(poll_now(s, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(ports)
{
	struct name a;

	lo_up();
	int s = udp_bound("127.0.0.1", &a), t = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(bind_to(t, "127.0.0.1", port_of(&a)), EADDRINUSE);
	CHECK_ERR(bind_to(t, "0.0.0.0", port_of(&a)), EADDRINUSE);
	CHECK_OK(bind_to(t, "127.0.0.2", port_of(&a)));
	CHECK_ERR(bind_to(t, "127.0.0.2", 0), EINVAL);
	close(t);
	t = socket(AF_INET, SOCK_DGRAM, 0);
	set_option(s, SO_REUSEADDR, 1);
	set_option(t, SO_REUSEADDR, 1);
	CHECK_OK(bind_to(t, "127.0.0.1", port_of(&a)));
	close(t);
	close(s);
	t = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_OK(bind_to(t, "127.0.0.1", port_of(&a)));
	CHECK_ERR(bind_to(socket(AF_INET, SOCK_DGRAM, 0), "198.51.100.7", 0), EADDRNOTAVAIL);
	CHECK_ERR(bind_to(socket(AF_INET6, SOCK_DGRAM, 0), "127.0.0.1", 0), EINVAL);
	CHECK_ERR(bind_to(socket(AF_INET, SOCK_DGRAM, 0), "::1", 0), EAFNOSUPPORT);
}
