/* UDP-Lite: udplite(7), RFC 3828. */

#include "inet_test.h"

#include <netinet/udp.h>

#define LITE IPPROTO_UDPLITE
#define SEND_COVER 10 /* UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV */
#define RECV_COVER 11

static int lite(const char *addr, struct name *n)
{
	int fd = socket(strchr(addr, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, LITE);

	CHECK_OK(fd);
	CHECK_OK(bind_to(fd, addr, 0));
	if (n)
		*n = local_name(fd);
	return fd;
}

static long stat_of(const char *name)
{
	const char *head, *line, *file = test_slurp("/proc/net/snmp");
	long v[16] = { 0 };
	char names[16][32];
	int n;

	CHECK((head = strstr(file, "UdpLite: ")) != NULL);
	CHECK((line = strstr(head + 1, "UdpLite: ")) != NULL);
	n = sscanf(head, "UdpLite: %31s %31s %31s %31s %31s %31s %31s %31s", names[0], names[1], names[2],
		   names[3], names[4], names[5], names[6], names[7]);
	CHECK_EQ(sscanf(line, "UdpLite: %ld %ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4,
			v + 5, v + 6, v + 7),
		 n);
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return v[i];
	FAIL("no %s", name);
}

static void round_trip(const char *addr)
{
	struct name a, b, from = { .len = sizeof(from.all) };
	char buf[64];
	int s, c;

	lo_up();
	s = lite(addr, &a);
	c = lite(addr, &b);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PROTOCOL), LITE);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	CHECK_EQ(send_at(c, "hello", 5, 0, a), 5);
	CHECK_EQ(recvfrom(s, buf, sizeof(buf), 0, &from.a, &from.len), 5);
	CHECK_EQ(port_of(&from), port_of(&b));
	CHECK(!memcmp(buf, "hello", 5));
	CHECK_EQ(send_at(c, "", 0, 0, a), 0);
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), 0);
	/* Nobody there: the sender hears of it. */
	close(s);
	CHECK_OK(connect(c, &a.a, a.len));
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK_ERR(recv(c, buf, sizeof(buf), 0), ECONNREFUSED);
}

TEST(round_trip4)
{
	round_trip("127.0.0.1");
}

TEST(round_trip6)
{
	round_trip("::1");
}

TEST(ports_are_its_own)
{
	struct name a;
	char buf[8];
	int s, u;

	lo_up();
	s = lite("127.0.0.1", &a);
	u = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_OK(bind(u, &a.a, a.len));
	CHECK_EQ(send_at(s, "x", 1, 0, a), 1);
	CHECK_ERR(recv(u, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(recv(s, buf, sizeof(buf), MSG_DONTWAIT), 1);
	int again = socket(AF_INET, SOCK_DGRAM, LITE);
	CHECK_ERR(bind(again, &a.a, a.len), EADDRINUSE);
}

TEST(coverage_is_mended)
{
	int fd = socket(AF_INET, SOCK_DGRAM, LITE), u = socket(AF_INET, SOCK_DGRAM, 0), v = 20;
	const int names[] = { SEND_COVER, RECV_COVER };

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(get_int(fd, LITE, names[i]), 0);
		CHECK_OK(set_int(fd, LITE, names[i], 20));
		CHECK_EQ(get_int(fd, LITE, names[i]), 20);
		CHECK_EQ(get_int(fd, IPPROTO_UDP, names[i]), 20);
		CHECK_OK(set_int(fd, LITE, names[i], 3));
		CHECK_EQ(get_int(fd, LITE, names[i]), 8);
		CHECK_OK(set_int(fd, LITE, names[i], 70000));
		CHECK_EQ(get_int(fd, LITE, names[i]), 65535);
		CHECK_OK(set_int(fd, LITE, names[i], -5));
		CHECK_EQ(get_int(fd, LITE, names[i]), 8);
		CHECK_OK(set_int(fd, LITE, names[i], 0));
		CHECK_EQ(get_int(fd, LITE, names[i]), 0);
		CHECK_ERR(setsockopt(fd, LITE, names[i], &v, 3), EINVAL);
		CHECK_ERR(set_int(u, LITE, names[i], 20), ENOPROTOOPT);
	}
	CHECK_ERR(set_int(fd, LITE, 77, 1), ENOPROTOOPT);
}

/* What a sender writes into the header's third field. */
static int field(const char *addr, int cover, size_t len)
{
	struct name a;
	uint8_t buf[2000] = { 0 };
	int s, c, raw, v6 = strchr(addr, ':') != NULL;

	s = lite(addr, &a);
	c = lite(addr, NULL);
	raw = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW, LITE);
	CHECK_OK(raw);
	if (cover >= 0)
		CHECK_OK(set_int(c, LITE, SEND_COVER, cover));
	CHECK_EQ(send_at(c, buf, len, 0, a), len);
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), len);
	CHECK_EQ(recv(raw, buf, sizeof(buf), 0), len + 8 + (v6 ? 0 : 20));
	close(raw);
	close(s);
	close(c);
	const uint8_t *h = buf + (v6 ? 0 : 20);
	CHECK_EQ(h[0] << 8 | h[1], h[0] << 8 | h[1]);
	CHECK(h[6] || h[7]);
	return h[4] << 8 | h[5];
}

