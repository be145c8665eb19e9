/*
 * What user space asks about the CPU: /proc/cpuinfo in the words of Linux's (proc_cpuinfo(5)),
 * AT_HWCAP.
 */

#include <arch/elf.h>

#include "abi/auxv.h"
#include "arch/x86_64/x86_priv.h"
#include "lib/fmt.h"

struct flag_word {
	uint32_t *value;
	const char *names; /* one per bit from 0, separated by spaces; "." none */
};

/* Names as programs look for them. */
static const struct flag_word flag_words[] = {
	{ &x86_cpu.f1_edx,
	  "fpu vme de pse tsc msr pae mce cx8 apic . sep mtrr pge mca cmov pat pse36 pn clflush . "
	  "dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ &x86_cpu.e1_edx,
	  ". . . . . . . . . . . syscall . . . . . . . mp nx . mmxext . . fxsr_opt pdpe1gb rdtscp "
	  ". lm 3dnowext 3dnow" },
	{ &x86_cpu.f1_ecx,
	  "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm . "
	  "pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave . avx f16c "
	  "rdrand hypervisor" },
	{ &x86_cpu.e1_ecx,
	  "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs "
	  "xop skinit wdt . lwp fma4 tce . nodeid_msr . tbm topoext" },
	{ &x86_cpu.f7_ebx,
	  "fsgsbase tsc_adjust . bmi1 hle avx2 . smep bmi2 erms invpcid rtm . . . . avx512f "
	  "avx512dq "
	  "rdseed adx smap avx512ifma . clflushopt clwb . avx512pf avx512er avx512cd sha_ni "
	  "avx512bw avx512vl" },
	{ &x86_cpu.fd1_eax, "xsaveopt xsavec xgetbv1 xsaves" },
	{ &x86_cpu.f7_ecx,
	  ". avx512vbmi umip pku ospke . avx512_vbmi2 . gfni vaes vpclmulqdq avx512_vnni "
	  "avx512_bitalg . avx512_vpopcntdq . la57 . . . . . rdpid" },
	{ &x86_cpu.f7_edx, ". . . . fsrm" },
};

static void format_flags(struct textbuf *t)
{
	text_f(t, "flags\t\t:");
	for (size_t w = 0; w < ARRAY_SIZE(flag_words); w++) {
		const char *p = flag_words[w].names;

		for (unsigned bit = 0; *p; bit++) {
			size_t n = 0;

			while (p[n] && p[n] != ' ')
				n++;
			if (*flag_words[w].value >> bit & 1 && *p != '.') {
				text_c(t, ' ');
				text_n(t, p, n);
			}
			p += n + (p[n] == ' ');
		}
	}
	if (x86_cpu.e7_edx & 1u << 8)
		text_f(t, " constant_tsc nonstop_tsc");
	text_c(t, '\n');
}

static unsigned family(void)
{
	unsigned f = x86_cpu.f1_eax >> 8 & 15;

	return f == 15 ? f + (x86_cpu.f1_eax >> 20 & 255) : f;
}

static unsigned model(void)
{
	unsigned m = x86_cpu.f1_eax >> 4 & 15;

	return family() >= 6 ? m + (x86_cpu.f1_eax >> 16 & 15) * 16 : m;
}

/* KiB of the largest cache: CPUID 4, or AMD's 0x80000006. */
static unsigned cache_kib(void)
{
	unsigned best = 0;

	for (unsigned i = 0; x86_cpu.max_leaf >= 4 && i < 8; i++) {
		struct cpuid_regs r = cpuid(4, i);
		unsigned size;

		if (!(r.eax & 31))
			break;
		size = ((r.ebx >> 22) + 1) * ((r.ebx >> 12 & 1023) + 1) * ((r.ebx & 4095) + 1) *
		       (r.ecx + 1);
		best = MAX(best, size / 1024);
	}
	if (!best && x86_cpu.max_ext_leaf >= 0x80000006)
		best = cpuid(0x80000006, 0).ecx >> 16;
	return best;
}

void arch_cpuinfo(struct textbuf *t, unsigned cpu)
{
	uint64_t khz = arch_counter_hz() / 1000;

	text_f(t, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n", cpu, x86_cpu.vendor,
	       family());
	text_f(t, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", model(), x86_cpu.model,
	       x86_cpu.f1_eax & 15);
	text_f(t, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
	text_f(t, "cache size\t: %u KB\n", cache_kib());
	/* each CPU a package of its own: what software gains from topology is not worth guessing at
	 */
	text_f(t, "physical id\t: %u\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n", cpu);
	text_f(t, "apicid\t\t: %u\ninitial apicid\t: %u\n", cpu_apic_id(cpu), cpu_apic_id(cpu));
	text_f(t, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
	       x86_cpu.max_leaf);
	format_flags(t);
	text_f(t, "bugs\t\t:\nbogomips\t: %lu.%02lu\n", khz / 500, khz / 5 % 100);
	text_f(t, "clflush size\t: %u\ncache_alignment\t: %u\n", (x86_cpu.f1_ebx >> 8 & 255) * 8,
	       (x86_cpu.f1_ebx >> 8 & 255) * 8);
	text_f(t, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
	       x86_cpu.e8_eax ? x86_cpu.e8_eax & 255 : 36,
	       x86_cpu.e8_eax ? x86_cpu.e8_eax >> 8 & 255 : 48);
}

uint64_t arch_hwcap(void)
{
	return x86_cpu.f1_edx;
}

uint64_t arch_hwcap2(void)
{
	return x86_cpu.fsgsbase ? HWCAP2_FSGSBASE : 0;
}

/* x86-64 programs bring their own restorer (SA_RESTORER). */
uint64_t vdso_sigreturn_offset(void)
{
	return 0;
}
