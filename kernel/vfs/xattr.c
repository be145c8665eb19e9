/*
 * The rules of the name spaces, xattr(7): user.* on regular files and directories, by the mode
 * bits, and in sticky directories by the owner alone; trusted.* for CAP_SYS_ADMIN, and invisible to
 * others; security.* read by all, set with CAP_SYS_ADMIN, file capabilities with CAP_SETFCAP.
 */

#include "vfs/xattr.h"

#include "abi/errno.h"
#include "abi/xattr.h"
#include "lib/string.h"
#include "vfs/vfs_priv.h"

static int user_permission(const struct cred *c, struct inode *i, bool write)
{
	if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return write ? -EPERM : -ENODATA;
	if (write && S_ISDIR(i->mode) && i->mode & S_ISVTX && !inode_owner_or_capable(c, i))
		return -EPERM;
	return inode_permission(c, i, write ? PERM_WRITE : PERM_READ);
}

static int xattr_permission(struct inode *i, const char *name, bool write)
{
	const struct cred *c = current_cred();

	if (write && (inode_is_immutable(i) || inode_is_append_only(i)))
		return -EPERM;
	if (str_starts(name, XATTR_USER_PREFIX))
		return user_permission(c, i, write);
	if (str_starts(name, XATTR_TRUSTED_PREFIX)) {
		if (cred_has_cap(c, CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (str_starts(name, XATTR_SECURITY_PREFIX)) {
		unsigned cap = str_eq(name, XATTR_NAME_CAPS) ? CAP_SETFCAP : CAP_SYS_ADMIN;

		return !write || cred_has_cap(c, cap) ? 0 : -EPERM;
	}
	return -EOPNOTSUPP; /* system.*: ACLs are not supported; and unknown spaces */
}

ssize64_t vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);
	ssize64_t n = xattr_permission(i, name, false);

	if (n)
		return n;
	if (i->ops->getxattr == NULL)
		return -EOPNOTSUPP;
	read_lock(&i->lock);
	n = i->ops->getxattr(i, name, buf, size);
	read_unlock(&i->lock);
	return n;
}

int vfs_setxattr(const struct path *p, const char *name, const void *value, size_t size, int flags)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = mount_want_write(p->mnt);

	if (err || (err = xattr_permission(i, name, true)))
		return err;
	if (i->ops->setxattr == NULL)
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	err = i->ops->setxattr(i, name, value, size, flags);
	write_unlock(&i->lock);
	if (!err)
		fsnotify_path(p, IN_ATTRIB);
	return err;
}

ssize64_t vfs_listxattr(const struct path *p, char *buf, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);

	ssize64_t n;

	if (i->ops->listxattr == NULL)
		return 0;
	read_lock(&i->lock);
	n = i->ops->listxattr(i, buf, size);
	read_unlock(&i->lock);
	return n;
}

int vfs_removexattr(const struct path *p, const char *name)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = mount_want_write(p->mnt);

	if (err || (err = xattr_permission(i, name, true)))
		return err;
	if (i->ops->removexattr == NULL)
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	err = i->ops->removexattr(i, name);
	write_unlock(&i->lock);
	if (!err)
		fsnotify_path(p, IN_ATTRIB);
	return err;
}
