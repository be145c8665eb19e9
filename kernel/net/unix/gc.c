/*
 * Sockets in flight, and those that went into each other. A socket that is only to be had by
 * receiving it from a socket which is itself only to be had so is lost for ever, with all that its
 * queue holds; counting references does not see that.
 *
 * Every socket in flight knows how often it is (`inflight`). A collection looks at them all, while
 * gc_lock keeps files from going into flight or out of it:
 *  1. One whose file has more references than that is held by a descriptor or a call: reachable.
 *  2. For the others, references from each other's queues are subtracted from a copy of the count.
 *     What remains comes from a queue outside of the set: reachable.
 *  3. What lies in the queue of a reachable one is reachable.
 *  4. The queues of the rest are emptied, which closes them.
 * A reachable one cannot become unreachable unseen, nor the reverse: that takes a receive or a send
 * of it (gc_lock), or the close of a descriptor, after which a later collection follows.
 *
 * It runs in a worker, asked for by the close of any socket while sockets are in flight. After each
 * one it rests REST times as long as that took, so that its share of a CPU is bounded, however many
 * sockets there are and however often one is closed.
 */

#include "abi/errno.h"
#include "core/clock.h"
#include "net/unix/unix_priv.h"
#include "pmm/slab.h"
#include "sched/timer.h"
#include "sched/work.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"

enum { COLLECT_AT = 16000, USER_BUCKETS = 16, REST = 8 };

/* Files in flight per sender's user id: RLIMIT_NOFILE. Never freed: there are few users. */
struct user_inflight {
	struct user_inflight *next;
	uint32_t uid, n;
};

static struct mutex gc_lock = MUTEX(gc_lock, UNIXGC);
static struct list inflight = LIST_INIT(inflight);      /* gc_lock: sockets */
static struct user_inflight *user_bucket[USER_BUCKETS]; /* gc_lock */
static _Atomic uint32_t sockets_inflight, files_inflight;

static struct unix_sock *socket_behind(struct file *f)
{
	struct socket *s = socket_of(f);

	return s != NULL && s->family == AF_UNIX ? unix_of(s) : NULL;
}

static struct user_inflight *user_of(uint32_t uid)
{
	struct user_inflight **chain = &user_bucket[uid % USER_BUCKETS], *u = *chain;

	while (u != NULL && u->uid != uid)
		u = u->next;
	if (u == NULL && (u = kzalloc(sizeof(*u))) != NULL) {
		u->uid = uid;
		u->next = *chain;
		*chain = u;
	}
	return u;
}

