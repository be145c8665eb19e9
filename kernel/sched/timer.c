/*
 * Timers and the tick.
 *
 * A timer is queued on the CPU that armed it, so only that CPU ever programs its one-shot hardware,
 * for the earlier of the first timer and its tick. Programming is lazy: a timer that is cancelled,
 * or a tick that is no longer wanted, leaves the hardware as it is, which costs one interrupt for
 * nothing instead of a register write for each.
 *
 * timer->state: byte 0 is 1 + the CPU whose queue it is in; that CPU's lock guards the transition
 * of this byte from and to 0. Byte 1 is 1 + the CPU that runs its callback. Bit 31 is a lock held
 * while arming, since a timer in no queue has no other.
 *
 * The tick runs every 4 ms on CPUs that run threads; one that idled from one tick to the next lets
 * it lapse, and starts it again with the first thread.
 */
#include "sched/timer.h"

#include <arch/cpu.h>
#include <arch/upcall.h>

#include "abi/sched.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/panic.h"
#include "pmm/slab.h"
#include "sched/ipi.h"
#include "sched/sched_priv.h"
#include "sched/timerq.h"

#define TICK (4 * NSEC_PER_MSEC)

enum { QUEUED_MASK = 0xff, RUNNING_SHIFT = 8, RUNNING_MASK = 0xff00, BALANCE_TICKS = 8 };
#define ARMING (1u << 31)

struct timer_base {
	struct spinlock lock; /* TIMER: queue */
	struct timerq queue;
	nsec_t hardware;   /* what it is set to; NSEC_MAX: off. This CPU only, irqs off, as below */
	nsec_t tick;       /* when the next one is due; NSEC_MAX: none */
	uint64_t switches; /* of the run queue, at the last tick */
	bool in_tick;      /* the hardware is programmed at the end of tick() */
};

static PERCPU(struct timer_base, bases);

#ifdef KEVLAR_DEBUG
static void check_free(const void *obj, size_t size, const char *what);
#endif

void timer_init_cpu(unsigned cpu)
{
	struct timer_base *b = &of_cpu(bases, cpu);

	*b = (struct timer_base){ .hardware = NSEC_MAX, .tick = NSEC_MAX };
	spin_init(&b->lock, RANK_TIMER);
	timerq_init(&b->queue);
#ifdef KEVLAR_DEBUG
	slab_free_check = check_free;
#endif
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->fn = fn;
	t->expires = 0;
	atomic_init(&t->state, 0);
}

/* The hardware goes off no later than `when`. */
static void program(struct timer_base *b, nsec_t when)
{
	if (when >= b->hardware || b->in_tick)
		return;
	b->hardware = when;
	arch_timer_set(when);
}

#ifdef KEVLAR_DEBUG

/*
 * Memory with a queued timer must not be freed. How many are queued is counted by a hash of their
 * addresses; only where a freed object's counts are not all zero are the queues themselves asked.
 */
enum { SEATS = 4096, SEAT_SHIFT = 6 };
static _Atomic uint16_t seats[SEATS];

static _Atomic uint16_t *seat(uintptr_t line)
{
	return &seats[(line ^ line >> 12) % SEATS];
}

static void note_queued(struct timer *t, int by)
{
	atomic_fetch_add_explicit(seat((uintptr_t)t >> SEAT_SHIFT), (uint16_t)by,
				  memory_order_relaxed);
}

static bool may_be_queued(uintptr_t from, uintptr_t to)
{
	for (uintptr_t line = from >> SEAT_SHIFT; line <= (to - 1) >> SEAT_SHIFT; line++)
		if (atomic_load_explicit(seat(line), memory_order_relaxed))
			return true;
	return false;
}

/* By trylock: what is freed under a lock of a higher rank is still looked at. */
static void check_free(const void *obj, size_t size, const char *what) NO_TSA
{
	uintptr_t from = (uintptr_t)obj, to = from + size;
	irqstate_t s;

	if (!may_be_queued(from, to))
		return;
	s = arch_irq_save();
	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		struct timer_base *b = &of_cpu(bases, cpu);

		if (!spin_trylock(&b->lock))
			continue;
		for (struct rbnode *n = b->queue.first; n; n = rb_next(n)) {
			struct timer *t = rb_entry(n, struct timer, node);

			if ((uintptr_t)t >= from && (uintptr_t)t < to)
				panic("%s %p is freed with a timer in it: +%zu, fn %p", what, obj,
				      (uintptr_t)t - from, (void *)(uintptr_t)t->fn);
		}
		spin_unlock(&b->lock);
	}
	arch_irq_restore(s);
}

#else

static void note_queued(struct timer *t, int by)
{
	(void)t, (void)by;
}

#endif

/* Takes t out of the queue it is in. False: it is in none (any more). */
static bool unqueue(struct timer *t) NO_TSA
{
	for (;;) {
		uint32_t cpu = atomic_load_explicit(&t->state, memory_order_acquire) & QUEUED_MASK;
		struct timer_base *b;

		if (cpu == 0)
			return false;
		b = &of_cpu(bases, cpu - 1);
		spin_lock(&b->lock);
		if ((atomic_load_explicit(&t->state, memory_order_relaxed) & QUEUED_MASK) == cpu) {
			timerq_remove(&b->queue, t);
			note_queued(t, -1);
			atomic_fetch_sub_explicit(&t->state, cpu, memory_order_relaxed);
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock);
	}
}

