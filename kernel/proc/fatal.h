#pragma once

/* The log's lines about programs that end by a fault. */

#include "lib/types.h"

struct regs;

extern int fatal_exception_trace; /* debug.exception-trace: say so */
extern int fatal_print_signals;   /* kernel.print-fatal-signals: with registers */

/* The running task faulted, and no handler of its own is going to hear of it: one line, not too
 * often. Called before the signal is sent. `label`: of the trap; NULL: a page fault at addr. */
void fatal_log_fault(const struct regs *r, int sig, const char *label, uint64_t addr,
		     uint64_t error);

/* seccomp(2) did something about a system call of the running task: the record that the audit
 * trail would have, not too often. sig: what the task ends by; 0: nothing. */
void fatal_log_seccomp(int sig, int nr, uint32_t arch, uint64_t ip, uint32_t action);

/* The running task ends by a signal that dumps core: only with kernel.print-fatal-signals. */
void fatal_log_signal(int sig);
