/*
 * Counts of 2 MiB blocks. See the header for the idea: a block never has a count of its own, hence no state in which
 * a block is half one thing and half another.
 */
#include "vm/hugepage.h"

#include "lib/bitmap.h"

enum { HUGE_ORDER = HUGE_SHIFT - PAGE_SHIFT };

struct page *huge_alloc(void)
{
	struct page *p;

	/* Leave an eighth of the memory to those who want less than 2 MiB. */
	if (pmm_free_pages() < pmm_total_pages() / 8 + HUGE_PAGES)
		return NULL;
	p = page_alloc(HUGE_ORDER, PAGE_ANON, ALLOC_ZERO | ALLOC_ATOMIC);
	if (p)
		page_split(p, HUGE_ORDER);
	return p;
}

void huge_get(struct page *head)
{
	for (unsigned i = 0; i < HUGE_PAGES; i += 4) {
		page_get(&head[i]);
		page_get(&head[i + 1]);
		page_get(&head[i + 2]);
		page_get(&head[i + 3]);
	}
}

bool huge_is_exclusive(const struct page *head)
{
	uint32_t shared = 0;

	for (unsigned i = 0; i < HUGE_PAGES; i++)
		shared |= atomic_load_explicit(&head[i].ref, memory_order_relaxed) ^ 1;
	return shared == 0;
}

/* All counts have just fallen to 0, so the block is ours alone: the reverse of page_split(). */
static void free_block(struct page *head)
{
	for (unsigned i = 1; i < HUGE_PAGES; i++)
		head[i].kind = PAGE_RESERVED;
	head->order = HUGE_ORDER;
	atomic_store_explicit(&head->ref, 1, memory_order_relaxed);
	page_free(head, HUGE_ORDER);
}

void huge_put(struct page *head)
{
	uint64_t dead[BITMAP_WORDS(HUGE_PAGES)] = { 0 };
	unsigned ndead = 0;

	for (unsigned i = 0; i < HUGE_PAGES; i += 4)
		for (unsigned k = i; k < i + 4; k++)
			if (atomic_fetch_sub_explicit(&head[k].ref, 1, memory_order_acq_rel) == 1) {
				bitmap_set(dead, k);
				ndead++;
			}
	if (ndead == HUGE_PAGES) {
		free_block(head);
		return;
	}
	for (unsigned i = 0; ndead && i < HUGE_PAGES; i++) {
		if (!bitmap_test(dead, i))
			continue;
		atomic_store_explicit(&head[i].ref, 1, memory_order_relaxed);
		page_free(&head[i], 0);
		ndead--;
	}
}
