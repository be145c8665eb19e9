/*
 * Mutexes.
 *
 * `owner` is the holding thread, or 0; bit 0 says that somebody waits, so that the holder takes the
 * slow way out. Taking a free mutex and giving back one that nobody waits for is one compare-and-
 * exchange each.
 *
 * A thread that finds it taken spins while the holder is running on another CPU (it will be done
 * soon), and then queues up. The queue, and bit 0, change under waiters.lock. Unlocking leaves the
 * mutex free and wakes the first waiter, who competes with newcomers: no convoy. A waiter that lost
 * twice gets it handed over: no starvation. The spinner looks into a holder that may exit: threads
 * are freed under an epoch, and spinning is a reader section.
 */
#include "sched/mutex.h"

#include "abi/errno.h"
#include "core/epoch.h"
#include "core/lockdep.h"
#include "core/percpu.h"
#include "sched/sched_priv.h"

enum { SPIN_LIMIT = 2000, LOSSES_MAX = 2 };
#define WAITERS 1ul

struct mutex_waiter {
	struct list node;
	struct thread *thread;
	unsigned losses; /* times it was woken and came too late */
};

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	atomic_init(&m->owner, 0);
	waitq_init(&m->waiters);
	m->rank = rank;
}

static inline uintptr_t self(void)
{
	return (uintptr_t)curthread();
}

static inline struct thread *owner_of(uintptr_t word)
{
	return (struct thread *)(word & ~WAITERS);
}

