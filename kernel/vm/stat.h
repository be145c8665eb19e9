#pragma once

/* Counts of what the memory system did, per CPU: /proc/vmstat. */

#include "core/percpu.h"
#include "lib/types.h"

enum vm_event {
	VM_EVENT_FAULT,     /* page faults resolved without reading */
	VM_EVENT_MAJFAULT,  /* those that had to read */
	VM_EVENT_STEAL,     /* cache pages taken by reclaim */
	VM_EVENT_LAZYFREE,  /* pages that MADV_FREE gave up */
	VM_EVENT_LAZYFREED, /* those of them that were taken before they were written again */
	VM_EVENT_THP_FAULT, /* 2 MiB blocks given to a fault */
	VM_EVENT_THP_SPLIT, /* 2 MiB leaves cut into small ones */
	VM_EVENT_OOM_KILL,
	VM_EVENT_DROP_PAGECACHE,
	VM_EVENT_DROP_SLAB,
	VM_EVENTS
};

struct vm_events {
	uint64_t n[VM_EVENTS];
};
DECLARE_PERCPU(struct vm_events, vm_events);

/* Threads only, and only between two sleeps: a count is not atomic. */
static inline void vm_count(enum vm_event e, uint64_t n)
{
	this_cpu(vm_events).n[e] += n;
}

uint64_t vm_events_sum(enum vm_event e); /* over all CPUs; a snapshot */
