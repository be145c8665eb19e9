/*
 * The same operation among 10, 1,000 and 100,000 objects (tasks and futex waiters: 30,000): what is
 * O(log n) or better hardly moves. The setup makes the objects; it is not measured.
 *
 * Waiters on futexes are tasks, so there are as many of them as of tasks.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, STACK = 1024, TIMER_MAX = 100000 };

static char *area;
static int fd, epoll_fd, to_peer[2], from_peer[2];
static long last_task;
static uint32_t *words;
static int timers[TIMER_MAX];

/* Neighbours differ in protection, so that they stay apart. */
static int vma_setup(struct run *r)
{
	long prot = PROT_READ, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	area = mmap(NULL, (size_t)r->arg * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return failed_libc(r, "mmap");
	for (long i = 0; i < r->arg; i++, prot ^= PROT_WRITE) {
		long want = (long)area + i * PAGE;

		WANT(r, want, sys6(SYS_mmap, want, PAGE, prot, flags, -1, 0));
	}
	return 0;
}

static int vma_map_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long at = sys6(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at < 0)
			return failed(r, at, "mmap");
		*(volatile char *)at = 1;
		WANT(r, 0, sys2(SYS_munmap, at, PAGE));
	}
	return 0;
}

static int vma_fault_op(struct run *r)
{
	char *at = area + (r->arg / 2 | 1) * PAGE; /* a writable one */

	for (uint64_t i = 0; i < r->n; i++) {
		leave(r);
		if (madvise(at, PAGE, MADV_DONTNEED))
			return failed_libc(r, "madvise");
		back(r);
		*(volatile char *)at = 1;
	}
	return 0;
}

static int fd_setup(struct run *r)
{
	TRY(r, fd = open("/dev/null", O_RDWR));
	for (long i = 0; i < r->arg; i++)
		TRY(r, dup(fd));
	return 0;
}

static int fd_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long got = sys1(SYS_dup, fd);

		if (got < r->arg)
			return failed(r, got, "dup");
		WANT(r, 0, sys1(SYS_close, got));
	}
	return 0;
}

static int epoll_setup(struct run *r)
{
	TRY(r, epoll_fd = epoll_create1(0));
	for (long i = 0; i < r->arg; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		TRY(r, fd = eventfd(i == r->arg / 2, 0));
		TRY(r, epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev));
	}
	return 0;
}

static int epoll_op(struct run *r)
{
	struct epoll_event ev[16];

	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 1, sys4(SYS_epoll_wait, epoll_fd, (long)ev, 16, -1));
	return ev[0].data.u32 == r->arg / 2
		       ? 0
		       : failed(r, (long)ev[0].data.u32, "the one that is ready");
}

static int arm(int timer, long seconds)
{
	struct itimerspec when = { .it_value = { .tv_sec = seconds } };

	return (int)sys4(SYS_timer_settime, timer, 0, (long)&when, 0);
}

static int timer_setup(struct run *r)
{
	struct sigevent quiet = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };

	for (long i = 0; i < r->arg; i++) {
		WANT(r, 0, sys3(SYS_timer_create, CLOCK_MONOTONIC, (long)&quiet, (long)&timers[i]));
		WANT(r, 0, arm(timers[i], 100000 + i % 1000));
	}
	return 0;
}

static int timer_op(struct run *r)
{
	int timer = timers[r->arg / 2];
	struct itimerspec left;

	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, arm(timer, 200000));
	WANT(r, 0, sys2(SYS_timer_gettime, timer, (long)&left));
	return left.it_value.tv_sec > 190000 ? 0 : failed(r, left.it_value.tv_sec, "the time left");
}

static int dir_setup(struct run *r)
{
	char name[32];

	snprintf(name, sizeof name, "/tmp/many%ld", r->arg);
	if (mkdir(name, 0755) && errno != EEXIST) /* made for another row */
		return failed_libc(r, "mkdir");
	TRY(r, chdir(name));
	for (long i = 0; i < r->arg; i++) {
		snprintf(name, sizeof name, "entry%06ld", i);
		TRY(r, fd = open(name, O_CREAT, 0644));
		close(fd);
	}
	return 0;
}

static int dir_open_op(struct run *r)
{
	char name[32];

	snprintf(name, sizeof name, "entry%06ld", r->arg / 2);
	for (uint64_t i = 0; i < r->n; i++) {
		long got = sys4(SYS_openat, AT_FDCWD, (long)name, O_RDONLY, 0);

		if (got < 0)
			return failed(r, got, "open");
		WANT(r, 0, sys1(SYS_close, got));
	}
	return 0;
}

