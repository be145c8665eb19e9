/*
 * Taking IPv6 packets apart: the chain of extension headers (RFC 8200 4) and neighbour discovery
 * messages (RFC 4861 4). See parse.h.
 */
#include "abi/errno.h"
#include "net/parse.h"

enum { CHAIN_MAX = 16, OPT_PAD1 = 0, OPT_PADN = 1, OPT_ROUTER_ALERT = 5 };
enum { PROBLEM_FIELD = 0, PROBLEM_NEXT_HEADER = 1, PROBLEM_OPTION = 2 };

struct chain {
	const uint8_t *p;
	size_t n, at; /* at: the header being looked at */
	struct ipv6_header *h;
	struct ipv6_problem *problem;
};

static int refuse(struct chain *c, uint8_t code, size_t offset)
{
	*c->problem = (struct ipv6_problem){ true, code, (uint32_t)offset };
	return -EINVAL;
}

/* RFC 8200 4.2: the two high bits of an unknown option say what becomes of the packet. */
static int unknown_option(struct chain *c, uint8_t type, size_t offset)
{
	switch (type >> 6) {
	case 0:
		return 0;
	case 1:
		return -EINVAL;
	case 3:
		if (ipv6_is_multicast(&c->h->dst))
			return -EINVAL;
		FALLTHROUGH;
	default:
		return refuse(c, PROBLEM_OPTION, offset);
	}
}

static int options(struct chain *c, size_t start, size_t end)
{
	const uint8_t *p = c->p;

	while (start < end) {
		size_t len;
		int err;

		if (p[start] == OPT_PAD1) {
			start++;
			continue;
		}
		if (end - start < 2 || (size_t)p[start + 1] + 2 > end - start)
			return -EINVAL;
		len = (size_t)p[start + 1] + 2;
		if (p[start] == OPT_ROUTER_ALERT) {
			c->h->router_alert = true;
		} else if (p[start] != OPT_PADN) {
			err = unknown_option(c, p[start], start);
			if (err)
				return err;
		}
		start += len;
	}
	return 0;
}

/* Routing headers with segments left are for routers that want to be: RFC 8200 4.4, RFC 5095. */
static int routing(struct chain *c)
{
	if (c->p[c->at + 3] != 0)
		return refuse(c, PROBLEM_FIELD, c->at + 2);
	return 0;
}

static int fragment(struct chain *c)
{
	const uint8_t *p = c->p + c->at;
	uint16_t word = be16_get(p + 2);

	if (c->h->has_frag)
		return -EINVAL; /* a fragment of a fragment */
	c->h->has_frag = true;
	c->h->frag = word & 0xfff8;
	c->h->more = word & 1;
	c->h->frag_id = be32_get(p + 4);
	c->h->unfrag_len = (uint16_t)c->at;
	return 0;
}

/* Looks at the header `proto` at c->at. Returns its length, 0: upper layer, or -errno. */
static int extension(struct chain *c, uint8_t proto)
{
	size_t left = c->n - c->at, len;
	int err = 0;

	if (proto != IPPROTO_HOPOPTS_ && proto != IPPROTO_DSTOPTS_ && proto != IPPROTO_ROUTING_ &&
	    proto != IPPROTO_FRAGMENT_ && proto != IPPROTO_AH_)
		return 0;
	if (left < 8)
		return -EINVAL;
	if (proto == IPPROTO_FRAGMENT_)
		len = IPV6_FRAG_HEADER;
	else if (proto == IPPROTO_AH_)
		len = ((size_t)c->p[c->at + 1] + 2) * 4;
	else
		len = ((size_t)c->p[c->at + 1] + 1) * 8;
	if (len > left)
		return -EINVAL;
	if (proto == IPPROTO_HOPOPTS_ && c->at != IPV6_HEADER)
		err = refuse(c, PROBLEM_NEXT_HEADER, c->h->proto_at);
	else if (proto == IPPROTO_HOPOPTS_ || proto == IPPROTO_DSTOPTS_)
		err = options(c, c->at + 2, c->at + len);
	else if (proto == IPPROTO_ROUTING_)
		err = routing(c);
	else if (proto == IPPROTO_FRAGMENT_)
		err = fragment(c);
	return err ? err : (int)len;
}

