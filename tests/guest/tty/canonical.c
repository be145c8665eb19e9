/* Line editing and echo: the expected bytes are those of a Linux kernel. */

#include "tty_test.h"

TEST(a_line_is_read_when_it_ends)
{
	struct pair p = open_pair();

	type(&p, "ab");
	expect_nothing(p.s);
	type(&p, "c\n");
	READS(p.s, 100, "abc\n");
	EXPECT(p.m, "abc\r\n");
}

TEST(one_line_for_each_read)
{
	struct pair p = open_pair();

	type(&p, "one\ntwo\nthree\n");
	READS(p.s, 100, "one\n");
	READS(p.s, 2, "tw");
	READS(p.s, 100, "o\n");
	READS(p.s, 100, "three\n");
	expect_nothing(p.s);
}

TEST(end_of_file)
{
	struct pair p = open_pair();
	char b[10];

	type(&p, "\004");
	CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
	CHECK_EQ(read(p.s, b, 10), 0);
	type(&p, "ab\004");
	READS(p.s, 10, "ab");
	type(&p, "abc\004");
	READS(p.s, 3, "abc");
	set_nonblock(p.s);
	CHECK_ERR(read(p.s, b, 3), EAGAIN);
	type(&p, "ab\n");
	READS(p.s, 10, "ab\n");
}

static int read_to_eof(void *arg)
{
	char b[10];

	return read(*(int *)arg, b, 10) != 0;
}

TEST(end_of_file_wakes_a_reader)
{
	struct pair p = open_pair();
	pid_t pid = test_fork(read_to_eof, &p.s);

	usleep(30000);
	type(&p, "\004");
	test_wait_exit(pid, 0);
}

TEST(erase_and_kill)
{
	struct pair p = open_pair();

	type(&p, "ab\177c\n");
	EXPECT(p.m, "ab\b \bc\r\n");
	READS(p.s, 100, "ac\n");
	type(&p, "xyz\025q\n");
	EXPECT(p.m, "xyz\b \b\b \b\b \bq\r\n");
	READS(p.s, 100, "q\n");
	type(&p, "\177\001\177\n");
	EXPECT(p.m, "^A\b \b\b \b\r\n");
	READS(p.s, 100, "\n");
	change(p.s, (struct change){ .loff = ECHOKE });
	type(&p, "xyz\025q\n");
	EXPECT(p.m, "xyz^U\r\nq\r\n");
	READS(p.s, 100, "q\n");
}

TEST(word_erase)
{
	struct pair p = open_pair();

	type(&p, "ab, cd  \027\n");
	EXPECT(p.m, "ab, cd  \b \b\b \b\b \b\b \b\r\n");
	READS(p.s, 100, "ab, \n");
}

TEST(tab_erase)
{
	struct pair p = open_pair();

	type(&p, "a\tb\177\177\n");
	EXPECT(p.m, "a\tb\b \b\b\b\b\b\b\b\b\r\n");
	READS(p.s, 100, "a\n");
}

TEST(utf8_erase)
{
	struct pair p = open_pair();

	change(p.s, (struct change){ .ion = IUTF8 });
	type(&p, "\303\251\342\202\254\177\177x\n");
	EXPECT(p.m, "\303\251\342\202\254\b \b\b \bx\r\n");
	READS(p.s, 100, "x\n");
}

TEST(literal_next_and_reprint)
{
	struct pair p = open_pair();

	type(&p, "\026\003\n");
	EXPECT(p.m, "^\b^C\r\n");
	READS(p.s, 100, "\003\n");
	type(&p, "a\022b\n");
	EXPECT(p.m, "a^R\r\nab\r\n");
	READS(p.s, 100, "ab\n");
}

TEST(other_ends_of_line)
{
	struct pair p = open_pair();

	set_cc(p.s, VEOL, 'X');
	set_cc(p.s, VEOL2, 'Y');
	type(&p, "aXbYc\n");
	EXPECT(p.m, "aXbYc\r\n");
	READS(p.s, 100, "aX");
	READS(p.s, 100, "bY");
	READS(p.s, 100, "c\n");
}

TEST(echo_variants)
{
	struct pair p = open_pair();

	change(p.s, (struct change){ .loff = ECHO, .lon = ECHONL });
	type(&p, "ab\177\n");
	EXPECT(p.m, "\r\n");
	READS(p.s, 100, "a\n");
	change(p.s, (struct change){ .lon = ECHO | ECHOPRT });
	type(&p, "xyz\177\177a\n");
	EXPECT(p.m, "xyz\\zy/a\r\n");
	READS(p.s, 100, "xa\n");
	change(p.s, (struct change){ .loff = ECHOPRT | ECHOCTL });
	type(&p, "\001b\177\177c\n");
	EXPECT(p.m, "\001b\b \bc\r\n");
	READS(p.s, 100, "c\n");
	change(p.s, (struct change){ .loff = ECHOE });
	type(&p, "xy\177z\n");
	EXPECT(p.m, "xy\177z\r\n");
	READS(p.s, 100, "xz\n");
}

TEST(carriage_returns)
{
	struct pair p = open_pair();

	type(&p, "a\r");
	READS(p.s, 100, "a\n");
	change(p.s, (struct change){ .ioff = ICRNL, .ion = IGNCR | INLCR });
	type(&p, "a\rb\nc\004");
	READS(p.s, 100, "ab\rc");
}