static int dir_create_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long got = sys4(SYS_openat, AT_FDCWD, (long)"new", O_CREAT | O_EXCL | O_RDWR, 0644);

		if (got < 0)
			return failed(r, got, "open O_CREAT|O_EXCL");
		WANT(r, 0, sys1(SYS_close, got));
		WANT(r, 0, sys1(SYS_unlink, (long)"new"));
	}
	return 0;
}

static int sleeper(void *word)
{
	while (*(volatile uint32_t *)word == 0)
		sys4(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, 0, 0);
	return 0;
}

/* r->arg processes that share this one's memory, each asleep on a futex of its own. */
static int make_tasks(struct run *r, int has_own_group)
{
	size_t bytes = (size_t)r->arg * (STACK + sizeof *words);
	char *stacks =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stacks == MAP_FAILED)
		return failed_libc(r, "mmap");
	words = (uint32_t *)(stacks + r->arg * STACK);
	for (long i = 0; i < r->arg; i++) {
		last_task = clone(sleeper, stacks + (i + 1) * STACK,
				  CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, &words[i]);
		if (last_task < 0)
			return failed_libc(r, "clone");
		if (has_own_group)
			TRY(r, setpgid((pid_t)last_task, (pid_t)last_task));
	}
	sched_yield();
	return 0;
}

/* Groups of their own: whoever exits need not look whether it leaves a group orphaned. */
static int task_setup(struct run *r)
{
	return make_tasks(r, 1);
}

static int group_setup(struct run *r)
{
	return make_tasks(r, 0);
}

static int task_fork_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		int status = -1;
		pid_t pid = vfork_exit(7);

		if (pid < 0)
			return failed_libc(r, "vfork");
		WANT(r, pid, waitpid(pid, &status, 0));
		WANT(r, 7 << 8, status);
	}
	return 0;
}

static int task_kill_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys2(SYS_kill, last_task, 0));
	return 0;
}

static void echo(long unused)
{
	char byte;

	(void)unused;
	while (read(to_peer[0], &byte, 1) == 1)
		if (write(from_peer[1], &byte, 1) != 1)
			return;
}

static int task_switch_setup(struct run *r)
{
	TRY(r, pipe(to_peer));
	TRY(r, pipe(from_peer));
	if (make_process(r, echo, 0) < 0)
		return -1;
	return task_setup(r);
}

static int task_switch_op(struct run *r)
{
	char byte = 1;

	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 1, sys3(SYS_write, to_peer[1], (long)&byte, 1));
		WANT(r, 1, sys3(SYS_read, from_peer[0], (long)&byte, 1));
	}
	return 0;
}

/* Wakes one waiter among them all and sees it go back to sleep, by its own yield. */
static int futex_op(struct run *r)
{
	uint32_t *word = &words[r->arg / 2];

	for (uint64_t i = 0; i < r->n; i++) {
		long got;

		do {
			got = sys3(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1);
			sys0(SYS_sched_yield);
		} while (got == 0);
		WANT(r, 1, got);
	}
	return 0;
}

#define AMONG(name, setup, op, most)                                            \
	{ name "@10", setup, op, 10, 0 }, { name "@1000", setup, op, 1000, 0 }, \
	{                                                                       \
		name "@" #most, setup, op, most, 0                              \
	}

const struct row growth_rows[] = {
	AMONG("vma-map", vma_setup, vma_map_op, 100000),
	AMONG("vma-fault", vma_setup, vma_fault_op, 100000),
	AMONG("fd-dup-close", fd_setup, fd_op, 100000),
	AMONG("epoll-1-ready", epoll_setup, epoll_op, 100000),
	AMONG("timer-arm", timer_setup, timer_op, 100000),
	AMONG("dir-open", dir_setup, dir_open_op, 100000),
	AMONG("dir-create", dir_setup, dir_create_op, 100000),
	AMONG("task-vfork", task_setup, task_fork_op, 30000),
	AMONG("group-vfork", group_setup, task_fork_op, 5000),
	AMONG("task-kill-0", task_setup, task_kill_op, 30000),
	AMONG("task-round-trip", task_switch_setup, task_switch_op, 30000),
	AMONG("futex-wake", task_setup, futex_op, 30000),
	{ NULL, NULL, NULL, 0, 0 },
};
