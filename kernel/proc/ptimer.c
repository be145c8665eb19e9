#include "proc/clocks.h"

/*
 * POSIX timers. Each has its own queue entry, so that its signal is pending at most once and needs
 * no memory when it fires in the timer interrupt. A periodic timer is armed again only when its
 * signal is taken: what passed meanwhile is the overrun, and a short period costs one interrupt per
 * signal that is received. A signal that is thrown away (ignored) is its own receiver, at most
 * every tick.
 *
 * Timers on CPU-time clocks have no kernel timer: the tick looks at them (itimer.c). SIGEV_NONE
 * ones neither: their state is computed when asked for.
 *
 * All state under the siglock, which the callback takes; so it is cancelled only without it.
 * Source: timer_create(2), timer_settime(2), timer_getoverrun(2), sigevent(3type).
 */

#include "abi/errno.h"
#include "abi/time.h"
#include "core/clock.h"
#include "lib/checked.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "sched/sched.h"
#include "vfs/cred.h"

#define MIN_UNHEARD_PERIOD (4 * NSEC_PER_MSEC)

struct posix_timer {
	struct rbnode node;             /* process->posix_timers; siglock */
	struct list cpu_node;           /* process->cpu_ptimers */
	int id, clockid, notify, signo; /* immutable */
	struct process *process;        /* borrowed: the timer goes first */
	struct task *target;            /* SIGEV_THREAD_ID; counted */
	struct task *thread;            /* whose CPU time it is; counted; NULL: the process's */
	int cpu_kind;                   /* CPUCLOCK_*; with is_cpu */
	bool is_cpu;
	bool deleted;
	nsec_t expires;      /* CLOCK_MONOTONIC, or CPU time; 0: off */
	nsec_t real_expires; /* CLOCK_REALTIME, when set absolutely on it; else 0 */
	nsec_t interval;
	int64_t overrun;  /* since the last signal */
	int overrun_last; /* of the last signal taken */
	struct timer timer;
	struct sigqueue_entry entry;
};

/* With the siglock held: the process's own clocks without taking it again. */
static nsec_t now_of(const struct posix_timer *pt)
{
	nsec_t u, s;

	if (!pt->is_cpu)
		return clock_mono();
	if (pt->thread != NULL && pt->cpu_kind == CPUCLOCK_SCHED)
		return sched_runtime(&pt->thread->thread);
	if (pt->thread != NULL)
		sched_account(&pt->thread->thread, &u, &s);
	else
		process_times_locked(pt->process, &u, &s);
	return pt->cpu_kind == CPUCLOCK_VIRT ? u : u + s;
}

static struct sigpending *queue_of(struct posix_timer *pt)
{
	return pt->target != NULL ? &pt->target->pending : &pt->process->pending;
}

static void arm(struct posix_timer *pt)
{
	if (pt->is_cpu)
		atomic_store_explicit(&pt->process->cpu_timers, true, memory_order_relaxed);
	else if (pt->notify != SIGEV_NONE)
		timer_arm(&pt->timer, pt->expires);
}

/* The expiry after now, at least `least` ahead; what is skipped is overrun. */
static void advance(struct posix_timer *pt, nsec_t now, nsec_t least)
{
	nsec_t n, until = nsec_add(now, least);

	if (pt->interval == 0) {
		pt->expires = 0;
		return;
	}
	n = until < pt->expires ? 0 : (until - pt->expires) / pt->interval + 1;
	pt->overrun += n > 0 ? n - 1 : 0;
	pt->expires = nsec_add_periods(pt->expires, n, pt->interval);
	if (pt->real_expires != 0)
		pt->real_expires = nsec_add_periods(pt->real_expires, n, pt->interval);
	arm(pt);
}

void ptimer_signal_taken(struct posix_timer *pt, struct abi_siginfo *si)
{
	nsec_t now = now_of(pt);

	if (pt->expires != 0 && now >= pt->expires)
		advance(pt, now, 0);
	pt->overrun_last = (int)MIN(pt->overrun, (int64_t)INT32_MAX);
	pt->overrun = 0;
	si->timer.overrun = pt->overrun_last;
}

