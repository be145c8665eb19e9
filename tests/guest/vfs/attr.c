/* RWF_APPEND and RWF_NOWAIT, inode flags, limits of pipes and inotify, ustat, sysfs, O_DIRECT's rules. */

#include "test.h"

#include <linux/fs.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>

TEST(rwf_append_goes_to_the_end)
{
	struct iovec v = { (char[]){ "abc" }, 3 };
	char b[20];
	int fd = open("f", O_CREAT | O_RDWR, 0600), p[2];

	CHECK_EQ(pwritev2(fd, &v, 1, 0, RWF_APPEND), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(pwritev2(fd, &v, 1, 0, RWF_APPEND), 3);
	CHECK_EQ(pwritev2(fd, &v, 1, -1, RWF_APPEND), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
	CHECK_EQ(pread(fd, b, 20, 0), 9);
	CHECK(memcmp(b, "abcabcabc", 9) == 0);
	CHECK_OK(pipe(p));
	CHECK_EQ(pwritev2(p[1], &v, 1, -1, RWF_APPEND), 3);
	CHECK_ERR(preadv2(fd, &v, 1, 0, 0x40000000), EOPNOTSUPP);
	CHECK_EQ(preadv2(fd, &v, 0, 0, 0x40000000), 0); /* nothing to do: not looked at */
	CHECK_ERR(preadv2(fd, &v, 1, -2, 0), EINVAL);
	CHECK_ERR(preadv2(p[0], &v, 1, 0, 0), ESPIPE);
	int z = open("/dev/zero", O_RDONLY);
	CHECK_EQ(preadv2(z, &v, 1, -1, RWF_NOWAIT), 3);
}

/* On a tmpfs of the test's own. */
static void begin(void)
{
	if (!test_is_root())
		test_skip("not root");
	CHECK_OK(mkdir("m", 0777));
	CHECK_OK(mount("t", "m", "tmpfs", 0, NULL));
	CHECK_OK(chdir("m"));
}

static void end(void)
{
	CHECK_OK(chdir(".."));
	CHECK_OK(umount2("m", MNT_DETACH));
}

TEST(append_only_and_immutable_files)
{
	int fd, d, fl = -1;
	struct statx sx;

	begin();
	fd = open("f", O_CREAT | O_RDWR, 0600);
	CHECK_OK(ioctl(fd, FS_IOC_GETFLAGS, &fl));
	CHECK_EQ(fl, 0);
	fl = FS_APPEND_FL;
	CHECK_OK(ioctl(fd, FS_IOC_SETFLAGS, &fl));
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	CHECK_ERR(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	int a = open("f", O_WRONLY | O_APPEND);
	CHECK_OK(a);
	CHECK_EQ(write(a, "x", 1), 1);
	CHECK_ERR(fcntl(a, F_SETFL, 0), EPERM);
	CHECK_ERR(ftruncate(a, 0), EPERM);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK_ERR(rename("f", "g"), EPERM);
	CHECK_ERR(link("f", "g"), EPERM);
	CHECK_ERR(chmod("f", 0644), EPERM);
	fl = FS_IMMUTABLE_FL;
	CHECK_OK(ioctl(fd, FS_IOC_SETFLAGS, &fl));
	CHECK_ERR(open("f", O_WRONLY | O_APPEND), EPERM);
	CHECK_ERR(setxattr("f", "user.a", "b", 1, 0), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_ALL, &sx));
	CHECK(sx.stx_attributes & STATX_ATTR_IMMUTABLE && sx.stx_attributes_mask & STATX_ATTR_IMMUTABLE);
	fl = 0;
	CHECK_OK(ioctl(fd, FS_IOC_SETFLAGS, &fl));
	CHECK_OK(unlink("f"));
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(close(open("d/f", O_CREAT | O_RDWR, 0600)));
	d = open("d", O_RDONLY);
	fl = FS_APPEND_FL;
	CHECK_OK(ioctl(d, FS_IOC_SETFLAGS, &fl));
	CHECK_OK(close(open("d/g", O_CREAT | O_RDWR, 0600)));
	CHECK_ERR(unlink("d/f"), EPERM);
	fl = FS_IMMUTABLE_FL;
	CHECK_OK(ioctl(d, FS_IOC_SETFLAGS, &fl));
	CHECK_ERR(open("d/h", O_CREAT | O_RDWR, 0600), EPERM);
	fl = 1 << 20;
	CHECK_ERR(ioctl(d, FS_IOC_SETFLAGS, &fl), EOPNOTSUPP);
	fl = 0;
	CHECK_OK(ioctl(d, FS_IOC_SETFLAGS, &fl));
	pid_t pid = fork();
	if (pid == 0) {
		if (chown("d", 5, 5) || setresuid(5, 5, 5))
			_exit(9);
		fl = FS_IMMUTABLE_FL;
		_exit(ioctl(d, FS_IOC_SETFLAGS, &fl) == -1 && errno == EPERM ? 0 : 1);
	}
	test_wait_exit(pid, 0);
	end();
}

static void write_sysctl(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	CHECK_OK(close(fd));
}

static long read_sysctl(const char *name)
{
	char b[40] = "";
	int fd = open(name, O_RDONLY);

	CHECK_OK(fd);
	CHECK(read(fd, b, sizeof(b) - 1) > 0);
	CHECK_OK(close(fd));
	return atol(b);
}

static int many_pipes(void *arg)
{
	int p[2], n;

	(void)arg;
	if (setresuid(777, 777, 777))
		return 1;
	for (n = 0; n < 4; n++)
		if (pipe(p) || fcntl(p[0], F_GETPIPE_SZ) != 65536)
			return 2;
	if (pipe(p) || fcntl(p[0], F_GETPIPE_SZ) != 8192) /* beyond the soft limit */
		return 3;
	if (fcntl(p[0], F_SETPIPE_SZ, 16384) != -1 || errno != EPERM)
		return 4;
	if (fcntl(p[0], F_SETPIPE_SZ, 4096) != 4096)
		return 5;
	for (n = 0; n < 100 && pipe(p) == 0; n++)
		;
	return n < 100 && errno == ENFILE ? 0 : 6;
}

TEST(pipes_of_a_user_are_limited)
{
	if (!test_is_root())
		test_skip("not root");
	CHECK_EQ(read_sysctl("/proc/sys/fs/pipe-user-pages-soft"), 16384);
	CHECK_EQ(read_sysctl("/proc/sys/fs/pipe-user-pages-hard"), 0);
	write_sysctl("/proc/sys/fs/pipe-user-pages-soft", "64");
	write_sysctl("/proc/sys/fs/pipe-user-pages-hard", "80");
	pid_t pid = test_fork(many_pipes, NULL);
	int st;
	CHECK_OK(waitpid(pid, &st, 0));
	write_sysctl("/proc/sys/fs/pipe-user-pages-soft", "16384");
	write_sysctl("/proc/sys/fs/pipe-user-pages-hard", "0");
	CHECK_EQ(st, 0);
}

static int large_pipe(void *arg)
{
	int p[2];

	(void)arg;
	if (setresuid(778, 778, 778) || pipe(p))
		return 1;
	if (fcntl(p[0], F_SETPIPE_SZ, 262144) != -1 || errno != EPERM)
		return 2;
	return fcntl(p[0], F_SETPIPE_SZ, 131072) == 131072 ? 0 : 3;
}

TEST(pipe_max_size_is_rounded_and_binds)
{
	int st;

	if (!test_is_root())
		test_skip("not root");
	write_sysctl("/proc/sys/fs/pipe-max-size", "100000");
	CHECK_EQ(read_sysctl("/proc/sys/fs/pipe-max-size"), 131072);
	CHECK_OK(waitpid(test_fork(large_pipe, NULL), &st, 0));
	write_sysctl("/proc/sys/fs/pipe-max-size", "1048576");
	CHECK_EQ(st, 0);
}

static int many_inotify(void *arg)
{
	int n, in;

	(void)arg;
	if (setresuid(779, 779, 779))
		return 1;
	in = inotify_init();
	if (inotify_add_watch(in, "/", IN_CREATE) < 0 || inotify_add_watch(in, "/proc", IN_CREATE) < 0)
		return 2;
	if (inotify_add_watch(in, "/dev", IN_CREATE) != -1 || errno != ENOSPC)
		return 3;
	for (n = 1; n < 10 && inotify_init() >= 0; n++)
		;
	return n == 3 && errno == EMFILE ? 0 : 4;
}

TEST(inotify_of_a_user_is_limited)
{
	long watches, instances;
	char b[40];
	int st;

	if (!test_is_root())
		test_skip("not root");
	watches = read_sysctl("/proc/sys/fs/inotify/max_user_watches");
	instances = read_sysctl("/proc/sys/fs/inotify/max_user_instances");
	write_sysctl("/proc/sys/fs/inotify/max_user_watches", "2");
	write_sysctl("/proc/sys/fs/inotify/max_user_instances", "3");
	CHECK_OK(waitpid(test_fork(many_inotify, NULL), &st, 0));
	snprintf(b, sizeof(b), "%ld", watches);
	write_sysctl("/proc/sys/fs/inotify/max_user_watches", b);
	snprintf(b, sizeof(b), "%ld", instances);
	write_sysctl("/proc/sys/fs/inotify/max_user_instances", b);
	CHECK_EQ(st, 0);
}

/* The masks of the events that are there, or'ed. */
static unsigned events_of(int in)
{
	char b[4096] __attribute__((aligned(8)));
	unsigned mask = 0;
	ssize_t n;

	while ((n = read(in, b, sizeof(b))) > 0)
		for (char *p = b; p < b + n; p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len)
			mask |= ((struct inotify_event *)p)->mask;
	return mask;
}

TEST(inotify_excl_unlink)
{
	int a = inotify_init1(IN_NONBLOCK), b = inotify_init1(IN_NONBLOCK), fd;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(fd = open("d/f", O_CREAT | O_RDWR, 0600));
	CHECK_OK(inotify_add_watch(a, "d", IN_MODIFY));
	CHECK_OK(inotify_add_watch(b, "d", IN_MODIFY | IN_EXCL_UNLINK));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(events_of(a), IN_MODIFY);
	CHECK_EQ(events_of(b), IN_MODIFY);
	CHECK_OK(unlink("d/f"));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(events_of(a), IN_MODIFY);
	CHECK_EQ(events_of(b), 0);
}

/* The next events: "wd/mask" each. */
static const char *sequence_of(int in)
{
	static char text[512];
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n = read(in, buf, sizeof(buf));
	char *out = text;

	*text = '\0';
	for (char *p = buf; n > 0 && p < buf + n;) {
		struct inotify_event *e = (void *)p;

		out += sprintf(out, "%d/%x ", e->wd, e->mask & ~(unsigned)IN_ISDIR);
		p += sizeof(*e) + e->len;
	}
	return text;
}

/* Who watches a directory and what is in it hears of the entry first, then of the file. */
TEST(inotify_order_of_parent_and_child)
{
	int in = inotify_init1(IN_NONBLOCK), fd;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("d/s", 0700));
	CHECK_EQ(inotify_add_watch(in, "d", IN_ALL_EVENTS), 1);
	CHECK_EQ(inotify_add_watch(in, "d/s", IN_ALL_EVENTS), 2);
	CHECK_OK(fd = open("d/s", O_RDONLY));
	CHECK_OK(close(fd));
	CHECK_STR(sequence_of(in), "1/20 2/20 1/10 2/10 ");
	CHECK_OK(rmdir("d/s"));
	CHECK_STR(sequence_of(in), "2/400 2/8000 1/200 ");
	CHECK_OK(fd = open("d/f", O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(inotify_add_watch(in, "d/f", IN_ALL_EVENTS), 3);
	sequence_of(in);
	CHECK_OK(unlink("d/f"));
	CHECK_STR(sequence_of(in), "3/4 1/200 ");
	CHECK_OK(close(fd));
	CHECK_STR(sequence_of(in), "1/8 3/8 3/400 3/8000 ");
	CHECK_OK(close(open("d/g", O_CREAT | O_WRONLY, 0600)));
	CHECK_EQ(inotify_add_watch(in, "d/g", IN_ALL_EVENTS), 4);
	CHECK_OK(close(open("d/h", O_CREAT | O_WRONLY, 0600)));
	CHECK_EQ(inotify_add_watch(in, "d/h", IN_ALL_EVENTS), 5);
	sequence_of(in);
	CHECK_OK(rename("d/g", "d/h"));
	CHECK_STR(sequence_of(in), "1/40 1/80 5/4 4/800 5/400 5/8000 ");
	CHECK_OK(link("d/h", "d/i"));
	CHECK_STR(sequence_of(in), "4/4 1/100 ");
	CHECK_OK(unlink("d/i"));
	CHECK_STR(sequence_of(in), "4/4 1/200 ");
}

TEST(requests_that_no_file_system_here_offers)
{
	int a = open("a", O_CREAT | O_RDWR, 0600), b = open("b", O_CREAT | O_RDWR, 0600), p[2];

	CHECK_ERR(ioctl(a, FICLONE, b), EOPNOTSUPP);
	CHECK_ERR(ioctl(open(".", O_RDONLY), FICLONE, b), EISDIR);
	CHECK_ERR(ioctl(a, FICLONE, -1), EBADF);
	CHECK_ERR(ioctl(open("a", O_RDONLY), FICLONE, b), EBADF);
	CHECK_OK(pipe(p));
	CHECK_ERR(ioctl(p[1], FICLONE, b), EXDEV);
	CHECK_ERR(ioctl(p[1], FICLONE, p[0]), EINVAL);
	CHECK_ERR(ioctl(a, FICLONERANGE, NULL), EFAULT);
	CHECK_ERR(ioctl(a, FICLONERANGE, &(struct file_clone_range){ .src_fd = b }), EOPNOTSUPP);
	CHECK_ERR(ioctl(a, FIFREEZE, 0), EOPNOTSUPP);
	CHECK_ERR(ioctl(a, FITHAW, 0), EINVAL);
}

TEST(inotify_tells_of_an_unmount)
{
	int in = inotify_init1(IN_NONBLOCK);

	begin();
	CHECK_OK(close(open("f", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(inotify_add_watch(in, "f", IN_MODIFY));
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("m"));
	CHECK_EQ(events_of(in), IN_UNMOUNT | IN_IGNORED);
}

TEST(ustat_and_sysfs)
{
	struct {
		int tfree;
		unsigned long tinode;
		char b[100];
	} u;
	char name[100];
	struct stat st;

	CHECK_OK(stat(".", &st));
	CHECK_OK(syscall(SYS_ustat, st.st_dev, &u));
	CHECK_ERR(syscall(SYS_ustat, makedev(77, 7), &u), EINVAL);
	int n = (int)syscall(SYS_sysfs, 3), i = (int)syscall(SYS_sysfs, 1, "tmpfs");
	CHECK(n > 0 && i >= 0 && i < n);
	CHECK_OK(syscall(SYS_sysfs, 2, i, name));
	CHECK(!strcmp(name, "tmpfs"));
	CHECK_ERR(syscall(SYS_sysfs, 2, n, name), EINVAL);
	CHECK_ERR(syscall(SYS_sysfs, 1, "nosuchfs"), EINVAL);
	CHECK_ERR(syscall(SYS_sysfs, 4), EINVAL);
}

TEST(o_direct_where_it_makes_no_sense)
{
	int d = open(".", O_RDONLY);

	CHECK_ERR(open("/proc/self/status", O_RDONLY | O_DIRECT), EINVAL);
	CHECK_ERR(fcntl(d, F_SETFL, O_DIRECT), EINVAL);
}

static void io_counters(unsigned long v[4])
{
	FILE *f = fopen("/proc/self/io", "r");

	CHECK(f != NULL);
	CHECK_EQ(fscanf(f, "rchar: %lu wchar: %lu syscr: %lu syscw: %lu", v, v + 1, v + 2, v + 3), 4);
	fclose(f);
}

TEST(proc_io_counts_bytes_and_calls)
{
	unsigned long a[4], b[4];
	char buf[1000] = { 0 };
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	io_counters(a);
	CHECK_EQ(write(fd, buf, 1000), 1000);
	CHECK_EQ(write(fd, buf, 1000), 1000);
	CHECK_EQ(pread(fd, buf, 700, 0), 700);
	io_counters(b);
	CHECK_EQ(b[1] - a[1], 2000);
	CHECK_EQ(b[3] - a[3], 2);
	CHECK(b[0] - a[0] >= 700 && b[0] - a[0] < 3000);
	CHECK(b[2] - a[2] >= 1 && b[2] - a[2] < 10);
}

TEST(file_handles)
{
	struct {
		struct file_handle h;
		char more[MAX_HANDLE_SZ];
	} h = { .h.handle_bytes = 0 };
	char b[10] = "";
	int mid = -1, fd;

	begin();
	CHECK_OK(fd = open("f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(fd, "data", 4), 4);
	CHECK_OK(close(fd));
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "f", &h.h, &mid, 0), EOVERFLOW);
	CHECK(h.h.handle_bytes > 0 && h.h.handle_bytes <= MAX_HANDLE_SZ);
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "f", &h.h, &mid, 2), EINVAL);
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "none", &h.h, &mid, 0), ENOENT);
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "/proc/self/stat", &h.h, &mid, 0), EOPNOTSUPP);
	h.h.handle_bytes = MAX_HANDLE_SZ + 1;
	CHECK_ERR(name_to_handle_at(AT_FDCWD, "f", &h.h, &mid, 0), EINVAL);
	h.h.handle_bytes = MAX_HANDLE_SZ;
	CHECK_OK(name_to_handle_at(AT_FDCWD, "f", &h.h, &mid, 0));
	CHECK_OK(link("f", "g"));
	CHECK_OK(unlink("f"));
	CHECK_OK(fd = open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
	CHECK_EQ(read(fd, b, 10), 4);
	CHECK(!strcmp(b, "data"));
	CHECK_OK(close(fd));
	CHECK_ERR(open_by_handle_at(99, &h.h, O_RDONLY), EBADF);
	CHECK_OK(unlink("g"));
	CHECK_ERR(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
	h.h.handle_bytes = 0;
	CHECK_ERR(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), EINVAL);
	h.h.handle_bytes = MAX_HANDLE_SZ;
	CHECK_OK(name_to_handle_at(AT_FDCWD, ".", &h.h, &mid, 0));
	pid_t pid = fork();
	if (pid == 0) {
		if (setresuid(5, 5, 5))
			_exit(9);
		_exit(open_by_handle_at(99, NULL, 0) == -1 && errno == EPERM ? 0 : 1);
	}
	test_wait_exit(pid, 0);
	end();
}

