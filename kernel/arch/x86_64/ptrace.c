#include <arch/ptrace.h>

/*
 * Registers of others, as ptrace(2) reads and writes them: struct user_regs_struct, the FXSAVE and
 * XSAVE images, and the user area, whose one other part is the debug registers.
 *
 * Source: ptrace(2), sys/user.h; SDM vol. 1 13.8 (what XRSTOR refuses).
 */

#include <arch/page.h>

#include "abi/errno.h"
#include "arch/x86_64/x86_priv.h"
#include "lib/string.h"

const uint32_t arch_audit = 0xc000003e; /* x86-64, 64 bits, little endian */

enum {
	USER_AREA_SIZE = 928,
	OFF_DEBUG = 848,
	OFF_MXCSR = 24,
	OFF_MXCSR_MASK = 28,
	OFF_SOFTWARE = 464,
	HEADER_SIZE = 64,
	MXCSR_MASK_DEFAULT = 0xffbf,
};

/* The CPU's flags that user mode may have; TF stays ours while we step. */
static void flags_set(struct arch_thread *a, struct regs *r, uint64_t v)
{
	if (v & FLAGS_TF)
		a->extra &= ~(uint32_t)EXTRA_STEP;
	else if (a->extra & EXTRA_STEP)
		v |= FLAGS_TF;
	r->rflags = (r->rflags & ~(uint64_t)FLAGS_USER) | (v & FLAGS_USER);
}

static int base_set(struct arch_thread *a, uint64_t *base, uint64_t v)
{
	if (v >= USER_END)
		return -EIO;
	*base = v;
	a->fpu_cpu = FPU_CPU_NONE; /* load it at the next switch */
	return 0;
}

int arch_user_reg_set(struct thread *t, unsigned i, uint64_t v)
{
	struct arch_thread *a = &thread_head(t)->arch;
	struct regs *r = thread_regs(t);

	r->full = 1;
	switch (i) {
	case USER_RIP:
		regs_set_pc(r, v);
		return 0;
	case USER_CS:
		return v == SEL_USER_CS ? 0 : -EIO;
	case USER_SS:
		return v == SEL_USER_DS ? 0 : -EIO;
	case USER_DS:
	case USER_ES:
	case USER_FS:
	case USER_GS: /* are not kept across a switch: always null */
		return (v & 0xffff) == 0 ? 0 : -EIO;
	case USER_EFLAGS:
		flags_set(a, r, v);
		return 0;
	case USER_FS_BASE:
		return base_set(a, &a->fs_base, v);
	case USER_GS_BASE:
		return base_set(a, &a->gs_base, v);
	default:
		(&r->r15)[i] = v;
		return 0;
	}
}

int arch_user_area_get(struct thread *t, uint64_t offset, uint64_t *out)
{
	uint64_t regs[ARCH_CORE_REGS];

	if (offset % sizeof(uint64_t) || offset >= USER_AREA_SIZE)
		return -EIO;
	*out = 0;
	if (offset < sizeof(regs)) {
		arch_core_regs(t, regs);
		*out = regs[offset / sizeof(uint64_t)];
	} else if (offset >= OFF_DEBUG && offset < OFF_DEBUG + 8 * sizeof(uint64_t)) {
		*out = debug_get(&thread_head(t)->arch,
				 (unsigned)(offset - OFF_DEBUG) / sizeof(uint64_t));
	}
	return 0;
}

int arch_user_area_set(struct thread *t, uint64_t offset, uint64_t v)
{
	if (offset % sizeof(uint64_t))
		return -EIO;
	if (offset < ARCH_USER_REGS * sizeof(uint64_t))
		return arch_user_reg_set(t, (unsigned)(offset / sizeof(uint64_t)), v);
	if (offset >= OFF_DEBUG && offset < OFF_DEBUG + 8 * sizeof(uint64_t))
		return debug_set(&thread_head(t)->arch,
				 (unsigned)(offset - OFF_DEBUG) / sizeof(uint64_t), v);
	return -EIO;
}

static bool mxcsr_is_ok(const uint8_t *area, const uint8_t *image)
{
	uint32_t mask, mxcsr;

	memcpy(&mask, area + OFF_MXCSR_MASK, sizeof(mask));
	memcpy(&mxcsr, image + OFF_MXCSR, sizeof(mxcsr));
	return (mxcsr & ~(mask ? mask : MXCSR_MASK_DEFAULT)) == 0;
}

/* The header of an XSAVE image in the standard format: the components in use, then zeroes. */
static bool header_is_ok(const uint8_t *image)
{
	uint64_t h[HEADER_SIZE / sizeof(uint64_t)];

	memcpy(h, image + ARCH_FPREGS_SIZE, sizeof(h));
	if (h[0] & ~x86_cpu.xcr0)
		return false;
	for (unsigned i = 1; i < ARRAY_SIZE(h); i++)
		if (h[i] != 0)
			return false;
	return true;
}

int arch_fpu_set(struct thread *t, const void *image, size_t n)
{
	struct arch_thread *a = &thread_head(t)->arch;
	uint8_t *area = a->fpu;
	uint64_t in_use;

	if (!area || !mxcsr_is_ok(area, image))
		return -EINVAL;
	if (n != ARCH_FPREGS_SIZE && !header_is_ok(image))
		return -EINVAL;
	memcpy(area, image, OFF_MXCSR_MASK);
	memcpy(area + OFF_MXCSR_MASK + 4, (const uint8_t *)image + OFF_MXCSR_MASK + 4,
	       OFF_SOFTWARE - OFF_MXCSR_MASK - 4);
	if (n != ARCH_FPREGS_SIZE) {
		memcpy(area + ARCH_FPREGS_SIZE, (const uint8_t *)image + ARCH_FPREGS_SIZE,
		       n - ARCH_FPREGS_SIZE);
	} else if (x86_cpu.xcr0) {
		memcpy(&in_use, area + ARCH_FPREGS_SIZE, sizeof(in_use));
		in_use |= 3; /* x87 and SSE */
		memcpy(area + ARCH_FPREGS_SIZE, &in_use, sizeof(in_use));
	}
	a->fpu_cpu = FPU_CPU_NONE;
	return 0;
}

void arch_step_set(struct thread *t, bool on)
{
	struct arch_thread *a = &thread_head(t)->arch;
	struct regs *r = thread_regs(t);

	if (on && !(r->rflags & FLAGS_TF)) {
		a->extra |= EXTRA_STEP;
		r->rflags |= FLAGS_TF;
	} else if (!on && a->extra & EXTRA_STEP) {
		a->extra &= ~(uint32_t)EXTRA_STEP;
		r->rflags &= ~(uint64_t)FLAGS_TF;
	}
	r->full = 1;
}

bool arch_step_forget(struct thread *t)
{
	if (!(thread_head(t)->arch.extra & EXTRA_STEP))
		return false;
	arch_step_set(t, false);
	return true;
}

void arch_regs_slow_return(struct regs *r)
{
	if (r->rflags & FLAGS_TF)
		r->full = 1;
}

uint64_t arch_syscall_mark(const struct regs *r)
{
	return r->nr;
}

void arch_syscall_mark_set(struct regs *r, uint64_t mark)
{
	r->nr = mark;
}
