/*
 * The pages of an object: finding, making and filling them, and taking them away.
 *
 * Finding takes no lock. A reader finds p in the radix tree, counts it unless its count is zero,
 * and checks that it is still this object's page at this index: whoever takes a page out clears
 * page->cache.object before dropping the object's count, so a page that was freed and used again in
 * between is recognised, and the stray count given back.
 *
 * Making: the new page goes into the index locked (PG_LOCKED) and not yet valid; the thread that
 * put it in fills it, others wait. A fill that fails leaves the page there, not valid: the next
 * comer tries again. Pages of memory-only objects are zeroed before they go in and are valid at
 * once. A page is always whole: file systems zero what lies beyond the end of the file, and the
 * size says what may be read of it (pitfall 13).
 *
 * Waiting for PG_LOCKED and PG_WRITEBACK uses hashed wait queues, woken only when PG_WAITERS says
 * so.
 */
#include "vm/pagecache.h"

#include "abi/errno.h"
#include "core/epoch.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "vm/vm_priv.h"

enum { WAIT_QUEUES = 64 };
static struct waitq page_waitq[WAIT_QUEUES];

static _Atomic int64_t cached_pages, shmem_pages;

static struct waitq *waitq_of(const struct page *p)
{
	return &page_waitq[hash_u64((uintptr_t)p) >> 20 & (WAIT_QUEUES - 1)];
}

static inline uint8_t set_flags(struct page *p, unsigned flags)
{
	return atomic_fetch_or_explicit(&p->flags, (uint8_t)flags, memory_order_acq_rel);
}

static inline uint8_t clear_flags(struct page *p, unsigned flags)
{
	return atomic_fetch_and_explicit(&p->flags, (uint8_t)~flags, memory_order_acq_rel);
}

static bool try_lock(struct page *p)
{
	return !(set_flags(p, PG_LOCKED) & PG_LOCKED);
}

int page_lock_killable(struct page *p)
{
	struct waitq *q = waitq_of(p);
	struct waiter w;
	int err = 0;

	if (LIKELY(try_lock(p)))
		return 0;
	waiter_init(&w);
	for (;;) {
		wait_prepare(q, &w, THREAD_SLEEP_KILL);
		set_flags(p, PG_WAITERS);
		if (try_lock(p))
			break;
		if ((err = wait_sleep(NSEC_MAX)))
			break;
	}
	wait_finish(q, &w);
	return err ? -EINTR : 0;
}

void page_wake(struct page *p)
{
	if (clear_flags(p, PG_WAITERS) & PG_WAITERS)
		waitq_wake_all(waitq_of(p), 0);
}

void page_unlock(struct page *p)
{
	clear_flags(p, PG_LOCKED);
	page_wake(p);
}

void page_wait_writeback(struct page *p)
{
	struct waitq *q = waitq_of(p);
	struct waiter w;

	if (!page_has(p, PG_WRITEBACK))
		return;
	waiter_init(&w);
	for (;;) {
		wait_prepare(q, &w, THREAD_SLEEP);
		set_flags(p, PG_WAITERS);
		if (!page_has(p, PG_WRITEBACK))
			break;
		(void)!wait_sleep(NSEC_MAX);
	}
	wait_finish(q, &w);
}

static inline bool is_at(const struct page *p, const struct vmobject *o, uint64_t index)
{
	return p->kind == PAGE_CACHE && p->cache.object == o && p->cache.index == index;
}

/* The page at index in whatever state, counted; NULL: none. */
static struct page *find_any(struct vmobject *o, uint64_t index)
{
	struct page *p;

	epoch_enter();
	while ((p = radix_find(&o->pages, index))) {
		if (UNLIKELY(!is_at(p, o, index) || !page_tryget(p)))
			continue; /* on its way out: the index follows */
		if (LIKELY(is_at(p, o, index)))
			break;
		page_put(p);
	}
	epoch_exit();
	return p;
}

struct page *pagecache_find(struct vmobject *o, uint64_t index)
{
	struct page *p = find_any(o, index);

	if (!p)
		return NULL;
	if (UNLIKELY(!page_has(p, PG_UPTODATE))) {
		page_put(p);
		return NULL;
	}
	if (!page_has(p, PG_REFERENCED))
		set_flags(p, PG_REFERENCED);
	return p;
}

