/* Descriptors, pipes, watches, locks, mounts and tmpfs until there is no more; afterwards all is as before. */
#include "test.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum { NOBODY = 65533 };

static long read_long(const char *path)
{
	return access(path, R_OK) ? -1 : atol(test_slurp(path));
}

static bool try_write_long(const char *path, long value)
{
	char text[32];
	int fd = open(path, O_WRONLY | O_CLOEXEC), n = snprintf(text, sizeof(text), "%ld", value);
	bool done = fd >= 0 && write(fd, text, (size_t)n) == n;

	close(fd);
	return done;
}

static void write_long(const char *path, long value)
{
	if (!try_write_long(path, value))
		FAIL("%s: %s", path, strerror(errno));
}

static long mem_free(void)
{
	const char *p = strstr(test_slurp("/proc/meminfo"), "MemFree:");

	return p ? atol(p + 8) : 0;
}

/* What is freed may pass through a grace period first. */
static void check_memory_back(long before, long slack)
{
	long now = 0;

	for (int i = 0; i < 50; i++) {
		if ((now = mem_free()) > before - slack)
			return;
		usleep(50000);
	}
	FAIL("%ld KiB free before, %ld after", before, now);
}

static void limit(int what, rlim_t value)
{
	struct rlimit l = { value, value };

	CHECK_OK(setrlimit((__rlimit_resource_t)what, &l));
}

static void drop_root(void)
{
	if (test_is_root() && setresuid(NOBODY, NOBODY, NOBODY))
		_exit(90);
}

static int fill_system_table(void *arg)
{
	(void)arg;
	drop_root();
	for (int i = 0; i < 2000; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return errno == ENFILE ? 0 : 1;
	return 2;
}

TEST(descriptors_of_the_system)
{
	const char *max = "/proc/sys/fs/file-max";
	long old = read_long(max), used = read_long("/proc/sys/fs/file-nr");

	if (!test_is_root() || old < 0)
		test_skip("needs root and file-max");
	limit(RLIMIT_NOFILE, 4096);
	write_long(max, used + 400);
	pid_t p = test_fork(fill_system_table, NULL);
	int st;

	CHECK_EQ(waitpid(p, &st, 0), p);
	int fd = open("/dev/null", O_RDONLY);
	write_long(max, old);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK(fd >= 0);
}

static int fill_pipes(void *arg)
{
	static char block[4096];
	int n = 0, p[2];
	long total = 0;
	ssize_t r;

	(void)arg;
	drop_root();
	while (pipe2(p, O_NONBLOCK) == 0) {
		n++;
		while ((r = write(p[1], block, sizeof(block))) > 0)
			total += r;
		if (errno != EAGAIN)
			return 1;
	}
	return errno == EMFILE && n > 400 && total >= n * 4096l ? 0 : 2;
}

TEST_TIMED(pipes, 60)
{
	limit(RLIMIT_NOFILE, 1000);
	test_wait_exit(test_fork(fill_pipes, NULL), 0);
	long before = mem_free();
	test_wait_exit(test_fork(fill_pipes, NULL), 0);
	check_memory_back(before, 2000);
}

TEST(epolls_in_epolls)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep[12], depth = 0;

	for (int i = 0; i < 12; i++)
		CHECK((ep[i] = epoll_create1(0)) >= 0);
	for (int i = 1; i < 12; i++, depth++)
		if (epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i - 1], &ev))
			break;
	CHECK(errno == ELOOP || errno == EINVAL);
	CHECK(depth >= 4 && depth < 11);
	CHECK_ERR(epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[1], &ev), ELOOP);
	CHECK_ERR(epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[0], &ev), EINVAL);
	CHECK_EQ(epoll_wait(ep[depth], &ev, 1, 0), 0);
}

static int many_watches(void *arg)
{
	int in, n = 0, last = 0;
	char name[16];

	(void)arg;
	drop_root();
	in = inotify_init();
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		close(open(name, O_WRONLY | O_CREAT, 0666));
		int wd = inotify_add_watch(in, name, IN_MODIFY);
		if (wd < 0)
			break;
		n++;
		last = wd;
	}
	if (errno != ENOSPC || n != 100)
		return 1;
	if (inotify_rm_watch(in, last) || inotify_add_watch(in, "w199", IN_MODIFY) != -1 || errno != ENOENT)
		return 2;
	return inotify_add_watch(in, "w100", IN_MODIFY) > 0 ? 0 : 3;
}

static int many_instances(void *arg)
{
	int n = 0;

	(void)arg;
	drop_root();
	while (inotify_init() >= 0)
		n++;
	return errno == EMFILE && n == 20 ? 0 : 1;
}

