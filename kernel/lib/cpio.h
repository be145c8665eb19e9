#pragma once

/*
 * The "newc" cpio format (initramfs). Two readers of the same headers: an iterator over an archive
 * that lies in memory, and a stream reader that takes the archive in pieces as a decompressor
 * produces them. Several archives may follow each other, with zero bytes between them. Nothing is
 * ever read outside the given range.
 *   source       cpio(5) of libarchive, "New ASCII Format"; initramfs buffer format
 */

#include "lib/types.h"

enum { CPIO_HEADER = 110, CPIO_NAME_MAX = 4096 /* bytes, with the NUL */ };

struct cpio_entry {
	const char *name; /* NUL-terminated, as in the archive: may begin with "/" or "./" */
	uint32_t ino, mode, uid, gid, nlink, mtime;
	uint32_t dev_major,
		dev_minor; /* of the file system it came from: (dev, ino) names a hard link */
	uint32_t rdev_major, rdev_minor; /* of the device that it is */
	uint64_t size;       /* bytes of data: contents, or the target of a symbolic link */
	const uint8_t *data; /* iterator: in place; stream: NULL */
	unsigned archive;    /* 0, 1, …: hard links do not cross archives */
};

struct cpio {
	const uint8_t *base;
	size_t len; /* bytes */
	size_t pos; /* of the next header; after an error: of the entry that is wrong */
	unsigned archive;
	bool inside; /* a trailer is still to come */
};

void cpio_init(struct cpio *c, const void *base, size_t len);

/*
 * The next entry.
 *   e            valid while the memory is; e->name and e->data point into it
 *   returns      1 and *e; 0 at the end, or after a trailer when what follows (at c->pos) is not a
 *                cpio header: the caller looks there for a compressed archive; -EINVAL corrupt or
 *                truncated, at c->pos
 */
MUST_CHECK int cpio_next(struct cpio *c, struct cpio_entry *e);

/*
 * Callbacks of the stream reader. A non-zero return ends the reading and is returned by
 * cpio_feed().
 */
struct cpio_ops {
	int (*entry)(void *ctx,
		     const struct cpio_entry *e); /* e and its name only during the call */
	int (*data)(void *ctx, const uint8_t *p,
		    size_t n); /* a piece of the last entry's contents */
	int (*end)(void *ctx); /* the last entry has all its contents */
};

struct cpio_stream {
	const struct cpio_ops *ops;
	void *ctx;
	uint64_t offset; /* bytes taken since cpio_stream_init(): says where an error lies */
	uint64_t left;   /* bytes of the present state still to come */
	uint32_t have;   /* bytes gathered in head or name */
	uint8_t state, pad;
	bool inside, is_crc;
	uint32_t check, sum; /* of a 070702 entry */
	unsigned archive;
	struct cpio_entry e;
	uint8_t head[CPIO_HEADER];
	char name[CPIO_NAME_MAX];
};

void cpio_stream_init(struct cpio_stream *s, const struct cpio_ops *ops, void *ctx);
MUST_CHECK int cpio_feed(struct cpio_stream *s, const void *p,
			 size_t n); /* 0; -EINVAL; what a callback returned */
MUST_CHECK int cpio_stream_end(
	struct cpio_stream *s); /* 0; -EINVAL: the input ended inside an archive */
