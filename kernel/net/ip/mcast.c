/* Multicast membership. See mcast.h. */
#include "net/ip/mcast.h"

#include "abi/errno.h"
#include "net/checksum.h"

enum {
	IGMP_QUERY = 0x11,
	IGMP_REPORT_V1 = 0x12,
	IGMP_REPORT_V2 = 0x16,
	IGMP_LEAVE = 0x17,
	IGMP_REPORT_V3 = 0x22,
	IGMP_LEN = 8,
	IGMP_V3_LEN = 12,
	MLD_LEN = 24,
	MLD_V2_LEN = 28,
};

#define OLDER_QUERIER_NS (260 * NSEC_PER_SEC) /* RFC 3376 8.12: 2 * 125 s + 10 s */

unsigned mcast_version(const struct mcast_if *m, nsec_t now)
{
	if (now < m->v1_until)
		return 1;
	return now < m->v2_until ? 2 : 3;
}

bool mcast_is_reported(const struct ipv6_addr *group)
{
	static const struct ipv6_addr all_nodes = { { 0xff, 2, [15] = 1 } };

	if (ipv6_is_v4mapped(group))
		return be32_get(group->b + 12) != 0xe0000001;
	return !ipv6_eq(group, &all_nodes) && (group->b[1] & 15) > 1; /* RFC 3810 6 */
}

static struct ipv6_addr mapped(uint32_t v4)
{
	struct ipv6_addr a = { { [10] = 0xff, [11] = 0xff } };

	be32_put(a.b + 12, v4);
	return a;
}

void mcast_join(struct mcast_group *g, const struct ipv6_addr *addr, nsec_t now)
{
	*g = (struct mcast_group){ .addr = *addr, .joined = true, .report_at = NSEC_MAX };
	if (!mcast_is_reported(addr))
		return;
	g->repeats = MCAST_ROBUSTNESS;
	g->report_at = now;
}

bool mcast_leave(const struct mcast_if *m, struct mcast_group *g, nsec_t now)
{
	unsigned version = mcast_version(m, now);
	bool tell = g->joined && mcast_is_reported(&g->addr) &&
		    (version == 3 || (version == 2 && g->last_reporter));

	g->joined = false;
	g->report_at = NSEC_MAX;
	return tell;
}

/* RFC 3376 4.1.1, RFC 3810 5.1.3: above a bound the code is a floating-point number. */
static uint32_t decode_delay(uint32_t code, unsigned mantissa_bits)
{
	uint32_t top = 1u << (mantissa_bits + 3), mantissa = code & ((1u << mantissa_bits) - 1);

	if (code < top)
		return code;
	return (mantissa | 1u << mantissa_bits) << ((code >> mantissa_bits & 7) + 3);
}

static int igmp_query(struct mcast_if *m, const uint8_t *p, size_t n, nsec_t now,
		      struct mcast_query *q)
{
	uint32_t tenths = p[1];

	if (n < IGMP_LEN || p[0] != IGMP_QUERY)
		return -EINVAL;
	if (n == IGMP_LEN && p[1] == 0) { /* RFC 2236 4 */
		m->v1_until = now + OLDER_QUERIER_NS;
		tenths = 100;
	} else if (n == IGMP_LEN) {
		m->v2_until = now + OLDER_QUERIER_NS;
	} else if (n >= IGMP_V3_LEN) {
		tenths = decode_delay(p[1], 4);
	} else {
		return -EINVAL; /* RFC 3376 7.1 */
	}
	q->general = be32_get(p + 4) == 0;
	q->group = mapped(be32_get(p + 4));
	q->max_delay = tenths * 100 * NSEC_PER_MSEC;
	return 0;
}

static int mld_query(struct mcast_if *m, const uint8_t *p, size_t n, nsec_t now,
		     struct mcast_query *q)
{
	uint32_t ms;

	if (n < MLD_LEN || p[0] != MLD_QUERY || (n > MLD_LEN && n < MLD_V2_LEN))
		return -EINVAL;
	ms = be16_get(p + 4);
	if (n == MLD_LEN)
		m->v2_until = now + OLDER_QUERIER_NS;
	else
		ms = decode_delay(ms, 12);
	memcpy(&q->group, p + 8, sizeof(q->group));
	q->general = ipv6_is_unspecified(&q->group);
	q->max_delay = ms * NSEC_PER_MSEC;
	return 0;
}

