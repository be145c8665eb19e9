#include "proc/ptrace.h"

/*
 * Tracing: who traces whom, and the tracer's hold on a stopped task.
 *
 * The relation is between tasks: t->trace.tracer, and t in one of two lists of the tracer's
 * process, tracees_ready for those with something to report to wait(2) and tracees for the others.
 * It changes under PROCTREE and t's siglock, and ends at the latest when either task ends: a tracee
 * that is no leader then stays, dead, until its tracer has waited for it, so that its process
 * cannot become a zombie before; a zombie is its tracer's first, and its parent's when that has
 * seen it.
 *
 * An untraced task pays nothing. JOBCTL_TRACED stands with the bits of job control, which deliver.c
 * looks at in any case; system calls look at one word for ktrace and for us (KTRACE_HOOK), which
 * counts the traced tasks.
 *
 * A tracer works on a tracee that nobody can wake: trace_freeze() takes it from THREAD_TRACED to
 * THREAD_FROZEN and waits until it is off its CPU. A SIGKILL meanwhile is noted in its work bits
 * and takes effect in trace_unfreeze().
 *
 * Source: ptrace(2), wait(2).
 */

#include <arch/cpu.h>
#include <arch/ptrace.h>

#include "abi/errno.h"
#include "abi/ptrace.h"
#include "abi/wait.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "proc/exit.h"
#include "proc/proc_priv.h"
#include "sched/wait.h"
#include "vfs/cred.h"

/* --- the relation --- */

void trace_link_locked(struct task *t)
{
	t->jobctl |= JOBCTL_TRACED;
	list_init(&t->trace.node);
	list_add_tail(&t->trace.tracer->process->tracees, &t->trace.node);
	ktrace_hook_add(1);
}

static void link(struct task *t, struct task *tracer, bool seize, uint32_t options)
	HOLDS(&proctree_lock)
{
	t->trace.tracer = tracer;
	t->trace.options = options;
	t->trace.seized = seize;
	t->trace.capable = cred_has_cap(tracer->thread.cred, CAP_SYS_PTRACE);
	trace_link_locked(t);
}

void trace_unlink_locked(struct task *t)
{
	list_remove(&t->trace.node);
	memset(&t->trace, 0, offsetof(struct task_trace, status));
	t->jobctl &= ~(uint32_t)(JOBCTL_TRACED | JOBCTL_TRAPS | JOBCTL_LISTENING | JOBCTL_TRAPPING);
	ktrace_hook_add(-1);
}

uint32_t task_tracer_pid(struct task *t)
{
	struct siglock l = siglock(t->process);
	uint32_t nr = t->trace.tracer == NULL ? 0 : t->trace.tracer->process->pid->nr;

	sigunlock(l);
	return nr;
}

bool trace_is_mine(struct task *t)
{
	struct siglock l = siglock(t->process);
	bool mine = t->trace.tracer == curtask();

	sigunlock(l);
	return mine;
}

/* --- its beginning --- */

/* The task that made the running process; its process's leader when that has ended. NULL: that has
 * ended, too. */
static struct task *find_parent_locked(void) HOLDS(&proctree_lock)
{
	struct process *p = curproc(), *parent = process_parent(p);
	struct pid *pid = pid_find_locked(p->leader->parent_tid);
	struct task *t;

	if (parent == NULL)
		return NULL;
	t = pid == NULL ? NULL : atomic_load_explicit(&pid->task, memory_order_relaxed);
	if (t == NULL || t->process != parent || t->exited)
		t = parent->leader;
	return t->exited ? NULL : t;
}

static bool may_trace_me(const struct task *parent)
{
	const struct cred *it = parent->thread.cred;

	return (current_cred()->cap_permitted & ~it->cap_permitted) == 0 ||
	       cred_has_cap(it, CAP_SYS_PTRACE);
}

