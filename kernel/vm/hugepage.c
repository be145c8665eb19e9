/*
 * Counts of 2 MiB blocks.
 *
 * A block is whole until somebody needs one of its pages alone: until then its first page counts
 * the leaves that map it, and the other 511 struct pages mean nothing. Then it is expanded, once
 * and for all: each page gets that count for its own, and every leaf, of 2 MiB or of 4 KiB, counts
 * in each page it maps. So splitting a leaf of an expanded block changes no count, its parts may be
 * unmapped or copied on their own, and two spaces may map the same block at different levels.
 *
 * huge_lock orders the expansion against those who count leaves of 2 MiB. A leaf's count is dropped
 * under it, so whoever sees the leaf in its slot while holding the lock knows that the block is
 * still there, although leaves leave their slots without it.
 */
#include "vm/hugepage.h"

#include <arch/mmu.h>

#include "core/spinlock.h"
#include "vm/stat.h"
#include "vm/vmspace.h"

enum { HUGE_ORDER = HUGE_SHIFT - PAGE_SHIFT };

int vm_huge_mode = VM_HUGE_ALWAYS;

static struct spinlock huge_lock = SPINLOCK(HUGE);
static uint64_t nwhole; /* blocks; huge_lock */

uint64_t vm_huge_pages(void)
{
	return nwhole * HUGE_PAGES;
}

/* huge_lock is held. */
static inline bool is_whole(const struct page *head)
{
	return head->order == HUGE_ORDER;
}

struct page *huge_alloc(void)
{
	struct page *p;

	/* Leave an eighth of the memory to those who want less than 2 MiB. */
	if (pmm_free_pages() < pmm_total_pages() / 8 + HUGE_PAGES)
		return NULL;
	p = page_alloc(HUGE_ORDER, PAGE_ANON, ALLOC_ZERO | ALLOC_ATOMIC);
	if (!p)
		return NULL;
	spin_lock(&huge_lock);
	nwhole++;
	spin_unlock(&huge_lock);
	vm_count(VM_EVENT_THP_FAULT, 1);
	return p;
}

void huge_get(struct page *head)
{
	unsigned n;

	spin_lock(&huge_lock);
	n = is_whole(head) ? 1 : HUGE_PAGES;
	for (unsigned i = 0; i < n; i++)
		page_get(&head[i]);
	spin_unlock(&huge_lock);
}

bool huge_is_exclusive(const struct page *head)
{
	uint32_t shared = 0;
	unsigned n;

	spin_lock(&huge_lock);
	n = is_whole(head) ? 1 : HUGE_PAGES;
	for (unsigned i = 0; i < n; i++)
		shared |= atomic_load_explicit(&head[i].ref, memory_order_relaxed) ^ 1;
	spin_unlock(&huge_lock);
	return shared == 0;
}

void huge_expand(_Atomic pte_t *slot)
{
	struct page *head;
	pte_t pte;

	spin_lock(&huge_lock);
	pte = atomic_load_explicit(slot, memory_order_relaxed);
	head = pte_is_huge(pte) ? paddr_page(pte_paddr(pte)) : NULL;
	if (head && is_whole(head)) {
		page_split(head, HUGE_ORDER);
		nwhole--;
		vm_count(VM_EVENT_THP_SPLIT, 1);
	}
	spin_unlock(&huge_lock);
}

/* True when head was whole: its count is one less, and the block free if it was the last. */
static bool put_whole(struct page *head)
{
	bool whole, last = false;

	spin_lock(&huge_lock);
	if ((whole = is_whole(head))) {
		last = atomic_load_explicit(&head->ref, memory_order_relaxed) == 1;
		if (last)
			nwhole--;
		else
			atomic_fetch_sub_explicit(&head->ref, 1, memory_order_acq_rel);
	}
	spin_unlock(&huge_lock);
	if (last)
		page_free(head, HUGE_ORDER);
	return whole;
}

void huge_put(struct page *head)
{
	if (put_whole(head))
		return;
	for (unsigned i = 0; i < HUGE_PAGES; i++)
		page_put(&head[i]);
}
