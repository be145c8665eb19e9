/*
 * Rings of packet(7): memory that user space maps, into which frames are written and from which
 * they are sent. It is shared memory whose pages are all there from the beginning and are held.
 *
 * Versions 1 and 2 are frames of one size, each with a word that says whose it is. Version 3 packs
 * frames of their own sizes into blocks; a block is given to user space when it is full, or by a
 * timer.
 *
 * User space can write anything into the ring, so only the status words are believed, and of a
 * frame to be sent its length within bounds.
 */

#include <arch/page.h>

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/packet/packet_priv.h"
#include "net/wire.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "sched/timer.h"
#include "sched/work.h"
#include "vm/pagecache.h"
#include "vm/usercopy.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

enum { RING_MAX = 256 << 20, LL_SIZE = sizeof(struct abi_sockaddr_ll), LINK_ROOM = 16 };

struct packet_ring {
	struct packet_sock *k;
	struct vmobject *object; /* counted */
	struct page **pages;     /* counted each */
	uint64_t npages;
	uint32_t version, frame_size, block_size, nframes, nblocks, per_block, reserve, priv;
	uint32_t head; /* the next frame, or the block that is being filled */
	/* Version 3 */
	bool is_open, is_frozen;
	bool is_retired;          /* its time is over: the timer stays off. PACKET */
	uint32_t at, npkts, last; /* in the open block: where the next goes; how many; the last */
	uint64_t seq;
	nsec_t retire;
	struct timer timer;
	struct work work;
	struct epoch_head epoch;
};

static uint32_t align16(uint32_t n)
{
	return (n + 15u) & ~15u;
}

static uint32_t header_size(uint32_t version)
{
	return version == TPACKET_V3 ? sizeof(struct abi_tpacket3_hdr)
				     : sizeof(struct abi_tpacket2_hdr);
}

int packet_header_len(uint32_t version)
{
	return version > TPACKET_V3 ? -EINVAL : (int)header_size(version);
}

/* --- memory --- */

static void *at(const struct packet_ring *r, uint64_t offset)
{
	return (uint8_t *)page_va(r->pages[offset >> PAGE_SHIFT]) + (offset & (PAGE_SIZE - 1));
}

static void write_bytes(struct packet_ring *r, uint64_t offset, const void *from, uint32_t n)
{
	const uint8_t *b = from;
	uint32_t part;

	for (; n; n -= part, offset += part, b += part) {
		part = MIN(n, (uint32_t)(PAGE_SIZE - (offset & (PAGE_SIZE - 1))));
		memcpy(at(r, offset), b, part);
	}
}

/* Status words are aligned, hence in one page. */
static uint32_t status(const struct packet_ring *r, uint64_t offset)
{
	return __atomic_load_n((uint32_t *)at(r, offset), __ATOMIC_ACQUIRE);
}

static void set_status(struct packet_ring *r, uint64_t offset, uint32_t v)
{
	__atomic_store_n((uint32_t *)at(r, offset), v, __ATOMIC_RELEASE);
}

static uint64_t frame_at(const struct packet_ring *r, uint32_t i)
{
	return (uint64_t)(i / r->per_block) * r->block_size +
	       (uint64_t)(i % r->per_block) * r->frame_size;
}

struct to_ring {
	struct packet_ring *r;
	uint64_t at;
};

static void put_run(void *ctx, const uint8_t *bytes, uint32_t n)
{
	struct to_ring *t = ctx;

	write_bytes(t->r, t->at, bytes, n);
	t->at += n;
}

static void put_packet(struct packet_ring *r, uint64_t offset, const struct pkt *c, uint32_t n)
{
	struct to_ring t = { r, offset };

	pkt_for_each(c, 0, n, put_run, &t);
}

static void put_name(struct packet_ring *r, uint64_t header, const struct pkt *c)
{
	struct abi_sockaddr_ll name;

	packet_put_name(packet_info(c), &name);
	write_bytes(r, header + header_size(r->version), &name, sizeof(name));
}

/* --- where things lie --- */

struct layout {
	uint32_t mac, net; /* from the header on */
};

static struct layout layout_of(const struct packet_ring *r)
{
	uint32_t hdr = header_size(r->version) + LL_SIZE;
	struct layout l;

