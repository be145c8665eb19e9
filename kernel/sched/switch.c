/*
 * Switching threads, and the idle loop.
 *
 * schedule() holds the run queue's lock, interrupts off, from its decision across arch_switch()
 * until finish_switch(), which the next thread runs on its own stack: only there is the previous
 * one's stack free, on_cpu becomes 0, and what cannot be done on a stack that is being left is
 * done: the `dead` callback of an exited thread, and handing a thread to another CPU because its
 * affinity forbids this one, or a more urgent one has taken its place.
 *
 * The boot thread is CPU 0's idle thread. Until it enters the idle loop it may sleep like others;
 * schedule() then stays in it, halting, until it is woken or somebody else can run.
 */
#include <arch/context.h>

#include "core/clock.h"
#include "core/epoch.h"
#include "core/ktrace.h"
#include "core/lockdep.h"
#include "pmm/page.h"
#include "sched/sched_priv.h"

_Atomic int64_t sched_nr_blocked;
void (*sched_switch_vm)(struct vmspace *prev, struct vmspace *next);

/* On the new thread's stack: the previous one is off its own. */
static void finish_switch(void) NO_TSA
{
	struct runq *rq = this_runq();
	struct thread *prev = rq->prev;
	void (*dead)(struct thread * t) = rq->dead;
	bool push = rq->push, rt_left = prev->se.class == SCHED_CLASS_RT;

	rq->prev = NULL;
	rq->dead = NULL;
	rq->push = false;
	atomic_store_explicit(&prev->on_cpu, 0, memory_order_release);
	if (UNLIKELY(push))
		prev->cpu = runq_select_cpu(prev);
	spin_unlock(&rq->lock);
	if (UNLIKELY(dead)) {
		/* The stack at once: the next thread to be made has use for it while it is warm. */
		thread_fini(prev);
		dead(prev);
	} else if (UNLIKELY(push)) {
		runq_place(prev, FAIR_MOVE, 0, true);
	}
	if (UNLIKELY(rt_left) && ncpus > 1)
		runq_pull_rt(rq);
}

void thread_first_run(void)
{
	finish_switch();
}

static void note_idle(struct runq *rq, struct thread *prev, struct thread *next, nsec_t now)
{
	if (next == rq->idle)
		atomic_fetch_or_explicit(&sched_idle_cpus, BIT(rq->cpu), memory_order_relaxed);
	else if (prev == rq->idle)
		atomic_fetch_and_explicit(&sched_idle_cpus, ~BIT(rq->cpu), memory_order_relaxed);
	account_irqs_locked(rq, prev == rq->idle);
	if (rq->woken_at) {
		sched_note_wake_cost(now - rq->woken_at);
		rq->woken_at = 0;
	}
	if (next != rq->idle)
		timer_tick_start(now);
}

static void switch_to(struct runq *rq, struct thread *prev, struct thread *next, nsec_t now)
{
	ktrace(KT_SCHED, switch, prev->tid, thread_state(prev), next->tid, 0, 0, 0);
	rq->switches++;
	rq->prev = prev;
	rq->curr = next;
	next->se.exec_start = now;
	next->run_delay += now - next->ready_at;
	atomic_store_explicit(&next->on_cpu, 1, memory_order_relaxed);
	if (UNLIKELY(prev == rq->idle || next == rq->idle))
		note_idle(rq, prev, next, now);
	if (UNLIKELY(next->last_cpu != rq->cpu)) {
		next->last_cpu = rq->cpu;
		atomic_fetch_or_explicit(&next->work, next->switch_work, memory_order_relaxed);
	}
	if (prev->vmspace != next->vmspace && sched_switch_vm)
		sched_switch_vm(prev->vmspace, next->vmspace);
	arch_switch(prev, next);
	finish_switch();
}

