// sources: kernel/net/tcp/ack.c kernel/net/tcp/cc.c kernel/net/tcp/conn.c kernel/net/tcp/direct.c kernel/net/tcp/info.c kernel/net/tcp/input.c kernel/net/tcp/listen.c kernel/net/tcp/output.c kernel/net/tcp/receive.c kernel/net/tcp/recovery.c kernel/net/tcp/rtt.c kernel/net/tcp/runs.c kernel/net/tcp/timer.c kernel/net/tcp/timewait.c kernel/net/tcp/segment.c kernel/net/checksum.c kernel/lib/siphash.c
/* Two machines over a simulated network: every byte compared, and how long recovery takes. */
#include "tcp_sim.h"

static void transfer_clean(void **state)
{
	struct sim *m = sim_new(1);

	(void)state;
	m->e[0].to_send = 1000000;
	m->e[1].to_send = 300000;
	sim_connect(m);
	assert_true(sim_run(m, 60 * NSEC_PER_SEC));
	assert_int_equal(m->e[0].c.n.retrans, 0);
	assert_int_equal(m->e[1].c.n.retrans, 0);
	sim_free(m);
}

static uint64_t went_direct;

static void run_random(uint64_t seed, bool direct)
{
	struct sim *m = sim_new(seed);
	bool ok;

	for (int i = 0; i < 2; i++) {
		struct sim_link *l = &m->l[i];
		struct sim_end *e = &m->e[i];

		l->delay = (nsec_t)(sim_random(m) % 50000 + 10) * US;
		l->jitter = sim_random(m) % 3 ? 0 : l->delay / 2;
		l->loss = sim_random(m) % 4 ? sim_random(m) % 300 : sim_random(m) % 2000;
		l->corrupt = sim_random(m) % 3 ? 0 : sim_random(m) % 300;
		l->dup = sim_random(m) % 3 ? 0 : sim_random(m) % 500;
		l->bytes_per_sec = sim_random(m) % 2 ? 0 : sim_random(m) % 10000000 + 50000;
		l->queue_bytes = sim_random(m) % 2 ? 0 : 20000 + sim_random(m) % 100000;
		l->ecn = sim_random(m) % 2;
		e->to_send = sim_random(m) % 3 ? sim_random(m) % 120000 : sim_random(m) % 3000;
		e->sndbuf = 2000 + sim_random(m) % 200000;
		e->rcvbuf = sim_random(m) % 3 ? SIM_RECV : 3000 + sim_random(m) % 30000;
		e->read_max = sim_random(m) % 4 ? 0 : 500 + sim_random(m) % 3000;
		e->read_stall_to = sim_random(m) % 4 ? 0 : sim_random(m) % 5000 * MS;
		e->cfg.iss = sim_random(m) % 2 ? sim_random(m) : 0xffffffffu - sim_random(m) % 100000;
		e->cfg.sack = sim_random(m) % 4;
		e->cfg.timestamps = sim_random(m) % 4;
		e->cfg.wscale = sim_random(m) % 4;
		e->cfg.ecn = sim_random(m) % 2;
		e->cfg.reno = sim_random(m) % 3 == 0;
		e->cfg.mss = e->cfg.path_mss = (uint16_t)(sim_random(m) % 3 ? 1460 : 100 + sim_random(m) % 9000);
		e->cfg.recv_space = e->rcvbuf;
		e->close_when_done = true;
	}
	m->gro = sim_random(m) % 2 ? 0 : 65000;
	if (direct)
		m->direct = 1000 + sim_random(m) % 9001;
	if (getenv("SIM_TRACE"))
		m->trace = stderr;
	if (getenv("SIM_VERBOSE"))
		print_message("seed %llu\n", (unsigned long long)seed);
	sim_connect(m);
	ok = sim_run(m, 3000 * NSEC_PER_SEC);
	if (!ok)
		print_message("seed %llu: %llu of %llu, %llu of %llu at %lld ms, states %d %d error %d %d\n",
			      (unsigned long long)seed, (unsigned long long)m->e[1].received,
			      (unsigned long long)m->e[0].to_send,
			      (unsigned long long)m->e[0].received,
			      (unsigned long long)m->e[1].to_send, (long long)(m->now / MS),
			      m->e[0].c.state, m->e[1].c.state, m->e[0].c.error, m->e[1].c.error);
	assert_true(ok);
	/* The closing: both see the end, and one or both wait. */
	for (int i = 0; i < 2000 && !(m->e[0].eof && m->e[1].eof); i++)
		if (!sim_step(m))
			break;
	if (!(m->e[0].eof && m->e[1].eof))
		print_message("seed %llu: no end\n", (unsigned long long)seed);
	assert_true(m->e[0].eof && m->e[1].eof);
	went_direct += m->went_direct;
	sim_free(m);
}