void timer_arm(struct timer *t, nsec_t expires)
{
	irqstate_t s = arch_irq_save();
	struct timer_base *b = &this_cpu(bases);

	while (atomic_fetch_or_explicit(&t->state, ARMING, memory_order_acquire) & ARMING)
		arch_pause();
	unqueue(t);
	if (expires != NSEC_MAX) {
		spin_lock(&b->lock);
		t->expires = expires;
		atomic_fetch_add_explicit(&t->state, 1 + cpu_id(), memory_order_relaxed);
		note_queued(t, 1);
		if (timerq_insert(&b->queue, t))
			program(b, expires);
		spin_unlock(&b->lock);
	}
	atomic_fetch_and_explicit(&t->state, ~ARMING, memory_order_release);
	arch_irq_restore(s);
}

bool timer_try_cancel(struct timer *t)
{
	irqstate_t s;
	bool was;

	if (!(atomic_load_explicit(&t->state, memory_order_acquire) & QUEUED_MASK))
		return false;
	s = arch_irq_save();
	was = unqueue(t);
	arch_irq_restore(s);
	return was;
}

bool timer_cancel(struct timer *t)
{
	bool was = false;
	uint32_t state, running;

	for (;;) {
		/* Each time: the callback that is waited for may arm it again. */
		was |= timer_try_cancel(t);
		state = atomic_load_explicit(&t->state, memory_order_acquire);
		running = (state & RUNNING_MASK) >> RUNNING_SHIFT;
		/* On this CPU we are inside the callback: waiting would be for ever. */
		if (running == 1 + cpu_id() || !(state & (QUEUED_MASK | RUNNING_MASK)))
			return was;
		arch_pause();
	}
}

/* The first timer that is due, taken out and marked as running; NULL: none. */
static struct timer *take_due(struct timer_base *b, nsec_t now) NO_TSA
{
	uint32_t me = 1 + cpu_id();
	struct timer *t;

	for (;;) {
		spin_lock(&b->lock);
		t = timerq_first(&b->queue);
		if (!t || t->expires > now) {
			spin_unlock(&b->lock);
			return NULL;
		}
		if (!(atomic_load_explicit(&t->state, memory_order_acquire) & RUNNING_MASK))
			break;
		/* Re-armed here while its last call still runs on another CPU. */
		spin_unlock(&b->lock);
		arch_pause();
	}
	timerq_remove(&b->queue, t);
	note_queued(t, -1);
	atomic_fetch_add_explicit(&t->state, (me << RUNNING_SHIFT) - me, memory_order_relaxed);
	spin_unlock(&b->lock);
	return t;
}

static void run_due(struct timer_base *b, nsec_t now)
{
	struct timer *t;

	while ((t = take_due(b, now))) {
		t->fn(t);
		/* The last touch: whoever waits in timer_cancel() may free it now. */
		atomic_fetch_and_explicit(&t->state, ~(uint32_t)RUNNING_MASK, memory_order_release);
	}
}

static void sched_tick(struct timer_base *b, nsec_t now, bool user) NO_TSA
{
	struct runq *rq = this_runq();
	struct thread *t;

	spin_lock(&rq->lock);
	runq_charge_locked(rq, now);
	t = rq->curr;
	account_tick_locked(rq, user);
	runq_rt_tick_locked(rq, now);
	if (t->se.policy == SCHED_RR && t->se.slice_used >= sched_rr_quantum())
		runq_resched_locked(rq);
	spin_unlock(&rq->lock);
	/* A CPU that sleeps and wakes all the time keeps its tick: starting it costs more. */
	b->tick = t == rq->idle && b->switches == rq->switches && !epoch_is_pending() ? NSEC_MAX
										      : now + TICK;
	b->switches = rq->switches;
	if (UNLIKELY(t->se.rt_prio == RT_DEADLINE) && t->se.dl.left > 0)
		b->tick = MIN(b->tick, now + t->se.dl.left);
	watchdog_tick(rq, now, user);
	if (t == rq->idle)
		return;
	if (t->task && sched_tick_hook)
		sched_tick_hook(t);
	if (++rq->ticks % BALANCE_TICKS == 0) {
		runq_balance(rq, 2);
		runq_pull_rt(rq); /* one may wait because priorities or affinities changed */
	}
	/* Threads wait here while a CPU idles: it steals when it looks. Not one whose waker has
	 * just put it here. */
	if (atomic_load_explicit(&rq->nr, memory_order_relaxed) > 1 &&
	    (rq->turn_switches != rq->switches || now - rq->turn_at >= TURN_LIMIT)) {
		uint64_t idle = atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed) &
				~BIT(rq->cpu);

		if (idle)
			ipi_resched((unsigned)__builtin_ctzl(idle));
	}
}

void tick(void)
{
	struct timer_base *b = &this_cpu(bases);
	bool user = arch_irq_from_user();
	nsec_t now = clock_mono(), next;

	b->hardware = NSEC_MAX;
	b->in_tick = true;
	if (now >= b->tick) {
		log_tick();
		loadavg_tick(now);
		work_tick();
		epochs_tick();
		sched_tick(b, now, user);
	}
	run_due(b, now);
	b->in_tick = false;

	spin_lock(&b->lock);
	next = b->tick;
	if (timerq_first(&b->queue))
		next = MIN(next, timerq_first(&b->queue)->expires);
	if (next != NSEC_MAX)
		program(b, next);
	spin_unlock(&b->lock);
}

void timer_tick_start(nsec_t now)
{
	struct timer_base *b = &this_cpu(bases);

	if (b->tick != NSEC_MAX)
		return;
	b->tick = now + TICK;
	program(b, b->tick);
}

bool timer_tick_by(nsec_t when)
{
	struct timer_base *b = &this_cpu(bases);

	if (when >= b->tick)
		return false;
	b->tick = when;
	program(b, when);
	return true;
}
