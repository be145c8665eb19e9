/*
 * Making and removing names. All take the same road: walk to the parent, lock it, look the last
 * component up, check, and call the file system, which attaches an inode to the negative dentry or
 * takes the entry away. Errors come in Linux's order: EEXIST before EROFS before EACCES.
 */

#include "vfs/namei.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mount.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/fdtable.h"
#include "vfs/inotify.h"
#include "vfs/vfs_priv.h"
#include "vfs/xattr.h"

int may_create_in(const struct cred *c, struct inode *dir)
{
	return inode_permission(c, dir, PERM_WRITE | PERM_EXEC);
}

/* Sticky directories: the owner of the entry, of the directory, or CAP_FOWNER. */
static bool is_sticky_for(const struct cred *c, const struct inode *dir, const struct inode *i)
{
	return dir->mode & S_ISVTX && i->uid != c->fsuid && dir->uid != c->fsuid &&
	       !cred_has_cap(c, CAP_FOWNER);
}

int may_delete(const struct cred *c, struct inode *dir, struct dentry *victim, bool is_dir)
{
	struct inode *i = dentry_inode(victim);
	int err = inode_permission(c, dir, PERM_WRITE | PERM_EXEC);

	if (err)
		return err;
	if (inode_is_append_only(dir) || inode_is_append_only(i) || inode_is_immutable(i) ||
	    is_sticky_for(c, dir, i))
		return -EPERM;
	if (is_dir && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (!is_dir && S_ISDIR(i->mode))
		return -EISDIR;
	return 0;
}

/* Walks to the parent of a name of which the last component is to be changed. at->path counted. */
static int parent_of(int dirfd, const char *name, struct walk_result *at)
{
	const struct path *start;
	struct fdref hold;
	int err = walk_start(dirfd, name, 0, &hold, &start);

	if (err)
		return err;
	err = walk_run(start, name, 0, true, at);
	fdref_put(hold);
	return err;
}

/* Locks the parent and looks the last component up, for a name that is to be new. On success the
 * directory is locked and *d counted and negative. */
static int begin_create(const struct walk_result *at, bool is_dir, struct dentry **out) NO_TSA
{
	struct inode *dir = dentry_inode(at->path.dentry);
	struct dentry *d = NULL;
	int err;

	if (at->last_kind != RESOLVE_LAST_NAME)
		return -EEXIST;
	write_lock(&dir->lock);
	err = dentry_lookup_hashed(at->path.dentry, at->last, at->last_len, at->last_hash, &d);
	if (!err) {
		if (dentry_inode(d) != NULL)
			err = -EEXIST;
		else if (at->slash && !is_dir)
			err = -ENOENT;
		else if (!(err = mount_want_write(at->path.mnt)))
			err = may_create_in(current_cred(), dir);
	}
	if (!err) {
		*out = d;
		return 0;
	}
	write_unlock(&dir->lock);
	if (d != NULL)
		dentry_put(d);
	return err;
}

static void end_create(const struct walk_result *at, struct dentry *d, int err, uint32_t mask)
	NO_TSA
{
	struct inode *dir = dentry_inode(at->path.dentry);

	if (!err)
		fsnotify(dir, mask, d->name); /* the lock keeps the name */
	write_unlock(&dir->lock);
	dentry_put(d);
}

static int do_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev)
{
	uint32_t type = mode & S_IFMT;

	if ((type == S_IFCHR || type == S_IFBLK) && !capable(CAP_MKNOD) &&
	    !(type == S_IFCHR && rdev == 0))
		return -EPERM;
	if (type == S_IFREG)
		return dir->ops->create ? dir->ops->create(dir, d, mode) : -EACCES;
	return dir->ops->mknod ? dir->ops->mknod(dir, d, mode, rdev) : -EPERM;
}

static int mknod_at(int dirfd, const char *name, uint32_t mode, uint64_t rdev, struct path *out)
{
	struct walk_result at;
	struct dentry *d;
	int err;

	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	if ((err = parent_of(dirfd, name, &at)))
		return err;
	if (!(err = begin_create(&at, false, &d))) {
		mode = create_mode(dentry_inode(at.path.dentry), mode);
		err = do_mknod(dentry_inode(at.path.dentry), d, mode, rdev);
		if (!err && out != NULL) {
			*out = (struct path){ at.path.mnt, d };
			path_get(out);
		}
		end_create(&at, d, err, IN_CREATE);
	}
	path_put(&at.path);
	return err;
}

int vfs_mknod(int dirfd, const char *name, uint32_t mode, uint64_t rdev)
{
	return mknod_at(dirfd, name, mode, rdev, NULL);
}

int vfs_mknod_inode(int dirfd, const char *name, uint32_t mode, uint64_t rdev, struct path *out)
{
	return mknod_at(dirfd, name, mode, rdev, out);
}

