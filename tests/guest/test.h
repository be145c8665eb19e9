#pragma once

/*
 * The harness of the guest tests: plain static C programs that must pass on Linux as well.
 *
 *	#include "test.h"
 *	TEST(pipe_eof_after_close) { int p[2]; CHECK_OK(pipe(p)); … CHECK_EQ(read(p[0], b, 1), 0); }
 *
 * Each TEST runs in a child of its own, in an empty directory of its own, as leader of a process group that is
 * killed afterwards, with a time limit (TEST_TIMED for more than 20 s). Output: "ok NAME", "not ok NAME: reason" or "skip NAME: reason" per
 * test, and "done N" at the end; a program that does not print that line has failed. An argument selects tests by
 * substring.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*fn)(void);
	unsigned seconds;
	struct test *next;
};

void test_register(struct test *t);
__attribute__((noreturn, format(printf, 3, 4))) void test_fail(const char *file, int line, const char *f, ...);
__attribute__((noreturn, format(printf, 1, 2))) void test_skip(const char *f, ...);

#define TEST_TIMED(id, secs)                                                    \
	static void test_##id(void);                                            \
	static struct test test_entry_##id = { #id, test_##id, secs, NULL };    \
	__attribute__((constructor)) static void test_ctor_##id(void)           \
	{                                                                       \
		test_register(&test_entry_##id);                                \
	}                                                                       \
	static void test_##id(void)
#define TEST(id) TEST_TIMED(id, 20)

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(c) ((c) ? (void)0 : FAIL("%s", #c))
#define CHECK_EQ(a, b)                                                          \
	do {                                                                    \
		long long a_ = (long long)(a), b_ = (long long)(b);             \
		if (a_ != b_)                                                   \
			FAIL("%s is %lld (%#llx), not %s = %lld; errno %s", #a, a_, a_, #b, b_,   \
			     strerrorname_np(errno) ?: "0");                    \
	} while (0)
/* A call that must succeed (result not -1); the value of the expression is lost. */
#define CHECK_OK(call)                                                          \
	do {                                                                    \
		if ((long long)(call) == -1)                                    \
			FAIL("%s: %s", #call, strerrorname_np(errno));          \
	} while (0)
/* A call that must fail with -1 and this errno. */
#define CHECK_ERR(call, err)                                                    \
	do {                                                                    \
		errno = 0;                                                      \
		long long r_ = (long long)(call);                               \
		if (r_ != -1)                                                   \
			FAIL("%s returned %lld, not %s", #call, r_, #err);      \
		if (errno != (err))                                             \
			FAIL("%s: %s, not %s", #call, strerrorname_np(errno), #err); \
	} while (0)
#define CHECK_STR(a, b)                                                         \
	do {                                                                    \
		const char *a_ = (a), *b_ = (b);                                \
		if (strcmp(a_, b_) != 0)                                        \
			FAIL("%s is \"%s\", not \"%s\"", #a, a_, b_);           \
	} while (0)

/* Forks; the child runs fn(arg) and exits with its result. Returns the pid. */
pid_t test_fork(int (*fn)(void *), void *arg);
/* Waits for pid and checks that it exited with `status`. */
void test_wait_exit(pid_t pid, int status);
/* Waits for pid and checks that signal `sig` ended it. */
void test_wait_signal(pid_t pid, int sig);
/* Reads a whole (pseudo) file into a static buffer of 1 MiB, NUL-terminated. */
char *test_slurp(const char *path);
/* True when running with uid 0 (some tests need it; they skip otherwise). */
bool test_is_root(void);
/* A monotonic time in ns. For generous bounds only: timing never decides a test. */
int64_t test_now(void);
