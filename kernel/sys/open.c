/* open(2), openat(2), openat2(2), creat(2), umask(2). */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"

enum {
	OPEN_FLAGS = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |
		     O_DSYNC | O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW |
		     O_NOATIME | O_CLOEXEC | O_SYNC | O_PATH | O_TMPFILE,
	OPATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

static int64_t do_open(int dirfd, uaddr_t upath, uint32_t flags, uint32_t mode, unsigned resolve)
{
	struct user_path name;
	struct file *f;
	int fd, err;

	flags |= O_LARGEFILE; /* offsets have 64 bits: F_GETFL says so */
	if ((err = user_path_get(&name, upath, 0)))
		return err;
	if ((fd = fd_reserve(0, flags & O_CLOEXEC)) < 0) {
		err = fd;
	} else if ((err = file_open_at(dirfd, name.name, flags, mode, resolve, &f))) {
		fd_unreserve(fd);
	} else {
		fd_install(fd, f);
		err = fd;
	}
	user_path_put(&name);
	return err;
}

/* open and openat ignore what they do not know; with O_PATH all but a few flags are dropped. */
static int64_t open_lenient(int dirfd, uaddr_t path, uint32_t flags, uint32_t mode)
{
	flags &= flags & O_PATH ? (uint32_t)OPATH_FLAGS : (uint32_t)OPEN_FLAGS;
	return do_open(dirfd, path, flags, mode & 07777, 0);
}

int64_t sys_open(uaddr_t path, uint32_t flags, uint32_t mode)
{
	return open_lenient(AT_FDCWD, path, flags, mode);
}

int64_t sys_openat(int32_t dirfd, uaddr_t path, uint32_t flags, uint32_t mode)
{
	return open_lenient(dirfd, path, flags, mode);
}

int64_t sys_creat(uaddr_t path, uint32_t mode)
{
	return open_lenient(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static unsigned resolve_flags(uint64_t resolve)
{
	return (resolve & RESOLVE_NO_XDEV ? WALK_NO_XDEV : 0) |
	       (resolve & RESOLVE_NO_MAGICLINKS ? WALK_NO_MAGICLINKS : 0) |
	       (resolve & RESOLVE_NO_SYMLINKS ? WALK_NO_SYMLINKS | WALK_NO_MAGICLINKS : 0) |
	       (resolve & RESOLVE_BENEATH ? WALK_BENEATH : 0) |
	       (resolve & RESOLVE_IN_ROOT ? WALK_IN_ROOT : 0) |
	       (resolve & RESOLVE_CACHED ? WALK_CACHED : 0);
}

/* openat2 refuses what openat ignores. */
static int check_how(const struct abi_open_how *how)
{
	const uint64_t known = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
			       RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
	bool creates = how->flags & O_CREAT || (how->flags & O_TMPFILE) == O_TMPFILE;

	if (how->flags & ~(uint64_t)(uint32_t)OPEN_FLAGS || how->resolve & ~known)
		return -EINVAL;
	if (how->mode & ~07777ull || (how->mode && !creates))
		return -EINVAL;
	if (how->flags & O_PATH && how->flags & ~(uint64_t)OPATH_FLAGS)
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH && how->resolve & RESOLVE_IN_ROOT)
		return -EINVAL;
	if (how->resolve & RESOLVE_CACHED && (how->flags & (O_TRUNC | O_CREAT) || creates))
		return -EAGAIN;
	return 0;
}

int64_t sys_openat2(int32_t dirfd, uaddr_t path, uaddr_t uhow, uint64_t size)
{
	struct abi_open_how how;
	int err;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if ((err = copy_struct_from_user(&how, sizeof(how), uhow, size)) || (err = check_how(&how)))
		return err;
	return do_open(dirfd, path, (uint32_t)how.flags, (uint32_t)how.mode,
		       resolve_flags(how.resolve));
}

int64_t sys_umask(uint32_t mask)
{
	struct fsctx *fs = curthread()->fs;

	return __atomic_exchange_n(&fs->umask, mask & 0777, __ATOMIC_RELAXED);
}