static int charge_user(uint32_t uid, unsigned n)
{
	struct user_inflight *u = user_of(uid);

	if (u == NULL)
		return -ENOMEM;
	if (u->n > vfs_nofile_limit() && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		return -ETOOMANYREFS;
	u->n += n;
	return 0;
}

static void collect(void);

int unix_inflight_add(struct file **file, unsigned n, uint32_t uid)
{
	int err;

	if (atomic_load(&files_inflight) > COLLECT_AT)
		collect();
	mutex_lock(&gc_lock);
	err = charge_user(uid, n);
	for (unsigned i = 0; i < n && !err; i++) {
		struct unix_sock *u = socket_behind(file[i]);

		if (u != NULL && u->inflight++ == 0) {
			list_add_tail(&inflight, &u->inflight_node);
			atomic_fetch_add(&sockets_inflight, 1);
		}
	}
	mutex_unlock(&gc_lock);
	if (!err)
		atomic_fetch_add(&files_inflight, n);
	return err;
}

void unix_inflight_remove(struct file **file, unsigned n, uint32_t uid)
{
	mutex_lock(&gc_lock);
	user_of(uid)->n -= n;
	for (unsigned i = 0; i < n; i++) {
		struct unix_sock *u = socket_behind(file[i]);

		if (u != NULL && --u->inflight == 0) {
			list_remove(&u->inflight_node);
			atomic_fetch_sub(&sockets_inflight, 1);
		}
	}
	mutex_unlock(&gc_lock);
	atomic_fetch_sub(&files_inflight, n);
}

void unix_inflight_peek(struct file **file, unsigned n)
{
	mutex_lock(&gc_lock);
	for (unsigned i = 0; i < n; i++)
		file_get(file[i]);
	mutex_unlock(&gc_lock);
}

/* --- collection --- */

typedef void visit_fn(struct unix_sock *u, struct list *ctx);

static void visit_queue(struct list *queue, visit_fn *fn, struct list *ctx)
{
	struct unix_msg *m;

	list_for_each (m, queue, node) {
		/* A reader that takes them away now waits for gc_lock before it goes on. */
		struct unix_rights *r = *(struct unix_rights *volatile *)&m->rights;

		for (unsigned i = 0; r != NULL && i < r->n; i++) {
			struct unix_sock *u = socket_behind(r->file[i]);

			if (u != NULL)
				fn(u, ctx);
		}
	}
}

/* Calls fn for every socket in u's queue and, for a listener, in those of what it would accept. */
static void visit_inside(struct unix_sock *u, visit_fn *fn, struct list *ctx)
{
	struct unix_sock *end;

	spin_lock(&u->lock);
	visit_queue(&u->queue, fn, ctx);
	list_for_each (end, &u->pending, pending_node) {
		spin_lock_nested(&end->lock);
		visit_queue(&end->queue, fn, ctx);
		spin_unlock(&end->lock);
	}
	spin_unlock(&u->lock);
	thread_resched_point();
}

static void subtract(struct unix_sock *u, struct list *ctx)
{
	(void)ctx;
	u->gc_refs--;
}

static void make_live(struct unix_sock *u, struct list *live)
{
	if (u->gc_live)
		return;
	u->gc_live = true;
	list_remove(&u->inflight_node);
	list_add_tail(live, &u->inflight_node);
}

static bool is_held(struct unix_sock *u)
{
	struct file *f = atomic_load_explicit(&u->s.file, memory_order_acquire);

	return ref_count(&f->ref) > u->inflight;
}

/* Splits the sockets in flight: what remains in `lost` is not reachable. */
static void find_lost(struct list *lost, struct list *live)
{
	struct unix_sock *u, *next;

	list_for_each (u, &inflight, inflight_node) {
		u->gc_refs = u->inflight;
		u->gc_live = false;
	}
	list_for_each_safe (u, next, &inflight, inflight_node)
		if (is_held(u))
			make_live(u, live);
	list_splice_tail(lost, &inflight);
	list_for_each (u, lost, inflight_node)
		visit_inside(u, subtract, NULL);
	list_for_each_safe (u, next, lost, inflight_node)
		if (u->gc_refs > 0)
			make_live(u, live);
	list_for_each (u, live, inflight_node) /* grows while it is walked */
		visit_inside(u, make_live, live);
}

static void empty_queue(struct unix_sock *u, struct list *doomed)
{
	struct unix_sock *end;

	spin_lock(&u->lock);
	list_splice_tail(doomed, &u->queue);
	u->queue_len = 0;
	u->oob = NULL;
	list_for_each (end, &u->pending, pending_node) {
		spin_lock_nested(&end->lock);
		list_splice_tail(doomed, &end->queue);
		end->oob = NULL;
		spin_unlock(&end->lock);
	}
	spin_unlock(&u->lock);
}

static void collect(void)
{
	struct list lost = LIST_INIT(lost), live = LIST_INIT(live), doomed = LIST_INIT(doomed);
	struct unix_sock *u;

	mutex_lock(&gc_lock);
	find_lost(&lost, &live);
	list_for_each (u, &lost, inflight_node)
		empty_queue(u, &doomed);
	list_splice_tail(&inflight, &live);
	list_splice_tail(&inflight, &lost);
	mutex_unlock(&gc_lock);
	unix_msgs_free(&doomed);
}

/* --- when --- */

static struct work gc_work;
static struct timer gc_timer;
static _Atomic bool wanted;
static nsec_t not_before; /* of the one who set `wanted`, and of the worker after */

static void collect_work(struct work *w)
{
	nsec_t began = clock_mono(), now;

	(void)w;
	atomic_store(&wanted, false);
	collect();
	now = clock_mono();
	not_before = now + REST * (now - began);
}

static void rest_is_over(struct timer *t)
{
	(void)t;
	work_queue(&gc_work);
}

void unix_gc_init(void)
{
	work_init(&gc_work, collect_work);
	timer_init(&gc_timer, rest_is_over);
}

void unix_gc_hint(void)
{
	if (LIKELY(atomic_load_explicit(&sockets_inflight, memory_order_relaxed) == 0) ||
	    atomic_exchange(&wanted, true))
		return;
	if (clock_mono() >= not_before)
		work_queue(&gc_work);
	else
		timer_arm(&gc_timer, not_before);
}
