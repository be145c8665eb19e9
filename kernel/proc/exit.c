#include "proc/exit.h"

/*
 * The end of tasks and processes. A task gives back what it holds while it is still itself (image,
 * descriptors, directory), then leaves the tree, then its stack; its memory goes when it is off
 * that stack, by somebody else. The last task of a process makes the zombie: with all its tasks
 * gone, so that a zombie holds nothing but its numbers and its accounts.
 *
 * Two counts: ntasks says who is the last to end (and winds up timers and terminal); the list of
 * tasks, and the leader's `dead`, say who is the last to leave. They can differ.
 *
 * Source: _exit(2), exit_group(2), wait(2), POSIX.1-2017 _Exit "Consequences of Process
 * Termination", sigaction(2) SA_NOCLDWAIT.
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/seccomp.h"
#include "abi/wait.h"
#include "core/clock.h"
#include "core/ktrace.h"
#include "core/panic.h"
#include "proc/coredump.h"
#include "proc/futex.h"
#include "proc/ipc/sem.h"
#include "proc/ipc/shm.h"
#include "proc/proc_priv.h"
#include "proc/ptrace.h"
#include "proc/report.h"
#include "proc/seccomp.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

/* --- giving back --- */

/* Stops taking signals; what was meant for it goes to others. True: it was the last. */
static bool exit_begin(struct task *t, int status)
{
	struct process *p = t->process;
	struct siglock l = siglock(p);
	bool all_stopped, last;

	if (UNLIKELY(p->core != NULL))
		core_dump_park(&l);
	t->exit_code = status;
	t->exited = true;
	sigpending_flush(&t->pending, ~0ull);
	all_stopped = jobctl_task_exits(t);
	signal_retarget(t, ~t->blocked);
	last = atomic_fetch_sub_explicit(&p->ntasks, 1, memory_order_acq_rel) == 1;
	if (last && !(p->flags & PROC_GROUP_EXIT)) {
		p->flags |= PROC_GROUP_EXIT;
		p->group_exit_code = status; /* the last one's, whoever led */
	}
	sigunlock(l);
	if (all_stopped && !last)
		jobctl_notify_parent(p, CLD_STOPPED);
	return last;
}

static void release_vfork_parent(struct task *t)
{
	struct process *parent = t->vfork_parent;

	if (parent == NULL)
		return;
	t->vfork_parent = NULL;
	atomic_store_explicit(&t->vfork_done, 1, memory_order_release);
	waitq_wake_all(&parent->wait_children, 0);
	process_put(parent);
}

void task_release_image(struct task *t)
{
	struct vmspace *vs = t->thread.vmspace;
	uaddr_t tid = t->clear_child_tid;

	if (vs != NULL) {
		futex_exit(t);
		if (!uaddr_is_null(tid) && ref_count(&vs->users) > 1 && put_user_u32(tid, 0) == 0)
			futex_wake_word(tid, 1);
	}
	t->clear_child_tid = UADDR_NULL;
	release_vfork_parent(t);
}

static void release_slots(struct task *t)
{
	struct process *p = t->process;
	struct siglock l = siglock(p);
	struct vmspace *vs = t->thread.vmspace;
	struct fdtable *files = t->thread.files;
	struct fsctx *fs = t->thread.fs;
	struct seccomp_filter *filter = NULL;

	if (vs != NULL) {
		p->maxrss = MAX(p->maxrss, MAX(vs->hiwater_rss, vmspace_rss(vs)));
		vs = vmspace_switch(NULL);
	}
	t->thread.files = NULL;
	t->thread.fs = NULL;
	if (UNLIKELY(t->confined.mode != SECCOMP_MODE_DISABLED))
		filter = seccomp_detach(t);
	sigunlock(l);
	if (UNLIKELY(filter != NULL))
		seccomp_filter_put(filter);
	if (vs != NULL)
		vmspace_put(vs);
	if (files != NULL)
		fdtable_put(files);
	if (fs != NULL)
		fsctx_put(fs);
}

/* --- leaving --- */

void task_account_dead(struct task *t)
{
	struct process *p = t->process;
	nsec_t u, s;

	sched_account(&t->thread, &u, &s);
	p->utime += u;
	p->stime += s;
	p->minflt += t->thread.minflt;
	p->majflt += t->thread.majflt;
	p->nvcsw += t->thread.nvcsw;
	p->nivcsw += t->thread.nivcsw;
	p->io.rchar += t->thread.io.rchar;
	p->io.wchar += t->thread.io.wchar;
	p->io.syscr += t->thread.io.syscr;
	p->io.syscw += t->thread.io.syscw;
	p->run_delay += t->thread.run_delay;
	if (p->tasks.next != p->tasks.prev)
		p->lived += clock_mono() - t->thread.start_time;
	t->dead = true;
}

