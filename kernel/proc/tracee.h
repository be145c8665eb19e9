#pragma once

/* What a task knows of being stopped, by job control and for a tracer: part of struct task. */

#include "lib/list.h"
#include "lib/types.h"

struct abi_siginfo;
struct task;

/*
 * A task that is being traced, ptrace(2): who does it and how, and the stop that it is in.
 * proc/ptrace.c says how it works.
 */
struct task_trace {
	struct task *tracer;  /* PROCTREE + siglock to change; NULL: none; borrowed, since a task
				 that  ends lets go of those it traces */
	struct list node;     /* PROCTREE; in its tracer's process's tracees or tracees_ready */
	uint32_t options;     /* tracer, while it is stopped; PTRACE_O_* */
	uint32_t syscalls;    /* tracer, while it is stopped; enum trace_syscalls */
	bool seized, capable; /* as of the attach: by PTRACE_SEIZE; by one with CAP_SYS_PTRACE */
	int status;           /* siglock; of the stop, wait status >> 8; 0: none, or waited for */
	int signal;           /* siglock; what the task goes on with */
	uint64_t message;     /* of the stop */
	struct abi_siginfo *info; /* of the stop; on the stack of the task; NULL: none */
};

enum trace_syscalls {
	TRACE_CALLS = 1, /* stop at entry and exit */
	TRACE_EMU = 2,   /* stop at entry, and do not make the call */
	TRACE_STEP = 4,  /* a single step ends at the exit */
};

enum jobctl {
	JOBCTL_STOP = 1,    /* is to stop, and is counted in process->stop_count */
	JOBCTL_STOPPED = 2, /* has stopped */
	JOBCTL_STOP_AGAIN =
		4,         /* with STOP: it is not counted, since the process has stopped before */
	JOBCTL_TRACED = 8, /* trace.tracer is set */
	JOBCTL_TRAPPED = 16,     /* is stopped for its tracer */
	JOBCTL_TRAP_STOP = 32,   /* is to stop for its tracer: group stop, PTRACE_INTERRUPT */
	JOBCTL_TRAP_NOTIFY = 64, /* likewise: the state of its process has changed */
	JOBCTL_LISTENING = 128, /* is stopped, but not for its tracer to change it: PTRACE_LISTEN */
	JOBCTL_STOP_TAKEN = 512, /* its tracer looks at a signal; SIGCONT clears it */
	JOBCTL_TRAPPING = 256,   /* goes from STOPPED to TRAPPED; the tracer waits for it */

	JOBCTL_GROUP_STOP = JOBCTL_STOP | JOBCTL_STOPPED | JOBCTL_STOP_AGAIN,
	JOBCTL_TRAPS = JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY,
	JOBCTL_PENDING = JOBCTL_STOP | JOBCTL_TRAPS,
};
