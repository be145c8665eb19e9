/*
 * Taking packets apart: Ethernet, ARP, IPv4, UDP, ICMP. See parse.h; IPv6 and neighbour discovery
 * are in parse6.c.
 */
#include "net/parse.h"

#include "abi/errno.h"
#include "net/checksum.h"

int eth_parse(const uint8_t *p, size_t n, struct eth_header *h)
{
	if (n < ETH_HEADER)
		return -EINVAL;
	h->dst = p;
	h->src = p + ETH_ALEN;
	h->type = be16_get(p + 12);
	h->vlan = 0;
	h->len = ETH_HEADER;
	if (h->type != ETH_TYPE_VLAN)
		return 0;
	if (n < ETH_HEADER + 4)
		return -EINVAL;
	h->vlan = be16_get(p + 14);
	h->type = be16_get(p + 16);
	h->len = ETH_HEADER + 4;
	return 0;
}

void eth_build(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(p, dst, ETH_ALEN);
	memcpy(p + ETH_ALEN, src, ETH_ALEN);
	be16_put(p + 12, type);
}

enum { ARP_HW_ETHERNET = 1 };

int arp_parse(const uint8_t *p, size_t n, struct arp_packet *a)
{
	if (n < ARP_LEN || be16_get(p) != ARP_HW_ETHERNET || be16_get(p + 2) != ETH_TYPE_IPV4 ||
	    p[4] != ETH_ALEN || p[5] != 4)
		return -EINVAL;
	a->op = be16_get(p + 6);
	memcpy(a->sender_mac, p + 8, ETH_ALEN);
	a->sender = be32_get(p + 14);
	memcpy(a->target_mac, p + 18, ETH_ALEN);
	a->target = be32_get(p + 24);
	return 0;
}

void arp_build(uint8_t *p, const struct arp_packet *a)
{
	be16_put(p, ARP_HW_ETHERNET);
	be16_put(p + 2, ETH_TYPE_IPV4);
	p[4] = ETH_ALEN;
	p[5] = 4;
	be16_put(p + 6, a->op);
	memcpy(p + 8, a->sender_mac, ETH_ALEN);
	be32_put(p + 14, a->sender);
	memcpy(p + 18, a->target_mac, ETH_ALEN);
	be32_put(p + 24, a->target);
}

/* RFC 791 3.1: options. False: one does not fit. */
static bool ipv4_options(const uint8_t *o, size_t n, struct ipv4_header *h)
{
	enum { END = 0, NOP = 1, LSRR = 131, SSRR = 137, ROUTER_ALERT = 148 };

	while (n && o[0] != END) {
		size_t len = 1;

		if (o[0] != NOP) {
			if (n < 2 || o[1] < 2 || o[1] > n)
				return false;
			len = o[1];
		}
		h->source_route |= o[0] == LSRR || o[0] == SSRR;
		h->router_alert |= o[0] == ROUTER_ALERT;
		o += len;
		n -= len;
	}
	return true;
}

int ipv4_parse(const uint8_t *p, size_t n, struct ipv4_header *h)
{
	uint16_t word;
	size_t len;

	if (n < IPV4_HEADER || p[0] >> 4 != 4)
		return -EINVAL;
	len = (size_t)(p[0] & 15) * 4;
	if (len < IPV4_HEADER || len > n || be16_get(p + 2) < len || be16_get(p + 2) > n ||
	    csum(p, len) != 0)
		return -EINVAL;
	word = be16_get(p + 6);
	*h = (struct ipv4_header){
		.src = be32_get(p + 12),
		.dst = be32_get(p + 16),
		.total = be16_get(p + 2),
		.id = be16_get(p + 4),
		.frag = (uint16_t)((word & IPV4_OFFSET) * 8),
		.more = word & IPV4_MF,
		.dont = word & IPV4_DF,
		.tos = p[1],
		.ttl = p[8],
		.proto = p[9],
		.len = (uint8_t)len,
	};
	return ipv4_options(p + IPV4_HEADER, len - IPV4_HEADER, h) ? 0 : -EINVAL;
}

void ipv4_build(uint8_t *p, const struct ipv4_header *h)
{
	p[0] = 0x45;
	p[1] = h->tos;
	be16_put(p + 2, h->total);
	be16_put(p + 4, h->id);
	be16_put(p + 6,
		 (uint16_t)(h->frag / 8 | (h->more ? IPV4_MF : 0) | (h->dont ? IPV4_DF : 0)));
	p[8] = h->ttl;
	p[9] = h->proto;
	be16_put(p + 10, 0);
	be32_put(p + 12, h->src);
	be32_put(p + 16, h->dst);
	csum_put(p + 10, csum(p, IPV4_HEADER));
}

