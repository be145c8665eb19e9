/*
 * The scoreboard of a sender. See runs.h. The array is short and changes at its ends: appended to
 * by sending, trimmed by cumulative acknowledgements; only SACKs and retransmissions split runs.
 */
#include "net/tcp/runs.h"

#include "lib/string.h"
#include "net/tcp/seq.h"

void tcp_runs_init(struct tcp_runs *r, uint32_t start)
{
	r->end = r->fack = start;
	r->sacked = r->lost = r->n = 0;
}

static void run_delete(struct tcp_runs *r, uint32_t i, uint32_t count)
{
	memmove(&r->run[i], &r->run[i + count], (r->n - i - count) * sizeof(r->run[0]));
	r->n -= count;
}

/* Takes run i+1 into run i; the later time is the safer one: nothing is lost too early. */
static void run_merge(struct tcp_runs *r, uint32_t i)
{
	r->run[i].sent_us = seq_max(r->run[i].sent_us, r->run[i + 1].sent_us);
	run_delete(r, i + 1, 1);
}

static bool runs_are_alike(const struct tcp_runs *r, uint32_t i, uint32_t quantum_us)
{
	const struct tcp_run *a = &r->run[i], *b = a + 1;

	if (i + 1 >= r->n || a->flags != b->flags)
		return false;
	return a->flags & TCP_RUN_SACKED || b->sent_us - a->sent_us <= quantum_us ||
	       a->sent_us - b->sent_us <= quantum_us;
}

static uint32_t time_apart(const struct tcp_run *a)
{
	int32_t d = (int32_t)(a[1].sent_us - a[0].sent_us);

	return d < 0 ? -(uint32_t)d : (uint32_t)d;
}

/* Room for `count` more, by merging the neighbours that differ least. */
static bool make_room(struct tcp_runs *r, uint32_t count)
{
	while (r->n + count > TCP_RUNS) {
		uint32_t best = TCP_RUNS, best_us = 0;

		for (uint32_t i = 0; i + 1 < r->n; i++) {
			uint32_t us = time_apart(&r->run[i]);

			if (r->run[i].flags == r->run[i + 1].flags &&
			    (best == TCP_RUNS || us < best_us)) {
				best = i;
				best_us = us;
			}
		}
		if (best == TCP_RUNS)
			return false;
		run_merge(r, best);
	}
	return true;
}

/* The run that holds seq, which is in flight. */
static uint32_t run_find(const struct tcp_runs *r, uint32_t seq)
{
	uint32_t i = r->n - 1;

	while (seq_lt(seq, r->run[i].start))
		i--;
	return i;
}

/* Makes seq the start of a run, whose index it returns; room for one more was made. */
static uint32_t run_split(struct tcp_runs *r, uint32_t seq)
{
	uint32_t i = run_find(r, seq);

	if (r->run[i].start == seq)
		return i;
	memmove(&r->run[i + 1], &r->run[i], (r->n - i) * sizeof(r->run[0]));
	r->n++;
	r->run[i + 1].start = seq;
	return i + 1;
}

void tcp_runs_append(struct tcp_runs *r, uint32_t len, uint32_t now_us, uint32_t quantum_us)
{
	struct tcp_run *last = r->n ? &r->run[r->n - 1] : NULL;

	if (last && last->flags == 0 && now_us - last->sent_us <= quantum_us) {
		last->sent_us = now_us;
	} else if (make_room(r, 1)) {
		r->run[r->n++] = (struct tcp_run){ r->end, now_us, 0 };
	} else { /* every neighbour differs: it shares the fate of the last */
		last->sent_us = now_us;
		r->sacked += last->flags & TCP_RUN_SACKED ? len : 0;
		r->lost += last->flags & TCP_RUN_LOST ? len : 0;
	}
	r->end += len;
}

static bool sent_after(uint32_t t1, uint32_t end1, uint32_t t2, uint32_t end2)
{
	return seq_gt(t1, t2) || (t1 == t2 && seq_gt(end1, end2));
}

/* Does it answer what was sent before it was sent again, `age_us` ago? It comes too soon, or says
 * so by a timestamp (of milliseconds). RFC 8985 6.2 step 2. */
static bool acknowledges_original(const struct tcp_delivery *d, uint32_t age_us)
{
	return age_us < d->min_rtt_us || d->echo_age_us > age_us + 1000;
}

/* Run i has arrived up to `end`. */
static void deliver(const struct tcp_runs *r, uint32_t i, uint32_t end, struct tcp_delivery *d)
{
	const struct tcp_run *run = &r->run[i];
	bool retrans = run->flags & TCP_RUN_RETRANS;

	if (run->flags & TCP_RUN_SACKED)
		return;
	d->bytes += end - run->start;
	if (retrans)
		d->was_retrans = true;
	else if (seq_lt(end, r->fack))
		d->reordered = true;
	d->fack = seq_max(d->fack, end);
	if (retrans && acknowledges_original(d, d->now_us - run->sent_us))
		return;
	if (!d->any || sent_after(run->sent_us, end, d->sent_us, d->end)) {
		d->any = true;
		d->sent_us = run->sent_us;
		d->end = end;
	}
	if (!retrans && end == tcp_run_end(r, i) &&
	    (!d->has_rtt || seq_gt(run->sent_us, d->rtt_sent_us))) {
		d->has_rtt = true;
		d->rtt_sent_us = run->sent_us;
	}
}

static void count_out(struct tcp_runs *r, uint32_t flags, uint32_t bytes)
{
	r->sacked -= flags & TCP_RUN_SACKED ? bytes : 0;
	r->lost -= flags & TCP_RUN_LOST ? bytes : 0;
}

