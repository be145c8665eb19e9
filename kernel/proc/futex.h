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
/* Robust list and PI state of an exiting (or exec'ing) task. */
void futex_exit(struct task *t);
