/*
 * Per-CPU variables: the boot CPU uses the section .percpu itself, the others get copies. The
 * section is saved as linked before anything can change it (locks taken, lists initialised), so
 * every copy starts pristine.
 */

#include "core/percpu.h"

#include "lib/string.h"

/* Linker script. */
extern char __percpu_start[], __percpu_end[], __percpu_template[];

uintptr_t percpu_offset[MAX_CPUS];
unsigned ncpus = 1;
_Atomic uint64_t cpus_online = 1;

size_t percpu_size(void)
{
	return (size_t)(__percpu_end - __percpu_start);
}

void percpu_save_template(void)
{
	memcpy(__percpu_template, __percpu_start, percpu_size());
}

void percpu_init_cpu(unsigned cpu, void *copy)
{
	memcpy(copy, __percpu_template, percpu_size());
	percpu_offset[cpu] = (uintptr_t)copy - (uintptr_t)__percpu_start;
}
