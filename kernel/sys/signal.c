#include "sys/syscalls.h"

/*
 * The calls of signal(7): actions, masks, sending, waiting, the alternate stack, and the return
 * from a handler. Sets are 8 bytes; a caller that says otherwise gets EINVAL.
 */

#include <arch/context.h>
#include <arch/signal.h>

#include "abi/errno.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "proc/signal.h"
#include "sys/timeval.h"
#include "vm/usercopy.h"

static const uint64_t known_sa_flags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK |
				       SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_RESTORER |
				       SA_EXPOSE_TAGBITS;

static bool is_signal(int sig)
{
	return sig >= 1 && sig <= _NSIG;
}

/* --- actions and masks --- */

int64_t sys_rt_sigaction(int32_t sig, uaddr_t act, uaddr_t oldact, uint64_t size)
{
	struct abi_sigaction new = { 0 }, old;
	bool set = !uaddr_is_null(act);

	if (size != sizeof(uint64_t))
		return -EINVAL;
	if (set && copy_from_user(&new, act, sizeof(new)))
		return -EFAULT;
	if (!is_signal(sig))
		return -EINVAL;
	if (set && (sig == SIGKILL || sig == SIGSTOP))
		return -EINVAL;
	new.flags &= known_sa_flags;
	signal_set_action(sig, set ? &new : NULL, &old);
	return uaddr_is_null(oldact) ? 0 : copy_to_user(oldact, &old, sizeof(old));
}

