#pragma once

/*
 * A model of an address space for the tests of vma.c and vmplan.c: one entry per page. Every operation is done to the
 * tree and to the model, then the two are compared page by page, and the search for room with a search page by page.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/list.h"
#include "vm/vmplan.h"

enum { MODEL_PAGES = 1024, MODEL_OBJECTS = 4 };

struct model_page {
	uint32_t prot, flags; /* prot bit 31: mapped */
	uint32_t object;      /* 0: anonymous */
	uint64_t index;       /* in the object */
};

struct model {
	struct vma_tree tree;
	struct model_page page[MODEL_PAGES];
	long refs[MODEL_OBJECTS + 1]; /* VMAs per object */
	long nodes;                   /* allocated */
	uint64_t brk_start, brk;
};

#define MAPPED 0x80000000u

static struct model *model_now; /* for born() and grown() */
static char model_objects[MODEL_OBJECTS + 1];

static inline void model_require(int c)
{
	if (!c)
		abort();
}

static inline unsigned model_object_id(const struct vma *v)
{
	return v->object ? (unsigned)((char *)v->object - model_objects) : 0;
}

static inline void model_born(struct vma *v)
{
	model_require(!list_is_linked(&v->object_node));
	model_now->refs[model_object_id(v)]++;
}

static inline void model_grown(struct vma *v)
{
	(void)v;
}

static const struct vma_edit_ops model_ops = { model_born, model_grown };

static inline void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	vma_tree_init(&m->tree, MODEL_PAGES * PAGE_SIZE);
	model_now = m;
}

static inline void model_begin(struct model *m, struct vma_edit *e, unsigned nodes)
{
	vma_edit_init(e, &m->tree, &model_ops);
	while (nodes-- > 0) {
		vma_edit_add_spare(e, malloc(sizeof(struct vma)));
		m->nodes++;
	}
}

/* Frees what is left; `exact`: the plan's number of nodes was the right one. */
static inline void model_end(struct model *m, struct vma_edit *e, int exact)
{
	struct vma *v, *next;

	for (v = e->spare; v; v = next, m->nodes--) {
		next = v->chain;
		model_require(!exact);
		free(v);
	}
	for (v = e->dead; v; v = next, m->nodes--) {
		next = v->chain;
		m->refs[model_object_id(v)]--;
		free(v);
	}
}

static inline void model_check_gap(struct model *m, uint64_t pages, uint64_t align, uint64_t low,
				   uint64_t high, int topdown)
{
	uint8_t used[MODEL_PAGES];
	uint64_t found = 0, want = 0;
	struct vma *next = NULL;
	int ok = 0, got;

	for (unsigned i = 0; i < MODEL_PAGES; i++)
		used[i] = m->page[i].prot & MAPPED ? 1 : 0;
	/* The guard of a growing mapping is taken too, as far as nothing else lies in it. */
	for (struct vma *v = vma_first(&m->tree); v; v = vma_next(v))
		if (v->flags & VMA_GROWSDOWN)
			for (uint64_t i = v->start >> 12, n = VMA_STACK_GUARD >> 12;
			     i > 0 && n > 0 && used[i - 1] != 1; i--, n--)
				used[i - 1] = 2;
	for (uint64_t k = 0; k + pages <= MODEL_PAGES; k++) {
		uint64_t at = topdown ? MODEL_PAGES - pages - k : k, i = 0;

		if (at < low || at + pages > high || at % align)
			continue;
		while (i < pages && !used[at + i])
			i++;
		if (i == pages) {
			ok = 1;
			want = at;
			break;
		}
	}
	got = vma_find_gap(&m->tree, pages * PAGE_SIZE, align * PAGE_SIZE, low * PAGE_SIZE,
			   high * PAGE_SIZE, topdown, &found, &next);
	model_require(got == ok && (!ok || found == want * PAGE_SIZE));
	model_require(!ok || next == vma_find_from(&m->tree, found));
}

static inline void model_check(struct model *m)
{
	struct vma *prev = NULL;
	long refs[MODEL_OBJECTS + 1] = { 0 };

	model_require(vma_tree_is_valid(&m->tree));
	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		const struct model_page *p = &m->page[i];
		struct vma *v = vma_find(&m->tree, i * PAGE_SIZE + 123);

		model_require(!v == !(p->prot & MAPPED));
		if (!v)
			continue;
		model_require(v->prot == (p->prot & ~MAPPED) && v->flags == p->flags);
		model_require(model_object_id(v) == p->object);
		model_require(!p->object || v->pgoff + i - (v->start >> 12) == p->index);
	}
	for (struct vma *v = vma_first(&m->tree); v; prev = v, v = vma_next(v)) {
		refs[model_object_id(v)]++;
		model_require(!prev || !vma_can_merge(prev, v));
		model_require(vma_prev(v) == prev);
		model_require(vma_find_from(&m->tree, prev ? prev->end : 0) == v);
	}
	for (unsigned i = 0; i <= MODEL_OBJECTS; i++)
		model_require(refs[i] == m->refs[i]);
	model_require(m->nodes == (long)m->tree.count);
}