/* An entry that still stands where it was once the page is counted is the object's page: its own
 * count cannot have gone. Any other is on its way out, as good as none. */
static inline bool map_entry(_Atomic(void *) *entry, _Atomic pte_t *slot, pte_t bits)
{
	struct page *p = atomic_load_explicit(entry, memory_order_acquire);

	if (!p || atomic_load_explicit(slot, memory_order_relaxed) || !page_tryget(p))
		return false;
	if (LIKELY(atomic_load_explicit(entry, memory_order_relaxed) == p) &&
	    LIKELY(page_has(p, PG_UPTODATE)) && LIKELY(pte_install(slot, 0, page_paddr(p) | bits)))
		return true;
	page_put(p);
	return false;
}

unsigned pagecache_map_range(struct vmobject *o, uint64_t index, unsigned n, _Atomic pte_t *slot,
			     pte_t bits)
{
	unsigned mapped = 0;

	epoch_enter();
	while (n > 0) {
		unsigned run = n;
		_Atomic(void *) *entry = radix_run(&o->pages, index, &run);

		for (unsigned i = 0; entry && i < run; i++)
			mapped += map_entry(&entry[i], &slot[i], bits);
		index += run;
		slot += run;
		n -= run;
	}
	epoch_exit();
	return mapped;
}

void pagecache_count(struct vmobject *o, int64_t pages)
{
	atomic_fetch_add_explicit(&o->npages, (uint64_t)pages, memory_order_relaxed);
	atomic_fetch_add_explicit(&cached_pages, pages, memory_order_relaxed);
	if (!vmobject_is_backed(o))
		atomic_fetch_add_explicit(&shmem_pages, pages, memory_order_relaxed);
}

uint64_t pagecache_pages(void)
{
	return (uint64_t)MAX(atomic_load_explicit(&cached_pages, memory_order_relaxed), 0l);
}

uint64_t pagecache_shmem_pages(void)
{
	return (uint64_t)MAX(atomic_load_explicit(&shmem_pages, memory_order_relaxed), 0l);
}

static int charge(struct vmobject *o, uint64_t pages)
{
	return o->ops->charge ? o->ops->charge(o, pages) : 0;
}

static void uncharge(struct vmobject *o, uint64_t pages)
{
	if (pages && o->ops->uncharge)
		o->ops->uncharge(o, pages);
}

int pagecache_insert(struct vmobject *o, uint64_t index, struct page *p, unsigned flags)
{
	int err;

	p->cache.object = o;
	p->cache.index = index;
	p->cache.lru = vmobject_is_backed(o) ? 0 : LRU_SHMEM;
	atomic_store_explicit(&p->flags, (uint8_t)flags, memory_order_relaxed);
	page_get(p); /* the object's own count */
	spin_lock(&o->tree_lock);
	err = radix_insert(&o->pages, index, p);
	spin_unlock(&o->tree_lock);
	if (err) {
		p->cache.object = NULL;
		page_put(p);
		return err;
	}
	pagecache_count(o, 1);
	return 0;
}

/* A new page at index, counted for the caller; PG_LOCKED when it still has to be filled. -EEXIST:
 * lost a race. */
static int add_page(struct vmobject *o, uint64_t index, struct page **out)
{
	bool fill = o->ops->read_page;
	struct page *p;
	int err = charge(o, 1);

	if (err)
		return err;
	p = page_alloc(0, PAGE_CACHE, ALLOC_USER | (fill ? 0 : ALLOC_ZERO));
	err = p ? pagecache_insert(o, index, p, fill ? PG_LOCKED : PG_UPTODATE | PG_REFERENCED)
		: -ENOMEM;
	if (!err) {
		*out = p;
		return 0;
	}
	if (p)
		page_put(p);
	uncharge(o, 1);
	return err;
}

/* p is locked by us. Unlocks it. */
static int fill_page(struct vmobject *o, struct page *p)
{
	int err = 0;

	if (!page_has(p, PG_UPTODATE) && !(err = o->ops->read_page(o, p)))
		set_flags(p, PG_UPTODATE | PG_REFERENCED);
	page_unlock(p);
	return err;
}

