/* NETLINK_GENERIC: its controller, and families that there are not. Source: linux/genetlink.h. */

#include "inet_test.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>

static struct {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attr[4096];
} m;

/* Sends a request with one attribute (type 0: none); the errno of the answer. */
static int ask(int type, int flags, int cmd, int attr, const void *data, size_t n)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct nlattr *a = (void *)m.attr;

	CHECK_OK(fd);
	memset(&m, 0, sizeof(m));
	m.h.nlmsg_type = (unsigned short)type;
	m.h.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
	m.h.nlmsg_seq = 3;
	m.g.cmd = (unsigned char)cmd;
	m.g.version = 1;
	m.h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	if (attr) {
		a->nla_type = (unsigned short)attr;
		a->nla_len = (unsigned short)(NLA_HDRLEN + n);
		memcpy(a + 1, data, n);
		m.h.nlmsg_len += NLA_ALIGN(a->nla_len);
	}
	CHECK_OK(send(fd, &m, m.h.nlmsg_len, 0));
	CHECK_OK(recv(fd, &m, sizeof(m), 0));
	close(fd);
	return m.h.nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)NLMSG_DATA(&m.h))->error : 0;
}

/* The attribute of the answer; NULL: it has none. */
static const void *find(int type)
{
	for (char *at = m.attr; at < (char *)&m + m.h.nlmsg_len;
	     at += NLA_ALIGN(((struct nlattr *)at)->nla_len))
		if ((((struct nlattr *)at)->nla_type & NLA_TYPE_MASK) == type)
			return at + NLA_HDRLEN;
	return NULL;
}

TEST(the_controller_knows_itself)
{
	unsigned short id = GENL_ID_CTRL;

	CHECK_EQ(ask(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "nlctrl", 7), 0);
	CHECK_EQ(m.h.nlmsg_type, GENL_ID_CTRL);
	CHECK_EQ(m.h.nlmsg_seq, 3);
	CHECK_EQ(m.g.cmd, CTRL_CMD_NEWFAMILY);
	CHECK_STR(find(CTRL_ATTR_FAMILY_NAME), "nlctrl");
	CHECK_EQ(*(const unsigned short *)find(CTRL_ATTR_FAMILY_ID), GENL_ID_CTRL);
	CHECK_EQ(*(const unsigned *)find(CTRL_ATTR_VERSION), 2);
	CHECK(find(CTRL_ATTR_OPS) != NULL);
	CHECK(find(CTRL_ATTR_MCAST_GROUPS) != NULL);
	CHECK_EQ(ask(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, &id, 2), 0);
	CHECK_STR(find(CTRL_ATTR_FAMILY_NAME), "nlctrl");
}

TEST(what_there_is_not)
{
	unsigned short id = 999;

	CHECK_EQ(ask(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "nosuchthing", 12),
		 ENOENT);
	CHECK_EQ(ask(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, &id, 2), ENOENT);
	CHECK_EQ(ask(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 0, NULL, 0), EINVAL);
	CHECK_EQ(ask(GENL_ID_CTRL, 0, 77, 0, NULL, 0), EOPNOTSUPP);
	CHECK_EQ(ask(999, 0, 1, 0, NULL, 0), ENOENT);
}

TEST(a_dump_has_the_controller)
{
	CHECK_EQ(ask(GENL_ID_CTRL, NLM_F_DUMP, CTRL_CMD_GETFAMILY, 0, NULL, 0), 0);
	CHECK_EQ(m.h.nlmsg_type, GENL_ID_CTRL);
	CHECK(m.h.nlmsg_flags & NLM_F_MULTI);
	CHECK_STR(find(CTRL_ATTR_FAMILY_NAME), "nlctrl");
}

/* The length that comes back is what there is to say; what does not fit is not written. */
TEST(list_memberships_keeps_to_its_room)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), group = 1;
	uint32_t out[4] = { 7, 7, 7, 7 };
	socklen_t len = 0;

	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	CHECK_OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, NULL, &len));
	CHECK_EQ(len, 8);
	for (socklen_t room = 0; room < 8; room++) {
		memset(out, 0x55, sizeof(out));
		len = room;
		CHECK_OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, out, &len));
		CHECK_EQ(len, 8);
		CHECK_EQ(out[0], room < 4 ? 0x55555555u : 1u);
		CHECK_EQ(out[1], 0x55555555u);
	}
	close(fd);
}