void task_unlink_locked(struct task *t)
{
	if (UNLIKELY(t->jobctl & JOBCTL_TRACED))
		trace_unlink_locked(t);
	list_remove(&t->group_node);
	if (atomic_load_explicit(&t->pid->task, memory_order_relaxed) == t)
		atomic_store_explicit(&t->pid->task, NULL, memory_order_release);
	pid_release_locked(t->pid);
	task_uncharge(t->user);
	task_put(t);
}

void tree_reap_locked(struct process *p)
{
	struct siglock l = siglock(p);

	p->reaped = true;
	list_remove(&p->sibling);
	atomic_store_explicit(&p->pid->process, NULL, memory_order_release);
	process_total--;
	task_unlink_locked(p->leader);
	sigunlock(l);
	tree_set_group_locked(p, NULL);
	tree_set_session_locked(p, NULL);
	pid_release_locked(p->pid);
	if (atomic_load(&p->in_procfs) && process_reaped_hook != NULL)
		process_reaped_hook(p);
	process_put(p);
}

static int cld_code(int status, int *value)
{
	if ((status & 0x7f) == 0) {
		*value = status >> 8 & 0xff;
		return CLD_EXITED;
	}
	*value = status & 0x7f;
	return status & WCOREFLAG ? CLD_DUMPED : CLD_KILLED;
}

/* An explicit SIG_IGN, or SA_NOCLDWAIT: the default, which ignores as well, leaves zombies. */
static bool parent_reaps_nothing(struct process *parent, bool *ignored)
{
	struct siglock l = siglock(parent);
	const struct abi_sigaction *a = &l.sighand->action[SIGCHLD - 1];
	bool nowait = a->flags & SA_NOCLDWAIT;

	*ignored = a->handler == SIG_IGN;
	sigunlock(l);
	return *ignored || nowait;
}

bool exit_notify_parent_locked(struct process *p, struct sigqueue_entry **e)
{
	struct process *parent = process_parent(p), *tracer = trace_process_locked(p->leader);
	bool autoreap = p->flags & PROC_NO_ZOMBIE, ignored = false;
	int code, value, sig = p->exit_signal;
	struct abi_siginfo si;

	if (UNLIKELY(tracer != NULL)) { /* the parent hears of it when the tracer has */
		trace_ready_locked(p->leader);
		if (tracer != parent)
			sig = SIGCHLD;
		parent = tracer;
		autoreap = false;
	} else if (sig == SIGCHLD) {
		autoreap = parent_reaps_nothing(parent, &ignored);
	}
	if (sig > 0 && sig <= _NSIG && !ignored) { /* clone(2) takes any byte */
		code = cld_code(p->wait_status, &value);
		sigchld_info(p, sig, code, value, &si);
		(void)signal_queue(parent, NULL, sig, &si, e);
	}
	waitq_wake_all(&parent->wait_children, 0);
	return autoreap;
}

static void become_zombie_locked(struct process *p, struct sigqueue_entry **e) HOLDS(&proctree_lock)
{
	p->wait_status = p->group_exit_code;
	p->zombie = true;
	p->stopped_report = p->continued_report = false;
	tree_reparent_children_locked(p);
	tree_check_orphans_locked(p, NULL);
	tree_child_ready_locked(p);
	if (exit_notify_parent_locked(p, e))
		tree_reap_locked(p);
	if (!waitq_is_empty(&p->pid->exit_wait))
		waitq_wake_all(&p->pid->exit_wait, EPOLLIN);
}

/* The children that this task made, and that asked to know of its end. It is not the last one. */
static void notify_pdeath_locked(struct task *t) HOLDS(&proctree_lock)
{
	struct process *child;
	struct task *c;

	if (!t->process->has_pdeath)
		return;
	list_for_each (child, &t->process->children, sibling) {
		if (child->zombie || child->leader->parent_tid != t->pid->nr)
			continue;
		for_each_task (c, child)
			if (c->pdeath_signal)
				(void)signal_queue(child, c, (int)c->pdeath_signal, NULL, NULL);
	}
}

static bool at_most_two_left(const struct process *p)
{
	const struct list *second = p->tasks.next->next;

	return second == &p->tasks || second->next == &p->tasks;
}

bool exit_left_locked(struct process *p, struct sigqueue_entry **e)
{
	/* An exec waits until it is alone, but for a dead leader: no use in waking it for each of
	 * many. */
	if ((p->flags & PROC_EXECING) && at_most_two_left(p))
		waitq_wake_all(&p->exec_wait, 0);
	if (!p->leader->dead || p->tasks.next != p->tasks.prev ||
	    p->tasks.next != &p->leader->group_node)
		return false;
	become_zombie_locked(p, e);
	return true;
}

