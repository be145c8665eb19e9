#pragma once

/* What coredump.c (policy), core_name.c (where to) and coredump_elf.c (what) share. */

#include "lib/types.h"
#include "proc/coredump.h"

struct file;
struct process;
struct textbuf;

/* Lives on the stack of the task that dumps. */
struct core_dump {
	struct task *dumper;
	unsigned missing; /* siglock; tasks that do not stand still yet */
};

struct core_out {
	struct file *file;
	bool is_pipe, failed;
	uint64_t pos;   /* bytes emitted or left out */
	uint64_t limit; /* RLIMIT_CORE */
};

/* Append n bytes, or a hole of n bytes. False: it failed, now or before. */
MUST_CHECK bool core_emit(struct core_out *o, const void *data, size_t n);
MUST_CHECK bool core_skip(struct core_out *o, uint64_t n);

/*
 * Writes the running process's core file; its other tasks stand still.
 *   returns      false: nothing could be written; true also when it was cut short
 */
bool core_write_elf(struct core_out *o, const struct abi_siginfo *si);

struct core_name_facts {
	int sig;
	unsigned dumpable;
	uint64_t limit;
};

/* The pattern that holds now, expanded: a file name in `t`; or, when it begins with '|', the
 * program's arguments there, each with its NUL. The text may overflow (textbuf). */
void core_name_expand(const char *pattern, const struct core_name_facts *f, struct textbuf *t);
