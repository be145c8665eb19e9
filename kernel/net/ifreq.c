/* Devices by ioctl. source: netdevice(7) */

#include "net/ifreq.h"

#include "abi/errno.h"
#include "abi/if.h"
#include "abi/ioctl.h"
#include "lib/string.h"
#include "net/netif.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { NO_ANSWER = 1 }; /* of the functions here: done, and nothing goes back to the user */

static void put_address(struct abi_ifreq *r, const struct netdev *d, const uint8_t *addr)
{
	memset(&r->addr, 0, sizeof(r->addr));
	r->addr.family = d->hw_type;
	memcpy(r->addr.data, addr, d->addr_len);
}

static int get(const struct netdev *d, unsigned cmd, struct abi_ifreq *r)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->flags = (int16_t)netdev_user_flags(d);
		return 0;
	case SIOCGIFMETRIC:
		r->value = 0;
		return 0;
	case SIOCGIFMTU:
		r->value = (int32_t)d->mtu;
		return 0;
	case SIOCGIFHWADDR:
		put_address(r, d, d->addr);
		return 0;
	case SIOCGIFINDEX:
		r->value = d->index;
		return 0;
	case SIOCGIFTXQLEN:
		r->value = (int32_t)d->txqueuelen;
		return 0;
	case SIOCGIFMAP:
		memset(&r->map, 0, sizeof(r->map));
		return 0;
	case SIOCGIFSLAVE:
		return -EINVAL;
	}
	return -ENOTTY;
}

static int set_address(struct netdev *d, const struct abi_ifreq *r)
{
	if (r->addr.family != d->hw_type)
		return -EINVAL;
	return netdev_change_address(d, r->addr.data, d->addr_len);
}

static int set(struct netdev *d, unsigned cmd, struct abi_ifreq *r)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
		return netdev_change_flags(d, (uint16_t)r->flags, 0xffff);
	case SIOCSIFMTU:
		return r->value < 0 ? -EINVAL : netdev_change_mtu(d, (unsigned)r->value);
	case SIOCSIFHWADDR:
		return set_address(d, r);
	case SIOCSIFNAME:
		r->newname[IFNAMSIZ - 1] = '\0';
		return netdev_change_name(d, r->newname);
	case SIOCSIFTXQLEN:
		if (r->value < 0)
			return -EINVAL;
		d->txqueuelen = (unsigned)r->value;
		return 0;
	}
	return -EOPNOTSUPP;
}

static bool is_get(unsigned cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFMAP:
	case SIOCGIFSLAVE:
		return true;
	}
	return false;
}

static bool is_set(unsigned cmd)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
	case SIOCSIFTXQLEN:
	case SIOCSIFMETRIC:
	case SIOCSIFMAP:
	case SIOCSIFHWBROADCAST:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return true;
	}
	return false;
}

static int get_name(struct abi_ifreq *r)
{
	struct netdev *d = netdev_lookup_index(r->value);

	if (!d)
		return -ENODEV;
	memset(r->ifr_name, 0, sizeof(r->ifr_name));
	strscpy(r->ifr_name, d->name, sizeof(r->ifr_name));
	netdev_put(d);
	return 0;
}

/* "eth0:1" is a name of an address of eth0. */
static struct netdev *lookup_device(struct abi_ifreq *r)
{
	char name[IFNAMSIZ], *colon;

	r->ifr_name[IFNAMSIZ - 1] = '\0';
	strscpy(name, r->ifr_name, sizeof(name));
	if ((colon = strchr(name, ':')))
		*colon = '\0';
	return netdev_lookup_name(name);
}

static int64_t on_device(struct netdev *d, unsigned cmd, struct abi_ifreq *r)
{
	int64_t ret;

	if (is_get(cmd))
		return get(d, cmd, r);
	if (cmd == SIOCETHTOOL) {
		ret = ethtool_ioctl(d, r->data);
		return ret ? ret : NO_ANSWER;
	}
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&net_config_lock);
	ret = set(d, cmd, r);
	mutex_unlock(&net_config_lock);
	return ret ? ret : NO_ANSWER;
}

int64_t netdev_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct abi_ifreq r;
	struct netdev *d;
	int64_t ret;

	(void)s;
	if (cmd != SIOCGIFNAME && cmd != SIOCETHTOOL && !is_get(cmd) && !is_set(cmd))
		return -ENOTTY;
	if (copy_from_user(&r, UADDR(arg), sizeof(r)))
		return -EFAULT;
	if (cmd == SIOCGIFNAME) {
		ret = get_name(&r);
	} else {
		if (!(d = lookup_device(&r)))
			return -ENODEV;
		ret = on_device(d, cmd, &r);
		netdev_put(d);
		net_run_deferred();
	}
	if (ret)
		return ret == NO_ANSWER ? 0 : ret;
	return copy_to_user(UADDR(arg), &r, sizeof(r));
}
