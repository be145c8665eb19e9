/*
 * read(2), write(2) and their vector and positioned forms, lseek(2), fsync(2), fallocate(2),
 * ioctl(2). A write that ends in -EPIPE sends SIGPIPE here, for every kind of file.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/inotify.h"
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "abi/uio.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "sys/syscalls.h"
#include "vfs/fcntl.h"
#include "vfs/fdtable.h"
#include "vfs/inode.h"
#include "vfs/namei.h"
#include "vm/pagecache.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

static ssize64_t finish_write(const struct file *f, ssize64_t n)
{
	struct abi_siginfo si;

	if (n == -EPIPE && !(f->ops->flags & FOP_NO_SIGPIPE)) {
		siginfo_user(&si, SIGPIPE, SI_USER);
		int ignored = signal_send_task(curtask(), &si);
		(void)ignored;
	}
	return n;
}

int64_t sys_read(int32_t fd, uaddr_t buf, uint64_t count)
{
	struct fdref r = fdref_get(fd);
	ssize64_t n = -EBADF;
	struct uio u;

	if (r.file) {
		uio_init_user(&u, buf, count);
		n = user_range_ok(buf, count) ? file_read(r.file, &u, NULL) : -EFAULT;
	}
	fdref_put(r);
	return n;
}

int64_t sys_write(int32_t fd, uaddr_t buf, uint64_t count)
{
	struct fdref r = fdref_get(fd);
	ssize64_t n = -EBADF;
	struct uio u;

	if (r.file) {
		uio_init_user(&u, buf, count);
		n = user_range_ok(buf, count) ? finish_write(r.file, file_write(r.file, &u, NULL))
					      : -EFAULT;
	}
	fdref_put(r);
	return n;
}

/* -ESPIPE for files without an offset, -EINVAL for a negative one. */
static int check_position(struct file *f, off64_t pos)
{
	if (pos < 0)
		return -EINVAL;
	return f->ops->flags & FOP_STREAM ? -ESPIPE : 0;
}

static int64_t positioned(int fd, struct uio *u, off64_t pos, bool write)
{
	struct fdref r = fdref_get(fd);
	ssize64_t n = -EBADF;

	if (r.file && (n = check_position(r.file, pos)) == 0)
		n = write ? finish_write(r.file, file_write(r.file, u, &pos))
			  : file_read(r.file, u, &pos);
	fdref_put(r);
	return n;
}

/* -EINVAL for a position that is negative at the start or at the end. */
static int check_span(uaddr_t buf, uint64_t count, off64_t offset)
{
	if (offset < 0)
		return -EINVAL;
	if (!user_range_ok(buf, count))
		return -EFAULT;
	return count > (uint64_t)(INT64_MAX - offset) ? -EINVAL : 0;
}

int64_t sys_pread64(int32_t fd, uaddr_t buf, uint64_t count, int64_t offset)
{
	struct uio u;

	int err = check_span(buf, count, offset);

	if (err)
		return err;
	uio_init_user(&u, buf, count);
	return positioned(fd, &u, offset, false);
}

int64_t sys_pwrite64(int32_t fd, uaddr_t buf, uint64_t count, int64_t offset)
{
	struct uio u;

	int err = check_span(buf, count, offset);

	if (err)
		return err;
	uio_init_user(&u, buf, count);
	return positioned(fd, &u, offset, true);
}

/* The vector forms. pos -1: the file's own offset. */
static int64_t vectored(int fd, uaddr_t iov, uint64_t count, off64_t pos, bool use_offset,
			bool write)
{
	struct iovec64 fixed[UIO_INLINE], *heap = NULL;
	struct fdref r = fdref_get(fd);
	ssize64_t n = -EBADF;
	struct uio u;

	if (r.file && (n = use_offset ? 0 : check_position(r.file, pos)) == 0 &&
	    (n = uio_import(&u, iov, count, fixed, &heap)) == 0) {
		off64_t *at = use_offset ? NULL : &pos;

		if (at && u.resid > (uint64_t)(INT64_MAX - pos))
			n = -EINVAL;
		else
			n = write ? finish_write(r.file, file_write(r.file, &u, at))
				  : file_read(r.file, &u, at);
	}
	kfree(heap);
	fdref_put(r);
	return n;
}

