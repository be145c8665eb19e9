#pragma once

/*
 * Threads: what the scheduler runs. A user task (proc/task.h) embeds one; a kernel thread is one
 * alone. The upper layers hang their per-task objects into the slots below; the pointers belong to
 * the running thread, which replaces them only under the lock that the slot names.
 *
 * The kernel is not preempted: a thread gives up its CPU by sleeping or at thread_resched_point();
 * user mode is preempted on the way out of an interrupt.
 */

#include <arch/context.h>
#include <arch/cpu.h>

#include "core/epoch.h"
#include "core/ref.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"
#include "sched/entity.h"
#include "sched/timer.h"

struct cred;
struct fdtable;
struct fsctx;
struct pkt;
struct task;
struct vmspace;

enum thread_state {
	THREAD_RUNNING,    /* on a CPU or in a run queue */
	THREAD_SLEEP_INTR, /* until woken, or any signal */
	THREAD_SLEEP_KILL, /* until woken, or a fatal signal */
	THREAD_SLEEP,      /* until woken */
	THREAD_STOPPED,    /* job control */
	THREAD_DEAD,
	THREAD_TRACED, /* stopped for a tracer: until that, or a fatal signal */
	THREAD_FROZEN, /* likewise, while the tracer is at it: until that */
};

/* thread->work: any bit set sends the thread through user_return_work() before user mode. */
enum thread_work {
	WORK_RESCHED = 1,       /* somebody better is waiting for this CPU */
	WORK_SIGNAL = 2,        /* a signal may be deliverable */
	WORK_KILLED = 4,        /* a fatal signal is pending: sleeps of kind KILL end */
	WORK_STOP = 8,          /* job-control stop requested */
	WORK_RESTORE_MASK = 16, /* sigsuspend, ppoll …: put the saved mask back */
	WORK_TASK = 32,         /* task_work queued (proc) */
	WORK_RSEQ = 64,
	WORK_NET = 128,      /* net_deferred is not empty */
	WORK_DEADLINE = 256, /* SCHED_DEADLINE: no runtime left: sched_deadline_wait() */
};

/* /proc/PID/io: bytes and calls of read(2), write(2) and their like. */
struct thread_io {
	uint64_t rchar, wchar, syscr, syscw;
};

struct thread {
	/* hot: entry code and the switch (offsets in arch/x86_64/asm_offsets.c) */
	_Atomic uint32_t work;   /* enum thread_work */
	_Atomic uint32_t state;  /* enum thread_state; written under run queue lock or by itself */
	void *kstack;            /* lowest address; immutable until freed */
	struct arch_thread arch; /* owner */
	_Atomic uint32_t on_cpu; /* still standing on its stack: a waker waits for 0 */
	uint32_t cpu;            /* run queue it belongs to; under that queue's lock */
	uint64_t affinity;       /* CPUs allowed */
	struct sched_entity se;  /* RUNQ */
	uint32_t tid;            /* 0: idle; kernel threads have one too */
	char name[16];           /* comm; written by owner, read racily */

	/* accounting; written by the CPU that runs it */
	nsec_t runtime;            /* ns, exact; RUNQ */
	nsec_t user_ns, kernel_ns; /* parts of it that ticks saw in user and kernel mode; RUNQ */
	nsec_t acct_mark;          /* runtime at the last tick */
	nsec_t utime, stime;       /* ns, as sched_account() last told; RUNQ */
	nsec_t ready_at;           /* when it last became runnable or was preempted; RUNQ */
	nsec_t run_delay;          /* ns that it has been runnable and did not run; RUNQ */
	uint64_t nvcsw, nivcsw, minflt, majflt;
	struct thread_io io; /* owner */
	nsec_t start_time;   /* CLOCK_MONOTONIC */

	/* slots of upper layers */
	struct task *task;       /* proc: NULL for kernel threads; immutable */
	struct vmspace *vmspace; /* vm: changed by its owner alone, in exec and exit, irqs off */
	struct cred *cred; /* vfs/cred.h: replaced by its owner, read by others under an epoch */
	struct fsctx *fs;  /* vfs: cwd, root, umask; shared by CLONE_FS */
	struct fdtable *files;    /* vfs: shared by CLONE_FILES */
	void *closing;            /* net: files of messages thrown away, being closed; owner */
	struct pkt *net_deferred; /* net/loopback.c: the first of a ring of packets, or NULL */
	uint32_t nofault;         /* usercopy in progress must not fault in */
	bool used_caps;           /* owner: it has needed a capability, and had it */

