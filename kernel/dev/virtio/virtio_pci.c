/*
 * Virtio over PCI (4.1), the interface of 1.0 and later: three or four structures in BARs, found by
 * vendor capabilities. Every queue has a message of its own where there are enough, the rest share
 * the last; the first is for changes of the configuration.
 */

#include <arch/cpu.h>

#include "abi/errno.h"
#include "dev/pci/pci.h"
#include "dev/virtio/virtio.h"
#include "lib/fmt.h"
#include "pmm/page.h"
#include "pmm/slab.h"

enum { VIRTIO_VENDOR = 0x1af4, CAP_VENDOR = 9, NO_VECTOR = 0xffff };
enum { TRANSITIONAL_FIRST = 0x1000, MODERN_FIRST = 0x1040, MODERN_LAST = 0x107f };
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4 };

struct common {
	uint32_t device_feature_select, device_feature;
	uint32_t driver_feature_select, driver_feature;
	uint16_t config_vector, num_queues;
	uint8_t status, generation;
	uint16_t queue_select, queue_size, queue_vector, queue_enable, queue_notify_off;
	uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};
STATIC_ASSERT(sizeof(struct common) == 56);

struct vpci {
	struct virtio_device device;
	struct pci_device *pci;
	volatile struct common *common;
	volatile uint8_t *config;
	uint32_t config_bytes;
	unsigned notify_bar;
	uint32_t notify_offset, notify_bytes, notify_multiplier;
	unsigned next_vector;
};

static struct vpci *vpci_of(struct virtio_device *d)
{
	return d->bus;
}

static uint64_t get_features(struct virtio_device *d)
{
	volatile struct common *c = vpci_of(d)->common;
	uint64_t low;

	c->device_feature_select = 0;
	low = c->device_feature;
	c->device_feature_select = 1;
	return low | (uint64_t)c->device_feature << 32;
}

static void set_features(struct virtio_device *d, uint64_t features)
{
	volatile struct common *c = vpci_of(d)->common;

	c->driver_feature_select = 0;
	c->driver_feature = (uint32_t)features;
	c->driver_feature_select = 1;
	c->driver_feature = (uint32_t)(features >> 32);
}

static uint8_t get_status(struct virtio_device *d)
{
	return vpci_of(d)->common->status;
}

static void set_status(struct virtio_device *d, uint8_t status)
{
	volatile struct common *c = vpci_of(d)->common;

	c->status = status;
	/* A reset is over when the status reads 0 (4.1.4.3.2). */
	while (status == 0 && c->status != 0)
		arch_pause();
}

static void get_config(struct virtio_device *d, unsigned offset, void *buf, unsigned n)
{
	struct vpci *v = vpci_of(d);
	uint8_t *to = buf, generation;

	do {
		generation = v->common->generation;
		for (unsigned i = 0; i < n; i++)
			to[i] = offset + i < v->config_bytes ? v->config[offset + i] : 0;
	} while (v->common->generation != generation);
}

static unsigned queue_size(struct virtio_device *d, unsigned index)
{
	volatile struct common *c = vpci_of(d)->common;

	if (index >= c->num_queues)
		return 0;
	c->queue_select = (uint16_t)index;
	return c->queue_size;
}

static void write_address(volatile uint32_t *reg, const void *va)
{
	paddr_t pa = virt_to_phys(va);

	reg[0] = (uint32_t)pa;
	reg[1] = (uint32_t)(pa >> 32);
}

static void queue_irq(void *ctx)
{
	struct virtq *q = ctx;

	q->callback(q->ctx);
}

