/*
 * Exceptions and interrupts, after the entry code: who is told.
 *
 *   page fault, user       → page_fault(), interrupts on: resolved, or a signal is pending
 *   page fault, kernel     with an exception-table entry, at a user address → page_fault(); else
 * the fix-up other exception, user  → user_trap() with Linux's signal and si_code other, kernel
 * exception table, or panic timer, IPI             acknowledged, then tick() or ipi_received()
 *   device                 irq_dispatch(), acknowledged before (edge) or after the handlers
 * (level); none of them switches threads, that happens on the way to user mode
 *
 * NMI, #DF and #MC come on stacks of their own (entry_paranoid) and never switch or return to a
 * changed state. So does #DB from the kernel; from user mode it moves to the thread's stack.
 */

#include "abi/signal.h"
#include "arch/upcall.h"
#include "arch/x86_64/x86_priv.h"
#include "core/irq.h"
#include "core/lockdep.h"
#include "core/log.h"
#include "core/panic.h"

_Atomic bool x86_cpus_stopping;
bool (*arch_is_stack_guard)(kaddr_t va);
static PERCPU(bool, irq_from_user);
static PERCPU(_Atomic bool, place_wanted); /* at the next NMI */

static const char *trap_name(unsigned vector)
{
	switch (vector) {
	case TRAP_DE:
		return "divide error";
	case TRAP_BP:
		return "breakpoint";
	case TRAP_UD:
		return "invalid opcode";
	case TRAP_DF:
		return "double fault";
	case TRAP_SS:
		return "stack fault";
	case TRAP_GP:
		return "general protection fault";
	case TRAP_MC:
		return "machine check";
	default:
		return "exception";
	}
}

const char *arch_trap_label(unsigned trap_nr)
{
	switch (trap_nr) {
	case TRAP_DE:
		return "trap divide error";
	case TRAP_BP:
		return "trap int3";
	case TRAP_BP + 1: /* #OF */
		return "trap overflow";
	case TRAP_BP + 2: /* #BR */
		return "trap bounds";
	case TRAP_UD:
		return "trap invalid opcode";
	case TRAP_SS - 1: /* #NP */
		return "trap segment not present";
	case TRAP_SS:
		return "trap stack segment";
	case TRAP_AC:
		return "trap alignment check";
	case TRAP_GP:
		return "general protection fault";
	default:
		return NULL;
	}
}

void arch_user_regs_log(const struct regs *r)
{
	log_warn("RIP: %04lx:%#lx", r->cs, r->rip);
	log_warn("RSP: %04lx:%016lx EFLAGS: %08lx ORIG_RAX: %016lx", r->ss, r->rsp, r->rflags,
		 r->nr);
	log_warn("RAX: %016lx RBX: %016lx RCX: %016lx", r->rax, r->rbx, r->rcx);
	log_warn("RDX: %016lx RSI: %016lx RDI: %016lx", r->rdx, r->rsi, r->rdi);
	log_warn("RBP: %016lx R08: %016lx R09: %016lx", r->rbp, r->r8, r->r9);
	log_warn("R10: %016lx R11: %016lx R12: %016lx", r->r10, r->r11, r->r12);
	log_warn("R13: %016lx R14: %016lx R15: %016lx", r->r13, r->r14, r->r15);
}

bool arch_irq_from_user(void)
{
	return this_cpu(irq_from_user);
}

