// sources: kernel/net/tcp/ack.c kernel/net/tcp/cc.c kernel/net/tcp/conn.c kernel/net/tcp/direct.c kernel/net/tcp/info.c kernel/net/tcp/input.c kernel/net/tcp/listen.c kernel/net/tcp/output.c kernel/net/tcp/receive.c kernel/net/tcp/recovery.c kernel/net/tcp/rtt.c kernel/net/tcp/runs.c kernel/net/tcp/timer.c kernel/net/tcp/timewait.c kernel/net/tcp/segment.c kernel/net/checksum.c kernel/lib/siphash.c
/* How long recovery takes: round trips after one loss, a burst, a lost tail; throughput; undo. */
#include "tcp_sim.h"

#define RTT (20 * MS)

static struct sim *sim_sender(uint64_t bytes)
{
	struct sim *m = sim_new(7);

	m->e[0].to_send = bytes;
	m->e[0].close_when_done = true;
	if (getenv("SIM_TRACE"))
		m->trace = stderr;
	return m;
}

/* How long the transfer took; fails when it did not end. */
static nsec_t finish(struct sim *m)
{
	nsec_t start = m->now;

	sim_connect(m);
	assert_true(sim_run(m, 1000 * NSEC_PER_SEC));
	return m->now - start;
}

static nsec_t time_of(uint64_t bytes, uint32_t drop_nth, uint32_t drop_count, bool sack)
{
	struct sim *m = sim_sender(bytes);
	nsec_t t;

	m->e[0].cfg.sack = sack;
	m->l[0].drop_nth = drop_nth;
	m->l[0].drop_count = drop_count - 1;
	t = finish(m);
	if (drop_nth)
		assert_int_equal(m->l[0].lost, drop_count);
	else
		assert_int_equal(m->e[0].c.n.retrans, 0);
	sim_free(m);
	return t;
}

static void assert_within(nsec_t t, nsec_t limit, const char *what)
{
	if (t > limit)
		print_message("%s: %lld ms, limit %lld ms\n", what, (long long)(t / MS),
			      (long long)(limit / MS));
	assert_true(t <= limit);
}

/* 10, 20, 40, 80, 160 segments, then the receiver's 256 KiB: 847 in eight round trips. */
static void slow_start_doubles(void **state)
{
	(void)state;
	assert_within(time_of(1000000, 0, 0, true), 10 * RTT, "1 MB");
	assert_within(time_of(10 * 1448, 0, 0, true), RTT + RTT / 2 + MS, "10 segments");
}

static void one_loss_costs_two_round_trips(void **state)
{
	nsec_t clean = time_of(1000000, 0, 0, true);

	(void)state;
	assert_within(time_of(1000000, 20, 1, true), clean + 20 * RTT, "early loss");
	assert_within(time_of(1000000, 300, 1, true), clean + 2 * RTT + MS, "late loss");
	assert_within(time_of(1000000, 300, 1, false), clean + 3 * RTT + MS, "late loss, no SACK");
}

static void burst_is_repaired_in_few_round_trips(void **state)
{
	nsec_t clean = time_of(1000000, 0, 0, true);

	(void)state;
	assert_within(time_of(1000000, 300, 60, true), clean + 5 * RTT, "60 of a window");
	assert_within(time_of(1000000, 300, 3, false), clean + 6 * RTT, "3, without SACK");
}

/* RFC 8985 7: the probe after two round trips finds the loss, not the time-out. */
static void lost_tail_is_probed(void **state)
{
	nsec_t clean = time_of(60 * 1460, 0, 0, true);

	(void)state;
	assert_within(time_of(60 * 1460, 60, 1, true), clean + 2 * RTT + RTT, "the last one");
	assert_within(time_of(60 * 1460, 56, 5, true), clean + 4 * RTT, "the last five");
}

static void lost_retransmission_is_found_without_timeout(void **state)
{
	struct sim *m = sim_sender(1000000);
	nsec_t once = time_of(1000000, 61, 1, true);

	(void)state;
	m->l[0].kill_seq = m->e[0].cfg.iss + 1 + 60 * 1448;
	m->l[0].kills = 2;
	sim_connect(m);
	while (m->l[0].kills)
		assert_true(sim_step(m));
	assert_true(sim_run(m, 100 * NSEC_PER_SEC));
	assert_within(m->now - NSEC_PER_SEC, once + 4 * RTT, "retransmission lost");
	sim_free(m);
}

