/*
 * Inodes: life, attributes and times. The file system owns the memory and frees it in free_inode,
 * after an epoch when path walks can have reached it; everything here works on the embedded struct.
 *
 * Times are CLOCK_REALTIME to the nanosecond. Access times follow relatime(mount(8)): written when
 * they are not newer than a change, or a day old.
 *
 * nwriters counts opens for writing when positive, and mappings as a program text when negative:
 * the two exclude each other (ETXTBSY).
 */

#include "vfs/acl.h"
#include "vfs/inode.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/mount.h"
#include "core/clock.h"
#include "pmm/slab.h"
#include "vfs/chrdev.h"
#include "vfs/lock.h"
#include "vfs/pipe.h"

void (*fsnotify_hook)(struct inode *i, uint32_t mask, const char *name, uint32_t cookie);

const struct inode_ops inode_ops_none;

/* Field by field: clearing the whole would be most of the work of creating a file. */
static _Atomic uint64_t count;

void inode_init(struct inode *i, struct superblock *sb, struct inode *dir, uint32_t mode,
		uint64_t ino)
{
	const struct cred *c = current_cred();

	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
	ref_init(&i->ref);
	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir != NULL && UNLIKELY(dir->mode & S_ISGID)) {
		i->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			 !cred_in_group(c, i->gid) && !cred_has_cap(c, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
	}
	i->mode = mode;
	i->nlink = 1;
	i->flags = 0;
	i->ino = ino;
	i->rdev = 0;
	atomic_init(&i->size, 0);
	atomic_init(&i->blocks, 0);
	i->atime = i->mtime = i->ctime = i->btime = clock_real();
	i->sb = sb;
	i->ops = &inode_ops_none;
	i->fops = NULL;
	rwlock_init(&i->lock, RANK_INODE);
	i->object.ops = NULL; /* the rest by vmobject_init(), for what has pages */
	atomic_init(&i->object.npages, 0);
	i->pipe = NULL;
	atomic_init(&i->locks, NULL);
	atomic_init(&i->marks, NULL);
	atomic_init(&i->nwriters, 0);
	atomic_init(&i->seals, F_SEAL_SEAL);
	atomic_init(&i->acl, NULL);
	atomic_init(&i->default_acl, NULL);
	i->link = NULL;
	i->has_caps = false;
	i->counts_pages = i->linkable = false;
	i->write_hint = 0;
	i->generation = 0;
}

void inode_get(struct inode *i)
{
	ref_get(&i->ref);
}

uint64_t inode_count(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}

void inode_free_attachments(struct inode *i)
{
	atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
	if (UNLIKELY(i->locks != NULL))
		file_lock_free_list(i);
	if (UNLIKELY(atomic_load_explicit(&i->acl, memory_order_relaxed) != NULL ||
		     atomic_load_explicit(&i->default_acl, memory_order_relaxed) != NULL))
		acl_free_inode(i);
	kfree(atomic_load_explicit(&i->marks, memory_order_relaxed)); /* watches count the inode:
									 there are none */
}

void inode_put(struct inode *i)
{
	if (!ref_put(&i->ref))
		return;
	inode_free_attachments(i);
	i->sb->ops->free_inode(i);
}

/*
 * One counter for all memory file systems, as if it were theirs alone: what is unique in all is
 * unique in each. Pages of numbers could be handed to CPUs; an atomic add is cheap enough.
 */
