// sources: kernel/net/ip/neigh.c kernel/net/ip/slaac.c kernel/net/ip/dhcp.c kernel/net/ip/addrsel.c kernel/net/ip/mcast.c kernel/net/parse.c kernel/net/parse6.c kernel/net/checksum.c kernel/lib/siphash.c
/* The machines that set an interface up and keep it: neighbours, autoconfiguration, DHCP, groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "net/checksum.h"
#include "net/ip/addrsel.h"
#include "net/ip/dhcp.h"
#include "net/ip/mcast.h"
#include "net/ip/neigh.h"
#include "net/ip/slaac.h"
#include "net/parse.h"

#define S NSEC_PER_SEC

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xb };
static const struct neigh_config *const cfg = &neigh_default_config;

/* RFC 4861 7.3.3: from nothing to reachable, stale, delay, probe, and gone. */
static void neighbour_life(void **state)
{
	struct neigh_answer yes = { .mac = mac_a, .solicited = true, .override = true };
	struct neigh n;

	(void)state;
	neigh_init(&n, 0);
	assert_int_equal(neigh_use(&n, cfg, 100, 0), NEIGH_ASK_ALL);
	assert_int_equal(n.state, NEIGH_INCOMPLETE);
	assert_false(neigh_has_mac(&n));
	assert_int_equal(neigh_use(&n, cfg, 100, 0), 0); /* one question, two packets wait */
	assert_int_equal(n.queued, 200);
	assert_int_equal(neigh_timer(&n, cfg, S - 1), 0);
	assert_int_equal(neigh_timer(&n, cfg, S), NEIGH_ASK_ALL);
	assert_int_equal(neigh_answered(&n, cfg, &yes, S + 1), NEIGH_CHANGED | NEIGH_FLUSH);
	assert_int_equal(n.state, NEIGH_REACHABLE);
	assert_memory_equal(n.mac, mac_a, 6);
	assert_int_equal(neigh_timer(&n, cfg, 31 * S + 1), 0);
	assert_int_equal(n.state, NEIGH_STALE);
	assert_int_equal(n.deadline, NSEC_MAX);
	assert_int_equal(neigh_use(&n, cfg, 100, 40 * S), 0);
	assert_int_equal(n.state, NEIGH_DELAY);
	assert_true(neigh_has_mac(&n));
	assert_int_equal(neigh_timer(&n, cfg, 45 * S), NEIGH_ASK_IT);
	assert_int_equal(n.state, NEIGH_PROBE);
	assert_int_equal(neigh_timer(&n, cfg, 46 * S), NEIGH_ASK_IT);
	neigh_confirm(&n, cfg, 16 * S, 46 * S); /* too long ago */
	assert_int_equal(n.state, NEIGH_PROBE);
	neigh_confirm(&n, cfg, 46 * S + 1, 46 * S + 2); /* TCP made progress */
	assert_int_equal(n.state, NEIGH_REACHABLE);
	assert_int_equal(neigh_timer(&n, cfg, 76 * S + 1), 0);
	neigh_confirm(&n, cfg, 46 * S + 1, 76 * S + 1); /* that is known */
	assert_int_equal(n.state, NEIGH_STALE);
	neigh_confirm(&n, cfg, 76 * S, 76 * S + 1);
	assert_int_equal(n.state, NEIGH_REACHABLE);
	assert_int_equal(n.deadline, 106 * S);
}

static void neighbour_unreachable(void **state)
{
	struct neigh n;

	(void)state;
	neigh_init(&n, 0);
	assert_int_equal(neigh_use(&n, cfg, 100, 0), NEIGH_ASK_ALL);
	assert_int_equal(neigh_timer(&n, cfg, S), NEIGH_ASK_ALL);
	assert_int_equal(neigh_timer(&n, cfg, 2 * S), NEIGH_ASK_ALL);
	assert_int_equal(neigh_timer(&n, cfg, 3 * S), NEIGH_DROP);
	assert_int_equal(n.state, NEIGH_FAILED);
	assert_int_equal(n.queued, 0);
	assert_int_equal(neigh_use(&n, cfg, 100, 9 * S), NEIGH_ASK_ALL); /* a new try */
}

