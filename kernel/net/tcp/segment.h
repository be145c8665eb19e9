#pragma once

/*
 * A TCP segment as values in host order, and its header on the wire. The same structure is what
 * arrives and what is to be sent: the payload itself stays where it is.
 *
 *   source       RFC 9293 3.1, 3.2; RFC 7323 (window scale, timestamps); RFC 2018 (SACK);
 *                RFC 3168 6.1 (ECE, CWR)
 */

#include "lib/types.h"

enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	TCP_URG = 32,
	TCP_ECE = 64,
	TCP_CWR = 128,
};

/* Bits of tcp_seg.opts: which options the segment has. */
enum {
	TCP_OPT_MSS = 1,
	TCP_OPT_WSCALE = 2,
	TCP_OPT_SACK_OK = 4,
	TCP_OPT_TS = 8,
	TCP_OPT_SACK = 16
};

/* The codepoints of the ECN field of IP: RFC 3168 5. */
enum { IP_NOT_ECT, IP_ECT1, IP_ECT0, IP_CE };

enum {
	TCP_HEADER = 20, /* bytes, without options */
	TCP_HEADER_MAX = 60,
	TCP_SACKS = 4, /* blocks that fit into one header */
	TCP_WSCALE_MAX = 14,
	TCP_MSS_DEFAULT = 536, /* RFC 9293 3.7.1, IPv4 */
};

struct tcp_range {
	uint32_t start, end; /* [start, end) */
};

struct tcp_seg {
	uint32_t seq, ack;
	uint32_t len;     /* payload bytes */
	uint16_t window;  /* as on the wire: not scaled */
	uint16_t urgent;  /* pointer, valid with TCP_URG */
	uint16_t mss;     /* TCP_OPT_MSS */
	uint16_t gso_mss; /* to send: cut the payload into pieces of this size; 0: one packet */
	uint16_t pieces;  /* received: packets that were joined into this one; 0 counts as 1 */
	uint8_t flags;
	uint8_t opts;
	uint8_t wscale; /* TCP_OPT_WSCALE */
	uint8_t nsacks; /* TCP_OPT_SACK */
	uint8_t ip_ecn;
	uint32_t tsval, tsecr; /* TCP_OPT_TS */
	struct tcp_range sacks[TCP_SACKS];
};

/*
 * Reads a header from `n` bytes that begin with it and end with the segment.
 *   header_len   set to the offset of the payload
 *   returns      0, or -EINVAL: a length that cannot be. A malformed option ends the options (the
 *                segment counts), as RFC 9293 3.1 leaves open and every stack does
 *   note         the checksum is not looked at; s->ip_ecn and s->pieces are zero
 */
MUST_CHECK int tcp_seg_parse(const uint8_t *p, size_t n, struct tcp_seg *s, size_t *header_len);

/* Bytes of header that s has, options and padding included: 20 … 60, a multiple of 4. */
size_t tcp_seg_header_len(const struct tcp_seg *s);

/*
 * Writes the header of s, tcp_seg_header_len(s) bytes, with the checksum field zero.
 * Options too many for the header are a bug of the caller: SACK blocks that do not fit are left
 * out.
 */
void tcp_seg_build(const struct tcp_seg *s, uint16_t sport, uint16_t dport, uint8_t *p);

/* Sequence numbers that s occupies: RFC 9293 SEG.LEN. */
static inline uint32_t tcp_seg_span(const struct tcp_seg *s)
{
	return s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}
