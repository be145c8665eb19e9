/*
 * SOL_SOCKET. Most options are one bit or one word that the family looks at when it needs it; what
 * only some families have is asked of them. An option that nothing here acts on does not exist
 * (-ENOPROTOOPT).
 *
 * Sources: socket(7), getsockopt(2), unix(7).
 */

#include "abi/errno.h"
#include "abi/time.h"
#include "lib/string.h"
#include "net/filter.h"
#include "net/netif.h"
#include "net/socket.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { SNDBUF_MIN = 4608, RCVBUF_MIN = 2304, PRIORITY_UNPRIVILEGED = 6 };

static const struct bit_option {
	int name;
	uint32_t bit;
} bit_options[] = {
	{ SO_DEBUG, SOB_DEBUG },
	{ SO_REUSEADDR, SOB_REUSEADDR },
	{ SO_DONTROUTE, SOB_DONTROUTE },
	{ SO_BROADCAST, SOB_BROADCAST },
	{ SO_KEEPALIVE, SOB_KEEPALIVE },
	{ SO_OOBINLINE, SOB_OOBINLINE },
	{ SO_NO_CHECK, SOB_NO_CHECK },
	{ SO_REUSEPORT, SOB_REUSEPORT },
	{ SO_PASSCRED, SOB_PASSCRED },
	{ SO_PASSSEC, SOB_PASSSEC },
	{ SO_RXQ_OVFL, SOB_RXQ_OVFL },
	{ SO_TIMESTAMP, SOB_TIMESTAMP },
	{ SO_TIMESTAMPNS, SOB_TIMESTAMPNS },
	{ SO_WIFI_STATUS, SOB_WIFI_STATUS },
	{ SO_NOFCS, SOB_NOFCS },
	{ SO_SELECT_ERR_QUEUE, SOB_SELECT_ERR_QUEUE },
	{ SO_PREFER_BUSY_POLL, SOB_PREFER_BUSY_POLL },
	{ SO_RCVMARK, SOB_RCVMARK },
};

static const struct bit_option *find_bit(int name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bit_options); i++)
		if (bit_options[i].name == name)
			return &bit_options[i];
	return NULL;
}

static void set_bits(struct socket *s, uint32_t bits, bool on)
{
	/* There is one timestamp, in one format or the other. */
	if (bits & (SOB_TIMESTAMP | SOB_TIMESTAMPNS))
		atomic_fetch_and(&s->bits,
				 ~(uint32_t)(SOB_TIMESTAMP | SOB_TIMESTAMPNS | SOB_TIMESTAMP_NEW));
	if (on)
		atomic_fetch_or(&s->bits, bits);
	else
		atomic_fetch_and(&s->bits, ~bits);
}

/* --- set --- */

static int set_linger(struct socket *s, uaddr_t val, uint32_t len)
{
	struct abi_linger l;

	if (len < sizeof(l))
		return -EINVAL;
	if (copy_from_user(&l, val, sizeof(l)))
		return -EFAULT;
	if (l.l_onoff)
		s->linger_s = (uint32_t)l.l_linger;
	set_bits(s, SOB_LINGER, l.l_onoff);
	return 0;
}

/* 0: for ever; negative: at once. */
static int set_timeout(nsec_t *out, uaddr_t val, uint32_t len)
{
	struct abi_timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	if (copy_from_user(&tv, val, sizeof(tv)))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		*out = 0;
	else if ((tv.tv_sec == 0 && tv.tv_usec == 0) || tv.tv_sec >= NSEC_MAX / NSEC_PER_SEC / 2)
		*out = NSEC_MAX;
	else
		*out = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * NSEC_PER_USEC;
	return 0;
}

/* What the user asks for is doubled: half is for the kernel's own use, socket(7). */
static void set_buffer(uint32_t *out, int v, int max, uint32_t min, bool force)
{
	uint32_t n =
		force ? (uint32_t)MIN(MAX(v, 0), INT32_MAX / 2) : MIN((uint32_t)v, (uint32_t)max);

	*out = MAX(n * 2, min);
}

static int set_buffers(struct socket *s, int name, int v)
{
	bool force = name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE;

	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (name == SO_SNDBUF || name == SO_SNDBUFFORCE) {
		set_buffer(&s->sndbuf, v, net_wmem_max, SNDBUF_MIN, force);
		set_bits(s, SOB_SNDBUF_SET, true);
		socket_wake(s, &s->writable, 0);
	} else {
		set_buffer(&s->rcvbuf, v, net_rmem_max, RCVBUF_MIN, force);
		set_bits(s, SOB_RCVBUF_SET, true);
	}
	return 0;
}

static bool may_rebind(const struct socket *s)
{
	return !s->bound_if || capable(CAP_NET_RAW);
}

