// sources: kernel/net/checksum.c kernel/net/parse.c kernel/net/parse6.c kernel/net/tcp/segment.c kernel/lib/siphash.c
/* Checksums against the definition; parsers against built packets, cut ones, and the RFCs' cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "lib/siphash.h"
#include "net/checksum.h"
#include "net/parse.h"
#include "net/tcp/segment.h"

/* RFC 1071 4.1, as it stands there. */
static uint16_t plain_csum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void checksum_equals_definition(void **state)
{
	uint8_t buf[600], copy[600], out[2];

	(void)state;
	srand(1);
	for (int run = 0; run < 3000; run++) {
		size_t n = (size_t)rand() % 500, off = (size_t)rand() % 9, cut = n ? (size_t)rand() % n : 0;
		int mode = rand() % 4;
		uint32_t part;

		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = mode == 0 ? 0xff : mode == 1 ? 0 : (uint8_t)rand();
		csum_put(out, csum(buf + off, n));
		assert_int_equal(be16_get(out), plain_csum(buf + off, n));
		csum_put(out, csum_finish(csum_copy(0, copy, buf + off, n)));
		assert_int_equal(be16_get(out), plain_csum(buf + off, n));
		assert_memory_equal(copy, buf + off, n);
		/* in two pieces, at any offset */
		part = csum_add(0, buf + off + cut, n - cut);
		part = csum_add_part(csum_add(0, buf + off, cut), part, cut);
		csum_put(out, csum_finish(part));
		assert_int_equal(be16_get(out), plain_csum(buf + off, n));
	}
}

static void checksum_rfc1071_example(void **state)
{
	static const uint8_t data[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t out[2];

	(void)state;
	csum_put(out, csum(data, sizeof(data)));
	assert_int_equal(be16_get(out), (uint16_t)~0xddf2);
}

static void checksum_incremental(void **state)
{
	uint8_t buf[64];

	(void)state;
	srand(2);
	for (int run = 0; run < 2000; run++) {
		uint16_t c;
		uint32_t old, val = (uint32_t)rand() * 3u;
		size_t at = (size_t)(rand() % 15) * 4;

		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)rand();
		c = csum(buf, sizeof(buf));
		memcpy(&old, buf + at, 4);
		memcpy(buf + at, &val, 4);
		c = csum_replace4(c, old, val);
		assert_true(c == csum(buf, sizeof(buf)) || (uint16_t)(c + csum(buf, sizeof(buf))) == 0xffff);
	}
}

/* The pseudo headers are the bytes that the RFCs draw. */
static void checksum_pseudo_headers(void **state)
{
	uint8_t p4[12] = { 10, 0, 2, 15, 192, 168, 1, 1, 0, 6, 0x12, 0x34 }, p6[40] = { 0 };
	struct ipv6_addr a, b;

	(void)state;
	assert_int_equal(csum_finish(csum_pseudo4(0x0a00020f, 0xc0a80101, 6, 0x1234)), csum(p4, 12));
	for (int i = 0; i < 16; i++) {
		a.b[i] = p6[i] = (uint8_t)(i * 17);
		b.b[i] = p6[16 + i] = (uint8_t)(i * 31 + 5);
	}
	be32_put(p6 + 32, 70000);
	p6[39] = 17;
	assert_int_equal(csum_finish(csum_pseudo6(&a, &b, 17, 70000)), csum(p6, 40));
}

static void ipv4_round_trip(void **state)
{
	struct ipv4_header in = { .src = 0x0a00020f, .dst = 0x08080808, .total = 60, .id = 7, .frag = 1480,
				  .more = true, .tos = 0x12, .ttl = 64, .proto = 6 }, out;
	uint8_t p[80] = { 0 };

	(void)state;
	ipv4_build(p, &in);
	assert_int_equal(ipv4_parse(p, 60, &out), 0);
	assert_int_equal(out.src, in.src);
	assert_int_equal(out.dst, in.dst);
	assert_int_equal(out.frag, 1480);
	assert_true(out.more && !out.dont);
	assert_int_equal(out.total, 60);
	assert_int_equal(out.len, 20);
	assert_int_equal(ipv4_parse(p, 59, &out), -EINVAL); /* shorter than it says */
	assert_int_equal(ipv4_parse(p, 80, &out), 0);       /* padded */
	p[8]--;
	assert_int_equal(ipv4_parse(p, 60, &out), -EINVAL); /* checksum */
}

static int with_options(const uint8_t *options, size_t n, struct ipv4_header *out)
{
	uint8_t p[60] = { 0 };

	p[0] = (uint8_t)(0x40 | (20 + n) / 4);
	be16_put(p + 2, (uint16_t)(20 + n));
	p[9] = 2;
	memcpy(p + 20, options, n);
	csum_put(p + 10, csum(p, 20 + n));
	return ipv4_parse(p, 20 + n, out);
}