/* The root has no entry that holds it: its inode went twice once. */
TEST(inotify_on_the_root_of_what_is_unmounted)
{
	int in = inotify_init1(IN_NONBLOCK);

	begin();
	CHECK_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("m"));
	CHECK_EQ(events_of(in), IN_UNMOUNT | IN_ISDIR | IN_IGNORED);
}

TEST(inotify_tells_of_a_file_before_its_directory)
{
	static const unsigned want[] = { IN_ATTRIB, IN_DELETE_SELF, IN_IGNORED, IN_DELETE };
	int in = inotify_init1(IN_NONBLOCK), fd = open("f", O_CREAT | O_RDWR, 0600);
	char b[4096] __attribute__((aligned(8))), *p = b;

	CHECK_OK(inotify_add_watch(in, ".", IN_DELETE));
	CHECK_OK(inotify_add_watch(in, "f", IN_DELETE_SELF | IN_ATTRIB | IN_MODIFY));
	CHECK_OK(fallocate(fd, 0, 0, 100));
	CHECK_EQ(events_of(in), IN_MODIFY);
	close(fd);
	CHECK_OK(unlink("f"));
	ssize_t n = read(in, b, sizeof(b));
	for (int i = 0; i < 4; i++) {
		CHECK(p < b + n);
		CHECK_EQ(((struct inotify_event *)p)->mask, want[i]);
		p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len;
	}
	CHECK_EQ(p - b, n);
}

