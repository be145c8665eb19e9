#pragma once

/* What happens when memory runs out, as /proc sets and tells it; the mechanism is in oom.c. */

struct process;

/* vm.oom_kill_allocating_task, vm.panic_on_oom, vm.oom_dump_tasks */
extern int oom_kill_allocating_task, oom_panic, oom_dump_tasks;
unsigned process_oom_score(
	struct process *p); /* /proc/PID/oom_score: 0 never killed … 2000; may sleep */
