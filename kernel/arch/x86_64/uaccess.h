#pragma once

/* The C counterpart of asm_macros.inc: opening user memory, and instructions on it that may fault.
 */

#include <arch/page.h>

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

/*
 * Single words between user_access_begin() and _end(), at addresses that have been checked. False:
 * fault, and the access is over.
 */
static inline bool user_load64(uint64_t a, uint64_t *out)
{
	uint64_t v;

	__asm__ goto("1: movq %1, %0\n" EX_ENTRY("1b", "%l[fault]")
		     : "=r"(v)
		     : "m"(*(const uint64_t *)a)
		     : "memory"
		     : fault);
	*out = v;
	return true;
fault:
	return false;
}

static inline bool user_store64(uint64_t a, uint64_t v)
{
	__asm__ goto("1: movq %0, %1\n" EX_ENTRY("1b", "%l[fault]")
		     :
		     : "er"(v), "m"(*(uint64_t *)a)
		     : "memory"
		     : fault);
	return true;
fault:
	return false;
}

static inline bool user_store32(uint64_t a, uint32_t v)
{
	__asm__ goto("1: movl %0, %1\n" EX_ENTRY("1b", "%l[fault]")
		     :
		     : "er"(v), "m"(*(uint32_t *)a)
		     : "memory"
		     : fault);
	return true;
fault:
	return false;
}

/* True: all of [a, a + n) is a user's. */
static inline bool arch_user_range_ok(uint64_t a, size_t n)
{
	return n <= USER_END && a <= USER_END - n;
}
