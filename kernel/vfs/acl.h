#pragma once

/*
 * POSIX access control lists, acl(5). A list is immutable; an inode has up to two (inode->acl for
 * access, inode->default_acl of directories), replaced as a whole under the inode's lock, read
 * under an epoch. What the three classes of the mode can say is not kept as a list.
 */

#include "lib/types.h"

struct acl;
struct cred;
struct inode;

/* What the list says of `want` (PERM_*): 0, or -EACCES; capabilities are the caller's. Under an
 * epoch or the inode's lock. */
MUST_CHECK int acl_permission(const struct acl *a, const struct cred *c, const struct inode *i,
			      unsigned want);

/* The extended attribute form, of an inode whose file system has lists; inode->lock held for
 * reading or writing. name: one of XATTR_NAME_POSIX_ACL_*. Errors as of the xattr methods. */
bool acl_is_name(const char *name);
MUST_CHECK ssize64_t acl_getxattr(struct inode *i, const char *name, void *buf, size_t size);
MUST_CHECK int acl_setxattr(struct inode *i, const char *name, const void *value, size_t size);
/* The names of the lists that i has, as listxattr(2) gives them, from `n` on. -ERANGE. */
MUST_CHECK ssize64_t acl_listxattr(struct inode *i, char *buf, size_t size, size_t n);

/* The mode has changed: the access list follows. -ENOMEM. inode->lock held for writing. */
MUST_CHECK int acl_chmod(struct inode *i);
/* i was just made in dir, which has a default list: both lists and the mode of i. -ENOMEM. */
MUST_CHECK int acl_inherit(const struct inode *dir, struct inode *i);
void acl_free_inode(struct inode *i); /* it goes */
