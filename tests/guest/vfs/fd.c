/* Descriptors: the lowest free one, limits, close-on-exec, duplication. */

#include "test.h"

#include <sys/resource.h>
#include <pthread.h>

TEST(lowest_free_descriptor)
{
	int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY), c = open("/dev/null", O_RDONLY);

	CHECK_EQ(b, a + 1);
	CHECK_EQ(c, a + 2);
	CHECK_OK(close(b));
	CHECK_EQ(open("/dev/null", O_RDONLY), b);
	CHECK_OK(close(c));
	CHECK_OK(close(a));
	CHECK_EQ(dup(b), a);
	CHECK_EQ(fcntl(b, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(b, F_DUPFD, 100), 101);
	CHECK_EQ(open("/dev/null", O_RDONLY), c);
	CHECK_ERR(close(77), EBADF);
	CHECK_ERR(close(-1), EBADF);
	CHECK_ERR(close(1 << 30), EBADF);
}

TEST(descriptor_limit)
{
	struct rlimit lim = { 80, 80 };
	int fd, last = -1;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &lim));
	while ((fd = dup(0)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 79);
	CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERR(open("none", O_CREAT | O_WRONLY, 0644), EMFILE);
	CHECK_ERR(access("none", F_OK), ENOENT);
	CHECK_ERR(dup2(0, 80), EBADF);
	CHECK_ERR(fcntl(0, F_DUPFD, 80), EINVAL);
	CHECK_OK(close(40));
	CHECK_EQ(open("/dev/null", O_RDONLY), 40);
}

TEST(many_descriptors)
{
	struct rlimit lim = { 4000, 4000 };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		test_skip("the limit cannot be raised");
	CHECK_EQ(dup2(0, 3000), 3000);
	for (int i = 0; i < 2500; i++)
		CHECK(dup(0) >= 0);
	CHECK_OK(close(1234));
	CHECK_OK(close(70));
	CHECK_EQ(dup(0), 70);
	CHECK_EQ(dup(0), 1234);
	pid_t pid = fork();
	if (pid == 0) {
		if (fcntl(3000, F_GETFD) < 0 || fcntl(2000, F_GETFD) < 0 || fcntl(3999, F_GETFD) >= 0)
			_exit(1);
		_exit(0);
	}
	test_wait_exit(pid, 0);
}

TEST(dup2_and_dup3)
{
	int fd = open("/dev/null", O_RDONLY);

	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERR(dup3(fd, fd, 0), EINVAL);
	CHECK_ERR(dup2(999, 999), EBADF);
	CHECK_ERR(dup2(999, 5), EBADF);
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_EQ(dup3(fd, 50, O_CLOEXEC), 50);
	CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup2(fd, 50), 50);
	CHECK_EQ(fcntl(50, F_GETFD), 0);
	CHECK_ERR(dup3(fd, 51, O_NONBLOCK), EINVAL);
}

TEST(close_on_exec)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept = open("/dev/null", O_RDONLY);
	char cmd[100];

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_CLOEXEC, 0);
	CHECK_EQ(fcntl(kept, F_GETFD), 0);
	int flag = dup(kept);
	CHECK_OK(fcntl(flag, F_SETFD, FD_CLOEXEC));
	if (access("/bin/sh", X_OK) || access("/proc/self/fd", F_OK))
		test_skip("no shell or /proc");
	snprintf(cmd, sizeof(cmd), "test ! -e /proc/self/fd/%d -a -e /proc/self/fd/%d -a ! -e /proc/self/fd/%d", fd,
		 kept, flag);
	CHECK_EQ(system(cmd), 0);
}

TEST(close_range_closes_and_marks)
{
	for (int i = 60; i < 70; i++)
		CHECK_EQ(dup2(0, i), i);
	if (syscall(SYS_close_range, 62, 64, 0) == -1 && errno == ENOSYS)
		test_skip("no close_range");
	CHECK_OK(fcntl(61, F_GETFD));
	CHECK_ERR(fcntl(62, F_GETFD), EBADF);
	CHECK_ERR(fcntl(64, F_GETFD), EBADF);
	CHECK_OK(fcntl(65, F_GETFD));
	CHECK_OK(syscall(SYS_close_range, 66, 67, 1 << 2));
	CHECK_EQ(fcntl(66, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(68, F_GETFD), 0);
	CHECK_OK(syscall(SYS_close_range, 65, ~0u, 0));
	CHECK_ERR(fcntl(69, F_GETFD), EBADF);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
}

static _Atomic int stop;

static void *opener(void *arg)
{
	(void)arg;
	while (!stop) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

TEST(threads_open_and_close)
{
	pthread_t t[2];
	char c;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, opener, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		int fd = open("/dev/zero", O_RDONLY);

		CHECK(fd >= 0);
		CHECK_EQ(read(fd, &c, 1), 1);
		CHECK_OK(close(fd));
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

TEST(table_grows_under_readers)
{
	pthread_t t;
	struct rlimit lim = { 3000, 3000 };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		test_skip("the limit cannot be raised");
	CHECK_EQ(pthread_create(&t, NULL, opener, NULL), 0);
	for (int i = 0; i < 2000; i++)
		CHECK(dup(0) >= 0);
	stop = 1;
	pthread_join(t, NULL);
}
