/*
 * Netlink sockets. A request is answered in the sender's own thread, before sendmsg(2) returns; a
 * dump goes on in the reader's, chunk by chunk as the queue empties, so that it needs no more
 * memory than one chunk however much there is to tell.
 *
 * Locks: `reading` (one reader, and whoever makes the next chunk), then `lock` (queue), then
 * names_lock (ports and listeners). A report is queued under names_lock, which keeps its receivers
 * there: names.c.
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "core/epoch.h"
#include "lib/string.h"
#include "net/filter.h"
#include "net/netlink/sock_priv.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/lock.h"
#include "vfs/poll.h"
#include "vm/usercopy.h"

enum { OVERHEAD = 256, SEND_MAX = 1 << 20 };

static struct netlink_protocol_ops *protocols; /* immutable after boot */

static struct netlink_protocol_ops *find_protocol(int protocol)
{
	struct netlink_protocol_ops *p = protocols;

	while (p && p->protocol != protocol)
		p = p->next;
	return p;
}

/* --- queues --- */

static const void *bytes_of(const void *ctx, uint32_t block)
{
	(void)block;
	return ((const struct nlmsgs *)ctx)->data;
}

/* SO_ATTACH_FILTER: whether m is wanted; it may be shortened. */
static bool passes_filter(struct netlink_sock *n, struct nlmsgs *m)
{
	struct filter_bytes b = { .at = bytes_of, .ctx = m, .n = m->len, .block = UINT32_MAX };
	uint32_t keep;

	if (LIKELY(!atomic_load_explicit(&n->s.filter, memory_order_relaxed)))
		return true;
	epoch_enter();
	keep = socket_filter_bytes(&n->s, &b);
	epoch_exit();
	m->len = MIN(m->len, keep);
	return keep != 0;
}

bool nl_enqueue(struct netlink_sock *n, struct nlmsgs *m, bool limited)
{
	uint32_t bytes = m->size + OVERHEAD;
	bool fits;

	if (UNLIKELY(!passes_filter(n, m))) {
		nlmsgs_free(m);
		return true;
	}
	spin_lock(&n->lock);
	fits = !limited || n->queued == 0 || n->queued + bytes <= n->s.rcvbuf;
	if (fits) {
		list_add_tail(&n->queue, &m->node);
		n->queued += bytes;
	} else if (!nl_has_option(n, OPT_NO_ENOBUFS)) {
		n->overrun = true;
	}
	spin_unlock(&n->lock);
	return fits;
}

void nl_wake_reader(struct netlink_sock *n)
{
	socket_wake(&n->s, &n->s.readable, EPOLLIN | EPOLLRDNORM);
}

static bool may_listen(const struct netlink_sock *n)
{
	return n->proto->any_may_listen || capable(CAP_NET_ADMIN);
}

static uint64_t all_groups(const struct netlink_sock *n)
{
	return n->proto->ngroups ? ~0ull >> (64 - n->proto->ngroups) : 0;
}

static int nl_bind(struct socket *s, const void *addr, uint32_t len)
{
	const struct abi_sockaddr_nl *a = addr;
	struct netlink_sock *n = nl_of(s);
	bool ok = true;

	if (len < sizeof(*a) || a->nl_family != AF_NETLINK)
		return -EINVAL;
	if (a->nl_groups && !may_listen(n))
		return -EPERM;
	if (n->portid && a->nl_pid != n->portid)
		return -EINVAL;
	if (!n->portid && a->nl_pid) {
		ok = nl_take_port(n, a->nl_pid);
	} else if (!n->portid) {
		nl_autobind(n);
	}
	if (!ok)
		return -EADDRINUSE;
	nl_set_groups(n, (n->groups & ~0xffffffffull) | (a->nl_groups & all_groups(n)));
	return 0;
}

static bool may_send_to(const struct netlink_sock *n, uint32_t port, uint32_t groups)
{
	return (!port && !groups) || n->proto->protocol == NETLINK_USERSOCK ||
	       capable(CAP_NET_ADMIN);
}

static int nl_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	const struct abi_sockaddr_nl *a = addr;
	struct netlink_sock *n = nl_of(s);

	(void)nonblock;
	if (len < sizeof(a->nl_family))
		return -EINVAL;
	if (a->nl_family == AF_UNSPEC) {
		n->peer_port = n->peer_groups = 0;
		return 0;
	}
	if (len < sizeof(*a) || a->nl_family != AF_NETLINK)
		return -EINVAL;
	if (!may_send_to(n, a->nl_pid, a->nl_groups))
		return -EPERM;
	if (!n->portid)
		nl_autobind(n);
	n->peer_port = a->nl_pid;
	n->peer_groups = a->nl_groups;
	return 0;
}

