/*
 * Threads: made, started, ended; their policy, priority and affinity. Changing what decides a
 * thread's place in a queue is always the same: under its queue's lock it is taken out, changed,
 * put back, and the CPU it is on, or should be on, is made to look.
 */
#include "sched/thread.h"

#include <arch/io.h>

#include "abi/errno.h"
#include "abi/sched.h"
#include "core/clock.h"
#include "core/ktrace.h"
#include "core/lockdep.h"
#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "sched/failure.h"
#include "sched/sched_priv.h"
#include "sched/wait.h"

/* Above all that user space may have (pid_max): kernel threads cannot be mistaken for tasks. */
enum { FIRST_KTHREAD_TID = 1 << 22 };

struct kthread {
	struct thread thread;
	void (*fn)(void *arg);
	void *arg;
};

static struct slab_cache *kthread_cache, *fpu_cache;
static struct thread boot_thread;
static _Atomic uint32_t next_tid = FIRST_KTHREAD_TID;

/* The effective class and weight follow from what is set. */
static void apply_policy(struct sched_entity *se)
{
	uint8_t prio = MAX(se->set_prio, se->boost_prio);

	/* Who has had a bandwidth gives it back. */
	if (UNLIKELY(se->dl.bandwidth) && se->policy != SCHED_DEADLINE) {
		atomic_fetch_sub(&sched_deadline_used, se->dl.bandwidth);
		se->dl.bandwidth = 0;
	}
	if (prio) {
		se->class = SCHED_CLASS_RT;
		se->rt_prio = prio;
		se->slice_used = 0;
		return;
	}
	if (se->class != SCHED_CLASS_FAIR)
		se->vruntime = 0; /* lag */
	se->class = SCHED_CLASS_FAIR;
	se->rt_prio = 0;
	se->weight = se->policy == SCHED_IDLE ? FAIR_WEIGHT_IDLE : fair_weight(se->nice);
}

static void init_entity(struct sched_entity *se, const struct sched_entity *parent)
{
	list_init(&se->rt_node);
	se->policy = SCHED_OTHER;
	if (parent && parent->class != SCHED_CLASS_IDLE) {
		bool reset = parent->reset_on_fork, rt = parent->set_prio != 0;

		/* sched(7): with the flag, real-time policies and negative nice values are not
		 * inherited. */
		if (!(reset && rt)) {
			se->policy = parent->policy;
			se->set_prio = parent->set_prio;
		}
		se->nice = reset && parent->nice < 0 ? 0 : parent->nice;
	}
	apply_policy(se);
}

static void init_common(struct thread *t)
{
	memset(t, 0, sizeof(*t));
	ref_init(&t->ref);
	list_init(&t->held_mutexes);
	t->start_time = clock_mono();
	t->cpu = cpu_id();
	t->affinity = UINT64_MAX;
	t->probe_in = 1; /* the first wake-up after vfork() is by one who goes on: no probe */
	sleep_timer_init(t);
}

int thread_init(struct thread *t, const struct thread *parent)
{
	/* A bandwidth cannot be had twice. */
	if (parent->se.policy == SCHED_DEADLINE && !parent->se.reset_on_fork)
		return -EAGAIN;
	init_common(t);
	if (parent->task) {
		t->affinity = parent->affinity;
		init_entity(&t->se, &parent->se);
	} else {
		init_entity(&t->se, NULL);
	}
	memcpy(t->name, parent->name, sizeof(t->name));
	t->kstack = kstack_alloc();
	return t->kstack ? 0 : -ENOMEM;
}

void thread_fini(struct thread *t)
{
	KASSERT_DEBUG(!t->se.queued && !atomic_load_explicit(&t->on_cpu, memory_order_relaxed));
	if (UNLIKELY(t->se.dl.bandwidth))
		atomic_fetch_sub(&sched_deadline_used, t->se.dl.bandwidth);
	t->se.dl.bandwidth = 0;
	arch_thread_free(t);
	if (t->kstack)
		kstack_free(t->kstack);
	t->kstack = NULL;
}

void thread_start(struct thread *t) NO_TSA
{
	irqstate_t s = arch_irq_save();
	nsec_t now = clock_mono();
	/* A task has its number already: others may change its policy meanwhile. */
	struct runq *rq = runq_lock_of(t);
	bool beside = ncpus > 1 && runq_is_beside_waker(t, now);

	t->cpu = beside ? cpu_id() : runq_select_cpu(t);
	t->ready_at = now;
	spin_unlock(&rq->lock);
	runq_place(t, FAIR_NEW, 0, !beside);
	arch_irq_restore(s);
}

static void free_kthread(struct epoch_head *h)
{
	struct thread *t = container_of(h, struct thread, epoch);

	if (ref_put(&t->ref)) {
		thread_fini(t);
		slab_free(kthread_cache, container_of(t, struct kthread, thread));
	}
}

static void kthread_dead(struct thread *t)
{
	epoch_free(&t->epoch, free_kthread);
}

