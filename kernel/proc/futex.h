#pragma once

/* Futexes: a hash of buckets keyed by what the word is (vm_futex_key), waiters in FIFO order. */

#include "lib/types.h"

struct task;

void futex_init(void);
/* The whole of futex(2). timeout: UADDR_NULL or a timespec already copied: deadline as op says,
 * NSEC_MAX none. */
MUST_CHECK int64_t futex_op(uaddr_t uaddr, int op, uint32_t val, nsec_t timeout, bool has_timeout,
			    uint32_t val2, uaddr_t uaddr2, uint32_t val3);
/* Wakes waiters on a word: clear_child_tid. */
void futex_wake_word(uaddr_t uaddr, unsigned n);
/*
 * futex_waitv(2): waits on n words, the array at `waiters`, until `deadline` (CLOCK_MONOTONIC).
 *   returns      the index of one that was woken; -EAGAIN, -ETIMEDOUT, -ERESTARTSYS, -EFAULT,
 *                -EINVAL, -ENOMEM
 */
MUST_CHECK int64_t futex_wait_multiple(uaddr_t waiters, uint32_t n, nsec_t deadline);
/* t's real-time priority was changed: its place among the waiters for a PI futex, and what others
 * inherit of it. */
void futex_pi_prio_changed(struct task *t);
/* The deadline on CLOCK_MONOTONIC that an absolute one, on CLOCK_REALTIME or not, means. */
nsec_t futex_deadline(bool realtime, nsec_t timeout);
/* Robust list and PI state of an exiting (or exec'ing) task. */
void futex_exit(struct task *t);
