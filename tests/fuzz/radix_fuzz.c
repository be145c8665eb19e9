// sources: kernel/lib/radix.c
/* Three bytes an operation on one of 64 indices spread over the whole range, against a flat table. */
#include <stdint.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "lib/radix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 64 };

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

static uint64_t index_of(unsigned i)
{
	return i < 32 ? 1ull << (2 * i) : UINT64_MAX >> (2 * (i - 32));
}

static void require(bool c)
{
	if (!c)
		abort();
}

static struct {
	bool present, tag[RADIX_TAGS];
} model[SLOTS];
static int value[SLOTS];

static void check(const struct radix *r)
{
	uint64_t at = 0, n = 0;
	bool any[RADIX_TAGS] = { false };

	for (unsigned i = 0; i < SLOTS; i++) {
		require(radix_find(r, index_of(i)) == (model[i].present ? &value[i] : NULL));
		n += model[i].present;
		for (unsigned t = 0; t < RADIX_TAGS; t++) {
			require(radix_has_tag(r, index_of(i), t) == model[i].tag[t]);
			any[t] |= model[i].tag[t];
		}
	}
	require(n == r->count && (n || !nodes));
	for (unsigned t = 0; t < RADIX_TAGS; t++)
		require(radix_any_tagged(r, t) == any[t]);
	for (; n && radix_next(r, &at); n--)
		if (++at == 0)
			at = UINT64_MAX; /* that was the last index there is */
	require(n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct radix r;

	radix_init(&r, &ops);
	for (size_t i = 0; i + 2 < size; i += 3) {
		unsigned k = data[i + 1] % SLOTS, t = data[i + 2] % RADIX_TAGS;
		int err;

		switch (data[i] % 5) {
		case 0:
		case 1:
			fail_in = data[i + 2] % 16;
			err = radix_insert(&r, index_of(k), &value[k]);
			require(err == (model[k].present ? -EEXIST : err == -ENOMEM ? -ENOMEM : 0));
			model[k].present |= !err;
			fail_in = 0;
			break;
		case 2:
			require(radix_remove(&r, index_of(k)) == (model[k].present ? &value[k] : NULL));
			model[k].present = model[k].tag[0] = model[k].tag[1] = false;
			break;
		case 3:
			radix_set_tag(&r, index_of(k), t);
			model[k].tag[t] = model[k].present;
			break;
		default:
			radix_clear_tag(&r, index_of(k), t);
			model[k].tag[t] = false;
			break;
		}
		if (i % 24 == 0)
			check(&r);
	}
	for (unsigned k = 0; k < SLOTS; k++) {
		radix_remove(&r, index_of(k));
		model[k].present = model[k].tag[0] = model[k].tag[1] = false;
	}
	require(nodes == 0 && r.count == 0);
	return 0;
}
