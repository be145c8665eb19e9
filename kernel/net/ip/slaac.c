/* IPv6 autoconfiguration. See slaac.h. */
#include "net/ip/slaac.h"

#include "abi/errno.h"
#include "net/parse.h"

#define RS_INTERVAL_NS (4 * NSEC_PER_SEC)
#define DAD_NS         NSEC_PER_SEC
#define TWO_HOURS_NS   (7200 * NSEC_PER_SEC)

enum { RS_COUNT = 3, RA_LEN = 16, PREFIX_LEN = 32, ON_LINK = 0x80, AUTONOMOUS = 0x40, MTU_LEN = 8 };

/* RFC 4291 appendix A: modified EUI-64. */
static void put_interface_id(struct ipv6_addr *a, const uint8_t *mac)
{
	memcpy(a->b + 8, mac, 3);
	a->b[8] ^= 2;
	a->b[11] = 0xff;
	a->b[12] = 0xfe;
	memcpy(a->b + 13, mac + 3, 3);
}

static struct slaac_addr *addr_new(struct slaac *s, nsec_t now)
{
	for (unsigned i = 0; i < SLAAC_ADDRS; i++) {
		struct slaac_addr *a = &s->addr[i];

		if (a->used || a->announced)
			continue;
		*a = (struct slaac_addr){ .used = true, .probes = 1, .plen = 64, .dad_at = now };
		return a;
	}
	return NULL;
}

void slaac_start(struct slaac *s, const uint8_t *mac, nsec_t now)
{
	struct slaac_addr *a;

	*s = (struct slaac){ .up = true, .solicits = RS_COUNT, .solicit_at = now };
	memcpy(s->mac, mac, ETH_ALEN);
	a = addr_new(s, now);
	a->addr = (struct ipv6_addr){ { 0xfe, 0x80 } };
	put_interface_id(&a->addr, mac);
	a->preferred_until = a->valid_until = NSEC_MAX;
	s->solicit_at = now + DAD_NS; /* when the address may be used as a source */
}

static nsec_t until(nsec_t now, uint32_t seconds)
{
	return seconds == UINT32_MAX ? NSEC_MAX : now + seconds * NSEC_PER_SEC;
}

static bool prefix_matches(const struct ipv6_addr *a, const struct ipv6_addr *b, unsigned plen)
{
	unsigned bytes = plen / 8, bits = plen % 8;

	if (memcmp(a->b, b->b, bytes))
		return false;
	return bits == 0 || ((a->b[bytes] ^ b->b[bytes]) & (uint8_t)(0xff00u >> bits)) == 0;
}

static void note_prefix(struct slaac *s, const struct ipv6_addr *prefix, uint8_t plen,
			uint32_t valid, nsec_t now)
{
	struct slaac_prefix *free = NULL;

	for (unsigned i = 0; i < SLAAC_PREFIXES; i++) {
		struct slaac_prefix *p = &s->prefix[i];

		if (p->used && p->plen == plen && prefix_matches(&p->prefix, prefix, plen)) {
			p->until = until(now, valid);
			return;
		}
		if (!p->used && !p->announced && !free)
			free = p;
	}
	if (!free || !valid)
		return;
	*free = (struct slaac_prefix){ .used = true, .plen = plen, .until = until(now, valid) };
	free->prefix = *prefix;
}

/* RFC 4862 5.5.3 (e): a forged advertisement cannot make an address invalid at once. */
static void renew_addr(struct slaac_addr *a, uint32_t valid, uint32_t preferred, nsec_t now)
{
	nsec_t end = until(now, valid), left = a->valid_until - now;

	a->preferred_until = until(now, preferred);
	if (valid > 7200 || end > a->valid_until)
		a->valid_until = end;
	else if (left > TWO_HOURS_NS)
		a->valid_until = now + TWO_HOURS_NS;
	if (a->state == SLAAC_DEPRECATED && preferred)
		a->state = SLAAC_PREFERRED;
}

static void note_autonomous(struct slaac *s, const struct ipv6_addr *prefix, uint32_t valid,
			    uint32_t preferred, nsec_t now)
{
	struct slaac_addr *a;

	for (unsigned i = 0; i < SLAAC_ADDRS; i++) {
		a = &s->addr[i];
		if (a->used && prefix_matches(&a->addr, prefix, 64)) {
			renew_addr(a, valid, preferred, now);
			return;
		}
	}
	if (valid == 0)
		return;
	a = addr_new(s, now);
	if (!a)
		return;
	memcpy(a->addr.b, prefix->b, 8);
	put_interface_id(&a->addr, s->mac);
	a->valid_until = until(now, valid);
	a->preferred_until = until(now, preferred);
}

