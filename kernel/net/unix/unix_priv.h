#pragma once

/* Inside net/unix only. */

#include "core/spinlock.h"
#include "lib/list.h"
#include "net/socket.h"
#include "sched/mutex.h"
#include "vfs/mount.h"

struct page;
struct unix_rights;
struct unix_sock;

/* A name, shared by the socket that was bound to it and those accepted from it. */
struct unix_addr {
	struct ref ref;
	_Atomic uint32_t nusers; /* sockets that bear it and are not released */
	struct path path; /* the inode, for a path name, counted until the last of those; or NULL */
	struct inode *inode; /* path's; NULL: abstract; immutable */
	struct unix_sock
		*owner;         /* UNIXNAMES: the bound socket, borrowed: it leaves when released */
	struct unix_addr *next; /* UNIXNAMES: hash chain */
	uint32_t hash, len;     /* of the address with its family, bytes; immutable */
	struct abi_sockaddr_un name;
};

struct unix_cred {
	uint32_t pid, uid, gid;
};

enum unix_state { UNIX_IDLE, UNIX_LISTENING, UNIX_CONNECTED, UNIX_DEAD };
enum { UNIX_RCV_SHUT = 1, UNIX_SND_SHUT = 2, UNIX_SHUT = 3 };

/*
 * Data on its way: a run of bytes of a stream, or a datagram. Up to UNIX_INLINE bytes lie behind
 * the header, more in blocks of 2^order pages. A message counts its sender, on whose wmem its
 * weight stands until it is freed.
 */
struct unix_msg {
	struct list node;  /* receiver's lock */
	uint32_t len, off; /* bytes, and those consumed already; the reader's */
	uint32_t weight;   /* bytes of memory, about */
	uint16_t nblocks;  /* 0: inline */
	uint8_t order;     /* of each block */
	bool urgent;       /* MSG_OOB: one byte */
	struct unix_sock *sender;
	struct unix_cred cred; /* pid 0: none asked for */
	bool has_cred;
	struct unix_rights *rights; /* SCM_RIGHTS; NULL: none */
	struct page *block[];       /* or the bytes */
};
enum { UNIX_INLINE = 1920, UNIX_CHUNK = 32768, UNIX_OVERHEAD = 768, UNIX_BLOCK_ORDER = 3 };

/* A place in the list of all sockets, or a reader's mark there. */
struct unix_all {
	struct list node;
	uint64_t number; /* rises along the list; a mark has none */
	bool is_mark;
};

struct unix_sock {
	struct socket s;           /* first */
	struct spinlock lock;      /* UNIX: what says so below; two: by address */
	struct mutex reading;      /* SOCKET: one reader takes messages from `queue`'s head */
	_Atomic uint32_t state;    /* enum unix_state; lock to change */
	_Atomic uint32_t shutdown; /* UNIX_*_SHUT; lock to change, read without */
	/*
	 * Who we are connected to, counted. Streams and seqpackets: set once, then immutable until
	 * release; datagram sockets: lock.
	 */
	_Atomic(struct unix_sock *) peer;
	struct list queue;                /* messages; lock */
	uint32_t queue_len;               /* lock */
	struct unix_msg *oob;             /* the urgent byte in `queue`, or NULL; lock */
	_Atomic uint32_t wmem;            /* weight of our messages in others' queues */
	_Atomic(struct unix_addr *) addr; /* NULL: no name; set once, freed with us */
	/* Who the peer is, or was when it called connect(2), listen(2) or socketpair(2); a
	 * listener's own. Counted; NULL: no peer. Lock. */
	const struct cred *peer_cred;
	uint32_t peer_pid;
	/* A listener's: sockets to be accepted, counted, and how many more may come. */
	struct list pending; /* lock */
	uint32_t npending, backlog;
	struct list pending_node;   /* the listener's lock */
	bool embryo;                /* nobody has accepted it yet; the listener's lock */
	bool binding;               /* lock: bind(2) has begun, or ended well */
	struct waitq room;          /* UNIXROOM: those who wait for room in our queue or backlog */
	struct waiter relay;        /* datagram: on `room` of a full peer, for our own pollers */
	struct unix_sock *relay_to; /* counted; lock; NULL: none */
	struct unix_all all;        /* UNIXNAMES: of every socket */
	/* Garbage collection: gc lock. */
	struct list inflight_node;
	uint32_t inflight, gc_refs;
	bool gc_live;
};

