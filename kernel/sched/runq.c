/*
 * The run queue of a CPU, over both classes, and where threads go.
 *
 * A thread belongs to the queue of CPU t->cpu, which changes only while the thread is off all
 * stacks and under the lock of the queue it leaves. As a queue's lock is held from the decision to
 * switch until the next thread stands on its own stack, whoever holds the lock of t->cpu knows: t
 * is running there, or queued there, or asleep with its stack free. So nobody ever waits for
 * on_cpu, and a woken thread cannot run on two CPUs.
 *
 * Wake-ups prefer an idle CPU (the thread's last one first), then the last one, then the least
 * loaded. An idle CPU that has not halted sees WORK_RESCHED by itself; a halted one gets an IPI. A
 * CPU about to idle steals.
 *
 * Of n CPUs the n most urgent real-time threads have one each: a woken one goes where the least
 * urgent runs, one that is displaced goes on to where it displaces another, and a CPU whose
 * real-time thread sleeps looks for one that waits elsewhere.
 *
 * Two threads that take turns are better off on one CPU: the waker leaves it sooner than a halted
 * one could begin, and an interrupt to another CPU is dear, most of all in a virtual machine, where
 * it may cost the sender its own. So a thread's history decides where those that it wakes go: has
 * it slept within sched_wake_cost (measured) of waking one, the next one is put beside it. Only
 * such placements are measured, since the others disturb the waker itself; without history one
 * wake-up in 2, 4 … PROBE_MAX is put there as a probe. If the waker goes on after all, an idle CPU
 * is told to take the thread after TURN_LIMIT.
 */
#include "sched/sched_priv.h"

#include "abi/sched.h"
#include "core/clock.h"
#include "core/irq.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "sched/wait.h"

PERCPU(struct runq, runqs);
_Atomic uint64_t sched_idle_cpus;

enum { TURNS_MAX = 7, PROBE_MAX = 1024 };
#define WAKE_COST_MIN (10 * NSEC_PER_USEC)
#define WAKE_COST_MAX (200 * NSEC_PER_USEC)
_Atomic nsec_t sched_rt_period = NSEC_PER_SEC, sched_rt_runtime = 950 * NSEC_PER_MSEC;
_Atomic nsec_t sched_rr_slice = RT_QUANTUM;
_Atomic nsec_t sched_wake_cost = 20 * NSEC_PER_USEC;

void runq_init(unsigned cpu, struct thread *idle)
{
	struct runq *rq = &of_cpu(runqs, cpu);

	memset(rq, 0, sizeof(*rq));
	rq->cpu = cpu;
	rq->idle = rq->curr = idle;
	spin_init(&rq->lock, RANK_RUNQ);
	fair_init(&rq->fair);
	rt_init(&rq->rt);
}

