/*
 * Signal frames, bit for bit those that Linux programs know (abi/x86_64/signal.h). On the user's
 * stack, downwards:
 *
 *   red zone 128 bytes (not on a fresh alternate stack)
 *   FP state, 64-byte aligned: XSAVE image, then FP_XSTATE_MAGIC2
 *   rt_sigframe, so that rsp + 8 is a multiple of 16 at the handler's first instruction
 *
 * The FPU goes straight from the registers to user memory and back; XRSTOR checks what it loads.
 * sigreturn trusts nothing: segments are fixed, flags are masked, an address outside the user's
 * half is refused.
 *
 * Source: x86-64 psABI 3.2.2, 3.4; sigaction(2), sigaltstack(2); SDM vol. 1 13.4, 13.8.
 */

#include <arch/elf.h>
#include <arch/page.h>
#include <arch/signal.h>
#include <arch/usercopy.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "abi/x86_64/signal.h"
#include "arch/x86_64/uaccess.h"
#include "arch/x86_64/x86_priv.h"
#include "lib/string.h"

enum { RED_ZONE = 128, XSAVE_HEADER = 512, SW_BYTES = 464 };

STATIC_ASSERT(sizeof(struct abi_rt_sigframe) == 440);
STATIC_ASSERT(sizeof(struct abi_fpx_sw_bytes) == 48);
STATIC_ASSERT(offsetof(struct abi_fpstate, sw_reserved) == SW_BYTES);

/* Bytes of the FP state on the user's stack, the trailing magic included. */
static uint32_t fp_bytes(void)
{
	return fpu_size + (x86_cpu.xcr0 ? FP_XSTATE_MAGIC2_SIZE : 0);
}

uint64_t arch_minsigstksz(void)
{
	return sizeof(struct abi_rt_sigframe) + RED_ZONE + ALIGN_UP(fp_bytes(), 64) + 64 + 16;
}

/* sp lies in the alternate stack, or just above it (empty). */
static bool on_altstack(const struct signal_frame_info *i, uint64_t sp)
{
	return i->altstack_size && sp > i->altstack_sp && sp - i->altstack_sp <= i->altstack_size;
}

/* Where the frame goes; *fp: the FP state above it. False: it would leave the alternate stack. */
static bool place_frame(const struct regs *r, const struct signal_frame_info *i, uint64_t *frame,
			uint64_t *fp)
{
	bool nested = on_altstack(i, r->rsp);
	uint64_t sp = r->rsp - RED_ZONE;

	if (i->flags & SA_ONSTACK && i->altstack_size && !nested)
		sp = i->altstack_sp + i->altstack_size;
	*fp = ALIGN_DOWN(sp - fp_bytes(), 64);
	*frame = ALIGN_DOWN(*fp - sizeof(struct abi_rt_sigframe), 16) - 8;
	if (i->flags & SA_ONSTACK && i->altstack_size)
		return on_altstack(i, *frame);
	return *frame < r->rsp; /* did not wrap */
}

/* The software bytes, which say that there is XSAVE state, and how much; or nothing. */
static bool store_sw(uint64_t sw)
{
	bool xsave = x86_cpu.xcr0 != 0;
	uint64_t sizes = (uint64_t)fp_bytes() << 32;

	return user_store64(sw, xsave ? sizes | FP_XSTATE_MAGIC1 : 0) &&
	       user_store64(sw + 8, x86_cpu.xcr0) && user_store64(sw + 16, xsave ? fpu_size : 0) &&
	       user_store64(sw + 24, 0) && user_store64(sw + 32, 0) && user_store64(sw + 40, 0);
}

/* XSAVE leaves the rest of its header as it was, and XRSTOR insists on zeroes there. */
static bool store_xsave_marks(uint64_t fp)
{
	uint64_t h = fp + XSAVE_HEADER;

	return user_store64(h, 0) && user_store64(h + 8, 0) && user_store64(h + 16, 0) &&
	       user_store64(h + 24, 0) && user_store64(h + 32, 0) && user_store64(h + 40, 0) &&
	       user_store64(h + 48, 0) && user_store64(h + 56, 0) &&
	       user_store32(fp + fpu_size, FP_XSTATE_MAGIC2);
}

#define SC(member) offsetof(struct abi_sigcontext, member)
#define UC(member) offsetof(struct abi_ucontext, member)

