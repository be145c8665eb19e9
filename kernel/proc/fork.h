#pragma once

/* clone(2) and its family: everything follows from the flags. */

#include "lib/types.h"

struct clone_args {
	uint64_t flags; /* CLONE_*, without the signal in the low byte */
	uint64_t stack; /* new stack pointer; 0: the parent's */
	uint64_t tls;
	uaddr_t parent_tid, child_tid, pidfd;
	int exit_signal;
	const int32_t *set_tid; /* kernel copy; NULL */
	unsigned set_tid_size;
};

/* Returns the child's tid; -errno of clone(2). vfork waits before it returns. */
MUST_CHECK int64_t process_clone(const struct clone_args *a);
