#pragma once

/*
 * Packets as they arrive, taken apart: each function looks at `n` bytes that begin with a header,
 * compares every length before it counts with it, and gives values in host order. -EINVAL: no such
 * packet can be; it is dropped. Checksums are the caller's where hardware may have looked (the
 * IPv4 header's is always checked here: it is 20 bytes that are read anyway).
 */

#include "net/wire.h"

struct eth_header {
	const uint8_t *dst, *src; /* ETH_ALEN bytes, in the packet */
	uint16_t type;            /* ETH_TYPE_…; below ETH_TYPE_MIN: a length */
	uint16_t vlan;            /* tag, 0: none */
	uint16_t len;             /* of the header, with the tag */
};

MUST_CHECK int eth_parse(const uint8_t *p, size_t n, struct eth_header *h);
void eth_build(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint16_t type);

struct arp_packet {
	uint16_t op; /* ARP_REQUEST, ARP_REPLY */
	uint8_t sender_mac[ETH_ALEN], target_mac[ETH_ALEN];
	uint32_t sender, target;
};

/* Only Ethernet and IPv4: -EINVAL for others. */
MUST_CHECK int arp_parse(const uint8_t *p, size_t n, struct arp_packet *a);
void arp_build(uint8_t *p, const struct arp_packet *a); /* ARP_LEN bytes */

struct ipv4_header {
	uint32_t src, dst;
	uint16_t total; /* length by the header; the rest of the frame is padding */
	uint16_t id;
	uint16_t frag;   /* offset in bytes */
	bool more, dont; /* MF, DF */
	uint8_t tos, ttl, proto;
	uint8_t len;       /* of the header, options included: 20 … 60 */
	bool source_route; /* an option asks for it, RFC 7126: dropped by who forwards */
	bool router_alert; /* RFC 2113: IGMP */
};

MUST_CHECK int ipv4_parse(const uint8_t *p, size_t n, struct ipv4_header *h);

/* Writes IPV4_HEADER bytes, with the checksum. h->len is not looked at: there are no options. */
void ipv4_build(uint8_t *p, const struct ipv4_header *h);

struct ipv6_header {
	struct ipv6_addr src, dst;
	uint32_t flow;
	uint32_t total; /* header and payload */
	uint8_t tclass, hops;
	uint8_t proto;     /* the upper layer, or IPPROTO_FRAGMENT_ / IPPROTO_NONE_ */
	uint16_t len;      /* offset of what proto names */
	uint16_t proto_at; /* offset of the byte that names it: ICMPv6 parameter problem, fragments
			    */
	bool has_frag;     /* a fragment header was found; it is skipped when it is atomic */
	uint16_t frag;     /* offset in bytes */
	bool more;
	uint32_t frag_id;
	uint16_t unfrag_len; /* bytes before the fragment header */
	bool router_alert;   /* RFC 2711: MLD */
};

/* What to answer to a header chain that cannot be followed: RFC 8200 4, RFC 4443 3.4. */
struct ipv6_problem {
	bool report;     /* send a parameter problem */
	uint8_t code;    /* 0 erroneous field, 1 unknown next header, 2 unknown option */
	uint32_t offset; /* pointer */
};

/*
 * Follows the extension headers: hop-by-hop, destination options, routing (type 0 is refused, RFC
 * 5095; others are passed when no segments are left), fragment, AH (skipped).
 *   returns      0; -EINVAL, and perhaps a problem to report
 */
MUST_CHECK int ipv6_parse(const uint8_t *p, size_t n, struct ipv6_header *h,
			  struct ipv6_problem *problem);

/* Writes IPV6_HEADER bytes: payload of h->total - IPV6_HEADER. */
void ipv6_build(uint8_t *p, const struct ipv6_header *h);

/* Writes a fragment header: 8 bytes. */
void ipv6_frag_build(uint8_t *p, uint8_t proto, uint16_t offset, bool more, uint32_t id);

struct udp_header {
	uint16_t sport, dport;
	uint16_t len;      /* header and payload: at most n */
	uint16_t checksum; /* as in memory; 0: none was computed */
};

MUST_CHECK int udp_parse(const uint8_t *p, size_t n, struct udp_header *h);

/* Writes UDP_HEADER bytes, the checksum zero. */
void udp_build(uint8_t *p, uint16_t sport, uint16_t dport, uint16_t len);

struct icmp_header {
	uint8_t type, code;
	uint16_t id, seq; /* of an echo */
	uint32_t info;    /* the four bytes after the checksum: MTU, pointer, gateway */
};

/* ICMP and ICMPv6 alike. The checksum is the caller's. */
MUST_CHECK int icmp_parse(const uint8_t *p, size_t n, struct icmp_header *h);
void icmp_build(uint8_t *p, const struct icmp_header *h); /* ICMP_HEADER bytes, checksum zero */

/* The MTU that an ICMP "fragmentation needed" or ICMPv6 "packet too big" tells, 0: not one, or not
 * told. */
uint32_t icmp_mtu(const struct icmp_header *h, bool v6);

/*
 * The errno that a connected socket gets for an ICMP error, and whether it ends a connection that
 * is being set up (hard) or is only remembered. 0: none. source       icmp(7), ip(7), RFC
 * 1122 4.2.3.9, RFC 5461
 */
int icmp_errno(uint8_t type, uint8_t code, bool v6, bool *hard);

/* Neighbour discovery options, RFC 4861 4.6: an iterator over [p, p + n). */
struct ndp_option_iter {
	const uint8_t *p;
	size_t n;
	const uint8_t *option; /* the current one: type, length in units of 8, data */
	size_t len;            /* its bytes */
	bool bad;              /* a length was zero or too long: the packet is to be dropped */
};

static inline void ndp_options(struct ndp_option_iter *i, const uint8_t *p, size_t n)
{
	*i = (struct ndp_option_iter){ .p = p, .n = n };
}

/* False at the end, or at a bad option. */
MUST_CHECK bool ndp_next(struct ndp_option_iter *i);

struct ndp_neighbour { /* solicitation and advertisement: RFC 4861 4.3, 4.4 */
	struct ipv6_addr target;
	bool router, solicited, override;
	const uint8_t *mac; /* source or target link-layer address, NULL: none */
};

/* p is the ICMPv6 message, hops its hop limit, which has to be 255. */
MUST_CHECK int ndp_neighbour_parse(const uint8_t *p, size_t n, uint8_t hops,
				   struct ndp_neighbour *m);

/* Writes a solicitation or advertisement, checksum zero; returns its length: 24 or 32 bytes. */
size_t ndp_neighbour_build(uint8_t *p, uint8_t type, const struct ndp_neighbour *m);
