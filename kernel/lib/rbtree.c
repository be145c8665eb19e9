/*
 * Red-black tree with optional augmentation.
 *
 * A node's colour is bit 0 of its parent word: 1 black, 0 red. Absent children count as black.
 * Invariants: the root is black, no red node has a red parent, and every way from a node down to an
 * absent child crosses equally many black nodes. Summaries: a node's is a function of itself and
 * its children's, so whoever changes the set below a node calls update() on it afterwards, lower
 * nodes first. A rotation keeps the set below its top, hence only the two rotated nodes are
 * updated; inserting and removing update the way up until a summary stays the same, before
 * rebalancing. source       Cormen et al., Introduction to Algorithms, ch. 13
 */
#include "lib/rbtree.h"

enum { RED = 0, BLACK = 1 };

static inline bool is_black(const struct rbnode *n)
{
	return !n || (n->parent_color & BLACK);
}

static inline void set_parent(struct rbnode *n, struct rbnode *parent)
{
	n->parent_color = (uintptr_t)parent | (n->parent_color & BLACK);
}

static inline void set_color(struct rbnode *n, uintptr_t color)
{
	n->parent_color = (n->parent_color & ~(uintptr_t)BLACK) | color;
}

static inline void update(const struct rbtree *t, struct rbnode *n)
{
	if (t->update)
		(void)t->update(n);
}

/* Puts n (may be NULL) where `old` hangs below `parent`. */
static inline void replace_child(struct rbtree *t, struct rbnode *parent, struct rbnode *old,
				 struct rbnode *n)
{
	if (!parent)
		t->root = n;
	else if (parent->left == old)
		parent->left = n;
	else
		parent->right = n;
}

/* n's right child takes n's place, and n becomes its left child. */
static void rotate_left(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *r = n->right, *parent = rb_parent(n);

	n->right = r->left;
	if (n->right)
		set_parent(n->right, n);
	r->left = n;
	set_parent(r, parent);
	replace_child(t, parent, n, r);
	set_parent(n, r);
	update(t, n);
	update(t, r);
}

static void rotate_right(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *l = n->left, *parent = rb_parent(n);

	n->left = l->right;
	if (n->left)
		set_parent(n->left, n);
	l->right = n;
	set_parent(l, parent);
	replace_child(t, parent, n, l);
	set_parent(n, l);
	update(t, n);
	update(t, l);
}

void rb_update(struct rbtree *t, struct rbnode *n)
{
	if (!t->update)
		return;
	while (n && t->update(n))
		n = rb_parent(n);
}

/* As rb_update(), for a node that has just come to its place: what it said before means nothing. */
static void update_new(struct rbtree *t, struct rbnode *n)
{
	update(t, n);
	rb_update(t, rb_parent(n));
}

/* n is red. While its parent is red too: recolour and go up, or rotate and be done. */
static void insert_fixup(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *p, *g, *uncle;

	while ((p = rb_parent(n)) && !is_black(p)) {
		g = rb_parent(p); /* exists: the root is black */
		uncle = g->left == p ? g->right : g->left;
		if (!is_black(uncle)) {
			set_color(p, BLACK);
			set_color(uncle, BLACK);
			set_color(g, RED);
			n = g;
			continue;
		}
		if (g->left == p) {
			if (p->right == n) {
				rotate_left(t, p);
				p = n;
			}
			rotate_right(t, g);
		} else {
			if (p->left == n) {
				rotate_right(t, p);
				p = n;
			}
			rotate_left(t, g);
		}
		set_color(p, BLACK);
		set_color(g, RED);
		break;
	}
	set_color(t->root, BLACK);
}

void rb_insert(struct rbtree *t, struct rbnode *n, struct rbnode *parent, struct rbnode **link)
{
	n->parent_color = (uintptr_t)parent | RED;
	n->left = n->right = NULL;
	*link = n;
	update_new(t, n);
	insert_fixup(t, n);
}

/*
 * The subtree at n (may be NULL, hence its parent p) lacks one black node. s is the sibling, which
 * exists. Each round either ends the shortage or moves it up one level. The two halves are mirror
 * images.
 */