static int nl_getname(struct socket *s, void *addr, enum socket_name which)
{
	struct netlink_sock *n = nl_of(s);
	struct abi_sockaddr_nl *a = addr;

	*a = (struct abi_sockaddr_nl){ .nl_family = AF_NETLINK };
	a->nl_pid = which != SOCKET_OWN ? n->peer_port : n->portid;
	a->nl_groups = which != SOCKET_OWN ? n->peer_groups : (uint32_t)n->groups;
	return sizeof(*a);
}

/* --- requests --- */

/* Answers a request with its errno (0: done). The request comes along, its header alone when the
 * user wants that or all was well. */
struct verdict {
	int err;
	const char *why;
	uint32_t offset; /* of what it is about, in the request; 0: all of it */
};

static void acknowledge(struct netlink_sock *n, const struct abi_nlmsghdr *h,
			const struct verdict *v)
{
	int err = v->err;
	uint32_t echo = err && !nl_has_option(n, OPT_CAP_ACK) ? h->nlmsg_len : sizeof(*h);
	bool tlvs = err && (v->why || v->offset) && nl_has_option(n, OPT_EXT_ACK);
	uint16_t flags = (uint16_t)((!err || nl_has_option(n, OPT_CAP_ACK) ? NLM_F_CAPPED : 0) |
				    (tlvs ? NLM_F_ACK_TLVS : 0));
	struct nlmsgs *m = nlmsgs_alloc(echo + 256);
	uint8_t *body;

	if (!m) {
		atomic_store(&n->s.error, ENOBUFS);
		return;
	}
	body = nlmsg_begin(m, NLMSG_ERROR, flags, h->nlmsg_seq, n->portid, 4 + echo);
	memcpy(body, &err, 4);
	memcpy(body + 4, h, echo);
	if (tlvs && v->why)
		nlattr_put_string(m, NLMSGERR_ATTR_MSG, v->why);
	if (tlvs && v->offset)
		nlattr_put_u32(m, NLMSGERR_ATTR_OFFS, v->offset);
	if (!nlmsg_end(m) || !nl_enqueue(n, m, false))
		nlmsgs_free(m);
}

/* One chunk of the dump into the queue. Under `reading`. */
static int dump_chunk(struct netlink_sock *n)
{
	struct nldump *d = &n->dump;
	uint32_t size = MIN(MAX(n->read_size, (uint32_t)NLMSGS_DUMP), (uint32_t)NLMSGS_MAX);
	struct nlmsgs *m = nlmsgs_alloc(size);
	uint16_t flags;
	int res, *done;

	if (!m)
		return -ENOBUFS;
	res = d->error ? d->error : d->more(d, m);
	flags = d->error && d->why && nl_has_option(n, OPT_EXT_ACK) ? NLM_F_MULTI | NLM_F_ACK_TLVS
								    : NLM_F_MULTI;
	if (res <= 0 && (done = nlmsg_begin(m, NLMSG_DONE, flags, d->seq, d->portid, 4))) {
		*done = res;
		if (flags & NLM_F_ACK_TLVS)
			nlattr_put_string(m, NLMSGERR_ATTR_MSG, d->why);
		if (nlmsg_end(m))
			n->dumping = false;
	} else if (res <= 0) {
		(void)!nlmsg_end(m); /* DONE alone, next time: `more` has nothing left to add */
	}
	if (!m->len) { /* one message is larger than a chunk: a kernel bug, but not a loop */
		n->dumping = false;
		nlmsgs_free(m);
		return -EMSGSIZE;
	}
	(void)!nl_enqueue(n, m, false);
	return 0;
}

static int start_dump(struct netlink_sock *n, const struct nldump *d)
{
	int err = -EBUSY;

	mutex_lock(&n->reading);
	if (!n->dumping) {
		kfree(n->dump.data);
		n->dump = *d;
		n->dumping = true;
		err = dump_chunk(n);
	} else {
		kfree(d->data);
	}
	mutex_unlock(&n->reading);
	return err;
}

