// sources: kernel/net/ip/slaac.c kernel/net/ip/dhcp.c kernel/net/ip/mcast.c kernel/net/ip/frag.c kernel/net/parse.c kernel/net/parse6.c kernel/net/checksum.c kernel/lib/siphash.c
/* What strangers on the link can send: advertisements, DHCP replies, queries, fragments; the first byte
 * says which. Fragments are checked against a byte per byte of the packet. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/ip/dhcp.h"
#include "net/ip/frag.h"
#include "net/ip/mcast.h"
#include "net/ip/slaac.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

static void require(bool c)
{
	if (!c)
		abort();
}

static void adverts(const uint8_t *p, size_t n)
{
	static const struct ipv6_addr router = { { 0xfe, 0x80, [15] = 1 } };
	struct slaac_step step;
	struct slaac s;
	nsec_t now = 0;

	slaac_start(&s, mac, now);
	while (n >= 2) {
		size_t len = p[0] < n - 1 ? p[0] : n - 1;
		unsigned steps = 0;

		(void)!slaac_advert(&s, p + 1, len, &router, 255, now);
		p += 1 + len;
		n -= 1 + len;
		while (slaac_next(&s, now, &step))
			require(++steps < 200);
		require(slaac_deadline(&s) > now);
		now += (n ? p[0] : 1) * 100 * NSEC_PER_SEC;
	}
}

static void dhcp(const uint8_t *p, size_t n)
{
	struct dhcp_out out;
	struct dhcp d;
	uint8_t msg[600];
	nsec_t now = 0;

	dhcp_start(&d, mac, 7, now);
	while (n >= 2) {
		size_t len = p[0] < n - 1 ? p[0] : n - 1;

		if (dhcp_output(&d, now, &out))
			require(out.len >= 300 && out.len <= DHCP_MAX);
		memset(msg, 0, sizeof(msg));
		msg[0] = 2;
		msg[2] = 6;
		be32_put(msg + 4, d.xid);
		be32_put(msg + 16, 0x0a000001);
		memcpy(msg + 28, mac, 6);
		be32_put(msg + 236, 0x63825363);
		memcpy(msg + 240, p + 1, len);
		dhcp_input(&d, msg, 240 + len, now);
		p += 1 + len;
		n -= 1 + len;
		require(d.lease.ndns <= DHCP_DNS && strnlen(d.lease.domain, DHCP_NAME) < DHCP_NAME);
		if (dhcp_deadline(&d) != NSEC_MAX)
			now = MAX(now, dhcp_deadline(&d));
		dhcp_timer(&d, now);
		(void)!dhcp_take_change(&d);
	}
}

static void queries(const uint8_t *p, size_t n, bool v6)
{
	struct mcast_if m = { .v6 = v6 };
	struct mcast_query q;
	uint8_t *exact = malloc(n);

	memcpy(exact, p, n);
	if (!mcast_query_parse(&m, exact, n, 1, &q))
		require(q.max_delay >= 0 && q.max_delay < 10000 * NSEC_PER_SEC);
	free(exact);
}

static void fragments(const uint8_t *p, size_t n)
{
	static uint8_t have[IP_MAX_LEN + 1];
	static const struct siphash_key key = { { 3, 4 } };
	struct frag_table t;
	struct frag_queue q;
	struct frag_key k;
	uint32_t count = 0, end = 0;

	memset(have, 0, sizeof(have));
	memset(&k, 0, sizeof(k));
	frag_table_init(&t, &key, 1000);
	frag_insert(&t, &q, &k, false, 0);
	for (; n >= 4; p += 4, n -= 4) {
		uint32_t off = (uint32_t)(p[0] << 8 | p[1]) & 0xf8, len = p[2];
		bool more = p[3] & 1, overlap = false, all = true;
		enum frag_verdict v = frag_add(&t, &q, off, len, more, p[3] >> 1 & 3, 1);

		for (uint32_t i = off; i < off + len; i++) {
			overlap |= have[i];
			all &= have[i];
		}
		if (v == FRAG_DROP_ALL)
			break;
		if (v == FRAG_REPEATED)
			require(all);
		if (v != FRAG_STORE && v != FRAG_COMPLETE)
			continue;
		require(!overlap && len);
		memset(have + off, 1, len);
		count += len;
		if (!more) {
			require(!end || end == off + len);
			end = off + len;
		}
		require((v == FRAG_COMPLETE) == (end && count == end));
		if (v == FRAG_COMPLETE)
			break;
	}
	frag_remove(&t, &q);
	require(t.bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	switch (data[0] % 5) {
	case 0:
		adverts(data + 1, size - 1);
		break;
	case 1:
		dhcp(data + 1, size - 1);
		break;
	case 2:
	case 3:
		queries(data + 1, size - 1, data[0] & 1);
		break;
	default:
		fragments(data + 1, size - 1);
		break;
	}
	return 0;
}
