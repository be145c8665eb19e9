/*
 * devtmpfs is a tmpfs superblock that the kernel keeps: every mount shows the same tree. The nodes
 * of registered devices are made straight in it, below its root dentry, without walk or permission;
 * user space may change the tree as it likes, and a node that it has made itself is left alone.
 */

#include "fs/devtmpfs/devtmpfs.h"

#include "abi/errno.h"
#include "abi/stat.h"
#include "core/log.h"
#include "core/panic.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/string.h"
#include "vfs/chrdev.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"

static struct superblock *dev_sb;

static int mount_devtmpfs(const struct fs_type *t, const char *source, unsigned flags,
			  const char *data, struct superblock **out)
{
	(void)t, (void)source, (void)flags, (void)data;
	superblock_get(dev_sb);
	*out = dev_sb;
	return 0;
}

static struct fs_type devtmpfs_type = { .name = "devtmpfs", .mount = mount_devtmpfs };

/* The entry `name` of parent, made when it is not there. *out counted. */
static int ensure(struct dentry *parent, const char *name, size_t len, uint32_t mode, uint64_t rdev,
		  struct dentry **out)
{
	struct inode *dir = dentry_inode(parent), *i;
	struct dentry *d;
	int err;

	write_lock(&dir->lock);
	err = dentry_lookup_locked(parent, name, len, &d);
	if (!err && dentry_inode(d) == NULL) {
		err = S_ISDIR(mode) ? dir->ops->mkdir(dir, d, mode)
				    : dir->ops->mknod(dir, d, mode, rdev);
		if (err) {
			dentry_put(d);
		} else {
			i = dentry_inode(d);
			i->uid = i->gid = 0; /* whoever happens to run */
		}
	}
	write_unlock(&dir->lock);
	if (!err)
		*out = d;
	return err;
}

static int remove(struct dentry *parent, const char *name)
{
	struct inode *dir = dentry_inode(parent), *i;
	struct dentry *d;
	int err;

	write_lock(&dir->lock);
	err = dentry_lookup_locked(parent, name, strlen(name), &d);
	if (!err) {
		i = dentry_inode(d);
		if (i != NULL && !S_ISDIR(i->mode)) {
			inode_lock_nested(i);
			err = dir->ops->unlink(dir, d);
			write_unlock(&i->lock);
			if (!err)
				dentry_delete(d);
		}
		dentry_put(d);
	}
	write_unlock(&dir->lock);
	return err;
}

/* chrdev.h: makes the node, or removes it (mode 0). */
static void node_changed(const char *name, uint32_t mode, uint64_t rdev)
{
	struct dentry *dir = dev_sb->root, *d;
	const char *slash;
	int err = 0;

	dentry_get(dir);
	while (!err && (slash = strchr(name, '/')) != NULL) {
		err = ensure(dir, name, (size_t)(slash - name), S_IFDIR | 0755, 0, &d);
		if (!err) {
			dentry_put(dir);
			dir = d;
			name = slash + 1;
		}
	}
	if (!err && mode == 0) {
		err = remove(dir, name);
	} else if (!err) {
		err = ensure(dir, name, strlen(name), mode, rdev, &d);
		if (!err)
			dentry_put(d);
	}
	dentry_put(dir);
	if (err)
		log_warn("devtmpfs: %s: error %d", name, err);
}

void devtmpfs_init(void)
{
	if (tmpfs_create_super(&devtmpfs_type, &dev_sb))
		panic("no memory for devtmpfs");
	fs_register(&devtmpfs_type);
	devnode_for_each(node_changed);
	devnode_backend = node_changed;
}
