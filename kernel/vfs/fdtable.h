#pragma once

/*
 * Descriptor tables: an array of file pointers, published by pointer so that lookups take no lock,
 * bitmaps for free search (two levels: O(log n)) and for close-on-exec. A lookup in a table that
 * only the running thread uses borrows the file without touching its count.
 */

#include "core/ref.h"
#include "core/spinlock.h"
#include "lib/types.h"
#include "sched/thread.h"
#include "vfs/file.h"

/* What a table points at; replaced as a whole when it grows. */
struct fdarray {
	unsigned max; /* descriptors: a multiple of 64 */
	_Atomic(struct file *) *file;
	uint64_t *open, *cloexec; /* bit per descriptor; table lock */
	uint64_t *full;           /* bit per word of open; table lock */
	size_t bytes;             /* of the allocation, when by pages; 0: kmalloc, or embedded */
	struct epoch_head epoch;
};

struct fdtable {
	struct ref ref;       /* tasks sharing it */
	struct spinlock lock; /* FDTABLE */
	_Atomic(struct fdarray *) array;
	unsigned next_free;    /* no free descriptor below; lock */
	struct fdarray *first; /* embedded small one */
};

/* A looked-up file: valid until fdref_put() in the same system call. */
struct fdref {
	struct file *file; /* NULL: bad descriptor */
	bool counted;
};
/*
 * For a scan over many descriptors: the running thread's table, when nobody shares it, as an array
 * that stays as it is until the thread changes it. False, and file NULL: shared; use fdref_get().
 */
struct fdview {
	_Atomic(struct file *) *file;
	unsigned max;
};
MUST_CHECK bool fdview_get(struct fdview *v);
/* Borrowed; NULL: bad descriptor, or one of O_PATH. */
MUST_CHECK static inline struct file *fdview_find(struct fdview v, int fd)
{
	struct file *f;

	if (UNLIKELY((unsigned)fd >= v.max))
		return NULL;
	f = atomic_load_explicit(&v.file[(unsigned)fd], memory_order_relaxed);
	return LIKELY(f != NULL) && LIKELY(!(f->mode & FMODE_PATH)) ? f : NULL;
}

MUST_CHECK struct fdref fdref_get_path(int fd);   /* O_PATH files too */
MUST_CHECK struct fdref fdref_get_shared(int fd); /* fdref_get() in any table */
/* -EBADF when .file is NULL; O_PATH files are refused likewise. */
MUST_CHECK static inline struct fdref fdref_get(int fd)
{
	const struct fdtable *t = curthread()->files;
	const struct fdarray *a;

	if (UNLIKELY(ref_count(&t->ref) != 1))
		return fdref_get_shared(fd);
	a = atomic_load_explicit(&t->array, memory_order_relaxed);
	return (struct fdref){ fdview_find((struct fdview){ a->file, a->max }, fd), false };
}
static inline void fdref_put(struct fdref r)
{
	if (UNLIKELY(r.counted))
		file_put(r.file);
}

/* A counted file, to keep. NULL: bad descriptor. */
MUST_CHECK struct file *fd_get_file(int fd);
MUST_CHECK struct file *fdtable_get_file(struct fdtable *t,
					 int fd); /* another task's; O_PATH too */

void fdtable_init(void);                         /* boot */
MUST_CHECK struct fdtable *fdtable_create(void); /* NULL: no memory */
MUST_CHECK struct fdtable *fdtable_dup(struct fdtable *t,
				       unsigned max_fd); /* fork; CLOSE_RANGE_UNSHARE */
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* the last one closes all */

/*
 * Reserve, then install (plan, commit): a reserved descriptor is not visible.
 *   min          lowest number wanted (F_DUPFD)
 *   returns      the descriptor; -EMFILE (RLIMIT_NOFILE); -ENOMEM
 */
MUST_CHECK int fd_reserve(unsigned min, bool cloexec);
void fd_install(int fd, struct file *f); /* consumes the caller's reference */
void fd_unreserve(int fd);

/* reserve + install; f is consumed only on success. */
MUST_CHECK int fd_add(struct file *f, bool cloexec);

MUST_CHECK int fd_close(int fd); /* -EBADF, or flush's error (the fd is gone) */
MUST_CHECK int fd_dup_to(int fd, int newfd,
			 bool cloexec); /* dup2/dup3 without the equality rules */
/* As fd_dup_to, with a file: newfd means f, which is consumed only on success. */
MUST_CHECK int fd_replace(struct file *f, int newfd, bool cloexec);
MUST_CHECK int fd_close_range(unsigned first, unsigned last, bool set_cloexec_only);
void fdtable_close_on_exec(struct fdtable *t);
MUST_CHECK int fd_get_cloexec(int fd); /* 0/1 or -EBADF */
MUST_CHECK int fdtable_get_cloexec(struct fdtable *t, int fd);
MUST_CHECK int fd_set_cloexec(int fd, bool on);

/* The first open descriptor >= from in t, with its counted file; -1 at the end. For /proc/PID/fd
 * and exit. */
int fdtable_next(struct fdtable *t, unsigned from, struct file **out);
unsigned fdtable_count(struct fdtable *t);

/* RLIMIT_NOFILE of the running task: set by proc. */
extern unsigned (*vfs_nofile_limit)(void);
extern _Atomic uint64_t vfs_nr_files; /* open files in the system; file-max: vfs_max_files */
extern uint64_t vfs_max_files;
extern unsigned vfs_nr_open; /* sysctl fs.nr_open: the highest RLIMIT_NOFILE */
