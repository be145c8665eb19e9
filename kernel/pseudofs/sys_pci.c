/*
 * PCI functions, and the virtio devices behind them, below /sys/devices and /sys/bus. A node's
 * number is the function's (pci_find_nth). Source: sysfs(5), PCI 3.0 chapter 6; lspci(8) reads
 * these.
 */

#include "abi/errno.h"
#include "dev/pci/pci.h"
#include "lib/string.h"
#include "net/netlink/uevent.h"
#include "pmm/slab.h"
#include "pseudofs/sys_priv.h"
#include "vm/uio.h"

static const struct pci_device *function(const struct pinode *i)
{
	return pci_find_nth((unsigned)i->subject.number);
}

enum pci_attr { VENDOR, DEVICE, SUBVENDOR, SUBDEVICE, CLASS, REVISION, MODALIAS, PCI_UEVENT };

static void modalias(struct textbuf *t, const struct pci_device *p)
{
	text_f(t, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", p->vendor, p->device,
	       p->subvendor, p->subdevice, p->class_code >> 16, p->class_code >> 8 & 0xff,
	       p->class_code & 0xff);
}

static void pci_uevent(struct textbuf *t, const struct pci_device *p)
{
	char name[16];

	pci_name(p, name);
	if (p->driver)
		text_f(t, "DRIVER=%s\n", p->driver->name);
	text_f(t, "PCI_CLASS=%05X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\n", p->class_code,
	       p->vendor, p->device, p->subvendor, p->subdevice);
	text_f(t, "PCI_SLOT_NAME=%s\nMODALIAS=", name);
	modalias(t, p);
}

static int pci_show(struct pinode *i, struct textbuf *t)
{
	const struct pci_device *p = function(i);

	switch (i->node->arg) {
	case VENDOR:
		text_f(t, "0x%04x\n", p->vendor);
		break;
	case DEVICE:
		text_f(t, "0x%04x\n", p->device);
		break;
	case SUBVENDOR:
		text_f(t, "0x%04x\n", p->subvendor);
		break;
	case SUBDEVICE:
		text_f(t, "0x%04x\n", p->subdevice);
		break;
	case CLASS:
		text_f(t, "0x%06x\n", p->class_code);
		break;
	case REVISION:
		text_f(t, "0x%02x\n", p->revision);
		break;
	case MODALIAS:
		modalias(t, p);
		break;
	default:
		pci_uevent(t, p);
	}
	return 0;
}

/* The bytes of configuration space; without privilege, of the standard header. */
static int config_show(struct pinode *i, struct textbuf *t)
{
	const struct pci_device *p = function(i);
	unsigned n = capable(CAP_SYS_ADMIN) ? 256 : 64;

	for (unsigned k = 0; k < n; k++)
		text_c(t, (char)pci_read8(p, k));
	return 0;
}

/* Lines of first address, last address, flags: ours are of memory. */
static int resource_show(struct pinode *i, struct textbuf *t)
{
	const struct pci_device *p = function(i);

	for (unsigned k = 0; k < 13; k++) {
		bool has = k < PCI_NBARS && p->bar[k].address;
		uint64_t first = has ? p->bar[k].address : 0;

		text_f(t, "0x%016lx 0x%016lx 0x%016lx\n", (unsigned long)first,
		       (unsigned long)(has ? first + p->bar[k].size - 1 : 0), has ? 0x200ul : 0ul);
	}
	return 0;
}

static int to_text(const char **text, char **to_free, const char *s)
{
	if ((*to_free = kstrdup(s)) == NULL)
		return -ENOMEM;
	*text = *to_free;
	return 0;
}

static int fixed_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	(void)to_free, (void)jump;
	*text = i->node->ptr;
	return 0;
}

/* --- virtio --- */

static unsigned virtio_id(const struct pci_device *p)
{
	/* Virtio 1.2 4.1.2.1: transitional devices have theirs in the subsystem. */
	return p->device >= 0x1040 ? p->device - 0x1040u : p->subdevice;
}

enum virtio_attr { V_DEVICE, V_VENDOR, V_MODALIAS, V_UEVENT };

