#pragma once

/*
 * x86-64 part of <arch/context.h>. The layout is what the entry code pushes; from r15 to ss it is
 * also what ptrace(2) and core dumps call the general registers. Code outside the port uses the
 * accessors: those that set something also set `full`, which sends the thread back to user mode by
 * IRET (SYSRET would hand out rcx and r11 as copies of rip and rflags).
 */

#include "lib/types.h"

struct regs {
	uint64_t full; /* not 0: every register must be restored as it stands here */
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t nr; /* system call number; REGS_NO_SYSCALL; for a moment a trap's error code */
	uint64_t rip, cs, rflags, rsp, ss;
};

#define REGS_NO_SYSCALL UINT64_MAX

struct arch_thread {
	uint64_t sp;               /* while it does not run */
	uint64_t fs_base, gs_base; /* user's; while running the registers hold the truth */
	void *fpu;                 /* XSAVE or FXSAVE area, 64-byte aligned; NULL: kernel thread */
	uint32_t fpu_cpu;          /* CPU whose registers may still hold this state */
	uint32_t extra;         /* enum extra: what the switch looks at besides; nearly always 0 */
	struct io_ports *ports; /* what ioperm(2) allowed, or NULL; counted */
	struct debug_regs *debug; /* debug.c; NULL: a debugger never asked for any */
	uint64_t dr6;             /* what the last debug exception was about, as ptrace(2) has it */
};

/* The beginning of struct thread (sched/thread.h), as the port sees it; sched asserts the match. */
struct thread_head {
	_Atomic uint32_t work;
	_Atomic uint32_t state;
	void *kstack;
	struct arch_thread arch;
};

static inline uint64_t regs_pc(const struct regs *r)
{
	return r->rip;
}

static inline uint64_t regs_sp(const struct regs *r)
{
	return r->rsp;
}

static inline uint64_t regs_ret(const struct regs *r)
{
	return r->rax;
}

/* Only eax counts, sign-extended. */
static inline uint64_t regs_syscall_nr(const struct regs *r)
{
	return (uint64_t)(int64_t)(int32_t)r->nr;
}

/* i: 0 … 5, a constant or not. */
static inline uint64_t regs_arg(const struct regs *r, unsigned i)
{
	switch (i) {
	case 0:
		return r->rdi;
	case 1:
		return r->rsi;
	case 2:
		return r->rdx;
	case 3:
		return r->r10;
	case 4:
		return r->r8;
	default:
		return r->r9;
	}
}

/* An address that is not user's becomes USER_END: canonical, so IRET takes it, and never mapped. */
static inline void regs_set_pc(struct regs *r, uint64_t pc)
{
	r->rip = pc < 0x00007ffffffff000ul ? pc : 0x00007ffffffff000ul;
	r->full = 1;
}

static inline void regs_set_sp(struct regs *r, uint64_t sp)
{
	r->rsp = sp;
}

static inline void regs_set_ret(struct regs *r, uint64_t v)
{
	r->rax = v;
}

static inline bool regs_from_user(const struct regs *r)
{
	return r->cs & 3;
}

static inline bool regs_in_syscall(const struct regs *r)
{
	return r->nr != REGS_NO_SYSCALL;
}

static inline void regs_syscall_done(struct regs *r)
{
	r->nr = REGS_NO_SYSCALL;
}

/* SYSCALL is two bytes; the argument registers are never changed by the kernel. */
static inline void regs_syscall_restart(struct regs *r)
{
	r->rax = r->nr;
	r->rip -= 2;
	r->full = 1;
	r->nr = REGS_NO_SYSCALL;
}

static inline void regs_syscall_restart_as(struct regs *r, long nr)
{
	r->nr = (uint64_t)nr;
	regs_syscall_restart(r);
}
