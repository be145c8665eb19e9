#pragma once

/*
 * Page tables. A table holds user mappings in its lower half and shares the kernel's upper half.
 * Leaf entries change by compare-and-exchange, so page faults on the same address space run in
 * parallel without a lock; table pages are added the same way, and removed only by
 * arch_pt_free_range(), whose caller excludes faults (vmspace->lock held for writing) and has shot
 * down the TLBs before freeing what it returns.
 */

#include <arch/pte.h>

#include "lib/types.h"

struct arch_pt {
	paddr_t root;
	_Atomic uint64_t active;  /* CPUs that may hold translations of it */
	_Atomic uint64_t ntables; /* table pages, for statistics and rlimits */
};

/* Table pages: zeroed, from and to the page allocator; set once at boot (arch does not call pmm).
 */
struct arch_pt_alloc {
	paddr_t (*alloc)(void); /* 0: none */
	void (*free)(paddr_t);  /* the page is all zeroes again, except the root's */
};
void arch_pt_set_alloc(const struct arch_pt_alloc *a);

MUST_CHECK int arch_pt_init(struct arch_pt *pt); /* -ENOMEM */
void arch_pt_fini(struct arch_pt *pt); /* no user mapping is left; frees every table page */

/* Makes pt (NULL: the kernel's own) this CPU's. Interrupts off. Loads CR3 only when it changes. */
void arch_pt_switch(struct arch_pt *pt);
extern struct arch_pt kernel_pt;

#include <arch/mmu_inline.h>
/* which provides, as static inlines:
 *   pte_t    pte_make(paddr_t, unsigned flags)
 *   paddr_t  pte_paddr(pte_t)
 *   unsigned pte_flags(pte_t)
 *   bool     pte_is_present(pte_t)                      holds a page, also one that may not be
 * accessed (made without READ, WRITE and EXEC: PROT_NONE keeps its page in the table) bool
 * pte_is_huge(pte_t) pte_t    pte_make_huge(paddr_t, unsigned flags)     2 MiB leaf
 */

/*
 * The slot of the 4 KiB leaf for va, with table pages allocated on the way. NULL: no memory, or a 2
 * MiB leaf is in the way (*huge then points to it).
 */
_Atomic pte_t *arch_pt_slot_alloc(struct arch_pt *pt, uint64_t va, _Atomic pte_t **huge);

/* The slot of the leaf that maps va at either level, without allocation; NULL: no table there.
 * *size is 4 KiB or 2 MiB. The 2 MiB slot itself (empty or leaf) is returned when there is no table
 * below it. */
_Atomic pte_t *arch_pt_slot(struct arch_pt *pt, uint64_t va, uint64_t *size);

/* The 2 MiB-level slot for va, with upper tables allocated; it may hold a table. NULL: no memory.
 */
_Atomic pte_t *arch_pt_huge_slot_alloc(struct arch_pt *pt, uint64_t va);

/* Replaces a 2 MiB leaf by a table of 512 leaves of the same meaning. -ENOMEM. */
MUST_CHECK int arch_pt_split(struct arch_pt *pt, uint64_t va);

/*
 * Calls fn for every non-empty leaf in [start, end), in order; whole empty tables are skipped
 * without being looked at entry by entry. fn gets the slot, the address and the leaf's size; it may
 * change the slot. A non-zero return stops the walk and is returned.
 */
typedef int pt_walk_fn(void *ctx, _Atomic pte_t *slot, uint64_t va, uint64_t size);
int arch_pt_walk(struct arch_pt *pt, uint64_t start, uint64_t end, pt_walk_fn *fn, void *ctx);

/*
 * Unlinks the table pages that lie wholly inside [start, end) and have become unnecessary, chained
 * through their first word; the caller shoots down, then calls arch_pt_free_chain(). floor, ceiling
 * the nearest mappings around the range: tables shared with them stay
 */
paddr_t arch_pt_unlink_tables(struct arch_pt *pt, uint64_t floor, uint64_t start, uint64_t end,
			      uint64_t ceiling);
void arch_pt_free_chain(paddr_t chain);

/* This CPU only. Other CPUs: vm/tlb.h. */
void arch_tlb_flush_page(uint64_t va);
void arch_tlb_flush_all(void); /* user translations of the current table */
void arch_tlb_flush_kernel(void);

/* Kernel mappings (KVA range), serialised by pmm/kva. The flush on other CPUs is the caller's. */
MUST_CHECK int arch_kernel_map(kaddr_t va, paddr_t pa, unsigned flags);
paddr_t arch_kernel_unmap(kaddr_t va); /* 0: was not mapped */
