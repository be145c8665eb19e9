/*
 * /sys/class/net, and what is behind it: devices below /sys/devices, those of PCI with their bus.
 * What a node stands for is a number: a device's index, or which PCI function. Source: sysfs(5),
 * Linux's Documentation/ABI in behaviour.
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "dev/pci/pci.h"
#include "lib/string.h"
#include "net/netif.h"
#include "net/netlink/uevent.h"
#include "pmm/slab.h"
#include "pseudofs/sys_priv.h"
#include "vfs/cred.h"

static struct netdev *device(struct pinode *i) /* counted, or NULL */
{
	return netdev_lookup_index((int)i->subject.number);
}

/* --- a network device's files --- */

enum attr {
	ADDRESS,
	BROADCAST,
	ADDR_ASSIGN_TYPE,
	ADDR_LEN,
	CARRIER,
	CARRIER_CHANGES,
	DEV_ID,
	DEV_PORT,
	DORMANT,
	DUPLEX,
	FLAGS,
	GROUP,
	IFALIAS,
	IFINDEX,
	LINK_MODE,
	MTU,
	NAME_ASSIGN_TYPE,
	OPERSTATE,
	SPEED,
	TX_QUEUE_LEN,
	TYPE,
	UEVENT,
	UNSUPPORTED,
};

static void put_bytes(struct textbuf *t, const uint8_t *b, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		text_f(t, k ? ":%02x" : "%02x", b[k]);
	text_c(t, '\n');
}

static const char *operstate(const struct netdev *d)
{
	static const char *const names[] = { "unknown", "notpresent", "down", "lowerlayerdown",
					     "testing", "dormant",    "up" };

	return names[netdev_operstate(d) % ARRAY_SIZE(names)];
}

/* What can be asked only of a device that is up. */
static int show_link(struct textbuf *t, const struct netdev *d, enum attr a)
{
	if (!netdev_is_up(d) || (a != CARRIER && d->features & NETDEV_LOOPBACK))
		return -EINVAL;
	if (a == CARRIER)
		text_f(t, "%d\n", atomic_load(&d->carrier));
	else if (a == SPEED)
		text_f(t, "%d\n", d->speed ? (int)d->speed : -1);
	else
		text_f(t, "%s\n", d->speed ? "full" : "unknown");
	return 0;
}

static int show_number(struct textbuf *t, const struct netdev *d, enum attr a)
{
	unsigned v = a == ADDR_LEN           ? d->addr_len
		     : a == IFINDEX          ? (unsigned)d->index
		     : a == MTU              ? d->mtu
		     : a == TX_QUEUE_LEN     ? d->txqueuelen
		     : a == TYPE             ? d->hw_type
		     : a == NAME_ASSIGN_TYPE ? (d == loopback_device ? 2u : 1u)
					     : 0u;

	text_f(t, "%u\n", v);
	return 0;
}

static int show_attr(struct textbuf *t, const struct netdev *d, enum attr a)
{
	switch (a) {
	case ADDRESS:
		put_bytes(t, d->addr, d->addr_len);
		return 0;
	case BROADCAST:
		put_bytes(t, d->broadcast, d->addr_len);
		return 0;
	case CARRIER:
	case SPEED:
	case DUPLEX:
		return show_link(t, d, a);
	case DEV_ID:
		text_f(t, "0x0\n");
		return 0;
	case FLAGS:
		text_f(t, "0x%x\n", atomic_load(&d->flags));
		return 0;
	case IFALIAS:
		return 0;
	case OPERSTATE:
		text_f(t, "%s\n", operstate(d));
		return 0;
	case UEVENT:
		text_f(t, "INTERFACE=%s\nIFINDEX=%d\n", d->name, d->index);
		return 0;
	case UNSUPPORTED:
		return -EOPNOTSUPP;
	default:
		return show_number(t, d, a);
	}
}

static int attr_show(struct pinode *i, struct textbuf *t)
{
	struct netdev *d = device(i);
	int err;

	if (d == NULL)
		return -ENODEV;
	err = show_attr(t, d, (enum attr)i->node->arg);
	netdev_put(d);
	return err;
}

