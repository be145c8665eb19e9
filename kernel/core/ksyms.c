/* Function names by address: see ksyms.h. Two arrays sorted by address: starts, and offsets into
 * one blob of names. */

#include "core/ksyms.h"

/* Defined by the generated file; absent, and hence null, in the first link. */
extern const uint32_t ksym_count WEAK;
extern const uint32_t ksym_start[] WEAK; /* relative to ksym_base */
extern const uint32_t ksym_name[] WEAK;  /* into ksym_text */
extern const char ksym_text[] WEAK;
extern const kaddr_t ksym_base WEAK;

const char *ksym_find(kaddr_t addr, size_t *offset)
{
	uint32_t lo = 0, hi;

	if (&ksym_count == NULL || addr < ksym_base || addr - ksym_base > UINT32_MAX)
		return NULL;
	hi = ksym_count;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ksym_start[mid] <= addr - ksym_base)
			lo = mid;
		else
			hi = mid;
	}
	*offset = addr - ksym_base - ksym_start[lo];
	return lo + 1 == ksym_count ? NULL : ksym_text + ksym_name[lo];
}
