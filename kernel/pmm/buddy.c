/*
 * Buddy allocator.
 *
 * A free block of 2^o pages begins at a multiple of 2^o; its first page has kind PAGE_FREE and
 * order o and is linked into head[o]. No other page of it, and no page that is not free, has kind
 * PAGE_FREE: that alone decides whether two neighbours merge, so a page parked in somebody's cache
 * (any other kind) can never be swallowed (pitfall 29). Two buddies of an order below the largest
 * are never both free at once: they would have merged.
 *
 * Merging never looks beyond the 4 MiB block a page lies in. Hence struct pages need be valid only
 * for blocks from which something has been taken, and a raw block is initialised when it is taken.
 *   source       Knuth, The Art of Computer Programming vol. 1, 2.5
 */
#include "pmm/buddy.h"

#include "lib/bitmap.h"
#include "lib/string.h"

void buddy_init(struct buddy *b, struct page *pages, uint64_t *ready)
{
	memset(b, 0, sizeof(*b));
	b->pages = pages;
	b->ready = ready;
	b->raw = BUDDY_NONE;
	for (unsigned o = 0; o < BUDDY_ORDERS; o++)
		b->head[o] = BUDDY_NONE;
}

static void push(struct buddy *b, uint32_t i, unsigned order)
{
	struct page *p = &b->pages[i];
	uint32_t next = b->head[order];

	p->kind = PAGE_FREE;
	p->order = (uint8_t)order;
	p->free.next = next;
	p->free.prev = BUDDY_NONE;
	if (next != BUDDY_NONE)
		b->pages[next].free.prev = i;
	b->head[order] = i;
	b->avail |= 1u << order;
	b->nblocks[order]++;
}

static void unlink(struct buddy *b, struct page *p, unsigned order)
{
	uint32_t next = p->free.next, prev = p->free.prev;

	if (next != BUDDY_NONE)
		b->pages[next].free.prev = prev;
	if (prev != BUDDY_NONE)
		b->pages[prev].free.next = next;
	else if ((b->head[order] = next) == BUDDY_NONE)
		b->avail &= ~(1u << order);
	p->kind = PAGE_RESERVED;
	b->nblocks[order]--;
}

/* The first raw block becomes an ordinary one. */
static bool cook(struct buddy *b)
{
	uint32_t i = b->raw;

	if (i == BUDDY_NONE)
		return false;
	b->raw = b->pages[i].free.next;
	memset(&b->pages[i], 0, BUDDY_TOP_PAGES * sizeof(struct page));
	push(b, i, BUDDY_TOP);
	if (b->ready)
		bitmap_set(b->ready, i >> BUDDY_TOP);
	return true;
}

uint32_t buddy_alloc(struct buddy *b, unsigned order)
{
	if (order > BUDDY_TOP || (!(b->avail >> order) && !cook(b)))
		return BUDDY_NONE;

	unsigned o = order + (unsigned)__builtin_ctz(b->avail >> order);
	uint32_t i = b->head[o];

	unlink(b, &b->pages[i], o);
	while (o > order) {
		o--;
		push(b, i + (1u << o), o);
	}
	b->nfree -= 1u << order;
	return i;
}

void buddy_free(struct buddy *b, uint32_t index, unsigned order)
{
	b->nfree += 1u << order;
	while (order < BUDDY_TOP) {
		struct page *other = &b->pages[index ^ (1u << order)];

		if (other->kind != PAGE_FREE || other->order != order)
			break;
		unlink(b, other, order);
		index &= ~(1u << order);
		order++;
	}
	push(b, index, order);
}

void buddy_add(struct buddy *b, uint32_t start, uint32_t end)
{
	while (start < end) {
		unsigned order = start ? (unsigned)__builtin_ctz(start) : BUDDY_TOP;

		if (order > BUDDY_TOP)
			order = BUDDY_TOP;
		while (start + (1u << order) > end)
			order--;
		buddy_free(b, start, order);
		start += 1u << order;
	}
}

void buddy_add_raw(struct buddy *b, uint32_t start)
{
	struct page *p = &b->pages[start];

	memset(p, 0, sizeof(*p));
	p->free.next = b->raw;
	b->raw = start;
	b->nfree += BUDDY_TOP_PAGES;
}
