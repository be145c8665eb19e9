#pragma once

/*
 * Tracing of tasks by others, ptrace(2). What a tracer asks of a task that stands still is between
 * trace_freeze() and trace_unfreeze() or trace_resume(); sys/ptrace.c has the requests.
 */

#include "abi/signal.h"
#include "lib/types.h"
#include "proc/task.h"

struct regs;
struct sigqueue_entry;
struct wait_args;

/* --- the tracer's side: ptrace.c --- */

/* The running task's parent traces it. 0; -EPERM it is traced already, or is more privileged. */
MUST_CHECK int trace_me(void);

/*
 * The running task traces t (borrowed), which stops (PTRACE_ATTACH) or goes on (PTRACE_SEIZE).
 *   options      PTRACE_O_*, checked
 *   returns      0; -EPERM not allowed, of the caller's own process, traced already, ended
 *   context      sleeps until a t that had stopped has become a stopped tracee
 */
MUST_CHECK int trace_attach(struct task *t, bool seize, uint32_t options);

/*
 * Holds t, a stopped tracee of the running task: nothing wakes it, and it is on no CPU, so that its
 * registers can be read and changed. -ESRCH: it is not.
 *   t            counted by the caller, until it is let go
 */
MUST_CHECK int trace_freeze(struct task *t);
/* Lets go of it: it stays stopped, unless it was killed meanwhile. */
void trace_unfreeze(struct task *t);

/* It goes on, with signal `sig` or 0 when the stop was for a signal.
 *   syscalls     enum trace_syscalls: where it is to stop next; step: after one instruction */
void trace_resume(struct task *t, int sig, uint32_t syscalls, bool step);
/* It goes on untraced. */
void trace_detach(struct task *t, int sig);

/* A seized tracee stops soon, without a signal. 0; -EIO it is not seized; -ESRCH. It may run. */
MUST_CHECK int trace_interrupt(struct task *t);
/* A frozen one stays stopped, but SIGCONT and the like are heard of. -EIO: it is in another stop.
 */
MUST_CHECK int trace_listen(struct task *t);
/* True: t is a tracee of the running task, stopped or not. */
bool trace_is_mine(struct task *t);

uint32_t task_tracer_pid(struct task *t); /* /proc/PID/status; 0: none */

/* --- the tracee's side: ptrace_stop.c --- */

/* Before and after a system call of a task with trace.syscalls. False: it is not to be made. */
MUST_CHECK bool trace_syscall_enter(struct regs *r);
void trace_syscall_exit(struct regs *r);

/* Whether the running task's tracer has asked for `event` (PTRACE_EVENT_*), and a stop for it then.
 */
MUST_CHECK bool trace_wants(unsigned event);
void trace_event(unsigned event, uint64_t message);
/* The event of a clone(2) with these flags and exit signal; 0: its tracer has not asked for it. */
unsigned trace_clone_event(uint64_t flags, int exit_signal);
/* A successful exec; the task's number was old_tid. */
void trace_exec_event(uint32_t old_tid);
/* The end of t, the running task, with this wait status. */
void trace_exit_event(struct task *t, int status);

/* The running, traced task took `sig`: what becomes of it is the tracer's to say. Changes *si with
 * the signal. 0: nothing. No locks. */
int trace_signal(struct task *t, int sig, struct abi_siginfo *si);
/* The running, traced task has JOBCTL_PENDING: it stops. The siglock is dropped. */
void trace_group_stop(struct task *t, struct siglock *l);
/* A stop of its own, after a handler has been entered in a single step. */
void trace_stepped_into_handler(void);

/* --- what the rest of proc must not forget --- */

/* A tracee hears that its process has stopped or continued. Under its siglock. */
void trace_notify_locked(struct task *t);

/* A new task, not published yet, is traced as the running one is. */
void trace_inherit_locked(struct task *child) HOLDS(&proctree_lock);
/* Its other half: with trace.tracer set. Under its siglock, or before it is published. */
void trace_link_locked(struct task *t) HOLDS(&proctree_lock);
/* t is traced no more. Under its siglock. */
void trace_unlink_locked(struct task *t) HOLDS(&proctree_lock);
/* t, which ends, lets go of all that it traces. */
void trace_release_all_locked(struct task *t, struct sigqueue_entry **e) HOLDS(&proctree_lock);
/* Another task takes the place of a leader that has ended: its tracer hears no more of it. */
void trace_forget_leader_locked(struct task *t) HOLDS(&proctree_lock);
/* t, traced and not its process's leader, has ended: it stays until its tracer has waited for it.
 */
void trace_task_died_locked(struct task *t, struct sigqueue_entry **e) HOLDS(&proctree_lock);
/* p has continued (si: what its parent is told): whoever else traces its leader hears of it. */
void trace_continued_locked(struct process *p, const struct abi_siginfo *si) HOLDS(&proctree_lock);
/* There is something to report of t to its tracer. */
void trace_ready_locked(struct task *t) HOLDS(&proctree_lock);

/* The process that traces t, borrowed; NULL: none. */
static inline struct process *trace_process_locked(const struct task *t)
{
	return t->trace.tracer == NULL ? NULL : t->trace.tracer->process;
}

/* Racy without PROCTREE. */
static inline bool trace_has_tracees(const struct process *p)
{
	return !list_is_empty(&p->tracees) || !list_is_empty(&p->tracees_ready);
}

/* The running task's exec may not make it more privileged: its tracer is not. */
static inline bool trace_limits_exec(void)
{
	const struct task_trace *tr = &curtask()->trace;

	return UNLIKELY(tr->tracer != NULL) && !tr->capable;
}

/* A wait for what the running process's tasks trace; `found`: what the wait for children said, 0 or
 * -ECHILD. As process_wait(). */
int64_t trace_wait_locked(struct process *me, struct wait_args *a, int64_t found,
			  struct sigqueue_entry **e) HOLDS(&proctree_lock);
