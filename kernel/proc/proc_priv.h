#pragma once

/* What the files of kernel/proc share. */

#include "proc/pid.h"
#include "proc/signal.h"
#include "proc/task.h"
#include "proc/user.h"

struct abi_rusage;

/* --- process.c: objects --- */

/* Zeroed but for lists and counts. NULL: no memory. Freed raw before they are published, by
 * reference after. */
MUST_CHECK struct task *task_alloc(void);
void task_free_raw(struct task *t);
MUST_CHECK struct process *process_alloc(void);
void process_free_raw(struct process *p);

/* A sighand with every action at its default, or a copy of src under its lock. NULL: no memory. */
MUST_CHECK struct sighand *sighand_create(void);
MUST_CHECK struct sighand *sighand_dup(struct process *src);
void sighand_get(struct sighand *s);
void sighand_put(struct sighand *s);

/* Next task of the same process, in list order; NULL at the end. Under PROCTREE or the siglock. */
static inline struct task *process_first_task(struct process *p)
{
	return list_is_empty(&p->tasks) ? NULL : list_first(&p->tasks, struct task, group_node);
}
#define for_each_task(t, p) list_for_each (t, &(p)->tasks, group_node)

/* --- tree.c: parents, groups, sessions --- */

/* p, new, becomes a child of `parent` and joins its group and session. */
void tree_link_locked(struct process *p, struct process *parent) HOLDS(&proctree_lock);
/* Moves p to another group or session; NULL: to none. */
void tree_set_group_locked(struct process *p, struct pid *group) HOLDS(&proctree_lock);
void tree_set_session_locked(struct process *p, struct pid *session) HOLDS(&proctree_lock);

/* Children with something to report stand first in their parent's list. */
void tree_child_ready_locked(struct process *p) HOLDS(&proctree_lock);
void tree_child_idle_locked(struct process *p) HOLDS(&proctree_lock);

/* The children of p, which is ending, get a new parent. */
void tree_reparent_children_locked(struct process *p) HOLDS(&proctree_lock);

/*
 * Whether a group has become orphaned; if it has stopped members they get SIGHUP and SIGCONT.
 *   member       of the group; it is ending (old_parent NULL), or has lost old_parent, which is
 * ending
 */
void tree_check_orphans_locked(struct process *member, struct process *old_parent)
	HOLDS(&proctree_lock);
bool group_is_orphaned_locked(struct pid *group, const struct process *ignore)
	HOLDS(&proctree_lock);

extern uint32_t process_total;              /* not reaped; PROCTREE to change */
extern _Atomic uint32_t task_total;         /* that count against task_max */
void task_uncharge(struct user_account *u); /* a task of u's is gone */

/* --- sigqueue.c: entries and pending sets --- */

/* An entry charged to the running task's user. NULL: no memory, or RLIMIT_SIGPENDING unless
 * `over_limit`. */
MUST_CHECK struct sigqueue_entry *sigqueue_alloc(bool over_limit);
void sigqueue_free(struct sigqueue_entry *e); /* not a timer's; any thread context */

void sigqueue_init(void);
void sigpending_init(struct sigpending *q);
/* Takes out e, which is in q; its signal is no longer pending when it was the last one. Under the
 * siglock. */
void sigpending_remove(struct sigpending *q, struct sigqueue_entry *e);
/* Drops what is pending of `set`. Under the siglock. */
void sigpending_flush(struct sigpending *q, uint64_t set);
/* Takes the next signal of `set` (faults first, then the lowest) from t's own or the shared queue.
 * 0: none. */
int sigpending_take(struct task *t, uint64_t set, struct abi_siginfo *out);
/* True when a further instance of a pending standard signal would be lost. */
static inline bool sigpending_has(const struct sigpending *q, int sig)
{
	return q->set & SIGMASK(sig);
}

/* --- signal.c --- */

/*
 * Queues si for t (or, when t is NULL, for whichever task of p) under p's siglock.
 *   e            entry to use; set to NULL when it was taken. *e NULL: a standard signal comes
 * without siginfo si           NULL: the kernel's own, without an entry returns      0, also when
 * it was ignored or was pending already; -EAGAIN: *e is NULL and it needs one
 */
int signal_queue_locked(struct process *p, struct task *t, int sig, const struct abi_siginfo *si,
			struct sigqueue_entry **e);
/* As signal_queue_locked, takes the siglock. */
int signal_queue(struct process *p, struct task *t, int sig, const struct abi_siginfo *si,
		 struct sigqueue_entry **e);

/* WORK_SIGNAL of t follows from what is pending. Under the siglock. */
void signal_recalc(struct task *t);
/* What t would take now. Under the siglock. */
static inline uint64_t signal_deliverable(const struct task *t)
{
	return (t->pending.set | t->process->pending.set) & ~(t->blocked & ~t->wait_set);
}

/* Ends every task of p with `status`, unless it is ending. Under the siglock. */
void process_kill_all_locked(struct process *p, int wait_status);
/* Makes t run towards its end: wakes it from any sleep that a kill ends. Under the siglock. */
void task_zap(struct task *t);

