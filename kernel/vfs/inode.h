#pragma once

/*
 * Inodes and superblocks. A file system embeds struct inode in its own and fills the operations.
 * Inodes are counted; the file system frees them in sb->ops->free_inode once the count is zero
 * (deferred by an epoch, since path walks read them without locks).
 *
 * inode->lock (INODE): directories: lookups in the file system hold it for reading, changes for
 * writing; files: writes and truncation hold it for writing. Attributes change under it held for
 * writing; single fields are read without it.
 */

#include "abi/stat.h"
#include "core/epoch.h"
#include "core/ref.h"
#include "lib/types.h"
#include "lib/list.h"
#include "sched/mutex.h"
#include "vfs/cred.h"
#include "vm/vmobject.h"

struct abi_statfs;
struct acl;
struct dentry;
struct dir_context;
struct file;
struct file_ops;
struct flock_list;
struct fsnotify_marks;
struct inode;
struct path;
struct pipe;
struct superblock;
struct textbuf;

struct kstat {
	uint64_t ino, size, blocks; /* blocks: 512 bytes */
	uint32_t mode, nlink, uid, gid, blksize;
	uint64_t dev, rdev;
	nsec_t atime, mtime, ctime, btime;    /* CLOCK_REALTIME; btime -1: unknown */
	uint64_t attributes, attributes_mask; /* STATX_ATTR_* */
	uint64_t mnt_id;
};

enum setattr_valid {
	SET_MODE = 1,
	SET_UID = 2,
	SET_GID = 4,
	SET_SIZE = 8,
	SET_ATIME = 16,
	SET_MTIME = 32,
	SET_ATIME_NOW = 64,
	SET_MTIME_NOW = 128,
	SET_KILL_PRIV = 256, /* drop set-id bits */
};
struct setattr {
	unsigned valid;
	uint32_t mode, uid, gid;
	uint64_t size;
	nsec_t atime, mtime;
};

/*
 * Directory operations get the parent's inode, locked for writing, and a negative dentry whose name
 * is the new one; on success they attach the inode with dentry_instantiate(). Missing operations
 * mean -EPERM (mkdir, link, symlink, mknod, create: -EACCES/-EPERM as Linux), -ENOTDIR for lookup.
 */
struct inode_ops {
	/* Finds d's name in dir (lock held for reading). Attaches an inode or leaves d negative. 0
	 * or -errno. */
	int (*lookup)(struct inode *dir, struct dentry *d);
	int (*create)(struct inode *dir, struct dentry *d, uint32_t mode);
	int (*mknod)(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev);
	int (*mkdir)(struct inode *dir, struct dentry *d, uint32_t mode);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
	int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*rmdir)(struct inode *dir, struct dentry *d);
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		      unsigned flags);
	int (*tmpfile)(struct inode *dir, uint32_t mode, struct inode **out);
	/*
	 * The target of a symbolic link. Text links: *text points at the target (valid while the
	 * inode is counted, or *to_free is to be kfree'd). Magic links (/proc/PID/fd/N): *jump is a
	 * counted path to go to, and *text, where it is set as well, what readlink(2) shows.
	 */
	int (*get_link)(struct inode *i, const char **text, char **to_free, struct path *jump);
	int (*setattr)(struct inode *i,
		       const struct setattr *a); /* lock held for writing; NULL: inode_setattr */
	int (*getattr)(struct inode *i, struct kstat *st); /* NULL: inode_getattr */
	int (*permission)(struct inode *i, unsigned mask); /* NULL: mode bits; procfs */
	/* Cached dentry still right? NULL: always. False: it is dropped and looked up again
	 * (procfs). */
	bool (*revalidate)(struct dentry *d);
	/* Extended attributes, checked: lock held for reading (get, list) or writing. size 0: the
	 * length alone. */
	ssize64_t (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
	int (*setxattr)(struct inode *i, const char *name, const void *buf, size_t size, int flags);
	ssize64_t (*listxattr)(struct inode *i, char *buf, size_t size);
	int (*removexattr)(struct inode *i, const char *name);
};

