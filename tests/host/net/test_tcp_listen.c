// sources: kernel/net/tcp/ack.c kernel/net/tcp/cc.c kernel/net/tcp/conn.c kernel/net/tcp/direct.c kernel/net/tcp/info.c kernel/net/tcp/input.c kernel/net/tcp/listen.c kernel/net/tcp/output.c kernel/net/tcp/receive.c kernel/net/tcp/recovery.c kernel/net/tcp/rtt.c kernel/net/tcp/runs.c kernel/net/tcp/timer.c kernel/net/tcp/timewait.c kernel/net/tcp/segment.c kernel/net/checksum.c kernel/lib/siphash.c
/* SYN cookies, initial sequence numbers, TCP_INFO, window scales, the cube root, give-up times. */
#include "tcp_sim.h"

#include "net/tcp/cc.h"
#include "net/tcp/tcp_priv.h"

static const struct siphash_key key = { { 0x1234, 0x5678 } };
static const char tuple[] = "10.0.0.1:80-10.0.0.2:4000";

static struct tcp_seg make_syn(uint8_t opts)
{
	return (struct tcp_seg){ .seq = 0xfffffff0, .flags = TCP_SYN | TCP_ECE | TCP_CWR, .opts = opts,
				 .mss = 1400, .wscale = 7, .tsval = 99, .window = 65535 };
}

/* What the SYN-ACK carries is enough to make the same request again. */
static void cookie_round_trip(void **state)
{
	enum { ALL = TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_OK | TCP_OPT_TS };

	(void)state;
	for (uint8_t opts = 0; opts < 16; opts++) {
		struct tcp_config cfg = sim_config(1);
		struct tcp_seg syn = make_syn(opts), synack, ack;
		struct tcp_req req, again;
		nsec_t now = 5000 * NSEC_PER_SEC;

		cfg.ecn = true;
		tcp_req_init(&req, &cfg, &syn, now);
		tcp_cookie_make(&req, &key, tuple, sizeof(tuple), now);
		tcp_req_synack(&req, now, &synack);
		ack = (struct tcp_seg){ .seq = syn.seq + 1, .ack = synack.seq + 1, .flags = TCP_ACK,
					.opts = synack.opts & TCP_OPT_TS, .tsval = 105, .tsecr = synack.tsval };
		assert_true(tcp_cookie_check(&again, &cfg, &key, tuple, sizeof(tuple), &ack, now + 60 * NSEC_PER_SEC));
		assert_int_equal(again.iss, req.iss);
		assert_int_equal(again.irs, req.irs);
		assert_int_equal(again.sack_ok, req.sack_ok);
		assert_int_equal(again.ws_ok, req.ws_ok);
		assert_int_equal(again.snd_wscale, req.snd_wscale);
		assert_int_equal(again.rcv_wscale, req.rcv_wscale);
		assert_int_equal(again.ecn_ok, req.ecn_ok);
		assert_int_equal(again.ts_ok, req.ts_ok);
		assert_int_equal(again.peer_mss, opts & TCP_OPT_MSS ? 1220 : 536);
		if (opts == ALL)
			assert_true(again.sack_ok && again.ws_ok && again.ecn_ok && again.snd_wscale == 7);
		/* Not another's, not guessed, not for ever. */
		assert_false(tcp_cookie_check(&again, &cfg, &key, "x", 2, &ack, now));
		assert_false(tcp_cookie_check(&again, &cfg, &key, tuple, sizeof(tuple), &ack, now + 240 * NSEC_PER_SEC));
		ack.ack++;
		assert_false(tcp_cookie_check(&again, &cfg, &key, tuple, sizeof(tuple), &ack, now));
	}
}

/* A connection made of a cookie works. */
static void cookie_connection(void **state)
{
	struct sim *m = sim_new(3);
	struct sim_end *b = &m->e[1];
	struct tcp_seg syn, synack, ack;
	struct tcp_store st;

	(void)state;
	tcp_open(&m->e[0].c, &m->e[0].cfg, m->now);
	assert_true(tcp_output(&m->e[0].c, m->now, &syn));
	tcp_req_init(&b->req, &b->cfg, &syn, m->now);
	tcp_cookie_make(&b->req, &key, tuple, sizeof(tuple), m->now);
	tcp_req_synack(&b->req, m->now, &synack);
	m->now += 10 * MS;
	tcp_input(&m->e[0].c, &synack, m->now, &st);
	assert_true(tcp_output(&m->e[0].c, m->now, &ack));
	assert_true(tcp_cookie_check(&b->req, &b->cfg, &key, tuple, sizeof(tuple), &ack, m->now));
	b->listening = true;
	tcp_accept(&b->c, &b->cfg, &b->req, m->now);
	b->cfg.iss = b->req.iss;
	m->e[0].start = m->e[0].read_seq = m->e[0].c.irs + 1;
	sim_deliver(m, 1, &ack, NULL);
	assert_int_equal(b->c.state, TCP_ESTABLISHED);
	m->e[0].to_send = b->to_send = 200000;
	sim_pump(m, 0);
	sim_pump(m, 1);
	assert_true(sim_run(m, 100 * NSEC_PER_SEC));
	sim_free(m);
}

