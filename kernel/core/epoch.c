/*
 * Epoch-based reclamation without work for readers.
 *
 * `epoch_now` is a global counter. Each CPU notes, whenever it is in no reader section
 * (epoch_quiescent), the value it saw. To wait for all sections begun so far: raise the counter to
 * E, then wait until every online CPU has noted E or more. Why that is enough: a CPU that noted E
 * read it after the raise, hence after the object was unpublished, so its later sections cannot
 * find the object, and its earlier ones are over.
 *
 * Deferred frees are pushed on a lock-free stack of the CPU that frees (any context may do that).
 * epoch_run(), in a kernel thread, takes all stacks as one batch, raises the counter, and runs the
 * batch once the period is over. The tick asks for that when its CPU has frees, so that a busy
 * kernel frees in batches and does not switch threads for each object; many frees ask at once. CPUs
 * that idle or stay in user mode without a tick would hold a period up: they are kicked through
 * their schedulers after BEFORE_KICK.
 */
#include "core/epoch.h"

#include "core/clock.h"
#include "core/panic.h"
#include "core/percpu.h"

enum { MANY = 1024 };
#define POLL_DELAY  (1 * NSEC_PER_MSEC)
#define BEFORE_KICK (1 * NSEC_PER_MSEC)

_Atomic uint64_t epoch_now = 1;
PERCPU(_Atomic uint64_t, epoch_seen);
static PERCPU(_Atomic(struct epoch_head *), epoch_stack);
static PERCPU(uint32_t, epoch_pushes); /* statistics only: decides when frees are many */

/* Of the runner, one at a time: */
static _Atomic bool running;
static struct epoch_head *batch;
static uint64_t batch_epoch;
static nsec_t batch_time;

void (*epoch_kick)(void);
void (*epoch_kick_cpus)(uint64_t cpus);
void (*epoch_sleep)(nsec_t ns);

#ifdef KEVLAR_DEBUG

static PERCPU(unsigned, epoch_depth);

/* Interrupt handlers nest in pairs, so a plain counter does. */
void epoch_enter(void)
{
	this_cpu(epoch_depth)++;
	atomic_signal_fence(memory_order_seq_cst);
}

void epoch_exit(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	KASSERT(this_cpu(epoch_depth) > 0);
	this_cpu(epoch_depth)--;
}

bool epoch_in_section(void)
{
	return this_cpu(epoch_depth) != 0;
}

#else

bool epoch_in_section(void)
{
	return false;
}

#endif

/*
 * Starts a period; returns what every CPU must have noted at its end. The caller is in no section.
 */
static uint64_t period_begin(void)
{
	uint64_t e;

	atomic_thread_fence(memory_order_seq_cst);
	e = atomic_fetch_add_explicit(&epoch_now, 1, memory_order_seq_cst) + 1;
	epoch_quiescent();
	return e;
}

/* The online CPUs that have not noted e yet. */
static uint64_t laggards(uint64_t e)
{
	uint64_t late = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		if (atomic_load_explicit(&of_cpu(epoch_seen, cpu), memory_order_acquire) < e)
			late |= BIT(cpu);
	atomic_thread_fence(memory_order_acquire);
	return late;
}

static void kick_cpus(uint64_t late)
{
	if (epoch_kick_cpus)
		epoch_kick_cpus(late);
}

void epoch_free(struct epoch_head *h, void (*fn)(struct epoch_head *h))
{
	_Atomic(struct epoch_head *) *stack = &this_cpu(epoch_stack);
	struct epoch_head *top = atomic_load_explicit(stack, memory_order_relaxed);

	h->fn = fn;
	do
		h->next = top;
	while (!atomic_compare_exchange_weak_explicit(stack, &top, h, memory_order_release,
						      memory_order_relaxed));
	if (UNLIKELY(++this_cpu(epoch_pushes) % MANY == 0) && epoch_kick)
		epoch_kick();
}

bool epoch_is_pending(void)
{
	return atomic_load_explicit(&this_cpu(epoch_stack), memory_order_relaxed) != NULL;
}

/*
 * Takes the stacks of all CPUs, also of those that are offline. Order among callbacks is not
 * promised.
 */
static struct epoch_head *collect(void)
{
	struct epoch_head *all = NULL;

	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		struct epoch_head *h = atomic_exchange_explicit(&of_cpu(epoch_stack, cpu), NULL,
								memory_order_acquire);

		while (h) {
			struct epoch_head *next = h->next;

			h->next = all;
			all = h;
			h = next;
		}
	}
	return all;
}

static void run_callbacks(struct epoch_head *h)
{
	while (h) {
		struct epoch_head *next = h->next; /* fn may free h */

		h->fn(h);
		h = next;
	}
}

/* One step of the runner; returns true when another can follow at once. */
static bool run_step(nsec_t *again)
{
	uint64_t late;

	if (!batch) {
		batch = collect();
		*again = NSEC_MAX;
		if (!batch)
			return false;
		batch_epoch = period_begin();
		batch_time = clock_mono();
	}
	epoch_quiescent();
	late = laggards(batch_epoch);
	if (!late) {
		struct epoch_head *done = batch;

		batch = NULL;
		run_callbacks(done);
		return true;
	}
	if (clock_mono() - batch_time >= BEFORE_KICK)
		kick_cpus(late);
	*again = POLL_DELAY;
	return false;
}

nsec_t epoch_run(void)
{
	nsec_t again = NSEC_MAX;

	if (atomic_exchange_explicit(&running, true, memory_order_acquire))
		return POLL_DELAY;
	while (run_step(&again))
		;
	atomic_store_explicit(&running, false, memory_order_release);
	return again;
}

void epoch_wait(void)
{
	uint64_t e = period_begin(), late;

	while ((late = laggards(e))) {
		kick_cpus(late);
		if (epoch_sleep)
			epoch_sleep(NSEC_PER_MSEC / 4);
		else
			arch_pause();
		epoch_quiescent();
	}
}
