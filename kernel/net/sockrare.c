/*
 * The options of SOL_SOCKET that few programs ask for: timestamps, hints, what a socket's memory is
 * like. See sockopt.c for the others.
 *
 * Hints are kept and told, and followed as far as there is something to follow: readers here never
 * poll a device, and no queue before a device keeps packets until their time, as on a Linux whose
 * device has no such thing.
 *
 * Sources: socket(7), "Timestamping" and "MSG_ZEROCOPY" of the kernel's documentation; what Linux
 * answers.
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/in.h"
#include "abi/sock_diag.h"
#include "abi/time.h"
#include "lib/string.h"
#include "net/filter.h"
#include "net/socket.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vm/usercopy.h"

enum {
	TIMESTAMPING_ALL = 0xffff,
	BUSY_BUDGET_MAX = 0xffff,
	BPF_EXTENSIONS = 64, /* SKF_AD_MAX: all loads beside the packet are there */
	INIT_NETNS = 1,
};

/* --- set --- */

static int set_timestamping(struct socket *s, int name, uint32_t flags, uaddr_t val, uint32_t len)
{
	struct abi_so_timestamping t = { (int32_t)flags, 0 };
	uint32_t key = 0;
	bool opt_id = flags & SOF_TIMESTAMPING_OPT_ID && !(s->ts_flags & SOF_TIMESTAMPING_OPT_ID);
	int err;

	if (len == sizeof(t) && copy_from_user(&t, val, sizeof(t)))
		return -EFAULT;
	if (flags & ~(uint32_t)TIMESTAMPING_ALL)
		return -EINVAL;
	if (opt_id && s->ops->check_option &&
	    (err = s->ops->check_option(s, SO_TIMESTAMPING, &key)))
		return err;
	if (flags & SOF_TIMESTAMPING_OPT_STATS && !(flags & SOF_TIMESTAMPING_OPT_TSONLY))
		return -EINVAL;
	if (flags & SOF_TIMESTAMPING_BIND_PHC) /* no device has a clock of its own */
		return -EOPNOTSUPP;
	if (opt_id)
		atomic_store(&s->ts_key, key);
	s->ts_flags = flags;
	atomic_fetch_and(&s->bits, ~(uint32_t)(SOB_TIMESTAMPING | SOB_TIMESTAMPING_NEW));
	if (name == SO_TIMESTAMPING_NEW)
		atomic_fetch_or(&s->bits, SOB_TIMESTAMPING_NEW);
	if (flags & SOF_TIMESTAMPING_RX_SOFTWARE)
		atomic_fetch_or(&s->bits, SOB_TIMESTAMPING);
	return 0;
}

