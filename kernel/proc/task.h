#pragma once

/*
 * Tasks (what Linux calls threads), thread groups (processes), process groups and sessions.
 *
 * A task embeds the scheduler's thread. All tasks of a process share its `struct process`: pid,
 * signal state, limits, timers, accounting, the place in the tree. Ids are `struct pid` objects:
 * one number that may name a task, a process, a group and a session at the same time, and lives as
 * long as any of them; a pidfd keeps the object, not the number.
 *
 * Locks: the tree (parents, children, groups, sessions, pid table changes) is under proctree_lock
 * (PROCTREE); lookups by number run under an epoch and take a reference. Signal state is under the
 * siglock of the process (SIGNAL): process->sighand->lock, taken with siglock(), since exec may
 * replace the sighand.
 *
 * References: a task has one for its own life (until it is off its stack) and one for being linked
 * into its process; it holds its process. A process has one for being in the tree (until reaped).
 */

#include "abi/resource.h"
#include "abi/signal.h"
#include "core/epoch.h"
#include "core/ref.h"
#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "proc/confined.h"
#include "proc/sigpending.h"
#include "proc/tracee.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "sched/wait.h"

struct core_dump;
struct cred;
struct file;
struct fsctx;
struct pid;
struct posix_timer;
struct process;
struct task;
struct tty;
struct abi_mq_attr;
struct user_account;

struct pid {
	struct ref ref;
	uint32_t nr;                 /* immutable */
	_Atomic(struct task *) task; /* PROCTREE to change; readers under an epoch */
	_Atomic(struct process *) process;
	struct list group;         /* processes of the group; PROCTREE */
	struct list session;       /* processes of the session; PROCTREE */
	_Atomic uint32_t nstopped; /* processes of the group that are PROC_STOPPED */
	struct waitq exit_wait;    /* pidfd pollers */
	struct epoch_head epoch;
};

/* Shared by CLONE_SIGHAND; copied on fork; reset on exec. Freed under an epoch. */
struct sighand {
	struct ref ref;
	struct spinlock lock; /* SIGNAL: guards the pending sets of its processes too */
	struct abi_sigaction action[64];
	struct waitq signalfd_wait;
	struct epoch_head epoch;
};

struct restart_block { /* restart_syscall(2) */
	int64_t (*fn)(struct restart_block *r);
	uint64_t arg[5];
};

struct task {
	struct thread thread;      /* first: task_of() */
	struct process *process;   /* immutable; counted */
	struct pid *pid;           /* counted; changes only in exec */
	struct list group_node;    /* in process->tasks; PROCTREE + siglock */
	struct sighand *sighand;   /* process->sighand, for the task itself; borrowed */
	struct sigpending pending; /* siglock */
	uint64_t blocked;          /* siglock to write; the owner reads without */
	uint64_t saved_mask;       /* owner; with WORK_RESTORE_MASK */
	uint64_t wait_set;         /* siglock; sigtimedwait: signals it waits for though blocked */
	uint32_t jobctl;           /* siglock; enum jobctl */
	bool nproc_exceeded; /* owner: set*uid went over RLIMIT_NPROC: the next execve fails */
	bool exited;         /* siglock: takes no signals any more */
	bool dead;           /* PROCTREE + siglock: done with all but its stack; accounted */
	uint64_t altstack_sp, altstack_size;          /* owner; bytes, 0: none */
	uint32_t altstack_flags;                      /* owner; SS_AUTODISARM */
	uint64_t fault_addr, fault_trap, fault_error; /* owner; for sigcontext */
	int exit_code;                                /* wait status */
	uint32_t pdeath_signal;                       /* PROCTREE */
	uint32_t parent_tid;          /* the task that made the process; PROCTREE; leader only */
	struct process *vfork_parent; /* owner; counted; waits until this task execs or exits */
	_Atomic uint32_t vfork_done;
	uaddr_t set_child_tid, clear_child_tid, robust_list; /* owner */
	struct restart_block restart;                        /* owner */
	uint64_t rt_nvcsw; /* owner's tick, as the next: voluntary switches at the last one */
	nsec_t rt_since;   /* runtime when it last had slept, or was not real-time */
	struct task_confined confined;
	uint32_t personality;                      /* owner writes */
	uint8_t mce_kill;                          /* owner: PR_MCE_KILL_* of prctl(2) */
	bool io_flusher;                           /* owner */
	uint64_t timer_slack, default_timer_slack; /* ns */
	uaddr_t rseq;                              /* owner */
	uint32_t rseq_len, rseq_sig;
	_Atomic uint16_t ioprio;           /* ioprio_set(2): class and level */
	uint64_t mempolicy;                /* owner; vm/mempolicy.h */
	struct sem_undo_list *sem_undo;    /* owner; counted; proc/ipc/sem.h; NULL: nothing yet */
	const struct abi_mq_attr *mq_attr; /* owner; of an mq_open(2) in progress; NULL */
	struct user_account *user;         /* of the real uid; owner writes */
	struct list pi_owned;              /* pi_lock: waiters for PI futexes that this task owns */
	struct pi_waiter *pi_waiting; /* pi_lock: the PI futex that it waits for itself; NULL */
	_Atomic bool pi_closed;       /* it has ended: nobody joins pi_owned any more */
	uint64_t rss_time, vm_time, mem_mark; /* owner's tick: ns * pages; until this runtime */
	struct task_trace trace;
	struct epoch_head epoch;
};

