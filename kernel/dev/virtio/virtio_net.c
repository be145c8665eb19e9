/*
 * The virtio network card (5.1). Each pair of queues has a kernel thread, which is all that takes
 * packets in: the interrupt only wakes it. It hands packets up in batches, puts fresh pages into
 * the receive queue, frees what has been sent and moves the backlog on. Sending happens in the
 * sender's thread, under the pair's lock; what finds no descriptor waits in the backlog.
 *
 * Received buffers are single pages. Short packets are copied into the packet's own room and leave
 * the page to be used again; the others keep their pages (mergeable buffers: a coalesced packet is
 * several).
 */

#include "abi/errno.h"
#include "abi/if.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/percpu.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "dev/net/netdev.h"
#include "dev/virtio/virtio.h"
#include "dev/virtio/virtio_net.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "sched/mutex.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sched/wait.h"

enum { /* feature bits */
       NET_CSUM = 0,
       NET_GUEST_CSUM = 1,
       NET_MTU = 3,
       NET_MAC = 5,
       NET_GUEST_TSO4 = 7,
       NET_GUEST_TSO6 = 8,
       NET_GUEST_ECN = 9,
       NET_HOST_TSO4 = 11,
       NET_HOST_TSO6 = 12,
       NET_HOST_ECN = 13,
       NET_MRG_RXBUF = 15,
       NET_STATUS = 16,
       NET_CTRL_VQ = 17,
       NET_CTRL_RX = 18,
       NET_MQ = 22,
       NET_CTRL_MAC_ADDR = 23,
       NET_SPEED_DUPLEX = 63,
};

enum { /* configuration */
       CONFIG_MAC = 0,
       CONFIG_STATUS = 6,
       CONFIG_MAX_PAIRS = 8,
       CONFIG_MTU = 10,
       CONFIG_SPEED = 12,
       STATUS_LINK_UP = 1,
};

enum { /* control queue: class, command */
       CTRL_RX = 0,
       CTRL_RX_PROMISC = 0,
       CTRL_RX_ALLMULTI = 1,
       CTRL_MAC = 1,
       CTRL_MAC_ADDR_SET = 1,
       CTRL_MQ = 4,
       CTRL_MQ_PAIRS = 0,
};

enum {
	ETH_HEADER = 14,
	ETH_ALEN = 6,
	MAX_PAIRS = 16,
	RING_MAX = 256,
	COPY_BREAK = 192, /* shorter packets are copied out of their page */
	RX_BATCH = 64,
	BACKLOG_MAX = 1000,
	BACKLOG_LONG = 256, /* and short again at half of that */
};

struct header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	uint16_t num_buffers; /* absent from a legacy device without mergeable buffers */
} PACKED;

enum { HDR_NEEDS_CSUM = 1, HDR_DATA_VALID = 2 };
enum { HDR_GSO_NONE = 0, HDR_GSO_TCP4 = 1, HDR_GSO_UDP = 3, HDR_GSO_TCP6 = 4, HDR_GSO_ECN = 0x80 };

struct pair {
	struct nic *nic;
	struct virtq rx, tx;
	unsigned rx_wanted; /* buffers that the receive queue is to hold */
	unsigned rx_held;
	_Atomic uint32_t event; /* an interrupt came */
	struct waitq wait;
	struct spinlock lock; /* NETTX: tx, backlog */
	struct list backlog;
	unsigned nbacklog;
	bool is_busy; /* counted in the device's `busy` */
};

struct nic {
	struct virtio_device *virtio;
	struct netdev *dev;
	unsigned header_bytes;
	unsigned npairs;
	struct pair *pair;
	struct virtq ctrl;
	bool has_ctrl;
	struct mutex ctrl_lock; /* NETCTRL */
	uint8_t *ctrl_buffer;
};

/* --- receiving --- */