/* The action of sig is the default one, and that is to ignore it / to stop / to end with a core. */
bool sig_default_ignored(int sig);
bool sig_default_stops(int sig);
bool sig_default_dumps(int sig);

/* Signals that t no longer takes go to others. Under the siglock. */
void signal_retarget(struct task *t, uint64_t set);

/* --- jobctl.c --- */

/* In signal_queue_locked(), for these signals: SIGCONT undoes stops, stop signals undo SIGCONT. */
void jobctl_signal_sent(struct process *p, int sig);
/* The running task took stop signal sig: all tasks of p are to stop. Under the siglock. */
void jobctl_begin_stop(struct process *p, int sig);
/* The running task stops, when it is to (under the siglock, which is dropped; true: it did). */
bool jobctl_stop_here(struct task *t, struct siglock *l);
/* Sets or clears PROC_STOPPED, and counts it in the group. Under the siglock. */
void jobctl_set_stopped(struct process *p, bool stopped);
/* The running task stops, or ends: when it is to stop and counted, it is counted. True: that was
 * the last, and the process has stopped; tell the parent. Under the siglock. */
bool jobctl_take_part(struct task *t);
/* An exiting task is not waited for. Under the siglock. True: the others have all stopped; tell the
 * parent. */
bool jobctl_task_exits(struct task *t);
/* Tells the parent that p has stopped (code CLD_STOPPED) or goes on (CLD_CONTINUED). Takes
 * PROCTREE. */
void jobctl_notify_parent(struct process *p, int code);

void jobctl_notify_parent_locked(struct process *p, int code, struct sigqueue_entry **e)
	HOLDS(&proctree_lock);
/* Whether a process's SIGCHLD action wants to hear of stops. Takes its siglock. */
bool jobctl_wants_signal(struct process *parent);

/* The SIGCHLD of p, as its parent sees it. */
void sigchld_info(struct process *p, int sig, int code, int status, struct abi_siginfo *si);

/* --- exit.c / wait.c --- */

/* Tells p's parent that it is a zombie; `e` as in signal_queue_locked. True: reap it at once. */
bool exit_notify_parent_locked(struct process *p, struct sigqueue_entry **e) HOLDS(&proctree_lock);
/* A task of p is not there any more: when only a dead leader is left, p becomes a zombie (true),
 * and may be gone after. An exec that waits to be alone is told. */
bool exit_left_locked(struct process *p, struct sigqueue_entry **e) HOLDS(&proctree_lock);
/* Parts of a wait that tracers share: what a task that ended with `status` is reported as; the use
 * of child's resources, when asked for; the end of a zombie child of the running process. */
struct wait_args;
void wait_report_end(struct process *child, struct wait_args *a, int status);
void wait_rusage(struct process *child, struct wait_args *a);
void wait_take_zombie_locked(struct process *child, struct wait_args *a) HOLDS(&proctree_lock);
uint32_t wait_take_continued_locked(struct process *p, struct wait_args *a) HOLDS(&proctree_lock);
/* Takes a zombie out of the tree: its numbers are free, the tree's references are dropped. */
void tree_reap_locked(struct process *p) HOLDS(&proctree_lock);
/* What the task used is added to its process, before it is unlinked. Under the siglock. */
void task_account_dead(struct task *t);
/* A task that is not the leader, or a leader being replaced, leaves its process and frees its
 * number. */
void task_unlink_locked(struct task *t) HOLDS(&proctree_lock);
/* Ends all other tasks of the running process and makes the running one its leader. 0; -EAGAIN,
 * -EINTR. */
MUST_CHECK int process_become_single(void);
/* The image goes: clear_child_tid, robust futexes, a vforking parent. */
void task_release_image(struct task *t);

/* --- itimer.c, ptimer.c --- */

void itimer_init(struct process *p);
/* The process ends: no callback runs or will run. */
void itimer_cancel_all(struct process *p);
void task_account_memory(struct task *t); /* clocks.c; the running task: what it had since then */
void cputimer_tick(struct thread *t);     /* at each tick */
/* exec and the end of the process. */
void ptimer_delete_all(struct process *p);
/* A timer's signal is being delivered: overrun, next expiry. Under the siglock. */
void ptimer_signal_taken(struct posix_timer *pt, struct abi_siginfo *si);
/* A timer's signal was thrown away. Under the siglock. */
void ptimer_signal_dropped(struct posix_timer *pt);
/* CPU-time timers of p; true while one is armed. Under the siglock, also in the tick. */
bool ptimer_check_cpu(struct process *p);
void ptimer_clock_was_set(struct process *p);
void clocks_init(void);
/* p's CPU times with the siglock held, ns. */
void process_times_locked(struct process *p, nsec_t *utime, nsec_t *stime);

/* --- pidfd.c --- */

struct file;
/* A pidfd file for p (borrowed). */
MUST_CHECK int pidfd_create(struct pid *p, unsigned oflags, struct file **out);

/* --- set-up, from proc_init() --- */
void deliver_init(void);
void exec_init(void);
void oom_init(void);
void limits_init(void);
/* Limits of p as its address space needs them. */
void limits_to_vmspace(struct process *p, struct vmspace *vs);
