/*
 * Dirty pages and their way to the backing.
 *
 * A dirty page has PG_DIRTY and, in objects with write_page, a tag in the index; in the others it
 * stays dirty. The order of write-back: clear mark and tag, write-protect all shared leaves, write.
 * A store through a leaf that was still writable lands before the write; a later one faults and
 * marks the page again (fault_file.c). PG_WRITEBACK and its tag say that a write is on its way; it
 * keeps a second one of the same page out, and truncation waits for it.
 *
 * A kernel thread writes what has been dirty for a while, every few seconds while there is anything
 * dirty, and at once when more than an eighth of memory is.
 */
#include "abi/errno.h"
#include "core/clock.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "vm/pagecache.h"
#include "vm/vm_priv.h"

#define WRITEBACK_INTERVAL (5 * NSEC_PER_SEC)
enum { BATCH = 16 };

static _Atomic uint64_t dirty_pages;
static struct waitq writeback_wait = WAITQ(writeback_wait);

uint64_t pagecache_dirty_pages(void)
{
	return atomic_load_explicit(&dirty_pages, memory_order_relaxed);
}

static void dirtied(void)
{
	uint64_t n = atomic_fetch_add_explicit(&dirty_pages, 1, memory_order_relaxed) + 1;

	if (n == 1 || n == pmm_total_pages() / 8)
		waitq_wake_all(&writeback_wait, 0);
}

void pagecache_cleaned(struct vmobject *o)
{
	if (o->ops->write_page)
		atomic_fetch_sub_explicit(&dirty_pages, 1, memory_order_relaxed);
}

void page_set_dirty(struct page *p)
{
	struct vmobject *o;

	if (page_has(p, PG_DIRTY))
		return;
	o = p->cache.object;
	if (!o || !o->ops->write_page) { /* memory is all there is: dirty for good, in smaps */
		atomic_fetch_or_explicit(&p->flags, PG_DIRTY, memory_order_relaxed);
		return;
	}
	spin_lock(&o->tree_lock);
	if (p->cache.object == o &&
	    !(atomic_fetch_or_explicit(&p->flags, PG_DIRTY, memory_order_acq_rel) & PG_DIRTY)) {
		radix_set_tag(&o->pages, p->cache.index, TAG_DIRTY);
		dirtied();
	}
	spin_unlock(&o->tree_lock);
}

/* The next dirty pages of [*first, last], counted and marked as being written; *first moves on. */
static unsigned collect(struct vmobject *o, uint64_t *first, uint64_t last, struct page **pages)
{
	unsigned n = 0;
	struct page *p;

	spin_lock(&o->tree_lock);
	while (n < BATCH && (p = radix_next_tagged(&o->pages, first, TAG_DIRTY)) &&
	       *first <= last) {
		if (page_has(p, PG_WRITEBACK)) { /* being written by another: that one first */
			if (n == 0) {
				page_get(p);
				pages[n++] = p;
			}
			break;
		}
		page_get(p);
		atomic_fetch_or_explicit(&p->flags, PG_WRITEBACK, memory_order_acq_rel);
		if (atomic_fetch_and_explicit(&p->flags, (uint8_t)~PG_DIRTY, memory_order_acq_rel) &
		    PG_DIRTY)
			pagecache_cleaned(o);
		radix_clear_tag(&o->pages, *first, TAG_DIRTY);
		radix_set_tag(&o->pages, *first, TAG_WRITEBACK);
		pages[n++] = p;
		if (++*first == 0)
			break;
	}
	spin_unlock(&o->tree_lock);
	return n;
}

static void end_writeback(struct vmobject *o, struct page *p)
{
	spin_lock(&o->tree_lock);
	if (p->cache.object == o)
		radix_clear_tag(&o->pages, p->cache.index, TAG_WRITEBACK);
	atomic_fetch_and_explicit(&p->flags, (uint8_t)~PG_WRITEBACK, memory_order_acq_rel);
	spin_unlock(&o->tree_lock);
	page_wake(p);
	page_put(p);
}

static int write_batch(struct vmobject *o, struct page **pages, unsigned n)
{
	int err = 0, res;

	rmap_write_protect(o, pages[0]->cache.index, pages[n - 1]->cache.index);
	for (unsigned i = 0; i < n; i++) {
		/* Truncated away meanwhile: there is nothing to write it to. */
		res = pages[i]->cache.object == o ? o->ops->write_page(o, pages[i]) : 0;
		err = err ? err : res;
		end_writeback(o, pages[i]);
	}
	return err;
}

/* Waits for what others are writing in the range. */
static void wait_for_others(struct vmobject *o, uint64_t first, uint64_t last)
{
	struct page *p;

	for (;;) {
		spin_lock(&o->tree_lock);
		p = radix_next_tagged(&o->pages, &first, TAG_WRITEBACK);
		if (p && first <= last)
			page_get(p);
		else
			p = NULL;
		spin_unlock(&o->tree_lock);
		if (!p)
			return;
		page_wait_writeback(p);
		page_put(p);
		if (++first == 0)
			return;
	}
}

int pagecache_sync(struct vmobject *o, uint64_t start, uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT, last = end ? (end - 1) >> PAGE_SHIFT : 0;
	struct page *pages[BATCH];
	int err = 0, res;
	unsigned n;

	if (!o->ops->write_page || start >= end)
		return 0;
	while ((n = collect(o, &first, last, pages))) {
		if (n == 1 &&
		    first <= pages[0]->cache.index) { /* not ours: another is writing it */
			page_wait_writeback(pages[0]);
			page_put(pages[0]);
			continue;
		}
		res = write_batch(o, pages, n);
		err = err ? err : res;
		if (first > last || first == 0)
			break;
	}
	wait_for_others(o, start >> PAGE_SHIFT, last);
	return err;
}

static void write_all(void)
{
	struct vmobject *o = NULL;

	while ((o = vmobject_next_backed(o)))
		if (o->ops->write_page && radix_any_tagged(&o->pages, TAG_DIRTY))
			(void)!pagecache_sync(o, 0, UINT64_MAX);
}

/* Sleeps until something is dirty, then lets it age for a while unless there is much of it. */
static void wait_for_dirty(void)
{
	uint64_t many = pmm_total_pages() / 8;
	struct waiter w;
	nsec_t deadline;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&writeback_wait, &w, THREAD_SLEEP);
		if (pagecache_dirty_pages())
			break;
		(void)!wait_sleep(NSEC_MAX);
	}
	deadline = clock_mono() + WRITEBACK_INTERVAL;
	do {
		wait_prepare(&writeback_wait, &w, THREAD_SLEEP);
	} while (pagecache_dirty_pages() < many && wait_sleep(deadline) != -ETIMEDOUT);
	wait_finish(&writeback_wait, &w);
}

static void writeback_thread(void *arg)
{
	(void)arg;
	for (;;) {
		wait_for_dirty();
		write_all();
	}
}

void writeback_init(void)
{
	struct thread *t = kthread_create("writeback", writeback_thread, NULL);

	if (!t)
		panic("no memory for the write-back thread");
	thread_start(t);
}
