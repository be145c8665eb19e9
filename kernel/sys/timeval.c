/* Times of user space: see timeval.h. */

#include "sys/timeval.h"

#include "abi/errno.h"
#include "core/clock.h"
#include "lib/checked.h"
#include "vm/usercopy.h"

nsec_t seconds_to_nsec(int64_t sec, nsec_t rest)
{
	nsec_t t;

	if (mul_overflows(sec, NSEC_PER_SEC, &t) || add_overflows(t, rest, &t))
		return sec < 0 ? INT64_MIN : NSEC_MAX;
	return t;
}

int timespec_to_nsec(const struct abi_timespec *ts, nsec_t *out)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*out = seconds_to_nsec(ts->tv_sec, ts->tv_nsec);
	return 0;
}

int get_user_timespec(nsec_t *out, uaddr_t p)
{
	struct abi_timespec ts;

	if (copy_from_user(&ts, p, sizeof(ts)))
		return -EFAULT;
	return timespec_to_nsec(&ts, out);
}

int get_user_timeval(nsec_t *out, uaddr_t p)
{
	struct abi_timeval tv;

	if (copy_from_user(&tv, p, sizeof(tv)))
		return -EFAULT;
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EINVAL;
	*out = seconds_to_nsec(tv.tv_sec, tv.tv_usec * NSEC_PER_USEC);
	return 0;
}

struct abi_timespec nsec_to_timespec(nsec_t t)
{
	struct abi_timespec ts = { .tv_sec = t / NSEC_PER_SEC, .tv_nsec = t % NSEC_PER_SEC };

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += NSEC_PER_SEC;
		ts.tv_sec--;
	}
	return ts;
}

struct abi_timeval nsec_to_timeval(nsec_t t)
{
	struct abi_timespec ts = nsec_to_timespec(t);

	return (struct abi_timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / NSEC_PER_USEC };
}

int put_user_timespec(uaddr_t p, nsec_t t)
{
	struct abi_timespec ts = nsec_to_timespec(t);

	return copy_to_user(p, &ts, sizeof(ts));
}

int put_user_timeval(uaddr_t p, nsec_t t)
{
	struct abi_timeval tv = nsec_to_timeval(t);

	return copy_to_user(p, &tv, sizeof(tv));
}

nsec_t deadline_after(nsec_t span)
{
	nsec_t t;

	return add_overflows(clock_mono(), span, &t) ? NSEC_MAX : t;
}