int vfs_mkdir(int dirfd, const char *name, uint32_t mode)
{
	struct walk_result at;
	struct inode *dir;
	struct dentry *d;
	int err;

	if ((err = parent_of(dirfd, name, &at)))
		return err;
	dir = dentry_inode(at.path.dentry);
	if (!(err = begin_create(&at, true, &d))) {
		mode = S_IFDIR | create_mode(dir, mode & 01777);
		err = dir->ops->mkdir ? dir->ops->mkdir(dir, d, mode) : -EPERM;
		end_create(&at, d, err, IN_CREATE | IN_ISDIR);
	}
	path_put(&at.path);
	return err;
}

int vfs_symlink(const char *target, int dirfd, const char *name)
{
	struct walk_result at;
	struct inode *dir;
	struct dentry *d;
	int err;

	if (*target == '\0')
		return -ENOENT;
	if (strlen(target) >= PATH_MAX)
		return -ENAMETOOLONG;
	if ((err = parent_of(dirfd, name, &at)))
		return err;
	dir = dentry_inode(at.path.dentry);
	if (!(err = begin_create(&at, false, &d))) {
		err = dir->ops->symlink ? dir->ops->symlink(dir, d, target) : -EPERM;
		end_create(&at, d, err, IN_CREATE);
	}
	path_put(&at.path);
	return err;
}

/* proc(5), fs.protected_hardlinks: others' files only when they are harmless and one could use them
 * anyway. */
