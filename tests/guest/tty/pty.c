/* Pseudoterminals: opening, both ends, closing, capacity, flow. */

#include "tty_test.h"

TEST(slave_is_locked_until_unlocked)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), on = 1, locked = -1;

	CHECK_OK(m);
	CHECK_OK(ioctl(m, TIOCGPTLCK, &locked));
	CHECK_EQ(locked, 1);
	CHECK_ERR(open(ptsname(m), O_RDWR | O_NOCTTY), EIO);
	CHECK_OK(unlockpt(m));
	int s = open(ptsname(m), O_RDWR | O_NOCTTY);
	CHECK_OK(s);
	CHECK_OK(ioctl(m, TIOCSPTLCK, &on));
	CHECK_ERR(open(ptsname(m), O_RDWR | O_NOCTTY), EIO);
}

TEST(bytes_go_both_ways)
{
	struct pair p = open_pair();

	type(&p, "hello\n");
	EXPECT(p.m, "hello\r\n");
	READS(p.s, 100, "hello\n");
	CHECK_EQ(write(p.s, "a\nb", 3), 3);
	EXPECT(p.m, "a\r\nb");
}

TEST(slave_is_a_tty_with_usual_settings)
{
	struct pair p = open_pair();
	struct termios t;
	struct stat st;

	CHECK_EQ(isatty(p.s), 1);
	CHECK_EQ(isatty(p.m), 1);
	CHECK_OK(tcgetattr(p.s, &t));
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_cflag, CS8 | CREAD | B38400);
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VERASE], 127);
	CHECK_EQ(t.c_cc[VEOF], 4);
	CHECK_EQ(t.c_cc[VMIN], 1);
	CHECK_EQ(cfgetospeed(&t), B38400);
	CHECK_OK(fstat(p.s, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev >> 8 & 0xfff, 136);
}

TEST(slave_settings_are_the_masters_too)
{
	struct pair p = open_pair();
	struct termios t;

	CHECK_OK(tcgetattr(p.s, &t));
	t.c_lflag &= ~(tcflag_t)ECHO;
	t.c_cflag = CS7 | PARENB | B9600;
	CHECK_OK(tcsetattr(p.s, TCSANOW, &t));
	memset(&t, 0, sizeof(t));
	CHECK_OK(tcgetattr(p.m, &t));
	CHECK_EQ(t.c_lflag & ECHO, 0);
	CHECK_EQ(t.c_cflag, CS8 | CREAD | B9600); /* a pty has eight bits, always */
}

TEST(master_works_before_the_slave_is_open)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY);
	char b[10];

	CHECK_OK(m);
	CHECK_OK(unlockpt(m));
	set_nonblock(m);
	CHECK_ERR(read(m, b, 10), EAGAIN);
	CHECK_EQ(ready(m, POLLIN | POLLOUT, 0), POLLOUT);
	CHECK_EQ(write(m, "abc\n", 4), 4);
	int s = open(ptsname(m), O_RDWR | O_NOCTTY);
	CHECK_OK(s);
	READS(s, 10, "abc\n");
	EXPECT(m, "abc\r\n");
}