int64_t sys_rt_sigprocmask(int32_t how, uaddr_t set, uaddr_t oldset, uint64_t size)
{
	uint64_t old = curtask()->blocked, new;

	if (size != sizeof(uint64_t))
		return -EINVAL;
	if (!uaddr_is_null(set)) {
		if (get_user_u64(&new, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			new |= old;
			break;
		case SIG_UNBLOCK:
			new = old & ~new;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(new);
	}
	return uaddr_is_null(oldset) ? 0 : put_user_u64(oldset, old);
}

int64_t sys_rt_sigpending(uaddr_t set, uint64_t size)
{
	uint64_t pending = signal_pending_set(curtask()) & curtask()->blocked;

	if (size > sizeof(pending))
		return -EINVAL;
	return copy_to_user(set, &pending, size);
}

/* --- sending --- */

/* The group `nr`, counted; 0: the caller's own. */
static struct pid *find_group(uint32_t nr)
{
	struct pid *group;

	if (nr != 0)
		return pid_lookup(nr);
	spin_lock(&proctree_lock);
	group = curproc()->group;
	pid_get(group);
	spin_unlock(&proctree_lock);
	return group;
}

static int64_t kill_group(uint32_t nr, int sig, const struct abi_siginfo *si)
{
	struct pid *group = find_group(nr);
	int err;

	if (group == NULL)
		return -ESRCH;
	err = signal_kill_many(group, sig, si);
	pid_put(group);
	return err;
}

static int64_t kill_one(uint32_t nr, int sig, const struct abi_siginfo *si)
{
	struct task *t = task_lookup(nr); /* any thread's number names its process */
	int64_t err;

	if (t == NULL)
		return -ESRCH;
	err = signal_kill_process(t->process, sig, si);
	task_put(t);
	return err;
}

int64_t sys_kill(int32_t pid, int32_t sig)
{
	struct abi_siginfo si;

	if (sig < 0 || sig > _NSIG)
		return -EINVAL;
	siginfo_user(&si, sig, SI_USER);
	if (pid > 0)
		return kill_one((uint32_t)pid, sig, &si);
	if (pid == -1)
		return signal_kill_many(NULL, sig, &si);
	return pid == INT32_MIN ? -ESRCH : kill_group((uint32_t)-pid, sig, &si);
}

/* To thread tid, of process tgid unless that is 0. */
static int64_t kill_thread(int32_t tgid, int32_t tid, const struct abi_siginfo *si, int sig)
{
	struct task *t;
	int64_t err;

	t = task_lookup((uint32_t)tid);
	if (t == NULL)
		return -ESRCH;
	if (tgid != 0 && t->process->pid->nr != (uint32_t)tgid)
		err = -ESRCH;
	else
		err = signal_may_kill(t->process, sig);
	if (err == 0 && sig != 0)
		err = signal_send_task(t, si);
	task_put(t);
	return err;
}

int64_t sys_tgkill(int32_t tgid, int32_t tid, int32_t sig)
{
	struct abi_siginfo si;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	siginfo_user(&si, sig, SI_TKILL);
	return kill_thread(tgid, tid, &si, sig);
}

int64_t sys_tkill(int32_t tid, int32_t sig)
{
	struct abi_siginfo si;

	if (tid <= 0)
		return -EINVAL;
	siginfo_user(&si, sig, SI_TKILL);
	return kill_thread(0, tid, &si, sig);
}

/* Codes that the kernel and kill(2) use cannot be put on for another process. */
static int get_info(struct abi_siginfo *si, uaddr_t info, int sig, uint32_t target)
{
	int err = siginfo_from_user(si, info, sig);

	if (err)
		return err;
	si->si_signo = sig;
	if ((si->si_code >= 0 || si->si_code == SI_TKILL) && target != curtask()->pid->nr)
		return -EPERM;
	return 0;
}

int64_t sys_rt_sigqueueinfo(int32_t pid, int32_t sig, uaddr_t info)
{
	struct abi_siginfo si;
	int err = get_info(&si, info, sig, (uint32_t)pid);

	return err ? err : kill_one((uint32_t)pid, sig, &si);
}

int64_t sys_rt_tgsigqueueinfo(int32_t tgid, int32_t tid, int32_t sig, uaddr_t info)
{
	struct abi_siginfo si;
	int err;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	err = get_info(&si, info, sig, (uint32_t)tid);
	return err ? err : kill_thread(tgid, tid, &si, sig);
}

/* --- waiting --- */

static void sleep_for_signal(void)
{
	while (!signal_pending())
		(void)!thread_sleep_until(NSEC_MAX, THREAD_SLEEP_INTR);
}

int64_t sys_pause(void)
{
	sleep_for_signal();
	return -ERESTARTNOHAND;
}

int64_t sys_rt_sigsuspend(uaddr_t mask, uint64_t size)
{
	uint64_t set;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user_u64(&set, mask))
		return -EFAULT;
	signal_set_temp_mask(set);
	sleep_for_signal();
	return -ERESTARTNOHAND;
}

int64_t sys_rt_sigtimedwait(uaddr_t set, uaddr_t info, uaddr_t timeout, uint64_t size)
{
	struct abi_siginfo si;
	nsec_t span = NSEC_MAX;
	uint64_t want;
	int sig, err;

	if (size != sizeof(want))
		return -EINVAL;
	if (get_user_u64(&want, set))
		return -EFAULT;
	if (!uaddr_is_null(timeout) && (err = get_user_timespec(&span, timeout)))
		return err;
	sig = signal_wait(want, deadline_after(span), &si);
	if (sig > 0 && !uaddr_is_null(info) && siginfo_to_user(info, &si))
		return -EFAULT;
	return sig;
}

int64_t sys_restart_syscall(void)
{
	struct restart_block *r = &curtask()->restart;
	int64_t (*fn)(struct restart_block *) = r->fn;

	r->fn = NULL;
	return fn == NULL ? -EINTR : fn(r);
}

/* --- the alternate stack --- */

static int set_altstack(const struct abi_stack *ss)
{
	struct task *t = curtask();
	uint32_t keep = (uint32_t)ss->ss_flags & SS_AUTODISARM;
	int mode = (int)((uint32_t)ss->ss_flags & ~SS_AUTODISARM);

	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = keep;
		return 0;
	}
	if (ss->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack_sp = ss->ss_sp;
	t->altstack_size = ss->ss_size;
	t->altstack_flags = keep;
	return 0;
}

int64_t sys_sigaltstack(uaddr_t ss, uaddr_t old_ss)
{
	struct task *t = curtask();
	uint32_t state = altstack_state(t, regs_sp(thread_regs(&t->thread)));
	struct abi_stack new, old;
	int err = 0;

	memset(&old, 0, sizeof(old));
	old.ss_sp = t->altstack_sp;
	old.ss_size = t->altstack_size;
	old.ss_flags = (int32_t)state;
	if (!uaddr_is_null(ss)) {
		if (copy_from_user(&new, ss, sizeof(new)))
			return -EFAULT;
		err = state & SS_ONSTACK ? -EPERM : set_altstack(&new);
	}
	if (err || uaddr_is_null(old_ss))
		return err;
	return copy_to_user(old_ss, &old, sizeof(old));
}

/* --- the way back --- */

int64_t sys_rt_sigreturn(void)
{
	struct regs *r = thread_regs(curthread());
	struct abi_stack ss;
	uint64_t mask;

	if (arch_signal_return(r, &mask, &ss)) {
		regs_syscall_done(r);
		signal_bad_frame(0);
		return (int64_t)regs_ret(r);
	}
	regs_syscall_done(r); /* what stands in the result register is the interrupted code's */
	signal_set_blocked(mask);
	(void)!set_altstack(&ss);
	ktrace(KT_SIGNAL, signal_return, regs_pc(r), 0, 0, 0, 0, 0);
	return (int64_t)regs_ret(r);
}
