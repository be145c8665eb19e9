/* File locks: fcntl(2), flock(2). */

#include "test.h"

#include <sys/file.h>

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

static int other(void *arg)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100 };
	int fd = open("f", O_RDWR);

	(void)arg;
	if (lock(fd, F_SETLK, F_WRLCK, 15, 1) != -1 || errno != EAGAIN)
		return 1;
	if (lock(fd, F_SETLK, F_WRLCK, 20, 5) != 0)
		return 2;
	if (fcntl(fd, F_GETLK, &fl) != 0 || fl.l_type != F_WRLCK || fl.l_start != 10 || fl.l_len != 10 ||
	    fl.l_pid != getppid())
		return 3;
	return 0;
}

TEST(posix_lock_conflicts_between_processes)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
	test_wait_exit(test_fork(other, NULL), 0);
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0)); /* the child's went with it */
}

static int probe_middle(void *arg)
{
	int fd = open("f", O_RDWR);

	(void)arg;
	return !(lock(fd, F_SETLK, F_WRLCK, 40, 20) == 0 && lock(fd, F_SETLK, F_WRLCK, 39, 1) == -1 &&
		 lock(fd, F_SETLK, F_WRLCK, 60, 1) == -1);
}

TEST(posix_unlock_in_the_middle_splits)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 40, 20));
	test_wait_exit(test_fork(probe_middle, NULL), 0);
}

TEST(posix_locks_drop_at_any_close)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), again = open("f", O_RDWR);

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
	close(again);
	pid_t pid = fork();
	if (pid == 0)
		_exit(lock(open("f", O_RDWR), F_SETLK, F_WRLCK, 10, 10) != 0);
	test_wait_exit(pid, 0);
}

TEST(posix_lock_errors)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), ro = open("f", O_RDONLY);

	CHECK_ERR(lock(ro, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_ERR(lock(fd, F_SETLK, 9, 0, 1), EINVAL);
	CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, -5, 1), EINVAL);
	CHECK_ERR(lock(999, F_SETLK, F_WRLCK, 0, 1), EBADF);
}

TEST(posix_deadlock_is_found)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), go[2];
	char b;

	CHECK_OK(pipe(go));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid_t pid = fork();
	if (pid == 0) {
		if (lock(fd, F_SETLK, F_WRLCK, 1, 1) || write(go[1], "g", 1) != 1)
			_exit(1);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) != 0);
	}
	CHECK_EQ(read(go[0], &b, 1), 1);
	usleep(100000);
	CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	test_wait_exit(pid, 0);
}

TEST(ofd_locks_belong_to_the_description)
{
	int a = open("f", O_CREAT | O_RDWR, 0600), b = open("f", O_RDWR);

	CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	close(a);
	CHECK_OK(lock(b, F_OFD_SETLK, F_WRLCK, 5, 1));
}

TEST(flock_shared_and_exclusive)
{
	int a = open("f", O_CREAT | O_RDWR, 0600), b = open("f", O_RDWR);

	CHECK_OK(flock(a, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH));
	CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(b, LOCK_UN));
	CHECK_OK(flock(a, LOCK_EX | LOCK_NB));
	CHECK_ERR(flock(a, 77), EINVAL);
}

TEST(flock_waits)
{
	int a = open("f", O_CREAT | O_RDWR, 0600);

	CHECK_OK(flock(a, LOCK_EX));
	pid_t pid = fork();
	if (pid == 0)
		_exit(flock(open("f", O_RDWR), LOCK_EX) != 0);
	usleep(50000);
	CHECK_OK(flock(a, LOCK_UN));
	test_wait_exit(pid, 0);
}
