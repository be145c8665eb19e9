#pragma once

/* Core dumps: core(5). What /proc and prctl(2) set, and the entry for fatal signals. */

#include "lib/types.h"

struct abi_siginfo;
struct process;
struct siglock;
struct task;

enum { CORE_PATTERN_MAX = 128 };

/* kernel.core_pattern, with its NUL. */
void core_pattern_get(char out[CORE_PATTERN_MAX]);
void core_pattern_set(const char *text, size_t len); /* longer ones are cut */

extern int core_uses_pid;      /* kernel.core_uses_pid: 0, 1 */
extern int core_pipe_limit;    /* kernel.core_pipe_limit: dumps to programs at a time; 0: any */
extern int core_suid_dumpable; /* fs.suid_dumpable: 0, 1, 2 */

/*
 * The running task ends its process by a signal whose default action is to dump core: ends the
 * others, waits until they stand still, and writes the dump if limits and attributes allow one.
 *   l            the process's siglock; dropped
 *   returns      the process's wait status, with WCOREFLAG when there is a dump
 *   context      on the way to user mode; may sleep
 */
int core_dump_process(int sig, const struct abi_siginfo *si, struct siglock l);

/* SIGKILL came: a dump in progress ends. Under p's siglock. */
void core_dump_stop(struct process *p);

/* An ending task whose process is dumping waits until its registers and memory are not needed any
 * more. `l` is held, dropped meanwhile, and held again. */
void core_dump_park(struct siglock *l);
