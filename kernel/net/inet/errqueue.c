/* Queued errors of sockets. See errqueue.h. */

#include "net/inet/errqueue.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/sock.h"
#include "pmm/slab.h"

/* In its list by node. */
struct entry {
	struct list node;
	struct inet_error e;
	struct pkt *data;
	nsec_t time;
	uint32_t bytes;
};

void inet_errq_init(struct inet_errq *q)
{
	spin_init(&q->lock, RANK_INETERR);
	list_init(&q->list);
}

static void free_entry(struct entry *n)
{
	pkt_free(n->data);
	kfree(n);
}

static bool tells_of_network(const struct entry *n)
{
	return n->e.ee.ee_origin == SO_EE_ORIGIN_ICMP || n->e.ee.ee_origin == SO_EE_ORIGIN_ICMP6;
}

/* The first; *next: the errno of the second one, if the network told it. */
static struct entry *take(struct inet_errq *q, int *next)
{
	struct entry *n = NULL, *second;

	*next = 0;
	spin_lock(&q->lock);
	if (!list_is_empty(&q->list)) {
		n = list_first(&q->list, struct entry, node);
		list_remove(&n->node);
		q->bytes -= n->bytes;
	}
	if (n && !list_is_empty(&q->list)) {
		second = list_first(&q->list, struct entry, node);
		if (tells_of_network(second))
			*next = (int)second->e.ee.ee_errno;
	}
	spin_unlock(&q->lock);
	return n;
}

void inet_errq_purge(struct inet_errq *q)
{
	struct entry *n;
	int next;

	while ((n = take(q, &next)))
		free_entry(n);
}

/* Sends that were copied one after the other are told as a range. */
static bool joins_locked(struct inet_errq *q, const struct inet_error *e)
{
	struct entry *last;

	if (e->ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY || list_is_empty(&q->list))
		return false;
	last = list_entry(q->list.prev, struct entry, node);
	if (last->e.ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY ||
	    last->e.ee.ee_data + 1 != e->ee.ee_info)
		return false;
	last->e.ee.ee_data = e->ee.ee_data;
	return true;
}

uint32_t inet_errq_poll(const struct inet_sock *i)
{
	uint32_t events = 0;

	if (UNLIKELY(atomic_load_explicit(&i->s.error, memory_order_relaxed)))
		events = EPOLLERR;
	if (UNLIKELY(!inet_errq_is_empty(&i->errq)))
		events |= EPOLLERR | (socket_has(&i->s, SOB_SELECT_ERR_QUEUE) ? EPOLLPRI : 0u);
	return events;
}

void inet_errq_add(struct inet_sock *i, const struct inet_error *e, struct pkt *data)
{
	struct inet_errq *q = &i->errq;
	struct entry *n = kmalloc(sizeof(*n));
	bool fits;

	if (!n) {
		pkt_free(data);
		return;
	}
	n->e = *e;
	n->data = data;
	n->time = clock_real();
	n->bytes = (uint32_t)sizeof(*n) + (data ? pkt_weight(data) : 0);
	spin_lock(&q->lock);
	fits = q->bytes + n->bytes <= i->s.rcvbuf;
	if (fits && joins_locked(q, e)) {
		fits = false;
	} else if (fits) {
		q->bytes += n->bytes;
		list_add_tail(&q->list, &n->node);
	}
	spin_unlock(&q->lock);
	if (!fits)
		free_entry(n);
}

/* The error, and behind it the address of who told it, as the socket's family has it. */
static void put_error(struct inet_sock *i, const struct inet_error *e, struct sockmsg *m)
{
	bool v4 = addr_is4(&e->dst), has = !ipv6_is_unspecified(&e->offender);
	struct {
		struct abi_sock_extended_err ee;
		union {
			struct abi_sockaddr_in in;
			struct abi_sockaddr_in6 in6;
		};
	} out;

	memset(&out, 0, sizeof(out));
	out.ee = e->ee;
	if (i->s.family == AF_INET) {
		out.in.sin_family = has ? AF_INET : AF_UNSPEC;
		if (has)
			out.in.sin_addr = __builtin_bswap32(addr_to4(&e->offender));
		sockmsg_put_control(m, SOL_IP, IP_RECVERR, &out, sizeof(out.ee) + sizeof(out.in));
		return;
	}
	out.in6.sin6_family = has ? AF_INET6 : AF_UNSPEC;
	if (has) {
		memcpy(out.in6.sin6_addr, e->offender.b, sizeof(out.in6.sin6_addr));
		if (!v4 && ipv6_is_link_local(&e->offender))
			out.in6.sin6_scope_id = (uint32_t)e->ifindex;
	}
	sockmsg_put_control(m, SOL_IPV6, IPV6_RECVERR, &out, sizeof(out.ee) + sizeof(out.in6));
}

ssize64_t inet_errq_recv(struct inet_sock *i, struct sockmsg *m)
{
	int next;
	struct entry *n = take(&i->errq, &next);
	size_t len, bytes;
	ssize64_t ret;

	if (!n)
		return -EAGAIN;
	len = n->data ? n->data->len : 0;
	bytes = MIN(len, m->uio->resid);
	ret = (ssize64_t)bytes;
	if (bytes && pkt_to_uio(n->data, 0, m->uio, bytes) < bytes) {
		ret = -EFAULT;
		goto out;
	}
	if (bytes < len)
		m->out_flags |= MSG_TRUNC;
	sockmsg_put_timestamp(m, &i->s, n->time);
	if (m->name && n->e.ee.ee_origin <= SO_EE_ORIGIN_ICMP6)
		m->namelen = inet_put_name(i, &n->e.dst, n->e.port, n->e.ifindex, m->name);
	put_error(i, &n->e, m);
	m->out_flags |= MSG_ERRQUEUE;
	/* Whoever reads them one by one is told that there is another. */
	if (tells_of_network(n))
		atomic_store(&i->s.error, next);
out:
	free_entry(n);
	return ret;
}
