/*
 * Calls to other CPUs.
 *
 * Every CPU has one request of its own (the kernel is not preempted, so it waits for one call at a
 * time) and a word with a bit per CPU that wants something of it. The caller fills its request,
 * sets its bit in each target's word, and sends an interrupt to those whose word was 0; a target
 * takes its word as a whole, runs the requests of the CPUs named in it, and clears its own bit in
 * each request's `pending`. No lock, so nothing to hold while waiting (rule 2).
 */
#include "sched/ipi.h"

#include <arch/mmu.h>
#include <arch/upcall.h>

#include "core/epoch.h"
#include "sched/sched_priv.h"

struct ipi_request {
	void (*fn)(void *arg);
	void *arg;
	_Atomic uint64_t pending; /* CPUs that have not run it yet */
};

static PERCPU(struct ipi_request, requests);
static PERCPU(_Atomic uint64_t, callers);

void ipi_init_cpu(unsigned cpu)
{
	atomic_store(&of_cpu(callers, cpu), 0);
	atomic_store(&of_cpu(requests, cpu).pending, 0);
}

/* Runs what others want of this CPU. Interrupts off. */
static void serve(void)
{
	uint64_t bit = BIT(cpu_id()), from = atomic_exchange(&this_cpu(callers), 0);

	for (; from; from &= from - 1) {
		struct ipi_request *r = &of_cpu(requests, (unsigned)__builtin_ctzl(from));

		r->fn(r->arg);
		atomic_fetch_and_explicit(&r->pending, ~bit, memory_order_release);
	}
}

void ipi_call(uint64_t cpus, void (*fn)(void *arg), void *arg)
{
	struct ipi_request *r;
	uint64_t targets, to_send = 0, me;
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
	while (atomic_load_explicit(&r->pending, memory_order_acquire)) {
		/* Calls to us come by interrupt; serving them here as well costs nothing and covers
		 * a caller with them off. */
		if (atomic_load_explicit(&this_cpu(callers), memory_order_relaxed)) {
			s = arch_irq_save();
			serve();
			arch_irq_restore(s);
		}
		arch_pause();
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
