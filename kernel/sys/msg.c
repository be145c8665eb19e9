#include "sys/syscalls.h"

/* msgget(2), msgsnd(2), msgrcv(2), msgctl(2). */

#include "abi/errno.h"
#include "proc/ipc/msg.h"
#include "vm/usercopy.h"

int64_t sys_msgget(int32_t key, uint64_t msgflg)
{
	return msg_get(key, (int)msgflg);
}

int64_t sys_msgsnd(int32_t msqid, uaddr_t msgp, uint64_t msgsz, uint64_t msgflg)
{
	uint64_t type;

	if (get_user_u64(&type, msgp))
		return -EFAULT;
	return msg_send(msqid, (int64_t)type, uaddr_add(msgp, sizeof(type)), msgsz, (int)msgflg);
}

int64_t sys_msgrcv(int32_t msqid, uaddr_t msgp, uint64_t msgsz, int64_t msgtyp, uint64_t msgflg)
{
	return msg_receive(msqid, msgp, msgsz, msgtyp, (int)msgflg);
}

static int64_t stat(int id, int cmd, uaddr_t buf)
{
	struct abi_msqid64_ds ds;
	int res = msg_stat(id, cmd, &ds);

	return res >= 0 && copy_to_user(buf, &ds, sizeof(ds)) ? -EFAULT : res;
}

static int64_t set(int id, uaddr_t buf)
{
	struct abi_msqid64_ds ds;

	return copy_from_user(&ds, buf, sizeof(ds)) ? -EFAULT : msg_set(id, &ds);
}

static int64_t info(bool used, uaddr_t buf)
{
	struct abi_msginfo mi;

	msg_info(used, &mi);
	return copy_to_user(buf, &mi, sizeof(mi)) ? -EFAULT : ipc_highest(&msg_ids);
}

int64_t sys_msgctl(int32_t msqid, int32_t cmd, uaddr_t buf)
{
	if (msqid < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return stat(msqid, cmd, buf);
	case IPC_SET:
		return set(msqid, buf);
	case IPC_RMID:
		return msg_remove(msqid);
	case IPC_INFO:
	case MSG_INFO:
		return info(cmd == MSG_INFO, buf);
	default:
		return -EINVAL;
	}
}
