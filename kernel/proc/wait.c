#include "proc/exit.h"

/*
 * Waiting for children. A parent's list has those with something to report first (tree.c), so a
 * wait for any child looks at these and at one more, which tells whether there is anything to wait
 * for; a wait for one child looks it up by number. The sleeper is queued before it looks (pitfall
 * 7), and is woken whatever becomes of SIGCHLD.
 *
 * Source: wait(2), wait4(2), waitid in wait(2), getrusage(2).
 */

#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "lib/string.h"
#include "proc/proc_priv.h"
#include "proc/ptrace.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vm/vmspace.h"

/* --- resource usage --- */

void process_times_locked(struct process *p, nsec_t *utime, nsec_t *stime)
{
	nsec_t u = p->utime, s = p->stime, tu, ts;
	struct task *t;

	for_each_task (t, p) {
		if (t->dead)
			continue;
		sched_account(&t->thread, &tu, &ts);
		u += tu;
		s += ts;
	}
	*utime = u;
	*stime = s;
}

void process_times(struct process *p, nsec_t *utime, nsec_t *stime)
{
	struct siglock l = siglock(p);

	process_times_locked(p, utime, stime);
	sigunlock(l);
}

struct usage {
	nsec_t utime, stime;
	uint64_t minflt, majflt, nvcsw, nivcsw, maxrss;
};

static void add_self(struct process *p, struct usage *u)
{
	nsec_t ut, st;
	struct task *t;

	process_times_locked(p, &ut, &st);
	u->utime += ut;
	u->stime += st;
	u->minflt += p->minflt;
	u->majflt += p->majflt;
	u->nvcsw += p->nvcsw;
	u->nivcsw += p->nivcsw;
	for_each_task (t, p) {
		if (t->dead)
			continue;
		u->minflt += t->thread.minflt;
		u->majflt += t->thread.majflt;
		u->nvcsw += t->thread.nvcsw;
		u->nivcsw += t->thread.nivcsw;
	}
	u->maxrss = MAX(u->maxrss, p->maxrss);
}

void process_io(struct process *p, struct thread_io *out)
{
	struct siglock l = siglock(p);
	struct task *t;

	*out = p->io;
	for_each_task (t, p) {
		if (t->dead)
			continue;
		out->rchar += t->thread.io.rchar;
		out->wchar += t->thread.io.wchar;
		out->syscr += t->thread.io.syscr;
		out->syscw += t->thread.io.syscw;
	}
	sigunlock(l);
}

static void add_children(struct process *p, struct usage *u)
{
	u->utime += p->cutime;
	u->stime += p->cstime;
	u->minflt += p->cminflt;
	u->majflt += p->cmajflt;
	u->nvcsw += p->cnvcsw;
	u->nivcsw += p->cnivcsw;
	u->maxrss = MAX(u->maxrss, p->cmaxrss);
}

static void add_thread(struct thread *t, struct usage *u)
{
	sched_account(t, &u->utime, &u->stime);
	u->minflt = t->minflt;
	u->majflt = t->majflt;
	u->nvcsw = t->nvcsw;
	u->nivcsw = t->nivcsw;
}

static struct abi_timeval to_timeval(nsec_t ns)
{
	struct abi_timeval tv = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };

	return tv;
}

static void fill_rusage(const struct usage *u, struct abi_rusage *ru)
{
	memset(ru, 0, sizeof(*ru));
	ru->ru_utime = to_timeval(u->utime);
	ru->ru_stime = to_timeval(u->stime);
	ru->ru_maxrss = (int64_t)(u->maxrss * (PAGE_SIZE / 1024));
	ru->ru_minflt = (int64_t)u->minflt;
	ru->ru_majflt = (int64_t)u->majflt;
	ru->ru_nvcsw = (int64_t)u->nvcsw;
	ru->ru_nivcsw = (int64_t)u->nivcsw;
}

static void gather(struct process *p, int who, struct usage *u)
{
	struct siglock l = siglock(p);

	if (who == RUSAGE_THREAD)
		add_thread(curthread(), u);
	if (who == RUSAGE_SELF || who == RUSAGE_BOTH)
		add_self(p, u);
	if (who == RUSAGE_CHILDREN || who == RUSAGE_BOTH)
		add_children(p, u);
	sigunlock(l);
}

void process_rusage(struct process *p, int who, struct abi_rusage *ru)
{
	struct vmspace *vs = curthread()->vmspace;
	struct usage u = { 0 };

	gather(p, who, &u);
	if (p == curproc() && who != RUSAGE_CHILDREN && vs != NULL)
		u.maxrss = MAX(u.maxrss, MAX(vs->hiwater_rss, vmspace_rss(vs)));
	fill_rusage(&u, ru);
}

/* The dead child's use, and its dead children's, becomes the parent's children's. */
static void add_to_parent(struct process *parent, const struct usage *u)
{
	struct siglock l = siglock(parent);

	parent->cutime += u->utime;
	parent->cstime += u->stime;
	parent->cminflt += u->minflt;
	parent->cmajflt += u->majflt;
	parent->cnvcsw += u->nvcsw;
	parent->cnivcsw += u->nivcsw;
	parent->cmaxrss = MAX(parent->cmaxrss, u->maxrss);
	sigunlock(l);
}

/* --- one child --- */

static bool is_eligible(const struct process *child, const struct wait_args *a)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if (!(a->options & __WALL) && is_clone != !!((unsigned)a->options & __WCLONE))
		return false;
	return !(a->options & __WNOTHREAD) || child->leader->parent_tid == curtask()->pid->nr;
}

