#pragma once

/* The dentry hash as lock-free walkers probe it. */

#include "vfs/dentry.h"
#include "vfs/namehash.h"

struct dcache_table {
	struct dentry **bucket;
	uint64_t mask; /* buckets - 1 */
	uint64_t seed; /* of name_hash() */
};
extern struct dcache_table dcache; /* immutable after dcache_init() */

/* Counts moves of dentries: a ".." that must not escape is repeated when it has changed. Even: none
 * going on. */
extern _Atomic uint32_t dcache_rename_seq;

static inline struct dentry **dcache_bucket(const struct dentry *parent, uint32_t hash)
{
	uint64_t p = ((uintptr_t)parent >> 6) * 0x9e3779b97f4a7c15ull;

	return &dcache.bucket[(p >> 32 ^ hash) & dcache.mask];
}

/*
 * d is `name` in parent, and its sequence count was *seq all the while. The name's pointer and
 * length are used only when they are known to belong together: a name inside the dentry may be
 * overwritten by a rename, but never reaches past its end.
 */
static ALWAYS_INLINE bool dentry_is_named(struct dentry *d, const struct dentry *parent,
					  const char *name, size_t len, uint32_t hash,
					  uint32_t *seq)
{
	/* Length and hash in one look; what they are taken for is checked by seq. */
	uint64_t want = (uint64_t)hash << 32 | (uint32_t)len, have;
	uint32_t s = atomic_load_explicit(&d->seq, memory_order_acquire);
	const char *text;

	__builtin_memcpy(&have, &d->name_len, sizeof(have));
	if (have != want || atomic_load_explicit(&d->parent, memory_order_relaxed) != parent)
		return false;
	text = __atomic_load_n(&d->name, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_acquire);
	if (s & 1 || atomic_load_explicit(&d->seq, memory_order_relaxed) != s)
		return false;
	if (!name_equal(text, name, len))
		return false;
	atomic_thread_fence(memory_order_acquire);
	*seq = s;
	return atomic_load_explicit(&d->seq, memory_order_relaxed) == s;
}

/* The cached child, uncounted, under an epoch. NULL: not cached, or missed because of a rename. */
static ALWAYS_INLINE struct dentry *dcache_probe(const struct dentry *parent, const char *name,
						 size_t len, uint32_t hash, uint32_t *seq)
{
	struct dentry *d = __atomic_load_n(dcache_bucket(parent, hash), __ATOMIC_ACQUIRE);

	while (d != NULL) {
		if (dentry_is_named(d, parent, name, len, hash, seq))
			return d;
		d = __atomic_load_n(&d->hash_next, __ATOMIC_ACQUIRE);
	}
	return NULL;
}

/* dentry_find_child() and dentry_lookup_locked() with the hash at hand. */
MUST_CHECK struct dentry *dentry_find_hashed(struct dentry *parent, const char *name, size_t len,
					     uint32_t hash);
MUST_CHECK int dentry_lookup_hashed(struct dentry *parent, const char *name, size_t len,
				    uint32_t hash, struct dentry **out);
