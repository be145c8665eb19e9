/*
 * Pipes: a ring of slots, each a run of bytes in a page. write(2) fills pages of the pipe's own and
 * appends to the last one while it has room; splice(2) and tee(2) put in references to pages that
 * exist elsewhere, which are never written to. Readers and writers take pipe->lock for the whole
 * copy: that makes writes of up to PIPE_BUF bytes atomic, and the lock may be held while a user
 * page is faulted in (PIPE precedes VMSPACE).
 *
 * A FIFO's pipe hangs on its inode while anybody has it open; the inode's lock orders the first
 * open against the last close. A stream has no offset: file->pos instead remembers writer_opens as
 * an O_NONBLOCK reader found it, for poll(2) reports EPOLLHUP only once a writer has come and gone.
 *
 * Sources: pipe(7), pipe(2), fifo(7), POSIX.1-2024 write.
 */

#include "vfs/pipe.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "abi/statfs.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "vfs/fcntl.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/poll.h"
#include "vfs/usage.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

static struct superblock *pipefs;
static struct slab_cache *inode_cache;

unsigned vfs_pipe_max_size = 1 << 20, vfs_pipe_pages_soft = 16384, vfs_pipe_pages_hard;

/* Those who may have more than their share of pipes. */
static bool is_privileged(void)
{
	return capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN);
}

static bool is_over(int64_t pages, unsigned limit)
{
	return limit != 0 && pages > (int64_t)limit && !is_privileged();
}

static void pipe_free(struct pipe *p)
{
	vfs_usage_add(p->usage, USAGE_PIPE_PAGES, -(int64_t)p->nslots);
	vfs_usage_put(p->usage);
	while (p->tail != p->head)
		page_put(pipe_slot_at(p, p->tail++)->page);
	if (p->spare)
		page_put(p->spare);
	kfree(p->slot);
	kfree(p);
}

MUST_CHECK static int pipe_create(struct pipe **out)
{
	struct pipe *p = kzalloc(sizeof(*p));
	int err = -ENOMEM;
	int64_t pages;

	if (p == NULL)
		return -ENOMEM;
	if ((p->usage = vfs_usage_get(current_cred()->uid)) == NULL)
		goto no_usage;
	p->nslots = MIN((unsigned)PIPE_SLOTS, vfs_pipe_max_size >> PAGE_SHIFT);
	pages = vfs_usage_add(p->usage, USAGE_PIPE_PAGES, p->nslots);
	/* Beyond the soft limit a pipe is small. */
	if (UNLIKELY(is_over(pages, vfs_pipe_pages_soft)) && p->nslots > PIPE_POOR_SLOTS) {
		pages = vfs_usage_add(p->usage, USAGE_PIPE_PAGES,
				      PIPE_POOR_SLOTS - (int64_t)p->nslots);
		p->nslots = PIPE_POOR_SLOTS;
	}
	err = -ENFILE;
	if (UNLIKELY(is_over(pages, vfs_pipe_pages_hard)))
		goto no_slots;
	err = -ENOMEM;
	p->slot = kcalloc(p->nslots, sizeof(p->slot[0]));
	if (p->slot == NULL)
		goto no_slots;
	mutex_init(&p->lock, RANK_PIPE);
	waitq_init(&p->readable);
	waitq_init(&p->writable);
	waitq_init(&p->opened);
	list_init(&p->async_readers);
	list_init(&p->async_writers);
	*out = p;
	return 0;
no_slots:
	vfs_usage_add(p->usage, USAGE_PIPE_PAGES, -(int64_t)p->nslots);
	vfs_usage_put(p->usage);
no_usage:
	kfree(p);
	return err;
}

struct pipe *pipe_of(struct file *f)
{
	return f->ops == &pipe_file_ops ? f->inode->pipe : NULL;
}

size_t pipe_bytes_locked(const struct pipe *p)
{
	size_t n = 0;

	for (unsigned i = p->tail; i != p->head; i++)
		n += p->slot[i & (p->nslots - 1)].len;
	return n;
}

