/* POSIX ACLs and file capabilities, as extended attributes on tmpfs. Sources: acl(5), capabilities(7). */

#include "test.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define CAPS    "security.capability"

enum { UO = 1, U = 2, GO = 4, G = 8, M = 16, O = 32 };

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};
struct list {
	uint32_t version;
	struct entry e[8];
};

static size_t bytes(int n)
{
	return 4 + (size_t)n * sizeof(struct entry);
}

/* tmpfs has them; the directory of the test may be on something else. */
static void begin(void)
{
	if (!test_is_root())
		test_skip("not root");
	CHECK_OK(mkdir("m", 0777));
	CHECK_OK(mount("t", "m", "tmpfs", 0, NULL));
	CHECK_OK(chdir("m"));
	umask(022);
}

static void end(void)
{
	CHECK_OK(chdir(".."));
	CHECK_OK(umount2("m", MNT_DETACH));
}

/* What access(2)-like checks say to a user without capabilities. */
static int try_as(unsigned uid, unsigned gid, const char *path, int flags)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			_exit(99);
		_exit(open(path, flags) >= 0 ? 0 : errno);
	}
	CHECK_OK(waitpid(pid, &st, 0));
	return WEXITSTATUS(st);
}

TEST(acl_grants_and_denies)
{
	struct list l = { 2, { { UO, 6, -1u }, { U, 6, 1000 }, { U, 0, 1001 }, { GO, 4, -1u }, { G, 6, 2000 }, { M, 6, -1u }, { O, 4, -1u } } };
	struct list got;
	struct stat st;

	begin();
	CHECK_OK(close(open("f", O_CREAT | O_RDWR, 0644)));
	CHECK_OK(chown("f", 7, 8));
	CHECK_OK(setxattr("f", ACCESS, &l, bytes(7), 0));
	CHECK_EQ(getxattr("f", ACCESS, &got, sizeof(got)), bytes(7));
	CHECK(memcmp(&l, &got, bytes(7)) == 0);
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0664); /* the group bits show the mask */
	CHECK_EQ(try_as(1000, 1000, "f", O_RDWR), 0);
	CHECK_EQ(try_as(1001, 1001, "f", O_RDONLY), EACCES); /* though others may read */
	CHECK_EQ(try_as(1002, 8, "f", O_RDONLY), 0);
	CHECK_EQ(try_as(1002, 8, "f", O_RDWR), EACCES);
	CHECK_EQ(try_as(1002, 2000, "f", O_RDWR), 0);
	CHECK_EQ(try_as(1002, 1002, "f", O_RDONLY), 0);
	CHECK_EQ(try_as(1002, 1002, "f", O_RDWR), EACCES);
	CHECK_OK(chmod("f", 0644)); /* the mask loses write */
	CHECK_EQ(try_as(1000, 1000, "f", O_RDWR), EACCES);
	CHECK_EQ(try_as(1000, 1000, "f", O_RDONLY), 0);
	CHECK_EQ(getxattr("f", ACCESS, &got, sizeof(got)), bytes(7));
	CHECK_EQ(got.e[5].perm, 4);
	CHECK_EQ(got.e[1].perm, 6);
	CHECK_OK(removexattr("f", ACCESS));
	CHECK_ERR(getxattr("f", ACCESS, &got, sizeof(got)), ENODATA);
	CHECK_EQ(try_as(1001, 1001, "f", O_RDONLY), 0);
	end();
}

