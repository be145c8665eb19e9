/* stat(2) and its family, statx(2), statfs(2), access(2), readlink(2). */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/statfs.h"
#include "lib/string.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vfs/chrdev.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"
#include "vm/usercopy.h"

/* Times before 1970 round towards the past. */
static inline void split_time(nsec_t t, uint64_t *sec, uint64_t *nsec)
{
	if (UNLIKELY(t < 0)) {
		struct abi_timespec ts = nsec_to_timespec(t);

		*sec = (uint64_t)ts.tv_sec;
		*nsec = (uint64_t)ts.tv_nsec;
		return;
	}
	*sec = (uint64_t)t / (uint64_t)NSEC_PER_SEC;
	*nsec = (uint64_t)t % (uint64_t)NSEC_PER_SEC;
}

static int put_stat(uaddr_t buf, const struct kstat *st)
{
	struct abi_stat out;

	out.st_dev = st->dev;
	out.st_ino = st->ino;
	out.st_nlink = st->nlink;
	out.st_mode = st->mode;
	out.st_uid = st->uid;
	out.st_gid = st->gid;
	out.__pad0 = 0;
	out.st_rdev = st->rdev;
	out.st_size = (int64_t)st->size;
	out.st_blksize = st->blksize;
	out.st_blocks = (int64_t)st->blocks;
	split_time(st->atime, &out.st_atime_sec, &out.st_atime_nsec);
	split_time(st->mtime, &out.st_mtime_sec, &out.st_mtime_nsec);
	split_time(st->ctime, &out.st_ctime_sec, &out.st_ctime_nsec);
	out.__unused[0] = out.__unused[1] = out.__unused[2] = 0;
	return copy_to_user(buf, &out, sizeof(out));
}

/* The attributes of what (dirfd, path) names; with AT_EMPTY_PATH and an empty (or null) path, of
 * dirfd itself. */
static int stat_at(int dirfd, uaddr_t upath, uint32_t flags, struct kstat *st)
{
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0) |
			(flags & AT_NO_AUTOMOUNT ? WALK_NO_AUTOMOUNT : 0);
	struct path p;
	int err = walk_user(dirfd, upath, walk, &p);

	if (err)
		return err;
	err = vfs_getattr(&p, st);
	path_put(&p);
	return err;
}

static int64_t stat_to(uaddr_t buf, int dirfd, uaddr_t path, uint32_t flags)
{
	struct kstat st;
	int err = stat_at(dirfd, path, flags, &st);

	return err ? err : put_stat(buf, &st);
}

int64_t sys_stat(uaddr_t path, uaddr_t buf)
{
	return stat_to(buf, AT_FDCWD, path, 0);
}

