#pragma once

/* Inside mqueue: the queue is mqueue.c's, names and inodes are mqueue_fs.c's. */

#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "proc/user.h"
#include "pseudofs/mqueue.h"
#include "vfs/inode.h"

struct process;

struct mq_notify {
	struct process *owner; /* counted; NULL: nobody is registered */
	int how, signo;        /* SIGEV_* */
	uint64_t value;        /* sigval */
	struct file *sock;     /* SIGEV_THREAD: counted */
	uint8_t cookie[NOTIFY_COOKIE_LEN];
};

struct mqueue {
	struct inode inode;
	struct list in_dir;        /* root inode's lock */
	char *name;                /* immutable */
	struct abi_mq_attr attr;   /* mq_maxmsg, mq_msgsize: immutable */
	struct user_account *user; /* is charged; never freed */
	uint64_t charged;          /* bytes */

	struct spinlock lock;   /* MQUEUE, for all below */
	struct rbtree messages; /* the next to be received first */
	_Atomic uint64_t count; /* of messages; read by poll */
	uint64_t bytes, next_seq;
	struct list receivers, senders; /* struct sleeper: who goes first, first */
	struct mq_notify notify;
	struct waitq polled;
};

extern const struct file_ops mqueue_file_ops;
extern int mqueue_queues_max, mqueue_msg_max, mqueue_msgsize_max, mqueue_msg_default,
	mqueue_msgsize_default; /* /proc/sys/fs/mqueue */

void mqueue_queue_init(struct mqueue *q);
/* Frees the messages; nobody has it open. */
void mqueue_queue_fini(struct mqueue *q);
