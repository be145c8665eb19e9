/*
 * inotify: a watch ties an inode (counted) to an instance. Changes are announced by the operations
 * that make them (fsnotify(), vfs/inode.h): an inode nobody watches costs them one load. Events are
 * queued on the instance as they will be read; one that equals the newest is dropped, and past
 * 16,384 a single IN_Q_OVERFLOW stands for the rest.
 *
 * Locks: marks->lock (NOTIFY), then instance->lock (NOTIFYQ). A watch is in both lists while it
 * lives; whoever takes it out of its instance's list under both locks frees it.
 */

#include "vfs/inotify.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/inotify.h"
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/fcntl.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/poll.h"
#include "vfs/usage.h"
#include "vm/usercopy.h"

int vfs_inotify_max_events = 16384, vfs_inotify_max_instances = 128, vfs_inotify_max_watches = 8192;

struct instance {
	struct mutex lock; /* NOTIFYQ */
	struct waitq wait;
	struct list events;
	unsigned nevents;
	struct vfs_usage *usage;
	size_t bytes; /* what reading all events would return */
	struct list watches;
	int last_wd;
	struct list async; /* O_ASYNC */
};

struct watch {
	struct list mark_node; /* in the inode's marks */
	struct list node;      /* in the instance */
	struct inode *inode;   /* counted */
	struct instance *owner;
	uint32_t mask;
	int wd;
};

struct fsnotify_marks {
	struct mutex lock; /* NOTIFY */
	struct list watches;
	struct list registrations; /* dnotify */
};

/* F_NOTIFY: signals the owner of an open directory. Goes when the table that asked closes it. */
struct registration {
	struct list node;
	struct file *file; /* borrowed */
	const struct fdtable *table;
	int fd;
	uint32_t events; /* DN_* */
};

struct event {
	struct list node;
	struct abi_inotify_event ev; /* ev.len bytes of name follow */
};

static const struct file_ops inotify_ops;

static bool same_event(const struct event *a, const struct event *b)
{
	return a->ev.wd == b->ev.wd && a->ev.mask == b->ev.mask && a->ev.cookie == b->ev.cookie &&
	       a->ev.len == b->ev.len && memcmp(a + 1, b + 1, a->ev.len) == 0;
}

static size_t event_bytes(const struct event *e)
{
	return sizeof(e->ev) + e->ev.len;
}

static struct event *event_create(int wd, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t len = name ? ALIGN_UP(strlen(name) + 1, sizeof(struct abi_inotify_event)) : 0;
	struct event *e = kzalloc(sizeof(*e) + len);

	if (e == NULL)
		return NULL;
	e->ev = (struct abi_inotify_event){
		.wd = wd, .mask = mask, .cookie = cookie, .len = (uint32_t)len
	};
	if (name)
		memcpy(e + 1, name, strlen(name));
	return e;
}

static void queue_event(struct instance *in, int wd, uint32_t mask, uint32_t cookie,
			const char *name)
{
	struct event *e;

	if (in->nevents >= (unsigned)vfs_inotify_max_events) {
		wd = -1;
		mask = IN_Q_OVERFLOW;
		cookie = 0;
		name = NULL;
	}
	if ((e = event_create(wd, mask, cookie, name)) == NULL)
		return;
	if (!list_is_empty(&in->events) &&
	    same_event(list_last(&in->events, struct event, node), e)) {
		kfree(e);
		return;
	}
	list_add_tail(&in->events, &e->node);
	in->nevents++;
	in->bytes += event_bytes(e);
	waitq_wake_all(&in->wait, EPOLLIN | EPOLLRDNORM);
	async_signal(&in->async, POLL_IN);
}

/* Both locks held; the inode reference is the caller's to put, without them. */
static struct inode *watch_remove_locked(struct watch *w, bool tell)
{
	struct inode *i = w->inode;

	if (tell)
		queue_event(w->owner, w->wd, IN_IGNORED, 0, NULL);
	list_remove(&w->mark_node);
	list_remove(&w->node);
	vfs_usage_add(w->owner->usage, USAGE_INOTIFY_WATCHES, -1);
	kfree(w);
	return i;
}

