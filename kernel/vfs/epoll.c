/*
 * epoll: per watched (file, descriptor) an item in a tree, and a list of those that may be ready. A
 * watched file's wake-up puts its item on the ready list and wakes a sleeper: O(1), from any
 * context. epoll_wait(2) takes items off that list, asks each file for its state, and puts
 * level-triggered ones back: O(ready), whatever the number of items.
 *
 * Locks, outer to inner: epoll_tree (EPOLLTREE) when an epoll watches an epoll, and for every
 * teardown that starts at a watched file or at the epoll; ep->lock (EPOLL) the item tree;
 * epoll_files_lock (EPOLLFILES) the chain file->epitems; ep->ready_lock (EPOLLREADY, inside
 * wake-ups) the ready list.
 *
 * An item does not count its file: it goes when the file does (epoll_file_closing). An epoll that
 * is itself watched tells its watchers from a work item: a wake-up inside a wake-up would nest
 * without bound.
 *
 * Sources: epoll(7), epoll_ctl(2), epoll_wait(2).
 */

#include "vfs/epoll.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "sched/mutex.h"
#include "sched/work.h"
#include "vfs/file.h"
#include "vfs/poll.h"
#include "vm/usercopy.h"

enum {
	EPOLL_MAX_DEPTH = 4, /* below the first */
	EPOLL_MODES = (int)(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE),
	EPOLL_WAITS = 2, /* queues an item can wait on without allocation */
};

struct epoll {
	struct mutex lock;
	struct rbtree items; /* lock */
	struct spinlock ready_lock;
	struct list ready;     /* ready_lock; struct epitem.ready_node */
	struct waitq wait;     /* epoll_wait sleepers; WAITQ2 */
	struct waitq watchers; /* poll and epolls that watch this one */
	struct work tell_watchers;
	struct file *file; /* its own; borrowed */
	unsigned nitems;
	uint32_t pass;        /* of those that take ready items; lock */
	uint32_t up_pass;     /* the last walk upwards that came by, and how high it was then; */
	unsigned up_level;    /* EPOLLFILES */
	_Atomic bool watched; /* somebody polled it: watchers must be told */
	_Atomic bool
		collecting; /* lock to write: somebody has the ready items, and looks at them */
};

struct epwait {
	struct waiter waiter;
	struct waitq *queue;
	struct epitem *item;
	struct epwait *next;
};

struct epitem {
	struct rbnode node; /* in ep->items, by (file, fd) */
	struct list ready_node;
	struct epoll *ep;
	struct file *file;
	int fd;
	uint32_t pass;                /* the last one that took it; ep->lock */
	struct abi_epoll_event event; /* ep->lock; events read by wake-ups */
	_Atomic uint32_t interest;    /* events asked for; 0 when disarmed by EPOLLONESHOT */
	struct epitem *file_next;     /* in file->epitems; EPOLLFILES */
	unsigned nwaits;
	struct epwait wait[EPOLL_WAITS];
	struct epwait *more_waits;
};

static struct mutex epoll_tree = MUTEX(epoll_tree, EPOLLTREE);
static struct spinlock epoll_files_lock = SPINLOCK(EPOLLFILES);
static struct slab_cache *item_cache;
static const struct file_ops epoll_file_ops;

static struct epoll *epoll_of(struct file *f)
{
	return f->ops == &epoll_file_ops ? f->priv : NULL;
}

static void item_make_ready(struct epitem *it)
{
	struct epoll *ep = it->ep;
	irqstate_t s = spin_lock_irq(&ep->ready_lock);
	bool added = !list_is_linked(&it->ready_node);

	if (added)
		list_add_tail(&ep->ready, &it->ready_node);
	spin_unlock_irq(&ep->ready_lock, s);
	if (!added)
		return;
	if (!waitq_is_empty(&ep->wait))
		waitq_wake_one(&ep->wait, EPOLLIN);
	if (atomic_load_explicit(&ep->watched, memory_order_relaxed))
		work_queue(&ep->tell_watchers);
}

static bool item_woken(struct waiter *w, uint32_t events)
{
	struct epitem *it = container_of(w, struct epwait, waiter)->item;
	uint32_t interest = atomic_load_explicit(&it->interest, memory_order_relaxed);

	if (interest == 0 || (events != 0 && !(events & interest)))
		return false;
	item_make_ready(it);
	return true;
}