static struct rbnode *fix_left(struct rbtree *t, struct rbnode *p)
{
	struct rbnode *s = p->right;

	if (!is_black(s)) {
		set_color(s, BLACK);
		set_color(p, RED);
		rotate_left(t, p);
		s = p->right;
	}
	if (is_black(s->left) && is_black(s->right)) {
		set_color(s, RED);
		return p;
	}
	if (is_black(s->right)) {
		set_color(s->left, BLACK);
		set_color(s, RED);
		rotate_right(t, s);
		s = p->right;
	}
	set_color(s, p->parent_color & BLACK);
	set_color(p, BLACK);
	set_color(s->right, BLACK);
	rotate_left(t, p);
	return NULL;
}

static struct rbnode *fix_right(struct rbtree *t, struct rbnode *p)
{
	struct rbnode *s = p->left;

	if (!is_black(s)) {
		set_color(s, BLACK);
		set_color(p, RED);
		rotate_right(t, p);
		s = p->left;
	}
	if (is_black(s->left) && is_black(s->right)) {
		set_color(s, RED);
		return p;
	}
	if (is_black(s->left)) {
		set_color(s->right, BLACK);
		set_color(s, RED);
		rotate_left(t, s);
		s = p->left;
	}
	set_color(s, p->parent_color & BLACK);
	set_color(p, BLACK);
	set_color(s->left, BLACK);
	rotate_right(t, p);
	return NULL;
}

static void remove_fixup(struct rbtree *t, struct rbnode *n, struct rbnode *p)
{
	while (p && is_black(n)) {
		struct rbnode *up = p->left == n ? fix_left(t, p) : fix_right(t, p);

		if (!up)
			return;
		n = up;
		p = rb_parent(n);
	}
	if (n)
		set_color(n, BLACK);
}

/* n has two children: its successor, which has no left child, takes its place and colour. */
static void remove_inner(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *s = n->right, *child, *from;
	bool was_black;

	while (s->left)
		s = s->left;
	child = s->right;
	was_black = is_black(s);
	from = rb_parent(s); /* the lowest node whose subtree loses something */
	if (from == n) {
		from = s;
	} else {
		from->left = child;
		if (child)
			set_parent(child, from);
		s->right = n->right;
		set_parent(s->right, s);
	}
	s->left = n->left;
	set_parent(s->left, s);
	s->parent_color = n->parent_color;
	replace_child(t, rb_parent(n), n, s);
	if (from != s)
		rb_update(t, from);
	update_new(t, s);
	if (was_black)
		remove_fixup(t, child, from);
}

void rb_remove(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *child, *parent;

	if (n->left && n->right) {
		remove_inner(t, n);
		return;
	}
	child = n->left ? n->left : n->right;
	parent = rb_parent(n);
	replace_child(t, parent, n, child);
	if (child)
		set_parent(child, parent);
	rb_update(t, parent);
	if (is_black(n))
		remove_fixup(t, child, parent);
}

void rb_replace(struct rbtree *t, struct rbnode *old, struct rbnode *n)
{
	*n = *old;
	if (n->left)
		set_parent(n->left, n);
	if (n->right)
		set_parent(n->right, n);
	replace_child(t, rb_parent(n), old, n);
	update_new(t, n);
}

struct rbnode *rb_first(const struct rbtree *t)
{
	struct rbnode *n = t->root;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rbnode *rb_last(const struct rbtree *t)
{
	struct rbnode *n = t->root;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rbnode *rb_next(const struct rbnode *n)
{
	struct rbnode *p;

	if (n->right) {
		for (p = n->right; p->left; p = p->left)
			;
		return p;
	}
	while ((p = rb_parent(n)) && p->right == n)
		n = p;
	return p;
}

struct rbnode *rb_prev(const struct rbnode *n)
{
	struct rbnode *p;

	if (n->left) {
		for (p = n->left; p->right; p = p->right)
			;
		return p;
	}
	while ((p = rb_parent(n)) && p->left == n)
		n = p;
	return p;
}