TEST(coverage_on_the_wire)
{
	const char *addr[] = { "127.0.0.1", "::1" };

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(field(addr[i], -1, 100), 108);
		CHECK_EQ(field(addr[i], 20, 100), 20);
		CHECK_EQ(field(addr[i], 8, 100), 8);
		CHECK_EQ(field(addr[i], 21, 100), 21);
		CHECK_EQ(field(addr[i], 200, 100), 108);
		CHECK_EQ(field(addr[i], 0, 100), 0);
	}
}

/* Which datagrams a receiver with a threshold takes. */
TEST(thresholds)
{
	const struct {
		int send, recv;
		bool arrives;
	} row[] = { { 20, -1, true }, { 20, 20, true },  { 20, 19, true }, { 20, 21, false },
		    { 20, 0, false }, { -1, 0, true },   { -1, 50, true }, { 8, 20, false },
		    { 0, 50, true },  { 28, 100, false } };
	struct name a;
	char buf[64];

	lo_up();
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int s = lite("127.0.0.1", &a), c = lite("127.0.0.1", NULL);
		long before = stat_of("InErrors");

		if (row[i].send >= 0)
			CHECK_OK(set_int(c, LITE, SEND_COVER, row[i].send));
		if (row[i].recv >= 0)
			CHECK_OK(set_int(s, LITE, RECV_COVER, row[i].recv));
		CHECK_EQ(send_at(c, "01234567890123456789012345678901", 32, 0, a), 32);
		ssize_t n = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
		if ((n == 32) != row[i].arrives)
			FAIL("row %u: %zd", i, n);
		CHECK_EQ(stat_of("InErrors") - before, !row[i].arrives);
		close(s);
		close(c);
	}
}

static uint16_t sum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* A datagram to `port` as we make it: its header's third field, its checksum over `cover` bytes made
 * wrong by `wrong`, one byte damaged at `damage`. */
static void inject(int raw, int port, int len_field, unsigned cover, bool no_sum, int damage)
{
	uint8_t b[12 + 8 + 32] = { 127, 0, 0, 1, 127, 0, 0, 1, 0, LITE, 0, 40, 0, 9,
				   (uint8_t)(port >> 8), (uint8_t)port, (uint8_t)(len_field >> 8),
				   (uint8_t)len_field };
	uint16_t c;
	struct name to = name4("127.0.0.1", 0);

	memset(b + 20, 'a', 32);
	c = sum(b, 12 + cover);
	b[18] = (uint8_t)(c >> 8);
	b[19] = (uint8_t)c;
	if (no_sum)
		b[18] = b[19] = 0;
	if (damage >= 0)
		b[12 + damage] ^= 1;
	CHECK_EQ(send_at(raw, b + 12, 40, 0, to), 40);
}

TEST(damage_is_found_where_it_is_covered)
{
	struct name a;
	char buf[64];
	int s, raw, port;
	const struct {
		int field;
		unsigned cover;
		bool no_sum;
		int damage;
		bool arrives;
	} row[] = { { 0, 40, false, -1, true },   { 40, 40, false, -1, true }, { 0, 40, false, 39, false },
		    { 20, 20, false, 19, false }, { 20, 20, false, 20, true }, { 8, 8, false, 30, true },
		    { 7, 8, false, -1, false },	  { 41, 40, false, -1, false }, { 40, 40, true, -1, false },
		    { 8, 9, false, -1, false },	  { 9, 9, false, 9, true },	{ 9, 9, false, 8, false } };

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	s = lite("127.0.0.1", &a);
	port = port_of(&a);
	raw = socket(AF_INET, SOCK_RAW, LITE);
	CHECK_OK(raw);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		inject(raw, port, row[i].field, row[i].cover, row[i].no_sum, row[i].damage);
		ssize_t n = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
		if ((n == 32) != row[i].arrives)
			FAIL("row %u: %zd", i, n);
	}
}

TEST(large_and_corked)
{
	static char out[40000], in[50000];
	struct name a;

	lo_up();
	int s = lite("::1", &a), c = lite("::1", NULL);
	memset(out, 'q', sizeof(out));
	CHECK_OK(set_int(c, LITE, SEND_COVER, 8));
	CHECK_EQ(send_at(c, out, sizeof(out), 0, a), sizeof(out));
	CHECK_EQ(recv(s, in, sizeof(in), 0), sizeof(out));
	CHECK(!memcmp(in, out, sizeof(out)));
	CHECK_EQ(send_at(c, "ab", 2, MSG_MORE, a), 2);
	CHECK_EQ(send_at(c, "cd", 2, 0, a), 2);
	CHECK_EQ(recv(s, in, sizeof(in), 0), 4);
	CHECK(!memcmp(in, "abcd", 4));
}

TEST(it_is_listed)
{
	struct name a;
	char port[8];

	lo_up();
	long in = stat_of("InDatagrams"), out = stat_of("OutDatagrams");
	int s = lite("127.0.0.1", &a);
	char buf[8];
	snprintf(port, sizeof(port), ":%04X", port_of(&a));
	CHECK(strstr(test_slurp("/proc/net/udplite"), port) != NULL);
	CHECK(strstr(test_slurp("/proc/net/sockstat"), "UDPLITE: inuse 1") != NULL);
	CHECK(strstr(test_slurp("/proc/net/protocols"), "UDP-Lite") != NULL);
	CHECK_EQ(send_at(s, "x", 1, 0, a), 1);
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), 1);
	CHECK_EQ(stat_of("InDatagrams"), in + 1);
	CHECK_EQ(stat_of("OutDatagrams"), out + 1);
}
