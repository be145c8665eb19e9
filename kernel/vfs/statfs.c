/* statfs(2): the file system's numbers, with the mount's flags. */

#include "abi/statfs.h"

#include "abi/errno.h"
#include "abi/mount.h"
#include "lib/string.h"
#include "vfs/namei.h"
#include "vfs/vfs_priv.h"

static int64_t statfs_flags(const struct path *p)
{
	uint32_t m = p->mnt->flags, s = p->mnt->sb->flags;
	int64_t f = ST_VALID;

	f |= (m | s) & MS_RDONLY ? ST_RDONLY : 0;
	f |= m & MS_NOSUID ? ST_NOSUID : 0;
	f |= m & MS_NODEV ? ST_NODEV : 0;
	f |= m & MS_NOEXEC ? ST_NOEXEC : 0;
	f |= m & MS_NOATIME ? ST_NOATIME : 0;
	f |= m & MS_NODIRATIME ? ST_NODIRATIME : 0;
	f |= m & MS_RELATIME ? ST_RELATIME : 0;
	f |= s & MS_SYNCHRONOUS ? ST_SYNCHRONOUS : 0;
	f |= s & MS_MANDLOCK ? ST_MANDLOCK : 0;
	return f;
}

int vfs_statfs(const struct path *p, struct abi_statfs *out)
{
	struct superblock *sb =
		dentry_inode(p->dentry)->sb; /* of a pipe: pipefs, whatever mount the path names */
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->f_type = sb->magic;
	out->f_bsize = out->f_frsize = sb->blocksize;
	out->f_namelen = NAME_LEN_MAX;
	out->f_fsid.val[0] = (int32_t)sb->dev;
	out->f_fsid.val[1] = (int32_t)(sb->dev >> 32);
	if (sb->ops->statfs)
		err = sb->ops->statfs(sb, out);
	out->f_flags = statfs_flags(p);
	return err;
}