static int may_link(const struct cred *c, struct inode *i)
{
	if (!vfs_protected_hardlinks || inode_owner_or_capable(c, i))
		return 0;
	if (!S_ISREG(i->mode) || i->mode & S_ISUID ||
	    (i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(c, i, PERM_READ | PERM_WRITE) ? -EPERM : 0;
}

static int do_link(struct inode *dir, struct dentry *d, struct inode *i)
{
	int err;

	if (inode_is_append_only(i) || inode_is_immutable(i))
		return -EPERM;
	if (dir->ops->link == NULL || S_ISDIR(i->mode))
		return -EPERM;
	inode_lock_nested(i); /* not a directory: below any */
	if (i->nlink == 0 && !i->linkable) {
		err = -ENOENT;
	} else {
		err = dir->ops->link(dir, d, i);
		if (!err)
			i->linkable = false;
	}
	write_unlock(&i->lock);
	return err;
}

int vfs_link(const struct path *from, int dirfd, const char *name)
{
	struct inode *i = dentry_inode(from->dentry);
	struct walk_result at;
	struct dentry *d;
	int err;

	if ((err = parent_of(dirfd, name, &at)))
		return err;
	if (!(err = begin_create(&at, false, &d))) {
		if (at.path.mnt != from->mnt || at.path.mnt->sb != i->sb)
			err = -EXDEV;
		else if (!(err = may_link(current_cred(), i)))
			err = do_link(dentry_inode(at.path.dentry), d, i);
		if (!err)
			fsnotify(i, IN_ATTRIB, NULL);
		end_create(&at, d, err, IN_CREATE);
	}
	path_put(&at.path);
	return err;
}

static int remove_locked(const struct walk_result *at, struct dentry *d, bool is_dir)
{
	struct inode *dir = dentry_inode(at->path.dentry), *i = dentry_inode(d);
	int err = mount_want_write(at->path.mnt);

	if (err)
		return err;
	if (i == NULL)
		return -ENOENT;
	if (at->slash && !is_dir)
		return S_ISDIR(i->mode) ? -EISDIR : -ENOTDIR;
	if ((err = may_delete(current_cred(), dir, d, is_dir)))
		return err;
	if (atomic_load(&d->flags) & DENTRY_MOUNTED)
		return -EBUSY;
	if ((is_dir ? dir->ops->rmdir : dir->ops->unlink) == NULL)
		return -EPERM;
	inode_lock_nested(i);
	err = is_dir ? dir->ops->rmdir(dir, d) : dir->ops->unlink(dir, d);
	if (!err && is_dir)
		atomic_fetch_or(&d->flags, DENTRY_DEAD);
	write_unlock(&i->lock);
	if (err)
		return err;
	if (is_dir)
		dentry_shrink_children(d);
	dentry_delete(d);
	return 0;
}

/* Marks hold the inode: unless the file is open, it is gone now. */
static void notify_removed(struct inode *dir, struct inode *i, const struct walk_result *at,
			   bool in_use)
{
	uint32_t is_dir = S_ISDIR(i->mode) ? IN_ISDIR : 0;
	char *name;

	if (LIKELY(atomic_load(&dir->marks) == NULL && atomic_load(&i->marks) == NULL))
		return;
	if (!is_dir) /* its count of links is an attribute */
		fsnotify(i, IN_ATTRIB, NULL);
	if ((i->nlink == 0 || is_dir) && !in_use && atomic_load(&i->marks) != NULL)
		fsnotify_inode_gone(i, IN_DELETE_SELF);
	name = kmalloc(at->last_len + 1);
	if (name != NULL) {
		memcpy(name, at->last, at->last_len);
		name[at->last_len] = '\0';
		fsnotify(dir, IN_DELETE | is_dir, name);
		kfree(name);
	}
}

/* What was found as the last of a walk, whose result is used up. */
static int remove_found(struct walk_result at, bool is_dir)
{
	struct inode *dir, *i = NULL;
	struct dentry *d = NULL;
	int err;

	if (at.last_kind != RESOLVE_LAST_NAME) {
		static const int rmdir_errs[] = { [RESOLVE_LAST_DOT] = -EINVAL,
						  [RESOLVE_LAST_DOTDOT] = -ENOTEMPTY,
						  [RESOLVE_LAST_ROOT] = -EBUSY };

		path_put(&at.path);
		return is_dir ? rmdir_errs[at.last_kind] : -EISDIR;
	}
	dir = dentry_inode(at.path.dentry);
	write_lock(&dir->lock);
	err = dentry_lookup_hashed(at.path.dentry, at.last, at.last_len, at.last_hash, &d);
	if (!err) {
		i = dentry_inode(d);
		if (i != NULL)
			inode_get(i); /* its end, which may take long, comes after the lock */
		err = remove_locked(&at, d, is_dir);
	}
	write_unlock(&dir->lock);
	if (!err)
		notify_removed(dir, i, &at, dentry_inode(d) != NULL && atomic_load(&d->ref) > 1);
	if (d != NULL)
		dentry_put(d);
	if (i != NULL)
		inode_put(i);
	path_put(&at.path);
	return err;
}

static int remove_at(int dirfd, const char *name, bool is_dir)
{
	struct walk_result at;
	int err = parent_of(dirfd, name, &at);

	return err ? err : remove_found(at, is_dir);
}

int vfs_unlink_from(const struct path *start, const char *name)
{
	struct walk_result at;
	int err = walk_run(start, name, 0, true, &at);

	return err ? err : remove_found(at, false);
}

int vfs_unlink(int dirfd, const char *name)
{
	return remove_at(dirfd, name, false);
}

int vfs_rmdir(int dirfd, const char *name)
{
	return remove_at(dirfd, name, true);
}

int vfs_truncate(struct inode *i, uint64_t size, const struct path *p)
{
	struct setattr a = { .valid = SET_SIZE, .size = size };
	int err;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	if (inode_is_append_only(i) || inode_is_immutable(i))
		return -EPERM;
	if (size > atomic_load(&i->size) && size > vfs_fsize_limit()) {
		vfs_signal_fsize();
		return -EFBIG;
	}
	if (size > i->sb->max_bytes)
		return -EFBIG;
	if ((err = mount_want_write(p->mnt)))
		return err;
	if (!cred_has_cap(current_cred(), CAP_FSETID))
		a.valid |= SET_KILL_PRIV;
	write_lock(&i->lock);
	err = setattr_prepare(current_cred(), i, &a);
	if (!err)
		err = i->ops->setattr ? i->ops->setattr(i, &a) : -EPERM;
	if (!err && UNLIKELY(i->has_caps))
		inode_drop_caps(i);
	write_unlock(&i->lock);
	if (!err)
		fsnotify_path(p, IN_MODIFY);
	return err;
}

int vfs_getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = dentry_inode(p->dentry);

	if (LIKELY(i->ops->getattr == NULL)) {
		inode_getattr(i, st);
	} else {
		int err = i->ops->getattr(i, st);

		if (err)
			return err;
	}
	st->mnt_id = (uint64_t)p->mnt->id;
	st->attributes_mask |= STATX_ATTR_MOUNT_ROOT;
	if (p->dentry == p->mnt->root)
		st->attributes |= STATX_ATTR_MOUNT_ROOT;
	return 0;
}

/* A magic link's text is the name of where it leads. */
static ssize64_t readlink_jump(struct path *jump, char *buf, size_t size)
{
	char *text = kmalloc(PATH_MAX_BYTES), *name;
	ssize64_t n = -ENOMEM;
	struct path root;

	if (text != NULL) {
		current_root(&root);
		name = path_format(jump, &root, text, PATH_MAX_BYTES);
		path_put(&root);
		n = -ENAMETOOLONG;
		if (name != NULL) {
			n = (ssize64_t)MIN(strlen(name), size);
			memcpy(buf, name, (size_t)n);
		}
		kfree(text);
	}
	path_put(jump);
	return n;
}

ssize64_t vfs_readlink(const struct path *p, char *buf, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);
	struct path jump = { NULL, NULL };
	const char *text = i->link;
	char *to_free = NULL;
	ssize64_t n;

	if (!S_ISLNK(i->mode))
		return -EINVAL;
	inode_touch_atime(i, p->mnt->flags);
	if (text == NULL) {
		if (i->ops->get_link == NULL)
			return -EINVAL;
		if ((n = i->ops->get_link(i, &text, &to_free, &jump)))
			return n;
		if (jump.dentry != NULL && text == NULL)
			return readlink_jump(&jump, buf, size);
		if (jump.dentry != NULL)
			path_put(&jump); /* a file with a name of its own, such as "pipe:[7]" */
	}
	n = (ssize64_t)MIN(strlen(text), size);
	memcpy(buf, text, (size_t)n);
	kfree(to_free);
	return n;
}
