/*
 * Names in tmpfs directories. The caller holds the directory's lock, and the victim's when
 * something is removed. What may fail comes first: inode, entry, slot; then the directory changes.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/clock.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "lib/string.h"
#include "pmm/slab.h"

void tmpfs_dir_changed(struct inode *dir, int entries)
{
	atomic_fetch_add_explicit(&dir->size, (uint64_t)(20 * (int64_t)entries),
				  memory_order_relaxed);
	inode_touch_mtime(dir);
}

static int tmpfs_lookup(struct inode *dir, struct dentry *d)
{
	struct tmpfs_dirent *e =
		tmpfs_dir_find(&tmpfs_i(dir)->dir, d->name, d->name_len, d->name_hash);

	if (e == NULL)
		return 0;
	inode_get(e->inode);
	dentry_instantiate(d, e->inode);
	return 0;
}

/* Enters i, counted by the caller for the entry, under d's name; the dentry gets a reference of its
 * own. */
static int add_entry(struct inode *dir, struct dentry *d, struct inode *i)
{
	struct tmpfs_dir *td = &tmpfs_i(dir)->dir;
	struct tmpfs_dirent *e;

	if (tmpfs_dir_reserve(td) || (e = tmpfs_dirent_alloc(d, i)) == NULL)
		return -ENOMEM;
	tmpfs_dir_insert(td, e);
	tmpfs_dir_changed(dir, 1);
	inode_get(i);
	dentry_instantiate(d, i);
	return 0;
}

static int tmpfs_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev)
{
	struct inode *i;
	int err = tmpfs_inode_create(dir->sb, dir, mode, rdev, &i);

	if (err)
		return err;
	if ((err = add_entry(dir, d, i)))
		inode_put(i);
	return err;
}

static int tmpfs_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
	return tmpfs_mknod(dir, d, S_IFREG | (mode & 07777), 0);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, uint32_t mode)
{
	int err = tmpfs_mknod(dir, d, S_IFDIR | (mode & 07777), 0);

	if (!err)
		dir->nlink++;
	return err;
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	struct inode *i;
	int err = tmpfs_inode_create(dir->sb, dir, S_IFLNK | 0777, 0, &i);

	if (err)
		return err;
	i->link = tmpfs_i(i)->link = kstrdup(target);
	atomic_init(&i->size, strlen(target));
	err = i->link == NULL ? -ENOMEM : add_entry(dir, d, i);
	if (err)
		inode_put(i);
	return err;
}

static int tmpfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	int err;

	inode_get(target);
	if ((err = add_entry(dir, d, target))) {
		inode_put(target);
		return err;
	}
	target->nlink++;
	target->ctime = dir->ctime;
	return 0;
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct tmpfs_dir *td = &tmpfs_i(dir)->dir;
	struct tmpfs_dirent *e = tmpfs_dir_find(td, d->name, d->name_len, d->name_hash);
	struct inode *i = e->inode;

	tmpfs_dir_remove(td, e);
	kfree(e);
	tmpfs_dir_changed(dir, -1);
	i->nlink--;
	i->ctime = dir->ctime;
	inode_put(i); /* the dentry has another */
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	struct inode *i = dentry_inode(d);

	if (tmpfs_i(i)->dir.count > 0)
		return -ENOTEMPTY;
	i->nlink--; /* its own "." */
	dir->nlink--;
	return tmpfs_unlink(dir, d);
}

static int tmpfs_tmpfile(struct inode *dir, uint32_t mode, struct inode **out)
{
	return tmpfs_inode_create(dir->sb, dir, S_IFREG | (mode & 07777), 0, out);
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mknod = tmpfs_mknod,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};