static void fill_rx(struct pair *p)
{
	struct virtq_segment s = { .bytes = PAGE_SIZE };
	struct page *page;

	while (p->rx_held < p->rx_wanted) {
		if (!(page = page_alloc(0, PAGE_KERNEL, 0)))
			break;
		s.address = page_paddr(page);
		if (!virtq_add(&p->rx, &s, 0, 1, page)) {
			page_put(page);
			break;
		}
		p->rx_held++;
	}
	virtq_kick(&p->rx);
}

static struct page *take_rx(struct pair *p, uint32_t *bytes)
{
	struct page *page = virtq_take(&p->rx, bytes);

	if (page) {
		p->rx_held--;
		*bytes = MIN(*bytes, (uint32_t)PAGE_SIZE);
	}
	return page;
}

static void drop_rx(struct pair *p, unsigned buffers)
{
	struct page *page;
	uint32_t bytes;

	while (buffers-- && (page = take_rx(p, &bytes)))
		page_put(page);
}

/* What the device says about checksum and segments; false: nonsense. */
static bool read_header(struct pkt *p, const struct header *h)
{
	unsigned type = h->gso_type & ~HDR_GSO_ECN;

	if (h->flags & HDR_NEEDS_CSUM) {
		if ((uint32_t)h->csum_start + h->csum_offset + 2 > p->len)
			return false;
		p->csum = PKT_CSUM_PARTIAL;
		p->csum_start = (uint16_t)(pkt_headroom(p) + h->csum_start);
		p->csum_offset = h->csum_offset;
	} else if (h->flags & HDR_DATA_VALID) {
		p->csum = PKT_CSUM_VERIFIED;
	}
	if (type == HDR_GSO_NONE)
		return true;
	p->gso = type == HDR_GSO_TCP4 ? PKT_GSO_TCP4 : type == HDR_GSO_TCP6 ? PKT_GSO_TCP6 : 0;
	p->gso_size = h->gso_size;
	p->gso_ecn = h->gso_type & HDR_GSO_ECN;
	return p->gso && p->gso_size;
}

/* The rest of a packet that lies in several buffers. False: it is incomplete; all are taken. */
static bool add_buffers(struct pair *pair, struct pkt *p, unsigned more)
{
	struct page *page;
	uint32_t bytes;

	for (; more; more--) {
		if (!(page = take_rx(pair, &bytes)))
			return false;
		if (!pkt_add_frag(p, page, 0, bytes)) {
			page_put(page);
			drop_rx(pair, more - 1);
			return false;
		}
	}
	return true;
}

/* page: the first buffer, consumed. NULL: dropped. */
static struct pkt *build_pkt(struct pair *pair, struct page *page, uint32_t bytes)
{
	struct nic *nic = pair->nic;
	struct header h = { 0 };
	unsigned more = 0;
	struct pkt *p;

	memcpy(&h, page_va(page), nic->header_bytes);
	if (virtio_has(nic->virtio, NET_MRG_RXBUF))
		more = h.num_buffers ? h.num_buffers - 1u : 0;
	if (bytes < nic->header_bytes + ETH_HEADER || !(p = pkt_alloc())) {
		page_put(page);
		drop_rx(pair, more);
		return NULL;
	}
	p->dev = nic->dev;
	bytes -= nic->header_bytes;
	if (!more && bytes <= COPY_BREAK) {
		memcpy(pkt_push(p, bytes), (uint8_t *)page_va(page) + nic->header_bytes, bytes);
		page_put(page);
	} else {
		p->head = page;
		p->data = (uint8_t *)page_va(page) + nic->header_bytes;
		p->linear = p->len = bytes;
	}
	if (!add_buffers(pair, p, more) || !read_header(p, &h)) {
		pkt_free(p);
		return NULL;
	}
	return p;
}

/* One batch; true: there may be more. */
static bool receive(struct pair *pair)
{
	struct netdev *d = pair->nic->dev;
	struct list batch = LIST_INIT(batch);
	struct netdev_stats *stats;
	unsigned n = 0;
	struct page *page;
	struct pkt *p;
	uint32_t bytes;

	for (; n < RX_BATCH && (page = take_rx(pair, &bytes)); n++) {
		p = build_pkt(pair, page, bytes);
		stats = netdev_stats(d);
		if (!p) {
			stats->rx_errors++;
			continue;
		}
		stats->rx_packets++;
		stats->rx_bytes += p->len;
		list_add_tail(&batch, &p->node);
	}
	if (n)
		fill_rx(pair);
	if (!list_is_empty(&batch))
		netdev_client->input(d, &batch);
	return n == RX_BATCH;
}

