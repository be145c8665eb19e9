/* Operations on files with each of their allocations failing: see failnth.h. */
#include "failnth.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>

static char page_buf[1 << 16];

static int fd_result(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
	return fd >= 0 ? 0 : -1;
}

static int after(int r, int fd)
{
	int e = errno;

	close(fd);
	errno = e;
	return r;
}

static int clean(int r, const char *name)
{
	int e = errno;

	if (unlink(name) && errno == EISDIR)
		rmdir(name);
	errno = e;
	return r;
}

static int make(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK_OK(fd);
	return fd;
}

static const char *fresh(const char *what)
{
	static char name[64];
	static unsigned n;

	snprintf(name, sizeof(name), "%s-%u", what, n++ % 8);
	return name;
}

OP(open) { return fd_result(TRY(open("/proc/self/exe", O_RDONLY))); }
OP(open_dir) { return fd_result(TRY(open(".", O_RDONLY | O_DIRECTORY))); }
OP(open_path) { return fd_result(TRY(open("/tmp", O_PATH))); }
OP(creat)
{
	const char *n = fresh("creat");
	int r = fd_result(TRY(open(n, O_RDWR | O_CREAT | O_EXCL, 0600)));

	return clean(r, n);
}
OP(tmpfile) { return fd_result(TRY(open(".", O_RDWR | O_TMPFILE, 0600))); }
OP(openat2)
{
	uint64_t how[3] = { O_RDONLY, 0, 0 };

	return fd_result(TRY((int)syscall(437, AT_FDCWD, "/tmp", how, sizeof(how))));
}
OP(stat_missing)
{
	struct stat st;
	int r = TRY(stat(fresh("none"), &st));

	return r == -1 && errno == ENOENT ? 0 : -1;
}
OP(stat)
{
	struct stat st;

	return TRY(stat("/proc/self/status", &st));
}
OP(statfs)
{
	struct statfs st;

	return TRY(statfs("/proc", &st));
}
OP(access) { return TRY(access("/proc/self/fd/0", F_OK)); }
OP(mkdir)
{
	const char *n = fresh("dir");

	return clean(TRY(mkdir(n, 0700)), n);
}
OP(rmdir)
{
	const char *n = fresh("rmdir");

	CHECK_OK(mkdir(n, 0700));
	return clean(TRY(rmdir(n)), n);
}
OP(symlink)
{
	const char *n = fresh("sym");

	return clean(TRY(symlink("a/target/that/is/not/there", n)), n);
}
OP(readlink)
{
	char buf[64];

	return TRY(readlink("/proc/self/exe", buf, sizeof(buf))) < 0 ? -1 : 0;
}
OP(link)
{
	const char *n = fresh("link");

	close(make("linked"));
	return clean(clean(TRY(link("linked", n)), n), "linked");
}
OP(rename)
{
	const char *n = fresh("renamed");

	close(make("to-rename"));
	return clean(clean(TRY(rename("to-rename", n)), n), "to-rename");
}
OP(rename_over)
{
	close(make("over"));
	close(make("to-rename"));
	return clean(clean(TRY(rename("to-rename", "over")), "over"), "to-rename");
}
OP(unlink)
{
	close(make("gone"));
	return clean(TRY(unlink("gone")), "gone");
}
OP(mknod)
{
	const char *n = fresh("fifo");

	return clean(TRY(mkfifo(n, 0600)), n);
}
OP(chmod)
{
	close(make("mode"));
	return clean(TRY(chmod("mode", 0644)), "mode");
}
OP(chown)
{
	close(make("own"));
	return clean(TRY(chown("own", 0, 0)), "own");
}
OP(utimes)
{
	close(make("times"));
	return clean(TRY(utimensat(AT_FDCWD, "times", NULL, 0)), "times");
}
OP(truncate)
{
	int fd = make("cut");

	CHECK_EQ(write(fd, page_buf, 10000), 10000);
	return after(clean(TRY(ftruncate(fd, 5000)), "cut"), fd);
}
OP(fallocate)
{
	int fd = make("alloc");

	return after(clean(TRY(fallocate(fd, 0, 0, 32768)), "alloc"), fd);
}
OP(punch)
{
	int fd = make("punch");

	CHECK_EQ(write(fd, page_buf, 32768), 32768);
	return after(clean(TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192)), "punch"), fd);
}
OP(write)
{
	int fd = make("write"), n = (int)TRY(write(fd, page_buf, sizeof(page_buf)));
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	if (n >= 0)
		CHECK_EQ(st.st_size, n);
	return after(clean(n < 0 ? -1 : 0, "write"), fd);
}
OP(writev)
{
	struct iovec v[40];
	int fd = make("writev");

	for (int i = 0; i < 40; i++)
		v[i] = (struct iovec){ page_buf + i * 100, 100 };
	return after(clean(TRY(writev(fd, v, 40)) < 0 ? -1 : 0, "writev"), fd);
}
OP(read)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	return after(TRY(read(fd, page_buf, sizeof(page_buf))) < 0 ? -1 : 0, fd);
}
OP(getdents)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);

	return after(TRY(syscall(SYS_getdents64, fd, page_buf, sizeof(page_buf))) < 0 ? -1 : 0, fd);
}
OP(getdents_tmpfs)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	return after(TRY(syscall(SYS_getdents64, fd, page_buf, sizeof(page_buf))) < 0 ? -1 : 0, fd);
}
OP(fsync)
{
	int fd = make("sync");

	return after(clean(TRY(fsync(fd)), "sync"), fd);
}
OP(sendfile)
{
	int in = open("/proc/self/exe", O_RDONLY), out = make("sent");
	ssize_t n = TRY(sendfile(out, in, NULL, 32768));

	return after(after(clean(n < 0 ? -1 : 0, "sent"), out), in);
}
OP(copy_file_range)
{
	int in = make("from"), out = make("copy");
	ssize_t n;

	CHECK_EQ(pwrite(in, page_buf, 20000, 0), 20000);
	n = TRY(copy_file_range(in, NULL, out, NULL, 20000, 0));
	return after(after(clean(clean(n < 0 ? -1 : 0, "copy"), "from"), out), in);
}
OP(setxattr)
{
	close(make("x"));
	return clean(TRY(setxattr("x", "trusted.a", "value", 5, 0)), "x");
}
OP(listxattr)
{
	close(make("x"));
	setxattr("x", "trusted.a", "value", 5, 0);
	return clean(TRY(listxattr("x", page_buf, 1000)) < 0 ? -1 : 0, "x");
}
OP(getxattr)
{
	close(make("x"));
	if (setxattr("x", "trusted.a", "value", 5, 0))
		return clean(-1, "x");
	return clean(TRY(getxattr("x", "trusted.a", page_buf, 1000)) < 0 ? -1 : 0, "x");
}
OP(flock)
{
	int fd = make("lock");

	return after(clean(TRY(flock(fd, LOCK_EX)), "lock"), fd);
}
OP(posix_lock)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = make("lock");

	return after(clean(TRY(fcntl(fd, F_SETLK, &l)), "lock"), fd);
}
OP(posix_unlock_middle)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 100 };
	struct flock u = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = make("lock");

	CHECK_OK(fcntl(fd, F_SETLK, &l));
	return after(clean(TRY(fcntl(fd, F_SETLK, &u)), "lock"), fd);
}
OP(ofd_lock)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = make("lock");

	return after(clean(TRY(fcntl(fd, F_OFD_SETLK, &l)), "lock"), fd);
}
OP(dup) { return fd_result(TRY(dup(0))); }
OP(dup_high) { return fd_result(TRY(fcntl(0, F_DUPFD, 700))); }
OP(pipe)
{
	int p[2], r = TRY(pipe2(p, O_CLOEXEC)), e = errno;

	if (!r) {
		close(p[0]);
		close(p[1]);
	}
	errno = e;
	return r;
}
OP(pipe_write)
{
	int p[2], r;

	CHECK_OK(pipe(p));
	r = (int)TRY(write(p[1], page_buf, 20000));
	return after(after(r < 0 ? -1 : 0, p[0]), p[1]);
}
OP(pipe_size)
{
	int p[2], r;

	CHECK_OK(pipe(p));
	r = TRY(fcntl(p[1], F_SETPIPE_SZ, 1 << 18));
	return after(after(r < 0 ? -1 : 0, p[0]), p[1]);
}
OP(splice)
{
	int p[2], fd = open("/proc/self/exe", O_RDONLY), r;

	CHECK_OK(pipe(p));
	r = (int)TRY(splice(fd, NULL, p[1], NULL, 16384, 0));
	return after(after(after(r < 0 ? -1 : 0, p[0]), p[1]), fd);
}
OP(vmsplice)
{
	struct iovec v = { page_buf, 16384 };
	int p[2], r;

	CHECK_OK(pipe(p));
	r = (int)TRY(vmsplice(p[1], &v, 1, 0));
	return after(after(r < 0 ? -1 : 0, p[0]), p[1]);
}
OP(tee)
{
	int p[2], q[2], r;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	CHECK_EQ(write(p[1], page_buf, 5000), 5000);
	r = (int)TRY(tee(p[0], q[1], 5000, 0));
	return after(after(after(after(r < 0 ? -1 : 0, p[0]), p[1]), q[0]), q[1]);
}
OP(fifo_open)
{
	int r;

	CHECK_OK(mkfifo("ff", 0600));
	r = fd_result(TRY(open("ff", O_RDWR)));
	return clean(r, "ff");
}
OP(eventfd) { return fd_result(TRY(eventfd(0, EFD_CLOEXEC))); }
OP(signalfd)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	return fd_result(TRY(signalfd(-1, &s, SFD_CLOEXEC)));
}
OP(timerfd) { return fd_result(TRY(timerfd_create(CLOCK_MONOTONIC, 0))); }
OP(timerfd_settime)
{
	struct itimerspec t = { .it_value.tv_sec = 100 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	return after(TRY(timerfd_settime(fd, 0, &t, NULL)), fd);
}
OP(epoll_create) { return fd_result(TRY(epoll_create1(0))); }
OP(epoll_add)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), fd = eventfd(0, 0);

	return after(after(TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)), fd), ep);
}
OP(epoll_in_epoll)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), in = epoll_create1(0);

	return after(after(TRY(epoll_ctl(ep, EPOLL_CTL_ADD, in, &e)), in), ep);
}
OP(epoll_wait)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), fd = eventfd(1, 0);

	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	return after(after(TRY(epoll_wait(ep, &e, 1, 1)) < 0 ? -1 : 0, fd), ep);
}
OP(poll)
{
	struct pollfd p[100];
	int fd = eventfd(0, 0);

	for (int i = 0; i < 100; i++)
		p[i] = (struct pollfd){ fd, POLLIN, 0 };
	return after(TRY(poll(p, 100, 1)), fd);
}
OP(select)
{
	struct timeval t = { 0, 1000 };
	int fd = eventfd(0, 0);
	fd_set s;

	FD_ZERO(&s);
	FD_SET(fd, &s);
	return after(TRY(select(1000, &s, NULL, NULL, &t)) < 0 ? -1 : 0, fd);
}
OP(inotify) { return fd_result(TRY(inotify_init1(0))); }
OP(inotify_add)
{
	int fd = inotify_init1(0);

	return after(TRY(inotify_add_watch(fd, ".", IN_CREATE)) < 0 ? -1 : 0, fd);
}
OP(inotify_event)
{
	int fd = inotify_init1(0);

	CHECK_OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE));
	return after(clean(fd_result(TRY(open("noted", O_CREAT | O_WRONLY, 0600))), "noted"), fd);
}
OP(ptmx) { return fd_result(TRY(open("/dev/ptmx", O_RDWR | O_NOCTTY))); }
OP(pts)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, n = -1;
	char name[32];

	if (m < 0)
		return -1;
	CHECK_OK(ioctl(m, TIOCSPTLCK, &zero));
	CHECK_OK(ioctl(m, TIOCGPTN, &n));
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	return after(fd_result(TRY(open(name, O_RDWR | O_NOCTTY))), m);
}
OP(pty_write)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	return m < 0 ? -1 : after(TRY(write(m, "hello\n", 6)) < 0 ? -1 : 0, m);
}
OP(tcsetattr)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	struct termios t;

	if (m < 0)
		return -1;
	CHECK_OK(tcgetattr(m, &t));
	return after(TRY(tcsetattr(m, TCSANOW, &t)), m);
}
OP(mount_child) { return mount("none", "mnt", "tmpfs", 0, "size=1m"); }
OP(mount)
{
	if (mkdir("mnt", 0700) && errno != EEXIST)
		return -1;
	int r = TRY(op_mount_child()), e = errno;

	if (!r)
		CHECK_OK(umount("mnt"));
	errno = e;
	return r;
}
OP(mount_proc)
{
	if (mkdir("mnt", 0700) && errno != EEXIST)
		return -1;
	int r = TRY(mount("none", "mnt", "proc", 0, NULL)), e = errno;

	if (!r)
		CHECK_OK(umount("mnt"));
	errno = e;
	return r;
}
OP(mount_bind)
{
	if (mkdir("mnt", 0700) && errno != EEXIST)
		return -1;
	int r = TRY(mount("/tmp", "mnt", NULL, MS_BIND | MS_REC, NULL)), e = errno;

	if (!r)
		CHECK_OK(umount("mnt"));
	errno = e;
	return r;
}
OP(umount)
{
	if (mkdir("mnt", 0700) && errno != EEXIST)
		return -1;
	if (mount("none", "mnt", "tmpfs", 0, NULL))
		return -1;
	int r = TRY(umount("mnt")), e = errno;

	if (r)
		CHECK_OK(umount("mnt"));
	errno = e;
	return r;
}
OP(chroot_child) { return chroot("/tmp"); }
OP(chroot) { return fail_in_child(op_chroot_child); }
OP(ioctl_fionbio)
{
	int on = 0;

	return TRY(ioctl(0, FIONBIO, &on));
}

