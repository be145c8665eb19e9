/*
 * SO_ATTACH_FILTER: a program of classic BPF that looks at each packet before it is queued, and
 * says how much of it is kept. A filter is replaced whole and freed after an epoch, so that input
 * reads it without a lock.
 *
 * Sources: socket(7), packet(7); "Linux Socket Filtering" for the ancillary loads.
 */

#include "net/filter.h"

#include "abi/errno.h"
#include "core/epoch.h"
#include "core/percpu.h"
#include "core/random.h"
#include "dev/net/netdev.h"
#include "lib/string.h"
#include "lib/bpf.h"
#include "net/wire.h"
#include "pmm/slab.h"
#include "vm/usercopy.h"

struct socket_filter {
	struct epoch_head epoch;
	unsigned n;
	struct abi_sock_filter prog[];
};

struct view {
	struct bpf_input in; /* first */
	const struct pkt *p;
};

static uint32_t number(const uint8_t *b, unsigned size)
{
	return size == 4 ? be32_get(b) : size == 2 ? be16_get(b) : b[0];
}

static bool load(const struct bpf_input *in, uint32_t offset, unsigned size, uint32_t *out)
{
	const struct pkt *p = ((const struct view *)in)->p;
	uint8_t b[4];

	if (offset > p->len || size > p->len - offset)
		return false;
	if (LIKELY(offset + size <= p->linear)) {
		*out = number(p->data + offset, size);
		return true;
	}
	pkt_copy(p, offset, b, size);
	*out = number(b, size);
	return true;
}

/* Bytes before the socket's view of the packet: its headers, where they are still there. */
static bool load_from(const struct pkt *p, const uint8_t *from, uint32_t offset, unsigned size,
		      uint32_t *out)
{
	const uint8_t *end = p->data + p->linear;

	if (from < pkt_base(p) || from > end || offset > (uint32_t)(end - from) ||
	    size > (uint32_t)(end - from) - offset)
		return false;
	*out = number(from + offset, size);
	return true;
}

static bool beside(const struct pkt *p, int32_t what, uint32_t *out)
{
	switch (what) {
	case SKF_AD_PROTOCOL:
		*out = p->protocol;
		return true;
	case SKF_AD_PKTTYPE:
		*out = p->type;
		return true;
	case SKF_AD_IFINDEX:
		*out = p->dev ? (uint32_t)p->dev->index : 0;
		return p->dev;
	case SKF_AD_HATYPE:
		*out = p->dev ? p->dev->hw_type : 0;
		return p->dev;
	case SKF_AD_MARK:
		*out = p->mark;
		return true;
	case SKF_AD_CPU:
		*out = cpu_id();
		return true;
	case SKF_AD_RANDOM:
		*out = (uint32_t)random_u64();
		return true;
	case SKF_AD_QUEUE:
	case SKF_AD_RXHASH:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_VLAN_TPID:
		*out = 0; /* no device tells these */
		return true;
	}
	return false;
}

static bool special(const struct bpf_input *in, int32_t offset, unsigned size, uint32_t *out)
{
	const struct pkt *p = ((const struct view *)in)->p;

	if (offset >= SKF_AD_OFF)
		return beside(p, offset - SKF_AD_OFF, out);
	if (offset >= SKF_NET_OFF)
		return load_from(p, pkt_network(p), (uint32_t)(offset - SKF_NET_OFF), size, out);
	if (offset >= SKF_LL_OFF && p->network >= ETH_HEADER)
		return load_from(p, pkt_network(p) - ETH_HEADER, (uint32_t)(offset - SKF_LL_OFF),
				 size, out);
	return false;
}

uint32_t filter_run(const struct socket_filter *f, const struct pkt *p)
{
	struct view v = { { load, special, p->len }, p };

	return bpf_run(f->prog, &v.in);
}

struct bytes_view {
	struct bpf_input in; /* first */
	const struct filter_bytes *b;
};