int64_t sys_readv(int32_t fd, uaddr_t iov, uint64_t count)
{
	return vectored(fd, iov, count, 0, true, false);
}

int64_t sys_writev(int32_t fd, uaddr_t iov, uint64_t count)
{
	return vectored(fd, iov, count, 0, true, true);
}

/* On 64-bit machines the whole offset is in pos_l. */
int64_t sys_preadv(int32_t fd, uaddr_t iov, uint64_t count, uint64_t pos_l, uint64_t pos_h)
{
	(void)pos_h;
	return (int64_t)pos_l < 0 ? -EINVAL
				  : vectored(fd, iov, count, (off64_t)pos_l, false, false);
}

int64_t sys_pwritev(int32_t fd, uaddr_t iov, uint64_t count, uint64_t pos_l, uint64_t pos_h)
{
	(void)pos_h;
	return (int64_t)pos_l < 0 ? -EINVAL : vectored(fd, iov, count, (off64_t)pos_l, false, true);
}

/* RWF_HIPRI is a hint; RWF_DSYNC and RWF_SYNC are satisfied by memory file systems; the others
 * change what is done. */
static int check_rwf(const struct file *f, uint32_t flags)
{
	if (flags & ~(uint32_t)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	return flags & RWF_NOWAIT && !(f->ops->flags & FOP_NOWAIT) ? -EOPNOTSUPP : 0;
}

static int64_t vectored2(int fd, uaddr_t iov, uint64_t count, uint64_t pos, uint32_t flags,
			 bool write)
{
	struct iovec64 fixed[UIO_INLINE], *heap = NULL;
	off64_t at = (off64_t)pos, *where = at == -1 ? NULL : &at;
	struct fdref r;
	ssize64_t n = -EBADF;
	struct uio u;

	if (flags == 0 && at >= -1)
		return vectored(fd, iov, count, at, at == -1, write);
	if (at < -1)
		return -EINVAL;
	r = fdref_get(fd);
	if (r.file && (n = where ? check_position(r.file, at) : 0) == 0 &&
	    (n = uio_import(&u, iov, count, fixed, &heap)) == 0 && u.resid > 0 &&
	    (n = check_rwf(r.file, flags)) == 0) {
		u.append = flags & RWF_APPEND;
		n = write ? finish_write(r.file, file_write(r.file, &u, where))
			  : file_read(r.file, &u, where);
	}
	kfree(heap);
	fdref_put(r);
	return n;
}

int64_t sys_preadv2(int32_t fd, uaddr_t iov, uint64_t count, uint64_t pos_l, uint64_t pos_h,
		    uint32_t flags)
{
	(void)pos_h;
	return vectored2(fd, iov, count, pos_l, flags, false);
}

int64_t sys_pwritev2(int32_t fd, uaddr_t iov, uint64_t count, uint64_t pos_l, uint64_t pos_h,
		     uint32_t flags)
{
	(void)pos_h;
	return vectored2(fd, iov, count, pos_l, flags, true);
}

int64_t sys_lseek(int32_t fd, int64_t offset, int32_t whence)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = r.file ? file_seek(r.file, offset, whence) : -EBADF;

	fdref_put(r);
	return ret;
}

static int64_t sync_file(int fd, off64_t start, off64_t end, bool data_only)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = -EBADF;

	if (r.file)
		ret = r.file->ops->fsync ? r.file->ops->fsync(r.file, start, end, data_only)
					 : -EINVAL;
	fdref_put(r);
	return ret;
}

int64_t sys_fsync(int32_t fd)
{
	return sync_file(fd, 0, INT64_MAX, false);
}

