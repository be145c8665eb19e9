/*
 * Counts of 2 MiB blocks. See the header for the idea: a block never has a count of its own, hence
 * no state in which a block is half one thing and half another.
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
	for (struct page *p = head; p < head + HUGE_PAGES; p += 8) {
		page_get(&p[0]);
		page_get(&p[1]);
		page_get(&p[2]);
		page_get(&p[3]);
		page_get(&p[4]);
		page_get(&p[5]);
		page_get(&p[6]);
		page_get(&p[7]);
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

/* The branch is hardly ever taken; the fence keeps the compiler from computing `dead` without one
 * every time. */
static inline void drop(struct page *p, uint64_t bit, uint64_t *dead)
{
	if (UNLIKELY(atomic_fetch_sub_explicit(&p->ref, 1, memory_order_acq_rel) == 1)) {
		atomic_signal_fence(memory_order_seq_cst);
		*dead |= bit;
	}
}

/* One count less for each of 64 pages. Returns a bit for each that nobody counts any more. */
static uint64_t drop_64(struct page *p)
{
	uint64_t dead = 0;

	for (uint64_t bit = 1; bit; bit <<= 8, p += 8) {
		drop(&p[0], bit, &dead);
		drop(&p[1], bit << 1, &dead);
		drop(&p[2], bit << 2, &dead);
		drop(&p[3], bit << 3, &dead);
		drop(&p[4], bit << 4, &dead);
		drop(&p[5], bit << 5, &dead);
		drop(&p[6], bit << 6, &dead);
		drop(&p[7], bit << 7, &dead);
	}
	return dead;
}

void huge_put(struct page *head)
{
	uint64_t dead[BITMAP_WORDS(HUGE_PAGES)], all = UINT64_MAX, any = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(dead); i++) {
		dead[i] = drop_64(&head[i * 64]);
		all &= dead[i];
		any |= dead[i];
	}
	if (all == UINT64_MAX) {
		free_block(head);
		return;
	}
	for (unsigned i = 0; any && i < HUGE_PAGES; i++)
		if (bitmap_test(dead, i)) {
			atomic_store_explicit(&head[i].ref, 1, memory_order_relaxed);
			page_free(&head[i], 0);
		}
}
