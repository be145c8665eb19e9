#pragma once

/* procfs and sysfs: registration at boot; directories of processes as descriptors of them. */

#include "lib/types.h"

struct file;
struct pid;

void procfs_init(void);
void sysfs_init(void);

/* The pid object of the process whose directory /proc/PID f is, counted; NULL: f is something else.
 */
MUST_CHECK struct pid *procfs_pid_of(struct file *f);
