/*
 * getdents(2), getdents64(2). Entries are gathered in a buffer of the kernel's and copied out in large pieces, without the
 * directory's lock. An entry is taken only when it fits wholly into what the user has left, and the file's position
 * moves past it only then: a full buffer loses none (pitfalls: getdents64 at the buffer boundary).
 */

#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/dentry.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

enum { CHUNK = 8192, HEAD64 = offsetof(struct abi_dirent64, d_name), HEAD_OLD = offsetof(struct abi_dirent, d_name) };

struct dents {
	struct dir_context ctx;
	uint8_t *buf;    /* CHUNK bytes */
	uint8_t *last;   /* the entry before: its d_off is known only when the next one comes */
	uint32_t used, room; /* of buf; room is also what the user has left */
	bool full;       /* an entry did not fit */
	bool old_format;
};

static inline void set_last_off(struct dents *d, off64_t pos)
{
	if (d->last != NULL)
		((struct abi_dirent64 *)d->last)->d_off = pos;
}

static bool emit(struct dir_context *c, const char *name, size_t len, uint64_t ino, unsigned type)
{
	struct dents *d = container_of(c, struct dents, ctx);
	uint32_t reclen = (uint32_t)ALIGN_UP((d->old_format ? HEAD_OLD + 1 : HEAD64) + len + 1, 8ul);
	uint8_t *at = d->buf + d->used;
	struct abi_dirent64 *e = (struct abi_dirent64 *)at;

	if (UNLIKELY(reclen > d->room - d->used)) {
		d->full = true;
		return false;
	}
	set_last_off(d, c->pos);
	*(uint64_t *)(at + reclen - 8) = 0; /* the padding, before the name may cover its beginning */
	e->d_ino = ino;
	e->d_reclen = (uint16_t)reclen;
	if (LIKELY(!d->old_format)) {
		e->d_type = (uint8_t)type;
		memcpy(e->d_name, name, len);
	} else {
		memcpy(at + HEAD_OLD, name, len);
		at[reclen - 1] = (uint8_t)type;
	}
	d->last = at;
	d->used += reclen;
	return true;
}

/* One bufferful, from f->pos on. */
static int read_chunk(struct file *f, struct dents *d)
{
	int err;

	d->used = 0;
	d->last = NULL;
	d->full = false;
	d->ctx.pos = f->pos;
	read_lock(&f->inode->lock);
	if (atomic_load_explicit(&f->path.dentry->flags, memory_order_relaxed) & DENTRY_DEAD)
		err = -ENOENT;
	else
		err = f->ops->readdir(f, &d->ctx);
	read_unlock(&f->inode->lock);
	set_last_off(d, d->ctx.pos);
	return err;
}

/* The position moves on with what has been copied out, so a fault loses nothing. */
static int64_t read_directory(struct file *f, uaddr_t dirp, uint32_t count, struct dents *d)
{
	uint64_t done = 0;
	int err;

	do {
		d->room = (uint32_t)MIN((uint64_t)CHUNK, count - done);
		err = read_chunk(f, d);
		if (!err && d->used > 0)
			err = copy_to_user(uaddr_add(dirp, done), d->buf, d->used);
		if (err)
			break;
		f->pos = d->ctx.pos;
		done += d->used;
	} while (d->full && d->used > 0 && !signal_pending());
	if (done > 0)
		return (int64_t)done;
	return !err && d->full ? -EINVAL : err;
}

static int64_t get_entries(int fd, uaddr_t dirp, uint32_t count, bool old_format)
{
	struct fdref r = fdref_get(fd);
	struct dents d = { .ctx.emit = emit, .old_format = old_format };
	int64_t ret;

	if (r.file == NULL)
		return -EBADF;
	if (r.file->ops->readdir == NULL) {
		ret = -ENOTDIR;
	} else if ((d.buf = kmalloc(CHUNK)) == NULL) {
		ret = -ENOMEM;
	} else {
		mutex_lock(&r.file->pos_lock);
		ret = read_directory(r.file, dirp, count, &d);
		mutex_unlock(&r.file->pos_lock);
		file_accessed(r.file);
		kfree(d.buf);
	}
	fdref_put(r);
	return ret;
}

int64_t sys_getdents64(int32_t fd, uaddr_t dirp, uint32_t count)
{
	return get_entries(fd, dirp, count, false);
}

int64_t sys_getdents(int32_t fd, uaddr_t dirp, uint32_t count)
{
	return get_entries(fd, dirp, count, true);
}
