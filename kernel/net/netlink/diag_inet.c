/*
 * Sockets of AF_INET and AF_INET6 for sock_diag(7): what the protocols show of them (inet/show.h),
 * as messages. A dump keeps its request, with the filter behind it, until it is over.
 */

#include "abi/errno.h"
#include "abi/in.h"
#include "abi/sock_diag.h"
#include "abi/socket.h"
#include "abi/tcp.h"
#include "core/clock.h"
#include "lib/string.h"
#include "net/inet/show.h"
#include "net/netlink/diag.h"
#include "net/netlink/diag_filter.h"
#include "pmm/slab.h"
#include "vfs/cred.h"

enum { STATE_CLOSE = 7, STATE_LISTEN = 10 };

/* What a dump is of. */
struct question {
	struct abi_inet_diag_req_v2 req;
	uint8_t protocol; /* as showers have it */
	bool admin;
	uint32_t code_bytes;
	uint8_t code[];
};

/* An address as messages have it: IPv4 in the first four bytes. */
static void put_address(uint8_t out[16], const struct inet_shown *s, const struct ipv6_addr *a)
{
	memset(out, 0, 16);
	if (s->family == AF_INET)
		memcpy(out, a->b + 12, 4);
	else
		memcpy(out, a->b, 16);
}

static struct ipv6_addr get_address(uint8_t family, const uint8_t in[16])
{
	struct ipv6_addr a;

	if (family == AF_INET)
		return addr_from4(be32_get(in));
	memcpy(a.b, in, sizeof(a.b));
	return a;
}

static void put_memory(struct nlmsgs *m, const struct inet_shown *s, unsigned ext)
{
	uint32_t sk[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RMEM_ALLOC] = s->rmem,  [SK_MEMINFO_RCVBUF] = s->rcvbuf,
		[SK_MEMINFO_WMEM_ALLOC] = s->wmem,  [SK_MEMINFO_SNDBUF] = s->sndbuf,
		[SK_MEMINFO_WMEM_QUEUED] = s->wmem, [SK_MEMINFO_DROPS] = s->drops,
	};
	struct abi_inet_diag_meminfo mem = { .idiag_rmem = s->rmem,
					     .idiag_wmem = s->wmem,
					     .idiag_tmem = s->wmem };

	if (ext & 1u << (INET_DIAG_MEMINFO - 1))
		nlattr_put(m, INET_DIAG_MEMINFO, &mem, sizeof(mem));
	if (ext & 1u << (INET_DIAG_SKMEMINFO - 1))
		nlattr_put(m, INET_DIAG_SKMEMINFO, sk, sizeof(sk));
}

static void put_attributes(struct nlmsgs *m, const struct inet_shown *s,
			   const struct abi_tcp_info *info, const struct question *q)
{
	unsigned ext = q->req.idiag_ext;

	nlattr_put_u8(m, INET_DIAG_SHUTDOWN, s->shutdown);
	if (ext & 1u << (INET_DIAG_TOS - 1))
		nlattr_put_u8(m, INET_DIAG_TOS, s->tos);
	if (s->family == AF_INET6) {
		if (ext & 1u << (INET_DIAG_TCLASS - 1))
			nlattr_put_u8(m, INET_DIAG_TCLASS, s->tos);
		if (s->state == STATE_LISTEN || s->state == STATE_CLOSE)
			nlattr_put_u8(m, INET_DIAG_SKV6ONLY, s->v6only);
	}
	if (q->admin)
		nlattr_put_u32(m, INET_DIAG_MARK, s->mark);
	put_memory(m, s, ext);
	if (q->protocol == SHOW_RAW)
		nlattr_put_u8(m, INET_DIAG_PROTOCOL, s->protocol);
	if (s->has_info && ext & 1u << (INET_DIAG_INFO - 1))
		nlattr_put(m, INET_DIAG_INFO, info, sizeof(*info));
	if (s->congestion && ext & 1u << (INET_DIAG_CONG - 1))
		nlattr_put_string(m, INET_DIAG_CONG, s->congestion);
}

