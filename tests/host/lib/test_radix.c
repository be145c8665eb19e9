// sources: kernel/lib/radix.c
/* The radix tree against a flat model, with failing allocations and indices at both ends of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "lib/radix.h"

static int nodes, fail_in;

static struct radix_node *alloc_node(void)
{
	if (fail_in && --fail_in == 0)
		return NULL;
	nodes++;
	return calloc(1, radix_node_size());
}

static void free_node(struct radix_node *n)
{
	nodes--;
	free(n);
}

static const struct radix_ops ops = { alloc_node, free_node };

enum { N = 400 };

static uint64_t index_of(int i)
{
	if (i < 150)
		return (uint64_t)i;
	if (i < 300)
		return (uint64_t)(i - 150) * 37 + 4000;
	if (i < 390)
		return (uint64_t)(i - 300) << (i % 58) | 1ull << 40;
	return UINT64_MAX - (uint64_t)(i - 390) * 3;
}

static uint64_t keys[N];
static bool present[N], tagged[N][RADIX_TAGS];
static int values[N];

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int make_keys(void)
{
	int n = 0;

	for (int i = 0; i < N; i++)
		keys[i] = index_of(i);
	qsort(keys, N, sizeof(keys[0]), compare);
	for (int i = 0; i < N; i++)
		if (i == 0 || keys[i] != keys[i - 1])
			keys[n++] = keys[i];
	return n;
}

static void check(const struct radix *r, int n)
{
	uint64_t at = 0, count = 0;
	void *p;

	for (int i = 0; i < n; i++) {
		assert_ptr_equal(radix_find(r, keys[i]), present[i] ? &values[i] : NULL);
		for (unsigned t = 0; t < RADIX_TAGS; t++)
			assert_int_equal(radix_has_tag(r, keys[i], t), tagged[i][t]);
	}
	for (int i = 0; i < n; i++) {
		if (!present[i])
			continue;
		count++;
		p = radix_next(r, &at);
		assert_ptr_equal(p, &values[i]);
		assert_true(at == keys[i]);
		at++;
	}
	if (at || !count)
		assert_null(radix_next(r, &at));
	assert_int_equal(r->count, count);
	for (unsigned t = 0; t < RADIX_TAGS; t++) {
		bool any = false;

		at = 0;
		for (int i = 0; i < n; i++) {
			if (!tagged[i][t])
				continue;
			any = true;
			p = radix_next_tagged(r, &at, t);
			assert_ptr_equal(p, &values[i]);
			assert_true(at == keys[i]);
			at++;
		}
		if (at || !any)
			assert_null(radix_next_tagged(r, &at, t));
		assert_int_equal(radix_any_tagged(r, t), any);
	}
}

static void step(struct radix *r, int i)
{
	unsigned t = (unsigned)rand() % RADIX_TAGS;
	int before = nodes;

	switch (rand() % 6) {
	case 0:
		assert_ptr_equal(radix_remove(r, keys[i]), present[i] ? &values[i] : NULL);
		present[i] = tagged[i][0] = tagged[i][1] = false;
		break;
	case 1:
		radix_set_tag(r, keys[i], t);
		tagged[i][t] = present[i];
		break;
	case 2:
		radix_clear_tag(r, keys[i], t);
		tagged[i][t] = false;
		break;
	case 3:
		fail_in = 1 + rand() % 4;
		/* fall through */
	default:
		switch (radix_insert(r, keys[i], &values[i])) {
		case 0:
			assert_false(present[i]);
			present[i] = true;
			break;
		case -EEXIST:
			assert_true(present[i]);
			break;
		default:
			assert_int_equal(nodes, before);
			break;
		}
		fail_in = 0;
	}
}

static void random_operations(void **state)
{
	struct radix r;
	int n = make_keys();

	(void)state;
	srand(2);
	radix_init(&r, &ops);
	for (int i = 0; i < 20000; i++) {
		step(&r, rand() % n);
		if (i % 50 == 0)
			check(&r, n);
	}
	for (int i = 0; i < n; i++) {
		radix_remove(&r, keys[i]);
		present[i] = tagged[i][0] = tagged[i][1] = false;
	}
	check(&r, n);
	assert_int_equal(nodes, 0);
	assert_int_equal(r.height, 0);
}

static void next_from_the_middle(void **state)
{
	struct radix r;
	uint64_t at;

	(void)state;
	radix_init(&r, &ops);
	assert_int_equal(radix_insert(&r, 1000000, &values[0]), 0);
	at = 5;
	assert_ptr_equal(radix_next(&r, &at), &values[0]);
	assert_true(at == 1000000);
	at = 1000001;
	assert_null(radix_next(&r, &at));
	at = UINT64_MAX;
	assert_null(radix_next(&r, &at));
	assert_ptr_equal(radix_remove(&r, 1000000), &values[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(next_from_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