TEST(fallocate_takes_set_id_bits)
{
	struct stat st;
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(fchown(fd, 1000, 1000));
	CHECK_OK(fchmod(fd, 06755));
	CHECK_OK(seteuid(1000));
	CHECK_OK(fallocate(fd, 0, 0, 100));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0755);
}

TEST(statx_tells_birth_when_asked)
{
	struct statx x;

	CHECK_OK(close(open("f", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_mask & STATX_BTIME, 0);
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
	CHECK_EQ(x.stx_mask & STATX_BTIME, STATX_BTIME);
	CHECK_OK(statx(AT_FDCWD, "/proc/version", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
	CHECK_EQ(x.stx_mask & STATX_BTIME, 0);
}

TEST(file_system_ioctls)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), dir = open(".", O_RDONLY), p[2], size;
	long long bytes;

	CHECK_OK(pipe(p));
	CHECK_OK(ioctl(fd, FIGETBSZ, &size));
	CHECK_EQ(size, 4096);
	CHECK_OK(ioctl(p[0], FIGETBSZ, &size));
	CHECK_OK(ftruncate(fd, 123456));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(ioctl(fd, FIOQSIZE, &bytes)); /* what it occupies */
	CHECK_EQ(bytes, 4096);
	CHECK_ERR(ioctl(p[0], FIOQSIZE, &bytes), ENOTTY);
	CHECK_ERR(ioctl(fd, FICLONE, -1), EBADF);
	CHECK_ERR(ioctl(fd, FICLONE, dir), EISDIR);
	CHECK_ERR(ioctl(fd, FICLONE, p[0]), EXDEV);
	CHECK_ERR(ioctl(fd, FICLONE, fd), EOPNOTSUPP);
}

TEST(utimensat_of_nothing_checks_nothing)
{
	struct timespec t[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	CHECK_OK(syscall(SYS_utimensat, AT_FDCWD, "nope", t, 1));
	t[0].tv_nsec = 0;
	CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "nope", t, 1), EINVAL);
	CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "nope", t, 0), ENOENT);
}
