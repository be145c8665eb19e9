/*
 * See acpi_tables.h. Fields are fetched by offset with a bound, so a short table reads as zeroes
 * and an entry that runs over the end stops the walk.
 */

#include "arch/x86_64/acpi_tables.h"

#include "lib/string.h"

bool acpi_checksum_ok(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + b[i]);
	return sum == 0;
}

/* `bytes` little-endian bytes at `at`; 0 beyond the end. */
static uint64_t field(const void *table, size_t length, size_t at, size_t bytes)
{
	uint64_t v = 0;

	if (at + bytes <= length)
		memcpy(&v, (const uint8_t *)table + at, bytes);
	return v;
}

static struct acpi_gas gas_field(const void *table, size_t length, size_t at)
{
	struct acpi_gas g = { 0 };

	if (at + sizeof(g) <= length)
		memcpy(&g, (const uint8_t *)table + at, sizeof(g));
	return g;
}

enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9
};

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t flags)
{
	/* 255 is the broadcast id of xAPIC, in which mode every CPU starts */
	if (flags & 1 && apic_id < 255 && info->ncpus < ACPI_MAX_CPUS)
		info->apic_id[info->ncpus++] = apic_id;
}

/* MPS INTI flags: polarity 0 as the bus (ISA: high), 1 high, 3 low; trigger 0 as the bus (edge), 1
 * edge, 3 level. */
static void add_override(struct acpi_info *info, unsigned irq, uint32_t gsi, unsigned flags)
{
	if (irq < ACPI_ISA_IRQS)
		info->isa[irq] = (struct acpi_isa_override){
			.gsi = gsi,
			.active_low = (flags & 3) == 3,
			.level = (flags >> 2 & 3) == 3,
			.valid = true,
		};
}

static void read_madt_entry(struct acpi_info *info, const uint8_t *e, size_t len)
{
	switch (e[0]) {
	case MADT_LAPIC:
		add_cpu(info, (uint32_t)field(e, len, 3, 1), (uint32_t)field(e, len, 4, 4));
		break;
	case MADT_X2APIC:
		add_cpu(info, (uint32_t)field(e, len, 4, 4), (uint32_t)field(e, len, 8, 4));
		break;
	case MADT_IOAPIC:
		if (len >= 12 && info->nioapics < ACPI_MAX_IOAPICS)
			info->ioapic[info->nioapics++] = (struct acpi_ioapic){
				(uint32_t)field(e, len, 4, 4),
				(uint32_t)field(e, len, 8, 4),
			};
		break;
	case MADT_OVERRIDE:
		if (len >= 10)
			add_override(info, e[3], (uint32_t)field(e, len, 4, 4),
				     (unsigned)field(e, len, 8, 2));
		break;
	case MADT_LAPIC_ADDRESS:
		if (len >= 12)
			info->lapic_address = field(e, len, 4, 8);
		break;
	default:
		break;
	}
}

void acpi_read_madt(struct acpi_info *info, const struct acpi_header *t)
{
	const uint8_t *p = (const uint8_t *)t;
	size_t at = 44, len;

	info->has_madt = true;
	info->lapic_address = field(t, t->length, 36, 4);
	for (; at + 2 <= t->length; at += len) {
		len = p[at + 1];
		if (len < 2 || at + len > t->length)
			return;
		read_madt_entry(info, p + at, len);
	}
}

static struct acpi_gas io_port(uint64_t port)
{
	return (struct acpi_gas){ .space = ACPI_SPACE_IO, .bits = 16, .address = port };
}

