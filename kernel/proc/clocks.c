#include "proc/clocks.h"

/*
 * Clocks by number. CLOCK_BOOTTIME is CLOCK_MONOTONIC, since the machine never suspends;
 * CLOCK_MONOTONIC_RAW too, as adjtimex(2) slews
 * CLOCK_REALTIME alone. Negative numbers are CPU-time clocks of a process
 * or thread (clock_getcpuclockid(3)).
 *
 * Sleepers on CLOCK_REALTIME stand in a queue that a step of the clock wakes, so that they compute
 * their deadline anew. Sleeping on a CPU-time clock looks again after the time that all threads
 * would need to use it up.
 *
 * Source: clock_getres(2), clock_nanosleep(2), time_namespaces(7) for CLOCK_BOOTTIME.
 */

#include "abi/errno.h"
#include "abi/time.h"
#include "core/clock.h"
#include "lib/checked.h"
#include "proc/proc_priv.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vfs/eventfd.h"
#include "vm/vmspace.h"

static struct waitq realtime_sleepers = WAITQ(realtime_sleepers);

/* --- CPU time --- */

static nsec_t runtime_locked(struct process *p)
{
	nsec_t ns = p->utime + p->stime;
	struct task *t;

	for_each_task (t, p)
		if (!t->dead)
			ns += sched_runtime(&t->thread);
	return ns;
}

nsec_t process_runtime(struct process *p)
{
	struct siglock l = siglock(p);
	nsec_t ns = runtime_locked(p);

	sigunlock(l);
	return ns;
}

/* One of the three kinds of CPU time. */
static nsec_t pick_kind(int kind, nsec_t utime, nsec_t stime, nsec_t all)
{
	return kind == CPUCLOCK_PROF ? utime + stime : kind == CPUCLOCK_VIRT ? utime : all;
}

static int read_process(uint32_t pid, int kind, nsec_t *out)
{
	struct process *p = pid ? process_lookup(pid) : curproc();
	nsec_t u, s;

	if (p == NULL)
		return -EINVAL;
	process_times(p, &u, &s);
	*out = pick_kind(kind, u, s, process_runtime(p));
	if (pid)
		process_put(p);
	return 0;
}

/* Threads can be asked only by their own process. */
static int read_thread(uint32_t tid, int kind, nsec_t *out)
{
	struct task *t = tid ? task_lookup(tid) : curtask();
	nsec_t u, s;
	int err = 0;

	if (t == NULL)
		return -EINVAL;
	if (t->process != curproc()) {
		err = -EINVAL;
	} else {
		sched_account(&t->thread, &u, &s);
		*out = pick_kind(kind, u, s, sched_runtime(&t->thread));
	}
	if (tid)
		task_put(t);
	return err;
}

static bool is_cpu_clock(int id)
{
	return id < 0 || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID;
}

/* Whose time a CPU clock's id means; 0: the caller's own. clock_getcpuclockid(3). */
static uint32_t cpuclock_pid(int id)
{
	return ~(uint32_t)id >> 3;
}

static int read_cpu_clock(int id, nsec_t *out)
{
	if (id == CLOCK_PROCESS_CPUTIME_ID)
		return read_process(0, CPUCLOCK_SCHED, out);
	if (id == CLOCK_THREAD_CPUTIME_ID)
		return read_thread(0, CPUCLOCK_SCHED, out);
	if ((id & CPUCLOCK_CLOCK_MASK) == CLOCKFD)
		return -EINVAL;
	if (id & CPUCLOCK_PERTHREAD_MASK)
		return read_thread(cpuclock_pid(id), id & CPUCLOCK_CLOCK_MASK, out);
	return read_process(cpuclock_pid(id), id & CPUCLOCK_CLOCK_MASK, out);
}

/* --- all clocks --- */

int clock_read(int id, nsec_t *out)
{
	if (is_cpu_clock(id))
		return read_cpu_clock(id, out);
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		*out = clock_real();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*out = clock_mono();
		return 0;
	case CLOCK_REALTIME_COARSE:
		*out = clock_coarse() + clock_real_offset();
		return 0;
	case CLOCK_MONOTONIC_COARSE:
		*out = clock_coarse();
		return 0;
	case CLOCK_TAI:
		*out = clock_tai();
		return 0;
	default:
		return -EINVAL;
	}
}

