/*
 * Device events: see uevent.h. A message is not one of netlink's: a line, then strings, each ended
 * by NUL. Numbers rise by one with each event, also for those that nobody hears.
 *
 * Source: Linux's behaviour; udev(7) says what the properties are for.
 */

#include "net/netlink/uevent.h"

#include "abi/errno.h"
#include "abi/netlink.h"
#include "dev/pci/pci.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/netif.h"
#include "net/netlink/netlink.h"

enum { VIRTIO_VENDOR = 0x1af4, MESSAGE_MAX = 2048, GROUP_KERNEL = 1 };

static _Atomic uint64_t sequence;

void uevent_send(const char *action, const char *path, const char *subsystem, const char *more,
		 size_t n)
{
	uint64_t number = atomic_fetch_add(&sequence, 1) + 1;
	struct textbuf t = { .size = MESSAGE_MAX };
	struct nlmsgs *m;

	if (!netlink_has_listeners(NETLINK_KOBJECT_UEVENT, GROUP_KERNEL) ||
	    (m = nlmsgs_alloc(MESSAGE_MAX)) == NULL)
		return;
	t.buf = (char *)m->data;
	text_f(&t, "%s@%s%c", action, path, 0);
	text_f(&t, "ACTION=%s%cDEVPATH=%s%cSUBSYSTEM=%s%c", action, 0, path, 0, subsystem, 0);
	text_n(&t, more, n);
	text_f(&t, "SEQNUM=%lu%c", (unsigned long)number, 0);
	if (t.len > t.size) {
		nlmsgs_free(m);
		return;
	}
	m->len = (uint32_t)t.len;
	netlink_report(NETLINK_KOBJECT_UEVENT, GROUP_KERNEL, m);
}

/* --- written by hand --- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_uuid(const char *s, size_t n)
{
	if (n != 36)
		return false;
	for (size_t i = 0; i < n; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !is_hex(s[i]))
			return false;
	return true;
}

static bool is_word_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* NAME=VALUE of letters and digits, as "SYNTH_ARG_NAME=VALUE". */
static bool add_argument(struct textbuf *t, const char *s, size_t n)
{
	size_t eq = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '=' && eq == 0 && i > 0)
			eq = i;
		else if (!is_word_char(s[i]))
			return false;
	}
	if (eq == 0 || eq + 1 == n)
		return false;
	text_f(t, "SYNTH_ARG_");
	text_n(t, s, n);
	text_c(t, '\0');
	return true;
}

/* The next word of *s, its length; *s moves behind it. */
static size_t next_word(const char **s, const char **word)
{
	size_t n = 0;

	while (**s == ' ')
		++*s;
	*word = *s;
	while ((*s)[n] && (*s)[n] != ' ' && (*s)[n] != '\n')
		n++;
	*s += n;
	return n;
}

int uevent_synthesize(const char *text, const char *path, const char *subsystem, const char *more,
		      size_t n)
{
	static const char *const actions[] = { "add",    "remove",  "change", "move",
					       "online", "offline", "bind",   "unbind" };
	char buf[1024];
	struct textbuf t = { .buf = buf, .size = sizeof(buf) };
	const char *word, *action = NULL;
	size_t len = next_word(&text, &word);

	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++)
		if (strlen(actions[i]) == len && memcmp(actions[i], word, len) == 0)
			action = actions[i];
	if (action == NULL)
		return -EINVAL;
	if ((len = next_word(&text, &word)) == 0) {
		text_f(&t, "SYNTH_UUID=0%c", 0);
	} else {
		if (!is_uuid(word, len))
			return -EINVAL;
		text_f(&t, "SYNTH_UUID=");
		text_n(&t, word, len);
		text_c(&t, '\0');
	}
	while ((len = next_word(&text, &word)) > 0)
		if (!add_argument(&t, word, len))
			return -EINVAL;
	text_n(&t, more, n);
	if (t.len > t.size)
		return -EINVAL;
	uevent_send(action, path, subsystem, buf, t.len);
	return 0;
}

/* --- where devices are --- */

void pci_name(const struct pci_device *p, char name[16])
{
	fmt(name, 16, "0000:%02x:%02x.%u", p->bus, p->slot, p->function);
}

int netdev_pci_number(const struct netdev *d)
{
	const struct pci_device *p;
	char name[16];

	for (unsigned n = 0; d->bus && (p = pci_find_nth(n)) != NULL; n++) {
		pci_name(p, name);
		if (strcmp(name, d->bus) == 0)
			return (int)n;
	}
	return -1;
}

static bool is_virtio(const struct pci_device *p)
{
	return p->vendor == VIRTIO_VENDOR && p->driver != NULL;
}

int pci_virtio_number(unsigned n)
{
	const struct pci_device *p = pci_find_nth(n);
	int before = 0;

	if (p == NULL || !is_virtio(p))
		return -1;
	while (n-- > 0)
		before += is_virtio(pci_find_nth(n));
	return before;
}

void netdev_sysfs_path(const struct netdev *d, char path[UEVENT_PATH])
{
	int n = netdev_pci_number(d), virtio = n < 0 ? -1 : pci_virtio_number((unsigned)n);

	if (virtio < 0)
		fmt(path, UEVENT_PATH, "/devices/virtual/net/%s", d->name);
	else
		fmt(path, UEVENT_PATH, "/devices/pci0000:00/%s/virtio%d/net/%s", d->bus, virtio,
		    d->name);
}

static void on_event(struct netdev *d, enum netdev_event e)
{
	char path[UEVENT_PATH], more[64];
	struct textbuf t = { .buf = more, .size = sizeof(more) };

	if (e != NETDEV_REGISTERED && e != NETDEV_UNREGISTERED)
		return;
	netdev_sysfs_path(d, path);
	text_f(&t, "INTERFACE=%s%cIFINDEX=%d%c", d->name, 0, d->index, 0);
	uevent_send(e == NETDEV_REGISTERED ? "add" : "remove", path, "net", more, t.len);
}

/* Nothing is asked of the kernel here. */
static int request(struct nlrequest *r, struct nlmsgs **reply, struct nldump *dump)
{
	(void)r, (void)reply, (void)dump;
	return 0;
}

void uevent_init(void)
{
	static struct netlink_protocol_ops ops = {
		.protocol = NETLINK_KOBJECT_UEVENT,
		.ngroups = 32,
		.any_may_listen = true,
		.request = request,
	};
	static struct netdev_listener listener = { .event = on_event };

	netlink_register(&ops);
	netdev_listen(&listener);
}
