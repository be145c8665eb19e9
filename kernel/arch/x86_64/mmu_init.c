/*
 * The kernel's own mappings: direct map, image by section, KVA, and the port's window for registers
 * and tables of the firmware. The top-level entries are complete before the first user address
 * space copies them and never change afterwards; below them everybody shares the same tables.
 */

#include <arch/boot.h>
#include <arch/mmu.h>
#include <arch/page.h>

#include "abi/errno.h"
#include "arch/x86_64/x86_priv.h"
#include "core/panic.h"
#include "lib/string.h"

#define KERNEL_TABLE (X86_PTE_P | X86_PTE_W | X86_PTE_A)
#define KERNEL_RW    (X86_PTE_P | X86_PTE_W | X86_PTE_A | X86_PTE_D | X86_PTE_G)
#define SIZE_1G      (1ul << 30)

unsigned kernel_nslots;
uint16_t kernel_slots[8];

static uintptr_t window_next = ARCH_WINDOW_BASE;

/* The entry for va in the table of `shift`, with tables made on the way. The kernel's tables change
 * in one thread at a time: boot, then pmm/kva under its lock. NULL: no memory. */
static uint64_t *kernel_entry(uint64_t va, unsigned shift, paddr_t (*alloc)(void))
{
	uint64_t *e = &kernel_pml4[va >> 39 & 511];

	for (unsigned s = 30; s >= shift; s -= 9) {
		if (!*e) {
			paddr_t pa = alloc();

			if (!pa)
				return NULL;
			*e = pa | KERNEL_TABLE;
		}
		e = (uint64_t *)phys_to_virt(pte_paddr(*e)) + (va >> s & 511);
	}
	return e;
}

static uint64_t *boot_entry(uint64_t va, unsigned shift, paddr_t (*alloc)(void))
{
	uint64_t *e = kernel_entry(va, shift, alloc);

	if (!e)
		panic("no memory for the kernel's page tables");
	return e;
}

/* [start, end) into the direct map, with the largest pages that fit. */
static void map_direct(paddr_t start, paddr_t end, paddr_t (*alloc)(void))
{
	while (start < end) {
		uint64_t va = DIRECT_MAP_BASE + start, size = PAGE_SIZE, huge = X86_PTE_PS;
		unsigned shift = 12;

		if (x86_cpu.pdpe1gb && IS_ALIGNED(start, SIZE_1G) && end - start >= SIZE_1G) {
			size = SIZE_1G, shift = 30;
		} else if (IS_ALIGNED(start, HUGE_SIZE) && end - start >= HUGE_SIZE) {
			size = HUGE_SIZE, shift = 21;
		} else {
			huge = 0;
		}
		*boot_entry(va, shift, alloc) = start | KERNEL_RW | x86_pte_nx | huge;
		start += size;
	}
}

static void map_image(const char *from, const char *to, uint64_t flags, paddr_t (*alloc)(void))
{
	for (uintptr_t va = (uintptr_t)from; va < (uintptr_t)to; va += PAGE_SIZE)
		*boot_entry(va, 12, alloc) = (va - KERNEL_BASE) | flags;
}

/* The first 2 MiB go in whole: firmware tables are looked for there, and the fixed MTRRs say what
 * is device. */
static void map_all_ram(paddr_t (*alloc)(void))
{
	map_direct(0, HUGE_SIZE, alloc);
	for (unsigned i = 0; i < boot_info.nranges; i++) {
		const struct boot_range *r = &boot_info.range[i];

		if (r->usable && r->end > HUGE_SIZE)
			map_direct(MAX(r->start, HUGE_SIZE), MIN(r->end, DIRECT_MAP_SIZE), alloc);
	}
}

static void add_slot(uint64_t va)
{
	unsigned i = va >> 39 & 511;

	if (kernel_pml4[i])
		kernel_slots[kernel_nslots++] = (uint16_t)i;
}

void arch_map_memory(paddr_t (*alloc)(void))
{
	const uint64_t ro = X86_PTE_P | X86_PTE_A | X86_PTE_D | X86_PTE_G,
		       rw = KERNEL_RW | x86_pte_nx;
	unsigned direct = DIRECT_MAP_BASE >> 39 & 511;

	/* The new tables grow beside the old ones, which boot_pml4 has too: the CPU stays on that
	 * meanwhile. */
	write_cr3(virt_to_phys(boot_pml4));
	kernel_pml4[direct] = 0;
	kernel_pdpt[510] = 0;

	map_all_ram(alloc);
	map_image(__text_start, __text_end, ro, alloc);
	map_image(__rodata_start, __rodata_end, ro | x86_pte_nx, alloc);
	map_image(__data_start, __data_end, rw, alloc);
	map_image(__init_start, __init_data_start, ro, alloc);
	map_image(__init_data_start, __init_end, rw, alloc);
	map_image(__bss_start, __bss_end, rw, alloc);
	*boot_entry((uintptr_t)boot_stack_guard, 12, alloc) = 0;
	boot_entry(KVA_BASE, 30, alloc);
	boot_entry(ARCH_WINDOW_BASE, 21, alloc);
	kernel_pt.root = virt_to_phys(kernel_pml4);
	arch_pt_switch(NULL);

	for (unsigned i = 0;
	     i < DIRECT_MAP_SIZE >> 39 && kernel_nslots < ARRAY_SIZE(kernel_slots) - 2; i++)
		add_slot(DIRECT_MAP_BASE + ((uint64_t)i << 39));
	add_slot(KVA_BASE);
	add_slot(KERNEL_BASE);
}

int arch_kernel_map(kaddr_t va, paddr_t pa, unsigned flags)
{
	uint64_t *e = kernel_entry(va, 12, pt_page_alloc);

	if (!e)
		return -ENOMEM;
	*e = pte_make(pa, flags | PTE_ACCESSED | PTE_DIRTY) | X86_PTE_G;
	return 0;
}

paddr_t arch_kernel_unmap(kaddr_t va)
{
	uint64_t *e = &kernel_pml4[va >> 39 & 511], old;

	for (unsigned s = 30; s >= 12; s -= 9) {
		if (!*e)
			return 0;
		e = (uint64_t *)phys_to_virt(pte_paddr(*e)) + (va >> s & 511);
	}
	old = *e;
	*e = 0;
	arch_tlb_flush_page(va);
	return pte_paddr(old);
}

void *window_map(paddr_t pa, size_t bytes, unsigned flags)
{
	paddr_t first = page_round_down(pa), end = page_round_up(pa + bytes);
	uintptr_t va = window_next;

	if (end < first || end - first > ARCH_WINDOW_END - va)
		return NULL;
	for (paddr_t p = first; p < end; p += PAGE_SIZE)
		if (arch_kernel_map(va + (p - first), p, flags))
			return NULL;
	window_next += end - first;
	return (void *)(va + (pa - first));
}

/* The tables of the trampoline are init data, so they go too. */
void arch_free_init(void (*free)(paddr_t start, paddr_t end))
{
	for (uintptr_t va = (uintptr_t)__init_start; va < (uintptr_t)__init_end; va += PAGE_SIZE)
		arch_kernel_unmap(va);
	free(virt_to_phys(__init_start), virt_to_phys(__init_end));
	if (boot_trampoline)
		free(boot_trampoline, boot_trampoline + PAGE_SIZE);
}