/* The DN_* bits of what happened to an entry of a directory. */
static uint32_t dnotify_events(uint32_t mask, bool within)
{
	uint32_t dn = 0;

	dn |= mask & IN_ACCESS ? DN_ACCESS : 0;
	dn |= mask & IN_MODIFY ? DN_MODIFY : 0;
	dn |= mask & IN_ATTRIB ? DN_ATTRIB : 0;
	dn |= mask & (IN_CREATE | IN_MOVED_TO) ? DN_CREATE : 0;
	dn |= mask & (IN_DELETE | IN_MOVED_FROM) ? DN_DELETE : 0;
	return dn | (within ? DN_RENAME : 0);
}

static void dnotify_locked(struct fsnotify_marks *m, uint32_t mask)
{
	uint32_t events = dnotify_events(mask, mask & FSNOTIFY_SAME_DIR);
	struct registration *r, *tmp;

	list_for_each_safe (r, tmp, &m->registrations, node) {
		if (!(r->events & events))
			continue;
		r->file->async_fd = r->fd;
		file_send_sigio(r->file, POLL_MSG);
		if (!(r->events & DN_MULTISHOT)) {
			list_remove(&r->node);
			kfree(r);
		}
	}
}

static void notify(struct inode *i, uint32_t mask, const char *name, uint32_t cookie)
{
	struct fsnotify_marks *m = atomic_load_explicit(&i->marks, memory_order_acquire);
	uint32_t event = mask & (IN_ALL_EVENTS | FSNOTIFY_SAME_DIR);
	bool gone = mask & IN_EXCL_UNLINK; /* the entry is no longer in the directory */
	struct watch *w, *tmp;
	unsigned puts = 0;

	mask &= ~(uint32_t)(IN_EXCL_UNLINK | FSNOTIFY_SAME_DIR);
	mutex_lock(&m->lock);
	if (UNLIKELY(!list_is_empty(&m->registrations)) && name != NULL)
		dnotify_locked(m, event);
	list_for_each_safe (w, tmp, &m->watches, mark_node) {
		struct instance *in = w->owner;

		if (!(w->mask & event) || (gone && w->mask & IN_EXCL_UNLINK))
			continue;
		mutex_lock(&in->lock);
		queue_event(in, w->wd, mask, cookie, name);
		if (w->mask & IN_ONESHOT) {
			watch_remove_locked(w, true);
			puts++;
		}
		mutex_unlock(&in->lock);
	}
	mutex_unlock(&m->lock);
	while (puts--)
		inode_put(i);
}

void fsnotify_inode_gone(struct inode *i, uint32_t mask)
{
	struct fsnotify_marks *m = atomic_load_explicit(&i->marks, memory_order_acquire);
	uint32_t is_dir = mask == IN_UNMOUNT && S_ISDIR(i->mode) ? IN_ISDIR : 0;
	struct watch *w, *tmp;
	unsigned puts = 0;

	if (m == NULL)
		return;
	mutex_lock(&m->lock);
	list_for_each_safe (w, tmp, &m->watches, mark_node) {
		struct instance *in = w->owner;

		mutex_lock(&in->lock);
		if (mask == IN_UNMOUNT || w->mask & mask)
			queue_event(in, w->wd, mask | is_dir, 0, NULL);
		watch_remove_locked(w, true);
		mutex_unlock(&in->lock);
		puts++;
	}
	mutex_unlock(&m->lock);
	while (puts--)
		inode_put(i);
}

static struct fsnotify_marks *marks_of(struct inode *i)
{
	struct fsnotify_marks *m = atomic_load(&i->marks), *none = NULL;

	if (m != NULL || (m = kzalloc(sizeof(*m))) == NULL)
		return m;
	mutex_init(&m->lock, RANK_NOTIFY);
	list_init(&m->watches);
	list_init(&m->registrations);
	if (!atomic_compare_exchange_strong(&i->marks, &none, m)) {
		kfree(m);
		m = none;
	}
	return m;
}

static struct registration *find_registration(struct fsnotify_marks *m, const struct file *f,
					      const struct fdtable *t)
{
	struct registration *r;

	list_for_each (r, &m->registrations, node)
		if (r->file == f && (t == NULL || r->table == t))
			return r;
	return NULL;
}

void dnotify_close(struct file *f, const struct fdtable *t)
{
	struct fsnotify_marks *m = atomic_load(&f->inode->marks);
	struct registration *r;

	mutex_lock(&m->lock);
	if ((r = find_registration(m, f, t)) != NULL)
		list_remove(&r->node);
	mutex_unlock(&m->lock);
	kfree(r);
}

