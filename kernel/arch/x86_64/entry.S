/*
 * The ways into and out of the kernel: SYSCALL, exceptions and interrupts; and the switch between stacks.
 *
 * Every entry from user mode leaves a complete struct regs at the top of the thread's kernel stack, and every
 * return goes through the check of thread->work, interrupts off. GS is the kernel's while in the kernel;
 * entries through the IDT look at the saved CS to know whether to swap. NMI, #DF, #MC and #DB can hit between
 * an entry and its SWAPGS, and the user may load any GS base (FSGSBASE), so neither CS nor the base's value
 * tells them anything: they save the MSR and load the right base from the word above their IST stack.
 *
 * Budget (design.md section 6): SYSCALL to SYSRET 53 instructions besides syscall_enter().
 */

#include "arch/x86_64/x86.h"
#include "arch/x86_64/asm_macros.inc"
#include "asm_offsets.h"

.macro PUSH_REGS_BELOW_RDI full
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	\full
.endm

/* All but rcx, r11 and the IRET frame. */
.macro LOAD_REGS
	movq	REGS_R15(%rsp), %r15
	movq	REGS_R14(%rsp), %r14
	movq	REGS_R13(%rsp), %r13
	movq	REGS_R12(%rsp), %r12
	movq	REGS_RBP(%rsp), %rbp
	movq	REGS_RBX(%rsp), %rbx
	movq	REGS_R10(%rsp), %r10
	movq	REGS_R9(%rsp), %r9
	movq	REGS_R8(%rsp), %r8
	movq	REGS_RAX(%rsp), %rax
	movq	REGS_RDX(%rsp), %rdx
	movq	REGS_RSI(%rsp), %rsi
	movq	REGS_RDI(%rsp), %rdi
.endm

.macro LOAD_ALL_REGS
	LOAD_REGS
	movq	REGS_RCX(%rsp), %rcx
	movq	REGS_R11(%rsp), %r11
	addq	$REGS_RIP, %rsp
.endm

/* SYSCALL: rcx = user rip, r11 = user flags; IF DF TF NT AC cleared by FMASK; still on the user's stack. */
FUNC entry_syscall
	swapgs
	movq	%rsp, %gs:CPU_USER_SP
	movq	%gs:CPU_KSTACK_TOP, %rsp
	pushq	$SEL_USER_DS
	pushq	%gs:CPU_USER_SP
	pushq	%r11
	pushq	$SEL_USER_CS
	pushq	%rcx
	pushq	%rax			/* nr */
	pushq	%rdi
	PUSH_REGS_BELOW_RDI $0
	movq	%rsp, %rdi
	sti
	call	syscall_enter

	.globl	return_to_user
return_to_user:				/* rsp: struct regs */
	cli
	movq	%gs:CPU_CURTHREAD, %rax
	cmpl	$0, THREAD_WORK(%rax)
	jne	2f
1:	cmpq	$0, REGS_FULL(%rsp)
	jne	3f
	LOAD_REGS
	movq	REGS_RIP(%rsp), %rcx	/* a user address: regs_set_pc() and USER_END see to it */
	movq	REGS_RFLAGS(%rsp), %r11
	movq	REGS_RSP(%rsp), %rsp
	swapgs
	sysretq

2:	movq	%rsp, %rdi
	call	user_return_work
	jmp	return_to_user
3:	LOAD_ALL_REGS
	swapgs
	iretq
ENDFUNC entry_syscall

/*
 * Exceptions and interrupts. A stub leaves the error code, or 0, in the place of `nr`, rdi in its own, and the
 * vector in edi. Gates are interrupt gates: IF is off, DF and AC are still the interrupted code's.
 */
FUNC entry_trap
	PUSH_REGS_BELOW_RDI $1
	cld
	CLAC
	testb	$3, REGS_CS(%rsp)
	jz	1f
	swapgs
1:	movl	%edi, %esi
	movq	%rsp, %rdi
	call	trap_dispatch
	testb	$3, REGS_CS(%rsp)
	jnz	return_to_user
	LOAD_ALL_REGS
	iretq
ENDFUNC entry_trap

FUNC entry_paranoid
	PUSH_REGS_BELOW_RDI $1
	cld
	CLAC
	movl	$MSR_GS_BASE, %ecx
	rdmsr
	movl	%eax, %r12d
	movl	%edx, %r13d
	movq	REGS_SIZE(%rsp), %rax	/* the word above the IST stack */
	movq	%rax, %rdx
	shrq	$32, %rdx
	wrmsr
	movl	%edi, %esi
	movq	%rsp, %rdi
	call	trap_paranoid
	movl	$MSR_GS_BASE, %ecx
	movl	%r12d, %eax
	movl	%r13d, %edx
	wrmsr
	LOAD_ALL_REGS
	iretq
ENDFUNC entry_paranoid

/*
 * #DB. A breakpoint on what MOV SS reads is taken by the first instruction of the kernel that follows it: with
 * the user's stack and GS. Hence a stack of its own and, from the kernel, the paranoid way; from user mode what
 * the CPU and the stub pushed moves to the thread's stack. Interrupts are off.
 */
FUNC entry_debug
	testb	$3, 24(%rsp)		/* rdi, error code, rip, cs, … */
	jz	entry_paranoid
	swapgs
	movq	%rsp, %rdi
	movq	%gs:CPU_KSTACK_TOP, %rsp
	.irp	offset, 48, 40, 32, 24, 16, 8, 0	/* ss, rsp, rflags, cs, rip, error code, rdi */
	pushq	\offset(%rdi)
	.endr
	PUSH_REGS_BELOW_RDI $1
	cld
	CLAC
	movq	%rsp, %rdi
	movl	$TRAP_DB, %esi
	call	trap_dispatch
	jmp	return_to_user
ENDFUNC entry_debug

/* One stub per vector, 16 bytes each; idt_init() computes their addresses. */
	.text
	.balign	16
	.globl	trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	/* with error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX */
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq	$0
	.endif
	pushq	%rdi
	movl	$vector, %edi
	.if	vector == TRAP_NMI || vector == TRAP_DF || vector == TRAP_MC
	jmp	entry_paranoid
	.elseif	vector == TRAP_DB
	jmp	entry_debug
	.else
	jmp	entry_trap
	.endif
	.set	vector, vector + 1
	.endr

/*
 * struct thread *switch_stacks(uint64_t *save_sp, uint64_t load_sp, struct thread *prev)
 * Called by arch_switch() only. A new thread's stack looks as if it had called this (context.c).
 */
FUNC switch_stacks
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	movq	%rdx, %rax
	ret
ENDFUNC switch_stacks

/* First code of a kernel thread: rbx = fn, r12 = arg. */
FUNC thread_first
	movq	%r12, %rdi
	call	*%rbx
	ud2
ENDFUNC thread_first

/* First code of a forked thread: rbx = first; struct regs lies above. */
FUNC thread_first_fork
	call	*%rbx
	jmp	return_to_user
ENDFUNC thread_first_fork

/* void enter_user(struct regs *r): leaves this stack for good. */
FUNC enter_user
	movq	%rdi, %rsp
	jmp	return_to_user
ENDFUNC enter_user

	.section .note.GNU-stack, "", @progbits