static void ipv4_options(void **state)
{
	struct ipv4_header h;

	(void)state;
	assert_int_equal(with_options((uint8_t[]){ 148, 4, 0, 0 }, 4, &h), 0);
	assert_true(h.router_alert);
	assert_int_equal(with_options((uint8_t[]){ 1, 131, 3, 4 }, 4, &h), 0);
	assert_true(h.source_route);
	assert_int_equal(with_options((uint8_t[]){ 0, 131, 30, 4 }, 4, &h), 0); /* after the end */
	assert_false(h.source_route);
	assert_int_equal(with_options((uint8_t[]){ 7, 5, 0, 0 }, 4, &h), -EINVAL);
	assert_int_equal(with_options((uint8_t[]){ 7, 1, 0, 0 }, 4, &h), -EINVAL);
	assert_int_equal(with_options((uint8_t[]){ 1, 1, 1, 7 }, 4, &h), -EINVAL);
}

static size_t make6(uint8_t *p, uint8_t proto, const uint8_t *rest, size_t n)
{
	struct ipv6_header h = { .total = (uint32_t)(IPV6_HEADER + n), .proto = proto, .hops = 64,
				 .flow = 0xabcde, .tclass = 0x5a };

	h.src.b[0] = 0xfe;
	h.src.b[1] = 0x80;
	h.dst.b[15] = 1;
	ipv6_build(p, &h);
	if (n)
		memcpy(p + IPV6_HEADER, rest, n);
	return IPV6_HEADER + n;
}

static int parse6(uint8_t proto, const uint8_t *rest, size_t n, struct ipv6_header *h,
		  struct ipv6_problem *problem)
{
	uint8_t p[400];
	size_t len = make6(p, proto, rest, n);
	uint8_t *exact = malloc(len);
	int err;

	memcpy(exact, p, len);
	err = ipv6_parse(exact, len, h, problem);
	free(exact);
	return err;
}

