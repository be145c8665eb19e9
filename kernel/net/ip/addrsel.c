/* Source address selection. See addrsel.h. */
#include "net/ip/addrsel.h"

struct policy {
	struct ipv6_addr prefix;
	uint8_t plen, precedence, label;
};

/* RFC 6724 2.1, the longest first. */
static const struct policy policies[] = {
	{ { { [15] = 1 } }, 128, 50, 0 },  { { { [10] = 0xff, [11] = 0xff } }, 96, 35, 4 },
	{ { { 0 } }, 96, 1, 3 },           { { { 0x20, 0x01 } }, 32, 5, 5 },
	{ { { 0x20, 0x02 } }, 16, 30, 2 }, { { { 0x3f, 0xfe } }, 16, 1, 12 },
	{ { { 0xfe, 0xc0 } }, 10, 1, 11 }, { { { 0xfc } }, 7, 3, 13 },
	{ { { 0 } }, 0, 40, 1 },
};

static unsigned common_bits(const struct ipv6_addr *a, const struct ipv6_addr *b, unsigned max)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned x = a->b[i] ^ b->b[i];

		if (x)
			return MIN(i * 8 + (unsigned)__builtin_clz(x) - 24, max);
	}
	return max;
}

static const struct policy *policy_of(const struct ipv6_addr *a)
{
	const struct policy *p = policies;

	while (common_bits(a, &p->prefix, p->plen) < p->plen)
		p++; /* the last one matches everything */
	return p;
}

uint8_t addr_label(const struct ipv6_addr *a)
{
	return policy_of(a)->label;
}

uint8_t addr_precedence(const struct ipv6_addr *a)
{
	return policy_of(a)->precedence;
}

/* RFC 6724 3.1, 3.2 */
uint8_t addr_scope6(const struct ipv6_addr *a)
{
	if (ipv6_is_multicast(a))
		return a->b[1] & 15;
	if (ipv6_is_link_local(a) || ipv6_is_loopback(a))
		return SCOPE_LINK;
	if (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0)
		return SCOPE_SITE;
	if (ipv6_is_v4mapped(a)) {
		uint32_t v4 = be32_get(a->b + 12);

		return ipv4_is_loopback(v4) || ipv4_is_link_local(v4) ? SCOPE_LINK : SCOPE_GLOBAL;
	}
	return SCOPE_GLOBAL;
}

struct choice {
	const struct ipv6_addr *dst;
	uint32_t ifindex;
	uint8_t scope, label;
	bool prefer_temporary;
};

/* Rule 2: the smaller scope, if it reaches far enough. Positive: a is better. */
static int compare_scope(uint8_t a, uint8_t b, uint8_t dst)
{
	if (a < b)
		return a < dst ? -1 : 1;
	if (b < a)
		return b < dst ? 1 : -1;
	return 0;
}

/* RFC 6724 5, rules 1 to 8: is a better than b? */
static bool is_better(const struct choice *ch, const struct addr_candidate *a,
		      const struct addr_candidate *b)
{
	bool same_a = ipv6_eq(&a->addr, ch->dst), same_b = ipv6_eq(&b->addr, ch->dst);
	int scope = compare_scope(addr_scope6(&a->addr), addr_scope6(&b->addr), ch->scope);
	bool label_a = addr_label(&a->addr) == ch->label,
	     label_b = addr_label(&b->addr) == ch->label;

	if (same_a != same_b)
		return same_a;
	if (scope)
		return scope > 0;
	if (a->deprecated != b->deprecated)
		return b->deprecated;
	if (a->home != b->home)
		return a->home;
	if ((a->ifindex == ch->ifindex) != (b->ifindex == ch->ifindex))
		return a->ifindex == ch->ifindex;
	if (label_a != label_b)
		return label_a;
	if (a->temporary != b->temporary)
		return a->temporary == ch->prefer_temporary;
	return common_bits(&a->addr, ch->dst, a->plen) > common_bits(&b->addr, ch->dst, b->plen);
}

const struct addr_candidate *addr_select6(const struct ipv6_addr *dst, uint32_t ifindex,
					  const struct addr_candidate *c, size_t n,
					  bool prefer_temporary)
{
	struct choice ch = { dst, ifindex, addr_scope6(dst), addr_label(dst), prefer_temporary };
	const struct addr_candidate *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (c[i].tentative || ipv6_is_multicast(&c[i].addr) ||
		    ipv6_is_unspecified(&c[i].addr))
			continue;
		/* RFC 6724 4: link-local destinations want an address of their link. */
		if (ch.scope <= SCOPE_LINK && !ipv6_is_loopback(dst) && c[i].ifindex != ifindex)
			continue;
		if (!best || is_better(&ch, &c[i], best))
			best = &c[i];
	}
	return best;
}

const struct addr4_candidate *addr_select4(uint32_t next_hop, bool on_link, uint32_t ifindex,
					   const struct addr4_candidate *c, size_t n)
{
	const struct addr4_candidate *primary = NULL, *elsewhere = NULL;

	for (size_t i = 0; i < n; i++) {
		uint32_t mask = c[i].plen ? UINT32_MAX << (32 - c[i].plen) : 0;

		if (c[i].is_link_scope && !on_link)
			continue;
		if (c[i].ifindex != ifindex) {
			if (!elsewhere && !ipv4_is_loopback(c[i].addr))
				elsewhere = &c[i];
			continue;
		}
		if (!c[i].secondary && ((c[i].addr ^ next_hop) & mask) == 0)
			return &c[i];
		if (!primary)
			primary = &c[i];
	}
	return primary ? primary : elsewhere;
}