static int read_proc(const char *name)
{
	int fd = TRY(open(name, O_RDONLY)), r;

	if (fd < 0)
		return -1;
	r = (int)TRY(read(fd, page_buf, sizeof(page_buf)));
	return after(r < 0 ? -1 : 0, fd);
}
OP(proc_maps) { return read_proc("/proc/self/maps"); }
OP(proc_smaps) { return read_proc("/proc/self/smaps"); }
OP(proc_status) { return read_proc("/proc/self/status"); }
OP(proc_stat) { return read_proc("/proc/stat"); }
OP(proc_cmdline) { return read_proc("/proc/self/cmdline"); }
OP(proc_environ) { return read_proc("/proc/self/environ"); }
OP(proc_mounts) { return read_proc("/proc/self/mountinfo"); }
OP(proc_meminfo) { return read_proc("/proc/meminfo"); }
OP(proc_slabinfo) { return read_proc("/proc/slabinfo"); }
OP(proc_fdinfo) { return read_proc("/proc/self/fdinfo/0"); }
OP(proc_mem)
{
	int fd = open("/proc/self/mem", O_RDWR);

	return after(TRY(pread(fd, page_buf, 5000, (off_t)(uintptr_t)page_buf)) < 0 ? -1 : 0, fd);
}
OP(proc_fd_list)
{
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);

	return after(TRY(syscall(SYS_getdents64, fd, page_buf, 4096)) < 0 ? -1 : 0, fd);
}
OP(sysctl_write)
{
	int fd = open("/proc/sys/vm/overcommit_ratio", O_RDWR);

	return fd < 0 ? -1 : after(TRY(write(fd, "50\n", 3)) < 0 ? -1 : 0, fd);
}
OP(sysfs) { return read_proc("/sys/devices/system/cpu/online"); }
OP(dev_null) { return fd_result(TRY(open("/dev/null", O_RDWR))); }
OP(urandom) { return read_proc("/dev/urandom"); }
OP(getrandom) { return TRY(getrandom(page_buf, 5000, 0)) < 0 ? -1 : 0; }