/* --- sending --- */

static bool post(struct pair *pair, struct pkt *p)
{
	struct virtq_segment s[PKT_FRAGS + 1];
	unsigned n = 1;

	s[0] = (struct virtq_segment){ virt_to_phys(p->data), p->linear };
	for (unsigned i = 0; i < p->nfrags; i++)
		s[n++] = (struct virtq_segment){ page_paddr(p->frag[i].page) + p->frag[i].offset,
						 p->frag[i].bytes };
	return virtq_add(&pair->tx, s, n, n, p);
}

/* The backlog has become longer or shorter. */
static void note_backlog(struct pair *pair)
{
	bool busy = pair->nbacklog >= (pair->is_busy ? BACKLOG_LONG / 2 : BACKLOG_LONG);

	if (LIKELY(busy == pair->is_busy))
		return;
	pair->is_busy = busy;
	if (busy)
		atomic_fetch_add(&pair->nic->dev->busy, 1);
	else
		atomic_fetch_sub(&pair->nic->dev->busy, 1);
}

static void reclaim_locked(struct pair *pair, struct list *done)
{
	struct pkt *p;
	uint32_t bytes;

	while ((p = virtq_take(&pair->tx, &bytes)))
		list_add_tail(done, &p->node);
	if (list_is_empty(&pair->backlog))
		return;
	while (!list_is_empty(&pair->backlog)) {
		p = list_entry(pair->backlog.next, struct pkt, node);
		if (!post(pair, p))
			break;
		list_remove(&p->node);
		pair->nbacklog--;
	}
	note_backlog(pair);
}

/* Puts the device's header in front. */
static void push_header(struct nic *nic, struct pkt *p)
{
	uint32_t at = pkt_headroom(p), linear = p->linear;
	struct header h = { 0 };

	if (p->csum == PKT_CSUM_PARTIAL) {
		h.flags = HDR_NEEDS_CSUM;
		h.csum_start = (uint16_t)(p->csum_start - at);
		h.csum_offset = p->csum_offset;
	}
	if (p->gso) {
		h.gso_type = p->gso == PKT_GSO_TCP6 ? HDR_GSO_TCP6 : HDR_GSO_TCP4;
		h.gso_type |= p->gso_ecn ? HDR_GSO_ECN : 0;
		h.gso_size = p->gso_size;
		h.hdr_len = (uint16_t)linear;
	}
	memcpy(pkt_push(p, nic->header_bytes), &h, nic->header_bytes);
}

static int send(struct netdev *d, struct pkt *p)
{
	struct nic *nic = d->priv;
	struct pair *pair = &nic->pair[cpu_id() % nic->npairs];
	struct netdev_stats *stats = netdev_stats(d);
	struct list done = LIST_INIT(done);
	uint32_t bytes = p->len;
	bool full = false;

	if (pkt_headroom(p) < nic->header_bytes) {
		stats->tx_errors++;
		pkt_free(p);
		return -ENOBUFS;
	}
	push_header(nic, p);
	spin_lock(&pair->lock);
	reclaim_locked(pair, &done);
	if (pair->nbacklog || !post(pair, p)) {
		full = pair->nbacklog >= BACKLOG_MAX;
		if (!full) {
			list_add_tail(&pair->backlog, &p->node);
			pair->nbacklog++;
			note_backlog(pair);
		}
	}
	virtq_kick(&pair->tx);
	/* Somebody has to come for what is in flight; the thread does, when most of it is sent.
	 * What moves up from the backlog meanwhile is in flight, too. */
	while (!virtq_enable_delayed(&pair->tx)) {
		reclaim_locked(pair, &done);
		virtq_kick(&pair->tx);
	}
	spin_unlock(&pair->lock);
	if (full) {
		stats->tx_dropped++;
		pkt_free(p);
	} else {
		stats->tx_packets++;
		stats->tx_bytes += bytes - nic->header_bytes;
	}
	pkt_free_list(&done);
	return full ? -ENOBUFS : 0;
}

