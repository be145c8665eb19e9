/* The path MTU cache. See pmtu.h. */
#include "net/ip/pmtu.h"

void pmtu_init(struct pmtu_cache *c, struct pmtu_entry *entry, size_t sets,
	       const struct siphash_key *key)
{
	*c = (struct pmtu_cache){ .entry = entry, .sets = sets, .key = *key };
}

static struct pmtu_entry *set_of(const struct pmtu_cache *c, const struct ipv6_addr *dst)
{
	return c->entry + (siphash(&c->key, dst, sizeof(*dst)) & (c->sets - 1)) * PMTU_WAYS;
}

/* The entry of dst, else the one to replace: free, or the one that expires first. */
static struct pmtu_entry *slot_for(struct pmtu_entry *set, const struct ipv6_addr *dst)
{
	struct pmtu_entry *oldest = set;

	for (unsigned i = 0; i < PMTU_WAYS; i++) {
		if (set[i].expires && ipv6_eq(&set[i].dst, dst))
			return &set[i];
		if (set[i].expires < oldest->expires)
			oldest = &set[i];
	}
	return oldest;
}

/* RFC 1191 7.1, table 7-1 */
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateaus[] = {
		65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508
	};

	for (unsigned i = 0; i < ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return IPV4_MIN_MTU;
}

uint32_t pmtu_update(struct pmtu_cache *c, const struct ipv6_addr *dst, uint32_t mtu, uint32_t sent,
		     uint32_t link_mtu, nsec_t now)
{
	struct pmtu_entry *e;
	bool v4 = ipv6_is_v4mapped(dst);
	uint32_t known;

	if (v4 && mtu == 0)
		mtu = plateau_below(sent);
	mtu = MAX(mtu, v4 ? (uint32_t)PMTU_MIN4 : (uint32_t)IPV6_MIN_MTU);
	known = pmtu_get(c, dst, link_mtu, now);
	if (mtu >= known)
		return 0; /* RFC 8201 4: a message never raises it */
	e = slot_for(set_of(c, dst), dst);
	*e = (struct pmtu_entry){ .dst = *dst, .mtu = mtu, .expires = now + PMTU_TIMEOUT_NS };
	return mtu;
}

uint32_t pmtu_get(const struct pmtu_cache *c, const struct ipv6_addr *dst, uint32_t link_mtu,
		  nsec_t now)
{
	const struct pmtu_entry *set = set_of(c, dst);

	for (unsigned i = 0; i < PMTU_WAYS; i++)
		if (set[i].expires > now && ipv6_eq(&set[i].dst, dst))
			return MIN(set[i].mtu, link_mtu);
	return link_mtu;
}
