/* mount(2), umount2(2), pivot_root(2), sync(2), syncfs(2): arguments and permission. */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"
#include "vfs/vfs.h"
#include "vm/usercopy.h"

/* An optional string of user space in an allocation of its own; NULL stays NULL. */
static int get_string(uaddr_t u, size_t max, char **out)
{
	ssize64_t n;
	char *s;

	*out = NULL;
	if (uaddr_is_null(u))
		return 0;
	if ((s = kmalloc(max)) == NULL)
		return -ENOMEM;
	n = strncpy_from_user(s, u, max);
	if (n < 0) {
		kfree(s);
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	}
	*out = s;
	return 0;
}

/* mount's data is up to a page of anything; file systems here read text. */
static int get_data(uaddr_t u, char **out)
{
	size_t n;

	*out = NULL;
	if (uaddr_is_null(u))
		return 0;
	if ((*out = kzalloc(PAGE_SIZE)) == NULL)
		return -ENOMEM;
	n = arch_copy_from_user(*out, u, PAGE_SIZE - 1);
	if (n == PAGE_SIZE - 1) {
		kfree(*out);
		*out = NULL;
		return -EFAULT;
	}
	return 0;
}

static int new_mount(const struct path *at, const char *type, const char *source, unsigned flags,
		     const char *data)
{
	struct fs_type *t;

	if (type == NULL)
		return -EINVAL;
	if ((t = fs_find(type)) == NULL || t->mount == NULL)
		return -ENODEV;
	return mount_new(at, t, source, flags, data);
}

static int from_path(const struct path *at, const char *source, unsigned flags)
{
	struct path from;
	int err;

	if (source == NULL || source[0] == 0)
		return -EINVAL;
	if ((err = walk_path(AT_FDCWD, source, WALK_FOLLOW, &from)))
		return err;
	err = flags & MS_MOVE ? mount_move(at, &from) : mount_bind(at, &from, flags & MS_REC);
	path_put(&from);
	return err;
}

/* Access times are relative unless something else is asked for; a remount that says nothing about
 * them keeps them. */
static unsigned with_atime(const struct path *at, unsigned flags)
{
	const unsigned atime = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;

	if (flags & MS_REMOUNT && !(flags & atime))
		return flags | (at->mnt->flags & atime);
	if (flags & MS_STRICTATIME)
		return flags & ~(unsigned)(MS_NOATIME | MS_RELATIME);
	return flags & MS_NOATIME ? flags & ~(unsigned)MS_RELATIME : flags | MS_RELATIME;
}

static int dispatch(const struct path *at, const char *type, const char *source, unsigned flags,
		    const char *data)
{
	const unsigned propagation = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

	if (flags & MS_REMOUNT)
		return mount_remount(at, with_atime(at, flags), data, flags & MS_BIND);
	if (flags & (MS_BIND | MS_MOVE))
		return from_path(at, source, flags);
	if (flags & propagation) {
		unsigned kind = flags & propagation;

		if (kind & (kind - 1) || flags & ~(propagation | MS_REC | MS_SILENT))
			return -EINVAL;
		return mount_change_type(at, kind, flags & MS_REC);
	}
	return new_mount(at, type, source, with_atime(at, flags), data);
}

int64_t sys_mount(uaddr_t source, uaddr_t target, uaddr_t fstype, uint64_t flags, uaddr_t data)
{
	char *src = NULL, *type = NULL, *text = NULL;
	struct path at;
	int err;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(uint64_t)MS_MGC_MSK;
	if ((err = get_string(fstype, PAGE_SIZE, &type)) ||
	    (err = get_string(source, PAGE_SIZE, &src)) || (err = get_data(data, &text)))
		goto out;
	if ((err = walk_user(AT_FDCWD, target, WALK_FOLLOW, &at)))
		goto out;
	if (flags >> 31) /* MS_NOUSER, and what lies above it */
		err = -EINVAL;
	else
		err = capable(CAP_SYS_ADMIN) ? dispatch(&at, type, src, (unsigned)flags, text)
					     : -EPERM;
	path_put(&at);
out:
	kfree(text);
	kfree(src);
	kfree(type);
	return err;
}

int64_t sys_umount2(uaddr_t target, uint32_t flags)
{
	struct path at;
	int err;

	if (flags & ~(uint32_t)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW) ||
	    (flags & MNT_EXPIRE && flags & (MNT_FORCE | MNT_DETACH)))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((err = walk_user(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &at)))
		return err;
	err = mount_umount(&at, flags);
	path_put(&at);
	return err;
}

int64_t sys_pivot_root(uaddr_t new_root, uaddr_t put_old)
{
	struct path root, old;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((err = walk_user(AT_FDCWD, new_root, WALK_FOLLOW | WALK_DIRECTORY, &root)))
		return err;
	if ((err = walk_user(AT_FDCWD, put_old, WALK_FOLLOW | WALK_DIRECTORY, &old)) == 0) {
		err = mount_pivot(&root, &old);
		path_put(&old);
	}
	path_put(&root);
	return err;
}

int64_t sys_sync(void)
{
	vfs_sync_all();
	return 0;
}

int64_t sys_syncfs(int32_t fd)
{
	struct fdref r = fdref_get(fd);
	struct superblock *sb = r.file ? r.file->inode->sb : NULL;
	int err = sb ? 0 : -EBADF;

	if (sb && sb->ops->sync)
		err = sb->ops->sync(sb);
	fdref_put(r);
	return err;
}
