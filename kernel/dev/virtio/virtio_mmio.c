/*
 * Virtio over MMIO (4.2), version 2 and the older version 1. The devices are named on the command
 * line, as Linux has it: virtio_mmio.device=<size>@<address>:<irq>, any number of times; QEMU's
 * microvm adds these itself. One interrupt line serves a device; lines may be shared.
 */

#include <arch/boot.h>

#include "abi/errno.h"
#include "core/cmdline.h"
#include "core/irq.h"
#include "core/log.h"
#include "dev/virtio/virtio.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "pmm/slab.h"

enum { /* registers, bytes */
       REG_MAGIC = 0x000,
       REG_VERSION = 0x004,
       REG_DEVICE_ID = 0x008,
       REG_DEVICE_FEATURES = 0x010,
       REG_DEVICE_FEATURES_SEL = 0x014,
       REG_DRIVER_FEATURES = 0x020,
       REG_DRIVER_FEATURES_SEL = 0x024,
       REG_GUEST_PAGE_SIZE = 0x028, /* version 1 */
       REG_QUEUE_SEL = 0x030,
       REG_QUEUE_NUM_MAX = 0x034,
       REG_QUEUE_NUM = 0x038,
       REG_QUEUE_ALIGN = 0x03c, /* version 1 */
       REG_QUEUE_PFN = 0x040,   /* version 1 */
       REG_QUEUE_READY = 0x044,
       REG_QUEUE_NOTIFY = 0x050,
       REG_INTERRUPT_STATUS = 0x060,
       REG_INTERRUPT_ACK = 0x064,
       REG_STATUS = 0x070,
       REG_QUEUE_DESC = 0x080,
       REG_QUEUE_DRIVER = 0x090,
       REG_QUEUE_DEVICE = 0x0a0,
       REG_GENERATION = 0x0fc,
       REG_CONFIG = 0x100,

       MAGIC = 0x74726976,
       INTERRUPT_QUEUE = 1,
       INTERRUPT_CONFIG = 2,
       MAX_QUEUES = 16,
};

struct vmmio {
	struct virtio_device device;
	volatile uint8_t *regs;
	unsigned bytes;
	struct virtq *queue[MAX_QUEUES]; /* published by release; never taken away */
};

static uint32_t read_reg(struct virtio_device *d, unsigned reg)
{
	struct vmmio *v = d->bus;

	return *(volatile uint32_t *)(v->regs + reg);
}

static void write_reg(struct virtio_device *d, unsigned reg, uint32_t value)
{
	struct vmmio *v = d->bus;

	*(volatile uint32_t *)(v->regs + reg) = value;
}

static uint64_t get_features(struct virtio_device *d)
{
	uint64_t low;

	write_reg(d, REG_DEVICE_FEATURES_SEL, 0);
	low = read_reg(d, REG_DEVICE_FEATURES);
	write_reg(d, REG_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)read_reg(d, REG_DEVICE_FEATURES) << 32;
}

