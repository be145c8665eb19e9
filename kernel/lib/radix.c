/*
 * Radix tree. A node of shift s covers 2^(s+6) indices, its slot i those with i in bits s … s+5; at
 * shift 0 the slots are entries. Each node knows its own shift, so a reader needs only the root
 * pointer, and a tree that grows or shrinks under him still leads him right. `present` and the tags
 * have a bit per slot: for an inner node, "something below is present, or tagged". Nodes without
 * entries do not exist, except during radix_insert().
 *
 * One writer at a time; readers under an epoch see every word whole (atomic), and free_node()
 * defers.
 */
#include "lib/radix.h"

#include "abi/errno.h"

enum { MAX_HEIGHT = 11 /* 64 bits in steps of 6 */ };

struct radix_node {
	_Atomic(void *) slot[RADIX_SLOTS];
	_Atomic uint64_t present;
	_Atomic uint64_t tag[RADIX_TAGS];
	uint32_t shift; /* immutable once linked */
};

/* Nodes from the root down to an index. */
struct path {
	struct radix_node *node[MAX_HEIGHT];
	unsigned n;
};

static inline uint64_t get_bits(const _Atomic uint64_t *w)
{
	return atomic_load_explicit((_Atomic uint64_t *)w, memory_order_relaxed);
}

static inline void set_bit(_Atomic uint64_t *w, unsigned bit)
{
	atomic_store_explicit(w, get_bits(w) | 1ull << bit, memory_order_relaxed);
}

static inline void clear_bit(_Atomic uint64_t *w, unsigned bit)
{
	atomic_store_explicit(w, get_bits(w) & ~(1ull << bit), memory_order_relaxed);
}

static inline void *get_slot(const struct radix_node *n, unsigned i)
{
	return atomic_load_explicit((_Atomic(void *) *)&n->slot[i], memory_order_acquire);
}

static inline struct radix_node *get_root(const struct radix *r)
{
	return atomic_load_explicit((_Atomic(struct radix_node *) *)&r->root, memory_order_acquire);
}

static inline unsigned slot_of(const struct radix_node *n, uint64_t index)
{
	return (unsigned)(index >> n->shift) & (RADIX_SLOTS - 1);
}

/* True when index lies in what a root of this shift covers. */
static inline bool covers(uint32_t shift, uint64_t index)
{
	return shift + RADIX_SHIFT >= 64 || !(index >> (shift + RADIX_SHIFT));
}

size_t radix_node_size(void)
{
	return sizeof(struct radix_node);
}

void radix_init(struct radix *r, const struct radix_ops *ops)
{
	atomic_init(&r->root, NULL);
	r->height = 0;
	r->count = 0;
	r->ops = ops;
}

void *radix_find(const struct radix *r, uint64_t index)
{
	struct radix_node *n = get_root(r);

	if (!n || !covers(n->shift, index))
		return NULL;
	while (n && n->shift)
		n = get_slot(n, slot_of(n, index));
	return n ? get_slot(n, slot_of(n, index)) : NULL;
}

_Atomic(void *) *radix_run(const struct radix *r, uint64_t index, unsigned *n)
{
	unsigned first = (unsigned)(index & (RADIX_SLOTS - 1));
	struct radix_node *node = get_root(r);

	*n = MIN(*n, RADIX_SLOTS - first);
	if (node && !covers(node->shift, index))
		return NULL;
	while (node && node->shift)
		node = get_slot(node, slot_of(node, index));
	return node ? &node->slot[first] : NULL;
}

/* The nodes on the way to index, as far as they exist. Writer only. */
static void find_path(const struct radix *r, uint64_t index, struct path *p)
{
	struct radix_node *n = get_root(r);

	p->n = 0;
	if (n && !covers(n->shift, index))
		return;
	while (n) {
		p->node[p->n++] = n;
		n = n->shift ? get_slot(n, slot_of(n, index)) : NULL;
	}
}

/* Nodes that an insertion needs, got before anything changes. */
struct supply {
	struct radix_node *node[2 * MAX_HEIGHT];
	unsigned n;
};

