/* Sockets of AF_UNIX for sock_diag(7). */

#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "net/netlink/diag.h"
#include "net/unix/show.h"
#include "pmm/slab.h"

/* A dump, or a look for one socket; with the walk's room. */
struct question {
	struct abi_unix_diag_req req;
	bool is_dump;
	struct nlmsgs *m; /* where to; NULL while one is sought */
	uint32_t seq, portid;
	int err; /* of a look for one */
	struct unix_shown room;
};

static uint32_t ino32(uint64_t ino)
{
	return (uint32_t)ino;
}

static void put_memory(struct nlmsgs *m, const struct unix_shown *s)
{
	uint32_t sk[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RMEM_ALLOC] = s->rmem,
		[SK_MEMINFO_RCVBUF] = s->rcvbuf,
		[SK_MEMINFO_WMEM_ALLOC] = s->wmem,
		[SK_MEMINFO_SNDBUF] = s->sndbuf,
	};

	nlattr_put(m, UNIX_DIAG_MEMINFO, sk, sizeof(sk));
}

static void put_attributes(struct nlmsgs *m, const struct unix_shown *s, uint32_t show)
{
	struct abi_unix_diag_vfs vfs = { ino32(s->vfs_ino), (uint32_t)s->vfs_dev };
	struct abi_unix_diag_rqlen queues = { s->rqueue, s->wqueue };

	if (show & UDIAG_SHOW_NAME && s->name_len)
		nlattr_put(m, UNIX_DIAG_NAME, s->name, s->name_len);
	if (show & UDIAG_SHOW_VFS && s->vfs_ino)
		nlattr_put(m, UNIX_DIAG_VFS, &vfs, sizeof(vfs));
	if (show & UDIAG_SHOW_PEER && s->peer)
		nlattr_put_u32(m, UNIX_DIAG_PEER, ino32(s->peer));
	if (show & UDIAG_SHOW_ICONS && s->nicons)
		nlattr_put(m, UNIX_DIAG_ICONS, s->icons, s->nicons * (uint32_t)sizeof(s->icons[0]));
	if (show & UDIAG_SHOW_RQLEN)
		nlattr_put(m, UNIX_DIAG_RQLEN, &queues, sizeof(queues));
	if (show & UDIAG_SHOW_MEMINFO)
		put_memory(m, s);
	nlattr_put_u8(m, UNIX_DIAG_SHUTDOWN, s->shutdown);
	if (show & UDIAG_SHOW_UID)
		nlattr_put_u32(m, UNIX_DIAG_UID, s->uid);
}

/* False: full, and nothing was added. */
static bool put_message(const struct question *q, const struct unix_shown *s)
{
	struct abi_unix_diag_msg *msg =
		nlmsg_begin(q->m, SOCK_DIAG_BY_FAMILY, q->is_dump ? NLM_F_MULTI : 0, q->seq,
			    q->portid, sizeof(*msg));

	if (msg != NULL) {
		*msg = (struct abi_unix_diag_msg){ .udiag_family = AF_UNIX,
						   .udiag_type = s->type,
						   .udiag_state = s->state,
						   .udiag_ino = ino32(s->ino) };
		diag_put_cookie(msg->udiag_cookie, s->ino);
		put_attributes(q->m, s, q->req.udiag_show);
	}
	return nlmsg_end(q->m);
}

static bool dump_one(void *ctx, const struct unix_shown *s)
{
	struct question *q = ctx;

	return !(q->req.udiag_states >> s->state & 1) || put_message(q, s);
}

static int more(struct nldump *d, struct nlmsgs *m)
{
	struct question *q = d->data;

	q->m = m;
	return unix_walk(&d->key[0], &q->room, dump_one, q);
}

static struct question *ask(const struct nlrequest *r)
{
	struct question *q = kzalloc(sizeof(*q));

	if (q == NULL)
		return NULL;
	memcpy(&q->req, r->payload, sizeof(q->req));
	q->seq = r->seq;
	q->portid = r->portid;
	return q;
}

static int dump(struct nlrequest *r, struct nldump *d)
{
	struct question *q = ask(r);

	if (q == NULL)
		return -ENOMEM;
	q->is_dump = true;
	d->data = q;
	d->more = more;
	return 0;
}

static bool find_one(void *ctx, const struct unix_shown *s)
{
	struct question *q = ctx;

	if (s->ino == 0 || ino32(s->ino) != q->req.udiag_ino)
		return true;
	if (!diag_cookie_is(q->req.udiag_cookie, s->ino))
		q->err = -ESTALE;
	else
		q->err = put_message(q, s) ? 0 : -EMSGSIZE;
	return false;
}

static int one(struct nlrequest *r, struct nlmsgs *m)
{
	struct question *q;
	uint64_t key = 0;
	int err;

	if (m == NULL)
		return -EOPNOTSUPP;
	if ((q = ask(r)) == NULL)
		return -ENOMEM;
	if (q->req.udiag_ino == 0) {
		kfree(q);
		return -EINVAL;
	}
	q->m = m;
	q->err = -ENOENT;
	unix_walk(&key, &q->room, find_one, q);
	err = q->err;
	kfree(q);
	return err;
}

void diag_unix_init(void)
{
	static struct diag_family f = { .family = AF_UNIX,
					.request_bytes = sizeof(struct abi_unix_diag_req),
					.dump = dump,
					.one = one };

	diag_register(&f);
}
