#pragma once

/* inotify(7). */

#include "lib/types.h"

struct file;
struct path;
struct inode;

/* sysctl fs.inotify.max_*: queued events of an instance; instances and watches of a user. */
extern int vfs_inotify_max_events, vfs_inotify_max_instances, vfs_inotify_max_watches;

void inotify_init(void); /* boot: sets fsnotify_hook */
MUST_CHECK int inotify_open(unsigned oflags, struct file **out);

/* The watch descriptor; -EINVAL not an inotify file or no event in mask; -EEXIST; -ENOSPC; -ENOMEM.
 */
MUST_CHECK int inotify_watch(struct file *f, const struct path *p, uint32_t mask);
MUST_CHECK int inotify_unwatch(struct file *f, int wd);

/* fcntl(2) F_NOTIFY: DN_* bits are added to what is asked for by this table; none ends it.
 * -ENOTDIR, -ENOMEM. */
struct fdtable;
extern int vfs_dnotify_enable; /* sysctl fs.dir-notify-enable: else -EINVAL */
MUST_CHECK int64_t dnotify_set(struct file *f, int fd, uint32_t events);
/* The table (NULL: everybody) closes f, which has FMODE_NOTIFY. */
void dnotify_close(struct file *f, const struct fdtable *t);

/* The inode is deleted or its file system unmounted: IN_DELETE_SELF/IN_UNMOUNT, IN_IGNORED, watches
 * gone. */
void fsnotify_inode_gone(struct inode *i, uint32_t mask);
