#include "proc/clocks.h"

/*
 * Steering the wall clock: adjtimex(2). What is to be corrected is given back to the clock as a
 *rate (core/clock.h, clock_set_slew), the sum of
 *
 *	the frequency and the tick that were set,
 *	adjtime(3)'s remainder at 500 ppm until it is used up,
 *	the phase-locked loop's offset, of which each second takes 1 part in 2^(2 + constant).
 *
 * settle() charges what has been slewed since the last time, decides on the next rate, and has
 *itself called again when something changes: after a second, when a remainder is used up, at the
 *end of a day with a leap second. It runs in a thread. Nothing to do, no timer.
 *
 * CLOCK_MONOTONIC is not slewed along, as Linux does it: it is what the rates are measured by.
 *
 * Source: adjtimex(2), ntp_adjtime(3), adjtime(3), RFC 1589 (the PLL and the leap-second states).
 */

#include "abi/errno.h"
#include "abi/time.h"
#include "core/clock.h"
#include "proc/proc_priv.h"
#include "sched/mutex.h"
#include "sched/work.h"
#include "vfs/cred.h"

#define PPM_ONE        65536l          /* the unit of abi_timex.freq */
#define FREQ_MAX       (500 * PPM_ONE) /* and its tolerance */
#define PHASE_MAX      (500 * NSEC_PER_MSEC)
#define ERROR_MAX      16000000l /* µs; beyond it the clock is not synchronised */
#define ERROR_GROWTH   500l      /* µs in a second, by the tolerance */
#define ADJTIME_RATE   500000l   /* ns in a second */
#define DAY            (86400 * NSEC_PER_SEC)
#define DAY_SLEW       (ADJTIME_RATE * 86400) /* what adjtime(3) corrects in a day */
#define TAI_OFFSET_MAX 100000

enum { TICK = 1000000 / USER_HZ, TIMECONST_MAX = 10, PLL_SHIFT = 2, FLL_SECONDS = 2048 };

static struct mutex lock = MUTEX(lock, TIMEX);
static struct timer wake_up;
static struct work settle_work;

/* All under `lock`. */
static int status = STA_UNSYNC, state = TIME_OK;
static int64_t frequency, tick = TICK, constant = 2;
static int64_t maxerror = ERROR_MAX, esterror = ERROR_MAX;
static nsec_t settled;             /* CLOCK_MONOTONIC of the last settle() */
static nsec_t adjtime_left;        /* ns */
static nsec_t phase_left;          /* ns */
static int64_t adj_rate, pll_rate; /* ns in a second, since `settled` */
static nsec_t phase_since;         /* CLOCK_MONOTONIC of the last offset */
static nsec_t leap_at; /* CLOCK_REALTIME of the leap, or of the end of the state after it */

