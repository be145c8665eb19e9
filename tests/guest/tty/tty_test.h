#pragma once

/* What the tests of terminals share: a pty, its settings, and reading what is due. */

#include "test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

struct pair {
	int m, s;
	char name[64];
};

static inline struct pair open_pair(void)
{
	struct pair p;
	int zero = 0;

	p.m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p.m < 0 && (errno == ENOENT || errno == ENODEV))
		test_skip("no /dev/ptmx");
	CHECK_OK(p.m);
	CHECK_OK(ioctl(p.m, TIOCSPTLCK, &zero));
	CHECK_EQ(ptsname_r(p.m, p.name, sizeof(p.name)), 0);
	CHECK_OK(p.s = open(p.name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	return p;
}

static inline void close_pair(struct pair *p)
{
	close(p->s);
	close(p->m);
}

/* Clears and sets flags at once. */
struct change {
	tcflag_t ioff, ion, ooff, oon, loff, lon;
};

static inline void change(int fd, struct change c)
{
	struct termios t;

	CHECK_OK(tcgetattr(fd, &t));
	t.c_iflag = (t.c_iflag & ~c.ioff) | c.ion;
	t.c_oflag = (t.c_oflag & ~c.ooff) | c.oon;
	t.c_lflag = (t.c_lflag & ~c.loff) | c.lon;
	CHECK_OK(tcsetattr(fd, TCSANOW, &t));
}

static inline void make_raw(int fd, int vmin, int vtime)
{
	struct termios t;

	CHECK_OK(tcgetattr(fd, &t));
	cfmakeraw(&t);
	t.c_cc[VMIN] = (cc_t)vmin;
	t.c_cc[VTIME] = (cc_t)vtime;
	CHECK_OK(tcsetattr(fd, TCSANOW, &t));
}

static inline void set_cc(int fd, int i, int c)
{
	struct termios t;

	CHECK_OK(tcgetattr(fd, &t));
	t.c_cc[i] = (cc_t)c;
	CHECK_OK(tcsetattr(fd, TCSANOW, &t));
}

static inline void set_nonblock(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

/* The ready events of `events`, after waiting at most ms. */
static inline int ready(int fd, int events, int ms)
{
	struct pollfd p = { .fd = fd, .events = (short)events };

	CHECK(poll(&p, 1, ms) >= 0);
	return p.revents;
}

static inline void type(struct pair *p, const char *text)
{
	CHECK_EQ(write(p->m, text, strlen(text)), (ssize_t)strlen(text));
}

/* Reads exactly `want` (n bytes), however many reads that takes, none of which may wait for ever. */
static inline void expect_bytes(int fd, const void *want, size_t n)
{
	char got[4096], shown[400];
	size_t have = 0, at = 0;

	while (have < n) {
		if (!(ready(fd, POLLIN, 5000) & POLLIN))
			break;
		ssize_t r = read(fd, got + have, n - have);

		if (r <= 0)
			break;
		have += (size_t)r;
	}
	if (have == n && memcmp(got, want, n) == 0)
		return;
	for (size_t i = 0; i < have && at + 4 < sizeof(shown); i++)
		at += (size_t)snprintf(shown + at, sizeof(shown) - at, "%02x ", (unsigned char)got[i]);
	shown[at] = 0;
	FAIL("of %zu bytes expected, read %zu: %s", n, have, shown);
}
#define EXPECT(fd, text) expect_bytes(fd, text, sizeof(text) - 1)

/* One read(2) gives exactly this. */
#define READS(fd, max, text)                                                     \
	do {                                                                     \
		char b_[4200];                                                   \
		CHECK(ready(fd, POLLIN, 5000) & POLLIN);                         \
		CHECK_EQ(read(fd, b_, max), (ssize_t)sizeof(text) - 1);          \
		CHECK(memcmp(b_, text, sizeof(text) - 1) == 0);                  \
	} while (0)

static inline void expect_nothing(int fd)
{
	CHECK_EQ(ready(fd, POLLIN, 50) & POLLIN, 0);
}

/* Runs fn(p) as the leader of a new session whose terminal p's slave is; the master is p->m. Waits for exit 0. */
static inline pid_t start_session(struct pair *p, int (*fn)(struct pair *))
{
	pid_t pid = fork();

	CHECK_OK(pid);
	if (pid == 0) {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(p->s, TIOCSCTTY, 0));
		_exit(fn(p));
	}
	return pid;
}

static inline void in_session(int (*fn)(struct pair *))
{
	struct pair p = open_pair();

	test_wait_exit(start_session(&p, fn), 0);
	close_pair(&p);
}

/* Waits for something that is not announced. */
#define EVENTUALLY(c)                                                            \
	do {                                                                     \
		int tries_ = 500;                                                \
		while (!(c) && --tries_ > 0)                                     \
			usleep(10000);                                           \
		if (!tries_)                                                     \
			FAIL("never: %s", #c);                                   \
	} while (0)
