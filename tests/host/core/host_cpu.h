#pragma once

/* What tests of core/ define for the fake <arch/cpu.h>, once in each test program. */

#include <stdio.h>
#include <stdlib.h>

#include "core/panic.h"
#include "core/percpu.h"

unsigned host_cpu;
uint64_t host_counter, host_counter_step;
bool host_irqs_on = true;
uintptr_t percpu_offset[MAX_CPUS];
unsigned ncpus = 1;
_Atomic uint64_t cpus_online = 1;
_Atomic bool panicking;

static const char *expected_panic;
static jmp_buf panic_jump;
static char panic_message[256];

/* Ends the test program, or returns to the test that has set expected_panic. */
void panic(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vsnprintf(panic_message, sizeof(panic_message), f, ap);
	va_end(ap);
	if (expected_panic)
		longjmp(panic_jump, 1);
	fprintf(stderr, "panic: %s\n", panic_message);
	abort();
}

void kassert_failed(const char *expr, const char *file, int line)
{
	panic("assertion failed: %s at %s:%d", expr, file, line);
}
