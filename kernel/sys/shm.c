#include "sys/syscalls.h"

/* shmget(2), shmat(2), shmdt(2), shmctl(2). */

#include "abi/errno.h"
#include "proc/ipc/shm.h"
#include "vm/usercopy.h"

int64_t sys_shmget(int32_t key, uint64_t size, uint64_t shmflg)
{
	return shm_get(key, size, (int)shmflg);
}

int64_t sys_shmat(int32_t shmid, uint64_t shmaddr, uint64_t shmflg)
{
	uint64_t addr;
	int err = shm_attach(shmid, shmaddr, (int)shmflg, &addr);

	return err ? err : (int64_t)addr;
}

int64_t sys_shmdt(uint64_t shmaddr)
{
	return shm_detach(shmaddr);
}

static int64_t stat(int id, enum ipc_how how, uaddr_t buf)
{
	struct abi_shmid64_ds ds;
	int res = shm_stat(id, how, &ds);

	return res >= 0 && copy_to_user(buf, &ds, sizeof(ds)) ? -EFAULT : res;
}

static int64_t set(int id, uaddr_t buf)
{
	struct abi_shmid64_ds ds;

	return copy_from_user(&ds, buf, sizeof(ds)) ? -EFAULT : shm_set(id, &ds);
}

static int64_t limits(uaddr_t buf)
{
	struct abi_shminfo64 info = {
		.shmmax = shm_max,
		.shmmin = SHMMIN,
		.shmmni = (uint64_t)shm_ids.limit,
		.shmseg = (uint64_t)shm_ids.limit,
		.shmall = shm_all,
	};

	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : ipc_highest(&shm_ids);
}

static int64_t used(uaddr_t buf)
{
	struct abi_shm_info info;

	shm_info(&info);
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : ipc_highest(&shm_ids);
}

int64_t sys_shmctl(int32_t shmid, int32_t cmd, uaddr_t buf)
{
	if (shmid < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_STAT:
		return stat(shmid, IPC_BY_ID, buf);
	case SHM_STAT:
		return stat(shmid, IPC_BY_INDEX, buf);
	case SHM_STAT_ANY:
		return stat(shmid, IPC_BY_INDEX_ANY, buf);
	case IPC_SET:
		return set(shmid, buf);
	case IPC_RMID:
		return shm_remove(shmid);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(shmid, cmd == SHM_LOCK);
	case IPC_INFO:
		return limits(buf);
	case SHM_INFO:
		return used(buf);
	default:
		return -EINVAL;
	}
}
