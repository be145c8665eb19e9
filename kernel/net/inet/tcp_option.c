/*
 * Options of level TCP, and ioctls. What a connection has is set in its machine as well; the rest
 * waits for one.
 *
 *   source       tcp(7)
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "abi/ioctl.h"
#include "abi/sock_diag.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/tcp_sock.h"
#include "net/inet/tcp_sysctl.h"
#include "net/netif.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { KEEPIDLE_MAX = 32767, KEEPINTVL_MAX = 32767, KEEPCNT_MAX = 127, SYNCNT_MAX = 127 };
enum { CONGESTION_NAME = 16, MAXSEG_LEAST = 88, MAXSEG_MAX = 32767, WINDOW_LEAST = 2304 / 2 };

static int in_range(int v, int low, int high)
{
	return v < low || v > high ? -EINVAL : 0;
}

static int set_seconds(nsec_t *out, int v, int max)
{
	if (v < 1 || v > max)
		return -EINVAL;
	*out = v * NSEC_PER_SEC;
	return 0;
}

/* What is taken and has no effect here, as in a Linux where it is switched off. */
static int set_rare_locked(struct tcp_sock *t, int name, int v)
{
	switch (name) {
	case TCP_FASTOPEN: /* tcp_fastopen has no server's bit */
		if (v < 0 || t->phase == TCPS_OPEN)
			return -EINVAL;
		t->fastopen = v;
		return 0;
	case TCP_FASTOPEN_CONNECT:
		return v < 0 || v > 1 ? -EINVAL : -EOPNOTSUPP;
	case TCP_THIN_DUPACK: /* RACK made it so for all */
		return in_range(v, 0, 1);
	case TCP_TIMESTAMP:
		return -EPERM; /* only while repairing */
	case TCP_REPAIR:
		return capable(CAP_NET_ADMIN) ? -ENOPROTOOPT : -EPERM;
	}
	return -ENOPROTOOPT;
}

/* Lock held. */
static int set_locked(struct tcp_sock *t, int name, int v, nsec_t now)
{
	struct tcp_tune *u = t->phase == TCPS_OPEN ? &t->c.tune : &t->tune;
	int err;

	switch (name) {
	case TCP_NODELAY:
		t->nodelay = u->nodelay = v;
		return 0;
	case TCP_CORK:
		t->cork = u->cork = v;
		return 0;
	case TCP_KEEPIDLE:
		if (!(err = set_seconds(&u->keep_idle, v, KEEPIDLE_MAX)) && u->keepalive)
			tcp_set_keepalive(&t->c, true, now);
		return err;
	case TCP_KEEPINTVL:
		return set_seconds(&u->keep_interval, v, KEEPINTVL_MAX);
	case TCP_KEEPCNT:
		if (!(err = in_range(v, 1, KEEPCNT_MAX)))
			u->keep_count = (uint8_t)v;
		return err;
	case TCP_SYNCNT:
		if (!(err = in_range(v, 1, SYNCNT_MAX)))
			t->syn_retries = (uint8_t)v;
		return err;
	case TCP_LINGER2:
		u->linger2 = v < 0 ? -1 : v > 120 ? 0 : v * NSEC_PER_SEC;
		if (v == 0)
			u->linger2 = tcp_fin_timeout * NSEC_PER_SEC;
		return 0;
	case TCP_DEFER_ACCEPT:
		t->defer_accept = (uint8_t)MIN(MAX(v, 0), 255);
		return 0;
	case TCP_WINDOW_CLAMP:
		if (!v && t->phase == TCPS_OPEN)
			return -EINVAL;
		u->window_clamp = v ? MAX((uint32_t)v, (uint32_t)WINDOW_LEAST) : 0;
		return 0;
	case TCP_QUICKACK:
		if (t->phase == TCPS_OPEN)
			tcp_set_quickack(&t->c, v);
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		u->user_timeout = v * NSEC_PER_MSEC;
		return 0;
	case TCP_MAXSEG:
		if (v && (err = in_range(v, MAXSEG_LEAST, MAXSEG_MAX)))
			return err;
		t->maxseg = (uint16_t)v;
		return 0;
	case TCP_NOTSENT_LOWAT:
		t->notsent_lowat = (uint32_t)v;
		return 0;
	case TCP_INQ:
		if (!(err = in_range(v, 0, 1)))
			t->inq = v;
		return err;
	}
	return set_rare_locked(t, name, v);
}

