/* Methods that many files share: seeking by the inode's size, reading and mapping through the page
 * cache. */

#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/mount.h"
#include "vfs/file.h"
#include "vm/pagecache.h"
#include "vm/vmspace.h"

/* SEEK_DATA and SEEK_HOLE: pages that a memory-only object does not have are its holes; any other
 * file is all data. */
static off64_t seek_hole_data(struct inode *i, off64_t off, bool data)
{
	off64_t size = (off64_t)atomic_load_explicit(&i->size, memory_order_relaxed), at;
	struct vmobject *o = &i->object;
	uint64_t end = page_round_up((uint64_t)size) >> PAGE_SHIFT,
		 first = (uint64_t)off >> PAGE_SHIFT;

	if (off < 0 || off >= size)
		return -ENXIO;
	if (!S_ISREG(i->mode) || !o->ops || o->ops->read_page)
		return data ? off : size;
	at = (off64_t)((data ? pagecache_next_data(o, first, end)
			     : pagecache_next_hole(o, first, end))
		       << PAGE_SHIFT);
	at = MAX(at, off);
	if (at >= size)
		return data ? -ENXIO : size;
	return at;
}

off64_t generic_seek(struct file *f, off64_t off, int whence)
{
	struct inode *i = f->inode;
	off64_t base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = (off64_t)atomic_load_explicit(&i->size, memory_order_relaxed);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if ((off = seek_hole_data(i, off, whence == SEEK_DATA)) < 0)
			return off;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(off, base, &off))
		return -EOVERFLOW;
	if (off < 0 || (uint64_t)off > i->sb->max_bytes)
		return -EINVAL;
	f->pos = off;
	return off;
}

off64_t noop_seek(struct file *f, off64_t off, int whence)
{
	(void)off, (void)whence;
	return f->pos;
}

ssize64_t generic_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct inode *i = f->inode;
	ssize64_t n;

	if (UNLIKELY(u->resid == 0))
		return 0;
	n = pagecache_read(&i->object, *pos, u,
			   atomic_load_explicit(&i->size, memory_order_acquire));
	if (n > 0)
		*pos += n;
	file_accessed(f);
	return n;
}

int generic_mmap(struct file *f, struct vm_map_args *a)
{
	if (f->path.mnt->flags & MS_NOEXEC) {
		if (a->prot & PROT_EXEC)
			return -EPERM;
		a->max_prot &= ~(uint32_t)PROT_EXEC;
	}
	if (a->vma_flags & VMA_SHARED && !(f->mode & FMODE_WRITE))
		a->max_prot &= ~(uint32_t)PROT_WRITE;
	a->object = &f->inode->object;
	file_accessed(f);
	return 0;
}

bool dir_emit_dots(struct file *f, struct dir_context *c)
{
	struct dentry *parent;
	bool taken;

	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, f->inode->ino, DT_DIR))
			return false;
		c->pos = 1;
	}
	if (c->pos == 1) {
		parent = dentry_get_parent(f->path.dentry);
		taken = c->emit(c, "..", 2, dentry_inode(parent)->ino, DT_DIR);
		dentry_put(parent);
		if (!taken)
			return false;
		c->pos = 2;
	}
	return true;
}
