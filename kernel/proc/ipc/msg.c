#include "proc/ipc/msg_priv.h"

/* Message queues as objects: msgget(2) and msgctl(2). */

#include "abi/errno.h"
#include "pmm/slab.h"
#include "vfs/cred.h"

enum { MSGMNI = 32000, MSGMAX = 8192, MSGMNB = 16384, MSGSSZ = 16, MSGSEG = 0xffff };

int msg_max = MSGMAX, msg_mnb = MSGMNB;

static int msg_create(const struct ipc_request *r, struct ipc **out)
{
	struct msg_queue *q = kzalloc(sizeof(*q));

	(void)r;
	if (q == NULL)
		return -ENOMEM;
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	q->max_bytes = (uint64_t)msg_mnb;
	q->ctime = ipc_now();
	*out = &q->ipc;
	return 0;
}

static void msg_fini(struct ipc *p)
{
	struct msg_queue *q = msg_queue_of(p);
	struct msg *m, *next;

	list_for_each_safe (m, next, &q->messages, node)
		kfree(m);
}

struct ipc_ids msg_ids = IPC_IDS(msg_ids, MSGMNI, msg_create, NULL, msg_fini);

int msg_get(int key, int flags)
{
	struct ipc_request r = { .key = key, .flags = flags };

	return ipc_get(&msg_ids, &r);
}

static void export(struct ipc *p, void *out)
{
	const struct msg_queue *q = msg_queue_of(p);
	struct abi_msqid64_ds *ds = out;

	*ds = (struct abi_msqid64_ds){
		.msg_stime = q->stime,
		.msg_rtime = q->rtime,
		.msg_ctime = q->ctime,
		.msg_cbytes = q->bytes,
		.msg_qnum = q->count,
		.msg_qbytes = q->max_bytes,
		.msg_lspid = (int)q->lspid,
		.msg_lrpid = (int)q->lrpid,
	};
	ipc_export(p, &ds->msg_perm);
}

int msg_stat(int id, int cmd, struct abi_msqid64_ds *out)
{
	enum ipc_how how = cmd == IPC_STAT       ? IPC_BY_ID
			   : cmd == MSG_STAT_ANY ? IPC_BY_INDEX_ANY
						 : IPC_BY_INDEX;

	return ipc_stat(&msg_ids, id, how, export, out);
}

int msg_set(int id, const struct abi_msqid64_ds *in)
{
	int max = (int)in->msg_qbytes; /* an int of Linux's own: what is above is lost */
	struct msg_queue *q;
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&msg_ids, id, &p)))
		return err;
	q = msg_queue_of(p);
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : ipc_may_control(p);
	if (err == 0 && (uint32_t)max > (uint32_t)msg_mnb && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (err == 0 && (err = ipc_import(p, &in->msg_perm)) == 0) {
		q->max_bytes = (uint64_t)max;
		q->ctime = ipc_now();
		msg_retry_all_locked(q);
	}
	spin_unlock(&p->lock);
	ipc_put(p);
	return err;
}

int msg_remove(int id)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&msg_ids, id, &p)))
		return err;
	mutex_lock(&p->ids->lock);
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : ipc_may_control(p);
	if (err == 0) {
		ipc_remove_locked(p);
		msg_wake_removed_locked(msg_queue_of(p));
	}
	spin_unlock(&p->lock);
	mutex_unlock(&p->ids->lock);
	if (err == 0)
		ipc_put(p); /* the table's */
	ipc_put(p);
	return err;
}

/* What is in all queues is added up here, so that sending touches nothing they share. */
static void add_used(struct abi_msginfo *out)
{
	struct abi_msqid64_ds ds;
	uint64_t count = 0, bytes = 0;
	uint32_t index = 0;
	int id;

	while (msg_next(&index, &ds, &id)) {
		count += ds.msg_qnum;
		bytes += ds.msg_cbytes;
	}
	out->msgpool = (int)msg_ids.in_use;
	out->msgmap = (int)count;
	out->msgtql = (int)bytes;
}

void msg_info(bool used, struct abi_msginfo *out)
{
	*out = (struct abi_msginfo){
		.msgpool = MSGMNI * (MSGMNB / 1024),
		.msgmap = MSGMNB,
		.msgmax = msg_max,
		.msgmnb = msg_mnb,
		.msgmni = msg_ids.limit,
		.msgssz = MSGSSZ,
		.msgtql = MSGMNB,
		.msgseg = MSGSEG,
	};
	if (used)
		add_used(out);
}

bool msg_next(uint32_t *index, struct abi_msqid64_ds *out, int *id)
{
	struct ipc *p = ipc_next(&msg_ids, index);

	if (p == NULL)
		return false;
	spin_lock(&p->lock);
	export(p, out);
	spin_unlock(&p->lock);
	*id = p->id;
	ipc_put(p);
	return true;
}