static int set_congestion(struct tcp_sock *t, uaddr_t val, uint32_t len)
{
	char name[CONGESTION_NAME] = { 0 };

	if (len < 1)
		return -EINVAL;
	if (copy_from_user(name, val, MIN(len, (uint32_t)CONGESTION_NAME - 1)))
		return -EFAULT;
	if (strcmp(name, "cubic") && strcmp(name, "reno"))
		return -ENOENT;
	spin_lock(&t->lock);
	t->reno = !strcmp(name, "reno");
	if (t->phase == TCPS_OPEN)
		tcp_cc_init(&t->c.cc, t->reno);
	spin_unlock(&t->lock);
	return 0;
}

static int set_tcp(struct tcp_sock *t, int name, uaddr_t val, uint32_t len)
{
	uint32_t v;
	nsec_t now;
	int err;

	if (name == TCP_CONGESTION)
		return set_congestion(t, val, len);
	if (name == TCP_ULP) /* there is none */
		return len < 1 ? -EINVAL : -ENOENT;
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user_u32(&v, val))
		return -EFAULT;
	spin_lock(&t->lock);
	now = clock_mono(); /* timestamps do not run back */
	err = set_locked(t, name, (int)v, now);
	if (err || t->phase != TCPS_OPEN)
		spin_unlock(&t->lock);
	else
		tcps_unlock_driven(t, now); /* what was held back may go now */
	return err;
}

void tcps_bit_changed(struct socket *s, uint32_t bit)
{
	struct tcp_sock *t = tcps_of(s);
	nsec_t now;

	if (bit != SOB_KEEPALIVE)
		return;
	spin_lock(&t->lock);
	now = clock_mono();
	if (t->phase != TCPS_OPEN) {
		spin_unlock(&t->lock);
		return;
	}
	tcp_set_keepalive(&t->c, socket_has(s, SOB_KEEPALIVE), now);
	tcps_unlock_driven(t, now);
}

/* The window must be able to hold what a reader waits for. */
static uint32_t limit_rcvlowat(struct tcp_sock *t, uint32_t v)
{
	bool fixed = socket_has(&t->i.s, SOB_RCVBUF_SET);
	uint32_t n = MIN(v, fixed ? t->i.s.rcvbuf / 2 : (uint32_t)tcp_rmem[2] / 2);

	if (!fixed)
		t->i.s.rcvbuf = MAX(t->i.s.rcvbuf, n * 2);
	return n;
}

int tcps_check_option(struct socket *s, int name, uint32_t *v)
{
	struct tcp_sock *t = tcps_of(s);

	if (name == SO_ATTACH_FILTER) /* segments through lo may have no headers to look at */
		return -ENOPROTOOPT;
	if (name == SO_RCVLOWAT)
		*v = limit_rcvlowat(t, *v);
	else if (name == SO_TIMESTAMPING && t->phase != TCPS_OPEN) /* OPT_ID counts bytes */
		return -EINVAL;
	return 0;
}

void tcps_meminfo(struct socket *s, uint32_t info[])
{
	struct tcp_sock *t = tcps_of(s);

	info[SK_MEMINFO_RMEM_ALLOC] = t->rcvq_bytes;
	if (t->phase == TCPS_OPEN)
		info[SK_MEMINFO_WMEM_ALLOC] = info[SK_MEMINFO_WMEM_QUEUED] = tcps_queued(t);
}

int tcps_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	struct tcp_sock *t = tcps_of(s);

	if (level == IPPROTO_TCP)
		return set_tcp(t, name, val, len);
	return inet_setsockopt(&t->i, level, name, val, len);
}

static int give(void *val, uint32_t *len, const void *from, uint32_t n)
{
	*len = MIN(*len, n);
	memcpy(val, from, *len);
	return 0;
}

