/*
 * Timers whose functions need a thread: the interrupt puts those that are due on a list, and a
 * thread of its own runs them. A deadline is a word; when it moves later nothing is done until the
 * timer fires, which then arms itself again: most deadlines of TCP are moved by every segment.
 */

#include "net/inet/tcp_timer.h"

#include "core/clock.h"
#include "core/epoch.h"
#include "core/panic.h"
#include "net/inet/inet_priv.h"
#include "net/netif.h"

static struct spinlock due_lock = SPINLOCK(TCPDUE);
static struct list due = LIST_INIT(due);
static struct waitq due_wait = WAITQ(due_wait);

/* The timer fired, too early since the deadline has moved: for that one then. False: it has come
 * meanwhile. */
static bool arm_again(struct tcps_timer *t, nsec_t now)
{
	nsec_t deadline = atomic_load(&t->deadline);

	/* First what it is armed for, then a second look: whoever moves the deadline looks in the
	 * other order, so one of the two sees it; and if it arms in between, this is too late. */
	while (deadline > now) {
		nsec_t before = deadline;

		atomic_store(&t->armed, deadline);
		if (deadline != NSEC_MAX && atomic_load(&t->deadline) == deadline)
			timer_arm(&t->timer, deadline);
		if ((deadline = atomic_load(&t->deadline)) == before)
			return true;
	}
	return false;
}

static void on_timer(struct timer *timer)
{
	struct tcps_timer *t = container_of(timer, struct tcps_timer, timer);
	nsec_t now = clock_mono();
	irqstate_t s;

	for (;;) {
		if (arm_again(t, now))
			return;
		s = spin_lock_irq(&due_lock);
		/* Who cancels it meanwhile has taken it off the list already, or will. */
		if (LIKELY(atomic_load(&t->deadline) <= now))
			break;
		spin_unlock_irq(&due_lock, s);
	}
	atomic_store(&t->armed, NSEC_MAX);
	if (list_is_empty(&t->due))
		list_add_tail(&due, &t->due);
	spin_unlock_irq(&due_lock, s);
	waitq_wake_one(&due_wait, 0);
}

void tcps_timer_init(struct tcps_timer *t, void (*fire)(struct tcps_timer *t, nsec_t now))
{
	timer_init(&t->timer, on_timer);
	list_init(&t->due);
	atomic_init(&t->deadline, NSEC_MAX);
	atomic_init(&t->armed, NSEC_MAX);
	t->fire = fire;
}

void tcps_timer_set(struct tcps_timer *t, nsec_t deadline)
{
	if (atomic_load_explicit(&t->deadline, memory_order_relaxed) == deadline &&
	    atomic_load_explicit(&t->armed, memory_order_relaxed) <= deadline)
		return;
	atomic_store(&t->deadline, deadline);
	if (deadline < atomic_load(&t->armed)) {
		atomic_store(&t->armed, deadline);
		timer_arm(&t->timer, deadline);
	}
}

void tcps_timer_cancel(struct tcps_timer *t)
{
	irqstate_t s;

	atomic_store(&t->deadline, NSEC_MAX);
	timer_cancel(&t->timer);
	s = spin_lock_irq(&due_lock);
	list_remove(&t->due);
	list_init(&t->due);
	spin_unlock_irq(&due_lock, s);
	atomic_store(&t->armed, NSEC_MAX);
}

static struct tcps_timer *take_due(void)
{
	struct tcps_timer *t = NULL;
	irqstate_t s = spin_lock_irq(&due_lock);

	if (!list_is_empty(&due)) {
		t = list_first(&due, struct tcps_timer, due);
		list_remove(&t->due);
		list_init(&t->due);
	}
	spin_unlock_irq(&due_lock, s);
	return t;
}

static bool run_one(void)
{
	struct tcps_timer *t;

	epoch_enter();
	if ((t = take_due()))
		t->fire(t, clock_mono());
	epoch_exit();
	net_run_deferred();
	return t != NULL;
}

static void run(void *unused)
{
	struct waiter w;

	(void)unused;
	for (;;) {
		waiter_init(&w);
		wait_prepare(&due_wait, &w, THREAD_SLEEP);
		if (list_is_empty(&due))
			(void)!wait_sleep(NSEC_MAX);
		wait_finish(&due_wait, &w);
		while (run_one())
			thread_resched_point();
	}
}

void tcps_timers_start(void)
{
	struct thread *t = kthread_create("tcp", run, NULL);

	if (!t)
		panic("no thread for TCP's timers");
	thread_start(t);
}
