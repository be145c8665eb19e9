/* What ethtool(8) asks by ioctl: the driver, the link, features, counters. Nothing can be set. */

#include "abi/ethtool.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "net/ifreq.h"
#include "net/netif.h"
#include "vm/usercopy.h"

enum { LINK_WORDS = 4 };

/* Names, and what of enum netdev_features is behind them; 0: always. */
static const struct {
	const char *name;
	uint32_t bits;
} features[] = {
	{ "tx-scatter-gather", 0 },
	{ "tx-checksum-ip-generic", NETDEV_CSUM },
	{ "highdma", 0 },
	{ "tx-tcp-segmentation", NETDEV_TSO4 },
	{ "tx-tcp-ecn-segmentation", NETDEV_TSO_ECN },
	{ "tx-tcp6-segmentation", NETDEV_TSO6 },
	{ "rx-checksum", NETDEV_RX_CSUM },
	{ "rx-gro-hw", NETDEV_RX_GSO },
	{ "loopback", NETDEV_LOOPBACK },
};

static const struct {
	const char *name;
	size_t at; /* in struct netdev_stats */
} counters[] = {
	{ "rx_queue_0_packets", offsetof(struct netdev_stats, rx_packets) },
	{ "rx_queue_0_bytes", offsetof(struct netdev_stats, rx_bytes) },
	{ "rx_queue_0_drops", offsetof(struct netdev_stats, rx_dropped) },
	{ "tx_queue_0_packets", offsetof(struct netdev_stats, tx_packets) },
	{ "tx_queue_0_bytes", offsetof(struct netdev_stats, tx_bytes) },
	{ "tx_queue_0_drops", offsetof(struct netdev_stats, tx_dropped) },
};

static bool has_counters(const struct netdev *d)
{
	return !(d->features & NETDEV_LOOPBACK);
}

static int driver_info(const struct netdev *d, uaddr_t to)
{
	struct abi_ethtool_drvinfo i = { .cmd = ETHTOOL_GDRVINFO };

	strscpy(i.driver, d->driver, sizeof(i.driver));
	strscpy(i.bus_info, d->bus, sizeof(i.bus_info));
	i.n_stats = has_counters(d) ? ARRAY_SIZE(counters) : 0;
	return copy_to_user(to, &i, sizeof(i));
}

static int link_settings(const struct netdev *d, uaddr_t to)
{
	struct {
		struct abi_ethtool_link_settings s;
		uint32_t masks[3 * LINK_WORDS];
	} out = { .s = { .cmd = ETHTOOL_GLINKSETTINGS } };
	int8_t words;

	if (d->features & NETDEV_LOOPBACK)
		return -EOPNOTSUPP;
	if (copy_from_user(&words,
			   uaddr_add(to, offsetof(struct abi_ethtool_link_settings,
						  link_mode_masks_nwords)),
			   1))
		return -EFAULT;
	if (words != LINK_WORDS) { /* how many there are: the user asks again */
		out.s.link_mode_masks_nwords = -LINK_WORDS;
		return copy_to_user(to, &out.s, sizeof(out.s));
	}
	out.s.link_mode_masks_nwords = LINK_WORDS;
	out.s.speed = d->speed ? d->speed : (uint32_t)SPEED_UNKNOWN;
	out.s.duplex = d->speed ? DUPLEX_FULL : DUPLEX_UNKNOWN;
	out.s.port = PORT_OTHER;
	return copy_to_user(to, &out, sizeof(out));
}

static uint32_t set_size(const struct netdev *d, uint32_t set)
{
	if (set == ETH_SS_FEATURES)
		return ARRAY_SIZE(features);
	return set == ETH_SS_STATS && has_counters(d) ? ARRAY_SIZE(counters) : 0;
}

static int sets(const struct netdev *d, uaddr_t to)
{
	struct abi_ethtool_sset_info i;
	uint32_t sizes[2], n = 0;
	uint64_t have = 0;

	if (copy_from_user(&i, to, sizeof(i)))
		return -EFAULT;
	for (uint32_t s = ETH_SS_STATS; s <= ETH_SS_FEATURES; s++)
		if (i.sset_mask >> s & 1 && set_size(d, s)) {
			have |= 1ull << s;
			sizes[n++] = set_size(d, s);
		}
	i.sset_mask = have;
	if (copy_to_user(to, &i, sizeof(i)))
		return -EFAULT;
	return copy_to_user(uaddr_add(to, sizeof(i)), sizes, n * sizeof(sizes[0]));
}

