#pragma once

/*
 * The dentry cache: names of directories' entries, found by (parent, name) in a hash without a
 * lock, under an epoch. A dentry without inode is negative: the name is known not to exist.
 * Children hold their parents; unused dentries stay cached on an LRU and are reclaimed.
 *
 * Locks: DCACHE guards chains, children lists and the LRU; dentry->lock (DENTRY) guards name,
 * parent and inode against rename for those who need them to agree. `seq` lets lock-free walkers
 * see a rename.
 */

#include "core/epoch.h"
#include "core/ref.h"
#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/types.h"
#include "vfs/inode.h"

enum { NAME_LEN_MAX = 255, DNAME_INLINE = 40 };

enum dentry_flags {
	DENTRY_MOUNTED = 1,     /* some mount has this as its mount point */
	DENTRY_UNHASHED = 2,    /* removed, or of a pseudo file (pipe:[n]) */
	DENTRY_REVALIDATE = 4,  /* inode->ops->revalidate of the parent must be asked */
	DENTRY_DEAD = 8,        /* rmdir'ed: nothing may be made in it */
	DENTRY_REFERENCED = 16, /* used since reclaim passed */
	DENTRY_PSEUDO = 32,     /* of a file without a path: its name is all there is to show */
};

/* In ref: the dentry is being turned negative or freed; lock-free lookups do not get it. */
#define DENTRY_REF_DEAD 0x80000000u

struct dentry {
	_Atomic uint32_t ref; /* 0: only cached */
	_Atomic uint32_t flags;
	uint32_t name_len; /* with the next, aligned: compared at once */
	uint32_t name_hash;
	_Atomic uint32_t seq; /* odd while being renamed */
	struct spinlock lock;
	_Atomic(struct dentry *) parent; /* itself for a root */
	_Atomic(struct inode *) inode;   /* NULL: negative */
	const char *name;                /* inline_name or an allocation */
	struct dentry *hash_next;
	struct superblock *sb;
	struct list children; /* DCACHE */
	struct list sibling;
	struct list lru;
	void *fsdata; /* of the file system */
	struct epoch_head epoch;
	char inline_name[DNAME_INLINE];
};

void dcache_init(void);
extern _Atomic uint64_t dcache_count; /* dentries in all; statistics */

/* A new negative, unhashed dentry below parent (which is counted by it), count 1. NULL: no memory.
 */
MUST_CHECK struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len);
/* A root, or a pseudo file's dentry; takes over the reference to the inode. NULL: no memory (inode
 * is put). */
MUST_CHECK struct dentry *dentry_create_root(struct superblock *sb, struct inode *i);
MUST_CHECK struct dentry *dentry_create_pseudo(struct superblock *sb, const char *name,
					       struct inode *i);

void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d); /* may sleep when the last reference frees an inode */

/* Attaches i (reference consumed) to a negative dentry. */
void dentry_instantiate(struct dentry *d, struct inode *i);
/* The cached child, counted; NULL when not cached. */
MUST_CHECK struct dentry *dentry_find_child(struct dentry *parent, const char *name, size_t len);
/*
 * The child, from the cache or through inode->ops->lookup.
 *   out          counted; may be negative
 *   returns      0; -ENOENT parent is dead; -ENAMETOOLONG; -ENOMEM; the file system's error
 *   context      may sleep; the parent's inode->lock is held for reading or writing
 */
MUST_CHECK int dentry_lookup_locked(struct dentry *parent, const char *name, size_t len,
				    struct dentry **out);
/* After unlink/rmdir: the name is gone. The dentry turns negative, or unhashed when it is in use.
 */
void dentry_delete(struct dentry *d);
void dentry_drop(struct dentry *d); /* unhashes: the next lookup asks the file system */
/* d takes nd's place and name; nd is dropped. Both parents' inode locks are held for writing. */
void dentry_move(struct dentry *d, struct dentry *nd);
void dentry_exchange(struct dentry *a, struct dentry *b);
bool dentry_is_below(const struct dentry *d,
		     const struct dentry *ancestor); /* also when they are the same */
struct dentry *dentry_get_parent(struct dentry *d);  /* counted */
/* Frees the unused dentries below d (names that do not exist, mostly): before a directory dies. */
void dentry_shrink_children(struct dentry *d);

/*
 * Takes d out of the cache, and what is unused of all below it: what they name is no more.
 *   ownership    consumes the reference to d
 *   context      may sleep; recursive, for the shallow trees of pseudo file systems
 */
void dentry_prune(struct dentry *d);

/* Frees unused dentries. Returns how many. */
uint64_t dcache_reclaim(uint64_t want);
/* Drops all unused dentries of a superblock: unmount. */
void dcache_shrink_sb(struct superblock *sb);

/* For lookups under an epoch: false when it is on its way out. */
MUST_CHECK static inline bool dentry_tryget(struct dentry *d)
{
	uint32_t n = atomic_load_explicit(&d->ref, memory_order_relaxed);

	while (!(n & DENTRY_REF_DEAD))
		if (atomic_compare_exchange_weak_explicit(&d->ref, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

static inline struct inode *dentry_inode(const struct dentry *d)
{
	return atomic_load_explicit(&d->inode, memory_order_acquire);
}
