#pragma once

/*
 * Epoch-based reclamation. A reader section is any stretch of kernel code without sleeping: the
 * kernel is not preempted, so a CPU that has passed through the scheduler, user mode or idle has
 * left every section it was in. epoch_free() runs `fn` after all CPUs have done so. Readers pay
 * nothing; epoch_enter/exit document the section and, in debug builds, forbid sleeping in it.
 */

#include "core/panic.h"
#include "core/percpu.h"
#include "lib/types.h"

struct epoch_head {
	struct epoch_head *next;
	void (*fn)(struct epoch_head *h);
};

#ifdef KEVLAR_DEBUG
void epoch_enter(void);
void epoch_exit(void);
#else
static inline void epoch_enter(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}
static inline void epoch_exit(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}
#endif

/*
 * Calls fn(h) once no reader section that began before this call is still running.
 *   context      any, but not under a lock of rank RUNQ or TIMER: it may call epoch_kick
 *   fn           runs in a kernel thread and may sleep
 */
void epoch_free(struct epoch_head *h, void (*fn)(struct epoch_head *h));

/* Waits until every section begun before is over. May sleep. */
void epoch_wait(void);

extern _Atomic uint64_t epoch_now; /* of epoch.c, as the next */
DECLARE_PERCPU(_Atomic uint64_t, epoch_seen);
/* Debug builds: true between epoch_enter() and epoch_exit() on this CPU. Release builds: false. */
bool epoch_in_section(void);

/*
 * This CPU is in no reader section: called by the scheduler at each switch, by idle, and on the
 * tick in user mode. Two loads when nothing waits.
 */
static inline void epoch_quiescent(void)
{
	uint64_t now = atomic_load_explicit(&epoch_now, memory_order_acquire);
	_Atomic uint64_t *seen = &this_cpu(epoch_seen);

	KASSERT_DEBUG(!epoch_in_section());
	if (UNLIKELY(atomic_load_explicit(seen, memory_order_relaxed) != now))
		atomic_store_explicit(seen, now, memory_order_release);
}

/*
 * For sched, which lends core its threads and its tick. epoch_kick asks that epoch_run() be called
 * from a kernel thread at once. NULL: nothing is freed yet.
 */
extern void (*epoch_kick)(void);

/* Frees wait on this CPU: its tick, and idle before it goes without one, are to ask as epoch_kick
 * does. Interrupts off. */
bool epoch_is_pending(void);

/* Set by sched: makes each CPU of the mask pass through its scheduler soon (ipi_resched). */
extern void (*epoch_kick_cpus)(uint64_t cpus);

/* Set by sched: sleeps for ns, not interruptibly. NULL: epoch_wait() spins. */
extern void (*epoch_sleep)(nsec_t ns);

/*
 * Runs the callbacks whose grace period is over, and starts the next period.
 *   returns      how long to wait before the next call, ns; NSEC_MAX: not before it is asked for
 *                again
 *   context      kernel thread, no locks; a second caller at the same time returns at once
 */
nsec_t epoch_run(void);
