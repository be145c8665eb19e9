/*
 * Failure injection: counts the allocations of a thread that has been told to fail. Interrupt
 * handlers allocate nothing, so what is counted is the thread's own work and what it does for
 * others on the way (reclaim, callbacks of the last reference).
 */
#ifdef KEVLAR_DEBUG

#include "sched/failure.h"

#include "core/ktrace.h"
#include "pmm/failure.h"
#include "sched/thread.h"

static bool this_one_fails(const void *caller)
{
	struct thread *t = curthread();

	if (LIKELY(!t || t->fail_left == 0) || --t->fail_left > 0)
		return false;
	t->fail_left = t->fail_again;
	t->fail_site = caller;
	ktrace(KT_MM, alloc_fail, (uintptr_t)caller, 0, 0, 0, 0, 0);
	return true;
}

void thread_fail_nth(struct thread *t, uint32_t n, uint32_t again)
{
	t->fail_site = NULL;
	t->fail_again = again;
	t->fail_left = n;
}

uint32_t thread_fail_left(const struct thread *t, const void **site)
{
	*site = t->fail_site;
	return t->fail_left;
}

void thread_failure_init(void)
{
	alloc_failure = this_one_fails;
}

#endif