TEST(slave_closed_gives_the_master_eio)
{
	struct pair p = open_pair();
	char b[10];

	CHECK_EQ(write(p.s, "bye", 3), 3);
	close(p.s);
	CHECK_EQ(ready(p.m, POLLIN, 1000) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
	CHECK_EQ(read(p.m, b, 10), 3);
	CHECK_ERR(read(p.m, b, 10), EIO);
	CHECK_EQ(ready(p.m, POLLIN, 0) & (POLLIN | POLLHUP), POLLHUP);
	CHECK_OK(p.s = open(p.name, O_RDWR | O_NOCTTY));
	CHECK_EQ(ready(p.m, POLLIN, 0) & (POLLIN | POLLHUP), 0);
	CHECK_EQ(write(p.s, "x", 1), 1);
	EXPECT(p.m, "x");
}

static int close_slave_later(void *arg)
{
	usleep(50000);
	close(*(int *)arg);
	return 0;
}

TEST(blocked_master_wakes_when_the_slave_closes)
{
	struct pair p = open_pair();
	pid_t pid = test_fork(close_slave_later, &p.s);
	char b[10];

	close(p.s);
	CHECK_ERR(read(p.m, b, 10), EIO);
	test_wait_exit(pid, 0);
}

TEST(master_closed_hangs_the_slave_up)
{
	struct pair p = open_pair();
	struct termios t;
	char b[10];

	type(&p, "unread\n");
	close(p.m);
	CHECK_EQ(read(p.s, b, 10), 0);
	CHECK_EQ(read(p.s, b, 10), 0);
	CHECK_ERR(write(p.s, "x", 1), EIO);
	CHECK_ERR(tcgetattr(p.s, &t), EIO);
	CHECK_EQ(isatty(p.s), 0);
	CHECK_EQ(ready(p.s, POLLIN | POLLOUT, 0), POLLIN | POLLOUT | POLLERR | POLLHUP);
	CHECK_ERR(open(p.name, O_RDWR | O_NOCTTY), ENOENT);
}

static int close_master_later(void *arg)
{
	usleep(50000);
	close(*(int *)arg);
	return 0;
}

TEST(blocked_slave_wakes_when_the_master_closes)
{
	struct pair p = open_pair();
	pid_t pid = test_fork(close_master_later, &p.m);
	char b[10];

	close(p.m);
	CHECK_ERR(read(p.s, b, 10), EIO);
	test_wait_exit(pid, 0);
	CHECK_EQ(read(p.s, b, 10), 0);
}

static int wait_for_hup(void *arg)
{
	CHECK_EQ(ready(*(int *)arg, POLLIN, 5000) & POLLHUP, POLLHUP);
	return 0;
}

TEST(poll_wakes_on_hang_up)
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		close(p.m);
		_exit(wait_for_hup(&p.s));
	}
	usleep(50000);
	close(p.m);
	test_wait_exit(pid, 0);
}

TEST(peer_is_opened_without_a_name)
{
	struct pair p = open_pair();
	struct stat a, b;
	int s = ioctl(p.m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	CHECK_OK(s);
	CHECK_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	CHECK_OK(fstat(s, &a));
	CHECK_OK(fstat(p.s, &b));
	CHECK_EQ(a.st_rdev, b.st_rdev);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(write(s, "x", 1), 1);
	EXPECT(p.m, "x");
	CHECK_ERR(ioctl(p.s, TIOCGPTPEER, O_RDWR), EIO);
}

TEST(name_is_found_by_number)
{
	struct pair p = open_pair();
	unsigned n = 12345;
	char name[64];

	CHECK_OK(ioctl(p.m, TIOCGPTN, &n));
	snprintf(name, sizeof(name), "/dev/pts/%u", n);
	CHECK_STR(name, p.name);
	CHECK_EQ(ttyname_r(p.s, name, sizeof(name)), 0);
	CHECK_STR(name, p.name);
	CHECK_ERR(ioctl(p.s, TIOCGPTN, &n), ENOTTY);
}

TEST(a_write_blocks_only_for_room)
{
	struct pair p = open_pair();
	static char b[65536];
	ssize_t n;
	size_t total = 0;

	make_raw(p.s, 1, 0);
	set_nonblock(p.s);
	set_nonblock(p.m);
	memset(b, 'x', sizeof(b));
	while ((n = write(p.s, b, 1000)) > 0)
		total += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(total >= 4096);
	CHECK_EQ(ready(p.s, POLLOUT, 0), 0);
	while (total > 0) {
		CHECK(ready(p.m, POLLIN, 5000) & POLLIN);
		CHECK((n = read(p.m, b, sizeof(b))) > 0);
		total -= (size_t)n;
	}
	CHECK_EQ(ready(p.s, POLLOUT, 5000), POLLOUT);

	total = 0;
	while ((n = write(p.m, b, 1000)) > 0)
		total += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(total >= 4096);
	while (total > 0) {
		CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
		CHECK((n = read(p.s, b, sizeof(b))) > 0);
		total -= (size_t)n;
	}
	CHECK_EQ(ready(p.m, POLLOUT, 5000), POLLOUT);
}

enum { MEGABYTE = 1 << 20 };

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8) * 7);
}

static int write_pattern(void *arg)
{
	static unsigned char b[8192];
	int fd = *(int *)arg;
	size_t at = 0;

	while (at < MEGABYTE) {
		size_t n = 1 + at % sizeof(b);
		ssize_t w;

		if (n > MEGABYTE - at)
			n = MEGABYTE - at;
		for (size_t i = 0; i < n; i++)
			b[i] = pattern(at + i);
		w = write(fd, b, n);
		if (w <= 0)
			return 1;
		at += (size_t)w;
	}
	return 0;
}

