#pragma once

/* Limits of a process, for prlimit(2). */

#include "abi/errno.h"
#include "lib/types.h"

struct abi_rlimit;
struct process;

/*
 * Sets a limit, new NULL: only asks.
 *   new          checked: soft <= hard
 *   returns      0; -EPERM the hard limit would be raised without CAP_SYS_RESOURCE
 *   context      may sleep; takes the siglock, then VMSPACE
 */
MUST_CHECK int process_set_rlimit(struct process *p, unsigned resource,
				  const struct abi_rlimit *new, struct abi_rlimit *old);
