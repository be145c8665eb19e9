#pragma once

/* The mount tree, inside mount*.c and propagate.c. All under mount_lock (MOUNT). */

#include "sched/mutex.h"
#include "vfs/vfs_priv.h"

struct mount_ns {
	struct mount *root;
	struct list mounts; /* mount.ns_node, oldest first */
	unsigned count;
};

extern struct mutex mount_lock;
extern struct mount_ns mount_init_ns;
extern struct mount_ns mount_loose_ns; /* trees that a descriptor holds: open_tree(2), fsmount(2) */

/* A mount of `root` (borrowed) that is nowhere yet, count 1. NULL: no memory. */
MUST_CHECK struct mount *mount_alloc(struct superblock *sb, struct dentry *root, uint32_t flags,
				     const char *source);

/* Around every change that walkers can see; no sleep in between. */
void mount_change_begin(void);
void mount_change_end(void);

/*
 * Trees that are not attached: the top is its own parent, the others hang below it without being
 * found by walks. mount_link() hangs m (a top) below parent; mount_publish() makes m and all below
 * it visible in the namespace, at the place that mount_link() gave it. mount_unlink() takes m out
 * of its parent's children, mount_hide() out of the hash and the namespace as well, m alone.
 */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint);
void mount_publish(struct mount *m);
void mount_hide(struct mount *m);
/* Walks from its top find what is mounted in it, but it is nowhere; and from there into the
 * namespace: mount_relocate() follows. */
void mount_publish_loose(struct mount *top);
void mount_adopt(struct mount *top);
/* Moves the attached m, with all below it, to another place. */
void mount_relocate(struct mount *m, struct mount *parent, struct dentry *mountpoint);

/* Hides m, a detached or attached mount without children, leaves its group, and drops the tree's
 * reference, through `gone` (a list by ns_node): mounts_drop() puts them once the lock is given
 * back. */
void mount_detach(struct mount *m, struct list *gone);
void mounts_drop(struct list *gone);

/* The next mount of the tree below `top` (included first) in depth-first order; NULL at the end. */
struct mount *mount_next_in_tree(struct mount *m, struct mount *top);
/* Frees a tree that was never attached. */
void mount_free_tree(struct mount *top);

/* mount_ops.c: takes the lock and the topmost place on `at`, counted. -EINVAL not in the tree;
 * -ENOENT deleted. */
MUST_CHECK int mount_place_lock(const struct path *at, struct path *out);
void mount_place_unlock(struct path *p);
/* A directory covers a directory, anything else anything else. */
bool mount_may_cover(const struct dentry *what, const struct dentry *where);
bool mount_has_unbindable(struct mount *top);

/* propagate.c */
enum copy_how { COPY_PRIVATE, COPY_PEER, COPY_SLAVE };
/* A copy of the mounts of `top`'s tree that lie below `root`; recursive: with what is mounted
 * there. -ENOMEM. */
MUST_CHECK int mount_copy_tree(struct mount *top, struct dentry *root, bool recursive,
			       enum copy_how how, struct mount **out);
/* Attaches the tree m to (parent, d), and copies of it wherever parent's changes propagate.
 * Consumes m on success. */
MUST_CHECK int mount_attach(struct mount *m, struct mount *parent, struct dentry *d);
/* The two halves of it: the copies, made (`trees`, by ns_node) and shown. */
MUST_CHECK int mount_plan_copies(struct mount *top, struct mount *parent, struct dentry *d,
				 struct list *trees);
void mount_publish_copies(struct list *trees);
/* Calls fn for each mount on `d` in a mount that receives parent's changes, parent itself not
 * included. */
int mount_for_each_copy(struct mount *parent, struct dentry *d,
			int (*fn)(struct mount *m, void *ctx), void *ctx);
void mount_set_shared(struct mount *m);
void mount_leave_group(struct mount *m, bool become_slave);
MUST_CHECK struct mount *mount_on(const struct mount *m, const struct dentry *d); /* borrowed */
