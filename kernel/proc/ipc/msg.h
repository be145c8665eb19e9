#pragma once

/*
 * System V message queues. Messages come from and go to user memory.
 *   source       msgget(2), msgop(2), msgctl(2)
 */

#include "abi/sysvipc.h"
#include "lib/types.h"
#include "proc/ipc/ids.h"

extern struct ipc_ids msg_ids;
extern int msg_max, msg_mnb; /* kernel.msgmax and kernel.msgmnb, bytes; racy */

MUST_CHECK int msg_get(int key, int flags);

/*
 * msgsnd(2) and msgrcv(2); `size` of the text, which stands at `text`.
 *   returns      0, or the bytes received, with the type in *type; -EINVAL, -EACCES, -EAGAIN,
 *                -ENOMSG, -E2BIG, -EIDRM, -EFAULT (what was received is lost), -ENOMEM,
 *                -ERESTARTNOHAND
 */
MUST_CHECK int msg_send(int id, int64_t type, uaddr_t text, uint64_t size, int flags);
MUST_CHECK ssize64_t msg_receive(int id, uaddr_t buf, uint64_t size, int64_t type, int flags);

/* msgctl(2), by its commands. *_STAT: returns the identifier unless it was what was given. */
MUST_CHECK int msg_stat(int id, int cmd, struct abi_msqid64_ds *out);
MUST_CHECK int msg_set(int id, const struct abi_msqid64_ds *in);
MUST_CHECK int msg_remove(int id);
void msg_info(bool used, struct abi_msginfo *out); /* IPC_INFO; used: MSG_INFO */

MUST_CHECK bool msg_next(uint32_t *index, struct abi_msqid64_ds *out, int *id);
