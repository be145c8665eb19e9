#pragma once

/* Character devices: numbers to operations, and their nodes in devtmpfs. */

#include "lib/types.h"
#include "vfs/file.h"

static inline uint64_t mkdev(unsigned major, unsigned minor)
{
	return (uint64_t)(major & 0xfff) << 8 | (minor & 0xff) | (uint64_t)(minor & ~0xffu) << 12 |
	       (uint64_t)(major & ~0xfffu) << 32; /* the encoding of makedev(3) */
}
static inline unsigned dev_major(uint64_t d)
{
	return (unsigned)((d >> 8 & 0xfff) | (d >> 32 & ~0xfffull));
}
static inline unsigned dev_minor(uint64_t d)
{
	return (unsigned)((d & 0xff) | (d >> 12 & ~0xffull));
}

/*
 * Registers minors [first, first+count) of a major. Never unregistered.
 *   name     of the major in /proc/devices
 */
void chrdev_register(unsigned major, unsigned first, unsigned count, const char *name,
		     const struct file_ops *ops);
const struct file_ops *chrdev_find(uint64_t rdev);
void chrdev_format(struct textbuf *t); /* "Character devices:" part of /proc/devices */

/* A node in devtmpfs, e.g. ("tty1", S_IFCHR|0620, 4, 1); intermediate directories are made. Set by
 * fs/devtmpfs; before it is up, registrations are kept and made then. */
void devnode_add(const char *name, uint32_t mode, uint64_t rdev);
void devnode_remove(const char *name);

/* Set by fs/devtmpfs: makes (or, mode 0, removes) one node. */
extern void (*devnode_backend)(const char *name, uint32_t mode, uint64_t rdev);
/* Calls fn for every node registered so far. */
void devnode_for_each(void (*fn)(const char *name, uint32_t mode, uint64_t rdev));
/* The node with the smallest number at or after *rdev: sets *rdev, name (cut at size), *mode.
 * False: none. */
bool devnode_next(uint64_t *rdev, char *name, size_t size, uint32_t *mode);

/* Opens of character and block devices end here: inode->fops of such nodes. */
extern const struct file_ops chrdev_node_ops, blkdev_node_ops;
/* The operations of a block device's files; set by the block layer. NULL or a NULL result: -ENXIO.
 */
extern const struct file_ops *(*blkdev_find_ops)(uint64_t rdev);
