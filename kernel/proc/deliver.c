#include <arch/upcall.h>

/*
 * Delivery: what happens between the end of a system call, trap or interrupt and user mode when
 *thread->work is set. One signal is taken at a time; a handler's frame is pushed and
 *user_return_work() goes round again, so that further signals push theirs on top and the last one
 *runs first (signal(7)).
 *
 * An interrupted system call has left one of the -ERESTART* results in the registers. It becomes
 *EINTR or a restart here, once, by what the first signal does (or at the end, when no handler
 *runs):
 *
 *	result            handler without SA_RESTART   with SA_RESTART   no handler
 *	ERESTARTSYS       EINTR                        restart           restart
 *	ERESTARTNOINTR    restart                      restart           restart
 *	ERESTARTNOHAND    EINTR                        EINTR             restart
 *	ERESTART_RESTARTBLOCK  EINTR                   EINTR             restart_syscall(2)
 *
 * Source: signal(7), sigaction(2), sigaltstack(2), restart_syscall(2).
 */

#include <arch/context.h>
#include <arch/ptrace.h>
#include <arch/signal.h>

#include "abi/errno.h"
#include "abi/syscall_kinds.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "net/netif.h"
#include "proc/coredump.h"
#include "proc/exit.h"
#include "proc/fatal.h"
#include "proc/proc_priv.h"
#include "proc/ptrace.h"
#include "proc/rseq.h"
#include "sched/sched.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

#define SYSCALL(name, x86_64, generic, ret, args, level, flags, source, note) \
	NR_##name = SYSCALL_NR(x86_64, generic),
enum syscall_numbers {
#include "abi/syscalls.def"
};
#undef SYSCALL

/* A signal that a handler is to run for. */
struct delivery {
	int sig;
	uint64_t old_mask; /* what sigreturn is to put back */
	struct abi_sigaction action;
	struct abi_siginfo info;
};

/* --- interrupted system calls --- */

static void restart_without_handler(struct regs *r)
{
	if (!regs_in_syscall(r))
		return;
	switch (-(int64_t)regs_ret(r)) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		regs_syscall_restart(r);
		break;
	case ERESTART_RESTARTBLOCK:
		regs_syscall_restart_as(r, NR_restart_syscall);
		break;
	default:
		break;
	}
}

static void restart_with_handler(struct regs *r, uint64_t sa_flags)
{
	if (!regs_in_syscall(r))
		return;
	switch (-(int64_t)regs_ret(r)) {
	case ERESTARTSYS:
		if (sa_flags & SA_RESTART)
			regs_syscall_restart(r);
		else
			regs_set_ret(r, (uint64_t)-EINTR);
		break;
	case ERESTARTNOINTR:
		regs_syscall_restart(r);
		break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		regs_set_ret(r, (uint64_t)-EINTR);
		break;
	default:
		break;
	}
	regs_syscall_done(r);
}

/* --- taking a signal --- */

/* The default action of sig, which neither ignores nor stops, on the running process. Siglock held;
 * dropped. */
static NORETURN void die(struct process *p, int sig, struct siglock l)
{
	process_kill_all_locked(p, sig);
	sigunlock(l);
	task_exit(p->group_exit_code);
}

/* Likewise, with a core. */
static NORETURN void die_dumping(const struct delivery *d, struct siglock l)
{
	fatal_log_signal(d->sig);
	task_exit(core_dump_process(d->sig, &d->info, l));
}

void signal_die_dumping(const struct abi_siginfo *si)
{
	struct process *p = curproc();
	struct siglock l = siglock(p);
	const struct delivery d = { .sig = si->si_signo, .info = *si };
	bool ending = p->flags & PROC_GROUP_EXIT;

	if (!ending && !fatal_signal_pending())
		die_dumping(&d, l);
	sigunlock(l);
	task_exit(ending ? p->group_exit_code : SIGKILL); /* an exec ends the others */
}

/* A stop by the terminal's signals does not happen in an orphaned group. The question needs
 * PROCTREE: the siglock is dropped for it, and a SIGCONT that comes meanwhile has made the stop
 * void. */
static void take_stop(struct process *p, int sig, struct siglock *l)
{
	bool orphaned = false;

	if (sig != SIGSTOP) {
		p->flags |= PROC_STOP_TAKEN; /* cleared by SIGCONT */
		sigunlock(*l);
		spin_lock(&proctree_lock);
		orphaned = group_is_orphaned_locked(p->group, NULL);
		spin_unlock(&proctree_lock);
		*l = siglock(p);
		if (!(p->flags & PROC_STOP_TAKEN))
			return;
		p->flags &= ~PROC_STOP_TAKEN;
	}
	if (!orphaned)
		jobctl_begin_stop(p, sig);
}

static bool deliver_traced(struct task *t, struct siglock *l);

static inline bool has_group_business(const struct task *t)
{
	return (t->process->flags & (PROC_GROUP_EXIT | PROC_EXECING | PROC_CONT_NOTIFY)) ||
	       t->jobctl;
}

