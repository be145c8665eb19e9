/* Starts the layer: called once by boot, after the allocators, threads and workers are there. */
#include "sched/sched.h"
#include "vm/vm_priv.h"
#include "vm/pagecache.h"

/* The scheduler's hook at each switch of threads, interrupts off. Kernel threads run on the
 * kernel's own table (pitfalls 4 and 22). */
static void switch_vm(struct vmspace *prev, struct vmspace *next)
{
	(void)prev;
	arch_pt_switch(next ? &next->pt : NULL);
}

void vm_init(void)
{
	vmspace_init();
	vmobject_init_caches();
	pagecache_init();
	fault_init();
	vdso_init();
	pmm_reclaim = pagecache_reclaim;
	lazyfree_init();
	sched_switch_vm = switch_vm;
	writeback_init();
}
