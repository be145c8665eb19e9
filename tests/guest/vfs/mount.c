/* mount(2), umount2(2), pivot_root(2) and what /proc says of it. Each test has a mount namespace of its own where there are
 * any; elsewhere it cleans up. */

#include "test.h"

#include <sys/sysmacros.h>

#include <sys/mount.h>
#include <sys/statfs.h>

static void begin(void)
{
	if (!test_is_root())
		test_skip("not root");
	if (unshare(CLONE_NEWNS) == 0)
		CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mkdir("n", 0755));
	if (mount("none", "m", "tmpfs", 0, "size=1m,mode=700") == -1 && errno == EPERM)
		test_skip("may not mount");
}

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_OK(close(fd));
}

static void end(void)
{
	while (umount2("n", MNT_DETACH) == 0)
		;
	while (umount2("m", MNT_DETACH) == 0)
		;
}

TEST(mount_shows_and_umount_hides)
{
	struct stat under, over, st;
	struct statfs fs;

	begin();
	CHECK_OK(stat("n", &under));
	CHECK_OK(stat("m", &over));
	CHECK(over.st_dev != under.st_dev);
	CHECK_EQ(over.st_mode & 07777, 0700);
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x01021994);
	CHECK_EQ(fs.f_blocks * fs.f_bsize, 1 << 20);
	touch("m/f");
	CHECK_OK(stat("m/..", &st));
	CHECK_EQ(st.st_dev, under.st_dev);
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "other"), EBUSY);
	CHECK_ERR(rename("m/f", "f"), EXDEV);
	CHECK_ERR(link("m/f", "f"), EXDEV);
	CHECK_OK(umount("m"));
	CHECK_ERR(stat("m/f", &st), ENOENT);
	CHECK_ERR(umount("m"), EINVAL);
	CHECK_OK(rmdir("m"));
}

