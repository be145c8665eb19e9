#pragma once

/* Private to the port: what its files offer each other. */

#include <arch/boot.h>
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/page.h>

#include "arch/x86_64/x86.h"
#include "core/percpu.h"
#include "lib/types.h"

#define INIT_TEXT __attribute__((section(".init.text"), noinline))
#define INIT_DATA __attribute__((section(".init.data")))

DECLARE_PERCPU(struct cpu_area, cpu_area);

/* ---- registers ---- */

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}

/* a * b / c with a 128-bit product. The quotient fits 64 bits, or #DE. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t lo, hi;

	__asm__("mulq %3; divq %4" : "=&a"(lo), "=&d"(hi) : "0"(a), "r"(b), "r"(c) : "cc");
	return lo;
}

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(sub));
	return r;
}

#define X86_CR(n)                                                              \
	static inline uint64_t read_cr##n(void)                                \
	{                                                                      \
		uint64_t v;                                                    \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory"); \
		return v;                                                      \
	}                                                                      \
	static inline void write_cr##n(uint64_t v)                             \
	{                                                                      \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");     \
	}
X86_CR(0)
X86_CR(2)
X86_CR(3)
X86_CR(4)
#undef X86_CR

/* ---- cpu.c: what the boot CPU can do; the others are alike ---- */

struct x86_cpu {
	uint32_t max_leaf, max_ext_leaf;
	uint32_t f1_eax, f1_ebx, f1_ecx, f1_edx; /* CPUID leaf 1 */
	uint32_t f7_ebx, f7_ecx, f7_edx;         /* leaf 7.0 */
	uint32_t fd1_eax;                        /* leaf 0xd.1 */
	uint32_t e1_ecx, e1_edx;                 /* leaf 0x80000001 */
	uint32_t e7_edx, e8_eax;
	char vendor[13], model[49], hypervisor[13];
	bool fsgsbase, smap, xsave, xsaveopt, pdpe1gb, rdtscp, erms;
	uint64_t cr4;  /* what every CPU runs with */
	uint64_t xcr0; /* 0: no XSAVE */
};
extern struct x86_cpu x86_cpu;

enum { SIMD_AVX = 1, SIMD_XINU = 2 };
extern uint8_t x86_simd; /* copy.S */

void cpu_detect(void);     /* boot CPU */
void cpu_enable(void);     /* each CPU: control registers, MSRs */
void cpu_patch_smap(void); /* boot CPU, text still writable */

/* ---- desc.c: GDT, TSS, IDT ---- */

enum { IST_NMI = 1, IST_DF = 2, IST_MC = 3, IST_DB = 4, IST_COUNT = 4, IST_SIZE = 8192 };

void idt_init(void);
/* Loads this CPU's tables. `stacks`: IST_COUNT * IST_SIZE bytes, 16-byte aligned. */
void desc_load(void *stacks);
void desc_set_kstack(uint64_t top); /* TSS.rsp0 */
/* The running CPU's map of I/O ports that user mode may not use, a bit per port: it is in force, or
 * none is and all ports fault. */
enum { IO_MAP_BYTES = 8192 };
uint8_t *desc_io_map(void);
void desc_io_map_enable(bool on);

/* arch_thread.extra; an I/O level of 3 is all ports, as iopl(2) has it */
enum extra {
	IO_LEVEL_MASK = 3,
	IO_PORTS = 4,
	EXTRA_IO = IO_LEVEL_MASK | IO_PORTS,
	EXTRA_DEBUG = 8, /* some breakpoint is on */
	EXTRA_STEP = 16, /* TF is the debugger's, not the program's own */
};

/* ---- debug.c ---- */
void debug_switch(const struct arch_thread *next); /* interrupts off */
void debug_free(struct arch_thread *a);
void debug_exec(struct arch_thread *a); /* of the running thread */
/* A debug exception of the running thread: reads and clears DR6, and notes what it says. */
uint64_t debug_taken(void);
/* The breakpoints among the bits of dr6 that are for instructions: these must not hit at once
 * again. */
bool debug_is_exec(uint64_t dr6);
/* DR0 … DR7 of a thread that does not run, as ptrace(2) has them. Set: -EIO, -EINVAL, -ENOMEM. */
uint64_t debug_get(const struct arch_thread *a, unsigned i);
MUST_CHECK int debug_set(struct arch_thread *a, unsigned i, uint64_t v);

/* ---- ioport.c ---- */
extern void *(*x86_alloc)(size_t bytes);
extern void (*x86_free)(void *);
void io_switch(const struct arch_thread *next); /* interrupts off */
void io_fork(struct arch_thread *child, const struct arch_thread *parent);
void io_free(struct arch_thread *a);
bool io_skips_interrupt_flag(struct regs *r);

/* ---- extable.c ---- */
void extable_init(void);
uintptr_t extable_find(uintptr_t ip); /* 0: none */

