/* rename(2) and its flags; link(2), unlink(2) and their counts. */

#include "test.h"

#include <dirent.h>
#include <linux/fs.h>

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_OK(close(fd));
}

static ino_t ino_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_ino;
}

static nlink_t links_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_nlink;
}

static long rename2(const char *from, const char *to, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST(rename_matrix)
{
	ino_t ino;

	touch("f");
	touch("g");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("empty", 0755));
	CHECK_OK(mkdir("full", 0755));
	touch("full/x");
	ino = ino_of("f");
	CHECK_OK(rename("f", "new"));
	CHECK_EQ(ino_of("new"), ino);
	CHECK_ERR(access("f", F_OK), ENOENT);
	CHECK_OK(rename("new", "g"));
	CHECK_EQ(ino_of("g"), ino);
	CHECK_ERR(rename("none", "x"), ENOENT);
	CHECK_ERR(rename("g", "d"), EISDIR);
	CHECK_ERR(rename("d", "g"), ENOTDIR);
	CHECK_ERR(rename("d", "full"), ENOTEMPTY);
	ino = ino_of("d");
	CHECK_OK(rename("d", "empty"));
	CHECK_EQ(ino_of("empty"), ino);
	CHECK_ERR(rename("empty", "empty/sub"), EINVAL);
	CHECK_ERR(rename("full/x", "full"), ENOTEMPTY);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("full/..", "x"), EBUSY);
	CHECK_ERR(rename("full", "empty/.."), EBUSY);
	CHECK_ERR(rename("g", "h/"), ENOTDIR);
	CHECK_ERR(rename("g/", "h"), ENOTDIR);
	CHECK_OK(rename("full/", "full2/"));
	CHECK_ERR(rename("", "x"), ENOENT);
	CHECK_ERR(rename("g", ""), ENOENT);
}

TEST(rename_of_two_names_of_one_file_keeps_both)
{
	touch("a");
	CHECK_OK(link("a", "b"));
	CHECK_OK(rename("a", "b"));
	CHECK_EQ(links_of("a"), 2);
	CHECK_EQ(links_of("b"), 2);
	CHECK_OK(rename("a", "a"));
}

TEST(rename_directories_keeps_link_counts)
{
	CHECK_OK(mkdir("p", 0755));
	CHECK_OK(mkdir("q", 0755));
	CHECK_OK(mkdir("p/d", 0755));
	CHECK_EQ(links_of("p"), 3);
	CHECK_OK(rename("p/d", "q/d"));
	CHECK_EQ(links_of("p"), 2);
	CHECK_EQ(links_of("q"), 3);
	CHECK_EQ(ino_of("q/d/.."), ino_of("q"));
	CHECK_OK(mkdir("p/e", 0755));
	CHECK_OK(rename("p/e", "q/d"));
	CHECK_EQ(links_of("p"), 2);
	CHECK_EQ(links_of("q"), 3);
}

TEST(rename_flags)
{
	ino_t a, d;

	touch("a");
	touch("b");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/sub", 0755));
	a = ino_of("a");
	d = ino_of("d");
	if (rename2("a", "b", RENAME_NOREPLACE) == -1 && errno == EINVAL)
		test_skip("this file system has no flags");
	CHECK_ERR(rename2("a", "b", RENAME_NOREPLACE), EEXIST);
	CHECK_OK(rename2("a", "c", RENAME_NOREPLACE));
	CHECK_ERR(rename2("c", "none", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(rename2("c", "b", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERR(rename2("c", "b", 1 << 10), EINVAL);
	CHECK_OK(rename2("c", "d", RENAME_EXCHANGE));
	CHECK_EQ(ino_of("d"), a);
	CHECK_EQ(ino_of("c"), d);
	CHECK_OK(access("c/sub", F_OK));
	CHECK_ERR(rename2("c", "c/sub", RENAME_EXCHANGE), EINVAL);
	CHECK_ERR(rename2("c/sub", "c", RENAME_EXCHANGE), EINVAL);
}

TEST(rename_exchange_across_directories)
{
	CHECK_OK(mkdir("p", 0755));
	CHECK_OK(mkdir("q", 0755));
	CHECK_OK(mkdir("p/d", 0755));
	touch("q/f");
	if (rename2("p/d", "q/f", RENAME_EXCHANGE) == -1 && errno == EINVAL)
		test_skip("this file system has no flags");
	CHECK_EQ(links_of("p"), 2);
	CHECK_EQ(links_of("q"), 3);
	CHECK_OK(rmdir("q/f"));
	CHECK_OK(unlink("p/d"));
}

TEST(open_file_survives_unlink_and_replacement)
{
	struct stat st;
	char buf[4];
	int fd;

	fd = open("f", O_CREAT | O_RDWR, 0644);
	CHECK_EQ(write(fd, "abc", 3), 3);
	touch("g");
	CHECK_OK(rename("g", "f"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pread(fd, buf, 4, 0), 3);
	CHECK(memcmp(buf, "abc", 3) == 0);
	CHECK_OK(unlink("f"));
	CHECK_ERR(access("f", F_OK), ENOENT);
	touch("f");
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_size, 0);
}

TEST(link_counts_and_errors)
{
	touch("a");
	CHECK_OK(link("a", "b"));
	CHECK_EQ(links_of("a"), 2);
	CHECK_EQ(ino_of("a"), ino_of("b"));
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link("none", "c"), ENOENT);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_OK(symlink("a", "l"));
	CHECK_OK(link("l", "l2"));
	CHECK_EQ(links_of("l"), 2);
	CHECK_OK(linkat(AT_FDCWD, "l", AT_FDCWD, "c", AT_SYMLINK_FOLLOW));
	CHECK_EQ(links_of("a"), 3);
	CHECK_OK(unlink("a"));
	CHECK_EQ(links_of("b"), 2);
	CHECK_ERR(unlinkat(AT_FDCWD, "b", 0x10000), EINVAL);
}

TEST(directory_link_counts)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_EQ(links_of("d"), 2);
	CHECK_OK(mkdir("d/a", 0755));
	CHECK_OK(mkdir("d/b", 0755));
	touch("d/f");
	CHECK_EQ(links_of("d"), 4);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(rmdir("d/f"), ENOTDIR);
	CHECK_ERR(unlink("d/a"), EISDIR);
	CHECK_OK(rmdir("d/a"));
	CHECK_OK(rmdir("d/b"));
	CHECK_EQ(links_of("d"), 2);
	CHECK_OK(unlink("d/f"));
	CHECK_OK(rmdir("d"));
	CHECK_ERR(rmdir("d"), ENOENT);
}

TEST(tmpfile_gets_a_name)
{
	struct stat st;
	char name[40];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		test_skip("no O_TMPFILE: %s", strerror(errno));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (access("/proc/self/fd", F_OK))
		test_skip("no /proc");
	CHECK_OK(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_OK(stat("named", &st));
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_size, 1);
	fd = open(".", O_TMPFILE | O_EXCL | O_RDWR, 0600);
	CHECK(fd >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK_ERR(linkat(AT_FDCWD, name, AT_FDCWD, "other", AT_SYMLINK_FOLLOW), ENOENT);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}