struct inode {
	struct ref ref;
	uint32_t mode; /* S_IFMT and permissions */
	uint32_t uid, gid;
	uint32_t nlink;
	uint32_t flags; /* FS_IMMUTABLE, FS_APPEND … (abi) */
	uint64_t ino;   /* immutable */
	uint64_t rdev;  /* immutable */
	_Atomic uint64_t size;
	_Atomic uint64_t blocks; /* 512-byte units */
	nsec_t atime, mtime, ctime, btime;
	struct superblock *sb; /* immutable */
	const struct inode_ops *ops;
	const struct file_ops *fops; /* for open */
	struct rwlock lock;
	struct vmobject
		object; /* page cache of regular files, directories of disk file systems, links */
	struct pipe *pipe;                      /* FIFO; vfs/fifo's lock */
	_Atomic(struct flock_list *) locks;     /* POSIX, OFD, flock: vfs/lock.c */
	_Atomic(struct fsnotify_marks *) marks; /* inotify */
	_Atomic uint32_t nwriters; /* open for writing; -ETXTBSY: negative when executing */
	_Atomic uint32_t seals; /* F_SEAL_*; memory files: SEAL_SEAL unless memfd_create(2) allowed
				   sealing */
	_Atomic(struct acl *) acl, default_acl; /* lock to change; NULL: the mode says it all */
	const char *link; /* target of a symbolic link, when it needs no sleep: lives as long as the
			     inode's memory (an epoch); NULL: get_link is asked */
	uint8_t write_hint; /* F_SET_RW_HINT */
	bool has_caps;      /* has security.capability: lost when somebody writes */
	bool counts_pages;  /* memory only: its blocks are the pages of its cache */
	bool linkable;      /* O_TMPFILE without O_EXCL: linkat(2) may name it though nlink is 0 */
	uint64_t generation;
	struct epoch_head epoch;
};

struct super_ops {
	void (*free_inode)(struct inode *i); /* last reference gone: also delete when nlink is 0 */
	int (*statfs)(struct superblock *sb, struct abi_statfs *out);
	int (*sync)(struct superblock *sb); /* NULL: nothing to write */
	int (*remount)(struct superblock *sb, unsigned flags, const char *data);
	void (*kill)(struct superblock *sb); /* unmounted for good: free everything */
	/* A handle of i is being given out; from now on its number finds it. Missing: no file
	 * handles. */
	void (*note_handle)(struct inode *i);
	/* The living inode of this number, counted; NULL: none that a handle was given out of. */
	struct inode *(*find_inode)(struct superblock *sb, uint64_t ino);
	void (*show_options)(struct superblock *sb,
			     struct textbuf *t); /* ",size=1k" for /proc/mounts */
};

struct superblock {
	struct ref ref; /* mounts and open files' inodes */
	const struct fs_type *type;
	const struct super_ops *ops;
	uint64_t dev;        /* st_dev */
	uint32_t flags;      /* MS_RDONLY … of the superblock */
	struct dentry *root; /* counted */
	uint32_t magic, blocksize;
	uint64_t max_bytes;       /* largest file */
	struct mutex rename_lock; /* RENAME */
	void *priv;               /* file system's */
	bool has_flags;           /* FS_IOC_SETFLAGS and btime are kept with its inodes */
	bool has_acls;            /* POSIX ACLs are kept with its inodes */
	char id[32];              /* source, as /proc/mounts shows it */
	struct list all;          /* superblocks; vfs/super.c */
	struct epoch_head epoch;
};

struct fs_type {
	const char *name;
	unsigned flags; /* FS_REQUIRES_DEV … */
	/* Makes or finds a superblock: *out counted, root set. */
	int (*mount)(const struct fs_type *t, const char *source, unsigned flags, const char *data,
		     struct superblock **out);
	/* Is this one option ("name" or "name=value") of a mount's data? NULL: mount tells. */
	bool (*knows_option)(const char *option);
	struct fs_type *next;
};
enum { FS_REQUIRES_DEV = 1, FS_NO_USER_MOUNT = 2 /* internal: mount(2) says -EINVAL */ };

void fs_register(struct fs_type *t);
struct fs_type *fs_find(const char *name);
void fs_format_types(struct textbuf *t); /* /proc/filesystems */
/* For sysfs(2): the place of a type in the order of registration, -EINVAL; the type at one, or
 * NULL; how many there are. */
int fs_type_index(const char *name);
struct fs_type *fs_type_at(unsigned index);
unsigned fs_type_count(void);
/* The superblock with this st_dev, counted; NULL: none. */
struct superblock *superblock_lookup(uint64_t dev);

/* Superblocks without a device: memory file systems. *out counted, without root. */
uint64_t superblock_alloc_dev(void); /* an anonymous device number (0:n), unique since boot */
MUST_CHECK int superblock_create(const struct fs_type *t, const struct super_ops *ops,
				 struct superblock **out);
