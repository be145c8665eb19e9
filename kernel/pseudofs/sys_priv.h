#pragma once

/* Between the files of sysfs. */

#include "pseudofs/procfs_priv.h"

int sys_node_meminfo_show(struct pinode *i, struct textbuf *t); /* proc_meminfo.c */

/* sys_net.c */
extern const struct pnode sys_virtual_nodes[]; /* /sys/devices/virtual */
extern const struct pnode sys_class_nodes[];   /* /sys/class */
extern const struct pnode sys_virtio_net_dir; /* …/virtioN/net; the subject is the PCI function */
int sys_netdev_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		    struct psubject *s);
bool sys_netdev_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		     const struct pnode **node);

/* sys_pci.c: children of /sys/devices that come and go, and /sys/bus */
int sys_pci_root_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		      struct psubject *s);
bool sys_pci_root_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		       const struct pnode **node);
extern const struct pnode sys_bus_nodes[];

/* A mask of CPUs as sysfs writes one: as many digits as there are CPUs for, in groups of 32 bits.
 */
int sys_mask_show(struct textbuf *t, uint64_t mask);

/* sys_cache.c: below a CPU's directory. */
int sys_cache_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		   struct psubject *s);
bool sys_cache_next(struct pinode *dir, uint64_t *key, char *name, size_t size,
		    const struct pnode **node);

/* sys_chardev.c: directories of character devices, or of links to them. */
enum sys_place { SYS_MEM, SYS_TTY, SYS_SERIAL, SYS_RTC };
#define SYS_AT(place) (1ull << (place))
#define SYS_BY_NUMBER (1ull << 63) /* entries are called MAJOR:MINOR */
int sys_chardev_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s);
bool sys_chardev_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		      const struct pnode **node);
extern const struct pnode sys_chardev_dir, sys_chardev_link;
/* A row of a table: a directory `n` of what is at `where` (SYS_AT, or'ed). */
#define SYS_CHARDEVS(n, where, entry)                                        \
	{                                                                    \
		.name = n, .mode = S_IFDIR | 0755, .find = sys_chardev_find, \
		.list = sys_chardev_list, .arg = where, .ptr = &(entry)      \
	}