static int handle(struct netlink_sock *n, const struct abi_nlmsghdr *h, struct verdict *v)
{
	struct nlrequest r = {
		.from = n,
		.type = h->nlmsg_type,
		.flags = h->nlmsg_flags,
		.seq = h->nlmsg_seq,
		.portid = n->portid,
		.payload = h + 1,
		.len = h->nlmsg_len - (uint32_t)sizeof(*h),
	};
	struct nldump d = { .type = r.type, .seq = r.seq, .portid = r.portid };
	struct nlmsgs *reply = NULL;
	int err;

	d.strict = nl_has_option(n, OPT_STRICT);
	err = n->proto->request(&r, &reply, &d);
	v->why = r.why;
	if (r.bad && r.bad->data)
		v->offset = (uint32_t)((const uint8_t *)r.bad->data - (const uint8_t *)h) -
			    (uint32_t)sizeof(struct abi_nlattr);
	if (!err && d.more)
		err = start_dump(n, &d);
	else
		kfree(d.data);
	if (reply && !nl_enqueue(n, reply, false))
		nlmsgs_free(reply);
	return err;
}

/* All messages of one send. */
static void handle_all(struct netlink_sock *n, const uint8_t *p, uint32_t left)
{
	const struct abi_nlmsghdr *h;
	uint32_t step;

	while (left >= sizeof(*h)) {
		struct verdict v = { 0 };

		h = (const struct abi_nlmsghdr *)p;
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > left)
			return;
		if ((h->nlmsg_flags & NLM_F_REQUEST) && h->nlmsg_type >= NLMSG_MIN_TYPE)
			v.err = handle(n, h, &v);
		/* A dump that has begun is its own answer. */
		if (v.err ||
		    ((h->nlmsg_flags & NLM_F_ACK) && (h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP))
			acknowledge(n, h, &v);
		step = (h->nlmsg_len + 3u) & ~3u;
		if (step >= left)
			return;
		p += step;
		left -= step;
	}
}

static int send_to_port(const struct netlink_protocol_ops *p, struct nlmsgs *m, uint32_t port)
{
	struct netlink_sock *to = nl_lookup_port(p, port);
	int err = 0;

	if (!to) {
		nlmsgs_free(m);
		return -ECONNREFUSED;
	}
	if (!nl_enqueue(to, m, true)) {
		nlmsgs_free(m);
		err = -EAGAIN;
	} else {
		nl_wake_reader(to);
	}
	socket_put(&to->s);
	return err;
}

int netlink_send(uint16_t protocol, uint32_t port, struct nlmsgs *m)
{
	return send_to_port(find_protocol(protocol), m, port);
}

/* What goes to a group goes to a port as well, the kernel's if none is named. */
static ssize64_t deliver(struct netlink_sock *n, struct nlmsgs *m, uint32_t port, uint32_t groups)
{
	ssize64_t len = m->len;
	struct nlmsgs *c;
	int err;

	if (groups && (c = nl_copy(m)))
		netlink_report(n->proto->protocol, (unsigned)__builtin_ctz(groups) + 1, c);
	if (port)
		return (err = send_to_port(n->proto, m, port)) ? err : len;
	if (n->proto->receive)
		n->proto->receive(m->data, m->len);
	else if (n->proto->request)
		handle_all(n, m->data, m->len);
	else
		len = -ECONNREFUSED; /* the kernel is not there */
	nlmsgs_free(m);
	nl_wake_reader(n);
	return len;
}

static ssize64_t nl_send(struct socket *s, struct sockmsg *msg)
{
	struct netlink_sock *n = nl_of(s);
	uint32_t port = n->peer_port, groups = n->peer_groups, len;
	const struct abi_sockaddr_nl *to = msg->name;
	struct nlmsgs *m;

	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (to) {
		if (msg->namelen < sizeof(*to) || to->nl_family != AF_NETLINK)
			return -EINVAL;
		port = to->nl_pid;
		groups = to->nl_groups;
		if (!may_send_to(n, port, groups))
			return -EPERM;
	}
	if (!n->portid)
		nl_autobind(n);
	if (msg->uio->resid > MIN(s->sndbuf - 32, (uint32_t)SEND_MAX))
		return -EMSGSIZE;
	len = (uint32_t)msg->uio->resid;
	if (!(m = nlmsgs_alloc(MAX(len, 1u))))
		return -ENOBUFS;
	if (uio_get(msg->uio, m->data, len) != len) {
		nlmsgs_free(m);
		return -EFAULT;
	}
	m->len = len;
	m->from = n->portid;
	m->uid = current_cred()->euid;
	m->gid = current_cred()->egid;
	m->pid = (uint32_t)vfs_current_tgid();
	return deliver(n, m, port, groups);
}

