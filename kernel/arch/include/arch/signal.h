#pragma once

/* Signal frames: the user's registers and FPU state on the user's stack, and back. */

#include "lib/types.h"

struct regs;
struct abi_siginfo;
struct abi_stack;

struct signal_frame_info {
	int sig;
	uint64_t handler, restorer, flags;        /* of the sigaction; flags: SA_* */
	uint64_t old_mask;                        /* restored by sigreturn */
	uint64_t altstack_sp, altstack_size;      /* size 0: no alternate stack */
	uint32_t altstack_flags;                  /* as sigaltstack(2) reports them, for uc_stack */
	uint64_t fault_addr, trap_nr, error_code; /* sigcontext's cr2, trapno, err */
};

/*
 * Pushes an rt_sigframe and sets r to enter the handler.
 *   returns      0; -EFAULT the stack cannot take it (the caller forces SIGSEGV); r is then
 * unchanged source       x86-64 psABI (red zone), sigaction(2), SDM vol. 1 13.4 (XSAVE area)
 */
MUST_CHECK int arch_signal_push(struct regs *r, const struct signal_frame_info *i,
				const struct abi_siginfo *si);

/* rt_sigreturn: restores r and the FPU from the frame at the user's stack pointer. Every value is
 * checked: user segments, no privileged flags, canonical addresses. -EFAULT / -EINVAL: the caller
 * forces SIGSEGV. */
MUST_CHECK int arch_signal_return(struct regs *r, uint64_t *mask, struct abi_stack *ss);
