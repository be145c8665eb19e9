/* Pipes and FIFOs: pipe(7). */

#include "test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static void open_pipe(int p[2])
{
	CHECK_OK(pipe(p));
}

TEST(pipe_data_then_eof)
{
	char b[8] = "";
	int p[2];

	open_pipe(p);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(write(p[1], "de", 2), 2);
	CHECK_EQ(read(p[0], b, sizeof(b)), 5);
	CHECK_STR(b, "abcde");
	close(p[1]);
	CHECK_EQ(read(p[0], b, 1), 0);
}

TEST(pipe_one_byte_read_wraps_right)
{
	char b;
	int p[2];

	open_pipe(p);
	for (int i = 0; i < 200000; i++) {
		char c = (char)i;

		CHECK_EQ(write(p[1], &c, 1), 1);
		CHECK_EQ(read(p[0], &b, 1), 1);
		CHECK_EQ(b, c);
	}
}

TEST(pipe_write_without_reader_is_epipe_and_sigpipe)
{
	int p[2];

	open_pipe(p);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		_exit(write(p[1], "x", 1) == -1);
	}
	test_wait_signal(pid, SIGPIPE);
}

TEST(pipe_nonblock_capacity_and_atomicity)
{
	static char page[4096];
	int p[2], n = 0;

	CHECK_OK(pipe2(p, O_NONBLOCK));
	CHECK_ERR(read(p[0], page, 1), EAGAIN);
	while (write(p[1], page, sizeof(page)) == sizeof(page))
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 16);
	CHECK_EQ(read(p[0], page, 100), 100);
	/* Less than a page is free as a slot: an atomic write of a page does not go in. */
	CHECK_ERR(write(p[1], page, sizeof(page)), EAGAIN);
	CHECK_EQ(read(p[0], page, 3996), 3996);
	CHECK_EQ(write(p[1], page, sizeof(page)), sizeof(page));
}

TEST(pipe_fionread_and_size)
{
	int p[2], n;

	open_pipe(p);
	CHECK_EQ(write(p[1], "12345", 5), 5);
	CHECK_OK(ioctl(p[0], FIONREAD, &n));
	CHECK_EQ(n, 5);
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(p[1], F_GETPIPE_SZ), 8192);
	CHECK_ERR(fcntl(STDIN_FILENO, F_GETPIPE_SZ) == -1 ? -1 : (errno = EBADF, -1), EBADF);
}

TEST(pipe_setpipe_sz_below_content_is_ebusy)
{
	static char b[16384];
	int p[2];

	open_pipe(p);
	CHECK_EQ(write(p[1], b, sizeof(b)), sizeof(b));
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
}

TEST(pipe_packet_mode)
{
	char b[16];
	int p[2];

	CHECK_OK(pipe2(p, O_DIRECT));
	CHECK_EQ(write(p[1], "abcd", 4), 4);
	CHECK_EQ(write(p[1], "ef", 2), 2);
	CHECK_EQ(read(p[0], b, 2), 2); /* the rest of the packet is lost */
	CHECK_EQ(read(p[0], b, sizeof(b)), 2);
	CHECK_EQ(memcmp(b, "ef", 2), 0);
}

TEST(pipe_poll_states)
{
	struct pollfd fd[2];
	char b[65536];
	int p[2];

	open_pipe(p);
	fd[0] = (struct pollfd){ p[0], POLLIN | POLLOUT, 0 };
	fd[1] = (struct pollfd){ p[1], POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(fd, 2, 0), 1);
	CHECK_EQ(fd[0].revents, 0);
	CHECK_EQ(fd[1].revents, POLLOUT);
	CHECK_EQ(write(p[1], b, sizeof(b)), sizeof(b));
	CHECK_EQ(poll(fd, 2, 0), 1);
	CHECK_EQ(fd[0].revents, POLLIN);
	CHECK_EQ(fd[1].revents, 0);
	close(p[1]);
	CHECK_EQ(poll(fd, 1, 0), 1);
	CHECK_EQ(fd[0].revents, POLLIN | POLLHUP);
	CHECK_EQ(read(p[0], b, sizeof(b)), sizeof(b));
	CHECK_EQ(poll(fd, 1, 0), 1);
	CHECK_EQ(fd[0].revents, POLLHUP);
}

TEST(pipe_poll_writer_without_reader_is_pollerr)
{
	struct pollfd fd;
	int p[2];

	open_pipe(p);
	close(p[0]);
	fd = (struct pollfd){ p[1], POLLOUT, 0 };
	CHECK_EQ(poll(&fd, 1, 0), 1);
	CHECK_EQ(fd.revents, POLLOUT | POLLERR);
}

