#include "proc/ptrace.h"

/*
 * The tracee's side: where and how it stops. All stops are one function, stop(): under PROCTREE and
 * the siglock it takes the state THREAD_TRACED and says why, tells the tracer, and sleeps. That
 * state is left only by whoever holds the siglock: the tracer (through THREAD_FROZEN, ptrace.c), a
 * fatal signal, or the end of the tracing.
 *
 *   signal-delivery-stop   trace_signal(), from deliver.c; the tracer chooses what is delivered
 *   group-stop             trace_group_stop(): the process stops or, seized, continues; INTERRUPT
 *   syscall-stops          trace_syscall_enter(), trace_syscall_exit(), from sys/entry.c
 *   event stops            trace_event() and its like, from fork.c, exec.c, exit.c
 *
 * Source: ptrace(2); what is not there: Linux's answers, tests/guest/ptrace.
 */

#include <arch/context.h>
#include <arch/ptrace.h>

#include "abi/errno.h"
#include "abi/ptrace.h"
#include "abi/sched.h"
#include "lib/string.h"
#include "proc/coredump.h"
#include "proc/proc_priv.h"
#include "sched/sched.h"
#include "vfs/cred.h"

/* A stop: the code that wait(2) shows above 0x7f, and what goes with it. */
struct stop {
	int code, why;            /* why: CLD_TRAPPED, CLD_STOPPED */
	int signal;               /* delivered when the tracer goes away without a word */
	uint64_t message;         /* PTRACE_GETEVENTMSG */
	struct abi_siginfo *info; /* PTRACE_GETSIGINFO; NULL: a group stop, which has none */
};

static void sigchld_of_task(struct task *t, int code, int status, struct abi_siginfo *si)
{
	nsec_t u, s;

	sched_account(&t->thread, &u, &s);
	memset(si, 0, sizeof(*si));
	si->si_signo = SIGCHLD;
	si->si_code = code;
	si->chld.pid = (int32_t)t->pid->nr;
	si->chld.uid = t->thread.cred->uid;
	si->chld.status = status;
	si->chld.utime = u / (NSEC_PER_SEC / USER_HZ);
	si->chld.stime = s / (NSEC_PER_SEC / USER_HZ);
}

void trace_ready_locked(struct task *t)
{
	list_remove(&t->trace.node);
	list_add_tail(&t->trace.tracer->process->tracees_ready, &t->trace.node);
}

static void tell_tracer_locked(struct task *t, int code, int status, struct sigqueue_entry **e)
	HOLDS(&proctree_lock)
{
	struct process *to = t->trace.tracer->process;
	struct abi_siginfo si;

	trace_ready_locked(t);
	if (jobctl_wants_signal(to)) {
		sigchld_of_task(t, code, status, &si);
		(void)signal_queue(to, NULL, SIGCHLD, &si, e);
	}
	waitq_wake_all(&to->wait_children, 0);
}

void trace_task_died_locked(struct task *t, struct sigqueue_entry **e)
{
	int status = t->exit_code;
	bool exited = (status & 0x7f) == 0;

	tell_tracer_locked(t, exited ? CLD_EXITED : CLD_KILLED,
			   exited ? status >> 8 & 0xff : status & 0x7f, e);
}

void trace_continued_locked(struct process *p, const struct abi_siginfo *si)
{
	struct process *tracer = trace_process_locked(p->leader);
	struct sigqueue_entry *none = NULL;

	if (tracer == NULL || tracer == process_parent(p))
		return;
	if (jobctl_wants_signal(tracer))
		(void)signal_queue(tracer, NULL, SIGCHLD, si, &none);
	waitq_wake_all(&tracer->wait_children, 0);
}

/* --- the stop --- */

static bool is_killed(const struct task *t)
{
	return atomic_load_explicit(&t->thread.work, memory_order_relaxed) & WORK_KILLED;
}