struct runq *runq_lock_of(struct thread *t) NO_TSA
{
	for (;;) {
		uint32_t cpu = t->cpu;
		struct runq *rq = &of_cpu(runqs, cpu);

		spin_lock(&rq->lock);
		if (LIKELY(t->cpu == cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

bool thread_copy_regs(struct thread *t, struct regs *out) NO_TSA
{
	irqstate_t s = arch_irq_save();
	struct runq *rq = runq_lock_of(t);
	bool is_off = t != rq->curr && thread_state(t) != THREAD_DEAD;

	if (is_off)
		*out = *thread_regs(t);
	spin_unlock(&rq->lock);
	arch_irq_restore(s);
	return is_off;
}

/* What of a CPU deadline threads have not been granted, one with SCHED_FLAG_RECLAIM may have: it is
 * charged less for its time (sched(7): GRUB). */
static nsec_t reclaimed(const struct sched_deadline *d, nsec_t delta)
{
	uint64_t used = atomic_load_explicit(&sched_deadline_used, memory_order_relaxed) / ncpus,
		 most = sched_deadline_most();
	uint64_t rate = BIT(DEADLINE_BW_SHIFT) - most + MIN(used, most);

	rate = MAX(rate, (d->bandwidth << DEADLINE_BW_SHIFT) / most);
	return (nsec_t)((uint64_t)delta * MIN(rate, BIT(DEADLINE_BW_SHIFT)) >> DEADLINE_BW_SHIFT);
}

static void charge_deadline(struct thread *t, nsec_t delta)
{
	struct sched_deadline *d = &t->se.dl;

	d->left -= d->flags & SCHED_FLAG_RECLAIM ? reclaimed(d, delta) : delta;
	if (d->left <= 0)
		atomic_fetch_or_explicit(&t->work, WORK_DEADLINE, memory_order_relaxed);
}

void runq_charge_locked(struct runq *rq, nsec_t now)
{
	struct thread *t = rq->curr;
	struct sched_entity *se = &t->se;
	nsec_t delta = now - se->exec_start;

	if (delta <= 0)
		return;
	se->exec_start = now;
	if (t == rq->idle) {
		rq->idle_ns += delta;
		return;
	}
	t->runtime += delta;
	rq->busy_ns += delta;
	if (&t->se == rq->fair.curr) {
		if (fair_charge(&rq->fair, delta))
			runq_resched_locked(rq);
	} else if (UNLIKELY(se->rt_prio == RT_DEADLINE)) {
		charge_deadline(t, delta);
	} else if (se->class == SCHED_CLASS_RT) {
		rq->rt_ns += delta;
		if (se->policy == SCHED_RR)
			se->slice_used += (uint64_t)delta;
	}
}

static void add_nr(struct runq *rq, int n)
{
	uint32_t nr = atomic_load_explicit(&rq->nr, memory_order_relaxed);

	atomic_store_explicit(&rq->nr, nr + (uint32_t)n, memory_order_relaxed);
}

static void wake_deadline(struct thread *t, nsec_t now)
{
	struct sched_deadline *d = &t->se.dl;

	if (!d->waits && !deadline_wake(d, now))
		atomic_fetch_or_explicit(&t->work, WORK_DEADLINE, memory_order_relaxed);
}

void runq_enqueue_locked(struct runq *rq, struct thread *t, enum fair_how how, nsec_t slept)
{
	KASSERT_DEBUG(!t->se.queued && t->cpu == rq->cpu);
	if (t->se.class == SCHED_CLASS_RT) {
		if (UNLIKELY(t->se.rt_prio == RT_DEADLINE) && how == FAIR_WAKE)
			wake_deadline(t, t->se.exec_start + slept);
		rt_enqueue(&rq->rt, &t->se, false);
	} else
		fair_enqueue(&rq->fair, &t->se, how, slept);
	add_nr(rq, 1);
	if (rq->curr == rq->idle)
		atomic_fetch_and_explicit(&sched_idle_cpus, ~BIT(rq->cpu), memory_order_relaxed);
}

void runq_dequeue_locked(struct runq *rq, struct thread *t)
{
	struct sched_entity *se = &t->se;

	if (se->class == SCHED_CLASS_FAIR)
		fair_dequeue(&rq->fair, se);
	else if (se->queued)
		rt_dequeue(&rq->rt, se);
	add_nr(rq, -1);
}

void runq_set_running_locked(struct runq *rq, struct thread *t)
{
	/* Into the tree and out again: that is how vruntime comes from the lag. */
	if (t->se.class == SCHED_CLASS_FAIR) {
		fair_enqueue(&rq->fair, &t->se, FAIR_MOVE, 0);
		fair_set_curr(&rq->fair, &t->se);
	}
	add_nr(rq, 1);
}

void runq_resched_locked(struct runq *rq)
{
	uint32_t old = atomic_fetch_or(&rq->curr->work, WORK_RESCHED);

	if (old & WORK_RESCHED || rq->cpu == cpu_id())
		return;
	/* Idle that still runs will look at its work before it halts. */
	if (rq->curr != rq->idle) {
		arch_ipi_send(BIT(rq->cpu));
	} else if (atomic_load(&rq->halted)) {
		nsec_t sent;

		rq->woken_at = clock_mono();
		arch_ipi_send(BIT(rq->cpu));
		/* A virtual machine's sender may pay more than its target. */
		sent = clock_mono() - rq->woken_at;
		if (sent > atomic_load_explicit(&sched_wake_cost, memory_order_relaxed))
			sched_note_wake_cost(sent);
	} else {
		rq->woken_at = 0;
	}
}

void sched_note_wake_cost(nsec_t ns)
{
	nsec_t cost = atomic_load_explicit(&sched_wake_cost, memory_order_relaxed);

	ns = MIN(MAX(ns, WAKE_COST_MIN), WAKE_COST_MAX);
	cost += (ns - cost) / 8;
	atomic_store_explicit(&sched_wake_cost, cost, memory_order_relaxed);
}

/* Should t, just queued, run instead of what runs now? */
static bool preempts(const struct runq *rq, const struct thread *t)
{
	const struct sched_entity *curr = &rq->curr->se, *se = &t->se;

	if (curr->class == SCHED_CLASS_IDLE)
		return true;
	if (se->class == SCHED_CLASS_RT)
		return curr->class != SCHED_CLASS_RT
			       ? !rq->rt_throttled || se->rt_prio == RT_DEADLINE
			       : rt_urgency(se) > rt_urgency(curr);
	if (curr->class == SCHED_CLASS_RT)
		return rq->rt_throttled && curr->rt_prio != RT_DEADLINE;
	if ((curr->policy == SCHED_IDLE) != (se->policy == SCHED_IDLE))
		return curr->policy == SCHED_IDLE;
	return se->policy == SCHED_OTHER && fair_should_preempt(&rq->fair, se);
}

/* The share of SCHED_FIFO and SCHED_RR is used up; SCHED_DEADLINE's is granted thread by thread. */
static bool is_throttled(const struct runq *rq, const struct sched_entity *se)
{
	return rq->rt_throttled && se->rt_prio != RT_DEADLINE;
}

struct thread *runq_pick_locked(struct runq *rq)
{
	struct sched_entity *curr = &rq->curr->se, *next = rt_first(&rq->rt);
	bool rt_runs = curr->class == SCHED_CLASS_RT && !curr->queued &&
		       thread_state(rq->curr) == THREAD_RUNNING;

	if (UNLIKELY(rt_runs && !rq->push)) {
		bool turn_over = rq->yielding || (curr->policy == SCHED_RR &&
						  curr->slice_used >= sched_rr_quantum());

		if (turn_over)
			curr->slice_used = 0;
		if (!(is_throttled(rq, curr) && rq->fair.nr) &&
		    (!next || rt_urgency(next) < rt_urgency(curr) ||
		     (rt_urgency(next) == rt_urgency(curr) && !turn_over)))
			return rq->curr;
		rt_enqueue(&rq->rt, curr, !turn_over);
		next = rt_first(&rq->rt);
	}
	/* Throttled: the fair threads' turn, as long as there is one. */
	if (UNLIKELY(next) && !(is_throttled(rq, next) && (rq->fair.nr || rq->fair.curr))) {
		fair_put_back(&rq->fair);
		rt_dequeue(&rq->rt, next);
		/* It has so long, and no tick more. */
		if (next->rt_prio == RT_DEADLINE && next->dl.left > 0)
			(void)timer_tick_by(curr->exec_start + next->dl.left);
		return thread_of(next);
	}
	next = fair_pick(&rq->fair, rq->yielding);
	return next ? thread_of(next) : rq->idle;
}

void runq_rt_tick_locked(struct runq *rq, nsec_t now)
{
	nsec_t runtime = atomic_load_explicit(&sched_rt_runtime, memory_order_relaxed);

	if (now >= rq->rt_period_end) {
		rq->rt_period_end =
			now + atomic_load_explicit(&sched_rt_period, memory_order_relaxed);
		rq->rt_ns = 0;
	}
	if (rq->rt_throttled == (rq->rt_ns >= runtime))
		return;
	rq->rt_throttled = !rq->rt_throttled;
	runq_resched_locked(rq);
}

static uint32_t load_of(unsigned cpu)
{
	return atomic_load_explicit(&of_cpu(runqs, cpu).nr, memory_order_relaxed);
}

/* The urgency that a real-time thread has to beat to run on this CPU at once; 0: any will do. A
 * look without the lock: the running thread's memory stays for the epoch. */
static uint64_t rt_rank(unsigned cpu)
{
	const struct runq *rq = &of_cpu(runqs, cpu);
	const struct thread *curr = __atomic_load_n(&rq->curr, __ATOMIC_RELAXED);

	return MAX(rt_urgency(&curr->se), rt_top_urgency(&rq->rt));
}

/* Where a real-time thread runs at once, and disturbs the least urgent; if that is nowhere, where
 * it was: whoever gives up a CPU comes for it (runq_pull_rt). */
static unsigned select_cpu_rt(const struct thread *t, uint64_t allowed)
{
	unsigned best = allowed & BIT(t->cpu) ? t->cpu : (unsigned)__builtin_ctzl(allowed), cpu;
	uint64_t least = rt_rank(best), rank;

	if (least == 0)
		return best;
	least = MIN(least, rt_urgency(&t->se));
	for (; allowed; allowed &= allowed - 1) {
		cpu = (unsigned)__builtin_ctzl(allowed);
		if ((rank = rt_rank(cpu)) < least) {
			least = rank;
			best = cpu;
		}
	}
	return best;
}

unsigned runq_select_cpu(const struct thread *t)
{
	uint64_t online = atomic_load_explicit(&cpus_online, memory_order_relaxed);
	uint64_t allowed = t->affinity & online, idle;
	unsigned best = t->cpu, cpu;
	uint32_t least;

	if (!allowed)
		allowed = online;
	if (!(allowed & (allowed - 1)))
		return (unsigned)__builtin_ctzl(allowed);
	idle = atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed) & allowed;
	if (idle) {
		if (idle & BIT(best))
			return best;
		cpu = cpu_id();
		return idle & BIT(cpu) ? cpu : (unsigned)__builtin_ctzl(idle);
	}
	if (UNLIKELY(t->se.class == SCHED_CLASS_RT))
		return select_cpu_rt(t, allowed);
	least = allowed & BIT(best) ? load_of(best) : UINT32_MAX;
	if (least <= 1)
		return best;
	/* Moving costs warm caches: only for a queue shorter by more than the one thread. */
	for (; allowed; allowed &= allowed - 1) {
		cpu = (unsigned)__builtin_ctzl(allowed);
		if (least == UINT32_MAX || load_of(cpu) + 1 < least) {
			best = cpu;
			least = load_of(cpu);
		}
	}
	return best;
}

/* The waker did not sleep in time: after some of that, longer and longer nothing is tried. */
static void turn_failed(struct thread *me)
{
	me->woke_at = 0;
	me->turns /= 2;
	if (me->turns == 0) {
		me->probe_interval = MIN(me->probe_interval * 2 + 2, (uint32_t)PROBE_MAX);
		me->probe_in = me->probe_interval;
	}
}

void runq_waker_sleeps(struct thread *t, nsec_t now)
{
	if (now - t->woke_at > atomic_load_explicit(&sched_wake_cost, memory_order_relaxed)) {
		turn_failed(t);
		return;
	}
	t->woke_at = 0;
	t->turns = MIN(t->turns + 1, (uint32_t)TURNS_MAX);
	t->probe_interval = 0;
}

/* Is the running thread expected to sleep at once after the wake-up it is about to give? */
static bool waker_sleeps_soon(struct thread *me)
{
	if (me->woke_at) {
		turn_failed(me); /* it wakes several, who are to run side by side */
		return false;
	}
	if (me->turns == 0 && me->probe_in) {
		me->probe_in--;
		return false;
	}
	return true;
}

bool runq_is_beside_waker(const struct thread *t, nsec_t now)
{
	struct thread *me = curthread();
	struct runq *rq = this_runq();

	/* Who is behind a real-time thread may wait long, and idle looks only for its mark. */
	if (irq_is_active() || me->se.class != SCHED_CLASS_FAIR ||
	    t->se.class != SCHED_CLASS_FAIR || !(t->affinity & BIT(rq->cpu)) ||
	    load_of(rq->cpu) != 1 || !waker_sleeps_soon(me))
		return false;
	me->woke_at = now;
	rq->turn_at = now;
	rq->turn_switches = rq->switches;
	/* Setting the timer may be dear in a virtual machine: it is not the waker's delay. */
	if (atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed) &&
	    timer_tick_by(now + TURN_LIMIT))
		me->woke_at = clock_mono();
	return true;
}

void thread_will_sleep(void)
{
	struct thread *me = curthread();

	me->woke_at = 0;
	me->turns = TURNS_MAX;
}

void runq_place(struct thread *t, enum fair_how how, nsec_t slept, bool may_preempt) NO_TSA
{
	struct runq *rq;

	for (;;) {
		/* only we change it now, and under the lock of the old one */
		rq = &of_cpu(runqs, t->cpu);
		spin_lock(&rq->lock);
		/* An affinity without an online CPU is no reason to loop. */
		if (LIKELY(t->affinity & BIT(rq->cpu) ||
			   !(t->affinity & atomic_load(&cpus_online))))
			break;
		t->cpu = runq_select_cpu(t);
		spin_unlock(&rq->lock);
	}
	runq_enqueue_locked(rq, t, how, slept);
	if (may_preempt && preempts(rq, t))
		runq_resched_locked(rq);
	spin_unlock(&rq->lock);
}

bool thread_wake_as(struct thread *t, unsigned states, int result) NO_TSA
{
	irqstate_t s;
	struct runq *rq;
	nsec_t now, slept;
	unsigned cpu;
	uint32_t state;
	bool beside;

	/* The condition the waker made true is visible before the state is read (wait_prepare() has
	 * the mirror). */
	atomic_thread_fence(memory_order_seq_cst);
	if (!(BIT(thread_state(t)) & states))
		return false;
	s = arch_irq_save();
	rq = runq_lock_of(t);
	state = thread_state(t);
	if (!(BIT(state) & states)) {
		spin_unlock(&rq->lock);
		arch_irq_restore(s);
		return false;
	}
	t->wake_result = result;
	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_release);
	if (t == rq->curr || t == rq->idle) {
		/* It has not slept yet; or it is the boot thread, which waits in schedule(). */
		if (t == rq->curr && t == rq->idle)
			runq_resched_locked(rq);
		spin_unlock(&rq->lock);
		arch_irq_restore(s);
		return true;
	}
	if (state == THREAD_SLEEP && t->task)
		atomic_fetch_sub_explicit(&sched_nr_blocked, 1, memory_order_relaxed);
	now = clock_mono();
	beside = ncpus > 1 && runq_is_beside_waker(t, now);
	cpu = beside ? cpu_id() : runq_select_cpu(t);
	ktrace(KT_SCHED, wakeup, t->tid, cpu, 0, 0, 0, 0);
	slept = now - t->se.exec_start;
	t->ready_at = now;
	if (LIKELY(cpu == rq->cpu)) {
		runq_enqueue_locked(rq, t, FAIR_WAKE, slept);
		if (!beside && preempts(rq, t))
			runq_resched_locked(rq);
		spin_unlock(&rq->lock);
	} else {
		/* RUNNING and in no queue: t is ours alone until it is in one. */
		t->cpu = cpu;
		spin_unlock(&rq->lock);
		runq_place(t, FAIR_WAKE, slept, !beside);
	}
	arch_irq_restore(s);
	return true;
}

bool thread_wake(struct thread *t, unsigned states)
{
	return thread_wake_as(t, states, 0);
}

/* A thread of `from` that may run on `cpu` and is not running: the one that would run last. */
static struct thread *find_movable(struct runq *from, unsigned cpu)
{
	struct sched_entity *se = rt_first(&from->rt);