static void kthread_main(void *arg)
{
	struct kthread *k = arg;

	thread_first_run();
	arch_irq_enable();
	k->fn(k->arg);
	thread_exit(kthread_dead);
}

struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
	struct kthread *k = slab_alloc(kthread_cache);

	if (!k)
		return NULL;
	init_common(&k->thread);
	init_entity(&k->thread.se, NULL);
	if (!(k->thread.kstack = kstack_alloc())) {
		slab_free(kthread_cache, k);
		return NULL;
	}
	k->fn = fn;
	k->arg = arg;
	k->thread.tid = atomic_fetch_add_explicit(&next_tid, 1, memory_order_relaxed);
	(void)strscpy(k->thread.name, name, sizeof(k->thread.name));
	arch_thread_init(&k->thread, kthread_main, k);
	return &k->thread;
}

/* Takes t out of its queue for a change; tells whether it has to be put back, and whether it is
 * running. */
struct change {
	struct runq *rq;
	irqstate_t irq;
	bool queued, running;
};

static void change_begin(struct thread *t, struct change *c) NO_TSA
{
	c->irq = arch_irq_save();
	c->rq = runq_lock_of(t);
	c->queued = t->se.queued;
	/* A running thread that is about to sleep is still the queue's. */
	c->running = c->rq->curr == t;
	if (c->running)
		runq_charge_locked(c->rq, clock_mono());
	if (c->queued || c->running)
		runq_dequeue_locked(c->rq, t);
}

static void change_end(struct thread *t, struct change *c) NO_TSA
{
	bool allowed = t->affinity & BIT(c->rq->cpu);

	if (c->queued && !allowed) {
		t->cpu = runq_select_cpu(t);
		spin_unlock(&c->rq->lock);
		runq_place(t, FAIR_MOVE, 0, true);
	} else {
		if (c->queued)
			runq_enqueue_locked(c->rq, t, FAIR_MOVE, 0);
		if (c->running)
			runq_set_running_locked(c->rq, t);
		/* The order may be another one now. */
		if (c->queued || c->running)
			runq_resched_locked(c->rq);
		spin_unlock(&c->rq->lock);
	}
	arch_irq_restore(c->irq);
}

void sched_set_policy(struct thread *t, int policy, int rt_prio, int nice, bool reset_on_fork)
{
	struct change c;

	change_begin(t, &c);
	t->se.policy = (uint8_t)policy;
	t->se.set_prio = (uint8_t)rt_prio;
	t->se.nice = (int8_t)nice;
	t->se.reset_on_fork = reset_on_fork;
	apply_policy(&t->se);
	change_end(t, &c);
}

/* --- SCHED_DEADLINE --- */

_Atomic uint64_t sched_deadline_used;

uint64_t sched_deadline_most(void)
{
	nsec_t runtime = atomic_load_explicit(&sched_rt_runtime, memory_order_relaxed),
	       period = atomic_load_explicit(&sched_rt_period, memory_order_relaxed);

	if (runtime >= period) /* no limit */
		return BIT(DEADLINE_BW_SHIFT);
	return deadline_bandwidth((uint64_t)runtime, (uint64_t)period);
}

/* Exchanges what one thread had for what it wants, if there is so much. */
static bool grant(uint64_t had, uint64_t wants)
{
	uint64_t used = atomic_load(&sched_deadline_used), most = sched_deadline_most() * ncpus;

	do {
		if (wants > had && used - had + wants > most && sched_rt_runtime != NSEC_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&sched_deadline_used, &used, used - had + wants));
	return true;
}

int sched_set_deadline(struct thread *t, uint64_t runtime, uint64_t deadline, uint64_t period,
		       uint8_t flags, bool reset_on_fork)
{
	uint64_t bandwidth = deadline_bandwidth(runtime, period), online;
	struct sched_deadline *d = &t->se.dl;
	struct change c;
	int err = 0;

	change_begin(t, &c);
	online = atomic_load_explicit(&cpus_online, memory_order_relaxed);
	if (online & ~t->affinity)
		err = -EPERM;
	else if (!grant(d->bandwidth, bandwidth))
		err = -EBUSY;
	if (!err) {
		*d = (struct sched_deadline){ .runtime = runtime,
					      .deadline = deadline,
					      .period = period,
					      .bandwidth = bandwidth,
					      .flags = flags };
		deadline_start(d, clock_mono());
		t->se.policy = SCHED_DEADLINE;
		t->se.set_prio = RT_DEADLINE;
		t->se.reset_on_fork = reset_on_fork;
		apply_policy(&t->se);
	}
	change_end(t, &c);
	return err;
}

