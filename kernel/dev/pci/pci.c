/*
 * Configuration space by mechanism 1 (ports 0xCF8 and 0xCFC), which reaches every function that the
 * machines we run on have; a machine without it answers all ones. Buses behind bridges are
 * numbered by the firmware, which also gives BARs their addresses: a BAR that got none is absent.
 *
 * Interrupts are messages only (MSI-X). Wired ones would need AML to be routed.
 */

#include "dev/pci/pci.h"

#include <arch/io.h>

#include "abi/errno.h"
#include "core/cmdline.h"
#include "core/log.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "pmm/kva.h"

enum {
	CONFIG_ADDRESS = 0xcf8,
	CONFIG_DATA = 0xcfc,
	CONFIG_ENABLE = 1u << 31,
	MAX_DEVICES = 64,
	MAX_DEPTH = 8, /* bridges in a row */
	NSLOTS = 32,
	NFUNCTIONS = 8,
};

enum { /* configuration header */
       REG_VENDOR = 0,
       REG_DEVICE = 2,
       REG_COMMAND = 4,
       REG_STATUS = 6,
       REG_REVISION = 8,
       REG_HEADER_TYPE = 14,
       REG_BAR0 = 0x10,
       REG_SECONDARY_BUS = 0x19,
       REG_SUBVENDOR = 0x2c,
       REG_SUBDEVICE = 0x2e,
       REG_CAPABILITIES = 0x34,

       COMMAND_IO = 1,
       COMMAND_MEMORY = 2,
       COMMAND_MASTER = 4,
       COMMAND_NO_INTX = 0x400,
       STATUS_CAPABILITIES = 0x10,
       HEADER_MULTIFUNCTION = 0x80,
       HEADER_BRIDGE = 1,
       BAR_IO = 1,
       BAR_64 = 4,
       CAP_MSIX = 0x11,
       MSIX_ENABLE = 0x8000,
       MSIX_ENTRY_WORDS = 4,
};

static struct pci_device devices[MAX_DEVICES];
static unsigned ndevices;
static struct spinlock config_lock = SPINLOCK(PCI);

#if ARCH_HAS_PORTS

static uint32_t config(const struct pci_device *d, unsigned offset, bool write, uint32_t v)
{
	uint32_t address = CONFIG_ENABLE | (uint32_t)d->bus << 16 | (uint32_t)d->slot << 11 |
			   (uint32_t)d->function << 8 | (offset & 0xfc);
	irqstate_t s = spin_lock_irq(&config_lock);

	arch_outl(CONFIG_ADDRESS, address);
	if (write)
		arch_outl(CONFIG_DATA, v);
	else
		v = arch_inl(CONFIG_DATA);
	spin_unlock_irq(&config_lock, s);
	return v;
}

#else

static uint32_t config(const struct pci_device *d, unsigned offset, bool write, uint32_t v)
{
	(void)d, (void)offset, (void)write, (void)v;
	return UINT32_MAX;
}

#endif

uint32_t pci_read32(const struct pci_device *d, unsigned offset)
{
	return config(d, offset, false, 0);
}

uint16_t pci_read16(const struct pci_device *d, unsigned offset)
{
	return (uint16_t)(pci_read32(d, offset) >> (offset & 2) * 8);
}

uint8_t pci_read8(const struct pci_device *d, unsigned offset)
{
	return (uint8_t)(pci_read32(d, offset) >> (offset & 3) * 8);
}

void pci_write32(const struct pci_device *d, unsigned offset, uint32_t v)
{
	(void)config(d, offset, true, v);
}

/* The other half of the word is written back as it is: never for a half that clears bits by ones
 * (status beside command is such, so there zeroes go). */
void pci_write16(const struct pci_device *d, unsigned offset, uint16_t v)
{
	unsigned shift = (offset & 2) * 8;
	uint32_t rest = (offset & ~3u) == REG_COMMAND ? 0 : pci_read32(d, offset);

	pci_write32(d, offset, (rest & ~(0xffffu << shift)) | (uint32_t)v << shift);
}

unsigned pci_find_capability(const struct pci_device *d, uint8_t id, unsigned after)
{
	unsigned at;

	if (!(pci_read16(d, REG_STATUS) & STATUS_CAPABILITIES))
		return 0;
	at = pci_read8(d, after ? after + 1 : REG_CAPABILITIES) & 0xfcu;
	for (unsigned n = 0; at >= 0x40 && n < 48; n++) {
		if (pci_read8(d, at) == id)
			return at;
		at = pci_read8(d, at + 1) & 0xfcu;
	}
	return 0;
}