/* RFC 4861 4.6.2, 6.3.4; RFC 4862 5.5.3 */
static void prefix_option(struct slaac *s, const uint8_t *o, nsec_t now)
{
	struct ipv6_addr prefix = { { 0 } };
	uint32_t valid = be32_get(o + 4), preferred = be32_get(o + 8);
	uint8_t plen = o[2], bytes;

	if (plen > 128)
		return;
	bytes = plen / 8;
	memcpy(prefix.b, o + 16, bytes);
	if (plen % 8)
		prefix.b[bytes] = o[16 + bytes] & (uint8_t)(0xff00u >> plen % 8);
	if (ipv6_is_link_local(&prefix) || ipv6_is_multicast(&prefix))
		return;
	if (o[3] & ON_LINK)
		note_prefix(s, &prefix, plen, valid, now);
	if (o[3] & AUTONOMOUS && plen == 64 && preferred <= valid && !(s->ignore & SLAAC_NO_ADDRS))
		note_autonomous(s, &prefix, valid, preferred, now);
}

/* RFC 8106 5.1 */
static void dns_option(struct slaac *s, const uint8_t *o, size_t len)
{
	if (len < 24 || be32_get(o + 4) == 0)
		return;
	s->ndns = (uint8_t)MIN((len - 8) / 16, (size_t)SLAAC_DNS);
	for (unsigned i = 0; i < s->ndns; i++)
		memcpy(s->dns[i].b, o + 8 + 16 * (size_t)i, 16);
}

static void note_router(struct slaac *s, const struct ipv6_addr *src, uint32_t seconds,
			uint8_t flags, nsec_t now)
{
	struct slaac_router *free = NULL;
	int8_t pref = (flags >> 3 & 3) == 1 ? 1 : (flags >> 3 & 3) == 3 ? -1 : 0;

	for (unsigned i = 0; i < SLAAC_ROUTERS; i++) {
		struct slaac_router *r = &s->router[i];

		if (r->used && ipv6_eq(&r->addr, src)) {
			r->until = now + seconds * NSEC_PER_SEC;
			r->announced = r->announced && r->preference == pref;
			r->preference = pref;
			return;
		}
		if (!r->used && !r->announced && !free)
			free = r;
	}
	if (!free || !seconds)
		return;
	*free = (struct slaac_router){ .used = true, .addr = *src, .preference = pref };
	free->until = now + seconds * NSEC_PER_SEC;
}

static bool options_are_valid(const uint8_t *p, size_t n)
{
	struct ndp_option_iter i;

	ndp_options(&i, p, n);
	while (ndp_next(&i))
		;
	return !i.bad;
}

int slaac_advert(struct slaac *s, const uint8_t *p, size_t n, const struct ipv6_addr *src,
		 uint8_t hops, nsec_t now)
{
	struct ndp_option_iter i;

	if (n < RA_LEN || hops != 255 || p[1] != 0 || !ipv6_is_link_local(src) ||
	    !options_are_valid(p + RA_LEN, n - RA_LEN))
		return -EINVAL;
	s->hop_limit = p[4] ? p[4] : s->hop_limit;
	s->managed = p[5] & 0x80;
	s->other = p[5] & 0x40;
	s->reachable_ms = be32_get(p + 8) ? be32_get(p + 8) : s->reachable_ms;
	s->retrans_ms = be32_get(p + 12) ? be32_get(p + 12) : s->retrans_ms;
	if (!(s->ignore & SLAAC_NO_ROUTERS))
		note_router(s, src, be16_get(p + 6), p[5], now);
	if (be16_get(p + 6))
		s->solicits = 0; /* RFC 4861 6.3.7 */
	ndp_options(&i, p + RA_LEN, n - RA_LEN);
	while (ndp_next(&i)) {
		if (i.option[0] == NDP_OPT_PREFIX && i.len == PREFIX_LEN &&
		    !(s->ignore & SLAAC_NO_PREFIXES))
			prefix_option(s, i.option, now);
		else if (i.option[0] == NDP_OPT_MTU && i.len == MTU_LEN &&
			 !(s->ignore & SLAAC_NO_MTU) && be32_get(i.option + 4) >= IPV6_MIN_MTU)
			s->mtu = be32_get(i.option + 4);
		else if (i.option[0] == NDP_OPT_RDNSS)
			dns_option(s, i.option, i.len);
	}
	return 0;
}

