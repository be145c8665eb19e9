/* Packet sockets for sock_diag(7). */

#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/netlink/diag.h"
#include "net/packet/packet.h"

static void put_attributes(struct nlmsgs *m, const struct packet_shown *s, uint32_t show)
{
	struct abi_packet_diag_info info = { .pdi_index = (uint32_t)s->ifindex,
					     .pdi_version = s->version,
					     .pdi_reserve = s->reserve,
					     .pdi_flags = s->flags };
	uint32_t sk[SK_MEMINFO_VARS] = { [SK_MEMINFO_RMEM_ALLOC] = s->rmem,
					 [SK_MEMINFO_RCVBUF] = s->rcvbuf,
					 [SK_MEMINFO_SNDBUF] = s->sndbuf,
					 [SK_MEMINFO_DROPS] = s->drops };

	if (show & PACKET_SHOW_INFO) {
		nlattr_put(m, PACKET_DIAG_INFO, &info, sizeof(info));
		nlattr_put_u32(m, PACKET_DIAG_UID, s->uid);
	}
	if (show & PACKET_SHOW_MEMINFO)
		nlattr_put(m, PACKET_DIAG_MEMINFO, sk, sizeof(sk));
}

/* False: full, and nothing was added. */
static bool put_message(struct nlmsgs *m, const struct packet_shown *s, const struct nldump *d)
{
	struct abi_packet_diag_msg *msg =
		nlmsg_begin(m, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, d->seq, d->portid, sizeof(*msg));

	if (msg != NULL) {
		*msg = (struct abi_packet_diag_msg){ .pdiag_family = AF_PACKET,
						     .pdiag_type = s->type,
						     .pdiag_num = s->protocol,
						     .pdiag_ino = (uint32_t)s->ino };
		diag_put_cookie(msg->pdiag_cookie, s->ino);
		put_attributes(m, s, d->filter[0]);
	}
	return nlmsg_end(m);
}

/* filter[0] is what to show. */
static int more(struct nldump *d, struct nlmsgs *m)
{
	struct packet_shown s;
	uint64_t key = d->key[0];

	while (packet_next(&key, &s)) {
		if (!put_message(m, &s, d))
			return 1;
		d->key[0] = key;
	}
	return 0;
}

static int dump(struct nlrequest *r, struct nldump *d)
{
	struct abi_packet_diag_req req;

	memcpy(&req, r->payload, sizeof(req));
	if (req.sdiag_protocol)
		return -EINVAL;
	d->filter[0] = req.pdiag_show;
	d->more = more;
	return 0;
}

/* Linux only dumps them. */
static int one(struct nlrequest *r, struct nlmsgs *m)
{
	(void)r, (void)m;
	return -EOPNOTSUPP;
}

void diag_packet_init(void)
{
	static struct diag_family f = { .family = AF_PACKET,
					.request_bytes = sizeof(struct abi_packet_diag_req),
					.dump = dump,
					.one = one };

	diag_register(&f);
}