static void check_pattern(int fd)
{
	static unsigned char b[5000];
	size_t at = 0;
	ssize_t n;

	while (at < MEGABYTE) {
		CHECK((n = read(fd, b, sizeof(b))) > 0);
		for (ssize_t i = 0; i < n; i++, at++)
			if (b[i] != pattern(at))
				FAIL("byte %zu is %#x, not %#x", at, b[i], pattern(at));
	}
}

TEST_TIMED(a_megabyte_goes_through_raw, 60)
{
	struct pair p = open_pair();
	pid_t pid;

	make_raw(p.s, 1, 0);
	pid = test_fork(write_pattern, &p.s);
	check_pattern(p.m);
	test_wait_exit(pid, 0);
	pid = test_fork(write_pattern, &p.m);
	check_pattern(p.s);
	test_wait_exit(pid, 0);
}

static int write_lines(void *arg)
{
	static char b[4096];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = i % 64 == 63 ? '\n' : 'x';
	for (int i = 0; i < 64; i++)
		for (size_t at = 0; at < sizeof(b);) {
			ssize_t n = write(*(int *)arg, b + at, sizeof(b) - at);

			if (n <= 0)
				return 1;
			at += (size_t)n;
		}
	return 0;
}

TEST_TIMED(lines_get_their_carriage_returns, 60)
{
	struct pair p = open_pair();
	pid_t pid = test_fork(write_lines, &p.s);
	static char b[5000];
	size_t at = 0, total = 64 * 64 * 65;

	while (at < total) {
		ssize_t n = read(p.m, b, sizeof(b));

		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++, at++)
			if (b[i] != (at % 65 == 64 ? '\n' : at % 65 == 63 ? '\r' : 'x'))
				FAIL("byte %zu is %#x", at, b[i]);
	}
	test_wait_exit(pid, 0);
}

static int write_block(void *arg)
{
	static char b[20000];

	memset(b, 'a' + getpid() % 26, sizeof(b));
	return write(*(int *)arg, b, sizeof(b)) != sizeof(b);
}

/* A write longer than the buffers is not mixed with another's. */
TEST(writes_do_not_mix)
{
	struct pair p = open_pair();
	pid_t one, two;
	static char b[40000];
	size_t at = 0, changes = 0;

	make_raw(p.s, 1, 0);
	one = test_fork(write_block, &p.s);
	two = test_fork(write_block, &p.s);
	while (at < sizeof(b)) {
		ssize_t n = read(p.m, b + at, sizeof(b) - at);

		CHECK(n > 0);
		at += (size_t)n;
	}
	for (size_t i = 1; i < sizeof(b); i++)
		changes += b[i] != b[i - 1];
	CHECK(changes <= 1);
	test_wait_exit(one, 0);
	test_wait_exit(two, 0);
}

TEST(positions_mean_nothing)
{
	struct pair p = open_pair();
	char b[1];

	CHECK_ERR(lseek(p.s, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(lseek(p.m, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(p.s, b, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(p.s, b, 1, 0), ESPIPE);
	CHECK_ERR(ftruncate(p.s, 0), EINVAL);
	CHECK_ERR(fsync(p.s), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, p.s, 0) == MAP_FAILED && errno == ENODEV);
	CHECK_EQ(read(p.s, b, 0), 0);
	CHECK_EQ(write(p.s, b, 0), 0);
}

TEST(drain_and_queues)
{
	struct pair p = open_pair();
	int n = -1;

	CHECK_EQ(write(p.s, "hello", 5), 5);
	CHECK_OK(tcdrain(p.s));
	CHECK_OK(ioctl(p.s, TIOCOUTQ, &n));
	CHECK_EQ(n, 0);
	EVENTUALLY(ioctl(p.m, FIONREAD, &n) == 0 && n == 5);
	CHECK_OK(tcsendbreak(p.s, 0));
	EXPECT(p.m, "hello");
}

TEST(efault_is_reported)
{
	struct pair p = open_pair();
	void *volatile bad = (void *)8;

	type(&p, "abc\n");
	CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
	CHECK_ERR(read(p.s, bad, 10), EFAULT);
	CHECK_ERR(write(p.s, bad, 10), EFAULT);
	CHECK_ERR(ioctl(p.s, TCGETS, bad), EFAULT);
	CHECK_ERR(ioctl(p.s, TIOCSWINSZ, bad), EFAULT);
}