/* Calls fn for each living superblock, counted meanwhile, without locks: sync(2), unmounting at
 * shutdown. */
void superblock_for_each(void (*fn)(struct superblock *sb, void *ctx), void *ctx);
MUST_CHECK int superblock_sync(struct superblock *sb); /* 0 or the file system's error */
void superblock_get(struct superblock *sb);
void superblock_put(struct superblock *sb);

/* In-place initialisation: count 1, times now, owner and group from cred and dir (set-gid
 * directories). */
void inode_init(struct inode *i, struct superblock *sb, struct inode *dir, uint32_t mode,
		uint64_t ino);
uint64_t inode_count(void); /* inodes in memory; statistics */
void inode_get(struct inode *i);
void inode_put(struct inode *i);              /* may sleep */
void inode_free_attachments(struct inode *i); /* locks, lists, marks: before free_inode */
uint64_t inode_next_ino(void);                /* for memory file systems */
extern const struct inode_ops
	inode_ops_none; /* what inode_init() sets: no operations; ops is never NULL */

/* For vmobject_ops of embedded objects: the inode's count is the object's. */
static inline struct inode *inode_of_object(struct vmobject *o)
{
	return container_of(o, struct inode, object);
}
void inode_object_get(struct vmobject *o);
void inode_object_put(struct vmobject *o);
uint64_t inode_object_size(struct vmobject *o);

/*
 * Two or more inodes' locks, for writing. Directories: the parent before the child, else (also
 * NULL, or the same twice) by address. The nested form is for a child below a directory that is
 * locked already.
 */
void inode_lock_nested(struct inode *i) ACQUIRES(&i->lock);
void inode_lock_pair(struct inode *a, struct inode *b) NO_TSA;
void inode_unlock_pair(struct inode *a, struct inode *b) NO_TSA;

/* The directory is append-only or the like: FS_IMMUTABLE_FL, FS_APPEND_FL. */
bool inode_is_immutable(const struct inode *i);
bool inode_is_append_only(const struct inode *i);

/* FS_XFLAG_* of its flags. */
uint32_t inode_xflags(const struct inode *i);

/* Character and block devices, FIFOs and sockets: sets fops from mode and rdev. */
void inode_init_special(struct inode *i, uint32_t mode, uint64_t rdev);

void inode_getattr(struct inode *i, struct kstat *st);
/* Copies what `a` says into the inode (size: ops of the fs), sets ctime. Lock held for writing. */
void inode_setattr(struct inode *i, const struct setattr *a);
void inode_touch_mtime(struct inode *i);                       /* mtime and ctime now */
void inode_touch_atime(struct inode *i, unsigned mount_flags); /* relatime rules */

enum perm { PERM_EXEC = 1, PERM_WRITE = 2, PERM_READ = 4, PERM_APPEND = 8, PERM_CHDIR = 16 };
/* Mode bits, CAP_DAC_*; read-only file systems and immutable files for PERM_WRITE. 0 or -EACCES,
 * -EROFS, -EPERM. */
MUST_CHECK int inode_permission(const struct cred *c, struct inode *i, unsigned mask);
bool inode_owner_or_capable(const struct cred *c, const struct inode *i);
/* Checks and clears set-id bits as chmod/chown/utimes/truncate(2) say: fills in a->valid. 0 or
 * -EPERM. */
MUST_CHECK int setattr_prepare(const struct cred *c, struct inode *i, struct setattr *a);

/* ETXTBSY: the first writer excludes execution and the reverse. */
MUST_CHECK int inode_deny_write(struct inode *i); /* exec; -ETXTBSY */
void inode_allow_write(struct inode *i);
MUST_CHECK int inode_get_write(struct inode *i); /* open for writing; -ETXTBSY */
void inode_put_write(struct inode *i);

/* Set by the inotify code; called after a change. `name`: of the entry in a directory, or NULL. */
enum { FSNOTIFY_SAME_DIR = 0x10000 }; /* with IN_MOVED_FROM: renamed inside its directory */
extern void (*fsnotify_hook)(struct inode *i, uint32_t mask, const char *name, uint32_t cookie);
static inline void fsnotify(struct inode *i, uint32_t mask, const char *name)
{
	if (UNLIKELY(atomic_load_explicit(&i->marks, memory_order_relaxed) != NULL))
		fsnotify_hook(i, mask, name, 0);
}
