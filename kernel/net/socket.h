#pragma once

/*
 * Sockets, without protocols. A socket is an inode of sockfs and what every protocol family needs:
 * two wait queues, the pending error, the options of SOL_SOCKET. A family embeds it at the start of
 * its own struct, registers how one is made, and fills in the operations; this layer turns
 * descriptors' reads, writes, polls and the socket calls into them, and copies nothing itself: data
 * goes between the user's uio and the family's buffers in one step.
 *
 * References: the inode's count is the socket's. The open file holds one, and so does whoever
 * points at a socket (a peer, a message's owner). The file's last close calls ops->release; the
 * memory goes, through ops->destroy, with the last reference.
 */

#include "abi/socket.h"
#include "lib/types.h"
#include "sched/wait.h"
#include "vfs/inode.h"
#include "vm/uio.h"

struct file;
struct poll_ctx;
struct slab_cache;
struct socket;
struct socket_filter;
struct textbuf;
struct vm_map_args;

enum { SOCKADDR_MAX = sizeof(struct abi_sockaddr_storage) };

/* One sendmsg(2) or recvmsg(2). */
struct sockmsg {
	struct uio *uio;
	uint32_t flags;       /* MSG_* of the call; MSG_DONTWAIT for a non-blocking file too */
	uint32_t out_flags;   /* recv: what msg_flags gets */
	void *name;           /* send: the address (kernel memory), or NULL; recv: room for
				 SOCKADDR_MAX bytes, or NULL */
	uint32_t namelen;     /* send: of name; recv: the method sets it (0: none) */
	void *control;        /* send: the control messages (kernel memory) */
	uaddr_t ucontrol;     /* recv: the user's room for them; moves on */
	uint64_t control_len; /* bytes of either; recv: goes down */
};

/* Whose name: our own, the peer's, or the peer's even if the connection is over: accept(2). */
enum socket_name { SOCKET_OWN, SOCKET_PEER, SOCKET_ACCEPTED };

/*
 * What a protocol does. All may sleep and are called without locks; missing ones mean -EOPNOTSUPP.
 * Addresses are in kernel memory; output addresses go to a buffer of SOCKADDR_MAX bytes, and the
 * method returns their length.
 */
struct socket_ops {
	void (*release)(struct socket *s); /* the file is gone: disconnect, throw data away */
	void (*destroy)(struct socket *s); /* the last reference is gone: frees s; may sleep */
	int (*bind)(struct socket *s, const void *addr, uint32_t len);
	int (*connect)(struct socket *s, const void *addr, uint32_t len, bool nonblock);
	int (*pair)(struct socket *a, struct socket *b); /* socketpair(2) */
	int (*listen)(struct socket *s, uint32_t backlog);
	int (*accept)(struct socket *s, bool nonblock, struct socket **out); /* counted */
	/* Length, or -ENOTCONN. */
	int (*getname)(struct socket *s, void *addr, enum socket_name which);
	int (*shutdown)(struct socket *s, int how); /* SHUT_* */
	/* Bytes or -errno. Whether -EPIPE means SIGPIPE is in `flags` below. */
	ssize64_t (*send)(struct socket *s, struct sockmsg *m);
	ssize64_t (*recv)(struct socket *s, struct sockmsg *m);
	uint32_t (*poll)(struct socket *s, struct poll_ctx *ctx);
	/* Options that SOL_SOCKET does not have for every family, and the family's own levels.
	 * getsockopt: val has room for *len bytes. NULL or -ENOPROTOOPT: there is no such one. */
	int (*setsockopt)(struct socket *s, int level, int name, uaddr_t val, uint32_t len);
	int (*getsockopt)(struct socket *s, int level, int name, void *val, uint32_t *len);
	void (*bit_changed)(struct socket *s, uint32_t bit); /* an option of enum socket_bits */
	/* Asked before SO_RCVLOWAT, SO_TIMESTAMPING or SO_ATTACH_FILTER gets a value; may change
	 * that. NULL: any will do. */
	int (*check_option)(struct socket *s, int name, uint32_t *v);
	/* SO_MEMINFO: what is in its queues; NULL: nothing. */
	void (*meminfo)(struct socket *s, uint32_t info[]);
	int64_t (*ioctl)(struct socket *s, unsigned cmd, uint64_t arg); /* -ENOTTY: unknown */
	int (*mmap)(struct socket *s, struct vm_map_args *a); /* as file_ops.mmap; NULL: -ENODEV */
	void (*show_fdinfo)(struct socket *s, struct textbuf *t);
	unsigned flags; /* enum socket_ops_flags */
};
enum socket_ops_flags {
	SOCKET_SIGPIPE = 1,  /* a send that fails with -EPIPE sends SIGPIPE, unless MSG_NOSIGNAL */
	SOCKET_PEEK_OFF = 2, /* has SO_PEEK_OFF */
	SOCKET_INOUT = 4,    /* getsockopt: val holds the user's bytes, as many as fit 8 */
};

