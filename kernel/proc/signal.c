#include "proc/signal.h"

/*
 * Sending. A signal is queued for one task or for a process as a whole; then a task that can take
 * it is chosen and woken. Sending has its effects at once where signal(7) says so: SIGCONT
 * continues whatever becomes of the signal itself, a stop signal and SIGCONT cancel each other, and
 * a signal whose default action ends the process without a core ends all its tasks here, so that
 * SIGKILL depends on nobody's mask, handler or luck.
 *
 * Everything under the siglock of the receiving process. Entries are allocated before it is taken.
 */

#include "abi/errno.h"
#include "abi/epoll.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "proc/coredump.h"
#include "proc/proc_priv.h"
#include "vfs/cred.h"

enum { SET_IGNORED = 0, SET_STOP, SET_DUMP };

static const uint64_t default_set[] = {
	[SET_IGNORED] = SIGMASK(SIGCHLD) | SIGMASK(SIGCONT) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH),
	[SET_STOP] = SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU),
	[SET_DUMP] = SIGMASK(SIGQUIT) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGABRT) |
		     SIGMASK(SIGFPE) | SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGSYS) |
		     SIGMASK(SIGXCPU) | SIGMASK(SIGXFSZ),
};

static const uint64_t jobctl_signals = SIGMASK(SIGCONT) | SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) |
				       SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU);

bool sig_default_ignored(int sig)
{
	return default_set[SET_IGNORED] & SIGMASK(sig);
}

bool sig_default_stops(int sig)
{
	return default_set[SET_STOP] & SIGMASK(sig);
}

bool sig_default_dumps(int sig)
{
	return default_set[SET_DUMP] & SIGMASK(sig);
}

/* --- choosing and waking --- */

void task_zap(struct task *t)
{
	thread_set_work(&t->thread, WORK_KILLED | WORK_SIGNAL);
	thread_wake(&t->thread, BIT(THREAD_STOPPED) | BIT(THREAD_TRACED));
}

void process_kill_all_locked(struct process *p, int wait_status)
{
	struct task *t;

	if (p->flags & PROC_GROUP_EXIT)
		return;
	p->flags |= PROC_GROUP_EXIT;
	jobctl_set_stopped(p, false);
	p->flags &= ~(PROC_STOP_PENDING | PROC_CONT_NOTIFY);
	p->group_exit_code = wait_status;
	p->stop_count = 0;
	for_each_task (t, p) {
		t->jobctl &= JOBCTL_TRACED;
		if (!t->exited)
			task_zap(t);
	}
}

void process_kill_all(struct process *p, int wait_status)
{
	struct siglock l = siglock(p);

	process_kill_all_locked(p, wait_status);
	sigunlock(l);
}

/* May t take sig now? One that already has something to take is no better than another. */
static bool can_take(const struct task *t, int sig)
{
	if (t->exited || (t->blocked & ~t->wait_set & SIGMASK(sig)))
		return false;
	if (sig == SIGKILL)
		return true;
	return !(t->jobctl & (JOBCTL_STOPPED | JOBCTL_TRAPPED));
}

static bool is_idle(const struct task *t)
{
	return !(atomic_load_explicit(&t->thread.work, memory_order_relaxed) & WORK_SIGNAL);
}

static struct task *choose_task(struct process *p, int sig)
{
	struct task *t, *busy = NULL;

	if (p->leader != NULL && can_take(p->leader, sig) && is_idle(p->leader))
		return p->leader;
	for_each_task (t, p) {
		if (!can_take(t, sig))
			continue;
		if (is_idle(t))
			return t;
		busy = t;
	}
	return busy;
}

/* The default action ends the process without a core, and nothing stands in the way. */
static bool ends_process(struct process *p, const struct task *t, const struct sighand *h, int sig)
{
	if (h->action[sig - 1].handler != SIG_DFL || sig_default_ignored(sig) ||
	    sig_default_stops(sig) || sig_default_dumps(sig))
		return false;
	return !(p->flags & PROC_UNKILLABLE) && !(t->wait_set & SIGMASK(sig)) &&
	       !(t->jobctl & JOBCTL_TRACED);
}

static void announce(struct process *p, struct task *t, struct sighand *h, int sig)
{
	if (!waitq_is_empty(&h->signalfd_wait))
		waitq_wake_all(&h->signalfd_wait, EPOLLIN);
	if (t == NULL)
		t = choose_task(p, sig);
	else if (!can_take(t, sig))
		t = NULL;
	if (t == NULL)
		return;
	if (sig == SIGKILL || ends_process(p, t, h, sig))
		process_kill_all_locked(p, sig);
	else
		thread_set_work(&t->thread, WORK_SIGNAL);
}

/* --- queueing --- */

/* Thrown away: ignored, and neither blocked nor waited for (then it stays until that changes), nor
 * for a tracer to hear of. */
