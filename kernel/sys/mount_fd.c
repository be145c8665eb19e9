/* The newer mount interface: open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2),
 * fspick(2), mount_setattr(2): arguments and permission. */

#include "vfs/mount_fd.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"
#include "vm/usercopy.h"

static int64_t give(struct file *f, bool cloexec)
{
	int fd = fd_add(f, cloexec);

	if (fd < 0)
		file_put(f);
	return fd;
}

int64_t sys_open_tree(int32_t dirfd, uaddr_t path, uint32_t flags)
{
	const uint32_t known = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
			       AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_RECURSIVE;
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct file *f;
	struct path p;
	int err;

	if (flags & ~known || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	if (flags & OPEN_TREE_CLONE && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((err = walk_user(dirfd, path, walk, &p)))
		return err;
	err = flags & OPEN_TREE_CLONE ? mount_open_clone(&p, flags & AT_RECURSIVE, &f)
				      : file_open_path(&p, O_PATH, &f);
	path_put(&p);
	return err ? err : give(f, flags & OPEN_TREE_CLOEXEC);
}

int64_t sys_move_mount(int32_t from_fd, uaddr_t from_path, int32_t to_fd, uaddr_t to_path,
		       uint32_t flags)
{
	const uint32_t known = MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_F_AUTOMOUNTS |
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS |
			       MOVE_MOUNT_T_AUTOMOUNTS | MOVE_MOUNT_T_EMPTY_PATH;
	unsigned from_walk = (flags & MOVE_MOUNT_F_SYMLINKS ? WALK_FOLLOW : 0) |
			     (flags & MOVE_MOUNT_F_EMPTY_PATH ? WALK_EMPTY : 0);
	unsigned to_walk = (flags & MOVE_MOUNT_T_SYMLINKS ? WALK_FOLLOW : 0) |
			   (flags & MOVE_MOUNT_T_EMPTY_PATH ? WALK_EMPTY : 0);
	struct path from, to;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~known)
		return -EINVAL;
	if ((err = walk_user(from_fd, from_path, from_walk, &from)))
		return err;
	if ((err = walk_user(to_fd, to_path, to_walk, &to)) == 0) {
		err = mount_move_to(&to, &from);
		path_put(&to);
	}
	path_put(&from);
	return err;
}

enum { NAME_MAX_BYTES = 256 };

/* A short string of user space in an allocation. -EINVAL too long. */
static int get_string(uaddr_t u, char **out)
{
	ssize64_t n;
	char *s;

	if ((s = kmalloc(NAME_MAX_BYTES)) == NULL)
		return -ENOMEM;
	if ((n = strncpy_from_user(s, u, NAME_MAX_BYTES)) < 0) {
		kfree(s);
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	}
	*out = s;
	return 0;
}

int64_t sys_fsopen(uaddr_t fsname, uint32_t flags)
{
	struct fs_type *t;
	struct file *f;
	char *name = NULL;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~(uint32_t)FSOPEN_CLOEXEC)
		return -EINVAL;
	if ((err = get_string(fsname, &name)))
		return err;
	t = fs_find(name);
	kfree(name);
	if (t == NULL || t->mount == NULL || t->flags & FS_NO_USER_MOUNT)
		return -ENODEV;
	err = fscontext_open(t, &f);
	return err ? err : give(f, flags & FSOPEN_CLOEXEC);
}

int64_t sys_fspick(int32_t dirfd, uaddr_t path, uint32_t flags)
{
	const uint32_t known =
		FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH;
	unsigned walk = (flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & FSPICK_EMPTY_PATH ? WALK_EMPTY : 0);
	struct file *f;
	struct path p;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~known)
		return -EINVAL;
	if ((err = walk_user(dirfd, path, walk, &p)))
		return err;
	err = fscontext_pick(&p, &f);
	path_put(&p);
	return err ? err : give(f, flags & FSPICK_CLOEXEC);
}

/* Which arguments each command takes: -EINVAL when they are others. */
static int check_config(uint32_t cmd, uaddr_t key, uaddr_t value, int32_t aux)
{
	bool k = !uaddr_is_null(key), v = !uaddr_is_null(value);

	switch (cmd) {
	case FSCONFIG_SET_FLAG:
		return k && !v && !aux ? 0 : -EINVAL;
	case FSCONFIG_SET_STRING:
		return k && v && !aux ? 0 : -EINVAL;
	case FSCONFIG_SET_BINARY:
		return k && v && aux > 0 && aux <= 1024 * 1024 ? 0 : -EINVAL;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		return k && v && (aux == AT_FDCWD || aux >= 0) ? 0 : -EINVAL;
	case FSCONFIG_SET_FD:
		return k && !v && aux >= 0 ? 0 : -EINVAL;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		return k || v || aux ? -EINVAL : 0;
	}
	return -EOPNOTSUPP;
}