int ipv6_parse(const uint8_t *p, size_t n, struct ipv6_header *h, struct ipv6_problem *problem)
{
	struct chain c = { .p = p, .at = IPV6_HEADER, .h = h, .problem = problem };

	*problem = (struct ipv6_problem){ 0 };
	if (n < IPV6_HEADER || p[0] >> 4 != 6 || be16_get(p + 4) > n - IPV6_HEADER)
		return -EINVAL;
	*h = (struct ipv6_header){
		.flow = be32_get(p) & 0xfffff,
		.tclass = (uint8_t)(p[0] << 4 | p[1] >> 4),
		.total = be16_get(p + 4) + (uint32_t)IPV6_HEADER,
		.hops = p[7],
		.proto = p[6],
		.proto_at = 6,
	};
	memcpy(&h->src, p + 8, sizeof(h->src));
	memcpy(&h->dst, p + 24, sizeof(h->dst));
	c.n = h->total;
	for (int i = 0; i < CHAIN_MAX; i++) {
		int len = extension(&c, h->proto);

		if (len < 0)
			return len;
		h->len = (uint16_t)c.at;
		if (len == 0)
			return 0;
		if (h->proto == IPPROTO_FRAGMENT_ && (h->frag || h->more)) {
			h->len = (uint16_t)(c.at + IPV6_FRAG_HEADER);
			return 0; /* the rest is for the reassembler */
		}
		h->proto = p[c.at];
		h->proto_at = (uint16_t)c.at;
		c.at += (size_t)len;
	}
	return -EINVAL;
}

void ipv6_build(uint8_t *p, const struct ipv6_header *h)
{
	be32_put(p, 6u << 28 | (uint32_t)h->tclass << 20 | (h->flow & 0xfffff));
	be16_put(p + 4, (uint16_t)(h->total - IPV6_HEADER));
	p[6] = h->proto;
	p[7] = h->hops;
	memcpy(p + 8, &h->src, sizeof(h->src));
	memcpy(p + 24, &h->dst, sizeof(h->dst));
}

void ipv6_frag_build(uint8_t *p, uint8_t proto, uint16_t offset, bool more, uint32_t id)
{
	p[0] = proto;
	p[1] = 0;
	be16_put(p + 2, (uint16_t)((offset & 0xfff8) | more));
	be32_put(p + 4, id);
}

bool ndp_next(struct ndp_option_iter *i)
{
	size_t len;

	if (i->n == 0 || i->bad)
		return false;
	len = i->n >= 2 ? (size_t)i->p[1] * 8 : 0;
	if (len == 0 || len > i->n) { /* RFC 4861 4.6 */
		i->bad = true;
		return false;
	}
	i->option = i->p;
	i->len = len;
	i->p += len;
	i->n -= len;
	return true;
}

enum { NDP_NEIGHBOUR_LEN = 24, NDP_ROUTER = 0x80, NDP_SOLICITED = 0x40, NDP_OVERRIDE = 0x20 };

int ndp_neighbour_parse(const uint8_t *p, size_t n, uint8_t hops, struct ndp_neighbour *m)
{
	bool solicit = n && p[0] == NDP_NEIGHBOUR_SOLICIT;
	struct ndp_option_iter i;

	if (n < NDP_NEIGHBOUR_LEN || hops != 255 || p[1] != 0)
		return -EINVAL;
	*m = (struct ndp_neighbour){
		.router = p[4] & NDP_ROUTER,
		.solicited = p[4] & NDP_SOLICITED,
		.override = p[4] & NDP_OVERRIDE,
	};
	memcpy(&m->target, p + 8, sizeof(m->target));
	if (ipv6_is_multicast(&m->target))
		return -EINVAL;
	ndp_options(&i, p + NDP_NEIGHBOUR_LEN, n - NDP_NEIGHBOUR_LEN);
	while (ndp_next(&i))
		if (i.option[0] == (solicit ? NDP_OPT_SOURCE_LL : NDP_OPT_TARGET_LL))
			m->mac = i.option + 2; /* len is at least 8 */
	return i.bad ? -EINVAL : 0;
}

size_t ndp_neighbour_build(uint8_t *p, uint8_t type, const struct ndp_neighbour *m)
{
	memset(p, 0, NDP_NEIGHBOUR_LEN);
	p[0] = type;
	if (type == NDP_NEIGHBOUR_ADVERT)
		p[4] = (uint8_t)((m->router ? NDP_ROUTER : 0) | (m->solicited ? NDP_SOLICITED : 0) |
				 (m->override ? NDP_OVERRIDE : 0));
	memcpy(p + 8, &m->target, sizeof(m->target));
	if (!m->mac)
		return NDP_NEIGHBOUR_LEN;
	p[24] = type == NDP_NEIGHBOUR_SOLICIT ? NDP_OPT_SOURCE_LL : NDP_OPT_TARGET_LL;
	p[25] = 1;
	memcpy(p + 26, m->mac, ETH_ALEN);
	return NDP_NEIGHBOUR_LEN + 8;
}