static bool is_dropped(struct process *p, const struct task *t, const struct sighand *h, int sig)
{
	uint64_t handler = h->action[sig - 1].handler;

	if ((t->blocked | t->wait_set) & SIGMASK(sig))
		return false;
	if (!((p->flags & PROC_UNKILLABLE) && handler == SIG_DFL) && handler != SIG_IGN &&
	    !(handler == SIG_DFL && sig_default_ignored(sig)))
		return false;
	return !(t->jobctl & JOBCTL_TRACED) || sig == SIGKILL;
}

bool signal_is_ignored(struct task *t, int sig)
{
	struct siglock l = siglock(t->process);
	uint64_t handler = l.sighand->action[sig - 1].handler;

	sigunlock(l);
	return handler == SIG_IGN || (handler == SIG_DFL && sig_default_ignored(sig));
}

static int enqueue(struct sigpending *q, int sig, const struct abi_siginfo *si,
		   struct sigqueue_entry **e)
{
	if (si != NULL && *e != NULL) {
		if (si != &(*e)->info)
			(*e)->info = *si;
		list_add_tail(&q->queue, &(*e)->node);
		*e = NULL;
	} else if (si != NULL && sig >= SIGRTMIN && si->si_code != SI_USER) {
		return -EAGAIN;
	} else {
		q->bare |= SIGMASK(sig);
		if (si != NULL && si->si_code <= 0)
			q->lost |= SIGMASK(sig);
	}
	q->set |= SIGMASK(sig);
	return 0;
}

int signal_queue_locked(struct process *p, struct task *t, int sig, const struct abi_siginfo *si,
			struct sigqueue_entry **e)
{
	struct sighand *h = atomic_load_explicit(&p->sighand, memory_order_relaxed);
	struct sigpending *q = t != NULL ? &t->pending : &p->pending;
	const struct task *judge = t != NULL ? t : p->leader;
	int err = 0;

	if ((p->flags & PROC_GROUP_EXIT) || (t != NULL && t->exited)) {
		if (sig == SIGKILL)
			core_dump_stop(p);
		return 0;
	}
	if (UNLIKELY(SIGMASK(sig) & jobctl_signals))
		jobctl_signal_sent(p, sig);
	if (judge != NULL && is_dropped(p, judge, h, sig))
		goto trace;
	if (sig < SIGRTMIN && sigpending_has(q, sig))
		goto trace;
	err = enqueue(q, sig, si, e);
	if (err == 0)
		announce(p, t, h, sig);
trace:
	ktrace(KT_SIGNAL, signal_send, sig, t != NULL ? t->thread.tid : p->pid->nr,
	       si != NULL ? si->si_code : SI_KERNEL, err, 0, 0);
	return err;
}

int signal_queue(struct process *p, struct task *t, int sig, const struct abi_siginfo *si,
		 struct sigqueue_entry **e)
{
	struct siglock l = siglock(p);
	int err = signal_queue_locked(p, t, sig, si, e);

	sigunlock(l);
	return err;
}

/* Standard signals from the kernel or by kill(2) are sent beyond RLIMIT_SIGPENDING. */
static bool may_exceed_limit(const struct abi_siginfo *si)
{
	return si->si_signo < SIGRTMIN && si->si_code >= 0;
}

static int send(struct process *p, struct task *t, const struct abi_siginfo *si)
{
	struct sigqueue_entry *e = sigqueue_alloc(may_exceed_limit(si));
	int err = signal_queue(p, t, si->si_signo, si, &e);

	sigqueue_free(e);
	return err;
}

int signal_send_process(struct process *p, const struct abi_siginfo *si)
{
	return p->zombie ? 0 : send(p, NULL, si);
}

int signal_send_task(struct task *t, const struct abi_siginfo *si)
{
	return t->exited ? 0 : send(t->process, t, si);
}

void signal_notify_process(struct process *p, int sig)
{
	(void)signal_queue(p, NULL, sig, NULL, NULL);
}

int signal_send_group(struct pid *group, int sig, bool from_kernel)
{
	struct process *p;
	int err = -ESRCH;

	(void)from_kernel; /* neither kind is checked for permission, and both are SI_KERNEL to the
			      receiver */
	spin_lock(&proctree_lock);
	list_for_each (p, &group->group, group_node) {
		err = 0;
		(void)signal_queue(p, NULL, sig, NULL, NULL);
	}
	spin_unlock(&proctree_lock);
	return err;
}

/* --- permission: kill(2) --- */

/* Under an epoch or PROCTREE. */
static int kill_permission(struct process *p, int sig)
{
	const struct cred *me = current_cred(), *it;
	struct task *leader = p->leader;

	if (p == curproc() || capable(CAP_KILL))
		return 0;
	it = leader->thread.cred;
	if (me->euid == it->suid || me->euid == it->uid || me->uid == it->suid ||
	    me->uid == it->uid)
		return 0;
	if (sig == SIGCONT && p->session_pid == curproc()->session_pid)
		return 0;
	return -EPERM;
}

