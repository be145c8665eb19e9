#include "proc/clocks.h"

/*
 * Interval timers (setitimer(2)) and limits on CPU time. ITIMER_REAL is a kernel timer per process,
 * which sends its signal and re-arms itself. The others count CPU time, which is looked at in the
 * tick, and only of processes that have something to be looked at (cpu_timers).
 *
 * real_expires, under the siglock, is the truth about ITIMER_REAL: a callback that was overtaken by
 * setitimer finds another time there, or none, and does nothing.
 */

#include "abi/time.h"
#include "abi/sched.h"
#include "core/clock.h"
#include "lib/checked.h"
#include "proc/proc_priv.h"

/* A shorter period would leave the CPU to the timer alone. */
#define MIN_PERIOD (50 * NSEC_PER_USEC)

static void real_fired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, real_timer);
	nsec_t now = clock_mono();
	struct siglock l = siglock(p);

	if (p->real_expires != 0 && now >= p->real_expires) {
		if (p->real_interval != 0) {
			nsec_t period = MAX(p->real_interval, MIN_PERIOD);

			p->real_expires = nsec_add_periods(
				p->real_expires, (now - p->real_expires) / period + 1, period);
			timer_arm(&p->real_timer, p->real_expires);
		} else {
			p->real_expires = 0;
		}
		(void)signal_queue_locked(p, NULL, SIGALRM, NULL, NULL);
	}
	sigunlock(l);
}

void itimer_init(struct process *p)
{
	timer_init(&p->real_timer, real_fired);
}

/* What ran since the last look is taken off the counting timers. Under the siglock. */
static void charge(struct process *p, nsec_t *utime, nsec_t *all)
{
	nsec_t u, s, du, dall;

	process_times_locked(p, &u, &s);
	du = u - p->cpu_utime;
	dall = du + s - p->cpu_stime;
	p->cpu_utime = u;
	p->cpu_stime = s;
	if (p->virt_left)
		p->virt_left = MAX(p->virt_left - du, 1l);
	if (p->prof_left)
		p->prof_left = MAX(p->prof_left - dall, 1l);
	*utime = u;
	*all = u + s;
}

/* --- setitimer --- */

static void real_get(struct process *p, struct itimer_value *out)
{
	nsec_t now = clock_mono();

	out->interval = p->real_interval;
	out->value = p->real_expires == 0 ? 0 : MAX(p->real_expires - now, NSEC_PER_USEC);
}

static void cpu_get(struct process *p, int which, struct itimer_value *out)
{
	nsec_t u, all;

	charge(p, &u, &all);
	out->value = which == ITIMER_VIRTUAL ? p->virt_left : p->prof_left;
	out->interval = which == ITIMER_VIRTUAL ? p->virt_interval : p->prof_interval;
}

static void get_locked(struct process *p, int which, struct itimer_value *out)
{
	if (which == ITIMER_REAL)
		real_get(p, out);
	else
		cpu_get(p, which, out);
}

static void set_locked(struct process *p, int which, const struct itimer_value *v)
{
	nsec_t now = clock_mono();

	switch (which) {
	case ITIMER_REAL:
		p->real_interval = v->interval;
		p->real_expires = v->value == 0 ? 0 : nsec_add(now, v->value);
		if (p->real_expires != 0)
			timer_arm(&p->real_timer, p->real_expires);
		break;
	case ITIMER_VIRTUAL:
		p->virt_left = v->value;
		p->virt_interval = v->interval;
		break;
	default:
		p->prof_left = v->value;
		p->prof_interval = v->interval;
		break;
	}
	if (which != ITIMER_REAL && v->value != 0)
		atomic_store_explicit(&p->cpu_timers, true, memory_order_relaxed);
}

void itimer_get(int which, struct itimer_value *out)
{
	struct process *p = curproc();
	struct siglock l = siglock(p);

	get_locked(p, which, out);
	sigunlock(l);
}

