/*
 * From the memory map to the page allocator.
 *
 * `taken` lists what of the usable ranges is in use: the kernel, the initrd, the pages that
 * pmm_boot_page() gave away and the page array itself. pmm_init() computes the free ranges between
 * them; 4 MiB blocks that lie wholly in one are added raw, so that for them not even struct pages
 * are touched (a machine of 8 GiB has 64 MiB of them). All other struct pages of RAM are zeroed:
 * PAGE_RESERVED until somebody adds the page.
 */
#include "core/log.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/pmm_priv.h"

enum {
	FIRST_MIB_LOW = 0x10000, /* below: firmware data that some machines still write to */
	MAX_TAKEN = 16,
	MAX_FREE = BOOT_MAX_RANGES + MAX_TAKEN,
};
#define BOOT_PAGE_LIMIT (4ul << 30) /* the direct map reaches this far before arch_map_memory() */

static struct {
	paddr_t start, end;
} taken[MAX_TAKEN], free_range[MAX_FREE];
static unsigned ntaken, nfree;
static unsigned boot_slot = UINT32_MAX; /* the entry of `taken` that pmm_boot_page() grows */

static void take_range(paddr_t start, paddr_t end)
{
	if (start >= end)
		return;
	if (ntaken == MAX_TAKEN)
		panic("pmm: too many reserved ranges");
	taken[ntaken].start = page_round_down(start);
	taken[ntaken++].end = page_round_up(end);
}

static void take_image(void)
{
	if (ntaken)
		return;
	take_range(0, FIRST_MIB_LOW);
	take_range(boot_info.kernel_start, boot_info.kernel_end);
	take_range(boot_info.initrd_start, boot_info.initrd_end);
}

/* The end of the first taken range that meets [start, end); 0: none does. */
static paddr_t collision(paddr_t start, paddr_t end)
{
	for (unsigned i = 0; i < ntaken; i++)
		if (start < taken[i].end && taken[i].start < end)
			return taken[i].end;
	return 0;
}

/* Room for `size` bytes in usable memory from `from` on and below `limit`; 0: none. */
static paddr_t find_room(paddr_t from, uint64_t size, paddr_t limit)
{
	for (unsigned i = 0; i < boot_info.nranges; i++) {
		const struct boot_range *r = &boot_info.range[i];
		paddr_t end = MIN(page_round_down(r->end), limit),
			at = MAX(page_round_up(r->start), from), skip;

		if (!r->usable)
			continue;
		while (at + size <= end && (skip = collision(at, at + size)))
			at = skip;
		if (at + size <= end)
			return at;
	}
	return 0;
}

paddr_t pmm_boot_page(void)
{
	paddr_t pa, prev;

	take_image();
	prev = boot_slot < ntaken ? taken[boot_slot].end : 0;
	/* Behind the kernel, where small machines have their memory too; else anywhere. */
	pa = find_room(MAX(prev, boot_info.kernel_end), PAGE_SIZE, BOOT_PAGE_LIMIT);
	if (!pa)
		pa = find_room(0, PAGE_SIZE, BOOT_PAGE_LIMIT);
	if (!pa)
		return 0;
	if (pa == prev) {
		taken[boot_slot].end += PAGE_SIZE;
	} else {
		boot_slot = ntaken;
		take_range(pa, pa + PAGE_SIZE);
	}
	memset(phys_to_virt(pa), 0, PAGE_SIZE);
	return pa;
}

static void add_free(paddr_t start, paddr_t end)
{
	if (start >= end)
		return;
	if (nfree == MAX_FREE)
		panic("pmm: too many memory ranges");
	free_range[nfree].start = start;
	free_range[nfree++].end = end;
}

/* What of [at, end) is not taken becomes free ranges, in order. */
static void split_range(paddr_t at, paddr_t end)
{
	while (at < end) {
		paddr_t next = end, skip = collision(at, at + PAGE_SIZE);

		if (skip) {
			at = skip;
			continue;
		}
		for (unsigned i = 0; i < ntaken; i++)
			if (taken[i].start > at && taken[i].start < next)
				next = taken[i].start;
		add_free(at, next);
		at = next;
	}
}

