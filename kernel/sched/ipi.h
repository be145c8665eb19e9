#pragma once

/* Asking other CPUs to do something. Handlers run with interrupts off. */

#include "lib/types.h"

/*
 * Runs fn(arg) on every CPU of `cpus` except this one and waits for all to have done so.
 *   context      interrupts on, no spinlock held that another CPU may spin on with interrupts off
 */
void ipi_call(uint64_t cpus, void (*fn)(void *arg), void *arg);

/* Makes `cpu` look at its run queue. Any context. */
void ipi_resched(unsigned cpu);
