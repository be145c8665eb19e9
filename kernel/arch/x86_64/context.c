/*
 * Threads as the CPU sees them: the stack switch, what goes with it (TLS bases, FPU), and the first
 * moments of a new thread. A thread's user registers are the struct regs at the very top of its
 * kernel stack.
 *
 * User state (FPU, FS and GS base) stays in the registers while a kernel thread runs; `user_owner`
 * names the thread whose state that is, so that a thread which slept and comes back to the same CPU
 * finds it there.
 */

#include <arch/context.h>
#include <arch/ptrace.h>
#include <arch/usercopy.h>

#include "abi/errno.h"
#include "abi/x86_64/prctl.h"
#include "arch/x86_64/x86_priv.h"
#include "core/panic.h"
#include "lib/string.h"

static PERCPU(struct thread *, user_owner);

static void *(*fpu_alloc)(void);
static void (*fpu_free)(void *);

size_t arch_fpu_size(void)
{
	return fpu_size;
}

void arch_fpu_set_alloc(void *(*alloc)(void), void (*free)(void *))
{
	fpu_alloc = alloc;
	fpu_free = free;
}

/* ---- FS and GS base: FSGSBASE lets the user change them without us, so then the registers are the
 * truth ---- */

static uint64_t user_fs_read(const struct arch_thread *a)
{
	uint64_t v;

	if (!x86_cpu.fsgsbase)
		return a->fs_base;
	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static void user_fs_write(uint64_t v)
{
	if (x86_cpu.fsgsbase)
		__asm__ volatile("wrfsbase %0" : : "r"(v));
	else
		wrmsr(MSR_FS_BASE, v);
}

/* In the kernel the user's GS base waits in KERNEL_GS_BASE. */
static uint64_t user_gs_read(const struct arch_thread *a)
{
	return x86_cpu.fsgsbase ? rdmsr(MSR_KERNEL_GS_BASE) : a->gs_base;
}

/* Interrupts off: between the two SWAPGS only an NMI may come, and it looks after itself. */
static uint64_t user_gs_read_fast(void)
{
	uint64_t v;

	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(v) : : "memory");
	return v;
}

static void user_gs_write_fast(uint64_t v)
{
	__asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(v) : "memory");
}

/* ---- the switch ---- */

struct regs *thread_regs(struct thread *t)
{
	return (struct regs *)((uintptr_t)thread_head(t)->kstack + KSTACK_SIZE -
			       sizeof(struct regs));
}

static void user_state_save(struct arch_thread *a)
{
	fpu_save(a->fpu);
	if (x86_cpu.fsgsbase) {
		a->fs_base = user_fs_read(a);
		a->gs_base = user_gs_read_fast();
	}
}

static void user_state_load(struct thread *t, struct arch_thread *a)
{
	uint32_t cpu = arch_cpu_id();

	if (this_cpu(user_owner) == t && a->fpu_cpu == cpu)
		return;
	fpu_restore(a->fpu);
	user_fs_write(a->fs_base);
	if (x86_cpu.fsgsbase)
		user_gs_write_fast(a->gs_base);
	else
		wrmsr(MSR_KERNEL_GS_BASE, a->gs_base);
	this_cpu(user_owner) = t;
	a->fpu_cpu = cpu;
}

static NOINLINE void switch_extra(const struct arch_thread *next)
{
	io_switch(next);
	debug_switch(next);
}

struct thread *arch_switch(struct thread *prev, struct thread *next)
{
	struct thread_head *p = thread_head(prev), *n = thread_head(next);
	uint64_t top = (uintptr_t)n->kstack + KSTACK_SIZE;

	if (p->arch.fpu)
		user_state_save(&p->arch);
	if (n->arch.fpu)
		user_state_load(next, &n->arch);
	if (p->arch.extra | n->arch.extra)
		switch_extra(&n->arch);
	this_cpu(cpu_area).kstack_top = top;
	desc_set_kstack(top);
	arch_curthread_set(next);
	return switch_stacks(&p->arch.sp, n->arch.sp, prev);
}

