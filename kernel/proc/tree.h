#pragma once

/* Process groups and sessions: the calls that change them. */

#include "lib/types.h"

/* setpgid(2) of process `nr` (the running one or a child) to `pgid`. 0; -ESRCH, -EPERM, -EACCES.
 * Takes PROCTREE. */
MUST_CHECK int process_set_group(uint32_t nr, uint32_t pgid);

/* setsid(2). The new session's id; -EPERM the caller leads a group. Takes PROCTREE. */
MUST_CHECK int64_t process_new_session(void);

/* Becomes (or ceases to be) a subreaper: prctl(2) PR_SET_CHILD_SUBREAPER. Takes PROCTREE. */
void process_set_subreaper(bool on);

/* Signal for when the task that made this process ends: prctl(2) PR_SET_PDEATHSIG; sig checked, 0:
 * none. */
void task_set_pdeath_signal(int sig);

/* unshare(2) of descriptor table and working directory, by CLONE_FILES and CLONE_FS. 0; -EINVAL for
 * what a process with more than one user of it cannot stop sharing; -ENOMEM. */
MUST_CHECK int process_unshare(uint64_t flags);