static void pipe_wake_readers(struct pipe *p)
{
	waitq_wake_all(&p->readable, EPOLLIN | EPOLLRDNORM);
}

static void pipe_wake_writers(struct pipe *p)
{
	waitq_wake_all(&p->writable, EPOLLOUT | EPOLLWRNORM);
}

static void consume_locked(struct pipe *p, size_t n)
{
	struct pipe_slot *s = pipe_slot_at(p, p->tail);

	s->off += (uint32_t)n;
	s->len -= (uint32_t)n;
	if (s->len > 0)
		return;
	if (s->mergeable && p->spare == NULL)
		p->spare = s->page;
	else
		page_put(s->page);
	p->tail++;
}

static void push_locked(struct pipe *p, struct page *page, uint32_t off, uint32_t len)
{
	*pipe_slot_at(p, p->head++) = (struct pipe_slot){ .page = page, .off = off, .len = len };
}

/* 0 with the lock held and something to read; 1 at end of file, lock held; -errno without it. */
MUST_CHECK static int wait_readable(struct pipe *p, bool nonblock) NO_TSA
{
	int err;

	mutex_lock(&p->lock);
	while (pipe_is_empty(p) || p->read_pinned) {
		if (p->writers == 0 && !p->read_pinned)
			return 1;
		err = nonblock ? -EAGAIN
			       : wait_unlocked(&p->readable, &p->lock, THREAD_SLEEP_INTR, NSEC_MAX);
		if (err) {
			mutex_unlock(&p->lock);
			return err;
		}
	}
	return 0;
}

int pipe_begin_read(struct pipe *p, bool nonblock, struct pipe_slot *slot) NO_TSA
{
	int err = wait_readable(p, nonblock);

	if (err < 0)
		return err;
	if (err == 0) {
		p->read_pinned = true;
		*slot = *pipe_slot_at(p, p->tail);
		pipe_slot_at(p, p->tail)->mergeable = false; /* its page is about to be shared */
		page_get(slot->page);
	}
	mutex_unlock(&p->lock);
	return err;
}

void pipe_end_read(struct pipe *p, struct pipe_slot *slot, size_t n)
{
	mutex_lock(&p->lock);
	if (n > 0)
		consume_locked(p, n);
	p->read_pinned = false;
	mutex_unlock(&p->lock);
	page_put(slot->page);
	pipe_wake_readers(p);
	pipe_wake_writers(p);
}

int pipe_begin_write(struct pipe *p, bool nonblock)
{
	int err = 0;

	mutex_lock(&p->lock);
	while (!err && p->readers > 0 && (pipe_is_full(p) || p->write_pinned))
		err = nonblock ? -EAGAIN
			       : wait_unlocked(&p->writable, &p->lock, THREAD_SLEEP_INTR, NSEC_MAX);
	if (p->readers == 0)
		err = -EPIPE;
	if (!err)
		p->write_pinned = true;
	mutex_unlock(&p->lock);
	return err;
}

void pipe_end_write(struct pipe *p, struct page *page, uint32_t off, uint32_t len)
{
	mutex_lock(&p->lock);
	if (page)
		push_locked(p, page, off, len);
	p->write_pinned = false;
	mutex_unlock(&p->lock);
	pipe_wake_writers(p);
	if (page)
		pipe_wake_readers(p);
}

static bool file_nonblock(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK;
}

/* Moves what is there into u; stops after one packet. */
static ssize64_t pipe_drain_locked(struct pipe *p, struct uio *u)
{
	size_t total = 0;

	while (u->resid > 0 && !pipe_is_empty(p)) {
		struct pipe_slot *s = pipe_slot_at(p, p->tail);
		size_t n = MIN((size_t)s->len, u->resid);
		bool packet = s->packet;
		size_t got = uio_put(u, (char *)page_va(s->page) + s->off, n);

		total += got;
		if (got < n)
			return total ? (ssize64_t)total : -EFAULT;
		consume_locked(p, packet ? s->len : n);
		if (packet)
			break;
	}
	return (ssize64_t)total;
}

