// sources: kernel/lib/rbtree.c
/* The tree against a sorted model: order, colours, black height and summaries after every operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/rbtree.h"

enum { KEYS = 512 };

struct item {
	struct rbnode node;
	int key;
	int sum; /* keys in the subtree */
	int weight;
};

static struct item items[KEYS];
static bool in_tree[KEYS];

static struct item *item_of(struct rbnode *n)
{
	return rb_entry(n, struct item, node);
}

static bool update(struct rbnode *n)
{
	struct item *i = item_of(n);
	int old = i->sum;

	i->sum = i->weight;
	if (n->left)
		i->sum += item_of(n->left)->sum;
	if (n->right)
		i->sum += item_of(n->right)->sum;
	return i->sum != old;
}

static void insert(struct rbtree *t, struct item *i)
{
	struct rbnode **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = i->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(t, &i->node, parent, link);
}

/* Returns the black height. */
static int check_node(struct rbnode *n, struct rbnode *parent)
{
	int l, r, sum;
	bool black;

	if (!n)
		return 1;
	assert_ptr_equal(rb_parent(n), parent);
	black = n->parent_color & 1;
	if (parent && !black)
		assert_true(parent->parent_color & 1);
	l = check_node(n->left, n);
	r = check_node(n->right, n);
	assert_int_equal(l, r);
	sum = item_of(n)->weight + (n->left ? item_of(n->left)->sum : 0) + (n->right ? item_of(n->right)->sum : 0);
	assert_int_equal(item_of(n)->sum, sum);
	return l + black;
}

static void check(struct rbtree *t)
{
	struct rbnode *n = rb_first(t);

	if (t->root)
		assert_true(t->root->parent_color & 1);
	check_node(t->root, NULL);
	for (int k = 0; k < KEYS; k++) {
		if (!in_tree[k])
			continue;
		assert_non_null(n);
		assert_int_equal(item_of(n)->key, k);
		n = rb_next(n);
	}
	assert_null(n);
	n = rb_last(t);
	for (int k = KEYS - 1; k >= 0; k--) {
		if (!in_tree[k])
			continue;
		assert_int_equal(item_of(n)->key, k);
		n = rb_prev(n);
	}
	assert_null(n);
}

static void toggle(struct rbtree *t, int k)
{
	if (in_tree[k]) {
		rb_remove(t, &items[k].node);
	} else {
		items[k].key = k;
		items[k].weight = k + 1;
		insert(t, &items[k]);
	}
	in_tree[k] = !in_tree[k];
}

static void random_operations(void **state)
{
	struct rbtree t = RBTREE_INIT(update);

	(void)state;
	srand(1);
	for (int i = 0; i < 6000; i++) {
		toggle(&t, rand() % KEYS);
		check(&t);
	}
	for (int k = 0; k < KEYS; k++) {
		if (!in_tree[k])
			continue;
		toggle(&t, k);
		check(&t);
	}
	assert_null(t.root);
}

static void ascending_and_descending(void **state)
{
	struct rbtree t = RBTREE_INIT(update);

	(void)state;
	for (int k = 0; k < KEYS; k++) {
		toggle(&t, k);
		check(&t);
	}
	for (int k = KEYS - 1; k >= 0; k--) {
		toggle(&t, k);
		check(&t);
	}
}

static void replace_and_update(void **state)
{
	struct rbtree t = RBTREE_INIT(update);
	struct item other = { .key = 7, .weight = 1000 };

	(void)state;
	for (int k = 0; k < 32; k++)
		toggle(&t, k);
	rb_replace(&t, &items[7].node, &other.node);
	assert_int_equal(check_node(t.root, NULL) > 0, 1);
	other.weight = 5;
	rb_update(&t, &other.node);
	check_node(t.root, NULL);
	rb_replace(&t, &other.node, &items[7].node);
	for (int k = 0; k < 32; k++)
		toggle(&t, k);
	assert_null(t.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(ascending_and_descending),
		cmocka_unit_test(replace_and_update),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
