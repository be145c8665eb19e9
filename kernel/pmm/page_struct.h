#pragma once

/* struct page alone, without what a kernel needs to reach one: for pmm/page.h and the pure module
 * pmm/buddy.h. */

#include "lib/types.h"

enum page_kind {
	PAGE_RESERVED,
	PAGE_FREE,
	PAGE_KERNEL,
	PAGE_SLAB,
	PAGE_TABLE,
	PAGE_ANON,
	PAGE_CACHE,
	PAGE_KINDS
};

enum page_flags {
	PG_UPTODATE = 1, /* cache: content is valid */
	PG_DIRTY = 2,    /* cache: newer than its backing */
	PG_LOCKED = 4,   /* cache: being filled or written back; waiters in PG_WAITERS */
	PG_WAITERS = 8,
	PG_REFERENCED = 16, /* reclaim: used since the last pass */
	PG_WRITEBACK = 32,
	PG_HUGE_HEAD = 64, /* first of a 2 MiB block that is mapped as one */
	PG_POISONED = 128, /* debug builds, free pages: filled with the poison byte */
};

struct vmobject;

struct page {
	_Atomic uint32_t ref;  /* 0: free. One per PTE, per page-cache slot, per pin */
	_Atomic uint8_t flags; /* enum page_flags */
	uint8_t kind;          /* enum page_kind */
	uint8_t order; /* of the block this page heads; of its slab, in every page of a slab */
	uint8_t pad;
	union {
		struct { /* PAGE_FREE: the allocator's */
			uint32_t next, prev;
		} free;
		struct {             /* PAGE_SLAB: the slab cache's */
			void *cache; /* set in every page of the slab, the rest in the first only */
			uint32_t next, prev; /* slabs of the cache in the same state */
			/* first free object, in units of 8 bytes from the slab's start */
			uint16_t freelist;
			uint16_t inuse;
		} slab;
		struct {                         /* PAGE_CACHE */
			struct vmobject *object; /* NULL once truncated away */
			uint64_t index;
			_Atomic uint32_t maps; /* PTEs; ref counts them too */
			uint32_t lru;          /* reclaim's */
		} cache;
		struct { /* PAGE_ANON */
			_Atomic uint32_t maps;
		} anon;
	};
};
STATIC_ASSERT(sizeof(struct page) == 32);