/* The state of the stop. True: with this task the whole process has stopped. Under the siglock. */
static bool enter(struct task *t, const struct stop *s)
{
	bool last = false;

	if (s->why == CLD_STOPPED)
		last = jobctl_take_part(t);
	t->jobctl &= ~(uint32_t)(JOBCTL_TRAP_STOP | JOBCTL_TRAPPING);
	if (s->code >> 8 == PTRACE_EVENT_STOP)
		t->jobctl &= ~(uint32_t)JOBCTL_TRAP_NOTIFY;
	t->jobctl |= JOBCTL_TRAPPED;
	t->trace.status = s->code;
	t->trace.signal = s->signal;
	t->trace.message = s->message;
	t->trace.info = s->info;
	atomic_store_explicit(&t->thread.state, THREAD_TRACED, memory_order_seq_cst);
	return last;
}

static void leave(struct task *t)
{
	struct siglock l = siglock(t->process);

	t->jobctl &= ~(uint32_t)(JOBCTL_TRAPPED | JOBCTL_LISTENING);
	t->trace.status = 0;
	t->trace.info = NULL;
	t->trace.message = 0;
	signal_recalc(t);
	sigunlock(l);
}

/* True: it has stopped, and goes on with trace.signal. False: nobody traces it, or it is killed. */
static bool stop(struct task *t, const struct stop *s)
{
	struct sigqueue_entry *e = sigqueue_alloc(true), *e2 = sigqueue_alloc(true);
	struct process *p = t->process;
	bool last, stops;
	struct siglock l;

	spin_lock(&proctree_lock);
	l = siglock(p);
	stops = t->trace.tracer != NULL && !is_killed(t);
	last = stops && enter(t, s);
	sigunlock(l);
	if (stops)
		tell_tracer_locked(t, s->why, s->why == CLD_STOPPED ? p->stop_sig : s->code & 0x7f,
				   &e);
	if (last && trace_process_locked(t) != process_parent(p))
		jobctl_notify_parent_locked(p, CLD_STOPPED, &e2);
	spin_unlock(&proctree_lock);
	if (stops) {
		schedule();
		leave(t);
	}
	sigqueue_free(e);
	sigqueue_free(e2);
	return stops;
}

static void info_of_self(struct abi_siginfo *si, int sig, int code)
{
	*si = (struct abi_siginfo){
		.si_signo = sig,
		.si_code = code,
		.kill = { .pid = (int32_t)curtask()->pid->nr, .uid = current_cred()->uid },
	};
}

static bool notify(int code, uint64_t message)
{
	struct abi_siginfo si;
	const struct stop s = { .code = code, .why = CLD_TRAPPED, .message = message, .info = &si };

	info_of_self(&si, SIGTRAP, code);
	return stop(curtask(), &s);
}

/* --- signals and group stops --- */

/* Another signal than the one that came: it is from the tracer. */
static void info_of_tracer(struct task *t, int sig, struct abi_siginfo *si)
{
	struct siglock l = siglock(t->process);
	const struct task *tracer = t->trace.tracer;

	*si = (struct abi_siginfo){ .si_signo = sig, .si_code = SI_USER };
	if (tracer != NULL) {
		si->kill.pid = (int32_t)tracer->pid->nr;
		si->kill.uid = tracer->thread.cred->uid;
	}
	sigunlock(l);
}

int trace_signal(struct task *t, int sig, struct abi_siginfo *si)
{
	const struct stop s = { .code = sig, .why = CLD_TRAPPED, .signal = sig, .info = si };

	if (!stop(t, &s))
		return sig;
	sig = t->trace.signal;
	if (sig == 0)
		return 0;
	if (sig != si->si_signo)
		info_of_tracer(t, sig, si);
	if (t->blocked & SIGMASK(sig)) { /* PTRACE_SETSIGMASK, or another signal */
		(void)!signal_send_task(t, si);
		return 0;
	}
	return sig;
}

void trace_group_stop(struct task *t, struct siglock *l)
{
	struct process *p = t->process;
	bool in_stop = p->flags & (PROC_STOPPED | PROC_STOP_PENDING), seized = t->trace.seized;
	int sig = seized && !in_stop ? SIGTRAP : p->stop_sig;
	struct abi_siginfo si;
	struct stop s = { .code = sig, .why = CLD_STOPPED };

	sigunlock(*l);
	if (seized) {
		s.code |= PTRACE_EVENT_STOP << 8;
		info_of_self(&si, sig, s.code);
		s.info = &si;
	}
	(void)stop(t, &s);
}