/* Options that are one bit. */
enum socket_bits {
	SOB_DEBUG = 1,
	SOB_REUSEADDR = 2,
	SOB_DONTROUTE = 4,
	SOB_BROADCAST = 8,
	SOB_KEEPALIVE = 16,
	SOB_OOBINLINE = 32,
	SOB_NO_CHECK = 64,
	SOB_REUSEPORT = 128,
	SOB_PASSCRED = 256,
	SOB_TIMESTAMP = 512,
	SOB_TIMESTAMPNS = 1024,
	SOB_RXQ_OVFL = 2048,
	SOB_LINGER = 4096,
	SOB_PASSSEC = 8192,
	SOB_SNDBUF_SET = 1 << 14, /* the user chose: no automatic tuning */
	SOB_RCVBUF_SET = 1 << 15,
	SOB_TIMESTAMP_NEW = 1 << 16, /* asked for by SO_TIMESTAMP*_NEW: the messages say so */
	SOB_LOCK_FILTER = 1 << 17,
	SOB_TIMESTAMPING = 1 << 18, /* SO_TIMESTAMPING wants the time of arrival */
	SOB_TIMESTAMPING_NEW = 1 << 19,
	SOB_WIFI_STATUS = 1 << 20, /* of frames that no device here brings */
	SOB_NOFCS = 1 << 21,
	SOB_SELECT_ERR_QUEUE = 1 << 22, /* queued errors are EPOLLPRI too */
	SOB_PREFER_BUSY_POLL = 1 << 23,
	SOB_RCVMARK = 1 << 24,
	SOB_ZEROCOPY = 1 << 25,
	SOB_TXTIME = 1 << 26,
};

struct net_family;

struct socket {
	struct inode inode;           /* first: its count is the socket's */
	const struct socket_ops *ops; /* immutable */
	uint16_t family, type;        /* immutable */
	uint16_t protocol;            /* immutable */
	struct waitq readable, writable;
	_Atomic(struct file *) file; /* NULL: not accepted yet, or closed; read under an epoch */
	_Atomic int error;           /* SO_ERROR: errno, positive; taken by the next call */
	_Atomic uint32_t bits;       /* enum socket_bits */
	/* Options; single words, racy by nature. */
	uint32_t sndbuf, rcvbuf, rcvlowat;
	_Atomic int32_t peek_off;  /* SO_PEEK_OFF; -1: off */
	nsec_t sndtimeo, rcvtimeo; /* NSEC_MAX: none */
	uint32_t linger_s, priority, mark;
	int32_t bound_if;                       /* SO_BINDTOIFINDEX */
	_Atomic(struct socket_filter *) filter; /* net/filter.h; read under an epoch */
	uint32_t ts_flags;                      /* SOF_TIMESTAMPING_* */
	_Atomic uint32_t ts_key;   /* of the next message, with SOF_TIMESTAMPING_OPT_ID */
	_Atomic uint32_t copy_key; /* of the next send with MSG_ZEROCOPY */
	int32_t incoming_cpu;      /* where the last packet came in; -1: none did */
	/* Hints that nothing here follows: no device is polled by its readers, and no queue sends
	 * at a time. */
	uint32_t busy_poll, busy_budget;
	struct abi_sock_txtime txtime;
	uint8_t txrehash;
};

/* How sockets of a family are made. */
struct net_family {
	uint16_t family; /* AF_* */
	/* type without flags. *out has one reference. -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM …
	 */
	int (*create)(int type, int protocol, struct socket **out);
	struct net_family *next;
};

void net_init(void); /* boot: sockfs; before any family */
void net_family_register(struct net_family *f);

/* For families: initialises the embedded socket, count 1. */
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type,
		 int protocol);

uint64_t socket_count(void); /* that have a file: a snapshot */

static inline void socket_get(struct socket *s)
{
	inode_get(&s->inode);
}
static inline void socket_put(struct socket *s) /* may sleep: not under a spinlock */
{
	inode_put(&s->inode);
}
static inline bool socket_has(const struct socket *s, uint32_t bit)
{
	return atomic_load_explicit(&s->bits, memory_order_relaxed) & bit;
}

/* The socket behind an open file, or NULL. */
struct socket *socket_of(const struct file *f);