TEST(acl_of_three_entries_is_the_mode)
{
	struct list l = { 2, { { UO, 7, -1u }, { GO, 5, -1u }, { O, 0, -1u } } };
	struct stat st;

	begin();
	CHECK_OK(close(open("f", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(setxattr("f", ACCESS, &l, bytes(3), 0));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0750);
	CHECK_ERR(getxattr("f", ACCESS, &l, sizeof(l)), ENODATA);
	CHECK_EQ(listxattr("f", NULL, 0), 0);
	end();
}

TEST(acl_on_a_directory_that_may_not_be_searched)
{
	struct list l = { 2, { { UO, 7, -1u }, { U, 0, 1001 }, { GO, 5, -1u }, { M, 5, -1u }, { O, 5, -1u } } };

	begin();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(close(open("d/f", O_CREAT | O_RDWR, 0644)));
	CHECK_EQ(try_as(1001, 1001, "d/f", O_RDONLY), 0);
	CHECK_OK(setxattr("d", ACCESS, &l, bytes(5), 0));
	CHECK_EQ(try_as(1001, 1001, "d/f", O_RDONLY), EACCES);
	CHECK_EQ(try_as(1002, 1002, "d/f", O_RDONLY), 0);
	CHECK_EQ(try_as(1001, 1001, "d/none", O_RDONLY), EACCES);
	end();
}

TEST(default_acl_is_inherited_and_replaces_the_umask)
{
	struct list l = { 2, { { UO, 7, -1u }, { U, 7, 1000 }, { GO, 5, -1u }, { M, 7, -1u }, { O, 0, -1u } } }, got;
	char names[100];
	struct stat st;

	begin();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(setxattr("d", DEFAULT, &l, bytes(5), 0));
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	umask(077);
	CHECK_OK(close(open("d/f", O_CREAT | O_RDWR, 0666)));
	CHECK_OK(stat("d/f", &st));
	CHECK_EQ(st.st_mode & 07777, 0660);
	CHECK_EQ(getxattr("d/f", ACCESS, &got, sizeof(got)), bytes(5));
	CHECK_EQ(got.e[0].perm, 6);
	CHECK_EQ(got.e[1].perm, 7);
	CHECK_EQ(got.e[3].perm, 6);
	CHECK_ERR(getxattr("d/f", DEFAULT, &got, sizeof(got)), ENODATA);
	CHECK_EQ(try_as(1000, 1000, "d/f", O_RDWR), 0);
	CHECK_OK(mkdir("d/s", 0777));
	CHECK_OK(stat("d/s", &st));
	CHECK_EQ(st.st_mode & 07777, 0770);
	CHECK_EQ(getxattr("d/s", DEFAULT, &got, sizeof(got)), bytes(5));
	CHECK_EQ(listxattr("d/s", names, sizeof(names)), sizeof(ACCESS) + sizeof(DEFAULT));
	CHECK_OK(mknod("d/p", S_IFIFO | 0666, 0));
	CHECK_OK(stat("d/p", &st));
	CHECK_EQ(st.st_mode & 07777, 0660);
	CHECK_OK(symlink("x", "d/l"));
	CHECK_OK(removexattr("d", DEFAULT));
	CHECK_OK(close(open("d/g", O_CREAT | O_RDWR, 0666)));
	CHECK_OK(stat("d/g", &st));
	CHECK_EQ(st.st_mode & 07777, 0600);
	end();
}

TEST(acl_values_that_are_wrong)
{
	struct list bad[] = {
		{ 2, { { UO, 7, -1u }, { GO, 5, -1u }, { U, 5, 1 }, { O, 5, -1u } } },	/* order */
		{ 2, { { UO, 7, -1u }, { U, 5, 1 }, { GO, 5, -1u }, { O, 5, -1u } } },	/* no mask */
		{ 2, { { UO, 7, -1u }, { GO, 5, -1u }, { M, 5, -1u } } },		/* no other */
		{ 2, { { UO, 15, -1u }, { GO, 5, -1u }, { M, 5, -1u }, { O, 5, -1u } } },
		{ 2, { { UO, 7, -1u }, { UO, 7, -1u }, { GO, 5, -1u }, { O, 5, -1u } } },
		{ 2, { { UO, 7, -1u }, { GO, 5, -1u }, { O, 5, -1u }, { 0x40, 5, -1u } } },
	};
	struct list ok = { 2, { { UO, 7, -1u }, { U, 6, 5 }, { GO, 5, -1u }, { M, 7, -1u }, { O, 5, -1u } } };

	begin();
	CHECK_OK(close(open("f", O_CREAT | O_RDWR, 0600)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (setxattr("f", ACCESS, &bad[i], bytes(i == 2 ? 3 : 4), 0) == 0 || errno != EINVAL)
			FAIL("%zu: %s", i, strerrorname_np(errno));
	}
	CHECK_ERR(setxattr("f", ACCESS, &ok, bytes(5) - 1, 0), EINVAL);
	ok.version = 1;
	CHECK_ERR(setxattr("f", ACCESS, &ok, bytes(5), 0), EOPNOTSUPP);
	ok.version = 2;
	CHECK_ERR(setxattr("f", DEFAULT, &ok, bytes(5), 0), EACCES);
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_OK(setxattr("f", ACCESS, &ok, bytes(5), 0));
	CHECK_EQ(getxattr("f", ACCESS, NULL, 0), bytes(5));
	CHECK_ERR(getxattr("f", ACCESS, &ok, 10), ERANGE);
	CHECK_OK(removexattr("f", ACCESS));
	CHECK_OK(removexattr("f", ACCESS)); /* nothing to remove is no error */
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	pid_t pid = fork();
	if (pid == 0) {
		if (setresuid(5, 5, 5))
			_exit(9);
		_exit(setxattr("f", ACCESS, &ok, bytes(5), 0) == -1 && errno == EPERM ? 0 : 1);
	}
	test_wait_exit(pid, 0);
	end();
}

/* --- file capabilities --- */

static void copy_self(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_RDWR, 0755);
	char b[4096];
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, b, sizeof(b))) > 0)
		CHECK_EQ(write(out, b, (size_t)n), n);
	close(in);
	CHECK_OK(close(out));
}