static void tell_watchers(struct work *w)
{
	struct epoll *ep = container_of(w, struct epoll, tell_watchers);

	waitq_wake_all(&ep->watchers, EPOLLIN | EPOLLRDNORM);
}

/* Registration with one of the file's queues, while epoll_ctl asks the file for its state. */
struct item_poll {
	struct poll_ctx ctx;
	struct epitem *item;
};

static void item_queue(struct poll_ctx *ctx, struct waitq *q)
{
	struct epitem *it = container_of(ctx, struct item_poll, ctx)->item;
	struct epwait *w;

	if (it->nwaits < EPOLL_WAITS) {
		w = &it->wait[it->nwaits++];
	} else if ((w = kmalloc(sizeof(*w))) != NULL) {
		w->next = it->more_waits;
		it->more_waits = w;
	} else {
		ctx->error = -ENOMEM;
		return;
	}
	waiter_init(&w->waiter);
	w->waiter.wake = item_woken;
	w->waiter.exclusive = it->event.events & EPOLLEXCLUSIVE;
	w->item = it;
	w->queue = q;
	waitq_add(q, &w->waiter);
}

static int item_compare(const struct epitem *it, const struct file *f, int fd)
{
	if (it->file != f)
		return it->file < f ? -1 : 1;
	return it->fd < fd ? -1 : it->fd > fd;
}

static struct epitem *item_find(struct epoll *ep, const struct file *f, int fd,
				struct rbnode **parent, struct rbnode ***link)
{
	*parent = NULL;
	*link = &ep->items.root;
	while (**link) {
		struct epitem *it = rb_entry(**link, struct epitem, node);
		int c = item_compare(it, f, fd);

		if (c == 0)
			return it;
		*parent = **link;
		*link = c > 0 ? &(*parent)->left : &(*parent)->right;
	}
	return NULL;
}

static void item_leave_queues(struct epitem *it)
{
	struct epwait *w;

	for (unsigned i = 0; i < it->nwaits; i++)
		waitq_remove(it->wait[i].queue, &it->wait[i].waiter);
	while ((w = it->more_waits) != NULL) {
		it->more_waits = w->next;
		waitq_remove(w->queue, &w->waiter);
		kfree(w);
	}
}

/* Takes the item out of everything and frees it. ep->lock is held. */
static void item_destroy(struct epitem *it)
{
	struct epoll *ep = it->ep;
	irqstate_t s;

	item_leave_queues(it);
	spin_lock(&epoll_files_lock);
	struct epitem *head =
		(struct epitem *)atomic_load_explicit(&it->file->epitems, memory_order_relaxed);
	if (head == it) {
		atomic_store_explicit(&it->file->epitems, it->file_next, memory_order_relaxed);
	} else {
		while (head->file_next != it)
			head = head->file_next;
		head->file_next = it->file_next;
	}
	spin_unlock(&epoll_files_lock);
	s = spin_lock_irq(&ep->ready_lock);
	list_remove(&it->ready_node);
	spin_unlock_irq(&ep->ready_lock, s);
	rb_remove(&ep->items, &it->node);
	ep->nitems--;
	slab_free(item_cache, it);
}

/* Deeper than EPOLL_MAX_DEPTH, or leads back to `top`. epoll_tree is held, so no item of an epoll
 * in an epoll changes. */
static bool nesting_is_bad(struct epoll *ep, const struct epoll *top, unsigned depth)
{
	bool bad = ep == top || depth > EPOLL_MAX_DEPTH;

	if (bad)
		return true;
	mutex_lock_nested(&ep->lock);
	for (struct rbnode *n = rb_first(&ep->items); n && !bad; n = rb_next(n)) {
		struct epoll *inner = epoll_of(rb_entry(n, struct epitem, node)->file);

		bad = inner != NULL && nesting_is_bad(inner, top, depth + 1);
	}
	mutex_unlock(&ep->lock);
	return bad;
}

/*
 * How many epolls are above f in the longest chain, or EPOLL_MAX_DEPTH if those are more; `level`
 * is f's own height. An epoll that the walk comes by again is looked at only when it is higher this
 * time. epoll_files_lock is held.
 */
