/*
 * The registry of network devices and their state. Devices stand in a list by index; lists and
 * fields change under net_config_lock, and readers go through the list under an epoch, so a device
 * that goes is freed after one.
 *
 * Events are told to listeners in the order in which they registered: addresses before routes,
 * both before netlink, which reports.
 */

#include "net/netif.h"

#include "abi/errno.h"
#include "abi/if.h"
#include "core/epoch.h"
#include "core/log.h"
#include "core/panic.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/netif_priv.h"
#include "pmm/slab.h"
#include "sched/work.h"

enum {
	IFF_CHANGEABLE = IFF_UP | IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC |
			 IFF_MULTICAST | IFF_PORTSEL | IFF_AUTOMEDIA | IFF_PROMISC | IFF_ALLMULTI
};
enum { OPER_UNKNOWN = 0, OPER_DOWN = 2, OPER_DORMANT = 5, OPER_UP = 6 };

struct mutex net_config_lock = MUTEX(net_config_lock, NETCFG);
static struct list devices = LIST_INIT(devices); /* by index */
static struct netdev_listener *listeners, **last_listener = &listeners;
static int next_index = 1;
static struct work carrier_work;

static struct link_kind *kinds;

void netdev_listen(struct netdev_listener *l)
{
	l->next = NULL;
	*last_listener = l;
	last_listener = &l->next;
}

static void tell(struct netdev *d, enum netdev_event e)
{
	for (struct netdev_listener *l = listeners; l; l = l->next)
		l->event(d, e);
}

/* --- finding --- */

static struct netdev *device_at(struct list *n)
{
	return list_entry(n, struct netdev, node);
}

static struct list *next_node(const struct list *n)
{
	return __atomic_load_n(&n->next, __ATOMIC_ACQUIRE);
}

static struct netdev *lookup(bool (*match)(const struct netdev *d, const void *key),
			     const void *key)
{
	struct netdev *found = NULL;

	epoch_enter();
	for (struct list *n = next_node(&devices); n != &devices && !found; n = next_node(n))
		if (match(device_at(n), key) && ref_tryget(&device_at(n)->ref))
			found = device_at(n);
	epoch_exit();
	return found;
}

static bool has_index(const struct netdev *d, const void *key)
{
	return d->index == *(const int *)key;
}

static bool has_name(const struct netdev *d, const void *key)
{
	return strcmp(d->name, key) == 0;
}

static bool has_index_from(const struct netdev *d, const void *key)
{
	return d->index >= *(const int *)key;
}

struct netdev *netif_find_index(int index)
{
	for (struct list *n = next_node(&devices); n != &devices; n = next_node(n))
		if (device_at(n)->index == index)
			return device_at(n);
	return NULL;
}

struct netdev *netdev_lookup_index(int index)
{
	return lookup(has_index, &index);
}

struct netdev *netdev_lookup_name(const char *name)
{
	return lookup(has_name, name);
}

struct netdev *netdev_next(int *index)
{
	struct netdev *d = lookup(has_index_from, index);

	if (d)
		*index = d->index;
	return d;
}

void netdev_put(struct netdev *d)
{
	if (d && ref_put(&d->ref)) /* the list holds one: it is out of the list by now */
		netdev_free(d);
}

/* --- state --- */

unsigned netdev_user_flags(const struct netdev *d)
{
	unsigned f = atomic_load_explicit(&d->flags, memory_order_relaxed);

	if (!(f & IFF_UP) || !atomic_load_explicit(&d->carrier, memory_order_relaxed))
		return f;
	return f | IFF_LOWER_UP | (netif_of(d)->linkmode ? 0 : IFF_RUNNING);
}

unsigned netdev_operstate(const struct netdev *d)
{
	unsigned f = netdev_user_flags(d);

	if (d->features & NETDEV_LOOPBACK || (f & IFF_RUNNING && netif_of(d)->kind))
		return OPER_UNKNOWN;
	return f & IFF_RUNNING ? OPER_UP : f & IFF_LOWER_UP ? OPER_DORMANT : OPER_DOWN;
}

static int driver_flags(struct netdev *d)
{
	return d->ops->set_flags ? d->ops->set_flags(d, d->flags) : 0;
}

