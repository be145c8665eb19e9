#pragma once

/* Inside tmpfs. */

#include "fs/tmpfs/tmpfs.h"
#include "vfs/dentry.h"
#include "vfs/file.h"
#include "lib/rbtree.h"
#include "vfs/inode.h"

/* The numbers of one mounted instance. A limit of 0 is none. */
struct tmpfs_sb {
	_Atomic uint64_t used_pages, used_inodes;
	uint64_t max_pages, max_inodes;
	uint64_t default_pages, default_inodes; /* shown only when they differ */
	uint32_t mode, uid, gid;                /* of the root directory */
	bool limited;                           /* statfs(2) tells numbers; false: ramfs */
	struct spinlock lock;                   /* DCACHE: inodes, handles */
	struct list inodes;
	struct rbtree handles; /* by number, the inodes whose handle was given out */
};

/* A name in a directory. It holds its inode. */
struct tmpfs_dirent {
	struct tmpfs_dirent *hash_next;
	struct inode *inode;
	uint32_t slot, hash;
	uint8_t len;
	char name[];
};

/*
 * Entries live in numbered slots: an entry keeps its slot as long as it is in the directory, also
 * through a rename there, and the slot's number is its readdir position. So removing entries moves
 * no other, and a reader meets each entry that stays exactly once. A slot holds a pointer, or an
 * odd word: the next free slot's number plus one, times two, plus one. Beyond LINEAR entries a hash
 * table finds names.
 *
 * All under the inode's lock.
 */
struct tmpfs_dir {
	uintptr_t **chunk;   /* of TMPFS_CHUNK slots each */
	uint32_t nchunks;    /* chunks allocated */
	uint32_t max_chunks; /* pointers in `chunk` */
	uint32_t nslots;     /* slots ever used */
	uint32_t free;       /* first free slot + 1; 0: none */
	uint32_t count;
	uint32_t nbuckets; /* power of two, or 0 */
	struct tmpfs_dirent **bucket;
};
enum { TMPFS_CHUNK = 16, TMPFS_LINEAR = 8 };

struct tmpfs_inode {
	struct inode vfs;
	struct list all;         /* tmpfs_sb.inodes */
	struct rbnode by_number; /* tmpfs_sb.handles, if has_handle; sb lock */
	bool has_handle;
	struct list xattrs; /* inode lock */
	size_t xattr_bytes;
	struct tmpfs_dir dir;
	char *link; /* target of a symbolic link; owned */
};

static inline struct tmpfs_inode *tmpfs_i(struct inode *i)
{
	return container_of(i, struct tmpfs_inode, vfs);
}
static inline struct tmpfs_sb *tmpfs_s(const struct superblock *sb)
{
	return sb->priv;
}

/* dir.c */
struct tmpfs_dirent *tmpfs_dir_find(const struct tmpfs_dir *d, const char *name, size_t len,
				    uint32_t hash);
/* Room for one more entry. -ENOMEM. */
MUST_CHECK int tmpfs_dir_reserve(struct tmpfs_dir *d);
/* A new entry, in no directory; it does not count the inode. NULL: no memory. */
MUST_CHECK struct tmpfs_dirent *tmpfs_dirent_alloc(const struct dentry *name, struct inode *i);
void tmpfs_dir_insert(struct tmpfs_dir *d, struct tmpfs_dirent *e); /* after a reserve */
void tmpfs_dir_remove(struct tmpfs_dir *d, struct tmpfs_dirent *e); /* does not free e */
void tmpfs_dir_replace(struct tmpfs_dir *d, struct tmpfs_dirent *old,
		       struct tmpfs_dirent *e);                              /* in its slot */
struct tmpfs_dirent *tmpfs_dir_at(const struct tmpfs_dir *d, uint32_t slot); /* NULL: free */
void tmpfs_dir_fini(struct tmpfs_dir *d); /* frees the entries, not their inodes */
int tmpfs_readdir(struct file *f, struct dir_context *c);

/* inode.c */
MUST_CHECK int tmpfs_inode_create(struct superblock *sb, struct inode *dir, uint32_t mode,
				  uint64_t rdev, struct inode **out);
void tmpfs_free_inode(struct inode *i);
int tmpfs_setattr(struct inode *i, const struct setattr *a);
void tmpfs_inode_init(void);

/* namei.c, rename.c */
extern const struct inode_ops tmpfs_dir_ops;
int tmpfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		 unsigned flags);
/* The directory gained or lost an entry: size (as Linux counts it) and times. */
void tmpfs_dir_changed(struct inode *dir, int entries);

/* file.c */
extern const struct file_ops tmpfs_file_ops, tmpfs_dir_file_ops;
extern const struct vmobject_ops tmpfs_object_ops;
void tmpfs_file_init(void);

/* xattr.c */
ssize64_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags);
ssize64_t tmpfs_listxattr(struct inode *i, char *buf, size_t size);
int tmpfs_removexattr(struct inode *i, const char *name);
void tmpfs_xattrs_free(struct tmpfs_inode *t);

/* super.c */
void tmpfs_forget_handle_locked(struct tmpfs_sb *s, struct tmpfs_inode *t);
extern const struct super_ops tmpfs_super_ops;