static int slow_reader(void *arg)
{
	int *p = arg;
	char b[8192];
	size_t total = 0;
	ssize_t n;

	close(p[1]);
	while ((n = read(p[0], b, sizeof(b))) > 0)
		total += (size_t)n;
	return total == 4 << 20 ? 0 : 1;
}

TEST(pipe_large_write_blocks_until_read)
{
	static char b[4 << 20];
	int p[2];

	open_pipe(p);
	pid_t pid = test_fork(slow_reader, p);
	close(p[0]);
	CHECK_EQ(write(p[1], b, sizeof(b)), sizeof(b));
	close(p[1]);
	test_wait_exit(pid, 0);
}

TEST(pipe_writev_gathers)
{
	struct iovec v[3] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } };
	char b[8];
	int p[2];

	open_pipe(p);
	CHECK_EQ(writev(p[1], v, 3), 5);
	CHECK_EQ(read(p[0], b, 8), 5);
	CHECK_EQ(memcmp(b, "abcde", 5), 0);
}

TEST(pipe_bad_arguments)
{
	int p[2];

	CHECK_ERR(pipe2(p, 0x40), EINVAL);
	CHECK_ERR(syscall(SYS_pipe2, (void *)1, 0), EFAULT);
	open_pipe(p);
	CHECK_ERR(read(p[1], p, 1), EBADF);
	CHECK_ERR(write(p[0], p, 1), EBADF);
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(p[0], p, 1, 0), ESPIPE);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_ERR(syscall(SYS_read, p[0], 8, 1), EFAULT);
	CHECK_ERR(syscall(SYS_write, p[1], 8, 1), EFAULT);
}

TEST(pipe_fault_in_the_middle_keeps_what_was_moved)
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int p[2];

	open_pipe(p);
	CHECK(m != MAP_FAILED);
	CHECK_OK(munmap(m + 4096, 4096));
	ssize_t n = write(p[1], m + 4000, 5000);
	CHECK(n == 96 || (n == -1 && errno == EFAULT));
}

TEST(fifo_open_waits_for_the_peer)
{
	char b[4];
	int fd;

	CHECK_OK(mkfifo("f", 0600));
	pid_t pid = fork();
	if (pid == 0) {
		fd = open("f", O_WRONLY);
		_exit(write(fd, "hey", 3) != 3);
	}
	CHECK_OK(fd = open("f", O_RDONLY));
	CHECK_EQ(read(fd, b, 4), 3);
	CHECK_EQ(read(fd, b, 4), 0);
	test_wait_exit(pid, 0);
}

TEST(fifo_nonblock_rules)
{
	struct pollfd p;
	char b;
	int r, w;

	CHECK_OK(mkfifo("f", 0600));
	CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK_OK(r = open("f", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(r, &b, 1), 0); /* no writer: end of file */
	p = (struct pollfd){ r, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 0); /* but no hang-up before a writer came */
	CHECK_OK(w = open("f", O_WRONLY | O_NONBLOCK));
	CHECK_ERR(read(r, &b, 1), EAGAIN);
	close(w);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLHUP);
}

TEST(fifo_rdwr_does_not_wait)
{
	struct stat st;
	int fd;

	CHECK_OK(mkfifo("f", 0640));
	CHECK_OK(fd = open("f", O_RDWR));
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(pipe_through_proc_fd)
{
	char name[64], b[4];
	int p[2], fd;

	open_pipe(p);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[1]);
	CHECK_EQ(readlink(name, b, 4), 4);
	CHECK_EQ(memcmp(b, "pipe", 4), 0);
	CHECK_OK(fd = open(name, O_WRONLY));
	CHECK_EQ(write(fd, "q", 1), 1);
	CHECK_EQ(read(p[0], b, 1), 1);
}

/* As open("/dev/stdin") in a child whose parent has written and closed: nobody is waited for. */
TEST(pipe_end_opened_again_without_the_other)
{
	char path[40], b[8];
	int p[2], fd;

	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_OK(close(p[1]));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	CHECK_OK(fd = open(path, O_RDONLY));
	CHECK_EQ(read(fd, b, 8), 3);
	CHECK_EQ(read(fd, b, 8), 0);
	CHECK_OK(close(fd));
	CHECK_OK(pipe(p));
	CHECK_OK(close(p[0]));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	CHECK_OK(fd = open(path, O_WRONLY));
	CHECK_OK(close(fd));
	CHECK_OK(fd = open(path, O_WRONLY | O_NONBLOCK));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(fd, "x", 1), EPIPE);
}
