/* Path resolution: links, slashes, dots, roots, the flags of openat2(2). path_resolution(7), symlink(7). */

#include "test.h"

#include <linux/openat2.h>

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_OK(close(fd));
}

static void write_to(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (long long)strlen(text));
	CHECK_OK(close(fd));
}

static char first_byte(const char *name)
{
	int fd = open(name, O_RDONLY);
	char c = 0;

	CHECK(fd >= 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_OK(close(fd));
	return c;
}

TEST(relative_link_starts_at_its_directory)
{
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	write_to("a/file", "A");
	write_to("b/file", "B");
	CHECK_OK(symlink("file", "a/link"));
	CHECK_OK(chdir("b"));
	CHECK_EQ(first_byte("../a/link"), 'A');
	CHECK_OK(symlink("../a/link", "second"));
	CHECK_OK(chdir(".."));
	CHECK_EQ(first_byte("b/second"), 'A');
}

TEST(trailing_slashes)
{
	struct stat st;

	touch("f");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("d", "ld"));
	CHECK_OK(symlink("f", "lf"));
	CHECK_ERR(stat("f/", &st), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(lstat("lf/", &st), ENOTDIR);
	CHECK_OK(lstat("ld", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_OK(lstat("ld/", &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_OK(mkdir("new/", 0755));
	CHECK_ERR(open("new2/", O_CREAT | O_WRONLY, 0644), EISDIR);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(unlink("d/"), EISDIR);
	CHECK_ERR(symlink("x", "nothing/"), ENOENT);
	CHECK_ERR(mknod("nothing/", S_IFREG | 0644, 0), ENOENT);
	CHECK_OK(rmdir("new/"));
	CHECK_ERR(rmdir("ld/"), ENOTDIR);
	CHECK_ERR(rmdir("ld"), ENOTDIR);
}

TEST(dots)
{
	struct stat a, b;

	CHECK_OK(mkdir("d", 0755));
	touch("f");
	CHECK_OK(stat(".", &a));
	CHECK_OK(stat("d/..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("./d/./../d/..//.", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(stat("f/.", &b), ENOTDIR);
	CHECK_ERR(stat("f/..", &b), ENOTDIR);
	CHECK_ERR(stat("no/..", &b), ENOENT);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(mkdir("d/..", 0755), EEXIST);
	CHECK_ERR(rmdir("."), EINVAL);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERR(unlink("."), EISDIR);
	CHECK_ERR(unlink("/"), EISDIR);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK_ERR(mkdir("/", 0755), EEXIST);
	CHECK_OK(stat("/", &a));
	CHECK_OK(stat("/../..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
}

TEST(errors_of_names)
{
	char name[PATH_MAX + 10];
	struct stat st;

	CHECK_ERR(stat("", &st), ENOENT);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(stat((char *)1, &st), EFAULT);
	memset(name, 'x', sizeof(name));
	name[256] = 0;
	CHECK_ERR(stat(name, &st), ENAMETOOLONG);
	name[255] = 0;
	CHECK_ERR(stat(name, &st), ENOENT);
	CHECK_OK(mkdir(name, 0755));
	CHECK_OK(rmdir(name));
	for (size_t i = 0; i < sizeof(name); i += 2)
		memcpy(name + i, "./", 2);
	name[PATH_MAX] = 0;
	CHECK_ERR(stat(name, &st), ENAMETOOLONG);
	name[PATH_MAX - 1] = 0;
	CHECK_OK(stat(name, &st));
	touch("f");
	CHECK_ERR(stat("f/x", &st), ENOTDIR);
	CHECK_ERR(stat("none/x", &st), ENOENT);
	CHECK_ERR(openat(9999, "x", O_RDONLY), EBADF);
	CHECK_OK(fstatat(9999, "/", &st, 0));
}

TEST(link_limits)
{
	char name[32], to[32];
	struct stat st;

	touch("l0");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(to, sizeof(to), "l%d", i - 1);
		CHECK_OK(symlink(to, name));
	}
	CHECK_OK(stat("l40", &st));
	CHECK_ERR(stat("l41", &st), ELOOP);
	CHECK_OK(lstat("l41", &st));
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERR(stat("loop", &st), ELOOP);
	CHECK_ERR(open("loop", O_CREAT | O_WRONLY, 0644), ELOOP);
	CHECK_ERR(stat("loop/x", &st), ELOOP);
}

TEST(nested_links_keep_the_rest)
{
	struct stat a, b;

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(symlink("d/e/..", "x"));
	for (int i = 0; i < 12; i++) {
		char name[16], to[16];

		snprintf(name, sizeof(name), "y%d", i);
		snprintf(to, sizeof(to), i ? "y%d/e/.." : "x/e/..", i - 1);
		CHECK_OK(symlink(to, name));
	}
	CHECK_OK(stat("d/e", &a));
	CHECK_OK(stat("y11/e", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
}

TEST(readlink_cuts_and_does_not_terminate)
{
	char buf[8];

	CHECK_OK(symlink("0123456789", "l"));
	memset(buf, '#', sizeof(buf));
	CHECK_EQ(readlink("l", buf, 4), 4);
	CHECK(memcmp(buf, "0123####", 8) == 0);
	CHECK_ERR(readlink("l", buf, 0), EINVAL);
	touch("f");
	CHECK_ERR(readlink("f", buf, 4), EINVAL);
	CHECK_ERR(symlink("", "empty"), ENOENT);
	CHECK_ERR(symlink("x", "l"), EEXIST);
}

TEST(create_through_dangling_link)
{
	struct stat st;

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("d/target", "l"));
	CHECK_ERR(open("l", O_RDONLY), ENOENT);
	CHECK_ERR(open("l", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
	CHECK_ERR(open("l", O_CREAT | O_NOFOLLOW | O_WRONLY, 0644), ELOOP);
	int fd = open("l", O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0);
	CHECK_OK(lstat("d/target", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERR(mkdir("l", 0755), EEXIST);
	CHECK_OK(symlink("none/target", "l2"));
	CHECK_ERR(open("l2", O_CREAT | O_WRONLY, 0644), ENOENT);
}

TEST(nofollow_directory_and_path_only)
{
	struct stat st;
	char buf[8];
	int fd;

	CHECK_OK(mkdir("d", 0755));
	touch("f");
	CHECK_OK(symlink("d", "ld"));
	CHECK_ERR(open("ld", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("d", O_WRONLY), EISDIR);
	CHECK_ERR(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	fd = open("ld", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(fd, "", buf, sizeof(buf)), 1);
	CHECK_OK(close(fd));
	fd = open("f", O_PATH);
	CHECK_ERR(read(fd, buf, 1), EBADF);
	CHECK_ERR(fchmod(fd, 0600), EBADF);
	CHECK_OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERR(readlinkat(fd, "", buf, sizeof(buf)), ENOENT);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	CHECK_ERR(fstatat(fd, "", &st, 0), ENOENT);
}

static long openat2_at(const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof(how));
}

TEST(openat2_restrictions)
{
	int fd;

	if (openat2_at(".", O_RDONLY, 0) == -1 && errno == ENOSYS)
		test_skip("no openat2");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	touch("f");
	touch("d/g");
	CHECK_OK(symlink("../f", "d/out"));
	CHECK_OK(symlink("/d", "abs"));
	CHECK_ERR(openat2_at("d/out", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_OK(openat2_at("d/out", O_RDONLY, RESOLVE_BENEATH));
	fd = open("d", O_PATH | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK_OK(fchdir(fd));
	CHECK_ERR(openat2_at("out", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(openat2_at("..", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(openat2_at("/", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_OK(openat2_at("e/../g", O_RDONLY, RESOLVE_BENEATH));
	CHECK_ERR(openat2_at("out", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	CHECK_OK(openat2_at("../../g", O_RDONLY, RESOLVE_IN_ROOT));
	CHECK_OK(openat2_at("/g", O_RDONLY, RESOLVE_IN_ROOT));
	CHECK_OK(chdir(".."));
	CHECK_ERR(openat2_at("abs/g", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_OK(openat2_at("abs/g", O_RDONLY, RESOLVE_IN_ROOT));
	CHECK_ERR(openat2_at("f", O_RDONLY, 1 << 20), EINVAL);
	CHECK_ERR(openat2_at("f", 1ull << 40, 0), EINVAL);
	CHECK_ERR(openat2_at("f", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
}

TEST(chroot_contains)
{
	struct stat st, top;
	char cwd[PATH_MAX];

	if (!test_is_root())
		test_skip("not root");
	CHECK_OK(mkdir("r", 0755));
	CHECK_OK(mkdir("r/d", 0755));
	touch("outside");
	CHECK_OK(symlink("/d", "r/abs"));
	CHECK_OK(symlink("../../outside", "r/d/up"));
	CHECK_OK(stat("r", &top));
	CHECK_OK(chroot("r"));
	CHECK_OK(chdir("/"));
	CHECK_OK(stat("..", &st));
	CHECK_EQ(st.st_ino, top.st_ino);
	CHECK_OK(stat("/abs", &st));
	CHECK_ERR(stat("d/up", &st), ENOENT);
	CHECK_OK(chdir("d"));
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(cwd, "/d");
	CHECK_OK(chdir("../../.."));
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(cwd, "/");
}

TEST(getcwd_and_deleted_directories)
{
	char cwd[PATH_MAX], small[4];
	size_t n;

	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	n = strlen(cwd);
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(chdir("dir"));
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(cwd + n, "/dir");
	CHECK_EQ(syscall(SYS_getcwd, cwd, sizeof(cwd)), (long long)n + 5);
	CHECK_ERR(syscall(SYS_getcwd, small, sizeof(small)), ERANGE);
	CHECK_OK(rename("../dir", "../other"));
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(cwd + n, "/other");
	CHECK_OK(rmdir("../other"));
	CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_ERR(open("f", O_CREAT | O_WRONLY, 0644), ENOENT);
	CHECK_ERR(mkdir("d", 0755), ENOENT);
	CHECK_OK(chdir(".."));
}
