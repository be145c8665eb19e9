/* Netlink's own sockets for sock_diag(7). */

#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/netlink/diag.h"

enum { ESTABLISHED = 1, CLOSED = 7 };

static void put_attributes(struct nlmsgs *m, const struct netlink_shown *s, uint32_t show)
{
	uint32_t sk[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = s->rmem,
					 [SK_MEMINFO_RCVBUF] = s->rcvbuf,
					 [SK_MEMINFO_SNDBUF] = s->sndbuf };

	if (show & NDIAG_SHOW_GROUPS && s->ngroups)
		nlattr_put(m, NETLINK_DIAG_GROUPS, &s->groups, sizeof(s->groups));
	if (show & NDIAG_SHOW_MEMINFO)
		nlattr_put(m, NETLINK_DIAG_MEMINFO, sk, sizeof(sk));
	if (show & NDIAG_SHOW_FLAGS)
		nlattr_put_u32(m, NETLINK_DIAG_FLAGS, s->dumping ? 1 : 0);
}

/* False: full, and nothing was added. */
static bool put_message(struct nlmsgs *m, const struct netlink_shown *s, const struct nldump *d,
			uint32_t show)
{
	struct abi_netlink_diag_msg *msg =
		nlmsg_begin(m, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, d->seq, d->portid, sizeof(*msg));

	if (msg != NULL) {
		*msg = (struct abi_netlink_diag_msg){
			.ndiag_family = AF_NETLINK,
			.ndiag_type = s->type,
			.ndiag_protocol = (uint8_t)s->protocol,
			.ndiag_state = s->peer_port || s->peer_groups ? ESTABLISHED : CLOSED,
			.ndiag_portid = s->portid,
			.ndiag_dst_portid = s->peer_port,
			.ndiag_dst_group = s->peer_groups,
			.ndiag_ino = (uint32_t)s->ino,
		};
		diag_put_cookie(msg->ndiag_cookie, s->ino);
		put_attributes(m, s, show);
	}
	return nlmsg_end(m);
}

/* filter[0] is what to show, [1] of which protocol. */
static int more(struct nldump *d, struct nlmsgs *m)
{
	struct netlink_shown s;
	uint64_t key = d->key[0];

	while (netlink_next(&key, &s)) {
		if ((d->filter[1] == NDIAG_PROTO_ALL || d->filter[1] == s.protocol) &&
		    !put_message(m, &s, d, d->filter[0]))
			return 1;
		d->key[0] = key;
	}
	return 0;
}

static int dump(struct nlrequest *r, struct nldump *d)
{
	struct abi_netlink_diag_req req;

	memcpy(&req, r->payload, sizeof(req));
	if (req.sdiag_protocol != NDIAG_PROTO_ALL && req.sdiag_protocol >= NETLINK_PROTOCOLS)
		return -ENOENT;
	d->filter[0] = req.ndiag_show;
	d->filter[1] = req.sdiag_protocol;
	d->more = more;
	return 0;
}

/* Linux only dumps them. */
static int one(struct nlrequest *r, struct nlmsgs *m)
{
	(void)r, (void)m;
	return -EOPNOTSUPP;
}

void diag_netlink_init(void)
{
	static struct diag_family f = { .family = AF_NETLINK,
					.request_bytes = sizeof(struct abi_netlink_diag_req),
					.dump = dump,
					.one = one };

	diag_register(&f);
}