/* What waited at the receiver for a hole to be filled says nothing of the round trip. */
static void round_trip_is_not_the_repair(void **state)
{
	(void)state;
	for (int sack = 0; sack < 2; sack++) {
		struct sim *m = sim_sender(1000000);

		m->e[0].cfg.timestamps = false;
		m->e[0].cfg.sack = sack;
		m->l[0].kill_seq = m->e[0].cfg.iss + 1 + 300 * 1460;
		m->l[0].kills = 3;
		sim_connect(m);
		assert_true(sim_run(m, 100 * NSEC_PER_SEC));
		assert_true(m->now > NSEC_PER_SEC + 500 * MS);
		assert_true(m->e[0].c.rtt.srtt_us >> 3 < 30000);
		sim_free(m);
	}
}

static uint64_t rate_over(struct sim *m)
{
	return (uint64_t)(m->e[0].to_send * NSEC_PER_SEC / (uint64_t)finish(m));
}

static void link_is_filled(void **state)
{
	(void)state;
	for (int reno = 0; reno < 2; reno++) {
		struct sim *m = sim_sender(8000000);
		uint64_t rate;

		m->e[0].cfg.reno = reno;
		m->l[0].bytes_per_sec = 2500000; /* 50 kB in flight */
		m->l[0].queue_bytes = 50000;
		rate = rate_over(m);
		if (rate < 2100000)
			print_message("%s: %llu\n", reno ? "reno" : "cubic", (unsigned long long)rate);
		assert_true(rate >= 2100000); /* 96.5% of 2.5 MB/s is payload */
		assert_true(m->l[0].lost > 0);
		assert_int_equal(m->e[0].c.n.retrans < m->l[0].lost * 2, true);
		sim_free(m);
	}
}

/* Mathis: MSS / RTT * sqrt(3/2 / p) is 890 kB/s; CUBIC does at least as well. */
static void throughput_under_random_loss(void **state)
{
	(void)state;
	for (int k = 0; k < 4; k++) {
		struct sim *m = sim_sender(4000000);
		uint64_t rate;

		m->e[0].cfg.reno = k & 1;
		m->l[0].loss = 100;
		m->rng += (uint64_t)k * 99991;
		rate = rate_over(m);
		if (rate < 500000 || rate > 3000000)
			print_message("%s: %llu\n", k & 1 ? "reno" : "cubic", (unsigned long long)rate);
		assert_true(rate >= 500000 && rate <= 3000000);
		sim_free(m);
	}
}

static void ecn_avoids_losses(void **state)
{
	struct sim *m = sim_sender(8000000);
	uint64_t rate;

	(void)state;
	m->e[0].cfg.ecn = m->e[1].cfg.ecn = true;
	m->l[0].bytes_per_sec = 2500000;
	m->l[0].queue_bytes = 400000;
	m->l[0].ecn = true;
	rate = rate_over(m);
	assert_true(rate >= 2100000);
	assert_true(m->l[0].ce > 0);
	assert_int_equal(m->e[0].c.n.retrans, 0);
	assert_true(m->e[0].c.n.delivered_ce > 0);
	sim_free(m);
}

/* RFC 8985: without a hole that stays, packets that overtake are no losses. */
static void reordering_is_learned(void **state)
{
	struct sim *m = sim_sender(4000000);
	uint64_t rate;

	(void)state;
	m->l[0].jitter = 4 * MS;
	rate = rate_over(m);
	assert_true(m->e[0].c.reordering);
	if (rate < 2000000 || m->e[0].c.n.retrans > 300)
		print_message("rate %llu, retransmitted %u\n", (unsigned long long)rate,
			      m->e[0].c.n.retrans);
	assert_true(rate >= 2000000);
	assert_true(m->e[0].c.n.retrans < 300);
	sim_free(m);
}

/* The path stops for 600 ms and delivers everything then: Eifel, RFC 3522. */
static void spurious_timeout_is_undone(void **state)
{
	struct sim *m = sim_sender(3000000);
	uint32_t cwnd;

	(void)state;
	sim_connect(m);
	sim_run(m, 200 * MS);
	cwnd = m->e[0].c.cwnd;
	assert_int_equal(m->e[0].c.ca, TCP_CA_Open);
	for (unsigned i = 0; i < m->l[0].n; i++)
		m->l[0].heap[i].at += 600 * MS;
	m->l[0].delay += 600 * MS;
	sim_run(m, 300 * MS);
	m->l[0].delay -= 600 * MS;
	assert_int_equal(m->e[0].c.ca, TCP_CA_Loss);
	sim_run(m, 500 * MS);
	assert_true(m->e[0].c.ca < TCP_CA_Recovery);
	assert_true(m->e[0].c.cwnd >= cwnd);
	assert_true(sim_run(m, 100 * NSEC_PER_SEC));
	sim_free(m);
}

