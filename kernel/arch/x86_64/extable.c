/*
 * The exception table: pairs (instruction that may fault, where to go on), written next to the
 * instruction by the EX macro and its C counterpart (uaccess.h). Sorted once at boot, so that a
 * lookup is a binary search.
 */

#include "arch/x86_64/x86_priv.h"

struct ex_entry {
	uintptr_t insn, fixup;
};

extern struct ex_entry __ex_table_start[], __ex_table_end[]; /* linker script */

/* Insertion sort: some hundred entries, in order but for the seams between files. */
void extable_init(void)
{
	for (struct ex_entry *i = __ex_table_start + 1; i < __ex_table_end; i++) {
		struct ex_entry e = *i, *j = i;

		for (; j > __ex_table_start && j[-1].insn > e.insn; j--)
			*j = j[-1];
		*j = e;
	}
}

uintptr_t extable_find(uintptr_t ip)
{
	size_t lo = 0, hi = (size_t)(__ex_table_end - __ex_table_start);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (__ex_table_start[mid].insn == ip)
			return __ex_table_start[mid].fixup;
		if (__ex_table_start[mid].insn < ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}