OP(socketpair)
{
	int s[2], r = TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, s)), e = errno;

	if (!r) {
		close(s[0]);
		close(s[1]);
	}
	errno = e;
	return r;
}
OP(socket_write)
{
	int s[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return -1;
	r = (int)TRY(send(s[0], page_buf, 20000, MSG_DONTWAIT));
	return after(after(r < 0 ? -1 : 0, s[0]), s[1]);
}
OP(socket_pass_fd)
{
	char c = 0, ctl[CMSG_SPACE(sizeof(int))] = "";
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int s[2], r, zero = 0;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		return -1;
	*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(h), &zero, sizeof(zero));
	r = (int)TRY(sendmsg(s[0], &m, MSG_DONTWAIT));
	return after(after(r < 0 ? -1 : 0, s[0]), s[1]);
}
OP(socket_bind)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (s < 0)
		return -1;
	return after(clean(TRY(bind(s, (struct sockaddr *)&a, sizeof(a))), "sock"), s);
}
OP(socket_connect)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "sock2" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c, r;

	if (s < 0)
		return -1;
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(s, 5));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	r = TRY(connect(c, (struct sockaddr *)&a, sizeof(a)));
	return clean(after(after(r, c), s), "sock2");
}

static const struct fail_op file_ops[] = {
	ROW(open), ROW(open_dir), ROW(open_path), ROW(creat), ROW(tmpfile), ROW(openat2), ROW(stat_missing), ROW(stat),
	ROW(statfs), ROW(access), ROW(mkdir), ROW(rmdir), ROW(symlink), ROW(readlink), ROW(link), ROW(rename),
	ROW(rename_over), ROW(unlink), ROW(mknod), ROW(chmod), ROW(chown), ROW(utimes), ROW(truncate),
	ROW2(fallocate, ENOSPC), ROW(punch), ROW2(write, ENOSPC), ROW(writev), ROW(read), ROW(getdents),
	ROW(getdents_tmpfs), ROW(fsync), ROW(sendfile), ROW(copy_file_range), ROW2(setxattr, ENOSPC), ROW(listxattr),
	ROW(getxattr), ROW2(flock, ENOLCK), ROW2(posix_lock, ENOLCK), ROW2(posix_unlock_middle, ENOLCK),
	ROW2(ofd_lock, ENOLCK),
};