static bool store_regs(uint64_t c, const struct regs *r)
{
	return user_store64(c + SC(r8), r->r8) && user_store64(c + SC(r9), r->r9) &&
	       user_store64(c + SC(r10), r->r10) && user_store64(c + SC(r11), r->r11) &&
	       user_store64(c + SC(r12), r->r12) && user_store64(c + SC(r13), r->r13) &&
	       user_store64(c + SC(r14), r->r14) && user_store64(c + SC(r15), r->r15) &&
	       user_store64(c + SC(rdi), r->rdi) && user_store64(c + SC(rsi), r->rsi) &&
	       user_store64(c + SC(rbp), r->rbp) && user_store64(c + SC(rbx), r->rbx) &&
	       user_store64(c + SC(rdx), r->rdx) && user_store64(c + SC(rax), r->rax) &&
	       user_store64(c + SC(rcx), r->rcx) && user_store64(c + SC(rsp), r->rsp) &&
	       user_store64(c + SC(rip), r->rip) && user_store64(c + SC(eflags), r->rflags);
}

/* The rest of the ucontext. */
static bool store_context(uint64_t uc, const struct signal_frame_info *i, uint64_t fp)
{
	const uint64_t flags =
		UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (x86_cpu.xcr0 ? UC_FP_XSTATE : 0);
	uint64_t c = uc + UC(uc_mcontext);

	return user_store64(uc + UC(uc_flags), flags) && user_store64(uc + UC(uc_link), 0) &&
	       user_store64(uc + UC(uc_stack.ss_sp), i->altstack_sp) &&
	       user_store64(uc + UC(uc_stack.ss_flags), i->altstack_flags) &&
	       user_store64(uc + UC(uc_stack.ss_size), i->altstack_size) &&
	       user_store64(c + SC(cs), SEL_USER_CS | (uint64_t)SEL_USER_DS << 48) &&
	       user_store64(c + SC(err), i->error_code) &&
	       user_store64(c + SC(trapno), i->trap_nr) &&
	       user_store64(c + SC(oldmask), i->old_mask) &&
	       user_store64(c + SC(cr2), i->fault_addr) && user_store64(c + SC(fpstate), fp) &&
	       user_store64(uc + UC(uc_sigmask), i->old_mask);
}

/* Word by word, straight from where each stands: a copy on the kernel's stack would be written
 * twice. A handler without SA_SIGINFO has no siginfo. */
static bool store_frame(uint64_t frame, uint64_t fp, const struct regs *r,
			const struct signal_frame_info *i)
{
	uint64_t uc = frame + offsetof(struct abi_rt_sigframe, uc);
	bool ok;

	user_access_begin();
	ok = user_store64(frame, i->restorer) && store_context(uc, i, fp) &&
	     store_regs(uc + UC(uc_mcontext), r) && store_sw(fp + SW_BYTES) &&
	     (!x86_cpu.xcr0 || store_xsave_marks(fp));
	user_access_end();
	return ok;
}

static bool store_siginfo(uint64_t at, const struct abi_siginfo *si)
{
	return !arch_copy_to_user(UADDR(at), si, sizeof(*si)) &&
	       !arch_clear_user(UADDR(at + sizeof(*si)), SIGINFO_SIZE - sizeof(*si));
}

int arch_signal_push(struct regs *r, const struct signal_frame_info *i,
		     const struct abi_siginfo *si)
{
	uint64_t frame, fp, info;

	if (i->handler >= USER_END || !place_frame(r, i, &frame, &fp) ||
	    !arch_user_range_ok(frame, fp + fp_bytes() - frame))
		return -EFAULT;
	info = frame + offsetof(struct abi_rt_sigframe, info);
	/* XSAVE comes second: it adds to what stands in its header, and leaves the software bytes
	 * alone */
	if (!store_frame(frame, fp, r, i) || !fpu_save_user(UADDR(fp)))
		return -EFAULT;
	if (i->flags & SA_SIGINFO && !store_siginfo(info, si))
		return -EFAULT;

	r->rdi = (uint64_t)i->sig;
	r->rsi = info;
	r->rdx = frame + offsetof(struct abi_rt_sigframe, uc);
	r->rax = 0;
	r->rsp = frame;
	r->rflags &= ~(uint64_t)(FLAGS_DF | FLAGS_RF | FLAGS_TF);
	regs_set_pc(r, i->handler);
	return 0;
}