/* RFC 4861 7.2.5, appendix C */
static void neighbour_answers(void **state)
{
	struct neigh_answer other = { .mac = mac_b, .solicited = true }, nothing = { .solicited = true };
	struct neigh n;

	(void)state;
	neigh_init(&n, 0);
	assert_int_equal(neigh_heard(&n, mac_a, 0), NEIGH_CHANGED);
	assert_int_equal(n.state, NEIGH_STALE);
	neigh_confirm(&n, cfg, 1, 1);
	assert_int_equal(neigh_answered(&n, cfg, &other, 1), 0); /* another, without override: a doubt */
	assert_int_equal(n.state, NEIGH_STALE);
	assert_memory_equal(n.mac, mac_a, 6);
	assert_int_equal(neigh_answered(&n, cfg, &nothing, 1), 0);
	assert_int_equal(n.state, NEIGH_REACHABLE);
	other.override = true;
	other.solicited = false;
	assert_int_equal(neigh_answered(&n, cfg, &other, 1), NEIGH_CHANGED);
	assert_int_equal(n.state, NEIGH_STALE);
	assert_memory_equal(n.mac, mac_b, 6);
	assert_int_equal(neigh_set_permanent(&n, mac_a), NEIGH_CHANGED);
	assert_int_equal(neigh_answered(&n, cfg, &other, 1), 0);
	assert_int_equal(n.state, NEIGH_PERMANENT);
	neigh_init(&n, 0);
	assert_int_equal(neigh_use(&n, cfg, cfg->queue_max, 0), NEIGH_ASK_ALL);
	assert_int_equal(neigh_use(&n, cfg, 100, 0), NEIGH_DROP_OLDEST);
}

static const struct ipv6_addr router = { { 0xfe, 0x80, [15] = 1 } };

static size_t make_ra(uint8_t *p, uint16_t lifetime, uint32_t valid, uint32_t preferred)
{
	memset(p, 0, 100);
	p[0] = NDP_ROUTER_ADVERT;
	p[4] = 64;
	be16_put(p + 6, lifetime);
	p[16] = NDP_OPT_PREFIX;
	p[17] = 4;
	p[18] = 64;
	p[19] = 0xc0;
	be32_put(p + 20, valid);
	be32_put(p + 24, preferred);
	p[32] = 0x20;
	p[33] = 0x01;
	p[34] = 0x0d;
	p[35] = 0xb8;
	p[48] = NDP_OPT_MTU;
	p[49] = 1;
	be32_put(p + 52, 1400);
	p[56] = NDP_OPT_RDNSS;
	p[57] = 3;
	be32_put(p + 60, 600);
	p[64] = 0xfd;
	return 80;
}

static void expect_step(struct slaac *s, nsec_t now, int action, int state)
{
	struct slaac_step step;

	assert_true(slaac_next(s, now, &step));
	assert_int_equal(step.action, action);
	if (action == SLAAC_ADDR_SET)
		assert_int_equal(step.state, state);
}

static void expect_nothing(struct slaac *s, nsec_t now)
{
	struct slaac_step step;

	assert_false(slaac_next(s, now, &step));
}

