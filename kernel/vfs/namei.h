#pragma once

/*
 * Operations on names, with permission checks, for kernel path names (sys copies them in; boot and
 * the initramfs use them directly). Each returns 0 or -errno of its manual page. They take MOUNT,
 * RENAME and INODE locks.
 */

#include "lib/types.h"
#include "vfs/walk.h"

struct abi_statfs;

MUST_CHECK int vfs_mknod(int dirfd, const char *name, uint32_t mode, uint64_t rdev);
MUST_CHECK int vfs_mkdir(int dirfd, const char *name, uint32_t mode);
MUST_CHECK int vfs_symlink(const char *target, int dirfd, const char *name);
MUST_CHECK int vfs_link(const struct path *from, int dirfd, const char *name);
MUST_CHECK int vfs_unlink(int dirfd, const char *name);
/* From a directory (borrowed) that the kernel has at hand. */
MUST_CHECK int vfs_unlink_from(const struct path *start, const char *name);
MUST_CHECK int vfs_rmdir(int dirfd, const char *name);
MUST_CHECK int vfs_rename(int odirfd, const char *oname, int ndirfd, const char *nname,
			  unsigned flags);
MUST_CHECK int vfs_setattr(const struct path *p, struct setattr *a); /* checks, takes the lock */
MUST_CHECK int vfs_truncate(struct inode *i, uint64_t size,
			    const struct path *p); /* of an open or named file */
MUST_CHECK int vfs_getattr(const struct path *p, struct kstat *st);
MUST_CHECK ssize64_t vfs_readlink(const struct path *p, char *buf,
				  size_t size); /* cut, not terminated */
MUST_CHECK int vfs_permission(const struct path *p, const struct cred *c, unsigned mask);

/* Device numbers, FIFOs and sockets bound to a name: the inode made, counted (unix sockets). */
MUST_CHECK int vfs_mknod_inode(int dirfd, const char *name, uint32_t mode, uint64_t rdev,
			       struct path *out);
/* chmod, chown and utimes on an inode whose mount is known: the checks of vfs_setattr(). */
MUST_CHECK int vfs_statfs(const struct path *p, struct abi_statfs *out);

/* FS_IOC_SETFLAGS: FS_IMMUTABLE_FL and others, in place of those there are. -EACCES not the owner;
 * -EPERM without CAP_LINUX_IMMUTABLE; -EOPNOTSUPP a flag that is not kept; -EROFS. */
MUST_CHECK int vfs_set_flags(const struct path *p, uint32_t flags);
