#pragma once

/* File locks: flock(2), POSIX record locks and open file description locks of fcntl(2). */

#include "lib/types.h"

struct abi_flock;
struct fdtable;
struct file;
struct inode;

void file_lock_init(void);

/* flock(2). -EWOULDBLOCK, -EINVAL, -ERESTARTSYS, -ENOLCK (no memory). */
MUST_CHECK int file_flock(struct file *f, unsigned operation);

/* F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms. For a GETLK the answer replaces *fl.
 * -EAGAIN; -EACCES is never used; -EDEADLK; -EBADF mode; -EINVAL, -EOVERFLOW range; -ERESTARTSYS;
 * -ENOLCK */
MUST_CHECK int file_posix_lock(struct file *f, int cmd, struct abi_flock *fl);

/* Every close(2) drops the POSIX locks that the closing table's owner has on the file; the last
 * close the file's own. */
void file_lock_close_posix(struct file *f, struct fdtable *owner);
void file_lock_release(struct file *f);
void file_lock_free_list(struct inode *i); /* the inode goes */

/* The tgid to report for locks of the running task: set by proc. */
extern int32_t (*vfs_current_tgid)(void);
