#pragma once

/* x86-64 part of <arch/sum.h>. */

#include "lib/types.h"

/* LEA and DEC leave the carry as it is: it goes through the whole loop. */
static inline uint64_t arch_sum(uint64_t sum, const uint8_t *p, size_t blocks)
{
	__asm__("clc\n"
		"1:\tadcq (%[p]), %[sum]\n\t"
		"adcq 8(%[p]), %[sum]\n\t"
		"adcq 16(%[p]), %[sum]\n\t"
		"adcq 24(%[p]), %[sum]\n\t"
		"adcq 32(%[p]), %[sum]\n\t"
		"adcq 40(%[p]), %[sum]\n\t"
		"adcq 48(%[p]), %[sum]\n\t"
		"adcq 56(%[p]), %[sum]\n\t"
		"leaq 64(%[p]), %[p]\n\t"
		"decq %[n]\n\t"
		"jnz 1b\n\t"
		"adcq $0, %[sum]\n\t"
		"adcq $0, %[sum]" /* adding the carry to a sum of all ones carries again */
		: [sum] "+r"(sum), [p] "+r"(p), [n] "+r"(blocks)
		:
		: "cc", "memory");
	return sum;
}
