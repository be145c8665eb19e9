/*
 * Packet sockets. Each has a tap, which is called with every frame of its type and device and
 * clones those that its filter lets pass: into the queue, or into the ring that user space mapped.
 *
 * What a socket is bound to changes under net_config_lock. Its memory goes an epoch after its last
 * reference, since its tap may still be running.
 */

#include "net/packet/packet.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/if.h"
#include "abi/sock_diag.h"
#include "core/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/filter.h"
#include "net/packet/packet_priv.h"
#include "net/inet/sock.h"
#include "net/wire.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/poll.h"

static struct list sockets = LIST_INIT(sockets); /* net_config_lock */

/* --- receiving --- */

static uint32_t weight(const struct pkt *p)
{
	return (uint32_t)sizeof(*p) + p->len;
}

static uint32_t checksum_status(const struct pkt *p)
{
	if (p->csum == PKT_CSUM_PARTIAL)
		return TP_STATUS_CSUMNOTREADY;
	return p->csum == PKT_CSUM_VERIFIED ? TP_STATUS_CSUM_VALID : 0;
}

static void note(struct pkt *c, const struct pkt *p, bool has_link)
{
	struct packet_info *i = packet_info(c);

	*i = (struct packet_info){ .len = c->len,
				   .status = TP_STATUS_USER | checksum_status(p),
				   .ifindex = p->dev->index,
				   .hw_type = p->dev->hw_type,
				   .protocol = p->protocol,
				   .type = p->type,
				   .halen = p->dev->addr_len };
	if (has_link)
		pkt_copy(p, ETH_ALEN, i->addr, ETH_ALEN);
	c->type = p->type;
	c->protocol = p->protocol;
	c->time = p->time ? p->time : clock_real();
}

static bool enqueue(struct packet_sock *k, struct pkt *c)
{
	bool fits;

	spin_lock(&k->lock);
	fits = k->queued + weight(c) <= k->s.rcvbuf;
	if (fits) {
		k->packets++;
		k->queued += weight(c);
		list_add_tail(&k->queue, &c->node);
	} else {
		k->drops++;
	}
	spin_unlock(&k->lock);
	return fits;
}

static void count_drop(struct packet_sock *k)
{
	spin_lock(&k->lock);
	k->drops++;
	spin_unlock(&k->lock);
}

/* A clone of p as this socket sees it. NULL: no memory, or no frame. */
static struct pkt *view_of(const struct packet_sock *k, const struct pkt *p)
{
	struct pkt *c = pkt_clone(p);

	if (!c)
		return NULL;
	if (!pkt_need(c, ETH_HEADER)) {
		pkt_free(c);
		return NULL;
	}
	c->dev = p->dev;
	note(c, p, true);
	pkt_pull(c, ETH_HEADER);
	pkt_set_network(c);
	if (k->s.type == SOCK_RAW)
		pkt_push(c, ETH_HEADER);
	packet_info(c)->len = c->len;
	return c;
}

/* The tap. Under an epoch, in whatever thread sends or receives. */
static void see(struct net_tap *t, const struct pkt *p, bool outgoing)
{
	struct packet_sock *k = container_of(t, struct packet_sock, tap);
	struct packet_group *g = __atomic_load_n(&k->group, __ATOMIC_ACQUIRE);
	struct packet_ring *ring;
	struct pkt *c;
	uint32_t snap;

	if (outgoing && (k->ignore_outgoing || p->owner == k))
		return;
	if (g && !packet_is_for(k, g, p))
		return;
	if (!(c = view_of(k, p))) {
		count_drop(k);
		return;
	}
	snap = MIN(socket_filter(&k->s, c), c->len);
	ring = __atomic_load_n(&k->rx, __ATOMIC_ACQUIRE);
	if (!snap) {
		pkt_free(c);
		return;
	}
	if (ring) {
		bool put = packet_ring_put(k, ring, c, snap);

		pkt_free(c);
		if (!put)
			return;
	} else {
		pkt_trim(c, snap);
		if (!enqueue(k, c)) {
			pkt_free(c);
			return;
		}
	}
	socket_wake(&k->s, &k->s.readable, EPOLLIN | EPOLLRDNORM);
}

static struct pkt *take(struct packet_sock *k, bool peek)
{
	struct pkt *p = NULL;

