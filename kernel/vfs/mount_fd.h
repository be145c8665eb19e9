#pragma once

/*
 * Mounts made in steps and held by descriptors: open_tree(2), move_mount(2), fsopen(2),
 * fsconfig(2), fsmount(2), fspick(2). Permission is the caller's.
 */

#include "lib/types.h"

struct file;
struct fs_type;
struct path;

/* OPEN_TREE_CLONE: an O_PATH file on a copy of at's tree, which goes with the file unless it was
 * moved into place. -EINVAL, -ENOMEM. */
MUST_CHECK int mount_open_clone(const struct path *at, bool recursive, struct file **out);
/* Puts the mount `from`, of a descriptor or attached, on `at`. Errors of mount(2) MS_MOVE. */
MUST_CHECK int mount_move_to(const struct path *at, const struct path *from);

/* A configuration: of a new file system of type t, or of the one mounted at `at`. */
MUST_CHECK int fscontext_open(struct fs_type *t, struct file **out);
MUST_CHECK int fscontext_pick(const struct path *at, struct file **out);
/*
 * One step: FSCONFIG_*. key and value as the command demands, else NULL.
 *   returns      0; -EINVAL no context, or an option that is not known; -EOPNOTSUPP a kind of
 *                parameter that nothing takes; -EBUSY not in this state; the file system's error
 */
MUST_CHECK int fscontext_config(struct file *f, unsigned cmd, const char *key, const char *value);
/* The mount of a created file system, as mount_open_clone()'s. -EINVAL; -EBUSY not created yet. */
MUST_CHECK int fscontext_mount(struct file *f, unsigned mount_flags, struct file **out);