static int supply_fill(const struct radix *r, struct supply *s, unsigned want)
{
	for (s->n = 0; s->n < want; s->n++) {
		s->node[s->n] = r->ops->alloc_node();
		if (!s->node[s->n]) {
			while (s->n)
				r->ops->free_node(s->node[--s->n]);
			return -ENOMEM;
		}
	}
	return 0;
}

static struct radix_node *supply_take(struct supply *s, uint32_t shift)
{
	struct radix_node *n = s->node[--s->n];

	n->shift = shift;
	return n;
}

static void link_slot(struct radix_node *n, unsigned i, void *p)
{
	atomic_store_explicit(&n->slot[i], p, memory_order_release);
	set_bit(&n->present, i);
}

static inline void set_root(struct radix *r, struct radix_node *n)
{
	atomic_store_explicit(&r->root, n, memory_order_release);
	r->height = n ? n->shift / RADIX_SHIFT + 1 : 0;
}

/* The smallest shift of a root that covers index, at least `shift`. */
static uint32_t root_shift(uint32_t shift, uint64_t index)
{
	while (!covers(shift, index))
		shift += RADIX_SHIFT;
	return shift;
}

/* Puts nodes on top of the root until it covers index, or makes the first root. */
static struct radix_node *grow(struct radix *r, struct supply *s, uint64_t index)
{
	struct radix_node *root = get_root(r);

	if (!root) {
		root = supply_take(s, root_shift(0, index));
		set_root(r, root);
	}
	while (!covers(root->shift, index)) {
		struct radix_node *n = supply_take(s, root->shift + RADIX_SHIFT);

		for (unsigned t = 0; t < RADIX_TAGS; t++)
			if (get_bits(&root->tag[t]))
				set_bit(&n->tag[t], 0);
		link_slot(n, 0, root);
		set_root(r, n);
		root = n;
	}
	return root;
}

/* How many nodes an insertion at index needs. */
static unsigned nodes_missing(const struct radix *r, uint64_t index)
{
	const struct radix_node *n = get_root(r);
	uint32_t shift = root_shift(n ? n->shift : 0, index);
	unsigned missing = 0;

	if (!n)
		return shift / RADIX_SHIFT + 1;
	if (shift > n->shift) /* new roots, and a new way down beside the old one */
		return (shift - n->shift) / RADIX_SHIFT + shift / RADIX_SHIFT;
	for (; n->shift; n = get_slot(n, slot_of(n, index)))
		if (!get_slot(n, slot_of(n, index))) {
			missing = n->shift / RADIX_SHIFT;
			break;
		}
	return missing;
}

/*
 * The leaf is completed before it is linked: nodes below a missing slot are made from the bottom up
 * only in the sense that readers may find an inner node without entries, which they take for
 * "nothing here".
 */
int radix_insert(struct radix *r, uint64_t index, void *p)
{
	struct supply s = { .n = 0 };
	struct radix_node *n;
	unsigned want;
	int err;

	if (radix_find(r, index))
		return -EEXIST;
	want = nodes_missing(r, index);
	if (want && (err = supply_fill(r, &s, want)))
		return err;
	n = want ? grow(r, &s, index) : get_root(r);
	while (n->shift) {
		struct radix_node *child = get_slot(n, slot_of(n, index));

		if (!child) {
			child = supply_take(&s, n->shift - RADIX_SHIFT);
			link_slot(n, slot_of(n, index), child);
		}
		n = child;
	}
	link_slot(n, slot_of(n, index), p);
	r->count++;
	return 0;
}

/* Takes levels off while the root has nothing but slot 0. */
static void shrink(struct radix *r)
{
	struct radix_node *root = get_root(r);

	while (root && root->shift && get_bits(&root->present) == 1) {
		set_root(r, get_slot(root, 0));
		r->ops->free_node(root);
		root = get_root(r);
	}
}

/* Clears the tag bits of index from the leaf upwards, as far as nothing else below is tagged. */
static void clear_tag_path(const struct path *p, uint64_t index, unsigned tag)
{
	for (unsigned i = p->n; i-- > 0;) {
		clear_bit(&p->node[i]->tag[tag], slot_of(p->node[i], index));
		if (get_bits(&p->node[i]->tag[tag]))
			return;
	}
}