/* RFC 4862 5: link-local with DAD, a prefix, deprecation, the end. */
static void slaac_life(void **state)
{
	struct slaac s;
	uint8_t p[100];
	size_t n = make_ra(p, 1800, 10000, 5000);

	(void)state;
	slaac_start(&s, mac_a, 0);
	expect_step(&s, 0, SLAAC_ADDR_SET, SLAAC_TENTATIVE);
	expect_step(&s, 0, SLAAC_SEND_DAD, 0);
	expect_nothing(&s, 0);
	assert_int_equal(slaac_deadline(&s), S);
	expect_step(&s, S, SLAAC_ADDR_SET, SLAAC_PREFERRED);
	expect_step(&s, S, SLAAC_SEND_RS, 0);
	expect_step(&s, 5 * S, SLAAC_SEND_RS, 0);
	assert_int_equal(slaac_advert(&s, p, n, &router, 255, 6 * S), 0);
	assert_int_equal(s.mtu, 1400);
	assert_int_equal(s.ndns, 1);
	expect_step(&s, 6 * S, SLAAC_ADDR_SET, SLAAC_TENTATIVE);
	expect_step(&s, 6 * S, SLAAC_SEND_DAD, 0);
	expect_step(&s, 6 * S, SLAAC_PREFIX_SET, 0);
	expect_step(&s, 6 * S, SLAAC_ROUTER_SET, 0);
	expect_nothing(&s, 6 * S);
	expect_step(&s, 7 * S, SLAAC_ADDR_SET, SLAAC_PREFERRED);
	expect_nothing(&s, 50 * S);
	assert_int_equal(s.addr[1].addr.b[0], 0x20);
	assert_int_equal(s.addr[1].addr.b[11], 0xff);
	assert_int_equal(s.addr[1].addr.b[8], 0); /* the universal bit, inverted */
	expect_step(&s, 1806 * S, SLAAC_ROUTER_GONE, 0);
	expect_step(&s, 5006 * S, SLAAC_ADDR_SET, SLAAC_DEPRECATED);
	expect_step(&s, 10006 * S, SLAAC_ADDR_GONE, 0);
	expect_step(&s, 10006 * S, SLAAC_PREFIX_GONE, 0);
	expect_nothing(&s, 10006 * S);
}

/* 5.5.3 (e): what an unauthenticated advertisement may shorten. */
static void slaac_two_hours(void **state)
{
	struct slaac s;
	uint8_t p[100];
	size_t n = make_ra(p, 1800, 100000, 50000);

	(void)state;
	slaac_start(&s, mac_a, 0);
	assert_int_equal(slaac_advert(&s, p, n, &router, 255, 0), 0);
	assert_int_equal(s.addr[1].valid_until, 100000 * S);
	n = make_ra(p, 1800, 10, 5);
	assert_int_equal(slaac_advert(&s, p, n, &router, 255, 0), 0);
	assert_int_equal(s.addr[1].valid_until, 7200 * S);
	n = make_ra(p, 0, 8000, 7000);
	assert_int_equal(slaac_advert(&s, p, n, &router, 255, 0), 0);
	assert_int_equal(s.addr[1].valid_until, 8000 * S);
}

static void slaac_refuses(void **state)
{
	struct ipv6_addr global = { { 0x20 } };
	struct slaac s;
	uint8_t p[100];
	size_t n = make_ra(p, 1800, 100, 50);

	(void)state;
	slaac_start(&s, mac_a, 0);
	assert_int_equal(slaac_advert(&s, p, n, &router, 254, 0), -EINVAL);
	assert_int_equal(slaac_advert(&s, p, n, &global, 255, 0), -EINVAL);
	assert_int_equal(slaac_advert(&s, p, 15, &router, 255, 0), -EINVAL);
	assert_int_equal(slaac_advert(&s, p, n - 4, &router, 255, 0), -EINVAL);
	p[17] = 0;
	assert_int_equal(slaac_advert(&s, p, n, &router, 255, 0), -EINVAL);
	assert_false(s.addr[1].used);
	slaac_duplicate(&s, &s.addr[0].addr);
	expect_step(&s, 0, SLAAC_ADDR_SET, SLAAC_DUPLICATE);
	expect_nothing(&s, 0);
}

struct reply {
	uint8_t p[600];
	size_t n;
};

static void option(struct reply *r, uint8_t code, uint8_t len, uint32_t v)
{
	r->p[r->n++] = code;
	r->p[r->n++] = len;
	if (len == 1)
		r->p[r->n] = (uint8_t)v;
	else
		be32_put(r->p + r->n, v);
	r->n += len;
}

static void make_reply(struct reply *r, const struct dhcp *d, uint8_t type, uint32_t lease)
{
	memset(r, 0, sizeof(*r));
	r->p[0] = 2;
	r->p[1] = 1;
	r->p[2] = 6;
	be32_put(r->p + 4, d->xid);
	be32_put(r->p + 16, 0x0a00020f);
	memcpy(r->p + 28, mac_a, 6);
	be32_put(r->p + 236, 0x63825363);
	r->n = 240;
	option(r, 53, 1, type);
	option(r, 54, 4, 0x0a000202);
	option(r, 51, 4, lease);
	option(r, 1, 4, 0xffffff00);
	option(r, 3, 4, 0x0a000202);
	option(r, 6, 4, 0x0a000203);
	r->p[r->n++] = 255;
}

