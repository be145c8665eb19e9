#pragma once

/* Inside vfs only. */

#include "abi/inotify.h"
#include "vfs/dcache_priv.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/resolve.h"
#include "vfs/walk.h"

/* The mode bits alone, without method and without sleep: what the lock-free walk may ask. */
MUST_CHECK int inode_mode_permission(const struct cred *c, const struct inode *i, unsigned mask);

/* mount.c, for walks */

/* Even: the tree stands still; changed since: what was concluded from it is void. */
extern _Atomic uint32_t mount_seq;
/* What is mounted on (m, d), uncounted, under an epoch. */
struct mount *mount_probe(const struct mount *m, const struct dentry *d);
/* Replaces p, counted, by the topmost mount's root on it. True: it was a mount point. */
bool mount_descend(struct path *p);
/* Replaces p, counted, a mount's root, by the place it is mounted on. False: there is none. */
MUST_CHECK bool mount_ascend(struct path *p);

/* walk.c, walk_ref.c */

/* How a name starts: at `start`, or the working directory when that is NULL. */
struct walk_result {
	struct path
		path; /* counted: the place, or with `parent` the directory of the last component */
	const char *last;
	uint32_t last_len, last_hash;
	enum resolve_last last_kind;
	bool slash;
};
/* Flags: walk_flags; parent: stop before the last component. start borrowed, NULL: the working
 * directory. */
MUST_CHECK int walk_run(const struct path *start, const char *name, unsigned flags, bool parent,
			struct walk_result *out);
/* From a descriptor: the file to be put is in *hold (may be NULL). */
struct fdref;
MUST_CHECK int walk_start(int dirfd, const char *name, unsigned flags, struct fdref *hold,
			  const struct path **start);

/* The walk with references, one step at a time: for open(2), which goes on where a last component
 * is a link. */
struct refwalk;
MUST_CHECK int refwalk_begin(const struct path *start, const char *name, unsigned flags,
			     bool parent, struct refwalk **out);
MUST_CHECK int refwalk_run(struct refwalk *w);
/* The last component is the symbolic link d (counted; consumed): goes on in it. */
MUST_CHECK int refwalk_follow(struct refwalk *w, struct dentry *link);
void refwalk_result(struct refwalk *w, struct walk_result *out); /* path counted */
void refwalk_end(struct refwalk *w);

/* fs.protected_symlinks: may the caller follow `link`, met at the end of a name in `dir`? */
MUST_CHECK int may_follow_link(const struct cred *c, const struct inode *dir,
			       const struct inode *link);

/* The child `name` of the counted directory p: cache, revalidation, file system. Takes the
 * directory's lock for reading when it must. *out counted, may be negative. */
MUST_CHECK int walk_lookup(struct dentry *dir, const char *name, uint32_t len, uint32_t hash,
			   struct dentry **out);

/* namei.c: checks shared with rename.c and open.c */

MUST_CHECK int may_create_in(const struct cred *c, struct inode *dir);
MUST_CHECK int may_delete(const struct cred *c, struct inode *dir, struct dentry *victim,
			  bool is_dir);

/* file.c */
MUST_CHECK int file_alloc(unsigned oflags, struct file **out);
void file_discard(struct file *f); /* of file_alloc(), before it was opened */
