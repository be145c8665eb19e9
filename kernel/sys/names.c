/* Operations on names: mkdir(2), mknod(2), unlink(2), rename(2), link(2), symlink(2), chdir(2),
 * getcwd(2), chroot(2). */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"
#include "vm/usercopy.h"

int64_t sys_mkdirat(int32_t dirfd, uaddr_t path, uint32_t mode)
{
	struct user_path name;
	int err = user_path_get(&name, path, 0);

	if (err)
		return err;
	err = vfs_mkdir(dirfd, name.name, mode);
	user_path_put(&name);
	return err;
}

int64_t sys_mkdir(uaddr_t path, uint32_t mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

int64_t sys_mknodat(int32_t dirfd, uaddr_t path, uint32_t mode, uint32_t dev)
{
	struct user_path name;
	int err = user_path_get(&name, path, 0);

	if (err)
		return err;
	err = vfs_mknod(dirfd, name.name, mode, dev);
	user_path_put(&name);
	return err;
}

int64_t sys_mknod(uaddr_t path, uint32_t mode, uint32_t dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

static int64_t remove_name(int dirfd, uaddr_t path, int (*remove)(int, const char *))
{
	struct user_path name;
	int err = user_path_get(&name, path, 0);

	if (err)
		return err;
	err = remove(dirfd, name.name);
	user_path_put(&name);
	return err;
}

int64_t sys_unlinkat(int32_t dirfd, uaddr_t path, uint32_t flags)
{
	if (flags & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	return remove_name(dirfd, path, flags & AT_REMOVEDIR ? vfs_rmdir : vfs_unlink);
}

int64_t sys_unlink(uaddr_t path)
{
	return remove_name(AT_FDCWD, path, vfs_unlink);
}

int64_t sys_rmdir(uaddr_t path)
{
	return remove_name(AT_FDCWD, path, vfs_rmdir);
}

int64_t sys_renameat2(int32_t olddirfd, uaddr_t oldpath, int32_t newdirfd, uaddr_t newpath,
		      uint32_t flags)
{
	const uint32_t known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
	struct user_path from, to;
	int err;

	if (flags & ~known ||
	    (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	if ((err = user_path_get(&from, oldpath, 0)))
		return err;
	if ((err = user_path_get(&to, newpath, 0)) == 0) {
		err = vfs_rename(olddirfd, from.name, newdirfd, to.name, flags);
		user_path_put(&to);
	}
	user_path_put(&from);
	return err;
}

int64_t sys_renameat(int32_t olddirfd, uaddr_t oldpath, int32_t newdirfd, uaddr_t newpath)
{
	return sys_renameat2(olddirfd, oldpath, newdirfd, newpath, 0);
}

int64_t sys_rename(uaddr_t oldpath, uaddr_t newpath)
{
	return sys_renameat2(AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

int64_t sys_linkat(int32_t olddirfd, uaddr_t oldpath, int32_t newdirfd, uaddr_t newpath,
		   uint32_t flags)
{
	unsigned walk = (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct path from;
	char *name;
	int err;

	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	if ((err = walk_user(olddirfd, oldpath, walk, &from)))
		return err;
	if ((err = pathname_get(newpath, 0, &name)) == 0) {
		err = vfs_link(&from, newdirfd, name);
		pathname_put(name);
	}
	path_put(&from);
	return err;
}

int64_t sys_link(uaddr_t oldpath, uaddr_t newpath)
{
	return sys_linkat(AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

int64_t sys_symlinkat(uaddr_t target, int32_t newdirfd, uaddr_t linkpath)
{
	char *text, *name;
	int err;

	if ((err = pathname_get(target, 0, &text)))
		return err;
	if ((err = pathname_get(linkpath, 0, &name)) == 0) {
		err = vfs_symlink(text, newdirfd, name);
		pathname_put(name);
	}
	pathname_put(text);
	return err;
}

int64_t sys_symlink(uaddr_t target, uaddr_t linkpath)
{
	return sys_symlinkat(target, AT_FDCWD, linkpath);
}

/* p is consumed. */
static int change_directory(struct path *p)
{
	int err = vfs_permission(p, current_cred(), PERM_EXEC | PERM_CHDIR);

	if (!err)
		fsctx_set_cwd(curthread()->fs, p);
	path_put(p);
	return err;
}

int64_t sys_chdir(uaddr_t path)
{
	struct path p;
	int err = walk_user(AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY, &p);

	return err ? err : change_directory(&p);
}

int64_t sys_fchdir(int32_t fd)
{
	struct fdref r = fdref_get_path(fd);
	struct path p;
	int err = 0;

	if (r.file == NULL)
		err = -EBADF;
	else if ((r.file->inode->mode & S_IFMT) != S_IFDIR)
		err = -ENOTDIR;
	if (!err) {
		p = r.file->path;
		path_get(&p);
		err = change_directory(&p);
	}
	fdref_put(r);
	return err;
}

int64_t sys_chroot(uaddr_t path)
{
	struct path p;
	int err = walk_user(AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err)
		return err;
	err = vfs_permission(&p, current_cred(), PERM_EXEC | PERM_CHDIR);
	if (!err && !capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		fsctx_set_root(curthread()->fs, &p);
	path_put(&p);
	return err;
}

/*
 * swapon(2), swapoff(2): pages are never written out. What Linux says of a file of a file system
 * that cannot hold a swap area, which is all there are, and of one that is none.
 */
int64_t sys_swapon(uaddr_t path, uint64_t swapflags)
{
	enum { PRIORITY = 0x7fff, PREFER = 0x8000, DISCARDS = 0x70000 };
	struct path p;
	int err;

	if (swapflags & ~(uint64_t)(PRIORITY | PREFER | DISCARDS))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((err = walk_user(AT_FDCWD, path, WALK_FOLLOW, &p)))
		return err;
	err = S_ISDIR(p.dentry->inode->mode) ? -EISDIR : -EINVAL;
	path_put(&p);
	return err;
}

int64_t sys_swapoff(uaddr_t path)
{
	return sys_swapon(path, 0);
}

/* getcwd(2): a directory outside of the root has "(unreachable)" in front, so that it is not taken
 * for a path. */
int64_t sys_getcwd(uaddr_t buf, uint64_t size)
{
	static const char unreachable[] = "(unreachable)";
	enum { PREFIX = sizeof(unreachable) - 1 };
	struct path cwd, root;
	ssize64_t n = -ENAMETOOLONG;
	char *room, *text;
	bool reachable;

	if ((room = kmalloc(PREFIX + PATH_MAX_BYTES)) == NULL)
		return -ENOMEM;
	fsctx_get_cwd(curthread()->fs, &cwd);
	fsctx_get_root(curthread()->fs, &root);
	if (atomic_load(&cwd.dentry->flags) & DENTRY_DEAD) {
		n = -ENOENT;
	} else if ((text = path_format_reach(&cwd, &root, room + PREFIX, PATH_MAX_BYTES,
					     &reachable)) != NULL) {
		if (!reachable) {
			text -= PREFIX;
			memcpy(text, unreachable, PREFIX);
		}
		n = (ssize64_t)strlen(text) + 1;
		if ((uint64_t)n > size)
			n = -ERANGE;
		else if (copy_to_user(buf, text, (size_t)n))
			n = -EFAULT;
	}
	path_put(&root);
	path_put(&cwd);
	kfree(room);
	return n;
}
