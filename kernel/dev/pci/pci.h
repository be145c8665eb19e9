#pragma once

/*
 * PCI functions: found once at boot, offered to drivers by vendor and device number.
 *   source       PCI Local Bus 3.0 (chapter 6, MSI-X 6.8.2), PCI-to-PCI Bridge 1.2
 */

#include "core/irq.h"
#include "lib/types.h"

enum { PCI_NBARS = 6 };

struct pci_device {
	uint8_t bus, slot, function;
	uint16_t vendor, device;
	uint16_t subvendor, subdevice;
	uint32_t class_code; /* base class, subclass, interface: 24 bits */
	uint8_t revision;
	struct {
		paddr_t address; /* 0: absent, or in I/O space */
		uint64_t size;
	} bar[PCI_NBARS];
	volatile uint32_t *msix_table; /* NULL until pci_msix_enable() */
	unsigned msix_count;           /* vectors of the table; 0: the device has no MSI-X */
	const struct pci_driver *driver;
};

/* A driver's row: probe() returns 0 when it has taken the device; -ENODEV otherwise. It runs in the
 * boot thread and may sleep. */
struct pci_driver {
	const char *name;
	uint16_t vendor;
	uint16_t device_first, device_last;
	int (*probe)(struct pci_device *d);
};

/* Boot, once, after arch_devices_init(): finds the functions. */
void pci_init(void);

/* Offers every device that nobody has taken to dr. Boot. */
void pci_register_driver(const struct pci_driver *dr);

/* For /sys and /proc/bus/pci: the nth device found, or NULL. Immutable after boot. */
const struct pci_device *pci_find_nth(unsigned n);

/* Configuration space, little-endian words at their natural alignment; offsets 0 … 255. */
uint8_t pci_read8(const struct pci_device *d, unsigned offset);
uint16_t pci_read16(const struct pci_device *d, unsigned offset);
uint32_t pci_read32(const struct pci_device *d, unsigned offset);
void pci_write16(const struct pci_device *d, unsigned offset, uint16_t v);
void pci_write32(const struct pci_device *d, unsigned offset, uint32_t v);

/* The offset of the next capability of this kind behind `after` (0: the first); 0: none. The list
 * is the device's: a circular one ends. */
unsigned pci_find_capability(const struct pci_device *d, uint8_t id, unsigned after);

/* Memory decoding and bus mastering on. */
void pci_enable(const struct pci_device *d);

/* [offset, offset+bytes) of a memory BAR, mapped for ever; NULL: no such BAR, out of it, no
 * memory. */
MUST_CHECK volatile void *pci_map_bar(const struct pci_device *d, unsigned bar, uint64_t offset,
				      size_t bytes);

/* Maps the vector table, masks every vector and switches the device to MSI-X. -ENODEV it has none;
 * -ENOMEM. */
MUST_CHECK int pci_msix_enable(struct pci_device *d);

/* Vector n of the table calls handler(ctx) in an interrupt. -EINVAL no such vector; -ENOSPC. */
MUST_CHECK int pci_msix_request(struct pci_device *d, unsigned n, irq_handler_t *handler,
				void *ctx);
