/* Character devices in sysfs, as udev goes from a number to a name and back: sysfs(5). */

#include "../test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char text[4096];

static const char *slurp(const char *dir, const char *name)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	CHECK_OK(fd);
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static void device(const char *dev, const char *class)
{
	char number[32], path[PATH_MAX], real[PATH_MAX], other[PATH_MAX];
	const char *name = strrchr(dev, '/') + 1;
	struct stat st;

	CHECK_OK(stat(dev, &st));
	snprintf(number, sizeof(number), "%u:%u\n", major(st.st_rdev), minor(st.st_rdev));
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	CHECK(realpath(path, real) != NULL);
	CHECK_STR(strrchr(real, '/') + 1, name);
	snprintf(path, sizeof(path), "/sys/class/%s/%s", class, name);
	CHECK(realpath(path, other) != NULL);
	CHECK_STR(real, other);
	CHECK_STR(slurp(real, "dev"), number);
	snprintf(path, sizeof(path), "%s/subsystem", real);
	CHECK(realpath(path, other) != NULL);
	snprintf(path, sizeof(path), "/sys/class/%s", class);
	CHECK_STR(other, path);
	slurp(real, "uevent");
	snprintf(path, sizeof(path), "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", major(st.st_rdev),
		 minor(st.st_rdev), name);
	CHECK(strncmp(text, path, strlen(path)) == 0);
}

TEST(from_a_number_to_a_name)
{
	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	device("/dev/null", "mem");
	CHECK(strstr(text, "DEVMODE=0666\n") != NULL);
	device("/dev/urandom", "mem");
	device("/dev/tty", "tty");
	device("/dev/ptmx", "tty");
	device("/dev/ttyS0", "tty");
	CHECK(strstr(text, "DEVMODE") == NULL);
}

TEST(what_is_not_there)
{
	struct stat st;

	CHECK_ERR(stat("/sys/dev/char/1:77", &st), ENOENT);
	CHECK_ERR(stat("/sys/dev/char/null", &st), ENOENT);
	CHECK_ERR(stat("/sys/class/mem/tty", &st), ENOENT);
	CHECK_ERR(stat("/sys/devices/virtual/tty/null", &st), ENOENT);
	CHECK_OK(lstat("/sys/dev/char/1:3", &st));
	CHECK(S_ISLNK(st.st_mode));
}