/* d->flags shows IFF_PROMISC and IFF_ALLMULTI while there is a reason. */
static void follow_reasons(struct netdev *d)
{
	struct netif *n = netif_of(d);
	unsigned want = (n->promisc ? IFF_PROMISC : 0u) | (n->allmulti ? IFF_ALLMULTI : 0u);
	unsigned old = d->flags;

	d->flags = (old & ~(IFF_PROMISC | IFF_ALLMULTI)) | want;
	if (d->flags != old) {
		(void)driver_flags(d);
		log_info("%s: %s promiscuous mode", d->name,
			 want & IFF_PROMISC ? "entered" : "left");
	}
}

void netdev_promisc(struct netdev *d, int delta)
{
	netif_of(d)->promisc += (unsigned)delta;
	follow_reasons(d);
}

void netdev_allmulti(struct netdev *d, int delta)
{
	netif_of(d)->allmulti += (unsigned)delta;
	follow_reasons(d);
}

int netdev_change_flags(struct netdev *d, unsigned set, unsigned mask)
{
	unsigned old = d->flags, now = (old & ~mask) | (set & mask);
	int err = 0;

	now = (old & ~IFF_CHANGEABLE) | (now & IFF_CHANGEABLE);
	if ((old ^ now) & IFF_PROMISC)
		netdev_promisc(d, now & IFF_PROMISC ? 1 : -1);
	if ((old ^ now) & IFF_ALLMULTI)
		netdev_allmulti(d, now & IFF_ALLMULTI ? 1 : -1);
	now = (now & ~(IFF_PROMISC | IFF_ALLMULTI)) | (d->flags & (IFF_PROMISC | IFF_ALLMULTI));
	if (old & ~now & IFF_UP)
		tell(d, NETDEV_GOING_DOWN);
	d->flags = now;
	if ((old ^ now) & IFF_UP) {
		if ((err = driver_flags(d)))
			d->flags = old;
		else
			tell(d, now & IFF_UP ? NETDEV_UP : NETDEV_DOWN);
	}
	if (old != d->flags)
		tell(d, NETDEV_CHANGED);
	return err;
}

int netdev_change_mtu(struct netdev *d, unsigned mtu)
{
	if (mtu < d->min_mtu || mtu > d->max_mtu)
		return -EINVAL;
	if (mtu != d->mtu) {
		d->mtu = mtu;
		tell(d, NETDEV_CHANGED);
	}
	return 0;
}

int netdev_change_address(struct netdev *d, const uint8_t *addr, unsigned len)
{
	int err;

	if (len != d->addr_len)
		return -EINVAL;
	if (!d->ops->set_address)
		return -EOPNOTSUPP;
	if (addr[0] & 1)
		return -EADDRNOTAVAIL;
	if ((err = d->ops->set_address(d, addr)))
		return err;
	tell(d, NETDEV_CHANGED);
	return 0;
}

/* As interface names may be: netdevice(7). */
static bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= NETDEV_NAME || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == ' ' ||
		    (*name >= '\t' && *name <= '\r'))
			return false;
	return true;
}

/* "eth%d" becomes the first such name that is free. */
static int give_name(struct netdev *d, const char *pattern)
{
	char name[NETDEV_NAME + 8];
	const char *digit = strchr(pattern, '%');
	struct netdev *other;

	for (unsigned i = 0; i < 32768; i++) {
		if (digit)
			fmt(name, sizeof(name), pattern, i);
		else
			strscpy(name, pattern, sizeof(name));
		if (!name_is_valid(name))
			return -EINVAL;
		if (!(other = netdev_lookup_name(name))) {
			strscpy(d->name, name, sizeof(d->name));
			return 0;
		}
		netdev_put(other);
		if (!digit)
			return -EEXIST;
	}
	return -ENFILE;
}

int netdev_change_name(struct netdev *d, const char *name)
{
	const char *digit = strchr(name, '%');
	int err;

	if (strcmp(d->name, name) == 0)
		return 0;
	if (netdev_is_up(d))
		return -EBUSY;
	if (digit && (digit[1] != 'd' || strchr(digit + 1, '%')))
		return -EINVAL;
	if (!(err = give_name(d, name)))
		tell(d, NETDEV_CHANGED);
	return err;
}

int netdev_change_alias(struct netdev *d, const char *alias, uint32_t len)
{
	struct netif *n = netif_of(d);
	char *copy = NULL;

	if (len >= NETIF_ALIAS)
		return -EINVAL;
	if (len && !(copy = kzalloc(len + 1)))
		return -ENOMEM;
	if (copy)
		memcpy(copy, alias, len);
	kfree(n->alias);
	n->alias = copy;
	tell(d, NETDEV_CHANGED);
	return 0;
}

/* --- devices that come and go --- */

void link_kind_register(struct link_kind *k)
{
	k->next = kinds;
	kinds = k;
}