static int config(struct file *f, uint32_t cmd, uaddr_t ukey, uaddr_t uvalue)
{
	char *key = NULL, *value = NULL;
	int err = 0;

	/* No file system here takes a blob, a path or a descriptor. */
	if (cmd >= FSCONFIG_SET_BINARY && cmd <= FSCONFIG_SET_FD)
		return -EINVAL;
	if (!uaddr_is_null(ukey))
		err = get_string(ukey, &key);
	if (!err && !uaddr_is_null(uvalue))
		err = get_string(uvalue, &value);
	if (!err)
		err = fscontext_config(f, cmd, key, value);
	kfree(value);
	kfree(key);
	return err;
}

int64_t sys_fsconfig(int32_t fd, uint32_t cmd, uaddr_t key, uaddr_t value, int32_t aux)
{
	struct fdref r;
	int err;

	if (fd < 0)
		return -EINVAL;
	if ((err = check_config(cmd, key, value, aux)))
		return err;
	r = fdref_get(fd);
	err = r.file ? config(r.file, cmd, key, value) : -EBADF;
	fdref_put(r);
	return err;
}

enum {
	ATTR_FLAGS = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
		     MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW,
	MS_ATIME = MS_NOATIME | MS_RELATIME,
};

/* The access time setting is a number, not bits. -EINVAL for one that is not. */
static int atime_flags(uint64_t attr, uint32_t *out)
{
	switch (attr & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		*out |= MS_RELATIME;
		return 0;
	case MOUNT_ATTR_NOATIME:
		*out |= MS_NOATIME;
		return 0;
	case MOUNT_ATTR_STRICTATIME:
		return 0;
	}
	return -EINVAL;
}

static uint32_t plain_flags(uint64_t attr)
{
	return (attr & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0u) |
	       (attr & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0u) |
	       (attr & MOUNT_ATTR_NODEV ? MS_NODEV : 0u) |
	       (attr & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0u) |
	       (attr & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0u) |
	       (attr & MOUNT_ATTR_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0u);
}

int64_t sys_fsmount(int32_t fsfd, uint32_t flags, uint32_t attr)
{
	uint32_t mount_flags = plain_flags(attr);
	struct fdref r;
	struct file *f;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~(uint32_t)FSMOUNT_CLOEXEC || attr & ~(uint32_t)ATTR_FLAGS ||
	    atime_flags(attr, &mount_flags))
		return -EINVAL;
	r = fdref_get(fsfd);
	err = r.file ? fscontext_mount(r.file, mount_flags, &f) : -EBADF;
	fdref_put(r);
	return err ? err : give(f, flags & FSMOUNT_CLOEXEC);
}

static int build_change(const struct abi_mount_attr *a, struct mount_change *c)
{
	const uint64_t types = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

	if (a->propagation & ~types || a->propagation & (a->propagation - 1))
		return -EINVAL;
	if ((a->attr_set | a->attr_clr) & ~(uint64_t)ATTR_FLAGS) /* MOUNT_ATTR_IDMAP too */
		return -EINVAL;
	c->set = plain_flags(a->attr_set);
	c->clear = plain_flags(a->attr_clr);
	c->propagation = (uint32_t)a->propagation;
	if (!(a->attr_clr & MOUNT_ATTR__ATIME))
		return a->attr_set & MOUNT_ATTR__ATIME ? -EINVAL : 0;
	if ((a->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME)
		return -EINVAL;
	c->clear |= MS_ATIME;
	return atime_flags(a->attr_set, &c->set);
}

int64_t sys_mount_setattr(int32_t dirfd, uaddr_t path, uint32_t flags, uaddr_t uattr, uint64_t size)
{
	const uint32_t known = AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct abi_mount_attr attr;
	struct mount_change c;
	struct path p;
	int err;

	if (flags & ~known)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((err = copy_struct_from_user(&attr, sizeof(attr), uattr, size)))
		return err;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	if ((err = build_change(&attr, &c)) || (err = walk_user(dirfd, path, walk, &p)))
		return err;
	err = mount_set_attributes(&p, &c, flags & AT_RECURSIVE);
	path_put(&p);
	return err;
}
