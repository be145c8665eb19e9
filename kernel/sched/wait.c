/*
 * Sleeping and waking.
 *
 * A sleeper is in the queue and has its state set before it looks at the condition; a waker makes
 * the condition true before it looks at the queue and the state. With a full fence on both sides
 * one of them sees the other (pitfall 7). Whoever changes the state back to RUNNING, under the run
 * queue's lock, decides why the sleep ended: a waker (0), the deadline, or a signal; exactly one of
 * them does, so an exclusive wake-up is never lost to a sleeper that gives up.
 *
 * A waker wakes first and unlinks the waiter then, under the queue's lock: the waiter lives on its
 * thread's stack, and wait_finish() takes the lock as long as it is linked. Exclusive waiters stand
 * behind all others.
 */
#include "sched/wait.h"

#include "abi/errno.h"
#include "core/clock.h"
#include "core/ktrace.h"
#include "sched/ipi.h"
#include "sched/mutex.h"
#include "sched/sched_priv.h"

enum { WAKE_BATCH = 32 };

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, RANK_WAITQ);
	list_init(&q->waiters);
}

void waiter_init(struct waiter *w)
{
	list_init(&w->node);
	w->thread = curthread();
	w->wake = NULL;
	w->exclusive = false;
}

static void add_locked(struct waitq *q, struct waiter *w)
{
	if (list_is_linked(&w->node))
		return;
	if (w->exclusive)
		list_add_tail(&q->waiters, &w->node);
	else
		list_add_head(&q->waiters, &w->node);
}

void wait_prepare(struct waitq *q, struct waiter *w, enum thread_state state)
{
	irqstate_t s = spin_lock_irq(&q->lock);

	add_locked(q, w);
	curthread()->wait_on = q;
	curthread()->wake_result = 0;
	/* seq_cst: before every look at the condition, at pending signals and at the deadline. */
	atomic_store(&curthread()->state, (uint32_t)state);
	spin_unlock_irq(&q->lock, s);
}

void wait_finish(struct waitq *q, struct waiter *w)
{
	struct thread *t = curthread();
	irqstate_t s;

	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
	t->wait_on = NULL;
	/* Both links: the waker's unlinking is complete when both point back. */
	if (!list_is_linked(&w->node) && *(struct list *volatile *)&w->node.prev == &w->node) {
		atomic_thread_fence(memory_order_acquire);
		return;
	}
	s = spin_lock_irq(&q->lock);
	list_remove(&w->node);
	spin_unlock_irq(&q->lock, s);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	irqstate_t s = spin_lock_irq(&q->lock);

	add_locked(q, w);
	spin_unlock_irq(&q->lock, s);
}

void waitq_remove(struct waitq *q, struct waiter *w)
{
	irqstate_t s = spin_lock_irq(&q->lock);

	list_remove(&w->node);
	spin_unlock_irq(&q->lock, s);
}

bool waitq_is_empty(struct waitq *q)
{
	atomic_thread_fence(memory_order_seq_cst);
	return *(struct list *volatile *)&q->waiters.next == &q->waiters;
}

/* Wakes one waiter. True: it was exclusive and took the wake-up. */
static inline bool wake_waiter(struct waiter *w, uint32_t events)
{
	bool exclusive = w->exclusive;

	if (w->wake)
		return w->wake(w, events) && exclusive;
	/* Already awake for another reason: it looks at the condition again, unless it is leaving,
	 * and then takes none. */
	if (!thread_wake_as(w->thread, WAKE_NORMAL, 0))
		return false;
	list_remove(&w->node);
	return exclusive;
}

/*
 * Wakes a batch from n on, until `stop` is reached or *exclusive exclusive waiters took it.
 *   returns      where to go on; NULL: done
 */
static inline struct list *wake_batch(struct list *n, struct list *stop, uint32_t events,
				      unsigned *exclusive)
{
	for (unsigned i = 0; n != stop; i++) {
		struct waiter *w = list_entry(n, struct waiter, node);

		if (UNLIKELY(i == WAKE_BATCH))
			return n;
		n = n->next;
		if (wake_waiter(w, events) && --*exclusive == 0)
			break;
	}
	return NULL;
}

/* Marks a place in a queue while its lock is free; never woken. */
static bool wake_nobody(struct waiter *w, uint32_t events)
{
	(void)w, (void)events;
	return false;
}

/* Out of line: gcc 12 sees the address of a caller's local stay in the queue, which list_remove()
 * takes out again. */
static NOINLINE void append_mark(struct waitq *q, struct waiter *mark)
{
	list_add_tail(&q->waiters, &mark->node);
}

/*
 * Goes on with a long queue, letting go of its lock between batches: `here` keeps the place, and
 * `end` the end as it was, so that those who queue up again meanwhile are not woken twice.
 */
