#pragma once

/* fcntl(2) on an open file, and O_ASYNC notification. */

#include "lib/types.h"

struct file;

/* Everything but the commands that concern the descriptor alone. The value, or -errno of the manual
 * page. */
MUST_CHECK int64_t file_fcntl(struct file *f, int cmd, uint64_t arg);

/* Sends SIGIO (or F_SETSIG's signal) to the owner when O_ASYNC is on; set by proc. band: POLL_IN …
 */
extern void (*file_send_sigio)(struct file *f, int band);
/* SIGURG to the owner, if there is one: urgent data of a socket. Set by proc. */
extern void (*file_send_sigurg)(struct file *f);

/* Memory files with seals (memfd): F_ADD_SEALS, F_GET_SEALS. -EINVAL for others. */
struct inode;
extern int64_t (*memfd_seals_hook)(struct file *f, int cmd, uint64_t arg);