int vfs_dnotify_enable = 1;

int64_t dnotify_set(struct file *f, int fd, uint32_t events)
{
	struct registration *r, *new;
	struct fsnotify_marks *m;

	if (!vfs_dnotify_enable)
		return -EINVAL;
	if (!S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	if (!(events & ~(uint32_t)DN_MULTISHOT)) {
		if (f->mode & FMODE_NOTIFY)
			dnotify_close(f, curthread()->files);
		return 0;
	}
	if ((m = marks_of(f->inode)) == NULL || (new = kzalloc(sizeof(*new))) == NULL)
		return -ENOMEM;
	if (atomic_load(&f->owner_pid) == 0)
		file_own(f);
	mutex_lock(&m->lock);
	r = find_registration(m, f, curthread()->files);
	if (r == NULL) {
		r = new;
		new = NULL;
		*r = (struct registration){ .file = f, .table = curthread()->files };
		list_add_tail(&m->registrations, &r->node);
	}
	r->fd = fd;
	r->events |= events;
	f->mode |= FMODE_NOTIFY;
	mutex_unlock(&m->lock);
	kfree(new);
	return 0;
}

static int watch_add_locked(struct instance *in, struct fsnotify_marks *m, struct inode *i,
			    uint32_t mask)
{
	struct watch *w;

	if ((w = kmalloc(sizeof(*w))) == NULL)
		return -ENOMEM;
	if (vfs_usage_add(in->usage, USAGE_INOTIFY_WATCHES, 1) > vfs_inotify_max_watches) {
		vfs_usage_add(in->usage, USAGE_INOTIFY_WATCHES, -1);
		kfree(w);
		return -ENOSPC;
	}
	inode_get(i);
	w->inode = i;
	w->owner = in;
	w->mask = mask;
	w->wd = ++in->last_wd;
	list_add_tail(&m->watches, &w->mark_node);
	list_add_tail(&in->watches, &w->node);
	return w->wd;
}

int inotify_watch(struct file *f, const struct path *p, uint32_t mask)
{
	struct inode *i = dentry_inode(p->dentry);
	struct instance *in = f->priv;
	struct fsnotify_marks *m;
	struct watch *w;
	int ret = 0;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	if ((m = marks_of(i)) == NULL)
		return -ENOMEM;
	mutex_lock(&m->lock);
	mutex_lock(&in->lock);
	list_for_each (w, &m->watches, mark_node)
		if (w->owner == in) {
			if (mask & IN_MASK_CREATE)
				ret = -EEXIST;
			else
				w->mask = mask & IN_MASK_ADD ? w->mask | mask : mask;
			ret = ret ? ret : w->wd;
			break;
		}
	if (ret == 0)
		ret = watch_add_locked(in, m, i, mask);
	mutex_unlock(&in->lock);
	mutex_unlock(&m->lock);
	return ret;
}

/* The inode of watch wd (or of any watch, wd 0), counted. The instance's lock ranks below the
 * marks', so the inode is found first and the watch looked up again under both. */
static struct inode *find_watched(struct instance *in, int wd)
{
	struct inode *i = NULL;
	struct watch *w;

	mutex_lock(&in->lock);
	list_for_each (w, &in->watches, node)
		if (wd == 0 || w->wd == wd) {
			i = w->inode;
			inode_get(i);
			break;
		}
	mutex_unlock(&in->lock);
	return i;
}

static int remove_watch(struct instance *in, struct inode *i, int wd, bool tell)
{
	struct fsnotify_marks *m = atomic_load(&i->marks);
	struct watch *w, *tmp;
	bool found = false;

	mutex_lock(&m->lock);
	mutex_lock(&in->lock);
	list_for_each_safe (w, tmp, &m->watches, mark_node)
		if (w->owner == in && (wd == 0 || w->wd == wd)) {
			watch_remove_locked(w, tell);
			found = true;
			break;
		}
	mutex_unlock(&in->lock);
	mutex_unlock(&m->lock);
	if (found)
		inode_put(i);
	inode_put(i);
	return found ? 0 : -EINVAL;
}

int inotify_unwatch(struct file *f, int wd)
{
	struct inode *i;

	if (f->ops != &inotify_ops || wd <= 0 || (i = find_watched(f->priv, wd)) == NULL)
		return -EINVAL;
	return remove_watch(f->priv, i, wd, true);
}

/* Moves whole events into u. -EINVAL when not even the first fits. */
static ssize64_t read_events_locked(struct instance *in, struct uio *u)
{
	ssize64_t total = 0;

	while (!list_is_empty(&in->events)) {
		struct event *e = list_first(&in->events, struct event, node);
		size_t n = event_bytes(e);

		if (u->resid < n)
			return total ? total : -EINVAL;
		if (uio_put(u, &e->ev, n) != n)
			return total ? total : -EFAULT;
		total += (ssize64_t)n;
		list_remove(&e->node);
		in->nevents--;
		in->bytes -= n;
		kfree(e);
	}
	return total;
}

static ssize64_t inotify_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct instance *in = f->priv;
	ssize64_t n = 0;

	(void)pos;
	mutex_lock(&in->lock);
	while (n == 0 && list_is_empty(&in->events))
		n = atomic_load(&f->flags) & O_NONBLOCK
			    ? -EAGAIN
			    : wait_unlocked(&in->wait, &in->lock, THREAD_SLEEP_INTR, NSEC_MAX);
	if (n == 0)
		n = read_events_locked(in, u);
	mutex_unlock(&in->lock);
	return n;
}

