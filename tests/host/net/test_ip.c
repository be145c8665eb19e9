// sources: kernel/net/ip/route.c kernel/net/ip/frag.c kernel/net/ip/pmtu.c kernel/net/flow.c kernel/lib/siphash.c
/* Routes and fragments against plain models; path MTUs; ephemeral ports; the RSS hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "net/flow.h"
#include "net/ip/frag.h"
#include "net/ip/pmtu.h"
#include "net/ip/route.h"

static int nodes, fail_in;

static struct route_node *alloc_node(void)
{
	if (fail_in && --fail_in == 0)
		return NULL;
	nodes++;
	return calloc(1, sizeof(struct route_node));
}

static void free_node(struct route_node *n)
{
	nodes--;
	free(n);
}

static const struct route_ops ops = { alloc_node, free_node };

static bool in_prefix(const struct route *r, const struct ipv6_addr *a)
{
	for (unsigned i = 0; i < r->plen; i++)
		if ((r->prefix.b[i / 8] ^ a->b[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static bool even_interface(const struct route *r, const void *arg)
{
	(void)arg;
	return r->ifindex % 2 == 0;
}

/* Few bits that differ, so that prefixes nest and collide. */
static struct ipv6_addr random_addr(unsigned bits)
{
	struct ipv6_addr a = { { 0 } };

	for (unsigned i = 0; i < bits; i++)
		if (rand() % 4 == 0)
			a.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return a;
}

static const struct route *model_lookup(struct route **all, int n, const struct ipv6_addr *dst,
					bool filter)
{
	const struct route *best = NULL;

	for (int i = 0; i < n; i++) {
		const struct route *r = all[i];

		if (!r || !in_prefix(r, dst) || (filter && !even_interface(r, NULL)))
			continue;
		if (!best || r->plen > best->plen || (r->plen == best->plen && r->metric < best->metric))
			best = r;
	}
	return best;
}

static int compare_prefixes(const struct route *r, const struct ipv6_addr *prefix, unsigned plen)
{
	int c = memcmp(r->prefix.b, prefix->b, 16);

	return c ? c : (int)r->plen - (int)plen;
}

/* The first of a prefix, or of those behind it: as a walk of all finds it. */
static void check_find_from(const struct route_table *t, unsigned bits)
{
	unsigned plen = (unsigned)rand() % (bits + 1);
	struct ipv6_addr prefix = random_addr(plen);
	struct route *r = NULL;

	while ((r = route_next(t, r)) && compare_prefixes(r, &prefix, plen) < 0)
		;
	assert_ptr_equal(route_find_from(t, &prefix, plen), r);
}

static void routes_against_model(unsigned bits, unsigned seed)
{
	enum { MAX = 300 };
	struct route *all[MAX] = { NULL };
	struct route_table t;

	srand(seed);
	route_table_init(&t, &ops);
	for (int step = 0; step < 3000; step++) {
		int k = rand() % MAX;
		struct ipv6_addr dst = random_addr(bits);

		if (all[k]) {
			route_remove(&t, all[k]);
			free(all[k]);
			all[k] = NULL;
		} else {
			struct route *r = calloc(1, sizeof(*r));
			int err, before = nodes;

			r->plen = (uint8_t)(rand() % (bits + 1));
			r->prefix = random_addr(r->plen);
			r->metric = (uint32_t)step; /* no two equal: the model need not know of ties */
			r->ifindex = (uint32_t)rand() % 8;
			fail_in = rand() % 8 == 0;
			err = route_add(&t, r);
			fail_in = 0;
			if (err) {
				assert_int_equal(err, -ENOMEM);
				assert_int_equal(nodes, before);
				free(r);
			} else {
				all[k] = r;
			}
		}
		assert_ptr_equal(route_lookup(&t, &dst, bits, NULL, NULL), model_lookup(all, MAX, &dst, false));
		assert_ptr_equal(route_lookup(&t, &dst, bits, even_interface, NULL),
				 model_lookup(all, MAX, &dst, true));
		check_find_from(&t, bits);
		if (step % 100 == 0) {
			uint64_t n = 0;

			for (struct route *r = NULL; (r = route_next(&t, r));)
				n++;
			assert_int_equal(n, t.count);
			assert_true(nodes <= 2 * (int)t.count);
		}
	}
	for (int k = 0; k < MAX; k++) {
		if (all[k])
			route_remove(&t, all[k]);
		free(all[k]);
	}
	assert_int_equal(nodes, 0);
	assert_int_equal(t.count, 0);
}

