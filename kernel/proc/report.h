#pragma once

/*
 * Telling programs what happens to processes: the process event connector (connector.c) and
 * TASKSTATS (taskstats.c). While nobody wants to know, that costs a load and a branch.
 */

#include "proc/task.h"

struct cred;

enum process_watch {
	WATCH_EVENTS = 1, /* somebody listens to the connector */
	WATCH_STATS = 2,  /* somebody has registered for the records of those who end */
};

extern _Atomic uint32_t process_watch; /* enum process_watch */

static inline bool process_is_watched(uint32_t by)
{
	return UNLIKELY(atomic_load_explicit(&process_watch, memory_order_relaxed) & by);
}

/* The parent as events name it: the task that made a process, and its process. */
struct task_parent {
	int32_t tid, tgid;
};

/*
 * Each tells the listeners, if there are any, of what has happened to the running task, or to t.
 *   context      may sleep; no locks
 *   source       linux/cn_proc.h, Linux's behaviour
 */
void report_fork(struct task *child); /* before it runs */
void report_exec(void);
void report_session(void);
void report_name(struct task *t);
void report_core_dump(void);
struct task_parent report_parent(struct task *t);       /* takes PROCTREE */
void report_exit(struct task *t, struct task_parent p); /* it has left its parent a status */

/* cred_commit(), and tells of ids that have changed. */
void cred_commit_reporting(struct cred *c);

/* TASKSTATS: t, the running task, ends; `last` of its process. Its memory is still there. */
void report_stats(struct task *t, bool last);

void connector_init(void); /* boot, after netlink_init() */
void taskstats_init(void); /* boot, after genl_init() */