static int change(struct netdev *d, enum attr a, uint64_t v)
{
	switch (a) {
	case FLAGS:
		return netdev_change_flags(d, (unsigned)v, ~0u);
	case MTU:
		return v > INT32_MAX ? -EINVAL : netdev_change_mtu(d, (unsigned)v);
	default: /* TX_QUEUE_LEN */
		if (v > UINT32_MAX)
			return -ERANGE;
		d->txqueuelen = (unsigned)v;
		return 0;
	}
}

/* Decimal, octal or hexadecimal, as C writes them. */
static bool parse_number(const char *text, uint64_t *out)
{
	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return str_to_u64(text, NULL, out);
	*out = 0;
	for (text += 2; *text && *text != '\n'; text++) {
		unsigned c = (unsigned char)*text | 0x20u;

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		*out = *out << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static ssize64_t attr_store(struct pinode *i, char *text, size_t n)
{
	struct netdev *d;
	uint64_t v;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!parse_number(text, &v))
		return -EINVAL;
	if ((d = device(i)) == NULL)
		return -ENODEV;
	mutex_lock(&net_config_lock);
	err = change(d, (enum attr)i->node->arg, v);
	mutex_unlock(&net_config_lock);
	netdev_put(d);
	return err ? err : (ssize64_t)n;
}

static ssize64_t uevent_store(struct pinode *i, char *text, size_t n)
{
	struct netdev *d = device(i);
	char path[UEVENT_PATH], more[64];
	size_t len;
	int err;

	if (d == NULL)
		return -ENODEV;
	netdev_sysfs_path(d, path);
	len = fmt(more, sizeof(more), "INTERFACE=%s%cIFINDEX=%d%c", d->name, 0, d->index, 0);
	netdev_put(d);
	err = uevent_synthesize(text, path, "net", more, len);
	return err ? err : (ssize64_t)n;
}

/* arg: where the counter is in struct netdev_stats; those of kinds of devices that we have not: 0.
 */
enum { NO_COUNTER = 1 << 16 };

static int counter_show(struct pinode *i, struct textbuf *t)
{
	struct netdev *d = device(i);
	struct netdev_stats s;
	uint64_t v = 0;

	if (d == NULL)
		return -ENODEV;
	netdev_stats_sum(d, &s);
	netdev_put(d);
	if (i->node->arg != NO_COUNTER)
		memcpy(&v, (const char *)&s + i->node->arg, sizeof(v));
	text_f(t, "%lu\n", (unsigned long)v);
	return 0;
}

/* --- links --- */

MUST_CHECK static int give_link(const char **text, char **to_free, const char *s)
{
	if ((*to_free = kstrdup(s)) == NULL)
		return -ENOMEM;
	*text = *to_free;
	return 0;
}

/* /sys/class/net/NAME */
static int class_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char path[UEVENT_PATH + 8] = "../..";
	struct netdev *d = device(i);

	(void)jump;
	if (d == NULL)
		return -ENOENT;
	netdev_sysfs_path(d, path + 5);
	netdev_put(d);
	return give_link(text, to_free, path);
}

/* DEVICE/subsystem: as many steps up as the device is deep. */
static int subsystem_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char path[UEVENT_PATH], buf[UEVENT_PATH];
	struct textbuf t = { .buf = buf, .size = sizeof(buf) - 1 };
	struct netdev *d = device(i);

	(void)jump;
	if (d == NULL)
		return -ENOENT;
	netdev_sysfs_path(d, path);
	netdev_put(d);
	for (const char *c = path; *c; c++)
		if (*c == '/')
			text_f(&t, "../");
	text_f(&t, "class/net");
	buf[MIN(t.len, t.size)] = '\0';
	return give_link(text, to_free, buf);
}

static int device_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	struct netdev *d = device(i);
	char buf[32];
	int n;

	(void)jump;
	if (d == NULL)
		return -ENOENT;
	n = netdev_pci_number(d);
	netdev_put(d);
	if (n < 0 || (n = pci_virtio_number((unsigned)n)) < 0)
		return -ENOENT;
	fmt(buf, sizeof(buf), "../../../virtio%d", n);
	return give_link(text, to_free, buf);
}

