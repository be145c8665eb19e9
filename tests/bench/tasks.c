/* Threads and processes come and go: create, fork, exec, wait. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOUCHED = 64 << 20 };

static char *touched;

static void *thread_body(void *arg)
{
	return arg;
}

static int thread_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		pthread_t thread;
		void *result = NULL;
		int err = pthread_create(&thread, NULL, thread_body, r);

		if (err)
			return failed(r, -err, "pthread_create");
		err = pthread_join(thread, &result);
		if (err || result != r)
			return failed(r, -err, "pthread_join");
	}
	return 0;
}

/* Waits for the child and wants its exit status. */
static int reap(struct run *r, pid_t pid, int want)
{
	int status = -1;

	if (pid < 0)
		return failed_libc(r, "fork");
	WANT(r, pid, waitpid(pid, &status, 0));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != want)
		return failed(r, status, "the child's status");
	return 0;
}

static int fork_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(touched ? touched[TOUCHED - 1] : 7);
		if (reap(r, pid, 7))
			return -1;
	}
	return 0;
}

static int touched_setup(struct run *r)
{
	touched = make_memory(r, TOUCHED, (int)r->arg);
	if (touched == NULL)
		return -1;
	memset(touched, 7, TOUCHED);
	return 0;
}

static char word_true[] = "true", word_sh[] = "sh", word_c[] = "-c";
static char *const direct[] = { word_true, NULL }, *const shell[] = { word_sh, word_c, word_true,
								      NULL };
static char *const no_environment[] = { NULL };

static pid_t spawn(const char *path, char *const args[])
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(path, args, no_environment);
		_exit(100);
	}
	return pid;
}

static int exec_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		if (reap(r, r->arg ? spawn("/bin/sh", shell) : spawn(self_path, direct), 0))
			return -1;
	return 0;
}

static int vfork_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		if (reap(r, vfork_exit(7), 7))
			return -1;
	return 0;
}

const struct row task_rows[] = {
	{ "thread", NULL, thread_op, 0, 0 },
	{ "vfork-exit", NULL, vfork_op, 0, 0 },
	{ "fork-exit", NULL, fork_op, 0, 0 },
	{ "fork-64m-huge", touched_setup, fork_op, 1, 0 },
	{ "fork-64m", touched_setup, fork_op, 0, 0 },
	{ "vfork-exec", NULL, exec_op, 0, 0 },
	{ "sh-true", NULL, exec_op, 1, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