/* More than before is for who may. */
static int set_hint(uint32_t *hint, uint32_t v, uint32_t max)
{
	if ((int32_t)v > (int32_t)*hint && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (v > max)
		return -EINVAL;
	*hint = v;
	return 0;
}

static int set_txtime(struct socket *s, uaddr_t val, uint32_t len)
{
	struct abi_sock_txtime t;

	if (len != sizeof(t))
		return -EINVAL;
	if (copy_from_user(&t, val, sizeof(t)))
		return -EFAULT;
	if (t.flags & ~(uint32_t)(SOF_TXTIME_DEADLINE_MODE | SOF_TXTIME_REPORT_ERRORS))
		return -EINVAL;
	if (t.clockid != CLOCK_MONOTONIC && !capable(CAP_NET_ADMIN))
		return -EPERM;
	s->txtime = t;
	atomic_fetch_or(&s->bits, SOB_TXTIME);
	return 0;
}

static int set_zerocopy(struct socket *s, uint32_t v)
{
	bool inet = s->family == AF_INET || s->family == AF_INET6;

	if (!inet || !(s->type == SOCK_STREAM || s->protocol == IPPROTO_UDP))
		return -EOPNOTSUPP;
	if (v > 1)
		return -EINVAL;
	if (v)
		atomic_fetch_or(&s->bits, SOB_ZEROCOPY);
	else
		atomic_fetch_and(&s->bits, ~(uint32_t)SOB_ZEROCOPY);
	return 0;
}

static int set_buf_lock(struct socket *s, uint32_t v)
{
	uint32_t on = (v & SOCK_SNDBUF_LOCK ? SOB_SNDBUF_SET : 0) |
		      (v & SOCK_RCVBUF_LOCK ? SOB_RCVBUF_SET : 0);

	if (v & ~(uint32_t)(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK))
		return -EINVAL;
	atomic_fetch_and(&s->bits, ~(uint32_t)(SOB_SNDBUF_SET | SOB_RCVBUF_SET));
	atomic_fetch_or(&s->bits, on);
	return 0;
}

/* There is no bpf(2), so no descriptor is one of its programs. */
static int attach_program(int fd)
{
	struct fdref r = fdref_get(fd);

	if (!r.file)
		return -EBADF;
	fdref_put(r);
	return -EINVAL;
}

static int set_rehash(struct socket *s, int v)
{
	if (v < -1 || v > 1)
		return -EINVAL;
	s->txrehash = v != 0;
	return 0;
}

int socket_set_rare(struct socket *s, int name, uint32_t v, uaddr_t val, uint32_t len)
{
	switch (name) {
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW:
		return set_timestamping(s, name, v, val, len);
	case SO_BUSY_POLL:
		return set_hint(&s->busy_poll, v, INT32_MAX);
	case SO_BUSY_POLL_BUDGET:
		return set_hint(&s->busy_budget, v, BUSY_BUDGET_MAX);
	case SO_INCOMING_CPU:
		s->incoming_cpu = (int32_t)v;
		return 0;
	case SO_ATTACH_BPF:
	case SO_ATTACH_REUSEPORT_EBPF:
		return socket_has(s, SOB_LOCK_FILTER) ? -EPERM : attach_program((int)v);
	case SO_CNX_ADVICE: /* a path that is kept is looked up again as soon as routes change */
		return 0;
	case SO_ZEROCOPY:
		return set_zerocopy(s, v);
	case SO_TXTIME:
		return set_txtime(s, val, len);
	case SO_BUF_LOCK:
		return set_buf_lock(s, v);
	case SO_RESERVE_MEM: /* for sockets that a memory cgroup accounts for: none */
		return (int32_t)v < 0 ? -EINVAL : -EOPNOTSUPP;
	case SO_TXREHASH:
		return set_rehash(s, (int)v);
	}
	return -ENOPROTOOPT;
}

/* --- get --- */

static int give(void *val, uint32_t *len, const void *from, uint32_t n)
{
	*len = MIN(*len, n);
	memcpy(val, from, *len);
	return 0;
}

static int give_meminfo(struct socket *s, void *val, uint32_t *len)
{
	uint32_t info[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RCVBUF] = s->rcvbuf, [SK_MEMINFO_SNDBUF] = s->sndbuf
	};

	if (s->ops->meminfo)
		s->ops->meminfo(s, info);
	return give(val, len, info, sizeof(info));
}

static uint32_t buf_lock(const struct socket *s)
{
	return (socket_has(s, SOB_SNDBUF_SET) ? SOCK_SNDBUF_LOCK : 0u) |
	       (socket_has(s, SOB_RCVBUF_SET) ? SOCK_RCVBUF_LOCK : 0u);
}

static int get_word(struct socket *s, int name, uint32_t *v)
{
	*v = 0;
	switch (name) {
	case SO_BUSY_POLL:
		*v = s->busy_poll;
		return 0;
	case SO_BPF_EXTENSIONS:
		*v = BPF_EXTENSIONS;
		return 0;
	case SO_INCOMING_CPU:
		*v = (uint32_t)s->incoming_cpu;
		return 0;
	case SO_INCOMING_NAPI_ID: /* no device has one */
	case SO_RESERVE_MEM:
		return 0;
	case SO_ZEROCOPY:
		*v = socket_has(s, SOB_ZEROCOPY);
		return 0;
	case SO_BUF_LOCK:
		*v = buf_lock(s);
		return 0;
	case SO_TXREHASH:
		*v = s->txrehash;
		return 0;
	}
	return -ENOPROTOOPT;
}

int socket_get_rare(struct socket *s, int name, void *val, uint32_t *len)
{
	struct abi_so_timestamping t = { (int32_t)s->ts_flags, 0 };
	uint32_t v;
	int err;

	switch (name) {
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW:
		return give(val, len, &t, sizeof(t));
	case SO_TXTIME:
		return give(val, len, &s->txtime, sizeof(s->txtime));
	case SO_MEMINFO:
		return give_meminfo(s, val, len);
	case SO_NETNS_COOKIE:
		if (*len != sizeof(uint64_t))
			return -EINVAL;
		return give(val, len, &(uint64_t){ INIT_NETNS }, sizeof(uint64_t));
	}
	if ((err = get_word(s, name, &v)))
		return err;
	return give(val, len, &v, sizeof(v));
}

int socket_get_default(struct socket *s, int name, void *val, uint32_t *len)
{
	struct abi_ucred nobody = { 0, UINT32_MAX, UINT32_MAX };

	(void)s;
	switch (name) {
	case SO_PEERCRED:
		return give(val, len, &nobody, sizeof(nobody));
	case SO_PEERGROUPS:
		return -ENODATA;
	case SO_ACCEPTCONN:
		return give(val, len, &(int32_t){ 0 }, sizeof(int32_t));
	}
	return -ENOPROTOOPT;
}