static void blackout_is_survived(void **state)
{
	struct sim *m = sim_sender(2000000);

	(void)state;
	m->l[0].black_from = m->l[1].black_from = m->now + 150 * MS;
	m->l[0].black_to = m->l[1].black_to = m->now + 20 * NSEC_PER_SEC;
	sim_connect(m);
	assert_true(sim_run(m, 60 * NSEC_PER_SEC));
	/* Backed off 0.2, 0.4 … 12.8 s: the next try is at most 13 s after the end. */
	assert_within(m->now, 21 * NSEC_PER_SEC + 14 * NSEC_PER_SEC, "after 20 s of silence");
	sim_free(m);
}

static void dead_peer_times_out(void **state)
{
	struct sim *m = sim_sender(2000000);

	(void)state;
	m->l[0].black_from = m->now + 150 * MS;
	m->l[0].black_to = NSEC_MAX;
	sim_connect(m);
	assert_false(sim_run(m, 3000 * NSEC_PER_SEC));
	assert_int_equal(m->e[0].c.state, TCP_CLOSE);
	assert_int_equal(m->e[0].c.error, 110); /* ETIMEDOUT */
	/* tcp(7): tcp_retries2 of 15 is 924.6 s at least. */
	assert_true(m->e[0].c.n.segs_out < 1000);
	sim_free(m);
}

/* A receiver that stops reading: zero window, probes, and the transfer goes on. */
static void zero_window_is_probed(void **state)
{
	struct sim *m = sim_sender(1000000);

	(void)state;
	m->e[1].rcvbuf = m->e[1].cfg.recv_space = 30000;
	m->e[1].read_stall_to = m->now + 30 * NSEC_PER_SEC;
	sim_connect(m);
	sim_run(m, 25 * NSEC_PER_SEC);
	assert_int_equal(m->e[0].c.snd_wnd, 0);
	assert_int_equal(m->e[0].c.rexmit, TCP_REXMIT_PERSIST);
	assert_int_equal(m->e[0].c.n.retrans, 0);
	/* The update is lost: only a probe finds the window open. */
	m->l[1].black_from = m->now;
	m->l[1].black_to = m->now + 7 * NSEC_PER_SEC;
	assert_true(sim_run(m, 100 * NSEC_PER_SEC));
	assert_within(m->now, 80 * NSEC_PER_SEC, "zero window");
	sim_free(m);
}

static void path_mtu_shrinks(void **state)
{
	struct sim *m = sim_sender(1000000);
	uint32_t cwnd;

	(void)state;
	sim_connect(m);
	sim_run(m, 100 * MS);
	cwnd = m->e[0].c.cwnd;
	while (m->l[0].n) /* all in flight is too long */
		free(sim_pop(&m->l[0]).data);
	tcp_set_path_mss(&m->e[0].c, 1000, m->now);
	sim_pump(m, 0);
	assert_true(m->e[0].c.cwnd >= cwnd);
	assert_int_equal(m->e[0].c.mss, 988);
	assert_true(sim_run(m, NSEC_PER_SEC));
	sim_free(m);
}

/* Each number lies before the next, modulo 2^32, and the last before the first. */
static void sack_that_goes_round_is_refused(void **state)
{
	struct tcp_delivery d = { 0 };
	struct tcp_runs r;

	(void)state;
	tcp_runs_init(&r, 0);
	tcp_runs_append(&r, 100, 1, 0);
	assert_false(tcp_runs_sack(&r, 0x7fffff00, 0xf0000000, &d));
	assert_false(tcp_runs_sack(&r, 0xfffffff0, 50, &d));
	assert_false(tcp_runs_sack(&r, 50, 101, &d));
	assert_false(tcp_runs_sack(&r, 50, 50, &d));
	assert_true(tcp_runs_sack(&r, 50, 100, &d));
	assert_int_equal(r.sacked, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sack_that_goes_round_is_refused),
		cmocka_unit_test(slow_start_doubles),
		cmocka_unit_test(one_loss_costs_two_round_trips),
		cmocka_unit_test(burst_is_repaired_in_few_round_trips),
		cmocka_unit_test(lost_tail_is_probed),
		cmocka_unit_test(lost_retransmission_is_found_without_timeout),
		cmocka_unit_test(round_trip_is_not_the_repair),
		cmocka_unit_test(link_is_filled),
		cmocka_unit_test(throughput_under_random_loss),
		cmocka_unit_test(ecn_avoids_losses),
		cmocka_unit_test(reordering_is_learned),
		cmocka_unit_test(spurious_timeout_is_undone),
		cmocka_unit_test(blackout_is_survived),
		cmocka_unit_test(dead_peer_times_out),
		cmocka_unit_test(zero_window_is_probed),
		cmocka_unit_test(path_mtu_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