void slaac_duplicate(struct slaac *s, const struct ipv6_addr *addr)
{
	for (unsigned i = 0; i < SLAAC_ADDRS; i++) {
		struct slaac_addr *a = &s->addr[i];

		if (a->used && a->state == SLAAC_TENTATIVE && ipv6_eq(&a->addr, addr))
			a->state = SLAAC_DUPLICATE;
	}
}

/* The address's next step, if it is due. */
static bool addr_step(struct slaac_addr *a, nsec_t now, struct slaac_step *step)
{
	if (a->used && now >= a->valid_until)
		a->used = false;
	if (a->used && a->state == SLAAC_PREFERRED && now >= a->preferred_until)
		a->state = SLAAC_DEPRECATED;
	if (a->used && a->state == SLAAC_TENTATIVE && now >= a->dad_at && a->announced) {
		if (a->probes) {
			a->probes--;
			a->dad_at = now + DAD_NS;
			*step = (struct slaac_step){ .action = SLAAC_SEND_DAD, .addr = a->addr };
			return true;
		}
		a->state = SLAAC_PREFERRED;
	}
	if (a->used == a->announced && (!a->used || a->state == a->announced_state))
		return false;
	*step = (struct slaac_step){ .action = a->used ? SLAAC_ADDR_SET : SLAAC_ADDR_GONE,
				     .state = a->state,
				     .plen = a->plen,
				     .addr = a->addr };
	a->announced = a->used;
	a->announced_state = a->state;
	return true;
}

static bool prefix_step(struct slaac_prefix *p, nsec_t now, struct slaac_step *step)
{
	if (p->used && now >= p->until)
		p->used = false;
	if (p->used == p->announced)
		return false;
	*step = (struct slaac_step){ .action = p->used ? SLAAC_PREFIX_SET : SLAAC_PREFIX_GONE,
				     .plen = p->plen,
				     .addr = p->prefix };
	p->announced = p->used;
	return true;
}

static bool router_step(struct slaac_router *r, nsec_t now, struct slaac_step *step)
{
	if (r->used && now >= r->until)
		r->used = false;
	if (r->used == r->announced)
		return false;
	*step = (struct slaac_step){ .action = r->used ? SLAAC_ROUTER_SET : SLAAC_ROUTER_GONE,
				     .preference = r->preference,
				     .addr = r->addr };
	r->announced = r->used;
	return true;
}

static bool solicit_step(struct slaac *s, nsec_t now, struct slaac_step *step)
{
	if (!s->solicits || now < s->solicit_at)
		return false;
	s->solicits--;
	s->solicit_at = now + RS_INTERVAL_NS;
	*step = (struct slaac_step){ .action = SLAAC_SEND_RS };
	if (s->addr[0].used && s->addr[0].state == SLAAC_PREFERRED)
		step->addr = s->addr[0].addr;
	return true;
}

bool slaac_next(struct slaac *s, nsec_t now, struct slaac_step *step)
{
	if (!s->up)
		return false;
	for (unsigned i = 0; i < SLAAC_ADDRS; i++)
		if (addr_step(&s->addr[i], now, step))
			return true;
	for (unsigned i = 0; i < SLAAC_PREFIXES; i++)
		if (prefix_step(&s->prefix[i], now, step))
			return true;
	for (unsigned i = 0; i < SLAAC_ROUTERS; i++)
		if (router_step(&s->router[i], now, step))
			return true;
	return solicit_step(s, now, step);
}

nsec_t slaac_deadline(const struct slaac *s)
{
	nsec_t t = s->solicits ? s->solicit_at : NSEC_MAX;

	for (unsigned i = 0; i < SLAAC_ADDRS; i++) {
		const struct slaac_addr *a = &s->addr[i];

		if (!a->used)
			continue;
		t = MIN(t, a->valid_until);
		if (a->state == SLAAC_TENTATIVE)
			t = MIN(t, a->dad_at);
		else if (a->state == SLAAC_PREFERRED)
			t = MIN(t, a->preferred_until);
	}
	for (unsigned i = 0; i < SLAAC_PREFIXES; i++)
		t = s->prefix[i].used ? MIN(t, s->prefix[i].until) : t;
	for (unsigned i = 0; i < SLAAC_ROUTERS; i++)
		t = s->router[i].used ? MIN(t, s->router[i].until) : t;
	return s->up ? t : NSEC_MAX;
}