/* --- directories --- */

#define ATTR(n, a)                                                                         \
	{                                                                                  \
		.name = n, .mode = S_IFREG | 0444, .show = attr_show, .arg = (uint64_t)(a) \
	}
#define SETTING(n, a)                                                                      \
	{                                                                                  \
		.name = n, .mode = S_IFREG | 0644, .show = attr_show, .store = attr_store, \
		.arg = (uint64_t)(a)                                                       \
	}
#define COUNTER(member)                                                        \
	{                                                                      \
		.name = #member, .mode = S_IFREG | 0444, .show = counter_show, \
		.arg = __builtin_offsetof(struct netdev_stats, member)         \
	}
#define NONE(n)                                                                            \
	{                                                                                  \
		.name = n, .mode = S_IFREG | 0444, .show = counter_show, .arg = NO_COUNTER \
	}
#define DIR(n, c)                                                \
	{                                                        \
		.name = n, .mode = S_IFDIR | 0755, .children = c \
	}

static const struct pnode statistics[] = {
	NONE("collisions"),
	{ .name = "multicast",
	  .mode = S_IFREG | 0444,
	  .show = counter_show,
	  .arg = __builtin_offsetof(struct netdev_stats, rx_multicast) },
	COUNTER(rx_bytes),
	NONE("rx_compressed"),
	NONE("rx_crc_errors"),
	COUNTER(rx_dropped),
	COUNTER(rx_errors),
	NONE("rx_fifo_errors"),
	NONE("rx_frame_errors"),
	NONE("rx_length_errors"),
	NONE("rx_missed_errors"),
	NONE("rx_nohandler"),
	NONE("rx_over_errors"),
	COUNTER(rx_packets),
	NONE("tx_aborted_errors"),
	COUNTER(tx_bytes),
	NONE("tx_carrier_errors"),
	NONE("tx_compressed"),
	COUNTER(tx_dropped),
	COUNTER(tx_errors),
	NONE("tx_fifo_errors"),
	NONE("tx_heartbeat_errors"),
	COUNTER(tx_packets),
	NONE("tx_window_errors"),
	{ 0 },
};
static const struct pnode nothing[] = { { 0 } };
static const struct pnode queues[] = { DIR("rx-0", nothing), DIR("tx-0", nothing), { 0 } };

/* Only a device on a bus has a `device`. */
static const struct pnode device_node = { .name = "device",
					  .mode = S_IFLNK | 0777,
					  .link = device_link };

static bool has_bus(uint64_t index)
{
	struct netdev *d = netdev_lookup_index((int)index);
	bool has = d && netdev_pci_number(d) >= 0;

	if (d)
		netdev_put(d);
	return has;
}

static int netdev_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		       struct psubject *s)
{
	if (len != 6 || memcmp(name, "device", 6) != 0 || !has_bus(dir->subject.number))
		return -ENOENT;
	*node = &device_node;
	*s = dir->subject;
	return 0;
}

static bool netdev_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
			const struct pnode **node)
{
	if (*key > 0 || !has_bus(dir->subject.number))
		return false;
	strscpy(name, "device", size);
	*node = &device_node;
	return true;
}

