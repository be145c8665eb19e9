/* Contents: truncation, holes, offsets, O_APPEND, limits, times. */

#include "test.h"

#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

TEST(truncate_and_extend)
{
	struct stat st;
	char buf[8];
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	CHECK_EQ(write(fd, "abcdef", 6), 6);
	CHECK_OK(ftruncate(fd, 3));
	CHECK_OK(ftruncate(fd, 6));
	CHECK_EQ(pread(fd, buf, 8, 0), 6);
	CHECK(memcmp(buf, "abc\0\0\0", 6) == 0);
	CHECK_OK(truncate("f", 10000));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 10000);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("none", 0), ENOENT);
	CHECK_ERR(truncate(".", 0), EISDIR);
	int ro = open("f", O_RDONLY);
	CHECK_ERR(ftruncate(ro, 0), EINVAL);
	CHECK_OK(close(open("f", O_WRONLY | O_TRUNC)));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
}

TEST(sparse_files)
{
	struct stat st;
	char buf[16], zero[16] = { 0 };
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (1 << 20) + 1);
	CHECK(st.st_blocks * 512 < 1 << 19);
	CHECK_EQ(pread(fd, buf, 16, 4096), 16);
	CHECK(memcmp(buf, zero, 16) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
	CHECK_EQ(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
	CHECK_ERR(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
}

TEST(fallocate_and_punch)
{
	struct stat st;
	char buf[8192];
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	if (fallocate(fd, 0, 0, 16384) == -1 && errno == EOPNOTSUPP)
		test_skip("no fallocate");
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 16384);
	CHECK(st.st_blocks >= 32);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 32768));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 16384);
	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(pwrite(fd, buf, 8192, 0), 8192);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000));
	CHECK_EQ(pread(fd, buf, 8192, 0), 8192);
	CHECK_EQ(buf[99], 'x');
	for (int i = 100; i < 5100; i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(buf[5100], 'x');
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 100), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
}

TEST(append_goes_to_the_end)
{
	char buf[16];
	int a = open("f", O_CREAT | O_RDWR | O_APPEND, 0644), b = open("f", O_RDWR);

	CHECK_EQ(write(a, "abc", 3), 3);
	CHECK_EQ(pwrite(b, "0123", 4, 0), 4);
	CHECK_EQ(write(a, "def", 3), 3);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 7);
	CHECK_EQ(pwrite(a, "!", 1, 0), 1); /* Linux appends even so: pwrite(2), BUGS */
	CHECK_EQ(pread(b, buf, 16, 0), 8);
	CHECK(memcmp(buf, "0123def!", 8) == 0);
}

TEST(offsets_are_shared_by_dup_not_by_open)
{
	char c;
	int a = open("f", O_CREAT | O_RDWR, 0644), b, d;

	CHECK_EQ(write(a, "abcdef", 6), 6);
	CHECK_EQ(lseek(a, 1, SEEK_SET), 1);
	d = dup(a);
	b = open("f", O_RDONLY);
	CHECK_EQ(read(d, &c, 1), 1);
	CHECK_EQ(c, 'b');
	CHECK_EQ(read(a, &c, 1), 1);
	CHECK_EQ(c, 'c');
	CHECK_EQ(read(b, &c, 1), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(pread(a, &c, 1, 5), 1);
	CHECK_EQ(c, 'f');
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 3);
	CHECK_EQ(read(a, &c, 0), 0);
	CHECK_EQ(pread(a, &c, 1, 6), 0);
}

TEST(modes_are_enforced)
{
	char c = 'x';
	int w = open("f", O_CREAT | O_WRONLY, 0644), r = open("f", O_RDONLY);

	CHECK_ERR(read(w, &c, 1), EBADF);
	CHECK_ERR(write(r, &c, 1), EBADF);
	CHECK_ERR(read(999, &c, 1), EBADF);
	CHECK_ERR(syscall(SYS_write, w, 8L, 1L), EFAULT);
	CHECK_EQ(fcntl(w, F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_ERR(fallocate(r, 0, 0, 10), EBADF);
}

static volatile int got_xfsz;

static void on_xfsz(int sig)
{
	got_xfsz = sig;
}

TEST(file_size_limit)
{
	struct rlimit lim = { 100, RLIM_INFINITY };
	char buf[200] = { 0 };
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	signal(SIGXFSZ, on_xfsz);
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &lim));
	CHECK_EQ(write(fd, buf, 200), 100);
	CHECK_EQ(got_xfsz, 0);
	CHECK_ERR(write(fd, buf, 1), EFBIG);
	CHECK_EQ(got_xfsz, SIGXFSZ);
	got_xfsz = 0;
	CHECK_ERR(ftruncate(fd, 101), EFBIG);
	CHECK_EQ(got_xfsz, SIGXFSZ);
	CHECK_OK(ftruncate(fd, 50));
}

