/*
 * Leases, fcntl(2) F_SETLEASE. A read lease stands against writing, a write lease against any use
 * by others. Who comes in its way tells the holder, and waits until the lease is given up or
 * lowered, or until its time is over: then the lease itself is lowered.
 *
 * Leases are in the inode's flock_list, under its lock.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "core/clock.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "vfs/fcntl.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/lock_priv.h"

int vfs_lease_break_time = 45, vfs_leases_enable = 1;

struct lease {
	struct list node;
	struct file *file; /* borrowed */
	int type;          /* F_RDLCK, F_WRLCK */
	int target;        /* what it is to become: type while nobody wants it broken */
	nsec_t deadline;   /* of the break */
	int32_t pid;
};

static struct lease *find_lease(struct flock_list *l, const struct file *f)
{
	struct lease *e;

	list_for_each (e, &l->leases, node)
		if (e->file == f)
			return e;
	return NULL;
}

static void drop_lease(struct flock_list *l, struct lease *e)
{
	list_remove(&e->node);
	kfree(e);
	waitq_wake_all(&l->changed, 0);
}

/* Is the file open in a way that a lease of this type cannot bear? */
static bool is_used_otherwise(struct file *f, int type)
{
	uint32_t writers = atomic_load(&f->inode->nwriters);

	if (type == F_RDLCK)
		return f->mode & FMODE_WRITE || (int32_t)writers > 0;
	return atomic_load(&f->path.dentry->ref) > 1 || writers > (f->mode & FMODE_WRITE ? 1u : 0u);
}

static int64_t set_locked(struct flock_list *l, struct file *f, int type, struct lease *new,
			  bool *used)
{
	struct lease *e = find_lease(l, f), *other;

	if (type == F_UNLCK) {
		if (e == NULL)
			return -EAGAIN;
		drop_lease(l, e);
		return 0;
	}
	if (e != NULL && e->target != e->type && type != e->target)
		return -EAGAIN; /* it is being broken: it cannot be strengthened */
	if (is_used_otherwise(f, type))
		return -EAGAIN;
	list_for_each (other, &l->leases, node)
		if (other != e && (type == F_WRLCK || other->type == F_WRLCK))
			return -EAGAIN;
	if (e == NULL) {
		e = new;
		*used = true;
		e->file = f;
		e->pid = vfs_current_tgid();
		list_add_tail(&l->leases, &e->node);
	}
	e->type = e->target = type;
	waitq_wake_all(&l->changed, 0);
	return 0;
}

int64_t file_set_lease(struct file *f, int fd, int type)
{
	struct flock_list *l;
	struct lease *new;
	bool used = false;
	int64_t ret;

	if (f->inode->uid != current_cred()->fsuid && !capable(CAP_LEASE))
		return -EACCES;
	if (!S_ISREG(f->inode->mode) || (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK))
		return -EINVAL;
	if (type != F_UNLCK && !vfs_leases_enable)
		return -EINVAL;
	if ((l = flock_list_of(f->inode)) == NULL || (new = kzalloc(sizeof(*new))) == NULL)
		return -ENOMEM;
	mutex_lock(&l->lock);
	ret = set_locked(l, f, type, new, &used);
	mutex_unlock(&l->lock);
	if (!used)
		kfree(new);
	if (used) {
		f->async_fd = fd;
		if (atomic_load(&f->owner_pid) == 0)
			file_own(f);
	}
	return ret;
}

int64_t file_get_lease(struct file *f)
{
	struct flock_list *l = atomic_load(&f->inode->locks);
	struct lease *e;
	int type = F_UNLCK;

	if (l == NULL)
		return type;
	mutex_lock(&l->lock);
	if ((e = find_lease(l, f)) != NULL)
		type = e->target;
	mutex_unlock(&l->lock);
	return type;
}

/* Those that stand against the access are told once. Returns when the first may be taken away;
 * NSEC_MAX: none stands. */
static nsec_t begin_break_locked(struct flock_list *l, const struct file *f, bool write)
{
	int target = write ? F_UNLCK : F_RDLCK;
	nsec_t first = NSEC_MAX;
	struct lease *e;

	list_for_each (e, &l->leases, node) {
		bool told = e->target != e->type;

		if (e->file == f || (e->type == F_RDLCK && !write))
			continue;
		if (!told || (write && e->target == F_RDLCK))
			e->target = target;
		if (!told) {
			e->deadline = clock_mono() + vfs_lease_break_time * NSEC_PER_SEC;
			file_send_sigio(e->file, POLL_MSG);
		}
		first = MIN(first, e->deadline);
	}
	return first;
}

/* The time of those is over. */
static void force_locked(struct flock_list *l)
{
	nsec_t now = clock_mono();
	struct lease *e, *tmp;

	list_for_each_safe (e, tmp, &l->leases, node) {
		if (e->target == e->type || e->deadline > now)
			continue;
		if (e->target == F_UNLCK)
			drop_lease(l, e);
		else
			e->type = e->target;
	}
}

int inode_break_leases(struct inode *i, const struct file *f, bool write, bool nonblock)
{
	struct flock_list *l = atomic_load(&i->locks);
	nsec_t deadline;
	int err = 0;

	if (l == NULL)
		return 0;
	mutex_lock(&l->lock);
	while (!err && (deadline = begin_break_locked(l, f, write)) != NSEC_MAX) {
		err = nonblock ? -EWOULDBLOCK
			       : wait_unlocked(&l->changed, &l->lock, THREAD_SLEEP_INTR, deadline);
		if (err == -ETIMEDOUT) {
			force_locked(l);
			err = 0;
		}
	}
	mutex_unlock(&l->lock);
	return err;
}

void lease_release(struct flock_list *l, struct file *f)
{
	struct lease *e;

	mutex_lock(&l->lock);
	if ((e = find_lease(l, f)) != NULL)
		drop_lease(l, e);
	mutex_unlock(&l->lock);
}

unsigned leases_show(struct textbuf *t, unsigned n, struct flock_list *l)
{
	uint64_t dev = l->inode->sb->dev;
	struct lease *e;

	list_for_each (e, &l->leases, node)
		text_f(t, "%u: LEASE  %s  %s %d %02x:%02x:%lu 0 EOF\n", ++n,
		       e->target != e->type ? "BREAKING" : "ACTIVE  ",
		       e->type == F_RDLCK ? "READ" : "WRITE", e->pid, (unsigned)(dev >> 8 & 0xfff),
		       (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)),
		       (unsigned long)l->inode->ino);
	return n;
}