	struct timer sleep_timer; /* sched/wait.c */
	int wake_result;          /* why the last sleep ended; RUNQ */
	const void *wait_on;      /* the wait queue it sleeps on, or NULL; for traces */
	/* work bits it gets when it was preempted, or goes on on another CPU (WORK_RSEQ); owner */
	uint32_t switch_work;
	uint32_t last_cpu; /* where it ran last; the CPU that runs it */
	/* runq.c, owner, irqs off: when a thread was put beside it that it woke, 0: not since its
	 * last sleep; how often it slept at once after that; wake-ups until it is tried again */
	nsec_t woke_at;
	uint32_t turns, probe_in, probe_interval;
	struct list held_mutexes; /* debug: lockdep; PI */
	struct epoch_head epoch;  /* freeing */
	struct ref ref;
#ifdef KEVLAR_DEBUG
	uint32_t nheld;
	const void *held[16];
	uint16_t held_rank[16];
	uint32_t fail_left, fail_again; /* sched/failure.h */
	const void *fail_site;
#endif
};

static inline struct thread *curthread(void)
{
	return arch_curthread();
}

/*
 * A stopped kernel thread that will run fn(arg), in the fair class, on any CPU; started by
 * thread_start(). It ends when fn returns. Its one reference is the thread's own life; NULL: no
 * memory.
 */
MUST_CHECK struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg);

/*
 * For proc: initialises the embedded thread of a new task from its parent (nice, policy, affinity,
 * name), with a kernel stack; all else is zeroed, tid and the slots of the upper layers are the
 * caller's. -ENOMEM; -EAGAIN: the parent is SCHED_DEADLINE and passes that on. thread_fini() undoes
 * it, also once the task is dead (it frees the stack and the FPU area; never sleeps). A thread that
 * others may have found without a reference (run queues, lock owners) is freed under an epoch.
 */
MUST_CHECK int thread_init(struct thread *t, const struct thread *parent);
void thread_fini(struct thread *t);

/*
 * Copies the registers with which another thread entered the kernel. False, and nothing is copied:
 * it is running, or it has ended, when its stack is gone.
 *   context      takes the run queue's lock (RUNQ)
 */
bool thread_copy_regs(struct thread *t, struct regs *out);

/* Puts a new thread on a run queue for the first time. */
void thread_start(struct thread *t);

/* The first thing on the stack of a thread made by arch_thread_fork(): completes the switch to it.
 * Interrupts stay off. */
void thread_first_run(void);

/*
 * Ends the running thread. `dead(t)` is called later, on another stack, when stack and FPU area
 * have been freed already (thread_fini), with interrupts off in the middle of a switch: it queues
 * (epoch_free, work_queue) or drops a reference, and never sleeps.
 */
NORETURN void thread_exit(void (*dead)(struct thread *t));

void thread_yield(void);

/* The running thread will wake another one and then sleep, or end, at once: the other one may as
 * well run here. */
void thread_will_sleep(void);

/* In long loops of the kernel: lets somebody better run. Reports a quiescent state to the
 * epochs. */
static inline void thread_resched_point(void);
void thread_resched(void);

/*
 * Asks the thread to look at `bits` before user mode; wakes it from sleeps of the kind (SIGNAL and
 * STOP: interruptible ones; KILLED: killable ones and job-control stop too), and kicks its CPU. Any
 * context.
 */
void thread_set_work(struct thread *t, uint32_t bits);
static inline void thread_clear_work(struct thread *t, uint32_t bits)
{
	atomic_fetch_and_explicit(&t->work, ~bits, memory_order_relaxed);
}

/* True when the running thread should give up an interruptible wait: for a signal, or to be stopped
 * (the call is restarted afterwards). */
static inline bool signal_pending(void)
{
	return atomic_load_explicit(&curthread()->work, memory_order_relaxed) &
	       (WORK_SIGNAL | WORK_KILLED | WORK_STOP);
}
static inline bool fatal_signal_pending(void)
{
	return atomic_load_explicit(&curthread()->work, memory_order_relaxed) & WORK_KILLED;
}

static inline void thread_resched_point(void)
{
	if (UNLIKELY(atomic_load_explicit(&curthread()->work, memory_order_relaxed) & WORK_RESCHED))
		thread_resched();
	else
		epoch_quiescent();
}
