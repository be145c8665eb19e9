#pragma once

/*
 * Edits of a VMA tree: which VMAs an mmap, munmap, mprotect, mremap or brk cuts, splits, drops and
 * joins (pure module vmplan.c: no locks, no allocation). An edit is planned by asking how many
 * nodes it needs and adding so many spare ones; carrying it out cannot fail. VMAs that the edit
 * takes out are handed back in `dead`.
 */

#include "lib/types.h"
#include "vm/vma.h"

struct vma_edit_ops {
	/* v begins to exist (a new mapping, or the second half of a split): it takes its
	 * references. */
	void (*born)(struct vma *v);
	/* v covers more of its object than before. */
	void (*grown)(struct vma *v);
};

struct vma_edit {
	struct vma_tree *tree;
	const struct vma_edit_ops *ops;
	struct vma *spare; /* nodes not used yet, by `chain`; uninitialised otherwise */
	struct vma *dead;  /* VMAs out of the tree, by `chain`; they still have their references */
};

static inline void vma_edit_init(struct vma_edit *e, struct vma_tree *t,
				 const struct vma_edit_ops *ops)
{
	*e = (struct vma_edit){ .tree = t, .ops = ops };
}

static inline void vma_edit_add_spare(struct vma_edit *e, struct vma *v)
{
	v->chain = e->spare;
	e->spare = v;
}

/* Takes a spare node, which must be there. */
struct vma *vma_edit_take_spare(struct vma_edit *e);

/* How many spare nodes vma_edit_unmap() and vma_edit_change() of [start, end) will take: 0 … 1, 0
 * … 2. The first VMA of the range, vma_find_from(start), is `v` here and below; it may be NULL. */
static inline unsigned vma_nodes_for_unmap(const struct vma *v, uint64_t start, uint64_t end)
{
	return v && v->start < start && v->end > end;
}
unsigned vma_nodes_for_change(const struct vma_tree *t, uint64_t start, uint64_t end);

/* Makes [start, end) free. Returns the first VMA behind it, or NULL. */
struct vma *vma_edit_unmap(struct vma_edit *e, struct vma *v, uint64_t start, uint64_t end);

/*
 * Puts v, whose range is free, into the tree or lets neighbours that it continues take its range
 * over. v            initialised but without references: born() takes them. It was a spare node;
 * when neighbours took over, it is one again returns      the VMA that now covers the range
 */
struct vma *vma_edit_map(struct vma_edit *e, struct vma *v);
/* The same when the VMA behind v's range is known (NULL: none). */
struct vma *vma_edit_map_before(struct vma_edit *e, struct vma *v, struct vma *next);

/* Calls apply(ctx, v) for each VMA of [start, end), cut to the range, then joins what has become
 * equal. */
void vma_edit_change(struct vma_edit *e, struct vma *v, uint64_t start, uint64_t end,
		     void (*apply)(void *ctx, struct vma *v), void *ctx);

/* Makes v, in the tree, cover [start, end) as well, which is free and adjacent. Upwards it may meet
 * and join the next VMA; downwards it never joins. */
void vma_edit_grow(struct vma_edit *e, struct vma *v, uint64_t start, uint64_t end);

/* Fills `out` with what v says about [start, start+len), placed at `at`; without references. */
void vma_slice(const struct vma *v, uint64_t start, uint64_t len, uint64_t at, struct vma *out);

/*
 * What brk(want) means. The break is two addresses and owns no VMA: growing makes fresh anonymous
 * memory where nothing may be, with one free page above; shrinking unmaps whatever lies there.
 *   source       brk(2), and Linux's behaviour
 */
enum brk_action { BRK_REFUSE, BRK_MOVE, BRK_GROW, BRK_SHRINK };
struct brk_plan {
	enum brk_action action;
	uint64_t start, end; /* page aligned; for GROW and SHRINK */
	struct vma *below;   /* the last VMA that begins below the old break's page end, or NULL */
};
struct brk_plan vma_plan_brk(const struct vma_tree *t, uint64_t brk_start, uint64_t brk,
			     uint64_t want);

/* True when a GROWSDOWN VMA v may begin at `start`: nobody else inside its guard. */
bool vma_can_grow_down(const struct vma *v, uint64_t start);
