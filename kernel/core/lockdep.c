/*
 * Debug builds: lock ranks, checked.
 *
 * Each context has a stack of the locks it holds: a CPU of its spinlocks, a thread of its sleeping
 * locks (which it may hold while asleep and take to another CPU). An acquisition must have a rank
 * above every lock held; then no cycle of waiting is possible. What else is checked: a lock of kind
 * I is taken with interrupts off, no sleeping lock is taken under a spinlock, a lock is not taken
 * twice, and only locks that are held are released.
 *
 * An interrupt handler starts afresh: the locks of the code it interrupted were taken with
 * interrupts on, are hence of kind S, and handlers never take those. lockdep_irq_enter() marks the
 * bottom of the handler's part of the stack. Where the port does not call it, an acquisition with
 * interrupts off is compared only with locks that were taken with interrupts off: nothing false is
 * reported, and inversions from S to I are missed.
 */
#include "core/lockdep.h"

#include "core/epoch.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/spinlock.h"

struct rank_info {
	uint16_t rank;
	char kind;
	const char *name;
};

#define X(name, n, why) { n, (why)[0], #name },
static const struct rank_info ranks[] = { LOCK_RANKS(X) };
#undef X

static const struct rank_info *rank_find(unsigned rank)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ranks); i++)
		if (ranks[i].rank == rank)
			return &ranks[i];
	return NULL;
}

const char *lockdep_rank_name(unsigned rank)
{
	const struct rank_info *r = rank_find(rank);

	return r ? r->name : "unknown";
}

#ifdef KEVLAR_DEBUG

enum { MAX_HELD = 16, MAX_NESTING = 4 };

struct held_lock {
	const void *lock;
	uint16_t rank;
	bool irqs_off; /* when it was taken */
};

struct cpu_locks {
	unsigned n;
	unsigned bottom; /* first lock of the present context */
	unsigned nesting;
	unsigned saved_bottom[MAX_NESTING];
	struct held_lock held[MAX_HELD];
};

static PERCPU(struct cpu_locks, cpu_locks);
static bool irq_aware; /* the port calls lockdep_irq_enter(); set once, early */

bool (*lockdep_thread_held)(struct lockdep_held *out);

static bool is_off(void)
{
	return atomic_load_explicit(&panicking, memory_order_relaxed);
}

static NORETURN void report(const char *what, const void *lock, unsigned rank, const void *held,
			    unsigned held_rank)
{
	panic("lock order: %s: %s (%u) at %p, holding %s (%u) at %p", what, lockdep_rank_name(rank),
	      rank, lock, lockdep_rank_name(held_rank), held_rank, held);
}

static void check_pair(const void *lock, unsigned rank, bool same_ok, const void *held,
		       unsigned held_rank)
{
	if (held == lock)
		report("taken twice", lock, rank, held, held_rank);
	if (held_rank > rank || (held_rank == rank && !same_ok))
		report("rank does not rise", lock, rank, held, held_rank);
}

static void check_spinlocks(const struct cpu_locks *c, const void *lock, unsigned rank,
			    bool same_ok)
{
	bool off = !arch_irqs_enabled();

	for (unsigned i = c->bottom; i < c->n; i++) {
		const struct held_lock *h = &c->held[i];

		if (h->lock != lock && !irq_aware && off && !h->irqs_off)
			continue;
		check_pair(lock, rank, same_ok, h->lock, h->rank);
	}
}

static bool thread_locks(struct lockdep_held *h)
{
	return lockdep_thread_held && lockdep_thread_held(h);
}

static void push_thread(const void *lock, unsigned rank)
{
	struct lockdep_held h;

	if (!thread_locks(&h))
		return;
	if (*h.n == h.max)
		panic("lock order: a thread holds more than %u sleeping locks", h.max);
	h.lock[*h.n] = lock;
	h.rank[*h.n] = (uint16_t)rank;
	++*h.n;
}

static void push_spin(const void *lock, unsigned rank, bool off)
{
	irqstate_t s = arch_irq_save();
	struct cpu_locks *c = &this_cpu(cpu_locks);

	if (c->n == MAX_HELD)
		panic("lock order: a CPU holds more than %u spinlocks", MAX_HELD);
	c->held[c->n++] = (struct held_lock){ lock, (uint16_t)rank, off };
	arch_irq_restore(s);
}

static void acquire_sleeping(const void *lock, unsigned rank, bool same_ok)
{
	const struct cpu_locks *c = &this_cpu(cpu_locks);
	struct lockdep_held h;

	if (c->n > c->bottom)
		report("sleeping lock under a spinlock", lock, rank, c->held[c->n - 1].lock,
		       c->held[c->n - 1].rank);
	if (thread_locks(&h))
		for (uint32_t i = 0; i < *h.n; i++)
			check_pair(lock, rank, same_ok, h.lock[i], h.rank[i]);
	push_thread(lock, rank);
}