void trace_notify_locked(struct task *t)
{
	t->jobctl |= JOBCTL_TRAP_NOTIFY;
	thread_set_work(&t->thread, WORK_SIGNAL);
	if (t->jobctl & JOBCTL_LISTENING)
		thread_wake(&t->thread, BIT(THREAD_TRACED));
}

void trace_stepped_into_handler(void)
{
	(void)notify(SIGTRAP, 0);
}

/* --- system calls --- */

static void syscall_stop(struct task *t, uint64_t message)
{
	int sysgood = t->trace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0, sig;
	struct abi_siginfo si;

	if (!notify(SIGTRAP | sysgood, message))
		return;
	sig = t->trace.signal;
	if (sig == 0)
		return;
	siginfo_kernel(&si, sig);
	(void)!signal_send_task(t, &si);
}

bool trace_syscall_enter(struct regs *r)
{
	struct task *t = curtask();
	uint32_t emulated = t->trace.syscalls & TRACE_EMU;

	arch_regs_slow_return(r);
	if (t->trace.syscalls & (TRACE_CALLS | TRACE_EMU))
		syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_ENTRY);
	return !emulated && !is_killed(t);
}

void trace_syscall_exit(struct regs *r)
{
	struct task *t = curtask();
	uint32_t how = t->trace.syscalls;

	arch_regs_slow_return(r);
	if ((how & (TRACE_STEP | TRACE_EMU)) == TRACE_STEP)
		signal_force(SIGTRAP, TRAP_BRKPT, regs_pc(r));
	else if (how & TRACE_CALLS)
		syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_EXIT);
}

/* --- events --- */

static bool wants(const struct task *t, unsigned event)
{
	return t->trace.tracer != NULL && (t->trace.options & 1u << event);
}

bool trace_wants(unsigned event)
{
	return wants(curtask(), event);
}

void trace_event(unsigned event, uint64_t message)
{
	if (wants(curtask(), event))
		(void)notify(SIGTRAP | (int)event << 8, message);
}

unsigned trace_clone_event(uint64_t flags, int exit_signal)
{
	unsigned event = flags & CLONE_VFORK                                ? PTRACE_EVENT_VFORK
			 : (flags & CLONE_THREAD) || exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
									    : PTRACE_EVENT_FORK;

	return !(flags & CLONE_UNTRACED) && wants(curtask(), event) ? event : 0;
}

void trace_inherit_locked(struct task *child)
{
	struct task *t = curtask();
	struct task_trace *tr = &child->trace;

	if (t->trace.tracer == NULL)
		return;
	tr->tracer = t->trace.tracer;
	tr->options = t->trace.options;
	tr->seized = t->trace.seized;
	tr->capable = t->trace.capable;
	trace_link_locked(child);
	if (tr->seized) {
		child->jobctl |= JOBCTL_TRAP_STOP;
	} else {
		child->pending.set |= SIGMASK(SIGSTOP);
		child->pending.bare |= SIGMASK(SIGSTOP);
		child->pending.lost |= SIGMASK(SIGSTOP);
	}
	atomic_fetch_or_explicit(&child->thread.work, WORK_SIGNAL, memory_order_relaxed);
}

void trace_exec_event(uint32_t old_tid)
{
	struct task *t = curtask();
	struct abi_siginfo si;

	if (wants(t, PTRACE_EVENT_EXEC)) {
		trace_event(PTRACE_EVENT_EXEC, old_tid);
	} else if (t->trace.tracer != NULL && !t->trace.seized) {
		siginfo_user(&si, SIGTRAP, SI_USER);
		(void)!signal_send_task(t, &si);
	}
}

void trace_exit_event(struct task *t, int status)
{
	const uint32_t bits = WORK_KILLED | WORK_SIGNAL;
	struct siglock l;
	uint32_t work;

	if (!wants(t, PTRACE_EVENT_EXIT))
		return;
	l = siglock(t->process);
	if (UNLIKELY(t->process->core != NULL))
		core_dump_park(&l);
	/* What ends it has been taken, and nothing more can come. */
	work = atomic_load_explicit(&t->thread.work, memory_order_relaxed) & bits;
	thread_clear_work(&t->thread, bits);
	sigunlock(l);
	(void)notify(SIGTRAP | PTRACE_EVENT_EXIT << 8, (uint64_t)(int64_t)status);
	atomic_fetch_or_explicit(&t->thread.work, work, memory_order_relaxed);
}