static uint32_t inotify_poll(struct file *f, struct poll_ctx *ctx)
{
	struct instance *in = f->priv;

	poll_wait(ctx, &in->wait);
	return in->nevents ? EPOLLIN | EPOLLRDNORM : 0;
}

static int64_t inotify_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct instance *in = f->priv;

	return cmd == FIONREAD ? put_user_u32(UADDR(arg), (uint32_t)in->bytes) : -ENOTTY;
}

static int inotify_fasync(struct file *f, bool on)
{
	struct instance *in = f->priv;
	int err;

	mutex_lock(&in->lock);
	err = async_set(&in->async, f, on);
	mutex_unlock(&in->lock);
	return err;
}

static void instance_free(struct instance *in)
{
	vfs_usage_add(in->usage, USAGE_INOTIFY_INSTANCES, -1);
	vfs_usage_put(in->usage);
	kfree(in);
}

static void inotify_release(struct file *f)
{
	struct instance *in = f->priv;
	struct inode *i;

	while ((i = find_watched(in, 0)) != NULL) {
		int gone_already = remove_watch(in, i, 0, false);
		(void)gone_already;
	}
	while (!list_is_empty(&in->events)) {
		struct event *e = list_first(&in->events, struct event, node);

		list_remove(&e->node);
		kfree(e);
	}
	instance_free(in);
}

static void inotify_show_fdinfo(struct file *f, struct textbuf *t)
{
	struct instance *in = f->priv;
	struct watch *w;

	mutex_lock(&in->lock);
	list_for_each (w, &in->watches, node)
		text_f(t, "inotify wd:%x ino:%lx sdev:%lx mask:%x ignored_mask:0\n", w->wd,
		       (unsigned long)w->inode->ino, (unsigned long)w->inode->sb->dev, w->mask);
	mutex_unlock(&in->lock);
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.fasync = inotify_fasync,
	.release = inotify_release,
	.show_fdinfo = inotify_show_fdinfo,
	.flags = FOP_STREAM | FOP_CAN_POLL,
	.seek = noop_seek,
};

int inotify_open(unsigned oflags, struct file **out)
{
	struct instance *in = kzalloc(sizeof(*in));
	int err;

	if (in == NULL)
		return -ENOMEM;
	if ((in->usage = vfs_usage_get(current_cred()->uid)) == NULL) {
		kfree(in);
		return -ENOMEM;
	}
	if (vfs_usage_add(in->usage, USAGE_INOTIFY_INSTANCES, 1) > vfs_inotify_max_instances) {
		instance_free(in);
		return -EMFILE;
	}
	mutex_init(&in->lock, RANK_NOTIFYQ);
	waitq_init(&in->wait);
	list_init(&in->events);
	list_init(&in->watches);
	list_init(&in->async);
	if ((err = file_create_anon("inotify", &inotify_ops, in, O_RDONLY | oflags, out)))
		instance_free(in);
	return err;
}

void inotify_init(void)
{
	fsnotify_hook = notify;
}