/* Takes m if it is free, keeping the waiters' bit. */
static inline bool try_take(struct mutex *m)
{
	uintptr_t word = 0;

	while (!owner_of(word))
		if (atomic_compare_exchange_weak_explicit(&m->owner, &word, self() | word,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

/* Spins as long as the holder runs. True: got it. */
static bool spin(struct mutex *m)
{
	bool got = false;

	if (ncpus == 1)
		return false;
	epoch_enter();
	for (unsigned i = 0; i < SPIN_LIMIT && !need_resched(); i++) {
		struct thread *o = owner_of(atomic_load_explicit(&m->owner, memory_order_relaxed));

		if (!o && (got = try_take(m)))
			break;
		if (o && !atomic_load_explicit(&o->on_cpu, memory_order_relaxed))
			break;
		arch_pause();
	}
	epoch_exit();
	return got;
}

static struct mutex_waiter *first_waiter(struct mutex *m)
{
	return list_is_empty(&m->waiters.waiters)
		       ? NULL
		       : list_first(&m->waiters.waiters, struct mutex_waiter, node);
}

/* With the queue's lock: takes m, or makes sure that its holder will wake us. */
static bool take_or_mark(struct mutex *m, struct mutex_waiter *w)
{
	uintptr_t word = atomic_load_explicit(&m->owner, memory_order_relaxed);

	for (;;) {
		struct list *q = &m->waiters.waiters;
		bool others = list_is_linked(&w->node) ? q->next != q->prev : !list_is_empty(q);
		uintptr_t want = owner_of(word) ? word | WAITERS : self() | (others ? WAITERS : 0);

		if (owner_of(word) == curthread())
			break; /* handed over */
		if (word == want)
			return false;
		if (atomic_compare_exchange_weak_explicit(
			    &m->owner, &word, want, memory_order_acquire, memory_order_relaxed)) {
			if (!owner_of(word))
				break;
			return false;
		}
	}
	list_remove(&w->node);
	if (owner_of(word) && list_is_empty(&m->waiters.waiters))
		atomic_fetch_and_explicit(&m->owner, ~WAITERS, memory_order_relaxed);
	return true;
}

/* Stops waiting without the mutex: a wake-up that was meant for us goes on to the next. */
static void abandon_locked(struct mutex *m, struct mutex_waiter *w)
{
	struct mutex_waiter *next;

	list_remove(&w->node);
	next = first_waiter(m);
	if (!next)
		atomic_fetch_and_explicit(&m->owner, ~WAITERS, memory_order_relaxed);
	else if (!owner_of(atomic_load_explicit(&m->owner, memory_order_relaxed)))
		thread_wake(next->thread, WAKE_NORMAL);
}

static int lock_slow(struct mutex *m, enum thread_state state) NO_TSA
{
	struct mutex_waiter w = { .thread = curthread() };
	irqstate_t s;
	int err = 0;

	if (spin(m))
		return 0;
	list_init(&w.node);
	s = spin_lock_irq(&m->waiters.lock);
	while (!take_or_mark(m, &w)) {
		if (err) {
			abandon_locked(m, &w);
			break;
		}
		if (!list_is_linked(&w.node))
			list_add_tail(&m->waiters.waiters, &w.node);
		w.thread->wait_on = m;
		w.thread->wake_result = 0;
		atomic_store(&w.thread->state, (uint32_t)state);
		spin_unlock_irq(&m->waiters.lock, s);
		err = wait_sleep(NSEC_MAX);
		s = spin_lock_irq(&m->waiters.lock);
		atomic_store_explicit(&w.thread->state, THREAD_RUNNING, memory_order_relaxed);
		w.losses++;
	}
	spin_unlock_irq(&m->waiters.lock, s);
	w.thread->wait_on = NULL;
	/* A signal that came with the mutex is left for the next sleep. */
	return owner_of(atomic_load_explicit(&m->owner, memory_order_relaxed)) == w.thread ? 0
											   : err;
}

static inline bool take_free(struct mutex *m)
{
	uintptr_t word = 0;

	return atomic_compare_exchange_strong_explicit(&m->owner, &word, self(),
						       memory_order_acquire, memory_order_relaxed);
}

static inline void lock(struct mutex *m, bool nested)
{
	lockdep_may_sleep();
	lockdep_acquire(m, m->rank, nested);
	KASSERT_DEBUG(!mutex_is_mine(m));
	if (UNLIKELY(!take_free(m)))
		(void)lock_slow(m, THREAD_SLEEP);
}

void mutex_lock(struct mutex *m) NO_TSA
{
	lock(m, false);
}

void mutex_lock_nested(struct mutex *m) NO_TSA
{
	lock(m, true);
}

int mutex_lock_intr(struct mutex *m) NO_TSA
{
	int err = 0;

	lockdep_may_sleep();
	lockdep_acquire(m, m->rank, false);
	if (UNLIKELY(!take_free(m)) && (err = lock_slow(m, THREAD_SLEEP_INTR)))
		lockdep_release(m);
	return err;
}

bool mutex_trylock(struct mutex *m) NO_TSA
{
	if (!try_take(m))
		return false;
	lockdep_acquire_try(m, m->rank);
	return true;
}

static inline bool give_free(struct mutex *m)
{
	uintptr_t word = self();

	return atomic_compare_exchange_strong_explicit(&m->owner, &word, 0, memory_order_release,
						       memory_order_relaxed);
}

/* Gives m to the first waiter. False: there is none (any more). */
static bool give_to_waiter(struct mutex *m) NO_TSA
{
	irqstate_t s = spin_lock_irq(&m->waiters.lock);
	struct mutex_waiter *w = first_waiter(m);

	if (w) {
		bool hand_over = w->losses >= LOSSES_MAX;

		atomic_store_explicit(&m->owner,
				      hand_over ? (uintptr_t)w->thread | WAITERS : WAITERS,
				      memory_order_release);
		thread_wake(w->thread, WAKE_NORMAL);
	}
	spin_unlock_irq(&m->waiters.lock, s);
	return w;
}

/*
 * Without waiters, making the word 0 is the last touch: the next holder may free what m is in. With
 * one, that waiter still has to take waiters.lock.
 */
void mutex_unlock(struct mutex *m) NO_TSA
{
	KASSERT_DEBUG(mutex_is_mine(m));
	lockdep_release(m);
	while (UNLIKELY(!give_free(m)) && !give_to_waiter(m))
		;
}

bool mutex_is_mine(const struct mutex *m)
{
	return owner_of(atomic_load_explicit(&m->owner, memory_order_relaxed)) == curthread();
}