/* False: full, and nothing was added. */
static bool put_message(struct nlmsgs *m, const struct inet_shown *s,
			const struct abi_tcp_info *info, const struct question *q, uint16_t flags,
			uint32_t seq, uint32_t portid)
{
	struct abi_inet_diag_msg *msg =
		nlmsg_begin(m, SOCK_DIAG_BY_FAMILY, flags, seq, portid, sizeof(*msg));

	if (msg != NULL) {
		bool listens = s->state == STATE_LISTEN;

		*msg = (struct abi_inet_diag_msg){
			.idiag_family = (uint8_t)s->family,
			.idiag_state = s->state,
			.idiag_timer = s->timer,
			.idiag_retrans = (uint8_t)MIN(
				s->timer == 2 || s->timer == 4 ? s->probes : s->retransmits, 255u),
			.id.idiag_sport = __builtin_bswap16(s->lport),
			.id.idiag_dport = __builtin_bswap16(s->rport),
			.id.idiag_if = (uint32_t)s->ifindex,
			.idiag_expires = (uint32_t)(s->expires / NSEC_PER_MSEC),
			.idiag_rqueue = q->protocol == IPPROTO_TCP ? s->rqueue : s->rmem,
			.idiag_wqueue = listens ? s->backlog : s->wqueue,
			.idiag_uid = s->uid,
			.idiag_inode = (uint32_t)s->ino,
		};
		put_address(msg->id.idiag_src, s, &s->local);
		put_address(msg->id.idiag_dst, s, &s->remote);
		diag_put_cookie(msg->id.idiag_cookie, s->cookie);
		if (!s->is_mini)
			put_attributes(m, s, info, q);
	}
	return nlmsg_end(m);
}

static bool is_asked_for(const struct question *q, const struct inet_shown *s)
{
	const struct abi_inet_diag_req_v2 *r = &q->req;
	struct diag_subject subject;

	if (s->family != r->sdiag_family || !(r->idiag_states >> s->state & 1))
		return false;
	if ((r->id.idiag_sport && r->id.idiag_sport != __builtin_bswap16(s->lport)) ||
	    (r->id.idiag_dport && r->id.idiag_dport != __builtin_bswap16(s->rport)))
		return false;
	if (q->code_bytes == 0)
		return true;
	subject = (struct diag_subject){ .family = s->family == AF_INET ? 4 : 6,
					 .sport = s->lport,
					 .dport = s->rport,
					 .ifindex = (uint32_t)s->ifindex,
					 .mark = s->mark,
					 .auto_port = s->auto_port };
	put_address(subject.src, s, &s->local);
	put_address(subject.dst, s, &s->remote);
	return diag_filter_run(q->code, q->code_bytes, &subject);
}

static int more(struct nldump *d, struct nlmsgs *m)
{
	const struct question *q = d->data;
	const struct inet_shower *shower = inet_show_find(q->protocol);
	uint64_t key = d->key[0];
	struct abi_tcp_info info;
	struct inet_shown s;

	while (shower && shower->next(&key, &s, &info)) {
		if (is_asked_for(q, &s) &&
		    !put_message(m, &s, &info, q, NLM_F_MULTI, d->seq, d->portid))
			return 1;
		d->key[0] = key;
	}
	return 0;
}

/* The protocol of a request, as it is shown; -ENOENT: there is none. */
static int find_protocol(const struct abi_inet_diag_req_v2 *req, const struct nlattr *attr,
			 uint8_t *out)
{
	uint32_t protocol = req->sdiag_protocol;

	if (nlattr_has_u32(attr))
		protocol = nlattr_u32(attr);
	if (protocol > UINT8_MAX || inet_show_find((uint8_t)protocol) == NULL)
		return -ENOENT;
	*out = (uint8_t)protocol;
	return 0;
}

