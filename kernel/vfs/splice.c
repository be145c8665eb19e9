/*
 * splice and its family. Data travels as counted pages: pages of a page cache go into a pipe
 * without a copy, and what comes out of a pipe is written to a file straight from the slot's page.
 * Files without a page cache are read into a fresh page. A socket gets pages by 16, and may keep
 * them. No pipe lock is held while another file works: the slot concerned is pinned (vfs/pipe.h).
 *
 * Sources: splice(2), tee(2), sendfile(2), copy_file_range(2).
 */

#include "vfs/splice.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "pmm/page.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/pipe.h"
#include "vfs/poll.h"
#include "vm/pagecache.h"

enum { BATCH = 16 }; /* chunks: 64 KiB */

struct chunk {
	struct page *page; /* counted */
	uint32_t off, len;
};

/* Up to len bytes at *pos of f, which moves on. 1: end of file. */
MUST_CHECK static int read_chunk(struct file *f, off64_t *pos, size_t len, struct chunk *out)
{
	struct uio u;
	ssize64_t n;
	int err;

	out->off = (uint32_t)(*pos & (off64_t)PAGE_MASK);
	if (f->ops->read == generic_read) {
		uint64_t size = f->inode->size;

		if ((uint64_t)*pos >= size)
			return 1;
		out->len = (uint32_t)MIN(MIN(len, PAGE_SIZE - out->off), size - (uint64_t)*pos);
		if ((err = pagecache_get(&f->inode->object, (uint64_t)*pos >> PAGE_SHIFT,
					 &out->page)))
			return err;
		*pos += out->len;
		return 0;
	}
	if ((out->page = page_alloc(0, PAGE_KERNEL, 0)) == NULL)
		return -ENOMEM;
	out->off = 0;
	uio_init_kernel(&u, page_va(out->page), MIN(len, PAGE_SIZE));
	n = file_read(f, &u, f->ops->flags & FOP_STREAM ? NULL : pos);
	if (n <= 0) {
		page_put(out->page);
		return n < 0 ? (int)n : 1;
	}
	out->len = (uint32_t)n;
	return 0;
}

/* A socket that would have to be waited for: SPLICE_F_NONBLOCK means it too, splice(2). */
static bool would_block(struct file *f)
{
	return S_ISSOCK(f->inode->mode) &&
	       !(file_poll(f, NULL) & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP));
}

static ssize64_t write_chunk(struct file *f, off64_t *pos, const struct chunk *c)
{
	struct uio u;

	uio_init_kernel(&u, (char *)page_va(c->page) + c->off, c->len);
	return file_write(f, &u, f->ops->flags & FOP_STREAM ? NULL : pos);
}

/* What file_copy() moves at once. */
struct batch {
	unsigned n;
	size_t bytes;
	struct chunk chunk[BATCH];
	struct iovec64 iov[BATCH];
};

/* A stream socket may keep pages of a page cache, and makes large segments of many. */
static bool may_keep(const struct file *in, const struct file *out)
{
	return in->ops->read == generic_read && S_ISSOCK(out->inode->mode) &&
	       !(out->ops->flags & FOP_NO_SIGPIPE);
}

/* Up to `max` chunks. 1: end of file; an error only if there is no chunk. */
MUST_CHECK static int read_batch(struct file *in, off64_t *pos, size_t len, unsigned max,
				 struct batch *b)
{
	int err = 0;

	b->n = 0;
	b->bytes = 0;
	while (b->n < max && b->bytes < len && !err) {
		struct chunk *c = &b->chunk[b->n];

		if ((err = read_chunk(in, pos, len - b->bytes, c)))
			break;
		b->iov[b->n++] = (struct iovec64){ (uintptr_t)page_va(c->page) + c->off, c->len };
		b->bytes += c->len;
	}
	return b->n ? 0 : err;
}

static ssize64_t write_batch(struct file *out, off64_t *pos, const struct batch *b,
			     enum uio_space space)
{
	struct uio u = { .iov = b->iov, .niov = b->n, .resid = b->bytes, .space = space };

	return file_write(out, &u, out->ops->flags & FOP_STREAM ? NULL : pos);
}

