/*
 * Reno and CUBIC in integers. See cc.h.
 *
 * RFC 9438's curve W(t) = C (t - K)^3 + W_max has windows in segments and times in seconds, with
 * C = 0.4; here windows are bytes and times milliseconds, so that
 *
 *   W(t) - W_max = 0.4 mss (d/1000)^3 = 4 mss d^3 / 10^10,     d = t - K
 *   K = cbrt((W_max - cwnd) / 0.4 mss) s = cbrt((W_max - cwnd) 2.5 * 10^9 / mss) ms
 */
#include "net/tcp/cc.h"

#include "net/tcp/segment.h"

enum { WINDOW_MAX = 1 << 30, DISTANCE_MAX_MS = 1 << 20 };

void tcp_cc_init(struct tcp_cc *cc, bool reno)
{
	*cc = (struct tcp_cc){ .reno = reno };
}

uint32_t tcp_cube_root(uint64_t v)
{
	uint64_t x = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t y = x | 1ull << bit;

		if (y * y * y <= v)
			x = y;
	}
	return (uint32_t)x;
}

uint32_t tcp_cc_reduce(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss)
{
	uint32_t to = cc->reno ? cwnd / 2 : (uint32_t)((uint64_t)cwnd * 7 / 10);

	cc->epoch_valid = false;
	cc->credit = 0;
	cc->cwnd_prior = cwnd;
	/* RFC 9438 4.7, fast convergence: less than last time, so others came: leave them room. */
	cc->w_max = cwnd < cc->w_max ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
	return MAX(to, 2 * mss);
}

void tcp_cc_restart(struct tcp_cc *cc)
{
	cc->epoch_valid = false;
	cc->credit = 0;
}

/* RFC 5681 3.1: one segment per window. */
static uint32_t reno_grow(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss, uint32_t acked)
{
	cc->credit += acked;
	if (cc->credit < cwnd)
		return cwnd;
	cc->credit -= cwnd;
	return cwnd + mss;
}

/* RFC 9438 4.3: alpha is 3 (1 - beta) / (1 + beta) = 9/17, and 1 above the window of the loss. */
static void estimate_reno(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss, uint32_t acked)
{
	uint64_t add = (uint64_t)acked * mss;

	cc->est_credit += cc->w_est < cc->cwnd_prior ? add * 9 / 17 : add;
	cc->w_est += (uint32_t)(cc->est_credit / cwnd);
	cc->est_credit %= cwnd;
	cc->w_est = MIN(cc->w_est, (uint32_t)WINDOW_MAX);
}

static void start_epoch(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss, nsec_t now)
{
	cc->epoch_valid = true;
	cc->epoch = now;
	cc->w_est = cwnd;
	cc->est_credit = cc->credit = 0;
	cc->w_origin = MAX(cc->w_max, cwnd);
	cc->k_ms = tcp_cube_root((uint64_t)(cc->w_origin - cwnd) * 2500000000ull / mss);
}

/* The curve at t_ms after the epoch. */
static uint32_t cubic_window(const struct tcp_cc *cc, uint32_t mss, int64_t t_ms)
{
	int64_t d = t_ms - cc->k_ms;
	bool below = d < 0;
	uint64_t u = (uint64_t)(below ? -d : d), off;

	u = MIN(u, (uint64_t)DISTANCE_MAX_MS);
	off = u * u * u / 1000000 * 4 * mss / 10000;
	off = MIN(off, (uint64_t)WINDOW_MAX);
	if (below)
		return off >= cc->w_origin ? mss : cc->w_origin - (uint32_t)off;
	return (uint32_t)MIN(cc->w_origin + off, (uint64_t)WINDOW_MAX);
}

uint32_t tcp_cc_grow(struct tcp_cc *cc, uint32_t cwnd, uint32_t mss, uint32_t acked,
		     uint32_t rtt_us, nsec_t now)
{
	uint32_t target, add;
	int64_t t_ms;

	if (cc->reno)
		return reno_grow(cc, cwnd, mss, acked);
	if (!cc->epoch_valid)
		start_epoch(cc, cwnd, mss, now);
	estimate_reno(cc, cwnd, mss, acked);
	t_ms = (now - cc->epoch) / NSEC_PER_MSEC;
	if (cubic_window(cc, mss, t_ms) < cc->w_est)
		return MAX(cwnd, cc->w_est);
	target = cubic_window(cc, mss, t_ms + rtt_us / 1000);
	target = MIN(target, cwnd + cwnd / 2);
	if (target <= cwnd)
		return cwnd;
	cc->credit += (uint64_t)(target - cwnd) * acked;
	add = (uint32_t)(cc->credit / cwnd);
	cc->credit %= cwnd;
	return cwnd + add;
}