static ssize64_t pipe_read(struct file *f, struct uio *u, off64_t *pos) NO_TSA
{
	struct pipe *p = f->inode->pipe;
	ssize64_t n;
	bool was_full;
	int err;

	(void)pos;
	if (u->resid == 0)
		return 0;
	if ((err = wait_readable(p, file_nonblock(f))) < 0)
		return err;
	was_full = pipe_is_full(p);
	n = err ? 0 : pipe_drain_locked(p, u);
	was_full = was_full && !pipe_is_full(p);
	if (n > 0)
		async_signal(&p->async_writers, POLL_OUT);
	mutex_unlock(&p->lock);
	if (was_full)
		pipe_wake_writers(p);
	return n;
}

/* Appends to the last slot when it is the pipe's own page and the data fits there. */
static size_t pipe_merge_locked(struct pipe *p, struct uio *u)
{
	struct pipe_slot *s;
	size_t tail, n;

	if (pipe_is_empty(p))
		return 0;
	s = pipe_slot_at(p, p->head - 1);
	tail = s->off + s->len;
	n = u->resid % PAGE_SIZE;
	if (!s->mergeable || s->packet || n == 0 || tail + n > PAGE_SIZE)
		return 0;
	n = uio_get(u, (char *)page_va(s->page) + tail, n);
	s->len += (uint32_t)n;
	return n;
}

/* Fills one new slot. Returns the bytes, or -errno when none. */
static ssize64_t pipe_fill_locked(struct pipe *p, struct uio *u, bool packet)
{
	struct page *page = p->spare;
	size_t n = MIN(u->resid, PAGE_SIZE), got;

	if (page == NULL && (page = page_alloc(0, PAGE_KERNEL, 0)) == NULL)
		return -ENOMEM;
	p->spare = NULL;
	got = uio_get(u, page_va(page), n);
	if (got == 0) {
		p->spare = page;
		return -EFAULT;
	}
	push_locked(p, page, 0, (uint32_t)got);
	pipe_slot_at(p, p->head - 1)->mergeable = true;
	pipe_slot_at(p, p->head - 1)->packet = packet;
	return (ssize64_t)got;
}

static ssize64_t pipe_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct pipe *p = f->inode->pipe;
	bool nonblock = file_nonblock(f), packet = atomic_load(&f->flags) & O_DIRECT, was_empty;
	size_t total = 0;
	ssize64_t n;
	int err = 0;

	(void)pos;
	if (u->resid == 0)
		return 0;
	mutex_lock(&p->lock);
	was_empty = pipe_is_empty(p);
	if (p->readers > 0 && !packet && !p->write_pinned)
		total += pipe_merge_locked(p, u);
	while (u->resid > 0) {
		if (p->readers == 0) {
			err = -EPIPE;
			break;
		}
		if (!pipe_is_full(p) && !p->write_pinned) {
			if ((n = pipe_fill_locked(p, u, packet)) < 0) {
				err = (int)n;
				break;
			}
			total += (size_t)n;
			continue;
		}
		if (nonblock) {
			err = -EAGAIN;
			break;
		}
		if (was_empty || total > 0)
			pipe_wake_readers(p);
		if ((err = wait_unlocked(&p->writable, &p->lock, THREAD_SLEEP_INTR, NSEC_MAX)))
			break;
		was_empty = pipe_is_empty(p);
	}
	if (total > 0)
		async_signal(&p->async_readers, POLL_IN);
	mutex_unlock(&p->lock);
	if (total > 0)
		pipe_wake_readers(p);
	return total ? (ssize64_t)total : err;
}

static uint32_t pipe_poll(struct file *f, struct poll_ctx *ctx)
{
	struct pipe *p = f->inode->pipe;
	uint32_t events = 0;

	/* State is read without the lock: single words, and a change after this is announced. */
	if (f->mode & FMODE_READ) {
		poll_wait(ctx, &p->readable);
		if (!pipe_is_empty(p))
			events |= EPOLLIN | EPOLLRDNORM;
		if (p->writers == 0 && p->writer_opens != (unsigned)f->pos)
			events |= EPOLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		poll_wait(ctx, &p->writable);
		if (!pipe_is_full(p))
			events |= EPOLLOUT | EPOLLWRNORM;
		if (p->readers == 0)
			events |= EPOLLERR;
	}
	return events;
}

