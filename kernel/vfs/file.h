#pragma once

/* Open files and their operations. */

#include "core/epoch.h"
#include "core/ref.h"
#include "lib/types.h"
#include "sched/mutex.h"
#include "vfs/mount.h"
#include "vm/uio.h"

struct poll_ctx;
struct vm_map_args;

/* What readdir methods fill: emit() returns false when the buffer is full, and that entry has not
 * been taken. */
struct dir_context {
	bool (*emit)(struct dir_context *c, const char *name, size_t len, uint64_t ino,
		     unsigned type);
	off64_t pos; /* in: where to go on; out: cookie of the next entry. Set before each emit(),
			to the entry's own */
	struct dirent_buf *records; /* NULL, or where getdents64(2) gathers: a method may write
				       there itself (vfs/dirent.h) */
};

/*
 * All methods may sleep and are called without locks, except where noted. Missing ones: read/write
 * -EINVAL, ioctl -ENOTTY, mmap -ENODEV, poll always ready, readdir -ENOTDIR, seek -ESPIPE, fsync
 * -EINVAL.
 */
struct file_ops {
	int (*open)(struct inode *i,
		    struct file *f);     /* f is not published yet; may replace f->ops */
	void (*release)(struct file *f); /* last reference gone */
	int (*flush)(struct file *f);    /* every close(2) */
	/* *pos is read and advanced; f->pos is passed for plain read(2)/write(2). Return bytes or
	 * -errno. */
	ssize64_t (*read)(struct file *f, struct uio *u, off64_t *pos);
	ssize64_t (*write)(struct file *f, struct uio *u, off64_t *pos);
	off64_t (*seek)(struct file *f, off64_t off, int whence);
	int (*readdir)(struct file *f, struct dir_context *c);  /* inode->lock held for reading */
	uint32_t (*poll)(struct file *f, struct poll_ctx *ctx); /* EPOLL* bits; must not sleep */
	int64_t (*ioctl)(struct file *f, unsigned cmd, uint64_t arg);
	int (*mmap)(struct file *f, struct vm_map_args *a); /* fills in object, max_prot, flags */
	int (*fsync)(struct file *f, off64_t start, off64_t end, bool data_only);
	/* O_ASYNC goes on or off: keeps a list of those to signal (vfs/fcntl.h). NULL: the flag is
	 * ignored, unless FOP_ASYNC says that the driver looks at it. */
	int (*fasync)(struct file *f, bool on);
	int (*fallocate)(struct file *f, int mode, off64_t off, off64_t len);
	/* Text of /proc/PID/fdinfo/N beyond the common lines. */
	void (*show_fdinfo)(struct file *f, struct textbuf *t);
	/* The name for /proc/PID/fd/N of files without a path ("pipe:[5]"). NULL: the path. */
	void (*show_name)(struct file *f, struct textbuf *t);
	unsigned flags; /* enum file_op_flags */
};
enum file_op_flags {
	FOP_STREAM = 1, /* no offset: pread/pwrite/lseek are -ESPIPE; reads take no position lock */
	FOP_NOWAIT = 2, /* honours RWF_NOWAIT */
	FOP_CAN_POLL = 4,
	FOP_DIRECT = 32,    /* may be opened with O_DIRECT, which changes nothing: its contents are
			       memory */
	FOP_NO_SIGPIPE = 8, /* a write that fails with -EPIPE sends no signal: datagrams */
	FOP_ASYNC = 16,     /* its driver looks at O_ASYNC */
};

enum file_mode {
	FMODE_READ = 1,
	FMODE_WRITE = 2,
	FMODE_EXEC = 4,
	FMODE_PATH = 8,
	FMODE_PREAD = 16,
	FMODE_NOTIFY = 64, /* registered for F_NOTIFY, or has been */
	FMODE_WRITER = 32  /* counted in inode->nwriters and mount->writers */
};

struct file {
	struct ref ref;
	_Atomic uint32_t flags; /* O_* status flags: O_APPEND, O_NONBLOCK … */
	uint32_t mode;          /* enum file_mode; immutable once open */
	const struct file_ops *ops;
	struct path path;      /* counted */
	struct inode *inode;   /* path.dentry's; borrowed from it */
	struct mutex pos_lock; /* FILEPOS */
	off64_t pos;
	const struct cred *cred;    /* of the opener; counted */
	void *priv;                 /* the driver's */
	_Atomic uint32_t owner_pid; /* F_SETOWN: > 0 pid, see vfs/fcntl.c */
	int owner_type, owner_sig;  /* F_SETOWN_EX, F_SETSIG */
	uint32_t owner_uid, owner_euid;
	int async_fd;                     /* the descriptor by which O_ASYNC was asked for: si_fd */
	_Atomic(struct epitem *) epitems; /* epolls that watch it; epoll's lock */
	struct epoch_head epoch;
};

