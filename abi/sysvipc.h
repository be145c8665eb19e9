#pragma once

/* System V shared memory, semaphores and message queues: svipc(7), shmctl(2), semctl(2), msgctl(2).
 */

#include <stdint.h>

#define IPC_PRIVATE 0

/* The third argument of the *get calls, above the permissions; IPC_NOWAIT of the operations. */
#define IPC_CREAT  00001000
#define IPC_EXCL   00002000
#define IPC_NOWAIT 00004000

/* Commands of all three. The *_STAT ones take an index. */
#define IPC_RMID     0
#define IPC_SET      1
#define IPC_STAT     2
#define IPC_INFO     3
#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13
#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15
#define GETPID       11
#define GETVAL       12
#define GETALL       13
#define GETNCNT      14
#define GETZCNT      15
#define SETVAL       16
#define SETALL       17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

/* shmget(2), its mode as shmctl(2) shows it, shmat(2). */
#define SHM_HUGETLB    04000
#define SHM_NORESERVE  010000
#define SHM_HUGE_SHIFT 26
#define SHM_HUGE_MASK  0x3f
#define SHM_DEST       01000
#define SHM_LOCKED     02000
#define SHM_RDONLY     010000
#define SHM_RND        020000
#define SHM_REMAP      040000
#define SHM_EXEC       0100000
#define SHMMIN         1

/* semop(2) */
#define SEM_UNDO 0x1000
#define SEMVMX   32767
#define SEMAEM   SEMVMX

/* msgrcv(2) */
#define MSG_NOERROR 010000
#define MSG_EXCEPT  020000
#define MSG_COPY    040000

struct abi_ipc64_perm {
	int32_t key;
	uint32_t uid, gid, cuid, cgid;
	uint32_t mode;
	uint16_t seq;
	uint16_t __pad2;
	uint32_t __pad3;
	uint64_t __unused1, __unused2;
};

struct abi_shmid64_ds {
	struct abi_ipc64_perm shm_perm;
	uint64_t shm_segsz;
	int64_t shm_atime, shm_dtime, shm_ctime;
	int32_t shm_cpid, shm_lpid;
	uint64_t shm_nattch;
	uint64_t __unused4, __unused5;
};

struct abi_shminfo64 {
	uint64_t shmmax, shmmin, shmmni, shmseg, shmall;
	uint64_t __unused1, __unused2, __unused3, __unused4;
};

struct abi_shm_info {
	int32_t used_ids;
	uint32_t __pad;
	uint64_t shm_tot, shm_rss, shm_swp; /* pages */
	uint64_t swap_attempts, swap_successes;
};

struct abi_sembuf {
	uint16_t sem_num;
	int16_t sem_op;
	int16_t sem_flg;
};

struct abi_semid64_ds {
	struct abi_ipc64_perm sem_perm;
	int64_t sem_otime;
	uint64_t __unused1;
	int64_t sem_ctime;
	uint64_t __unused2;
	uint64_t sem_nsems;
	uint64_t __unused3, __unused4;
};

struct abi_seminfo {
	int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};

struct abi_msqid64_ds {
	struct abi_ipc64_perm msg_perm;
	int64_t msg_stime, msg_rtime, msg_ctime;
	uint64_t msg_cbytes, msg_qnum, msg_qbytes;
	int32_t msg_lspid, msg_lrpid;
	uint64_t __unused4, __unused5;
};

struct abi_msginfo {
	int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	uint16_t msgseg;
	uint16_t __pad;
};