static int dump(struct nlrequest *r, struct nldump *d)
{
	struct nlattr attr[INET_DIAG_REQ_PROTOCOL + 1], *code = &attr[INET_DIAG_REQ_BYTECODE];
	struct question *q;
	uint8_t protocol;
	int err;

	if ((err = nlattr_parse(r, sizeof(q->req), attr, INET_DIAG_REQ_PROTOCOL)))
		return err;
	if ((err = find_protocol(r->payload, &attr[INET_DIAG_REQ_PROTOCOL], &protocol)))
		return err;
	if (code->data && (err = diag_filter_check(code->data, code->len, capable(CAP_NET_ADMIN))))
		return err;
	if ((q = kzalloc(sizeof(*q) + code->len)) == NULL)
		return -ENOMEM;
	memcpy(&q->req, r->payload, sizeof(q->req));
	q->protocol = protocol;
	q->admin = capable(CAP_NET_ADMIN);
	if (code->data) {
		q->code_bytes = code->len;
		memcpy(q->code, code->data, code->len);
	}
	d->data = q;
	d->more = more;
	return 0;
}

/* Whether s is what the request names: the connection, or who listens, or is bound, there. */
static bool is_named(const struct abi_inet_diag_req_v2 *r, const struct inet_shown *s, bool exact)
{
	struct ipv6_addr src = get_address(r->sdiag_family, r->id.idiag_src),
			 dst = get_address(r->sdiag_family, r->id.idiag_dst);

	if (__builtin_bswap16(r->id.idiag_sport) != s->lport)
		return false;
	if (exact)
		return __builtin_bswap16(r->id.idiag_dport) == s->rport &&
		       ipv6_eq(&src, &s->local) && ipv6_eq(&dst, &s->remote);
	return !s->rport && (addr_is_any(&s->local) || ipv6_eq(&src, &s->local));
}

static bool find_one(const struct inet_shower *shower, const struct abi_inet_diag_req_v2 *req,
		     struct inet_shown *s, struct abi_tcp_info *info)
{
	for (int exact = 1; exact >= 0; exact--) {
		uint64_t key = 0;

		while (shower->next(&key, s, info))
			if (is_named(req, s, exact))
				return true;
	}
	return false;
}

static int one(struct nlrequest *r, struct nlmsgs *m)
{
	struct nlattr attr[INET_DIAG_REQ_PROTOCOL + 1];
	struct question q = { .admin = capable(CAP_NET_ADMIN) };
	const struct inet_shower *shower;
	struct abi_tcp_info info;
	struct inet_shown s;
	int err;

	memcpy(&q.req, r->payload, sizeof(q.req));
	if ((err = nlattr_parse(r, sizeof(q.req), attr, INET_DIAG_REQ_PROTOCOL)) ||
	    (err = find_protocol(&q.req, &attr[INET_DIAG_REQ_PROTOCOL], &q.protocol)))
		return err;
	shower = inet_show_find(q.protocol);
	if (m == NULL && shower->destroy == NULL)
		return -EOPNOTSUPP;
	if (!find_one(shower, &q.req, &s, &info))
		return -ENOENT;
	if (!diag_cookie_is(q.req.id.idiag_cookie, s.cookie))
		return -ENOENT;
	if (m == NULL)
		return q.admin ? shower->destroy(&s) : -EPERM;
	return put_message(m, &s, &info, &q, 0, r->seq, r->portid) ? 0 : -EMSGSIZE;
}

void diag_inet_init(void)
{
	static struct diag_family v4 = { .family = AF_INET,
					 .request_bytes = sizeof(struct abi_inet_diag_req_v2),
					 .dump = dump,
					 .one = one };
	static struct diag_family v6 = { .family = AF_INET6,
					 .request_bytes = sizeof(struct abi_inet_diag_req_v2),
					 .dump = dump,
					 .one = one };

	diag_register(&v4);
	diag_register(&v6);
}
