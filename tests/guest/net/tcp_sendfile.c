/* sendfile to a TCP socket: the bytes, the offset, and what comes after them. */
#include "tcp_test.h"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

enum { SIZE = 700001, FROM = 4095 };

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 4096 + i / 65536);
}

static int make(const char *path, size_t size)
{
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
	uint8_t *b = malloc(size);

	CHECK_OK(fd);
	for (size_t i = 0; i < size; i++)
		b[i] = byte_at(i);
	CHECK_EQ(write(fd, b, size), (long)size);
	free(b);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* A process that expects the bytes from `from` to `to` and an end. */
static pid_t reader(int fd, int other, size_t from, size_t to)
{
	static uint8_t b[30011];
	pid_t pid = fork();
	ssize_t n;

	CHECK_OK(pid);
	if (pid)
		return pid;
	close(other);
	while ((n = read(fd, b, sizeof(b))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != byte_at(from++))
				_exit(2);
	_exit(n < 0 || from != to);
}

static void all_of_it(bool is_seen)
{
	int s[2], status, seen = -1, fd = make("/tmp/sendfile", SIZE);
	off_t at = FROM;
	pid_t pid;

	if (is_seen) /* whoever listens gets packets */
		CHECK_OK(seen = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	tcp_pair(AF_INET, s);
	pid = reader(s[1], s[0], FROM, SIZE);
	close(s[1]);
	while (at < SIZE) {
		off_t before = at;
		ssize_t n = sendfile(s[0], fd, &at, SIZE); /* more than there is */

		CHECK(n > 0);
		CHECK_EQ(at, before + n);
	}
	CHECK_EQ(sendfile(s[0], fd, &at, SIZE), 0);
	CHECK_OK(unlink("/tmp/sendfile"));
	CHECK_OK(close(fd));
	CHECK_OK(close(s[0]));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	if (is_seen)
		CHECK_OK(close(seen));
}

TEST(tcp_sendfile_all)
{
	all_of_it(false);
}

TEST(tcp_sendfile_all_in_packets)
{
	all_of_it(true);
}

TEST(tcp_sendfile_does_not_block)
{
	int s[2], status, fd = make("/tmp/sendfile", SIZE);
	size_t sent = 0;
	pid_t pid;

	tcp_pair(AF_INET, s);
	CHECK_OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
	for (;;) { /* until nothing more fits; the file's own offset */
		ssize_t n = sendfile(s[0], fd, NULL, SIZE - sent);

		if (n < 0)
			break;
		sent += (size_t)n;
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), (long)sent);
		if (sent == SIZE)
			break;
	}
	CHECK(sent == SIZE || errno == EAGAIN);
	pid = reader(s[1], s[0], 0, SIZE);
	close(s[1]);
	while (sent < SIZE) {
		ssize_t n;

		CHECK(poll_wait(s[0], POLLOUT) & POLLOUT);
		n = sendfile(s[0], fd, NULL, SIZE - sent);
		CHECK(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
	}
	CHECK_OK(close(s[0]));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* Asked for more than the file has: the end of it does not wait for the rest, on a connection that
 * stays. */
TEST(tcp_sendfile_end_of_file_is_sent)
{
	static uint8_t b[200000];
	int s[2], fd = make("/tmp/sendfile", 70001), on = 1;
	size_t got = 0;
	off_t at = 0;

	tcp_pair(AF_INET, s);
	CHECK_OK(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	for (int i = 0; i < 2; i++) {
		at = 0;
		CHECK_EQ(sendfile(s[0], fd, &at, 1 << 20), 70001);
		for (got = 0; got < 70001;) {
			CHECK(poll_for(s[1], POLLIN, 5000) & POLLIN);
			got += (size_t)recv(s[1], b + got, 70001 - got, 0);
		}
		for (size_t j = 0; j < got; j++)
			CHECK_EQ(b[j], byte_at(j));
		CHECK_EQ(poll_for(s[1], POLLIN, 0), 0);
	}
}

/* A write between two files comes between them, and what was sent does not change with the writer's
 * buffer. */
TEST(tcp_sendfile_among_writes)
{
	static uint8_t b[9000];
	char text[] = "header";
	int s[2], fd = make("/tmp/sendfile", 4100);
	off_t at = 0;

	tcp_pair(AF_INET, s);
	for (int i = 0; i < 2; i++) {
		memcpy(text, "header", 6);
		CHECK_EQ(send(s[0], text, 6, MSG_MORE), 6);
		memset(text, 'x', 6);
		at = 0;
		CHECK_EQ(sendfile(s[0], fd, &at, 4100), 4100);
		CHECK_EQ(write(s[0], "tail", 4), 4);
		CHECK_EQ(recv(s[1], b, 4110, MSG_WAITALL), 4110);
		CHECK(memcmp(b, "header", 6) == 0);
		for (size_t j = 0; j < 4100; j++)
			CHECK_EQ(b[6 + j], byte_at(j));
		CHECK(memcmp(b + 4106, "tail", 4) == 0);
	}
}