static void acquire_spin(const void *lock, unsigned rank, bool same_ok)
{
	const struct rank_info *info = rank_find(rank);
	bool off = !arch_irqs_enabled();

	if (!info)
		panic("lock order: lock at %p has rank %u, which is not in the table", lock, rank);
	if (info->kind == 'I' && !off)
		panic("lock order: %s (%u) at %p is taken with interrupts on", info->name, rank,
		      lock);
	if (info->kind == 'S' && this_cpu(cpu_locks).nesting)
		panic("lock order: %s (%u) at %p is taken by an interrupt handler", info->name,
		      rank, lock);
	check_spinlocks(&this_cpu(cpu_locks), lock, rank, same_ok);
	push_spin(lock, rank, off);
}

void lockdep_acquire(const void *lock, unsigned rank, bool same_rank_ok)
{
	if (is_off())
		return;
	if (rank < LOCKDEP_FIRST_SPIN)
		acquire_sleeping(lock, rank, same_rank_ok);
	else
		acquire_spin(lock, rank, same_rank_ok);
}

void lockdep_acquire_try(const void *lock, unsigned rank)
{
	if (is_off())
		return;
	if (rank < LOCKDEP_FIRST_SPIN)
		push_thread(lock, rank);
	else
		push_spin(lock, rank, !arch_irqs_enabled());
}

/* Removes the lock from the thread's stack; locks need not be released in order. */
static bool pop_thread(const void *lock)
{
	struct lockdep_held h;

	if (!thread_locks(&h))
		return false;
	for (uint32_t i = *h.n; i-- > 0;) {
		if (h.lock[i] != lock)
			continue;
		for (--*h.n; i < *h.n; i++) {
			h.lock[i] = h.lock[i + 1];
			h.rank[i] = h.rank[i + 1];
		}
		return true;
	}
	return false;
}

static bool pop_spin(const void *lock)
{
	irqstate_t s = arch_irq_save();
	struct cpu_locks *c = &this_cpu(cpu_locks);
	bool found = false;

	for (unsigned i = c->n; i-- > 0;) {
		if (c->held[i].lock != lock)
			continue;
		for (c->n--; i < c->n; i++)
			c->held[i] = c->held[i + 1];
		found = true;
		break;
	}
	arch_irq_restore(s);
	return found;
}

/* Sleeping locks taken before there were threads are not on any stack: no complaint about those. */
void lockdep_release(const void *lock)
{
	struct lockdep_held h;

	if (is_off() || pop_spin(lock) || pop_thread(lock))
		return;
	if (thread_locks(&h))
		panic("lock order: lock at %p is released but not held", lock);
}

void lockdep_may_sleep(void)
{
	const struct cpu_locks *c = &this_cpu(cpu_locks);

	if (is_off())
		return;
	if (c->n > c->bottom)
		panic("sleeping with spinlock %s (%u) at %p held",
		      lockdep_rank_name(c->held[c->n - 1].rank), c->held[c->n - 1].rank,
		      c->held[c->n - 1].lock);
	if (epoch_in_section())
		panic("sleeping in an epoch section");
}

bool lockdep_holds(const void *lock, unsigned rank)
{
	const struct cpu_locks *c = &this_cpu(cpu_locks);
	struct lockdep_held h;

	if (rank < LOCKDEP_FIRST_SPIN) {
		if (thread_locks(&h))
			for (uint32_t i = 0; i < *h.n; i++)
				if (h.lock[i] == lock)
					return true;
		return false;
	}
	for (unsigned i = 0; i < c->n; i++)
		if (c->held[i].lock == lock)
			return true;
	return false;
}

void lockdep_irq_enter(void)
{
	struct cpu_locks *c = &this_cpu(cpu_locks);

	irq_aware = true;
	if (c->nesting < MAX_NESTING)
		c->saved_bottom[c->nesting] = c->bottom;
	c->nesting++;
	c->bottom = c->n;
}

void lockdep_irq_exit(void)
{
	struct cpu_locks *c = &this_cpu(cpu_locks);

	if (!is_off() && c->n != c->bottom)
		panic("interrupt handler returns with a spinlock held");
	c->nesting--;
	if (c->nesting < MAX_NESTING)
		c->bottom = c->saved_bottom[c->nesting];
}

void lockdep_log_cpu(unsigned cpu)
{
	const struct cpu_locks *c = &of_cpu(cpu_locks, cpu);
	unsigned n = MIN(__atomic_load_n(&c->n, __ATOMIC_RELAXED), (unsigned)MAX_HELD);

	for (unsigned i = 0; i < n; i++)
		log_err("  CPU %u holds %s (%u) at %p", cpu, lockdep_rank_name(c->held[i].rank),
			c->held[i].rank, c->held[i].lock);
}

void lockdep_not_in_irq(void)
{
	if (this_cpu(cpu_locks).nesting && !is_off())
		panic("an interrupt handler does what only threads may do");
}

#endif
