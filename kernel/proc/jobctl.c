#include "proc/proc_priv.h"

/*
 * Job control. A stop begins when a task takes a stop signal: every live task is told to stop
 * (JOBCTL_STOP) and counted in stop_count; each stops on its way to user mode, and the last one
 * makes the process PROC_STOPPED and tells the parent. SIGCONT, when it is sent, takes all of that
 * back and lets the tasks run; one of them then tells the parent, because the sender may hold locks
 * that this would need.
 *
 * Locks: the siglock for all of it; reports to the parent under PROCTREE, which comes before.
 * Source: POSIX.1-2017 2.4.3, signal(7), wait(2) WUNTRACED and WCONTINUED, sigaction(2)
 * SA_NOCLDSTOP.
 */

#include "lib/string.h"
#include "proc/ptrace.h"
#include "sched/sched.h"
#include "vfs/cred.h"

static const uint64_t stop_signals =
	SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU);

static void flush_everywhere(struct process *p, uint64_t set)
{
	struct task *t;

	sigpending_flush(&p->pending, set);
	for_each_task (t, p)
		sigpending_flush(&t->pending, set);
}

void jobctl_set_stopped(struct process *p, bool stopped)
{
	if (!(p->flags & PROC_STOPPED) == !stopped)
		return;
	p->flags ^= PROC_STOPPED;
	if (p->group == NULL)
		return;
	if (stopped)
		atomic_fetch_add_explicit(&p->group->nstopped, 1, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&p->group->nstopped, 1, memory_order_relaxed);
}

static void continue_all(struct process *p)
{
	bool was_stopped = p->flags & (PROC_STOPPED | PROC_STOP_PENDING);
	struct task *t;

	jobctl_set_stopped(p, false);
	p->flags &= ~(PROC_STOP_PENDING | PROC_STOP_TAKEN);
	p->stop_count = 0;
	if (was_stopped)
		p->flags |= PROC_CONT_NOTIFY;
	for_each_task (t, p) {
		bool stops = t->jobctl & JOBCTL_GROUP_STOP;

		t->jobctl &= ~(uint32_t)(JOBCTL_GROUP_STOP | JOBCTL_STOP_TAKEN);
		if (t->trace.seized && !t->exited)
			trace_notify_locked(t);
		if (!stops)
			continue;
		thread_set_work(&t->thread, WORK_SIGNAL);
		thread_wake(&t->thread, BIT(THREAD_STOPPED));
	}
}

void jobctl_signal_sent(struct process *p, int sig)
{
	if (sig == SIGCONT) {
		flush_everywhere(p, stop_signals);
		continue_all(p);
	} else {
		flush_everywhere(p, SIGMASK(SIGCONT));
	}
}

void jobctl_begin_stop(struct process *p, int sig)
{
	struct task *t;

	if (p->flags & PROC_GROUP_EXIT)
		return;
	if (!(p->flags & (PROC_STOPPED | PROC_STOP_PENDING)))
		p->stop_sig = sig;
	p->flags |= PROC_STOP_PENDING;
	p->flags &= ~PROC_CONT_NOTIFY;
	for_each_task (t, p) {
		if (t->exited || (t->jobctl & JOBCTL_GROUP_STOP))
			continue;
		t->jobctl |= JOBCTL_STOP;
		p->stop_count++;
		if (t->trace.seized)
			trace_notify_locked(t);
		else
			thread_set_work(&t->thread, WORK_SIGNAL);
	}
}

static bool stop_counted(struct process *p)
{
	if (p->stop_count == 0 || --p->stop_count > 0)
		return false;
	p->flags &= ~PROC_STOP_PENDING;
	jobctl_set_stopped(p, true);
	return true;
}

bool jobctl_take_part(struct task *t)
{
	bool counted = (t->jobctl & (JOBCTL_STOP | JOBCTL_STOP_AGAIN)) == JOBCTL_STOP;

	t->jobctl &= ~(uint32_t)(JOBCTL_STOP | JOBCTL_STOP_AGAIN);
	return counted && stop_counted(t->process);
}

bool jobctl_task_exits(struct task *t)
{
	bool last = jobctl_take_part(t);

	t->jobctl &= JOBCTL_TRACED;
	return last;
}

bool jobctl_stop_here(struct task *t, struct siglock *l)
{
	struct process *p = t->process;
	bool last;

	if (!(t->jobctl & JOBCTL_STOP))
		return false;
	last = jobctl_take_part(t);
	t->jobctl |= JOBCTL_STOPPED;
	if (last) { /* may sleep, hence before the state is set */
		sigunlock(*l);
		jobctl_notify_parent(p, CLD_STOPPED);
		*l = siglock(p);
	}
	/* A SIGCONT before this has taken jobctl back; one from now on finds the state to wake it
	 * from. */
	if (t->jobctl & JOBCTL_STOPPED)
		atomic_store_explicit(&t->thread.state, THREAD_STOPPED, memory_order_seq_cst);
	sigunlock(*l);
	schedule();
	return true;
}

static int64_t to_ticks(nsec_t ns)
{
	return ns / (NSEC_PER_SEC / USER_HZ);
}

void sigchld_info(struct process *p, int sig, int code, int status, struct abi_siginfo *si)
{
	nsec_t u, s;

	process_times(p, &u, &s);
	memset(si, 0, sizeof(*si));
	si->si_signo = sig;
	si->si_code = code;
	si->chld.pid = (int32_t)p->pid->nr;
	si->chld.uid = p->leader->thread.cred->uid;
	si->chld.status = status;
	si->chld.utime = to_ticks(u);
	si->chld.stime = to_ticks(s);
}

bool jobctl_wants_signal(struct process *parent)
{
	struct siglock l = siglock(parent);
	const struct abi_sigaction *a = &l.sighand->action[SIGCHLD - 1];
	bool wants = a->handler != SIG_IGN && !(a->flags & SA_NOCLDSTOP);

	sigunlock(l);
	return wants;
}

void jobctl_notify_parent_locked(struct process *p, int code, struct sigqueue_entry **e)
{
	struct process *parent = process_parent(p);
	struct abi_siginfo si;

	if (parent == NULL || p->zombie)
		return;
	p->stopped_report = code == CLD_STOPPED;
	p->continued_report = code == CLD_CONTINUED;
	p->stopped_sig = p->stop_sig;
	tree_child_ready_locked(p);
	sigchld_info(p, SIGCHLD, code, code == CLD_STOPPED ? p->stop_sig : SIGCONT, &si);
	if (jobctl_wants_signal(parent))
		(void)signal_queue(parent, NULL, SIGCHLD, &si, e);
	waitq_wake_all(&parent->wait_children, 0);
	if (code == CLD_CONTINUED)
		trace_continued_locked(p, &si);
}

void jobctl_notify_parent(struct process *p, int code)
{
	struct sigqueue_entry *e = sigqueue_alloc(true);

	spin_lock(&proctree_lock);
	jobctl_notify_parent_locked(p, code, &e);
	spin_unlock(&proctree_lock);
	sigqueue_free(e);
}
