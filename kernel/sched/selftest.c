/*
 * Self-test of threads, locks, timers and calls between CPUs, for debug builds (`debug=selftest`).
 * Many threads do what races, for a fixed number of rounds; counters at the end say whether an
 * update, a wake-up or a call was lost. A lost wake-up shows as a hang, which the watchdog timer
 * turns into a panic that names the test.
 */
#ifdef KEVLAR_DEBUG

#include "abi/errno.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "pmm/page.h"
#include "sched/ipi.h"
#include "sched/mutex.h"
#include "sched/sched_priv.h"
#include "sched/wait.h"
#include "sched/work.h"

enum { THREADS = 8, ROUNDS = 400, STORM = 64 };
#define WATCHDOG (60 * NSEC_PER_SEC)

static struct waitq done_wait = WAITQ(done_wait);
static _Atomic unsigned running;
static const char *test_name;
static struct timer watchdog;

static void watchdog_fired(struct timer *t)
{
	(void)t;
	panic("selftest sched: %s hangs, %u threads left", test_name, atomic_load(&running));
}

static void leave(void)
{
	if (atomic_fetch_sub(&running, 1) == 1)
		waitq_wake_all(&done_wait, 0);
}

/* Runs n threads of fn(i) and waits until all have called leave(). */
static void run(const char *name, unsigned n, void (*fn)(void *arg))
{
	struct waiter w;

	test_name = name;
	timer_arm(&watchdog, clock_mono() + WATCHDOG);
	atomic_store(&running, n);
	for (uintptr_t i = 0; i < n; i++) {
		struct thread *t = kthread_create("selftest", fn, (void *)i);

		if (!t)
			panic("selftest sched: no memory");
		thread_start(t);
	}
	waiter_init(&w);
	for (;;) {
		wait_prepare(&done_wait, &w, THREAD_SLEEP);
		if (atomic_load(&running) == 0)
			break;
		(void)!wait_sleep(NSEC_MAX);
	}
	wait_finish(&done_wait, &w);
	timer_cancel(&watchdog);
	log_info("selftest sched: %s", name);
}

/* Pairs pass a token back and forth; odd ones wait exclusively, so both kinds are woken one by
 * one. */
static struct waitq token_wait[THREADS];
static _Atomic unsigned token[THREADS];

static void ping_pong(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, pair = me / 2, side = me & 1;
	struct waiter w;

	waiter_init(&w);
	w.exclusive = side;
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (;;) {
			wait_prepare(&token_wait[pair], &w, THREAD_SLEEP_INTR);
			if ((atomic_load(&token[pair]) & 1) == side)
				break;
			KASSERT(wait_sleep(NSEC_MAX) == 0);
		}
		wait_finish(&token_wait[pair], &w);
		atomic_fetch_add(&token[pair], 1);
		waitq_wake_one(&token_wait[pair], 0);
	}
	leave();
}

static struct mutex mutex = MUTEX(mutex, VMOBJECT);
static struct rwlock rwlock;
static unsigned counter, shadow;

static void mutex_storm(void *arg) NO_TSA
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 16 == (uintptr_t)arg) {
			if (mutex_trylock(&mutex)) {
				counter++;
				shadow++;
				mutex_unlock(&mutex);
			} else {
				atomic_fetch_add((_Atomic unsigned *)&token[0], 1);
			}
			continue;
		}
		if (i % 7 == 0)
			KASSERT(mutex_lock_intr(&mutex) == 0);
		else
			mutex_lock(&mutex);
		KASSERT(counter == shadow);
		counter++;
		if (i % 32 == 0)
			thread_yield();
		shadow++;
		mutex_unlock(&mutex);
	}
	leave();
}

static void rwlock_storm(void *arg) NO_TSA
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if ((i + (uintptr_t)arg) % 4 == 0) {
			write_lock(&rwlock);
			KASSERT(counter == shadow);
			counter++;
			thread_yield();
			shadow++;
			if (i % 8 == 0) {
				write_downgrade(&rwlock);
				KASSERT(counter == shadow);
				read_unlock(&rwlock);
			} else {
				write_unlock(&rwlock);
			}
		} else {
			read_lock(&rwlock);
			KASSERT(counter == shadow);
			if (i % 16 == 0)
				thread_yield();
			KASSERT(counter == shadow);
			read_unlock(&rwlock);
		}
	}
	leave();
}

static void sleeper(void *arg)
{
	for (unsigned i = 0; i < 20; i++) {
		nsec_t until = clock_mono() + (nsec_t)(random_u64() % 3000000) - 100000;

		KASSERT(thread_sleep_until(until, THREAD_SLEEP) == -ETIMEDOUT);
		KASSERT(clock_mono() >= until);
	}
	(void)arg;
	leave();
}

/* Timers armed, moved and cancelled; each that fires is counted once. */
static _Atomic unsigned fired;

static void count_fired(struct timer *t)
{
	(void)t;
	atomic_fetch_add(&fired, 1);
}