static uint8_t sent_type(const struct dhcp_out *o)
{
	assert_true(o->len >= 300 && o->data[240] == 53);
	return o->data[242];
}

static void dhcp_lease_life(void **state)
{
	struct dhcp d;
	struct dhcp_out out;
	struct reply r;
	nsec_t now = 0;

	(void)state;
	dhcp_start(&d, mac_a, 12345, now);
	assert_true(dhcp_output(&d, now, &out));
	assert_int_equal(sent_type(&out), 1);
	assert_int_equal(out.dst, 0xffffffff);
	assert_int_equal(out.src, 0);
	assert_false(dhcp_output(&d, now, &out));
	now = dhcp_deadline(&d);
	assert_true(now >= 3 * S && now <= 5 * S);
	dhcp_timer(&d, now);
	assert_true(dhcp_output(&d, now, &out)); /* again */
	make_reply(&r, &d, 2, 3600);
	r.p[4] ^= 1; /* another client's */
	dhcp_input(&d, r.p, r.n, now);
	assert_int_equal(d.state, DHCP_SELECTING);
	r.p[4] ^= 1;
	dhcp_input(&d, r.p, r.n, now);
	assert_int_equal(d.state, DHCP_REQUESTING);
	assert_true(dhcp_output(&d, now, &out));
	assert_int_equal(sent_type(&out), 3);
	make_reply(&r, &d, 5, 3600);
	dhcp_input(&d, r.p, r.n, now);
	assert_int_equal(d.state, DHCP_BOUND);
	assert_true(dhcp_take_change(&d));
	assert_false(dhcp_take_change(&d));
	assert_int_equal(d.lease.addr, 0x0a00020f);
	assert_int_equal(d.lease.router, 0x0a000202);
	assert_int_equal(d.lease.dns[0], 0x0a000203);
	assert_int_equal(dhcp_deadline(&d), now + 1800 * S);
	now += 1800 * S;
	dhcp_timer(&d, now); /* renew, from the server itself */
	assert_true(dhcp_output(&d, now, &out));
	assert_int_equal(out.dst, 0x0a000202);
	assert_int_equal(out.src, 0x0a00020f);
	make_reply(&r, &d, 5, 3600);
	dhcp_input(&d, r.p, r.n, now);
	assert_int_equal(d.state, DHCP_BOUND);
	assert_false(dhcp_take_change(&d));
	/* Nobody answers any more: renewing, rebinding, the end. */
	for (int i = 0; i < 200 && d.state != DHCP_SELECTING; i++) {
		now = dhcp_deadline(&d);
		dhcp_timer(&d, now);
		if (dhcp_output(&d, now, &out) && d.state == DHCP_REBINDING)
			assert_int_equal(out.dst, 0xffffffff);
	}
	assert_int_equal(d.state, DHCP_SELECTING);
	assert_true(dhcp_take_change(&d));
	assert_int_equal(d.lease.addr, 0);
}

static void dhcp_nak_and_garbage(void **state)
{
	struct dhcp d;
	struct dhcp_out out;
	struct reply r;

	(void)state;
	dhcp_start(&d, mac_a, 99, 0);
	assert_true(dhcp_output(&d, 0, &out));
	make_reply(&r, &d, 2, 3600);
	r.p[241] = 200; /* longer than there is */
	r.p[240] = 12;
	dhcp_input(&d, r.p, 300, 0);
	assert_int_equal(d.state, DHCP_SELECTING);
	make_reply(&r, &d, 2, 3600);
	dhcp_input(&d, r.p, r.n, 0);
	make_reply(&r, &d, 6, 0);
	dhcp_input(&d, r.p, r.n, 0);
	assert_int_equal(d.state, DHCP_SELECTING);
	assert_false(dhcp_take_change(&d));
}

static struct ipv6_addr a6(const char *hex)
{
	struct ipv6_addr a = { { 0 } };

	for (int i = 0; hex[2 * i]; i++)
		sscanf(hex + 2 * i, "%2hhx", &a.b[i]);
	return a;
}

