/*
 * Open files: their life, and reading, writing and seeking on them.
 *
 * A file is counted by descriptors, mappings and calls in progress; the last put releases it, and
 * the memory follows after an epoch, since descriptor tables are read without locks. The offset is
 * guarded by pos_lock, but only when somebody else can have the file: a count of one, in a call
 * that came through a descriptor nobody shares, is the caller's alone.
 */

#include "vfs/file.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mount.h"
#include "abi/statfs.h"
#include "core/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/fdtable.h"
#include "vfs/inotify.h"
#include "vfs/lock.h"
#include "vfs/poll.h"
#include "vfs/vfs_priv.h"
#include "vfs/xattr.h"
#include "vm/vmspace.h"

_Atomic uint64_t vfs_nr_files;
uint64_t vfs_max_files = 1 << 20;

static struct slab_cache *file_cache;
static struct mount *anon_mount;
static struct inode *anon_inode; /* one for all files without an inode of their own */

static uint64_t no_fsize_limit(void)
{
	return UINT64_MAX;
}

static void no_signal(void)
{
}

uint64_t (*vfs_fsize_limit)(void) = no_fsize_limit;
void (*vfs_signal_fsize)(void) = no_signal;

int file_alloc(unsigned oflags, struct file **out)
{
	uint64_t n = atomic_fetch_add_explicit(&vfs_nr_files, 1, memory_order_relaxed);
	struct file *f = NULL;

	if (n >= vfs_max_files && !capable(CAP_SYS_ADMIN)) {
		atomic_fetch_sub_explicit(&vfs_nr_files, 1, memory_order_relaxed);
		return -ENFILE;
	}
	f = slab_alloc(file_cache);
	if (f == NULL) {
		atomic_fetch_sub_explicit(&vfs_nr_files, 1, memory_order_relaxed);
		return -ENOMEM;
	}
	ref_init(&f->ref);
	atomic_init(&f->flags, oflags);
	f->mode = 0;
	f->ops = NULL;
	f->path = (struct path){ NULL, NULL };
	f->inode = NULL;
	mutex_init(&f->pos_lock, RANK_FILEPOS);
	f->pos = 0;
	f->cred = current_cred();
	cred_get(f->cred);
	f->priv = NULL;
	atomic_init(&f->owner_pid, 0);
	f->owner_type = f->owner_sig = 0;
	f->owner_uid = f->owner_euid = 0;
	f->async_fd = -1;
	atomic_init(&f->epitems, NULL);
	*out = f;
	return 0;
}

static void file_free(struct epoch_head *h)
{
	slab_free(file_cache, container_of(h, struct file, epoch));
}

void file_discard(struct file *f)
{
	if (f->path.dentry != NULL)
		path_put(&f->path);
	cred_put(f->cred);
	atomic_fetch_sub_explicit(&vfs_nr_files, 1, memory_order_relaxed);
	slab_free(file_cache, f);
}

void file_get(struct file *f)
{
	ref_get(&f->ref);
}

bool file_tryget(struct file *f)
{
	return ref_tryget(&f->ref);
}

