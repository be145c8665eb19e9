#pragma once

/* pt.c: page tables of a space, inside kernel/vm: what leaves say, how they change, walks over
 * them. */

#include <arch/mmu.h>
#include <arch/page.h>

#include "abi/mman.h"
#include "pmm/page.h"
#include "vm/tlb.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

unsigned vm_pte_flags(
	uint32_t prot); /* PTE_WRITE left out: copy-on-write and dirty tracking decide */

/* The bits of a leaf that one flag makes the difference of: a constant, where pte_flags() would be
 * a computation. */
static inline pte_t pte_bits(unsigned flag)
{
	return pte_make(0, PTE_READ | PTE_EXEC | flag) ^ pte_make(0, PTE_READ | PTE_EXEC);
}
/* PTE_SPECIAL is a bit of software: set where the flag is. */
static inline bool pte_is_special(pte_t e)
{
	return e & pte_bits(PTE_SPECIAL);
}
static inline bool pte_is_writable(pte_t e)
{
	return pte_flags(e) & PTE_WRITE;
}
/* e, writable, made read-only, all else as it was. */
static inline pte_t pte_write_protect(pte_t e)
{
	return e ^ pte_bits(PTE_WRITE);
}
static inline struct page *pte_page(pte_t e)
{
	return paddr_page(pte_paddr(e));
}

/* What a private page of v is mapped with once it is its own. Dirty even where it cannot be
 * written: a clean leaf of an anonymous page means that MADV_FREE gave it up (lazyfree.c). */
static inline unsigned vm_private_flags(const struct vma *v)
{
	unsigned flags = vm_pte_flags(v->prot) | PTE_DIRTY;

	return v->prot & PROT_WRITE ? flags | PTE_WRITE : flags;
}
/*
 * The same as leaves, by protection: what a page of an object is mapped with, and a private one. A
 * leaf is these bits and its frame. Immutable after fault_init().
 */
extern pte_t vm_object_bits[8], vm_private_bits[8], vm_accessed_bit;
static inline pte_t vm_private_leaf(const struct vma *v, paddr_t pa)
{
	return pa | vm_private_bits[v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)];
}
static inline pte_t vm_object_leaf(const struct vma *v, paddr_t pa)
{
	return pa | vm_object_bits[v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)];
}
/* Puts `new` into the slot if it still holds `old`. */
static inline bool pte_install(_Atomic pte_t *slot, pte_t old, pte_t new)
{
	return atomic_compare_exchange_strong_explicit(slot, &old, new, memory_order_acq_rel,
						       memory_order_relaxed);
}
static inline void vm_add_rss(_Atomic uint64_t *count, uint64_t pages)
{
	atomic_fetch_add_explicit(count, pages, memory_order_relaxed);
}
/* v gets a page that is not its object's: fork must copy it. */
static inline void vma_mark_private(struct vma *v)
{
	if (v->object && !atomic_load_explicit(&v->has_private, memory_order_relaxed))
		atomic_store_explicit(&v->has_private, true, memory_order_relaxed);
}

/*
 * arch_pt_walk() for ranges of moderate size: one look-up for each 2 MiB, then leaf after leaf,
 * with fn inlined. Ranges that may be vast and empty take arch_pt_walk() itself, which skips by the
 * upper levels.
 */
static inline __attribute__((always_inline)) int vm_walk(struct vmspace *vs, uint64_t start,
							 uint64_t end, pt_walk_fn *fn, void *ctx)
{
	uint64_t stop, size;
	_Atomic pte_t *slot;
	int ret = 0;

	if (end - start > 64 * HUGE_SIZE)
		return arch_pt_walk(&vs->pt, start, end, fn, ctx);
	for (; start < end && !ret; start = stop) {
		stop = MIN(end, ALIGN_DOWN(start, HUGE_SIZE) + HUGE_SIZE);
		if (!(slot = arch_pt_slot(&vs->pt, start, &size)))
			continue;
		if (UNLIKELY(size != PAGE_SIZE)) {
			if (atomic_load_explicit(slot, memory_order_relaxed))
				ret = fn(ctx, slot, ALIGN_DOWN(start, HUGE_SIZE), HUGE_SIZE);
			continue;
		}
		for (; start < stop && !ret; start += PAGE_SIZE, slot++)
			if (atomic_load_explicit(slot, memory_order_relaxed))
				ret = fn(ctx, slot, start, PAGE_SIZE);
	}
	return ret;
}

/* Replaces a 2 MiB leaf at va, if there is one, by 512 small ones. 0 or -ENOMEM. Lock held. */
MUST_CHECK int vm_split_leaf(struct arch_pt *pt, uint64_t va);
/*
 * Splits 2 MiB leaves that contain `start` or `end` inside; v is the first VMA with an end behind
 * `start`. 0 or -ENOMEM. Lock held. Whoever may cut a VMA in two calls it, so a 2 MiB leaf always
 * lies in one VMA, and small VMAs have none.
 */
MUST_CHECK int vm_split_ends(struct vmspace *vs, const struct vma *v, uint64_t start, uint64_t end);
/* Clears leaves of [start, end) into g. Lock held at least for reading. */
enum zap_how {
	ZAP_ALL,
	ZAP_CACHED, /* those of objects' pages: private copies stay */
	ZAP_UNUSED, /* of these, those not used since the last time; the others are marked unused */
	ZAP_LAZY,   /* anonymous pages that MADV_FREE gave up and nobody has written since */
};
void vm_zap(struct tlb_gather *g, uint64_t start, uint64_t end, enum zap_how how);
/*
 * Unlinks table pages that [start, end), free by now in the tree, does not need any more; `next` is
 * the VMA behind it. Lock held for writing. Every table page of a space lies at least partly under
 * one of its VMAs: vm_teardown() finds them all that way.
 */
void vm_unlink_tables(struct tlb_gather *g, struct vma *next, uint64_t start, uint64_t end);
/* Frees everything that a space without users maps, and the table pages. The VMAs are still in the
 * tree. */
void vm_teardown(struct vmspace *vs);
void vm_update_hiwater(struct vmspace *vs);