int64_t sys_lstat(uaddr_t path, uaddr_t buf)
{
	return stat_to(buf, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}

static int fstat_file(int fd, struct kstat *st)
{
	struct fdref r = fdref_get_path(fd);
	int err = r.file ? vfs_getattr(&r.file->path, st) : -EBADF;

	fdref_put(r);
	return err;
}

int64_t sys_fstat(int32_t fd, uaddr_t buf)
{
	struct kstat st;
	int err = fstat_file(fd, &st);

	return err ? err : put_stat(buf, &st);
}

/* glibc's fstat is newfstatat(fd, "", AT_EMPTY_PATH): no walk for it. */
static bool names_dirfd_itself(uaddr_t path, uint32_t flags, int dirfd)
{
	char first;

	return flags & AT_EMPTY_PATH && dirfd >= 0 &&
	       (uaddr_is_null(path) || (copy_from_user(&first, path, 1) == 0 && first == 0));
}

int64_t sys_newfstatat(int32_t dirfd, uaddr_t path, uaddr_t buf, uint32_t flags)
{
	/* How fresh the result must be is accepted and, without file systems from afar, no matter.
	 */
	if (flags &
	    ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if (names_dirfd_itself(path, flags, dirfd))
		return sys_fstat(dirfd, buf);
	return stat_to(buf, dirfd, path, flags);
}

static struct abi_statx_timestamp statx_time(nsec_t t)
{
	struct abi_timespec ts = nsec_to_timespec(t);

	return (struct abi_statx_timestamp){ .tv_sec = ts.tv_sec, .tv_nsec = (uint32_t)ts.tv_nsec };
}

static void fill_statx(struct abi_statx *out, const struct kstat *st, uint32_t mask)
{
	memset(out, 0, sizeof(*out));
	out->stx_mask = STATX_BASIC_STATS | STATX_MNT_ID;
	out->stx_blksize = st->blksize;
	out->stx_attributes = st->attributes;
	out->stx_attributes_mask = st->attributes_mask;
	out->stx_nlink = st->nlink;
	out->stx_uid = st->uid;
	out->stx_gid = st->gid;
	out->stx_mode = (uint16_t)st->mode;
	out->stx_ino = st->ino;
	out->stx_size = st->size;
	out->stx_blocks = st->blocks;
	out->stx_atime = statx_time(st->atime);
	out->stx_mtime = statx_time(st->mtime);
	out->stx_ctime = statx_time(st->ctime);
	if (mask & STATX_BTIME && st->btime >= 0) {
		out->stx_mask |= STATX_BTIME;
		out->stx_btime = statx_time(st->btime);
	}
	out->stx_rdev_major = dev_major(st->rdev);
	out->stx_rdev_minor = dev_minor(st->rdev);
	out->stx_dev_major = dev_major(st->dev);
	out->stx_dev_minor = dev_minor(st->dev);
	out->stx_mnt_id = st->mnt_id;
}

int64_t sys_statx(int32_t dirfd, uaddr_t path, uint32_t flags, uint32_t mask, uaddr_t buf)
{
	const uint32_t known =
		AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
	struct abi_statx out;
	struct kstat st;
	int err;

	if (flags & ~known || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    mask & STATX__RESERVED)
		return -EINVAL;
	err = names_dirfd_itself(path, flags, dirfd) ? fstat_file(dirfd, &st)
						     : stat_at(dirfd, path, flags, &st);
	if (err)
		return err;
	fill_statx(&out, &st, mask);
	return copy_to_user(buf, &out, sizeof(out));
}

static int put_statfs(const struct path *p, uaddr_t buf)
{
	struct abi_statfs out;
	int err;

	memset(&out, 0, sizeof(out));
	err = vfs_statfs(p, &out);
	return err ? err : copy_to_user(buf, &out, sizeof(out));
}

int64_t sys_statfs(uaddr_t path, uaddr_t buf)
{
	struct path p;
	int err = walk_user(AT_FDCWD, path, WALK_FOLLOW, &p);

	if (err)
		return err;
	err = put_statfs(&p, buf);
	path_put(&p);
	return err;
}

int64_t sys_fstatfs(int32_t fd, uaddr_t buf)
{
	struct fdref r = fdref_get_path(fd);
	int err = r.file ? put_statfs(&r.file->path, buf) : -EBADF;

	fdref_put(r);
	return err;
}

/* access(2) judges by the real ids; capabilities count only when the real user is root. */
static struct cred *real_ids_cred(void)
{
	struct cred *c = cred_dup(current_cred());

	if (c == NULL)
		return NULL;
	c->fsuid = c->uid;
	c->fsgid = c->gid;
	c->cap_effective = c->uid == 0 ? c->cap_permitted : 0;
	return c;
}

int64_t sys_faccessat2(int32_t dirfd, uaddr_t path, uint32_t mode, uint32_t flags)
{
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	const struct cred *c = current_cred();
	struct cred *real = NULL, *mine = NULL;
	struct path p;
	int err;

	if (mode & ~7u || flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & AT_EACCESS) &&
	    (c->fsuid != c->uid || c->fsgid != c->gid || c->uid != c->euid)) {
		if ((real = real_ids_cred()) == NULL)
			return -ENOMEM;
		c = real;
	}
	if (real) /* the directories on the way are judged by them too */
		mine = cred_swap(real);
	if ((err = walk_user(dirfd, path, walk, &p)) == 0) {
		err = mode ? vfs_permission(&p, c, mode) : 0;
		path_put(&p);
	}
	if (real)
		cred_put(cred_swap(mine));
	return err;
}

int64_t sys_faccessat(int32_t dirfd, uaddr_t path, uint32_t mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

int64_t sys_access(uaddr_t path, uint32_t mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* An empty name means dirfd itself, when that is a symbolic link opened with O_PATH. The name's
 * buffer then takes the text. */
int64_t sys_readlinkat(int32_t dirfd, uaddr_t path, uaddr_t buf, int32_t size)
{
	struct path p;
	bool empty;
	ssize64_t n;
	char *name;
	int err;

	if (size <= 0)
		return -EINVAL;
	if ((err = pathname_get(path, WALK_EMPTY, &name)))
		return err;
	empty = name[0] == '\0';
	n = walk_path(dirfd, name, WALK_EMPTY, &p);
	if (!n) {
		n = vfs_readlink(&p, name, MIN((size_t)size, (size_t)PATH_MAX_BYTES));
		if (n == -EINVAL && empty)
			n = -ENOENT;
		if (n > 0 && copy_to_user(buf, name, (size_t)n))
			n = -EFAULT;
		path_put(&p);
	}
	pathname_put(name);
	return n;
}

int64_t sys_readlink(uaddr_t path, uaddr_t buf, int32_t size)
{
	return sys_readlinkat(AT_FDCWD, path, buf, size);
}
