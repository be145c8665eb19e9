/*
 * Contents of tmpfs files: their page cache. Holes are pages that are not there; they read as
 * zeroes without being made. Writing, allocating and punching hold the inode's lock for writing.
 *
 * A memfd is such a file without a name, on an instance of its own that nobody can mount. Its seals
 * are in inode->seals; whoever changes contents or size asks them under the lock.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/statfs.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "lib/checked.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "vfs/fcntl.h"
#include "vm/pagecache.h"
#include "vm/vmspace.h"

static int object_charge(struct vmobject *o, uint64_t pages)
{
	struct tmpfs_sb *s = tmpfs_s(inode_of_object(o)->sb);
	uint64_t n = atomic_fetch_add_explicit(&s->used_pages, pages, memory_order_relaxed);

	if (s->max_pages == 0 || n + pages <= s->max_pages)
		return 0;
	atomic_fetch_sub_explicit(&s->used_pages, pages, memory_order_relaxed);
	return -ENOSPC;
}

static void object_uncharge(struct vmobject *o, uint64_t pages)
{
	atomic_fetch_sub_explicit(&tmpfs_s(inode_of_object(o)->sb)->used_pages, pages,
				  memory_order_relaxed);
}

const struct vmobject_ops tmpfs_object_ops = {
	.charge = object_charge,
	.uncharge = object_uncharge,
	.size = inode_object_size,
	.get = inode_object_get,
	.put = inode_object_put,
};

static int seals_allow_write(struct inode *i, uint64_t end)
{
	uint32_t seals = atomic_load_explicit(&i->seals, memory_order_relaxed);

	if (LIKELY(!(seals & ~(uint32_t)F_SEAL_SEAL)))
		return 0;
	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return seals & F_SEAL_GROW && end > atomic_load(&i->size) ? -EPERM : 0;
}

static ssize64_t tmpfs_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct inode *i = f->inode;
	ssize64_t n;

	if (u->resid == 0)
		return 0;
	write_lock(&i->lock);
	n = file_write_begin(f, u, pos);
	if (!n)
		n = seals_allow_write(i, (uint64_t)*pos + u->resid);
	if (!n) {
		n = pagecache_write(&i->object, *pos, u);
		if (n > 0) {
			*pos += n;
			if ((uint64_t)*pos > atomic_load_explicit(&i->size, memory_order_relaxed))
				atomic_store_explicit(&i->size, (uint64_t)*pos,
						      memory_order_release);
		}
	}
	write_unlock(&i->lock);
	return n;
}

ssize64_t tmpfs_append(struct inode *i, uint64_t pos, const void *buf, size_t n)
{
	ssize64_t done;

	write_lock(&i->lock);
	done = pagecache_write_kernel(&i->object, (off64_t)pos, buf, n);
	if (done > 0 && pos + (uint64_t)done > atomic_load(&i->size))
		atomic_store(&i->size, pos + (uint64_t)done);
	write_unlock(&i->lock);
	return done;
}

static int tmpfs_mmap(struct file *f, struct vm_map_args *a)
{
	uint32_t seals = atomic_load(&f->inode->seals);

	if (UNLIKELY(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) && a->vma_flags & VMA_SHARED) {
		if (a->prot & PROT_WRITE)
			return -EPERM;
		a->max_prot &= ~(uint32_t)PROT_WRITE;
	}
	return generic_mmap(f, a);
}

static int tmpfs_fsync(struct file *f, off64_t start, off64_t end, bool data_only)
{
	(void)f, (void)start, (void)end, (void)data_only;
	return 0;
}

/* Zeroes [off, end) inside one page, if the page is there. */
static void zero_part(struct inode *i, uint64_t off, uint64_t end)
{
	struct page *p = off < end ? pagecache_find(&i->object, off >> PAGE_SHIFT) : NULL;

	if (p == NULL)
		return;
	memset((char *)page_va(p) + (off & PAGE_MASK), 0, end - off);
	page_put(p);
}

static void punch(struct inode *i, uint64_t off, uint64_t end)
{
	uint64_t first = page_round_up(off), last = page_round_down(end);

	if (first > last) { /* inside one page */
		zero_part(i, off, end);
		return;
	}
	zero_part(i, off, first);
	zero_part(i, last, end);
	if (first < last)
		pagecache_punch(&i->object, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1);
}

