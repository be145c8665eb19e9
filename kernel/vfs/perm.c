/*
 * Who may do what to an inode. The file system's user and group (fsuid, fsgid) and the effective
 * capabilities of the given credentials decide, as credentials(7), path_resolution(7) and
 * capabilities(7) say. One class of mode bits applies: the owner's, else the group's, else the
 * others'.
 */

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/mount.h"
#include "core/clock.h"
#include "vfs/acl.h"
#include "vfs/namei.h"
#include "vfs/vfs_priv.h"
#include "vfs/xattr.h"

static NOINLINE bool list_permits(const struct cred *c, const struct inode *i, unsigned want)
{
	const struct acl *a;
	bool may;

	epoch_enter();
	a = atomic_load_explicit(&i->acl, memory_order_acquire);
	may = a == NULL || acl_permission(a, c, i, want) == 0;
	epoch_exit();
	return may;
}

int inode_mode_permission(const struct cred *c, const struct inode *i, unsigned mask)
{
	unsigned want = mask & (PERM_READ | PERM_WRITE | PERM_EXEC);
	uint32_t mode = i->mode;

	if (UNLIKELY(atomic_load_explicit(&i->acl, memory_order_relaxed) != NULL)) {
		if (list_permits(c, i, want))
			return 0;
		goto capabilities;
	}
	/* What all three classes may, anybody may. */
	if (LIKELY(!(want & ~(mode & mode >> 3 & mode >> 6))))
		return 0;
	if (i->uid == c->fsuid)
		mode >>= 6;
	else if (((mode >> 3 ^ mode) & want) && cred_in_group(c, i->gid))
		mode >>= 3;
	if ((mode & want) == want)
		return 0;
capabilities:
	if (S_ISDIR(i->mode)) {
		if (!(want & PERM_WRITE) && cred_has_cap(c, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_has_cap(c, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (want == PERM_READ && cred_has_cap(c, CAP_DAC_READ_SEARCH))
		return 0;
	/* Even root executes only what somebody may execute. */
	if ((!(want & PERM_EXEC) || i->mode & 0111) && cred_has_cap(c, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int inode_permission(const struct cred *c, struct inode *i, unsigned mask)
{
	if (mask & PERM_WRITE) {
		if (i->sb->flags & MS_RDONLY &&
		    (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
			return -EROFS;
		if (UNLIKELY(inode_is_immutable(i)))
			return -EPERM;
	}
	if (UNLIKELY(i->ops->permission != NULL))
		return i->ops->permission(i, mask);
	return inode_mode_permission(c, i, mask);
}

bool inode_owner_or_capable(const struct cred *c, const struct inode *i)
{
	return i->uid == c->fsuid || cred_has_cap(c, CAP_FOWNER);
}

int mount_want_write(const struct mount *m)
{
	return (m->flags | m->sb->flags) & MS_RDONLY ? -EROFS : 0;
}

int vfs_permission(const struct path *p, const struct cred *c, unsigned mask)
{
	struct inode *i = dentry_inode(p->dentry);

	if (mask & PERM_EXEC && S_ISREG(i->mode) && p->mnt->flags & MS_NOEXEC)
		return -EACCES;
	if (mask & PERM_WRITE && p->mnt->flags & MS_RDONLY &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode)))
		return -EROFS;
	return inode_permission(c, i, mask);
}

static int check_owner_change(const struct cred *c, const struct inode *i, const struct setattr *a)
{
	bool owner = i->uid == c->fsuid, chown = cred_has_cap(c, CAP_CHOWN);

	if (a->valid & SET_UID && !chown && !(owner && a->uid == i->uid))
		return -EPERM;
	if (a->valid & SET_GID && !chown &&
	    !(owner && (a->gid == i->gid || cred_in_group(c, a->gid))))
		return -EPERM;
	return 0;
}

static int check_times(const struct cred *c, struct inode *i, const struct setattr *a)
{
	if (a->valid & (SET_ATIME | SET_MTIME)) {
		if (inode_is_immutable(i) || inode_is_append_only(i))
			return -EPERM;
		return inode_owner_or_capable(c, i) ? 0 : -EPERM;
	}
	if (!(a->valid & (SET_ATIME_NOW | SET_MTIME_NOW)) || a->valid & SET_SIZE)
		return 0;
	/* One to be set to now and the other left alone is for the owner only, both for those who
	 * may write. */
	if (!(a->valid & SET_ATIME_NOW) || !(a->valid & SET_MTIME_NOW))
		return inode_owner_or_capable(c, i) ? 0 : -EPERM;
	if (inode_is_immutable(i))
		return -EPERM;
	return inode_owner_or_capable(c, i) ? 0 : inode_permission(c, i, PERM_WRITE);
}

/* Set-group-id goes with group execution, and else when the caller has nothing to do with the
 * group. */
static bool sgid_must_go(const struct cred *c, const struct inode *i, uint32_t mode)
{
	if (!(mode & S_ISGID))
		return false;
	return mode & S_IXGRP || !(cred_in_group(c, i->gid) || cred_has_cap(c, CAP_FSETID));
}

/* Whoever changes the owner must be allowed to change the mode; who writes or truncates need not.
 */
static int drop_set_id(const struct cred *c, struct inode *i, struct setattr *a)
{
	uint32_t mode = a->valid & SET_MODE ? a->mode : i->mode & 07777;
	uint32_t kept = mode & ~(uint32_t)S_ISUID;

	if (sgid_must_go(c, i, mode))
		kept &= ~(uint32_t)S_ISGID;
	if (kept == mode)
		return 0;
	if (!(a->valid & SET_SIZE) && !inode_owner_or_capable(c, i) && !cred_has_cap(c, CAP_CHOWN))
		return -EPERM;
	a->mode = kept;
	a->valid |= SET_MODE;
	return 0;
}

int setattr_prepare(const struct cred *c, struct inode *i, struct setattr *a)
{
	uint32_t gid = a->valid & SET_GID ? a->gid : i->gid;
	int err;

	if (a->valid & (SET_MODE | SET_UID | SET_GID) &&
	    (inode_is_immutable(i) || inode_is_append_only(i)))
		return -EPERM;
	if ((err = check_owner_change(c, i, a)) || (err = check_times(c, i, a)))
		return err;
	if (a->valid & SET_MODE) {
		if (!inode_owner_or_capable(c, i))
			return -EPERM;
		a->mode &= 07777;
		if (!cred_in_group(c, gid) && !cred_has_cap(c, CAP_FSETID))
			a->mode &= ~(uint32_t)S_ISGID;
	}
	if (a->valid & SET_KILL_PRIV && !S_ISDIR(i->mode) && i->mode & (S_ISUID | S_ISGID))
		return drop_set_id(c, i, a);
	return 0;
}

int vfs_setattr(const struct path *p, struct setattr *a)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	if (a->valid & SET_MODE && S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	err = setattr_prepare(current_cred(), i, a);
	if (!err) {
		if (i->ops->setattr)
			err = i->ops->setattr(i, a);
		else
			inode_setattr(i, a);
		if (!err && a->valid & SET_MODE)
			err = acl_chmod(i);
		if (!err && a->valid & (SET_UID | SET_GID) && UNLIKELY(i->has_caps))
			inode_drop_caps(i);
	}
	write_unlock(&i->lock);
	if (!err)
		fsnotify_path(p, IN_ATTRIB);
	return err;
}

int vfs_set_flags(const struct path *p, uint32_t flags)
{
	const uint32_t settable = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL;
	struct inode *i = dentry_inode(p->dentry);
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	if (flags & ~settable)
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	if (!inode_owner_or_capable(current_cred(), i))
		err = -EPERM;
	else if ((flags ^ i->flags) & (FS_IMMUTABLE_FL | FS_APPEND_FL) &&
		 !capable(CAP_LINUX_IMMUTABLE))
		err = -EPERM;
	if (!err) {
		i->flags = flags;
		i->ctime = clock_real();
	}
	write_unlock(&i->lock);
	return err;
}