static void info_is_true(void **state)
{
	struct sim *m = sim_new(5);
	struct abi_tcp_info i;

	(void)state;
	m->e[0].to_send = 500000;
	m->e[0].cfg.reno = true;
	m->l[0].drop_nth = 100;
	m->l[0].drop_count = 2;
	sim_connect(m);
	assert_true(sim_run(m, 100 * NSEC_PER_SEC));
	for (int k = 0; k < 50 && m->e[0].c.snd_una != m->e[0].c.snd_end; k++)
		assert_true(sim_step(m));
	tcp_info(&m->e[0].c, m->now, &i);
	assert_int_equal(i.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(i.tcpi_bytes_acked, 500000);
	assert_int_equal(i.tcpi_bytes_sent, 500000 + i.tcpi_bytes_retrans);
	assert_int_equal(i.tcpi_total_retrans, 3);
	assert_int_equal(i.tcpi_snd_mss, 1448);
	assert_int_equal(i.tcpi_unacked, 0);
	assert_int_equal(i.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	assert_int_equal(i.tcpi_wscales, 3 << 4 | 3);
	assert_int_equal(i.tcpi_segs_out, m->l[0].packets);
	assert_int_equal(i.tcpi_data_segs_out, m->l[0].data_packets);
	assert_true(i.tcpi_rtt >= 20000 && i.tcpi_rtt < 22000);
	assert_true(i.tcpi_min_rtt >= 20000 && i.tcpi_min_rtt < 20100);
	assert_true(i.tcpi_rto >= 220000 && i.tcpi_rto < 250000);
	assert_true(i.tcpi_snd_ssthresh < 1000 && i.tcpi_snd_cwnd >= i.tcpi_snd_ssthresh);
	tcp_info(&m->e[1].c, m->now, &i);
	assert_int_equal(i.tcpi_bytes_received, 500000);
	assert_int_equal(i.tcpi_snd_ssthresh, 0x7fffffff);
	assert_true(i.tcpi_rcv_ooopack > 0);
	sim_free(m);
}

/* After more than 2^31 bytes, and hours of silence, old marks do not seem to lie ahead. */
static void sequence_numbers_go_round(void **state)
{
	struct sim *m = sim_new(5);
	struct tcp_conn *c = &m->e[0].c;
	struct tcp_store st;
	struct tcp_seg s, out;

	(void)state;
	sim_connect(m);
	while (c->state != TCP_ESTABLISHED)
		assert_true(sim_step(m));
	s = (struct tcp_seg){ .seq = c->rcv_nxt, .ack = c->snd_nxt, .flags = TCP_ACK, .window = 60000,
			      .opts = TCP_OPT_TS, .tsval = c->ts_recent };
	for (int i = 0; i < 50000; i++) {
		s.len = 60000;
		tcp_input(c, &s, m->now, &st);
		assert_int_equal(st.len, 60000);
		tcp_recv_space(c, SIM_RECV, SIM_RECV);
		while (tcp_output(c, m->now, &out))
			;
		s.seq += s.len;
	}
	(void)tcp_take_events(c);
	s.flags |= TCP_URG;
	s.urgent = 10;
	s.len = 10;
	tcp_input(c, &s, m->now, &st);
	assert_true(tcp_take_events(c) & TCP_EV_URGENT);
	for (int i = 0; i < 3; i++) { /* the µs clock of the scoreboard is 71 minutes */
		m->now += 2400 * NSEC_PER_SEC;
		s = (struct tcp_seg){ .seq = c->rcv_nxt, .ack = c->snd_nxt + 100, .flags = TCP_ACK, .window = 60000 };
		assert_int_equal(tcp_send(c, 100, false), 0);
		assert_true(tcp_output(c, m->now, &out));
		m->now += 20 * MS;
		tcp_input(c, &s, m->now, &st);
		assert_true(c->rack.any && c->rack_rtt_us == 20000);
	}
	sim_free(m);
}

static void numbers(void **state)
{
	struct tcp_config a, b;

	(void)state;
	for (uint64_t x = 0; x < 2000000; x += 997) {
		assert_int_equal(tcp_cube_root(x * x * x), x);
		if (x)
			assert_int_equal(tcp_cube_root(x * x * x - 1), x - 1);
	}
	assert_int_equal(tcp_choose_wscale(65535), 0);
	assert_int_equal(tcp_choose_wscale(65536), 1);
	assert_int_equal(tcp_choose_wscale(6291456), 7); /* Linux's tcp_rmem */
	assert_int_equal(tcp_choose_wscale(UINT32_MAX), 14);
	/* tcp(7): "the default value of 15, … 13 to 30 minutes"; Linux counts 924.6 s */
	assert_true(tcp_give_up_after(15) == 924600 * NSEC_PER_MSEC);
	tcp_first_numbers(&a, &key, tuple, 5, 0);
	tcp_first_numbers(&b, &key, tuple, 5, 4000 * NSEC_PER_USEC);
	assert_int_equal(b.iss - a.iss, 1000);
	assert_int_equal(b.ts_offset, a.ts_offset);
	tcp_first_numbers(&b, &key, tuple, 4, 0);
	assert_int_not_equal(b.iss, a.iss);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookie_round_trip),
		cmocka_unit_test(cookie_connection),
		cmocka_unit_test(info_is_true),
		cmocka_unit_test(sequence_numbers_go_round),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
