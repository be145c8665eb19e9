/*
 * NETLINK_GENERIC: the families that there are, and the controller, itself one, which tells of
 * them. Programs ask for one by name (ethtool's, nl80211 …) and do without it, by older means, when
 * they hear ENOENT.
 *
 * Source: linux/genetlink.h; genl(8)'s requests.
 */

#include "net/netlink/genl.h"

#include "abi/errno.h"
#include "abi/genetlink.h"
#include "lib/string.h"
#include "net/netlink/netlink.h"
#include "vfs/cred.h"

enum { GROUP_NOTIFY = 0x10 };

static struct genl_family *families; /* by number; immutable after boot */

static void put_u16(struct nlmsgs *m, uint16_t type, uint16_t v)
{
	nlattr_put(m, type, &v, sizeof(v));
}

static void put_ops(struct nlmsgs *m, const struct genl_family *f)
{
	uint32_t list = nlattr_begin(m, CTRL_ATTR_OPS), item;

	for (unsigned i = 0; i < f->nops; i++) {
		item = nlattr_begin(m, (uint16_t)(i + 1));
		nlattr_put_u32(m, CTRL_ATTR_OP_ID, f->ops[i].cmd);
		nlattr_put_u32(m, CTRL_ATTR_OP_FLAGS, f->ops[i].flags);
		nlattr_end(m, item);
	}
	nlattr_end(m, list);
}

static void put_group(struct nlmsgs *m, const struct genl_family *f)
{
	uint32_t list = nlattr_begin(m, CTRL_ATTR_MCAST_GROUPS);
	uint32_t item = nlattr_begin(m, 1);

	nlattr_put_u32(m, CTRL_ATTR_MCAST_GRP_ID, f->group_id);
	nlattr_put_string(m, CTRL_ATTR_MCAST_GRP_NAME, f->group);
	nlattr_end(m, item);
	nlattr_end(m, list);
}

/* False: full. */
static bool put_family(struct nlmsgs *m, const struct genl_family *f, uint16_t flags, uint32_t seq,
		       uint32_t portid)
{
	struct abi_genlmsghdr *g = nlmsg_begin(m, GENL_ID_CTRL, flags, seq, portid, sizeof(*g));

	if (g == NULL)
		return nlmsg_end(m);
	*g = (struct abi_genlmsghdr){ .cmd = CTRL_CMD_NEWFAMILY, .version = families->version };
	nlattr_put_string(m, CTRL_ATTR_FAMILY_NAME, f->name);
	put_u16(m, CTRL_ATTR_FAMILY_ID, f->id);
	nlattr_put_u32(m, CTRL_ATTR_VERSION, f->version);
	nlattr_put_u32(m, CTRL_ATTR_HDRSIZE, 0);
	nlattr_put_u32(m, CTRL_ATTR_MAXATTR, f->max_attribute);
	put_ops(m, f);
	if (f->group != NULL)
		put_group(m, f);
	return nlmsg_end(m);
}

/* d->key[0]: the number of the last family that was told. */
static int more(struct nldump *d, struct nlmsgs *m)
{
	for (const struct genl_family *f = families; f != NULL; f = f->next) {
		if (f->id <= d->key[0])
			continue;
		if (!put_family(m, f, NLM_F_MULTI, d->seq, d->portid))
			return 1;
		d->key[0] = f->id;
	}
	return 0;
}

static int find_family(const struct nlrequest *r, const struct genl_family **out)
{
	const struct genl_family *f = families;
	struct nlattr a[CTRL_ATTR_FAMILY_NAME + 1];
	char name[GENL_NAMSIZ];
	uint16_t id;
	int err;

	if ((err = nlattr_parse(r, sizeof(struct abi_genlmsghdr), a, CTRL_ATTR_FAMILY_NAME)))
		return err;
	if (a[CTRL_ATTR_FAMILY_NAME].data) {
		if (!nlattr_string(&a[CTRL_ATTR_FAMILY_NAME], name, sizeof(name)))
			return -ERANGE;
		while (f != NULL && strcmp(f->name, name) != 0)
			f = f->next;
	} else if (a[CTRL_ATTR_FAMILY_ID].data) {
		if (a[CTRL_ATTR_FAMILY_ID].len < sizeof(id))
			return -ERANGE;
		memcpy(&id, a[CTRL_ATTR_FAMILY_ID].data, sizeof(id));
		while (f != NULL && f->id != id)
			f = f->next;
	} else {
		return -EINVAL;
	}
	*out = f;
	return f != NULL ? 0 : -ENOENT;
}

static int controller(struct nlrequest *r, uint8_t cmd, struct nlmsgs **reply)
{
	const struct genl_family *f = NULL;
	struct nlmsgs *m;
	int err;

	(void)cmd; /* there is one */
	if ((err = find_family(r, &f)))
		return err;
	if ((m = nlmsgs_alloc(NLMSGS_SMALL)) == NULL)
		return -ENOMEM;
	(void)!put_family(m, f, 0, r->seq, r->portid);
	*reply = m;
	return 0;
}

/* May the command be given, in this way, by this user? */
static int check_op(const struct genl_family *f, uint8_t cmd, bool dump)
{
	uint8_t way = dump ? GENL_CMD_CAP_DUMP : GENL_CMD_CAP_DO;
	unsigned i = 0;

	while (i < f->nops && f->ops[i].cmd != cmd)
		i++;
	if (i == f->nops || !(f->ops[i].flags & way))
		return -EOPNOTSUPP;
	return f->ops[i].flags & GENL_ADMIN_PERM && !capable(CAP_NET_ADMIN) ? -EPERM : 0;
}

static int request(struct nlrequest *r, struct nlmsgs **reply, struct nldump *dump)
{
	bool is_dump = (r->flags & NLM_F_DUMP) == NLM_F_DUMP;
	const struct genl_family *f = families;
	struct abi_genlmsghdr g;
	int err;

	while (f != NULL && f->id != r->type)
		f = f->next;
	if (f == NULL)
		return -ENOENT;
	if (r->len < sizeof(g))
		return -EINVAL;
	memcpy(&g, r->payload, sizeof(g));
	if ((err = check_op(f, g.cmd, is_dump)))
		return err;
	if (!is_dump)
		return f->request(r, g.cmd, reply);
	dump->more = more; /* the controller's: no other command can be dumped */
	return 0;
}

void genl_register(struct genl_family *f)
{
	struct genl_family **at = &families;
	uint16_t id = GENL_START_ALLOC;

	for (; *at != NULL; at = &(*at)->next)
		id = MAX(id, (uint16_t)((*at)->id + 1));
	if (f->id == 0)
		f->id = id;
	*at = f;
}

void genl_init(void)
{
	static struct netlink_protocol_ops ops = {
		.protocol = NETLINK_GENERIC,
		.ngroups = 32,
		.any_may_listen = true,
		.request = request,
	};
	static const struct genl_op controller_ops[] = {
		{ CTRL_CMD_GETFAMILY, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP },
	};
	static struct genl_family self = {
		.name = "nlctrl",
		.id = GENL_ID_CTRL,
		.version = 2,
		.max_attribute = 10,
		.ops = controller_ops,
		.nops = ARRAY_SIZE(controller_ops),
		.group = "notify",
		.group_id = GROUP_NOTIFY,
		.request = controller,
	};

	netlink_register(&ops);
	genl_register(&self);
}