	if (r->k->s.type == SOCK_RAW) {
		l.net = align16(hdr + LINK_ROOM) + r->reserve;
		l.mac = l.net - ETH_HEADER;
	} else {
		l.mac = l.net = align16(hdr) + LINK_ROOM + r->reserve;
	}
	return l;
}

/* --- versions 1 and 2 --- */

static bool put_frame(struct packet_ring *r, const struct pkt *c, uint32_t snap, uint32_t flags)
{
	const struct packet_info *i = packet_info(c);
	uint64_t where = frame_at(r, r->head);
	struct layout l = layout_of(r);
	uint32_t sec = (uint32_t)(c->time / (nsec_t)NSEC_PER_SEC),
		 nsec = (uint32_t)(c->time % (nsec_t)NSEC_PER_SEC);
	struct abi_tpacket2_hdr h2 = { .tp_len = i->len,
				       .tp_snaplen = snap,
				       .tp_mac = (uint16_t)l.mac,
				       .tp_net = (uint16_t)l.net,
				       .tp_sec = sec,
				       .tp_nsec = nsec };
	struct abi_tpacket_hdr h1 = { .tp_len = i->len,
				      .tp_snaplen = snap,
				      .tp_mac = (uint16_t)l.mac,
				      .tp_net = (uint16_t)l.net,
				      .tp_sec = sec,
				      .tp_usec = nsec / 1000 };
	/* The status word comes last, and is not part of these copies. */
	uint32_t word = r->version == TPACKET_V1 ? 8 : 4;

	if (status(r, where) != TP_STATUS_KERNEL)
		return false;
	put_packet(r, where + l.mac, c, snap);
	put_name(r, where, c);
	write_bytes(r, where + word,
		    (r->version == TPACKET_V1 ? (const uint8_t *)&h1 : (const uint8_t *)&h2) + word,
		    (uint32_t)sizeof(h2) - word);
	set_status(r, where, i->status | flags);
	r->head = (r->head + 1) % r->nframes;
	return true;
}

/* --- version 3: blocks --- */

static uint64_t block_at(const struct packet_ring *r, uint32_t i)
{
	return (uint64_t)i * r->block_size;
}

static uint32_t first_packet(const struct packet_ring *r)
{
	return (uint32_t)sizeof(struct abi_tpacket_block_desc) + ((r->priv + 7u) & ~7u);
}

enum { BLOCK_STATUS = 8 };

static void stamp(struct packet_ring *r, nsec_t t, bool is_first)
{
	uint64_t b = block_at(r, r->head) +
		     (is_first ? offsetof(struct abi_tpacket_block_desc, first_sec)
			       : offsetof(struct abi_tpacket_block_desc, last_sec));
	uint32_t v[2] = { (uint32_t)(t / (nsec_t)NSEC_PER_SEC),
			  (uint32_t)(t % (nsec_t)NSEC_PER_SEC) };

	write_bytes(r, b, v, sizeof(v));
}

static bool open_block(struct packet_ring *r)
{
	uint64_t b = block_at(r, r->head);
	struct abi_tpacket_block_desc d = {
		.version = TPACKET_V3,
		.offset_to_priv = sizeof(d),
		.offset_to_first_pkt = first_packet(r),
		.blk_len = first_packet(r),
		.seq_num = ++r->seq,
	};

	if (status(r, b + BLOCK_STATUS) != TP_STATUS_KERNEL) {
		r->seq--;
		if (!r->is_frozen)
			r->k->freezes++;
		r->is_frozen = true;
		return false;
	}
	r->is_frozen = false;
	write_bytes(r, b, &d, sizeof(d));
	stamp(r, clock_real(), true);
	r->at = first_packet(r);
	r->npkts = 0;
	r->is_open = true;
	timer_arm(&r->timer, clock_mono() + r->retire);
	return true;
}

/* The block is user space's. */
static void close_block(struct packet_ring *r, uint32_t flags)
{
	uint64_t b = block_at(r, r->head);
	uint32_t zero = 0;

	if (r->npkts)
		write_bytes(r, b + r->last, &zero, 4);
	write_bytes(r, b + offsetof(struct abi_tpacket_block_desc, num_pkts), &r->npkts, 4);
	write_bytes(r, b + offsetof(struct abi_tpacket_block_desc, blk_len), &r->at, 4);
	set_status(r, b + BLOCK_STATUS, TP_STATUS_USER | flags);
	r->is_open = false;
	r->head = (r->head + 1) % r->nblocks;
}

