/*
 * Debug builds: a CPU that stays in the kernel for 20 s without passing through its scheduler is
 * reported: its place, the locks that it and its thread hold, and the last of the trace. Whoever
 * ticks looks at all: a CPU that spins with interrupts off cannot report itself. Idle CPUs and user
 * mode are no matter of concern.
 *
 * `debug=stuck` provokes it: a CPU spins with a spinlock held and interrupts off until it has been
 * reported, with a limit of one second.
 */
#include "core/clock.h"
#include "core/ktrace.h"
#include "core/lockdep.h"
#include "core/log.h"
#include "core/panic.h"
#include "sched/mutex.h"
#include "sched/sched_priv.h"
#include "sched/wait.h"

#ifdef KEVLAR_DEBUG

enum { LAST_RECORDS = 16 };

static _Atomic nsec_t limit = 20 * NSEC_PER_SEC;
static _Atomic unsigned reports;

/* Sleeping locks; read while their owner goes on, perhaps: it is stuck, or the report is of no
 * consequence. */
static void log_thread_locks(struct thread *t)
{
	uint32_t n = MIN(__atomic_load_n(&t->nheld, __ATOMIC_RELAXED), (uint32_t)16);

	for (uint32_t i = 0; i < n; i++)
		log_err("  thread %u holds %s (%u) at %p", t->tid,
			lockdep_rank_name(t->held_rank[i]), t->held_rank[i], t->held[i]);
}

static void report(struct runq *rq, nsec_t since, nsec_t now)
{
	/* Read without its lock: it may be the very thing that is held. */
	struct thread *t = __atomic_load_n(&rq->curr, __ATOMIC_RELAXED);

	log_err("CPU %u has been in the kernel for %ld s: thread %u (%s)", rq->cpu,
		(long)((now - since) / NSEC_PER_SEC), t->tid, t->name);
	lockdep_log_cpu(rq->cpu);
	log_thread_locks(t);
	if (rq->cpu == cpu_id())
		arch_backtrace();
	else
		arch_backtrace_of(rq->cpu);
	ktrace_print_last(LAST_RECORDS);
	atomic_fetch_add(&reports, 1);
}

void watchdog_tick(struct runq *rq, nsec_t now, bool user)
{
	unsigned cpu;

	if (user)
		watchdog_passed(rq, now);
	for_each_cpu (cpu) {
		struct runq *other = &of_cpu(runqs, cpu);
		nsec_t passed = atomic_load_explicit(&other->passed, memory_order_relaxed);

		if (now - passed < atomic_load_explicit(&limit, memory_order_relaxed) ||
		    __atomic_load_n(&other->curr, __ATOMIC_RELAXED) == other->idle)
			continue;
		/* One of those who see it, and once for each limit. */
		if (atomic_compare_exchange_strong(&other->passed, &passed, now))
			report(other, passed, now);
	}
}

static struct mutex stuck_mutex = MUTEX(stuck_mutex, BLKQ);
static struct spinlock stuck_lock = SPINLOCK(TIMER);
static _Atomic bool stuck_done;

/* Where another CPU ticks, with interrupts off; on the only one they must come. */
static void get_stuck(void *arg)
{
	(void)arg;
	mutex_lock(&stuck_mutex);
	if (ncpus > 1) {
		irqstate_t s = spin_lock_irq(&stuck_lock);

		while (atomic_load(&reports) == 0)
			arch_pause();
		spin_unlock_irq(&stuck_lock, s);
	} else {
		while (atomic_load(&reports) == 0)
			arch_pause();
	}
	mutex_unlock(&stuck_mutex);
	atomic_store(&stuck_done, true);
}

void watchdog_selftest(void)
{
	struct thread *t = kthread_create("stuck", get_stuck, NULL);
	nsec_t end = clock_mono() + 60 * NSEC_PER_SEC;

	if (!t)
		panic("selftest watchdog: no memory");
	atomic_store(&limit, NSEC_PER_SEC);
	thread_start(t);
	while (!atomic_load(&stuck_done)) {
		if (clock_mono() > end)
			panic("selftest watchdog: a stuck CPU is not reported");
		/* Busy: an idle CPU does not tick. */
		thread_yield();
	}
	atomic_store(&limit, 20 * NSEC_PER_SEC);
	log_info("selftest watchdog: ok");
}

#endif