void tcp_runs_ack(struct tcp_runs *r, uint32_t una, struct tcp_delivery *d)
{
	uint32_t i = 0;

	for (; i < r->n && seq_lt(r->run[i].start, una); i++) {
		uint32_t end = seq_min(tcp_run_end(r, i), una);

		deliver(r, i, end, d);
		count_out(r, r->run[i].flags, end - r->run[i].start);
		if (end != tcp_run_end(r, i)) {
			r->run[i].start = una;
			break;
		}
	}
	if (i)
		run_delete(r, 0, i);
}

bool tcp_runs_sack(struct tcp_runs *r, uint32_t start, uint32_t end, struct tcp_delivery *d)
{
	uint32_t una = tcp_runs_start(r), i, first;

	/* As distances from una: of three numbers that a stranger chose, each may come before the
	 * next, round in a circle. */
	if (!r->n || end - una > r->end - una || start - una >= end - una)
		return false;
	i = run_find(r, start);
	if (r->run[i].flags & TCP_RUN_SACKED && seq_leq(end, tcp_run_end(r, i)))
		return true; /* the usual repetition */
	if (!make_room(r, 2))
		return false;
	if (end != r->end)
		run_split(r, end);
	first = run_split(r, start);
	for (i = first; i < r->n && seq_lt(r->run[i].start, end); i++) {
		struct tcp_run *run = &r->run[i];
		uint32_t len = tcp_run_end(r, i) - run->start;

		deliver(r, i, tcp_run_end(r, i), d);
		count_out(r, run->flags, len);
		run->flags = TCP_RUN_SACKED;
		r->sacked += len;
	}
	while (first > 0 && runs_are_alike(r, first - 1, 0))
		run_merge(r, --first);
	while (runs_are_alike(r, first, 0))
		run_merge(r, first);
	return true;
}

void tcp_runs_delivered(struct tcp_runs *r, const struct tcp_delivery *d)
{
	if (d->bytes)
		r->fack = seq_max(r->fack, d->fack);
	r->fack = seq_max(r->fack, tcp_runs_start(r));
}

bool tcp_runs_detect_lost(struct tcp_runs *r, const struct tcp_delivery *last, uint32_t rtt_us,
			  uint32_t reo_us, uint32_t now_us, uint32_t *wait_us)
{
	bool marked = false;

	*wait_us = 0;
	for (uint32_t i = 0; i < r->n; i++) {
		struct tcp_run *run = &r->run[i];
		uint32_t end = tcp_run_end(r, i), age = now_us - run->sent_us;

		if (run->flags & (TCP_RUN_SACKED | TCP_RUN_LOST) ||
		    !sent_after(last->sent_us, last->end, run->sent_us, end))
			continue;
		if (age >= rtt_us + reo_us) {
			run->flags |= TCP_RUN_LOST;
			r->lost += end - run->start;
			marked = true;
		} else {
			*wait_us = MAX(*wait_us, rtt_us + reo_us - age);
		}
	}
	return marked;
}

void tcp_runs_lose_all(struct tcp_runs *r, bool forget)
{
	for (uint32_t i = 0; i < r->n; i++) {
		struct tcp_run *run = &r->run[i];

		if (forget)
			run->flags &= ~(uint32_t)TCP_RUN_SACKED;
		if (!(run->flags & TCP_RUN_SACKED))
			run->flags |= TCP_RUN_LOST;
	}
	if (forget)
		r->sacked = 0;
	r->lost = r->end - tcp_runs_start(r) - r->sacked;
}

void tcp_runs_lose_head(struct tcp_runs *r, uint32_t len)
{
	uint32_t end;

	if (!r->n || r->run[0].flags & (TCP_RUN_SACKED | TCP_RUN_LOST))
		return;
	end = r->run[0].start + len;
	if (seq_lt(end, tcp_run_end(r, 0)) && make_room(r, 1))
		run_split(r, end);
	r->run[0].flags |= TCP_RUN_LOST;
	r->lost += tcp_run_end(r, 0) - r->run[0].start;
}

void tcp_runs_unlose(struct tcp_runs *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		r->run[i].flags &= ~(uint32_t)TCP_RUN_LOST;
	r->lost = 0;
}

bool tcp_runs_first_lost(const struct tcp_runs *r, uint32_t *start, uint32_t *end)
{
	for (uint32_t i = 0; r->lost && i < r->n; i++) {
		if (!(r->run[i].flags & TCP_RUN_LOST))
			continue;
		*start = r->run[i].start;
		while (i + 1 < r->n && r->run[i + 1].flags & TCP_RUN_LOST)
			i++;
		*end = tcp_run_end(r, i);
		return true;
	}
	return false;
}

/*
 * Where the array has no room for the split, the whole run counts as sent again: what was not is
 * found missing later, by time.
 */
void tcp_runs_retransmitted(struct tcp_runs *r, uint32_t start, uint32_t len, uint32_t now_us,
			    uint32_t quantum_us)
{
	uint32_t end = start + len, first, i;

	if (make_room(r, 2)) {
		if (end != r->end)
			run_split(r, end);
		first = run_split(r, start);
	} else {
		first = run_find(r, start);
	}
	for (i = first; i < r->n && seq_lt(r->run[i].start, end); i++) {
		count_out(r, r->run[i].flags, tcp_run_end(r, i) - r->run[i].start);
		r->run[i].flags = TCP_RUN_RETRANS;
		r->run[i].sent_us = now_us;
	}
	while (runs_are_alike(r, first, 0))
		run_merge(r, first);
	if (first > 0 && runs_are_alike(r, first - 1, quantum_us))
		run_merge(r, first - 1);
}