void wait_rusage(struct process *child, struct wait_args *a)
{
	struct usage u = { 0 };

	if (a->ru == NULL)
		return;
	gather(child, RUSAGE_BOTH, &u);
	fill_rusage(&u, a->ru);
}

static void take_rusage(struct process *child, struct wait_args *a, struct usage *u)
{
	gather(child, RUSAGE_BOTH, u);
	if (a->ru != NULL)
		fill_rusage(u, a->ru);
}

static void report(struct process *child, struct wait_args *a, int code, int status)
{
	a->si_code = code;
	a->status = status;
	a->uid = child->leader->thread.cred->uid;
}

void wait_report_end(struct process *child, struct wait_args *a, int status)
{
	report(child, a,
	       (status & 0x7f) == 0 ? CLD_EXITED
	       : status & WCOREFLAG ? CLD_DUMPED
				    : CLD_KILLED,
	       status);
}

void wait_take_zombie_locked(struct process *child, struct wait_args *a)
{
	struct usage u = { 0 };

	wait_report_end(child, a, child->wait_status);
	take_rusage(child, a, &u);
	if (a->options & WNOWAIT)
		return;
	add_to_parent(process_parent(child), &u);
	tree_reap_locked(child);
}

static void take_stop_locked(struct process *child, struct wait_args *a, int code, int status,
			     bool *flag) HOLDS(&proctree_lock)
{
	struct usage u = { 0 };

	report(child, a, code, status);
	take_rusage(child, a, &u);
	if (a->options & WNOWAIT)
		return;
	*flag = false;
	if (!child->stopped_report && !child->continued_report)
		tree_child_idle_locked(child);
}

uint32_t wait_take_continued_locked(struct process *p, struct wait_args *a)
{
	take_stop_locked(p, a, CLD_CONTINUED, __W_CONTINUED, &p->continued_report);
	return p->pid->nr;
}

/* The child's number when it had what is asked for; 0: nothing yet. */
static uint32_t try_child_locked(struct process *child, struct wait_args *a) HOLDS(&proctree_lock)
{
	uint32_t nr = child->pid->nr;
	struct process *tracer = trace_process_locked(child->leader);

	if (child->zombie) {
		if (!(a->options & WEXITED) || (tracer != NULL && tracer != curproc()))
			return 0;
		wait_take_zombie_locked(child, a);
		return nr;
	}
	/* Its tracer has heard of the stop already, from every thread. */
	if (child->stopped_report && (a->options & WSTOPPED) && (child->flags & PROC_STOPPED) &&
	    tracer != curproc()) {
		take_stop_locked(child, a, CLD_STOPPED, W_STOPCODE(child->stopped_sig),
				 &child->stopped_report);
		return nr;
	}
	if (child->continued_report && (a->options & WCONTINUED))
		return wait_take_continued_locked(child, a);
	return 0;
}

static bool is_ready(const struct process *child)
{
	return child->zombie || child->stopped_report || child->continued_report;
}

/* --- which children --- */

static int64_t scan_all_locked(struct process *me, struct wait_args *a) HOLDS(&proctree_lock)
{
	struct process *child, *next;
	int64_t found = -ECHILD;

	list_for_each_safe (child, next, &me->children, sibling) {
		if (!is_eligible(child, a))
			continue;
		found = 0;
		if (!is_ready(child))
			break;
		if ((found = try_child_locked(child, a)) != 0)
			break;
	}
	return found;
}

static int64_t scan_group_locked(struct process *me, struct wait_args *a) HOLDS(&proctree_lock)
{
	struct process *child, *next;
	int64_t found = -ECHILD;

	list_for_each_safe (child, next, &a->pid->group, group_node) {
		if (process_parent(child) != me || !is_eligible(child, a))
			continue;
		if ((found = try_child_locked(child, a)) != 0)
			break;
	}
	return found;
}

static int64_t scan_children_locked(struct process *me, struct wait_args *a) HOLDS(&proctree_lock)
{
	struct process *child;

	switch (a->type) {
	case P_ALL:
		return scan_all_locked(me, a);
	case P_PGID:
		return scan_group_locked(me, a);
	default:
		child = atomic_load_explicit(&a->pid->process, memory_order_relaxed);
		if (child == NULL || process_parent(child) != me || !is_eligible(child, a))
			return -ECHILD;
		return try_child_locked(child, a);
	}
}

static int64_t scan(struct process *me, struct wait_args *a)
{
	struct sigqueue_entry *e = NULL;
	int64_t r;

	if (UNLIKELY(trace_has_tracees(me)))
		e = sigqueue_alloc(true);
	spin_lock(&proctree_lock);
	r = scan_children_locked(me, a);
	if (UNLIKELY(trace_has_tracees(me)) && r <= 0)
		r = trace_wait_locked(me, a, r, &e);
	spin_unlock(&proctree_lock);
	if (UNLIKELY(e != NULL))
		sigqueue_free(e);
	return r;
}

int64_t process_wait(struct wait_args *a)
{
	struct process *me = curproc();
	struct waiter w;
	int64_t r = scan(me, a);

	if (r != 0 || (a->options & WNOHANG))
		return r;
	waiter_init(&w);
	for (;;) {
		wait_prepare(&me->wait_children, &w, THREAD_SLEEP_INTR);
		r = scan(me, a);
		if (r != 0)
			break;
		if (wait_sleep(NSEC_MAX)) {
			/* The signal may be the SIGCHLD of what we wait for. */
			r = scan(me, a);
			r = r == 0 ? -ERESTARTSYS : r;
			break;
		}
	}
	wait_finish(&me->wait_children, &w);
	return r;
}