int udp_parse(const uint8_t *p, size_t n, struct udp_header *h)
{
	if (n < UDP_HEADER)
		return -EINVAL;
	h->sport = be16_get(p);
	h->dport = be16_get(p + 2);
	h->len = be16_get(p + 4);
	h->checksum = csum_get(p + 6);
	return h->len < UDP_HEADER || h->len > n ? -EINVAL : 0;
}

void udp_build(uint8_t *p, uint16_t sport, uint16_t dport, uint16_t len)
{
	be16_put(p, sport);
	be16_put(p + 2, dport);
	be16_put(p + 4, len);
	be16_put(p + 6, 0);
}

int icmp_parse(const uint8_t *p, size_t n, struct icmp_header *h)
{
	if (n < ICMP_HEADER)
		return -EINVAL;
	h->type = p[0];
	h->code = p[1];
	h->id = be16_get(p + 4);
	h->seq = be16_get(p + 6);
	h->info = be32_get(p + 4);
	return 0;
}

void icmp_build(uint8_t *p, const struct icmp_header *h)
{
	p[0] = h->type;
	p[1] = h->code;
	be16_put(p + 2, 0);
	be32_put(p + 4, h->info);
	if (h->id || h->seq) {
		be16_put(p + 4, h->id);
		be16_put(p + 6, h->seq);
	}
}

uint32_t icmp_mtu(const struct icmp_header *h, bool v6)
{
	if (v6)
		return h->type == ICMPV6_TOO_BIG ? h->info : 0;
	if (h->type == ICMP_UNREACH && h->code == ICMP_UNREACH_NEEDFRAG)
		return h->seq; /* RFC 1191 4: the low 16 bits */
	return 0;
}

static int unreach_errno(uint8_t code, bool *hard)
{
	/* By code, RFC 792 and RFC 1122 3.2.2.1; hard where RFC 1122 4.2.3.9 says so. */
	static const struct {
		uint8_t error;
		bool hard;
	} by_code[16] = {
		[0] = { ENETUNREACH, false },   [1] = { EHOSTUNREACH, false },
		[2] = { ENOPROTOOPT, true },    [3] = { ECONNREFUSED, true },
		[4] = { EMSGSIZE, false },      [5] = { EOPNOTSUPP, false },
		[6] = { ENETUNREACH, true },    [7] = { EHOSTDOWN, true },
		[8] = { ENONET, true },         [9] = { ENETUNREACH, true },
		[10] = { EHOSTUNREACH, true },  [11] = { ENETUNREACH, false },
		[12] = { EHOSTUNREACH, false }, [13] = { EHOSTUNREACH, true },
		[14] = { EHOSTUNREACH, true },  [15] = { EHOSTUNREACH, true },
	};

	if (code >= ARRAY_SIZE(by_code))
		return 0;
	*hard = by_code[code].hard;
	return by_code[code].error;
}

static int unreach6_errno(uint8_t code, bool *hard)
{
	switch (code) {
	case 0: /* no route */
		return ENETUNREACH;
	case 1: /* prohibited */
	case 5: /* source address failed policy */
	case 6: /* reject route */
		*hard = true;
		return EACCES;
	case 2:
	case 3:
		return EHOSTUNREACH;
	case 4: /* port */
		*hard = true;
		return ECONNREFUSED;
	default:
		return EPROTO;
	}
}

int icmp_errno(uint8_t type, uint8_t code, bool v6, bool *hard)
{
	*hard = false;
	if (v6) {
		if (type == ICMPV6_UNREACH)
			return unreach6_errno(code, hard);
		if (type == ICMPV6_TOO_BIG)
			return EMSGSIZE;
		if (type == ICMPV6_TIME_EXCEEDED)
			return EHOSTUNREACH;
		*hard = type == ICMPV6_PARAM_PROBLEM;
		return *hard ? EPROTO : 0;
	}
	if (type == ICMP_UNREACH)
		return unreach_errno(code, hard);
	if (type == ICMP_TIME_EXCEEDED)
		return EHOSTUNREACH;
	*hard = type == ICMP_PARAM_PROBLEM;
	return *hard ? EPROTO : 0;
}