/* ---- new threads ---- */

/* What switch_stacks() pops, lowest address first. */
struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	void (*ret)(void);
};

static void frame_init(struct thread *t, void (*ret)(void), uint64_t rbx, uint64_t r12)
{
	struct switch_frame *f = (struct switch_frame *)thread_regs(t) - 1;

	*f = (struct switch_frame){ .r12 = r12, .rbx = rbx, .ret = ret };
	thread_head(t)->arch.sp = (uintptr_t)f;
}

void arch_thread_init(struct thread *t, void (*fn)(void *), void *arg)
{
	thread_head(t)->arch = (struct arch_thread){ .fpu_cpu = FPU_CPU_NONE };
	frame_init(t, thread_first, (uintptr_t)fn, (uintptr_t)arg);
}

/* An area whose header XSAVE can build on. */
static void *fpu_area_new(void)
{
	uint8_t *p = fpu_alloc();

	if (p && x86_cpu.xcr0)
		memset(p + 512, 0, 64);
	return p;
}

int arch_thread_fork(struct thread *child, const struct regs *parent_regs, uint64_t sp,
		     bool set_tls, uint64_t tls, void (*first)(void))
{
	const struct arch_thread *parent = &thread_head(arch_curthread())->arch;
	struct arch_thread *a = &thread_head(child)->arch;
	struct regs *r = thread_regs(child);
	void *area = fpu_area_new();

	if (!area)
		return -ENOMEM;
	*a = (struct arch_thread){
		.fs_base = set_tls ? tls : user_fs_read(parent),
		.gs_base = user_gs_read(parent),
		.fpu = area,
		.fpu_cpu = FPU_CPU_NONE,
	};
	io_fork(a, parent);
	fpu_save(area);
	*r = *parent_regs;
	if (parent->extra & EXTRA_STEP)
		r->rflags &= ~(uint64_t)FLAGS_TF;
	r->rax = 0;
	if (sp)
		r->rsp = sp;
	frame_init(child, thread_first_fork, (uintptr_t)first, 0);
	return 0;
}

void arch_thread_free(struct thread *t)
{
	struct arch_thread *a = &thread_head(t)->arch;

	if (a->fpu)
		fpu_free(a->fpu);
	a->fpu = NULL;
	a->fpu_cpu = FPU_CPU_NONE;
	io_free(a);
	debug_free(a);
}

const void *arch_fpu_state(struct thread *t, size_t *size)
{
	void *area = thread_head(t)->arch.fpu;

	if (!area)
		return NULL;
	if (t == arch_curthread())
		fpu_save(area);
	fpu_normalise(area);
	*size = fpu_size;
	return area;
}

void arch_user_state_sync(void)
{
	struct arch_thread *a = &thread_head(arch_curthread())->arch;
	irqstate_t s = arch_irq_save();

	if (a->fpu)
		user_state_save(a);
	arch_irq_restore(s);
}

int arch_thread_init_fpu(struct thread *t)
{
	void *area = fpu_area_new();

	if (!area)
		return -ENOMEM;
	fpu_save(area); /* anything that can be loaded: exec makes it initial */
	thread_head(t)->arch.fpu = area;
	return 0;
}

/* r15 to ss of struct regs come in this order already. */
void arch_core_regs(struct thread *t, uint64_t out[ARCH_CORE_REGS])
{
	const struct arch_thread *a = &thread_head(t)->arch;
	const struct regs *r = thread_regs(t);
	enum { GENERAL = 21 };

	_Static_assert(offsetof(struct regs, ss) - offsetof(struct regs, r15) ==
			       (GENERAL - 1) * sizeof(uint64_t),
		       "the order of NT_PRSTATUS");
	memcpy(out, &r->r15, GENERAL * sizeof(uint64_t));
	if (a->extra & EXTRA_STEP)
		out[USER_EFLAGS] &= ~(uint64_t)FLAGS_TF;
	out[GENERAL] = a->fs_base;
	out[GENERAL + 1] = a->gs_base;
	memset(out + GENERAL + 2, 0, 4 * sizeof(uint64_t)); /* ds, es, fs, gs: never loaded */
}