static void routes_v4_and_v6(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed < 6; seed++) {
		routes_against_model(32, seed);
		routes_against_model(128, seed + 100);
		routes_against_model(6, seed + 200);
	}
}

static void routes_refuse_nonsense(void **state)
{
	struct route_table t;
	struct route a = { .plen = 8, .prefix = { { 10, 1 } } }, b = { .plen = 8, .prefix = { { 10 } } }, c = b;
	struct ipv6_addr dst = route_key4(0x0a010203);

	(void)state;
	route_table_init(&t, &ops);
	assert_int_equal(route_add(&t, &a), -EINVAL);
	assert_int_equal(route_add(&t, &b), 0);
	assert_int_equal(route_add(&t, &c), -EEXIST);
	assert_ptr_equal(route_lookup(&t, &dst, 32, NULL, NULL), &b);
	assert_ptr_equal(route_find(&t, &b.prefix, 8), &b);
	assert_null(route_find(&t, &b.prefix, 9));
	route_remove(&t, &b);
	assert_null(route_lookup(&t, &dst, 32, NULL, NULL));
	assert_int_equal(nodes, 0);
}

/* The number of nodes a lookup visits: 100,000 random prefixes are no deeper than some dozens. */
static void routes_stay_shallow(void **state)
{
	enum { N = 100000 };
	struct route *r = calloc(N, sizeof(*r));
	struct route_table t;
	unsigned deepest = 0;

	(void)state;
	srand(9);
	route_table_init(&t, &ops);
	for (int i = 0; i < N; i++) {
		r[i].plen = 24;
		r[i].prefix = route_key4(((uint32_t)rand() << 12 ^ (uint32_t)rand()) & 0xffffff00);
		r[i].ifindex = (uint32_t)i;
		assert_int_equal(route_add(&t, &r[i]), 0);
	}
	for (int i = 0; i < N; i += 97) {
		unsigned depth = 0;

		for (struct route_node *n = t.root; n && n->plen < 24; depth++)
			n = n->child[r[i].prefix.b[n->plen / 8] >> (7 - n->plen % 8) & 1];
		deepest = deepest > depth ? deepest : depth;
	}
	assert_true(deepest <= 24);
	for (int i = 0; i < N; i++)
		route_remove(&t, &r[i]);
	assert_int_equal(nodes, 0);
	free(r);
}

static struct frag_table table;
static const struct siphash_key key = { { 1, 2 } };

static struct frag_queue *fresh(struct frag_queue *q)
{
	struct frag_key k;

	memset(&k, 0, sizeof(k));
	frag_table_init(&table, &key, 1 << 20);
	frag_insert(&table, q, &k, true, 0);
	return q;
}

static void fragments_in_any_order(void **state)
{
	(void)state;
	srand(4);
	for (int run = 0; run < 2000; run++) {
		uint32_t total = 1 + (uint32_t)rand() % 60000, n = 0, off[64], len[64], order[64];
		struct frag_queue q;
		struct frag_cut cut;
		enum frag_verdict v = FRAG_STORE;

		fresh(&q);
		assert_int_equal(frag_cut_init(&cut, total, 48, 48 + 8 * (total / 8 / 60 + 1 + (uint32_t)rand() % 100)), 0);
		for (bool more; frag_cut_next(&cut, &off[n], &len[n], &more); n++) {
			assert_true(n < 63);
			assert_int_equal(more, off[n] + len[n] != total);
			order[n] = n;
		}
		for (uint32_t i = n; i > 1; i--) {
			uint32_t j = (uint32_t)rand() % i, t = order[j];

			order[j] = order[i - 1];
			order[i - 1] = t;
		}
		for (uint32_t i = 0; i < n && v == FRAG_STORE; i++) {
			uint32_t k = order[i];
			bool more = off[k] + len[k] != total;

			v = frag_add(&table, &q, off[k], len[k], more, 2, 100);
			if (v == FRAG_STORE)
				assert_int_equal(frag_add(&table, &q, off[k], len[k], more, 2, 100), FRAG_REPEATED);
			assert_int_equal(v == FRAG_COMPLETE, i + 1 == n);
		}
		if (q.n < FRAG_RANGES)
			assert_int_equal(v, FRAG_COMPLETE);
		assert_int_equal(table.bytes, 100 * n);
		frag_remove(&table, &q);
		assert_int_equal(table.bytes, 0);
	}
}

