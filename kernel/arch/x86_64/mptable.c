/*
 * See mptable.h. What it says goes where the MADT's information goes: an interrupt entry of the ISA
 * bus is an interrupt source override.
 */

#include "arch/x86_64/mptable.h"

#include "lib/string.h"

enum { FLOATING_SIZE = 16, HEADER_SIZE = 44, CPU_SIZE = 20, OTHER_SIZE = 8 };
enum entry_type { ENTRY_CPU, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_INTERRUPT };

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

uint64_t mptable_find(const uint8_t *mem, size_t n)
{
	for (size_t i = 0; i + FLOATING_SIZE <= n; i += 16)
		if (mem[i] == '_' && memcmp(mem + i, "_MP_", 4) == 0 &&
		    acpi_checksum_ok(mem + i, FLOATING_SIZE))
			return u32_at(mem + i + 4);
	return 0;
}

/* An interrupt entry: +2 flags, +4 source bus, +5 source line, +6 I/O APIC id, +7 its input. One
 * I/O APIC at line 0. */
static void read_interrupt(struct acpi_info *info, const uint8_t *e, int isa_bus)
{
	unsigned flags = u16_at(e + 2), irq = e[5];

	if (e[1] != 0 || e[4] != isa_bus || irq >= ACPI_ISA_IRQS)
		return;
	info->isa[irq] = (struct acpi_isa_override){
		.gsi = e[7],
		.active_low = (flags & 3) == 3,
		.level = (flags >> 2 & 3) == 3,
		.valid = true,
	};
}

static void read_entry(struct acpi_info *info, const uint8_t *e, int *isa_bus)
{
	switch (e[0]) {
	case ENTRY_CPU:
		if (e[3] & 1 && info->ncpus < ACPI_MAX_CPUS)
			info->apic_id[info->ncpus++] = e[1];
		break;
	case ENTRY_BUS:
		if (memcmp(e + 2, "ISA   ", 6) == 0)
			*isa_bus = e[1];
		break;
	case ENTRY_IOAPIC:
		if (e[3] & 1 && info->nioapics == 0)
			info->ioapic[info->nioapics++] = (struct acpi_ioapic){ u32_at(e + 4), 0 };
		break;
	case ENTRY_INTERRUPT:
		read_interrupt(info, e, *isa_bus);
		break;
	default:
		break;
	}
}

bool mptable_read(struct acpi_info *info, const uint8_t *table, size_t n)
{
	size_t length, at = HEADER_SIZE, size;
	int isa_bus = -1;

	if (n < HEADER_SIZE || memcmp(table, "PCMP", 4) != 0)
		return false;
	length = u16_at(table + 4);
	if (length < HEADER_SIZE || length > n || !acpi_checksum_ok(table, length))
		return false;
	info->has_madt = true;
	info->lapic_address = u32_at(table + 36);
	for (; at < length; at += size) {
		size = table[at] == ENTRY_CPU ? CPU_SIZE : OTHER_SIZE;
		if (at + size > length)
			break;
		read_entry(info, table + at, &isa_bus);
	}
	return true;
}
