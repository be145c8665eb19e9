#pragma once

/* Restartable sequences: rseq(2). */

#include "lib/types.h"

struct regs;

/* The call itself. 0; -EINVAL, -EBUSY, -EPERM, -EFAULT. */
MUST_CHECK int rseq_register(uaddr_t area, uint32_t len, uint32_t flags, uint32_t sig);

/* Before a signal handler is entered: a critical section is left by its abort handler. Only with an
 * area. */
void rseq_leave(struct regs *r);

/*
 * On the way to user mode after the task lost its CPU: tells the area which CPU it is, and
 * leaves a critical section by its abort handler. A bad area is SIGSEGV. Does nothing without a
 * registered area. context      the running task, interrupts on; may sleep
 */
void rseq_resume(struct regs *r);
