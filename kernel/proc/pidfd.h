#pragma once

/* Descriptors that name a process: pidfd_open(2), pidfd_getfd(2), CLONE_PIDFD, P_PIDFD. */

#include "lib/types.h"

struct file;
struct pid;

/* A new descriptor (close-on-exec) for process `nr`. -ESRCH; -EINVAL a thread that leads none;
 * -EMFILE, -ENOMEM. */
MUST_CHECK int pidfd_open(uint32_t nr, bool nonblock);
/* The pid object behind a pidfd, borrowed from f; NULL: f is no pidfd. */
struct pid *pidfd_pid(struct file *f);
/* Copies descriptor fd of the process that p names into this one. -ESRCH, -EPERM, -EBADF, … */
MUST_CHECK int pidfd_get_file(struct pid *p, int fd);
