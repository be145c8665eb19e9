/* Extended attributes: xattr(7). */

#include "test.h"

#include <sys/xattr.h>

static void make(void)
{
	CHECK_OK(close(open("f", O_CREAT | O_WRONLY, 0644)));
	if (setxattr("f", "user.probe", "x", 1, 0) == -1 && errno == ENOTSUP)
		test_skip("this file system has no user attributes");
	CHECK_OK(removexattr("f", "user.probe"));
}

TEST(set_get_list_remove)
{
	char buf[100];

	make();
	CHECK_OK(setxattr("f", "user.a", "value", 5, 0));
	CHECK_EQ(getxattr("f", "user.a", buf, sizeof(buf)), 5);
	CHECK(memcmp(buf, "value", 5) == 0);
	CHECK_EQ(getxattr("f", "user.a", NULL, 0), 5);
	CHECK_ERR(getxattr("f", "user.a", buf, 4), ERANGE);
	CHECK_ERR(getxattr("f", "user.none", buf, 4), ENODATA);
	CHECK_ERR(setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("f", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
	CHECK_OK(setxattr("f", "user.b", "", 0, 0));
	CHECK_EQ(getxattr("f", "user.b", buf, sizeof(buf)), 0);
	CHECK_OK(setxattr("f", "user.a", "new", 3, XATTR_REPLACE));
	ssize_t n = listxattr("f", buf, sizeof(buf));
	CHECK(n >= 14);
	CHECK(memmem(buf, (size_t)n, "user.a", 7) && memmem(buf, (size_t)n, "user.b", 7));
	CHECK_EQ(listxattr("f", NULL, 0), n);
	CHECK_ERR(listxattr("f", buf, 3), ERANGE);
	CHECK_OK(removexattr("f", "user.a"));
	CHECK_ERR(removexattr("f", "user.a"), ENODATA);
}

TEST(names_and_sizes)
{
	char name[300], *big = calloc(1, 70000);

	make();
	CHECK_ERR(setxattr("f", "", "x", 1, 0), ERANGE);
	strcpy(name, "user.");
	memset(name + 5, 'n', 290);
	name[256] = 0;
	CHECK_ERR(setxattr("f", name, "x", 1, 0), ERANGE);
	CHECK_ERR(setxattr("f", "user.big", big, 65537, 0), E2BIG);
	CHECK_ERR(setxattr("f", "nospace", "x", 1, 0), ENOTSUP);
	CHECK_ERR(setxattr("f", "user.a", "x", 1, 4), EINVAL);
}

TEST(links_and_descriptors)
{
	char buf[10];
	int fd;

	make();
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(setxattr("l", "user.a", "x", 1, 0));
	CHECK_EQ(getxattr("f", "user.a", buf, 10), 1);
	CHECK_ERR(lsetxattr("l", "user.a", "x", 1, 0), EPERM);
	fd = open("f", O_RDONLY);
	CHECK_OK(fsetxattr(fd, "user.b", "yy", 2, 0));
	CHECK_EQ(fgetxattr(fd, "user.b", buf, 10), 2);
	CHECK(flistxattr(fd, NULL, 0) > 0);
	CHECK_OK(fremovexattr(fd, "user.b"));
	CHECK_ERR(fgetxattr(999, "user.b", buf, 10), EBADF);
}

TEST(name_spaces_and_permissions)
{
	char buf[100];

	if (!test_is_root())
		test_skip("not root");
	make();
	CHECK_OK(chmod(".", 0755));
	if (setxattr("f", "trusted.t", "x", 1, 0) == -1)
		test_skip("no trusted attributes here: %s", strerror(errno));
	CHECK_OK(setxattr("f", "user.a", "x", 1, 0));
	CHECK_OK(syscall(SYS_setresuid, 1234, 1234, 1234));
	CHECK_ERR(setxattr("f", "trusted.u", "x", 1, 0), EPERM);
	CHECK_ERR(getxattr("f", "trusted.t", buf, 10), ENODATA);
	CHECK_EQ(getxattr("f", "user.a", buf, 10), 1);
	CHECK_ERR(setxattr("f", "user.a", "x", 1, 0), EACCES);
	CHECK_ERR(setxattr("f", "security.x", "x", 1, 0), EPERM);
	ssize_t n = listxattr("f", buf, sizeof(buf));
	CHECK(n > 0 && memmem(buf, (size_t)n, "trusted", 7) == NULL);
}