static int set_rcvlowat(struct socket *s, int v)
{
	uint32_t n = v < 0 ? INT32_MAX : (uint32_t)v;
	int err = s->ops->check_option ? s->ops->check_option(s, SO_RCVLOWAT, &n) : 0;

	if (!err)
		s->rcvlowat = MAX(n, 1u);
	return err;
}

static int set_word(struct socket *s, int name, int v)
{
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_buffers(s, name, v);
	case SO_RCVLOWAT:
		return set_rcvlowat(s, v);
	case SO_PRIORITY:
		if ((v < 0 || v > PRIORITY_UNPRIVILEGED) && !capable(CAP_NET_ADMIN))
			return -EPERM;
		s->priority = (uint32_t)v;
		return 0;
	case SO_MARK:
		if (!capable(CAP_NET_ADMIN))
			return -EPERM;
		s->mark = (uint32_t)v;
		return 0;
	case SO_BINDTOIFINDEX:
		if (v < 0)
			return -EINVAL;
		if (!may_rebind(s))
			return -EPERM;
		s->bound_if = v;
		return 0;
	case SO_PEEK_OFF:
		if (!(s->ops->flags & SOCKET_PEEK_OFF))
			return -EOPNOTSUPP;
		atomic_store(&s->peek_off, v);
		return 0;
	case SO_BSDCOMPAT: /* obsolete: taken and ignored, socket(7) */
		return 0;
	}
	return -ENOPROTOOPT;
}

static int bind_to_device(struct socket *s, uaddr_t val, uint32_t len)
{
	char name[NETDEV_NAME] = { 0 };
	struct netdev *d = NULL;

	if ((int32_t)len < 0)
		return -EINVAL;
	if (copy_from_user(name, val, MIN(len, (uint32_t)sizeof(name) - 1)))
		return -EFAULT;
	if (!may_rebind(s))
		return -EPERM;
	if (name[0] && !(d = netdev_lookup_name(name)))
		return -ENODEV;
	s->bound_if = d ? d->index : 0;
	netdev_put(d);
	return 0;
}

static int set_timestamp_new(struct socket *s, int name, bool on)
{
	set_bits(s, name == SO_TIMESTAMP_NEW ? SOB_TIMESTAMP : SOB_TIMESTAMPNS, on);
	if (on)
		atomic_fetch_or(&s->bits, SOB_TIMESTAMP_NEW);
	return 0;
}

static int set_filter(struct socket *s, int name, uaddr_t val, uint32_t len, uint32_t v)
{
	uint32_t none = 0;
	int err;

	switch (name) {
	case SO_ATTACH_FILTER:
		err = s->ops->check_option ? s->ops->check_option(s, name, &none) : 0;
		return err ? err : socket_attach_filter(s, val, len);
	case SO_DETACH_FILTER:
		return socket_detach_filter(s);
	}
	return socket_lock_filter(s, v);
}

static int set_socket_level(struct socket *s, int name, uaddr_t val, uint32_t len)
{
	const struct bit_option *b;
	uint32_t v;
	int err;

	if (name == SO_BINDTODEVICE)
		return bind_to_device(s, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user_u32(&v, val))
		return -EFAULT;
	switch (name) {
	case SO_LINGER:
		return set_linger(s, val, len);
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return set_timeout(&s->rcvtimeo, val, len);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&s->sndtimeo, val, len);
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW:
		return set_timestamp_new(s, name, v);
	case SO_ATTACH_FILTER:
	case SO_DETACH_FILTER:
	case SO_LOCK_FILTER:
		return set_filter(s, name, val, len, v);
	}
	if ((b = find_bit(name)) == NULL) {
		err = set_word(s, name, (int)v);
		return err != -ENOPROTOOPT ? err : socket_set_rare(s, name, v, val, len);
	}
	if (name == SO_PREFER_BUSY_POLL && v && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (name == SO_DEBUG && v && !capable(CAP_NET_ADMIN))
		return -EACCES;
	if (name == SO_REUSEPORT && v && s->family != AF_INET && s->family != AF_INET6)
		return -EOPNOTSUPP;
	set_bits(s, b->bit, v);
	if (s->ops->bit_changed)
		s->ops->bit_changed(s, b->bit);
	return 0;
}

int socket_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	int err = level == SOL_SOCKET ? set_socket_level(s, name, val, len) : -ENOPROTOOPT;

	if (err == -ENOPROTOOPT && s->ops->setsockopt)
		err = s->ops->setsockopt(s, level, name, val, len);
	return err;
}

/* --- get --- */

static int give(void *val, uint32_t *len, const void *from, uint32_t n)
{
	*len = MIN(*len, n);
	memcpy(val, from, *len);
	return 0;
}