static int strings(const struct netdev *d, uaddr_t to)
{
	struct abi_ethtool_gstrings g;
	char name[ETH_GSTRING_LEN];

	if (copy_from_user(&g, to, sizeof(g)))
		return -EFAULT;
	if (!(g.len = set_size(d, g.string_set)))
		return -EOPNOTSUPP;
	if (copy_to_user(to, &g, sizeof(g)))
		return -EFAULT;
	for (uint32_t i = 0; i < g.len; i++) {
		memset(name, 0, sizeof(name));
		strscpy(name, g.string_set == ETH_SS_STATS ? counters[i].name : features[i].name,
			sizeof(name));
		if (copy_to_user(uaddr_add(to, sizeof(g) + i * sizeof(name)), name, sizeof(name)))
			return -EFAULT;
	}
	return 0;
}

static int get_features(const struct netdev *d, uaddr_t to)
{
	struct abi_ethtool_get_features_block b = { 0 };
	struct abi_ethtool_gfeatures g;
	uint32_t room;

	if (copy_from_user(&g, to, sizeof(g)))
		return -EFAULT;
	room = g.size;
	g.size = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
		if ((d->features & features[i].bits) == features[i].bits)
			b.active |= 1u << i;
	b.requested = b.active;
	b.never_changed = (1u << ARRAY_SIZE(features)) - 1;
	if (copy_to_user(to, &g, sizeof(g)))
		return -EFAULT;
	return room ? copy_to_user(uaddr_add(to, sizeof(g)), &b, sizeof(b)) : 0;
}

static int get_counters(const struct netdev *d, uaddr_t to)
{
	struct {
		struct abi_ethtool_stats h;
		uint64_t v[ARRAY_SIZE(counters)];
	} out = { .h = { ETHTOOL_GSTATS, ARRAY_SIZE(counters) } };
	struct netdev_stats s;

	if (!has_counters(d))
		return -EOPNOTSUPP;
	netdev_stats_sum(d, &s);
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++)
		memcpy(&out.v[i], (const uint8_t *)&s + counters[i].at, sizeof(out.v[i]));
	return copy_to_user(to, &out, sizeof(out));
}

static int hardware_address(const struct netdev *d, uaddr_t to)
{
	struct abi_ethtool_perm_addr p;

	if (copy_from_user(&p, to, sizeof(p)))
		return -EFAULT;
	if (p.size < d->addr_len)
		return -EINVAL;
	p.size = d->addr_len;
	if (copy_to_user(to, &p, sizeof(p)))
		return -EFAULT;
	return copy_to_user(uaddr_add(to, sizeof(p)), d->addr, d->addr_len);
}

static int channels(const struct netdev *d, uaddr_t to)
{
	struct abi_ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS,
					  .max_combined = 1,
					  .combined_count = 1 };

	return has_counters(d) ? copy_to_user(to, &c, sizeof(c)) : -EOPNOTSUPP;
}

/* The older requests, each for one number. -EOPNOTSUPP: none of them. */
static int number(const struct netdev *d, uint32_t cmd, uint32_t *out)
{
	switch (cmd) {
	case ETHTOOL_GLINK:
		*out = atomic_load_explicit(&d->carrier, memory_order_relaxed);
		return 0;
	case ETHTOOL_GRXCSUM:
		*out = !!(d->features & NETDEV_RX_CSUM);
		return 0;
	case ETHTOOL_GTXCSUM:
		*out = !!(d->features & NETDEV_CSUM);
		return 0;
	case ETHTOOL_GSG:
		*out = 1;
		return 0;
	case ETHTOOL_GTSO:
		*out = !!(d->features & NETDEV_TSO4);
		return 0;
	case ETHTOOL_GGSO:
	case ETHTOOL_GGRO:
	case ETHTOOL_GFLAGS:
		*out = 0;
		return 0;
	}
	return -EOPNOTSUPP;
}

int64_t ethtool_ioctl(struct netdev *d, uint64_t data)
{
	struct abi_ethtool_value v;
	uaddr_t to = UADDR(data);
	int err;

	if (get_user_u32(&v.cmd, to))
		return -EFAULT;
	switch (v.cmd) {
	case ETHTOOL_GDRVINFO:
		return driver_info(d, to);
	case ETHTOOL_GLINKSETTINGS:
		return link_settings(d, to);
	case ETHTOOL_GSSET_INFO:
		return sets(d, to);
	case ETHTOOL_GSTRINGS:
		return strings(d, to);
	case ETHTOOL_GFEATURES:
		return get_features(d, to);
	case ETHTOOL_GSTATS:
		return get_counters(d, to);
	case ETHTOOL_GPERMADDR:
		return hardware_address(d, to);
	case ETHTOOL_GCHANNELS:
		return channels(d, to);
	}
	err = number(d, v.cmd, &v.data);
	return err ? err : copy_to_user(to, &v, sizeof(v));
}
