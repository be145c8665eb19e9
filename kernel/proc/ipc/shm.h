#pragma once

/*
 * System V shared memory: segments, which are vmobjects, and who has them attached. An attachment
 * is a VMA (VMA_ATTACHED), so fork, munmap, mremap, exec and exit attach and detach by what they do
 * to VMAs.
 *   source       shmget(2), shmop(2), shmctl(2)
 */

#include "abi/sysvipc.h"
#include "lib/types.h"
#include "proc/ipc/ids.h"

struct task;

extern struct ipc_ids shm_ids;
extern uint64_t shm_max, shm_all; /* kernel.shmmax, bytes; kernel.shmall, pages */
extern int shm_rmid_forced;       /* kernel.shm_rmid_forced */

MUST_CHECK int shm_get(int key, uint64_t size, int flags);

/* Attaches a segment to the running process. 0; -EINVAL, -EACCES, -ENOMEM, -EIDRM, ... */
MUST_CHECK int shm_attach(int id, uint64_t addr, int flags, uint64_t *out);
/* Detaches what is left of the attachment at addr. 0; -EINVAL: there is none. */
MUST_CHECK int shm_detach(uint64_t addr);

/* shmctl(2). SHM_STAT: id is an index; returns the identifier. */
MUST_CHECK int shm_stat(int id, enum ipc_how how, struct abi_shmid64_ds *out);
MUST_CHECK int shm_set(int id, const struct abi_shmid64_ds *in);
MUST_CHECK int shm_remove(int id);
MUST_CHECK int shm_lock(int id, bool lock);
void shm_info(struct abi_shm_info *out);

/* For /proc/sysvipc/shm: the segment at or after *index. False: no more. rss: bytes. */
MUST_CHECK bool shm_next(uint32_t *index, struct abi_shmid64_ds *out, int *id, uint64_t *rss);

/* A task ends: with shm_rmid_forced, segments that it made and nobody has go. */
void shm_task_exit(struct task *t);
/* shm_rmid_forced was set: so do those whose makers have ended. */
void shm_remove_orphans(void);