bool arch_core_xstate(void *image, size_t size)
{
	enum { OFF_XCR0 = 464 }; /* in FXSAVE's part that is left to software: gdb looks here */

	if (!x86_cpu.xcr0 || size <= OFF_XCR0)
		return false;
	memcpy((char *)image + OFF_XCR0, &x86_cpu.xcr0, sizeof(uint64_t));
	return true;
}

void arch_thread_exec(struct thread *t, struct regs *r, uint64_t pc, uint64_t sp)
{
	struct arch_thread *a = &thread_head(t)->arch;
	irqstate_t s;

	if (!a->fpu && !(a->fpu = fpu_area_new()))
		panic("no memory for the FPU state of the first process"); /* helpers have theirs */
	*r = (struct regs){
		.nr = REGS_NO_SYSCALL,
		.cs = SEL_USER_CS,
		.ss = SEL_USER_DS,
		.rflags = FLAGS_ONE | FLAGS_IF,
		.rsp = sp,
	};
	regs_set_pc(r, pc);
	s = arch_irq_save();
	a->fs_base = a->gs_base = 0;
	debug_exec(a);
	user_fs_write(0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	fpu_reset();
	this_cpu(user_owner) = t;
	a->fpu_cpu = arch_cpu_id();
	arch_irq_restore(s);
}

void arch_enter_user(struct regs *r)
{
	arch_irq_disable();
	enter_user(r);
}

/* ---- arch_prctl(2) ---- */

bool arch_tls_ok(uint64_t base)
{
	return base < USER_END;
}

uint64_t arch_tls_get(const struct thread *t)
{
	const struct arch_thread *a = &((const struct thread_head *)t)->arch;

	return t == arch_curthread() ? user_fs_read(a) : a->fs_base;
}

void arch_tls_set(struct thread *t, uint64_t base)
{
	struct arch_thread *a = &thread_head(t)->arch;
	irqstate_t s = arch_irq_save();

	a->fs_base = base;
	if (t == arch_curthread())
		user_fs_write(base);
	else
		a->fpu_cpu = FPU_CPU_NONE; /* load it at the next switch */
	arch_irq_restore(s);
}

static void gs_set(uint64_t base)
{
	irqstate_t s = arch_irq_save();

	thread_head(arch_curthread())->arch.gs_base = base;
	wrmsr(MSR_KERNEL_GS_BASE, base);
	arch_irq_restore(s);
}

static int64_t put_u64(uaddr_t addr, uint64_t v)
{
	return arch_copy_to_user(addr, &v, sizeof(v)) ? -EFAULT : 0;
}

int64_t arch_prctl_of(struct thread *t, int code, uaddr_t addr)
{
	struct arch_thread *a = &thread_head(t)->arch;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (!arch_tls_ok(addr.a))
			return -EPERM;
		*(code == ARCH_SET_FS ? &a->fs_base : &a->gs_base) = addr.a;
		a->fpu_cpu = FPU_CPU_NONE;
		return 0;
	case ARCH_GET_FS:
		return put_u64(addr, a->fs_base);
	case ARCH_GET_GS:
		return put_u64(addr, a->gs_base);
	default:
		return -EINVAL;
	}
}

int64_t arch_prctl(int code, uaddr_t addr)
{
	const struct arch_thread *a = &thread_head(arch_curthread())->arch;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (!arch_tls_ok(addr.a))
			return -EPERM;
		if (code == ARCH_SET_FS)
			arch_tls_set(arch_curthread(), addr.a);
		else
			gs_set(addr.a);
		return 0;
	case ARCH_GET_FS:
		return put_u64(addr, user_fs_read(a));
	case ARCH_GET_GS:
		return put_u64(addr, user_gs_read(a));
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV; /* CPUID does not fault here */
	default:
		return -EINVAL;
	}
}