int trace_me(void)
{
	struct task *t = curtask(), *parent;
	struct siglock l;
	int err = 0;

	spin_lock(&proctree_lock);
	parent = find_parent_locked();
	l = siglock(t->process);
	if (t->trace.tracer != NULL || (parent != NULL && !may_trace_me(parent)))
		err = -EPERM;
	else if (parent != NULL)
		link(t, parent, false, 0);
	sigunlock(l);
	spin_unlock(&proctree_lock);
	return err;
}

/* A task stopped by job control becomes a stopped tracee. Under its siglock. */
static void convert_stop(struct task *t)
{
	t->jobctl &= ~(uint32_t)JOBCTL_STOPPED;
	t->jobctl |= JOBCTL_TRAP_STOP | JOBCTL_TRAPPING;
	thread_set_work(&t->thread, WORK_SIGNAL);
	thread_wake(&t->thread, BIT(THREAD_STOPPED));
}

static int attach_locked(struct task *t, bool seize, uint32_t options) HOLDS(&proctree_lock)
{
	struct siglock l = siglock(t->process);
	int err = t->trace.tracer != NULL || t->exited || curtask()->exited ? -EPERM : 0;

	if (err == 0) {
		link(t, curtask(), seize, options);
		if (!seize)
			(void)signal_queue_locked(t->process, t, SIGSTOP, NULL, NULL);
		if (t->jobctl & JOBCTL_STOPPED)
			convert_stop(t);
	}
	sigunlock(l);
	return err;
}

static bool is_trapping(struct task *t)
{
	struct siglock l = siglock(t->process);
	bool is = t->jobctl & JOBCTL_TRAPPING;

	sigunlock(l);
	return is;
}

static void wait_trapped(struct task *t)
{
	struct process *me = curproc();
	struct waiter w;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&me->wait_children, &w, THREAD_SLEEP_KILL);
		if (!is_trapping(t) || wait_sleep(NSEC_MAX))
			break;
	}
	wait_finish(&me->wait_children, &w);
}

int trace_attach(struct task *t, bool seize, uint32_t options)
{
	struct process *p = t->process;
	int err;

	if (p == curproc())
		return -EPERM;
	mutex_lock(&p->exec_lock); /* what is judged is what will be traced */
	err = task_may_access(t, ACCESS_ATTACH);
	if (err == 0) {
		spin_lock(&proctree_lock);
		err = attach_locked(t, seize, options);
		spin_unlock(&proctree_lock);
	}
	mutex_unlock(&p->exec_lock);
	if (err == 0)
		wait_trapped(t);
	return err;
}

/* --- the tracer's hold --- */

int trace_freeze(struct task *t)
{
	struct siglock l = siglock(t->process);
	uint32_t state = THREAD_TRACED;
	bool ok = t->trace.tracer == curtask() &&
		  (t->jobctl & (JOBCTL_TRAPPED | JOBCTL_LISTENING)) == JOBCTL_TRAPPED &&
		  atomic_compare_exchange_strong(&t->thread.state, &state, THREAD_FROZEN);

	sigunlock(l);
	if (!ok)
		return -ESRCH;
	while (atomic_load_explicit(&t->thread.on_cpu, memory_order_acquire))
		arch_pause();
	return 0;
}

/* Under the siglock. */
static void thaw(struct task *t)
{
	atomic_store(&t->thread.state, THREAD_TRACED);
	if (atomic_load(&t->thread.work) & WORK_KILLED)
		thread_wake(&t->thread, BIT(THREAD_TRACED));
}

void trace_unfreeze(struct task *t)
{
	struct siglock l = siglock(t->process);

	thaw(t);
	sigunlock(l);
}

/* Under the siglock. */
static void go_on(struct task *t, int sig)
{
	t->jobctl &= ~(uint32_t)JOBCTL_TRAPPED;
	t->trace.status = 0;
	t->trace.signal = sig;
	thread_wake(&t->thread, BIT(THREAD_FROZEN));
}

void trace_resume(struct task *t, int sig, uint32_t syscalls, bool step)
{
	struct siglock l;

	arch_step_set(&t->thread, step);
	t->trace.syscalls = syscalls;
	l = siglock(t->process);
	go_on(t, sig);
	sigunlock(l);
}

