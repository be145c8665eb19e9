/* Permissions: mode bits, set-id bits, umask, sticky and set-group-id directories, access(2). */

#include "test.h"

#include <sys/sysmacros.h>

#include <sys/fsuid.h>
#include <sys/mount.h>

enum { USER = 1234, OTHER = 4321, GROUP = 5678 };

static void need_root(void)
{
	if (!test_is_root())
		test_skip("not root");
	CHECK_OK(chmod(".", 0755));
	umask(0);
}

static void make(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);

	CHECK(fd >= 0);
	CHECK_OK(fchown(fd, uid, gid));
	CHECK_OK(fchmod(fd, mode));
	CHECK_OK(close(fd));
}

static void become(uid_t uid, gid_t gid)
{
	CHECK_OK(syscall(SYS_setgroups, 0, NULL));
	CHECK_OK(syscall(SYS_setresgid, gid, gid, gid));
	CHECK_OK(syscall(SYS_setresuid, uid, uid, uid));
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_mode & 07777;
}

TEST(one_class_of_bits_applies)
{
	need_root();
	make("owner", 0077, USER, 0);
	make("group", 0707, 0, GROUP);
	make("others", 0770, 0, 0);
	make("mine", 0600, USER, 0);
	become(USER, GROUP);
	CHECK_ERR(open("owner", O_RDONLY), EACCES);
	CHECK_ERR(open("group", O_RDONLY), EACCES);
	CHECK_ERR(open("others", O_RDONLY), EACCES);
	CHECK_OK(open("mine", O_RDWR));
	CHECK_ERR(access("mine", X_OK), EACCES);
}

TEST(root_needs_one_execute_bit)
{
	need_root();
	make("none", 0000, USER, GROUP);
	make("some", 0001, USER, GROUP);
	CHECK_OK(open("none", O_RDWR));
	CHECK_ERR(access("none", X_OK), EACCES);
	CHECK_OK(access("some", X_OK));
}

TEST(directories_search_and_write)
{
	need_root();
	CHECK_OK(mkdir("noexec", 0700));
	make("noexec/f", 0666, USER, GROUP);
	CHECK_OK(chmod("noexec", 0666));
	CHECK_OK(mkdir("nowrite", 0755));
	make("nowrite/f", 0666, USER, GROUP);
	CHECK_OK(mkdir("noread", 0733));
	become(USER, GROUP);
	CHECK_ERR(open("noexec/f", O_RDONLY), EACCES);
	CHECK_OK(open("noexec", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(chdir("noexec"), EACCES);
	CHECK_ERR(unlink("nowrite/f"), EACCES);
	CHECK_ERR(open("nowrite/new", O_CREAT | O_WRONLY, 0644), EACCES);
	CHECK_ERR(mkdir("nowrite/f", 0755), EEXIST);
	CHECK_ERR(rename("nowrite/f", "nowrite/g"), EACCES);
	CHECK_ERR(open("noread", O_RDONLY), EACCES);
	CHECK_OK(open("noread/new", O_CREAT | O_WRONLY, 0644));
}

TEST(fsuid_decides)
{
	need_root();
	make("mine", 0600, USER, GROUP);
	make("theirs", 0600, OTHER, GROUP);
	setfsuid(USER);
	CHECK_EQ(setfsuid(USER), USER);
	CHECK_OK(open("mine", O_RDWR));
	CHECK_ERR(open("theirs", O_RDWR), EACCES);
	setfsuid(0);
	CHECK_OK(open("theirs", O_RDWR));
}

TEST(access_uses_real_ids)
{
	need_root();
	make("mine", 0600, 0, 0);
	CHECK_OK(syscall(SYS_setresuid, USER, 0, 0));
	CHECK_OK(open("mine", O_RDONLY));
	CHECK_ERR(access("mine", R_OK), EACCES);
	CHECK_OK(faccessat(AT_FDCWD, "mine", R_OK, AT_EACCESS));
	CHECK_OK(access("mine", F_OK));
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "mine", 8, 0), EINVAL);
}

TEST(umask_applies)
{
	need_root();
	umask(027);
	CHECK_OK(open("f", O_CREAT | O_WRONLY, 0777));
	CHECK_EQ(mode_of("f"), 0750);
	CHECK_OK(mkdir("d", 0777));
	CHECK_EQ(mode_of("d"), 0750);
	CHECK_OK(mkfifo("p", 0666));
	CHECK_EQ(mode_of("p"), 0640);
	CHECK_OK(symlink("x", "l"));
	CHECK_EQ(mode_of("l"), 0777);
	CHECK_EQ(umask(0777), 027);
	CHECK_EQ(umask(01777), 0777);
	CHECK_EQ(umask(0), 0777);
}

TEST(creator_opens_what_the_mode_forbids)
{
	need_root();
	CHECK_OK(chmod(".", 0777));
	become(USER, GROUP);
	int fd = open("f", O_CREAT | O_RDWR, 0000);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(open("f", O_RDONLY), EACCES);
}