void acpi_read_fadt(struct acpi_info *info, const struct acpi_header *t)
{
	uint32_t flags = (uint32_t)field(t, t->length, 112, 4);
	uint64_t x_dsdt = field(t, t->length, 140, 8);

	info->has_fadt = true;
	info->dsdt = x_dsdt ? x_dsdt : field(t, t->length, 40, 4);
	info->smi_command = (uint32_t)field(t, t->length, 48, 4);
	info->acpi_enable = (uint8_t)field(t, t->length, 52, 1);
	info->pm1a_control = io_port(field(t, t->length, 64, 4));
	info->pm1b_control = io_port(field(t, t->length, 68, 4));
	info->century = (uint8_t)field(t, t->length, 108, 1);
	info->no_rtc = t->revision >= 2 && field(t, t->length, 109, 2) & 1 << 5;
	info->hw_reduced = flags & 1u << 20;
	info->reset_supported = flags & 1u << 10;
	info->reset = gas_field(t, t->length, 116);
	info->reset_value = (uint8_t)field(t, t->length, 128, 1);
	info->sleep_control = gas_field(t, t->length, 244);
	if (gas_field(t, t->length, 172).address)
		info->pm1a_control = gas_field(t, t->length, 172);
	if (gas_field(t, t->length, 184).address)
		info->pm1b_control = gas_field(t, t->length, 184);
}

void acpi_read_hpet(struct acpi_info *info, const struct acpi_header *t)
{
	struct acpi_gas g = gas_field(t, t->length, 40);

	if (g.space == ACPI_SPACE_MEMORY && g.address) {
		info->has_hpet = true;
		info->hpet_address = g.address;
	}
}

/* A constant integer object at *at: ZeroOp, OneOp or BytePrefix. ACPI 20.2.3. */
static bool aml_small_int(const uint8_t *aml, size_t n, size_t *at, uint8_t *out)
{
	if (*at >= n)
		return false;
	if (aml[*at] <= 1) {
		*out = aml[(*at)++];
		return true;
	}
	if (aml[*at] != 0x0a || *at + 1 >= n)
		return false;
	*out = aml[*at + 1];
	*at += 2;
	return true;
}

/* NameOp ["\"] "_S5_" PackageOp PkgLength NumElements a b …  ACPI 20.2.5.4, 7.4.2. */
void acpi_read_s5(struct acpi_info *info, const uint8_t *aml, size_t n)
{
	for (size_t i = 1; i + 8 < n; i++) {
		size_t at = i + 4;
		uint8_t a, b;

		if (aml[i] != '_' || memcmp(aml + i, "_S5_", 4) != 0 || aml[at] != 0x12)
			continue;
		if (aml[i - 1] != 0x08 && aml[i - 1] != '\\')
			continue;
		at += 1 + 1 + (aml[at + 1] >> 6); /* PkgLength: one byte and up to three more */
		at += 1;                          /* NumElements */
		if (!aml_small_int(aml, n, &at, &a) || !aml_small_int(aml, n, &at, &b))
			continue;
		info->has_s5 = true;
		info->s5_a = a & 7;
		info->s5_b = b & 7;
		return;
	}
}

/* Offset of the next "LNRO0005" at or after `at`; n: none. */
static size_t find_virtio_id(const uint8_t *aml, size_t n, size_t at)
{
	static const char id[8] = "LNRO0005";

	for (; at + sizeof(id) <= n; at++)
		if (memcmp(aml + at, id, sizeof(id)) == 0)
			return at;
	return n;
}

static uint32_t word_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void acpi_read_virtio(struct acpi_info *info, const uint8_t *aml, size_t n)
{
	static const uint8_t memory[3] = { 0x86, 9, 0 }, interrupt[3] = { 0x89, 6, 0 };
	size_t at = find_virtio_id(aml, n, 0), end;

	for (; at < n && info->nvirtio < ACPI_MAX_VIRTIO; at = end) {
		size_t mem = 0, irq = 0;

		end = find_virtio_id(aml, n, at + 1);
		for (size_t i = at; i + 9 <= end; i++)
			if (!mem && i + 12 <= end && memcmp(aml + i, memory, sizeof(memory)) == 0)
				mem = i;
			else if (mem && !irq && memcmp(aml + i, interrupt, sizeof(interrupt)) == 0)
				irq = i;
		if (!irq || aml[irq + 4] != 1)
			continue;
		info->virtio[info->nvirtio].address = word_at(aml + mem + 4);
		info->virtio[info->nvirtio].bytes = word_at(aml + mem + 8);
		info->virtio[info->nvirtio++].gsi = word_at(aml + irq + 5);
	}
}
