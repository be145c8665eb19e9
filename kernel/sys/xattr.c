/* The extended attribute calls: by path, by link, by descriptor. Source: xattr(7). */

#include "vfs/xattr.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/xattr.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

static int get_name(uaddr_t u, char name[XATTR_NAME_MAX + 1])
{
	ssize64_t n = strncpy_from_user(name, u, XATTR_NAME_MAX + 1);

	if (n < 0)
		return n == -ENAMETOOLONG ? -ERANGE : (int)n;
	return n == 0 ? -ERANGE : 0;
}

static int64_t set_at(const struct path *p, uaddr_t uname, uaddr_t value, uint64_t size,
		      uint32_t flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *buf = NULL;
	int err;

	if (flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if ((err = get_name(uname, name)))
		return err;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (size && (buf = kmalloc(size)) == NULL)
		return -ENOMEM;
	err = size ? copy_from_user(buf, value, size) : 0;
	if (!err)
		err = vfs_setxattr(p, name, buf, size, (int)flags);
	kfree(buf);
	return err;
}

static int64_t get_at(const struct path *p, uaddr_t uname, uaddr_t value, uint64_t size)
{
	char name[XATTR_NAME_MAX + 1];
	void *buf = NULL;
	ssize64_t n;
	int err;

	if ((err = get_name(uname, name)))
		return err;
	size = MIN(size, (uint64_t)XATTR_SIZE_MAX);
	if (size && (buf = kmalloc(size)) == NULL)
		return -ENOMEM;
	n = vfs_getxattr(p, name, buf, size);
	if (n > 0 && size && copy_to_user(value, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

static int64_t list_at(const struct path *p, uaddr_t list, uint64_t size)
{
	void *buf = NULL;
	ssize64_t n;

	size = MIN(size, (uint64_t)XATTR_LIST_MAX);
	if (size && (buf = kmalloc(size)) == NULL)
		return -ENOMEM;
	n = vfs_listxattr(p, buf, size);
	if (n > 0 && size && copy_to_user(list, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

static int64_t remove_at(const struct path *p, uaddr_t uname)
{
	char name[XATTR_NAME_MAX + 1];
	int err = get_name(uname, name);

	return err ? err : vfs_removexattr(p, name);
}

int64_t sys_setxattr(uaddr_t path, uaddr_t name, uaddr_t value, uint64_t size, uint32_t flags)
{
	struct path p;
	int64_t ret = walk_user(AT_FDCWD, path, WALK_FOLLOW, &p);

	if (ret)
		return ret;
	ret = set_at(&p, name, value, size, flags);
	path_put(&p);
	return ret;
}

int64_t sys_lsetxattr(uaddr_t path, uaddr_t name, uaddr_t value, uint64_t size, uint32_t flags)
{
	struct path p;
	int64_t ret = walk_user(AT_FDCWD, path, 0, &p);

	if (ret)
		return ret;
	ret = set_at(&p, name, value, size, flags);
	path_put(&p);
	return ret;
}

int64_t sys_fsetxattr(int32_t fd, uaddr_t name, uaddr_t value, uint64_t size, uint32_t flags)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = r.file ? set_at(&r.file->path, name, value, size, flags) : -EBADF;

	fdref_put(r);
	return ret;
}

static int64_t get_by_path(uaddr_t path, unsigned walk, uaddr_t name, uaddr_t value, uint64_t size)
{
	struct path p;
	int64_t ret = walk_user(AT_FDCWD, path, walk, &p);

	if (ret)
		return ret;
	ret = get_at(&p, name, value, size);
	path_put(&p);
	return ret;
}

int64_t sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t value, uint64_t size)
{
	return get_by_path(path, WALK_FOLLOW, name, value, size);
}

int64_t sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t value, uint64_t size)
{
	return get_by_path(path, 0, name, value, size);
}

int64_t sys_fgetxattr(int32_t fd, uaddr_t name, uaddr_t value, uint64_t size)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = r.file ? get_at(&r.file->path, name, value, size) : -EBADF;

	fdref_put(r);
	return ret;
}

static int64_t list_by_path(uaddr_t path, unsigned walk, uaddr_t list, uint64_t size)
{
	struct path p;
	int64_t ret = walk_user(AT_FDCWD, path, walk, &p);

	if (ret)
		return ret;
	ret = list_at(&p, list, size);
	path_put(&p);
	return ret;
}

int64_t sys_listxattr(uaddr_t path, uaddr_t list, uint64_t size)
{
	return list_by_path(path, WALK_FOLLOW, list, size);
}

int64_t sys_llistxattr(uaddr_t path, uaddr_t list, uint64_t size)
{
	return list_by_path(path, 0, list, size);
}

int64_t sys_flistxattr(int32_t fd, uaddr_t list, uint64_t size)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = r.file ? list_at(&r.file->path, list, size) : -EBADF;

	fdref_put(r);
	return ret;
}

static int64_t remove_by_path(uaddr_t path, unsigned walk, uaddr_t name)
{
	struct path p;
	int64_t ret = walk_user(AT_FDCWD, path, walk, &p);

	if (ret)
		return ret;
	ret = remove_at(&p, name);
	path_put(&p);
	return ret;
}

int64_t sys_removexattr(uaddr_t path, uaddr_t name)
{
	return remove_by_path(path, WALK_FOLLOW, name);
}

int64_t sys_lremovexattr(uaddr_t path, uaddr_t name)
{
	return remove_by_path(path, 0, name);
}

int64_t sys_fremovexattr(int32_t fd, uaddr_t name)
{
	struct fdref r = fdref_get(fd);
	int64_t ret = r.file ? remove_at(&r.file->path, name) : -EBADF;

	fdref_put(r);
	return ret;
}
