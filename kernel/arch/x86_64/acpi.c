/*
 * Finds the ACPI tables: the RSDP from the loader, or in the BIOS areas; then RSDT or XSDT and the
 * four tables that matter here. Read once; the tables are mapped through the port's window and stay
 * mapped, which PCI drivers may need (MCFG). No AML is executed. A machine without ACPI may have an
 * MP table instead.
 */

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/mptable.h"
#include "arch/x86_64/x86_priv.h"
#include "core/log.h"
#include "lib/string.h"

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	/* revision 2 */
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} PACKED;

enum { RSDP_V1_SIZE = 20, TABLE_MAX = 1 << 20 };

static struct acpi_info info;

const struct acpi_info *acpi(void)
{
	return &info;
}

/* Readable bytes of the firmware: the first MiB is in the direct map, the rest goes through the
 * window. */
static const void *firmware(paddr_t pa, size_t n)
{
	if (pa + n <= HUGE_SIZE)
		return phys_to_virt(pa);
	return window_map(pa, n, PTE_READ);
}

/* A whole table with a good checksum, or NULL. */
static const struct acpi_header *table_map(paddr_t pa)
{
	const struct acpi_header *h = pa ? firmware(pa, sizeof(*h)) : NULL;
	size_t n;

	if (!h || (n = h->length) < sizeof(*h) || n > TABLE_MAX)
		return NULL;
	/* most tables end in the page they begin in */
	if (pa + n > HUGE_SIZE &&
	    (pa & PAGE_MASK) + n > page_round_up((pa & PAGE_MASK) + sizeof(*h)))
		h = firmware(pa, n);
	return h && acpi_checksum_ok(h, n) ? h : NULL;
}

static bool rsdp_ok(const struct rsdp *r)
{
	return r && memcmp(r->signature, "RSD PTR ", 8) == 0 && acpi_checksum_ok(r, RSDP_V1_SIZE);
}

static const struct rsdp *rsdp_scan(paddr_t from, paddr_t to)
{
	for (; from < to; from += 16)
		if (rsdp_ok(phys_to_virt(from)))
			return phys_to_virt(from);
	return NULL;
}

/* ACPI 5.2.5.1: the first KiB of the EBDA, whose segment is at 40:0E, or the BIOS read-only area.
 */
static const struct rsdp *rsdp_find(void)
{
	const struct rsdp *r = boot_rsdp ? firmware(boot_rsdp, sizeof(*r)) : NULL;
	uint16_t segment;
	paddr_t ebda;

	if (rsdp_ok(r))
		return r;
	memcpy(&segment, phys_to_virt(0x40e), sizeof(segment));
	ebda = (paddr_t)segment << 4;
	if (ebda >= 0x80000 && ebda < 0xa0000 && (r = rsdp_scan(ebda, ebda + 1024)))
		return r;
	return rsdp_scan(0xe0000, 0x100000);
}

static void read_table(const struct acpi_header *t)
{
	if (memcmp(t->signature, "APIC", 4) == 0)
		acpi_read_madt(&info, t);
	else if (memcmp(t->signature, "FACP", 4) == 0)
		acpi_read_fadt(&info, t);
	else if (memcmp(t->signature, "HPET", 4) == 0)
		acpi_read_hpet(&info, t);
}

static void read_root(const struct acpi_header *root, size_t entry_size)
{
	size_t n = (root->length - sizeof(*root)) / entry_size;
	const uint8_t *p = (const uint8_t *)(root + 1);

	for (size_t i = 0; i < n; i++) {
		const struct acpi_header *t;
		uint64_t pa = 0;

		memcpy(&pa, p + i * entry_size, entry_size);
		if ((t = table_map(pa)))
			read_table(t);
	}
}

/* MP specification 4: the EBDA's first KiB, the last KiB of base memory, the BIOS read-only area.
 */
static void mptable_init(void)
{
	static const struct {
		paddr_t from, to;
	} areas[] = { { 0x9fc00, 0xa0000 }, { 0xf0000, 0x100000 } };

	for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
		paddr_t pa = mptable_find(phys_to_virt(areas[i].from), areas[i].to - areas[i].from);

		if (pa && pa < HUGE_SIZE && mptable_read(&info, phys_to_virt(pa), HUGE_SIZE - pa))
			return;
	}
}

static void tables_init(const struct rsdp *r)
{
	const struct acpi_header *root = NULL, *dsdt;
	bool xsdt;

	xsdt = r->revision >= 2 && r->xsdt;
	if (xsdt)
		root = table_map(r->xsdt);
	if (!root) {
		xsdt = false;
		root = table_map(r->rsdt);
	}
	if (!root) {
		log_warn("ACPI: no valid root table");
		return;
	}
	read_root(root, xsdt ? 8 : 4);
	if (!info.has_fadt || !(dsdt = table_map(info.dsdt)))
		return;
	acpi_read_s5(&info, (const uint8_t *)(dsdt + 1), dsdt->length - sizeof(*dsdt));
	if (info.hw_reduced)
		acpi_read_virtio(&info, (const uint8_t *)(dsdt + 1), dsdt->length - sizeof(*dsdt));
}

bool arch_virtio_mmio(unsigned n, paddr_t *address, uint64_t *bytes, unsigned *gsi)
{
	if (n >= info.nvirtio)
		return false;
	*address = info.virtio[n].address;
	*bytes = info.virtio[n].bytes;
	*gsi = info.virtio[n].gsi;
	return true;
}

void acpi_init(void)
{
	static bool done;
	const struct rsdp *r;

	if (done)
		return;
	done = true;
	if ((r = rsdp_find()))
		tables_init(r);
	if (!info.has_madt)
		mptable_init();
}