static void log_regs(const struct regs *r)
{
	log_f(LOG_EMERG, "rip %016lx rsp %016lx flags %08lx cs %lx ss %lx cpu %u", r->rip, r->rsp,
	      r->rflags, r->cs, r->ss, arch_cpu_id());
	log_f(LOG_EMERG, "rax %016lx rbx %016lx rcx %016lx rdx %016lx", r->rax, r->rbx, r->rcx,
	      r->rdx);
	log_f(LOG_EMERG, "rsi %016lx rdi %016lx rbp %016lx r8  %016lx", r->rsi, r->rdi, r->rbp,
	      r->r8);
	log_f(LOG_EMERG, "r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r->r9, r->r10, r->r11,
	      r->r12);
	log_f(LOG_EMERG, "r13 %016lx r14 %016lx r15 %016lx cr2 %016lx", r->r13, r->r14, r->r15,
	      read_cr2());
	log_f(LOG_EMERG, "cr0 %08lx cr3 %016lx cr4 %08lx", read_cr0(), read_cr3(), read_cr4());
}

static bool is_guard(uint64_t va)
{
	uintptr_t boot = (uintptr_t)boot_stack_guard;

	return (va >= boot && va < boot + PAGE_SIZE) ||
	       (arch_is_stack_guard && arch_is_stack_guard(va));
}

NORETURN static void die(const struct regs *r, unsigned vector, uint64_t error)
{
	uint64_t cr2 = read_cr2();

	log_regs(r);
	if ((vector == TRAP_PF || vector == TRAP_DF) && is_guard(cr2))
		panic("kernel stack overflow: guard page %#lx, rip %#lx", cr2, r->rip);
	if (vector == TRAP_PF)
		panic("kernel page fault at %#lx, error %#lx, rip %#lx", cr2, error, r->rip);
	panic("%s (%u) in the kernel, error %#lx, rip %#lx", trap_name(vector), vector, error,
	      r->rip);
}

static void page_fault_kernel(struct regs *r, uint64_t addr, uint64_t error)
{
	uintptr_t fixup = extable_find(r->rip);

	if (!fixup)
		die(r, TRAP_PF, error);
	if (addr < USER_END && !this_cpu(cpu_area).nofault) {
		bool resolved;

		if (r->rflags & FLAGS_IF)
			arch_irq_enable();
		resolved = page_fault(r, addr, (unsigned)error);
		arch_irq_disable();
		if (resolved)
			return;
	}
	r->rip = fixup;
}

/* The CPU's error code has the bits of enum fault_flags: SDM vol. 3A 4.7. */
STATIC_ASSERT(FAULT_PRESENT == 1 && FAULT_WRITE == 2 && FAULT_USER == 4 && FAULT_RESERVED == 8 &&
	      FAULT_EXEC == 16);

static void trap_page_fault(struct regs *r, uint64_t error)
{
	uint64_t addr = read_cr2();

	if (regs_from_user(r)) {
		arch_irq_enable();
		page_fault(r, addr, (unsigned)error & 0x1f);
	} else {
		page_fault_kernel(r, addr, error & 0x1f);
	}
}

/* Unmasked exception flags, in the order in which Linux names one: IE, ZE, OE, UE or DE, PE. */
static int fpe_code(uint32_t flags)
{
	if (flags & 0x01)
		return FPE_FLTINV;
	if (flags & 0x04)
		return FPE_FLTDIV;
	if (flags & 0x08)
		return FPE_FLTOVF;
	if (flags & 0x12)
		return FPE_FLTUND;
	if (flags & 0x20)
		return FPE_FLTRES;
	return FPE_FLTUNK;
}

static int x87_code(void)
{
	uint16_t status, control;

	__asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
	return fpe_code(status & ~(uint32_t)control);
}

static int simd_code(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return fpe_code(mxcsr & ~(mxcsr >> 7));
}

static int debug_code(struct regs *r)
{
	uint64_t dr6 = debug_taken();

	if (debug_is_exec(dr6))
		r->rflags |= FLAGS_RF;
	return dr6 & DR6_STEP ? TRAP_TRACE : dr6 & DR6_HITS ? TRAP_HWBKPT : TRAP_BRKPT;
}