/* The effective set that a program executed from `file` by uid 1000 has; -1: errno. */
static long long effective_of(const char *file)
{
	char line[200];
	unsigned long long caps = ~0ull;
	int p[2];

	CHECK_OK(pipe(p));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(99);
		execl(file, file, "print-caps", NULL);
		dprintf(1, "ERR %d\n", errno);
		_exit(0);
	}
	close(p[1]);
	FILE *f = fdopen(p[0], "r");
	while (fgets(line, sizeof(line), f)) {
		int e;

		if (sscanf(line, "ERR %d", &e) == 1)
			caps = (unsigned long long)-e;
		sscanf(line, "CapEff: %llx", &caps);
	}
	fclose(f);
	waitpid(pid, NULL, 0);
	return (long long)caps;
}

__attribute__((constructor)) static void print_caps(int argc, char **argv)
{
	char line[200];

	if (argc != 2 || strcmp(argv[1], "print-caps"))
		return;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapEff:", 7))
			fputs(line, stdout);
	fflush(stdout);
	_exit(0);
}

TEST(file_capabilities_are_given_by_exec)
{
	struct vfs_cap_data c = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
				  .data = { { .permitted = 1u << CAP_NET_RAW } } };

	begin();
	copy_self("prog");
	CHECK_EQ(effective_of("./prog"), 0);
	CHECK_OK(setxattr("prog", CAPS, &c, sizeof(c), 0));
	CHECK_EQ(effective_of("./prog"), 1u << CAP_NET_RAW);
	c.magic_etc = VFS_CAP_REVISION_2; /* permitted, not effective */
	CHECK_OK(setxattr("prog", CAPS, &c, sizeof(c), 0));
	CHECK_EQ(effective_of("./prog"), 0);
	c.magic_etc |= VFS_CAP_FLAGS_EFFECTIVE;
	CHECK_OK(setxattr("prog", CAPS, &c, sizeof(c), 0));
	CHECK_OK(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	CHECK_EQ(effective_of("./prog"), 0);
	CHECK_OK(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND, NULL));
	end();
}

TEST(file_capabilities_beyond_the_bounding_set_are_eperm)
{
	struct vfs_cap_data c = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
				  .data = { { .permitted = 1u << CAP_NET_RAW } } };

	begin();
	copy_self("prog");
	CHECK_OK(setxattr("prog", CAPS, &c, sizeof(c), 0));
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
	CHECK_EQ(effective_of("./prog"), -EPERM);
	end();
}

TEST(file_capabilities_go_when_the_file_changes)
{
	struct vfs_cap_data c = { .magic_etc = VFS_CAP_REVISION_2, .data = { { .permitted = 1 } } };
	int fd;

	begin();
	CHECK_OK(fd = open("f", O_CREAT | O_RDWR, 0755));
	CHECK_ERR(setxattr("f", CAPS, &c, sizeof(c) - 1, 0), EINVAL);
	CHECK_ERR(setxattr("f", CAPS, "xxxxxxxxxxxxxxxxxxxx", 20, 0), EINVAL);
	CHECK_OK(setxattr("f", CAPS, &c, sizeof(c), 0));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(getxattr("f", CAPS, NULL, 0), ENODATA);
	CHECK_OK(setxattr("f", CAPS, &c, sizeof(c), 0));
	CHECK_OK(fchown(fd, 3, 3));
	CHECK_ERR(getxattr("f", CAPS, NULL, 0), ENODATA);
	CHECK_OK(setxattr("f", CAPS, &c, sizeof(c), 0));
	CHECK_OK(ftruncate(fd, 0));
	CHECK_ERR(getxattr("f", CAPS, NULL, 0), ENODATA);
	CHECK_OK(setxattr("f", CAPS, &c, sizeof(c), 0));
	CHECK_OK(fchmod(fd, 0700));
	CHECK_EQ(getxattr("f", CAPS, NULL, 0), 20);
	end();
}
