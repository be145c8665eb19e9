/*
 * The VMA tree: a red-black tree by start address in which every node knows the usable free bytes
 * in front of it and the largest such gap of its subtree. The gap belongs to the VMA behind it, so
 * that a change of one VMA's bounds touches two summaries: its own and its successor's. The room
 * behind the last VMA belongs to nobody and is looked at separately.
 *
 * Invariants (vma_tree_is_valid): VMAs are page aligned, not empty, disjoint and end at or below
 * `limit`; gap and max_gap are what the neighbours say. A growing stack keeps VMA_STACK_GUARD free
 * below itself: the gap is shorter by that much, so a search never places anything there.
 */
#include "vm/vma.h"

static inline struct vma *vma_of(struct rbnode *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}

/* Where the usable gap in front of v ends. */
static inline uint64_t gap_end(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > VMA_STACK_GUARD ? v->start - VMA_STACK_GUARD : 0;
}

static inline uint64_t gap_after(uint64_t prev_end, const struct vma *v)
{
	uint64_t end = gap_end(v);

	return end > prev_end ? end - prev_end : 0;
}

static inline uint64_t summary(const struct rbnode *n)
{
	uint64_t max = rb_entry(n, struct vma, node)->gap;

	if (n->left)
		max = MAX(max, rb_entry(n->left, struct vma, node)->max_gap);
	if (n->right)
		max = MAX(max, rb_entry(n->right, struct vma, node)->max_gap);
	return max;
}

static bool vma_update(struct rbnode *n)
{
	uint64_t old = rb_entry(n, struct vma, node)->max_gap, max = summary(n);

	rb_entry(n, struct vma, node)->max_gap = max;
	return max != old;
}

void vma_tree_init(struct vma_tree *t, uint64_t limit)
{
	t->rb = (struct rbtree)RBTREE_INIT(vma_update);
	t->first = t->last = NULL;
	t->count = 0;
	t->limit = limit;
}

struct vma *vma_find_from(const struct vma_tree *t, uint64_t addr)
{
	struct rbnode *n = t->rb.root;
	struct vma *best = NULL;