/* ---- fpu.c ---- */
void fpu_init_cpu(void);   /* each CPU: XCR0, initial state */
void fpu_detect(void);     /* boot CPU */
void fpu_save(void *area); /* into a kernel area, whole state */
void fpu_restore(const void *area);
void fpu_reset(void); /* initial state into the registers */
extern uint32_t fpu_size;
bool fpu_save_user(uaddr_t area); /* false: fault; the header is the caller's to clear */
bool fpu_restore_user(uaddr_t area, bool xsave); /* false: fault or bad image; state then initial */
void fpu_normalise(void *area); /* for readers: components in their initial state written out */

/* ---- context.c ---- */
#define FPU_CPU_NONE UINT32_MAX

/* The general registers in ptrace(2)'s order: words of struct regs from r15 on, then these. */
enum user_reg {
	USER_RAX = 10,
	USER_ORIG_RAX = 15,
	USER_RIP,
	USER_CS,
	USER_EFLAGS,
	USER_RSP,
	USER_SS,
	USER_FS_BASE,
	USER_GS_BASE,
	USER_DS,
	USER_ES,
	USER_FS,
	USER_GS,
};
struct thread *switch_stacks(uint64_t *save_sp, uint64_t load_sp, struct thread *prev);
void thread_first(void);
void thread_first_fork(void);
NORETURN void enter_user(struct regs *r);
void entry_syscall(void);
extern const char trap_stubs[];

static inline struct thread_head *thread_head(struct thread *t)
{
	return (struct thread_head *)t;
}

/* ---- trap.c ---- */
void trap_dispatch(struct regs *r, unsigned vector);
void trap_paranoid(struct regs *r, unsigned vector);
extern _Atomic bool x86_cpus_stopping;

/* ---- mmu_init.c ---- */
/* Maps physical memory or registers into the port's window, for ever. NULL: no room or no memory.
 */
void *window_map(paddr_t pa, size_t bytes, unsigned flags);
extern uint64_t kernel_pml4[512], kernel_pdpt[512], boot_pml4[512], boot_pdpt_image[512];
/* The entries of kernel_pml4 that are in use, all in the upper half: what an address space copies.
 */
extern unsigned kernel_nslots;
extern uint16_t kernel_slots[8];
paddr_t pt_page_alloc(void); /* mmu.c: through arch_pt_set_alloc() */

/* ---- pvh.c ---- */
INIT_TEXT NORETURN void x86_start(paddr_t start_info);
extern paddr_t boot_rsdp;       /* 0: look for it */
extern paddr_t boot_trampoline; /* page below 1 MiB for the other CPUs' start; 0: none */

/* ---- acpi.c ---- */
void acpi_init(void); /* idempotent */
struct acpi_info;
const struct acpi_info *acpi(void);

/* ---- apic.c ---- */
void lapic_init(void);     /* boot CPU: finds and maps it */
void lapic_init_cpu(void); /* each CPU */
void lapic_eoi(void);
void lapic_send_ipi(uint32_t apic_id, uint32_t icr_low);
void lapic_broadcast(uint32_t icr_low); /* all but this CPU */
void lapic_timer_setup(uint64_t hz);    /* after calibration; boot CPU */
void lapic_timer_init_cpu(void);        /* each CPU */
void lapic_timer_interrupt(void);
/* For calibration: the timer counts down from 2^32 - 1, no interrupt. */
void lapic_timer_free_run(void);
uint32_t lapic_timer_count(void);
enum { ICR_NMI = 0x4400, ICR_INIT = 0x4500, ICR_STARTUP = 0x4600, ICR_FIXED = 0x4000 };

/* ---- ioapic.c ---- */
void ioapic_init(void);
bool ioapic_vector_is_level(unsigned vector);
void pic_disable(void);

/* ---- tsc.c ---- */
void tsc_calibrate(void);
void delay_us(unsigned us); /* by the TSC; before calibration assumes 4 GHz at most */

/* ---- smp.c ---- */
struct ap_entry { /* one per CPU; layout known to boot.S */
	uint32_t apic_id;
	uint32_t pad;
	uint64_t stack_top; /* 0: do not start */
	uint64_t gs_base;
	_Atomic uint32_t alive;
	uint32_t pad2;
};
extern struct ap_entry ap_table[MAX_CPUS];
extern uint32_t ap_table_end;
NORETURN void x86_ap_start(unsigned cpu);
uint32_t cpu_apic_id(unsigned cpu);

/* ---- backtrace.c ---- */
/* Into the log: where pc is (0: not told), and who called: in debug kernels by the chain of saved
 * RBPs at `frame`, else by the words from sp on. */
void backtrace_from(uintptr_t pc, uintptr_t sp, uintptr_t frame);
void cpu_bring_up(void *ist_stacks); /* desc, features, fpu of the running CPU */
void cpu_find_fences(void);          /* ncpus is known: cpu_inline.h, arch_device_fence() */

/* ---- power.c ---- */
void power_init(void);

/* Linker script. */
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
	__data_end[];
extern char __init_start[], __init_data_start[], __init_end[], __bss_start[], __bss_end[],
	__image_start[], __image_end[];
extern char boot_stack_guard[], boot_stack[], boot_stack_top[];
