#pragma once

/*
 * Red-black tree with the nodes inside the objects and an optional augmentation: `update`
 * recomputes a node's summary of its subtree from its children, and is called bottom-up along every
 * changed path, until one stays as it was. The caller searches and compares; insertion gets the
 * parent and the link found by that search.
 */

#include "lib/types.h"

struct rbnode {
	uintptr_t parent_color; /* parent pointer; bit 0: black */
	struct rbnode *left, *right;
};

struct rbtree {
	struct rbnode *root;
	bool (*update)(struct rbnode *n); /* true: the summary has changed. NULL: not augmented */
};

#define RBTREE_INIT(fn)    \
	{                  \
		NULL, (fn) \
	}
#define rb_entry(n, type, member) container_of(n, type, member)

/*
 * Links n at *link, whose parent is `parent` (NULL: the tree was empty), and rebalances.
 *   source       Cormen et al., Introduction to Algorithms, ch. 13
 */
void rb_insert(struct rbtree *t, struct rbnode *n, struct rbnode *parent, struct rbnode **link);

/* Unlinks n, which must be in t, and rebalances. */
void rb_remove(struct rbtree *t, struct rbnode *n);

/* Puts `n` in the place of `old`: same key, same neighbours. The summary of n is recomputed. */
void rb_replace(struct rbtree *t, struct rbnode *old, struct rbnode *n);

/* Recomputes the summaries of n and all its ancestors after n's own data changed. */
void rb_update(struct rbtree *t, struct rbnode *n);

struct rbnode *rb_first(const struct rbtree *t);
struct rbnode *rb_last(const struct rbtree *t);
struct rbnode *rb_next(const struct rbnode *n);
struct rbnode *rb_prev(const struct rbnode *n);

static inline struct rbnode *rb_parent(const struct rbnode *n)
{
	return (struct rbnode *)(n->parent_color & ~(uintptr_t)1);
}
