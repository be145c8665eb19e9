/*
 * Deferred work. One list, first come first served, and a pool of threads: a worker that goes to
 * work and leaves nobody idle behind first adds another, up to WORKERS_MAX; so work that sleeps
 * does not hold up the rest. The list and all counts are under the wait queue's lock.
 *
 * work_flush(): works are counted in two generations. A flush turns the generation over and waits
 * until the old one is empty: works queued later are in the new one and not waited for.
 */
#include "sched/work.h"

#include "core/panic.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "sched/sched_priv.h"
#include "sched/wait.h"

enum { WORKERS_MIN = 2, WORKERS_MAX = 16 };

static struct waitq work_queue_wait = { SPINLOCK(WORKQ), LIST_INIT(work_queue_wait.waiters) };
static struct list works = LIST_INIT(works);
static unsigned nworkers, nidle, generation;
static uint64_t outstanding[2]; /* works queued or running, by generation */

static struct waitq flushed = { SPINLOCK(WORKQ), LIST_INIT(flushed.waiters) };
static bool flushing; /* somebody is in work_flush(); work_queue_wait.lock */

void work_init(struct work *w, void (*fn)(struct work *w))
{
	list_init(&w->node);
	w->fn = fn;
	atomic_init(&w->queued, 0);
}

bool work_queue(struct work *w)
{
	irqstate_t s = spin_lock_irq(&work_queue_wait.lock);
	bool added = !list_is_linked(&w->node);

	if (added) {
		list_add_tail(&works, &w->node);
		atomic_store_explicit(&w->queued, 1 + generation, memory_order_relaxed);
		outstanding[generation]++;
	}
	spin_unlock_irq(&work_queue_wait.lock, s);
	if (added)
		waitq_wake_one(&work_queue_wait, 0);
	return added;
}

static void worker_main(void *arg);

static void add_worker(void)
{
	struct thread *t = kthread_create("worker", worker_main, NULL);
	irqstate_t s;

	if (!t)
		return; /* the others get there */
	s = spin_lock_irq(&work_queue_wait.lock);
	nworkers++;
	spin_unlock_irq(&work_queue_wait.lock, s);
	thread_start(t);
}

/*
 * The first work, if there is any. *last_one: nobody is left to wait for more. It is taken by a
 * worker that waits for no wake-up: one that it swallowed on the way was for a work that is still
 * in the list, and is passed on.
 */
static struct work *take_first(bool *last_one, unsigned *gen)
{
	irqstate_t s = spin_lock_irq(&work_queue_wait.lock);
	struct work *w = NULL;
	bool more = false;

	if (!list_is_empty(&works)) {
		w = list_first(&works, struct work, node);
		list_remove(&w->node);
		*gen = atomic_exchange(&w->queued, 0) - 1;
		*last_one = nidle == 0 && nworkers < WORKERS_MAX;
		more = !list_is_empty(&works);
	}
	spin_unlock_irq(&work_queue_wait.lock, s);
	if (more)
		waitq_wake_one(&work_queue_wait, 0);
	return w;
}

static bool is_idle(void)
{
	irqstate_t s = spin_lock_irq(&work_queue_wait.lock);
	bool idle = list_is_empty(&works);

	nidle += idle;
	spin_unlock_irq(&work_queue_wait.lock, s);
	return idle;
}

/* The next work; waits for one. */
static struct work *take(bool *last_one, unsigned *gen)
{
	struct waiter waiter;
	struct work *w;
	irqstate_t s;

	waiter_init(&waiter);
	waiter.exclusive = true;
	while (!(w = take_first(last_one, gen))) {
		wait_prepare(&work_queue_wait, &waiter, THREAD_SLEEP);
		if (is_idle()) {
			(void)!wait_sleep(NSEC_MAX);
			s = spin_lock_irq(&work_queue_wait.lock);
			nidle--;
			spin_unlock_irq(&work_queue_wait.lock, s);
		}
		wait_finish(&work_queue_wait, &waiter);
	}
	return w;
}

static void worker_main(void *arg)
{
	(void)arg;
	for (;;) {
		bool last_one, drained;
		unsigned gen;
		irqstate_t s;
		struct work *w = take(&last_one, &gen);

		if (last_one)
			add_worker();
		w->fn(w);
		s = spin_lock_irq(&work_queue_wait.lock);
		drained = --outstanding[gen] == 0;
		spin_unlock_irq(&work_queue_wait.lock, s);
		if (drained)
			waitq_wake_all(&flushed, 0);
		thread_resched_point();
	}
}

/* Begins a flush unless another one is on: turns the generation over. */
static bool flush_begin(unsigned *old)
{
	irqstate_t s = spin_lock_irq(&work_queue_wait.lock);
	bool begun = !flushing;

	if (begun) {
		/* The other generation is empty: the last flush waited for it. */
		flushing = true;
		*old = generation;
		generation ^= 1;
	}
	spin_unlock_irq(&work_queue_wait.lock, s);
	return begun;
}

static bool flush_end(unsigned *old)
{
	irqstate_t s = spin_lock_irq(&work_queue_wait.lock);
	bool done = outstanding[*old] == 0;

	if (done)
		flushing = false;
	spin_unlock_irq(&work_queue_wait.lock, s);
	return done;
}

static void wait_until(bool (*is_true)(unsigned *gen), unsigned *gen)
{
	struct waiter w;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&flushed, &w, THREAD_SLEEP);
		if (is_true(gen))
			break;
		(void)!wait_sleep(NSEC_MAX);
	}
	wait_finish(&flushed, &w);
}

void work_flush(void)
{
	unsigned old;

	wait_until(flush_begin, &old);
	wait_until(flush_end, &old);
	waitq_wake_all(&flushed, 0);
}

static void balance_memory(struct work *w)
{
	(void)w;
	pmm_balance();
}

static void trim_stacks(struct work *w)
{
	(void)w;
	kstack_trim();
}

static struct work balance_work, trim_work;

void work_tick(void)
{
	if (UNLIKELY(atomic_load_explicit(&pmm_reclaim_wanted, memory_order_relaxed)) && nworkers)
		work_queue(&balance_work);
}

static void kick_trim(void)
{
	work_queue(&trim_work);
}

void work_start(void)
{
	work_init(&balance_work, balance_memory);
	work_init(&trim_work, trim_stacks);
	for (unsigned i = 0; i < WORKERS_MIN; i++)
		add_worker();
	if (nworkers == 0)
		panic("sched: no memory for workers");
	kstack_kick_trim = kick_trim;
}
