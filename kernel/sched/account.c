/*
 * Where the time went.
 *
 * A thread's run time is exact: charged at every switch and tick. How much of it was in user mode
 * is sampled: each tick attributes the time since the thread's last one to the mode it interrupted,
 * and sched_account() splits the exact time in the proportion of the samples. System calls are not
 * slowed by it.
 *
 * The load average is Linux's: every 5 s the runnable and uninterruptibly sleeping threads enter
 * three averages with time constants of 1, 5 and 15 minutes. Idle CPUs do not tick; what they
 * missed is made up for by the next tick or reader.
 */
#include "core/clock.h"
#include "core/irq.h"
#include "sched/sched_priv.h"

enum { LOAD_SHIFT = 16 };
#define LOAD_PERIOD (5 * NSEC_PER_SEC)

/* exp(-5/60), exp(-5/300), exp(-5/900) in 1/65536. */
static const uint64_t load_decay[3] = { 60296, 64453, 65173 };

static _Atomic uint64_t loads[3];
static _Atomic nsec_t load_next = LOAD_PERIOD;

void (*sched_tick_hook)(struct thread *t);

/*
 * Threads are charged for the interrupts that they see, CPUs are not: where the time of a CPU is
 * told apart, interrupts have their own. That is done at ticks and where idling begins and ends,
 * not at every switch.
 */
void account_irqs_locked(struct runq *rq, bool was_idle)
{
	nsec_t all = irq_time(rq->cpu), ns = all - rq->irq_ns;

	rq->irq_ns = all;
	if (was_idle)
		rq->idle_ns -= ns;
	else
		rq->busy_ns -= ns;
}

void account_tick_locked(struct runq *rq, bool user)
{
	struct thread *t = rq->curr;
	nsec_t delta = t->runtime - t->acct_mark;

	account_irqs_locked(rq, t == rq->idle);
	if (t == rq->idle)
		return;
	t->acct_mark = t->runtime;
	if (user)
		t->user_ns += delta;
	else
		t->kernel_ns += delta;
	if (rq->busy_ns < 0)
		return; /* the next one has it */
	if (!user)
		rq->system_ns += rq->busy_ns;
	else if (t->se.nice > 0)
		rq->nice_ns += rq->busy_ns;
	else
		rq->user_ns += rq->busy_ns;
	rq->busy_ns = 0;
}

/* total * part / whole without overflow; part <= whole. */
static nsec_t portion(nsec_t total, nsec_t part, nsec_t whole)
{
	uint64_t frac;

	while (whole >> 46) {
		part >>= 1;
		whole >>= 1;
	}
	frac = whole ? ((uint64_t)part << 16) / (uint64_t)whole : 0;
	return (nsec_t)(((uint64_t)total >> 16) * frac + (((uint64_t)total & 0xffff) * frac >> 16));
}

static struct runq *lock_charged(struct thread *t) NO_TSA
{
	struct runq *rq = runq_lock_of(t);

	if (rq->curr == t)
		runq_charge_locked(rq, clock_mono());
	return rq;
}

nsec_t sched_runtime(struct thread *t) NO_TSA
{
	irqstate_t s = arch_irq_save();
	struct runq *rq = lock_charged(t);
	nsec_t ns = t->runtime;

	spin_unlock(&rq->lock);
	arch_irq_restore(s);
	return ns;
}

void sched_account(struct thread *t, nsec_t *utime, nsec_t *stime) NO_TSA
{
	irqstate_t s = arch_irq_save();
	struct runq *rq = lock_charged(t);
	nsec_t sampled = t->user_ns + t->kernel_ns;
	nsec_t user = sampled ? portion(t->runtime, t->user_ns, sampled) : t->runtime;

	/* Neither may ever go back, and together they are the run time. */
	user = MAX(user, t->utime);
	user = MIN(user, t->runtime - t->stime);
	t->utime = user;
	t->stime = t->runtime - user;
	*utime = t->utime;
	*stime = t->stime;
	spin_unlock(&rq->lock);
	arch_irq_restore(s);
}

void sched_cpu_stat(unsigned cpu, struct sched_cpu_stat *out) NO_TSA
{
	struct runq *rq = &of_cpu(runqs, cpu);
	irqstate_t s = spin_lock_irq(&rq->lock);

	runq_charge_locked(rq, clock_mono());
	account_irqs_locked(rq, rq->curr == rq->idle);
	*out = (struct sched_cpu_stat){
		.user = rq->user_ns,
		.nice = rq->nice_ns,
		.system = rq->system_ns,
		.idle = rq->idle_ns,
		.irq = rq->irq_ns,
		.switches = rq->switches,
	};
	spin_unlock_irq(&rq->lock, s);
}

uint64_t sched_nr_switches(void)
{
	uint64_t n = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		n += of_cpu(runqs, cpu).switches;
	return n;
}

/* x^n in 1/65536. */
static uint64_t power(uint64_t x, uint64_t n)
{
	uint64_t r = 1u << LOAD_SHIFT;

	for (; n; n >>= 1) {
		if (n & 1)
			r = r * x >> LOAD_SHIFT;
		x = x * x >> LOAD_SHIFT;
	}
	return r;
}

void loadavg_tick(nsec_t now)
{
	nsec_t next = atomic_load_explicit(&load_next, memory_order_relaxed);
	uint64_t periods, active;
	int64_t blocked;

	if (LIKELY(now < next))
		return;
	periods = (uint64_t)((now - next) / LOAD_PERIOD) + 1;
	if (!atomic_compare_exchange_strong(&load_next, &next,
					    next + (nsec_t)periods * LOAD_PERIOD))
		return;
	blocked = atomic_load_explicit(&sched_nr_blocked, memory_order_relaxed);
	active = (uint64_t)sched_nr_running() + (uint64_t)MAX(blocked, 0l);
	for (unsigned i = 0; i < 3; i++) {
		/* Nobody ticked in the missed periods: all was idle. */
		uint64_t load = atomic_load_explicit(&loads[i], memory_order_relaxed) *
					power(load_decay[i], periods - 1) >>
				LOAD_SHIFT;

		load = load * load_decay[i] +
		       (active << LOAD_SHIFT) * ((1u << LOAD_SHIFT) - load_decay[i]);
		atomic_store_explicit(&loads[i], (load + (1u << (LOAD_SHIFT - 1))) >> LOAD_SHIFT,
				      memory_order_relaxed);
	}
}

void sched_loadavg(uint64_t out[3])
{
	loadavg_tick(clock_mono());
	for (unsigned i = 0; i < 3; i++)
		out[i] = atomic_load_explicit(&loads[i], memory_order_relaxed);
}
