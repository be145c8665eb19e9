/*
 * The rules of the name spaces, xattr(7): user.* on regular files and directories, by the mode
 * bits, and in sticky directories by the owner alone; trusted.* for CAP_SYS_ADMIN, and invisible to
 * others; security.* read by all, set with CAP_SYS_ADMIN, file capabilities with CAP_SETFCAP.
 */

#include "vfs/xattr.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/xattr.h"
#include "lib/string.h"
#include "vfs/acl.h"
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
	if (acl_is_name(name) && i->sb->has_acls)
		return 0; /* who may set them, acl.c decides */
	return -EOPNOTSUPP;
}

void inode_drop_caps(struct inode *i)
{
	int err = i->ops->removexattr(i, XATTR_NAME_CAPS);

	(void)err; /* there is nothing to allocate */
	i->has_caps = false;
}

/* The value of security.capability: version 2, or 3 with a root id. -EINVAL. */
static int check_caps(const void *value, size_t size)
{
	const struct abi_vfs_ns_cap_data *d = value;
	uint32_t version;

	if (size < sizeof(uint32_t))
		return -EINVAL;
	version = d->magic_etc & VFS_CAP_REVISION_MASK;
	if (size == sizeof(struct abi_vfs_cap_data) && version == VFS_CAP_REVISION_2)
		return 0;
	return size == sizeof(*d) && version == VFS_CAP_REVISION_3 ? 0 : -EINVAL;
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
	n = acl_is_name(name) ? acl_getxattr(i, name, buf, size)
			      : i->ops->getxattr(i, name, buf, size);
	read_unlock(&i->lock);
	return n;
}

int vfs_setxattr(const struct path *p, const char *name, const void *value, size_t size, int flags)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = mount_want_write(p->mnt);
	bool caps;

	if (err || (err = xattr_permission(i, name, true)))
		return err;
	if (i->ops->setxattr == NULL)
		return -EOPNOTSUPP;
	caps = str_eq(name, XATTR_NAME_CAPS);
	if (caps && (err = check_caps(value, size)))
		return err;
	write_lock(&i->lock);
	err = acl_is_name(name) ? acl_setxattr(i, name, value, size)
				: i->ops->setxattr(i, name, value, size, flags);
	if (caps && !err)
		i->has_caps = true;
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
	if (n >= 0)
		n = acl_listxattr(i, buf, size, (size_t)n);
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
	err = acl_is_name(name) ? acl_setxattr(i, name, NULL, 0) : i->ops->removexattr(i, name);
	if (!err && str_eq(name, XATTR_NAME_CAPS))
		i->has_caps = false;
	write_unlock(&i->lock);
	if (!err)
		fsnotify_path(p, IN_ATTRIB);
	return err;
}

bool inode_get_caps(struct inode *i, struct file_caps *out)
{
	struct abi_vfs_ns_cap_data d;
	ssize64_t n;

	if (LIKELY(!i->has_caps))
		return false;
	read_lock(&i->lock);
	n = i->ops->getxattr(i, XATTR_NAME_CAPS, &d, sizeof(d));
	read_unlock(&i->lock);
	/* Those with another root id are for its user namespace. */
	if (n != sizeof(struct abi_vfs_cap_data) && !(n == sizeof(d) && d.rootid == 0))
		return false;
	out->permitted = d.data[0].permitted | (uint64_t)d.data[1].permitted << 32;
	out->inheritable = d.data[0].inheritable | (uint64_t)d.data[1].inheritable << 32;
	out->effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	return true;
}
