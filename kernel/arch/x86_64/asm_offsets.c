/*
 * Offsets for the assembly files. This file is compiled to assembly text, never assembled: each DEF
 * leaves a line `.ascii "->NAME value"`, from which arch.mk makes asm_offsets.h. Of struct thread
 * the port knows the beginning, struct thread_head; sched asserts that they agree.
 */

#include <arch/context.h>
#include <arch/cpu.h>

#include "lib/types.h"

#define DEF(name, value) __asm__ volatile(".ascii \"->" #name " %c0\"" : : "i"(value))

STATIC_ASSERT(sizeof(struct regs) % 16 == 0);

void asm_offsets(void);
void asm_offsets(void)
{
	DEF(REGS_SIZE, sizeof(struct regs));
	DEF(REGS_FULL, offsetof(struct regs, full));
	DEF(REGS_R15, offsetof(struct regs, r15));
	DEF(REGS_R14, offsetof(struct regs, r14));
	DEF(REGS_R13, offsetof(struct regs, r13));
	DEF(REGS_R12, offsetof(struct regs, r12));
	DEF(REGS_RBP, offsetof(struct regs, rbp));
	DEF(REGS_RBX, offsetof(struct regs, rbx));
	DEF(REGS_R11, offsetof(struct regs, r11));
	DEF(REGS_R10, offsetof(struct regs, r10));
	DEF(REGS_R9, offsetof(struct regs, r9));
	DEF(REGS_R8, offsetof(struct regs, r8));
	DEF(REGS_RAX, offsetof(struct regs, rax));
	DEF(REGS_RCX, offsetof(struct regs, rcx));
	DEF(REGS_RDX, offsetof(struct regs, rdx));
	DEF(REGS_RSI, offsetof(struct regs, rsi));
	DEF(REGS_RDI, offsetof(struct regs, rdi));
	DEF(REGS_RIP, offsetof(struct regs, rip));
	DEF(REGS_CS, offsetof(struct regs, cs));
	DEF(REGS_RFLAGS, offsetof(struct regs, rflags));
	DEF(REGS_RSP, offsetof(struct regs, rsp));
	DEF(CPU_CURTHREAD, offsetof(struct cpu_area, curthread));
	DEF(CPU_KSTACK_TOP, offsetof(struct cpu_area, kstack_top));
	DEF(CPU_USER_SP, offsetof(struct cpu_area, user_sp));
	DEF(THREAD_WORK, offsetof(struct thread_head, work));
	DEF(THREAD_FPU, offsetof(struct thread_head, arch) + offsetof(struct arch_thread, fpu));
}