int mcast_query_parse(struct mcast_if *m, const uint8_t *p, size_t n, nsec_t now,
		      struct mcast_query *q)
{
	if (n < IGMP_LEN)
		return -EINVAL;
	return m->v6 ? mld_query(m, p, n, now, q) : igmp_query(m, p, n, now, q);
}

void mcast_queried(struct mcast_group *g, const struct mcast_query *q, uint32_t random, nsec_t now)
{
	nsec_t at = now + (nsec_t)((uint64_t)q->max_delay / 65536 * (random & 65535));

	if (!g->joined || !mcast_is_reported(&g->addr))
		return;
	if (q->general || ipv6_eq(&q->group, &g->addr))
		g->report_at = MIN(g->report_at, at);
}

void mcast_heard(const struct mcast_if *m, struct mcast_group *g, nsec_t now)
{
	if (mcast_version(m, now) == 3 || !g->joined || g->repeats)
		return;
	g->report_at = NSEC_MAX;
	g->last_reporter = false;
}

/* RFC 2236 8.10, RFC 3376 8.11: unsolicited reports are 10 s apart, or 1 s. */
static nsec_t unsolicited_interval(const struct mcast_if *m, nsec_t now)
{
	return (mcast_version(m, now) == 3 ? 1 : 10) * NSEC_PER_SEC;
}

bool mcast_report_due(const struct mcast_if *m, struct mcast_group *g, uint32_t random, nsec_t now,
		      enum mcast_report *kind)
{
	if (now < g->report_at)
		return false;
	*kind = g->repeats ? MCAST_JOIN : MCAST_IS_EXCLUDE;
	g->last_reporter = true;
	g->report_at = NSEC_MAX;
	if (g->repeats && --g->repeats)
		g->report_at = now + (nsec_t)((uint64_t)unsolicited_interval(m, now) / 65536 *
					      (random & 65535));
	return true;
}

/* RFC 3376 4.2: one group record without sources. */
static size_t igmp_v3(uint8_t *p, uint32_t group, enum mcast_report kind, struct ipv6_addr *dst)
{
	memset(p, 0, 16);
	p[0] = IGMP_REPORT_V3;
	be16_put(p + 6, 1);
	p[8] = (uint8_t)kind;
	be32_put(p + 12, group);
	csum_put(p + 2, csum(p, 16));
	*dst = mapped(0xe0000016);
	return 16;
}

static size_t igmp_build(unsigned version, uint32_t group, enum mcast_report kind, uint8_t *p,
			 struct ipv6_addr *dst)
{
	if (version == 3)
		return igmp_v3(p, group, kind, dst);
	if (kind == MCAST_LEAVE && version == 1)
		return 0;
	memset(p, 0, IGMP_LEN);
	p[0] = kind == MCAST_LEAVE ? IGMP_LEAVE : version == 1 ? IGMP_REPORT_V1 : IGMP_REPORT_V2;
	be32_put(p + 4, group);
	csum_put(p + 2, csum(p, IGMP_LEN));
	*dst = mapped(kind == MCAST_LEAVE ? 0xe0000002 : group);
	return IGMP_LEN;
}

static size_t mld_build(unsigned version, const struct ipv6_addr *group, enum mcast_report kind,
			uint8_t *p, struct ipv6_addr *dst)
{
	static const struct ipv6_addr routers = { { 0xff, 2, [15] = 2 } };
	static const struct ipv6_addr v2_routers = { { 0xff, 2, [15] = 0x16 } };

	memset(p, 0, MLD_V2_LEN);
	if (version == 3) { /* RFC 3810 5.2 */
		p[0] = MLD_REPORT_V2;
		be16_put(p + 6, 1);
		p[8] = (uint8_t)kind;
		memcpy(p + 12, group, sizeof(*group));
		*dst = v2_routers;
		return MLD_V2_LEN;
	}
	p[0] = kind == MCAST_LEAVE ? MLD_DONE_V1 : MLD_REPORT_V1;
	memcpy(p + 8, group, sizeof(*group));
	*dst = kind == MCAST_LEAVE ? routers : *group;
	return MLD_LEN;
}

size_t mcast_build(const struct mcast_if *m, const struct mcast_group *g, enum mcast_report kind,
		   nsec_t now, uint8_t *p, struct ipv6_addr *dst)
{
	unsigned version = mcast_version(m, now);

	if (m->v6)
		return mld_build(version, &g->addr, kind, p, dst);
	return igmp_build(version, be32_get(g->addr.b + 12), kind, p, dst);
}
