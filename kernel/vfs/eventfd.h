#pragma once

/* eventfd(2) and timerfd(2): counters that are files. */

#include "lib/types.h"

struct file;

/* flags: EFD_* already checked. */
MUST_CHECK int eventfd_open(uint32_t initial, unsigned flags, struct file **out);

/* For those who complete something: adds one to an eventfd's count, unless that is full. */
MUST_CHECK int eventfd_check(const struct file *f); /* -EINVAL: none */
void eventfd_signal(struct file *f);

/* A timer on one of the clocks of timerfd_create(2) (checked by the caller). */
MUST_CHECK int timerfd_open(int clockid, unsigned oflags, struct file **out);

/*
 * Arms (value > 0) or disarms (0).
 *   value        ns from now, or with `absolute` the clock's own time
 *   old_*        what remained, and the old interval; may be NULL
 *   returns      0; -EINVAL f is no timerfd
 */
MUST_CHECK int timerfd_set(struct file *f, bool absolute, bool cancel_on_set, nsec_t value,
			   nsec_t interval, nsec_t *old_value, nsec_t *old_interval);
MUST_CHECK int timerfd_get(struct file *f, nsec_t *value, nsec_t *interval);

/* The wall clock was stepped: absolute CLOCK_REALTIME timers move, TFD_TIMER_CANCEL_ON_SET ones are
 * cancelled. */
void timerfd_clock_was_set(void);