/* The examples of RFC 6724 10.1, among others. */
static void source_selection(void **state)
{
	struct addr_candidate c[3] = { { .addr = a6("20010db8000100000000000000000001"), .ifindex = 1, .plen = 64 },
				       { .addr = a6("fe800000000000000000000000000001"), .ifindex = 1, .plen = 64 },
				       { .addr = a6("20020a0102030000000000000000000a"), .ifindex = 1, .plen = 64 } };
	struct ipv6_addr global = a6("20010db8000100000000000000000002"), ll = a6("fe80000000000000000000000000ffff"),
			 six = a6("20020a0908070000000000000000000b"), mc = a6("ff050000000000000000000000000001");

	(void)state;
	assert_ptr_equal(addr_select6(&global, 1, c, 3, false), &c[0]);
	assert_ptr_equal(addr_select6(&ll, 1, c, 3, false), &c[1]);
	assert_null(addr_select6(&ll, 2, c, 3, false));
	assert_ptr_equal(addr_select6(&six, 1, c, 3, false), &c[2]); /* the label matches */
	assert_ptr_equal(addr_select6(&mc, 1, c, 2, false), &c[0]);  /* site scope: not the link's */
	c[0].deprecated = true;
	assert_ptr_equal(addr_select6(&global, 1, c, 3, false), &c[2]);
	c[2].tentative = true;
	assert_ptr_equal(addr_select6(&global, 1, c, 3, false), &c[0]);
	c[0].deprecated = false;
	c[2] = c[0];
	c[2].addr.b[15] = 9;
	c[2].temporary = true;
	assert_ptr_equal(addr_select6(&global, 1, c, 3, true), &c[2]);
	assert_int_equal(addr_precedence(&global), 40);
	assert_int_equal(addr_label(&six), 2);
}

static void source_selection_v4(void **state)
{
	struct addr4_candidate c[] = { { 0x7f000001, 1, 8, false, false }, { 0x0a000005, 2, 24, false, false },
				       { 0xc0a80105, 2, 24, false, false } };

	(void)state;
	assert_ptr_equal(addr_select4(0xc0a80101, true, 2, c, 3), &c[2]);
	assert_ptr_equal(addr_select4(0x0a000001, false, 2, c, 3), &c[1]);
	assert_ptr_equal(addr_select4(0x08080808, false, 2, c, 3), &c[1]);
	assert_ptr_equal(addr_select4(0x08080808, false, 3, c, 3), &c[1]);
}

static struct ipv6_addr group4(uint32_t g)
{
	struct ipv6_addr m = { { [10] = 0xff, [11] = 0xff } };

	be32_put(m.b + 12, g);
	return m;
}

/* RFC 3376: two reports to 224.0.0.22, answers to queries, a leave. */
static void groups_igmpv3(void **state)
{
	struct mcast_if m = { 0 };
	struct mcast_group g;
	struct mcast_query q;
	struct ipv6_addr group = group4(0xe0000101), dst;
	enum mcast_report kind;
	uint8_t p[MCAST_PACKET_MAX], query[12] = { 0x11, 100 };
	size_t n;

	(void)state;
	mcast_join(&g, &group, 0);
	assert_true(mcast_report_due(&m, &g, 30000, 0, &kind));
	assert_int_equal(kind, MCAST_JOIN);
	n = mcast_build(&m, &g, kind, 0, p, &dst);
	assert_int_equal(n, 16);
	assert_int_equal(csum(p, n), 0);
	assert_int_equal(be32_get(dst.b + 12), 0xe0000016);
	assert_int_equal(be32_get(p + 12), 0xe0000101);
	assert_false(mcast_report_due(&m, &g, 0, 0, &kind));
	assert_true(g.report_at > 0 && g.report_at < S);
	assert_true(mcast_report_due(&m, &g, 0, S, &kind));
	assert_int_equal(g.report_at, NSEC_MAX);
	assert_int_equal(mcast_query_parse(&m, query, 12, 2 * S, &q), 0);
	assert_true(q.general);
	mcast_queried(&g, &q, 32768, 2 * S);
	assert_true(g.report_at > 6 * S && g.report_at < 8 * S);
	mcast_heard(&m, &g, 3 * S); /* v3 does not suppress */
	assert_true(mcast_report_due(&m, &g, 0, 8 * S, &kind));
	assert_int_equal(kind, MCAST_IS_EXCLUDE);
	assert_true(mcast_leave(&m, &g, 9 * S));
	assert_false(mcast_report_due(&m, &g, 0, 99 * S, &kind));
}

