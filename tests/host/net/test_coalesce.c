// sources: kernel/net/inet/tcp_coalesce.c
/* Segments of a batch: which become one, in what order they go on, and that none is lost or goes twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "net/inet/tcp_sock.h"
#include "net/netif.h"

unsigned host_cpu;
uint64_t host_counter, host_counter_step;
bool host_irqs_on;
uintptr_t percpu_offset[MAX_CPUS];

enum { MAX = 64, HEADER = 32, MSS = 100 };

static void (*end_of_batch)(void);
static struct {
	uint32_t seq, len;
	uint16_t port, pieces;
	uint8_t flags;
} out[MAX];
static unsigned nout, nfreed;
static uint8_t page[4096];

void net_on_batch_end(void (*fn)(void))
{
	end_of_batch = fn;
}

uint8_t *pkt_base(const struct pkt *p)
{
	return p->head ? page : (uint8_t *)(uintptr_t)p->room;
}

bool pkt_add_frag(struct pkt *p, struct page *pg, uint32_t offset, uint32_t bytes)
{
	if (p->nfrags == PKT_FRAGS)
		return false;
	p->frag[p->nfrags++] = (struct pkt_frag){ pg, offset, bytes };
	p->len += bytes;
	return true;
}

void pkt_free(struct pkt *p)
{
	assert_null(p->head); /* its page went on */
	nfreed++;
	free(p);
}

void tcps_input(struct pkt *p, const struct tcp_seg *s, const struct flow_key *key, uint32_t header)
{
	uint32_t bytes = p->linear - header;

	for (unsigned i = 0; i < p->nfrags; i++) {
		assert_int_equal(p->frag[i].offset, 64 + HEADER);
		bytes += p->frag[i].bytes;
	}
	assert_int_equal(bytes, s->len);
	assert_true(nout < MAX);
	out[nout].seq = s->seq;
	out[nout].len = s->len;
	out[nout].port = key->rport;
	out[nout].pieces = s->pieces;
	out[nout++].flags = s->flags;
	free(p);
}

/* What IP hands over: in a page, unless it is short. */
static void segment(uint16_t port, uint32_t seq, uint32_t len, uint8_t flags, uint32_t ack, bool in_page)
{
	struct tcp_seg s = { .seq = seq, .ack = ack, .len = len, .flags = flags, .opts = TCP_OPT_TS };
	struct flow_key key = { .lport = 80, .rport = port };
	struct pkt *p = calloc(1, sizeof(*p));

	p->head = in_page ? (struct page *)page : NULL;
	p->data = pkt_base(p) + 64;
	p->linear = p->len = HEADER + len;
	if (!tcps_coalesce(p, &s, &key, HEADER))
		tcps_input(p, &s, &key, HEADER);
}

static int setup(void **state)
{
	(void)state;
	nout = nfreed = 0;
	tcps_coalesce_init();
	return 0;
}

static void expect(unsigned i, uint16_t port, uint32_t seq, uint32_t len)
{
	assert_true(i < nout);
	assert_int_equal(out[i].port, port);
	assert_int_equal(out[i].seq, seq);
	assert_int_equal(out[i].len, len);
}

static void run_becomes_one(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		segment(1, i * MSS, MSS, TCP_ACK, 7, true);
	assert_int_equal(nout, 0);
	end_of_batch();
	assert_int_equal(nout, 1);
	expect(0, 1, 0, 5 * MSS);
	assert_int_equal(out[0].pieces, 5);
	assert_int_equal(nfreed, 4);
	end_of_batch();
	assert_int_equal(nout, 1);
}

static void push_ends_it(void **state)
{
	(void)state;
	segment(1, 0, MSS, TCP_ACK, 7, true);
	segment(1, MSS, MSS, TCP_ACK | TCP_PSH, 7, true);
	assert_int_equal(nout, 1);
	expect(0, 1, 0, 2 * MSS);
	assert_int_equal(out[0].flags, TCP_ACK | TCP_PSH);
	segment(1, 2 * MSS, MSS, TCP_ACK | TCP_PSH, 7, true); /* and does not begin one */
	expect(1, 1, 2 * MSS, MSS);
	end_of_batch();
	assert_int_equal(nout, 2);
}

static void nothing_is_overtaken(void **state)
{
	(void)state;
	segment(1, 0, MSS, TCP_ACK, 7, true);
	segment(1, 2 * MSS, MSS, TCP_ACK, 7, true);               /* a hole */
	segment(1, 3 * MSS, MSS, TCP_ACK, 8, true);               /* another acknowledgement */
	segment(1, 4 * MSS, MSS, TCP_ACK, 8, false);              /* not in a page */
	segment(1, 5 * MSS, 0, TCP_ACK, 8, true);                 /* no bytes */
	segment(1, 5 * MSS, MSS, TCP_ACK | TCP_FIN, 8, true);     /* the end */
	end_of_batch();
	assert_int_equal(nout, 6);
	expect(0, 1, 0, MSS);
	expect(1, 1, 2 * MSS, MSS);
	expect(2, 1, 3 * MSS, MSS);
	expect(3, 1, 4 * MSS, MSS);
	expect(4, 1, 5 * MSS, 0);
	expect(5, 1, 5 * MSS, MSS);
	assert_int_equal(nfreed, 0);
}

static void mixed_connections(void **state)
{
	unsigned first = 0;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		segment(1, i * MSS, MSS, TCP_ACK, 7, true);
		segment(2, i * MSS, MSS, TCP_ACK, 7, true);
	}
	segment(5, 0, MSS, TCP_ACK, 7, true); /* in the place of 1 */
	expect(0, 1, 0, 3 * MSS);
	end_of_batch();
	assert_int_equal(nout, 3);
	for (unsigned i = 1; i < 3; i++)
		first += out[i].port == 2 ? out[i].len : 0;
	assert_int_equal(first, 3 * MSS);
}

static void full_packet(void **state)
{
	uint32_t total = 0;

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		segment(1, i * MSS, MSS, TCP_ACK, 7, true);
	end_of_batch();
	for (unsigned i = 0; i < nout; i++) {
		expect(i, 1, total, out[i].len);
		total += out[i].len;
	}
	assert_int_equal(nout, 3);
	assert_int_equal(total, 40 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(run_becomes_one, setup),
		cmocka_unit_test_setup(push_ends_it, setup),
		cmocka_unit_test_setup(nothing_is_overtaken, setup),
		cmocka_unit_test_setup(mixed_connections, setup),
		cmocka_unit_test_setup(full_packet, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
