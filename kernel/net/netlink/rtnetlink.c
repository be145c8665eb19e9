/*
 * The dispatcher of NETLINK_ROUTE. A handler is found by type and family; a dump for AF_UNSPEC goes
 * through the handlers of all families, one after the other, with the place in key[3].
 */

#include "net/netlink/rtnetlink.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "net/netif.h"
#include "net/netlink/rtnl_priv.h"
#include "vfs/cred.h"

static struct rtnl_handler *handlers, **last = &handlers; /* immutable after boot */

void rtnl_register(struct rtnl_handler *h)
{
	h->next = NULL;
	*last = h;
	last = &h->next;
}

static struct rtnl_handler *find(uint16_t type, uint8_t family)
{
	struct rtnl_handler *any = NULL;

	for (struct rtnl_handler *h = handlers; h; h = h->next) {
		if (h->type == type && h->family == family)
			return h;
		if (h->type == type && h->family == AF_UNSPEC)
			any = h;
	}
	return any;
}

/* The nth handler with a dump of this type. */
static struct rtnl_handler *find_nth_dump(uint16_t type, uint64_t n)
{
	for (struct rtnl_handler *h = handlers; h; h = h->next)
		if (h->type == type && h->more && n-- == 0)
			return h;
	return NULL;
}

static int dump_more(struct nldump *d, struct nlmsgs *m)
{
	struct rtnl_handler *h = find(d->type, d->family);
	int res = 0;

	mutex_lock(&net_config_lock);
	if (d->family != AF_UNSPEC || (h && h->family == AF_UNSPEC)) {
		res = h->more(d, m);
	} else {
		while ((h = find_nth_dump(d->type, d->key[3])) && (res = h->more(d, m)) == 0) {
			d->key[0] = d->key[1] = d->key[2] = 0;
			d->key[3]++;
		}
	}
	mutex_unlock(&net_config_lock);
	return res;
}

static int start_dump(struct nlrequest *r, struct nldump *d, uint8_t family)
{
	struct rtnl_handler *h = find_nth_dump(r->type, 0);

	if (family != AF_UNSPEC)
		h = find(r->type, family);
	if (!h || !h->more)
		return -EOPNOTSUPP;
	d->family = family;
	memcpy(d->header, r->payload, MIN(r->len, (uint32_t)sizeof(d->header)));
	d->more = dump_more;
	if (h->start) {
		mutex_lock(&net_config_lock);
		d->error = h->start(r, d);
		mutex_unlock(&net_config_lock);
		d->why = r->why;
	}
	return 0;
}

static int request(struct nlrequest *r, struct nlmsgs **reply, struct nldump *dump)
{
	bool is_get = (r->type & 3) == 2; /* NEW, DEL, GET, SET */
	struct rtnl_handler *h;
	uint8_t family;
	int err;

	if (r->len < 1)
		return 0;
	family = *(const uint8_t *)r->payload;
	if (!is_get && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (is_get && (r->flags & NLM_F_DUMP))
		return start_dump(r, dump, family);
	h = find(r->type, family);
	if (!h || !h->doit)
		return -EOPNOTSUPP;
	mutex_lock(&net_config_lock);
	err = h->doit(r, reply);
	mutex_unlock(&net_config_lock);
	return err;
}

void rtnetlink_init(void)
{
	static struct netlink_protocol_ops route = {
		.protocol = NETLINK_ROUTE,
		.ngroups = RTNLGRP_MAX,
		.any_may_listen = true,
		.request = request,
	};

	netlink_register(&route);
	rtnl_link_init();
	rtnl_qdisc_init();
}
