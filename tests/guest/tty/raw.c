/* Raw mode: VMIN and VTIME, transparency, poll. */

#include "tty_test.h"

static int64_t ms_since(int64_t start)
{
	return (test_now() - start) / 1000000;
}

TEST(every_byte_goes_through)
{
	struct pair p = open_pair();
	unsigned char all[256];

	make_raw(p.s, 1, 0);
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	CHECK_EQ(write(p.m, all, 256), 256);
	expect_bytes(p.s, all, 256);
	CHECK_EQ(write(p.s, all, 256), 256);
	expect_bytes(p.m, all, 256);
	expect_nothing(p.m);
}

struct delayed {
	struct pair *p;
	const char *text;
	int gap_ms;
};

/* Types the text byte by byte. */
static int type_slowly(void *arg)
{
	struct delayed *d = arg;

	for (const char *c = d->text; *c; c++) {
		usleep((useconds_t)d->gap_ms * 1000);
		if (write(d->p->m, c, 1) != 1)
			return 1;
	}
	return 0;
}

TEST(min_waits_for_all)
{
	struct pair p = open_pair();
	struct delayed d = { &p, "abc", 20 };
	char b[10];

	make_raw(p.s, 3, 0);
	pid_t pid = test_fork(type_slowly, &d);
	CHECK_EQ(read(p.s, b, 10), 3);
	CHECK(memcmp(b, "abc", 3) == 0);
	test_wait_exit(pid, 0);
}

TEST(min_is_at_most_what_fits)
{
	struct pair p = open_pair();
	char b[2];

	make_raw(p.s, 10, 0);
	type(&p, "ab");
	CHECK_EQ(read(p.s, b, 2), 2);
}

TEST(min_one_takes_what_is_there)
{
	struct pair p = open_pair();

	make_raw(p.s, 1, 0);
	type(&p, "abcdef");
	usleep(20000);
	READS(p.s, 4, "abcd");
	READS(p.s, 100, "ef");
}

TEST(no_min_no_time_never_waits)
{
	struct pair p = open_pair();
	char b[10];

	make_raw(p.s, 0, 0);
	CHECK_EQ(read(p.s, b, 10), 0);
	type(&p, "ab");
	CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
	CHECK_EQ(read(p.s, b, 10), 2);
	set_nonblock(p.s);
	CHECK_EQ(read(p.s, b, 10), 0);
}

TEST(time_alone_is_a_limit)
{
	struct pair p = open_pair();
	char b[10];

	make_raw(p.s, 0, 2);
	int64_t start = test_now();
	CHECK_EQ(read(p.s, b, 10), 0);
	CHECK(ms_since(start) >= 100);
	type(&p, "ab");
	CHECK(read(p.s, b, 10) > 0);
	set_nonblock(p.s);
	tcflush(p.s, TCIFLUSH);
	CHECK_ERR(read(p.s, b, 10), EAGAIN);
}

TEST(time_alone_ends_with_the_first_byte)
{
	struct pair p = open_pair();
	struct delayed d = { &p, "x", 50 };
	char b[10];

	make_raw(p.s, 0, 100);
	pid_t pid = test_fork(type_slowly, &d);
	CHECK_EQ(read(p.s, b, 10), 1);
	test_wait_exit(pid, 0);
}

TEST(time_between_bytes)
{
	struct pair p = open_pair();
	struct delayed d = { &p, "abc", 50 };
	char b[10];

	make_raw(p.s, 10, 5);
	pid_t pid = test_fork(type_slowly, &d); /* the first byte may take its time */
	int64_t start = test_now();
	CHECK_EQ(read(p.s, b, 10), 3);
	CHECK(ms_since(start) >= 400);
	test_wait_exit(pid, 0);
}

TEST(nonblocking_read_takes_less_than_min)
{
	struct pair p = open_pair();
	char b[10];

	make_raw(p.s, 5, 0);
	set_nonblock(p.s);
	CHECK_ERR(read(p.s, b, 10), EAGAIN);
	type(&p, "abc");
	usleep(50000);
	CHECK_EQ(ready(p.s, POLLIN, 0), 0); /* fewer than VMIN */
	CHECK_EQ(read(p.s, b, 10), 3);
	type(&p, "abcde");
	CHECK_EQ(ready(p.s, POLLIN, 5000), POLLIN);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

TEST(a_signal_ends_a_read)
{
	struct pair p = open_pair();
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { .it_value = { 0, 50000 } };
	char b[10];

	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_ERR(read(p.s, b, 10), EINTR);
	CHECK_EQ(alarms, 1);
	make_raw(p.s, 5, 0);
	type(&p, "ab");
	usleep(20000);
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_EQ(read(p.s, b, 10), 2);
}

TEST(echo_in_raw_mode)
{
	struct pair p = open_pair();

	change(p.s, (struct change){ .loff = ICANON });
	type(&p, "a\n\177\004x");
	EXPECT(p.m, "a^J^?^Dx");
	READS(p.s, 100, "a\n\177\004x");
}

TEST(poll_wakes_on_input)
{
	struct pair p = open_pair();
	struct delayed d = { &p, "x", 50 };

	make_raw(p.s, 1, 0);
	CHECK_EQ(ready(p.s, POLLIN | POLLOUT, 0), POLLOUT);
	pid_t pid = test_fork(type_slowly, &d);
	CHECK_EQ(ready(p.s, POLLIN, 5000), POLLIN);
	test_wait_exit(pid, 0);
}

TEST(input_waits_while_nobody_reads)
{
	struct pair p = open_pair();
	static unsigned char b[8000], back[8000];
	size_t at = 0;

	make_raw(p.s, 1, 0);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (unsigned char)(i * 7);
	CHECK_EQ(write(p.m, b, sizeof(b)), sizeof(b)); /* more than the line discipline holds */
	while (at < sizeof(back)) {
		ssize_t n = read(p.s, back + at, 700);

		CHECK(n > 0);
		at += (size_t)n;
	}
	CHECK(memcmp(b, back, sizeof(b)) == 0);
}