/* What has to be done before signals are looked at. True: the siglock was dropped, look again. */
static bool do_group_business(struct task *t, struct siglock *l)
{
	struct process *p = t->process;

	if (p->flags & PROC_GROUP_EXIT) {
		sigunlock(*l);
		task_exit(p->group_exit_code);
	}
	if ((p->flags & PROC_EXECING) &&
	    (atomic_load_explicit(&t->thread.work, memory_order_relaxed) & WORK_KILLED)) {
		sigunlock(*l);
		task_exit(SIGKILL);
	}
	if (p->flags & PROC_CONT_NOTIFY) {
		p->flags &= ~PROC_CONT_NOTIFY;
		sigunlock(*l);
		jobctl_notify_parent(p, CLD_CONTINUED);
		return true;
	}
	if (t->jobctl & JOBCTL_TRACED)
		return deliver_traced(t, l);
	return jobctl_stop_here(t, l);
}

/* Here and below ALWAYS_INLINE: the second caller, for traced tasks, would cost the first one
 * calls. */

/* The disposition of a signal just taken. True: a handler runs. */
static ALWAYS_INLINE bool dispose(struct task *t, struct delivery *d, struct siglock *l)
{
	struct process *p = t->process;
	struct abi_sigaction *act = &l->sighand->action[d->sig - 1];

	if (act->handler == SIG_IGN)
		return false;
	if (act->handler != SIG_DFL) {
		d->action = *act;
		if (act->flags & SA_RESETHAND)
			act->handler = SIG_DFL;
		return true;
	}
	if (sig_default_ignored(d->sig) || (p->flags & PROC_UNKILLABLE))
		return false;
	if (sig_default_stops(d->sig))
		take_stop(p, d->sig, l);
	else if (sig_default_dumps(d->sig))
		die_dumping(d, *l);
	else
		die(p, d->sig, *l);
	return false;
}

static ALWAYS_INLINE uint64_t mask_to_save(struct task *t)
{
	if (!(atomic_load_explicit(&t->thread.work, memory_order_relaxed) & WORK_RESTORE_MASK))
		return t->blocked;
	thread_clear_work(&t->thread, WORK_RESTORE_MASK);
	return t->saved_mask;
}

/* The mask that holds while the handler runs, set already here, where the lock is held. */
static ALWAYS_INLINE void block_for_handler(struct task *t, struct delivery *d)
{
	uint64_t add = d->action.mask;

	d->old_mask = mask_to_save(t);
	if (!(d->action.flags & SA_NODEFER))
		add |= SIGMASK(d->sig);
	add &= ~(t->blocked | SIG_UNBLOCKABLE);
	if (t->process->pending.set & add)
		signal_retarget(t, add);
	t->blocked |= add;
}

/* Takes signals until one has a handler. False: none is left. */
static bool next_delivery(struct task *t, struct delivery *d)
{
	struct siglock l = siglock(t->process);

	for (;;) {
		if (UNLIKELY(has_group_business(t)) && do_group_business(t, &l)) {
			l = siglock(t->process);
			continue;
		}
		d->sig = sigpending_take(t, ~t->blocked, &d->info);
		if (d->sig == 0)
			break;
		if (dispose(t, d, &l)) {
			block_for_handler(t, d);
			break;
		}
	}
	signal_recalc(t);
	sigunlock(l);
	return d->sig != 0;
}

/* --- entering a handler --- */

static bool on_altstack(const struct task *t, uint64_t sp)
{
	return t->altstack_size != 0 && sp > t->altstack_sp &&
	       sp - t->altstack_sp <= t->altstack_size;
}