static unsigned levels_above(const struct file *f, unsigned level, uint32_t pass)
{
	struct epitem *it =
		(struct epitem *)atomic_load_explicit(&f->epitems, memory_order_relaxed);
	unsigned most = level, there;

	for (; it != NULL && most < EPOLL_MAX_DEPTH; it = it->file_next) {
		struct epoll *ep = it->ep;

		if (ep->up_pass == pass && ep->up_level > level)
			continue;
		ep->up_pass = pass;
		ep->up_level = level + 1;
		there = levels_above(ep->file, level + 1, pass);
		most = MAX(most, there);
	}
	return most;
}

static int item_add(struct epoll *ep, int fd, struct file *f, const struct abi_epoll_event *ev,
		    struct rbnode *parent, struct rbnode **link)
{
	struct epitem *it = slab_zalloc(item_cache);
	struct item_poll ip = { .ctx = { .queue = item_queue }, .item = it };

	if (it == NULL)
		return -ENOMEM;
	list_init(&it->ready_node);
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->event = *ev;
	atomic_init(&it->interest, (ev->events & ~(uint32_t)EPOLL_MODES) | EPOLLERR | EPOLLHUP);
	rb_insert(&ep->items, &it->node, parent, link);
	ep->nitems++;
	spin_lock(&epoll_files_lock);
	it->file_next = (struct epitem *)atomic_load_explicit(&f->epitems, memory_order_relaxed);
	atomic_store_explicit(&f->epitems, it, memory_order_relaxed);
	spin_unlock(&epoll_files_lock);

	ip.ctx.interest = it->interest;
	uint32_t now = file_poll(f, &ip.ctx);
	if (ip.ctx.error) {
		item_destroy(it);
		return ip.ctx.error;
	}
	if (now & it->interest)
		item_make_ready(it);
	return 0;
}

