/*
 * Page tables of user address spaces: four levels, 4 KiB and 2 MiB leaves (SDM vol. 3A 4.5).
 *
 * Table entries go from 0 to "table" by compare-and-exchange, so faults may build them in parallel;
 * the loser of a race frees its page. They go back to 0 only in arch_pt_unlink_tables(), which
 * excludes faults. A page-directory entry is 0, a table, or a 2 MiB leaf (bit 7, present or
 * PROT_NONE).
 *
 * `active` is set before CR3 is loaded and cleared after another table is, so that a shootdown
 * never misses a CPU; it may find one that is just leaving, which flushes once too often.
 */

#include <arch/mmu.h>
#include <arch/page.h>

#include "abi/errno.h"
#include "arch/x86_64/x86_priv.h"
#include "core/panic.h"

enum { TABLE_ENTRIES = 512 };
#define TABLE_FLAGS (X86_PTE_P | X86_PTE_W | X86_PTE_U | X86_PTE_A)

#define SHIFT_PT   12
#define SHIFT_PD   21
#define SHIFT_PDPT 30
#define SHIFT_PML4 39

static const struct arch_pt_alloc *pt_alloc;
static PERCPU(struct arch_pt *, current_pt);

struct arch_pt kernel_pt;

void arch_pt_set_alloc(const struct arch_pt_alloc *a)
{
	pt_alloc = a;
}

paddr_t pt_page_alloc(void)
{
	return pt_alloc->alloc();
}

static inline _Atomic pte_t *table_at(paddr_t pa)
{
	return phys_to_virt(pa);
}

static inline unsigned index_at(uint64_t va, unsigned shift)
{
	return va >> shift & (TABLE_ENTRIES - 1);
}

static inline pte_t load(const _Atomic pte_t *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}

static inline bool is_table(pte_t e)
{
	return (e & (X86_PTE_P | X86_PTE_PS)) == X86_PTE_P;
}

/* The table below an empty entry; 0: no memory. Another CPU may have been faster. */
static paddr_t table_add(struct arch_pt *pt, _Atomic pte_t *slot)
{
	paddr_t pa = pt_alloc->alloc();
	pte_t e = 0;

	if (!pa)
		return 0;
	if (atomic_compare_exchange_strong_explicit(slot, &e, pa | TABLE_FLAGS,
						    memory_order_acq_rel, memory_order_acquire)) {
		atomic_fetch_add_explicit(&pt->ntables, 1, memory_order_relaxed);
		return pa;
	}
	pt_alloc->free(pa);
	return is_table(e) ? pte_paddr(e) : 0;
}

static inline _Atomic pte_t *step_alloc(struct arch_pt *pt, _Atomic pte_t *slot, uint64_t va,
					unsigned shift)
{
	pte_t e = load(slot);
	paddr_t pa = LIKELY(e) ? pte_paddr(e) : table_add(pt, slot);

	return pa ? table_at(pa) + index_at(va, shift) : NULL;
}

_Atomic pte_t *arch_pt_huge_slot_alloc(struct arch_pt *pt, uint64_t va)
{
	_Atomic pte_t *slot = table_at(pt->root) + index_at(va, SHIFT_PML4);

	slot = step_alloc(pt, slot, va, SHIFT_PDPT);
	return slot ? step_alloc(pt, slot, va, SHIFT_PD) : NULL;
}

_Atomic pte_t *arch_pt_slot_alloc(struct arch_pt *pt, uint64_t va, _Atomic pte_t **huge)
{
	_Atomic pte_t *slot = arch_pt_huge_slot_alloc(pt, va);
	paddr_t pa;
	pte_t e;

	*huge = NULL;
	if (!slot)
		return NULL;
	e = load(slot);
	if (LIKELY(is_table(e)))
		return table_at(pte_paddr(e)) + index_at(va, SHIFT_PT);
	if (!e && (pa = table_add(pt, slot)))
		return table_at(pa) + index_at(va, SHIFT_PT);
	if (pte_is_huge(load(slot)))
		*huge = slot;
	return NULL;
}

_Atomic pte_t *arch_pt_slot(struct arch_pt *pt, uint64_t va, uint64_t *size)
{
	_Atomic pte_t *slot = table_at(pt->root) + index_at(va, SHIFT_PML4);
	pte_t e;

	if (!(e = load(slot)))
		return NULL;
	slot = table_at(pte_paddr(e)) + index_at(va, SHIFT_PDPT);
	if (!(e = load(slot)))
		return NULL;
	slot = table_at(pte_paddr(e)) + index_at(va, SHIFT_PD);
	e = load(slot);
	*size = HUGE_SIZE;
	if (!is_table(e))
		return slot;
	*size = PAGE_SIZE;
	return table_at(pte_paddr(e)) + index_at(va, SHIFT_PT);
}