static int queue_start(struct virtio_device *d, struct virtq *q)
{
	struct vpci *v = vpci_of(d);
	volatile struct common *c = v->common;
	uint64_t at;
	int err;

	c->queue_select = (uint16_t)q->index;
	at = (uint64_t)c->queue_notify_off * v->notify_multiplier;
	if (at + 2 > v->notify_bytes)
		return -ENODEV;
	q->notify16 = pci_map_bar(v->pci, v->notify_bar, v->notify_offset + at, 2);
	if (!q->notify16)
		return -ENOMEM;
	c->queue_size = (uint16_t)q->size;
	write_address(c->queue_desc, q->desc);
	write_address(c->queue_driver, q->avail);
	write_address(c->queue_device, q->used);
	if (q->callback) {
		if ((err = pci_msix_request(v->pci, v->next_vector, queue_irq, q)))
			return err == -EINVAL ? -ENOSPC : err;
		c->queue_vector = (uint16_t)v->next_vector;
		if (c->queue_vector == NO_VECTOR)
			return -ENOSPC;
		v->next_vector++;
	} else {
		c->queue_vector = NO_VECTOR;
	}
	c->queue_enable = 1;
	return 0;
}

static void config_handler(void *ctx)
{
	struct vpci *v = ctx;

	if (v->device.config_changed)
		v->device.config_changed(&v->device);
}

static int config_irq(struct virtio_device *d)
{
	struct vpci *v = vpci_of(d);
	int err = pci_msix_request(v->pci, 0, config_handler, v);

	if (err)
		return err;
	v->common->config_vector = 0;
	return v->common->config_vector == NO_VECTOR ? -ENOSPC : 0;
}

static const struct virtio_transport pci_transport = {
	.get_features = get_features,
	.set_features = set_features,
	.get_status = get_status,
	.set_status = set_status,
	.get_config = get_config,
	.queue_size = queue_size,
	.queue_start = queue_start,
	.config_irq = config_irq,
};

/* Reads one capability: which structure, and where. */
static void read_capability(struct vpci *v, unsigned cap)
{
	struct pci_device *p = v->pci;
	unsigned bar = pci_read8(p, cap + 4);
	uint32_t offset = pci_read32(p, cap + 8), bytes = pci_read32(p, cap + 12);

	switch (pci_read8(p, cap + 3)) {
	case CFG_COMMON:
		if (!v->common && bytes >= sizeof(struct common))
			v->common = pci_map_bar(p, bar, offset, sizeof(struct common));
		break;
	case CFG_NOTIFY:
		v->notify_bar = bar;
		v->notify_offset = offset;
		v->notify_bytes = bytes;
		v->notify_multiplier = pci_read32(p, cap + 16);
		break;
	case CFG_DEVICE:
		if (!v->config && (v->config = pci_map_bar(p, bar, offset, bytes)) != NULL)
			v->config_bytes = bytes;
		break;
	default:
		break;
	}
}

static uint32_t device_id(const struct pci_device *p)
{
	return p->device >= MODERN_FIRST ? p->device - MODERN_FIRST : p->subdevice;
}

static int probe(struct pci_device *p)
{
	struct vpci *v = kzalloc(sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->pci = p;
	pci_enable(p);
	for (unsigned cap = 0; (cap = pci_find_capability(p, CAP_VENDOR, cap));)
		read_capability(v, cap);
	err = v->common && v->notify_bytes ? pci_msix_enable(p) : -ENODEV;
	if (err) { /* what is mapped stays mapped: it is no memory */
		kfree(v);
		return err;
	}
	v->next_vector = 1;
	v->device =
		(struct virtio_device){ .transport = &pci_transport, .bus = v, .id = device_id(p) };
	fmt(v->device.where, sizeof(v->device.where), "pci 00:%02x:%02x.%u", p->bus, p->slot,
	    p->function);
	fmt(v->device.bus_name, sizeof(v->device.bus_name), "0000:%02x:%02x.%u", p->bus, p->slot,
	    p->function);
	virtio_offer(&v->device);
	return 0;
}

static const struct pci_driver driver = {
	.name = "virtio-pci",
	.vendor = VIRTIO_VENDOR,
	.device_first = TRANSITIONAL_FIRST,
	.device_last = MODERN_LAST,
	.probe = probe,
};

void virtio_pci_init(void)
{
	pci_register_driver(&driver);
}