static ssize64_t file_to_pipe(struct file *in, off64_t *pos, struct pipe *p, size_t len,
			      bool nonblock)
{
	size_t total = 0;
	struct chunk c;
	int err = 0;

	if (nonblock && would_block(in))
		return -EAGAIN;
	while (total < len) {
		/* Only the first slot may be waited for. */
		if ((err = pipe_begin_write(p, nonblock || total > 0)))
			break;
		if ((err = read_chunk(in, pos, len - total, &c))) {
			pipe_end_write(p, NULL, 0, 0);
			break;
		}
		pipe_end_write(p, c.page, c.off, c.len);
		total += c.len;
		if (in->ops->flags & FOP_STREAM)
			break;
	}
	return total ? (ssize64_t)total : MIN(err, 0);
}

static ssize64_t pipe_to_file(struct pipe *p, struct file *out, off64_t *pos, size_t len,
			      bool nonblock)
{
	struct pipe_slot slot;
	size_t total = 0;
	ssize64_t n = 0;
	int err = 0;

	while (total < len && (err = pipe_begin_read(p, nonblock || total > 0, &slot)) == 0) {
		struct chunk c = { slot.page, slot.off, (uint32_t)MIN(slot.len, len - total) };

		n = write_chunk(out, pos, &c);
		pipe_end_read(p, &slot, n > 0 ? (size_t)n : 0);
		if (n <= 0)
			break;
		total += (size_t)n;
		if (n < c.len)
			break;
	}
	if (total)
		return (ssize64_t)total;
	return n < 0 ? n : MIN(err, 0);
}

/* Moves (or, for tee, shares) one slot. */
static ssize64_t pipe_to_pipe(struct pipe *in, struct pipe *out, size_t len, bool nonblock,
			      bool consume)
{
	struct pipe_slot slot;
	uint32_t n;
	int err;

	if (in == out)
		return -EINVAL;
	if ((err = pipe_begin_read(in, nonblock, &slot)))
		return MIN(err, 0);
	if ((err = pipe_begin_write(out, nonblock))) {
		pipe_end_read(in, &slot, 0);
		return err;
	}
	n = (uint32_t)MIN((size_t)slot.len, len);
	page_get(slot.page);
	pipe_end_write(out, slot.page, slot.off, n);
	pipe_end_read(in, &slot, consume ? n : 0);
	return n;
}

ssize64_t pipe_tee(struct file *in, struct file *out, size_t len, bool nonblock)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (from == NULL || to == NULL)
		return -EINVAL;
	return len ? pipe_to_pipe(from, to, len, nonblock, false) : 0;
}

ssize64_t file_splice(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
		      size_t len, bool nonblock)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (from == NULL && to == NULL)
		return -EINVAL;
	if (len == 0)
		return 0;
	if (from && to)
		return pipe_to_pipe(from, to, len, nonblock, true);
	if (from) {
		if (atomic_load(&out->flags) & O_APPEND)
			return -EINVAL;
		return pipe_to_file(from, out, out_pos ? out_pos : &out->pos, len, nonblock);
	}
	return file_to_pipe(in, in_pos ? in_pos : &in->pos, to, len, nonblock);
}

ssize64_t file_copy(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
		    size_t len)
{
	off64_t *from = in_pos ? in_pos : &in->pos;
	enum uio_space space = UIO_KERNEL;
	bool keep = may_keep(in, out);
	size_t total = 0;
	struct batch b;
	ssize64_t n = 0;
	int err = 0;

	while (total < len && !signal_pending()) {
		off64_t before = *from;

		if ((err = read_batch(in, from, len - total, keep ? BATCH : 1, &b)))
			break;
		/* More follows only if there is more: the end would wait for it. */
		if (keep)
			space = total + b.bytes < len && (uint64_t)*from < in->inode->size
					? UIO_PAGES_MORE
					: UIO_PAGES;
		n = write_batch(out, out_pos ? out_pos : &out->pos, &b, space);
		for (unsigned i = 0; i < b.n; i++)
			page_put(b.chunk[i].page);
		if (n < (ssize64_t)b.bytes)
			*from = before + MAX(n, 0);
		if (n <= 0)
			break;
		total += (size_t)n;
		if (n < (ssize64_t)b.bytes)
			break;
	}
	if (total)
		return (ssize64_t)total;
	if (n < 0)
		return n;
	return signal_pending() && len ? -ERESTARTSYS : MIN(err, 0);
}