int64_t sys_fdatasync(int32_t fd)
{
	return sync_file(fd, 0, INT64_MAX, true);
}

int64_t sys_sync_file_range(int32_t fd, int64_t offset, int64_t nbytes, uint32_t flags)
{
	struct fdref r;
	int64_t ret = -EBADF;

	if (flags & ~7u || offset < 0 || nbytes < 0 || offset > INT64_MAX - nbytes)
		return -EINVAL;
	r = fdref_get(fd);
	if (r.file) {
		uint32_t fmt = r.file->inode->mode & S_IFMT;
		off64_t end = nbytes ? offset + nbytes : INT64_MAX;

		if (fmt != S_IFREG && fmt != S_IFDIR && fmt != S_IFLNK && fmt != S_IFBLK)
			ret = -ESPIPE;
		else if (!r.file->inode->object.ops) /* no pages: nothing to write */
			ret = 0;
		else
			ret = pagecache_sync(&r.file->inode->object, (uint64_t)offset,
					     (uint64_t)end);
	}
	fdref_put(r);
	return ret;
}

static int fallocate_file(struct file *f, uint32_t mode, off64_t offset, off64_t len)
{
	uint32_t fmt = f->inode->mode & S_IFMT;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (fmt == S_IFIFO)
		return -ESPIPE;
	if (fmt == S_IFDIR)
		return -EISDIR;
	if (fmt != S_IFREG)
		return -ENODEV;
	if (f->ops->fallocate == NULL)
		return -EOPNOTSUPP;
	if ((uint64_t)(offset + len) > f->inode->sb->max_bytes)
		return -EFBIG;
	return f->ops->fallocate(f, (int)mode, offset, len);
}

int64_t sys_fallocate(int32_t fd, uint32_t mode, int64_t offset, int64_t len)
{
	struct fdref r;
	int64_t ret = -EBADF;

	if (offset < 0 || len <= 0)
		return -EINVAL;
	if (offset > INT64_MAX - len)
		return -EFBIG;
	r = fdref_get(fd);
	if (r.file) {
		ret = fallocate_file(r.file, mode, offset, len);
		if (ret == 0)
			fsnotify_path(&r.file->path, IN_MODIFY);
	}
	fdref_put(r);
	return ret;
}

/* Advice about a file in memory asks for nothing; it is checked all the same. */
int64_t sys_fadvise64(int32_t fd, int64_t offset, int64_t len, int32_t advice)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = 0;

	(void)offset;
	if (r.file == NULL)
		ret = -EBADF;
	else if ((r.file->inode->mode & S_IFMT) == S_IFIFO)
		ret = -ESPIPE;
	else if (len < 0 || advice < 0 || advice > POSIX_FADV_NOREUSE)
		ret = -EINVAL;
	fdref_put(r);
	return ret;
}

int64_t sys_readahead(int32_t fd, int64_t offset, uint64_t count)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = 0;

	(void)offset;
	if (r.file == NULL || !(r.file->mode & FMODE_READ))
		ret = -EBADF;
	else if ((r.file->inode->mode & S_IFMT) != S_IFREG || count > INT64_MAX)
		ret = -EINVAL;
	fdref_put(r);
	return ret;
}

static int set_status_flag(struct file *f, int fd, uint32_t flag, uaddr_t arg)
{
	uint32_t on;
	int changes = 1;

	if (get_user_u32(&on, arg))
		return -EFAULT;
	if (flag == O_ASYNC) {
		if (f->ops->fasync == NULL && !(f->ops->flags & FOP_ASYNC))
			return on ? -ENOTTY : 0;
		if ((changes = file_set_async(f, fd, on)) <= 0)
			return changes;
	}
	if (on)
		atomic_fetch_or(&f->flags, flag);
	else
		atomic_fetch_and(&f->flags, ~flag);
	return 0;
}