TEST(mount_errors)
{
	begin();
	touch("file");
	CHECK_ERR(mount("none", "m/none", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "file", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "n", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "n", "tmpfs", 0, "nosuchoption"), EINVAL);
	CHECK_ERR(mount("none", "n", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount("none", "n", "tmpfs", MS_REMOUNT, NULL), EINVAL);
	CHECK_ERR(mount("", "n", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERR(umount("file"), EINVAL);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK_ERR(umount2("m", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECK_ERR(mount("none", "m", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	end();
}

TEST(busy_and_lazy)
{
	char c = 'x';
	int fd;

	begin();
	fd = open("m/f", O_CREAT | O_RDWR, 0644);
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERR(access("m/f", F_OK), ENOENT);
	CHECK_EQ(write(fd, &c, 1), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_OK(close(fd));
}

TEST(expire)
{
	begin();
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	touch("m/f");
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	CHECK_OK(umount2("m", MNT_EXPIRE));
}

TEST(read_only_and_flags)
{
	int fd;

	begin();
	touch("m/f");
	CHECK_OK(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
	fd = open("m/f", O_WRONLY);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(open("m/f", O_WRONLY), EROFS);
	CHECK_ERR(open("m/new", O_CREAT | O_WRONLY, 0644), EROFS);
	CHECK_OK(open("m/f", O_CREAT | O_RDONLY, 0644));
	CHECK_ERR(mkdir("m/d", 0755), EROFS);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(chmod("m/f", 0600), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	CHECK_OK(access("m/null", W_OK));
	CHECK_OK(open("m/null", O_WRONLY));
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_NODEV | MS_NOEXEC, NULL));
	CHECK_ERR(open("m/null", O_RDONLY), EACCES);
	CHECK_OK(chmod("m/f", 0755));
	CHECK_ERR(access("m/f", X_OK), EACCES);
	CHECK_ERR(execl("m/f", "f", NULL), EACCES);
	end();
}

TEST(bind_mounts)
{
	struct stat a, b;

	begin();
	CHECK_OK(mkdir("m/d", 0755));
	touch("m/d/f");
	touch("file");
	CHECK_OK(mount("m/d", "n", NULL, MS_BIND, NULL));
	CHECK_OK(stat("m/d/f", &a));
	CHECK_OK(stat("n/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_dev, b.st_dev);
	CHECK_ERR(link("m/d/f", "n/g"), EXDEV);
	CHECK_OK(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERR(open("n/f", O_WRONLY), EROFS);
	CHECK_OK(open("m/d/f", O_WRONLY));
	CHECK_OK(umount("n"));
	CHECK_OK(mount("m/d/f", "file", NULL, MS_BIND, NULL));
	CHECK_OK(stat("file", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(unlink("file"), EBUSY);
	CHECK_ERR(mount("m/d", "file", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_OK(umount("file"));
	end();
}

TEST(recursive_bind_and_move)
{
	begin();
	CHECK_OK(mkdir("m/sub", 0755));
	CHECK_OK(mount("none", "m/sub", "tmpfs", 0, NULL));
	touch("m/sub/f");
	CHECK_OK(mount("m", "n", NULL, MS_BIND, NULL));
	CHECK_ERR(access("n/sub/f", F_OK), ENOENT);
	CHECK_OK(umount("n"));
	CHECK_OK(mount("m", "n", NULL, MS_BIND | MS_REC, NULL));
	CHECK_OK(access("n/sub/f", F_OK));
	CHECK_OK(umount("n/sub"));
	CHECK_OK(umount("n"));
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_ERR(mount("m", "m/sub", NULL, MS_MOVE, NULL), ELOOP);
	CHECK_ERR(mount("m/sub/f", "n", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_OK(mount("m", "n", NULL, MS_MOVE, NULL));
	CHECK_OK(access("n/sub/f", F_OK));
	CHECK_ERR(access("m/sub", F_OK), ENOENT);
	end();
}

TEST(stacked_mounts)
{
	begin();
	touch("m/first");
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	touch("m/second");
	CHECK_ERR(access("m/first", F_OK), ENOENT);
	CHECK_OK(umount("m"));
	CHECK_OK(access("m/first", F_OK));
	CHECK_OK(umount("m"));
}

TEST(shared_mounts_propagate)
{
	begin();
	CHECK_OK(mkdir("m/sub", 0755));
	CHECK_OK(mount(NULL, "m", NULL, MS_SHARED, NULL));
	CHECK_OK(mount("m", "n", NULL, MS_BIND, NULL));
	CHECK_OK(mount("none", "m/sub", "tmpfs", 0, NULL));
	touch("m/sub/f");
	CHECK_OK(access("n/sub/f", F_OK));
	CHECK_OK(umount("n/sub"));
	CHECK_ERR(access("m/sub/f", F_OK), ENOENT);
	CHECK_OK(mount(NULL, "n", NULL, MS_SLAVE, NULL));
	CHECK_OK(mount("none", "m/sub", "tmpfs", 0, NULL));
	touch("m/sub/g");
	CHECK_OK(access("n/sub/g", F_OK));
	CHECK_OK(umount("m/sub"));
	CHECK_ERR(access("n/sub/g", F_OK), ENOENT);
	CHECK_OK(mount("none", "n/sub", "tmpfs", 0, NULL));
	touch("n/sub/h");
	CHECK_ERR(access("m/sub/h", F_OK), ENOENT);
	CHECK_OK(umount("n/sub"));
	CHECK_OK(mount(NULL, "n", NULL, MS_PRIVATE, NULL));
	CHECK_OK(mount("none", "m/sub", "tmpfs", 0, NULL));
	touch("m/sub/i");
	CHECK_ERR(access("n/sub/i", F_OK), ENOENT);
	CHECK_OK(mount(NULL, "n", NULL, MS_UNBINDABLE, NULL));
	CHECK_OK(mkdir("o", 0755));
	CHECK_ERR(mount("n", "o", NULL, MS_BIND, NULL), EINVAL);
	end();
}

TEST(proc_mounts_text)
{
	char line[PATH_MAX + 100], cwd[PATH_MAX];

	begin();
	if (access("/proc/self/mounts", R_OK))
		test_skip("no /proc");
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_OK(mkdir("a b", 0755));
	CHECK_OK(mount("my source", "a b", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOATIME, "mode=755"));
	snprintf(line, sizeof(line), "my\\040source %s/a\\040b tmpfs rw,nosuid,nodev,noatime,mode=755", cwd);
	CHECK(strstr(test_slurp("/proc/self/mounts"), line) != NULL);
	snprintf(line, sizeof(line), "/ %s/a\\040b rw,nosuid,nodev,noatime - tmpfs my\\040source rw,mode=755", cwd);
	CHECK(strstr(test_slurp("/proc/self/mountinfo"), line) != NULL);
	CHECK_OK(umount("a b"));
	end();
}

TEST(limits_of_an_instance)
{
	static char buf[1 << 20];
	int fd;

	begin();
	fd = open("m/big", O_CREAT | O_RDWR, 0644);
	ssize_t n = write(fd, buf, sizeof(buf));
	if (n == (ssize_t)sizeof(buf))
		CHECK_ERR(write(fd, buf, 4096), ENOSPC);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(write(fd, buf, 4096), 4096);
	CHECK_OK(close(fd));
	CHECK_OK(mount("none", "n", "tmpfs", 0, "nr_inodes=3"));
	touch("n/a");
	touch("n/b");
	CHECK_ERR(open("n/c", O_CREAT | O_WRONLY, 0644), ENOSPC);
	CHECK_OK(unlink("n/a"));
	touch("n/c");
	end();
}

static int pivot(void *arg)
{
	char cwd[64];

	(void)arg;
	CHECK_OK(mkdir("m/old", 0755));
	touch("m/new-root-file");
	CHECK_OK(chdir("m"));
	if (syscall(SYS_pivot_root, ".", "old") == -1) {
		if (errno == EINVAL)
			test_skip("the root is the initial file system");
		FAIL("pivot_root: %s", strerror(errno));
	}
	CHECK_OK(chdir("/"));
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(cwd, "/");
	CHECK_OK(access("/new-root-file", F_OK));
	CHECK_OK(access("/old", F_OK));
	CHECK_OK(umount2("/old", MNT_DETACH));
	CHECK_ERR(access("/new-root-file/x", F_OK), ENOTDIR);
	return 0;
}

/* Where there are no mount namespaces this would take the root from under the other tests. */
TEST(pivot_root_in_a_namespace)
{
	if (!test_is_root())
		test_skip("not root");
	if (unshare(CLONE_NEWNS))
		test_skip("no mount namespaces");
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	pivot(NULL);
}

TEST(pivot_root_errors)
{
	begin();
	CHECK_OK(mkdir("m/d", 0755));
	CHECK_OK(mkdir("d", 0755));
	touch("m/f");
	CHECK_ERR(syscall(SYS_pivot_root, "m/f", "m/d"), ENOTDIR);
	CHECK_ERR(syscall(SYS_pivot_root, "m/none", "m/d"), ENOENT);
	/* EBUSY when this directory is on the root mount, EINVAL when it only is no mount point. */
	CHECK_EQ(syscall(SYS_pivot_root, ".", "d"), -1);
	CHECK(errno == EBUSY || errno == EINVAL);
	end();
}