TEST(sticky_directories)
{
	need_root();
	CHECK_OK(mkdir("t", 0));
	CHECK_OK(chmod("t", 01777));
	make("t/theirs", 0666, OTHER, GROUP);
	make("t/mine", 0666, USER, GROUP);
	make("t/target", 0666, OTHER, GROUP);
	CHECK_OK(mkdir("t/d", 0777));
	CHECK_OK(chown("t/d", OTHER, GROUP));
	become(USER, GROUP);
	CHECK_ERR(unlink("t/theirs"), EPERM);
	CHECK_ERR(rename("t/theirs", "t/x"), EPERM);
	CHECK_ERR(rename("t/mine", "t/target"), EPERM);
	CHECK_ERR(rmdir("t/d"), EPERM);
	CHECK_OK(rename("t/mine", "t/mine2"));
	CHECK_OK(unlink("t/mine2"));
}

TEST(set_group_id_directories)
{
	struct stat st;

	need_root();
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chown("d", 0, GROUP));
	CHECK_OK(chmod("d", 02777));
	CHECK_OK(open("d/f", O_CREAT | O_WRONLY, 0644));
	CHECK_OK(stat("d/f", &st));
	CHECK_EQ(st.st_gid, GROUP);
	CHECK_OK(mkdir("d/sub", 0755));
	CHECK_OK(stat("d/sub", &st));
	CHECK_EQ(st.st_gid, GROUP);
	CHECK_EQ(st.st_mode & 07777, 02755);
}

TEST(chown_rules)
{
	need_root();
	make("mine", 0644, USER, OTHER);
	make("suid", 06755, USER, GROUP);
	make("sgid-only", 02745, USER, GROUP);
	CHECK_OK(chown("suid", USER, GROUP));
	CHECK_EQ(mode_of("suid"), 0755);
	CHECK_OK(chmod("suid", 06755));
	become(USER, GROUP);
	CHECK_ERR(chown("mine", OTHER, -1), EPERM);
	CHECK_ERR(chown("mine", -1, 999), EPERM);
	CHECK_OK(chown("mine", USER, GROUP));
	CHECK_OK(chown("mine", -1, -1));
	CHECK_OK(chown("suid", -1, GROUP));
	CHECK_EQ(mode_of("suid"), 0755);
}

TEST(chmod_rules)
{
	need_root();
	make("theirs", 0666, OTHER, GROUP);
	make("mine", 0644, USER, OTHER);
	become(USER, GROUP);
	CHECK_ERR(chmod("theirs", 0600), EPERM);
	CHECK_OK(chmod("mine", 06755));
	CHECK_EQ(mode_of("mine"), 04755); /* not in the file's group */
	CHECK_ERR(chmod("none", 0600), ENOENT);
}

TEST(writing_takes_set_id_bits)
{
	need_root();
	CHECK_OK(chmod(".", 0777));
	become(USER, GROUP);
	int fd = open("f", O_CREAT | O_RDWR, 0755);
	CHECK_OK(fchmod(fd, 06755));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(mode_of("f"), 0755);
	CHECK_OK(fchmod(fd, 06755));
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(mode_of("f"), 0755);
}

TEST(device_nodes_need_a_capability)
{
	need_root();
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	CHECK_ERR(mknod("dir", S_IFDIR | 0755, 0), EPERM);
	CHECK_ERR(mknod("what", S_IFLNK | 0755, 0), EINVAL);
	become(USER, GROUP);
	CHECK_ERR(mknod("null2", S_IFCHR | 0666, makedev(1, 3)), EPERM);
	CHECK_OK(mknod("fifo", S_IFIFO | 0666, 0));
	CHECK_OK(mknod("file", 0644, 0));
	CHECK_OK(mknod("sock", S_IFSOCK | 0644, 0));
	CHECK_ERR(open("sock", O_RDONLY), ENXIO);
}

/* access(2) asks the real ids about the directories on the way too. */
TEST(access_walks_with_the_real_ids)
{
	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(close(open("d/f", O_CREAT | O_RDWR, 0666)));
	CHECK_OK(chmod("d/f", 0666));
	CHECK_OK(setresuid(1000, 0, 0));
	CHECK_ERR(access("d/f", R_OK), EACCES);
	CHECK_ERR(access("d/nope", F_OK), EACCES);
	CHECK_OK(syscall(SYS_faccessat2, AT_FDCWD, "d/f", R_OK, AT_EACCESS));
	CHECK_OK(close(open("d/f", O_RDONLY)));
}

TEST(read_only_comes_before_a_missing_name)
{
	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", MS_RDONLY, NULL));
	CHECK_ERR(unlink("m/nope"), EROFS);
	CHECK_ERR(rmdir("m/nope"), EROFS);
	CHECK_OK(umount("m"));
	CHECK_ERR(open(".", O_TMPFILE | O_CREAT | O_RDWR, 0600), EINVAL);
}