/* FS_IOC_GETFLAGS and its like, of regular files and directories that keep them: chattr(1). */
static int64_t flags_ioctl(struct file *f, uint32_t cmd, uaddr_t arg)
{
	struct inode *i = f->inode;
	struct abi_fsxattr x = { 0 };
	uint32_t flags;

	if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return -ENOTTY;
	switch (cmd) {
	case FS_IOC_GETFLAGS:
		return put_user_u32(arg, i->flags);
	case FS_IOC_SETFLAGS:
		return get_user_u32(&flags, arg) ? -EFAULT : vfs_set_flags(&f->path, flags);
	case FS_IOC_FSGETXATTR:
		x.fsx_xflags = inode_xflags(i);
		return copy_to_user(arg, &x, sizeof(x));
	}
	return -ENOTTY;
}

/* FICLONE: no file system here shares blocks between files; what is wrong with the files comes
 * first. */
static int check_clone(struct file *dst, int src_fd)
{
	struct fdref r = fdref_get(src_fd);
	uint32_t from, to = dst->inode->mode;
	int err;

	if (r.file == NULL)
		return -EBADF;
	from = r.file->inode->mode;
	if (r.file->inode->sb != dst->inode->sb)
		err = -EXDEV;
	else if (S_ISDIR(from) || S_ISDIR(to))
		err = -EISDIR;
	else if (!S_ISREG(from) || !S_ISREG(to))
		err = -EINVAL;
	else if (!(r.file->mode & FMODE_READ) || !(dst->mode & FMODE_WRITE) ||
		 atomic_load(&dst->flags) & O_APPEND)
		err = -EBADF;
	else
		err = -EOPNOTSUPP;
	fdref_put(r);
	return err;
}

/* What is asked of the file system, whatever the file is. -ENOTTY: not such a request. */
static int64_t fs_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	uint32_t type = f->inode->mode & S_IFMT;
	struct abi_file_clone_range range;
	struct kstat st;
	int err;

	switch (cmd) {
	case FIGETBSZ:
		return put_user_u32(UADDR(arg), f->inode->sb->blocksize);
	case FIOQSIZE:
		if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK)
			return -ENOTTY;
		err = vfs_getattr(&f->path, &st); /* what it occupies, not how long it is */
		return err ? err : put_user_u64(UADDR(arg), st.blocks * 512);
	case FIFREEZE: /* no file system here can be: none is frozen */
	case FITHAW:
		return !capable(CAP_SYS_ADMIN) ? -EPERM : cmd == FIFREEZE ? -EOPNOTSUPP : -EINVAL;
	case FICLONE:
		return check_clone(f, (int)arg);
	case FICLONERANGE:
		if (copy_from_user(&range, UADDR(arg), sizeof(range)))
			return -EFAULT;
		return check_clone(f, (int)range.src_fd);
	case FS_IOC_FIEMAP:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}

/* The requests that every file understands; then the file's own. */
static int64_t file_ioctl(int fd, struct file *f, uint32_t cmd, uint64_t arg)
{
	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(fd, true);
	case FIONCLEX:
		return fd_set_cloexec(fd, false);
	case FIONBIO:
		return set_status_flag(f, fd, O_NONBLOCK, UADDR(arg));
	case FIOASYNC:
		return set_status_flag(f, fd, O_ASYNC, UADDR(arg));
	case FIONREAD:
		if ((f->inode->mode & S_IFMT) == S_IFREG)
			return put_user_u32(UADDR(arg),
					    (uint32_t)((off64_t)f->inode->size - f->pos));
		break;
	}
	if (f->ops->ioctl == NULL && f->inode->sb->has_flags)
		return flags_ioctl(f, cmd, UADDR(arg));
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

int64_t sys_ioctl(int32_t fd, uint32_t request, uint64_t arg)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = r.file ? file_ioctl(fd, r.file, request, arg) : -EBADF;

	if (UNLIKELY(ret == -ENOTTY))
		ret = fs_ioctl(r.file, request, arg);

	fdref_put(r);
	return ret;
}
