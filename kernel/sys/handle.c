/*
 * name_to_handle_at(2), open_by_handle_at(2). A handle is the inode's number (never used again)
 * behind a generation of 0, twelve bytes as Linux's tmpfs has them. A directory cannot be opened by
 * it: it would need its place among the names.
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"
#include "vm/usercopy.h"

enum { HANDLE_INO32_GEN = 1, HANDLE_INVALID = 255 /* "it does not fit" */ };

struct handle {
	uint32_t generation, ino_low, ino_high;
};

static int put_handle(const struct path *p, uaddr_t uhandle, uaddr_t umount)
{
	struct inode *i = dentry_inode(p->dentry);
	struct handle h = { 0, (uint32_t)i->ino, (uint32_t)(i->ino >> 32) };
	struct abi_file_handle head;
	bool fits;

	if (i->sb->ops->note_handle == NULL)
		return -EOPNOTSUPP;
	if (copy_from_user(&head, uhandle, sizeof(head)))
		return -EFAULT;
	if (head.handle_bytes > MAX_HANDLE_SZ)
		return -EINVAL;
	fits = head.handle_bytes >= sizeof(h);
	if (fits)
		i->sb->ops->note_handle(i);
	head.handle_bytes = sizeof(h);
	head.handle_type = fits ? HANDLE_INO32_GEN : HANDLE_INVALID;
	if (put_user_u32(umount, (uint32_t)p->mnt->id) ||
	    copy_to_user(uhandle, &head, sizeof(head)) ||
	    (fits && copy_to_user(uaddr_add(uhandle, sizeof(head)), &h, sizeof(h))))
		return -EFAULT;
	return fits ? 0 : -EOVERFLOW;
}

int64_t sys_name_to_handle_at(int32_t dirfd, uaddr_t path, uaddr_t handle, uaddr_t mount_id,
			      uint32_t flags)
{
	unsigned walk = (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct path p;
	int err;

	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((err = walk_user(dirfd, path, walk, &p)))
		return err;
	err = put_handle(&p, handle, mount_id);
	path_put(&p);
	return err;
}

static int get_handle(uaddr_t uhandle, uint64_t *ino)
{
	struct abi_file_handle head;
	struct handle h;

	if (copy_from_user(&head, uhandle, sizeof(head)))
		return -EFAULT;
	if (head.handle_bytes == 0 || head.handle_bytes > MAX_HANDLE_SZ)
		return -EINVAL;
	*ino = 0;
	if (head.handle_bytes < sizeof(h))
		return 0;
	if (copy_from_user(&h, uaddr_add(uhandle, sizeof(head)), sizeof(h)))
		return -EFAULT;
	*ino = h.ino_low | (uint64_t)h.ino_high << 32;
	return 0;
}

/* A name for the inode (consumed), beside those it has. */
static int open_inode(struct mount *m, struct inode *i, uint32_t flags)
{
	struct path p = { m, dentry_create_pseudo(m->sb, "", i) };
	struct file *f;
	int err, fd;

	if (p.dentry == NULL)
		return -ENOMEM;
	err = file_open_checked(&p, flags, &f);
	dentry_put(p.dentry);
	if (err)
		return err;
	if ((fd = fd_add(f, flags & O_CLOEXEC)) < 0)
		file_put(f);
	return fd;
}

static int open_on(const struct path *at, uint64_t ino, uint32_t flags)
{
	struct superblock *sb = at->mnt->sb;
	struct inode *i = sb->ops->find_inode && ino ? sb->ops->find_inode(sb, ino) : NULL;

	if (i == NULL)
		return -ESTALE;
	if (!S_ISDIR(i->mode) && i->nlink > 0)
		return open_inode(at->mnt, i, flags);
	inode_put(i);
	return -ESTALE;
}

int64_t sys_open_by_handle_at(int32_t mount_fd, uaddr_t handle, uint32_t flags)
{
	struct path at;
	struct fdref r;
	uint64_t ino;
	int err;

	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	if ((err = get_handle(handle, &ino)))
		return err;
	if (mount_fd == AT_FDCWD) {
		current_cwd(&at);
		err = open_on(&at, ino, flags);
		path_put(&at);
		return err;
	}
	r = fdref_get_path(mount_fd);
	err = r.file ? open_on(&r.file->path, ino, flags) : -EBADF;
	fdref_put(r);
	return err;
}