static inline void model_unmap(struct model *m, uint64_t first, uint64_t n)
{
	struct vma_edit e;
	struct vma *v;

	v = vma_find_from(&m->tree, first << 12);
	model_begin(m, &e, vma_nodes_for_unmap(v, first << 12, (first + n) << 12));
	v = vma_edit_unmap(&e, v, first << 12, (first + n) << 12);
	model_require(v == vma_find_from(&m->tree, (first + n) << 12));
	model_end(m, &e, 1);
	memset(&m->page[first], 0, n * sizeof(m->page[0]));
}

/* mmap(MAP_FIXED): what is there goes. */
static inline void model_map(struct model *m, uint64_t first, uint64_t n, uint32_t prot,
			     uint32_t flags, unsigned object, uint64_t index)
{
	struct vma_edit e;
	struct vma *v;

	model_begin(m, &e,
		    1 + vma_nodes_for_unmap(vma_find_from(&m->tree, first << 12), first << 12,
					    (first + n) << 12));
	v = vma_edit_take_spare(&e);
	*v = (struct vma){ .start = first << 12,
			   .end = (first + n) << 12,
			   .prot = prot,
			   .max_prot = 7,
			   .flags = flags,
			   .pgoff = object ? index : 0,
			   .object = object ? (struct vmobject *)&model_objects[object] : NULL };
	list_init(&v->object_node);
	vma_edit_unmap(&e, vma_find_from(&m->tree, v->start), v->start, v->end);
	v = vma_edit_map(&e, v);
	model_require(v->start <= first << 12 && v->end >= (first + n) << 12);
	model_end(m, &e, 0);
	for (uint64_t i = 0; i < n; i++)
		m->page[first + i] =
			(struct model_page){ prot | MAPPED, flags, object, object ? index + i : 0 };
}

struct model_change {
	uint32_t prot;
	uint32_t toggle; /* flags */
};

static inline void model_apply(void *ctx, struct vma *v)
{
	const struct model_change *c = ctx;

	v->prot = c->prot;
	v->flags ^= c->toggle;
}

/* mprotect, madvise, mlock: holes are passed over. */
static inline void model_change(struct model *m, uint64_t first, uint64_t n, uint32_t prot,
				uint32_t toggle)
{
	struct model_change c = { prot, toggle };
	struct vma_edit e;

	model_begin(m, &e, vma_nodes_for_change(&m->tree, first << 12, (first + n) << 12));
	vma_edit_change(&e, vma_find_from(&m->tree, first << 12), first << 12, (first + n) << 12,
			model_apply, &c);
	model_end(m, &e, 1);
	for (uint64_t i = first; i < first + n; i++)
		if (m->page[i].prot & MAPPED) {
			m->page[i].prot = prot | MAPPED;
			m->page[i].flags ^= toggle;
		}
}

/* mremap(MREMAP_FIXED) of [first, first+n), which lies in one VMA, to `to`; the ranges do not overlap. */
static inline void model_move(struct model *m, uint64_t first, uint64_t n, uint64_t to)
{
	struct vma *v = vma_find(&m->tree, first << 12), *new;
	struct model_page moved[MODEL_PAGES];
	struct vma_edit e;

	if (!v || v->end < (first + n) << 12 || (to < first + n && first < to + n))
		return;
	memcpy(moved, &m->page[first], n * sizeof(moved[0]));
	model_begin(m, &e, 3);
	new = vma_edit_take_spare(&e);
	vma_slice(v, first << 12, n << 12, to << 12, new);
	vma_edit_unmap(&e, vma_find_from(&m->tree, to << 12), to << 12, (to + n) << 12);
	(void)vma_edit_map(&e, new);
	vma_edit_unmap(&e, vma_find_from(&m->tree, first << 12), first << 12, (first + n) << 12);
	model_end(m, &e, 0);
	memset(&m->page[first], 0, n * sizeof(m->page[0]));
	memcpy(&m->page[to], moved, n * sizeof(moved[0]));
}

/* brk(2), as vm/brk.c does it. Returns the break that holds afterwards. */
static inline uint64_t model_brk(struct model *m, uint64_t want)
{
	struct brk_plan p = vma_plan_brk(&m->tree, m->brk_start, m->brk, want);

	if (p.action == BRK_REFUSE)
		return m->brk;
	if (p.action == BRK_GROW) {
		for (uint64_t i = p.start >> 12; i < p.end >> 12; i++)
			model_require(!(m->page[i].prot & MAPPED));
		model_map(m, p.start >> 12, (p.end - p.start) >> 12, 3, VMA_ACCOUNTED, 0, 0);
	} else if (p.action == BRK_SHRINK) {
		model_unmap(m, p.start >> 12, (p.end - p.start) >> 12);
	}
	return m->brk = want;
}

static inline void model_fini(struct model *m)
{
	model_unmap(m, 0, MODEL_PAGES);
	model_check(m);
	model_require(m->nodes == 0);
}
