#pragma once

/*
 * VMAs and their tree (pure module vma.c: no locks, no allocation). The tree is ordered by start
 * address and augmented with the largest gap below each subtree, so that find, insert and search
 * for room are O(log n).
 */

#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"

struct file;
struct vmobject;
struct vmspace;

enum vma_flags {
	VMA_SHARED = 1, /* MAP_SHARED: writes reach the object */
	VMA_GROWSDOWN = 2,
	VMA_LOCKED = 4, /* mlock */
	VMA_NORESERVE = 8,
	VMA_DONTFORK = 16,
	VMA_WIPEONFORK = 32,
	VMA_DONTDUMP = 64,
	VMA_STACK = 128,   /* the initial stack */
	VMA_SPECIAL = 256, /* vdso, vvar: not merged, not remapped partially */
	VMA_NOHUGE = 512,
	VMA_HUGE = 1024,
	VMA_SEQ_READ = 2048,
	VMA_RAND_READ = 4096,
	VMA_ACCOUNTED = 8192, /* counted against the commit limit */
	VMA_LOCKONFAULT = 16384,
	VMA_ATTACHED = 32768, /* its object counts its VMAs (vmobject_ops.attached): never merged */
};

/* Addresses below a VMA_GROWSDOWN mapping that only its own growth may take: 256 pages, as Linux
 * keeps. */
#define VMA_STACK_GUARD (256 * PAGE_SIZE)

struct vma {
	struct rbnode node;
	struct vma *prev, *next; /* in the tree, by address; NULL at the ends */
	uint64_t start, end;     /* bytes, page aligned; end exclusive */
	uint64_t gap;      /* usable bytes between the previous VMA's end and start (less a stack's
			      guard) */
	uint64_t max_gap;  /* largest gap in the subtree */
	uint32_t prot;     /* PROT_* */
	uint32_t max_prot; /* what mprotect may grant: from the file's open mode */
	uint32_t flags;    /* enum vma_flags */
	struct vmobject *object; /* NULL: private anonymous memory; referenced */
	uint64_t pgoff; /* index in object of `start`; for anonymous memory: of its first address */
	struct file *file; /* opaque here; referenced through vm_file_ops; may be NULL */
	const char *name;  /* "[vdso]" …; static; NULL: none */
	uint64_t policy;   /* vm/mempolicy.h; 0: the thread's */
	struct vmspace *vs;
	struct list object_node; /* in object->mappings */
	struct vma *chain;       /* vmplan: VMAs taken out of the tree, not freed yet */
	_Atomic bool
		has_private; /* may map pages of its own that are not object's: fork must copy
			      * entries. Set by faults (lock held for reading), never cleared */
	_Atomic bool
		has_lazy; /* some of its pages were given up (lazyfree.c); may be out of date */
};

struct vma_tree {
	struct rbtree rb;
	struct vma *first, *last;
	uint64_t count;
	uint64_t limit; /* addresses end here */
};

void vma_tree_init(struct vma_tree *t, uint64_t limit);
struct vma *vma_find(const struct vma_tree *t,
		     uint64_t addr); /* the one that contains addr, or NULL */
struct vma *vma_find_from(const struct vma_tree *t,
			  uint64_t addr); /* the first with end > addr, or NULL */

/* Lowest and highest, NULL when empty; the neighbours of one in a tree. */
static inline struct vma *vma_first(const struct vma_tree *t)
{
	return t->first;
}
static inline struct vma *vma_last(const struct vma_tree *t)
{
	return t->last;
}
static inline struct vma *vma_next(const struct vma *v)
{
	return v->next;
}
static inline struct vma *vma_prev(const struct vma *v)
{
	return v->prev;
}

/* v's range must be free. */
void vma_insert(struct vma_tree *t, struct vma *v);
/* The same where its neighbours are known (NULL: there is none). */
void vma_insert_between(struct vma_tree *t, struct vma *v, struct vma *prev, struct vma *next);
void vma_remove(struct vma_tree *t, struct vma *v);
/* Changes the bounds of a VMA in the tree; it must not pass its neighbours. */
void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end);
/* v, which ends where `upper` does, gives it its part from upper->start on; and the reverse: v
 * takes over the range of `upper`, which begins where v ends and leaves the tree. No gap but
 * upper's changes, so both are cheap. */
void vma_split(struct vma_tree *t, struct vma *v, struct vma *upper);
void vma_join(struct vma_tree *t, struct vma *v, struct vma *upper);

/*
 * Room for len bytes inside [low, high), aligned to `align` (power of two): the highest such
 * address when topdown, else the lowest.
 *   next         out: the VMA behind the room, or NULL
 *   returns      true and *out; false when there is none
 */
MUST_CHECK bool vma_find_gap(const struct vma_tree *t, uint64_t len, uint64_t align, uint64_t low,
			     uint64_t high, bool topdown, uint64_t *out, struct vma **next);

/* True when [start, end) is free and may be taken. *next: the VMA behind `start`. */
MUST_CHECK bool vma_is_free(const struct vma_tree *t, uint64_t start, uint64_t end,
			    struct vma **next);

/* True when b, which starts where a ends, continues it in every respect, so that the two may be
 * one. */
bool vma_can_merge(const struct vma *a, const struct vma *b);

/* Checks every invariant of the tree; for tests and debug kernels. */
bool vma_tree_is_valid(const struct vma_tree *t);
