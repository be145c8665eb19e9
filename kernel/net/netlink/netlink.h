#pragma once

/*
 * Netlink: messages between programs and the kernel, each a header and attributes. A protocol
 * registers how it answers requests; answers, dumps and reports are built in a struct nlmsgs and
 * queued at sockets.
 *   source       netlink(7), RFC 3549
 */

#include "abi/netlink.h"
#include "lib/list.h"
#include "lib/types.h"
#include "net/socket.h"

struct netlink_sock;

/* --- building --- */

/* Messages in one buffer, as one recvmsg(2) gives them. Filling one beyond its size sets `full`. */
struct nlmsgs {
	struct list node; /* the receiver's queue */
	uint32_t len, size;
	uint32_t last;   /* offset of the message being built */
	uint32_t from;   /* port of the sender; 0: the kernel */
	uint32_t groups; /* mask of the group it was reported to */
	uint32_t group;  /* its number */
	uint32_t uid, gid, pid;
	bool full;
	uint8_t data[] ALIGNED(4);
};

enum { NLMSGS_SMALL = 512, NLMSGS_DUMP = 8192, NLMSGS_MAX = 32768 };

MUST_CHECK struct nlmsgs *nlmsgs_alloc(uint32_t size); /* NULL: no memory */
void nlmsgs_free(struct nlmsgs *m);

/* Begins a message with n bytes of family header, zeroed, which is returned; NULL: full. */
void *nlmsg_begin(struct nlmsgs *m, uint16_t type, uint16_t flags, uint32_t seq, uint32_t pid,
		  uint32_t n);
/* The message is complete; or, false, did not fit and was taken back. */
MUST_CHECK bool nlmsg_end(struct nlmsgs *m);

void nlattr_put(struct nlmsgs *m, uint16_t type, const void *data, uint32_t n);
void nlattr_put_string(struct nlmsgs *m, uint16_t type, const char *s);
static inline void nlattr_put_u8(struct nlmsgs *m, uint16_t type, uint8_t v)
{
	nlattr_put(m, type, &v, sizeof(v));
}
static inline void nlattr_put_u32(struct nlmsgs *m, uint16_t type, uint32_t v)
{
	nlattr_put(m, type, &v, sizeof(v));
}
/* n bytes that are no attribute, zeroed, and where they lie; NULL: full. */
void *nlmsg_reserve(struct nlmsgs *m, uint32_t n, uint32_t *at);
/* Attributes until nlattr_end() lie inside this one. */
uint32_t nlattr_begin(struct nlmsgs *m, uint16_t type);
void nlattr_end(struct nlmsgs *m, uint32_t at);

/* --- reading --- */

/* One request. Payload and attributes are kernel memory, their lengths checked. */
struct nlrequest {
	struct netlink_sock *from;
	uint16_t type, flags;
	uint32_t seq, portid;
	const void *payload; /* the family header */
	uint32_t len;        /* of payload with all behind it */
	const char *why;     /* a literal that explains an error to users with EXT_ACK; or NULL */
	const struct nlattr *bad; /* the attribute that it is about; or NULL */
};

struct nlattr {
	const void *data;
	uint32_t len;
};

/*
 * Sorts attributes behind a family header of n bytes by type into table[0 … max]; unknown ones are
 * passed over, the last of several counts.
 *   returns  0; -EINVAL the header or an attribute is cut off
 */
MUST_CHECK int nlattr_parse(const struct nlrequest *r, uint32_t n, struct nlattr *table,
			    uint16_t max);
/* The same inside an attribute. */
MUST_CHECK int nlattr_parse_nested(const struct nlattr *a, struct nlattr *table, uint16_t max);

static inline bool nlattr_has_u32(const struct nlattr *a)
{
	return a->data && a->len >= 4;
}
static inline uint32_t nlattr_u32(const struct nlattr *a)
{
	uint32_t v;

	__builtin_memcpy(&v, a->data, sizeof(v));
	return v;
}
/* A string attribute into a buffer; false: it does not fit, or is none. */
MUST_CHECK bool nlattr_string(const struct nlattr *a, char *to, size_t size);

/* --- protocols --- */

/* Where a dump goes on; zeroed at its beginning. Owned by the socket. */
struct nldump {
	uint64_t key[4];
	uint8_t family;
	uint8_t header[16] ALIGNED(8); /* of the request, for filters */
	uint32_t filter[4];            /* what else it asks for; the protocol's */
	uint16_t type;
	void *data; /* the protocol's, from kmalloc(); the socket frees it */
	uint32_t seq, portid;
	int error; /* what it ends with at once, and why: as nlrequest has it */
	const char *why;
	bool strict; /* the request's filters count: NETLINK_GET_STRICT_CHK */
	/*
	 * Adds messages with NLM_F_MULTI until m is full or all are there; the state is what has
	 * been added. 0: all; 1: m is full; -errno ends the dump with it.
	 */
	int (*more)(struct nldump *d, struct nlmsgs *m);
};

struct netlink_protocol_ops {
	uint16_t protocol;
	unsigned ngroups;
	bool any_may_listen; /* groups are for everybody; else CAP_NET_ADMIN */
	/*
	 * One message with NLM_F_REQUEST. 0, and a `reply` to the sender or NULL; or a `dump` set
	 * up (dump->more); or -errno, which the sender is told. May sleep.
	 */
	int (*request)(struct nlrequest *r, struct nlmsgs **reply, struct nldump *dump);
	/* Or, instead: all that a send(2) has for the kernel, which is no request. May sleep. */
	void (*receive)(const void *bytes, uint32_t n);
	struct netlink_protocol_ops *next;
};
/* A netlink socket as /proc/net/netlink and sock_diag(7) show it. */
struct netlink_shown {
	uint8_t type;
	uint16_t protocol;
	uint32_t portid, peer_port, peer_groups;
	uint64_t groups; /* bit n-1: listens to group n */
	unsigned ngroups;
	uint64_t ino;
	uint32_t refs, rmem, rcvbuf, sndbuf;
	bool dumping;
};
/* The first socket with a port at or behind *key (0: all), and the key behind it. False: none. */
MUST_CHECK bool netlink_next(uint64_t *key, struct netlink_shown *out);

void netlink_init(void); /* boot, after net_init() */
void netlink_register(struct netlink_protocol_ops *p);

/*
 * Reports m to all sockets that listen to a group; consumes it. `except`: the port that is not told
 * (it gets the answer); 0: none. Receivers whose queue is full lose it and are told by ENOBUFS.
 */
void netlink_report(uint16_t protocol, unsigned group, struct nlmsgs *m);
/*
 * Sends m to the socket with a port; consumes it.
 *   returns      0; -ECONNREFUSED there is none; -EAGAIN its queue is full (ENOBUFS tells it)
 */
MUST_CHECK int netlink_send(uint16_t protocol, uint32_t port, struct nlmsgs *m);
/*
 * For mq_notify(2): n bytes that are no messages of netlink, queued at the socket f, however full
 * it is. Lost when there is no memory. can_give: 0; -ENOTSOCK; -EINVAL a socket of another family.
 */
struct file;
MUST_CHECK int netlink_can_give(const struct file *f);
void netlink_give(struct file *f, const void *bytes, uint32_t n);
/* Whether anybody listens, without a lock: building may be saved. */
bool netlink_has_listeners(uint16_t protocol, unsigned group);