	spin_lock(&k->lock);
	if (!list_is_empty(&k->queue)) {
		p = list_first(&k->queue, struct pkt, node);
		if (peek) {
			p = pkt_clone(p);
			if (p)
				memcpy(p->cb, list_first(&k->queue, struct pkt, node)->cb, PKT_CB);
		} else {
			list_remove(&p->node);
			k->queued -= weight(p);
		}
	}
	spin_unlock(&k->lock);
	return p;
}

uint32_t packet_put_name(const struct packet_info *i, struct abi_sockaddr_ll *out)
{
	*out = (struct abi_sockaddr_ll){ .sll_family = AF_PACKET,
					 .sll_protocol = __builtin_bswap16(i->protocol),
					 .sll_ifindex = i->ifindex,
					 .sll_hatype = i->hw_type,
					 .sll_pkttype = i->type,
					 .sll_halen = i->halen };
	memcpy(out->sll_addr, i->addr, sizeof(out->sll_addr));
	return (uint32_t)offsetof(struct abi_sockaddr_ll, sll_addr) + i->halen;
}

static void put_ancillary(struct packet_sock *k, const struct pkt *p, struct sockmsg *m)
{
	const struct packet_info *i = packet_info(p);
	struct abi_tpacket_auxdata a = { .tp_status = i->status,
					 .tp_len = i->len,
					 .tp_snaplen = p->len,
					 .tp_net = k->s.type == SOCK_RAW ? ETH_HEADER : 0 };

	if (k->auxdata)
		sockmsg_put_control(m, SOL_PACKET, PACKET_AUXDATA, &a, sizeof(a));
	sockmsg_put_timestamp(m, &k->s, p->time);
	sockmsg_put_mark(m, &k->s, p->mark);
}

static bool is_readable(struct socket *s)
{
	struct packet_sock *k = packet_of(s);

	return !list_is_empty(&k->queue) || atomic_load_explicit(&s->error, memory_order_relaxed);
}

static ssize64_t give(struct packet_sock *k, struct pkt *p, struct sockmsg *m)
{
	size_t n = MIN((size_t)p->len, m->uio->resid);

	if (pkt_to_uio(p, 0, m->uio, n) != n)
		return -EFAULT;
	if (n < p->len)
		m->out_flags |= MSG_TRUNC;
	if (m->name)
		m->namelen = packet_put_name(packet_info(p), m->name);
	put_ancillary(k, p, m);
	return m->flags & MSG_TRUNC ? p->len : (ssize64_t)n;
}

static ssize64_t recv(struct socket *s, struct sockmsg *m)
{
	nsec_t deadline = socket_deadline(s->rcvtimeo, m->flags & MSG_DONTWAIT);
	struct packet_sock *k = packet_of(s);
	ssize64_t ret;
	struct pkt *p;
	int err;

	if (m->flags & (uint32_t) ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE |
				    MSG_CMSG_CLOEXEC | MSG_WAITALL | MSG_NOSIGNAL))
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	for (;;) {
		if ((err = socket_take_error(s)))
			return err;
		if ((p = take(k, m->flags & MSG_PEEK)))
			break;
		if ((err = socket_wait(s, &s->readable, is_readable, deadline)))
			return err;
	}
	ret = give(k, p, m);
	pkt_free(p);
	return ret;
}

/* --- sending --- */

int packet_get_dest(struct packet_sock *k, const void *name, uint32_t len, struct packet_dest *out)
{
	const struct abi_sockaddr_ll *a = name;
	int ifindex = k->ifindex;

	*out = (struct packet_dest){ .protocol = k->protocol };
	if (a) {
		if (len < offsetof(struct abi_sockaddr_ll, sll_addr) ||
		    len < offsetof(struct abi_sockaddr_ll, sll_addr) + MIN(a->sll_halen, 8))
			return -EINVAL;
		out->protocol = __builtin_bswap16(a->sll_protocol);
		ifindex = a->sll_ifindex;
		if (len >= sizeof(*a) || a->sll_halen)
			memcpy(out->addr, a->sll_addr, MIN(a->sll_halen, 8));
	}
	/* Devices are never destroyed: it is borrowed. */
	epoch_enter();
	out->dev = netif_find_index(ifindex);
	epoch_exit();
	if (!out->dev)
		return -ENXIO;
	return netdev_is_up(out->dev) ? 0 : -ENETDOWN;
}

int packet_send_frame(struct packet_sock *k, struct pkt *p, const struct packet_dest *to)
{
	struct netdev *d = to->dev;

	p->priority = k->s.priority;
	p->mark = k->s.mark;
	if (k->s.type != SOCK_RAW)
		return ether_send(p, d, to->addr, to->protocol);
	if (!pkt_need(p, MIN(p->len, 2u * ETH_HEADER))) {
		pkt_free(p);
		return -ENOBUFS;
	}
	p->dev = d;
	p->protocol = to->protocol ? to->protocol : be16_get(p->data + 2 * ETH_ALEN);
	return netdev_send(p);
}