static void overlaps_drop_the_packet(void **state)
{
	struct frag_queue q;

	(void)state;
	fresh(&q);
	assert_int_equal(frag_add(&table, &q, 0, 80, true, 0, 1), FRAG_STORE);
	assert_int_equal(frag_add(&table, &q, 72, 80, true, 0, 1), FRAG_DROP_ALL); /* RFC 5722 */
	fresh(&q);
	assert_int_equal(frag_add(&table, &q, 80, 80, true, 0, 1), FRAG_STORE);
	assert_int_equal(frag_add(&table, &q, 0, 240, true, 0, 1), FRAG_DROP_ALL);
	fresh(&q);
	assert_int_equal(frag_add(&table, &q, 80, 20, false, 0, 1), FRAG_STORE);
	assert_int_equal(frag_add(&table, &q, 160, 20, false, 0, 1), FRAG_DROP_ALL); /* two ends */
	fresh(&q);
	assert_int_equal(frag_add(&table, &q, 160, 80, true, 0, 1), FRAG_STORE);
	assert_int_equal(frag_add(&table, &q, 80, 8, false, 0, 1), FRAG_DROP_ALL);
	fresh(&q);
	assert_int_equal(frag_add(&table, &q, 0, 81, true, 0, 1), FRAG_BAD_LEN);
	assert_int_equal(frag_add(&table, &q, 65528, 8, true, 0, 1), FRAG_TOO_LONG);
	assert_int_equal(frag_add(&table, &q, 65528, 7, false, 0, 1), FRAG_STORE);
	assert_int_equal(frag_add(&table, &q, 0, 0, true, 0, 1), FRAG_DROP_ALL);
}

static void fragments_age_and_are_limited(void **state)
{
	struct frag_queue q[40];
	struct frag_key k;

	(void)state;
	memset(&k, 0, sizeof(k));
	frag_table_init(&table, &key, 3000);
	for (unsigned i = 0; i < 40; i++) {
		k.id = i;
		frag_insert(&table, &q[i], &k, false, i * NSEC_PER_SEC);
		assert_int_equal(frag_add(&table, &q[i], 0, 80, true, 0, 100), FRAG_STORE);
	}
	assert_int_equal(table.bytes, 4000);
	for (unsigned i = 0; i < 10; i++) { /* 40 * 100 bytes and 3000 allowed: ten go at once */
		assert_ptr_equal(frag_overdue(&table, 0), &q[i]);
		frag_remove(&table, &q[i]);
	}
	assert_null(frag_overdue(&table, 0));
	assert_int_equal(frag_deadline(&table), 10 * NSEC_PER_SEC + FRAG_TIMEOUT4_NS);
	assert_ptr_equal(frag_overdue(&table, 40 * NSEC_PER_SEC), &q[10]);
	k.id = 25;
	assert_ptr_equal(frag_find(&table, &k), &q[25]);
	k.id = 3;
	assert_null(frag_find(&table, &k));
}