static bool put_in_block(struct packet_ring *r, const struct pkt *c, uint32_t snap, uint32_t flags)
{
	const struct packet_info *i = packet_info(c);
	struct layout l = layout_of(r);
	uint32_t need = align16(l.mac + snap);
	struct abi_tpacket3_hdr h = { .tp_next_offset = need,
				      .tp_sec = (uint32_t)(c->time / (nsec_t)NSEC_PER_SEC),
				      .tp_nsec = (uint32_t)(c->time % (nsec_t)NSEC_PER_SEC),
				      .tp_snaplen = snap,
				      .tp_len = i->len,
				      .tp_status = i->status | flags,
				      .tp_mac = (uint16_t)l.mac,
				      .tp_net = (uint16_t)l.net };
	uint64_t where;

	if (!r->is_open && !open_block(r))
		return false;
	if (r->at + need > r->block_size) {
		close_block(r, 0);
		if (!open_block(r))
			return false;
	}
	where = block_at(r, r->head) + r->at;
	write_bytes(r, where, &h, sizeof(h));
	put_name(r, where, c);
	put_packet(r, where + l.mac, c, snap);
	stamp(r, c->time, false);
	r->last = r->at;
	r->at += need;
	r->npkts++;
	return true;
}

static void on_timer(struct timer *t)
{
	work_queue(&container_of(t, struct packet_ring, timer)->work);
}

static void rearm(struct packet_ring *r)
{
	spin_lock(&r->k->lock);
	if (!r->is_retired)
		timer_arm(&r->timer, clock_mono() + r->retire);
	spin_unlock(&r->k->lock);
}

/* A block that waits for long enough is given away, however full it is. */
static void run_timer(struct work *w)
{
	struct packet_ring *r = container_of(w, struct packet_ring, work);
	struct packet_sock *k = r->k;
	bool closed = false;

	spin_lock(&k->lock);
	if (r->is_retired) {
		spin_unlock(&k->lock);
		return;
	}
	if (r->is_open && r->npkts) {
		close_block(r, TP_STATUS_BLK_TMO);
		closed = true;
	}
	spin_unlock(&k->lock);
	if (closed)
		socket_wake(&k->s, &k->s.readable, EPOLLIN | EPOLLRDNORM);
	else
		rearm(r);
}

/* --- receiving --- */

static void count_drop(struct packet_sock *k)
{
	spin_lock(&k->lock);
	k->drops++;
	spin_unlock(&k->lock);
}

bool packet_ring_put(struct packet_sock *k, struct packet_ring *r, const struct pkt *c,
		     uint32_t snap)
{
	struct layout l = layout_of(r);
	uint32_t most = r->version == TPACKET_V3 ? r->block_size - first_packet(r) : r->frame_size;
	uint32_t flags;
	bool put;

	if (l.net > UINT16_MAX) { /* what tells where it lies has no room for that */
		count_drop(k);
		return false;
	}
	snap = MIN(snap, most > align16(l.mac) ? most - align16(l.mac) : 0u);
	spin_lock(&k->lock);
	flags = k->drops ? TP_STATUS_LOSING : 0;
	put = r->version == TPACKET_V3 ? put_in_block(r, c, snap, flags)
				       : put_frame(r, c, snap, flags);
	if (put)
		k->packets++;
	else
		k->drops++;
	spin_unlock(&k->lock);
	return put;
}

bool packet_ring_is_readable(const struct packet_ring *r)
{
	uint32_t n = r->version == TPACKET_V3 ? r->nblocks : r->nframes,
		 last = (r->head + n - 1) % n;

	if (r->version == TPACKET_V3)
		return status(r, block_at(r, last) + BLOCK_STATUS) != TP_STATUS_KERNEL;
	return status(r, frame_at(r, last)) != TP_STATUS_KERNEL;
}

/* --- sending --- */

static struct pkt *frame_from(struct packet_ring *r, uint64_t where, uint32_t len)
{
	struct pkt *p = pkt_alloc();
	uint32_t part;

