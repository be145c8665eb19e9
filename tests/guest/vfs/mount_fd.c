/* The newer mount interface: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr. */

#include "test.h"

#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

static int open_tree_(int fd, const char *p, unsigned f)
{
	return (int)syscall(SYS_open_tree, fd, p, f);
}
static int move_mount_(int f, const char *fp, int t, const char *tp, unsigned fl)
{
	return (int)syscall(SYS_move_mount, f, fp, t, tp, fl);
}
static int fsopen_(const char *n, unsigned f)
{
	return (int)syscall(SYS_fsopen, n, f);
}
static int fsconfig_(int fd, unsigned cmd, const char *k, const void *v, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, k, v, aux);
}
static int fsmount_(int fd, unsigned f, unsigned a)
{
	return (int)syscall(SYS_fsmount, fd, f, a);
}
static int fspick_(int fd, const char *p, unsigned f)
{
	return (int)syscall(SYS_fspick, fd, p, f);
}
static int setattr_(int fd, const char *p, unsigned f, uint64_t set, uint64_t clr, uint64_t prop)
{
	struct mount_attr a = { .attr_set = set, .attr_clr = clr, .propagation = prop };

	return (int)syscall(SYS_mount_setattr, fd, p, f, &a, sizeof(a));
}

/* The options of the mount on `where` (an absolute path), as /proc/self/mountinfo has them. */
static void options_of(const char *where, char *out, size_t n)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[1000], at[400], opt[400];

	*out = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %399s %399[^\n]", at, opt) == 2 && !strcmp(at, where))
			snprintf(out, n, "%s", opt);
	if (f)
		fclose(f);
}

static char *here(const char *name)
{
	static char buf[8][500];
	static int i;
	char *p = buf[i++ % 8], cwd[400];

	snprintf(p, 500, "%s/%s", getcwd(cwd, sizeof(cwd)), name);
	return p;
}

