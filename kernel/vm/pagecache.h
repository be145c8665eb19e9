#pragma once

/* Pages of a vmobject, for file systems and for faults. Contracts speak of vm/vmobject.h's locks.
 */

#include "lib/types.h"
#include "vm/vmobject.h"

/* The page at index if it is cached and valid, counted; NULL otherwise. No lock, no sleep. */
struct page *pagecache_find(struct vmobject *o, uint64_t index);

/*
 * The page at index, made and filled when it is not there.
 *   out          counted; PG_UPTODATE
 *   returns      0; -ENOMEM; -ENOSPC (charge); -EIO; -EINTR killed while waiting
 *   context      may sleep; takes o->lock for reading unless the caller holds it (`_locked`)
 */
MUST_CHECK int pagecache_get(struct vmobject *o, uint64_t index, struct page **out);
MUST_CHECK int pagecache_get_locked(struct vmobject *o, uint64_t index, struct page **out);

/*
 * read(2) and write(2) through the cache. The caller (file system) holds inode->lock as it needs,
 * has checked limits, and after a write updates size and times. User memory is copied without page
 * locks; a fault on the very page being copied is harmless. size         bytes in the file: reads
 * end there returns      bytes moved (short at end of file or on a fault after some bytes);
 * -EFAULT, -ENOSPC, -ENOMEM, -EIO
 */
MUST_CHECK ssize64_t pagecache_read(struct vmobject *o, off64_t pos, struct uio *u, uint64_t size);
MUST_CHECK ssize64_t pagecache_write(struct vmobject *o, off64_t pos, struct uio *u);

/* Kernel copies (symlinks, exec headers, initramfs). Same returns. */
MUST_CHECK ssize64_t pagecache_read_kernel(struct vmobject *o, off64_t pos, void *buf, size_t n,
					   uint64_t size);
MUST_CHECK ssize64_t pagecache_write_kernel(struct vmobject *o, off64_t pos, const void *buf,
					    size_t n);

/*
 * Cuts the object to new_size bytes: pages beyond are unmapped everywhere and dropped, the tail of
 * the last page is zeroed. The caller has already published the smaller size and holds inode->lock
 * for writing.
 */
void pagecache_truncate(struct vmobject *o, uint64_t new_size);

/* Punches [first, last] (page indices) out: hole punching. */
void pagecache_punch(struct vmobject *o, uint64_t first, uint64_t last);

/* SEEK_DATA / SEEK_HOLE for memory-only objects: the first index >= from that is (not) cached. */
uint64_t pagecache_next_data(struct vmobject *o, uint64_t from, uint64_t end);
uint64_t pagecache_next_hole(struct vmobject *o, uint64_t from, uint64_t end);

void page_set_dirty(struct page *p);

/* Writes dirty pages of the byte range back and waits. 0 or the first error. */
MUST_CHECK int pagecache_sync(struct vmobject *o, uint64_t start, uint64_t end);

/* Reclaim: frees clean, unused cache pages. Returns pages freed. */
uint64_t pagecache_reclaim(uint64_t want);

uint64_t pagecache_pages(void); /* in all caches: "Cached" in /proc/meminfo */
uint64_t pagecache_shmem_pages(void);
uint64_t pagecache_dirty_pages(void);
