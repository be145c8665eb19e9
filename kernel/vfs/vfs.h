#pragma once

/* Boot of the layer. */

/* Makes the caches and hooks of vfs (credentials, dentries, inodes, mounts, files, tables, walks).
 * Once, after vm and the scheduler; the first mount comes after it (mount_init_root). */
void vfs_init(void);

/* sync(2): writes every file system's changes back. Cannot fail: what cannot be written is said in
 * the log. May sleep. */
void vfs_sync_all(void);
