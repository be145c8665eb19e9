#pragma once

/* The virtio network card. See virtio_net.c. */

struct virtio_driver;
extern const struct virtio_driver virtio_net_driver;