void itimer_set(int which, const struct itimer_value *v, struct itimer_value *old)
{
	struct process *p = curproc();
	struct siglock l = siglock(p);

	get_locked(p, which, old);
	set_locked(p, which, v);
	sigunlock(l);
	if (which == ITIMER_REAL && v->value == 0)
		timer_try_cancel(&p->real_timer);
}

void itimer_cancel_all(struct process *p)
{
	struct siglock l = siglock(p);

	p->real_expires = 0;
	sigunlock(l);
	timer_cancel(&p->real_timer);
	atomic_store_explicit(&p->cpu_timers, false, memory_order_relaxed);
}

/* --- the tick --- */

static void expire(struct process *p, nsec_t *left, nsec_t interval, int sig)
{
	if (*left == 0 || *left > 1)
		return;
	*left = interval;
	(void)signal_queue_locked(p, NULL, sig, NULL, NULL);
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
static bool check_limit(struct process *p, nsec_t all)
{
	uint64_t soft = p->rlim[RLIMIT_CPU].rlim_cur, hard = p->rlim[RLIMIT_CPU].rlim_max;
	uint64_t sec = (uint64_t)(all / NSEC_PER_SEC);

	if (soft == RLIM_INFINITY && hard == RLIM_INFINITY)
		return false;
	if (sec >= hard) {
		(void)signal_queue_locked(p, NULL, SIGKILL, NULL, NULL);
	} else if (sec >= soft && all >= p->cpu_limit_next) {
		p->cpu_limit_next = (nsec_t)(sec + 1) * NSEC_PER_SEC;
		(void)signal_queue_locked(p, NULL, SIGXCPU, NULL, NULL);
	}
	return true;
}

/*
 * RLIMIT_RTTIME: CPU time that a real-time thread may have without sleeping, us; SIGXCPU beyond the
 * soft limit and each second after it, SIGKILL beyond the hard one. That it slept between two ticks
 * shows in its count of voluntary switches.
 */
static bool check_rttime(struct process *p, struct thread *t)
{
	uint64_t soft = p->rlim[RLIMIT_RTTIME].rlim_cur, hard = p->rlim[RLIMIT_RTTIME].rlim_max;
	struct task *task = t->task;
	uint64_t us;

	if (soft == RLIM_INFINITY && hard == RLIM_INFINITY)
		return false;
	if (t->se.class != SCHED_CLASS_RT || t->se.policy == SCHED_DEADLINE ||
	    task->rt_nvcsw != t->nvcsw) {
		task->rt_nvcsw = t->nvcsw;
		task->rt_since = t->runtime;
		return true;
	}
	us = (uint64_t)((t->runtime - task->rt_since) / NSEC_PER_USEC);
	if (us > hard) {
		(void)signal_queue_locked(p, NULL, SIGKILL, NULL, NULL);
	} else if (us > soft) {
		p->rlim[RLIMIT_RTTIME].rlim_cur = soft + 1000000; /* as Linux shows it */
		(void)signal_queue_locked(p, NULL, SIGXCPU, NULL, NULL);
	}
	return true;
}

void cputimer_tick(struct thread *t)
{
	struct process *p = t->task->process;
	struct siglock l;
	nsec_t u, all;
	bool more;

	if (LIKELY(!atomic_load_explicit(&p->cpu_timers, memory_order_relaxed)))
		return;
	l = siglock(p);
	charge(p, &u, &all);
	expire(p, &p->virt_left, p->virt_interval, SIGVTALRM);
	expire(p, &p->prof_left, p->prof_interval, SIGPROF);
	more = check_limit(p, all);
	more |= check_rttime(p, t);
	more |= ptimer_check_cpu(p);
	if (!more && p->virt_left == 0 && p->prof_left == 0)
		atomic_store_explicit(&p->cpu_timers, false, memory_order_relaxed);
	sigunlock(l);
}
