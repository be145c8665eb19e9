#pragma once

/*
 * Network byte order, and the numbers and layouts of headers: bytes at offsets, since a packet is
 * aligned to nothing. Whoever reads at an offset has compared it with the length before.
 *
 *   source       RFC 791, 826, 768, 792, 8200, 4443, 4861; IEEE 802.3
 */

#include "lib/string.h"
#include "lib/types.h"

static inline uint16_t be16_get(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t be32_get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void be16_put(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void be32_put(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

enum {
	ETH_ALEN = 6,
	ETH_HEADER = 14,
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_IPV6 = 0x86dd,
	ETH_TYPE_MIN = 0x0600, /* below: a length, IEEE 802.3 */
};

enum {
	ARP_LEN = 28, /* Ethernet and IPv4 */
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

enum {
	IPV4_HEADER = 20,
	IPV4_HEADER_MAX = 60,
	IPV6_HEADER = 40,
	IPV6_FRAG_HEADER = 8,
	IPV6_MIN_MTU = 1280,
	IPV4_MIN_MTU = 68,
	UDP_HEADER = 8,
	ICMP_HEADER = 8,
	IP_MAX_LEN = 65535,
};

/* Protocols and IPv6 next headers. */
enum ip_proto {
	IPPROTO_HOPOPTS_ = 0,
	IPPROTO_ICMP_ = 1,
	IPPROTO_IGMP_ = 2,
	IPPROTO_TCP_ = 6,
	IPPROTO_UDP_ = 17,
	IPPROTO_ROUTING_ = 43,
	IPPROTO_FRAGMENT_ = 44,
	IPPROTO_AH_ = 51,
	IPPROTO_ICMPV6_ = 58,
	IPPROTO_NONE_ = 59,
	IPPROTO_DSTOPTS_ = 60,
};

/* The two flags of IPv4's fragment word, and the offset in units of 8 bytes. */
enum { IPV4_DF = 0x4000, IPV4_MF = 0x2000, IPV4_OFFSET = 0x1fff };

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACH = 3,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAM_PROBLEM = 12,
};

enum icmp_unreach_code {
	ICMP_UNREACH_NET = 0,
	ICMP_UNREACH_HOST = 1,
	ICMP_UNREACH_PROTO = 2,
	ICMP_UNREACH_PORT = 3,
	ICMP_UNREACH_NEEDFRAG = 4,
};

enum icmpv6_type {
	ICMPV6_UNREACH = 1,
	ICMPV6_TOO_BIG = 2,
	ICMPV6_TIME_EXCEEDED = 3,
	ICMPV6_PARAM_PROBLEM = 4,
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY = 129,
	MLD_QUERY = 130,
	MLD_REPORT_V1 = 131,
	MLD_DONE_V1 = 132,
	NDP_ROUTER_SOLICIT = 133,
	NDP_ROUTER_ADVERT = 134,
	NDP_NEIGHBOUR_SOLICIT = 135,
	NDP_NEIGHBOUR_ADVERT = 136,
	NDP_REDIRECT = 137,
	MLD_REPORT_V2 = 143,
};

enum ndp_option {
	NDP_OPT_SOURCE_LL = 1,
	NDP_OPT_TARGET_LL = 2,
	NDP_OPT_PREFIX = 3,
	NDP_OPT_REDIRECTED = 4,
	NDP_OPT_MTU = 5,
	NDP_OPT_RDNSS = 25,
};

struct ipv6_addr {
	uint8_t b[16];
};

static inline bool ipv6_eq(const struct ipv6_addr *a, const struct ipv6_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool ipv6_is_unspecified(const struct ipv6_addr *a)
{
	static const struct ipv6_addr zero;

	return ipv6_eq(a, &zero);
}

static inline bool ipv6_is_loopback(const struct ipv6_addr *a)
{
	static const struct ipv6_addr one = { { [15] = 1 } };

	return ipv6_eq(a, &one);
}

static inline bool ipv6_is_multicast(const struct ipv6_addr *a)
{
	return a->b[0] == 0xff;
}

static inline bool ipv6_is_link_local(const struct ipv6_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* ::ffff:a.b.c.d: an IPv4 address in an IPv6 socket. */
static inline bool ipv6_is_v4mapped(const struct ipv6_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}

/* ff02::1:ffxx:xxxx, where neighbour solicitations for `a` go: RFC 4291 2.7.1. */
static inline struct ipv6_addr ipv6_solicited_node(const struct ipv6_addr *a)
{
	struct ipv6_addr m = { { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(m.b + 13, a->b + 13, 3);
	return m;
}

/* IPv4 addresses are numbers in host order. */
static inline bool ipv4_is_multicast(uint32_t a)
{
	return a >> 28 == 0xe;
}

static inline bool ipv4_is_loopback(uint32_t a)
{
	return a >> 24 == 127;
}

static inline bool ipv4_is_link_local(uint32_t a)
{
	return a >> 16 == 0xa9fe;
}