static int item_modify(struct epitem *it, const struct abi_epoll_event *ev)
{
	if ((ev->events | it->event.events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	it->event = *ev;
	atomic_store(&it->interest, (ev->events & ~(uint32_t)EPOLL_MODES) | EPOLLERR | EPOLLHUP);
	if (file_poll(it->file, NULL) & it->interest)
		item_make_ready(it);
	return 0;
}

static int control_locked(struct epoll *ep, int op, int fd, struct file *f,
			  const struct abi_epoll_event *ev)
{
	struct rbnode *parent, **link;
	struct epitem *it = item_find(ep, f, fd, &parent, &link);

	switch (op) {
	case EPOLL_CTL_ADD:
		return it ? -EEXIST : item_add(ep, fd, f, ev, parent, link);
	case EPOLL_CTL_MOD:
		return it ? item_modify(it, ev) : -ENOENT;
	case EPOLL_CTL_DEL:
		if (it == NULL)
			return -ENOENT;
		item_destroy(it);
		return 0;
	}
	return -EINVAL;
}

/* An epoll that is to watch another: the tree of epolls must stay a tree, and shallow. */
static int control_nested(struct epoll *ep, int fd, struct file *f,
			  const struct abi_epoll_event *ev)
{
	static uint32_t pass; /* EPOLLFILES */
	struct epoll *inner = epoll_of(f);
	unsigned above;
	int err = -ELOOP;

	mutex_lock(&epoll_tree);
	spin_lock(&epoll_files_lock);
	above = levels_above(ep->file, 0, ++pass);
	spin_unlock(&epoll_files_lock);
	if (!nesting_is_bad(inner, ep, above + 1)) {
		atomic_store(&inner->watched, true);
		mutex_lock(&ep->lock);
		err = control_locked(ep, EPOLL_CTL_ADD, fd, f, ev);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&epoll_tree);
	return err;
}

int epoll_control(struct file *epf, int op, int fd, struct file *f,
		  const struct abi_epoll_event *ev)
{
	struct epoll *ep = epoll_of(epf), *inner = epoll_of(f);
	uint32_t exclusive_ok =
		EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
	int err;

	if (f->ops->poll == NULL)
		return -EPERM;
	if (ep == NULL || ep == inner)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE &&
	    (op == EPOLL_CTL_MOD || inner || ev->events & ~exclusive_ok))
		return -EINVAL;
	if (inner != NULL && op == EPOLL_CTL_ADD)
		return control_nested(ep, fd, f, ev);
	mutex_lock(&ep->lock);
	err = control_locked(ep, op, fd, f, ev);
	mutex_unlock(&ep->lock);
	return err;
}

/* The first ready item that this pass has not had yet. NULL: none; what is behind one that it had
 * is newer than the pass. Only wake-ups add items without ep->lock, and nobody removes any: no
 * lock. */
static inline struct epitem *ready_first(struct epoll *ep, uint32_t pass)
{
	struct list *n = atomic_load_explicit((_Atomic(struct list *) *)&ep->ready.next,
					      memory_order_acquire);
	struct epitem *it = list_entry(n, struct epitem, ready_node);

	if (n == &ep->ready || it->pass == pass)
		return NULL;
	it->pass = pass;
	return it;
}

static inline void ready_take(struct epitem *it)
{
	irqstate_t s = spin_lock_irq(&it->ep->ready_lock);

	list_remove(&it->ready_node);
	spin_unlock_irq(&it->ep->ready_lock, s);
}

/* To the end of the list, wherever it is now. */
static void ready_append(struct epitem *it)
{
	irqstate_t s = spin_lock_irq(&it->ep->ready_lock);

	list_remove(&it->ready_node);
	list_add_tail(&it->ep->ready, &it->ready_node);
	spin_unlock_irq(&it->ep->ready_lock, s);
}

static inline uint32_t item_ask(struct epitem *it)
{
	return file_poll(it->file, NULL) & it->interest;
}

/* The state of an item on the ready list, which it leaves unless it is ready: taken off before the
 * question, or asked again after it, so that a wake-up during the question is not lost. */
static inline uint32_t item_settle(struct epitem *it)
{
	uint32_t now;

	if (LIKELY(!(it->event.events & (EPOLLET | EPOLLONESHOT))) && (now = item_ask(it)))
		return now;
	ready_take(it);
	return item_ask(it);
}

/* Reports one item if it is really ready. 1: reported; 0: not ready; -EFAULT. */
static inline int item_report(struct epitem *it, uaddr_t out)
{
	uint32_t now = item_settle(it);
	struct abi_epoll_event ev = { .events = now, .data = it->event.data };
	bool fault;

	if (now == 0)
		return 0;
	fault = copy_to_user(out, &ev, sizeof(ev));
	if (!fault && it->event.events & EPOLLONESHOT)
		atomic_store(&it->interest, 0);
	else if ((fault || !(it->event.events & EPOLLET)) &&
		 (it->ready_node.next != it->ready_node.prev || !list_is_linked(&it->ready_node)))
		ready_append(it);
	return fault ? -EFAULT : 1;
}

/*
 * One pass over what is on the ready list now, each item at most once: level-triggered ones go to
 * the end of the list, and so does what is woken meanwhile.
 */
static int collect_locked(struct epoll *ep, uaddr_t events, int max)
{
	uint32_t pass = ++ep->pass;
	struct epitem *it;
	int n = 0, r = 0;

	atomic_store(&ep->collecting, true);
	while (n < max && (it = ready_first(ep, pass)) != NULL) {
		r = item_report(it,
				uaddr_add(events, (uint64_t)n * sizeof(struct abi_epoll_event)));
		if (r < 0)
			break;
		n += r;
	}
	atomic_store_explicit(&ep->collecting, false, memory_order_release);
	return n > 0 ? n : MIN(r, 0);
}

/* Nothing is ready, and nobody has taken away what was, to look at it and put some back. */
static bool ready_is_empty(struct epoll *ep)
{
	return atomic_load_explicit((_Atomic(struct list *) *)&ep->ready.next,
				    memory_order_acquire) == &ep->ready &&
	       !atomic_load_explicit(&ep->collecting, memory_order_acquire);
}

/* Sleeps until something may be ready. 0; -ETIMEDOUT; -ERESTARTSYS. */
static NOINLINE int wait_ready(struct epoll *ep, nsec_t deadline)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	w.exclusive = true;
	wait_prepare(&ep->wait, &w, THREAD_SLEEP_INTR);
	if (ready_is_empty(ep))
		err = wait_sleep(deadline);
	wait_finish(&ep->wait, &w);
	return err;
}

/* What was not taken, or is level triggered, is for the next sleeper: its wake-up may have come to
 * us. */
static inline void pass_on(struct epoll *ep)
{
	if (UNLIKELY(!waitq_is_empty(&ep->wait)) && !ready_is_empty(ep))
		waitq_wake_one(&ep->wait, EPOLLIN);
}

