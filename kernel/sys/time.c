#include "sys/syscalls.h"

/*
 * Clocks, sleeping, interval timers and POSIX timers: user structures to nanoseconds and back. The
 * mechanism is in proc/clocks.h. A relative sleep that a signal interrupts says what is left, and
 * restart_syscall(2) goes on to the same point in time.
 */

#include "abi/errno.h"
#include "abi/resource.h"
#include "core/clock.h"
#include "lib/string.h"
#include "proc/clocks.h"
#include "proc/exit.h"
#include "proc/signal.h"
#include "sys/timeval.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

/* --- clocks --- */

int64_t sys_clock_gettime(int32_t id, uaddr_t tp)
{
	nsec_t t;
	int err = clock_read(id, &t);

	return err ? err : put_user_timespec(tp, t);
}

int64_t sys_clock_settime(int32_t id, uaddr_t tp)
{
	nsec_t t;
	int err = get_user_timespec(&t, tp);

	return err ? err : clock_set(id, t);
}

int64_t sys_clock_getres(int32_t id, uaddr_t res)
{
	nsec_t t;
	int err = clock_resolution(id, &t);

	return err || uaddr_is_null(res) ? err : put_user_timespec(res, t);
}

int64_t sys_time(uaddr_t tloc)
{
	int64_t t = clock_real() / NSEC_PER_SEC;

	if (!uaddr_is_null(tloc) && put_user_u64(tloc, (uint64_t)t))
		return -EFAULT;
	return t;
}

static struct abi_timezone timezone; /* kept for whoever still asks; it changes nothing here */

int64_t sys_gettimeofday(uaddr_t tv, uaddr_t tz)
{
	if (!uaddr_is_null(tv) && put_user_timeval(tv, clock_real()))
		return -EFAULT;
	return uaddr_is_null(tz) ? 0 : copy_to_user(tz, &timezone, sizeof(timezone));
}

int64_t sys_settimeofday(uaddr_t tv, uaddr_t tz)
{
	struct abi_timezone zone;
	nsec_t t;
	int err;

	if (!uaddr_is_null(tv) && (err = get_user_timeval(&t, tv)))
		return err;
	if (!uaddr_is_null(tz) && copy_from_user(&zone, tz, sizeof(zone)))
		return -EFAULT;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (!uaddr_is_null(tz)) {
		if (zone.tz_minuteswest > 15 * 60 || zone.tz_minuteswest < -15 * 60)
			return -EINVAL;
		timezone = zone;
	}
	return uaddr_is_null(tv) ? 0 : clock_set(CLOCK_REALTIME, t);
}

static int64_t to_ticks(nsec_t ns)
{
	return ns / (NSEC_PER_SEC / USER_HZ);
}

int64_t sys_times(uaddr_t buf)
{
	struct process *p = curproc();
	struct abi_tms t;
	nsec_t u, s;

	if (!uaddr_is_null(buf)) {
		process_times(p, &u, &s);
		t = (struct abi_tms){ to_ticks(u), to_ticks(s), to_ticks(p->cutime),
				      to_ticks(p->cstime) };
		if (copy_to_user(buf, &t, sizeof(t)))
			return -EFAULT;
	}
	return to_ticks(clock_mono());
}

/* --- adjusting --- */

static int64_t adjust(uaddr_t buf)
{
	struct abi_timex x;
	int state;

	if (copy_from_user(&x, buf, sizeof(x)))
		return -EFAULT;
	state = timex_adjust(&x);
	return state >= 0 && copy_to_user(buf, &x, sizeof(x)) ? -EFAULT : state;
}

int64_t sys_adjtimex(uaddr_t buf)
{
	return adjust(buf);
}

int64_t sys_clock_adjtime(int32_t id, uaddr_t buf)
{
	nsec_t unused;
	int err;

	if (id == CLOCK_REALTIME)
		return adjust(buf);
	if (id < 0 && (id & CPUCLOCK_CLOCK_MASK) != CLOCKFD)
		return -EOPNOTSUPP; /* whose CPU clock it is does not matter */
	err = clock_read(id, &unused);
	return err ? err : -EOPNOTSUPP;
}

/* --- sleeping --- */

enum { RB_CLOCK, RB_TARGET, RB_REM, RB_ARGS };

static int64_t sleep_relative(const uint64_t *a);

static int64_t sleep_restart(struct restart_block *r)
{
	uint64_t a[RB_ARGS];

	memcpy(a, r->arg, sizeof(a));
	return sleep_relative(a);
}

/* To a point that was computed from a span. */
static int64_t sleep_relative(const uint64_t *a)
{
	int clock = (int)a[RB_CLOCK], err = clock_sleep_until(clock, (nsec_t)a[RB_TARGET]);
	uaddr_t rem = UADDR(a[RB_REM]);
	nsec_t now, left;

	if (err != -ERESTARTSYS)
		return err;
	if (clock_read(clock, &now))
		return -EINTR;
	left = (nsec_t)a[RB_TARGET] - now;
	if (left <= 0)
		return 0;
	if (!uaddr_is_null(rem) && put_user_timespec(rem, left))
		return -EFAULT;
	restart_block_set(sleep_restart, a, RB_ARGS);
	return -ERESTART_RESTARTBLOCK;
}