int signal_may_kill(struct process *p, int sig)
{
	int err;

	if (sig < 0 || sig > _NSIG)
		return -EINVAL;
	spin_lock(&proctree_lock);
	err = p->reaped ? -ESRCH : kill_permission(p, sig);
	spin_unlock(&proctree_lock);
	return err;
}

int signal_kill_process(struct process *p, int sig, const struct abi_siginfo *si)
{
	int err = signal_may_kill(p, sig);

	if (err || sig == 0)
		return err;
	return signal_send_process(p, si);
}

/* Every process but 1 and the caller's own, or the members of a group; fn under PROCTREE. */
static void each_target(struct pid *group, void (*fn)(struct process *p, void *ctx), void *ctx)
	HOLDS(&proctree_lock)
{
	struct process *p;
	uint32_t nr = 1;

	if (group != NULL) {
		list_for_each (p, &group->group, group_node)
			fn(p, ctx);
		return;
	}
	while ((nr = pid_next_nr(nr + 1)) != 0) {
		struct pid *pid = pid_find_locked(nr);

		p = pid == NULL ? NULL : atomic_load_explicit(&pid->process, memory_order_relaxed);
		if (p != NULL && p != curproc() && p != init_process)
			fn(p, ctx);
	}
}

struct kill_many {
	int sig, err;
	unsigned targets, permitted;
	const struct abi_siginfo *si;
	struct list entries; /* allocated before the lock */
	unsigned nentries;
};

static void count_target(struct process *p, void *ctx)
{
	(void)p;
	((struct kill_many *)ctx)->targets++;
}

static void kill_target(struct process *p, void *ctx)
{
	struct kill_many *k = ctx;
	struct sigqueue_entry *e = NULL;

	if (kill_permission(p, k->sig))
		return;
	k->permitted++;
	if (k->sig == 0 || p->zombie)
		return;
	if (!list_is_empty(&k->entries)) {
		e = list_first(&k->entries, struct sigqueue_entry, node);
		list_remove(&e->node);
	}
	(void)signal_queue(p, NULL, k->sig, k->si, &e);
	if (e != NULL)
		list_add_head(&k->entries, &e->node);
}

static int grow_entries(struct kill_many *k)
{
	while (k->nentries < k->targets) {
		struct sigqueue_entry *e = sigqueue_alloc(k->sig < SIGRTMIN);

		if (e == NULL)
			return k->sig < SIGRTMIN ? -ENOMEM : -EAGAIN;
		list_add_tail(&k->entries, &e->node);
		k->nentries++;
	}
	return 0;
}

/* Entries are made until there are enough of them under the lock: then all targets are signalled in
 * one go, and none that forks meanwhile gets a child away unseen. */
int signal_kill_many(struct pid *group, int sig, const struct abi_siginfo *si)
{
	struct kill_many k = { .sig = sig, .si = si };
	int err = 0;

	list_init(&k.entries);
	for (;;) {
		spin_lock(&proctree_lock);
		k.targets = 0;
		each_target(group, count_target, &k);
		if (sig == 0 || err || k.targets <= k.nentries)
			break;
		spin_unlock(&proctree_lock);
		err = grow_entries(&k);
		if (err == -EAGAIN)
			goto out;
	}
	each_target(group, kill_target, &k);
	spin_unlock(&proctree_lock);
	/* Those that "everybody" must not reach are no error. */
	err = k.permitted > 0 || (group == NULL && k.targets > 0) ? 0
	      : k.targets > 0                                     ? -EPERM
								  : -ESRCH;
out:
	while (!list_is_empty(&k.entries)) {
		struct sigqueue_entry *e = list_first(&k.entries, struct sigqueue_entry, node);

		list_remove(&e->node);
		sigqueue_free(e);
	}
	return err;
}

/* --- faults --- */

void signal_force_info(const struct abi_siginfo *si)
{
	struct task *t = curtask();
	struct process *p = t->process;
	struct sigqueue_entry *e = sigqueue_alloc(true);
	uint64_t bit = SIGMASK(si->si_signo);
	struct siglock l = siglock(p);
	struct abi_sigaction *act = &l.sighand->action[si->si_signo - 1];

	if ((t->blocked & bit) || act->handler == SIG_IGN) {
		act->handler = SIG_DFL;
		t->blocked &= ~bit;
	}
	if (act->handler == SIG_DFL && !(t->jobctl & JOBCTL_TRACED))
		p->flags &= ~PROC_UNKILLABLE;
	(void)signal_queue_locked(p, t, si->si_signo, si, &e);
	sigunlock(l);
	sigqueue_free(e);
}

void signal_force(int sig, int code, uint64_t addr)
{
	struct abi_siginfo si;

	siginfo_kernel(&si, sig);
	si.si_code = code;
	si.fault.addr = addr;
	signal_force_info(&si);
}