bool sched_deadline_wait(void) NO_TSA
{
	irqstate_t s = arch_irq_save();
	struct thread *t = curthread();
	struct sched_deadline *d = &t->se.dl;
	struct runq *rq = runq_lock_of(t);
	nsec_t now = clock_mono(), begins = now;
	bool overrun = false;

	runq_charge_locked(rq, now);
	thread_clear_work(t, WORK_DEADLINE);
	if (t->se.policy == SCHED_DEADLINE && d->left <= 0) {
		overrun = d->left < 0 && d->flags & SCHED_FLAG_DL_OVERRUN;
		begins = deadline_replenish(d, now);
		d->waits = true;
	}
	spin_unlock(&rq->lock);
	arch_irq_restore(s);
	if (begins > now)
		(void)!thread_sleep_until(begins, THREAD_SLEEP_KILL);
	d->waits = false;
	return overrun;
}

void sched_deadline_yield(void) NO_TSA
{
	irqstate_t s = arch_irq_save();
	struct thread *t = curthread();
	struct runq *rq = runq_lock_of(t);

	runq_charge_locked(rq, clock_mono());
	t->se.dl.left = MIN(t->se.dl.left, (int64_t)0);
	spin_unlock(&rq->lock);
	arch_irq_restore(s);
	thread_set_work(t, WORK_DEADLINE);
}

void sched_set_nice(struct thread *t, int nice)
{
	struct change c;

	change_begin(t, &c);
	t->se.nice = (int8_t)nice;
	apply_policy(&t->se);
	change_end(t, &c);
}

void sched_boost(struct thread *t, int rt_prio)
{
	struct change c;

	change_begin(t, &c);
	t->se.boost_prio = (uint8_t)MIN(rt_prio, RT_DEADLINE - 1); /* deadlines are not lent */
	apply_policy(&t->se);
	change_end(t, &c);
}

void sched_set_affinity(struct thread *t, uint64_t cpus)
{
	struct change c;

	change_begin(t, &c);
	t->affinity = cpus;
	change_end(t, &c);
	/* Running elsewhere it has been told to give way, and moves when it does; we move now. */
	if (t == curthread() && !(cpus & BIT(cpu_id())))
		thread_resched();
}

nsec_t sched_rr_interval(const struct thread *t)
{
	if (t->se.policy == SCHED_RR)
		return (nsec_t)sched_rr_quantum();
	return t->se.set_prio ? 0 : FAIR_SLICE;
}

#ifdef KEVLAR_DEBUG
static bool thread_held(struct lockdep_held *out)
{
	struct thread *t = curthread();

	if (!t)
		return false;
	*out = (struct lockdep_held){
		.n = &t->nheld, .lock = t->held, .rank = t->held_rank, .max = 16
	};
	return true;
}
#endif

static const char *current_name(void)
{
	struct thread *t = curthread();

	return t ? t->name : "boot";
}

static void init_idle(struct thread *t, unsigned cpu)
{
	t->cpu = cpu;
	t->se.class = SCHED_CLASS_IDLE;
	t->se.exec_start = clock_mono();
	list_init(&t->se.rt_node);
	(void)strscpy(t->name, "idle", sizeof(t->name));
	runq_init(cpu, t);
	timer_init_cpu(cpu);
	ipi_init_cpu(cpu);
}

static void *fpu_alloc(void)
{
	return slab_alloc(fpu_cache);
}

static void fpu_free(void *p)
{
	slab_free(fpu_cache, p);
}

static void set_hooks(void)
{
	panic_thread_name = current_name;
	ktrace_tid_offset = offsetof(struct thread, tid);
	kva_shootdown = ipi_flush_kernel;
	arch_fpu_set_alloc(fpu_alloc, fpu_free);
	arch_io_set_alloc(kmalloc, kfree);
#ifdef KEVLAR_DEBUG
	lockdep_thread_held = thread_held;
	thread_failure_init();
#endif
}

void sched_init(void)
{
	size_t fpu = ALIGN_UP(arch_fpu_size(), 64ul);

	kthread_cache = slab_cache_create("kthread", sizeof(struct kthread), 64, NULL);
	fpu_cache = slab_cache_create("fpu", fpu, 64, NULL);
	init_common(&boot_thread);
	init_idle(&boot_thread, 0);
	atomic_store_explicit(&boot_thread.on_cpu, 1, memory_order_relaxed);
	set_hooks();
	arch_curthread_set(&boot_thread);
	atomic_fetch_or(&cpus_online, BIT(0));
	epochs_init();
}

struct thread *sched_create_idle(unsigned cpu)
{
	struct thread *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	init_common(t);
	if (!(t->kstack = kstack_alloc())) {
		kfree(t);
		return NULL;
	}
	init_idle(t, cpu);
	atomic_store_explicit(&t->on_cpu, 1, memory_order_relaxed);
	return t;
}

void sched_init_cpu(unsigned cpu)
{
	struct runq *rq = &of_cpu(runqs, cpu);

	pmm_init_cpu();
	arch_curthread_set(rq->idle);
	rq->idle->se.exec_start = clock_mono();
	atomic_fetch_or(&sched_idle_cpus, BIT(cpu));
	atomic_fetch_or(&cpus_online, BIT(cpu));
}
