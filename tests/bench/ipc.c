/* Pipes, eventfd, epoll, poll, futexes: one process wakes another, or looks who is ready. */
#include "bench.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MANY = 1000, POLLED = 100, BULK = 1 << 20, CHUNK = 1 << 16, RING_MAX = 16 };

static int ring[RING_MAX][2];
static int events[MANY], epoll_fd;
static struct pollfd polled[POLLED];
static int bulk[2], answer[2];
static char buf[CHUNK];

/* Hands on whatever byte comes, until there is no more writer. */
static void pass_on(long at)
{
	char byte;

	while (sys3(SYS_read, ring[at][0], (long)&byte, 1) == 1)
		if (sys3(SYS_write, ring[at + 1][1], (long)&byte, 1) != 1)
			return;
}

/* A ring of r->arg processes, this one among them. */
static int ring_setup(struct run *r)
{
	for (long i = 0; i < r->arg; i++)
		TRY(r, pipe(ring[i]));
	for (long i = 0; i < r->arg - 1; i++)
		if (make_process(r, pass_on, i) < 0)
			return -1;
	return 0;
}

static int ring_op(struct run *r)
{
	int in = ring[r->arg - 1][0], out = ring[0][1];
	char byte = 0;

	for (uint64_t i = 0; i < r->n; i++) {
		char sent = (char)i;

		WANT(r, 1, sys3(SYS_write, out, (long)&sent, 1));
		WANT(r, 1, sys3(SYS_read, in, (long)&byte, 1));
		if (byte != sent)
			return failed(r, byte, "the byte that went round");
	}
	return 0;
}

/* Reads BULK bytes and says so, again and again. */
static void drain(long unused)
{
	long got, total = 0;

	(void)unused;
	while ((got = sys3(SYS_read, bulk[0], (long)buf, CHUNK)) > 0) {
		total += got;
		if (total < BULK)
			continue;
		if (total != BULK || sys3(SYS_write, answer[1], (long)buf, 1) != 1)
			return;
		total = 0;
	}
}

static int bulk_setup(struct run *r)
{
	TRY(r, pipe(bulk));
	TRY(r, pipe(answer));
	return make_process(r, drain, 0) < 0 ? -1 : 0;
}

static int bulk_op(struct run *r)
{
	char byte;

	for (uint64_t i = 0; i < r->n; i++) {
		for (long sent = 0; sent < BULK; sent += CHUNK)
			WANT(r, CHUNK, sys3(SYS_write, bulk[1], (long)buf, CHUNK));
		WANT(r, 1, sys3(SYS_read, answer[0], (long)&byte, 1));
	}
	return 0;
}

static int eventfd_setup(struct run *r)
{
	TRY(r, events[0] = eventfd(0, 0));
	return 0;
}

static int eventfd_op(struct run *r)
{
	uint64_t value;

	for (uint64_t i = 1; i <= r->n; i++) {
		value = i;
		WANT(r, 8, sys3(SYS_write, events[0], (long)&value, 8));
		value = 0;
		WANT(r, 8, sys3(SYS_read, events[0], (long)&value, 8));
		WANT(r, (long)i, value);
	}
	return 0;
}

static int epoll_setup(struct run *r)
{
	TRY(r, epoll_fd = epoll_create1(0));
	for (int i = 0; i < MANY; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		TRY(r, events[i] = eventfd(i == MANY / 2, 0));
		TRY(r, epoll_ctl(epoll_fd, EPOLL_CTL_ADD, events[i], &ev));
	}
	return 0;
}

static int epoll_op(struct run *r)
{
	struct epoll_event ev[16];

	for (uint64_t i = 0; i < r->n; i++) {
		ev[0].data.u32 = 0;
		WANT(r, 1, sys4(SYS_epoll_wait, epoll_fd, (long)ev, 16, -1));
		if (ev[0].data.u32 != MANY / 2)
			return failed(r, (long)ev[0].data.u32, "the one that is ready");
	}
	return 0;
}

static int poll_setup(struct run *r)
{
	for (int i = 0; i < POLLED; i++) {
		TRY(r, polled[i].fd = eventfd(i == POLLED - 1, 0));
		polled[i].events = POLLIN;
	}
	return 0;
}

static int poll_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 1, sys3(SYS_poll, (long)polled, POLLED, -1));
		if (polled[POLLED - 1].revents != POLLIN || polled[0].revents != 0)
			return failed(r, polled[POLLED - 1].revents, "poll's revents");
	}
	return 0;
}

static uint32_t ball, bounces;

/* Waits until the ball is on side `mine`. */
static long take_ball(uint32_t mine)
{
	while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != mine) {
		long got = sys4(SYS_futex, (long)&ball, FUTEX_WAIT_PRIVATE, 1 - mine, 0);

		if (got != 0 && got != -11)
			return got;
	}
	return 0;
}

static long throw_ball(uint32_t to)
{
	long got;

	__atomic_store_n(&ball, to, __ATOMIC_RELEASE);
	got = sys3(SYS_futex, (long)&ball, FUTEX_WAKE_PRIVATE, 1);
	return got < 0 ? got : 0;
}

static void *bounce(void *unused)
{
	while (take_ball(1) == 0) {
		bounces++;
		if (throw_ball(0))
			break;
	}
	return unused;
}

static int futex_setup(struct run *r)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, bounce, NULL);

	return err ? failed(r, -err, "pthread_create") : 0;
}

static int futex_op(struct run *r)
{
	bounces = 0;
	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 0, throw_ball(1));
		WANT(r, 0, take_ball(0));
	}
	WANT(r, (long)r->n, bounces);
	return 0;
}

static int futex_wake_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys3(SYS_futex, (long)&ball, FUTEX_WAKE_PRIVATE, 1));
	return 0;
}

const struct row ipc_rows[] = {
	{ "pipe-round-trip", ring_setup, ring_op, 2, 0 },
	{ "pipe-1m", bulk_setup, bulk_op, 0, 0 },
	{ "eventfd-pair", eventfd_setup, eventfd_op, 0, 0 },
	{ "epoll-1-of-1000", epoll_setup, epoll_op, 0, 0 },
	{ "poll-100", poll_setup, poll_op, 0, 0 },
	{ "futex-round-trip", futex_setup, futex_op, 0, 0 },
	{ "futex-wake-none", NULL, futex_wake_op, 0, 0 },
	{ "switch-2", ring_setup, ring_op, 2, 2 },
	{ "switch-8", ring_setup, ring_op, 8, 8 },
	{ "switch-16", ring_setup, ring_op, 16, 16 },
	{ NULL, NULL, NULL, 0, 0 },
};
