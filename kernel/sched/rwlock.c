/*
 * Read-write locks.
 *
 * The state word: a writer's bit, a count of readers, and two bits that say somebody waits. Without
 * waiters, every operation is one compare-and-exchange (or subtraction). New readers stand back
 * while a writer waits.
 *
 * The slow ways are under readers.lock, which guards both queues and the waiting bits. The lock is
 * handed over: who releases it decides, sets the new state for those he chose, and wakes them as
 * holders. A writer leaving lets all waiting readers in, the last reader leaving lets the first
 * writer in, so neither side starves.
 */
#include "abi/errno.h"
#include "core/lockdep.h"
#include "core/percpu.h"
#include "sched/mutex.h"
#include "sched/sched_priv.h"

#define WRITER       (1ull << 63)
#define WRITER_WAITS (1ull << 62)
#define READERS_WAIT (1ull << 61)
#define READERS      (READERS_WAIT - 1)

enum { SPIN_LIMIT = 200 };

struct rwlock_waiter {
	struct list node;
	struct thread *thread;
	bool granted; /* under readers.lock: it holds the lock */
};

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	atomic_init(&l->state, 0);
	waitq_init(&l->readers);
	waitq_init(&l->writers);
	l->rank = rank;
}

static uint64_t waiting_bits(const struct rwlock *l)
{
	return (list_is_empty(&l->readers.waiters) ? 0 : READERS_WAIT) |
	       (list_is_empty(&l->writers.waiters) ? 0 : WRITER_WAITS);
}

static void grant(struct list *node)
{
	struct rwlock_waiter *w = list_entry(node, struct rwlock_waiter, node);

	list_remove(&w->node);
	w->granted = true;
	thread_wake(w->thread, WAKE_NORMAL);
}

/*
 * Sets the state to `held` readers plus those let in, and the bits of those who wait on. The caller
 * has made sure that nobody changes the state otherwise: the writer's bit or a waiting writer's
 * keeps fast ways out.
 */
static void let_readers_in(struct rwlock *l, uint64_t held)
{
	struct list let;
	struct list *n;
	uint64_t count = held;

	list_init(&let);
	list_splice_tail(&let, &l->readers.waiters);
	for (n = let.next; n != &let; n = n->next)
		count++;
	atomic_store_explicit(&l->state, count | waiting_bits(l), memory_order_release);
	while (!list_is_empty(&let))
		grant(let.next);
}

static void let_writer_in(struct rwlock *l)
{
	struct list *n = l->writers.waiters.next;

	/* grant() unlinks it, but it must hold the lock when it wakes. */
	list_remove(n);
	atomic_store_explicit(&l->state, WRITER | waiting_bits(l), memory_order_release);
	grant(n);
}

