/*
 * Character devices in sysfs: a directory for each node that devtmpfs was told of, below
 * /sys/devices, with links to it from /sys/dev/char (by number) and /sys/class. udev and sd-device
 * come from a number to a name, and from a name to a number, by these; that is all they hold.
 *
 * Nothing is kept here: the list is vfs/chrdev.h's, the class and the place follow from the major.
 *
 * Sources: sysfs(5), udev(7), and what a Linux 6.1 shows.
 */

#include "abi/errno.h"
#include "abi/stat.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/netlink/uevent.h"
#include "pmm/slab.h"
#include "pseudofs/sys_priv.h"
#include "vfs/chrdev.h"

enum { NAME_SIZE = 32, DEFAULT_MODE = 0600 };

/* One directory of devices. */
static const struct place {
	const char *path; /* below /sys; its last word is the class */
	const char *class;
	unsigned major;
} places[] = {
	[SYS_MEM] = { "/devices/virtual/mem", "mem", 1 },
	[SYS_TTY] = { "/devices/virtual/tty", "tty", 5 },
	[SYS_SERIAL] = { "/devices/platform/serial8250/tty", "tty", 4 },
	[SYS_RTC] = { "/devices/platform/rtc_cmos/rtc", "rtc", 252 },
};

struct found {
	uint64_t rdev;
	const struct place *place;
	uint32_t mode;
	char name[NAME_SIZE];
};

static const struct place *place_of(uint64_t rdev)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].major == dev_major(rdev))
			return &places[i];
	return NULL;
}

/* The first device at or after *rdev that belongs to one of `where`. */
static bool next(uint64_t rdev, uint64_t where, struct found *f)
{
	f->rdev = rdev;
	for (; devnode_next(&f->rdev, f->name, sizeof(f->name), &f->mode); f->rdev++)
		if (S_ISCHR(f->mode) && (f->place = place_of(f->rdev)) != NULL &&
		    where & 1ull << (f->place - places))
			return true;
	return false;
}

static bool device(const struct pinode *i, struct found *f)
{
	return next(i->subject.number, ~0ull, f) && f->rdev == i->subject.number;
}

static void device_path(const struct found *f, char path[UEVENT_PATH])
{
	fmt(path, UEVENT_PATH, "%s/%s", f->place->path, f->name);
}

/* --- files of a device --- */

static int dev_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%u:%u\n", dev_major(i->subject.number), dev_minor(i->subject.number));
	return 0;
}

/* Each line ends with `end`: a newline in the file, a NUL in an event. */
static void describe(const struct found *f, char end, struct textbuf *t)
{
	text_f(t, "MAJOR=%u%cMINOR=%u%c", dev_major(f->rdev), end, dev_minor(f->rdev), end);
	text_f(t, "DEVNAME=%s%c", f->name, end);
	if ((f->mode & 0777) != DEFAULT_MODE)
		text_f(t, "DEVMODE=0%o%c", f->mode & 0777, end);
}

static int uevent_show(struct pinode *i, struct textbuf *t)
{
	struct found f;

	if (!device(i, &f))
		return -ENODEV;
	describe(&f, '\n', t);
	return 0;
}

static ssize64_t uevent_store(struct pinode *i, char *text, size_t n)
{
	char path[UEVENT_PATH], more[128];
	struct textbuf t = { .buf = more, .size = sizeof(more) };
	struct found f;
	int err;

	if (!device(i, &f))
		return -ENODEV;
	device_path(&f, path);
	describe(&f, '\0', &t);
	err = uevent_synthesize(text, path, f.place->class, more, MIN(t.len, t.size));
	return err ? err : (ssize64_t)n;
}

/* --- links --- */

static int give_link(const char **text, char **to_free, const char *s)
{
	if ((*to_free = kstrdup(s)) == NULL)
		return -ENOMEM;
	*text = *to_free;
	return 0;
}

/* /sys/class/CLASS/NAME, /sys/dev/char/MAJOR:MINOR: both two directories deep. */
static int device_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char path[UEVENT_PATH + 8] = "../..";
	struct found f;

	(void)jump;
	if (!device(i, &f))
		return -ENOENT;
	device_path(&f, path + 5);
	return give_link(text, to_free, path);
}

/* DEVICE/subsystem: as many steps up as the device is deep. */
static int subsystem_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char path[UEVENT_PATH], buf[UEVENT_PATH];
	struct textbuf t = { .buf = buf, .size = sizeof(buf) - 1 };
	struct found f;

	(void)jump;
	if (!device(i, &f))
		return -ENOENT;
	device_path(&f, path);
	for (const char *c = path; *c; c++)
		if (*c == '/')
			text_f(&t, "../");
	text_f(&t, "class/%s", f.place->class);
	buf[MIN(t.len, t.size)] = '\0';
	return give_link(text, to_free, buf);
}

/* --- directories --- */

static const struct pnode device_nodes[] = {
	{ .name = "dev", .mode = S_IFREG | 0444, .show = dev_show },
	{ .name = "subsystem", .mode = S_IFLNK | 0777, .link = subsystem_link },
	{ .name = "uevent", .mode = S_IFREG | 0644, .show = uevent_show, .store = uevent_store },
	{ 0 },
};
const struct pnode sys_chardev_dir = { .name = "",
				       .mode = S_IFDIR | 0755,
				       .children = device_nodes };
const struct pnode sys_chardev_link = { .name = "", .mode = S_IFLNK | 0777, .link = device_link };

static void entry_name(const struct found *f, bool by_number, char *name, size_t size)
{
	if (by_number)
		fmt(name, size, "%u:%u", dev_major(f->rdev), dev_minor(f->rdev));
	else
		strscpy(name, f->name, size);
}

int sys_chardev_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s)
{
	uint64_t where = dir->node->arg;
	char buf[NAME_SIZE];
	struct found f;

	for (uint64_t rdev = 0; next(rdev, where & ~SYS_BY_NUMBER, &f); rdev = f.rdev + 1) {
		entry_name(&f, where & SYS_BY_NUMBER, buf, sizeof(buf));
		if (strlen(buf) == len && memcmp(buf, name, len) == 0) {
			*s = (struct psubject){ .number = f.rdev };
			*node = dir->node->ptr;
			return 0;
		}
	}
	return -ENOENT;
}

bool sys_chardev_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		      const struct pnode **node)
{
	uint64_t where = dir->node->arg;
	struct found f;

	if (!next(*key, where & ~SYS_BY_NUMBER, &f))
		return false;
	*key = f.rdev;
	entry_name(&f, where & SYS_BY_NUMBER, name, size);
	*node = dir->node->ptr;
	return true;
}