int arch_pt_split(struct arch_pt *pt, uint64_t va)
{
	uint64_t size;
	_Atomic pte_t *slot = arch_pt_slot(pt, va, &size);
	pte_t e;
	paddr_t pa;

	if (!slot || size != HUGE_SIZE || !pte_is_huge(e = load(slot)))
		return 0;
	if (!(pa = pt_alloc->alloc()))
		return -ENOMEM;
	/* The CPU may set A and D in the leaf meanwhile: then take them over and try again. */
	do {
		_Atomic pte_t *leaf = table_at(pa);

		for (unsigned i = 0; i < TABLE_ENTRIES; i++)
			atomic_store_explicit(&leaf[i], (e & ~X86_PTE_PS) + i * PAGE_SIZE,
					      memory_order_relaxed);
	} while (!atomic_compare_exchange_strong_explicit(
			 slot, &e, pa | TABLE_FLAGS, memory_order_acq_rel, memory_order_acquire) &&
		 pte_is_huge(e));
	if (pte_paddr(load(slot)) != pa) { /* unmapped or split by another fault */
		for (unsigned i = 0; i < TABLE_ENTRIES; i++)
			atomic_store_explicit(&table_at(pa)[i], 0, memory_order_relaxed);
		pt_alloc->free(pa);
		return 0;
	}
	atomic_fetch_add_explicit(&pt->ntables, 1, memory_order_relaxed);
	return 0;
}

/* ---- walking ---- */

/* One table's part of [start, end), which lies inside it. */
static int walk_leaves(paddr_t table, uint64_t start, uint64_t end, pt_walk_fn *fn, void *ctx)
{
	_Atomic pte_t *slot = table_at(table) + index_at(start, SHIFT_PT);
	int ret;

	for (; start < end; start += PAGE_SIZE, slot++)
		if (atomic_load_explicit(slot, memory_order_relaxed) &&
		    (ret = fn(ctx, slot, start, PAGE_SIZE)))
			return ret;
	return 0;
}

static int walk_pd(paddr_t table, uint64_t start, uint64_t end, pt_walk_fn *fn, void *ctx)
{
	_Atomic pte_t *slot = table_at(table) + index_at(start, SHIFT_PD);
	uint64_t next;
	int ret;

	for (; start < end; start = next, slot++) {
		pte_t e = load(slot);

		next = MIN(end, ALIGN_DOWN(start, HUGE_SIZE) + HUGE_SIZE);
		if (!e)
			continue;
		if (is_table(e))
			ret = walk_leaves(pte_paddr(e), start, next, fn, ctx);
		else
			ret = fn(ctx, slot, ALIGN_DOWN(start, HUGE_SIZE), HUGE_SIZE);
		if (ret)
			return ret;
	}
	return 0;
}

static int walk_pdpt(paddr_t table, uint64_t start, uint64_t end, pt_walk_fn *fn, void *ctx)
{
	_Atomic pte_t *slot = table_at(table) + index_at(start, SHIFT_PDPT);
	uint64_t next;
	int ret;

	for (; start < end; start = next, slot++) {
		pte_t e = load(slot);

		next = MIN(end, ALIGN_DOWN(start, 1ul << SHIFT_PDPT) + (1ul << SHIFT_PDPT));
		if (e && (ret = walk_pd(pte_paddr(e), start, next, fn, ctx)))
			return ret;
	}
	return 0;
}

int arch_pt_walk(struct arch_pt *pt, uint64_t start, uint64_t end, pt_walk_fn *fn, void *ctx)
{
	_Atomic pte_t *slot = table_at(pt->root) + index_at(start, SHIFT_PML4);
	uint64_t next;
	int ret;

	end = MIN(end, USER_END);
	for (; start < end; start = next, slot++) {
		pte_t e = load(slot);

		next = MIN(end, ALIGN_DOWN(start, 1ul << SHIFT_PML4) + (1ul << SHIFT_PML4));
		if (e && (ret = walk_pdpt(pte_paddr(e), start, next, fn, ctx)))
			return ret;
	}
	return 0;
}

