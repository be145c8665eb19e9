#pragma once

/*
 * x86-64 part of <arch/mmu.h>: SDM vol. 3A 4.5. A leaf without PTE_READ keeps its page but is not
 * present for the CPU (PROT_NONE): the P bit is off and X86_PTE_NONE is on. The PAT bit is never
 * used, so bit 7 always means "2 MiB leaf"; the PAT register is programmed to PA0 WB, PA1 WC, PA2
 * UC-, PA3 UC.
 */

#include <arch/pte.h>

#define X86_PTE_P    0x001ul
#define X86_PTE_W    0x002ul
#define X86_PTE_U    0x004ul
#define X86_PTE_PWT  0x008ul
#define X86_PTE_PCD  0x010ul
#define X86_PTE_A    0x020ul
#define X86_PTE_D    0x040ul
#define X86_PTE_PS   0x080ul
#define X86_PTE_G    0x100ul
#define X86_PTE_NONE 0x100ul /* with P off */
#define X86_PTE_SOFT 0x200ul /* PTE_SPECIAL */
#define X86_PTE_NX   (1ul << 63)
#define X86_PTE_ADDR 0x000ffffffffff000ul

extern uint64_t x86_pte_nx; /* X86_PTE_NX, or 0 where the CPU has no NX; immutable after entry */

static inline pte_t pte_make(paddr_t pa, unsigned flags)
{
	pte_t e = pa;

	e |= flags & (PTE_READ | PTE_WRITE | PTE_EXEC) ? X86_PTE_P : X86_PTE_NONE;
	e |= flags & PTE_WRITE ? X86_PTE_W : 0;
	e |= flags & PTE_USER ? X86_PTE_U : 0;
	e |= flags & PTE_DIRTY ? X86_PTE_D : 0;
	e |= flags & PTE_ACCESSED ? X86_PTE_A : 0;
	e |= flags & PTE_NOCACHE ? X86_PTE_PCD | X86_PTE_PWT : 0;
	e |= flags & PTE_WRITECOMBINE ? X86_PTE_PWT : 0;
	e |= flags & PTE_SPECIAL ? X86_PTE_SOFT : 0;
	e |= flags & PTE_EXEC ? 0 : x86_pte_nx;
	return e;
}

static inline pte_t pte_make_huge(paddr_t pa, unsigned flags)
{
	return pte_make(pa, flags) | X86_PTE_PS;
}

static inline paddr_t pte_paddr(pte_t e)
{
	return e & X86_PTE_ADDR;
}

/* Holds a page: also when no access is allowed. */
static inline bool pte_is_present(pte_t e)
{
	return e & (X86_PTE_P | X86_PTE_NONE);
}

static inline bool pte_is_huge(pte_t e)
{
	return e & X86_PTE_PS;
}

static inline unsigned pte_flags(pte_t e)
{
	unsigned f = 0;

	if (e & X86_PTE_P) {
		f |= PTE_READ;
		f |= e & X86_PTE_NX ? 0 : PTE_EXEC;
	}
	f |= e & X86_PTE_W ? PTE_WRITE : 0;
	f |= e & X86_PTE_U ? PTE_USER : 0;
	f |= e & X86_PTE_D ? PTE_DIRTY : 0;
	f |= e & X86_PTE_A ? PTE_ACCESSED : 0;
	f |= e & X86_PTE_PCD ? PTE_NOCACHE : e & X86_PTE_PWT ? PTE_WRITECOMBINE : 0;
	f |= e & X86_PTE_SOFT ? PTE_SPECIAL : 0;
	return f;
}