static ssize64_t send(struct socket *s, struct sockmsg *m)
{
	struct packet_sock *k = packet_of(s);
	size_t n = m->uio->resid, most;
	struct packet_dest to;
	struct pkt *p;
	int err;

	if ((err = socket_take_error(s)) || (err = packet_get_dest(k, m->name, m->namelen, &to)))
		return err;
	if (k->tx)
		return packet_ring_send(k, &to);
	most = to.dev->mtu + (s->type == SOCK_RAW ? ETH_HEADER : 0u);
	if (s->type == SOCK_RAW && n < ETH_HEADER)
		return -EINVAL;
	if (s->type == SOCK_RAW && socket_has(s, SOB_NOFCS)) /* every device adds its own */
		return -EPROTONOSUPPORT;
	if (n > most)
		return -EMSGSIZE;
	if (!(p = pkt_alloc()))
		return -ENOBUFS;
	if ((err = pkt_from_uio(p, m->uio, n))) {
		pkt_free(p);
		return err;
	}
	err = packet_send_frame(k, p, &to);
	return err ? err : (ssize64_t)n;
}

/* --- names --- */

static void untap(struct packet_sock *k)
{
	if (k->tapped)
		net_tap_remove(&k->tap);
	k->tapped = false;
}

/* A tap is changed by taking it out, waiting for those who look at it, and putting it in again. */
static void tap(struct packet_sock *k, uint16_t protocol, struct netdev *d)
{
	if (k->tapped) {
		untap(k);
		epoch_wait();
	}
	k->protocol = protocol;
	k->ifindex = d ? d->index : 0;
	if (!protocol)
		return;
	k->tap.type = protocol;
	k->tap.dev = d;
	k->tap.see = see;
	net_tap_add(&k->tap);
	k->tapped = true;
}

static int bind(struct socket *s, const void *addr, uint32_t len)
{
	const struct abi_sockaddr_ll *a = addr;
	struct packet_sock *k = packet_of(s);
	struct netdev *d = NULL;
	uint16_t protocol;
	int err = 0;

	if (len < sizeof(*a) || a->sll_family != AF_PACKET)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	protocol = a->sll_protocol ? __builtin_bswap16(a->sll_protocol) : k->protocol;
	if (k->group)
		err = -EINVAL;
	else if (a->sll_ifindex && !(d = netif_find_index(a->sll_ifindex)))
		err = -ENODEV;
	else
		tap(k, protocol, d);
	mutex_unlock(&net_config_lock);
	if (!err && d && !netdev_is_up(d)) {
		atomic_store(&s->error, ENETDOWN);
		socket_wake_state(s, EPOLLERR);
	}
	return err;
}

static int getname(struct socket *s, void *addr, enum socket_name which)
{
	struct packet_sock *k = packet_of(s);
	struct packet_info i = { .ifindex = k->ifindex, .protocol = k->protocol };
	struct netdev *d;

	if (which != SOCKET_OWN)
		return -EOPNOTSUPP;
	if (k->ifindex && (d = netdev_lookup_index(k->ifindex))) {
		i.hw_type = d->hw_type;
		i.halen = d->addr_len;
		memcpy(i.addr, d->addr, d->addr_len);
		netdev_put(d);
	}
	return (int)packet_put_name(&i, addr);
}

static uint32_t poll(struct socket *s, struct poll_ctx *ctx)
{
	struct packet_sock *k = packet_of(s);
	uint32_t events = EPOLLOUT | EPOLLWRNORM;
	const struct packet_ring *r;

	(void)ctx;
	epoch_enter();
	r = __atomic_load_n(&k->rx, __ATOMIC_ACQUIRE);
	if (!list_is_empty(&k->queue) || (r && packet_ring_is_readable(r)))
		events |= EPOLLIN | EPOLLRDNORM;
	epoch_exit();
	if (atomic_load_explicit(&s->error, memory_order_relaxed))
		events |= EPOLLERR;
	return events;
}

/* --- life --- */

static void release(struct socket *s)
{
	struct packet_sock *k = packet_of(s);

	mutex_lock(&net_config_lock);
	untap(k);
	packet_leave(k);
	packet_drop_members(k);
	list_remove(&k->node);
	mutex_unlock(&net_config_lock);
	epoch_wait();
	packet_free_rings(k);
}

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct packet_sock, epoch));
}

