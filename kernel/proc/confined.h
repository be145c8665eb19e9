#pragma once

/* What a task may not do, besides what its credentials say: part of struct task. Inherited by
 * clone(2), kept by execve(2), never taken back. Under the siglock to change. */

#include "lib/types.h"

struct seccomp_filter;

struct task_confined {
	_Atomic bool no_new_privs; /* prctl(2) */
	_Atomic uint8_t mode;      /* SECCOMP_MODE_*; proc/seccomp.c */
	uint32_t nfilters;
	_Atomic(struct seccomp_filter *) filter; /* the newest, counted; NULL: the mode has none, or
						    the task has ended */
};
