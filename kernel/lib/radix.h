#pragma once

/*
 * Radix tree from a 64-bit index to a pointer: 64-way nodes, height grows with the largest index,
 * with a bit per slot and tag that is summarised upwards (find the next dirty page without a walk
 * over clean ones). Readers under an epoch may look up while one writer (the owner's lock) stores:
 * nodes are published with release and freed through `free_node`, which must defer when there are
 * such readers.
 */

#include "lib/types.h"

enum { RADIX_SHIFT = 6, RADIX_SLOTS = 64, RADIX_TAGS = 2 };

struct radix_node;

struct radix_ops {
	struct radix_node *(*alloc_node)(void); /* zeroed, or NULL */
	void (*free_node)(struct radix_node *n);
};

struct radix {
	_Atomic(struct radix_node *) root;
	uint32_t height; /* 0: empty */
	uint64_t count;  /* entries stored */
	const struct radix_ops *ops;
};

size_t radix_node_size(void);
void radix_init(struct radix *r, const struct radix_ops *ops);
void *radix_find(const struct radix *r, uint64_t index);
/*
 * For a reader who looks at neighbours: where the entries from `index` on stand side by side, and
 * in *n how many do, at most the *n asked for. NULL: nothing stands at these *n indices.
 */
_Atomic(void *) *radix_run(const struct radix *r, uint64_t index, unsigned *n);

/* Stores p (not NULL) at index. Returns 0, -EEXIST when occupied, -ENOMEM. */
MUST_CHECK int radix_insert(struct radix *r, uint64_t index, void *p);

/* Removes and returns the entry, NULL when there was none. Clears its tags. */
void *radix_remove(struct radix *r, uint64_t index);

/* The first entry at or after *index, its index in *index; NULL when there is none. */
void *radix_next(const struct radix *r, uint64_t *index);
void *radix_next_tagged(const struct radix *r, uint64_t *index, unsigned tag);
void radix_set_tag(struct radix *r, uint64_t index, unsigned tag);
void radix_clear_tag(struct radix *r, uint64_t index, unsigned tag);
bool radix_has_tag(const struct radix *r, uint64_t index, unsigned tag);
bool radix_any_tagged(const struct radix *r, unsigned tag);
