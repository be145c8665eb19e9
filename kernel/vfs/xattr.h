#pragma once

/* Extended attributes by path: name spaces, permissions (xattr(7)), then the file system's methods.
 */

#include "lib/types.h"
#include "vfs/walk.h"

/*
 * getxattr(2) and its family on a place that is known.
 *   name         kernel string of 1 … 255 bytes
 *   size         0: only the length is asked for
 *   returns      length or 0; -EOPNOTSUPP; -ENODATA; -ERANGE; -EPERM; -EACCES; -EEXIST; -ENOSPC;
 * -EROFS
 */
MUST_CHECK ssize64_t vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size);
MUST_CHECK int vfs_setxattr(const struct path *p, const char *name, const void *value, size_t size,
			    int flags);
MUST_CHECK ssize64_t vfs_listxattr(const struct path *p, char *buf, size_t size);
MUST_CHECK int vfs_removexattr(const struct path *p, const char *name);

/* The inode is written to or changes hands: its security.capability goes. inode->lock held for
 * writing. */
struct inode;
void inode_drop_caps(struct inode *i);

/* The file capabilities of what is to be executed. False: none that are valid. */
struct file_caps {
	uint64_t permitted, inheritable;
	bool effective;
};
MUST_CHECK bool inode_get_caps(struct inode *i, struct file_caps *out);
