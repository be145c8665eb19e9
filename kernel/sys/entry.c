#include <arch/upcall.h>

/*
 * Where every system call comes through: number, table, result. The way out is kept bare: signals,
 * restarts and rescheduling are noted in thread->work, which the port looks at before user mode
 * (proc/deliver.c). An interrupted call returns one of the -ERESTART* results, which user mode must
 * never see; the code that turns it into a restart or EINTR runs only while WORK_SIGNAL is set, so
 * such a result sets it, whatever became of the signal meanwhile.
 */

#include <arch/context.h>

#include "abi/errno.h"
#include "abi/seccomp.h"
#include "core/ktrace.h"
#include "proc/ptrace.h"
#include "proc/seccomp.h"
#include "sched/thread.h"
#include "sys/table.h"

/* 512 … 516 are the internal results; see abi/errno.h. */
static inline bool is_restart_result(int64_t ret)
{
	return -(uint64_t)ret - ERESTARTSYS <= ERESTART_RESTARTBLOCK - ERESTARTSYS;
}

static void trace_enter(const struct regs *r, uint32_t nr)
{
	ktrace_emit(EV_syscall_enter, nr, regs_arg(r, 0), regs_arg(r, 1), regs_arg(r, 2),
		    regs_arg(r, 3), regs_arg(r, 4));
	ktrace_emit(EV_syscall_arg5, regs_arg(r, 5), 0, 0, 0, 0, 0);
}

/* A tracer may change the number and the arguments, tracers and filters may say that the call is
 * not to be made. Returns the result of a call that is none. */
static NOINLINE int64_t watched_enter(struct regs *r, uint32_t *nr)
{
	const struct task *t = curtask();
	bool made = true;

	regs_set_ret(r, (uint64_t)-ENOSYS);
	if (t->trace.syscalls != 0)
		made = trace_syscall_enter(r);
	if (ktrace_on(KT_SYSCALL))
		trace_enter(r, (uint32_t)regs_syscall_nr(r));
	if (made && t->confined.mode != SECCOMP_MODE_DISABLED)
		made = seccomp_enter(r);
	*nr = made ? (uint32_t)regs_syscall_nr(r) : UINT32_MAX;
	return *nr == UINT32_MAX ? (int64_t)regs_ret(r) : -ENOSYS;
}

static NOINLINE void watched_exit(struct regs *r, uint32_t nr)
{
	if (ktrace_on(KT_SYSCALL))
		ktrace_emit(EV_syscall_exit, nr == UINT32_MAX ? regs_syscall_nr(r) : nr,
			    regs_ret(r), 0, 0, 0, 0);
	if (curtask()->trace.syscalls != 0)
		trace_syscall_exit(r);
}

void syscall_enter(struct regs *r)
{
	uint32_t nr = (uint32_t)regs_syscall_nr(r);
	int64_t ret = -ENOSYS;

	if (ktrace_sees_syscalls())
		ret = watched_enter(r, &nr);
	if (LIKELY(nr < SYSCALL_LIMIT) && LIKELY(syscall_table[nr] != NULL))
		ret = syscall_table[nr](r);
	if (UNLIKELY(is_restart_result(ret)))
		atomic_fetch_or_explicit(&curthread()->work, WORK_SIGNAL, memory_order_relaxed);
	regs_set_ret(r, (uint64_t)ret);
	if (ktrace_sees_syscalls())
		watched_exit(r, nr);
}