/* --- receiving --- */

static struct nlmsgs *first_of(struct netlink_sock *n)
{
	struct nlmsgs *m = NULL;

	spin_lock(&n->lock);
	if (!list_is_empty(&n->queue))
		m = list_first(&n->queue, struct nlmsgs, node);
	spin_unlock(&n->lock);
	return m;
}

static int take_overrun(struct netlink_sock *n)
{
	bool lost;

	spin_lock(&n->lock);
	lost = n->overrun;
	n->overrun = false;
	spin_unlock(&n->lock);
	return lost ? -ENOBUFS : 0;
}

static void dequeue(struct netlink_sock *n, struct nlmsgs *m)
{
	spin_lock(&n->lock);
	list_remove(&m->node);
	n->queued -= m->size + OVERHEAD;
	spin_unlock(&n->lock);
	nlmsgs_free(m);
}

static void put_ancillary(struct netlink_sock *n, const struct nlmsgs *m, struct sockmsg *msg)
{
	const struct {
		uint32_t pid, uid, gid;
	} cred = { m->pid, m->uid, m->gid };

	if (socket_has(&n->s, SOB_PASSCRED))
		sockmsg_put_control(msg, SOL_SOCKET, SCM_CREDENTIALS, &cred, sizeof(cred));
	if (nl_has_option(n, OPT_PKTINFO))
		sockmsg_put_control(msg, SOL_NETLINK, NETLINK_PKTINFO, &m->group, 4);
}

static ssize64_t give(struct netlink_sock *n, struct nlmsgs *m, struct sockmsg *msg)
{
	size_t room = msg->uio->resid, len = MIN((size_t)m->len, room);
	ssize64_t ret = msg->flags & MSG_TRUNC ? m->len : len;
	struct abi_sockaddr_nl *from = msg->name;

	n->read_size = (uint32_t)MIN(MAX((size_t)n->read_size, room), (size_t)NLMSGS_MAX);
	if (uio_put(msg->uio, m->data, len) != len)
		return -EFAULT;
	if (len < m->len)
		msg->out_flags |= MSG_TRUNC;
	if (from) {
		*from = (struct abi_sockaddr_nl){ AF_NETLINK, 0, m->from, m->groups };
		msg->namelen = sizeof(*from);
	}
	put_ancillary(n, m, msg);
	if (!(msg->flags & MSG_PEEK))
		dequeue(n, m);
	return ret;
}

static bool is_readable(struct socket *s)
{
	struct netlink_sock *n = nl_of(s);

	return !list_is_empty(&n->queue) || n->dumping || n->overrun ||
	       atomic_load_explicit(&s->error, memory_order_relaxed);
}

/* What is there now. -EAGAIN: nothing. Under `reading`. */
static ssize64_t receive(struct netlink_sock *n, struct sockmsg *msg)
{
	struct nlmsgs *m = first_of(n);
	ssize64_t ret;
	int err;

	if (!m && ((err = take_overrun(n)) || (err = socket_take_error(&n->s))))
		return err;
	if (!m && n->dumping) {
		if ((err = dump_chunk(n)))
			return err;
		m = first_of(n);
	}
	if (!m)
		return -EAGAIN;
	ret = give(n, m, msg);
	return ret;
}

static ssize64_t nl_recv(struct socket *s, struct sockmsg *msg)
{
	nsec_t deadline = socket_deadline(s->rcvtimeo, msg->flags & MSG_DONTWAIT);
	struct netlink_sock *n = nl_of(s);
	ssize64_t ret;
	int err;

	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		mutex_lock(&n->reading);
		ret = receive(n, msg);
		mutex_unlock(&n->reading);
		if (ret != -EAGAIN)
			return ret;
		if ((err = socket_wait(s, &s->readable, is_readable, deadline)))
			return err;
	}
}

static uint32_t nl_poll(struct socket *s, struct poll_ctx *ctx)
{
	uint32_t events = EPOLLOUT | EPOLLWRNORM;

	(void)ctx;
	if (is_readable(s))
		events |= EPOLLIN | EPOLLRDNORM;
	if (nl_of(s)->overrun || atomic_load_explicit(&s->error, memory_order_relaxed))
		events |= EPOLLERR;
	return events;
}

/* --- options --- */

