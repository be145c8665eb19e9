#pragma once

/*
 * The registers of a thread that stands still in the kernel and is on no CPU, for ptrace(2). What
 * is set is what it returns to user mode with.
 */

#include "lib/types.h"

struct regs;
struct thread;

/* The general registers, in the order of arch_core_regs(). */
enum { ARCH_USER_REGS = 27 };
/* -EIO: not a value that user mode can have there. */
MUST_CHECK int arch_user_reg_set(struct thread *t, unsigned i, uint64_t v);

/* The word at `offset` of what PTRACE_PEEKUSER calls the user area: general and debug registers,
 * zeroes between. -EIO: not there, or not aligned; set: also what may not be set; -EINVAL, -ENOMEM:
 * a breakpoint that cannot be. */
MUST_CHECK int arch_user_area_get(struct thread *t, uint64_t offset, uint64_t *out);
MUST_CHECK int arch_user_area_set(struct thread *t, uint64_t offset, uint64_t v);

enum { ARCH_FPREGS_SIZE = 512 };
/*
 * Sets the FPU state: the first ARCH_FPREGS_SIZE bytes of it, or all arch_fpu_size() bytes.
 *   returns      0; -EINVAL the CPU would not take it; nothing has changed
 */
MUST_CHECK int arch_fpu_set(struct thread *t, const void *image, size_t n);

/* After the next instruction in user mode there is a trap (SIGTRAP, TRAP_TRACE). The program does
 * not see that it is so, unless it looks at its flags itself. */
void arch_step_set(struct thread *t, bool on);
/* Of the running thread: takes a step back that was set so. False: there is none. */
MUST_CHECK bool arch_step_forget(struct thread *t);

/* The system call that r comes from does not return by the short way: a trap is due after the
 * instruction behind it, not at once. */
void arch_regs_slow_return(struct regs *r);

/* arch_prctl(2) on it: what PTRACE_ARCH_PRCTL can do. */
int64_t arch_prctl_of(struct thread *t, int code, uaddr_t addr);

/* What the running thread's registers say of the system call that it is in: kept across an exec,
 * which sets all others. */
uint64_t arch_syscall_mark(const struct regs *r);
void arch_syscall_mark_set(struct regs *r, uint64_t mark);

extern const uint32_t arch_audit; /* AUDIT_ARCH_*: PTRACE_GET_SYSCALL_INFO */