/* Zeroes the struct pages of RAM in [start, end), both multiples of a buddy top block. */
static void zero_structs(pfn_t start, pfn_t end)
{
	for (unsigned i = 0; i < boot_info.nranges; i++) {
		const struct boot_range *r = &boot_info.range[i];
		pfn_t a = MAX(ALIGN_DOWN(r->start >> PAGE_SHIFT, BUDDY_TOP_PAGES), start);
		pfn_t b = MIN(ALIGN_UP(page_round_up(r->end) >> PAGE_SHIFT, BUDDY_TOP_PAGES), end);

		if (!r->usable || a >= b)
			continue;
		memset(&page_array[a], 0, (b - a) * sizeof(struct page));
		for (pfn_t c = a; c < b; c += BUDDY_TOP_PAGES)
			bitmap_set(page_ready, c >> BUDDY_TOP);
	}
}

/* Adds the raw blocks of all free ranges, and makes all other struct pages valid. */
static void add_blocks(void)
{
	pfn_t done = 0;

	for (unsigned i = 0; i < nfree; i++) {
		pfn_t a = ALIGN_UP(free_range[i].start >> PAGE_SHIFT, BUDDY_TOP_PAGES);
		pfn_t b = ALIGN_DOWN(free_range[i].end >> PAGE_SHIFT, BUDDY_TOP_PAGES);

		if (a >= b)
			continue;
		zero_structs(done, a);
		for (done = b; b > a; b -= BUDDY_TOP_PAGES)
			buddy_add_raw(&pmm_buddy, (uint32_t)(b - BUDDY_TOP_PAGES));
	}
	zero_structs(done, page_array_end);
}

/* Adds what the raw blocks left over at both ends of each free range. */
static void add_rests(void)
{
	for (unsigned i = 0; i < nfree; i++) {
		pfn_t start = free_range[i].start >> PAGE_SHIFT,
		      end = free_range[i].end >> PAGE_SHIFT;
		pfn_t a = ALIGN_UP(start, BUDDY_TOP_PAGES), b = ALIGN_DOWN(end, BUDDY_TOP_PAGES);

		if (a >= b) {
			buddy_add(&pmm_buddy, (uint32_t)start, (uint32_t)end);
			continue;
		}
		buddy_add(&pmm_buddy, (uint32_t)start, (uint32_t)a);
		buddy_add(&pmm_buddy, (uint32_t)b, (uint32_t)end);
	}
}

/* Carves the array out, and beside it the bitmap and, in debug builds, the owners. */
static void place_array(void)
{
	uint64_t size = page_round_up(page_array_end * sizeof(struct page));
	uint64_t chunks = page_array_end >> BUDDY_TOP,
		 extra = page_round_up(BITMAP_WORDS(chunks) * 8);
	uint64_t owners = 0;
	paddr_t pa;

#ifdef KEVLAR_DEBUG
	owners = page_round_up(page_array_end * sizeof(*page_owner));
#endif
	pa = find_room(MAX(boot_info.kernel_end, (paddr_t)FIRST_MIB_LOW), size + extra + owners,
		       UINT64_MAX);
	if (!pa)
		panic("pmm: no room for %lu KiB of page structures", (size + extra + owners) >> 10);
	take_range(pa, pa + size + extra + owners);
	page_array = phys_to_virt(pa);
	page_ready = phys_to_virt(pa + size);
	memset(page_ready, 0, extra);
#ifdef KEVLAR_DEBUG
	page_owner = phys_to_virt(pa + size + extra);
#endif
}

uint64_t page_boot_init(void)
{
	paddr_t top = 0;

	take_image();
	for (unsigned i = 0; i < boot_info.nranges; i++)
		if (boot_info.range[i].usable)
			top = MAX(top, boot_info.range[i].end);
	page_array_end = ALIGN_UP(page_round_up(top) >> PAGE_SHIFT, BUDDY_TOP_PAGES);
	place_array();
	for (unsigned i = 0; i < boot_info.nranges; i++)
		if (boot_info.range[i].usable)
			split_range(page_round_up(boot_info.range[i].start),
				    page_round_down(boot_info.range[i].end));
	buddy_init(&pmm_buddy, page_array, page_ready);
	add_blocks();
	add_rests();
	return pmm_buddy.nfree;
}

void pmm_init(void)
{
	uint64_t total = page_boot_init();

	page_caches_init(total);
	log_info("Memory: %luK available, %luK of page structures", total << 2,
		 page_array_end * sizeof(struct page) >> 10);
}