	while (n) {
		struct vma *v = vma_of(n);

		if (v->end > addr) {
			best = v;
			if (v->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct vma *vma_find(const struct vma_tree *t, uint64_t addr)
{
	struct vma *v = vma_find_from(t, addr);

	return v && v->start <= addr ? v : NULL;
}

/* The gap in front of `next` (NULL: nobody's) now begins at prev_end. */
static inline void refresh_gap(struct vma *next, uint64_t prev_end)
{
	uint64_t gap;

	if (!next)
		return;
	gap = gap_after(prev_end, next);
	if (gap == next->gap)
		return;
	next->gap = gap;
	/* As rb_update(), without the calls. */
	for (struct rbnode *n = &next->node; n && vma_update(n); n = rb_parent(n))
		;
}

/* v comes between its neighbours-to-be. */
static inline void chain(struct vma_tree *t, struct vma *v, struct vma *prev, struct vma *next)
{
	v->prev = prev;
	v->next = next;
	*(prev ? &prev->next : &t->first) = v;
	*(next ? &next->prev : &t->last) = v;
	t->count++;
}

static inline void unchain(struct vma_tree *t, struct vma *v)
{
	*(v->prev ? &v->prev->next : &t->first) = v->next;
	*(v->next ? &v->next->prev : &t->last) = v->prev;
	t->count--;
}

/* Of two neighbours, the lower one in the tree has no child on the other's side. */
void vma_insert_between(struct vma_tree *t, struct vma *v, struct vma *prev, struct vma *next)
{
	v->gap = gap_after(prev ? prev->end : 0, v);
	chain(t, v, prev, next);
	if (next && !next->node.left) {
		/* v's parent: its summary is made anew when v is linked */
		next->gap = gap_after(v->end, next);
		rb_insert(&t->rb, &v->node, &next->node, &next->node.left);
	} else if (prev) {
		rb_insert(&t->rb, &v->node, &prev->node, &prev->node.right);
		refresh_gap(next, v->end);
	} else {
		rb_insert(&t->rb, &v->node, NULL, &t->rb.root);
	}
}

void vma_insert(struct vma_tree *t, struct vma *v)
{
	struct vma *next = vma_find_from(t, v->start);

	vma_insert_between(t, v, next ? vma_prev(next) : vma_last(t), next);
}

void vma_remove(struct vma_tree *t, struct vma *v)
{
	struct vma *next = vma_next(v), *prev = vma_prev(v);

	unchain(t, v);
	rb_remove(&t->rb, &v->node);
	refresh_gap(next, prev ? prev->end : 0);
}

void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end)
{
	(void)t;
	if (start != v->start) {
		struct vma *prev = vma_prev(v);

		v->start = start;
		refresh_gap(v, prev ? prev->end : 0);
	}
	if (end != v->end) {
		v->end = end;
		refresh_gap(vma_next(v), end);
	}
}

void vma_split(struct vma_tree *t, struct vma *v, struct vma *upper)
{
	struct vma *next = v->next;

	v->end = upper->start;
	upper->gap = 0;
	chain(t, upper, v, next);
	if (v->node.right)
		rb_insert(&t->rb, &upper->node, &next->node, &next->node.left);
	else
		rb_insert(&t->rb, &upper->node, &v->node, &v->node.right);
}

void vma_join(struct vma_tree *t, struct vma *v, struct vma *upper)
{
	unchain(t, upper);
	rb_remove(&t->rb, &upper->node);
	v->end = upper->end;
}

struct gap_search {
	uint64_t len, align, low, high;
	uint64_t found;
	struct vma *next; /* behind it */
};

/* Fits the request into the free range [start, end), as high as it goes when topdown. */
static inline bool fit(struct gap_search *s, uint64_t start, uint64_t end, bool topdown)
{
	uint64_t at;

	start = MAX(start, s->low);
	end = MIN(end, s->high);
	if (start >= end || end - start < s->len)
		return false;
	at = topdown ? ALIGN_DOWN(end - s->len, s->align) : ALIGN_UP(start, s->align);
	if (at < start || at > end - s->len)
		return false;
	s->found = at;
	return true;
}

static inline bool has_gap(const struct rbnode *n, uint64_t len)
{
	return n && rb_entry(n, struct vma, node)->max_gap >= len;
}

/* The highest VMA of the subtree at n, which has one, with a gap of at least len in front. */
static struct vma *highest_gap(struct rbnode *n, uint64_t len)
{
	for (;;) {
		if (has_gap(n->right, len))
			n = n->right;
		else if (vma_of(n)->gap >= len)
			return vma_of(n);
		else
			n = n->left;
	}
}

/* The next VMA below v with a gap of at least len in front, or NULL. */
static struct vma *gap_below(const struct vma *v, uint64_t len)
{
	const struct rbnode *n = &v->node;
	struct rbnode *p;

	for (;;) {
		if (has_gap(n->left, len))
			return highest_gap(n->left, len);
		while ((p = rb_parent(n)) && p->left == n)
			n = p;
		if (!p || vma_of(p)->gap >= len)
			return vma_of(p);
		n = p;
	}
}

/*
 * The highest room, from the first VMA that reaches beyond the window downwards. Gaps that are too
 * small are passed over by whole subtrees; one that is large enough is not only when the alignment,
 * or the lower end of the window, stands against it.
 */
static bool search_down(struct gap_search *s, const struct vma_tree *t)
{
	struct vma *v = vma_find_from(t, s->high);

	s->next = v;
	if (!v) {
		v = t->last;
		if (fit(s, v ? v->end : 0, t->limit, true))
			return true;
	}
	for (; v && v->end > s->low; v = gap_below(v, s->len)) {
		uint64_t end = gap_end(v);

		if (v->gap >= s->len && fit(s, end - v->gap, end, true)) {
			s->next = v;
			return true;
		}
	}
	return false;
}

/* The lowest room in front of a VMA of the subtree at n. Recurses on one side only. */
static bool search_up(struct gap_search *s, struct rbnode *n)
{
	while (n && vma_of(n)->max_gap >= s->len) {
		struct vma *v = vma_of(n);
		uint64_t end = gap_end(v);

		if (v->start > s->low && search_up(s, n->left))
			return true;
		if (v->gap >= s->len && fit(s, end - v->gap, end, false)) {
			s->next = v;
			return true;
		}
		if (v->end >= s->high)
			return false;
		n = n->right;
	}
	return false;
}

bool vma_find_gap(const struct vma_tree *t, uint64_t len, uint64_t align, uint64_t low,
		  uint64_t high, bool topdown, uint64_t *out, struct vma **next)
{
	struct gap_search s = {
		.len = len, .align = align, .low = low, .high = MIN(high, t->limit)
	};
	bool ok;

	if (len == 0)
		return false;
	if (topdown)
		ok = search_down(&s, t);
	else
		ok = search_up(&s, t->rb.root) ||
		     fit(&s, t->last ? t->last->end : 0, t->limit, false);
	if (ok) {
		*out = s.found;
		*next = s.next;
	}
	return ok;
}

bool vma_is_free(const struct vma_tree *t, uint64_t start, uint64_t end, struct vma **next)
{
	*next = vma_find_from(t, start);
	return end <= t->limit && (!*next || gap_end(*next) >= end);
}

bool vma_can_merge(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->prot != b->prot || a->flags != b->flags ||
	    a->object != b->object || a->file != b->file || a->max_prot != b->max_prot ||
	    a->name != b->name || a->vs != b->vs || a->policy != b->policy ||
	    (a->flags & (VMA_SPECIAL | VMA_ATTACHED)))
		return false;
	return !a->object || a->pgoff + ((a->end - a->start) >> PAGE_SHIFT) == b->pgoff;
}

static bool subtree_is_valid(const struct vma_tree *t, struct rbnode *n, const struct vma **prev,
			     uint64_t *count)
{
	struct vma *v = vma_of(n);
	uint64_t prev_end;

	if (!n)
		return true;
	if (!subtree_is_valid(t, n->left, prev, count))
		return false;
	prev_end = *prev ? (*prev)->end : 0;
	if (v->prev != *prev || (*prev ? (*prev)->next : t->first) != v || v->start >= v->end ||
	    v->end > t->limit || v->start < prev_end || !IS_ALIGNED(v->start | v->end, PAGE_SIZE) ||
	    v->gap != gap_after(prev_end, v))
		return false;
	*prev = v;
	++*count;
	if (!subtree_is_valid(t, n->right, prev, count))
		return false;
	return v->max_gap == summary(n);
}

bool vma_tree_is_valid(const struct vma_tree *t)
{
	const struct vma *prev = NULL;
	uint64_t count = 0;

	return subtree_is_valid(t, t->rb.root, &prev, &count) && count == t->count &&
	       t->last == prev;
}