/* True: a callback will come for what is still in flight. */
static bool finish_sent(struct pair *pair)
{
	struct list done = LIST_INIT(done);
	bool armed;

	spin_lock(&pair->lock);
	virtq_disable(&pair->tx);
	reclaim_locked(pair, &done);
	virtq_kick(&pair->tx);
	armed = virtq_enable_delayed(&pair->tx);
	spin_unlock(&pair->lock);
	pkt_free_list(&done);
	return armed;
}

/* --- the thread --- */

static void on_interrupt(void *ctx)
{
	struct pair *p = ctx;

	atomic_store_explicit(&p->event, 1, memory_order_release);
	waitq_wake_all(&p->wait, 0);
}

/* Until there is something to do. With fewer receive buffers than there should be, the next packet
 * may need more than are left, and nothing would ever wake us. */
static void wait_for_work(struct pair *p)
{
	nsec_t deadline =
		p->rx_held == p->rx_wanted ? NSEC_MAX : clock_mono() + 100 * NSEC_PER_MSEC;
	struct waiter w;

	waiter_init(&w);
	wait_prepare(&p->wait, &w, THREAD_SLEEP);
	if (!atomic_load_explicit(&p->event, memory_order_acquire))
		(void)!wait_sleep(deadline);
	wait_finish(&p->wait, &w);
}

static void run_pair(void *arg)
{
	struct pair *p = arg;
	bool more;

	for (;;) {
		atomic_store(&p->event, 0);
		virtq_disable(&p->rx);
		more = receive(p);
		more |= !finish_sent(p);
		thread_resched_point();
		if (more)
			continue;
		if (p->rx_held < p->rx_wanted)
			fill_rx(p);
		if (virtq_enable(&p->rx))
			wait_for_work(p);
	}
}

/* --- control --- */

/* One command; the device answers while we look. -EIO it refuses, or does not answer. */
static int command(struct nic *nic, uint8_t class, uint8_t cmd, const void *data, unsigned n)
{
	uint8_t *buf = nic->ctrl_buffer;
	struct virtq_segment s[3];
	nsec_t deadline = clock_mono() + NSEC_PER_SEC;
	uint32_t bytes;
	int err = -EIO;

	if (!nic->has_ctrl)
		return -EOPNOTSUPP;
	mutex_lock(&nic->ctrl_lock);
	buf[0] = class;
	buf[1] = cmd;
	memcpy(buf + 2, data, n);
	buf[64] = 0xff;
	s[0] = (struct virtq_segment){ virt_to_phys(buf), 2 };
	s[1] = (struct virtq_segment){ virt_to_phys(buf + 2), n };
	s[2] = (struct virtq_segment){ virt_to_phys(buf + 64), 1 };
	if (virtq_add(&nic->ctrl, s, 2, 3, buf)) {
		virtq_kick(&nic->ctrl);
		while (!virtq_take(&nic->ctrl, &bytes) && clock_mono() < deadline)
			thread_resched_point();
		err = buf[64] == 0 ? 0 : -EIO;
	}
	mutex_unlock(&nic->ctrl_lock);
	return err;
}

static int set_flags(struct netdev *d, unsigned flags)
{
	struct nic *nic = d->priv;
	/* The device is not told which groups are wanted: it gives all, while it is up. */
	uint8_t promisc = (flags & IFF_PROMISC) != 0,
		allmulti = (flags & (IFF_ALLMULTI | IFF_UP)) != 0;

	if (!virtio_has(nic->virtio, NET_CTRL_RX))
		return 0; /* it delivers everything */
	(void)command(nic, CTRL_RX, CTRL_RX_ALLMULTI, &allmulti, 1);
	return command(nic, CTRL_RX, CTRL_RX_PROMISC, &promisc, 1);
}

