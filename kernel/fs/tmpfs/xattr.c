/* Extended attributes in memory: a list per inode. Permissions have been checked (vfs/xattr.c);
 * locks are held. */

#include "abi/errno.h"
#include "abi/xattr.h"
#include "core/clock.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "lib/string.h"
#include "pmm/slab.h"

enum {
	XATTR_TOTAL_MAX = 256 * 1024
}; /* bytes of names and values per inode: they are kernel memory */

struct xattr {
	struct list node;
	size_t size;
	uint8_t *value; /* behind the name */
	char name[];
};

static struct xattr *find(struct tmpfs_inode *t, const char *name)
{
	struct xattr *x;

	list_for_each (x, &t->xattrs, node)
		if (str_eq(x->name, name))
			return x;
	return NULL;
}

static size_t weight(const struct xattr *x)
{
	return sizeof(*x) + strlen(x->name) + 1 + x->size;
}

ssize64_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	const struct xattr *x = find(tmpfs_i(i), name);

	if (x == NULL)
		return -ENODATA;
	if (size == 0)
		return (ssize64_t)x->size;
	if (x->size > size)
		return -ERANGE;
	memcpy(buf, x->value, x->size);
	return (ssize64_t)x->size;
}

static struct xattr *xattr_alloc(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name) + 1;
	struct xattr *x = kmalloc(sizeof(*x) + len + size);

	if (x == NULL)
		return NULL;
	memcpy(x->name, name, len);
	x->value = (uint8_t *)x->name + len;
	x->size = size;
	memcpy(x->value, value, size);
	return x;
}

static void unlink_xattr(struct tmpfs_inode *t, struct xattr *x)
{
	t->xattr_bytes -= weight(x);
	list_remove(&x->node);
	kfree(x);
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags)
{
	struct tmpfs_inode *t = tmpfs_i(i);
	struct xattr *old = find(t, name), *x;

	if (old != NULL && flags & XATTR_CREATE)
		return -EEXIST;
	if (old == NULL && flags & XATTR_REPLACE)
		return -ENODATA;
	x = xattr_alloc(name, value, size);
	if (x == NULL)
		return -ENOMEM;
	if (t->xattr_bytes + weight(x) - (old ? weight(old) : 0) > XATTR_TOTAL_MAX) {
		kfree(x);
		return -ENOSPC;
	}
	list_add_tail(&t->xattrs, &x->node);
	t->xattr_bytes += weight(x);
	if (old != NULL)
		unlink_xattr(t, old);
	i->ctime = clock_real();
	return 0;
}

ssize64_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	bool trusted = cred_has_cap(current_cred(), CAP_SYS_ADMIN);
	struct xattr *x;
	size_t n = 0;

	list_for_each (x, &tmpfs_i(i)->xattrs, node) {
		size_t len = strlen(x->name) + 1;

		if (!trusted && str_starts(x->name, XATTR_TRUSTED_PREFIX))
			continue;
		if (size != 0) {
			if (n + len > size)
				return -ERANGE;
			memcpy(buf + n, x->name, len);
		}
		n += len;
	}
	return (ssize64_t)n;
}

int tmpfs_removexattr(struct inode *i, const char *name)
{
	struct xattr *x = find(tmpfs_i(i), name);

	if (x == NULL)
		return -ENODATA;
	unlink_xattr(tmpfs_i(i), x);
	i->ctime = clock_real();
	return 0;
}

void tmpfs_xattrs_free(struct tmpfs_inode *t)
{
	while (!list_is_empty(&t->xattrs))
		unlink_xattr(t, list_first(&t->xattrs, struct xattr, node));
}
