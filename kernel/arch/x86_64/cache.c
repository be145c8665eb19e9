/*
 * The caches, as CPUID tells them: leaf 4, or on AMD's CPUs 0x8000001d, which has the same form;
 * older ones of AMD's say it in 0x80000005 and 0x80000006. The caches below the last level belong
 * to one CPU each or to those whose APIC ids agree above so many bits.
 *
 * Source: SDM vol. 2A CPUID; APM vol. 3 E.4.5, E.4.15.
 */
#include "arch/x86_64/x86_priv.h"
#include "lib/string.h"

enum { LEAF_INTEL = 4, LEAF_AMD = 0x8000001d, TOPOEXT = 1 << 22, MAX_CACHES = 8 };

struct cache {
	struct arch_cache c;
	unsigned sharers; /* logical CPUs that may share it */
};

static bool is_amd(void)
{
	return strcmp(x86_cpu.vendor, "AuthenticAMD") == 0;
}

static bool from_leaf(uint32_t leaf, unsigned n, struct cache *out)
{
	struct cpuid_regs r = cpuid(leaf, n);

	if (!(r.eax & 31))
		return false;
	*out = (struct cache){ .c = { .level = r.eax >> 5 & 7,
				      .type = r.eax & 31,
				      .sets = r.ecx + 1,
				      .ways = (r.ebx >> 22) + 1,
				      .line = (r.ebx & 4095) + 1 },
			       .sharers = (r.eax >> 14 & 4095) + 1 };
	return true;
}

/* The ways of a second- or third-level cache are coded. */
static unsigned legacy_ways(unsigned code)
{
	static const uint8_t ways[16] = { 0, 1, 2, 0, 4, 0, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0 };

	return ways[code & 15];
}

static bool from_size(unsigned level, unsigned type, unsigned kib, unsigned ways, unsigned line,
		      struct cache *out)
{
	if (!kib || !ways || !line)
		return false;
	*out = (struct cache){ .c = { .level = level,
				      .type = type,
				      .sets = kib * 1024 / (ways * line),
				      .ways = ways,
				      .line = line },
			       .sharers = level == 3 ? MAX_CPUS : 1 };
	return true;
}

static bool from_legacy(unsigned n, struct cache *out)
{
	struct cpuid_regs l1 = cpuid(0x80000005, 0), l2 = cpuid(0x80000006, 0);

	switch (n) {
	case 0:
		return from_size(1, CACHE_DATA, l1.ecx >> 24, l1.ecx >> 16 & 255, l1.ecx & 255,
				 out);
	case 1:
		return from_size(1, CACHE_INSTRUCTION, l1.edx >> 24, l1.edx >> 16 & 255,
				 l1.edx & 255, out);
	case 2:
		return from_size(2, CACHE_UNIFIED, l2.ecx >> 16, legacy_ways(l2.ecx >> 12),
				 l2.ecx & 255, out);
	case 3:
		return from_size(3, CACHE_UNIFIED, (l2.edx >> 18) * 512, legacy_ways(l2.edx >> 12),
				 l2.edx & 255, out);
	default:
		return false;
	}
}

static bool find(unsigned n, struct cache *out)
{
	if (n >= MAX_CACHES)
		return false;
	if (!is_amd())
		return x86_cpu.max_leaf >= LEAF_INTEL && from_leaf(LEAF_INTEL, n, out);
	if (x86_cpu.e1_ecx & TOPOEXT && x86_cpu.max_ext_leaf >= LEAF_AMD)
		return from_leaf(LEAF_AMD, n, out);
	return x86_cpu.max_ext_leaf >= 0x80000006 && from_legacy(n, out);
}

bool arch_cpu_cache(unsigned n, struct arch_cache *out)
{
	struct cache c;

	if (!find(n, &c))
		return false;
	*out = c.c;
	return true;
}

uint64_t arch_cpu_cache_sharers(unsigned cpu, unsigned n)
{
	unsigned shift = 0;
	uint64_t mask = 0;
	struct cache c;

	if (!find(n, &c))
		return 0;
	while (1u << shift < c.sharers)
		shift++;
	for (unsigned i = 0; i < ncpus; i++)
		if (cpu_apic_id(i) >> shift == cpu_apic_id(cpu) >> shift)
			mask |= 1ull << i;
	return mask;
}
