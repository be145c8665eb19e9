/*
 * getdents(2), getdents64(2). Entries are gathered in a buffer of the kernel's and copied out in
 * large pieces, without the directory's lock. An entry is taken only when it fits wholly into what
 * the user has left, and the file's position moves past it only then: a full buffer loses none
 * (pitfalls: getdents64 at the buffer boundary).
 */

#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/dentry.h"
#include "vfs/dirent.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

enum { CHUNK = 8192, HEAD_OLD = offsetof(struct abi_dirent, d_name) };

struct dents {
	struct dir_context ctx;
	struct dirent_buf records;
};

static bool emit(struct dir_context *c, const char *name, size_t len, uint64_t ino, unsigned type)
{
	struct dents *d = container_of(c, struct dents, ctx);

	return dirent_put(&d->records, c->pos, name, len, ino, type);
}

/* The old records have the name where the new ones have the type, and the type in their last byte.
 */
static bool emit_old(struct dir_context *c, const char *name, size_t len, uint64_t ino,
		     unsigned type)
{
	struct dirent_buf *b = &container_of(c, struct dents, ctx)->records;
	uint32_t reclen = (uint32_t)ALIGN_UP(HEAD_OLD + len + 2, 8ul);
	uint8_t *at = b->buf + b->used;
	struct abi_dirent *e = (struct abi_dirent *)at;

	if (reclen > b->room - b->used) {
		b->full = true;
		return false;
	}
	dirent_set_last_off(b, c->pos); /* d_off is in the same place */
	memset(at, 0, reclen);
	e->d_ino = ino;
	e->d_reclen = (uint16_t)reclen;
	memcpy(at + HEAD_OLD, name, len);
	at[reclen - 1] = (uint8_t)type;
	b->last = at;
	b->used += reclen;
	return true;
}

/* One bufferful, from f->pos on. */
static int read_chunk(struct file *f, struct dents *d)
{
	int err;

	d->records.used = 0;
	d->records.last = NULL;
	d->records.full = false;
	d->ctx.pos = f->pos;
	read_lock(&f->inode->lock);
	if (atomic_load_explicit(&f->path.dentry->flags, memory_order_relaxed) & DENTRY_DEAD)
		err = -ENOENT;
	else
		err = f->ops->readdir(f, &d->ctx);
	read_unlock(&f->inode->lock);
	dirent_set_last_off(&d->records, d->ctx.pos);
	return err;
}

/* The position moves on with what has been copied out, so a fault loses nothing. */
static int64_t read_directory(struct file *f, uaddr_t dirp, uint32_t count, struct dents *d)
{
	uint64_t done = 0;
	int err;

	do {
		d->records.room = (uint32_t)MIN((uint64_t)CHUNK, count - done);
		err = read_chunk(f, d);
		if (!err && d->records.used > 0)
			err = copy_to_user(uaddr_add(dirp, done), d->records.buf, d->records.used);
		if (err)
			break;
		f->pos = d->ctx.pos;
		done += d->records.used;
	} while (d->records.full && d->records.used > 0 && !signal_pending());
	if (done > 0)
		return (int64_t)done;
	return !err && d->records.full ? -EINVAL : err;
}

static int64_t get_entries(int fd, uaddr_t dirp, uint32_t count, bool old_format)
{
	struct fdref r = fdref_get(fd);
	struct dents d = { .ctx.emit = old_format ? emit_old : emit };
	int64_t ret;

	if (r.file == NULL)
		return -EBADF;
	if (r.file->ops->readdir == NULL) {
		ret = -ENOTDIR;
	} else if ((d.records.buf = kmalloc(CHUNK)) == NULL) {
		ret = -ENOMEM;
	} else {
		d.ctx.records = old_format ? NULL : &d.records;
		mutex_lock(&r.file->pos_lock);
		ret = read_directory(r.file, dirp, count, &d);
		mutex_unlock(&r.file->pos_lock);
		file_accessed(r.file);
		kfree(d.records.buf);
	}
	fdref_put(r);
	return ret;
}

int64_t sys_getdents64(int32_t fd, uaddr_t dirp, uint32_t count)
{
	return count > INT32_MAX ? -EINVAL : get_entries(fd, dirp, count, false);
}

int64_t sys_getdents(int32_t fd, uaddr_t dirp, uint32_t count)
{
	return count > INT32_MAX ? -EINVAL : get_entries(fd, dirp, count, true);
}