int trace_listen(struct task *t)
{
	struct siglock l = siglock(t->process);
	const struct abi_siginfo *si = t->trace.info;
	int err = 0;

	if (!t->trace.seized || si == NULL || si->si_code >> 8 != PTRACE_EVENT_STOP) {
		err = -EIO;
	} else {
		t->jobctl |= JOBCTL_LISTENING;
		thaw(t);
		if (t->jobctl & JOBCTL_TRAP_NOTIFY)
			thread_wake(&t->thread, BIT(THREAD_TRACED));
	}
	sigunlock(l);
	return err;
}

int trace_interrupt(struct task *t)
{
	struct siglock l = siglock(t->process);
	int err = 0;

	if (t->trace.tracer != curtask()) {
		err = -ESRCH;
	} else if (!t->trace.seized) {
		err = -EIO;
	} else if (!t->exited && !(t->process->flags & PROC_GROUP_EXIT)) {
		t->jobctl |= JOBCTL_TRAP_STOP;
		thread_set_work(&t->thread, WORK_SIGNAL);
		if (t->jobctl & JOBCTL_LISTENING)
			thread_wake(&t->thread, BIT(THREAD_TRACED));
	}
	sigunlock(l);
	return err;
}

/* --- its end --- */

/* A group stop that is in effect holds for t as well. Under the siglock, as the next. */
static void rejoin_group_stop(struct task *t)
{
	if (t->exited || (t->jobctl & JOBCTL_GROUP_STOP) ||
	    !(t->process->flags & (PROC_STOPPED | PROC_STOP_PENDING)))
		return;
	t->jobctl |= JOBCTL_STOP | JOBCTL_STOP_AGAIN;
	thread_set_work(&t->thread, WORK_SIGNAL);
}

void trace_detach(struct task *t, int sig)
{
	struct siglock l;

	arch_step_set(&t->thread, false);
	spin_lock(&proctree_lock);
	l = siglock(t->process);
	trace_unlink_locked(t);
	rejoin_group_stop(t);
	go_on(t, sig);
	sigunlock(l);
	spin_unlock(&proctree_lock);
}

/* Lets a living tracee go: its tracer ends. */
static void release_task(struct task *t) HOLDS(&proctree_lock)
{
	struct process *p = t->process;
	bool kill = t->trace.options & PTRACE_O_EXITKILL;
	struct siglock l = siglock(p);

	trace_unlink_locked(t);
	rejoin_group_stop(t);
	if (t->jobctl & JOBCTL_TRAPPED) {
		arch_step_set(&t->thread, false);
		t->jobctl &= ~(uint32_t)JOBCTL_TRAPPED;
		thread_wake(&t->thread, BIT(THREAD_TRACED));
	}
	if (kill)
		(void)signal_queue_locked(p, NULL, SIGKILL, NULL, NULL);
	sigunlock(l);
}

/* A zombie's parent hears of it now, unless it was the tracer. */
static void release_zombie(struct process *p, struct sigqueue_entry **e) HOLDS(&proctree_lock)
{
	bool was_parent = trace_process_locked(p->leader) == process_parent(p);
	struct siglock l = siglock(p);

	trace_unlink_locked(p->leader);
	sigunlock(l);
	if (!was_parent && exit_notify_parent_locked(p, e))
		tree_reap_locked(p);
}

/* A dead task that is no leader is gone now. */
static void reap_task(struct task *t, struct sigqueue_entry **e) HOLDS(&proctree_lock)
{
	struct process *p = t->process;
	struct siglock l = siglock(p);

	task_unlink_locked(t);
	sigunlock(l);
	(void)exit_left_locked(p, e);
}

static void release_one(struct task *t, struct sigqueue_entry **e) HOLDS(&proctree_lock)
{
	struct process *p = t->process;

	process_get(p);
	if (t->dead && t != p->leader)
		reap_task(t, e);
	else if (p->zombie)
		release_zombie(p, e);
	else
		release_task(t);
	process_put(p);
}

