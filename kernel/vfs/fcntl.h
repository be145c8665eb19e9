#pragma once

/* fcntl(2) on an open file, and O_ASYNC notification. */

#include "lib/list.h"
#include "lib/types.h"

struct file;

/* Everything but the commands that concern the descriptor alone. The value, or -errno of the manual
 * page. */
MUST_CHECK int64_t file_fcntl(struct file *f, int fd, int cmd, uint64_t arg);

/* F_SETFL: status flags. fd: as the caller knows the file. */
MUST_CHECK int file_set_status(struct file *f, int fd, uint32_t flags);
/* Turns O_ASYNC on or off: 1: the flag is to change, 0: it stays; -ENOMEM. */
MUST_CHECK int file_set_async(struct file *f, int fd, bool on);

/*
 * For objects that send SIGIO from a list (file_ops.fasync): adds or removes f, and signals all.
 * Both under the object's lock, a sleeping one. -ENOMEM.
 */
MUST_CHECK int async_set(struct list *l, struct file *f, bool on);
void async_signal_all(struct list *l, int band);
static inline void async_signal(struct list *l, int band)
{
	if (UNLIKELY(!list_is_empty(l)))
		async_signal_all(l, band);
}

/* Sends SIGIO (or F_SETSIG's signal) to the owner when O_ASYNC is on; set by proc. band: POLL_IN …
 */
extern void (*file_send_sigio)(struct file *f, int band);
/* SIGURG to the owner, if there is one: urgent data of a socket. Set by proc. */
extern void (*file_send_sigurg)(struct file *f);

/* Is there a thread, process or group of this number (F_OWNER_*)? Set by proc. */
extern bool (*vfs_owner_exists)(int type, int nr);
/* The running process becomes the owner of a file that has none. */
void file_own(struct file *f);

/* Memory files with seals (memfd): F_ADD_SEALS, F_GET_SEALS. -EINVAL for others. */
struct inode;
extern int64_t (*memfd_seals_hook)(struct file *f, int cmd, uint64_t arg);