uint32_t altstack_state(const struct task *t, uint64_t sp)
{
	if (t->altstack_size == 0)
		return SS_DISABLE | t->altstack_flags;
	if (t->altstack_flags & SS_AUTODISARM)
		return SS_AUTODISARM;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

/* False: the stack could not take the frame. */
static ALWAYS_INLINE bool enter_handler(struct regs *r, struct task *t, const struct delivery *d)
{
	struct signal_frame_info f = {
		.sig = d->sig,
		.handler = d->action.handler,
		.restorer = d->action.restorer,
		.flags = d->action.flags,
		.old_mask = d->old_mask,
		.altstack_sp = t->altstack_sp,
		.altstack_size = t->altstack_size,
		.altstack_flags = altstack_state(t, regs_sp(r)),
		.fault_addr = t->fault_addr,
		.trap_nr = t->fault_trap,
		.error_code = t->fault_error,
	};

	if (!uaddr_is_null(t->rseq))
		rseq_leave(r); /* the frame must hold the abort handler's address, not the critical
				  section's */
	restart_with_handler(r, d->action.flags);
	if (arch_signal_push(r, &f, &d->info)) {
		signal_set_blocked(d->old_mask);
		signal_bad_frame(d->sig);
		return false;
	}
	ktrace(KT_SIGNAL, signal_deliver, d->sig, d->action.handler, d->action.flags, 0, 0, 0);
	if ((d->action.flags & SA_ONSTACK) && (t->altstack_flags & SS_AUTODISARM))
		t->altstack_sp = t->altstack_size = t->altstack_flags = 0;
	return true;
}

/* The stack cannot take the frame: SIGSEGV, and with the default action when it was that signal's
 * frame. */
void signal_bad_frame(int sig)
{
	if (sig == SIGSEGV) {
		struct siglock l = siglock(curproc());

		l.sighand->action[SIGSEGV - 1].handler = SIG_DFL;
		sigunlock(l);
	}
	signal_force(SIGSEGV, SI_KERNEL, 0);
}

/* A signal that would stop the process, but SIGCONT came while the tracer looked at it. */
static bool is_undone_stop(const struct task *t, int sig, const struct siglock *l)
{
	return sig != 0 && sig_default_stops(sig) && !(t->jobctl & JOBCTL_STOP_TAKEN) &&
	       l->sighand->action[sig - 1].handler == SIG_DFL;
}

/* With a tracer: it hears of group stops and of each signal, and says what becomes of that. False,
 * and the siglock is still held: there is nothing to take. */
static bool deliver_traced(struct task *t, struct siglock *l)
{
	struct process *p = t->process;
	struct regs *r = thread_regs(&t->thread);
	bool handled = false, stepping;
	struct delivery d;

	if (t->jobctl & JOBCTL_PENDING) {
		trace_group_stop(t, l);
		return true;
	}
	d.sig = sigpending_take(t, ~t->blocked, &d.info);
	if (d.sig == 0)
		return false;
	t->jobctl |= JOBCTL_STOP_TAKEN;
	sigunlock(*l);
	d.sig = trace_signal(t, d.sig, &d.info);
	*l = siglock(p);
	if (is_undone_stop(t, d.sig, l))
		d.sig = 0;
	t->jobctl &= ~(uint32_t)JOBCTL_STOP_TAKEN;
	if (d.sig != 0 && !(p->flags & PROC_GROUP_EXIT) && dispose(t, &d, l)) {
		block_for_handler(t, &d);
		handled = true;
	}
	signal_recalc(t);
	sigunlock(*l);
	if (!handled)
		return true;
	stepping = t->trace.syscalls & TRACE_STEP;
	if (stepping)
		arch_step_set(&t->thread, false);
	if (enter_handler(r, t, &d) && stepping)
		trace_stepped_into_handler();
	return true;
}

static void deliver(struct regs *r)
{
	struct task *t = curtask();
	struct delivery d;

	if (next_delivery(t, &d)) {
		(void)enter_handler(r, t, &d);
		return;
	}
	restart_without_handler(r);
	signal_finish_temp_mask(false);
}

void user_return_work(struct regs *r)
{
	struct thread *self = curthread();
	uint32_t work;

	while ((work = atomic_load_explicit(&self->work, memory_order_relaxed)) != 0) {
		arch_irq_enable();
		if (work & WORK_RESCHED)
			thread_resched();
		if (UNLIKELY(work & WORK_DEADLINE) && sched_deadline_wait())
			signal_notify_process(curproc(), SIGXCPU);
		if (work & WORK_RSEQ)
			rseq_resume(r);
		if (work & WORK_NET)
			net_run_deferred();
		if (work & (WORK_SIGNAL | WORK_KILLED))
			deliver(r);
		else if (work & WORK_RESTORE_MASK)
			signal_finish_temp_mask(false);
		if (work & (WORK_STOP | WORK_TASK))
			thread_clear_work(self, WORK_STOP | WORK_TASK);
		arch_irq_disable();
	}
}

/* --- faults --- */

void user_trap(struct regs *r, int sig, int code, uint64_t addr, unsigned trap_nr, uint64_t error)
{
	struct task *t = curtask();
	const char *label = arch_trap_label(trap_nr);

	/* Its tracer ended in the middle of a step. */
	if (code == TRAP_TRACE && sig == SIGTRAP && !(t->jobctl & JOBCTL_TRACED) &&
	    arch_step_forget(&t->thread))
		return;
	t->fault_trap = trap_nr;
	t->fault_error = error;
	if (label != NULL)
		fatal_log_fault(r, sig, label, addr, error);
	signal_force(sig, code, addr);
}

enum { TRAP_PAGE_FAULT = 14 };

static void fault_signal(struct regs *r, int sig, int code, uint64_t addr, unsigned fault_code)
{
	struct task *t = curtask();

	if (addr >= USER_END) /* whether the kernel has a page there is nobody's business */
		fault_code |= FAULT_PRESENT;
	t->fault_addr = addr;
	t->fault_trap = TRAP_PAGE_FAULT;
	t->fault_error = fault_code;
	if (sig == SIGSEGV)
		fatal_log_fault(r, sig, NULL, addr, fault_code);
	signal_force(sig, code, addr);
}

void deliver_init(void)
{
	vm_fault_signal = fault_signal;
}
