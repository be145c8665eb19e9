#pragma once

/* Exit, wait, reaping. */

#include "lib/types.h"
#include "proc/task.h"

struct abi_rusage;

/* Ends the running task; the last one of a process makes the zombie. `status` is a wait status. */
NORETURN void task_exit(int status);
/* exit_group(2): ends all tasks of the running process. */
NORETURN void process_exit(int status);

struct wait_args {
	int type;        /* P_ALL, P_PID, P_PGID, P_PIDFD */
	struct pid *pid; /* borrowed; NULL for P_ALL */
	int options;     /* WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT, __WALL … */
	/* results */
	int status;  /* as wait4's */
	int si_code; /* CLD_* */
	uint32_t uid;
	struct abi_rusage *ru; /* may be NULL */
};
/* The pid found; 0 with WNOHANG and nothing yet; -ECHILD; -ERESTARTSYS. */
MUST_CHECK int64_t process_wait(struct wait_args *a);

void process_io(struct process *p, struct thread_io *out); /* of all its tasks, dead ones too */
void process_rusage(struct process *p, int who, struct abi_rusage *ru);
