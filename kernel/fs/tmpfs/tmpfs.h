#pragma once

/* The memory file system: tmpfs, ramfs, and the root before there is another. */

#include "lib/types.h"

struct file;
struct fs_type;
struct inode;
struct superblock;

void tmpfs_init(void); /* boot, after vfs_init(): registers tmpfs and ramfs */

/* The type of the first mount (mount_init_root): a tmpfs that /proc/mounts calls "rootfs". */
const struct fs_type *tmpfs_type(void);

/* Boot, once the initramfs is in place and its archive given back: the root may grow by half of the
 * memory that is left. Before that it has no limit, so that an archive may take what there is. */
void tmpfs_limit_root(struct superblock *sb);

/* For other file systems made of a tmpfs (devtmpfs): a superblock of type t with an empty root
 * directory of mode 0755. -ENOMEM. */
MUST_CHECK int tmpfs_create_super(const struct fs_type *t, struct superblock **out);

/*
 * A file without a name whose contents are memory (memfd_create(2), System V shared memory).
 *   name         as /proc/PID/fd shows it, without "/memfd:"
 *   returns      0; -ENOMEM; -ENFILE
 */
MUST_CHECK int tmpfs_open_memfd(const char *name, bool allow_sealing, unsigned oflags,
				struct file **out);

/*
 * The inode an initramfs fills: writes n bytes at pos straight into its page cache and makes the
 * file that long. The inode is a tmpfs regular file that nobody else has open. Bytes written, or
 * -ENOSPC, -ENOMEM.
 */
MUST_CHECK ssize64_t tmpfs_append(struct inode *i, uint64_t pos, const void *buf, size_t n);
