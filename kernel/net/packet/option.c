/* SOL_PACKET. source: packet(7) */

#include "abi/errno.h"
#include "abi/if.h"
#include "lib/string.h"
#include "net/packet/packet_priv.h"
#include "pmm/slab.h"
#include "vm/usercopy.h"

/* --- memberships: net_config_lock --- */

/* A device hears all groups while somebody wants one: it has no list of them. */
static void hear(struct netdev *d, unsigned type, int delta)
{
	if (!d || type == PACKET_MR_UNICAST)
		return;
	if (type == PACKET_MR_PROMISC)
		netdev_promisc(d, delta);
	else
		netdev_allmulti(d, delta);
}

static struct packet_member **find_member(struct packet_sock *k, const struct abi_packet_mreq *m)
{
	struct packet_member **at = &k->members;

	while (*at && ((*at)->ifindex != m->mr_ifindex || (*at)->type != m->mr_type ||
		       (*at)->alen != m->mr_alen ||
		       memcmp((*at)->addr, m->mr_address, MIN(m->mr_alen, 8)) != 0))
		at = &(*at)->next;
	return at;
}

static int add_member(struct packet_sock *k, const struct abi_packet_mreq *m)
{
	struct packet_member **at = find_member(k, m), *n;
	struct netdev *d = netif_find_index(m->mr_ifindex);

	if (!d)
		return -ENODEV;
	if (m->mr_alen > d->addr_len || m->mr_type > PACKET_MR_UNICAST)
		return -EINVAL;
	if (*at) {
		(*at)->count++;
		return 0;
	}
	if (!(n = kzalloc(sizeof(*n))))
		return -ENOBUFS;
	n->ifindex = m->mr_ifindex;
	n->type = m->mr_type;
	n->alen = m->mr_alen;
	memcpy(n->addr, m->mr_address, sizeof(n->addr));
	n->count = 1;
	*at = n;
	hear(d, n->type, 1);
	return 0;
}

static void remove_member(struct packet_member **at)
{
	struct packet_member *n = *at;

	hear(netif_find_index(n->ifindex), n->type, -1);
	*at = n->next;
	kfree(n);
}

/* One that is not there is no error, as on Linux. */
static int drop_member(struct packet_sock *k, const struct abi_packet_mreq *m)
{
	struct packet_member **at = find_member(k, m);

	if (*at && --(*at)->count == 0)
		remove_member(at);
	return 0;
}

void packet_drop_members(struct packet_sock *k)
{
	while (k->members)
		remove_member(&k->members);
}

static int change_member(struct packet_sock *k, int name, uaddr_t val, uint32_t len)
{
	struct abi_packet_mreq m = { 0 };
	int err;

	if (len < sizeof(m))
		return -EINVAL;
	if (copy_from_user(&m, val, sizeof(m)))
		return -EFAULT;
	mutex_lock(&net_config_lock);
	err = name == PACKET_ADD_MEMBERSHIP ? add_member(k, &m) : drop_member(k, &m);
	mutex_unlock(&net_config_lock);
	return err;
}

/* --- words --- */

static int set_version(struct packet_sock *k, uint32_t v)
{
	if (v > TPACKET_V3)
		return -EINVAL;
	if (k->rx || k->tx)
		return -EBUSY;
	k->version = v;
	return 0;
}

static int join(struct packet_sock *k, uint32_t how)
{
	int err;

	mutex_lock(&net_config_lock);
	err = packet_join(k, how);
	mutex_unlock(&net_config_lock);
	return err;
}

static int set_word(struct packet_sock *k, int name, uint32_t v)
{
	switch (name) {
	case PACKET_AUXDATA:
		k->auxdata = v;
		return 0;
	case PACKET_ORIGDEV: /* there are no devices above others: it is the same */
		k->origdev = v;
		return 0;
	case PACKET_VERSION:
		return set_version(k, v);
	case PACKET_RESERVE:
		if (v > INT32_MAX)
			return -EINVAL;
		if (k->rx || k->tx)
			return -EBUSY;
		k->reserve = v;
		return 0;
	case PACKET_LOSS:
		if (k->rx || k->tx)
			return -EBUSY;
		k->loss = v;
		return 0;
	case PACKET_IGNORE_OUTGOING:
		if (v > 1)
			return -EINVAL;
		k->ignore_outgoing = v;
		return 0;
	case PACKET_QDISC_BYPASS: /* there are no queueing disciplines */
	case PACKET_COPY_THRESH:
		return 0;
	case PACKET_TIMESTAMP: /* there are no clocks in devices: software's is what there is */
		return 0;
	case PACKET_FANOUT:
		return join(k, v);
	}
	return -ENOPROTOOPT;
}

int packet_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	struct packet_sock *k = packet_of(s);
	uint32_t v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (name == PACKET_ADD_MEMBERSHIP || name == PACKET_DROP_MEMBERSHIP)
		return change_member(k, name, val, len);
	if (name == PACKET_RX_RING || name == PACKET_TX_RING)
		return packet_set_ring(k, val, len, name == PACKET_TX_RING);
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user_u32(&v, val))
		return -EFAULT;
	return set_word(k, name, v);
}

static int get_statistics(struct packet_sock *k, void *val, uint32_t *len)
{
	struct abi_tpacket_stats_v3 st;

	spin_lock(&k->lock);
	st = (struct abi_tpacket_stats_v3){ k->packets + k->drops, k->drops, k->freezes };
	k->packets = k->drops = k->freezes = 0;
	spin_unlock(&k->lock);
	*len = MIN(*len, (uint32_t)(k->version == TPACKET_V3 ? sizeof(st)
							     : sizeof(struct abi_tpacket_stats)));
	memcpy(val, &st, *len);
	return 0;
}

int packet_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct packet_sock *k = packet_of(s);
	int v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_STATISTICS:
		return get_statistics(k, val, len);
	case PACKET_AUXDATA:
		v = k->auxdata;
		break;
	case PACKET_ORIGDEV:
		v = k->origdev;
		break;
	case PACKET_VERSION:
		v = (int)k->version;
		break;
	case PACKET_HDRLEN:
		if (*len < sizeof(v))
			return -EINVAL;
		memcpy(&v, val, sizeof(v));
		if ((v = packet_header_len((uint32_t)v)) < 0)
			return v;
		break;
	case PACKET_RESERVE:
		v = (int)k->reserve;
		break;
	case PACKET_LOSS:
		v = k->loss;
		break;
	case PACKET_IGNORE_OUTGOING:
		v = k->ignore_outgoing;
		break;
	case PACKET_VNET_HDR:
	case PACKET_QDISC_BYPASS:
	case PACKET_TIMESTAMP:
		v = 0;
		break;
	case PACKET_FANOUT:
		v = (int)packet_group_value(k);
		break;
	default:
		return -ENOPROTOOPT;
	}
	*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
