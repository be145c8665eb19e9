#pragma once

/* What the tests of ptrace(2) share. */

#include "test.h"
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef __WALL
#define __WALL 0x40000000
#endif

/* The raw call: results and errors as the kernel gives them. */
static inline long pt(long request, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

static inline unsigned long ul(const void *p)
{
	return (unsigned long)p;
}

/* Waits for a stop of pid with this code: sig | event << 8. */
static inline void expect_stop(pid_t pid, int code)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, __WALL);

	if (got != pid || !WIFSTOPPED(status) || status >> 8 != code)
		FAIL("waitpid(%d) returned %d, status %#x; not a stop with %#x", pid, got, status, code);
}

static inline void expect_exit(pid_t pid, int code)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, __WALL);

	if (got != pid || !WIFEXITED(status) || WEXITSTATUS(status) != code)
		FAIL("waitpid(%d) returned %d, status %#x; not exit(%d)", pid, got, status, code);
}

static inline void expect_killed(pid_t pid, int sig)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, __WALL);

	if (got != pid || !WIFSIGNALED(status) || WTERMSIG(status) != sig)
		FAIL("waitpid(%d) returned %d, status %#x; not killed by %d", pid, got, status, sig);
}

static inline struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct r;

	CHECK_OK(pt(PTRACE_GETREGS, pid, 0, ul(&r)));
	return r;
}

/* A child that is traced, and has stopped for its own SIGSTOP; then runs fn(arg). */
static inline pid_t traced_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(99);
		raise(SIGSTOP);
		_exit(fn(arg));
	}
	expect_stop(pid, SIGSTOP);
	return pid;
}

/* A child, not traced, that sleeps for ever. */
static inline pid_t idle_child(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static inline int returns(void *arg)
{
	return (int)(long)arg;
}

static inline void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		pt(PTRACE_CONT, pid, 0, 0);
}
