/* splice(2), tee(2), sendfile(2), copy_file_range(2), inotify(7). */

#include "test.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static int file_with(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

TEST(splice_file_to_pipe_to_file)
{
	int in = file_with("in", "hello, splice"), out = open("out", O_CREAT | O_RDWR, 0600), p[2];
	off_t off = 7;
	char b[16] = "";

	CHECK_OK(pipe(p));
	CHECK_EQ(splice(in, &off, p[1], NULL, 100, 0), 6);
	CHECK_EQ(off, 13);
	CHECK_EQ(splice(in, &off, p[1], NULL, 100, 0), 0);
	CHECK_EQ(splice(p[0], NULL, out, NULL, 100, 0), 6);
	CHECK_EQ(pread(out, b, 16, 0), 6);
	CHECK_STR(b, "splice");
	CHECK_ERR(splice(in, NULL, out, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(p[0], &off, out, NULL, 1, 0), ESPIPE);
}

TEST(splice_later_write_to_pipe_does_not_touch_the_file)
{
	int in = file_with("in", "abc"), p[2];
	off_t off = 0;
	char b[8] = "";

	CHECK_OK(pipe(p));
	CHECK_EQ(splice(in, &off, p[1], NULL, 3, 0), 3);
	CHECK_EQ(write(p[1], "XYZ", 3), 3);
	CHECK_EQ(pread(in, b, 8, 0), 3);
	CHECK_EQ(memcmp(b, "abc", 3), 0);
	CHECK_EQ(read(p[0], b, 8), 6);
	CHECK_EQ(memcmp(b, "abcXYZ", 6), 0);
}

TEST(tee_duplicates)
{
	int a[2], b[2];
	char x[8] = "";

	CHECK_OK(pipe(a));
	CHECK_OK(pipe(b));
	CHECK_EQ(write(a[1], "dup", 3), 3);
	CHECK_EQ(tee(a[0], b[1], 100, 0), 3);
	CHECK_EQ(read(a[0], x, 8), 3);
	CHECK_EQ(read(b[0], x, 8), 3);
	CHECK_EQ(memcmp(x, "dup", 3), 0);
}

TEST(vmsplice_in)
{
	struct iovec v = { "user", 4 };
	char b[8] = "";
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_EQ(vmsplice(p[1], &v, 1, 0), 4);
	CHECK_EQ(read(p[0], b, 8), 4);
	CHECK_STR(b, "user");
}

TEST(sendfile_file_to_file_and_pipe)
{
	int in = file_with("in", "0123456789"), out = open("out", O_CREAT | O_RDWR, 0600), p[2];
	off_t off = 2;
	char b[16] = "";

	CHECK_EQ(sendfile(out, in, &off, 5), 5);
	CHECK_EQ(off, 7);
	CHECK_EQ(pread(out, b, 16, 0), 5);
	CHECK_STR(b, "23456");
	CHECK_OK(pipe(p));
	CHECK_EQ(lseek(in, 0, SEEK_SET), 0);
	CHECK_EQ(sendfile(p[1], in, NULL, 100), 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
	CHECK_EQ(read(p[0], b, 16), 10);
}

TEST(copy_file_range_rules)
{
	int in = file_with("in", "0123456789"), out = file_with("out", "");
	off_t a = 3, b = 1;
	char x[16] = "";

	CHECK_EQ(copy_file_range(in, &a, out, &b, 4, 0), 4);
	CHECK_EQ(pread(out, x, 16, 0), 5);
	CHECK_EQ(memcmp(x, "\0" "3456", 5), 0);
	CHECK_ERR(copy_file_range(in, &a, out, &b, 4, 1), EINVAL);
	a = 0;
	b = 2;
	CHECK_ERR(copy_file_range(in, &a, in, &b, 5, 0), EINVAL);
}

static const struct inotify_event *next_event(int fd)
{
	static char buf[4096] __attribute__((aligned(8)));
	struct pollfd p = { fd, POLLIN, 0 };

	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK(read(fd, buf, sizeof(struct inotify_event) + 16) > 0);
	return (const struct inotify_event *)buf;
}

TEST(inotify_directory_events)
{
	const struct inotify_event *e;
	int fd = inotify_init1(IN_NONBLOCK), wd, f;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(wd = inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE));
	CHECK_OK(f = open("d/x", O_CREAT | O_RDWR, 0600));
	e = next_event(fd);
	CHECK_EQ(e->wd, wd);
	CHECK_EQ(e->mask, IN_CREATE);
	CHECK_STR(e->name, "x");
	CHECK_EQ(write(f, "1", 1), 1);
	CHECK_EQ(next_event(fd)->mask, IN_MODIFY);
	CHECK_OK(rename("d/x", "d/y"));
	e = next_event(fd);
	CHECK_EQ(e->mask, IN_MOVED_FROM);
	uint32_t cookie = e->cookie;
	e = next_event(fd);
	CHECK_EQ(e->mask, IN_MOVED_TO);
	CHECK_EQ(e->cookie, cookie);
	CHECK_STR(e->name, "y");
	CHECK_OK(unlink("d/y"));
	CHECK_EQ(next_event(fd)->mask, IN_DELETE);
	CHECK_OK(inotify_rm_watch(fd, wd));
	CHECK_EQ(next_event(fd)->mask, IN_IGNORED);
	CHECK_ERR(inotify_rm_watch(fd, wd), EINVAL);
}

TEST(inotify_errors)
{
	int fd = inotify_init1(0), p[2];

	CHECK_OK(pipe(p));
	CHECK_ERR(inotify_init1(0x40), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "missing", IN_CREATE), ENOENT);
	CHECK_ERR(inotify_add_watch(p[0], ".", IN_CREATE), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, ".", 0), EINVAL);
}
