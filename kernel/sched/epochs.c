/*
 * Threads lent to the layers below: one that runs the epochs' callbacks, and what makes CPUs pass
 * through their schedulers when an epoch waits for them. A thread of its own, because callbacks
 * must go on when all workers sleep (waiting for an epoch, perhaps).
 */
#include "core/clock.h"
#include "core/epoch.h"
#include "core/panic.h"
#include "sched/ipi.h"
#include "sched/sched_priv.h"
#include "sched/wait.h"

static struct waitq epoch_wait_queue = WAITQ(epoch_wait_queue);
static _Atomic bool kicked;

static void wake_epochs(void)
{
	atomic_store(&kicked, true);
	waitq_wake_all(&epoch_wait_queue, 0);
}

void epochs_tick(void)
{
	if (epoch_is_pending() && !atomic_load_explicit(&kicked, memory_order_relaxed))
		wake_epochs();
}

static void kick_cpus(uint64_t cpus)
{
	for (; cpus; cpus &= cpus - 1)
		ipi_resched((unsigned)__builtin_ctzl(cpus));
}

static void sleep_ns(nsec_t ns)
{
	nsec_t until = clock_mono() + ns;

	while (thread_sleep_until(until, THREAD_SLEEP) == 0)
		;
}

static void epoch_main(void *arg)
{
	(void)arg;
	for (;;) {
		nsec_t delay = epoch_run();
		nsec_t until = delay == NSEC_MAX ? NSEC_MAX : clock_mono() + delay;
		struct waiter w;

		waiter_init(&w);
		wait_prepare(&epoch_wait_queue, &w, THREAD_SLEEP);
		/* Whatever ends the sleep, epoch_run() knows what is due. */
		if (!atomic_load(&kicked))
			(void)!wait_sleep(until);
		wait_finish(&epoch_wait_queue, &w);
		atomic_store(&kicked, false);
	}
}

void epochs_init(void)
{
	struct thread *t = kthread_create("epoch", epoch_main, NULL);

	if (!t)
		panic("sched: no memory for the epoch thread");
	thread_start(t);
	epoch_kick_cpus = kick_cpus;
	epoch_sleep = sleep_ns;
	epoch_kick = wake_epochs;
}