	for (; p && len; len -= part, where += part) {
		struct page *page = page_alloc(0, PAGE_KERNEL, 0);

		part = MIN(len, (uint32_t)(PAGE_SIZE - (where & (PAGE_SIZE - 1))));
		if (!page || !pkt_add_frag(p, page, 0, part)) {
			if (page)
				page_put(page);
			pkt_free(p);
			return NULL;
		}
		memcpy(page_va(page), at(r, where), part);
	}
	return p;
}

static uint32_t frame_len(const struct packet_ring *r, uint64_t where)
{
	uint32_t offset = r->version == TPACKET_V1 ? 8
			  : r->version == TPACKET_V2
				  ? 4
				  : (uint32_t)offsetof(struct abi_tpacket3_hdr, tp_len);

	return *(volatile uint32_t *)at(r, where + offset);
}

/* One frame that user space filled. Bytes; 0: there is none; -errno. */
static ssize64_t send_one(struct packet_sock *k, const struct packet_dest *to)
{
	struct packet_ring *r = k->tx;
	uint64_t where = frame_at(r, r->head);
	uint64_t word = r->version == TPACKET_V3
				? where + offsetof(struct abi_tpacket3_hdr, tp_status)
				: where;
	uint32_t data = header_size(r->version), len;
	struct pkt *p;
	int err;

	if (status(r, word) != TP_STATUS_SEND_REQUEST)
		return 0;
	len = frame_len(r, where);
	if (len > r->frame_size - data || len > to->dev->mtu + ETH_HEADER ||
	    (k->s.type == SOCK_RAW && len < ETH_HEADER)) {
		if (!k->loss) {
			set_status(r, word, TP_STATUS_WRONG_FORMAT);
			return -EMSGSIZE;
		}
		set_status(r, word, TP_STATUS_AVAILABLE);
		r->head = (r->head + 1) % r->nframes;
		return 1;
	}
	if (!(p = frame_from(r, where + data, len)))
		return -ENOBUFS;
	set_status(r, word, TP_STATUS_SENDING);
	err = packet_send_frame(k, p, to);
	set_status(r, word, TP_STATUS_AVAILABLE);
	r->head = (r->head + 1) % r->nframes;
	return err && !k->loss ? err : (ssize64_t)len;
}

ssize64_t packet_ring_send(struct packet_sock *k, const struct packet_dest *to)
{
	ssize64_t sent = 0, n;

	mutex_lock(&net_config_lock); /* senders take turns, and the ring stays */
	for (uint32_t i = 0; k->tx && i < k->tx->nframes && (n = send_one(k, to)); i++) {
		if (n < 0) {
			sent = sent ? sent : n;
			break;
		}
		sent += n;
	}
	mutex_unlock(&net_config_lock);
	return sent;
}

/* --- life --- */

static void free_ring(struct packet_ring *r)
{
	for (uint64_t i = 0; r->pages && i < r->npages; i++)
		if (r->pages[i])
			page_put(r->pages[i]);
	kfree(r->pages);
	if (r->object)
		vmobject_put(r->object);
	kfree(r);
}

static int check_request(const struct packet_ring *r, const struct abi_tpacket_req3 *q, bool tx)
{
	uint32_t least = header_size(r->version) + LL_SIZE + r->reserve, per;

	if (!q->tp_block_size || q->tp_block_size % PAGE_SIZE || q->tp_block_size > INT32_MAX)
		return -EINVAL;
	if (r->version == TPACKET_V3 && !tx &&
	    q->tp_block_size <= sizeof(struct abi_tpacket_block_desc) + q->tp_sizeof_priv + least)
		return -EINVAL;
	if (q->tp_frame_size < least || q->tp_frame_size % TPACKET_ALIGNMENT ||
	    q->tp_frame_size > q->tp_block_size)
		return -EINVAL;
	per = q->tp_block_size / q->tp_frame_size;
	if ((uint64_t)per * q->tp_block_nr != q->tp_frame_nr)
		return -EINVAL;
	return (uint64_t)q->tp_block_size * q->tp_block_nr > RING_MAX ? -ENOMEM : 0;
}