static void file_release(struct file *f)
{
	struct inode *i = f->inode;

	if (UNLIKELY(atomic_load_explicit(&f->epitems, memory_order_relaxed) != NULL))
		epoll_file_closing(f);
	if (UNLIKELY(atomic_load_explicit(&i->locks, memory_order_relaxed) != NULL))
		file_lock_release(f);
	if (UNLIKELY(atomic_load_explicit(&f->flags, memory_order_relaxed) & O_ASYNC) &&
	    f->ops->fasync) {
		int removed = f->ops->fasync(f, false); /* only adding can fail */
		(void)removed;
	}
	if (!(f->mode & FMODE_PATH))
		fsnotify_path(&f->path, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (f->ops->release)
		f->ops->release(f);
	if (f->mode & FMODE_WRITER) {
		inode_put_write(i);
		atomic_fetch_sub_explicit(&f->path.mnt->writers, 1, memory_order_relaxed);
	}
	if (UNLIKELY(i->nlink == 0 &&
		     atomic_load_explicit(&i->marks, memory_order_relaxed) != NULL))
		fsnotify_inode_gone(i, IN_DELETE_SELF);
	path_put(&f->path);
	cred_put(f->cred);
	atomic_fetch_sub_explicit(&vfs_nr_files, 1, memory_order_relaxed);
	epoch_free(&f->epoch, file_free);
}

void file_put(struct file *f)
{
	if (f != NULL && ref_put(&f->ref))
		file_release(f);
}

static uint32_t mode_of(unsigned oflags)
{
	static const uint8_t modes[] = { FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0 };

	return modes[oflags & O_ACCMODE];
}

int file_create_pseudo(struct inode *i, const char *name, const struct file_ops *ops, void *priv,
		       unsigned oflags, struct file **out)
{
	struct dentry *d;
	struct file *f;
	int err;

	d = dentry_create_pseudo(i->sb, name, i);
	if (d == NULL)
		return -ENOMEM;
	if ((err = file_alloc(oflags & ~(unsigned)O_CLOEXEC, &f))) {
		dentry_put(d);
		return err;
	}
	mount_get(anon_mount);
	f->path = (struct path){ anon_mount, d };
	f->inode = i;
	f->ops = ops;
	f->priv = priv;
	f->mode = mode_of(oflags) | (ops->flags & FOP_STREAM ? 0 : FMODE_PREAD);
	*out = f;
	return 0;
}

int file_create_anon(const char *name, const struct file_ops *ops, void *priv, unsigned oflags,
		     struct file **out)
{
	char text[64];

	fmt(text, sizeof(text), "anon_inode:%s", name);
	inode_get(anon_inode);
	return file_create_pseudo(anon_inode, text, ops, priv, oflags, out);
}

static void anon_free_inode(struct inode *i)
{
	kfree(i);
}

static const struct super_ops anon_super_ops = { .free_inode = anon_free_inode };

static int anon_mount_fs(const struct fs_type *t, const char *source, unsigned flags,
			 const char *data, struct superblock **out)
{
	struct superblock *sb;
	struct inode *i;
	int err = superblock_create(t, &anon_super_ops, &sb);

	(void)source, (void)flags, (void)data;
	if (err)
		return err;
	sb->magic = ANON_INODE_FS_MAGIC;
	i = kmalloc(sizeof(*i));
	if (i != NULL) {
		inode_init(i, sb, NULL, 0600, inode_next_ino());
		inode_get(i);
		anon_inode = i;
		sb->root = dentry_create_root(sb, i);
	}
	if (sb->root == NULL) {
		superblock_put(sb);
		return -ENOMEM;
	}
	*out = sb;
	return 0;
}

static void exe_get(struct file *f)
{
	int err = inode_deny_write(f->inode);

	KASSERT(err == 0); /* no writer can have come: it is denied already */
	file_get(f);
}

static void exe_put(struct file *f)
{
	inode_allow_write(f->inode);
	file_put(f);
}

static const struct vm_file_ops file_vm_ops = {
	.get = file_get,
	.put = file_put,
	.get_exe = exe_get,
	.put_exe = exe_put,
};

void file_init(void)
{
	static struct fs_type anon_type = { .name = "anon_inodefs",
					    .flags = FS_NO_USER_MOUNT,
					    .mount = anon_mount_fs };

	file_cache = slab_cache_create("file", sizeof(struct file), 64, NULL);
	if (mount_kernel(&anon_type, &anon_mount))
		panic("no memory for anon_inodefs");
	vm_file_ops = &file_vm_ops;
}

void file_show_name(struct file *f, const struct path *root, struct textbuf *t)
{
	size_t before = t->len;
	char *buf, *name;

	if (f->ops->show_name)
		f->ops->show_name(f, t);
	if (t->len != before || (buf = kmalloc(PATH_MAX_BYTES)) == NULL)
		return;
	name = path_format(&f->path, root, buf, PATH_MAX_BYTES);
	if (name != NULL)
		text_n(t, name, strlen(name));
	kfree(buf);
}

/* Everybody who could use the offset meanwhile has a reference. */
static inline bool pos_needs_lock(const struct file *f)
{
	return UNLIKELY(ref_count(&f->ref) > 1) && !(f->ops->flags & FOP_STREAM);
}

static inline int check_count(struct uio *u)
{
	if (UNLIKELY(u->resid > MAX_RW_COUNT)) {
		if ((ssize64_t)u->resid < 0)
			return -EINVAL;
		uio_truncate(u, MAX_RW_COUNT);
	}
	return 0;
}

ssize64_t file_read(struct file *f, struct uio *u, off64_t *pos) NO_TSA
{
	ssize64_t n;
	bool lock;

	if (UNLIKELY(!(f->mode & FMODE_READ)))
		return -EBADF;
	if (UNLIKELY(f->ops->read == NULL))
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	if ((n = check_count(u)))
		return n;
	if (pos != NULL) {
		n = f->ops->read(f, u, pos);
	} else {
		lock = pos_needs_lock(f);
		if (lock)
			mutex_lock(&f->pos_lock);
		n = f->ops->read(f, u, &f->pos);
		if (lock)
			mutex_unlock(&f->pos_lock);
	}
	curthread()->io.syscr++;
	if (n > 0) {
		curthread()->io.rchar += (size_t)n;
		fsnotify_path(&f->path, IN_ACCESS);
	}
	return n;
}

ssize64_t file_write(struct file *f, struct uio *u, off64_t *pos) NO_TSA
{
	ssize64_t n;
	bool lock;

	if (UNLIKELY(!(f->mode & FMODE_WRITE)))
		return -EBADF;
	if (UNLIKELY(f->ops->write == NULL))
		return -EINVAL;
	if ((n = check_count(u)))
		return n;
	if (pos != NULL) {
		n = f->ops->write(f, u, pos);
	} else {
		lock = pos_needs_lock(f);
		if (lock)
			mutex_lock(&f->pos_lock);
		n = f->ops->write(f, u, &f->pos);
		if (lock)
			mutex_unlock(&f->pos_lock);
	}
	curthread()->io.syscw++;
	if (n > 0) {
		curthread()->io.wchar += (size_t)n;
		fsnotify_path(&f->path, IN_MODIFY);
	}
	return n;
}

ssize64_t file_read_kernel(struct file *f, void *buf, size_t n, off64_t pos)
{
	size_t done = 0;

	if (f->ops->read == NULL)
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	while (done < n) {
		struct uio u;
		ssize64_t got;

		uio_init_kernel(&u, (char *)buf + done, n - done);
		got = f->ops->read(f, &u, &pos);
		if (got < 0)
			return got;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize64_t)done;
}

ssize64_t file_write_kernel(struct file *f, const void *buf, size_t n, off64_t pos)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)buf, n);
	return file_write(f, &u, &pos);
}

