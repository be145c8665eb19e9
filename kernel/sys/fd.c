/* Descriptors: close(2), dup(2), close_range(2), pipe(2), fcntl(2), flock(2). */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "proc/signal.h"
#include "proc/task.h"
#include "sys/syscalls.h"
#include "vfs/fcntl.h"
#include "vfs/fdtable.h"
#include "vfs/lock.h"
#include "vfs/pipe.h"
#include "vm/usercopy.h"

int64_t sys_close(int32_t fd)
{
	return fd_close(fd);
}

int64_t sys_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
	struct thread *t = curthread();
	struct fdtable *own;

	if (flags & ~(uint32_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE && ref_count(&t->files->ref) > 1) {
		if ((own = fdtable_dup(t->files, UINT32_MAX)) == NULL)
			return -ENOMEM;
		struct fdtable *shared = t->files;
		t->files = own;
		fdtable_put(shared);
	}
	return fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
}

/* Counted; O_PATH descriptors are duplicated as well. */
static struct file *fd_get_path_file(int fd)
{
	struct fdref r = fdref_get_path(fd);

	if (r.file != NULL && !r.counted)
		file_get(r.file);
	return r.file;
}

int64_t sys_dup(int32_t oldfd)
{
	struct file *f = fd_get_path_file(oldfd);
	int fd;

	if (f == NULL)
		return -EBADF;
	if ((fd = fd_add(f, false)) < 0)
		file_put(f);
	return fd;
}

static int64_t dup_to(int oldfd, int newfd, bool cloexec)
{
	return newfd < 0 ? -EBADF : fd_dup_to(oldfd, newfd, cloexec);
}

int64_t sys_dup2(int32_t oldfd, int32_t newfd)
{
	if (oldfd == newfd)
		return fd_get_cloexec(oldfd) < 0 ? -EBADF : newfd;
	return dup_to(oldfd, newfd, false);
}

int64_t sys_dup3(int32_t oldfd, int32_t newfd, uint32_t flags)
{
	if (flags & ~(uint32_t)O_CLOEXEC || oldfd == newfd)
		return -EINVAL;
	return dup_to(oldfd, newfd, flags & O_CLOEXEC);
}

int64_t sys_pipe2(uaddr_t pipefd, uint32_t flags)
{
	bool cloexec = flags & O_CLOEXEC;
	struct file *r, *w;
	int fd[2], err;

	if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	if ((err = pipe_open_pair(flags, &r, &w)))
		return err;
	if ((err = fd[0] = fd_reserve(0, cloexec)) < 0)
		goto put_files;
	if ((err = fd[1] = fd_reserve(0, cloexec)) < 0)
		goto unreserve_first;
	if ((err = copy_to_user(pipefd, fd, sizeof(fd))))
		goto unreserve_second;
	fd_install(fd[0], r);
	fd_install(fd[1], w);
	return 0;

unreserve_second:
	fd_unreserve(fd[1]);
unreserve_first:
	fd_unreserve(fd[0]);
put_files:
	file_put(w);
	file_put(r);
	return err;
}

int64_t sys_pipe(uaddr_t pipefd)
{
	return sys_pipe2(pipefd, 0);
}

static int64_t dup_from(int fd, uint64_t min, bool cloexec)
{
	struct file *f;
	int new;

	if (min >= vfs_nofile_limit())
		return -EINVAL;
	if ((f = fd_get_path_file(fd)) == NULL)
		return -EBADF;
	if ((new = fd_reserve((unsigned)min, cloexec)) < 0)
		file_put(f);
	else
		fd_install(new, f);
	return new;
}

int64_t sys_fcntl(int32_t fd, uint32_t cmd, uint64_t arg)
{
	struct fdref r;
	int64_t ret;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(fd, (uint32_t)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		ret = fd_get_cloexec(fd);
		return ret > 0 ? FD_CLOEXEC : ret;
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	}
	r = fdref_get_path(fd);
	if (r.file == NULL)
		return -EBADF;
	if (r.file->mode & FMODE_PATH && cmd != F_GETFL)
		ret = -EBADF;
	else
		ret = file_fcntl(r.file, fd, (int)cmd, arg);
	fdref_put(r);
	return ret;
}

static int flock_check(uint32_t operation)
{
	uint32_t kind = operation & ~(uint32_t)LOCK_NB;

	return kind == LOCK_SH || kind == LOCK_EX || kind == LOCK_UN ? 0 : -EINVAL;
}

int64_t sys_flock(int32_t fd, uint32_t operation)
{
	struct fdref r;
	int64_t ret;

	if (operation & LOCK_MAND) /* mandatory locks are no more; who asks is told nothing */
		return 0;
	ret = flock_check(operation);
	if (ret)
		return ret;
	r = fdref_get(fd);
	ret = r.file ? file_flock(r.file, operation) : -EBADF;

	fdref_put(r);
	return ret;
}