static int allocate(struct inode *i, uint64_t off, uint64_t end)
{
	struct tmpfs_sb *s = tmpfs_s(i->sb);
	uint64_t index = off >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
	struct page *p;
	int err;

	/* What cannot fit even when nothing else is there need not be begun. */
	if (s->max_pages && last - index >= s->max_pages)
		return -ENOSPC;
	for (; index <= last; index++) {
		if (fatal_signal_pending())
			return -EINTR;
		if ((err = pagecache_get(&i->object, index, &p)))
			return err;
		page_put(p);
		thread_resched_point();
	}
	return 0;
}

static int tmpfs_fallocate(struct file *f, int mode, off64_t off, off64_t len)
{
	struct inode *i = f->inode;
	uint64_t start = (uint64_t)off, end = start + (uint64_t)len;
	int err = 0;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > atomic_load(&i->size) &&
	    end > vfs_fsize_limit()) {
		vfs_signal_fsize();
		return -EFBIG;
	}
	write_lock(&i->lock);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = seals_allow_write(i, 0);
		if (!err)
			punch(i, start, end);
	} else {
		if (atomic_load(&i->seals) & F_SEAL_GROW && end > atomic_load(&i->size))
			err = -EPERM;
		if (!err && (err = allocate(i, start, end)))
			pagecache_truncate(&i->object, atomic_load(&i->size)); /* gives it back */
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > atomic_load(&i->size))
			atomic_store_explicit(&i->size, end, memory_order_release);
	}
	if (!err)
		inode_written(i);
	write_unlock(&i->lock);
	return err;
}

static off64_t dir_seek(struct file *f, off64_t off, int whence)
{
	if (whence == SEEK_CUR) {
		if (add_overflows(off, f->pos, &off))
			return -EINVAL;
	} else if (whence != SEEK_SET) {
		return -EINVAL;
	}
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

const struct file_ops tmpfs_file_ops = {
	.read = generic_read,
	.write = tmpfs_write,
	.seek = generic_seek,
	.mmap = tmpfs_mmap,
	.fsync = tmpfs_fsync,
	.fallocate = tmpfs_fallocate,
	.flags = FOP_DIRECT,
};

const struct file_ops tmpfs_dir_file_ops = {
	.seek = dir_seek,
	.readdir = tmpfs_readdir,
	.fsync = tmpfs_fsync,
};

static struct superblock *memfd_sb;

static void memfd_show_name(struct file *f, struct textbuf *t)
{
	text_f(t, "/memfd:%s (deleted)", f->path.dentry->name);
}

static const struct file_ops memfd_file_ops = {
	.read = generic_read,
	.write = tmpfs_write,
	.seek = generic_seek,
	.mmap = tmpfs_mmap,
	.fsync = tmpfs_fsync,
	.fallocate = tmpfs_fallocate,
	.flags = FOP_DIRECT,
	.show_name = memfd_show_name,
};

int tmpfs_open_memfd(const char *name, bool allow_sealing, unsigned oflags, struct file **out)
{
	struct inode *i;
	int err = tmpfs_inode_create(memfd_sb, NULL, S_IFREG | 0777, 0, &i);

	if (err)
		return err;
	i->nlink = 0;
	i->fops = &memfd_file_ops;
	if (allow_sealing)
		atomic_store(&i->seals, 0);
	return file_create_pseudo(i, name, &memfd_file_ops, NULL,
				  O_RDWR | O_LARGEFILE | (oflags & O_NONBLOCK), out);
}

enum {
	ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |
		    F_SEAL_EXEC
};

static int64_t add_seals(struct file *f, uint64_t seals)
{
	struct inode *i = f->inode;
	int64_t err = 0;

	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~(uint64_t)ALL_SEALS)
		return -EINVAL;
	write_lock(&i->lock);
	if (atomic_load(&i->seals) & F_SEAL_SEAL)
		err = -EPERM;
	else if (seals & F_SEAL_WRITE && !(atomic_load(&i->seals) & F_SEAL_WRITE) &&
		 atomic_load(&i->object.nwritable) > 0)
		err = -EBUSY;
	else
		atomic_fetch_or(&i->seals, (uint32_t)seals);
	write_unlock(&i->lock);
	return err;
}

static int64_t memfd_seals(struct file *f, int cmd, uint64_t arg)
{
	if (f->inode->sb->magic != TMPFS_MAGIC || !S_ISREG(f->inode->mode))
		return -EINVAL;
	return cmd == F_ADD_SEALS ? add_seals(f, arg) : atomic_load(&f->inode->seals);
}

void tmpfs_file_init(void)
{
	static const struct fs_type memfd_type = { .name = "tmpfs", .flags = FS_NO_USER_MOUNT };

	if (tmpfs_create_super(&memfd_type, &memfd_sb))
		panic("no memory for memfd");
	memfd_seals_hook = memfd_seals;
}