TEST(times)
{
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 999999999 } };
	struct stat st, before;

	CHECK_OK(close(open("f", O_CREAT | O_WRONLY, 0644)));
	CHECK_OK(utimensat(AT_FDCWD, "f", ts, 0));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_atim.tv_nsec, 1);
	CHECK_EQ(st.st_mtim.tv_sec, 2000);
	CHECK_EQ(st.st_mtim.tv_nsec, 999999999);
	CHECK(st.st_ctim.tv_sec > 1000000000);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", ts, 0));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 1000000000);
	ts[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	CHECK_OK(symlink("f", "l"));
	ts[0] = ts[1] = (struct timespec){ 7, 0 };
	CHECK_OK(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW));
	CHECK_OK(lstat("l", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 7);
	CHECK_OK(stat(".", &before));
	usleep(20000);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(stat(".", &st));
	CHECK(st.st_mtim.tv_sec > before.st_mtim.tv_sec ||
	      (st.st_mtim.tv_sec == before.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec > before.st_mtim.tv_nsec));
}

TEST(statx_agrees_with_stat)
{
	struct statx x;
	struct stat st;

	CHECK_OK(close(open("f", O_CREAT | O_WRONLY, 0640)));
	CHECK_OK(stat("f", &st));
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
	CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(x.stx_ino, st.st_ino);
	CHECK_EQ(x.stx_mode, st.st_mode);
	CHECK_EQ(x.stx_size, 0);
	CHECK_EQ(x.stx_nlink, 1);
	CHECK_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
	CHECK_EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK_ERR(statx(AT_FDCWD, "f", 0x40000000, STATX_ALL, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "none", 0, STATX_ALL, &x), ENOENT);
}

TEST(statfs_of_the_root_and_of_dev)
{
	static const char *const dirs[] = { "/", "/dev" };
	struct statfs a;

	for (unsigned i = 0; i < 2; i++) {
		CHECK_OK(statfs(dirs[i], &a));
		CHECK_EQ(a.f_type, 0x01021994);
		CHECK(a.f_blocks > 0 && a.f_bfree > 0 && a.f_bfree <= a.f_blocks);
		CHECK_EQ(a.f_bavail, a.f_bfree);
		CHECK(a.f_files > 0 && a.f_ffree > 0 && a.f_ffree < a.f_files);
	}
}

TEST(statfs_numbers)
{
	struct statfs a, b;
	int fd = open(".", O_RDONLY);

	CHECK_OK(statfs(".", &a));
	CHECK_OK(fstatfs(fd, &b));
	CHECK_EQ(a.f_type, b.f_type);
	CHECK(a.f_bsize > 0 && a.f_namelen == 255);
	CHECK_ERR(statfs("none", &a), ENOENT);
}

TEST(fsync_variants)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644), d = open(".", O_RDONLY);

	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_OK(fsync(d));
	CHECK_OK(syncfs(fd));
	sync();
	CHECK_ERR(fsync(999), EBADF);
}

TEST(executed_file_is_busy)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY), out;
	int p[2];
	ssize_t n;
	char c;
	pid_t pid;

	if (in < 0)
		test_skip("no /proc");
	if (access("/bin/sleep", X_OK))
		test_skip("no /bin/sleep");
	close(in);
	in = open("/bin/sleep", O_RDONLY);
	out = open("prog", O_CREAT | O_WRONLY, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(out, buf, (size_t)n), n);
	CHECK_ERR(execl("./prog", "sleep", "0", NULL), ETXTBSY);
	close(out);
	CHECK_OK(pipe2(p, O_CLOEXEC));
	pid = fork();
	if (pid == 0) {
		execl("./prog", "sleep", "10", NULL);
		_exit(1);
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0);
	CHECK_ERR(open("prog", O_WRONLY), ETXTBSY);
	CHECK_ERR(truncate("prog", 0), ETXTBSY);
	CHECK_OK(unlink("prog"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
