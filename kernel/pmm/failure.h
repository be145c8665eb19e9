#pragma once

/*
 * Failure injection (debug kernels): makes a chosen allocation of the running thread fail, so that
 * the ways out of every operation can be walked. All that allocates asks here first: pages (page
 * tables included), slab objects, kmalloc(), kernel addresses and stacks. The count is the
 * thread's own, so it lives above: sched sets the hook, /proc/PID/fail-nth sets the count.
 */

#include "lib/types.h"

#ifdef KEVLAR_DEBUG
/* True when the allocation that `caller` asks for is to fail. NULL: none ever. */
extern bool (*alloc_failure)(const void *caller);

/* An allocation is about to be made. Use it once for each that may fail by itself. */
#define alloc_fails() UNLIKELY(alloc_failure != NULL && alloc_failure(__builtin_return_address(0)))
#else
#define alloc_fails() false
#endif
