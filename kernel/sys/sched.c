/*
 * sched(7): policies, priorities, affinity, nice values, getcpu(2).
 *
 * Who may change whom: the owner of the task (effective user id is its real or effective one),
 * within RLIMIT_RTPRIO and RLIMIT_NICE, or CAP_SYS_NICE. A request is gathered in `struct
 * abi_sched_attr`, whichever call it came by, then checked, then carried out.
 */

#include "abi/sched.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "proc/futex.h"
#include "proc/task.h"
#include "sched/deadline.h"
#include "sched/rt.h"
#include "sched/sched.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { RT_PRIO_MIN = 1, RT_PRIO_MAX = 99, NICE_MIN = -20, NICE_MAX = 19 };
#define DEADLINE_PERIOD_MIN (100 * NSEC_PER_USEC)
#define DEADLINE_PERIOD_MAX (4194304 * NSEC_PER_USEC)

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* As user space has it: SCHED_DEADLINE, above all priorities, has none. */
static uint32_t priority_of(const struct sched_entity *se)
{
	return se->set_prio == RT_DEADLINE ? 0 : se->set_prio;
}

static bool is_fair(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

/* The task of `pid`, 0 being the running one, counted. */
static int lookup(int32_t pid, struct task **out)
{
	struct task *t;

	if (pid < 0)
		return -EINVAL;
	t = pid ? task_lookup((uint32_t)pid) : curtask();
	if (!t)
		return -ESRCH;
	if (!pid)
		task_get(t);
	*out = t;
	return 0;
}

/* For the affinity calls, to which a negative number is just one that nobody bears. */
static int lookup_any(int32_t pid, struct task **out)
{
	return pid < 0 ? -ESRCH : lookup(pid, out);
}

static bool owns(struct task *t)
{
	const struct cred *me = current_cred(), *c = task_get_cred(t);
	bool same = c && (me->euid == c->euid || me->euid == c->uid);

	if (c)
		cred_put(c);
	return same;
}

/* RLIMIT_NICE holds 20 - nice: 1 … 40. */
static bool may_lower_nice(struct task *t, int nice)
{
	return (uint64_t)(20 - nice) <= process_rlimit(t->process, RLIMIT_NICE) ||
	       capable(CAP_SYS_NICE);
}

static int check_permission(struct task *t, const struct abi_sched_attr *a, bool reset)
{
	const struct sched_entity *se = &t->thread.se;
	int policy = (int)a->sched_policy;

	if (capable(CAP_SYS_NICE))
		return 0;
	if (is_fair(policy) && a->sched_nice < se->nice && !may_lower_nice(t, a->sched_nice))
		return -EPERM;
	if (is_rt(policy)) {
		uint64_t limit = process_rlimit(t->process, RLIMIT_RTPRIO);

		if (policy != se->policy && limit == 0)
			return -EPERM;
		if (a->sched_priority > priority_of(se) && a->sched_priority > limit)
			return -EPERM;
	}
	/* Leaving SCHED_IDLE is like lowering the nice value to what it is. */
	if (se->policy == SCHED_IDLE && policy != SCHED_IDLE && !may_lower_nice(t, se->nice))
		return -EPERM;
	if (!owns(t) || (se->reset_on_fork && !reset))
		return -EPERM;
	return 0;
}

/* sched(7): runtime <= deadline <= period (0: the deadline), and no less than 1024 ns. */
static int set_deadline(struct task *t, const struct abi_sched_attr *a, bool reset)
{
	uint64_t period = a->sched_period ? a->sched_period : a->sched_deadline;

	if (a->sched_priority || a->sched_runtime < DEADLINE_RUNTIME_MIN ||
	    a->sched_runtime > a->sched_deadline || a->sched_deadline > period ||
	    period < DEADLINE_PERIOD_MIN || period > DEADLINE_PERIOD_MAX)
		return -EINVAL;
	if (!capable(CAP_SYS_NICE))
		return -EPERM;
	return sched_set_deadline(&t->thread, a->sched_runtime, a->sched_deadline, period,
				  a->sched_flags & (SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN),
				  reset);
}

static int set_attr(struct task *t, const struct abi_sched_attr *a)
{
	int policy = (int)a->sched_policy, err;
	bool reset = a->sched_flags & SCHED_FLAG_RESET_ON_FORK;

	if (policy == SCHED_DEADLINE) {
		if ((err = set_deadline(t, a, reset)) == 0)
			futex_pi_prio_changed(t);
		return err;
	}
	if (!is_rt(policy) && !is_fair(policy))
		return -EINVAL;
	if (a->sched_priority > RT_PRIO_MAX || is_rt(policy) != (a->sched_priority != 0))
		return -EINVAL;
	if ((err = check_permission(t, a, reset)))
		return err;
	sched_set_policy(&t->thread, policy, (int)a->sched_priority, a->sched_nice, reset);
	futex_pi_prio_changed(t);
	return 0;
}

/* What the task has now, as the beginning of a change. */
static void get_attr(const struct task *t, struct abi_sched_attr *a)
{
	const struct sched_entity *se = &t->thread.se;

	memset(a, 0, sizeof(*a));
	a->size = sizeof(*a);
	a->sched_policy = se->policy;
	a->sched_flags = se->reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	a->sched_nice = se->nice;
	a->sched_priority = priority_of(se);
	if (se->policy != SCHED_DEADLINE)
		return;
	a->sched_flags |= se->dl.flags;
	a->sched_runtime = se->dl.runtime;
	a->sched_deadline = se->dl.deadline;
	a->sched_period = se->dl.period;
}

/* policy < 0: as it is. */
static int64_t set_scheduler(int32_t pid, int32_t policy, uaddr_t param)
{
	struct abi_sched_param p;
	struct abi_sched_attr a;
	struct task *t;
	int err;

	if (uaddr_is_null(param) || pid < 0)
		return -EINVAL;
	if (copy_from_user(&p, param, sizeof(p)))
		return -EFAULT;
	if ((err = lookup(pid, &t)))
		return err;
	get_attr(t, &a);
	a.sched_runtime = 0; /* these calls have none to give */
	if (policy >= 0) {
		a.sched_policy = (uint32_t)policy & ~(uint32_t)SCHED_RESET_ON_FORK;
		a.sched_flags = policy & SCHED_RESET_ON_FORK ? SCHED_FLAG_RESET_ON_FORK : 0;
	}
	a.sched_priority = (uint32_t)p.sched_priority;
	err = set_attr(t, &a);
	task_put(t);
	return err;
}

int64_t sys_sched_setparam(int32_t pid, uaddr_t param)
{
	return set_scheduler(pid, -1, param);
}

int64_t sys_sched_setscheduler(int32_t pid, int32_t policy, uaddr_t param)
{
	return policy < 0 ? -EINVAL : set_scheduler(pid, policy, param);
}

int64_t sys_sched_getparam(int32_t pid, uaddr_t param)
{
	struct abi_sched_param p;
	struct task *t;
	int err;

	if (uaddr_is_null(param))
		return -EINVAL;
	if ((err = lookup(pid, &t)))
		return err;
	p.sched_priority = (int32_t)priority_of(&t->thread.se);
	task_put(t);
	return copy_to_user(param, &p, sizeof(p));
}

int64_t sys_sched_getscheduler(int32_t pid)
{
	struct task *t;
	int64_t r;
	int err;

	if ((err = lookup(pid, &t)))
		return err;
	r = t->thread.se.policy | (t->thread.se.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	task_put(t);
	return r;
}

/* Reads the caller's structure of whatever size; tells him ours when his is of no use. */
static int read_attr(uaddr_t attr, struct abi_sched_attr *a)
{
	uint32_t size;
	int err;

	if (get_user_u32(&size, attr))
		return -EFAULT;
	if (size == 0)
		size = SCHED_ATTR_SIZE_VER0;
	memset(a, 0, sizeof(*a));
	err = size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE
		      ? -E2BIG
		      : copy_struct_from_user(a, sizeof(*a), attr, size);
	if (err == -E2BIG && put_user_u32(attr, sizeof(*a)))
		return -EFAULT;
	return err;
}

int64_t sys_sched_setattr(int32_t pid, uaddr_t attr, uint32_t flags)
{
	const uint64_t known = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM |
			       SCHED_FLAG_DL_OVERRUN | SCHED_FLAG_KEEP_POLICY |
			       SCHED_FLAG_KEEP_PARAMS | SCHED_FLAG_UTIL_CLAMP_MIN |
			       SCHED_FLAG_UTIL_CLAMP_MAX;
	struct abi_sched_attr a, now;
	struct task *t;
	int err;

	if (uaddr_is_null(attr) || pid < 0 || flags)
		return -EINVAL;
	if ((err = read_attr(attr, &a)))
		return err;
	if ((int32_t)a.sched_policy < 0 || a.sched_flags & ~known)
		return -EINVAL;
	if (a.sched_flags & (SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX))
		return -EOPNOTSUPP;
	if ((err = lookup(pid, &t)))
		return err;
	get_attr(t, &now);
	if (a.sched_flags & SCHED_FLAG_KEEP_POLICY)
		a.sched_policy = now.sched_policy;
	if (a.sched_flags & SCHED_FLAG_KEEP_PARAMS) {
		a.sched_priority = now.sched_priority;
		a.sched_nice = now.sched_nice;
		a.sched_runtime = now.sched_runtime;
		a.sched_deadline = now.sched_deadline;
		a.sched_period = now.sched_period;
	}
	/* The nice value of a real-time thread waits for its return to a fair policy. */
	a.sched_nice = !is_fair((int)a.sched_policy) ? now.sched_nice
						     : MIN(MAX(a.sched_nice, NICE_MIN), NICE_MAX);
	err = set_attr(t, &a);
	task_put(t);
	return err;
}

int64_t sys_sched_getattr(int32_t pid, uaddr_t attr, uint32_t size, uint32_t flags)
{
	struct abi_sched_attr a;
	struct task *t;
	int err;

	if (uaddr_is_null(attr) || size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	if ((err = lookup(pid, &t)))
		return err;
	get_attr(t, &a);
	task_put(t);
	if (!is_fair((int)a.sched_policy))
		a.sched_nice = 0;
	a.size = MIN(size, (uint32_t)sizeof(a));
	return copy_to_user(attr, &a, a.size);
}

int64_t sys_sched_setaffinity(int32_t pid, uint64_t cpusetsize, uaddr_t mask)
{
	uint64_t cpus = 0;
	struct task *t;
	int err;

	/* More than 64 CPUs there are not; a shorter set leaves the rest out. */
	if (copy_from_user(&cpus, mask, MIN(cpusetsize, sizeof(cpus))))
		return -EFAULT;
	if ((err = lookup_any(pid, &t)))
		return err;
	cpus &= atomic_load_explicit(&cpus_online, memory_order_relaxed);
	if (!owns(t) && !capable(CAP_SYS_NICE))
		err = -EPERM;
	else if (!cpus)
		err = -EINVAL;
	else if (t->thread.se.policy == SCHED_DEADLINE &&
		 cpus != atomic_load_explicit(&cpus_online, memory_order_relaxed))
		err = -EBUSY; /* it has its bandwidth on all of them */
	else
		sched_set_affinity(&t->thread, cpus);
	task_put(t);
	return err;
}

int64_t sys_sched_getaffinity(int32_t pid, uint64_t cpusetsize, uaddr_t mask)
{
	uint64_t cpus;
	struct task *t;
	int err;

	if (cpusetsize * 8 < ncpus || cpusetsize % sizeof(cpus))
		return -EINVAL;
	if ((err = lookup_any(pid, &t)))
		return err;
	cpus = t->thread.affinity & atomic_load_explicit(&cpus_online, memory_order_relaxed);
	task_put(t);
	return copy_to_user(mask, &cpus, sizeof(cpus)) ? -EFAULT : (int64_t)sizeof(cpus);
}

int64_t sys_sched_yield(void)
{
	if (UNLIKELY(curthread()->se.policy == SCHED_DEADLINE))
		sched_deadline_yield();
	else
		thread_yield();
	return 0;
}

int64_t sys_sched_rr_get_interval(int32_t pid, uaddr_t tp)
{
	struct task *t;
	nsec_t ns;
	int err;

	if ((err = lookup(pid, &t)))
		return err;
	ns = sched_rr_interval(&t->thread);
	task_put(t);
	return put_user_timespec(tp, ns);
}

static int64_t priority_bound(int32_t policy, int rt)
{
	if (is_rt(policy))
		return rt;
	return is_fair(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

int64_t sys_sched_get_priority_max(int32_t policy)
{
	return priority_bound(policy, RT_PRIO_MAX);
}

int64_t sys_sched_get_priority_min(int32_t policy)
{
	return priority_bound(policy, RT_PRIO_MIN);
}

int64_t sys_getcpu(uaddr_t cpu, uaddr_t node, uint64_t unused)
{
	(void)unused;
	if (!uaddr_is_null(cpu) && put_user_u32(cpu, cpu_id()))
		return -EFAULT;
	if (!uaddr_is_null(node) && put_user_u32(node, 0))
		return -EFAULT;
	return 0;
}

/* getpriority(2), setpriority(2), ioprio_get(2) and ioprio_set(2): one task after the other, the
 * results joined. */
struct prio_walk {
	int (*fn)(struct task *t, int value, int result);
	int value;  /* to set */
	int result; /* starts as -ESRCH: nobody was met */
};

static int get_one(struct task *t, int nice, int result)
{
	(void)nice;
	return MAX(result, 20 - t->thread.se.nice);
}

static int set_one(struct task *t, int nice, int result)
{
	if (!owns(t) && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (nice < t->thread.se.nice && !may_lower_nice(t, nice))
		return -EACCES;
	sched_set_nice(&t->thread, nice);
	return result == -ESRCH ? 0 : result;
}

static uint32_t group_of(struct process *p)
{
	uint32_t nr;

	spin_lock(&proctree_lock);
	nr = p->group ? p->group->nr : 0;
	spin_unlock(&proctree_lock);
	return nr;
}

static bool has_uid(struct task *t, uint32_t uid)
{
	const struct cred *c = task_get_cred(t);
	bool same = c && c->uid == uid;

	if (c)
		cred_put(c);
	return same;
}

static void walk_process(struct prio_walk *w, struct process *p, bool by_uid, uint32_t uid)
{
	uint32_t tid = 1;
	struct task *t;

	for (; (t = process_next_task(p, &tid)); tid++) {
		if (!by_uid || has_uid(t, uid))
			w->result = w->fn(t, w->value, w->result);
		task_put(t);
	}
}

static void walk_all(struct prio_walk *w, bool by_uid, uint32_t who)
{
	uint32_t nr = 1;
	struct process *p;

	for (; (p = process_next(&nr)); nr++) {
		if (by_uid || group_of(p) == who)
			walk_process(w, p, by_uid, who);
		process_put(p);
	}
}

static int64_t walk(struct prio_walk *w, int32_t which, int32_t who)
{
	struct task *t;
	int err;

	switch (which) {
	case PRIO_PROCESS:
		if (who < 0 || (err = lookup(who, &t)))
			return -ESRCH;
		w->result = w->fn(t, w->value, w->result);
		task_put(t);
		break;
	case PRIO_PGRP:
		walk_all(w, false, who ? (uint32_t)who : group_of(curproc()));
		break;
	case PRIO_USER:
		walk_all(w, true, who ? (uint32_t)who : current_cred()->uid);
		break;
	default:
		return -EINVAL;
	}
	return w->result;
}

int64_t sys_getpriority(int32_t which, int32_t who)
{
	struct prio_walk w = { .fn = get_one, .result = -ESRCH };

	return walk(&w, which, who);
}

int64_t sys_setpriority(int32_t which, int32_t who, int32_t prio)
{
	struct prio_walk w = { .fn = set_one, .result = -ESRCH };

	w.value = MIN(MAX(prio, NICE_MIN), NICE_MAX);
	return walk(&w, which, who);
}

/* --- priorities of disk requests: kept and told; there is no queue that looks at them --- */

static bool ioprio_is_valid(int prio)
{
	int data = prio & (int)IOPRIO_DATA_MASK;

	switch (prio >> IOPRIO_CLASS_SHIFT) {
	case IOPRIO_CLASS_NONE:
		return data == 0;
	case IOPRIO_CLASS_RT:
	case IOPRIO_CLASS_BE:
		return data < IOPRIO_NR_LEVELS;
	default:
		return prio >> IOPRIO_CLASS_SHIFT == IOPRIO_CLASS_IDLE;
	}
}

static int ioprio_set_one(struct task *t, int prio, int result)
{
	if (!owns(t) && !capable(CAP_SYS_NICE))
		return -EPERM;
	atomic_store_explicit(&t->ioprio, (uint16_t)prio, memory_order_relaxed);
	return result == -ESRCH ? 0 : result;
}

static int ioprio_get_one(struct task *t, int unused, int result)
{
	(void)unused, (void)result;
	return atomic_load_explicit(&t->ioprio, memory_order_relaxed);
}

/* What a task without a priority of its own has: the class of its policy, the level of its nice. */
static int ioprio_effective(struct task *t)
{
	int own = atomic_load_explicit(&t->ioprio, memory_order_relaxed), class;

	if (own >> IOPRIO_CLASS_SHIFT != IOPRIO_CLASS_NONE)
		return own;
	class = t->thread.se.policy == SCHED_IDLE ? IOPRIO_CLASS_IDLE
		: is_rt(t->thread.se.policy)      ? IOPRIO_CLASS_RT
						  : IOPRIO_CLASS_BE;
	return class << IOPRIO_CLASS_SHIFT | (t->thread.se.nice + 20) / 5;
}

static int ioprio_best(struct task *t, int unused, int result)
{
	int prio = ioprio_effective(t);

	(void)unused;
	return result == -ESRCH ? prio : MIN(result, prio);
}

static int64_t ioprio_walk(struct prio_walk *w, int32_t which, int32_t who)
{
	w->result = -ESRCH;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	return walk(w, which - IOPRIO_WHO_PROCESS + PRIO_PROCESS, who);
}

int64_t sys_ioprio_get(int32_t which, int32_t who)
{
	bool one = which == IOPRIO_WHO_PROCESS;
	struct prio_walk w = { .fn = one ? ioprio_get_one : ioprio_best };

	return ioprio_walk(&w, which, who);
}

int64_t sys_ioprio_set(int32_t which, int32_t who, int32_t ioprio)
{
	struct prio_walk w = { .fn = ioprio_set_one, .value = ioprio };

	if (ioprio < 0 || !ioprio_is_valid(ioprio))
		return -EINVAL;
	if (ioprio >> IOPRIO_CLASS_SHIFT == IOPRIO_CLASS_RT && !capable(CAP_SYS_ADMIN) &&
	    !capable(CAP_SYS_NICE))
		return -EPERM;
	return ioprio_walk(&w, which, who);
}