static void set_features(struct virtio_device *d, uint64_t features)
{
	write_reg(d, REG_DRIVER_FEATURES_SEL, 0);
	write_reg(d, REG_DRIVER_FEATURES, (uint32_t)features);
	write_reg(d, REG_DRIVER_FEATURES_SEL, 1);
	write_reg(d, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
	if (d->legacy)
		write_reg(d, REG_GUEST_PAGE_SIZE, PAGE_SIZE);
}

static uint8_t get_status(struct virtio_device *d)
{
	return (uint8_t)read_reg(d, REG_STATUS);
}

static void set_status(struct virtio_device *d, uint8_t status)
{
	write_reg(d, REG_STATUS, status);
}

static void get_config(struct virtio_device *d, unsigned offset, void *buf, unsigned n)
{
	struct vmmio *v = d->bus;
	uint8_t *to = buf;
	uint32_t generation;

	do {
		generation = d->legacy ? 0 : read_reg(d, REG_GENERATION);
		for (unsigned i = 0; i < n; i++)
			to[i] = REG_CONFIG + offset + i < v->bytes
					? v->regs[REG_CONFIG + offset + i]
					: 0;
	} while (!d->legacy && read_reg(d, REG_GENERATION) != generation);
}

static unsigned queue_size(struct virtio_device *d, unsigned index)
{
	unsigned max;

	if (index >= MAX_QUEUES)
		return 0;
	write_reg(d, REG_QUEUE_SEL, index);
	max = read_reg(d, REG_QUEUE_NUM_MAX);
	/* Version 1 says how many at most, not how many exactly: small rings cost least. */
	return d->legacy ? MIN(max, 256u) : max;
}

static void write_address(struct virtio_device *d, unsigned reg, const void *va)
{
	paddr_t pa = virt_to_phys(va);

	write_reg(d, reg, (uint32_t)pa);
	write_reg(d, reg + 4, (uint32_t)(pa >> 32));
}

static int queue_start(struct virtio_device *d, struct virtq *q)
{
	struct vmmio *v = d->bus;

	write_reg(d, REG_QUEUE_SEL, q->index);
	write_reg(d, REG_QUEUE_NUM, q->size);
	q->notify32 = (volatile uint32_t *)(v->regs + REG_QUEUE_NOTIFY);
	__atomic_store_n(&v->queue[q->index], q, __ATOMIC_RELEASE);
	if (d->legacy) {
		write_reg(d, REG_QUEUE_ALIGN, PAGE_SIZE);
		write_reg(d, REG_QUEUE_PFN, (uint32_t)page_pfn(q->memory));
		return 0;
	}
	write_address(d, REG_QUEUE_DESC, q->desc);
	write_address(d, REG_QUEUE_DRIVER, q->avail);
	write_address(d, REG_QUEUE_DEVICE, q->used);
	write_reg(d, REG_QUEUE_READY, 1);
	return 0;
}

static int config_irq(struct virtio_device *d)
{
	(void)d; /* comes on the one line */
	return 0;
}

static const struct virtio_transport mmio_transport = {
	.get_features = get_features,
	.set_features = set_features,
	.get_status = get_status,
	.set_status = set_status,
	.get_config = get_config,
	.queue_size = queue_size,
	.queue_start = queue_start,
	.config_irq = config_irq,
};

static void call_queues(struct vmmio *v)
{
	for (unsigned i = 0; i < MAX_QUEUES; i++) {
		struct virtq *q = __atomic_load_n(&v->queue[i], __ATOMIC_ACQUIRE);

		if (q && q->callback)
			q->callback(q->ctx);
	}
}

static void interrupt(void *ctx)
{
	struct vmmio *v = ctx;
	uint32_t status;

	/* Until nothing is asserted: the line may be edge-triggered. */
	while ((status = read_reg(&v->device, REG_INTERRUPT_STATUS))) {
		write_reg(&v->device, REG_INTERRUPT_ACK, status);
		if ((status & INTERRUPT_CONFIG) && v->device.config_changed)
			v->device.config_changed(&v->device);
		if (status & INTERRUPT_QUEUE)
			call_queues(v);
	}
}

static void add_device(paddr_t address, uint64_t bytes, unsigned gsi)
{
	struct vmmio *v = kzalloc(sizeof(*v));
	uint32_t version;

	if (!v)
		return;
	v->device = (struct virtio_device){ .transport = &mmio_transport, .bus = v };
	v->bytes = (unsigned)bytes;
	fmt(v->device.where, sizeof(v->device.where), "mmio %lx", (unsigned long)address);
	v->regs = io_map(address, bytes);
	if (!v->regs || read_reg(&v->device, REG_MAGIC) != MAGIC)
		goto out;
	version = read_reg(&v->device, REG_VERSION);
	v->device.id = read_reg(&v->device, REG_DEVICE_ID);
	if (v->device.id == 0 || version < 1 || version > 2)
		goto out; /* an empty slot */
	v->device.legacy = version == 1;
	if (irq_request(gsi, interrupt, v)) {
		log_warn("virtio at %s: no interrupt %u", v->device.where, gsi);
		goto out;
	}
	virtio_offer(&v->device);
	return;
out:
	kfree(v);
}

/* <size>@<address>:<irq>[:<id>]; *s moves behind it. False: not that. */
static bool parse(const char **s, uint64_t *bytes, uint64_t *address, uint64_t *irq)
{
	const char *p;
	uint64_t id;

	if (!str_to_size(*s, &p, bytes) || *p != '@' || !str_to_u64(p + 1, &p, address) ||
	    *p != ':' || !str_to_u64(p + 1, &p, irq))
		return false;
	if (*p == ':' && !str_to_u64(p + 1, &p, &id))
		return false;
	*s = p;
	return *bytes >= REG_CONFIG && *bytes <= 1 << 20 && *irq < 256;
}

void virtio_mmio_init(void)
{
	uint64_t bytes, address, irq;
	char list[1024];
	const char *s = list;
	unsigned gsi;

	for (unsigned i = 0; arch_virtio_mmio(i, &address, &bytes, &gsi); i++)
		add_device(address, bytes, gsi);
	if (!cmdline_get_list("virtio_mmio.device", list, sizeof(list)))
		return;
	do {
		if (!parse(&s, &bytes, &address, &irq)) {
			log_warn("virtio_mmio.device: %s: not <size>@<address>:<irq>", s);
			return;
		}
		add_device(address, bytes, (unsigned)irq);
	} while (*s++ == ',');
}
