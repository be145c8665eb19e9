/*
 * File locks. Three kinds share one mechanism: a lock is a byte range with an owner. POSIX record
 * locks belong to a descriptor table (the process), open-file-description locks to a struct file,
 * flock(2) locks to a struct file with the whole file as their range and a list of their own,
 * because the kinds do not see flock's.
 *
 * An inode's locks are one list sorted by start, under list->lock (FLOCK). Setting a range takes
 * the owner's overlapping pieces out, cuts them, and puts the new range in, merged with neighbours
 * of the same owner and type; the (at most two) pieces that a cut needs are allocated before
 * anything changes.
 *
 * A blocked POSIX request is on `blocked` with the owner it waits for: a cycle there is EDEADLK.
 *
 * Sources: fcntl(2), flock(2), POSIX.1-2024 fcntl.
 */

#include "vfs/lock.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "lib/fmt.h"
#include "lib/list.h"
#include "pmm/slab.h"
#include "sched/mutex.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/lock_priv.h"

int32_t (*vfs_current_tgid)(void);

struct blocked_request {
	struct list node;
	const void *owner, *waits_for;
};

static struct mutex blocked_lock = MUTEX(blocked_lock, FLOCKWAIT);
static struct list blocked = LIST_INIT(blocked);
static struct slab_cache *lock_cache;

/* Every inode's list, for /proc/locks. A list leaves before its inode goes. */
static struct mutex all_lock = MUTEX(all_lock, FLOCKALL);
static struct list all_lists = LIST_INIT(all_lists);

void file_lock_init(void)
{
	lock_cache = slab_cache_create("file_lock", sizeof(struct file_lock), 8, NULL);
}

struct flock_list *flock_list_of(struct inode *i)
{
	struct flock_list *l = atomic_load(&i->locks), *none = NULL;

	if (l != NULL || (l = kzalloc(sizeof(*l))) == NULL)
		return l;
	mutex_init(&l->lock, RANK_FLOCK);
	list_init(&l->ranges);
	list_init(&l->flocks);
	list_init(&l->leases);
	waitq_init(&l->changed);
	l->inode = i;
	if (!atomic_compare_exchange_strong(&i->locks, &none, l)) {
		kfree(l);
		return none;
	}
	mutex_lock(&all_lock);
	list_add_tail(&all_lists, &l->all);
	mutex_unlock(&all_lock);
	return l;
}

void file_lock_free_list(struct inode *i)
{
	struct flock_list *l = atomic_load(&i->locks);

	mutex_lock(&all_lock);
	list_remove(&l->all);
	mutex_unlock(&all_lock);
	atomic_store(&i->locks, NULL);
	kfree(l);
}

