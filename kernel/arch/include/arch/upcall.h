#pragma once

/*
 * The functions that a port calls: the only way up from arch/. Each is defined by the layer named.
 * Besides these a port uses core's log.h, panic.h, percpu.h, spinlock.h, irq.h and clock_mono() of
 * clock.h.
 */

#include "lib/types.h"

struct regs;
struct boot_info;

NORETURN void kernel_main(void);       /* boot: boot CPU, its stack, interrupts off */
NORETURN void cpu_start(unsigned cpu); /* boot: another CPU, on its idle stack, interrupts off */

void syscall_enter(struct regs *r); /* sys: interrupts on; result stored in r */

/* proc: before every return to user mode when thread->work is not 0; interrupts off in and out. */
void user_return_work(struct regs *r);

enum fault_flags {
	FAULT_PRESENT = 1,
	FAULT_WRITE = 2,
	FAULT_USER = 4,
	FAULT_RESERVED = 8,
	FAULT_EXEC = 16
};

/* vm: a page fault, interrupts on where they were. In kernel mode false: not resolved, use the
 * exception table. In user mode always true: resolved, or a signal is pending. `code` is enum
 * fault_flags. */
bool page_fault(struct regs *r, uint64_t addr, unsigned code);

/* proc: another exception in user mode: becomes signal `sig`, si_code `code`, si_addr `addr`. */
void user_trap(struct regs *r, int sig, int code, uint64_t addr, unsigned trap_nr, uint64_t error);

/* What the log calls the trap of a program that it ends; NULL: it is not worth a line. */
const char *arch_trap_label(unsigned trap_nr);
/* The registers of a program, as warnings in the log. */
void arch_user_regs_log(const struct regs *r);

void tick(void);         /* sched: this CPU's timer fired; interrupts off */
void ipi_received(void); /* sched: interrupts off */
/* void irq_dispatch(unsigned vector);       core/irq.h */