static NOINLINE void wake_rest(struct waitq *q, struct list *n, uint32_t events, unsigned exclusive,
			       irqstate_t *s) NO_TSA
{
	struct waiter here = { .wake = wake_nobody }, end = { .wake = wake_nobody };

	append_mark(q, &end);
	while (n) {
		list_insert_between(&here.node, n->prev, n);
		spin_unlock_irq(&q->lock, *s);
		*s = spin_lock_irq(&q->lock);
		n = here.node.next;
		list_remove(&here.node);
		n = wake_batch(n, &end.node, events, &exclusive);
	}
	list_remove(&end.node);
}

/* Wakes from the head until `exclusive` exclusive waiters took it. */
static inline void wake(struct waitq *q, uint32_t events, unsigned exclusive)
{
	irqstate_t s = spin_lock_irq(&q->lock);
	struct list *n = wake_batch(q->waiters.next, &q->waiters, events, &exclusive);

	if (UNLIKELY(n))
		wake_rest(q, n, events, exclusive, &s);
	spin_unlock_irq(&q->lock, s);
}

void waitq_wake_all(struct waitq *q, uint32_t events)
{
	if (!waitq_is_empty(q))
		wake(q, events, UINT32_MAX);
}

void waitq_wake_one(struct waitq *q, uint32_t events)
{
	if (!waitq_is_empty(q))
		wake(q, events, 1);
}

static void sleep_timer_fired(struct timer *timer)
{
	thread_wake_as(container_of(timer, struct thread, sleep_timer), WAKE_NORMAL, -ETIMEDOUT);
}

void sleep_timer_init(struct thread *t)
{
	timer_init(&t->sleep_timer, sleep_timer_fired);
}

/* Work bits that end a sleep in this state. */
static uint32_t interrupting(uint32_t state)
{
	if (state == THREAD_SLEEP_INTR)
		return WORK_SIGNAL | WORK_KILLED | WORK_STOP;
	return state == THREAD_SLEEP_KILL ? WORK_KILLED : 0;
}

/* Leaves a sleep that has not begun; `result`, unless somebody has woken us already. */
static int give_up(struct thread *t, uint32_t state, int result)
{
	return atomic_compare_exchange_strong(&t->state, &state, (uint32_t)THREAD_RUNNING)
		       ? result
		       : t->wake_result;
}

int wait_sleep(nsec_t deadline)
{
	struct thread *t = curthread();
	uint32_t state = atomic_load_explicit(&t->state, memory_order_acquire);

	if (state == THREAD_RUNNING)
		return t->wake_result;
	if (atomic_load(&t->work) & interrupting(state))
		return give_up(t, state, -ERESTARTSYS);
	if (deadline != NSEC_MAX) {
		if (deadline <= clock_mono())
			return give_up(t, state, -ETIMEDOUT);
		timer_arm(&t->sleep_timer, deadline);
	}
	ktrace(KT_WAIT, wait_begin, t->wait_on, state, deadline, 0, 0, 0);
	schedule();
	if (deadline != NSEC_MAX)
		timer_cancel(&t->sleep_timer);
	/* An ordinary wake-up has its own event. */
	if (t->wake_result)
		ktrace(KT_WAIT, wait_end, t->wait_on, t->wake_result, 0, 0, 0, 0);
	return t->wake_result;
}

int wait_unlocked(struct waitq *q, struct mutex *m, enum thread_state state, nsec_t deadline) NO_TSA
{
	struct waiter w;
	int err;

	waiter_init(&w);
	wait_prepare(q, &w, state);
	mutex_unlock(m);
	err = wait_sleep(deadline);
	wait_finish(q, &w);
	mutex_lock(m);
	return err;
}

int thread_sleep_until(nsec_t deadline, enum thread_state state)
{
	struct thread *t = curthread();
	int err;

	t->wait_on = NULL;
	t->wake_result = 0;
	atomic_store(&t->state, (uint32_t)state);
	err = wait_sleep(deadline);
	atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
	return err;
}

void thread_set_work(struct thread *t, uint32_t bits)
{
	uint32_t old = atomic_fetch_or(&t->work, bits);
	unsigned states = 0;

	/* It looks at the bits on its way to user mode. (It may be about to sleep, though.) */
	if (t == curthread() &&
	    atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_RUNNING)
		return;
	if (bits & (WORK_SIGNAL | WORK_STOP))
		states |= BIT(THREAD_SLEEP_INTR);
	if (bits & WORK_KILLED)
		states |= BIT(THREAD_SLEEP_INTR) | BIT(THREAD_SLEEP_KILL) | BIT(THREAD_STOPPED) |
			  BIT(THREAD_TRACED);
	if (states && thread_wake_as(t, states, -ERESTARTSYS))
		return;
	/* In user mode elsewhere it notices only when it is interrupted. */
	if ((old & bits) != bits && t != curthread() && atomic_load(&t->on_cpu))
		ipi_resched(t->cpu);
}
