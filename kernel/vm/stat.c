/* The memory system's counts: see the header. */
#include "vm/stat.h"

PERCPU(struct vm_events, vm_events);

uint64_t vm_events_sum(enum vm_event e)
{
	uint64_t sum = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		sum += of_cpu(vm_events, cpu).n[e];
	return sum;
}