static bool try_read(struct rwlock *l)
{
	uint64_t s = atomic_load_explicit(&l->state, memory_order_relaxed);

	while (!(s & (WRITER | WRITER_WAITS)))
		if (atomic_compare_exchange_weak_explicit(
			    &l->state, &s, s + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

/* Only when nobody holds it or waits: those who wait have been promised it. */
static bool try_write(struct rwlock *l)
{
	uint64_t s = 0;

	return atomic_compare_exchange_strong_explicit(&l->state, &s, WRITER, memory_order_acquire,
						       memory_order_relaxed);
}

/* With readers.lock and the bit WRITER_WAITS set, which keep all others from taking it. */
static bool take_for_writing(struct rwlock *l)
{
	if (atomic_load(&l->state) & (WRITER | READERS))
		return false;
	atomic_fetch_or_explicit(&l->state, WRITER, memory_order_acquire);
	return true;
}

static bool spin(struct rwlock *l, bool (*try)(struct rwlock *))
{
	if (ncpus == 1)
		return false;
	for (unsigned i = 0; i < SPIN_LIMIT && !need_resched(); i++) {
		if (try(l))
			return true;
		arch_pause();
	}
	return false;
}

/* Sleeps until granted, or killed where `state` allows it; readers.lock held in and out. */
static void sleep_locked(struct rwlock *l, struct rwlock_waiter *w, enum thread_state state,
			 irqstate_t *s) NO_TSA
{
	int err = 0;

	while (!w->granted && !err) {
		w->thread->wait_on = l;
		w->thread->wake_result = 0;
		atomic_store(&w->thread->state, (uint32_t)state);
		spin_unlock_irq(&l->readers.lock, *s);
		err = wait_sleep(NSEC_MAX);
		*s = spin_lock_irq(&l->readers.lock);
		atomic_store_explicit(&w->thread->state, THREAD_RUNNING, memory_order_relaxed);
	}
	w->thread->wait_on = NULL;
}

static void read_slow(struct rwlock *l) NO_TSA
{
	struct rwlock_waiter w = { .thread = curthread() };
	irqstate_t s;

	if (spin(l, try_read))
		return;
	s = spin_lock_irq(&l->readers.lock);
	list_add_tail(&l->readers.waiters, &w.node);
	/* With the bit set, whoever leaves looks at the queue; if he left before, the lock is open
	 * now. */
	atomic_fetch_or(&l->state, READERS_WAIT);
	if (try_read(l)) {
		list_remove(&w.node);
		if (list_is_empty(&l->readers.waiters))
			atomic_fetch_and_explicit(&l->state, ~READERS_WAIT, memory_order_relaxed);
	} else {
		sleep_locked(l, &w, THREAD_SLEEP, &s);
	}
	spin_unlock_irq(&l->readers.lock, s);
}

/* A writer gave up waiting; if he was the last, the readers he held back come in. readers.lock
 * held. */
static void writer_gave_up(struct rwlock *l)
{
	struct list let;
	uint64_t n = 0;

	if (!list_is_empty(&l->writers.waiters))
		return;
	list_init(&let);
	if (!(atomic_load_explicit(&l->state, memory_order_relaxed) & WRITER)) {
		list_splice_tail(&let, &l->readers.waiters);
		for (struct list *i = let.next; i != &let; i = i->next)
			n++;
	}
	/* Added before the bit goes: until then nobody comes in the fast way. */
	atomic_fetch_add_explicit(&l->state, n, memory_order_relaxed);
	atomic_fetch_and_explicit(&l->state, n ? ~(WRITER_WAITS | READERS_WAIT) : ~WRITER_WAITS,
				  memory_order_release);
	while (!list_is_empty(&let))
		grant(let.next);
}

static int write_slow(struct rwlock *l, enum thread_state state) NO_TSA
{
	struct rwlock_waiter w = { .thread = curthread() };
	irqstate_t s;

	if (spin(l, try_write))
		return 0;
	s = spin_lock_irq(&l->readers.lock);
	list_add_tail(&l->writers.waiters, &w.node);
	atomic_fetch_or(&l->state, WRITER_WAITS);
	if (l->writers.waiters.next == &w.node && take_for_writing(l)) {
		list_remove(&w.node);
		w.granted = true;
		if (list_is_empty(&l->writers.waiters))
			atomic_fetch_and_explicit(&l->state, ~WRITER_WAITS, memory_order_relaxed);
	} else {
		sleep_locked(l, &w, state, &s);
		if (!w.granted) {
			list_remove(&w.node);
			writer_gave_up(l);
		}
	}
	spin_unlock_irq(&l->readers.lock, s);
	return w.granted ? 0 : -EINTR;
}

/* The writer leaves, with others waiting. */
static void writer_leaves(struct rwlock *l) NO_TSA
{
	irqstate_t s = spin_lock_irq(&l->readers.lock);

	if (!list_is_empty(&l->readers.waiters) || list_is_empty(&l->writers.waiters))
		let_readers_in(l, 0);
	else
		let_writer_in(l);
	spin_unlock_irq(&l->readers.lock, s);
}

/* The last reader has left while a writer waited; what has happened since, the state tells. */
static void last_reader_left(struct rwlock *l) NO_TSA
{
	irqstate_t s = spin_lock_irq(&l->readers.lock);
	uint64_t state = atomic_load_explicit(&l->state, memory_order_relaxed);

	if (!(state & (WRITER | READERS)) && !list_is_empty(&l->writers.waiters))
		let_writer_in(l);
	spin_unlock_irq(&l->readers.lock, s);
}

void read_lock(struct rwlock *l) NO_TSA
{
	lockdep_may_sleep();
	lockdep_acquire(l, l->rank, false);
	if (UNLIKELY(!try_read(l)))
		read_slow(l);
}

bool read_trylock(struct rwlock *l) NO_TSA
{
	if (!try_read(l))
		return false;
	lockdep_acquire_try(l, l->rank);
	return true;
}

void read_unlock(struct rwlock *l) NO_TSA
{
	uint64_t old;

	lockdep_release(l);
	old = atomic_fetch_sub_explicit(&l->state, 1, memory_order_release);
	KASSERT_DEBUG(old & READERS);
	if (UNLIKELY((old & READERS) == 1 && old & WRITER_WAITS))
		last_reader_left(l);
}

static int write(struct rwlock *l, enum thread_state state, bool nested)
{
	uint64_t s = 0;
	int err = 0;

	lockdep_may_sleep();
	lockdep_acquire(l, l->rank, nested);
	if (UNLIKELY(!atomic_compare_exchange_strong_explicit(
		    &l->state, &s, WRITER, memory_order_acquire, memory_order_relaxed)))
		err = write_slow(l, state);
	if (err)
		lockdep_release(l);
	return err;
}

void write_lock(struct rwlock *l) NO_TSA
{
	(void)write(l, THREAD_SLEEP, false);
}

void write_lock_nested(struct rwlock *l) NO_TSA
{
	(void)write(l, THREAD_SLEEP, true);
}

int write_lock_killable(struct rwlock *l) NO_TSA
{
	return write(l, THREAD_SLEEP_KILL, false);
}

void write_unlock(struct rwlock *l) NO_TSA
{
	uint64_t s = WRITER;

	lockdep_release(l);
	if (UNLIKELY(!atomic_compare_exchange_strong_explicit(
		    &l->state, &s, 0, memory_order_release, memory_order_relaxed)))
		writer_leaves(l);
}

void write_downgrade(struct rwlock *l) NO_TSA
{
	uint64_t state = WRITER;
	irqstate_t s;

	if (atomic_compare_exchange_strong_explicit(&l->state, &state, 1, memory_order_release,
						    memory_order_relaxed))
		return;
	s = spin_lock_irq(&l->readers.lock);
	let_readers_in(l, 1);
	spin_unlock_irq(&l->readers.lock, s);
}
