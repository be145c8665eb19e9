/* ustat(2) and sysfs(2): questions about file systems from before statfs(2) and /proc/filesystems;
 * vhangup(2). */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/statfs.h"
#include "lib/string.h"
#include "sys/syscalls.h"
#include "tty/tty.h"
#include "vfs/inode.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"

int64_t sys_ustat(uint32_t dev, uaddr_t ubuf)
{
	struct superblock *sb = superblock_lookup(dev);
	struct abi_ustat u = { 0 };
	struct abi_statfs s = { 0 };
	int err;

	if (sb == NULL)
		return -EINVAL;
	err = sb->ops->statfs ? sb->ops->statfs(sb, &s) : 0;
	superblock_put(sb);
	if (err)
		return err;
	u.f_tfree = (int32_t)s.f_bfree;
	u.f_tinode = (uint64_t)s.f_ffree;
	return copy_to_user(ubuf, &u, sizeof(u));
}

int64_t sys_vhangup(void)
{
	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_vhangup();
	return 0;
}

int64_t sys_sysfs(int32_t option, uint64_t arg1, uint64_t arg2)
{
	struct user_path name;
	struct fs_type *t;
	int ret;

	switch (option) {
	case 1:
		if ((ret = user_path_get(&name, UADDR(arg1), WALK_EMPTY)))
			return ret;
		ret = fs_type_index(name.name);
		user_path_put(&name);
		return ret;
	case 2:
		if ((t = fs_type_at((unsigned)arg1)) == NULL)
			return -EINVAL;
		return copy_to_user(UADDR(arg2), t->name, strlen(t->name) + 1);
	case 3:
		return fs_type_count();
	}
	return -EINVAL;
}
