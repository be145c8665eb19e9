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

enum { RED_ZONE = 128, XSAVE_HEADER = 512, XSAVE_HEADER_SIZE = 64, SW_BYTES = 464 };

STATIC_ASSERT(sizeof(struct abi_rt_sigframe) == 440);
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

/* The software bytes say that, and how much, XSAVE state there is. */
static int push_fp(uint64_t fp)
{
	struct abi_fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = fp_bytes(),
		.xfeatures = x86_cpu.xcr0,
		.xstate_size = fpu_size,
	};
	uint32_t magic2 = FP_XSTATE_MAGIC2;

	if (!arch_user_range_ok(fp, fp_bytes()))
		return -EFAULT;
	if (!x86_cpu.xcr0)
		sw = (struct abi_fpx_sw_bytes){ 0 };
	/* XSAVE leaves the rest of its header as it was, and XRSTOR insists on zeroes there */
	else if (arch_clear_user(UADDR(fp + XSAVE_HEADER), XSAVE_HEADER_SIZE) ||
		 arch_copy_to_user(UADDR(fp + fpu_size), &magic2, sizeof(magic2)))
		return -EFAULT;
	if (!fpu_save_user(UADDR(fp)) || arch_copy_to_user(UADDR(fp + SW_BYTES), &sw, sizeof(sw)))
		return -EFAULT;
	return 0;
}

static void fill_sigcontext(struct abi_sigcontext *c, const struct regs *r,
			    const struct signal_frame_info *i, uint64_t fp)
{
	*c = (struct abi_sigcontext){
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.rdx = r->rdx,
		.rax = r->rax,
		.rcx = r->rcx,
		.rsp = r->rsp,
		.rip = r->rip,
		.eflags = r->rflags,
		.cs = SEL_USER_CS,
		.ss = SEL_USER_DS,
		.err = i->error_code,
		.trapno = i->trap_nr,
		.cr2 = i->fault_addr,
		.oldmask = i->old_mask,
		.fpstate = fp,
	};
}

int arch_signal_push(struct regs *r, const struct signal_frame_info *i,
		     const struct abi_siginfo *si)
{
	struct abi_rt_sigframe f;
	uint64_t frame, fp;

	if (i->handler >= USER_END || !place_frame(r, i, &frame, &fp) || push_fp(fp))
		return -EFAULT;
	f.pretcode = i->restorer;
	f.uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (x86_cpu.xcr0 ? UC_FP_XSTATE : 0);
	f.uc.uc_link = 0;
	f.uc.uc_stack = (struct abi_stack){
		.ss_sp = i->altstack_sp,
		.ss_flags = (int32_t)i->altstack_flags,
		.ss_size = i->altstack_size,
	};
	fill_sigcontext(&f.uc.uc_mcontext, r, i, fp);
	f.uc.uc_sigmask = i->old_mask;
	f.info = *si;
	if (arch_copy_to_user(UADDR(frame), &f, sizeof(f)))
		return -EFAULT;

	r->rdi = (uint64_t)i->sig;
	r->rsi = frame + offsetof(struct abi_rt_sigframe, info);
	r->rdx = frame + offsetof(struct abi_rt_sigframe, uc);
	r->rax = 0;
	r->rsp = frame;
	r->rflags &= ~(uint64_t)(FLAGS_DF | FLAGS_RF | FLAGS_TF);
	regs_set_pc(r, i->handler);
	return 0;
}

/* An image made by push_fp() or anything the user put there: legacy unless every mark is right. */
static bool is_xsave_image(uint64_t fp)
{
	struct abi_fpx_sw_bytes sw;
	uint32_t magic2;

	if (!x86_cpu.xcr0 || arch_copy_from_user(&sw, UADDR(fp + SW_BYTES), sizeof(sw)))
		return false;
	if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size != fpu_size ||
	    sw.extended_size != fp_bytes())
		return false;
	return !arch_copy_from_user(&magic2, UADDR(fp + fpu_size), sizeof(magic2)) &&
	       magic2 == FP_XSTATE_MAGIC2;
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

static void restore_regs(struct regs *r, const struct abi_sigcontext *c)
{
	r->r8 = c->r8, r->r9 = c->r9, r->r10 = c->r10, r->r11 = c->r11;
	r->r12 = c->r12, r->r13 = c->r13, r->r14 = c->r14, r->r15 = c->r15;
	r->rdi = c->rdi, r->rsi = c->rsi, r->rbp = c->rbp, r->rbx = c->rbx;
	r->rdx = c->rdx, r->rax = c->rax, r->rcx = c->rcx, r->rsp = c->rsp;
	r->rflags = (r->rflags & ~(uint64_t)FLAGS_USER) | (c->eflags & FLAGS_USER) | FLAGS_IF |
		    FLAGS_ONE;
	r->nr = REGS_NO_SYSCALL;
	regs_set_pc(r, c->rip);
}

/* The handler's return took pretcode off the stack. */
int arch_signal_return(struct regs *r, uint64_t *mask, struct abi_stack *ss)
{
	struct abi_ucontext uc;
	uint64_t at = r->rsp - 8 + offsetof(struct abi_rt_sigframe, uc);
	int err;

	if (arch_copy_from_user(&uc, UADDR(at), sizeof(uc)))
		return -EFAULT;
	if (uc.uc_mcontext.rip >= USER_END || uc.uc_mcontext.cs != SEL_USER_CS)
		return -EFAULT;
	if (uc.uc_flags & UC_STRICT_RESTORE_SS && uc.uc_mcontext.ss != SEL_USER_DS)
		return -EFAULT;
	if ((err = restore_fp(uc.uc_mcontext.fpstate)))
		return err;
	restore_regs(r, &uc.uc_mcontext);
	*mask = uc.uc_sigmask;
	*ss = uc.uc_stack;
	return 0;
}
