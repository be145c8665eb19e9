/*
 * tmpfs inodes. A directory entry holds its inode, so the last reference to one goes only after its
 * last name, or with the whole file system. The pages of a regular file are its page cache, never
 * written anywhere; what they and the inodes count for is kept per superblock.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/clock.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "pmm/slab.h"
#include "vfs/acl.h"
#include "vm/pagecache.h"

static struct slab_cache *inode_cache;

static const struct inode_ops file_inode_ops = {
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

/* Symbolic links, devices, FIFOs, sockets. A link's text is in inode->link. */
static const struct inode_ops other_inode_ops = {
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

void tmpfs_inode_init(void)
{
	inode_cache = slab_cache_create("tmpfs_inode", sizeof(struct tmpfs_inode), 64, NULL);
}

static bool charge_inode(struct tmpfs_sb *s)
{
	uint64_t n = atomic_fetch_add_explicit(&s->used_inodes, 1, memory_order_relaxed);

	if (s->max_inodes == 0 || n < s->max_inodes)
		return true;
	atomic_fetch_sub_explicit(&s->used_inodes, 1, memory_order_relaxed);
	return false;
}

static void set_operations(struct tmpfs_inode *t, uint32_t mode, uint64_t rdev)
{
	struct inode *i = &t->vfs;

	switch (mode & S_IFMT) {
	case S_IFREG:
		i->ops = &file_inode_ops;
		i->fops = &tmpfs_file_ops;
		i->counts_pages = true;
		vmobject_init(&i->object, &tmpfs_object_ops);
		break;
	case S_IFDIR:
		i->ops = &tmpfs_dir_ops;
		i->fops = &tmpfs_dir_file_ops;
		i->nlink = 2;
		atomic_init(&i->size, 40); /* "." and ".." at 20 each, as Linux has it */
		t->dir = (struct tmpfs_dir){ .count = 0 };
		break;
	default:
		i->ops = &other_inode_ops;
		inode_init_special(i, mode, rdev);
	}
}

int tmpfs_inode_create(struct superblock *sb, struct inode *dir, uint32_t mode, uint64_t rdev,
		       struct inode **out)
{
	struct tmpfs_sb *s = tmpfs_s(sb);
	struct tmpfs_inode *t;

	if (!charge_inode(s))
		return -ENOSPC;
	t = slab_alloc(inode_cache);
	if (t == NULL) {
		atomic_fetch_sub_explicit(&s->used_inodes, 1, memory_order_relaxed);
		return -ENOMEM;
	}
	inode_init(&t->vfs, sb, dir, mode, inode_next_ino());
	list_init(&t->xattrs);
	t->xattr_bytes = 0;
	t->has_handle = false;
	t->link = NULL;
	set_operations(t, mode, rdev);
	if (dir != NULL && UNLIKELY(atomic_load(&dir->default_acl) != NULL) &&
	    acl_inherit(dir, &t->vfs)) {
		atomic_fetch_sub_explicit(&s->used_inodes, 1, memory_order_relaxed);
		if (S_ISREG(mode))
			vmobject_fini(&t->vfs.object);
		inode_free_attachments(&t->vfs);
		slab_free(inode_cache, t);
		return -ENOMEM;
	}
	spin_lock(&s->lock);
	list_add_tail(&s->inodes, &t->all);
	spin_unlock(&s->lock);
	*out = &t->vfs;
	return 0;
}

/* Path walks may still read the inode and its link. */
static void free_memory(struct epoch_head *h)
{
	struct tmpfs_inode *t = container_of(h, struct tmpfs_inode, vfs.epoch);

	kfree(t->link);
	slab_free(inode_cache, t);
}

void tmpfs_free_inode(struct inode *i)
{
	struct tmpfs_inode *t = tmpfs_i(i);
	struct tmpfs_sb *s = tmpfs_s(i->sb);

	spin_lock(&s->lock);
	list_remove(&t->all);
	if (UNLIKELY(t->has_handle))
		tmpfs_forget_handle_locked(s, t);
	spin_unlock(&s->lock);
	if (S_ISREG(i->mode))
		vmobject_fini(&i->object);
	else if (S_ISDIR(i->mode))
		tmpfs_dir_fini(&t->dir);
	tmpfs_xattrs_free(t);
	atomic_fetch_sub_explicit(&s->used_inodes, 1, memory_order_relaxed);
	epoch_free(&i->epoch, free_memory);
}

static int resize(struct inode *i, uint64_t size)
{
	uint64_t old = atomic_load_explicit(&i->size, memory_order_relaxed);
	uint32_t seals = atomic_load(&i->seals);

	if (size == old)
		return 0;
	if (seals & (size < old ? F_SEAL_SHRINK : F_SEAL_GROW))
		return -EPERM;
	atomic_store_explicit(&i->size, size, memory_order_release);
	if (size < old)
		pagecache_truncate(&i->object, size);
	return 0;
}

int tmpfs_setattr(struct inode *i, const struct setattr *a)
{
	int err = a->valid & SET_SIZE ? resize(i, a->size) : 0;

	if (!err)
		inode_setattr(i, a);
	return err;
}