static int status_of(int (*fn)(void *))
{
	int st;
	pid_t p = test_fork(fn, NULL);

	CHECK_EQ(waitpid(p, &st, 0), p);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

TEST(watches)
{
	const char *max = "/proc/sys/fs/inotify/max_user_watches", *inst = "/proc/sys/fs/inotify/max_user_instances";
	long old = read_long(max), old_inst = read_long(inst);

	if (!test_is_root() || old < 0 || old_inst < 0)
		test_skip("needs root and the limits of inotify");
	if (!try_write_long(max, 100))
		test_skip("the limits of inotify cannot be set");
	write_long(inst, 20);
	int a = status_of(many_watches), b = status_of(many_instances);
	write_long(max, old);
	write_long(inst, old_inst);
	CHECK_EQ(a, 0);
	CHECK_EQ(b, 0);
}

TEST_TIMED(locks, 60)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	long before = mem_free();

	for (int i = 0; i < 3000; i++) {
		struct flock l = { .l_type = F_WRLCK, .l_start = (i * 7919) % 3000 * 2, .l_len = 1 };

		CHECK_OK(fcntl(fd, F_SETLK, &l));
	}
	struct flock all = { .l_type = F_UNLCK };
	CHECK_OK(fcntl(fd, F_SETLK, &all));
	all.l_type = F_WRLCK;
	CHECK_OK(fcntl(fd, F_SETLK, &all));
	close(fd);
	check_memory_back(before, 2000);
}

TEST_TIMED(mounts, 60)
{
	char name[32];
	long before;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("top", 0755));
	CHECK_OK(mount("none", "top", "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, "top", NULL, MS_PRIVATE, NULL));
	before = mem_free();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 200; i++) {
			snprintf(name, sizeof(name), "top/%d", i);
			mkdir(name, 0755);
			CHECK_OK(mount("none", name, "tmpfs", 0, "size=64k"));
		}
		CHECK_OK(mkdir("top/b", 0755));
		CHECK_OK(mount("top", "top/b", NULL, MS_BIND | MS_REC, NULL));
		CHECK_ERR(umount2("top", 0), EBUSY);
		CHECK_OK(umount2("top/b", MNT_DETACH));
		for (int i = 0; i < 200; i++) {
			snprintf(name, sizeof(name), "top/%d", i);
			CHECK_OK(umount2(name, 0));
		}
		CHECK_OK(rmdir("top/b"));
	}
	check_memory_back(before, 6000);
	CHECK_OK(umount2("top", 0));
}

TEST(mounts_on_one_another)
{
	int n = 0;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("top", 0755));
	for (; n < 300; n++)
		CHECK_OK(mount("none", "top", "tmpfs", 0, "size=64k"));
	while (umount2("top", 0) == 0)
		n--;
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(n, 0);
}

TEST(inodes_of_tmpfs)
{
	char name[32];
	int n = 0;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mount("none", "d", "tmpfs", 0, "nr_inodes=50,size=1m"));
	for (int round = 0; round < 3; round++) {
		for (n = 0;; n++) {
			snprintf(name, sizeof(name), "d/%d", n);
			int r = n % 3 == 0 ? mkdir(name, 0755) : n % 3 == 1 ? symlink("x", name) : mknod(name, S_IFIFO | 0600, 0);

			if (r)
				break;
		}
		CHECK_EQ(errno, ENOSPC);
		CHECK(n >= 45 && n <= 50);
		CHECK_ERR(open("d/new", O_CREAT | O_WRONLY, 0600), ENOSPC);
		CHECK_ERR(open("d", O_TMPFILE | O_WRONLY, 0600), ENOSPC);
		while (n-- > 0) {
			snprintf(name, sizeof(name), "d/%d", n);
			CHECK_OK(remove(name));
		}
	}
	CHECK_OK(umount2("d", 0));
}

TEST(space_of_tmpfs)
{
	static char block[65536];
	long total = 0;
	ssize_t r;
	int fd;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mount("none", "d", "tmpfs", 0, "size=1m"));
	for (int round = 0; round < 3; round++) {
		fd = open("d/f", O_RDWR | O_CREAT, 0600);
		CHECK(fd >= 0);
		for (total = 0; (r = write(fd, block, sizeof(block))) > 0;)
			total += r;
		CHECK_EQ(errno, ENOSPC);
		CHECK(total > 900 << 10 && total <= 1 << 20);
		char *p = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(p != MAP_FAILED);
		CHECK_OK(ftruncate(fd, 2 << 20));
		pid_t kid = fork();
		if (kid == 0) {
			memset(p, 1, 2 << 20);
			_exit(0);
		}
		test_wait_signal(kid, SIGBUS);
		CHECK_OK(munmap(p, 2 << 20));
		close(fd);
		CHECK_OK(unlink("d/f"));
	}
	CHECK_OK(umount2("d", 0));
}
