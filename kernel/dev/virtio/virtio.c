/*
 * The start-up of a device, the same over both transports (3.1.1): reset, acknowledge, driver,
 * features, queues, ready. A device that does not follow is reset, named in the log, and left.
 */

#include "dev/virtio/virtio.h"

#include "abi/errno.h"
#include "core/log.h"

enum {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128,
};

static const struct virtio_driver *const *drivers;
static unsigned ndrivers;

static void add_status(struct virtio_device *d, uint8_t bit)
{
	d->transport->set_status(d, d->transport->get_status(d) | bit);
}

void virtio_offer(struct virtio_device *d)
{
	int err;

	for (unsigned i = 0; i < ndrivers; i++) {
		if (drivers[i]->id != d->id)
			continue;
		d->transport->set_status(d, 0);
		add_status(d, STATUS_ACKNOWLEDGE);
		add_status(d, STATUS_DRIVER);
		if ((err = drivers[i]->probe(d)) == 0)
			return;
		log_warn("%s at %s: error %d, not used", drivers[i]->name, d->where, err);
		d->transport->set_status(d, 0);
		d->transport->set_status(d, STATUS_FAILED);
	}
}

int virtio_negotiate(struct virtio_device *d, uint64_t wanted)
{
	uint64_t offered = d->transport->get_features(d);

	wanted |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_EVENT_IDX;
	d->features = offered & wanted;
	if (!d->legacy && !virtio_has(d, VIRTIO_F_VERSION_1))
		return -ENODEV;
	d->transport->set_features(d, d->features);
	if (d->legacy)
		return 0;
	add_status(d, STATUS_FEATURES_OK);
	return d->transport->get_status(d) & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

void virtio_config_read(struct virtio_device *d, unsigned offset, void *buf, unsigned n)
{
	d->transport->get_config(d, offset, buf, n);
}

void virtio_ready(struct virtio_device *d)
{
	add_status(d, STATUS_DRIVER_OK);
}

void virtio_init(const struct virtio_driver *const *list, unsigned n)
{
	drivers = list;
	ndrivers = n;
	virtio_pci_init();
	virtio_mmio_init();
}
