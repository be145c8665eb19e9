/* devpts: names, owners, mount options. */

#include "tty_test.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/vfs.h>

static bool is_listed(const char *dir, const char *name, unsigned long *ino)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, name) == 0) {
			found = true;
			CHECK_EQ(e->d_type, DT_CHR);
			*ino = e->d_ino;
		}
	closedir(d);
	return found;
}

TEST(slaves_have_names_while_masters_live)
{
	struct pair p = open_pair();
	struct stat st, held;
	unsigned long ino = 0;
	char link[64], text[128];

	CHECK_OK(stat(p.name, &st));
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK(is_listed("/dev/pts", strrchr(p.name, '/') + 1, &ino));
	CHECK_EQ(ino, st.st_ino);
	close(p.m);
	CHECK_ERR(stat(p.name, &st), ENOENT);
	CHECK(!is_listed("/dev/pts", strrchr(p.name, '/') + 1, &ino));
	CHECK_OK(fstat(p.s, &held));
	CHECK_EQ(held.st_nlink, 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", p.s);
	ssize_t n = readlink(link, text, sizeof(text) - 1);
	if (n < 0)
		return; /* no /proc */
	text[n] = 0;
	CHECK(strstr(text, " (deleted)") != NULL);
}

TEST(names_are_not_made_by_hand)
{
	struct pair p = open_pair();

	CHECK(unlink(p.name) == -1 && (errno == EPERM || errno == EACCES));
	CHECK(mkdir("/dev/pts/x", 0755) == -1 && (errno == EPERM || errno == EACCES));
	CHECK(open("/dev/pts/xx", O_CREAT | O_RDWR, 0600) == -1 && (errno == EACCES || errno == EPERM));
	CHECK_ERR(open("/dev/pts/01", O_RDWR), ENOENT);
	CHECK_ERR(open("/dev/pts/99999999999", O_RDWR), ENOENT);
}

TEST(mode_and_owner_stay)
{
	struct pair p = open_pair();
	struct stat st;

	CHECK_OK(chmod(p.name, 0640));
	if (test_is_root())
		CHECK_OK(chown(p.name, 7, 8));
	for (int i = 0; i < 2; i++) {
		CHECK_OK(stat(p.name, &st));
		CHECK_EQ(st.st_mode, S_IFCHR | 0640);
		if (test_is_root())
			CHECK_EQ(st.st_uid * 100 + st.st_gid, 708);
	}
}

TEST(a_file_system_of_its_own)
{
	struct statfs f;
	struct stat st;

	CHECK_OK(statfs("/dev/pts", &f));
	CHECK_EQ(f.f_type, 0x1cd1);
	CHECK_OK(stat("/dev/pts", &st));
	CHECK_EQ(st.st_ino, 1);
	CHECK_OK(stat("/dev/pts/ptmx", &st));
	CHECK_EQ(st.st_ino, 2);
	CHECK_EQ(st.st_rdev, 0x502);
}

static void try_mount(const char *options)
{
	if (mount("devpts", "pts", "devpts", 0, options) < 0) {
		if (errno == EPERM || errno == ENODEV)
			test_skip("cannot mount devpts");
		FAIL("mount: %s", strerrorname_np(errno));
	}
}

TEST(each_mount_has_its_own_ptys)
{
	struct stat st;
	unsigned n = 99;
	int m, zero = 0, s;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("pts", 0755));
	try_mount("gid=5,mode=620,ptmxmode=666");
	CHECK_OK(stat("pts/ptmx", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0666);
	CHECK_OK(m = open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(ioctl(m, TIOCGPTN, &n));
	CHECK_EQ(n, 0);
	CHECK_OK(stat("pts/0", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0620);
	CHECK_EQ(st.st_gid, 5);
	CHECK_OK(ioctl(m, TIOCSPTLCK, &zero));
	CHECK_OK(s = open("pts/0", O_RDWR | O_NOCTTY));
	CHECK_EQ(write(s, "x", 1), 1);
	EXPECT(m, "x");
	CHECK_ERR(umount("pts"), EBUSY);
	close(s);
	close(m);
	CHECK_ERR(stat("pts/0", &st), ENOENT);
	CHECK_OK(umount("pts"));
}

TEST(mount_options)
{
	int m;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("pts", 0755));
	try_mount("newinstance,max=1,ptmxmode=0666");
	CHECK_OK(m = open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_ERR(open("pts/ptmx", O_RDWR | O_NOCTTY), ENOSPC);
	close(m);
	CHECK_OK(m = open("pts/ptmx", O_RDWR | O_NOCTTY));
	close(m);
	CHECK_OK(umount("pts"));
	CHECK_ERR(mount("devpts", "pts", "devpts", 0, "bogus=1"), EINVAL);
	CHECK_ERR(mount("devpts", "pts", "devpts", 0, "mode=9"), EINVAL);
}

TEST(many_ptys)
{
	int m[100];
	unsigned n, last;

	for (int i = 0; i < 100; i++) {
		CHECK_OK(m[i] = open("/dev/ptmx", O_RDWR | O_NOCTTY));
		CHECK_OK(ioctl(m[i], TIOCGPTN, &last));
	}
	CHECK_OK(ioctl(m[50], TIOCGPTN, &n));
	close(m[50]);
	CHECK_OK(m[50] = open("/dev/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(ioctl(m[50], TIOCGPTN, &last));
	CHECK(last <= n); /* the lowest free number */
	for (int i = 0; i < 100; i++)
		close(m[i]);
}
