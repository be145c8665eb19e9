#pragma once

/* What /proc and sysctl(8) show, and set, of processes as a whole. */

#include "lib/types.h"

struct process;
struct task;
struct textbuf;

char task_state_char(const struct task *t); /* R S D T Z X */
/* The children that t made, for /proc/PID/task/TID/children. Takes PROCTREE. */
void task_list_children(struct task *t, struct textbuf *out);

extern int task_max;               /* kernel.threads-max: of all users, root's too */
uint32_t process_count(void);      /* processes that have not been reaped; racy */
uint64_t process_fork_count(void); /* processes and threads ever made: /proc/stat */