	if (se && thread_of(se)->affinity & BIT(cpu))
		return thread_of(se);
	se = fair_last(&from->fair);
	for (unsigned tries = 0; se && tries < 16; tries++, se = fair_prev(se))
		if (thread_of(se)->affinity & BIT(cpu))
			return thread_of(se);
	return NULL;
}

/* Takes both locks, lower CPU first (rank table). */
static void lock_both(struct runq *a, struct runq *b) NO_TSA
{
	spin_lock(a->cpu < b->cpu ? &a->lock : &b->lock);
	spin_lock_nested(a->cpu < b->cpu ? &b->lock : &a->lock);
}

static bool pull(struct runq *rq, struct runq *from, uint32_t margin) NO_TSA
{
	struct thread *t = NULL;

	lock_both(rq, from);
	if (load_of(from->cpu) >= load_of(rq->cpu) + margin && (t = find_movable(from, rq->cpu))) {
		ktrace(KT_SCHED, migrate, t->tid, from->cpu, rq->cpu, 0, 0, 0);
		runq_dequeue_locked(from, t);
		t->cpu = rq->cpu;
		runq_enqueue_locked(rq, t, FAIR_MOVE, 0);
		if (preempts(rq, t))
			runq_resched_locked(rq);
	}
	spin_unlock(&from->lock);
	spin_unlock(&rq->lock);
	return t;
}

bool runq_should_push_rt(const struct runq *rq, const struct thread *t)
{
	return ncpus > 1 && rt_top_urgency(&rq->rt) > rt_urgency(&t->se) &&
	       runq_select_cpu(t) != rq->cpu;
}

/* The CPU where the most urgent thread waits, more urgent than `rank`; rq's own: nowhere. */
static unsigned find_rt_waiting(const struct runq *rq, uint64_t rank)
{
	uint64_t others = atomic_load_explicit(&cpus_online, memory_order_relaxed) & ~BIT(rq->cpu);
	unsigned found = rq->cpu;

	for (; others; others &= others - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(others);
		uint64_t top = rt_top_urgency(&of_cpu(runqs, cpu).rt);

		if (top > rank) {
			rank = top;
			found = cpu;
		}
	}
	return found;
}

void runq_pull_rt(struct runq *rq) NO_TSA
{
	unsigned cpu = find_rt_waiting(rq, rt_rank(rq->cpu));
	struct runq *from = &of_cpu(runqs, cpu);
	struct sched_entity *se;

	if (LIKELY(cpu == rq->cpu))
		return;
	lock_both(rq, from);
	se = rt_first(&from->rt);
	if (se && rt_urgency(se) > rt_rank(rq->cpu) && thread_of(se)->affinity & BIT(rq->cpu)) {
		struct thread *t = thread_of(se);

		ktrace(KT_SCHED, migrate, t->tid, cpu, rq->cpu, 0, 0, 0);
		runq_dequeue_locked(from, t);
		t->cpu = rq->cpu;
		runq_enqueue_locked(rq, t, FAIR_MOVE, 0);
		if (preempts(rq, t))
			runq_resched_locked(rq);
	}
	spin_unlock(&from->lock);
	spin_unlock(&rq->lock);
}

void runq_balance(struct runq *rq, uint32_t margin)
{
	uint64_t others = atomic_load_explicit(&cpus_online, memory_order_relaxed) & ~BIT(rq->cpu);
	uint32_t mine = load_of(rq->cpu);

	for (; others; others &= others - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(others);

		if (load_of(cpu) >= mine + margin && pull(rq, &of_cpu(runqs, cpu), margin))
			return;
	}
}

unsigned sched_nr_running(void)
{
	unsigned n = 0, cpu;

	for_each_cpu (cpu)
		n += load_of(cpu);
	return n;
}