static int set_address(struct netdev *d, const uint8_t *addr)
{
	struct nic *nic = d->priv;
	int err = -EOPNOTSUPP;

	if (virtio_has(nic->virtio, NET_CTRL_MAC_ADDR))
		err = command(nic, CTRL_MAC, CTRL_MAC_ADDR_SET, addr, ETH_ALEN);
	if (!err)
		memcpy(d->addr, addr, ETH_ALEN);
	return err;
}

static const struct netdev_ops ops = {
	.send = send,
	.set_flags = set_flags,
	.set_address = set_address,
};

static void config_changed(struct virtio_device *v)
{
	struct nic *nic = v->driver;
	uint16_t status = STATUS_LINK_UP;

	if (!nic)
		return;
	if (virtio_has(v, NET_STATUS))
		virtio_config_read(v, CONFIG_STATUS, &status, 2);
	if (atomic_exchange(&nic->dev->carrier, status & STATUS_LINK_UP) !=
	    (status & STATUS_LINK_UP))
		netdev_client->carrier_changed(nic->dev);
}

/* --- start --- */

static uint64_t wanted_features(const struct virtio_device *v)
{
	uint64_t f = 1ull << NET_CSUM | 1ull << NET_GUEST_CSUM | 1ull << NET_MTU | 1ull << NET_MAC |
		     1ull << NET_HOST_TSO4 | 1ull << NET_HOST_TSO6 | 1ull << NET_HOST_ECN |
		     1ull << NET_MRG_RXBUF | 1ull << NET_STATUS | 1ull << NET_CTRL_VQ |
		     1ull << NET_CTRL_RX | 1ull << NET_MQ | 1ull << NET_CTRL_MAC_ADDR |
		     1ull << NET_SPEED_DUPLEX;

	/* A coalesced packet needs buffers that can be several. */
	if (v->transport->get_features((struct virtio_device *)(uintptr_t)v) >> NET_MRG_RXBUF & 1)
		f |= 1ull << NET_GUEST_TSO4 | 1ull << NET_GUEST_TSO6 | 1ull << NET_GUEST_ECN;
	return f;
}

/* Received packets hold a sixteenth of memory at most. */
static unsigned rx_buffers(const struct virtq *q, unsigned npairs)
{
	uint64_t max = pmm_total_pages() / 16 / npairs;

	return (unsigned)MIN((uint64_t)q->size, MAX(max, 16u));
}

static int start_pair(struct nic *nic, unsigned i)
{
	struct pair *p = &nic->pair[i];
	int err;

	p->nic = nic;
	waitq_init(&p->wait);
	spin_init(&p->lock, RANK_NETTX);
	list_init(&p->backlog);
	if ((err = virtq_start(&p->rx, nic->virtio, 2 * i, RING_MAX, on_interrupt, p)) ||
	    (err = virtq_start(&p->tx, nic->virtio, 2 * i + 1, RING_MAX, on_interrupt, p)))
		return err;
	p->rx_wanted = rx_buffers(&p->rx, nic->npairs);
	return 0;
}

static int start_threads(struct nic *nic)
{
	for (unsigned i = 0; i < nic->npairs; i++) {
		struct thread *t = kthread_create(nic->dev->name, run_pair, &nic->pair[i]);

		if (!t)
			return -ENOMEM;
		fill_rx(&nic->pair[i]);
		thread_start(t);
	}
	return 0;
}

static int start_control(struct nic *nic, unsigned max_pairs)
{
	int err;

	mutex_init(&nic->ctrl_lock, RANK_NETCTRL);
	if (!virtio_has(nic->virtio, NET_CTRL_VQ))
		return 0;
	if (!(nic->ctrl_buffer = kzalloc(128)))
		return -ENOMEM;
	err = virtq_start(&nic->ctrl, nic->virtio, 2 * max_pairs, 16, NULL, NULL);
	nic->has_ctrl = !err;
	return err;
}