static const struct fail_op descriptor_ops[] = {
	ROW(dup), ROW2(dup_high, EMFILE), ROW(pipe), ROW(pipe_write), ROW(pipe_size), ROW(splice), ROW(vmsplice), ROW(tee),
	ROW(fifo_open), ROW(eventfd), ROW(signalfd), ROW(timerfd), ROW(timerfd_settime), ROW(epoll_create),
	ROW2(epoll_add, ENOSPC), ROW(epoll_in_epoll), ROW(epoll_wait), ROW(poll), ROW(select), ROW2(inotify, EMFILE),
	ROW2(inotify_add, ENOSPC), ROW(inotify_event), ROW2(ptmx, ENOSPC), ROW(pts), ROW(pty_write), ROW(tcsetattr),
	ROW2(socketpair, ENFILE), ROW2(socket_write, ENOBUFS), ROW2(socket_pass_fd, ENOBUFS), ROW(socket_bind),
	ROW(socket_connect), ROW(dev_null), ROW(urandom), ROW(getrandom), ROW(ioctl_fionbio),
};

static const struct fail_op system_ops[] = {
	ROW(mount), ROW(mount_proc), ROW(mount_bind), ROW(umount), ROW(chroot), ROW(proc_maps), ROW(proc_smaps),
	ROW(proc_status), ROW(proc_stat), ROW(proc_cmdline), ROW(proc_environ), ROW(proc_mounts), ROW(proc_meminfo),
	ROW(proc_slabinfo), ROW(proc_fdinfo), ROW2(proc_mem, EIO), ROW(proc_fd_list), ROW(sysctl_write), ROW(sysfs),
};

TEST_TIMED(failnth_files, 240)
{
	fail_walk(file_ops, sizeof(file_ops) / sizeof(file_ops[0]));
}

TEST_TIMED(failnth_descriptors, 240)
{
	fail_walk(descriptor_ops, sizeof(descriptor_ops) / sizeof(descriptor_ops[0]));
}

TEST_TIMED(failnth_system, 240)
{
	fail_walk(system_ops, sizeof(system_ops) / sizeof(system_ops[0]));
}