static inline struct unix_sock *unix_of(struct socket *s)
{
	return container_of(s, struct unix_sock, s);
}
static inline struct unix_sock *unix_peer(struct unix_sock *u)
{
	return atomic_load_explicit(&u->peer, memory_order_acquire);
}
static inline struct unix_addr *unix_name(struct unix_sock *u)
{
	return atomic_load_explicit(&u->addr, memory_order_acquire);
}
static inline void unix_get(struct unix_sock *u)
{
	socket_get(&u->s);
}
static inline void unix_put(struct unix_sock *u)
{
	socket_put(&u->s);
}
static inline bool unix_is_writable(struct unix_sock *u)
{
	return atomic_load_explicit(&u->wmem, memory_order_acquire) * 4ull <= u->s.sndbuf;
}
static inline bool unix_has_room(struct unix_sock *u)
{
	return atomic_load_explicit(&u->wmem, memory_order_acquire) < u->s.sndbuf;
}

/* sock.c */
extern const struct socket_ops unix_stream_ops, unix_dgram_ops, unix_seqpacket_ops;
MUST_CHECK int unix_create(int type, int protocol, struct socket **out);
/* Two sockets' locks, by address. */
void unix_lock_pair(struct unix_sock *a, struct unix_sock *b) NO_TSA;
void unix_unlock_pair(struct unix_sock *a, struct unix_sock *b) NO_TSA;
/* Whom SO_PEERCRED shows: c is counted by it; what was there before is returned, to be put without
 * locks (NULL: nothing). */
MUST_CHECK const struct cred *unix_set_peer_cred(struct unix_sock *u, const struct cred *c,
						 uint32_t pid);
uint32_t unix_current_pid(void);
/* Both directions end; wakes everybody. err: what the next call there is told, or 0. */
void unix_hang_up(struct unix_sock *u, int err);
int unix_shutdown(struct socket *s, int how);
void unix_release(struct socket *s);
void unix_destroy(struct socket *s);
int unix_setsockopt(struct socket *s, int level, int name, uaddr_t val, uint32_t len);
int unix_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len);
int64_t unix_ioctl(struct socket *s, unsigned cmd, uint64_t arg);
void unix_show_fdinfo(struct socket *s, struct textbuf *t);

/* name.c: a name is found by its bytes (abstract) or by its inode. */
MUST_CHECK int unix_check_addr(const void *addr, uint32_t len);
int unix_bind(struct socket *s, const void *addr, uint32_t len);
/* Gives u an abstract name when it has none. 0; -ENOMEM; -ENOSPC. */
MUST_CHECK int unix_autobind(struct unix_sock *u);
/*
 * The socket bound to a checked address; the caller must be allowed to write to a path.
 *   returns      0 with *out counted; -ECONNREFUSED; -EPROTOTYPE another type; errors of the walk
 */
MUST_CHECK int unix_lookup(const struct abi_sockaddr_un *name, uint32_t len, int type,
			   struct unix_sock **out);
void unix_unname(struct unix_sock *u); /* released: nobody finds it any more */
void unix_addr_get(struct unix_addr *a);
void unix_addr_put(struct unix_addr *a);
int unix_getname(struct socket *s, void *addr, enum socket_name which);
/* The name of u, or just the family: bytes. */
uint32_t unix_put_name(struct unix_sock *u, void *out);
void unix_list_add(struct unix_sock *u);
void unix_list_remove(struct unix_sock *u);
/* Calls fn, under names_lock, for the sockets from number *from on until it returns false (which is
 * the result, *from then that socket's number); else *from is behind the last. */
bool unix_list_walk(uint64_t *from, bool (*fn)(struct unix_sock *u, void *ctx), void *ctx);
void unix_names_init(void);