static int64_t pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pipe *p = f->inode->pipe;
	size_t n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	n = pipe_bytes_locked(p);
	mutex_unlock(&p->lock);
	return put_user_u32(UADDR(arg), (uint32_t)n);
}

/* Moves what is in the pipe into a ring of another size. -EBUSY: it does not fit. */
static int resize_locked(struct pipe *p, struct pipe_slot **slot, unsigned nslots)
{
	unsigned used = p->head - p->tail;
	struct pipe_slot *old = p->slot;

	if (used > nslots)
		return -EBUSY;
	for (unsigned i = 0; i < used; i++)
		(*slot)[i] = *pipe_slot_at(p, p->tail + i);
	p->tail = 0;
	p->head = used;
	p->nslots = nslots;
	p->slot = *slot;
	*slot = old;
	return 0;
}

int64_t pipe_set_size(struct pipe *p, uint64_t bytes)
{
	unsigned nslots = 1, old;
	struct pipe_slot *slot;
	int64_t pages;
	int err;

	if (bytes > (1u << 31))
		return -EINVAL;
	while ((uint64_t)nslots * PAGE_SIZE < bytes)
		nslots *= 2;
	if (nslots > p->nslots && (uint64_t)nslots * PAGE_SIZE > vfs_pipe_max_size &&
	    !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if ((slot = kcalloc(nslots, sizeof(*slot))) == NULL)
		return -ENOMEM;
	mutex_lock(&p->lock);
	old = p->nslots;
	pages = vfs_usage_add(p->usage, USAGE_PIPE_PAGES, (int64_t)nslots - old);
	if (nslots > old &&
	    (is_over(pages, vfs_pipe_pages_soft) || is_over(pages, vfs_pipe_pages_hard)))
		err = -EPERM;
	else
		err = resize_locked(p, &slot, nslots);
	if (err)
		vfs_usage_add(p->usage, USAGE_PIPE_PAGES, (int64_t)old - nslots);
	mutex_unlock(&p->lock);
	kfree(slot);
	if (err)
		return err;
	pipe_wake_writers(p);
	return (int64_t)((uint64_t)nslots * PAGE_SIZE);
}

/* The peers a FIFO's open waits for: O_RDONLY a writer, O_WRONLY a reader; O_RDWR nobody. */
static int fifo_wait_peer_locked(struct pipe *p, struct file *f)
{
	unsigned mode = f->mode & (FMODE_READ | FMODE_WRITE);
	bool nonblock = file_nonblock(f);
	unsigned seen;
	int err = 0;

	if (mode == FMODE_READ) {
		seen = p->writer_opens;
		if (nonblock)
			f->pos = seen; /* no EPOLLHUP until a writer has come and gone */
		while (!nonblock && p->writers == 0 && p->writer_opens == seen && !err)
			err = wait_unlocked(&p->opened, &p->lock, THREAD_SLEEP_INTR, NSEC_MAX);
	} else if (mode == FMODE_WRITE) {
		seen = p->reader_opens;
		if (nonblock && p->readers == 0)
			return -ENXIO;
		while (p->readers == 0 && p->reader_opens == seen && !err)
			err = wait_unlocked(&p->opened, &p->lock, THREAD_SLEEP_INTR, NSEC_MAX);
	}
	return err;
}

static void pipe_detach(struct file *f)
{
	struct inode *i = f->inode;
	struct pipe *p = i->pipe;
	bool last;

	write_lock(&i->lock);
	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	last = --p->files == 0;
	async_signal(&p->async_readers, POLL_IN);
	async_signal(&p->async_writers, POLL_OUT);
	if (last)
		i->pipe = NULL;
	mutex_unlock(&p->lock);
	/* The pipe is no longer ours, but nobody can let go of it while we hold the inode. */
	if (!last) {
		waitq_wake_all(&p->readable, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
		waitq_wake_all(&p->writable, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
	}
	write_unlock(&i->lock);
	if (last)
		pipe_free(p);
}

static int pipe_fasync(struct file *f, bool on)
{
	struct pipe *p = f->inode->pipe;
	int err = 0;

	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		err = async_set(&p->async_readers, f, on);
	if (!err && f->mode & FMODE_WRITE)
		err = async_set(&p->async_writers, f, on);
	mutex_unlock(&p->lock);
	return err;
}

/* open(2) of a FIFO, or of a pipe through /proc/PID/fd; pipe(2) itself does not come here. */
static int fifo_open(struct inode *i, struct file *f) NO_TSA
{
	struct pipe *p = NULL;
	int err = 0;

	write_lock(&i->lock);
	if (i->pipe == NULL)
		err = pipe_create(&i->pipe);
	if ((p = i->pipe) != NULL) {
		mutex_lock(&p->lock);
		p->files++;
		if (f->mode & FMODE_READ) {
			p->readers++;
			p->reader_opens++;
		}
		if (f->mode & FMODE_WRITE) {
			p->writers++;
			p->writer_opens++;
		}
	}
	write_unlock(&i->lock);
	if (err)
		return err;
	f->pos = -1;
	waitq_wake_all(&p->opened, 0);
	if (i->sb != pipefs) /* a pipe's ends met in pipe(2): the other may be gone */
		err = fifo_wait_peer_locked(p, f);
	mutex_unlock(&p->lock);
	if (err)
		pipe_detach(f);
	return err;
}

static void pipe_show_name(struct file *f, struct textbuf *t)
{
	if (f->inode->sb == pipefs)
		text_f(t, "pipe:[%lu]", (unsigned long)f->inode->ino);
}

const struct file_ops pipe_file_ops = {
	.open = fifo_open,
	.release = pipe_detach,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.fasync = pipe_fasync,
	.show_name = pipe_show_name,
	.flags = FOP_STREAM | FOP_CAN_POLL,
};

static void pipefs_free_inode(struct inode *i)
{
	slab_free(inode_cache, i);
}

static const struct super_ops pipefs_super_ops = { .free_inode = pipefs_free_inode };
static struct fs_type pipefs_type = { .name = "pipefs" };

void pipe_init(void)
{
	inode_cache = slab_cache_create("pipe_inode", sizeof(struct inode), 64, NULL);
	if (superblock_create(&pipefs_type, &pipefs_super_ops, &pipefs))
		panic("no memory for pipefs");
	pipefs->magic = PIPEFS_MAGIC;
}

MUST_CHECK static int pipe_create_inode(struct inode **out)
{
	struct inode *i = slab_zalloc(inode_cache);
	int err;

	if (i == NULL)
		return -ENOMEM;
	inode_init(i, pipefs, NULL, S_IFIFO | 0600, inode_next_ino());
	if ((err = pipe_create(&i->pipe))) {
		inode_free_attachments(i);
		slab_free(inode_cache, i);
		return err;
	}
	i->fops = &pipe_file_ops;
	*out = i;
	return 0;
}

int pipe_open_pair(unsigned oflags, struct file **r, struct file **w)
{
	unsigned status = oflags & (O_NONBLOCK | O_DIRECT);
	struct inode *i;
	struct pipe *p;
	int err;

	if ((err = pipe_create_inode(&i)))
		return err;
	p = i->pipe;
	p->files = 1;
	p->readers = 1;
	inode_get(i); /* for the second file */
	if ((err = file_create_pseudo(i, "", &pipe_file_ops, NULL, O_RDONLY | (status & O_NONBLOCK),
				      r))) {
		i->pipe = NULL;
		pipe_free(p);
		inode_put(i);
		return err;
	}
	p->files = 2;
	p->writers = 1;
	p->writer_opens = 1;
	if ((err = file_create_pseudo(i, "", &pipe_file_ops, NULL, O_WRONLY | status, w))) {
		p->files = 1;
		p->writers = 0;
		file_put(*r);
	}
	return err;
}
