#pragma once

/* What the vfs counts per user id against a sysctl: pages of pipes, inotify instances and watches.
 */

#include "lib/types.h"

enum vfs_usage_kind {
	USAGE_PIPE_PAGES,
	USAGE_INOTIFY_INSTANCES,
	USAGE_INOTIFY_WATCHES,
	USAGE_KINDS
};

struct vfs_usage;

/* The account of a user id; put what is got. NULL: no memory. */
MUST_CHECK struct vfs_usage *vfs_usage_get(uint32_t uid);
void vfs_usage_put(struct vfs_usage *u);

/* Adds n (may be negative) and returns what there is then. */
int64_t vfs_usage_add(struct vfs_usage *u, enum vfs_usage_kind kind, int64_t n);