static bool load_bytes(const struct bpf_input *in, uint32_t offset, unsigned size, uint32_t *out)
{
	const struct filter_bytes *b = ((const struct bytes_view *)in)->b;
	uint8_t v[4];

	if (offset > b->n || size > b->n - offset)
		return false;
	for (unsigned i = 0; i < size; i++, offset++)
		v[i] = ((const uint8_t *)b->at(b->ctx, offset / b->block))[offset % b->block];
	*out = number(v, size);
	return true;
}

static bool special_bytes(const struct bpf_input *in, int32_t offset, unsigned size, uint32_t *out)
{
	(void)in, (void)size;
	*out = 0;
	switch (offset - SKF_AD_OFF) {
	case SKF_AD_CPU:
		*out = cpu_id();
		return true;
	case SKF_AD_RANDOM:
		*out = (uint32_t)random_u64();
		return true;
	}
	return offset >= SKF_AD_OFF && offset - SKF_AD_OFF != SKF_AD_IFINDEX &&
	       offset - SKF_AD_OFF != SKF_AD_HATYPE; /* those need a device */
}

uint32_t filter_run_bytes(const struct socket_filter *f, const struct filter_bytes *b)
{
	struct bytes_view v = { { load_bytes, special_bytes, b->n }, b };

	return bpf_run(f->prog, &v.in);
}

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct socket_filter, epoch));
}

void filter_free(struct socket_filter *f)
{
	if (f)
		epoch_free(&f->epoch, free_now);
}

int filter_create(uaddr_t fprog, uint32_t len, struct socket_filter **out)
{
	struct abi_sock_fprog prog;
	struct socket_filter *f;
	uint16_t *written;
	size_t bytes;
	bool good;

	if (len != sizeof(prog))
		return -EINVAL;
	if (copy_from_user(&prog, fprog, sizeof(prog)))
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS || !prog.filter)
		return -EINVAL;
	bytes = prog.len * sizeof(f->prog[0]);
	f = kmalloc(sizeof(*f) + bytes);
	written = kmalloc(prog.len * sizeof(*written));
	if (!f || !written) {
		kfree(f);
		kfree(written);
		return -ENOMEM;
	}
	f->n = prog.len;
	if (copy_from_user(f->prog, UADDR(prog.filter), bytes)) {
		kfree(f);
		kfree(written);
		return -EFAULT;
	}
	good = bpf_check(f->prog, f->n, BPF_PACKET, written);
	kfree(written);
	if (!good) {
		kfree(f);
		return -EINVAL;
	}
	*out = f;
	return 0;
}

static bool is_locked(const struct socket *s)
{
	return socket_has(s, SOB_LOCK_FILTER);
}

int socket_attach_filter(struct socket *s, uaddr_t fprog, uint32_t len)
{
	struct socket_filter *f;
	int err;

	if (is_locked(s))
		return -EPERM;
	if ((err = filter_create(fprog, len, &f)))
		return err;
	filter_free(atomic_exchange(&s->filter, f));
	return 0;
}

int socket_detach_filter(struct socket *s)
{
	struct socket_filter *old;

	if (is_locked(s))
		return -EPERM;
	if (!(old = atomic_exchange(&s->filter, NULL)))
		return -ENOENT;
	filter_free(old);
	return 0;
}

int socket_lock_filter(struct socket *s, bool on)
{
	if (!on && is_locked(s))
		return -EPERM;
	if (on)
		atomic_fetch_or(&s->bits, SOB_LOCK_FILTER);
	return 0;
}

int socket_get_filter(struct socket *s, uaddr_t val, uint32_t *len)
{
	const struct socket_filter *f;
	struct abi_sock_filter *copy = NULL;
	unsigned n;
	int err = 0;

	/* The program may be replaced while it is copied to the user. */
	epoch_enter();
	f = atomic_load_explicit(&s->filter, memory_order_acquire);
	n = f ? f->n : 0;
	if (n && *len >= n) {
		if ((copy = kmalloc(n * sizeof(*copy))))
			memcpy(copy, f->prog, n * sizeof(*copy));
		else
			err = -ENOMEM;
	}
	epoch_exit();
	if (!err && n && *len && *len < n)
		err = -EINVAL;
	if (!err && copy)
		err = copy_to_user(val, copy, n * sizeof(*copy));
	kfree(copy);
	if (!err)
		*len = n;
	return err;
}
