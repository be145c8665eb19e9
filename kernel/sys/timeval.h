#pragma once

/* Times of user space: timespec and timeval to nanoseconds and back, with the checks of their
 * manual pages. */

#include "abi/time.h"
#include "lib/types.h"

/* 0; -EFAULT; -EINVAL negative or nanoseconds out of range. Times beyond nsec_t become NSEC_MAX. */
MUST_CHECK int get_user_timespec(nsec_t *out, uaddr_t p);
MUST_CHECK int get_user_timeval(nsec_t *out, uaddr_t p);
MUST_CHECK int put_user_timespec(uaddr_t p, nsec_t t);
MUST_CHECK int put_user_timeval(uaddr_t p, nsec_t t);

/* A time in nanoseconds; what nsec_t cannot hold becomes its end, on either side. rest: 0 to 1 s.
 */
nsec_t seconds_to_nsec(int64_t sec, nsec_t rest);
MUST_CHECK int timespec_to_nsec(const struct abi_timespec *ts, nsec_t *out);
struct abi_timespec nsec_to_timespec(nsec_t t);
struct abi_timeval nsec_to_timeval(nsec_t t);

/* The point on CLOCK_MONOTONIC that lies `span` ahead; NSEC_MAX stays NSEC_MAX. */
nsec_t deadline_after(nsec_t span);
