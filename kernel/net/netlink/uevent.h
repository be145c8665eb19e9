#pragma once

/*
 * NETLINK_KOBJECT_UEVENT: what happens to devices, told to those who listen (udev, mdev); and where
 * a network device is below /sys, which such an event names.
 */

#include "lib/types.h"

struct netdev;
struct pci_device;

enum { UEVENT_PATH = 128 };

void uevent_init(void); /* boot, after netlink_init(), before devices */

/*
 * Tells `ACTION@DEVPATH` with ACTION, DEVPATH, SUBSYSTEM, and `more`, which is n bytes of
 * NUL-terminated NAME=VALUE strings; SEQNUM comes last. path: below /sys, beginning with '/'.
 *   context      threads; may sleep
 */
void uevent_send(const char *action, const char *path, const char *subsystem, const char *more,
		 size_t n);

/*
 * A write to a device's `uevent` file: "ACTION [UUID [NAME=VALUE …]]".
 *   returns      0; -EINVAL no such action, or a wrong word
 */
MUST_CHECK int uevent_synthesize(const char *text, const char *path, const char *subsystem,
				 const char *more, size_t n);

/* Where d is, below /sys: "/devices/virtual/net/lo". */
void netdev_sysfs_path(const struct netdev *d, char path[UEVENT_PATH]);
/* The number of the PCI function that d belongs to (pci_find_nth), or -1; and of a virtio device
 * behind PCI function n its number in "virtio0", or -1. */
int netdev_pci_number(const struct netdev *d);
int pci_virtio_number(unsigned n);
/* "0000:00:03.0" */
void pci_name(const struct pci_device *p, char name[16]);
