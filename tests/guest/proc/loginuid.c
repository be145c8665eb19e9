/* /proc/PID/loginuid and sessionid, as pam_loginuid(8) uses them: sshd and login depend on it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define UNSET 4294967295U

static unsigned long number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	return n > 0 ? strtoul(text, NULL, 10) : 0;
}

/* 0 or errno. */
static int set(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

#define MINE "/proc/self/loginuid"

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int first(void)
{
	if (set(MINE, "1000") != 0 || number(MINE) != 1000)
		return 1;
	return number("/proc/self/sessionid") == UNSET ? 2 : 0;
}

TEST(set_once_and_inherited)
{
	CHECK(in_child(first) == 0);
	CHECK(number(MINE) == UNSET); /* the parent's is its own */
}

static int child_has_it(void)
{
	return number(MINE) == 77 ? 0 : 1;
}

static int set_and_fork(void)
{
	return set(MINE, "77") || in_child(child_has_it);
}

TEST(children_inherit)
{
	CHECK(in_child(set_and_fork) == 0);
}

static int session_changes(void)
{
	unsigned long one;

	if (set(MINE, "5"))
		return 1;
	one = number("/proc/self/sessionid");
	if (set(MINE, "6"))
		return 2;
	return number("/proc/self/sessionid") > one ? 0 : 3;
}

TEST(every_login_is_a_session)
{
	CHECK(in_child(session_changes) == 0);
}

static int unprivileged(void)
{
	if (set(MINE, "9") || setresuid(1234, 1234, 1234))
		return 1;
	return set(MINE, "10") == 0 ? 2 : number(MINE) == 9 ? 0 : 3;
}

TEST(not_without_privilege)
{
	CHECK(in_child(unprivileged) == 0);
}

TEST(what_is_refused)
{
	char path[64];

	CHECK(set(MINE, "fred") == EINVAL);
	CHECK(set(MINE, "-2") == EINVAL);
	snprintf(path, sizeof path, "/proc/%d/loginuid", getppid());
	CHECK(set(path, "0") == EPERM);
	CHECK(number(MINE) == UNSET);
}
