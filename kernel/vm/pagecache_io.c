/*
 * read(2) and write(2) through the page cache.
 *
 * User memory is copied while the page is only counted: no lock is held that the fault of a user
 * page could need, not even when that is the very page being copied (pitfall: mmap a file and write
 * it to itself).
 *
 * A write that replaces a whole page that is not cached does not read it first, nor zero it: it
 * fills a page that nobody sees yet, and puts it into the index afterwards. When that loses a race,
 * or the copy stops at a bad address, what was copied goes into the page that is (or is then made)
 * there.
 */
#include "abi/errno.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vm/pagecache.h"
#include "vm/uio.h"
#include "vm/vm_priv.h"

/* A page for reading, counted; NULL in *out for a hole of a memory-only object: it reads as zeroes
 * and stays one. */
static int get_for_read(struct vmobject *o, uint64_t index, struct page **out)
{
	if (LIKELY((*out = pagecache_find(o, index))))
		return 0;
	if (!o->ops->read_page)
		return 0;
	return pagecache_get(o, index, out);
}

ssize64_t pagecache_read(struct vmobject *o, off64_t pos, struct uio *u, uint64_t size)
{
	uint64_t at = (uint64_t)pos;
	ssize64_t done = 0;
	int err = 0;

	while (u->resid && at < size) {
		size_t off = at & PAGE_MASK;
		size_t n = MIN(MIN(PAGE_SIZE - off, u->resid), size - at), copied;
		struct page *p;

		if ((err = get_for_read(o, at >> PAGE_SHIFT, &p)))
			break;
		if (p) {
			copied = uio_put(u, (char *)page_va(p) + off, n);
			page_put(p);
		} else {
			copied = uio_zero(u, n);
		}
		done += (ssize64_t)copied;
		at += copied;
		if (copied < n) {
			err = -EFAULT;
			break;
		}
		if (u->resid)
			thread_resched_point();
	}
	return done ? done : err;
}

/* Copies n bytes into the page at index, which is made and filled as needed. Bytes copied, or
 * -errno when none. */
static ssize64_t write_part(struct vmobject *o, uint64_t index, size_t off, struct uio *u, size_t n)
{
	struct page *p;
	size_t copied;
	int err = pagecache_get(o, index, &p);

	if (err)
		return err;
	copied = uio_get(u, (char *)page_va(p) + off, n);
	if (copied)
		page_set_dirty(p);
	page_put(p);
	return copied ? (ssize64_t)copied : -EFAULT;
}

/* The first `n` bytes of `from`, which did not become the cached page, go into the one that is. */
static ssize64_t write_through(struct vmobject *o, uint64_t index, const struct page *from,
			       size_t n)
{
	struct page *p;
	int err;

	if (n == 0)
		return -EFAULT;
	if ((err = pagecache_get(o, index, &p)))
		return err;
	memcpy(page_va(p), page_va(from), n);
	page_set_dirty(p);
	page_put(p);
	return (ssize64_t)n;
}

/* A whole page that is not cached. Room for it is charged before the user's bytes are taken. */
static ssize64_t write_whole(struct vmobject *o, uint64_t index, struct uio *u)
{
	struct page *p;
	size_t copied;
	ssize64_t res;
	int err;

	if (o->ops->charge && (err = o->ops->charge(o, 1)))
		return err;
	res = -ENOMEM;
	if (!(p = page_alloc(0, PAGE_CACHE, ALLOC_USER)))
		goto uncharge;
	copied = uio_get(u, page_va(p), PAGE_SIZE);
	if (copied == PAGE_SIZE && !pagecache_insert(o, index, p, PG_UPTODATE | PG_REFERENCED)) {
		page_set_dirty(p);
		page_put(p);
		return PAGE_SIZE;
	}
	res = write_through(o, index, p, copied);
	page_put(p);
uncharge:
	if (o->ops->uncharge)
		o->ops->uncharge(o, 1);
	return res;
}

static bool is_cached(struct vmobject *o, uint64_t index)
{
	bool yes;

	epoch_enter();
	yes = radix_find(&o->pages, index) != NULL;
	epoch_exit();
	return yes;
}

ssize64_t pagecache_write(struct vmobject *o, off64_t pos, struct uio *u)
{
	uint64_t at = (uint64_t)pos;
	ssize64_t done = 0, res = 0;

	while (u->resid) {
		uint64_t index = at >> PAGE_SHIFT;
		size_t off = at & PAGE_MASK, n = MIN(PAGE_SIZE - off, u->resid);

		if (n == PAGE_SIZE && !is_cached(o, index))
			res = write_whole(o, index, u);
		else
			res = write_part(o, index, off, u, n);
		if (res < 0)
			break;
		done += res;
		at += (uint64_t)res;
		if ((size_t)res < n)
			break;
		if (u->resid)
			thread_resched_point();
	}
	return done ? done : res;
}

ssize64_t pagecache_read_kernel(struct vmobject *o, off64_t pos, void *buf, size_t n, uint64_t size)
{
	struct uio u;

	uio_init_kernel(&u, buf, n);
	return pagecache_read(o, pos, &u, size);
}

ssize64_t pagecache_write_kernel(struct vmobject *o, off64_t pos, const void *buf, size_t n)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)buf, n);
	return pagecache_write(o, pos, &u);
}