void ptimer_signal_dropped(struct posix_timer *pt)
{
	if (!pt->deleted && pt->expires != 0)
		advance(pt, now_of(pt), MIN_UNHEARD_PERIOD);
	pt->overrun = 0;
}

/* The time has come. Under the siglock. */
static void fire(struct posix_timer *pt, nsec_t now)
{
	struct sigqueue_entry *e = &pt->entry;

	if (pt->notify == SIGEV_NONE || list_is_linked(&e->node))
		return;
	(void)signal_queue_locked(pt->process, pt->target, pt->signo, &e->info, &e);
	if (e != NULL)
		advance(pt, now, MIN_UNHEARD_PERIOD); /* thrown away */
	else if (pt->interval == 0)
		pt->expires = 0;
}

static void fired(struct timer *t)
{
	struct posix_timer *pt = container_of(t, struct posix_timer, timer);
	struct siglock l = siglock(pt->process);
	nsec_t now = clock_mono();

	if (!pt->deleted && pt->expires != 0 && now >= pt->expires)
		fire(pt, now);
	sigunlock(l);
}

bool ptimer_check_cpu(struct process *p)
{
	struct posix_timer *pt;
	bool armed = false;

	list_for_each (pt, &p->cpu_ptimers, cpu_node) {
		nsec_t now;

		if (pt->expires == 0)
			continue;
		armed = true;
		now = now_of(pt);
		if (now >= pt->expires)
			fire(pt, now);
	}
	return armed;
}

/* --- finding --- */

static struct posix_timer *find_locked(struct process *p, int id)
{
	struct rbnode *n = p->posix_timers.root;

	while (n != NULL) {
		struct posix_timer *pt = rb_entry(n, struct posix_timer, node);

		if (id == pt->id)
			return pt;
		n = id < pt->id ? n->left : n->right;
	}
	return NULL;
}

static void insert_locked(struct process *p, struct posix_timer *pt)
{
	struct rbnode **link = &p->posix_timers.root, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = pt->id < rb_entry(parent, struct posix_timer, node)->id ? &parent->left
									       : &parent->right;
	}
	rb_insert(&p->posix_timers, &pt->node, parent, link);
	if (pt->is_cpu)
		list_add_tail(&p->cpu_ptimers, &pt->cpu_node);
}

/* --- creating --- */

static int find_own_task(int tid, struct task **out)
{
	struct task *t = task_lookup((uint32_t)tid);

	if (t == NULL || t->process != curproc()) {
		task_put(t);
		return -EINVAL;
	}
	*out = t;
	return 0;
}

/* CPU-time clocks by number: of this process and its threads; others can only be read. */
static int set_cpu_clock(struct posix_timer *pt, int id)
{
	uint32_t nr = ~((uint32_t)id >> 3) & UINT32_MAX >> 3;

	pt->is_cpu = true;
	pt->cpu_kind = CPUCLOCK_SCHED;
	if (id == CLOCK_PROCESS_CPUTIME_ID)
		return 0;
	if (id == CLOCK_THREAD_CPUTIME_ID)
		return find_own_task((int)curtask()->pid->nr, &pt->thread);
	if (id >= 0 || (id & CPUCLOCK_CLOCK_MASK) == CLOCKFD)
		return -EINVAL;
	pt->cpu_kind = id & CPUCLOCK_CLOCK_MASK;
	if (id & CPUCLOCK_PERTHREAD_MASK)
		return find_own_task((int)(nr ? nr : curtask()->pid->nr), &pt->thread);
	return nr == 0 || nr == curproc()->pid->nr ? 0 : -EINVAL;
}

static int set_clock(struct posix_timer *pt, int id)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	default:
		return set_cpu_clock(pt, id);
	}
}

static int set_event(struct posix_timer *pt, const struct abi_sigevent *ev)
{
	struct abi_siginfo *si = &pt->entry.info;
	int notify = ev->sigev_notify;

	if (notify != SIGEV_NONE && notify != SIGEV_SIGNAL && notify != SIGEV_THREAD &&
	    notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID))
		return -EINVAL;
	pt->notify = notify;
	if (notify == SIGEV_NONE)
		return 0;
	if (ev->sigev_signo < 1 || ev->sigev_signo > _NSIG)
		return -EINVAL;
	pt->signo = ev->sigev_signo;
	si->si_signo = pt->signo;
	si->si_code = SI_TIMER;
	si->timer.value = ev->sigev_value;
	return notify & SIGEV_THREAD_ID ? find_own_task(ev->sigev_tid, &pt->target) : 0;
}

