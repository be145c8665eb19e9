#pragma once

/* inotify(7). */

#include "lib/types.h"

struct file;
struct path;
struct inode;

void inotify_init(void); /* boot: sets fsnotify_hook */
MUST_CHECK int inotify_open(unsigned oflags, struct file **out);

/* The watch descriptor; -EINVAL not an inotify file or no event in mask; -EEXIST; -ENOSPC; -ENOMEM.
 */
MUST_CHECK int inotify_watch(struct file *f, const struct path *p, uint32_t mask);
MUST_CHECK int inotify_unwatch(struct file *f, int wd);

/* The inode is deleted or its file system unmounted: IN_DELETE_SELF/IN_UNMOUNT, IN_IGNORED, watches
 * gone. */
void fsnotify_inode_gone(struct inode *i, uint32_t mask);