static int virtio_show(struct pinode *i, struct textbuf *t)
{
	const struct pci_device *p = function(i);
	unsigned id = virtio_id(p);

	switch (i->node->arg) {
	case V_DEVICE:
		text_f(t, "0x%04x\n", id);
		break;
	case V_VENDOR:
		text_f(t, "0x%04x\n", p->subvendor);
		break;
	case V_MODALIAS:
		text_f(t, "virtio:d%08Xv%08X\n", id, p->subvendor);
		break;
	default:
		if (id == 1)
			text_f(t, "DRIVER=virtio_net\n");
		text_f(t, "MODALIAS=virtio:d%08Xv%08X\n", id, p->subvendor);
	}
	return 0;
}

#define VATTR(n, a)                                                                          \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0444, .show = virtio_show, .arg = (uint64_t)(a) \
	}
#define LINK(n, target)                                                              \
	{                                                                            \
		.name = n, .mode = S_IFLNK | 0777, .link = fixed_link, .ptr = target \
	}
static const struct pnode virtio_nodes[] = {
	VATTR("device", V_DEVICE),     VATTR("vendor", V_VENDOR),
	VATTR("modalias", V_MODALIAS), LINK("subsystem", "../../../../bus/virtio"),
	VATTR("uevent", V_UEVENT),     { 0 },
};
static const struct pnode virtio_driver_link =
	LINK("driver", "../../../../bus/virtio/drivers/virtio_net");

/* A network card's: its driver, and its devices. */
static int virtio_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		       struct psubject *s)
{
	if (virtio_id(function(dir)) != 1)
		return -ENOENT;
	if (len == 3 && memcmp(name, "net", 3) == 0)
		*node = &sys_virtio_net_dir;
	else if (len == 6 && memcmp(name, "driver", 6) == 0)
		*node = &virtio_driver_link;
	else
		return -ENOENT;
	*s = dir->subject;
	return 0;
}

static bool virtio_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
			const struct pnode **node)
{
	if (*key > 1 || virtio_id(function(dir)) != 1)
		return false;
	*node = *key == 0 ? &sys_virtio_net_dir : &virtio_driver_link;
	strscpy(name, (*node)->name, size);
	return true;
}

static const struct pnode virtio_dir = { .name = "",
					 .mode = S_IFDIR | 0755,
					 .children = virtio_nodes,
					 .find = virtio_find,
					 .list = virtio_list };

/* --- functions --- */

#define PATTR(n, a)                                                                       \
	{                                                                                 \
		.name = n, .mode = S_IFREG | 0444, .show = pci_show, .arg = (uint64_t)(a) \
	}
static const struct pnode pci_nodes[] = {
	PATTR("class", CLASS),
	{ .name = "config", .mode = S_IFREG | 0444, .show = config_show },
	PATTR("device", DEVICE),
	PATTR("modalias", MODALIAS),
	{ .name = "resource", .mode = S_IFREG | 0444, .show = resource_show },
	PATTR("revision", REVISION),
	LINK("subsystem", "../../../bus/pci"),
	PATTR("subsystem_device", SUBDEVICE),
	PATTR("subsystem_vendor", SUBVENDOR),
	PATTR("uevent", PCI_UEVENT),
	PATTR("vendor", VENDOR),
	{ 0 },
};

static int driver_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char buf[64];

	(void)jump;
	fmt(buf, sizeof(buf), "../../../bus/pci/drivers/%s", function(i)->driver->name);
	return to_text(text, to_free, buf);
}
static const struct pnode driver_node = { .name = "driver",
					  .mode = S_IFLNK | 0777,
					  .link = driver_link };

static void virtio_name(uint64_t number, char name[16])
{
	fmt(name, 16, "virtio%d", pci_virtio_number((unsigned)number));
}

static bool is_name(const char *want, const char *name, size_t len)
{
	return strlen(want) == len && memcmp(want, name, len) == 0;
}

static int pci_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		    struct psubject *s)
{
	char virtio[16];

	virtio_name(dir->subject.number, virtio);
	if (function(dir)->driver && is_name("driver", name, len))
		*node = &driver_node;
	else if (pci_virtio_number((unsigned)dir->subject.number) >= 0 &&
		 is_name(virtio, name, len))
		*node = &virtio_dir;
	else
		return -ENOENT;
	*s = dir->subject;
	return 0;
}

