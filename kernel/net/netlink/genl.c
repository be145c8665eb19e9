/*
 * NETLINK_GENERIC: its controller, which tells what families there are: itself. Programs ask for
 * one by name (ethtool's, nl80211 …) and do without it, by older means, when they hear ENOENT.
 *
 * Source: linux/genetlink.h; genl(8)'s requests.
 */

#include "net/netlink/genl.h"

#include "abi/errno.h"
#include "abi/genetlink.h"
#include "lib/string.h"
#include "net/netlink/netlink.h"

enum { VERSION = 2, MAX_ATTRIBUTE = 10, GROUP_NOTIFY = 0x10, NAME_ROOM = 16 };

static void put_u16(struct nlmsgs *m, uint16_t type, uint16_t v)
{
	nlattr_put(m, type, &v, sizeof(v));
}

/* False: full. */
static bool put_controller(struct nlmsgs *m, uint16_t flags, uint32_t seq, uint32_t portid)
{
	struct abi_genlmsghdr *g = nlmsg_begin(m, GENL_ID_CTRL, flags, seq, portid, sizeof(*g));
	uint32_t list, item;

	if (g == NULL)
		return nlmsg_end(m);
	*g = (struct abi_genlmsghdr){ .cmd = CTRL_CMD_NEWFAMILY, .version = VERSION };
	nlattr_put_string(m, CTRL_ATTR_FAMILY_NAME, "nlctrl");
	put_u16(m, CTRL_ATTR_FAMILY_ID, GENL_ID_CTRL);
	nlattr_put_u32(m, CTRL_ATTR_VERSION, VERSION);
	nlattr_put_u32(m, CTRL_ATTR_HDRSIZE, 0);
	nlattr_put_u32(m, CTRL_ATTR_MAXATTR, MAX_ATTRIBUTE);
	list = nlattr_begin(m, CTRL_ATTR_OPS | NLA_F_NESTED);
	item = nlattr_begin(m, 1 | NLA_F_NESTED);
	nlattr_put_u32(m, CTRL_ATTR_OP_ID, CTRL_CMD_GETFAMILY);
	nlattr_put_u32(m, CTRL_ATTR_OP_FLAGS, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP);
	nlattr_end(m, item);
	nlattr_end(m, list);
	list = nlattr_begin(m, CTRL_ATTR_MCAST_GROUPS | NLA_F_NESTED);
	item = nlattr_begin(m, 1 | NLA_F_NESTED);
	nlattr_put_u32(m, CTRL_ATTR_MCAST_GRP_ID, GROUP_NOTIFY);
	nlattr_put_string(m, CTRL_ATTR_MCAST_GRP_NAME, "notify");
	nlattr_end(m, item);
	nlattr_end(m, list);
	return nlmsg_end(m);
}

static int more(struct nldump *d, struct nlmsgs *m)
{
	if (d->key[0] == 0 && !put_controller(m, NLM_F_MULTI, d->seq, d->portid))
		return 1;
	d->key[0] = 1;
	return 0;
}

/* 0: the family that is asked for is the controller. */
static int find_family(const struct nlrequest *r)
{
	struct nlattr a[CTRL_ATTR_FAMILY_NAME + 1];
	char name[NAME_ROOM];
	uint16_t id;
	int err;

	if ((err = nlattr_parse(r, sizeof(struct abi_genlmsghdr), a, CTRL_ATTR_FAMILY_NAME)))
		return err;
	if (!a[CTRL_ATTR_FAMILY_ID].data && !a[CTRL_ATTR_FAMILY_NAME].data)
		return -EINVAL;
	if (a[CTRL_ATTR_FAMILY_ID].data) {
		if (a[CTRL_ATTR_FAMILY_ID].len < sizeof(id))
			return -ERANGE;
		memcpy(&id, a[CTRL_ATTR_FAMILY_ID].data, sizeof(id));
		if (id != GENL_ID_CTRL)
			return -ENOENT;
	}
	if (a[CTRL_ATTR_FAMILY_NAME].data) {
		if (!nlattr_string(&a[CTRL_ATTR_FAMILY_NAME], name, sizeof(name)))
			return -ERANGE;
		if (strcmp(name, "nlctrl") != 0)
			return -ENOENT;
	}
	return 0;
}

static int request(struct nlrequest *r, struct nlmsgs **reply, struct nldump *dump)
{
	struct abi_genlmsghdr g;
	struct nlmsgs *m;
	int err;

	if (r->type != GENL_ID_CTRL)
		return -ENOENT;
	if (r->len < sizeof(g))
		return -EINVAL;
	memcpy(&g, r->payload, sizeof(g));
	if (g.cmd != CTRL_CMD_GETFAMILY)
		return -EOPNOTSUPP;
	if ((r->flags & NLM_F_DUMP) == NLM_F_DUMP) {
		dump->more = more;
		return 0;
	}
	if ((err = find_family(r)))
		return err;
	if ((m = nlmsgs_alloc(NLMSGS_SMALL)) == NULL)
		return -ENOMEM;
	(void)!put_controller(m, 0, r->seq, r->portid);
	*reply = m;
	return 0;
}

void genl_init(void)
{
	static struct netlink_protocol_ops ops = {
		.protocol = NETLINK_GENERIC,
		.ngroups = 32,
		.any_may_listen = true,
		.request = request,
	};

	netlink_register(&ops);
}