int clock_resolution(int id, nsec_t *out)
{
	nsec_t unused;
	int err = clock_read(id, &unused);

	if (err == 0)
		*out = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE
			       ? 4 * NSEC_PER_MSEC
			       : 1;
	return err;
}

int clock_set(int id, nsec_t t)
{
	nsec_t unused;

	if (id < 0 && clock_read(id, &unused) == 0)
		return -EPERM;
	if (id != CLOCK_REALTIME || t >= CLOCK_LATEST)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	/* CLOCK_MONOTONIC must not reach before 1970. */
	if (t < clock_mono())
		return -EINVAL;
	clock_set_real(t);
	timex_clear();
	return 0;
}

/* --- sleeping --- */

static int sleep_stepping(int id, nsec_t target)
{
	struct waiter w;
	nsec_t now;
	int err = 0;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&realtime_sleepers, &w, THREAD_SLEEP_INTR);
		if ((err = clock_read(id, &now)) || now >= target)
			break;
		err = wait_sleep(nsec_add(clock_mono(), target - now));
		if (err && err != -ETIMEDOUT)
			break;
	}
	wait_finish(&realtime_sleepers, &w);
	return err == -ETIMEDOUT ? 0 : err;
}

static int sleep_mono(nsec_t target)
{
	int err;

	while ((err = thread_sleep_until(target, THREAD_SLEEP_INTR)) == 0)
		; /* woken for nothing */
	return err == -ETIMEDOUT ? 0 : err;
}

static int sleep_cpu(int id, nsec_t target)
{
	nsec_t now;
	int err;

	while ((err = read_cpu_clock(id, &now)) == 0 && now < target) {
		nsec_t wait = (target - now) / (nsec_t)MAX(1u, curproc()->ntasks);

		err = thread_sleep_until(nsec_add(clock_mono(), MAX(wait, NSEC_PER_MSEC)),
					 THREAD_SLEEP_INTR);
		if (err && err != -ETIMEDOUT)
			return err;
	}
	return err;
}

int clock_may_sleep(int id)
{
	nsec_t unused;

	switch (id) {
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		/* A thread that waits for its own time waits forever. */
		if (id < 0 && id & CPUCLOCK_PERTHREAD_MASK &&
		    (cpuclock_pid(id) == 0 || cpuclock_pid(id) == curtask()->pid->nr))
			return -EINVAL;
		return clock_read(id, &unused);
	}
}

/* The machine never sleeps itself, so nothing need wake it: the alarm clocks are the others by
 * another name, and by privilege. */
static bool is_alarm(int id)
{
	return id == CLOCK_REALTIME_ALARM || id == CLOCK_BOOTTIME_ALARM;
}

int clock_sleep_until(int id, nsec_t target)
{
	int err = clock_may_sleep(id);

	if (err)
		return err;
	if (is_alarm(id) && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	switch (id) {
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return sleep_mono(target);
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		return sleep_stepping(id, target);
	default:
		return sleep_cpu(id, target);
	}
}

/* --- steps of the wall clock --- */

static void was_set(void)
{
	struct process *p;

	waitq_wake_all(&realtime_sleepers, 0);
	timerfd_clock_was_set();
	for (uint32_t nr = 1; (p = process_next(&nr)) != NULL; nr++) {
		ptimer_clock_was_set(p);
		process_put(p);
	}
}

/* --- ticks --- */

void task_account_memory(struct task *t)
{
	struct vmspace *vs = t->thread.vmspace;
	uint64_t ns = (uint64_t)t->thread.runtime - t->mem_mark;

	t->mem_mark += ns;
	if (vs == NULL)
		return;
	t->rss_time += ns * vmspace_rss(vs);
	t->vm_time += ns * vs->total_pages;
}

static void task_tick(struct thread *t)
{
	task_account_memory(t->task);
	cputimer_tick(t);
}

void clocks_init(void)
{
	timex_init();
	clock_was_set = was_set;
	sched_tick_hook = task_tick;
}