static void transfer_random(void **state)
{
	const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");

	(void)state;
	if (one) {
		run_random(strtoull(one, NULL, 0), false);
		return;
	}
	for (uint64_t seed = 1; seed <= (many ? strtoull(many, NULL, 0) : 1500); seed++)
		run_random(seed, false);
}

/* Bytes that go straight among segments that are lost, late, doubled: what is still on its way was
 * overtaken. */
static void transfer_direct(void **state)
{
	const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");

	(void)state;
	if (one) {
		run_random(strtoull(one, NULL, 0), true);
		return;
	}
	for (uint64_t seed = 1; seed <= (many ? strtoull(many, NULL, 0) : 1500); seed++)
		run_random(seed, true);
	print_message("%llu bytes went straight\n", (unsigned long long)went_direct);
	assert_true(went_direct > 1000000);
}

/* Without a network in between nothing waits, and the counts are those of segments. */
static void direct_counts(void **state)
{
	struct sim *m = sim_new(1);
	struct tcp_conn *a = &m->e[0].c, *b = &m->e[1].c;
	nsec_t start;

	(void)state;
	sim_connect(m);
	while (!m->e[1].start || a->snd_una != a->snd_nxt || b->state != TCP_ESTABLISHED)
		assert_true(sim_step(m));
	start = m->now;
	assert_int_equal(tcp_send(a, 5000, false), 0);
	assert_true(tcp_direct_ready(a, b));
	assert_true(tcp_direct_room(b) >= 5000);
	tcp_direct(a, b, 5000, m->now);
	assert_int_equal(a->n.bytes_sent, 5000);
	assert_int_equal(a->n.bytes_acked, 5000);
	assert_int_equal(b->n.bytes_received, 5000);
	assert_int_equal(a->n.data_segs_out, 4);
	assert_int_equal(b->n.data_segs_in, 4);
	assert_int_equal(a->n.retrans, 0);
	assert_int_equal(tcp_unsent(a), 0);
	assert_int_equal(tcp_take_events(a), TCP_EV_ACKED);
	assert_int_equal(tcp_take_events(b), TCP_EV_READABLE);
	assert_int_equal(m->now, start);
	/* urgent data, a FIN and what was closed take the ordinary way */
	assert_int_equal(tcp_send(a, 1, true), 0);
	assert_false(tcp_direct_ready(a, b));
	assert_true(tcp_direct_ready(b, a));
	tcp_shutdown(b, m->now);
	assert_false(tcp_direct_ready(b, a));
	sim_free(m);
}

/* What is kept of a stream is what is not acknowledged, however long the stream is. */
static void head_of_a_long_stream(void **state)
{
	struct sim *m = sim_new(1);
	struct tcp_conn *a = &m->e[0].c, *b = &m->e[1].c;

	(void)state;
	sim_connect(m);
	assert_int_equal(tcp_send_head(a), a->iss + 1);
	while (!m->e[1].start || a->snd_una != a->snd_nxt || b->state != TCP_ESTABLISHED)
		assert_true(sim_step(m));
	for (uint64_t sent = 0; sent < 5ull << 30; sent += 1 << 20) {
		assert_int_equal(tcp_send(a, 1 << 20, false), 0);
		assert_int_equal(tcp_send_head(a), a->snd_una);
		tcp_direct(a, b, 1 << 20, m->now);
	}
	sim_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfer_clean),
		cmocka_unit_test(transfer_random),
		cmocka_unit_test(transfer_direct),
		cmocka_unit_test(direct_counts),
		cmocka_unit_test(head_of_a_long_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