static const struct pnode netdev_nodes[] = {
	ATTR("addr_assign_type", ADDR_ASSIGN_TYPE),
	ATTR("addr_len", ADDR_LEN),
	ATTR("address", ADDRESS),
	ATTR("broadcast", BROADCAST),
	ATTR("carrier", CARRIER),
	ATTR("carrier_changes", CARRIER_CHANGES),
	ATTR("carrier_down_count", CARRIER_CHANGES),
	ATTR("carrier_up_count", CARRIER_CHANGES),
	ATTR("dev_id", DEV_ID),
	ATTR("dev_port", DEV_PORT),
	ATTR("dormant", DORMANT),
	ATTR("duplex", DUPLEX),
	SETTING("flags", FLAGS),
	ATTR("ifalias", IFALIAS),
	ATTR("ifindex", IFINDEX),
	ATTR("iflink", IFINDEX),
	ATTR("link_mode", LINK_MODE),
	SETTING("mtu", MTU),
	ATTR("name_assign_type", NAME_ASSIGN_TYPE),
	ATTR("netdev_group", GROUP),
	ATTR("operstate", OPERSTATE),
	ATTR("phys_port_id", UNSUPPORTED),
	ATTR("phys_port_name", UNSUPPORTED),
	ATTR("phys_switch_id", UNSUPPORTED),
	DIR("queues", queues),
	ATTR("speed", SPEED),
	DIR("statistics", statistics),
	{ .name = "subsystem", .mode = S_IFLNK | 0777, .link = subsystem_link },
	ATTR("testing", DORMANT),
	SETTING("tx_queue_len", TX_QUEUE_LEN),
	ATTR("type", TYPE),
	{ .name = "uevent",
	  .mode = S_IFREG | 0644,
	  .show = attr_show,
	  .store = uevent_store,
	  .arg = UEVENT },
	{ 0 },
};

static const struct pnode netdev_dir = {
	.name = "",
	.mode = S_IFDIR | 0755,
	.children = netdev_nodes,
	.find = netdev_find,
	.list = netdev_list,
	.volatile_links = true,
};
static const struct pnode class_entry = {
	.name = "", .mode = S_IFLNK | 0777, .link = class_link, .volatile_links = true
};

/* Whether d is in the directory: all are in the class's, others are of one PCI function, or
 * (NOBODY) of none. */
enum { NOBODY = UINT32_MAX };

static bool belongs(const struct pinode *dir, const struct netdev *d)
{
	int n;

	if (dir->node->ptr == &class_entry)
		return true;
	n = netdev_pci_number(d);
	if (n >= 0 && pci_virtio_number((unsigned)n) < 0)
		n = -1;
	return dir->node->arg == NOBODY ? n < 0 : n >= 0 && (uint64_t)n == dir->subject.number;
}

int sys_netdev_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		    struct psubject *s)
{
	char buf[NETDEV_NAME];
	struct netdev *d;
	bool ours;

	if (len >= sizeof(buf))
		return -ENOENT;
	memcpy(buf, name, len);
	buf[len] = '\0';
	if ((d = netdev_lookup_name(buf)) == NULL)
		return -ENOENT;
	ours = belongs(dir, d);
	*s = (struct psubject){ .number = (uint64_t)d->index };
	*node = dir->node->ptr;
	netdev_put(d);
	return ours ? 0 : -ENOENT;
}

bool sys_netdev_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		     const struct pnode **node)
{
	struct netdev *d;
	int index;
	bool ours;

	for (;; ++*key) {
		index = (int)*key;
		if ((d = netdev_next(&index)) == NULL)
			return false;
		*key = (uint64_t)index;
		strscpy(name, d->name, size);
		*node = dir->node->ptr;
		ours = belongs(dir, d);
		netdev_put(d);
		if (ours)
			return true;
	}
}

#define NETDEVS(n, what, entry)                                             \
	{                                                                   \
		.name = n, .mode = S_IFDIR | 0755, .find = sys_netdev_find, \
		.list = sys_netdev_list, .arg = what, .ptr = &(entry)       \
	}
const struct pnode sys_virtual_nodes[] = {
	SYS_CHARDEVS("mem", SYS_AT(SYS_MEM), sys_chardev_dir),
	NETDEVS("net", NOBODY, netdev_dir),
	SYS_CHARDEVS("tty", SYS_AT(SYS_TTY), sys_chardev_dir),
	{ 0 },
};
const struct pnode sys_class_nodes[] = {
	SYS_CHARDEVS("mem", SYS_AT(SYS_MEM), sys_chardev_link),
	NETDEVS("net", 0, class_entry),
	SYS_CHARDEVS("rtc", SYS_AT(SYS_RTC), sys_chardev_link),
	SYS_CHARDEVS("tty", SYS_AT(SYS_TTY) | SYS_AT(SYS_SERIAL), sys_chardev_link),
	{ 0 },
};
const struct pnode sys_virtio_net_dir = NETDEVS("net", 0, netdev_dir);