static bool overlaps(const struct file_lock *a, const struct file_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static struct file_lock *find_conflict(struct list *in, const struct file_lock *want)
{
	struct file_lock *l;

	list_for_each (l, in, node)
		if (l->owner != want->owner && overlaps(l, want) &&
		    (l->type == F_WRLCK || want->type == F_WRLCK))
			return l;
	return NULL;
}

static void insert_sorted(struct list *in, struct file_lock *new)
{
	struct file_lock *l;

	list_for_each (l, in, node)
		if (l->start > new->start)
			break;
	list_add_tail(&l->node, &new->node);
}

/* Cuts `want` out of one of the owner's locks; *spare becomes the right-hand piece of a cut in the
 * middle. */
static void cut(struct file_lock *l, const struct file_lock *want, struct list *in,
		struct file_lock **spare)
{
	if (l->start < want->start && l->end > want->end) {
		struct file_lock *right = *spare;

		*spare = NULL;
		*right = *l;
		right->start = want->end + 1;
		l->end = want->start - 1;
		insert_sorted(in, right);
	} else if (l->start < want->start) {
		l->end = want->start - 1;
	} else if (l->end > want->end) {
		l->start = want->end + 1;
		list_remove(&l->node);
		insert_sorted(in, l);
	} else {
		list_remove(&l->node);
		slab_free(lock_cache, l);
	}
}

/* Grows `new` over the owner's neighbours of the same type. */
static void merge(struct list *in, struct file_lock *new)
{
	struct file_lock *l, *tmp;

	list_for_each_safe (l, tmp, in, node) {
		if (l == new || l->owner != new->owner || l->type != new->type)
			continue;
		if ((l->end != INT64_MAX && l->end + 1 == new->start) ||
		    (new->end != INT64_MAX &&new->end + 1 == l->start)) {
			new->start = MIN(new->start, l->start);
			new->end = MAX(new->end, l->end);
			list_remove(&l->node);
			slab_free(lock_cache, l);
		}
	}
	list_remove(&new->node);
	insert_sorted(in, new);
}

/* Makes the owner's lock over want's range what want says. new and spare are consumed (freed when
 * unused). */
static void apply(struct list *in, const struct file_lock *want, struct file_lock *new,
		  struct file_lock *spare)
{
	struct file_lock *l, *tmp;

	list_for_each_safe (l, tmp, in, node)
		if (l->owner == want->owner && overlaps(l, want))
			cut(l, want, in, &spare);
	if (want->type == F_UNLCK) {
		slab_free(lock_cache, new);
	} else {
		*new = *want;
		list_init(&new->node);
		insert_sorted(in, new);
		merge(in, new);
	}
	if (spare)
		slab_free(lock_cache, spare);
}

/* True when waits_for, directly or through others, waits for owner. */
static bool would_deadlock_locked(const void *owner, const void *waits_for)
{
	struct blocked_request *b;

	for (unsigned steps = 0; steps < 64; steps++) {
		const void *next = NULL;

		if (waits_for == owner)
			return true;
		list_for_each (b, &blocked, node)
			if (b->owner == waits_for) {
				next = b->waits_for;
				break;
			}
		if (next == NULL)
			return false;
		waits_for = next;
	}
	return false;
}

static int wait_for_change(struct flock_list *l, const struct file_lock *want,
			   const struct file_lock *conflict)
{
	struct blocked_request b = { .owner = want->owner, .waits_for = conflict->owner };
	bool detect = want->kind == LOCK_POSIX, deadlock = false;
	int err;

	if (detect) {
		mutex_lock(&blocked_lock);
		deadlock = would_deadlock_locked(b.owner, b.waits_for);
		list_add_tail(&blocked, &b.node);
		mutex_unlock(&blocked_lock);
	}
	err = deadlock ? -EDEADLK
		       : wait_unlocked(&l->changed, &l->lock, THREAD_SLEEP_INTR, NSEC_MAX);
	if (detect) {
		mutex_lock(&blocked_lock);
		list_remove(&b.node);
		mutex_unlock(&blocked_lock);
	}
	return err;
}

static int set_lock(struct flock_list *l, struct list *in, const struct file_lock *want, bool wait,
		    int busy)
{
	struct file_lock *new = slab_alloc(lock_cache), *spare = slab_alloc(lock_cache), *conflict;
	int err = new &&spare ? 0 : -ENOLCK;

	mutex_lock(&l->lock);
	while (!err && want->type != F_UNLCK && (conflict = find_conflict(in, want)) != NULL)
		err = wait ? wait_for_change(l, want, conflict) : busy;
	if (!err) {
		apply(in, want, new, spare);
		waitq_wake_all(&l->changed, 0);
	}
	mutex_unlock(&l->lock);
	if (err && new)
		slab_free(lock_cache, new);
	if (err && spare)
		slab_free(lock_cache, spare);
	return err;
}

int file_flock(struct file *f, unsigned operation)
{
	struct file_lock want = { .owner = f, .start = 0, .end = INT64_MAX, .kind = LOCK_FLOCK };
	struct flock_list *l;

	switch (operation & ~(unsigned)LOCK_NB) {
	case LOCK_SH:
		want.type = F_RDLCK;
		break;
	case LOCK_EX:
		want.type = F_WRLCK;
		break;
	case LOCK_UN:
		want.type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	want.pid = vfs_current_tgid();
	if ((l = flock_list_of(f->inode)) == NULL)
		return -ENOLCK;
	return set_lock(l, &l->flocks, &want, !(operation & LOCK_NB), -EWOULDBLOCK);
}

/* The byte range that a struct flock names, after its l_whence. */
static int resolve_range(struct file *f, const struct abi_flock *fl, struct file_lock *out)
{
	off64_t base, start, end;

	switch (fl->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = (off64_t)f->inode->size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->l_start, &start))
		return -EOVERFLOW;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(start, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len == 0) {
		end = INT64_MAX;
	} else {
		end = start - 1;
		if (__builtin_add_overflow(start, fl->l_len, &start))
			return -EINVAL;
	}
	if (start < 0 || end < start)
		return -EINVAL;
	out->start = start;
	out->end = end;
	return 0;
}

static void report_conflict(struct abi_flock *fl, const struct file_lock *l)
{
	fl->l_type = (int16_t)l->type;
	fl->l_whence = SEEK_SET;
	fl->l_start = l->start;
	fl->l_len = l->end == INT64_MAX ? 0 : l->end - l->start + 1;
	fl->l_pid = l->kind == LOCK_OFD ? -1 : l->pid;
}

int file_posix_lock(struct file *f, int cmd, struct abi_flock *fl)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct file_lock want = { .kind = ofd ? LOCK_OFD : LOCK_POSIX, .type = fl->l_type },
			 *conflict;
	struct flock_list *l;
	int err;

	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && (fl->l_type != F_UNLCK || get))
		return -EINVAL;
	if (ofd && fl->l_pid != 0)
		return -EINVAL;
	if ((err = resolve_range(f, fl, &want)))
		return err;
	if (!get && ((fl->l_type == F_RDLCK && !(f->mode & FMODE_READ)) ||
		     (fl->l_type == F_WRLCK && !(f->mode & FMODE_WRITE))))
		return -EBADF;
	want.owner = ofd ? (const void *)f : (const void *)curthread()->files;
	want.pid = vfs_current_tgid();
	if ((l = flock_list_of(f->inode)) == NULL)
		return -ENOLCK;
	if (!get)
		return set_lock(l, &l->ranges, &want, cmd == F_SETLKW || cmd == F_OFD_SETLKW,
				-EAGAIN);
	mutex_lock(&l->lock);
	if ((conflict = find_conflict(&l->ranges, &want)) != NULL)
		report_conflict(fl, conflict);
	else
		fl->l_type = F_UNLCK;
	mutex_unlock(&l->lock);
	return 0;
}

