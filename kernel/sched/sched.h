#pragma once

/* Scheduling policy for proc and sys; the mechanism is in runq.c, fair.c, rt.c. */

#include "lib/types.h"
#include "sched/thread.h"

/*
 * Boot CPU, after slab_init(), kva_init() and clock_init(): the boot thread becomes its idle
 * thread, and may sleep until it enters the idle loop. Fills the hooks of core, arch and pmm that
 * threads, IPIs and timers answer. Kernel threads work from here on; timers fire once interrupts
 * are on and arch_devices_init() is done.
 */
void sched_init(void);
void sched_init_cpu(unsigned cpu); /* another CPU, first thing in cpu_start(), on its idle stack */
NORETURN void sched_idle_loop(void);                       /* interrupts in any state */
MUST_CHECK struct thread *sched_create_idle(unsigned cpu); /* NULL: no memory */

/* The running thread sleeps or yields by its state; returns when it runs again. Interrupts may be
 * in any state and are restored. */
void schedule(void);

/* sched_setattr(2) without permission checks: rt_prio 0 for the fair policies. */
void sched_set_policy(struct thread *t, int policy, int rt_prio, int nice, bool reset_on_fork);
/*
 * Gives t the policy SCHED_DEADLINE; runtime, deadline and period in ns and sound (sched(7)).
 *   returns  -EBUSY: the CPUs have less left than it asks for; -EPERM: t may not run on all of them
 */
MUST_CHECK int sched_set_deadline(struct thread *t, uint64_t runtime, uint64_t deadline,
				  uint64_t period, uint8_t flags, bool reset_on_fork);
/* On the way to user mode (WORK_DEADLINE): the running thread waits for its next period. True: it
 * had run for too long, and wants to know (SCHED_FLAG_DL_OVERRUN). */
bool sched_deadline_wait(void);
/* The running thread, SCHED_DEADLINE, has done what it had to do in this period. */
void sched_deadline_yield(void);

void sched_set_affinity(struct thread *t, uint64_t cpus); /* cpus & online != 0; migrates at once */
void sched_set_nice(struct thread *t, int nice);
nsec_t sched_rr_interval(const struct thread *t);

/*
 * What sched(7) lets the administrator set, ns. In each period of sched_rt_period a CPU's real-time
 * threads go first for sched_rt_runtime (NSEC_MAX: always); after that, until the period ends, they
 * run when no fair thread wants to. Ticks measure it.
 */
extern _Atomic nsec_t sched_rt_period, sched_rt_runtime, sched_rr_slice;

/* PI: t runs at least at `rt_prio` (0: at its own again). */
void sched_boost(struct thread *t, int rt_prio);

/* Brings utime/stime up to date; called at reads. For a running thread: as of its last tick or
 * switch. */
void sched_account(struct thread *t, nsec_t *utime, nsec_t *stime);

/* For /proc: ns this CPU spent in user, nice, system, idle, iowait, irq; load averages in 1/65536;
 * counters. */
struct sched_cpu_stat {
	nsec_t user, nice, system, idle, irq;
	uint64_t switches;
};
void sched_cpu_stat(unsigned cpu, struct sched_cpu_stat *out);
void sched_loadavg(uint64_t out[3]);
unsigned sched_nr_running(void);
uint64_t sched_nr_switches(void);

/* CPU time of t, ns, exact to now: for clocks of threads and processes. */
nsec_t sched_runtime(struct thread *t);

/* Called at each tick, in the interrupt, for threads with a task: CPU-time limits and profiling
 * (proc). */
extern void (*sched_tick_hook)(struct thread *t);

/* Makes `next` (NULL: the kernel's own) the address space of this CPU; set by vm. Interrupts
 * off. */
extern void (*sched_switch_vm)(struct vmspace *prev, struct vmspace *next);

/* Debug builds, `debug=selftest`: tries all of this directory, prints "selftest sched: ok" or
 * panics. From a kernel thread, all CPUs running. Release builds: nothing. */
#ifdef KEVLAR_DEBUG
void sched_selftest(void);
void watchdog_selftest(void); /* `debug=stuck`: gets a CPU stuck, which must be reported */
#else
static inline void watchdog_selftest(void)
{
}
static inline void sched_selftest(void)
{
}
#endif