static void destroy(struct socket *s)
{
	struct packet_sock *k = packet_of(s);

	pkt_free_list(&k->queue);
	epoch_free(&k->epoch, free_now);
}

static const struct socket_ops packet_ops = {
	.release = release,
	.destroy = destroy,
	.bind = bind,
	.getname = getname,
	.send = send,
	.recv = recv,
	.poll = poll,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.mmap = packet_mmap,
	.flags = SOCKET_INOUT,
};

static int create(int type, int protocol, struct socket **out)
{
	struct packet_sock *k;

	if (!capable(CAP_NET_RAW))
		return -EPERM;
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (!(k = kzalloc(sizeof(*k))))
		return -ENOBUFS;
	socket_init(&k->s, &packet_ops, AF_PACKET, type, protocol);
	spin_init(&k->lock, RANK_PACKET);
	list_init(&k->queue);
	mutex_lock(&net_config_lock);
	list_add_tail(&sockets, &k->node);
	tap(k, __builtin_bswap16((uint16_t)protocol), NULL);
	mutex_unlock(&net_config_lock);
	*out = &k->s;
	return 0;
}

/* Its device is gone, and none will have its number again. */
static void unbind(struct packet_sock *k)
{
	untap(k);
	epoch_wait();
	k->ifindex = -1;
}

/* Whoever is bound to a device that goes down is told. */
static void on_event(struct netdev *d, enum netdev_event e)
{
	struct packet_sock *k;

	if (e != NETDEV_DOWN && e != NETDEV_UNREGISTERED)
		return;
	list_for_each (k, &sockets, node)
		if (k->ifindex == d->index) {
			if (e == NETDEV_UNREGISTERED)
				unbind(k);
			atomic_store(&k->s.error, ENETDOWN);
			socket_wake_state(&k->s, EPOLLERR);
		}
}

void packet_show(struct textbuf *t)
{
	struct packet_sock *k;

	text_f(t, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	mutex_lock(&net_config_lock);
	list_for_each (k, &sockets, node)
		text_f(t, "%016lx %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6lu\n", 0ul, 3, k->s.type,
		       k->protocol, k->ifindex, k->tapped, k->queued, k->s.inode.uid,
		       (unsigned long)k->s.inode.ino);
	mutex_unlock(&net_config_lock);
}

static void show(const struct packet_sock *k, struct packet_shown *out)
{
	*out = (struct packet_shown){
		.type = (uint8_t)k->s.type,
		.protocol = k->protocol,
		.ifindex = k->ifindex,
		.version = k->version,
		.reserve = k->reserve,
		.flags = (k->tapped ? PDI_RUNNING : 0u) | (k->auxdata ? PDI_AUXDATA : 0u) |
			 (k->origdev ? PDI_ORIGDEV : 0u) | (k->has_vnet ? PDI_VNETHDR : 0u) |
			 (k->loss ? PDI_LOSS : 0u),
		.rmem = k->queued,
		.rcvbuf = k->s.rcvbuf,
		.sndbuf = k->s.sndbuf,
		.drops = k->drops,
		.uid = k->s.inode.uid,
		.ino = k->s.inode.ino,
	};
}

/* By inode number, which rises with the list: one that goes moves no other. */
bool packet_next(uint64_t *key, struct packet_shown *out)
{
	struct packet_sock *k;
	bool found = false;

	mutex_lock(&net_config_lock);
	list_for_each (k, &sockets, node)
		if (k->s.inode.ino >= *key && (!found || k->s.inode.ino < out->ino)) {
			show(k, out);
			found = true;
		}
	mutex_unlock(&net_config_lock);
	if (found)
		*key = out->ino + 1;
	return found;
}

bool packet_nth_group(int ifindex, unsigned n, uint8_t addr[8], unsigned *users)
{
	const struct packet_member *m;
	struct packet_sock *k;

	list_for_each (k, &sockets, node)
		for (m = k->members; m; m = m->next)
			if (m->ifindex == ifindex && m->type == PACKET_MR_MULTICAST && n-- == 0) {
				memcpy(addr, m->addr, sizeof(m->addr));
				*users = m->count;
				return true;
			}
	return false;
}

void packet_init(void)
{
	static struct net_family family = { .family = AF_PACKET, .create = create };
	static struct netdev_listener listener = { .event = on_event };

	netdev_listen(&listener);
	net_family_register(&family);
}