static bool pci_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		     const struct pnode **node)
{
	char virtio[16];

	if (!function(dir)->driver || *key > 1)
		return false;
	if (*key == 0) {
		strscpy(name, "driver", size);
		*node = &driver_node;
		return true;
	}
	if (pci_virtio_number((unsigned)dir->subject.number) < 0)
		return false;
	virtio_name(dir->subject.number, virtio);
	strscpy(name, virtio, size);
	*node = &virtio_dir;
	return true;
}

static const struct pnode pci_dir = { .name = "",
				      .mode = S_IFDIR | 0755,
				      .children = pci_nodes,
				      .find = pci_find,
				      .list = pci_list };

/* Of a directory whose ptr is what each function looks like there. Virtio's have only theirs (arg).
 */
static int functions_find(struct pinode *dir, const char *name, size_t len,
			  const struct pnode **node, struct psubject *s)
{
	const struct pci_device *p;
	char own[16];

	for (unsigned n = 0; (p = pci_find_nth(n)) != NULL; n++) {
		if (dir->node->arg)
			virtio_name(n, own);
		else
			pci_name(p, own);
		if ((dir->node->arg && pci_virtio_number(n) < 0) || !is_name(own, name, len))
			continue;
		*node = dir->node->ptr;
		*s = (struct psubject){ .number = n };
		return 0;
	}
	return -ENOENT;
}

static bool functions_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
			   const struct pnode **node)
{
	const struct pci_device *p;
	char own[16];

	while ((p = pci_find_nth((unsigned)*key)) && dir->node->arg &&
	       pci_virtio_number((unsigned)*key) < 0)
		++*key;
	if (p == NULL)
		return false;
	if (dir->node->arg)
		virtio_name(*key, own);
	else
		pci_name(p, own);
	strscpy(name, own, size);
	*node = dir->node->ptr;
	return true;
}

static const struct pnode pci_root = { .name = "pci0000:00",
				       .mode = S_IFDIR | 0755,
				       .find = functions_find,
				       .list = functions_list,
				       .ptr = &pci_dir };

int sys_pci_root_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		      struct psubject *s)
{
	(void)dir, (void)s;
	if (pci_find_nth(0) == NULL || !is_name(pci_root.name, name, len))
		return -ENOENT;
	*node = &pci_root;
	return 0;
}

bool sys_pci_root_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		       const struct pnode **node)
{
	(void)dir;
	if (*key > 0 || pci_find_nth(0) == NULL)
		return false;
	strscpy(name, pci_root.name, size);
	*node = &pci_root;
	return true;
}

/* --- /sys/bus --- */

static int bus_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char buf[96], pci[16], virtio[16] = "";

	(void)jump;
	pci_name(function(i), pci);
	if (i->node->arg)
		virtio_name(i->subject.number, virtio);
	fmt(buf, sizeof(buf), "../../../devices/pci0000:00/%s%s%s", pci, virtio[0] ? "/" : "",
	    virtio);
	return to_text(text, to_free, buf);
}

static const struct pnode pci_entry = { .name = "", .mode = S_IFLNK | 0777, .link = bus_link };
static const struct pnode virtio_entry = {
	.name = "", .mode = S_IFLNK | 0777, .link = bus_link, .arg = 1
};
#define DIR(n, c)                                                \
	{                                                        \
		.name = n, .mode = S_IFDIR | 0755, .children = c \
	}
#define FUNCTIONS(entry, what)                                                     \
	{                                                                          \
		.name = "devices", .mode = S_IFDIR | 0755, .find = functions_find, \
		.list = functions_list, .arg = what, .ptr = &(entry)               \
	}
static const struct pnode nothing[] = { { 0 } };
static const struct pnode pci_drivers[] = { DIR("virtio-pci", nothing), { 0 } };
static const struct pnode virtio_drivers[] = { DIR("virtio_net", nothing), { 0 } };
static const struct pnode pci_bus[] = { FUNCTIONS(pci_entry, 0),
					DIR("drivers", pci_drivers),
					{ 0 } };
static const struct pnode virtio_bus[] = { FUNCTIONS(virtio_entry, 1),
					   DIR("drivers", virtio_drivers),
					   { 0 } };
const struct pnode sys_bus_nodes[] = { DIR("pci", pci_bus), DIR("virtio", virtio_bus), { 0 } };