/* Takes prev out of the queue when it sleeps, ends, or may not run here any more. */
static void put_prev(struct runq *rq, struct thread *prev, nsec_t now)
{
	uint32_t state = thread_state(prev);

	if (prev == rq->idle)
		return;
	if (state != THREAD_RUNNING) {
		prev->nvcsw++;
		if (prev->woke_at)
			runq_waker_sleeps(prev, now);
		if (state == THREAD_SLEEP && prev->task)
			atomic_fetch_add_explicit(&sched_nr_blocked, 1, memory_order_relaxed);
		runq_dequeue_locked(rq, prev);
	} else if (UNLIKELY(!(prev->affinity & BIT(rq->cpu)) &&
			    prev->affinity &
				    atomic_load_explicit(&cpus_online, memory_order_relaxed))) {
		rq->push = true;
		runq_dequeue_locked(rq, prev);
	} else if (UNLIKELY(prev->se.class == SCHED_CLASS_RT) && runq_should_push_rt(rq, prev)) {
		rq->push = true;
		runq_dequeue_locked(rq, prev);
	}
}

/* The boot thread sleeps before there is an idle loop: waits for an interrupt that brings work. */
static void wait_as_boot_thread(struct runq *rq)
{
	atomic_store(&rq->halted, true);
	if (!need_resched() && thread_state(rq->idle) != THREAD_RUNNING)
		arch_idle();
	atomic_store_explicit(&rq->halted, false, memory_order_relaxed);
}

/* One decision. False: the boot thread still sleeps. */
static bool schedule_once(struct thread *prev) NO_TSA
{
	struct runq *rq = this_runq();
	struct thread *next;
	nsec_t now;

	epoch_quiescent();
	spin_lock(&rq->lock);
	now = clock_mono();
	runq_charge_locked(rq, now);
	watchdog_passed(rq, now);
	atomic_fetch_and_explicit(&prev->work, ~(uint32_t)WORK_RESCHED, memory_order_relaxed);
	put_prev(rq, prev, now);
	next = runq_pick_locked(rq);
	rq->yielding = false;
	if (next == prev) {
		spin_unlock(&rq->lock);
	} else {
		if (thread_state(prev) == THREAD_RUNNING) {
			prev->nivcsw++;
			prev->ready_at = now;
			atomic_fetch_or_explicit(&prev->work, prev->switch_work,
						 memory_order_relaxed);
		}
		switch_to(rq, prev, next, now);
	}
	return thread_state(prev) == THREAD_RUNNING;
}

void schedule(void)
{
	irqstate_t s = arch_irq_save();
	struct thread *prev = curthread();

	lockdep_may_sleep();
	while (UNLIKELY(!schedule_once(prev)))
		wait_as_boot_thread(this_runq());
	arch_irq_restore(s);
}

void thread_resched(void)
{
	struct thread *t = curthread();

	/* Marked for a sleep that has not begun: the condition must be looked at again. */
	if (thread_state(t) != THREAD_RUNNING)
		atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
	schedule();
}

void thread_yield(void)
{
	irqstate_t s = arch_irq_save();

	this_runq()->yielding = true;
	schedule();
	arch_irq_restore(s);
}

void thread_exit(void (*dead)(struct thread *t))
{
	struct thread *t = curthread();

	arch_irq_disable();
	this_runq()->dead = dead;
	atomic_store_explicit(&t->state, THREAD_DEAD, memory_order_relaxed);
	schedule();
	panic("thread %s runs after its end", t->name);
}

/* Halts until an interrupt unless there is something to run. Interrupts off before and after. */
static void idle_halt(struct runq *rq)
{
	/* A wake-up cleared the bit, but its thread may have been stolen since. */
	if (atomic_load_explicit(&rq->nr, memory_order_relaxed) == 0)
		atomic_fetch_or_explicit(&sched_idle_cpus, BIT(rq->cpu), memory_order_relaxed);
	/* An interrupt that came without a tick has freed something. */
	if (UNLIKELY(epoch_is_pending()))
		timer_tick_start(clock_mono());
	atomic_store(&rq->halted, true);
	if (!need_resched())
		arch_idle();
	atomic_store_explicit(&rq->halted, false, memory_order_relaxed);
}

void sched_idle_loop(void)
{
	struct runq *rq = this_runq();

	for (;;) {
		arch_irq_enable();
		epoch_quiescent();
		while (!need_resched() && pmm_idle_zero())
			epoch_quiescent();
		arch_irq_disable();
		if (!need_resched())
			runq_balance(rq, 2);
		epoch_quiescent();
		if (!need_resched())
			idle_halt(rq);
		if (need_resched())
			schedule();
	}
}