TEST(strip_case_and_parity_mark)
{
	struct pair p = open_pair();

	change(p.s, (struct change){ .ion = ISTRIP | IUCLC });
	type(&p, "A\301b\n");
	READS(p.s, 100, "aab\n");
	change(p.s, (struct change){ .ioff = ISTRIP | IUCLC, .ion = PARMRK });
	type(&p, "a\377b\n");
	READS(p.s, 100, "a\377\377b\n");
}

TEST(output_processing)
{
	struct pair p = open_pair();

	change(p.s, (struct change){ .ooff = ONLCR, .oon = OCRNL | ONOCR });
	CHECK_EQ(write(p.s, "\ra\rb\n\r", 6), 6);
	EXPECT(p.m, "a\nb\n\n");
	change(p.s, (struct change){ .ooff = OCRNL | ONOCR, .oon = ONLRET | OLCUC });
	CHECK_EQ(write(p.s, "ab\nc\tx", 6), 6);
	EXPECT(p.m, "AB\nC\tX");
	change(p.s, (struct change){ .ooff = ONLRET | OLCUC, .oon = ONLCR | XTABS });
	CHECK_EQ(write(p.s, "\na\tbc\t", 6), 6);
	EXPECT(p.m, "\r\na       bc      ");
	change(p.s, (struct change){ .ooff = OPOST });
	CHECK_EQ(write(p.s, "a\n\t", 3), 3);
	EXPECT(p.m, "a\n\t");
}

TEST(the_longest_line)
{
	struct pair p = open_pair();
	static char b[6000];

	change(p.s, (struct change){ .loff = ECHO });
	memset(b, 'x', sizeof(b));
	CHECK_EQ(write(p.m, b, 5000), 5000);
	type(&p, "\n");
	CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
	CHECK_EQ(read(p.s, b, sizeof(b)), 4096);
	CHECK_EQ(b[4095], '\n');
	set_nonblock(p.s);
	CHECK_ERR(read(p.s, b, 1), EAGAIN);
}

TEST(count_of_input)
{
	struct pair p = open_pair();
	int n = -1;

	type(&p, "part");
	expect_nothing(p.s);
	CHECK_OK(ioctl(p.s, FIONREAD, &n));
	CHECK_EQ(n, 0);
	type(&p, "\nx\004");
	EVENTUALLY(ioctl(p.s, FIONREAD, &n) == 0 && n == 6);
	change(p.s, (struct change){ .loff = ICANON });
	READS(p.s, 5, "part\n");
}

TEST(modes_take_over_what_is_there)
{
	struct pair p = open_pair();

	type(&p, "part");
	expect_nothing(p.s);
	change(p.s, (struct change){ .loff = ICANON });
	CHECK(ready(p.s, POLLIN, 0) & POLLIN);
	change(p.s, (struct change){ .lon = ICANON });
	READS(p.s, 100, "part");
	expect_nothing(p.s);
}

TEST(flushing_input)
{
	struct pair p = open_pair();

	type(&p, "old\n");
	CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
	CHECK_OK(tcflush(p.s, TCIFLUSH));
	expect_nothing(p.s);
	type(&p, "new\n");
	READS(p.s, 100, "new\n");
	type(&p, "old\n");
	CHECK(ready(p.s, POLLIN, 5000) & POLLIN);
	struct termios t;
	CHECK_OK(tcgetattr(p.s, &t));
	CHECK_OK(tcsetattr(p.s, TCSAFLUSH, &t));
	expect_nothing(p.s);
	CHECK_ERR(tcflush(p.s, 7), EINVAL);
}

TEST(stop_and_start_output)
{
	struct pair p = open_pair();

	type(&p, "\023");
	EVENTUALLY(ready(p.s, POLLOUT, 0) == 0);
	set_nonblock(p.s);
	CHECK_ERR(write(p.s, "x", 1), EAGAIN);
	type(&p, "\021");
	CHECK_EQ(ready(p.s, POLLOUT, 5000), POLLOUT);
	CHECK_EQ(write(p.s, "y", 1), 1);
	EXPECT(p.m, "y");
	CHECK_OK(tcflow(p.s, TCOOFF));
	CHECK_ERR(write(p.s, "x", 1), EAGAIN);
	type(&p, "\021");
	expect_nothing(p.m);
	CHECK_ERR(write(p.s, "x", 1), EAGAIN);
	CHECK_OK(tcflow(p.s, TCOON));
	CHECK_EQ(write(p.s, "z", 1), 1);
	EXPECT(p.m, "z");
	CHECK_OK(tcflow(p.s, TCIOFF));
	EXPECT(p.m, "\023");
	CHECK_OK(tcflow(p.s, TCION));
	EXPECT(p.m, "\021");
	CHECK_ERR(tcflow(p.s, 9), EINVAL);
}

static int write_one(void *arg)
{
	return write(*(int *)arg, "x", 1) != 1;
}

TEST(a_stopped_writer_goes_on)
{
	struct pair p = open_pair();
	int status;

	CHECK_OK(tcflow(p.s, TCOOFF));
	pid_t pid = test_fork(write_one, &p.s);
	usleep(50000);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(tcflow(p.s, TCOON));
	test_wait_exit(pid, 0);
	EXPECT(p.m, "x");
}
