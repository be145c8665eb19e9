/*
 * The local APIC: interrupt acknowledgement, IPIs, and the one-shot timer. x2APIC (MSRs) where the
 * CPU has it, else its registers in memory. The timer takes absolute TSC deadlines where it can;
 * else it counts down at a calibrated rate, at most 2^32 ticks at a time: an interrupt that comes
 * before the deadline re-arms silently.
 *
 * Source: SDM vol. 3A ch. 10 (10.5.4 timer, 10.6 IPIs, 10.12 x2APIC).
 */

#include <arch/upcall.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/x86_priv.h"
#include "core/clock.h"
#include "core/panic.h"

/* Offsets in memory; the MSR is 0x800 + offset / 16. */
enum lapic_reg {
	REG_TPR = 0x80,
	REG_EOI = 0xb0,
	REG_SPURIOUS = 0xf0,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};

enum {
	SPURIOUS_ENABLE = 1 << 8,
	LVT_MASKED = 1 << 16,
	LVT_TSC_DEADLINE = 2 << 17,
	LVT_NMI = 4 << 8,
	DIVIDE_BY_1 = 0xb,
	ICR_PENDING = 1 << 12,
	ICR_ALL_BUT_SELF = 3 << 18,
	BASE_X2APIC = 1 << 10,
	BASE_ENABLE = 1 << 11,
};

static volatile uint32_t *regs; /* NULL: x2APIC */
static bool x2apic, tsc_deadline;

static uint64_t timer_hz, tick_mult; /* tick_mult: timer ticks per ns, 32 fraction bits */
static PERCPU(nsec_t, timer_deadline) = NSEC_MAX;

static inline uint32_t reg_read(enum lapic_reg r)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + r / 16) : regs[r / 4];
}

static inline void reg_write(enum lapic_reg r, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + r / 16, v);
	else
		regs[r / 4] = v;
}

void lapic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	paddr_t pa = acpi()->lapic_address ? acpi()->lapic_address : base & 0xffffff000ul;

	if (regs || x2apic)
		return;
	x2apic = x86_cpu.f1_ecx & 1u << 21;
	tsc_deadline = x86_cpu.f1_ecx & 1u << 24;
	if (!x2apic && !(regs = window_map(pa, PAGE_SIZE, PTE_READ | PTE_WRITE | PTE_NOCACHE)))
		panic("no memory to map the local APIC");
}

void lapic_init_cpu(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BASE_ENABLE | (x2apic ? BASE_X2APIC : 0));
	reg_write(REG_TPR, 0);
	reg_write(REG_LVT_TIMER, LVT_MASKED);
	reg_write(REG_LVT_LINT0, LVT_MASKED);
	reg_write(REG_LVT_LINT1, LVT_NMI);
	reg_write(REG_LVT_ERROR, VEC_ERROR);
	reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
	reg_write(REG_EOI, 0);
}

void lapic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

/* Two registers in xAPIC mode: no interrupt handler may send another in between. */
static void icr_write(uint32_t dest, uint32_t low)
{
	irqstate_t s;

	if (x2apic) {
		/* WRMSR to the x2APIC does not order stores */
		atomic_thread_fence(memory_order_seq_cst);
		wrmsr(MSR_X2APIC + REG_ICR / 16, (uint64_t)dest << 32 | low);
		return;
	}
	s = arch_irq_save();
	while (regs[REG_ICR / 4] & ICR_PENDING)
		arch_pause();
	if (!(low & ICR_ALL_BUT_SELF))
		regs[REG_ICR_HIGH / 4] = dest << 24;
	regs[REG_ICR / 4] = low;
	arch_irq_restore(s);
}

void lapic_send_ipi(uint32_t apic_id, uint32_t icr_low)
{
	icr_write(apic_id, icr_low);
}

void lapic_broadcast(uint32_t icr_low)
{
	icr_write(0, icr_low | ICR_ALL_BUT_SELF);
}

void arch_ipi_send(uint64_t cpumask)
{
	uint64_t others =
		atomic_load_explicit(&cpus_online, memory_order_relaxed) & ~BIT(arch_cpu_id());

	cpumask &= others;
	if (cpumask == others && (cpumask & (cpumask - 1))) {
		lapic_broadcast(ICR_FIXED | VEC_IPI);
		return;
	}
	for (; cpumask; cpumask &= cpumask - 1)
		lapic_send_ipi(cpu_apic_id((unsigned)__builtin_ctzl(cpumask)), ICR_FIXED | VEC_IPI);
}

/* ---- timer ---- */

void lapic_timer_free_run(void)
{
	reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	reg_write(REG_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	reg_write(REG_TIMER_INITIAL, UINT32_MAX);
}

uint32_t lapic_timer_count(void)
{
	return reg_read(REG_TIMER_CURRENT);
}

void lapic_timer_setup(uint64_t hz)
{
	timer_hz = tsc_deadline ? arch_counter_hz() : hz;
	tick_mult = mul_div(timer_hz, 1ul << 32, NSEC_PER_SEC);
}

void lapic_timer_init_cpu(void)
{
	if (tsc_deadline) {
		reg_write(REG_LVT_TIMER, LVT_TSC_DEADLINE | VEC_TIMER);
		/* SDM vol. 3A 10.5.4.1: before the first deadline */
		atomic_thread_fence(memory_order_seq_cst);
		return;
	}
	reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	reg_write(REG_TIMER_INITIAL, 0);
	reg_write(REG_LVT_TIMER, VEC_TIMER);
}

uint64_t arch_timer_hz(void)
{
	return timer_hz;
}

static uint64_t ticks_in(nsec_t ns)
{
	return (uint64_t)((unsigned __int128)tick_mult * (uint64_t)ns >> 32) + 1;
}

static void timer_program(nsec_t deadline, nsec_t now)
{
	uint64_t ticks = deadline > now ? ticks_in(deadline - now) : 1;

	if (tsc_deadline)
		wrmsr(MSR_TSC_DEADLINE, arch_counter() + ticks);
	else
		reg_write(REG_TIMER_INITIAL, (uint32_t)MIN(ticks, (uint64_t)UINT32_MAX));
}

static void timer_stop(void)
{
	if (tsc_deadline)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		reg_write(REG_TIMER_INITIAL, 0);
}

/* An interrupt between the two would be harmless, since it sees the new deadline; but the caller
 * has them off. */
void arch_timer_set(nsec_t deadline)
{
	this_cpu(timer_deadline) = deadline;
	if (deadline == NSEC_MAX)
		timer_stop();
	else
		timer_program(deadline, clock_mono());
}

void lapic_timer_interrupt(void)
{
	nsec_t deadline = this_cpu(timer_deadline), now = clock_mono();

	if (deadline == NSEC_MAX)
		return;
	if (now < deadline) {
		timer_program(deadline, now);
		return;
	}
	this_cpu(timer_deadline) = NSEC_MAX;
	tick();
}
