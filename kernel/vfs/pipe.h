#pragma once

/* Pipes and FIFOs. */

#include "lib/types.h"
#include "sched/mutex.h"
#include "sched/wait.h"

struct file;
struct file_ops;
struct inode;
struct page;
struct pipe;
struct uio;

enum { PIPE_SLOTS = 16, PIPE_ATOMIC = 4096, PIPE_POOR_SLOTS = 2 };

/* sysctl fs.pipe-max-size (bytes), fs.pipe-user-pages-soft and -hard (0: no limit). */
extern unsigned vfs_pipe_max_size, vfs_pipe_pages_soft, vfs_pipe_pages_hard;

/* A run of bytes in one page. The page is counted; it may be shared with a page cache (splice) or
 * another pipe (tee). */
struct pipe_slot {
	struct page *page;
	uint32_t off, len;
	bool mergeable; /* the pipe's own page: writes may append to it */
	bool packet;    /* O_DIRECT: one read takes it whole */
};

struct pipe {
	struct mutex lock; /* PIPE */
	struct waitq readable, writable, opened;
	struct pipe_slot *slot;
	unsigned nslots;         /* power of two */
	struct vfs_usage *usage; /* whose account has nslots pages */
	unsigned head, tail;     /* slots written, slots consumed; free running */
	unsigned readers, writers;
	unsigned reader_opens,
		writer_opens; /* so that open(2) of a FIFO sees a peer that came and went */
	unsigned files;       /* opens of a FIFO, both kinds */
	struct list async_readers, async_writers; /* O_ASYNC; lock */
	struct page *spare;                       /* one page kept for the next write */
	bool read_pinned;  /* splice(2) holds the front slot: other readers wait */
	bool write_pinned; /* splice(2) is about to append: other writers wait */
};

extern const struct file_ops pipe_file_ops; /* inode->fops of FIFOs and pipes */

void pipe_init(void); /* boot: pipefs */

/* pipe2(2): two open files, one reference each to the caller. -ENFILE, -ENOMEM. */
MUST_CHECK int pipe_open_pair(unsigned oflags, struct file **r, struct file **w);

/* The pipe behind an open file, or NULL when it is none. */
struct pipe *pipe_of(struct file *f);

static inline bool pipe_is_empty(const struct pipe *p)
{
	return p->head == p->tail;
}
static inline bool pipe_is_full(const struct pipe *p)
{
	return p->head - p->tail >= p->nslots;
}
static inline struct pipe_slot *pipe_slot_at(struct pipe *p, unsigned i)
{
	return &p->slot[i & (p->nslots - 1)];
}

/* Bytes waiting. */
size_t pipe_bytes_locked(const struct pipe *p) HOLDS(&p->lock);

/* F_SETPIPE_SZ: the size it got in bytes; -EBUSY when what is in it does not fit; -EPERM; -ENOMEM.
 */
MUST_CHECK int64_t pipe_set_size(struct pipe *p, uint64_t bytes);

/*
 * For splice(2), which reads or writes other files meanwhile and so cannot hold the lock: pins the
 * front slot, or room for one slot at the back. begin_read   0 and *slot, its page counted; 1 at
 * end of file (nothing pinned) returns      -EAGAIN, -EPIPE, -ERESTARTSYS: nothing pinned end_read
 * consumes n bytes of it;  end_write: appends the page (reference consumed; NULL: nothing)
 */
MUST_CHECK int pipe_begin_read(struct pipe *p, bool nonblock, struct pipe_slot *slot);
void pipe_end_read(struct pipe *p, struct pipe_slot *slot, size_t n);
MUST_CHECK int pipe_begin_write(struct pipe *p, bool nonblock);
void pipe_end_write(struct pipe *p, struct page *page, uint32_t off, uint32_t len);