int pagecache_get_locked(struct vmobject *o, uint64_t index, struct page **out)
{
	struct page *p;
	bool ours;
	int err;

	for (;;) {
		ours = false;
		if (!(p = find_any(o, index))) {
			err = add_page(o, index, &p);
			if (err == -EEXIST)
				continue;
			if (err)
				return err;
			ours = true;
		}
		if (page_has(p, PG_UPTODATE))
			break;
		if (!ours && (err = page_lock_killable(p)))
			goto put;
		if (!is_at(p, o, index)) { /* truncated while we waited */
			page_unlock(p);
			page_put(p);
			continue;
		}
		if ((err = fill_page(o, p)))
			goto put;
		break;
	}
	*out = p;
	return 0;
put:
	page_put(p);
	return err;
}

int pagecache_get(struct vmobject *o, uint64_t index, struct page **out)
{
	struct page *p = pagecache_find(o, index);
	int err;

	if (LIKELY(p)) {
		*out = p;
		return 0;
	}
	read_lock(&o->lock);
	err = pagecache_get_locked(o, index, out);
	read_unlock(&o->lock);
	return err;
}

void pagecache_detach_locked(struct vmobject *o, struct page *p)
{
	(void)radix_remove(&o->pages, p->cache.index);
	p->cache.object = NULL;
}

/* Takes up to `max` pages of [*first, last] out of the index; *first moves on. Their counts pass to
 * the caller. */
static unsigned detach_some(struct vmobject *o, uint64_t *first, uint64_t last, struct page **pages,
			    unsigned max)
{
	unsigned n = 0;
	struct page *p;

	spin_lock(&o->tree_lock);
	while (n < max && (p = radix_next(&o->pages, first)) && *first <= last) {
		pagecache_detach_locked(o, p);
		pages[n++] = p;
	}
	spin_unlock(&o->tree_lock);
	return n;
}

/*
 * Takes [first, last] out. o->lock is held for writing while pages leave the index, so that no
 * fault is between finding one and mapping it; it is not held while their write-back is waited for,
 * since write-back needs the locks of spaces whose faults wait for o->lock.
 */
static void drop_range(struct vmobject *o, uint64_t first, uint64_t last)
{
	struct page_batch b;

	for (;;) {
		write_lock(&o->lock);
		b.n = detach_some(o, &first, last, b.page, ARRAY_SIZE(b.page));
		write_unlock(&o->lock);
		if (!b.n)
			return;
		pagecache_count(o, -(int64_t)b.n);
		uncharge(o, b.n);
		for (unsigned i = 0; i < b.n; i++) {
			page_wait_writeback(b.page[i]);
			if (clear_flags(b.page[i], PG_DIRTY) & PG_DIRTY)
				pagecache_cleaned(o);
		}
		page_batch_flush(&b);
	}
}

void pagecache_drop_all(struct vmobject *o)
{
	drop_range(o, 0, UINT64_MAX);
}

static void zero_tail(struct vmobject *o, uint64_t size)
{
	struct page *p;

	if (!(size & PAGE_MASK) || !(p = pagecache_find(o, size >> PAGE_SHIFT)))
		return;
	memset((char *)page_va(p) + (size & PAGE_MASK), 0, PAGE_SIZE - (size & PAGE_MASK));
	page_set_dirty(p);
	page_put(p);
}

void pagecache_truncate(struct vmobject *o, uint64_t new_size)
{
	uint64_t first = page_round_up(new_size) >> PAGE_SHIFT;

	if (!atomic_load_explicit(&o->npages, memory_order_acquire) && list_is_empty(&o->mappings))
		return;
	drop_range(o, first, UINT64_MAX);
	zero_tail(o, new_size);
	rmap_unmap(o, first, UINT64_MAX, true);
}

void pagecache_punch(struct vmobject *o, uint64_t first, uint64_t last)
{
	drop_range(o, first, last);
	rmap_unmap(o, first, last, false);
}

uint64_t pagecache_next_data(struct vmobject *o, uint64_t from, uint64_t end)
{
	void *p;

	epoch_enter();
	p = radix_next(&o->pages, &from);
	epoch_exit();
	return p && from < end ? from : end;
}

uint64_t pagecache_next_hole(struct vmobject *o, uint64_t from, uint64_t end)
{
	epoch_enter();
	while (from < end && radix_find(&o->pages, from))
		from++;
	epoch_exit();
	return from;
}

void pagecache_init(void)
{
	for (unsigned i = 0; i < WAIT_QUEUES; i++)
		waitq_init(&page_waitq[i]);
}
