/* /proc/net/{tcp,udp,raw,icmp,…}: the Internet's sockets, a line each. Source: proc(5). */

#include "abi/in.h"
#include "abi/socket.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/show.h"
#include "pseudofs/proc_net_priv.h"

enum { TCP4_WIDTH = 149, UDP4_WIDTH = 127 };

/* An address as words in the machine's byte order, and its port. */
static void address(struct textbuf *t, const struct inet_shown *s, const struct ipv6_addr *a,
		    uint16_t port)
{
	uint32_t word[4];

	memcpy(word, a->b, sizeof(word));
	if (s->family == AF_INET)
		text_f(t, "%08X:%04X", word[3], port);
	else
		text_f(t, "%08X%08X%08X%08X:%04X", word[0], word[1], word[2], word[3], port);
}

static void pad_line(struct textbuf *t, size_t from, size_t width)
{
	while (t->len < from + width)
		text_c(t, ' ');
	text_c(t, '\n');
}

/* Clock ticks of 10 ms. */
static unsigned long ticks(nsec_t ns)
{
	return ns > 0 ? (unsigned long)(ns / (NSEC_PER_SEC / 100)) : 0;
}

static void tcp_tail(struct textbuf *t, const struct inet_shown *s)
{
	bool listens = s->state == 10;

	if (s->is_mini)
		return;
	text_f(t, " %lu %lu %u %u %d", ticks(s->rto), ticks(s->ato), s->interactive ? 1u : 0u,
	       s->cwnd,
	       listens                       ? 0
	       : s->ssthresh > INT32_MAX / 2 ? -1
					     : (int)s->ssthresh);
}

static void line(struct textbuf *t, const struct inet_shown *s, bool is_tcp, unsigned long nr)
{
	text_f(t, is_tcp ? "%4lu: " : "%5lu: ", nr);
	address(t, s, &s->local, s->lport);
	text_c(t, ' ');
	address(t, s, &s->remote, s->rport);
	text_f(t, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %u %016lx", s->state, s->wqueue,
	       is_tcp ? s->rqueue : s->rmem, s->timer, ticks(s->expires), s->retransmits, s->uid,
	       (int)s->probes, (unsigned long)s->ino, s->refs, 0ul);
	if (is_tcp)
		tcp_tail(t, s);
	else
		text_f(t, " %u", s->drops);
}

/* How wide lines of IPv4 are made; raw sockets' are not. */
static size_t width(unsigned protocol)
{
	return protocol == IPPROTO_TCP ? TCP4_WIDTH : protocol == SHOW_RAW ? 0 : UDP4_WIDTH;
}

static void header(struct textbuf *t, int family, unsigned protocol)
{
	const char *tail = protocol == IPPROTO_TCP ? "" : " ref pointer drops";
	bool is_udp = protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE;
	size_t at = t->len;

	if (family != AF_INET) {
		text_f(t,
		       "  sl  local_address                         remote_address                 "
		       "       st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode%s\n",
		       tail);
		return;
	}
	text_f(t,
	       "%s  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
	       "uid  timeout inode%s",
	       is_udp ? " " : "", tail);
	pad_line(t, at, width(protocol));
}

/* Key: 0 the header; then, plus one, the shower's. */
static int socks_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	const struct inet_shower *shower = inet_show_find((uint8_t)i->node->arg);
	int family = (int)(i->node->arg >> 16);
	unsigned protocol = i->node->arg & 0xffff;
	uint64_t place = *key - 1;
	struct inet_shown s;
	size_t at = t->len;

	if (*key == 0) {
		header(t, family, protocol);
		*key = 1;
		return 1;
	}
	do {
		if (shower == NULL || !shower->next(&place, &s, NULL))
			return 0;
	} while (s.family != family);
	line(t, &s, protocol == IPPROTO_TCP, s.slot);
	pad_line(t, at, family == AF_INET ? width(protocol) : 0);
	*key = place + 1;
	return 1;
}

int proc_net_socks_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, socks_record);
}

unsigned proc_net_count(uint8_t protocol, int family, unsigned states)
{
	const struct inet_shower *shower = inet_show_find(protocol);
	struct inet_shown s;
	uint64_t key = 0;
	unsigned n = 0;

	while (shower && shower->next(&key, &s, NULL))
		n += (family == 0 || s.family == family) && (states >> s.state & 1);
	return n;
}
