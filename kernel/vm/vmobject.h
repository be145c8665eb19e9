#pragma once

/*
 * A vmobject is memory that has a name of its own: a file's page cache, shared anonymous memory, a
 * device's registers. Its pages are found by index (4 KiB units); every page is whole and there is
 * one copy of it, shared by read, write, splice, exec and every mapping. It knows the VMAs that map
 * it.
 *
 * Locks: tree_lock (PAGECACHE) guards insertion and removal in `pages`; lookups run under an epoch.
 * A page being filled is PG_LOCKED. `lock` (VMOBJECT) orders truncation (writer) against fill and
 * fault-in (readers), so a page beyond a truncation can be neither cached nor mapped afterwards.
 * `mappings_lock` (MAPPINGS) guards the list of VMAs.
 */

#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/radix.h"
#include "lib/types.h"
#include "sched/mutex.h"

struct page;
struct uio;
struct vma;
struct vmobject;

struct vmobject_ops {
	/* Fills the whole page from its backing, with zeroes beyond the end of the file; PG_LOCKED,
	 * content undefined. NULL: pages start as zeroes. Returns 0 or -errno (-EIO). May sleep. */
	int (*read_page)(struct vmobject *o, struct page *p);
	/* Writes a dirty page back. NULL: memory only; its pages are never evicted. */
	int (*write_page)(struct vmobject *o, struct page *p);
	/* Room for a new page (tmpfs limits): 0 or -ENOSPC; `undo` gives pages back. NULL:
	 * unlimited. */
	int (*charge)(struct vmobject *o, uint64_t pages);
	void (*uncharge)(struct vmobject *o, uint64_t pages);
	/* Size in bytes: faults wholly beyond it are SIGBUS. NULL: unlimited. */
	uint64_t (*size)(struct vmobject *o);
	/* A mapping is about to write (mtime, allocation). 0 or -errno → SIGBUS. NULL: nothing to
	 * do. */
	int (*page_mkwrite)(struct vmobject *o, struct page *p);
	/* Devices: the frame behind index, instead of pages; pte flags to add in *flags. NULL: uses
	 * pages. */
	int (*map_frame)(struct vmobject *o, uint64_t index, paddr_t *pa, unsigned *flags);
	/* The owner's reference count: a mapping keeps the object (through its inode) alive. */
	void (*get)(struct vmobject *o);
	void (*put)(struct vmobject *o);
	/* Of VMAs with VMA_ATTACHED, which has both: one has come (its space's lock is held), one
	 * has gone (no locks). */
	void (*attached)(struct vmobject *o);
	void (*detached)(struct vmobject *o);
	/* What /proc/PID/maps says of a mapping without a file: writes a name, returns an inode
	 * number. NULL: it has none. */
	uint64_t (*describe)(struct vmobject *o, char *name, size_t size);
};

struct vmobject {
	const struct vmobject_ops *ops; /* immutable */
	struct radix pages;             /* index → struct page *; tree_lock */
	struct spinlock tree_lock;
	struct rwlock lock;
	struct spinlock mappings_lock;
	struct list mappings;       /* struct vma.object_node; mappings_lock */
	_Atomic uint32_t nwritable; /* shared mappings that may become writable; memfd seals */
	_Atomic uint64_t npages;
	struct list backed_node; /* objects with backing, for write-back and reclaim; vmobject.c's
				    lock */
	_Atomic uint32_t pins;   /* of those walks: vmobject_fini() waits for 0 */
	uint64_t clock_hand;     /* reclaim's place in `pages`; reclaim's lock */
};

void vmobject_init(struct vmobject *o, const struct vmobject_ops *ops);
/* Drops every page; no mapping and no user is left. */
void vmobject_fini(struct vmobject *o);

/* Anonymous shared memory (MAP_SHARED|MAP_ANONYMOUS), with one reference. -ENOMEM. */
MUST_CHECK int vmobject_create_shm(uint64_t pages, struct vmobject **out);

static inline void vmobject_get(struct vmobject *o)
{
	o->ops->get(o);
}
static inline void vmobject_put(struct vmobject *o)
{
	o->ops->put(o);
}