static int new_tmpfs(void)
{
	int c = fsopen_("tmpfs", FSOPEN_CLOEXEC), m;

	CHECK_OK(c);
	CHECK_OK(fsconfig_(c, FSCONFIG_SET_STRING, "source", "mine", 0));
	CHECK_OK(fsconfig_(c, FSCONFIG_SET_STRING, "size", "1m", 0));
	CHECK_OK(fsconfig_(c, FSCONFIG_SET_STRING, "mode", "0711", 0));
	CHECK_OK(fsconfig_(c, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	CHECK_OK(m = fsmount_(c, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME));
	CHECK_OK(close(c));
	return m;
}

TEST(fsopen_makes_a_mount_that_move_mount_places)
{
	struct statfs sf;
	struct stat st;
	char opt[500];
	int m = new_tmpfs(), fd;

	CHECK_OK(fd = openat(m, "early", O_CREAT | O_RDWR, 0600)); /* usable before it is anywhere */
	CHECK_OK(close(fd));
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(move_mount_(m, "", AT_FDCWD, "d", MOVE_MOUNT_F_EMPTY_PATH));
	CHECK_OK(stat("d/early", &st));
	CHECK_OK(statfs("d", &sf));
	CHECK_EQ(sf.f_blocks * (unsigned long)sf.f_bsize, 1 << 20);
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_mode & 07777, 0711);
	options_of(here("d"), opt, sizeof(opt));
	CHECK(strstr(opt, "rw,nodev,noatime"));
	CHECK(strstr(opt, "tmpfs mine rw,size=1024k,mode=711"));
	CHECK_OK(close(m));
	CHECK_OK(stat("d/early", &st)); /* the descriptor is not what holds it */
	CHECK_OK(umount("d"));
}

TEST(a_mount_that_was_not_placed_goes_with_its_descriptor)
{
	int m = new_tmpfs(), fd;

	CHECK_OK(fd = openat(m, "f", O_CREAT | O_RDWR, 0600));
	CHECK_OK(close(m));
	CHECK_EQ(write(fd, "x", 1), 1); /* what is open stays */
	CHECK_OK(close(fd));
}

TEST(fscontext_rules)
{
	int c = fsopen_("tmpfs", 0);
	char b[10];

	CHECK_ERR(fsopen_("nosuchfs", 0), ENODEV);
	CHECK_ERR(fsopen_("tmpfs", 2), EINVAL);
	CHECK_ERR(fsopen_((char *)1, 0), EFAULT);
	CHECK_ERR(fsconfig_(c, FSCONFIG_SET_STRING, "bogus", "1", 0), EINVAL);
	CHECK_ERR(fsconfig_(c, FSCONFIG_SET_FLAG, "bogus", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(c, FSCONFIG_SET_STRING, "size", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(c, FSCONFIG_SET_FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERR(fsconfig_(c, 99, NULL, NULL, 0), EOPNOTSUPP);
	CHECK_ERR(fsconfig_(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(99, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBADF);
	CHECK_ERR(fsconfig_(0, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(c, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_OK(fsconfig_(c, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	CHECK_ERR(fsconfig_(c, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(fsmount_(c, 0, 0x8000), EINVAL);
	CHECK_ERR(fsmount_(0, 0, 0), EINVAL);
	int m = fsmount_(c, 0, 0);
	CHECK_OK(m);
	CHECK_ERR(read(m, b, 1), EBADF); /* O_PATH */
}

TEST(open_tree_without_clone_is_o_path)
{
	int fd = open_tree_(AT_FDCWD, ".", OPEN_TREE_CLOEXEC);
	struct stat st;

	CHECK_OK(fd);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_ERR(open_tree_(AT_FDCWD, ".", AT_RECURSIVE), EINVAL);
	CHECK_ERR(open_tree_(AT_FDCWD, ".", 4), EINVAL);
	CHECK_ERR(open_tree_(AT_FDCWD, "none", 0), ENOENT);
}

TEST(cloned_tree_with_what_is_mounted_below)
{
	struct stat st;
	int fd;

	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(mount("t1", "a", "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, "a", NULL, MS_PRIVATE, NULL));
	CHECK_OK(mkdir("a/b", 0700));
	CHECK_OK(mount("t2", "a/b", "tmpfs", 0, NULL));
	CHECK_OK(close(open("a/b/f", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(fd = open_tree_(AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE));
	CHECK_OK(fstatat(fd, "b/f", &st, 0));
	CHECK_OK(mkdir("c", 0700));
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "c", MOVE_MOUNT_F_EMPTY_PATH));
	CHECK_OK(stat("c/b/f", &st));
	CHECK_OK(close(open("c/b/g", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(stat("a/b/g", &st));
	CHECK_OK(umount("c/b"));
	CHECK_OK(close(fd));
	CHECK_OK(umount("c"));
	CHECK_OK(fd = open_tree_(AT_FDCWD, "a", OPEN_TREE_CLONE));
	CHECK_ERR(fstatat(fd, "b/f", &st, 0), ENOENT); /* the top alone */
	CHECK_OK(close(fd));
	CHECK_OK(umount("a/b"));
	CHECK_OK(umount("a"));
}

TEST(move_mount_moves_what_is_attached)
{
	struct stat st;

	CHECK_OK(mkdir("p", 0700));
	CHECK_OK(mount("p", "p", "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, "p", NULL, MS_PRIVATE, NULL));
	CHECK_OK(mkdir("p/a", 0700));
	CHECK_OK(mkdir("p/b", 0700));
	CHECK_OK(mount("t", "p/a", "tmpfs", 0, NULL));
	CHECK_OK(close(open("p/a/f", O_CREAT | O_RDWR, 0600)));
	CHECK_ERR(move_mount_(AT_FDCWD, "p/b", AT_FDCWD, "p/a", 0), EINVAL);
	CHECK_ERR(move_mount_(AT_FDCWD, "p/a", AT_FDCWD, "p/b", 0x1000), EINVAL);
	CHECK_OK(move_mount_(AT_FDCWD, "p/a", AT_FDCWD, "p/b", 0));
	CHECK_OK(stat("p/b/f", &st));
	CHECK_ERR(stat("p/a/f", &st), ENOENT);
	CHECK_OK(umount("p/b"));
	CHECK_OK(umount("p"));
}

TEST(fspick_reconfigures)
{
	struct statfs sf;
	int c;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mount("t", "d", "tmpfs", 0, "size=1m"));
	CHECK_OK(mkdir("d/sub", 0700));
	CHECK_ERR(fspick_(AT_FDCWD, "d/sub", 0), EINVAL);
	CHECK_ERR(fspick_(AT_FDCWD, "d", 0x100), EINVAL);
	CHECK_OK(c = fspick_(AT_FDCWD, "d", FSPICK_CLOEXEC));
	CHECK_OK(fsconfig_(c, FSCONFIG_SET_STRING, "size", "2m", 0));
	CHECK_OK(fsconfig_(c, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	CHECK_OK(fsconfig_(c, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	CHECK_OK(statfs("d", &sf));
	CHECK_EQ(sf.f_blocks * (unsigned long)sf.f_bsize, 2 << 20);
	CHECK_ERR(open("d/x", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_OK(umount("d"));
}

TEST(mount_setattr_flags)
{
	char opt[500];

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mount("t", "d", "tmpfs", MS_NOEXEC, NULL));
	CHECK_OK(setattr_(AT_FDCWD, "d", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC, 0));
	options_of(here("d"), opt, sizeof(opt));
	CHECK(strncmp(opt, "ro,nosuid,relatime ", 19) == 0);
	CHECK_ERR(open("d/x", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_OK(setattr_(AT_FDCWD, "d", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY, 0));
	options_of(here("d"), opt, sizeof(opt));
	CHECK(strncmp(opt, "rw,nosuid,noatime ", 18) == 0);
	int fd = open("d/x", O_CREAT | O_RDWR, 0600);
	CHECK_OK(fd);
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, MOUNT_ATTR_RDONLY, 0, 0), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(setattr_(AT_FDCWD, "d", 0, 0, 0, MS_SHARED));
	options_of(here("d"), opt, sizeof(opt));
	CHECK(strstr(opt, "shared:"));
	CHECK_OK(setattr_(AT_FDCWD, "d", 0, 0, 0, MS_PRIVATE));
	CHECK_OK(umount("d"));
}

TEST(mount_setattr_errors)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY };
	char big[64] = { 0 };

	CHECK_OK(mkdir("d", 0700));
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, MOUNT_ATTR_RDONLY, 0, 0), EINVAL); /* no mount's root */
	CHECK_OK(mount("t", "d", "tmpfs", 0, NULL));
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0x10, MOUNT_ATTR_RDONLY, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, 1ull << 40, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, MOUNT_ATTR_NOATIME, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, 0, MOUNT_ATTR_NOATIME, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, 0, 0, MS_SHARED | MS_SLAVE), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "d", 0, 0, 0, MS_NOEXEC), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "none", 0, MOUNT_ATTR_RDONLY, 0, 0), ENOENT);
	CHECK_OK(setattr_(AT_FDCWD, "none", 0, 0, 0, 0)); /* nothing to do: not looked up */
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, &a, 31), EINVAL);
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, &a, 5000), E2BIG);
	big[40] = 1;
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "d", 0, big, 64), E2BIG);
	CHECK_OK(umount("d"));
}

TEST(newer_mount_calls_need_privilege)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setresuid(1, 1, 1))
			_exit(9);
		int bad = !(fsopen_("tmpfs", 99) == -1 && errno == EPERM);
		bad |= !(open_tree_(AT_FDCWD, "/", OPEN_TREE_CLONE) == -1 && errno == EPERM) << 1;
		bad |= !(move_mount_(AT_FDCWD, "/x", AT_FDCWD, "/y", 0x1000) == -1 && errno == EPERM) << 2;
		bad |= !(fspick_(AT_FDCWD, "/", 99) == -1 && errno == EPERM) << 3;
		bad |= !(fsmount_(99, 99, 0) == -1 && errno == EPERM) << 4;
		bad |= !(setattr_(AT_FDCWD, "/", 0, 0, 0, 0) == -1 && errno == EPERM) << 5;
		_exit(bad);
	}
	test_wait_exit(pid, 0);
}

TEST(mountstats_names_every_mount)
{
	char want[600], line[1000];
	bool found = false;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mount("my dev", "d", "tmpfs", 0, NULL));
	snprintf(want, sizeof(want), "device my\\040dev mounted on %s with fstype tmpfs\n", here("d"));
	FILE *f = fopen("/proc/self/mountstats", "r");
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		found |= !strcmp(line, want);
	fclose(f);
	CHECK(found);
	CHECK_OK(umount("d"));
}