static int charge_signal(void)
{
	struct user_account *u = curtask()->user;
	uint32_t n = atomic_fetch_add_explicit(&u->nsignals, 1, memory_order_relaxed);

	if (n < process_rlimit(curproc(), RLIMIT_SIGPENDING))
		return 0;
	atomic_fetch_sub_explicit(&u->nsignals, 1, memory_order_relaxed);
	return -EAGAIN;
}

static void ptimer_free(struct posix_timer *pt)
{
	task_put(pt->target);
	task_put(pt->thread);
	if (pt->entry.user != NULL)
		atomic_fetch_sub_explicit(&pt->entry.user->nsignals, 1, memory_order_relaxed);
	kfree(pt);
}

static int ptimer_new(int clockid, const struct abi_sigevent *ev, struct posix_timer **out)
{
	static const struct abi_sigevent plain = { .sigev_signo = SIGALRM,
						   .sigev_notify = SIGEV_SIGNAL };
	struct posix_timer *pt = kzalloc(sizeof(*pt));
	int err;

	if (pt == NULL)
		return -EAGAIN;
	list_init(&pt->cpu_node);
	list_init(&pt->entry.node);
	pt->entry.timer = pt;
	pt->clockid = clockid;
	pt->process = curproc();
	timer_init(&pt->timer, fired);
	err = set_clock(pt, clockid);
	if (err == 0)
		err = set_event(pt, ev != NULL ? ev : &plain);
	if (err == 0 && (err = charge_signal()) == 0)
		pt->entry.user = curtask()->user;
	if (err) {
		ptimer_free(pt);
		return err;
	}
	*out = pt;
	return 0;
}

int ptimer_create(int clockid, const struct abi_sigevent *ev, int *id)
{
	struct process *p = curproc();
	struct posix_timer *pt;
	struct siglock l;
	int err = ptimer_new(clockid, ev, &pt);

	if (err)
		return err;
	l = siglock(p);
	do {
		pt->id = p->next_timer_id;
		p->next_timer_id = p->next_timer_id == INT32_MAX ? 0 : p->next_timer_id + 1;
	} while (find_locked(p, pt->id) != NULL);
	pt->entry.info.timer.tid = pt->id;
	if (ev == NULL)
		pt->entry.info.timer.value.sival_int = pt->id;
	insert_locked(p, pt);
	sigunlock(l);
	*id = pt->id;
	return 0;
}

/* --- setting and asking --- */

/* A signal that is queued is not delivered any more. Under the siglock. */
static void unqueue(struct posix_timer *pt)
{
	if (list_is_linked(&pt->entry.node))
		sigpending_remove(queue_of(pt), &pt->entry);
}

static void get_locked(struct posix_timer *pt, nsec_t now, struct itimer_value *out)
{
	nsec_t left;

	out->interval = pt->interval;
	out->value = 0;
	if (pt->expires == 0)
		return;
	left = pt->expires - now;
	if (left <= 0 && pt->interval != 0)
		left = pt->interval - (now - pt->expires) % pt->interval;
	if (left > 0)
		out->value = left;
	else if (pt->notify != SIGEV_NONE)
		out->value = 1; /* about to fire */
}

static void set_locked(struct posix_timer *pt, bool absolute, const struct itimer_value *v,
		       nsec_t now)
{
	unqueue(pt);
	pt->overrun = 0;
	pt->overrun_last = 0;
	pt->interval = v->value ? v->interval : 0;
	pt->expires = pt->real_expires = 0;
	if (v->value == 0)
		return;
	pt->expires = absolute ? v->value : nsec_add(now, v->value);
	if (absolute && (pt->clockid == CLOCK_REALTIME || pt->clockid == CLOCK_REALTIME_ALARM ||
			 pt->clockid == CLOCK_TAI)) {
		nsec_t offset = clock_real() - clock_mono();

		if (pt->clockid == CLOCK_TAI)
			offset += clock_tai() - clock_real();
		pt->real_expires = pt->expires;
		pt->expires = MAX(pt->expires - offset, 1l);
	}
	arm(pt);
}