/* An open file for s, whose reference is consumed; on failure s is released. flags: O_NONBLOCK. */
MUST_CHECK int socket_open_file(struct socket *s, unsigned flags, struct file **out);

/* socket(2), socketpair(2), accept(2): files with one reference. -EAFNOSUPPORT, … */
MUST_CHECK int socket_create(int family, int type, int protocol, struct socket **out);
MUST_CHECK int socket_create_pair(int family, int type, int protocol, struct socket *out[2]);
MUST_CHECK int socket_accept(struct socket *s, bool nonblock, struct socket **out);

MUST_CHECK int socket_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock);
MUST_CHECK int socket_listen(struct socket *s, int backlog);

/* As ops->send and recv, with tracing. SIGPIPE is the caller's: socket_wants_sigpipe(). */
MUST_CHECK ssize64_t socket_send(struct socket *s, struct sockmsg *m);
MUST_CHECK ssize64_t socket_recv(struct socket *s, struct sockmsg *m);

/*
 * For families: sleeps on q (one of the socket's, or of another that is counted) until ready(s).
 *   timeout      s->rcvtimeo or sndtimeo as it was when the call began, made a deadline
 *   returns      0; -EAGAIN the time is over; -EINTR or -ERESTARTSYS a signal, as socket(7) says of
 *                timeouts
 *   context      no locks
 */
MUST_CHECK int socket_wait(struct socket *s, struct waitq *q, bool (*ready)(struct socket *),
			   nsec_t deadline);
/* The same on s->readable in accept(2): of many who wait so, socket_wake_accept() wakes one. */
MUST_CHECK int socket_wait_accept(struct socket *s, bool (*ready)(struct socket *),
				  nsec_t deadline);
void socket_wake_accept(struct socket *s);             /* one more connection can be accepted */
nsec_t socket_deadline(nsec_t timeout, bool nonblock); /* 0: do not wait */

/* Tells those who wait on q of s, and its owner by SIGIO. events: EPOLL* bits. Any thread context;
 * s counted by the caller. */
void socket_wake(struct socket *s, struct waitq *q, uint32_t events);
void socket_send_sigurg(struct socket *s); /* urgent data has come; context as above */
/* Both queues: the connection changed. */
void socket_wake_state(struct socket *s, uint32_t events);

/* Takes the pending error: 0 or -errno. */
static inline int socket_take_error(struct socket *s)
{
	return LIKELY(atomic_load_explicit(&s->error, memory_order_relaxed) == 0)
		       ? 0
		       : -atomic_exchange(&s->error, 0);
}

/*
 * Writes one control message to the receiver's buffer; what does not fit is cut, or left out, and
 * MSG_CTRUNC set (cmsg(3), recv(2)).
 */
void sockmsg_put_control(struct sockmsg *m, int level, int type, const void *data, size_t len);

/* The time of arrival (CLOCK_REALTIME, ns), for a socket with SO_TIMESTAMP or SO_TIMESTAMPNS. */
void sockmsg_put_timestamp(struct sockmsg *m, const struct socket *s, nsec_t real);
/* What SO_RCVMARK asks for. */
static inline void sockmsg_put_mark(struct sockmsg *m, const struct socket *s, uint32_t mark)
{
	if (UNLIKELY(socket_has(s, SOB_RCVMARK)))
		sockmsg_put_control(m, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

/* sockrare.c: the options of SOL_SOCKET that few ask for. get: what is left when nobody else has it
 * is socket_get_default(). -ENOPROTOOPT: it is none of them. */
MUST_CHECK int socket_set_rare(struct socket *s, int name, uint32_t v, uaddr_t val, uint32_t len);
MUST_CHECK int socket_get_rare(struct socket *s, int name, void *val, uint32_t *len);
MUST_CHECK int socket_get_default(struct socket *s, int name, void *val, uint32_t *len);

/* SOL_SOCKET and, below it, the family's. val in user memory; *len in: room, out: bytes. */
MUST_CHECK int socket_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len);
MUST_CHECK int socket_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len);

/* The requests about interfaces (netdevice(7)), which a socket of any family takes: asked when the
 * family says -ENOTTY. NULL: there are none. Set by whoever has the interfaces. */
extern int64_t (*net_device_ioctl)(struct socket *s, unsigned cmd, uint64_t arg);

/* Whether a process has that number: for SCM_CREDENTIALS. Set by proc. */
extern bool (*net_pid_exists)(uint32_t pid);

/* sysctl net.core */
extern int net_somaxconn, net_wmem_default, net_wmem_max, net_rmem_default, net_rmem_max,
	net_optmem_max;