static void fire_again(struct timer *t)
{
	timer_arm(t, clock_mono());
}

static void arm_here(void *t)
{
	timer_arm(t, clock_mono());
}

/* A timer that arms itself, on another CPU: cancelled means neither queued nor running. */
static void cancel_what_fires_again(void)
{
	struct timer t;

	timer_init(&t, fire_again);
	for (unsigned i = 0; i < ROUNDS / 8; i++) {
		unsigned cpu = (unsigned)(random_u64() % ncpus);

		if (cpu == cpu_id() ||
		    !(atomic_load_explicit(&cpus_online, memory_order_relaxed) & BIT(cpu)))
			continue;
		ipi_call(BIT(cpu), arm_here, &t);
		for (unsigned k = (unsigned)(random_u64() % 128); k > 0; k--)
			arch_pause();
		timer_cancel(&t);
		KASSERT(atomic_load(&t.state) == 0);
	}
}

static void timer_storm(void *arg)
{
	struct timer t[8];
	unsigned expected = 0, before;

	(void)arg;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		timer_init(&t[i], count_fired);
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		struct timer *x = &t[random_u64() % ARRAY_SIZE(t)];

		timer_arm(x, clock_mono() + (nsec_t)(random_u64() % 200000));
		if (i % 5 == 0)
			timer_cancel(x);
		if (i % 9 == 0)
			thread_yield();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		timer_cancel(&t[i]);
	/* One by one: fired or cancelled, never both, never neither. */
	for (unsigned i = 0; i < 50; i++) {
		before = expected;
		timer_arm(&t[0], clock_mono() + 1000);
		for (unsigned k = 0; k < random_u64() % 512; k++)
			arch_pause();
		expected += !timer_cancel(&t[0]);
		KASSERT(expected - before <= 1 && atomic_load(&t[0].state) == 0);
	}
	cancel_what_fires_again();
	leave();
}

static _Atomic unsigned called;

static void count_call(void *arg)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void ipi_storm(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		_Atomic unsigned mine = 0;
		unsigned others = 0, cpu;

		for_each_cpu (cpu)
			others += cpu != cpu_id();
		ipi_call(UINT64_MAX, count_call, &mine);
		KASSERT(atomic_load(&mine) == others);
		atomic_fetch_add(&called, others);
		if (i % 64 == 0)
			thread_yield();
	}
	leave();
}

static void memory(void *arg)
{
	pmm_selftest(1 + (uintptr_t)arg);
	leave();
}

static void short_life(void *arg)
{
	(void)arg;
	leave();
}

static void parent(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < STORM; i++) {
		struct thread *t = kthread_create("short", short_life, NULL);

		if (!t)
			panic("selftest sched: no memory");
		atomic_fetch_add(&running, 1);
		thread_start(t);
		if (i % 4 == 0)
			thread_yield();
	}
	leave();
}

/* Threads that chase one another over the CPUs by affinity. */
static void migrant(void *arg)
{
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		unsigned cpu = (unsigned)((uintptr_t)arg + i) % ncpus;

		if (!(atomic_load(&cpus_online) & BIT(cpu)))
			continue;
		sched_set_affinity(curthread(), BIT(cpu));
		KASSERT(cpu_id() == cpu);
	}
	sched_set_affinity(curthread(), UINT64_MAX);
	leave();
}

static _Atomic unsigned works_done;

static void count_work(struct work *w)
{
	(void)w;
	atomic_fetch_add(&works_done, 1);
}

static void work_test(void)
{
	struct work w[16];

	test_name = "work";
	timer_arm(&watchdog, clock_mono() + WATCHDOG);
	atomic_store(&works_done, 0);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
			work_init(&w[i], count_work);
			KASSERT(work_queue(&w[i]));
		}
		work_flush();
		KASSERT(atomic_load(&works_done) == (round + 1) * ARRAY_SIZE(w));
	}
	timer_cancel(&watchdog);
}

void sched_selftest(void)
{
	timer_init(&watchdog, watchdog_fired);
	rwlock_init(&rwlock, RANK_VMSPACE);
	for (unsigned i = 0; i < THREADS; i++)
		waitq_init(&token_wait[i]);
	run("ping-pong", THREADS, ping_pong);
	for (unsigned i = 0; i < THREADS / 2; i++)
		KASSERT(atomic_load(&token[i]) == 2 * ROUNDS);
	atomic_store(&token[0], 0);
	run("mutex", THREADS, mutex_storm);
	KASSERT(counter == shadow && counter + atomic_load(&token[0]) == THREADS * ROUNDS);
	run("rwlock", THREADS, rwlock_storm);
	KASSERT(counter == shadow);
	run("sleep", THREADS, sleeper);
	run("timers", THREADS, timer_storm);
	run("ipi", THREADS, ipi_storm);
	run("exit", THREADS, parent);
	run("affinity", THREADS, migrant);
	run("memory", THREADS, memory);
	work_test();
	log_info("selftest sched: ok");
}

#endif
