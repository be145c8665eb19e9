/* /sys/class/net and device events. Source: sysfs(5), netlink(7). */

#include "inet_test.h"

#include <dirent.h>
#include <linux/netlink.h>

static char *text_of(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/lo/%s", name);
	return test_slurp(path);
}

static int write_to(const char *name, const char *text)
{
	char path[128];
	int fd, ret, err;

	snprintf(path, sizeof(path), "/sys/class/net/lo/%s", name);
	fd = open(path, O_WRONLY);
	CHECK_OK(fd);
	ret = (int)write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static bool has_sysfs(void)
{
	return access("/sys/class/net", F_OK) == 0;
}

TEST(lo_has_its_attributes)
{
	static const char *const rows[][2] = {
		{ "address", "00:00:00:00:00:00\n" }, { "broadcast", "00:00:00:00:00:00\n" }, { "addr_len", "6\n" },
		{ "ifindex", "1\n" }, { "iflink", "1\n" }, { "type", "772\n" }, { "mtu", "65536\n" },
		{ "tx_queue_len", "1000\n" }, { "dev_id", "0x0\n" }, { "operstate", "unknown\n" }, { "ifalias", "" },
		{ "uevent", "INTERFACE=lo\nIFINDEX=1\n" }, { "carrier", "1\n" }, { "flags", "0x9\n" },
		{ "addr_assign_type", "0\n" }, { "dormant", "0\n" }, { "link_mode", "0\n" },
	};

	if (!has_sysfs())
		test_skip("no /sys");
	lo_up();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_STR(text_of(rows[i][0]), rows[i][1]);
}

static int read_error(const char *name)
{
	char path[128], c;
	int fd, err = 0;

	snprintf(path, sizeof(path), "/sys/class/net/lo/%s", name);
	fd = open(path, O_RDONLY);
	CHECK_OK(fd);
	if (read(fd, &c, 1) == -1)
		err = errno;
	close(fd);
	return err;
}

TEST(what_lo_has_not_is_an_error)
{
	if (!has_sysfs())
		test_skip("no /sys");
	CHECK_EQ(read_error("speed"), EINVAL);
	CHECK_EQ(read_error("duplex"), EINVAL);
	CHECK_EQ(read_error("phys_port_id"), EOPNOTSUPP);
	CHECK_ERR(access("/sys/class/net/lo/device", F_OK), ENOENT);
	CHECK_ERR(access("/sys/class/net/nothing0", F_OK), ENOENT);
}

TEST(the_class_links_to_devices)
{
	char to[256] = "", real[PATH_MAX];

	if (!has_sysfs())
		test_skip("no /sys");
	CHECK(readlink("/sys/class/net/lo", to, sizeof(to) - 1) > 0);
	CHECK_STR(to, "../../devices/virtual/net/lo");
	CHECK(realpath("/sys/class/net/lo/subsystem", real) != NULL);
	CHECK_STR(real, "/sys/class/net");
	CHECK(realpath("/sys/class/net/lo/statistics", real) != NULL);
	CHECK_STR(real, "/sys/devices/virtual/net/lo/statistics");
}

/* What every device of the class has. */
TEST(every_device_has_an_index_that_its_name_has)
{
	DIR *d = has_sysfs() ? opendir("/sys/class/net") : NULL;
	struct dirent *e;
	char path[300];
	int n = 0;

	if (d == NULL)
		test_skip("no /sys");
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", e->d_name);
		CHECK_EQ(strtol(test_slurp(path), NULL, 10), if_nametoindex(e->d_name));
		snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/tx_packets", e->d_name);
		CHECK_OK(access(path, R_OK));
		snprintf(path, sizeof(path), "/sys/class/net/%s/device/uevent", e->d_name);
		if (access(path, R_OK) == 0)
			CHECK(strstr(test_slurp(path), "DRIVER=") != NULL);
		n++;
	}
	CHECK(n >= 1);
	closedir(d);
}

TEST(settings_can_be_written)
{
	if (!has_sysfs() || !test_is_root())
		test_skip("needs root and /sys");
	CHECK_EQ(write_to("mtu", "9000\n"), 5);
	CHECK_STR(text_of("mtu"), "9000\n");
	CHECK_EQ(write_to("mtu", "65536"), 5);
	CHECK_EQ(write_to("tx_queue_len", "500"), 3);
	CHECK_STR(text_of("tx_queue_len"), "500\n");
	CHECK_EQ(write_to("tx_queue_len", "1000"), 4);
	CHECK_ERR(write_to("mtu", "many"), EINVAL);
	CHECK_EQ(write_to("flags", "0x9"), 3);
	CHECK_STR(text_of("flags"), "0x9\n");
}

static int change_as_nobody(void *arg)
{
	(void)arg;
	if (setgid(65534) || setuid(65534))
		return 1;
	return open("/sys/class/net/lo/mtu", O_WRONLY) == -1 && errno == EACCES ? 0 : 2;
}

TEST(settings_are_roots)
{
	if (!has_sysfs() || !test_is_root())
		test_skip("needs root and /sys");
	test_wait_exit(test_fork(change_as_nobody, NULL), 0);
}

static int listen_uevents(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	CHECK_OK(fd);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

/* Is there such a string among the NUL-terminated ones? */
static bool has_string(const char *text, ssize_t n, const char *s)
{
	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		if (strcmp(at, s) == 0)
			return true;
	return false;
}

TEST(a_written_event_is_heard)
{
	struct sockaddr_nl from;
	socklen_t len = sizeof(from);
	char text[2048];
	ssize_t n;
	int fd;

	if (!has_sysfs() || !test_is_root())
		test_skip("needs root and /sys");
	fd = listen_uevents();
	CHECK_EQ(write_to("uevent", "add\n"), 4);
	n = recvfrom(fd, text, sizeof(text) - 1, 0, (void *)&from, &len);
	CHECK(n > 0);
	text[n] = 0;
	CHECK_EQ(from.nl_pid, 0);
	CHECK_EQ(from.nl_groups, 1);
	CHECK_STR(text, "add@/devices/virtual/net/lo");
	CHECK(has_string(text, n, "ACTION=add"));
	CHECK(has_string(text, n, "DEVPATH=/devices/virtual/net/lo"));
	CHECK(has_string(text, n, "SUBSYSTEM=net"));
	CHECK(has_string(text, n, "SYNTH_UUID=0"));
	CHECK(has_string(text, n, "INTERFACE=lo"));
	CHECK(has_string(text, n, "IFINDEX=1"));
	CHECK_EQ(text[n - 1], 0);

	CHECK_OK(write_to("uevent", "change 12345678-1234-1234-1234-123456789abc A=1 B=xyz"));
	n = recv(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 0);
	CHECK_STR(text, "change@/devices/virtual/net/lo");
	CHECK(has_string(text, n, "SYNTH_UUID=12345678-1234-1234-1234-123456789abc"));
	CHECK(has_string(text, n, "SYNTH_ARG_A=1"));
	CHECK(has_string(text, n, "SYNTH_ARG_B=xyz"));

	CHECK_ERR(write_to("uevent", "explode"), EINVAL);
	CHECK_ERR(write_to("uevent", "add not-a-uuid"), EINVAL);
}