static void exit_notify(struct task *t)
{
	struct process *p = t->process;
	struct sigqueue_entry *e = sigqueue_alloc(true);
	struct siglock l;

	spin_lock(&proctree_lock);
	l = siglock(p);
	task_account_dead(t);
	if (t != p->leader && !(t->jobctl & JOBCTL_TRACED))
		task_unlink_locked(t);
	sigunlock(l);
	if (UNLIKELY(trace_has_tracees(p)))
		trace_release_all_locked(t, &e);
	if (UNLIKELY(t->jobctl & JOBCTL_TRACED) && t != p->leader)
		trace_task_died_locked(t, &e);
	if (!exit_left_locked(p, &e))
		notify_pdeath_locked(t);
	spin_unlock(&proctree_lock);
	sigqueue_free(e);
}

/* On another stack: the task's own reference to itself. */
static void task_off_stack(struct thread *t)
{
	task_put(t->task);
}

void task_exit(int status)
{
	struct task *t = curtask();
	struct process *p = t->process;
	struct task_parent parent = { 0, 0 };
	bool last;

	ktrace(KT_PROC, exit, status, 0, 0, 0, 0, 0);
	if (UNLIKELY(t->jobctl & JOBCTL_TRACED))
		trace_exit_event(t, status);
	last = exit_begin(t, status);
	if (last && p == init_process)
		panic("Attempted to kill init! exitcode=0x%08x", (unsigned)p->group_exit_code);
	if (last) {
		itimer_cancel_all(p);
		ptimer_delete_all(p);
	}
	if (process_is_watched(WATCH_STATS))
		report_stats(t, last);
	/* Those who wait for it may run here. With the last thread goes its memory first. */
	if (!last || t->vfork_parent)
		thread_will_sleep();
	task_release_image(t);
	sem_undo_exit(t);
	release_slots(t);
	shm_task_exit(t);
	if (last && p->session_leader && session_leader_exit_hook != NULL)
		session_leader_exit_hook(p);
	if (process_is_watched(WATCH_EVENTS))
		parent = report_parent(t);
	thread_will_sleep();
	exit_notify(t);
	if (process_is_watched(WATCH_EVENTS))
		report_exit(t, parent);
	thread_exit(task_off_stack);
}

void process_exit(int status)
{
	struct process *p = curproc();

	process_kill_all(p, status);
	task_exit(p->group_exit_code);
}

/* --- exec: one task is to be left --- */

static void zap_others(struct task *me)
{
	struct task *t;

	for_each_task (t, me->process) {
		if (t == me || t->exited)
			continue;
		t->jobctl &= JOBCTL_TRACED;
		task_zap(t);
	}
}

/* All others have left; a leader among them stands in the list until it is replaced. */
static bool is_alone(struct task *me)
{
	struct task *t;
	struct siglock l = siglock(me->process);
	bool alone = true;

	for_each_task (t, me->process)
		if (t != me && !(t->dead && t == me->process->leader))
			alone = false;
	sigunlock(l);
	return alone;
}

static int wait_alone(struct task *me)
{
	struct process *p = me->process;
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	while (err == 0) {
		wait_prepare(&p->exec_wait, &w, THREAD_SLEEP_KILL);
		if (is_alone(me))
			break;
		err = wait_sleep(NSEC_MAX);
	}
	wait_finish(&p->exec_wait, &w);
	return err ? -EINTR : 0;
}

/* The running task takes the leader's number and place. */
static void replace_leader(struct task *me)
{
	struct process *p = me->process;
	struct task *old;
	struct pid *mine = me->pid;
	struct siglock l;

	spin_lock(&proctree_lock);
	l = siglock(p);
	old = p->leader;
	me->parent_tid = old->parent_tid;
	pid_get(p->pid);
	me->pid = p->pid;
	me->thread.tid = p->pid->nr;
	atomic_store_explicit(&p->pid->task, me, memory_order_release);
	atomic_store_explicit(&mine->task, NULL, memory_order_release);
	p->leader = me;
	trace_forget_leader_locked(old);
	task_unlink_locked(old);
	pid_release_locked(mine);
	sigunlock(l);
	spin_unlock(&proctree_lock);
	pid_put(mine);
}

int process_become_single(void)
{
	struct task *me = curtask();
	struct process *p = me->process;
	struct siglock l;
	int err;

	if (me == p->leader && atomic_load_explicit(&p->ntasks, memory_order_acquire) == 1 &&
	    is_alone(me))
		return 0;
	l = siglock(p);
	if (p->flags & (PROC_GROUP_EXIT | PROC_EXECING)) {
		sigunlock(l);
		return -EAGAIN;
	}
	p->flags |= PROC_EXECING;
	zap_others(me);
	sigunlock(l);
	err = wait_alone(me);
	if (err == 0 && me != p->leader)
		replace_leader(me);
	l = siglock(p);
	p->flags &= ~PROC_EXECING;
	sigunlock(l);
	return err;
}
