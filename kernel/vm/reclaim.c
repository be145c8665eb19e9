/*
 * Reclaim: giving clean file pages back when memory runs low. A clock hand goes round each object
 * with backing: a page that was used since the last pass (PG_REFERENCED) gets another round; one
 * that is clean and counted by the index alone goes; one that is also mapped is unmapped first,
 * where no lock has to be waited for. Dirty pages are left to write-back. Anonymous and memory-only
 * pages have nowhere to go: there is no swap.
 *
 * Reclaim runs inside allocations, under whatever locks the caller holds. It therefore only tries
 * locks above the spinlocks, and its own mutual exclusion is a flag: a second thread that finds it
 * set simply gets nothing.
 *
 * Taking a page out: its count goes from 1 (the index's) to 0 by compare-and-exchange under
 * tree_lock, so a lookup that runs at the same time either counted it before, and the exchange
 * fails, or finds a zero and looks again.
 */
#include "vm/pagecache.h"
#include "vm/stat.h"
#include "vm/vm_priv.h"

enum { SCAN = 62 }; /* as many as a batch takes */

static _Atomic bool reclaiming;

static bool is_candidate(struct page *p)
{
	if (atomic_fetch_and_explicit(&p->flags, (uint8_t)~PG_REFERENCED, memory_order_relaxed) &
	    PG_REFERENCED)
		return false;
	return !page_has(p, PG_DIRTY | PG_LOCKED | PG_WRITEBACK);
}

/* tree_lock is held. True: p is out, and its memory the caller's with count 1. */
static bool evict_locked(struct vmobject *o, struct page *p)
{
	uint32_t one = 1;

	if (!atomic_compare_exchange_strong_explicit(&p->ref, &one, 0, memory_order_acq_rel,
						     memory_order_relaxed))
		return false;
	if (page_has(p, PG_DIRTY)) { /* marked just before the last mapping went */
		atomic_store_explicit(&p->ref, 1, memory_order_release);
		return false;
	}
	pagecache_detach_locked(o, p);
	atomic_store_explicit(&p->ref, 1, memory_order_release);
	return true;
}

/* Looks at the next pages of o. Evicted ones go to `out`; a mapped one that could go is noted in
 * *mapped (its index). */
static unsigned scan(struct vmobject *o, struct page **out, uint64_t *mapped, bool *more)
{
	unsigned n = 0;
	struct page *p;

	*mapped = UINT64_MAX;
	spin_lock(&o->tree_lock);
	for (unsigned i = 0; i < SCAN; i++, o->clock_hand++) {
		if (!(p = radix_next(&o->pages, &o->clock_hand))) {
			o->clock_hand = 0;
			*more = false;
			break;
		}
		if (!is_candidate(p))
			continue;
		if (evict_locked(o, p))
			out[n++] = p;
		else if (*mapped == UINT64_MAX)
			*mapped = o->clock_hand;
	}
	spin_unlock(&o->tree_lock);
	return n;
}

static void count_evicted(struct vmobject *o, unsigned n)
{
	if (!n)
		return;
	pagecache_count(o, -(int64_t)n);
	if (o->ops->uncharge)
		o->ops->uncharge(o, n);
}

/*
 * One pass over o, ended early when enough was found. Where mapped pages stopped the hand, they and
 * their neighbours are unmapped, and the hand goes back to them once.
 */
static uint64_t reclaim_object(struct vmobject *o, uint64_t want)
{
	uint64_t got = 0, mapped;
	bool more = true, again = false;
	struct page_batch b;

	while ((more || again) && got < want) {
		b.n = scan(o, b.page, &mapped, &more);
		got += b.n;
		count_evicted(o, b.n);
		page_batch_flush(&b);
		again = mapped != UINT64_MAX && !again;
		if (!again)
			continue;
		rmap_unmap_unused(o, mapped, mapped + SCAN - 1);
		o->clock_hand = mapped;
	}
	return got;
}

uint64_t pagecache_reclaim(uint64_t want)
{
	struct vmobject *o = NULL;
	uint64_t got = 0;

	if (atomic_exchange_explicit(&reclaiming, true, memory_order_acquire))
		return 0;
	while ((o = vmobject_next_backed(o)))
		if (got < want && atomic_load_explicit(&o->npages, memory_order_relaxed))
			got += reclaim_object(o, want - got);
	atomic_store_explicit(&reclaiming, false, memory_order_release);
	vm_count(VM_EVENT_STEAL, got);
	return got;
}
