#pragma once

/* Which allocations of a thread fail, see pmm/failure.h. Debug kernels. */

#include "lib/types.h"

struct thread;

/* The nth allocation of t from now on fails, then every `again`th (0: no more). n = 0: none. */
void thread_fail_nth(struct thread *t, uint32_t n, uint32_t again);

/* What is left of n: 0 once it has happened. *site: who asked for the last one that failed. */
uint32_t thread_fail_left(const struct thread *t, const void **site);

void thread_failure_init(void); /* sets pmm's hook */