static void read_config(struct nic *nic)
{
	struct virtio_device *v = nic->virtio;
	struct netdev *d = nic->dev;
	uint32_t speed = UINT32_MAX;
	uint16_t mtu = 0;

	d->hw_type = ARPHRD_ETHER;
	d->addr_len = ETH_ALEN;
	d->mtu = 1500;
	d->min_mtu = 68;
	d->max_mtu = 65535;
	d->ops = &ops;
	d->priv = nic;
	d->driver = "virtio_net";
	d->bus = v->bus_name;
	d->features = virtio_has(v, NET_CSUM) ? NETDEV_CSUM : 0;
	d->features |= virtio_has(v, NET_HOST_TSO4) ? NETDEV_TSO4 : 0;
	d->features |= virtio_has(v, NET_HOST_TSO6) ? NETDEV_TSO6 : 0;
	d->features |= virtio_has(v, NET_HOST_ECN) ? NETDEV_TSO_ECN : 0;
	d->features |= virtio_has(v, NET_GUEST_CSUM) ? NETDEV_RX_CSUM : 0;
	d->features |= virtio_has(v, NET_GUEST_TSO4) ? NETDEV_RX_GSO : 0;
	if (virtio_has(v, NET_MAC)) {
		virtio_config_read(v, CONFIG_MAC, d->addr, ETH_ALEN);
	} else {
		random_bytes(d->addr, ETH_ALEN);
		d->addr[0] = (uint8_t)((d->addr[0] & 0xfe) | 2); /* local, of one station */
	}
	if (virtio_has(v, NET_MTU)) {
		virtio_config_read(v, CONFIG_MTU, &mtu, 2);
		if (mtu >= 68)
			d->mtu = d->max_mtu = mtu;
	}
	if (virtio_has(v, NET_SPEED_DUPLEX))
		virtio_config_read(v, CONFIG_SPEED, &speed, 4);
	d->speed = speed == UINT32_MAX ? 0 : speed;
}

/* How many pairs of queues the device has. */
static unsigned max_pairs(struct virtio_device *v)
{
	uint16_t n = 1;

	if (virtio_has(v, NET_MQ) && virtio_has(v, NET_CTRL_VQ))
		virtio_config_read(v, CONFIG_MAX_PAIRS, &n, 2);
	return MAX(n, 1u);
}

static int start_queues(struct nic *nic)
{
	unsigned max = max_pairs(nic->virtio);
	int err;

	nic->npairs = MIN(MIN(max, ncpus), (unsigned)MAX_PAIRS);
	if (!(nic->pair = kcalloc(nic->npairs, sizeof(*nic->pair))))
		return -ENOMEM;
	for (unsigned i = 0; i < nic->npairs; i++)
		if ((err = start_pair(nic, i)))
			return err;
	return start_control(nic, max);
}

/* The device was made ready: use all pairs, and say so to the network layer. */
static int go(struct nic *nic)
{
	uint16_t pairs = (uint16_t)nic->npairs;
	int err;

	virtio_ready(nic->virtio);
	if (pairs > 1 && command(nic, CTRL_MQ, CTRL_MQ_PAIRS, &pairs, 2))
		nic->npairs = 1;
	atomic_init(&nic->dev->carrier, true);
	if ((err = netdev_client->register_device(nic->dev)))
		return err;
	config_changed(nic->virtio);
	return start_threads(nic);
}

static int probe(struct virtio_device *v)
{
	struct nic *nic;
	int err;

	if (!netdev_client)
		return -ENODEV;
	if ((err = virtio_negotiate(v, wanted_features(v))))
		return err;
	if (!(nic = kzalloc(sizeof(*nic))) || !(nic->dev = netdev_alloc("eth%d")))
		return -ENOMEM; /* at boot: the machine will not get far */
	nic->virtio = v;
	nic->header_bytes = v->legacy && !virtio_has(v, NET_MRG_RXBUF) ? 10 : 12;
	read_config(nic);
	if ((err = start_queues(nic)))
		return err;
	v->config_changed = config_changed;
	v->driver = nic;
	if ((err = v->transport->config_irq(v)))
		return err;
	return go(nic);
}

const struct virtio_driver virtio_net_driver = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.probe = probe,
};