static int fill_pages(struct packet_ring *r)
{
	int err = vmobject_create_shm(r->npages, &r->object);

	if (err)
		return err;
	if (!(r->pages = kzalloc(r->npages * sizeof(r->pages[0]))))
		return -ENOMEM;
	for (uint64_t i = 0; i < r->npages && !err; i++)
		err = pagecache_get(r->object, i, &r->pages[i]);
	return err;
}

static int make_ring(struct packet_sock *k, const struct abi_tpacket_req3 *q, bool tx,
		     struct packet_ring **out)
{
	struct packet_ring *r;
	int err;

	if (!(r = kzalloc(sizeof(*r))))
		return -ENOMEM;
	r->k = k;
	/* Others may be changing these two: what is checked is what is used. */
	r->version = __atomic_load_n(&k->version, __ATOMIC_RELAXED);
	r->reserve = __atomic_load_n(&k->reserve, __ATOMIC_RELAXED);
	if ((err = check_request(r, q, tx))) {
		kfree(r);
		return err;
	}
	r->frame_size = q->tp_frame_size;
	r->block_size = q->tp_block_size;
	r->nframes = q->tp_frame_nr;
	r->nblocks = q->tp_block_nr;
	r->per_block = q->tp_block_size / q->tp_frame_size;
	r->priv = r->version == TPACKET_V3 ? q->tp_sizeof_priv : 0;
	r->retire = (nsec_t)(q->tp_retire_blk_tov ? q->tp_retire_blk_tov : 8) * NSEC_PER_MSEC;
	r->npages = (uint64_t)r->block_size * r->nblocks / PAGE_SIZE;
	timer_init(&r->timer, on_timer);
	work_init(&r->work, run_timer);
	if ((err = fill_pages(r))) {
		free_ring(r);
		return err;
	}
	*out = r;
	return 0;
}

/* Out of the way of taps, then freed. */
static void retire_ring(struct packet_ring *r)
{
	if (!r)
		return;
	epoch_wait();
	spin_lock(&r->k->lock);
	r->is_retired = true; /* its work arms it no more */
	spin_unlock(&r->k->lock);
	(void)timer_cancel(&r->timer);
	work_flush();
	free_ring(r);
}

int packet_set_ring(struct packet_sock *k, uaddr_t val, uint32_t len, bool tx)
{
	struct packet_ring *fresh = NULL, *old = NULL, **at = tx ? &k->tx : &k->rx;
	struct abi_tpacket_req3 q = { 0 };
	uint32_t n = k->version == TPACKET_V3 ? sizeof(q) : sizeof(struct abi_tpacket_req);
	int err = 0;

	if (len < n)
		return -EINVAL;
	if (copy_from_user(&q, val, n))
		return -EFAULT;
	if (q.tp_block_nr && (err = make_ring(k, &q, tx, &fresh)))
		return err;
	if (!q.tp_block_nr && q.tp_frame_nr)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	if (atomic_load(&k->nmapped) || (fresh && *at)) {
		err = -EBUSY;
	} else {
		old = *at;
		__atomic_store_n(at, fresh, __ATOMIC_RELEASE);
		fresh = NULL;
	}
	mutex_unlock(&net_config_lock);
	if (fresh)
		free_ring(fresh);
	retire_ring(old);
	return err;
}

void packet_free_rings(struct packet_sock *k)
{
	struct packet_ring *rx = k->rx, *tx = k->tx;

	k->rx = k->tx = NULL;
	retire_ring(rx);
	retire_ring(tx);
}

/* Both rings in one mapping, the receiving one first, is what Linux has; here one at a time. */
int packet_mmap(struct socket *s, struct vm_map_args *a)
{
	struct packet_sock *k = packet_of(s);
	int err = -EINVAL;

	mutex_lock(&net_config_lock);
	if (k->rx && k->tx) {
		err = -EOPNOTSUPP;
	} else if (k->rx || k->tx) {
		struct packet_ring *r = k->rx ? k->rx : k->tx;

		if (a->pgoff == 0 && page_round_up(a->len) == r->npages * PAGE_SIZE) {
			vmobject_get(r->object);
			a->object = r->object;
			a->how |= VM_MAP_PUT_OBJECT;
			a->max_prot = PROT_READ | PROT_WRITE;
			err = 0;
		}
	}
	mutex_unlock(&net_config_lock);
	return err;
}