static int64_t sleep_span(int clock, nsec_t span, uaddr_t rem)
{
	uint64_t a[RB_ARGS] = { (uint64_t)clock, 0, rem.a };
	nsec_t now;
	int err = clock_read(clock, &now);

	if (err)
		return err;
	a[RB_TARGET] = (uint64_t)(span > NSEC_MAX - now ? NSEC_MAX : now + span);
	return sleep_relative(a);
}

int64_t sys_nanosleep(uaddr_t duration, uaddr_t rem)
{
	nsec_t span;
	int err = get_user_timespec(&span, duration);

	return err ? err : sleep_span(CLOCK_MONOTONIC, span, rem);
}

int64_t sys_clock_nanosleep(int32_t id, uint32_t flags, uaddr_t t, uaddr_t remain)
{
	nsec_t span;
	int err;

	/* Other flags mean nothing, and Linux does not mind them. */
	if ((err = clock_may_sleep(id)) || (err = get_user_timespec(&span, t)))
		return err;
	if (!(flags & TIMER_ABSTIME)) /* a span does not change when the wall clock is set */
		return sleep_span(id == CLOCK_REALTIME || id == CLOCK_TAI ? CLOCK_MONOTONIC
				  : id == CLOCK_REALTIME_ALARM            ? CLOCK_BOOTTIME_ALARM
									  : id,
				  span, remain);
	err = clock_sleep_until(id, span);
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

/* --- interval timers --- */

static int put_itimerval(uaddr_t p, const struct itimer_value *v)
{
	struct abi_itimerval u = { nsec_to_timeval(v->interval), nsec_to_timeval(v->value) };

	return copy_to_user(p, &u, sizeof(u));
}

int64_t sys_getitimer(int32_t which, uaddr_t value)
{
	struct itimer_value v;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	itimer_get(which, &v);
	return put_itimerval(value, &v);
}

int64_t sys_setitimer(int32_t which, uaddr_t new, uaddr_t old)
{
	struct itimer_value v = { 0 }, was;
	int err;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	if (!uaddr_is_null(new)) {
		if ((err = get_user_timeval(&v.interval, new)) ||
		    (err = get_user_timeval(&v.value, uaddr_add(new, sizeof(struct abi_timeval)))))
			return err;
	}
	itimer_set(which, &v, &was);
	return uaddr_is_null(old) ? 0 : put_itimerval(old, &was);
}

int64_t sys_alarm(uint32_t seconds)
{
	struct itimer_value v = { .value = seconds * NSEC_PER_SEC }, was;
	nsec_t left;

	itimer_set(ITIMER_REAL, &v, &was);
	left = (was.value + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	return was.value > 0 && left == 0 ? 1 : left; /* 0 would say that there was none */
}

/* --- POSIX timers --- */

static int put_itimerspec(uaddr_t p, const struct itimer_value *v)
{
	struct abi_itimerspec u = { nsec_to_timespec(v->interval), nsec_to_timespec(v->value) };

	return copy_to_user(p, &u, sizeof(u));
}

int64_t sys_timer_create(int32_t clock, uaddr_t sevp, uaddr_t timerid)
{
	struct abi_sigevent ev;
	int id, err;

	if (!uaddr_is_null(sevp) && copy_from_user(&ev, sevp, sizeof(ev)))
		return -EFAULT;
	if ((err = ptimer_create(clock, uaddr_is_null(sevp) ? NULL : &ev, &id)))
		return err;
	if (put_user_u32(timerid, (uint32_t)id) == 0)
		return 0;
	(void)!ptimer_delete(id);
	return -EFAULT;
}

int64_t sys_timer_settime(int32_t id, uint32_t flags, uaddr_t new, uaddr_t old)
{
	struct itimer_value v, was;
	int err;

	if (uaddr_is_null(new))
		return -EINVAL;
	if ((err = get_user_timespec(&v.interval, new)) ||
	    (err = get_user_timespec(&v.value, uaddr_add(new, sizeof(struct abi_timespec)))))
		return err;
	if ((err = ptimer_set(id, flags & TIMER_ABSTIME, &v, &was)))
		return err;
	return uaddr_is_null(old) ? 0 : put_itimerspec(old, &was);
}

int64_t sys_timer_gettime(int32_t id, uaddr_t value)
{
	struct itimer_value v;
	int err = ptimer_get(id, &v);

	return err ? err : put_itimerspec(value, &v);
}

int64_t sys_timer_getoverrun(int32_t id)
{
	return ptimer_overrun(id);
}

int64_t sys_timer_delete(int32_t id)
{
	return ptimer_delete(id);
}
