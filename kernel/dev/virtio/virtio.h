#pragma once

/*
 * Virtio devices over PCI and MMIO, and their split queues.
 *   source       Virtual I/O Device (VIRTIO) 1.2, chapters 2 (queues), 3 (start-up), 4 (transports)
 *
 * A driver is a row with a device number and probe(). probe() negotiates features, sets its queues
 * up and says virtio_ready(). Queues are their driver's: calls for one queue are serialised by it;
 * its callback comes in an interrupt.
 */

#include "lib/types.h"

enum virtio_id { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_RNG = 4 };

/* Feature bits of every device, and of rings. */
enum {
	VIRTIO_F_RING_INDIRECT_DESC = 28,
	VIRTIO_F_RING_EVENT_IDX = 29,
	VIRTIO_F_VERSION_1 = 32,
};

struct virtq;
struct virtio_device;
typedef void virtq_callback_t(void *ctx);

/* What the two transports provide. All but notify are for the boot thread. */
struct virtio_transport {
	uint64_t (*get_features)(struct virtio_device *d);
	void (*set_features)(struct virtio_device *d, uint64_t features);
	uint8_t (*get_status)(struct virtio_device *d);
	void (*set_status)(struct virtio_device *d, uint8_t status); /* 0 resets */
	void (*get_config)(struct virtio_device *d, unsigned offset, void *buf, unsigned n);
	unsigned (*queue_size)(struct virtio_device *d, unsigned index); /* 0: no such queue */
	int (*queue_start)(struct virtio_device *d, struct virtq *q);
	/* An interrupt for changes of the configuration. */
	int (*config_irq)(struct virtio_device *d);
};

struct virtio_device {
	const struct virtio_transport *transport;
	void *bus; /* the transport's */
	uint32_t id;
	uint64_t features; /* negotiated */
	bool legacy;       /* a transport of before 1.0: other layout of queues and headers */
	void (*config_changed)(struct virtio_device *d); /* interrupt; may be NULL */
	void *driver;                                    /* the driver's */
	char where[32];                                  /* for the log */
	char bus_name[16]; /* "0000:00:03.0", for programs; MMIO: empty */
};

struct virtio_driver {
	const char *name;
	uint32_t id;
	int (*probe)(struct virtio_device *d); /* 0, or -errno: said in the log, device reset */
};

/* Boot: finds the devices behind both transports. */
void virtio_init(const struct virtio_driver *const *drivers, unsigned n);
void virtio_pci_init(void);
void virtio_mmio_init(void);
/* By the transports: offers d to its driver. */
void virtio_offer(struct virtio_device *d);

/*
 * Accepts what both sides want. Once, first in probe().
 *   wanted       feature bits the driver can use; VERSION_1 and the ring features are added
 *   returns      0; -ENODEV the device does not take the set
 */
MUST_CHECK int virtio_negotiate(struct virtio_device *d, uint64_t wanted);

static inline bool virtio_has(const struct virtio_device *d, unsigned bit)
{
	return d->features >> bit & 1;
}

/* Little-endian fields of the device's configuration. */
void virtio_config_read(struct virtio_device *d, unsigned offset, void *buf, unsigned n);

/* Queues may be used, the driver is complete. */
void virtio_ready(struct virtio_device *d);

/* --- split queues --- */

struct virtq_segment {
	paddr_t address;
	uint32_t bytes;
};

struct virtq_desc {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

struct virtq_used_element {
	uint32_t id, bytes;
};

/* What the device cannot write to: what it is told in descriptors is not read back. */
struct virtq_chain {
	void *token;   /* of a chain that begins here; NULL: none does */
	uint16_t next; /* descriptor of the chain, or of the free ones */
	uint16_t n;    /* of a chain that begins here: its descriptors */
};

struct virtq {
	struct virtio_device *device;
	unsigned index, size; /* size: a power of two */
	bool event_idx;
	uint16_t free_head, nfree;
	uint16_t avail_next; /* our index of the available ring */
	uint16_t kicked;     /* avail_next at the last look whether to notify */
	uint16_t used_next;  /* the next used element to take */
	struct virtq_desc *desc;
	struct {
		uint16_t flags, index;
		uint16_t ring[];
	} * avail;
	struct {
		uint16_t flags, index;
		struct virtq_used_element ring[];
	} * used;
	uint16_t *used_event;      /* ours: behind the available ring */
	uint16_t *avail_event;     /* the device's: behind the used ring */
	struct virtq_chain *chain; /* by descriptor */
	struct page *memory;
	unsigned order;
	volatile uint16_t *notify16; /* where notifications go; one of the two */
	volatile uint32_t *notify32;
	virtq_callback_t *callback;
	void *ctx;
};

/*
 * Makes queue `index` with callback(ctx), called in an interrupt when buffers were used.
 *   max          descriptors wanted at most; rounded to what the device can
 *   returns      0; -ENODEV no such queue; -ENOMEM; -ENOSPC no interrupt vector
 */
MUST_CHECK int virtq_start(struct virtq *q, struct virtio_device *d, unsigned index, unsigned max,
			   virtq_callback_t *callback, void *ctx);

/*
 * Offers a chain of n segments: the first nread are read by the device, the others written. token,
 * not NULL, comes back by virtq_take(). False: too few descriptors.
 */
MUST_CHECK bool virtq_add(struct virtq *q, const struct virtq_segment *s, unsigned nread,
			  unsigned n, void *token);

/* Tells the device about what was added, unless it does not want to know. */
void virtq_kick(struct virtq *q);

/* A used chain's token and the bytes written to it; NULL: none. */
void *virtq_take(struct virtq *q, uint32_t *bytes);

/* Callbacks off (a hint; late ones still come), and on: false when there is something to take. */
void virtq_disable(struct virtq *q);
MUST_CHECK bool virtq_enable(struct virtq *q);
/* As virtq_enable, but only once most of what is in flight has been used: for sent packets. */
MUST_CHECK bool virtq_enable_delayed(struct virtq *q);