/* Signals and codes as Linux sends them: signal(7), sigaction(2), tests/guest. */
static void user_exception(struct regs *r, unsigned vector, uint64_t error)
{
	switch (vector) {
	case TRAP_DE:
		user_trap(r, SIGFPE, FPE_INTDIV, r->rip, vector, error);
		break;
	case TRAP_DB:
		user_trap(r, SIGTRAP, debug_code(r), r->rip, vector, error);
		break;
	case TRAP_BP:
		user_trap(r, SIGTRAP, SI_KERNEL, 0, vector, error);
		break;
	case TRAP_UD:
		user_trap(r, SIGILL, ILL_ILLOPN, r->rip, vector, error);
		break;
	case TRAP_SS:
	case TRAP_SS - 1: /* #NP */
		user_trap(r, SIGBUS, SI_KERNEL, 0, vector, error);
		break;
	case TRAP_MF:
		user_trap(r, SIGFPE, x87_code(), r->rip, vector, error);
		break;
	case TRAP_XM:
		user_trap(r, SIGFPE, simd_code(), r->rip, vector, error);
		break;
	case TRAP_AC:
		user_trap(r, SIGBUS, BUS_ADRALN, 0, vector, error);
		break;
	default: /* #GP and what else is left */
		if (vector == TRAP_GP && io_skips_interrupt_flag(r))
			break;
		user_trap(r, SIGSEGV, SI_KERNEL, 0, vector, error);
	}
}

static void kernel_exception(struct regs *r, unsigned vector, uint64_t error)
{
	uintptr_t fixup = extable_find(r->rip);

	if (!fixup)
		die(r, vector, error);
	r->rip = fixup;
}

static void interrupt(struct regs *r, unsigned vector)
{
	lockdep_irq_enter();
	irq_enter();
	switch (vector) {
	case VEC_TIMER:
		lapic_eoi();
		this_cpu(irq_from_user) = regs_from_user(r);
		lapic_timer_interrupt();
		break;
	case VEC_IPI:
		lapic_eoi();
		ipi_received();
		break;
	case VEC_SPURIOUS: /* is not acknowledged: SDM vol. 3A 10.9 */
		break;
	case VEC_ERROR:
		lapic_eoi();
		log_warn("local APIC reports an error");
		break;
	default:
		if (ioapic_vector_is_level(vector)) {
			irq_dispatch(vector);
			lapic_eoi();
		} else {
			lapic_eoi();
			irq_dispatch(vector);
		}
	}
	irq_exit();
	lockdep_irq_exit();
}

void trap_dispatch(struct regs *r, unsigned vector)
{
	uint64_t error = r->nr;

	r->nr = REGS_NO_SYSCALL;
	if (vector == TRAP_PF) {
		trap_page_fault(r, error);
	} else if (vector >= VEC_DEVICE) {
		interrupt(r, vector);
	} else if (regs_from_user(r)) {
		arch_irq_enable();
		user_exception(r, vector, error);
	} else {
		kernel_exception(r, vector, error);
	}
}

void arch_backtrace_of(unsigned cpu)
{
	atomic_store(&of_cpu(place_wanted, cpu), true);
	lapic_send_ipi(cpu_apic_id(cpu), ICR_NMI);
}

void trap_paranoid(struct regs *r, unsigned vector)
{
	uint64_t error = r->nr;

	r->nr = REGS_NO_SYSCALL;
	if (vector == TRAP_NMI) {
		if (atomic_load_explicit(&x86_cpus_stopping, memory_order_relaxed))
			arch_halt_forever();
		if (atomic_exchange(&this_cpu(place_wanted), false)) {
			log_regs(r);
			backtrace_from(r->rip, r->rsp, r->rbp);
		}
		return;
	}
	if (vector == TRAP_DB) {
		/* A breakpoint on the user's memory, hit by a copy, or, after MOV SS, by the first
		 * instruction of an entry: the debugger finds it in DR6. */
		(void)debug_taken();
		r->rflags &= ~(uint64_t)FLAGS_TF;
		return;
	}
	die(r, vector, error);
}