/* An image made by store_frame() or anything the user put there: legacy unless every mark is right.
 */
static bool is_xsave_image(uint64_t fp)
{
	uint64_t sizes, size, magic2, at = fp + fpu_size - 4; /* the word's lower half is ours */
	bool ok;

	if (!x86_cpu.xcr0)
		return false;
	user_access_begin();
	ok = user_load64(fp + SW_BYTES, &sizes) && user_load64(fp + SW_BYTES + 16, &size) &&
	     user_load64(at, &magic2);
	user_access_end();
	return ok && sizes == ((uint64_t)fp_bytes() << 32 | FP_XSTATE_MAGIC1) &&
	       (uint32_t)size == fpu_size && magic2 >> 32 == FP_XSTATE_MAGIC2;
}

static int restore_fp(uint64_t fp)
{
	bool xsave;

	if (!fp) {
		fpu_reset();
		return 0;
	}
	if (!arch_user_range_ok(fp, fp_bytes()))
		return -EFAULT;
	xsave = is_xsave_image(fp);
	if (!IS_ALIGNED(fp, xsave ? 64 : 16))
		return -EFAULT;
	return fpu_restore_user(UADDR(fp), xsave) ? 0 : -EFAULT;
}

static bool load_regs(struct regs *r, uint64_t c)
{
	uint64_t flags, pc;
	bool ok;

	user_access_begin();
	ok = user_load64(c + SC(r8), &r->r8) && user_load64(c + SC(r9), &r->r9) &&
	     user_load64(c + SC(r10), &r->r10) && user_load64(c + SC(r11), &r->r11) &&
	     user_load64(c + SC(r12), &r->r12) && user_load64(c + SC(r13), &r->r13) &&
	     user_load64(c + SC(r14), &r->r14) && user_load64(c + SC(r15), &r->r15) &&
	     user_load64(c + SC(rdi), &r->rdi) && user_load64(c + SC(rsi), &r->rsi) &&
	     user_load64(c + SC(rbp), &r->rbp) && user_load64(c + SC(rbx), &r->rbx) &&
	     user_load64(c + SC(rdx), &r->rdx) && user_load64(c + SC(rax), &r->rax) &&
	     user_load64(c + SC(rcx), &r->rcx) && user_load64(c + SC(rsp), &r->rsp) &&
	     user_load64(c + SC(rip), &pc) && user_load64(c + SC(eflags), &flags);
	user_access_end();
	if (!ok || pc >= USER_END)
		return false;
	r->rflags =
		(r->rflags & ~(uint64_t)FLAGS_USER) | (flags & FLAGS_USER) | FLAGS_IF | FLAGS_ONE;
	r->nr = REGS_NO_SYSCALL;
	regs_set_pc(r, pc);
	return true;
}

/* The handler's return took pretcode off the stack. */
int arch_signal_return(struct regs *r, uint64_t *mask, struct abi_stack *ss)
{
	uint64_t uc = r->rsp - 8 + offsetof(struct abi_rt_sigframe, uc), c = uc + UC(uc_mcontext);
	uint64_t flags, selectors, ss_flags, fp = 0;
	bool ok;
	int err;

	if (!arch_user_range_ok(uc, sizeof(struct abi_ucontext)))
		return -EFAULT;
	user_access_begin();
	ok = user_load64(uc + UC(uc_flags), &flags) && user_load64(c + SC(cs), &selectors) &&
	     user_load64(c + SC(fpstate), &fp) && user_load64(uc + UC(uc_sigmask), mask) &&
	     user_load64(uc + UC(uc_stack.ss_sp), &ss->ss_sp) &&
	     user_load64(uc + UC(uc_stack.ss_flags), &ss_flags) &&
	     user_load64(uc + UC(uc_stack.ss_size), &ss->ss_size);
	user_access_end();
	if (!ok || (uint16_t)selectors != SEL_USER_CS)
		return -EFAULT;
	if (flags & UC_STRICT_RESTORE_SS && selectors >> 48 != SEL_USER_DS)
		return -EFAULT;
	ss->ss_flags = (int32_t)ss_flags;
	if ((err = restore_fp(fp)))
		return err;
	return load_regs(r, c) ? 0 : -EFAULT;
}