static struct task *first_of(struct list *list, const struct task *tracer)
{
	struct task *t;

	list_for_each (t, list, trace.node)
		if (t->trace.tracer == tracer)
			return t;
	return NULL;
}

void trace_release_all_locked(struct task *tracer, struct sigqueue_entry **e)
{
	struct process *me = tracer->process;
	struct task *t;

	while ((t = first_of(&me->tracees_ready, tracer)) || (t = first_of(&me->tracees, tracer)))
		release_one(t, e);
}

void trace_forget_leader_locked(struct task *t)
{
	if (t->trace.tracer != NULL)
		waitq_wake_all(&t->trace.tracer->process->wait_children, 0);
}

/* --- waiting --- */

static bool is_meant(const struct task *t, const struct wait_args *a)
{
	if ((a->options & __WNOTHREAD) && t->trace.tracer != curtask())
		return false;
	if (a->type == P_PGID)
		return t->process->group == a->pid;
	return a->type == P_ALL || t->pid == a->pid;
}

static int64_t take_dead_locked(struct task *t, struct wait_args *a, struct sigqueue_entry **e)
	HOLDS(&proctree_lock)
{
	struct process *p = t->process;
	uint32_t nr = t->pid->nr;

	wait_report_end(p, a, p->flags & PROC_GROUP_EXIT ? p->group_exit_code : t->exit_code);
	wait_rusage(p, a);
	if (!(a->options & WNOWAIT))
		release_one(t, e);
	return nr;
}

static int64_t take_zombie_locked(struct task *t, struct wait_args *a, struct sigqueue_entry **e)
	HOLDS(&proctree_lock)
{
	struct process *p = t->process;
	uint32_t nr = t->pid->nr;

	if (process_parent(p) == curproc()) {
		wait_take_zombie_locked(p, a);
		return nr;
	}
	wait_report_end(p, a, p->wait_status);
	wait_rusage(p, a);
	if (!(a->options & WNOWAIT))
		release_one(t, e);
	return nr;
}

/* The stop's status; 0: it is in none, or that has been waited for. */
static int take_status(struct task *t, bool keep)
{
	struct siglock l = siglock(t->process);
	int status = 0;

	if ((t->jobctl & (JOBCTL_TRAPPED | JOBCTL_LISTENING)) == JOBCTL_TRAPPED)
		status = t->trace.status;
	if (status != 0 && !keep)
		t->trace.status = t->trace.signal = 0;
	sigunlock(l);
	return status;
}

static int64_t try_locked(struct task *t, struct wait_args *a, struct sigqueue_entry **e)
	HOLDS(&proctree_lock)
{
	bool keep = a->options & WNOWAIT;
	struct process *p = t->process;
	int status;

	if (t->dead && t != p->leader)
		return a->options & WEXITED ? take_dead_locked(t, a, e) : 0;
	if (p->zombie)
		return a->options & WEXITED ? take_zombie_locked(t, a, e) : 0;
	status = take_status(t, keep);
	if (!keep) {
		list_remove(&t->trace.node);
		list_add_tail(&curproc()->tracees, &t->trace.node);
	}
	if (status == 0)
		return 0;
	a->si_code = CLD_TRAPPED;
	a->status = W_STOPCODE(status);
	a->uid = t->thread.cred->uid;
	wait_rusage(p, a);
	return t->pid->nr;
}

int64_t trace_wait_locked(struct process *me, struct wait_args *a, int64_t found,
			  struct sigqueue_entry **e)
{
	struct task *t, *next;
	int64_t r;

	list_for_each_safe (t, next, &me->tracees_ready, trace.node) {
		if (!is_meant(t, a))
			continue;
		found = 0;
		if ((r = try_locked(t, a, e)) != 0)
			return r;
	}
	list_for_each (t, &me->tracees, trace.node) {
		if (!is_meant(t, a))
			continue;
		found = 0;
		if (!(a->options & WCONTINUED))
			break;
		if (t == t->process->leader && t->process->continued_report)
			return wait_take_continued_locked(t->process, a);
	}
	return found;
}
