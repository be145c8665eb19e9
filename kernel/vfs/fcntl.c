/* fcntl(2): status flags, owners, locks, pipe sizes, seals. */

#include "vfs/fcntl.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/inotify.h"
#include "vfs/lock.h"
#include "vfs/pipe.h"
#include "vm/usercopy.h"

void (*file_send_sigio)(struct file *f, int band);
void (*file_send_sigurg)(struct file *f);
bool (*vfs_owner_exists)(int type, int nr);
int64_t (*memfd_seals_hook)(struct file *f, int cmd, uint64_t arg);

enum { SETTABLE_FLAGS = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK };

int file_set_status(struct file *f, int fd, uint32_t flags)
{
	uint32_t old = atomic_load(&f->flags), settable = SETTABLE_FLAGS, new;
	int changes;

	/* An append-only file is written at its end by everybody. */
	if (~flags & old & O_APPEND && inode_is_append_only(f->inode))
		return -EPERM;
	if (flags & ~old & O_NOATIME && !inode_owner_or_capable(current_cred(), f->inode))
		return -EPERM;
	if (flags & ~old & O_DIRECT && !(f->ops->flags & FOP_DIRECT) && pipe_of(f) == NULL)
		return -EINVAL;
	if ((changes = file_set_async(f, fd, flags & O_ASYNC)) < 0)
		return changes;
	if (!changes)
		settable &= ~(uint32_t)O_ASYNC;
	do
		new = (old & ~settable) | (flags & settable);
	while (!atomic_compare_exchange_weak(&f->flags, &old, new));
	return 0;
}

/* F_SETOWN has a pid, or minus a process group; F_SETOWN_EX says which. */
static int64_t set_owner(struct file *f, int type, int pid)
{
	const struct cred *c = current_cred();

	if (pid < 0)
		return -EINVAL;
	if (pid > 0 && !vfs_owner_exists(type, pid))
		return -ESRCH;
	f->owner_type = type;
	f->owner_uid = c->uid;
	f->owner_euid = c->euid;
	atomic_store(&f->owner_pid, (uint32_t)pid);
	return 0;
}

void file_own(struct file *f)
{
	int64_t never_fails = set_owner(f, F_OWNER_PID, vfs_current_tgid());

	(void)never_fails;
}

static int64_t owner_commands(struct file *f, int cmd, uint64_t arg)
{
	struct abi_f_owner_ex ex;
	int who = (int)arg, pid = (int)atomic_load(&f->owner_pid);

	switch (cmd) {
	case F_SETOWN:
		if (who == INT32_MIN)
			return -EINVAL;
		return who < 0 ? set_owner(f, F_OWNER_PGRP, -who) : set_owner(f, F_OWNER_PID, who);
	case F_GETOWN:
		return f->owner_type == F_OWNER_PGRP ? -pid : pid;
	case F_SETOWN_EX:
		if (copy_from_user(&ex, UADDR(arg), sizeof(ex)))
			return -EFAULT;
		return ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP
			       ? -EINVAL
			       : set_owner(f, ex.type, ex.pid);
	case F_GETOWN_EX:
		ex.type = f->owner_type;
		ex.pid = pid;
		return copy_to_user(UADDR(arg), &ex, sizeof(ex));
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner_sig = (int)arg;
		return 0;
	case F_GETSIG:
		return f->owner_sig;
	}
	return -EINVAL;
}

static int64_t lock_commands(struct file *f, int cmd, uint64_t arg)
{
	struct abi_flock fl;
	int64_t ret;

	if (copy_from_user(&fl, UADDR(arg), sizeof(fl)))
		return -EFAULT;
	ret = file_posix_lock(f, cmd, &fl);
	if (ret == 0 && (cmd == F_GETLK || cmd == F_OFD_GETLK))
		ret = copy_to_user(UADDR(arg), &fl, sizeof(fl));
	return ret;
}

/* Who set the owner: real and effective user ids. */
static int64_t owner_uids(struct file *f, uint64_t arg)
{
	const uint32_t ids[2] = { f->owner_uid, f->owner_euid };

	return copy_to_user(UADDR(arg), ids, sizeof(ids));
}

/* How long written data is likely to live: a hint for devices, kept with the inode. */
static int64_t write_hints(struct file *f, int cmd, uint64_t arg)
{
	struct inode *i = f->inode;
	uint64_t hint = i->write_hint;

	if (cmd == F_GET_RW_HINT)
		return put_user_u64(UADDR(arg), hint);
	if (get_user_u64(&hint, UADDR(arg)))
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	write_lock(&i->lock);
	i->write_hint = (uint8_t)hint;
	write_unlock(&i->lock);
	return 0;
}

int64_t file_fcntl(struct file *f, int fd, int cmd, uint64_t arg)
{
	struct pipe *p = pipe_of(f);

	switch (cmd) {
	case F_GETFL:
		return atomic_load(&f->flags);
	case F_SETFL:
		return file_set_status(f, fd, (uint32_t)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_commands(f, cmd, arg);
	case F_SETPIPE_SZ:
		return p ? pipe_set_size(p, (uint32_t)arg) : -EBADF;
	case F_GETPIPE_SZ:
		return p ? (int64_t)(p->nslots * PAGE_SIZE) : -EBADF;
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return memfd_seals_hook ? memfd_seals_hook(f, cmd, arg) : -EINVAL;
	case F_SETLEASE:
		return file_set_lease(f, fd, (int)arg);
	case F_GETLEASE:
		return file_get_lease(f);
	case F_NOTIFY:
		return dnotify_set(f, fd, (uint32_t)arg);
	case F_GETOWNER_UIDS:
		return owner_uids(f, arg);
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
		return write_hints(f, cmd, arg);
	}
	return owner_commands(f, cmd, arg);
}
