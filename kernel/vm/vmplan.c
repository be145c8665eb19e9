/*
 * Edits of a VMA tree. Each keeps the tree valid after every step, so that a bug shows at once in
 * vma_tree_is_valid(), and touches only the VMAs of its range and their direct neighbours.
 *
 * Joining: of two equal neighbours the lower one stays and grows. A grown VMA is reported, because
 * a truncation that walks an object's mappings must see it again (vm/rmap.c).
 */
#include "vm/vmplan.h"

struct vma *vma_edit_take_spare(struct vma_edit *e)
{
	struct vma *v = e->spare;

	e->spare = v->chain;
	return v;
}

static void bury(struct vma_edit *e, struct vma *v)
{
	v->chain = e->dead;
	e->dead = v;
}

/* Moves the start of v up to `start`. */
static void cut_head(struct vma_edit *e, struct vma *v, uint64_t start)
{
	if (v->object)
		v->pgoff += (start - v->start) >> PAGE_SHIFT;
	vma_resize(e->tree, v, start, v->end);
}

/* Cuts v in two at addr, which lies inside; returns the upper part. */
static struct vma *split(struct vma_edit *e, struct vma *v, uint64_t addr)
{
	struct vma *upper = vma_edit_take_spare(e);

	vma_slice(v, addr, v->end - addr, addr, upper);
	vma_split(e->tree, v, upper);
	e->ops->born(upper);
	return upper;
}

void vma_slice(const struct vma *v, uint64_t start, uint64_t len, uint64_t at, struct vma *out)
{
	*out = *v;
	out->start = at;
	out->end = at + len;
	if (v->object)
		out->pgoff = v->pgoff + ((start - v->start) >> PAGE_SHIFT);
	out->chain = NULL;
	list_init(&out->object_node);
}

unsigned vma_nodes_for_change(const struct vma_tree *t, uint64_t start, uint64_t end)
{
	struct vma *low = vma_find(t, start);
	struct vma *high = low && low->end >= end ? low : vma_find(t, end - 1);

	return (low && low->start < start) + (high && high->end > end);
}

struct vma *vma_edit_unmap(struct vma_edit *e, struct vma *v, uint64_t start, uint64_t end)
{
	struct vma *next;

	if (v && v->start < start) {
		if (v->end > end)
			split(e, v, end);
		next = vma_next(v);
		vma_resize(e->tree, v, v->start, start);
		v = next;
	}
	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		if (v->end > end) {
			cut_head(e, v, end);
			break;
		}
		vma_remove(e->tree, v);
		bury(e, v);
	}
	return v;
}

/* b, which continues a, becomes part of it. */
static void join(struct vma_edit *e, struct vma *a, struct vma *b)
{
	if (b->has_private)
		a->has_private = true;
	if (b->has_lazy)
		a->has_lazy = true;
	vma_join(e->tree, a, b);
	bury(e, b);
	e->ops->grown(a);
}

void vma_edit_grow(struct vma_edit *e, struct vma *v, uint64_t start, uint64_t end)
{
	struct vma *next;

	if (start < v->start) {
		if (v->object)
			v->pgoff -= (v->start - start) >> PAGE_SHIFT;
		vma_resize(e->tree, v, start, v->end);
	}
	if (end <= v->end) {
		e->ops->grown(v);
		return;
	}
	vma_resize(e->tree, v, v->start, end);
	e->ops->grown(v);
	next = vma_next(v);
	if (next && vma_can_merge(v, next))
		join(e, v, next);
}

struct vma *vma_edit_map(struct vma_edit *e, struct vma *v)
{
	return vma_edit_map_before(e, v, vma_find_from(e->tree, v->start));
}

struct vma *vma_edit_map_before(struct vma_edit *e, struct vma *v, struct vma *next)
{
	struct vma *prev = next ? vma_prev(next) : vma_last(e->tree);
	struct vma *host = NULL;

	if (prev && vma_can_merge(prev, v))
		host = prev;
	else if (next && vma_can_merge(v, next))
		host = next;
	if (!host) {
		vma_insert_between(e->tree, v, prev, next);
		e->ops->born(v);
		return v;
	}
	if (v->has_private)
		host->has_private = true;
	vma_edit_grow(e, host, MIN(v->start, host->start), MAX(v->end, host->end));
	vma_edit_add_spare(e, v);
	return host;
}

void vma_edit_change(struct vma_edit *e, struct vma *v, uint64_t start, uint64_t end,
		     void (*apply)(void *ctx, struct vma *v), void *ctx)
{
	struct vma *prev, *next;

	if (!v || v->start >= end)
		return;
	if (v->start < start)
		v = split(e, v, start);
	prev = vma_prev(v);
	for (; v && v->start < end; v = next) {
		if (v->end > end)
			split(e, v, end);
		apply(ctx, v);
		next = vma_next(v);
		if (prev && vma_can_merge(prev, v))
			join(e, prev, v);
		else
			prev = v;
	}
	if (v && prev && vma_can_merge(prev, v))
		join(e, prev, v);
}

struct brk_plan vma_plan_brk(const struct vma_tree *t, uint64_t brk_start, uint64_t brk,
			     uint64_t want)
{
	struct brk_plan p = { .action = BRK_REFUSE };
	uint64_t old_end = page_round_up(brk), new_end, room_end;
	struct vma *v;

	if (want < brk_start || want > t->limit - PAGE_SIZE)
		return p;
	new_end = page_round_up(want);
	p.action = BRK_MOVE;
	if (new_end == old_end)
		return p;
	v = vma_find_from(t, old_end);
	p.below = v ? vma_prev(v) : vma_last(t);
	if (new_end < old_end) {
		p.action = BRK_SHRINK;
		p.start = new_end;
		p.end = old_end;
	} else {
		room_end = v ? v->start : t->limit;
		if (v && (v->flags & VMA_GROWSDOWN))
			room_end = MAX(room_end, VMA_STACK_GUARD) - VMA_STACK_GUARD;
		p.action = room_end >= new_end + PAGE_SIZE ? BRK_GROW : BRK_REFUSE;
		p.start = old_end;
		p.end = new_end;
	}
	return p;
}

bool vma_can_grow_down(const struct vma *v, uint64_t start)
{
	struct vma *prev = vma_prev(v);

	/* An unreadable neighbour is a guard itself: PROT_NONE below a thread's stack. */
	if (!prev)
		return true;
	if (prev->prot == 0 || (prev->flags & VMA_GROWSDOWN))
		return prev->end <= start;
	return prev->end + VMA_STACK_GUARD <= start;
}