int epoll_collect(struct file *epf, uaddr_t events, int max, nsec_t deadline)
{
	struct epoll *ep = epoll_of(epf);
	int n = 0, err = 0;

	if (ep == NULL)
		return -EINVAL;
	while (!err) {
		if (!ready_is_empty(ep)) {
			mutex_lock(&ep->lock);
			n = collect_locked(ep, events, max);
			mutex_unlock(&ep->lock);
			pass_on(ep);
			if (n != 0)
				return n;
		}
		if (deadline == 0)
			return 0;
		err = wait_ready(ep, deadline);
	}
	return err == -ETIMEDOUT ? 0 : err;
}

/* Readable when some item really is: the ready list may hold level-triggered items that have been
 * drained since. */
static uint32_t epoll_poll(struct file *f, struct poll_ctx *ctx)
{
	struct epoll *ep = f->priv;
	struct epitem *it;
	bool ready = false;

	if (ctx != NULL && ctx->queue != NULL)
		atomic_store(&ep->watched, true);
	poll_wait(ctx, &ep->watchers);
	if (ready_is_empty(ep))
		return 0;
	mutex_lock_nested(&ep->lock);
	ep->pass++;
	while (!ready && (it = ready_first(ep, ep->pass)) != NULL) {
		ready = item_settle(it);
		if (ready && it->event.events & (EPOLLET | EPOLLONESHOT))
			ready_append(it);
	}
	mutex_unlock(&ep->lock);
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct rbnode *n;

	mutex_lock(&epoll_tree);
	mutex_lock(&ep->lock);
	while ((n = rb_first(&ep->items)) != NULL)
		item_destroy(rb_entry(n, struct epitem, node));
	mutex_unlock(&ep->lock);
	mutex_unlock(&epoll_tree);
	if (atomic_load(&ep->watched))
		work_flush(); /* tell_watchers may still be queued */
	kfree(ep);
}

static void file_closing(struct file *f)
{
	struct epitem *it;

	mutex_lock(&epoll_tree);
	while ((it = (struct epitem *)atomic_load(&f->epitems)) != NULL) {
		struct epoll *ep = it->ep;

		mutex_lock(&ep->lock);
		item_destroy(it);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&epoll_tree);
}

int epoll_target(struct file *epf, int fd, uint32_t nth, const void **out)
{
	struct epoll *ep = epoll_of(epf);
	int err = -ENOENT;

	if (ep == NULL)
		return -EINVAL;
	mutex_lock(&ep->lock);
	for (struct rbnode *n = rb_first(&ep->items); n && err; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		if (it->fd == fd && nth-- == 0) {
			*out = it->file;
			err = 0;
		}
	}
	mutex_unlock(&ep->lock);
	return err;
}

static void epoll_show_fdinfo(struct file *f, struct textbuf *t)
{
	struct epoll *ep = f->priv;

	mutex_lock(&ep->lock);
	for (struct rbnode *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		text_f(t, "tfd: %8d events: %8x data: %16lx  pos:%lu ino:%lx sdev:%lx\n", it->fd,
		       it->event.events | EPOLLERR | EPOLLHUP, (unsigned long)it->event.data,
		       (unsigned long)it->file->pos, (unsigned long)it->file->inode->ino,
		       (unsigned long)it->file->inode->sb->dev);
	}
	mutex_unlock(&ep->lock);
}

static const struct file_ops epoll_file_ops = {
	.release = epoll_release,
	.poll = epoll_poll,
	.show_fdinfo = epoll_show_fdinfo,
	.flags = FOP_STREAM | FOP_CAN_POLL,
	.seek = noop_seek,
};

int epoll_open(unsigned oflags, struct file **out)
{
	struct epoll *ep = kzalloc(sizeof(*ep));
	int err;

	if (ep == NULL)
		return -ENOMEM;
	mutex_init(&ep->lock, RANK_EPOLL);
	spin_init(&ep->ready_lock, RANK_EPOLLREADY);
	list_init(&ep->ready);
	waitq_init(&ep->wait);
	spin_init(&ep->wait.lock, RANK_WAITQ2);
	waitq_init(&ep->watchers);
	work_init(&ep->tell_watchers, tell_watchers);
	if ((err = file_create_anon("[eventpoll]", &epoll_file_ops, ep, O_RDWR | oflags, out)))
		kfree(ep);
	else
		ep->file = *out;
	return err;
}

void epoll_init(void)
{
	item_cache = slab_cache_create("epitem", sizeof(struct epitem), 8, NULL);
	epoll_file_closing = file_closing;
}
