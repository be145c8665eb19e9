#pragma once

/*
 * Path walk. First without locks or counts under an epoch (checked against dentry->seq and mount
 * changes); where that cannot go on (uncached name, symbolic link that sleeps, revalidation), again
 * with references.
 */

#include "lib/types.h"
#include "vfs/mount.h"

struct file;

enum walk_flags {
	WALK_FOLLOW = 1,    /* follow a symbolic link at the end */
	WALK_DIRECTORY = 2, /* the result must be a directory (also: trailing slash) */
	WALK_EMPTY = 4,     /* "" means the start (AT_EMPTY_PATH) */
	WALK_NO_AUTOMOUNT = 8,
	WALK_NO_SYMLINKS = 16,
	WALK_NO_MAGICLINKS = 32,
	WALK_NO_XDEV = 64,
	WALK_BENEATH = 128,
	WALK_IN_ROOT = 256, /* openat2(2) RESOLVE_* */
	WALK_CACHED = 512,  /* -EAGAIN rather than sleeping */
};

enum { PATH_MAX_BYTES = 4096, SYMLINK_MAX_DEPTH = 40 };

/*
 * A path name copied from user space: from a slab, not the stack.
 *   returns      0; -EFAULT; -ENAMETOOLONG; -ENOENT for "" unless WALK_EMPTY; -ENOMEM
 */
MUST_CHECK int pathname_get(uaddr_t upath, unsigned flags, char **out);
void pathname_put(char *name);

/* The same for the length of one call: short names, which are most, stay in the caller's frame. */
struct user_path {
	const char *name; /* result */
	char *heap;
	char small[128];
};
MUST_CHECK int user_path_get(struct user_path *p, uaddr_t upath,
			     unsigned flags); /* errors as pathname_get() */
static inline void user_path_put(struct user_path *p)
{
	if (UNLIKELY(p->heap != NULL))
		pathname_put(p->heap);
}

/*
 * Resolves `name` from dirfd (AT_FDCWD or an open directory) with the running thread's root and
 * credentials. out          counted; the dentry is positive returns      0; -ENOENT; -ENOTDIR;
 * -EACCES; -ELOOP; -EBADF; -ENAMETOOLONG; -EXDEV; -EIO …
 */
MUST_CHECK int walk_path(int dirfd, const char *name, unsigned flags, struct path *out);
MUST_CHECK int walk_from(const struct path *start, const char *name, unsigned flags,
			 struct path *out);
/* pathname_get + walk_path. */
MUST_CHECK int walk_user(int dirfd, uaddr_t upath, unsigned flags, struct path *out);

/*
 * Resolves all but the last component, for operations that make, remove or rename it.
 *   parent       counted
 *   last         points into `name`, *last_len bytes; "." and ".." are possible
 *   trailing_slash   set when the name ended in '/'
 */
MUST_CHECK int walk_parent(int dirfd, const char *name, unsigned flags, struct path *parent,
			   const char **last, size_t *last_len, bool *trailing_slash);

/*
 * The absolute path of p as seen from `root`, written at the END of buf.
 *   returns      pointer into buf; suffix " (deleted)" as Linux; outside of `root`: as seen from
 * the root of the mount tree; of a file without a path: its name; NULL: too long
 */
MUST_CHECK char *path_format(const struct path *p, const struct path *root, char *buf, size_t size);

/* As above; *reachable: p lies below root and no mount on the way is detached. Without the prefix
 * and suffix. */
MUST_CHECK char *path_format_reach(const struct path *p, const struct path *root, char *buf,
				   size_t size, bool *reachable);

/* Working directory, root and umask, shared between tasks by CLONE_FS. */
struct fsctx {
	struct ref ref;
	struct spinlock lock;  /* FSCTX */
	struct path root, cwd; /* counted; lock */
	uint32_t umask;
};
void walk_init(void); /* boot */
uint32_t current_umask(void);
/* The mode of something new in dir: less the umask, unless dir has a default ACL. */
uint32_t create_mode(const struct inode *dir, uint32_t mode);
void current_root(
	struct path *out); /* counted: the running thread's; kernel threads: mount_root_path */
void current_cwd(struct path *out);
/* proc(5), fs.protected_*: 0, 1 (and 2). */
extern int vfs_protected_symlinks, vfs_protected_hardlinks, vfs_protected_fifos,
	vfs_protected_regular;
MUST_CHECK struct fsctx *fsctx_create(const struct path *root); /* cwd = root; NULL: no memory */
MUST_CHECK struct fsctx *fsctx_dup(struct fsctx *f);
void fsctx_get(struct fsctx *f);
/* For pivot_root(2): calls fn for the fsctx of every process. Set by proc. */
extern void (*fsctx_for_each)(void (*fn)(struct fsctx *f, void *ctx), void *ctx);
void fsctx_put(struct fsctx *f);
void fsctx_set_cwd(struct fsctx *f, const struct path *p);
void fsctx_set_root(struct fsctx *f, const struct path *p);
void fsctx_get_root(struct fsctx *f, struct path *out); /* counted */
void fsctx_get_cwd(struct fsctx *f, struct path *out);