uint64_t inode_next_ino(void)
{
	static _Atomic uint64_t last = 1;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

void inode_init_special(struct inode *i, uint32_t mode, uint64_t rdev)
{
	i->rdev = rdev;
	if (S_ISCHR(mode))
		i->fops = &chrdev_node_ops;
	else if (S_ISBLK(mode))
		i->fops = &blkdev_node_ops;
	else if (S_ISFIFO(mode))
		i->fops = &pipe_file_ops;
}

void inode_object_get(struct vmobject *o)
{
	inode_get(inode_of_object(o));
}

void inode_object_put(struct vmobject *o)
{
	inode_put(inode_of_object(o));
}

uint64_t inode_object_size(struct vmobject *o)
{
	return atomic_load_explicit(&inode_of_object(o)->size, memory_order_relaxed);
}

void inode_lock_nested(struct inode *i)
{
	write_lock_nested(&i->lock);
}

void inode_lock_pair(struct inode *a, struct inode *b)
{
	struct inode *t;

	if (a > b) {
		t = a;
		a = b;
		b = t;
	}
	if (a != NULL)
		write_lock(&a->lock);
	if (b != NULL && b != a)
		inode_lock_nested(b);
}

void inode_unlock_pair(struct inode *a, struct inode *b)
{
	if (a != NULL)
		write_unlock(&a->lock);
	if (b != NULL && b != a)
		write_unlock(&b->lock);
}

bool inode_is_immutable(const struct inode *i)
{
	return i->flags & FS_IMMUTABLE_FL;
}

bool inode_is_append_only(const struct inode *i)
{
	return i->flags & FS_APPEND_FL;
}

uint32_t inode_xflags(const struct inode *i)
{
	return (i->flags & FS_IMMUTABLE_FL ? FS_XFLAG_IMMUTABLE : 0u) |
	       (i->flags & FS_APPEND_FL ? FS_XFLAG_APPEND : 0u) |
	       (i->flags & FS_NODUMP_FL ? FS_XFLAG_NODUMP : 0u) |
	       (i->flags & FS_NOATIME_FL ? FS_XFLAG_NOATIME : 0u);
}

void inode_getattr(struct inode *i, struct kstat *st)
{
	st->ino = i->ino;
	st->size = atomic_load_explicit(&i->size, memory_order_relaxed);
	st->blocks = i->counts_pages
			     ? atomic_load_explicit(&i->object.npages, memory_order_relaxed) *
				       (PAGE_SIZE / 512)
			     : atomic_load_explicit(&i->blocks, memory_order_relaxed);
	st->mode = i->mode;
	st->nlink = i->nlink;
	st->uid = i->uid;
	st->gid = i->gid;
	st->blksize = i->sb->blocksize;
	st->dev = i->sb->dev;
	st->rdev = i->rdev;
	st->atime = i->atime;
	st->mtime = i->mtime;
	st->ctime = i->ctime;
	st->btime = i->sb->has_flags ? i->btime : -1;
	st->attributes_mask = STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;
	if (i->sb->has_flags)
		st->attributes_mask |= STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
	st->attributes = 0;
	if (UNLIKELY(i->flags)) {
		st->attributes |= inode_is_immutable(i) ? STATX_ATTR_IMMUTABLE : 0;
		st->attributes |= inode_is_append_only(i) ? STATX_ATTR_APPEND : 0;
		st->attributes |= i->flags & FS_NODUMP_FL ? STATX_ATTR_NODUMP : 0;
	}
}

void inode_setattr(struct inode *i, const struct setattr *a)
{
	nsec_t now = clock_real();

	if (a->valid & SET_UID)
		i->uid = a->uid;
	if (a->valid & SET_GID)
		i->gid = a->gid;
	if (a->valid & SET_MODE)
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & SET_ATIME)
		i->atime = a->atime;
	else if (a->valid & SET_ATIME_NOW)
		i->atime = now;
	if (a->valid & SET_MTIME)
		i->mtime = a->mtime;
	else if (a->valid & (SET_MTIME_NOW | SET_SIZE))
		i->mtime = now;
	i->ctime = now;
}

void inode_touch_mtime(struct inode *i)
{
	i->mtime = i->ctime = clock_real();
}

void inode_touch_atime(struct inode *i, unsigned mount_flags)
{
	nsec_t atime = i->atime, now;

	if ((mount_flags | i->sb->flags) & (MS_NOATIME | MS_RDONLY))
		return;
	if (mount_flags & MS_NODIRATIME && S_ISDIR(i->mode))
		return;
	now = clock_real();
	if (mount_flags & MS_RELATIME && atime > i->mtime && atime > i->ctime &&
	    now - atime < 24 * 3600 * NSEC_PER_SEC)
		return;
	i->atime = now;
}

/* Moves nwriters one away from zero in the direction of `step`, unless it lies on the other side.
 */
static int writers_move(struct inode *i, int32_t step)
{
	uint32_t n = atomic_load_explicit(&i->nwriters, memory_order_relaxed);

	do {
		if ((int64_t)(int32_t)n * step < 0)
			return -ETXTBSY;
	} while (!atomic_compare_exchange_weak_explicit(
		&i->nwriters, &n, n + (uint32_t)step, memory_order_acquire, memory_order_relaxed));
	return 0;
}

int inode_deny_write(struct inode *i)
{
	return writers_move(i, -1);
}

void inode_allow_write(struct inode *i)
{
	atomic_fetch_add_explicit(&i->nwriters, 1, memory_order_release);
}

int inode_get_write(struct inode *i)
{
	return writers_move(i, 1);
}

void inode_put_write(struct inode *i)
{
	atomic_fetch_sub_explicit(&i->nwriters, 1, memory_order_release);
}
