/* Names under fire from several processes at once. Nothing here depends on timing: only what must always hold is checked. */

#include "test.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/mount.h>

enum { ROUNDS = 2000 };

static int storm_child(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char a[40], b[80];

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(a, sizeof(a), "%s%u", rand_r(&seed) % 2 ? "" : "sub/", rand_r(&seed) % 6);
		snprintf(b, sizeof(b), "%sa-name-too-long-to-be-inline-in-anything-%u", rand_r(&seed) % 2 ? "" : "sub/",
			 rand_r(&seed) % 6);
		switch (rand_r(&seed) % 10) {
		case 0:
			close(open(a, O_CREAT | O_WRONLY, 0644));
			break;
		case 1:
			close(open(b, O_CREAT | O_WRONLY, 0644));
			break;
		case 2:
			unlink(a);
			break;
		case 3:
			rename(a, b);
			break;
		case 4:
			rename(b, a);
			break;
		case 5:
			link(a, b);
			break;
		case 6:
			mkdir(a, 0755);
			break;
		case 7:
			rmdir(a);
			break;
		case 8:
			symlink(b, a);
			break;
		case 9:
			syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
			break;
		}
	}
	return 0;
}

static int count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	char name[300];
	int n = 0;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
		CHECK_OK(lstat(name, &st));
		CHECK_EQ(st.st_ino, e->d_ino);
		n++;
	}
	closedir(d);
	return n;
}

TEST_TIMED(storm_leaves_a_sound_tree, 60)
{
	pid_t pid[4];
	struct stat st;

	CHECK_OK(mkdir("sub", 0755));
	for (uintptr_t i = 0; i < 4; i++)
		pid[i] = test_fork(storm_child, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		test_wait_exit(pid[i], 0);
	/* Every name that is listed can be found, and the link counts say how many directories there are. */
	for (int i = 0; i < 2; i++) {
		const char *dir = i ? "sub" : ".";
		DIR *d = opendir(dir);
		struct dirent *e;
		nlink_t dirs = 0;

		count_entries(dir);
		while ((e = readdir(d)) != NULL)
			dirs += e->d_type == DT_DIR;
		closedir(d);
		CHECK_OK(stat(dir, &st));
		if (st.st_nlink != 1) /* file systems that do not count */
			CHECK_EQ(st.st_nlink, dirs);
	}
}

static int renamer(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (rename("a", "b") || rename("b", "a"))
			return 1;
	}
	return 0;
}

TEST(exchange_never_loses_a_name)
{
	struct stat st;
	pid_t pid;

	CHECK_OK(mkdir("x", 0755));
	CHECK_OK(mkdir("y", 0755));
	CHECK_OK(close(open("x/f", O_CREAT | O_WRONLY, 0644)));
	CHECK_OK(close(open("y/f", O_CREAT | O_WRONLY, 0644)));
	if (syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", RENAME_EXCHANGE) == -1 && errno == EINVAL)
		test_skip("this file system has no flags");
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < ROUNDS; i++)
			if (syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", RENAME_EXCHANGE))
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(stat("x/f", &st));
		CHECK_OK(stat("y/f", &st));
		CHECK_OK(stat("x/../y/f", &st));
	}
	test_wait_exit(pid, 0);
}

TEST(replaced_file_is_always_there)
{
	pid_t pid;

	CHECK_OK(close(open("target", O_CREAT | O_WRONLY, 0644)));
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			int fd = open("new", O_CREAT | O_EXCL | O_WRONLY, 0644);

			if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) || rename("new", "target"))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open("target", O_RDONLY);

		CHECK(fd >= 0);
		CHECK_OK(close(fd));
	}
	test_wait_exit(pid, 0);
}

TEST(exclusive_creation_has_one_winner)
{
	for (int round = 0; round < 100; round++) {
		char name[20];
		pid_t pid[3];
		int won = 0;

		snprintf(name, sizeof(name), "f%d", round);
		for (int i = 0; i < 3; i++) {
			pid[i] = fork();
			if (pid[i] == 0)
				_exit(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0);
		}
		for (int i = 0; i < 3; i++) {
			int status;

			waitpid(pid[i], &status, 0);
			won += WEXITSTATUS(status);
		}
		CHECK_EQ(won, 1);
	}
}

static int deep_mover(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		rename("p/d", "q/d");
		rename("q/d", "p/d");
		rename("p", "q/d/p"); /* EINVAL or ENOENT, never a loop */
		rename("q", "p/d/q");
		rename("p/d/q", "q");
		rename("q/d/p", "p");
	}
	return 0;
}

TEST_TIMED(directories_never_become_their_own_ancestors, 60)
{
	char cwd[PATH_MAX];
	pid_t pid[3];

	CHECK_OK(mkdir("p", 0755));
	CHECK_OK(mkdir("q", 0755));
	CHECK_OK(mkdir("p/d", 0755));
	for (int i = 0; i < 3; i++)
		pid[i] = test_fork(deep_mover, NULL);
	for (int i = 0; i < 3; i++)
		test_wait_exit(pid[i], 0);
	CHECK(access("p", F_OK) == 0 || access("q", F_OK) == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
}

static int mounter(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++)
		if (mount("none", "m", "tmpfs", 0, NULL) || umount2("m", MNT_DETACH))
			return 1;
	return 0;
}

TEST_TIMED(walks_cross_mounts_that_come_and_go, 60)
{
	struct stat st;
	int status;
	pid_t pid;

	if (!test_is_root())
		test_skip("not root");
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mkdir("m/under", 0755));
	if (mount("none", "m", "tmpfs", 0, NULL))
		test_skip("may not mount");
	CHECK_OK(umount("m"));
	pid = test_fork(mounter, NULL);
	do {
		if (stat("m/under", &st))
			CHECK_EQ(errno, ENOENT);
		CHECK_OK(stat("m/..", &st));
		CHECK_OK(stat("m", &st));
	} while (waitpid(pid, &status, WNOHANG) == 0);
	CHECK_EQ(status, 0);
	CHECK_OK(stat("m/under", &st));
}

TEST(rename_pairs)
{
	pid_t pid;
	struct stat st;
	int found = 0;

	CHECK_OK(close(open("a", O_CREAT | O_WRONLY, 0644)));
	pid = test_fork(renamer, NULL);
	for (int i = 0; i < ROUNDS; i++)
		found += stat("a", &st) == 0 || stat("b", &st) == 0;
	CHECK(found > 0);
	test_wait_exit(pid, 0);
	CHECK_OK(stat("a", &st));
}
