#pragma once

/* The C counterpart of asm_macros.inc: opening user memory, and instructions on it that may fault.
 */

#include "lib/types.h"

#define SMAP_SITE(op)                   \
	"990: .byte 0x0f, 0x1f, 0x00\n" \
	".pushsection .smap_sites, \"a\"\n .quad 990b, " op "\n .popsection\n"

#define EX_ENTRY(insn, fixup) \
	".pushsection __ex_table, \"aw\"\n .quad " insn ", " fixup "\n .popsection\n"

static inline void user_access_begin(void)
{
	__asm__ volatile(SMAP_SITE("0xcb") : : : "memory");
}

static inline void user_access_end(void)
{
	__asm__ volatile(SMAP_SITE("0xca") : : : "memory");
}

/* Bytes from a that are a user's, at most n. */
bool arch_user_range_ok(uint64_t a, size_t n);
