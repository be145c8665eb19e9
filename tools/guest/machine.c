/*
 * The machine as a program expects to find it. Everything here is idempotent and tolerant: the root
 * may bring its own /dev, the kernel may have mounted some of this already (EBUSY), and a kernel that
 * lacks a file system says so once and the command runs without.
 */
#include "machine.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct mount_point {
	const char *fstype, *path, *data;
	unsigned long flags;
};

static const struct mount_point mount_points[] = {
	{ "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", "mode=755", MS_NOSUID },
	{ "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV },
};

/* For a kernel without devtmpfs and a root without device files. */
static const struct {
	const char *path;
	mode_t mode;
	unsigned major, minor;
} device_files[] = {
	{ "/dev/null", 0666, 1, 3 },    { "/dev/zero", 0666, 1, 5 },
	{ "/dev/full", 0666, 1, 7 },    { "/dev/random", 0666, 1, 8 },
	{ "/dev/urandom", 0666, 1, 9 }, { "/dev/tty", 0666, 5, 0 },
	{ "/dev/ptmx", 0666, 5, 2 },    { "/dev/ttyS0", 0600, 4, 64 },
	{ "/dev/ttyS1", 0600, 4, 65 },
};

static const struct {
	const char *path, *target;
} device_links[] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

void machine_mount(machine_note *note)
{
	for (size_t i = 0; i < COUNT(mount_points); i++) {
		const struct mount_point *m = &mount_points[i];

		mkdir(m->path, 0755);
		if (mount(m->fstype, m->path, m->fstype, m->flags, m->data) && errno != EBUSY)
			note(m->path, strerror(errno));
	}
	for (size_t i = 0; i < COUNT(device_files); i++) {
		dev_t dev = makedev(device_files[i].major, device_files[i].minor);

		if (mknod(device_files[i].path, S_IFCHR | device_files[i].mode, dev) == 0)
			chmod(device_files[i].path, device_files[i].mode);
	}
	for (size_t i = 0; i < COUNT(device_links); i++)
		if (symlink(device_links[i].target, device_links[i].path) && errno != EEXIST)
			note(device_links[i].path, strerror(errno));
	mkdir("/tmp", 0777);
	chmod("/tmp", 01777);
	mkdir("/run", 0755);
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP | IFF_RUNNING);
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

void machine_name(const char *host)
{
	if (host)
		(void)!sethostname(host, strlen(host));
	loopback_up();
}

void machine_quiesce(void)
{
	kill(-1, SIGKILL);
	sync();
}

void machine_off(void)
{
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	reboot(RB_HALT_SYSTEM);
}
