#pragma once

/* File locks: flock(2), POSIX record locks and open file description locks of fcntl(2). */

#include "lib/types.h"

struct abi_flock;
struct fdtable;
struct file;
struct inode;
struct textbuf;

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

/*
 * F_SETLEASE, F_GETLEASE. A lease's holder is told (SIGIO, or F_SETSIG's) when somebody opens or
 * truncates the file in a way that conflicts, and has vfs_lease_break_time seconds to give it up.
 *   returns      0; -EINVAL no regular file, or no lease to give up; -EACCES neither owner nor
 *                CAP_LEASE; -EAGAIN the file is open in a way that conflicts; -ENOMEM
 */
MUST_CHECK int64_t file_set_lease(struct file *f, int fd, int type);
int64_t file_get_lease(struct file *f); /* F_RDLCK, F_WRLCK, F_UNLCK */
/* For open(2), truncate(2): waits until no lease of another file stands against the access. f: the
 * file being opened, NULL: none. 0; -EWOULDBLOCK; -ERESTARTSYS. */
MUST_CHECK int inode_break_leases(struct inode *i, const struct file *f, bool write, bool nonblock);
extern int vfs_lease_break_time, vfs_leases_enable; /* sysctl fs.lease-break-time (s) … */

void file_locks_show(struct textbuf *t); /* /proc/locks */
/* The locks that f has, or as POSIX ones its table: fdinfo. */
void file_locks_show_of(struct file *f, const struct fdtable *table, struct textbuf *t);

/* The tgid to report for locks of the running task: set by proc. */
extern int32_t (*vfs_current_tgid)(void);
