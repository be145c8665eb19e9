/* Which family answers a request for sockets: see diag.h. */

#include "net/netlink/diag.h"

#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "abi/socket.h"

static struct diag_family *families; /* immutable after boot */

void diag_register(struct diag_family *f)
{
	f->next = families;
	families = f;
}

static const struct diag_family *find(uint8_t family)
{
	const struct diag_family *f = families;

	while (f && f->family != family)
		f = f->next;
	return f;
}

static int request(struct nlrequest *r, struct nlmsgs **reply, struct nldump *dump)
{
	const struct diag_family *f;
	struct nlmsgs *m = NULL;
	uint8_t family;
	int err;

	if (r->type == DCCPDIAG_GETSOCK)
		return -ENOENT;
	if (r->type != SOCK_DIAG_BY_FAMILY && r->type != SOCK_DESTROY)
		return -EINVAL;
	if (r->len < 2)
		return -EINVAL;
	family = *(const uint8_t *)r->payload;
	if (family >= AF_MAX)
		return -EINVAL;
	if ((f = find(family)) == NULL)
		return -ENOENT;
	if (r->len < f->request_bytes)
		return -EINVAL;
	if (r->type == SOCK_DESTROY)
		return f->one(r, NULL);
	if (r->flags & NLM_F_DUMP)
		return f->dump(r, dump);
	if ((m = nlmsgs_alloc(NLMSGS_DUMP)) == NULL)
		return -ENOMEM;
	if ((err = f->one(r, m)))
		nlmsgs_free(m);
	else
		*reply = m;
	return err;
}

void sock_diag_init(void)
{
	static struct netlink_protocol_ops ops = {
		.protocol = NETLINK_SOCK_DIAG,
		.any_may_listen = true,
		.request = request,
	};

	diag_inet_init();
	diag_unix_init();
	diag_netlink_init();
	diag_packet_init();
	netlink_register(&ops);
}