struct process {
	struct ref ref;          /* tasks, tree, lookups */
	struct pid *pid;         /* counted; immutable; the tgid */
	struct list tasks;       /* PROCTREE + siglock to change, either to read */
	_Atomic uint32_t ntasks; /* live ones; siglock to change */
	struct task *leader;     /* PROCTREE; stays until reaped, even when it has exited */
	_Atomic(struct sighand *) sighand; /* counted; siglock() */

	_Atomic(struct process *) parent; /* PROCTREE to change; borrowed; readers under an epoch */
	struct list children, sibling;    /* PROCTREE; those with something to report come first */
	struct pid *group;                /* PROCTREE + siglock to change; counted */
	struct pid *session_pid;          /* PROCTREE to change; counted */
	struct list group_node, session_node;
	struct tty *tty;                             /* controlling terminal; PROCTREE; see tty */
	bool session_leader, is_subreaper, did_exec; /* PROCTREE */
	bool has_subreaper;                          /* PROCTREE: some ancestor is a subreaper */
	bool has_pdeath; /* PROCTREE: some child asked for a parent-death signal */

	struct sigpending pending;  /* siglock */
	uint32_t flags;             /* siglock; enum process_flags */
	int group_exit_code;        /* siglock; wait status */
	int stop_sig;               /* siglock */
	unsigned stop_count;        /* siglock; tasks still to stop */
	struct waitq exec_wait;     /* a task in exec waits for the others to end */
	int exit_signal;            /* to the parent; 0: none; SIGCHLD usually */
	struct waitq wait_children; /* wait4 and vfork of this process's tasks */
	int wait_status;            /* valid once zombie */
	struct core_dump *core;     /* siglock; a core file is being written, by one of its tasks */
	bool zombie, reaped;        /* PROCTREE */
	/* PROCTREE; what its tasks trace: those with nothing to report, and those with, in order */
	struct list tracees, tracees_ready;
	_Atomic bool in_procfs;                /* somebody looked at it: process_reaped_hook */
	struct process *reaped_next;           /* of whoever holds that hook */
	bool stopped_report, continued_report; /* PROCTREE: not yet waited for */
	int stopped_sig;                       /* PROCTREE; with stopped_report */

	struct abi_rlimit rlim[RLIM_NLIMITS]; /* siglock to change */
	struct timer real_timer;              /* ITIMER_REAL */
	nsec_t real_expires, real_interval;   /* siglock; expires 0: off */
	nsec_t virt_left, virt_interval, prof_left,
		prof_interval;       /* siglock; at tick granularity */
	nsec_t cpu_utime, cpu_stime; /* siglock; as of the last charge to virt_left and prof_left */
	_Atomic bool cpu_timers;     /* something hangs on this process's CPU time */
	nsec_t cpu_limit_next;       /* siglock; RLIMIT_CPU: when the next SIGXCPU is due */
	struct rbtree posix_timers;  /* siglock; struct posix_timer, by id */
	struct list cpu_ptimers;     /* siglock; those on a CPU-time clock */
	int next_timer_id;           /* siglock */
	nsec_t utime, stime, cutime, cstime; /* siglock; of dead tasks; of reaped children */
	struct thread_io io;                 /* of dead tasks */
	uint64_t minflt, majflt, cminflt, cmajflt, nvcsw, nivcsw, cnvcsw, cnivcsw, maxrss, cmaxrss;
	nsec_t run_delay, lived; /* siglock; of dead tasks, lived of those that left others */
	nsec_t start_time;       /* CLOCK_MONOTONIC; immutable */
	nsec_t start_boottime;
	struct mutex exec_lock;               /* EXEC: image and credentials change together */
	int oom_score_adj, oom_score_adj_min; /* racy; min: without CAP_SYS_RESOURCE */
	/* Racy. Who logged in, for the audit trail, and as the how manieth: 0: not valid. */
	uint32_t login_uid, login_session;
	struct epoch_head epoch;
};

enum process_flags {
	PROC_GROUP_EXIT = 1,   /* all tasks are ending; group_exit_code is valid */
	PROC_STOPPED = 2,      /* all tasks have stopped */
	PROC_STOP_PENDING = 4, /* some task has been told to stop */
	PROC_CONT_NOTIFY = 8,  /* continued: the parent is to be told */
	PROC_UNKILLABLE = 16,  /* process 1: only signals with a handler */
	PROC_EXECING = 32,     /* a task ends all others */
	PROC_STOP_TAKEN = 64,  /* a stop signal has been taken and is being considered */
	PROC_NO_ZOMBIE = 128,  /* the kernel's own helper: nobody waits for it */
};

