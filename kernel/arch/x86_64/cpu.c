/*
 * What this CPU can do, and switching it on: CPUID is read once on the boot CPU, the others are
 * taken to be alike. Everything that needs no support from the rest of the kernel is used where it
 * is there: NX, SMEP, SMAP, UMIP, FSGSBASE, XSAVE with AVX and AVX-512. Protection keys, AMX and
 * MPX stay off.
 *
 * Source: SDM vol. 2A CPUID, vol. 3A 2.5 (control registers), 5.8.8 (SYSCALL), 11.12 (PAT).
 */

#include <arch/io.h>

#include "arch/x86_64/x86_priv.h"
#include "core/percpu.h"
#include "lib/string.h"

struct x86_cpu x86_cpu;
uint8_t x86_simd;
uint64_t x86_pte_nx;

extern uint64_t boot_efer; /* boot.S; init data, so kept in efer below */
static uint64_t efer;

PERCPU(struct cpu_area, cpu_area);

static void copy_words(char *dst, uint32_t a, uint32_t b, uint32_t c)
{
	memcpy(dst, &a, 4);
	memcpy(dst + 4, &b, 4);
	memcpy(dst + 8, &c, 4);
	dst[12] = '\0';
}

static void detect_names(struct x86_cpu *c)
{
	struct cpuid_regs r = cpuid(0, 0);

	c->max_leaf = r.eax;
	copy_words(c->vendor, r.ebx, r.edx, r.ecx);
	c->max_ext_leaf = cpuid(0x80000000, 0).eax;
	for (unsigned i = 0; i < 3 && c->max_ext_leaf >= 0x80000004; i++) {
		r = cpuid(0x80000002 + i, 0);
		memcpy(c->model + 16 * i, &r, 16);
	}
	if (cpuid(1, 0).ecx & 1u << 31) {
		r = cpuid(0x40000000, 0);
		copy_words(c->hypervisor, r.ebx, r.ecx, r.edx);
	}
}

static void detect_features(struct x86_cpu *c)
{
	struct cpuid_regs r = cpuid(1, 0);

	c->f1_eax = r.eax, c->f1_ebx = r.ebx, c->f1_ecx = r.ecx, c->f1_edx = r.edx;
	if (c->max_leaf >= 7) {
		r = cpuid(7, 0);
		c->f7_ebx = r.ebx, c->f7_ecx = r.ecx, c->f7_edx = r.edx;
	}
	r = cpuid(0x80000001, 0);
	c->e1_ecx = r.ecx, c->e1_edx = r.edx;
	if (c->max_ext_leaf >= 0x80000007)
		c->e7_edx = cpuid(0x80000007, 0).edx;
	if (c->max_ext_leaf >= 0x80000008)
		c->e8_eax = cpuid(0x80000008, 0).eax;
	c->xsave = c->f1_ecx & 1u << 26;
	if (c->xsave && c->max_leaf >= 0xd) {
		c->fd1_eax = cpuid(0xd, 1).eax;
		c->xcr0 = cpuid(0xd, 0).eax & 0xe7; /* x87 SSE AVX, AVX-512 */
		if ((c->xcr0 & 0xe0) != 0xe0)
			c->xcr0 &= 7;
	} else {
		c->xsave = false;
	}
	c->xsaveopt = c->fd1_eax & 1;
	c->fsgsbase = c->f7_ebx & 1;
	c->smap = c->f7_ebx & 1u << 20;
	c->erms = c->f7_ebx & 1u << 9;
	c->pdpe1gb = c->e1_edx & 1u << 26;
	c->rdtscp = c->e1_edx & 1u << 27;
}

void cpu_detect(void)
{
	struct x86_cpu *c = &x86_cpu;

	detect_names(c);
	detect_features(c);
	c->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	c->cr4 |= c->xsave ? CR4_OSXSAVE : 0;
	c->cr4 |= c->fsgsbase ? CR4_FSGSBASE : 0;
	c->cr4 |= c->smap ? CR4_SMAP : 0;
	c->cr4 |= c->f7_ebx & 1u << 7 ? CR4_SMEP : 0;
	c->cr4 |= c->f7_ecx & 1u << 2 ? CR4_UMIP : 0;
	efer = boot_efer;
	x86_pte_nx = efer & EFER_NXE ? X86_PTE_NX : 0;
	if (c->xcr0 & 4)
		x86_simd = (uint8_t)(SIMD_AVX | (c->fd1_eax & 4 ? SIMD_XINU : 0));
}

void cpu_enable(void)
{
	write_cr0(CR0_KERNEL);
	write_cr4(x86_cpu.cr4);
	wrmsr(MSR_EFER, efer);
	/* SYSCALL: CS 0x10, SS 0x18. SYSRET: CS 0x23 + 16, SS 0x23 + 8. */
	wrmsr(MSR_STAR, (uint64_t)SEL_USER_BASE << 48 | (uint64_t)SEL_KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uintptr_t)entry_syscall);
	wrmsr(MSR_FMASK, FLAGS_IF | FLAGS_DF | FLAGS_TF | FLAGS_NT | FLAGS_AC);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
	if (x86_cpu.f1_edx & 1u << 16)
		wrmsr(MSR_PAT, 0x0007010600070106ul); /* WB WC UC- UC, twice */
	if (x86_cpu.rdtscp)
		wrmsr(MSR_TSC_AUX, arch_cpu_id());
	fpu_init_cpu();
}

struct smap_site {
	uint8_t *at;
	uint64_t op;
};
extern struct smap_site __smap_sites_start[], __smap_sites_end[]; /* linker script */

/* See asm_macros.inc: the sites are three-byte NOPs until here. */
INIT_TEXT void cpu_patch_smap(void)
{
	if (!x86_cpu.smap)
		return;
	for (struct smap_site *s = __smap_sites_start; s < __smap_sites_end; s++) {
		s->at[0] = 0x0f;
		s->at[1] = 0x01;
		s->at[2] = (uint8_t)s->op; /* 0xcb STAC, 0xca CLAC */
	}
	cpuid(0, 0); /* serialises */
}

/*
 * QEMU's translator gives the only CPU of a machine no fences: MFENCE is left out, and a locked
 * instruction becomes a plain load and store (QEMU 7.2, `-d op`), as if nobody else looked at
 * memory. Its devices do, in another thread. A port is read under QEMU's lock, whose taking fences;
 * 0x80 is that of the POST codes, which nobody misses.
 */
bool x86_fences_are_void;

void cpu_find_fences(void)
{
	x86_fences_are_void = ncpus == 1 && strcmp(x86_cpu.hypervisor, "TCGTCGTCGTCG") == 0;
}

void x86_fence_by_port(void)
{
	(void)arch_inb(0x80);
}

void cpu_bring_up(void *ist_stacks)
{
	desc_load(ist_stacks);
	cpu_enable();
}

void arch_idle(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void arch_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

static bool rdseed(uint64_t *out)
{
	bool ok;

	__asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(ok));
	return ok;
}

static bool rdrand(uint64_t *out)
{
	bool ok;

	__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
	return ok;
}

/* Both instructions fail for a moment when their source is drained: SDM vol. 1 7.3.17. */
bool arch_hw_random(uint64_t *out)
{
	uint64_t v;

	for (int i = 0; i < 10; i++) {
		if (x86_cpu.f7_ebx & 1u << 18 && rdseed(&v)) {
			*out = v;
			return true;
		}
		if (x86_cpu.f1_ecx & 1u << 30 && rdrand(&v)) {
			*out = v;
			return true;
		}
	}
	return false;
}