struct link_kind *link_kind_find(const char *name)
{
	struct link_kind *k = kinds;

	while (k && strcmp(k->name, name) != 0)
		k = k->next;
	return k;
}

static int free_index(void)
{
	while (netif_find_index(next_index))
		next_index++;
	return next_index++;
}

/* Behind those with smaller numbers. */
static void insert(struct netdev *d)
{
	struct list *at = devices.prev;

	while (at != &devices && device_at(at)->index > d->index)
		at = at->prev;
	d->node.prev = at;
	d->node.next = at->next;
	at->next->prev = &d->node;
	__atomic_store_n(&at->next, &d->node, __ATOMIC_RELEASE);
}

int netif_add(struct netdev *d, int index, const struct link_kind *kind)
{
	struct netif *n;
	char pattern[NETDEV_NAME];
	int err;

	if (index && netif_find_index(index))
		return -EBUSY;
	if (!(n = kzalloc(sizeof(*n))))
		return -ENOMEM;
	strscpy(pattern, d->name, sizeof(pattern));
	if ((err = give_name(d, pattern))) {
		kfree(n);
		return err;
	}
	n->dev = d;
	n->kind = kind;
	d->net = n;
	d->index = index ? index : free_index();
	d->flags |= d->features & NETDEV_LOOPBACK ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;
	if (d->features & NETDEV_NO_ARP && !(d->features & NETDEV_LOOPBACK))
		d->flags = (d->flags & ~IFF_MULTICAST) | IFF_NOARP;
	insert(d);
	tell(d, NETDEV_REGISTERED);
	return 0;
}

static void removed(struct epoch_head *h)
{
	struct netif *n = container_of(h, struct netif, epoch);
	struct netdev *d = n->dev;
	const struct link_kind *kind = n->kind;

	kfree(n->alias);
	kfree(n);
	mutex_lock(&net_config_lock);
	d->net = NULL;
	kind->give_back(d);
	mutex_unlock(&net_config_lock);
}

void netif_remove(struct netdev *d)
{
	struct netif *n = netif_of(d);

	(void)!netdev_change_flags(d, 0, IFF_UP);
	tell(d, NETDEV_UNREGISTERED);
	/* Readers may stand on it: its own links stay. */
	d->node.next->prev = d->node.prev;
	__atomic_store_n(&d->node.prev->next, d->node.next, __ATOMIC_RELEASE);
	epoch_free(&n->epoch, removed);
}

/* --- the drivers' side --- */

static int register_device(struct netdev *d)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netif_add(d, 0, NULL);
	mutex_unlock(&net_config_lock);
	if (err)
		return err;
	if (!(d->features & NETDEV_LOOPBACK))
		log_info("%s: %s, %02x:%02x:%02x:%02x:%02x:%02x", d->name, d->driver, d->addr[0],
			 d->addr[1], d->addr[2], d->addr[3], d->addr[4], d->addr[5]);
	return 0;
}

static void carrier_told(struct netdev *d)
{
	if (atomic_load_explicit(&d->carrier, memory_order_relaxed))
		netif_of(d)->carrier_ups++;
	else
		netif_of(d)->carrier_downs++;
	tell(d, NETDEV_CARRIER);
}

void netdev_change_carrier(struct netdev *d, bool on)
{
	if (atomic_exchange(&d->carrier, on) != on)
		carrier_told(d);
}

void netdev_change_mode(struct netdev *d, uint8_t mode, uint32_t group)
{
	struct netif *n = netif_of(d);

	if (n->linkmode == mode && n->group == group)
		return;
	n->linkmode = mode;
	n->group = group;
	tell(d, NETDEV_CHANGED);
}

static void run_carrier(struct work *w)
{
	struct netdev *d;
	int index = 1;

	(void)w;
	mutex_lock(&net_config_lock);
	for (; (d = netdev_next(&index)); index++) {
		if (atomic_exchange(&netif_of(d)->carrier_changed, false))
			carrier_told(d);
		netdev_put(d);
	}
	mutex_unlock(&net_config_lock);
}

static void carrier_changed(struct netdev *d)
{
	atomic_store(&netif_of(d)->carrier_changed, true);
	work_queue(&carrier_work);
}

static const struct netdev_client client = {
	.register_device = register_device,
	.input = net_input,
	.carrier_changed = carrier_changed,
};

void netif_init(void)
{
	pkt_init();
	work_init(&carrier_work, run_carrier);
	netdev_client = &client;
	loopback_init();
	dummy_init();
}
