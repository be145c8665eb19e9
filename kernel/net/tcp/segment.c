/*
 * The TCP header on the wire. See segment.h. Options are written in the order and with the padding
 * that RFC 7323 appendix A recommends, so that 32-bit values are aligned.
 */
#include "net/tcp/segment.h"

#include "abi/errno.h"
#include "net/wire.h"

enum { KIND_END, KIND_NOP, KIND_MSS, KIND_WSCALE, KIND_SACK_OK, KIND_SACK, KIND_TS = 8 };

static void parse_sack(const uint8_t *o, size_t len, struct tcp_seg *s)
{
	size_t n = (len - 2) / 8;

	if ((len - 2) % 8 || n == 0 || n > TCP_SACKS)
		return;
	for (size_t i = 0; i < n; i++) {
		s->sacks[i].start = be32_get(o + 2 + 8 * i);
		s->sacks[i].end = be32_get(o + 6 + 8 * i);
	}
	s->nsacks = (uint8_t)n;
	s->opts |= TCP_OPT_SACK;
}

/* One option of len >= 2 bytes. Those that belong to a SYN count nowhere else. */
static void parse_option(const uint8_t *o, size_t len, struct tcp_seg *s)
{
	bool syn = s->flags & TCP_SYN;

	switch (o[0]) {
	case KIND_MSS:
		if (len == 4 && syn && be16_get(o + 2)) {
			s->mss = be16_get(o + 2);
			s->opts |= TCP_OPT_MSS;
		}
		break;
	case KIND_WSCALE:
		if (len == 3 && syn) {
			s->wscale = MIN(o[2], TCP_WSCALE_MAX); /* RFC 7323 2.3 */
			s->opts |= TCP_OPT_WSCALE;
		}
		break;
	case KIND_SACK_OK:
		if (len == 2 && syn)
			s->opts |= TCP_OPT_SACK_OK;
		break;
	case KIND_SACK:
		parse_sack(o, len, s);
		break;
	case KIND_TS:
		if (len == 10) {
			s->tsval = be32_get(o + 2);
			s->tsecr = be32_get(o + 6);
			s->opts |= TCP_OPT_TS;
		}
		break;
	default:
		break;
	}
}

static void parse_options(const uint8_t *o, size_t n, struct tcp_seg *s)
{
	while (n && o[0] != KIND_END) {
		size_t len = 1;

		if (o[0] != KIND_NOP) {
			if (n < 2 || o[1] < 2 || o[1] > n)
				return;
			len = o[1];
			parse_option(o, len, s);
		}
		o += len;
		n -= len;
	}
}

int tcp_seg_parse(const uint8_t *p, size_t n, struct tcp_seg *s, size_t *header_len)
{
	size_t hlen;

	if (n < TCP_HEADER || n > IP_MAX_LEN)
		return -EINVAL;
	hlen = (size_t)(p[12] >> 4) * 4;
	if (hlen < TCP_HEADER || hlen > n)
		return -EINVAL;
	*s = (struct tcp_seg){
		.seq = be32_get(p + 4),
		.ack = be32_get(p + 8),
		.len = (uint32_t)(n - hlen),
		.flags = p[13],
		.window = be16_get(p + 14),
		.urgent = be16_get(p + 18),
	};
	parse_options(p + TCP_HEADER, hlen - TCP_HEADER, s);
	*header_len = hlen;
	return 0;
}

static size_t fixed_options_len(const struct tcp_seg *s)
{
	bool ts = s->opts & TCP_OPT_TS;
	size_t n = 0;

	n += s->opts & TCP_OPT_MSS ? 4 : 0;
	n += s->opts & TCP_OPT_WSCALE ? 4 : 0;
	n += ts ? 12 : 0;
	n += s->opts & TCP_OPT_SACK_OK && !ts ? 4
					      : 0; /* else in place of the timestamp's padding */
	return n;
}

static size_t sacks_that_fit(const struct tcp_seg *s, size_t fixed)
{
	size_t room = TCP_HEADER_MAX - TCP_HEADER - fixed;

	if (!(s->opts & TCP_OPT_SACK) || room < 12)
		return 0;
	return MIN((size_t)s->nsacks, (room - 4) / 8);
}

size_t tcp_seg_header_len(const struct tcp_seg *s)
{
	size_t fixed = fixed_options_len(s), sacks = sacks_that_fit(s, fixed);

	return TCP_HEADER + fixed + (sacks ? 4 + 8 * sacks : 0);
}

static uint8_t *put4(uint8_t *o, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	o[0] = a;
	o[1] = b;
	o[2] = c;
	o[3] = d;
	return o + 4;
}

static void build_options(const struct tcp_seg *s, uint8_t *o)
{
	bool ts = s->opts & TCP_OPT_TS, sack_ok = s->opts & TCP_OPT_SACK_OK;
	size_t sacks = sacks_that_fit(s, fixed_options_len(s));

	if (s->opts & TCP_OPT_MSS)
		o = put4(o, KIND_MSS, 4, (uint8_t)(s->mss >> 8), (uint8_t)s->mss);
	if (sack_ok)
		o = ts ? put4(o, KIND_SACK_OK, 2, KIND_TS, 10)
		       : put4(o, KIND_NOP, KIND_NOP, KIND_SACK_OK, 2);
	else if (ts)
		o = put4(o, KIND_NOP, KIND_NOP, KIND_TS, 10);
	if (ts) {
		be32_put(o, s->tsval);
		be32_put(o + 4, s->tsecr);
		o += 8;
	}
	if (s->opts & TCP_OPT_WSCALE)
		o = put4(o, KIND_NOP, KIND_WSCALE, 3, s->wscale);
	if (sacks)
		o = put4(o, KIND_NOP, KIND_NOP, KIND_SACK, (uint8_t)(2 + 8 * sacks));
	for (size_t i = 0; i < sacks; i++, o += 8) {
		be32_put(o, s->sacks[i].start);
		be32_put(o + 4, s->sacks[i].end);
	}
}

void tcp_seg_build(const struct tcp_seg *s, uint16_t sport, uint16_t dport, uint8_t *p)
{
	be16_put(p, sport);
	be16_put(p + 2, dport);
	be32_put(p + 4, s->seq);
	be32_put(p + 8, s->flags & TCP_ACK ? s->ack : 0);
	p[12] = (uint8_t)(tcp_seg_header_len(s) / 4 << 4);
	p[13] = s->flags;
	be16_put(p + 14, s->window);
	be16_put(p + 16, 0);
	be16_put(p + 18, s->flags & TCP_URG ? s->urgent : 0);
	build_options(s, p + TCP_HEADER);
}
