/* inotify(7): arguments and permission. */

#include "vfs/inotify.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/inotify.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"

int64_t sys_inotify_init1(uint32_t flags)
{
	struct file *f;
	int err, fd;

	if (flags & ~(uint32_t)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	if ((err = inotify_open(flags & IN_NONBLOCK, &f)))
		return err;
	if ((fd = fd_add(f, flags & IN_CLOEXEC)) < 0)
		file_put(f);
	return fd;
}

int64_t sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

int64_t sys_inotify_add_watch(int32_t fd, uaddr_t pathname, uint32_t mask)
{
	unsigned flags = (mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW) |
			 (mask & IN_ONLYDIR ? WALK_DIRECTORY : 0);
	const uint32_t known_bits = IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED |
				    IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE |
				    IN_MASK_ADD | IN_ISDIR | IN_ONESHOT;
	struct fdref r;
	struct path p;
	int ret;

	if (!(mask & known_bits) || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
		return -EINVAL;
	r = fdref_get(fd);
	if (r.file == NULL)
		return -EBADF;
	if ((ret = walk_user(AT_FDCWD, pathname, flags, &p)) == 0) {
		if ((ret = vfs_permission(&p, current_cred(), PERM_READ)) == 0)
			ret = inotify_watch(r.file, &p, mask);
		path_put(&p);
	}
	fdref_put(r);
	return ret;
}

int64_t sys_inotify_rm_watch(int32_t fd, int32_t wd)
{
	struct fdref r = fdref_get(fd);
	int ret = r.file ? inotify_unwatch(r.file, wd) : -EBADF;

	fdref_put(r);
	return ret;
}