void *radix_remove(struct radix *r, uint64_t index)
{
	struct path p;
	void *entry;

	find_path(r, index, &p);
	if (!p.n || p.node[p.n - 1]->shift)
		return NULL;
	entry = get_slot(p.node[p.n - 1], slot_of(p.node[p.n - 1], index));
	if (!entry)
		return NULL;
	for (unsigned t = 0; t < RADIX_TAGS; t++)
		clear_tag_path(&p, index, t);
	for (unsigned i = p.n; i-- > 0;) {
		struct radix_node *n = p.node[i];

		atomic_store_explicit(&n->slot[slot_of(n, index)], NULL, memory_order_release);
		clear_bit(&n->present, slot_of(n, index));
		if (get_bits(&n->present))
			break;
		if (i == 0)
			set_root(r, NULL);
		else
			atomic_store_explicit(&p.node[i - 1]->slot[slot_of(p.node[i - 1], index)],
					      NULL, memory_order_release);
		r->ops->free_node(n);
	}
	shrink(r);
	r->count--;
	return entry;
}

static inline uint64_t slot_map(const struct radix_node *n, int tag)
{
	return get_bits(tag < 0 ? &n->present : &n->tag[tag]);
}

/*
 * Goes down from the root to the first slot at or after `at` whose bit is set. When a node has no
 * such slot, the search starts again at the first index after it: each restart skips a whole node,
 * and a writer cannot confuse it.
 */
static void *next(const struct radix *r, uint64_t *index, int tag)
{
	uint64_t at = *index;

	for (;;) {
		struct radix_node *n = get_root(r);
		uint64_t map;

		if (!n || !covers(n->shift, at))
			return NULL;
		while (n) {
			unsigned i = slot_of(n, at), first;
			void *p;

			map = slot_map(n, tag) & ~0ull << i;
			if (!map)
				break;
			first = (unsigned)__builtin_ctzll(map);
			if (first != i) {
				uint64_t low = ((uint64_t)RADIX_SLOTS << n->shift) - 1;

				if (n->shift + RADIX_SHIFT >= 64)
					low = ~0ull;
				at = (at & ~low) | (uint64_t)first << n->shift;
			}
			p = get_slot(n, first);
			if (!n->shift && p) {
				*index = at;
				return p;
			}
			if (!p) /* a removal is under way: pass over this slot */
				break;
			n = p;
		}
		if (!n)
			return NULL;
		/*
		 * nothing at or after `at` here: on behind this node, or behind the one slot that
		 * vanished
		 */
		uint64_t span = map ? 1ull << n->shift : (uint64_t)RADIX_SLOTS << n->shift;
		uint64_t base = at & ~(span - 1);

		if ((!map && n->shift + RADIX_SHIFT >= 64) || base + span < base)
			return NULL;
		at = base + span;
	}
}

void *radix_next(const struct radix *r, uint64_t *index)
{
	return next(r, index, -1);
}

void *radix_next_tagged(const struct radix *r, uint64_t *index, unsigned tag)
{
	return next(r, index, (int)tag);
}

void radix_set_tag(struct radix *r, uint64_t index, unsigned tag)
{
	struct path p;

	if (!radix_find(r, index))
		return;
	find_path(r, index, &p);
	for (unsigned i = p.n; i-- > 0;)
		set_bit(&p.node[i]->tag[tag], slot_of(p.node[i], index));
}

void radix_clear_tag(struct radix *r, uint64_t index, unsigned tag)
{
	struct path p;

	if (!radix_has_tag(r, index, tag))
		return;
	find_path(r, index, &p);
	clear_tag_path(&p, index, tag);
}

bool radix_has_tag(const struct radix *r, uint64_t index, unsigned tag)
{
	struct radix_node *n = get_root(r);

	if (!n || !covers(n->shift, index))
		return false;
	for (; n; n = get_slot(n, slot_of(n, index))) {
		if (!(get_bits(&n->tag[tag]) >> slot_of(n, index) & 1))
			return false;
		if (!n->shift)
			return true;
	}
	return false;
}

bool radix_any_tagged(const struct radix *r, unsigned tag)
{
	const struct radix_node *n = get_root(r);

	return n && get_bits(&n->tag[tag]);
}
