/* chmod(2), chown(2), utimensat(2), truncate(2) and their relatives. */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vfs/fdtable.h"
#include "vfs/lock.h"
#include "vfs/namei.h"
#include "vm/usercopy.h"

static int64_t setattr_at(int dirfd, uaddr_t path, unsigned walk, struct setattr *a)
{
	struct path p;
	int err = walk_user(dirfd, path, walk, &p);

	if (err)
		return err;
	err = vfs_setattr(&p, a);
	path_put(&p);
	return err;
}

static int64_t setattr_fd(int fd, struct setattr *a)
{
	struct fdref r = fdref_get(fd);
	int err = r.file ? vfs_setattr(&r.file->path, a) : -EBADF;

	fdref_put(r);
	return err;
}

static unsigned walk_flags(uint32_t flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
	       (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

static struct setattr mode_change(uint32_t mode)
{
	return (struct setattr){ .valid = SET_MODE, .mode = mode & 07777 };
}

/* -1 leaves an id as it is. */
static struct setattr owner_change(uint32_t uid, uint32_t gid)
{
	return (struct setattr){ .valid = (uid != UINT32_MAX ? SET_UID : 0) |
					  (gid != UINT32_MAX ? SET_GID : 0) | SET_KILL_PRIV,
				 .uid = uid,
				 .gid = gid };
}

int64_t sys_fchmodat2(int32_t dirfd, uaddr_t path, uint32_t mode, uint32_t flags)
{
	struct setattr a = mode_change(mode);

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, path, walk_flags(flags), &a);
}

int64_t sys_fchmodat(int32_t dirfd, uaddr_t path, uint32_t mode)
{
	return sys_fchmodat2(dirfd, path, mode, 0);
}

int64_t sys_chmod(uaddr_t path, uint32_t mode)
{
	return sys_fchmodat2(AT_FDCWD, path, mode, 0);
}

int64_t sys_fchmod(int32_t fd, uint32_t mode)
{
	struct setattr a = mode_change(mode);

	return setattr_fd(fd, &a);
}

int64_t sys_fchownat(int32_t dirfd, uaddr_t path, uint32_t owner, uint32_t group, uint32_t flags)
{
	struct setattr a = owner_change(owner, group);

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, path, walk_flags(flags), &a);
}

int64_t sys_chown(uaddr_t path, uint32_t owner, uint32_t group)
{
	return sys_fchownat(AT_FDCWD, path, owner, group, 0);
}

int64_t sys_lchown(uaddr_t path, uint32_t owner, uint32_t group)
{
	return sys_fchownat(AT_FDCWD, path, owner, group, AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchown(int32_t fd, uint32_t owner, uint32_t group)
{
	struct setattr a = owner_change(owner, group);

	return setattr_fd(fd, &a);
}

/* No times given: both now, which also those may do who can only write the file. */
static const struct setattr times_now = { .valid = SET_ATIME_NOW | SET_MTIME_NOW };

static int64_t set_times(int dirfd, uaddr_t path, uint32_t flags, struct setattr *a)
{
	if (uaddr_is_null(path))
		return dirfd == AT_FDCWD ? -EFAULT : setattr_fd(dirfd, a);
	return setattr_at(dirfd, path, walk_flags(flags), a);
}

/* One of utimensat's times: UTIME_NOW, UTIME_OMIT or a point in time. */
static int add_time(struct setattr *a, const struct abi_timespec *ts, unsigned set, unsigned now,
		    nsec_t *out)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	if (ts->tv_nsec == UTIME_NOW) {
		a->valid |= now;
		return 0;
	}
	if (ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	a->valid |= set;
	*out = seconds_to_nsec(ts->tv_sec, ts->tv_nsec);
	return 0;
}

int64_t sys_utimensat(int32_t dirfd, uaddr_t path, uaddr_t times, uint32_t flags)
{
	struct setattr a = times_now;
	struct abi_timespec ts[2];
	int err;

	if (!uaddr_is_null(times)) {
		if (copy_from_user(ts, times, sizeof(ts)))
			return -EFAULT;
		a = (struct setattr){ 0 };
		if ((err = add_time(&a, &ts[0], SET_ATIME, SET_ATIME_NOW, &a.atime)) ||
		    (err = add_time(&a, &ts[1], SET_MTIME, SET_MTIME_NOW, &a.mtime)))
			return err;
	}
	if (a.valid == 0)
		return 0; /* whatever the rest says */
	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ||
	    (uaddr_is_null(path) && flags))
		return -EINVAL;
	return set_times(dirfd, path, flags, &a);
}

static int64_t utimes_at(int dirfd, uaddr_t path, uaddr_t times)
{
	struct setattr a = times_now;
	struct abi_timeval tv[2];

	if (!uaddr_is_null(times)) {
		if (copy_from_user(tv, times, sizeof(tv)))
			return -EFAULT;
		if (tv[0].tv_usec < 0 || tv[0].tv_usec >= 1000000 || tv[1].tv_usec < 0 ||
		    tv[1].tv_usec >= 1000000)
			return -EINVAL;
		a = (struct setattr){
			.valid = SET_ATIME | SET_MTIME,
			.atime = seconds_to_nsec(tv[0].tv_sec, tv[0].tv_usec * NSEC_PER_USEC),
			.mtime = seconds_to_nsec(tv[1].tv_sec, tv[1].tv_usec * NSEC_PER_USEC)
		};
	}
	return set_times(dirfd, path, 0, &a);
}

int64_t sys_futimesat(int32_t dirfd, uaddr_t path, uaddr_t times)
{
	return utimes_at(dirfd, path, times);
}

int64_t sys_utimes(uaddr_t path, uaddr_t times)
{
	return utimes_at(AT_FDCWD, path, times);
}

int64_t sys_utime(uaddr_t path, uaddr_t times)
{
	struct setattr a = times_now;
	int64_t sec[2];

	if (!uaddr_is_null(times)) {
		if (copy_from_user(sec, times, sizeof(sec)))
			return -EFAULT;
		a = (struct setattr){ .valid = SET_ATIME | SET_MTIME,
				      .atime = seconds_to_nsec(sec[0], 0),
				      .mtime = seconds_to_nsec(sec[1], 0) };
	}
	return set_times(AT_FDCWD, path, 0, &a);
}

/* By name the file must be writable, and no program that runs. */
static int truncate_named(const struct path *p, uint64_t length)
{
	struct inode *i = dentry_inode(p->dentry);
	int err;

	if (S_ISREG(i->mode) && (err = vfs_permission(p, current_cred(), PERM_WRITE)))
		return err;
	if ((err = inode_get_write(i)))
		return err;
	err = inode_break_leases(i, NULL, true, false);
	if (!err)
		err = vfs_truncate(i, length, p);
	inode_put_write(i);
	return err;
}

int64_t sys_truncate(uaddr_t path, int64_t length)
{
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	if ((err = walk_user(AT_FDCWD, path, WALK_FOLLOW, &p)))
		return err;
	err = truncate_named(&p, (uint64_t)length);
	path_put(&p);
	return err;
}

int64_t sys_ftruncate(int32_t fd, int64_t length)
{
	struct fdref r;
	int err = -EBADF;

	if (length < 0)
		return -EINVAL;
	r = fdref_get(fd);
	if (r.file)
		err = r.file->mode & FMODE_WRITE
			      ? vfs_truncate(r.file->inode, (uint64_t)length, &r.file->path)
			      : -EINVAL;
	fdref_put(r);
	return err;
}