extern struct spinlock proctree_lock; /* PROCTREE */
extern struct process *init_process;  /* set once */

static inline struct task *task_of(struct thread *t)
{
	return t->task;
}
static inline struct task *curtask(void)
{
	return curthread()->task;
}
static inline struct process *curproc(void)
{
	return curthread()->task->process;
}
static inline struct process *process_parent(struct process *p)
{
	return atomic_load_explicit(&p->parent, memory_order_acquire);
}

/* The siglock of a process, whatever sighand it has by now. Interrupts are off meanwhile. Any
 * context. */
struct siglock {
	struct sighand *sighand;
	irqstate_t irq;
};
struct siglock siglock_retry(struct process *p, struct siglock l);

/* Interrupts stay off from the load to the lock: no grace period ends in between, so `sighand` is
 * still memory. */
MUST_CHECK static inline struct siglock siglock(struct process *p) NO_TSA
{
	struct siglock l = { .irq = arch_irq_save() };

	l.sighand = atomic_load_explicit(&p->sighand, memory_order_acquire);
	spin_lock(&l.sighand->lock);
	if (UNLIKELY(l.sighand != atomic_load_explicit(&p->sighand, memory_order_relaxed)))
		return siglock_retry(p, l);
	return l;
}
static inline void sigunlock(struct siglock l) NO_TSA
{
	spin_unlock_irq(&l.sighand->lock, l.irq);
}

/* Lookups by number: counted results (task's thread.ref / process->ref); NULL: none. Zombies are
 * found. */
MUST_CHECK struct task *task_lookup(uint32_t tid);
MUST_CHECK struct process *process_lookup(uint32_t pid);
MUST_CHECK struct pid *pid_lookup(uint32_t nr);
void task_get(struct task *t);
void task_put(struct task *t); /* any context but under RUNQ or TIMER locks */
void process_get(struct process *p);
void process_put(struct process *p);
void pid_get(struct pid *p);
void pid_put(struct pid *p);

/* The process or task a pid object still names, counted; NULL: gone. */
MUST_CHECK struct process *pid_get_process(struct pid *p);
MUST_CHECK struct task *pid_get_task(struct pid *p);

/* The next process with pid >= *nr, counted; *nr set to its number. NULL at the end. For /proc. */
MUST_CHECK struct process *process_next(uint32_t *nr);
/* The next task of p with tid >= *tid. */
MUST_CHECK struct task *process_next_task(struct process *p, uint32_t *tid);

/* The address space of a task, counted, or NULL (kernel thread, exiting). */
MUST_CHECK struct vmspace *task_get_vmspace(struct task *t);
/* Other slots of another task, counted; NULL when it is exiting. */
MUST_CHECK struct fdtable *task_get_files(struct task *t);
MUST_CHECK struct fsctx *task_get_fs(struct task *t);
MUST_CHECK const struct cred *task_get_cred(struct task *t);
/* The leader of p, counted; NULL when p has been reaped. For what /proc/PID shows of a process. */
MUST_CHECK struct task *process_get_leader(struct process *p);

/* May the caller look into t (ptrace access mode)? 0, -EPERM. */
enum access_mode { ACCESS_READ, ACCESS_ATTACH };
bool task_is_dumpable(struct task *t); /* prctl(2) PR_SET_DUMPABLE; true without memory */
MUST_CHECK int task_may_access(struct task *t, enum access_mode mode);

uint64_t process_rlimit(struct process *p, unsigned resource); /* soft limit; racy */
uint32_t process_ppid(struct process *p);                      /* 0: none */
uint32_t process_pgid(struct process *p);
uint32_t process_sid(struct process *p);

/* CPU times of the whole process, live and dead tasks, ns. Takes the siglock. */
void process_times(struct process *p, nsec_t *utime, nsec_t *stime);

/*
 * True when no member of the group has a parent outside the group but in the same session, that is
 * when nobody could continue it (POSIX). Takes PROCTREE; for tty's decision between stopping and
 * EIO.
 */
bool group_is_orphaned(struct pid *group);

/* Set by tty, called without locks: a session leader has ended (SIGHUP to the foreground group, the
 * terminal is released); NULL: no terminals. */
extern void (*session_leader_exit_hook)(struct process *p);

/* Set by procfs, called under PROCTREE: a process with in_procfs is reaped. NULL: no procfs. */
extern void (*process_reaped_hook)(struct process *p);

void proc_init(void); /* caches, pid table, hooks; creates nothing */

/*
 * Boot: makes process 1, which runs `fn(arg)` as its first task, in kernel mode, with root_cred, fs
 * at `root`, no descriptors. fn ends by a successful exec_kernel() and arch_enter_user(), or
 * panics. 0; -ENOMEM.
 */
struct path;
MUST_CHECK int process_create_init(const struct path *root, void (*fn)(void *), void *arg);
