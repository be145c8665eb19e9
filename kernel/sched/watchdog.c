/*
 * Debug builds: a CPU that stays in the kernel for WATCHDOG_LIMIT without passing through its
 * scheduler is reported with its place. Whoever ticks looks at all: a CPU that spins with
 * interrupts off cannot report itself. Idle CPUs and user mode are no matter of concern.
 */
#include "core/clock.h"
#include "core/log.h"
#include "sched/sched_priv.h"

#ifdef KEVLAR_DEBUG

#define WATCHDOG_LIMIT (20 * NSEC_PER_SEC)

static void report(struct runq *rq, nsec_t since, nsec_t now)
{
	/* Read without its lock: it may be the very thing that is held. */
	struct thread *t = __atomic_load_n(&rq->curr, __ATOMIC_RELAXED);

	log_err("CPU %u has been in the kernel for %ld s: thread %u (%s)", rq->cpu,
		(long)((now - since) / NSEC_PER_SEC), t->tid, t->name);
	if (rq->cpu == cpu_id())
		arch_backtrace();
	else
		arch_backtrace_of(rq->cpu);
}

void watchdog_tick(struct runq *rq, nsec_t now, bool user)
{
	unsigned cpu;

	if (user)
		watchdog_passed(rq, now);
	for_each_cpu (cpu) {
		struct runq *other = &of_cpu(runqs, cpu);
		nsec_t passed = atomic_load_explicit(&other->passed, memory_order_relaxed);

		if (now - passed < WATCHDOG_LIMIT ||
		    __atomic_load_n(&other->curr, __ATOMIC_RELAXED) == other->idle)
			continue;
		/* One of those who see it, and once for each limit. */
		if (atomic_compare_exchange_strong(&other->passed, &passed, now))
			report(other, passed, now);
	}
}

#endif
