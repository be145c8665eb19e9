/*
 * I/O APICs: global interrupt lines to vectors. Lines are masked until someone asks for one; ISA
 * lines are edge and active high unless the MADT overrides that, the others level and active low,
 * as PCI has them. The 8259s are masked for good.
 *
 * Source: 82093AA data sheet; ACPI 5.2.12; SDM vol. 3A 10.11 (messages).
 */

#include <arch/io.h>
#include <arch/irq.h>

#include "abi/errno.h"
#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/x86_priv.h"
#include "core/log.h"

enum {
	REG_VERSION = 1,
	REG_TABLE = 0x10,
	ENTRY_ACTIVE_LOW = 1 << 13,
	ENTRY_LEVEL = 1 << 15,
	ENTRY_MASKED = 1 << 16,
};

struct ioapic {
	volatile uint32_t *regs; /* [0] selects, [4] is the window */
	unsigned gsi_base, nlines;
};

static struct ioapic ioapics[ACPI_MAX_IOAPICS];
static unsigned nioapics;

/* Device vectors whose line is level-triggered; written before the line is unmasked. */
static uint64_t level_vectors[ARCH_NVECTORS / 64];

static uint32_t io_read(const struct ioapic *a, unsigned reg)
{
	a->regs[0] = reg;
	return a->regs[4];
}

static void io_write(const struct ioapic *a, unsigned reg, uint32_t v)
{
	a->regs[0] = reg;
	a->regs[4] = v;
}

void pic_disable(void)
{
	arch_outb(0x21, 0xff);
	arch_outb(0xa1, 0xff);
}

static void add_ioapic(paddr_t pa, unsigned gsi_base)
{
	struct ioapic *a = &ioapics[nioapics];

	a->regs = window_map(pa, 32, PTE_READ | PTE_WRITE | PTE_NOCACHE);
	if (!a->regs)
		return;
	a->gsi_base = gsi_base;
	a->nlines = (io_read(a, REG_VERSION) >> 16 & 0xff) + 1;
	for (unsigned i = 0; i < a->nlines; i++)
		io_write(a, REG_TABLE + 2 * i, ENTRY_MASKED);
	nioapics++;
}

void ioapic_init(void)
{
	pic_disable();
	for (unsigned i = 0; i < acpi()->nioapics; i++)
		add_ioapic(acpi()->ioapic[i].address, acpi()->ioapic[i].gsi_base);
	if (!acpi()->has_madt) /* microvm without ACPI: where it always is */
		add_ioapic(0xfec00000, 0);
	if (!nioapics)
		log_warn("no I/O APIC: devices get no interrupts but messages");
}

bool ioapic_vector_is_level(unsigned vector)
{
	return level_vectors[vector / 64] >> (vector % 64) & 1;
}

/* The override that leads to this line, or NULL. */
static const struct acpi_isa_override *override_of(unsigned gsi)
{
	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		if (acpi()->isa[i].valid && acpi()->isa[i].gsi == gsi)
			return &acpi()->isa[i];
	return NULL;
}

unsigned arch_irq_isa_gsi(unsigned isa_irq)
{
	if (isa_irq < ACPI_ISA_IRQS && acpi()->isa[isa_irq].valid)
		return acpi()->isa[isa_irq].gsi;
	return isa_irq;
}

bool arch_irq_is_level(unsigned gsi)
{
	const struct acpi_isa_override *o = override_of(gsi);

	return o ? o->level : gsi >= ACPI_ISA_IRQS;
}

static bool is_active_low(unsigned gsi)
{
	const struct acpi_isa_override *o = override_of(gsi);

	return o ? o->active_low : gsi >= ACPI_ISA_IRQS;
}

int arch_irq_route(unsigned gsi, unsigned vector)
{
	for (unsigned i = 0; i < nioapics; i++) {
		const struct ioapic *a = &ioapics[i];
		unsigned line = gsi - a->gsi_base;
		uint32_t low = vector;

		if (gsi < a->gsi_base || line >= a->nlines)
			continue;
		if (arch_irq_is_level(gsi)) {
			low |= ENTRY_LEVEL;
			level_vectors[vector / 64] |= BIT(vector % 64);
		}
		if (is_active_low(gsi))
			low |= ENTRY_ACTIVE_LOW;
		io_write(a, REG_TABLE + 2 * line + 1, cpu_apic_id(0) << 24);
		io_write(a, REG_TABLE + 2 * line, low);
		return 0;
	}
	return -EINVAL;
}

unsigned arch_vector_first(void)
{
	return VEC_DEVICE;
}

unsigned arch_vector_end(void)
{
	return VEC_LOCAL;
}

void arch_msi_message(unsigned vector, unsigned cpu, uint64_t *addr, uint32_t *data)
{
	*addr = 0xfee00000 | cpu_apic_id(cpu) << 12;
	*data = vector;
}
