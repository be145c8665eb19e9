#pragma once

/*
 * What the three kinds of System V objects share (svipc(7)): identifiers, keys, owners and
 * permissions.
 *
 * An identifier is an index into the kind's table and, above it, a sequence number, so that one
 * that was removed does not soon mean another object. Lookups take no lock: they run under an epoch
 * and take a reference. Creation and removal are under ids->lock (SYSVIDS); what an object is and
 * who may use it is under its own lock (SYSVOBJ).
 *
 * References: the table's, until the object is removed; lookups'; a mapping's (shm).
 */

#include "core/epoch.h"
#include "core/ref.h"
#include "core/spinlock.h"
#include "lib/rbtree.h"
#include "lib/types.h"
#include "sched/mutex.h"

struct abi_ipc64_perm;
struct ipc_ids;
struct ipc_table;

enum { IPC_INDEX_BITS = 15, IPC_MNI_MAX = 1 << IPC_INDEX_BITS };

struct ipc {
	struct ref ref;
	struct spinlock lock; /* SYSVOBJ */
	struct ipc_ids *ids;  /* immutable, as the next two */
	int id;
	uint32_t cuid, cgid;    /* the creator's */
	int key;                /* ids->lock to change; racy to read */
	uint32_t uid, gid;      /* lock */
	uint32_t mode;          /* lock; permissions, and the kind's own bits above */
	bool removed;           /* lock; its id means nothing any more */
	struct rbnode key_node; /* ids->lock; when key is not IPC_PRIVATE */
	struct epoch_head epoch;
};

struct ipc_request { /* of a *get call */
	int key, flags;
	uint64_t size; /* bytes, or semaphores */
};

struct ipc_ids {
	struct mutex lock; /* SYSVIDS */
	_Atomic(struct ipc_table *) table;
	uint64_t used[IPC_MNI_MAX / 64]; /* indices; lock, as the next four */
	struct rbtree keys;
	uint32_t next_index, last_index, seq;
	uint32_t in_use; /* racy to read */
	int limit;       /* kernel.*mni; racy, as the next */
	int next_id;     /* kernel.*_next_id: what the next identifier shall be; -1 */
	/* Makes an object for a request that found none, by kmalloc() and with `ipc` zeroed at its
	 * head; its limits are checked under the lock. 0 or -errno. */
	int (*create)(const struct ipc_request *r, struct ipc **out);
	/* An object that is there is large enough for r. NULL: it always is. */
	bool (*fits)(const struct ipc *p, const struct ipc_request *r);
	void (*fini)(struct ipc *p); /* the last reference is gone; the memory goes later */
};

#define IPC_IDS(name, max, make, enough, end)                                                   \
	{                                                                                       \
		.lock = MUTEX((name).lock, SYSVIDS), .last_index = IPC_MNI_MAX, .limit = (max), \
		.next_id = -1, .create = (make), .fits = (enough), .fini = (end)                \
	}

/*
 * The *get calls: finds the object of the key or makes one.
 *   returns      its identifier; -ENOENT, -EEXIST, -EACCES, -EINVAL (it is smaller), -ENOSPC
 *                (kernel.*mni), -ENOMEM, and what create() says
 */
MUST_CHECK int ipc_get(struct ipc_ids *ids, const struct ipc_request *r);

/* The object of an identifier, or at the index of one, counted. 0; -EINVAL. */
MUST_CHECK int ipc_lookup(struct ipc_ids *ids, int id, struct ipc **out);
MUST_CHECK int ipc_lookup_index(struct ipc_ids *ids, int id, struct ipc **out);

/*
 * IPC_STAT, *_STAT and *_STAT_ANY: export(), under the object's lock, writes all of `out`.
 *   returns  0 by identifier, else the identifier; -EINVAL, -EACCES (not of ANY), -EIDRM
 */
enum ipc_how { IPC_BY_ID, IPC_BY_INDEX, IPC_BY_INDEX_ANY };
MUST_CHECK int ipc_stat(struct ipc_ids *ids, int id, enum ipc_how how,
			void (*export)(struct ipc *p, void *out), void *out);
/* The first at or after *index, counted; *index moves on behind it. NULL: no more. */
MUST_CHECK struct ipc *ipc_next(struct ipc_ids *ids, uint32_t *index);
void ipc_put(struct ipc *p); /* may sleep */

/* The highest index in use, 0 when there is none: what the *_INFO commands return. */
int ipc_highest(struct ipc_ids *ids);

/* Ends the identifier of p, whose lock is held too; the caller puts the table's reference. */
void ipc_remove_locked(struct ipc *p) HOLDS(&p->ids->lock);
/* Takes the key away: p is found by its identifier alone. */
void ipc_forget_key_locked(struct ipc *p) HOLDS(&p->ids->lock);

/* The caller has all of these permissions, given for every class as in a file's mode. 0 or -EACCES.
 * Under p->lock or where a change meanwhile does not matter. */
enum { IPC_R = 0444, IPC_W = 0222, IPC_X = 0111 };
MUST_CHECK int ipc_access(const struct ipc *p, unsigned bits);
/* IPC_SET and IPC_RMID: the owner, the creator, or CAP_SYS_ADMIN. 0 or -EPERM. */
MUST_CHECK int ipc_may_control(const struct ipc *p);
bool ipc_is_owner(const struct ipc *p);

/* Under p->lock: what IPC_STAT and IPC_SET say of its owner. -EINVAL: no such user or group. */
void ipc_export(const struct ipc *p, struct abi_ipc64_perm *out);
MUST_CHECK int ipc_import(struct ipc *p, const struct abi_ipc64_perm *in);

int64_t ipc_now(void);  /* seconds since 1970 */
uint32_t ipc_pid(void); /* the caller's process; 0: a thread of the kernel */
