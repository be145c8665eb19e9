#include "proc/proc_priv.h"

/*
 * The receiving side in system calls: the mask of blocked signals, masks for the time of one call
 * (ppoll, sigsuspend), and taking signals without a handler (sigtimedwait, signalfd).
 *
 * A temporary mask stays installed while its call waits and until a handler has been entered: the
 * mask before it is in saved_mask while WORK_RESTORE_MASK is set, and deliver.c puts it into the
 * handler's frame, or back.
 */

#include "abi/errno.h"
#include "vm/usercopy.h"

void signal_recalc(struct task *t)
{
	if (signal_deliverable(t) || (t->jobctl & JOBCTL_PENDING) ||
	    (t->process->flags & PROC_CONT_NOTIFY))
		thread_set_work(&t->thread, WORK_SIGNAL);
	else if (!(t->process->flags & PROC_GROUP_EXIT))
		thread_clear_work(&t->thread, WORK_SIGNAL);
}

void signal_retarget(struct task *t, uint64_t set)
{
	struct task *o;

	set &= t->process->pending.set;
	if (set == 0)
		return;
	for_each_task (o, t->process)
		if (o != t && !o->exited && (set & ~(o->blocked & ~o->wait_set)))
			thread_set_work(&o->thread, WORK_SIGNAL);
}

void signal_set_blocked(uint64_t mask)
{
	struct task *t = curtask();
	struct siglock l;

	mask &= ~SIG_UNBLOCKABLE;
	if (mask == t->blocked)
		return;
	l = siglock(t->process);
	signal_retarget(t, mask & ~t->blocked);
	t->blocked = mask;
	signal_recalc(t);
	sigunlock(l);
}

void signal_set_temp_mask(uint64_t mask)
{
	struct task *t = curtask();

	t->saved_mask = t->blocked;
	atomic_fetch_or_explicit(&t->thread.work, WORK_RESTORE_MASK, memory_order_relaxed);
	signal_set_blocked(mask);
}

void signal_finish_temp_mask(bool interrupted)
{
	struct task *t = curtask();

	if (!(atomic_load_explicit(&t->thread.work, memory_order_relaxed) & WORK_RESTORE_MASK) ||
	    interrupted)
		return;
	thread_clear_work(&t->thread, WORK_RESTORE_MASK);
	signal_set_blocked(t->saved_mask);
}

int signal_temp_mask_user(uaddr_t mask, uint64_t size)
{
	uint64_t set;
	int err;

	if (uaddr_is_null(mask))
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if ((err = get_user_u64(&set, mask)))
		return err;
	signal_set_temp_mask(set);
	return 0;
}

int signal_dequeue(uint64_t set, struct abi_siginfo *out)
{
	struct task *t = curtask();
	struct siglock l;
	int sig;

	if (!((t->pending.set | t->process->pending.set) & set & ~SIG_UNBLOCKABLE))
		return 0;
	l = siglock(t->process);
	sig = sigpending_take(t, set & ~SIG_UNBLOCKABLE, out);
	signal_recalc(t);
	sigunlock(l);
	return sig;
}

uint64_t signal_pending_set(struct task *t)
{
	struct siglock l = siglock(t->process);
	uint64_t set = t->pending.set | t->process->pending.set;

	sigunlock(l);
	return set;
}

void signal_set_action(int sig, const struct abi_sigaction *new, struct abi_sigaction *old)
{
	struct process *p = curproc();
	struct siglock l = siglock(p);
	struct abi_sigaction *a = &l.sighand->action[sig - 1];
	struct task *t;

	*old = *a;
	if (new != NULL) {
		*a = *new;
		a->mask &= ~SIG_UNBLOCKABLE;
		if (a->handler == SIG_IGN || (a->handler == SIG_DFL && sig_default_ignored(sig))) {
			sigpending_flush(&p->pending, SIGMASK(sig));
			for_each_task (t, p)
				sigpending_flush(&t->pending, SIGMASK(sig));
		}
	}
	sigunlock(l);
}

void signal_summary(struct task *t, uint64_t *own, uint64_t *shared, uint64_t *blocked,
		    uint64_t *ignored, uint64_t *caught)
{
	struct siglock l = siglock(t->process);

	*own = t->pending.set;
	*shared = t->process->pending.set;
	*blocked = t->blocked;
	*ignored = *caught = 0;
	for (int sig = 1; sig <= _NSIG; sig++) {
		uint64_t handler = l.sighand->action[sig - 1].handler;

		if (handler == SIG_IGN)
			*ignored |= SIGMASK(sig);
		else if (handler != SIG_DFL)
			*caught |= SIGMASK(sig);
	}
	sigunlock(l);
}

bool signal_peek(struct task *t, bool shared, uint64_t nth, struct abi_siginfo *out)
{
	struct siglock l = siglock(t->process);
	struct sigpending *q = shared ? &t->process->pending : &t->pending;
	struct sigqueue_entry *e;
	bool found = false;

	list_for_each (e, &q->queue, node) {
		if (nth-- == 0) {
			*out = e->info;
			found = true;
			break;
		}
	}
	sigunlock(l);
	return found;
}

static bool is_mask_saved(const struct task *t)
{
	return atomic_load_explicit(&t->thread.work, memory_order_relaxed) & WORK_RESTORE_MASK;
}

uint64_t signal_mask_of(struct task *t)
{
	return is_mask_saved(t) ? t->saved_mask : t->blocked;
}

void signal_set_mask_of(struct task *t, uint64_t mask)
{
	struct siglock l = siglock(t->process);

	t->blocked = mask & ~SIG_UNBLOCKABLE;
	thread_clear_work(&t->thread, WORK_RESTORE_MASK);
	sigunlock(l);
}

/* Sleeps until one of `set` is there. 0, -EAGAIN after the deadline, -EINTR. */
static int wait_for_set(struct task *t, uint64_t set, nsec_t deadline)
{
	struct siglock l = siglock(t->process);
	int err;

	t->wait_set = set;
	signal_recalc(t);
	sigunlock(l);
	err = thread_sleep_until(deadline, THREAD_SLEEP_INTR);
	l = siglock(t->process);
	t->wait_set = 0;
	sigunlock(l);
	return err == -ETIMEDOUT ? -EAGAIN : err == 0 ? 0 : -EINTR;
}

int signal_wait(uint64_t set, nsec_t deadline, struct abi_siginfo *out)
{
	struct task *t = curtask();
	int sig, err = 0;

	set &= ~SIG_UNBLOCKABLE;
	for (;;) {
		struct siglock l = siglock(t->process);

		sig = sigpending_take(t, set, out);
		signal_recalc(t);
		sigunlock(l);
		if (sig != 0 || err != 0)
			return sig != 0 ? sig : err;
		err = wait_for_set(t, set, deadline);
	}
}

void restart_block_set(int64_t (*fn)(struct restart_block *), const uint64_t *arg, unsigned n)
{
	struct restart_block *r = &curtask()->restart;

	KASSERT(n <= ARRAY_SIZE(r->arg));
	r->fn = fn;
	for (unsigned i = 0; i < n; i++)
		r->arg[i] = arg[i];
}
