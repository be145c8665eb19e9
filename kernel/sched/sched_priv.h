#pragma once

/* Inside sched/: the run queue of a CPU, and what its files call of each other. */

#include "core/percpu.h"
#include "core/spinlock.h"
#include "lib/types.h"
#include "sched/deadline.h"
#include "sched/fair.h"
#include "sched/rt.h"
#include "sched/sched.h"
#include "sched/thread.h"

struct runq {
	struct spinlock lock;           /* RUNQ; held across arch_switch() */
	unsigned cpu;                   /* immutable */
	struct thread *curr;            /* lock; what runs here */
	struct thread *idle;            /* immutable */
	struct thread *prev;            /* during a switch: whose stack is being left */
	void (*dead)(struct thread *t); /* during a switch: prev has exited */
	bool push;                      /* during a switch: prev goes to another CPU */
	bool yielding;                  /* in thread_yield() */
	/* runnable threads, the running one included, idle not; written under lock */
	_Atomic uint32_t nr;
	_Atomic bool halted; /* idle is about to halt: only an interrupt wakes it */
	_Atomic bool kick;   /* ipi_resched() was called for it */
	/* own CPU: when a thread was put beside its waker, and `switches` then */
	nsec_t turn_at;
	uint64_t turn_switches;
	nsec_t woken_at; /* lock; when its halted idle thread was sent an IPI; 0: it was not */
	struct fair_queue fair; /* lock, as all below */
	struct rt_queue rt;
	nsec_t rt_ns, rt_period_end; /* what real-time threads had in the present period */
	bool rt_throttled;           /* they had their share: fair threads, if any, go first */
	uint64_t switches;
	nsec_t idle_ns, busy_ns; /* busy_ns: not yet attributed to one of the following */
	nsec_t user_ns, nice_ns, system_ns;
	nsec_t irq_ns; /* interrupts' time that has been taken off idle_ns and busy_ns */
	uint32_t ticks;
	_Atomic nsec_t passed; /* debug: when it last was in the scheduler or in user mode */
};

/* How long a thread may stand beside a waker that does not sleep, while another CPU idles. */
#define TURN_LIMIT (NSEC_PER_MSEC)

DECLARE_PERCPU(struct runq, runqs);
/* bit per CPU: it runs its idle thread and has nothing queued */
extern _Atomic uint64_t sched_idle_cpus;
/* What waking a halted CPU by IPI takes, ns: until a thread runs there, or for the sender if that
 * is more; average, within limits. */
extern _Atomic nsec_t sched_wake_cost;
void sched_note_wake_cost(nsec_t ns);
extern _Atomic int64_t sched_nr_blocked; /* tasks in uninterruptible sleep, for the load average */

static inline uint64_t sched_rr_quantum(void)
{
	return (uint64_t)atomic_load_explicit(&sched_rr_slice, memory_order_relaxed);
}

/* Bandwidth: what SCHED_DEADLINE has been granted on all CPUs, and how much one CPU has for it. */
extern _Atomic uint64_t sched_deadline_used;
uint64_t sched_deadline_most(void);

static inline struct runq *this_runq(void)
{
	return &this_cpu(runqs);
}

static inline struct thread *thread_of(struct sched_entity *se)
{
	return container_of(se, struct thread, se);
}

static inline uint32_t thread_state(const struct thread *t)
{
	return atomic_load_explicit(&t->state, memory_order_relaxed);
}

static inline bool need_resched(void)
{
	return atomic_load_explicit(&curthread()->work, memory_order_seq_cst) & WORK_RESCHED;
}

/* runq.c */
void runq_init(unsigned cpu, struct thread *idle);
struct runq *runq_lock_of(struct thread *t);          /* locks t's run queue; interrupts are off */
void runq_charge_locked(struct runq *rq, nsec_t now); /* accounts the running thread */
void runq_enqueue_locked(struct runq *rq, struct thread *t, enum fair_how how, nsec_t slept);
void runq_dequeue_locked(struct runq *rq, struct thread *t); /* t is queued or running here */
void runq_resched_locked(struct runq *rq);                   /* its running thread is to give way */
struct thread *runq_pick_locked(struct runq *rq); /* becomes rq's next; idle when there is none */
/* A runnable t in no queue: finds a CPU. may_preempt: what runs there may have to give way. */
void runq_place(struct thread *t, enum fair_how how, nsec_t slept, bool may_preempt);
void runq_set_running_locked(struct runq *rq,
			     struct thread *t); /* t, its curr, after runq_dequeue_locked() */
unsigned runq_select_cpu(const struct thread *t);
/* Under rq's lock: t, real-time, running there, is displaced, and another CPU has room for it. */
bool runq_should_push_rt(const struct runq *rq, const struct thread *t);
/* rq, the running CPU's, has room: takes over the most urgent real-time thread that waits
 * elsewhere. Interrupts off, no lock held. */
void runq_pull_rt(struct runq *rq);
/* The running thread wakes or starts t at `now`, and there are several CPUs: is t to have this CPU,
 * which the waker will leave at once (and should not be preempted on)? */
bool runq_is_beside_waker(const struct thread *t, nsec_t now);
void runq_waker_sleeps(struct thread *t, nsec_t now);  /* t->woke_at != 0, and t falls asleep */
void runq_rt_tick_locked(struct runq *rq, nsec_t now); /* the share of the real-time threads */
void runq_balance(struct runq *rq,
		  uint32_t margin); /* takes a thread from a CPU with `margin` more; irqs off */

/* account.c */
void account_tick_locked(struct runq *rq, bool user);
void account_irqs_locked(struct runq *rq, bool was_idle); /* since it was called last */
void loadavg_tick(nsec_t now);

bool thread_wake_as(struct thread *t, unsigned states,
		    int result); /* thread_wake() with the sleep's result */

/* watchdog.c: debug builds report a CPU that stays in the kernel */
#ifdef KEVLAR_DEBUG
void watchdog_tick(struct runq *rq, nsec_t now, bool user);
static inline void watchdog_passed(struct runq *rq, nsec_t now)
{
	atomic_store_explicit(&rq->passed, now, memory_order_relaxed);
}
#else
static inline void watchdog_tick(struct runq *rq, nsec_t now, bool user)
{
	(void)rq, (void)now, (void)user;
}
static inline void watchdog_passed(struct runq *rq, nsec_t now)
{
	(void)rq, (void)now;
}
#endif

/* wait.c */
void sleep_timer_init(struct thread *t);

/* timer.c */
void timer_init_cpu(unsigned cpu);
void timer_tick_start(nsec_t now); /* a thread begins to run here; interrupts off */
/* This CPU's next tick is no later. True: that took some time. Interrupts off. */
bool timer_tick_by(nsec_t when);

/* ipi.c */
void ipi_init_cpu(unsigned cpu);
void ipi_flush_kernel(void); /* kernel translations, on all CPUs */

/* work.c */
void work_tick(void); /* from the tick: memory reclaim that was asked for */

/* epochs.c */
void epochs_tick(void); /* from the tick: frees that wait on this CPU */
void epochs_init(void);
