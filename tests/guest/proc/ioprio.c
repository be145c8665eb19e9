/* ioprio_set(2), ioprio_get(2): kept for each thread, inherited, checked. */
#include "test.h"
#include <pthread.h>

enum { WHO_PROCESS = 1, WHO_PGRP, WHO_USER };
#define PRIO(class, data) ((class) << 13 | (data))
enum { NONE, RT, BE, IDLE };

static long get(int which, int who)
{
	return syscall(SYS_ioprio_get, which, who);
}

static long set(int which, int who, int prio)
{
	return syscall(SYS_ioprio_set, which, who, prio);
}

TEST(ioprio_is_kept_and_checked)
{
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(NONE, 0));
	CHECK_OK(set(WHO_PROCESS, 0, PRIO(BE, 7)));
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(BE, 7));
	CHECK_EQ(get(WHO_PROCESS, getpid()), PRIO(BE, 7));
	CHECK_OK(set(WHO_PROCESS, getpid(), PRIO(RT, 2)));
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(RT, 2));
	CHECK_OK(set(WHO_PROCESS, 0, PRIO(IDLE, 5)));
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(IDLE, 5));
	CHECK_OK(set(WHO_PROCESS, 0, PRIO(NONE, 0)));
	CHECK_ERR(set(WHO_PROCESS, 0, PRIO(NONE, 1)), EINVAL);
	CHECK_ERR(set(WHO_PROCESS, 0, PRIO(4, 0)), EINVAL);
	CHECK_ERR(set(WHO_PROCESS, 0, -1), EINVAL);
	CHECK_ERR(set(0, 0, PRIO(BE, 1)), EINVAL);
	CHECK_ERR(set(4, 0, PRIO(BE, 1)), EINVAL);
	CHECK_ERR(get(0, 0), EINVAL);
	CHECK_ERR(get(4, 0), EINVAL);
	CHECK_ERR(get(WHO_PROCESS, 4194303), ESRCH);
	CHECK_ERR(set(WHO_PROCESS, 4194303, PRIO(BE, 1)), ESRCH);
	CHECK_ERR(get(WHO_PROCESS, -1), ESRCH);
	CHECK_ERR(get(WHO_PGRP, 4194303), ESRCH);
	CHECK_ERR(get(WHO_USER, 12345), ESRCH);
}

TEST(ioprio_is_inherited_by_processes)
{
	int st;

	CHECK_OK(set(WHO_PROCESS, 0, PRIO(BE, 3)));
	pid_t p = fork();

	if (p == 0) {
		if (get(WHO_PROCESS, 0) != PRIO(BE, 3))
			_exit(1);
		_exit(set(WHO_PROCESS, 0, PRIO(BE, 6)) ? 2 : 0);
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(BE, 3));
}

static void *in_thread(void *arg)
{
	long *seen = arg;

	seen[0] = get(WHO_PROCESS, 0);
	seen[1] = set(WHO_PROCESS, 0, PRIO(IDLE, 0));
	seen[2] = get(WHO_PROCESS, 0);
	return NULL;
}

TEST(ioprio_belongs_to_a_thread)
{
	long seen[3] = { -1, -1, -1 };
	pthread_t t;

	CHECK_OK(set(WHO_PROCESS, 0, PRIO(BE, 3)));
	CHECK_EQ(pthread_create(&t, NULL, in_thread, seen), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(seen[1], 0);
	CHECK_EQ(seen[2], PRIO(IDLE, 0));
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(BE, 3));
}

TEST(ioprio_of_a_group_is_its_best)
{
	int st, p[2], q[2];
	char c;

	CHECK_OK(setpgid(0, 0));
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	CHECK_OK(set(WHO_PGRP, 0, PRIO(BE, 6)));
	pid_t child = fork();

	if (child == 0) {
		if (set(WHO_PROCESS, 0, PRIO(BE, 2)) || write(p[1], "x", 1) != 1)
			_exit(1);
		_exit(read(q[0], &c, 1) == 1 ? 0 : 1);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(get(WHO_PROCESS, 0), PRIO(BE, 6));
	CHECK_EQ(get(WHO_PGRP, 0), PRIO(BE, 2));
	CHECK_OK(set(WHO_PROCESS, 0, PRIO(RT, 7)));
	CHECK_EQ(get(WHO_PGRP, 0), PRIO(RT, 7));
	CHECK_OK(set(WHO_PGRP, getpgrp(), PRIO(IDLE, 0)));
	CHECK_EQ(get(WHO_PROCESS, child), PRIO(IDLE, 0));
	CHECK_EQ(write(q[1], "x", 1), 1);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(WEXITSTATUS(st), 0);
}

TEST(ioprio_needs_permission)
{
	int st;
	pid_t other = fork();

	if (other == 0) {
		pause();
		_exit(0);
	}
	pid_t p = fork();

	if (p == 0) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		if (set(WHO_PROCESS, 0, PRIO(BE, 0)) || set(WHO_PROCESS, 0, PRIO(IDLE, 0)))
			_exit(2);
		if (set(WHO_PROCESS, 0, PRIO(RT, 4)) != -1 || errno != EPERM)
			_exit(3);
		if (set(WHO_PROCESS, other, PRIO(BE, 4)) != -1 || errno != EPERM)
			_exit(4);
		_exit(get(WHO_PROCESS, other) < 0 ? 5 : 0);
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK_OK(kill(other, SIGKILL));
	CHECK_EQ(waitpid(other, &st, 0), other);
}