static int give_timeout(void *val, uint32_t *len, nsec_t t)
{
	struct abi_timeval tv = { 0, 0 };

	if (t != NSEC_MAX) {
		tv.tv_sec = t / NSEC_PER_SEC;
		tv.tv_usec = t % NSEC_PER_SEC / NSEC_PER_USEC;
	}
	return give(val, len, &tv, sizeof(tv));
}

static int give_peer_name(struct socket *s, void *val, uint32_t *len)
{
	struct abi_sockaddr_storage name;
	int n = s->ops->getname ? s->ops->getname(s, &name, SOCKET_PEER) : -EOPNOTSUPP;

	if (n < 0)
		return -ENOTCONN;
	if ((uint32_t)n < *len) /* less may be asked for, not more */
		return -EINVAL;
	memcpy(val, &name, *len);
	return 0;
}

static int give_cookie(struct socket *s, void *val, uint32_t *len)
{
	if (*len < sizeof(uint64_t))
		return -EINVAL;
	return give(val, len, &s->inode.ino, sizeof(uint64_t));
}

static bool is_new(const struct socket *s)
{
	return socket_has(s, SOB_TIMESTAMP_NEW);
}

static int give_device(struct socket *s, void *val, uint32_t *len)
{
	struct netdev *d = s->bound_if ? netdev_lookup_index(s->bound_if) : NULL;

	if (s->bound_if && !d)
		return -ENODEV;
	if (d && *len < NETDEV_NAME) {
		netdev_put(d);
		return -EINVAL;
	}
	*len = d ? (uint32_t)strlen(d->name) + 1 : 0;
	if (d)
		memcpy(val, d->name, *len);
	netdev_put(d);
	return 0;
}

static int get_word(struct socket *s, int name, int32_t *v)
{
	switch (name) {
	case SO_TYPE:
		*v = s->type;
		return 0;
	case SO_DOMAIN:
		*v = s->family;
		return 0;
	case SO_PROTOCOL:
		*v = s->protocol;
		return 0;
	case SO_ERROR:
		*v = -socket_take_error(s);
		return 0;
	case SO_SNDBUF:
		*v = (int32_t)s->sndbuf;
		return 0;
	case SO_RCVBUF:
		*v = (int32_t)s->rcvbuf;
		return 0;
	case SO_RCVLOWAT:
		*v = (int32_t)s->rcvlowat;
		return 0;
	case SO_SNDLOWAT:
		*v = 1; /* not changeable, socket(7) */
		return 0;
	case SO_BINDTOIFINDEX:
		*v = s->bound_if;
		return 0;
	case SO_LOCK_FILTER:
		*v = socket_has(s, SOB_LOCK_FILTER);
		return 0;
	case SO_TIMESTAMP_NEW:
		*v = is_new(s); /* either of the two, as Linux has it */
		return 0;
	case SO_TIMESTAMPNS_NEW:
		*v = is_new(s) && socket_has(s, SOB_TIMESTAMPNS);
		return 0;
	case SO_PRIORITY:
		*v = (int32_t)s->priority;
		return 0;
	case SO_MARK:
		*v = (int32_t)s->mark;
		return 0;
	case SO_PEEK_OFF:
		if (!(s->ops->flags & SOCKET_PEEK_OFF))
			return -EOPNOTSUPP;
		*v = atomic_load(&s->peek_off);
		return 0;
	case SO_BSDCOMPAT:
		*v = 0;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int get_socket_level(struct socket *s, int name, void *val, uint32_t *len)
{
	const struct bit_option *b = find_bit(name);
	struct abi_linger l;
	int32_t v;
	int err;

	switch (name) {
	case SO_LINGER:
		l = (struct abi_linger){ socket_has(s, SOB_LINGER), (int32_t)s->linger_s };
		return give(val, len, &l, sizeof(l));
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return give_timeout(val, len, s->rcvtimeo);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return give_timeout(val, len, s->sndtimeo);
	case SO_PEERNAME:
		return give_peer_name(s, val, len);
	case SO_COOKIE:
		return give_cookie(s, val, len);
	case SO_BINDTODEVICE:
		return give_device(s, val, len);
	}
	if (b != NULL)
		v = socket_has(s, b->bit) &&
		    !(b->bit & (SOB_TIMESTAMP | SOB_TIMESTAMPNS) && is_new(s));
	else if ((err = get_word(s, name, &v)))
		return err != -ENOPROTOOPT ? err : socket_get_rare(s, name, val, len);
	return give(val, len, &v, sizeof(v));
}

int socket_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	int err = level == SOL_SOCKET ? get_socket_level(s, name, val, len) : -ENOPROTOOPT;

	if (err == -ENOPROTOOPT && s->ops->getsockopt)
		err = s->ops->getsockopt(s, level, name, val, len);
	if (err == -ENOPROTOOPT && level == SOL_SOCKET)
		err = socket_get_default(s, name, val, len);
	return err;
}