static void drop_owner(struct flock_list *l, struct list *in, const void *owner)
{
	struct file_lock *k, *tmp;
	bool any = false;

	mutex_lock(&l->lock);
	list_for_each_safe (k, tmp, in, node)
		if (k->owner == owner) {
			list_remove(&k->node);
			slab_free(lock_cache, k);
			any = true;
		}
	if (any)
		waitq_wake_all(&l->changed, 0);
	mutex_unlock(&l->lock);
}

void file_lock_close_posix(struct file *f, struct fdtable *owner)
{
	struct flock_list *l = atomic_load_explicit(&f->inode->locks, memory_order_acquire);

	if (l != NULL)
		drop_owner(l, &l->ranges, owner);
}

void file_lock_release(struct file *f)
{
	struct flock_list *l = atomic_load_explicit(&f->inode->locks, memory_order_acquire);

	if (l == NULL)
		return;
	drop_owner(l, &l->flocks, f);
	drop_owner(l, &l->ranges, f);
	lease_release(l, f);
}

static void show_one(struct textbuf *t, unsigned n, const struct inode *i,
		     const struct file_lock *l)
{
	static const char *const kinds[] = { "POSIX ", "OFDLCK", "FLOCK " };
	uint64_t dev = i->sb->dev;

	text_f(t, "%u: %s ADVISORY  %s %d %02x:%02x:%lu %ld ", n, kinds[l->kind],
	       l->type == F_RDLCK ? "READ" : "WRITE", l->kind == LOCK_OFD ? -1 : l->pid,
	       (unsigned)(dev >> 8 & 0xfff), (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)),
	       (unsigned long)i->ino, (long)l->start);
	if (l->end == INT64_MAX)
		text_f(t, "EOF\n");
	else
		text_f(t, "%ld\n", (long)l->end);
}

void file_locks_show_of(struct file *f, const struct fdtable *table, struct textbuf *t)
{
	struct flock_list *fl = atomic_load_explicit(&f->inode->locks, memory_order_acquire);
	struct file_lock *l;
	unsigned n = 0;

	if (fl == NULL)
		return;
	mutex_lock(&fl->lock);
	list_for_each (l, &fl->ranges, node)
		if (l->owner == f || l->owner == table) {
			text_f(t, "lock:\t");
			show_one(t, ++n, fl->inode, l);
		}
	list_for_each (l, &fl->flocks, node)
		if (l->owner == f) {
			text_f(t, "lock:\t");
			show_one(t, ++n, fl->inode, l);
		}
	mutex_unlock(&fl->lock);
}

void file_locks_show(struct textbuf *t)
{
	struct flock_list *fl;
	struct file_lock *l;
	unsigned n = 0;

	mutex_lock(&all_lock);
	list_for_each (fl, &all_lists, all) {
		mutex_lock(&fl->lock);
		list_for_each (l, &fl->ranges, node)
			show_one(t, ++n, fl->inode, l);
		list_for_each (l, &fl->flocks, node)
			show_one(t, ++n, fl->inode, l);
		n = leases_show(t, n, fl);
		mutex_unlock(&fl->lock);
	}
	mutex_unlock(&all_lock);
}
