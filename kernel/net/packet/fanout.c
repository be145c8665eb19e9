/*
 * PACKET_FANOUT: sockets of a group share what each would see alone. The tap of each member is
 * called with every frame, and all come to the same answer whose it is.
 */

#include "abi/errno.h"
#include "core/percpu.h"
#include "core/random.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "net/packet/packet_priv.h"
#include "pmm/slab.h"

enum { MEMBERS_MAX = 256 };

struct packet_group {
	struct packet_group *next;
	uint16_t id, type;
	uint16_t protocol;
	int ifindex;
	unsigned n;
	const struct packet_sock *member[MEMBERS_MAX];
	/* Whose turn it is: of one frame at a time on each CPU, until all have asked. */
	struct {
		unsigned asked, choice;
	} turn[MAX_CPUS];
	struct epoch_head epoch;
};

static struct packet_group *groups; /* net_config_lock */

static void free_now(struct epoch_head *h)
{
	kfree(container_of(h, struct packet_group, epoch));
}

static struct packet_group *find_or_make(const struct packet_sock *k, uint16_t id, uint16_t type)
{
	struct packet_group *g = groups;

	while (g && g->id != id)
		g = g->next;
	if (g || !(g = kzalloc(sizeof(*g))))
		return g;
	g->id = id;
	g->type = type;
	g->protocol = k->protocol;
	g->ifindex = k->ifindex;
	g->next = groups;
	groups = g;
	return g;
}

int packet_join(struct packet_sock *k, uint32_t how)
{
	uint16_t id = (uint16_t)how, type = (uint16_t)(how >> 16);
	struct packet_group *g;

	if (type != PACKET_FANOUT_HASH && type != PACKET_FANOUT_LB && type != PACKET_FANOUT_CPU &&
	    type != PACKET_FANOUT_RND && type != PACKET_FANOUT_QM)
		return -EINVAL;
	if (k->group)
		return -EALREADY;
	if (!k->tapped)
		return -EINVAL;
	if (!(g = find_or_make(k, id, type)))
		return -ENOMEM;
	if (g->type != type || g->protocol != k->protocol || g->ifindex != k->ifindex)
		return -EINVAL;
	if (g->n == MEMBERS_MAX)
		return -ENOSPC;
	g->member[g->n] = k;
	__atomic_store_n(&g->n, g->n + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&k->group, g, __ATOMIC_RELEASE);
	return 0;
}

void packet_leave(struct packet_sock *k)
{
	struct packet_group *g = k->group, **at = &groups;

	if (!g)
		return;
	k->group = NULL;
	for (unsigned i = 0; i < g->n; i++)
		if (g->member[i] == k) {
			g->member[i] = g->member[g->n - 1];
			__atomic_store_n(&g->n, g->n - 1, __ATOMIC_RELEASE);
			break;
		}
	if (g->n)
		return;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	epoch_free(&g->epoch, free_now);
}

/* The same for both directions of a flow: addresses and ports, as far as they lie there. */
static uint64_t flow_hash(const struct pkt *p)
{
	uint8_t b[64] = { 0 };
	uint64_t sum = 0, w;

	pkt_copy(p, 0, b, MIN(p->len, (uint32_t)sizeof(b)));
	if (b[12] == 0x08 && b[13] == 0) { /* IPv4: addresses and ports added up */
		uint32_t v[3];

		memcpy(v, b + 26, 8);
		memcpy(&v[2], b + 14 + (b[14] & 15) * 4u % 40, 4);
		sum = (uint64_t)v[0] + v[1] + (v[2] & 0xffff) + (v[2] >> 16) + b[23];
	} else {
		for (unsigned i = 14 + 8; i < 54; i += 8) {
			memcpy(&w, b + i, 8);
			sum += w;
		}
	}
	return hash_u64(sum);
}

static unsigned next_turn(struct packet_group *g, unsigned n)
{
	unsigned cpu = cpu_id();

	if (g->turn[cpu].asked == 0)
		g->turn[cpu].choice = g->type == PACKET_FANOUT_RND ? (unsigned)(random_u64() % n)
								   : (g->turn[cpu].choice + 1) % n;
	g->turn[cpu].asked = (g->turn[cpu].asked + 1) % n;
	return g->turn[cpu].choice;
}

bool packet_is_for(const struct packet_sock *k, const struct packet_group *g, const struct pkt *p)
{
	unsigned n = __atomic_load_n(&g->n, __ATOMIC_ACQUIRE), choice = 0;

	if (n == 0)
		return true;
	switch (g->type) {
	case PACKET_FANOUT_HASH:
		choice = (unsigned)(flow_hash(p) % n);
		break;
	case PACKET_FANOUT_CPU:
		choice = cpu_id() % n;
		break;
	case PACKET_FANOUT_LB:
	case PACKET_FANOUT_RND:
		choice = next_turn((struct packet_group *)(uintptr_t)g, n) % n;
		break;
	}
	return g->member[choice] == k;
}

uint32_t packet_group_value(const struct packet_sock *k)
{
	const struct packet_group *g = k->group;

	return g ? g->id | (uint32_t)g->type << 16 : 0;
}
