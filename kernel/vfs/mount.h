#pragma once

/*
 * The mount tree. A mount shows a subtree (root dentry) of a superblock at a mount point. Lookup of
 * what is mounted on (mount, dentry) is a hash probe without lock, done only for dentries with
 * DENTRY_MOUNTED.
 */

#include "abi/mount.h"
#include "core/ref.h"
#include "lib/list.h"
#include "lib/types.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"

struct mount_ns;

struct mount {
	struct ref ref;
	int id;                    /* /proc/PID/mountinfo */
	struct superblock *sb;     /* counted */
	struct dentry *root;       /* counted: what is shown */
	struct mount *parent;      /* itself for the root of a namespace */
	struct dentry *mountpoint; /* counted; in parent */
	uint32_t flags; /* MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_NOATIME MS_RELATIME */
	struct list children, child; /* MOUNT */
	struct list peers;           /* shared subtree group */
	int group_id;                /* 0: private */
	struct mount *master;        /* slave of */
	struct list slaves, slave;
	bool unbindable, detached;
	struct mount *hash_next;
	struct mount_ns *ns; /* NULL: detached, or internal */
	struct list ns_node; /* all mounts of the namespace, oldest first; MOUNT */
	struct list work;    /* of an operation in progress; MOUNT */
	_Atomic uint32_t
		writers; /* files open for writing: such a mount does not become read-only */
	uint32_t visit;  /* of the last propagation that came by; MOUNT */
	_Atomic uint32_t
		expire_mark; /* umount2(MNT_EXPIRE): 2 armed, 1 after its own put, 0 in use since */
	struct epoch_head epoch;
	char source[64]; /* as given to mount(2) */
};

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

static inline void path_get(const struct path *p);
static inline void path_put(const struct path *p);

void mount_init(void);
void mount_get(struct mount *m);
MUST_CHECK static inline bool mount_tryget(struct mount *m) /* under an epoch */
{
	return ref_tryget(&m->ref);
}
void mount_put(struct mount *m);

/* The mount on top of (m, d), counted; NULL when there is none. */
struct mount *mount_lookup(struct mount *m, struct dentry *d);

/* mount(2), umount2(2), pivot_root(2) after argument checks; permission is the caller's. 0 or
 * -errno of the page. */
MUST_CHECK int mount_new(const struct path *at, const struct fs_type *t, const char *source,
			 unsigned flags, const char *data);
MUST_CHECK int mount_bind(const struct path *at, const struct path *from, bool recursive);
MUST_CHECK int mount_move(const struct path *at, const struct path *from);
MUST_CHECK int mount_remount(const struct path *at, unsigned flags, const char *data,
			     bool bind_only);
MUST_CHECK int mount_change_type(const struct path *at, unsigned type, bool recursive);
/* mount_setattr(2), decided: flags of MOUNT_FLAGS_KEPT, and MS_SHARED … or 0. -EINVAL no mount;
 * -EBUSY written to: nothing has changed. */
struct mount_change {
	uint32_t set, clear, propagation;
};
MUST_CHECK int mount_set_attributes(const struct path *at, const struct mount_change *c,
				    bool recursive);
/* The superblock's flags and options: fsconfig(2) CMD_RECONFIGURE. */
MUST_CHECK int superblock_reconfigure(struct superblock *sb, unsigned flags, const char *data);
MUST_CHECK int mount_umount(const struct path *at, unsigned flags);
MUST_CHECK int mount_pivot(const struct path *new_root, const struct path *put_old);

/* Boot: the first mount, of an initialised superblock (the tmpfs root). */
MUST_CHECK int mount_init_root(const struct fs_type *t, struct path *out);
/* Mounts a kernel-internal file system (pipefs, anon inodes) nobody can walk to. */
MUST_CHECK int mount_kernel(const struct fs_type *t, struct mount **out);

/* The root of all: what kernel threads and processes without an fsctx walk from. Counted for ever.
 */
extern struct path mount_root_path;
extern int mount_max; /* sysctl fs.mount-max: mounts in the namespace */

/* mount(2)'s flags that belong to the mount, not to its superblock. */
enum {
	MOUNT_FLAGS_KEPT = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW |
			   MS_NOATIME | MS_NODIRATIME | MS_RELATIME
};

/* Announced after every change of the tree: poll(2) on /proc/PID/mounts. Count of changes so far.
 */
uint64_t mount_event_count(void);
struct waitq;
struct waitq *mount_event_waitq(void);

/* Lines of /proc/PID/mounts, mountinfo, mountstats, as seen from `root`. */
enum mount_format { MOUNT_FMT_MOUNTS, MOUNT_FMT_MOUNTINFO, MOUNT_FMT_MOUNTSTATS };
void mount_format(const struct path *root, enum mount_format f, struct textbuf *t);

/* 0, or -EROFS when the mount or its file system is read-only. */
MUST_CHECK int mount_want_write(const struct mount *m);

static inline void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}
static inline void path_put(const struct path *p)
{
	dentry_put(p->dentry);
	mount_put(p->mnt);
}
