/*
 * The other CPUs. They are numbered in MADT order, the boot CPU first. All are started at once
 * (INIT, then start-up IPIs); each finds its own row of ap_table by its APIC id, takes stack and GS
 * base from it, and raises `alive`. A page below 1 MiB holds the real-mode start of boot.S while
 * they come up.
 *
 * Source: SDM vol. 3A 8.4.4.1 (the 10 ms after INIT are for buses that no longer exist; not waited
 * for under a hypervisor).
 */

#include <arch/upcall.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/x86_priv.h"
#include "core/log.h"
#include "core/panic.h"
#include "lib/string.h"

extern char ap_trampoline[], ap_trampoline_end[], ap_trampoline_efer[]; /* boot.S */

STATIC_ASSERT(sizeof(struct ap_entry) == 32 && offsetof(struct ap_entry, stack_top) == 8 &&
	      offsetof(struct ap_entry, gs_base) == 16);

struct ap_entry ap_table[MAX_CPUS];
uint32_t ap_table_end = 1;
static void *ap_ist[MAX_CPUS];

uint32_t cpu_apic_id(unsigned cpu)
{
	return ap_table[cpu].apic_id;
}

static void *(*page_alloc_cb)(size_t pages);

/* CPU n's variables and interrupt stacks. False: no memory. */
static bool cpu_add(unsigned n, uint32_t apic_id)
{
	void *vars = page_alloc_cb(DIV_ROUND_UP(percpu_size(), PAGE_SIZE));
	void *ist = vars ? page_alloc_cb(DIV_ROUND_UP(IST_COUNT * IST_SIZE, PAGE_SIZE)) : NULL;
	struct cpu_area *area;

	if (!ist)
		return false;
	percpu_init_cpu(n, vars);
	area = &of_cpu(cpu_area, n);
	area->percpu_offset = percpu_offset[n];
	area->id = n;
	ap_ist[n] = ist;
	ap_table[n].apic_id = apic_id;
	ap_table[n].gs_base = (uintptr_t)area;
	return true;
}

void arch_cpus_init(void *(*alloc)(size_t pages))
{
	uint32_t self = cpuid(1, 0).ebx >> 24;
	unsigned n = 1;

	acpi_init();
	page_alloc_cb = alloc;
	ap_table[0].apic_id = self;
	for (unsigned i = 0; i < acpi()->ncpus && n < MAX_CPUS; i++) {
		if (acpi()->apic_id[i] == self)
			continue;
		if (!cpu_add(n, acpi()->apic_id[i])) {
			log_warn("no memory for CPU %u and those after it", n);
			break;
		}
		n++;
	}
	ncpus = n;
	ap_table_end = n;
	cpu_find_fences();
}

static bool is_alive(unsigned cpu)
{
	return atomic_load_explicit(&ap_table[cpu].alive, memory_order_acquire);
}

/* To every CPU that has a stack and is not up. Returns how many there were. */
static unsigned send_to_missing(uint32_t icr)
{
	unsigned n = 0;

	for (unsigned cpu = 1; cpu < ncpus; cpu++)
		if (ap_table[cpu].stack_top && !is_alive(cpu)) {
			lapic_send_ipi(cpu_apic_id(cpu), icr);
			n++;
		}
	return n;
}

static unsigned count_missing(void)
{
	unsigned n = 0;

	for (unsigned cpu = 1; cpu < ncpus; cpu++)
		n += ap_table[cpu].stack_top && !is_alive(cpu);
	return n;
}

static bool wait_for_all(unsigned us)
{
	uint64_t start = arch_counter(), ticks = us * (arch_counter_hz() / 1000000);

	while (count_missing()) {
		if (arch_counter() - start > ticks)
			return false;
		arch_pause();
	}
	return true;
}

static void trampoline_write(void)
{
	uint8_t *page = phys_to_virt(boot_trampoline);
	uint32_t efer = (uint32_t)rdmsr(MSR_EFER) & (EFER_SCE | EFER_LME | EFER_NXE);

	memcpy(page, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	memcpy(page + (ap_trampoline_efer - ap_trampoline), &efer, sizeof(efer));
}

static void start_all(void)
{
	uint32_t startup = ICR_STARTUP | (uint32_t)(boot_trampoline >> PAGE_SHIFT);

	trampoline_write();
	send_to_missing(ICR_INIT);
	delay_us(x86_cpu.hypervisor[0] ? 10 : 10000);
	send_to_missing(startup);
	if (wait_for_all(100000))
		return;
	send_to_missing(startup);
	if (wait_for_all(900000))
		return;
	for (unsigned cpu = 1; cpu < ncpus; cpu++)
		if (ap_table[cpu].stack_top && !is_alive(cpu))
			log_err("CPU %u (APIC id %u) does not start", cpu, cpu_apic_id(cpu));
}

void arch_cpus_start(struct thread *(*idle)(unsigned cpu))
{
	unsigned wanted = 0;

	for (unsigned cpu = 1; cpu < ncpus; cpu++) {
		struct thread *t = idle(cpu);

		if (!t)
			continue;
		of_cpu(cpu_area, cpu).curthread = t;
		of_cpu(cpu_area, cpu).kstack_top = (uintptr_t)thread_head(t)->kstack + KSTACK_SIZE;
		ap_table[cpu].stack_top = (uintptr_t)thread_head(t)->kstack + KSTACK_SIZE;
		wanted++;
	}
	if (!wanted)
		return;
	if (!boot_trampoline)
		log_err("no page below 1 MiB: the other %u CPUs cannot start", wanted);
	else
		start_all();
}

void x86_ap_start(unsigned cpu)
{
	cpu_bring_up(ap_ist[cpu]);
	arch_pt_switch(NULL);
	lapic_init_cpu();
	lapic_timer_init_cpu();
	atomic_store_explicit(&ap_table[cpu].alive, 1, memory_order_release);
	cpu_start(cpu);
}

void arch_cpus_stop(void)
{
	if (atomic_exchange_explicit(&x86_cpus_stopping, true, memory_order_relaxed))
		return;
	if (atomic_load_explicit(&cpus_online, memory_order_relaxed) & ~BIT(arch_cpu_id()))
		lapic_broadcast(ICR_NMI);
}
