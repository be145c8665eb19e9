/*
 * Calls to other CPUs.
 *
 * Every CPU has one request of its own (the kernel is not preempted, so it waits for one call at a
 * time) and a word with a bit per CPU that wants something of it. The caller fills its request,
 * sets its bit in each target's word, and sends an interrupt to those whose word was 0; a target
 * takes its word as a whole, runs the requests of the CPUs named in it, and clears its own bit in
 * each request's `pending`. No lock, so nothing to hold while waiting (rule 2).
 *
 * The caller spins for as long as waking it would take, then halts: in a virtual machine the target
 * may be waiting for the very processor on which the caller spins. Who clears the last bit wakes
 * it.
 */
#include "sched/ipi.h"

#include <arch/mmu.h>
#include <arch/upcall.h>

#include "core/clock.h"
#include "core/epoch.h"
#include "sched/sched_priv.h"

struct ipi_request {
	void (*fn)(void *arg);
	void *arg;
	_Atomic uint64_t pending; /* CPUs that have not run it yet */
	_Atomic bool halted;      /* the caller needs an interrupt when pending becomes 0 */
};

static PERCPU(struct ipi_request, requests);
static PERCPU(_Atomic uint64_t, callers);

void ipi_init_cpu(unsigned cpu)
{
	atomic_store(&of_cpu(callers, cpu), 0);
	atomic_store(&of_cpu(requests, cpu).pending, 0);
	atomic_store(&of_cpu(requests, cpu).halted, false);
}

/* Runs what others want of this CPU. Interrupts off. */
static void serve(void)
{
	uint64_t bit = BIT(cpu_id()), from = atomic_exchange(&this_cpu(callers), 0);

	for (; from; from &= from - 1) {
		unsigned caller = (unsigned)__builtin_ctzl(from);
		struct ipi_request *r = &of_cpu(requests, caller);

		r->fn(r->arg);
		/* seq_cst: the caller says that it halts before it looks at pending again. */
		if (atomic_fetch_and(&r->pending, ~bit) == bit && atomic_load(&r->halted))
			arch_ipi_send(BIT(caller));
	}
}

/* Waits until all have run r; interrupts on, calls of others are served meanwhile. */
static void wait_halted(struct ipi_request *r)
{
	irqstate_t s = arch_irq_save();

	atomic_store(&r->halted, true);
	while (atomic_load(&r->pending)) {
		/* An interrupt that came before now has been served by its handler, or waits. */
		if (!atomic_load(&this_cpu(callers)))
			arch_idle();
		else
			serve();
	}
	atomic_store_explicit(&r->halted, false, memory_order_relaxed);
	arch_irq_restore(s);
}

void ipi_call(uint64_t cpus, void (*fn)(void *arg), void *arg)
{
	struct ipi_request *r;
	uint64_t targets, to_send = 0, me;
	nsec_t end;
	irqstate_t s;

	r = &this_cpu(requests);
	me = BIT(cpu_id());
	targets = cpus & atomic_load_explicit(&cpus_online, memory_order_relaxed) & ~me;
	if (!targets)
		return;
	KASSERT_DEBUG(arch_irqs_enabled() || atomic_load(&panicking));
	r->fn = fn;
	r->arg = arg;
	atomic_store(&r->pending, targets);
	for (uint64_t t = targets; t; t &= t - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(t);

		if (atomic_fetch_or(&of_cpu(callers, cpu), me) == 0)
			to_send |= BIT(cpu);
	}
	if (to_send)
		arch_ipi_send(to_send);
	end = clock_mono() + atomic_load_explicit(&sched_wake_cost, memory_order_relaxed);
	while (atomic_load_explicit(&r->pending, memory_order_acquire)) {
		/* Calls to us come by interrupt; serving them here as well costs nothing and covers
		 * a caller with them off. */
		if (atomic_load_explicit(&this_cpu(callers), memory_order_relaxed)) {
			s = arch_irq_save();
			serve();
			arch_irq_restore(s);
		}
		arch_pause();
		if (UNLIKELY(clock_mono() > end) && arch_irqs_enabled()) {
			wait_halted(r);
			return;
		}
	}
}

void ipi_resched(unsigned cpu)
{
	struct runq *rq = &of_cpu(runqs, cpu);
	irqstate_t s = arch_irq_save();

	if (cpu == cpu_id())
		atomic_fetch_or_explicit(&curthread()->work, WORK_RESCHED, memory_order_relaxed);
	else if (!atomic_exchange(&rq->kick, true))
		arch_ipi_send(BIT(cpu));
	arch_irq_restore(s);
}

void ipi_received(void)
{
	struct runq *rq = this_runq();

	serve();
	if (!atomic_load_explicit(&rq->kick, memory_order_relaxed) ||
	    !atomic_exchange(&rq->kick, false))
		return;
	if (curthread() == rq->idle && atomic_load_explicit(&rq->halted, memory_order_relaxed))
		epoch_quiescent(); /* halted outside all sections; idle looks for work anyway */
	else
		atomic_fetch_or_explicit(&curthread()->work, WORK_RESCHED, memory_order_relaxed);
}

static void flush_kernel(void *arg)
{
	(void)arg;
	arch_tlb_flush_kernel();
}

void ipi_flush_kernel(void)
{
	arch_tlb_flush_kernel();
	ipi_call(UINT64_MAX, flush_kernel, NULL);
}
