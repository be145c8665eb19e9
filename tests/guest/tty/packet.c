/* Packet mode, and the external line discipline. */

#include "tty_test.h"

static struct pair open_packet(void)
{
	struct pair p = open_pair();
	int on = 1, back = 0;

	set_nonblock(p.m);
	CHECK_OK(ioctl(p.m, TIOCPKT, &on));
	CHECK_OK(ioctl(p.m, TIOCGPKT, &back));
	CHECK_EQ(back, 1);
	CHECK_ERR(ioctl(p.s, TIOCPKT, &on), ENOTTY);
	return p;
}

/* The next packet is this status alone. */
static void expect_status(struct pair *p, int status)
{
	unsigned char b[10];

	CHECK(ready(p->m, POLLIN | POLLPRI, 5000) & POLLPRI);
	CHECK_EQ(read(p->m, b, sizeof(b)), 1);
	CHECK_EQ(b[0], status);
	CHECK_EQ(ready(p->m, POLLPRI, 0), 0);
}

TEST(data_has_a_byte_before_it)
{
	struct pair p = open_packet();
	int off = 0;

	CHECK_EQ(write(p.s, "hi", 2), 2);
	READS(p.m, 100, "\0hi");
	CHECK_EQ(write(p.s, "hello", 5), 5);
	READS(p.m, 1, "\0");
	READS(p.m, 3, "\0he");
	READS(p.m, 100, "\0llo");
	CHECK_ERR(read(p.m, &off, 1), EAGAIN);
	CHECK_OK(ioctl(p.m, TIOCPKT, &off));
	CHECK_EQ(write(p.s, "hi", 2), 2);
	READS(p.m, 100, "hi");
}

TEST(flushes_are_told)
{
	struct pair p = open_packet();

	CHECK_OK(tcflush(p.s, TCIFLUSH));
	expect_status(&p, TIOCPKT_FLUSHREAD);
	CHECK_OK(tcflush(p.s, TCIOFLUSH));
	expect_status(&p, TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
}

TEST(stops_are_told)
{
	struct pair p = open_packet();

	CHECK_OK(tcflow(p.s, TCOOFF));
	expect_status(&p, TIOCPKT_STOP);
	CHECK_OK(tcflow(p.s, TCOON));
	expect_status(&p, TIOCPKT_START);
	type(&p, "\023");
	expect_status(&p, TIOCPKT_STOP);
	type(&p, "\021");
	expect_status(&p, TIOCPKT_START);
}

TEST(flow_settings_are_told)
{
	struct pair p = open_packet();

	change(p.s, (struct change){ .ioff = IXON });
	expect_status(&p, TIOCPKT_NOSTOP);
	change(p.s, (struct change){ .ion = IXON });
	expect_status(&p, TIOCPKT_DOSTOP);
	set_cc(p.s, VSTOP, 'x');
	expect_status(&p, TIOCPKT_NOSTOP);
}

TEST(status_comes_before_data)
{
	struct pair p = open_packet();

	CHECK_EQ(write(p.s, "x", 1), 1);
	EVENTUALLY(ready(p.m, POLLIN, 0) & POLLIN);
	CHECK_OK(tcflush(p.s, TCIFLUSH));
	expect_status(&p, TIOCPKT_FLUSHREAD);
	READS(p.m, 100, "\0x");
}

#ifndef EXTPROC
#define EXTPROC 0200000
#endif

TEST(extproc_tells_of_settings_and_does_nothing_else)
{
	struct pair p = open_packet();

	change(p.s, (struct change){ .lon = EXTPROC });
	expect_status(&p, TIOCPKT_IOCTL);
	change(p.s, (struct change){ .loff = ECHO });
	expect_status(&p, TIOCPKT_IOCTL);
	type(&p, "a\177\003");
	READS(p.s, 100, "a\177\003");
	change(p.s, (struct change){ .loff = EXTPROC });
	expect_status(&p, TIOCPKT_IOCTL);
	change(p.s, (struct change){ .lon = ECHO });
	CHECK_EQ(ready(p.m, POLLPRI, 0), 0);
}