static int get_word(struct tcp_sock *t, int name, int *v)
{
	const struct tcp_tune *u = t->phase == TCPS_OPEN ? &t->c.tune : &t->tune;

	switch (name) {
	case TCP_NODELAY:
		*v = t->nodelay;
		return 0;
	case TCP_CORK:
		*v = t->cork;
		return 0;
	case TCP_MAXSEG:
		*v = t->phase == TCPS_OPEN ? t->c.mss : t->maxseg ? t->maxseg : TCP_MSS_DEFAULT;
		return 0;
	case TCP_KEEPIDLE:
		*v = (int)(u->keep_idle / NSEC_PER_SEC);
		return 0;
	case TCP_KEEPINTVL:
		*v = (int)(u->keep_interval / NSEC_PER_SEC);
		return 0;
	case TCP_KEEPCNT:
		*v = u->keep_count;
		return 0;
	case TCP_SYNCNT:
		*v = t->syn_retries ? t->syn_retries : tcp_syn_retries;
		return 0;
	case TCP_LINGER2:
		*v = u->linger2 < 0 ? -1 : (int)(u->linger2 / NSEC_PER_SEC);
		return 0;
	case TCP_DEFER_ACCEPT:
		*v = t->defer_accept;
		return 0;
	case TCP_WINDOW_CLAMP:
		*v = (int)u->window_clamp;
		return 0;
	case TCP_QUICKACK:
		*v = t->phase != TCPS_OPEN || !t->c.pingpong;
		return 0;
	case TCP_USER_TIMEOUT:
		*v = (int)(u->user_timeout / NSEC_PER_MSEC);
		return 0;
	case TCP_NOTSENT_LOWAT:
		*v = (int)t->notsent_lowat;
		return 0;
	case TCP_INQ:
		*v = t->inq;
		return 0;
	case TCP_FASTOPEN:
		*v = t->fastopen;
		return 0;
	case TCP_FASTOPEN_CONNECT:
	case TCP_THIN_DUPACK:
	case TCP_REPAIR:
		*v = 0;
		return 0;
	case TCP_TIMESTAMP:
		*v = (int)((uint32_t)(clock_mono() / NSEC_PER_MSEC) + t->c.ts_offset);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int get_info(struct tcp_sock *t, void *val, uint32_t *len)
{
	struct abi_tcp_info info;

	spin_lock(&t->lock);
	tcp_info(&t->c, clock_mono(), &info);
	info.tcpi_state = (uint8_t)tcps_state(t);
	if (t->phase == TCPS_LISTEN) {
		info.tcpi_unacked = t->nchildren;
		info.tcpi_sacked = t->backlog;
	}
	spin_unlock(&t->lock);
	return give(val, len, &info, sizeof(info));
}

static int get_tcp(struct tcp_sock *t, int name, void *val, uint32_t *len)
{
	char congestion[CONGESTION_NAME] = { 0 };
	int v, err;

	if (name == TCP_INFO)
		return get_info(t, val, len);
	if (name == TCP_CONGESTION) {
		strscpy(congestion, t->reno ? "reno" : "cubic", sizeof(congestion));
		return give(val, len, congestion, sizeof(congestion));
	}
	if ((err = get_word(t, name, &v)))
		return err;
	return give(val, len, &v, sizeof(v));
}

int tcps_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct tcp_sock *t = tcps_of(s);
	int v;

	if (level == SOL_SOCKET && name == SO_ACCEPTCONN) {
		v = t->phase == TCPS_LISTEN;
		return give(val, len, &v, sizeof(v));
	}
	if (level == IPPROTO_TCP)
		return get_tcp(t, name, val, len);
	return inet_getsockopt(&t->i, level, name, val, len);
}

int64_t tcps_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct tcp_sock *t = tcps_of(s);
	uint32_t n = 0;

	if (cmd != FIONREAD && cmd != TIOCOUTQ && cmd != SIOCATMARK && cmd != SIOCOUTQNSD)
		return -ENOTTY;
	if (t->phase == TCPS_LISTEN && cmd != SIOCATMARK)
		return -EINVAL;
	spin_lock(&t->lock);
	if (cmd == SIOCATMARK)
		n = t->urg != TCPS_URG_NONE && t->urg_seq == t->copied;
	else if (cmd == FIONREAD)
		n = tcps_readable(t);
	else if (t->phase == TCPS_OPEN)
		n = cmd == TIOCOUTQ ? tcps_queued(t) : tcp_unsent(&t->c);
	spin_unlock(&t->lock);
	return put_user_u32(UADDR(arg), n);
}