static void ipv6_extension_headers(void **state)
{
	struct ipv6_header h;
	struct ipv6_problem pr;
	static const uint8_t plain[] = { 1, 2, 3, 4 };
	static const uint8_t hbh[] = { 58, 0, 5, 2, 0, 0, 1, 0, 0x82, 0 };
	static const uint8_t hbh_bad[] = { 58, 0, 0x85, 2, 0, 0, 1, 0, 0x82, 0 };
	static const uint8_t hbh_quiet[] = { 58, 0, 0x45, 2, 0, 0, 1, 0, 0x82, 0 };
	static const uint8_t late_hbh[] = { 0, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0 };
	static const uint8_t frag[] = { 17, 0, 0x05, 0xa9, 0, 0, 0, 42, 9, 9 };
	static const uint8_t atomic[] = { 17, 0, 0, 0, 0, 0, 0, 42, 9, 9 };
	static const uint8_t rh0[] = { 17, 2, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	static const uint8_t cut[] = { 17, 9, 1, 4, 0, 0, 0, 0 };
	static const uint8_t bad_option[] = { 17, 0, 1, 9, 0, 0, 0, 0 };

	(void)state;
	assert_int_equal(parse6(17, plain, 4, &h, &pr), 0);
	assert_int_equal(h.len, 40);
	assert_int_equal(h.proto, 17);
	assert_int_equal(h.flow, 0xabcde);
	assert_int_equal(h.tclass, 0x5a);
	assert_int_equal(parse6(0, hbh, 10, &h, &pr), 0);
	assert_true(h.router_alert);
	assert_int_equal(h.proto, 58);
	assert_int_equal(h.len, 48);
	assert_int_equal(h.proto_at, 40);
	assert_int_equal(parse6(0, hbh_bad, 10, &h, &pr), -EINVAL);
	assert_true(pr.report && pr.code == 2 && pr.offset == 42);
	assert_int_equal(parse6(0, hbh_quiet, 10, &h, &pr), -EINVAL);
	assert_false(pr.report);
	assert_int_equal(parse6(60, late_hbh, 16, &h, &pr), -EINVAL);
	assert_true(pr.report && pr.code == 1 && pr.offset == 40);
	assert_int_equal(parse6(44, frag, 10, &h, &pr), 0);
	assert_true(h.has_frag && h.more && h.frag == 0x5a8 && h.frag_id == 42);
	assert_int_equal(h.len, 48);
	assert_int_equal(h.unfrag_len, 40);
	assert_int_equal(parse6(44, atomic, 10, &h, &pr), 0);
	assert_true(h.has_frag && !h.more && h.proto == 17 && h.len == 48);
	assert_int_equal(parse6(43, rh0, 24, &h, &pr), -EINVAL);
	assert_true(pr.report && pr.code == 0 && pr.offset == 42);
	assert_int_equal(parse6(60, cut, 8, &h, &pr), -EINVAL);
	assert_int_equal(parse6(60, bad_option, 8, &h, &pr), -EINVAL);
	assert_int_equal(parse6(59, NULL, 0, &h, &pr), 0);
	assert_int_equal(h.proto, 59);
}

static void udp_lengths(void **state)
{
	struct udp_header h;
	uint8_t p[20];

	(void)state;
	udp_build(p, 53, 4000, 20);
	assert_int_equal(udp_parse(p, 20, &h), 0);
	assert_int_equal(h.len, 20);
	assert_int_equal(udp_parse(p, 19, &h), -EINVAL);
	udp_build(p, 53, 4000, 7);
	assert_int_equal(udp_parse(p, 20, &h), -EINVAL);
	assert_int_equal(udp_parse(p, 7, &h), -EINVAL);
}

static void arp_and_ethernet(void **state)
{
	struct arp_packet a = { .op = ARP_REQUEST, .sender = 0x0a000202, .target = 0x0a00020f }, b;
	struct eth_header e;
	uint8_t p[ETH_HEADER + ARP_LEN + 4] = { 0 }, mac[6] = { 2, 0, 0, 0, 0, 1 }, all[6];

	(void)state;
	memset(all, 0xff, 6);
	memcpy(a.sender_mac, mac, 6);
	eth_build(p, all, mac, ETH_TYPE_ARP);
	arp_build(p + ETH_HEADER, &a);
	assert_int_equal(eth_parse(p, sizeof(p), &e), 0);
	assert_int_equal(e.type, ETH_TYPE_ARP);
	assert_memory_equal(e.src, mac, 6);
	assert_int_equal(arp_parse(p + e.len, ARP_LEN, &b), 0);
	assert_int_equal(b.sender, a.sender);
	assert_int_equal(b.target, a.target);
	assert_memory_equal(b.sender_mac, mac, 6);
	assert_int_equal(arp_parse(p + e.len, ARP_LEN - 1, &b), -EINVAL);
	p[ETH_HEADER + 4] = 8;
	assert_int_equal(arp_parse(p + e.len, ARP_LEN, &b), -EINVAL);
	be16_put(p + 12, ETH_TYPE_VLAN);
	be16_put(p + 14, 0x2005);
	be16_put(p + 16, ETH_TYPE_IPV6);
	assert_int_equal(eth_parse(p, sizeof(p), &e), 0);
	assert_true(e.vlan == 0x2005 && e.type == ETH_TYPE_IPV6 && e.len == 18);
	assert_int_equal(eth_parse(p, 17, &e), -EINVAL);
}

static void neighbour_messages(void **state)
{
	uint8_t p[40], mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct ndp_neighbour m = { .router = true, .override = true, .mac = mac }, out;
	size_t n;

	(void)state;
	m.target.b[0] = 0x20;
	n = ndp_neighbour_build(p, NDP_NEIGHBOUR_ADVERT, &m);
	assert_int_equal(n, 32);
	assert_int_equal(ndp_neighbour_parse(p, n, 255, &out), 0);
	assert_true(out.router && out.override && !out.solicited);
	assert_memory_equal(out.mac, mac, 6);
	assert_int_equal(ndp_neighbour_parse(p, n, 254, &out), -EINVAL); /* from afar */
	p[25] = 0;
	assert_int_equal(ndp_neighbour_parse(p, n, 255, &out), -EINVAL);
	p[25] = 2;
	assert_int_equal(ndp_neighbour_parse(p, n, 255, &out), -EINVAL);
	m.mac = NULL;
	n = ndp_neighbour_build(p, NDP_NEIGHBOUR_SOLICIT, &m);
	assert_int_equal(ndp_neighbour_parse(p, n, 255, &out), 0);
	assert_null(out.mac);
}

static void tcp_round_trip(void **state)
{
	(void)state;
	srand(3);
	for (int run = 0; run < 5000; run++) {
		struct tcp_seg s = { .seq = (uint32_t)rand(), .ack = (uint32_t)rand(), .window = (uint16_t)rand(),
				     .flags = (uint8_t)(rand() | TCP_ACK | TCP_URG), .urgent = (uint16_t)rand() }, out;
		uint8_t p[TCP_HEADER_MAX + 10] = { 0 };
		size_t len, hlen;

		s.opts = (uint8_t)(rand() & 31);
		if (!(s.flags & TCP_SYN))
			s.opts &= TCP_OPT_TS | TCP_OPT_SACK;
		s.mss = s.opts & TCP_OPT_MSS ? (uint16_t)(rand() | 1) : 0;
		s.wscale = s.opts & TCP_OPT_WSCALE ? (uint8_t)(rand() % 15) : 0;
		if (s.opts & TCP_OPT_TS) {
			s.tsval = (uint32_t)rand();
			s.tsecr = (uint32_t)rand();
		}
		if (s.opts & TCP_OPT_SACK) {
			s.nsacks = (uint8_t)(1 + rand() % 3);
			for (int i = 0; i < s.nsacks; i++)
				s.sacks[i] = (struct tcp_range){ (uint32_t)rand(), (uint32_t)rand() };
		}
		len = tcp_seg_header_len(&s);
		assert_true(len >= 20 && len <= 60 && len % 4 == 0);
		tcp_seg_build(&s, 80, 4000, p);
		assert_int_equal(tcp_seg_parse(p, len + 10, &out, &hlen), 0);
		assert_int_equal(hlen, len);
		assert_int_equal(out.len, 10);
		assert_int_equal(be16_get(p), 80);
		if (out.nsacks < s.nsacks) { /* no room beside the others */
			assert_true(len + 8 > 60 || s.opts == 31);
			s.nsacks = out.nsacks;
			s.opts = out.opts;
			memcpy(s.sacks, out.sacks, sizeof(s.sacks));
		}
		s.len = 10;
		assert_memory_equal(&s, &out, sizeof(s));
	}
}

static void tcp_bad_headers(void **state)
{
	struct tcp_seg s;
	size_t hlen;
	uint8_t p[40] = { [12] = 0x50 };

	(void)state;
	assert_int_equal(tcp_seg_parse(p, 19, &s, &hlen), -EINVAL);
	assert_int_equal(tcp_seg_parse(p, 20, &s, &hlen), 0);
	p[12] = 0x40;
	assert_int_equal(tcp_seg_parse(p, 40, &s, &hlen), -EINVAL);
	p[12] = 0xb0;
	assert_int_equal(tcp_seg_parse(p, 40, &s, &hlen), -EINVAL);
	p[12] = 0x60; /* an MSS option that does not fit, then one on a segment that is no SYN */
	memcpy(p + 20, (uint8_t[]){ 2, 5, 1, 1 }, 4);
	assert_int_equal(tcp_seg_parse(p, 40, &s, &hlen), 0);
	assert_int_equal(s.opts, 0);
	memcpy(p + 20, (uint8_t[]){ 2, 4, 1, 1 }, 4);
	assert_int_equal(tcp_seg_parse(p, 40, &s, &hlen), 0);
	assert_int_equal(s.opts, 0);
	p[13] = TCP_SYN;
	assert_int_equal(tcp_seg_parse(p, 40, &s, &hlen), 0);
	assert_int_equal(s.mss, 257);
}

/* The vectors of the SipHash paper's appendix A and reference implementation. */
static void siphash_vectors(void **state)
{
	struct siphash_key k = { { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull } };
	uint8_t in[15];

	(void)state;
	for (int i = 0; i < 15; i++)
		in[i] = (uint8_t)i;
	assert_true(siphash(&k, in, 15) == 0xa129ca6149be45e5ull);
	assert_true(siphash(&k, in, 0) == 0x726fdb47dd0e0e31ull);
	assert_true(siphash(&k, in, 8) == 0x93f5f5799a932462ull);
}

static void icmp_errors(void **state)
{
	bool hard;
	struct icmp_header h;
	uint8_t p[8] = { 3, 4, 0, 0, 0, 0, 5, 0x78 };

	(void)state;
	assert_int_equal(icmp_errno(3, 3, false, &hard), ECONNREFUSED);
	assert_true(hard);
	assert_int_equal(icmp_errno(3, 1, false, &hard), EHOSTUNREACH);
	assert_false(hard);
	assert_int_equal(icmp_errno(1, 4, true, &hard), ECONNREFUSED);
	assert_int_equal(icmp_errno(8, 0, false, &hard), 0);
	assert_int_equal(icmp_errno(3, 200, false, &hard), 0);
	assert_int_equal(icmp_parse(p, 8, &h), 0);
	assert_int_equal(icmp_mtu(&h, false), 1400);
	assert_int_equal(icmp_mtu(&h, true), 0);
	assert_int_equal(icmp_parse(p, 7, &h), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_equals_definition), cmocka_unit_test(checksum_rfc1071_example),
		cmocka_unit_test(checksum_incremental),	      cmocka_unit_test(checksum_pseudo_headers),
		cmocka_unit_test(ipv4_round_trip),	      cmocka_unit_test(ipv4_options),
		cmocka_unit_test(ipv6_extension_headers),     cmocka_unit_test(udp_lengths),
		cmocka_unit_test(arp_and_ethernet),	      cmocka_unit_test(neighbour_messages),
		cmocka_unit_test(tcp_round_trip),	      cmocka_unit_test(tcp_bad_headers),
		cmocka_unit_test(siphash_vectors),	      cmocka_unit_test(icmp_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