static void fragment_ecn(void **state)
{
	static const struct {
		uint8_t a, b, out;
		bool ok;
	} cases[] = { { 2, 2, 2, true }, { 2, 3, 3, true }, { 1, 3, 3, true }, { 0, 0, 0, true },
		      { 0, 3, 0, false }, { 0, 2, 0, false }, { 1, 2, 2, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frag_queue q;
		uint8_t ecn;

		fresh(&q);
		assert_int_equal(frag_add(&table, &q, 0, 8, true, cases[i].a, 1), FRAG_STORE);
		assert_int_equal(frag_add(&table, &q, 8, 8, false, cases[i].b, 1), FRAG_COMPLETE);
		assert_int_equal(frag_ecn(&q, &ecn), cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(ecn, cases[i].out);
	}
}

static struct ipv6_addr mapped(uint32_t a)
{
	struct ipv6_addr m = { { [10] = 0xff, [11] = 0xff } };

	be32_put(m.b + 12, a);
	return m;
}

static void path_mtu_cache(void **state)
{
	struct pmtu_entry e[16 * PMTU_WAYS];
	struct pmtu_cache c;
	struct ipv6_addr a = mapped(0x08080808), six = { { 0x20, 1 } };

	(void)state;
	memset(e, 0, sizeof(e));
	pmtu_init(&c, e, 16, &key);
	assert_int_equal(pmtu_get(&c, &a, 1500, 5), 1500);
	assert_int_equal(pmtu_update(&c, &a, 1400, 1500, 1500, 5), 1400);
	assert_int_equal(pmtu_get(&c, &a, 1500, 6), 1400);
	assert_int_equal(pmtu_update(&c, &a, 1450, 1500, 1500, 7), 0); /* never up */
	assert_int_equal(pmtu_update(&c, &a, 60, 1500, 1500, 7), PMTU_MIN4);
	assert_int_equal(pmtu_get(&c, &a, 1500, 8 + PMTU_TIMEOUT_NS), 1500);
	assert_int_equal(pmtu_update(&c, &a, 0, 1500, 1500, 8 + PMTU_TIMEOUT_NS), 1492); /* a plateau */
	assert_int_equal(pmtu_update(&c, &six, 100, 1500, 1500, 5), IPV6_MIN_MTU);
	for (uint32_t i = 0; i < 10000; i++) { /* an attack: bounded, and the newest is known */
		struct ipv6_addr b = mapped(i << 8 | 1);

		assert_int_equal(pmtu_update(&c, &b, 1000, 1500, 1500, 10 + i), 1000);
		assert_int_equal(pmtu_get(&c, &b, 1500, 11 + i), 1000);
	}
}

static uint8_t taken[65536];

static bool is_free(uint16_t port, void *arg)
{
	(void)arg;
	return !taken[port];
}

static void ephemeral_ports(void **state)
{
	static struct port_chooser c = { .key = { { 5, 6 } } };
	struct flow_key f;
	uint16_t port, first[4];

	(void)state;
	memset(taken, 0, sizeof(taken));
	memset(&f, 0, sizeof(f));
	for (unsigned i = 0; i < 4; i++) { /* other peers, other places */
		f.rport = (uint16_t)i;
		assert_int_equal(port_choose(&c, &f, 32768, 60999, is_free, NULL, &first[i]), 0);
		assert_true(first[i] >= 32768 && first[i] <= 60999);
	}
	assert_false(first[0] == first[1] && first[1] == first[2]);
	c.counter[0] = UINT32_MAX - 5;
	for (unsigned i = 0; i < 1000; i++) { /* every one of the range, then none */
		assert_int_equal(port_choose(&c, &f, 40000, 40999, is_free, NULL, &port), 0);
		assert_int_equal(taken[port]++, 0);
	}
	assert_int_equal(port_choose(&c, &f, 40000, 40999, is_free, NULL, &port), -EADDRNOTAVAIL);
	taken[40500] = 0;
	assert_int_equal(port_choose(&c, &f, 40000, 40999, is_free, NULL, &port), 0);
	assert_int_equal(port, 40500);
}

/* The verification suite of the RSS specification. */
static void toeplitz_vectors(void **state)
{
	static const uint8_t k[] = { 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
				     0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
				     0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
				     0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa };
	/* 66.9.149.187:2794 to 161.142.100.80:1766 */
	static const uint8_t in[] = { 66, 9, 149, 187, 161, 142, 100, 80, 0x0a, 0xea, 0x06, 0xe6 };

	(void)state;
	assert_int_equal(toeplitz_hash(k, in, 12), 0x51ccc178);
	assert_int_equal(toeplitz_hash(k, in, 8), 0x323e8fc2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_v4_and_v6),	    cmocka_unit_test(routes_refuse_nonsense),
		cmocka_unit_test(routes_stay_shallow),	    cmocka_unit_test(fragments_in_any_order),
		cmocka_unit_test(overlaps_drop_the_packet), cmocka_unit_test(fragments_age_and_are_limited),
		cmocka_unit_test(fragment_ecn),		    cmocka_unit_test(path_mtu_cache),
		cmocka_unit_test(ephemeral_ports),	    cmocka_unit_test(toeplitz_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
