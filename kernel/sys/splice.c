/* splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): arguments and offsets. */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/inode.h"
#include "vfs/pipe.h"
#include "vfs/splice.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

enum { SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT };
enum { MAX_RW_COUNT = 0x7ffff000 };

static bool wants_nonblock(uint32_t flags, struct file *a, struct file *b)
{
	return flags & SPLICE_F_NONBLOCK ||
	       (pipe_of(a) ? atomic_load(&a->flags) : atomic_load(&b->flags)) & O_NONBLOCK;
}

static ssize64_t sigpipe(const struct file *f, ssize64_t n)
{
	struct abi_siginfo si;

	if (n == -EPIPE && !(f->ops->flags & FOP_NO_SIGPIPE)) {
		siginfo_user(&si, SIGPIPE, SI_USER);
		int ignored = signal_send_task(curtask(), &si);
		(void)ignored;
	}
	return n;
}

/* An optional user offset: *pos_p points at *pos when there is one. -ESPIPE for a pipe, no_offset
 * for other streams. */
static int load_offset(struct file *f, uaddr_t uoff, off64_t *pos, off64_t **pos_p, int no_offset)
{
	*pos_p = NULL;
	if (uaddr_is_null(uoff))
		return 0;
	if (f->ops->flags & FOP_STREAM)
		return pipe_of(f) ? -ESPIPE : no_offset;
	if (copy_from_user(pos, uoff, sizeof(*pos)))
		return -EFAULT;
	*pos_p = pos;
	return *pos < 0 ? -EINVAL : 0;
}

static int store_offset(uaddr_t uoff, off64_t pos)
{
	return uaddr_is_null(uoff) ? 0 : copy_to_user(uoff, &pos, sizeof(pos));
}

typedef ssize64_t transfer_fn(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
			      size_t len, uint32_t flags);

static ssize64_t splice_files(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
			      size_t len, uint32_t flags)
{
	return sigpipe(out,
		       file_splice(in, in_pos, out, out_pos, len, wants_nonblock(flags, in, out)));
}

static ssize64_t transfer(int fd_in, uaddr_t off_in, int fd_out, uaddr_t off_out, uint64_t len,
			  uint32_t flags, transfer_fn *fn)
{
	struct fdref in = fdref_get(fd_in), out = fdref_get(fd_out);
	int no_offset = fn == splice_files ? -EINVAL : -ESPIPE;
	off64_t in_pos, out_pos, *in_p, *out_p;
	ssize64_t n = -EBADF;

	if (in.file && out.file &&
	    (n = load_offset(in.file, off_in, &in_pos, &in_p, no_offset)) == 0 &&
	    (n = load_offset(out.file, off_out, &out_pos, &out_p, no_offset)) == 0) {
		n = fn(in.file, in_p, out.file, out_p, MIN(len, (uint64_t)MAX_RW_COUNT), flags);
		if (n > 0 && ((in_p && store_offset(off_in, in_pos)) ||
			      (out_p && store_offset(off_out, out_pos))))
			n = -EFAULT;
	}
	fdref_put(out);
	fdref_put(in);
	return n;
}

int64_t sys_splice(int32_t fd_in, uaddr_t off_in, int32_t fd_out, uaddr_t off_out, uint64_t len,
		   uint32_t flags)
{
	if (len == 0)
		return 0;
	if (flags & ~(uint32_t)SPLICE_FLAGS)
		return -EINVAL;
	return transfer(fd_in, off_in, fd_out, off_out, len, flags, splice_files);
}

int64_t sys_tee(int32_t fd_in, int32_t fd_out, uint64_t len, uint32_t flags)
{
	struct fdref in, out;
	ssize64_t n = -EBADF;

	if (flags & ~(uint32_t)SPLICE_FLAGS)
		return -EINVAL;
	in = fdref_get(fd_in);
	out = fdref_get(fd_out);
	if (in.file && out.file)
		n = sigpipe(out.file, pipe_tee(in.file, out.file, MIN(len, (uint64_t)MAX_RW_COUNT),
					       wants_nonblock(flags, in.file, out.file)));
	fdref_put(out);
	fdref_put(in);
	return n;
}

/* Into a pipe the user's bytes are copied: the pages stay the user's, as without SPLICE_F_GIFT. */
int64_t sys_vmsplice(int32_t fd, uaddr_t iov, uint64_t nr_segs, uint32_t flags)
{
	struct iovec64 fixed[UIO_INLINE], *heap = NULL;
	struct fdref r;
	ssize64_t n = -EBADF;
	struct uio u;

	if (flags & ~(uint32_t)SPLICE_FLAGS)
		return -EINVAL;
	r = fdref_get(fd);
	if (r.file && pipe_of(r.file) && (n = uio_import(&u, iov, nr_segs, fixed, &heap)) == 0)
		n = r.file->mode & FMODE_WRITE ? sigpipe(r.file, file_write(r.file, &u, NULL))
					       : file_read(r.file, &u, NULL);
	kfree(heap);
	fdref_put(r);
	return n;
}

static ssize64_t send_file(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
			   size_t len, uint32_t flags)
{
	(void)flags;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (in->ops->flags & FOP_STREAM || in->ops->read == NULL ||
	    atomic_load(&out->flags) & O_APPEND)
		return -EINVAL;
	return sigpipe(out, file_copy(in, in_pos, out, out_pos, len));
}

int64_t sys_sendfile(int32_t out_fd, int32_t in_fd, uaddr_t offset, uint64_t count)
{
	if (count > INT64_MAX)
		return -EINVAL;
	return transfer(in_fd, offset, out_fd, UADDR_NULL, count, 0, send_file);
}

static ssize64_t copy_range(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
			    size_t len, uint32_t flags)
{
	off64_t from = in_pos ? *in_pos : in->pos, to = out_pos ? *out_pos : out->pos;
	uint32_t in_fmt = in->inode->mode & S_IFMT, out_fmt = out->inode->mode & S_IFMT;

	(void)flags;
	if (in_fmt == S_IFDIR || out_fmt == S_IFDIR)
		return -EISDIR;
	if (in_fmt != S_IFREG || out_fmt != S_IFREG)
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) ||
	    atomic_load(&out->flags) & O_APPEND)
		return -EBADF;
	if (from > INT64_MAX - (off64_t)len || to > INT64_MAX - (off64_t)len)
		return -EOVERFLOW;
	if (in->inode == out->inode && from < to + (off64_t)len && to < from + (off64_t)len)
		return -EINVAL;
	return file_copy(in, in_pos, out, out_pos, len);
}

int64_t sys_copy_file_range(int32_t fd_in, uaddr_t off_in, int32_t fd_out, uaddr_t off_out,
			    uint64_t len, uint32_t flags)
{
	int64_t n = flags ? -EINVAL : transfer(fd_in, off_in, fd_out, off_out, len, 0, copy_range);

	return n == -ESPIPE ? -EINVAL : n; /* what has no offsets is no file to copy */
}
