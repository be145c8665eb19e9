// sources: kernel/lib/rbtree.c
/* Each byte inserts or removes one of 128 keys; order, balance and summaries hold after every step. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rbtree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEYS = 128 };

struct item {
	struct rbnode node;
	int key;
	int size; /* nodes in the subtree */
};

static struct item items[KEYS];

static struct item *item_of(const struct rbnode *n)
{
	return rb_entry(n, struct item, node);
}

static int size_of(const struct rbnode *n)
{
	return n ? item_of(n)->size : 0;
}

static bool update(struct rbnode *n)
{
	int old = item_of(n)->size;

	item_of(n)->size = 1 + size_of(n->left) + size_of(n->right);
	return item_of(n)->size != old;
}

static void require(int c)
{
	if (!c)
		abort();
}

static int check(const struct rbnode *n, const struct rbnode *parent)
{
	int black, height;

	if (!n)
		return 0;
	black = n->parent_color & 1;
	require(rb_parent(n) == parent);
	require(black || (parent && (parent->parent_color & 1)));
	require(item_of(n)->size == 1 + size_of(n->left) + size_of(n->right));
	height = check(n->left, n);
	require(height == check(n->right, n));
	return height + black;
}

static void insert(struct rbtree *t, int key)
{
	struct rbnode **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	items[key].key = key;
	rb_insert(t, &items[key].node, parent, link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbtree t = RBTREE_INIT(update);
	bool in[KEYS] = { false };

	for (size_t i = 0; i < size; i++) {
		int key = data[i] % KEYS, last = -1, n = 0;

		if (in[key])
			rb_remove(&t, &items[key].node);
		else
			insert(&t, key);
		in[key] = !in[key];
		check(t.root, NULL);
		for (struct rbnode *p = rb_first(&t); p; p = rb_next(p), n++) {
			require(item_of(p)->key > last && in[item_of(p)->key]);
			last = item_of(p)->key;
		}
		require(n == size_of(t.root));
	}
	return 0;
}