/* connect.c */
int unix_listen(struct socket *s, uint32_t backlog);
int unix_stream_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock);
int unix_accept(struct socket *s, bool nonblock, struct socket **out);
int unix_pair(struct socket *a, struct socket *b);

/* msg.c */
/* A message of the next len bytes of u, charged to `sender`. -ENOMEM, -EFAULT. */
MUST_CHECK int unix_msg_create(struct unix_sock *sender, struct uio *u, uint32_t len,
			       struct unix_msg **out);
/* What the filter of its receiver keeps of a datagram: false, nothing. */
MUST_CHECK bool unix_msg_passes(struct unix_msg *m, const struct unix_sock *to);
void unix_msg_free(struct unix_msg *m); /* may sleep */
/* Copies n bytes from off to u: as uio_put(). */
size_t unix_msg_read(const struct unix_msg *m, uint32_t off, struct uio *u, size_t n);
/* Frees all of a list taken out of a queue. */
void unix_msgs_free(struct list *l);

/* scm.c: control messages. */
struct unix_scm {
	struct unix_cred cred;
	bool has_cred; /* given by the sender, and checked */
	struct unix_rights *rights;
};
/* Those of a sendmsg(2). -EINVAL, -EPERM, -EBADF, -ETOOMANYREFS, -ENOMEM; nothing is held then. */
MUST_CHECK int unix_scm_parse(const struct sockmsg *m, struct unix_scm *out);
void unix_scm_drop(struct unix_scm *scm); /* what was not attached */
/* Moves them to a message to be sent by u to `to`; credentials when either asks for them. */
void unix_scm_attach(struct unix_scm *scm, struct unix_sock *u, struct unix_sock *to,
		     struct unix_msg *m);
void unix_scm_receive_cred(const struct unix_msg *msg, struct sockmsg *m);
/* Gives the files to the receiver. peek: copies. What is left of them is returned, for
 * unix_rights_free() once no lock is held; NULL: nothing. */
MUST_CHECK struct unix_rights *unix_scm_receive_rights(struct unix_msg *msg, struct sockmsg *m,
						       bool peek);
void unix_rights_free(struct unix_rights *r); /* may sleep: closes the files */

/* gc.c */
void unix_gc_init(void);
struct file;
/* The files of a message go into flight, or leave it. -ETOOMANYREFS. */
MUST_CHECK int unix_inflight_add(struct file **file, unsigned n, uint32_t uid);
void unix_inflight_remove(struct file **file, unsigned n, uint32_t uid);
/* Takes references for a MSG_PEEK, while no collection looks at the counts. */
void unix_inflight_peek(struct file **file, unsigned n);
void unix_gc_hint(void); /* a socket was closed */
struct unix_rights {
	struct unix_rights *next; /* while it waits to be closed */
	unsigned n;
	uint32_t uid;        /* who sent them */
	bool in_flight;      /* counted by gc.c */
	struct file *file[]; /* counted */
};

/* stream.c, dgram.c */
ssize64_t unix_stream_send(struct socket *s, struct sockmsg *m);
ssize64_t unix_stream_recv(struct socket *s, struct sockmsg *m);
int unix_stream_ioctl(struct unix_sock *u, unsigned cmd, uint32_t *out);
uint32_t unix_stream_poll(struct socket *s, struct poll_ctx *ctx);
ssize64_t unix_dgram_send(struct socket *s, struct sockmsg *m);
ssize64_t unix_dgram_recv(struct socket *s, struct sockmsg *m);
ssize64_t unix_seqpacket_send(struct socket *s, struct sockmsg *m);
ssize64_t unix_seqpacket_recv(struct socket *s, struct sockmsg *m);
int unix_dgram_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock);
uint32_t unix_dgram_poll(struct socket *s, struct poll_ctx *ctx);
void unix_relay_stop(struct unix_sock *u);
/* A datagram socket lets go of its peer (released, disconnected): the old one, counted, or NULL. */
struct unix_sock *unix_dgram_disconnect(struct unix_sock *u);