off64_t file_seek(struct file *f, off64_t off, int whence) NO_TSA
{
	off64_t ret;
	bool lock = pos_needs_lock(f);

	if (f->ops->seek == NULL)
		return -ESPIPE;
	if (lock)
		mutex_lock(&f->pos_lock);
	ret = f->ops->seek(f, off, whence);
	if (lock)
		mutex_unlock(&f->pos_lock);
	return ret;
}

/* Writing takes set-user-id away, and set-group-id where it means something, unless CAP_FSETID. */
static void drop_privileges(struct inode *i)
{
	if (capable(CAP_FSETID))
		return;
	i->mode &= ~(uint32_t)S_ISUID;
	if (i->mode & S_IXGRP)
		i->mode &= ~(uint32_t)S_ISGID;
}

int file_write_begin(struct file *f, struct uio *u, off64_t *pos)
{
	struct inode *i = f->inode;
	uint64_t limit, fs_limit = i->sb->max_bytes;

	if (u->resid == 0)
		return 0;
	if (atomic_load_explicit(&f->flags, memory_order_relaxed) & O_APPEND || u->append)
		*pos = (off64_t)atomic_load_explicit(&i->size, memory_order_relaxed);
	limit = vfs_fsize_limit();
	if (UNLIKELY((uint64_t)*pos + u->resid > limit)) {
		if ((uint64_t)*pos >= limit) {
			vfs_signal_fsize();
			return -EFBIG;
		}
		uio_truncate(u, limit - (uint64_t)*pos);
	}
	if (UNLIKELY((uint64_t)*pos + u->resid > fs_limit)) {
		if ((uint64_t)*pos >= fs_limit)
			return -EFBIG;
		uio_truncate(u, fs_limit - (uint64_t)*pos);
	}
	inode_written(i);
	return 0;
}

void inode_written(struct inode *i)
{
	if (UNLIKELY(i->mode & (S_ISUID | S_ISGID)))
		drop_privileges(i);
	if (UNLIKELY(i->has_caps))
		inode_drop_caps(i);
	inode_touch_mtime(i);
}

void fsnotify_path_marked(const struct path *p, uint32_t mask)
{
	struct inode *i = dentry_inode(p->dentry), *dir;
	struct dentry *parent;
	char *name;

	if (S_ISDIR(i->mode))
		mask |= IN_ISDIR;
	/* Whoever watches both hears of the entry first, then of the file. */
	parent = dentry_get_parent(p->dentry);
	dir = dentry_inode(parent);
	if (parent != p->dentry && atomic_load(&dir->marks) != NULL &&
	    (name = kmalloc(NAME_LEN_MAX + 1)) != NULL) {
		epoch_enter();
		strscpy(name, p->dentry->name, NAME_LEN_MAX + 1);
		epoch_exit();
		fsnotify(dir,
			 atomic_load(&p->dentry->flags) & DENTRY_UNHASHED ? mask | IN_EXCL_UNLINK
									  : mask,
			 name);
		kfree(name);
	}
	dentry_put(parent);
	fsnotify(i, mask, NULL);
}
