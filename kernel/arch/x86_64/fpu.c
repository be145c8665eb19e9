/*
 * FPU state. The kernel itself does not use vector registers (but for copy.S, which puts them
 * back), so they hold the running thread's values all the time; arch_switch() saves and loads them
 * eagerly. XSAVEOPT or XSAVE, standard format, where the CPU has it; FXSAVE otherwise.
 *
 * Source: SDM vol. 1 ch. 13, 10.5.1 (FXSAVE image).
 */

#include "arch/x86_64/uaccess.h"
#include "arch/x86_64/x86_priv.h"
#include "lib/string.h"

enum {
	LEGACY_SIZE = 512,
	HEADER_SIZE = 64,
	FCW_INITIAL = 0x37f,
	MXCSR_INITIAL = 0x1f80,
	OFF_MXCSR = 24,
	OFF_ST = 32,
	OFF_XMM = 160,
};

uint32_t fpu_size = LEGACY_SIZE;

/* The legacy part and a header with no component in use: enough for XRSTOR to make everything
 * initial. */
static uint8_t fpu_initial[LEGACY_SIZE + HEADER_SIZE] ALIGNED(64);

static void xsetbv(uint64_t v)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void fpu_detect(void)
{
	uint16_t fcw = FCW_INITIAL;
	uint32_t mxcsr = MXCSR_INITIAL;

	memcpy(fpu_initial, &fcw, sizeof(fcw));
	memcpy(fpu_initial + OFF_MXCSR, &mxcsr, sizeof(mxcsr));
}

void fpu_init_cpu(void)
{
	if (x86_cpu.xcr0) {
		xsetbv(x86_cpu.xcr0);
		fpu_size = cpuid(0xd, 0).ebx; /* of what XCR0 enables: the same on every CPU */
	}
	fpu_reset();
}

void fpu_save(void *area)
{
	if (x86_cpu.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else if (x86_cpu.xcr0)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void fpu_restore(const void *area)
{
	if (x86_cpu.xcr0)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void fpu_reset(void)
{
	fpu_restore(fpu_initial);
}

/* XSAVE, not XSAVEOPT: the image must be complete. */
bool fpu_save_user(uaddr_t area)
{
	user_access_begin();
	if (x86_cpu.xcr0)
		__asm__ goto("1: xsave64 (%0)\n" EX_ENTRY("1b", "%l[fault]")
			     :
			     : "r"(area.a), "a"(-1), "d"(-1)
			     : "memory"
			     : fault);
	else
		__asm__ goto("1: fxsave64 (%0)\n" EX_ENTRY("1b", "%l[fault]")
			     :
			     : "r"(area.a)
			     : "memory"
			     : fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

/*
 * The image is the user's and may change under our hands: XRSTOR itself checks it (#GP for reserved
 * bits in MXCSR or the header), and such a fault goes through the exception table like any other.
 */
bool fpu_restore_user(uaddr_t area, bool xsave)
{
	fpu_reset(); /* components that a legacy image does not have */
	user_access_begin();
	if (xsave)
		__asm__ goto("1: xrstor64 (%0)\n" EX_ENTRY("1b", "%l[fault]")
			     :
			     : "r"(area.a), "a"(-1), "d"(-1)
			     : "memory"
			     : fault);
	else
		__asm__ goto("1: fxrstor64 (%0)\n" EX_ENTRY("1b", "%l[fault]")
			     :
			     : "r"(area.a)
			     : "memory"
			     : fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	fpu_reset();
	return false;
}

void fpu_normalise(void *area)
{
	uint8_t *p = area;
	uint64_t in_use;

	if (!x86_cpu.xcr0)
		return;
	memcpy(&in_use, p + LEGACY_SIZE, sizeof(in_use));
	if (!(in_use & 1)) {
		memcpy(p, fpu_initial, OFF_MXCSR);
		memset(p + OFF_ST, 0, OFF_XMM - OFF_ST);
	}
	if (!(in_use & 2))
		memset(p + OFF_XMM, 0, 256);
	for (unsigned i = 2; i < 63; i++) {
		struct cpuid_regs r;

		if (!(x86_cpu.xcr0 >> i & 1) || in_use >> i & 1)
			continue;
		r = cpuid(0xd, i); /* eax: size, ebx: offset */
		memset(p + r.ebx, 0, r.eax);
	}
}
