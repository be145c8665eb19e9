/* System-call entry, clocks, the cheapest reads and writes, signals. */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fd;
static char buf[4096];
static volatile uint64_t handled;

static int getpid_op(struct run *r)
{
	long pid = getpid();

	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, pid, sys0(SYS_getpid));
	return 0;
}

static int check_clock(struct run *r, const struct timespec *before, const struct timespec *after)
{
	int is_later = after->tv_sec > before->tv_sec ||
		       (after->tv_sec == before->tv_sec && after->tv_nsec > before->tv_nsec);

	return is_later ? 0 : failed(r, after->tv_nsec, "a clock that moves");
}

static int clock_op(struct run *r)
{
	struct timespec first, now = { 0 };

	WANT(r, 0, clock_gettime(CLOCK_MONOTONIC, &first));
	for (uint64_t i = 0; i < r->n; i++)
		if (clock_gettime(CLOCK_MONOTONIC, &now))
			return failed_libc(r, "clock_gettime");
	return check_clock(r, &first, &now);
}

static int clock_call_op(struct run *r)
{
	struct timespec first, now = { 0 };

	WANT(r, 0, clock_gettime(CLOCK_MONOTONIC, &first));
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys2(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now));
	return check_clock(r, &first, &now);
}

static int zero_setup(struct run *r)
{
	TRY(r, fd = open("/dev/zero", O_RDONLY));
	return 0;
}

static int null_setup(struct run *r)
{
	TRY(r, fd = open("/dev/null", O_WRONLY));
	return 0;
}

static int read_op(struct run *r)
{
	memset(buf, 1, sizeof buf);
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, r->arg, sys3(SYS_read, fd, (long)buf, r->arg));
	return buf[0] == 0 && buf[r->arg - 1] == 0 ? 0 : failed(r, buf[0], "a zero read");
}

static int write_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, r->arg, sys3(SYS_write, fd, (long)buf, r->arg));
	return 0;
}

static void count_signal(int sig)
{
	(void)sig;
	handled++;
}

static void other_handler(int sig)
{
	(void)sig;
}

static int sigaction_op(struct run *r)
{
	struct sigaction a = { .sa_handler = count_signal }, b = { .sa_handler = other_handler },
			 old;

	sigaction(SIGUSR1, &b, NULL);
	for (uint64_t i = 0; i < r->n; i++) {
		if (sigaction(SIGUSR1, i % 2 ? &b : &a, &old))
			return failed_libc(r, "sigaction");
		if (old.sa_handler != (i % 2 ? count_signal : other_handler))
			return failed(r, 0, "the handler before");
	}
	return 0;
}

static int signal_setup(struct run *r)
{
	struct sigaction a = { .sa_handler = count_signal };

	TRY(r, sigaction(SIGUSR1, &a, NULL));
	return 0;
}

static int signal_op(struct run *r)
{
	long pid = getpid(), tid = gettid();

	handled = 0;
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys3(SYS_tgkill, pid, tid, SIGUSR1));
	WANT(r, (long)r->n, handled);
	return 0;
}

const struct row call_rows[] = {
	{ "getpid", NULL, getpid_op, 0, 0 },           { "clock-vdso", NULL, clock_op, 0, 0 },
	{ "clock-call", NULL, clock_call_op, 0, 0 },   { "read-1", zero_setup, read_op, 1, 0 },
	{ "read-4k", zero_setup, read_op, 4096, 0 },   { "write-1", null_setup, write_op, 1, 0 },
	{ "write-4k", null_setup, write_op, 4096, 0 }, { "sigaction", NULL, sigaction_op, 0, 0 },
	{ "signal", signal_setup, signal_op, 0, 0 },   { NULL, NULL, NULL, 0, 0 },
};
