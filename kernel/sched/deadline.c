/*
 * A thread has `left` ns until the deadline `until`. Running takes of it; when there is none left,
 * the thread waits for the period after the present one, which has the next deadline. Sleeping does
 * not save up: a thread that wakes with more than its share of what remains of the period, or after
 * it, gets a new deadline from now.
 */
#include "sched/deadline.h"

uint64_t deadline_bandwidth(uint64_t runtime, uint64_t period)
{
	return (runtime << DEADLINE_BW_SHIFT) / period;
}

void deadline_start(struct sched_deadline *d, nsec_t now)
{
	d->until = now + (nsec_t)d->deadline;
	d->left = (int64_t)d->runtime;
}

/* When the period after the present one begins. */
static nsec_t next_period(const struct sched_deadline *d)
{
	return d->until + (nsec_t)(d->period - d->deadline);
}

/* left / (until - now) > runtime / deadline; periods have at most 2^42 ns. */
static bool has_too_much(const struct sched_deadline *d, nsec_t now)
{
	uint64_t left = (uint64_t)d->left >> 10, until = (uint64_t)(d->until - now) >> 10;

	return left * (d->deadline >> 10) > until * (d->runtime >> 10);
}

bool deadline_wake(struct sched_deadline *d, nsec_t now)
{
	if (d->until > now) {
		if (d->left > 0 && has_too_much(d, now))
			deadline_start(d, now);
	} else if (next_period(d) > now) { /* its deadline is before the end of its period */
		d->left = MIN(d->left, (int64_t)0);
	} else {
		deadline_start(d, now);
	}
	return d->left > 0;
}

nsec_t deadline_replenish(struct sched_deadline *d, nsec_t now)
{
	while (d->left <= 0 && next_period(d) + (nsec_t)d->deadline > now) {
		d->until += (nsec_t)d->period;
		d->left += (int64_t)d->runtime;
	}
	if (d->left <= 0 || d->until <= now) /* far behind: begins anew */
		deadline_start(d, now);
	return d->until - (nsec_t)d->deadline;
}