static int64_t within(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* --- the rate --- */

/* What `rate` ns in a second make of `span`. */
static nsec_t share(int64_t rate, nsec_t span)
{
	return span / NSEC_PER_SEC * rate + span % NSEC_PER_SEC * rate / NSEC_PER_SEC;
}

static void charge(nsec_t now)
{
	nsec_t span = now - settled, used = share(adj_rate, span);

	adjtime_left = used > 0   ? MAX(adjtime_left - used, 0l)
		       : used < 0 ? MIN(adjtime_left - used, 0l)
				  : adjtime_left;
	phase_left -= share(pll_rate, span);
	maxerror = MIN(maxerror + share(ERROR_GROWTH, span), ERROR_MAX);
	if (maxerror >= ERROR_MAX)
		status |= STA_UNSYNC;
	settled = now;
}

/* ns in a second to parts of 2^32. */
static int64_t to_slew(int64_t rate)
{
	return rate * (1l << 32) / NSEC_PER_SEC;
}

static int64_t constant_rate(void)
{
	return to_slew((tick - TICK) * NSEC_PER_USEC * USER_HZ) +
	       frequency * (1l << 32) / (PPM_ONE * 1000000);
}

/* Chooses the rates; returns the CLOCK_MONOTONIC time when they are to be looked at again. */
static nsec_t choose_rates(nsec_t now)
{
	nsec_t next = NSEC_MAX;

	adj_rate = adjtime_left > 0 ? ADJTIME_RATE : adjtime_left < 0 ? -ADJTIME_RATE : 0;
	if (adj_rate != 0) /* when it is used up; a day is looked at first */
		next = now + within(adjtime_left, -DAY_SLEW, DAY_SLEW) * (NSEC_PER_SEC / adj_rate) +
		       1;
	pll_rate = phase_left / (1l << (PLL_SHIFT + constant));
	if (pll_rate != 0)
		next = MIN(next, now + NSEC_PER_SEC);
	clock_set_slew(constant_rate() + to_slew(adj_rate + pll_rate));
	return next;
}

/* --- leap seconds --- */

static nsec_t next_midnight(nsec_t real)
{
	return (real / DAY + 1) * DAY;
}

static void step(nsec_t by)
{
	clock_set_tai_offset(clock_tai_offset() - (int)(by / NSEC_PER_SEC));
	clock_set_real(clock_real() + by);
}

static void leap_wanted(nsec_t real)
{
	if (status & STA_INS) {
		state = TIME_INS;
		leap_at = next_midnight(real);
	} else if (status & STA_DEL) {
		state = TIME_DEL;
		leap_at = next_midnight(real + NSEC_PER_SEC) - NSEC_PER_SEC;
	}
}

static void leap_states(void)
{
	nsec_t real = clock_real();

	if (state == TIME_OK)
		leap_wanted(real);
	else if ((state == TIME_INS && !(status & STA_INS)) ||
		 (state == TIME_DEL && !(status & STA_DEL)))
		state = TIME_OK;
	else if (state == TIME_WAIT && !(status & (STA_INS | STA_DEL)))
		state = TIME_OK;
	else if (state == TIME_INS && real >= leap_at) {
		step(-NSEC_PER_SEC);
		state = TIME_OOP;
	} else if (state == TIME_DEL && real >= leap_at) {
		step(NSEC_PER_SEC);
		state = TIME_WAIT;
	} else if (state == TIME_OOP && real >= leap_at) {
		state = TIME_WAIT;
	}
}

static bool leap_is_pending(void)
{
	return state == TIME_INS || state == TIME_DEL || state == TIME_OOP;
}

/* --- */

static void settle(void)
{
	nsec_t now = clock_mono(), next, real;

	charge(now);
	leap_states();
	next = choose_rates(now);
	real = clock_real();
	/* A clock that is set meanwhile, or slewed, is looked at in time: at least every hour. */
	if (leap_is_pending())
		next = MIN(next, now + within(leap_at - real, 1l, 3600 * NSEC_PER_SEC));
	if (next != NSEC_MAX)
		timer_arm(&wake_up, next);
}

static void settle_later(struct work *w)
{
	(void)w;
	mutex_lock(&lock);
	settle();
	mutex_unlock(&lock);
}

static void timer_fired(struct timer *t)
{
	(void)t;
	work_queue(&settle_work);
}

void timex_init(void)
{
	timer_init(&wake_up, timer_fired);
	work_init(&settle_work, settle_later);
}

static void clear_locked(void)
{
	adjtime_left = phase_left = 0;
	status |= STA_UNSYNC;
	maxerror = esterror = ERROR_MAX;
	state = TIME_OK;
	settle();
}

void timex_clear(void)
{
	mutex_lock(&lock);
	charge(clock_mono());
	clear_locked();
	mutex_unlock(&lock);
}

/* --- the call --- */

static int check(const struct abi_timex *x)
{
	int64_t unit = x->modes & ADJ_NANO ? NSEC_PER_SEC : 1000000;

	if (x->modes & ADJ_ADJTIME) {
		if (!(x->modes & ADJ_OFFSET))
			return -EINVAL;
		return (x->modes & ADJ_OFFSET_READONLY) || capable(CAP_SYS_TIME) ? 0 : -EPERM;
	}
	if (x->modes != 0 && !capable(CAP_SYS_TIME))
		return -EPERM;
	if ((x->modes & ADJ_TICK) && (x->tick < 9 * TICK / 10 || x->tick > 11 * TICK / 10))
		return -EINVAL;
	if ((x->modes & ADJ_SETOFFSET) && (x->time.tv_usec < 0 || x->time.tv_usec >= unit))
		return -EINVAL;
	return 0;
}

/* By so many seconds and parts, which are always added: -0.25 s is -1 s and 750,000 µs. */
static int set_offset(const struct abi_timex *x)
{
	int64_t part = x->modes & ADJ_NANO ? x->time.tv_usec : x->time.tv_usec * NSEC_PER_USEC;
	nsec_t by, now = clock_real(), then;

	if (__builtin_mul_overflow(x->time.tv_sec, NSEC_PER_SEC, &by) ||
	    __builtin_add_overflow(by, part, &by) || __builtin_add_overflow(now, by, &then) ||
	    then < clock_mono() || then >= CLOCK_LATEST)
		return -EINVAL;
	clock_set_real(then);
	clear_locked();
	return 0;
}

/* A measured offset: RFC 1589. The frequency learns from it by how long the last one is ago. */
static void new_phase(const struct abi_timex *x)
{
	int64_t max = status & STA_NANO ? PHASE_MAX : PHASE_MAX / NSEC_PER_USEC;
	nsec_t offset = within(x->offset, -max, max), now = clock_mono();
	int64_t seconds = (now - phase_since) / NSEC_PER_SEC, limit = 1l << (3 + constant);

	if (!(status & STA_PLL))
		return;
	if (!(status & STA_NANO))
		offset *= NSEC_PER_USEC;
	if (phase_since == 0 || (status & STA_FREQHOLD))
		seconds = 0;
	phase_since = now;
	phase_left = offset;
	status &= ~STA_MODE;
	if ((status & STA_FLL) && seconds >= FLL_SECONDS / 8) {
		status |= STA_MODE;
		frequency += offset / seconds * PPM_ONE / 1000 / 4;
	}
	seconds = MIN(seconds, limit);
	frequency += offset * seconds * PPM_ONE / 1000 / (1l << 2 * (PLL_SHIFT + 2 + constant));
	frequency = within(frequency, -FREQ_MAX, FREQ_MAX);
}

static void new_status(int wanted)
{
	const int read_only = STA_PPSSIGNAL | STA_PPSJITTER | STA_PPSWANDER | STA_PPSERROR |
			      STA_CLOCKERR | STA_NANO | STA_MODE | STA_CLK;

	if ((status & STA_PLL) && !(wanted & STA_PLL)) {
		state = TIME_OK;
		status = STA_UNSYNC;
	}
	if (!(status & STA_PLL) && (wanted & STA_PLL))
		phase_since = clock_mono();
	status = (status & read_only) | (wanted & ~read_only);
}

static void apply(const struct abi_timex *x)
{
	if (x->modes & ADJ_STATUS)
		new_status(x->status);
	if (x->modes & ADJ_NANO)
		status |= STA_NANO;
	if (x->modes & ADJ_MICRO)
		status &= ~STA_NANO;
	if (x->modes & ADJ_FREQUENCY)
		frequency = within(x->freq, -FREQ_MAX, FREQ_MAX);
	if (x->modes & ADJ_MAXERROR)
		maxerror = within(x->maxerror, 0l, ERROR_MAX);
	if (x->modes & ADJ_ESTERROR)
		esterror = within(x->esterror, 0l, ERROR_MAX);
	if (x->modes & ADJ_TIMECONST)
		constant = within(x->constant + (status & STA_NANO ? 0 : 4), 0l,
				  (int64_t)TIMECONST_MAX);
	if ((x->modes & ADJ_TAI) && x->constant >= 0 && x->constant <= TAI_OFFSET_MAX)
		clock_set_tai_offset((int)x->constant);
	if (x->modes & ADJ_OFFSET)
		new_phase(x);
	if (x->modes & ADJ_TICK)
		tick = x->tick;
}

static int fill_in(struct abi_timex *x)
{
	bool nano = status & STA_NANO;
	nsec_t real = clock_real();

	if (!(x->modes & ADJ_ADJTIME))
		x->offset = nano ? phase_left : phase_left / NSEC_PER_USEC;
	x->freq = frequency;
	x->maxerror = maxerror;
	x->esterror = esterror;
	x->status = status;
	x->constant = constant;
	x->precision = 1;
	x->tolerance = FREQ_MAX;
	x->tick = tick;
	x->tai = clock_tai_offset();
	x->time.tv_sec = real / NSEC_PER_SEC;
	x->time.tv_usec = nano ? real % NSEC_PER_SEC : real % NSEC_PER_SEC / NSEC_PER_USEC;
	x->ppsfreq = x->jitter = x->stabil = x->jitcnt = x->calcnt = x->errcnt = x->stbcnt = 0;
	x->shift = 0;
	return status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : state;
}

/* adjtime(3): gives back what is left, and takes a new correction unless that is all. */
static void single_shot(struct abi_timex *x)
{
	nsec_t was = adjtime_left;

	if (!(x->modes & ADJ_OFFSET_READONLY)) {
		if (__builtin_mul_overflow(x->offset, NSEC_PER_USEC, &adjtime_left))
			adjtime_left = x->offset < 0 ? -NSEC_MAX : NSEC_MAX;
		adj_rate = 0; /* the old one has been charged, and is not the new one's */
	}
	x->offset = was / NSEC_PER_USEC;
}

int timex_adjust(struct abi_timex *x)
{
	int err = check(x), ret;

	if (err)
		return err;
	mutex_lock(&lock);
	charge(clock_mono());
	if ((x->modes & ADJ_SETOFFSET) && !(x->modes & ADJ_ADJTIME))
		err = set_offset(x);
	if (err == 0 && (x->modes & ADJ_ADJTIME))
		single_shot(x);
	else if (err == 0)
		apply(x);
	if (err == 0)
		settle();
	ret = err ? err : fill_in(x);
	mutex_unlock(&lock);
	return ret;
}