/* ---- taking tables out ---- */

struct unlink {
	struct arch_pt *pt;
	uint64_t floor, ceiling;
	paddr_t chain;
};

/* A page-aligned address as first word is an entry that is not present: a CPU that still walks the
 * table sees nothing there. */
static void chain_table(struct unlink *u, _Atomic pte_t *slot)
{
	paddr_t pa = pte_paddr(load(slot));

	atomic_store_explicit(slot, 0, memory_order_release);
	atomic_store_explicit(table_at(pa), u->chain, memory_order_relaxed);
	u->chain = pa;
	atomic_fetch_sub_explicit(&u->pt->ntables, 1, memory_order_relaxed);
}

/* The tables that the entries of `table` for [start, end) point to, 1 << shift bytes each; deepest
 * first. */
static void unlink_level(struct unlink *u, paddr_t table, unsigned shift, uint64_t start,
			 uint64_t end)
{
	_Atomic pte_t *slot = table_at(table) + index_at(start, shift);
	uint64_t span = 1ul << shift, base = ALIGN_DOWN(start, span);

	for (; base < end; base += span, slot++) {
		pte_t e = load(slot);

		if (!is_table(e))
			continue;
		if (shift > SHIFT_PD)
			unlink_level(u, pte_paddr(e), shift - 9, MAX(base, start),
				     MIN(base + span, end));
		if (base >= u->floor && base + span <= u->ceiling)
			chain_table(u, slot);
	}
}

paddr_t arch_pt_unlink_tables(struct arch_pt *pt, uint64_t floor, uint64_t start, uint64_t end,
			      uint64_t ceiling)
{
	struct unlink u = { .pt = pt, .floor = floor, .ceiling = ceiling };

	/* The last table of the user's half reaches beyond USER_END, where nothing can be. */
	if (u.ceiling >= USER_END)
		u.ceiling = 1ul << 47;
	unlink_level(&u, pt->root, SHIFT_PML4, start, MIN(end, USER_END));
	return u.chain;
}

void arch_pt_free_chain(paddr_t chain)
{
	while (chain) {
		_Atomic pte_t *first = table_at(chain);
		paddr_t next = atomic_load_explicit(first, memory_order_relaxed);

		atomic_store_explicit(first, 0, memory_order_relaxed);
		pt_alloc->free(chain);
		chain = next;
	}
}

/* ---- whole tables ---- */

int arch_pt_init(struct arch_pt *pt)
{
	paddr_t root = pt_alloc->alloc();
	uint64_t *e;

	if (!root)
		return -ENOMEM;
	e = phys_to_virt(root);
	for (unsigned i = 0; i < kernel_nslots; i++)
		e[kernel_slots[i]] = kernel_pml4[kernel_slots[i]];
	pt->root = root;
	atomic_init(&pt->active, 0);
	atomic_init(&pt->ntables, 1);
	return 0;
}

void arch_pt_fini(struct arch_pt *pt)
{
	uint64_t *e = phys_to_virt(pt->root);

	KASSERT(atomic_load_explicit(&pt->active, memory_order_acquire) == 0);
	if (atomic_load_explicit(&pt->ntables, memory_order_relaxed) > 1)
		arch_pt_free_chain(arch_pt_unlink_tables(pt, 0, 0, USER_END, USER_END));
	for (unsigned i = 0; i < kernel_nslots; i++)
		e[kernel_slots[i]] = 0;
	pt_alloc->free(pt->root);
	pt->root = 0;
}

void arch_pt_switch(struct arch_pt *pt)
{
	struct arch_pt *next = pt ? pt : &kernel_pt, *prev = this_cpu(current_pt);
	uint64_t bit = BIT(arch_cpu_id());

	if (next == prev)
		return;
	atomic_fetch_or_explicit(&next->active, bit, memory_order_seq_cst);
	write_cr3(next->root);
	this_cpu(current_pt) = next;
	if (prev)
		atomic_fetch_and_explicit(&prev->active, ~bit, memory_order_release);
}

/* ---- TLB of this CPU. Kernel mappings are global ---- */

void arch_tlb_flush_page(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void arch_tlb_flush_all(void)
{
	write_cr3(read_cr3());
}

void arch_tlb_flush_kernel(void)
{
	irqstate_t s = arch_irq_save();

	write_cr4(x86_cpu.cr4 & ~(uint64_t)CR4_PGE);
	write_cr4(x86_cpu.cr4);
	arch_irq_restore(s);
}
