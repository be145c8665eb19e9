#pragma once

/* Clocks by number, sleeping on them, interval and POSIX timers: mechanism for sys/time.c. */

#include "abi/signal.h"
#include "lib/types.h"

struct process;

/* Thirty years of running must fit behind the latest time that can be set. */
#define CLOCK_LATEST (NSEC_MAX - 30ll * 365 * 24 * 3600 * NSEC_PER_SEC)

/* The clock's time, ns. -EINVAL no such clock (or not the caller's to read). */
MUST_CHECK int clock_read(int clockid, nsec_t *out);
MUST_CHECK int clock_resolution(int clockid, nsec_t *out);
/* -EINVAL not settable; -EPERM. Only CLOCK_REALTIME. */
MUST_CHECK int clock_set(int clockid, nsec_t t);

/*
 * adjtimex(2) on CLOCK_REALTIME.
 *   x            changed by x->modes, and filled in
 *   returns      the clock's state, TIME_*; -EPERM, -EINVAL
 */
struct abi_timex;
MUST_CHECK int timex_adjust(struct abi_timex *x);
/* The wall clock has been set: it is not synchronised any more, and what was under way ends. */
void timex_clear(void);
void timex_init(void);

/* 0; -EINVAL, -EOPNOTSUPP: what clock_nanosleep(2) says of the clock before it looks at the time.
 */
MUST_CHECK int clock_may_sleep(int clockid);
/* Sleeps until the clock reads `target`. 0; -ERESTARTSYS; -EINVAL, -EOPNOTSUPP clocks without
 * sleep. */
MUST_CHECK int clock_sleep_until(int clockid, nsec_t target);

struct itimer_value {
	nsec_t value, interval; /* ns; value 0: off */
};
/* which: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. Of the running process. */
void itimer_get(int which, struct itimer_value *out);
void itimer_set(int which, const struct itimer_value *v, struct itimer_value *old);

/* POSIX timers of the running process; errors of timer_create(2) and timer_settime(2). ev NULL:
 * SIGALRM. */
MUST_CHECK int ptimer_create(int clockid, const struct abi_sigevent *ev, int *id);
MUST_CHECK int ptimer_set(int id, bool absolute, const struct itimer_value *v,
			  struct itimer_value *old);
MUST_CHECK int ptimer_get(int id, struct itimer_value *out);
MUST_CHECK int ptimer_overrun(int id);
MUST_CHECK int ptimer_delete(int id);

/* The POSIX timers of p, for /proc/PID/timers. */
struct textbuf;
void ptimer_list(struct process *p, struct textbuf *t);

/* The CPU-time clock of a process, for timers: ns used so far. Any context but under RUNQ. */
nsec_t process_runtime(struct process *p);
