/* io_setup(2) and its relatives, by system call: libc has none. */

#include "test.h"

#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

static int setup(unsigned n, aio_context_t *c)
{
	return (int)syscall(SYS_io_setup, n, c);
}
static int submit(aio_context_t c, long n, struct iocb **p)
{
	return (int)syscall(SYS_io_submit, c, n, p);
}
static int getevents(aio_context_t c, long min, long nr, struct io_event *e, struct timespec *t)
{
	return (int)syscall(SYS_io_getevents, c, min, nr, e, t);
}

TEST(aio_reads_and_writes)
{
	char out[] = "hello", in[10] = "";
	int fd = open("f", O_CREAT | O_RDWR, 0600), ev = eventfd(0, EFD_NONBLOCK);
	struct iocb w = { .aio_data = 1, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (unsigned)fd, .aio_buf = (uint64_t)out,
			  .aio_nbytes = 5, .aio_offset = 3, .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (unsigned)ev };
	struct iovec v[2] = { { in, 2 }, { in + 2, 5 } };
	struct iocb s = { .aio_data = 2, .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = (unsigned)fd };
	struct iocb r = { .aio_data = 3, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = (unsigned)fd, .aio_buf = (uint64_t)v,
			  .aio_nbytes = 2, .aio_offset = 3 };
	struct iocb *p[] = { &w };
	struct timespec none = { 0, 0 };
	struct io_event e[4];
	aio_context_t c = 0;
	uint64_t n;

	CHECK_OK(setup(8, &c));
	CHECK_EQ(getevents(c, 0, 4, e, &none), 0);
	CHECK_EQ(getevents(c, 1, 4, e, &none), 0);
	CHECK_EQ(submit(c, 1, p), 1);
	CHECK_EQ(getevents(c, 1, 4, e, NULL), 1);
	CHECK_EQ(e[0].data, 1);
	CHECK_EQ(e[0].obj, (uint64_t)&w);
	CHECK_EQ(e[0].res, 5);
	CHECK_EQ(read(ev, &n, 8), 8);
	CHECK_EQ(n, 1);
	p[0] = &s;
	CHECK_EQ(submit(c, 1, p), 1);
	CHECK_EQ(getevents(c, 1, 4, e, NULL), 1);
	CHECK_EQ(e[0].data, 2);
	CHECK_EQ(e[0].res, 0);
	p[0] = &r;
	CHECK_EQ(submit(c, 1, p), 1);
	CHECK_EQ(getevents(c, 1, 4, e, NULL), 1);
	CHECK_EQ(e[0].res, 5);
	CHECK(!strcmp(in, "hello"));
	CHECK_OK(syscall(SYS_io_destroy, c));
	CHECK_ERR(getevents(c, 0, 4, e, &none), EINVAL);
}

TEST(aio_errors)
{
	char b[10];
	int z = open("/dev/zero", O_RDWR), d = open(".", O_RDONLY);
	struct iocb io = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (unsigned)z, .aio_buf = (uint64_t)b, .aio_nbytes = 10 };
	struct iocb bad = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = 999, .aio_buf = (uint64_t)b, .aio_nbytes = 10 };
	struct iocb *p[] = { &io, &bad, (struct iocb *)1 };
	struct io_event e[4];
	aio_context_t c = 0, c2 = 0;

	CHECK_ERR(setup(0, &c), EINVAL);
	CHECK_ERR(setup(1, NULL), EFAULT);
	CHECK_ERR(setup(70000000, &c2), EINVAL);
	CHECK_OK(setup(3, &c));
	CHECK_ERR(setup(3, &c), EINVAL); /* not 0 before */
	CHECK_EQ(submit(c, 3, p), 1); /* as far as it goes */
	CHECK_ERR(submit(c, 1, p + 1), EBADF);
	CHECK_ERR(submit(c, 1, p + 2), EFAULT);
	CHECK_ERR(submit(c, -1, p), EINVAL);
	CHECK_ERR(submit(c + 4096, 1, p), EINVAL);
	CHECK_ERR(submit(0, 1, p), EINVAL);
	CHECK_EQ(submit(c, 0, p), 0);
	io.aio_lio_opcode = 99;
	CHECK_ERR(submit(c, 1, p), EINVAL);
	io.aio_lio_opcode = IOCB_CMD_PREAD;
	io.aio_reserved2 = 1;
	CHECK_ERR(submit(c, 1, p), EINVAL);
	io.aio_reserved2 = 0;
	io.aio_nbytes = (uint64_t)-1;
	CHECK_ERR(submit(c, 1, p), EINVAL);
	io.aio_nbytes = 10;
	io.aio_rw_flags = 0x40000000;
	CHECK_ERR(submit(c, 1, p), EOPNOTSUPP);
	io.aio_rw_flags = 0;
	io.aio_fildes = (unsigned)d;
	CHECK_ERR(submit(c, 1, p), EINVAL);
	io.aio_fildes = (unsigned)z;
	io.aio_flags = IOCB_FLAG_RESFD;
	io.aio_resfd = (unsigned)z;
	CHECK_ERR(submit(c, 1, p), EINVAL);
	io.aio_flags = 0;
	CHECK_ERR(getevents(c, 2, 1, e, NULL), EINVAL);
	CHECK_ERR(getevents(c, -1, 1, e, NULL), EINVAL);
	CHECK_EQ(getevents(c, 1, 4, e, NULL), 1);
	io.aio_buf = 1;
	CHECK_EQ(submit(c, 1, p), 1);
	CHECK_EQ(getevents(c, 1, 4, e, NULL), 1);
	CHECK_EQ(e[0].res, -EFAULT);
	CHECK_ERR(syscall(SYS_io_cancel, c, &io, e), EINVAL);
	CHECK_OK(syscall(SYS_io_destroy, c));
	CHECK_ERR(syscall(SYS_io_destroy, c), EINVAL);
}

TEST(aio_context_is_not_the_childs)
{
	struct iocb *p[1];
	aio_context_t c = 0;

	CHECK_OK(setup(3, &c));
	pid_t pid = fork();
	if (pid == 0)
		_exit(submit(c, 0, p) == -1 && errno == EINVAL ? 0 : 1);
	test_wait_exit(pid, 0);
	CHECK_EQ(submit(c, 0, p), 0);
}

TEST(aio_waits_with_a_timeout)
{
	struct timespec t = { 0, 50000000 }, a, b;
	struct io_event e;
	aio_context_t c = 0;

	CHECK_OK(setup(3, &c));
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK_EQ(getevents(c, 1, 1, &e, &t), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	CHECK((b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec >= 50000000);
}