void file_get(struct file *f);
MUST_CHECK bool file_tryget(struct file *f); /* for lookups under an epoch */
void file_put(struct file *f);               /* NULL is nothing; the last one releases: may sleep */

/* Opens an existing path (counted; borrowed): permission checks done by the caller. -ENXIO,
 * -ENOMEM, … */
MUST_CHECK int file_open_path(const struct path *p, unsigned oflags, struct file **out);

/* As above with open(2)'s checks and truncation. */
MUST_CHECK int file_open_checked(const struct path *p, unsigned oflags, struct file **out);

/*
 * open(2) in full: creation, O_EXCL, O_TRUNC, O_TMPFILE, O_PATH, permissions, for a kernel path
 * name. resolve      enum walk_flags to add (openat2)
 */
MUST_CHECK int file_open_at(int dirfd, const char *name, unsigned oflags, uint32_t mode,
			    unsigned resolve, struct file **out);

/* The same from a directory (borrowed) that the kernel has at hand. */
MUST_CHECK int file_open_from(const struct path *start, const char *name, unsigned oflags,
			      uint32_t mode, struct file **out);

/* A file without a name: pipes, eventfds, epolls, sockets. `name`: "[eventfd]". The file owns priv
 * through ops->release. */
MUST_CHECK int file_create_anon(const char *name, const struct file_ops *ops, void *priv,
				unsigned oflags, struct file **out);
/* As above around an inode of the caller's (reference consumed also on failure): pipes, memfds,
 * sockets. */
MUST_CHECK int file_create_pseudo(struct inode *i, const char *name, const struct file_ops *ops,
				  void *priv, unsigned oflags, struct file **out);

/* read(2)/write(2)/preadv(2)/… on an open file: mode checks, position, limits (RLIMIT_FSIZE),
 * O_APPEND, SIGPIPE left to the caller. pos NULL: the file's own offset. */
MUST_CHECK ssize64_t file_read(struct file *f, struct uio *u, off64_t *pos);
MUST_CHECK ssize64_t file_write(struct file *f, struct uio *u, off64_t *pos);
MUST_CHECK ssize64_t file_read_kernel(struct file *f, void *buf, size_t n,
				      off64_t pos); /* exec: all n or short at EOF */
MUST_CHECK ssize64_t file_write_kernel(struct file *f, const void *buf, size_t n,
				       off64_t pos); /* core files */
MUST_CHECK off64_t file_seek(struct file *f, off64_t off, int whence);

/* RLIMIT_FSIZE of the running task, and the SIGXFSZ it sends: set by proc. Returns the limit in
 * bytes. */
extern uint64_t (*vfs_fsize_limit)(void);
extern void (*vfs_signal_fsize)(void);

/*
 * For write methods of files with contents, inode->lock held for writing: applies O_APPEND to *pos,
 * RLIMIT_FSIZE and the file system's limit (cutting u short, or -EFBIG), clears set-id bits and
 * sets mtime and ctime.
 */
MUST_CHECK int file_write_begin(struct file *f, struct uio *u, off64_t *pos);
/* The rest of what it does, for other changes of the data: set-id bits and file capabilities go,
 * mtime is now. The inode is locked. */
void inode_written(struct inode *i);
static inline void file_accessed(struct file *f)
{
	if (!(atomic_load_explicit(&f->flags, memory_order_relaxed) & 01000000 /* O_NOATIME */))
		inode_touch_atime(f->inode, f->path.mnt->flags);
}

/* Inotify events of an open file or a path: to its own marks and, with its name, to those of its
 * directory. */
void fsnotify_path_marked(const struct path *p, uint32_t mask);
static inline void fsnotify_path(const struct path *p, uint32_t mask)
{
	const struct dentry *parent =
		atomic_load_explicit(&p->dentry->parent, memory_order_relaxed);

	if (UNLIKELY(atomic_load_explicit(&dentry_inode(p->dentry)->marks, memory_order_relaxed) !=
			     NULL ||
		     atomic_load_explicit(&dentry_inode(parent)->marks, memory_order_relaxed) !=
			     NULL))
		fsnotify_path_marked(p, mask);
}

/* The name that /proc/PID/fd/N shows: show_name's, or the path. */
void file_show_name(struct file *f, const struct path *root, struct textbuf *t);

void file_init(void); /* boot */

/* "." and ".." of an open directory, at positions 0 and 1; entries follow from 2. False: the buffer
 * is full. */
MUST_CHECK bool dir_emit_dots(struct file *f, struct dir_context *c);

/* Generic methods for memory and page-cache files. */
off64_t generic_seek(struct file *f, off64_t off, int whence); /* SEEK_SET/CUR/END/DATA/HOLE */
off64_t noop_seek(struct file *f, off64_t off, int whence);
ssize64_t generic_read(struct file *f, struct uio *u, off64_t *pos);
int generic_mmap(struct file *f, struct vm_map_args *a);