int ptimer_set(int id, bool absolute, const struct itimer_value *v, struct itimer_value *old)
{
	struct process *p = curproc();
	struct posix_timer *pt;
	struct siglock l = siglock(p);
	nsec_t now;

	pt = find_locked(p, id);
	if (pt != NULL) {
		now = now_of(pt);
		get_locked(pt, now, old);
		set_locked(pt, absolute, v, now);
		if (v->value == 0)
			timer_try_cancel(&pt->timer);
	}
	sigunlock(l);
	return pt == NULL ? -EINVAL : 0;
}

int ptimer_get(int id, struct itimer_value *out)
{
	struct process *p = curproc();
	struct posix_timer *pt;
	struct siglock l = siglock(p);

	pt = find_locked(p, id);
	if (pt != NULL)
		get_locked(pt, now_of(pt), out);
	sigunlock(l);
	return pt == NULL ? -EINVAL : 0;
}

int ptimer_overrun(int id)
{
	struct process *p = curproc();
	struct posix_timer *pt;
	struct siglock l = siglock(p);
	int n;

	pt = find_locked(p, id);
	n = pt == NULL ? -EINVAL : pt->overrun_last;
	sigunlock(l);
	return n;
}

/* --- deleting --- */

/* Under the siglock: nothing finds it any more, and its callback does nothing. */
static void detach_locked(struct process *p, struct posix_timer *pt)
{
	pt->deleted = true;
	unqueue(pt);
	rb_remove(&p->posix_timers, &pt->node);
	list_remove(&pt->cpu_node);
}

int ptimer_delete(int id)
{
	struct process *p = curproc();
	struct posix_timer *pt;
	struct siglock l = siglock(p);

	pt = find_locked(p, id);
	if (pt != NULL)
		detach_locked(p, pt);
	sigunlock(l);
	if (pt == NULL)
		return -EINVAL;
	timer_cancel(&pt->timer);
	ptimer_free(pt);
	return 0;
}

void ptimer_delete_all(struct process *p)
{
	while (p->posix_timers.root != NULL) {
		struct siglock l = siglock(p);
		struct posix_timer *pt = rb_entry(p->posix_timers.root, struct posix_timer, node);

		detach_locked(p, pt);
		sigunlock(l);
		timer_cancel(&pt->timer);
		ptimer_free(pt);
	}
}

void ptimer_clock_was_set(struct process *p)
{
	struct siglock l = siglock(p);
	nsec_t offset = clock_real() - clock_mono();

	for (struct rbnode *n = rb_first(&p->posix_timers); n != NULL; n = rb_next(n)) {
		struct posix_timer *pt = rb_entry(n, struct posix_timer, node);

		if (pt->expires == 0 || pt->real_expires == 0 || pt->clockid != CLOCK_REALTIME ||
		    list_is_linked(&pt->entry.node))
			continue;
		pt->expires = MAX(pt->real_expires - offset, 1l);
		arm(pt);
	}
	sigunlock(l);
}

/* --- /proc --- */

static void list_one(const struct posix_timer *pt, struct textbuf *t)
{
	static const char *const kind[] = { "signal", "none", "thread" };
	const struct task *target = pt->target;

	text_f(t, "ID: %d\nsignal: %d/%016lx\n", pt->id, pt->signo,
	       (unsigned long)pt->entry.info.timer.value.sival_ptr);
	text_f(t, "notify: %s/%s.%u\nClockID: %d\n", kind[pt->notify & 3],
	       target != NULL ? "tid" : "pid",
	       target != NULL ? target->pid->nr : pt->process->pid->nr, pt->clockid);
}

void ptimer_list(struct process *p, struct textbuf *t)
{
	struct siglock l = siglock(p);
	struct rbnode *n;

	for (n = rb_first(&p->posix_timers); n != NULL; n = rb_next(n))
		list_one(rb_entry(n, struct posix_timer, node), t);
	sigunlock(l);
}