static void groups_older_queriers(void **state)
{
	struct mcast_if m = { 0 };
	struct mcast_group g;
	struct mcast_query q;
	struct ipv6_addr group = group4(0xe0000101), all = group4(0xe0000001), dst;
	enum mcast_report kind;
	uint8_t p[MCAST_PACKET_MAX], query[8] = { 0x11, 100 };

	(void)state;
	assert_int_equal(mcast_query_parse(&m, query, 8, 0, &q), 0);
	assert_int_equal(mcast_version(&m, 0), 2);
	assert_int_equal(mcast_query_parse(&m, query, 10, 0, &q), -EINVAL);
	mcast_join(&g, &group, 0);
	assert_true(mcast_report_due(&m, &g, 0, 0, &kind));
	assert_int_equal(mcast_build(&m, &g, kind, 0, p, &dst), 8);
	assert_int_equal(p[0], 0x16);
	assert_true(mcast_report_due(&m, &g, 0, 10 * S, &kind));
	mcast_queried(&g, &q, 60000, 11 * S);
	mcast_heard(&m, &g, 12 * S);
	assert_int_equal(g.report_at, NSEC_MAX);
	assert_false(mcast_leave(&m, &g, 13 * S)); /* another one is the last reporter */
	query[1] = 0;
	assert_int_equal(mcast_query_parse(&m, query, 8, 13 * S, &q), 0);
	assert_int_equal(mcast_version(&m, 14 * S), 1);
	assert_int_equal(q.max_delay, 10 * S);
	assert_int_equal(mcast_version(&m, 1000 * S), 3);
	mcast_join(&g, &all, 0);
	assert_false(mcast_report_due(&m, &g, 0, 0, &kind));
}

static void groups_mld(void **state)
{
	struct mcast_if m = { .v6 = true };
	struct mcast_group g;
	struct mcast_query q;
	struct ipv6_addr group = a6("ff020000000000000000000000000fff"), dst, local = a6("ff010000000000000000000000000005");
	enum mcast_report kind;
	uint8_t p[MCAST_PACKET_MAX], query[28] = { MLD_QUERY, [4] = 0x80, [5] = 0x01 };

	(void)state;
	assert_false(mcast_is_reported(&local));
	mcast_join(&g, &group, 0);
	assert_true(mcast_report_due(&m, &g, 0, 0, &kind));
	assert_int_equal(mcast_build(&m, &g, kind, 0, p, &dst), 28);
	assert_int_equal(dst.b[15], 0x16);
	assert_memory_equal(p + 12, &group, 16);
	assert_int_equal(mcast_query_parse(&m, query, 28, 0, &q), 0);
	assert_int_equal(q.max_delay, 0x1001 * 8 * NSEC_PER_MSEC); /* RFC 3810 5.1.3 */
	assert_int_equal(mcast_query_parse(&m, query, 24, 0, &q), 0);
	assert_int_equal(mcast_version(&m, 1), 2);
	assert_true(mcast_leave(&m, &g, 1));
	assert_int_equal(mcast_build(&m, &g, MCAST_LEAVE, 1, p, &dst), 24);
	assert_int_equal(p[0], MLD_DONE_V1);
	assert_int_equal(dst.b[15], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbour_life),	cmocka_unit_test(neighbour_unreachable),
		cmocka_unit_test(neighbour_answers),	cmocka_unit_test(slaac_life),
		cmocka_unit_test(slaac_two_hours),	cmocka_unit_test(slaac_refuses),
		cmocka_unit_test(dhcp_lease_life),	cmocka_unit_test(dhcp_nak_and_garbage),
		cmocka_unit_test(source_selection),	cmocka_unit_test(source_selection_v4),
		cmocka_unit_test(groups_igmpv3),	cmocka_unit_test(groups_older_queriers),
		cmocka_unit_test(groups_mld),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
