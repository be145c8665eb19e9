#pragma once

/* Registers of user mode, kernel stacks and the switch between threads. */

#include "lib/types.h"

enum { KSTACK_SIZE = 16384 }; /* plus a guard page below; pmm/kva allocates it */

struct thread; /* begins with the members of struct thread_head, which context_inline.h declares */

#include <arch/context_inline.h>
/* which provides:
 *   struct regs          user registers as saved on the kernel stack at every entry from user mode
 *   struct arch_thread   what a thread keeps besides: saved stack pointer, TLS base, FPU area
 * pointer uint64_t regs_pc(const struct regs *), regs_sp, regs_ret(…), regs_syscall_nr(…),
 * regs_arg(…, i) void     regs_set_pc(struct regs *, uint64_t), regs_set_sp, regs_set_ret a pc that
 * is not a user address becomes one that faults at once bool     regs_from_user(const struct regs
 * *) bool     regs_in_syscall(const struct regs *)   the entry was a system call that may be
 * restarted void     regs_syscall_done(struct regs *)       it will not be restarted any more void
 * regs_syscall_restart(struct regs *)    back up over the instruction; number and arguments
 * restored void     regs_syscall_restart_as(struct regs *, long nr)     likewise with another
 * number
 */

enum { ARCH_CORE_REGS = 27 };

/* The user registers of a thread that is in the kernel: at the top of its stack. */
struct regs *thread_regs(struct thread *t);

/*
 * Prepares t's stack so that the first switch to it calls fn(arg) on it, with interrupts off; a
 * return from fn is a bug. Also resets t->arch: no FPU area. on entry     t->kstack is set
 */
void arch_thread_init(struct thread *t, void (*fn)(void *), void *arg);

/* Child of fork/clone: user registers, TLS and FPU state copied from the running parent (return
 * value 0); the first switch to it calls `first`, with interrupts off, and then returns to user
 * mode. sp: used unless 0. -ENOMEM. */
MUST_CHECK int arch_thread_fork(struct thread *child, const struct regs *parent_regs, uint64_t sp,
				bool set_tls, uint64_t tls, void (*first)(void));

void arch_thread_free(struct thread *t); /* FPU area; t does not run */

/* Where FPU areas come from: arch_fpu_size() bytes, aligned to 64. Set once at boot (arch does not
 * call slab). */
size_t arch_fpu_size(void);
void arch_fpu_set_alloc(void *(*alloc)(void), void (*free)(void *));

/* The FPU state of t as an XSAVE image (at least the 512 bytes of FXSAVE), for core dumps and
 * ptrace. t is the running thread or does not run. NULL: kernel thread. */
const void *arch_fpu_state(struct thread *t, size_t *size);

/* The state of the running thread, as above and below, is what memory says it is, until it returns
 * to user mode: others may read it. */
void arch_user_state_sync(void);

/* A thread that arch_thread_init() has prepared gets its FPU area before it runs, for an exec that
 * cannot panic. -ENOMEM. */
MUST_CHECK int arch_thread_init_fpu(struct thread *t);

/* The general registers as elf(5)'s core files have them (NT_PRSTATUS), of the running thread, or
 * of one that has called arch_user_state_sync(). */
void arch_core_regs(struct thread *t, uint64_t out[ARCH_CORE_REGS]);

/* Writes what a debugger must know besides into a copy of an arch_fpu_state() of `size` bytes:
 * which components the image can have. False: there is nothing but FXSAVE's part. */
MUST_CHECK bool arch_core_xstate(void *image, size_t size);

/* New image: all user registers zero, FPU initial, TLS 0; execution starts at pc with sp. A kernel
 * thread that becomes process 1 gets its FPU area here; panics when there is no memory for that
 * one. */
void arch_thread_exec(struct thread *t, struct regs *r, uint64_t pc, uint64_t sp);

/* Switches stacks, TLS base and FPU state. Interrupts off. Returns, on prev's stack later, the
 * thread that ran on this CPU just before. */
struct thread *arch_switch(struct thread *prev, struct thread *next);

/* Enters user mode with t's registers: for process 1, from a kernel thread that has exec'ed. */
NORETURN void arch_enter_user(struct regs *r);

/* arch_prctl(2) and what clone's CLONE_SETTLS needs. */
int64_t arch_prctl(int code, uaddr_t addr);
/* Whether a user may have this thread pointer: clone(2) CLONE_SETTLS, arch_prctl(2). */
bool arch_tls_ok(uint64_t base);
uint64_t arch_tls_get(const struct thread *t);
void arch_tls_set(struct thread *t, uint64_t base);
