#pragma once

/*
 * seccomp(2): which system calls a task may make. A task has a mode and, in filter mode, the newest
 * of a chain of filters, each of which is a classic BPF program; filters are immutable and shared,
 * and go when no task and no newer filter has them any more.
 */

#include "lib/types.h"
#include "proc/task.h"

struct abi_seccomp_data;
struct abi_sock_filter;
struct file;
struct regs;
struct seccomp_filter;
struct seccomp_listener;

/* --- the way into a system call --- */

/*
 * Judges the call that r asks for. False: it is not to be made, and r has its result. Number,
 * arguments and result may have been changed by a tracer.
 *   context      the running task has a mode; before the call; may sleep, and may not return
 */
MUST_CHECK bool seccomp_enter(struct regs *r);

/* --- setting it up; seccomp(2)'s results --- */

MUST_CHECK int seccomp_set_strict(void);
/* flags: SECCOMP_FILTER_FLAG_*, known ones. fprog: the user's struct sock_fprog. */
MUST_CHECK int64_t seccomp_set_filter(unsigned flags, uaddr_t fprog);

/* Whether this is one of SECCOMP_RET_*. */
bool seccomp_has_action(uint32_t action);
/* The names of all actions, or of those that are logged, with a space between them. */
struct textbuf;
void seccomp_format_actions(struct textbuf *t, bool logged);
/* The actions that are logged. -EINVAL: some word is none that can be. */
MUST_CHECK int seccomp_set_logged(const char *names);

/* --- clone and exit --- */

/* A new task, not published yet, is bound as the running one is. Under the siglock. */
void seccomp_inherit(struct task *child);
/* The filter of a task with a mode, which ends, for the caller to put without locks; NULL: none.
 * Under the siglock. */
MUST_CHECK struct seccomp_filter *seccomp_detach(struct task *t);
void seccomp_filter_put(struct seccomp_filter *f); /* NULL is nothing; threads, no spinlocks */

/* --- ptrace --- */

/* The nth filter of t, the oldest being 0; its program and length; whether it logs. -EINVAL: t has
 * no filters; -ENOENT: not that many. The filter is the caller's to put. */
MUST_CHECK int seccomp_get_nth(struct task *t, uint64_t nth, struct seccomp_filter **out);
const struct abi_sock_filter *seccomp_program(const struct seccomp_filter *f, unsigned *n);
bool seccomp_logs(const struct seccomp_filter *f);

/* --- between seccomp.c and seccomp_notify.c --- */

/* The answers of a listener's file to the calls that its filter sends there. 0; -ENOMEM, -ENFILE.
 * The filter holds the listener, as the file does. */
MUST_CHECK int seccomp_listener_create(bool wait_killable, struct seccomp_listener **out,
				       struct file **file);
void seccomp_listener_put(struct seccomp_listener *l); /* the filter is gone; NULL is nothing */
/*
 * Asks the listener. True: the call is to be made; false: *ret is its result.
 *   context      the running task's call; sleeps until the answer or a signal comes
 */
MUST_CHECK bool seccomp_ask(struct seccomp_listener *l, const struct abi_seccomp_data *d,
			    int64_t *ret);