static uint32_t option_bit(int name)
{
	switch (name) {
	case NETLINK_PKTINFO:
		return OPT_PKTINFO;
	case NETLINK_BROADCAST_ERROR:
		return OPT_BROADCAST_ERROR;
	case NETLINK_NO_ENOBUFS:
		return OPT_NO_ENOBUFS;
	case NETLINK_CAP_ACK:
		return OPT_CAP_ACK;
	case NETLINK_EXT_ACK:
		return OPT_EXT_ACK;
	case NETLINK_GET_STRICT_CHK:
		return OPT_STRICT;
	}
	return 0;
}

static int change_membership(struct netlink_sock *n, uint32_t group, bool add)
{
	uint64_t bit;

	if (!may_listen(n))
		return -EPERM;
	if (group == 0 || group > n->proto->ngroups)
		return -EINVAL;
	if (!n->portid)
		nl_autobind(n);
	bit = 1ull << (group - 1);
	nl_set_groups(n, add ? n->groups | bit : n->groups & ~bit);
	return 0;
}

static int nl_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len)
{
	struct netlink_sock *n = nl_of(s);
	uint32_t v, bit = option_bit(name);

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len < 4)
		return -EINVAL;
	if (get_user_u32(&v, val))
		return -EFAULT;
	if (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP)
		return change_membership(n, v, name == NETLINK_ADD_MEMBERSHIP);
	if (!bit)
		return -ENOPROTOOPT;
	if (v)
		atomic_fetch_or(&n->options, bit);
	else
		atomic_fetch_and(&n->options, ~bit);
	return 0;
}

static int nl_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct netlink_sock *n = nl_of(s);
	uint32_t v = nl_has_option(n, option_bit(name));
	uint64_t groups = n->groups;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (name == NETLINK_LIST_MEMBERSHIPS) {
		memcpy(val, &groups, MIN(*len & ~3u, 8u));
		*len = 8;
		return 0;
	}
	if (!option_bit(name))
		return -ENOPROTOOPT;
	if (*len < 4)
		return -EINVAL;
	memcpy(val, &v, 4);
	*len = 4;
	return 0;
}

/* --- life --- */

static void nl_release(struct socket *s)
{
	nl_forget(nl_of(s));
}

static void nl_destroy(struct socket *s)
{
	struct netlink_sock *n = nl_of(s);

	while (!list_is_empty(&n->queue))
		dequeue(n, list_first(&n->queue, struct nlmsgs, node));
	kfree(n->dump.data);
	kfree(n);
}

static const struct socket_ops nl_ops = {
	.release = nl_release,
	.destroy = nl_destroy,
	.bind = nl_bind,
	.connect = nl_connect,
	.getname = nl_getname,
	.send = nl_send,
	.recv = nl_recv,
	.poll = nl_poll,
	.setsockopt = nl_setsockopt,
	.getsockopt = nl_getsockopt,
};

static int nl_create(int type, int protocol, struct socket **out)
{
	struct netlink_protocol_ops *p = find_protocol(protocol);
	struct netlink_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (!p)
		return -EPROTONOSUPPORT;
	if (!(n = kzalloc(sizeof(*n))))
		return -ENOBUFS;
	socket_init(&n->s, &nl_ops, AF_NETLINK, type, protocol);
	n->proto = p;
	mutex_init(&n->reading, RANK_NLREAD);
	spin_init(&n->lock, RANK_NETLINK);
	list_init(&n->queue);
	list_init(&n->listener);
	*out = &n->s;
	return 0;
}

int netlink_can_give(const struct file *f)
{
	struct socket *s = socket_of(f);

	if (!s)
		return -ENOTSOCK;
	return s->ops == &nl_ops ? 0 : -EINVAL;
}

void netlink_give(struct file *f, const void *bytes, uint32_t n)
{
	struct netlink_sock *to = nl_of(socket_of(f));
	struct nlmsgs *m = nlmsgs_alloc(n);

	if (!m)
		return;
	memcpy(m->data, bytes, n);
	m->len = n;
	(void)!nl_enqueue(to, m, false);
	nl_wake_reader(to);
}

void netlink_register(struct netlink_protocol_ops *p)
{
	p->next = protocols;
	protocols = p;
}

void netlink_init(void)
{
	static struct net_family family = { .family = AF_NETLINK, .create = nl_create };
	static struct netlink_protocol_ops among_users = {
		.protocol = NETLINK_USERSOCK,
		.ngroups = 32,
	};

	net_family_register(&family);
	netlink_register(&among_users);
}
