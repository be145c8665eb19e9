#pragma once

/* Shared by msg.c and msgop.c. */

#include "lib/list.h"
#include "proc/ipc/msg.h"

struct msg {
	struct list node;        /* in queue->messages, oldest first */
	struct rbnode type_node; /* in queue->types: by type, then by age */
	uint64_t seq, size;
	int64_t type;
	uint8_t text[];
};

struct msg_queue { /* all under ipc.lock */
	struct ipc ipc;
	struct list messages;
	struct rbtree types;
	uint64_t next_seq, bytes, count, max_bytes;
	int64_t stime, rtime, ctime;
	uint32_t lspid, lrpid;
	struct list receivers, senders; /* waiting, oldest first */
};

static inline struct msg_queue *msg_queue_of(struct ipc *p)
{
	return container_of(p, struct msg_queue, ipc);
}

/* Senders look again whether there is room; receivers whether they may receive. Locked. */
void msg_retry_all_locked(struct msg_queue *q);
/* The queue goes: all waiters get -EIDRM. Locked. */
void msg_wake_removed_locked(struct msg_queue *q);