void pci_enable(const struct pci_device *d)
{
	uint16_t command = pci_read16(d, REG_COMMAND);

	pci_write16(d, REG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
}

volatile void *pci_map_bar(const struct pci_device *d, unsigned bar, uint64_t offset, size_t bytes)
{
	if (bar >= PCI_NBARS || !d->bar[bar].address || offset > d->bar[bar].size ||
	    bytes > d->bar[bar].size - offset)
		return NULL;
	return io_map(d->bar[bar].address + offset, bytes);
}

/* --- MSI-X --- */

int pci_msix_enable(struct pci_device *d)
{
	unsigned cap = pci_find_capability(d, CAP_MSIX, 0);
	uint16_t control;
	uint32_t where;

	if (!cap)
		return -ENODEV;
	control = pci_read16(d, cap + 2);
	where = pci_read32(d, cap + 4);
	d->msix_count = (control & 0x7ffu) + 1;
	d->msix_table = pci_map_bar(d, where & 7, where & ~7u, d->msix_count * 16ul);
	if (!d->msix_table) {
		d->msix_count = 0;
		return -ENOMEM;
	}
	for (unsigned i = 0; i < d->msix_count; i++)
		d->msix_table[i * MSIX_ENTRY_WORDS + 3] = 1; /* masked */
	pci_write16(d, cap + 2, control | MSIX_ENABLE);
	return 0;
}

int pci_msix_request(struct pci_device *d, unsigned n, irq_handler_t *handler, void *ctx)
{
	volatile uint32_t *entry = d->msix_table + (size_t)n * MSIX_ENTRY_WORDS;
	uint64_t address;
	uint32_t data;
	int err;

	if (n >= d->msix_count)
		return -EINVAL;
	if ((err = irq_request_msi(handler, ctx, &address, &data)))
		return err;
	entry[0] = (uint32_t)address;
	entry[1] = (uint32_t)(address >> 32);
	entry[2] = data;
	entry[3] = 0;
	return 0;
}

/* --- finding --- */

/* Sizes one BAR by writing ones, with decoding off; returns how many registers it takes. */
static unsigned read_bar(struct pci_device *d, unsigned n)
{
	unsigned reg = REG_BAR0 + 4 * n;
	uint32_t low = pci_read32(d, reg), high = 0;
	bool wide = !(low & BAR_IO) && (low & 6) == BAR_64 && n + 1 < PCI_NBARS;
	uint64_t mask;

	if (low & BAR_IO)
		return 1;
	pci_write32(d, reg, UINT32_MAX);
	mask = pci_read32(d, reg) & ~0xfu;
	pci_write32(d, reg, low);
	if (wide) {
		high = pci_read32(d, reg + 4);
		pci_write32(d, reg + 4, UINT32_MAX);
		mask |= (uint64_t)pci_read32(d, reg + 4) << 32;
		pci_write32(d, reg + 4, high);
	} else if (mask) {
		mask |= 0xffffffffull << 32;
	}
	d->bar[n].address = (uint64_t)high << 32 | (low & ~0xfu);
	d->bar[n].size = mask ? -mask : 0;
	return wide ? 2 : 1;
}

static void read_bars(struct pci_device *d)
{
	uint16_t command = pci_read16(d, REG_COMMAND);

	pci_write16(d, REG_COMMAND, command & ~(COMMAND_IO | COMMAND_MEMORY));
	for (unsigned n = 0; n < PCI_NBARS;)
		n += read_bar(d, n);
	pci_write16(d, REG_COMMAND, command);
}

static void scan_bus(unsigned bus, unsigned depth);

static void add_function(const struct pci_device *probe, unsigned depth)
{
	unsigned type = pci_read8(probe, REG_HEADER_TYPE) & ~HEADER_MULTIFUNCTION, secondary;
	struct pci_device *d;

	if (type == HEADER_BRIDGE) {
		secondary = pci_read8(probe, REG_SECONDARY_BUS);
		if (secondary > probe->bus && depth < MAX_DEPTH)
			scan_bus(secondary, depth + 1);
	}
	if (ndevices == MAX_DEVICES)
		return;
	d = &devices[ndevices++];
	*d = *probe;
	d->device = pci_read16(d, REG_DEVICE);
	d->class_code = pci_read32(d, REG_REVISION) >> 8;
	d->revision = pci_read8(d, REG_REVISION);
	if (type != 0)
		return;
	d->subvendor = pci_read16(d, REG_SUBVENDOR);
	d->subdevice = pci_read16(d, REG_SUBDEVICE);
	read_bars(d);
}

static void scan_bus(unsigned bus, unsigned depth)
{
	for (unsigned slot = 0; slot < NSLOTS; slot++) {
		for (unsigned f = 0; f < NFUNCTIONS; f++) {
			struct pci_device probe = { .bus = (uint8_t)bus,
						    .slot = (uint8_t)slot,
						    .function = (uint8_t)f };

			probe.vendor = pci_read16(&probe, REG_VENDOR);
			if (probe.vendor != 0xffff)
				add_function(&probe, depth);
			if (f == 0 &&
			    (probe.vendor == 0xffff ||
			     !(pci_read8(&probe, REG_HEADER_TYPE) & HEADER_MULTIFUNCTION)))
				break;
		}
	}
}

void pci_init(void)
{
	const char *option = cmdline_get("pci");

	if (option && strcmp(option, "off") == 0)
		return;
	scan_bus(0, 0);
	if (ndevices == MAX_DEVICES)
		log_warn("pci: more than %u functions; the rest is not looked at", MAX_DEVICES);
}

const struct pci_device *pci_find_nth(unsigned n)
{
	return n < ndevices ? &devices[n] : NULL;
}

void pci_register_driver(const struct pci_driver *dr)
{
	for (struct pci_device *d = devices; d < devices + ndevices; d++)
		if (!d->driver && d->vendor == dr->vendor && d->device >= dr->device_first &&
		    d->device <= dr->device_last && dr->probe(d) == 0)
			d->driver = dr;
}
